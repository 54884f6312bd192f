//! `events.jsonl` in the pool's folder: what has happened, one JSON object a line. It is for people and monitoring; the pool
//! itself does not need it, and no lock is needed to read it.
//!
//! One process writes at a time, the one that has the pool for writing. Lines are durable before the command
//! continues to tell of them. When the file has grown to [`BYTES_MAX`] it becomes `events.jsonl.1`, in the
//! place of the one before.

use crate::host::times::now_rfc3339;
use crate::output::names::{ShowPath, show};
use rustix::fs::OFlags;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The file's name in the pool's folder.
pub(crate) const FILE: &str = "events.jsonl";

/// Its permissions, less what the process's mask says.
const MODE: u32 = 0o600;

/// Bytes from which on a new file is begun.
const BYTES_MAX: u64 = 1 << 20;

/// How much an event matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Severity {
    /// For the record.
    Info,
    /// It needs attention.
    Warning,
    /// Data is lost or was given up, or a disk is out of use for good.
    Critical,
}

/// What kind of event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EventKind {
    /// A disk makes errors, or is many times slower than the others.
    DiskDegraded,
    /// A disk that was degraded is as good as any again.
    DiskRecovered,
    /// A disk has too many errors, and was taken out of use for it.
    DiskFailed,
    /// A disk answered so that nothing is trusted to it any more: out of use until the pool is opened again.
    DiskStopped,
    /// A disk was not there when the pool was opened.
    DiskAway,
    /// A disk is back that missed commits.
    DiskStale,
    /// A disk has lost commits that it had acknowledged.
    DiskRolledBack,
    /// The newest superblocks of a disk cannot be read, and no other disk tells what stood there.
    DiskSlotsLost,
    /// A disk is to be something else now: in use, out of use, emptied, spare.
    DiskState,
    /// A disk became a member.
    DiskJoined,
    /// A disk left the pool.
    DiskLeft,
    /// A spare disk took the place of one that failed.
    DiskSucceeded,
    /// What a disk was owed is where it should be.
    DiskRebuilt,
    /// What was found bad on a disk was rewritten.
    Repaired,
    /// Something of a deleted object cannot be read: what it referred to stays allocated until a recount.
    Unfreed,
    /// A job began or continues.
    JobStarted,
    /// A job waits to be resumed.
    JobPaused,
    /// A job was given up.
    JobCancelled,
    /// A job came to its end.
    JobComplete,
    /// A job came to its end, and something is left to do.
    JobIncomplete,
    /// A job was interrupted, and waits to be resumed.
    JobInterrupted,
    /// A scrub or rebuild found lost items.
    DataLost,
    /// The pool was made.
    PoolMade,
    /// A command continued by an override: --force-degraded, --branch or --force-data-loss.
    Override,
    /// How something is stored was changed.
    PolicyChanged,
    /// More happened at once than could be kept.
    EventsDropped,
    /// Something that this version does not know.
    #[serde(other)]
    Unknown,
}

/// Something that has happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Event {
    /// When, RFC 3339 in UTC.
    pub(crate) time: String,
    /// How much it matters.
    pub(crate) severity: Severity,
    /// What.
    pub(crate) event: EventKind,
    /// The disk that it is about, as pool.toml called it.
    pub(crate) disk: Option<String>,
    /// That disk's number in the pool.
    pub(crate) member: Option<u16>,
    /// The same for people.
    pub(crate) message: String,
    /// The user that ran the command which wrote this, by number; null if an older version wrote it.
    #[serde(default)]
    pub(crate) uid: Option<u32>,
    /// That command, what is not text escaped; null if an older version wrote it.
    #[serde(default)]
    pub(crate) command: Option<String>,
}

/// Characters of a command that are kept.
const COMMAND_MAX: usize = 300;

impl Event {
    /// Something that happened now, in this command, to the pool as a whole.
    pub(crate) fn now(severity: Severity, event: EventKind, message: String) -> Self {
        Self::at(now_rfc3339(), severity, event, message)
    }

    /// The same, at another time.
    pub(crate) fn at(time: String, severity: Severity, event: EventKind, message: String) -> Self {
        let arguments = std::env::args_os().skip(1).map(|argument| show(argument.as_bytes()));
        let command: String = arguments.collect::<Vec<_>>().join(" ").chars().take(COMMAND_MAX).collect();
        let uid = Some(rustix::process::getuid().as_raw());
        Self { time, severity, event, disk: None, member: None, message, uid, command: Some(command) }
    }
}

/// The files of a pool, the older one first.
fn files(folder: &Path) -> [PathBuf; 2] {
    [folder.join(format!("{FILE}.1")), folder.join(FILE)]
}

/// Adds events: they are durable when this returns.
pub(crate) fn append(folder: &Path, events: &[Event]) -> io::Result<()> {
    let [older, path] = files(folder);
    let mut lines = Vec::new();
    for event in events {
        serde_json::to_writer(&mut lines, event)?;
        lines.push(b'\n');
    }
    let mut options = OpenOptions::new();
    options.read(true).append(true).mode(MODE);
    let mut file = open_regular(options.create(true), &path)?;
    let mut length = file.metadata()?.len();
    if length > 0 && length + lines.len() as u64 > BYTES_MAX {
        fs::rename(&path, older)?;
        file = open_regular(options.create_new(true), &path)?;
        length = 0;
    }
    // A crash may have left half a line.
    if length > 0 && !ends_in_line(&mut file)? {
        lines.insert(0, b'\n');
    }
    file.write_all(&lines)?;
    file.sync_data()?;
    if length == 0 {
        std_host_shim::sync_parent_directory(&path)?;
    }
    Ok(())
}

