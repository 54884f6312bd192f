//! What `put`, `get`, `cp` and `rm` have in common: what was done, what was not, and how it is told.

use crate::app::App;
use crate::host::attributes::Lacking;
use crate::output::failure::{Code, ErrorBody, Exit, Failure};
use crate::output::names::ToldPath;
use crate::output::report::Report;
use crate::output::size;
use crate::output::text::{BAD, DIM, Text, WARN};
pub(crate) use crate::pool::session::BUFFER_BYTES;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Files after which a transaction is committed.
pub(crate) const BATCH_FILES: u64 = 1000;

/// What was transferred.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Transfer {
    /// What was done, in the past: "stored", "fetched", "copied" or "removed".
    pub(crate) action: &'static str,
    /// Nothing was done: `--dry-run`.
    pub(crate) dry_run: bool,
    /// Files, each name of a hard-linked one counted.
    pub(crate) files: u64,
    /// Directories.
    pub(crate) directories: u64,
    /// Symbolic links.
    pub(crate) symlinks: u64,
    /// Bytes of contents.
    pub(crate) bytes: u64,
    /// Files and links that were as they should be already: `sync`.
    pub(crate) unchanged: u64,
    /// Names that were removed from where it went: `sync --delete`.
    pub(crate) removed: u64,
    /// Bytes of contents without the holes of files, as far as a dry run counts them.
    #[serde(skip)]
    pub(crate) stored_bytes: u64,
    /// Seconds that it took.
    pub(crate) seconds: f64,
    /// What was not done, and why.
    pub(crate) failed: Vec<Failed>,
    /// What was left out on purpose: sockets, pipes, devices.
    pub(crate) skipped: Vec<Skipped>,
    /// Attributes that were not stored or not set, and of how many files; their contents were transferred.
    pub(crate) attributes: AttributesLacking,
    /// An attribute that is lacking is a failure: `--strict`.
    #[serde(skip)]
    pub(crate) strict: bool,
}

/// Something that was not transferred.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Failed {
    #[serde(flatten)]
    path: ToldPath,
    /// Why.
    error: ErrorBody,
}

impl Failed {
    pub(crate) fn new(path: impl Into<ToldPath>, failure: &Failure) -> Self {
        Self { path: path.into(), error: failure.body() }
    }

    pub(crate) fn path(&self) -> &str {
        &self.path.path
    }

    pub(crate) fn message(&self) -> &str {
        &self.error.message
    }
}

/// Something that was left out on purpose.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Skipped {
    #[serde(flatten)]
    path: ToldPath,
    /// Why.
    why: String,
}

impl Skipped {
    pub(crate) fn new(path: impl Into<ToldPath>, why: impl Into<String>) -> Self {
        Self { path: path.into(), why: why.into() }
    }

    pub(crate) fn line(&self) -> String {
        format!("{WARN}skipped{WARN:#} {}: {}", self.path, self.why)
    }
}

/// Paths that are named for an attribute that is lacking; of more only the number is told.
const NAMED_MAX: usize = 20;

/// Attributes that are lacking, by name and reason.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[serde(transparent)]
pub(crate) struct AttributesLacking {
    #[serde(serialize_with = "values")]
    #[schemars(with = "Vec<AttributeLacking>")]
    kinds: BTreeMap<Lacking, AttributeLacking>,
}

fn values<S: serde::Serializer>(
    kinds: &BTreeMap<Lacking, AttributeLacking>,
    to: S,
) -> Result<S::Ok, S::Error> {
    to.collect_seq(kinds.values())
}

/// An attribute that was not stored or not set, for one reason.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct AttributeLacking {
    /// "owner", "mode", "setuid or setgid", "times", or the name of an extended attribute.
    attribute: String,
    /// Why.
    why: String,
    /// Of how many files.
    count: u64,
    /// The first 20 of them.
    files: Vec<ToldPath>,
}

impl AttributesLacking {
    /// Notes what a file lacks.
    pub(crate) fn note(&mut self, path: &ToldPath, lacking: impl IntoIterator<Item = Lacking>) {
        for lacking in lacking {
            let new = || AttributeLacking {
                attribute: lacking.attribute.clone(),
                why: lacking.why.clone(),
                count: 0,
                files: Vec::new(),
            };
            let kind = self.kinds.entry(lacking.clone()).or_insert_with(new);
            kind.count += 1;
            if kind.files.len() < NAMED_MAX {
                kind.files.push(path.clone());
            }
        }
    }

