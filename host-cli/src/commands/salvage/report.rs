//! What was taken out, and what is lost.

use crate::commands::transfer::{AttributesLacking, Failed, Skipped, things};
use crate::output::names::ToldPath;
use crate::output::report::Report;
use crate::output::size;
use crate::output::text::{BAD, GOOD, Text, WARN};
use crate::output::typed::all_addressed;
use crate::pool::histories::MissingDisk;
use schemars::JsonSchema;
use serde::Serialize;
use std::ops::Range;
use std::path::Path;

/// Things that are named in text; the report's file has all of them.
const LISTED_MAX: usize = 40;

/// What was taken out of a pool, and what is lost.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Salvaged {
    /// Nothing was written: `--dry-run`. The rest says what would be.
    pub(super) dry_run: bool,
    /// The folder that it was put into.
    #[serde(flatten)]
    pub(super) dest: Dest,
    /// The file that this report was written to as well; null for a dry run.
    pub(super) report: Option<String>,
    /// Nothing of what was asked for is lost, as far as the disks that are here tell, nor was anything
    /// before.
    pub(super) complete: bool,
    /// The commit that was read; members that are missing could hold a newer one.
    pub(super) generation: u64,
    /// The mount that made it.
    pub(super) epoch: u64,
    /// The history that it belongs to, 16 hexadecimal digits.
    pub(super) branch: String,
    /// Members that are not here.
    pub(super) missing: Vec<MissingDisk>,
    /// Files, each name of a hard-linked one counted.
    pub(super) files: u64,
    /// Directories.
    pub(super) directories: u64,
    /// Symbolic links.
    pub(super) symlinks: u64,
    /// Bytes of contents that could be read.
    pub(super) bytes: u64,
    /// Bytes of contents that could not.
    pub(super) lost_bytes: u64,
    /// Things that a job found lost for good before: what is taken out is without them.
    pub(super) lost_before: u64,
    /// Things without a name that is left: they are in lost+found under their numbers.
    pub(super) nameless: u64,
    /// Seconds that it took.
    pub(super) seconds: f64,
    /// What is damaged or lost.
    pub(super) lost: Vec<Lost>,
    /// What could be read and not be written here, and why.
    pub(super) failed: Vec<Failed>,
    /// What was left out on purpose: sockets, pipes, devices.
    pub(super) skipped: Vec<Skipped>,
    /// Attributes that could not be set, and of how many files; their contents were taken out.
    pub(super) attributes: AttributesLacking,
}

/// The folder that something was put into.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Dest {
    /// The folder that it was put into.
    dest: String,
    /// Its path's bytes in hexadecimal, where `dest` does not tell them exactly.
    #[serde(skip_serializing_if = "Option::is_none")]
    dest_hex: Option<String>,
}

impl From<&Path> for Dest {
    fn from(path: &Path) -> Self {
        let ToldPath { path: dest, path_hex: dest_hex } = path.into();
        Self { dest, dest_hex }
    }
}

/// What is lost of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum What {
    /// Some of a file's bytes: they are holes in what was taken out.
    Bytes,
    /// All of it: there is a name, and nothing behind it.
    Everything,
    /// Owner, mode and times; what a file's length was is not known, it may have been longer.
    Attributes,
    /// Extended attributes, some of them at least.
    ExtendedAttributes,
    /// Entries of a directory, perhaps: records were lost that may have been some.
    Entries,
    /// Records of objects whose names are unknown too.
    Unknown,
}

/// Something that is damaged or lost.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Lost {
    /// Its path in the pool; null for what has no name any more.
    pub(super) path: Option<String>,
    /// The path's bytes in hexadecimal, where `path` does not tell them exactly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) path_hex: Option<String>,
    /// Its number.
    pub(super) object: u64,
    /// What is lost of it.
    pub(super) what: What,
    /// Bytes that it has, lost ones included.
    pub(super) size: u64,
    /// Bytes of those that are lost.
    pub(super) lost_bytes: u64,
    /// Which bytes, in order.
    pub(super) ranges: Vec<LostRange>,
}

/// Bytes that are lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct LostRange {
    /// The first.
    pub(super) offset: u64,
    /// How many.
    pub(super) bytes: u64,
}

/// Joins ranges that touch; they come in order.
pub(super) fn join(ranges: impl IntoIterator<Item = Range<u64>>) -> Vec<LostRange> {
    let mut joined: Vec<LostRange> = Vec::new();
    for range in ranges.into_iter().filter(|range| !range.is_empty()) {
        match joined.last_mut() {
            Some(last) if last.offset + last.bytes >= range.start => {
                last.bytes = last.bytes.max(range.end.saturating_sub(last.offset));
            }
            _ => joined.push(LostRange { offset: range.start, bytes: range.end - range.start }),
        }
    }
    joined
}

impl Lost {
    fn line(&self, text: &Text) -> String {
        let name = self.path.clone().unwrap_or_else(|| format!("object {}", self.object));
        match self.what {
            What::Bytes => {
                let ranges = size::count(self.ranges.len() as u64, "range");
                let first = self.ranges.first().map_or_else(String::new, |range| {
                    format!(", the first of {} bytes at {}", range.bytes, range.offset)
                });
                format!(
                    "{name}: {} of {} in {ranges}{first}",
                    text.size(self.lost_bytes),
                    text.size(self.size)
                )
            }
            What::Everything => format!("{name}: everything"),
            What::Attributes => format!("{name}: its attributes; it may have been longer"),
            What::ExtendedAttributes => format!("{name}: extended attributes"),
            What::Entries => format!("{name}: entries, perhaps"),
            What::Unknown => "records of objects with unknown names, perhaps".to_owned(),
        }
    }
}

impl Report for Salvaged {
    fn text(&self, text: &mut Text) {
        let what = things(self.files, self.directories, self.symlinks);
        let done = if self.dry_run { "would take out" } else { "taken out" };
        text.line(format_args!("{done} {what}, {} into {}", text.size(self.bytes), self.dest.dest));
        let nameless = match self.nameless {
            0 => String::new(),
            number => format!("; {} without a name, in lost+found", size::count(number, "object")),
        };
        text.line(format_args!("as of generation {}, branch {}{nameless}", self.generation, self.branch));
        if !self.missing.is_empty() {
            let names: Vec<String> = self.missing.iter().map(ToString::to_string).collect();
            text.line(format_args!(
                "{WARN}missing{WARN:#} {}, which could hold more, and newer commits",
                names.join(", ")
            ));
        }
        for skipped in &self.skipped {
            text.line(skipped.line());
        }
        for line in self.attributes.lines("set") {
            text.line(line);
        }
        for failed in &self.failed {
            text.line(format_args!("{BAD}not written{BAD:#} {}: {}", failed.path(), failed.message()));
        }
        for lost in self.lost.iter().take(LISTED_MAX) {
            let line = lost.line(text);
            text.line(format_args!("{BAD}lost{BAD:#} {line}"));
        }
        if let Some(more @ 1..) = self.lost.len().checked_sub(LISTED_MAX) {
            text.line(format_args!("and {}, which the report names", size::count(more as u64, "more loss")));
        }
        if self.lost_before > 0 {
            let things = size::count(self.lost_before, "thing");
            let how = all_addressed("as `dynamicfs rebuild status` or `dynamicfs scrub status` says");
            text.line(format_args!("{BAD}lost before{BAD:#} {things}, {how}"));
        }
        if self.complete {
            text.line(format_args!("{GOOD}everything{GOOD:#} of that commit was there"));
        }
    }

    fn is_answer(&self) -> bool {
        self.dry_run || !self.complete
    }
}