fn ends_in_line(file: &mut File) -> io::Result<bool> {
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last == [b'\n'])
}

/// Reads events as they are added.
#[derive(Debug)]
pub(crate) struct Reader {
    folder: PathBuf,
    /// The file that is read now, if there is one.
    file: Option<File>,
    /// The older file was read.
    has_begun: bool,
    /// The beginning of a line whose end is not there yet.
    half: Vec<u8>,
}

impl Reader {
    /// Before the first event that is kept.
    pub(crate) fn new(folder: &Path) -> Self {
        Self { folder: folder.into(), file: None, has_begun: false, half: Vec::new() }
    }

    /// The events that were added since this was last asked, the oldest first. What is no event is passed over.
    pub(crate) fn read(&mut self) -> io::Result<Vec<Event>> {
        let mut bytes = Vec::new();
        let [older, path] = files(&self.folder);
        match &mut self.file {
            Some(file) => _ = file.read_to_end(&mut bytes)?,
            // What becomes the older one meanwhile is still the same file.
            None => {
                let newer = open(&path)?;
                if let Some(mut older) = open(&older)?.filter(|_| !self.has_begun) {
                    self.has_begun = true;
                    older.read_to_end(&mut bytes)?;
                }
                self.file = newer;
                if let Some(file) = &mut self.file {
                    file.read_to_end(&mut bytes)?;
                }
            }
        }
        if self.is_replaced(&path)? {
            self.file = open(&path)?;
            if let Some(file) = &mut self.file {
                file.read_to_end(&mut bytes)?;
            }
        }
        self.half.append(&mut bytes);
        let end = self.half.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let lines: Vec<u8> = self.half.drain(..end).collect();
        Ok(lines.split(|&byte| byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect())
    }

    /// Whether the file that is read is not the one at this path any more.
    fn is_replaced(&self, path: &Path) -> io::Result<bool> {
        use std::os::unix::fs::MetadataExt;
        let Some(file) = &self.file else { return Ok(false) };
        let here = file.metadata()?;
        match fs::metadata(path) {
            Ok(there) => Ok((here.dev(), here.ino()) != (there.dev(), there.ino())),
            // Between its going and the next one's coming.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// Opens a file, and nothing else: a pipe would hold the command up, a link lead elsewhere.
fn open_regular(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let flags = OFlags::NONBLOCK | OFlags::NOFOLLOW;
    let file = options.custom_flags(flags.bits() as i32).open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => {
            let message = format!("{} is not a regular file", path.shown());
            Err(io::Error::new(ErrorKind::InvalidInput, message))
        }
    }
}

fn open(path: &Path) -> io::Result<Option<File>> {
    match open_regular(OpenOptions::new().read(true), path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(message: &str) -> Event {
        Event {
            time: "2026-01-21T15:30:45Z".into(),
            severity: Severity::Warning,
            event: EventKind::DiskDegraded,
            disk: Some("disk-1".into()),
            member: Some(1),
            message: message.into(),
            uid: Some(0),
            command: Some("scrub start".into()),
        }
    }

    /// Opening a pipe would wait for its other end, and a link would lead elsewhere.
    #[test]
    fn what_is_no_file_is_refused_and_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        assert!(append(folder.path(), &[event("a")]).is_err());
        assert!(Reader::new(folder.path()).read().is_err());
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("elsewhere", &path).unwrap();
        assert!(append(folder.path(), &[event("a")]).is_err());
        assert!(!folder.path().join("elsewhere").exists());
    }

    #[test]
    fn what_was_added_is_read_once() {
        let folder = tempfile::tempdir().unwrap();
        let mut reader = Reader::new(folder.path());
        assert_eq!(reader.read().unwrap(), []);
        append(folder.path(), &[event("a"), event("b")]).unwrap();
        assert_eq!(reader.read().unwrap(), [event("a"), event("b")]);
        append(folder.path(), &[event("c")]).unwrap();
        assert_eq!(reader.read().unwrap(), [event("c")]);
        assert_eq!(reader.read().unwrap(), []);
    }

    #[test]
    fn half_a_line_takes_no_other_with_it() {
        let folder = tempfile::tempdir().unwrap();
        append(folder.path(), &[event("a")]).unwrap();
        let mut file = OpenOptions::new().append(true).open(folder.path().join(FILE)).unwrap();
        file.write_all(br#"{"time":"20"#).unwrap();
        append(folder.path(), &[event("b")]).unwrap();
        assert_eq!(Reader::new(folder.path()).read().unwrap(), [event("a"), event("b")]);
    }

    #[test]
    fn the_files_stay_small_and_a_reader_follows() {
        let folder = tempfile::tempdir().unwrap();
        let long = "x".repeat(60_000);
        let mut reader = Reader::new(folder.path());
        let mut read = 0;
        for number in 0..60 {
            append(folder.path(), &[event(&format!("{number}{long}"))]).unwrap();
            read += reader.read().unwrap().len();
        }
        assert_eq!(read, 60, "none was missed, none came twice");
        let kept = Reader::new(folder.path()).read().unwrap();
        assert!(kept.last().unwrap().message.starts_with("59x") && kept.len() > 17, "{}", kept.len());
        for file in files(folder.path()) {
            assert!(fs::metadata(file).unwrap().len() <= BYTES_MAX);
        }
    }

    #[test]
    fn an_event_of_a_newer_version_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let line = r#"{"time":"2026-01-21T15:30:45Z","severity":"info","event":"new","disk":null,"member":null,"message":"m","x":1}"#;
        fs::write(folder.path().join(FILE), format!("{line}\n")).unwrap();
        assert_eq!(Reader::new(folder.path()).read().unwrap()[0].event, EventKind::Unknown);
    }
}