    /// Takes over what a batch noted.
    fn append(&mut self, other: Self) {
        for (lacking, more) in other.kinds {
            let Some(kind) = self.kinds.get_mut(&lacking) else {
                self.kinds.insert(lacking, more);
                continue;
            };
            kind.count += more.count;
            let room = NAMED_MAX.saturating_sub(kind.files.len());
            kind.files.extend(more.files.into_iter().take(room));
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }

    /// A line for each.
    pub(crate) fn lines(&self, done: &str) -> impl Iterator<Item = String> {
        self.kinds.values().map(move |kind| {
            let of = match (&kind.files[..], kind.count) {
                ([only], 1) => only.to_string(),
                (files, count) => {
                    let first = files.first().map_or("", |first| first.path.as_str());
                    format!("{}, the first {first}", size::count(count, "file"))
                }
            };
            format!("{WARN}not {done}{WARN:#} {} of {of}: {}", kind.attribute, kind.why)
        })
    }
}

/// "2 files, 1 directory", or "nothing".
pub(crate) fn things(files: u64, directories: u64, symlinks: u64) -> String {
    let things = [(files, "file"), (directories, "directory"), (symlinks, "symbolic link")];
    let there = things.into_iter().filter(|&(number, _)| number > 0);
    let counted: Vec<String> = there.map(|(number, name)| size::count(number, name)).collect();
    if counted.is_empty() { "nothing".to_owned() } else { counted.join(", ") }
}

impl Report for Transfer {
    fn text(&self, text: &mut Text) {
        let what = things(self.files, self.directories, self.symlinks);
        let action =
            if self.dry_run { format!("would have {}", self.action) } else { self.action.to_owned() };
        let mut line = format!("{action} {what}");
        if self.bytes > 0 {
            line += &format!(", {}", text.size(self.bytes));
        }
        // Of a few bytes the rate says nothing.
        if self.bytes >= 1 << 20 && !self.dry_run {
            let rate = size::megabytes_per_second(self.bytes, Duration::from_secs_f64(self.seconds));
            line += &format!(" {DIM}in {:.1} s ({rate:.1} MB/s){DIM:#}", self.seconds);
        }
        if self.removed > 0 {
            line += &format!("; {} removed", size::count(self.removed, "name"));
        }
        if self.unchanged > 0 {
            line += &format!("; {} unchanged", self.unchanged);
        }
        text.line(line);
        for skipped in &self.skipped {
            text.line(skipped.line());
        }
        for line in self.attributes.lines(self.action) {
            text.line(line);
        }
        for failed in &self.failed {
            text.line(format_args!(
                "{BAD}not {}{BAD:#} {}: {}",
                self.action, failed.path, failed.error.message
            ));
        }
    }

    fn is_answer(&self) -> bool {
        // What could not be stored or set is no note.
        self.dry_run || !self.failed.is_empty() || !self.attributes.is_empty()
    }
}

impl Transfer {
    pub(crate) fn new(app: &App, action: &'static str) -> Self {
        Self { action, dry_run: app.global.dry_run, ..Self::default() }
    }

    /// Notes that something was not transferred.
    pub(crate) fn fail(&mut self, path: impl Into<ToldPath>, failure: &Failure) {
        self.failed.push(Failed::new(path, failure));
    }

    /// Notes what was not done in a batch, durable or not.
    pub(crate) fn note(&mut self, batch: &mut Self) {
        self.failed.append(&mut batch.failed);
        self.skipped.append(&mut batch.skipped);
        self.attributes.append(std::mem::take(&mut batch.attributes));
    }

    /// Why the first thing that was not transferred was not.
    pub(crate) fn first_failure(&self) -> Option<&str> {
        self.failed.first().map(|failed| failed.error.message.as_str())
    }

    /// Takes over what a batch did, now that it is durable.
    pub(crate) fn add(&mut self, batch: &Self) {
        self.files += batch.files;
        self.directories += batch.directories;
        self.symlinks += batch.symlinks;
        self.bytes += batch.bytes;
        self.unchanged += batch.unchanged;
        self.removed += batch.removed;
    }

    /// Tells what was done; fails if that is not everything.
    pub(crate) fn finish(
        mut self,
        app: &App,
        started: Instant,
        ended: Result<(), Failure>,
    ) -> Result<Exit, Failure> {
        self.seconds = started.elapsed().as_secs_f64();
        let failure = match ended {
            Err(failure) if self.is_nothing() => return Err(failure),
            Err(failure) => Some(failure),
            // One thing was asked for, and failed: that is the failure.
            Ok(()) if self.is_nothing() && self.failed.len() == 1 => {
                let ErrorBody { code, message, hint, .. } = self.failed.remove(0).error;
                let failure = Failure::new(code, message);
                return Err(hint.into_iter().fold(failure, Failure::hint));
            }
            Ok(()) if self.failed.is_empty() => self.lacking(),
            Ok(()) => {
                let damaged = self
                    .failed
                    .iter()
                    .any(|failed| matches!(failed.error.code, Code::Unreadable | Code::Damaged));
                let code = if damaged { Code::Unreadable } else { Code::Partial };
                let what = size::count(self.failed.len() as u64, "part");
                let hint = self.failed.iter().find_map(|failed| failed.error.hint.clone());
                let hint = hint.unwrap_or_else(|| "fix the causes above, and run it again".to_owned());
                Some(Failure::new(code, format!("{what} of what was asked for failed")).hint(hint))
            }
        };
        app.out.finish(&self, failure.as_ref())
    }

    /// The failure that attributes which are lacking are with `--strict`.
    fn lacking(&self) -> Option<Failure> {
        (self.strict && !self.attributes.is_empty()).then(|| {
            Failure::new(Code::Partial, format!("not every attribute could be {}", self.action))
                .hint("the contents are complete; leave --strict out to take that as done")
        })
    }

    fn is_nothing(&self) -> bool {
        self.files + self.directories + self.symlinks + self.unchanged + self.removed == 0
    }
}
