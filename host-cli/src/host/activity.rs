//! What the process does that has the pool to itself, for other commands to see: a file in the pool's folder.
//!
//! It is there from when the pool is opened for writing until it is left. Its process has the lock on the
//! folder; a file of another process is left over from one that was killed, and counts for nothing.

use super::storage::read_text;
use super::times::now_rfc3339;
use super::whole_file;
use crate::output::names;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The file's name in the pool's folder.
pub(crate) const FILE: &str = "activity.json";

/// The file with what another command asks of the process.
pub(crate) const REQUEST: &str = "request.json";

/// How often the file is written at most, while the work continues.
const WRITE_EVERY: Duration = Duration::from_millis(500);

/// Characters of a command that are shown at most.
const COMMAND_MAX: usize = 120;

/// What a process does that has the pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Activity {
    /// The process.
    pub(crate) pid: u32,
    /// Its command, without the program's name.
    pub(crate) command: String,
    /// Since when, RFC 3339 in UTC; null for one that only reads.
    pub(crate) since: Option<String>,
    /// How far its work is.
    pub(crate) progress: Option<Reached>,
}

/// How far some work is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Reached {
    /// Which work.
    pub(crate) label: String,
    /// Bytes or things that are done.
    pub(crate) done: u64,
    /// All of them; null if that is not known.
    pub(crate) total: Option<u64>,
    /// What is counted.
    pub(crate) unit: String,
}

impl Activity {
    /// In a few words.
    pub(crate) fn words(&self) -> String {
        let since = self.since.as_ref().map_or_else(String::new, |since| format!(" since {since}"));
        let progress = self.progress.as_ref().map_or_else(String::new, |progress| {
            let percent = progress
                .total
                .filter(|&total| total > 0)
                .map(|total| format!("{:.0} %", (progress.done as f64 / total as f64 * 100.0).min(100.0)));
            let done = percent.unwrap_or_else(|| format!("{} {}", progress.done, progress.unit));
            format!(", {}: {done}", progress.label)
        });
        format!("process {}, `{}`{since}{progress}", self.pid, self.command)
    }

    /// What a process does, as it says itself, else by its command line.
    pub(crate) fn of(folder: &Path, pid: u32) -> Self {
        let told = read_text(&folder.join(FILE)).ok();
        let told = told.and_then(|text| serde_json::from_str::<Self>(&text).ok());
        match told.filter(|activity| activity.pid == pid) {
            Some(mut told) => {
                told.command = names::show(told.command.as_bytes());
                told
            }
            None => {
                let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                let words = line.split(|&byte| byte == 0).skip(1).filter(|word| !word.is_empty());
                Self { pid, command: shown(words), since: None, progress: None }
            }
        }
    }
}

/// A command line, cut where it is long.
fn shown<'w>(words: impl Iterator<Item = &'w [u8]>) -> String {
    let words: Vec<String> = words.map(names::show).collect();
    let line = words.join(" ");
    match line.char_indices().nth(COMMAND_MAX) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line,
    }
}

/// What is written for others to see while the pool is open.
struct Published {
    folder: PathBuf,
    activity: Activity,
    written: Instant,
}

static PUBLISHED: Mutex<Option<Published>> = Mutex::new(None);

/// Takes the file away when it is dropped.
#[derive(Debug)]
pub(crate) struct Told(());

/// Says for others to see what this process does, which has the pool in this folder. Where it cannot be
/// written others are told less.
pub(crate) fn publish(folder: &Path) -> Told {
    use std::os::unix::ffi::OsStrExt;
    let words: Vec<_> = std::env::args_os().skip(1).collect();
    let activity = Activity {
        pid: std::process::id(),
        command: shown(words.iter().map(|word| word.as_bytes())),
        since: Some(now_rfc3339()),
        progress: None,
    };
    whole_file::clear(folder);
    // A request to a process that was killed belongs to no process.
    let _ = fs::remove_file(folder.join(REQUEST));
    let published = Published { folder: folder.to_owned(), activity, written: Instant::now() };
    write(&published);
    *PUBLISHED.lock().unwrap_or_else(PoisonError::into_inner) = Some(published);
    Told(())
}

impl Drop for Told {
    fn drop(&mut self) {
        let published = PUBLISHED.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(published) = published {
            let _ = fs::remove_file(published.folder.join(FILE));
        }
    }
}

fn write(published: &Published) {
    let Ok(bytes) = serde_json::to_vec(&published.activity) else { return };
    let _ = whole_file::replace(&published.folder.join(FILE), |file| file.write_all(&bytes));
}

/// Notes how far the work is, for others to see.
pub(crate) fn reached(label: &str, unit: &str, done: u64, total: Option<u64>) {
    let mut published = PUBLISHED.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(published) = published.as_mut() else { return };
    let is_new = published.activity.progress.is_none();
    let progress = Reached { label: label.to_owned(), done, total, unit: unit.to_owned() };
    published.activity.progress = Some(progress);
    if is_new || published.written.elapsed() >= WRITE_EVERY {
        published.written = Instant::now();
        write(published);
    }
}

/// What one command asks of another that has the pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Request {
    /// The process that is asked.
    pub(crate) pid: u32,
    /// The job that it continues with: "scrub".
    pub(crate) job: String,
    /// What is to become of it: "pause" or "cancel".
    pub(crate) wanted: String,
}

impl Request {
    /// Leaves it where the other process finds it.
    pub(crate) fn leave(&self, folder: &Path) -> std::io::Result<()> {
        let bytes = serde_json::to_vec(self)?;
        whole_file::replace(&folder.join(REQUEST), |file| file.write_all(&bytes))
    }

    /// Takes a request to this process, if there is one.
    pub(crate) fn take(folder: &Path) -> Option<Self> {
        let path = folder.join(REQUEST);
        let request = serde_json::from_str::<Self>(&read_text(&path).ok()?).ok();
        request.filter(|request| request.pid == std::process::id()).inspect(|_| _ = fs::remove_file(&path))
    }

    /// Takes it back, where it is still there.
    pub(crate) fn take_back(folder: &Path) {
        let _ = fs::remove_file(folder.join(REQUEST));
    }

    /// Whether it is still there.
    pub(crate) fn is_left(folder: &Path) -> bool {
        folder.join(REQUEST).exists()
    }
}
