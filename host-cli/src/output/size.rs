//! Sizes and rates, in and out.

use super::names;
use bytesize::ByteSize;
use std::time::Duration;

/// Reads a size as a person writes it: `1048576`, `1GiB`, `10MB`, `64k`.
pub(crate) fn parse(text: &str) -> Result<u64, String> {
    if text.starts_with('-') {
        return Err("a size is not negative, and not an option; write 1048576, 1GiB or 10MB".into());
    }
    let size = text.parse::<ByteSize>().map(|size| size.as_u64());
    // The parser goes by floating-point numbers, which end here.
    size.ok().filter(|&size| size < u64::MAX).ok_or_else(|| {
        format!("`{}` is not a size; write 1048576, 1GiB or 10MB", names::show(text.as_bytes()))
    })
}

/// Reads sizes from `least` to `most`.
pub(crate) const fn within(least: u64, most: u64) -> impl Fn(&str) -> Result<u64, String> + Clone {
    move |text| {
        let size = parse(text)?;
        if (least..=most).contains(&size) {
            return Ok(size);
        }
        let bounds = format!("at least {}, at most {}", show(least, false), show(most, false));
        // A number without a unit is mostly one whose unit was forgotten.
        let is_bare = size < least && text.bytes().all(|byte| byte.is_ascii_digit());
        Err(if is_bare {
            format!("{text} bytes are too few: {bounds}; was {text}MiB meant?")
        } else {
            bounds
        })
    }
}

/// Reads whole numbers from `least` to `most`.
pub(crate) const fn whole(least: u64, most: u64) -> impl Fn(&str) -> Result<u64, String> + Clone {
    move |text| {
        let number = text.parse().ok().filter(|number| (least..=most).contains(number));
        number.ok_or_else(|| format!("a whole number from {least} to {most}"))
    }
}

/// Reads sizes from `least` to `most` that are powers of two.
pub(crate) const fn power_of_two(least: u64, most: u64) -> impl Fn(&str) -> Result<u64, String> + Clone {
    move |text| {
        let size = parse(text)?;
        if size.is_power_of_two() && (least..=most).contains(&size) {
            return Ok(size);
        }
        Err(format!("a power of two, at least {}, at most {}", show(least, false), show(most, false)))
    }
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
        for text in ["", "x", "1XB", "-1", "-1GiB", "--json", "1e30", "99999999999999999999"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_outside_their_bounds_are_told_these() {
        let size = within(1 << 20, 1 << 60);
        assert_eq!((size("1MiB"), size("1EiB")), (Ok(1 << 20), Ok(1 << 60)));
        assert_eq!(
            size("64").unwrap_err(),
            "64 bytes are too few: at least 1.0 MiB, at most 1.0 EiB; was 64MiB meant?"
        );
        for text in ["64k", "2EiB", "0MiB"] {
            assert_eq!(size(text).unwrap_err(), "at least 1.0 MiB, at most 1.0 EiB", "{text}");
        }
        let power = power_of_two(512, 16 << 10);
        assert_eq!((power("512"), power("16KiB")), (Ok(512), Ok(16 << 10)));
        for text in ["0", "256", "1000", "32KiB"] {
            assert_eq!(
                power(text).unwrap_err(),
                "a power of two, at least 512 B, at most 16.0 KiB",
                "{text}"
            );
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
