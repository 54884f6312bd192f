//! Progress of long work: a bar on a terminal, lines elsewhere, nothing when quiet.

use super::report::Output;
use super::size;
use super::stream;
use crate::host::activity;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use std::fmt;
use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

/// How often a line is written where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(2);

/// Characters of a bar where there is room.
const BAR_WIDTH: usize = 30;

/// Columns of a terminal that does not tell.
const COLUMNS: usize = 80;

/// What is counted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Bytes,
    /// Things of this name, in the plural.
    Things(&'static str),
}

/// The progress of one piece of work.
pub(crate) struct Progress {
    form: Form,
    label: &'static str,
    unit: Unit,
    done: u64,
    begun_at: u64,
    total: Option<u64>,
    started: Instant,
    told: Instant,
}

enum Form {
    Bar(ProgressBar),
    Lines,
    Silent,
}

impl Progress {
    /// Begins work of `total` units, if that is known.
    pub(crate) fn new(out: &Output, label: &'static str, unit: Unit, total: Option<u64>) -> Self {
        let form = match () {
            () if out.quiet => Form::Silent,
            () if io::stderr().is_terminal() => Form::Bar(bar(unit, total, label)),
            () => Form::Lines,
        };
        let now = Instant::now();
        Self { form, label, unit, done: 0, begun_at: 0, total, started: now, told: now }
    }

    /// Notes that so much more was done.
    pub(crate) fn advance(&mut self, units: u64) {
        self.reach(self.done + units);
    }

    /// Begins at what was done before: it counts for how much is left, and not for how fast it goes.
    pub(crate) fn begin_at(&mut self, units: u64) {
        (self.done, self.begun_at) = (units, units);
        if let Form::Bar(bar) = &self.form {
            bar.set_position(units);
            bar.reset_eta();
        }
    }

    /// How much is done.
    pub(crate) const fn reached(&self) -> u64 {
        self.done
    }

    /// Notes how much is done.
    pub(crate) fn reach(&mut self, units: u64) {
        self.done = units;
        let unit = match self.unit {
            Unit::Bytes => "bytes",
            Unit::Things(things) => things,
        };
        activity::reached(self.label, unit, units, self.total);
        match &self.form {
            Form::Bar(bar) => bar.set_position(self.done),
            Form::Lines if self.told.elapsed() >= LINE_EVERY => {
                self.told = Instant::now();
                stream::say(&format!("{}\n", self.line(Duration::ZERO)));
            }
            _ => {}
        }
    }

    /// Tells how far it is before nothing is done for so long.
    pub(crate) fn rest(&mut self, time: Duration) {
        if matches!(self.form, Form::Lines) && time >= LINE_EVERY {
            self.told = Instant::now();
            stream::say(&format!("{}; continues in {}\n", self.line(time), size::duration(time)));
        }
    }

    /// Runs `f` while no bar is in its way.
    pub(crate) fn aside<T>(&self, f: impl FnOnce() -> T) -> T {
        match &self.form {
            Form::Bar(bar) => bar.suspend(f),
            _ => f(),
        }
    }

    /// How far it is when so much more time has passed.
    fn line(&self, rest: Duration) -> String {
        let seconds = (self.started.elapsed() + rest).as_secs_f64().max(1e-9);
        let rate = self.done.saturating_sub(self.begun_at) as f64 / seconds;
        let left = self.total.map(|total| {
            Duration::from_secs_f64((total.saturating_sub(self.done) as f64 / rate.max(1e-9)).min(1e9))
        });
        let Self { label, unit, done, total, .. } = *self;
        let state = State { done, total, rate, left: left.unwrap_or_default() };
        format!("{label}: {}", state.parts(unit).join(", "))
    }
}

/// How far work is.
#[derive(Clone, Copy, Debug)]
struct State {
    done: u64,
    total: Option<u64>,
    /// Units a second.
    rate: f64,
    /// Time left, where there is a total.
    left: Duration,
}

impl State {
    /// Of all that is to be done; `None` where that is not known.
    fn share(&self) -> Option<f64> {
        let total = self.total.filter(|&total| total > 0)?;
        Some((self.done as f64 / total as f64).min(1.0))
    }

