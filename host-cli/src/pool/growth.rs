//! How fast a pool fills, as far as its records tell.

use super::session::Session;
use crate::host::times::rfc3339;
use crate::output::failure::Failure;
use crate::output::size;
use crate::output::text::Text;
use dynamicfs_core::ReadObjects;
use dynamicfs_core::files::ObjectKind;
use dynamicfs_hal::{Clock, UnixTime};
use schemars::JsonSchema;
use serde::Serialize;
use std_host_shim::OsClock;

const DAY_SECONDS: u64 = 24 * 60 * 60;

/// Days that are looked at.
const WINDOW_DAYS: u64 = 30;

/// Files that were made lately and are still there. What older ones have grown by since is not among it, nor what was made and
/// removed again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Growth {
    /// From when on: 30 days ago, or when the pool was made, RFC 3339 in UTC.
    since: String,
    /// Seconds since then.
    seconds: u64,
    /// Files that were made since.
    files: u64,
    /// Bytes that they hold now.
    bytes: u64,
    /// Bytes in a day, on average; null for a pool that is younger than a day.
    bytes_per_day: Option<u64>,
    /// Days until the pool is full at this rate; null if it is unknown, or zero.
    days_to_full: Option<u64>,
}

impl Growth {
    /// What was added to a pool that has room for `usable` bytes.
    pub(crate) fn of(session: &mut Session<'_>, usable: u64) -> Result<Self, Failure> {
        let now = OsClock::new().now().seconds;
        let made = session.pool.parameters().created;
        let since = made.max(now - (WINDOW_DAYS * DAY_SECONDS) as i64).min(now);
        let (mut files, mut bytes) = (0, 0);
        session.pool.each_inode(|_, inode| {
            if inode.kind == ObjectKind::File && inode.created.seconds >= since {
                (files, bytes) = (files + 1, bytes + inode.size);
            }
        })?;
        Ok(Self::at_rate((since, now), (files, bytes), usable))
    }

    /// So many files and bytes in this time, and room for `usable` more.
    fn at_rate((since, now): (i64, i64), (files, bytes): (u64, u64), usable: u64) -> Self {
        let seconds = now.abs_diff(since);
        let per_day = |bytes: u64| (u128::from(bytes) * u128::from(DAY_SECONDS) / u128::from(seconds)) as u64;
        let bytes_per_day = (seconds >= DAY_SECONDS).then(|| per_day(bytes));
        Self {
            since: rfc3339(UnixTime { seconds: since, nanoseconds: 0 }),
            seconds,
            files,
            bytes,
            bytes_per_day,
            days_to_full: bytes_per_day.and_then(|rate| usable.checked_div(rate)),
        }
    }

    pub(crate) fn text(&self, text: &mut Text) {
        let made = format!(
            "{} in {} made since {}",
            text.size(self.bytes),
            size::count(self.files, "file"),
            self.since
        );
        let rate = match (self.bytes_per_day, self.days_to_full) {
            (None, _) => "less than a day, too short for a rate".to_owned(),
            (Some(rate), None) => format!("{} a day", text.size(rate)),
            (Some(rate), Some(days)) => {
                format!("{} a day: full in {}", text.size(rate), size::count(days, "day"))
            }
        };
        text.field("growth", format_args!("{made}; {rate}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_an_average_over_whole_days() {
        let day = DAY_SECONDS as i64;
        let growth = Growth::at_rate((0, 30 * day), (3, 3000), 1000);
        assert_eq!((growth.bytes_per_day, growth.days_to_full), (Some(100), Some(10)));
        let idle = Growth::at_rate((0, 30 * day), (0, 0), 1000);
        assert_eq!((idle.bytes_per_day, idle.days_to_full), (Some(0), None));
        let young = Growth::at_rate((0, day - 1), (3, 3000), 1000);
        assert_eq!((young.bytes_per_day, young.days_to_full), (None, None));
        assert_eq!(Growth::at_rate((day, 2 * day), (1, 0), 9).since, "1970-01-02T00:00:00Z");
    }
}
