//! What `put`, `get`, `cp` and `rm` have in common: what was done, what was not, and how it is told.

use crate::app::App;
use crate::output::failure::{Code, ErrorBody, Exit, Failure};
use crate::output::report::Report;
use crate::output::size;
use crate::output::text::{BAD, DIM, Text, WARN};
use schemars::JsonSchema;
use serde::Serialize;
use std::fmt::Display;
use std::time::{Duration, Instant};

/// Files after which a transaction is committed.
pub(crate) const BATCH_FILES: u64 = 1000;

/// Bytes that are copied at once: whole extents of any size.
pub(crate) const BUFFER_BYTES: usize = 4 << 20;

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
    /// Seconds that it took.
    pub(crate) seconds: f64,
    /// What was not done, and why.
    pub(crate) failed: Vec<Failed>,
    /// What was left out on purpose: sockets, pipes, devices.
    pub(crate) skipped: Vec<String>,
}

/// Something that was not transferred.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Failed {
    /// Its path.
    path: String,
    /// Why.
    error: ErrorBody,
}

impl Failed {
    pub(crate) fn new(path: impl Display, failure: &Failure) -> Self {
        Self { path: path.to_string(), error: failure.body() }
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn message(&self) -> &str {
        &self.error.message
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
        text.line(line);
        for path in &self.skipped {
            text.line(format_args!("{WARN}skipped{WARN:#} {path}"));
        }
        for failed in &self.failed {
            text.line(format_args!(
                "{BAD}not {}{BAD:#} {}: {}",
                self.action, failed.path, failed.error.message
            ));
        }
    }
}

impl Transfer {
    pub(crate) fn new(app: &App, action: &'static str) -> Self {
        Self { action, dry_run: app.global.dry_run, ..Self::default() }
    }

    /// Notes that something was not transferred.
    pub(crate) fn fail(&mut self, path: impl Display, failure: &Failure) {
        self.failed.push(Failed::new(path, failure));
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
            Ok(()) if self.failed.is_empty() => None,
            Ok(()) => {
                let damaged = self
                    .failed
                    .iter()
                    .any(|failed| matches!(failed.error.code, Code::Unreadable | Code::Damaged));
                let code = if damaged { Code::Unreadable } else { Code::Partial };
                let what = size::count(self.failed.len() as u64, "part");
                let hint = self.failed.iter().find_map(|failed| failed.error.hint.clone());
                let hint =
                    hint.unwrap_or_else(|| "put right what is said above, and run it again".to_owned());
                Some(Failure::new(code, format!("{what} of what was asked for failed")).hint(hint))
            }
        };
        if failure.is_none() && app.out.quiet && !app.out.json {
            return Ok(Exit::Done);
        }
        app.out.finish(&self, failure.as_ref())
    }

    fn is_nothing(&self) -> bool {
        self.files + self.directories + self.symlinks == 0
    }
}