    /// What is said: the share, the amount, the rate, the time left.
    fn parts(&self, unit: Unit) -> Vec<String> {
        let show = |units: u64| match unit {
            Unit::Bytes => size::show(units, false),
            Unit::Things(name) => format!("{units} {name}"),
        };
        let rate = format!("{}/s", show(self.rate as u64));
        match (self.share(), self.total) {
            (Some(share), Some(total)) => {
                let amount = format!("{} of {}", show(self.done), show(total));
                // Before anything is done there is nothing to tell it by.
                let left = (self.rate >= 1.0).then(|| format!("{} left", size::duration(self.left)));
                [format!("{:.0} %", share * 100.0), amount, rate].into_iter().chain(left).collect()
            }
            _ => vec![show(self.done), rate],
        }
    }

    /// A line with a bar that fits into so many columns. First the bar becomes shorter and goes, then the
    /// rate, then the amount, then the time left.
    fn fitted(&self, label: &str, unit: Unit, columns: usize) -> String {
        let parts = self.parts(unit);
        let bar = |width: usize| match self.share() {
            Some(share) if width > 0 => {
                let full = (share * width as f64) as usize;
                format!(" [{}{}]", "=".repeat(full), " ".repeat(width - full))
            }
            _ => String::new(),
        };
        let all: Vec<usize> = (0..parts.len()).collect();
        let fewer: [(usize, &[usize]); 6] =
            [(BAR_WIDTH, &all), (BAR_WIDTH / 3, &all), (0, &all), (0, &[0, 1, 3]), (0, &[0, 3]), (0, &[0])];
        let lines = fewer.map(|(width, kept)| {
            let kept: Vec<&str> = kept.iter().filter_map(|&part| Some(parts.get(part)?.as_str())).collect();
            format!("{label}{} {}", bar(width), kept.join(", "))
        });
        // The last column stays free: what stands there makes some terminals continue to the next line.
        let fits = |line: &&String| line.chars().count() < columns;
        match lines.iter().find(fits) {
            Some(line) => line.clone(),
            None => parts[0].chars().take(columns.saturating_sub(1)).collect(),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Form::Bar(bar) = &self.form {
            bar.finish_and_clear();
        }
    }
}

fn bar(unit: Unit, total: Option<u64>, label: &'static str) -> ProgressBar {
    let line = move |state: &ProgressState, to: &mut dyn fmt::Write| {
        let of = State { done: state.pos(), total, rate: state.per_sec(), left: state.eta() };
        // There is nowhere to say that a line was not drawn.
        let _ = to.write_str(&of.fitted(label, unit, columns()));
    };
    let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr_with_hz(10));
    let style = ProgressStyle::with_template("{line}").unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.with_style(style.with_key("line", line))
}

/// Columns of the terminal, which may become narrower at any time.
fn columns() -> usize {
    let size = rustix::termios::tcgetwinsize(io::stderr()).ok();
    size.map(|size| usize::from(size.ws_col)).filter(|&columns| columns > 0).unwrap_or(COLUMNS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_fits_into_the_terminal() {
        let state =
            State { done: 30 << 20, total: Some(72 << 20), rate: 12e6, left: Duration::from_millis(3500) };
        for (columns, line) in [
            (
                200,
                "rebuild [============                  ] 42 %, 30.0 MiB of 72.0 MiB, 11.4 MiB/s, 3.5 s left",
            ),
            (80, "rebuild [====      ] 42 %, 30.0 MiB of 72.0 MiB, 11.4 MiB/s, 3.5 s left"),
            (60, "rebuild 42 %, 30.0 MiB of 72.0 MiB, 11.4 MiB/s, 3.5 s left"),
            (50, "rebuild 42 %, 30.0 MiB of 72.0 MiB, 3.5 s left"),
            (40, "rebuild 42 %, 3.5 s left"),
            (20, "rebuild 42 %"),
            (8, "42 %"),
            (3, "42"),
            (1, ""),
        ] {
            assert_eq!(state.fitted("rebuild", Unit::Bytes, columns), line, "{columns}");
        }
        let unknown = State { total: None, ..state };
        assert_eq!(unknown.fitted("storing", Unit::Bytes, 40), "storing 30.0 MiB, 11.4 MiB/s");
        assert_eq!(unknown.fitted("storing", Unit::Bytes, 20), "storing 30.0 MiB");
        let things = State { done: 3, total: Some(12), rate: 2.0, left: Duration::from_secs(4) };
        let line = things.fitted("checking", Unit::Things("extents"), 80);
        assert_eq!(line, "checking [==        ] 25 %, 3 extents of 12 extents, 2 extents/s, 4.0 s left");
    }
}
