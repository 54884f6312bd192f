//! How much of the disks a job may take for itself.

use crate::output::size;
use std::time::Duration;

/// Steps in a second that a job takes at least, so that the disks are not asked for seconds' worth at once.
const STEPS_PER_SECOND: u64 = 4;

/// Bytes of a second, at least: fewer were meant to have a unit.
const BYTES_MIN: u64 = 1 << 10;

/// How fast a job continues at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// So many bytes are read and written in a second.
    Bytes(u64),
    /// It works in so many hundredths of the time, 1 to 100, and rests in between.
    Share(u8),
}

impl Pace {
    /// All of the time.
    const UNLIMITED: Self = Self::Share(100);

    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text.strip_suffix('%') {
            None if size::parse(text) == Ok(0) => Ok(Self::UNLIMITED),
            None => {
                size::within(BYTES_MIN, u64::MAX)(text).map(Self::Bytes).map_err(|why| {
                    match size::parse(text) {
                        Ok(bytes) => format!(
                            "{bytes} bytes a second are too few: at least 1KiB, as 20MB; 0 is no limit"
                        ),
                        Err(_) => why,
                    }
                })
            }
            Some(share) => {
                let share = share.trim().parse().ok().filter(|share| (1..=100).contains(share));
                share
                    .map(Self::Share)
                    .ok_or_else(|| "a share of the time is 1% to 100%; 0 is no limit".into())
            }
        }
    }

    /// Bytes that a step should take.
    pub(crate) const fn step_bytes(self) -> Option<u64> {
        match self {
            Self::Bytes(bytes) => Some(bytes / STEPS_PER_SECOND),
            Self::Share(_) => None,
        }
    }

    /// How long to rest after so many bytes in so much time in all; the last step took the last part of it.
    pub(crate) fn rest(self, bytes: u64, elapsed: Duration, step: Duration) -> Duration {
        match self {
            Self::Bytes(per_second) => {
                Duration::from_secs_f64(bytes as f64 / per_second as f64).saturating_sub(elapsed)
            }
            Self::Share(share) => step * (100 - u32::from(share)) / u32::from(share),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paces_are_read() {
        assert_eq!(Pace::parse("20MB"), Ok(Pace::Bytes(20_000_000)));
        assert_eq!(Pace::parse("30%"), Ok(Pace::Share(30)));
        assert_eq!(Pace::parse("0"), Ok(Pace::UNLIMITED));
        for text in ["20", "1023", "-1", "0%", "-1%", "101%", "%", "fast", ""] {
            assert!(Pace::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_job_rests_as_long_as_it_is_ahead() {
        let second = Duration::from_secs(1);
        assert_eq!(Pace::Bytes(1000).rest(3000, second, second), 2 * second);
        assert_eq!(Pace::Bytes(1000).rest(500, second, second), Duration::ZERO);
        assert_eq!(Pace::Share(25).rest(500, 9 * second, second), 3 * second);
        assert_eq!(Pace::Share(100).rest(500, 9 * second, second), Duration::ZERO);
    }
}
