//! Mutants: small faults put into the core and the host shim, to see whether the simulator and the tests
//! notice them.
//!
//! ```text
//! tests/mutants/*.toml   the table: what stands in the source, what the mutant has instead, which promise that breaks
//! copy.rs                a copy of the sources in which every mutant is a switch; nothing of it is in the sources
//! build.rs               the copy, built once
//! known.rs               what noticed each of them before, by the document
//! trial.rs               one mutant: campaigns, then tests, up to the first that notices it
//! report.rs              what came of all of them
//! ```
//!
//! The program is `cargo run -p dynamicfs-tests --bin mutants`.

pub mod build;
pub mod copy;
pub mod known;
pub mod report;
pub mod trial;

use serde::Deserialize;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A fault that could be made by mistake.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mutant {
    /// What it is called.
    pub name: String,
    /// The source file, from the workspace's root.
    pub file: String,
    /// The promise that it breaks.
    pub breaks: String,
    /// A text that occurs once in the file, where the original alone occurs more often.
    pub within: Option<String>,
    /// What stands in the file: an expression, or whole statements.
    pub original: String,
    /// What the mutant has in its place.
    pub mutated: String,
    /// Why nothing that is promised can tell it from the original, if that is so.
    pub equivalent: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    mutant: Vec<Mutant>,
}

/// The workspace's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// All mutants, in the order of their numbers, which begin with 1.
///
/// # Errors
/// In words: the table cannot be read.
pub fn table() -> Result<Vec<Mutant>, String> {
    let folder = root().join("tests/mutants");
    let entries = std::fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    let mut mutants = Vec::new();
    for file in files {
        let text = read(&file)?;
        let table: Table = toml::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))?;
        mutants.extend(table.mutant);
    }
    Ok(mutants)
}

fn read(file: &Path) -> Result<String, String> {
    std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))
}

impl Mutant {
    /// Where the original stands in the file's text.
    ///
    /// # Errors
    /// In words: it is not there, or more than once.
    pub fn place(&self, text: &str) -> Result<Range<usize>, String> {
        let within = match &self.within {
            Some(within) => self.once(text, within)?,
            None => 0..text.len(),
        };
        let place = self.once(&text[within.clone()], &self.original)?;
        Ok(within.start + place.start..within.start + place.end)
    }

    fn once(&self, text: &str, part: &str) -> Result<Range<usize>, String> {
        let mut places = text.match_indices(part);
        match (places.next(), places.count()) {
            (Some((at, _)), 0) => Ok(at..at + part.len()),
            (first, more) => {
                let times = usize::from(first.is_some()) + more;
                Err(format!("{}: {times} times in {}: {part:?}", self.name, self.file))
            }
        }
    }
}
