//! Sizes and rates, in and out.

use bytesize::ByteSize;
use std::time::Duration;

/// Reads a size as a person writes it: `1048576`, `1GiB`, `10MB`, `64k`.
pub(crate) fn parse(text: &str) -> Result<u64, String> {
    text.parse::<ByteSize>()
        .map(|size| size.as_u64())
        .map_err(|_| format!("`{text}` is not a size; write 1048576, 1GiB or 10MB"))
}

/// A size with three significant digits, or in bytes.
pub(crate) fn show(bytes: u64, exact: bool) -> String {
    if exact || bytes < 1024 {
        return format!("{bytes} B");
    }
    ByteSize::b(bytes).display().iec().to_string()
}

/// Megabytes (10^6 bytes) in a second.
pub(crate) fn megabytes_per_second(bytes: u64, took: Duration) -> f64 {
    bytes as f64 / 1e6 / took.as_secs_f64().max(1e-9)
}

/// A duration as a person says it.
pub(crate) fn duration(took: Duration) -> String {
    match took.as_secs_f64() {
        seconds if seconds < 0.001 => format!("{:.0} us", seconds * 1e6),
        seconds if seconds < 1.0 => format!("{:.0} ms", seconds * 1e3),
        seconds if seconds < 120.0 => format!("{seconds:.1} s"),
        seconds => format!("{:.0} min", seconds / 60.0),
    }
}

/// `1 file`, `2 files`.
pub(crate) fn count(number: u64, what: &str) -> String {
    match (number, what.strip_suffix('y')) {
        (1, _) => format!("1 {what}"),
        (_, Some(stem)) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{number} {stem}ies"),
        _ => format!("{number} {what}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_they_are_written() {
        for (text, bytes) in [
            ("0", 0),
            ("1048576", 1 << 20),
            ("1GiB", 1 << 30),
            ("10MB", 10_000_000),
            ("4 KiB", 4096),
            ("64k", 64_000),
        ] {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
        for text in ["", "x", "1XB", "-1"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_are_shown_short_or_exactly() {
        assert_eq!(show(1 << 30, false), "1.0 GiB");
        assert_eq!(show(1 << 30, true), "1073741824 B");
        assert_eq!(show(1000, false), "1000 B");
    }

    #[test]
    fn plurals() {
        assert_eq!(count(1, "file"), "1 file");
        assert_eq!(count(0, "file"), "0 files");
        assert_eq!(count(2, "directory"), "2 directories");
        assert_eq!(count(2, "day"), "2 days");
    }
}
