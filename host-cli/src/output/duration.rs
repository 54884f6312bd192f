//! Durations as they are typed: 30s, 15m, 2h.

use super::names;
use std::time::Duration;

/// Reads a duration: a number of seconds, or one with a unit behind it.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let bad = || format!("`{}` is not a duration; write 30s, 15m, 2h or 1d", names::show(text.as_bytes()));
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
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "s", "-1", "1.5h", "1w", "5 m", "ever", "99999999999"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
