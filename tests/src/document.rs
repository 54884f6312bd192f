//! `docs/FORMAT.md` as data: its byte tables, its other tables, its dumps.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;

/// Where the document is.
pub fn path() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/FORMAT.md"))
}

/// A row of a byte table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The field's name; `—` for zeros, `…` for what continues with the field before.
    pub name: String,
    /// Bytes from the structure's beginning.
    pub offset: usize,
    /// Bytes.
    pub bytes: usize,
}

impl Row {
    /// Whether the row names a field.
    pub fn is_field(&self) -> bool {
        !matches!(self.name.as_str(), "—" | "…")
    }
}

/// A byte table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Structure {
    /// Its name, as in the code.
    pub name: String,
    /// Its bytes.
    pub bytes: usize,
    /// Its rows, in the order of the document.
    pub rows: Vec<Row>,
}

impl Structure {
    /// Where a field lies.
    ///
    /// # Panics
    /// When the table does not have it.
    pub fn range(&self, field: &str) -> Range<usize> {
        let row = self.rows.iter().find(|row| row.name == field);
        let row = row.unwrap_or_else(|| panic!("the document's table of {} has no field {field}", self.name));
        row.offset..row.offset + row.bytes
    }

    /// This structure over bytes.
    pub fn view<'b>(&'b self, bytes: &'b [u8]) -> View<'b> {
        assert!(bytes.len() >= self.bytes, "{}: {} bytes are too few", self.name, bytes.len());
        View { structure: self, bytes }
    }
}

/// A structure over bytes.
#[derive(Clone, Copy, Debug)]
pub struct View<'b> {
    /// The table.
    pub structure: &'b Structure,
    /// The bytes, the structure's at least.
    pub bytes: &'b [u8],
}

impl<'b> View<'b> {
    /// A field's bytes.
    pub fn field(&self, name: &str) -> &'b [u8] {
        &self.bytes[self.structure.range(name)]
    }

    /// A field that is an integer of up to 8 bytes.
    pub fn number(&self, name: &str) -> u64 {
        number(self.field(name))
    }
}

/// A little-endian integer of up to 8 bytes.
pub fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte))
}

/// The byte tables by name.
pub type Structures = BTreeMap<String, Structure>;

/// The document.
#[derive(Clone, Debug)]
pub struct Document {
    /// Its text.
    pub text: String,
}

impl Document {
    /// Reads it.
    pub fn load() -> Self {
        let text = std::fs::read_to_string(path()).expect("docs/FORMAT.md is there");
        Self { text }
    }

    /// The rows of the tables whose header begins with these columns, cell by cell, code marks taken off.
    pub fn tables(&self, columns: &[&str]) -> Vec<Vec<String>> {
        let mut rows = Vec::new();
        let mut inside = false;
        for line in self.text.lines() {
            let Some(cells) = cells(line) else {
                inside = false;
                continue;
            };
            if cells.iter().zip(columns).filter(|(cell, column)| cell == *column).count() == columns.len() {
                inside = true;
            } else if inside && !cells[0].starts_with("---") {
                rows.push(cells);
            }
        }
        rows
    }

    /// The byte tables: each follows a line that begins with its name and bytes, in bold.
    pub fn structures(&self) -> Structures {
        let mut structures = Structures::new();
        let mut current: Option<Structure> = None;
        for line in self.text.lines() {
            if let Some((name, bytes)) = heading(line) {
                let before = current.replace(Structure { name, bytes, rows: Vec::new() });
                structures.extend(before.map(|s| (s.name.clone(), s)));
            } else if let Some(cells) = cells(line)
                && let Some(structure) = &mut current
                && let [name, offset, bytes, _] = &cells[..]
                && let (Ok(offset), Ok(bytes)) = (offset.parse(), bytes.parse())
            {
                structure.rows.push(Row { name: name.clone(), offset, bytes });
            } else if line.starts_with('#') {
                structures.extend(current.take().map(|s| (s.name.clone(), s)));
            }
        }
        structures.extend(current.map(|s| (s.name.clone(), s)));
        structures
    }

    /// The text with the contents of the dump of this name exchanged.
    pub fn with_dump(&self, name: &str, dump: &str) -> String {
        let range = self.dump_range(name);
        format!("{}{dump}{}", &self.text[..range.start], &self.text[range.end..])
    }

    /// A dump's text.
    pub fn dump(&self, name: &str) -> &str {
        &self.text[self.dump_range(name)]
    }

    fn dump_range(&self, name: &str) -> Range<usize> {
        let opening = format!("```golden {name}\n");
        let start = self.text.find(&opening).unwrap_or_else(|| panic!("the document has no dump {name}"))
            + opening.len();
        let length = self.text[start..].find("```").expect("the dump ends");
        start..start + length
    }
}

/// ``**`Name`, n bytes**`` at a line's beginning.
fn heading(line: &str) -> Option<(String, usize)> {
    let (name, rest) = line.strip_prefix("**`")?.split_once("`, ")?;
    let (bytes, _) = rest.split_once(" bytes**")?;
    Some((name.to_owned(), bytes.parse().ok()?))
}

/// The cells of a table's line.
fn cells(line: &str) -> Option<Vec<String>> {
    let inner = line.trim().strip_prefix('|')?.strip_suffix('|')?;
    Some(inner.split('|').map(|cell| cell.trim().trim_matches('`').to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "**`Thing`, 8 bytes**: more\n\n| field | offset | bytes | meaning |\n|---|---|---|---|\n\
        | `a` | 0 | 6 | a thing |\n| — | 6 | 2 | zero |\n\n```golden x\nold\n```\n";

    #[test]
    fn tables_and_dumps_are_found() {
        let document = Document { text: TEXT.to_owned() };
        let thing = &document.structures()["Thing"];
        assert_eq!((thing.bytes, thing.rows.len(), thing.range("a")), (8, 2, 0..6));
        assert_eq!(thing.view(&[1, 2, 0, 0, 0, 0, 9, 9]).number("a"), 0x201);
        assert_eq!(document.dump("x"), "old\n");
        assert!(document.with_dump("x", "new\n").contains("```golden x\nnew\n```"));
        assert_eq!(document.tables(&["field", "offset"]).len(), 2);
    }
}
