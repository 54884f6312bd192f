//! When every copy was last read, and whether a scrub is due.

use super::session::Session;
use dynamicfs_hal::Clock;
use std_host_shim::OsClock;

/// Days after which a scrub is told to be long ago.
pub(crate) const SCRUB_STALE_DAYS: u64 = 35;

const DAY_SECONDS: i64 = 24 * 60 * 60;

/// When every copy was last read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whole {
    /// Never, in a pool that is so many seconds old.
    Never(u64),
    /// That is said to be in the future: a clock was wrong.
    Unknown,
    /// So many seconds ago.
    Ago(u64, i64),
}

impl Whole {
    /// What a record says, in seconds since 1970; 0 for never.
    pub(super) fn of(session: &Session<'_>, whole: i64) -> Self {
        let made = session.pool.parameters().created;
        Self::at(whole, made, OsClock::new().now().seconds)
    }

    const fn at(whole: i64, made: i64, now: i64) -> Self {
        match whole {
            // A board without a clock makes pools in 1970.
            0 if made <= 0 || made > now => Self::Never(0),
            0 => Self::Never(made.abs_diff(now)),
            whole if whole > now => Self::Unknown,
            whole => Self::Ago(whole.abs_diff(now), whole),
        }
    }

    /// When that was, in seconds since 1970.
    pub(super) const fn ended(self) -> Option<i64> {
        match self {
            Self::Ago(_, at) => Some(at),
            _ => None,
        }
    }

    /// Seconds since then.
    pub(crate) const fn age_seconds(self) -> Option<u64> {
        match self {
            Self::Ago(age, _) => Some(age),
            _ => None,
        }
    }

    /// Why a scrub is due, if it is.
    pub(crate) fn why_due(self) -> Option<String> {
        let too_old = |age: u64| age > SCRUB_STALE_DAYS * DAY_SECONDS as u64;
        match self {
            Self::Never(age) if too_old(age) => Some(format!(
                "no scrub has read every copy in the more than {SCRUB_STALE_DAYS} days since the pool was made"
            )),
            Self::Ago(age, _) if too_old(age) => Some(format!(
                "the last scrub that read every copy ended more than {SCRUB_STALE_DAYS} days ago"
            )),
            Self::Unknown => {
                Some("when the last scrub ended is not known: its date is in the future".to_owned())
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scrub_that_is_long_ago_or_of_unknown_date_is_stale() {
        let (day, now) = (DAY_SECONDS, 1000 * DAY_SECONDS);
        let check = |whole, made, stale: bool| {
            assert_eq!(Whole::at(whole, made, now).why_due().is_some(), stale, "{whole} {made}");
        };
        check(now - 34 * day, 1, false);
        check(now - 36 * day, 1, true);
        check(now + 1, 1, true);
        check(0, now - 34 * day, false);
        check(0, now - 36 * day, true);
        // Without a clock nothing is known.
        check(0, 0, false);
        check(0, now + day, false);
    }
}
