//! `events`: what has happened to the pool and its disks. The pool is not opened for it.

use crate::app::App;
use crate::host::interrupt;
use crate::output::failure::{Exit, Failure};
use crate::output::names::{self, ShowPath};
use crate::output::report::{Report, print_line};
use crate::output::text::{BAD, DIM, Text, WARN};
use crate::pool::config::Config;
use crate::pool::journal::{Event, Reader, Severity};
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;
use std::path::Path;
use std::time::Duration;

/// How often a follower looks for more. Nothing tells when a file grows.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Which events.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Keep printing events as they happen, until Ctrl-C; with --json one object a line
    #[arg(short, long)]
    follow: bool,
    /// Only events since then: an RFC 3339 time, or so long ago: 90s, 15m, 2h, 7d, 4w
    #[arg(long, value_name = "TIME", value_parser = parse_since, allow_hyphen_values = true)]
    since: Option<Timestamp>,
}

/// What has happened.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Events {
    /// The events, the oldest first.
    events: Vec<Event>,
}

impl Report for Events {
    fn text(&self, text: &mut Text) {
        self.events.iter().for_each(|event| line(text, event));
    }
}

fn line(text: &mut Text, event: &Event) {
    // Any program that may write to the pool's folder may write anything here.
    let (time, message) = (names::show(event.time.as_bytes()), names::show(event.message.as_bytes()));
    let (style, word) = match event.severity {
        Severity::Info => (DIM, ""),
        Severity::Warning => (WARN, "warning"),
        Severity::Critical => (BAD, "critical"),
    };
    text.line(format_args!("{DIM}{time}{DIM:#}  {style}{word:<8}{style:#}  {message}"));
}

pub(crate) fn run(app: &App, options: &Options) -> Result<Exit, Failure> {
    let folder = Config::load(app)?.folder;
    let mut reader = Reader::new(&folder);
    if !options.follow {
        app.out.report(&Events { events: read(&mut reader, &folder, options)? })?;
        return Ok(Exit::Done);
    }
    loop {
        for event in read(&mut reader, &folder, options)? {
            if app.out.json {
                print_line(&event)?;
            } else {
                app.out.report(&Events { events: vec![event] })?;
            }
        }
        if interrupt::wait(LOOK_EVERY) {
            return Ok(Exit::Done);
        }
    }
}

/// The events that were added since this was last asked, those that are wanted.
fn read(reader: &mut Reader, folder: &Path, options: &Options) -> Result<Vec<Event>, Failure> {
    let events = reader
        .read()
        .map_err(|error| Failure::host(format_args!("read the events of {}", folder.shown()), &error))?;
    let is_wanted = |event: &Event| {
        let time = event.time.parse::<Timestamp>().ok();
        options.since.is_none_or(|since| time.is_some_and(|time| time >= since))
    };
    Ok(events.into_iter().filter(is_wanted).collect())
}

/// Reads a time, or a number with a unit for so long ago.
fn parse_since(text: &str) -> Result<Timestamp, String> {
    if let Ok(time) = text.parse() {
        return Ok(time);
    }
    let shown = names::show(text.as_bytes());
    let bad = || format!("`{shown}` is neither an RFC 3339 time nor a number with s, m, h, d or w behind it");
    let unit = match text.chars().last() {
        Some('s') => 1,
        Some('m') => 60,
        Some('h') => 3600,
        Some('d') => 24 * 3600,
        Some('w') => 7 * 24 * 3600,
        _ => return Err(bad()),
    };
    let number: u32 = text[..text.len() - 1].parse().map_err(|_| bad())?;
    let ago = SignedDuration::from_secs(i64::from(number) * unit);
    Timestamp::now().checked_sub(ago).map_err(|_| bad())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_durations_are_read() {
        assert_eq!(parse_since("2026-01-21T15:30:45Z").unwrap().as_second(), 1_769_009_445);
        let day = Timestamp::now().as_second() - parse_since("1d").unwrap().as_second();
        assert!((86_399..=86_401).contains(&day), "{day}");
        for text in ["", "d", "1", "-1h", "1y", "1.5h", "yesterday", "µ"] {
            assert!(parse_since(text).is_err(), "{text}");
        }
    }
}
