//! Times as text: RFC 3339 in UTC, and beyond the years that it knows as ISO 8601 has them.

use dynamicfs_hal::UnixTime;
use std::time::SystemTime;

const DAY_SECONDS: i64 = 24 * 60 * 60;

/// Days of 400 years: after so many the calendar repeats itself.
const CYCLE_DAYS: i64 = 146_097;

/// A time in RFC 3339, UTC. Years before 0 and after 9999 have a sign and as many digits as they need.
pub(crate) fn rfc3339(time: UnixTime) -> String {
    let fraction = time.nanoseconds.min(999_999_999);
    let civil = civil(time.seconds);
    // Jiff's timestamps end a day earlier than its years.
    let is_expanded = !(0..=9999).contains(&civil.0);
    if let (false, Ok(time)) = (is_expanded, jiff::Timestamp::new(time.seconds, fraction as i32)) {
        return time.to_string();
    }
    let fraction = match fraction {
        0 => String::new(),
        fraction => format!(".{fraction:09}").trim_end_matches('0').to_owned(),
    };
    let (year, month, day) = civil;
    let second = time.seconds.rem_euclid(DAY_SECONDS);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let year = if is_expanded { format!("{year:+05}") } else { format!("{year:04}") };
    format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
}

/// A time of this machine in RFC 3339, UTC, to the second.
pub(crate) fn rfc3339_of(time: SystemTime) -> String {
    let seconds = match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        // The second that it is in, not the one that it is nearer to.
        Err(before) => {
            -i64::try_from(before.duration().as_nanos().div_ceil(1_000_000_000)).unwrap_or(i64::MAX)
        }
    };
    rfc3339(UnixTime { seconds, nanoseconds: 0 })
}

/// Now, to the second.
pub(crate) fn now_rfc3339() -> String {
    rfc3339_of(SystemTime::now())
}

/// The year, month and day of a time, in the Gregorian calendar of all ages.
///
/// After Howard Hinnant's `civil_from_days`: years begin in March, so that the day that some of them lack is
/// the last.
fn civil(seconds: i64) -> (i64, i64, i64) {
    let days = seconds.div_euclid(DAY_SECONDS) + 719_468;
    let (cycle, day_of_cycle) = (days.div_euclid(CYCLE_DAYS), days.rem_euclid(CYCLE_DAYS));
    let year_of_cycle =
        (day_of_cycle - day_of_cycle / 1460 + day_of_cycle / 36_524 - day_of_cycle / 146_096) / 365;
    let day_of_year = day_of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (cycle * 400 + year_of_cycle + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn times_of_all_ages_are_shown() {
        for (seconds, nanoseconds, shown) in [
            (0, 0, "1970-01-01T00:00:00Z"),
            (1_000_000_000, 123_456_789, "2001-09-09T01:46:40.123456789Z"),
            (253_402_207_200, 0, "9999-12-30T22:00:00Z"),
            (253_402_300_799, 0, "9999-12-31T23:59:59Z"),
            (253_402_300_800, 0, "+10000-01-01T00:00:00Z"),
            (300_000_000_000, 500_000_000, "+11476-08-15T05:20:00.5Z"),
            (-62_167_219_200, 0, "0000-01-01T00:00:00Z"),
            (-62_167_219_201, 0, "-0001-12-31T23:59:59Z"),
            (-1, 0, "1969-12-31T23:59:59Z"),
            (i64::MAX, 0, "+292277026596-12-04T15:30:07Z"),
            (i64::MIN, 0, "-292277022657-01-27T08:29:52Z"),
        ] {
            assert_eq!(rfc3339(UnixTime { seconds, nanoseconds }), shown);
        }
    }

    #[test]
    fn both_calendars_agree_where_both_go() {
        for day in (-700_000..2_900_000).step_by(97) {
            let seconds = day * DAY_SECONDS;
            let theirs = jiff::Timestamp::from_second(seconds).unwrap().to_string();
            let (year, month, day) = civil(seconds);
            assert_eq!(theirs, format!("{year:04}-{month:02}-{day:02}T00:00:00Z"));
        }
    }

    #[test]
    fn a_time_before_1970_is_in_the_second_that_it_is_in() {
        let time = SystemTime::UNIX_EPOCH - Duration::from_millis(500);
        assert_eq!(rfc3339_of(time), "1969-12-31T23:59:59Z");
    }
}
