//! Counts in rows, for a terminal.

use std::fmt::Write as _;

/// One row: what was counted, how often, and whether a rate says anything.
pub(super) type Row = (&'static str, u64, Rate);

/// Whether a count is worth dividing by the time that it took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rate {
    Shown,
    None,
}

/// A count for each second, or nothing.
pub(super) fn per_second((_, count, rate): &Row, seconds: f64) -> String {
    match rate {
        Rate::Shown => format!("{:.1}/s", *count as f64 / seconds.max(1e-9)),
        Rate::None => String::new(),
    }
}

/// The rows as lines.
pub(super) fn lines(rows: &[Row], seconds: f64) -> String {
    let mut text = String::new();
    for row in rows {
        let line = format!("  {:<24} {:>12} {:>12}", row.0, row.1, per_second(row, seconds));
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

/// `1 failure`, `2 failures`, `no failure`.
pub(super) fn failures(count: usize) -> String {
    match count {
        0 => "no failure".into(),
        1 => "1 failure".into(),
        n => format!("{n} failures"),
    }
}
