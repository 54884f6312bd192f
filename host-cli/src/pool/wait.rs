//! A pool that another process has: who that is, and waiting for it.

use crate::app::App;
use crate::host::activity::Activity;
use crate::host::interrupt;
use crate::output::failure::{Code, Failure};
use crate::output::names;
use std::fmt::Display;
use std::path::Path;
use std::time::{Duration, Instant};

/// How often a waiting command looks whether the pool is free. Nothing tells when a lock is let go of.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Something is locked by a process, as far as the system tells: what that does, and since when.
pub(crate) fn busy(folder: &Path, what: impl Display, pid: Option<u32>) -> Failure {
    let activity = pid.map(|pid| Activity::of(folder, pid));
    let holder = activity.as_ref().map_or("another process".into(), Activity::words);
    let failure = Failure::new(Code::Busy, format!("{what} is in use by {holder}"))
        .hint("wait until it has finished with --wait DURATION, or stop it");
    activity.into_iter().fold(failure, Failure::activity)
}

/// Tries something until no other process is in its way, as long as `--wait` says.
pub(crate) fn patiently<T>(app: &App, f: impl Fn() -> Result<T, Failure>) -> Result<T, Failure> {
    let started = Instant::now();
    let patience = app.global.wait.unwrap_or_default();
    loop {
        match f() {
            Err(failure) if failure.code() == Code::Busy && started.elapsed() < patience => {
                if interrupt::wait(LOOK_EVERY.min(patience - started.elapsed().min(patience))) {
                    return Err(interrupt::interrupted());
                }
            }
            done => return done,
        }
    }
}

/// Reads how long to wait: a number of seconds, or one with a unit behind it.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let bad = || format!("`{}` is no duration; write 30s, 15m, 2h or 1d", names::show(text.as_bytes()));
    let number = text.trim_end_matches(|unit: char| unit.is_ascii_alphabetic());
    let seconds: u64 = match &text[number.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 24 * 3600,
        _ => return Err(bad()),
    };
    let number: u32 = number.parse().map_err(|_| bad())?;
    Ok(Duration::from_secs(u64::from(number) * seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        for (text, seconds) in [("30", 30), ("30s", 30), ("15m", 900), ("2h", 7200), ("1d", 86_400), ("0", 0)]
        {
            assert_eq!(parse_duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "s", "-1", "1.5h", "1w", "5 m", "ever", "99999999999"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }
}
