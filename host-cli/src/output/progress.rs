//! Progress of long work: a bar on a terminal, lines elsewhere, nothing when quiet.

use super::report::Output;
use super::size;
use super::stream;
use crate::host::activity;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

/// How often a line is written where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(2);

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
            stream::say(&format!("{}; goes on in {}\n", self.line(time), size::duration(time)));
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
        let show = |units: u64| match self.unit {
            Unit::Bytes => size::show(units, false),
            Unit::Things(name) => format!("{units} {name}"),
        };
        let rate = self.done.saturating_sub(self.begun_at) as f64
            / (self.started.elapsed() + rest).as_secs_f64().max(1e-9);
        match self.total.filter(|&total| total > 0) {
            Some(total) => {
                let left = total.saturating_sub(self.done) as f64 / rate.max(1e-9);
                let percent = (self.done as f64 / total as f64 * 100.0).min(100.0);
                let left = size::duration(Duration::from_secs_f64(left.min(1e9)));
                format!(
                    "{}: {percent:.0} %, {} of {}, {}/s, {left} left",
                    self.label,
                    show(self.done),
                    show(total),
                    show(rate as u64)
                )
            }
            None => format!("{}: {}, {}/s", self.label, show(self.done), show(rate as u64)),
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
    let (amount, rate) = match unit {
        Unit::Bytes => ("{binary_bytes}", "{binary_bytes_per_sec}"),
        Unit::Things(_) => ("{human_pos}", "{per_sec}"),
    };
    let template = match (total, unit) {
        (Some(_), Unit::Bytes) => {
            format!("{{prefix}} [{{bar:30}}] {amount} of {{binary_total_bytes}}, {rate}, {{eta}} left")
        }
        (Some(_), Unit::Things(name)) => {
            format!("{{prefix}} [{{bar:30}}] {amount} of {{human_len}} {name}, {{eta}} left")
        }
        (None, Unit::Bytes) => format!("{{prefix}} {{spinner}} {amount}, {rate}"),
        (None, Unit::Things(name)) => format!("{{prefix}} {{spinner}} {amount} {name}"),
    };
    let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr_with_hz(10));
    let style = ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.with_style(style.progress_chars("=> ")).with_prefix(label)
}
