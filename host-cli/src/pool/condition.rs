//! Whether a disk can be relied on, over several commands. The errors in the pool's records count, and those
//! that this process met.
//!
//! The core judges errors of the last minutes, which a process seldom lives through. The records have no
//! times. So the errors since they were cleared count (`disk clear`, or `disk online` of one that counted as
//! failed). Such a disk is called degraded and never taken out of use for it: errors of a year are no rate.

use crate::output::size;
use dynamicfs_core::health::{Condition, MemberHealth, Thresholds};
use dynamicfs_core::metrics::DiskCounters;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[thresholds]` of pool.toml: what is not there is as it is by default.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ThresholdEntry {
    #[serde(skip_serializing_if = "Option::is_none")]
    window_seconds: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    degraded_read_errors: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    degraded_checksum_errors: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failed_read_errors: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failed_checksum_errors: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    slow_factor: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    slow_micros: Option<u32>,
    /// Whether a disk that has failed by these thresholds is taken out of use.
    #[serde(skip_serializing_if = "Option::is_none")]
    fail: Option<bool>,
}

impl From<ThresholdEntry> for Thresholds {
    fn from(entry: ThresholdEntry) -> Self {
        let default = Self::new();
        default
            .window_seconds(entry.window_seconds.unwrap_or(default.window_seconds))
            .degraded_read_errors(entry.degraded_read_errors.unwrap_or(default.degraded_read_errors))
            .degraded_checksum_errors(
                entry.degraded_checksum_errors.unwrap_or(default.degraded_checksum_errors),
            )
            .failed_read_errors(entry.failed_read_errors.unwrap_or(default.failed_read_errors))
            .failed_checksum_errors(entry.failed_checksum_errors.unwrap_or(default.failed_checksum_errors))
            .slow_factor(entry.slow_factor.unwrap_or(default.slow_factor))
            .slow_micros(entry.slow_micros.unwrap_or(default.slow_micros))
            .fail(entry.fail.unwrap_or(default.fail))
    }
}

/// How far a disk can be relied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DiskCondition {
    /// As far as any.
    Healthy,
    /// It makes errors, or is many times slower than the others: it is written to, and read from as the last choice.
    Degraded,
    /// It is out of use.
    Failed,
}

/// The condition of a disk and why, from what this process met and from all errors since they were cleared.
pub(crate) fn of(
    health: &MemberHealth,
    totals: &DiskCounters,
    thresholds: &Thresholds,
) -> (DiskCondition, Option<String>) {
    match health.condition {
        Condition::Degraded(cause) => (DiskCondition::Degraded, Some(cause.to_string())),
        Condition::Failed(cause) => (DiskCondition::Failed, Some(cause.to_string())),
        _ => match why_degraded(totals, thresholds) {
            Some(why) => (DiskCondition::Degraded, Some(why)),
            None => (DiskCondition::Healthy, None),
        },
    }
}

/// Why a disk with these errors is degraded, if it is.
fn why_degraded(totals: &DiskCounters, thresholds: &Thresholds) -> Option<String> {
    let reached = |errors: u64, threshold: u16| threshold > 0 && errors >= threshold.into();
    // One is enough: nothing is trusted to a disk that has failed a write or a flush before it was opened anew.
    let writes = totals.write_errors + totals.flush_errors;
    let is_degraded = reached(totals.read_errors, thresholds.degraded_read_errors)
        || reached(totals.checksum_errors, thresholds.degraded_checksum_errors)
        || writes > 0;
    let kinds = [
        (totals.read_errors, "failed read"),
        (totals.checksum_errors, "wrong checksum"),
        (totals.write_errors, "failed write"),
        (totals.flush_errors, "failed flush"),
    ];
    let some = kinds.iter().filter(|(count, _)| *count > 0);
    let words: Vec<String> = some.map(|&(count, what)| counted(count, what)).collect();
    is_degraded.then(|| format!("{} since errors were last cleared", words.join(", ")))
}

fn counted(count: u64, what: &str) -> String {
    match what {
        "failed flush" if count != 1 => format!("{count} failed flushes"),
        _ => size::count(count, what),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn saved_errors_degrade_from_the_thresholds_on() {
        let check = |totals: DiskCounters, expected: Option<&str>| {
            assert_eq!(why_degraded(&totals, &Thresholds::DEFAULT).as_deref(), expected);
        };
        let none = DiskCounters::NEW;
        check(none, None);
        check(DiskCounters { read_errors: 4, checksum_errors: 9, ..none }, None);
        check(DiskCounters { read_errors: 5, ..none }, Some("5 failed reads since errors were last cleared"));
        check(
            DiskCounters { checksum_errors: 10, read_errors: 1, ..none },
            Some("1 failed read, 10 wrong checksums since errors were last cleared"),
        );
        check(
            DiskCounters { flush_errors: 2, ..none },
            Some("2 failed flushes since errors were last cleared"),
        );
    }

    #[test]
    fn the_documented_thresholds_are_the_defaults() {
        let text = include_str!("../../../docs/OPERATIONS.md");
        let documented =
            text.split("[thresholds]\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        assert_eq!(documented.lines().count(), 8, "all that can be set");
        let entry: ThresholdEntry = toml::from_str(documented).unwrap();
        assert_eq!(Thresholds::from(entry), Thresholds::DEFAULT);
    }

    #[test]
    fn thresholds_that_are_not_given_are_the_defaults() {
        let entry: ThresholdEntry = toml::from_str("failed_read_errors = 3\nfail = false").unwrap();
        let expected = Thresholds::new().failed_read_errors(3).fail(false);
        assert_eq!(Thresholds::from(entry), expected);
        assert!(toml::from_str::<ThresholdEntry>("failed_reads = 3").is_err());
    }
}
