//! The operating system's clocks.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use dynamicfs_hal::{Clock, UnixTime};

/// The time of day from [`SystemTime`], latencies from [`Instant`].
#[derive(Clone, Copy, Debug)]
pub struct OsClock {
    started: Instant,
}

impl OsClock {
    /// A clock whose [`monotonic_micros`](Clock::monotonic_micros) counts from this moment.
    pub fn new() -> Self {
        Self { started: Instant::now() }
    }
}

impl Default for OsClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for OsClock {
    fn now(&self) -> UnixTime {
        unix_time(SystemTime::now())
    }

    fn monotonic_micros(&self) -> u64 {
        // 2^64 microseconds are 584,000 years.
        self.started.elapsed().as_micros() as u64
    }
}

/// Seconds round down, so that the nanoseconds count forward before 1970 too.
fn unix_time(time: SystemTime) -> UnixTime {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => UnixTime { seconds: after.as_secs() as i64, nanoseconds: after.subsec_nanos() },
        Err(before) => {
            let before = before.duration();
            match (before.as_secs() as i64, before.subsec_nanos()) {
                (seconds, 0) => UnixTime { seconds: -seconds, nanoseconds: 0 },
                (seconds, nanos) => UnixTime { seconds: -seconds - 1, nanoseconds: 1_000_000_000 - nanos },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn times_on_both_sides_of_1970() {
        let check = |time, seconds, nanoseconds| {
            assert_eq!(unix_time(time), UnixTime { seconds, nanoseconds });
        };
        check(UNIX_EPOCH, 0, 0);
        check(UNIX_EPOCH + Duration::new(5, 7), 5, 7);
        check(UNIX_EPOCH - Duration::new(5, 0), -5, 0);
        check(UNIX_EPOCH - Duration::new(0, 1), -1, 999_999_999);
        check(UNIX_EPOCH - Duration::new(5, 7), -6, 999_999_993);
    }

    #[test]
    fn runs_forward() {
        let clock = OsClock::new();
        let first = clock.monotonic_micros();
        assert!(clock.monotonic_micros() >= first);
        // 2020-01-01: a machine whose clock was never set fails here, and rightly.
        assert!(clock.now().seconds > 1_577_836_800);
    }
}
