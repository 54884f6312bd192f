//! Text for people.

use super::size;
use anstyle::{AnsiColor, Style};
use std::fmt::{Display, Write};

/// Something is as it should be.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// Something needs attention.
pub(crate) const WARN: Style = AnsiColor::Yellow.on_default().bold();
/// Something is wrong.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// Something that stands out.
pub(crate) const BOLD: Style = Style::new().bold();
/// Something that stands back.
pub(crate) const DIM: Style = Style::new().dimmed();

/// Text that grows line by line. Styles are taken out again where they are not wanted.
pub(crate) struct Text {
    /// Sizes in bytes.
    exact: bool,
    buffer: String,
}

impl Text {
    pub(crate) const fn new(exact: bool) -> Self {
        Self { exact, buffer: String::new() }
    }

    pub(crate) fn line(&mut self, line: impl Display) {
        let _ = writeln!(self.buffer, "{line}");
    }

    /// A line of a report: what it is about, and what is to be said.
    pub(crate) fn field(&mut self, name: &str, value: impl Display) {
        let _ = writeln!(self.buffer, "{BOLD}{name:<11}{BOLD:#} {value}");
    }

    pub(crate) fn size(&self, bytes: u64) -> String {
        size::show(bytes, self.exact)
    }

    /// Columns as wide as what is in them; those in `right` are aligned to the right.
    pub(crate) fn table(&mut self, head: &[&str], right: &[usize], rows: &[Vec<Cell>]) {
        let width = |column: usize| {
            let cells = rows.iter().filter_map(|row| row.get(column)).map(Cell::width);
            cells.chain([head[column].chars().count()]).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..head.len()).map(width).collect();
        let titles: Vec<Cell> = head.iter().map(|title| Cell::styled(*title, BOLD)).collect();
        for row in [&titles].into_iter().chain(rows) {
            let mut line = String::new();
            for (column, cell) in row.iter().enumerate() {
                let padding = " ".repeat(widths[column].saturating_sub(cell.width()));
                let (before, after) =
                    if right.contains(&column) { (padding.as_str(), "") } else { ("", padding.as_str()) };
                let Cell { text, style } = cell;
                let _ = write!(
                    line,
                    "{}{before}{style}{text}{style:#}{after}",
                    if column > 0 { "  " } else { "" }
                );
            }
            self.line(line.trim_end());
        }
    }

    pub(crate) fn into_string(self) -> String {
        self.buffer
    }
}

/// One field of a table.
pub(crate) struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    pub(crate) fn styled(text: impl Into<String>, style: Style) -> Self {
        Self { text: text.into(), style }
    }

    fn width(&self) -> usize {
        self.text.chars().count()
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::styled(text, Style::new())
    }
}
