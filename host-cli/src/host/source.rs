//! Where bytes come from: files that may change while they are read, and standard input.

use super::folder::Folder;
use super::interrupt;
use super::look::Look;
use crate::output::failure::{Code, Failure};
use crate::output::names::ShowPath;
use rustix::fs::{OFlags, SeekFrom, seek};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

/// Bytes that standard input is read in.
const PIECE: usize = 1 << 20;

/// How often a wait for input looks whether to stop.
const PATIENCE: Duration = Duration::from_millis(50);

/// A file outside the pool that was seen could not be looked at or read: it vanished, or the system refuses.
pub(crate) fn refused(path: &Path, error: &io::Error) -> Failure {
    let shown = path.shown();
    let vanished = matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
        // A link took its place.
        || Errno::from_io_error(error) == Some(Errno::LOOP);
    if vanished {
        return Failure::new(
            Code::SourceChanged,
            format!("{shown} vanished before it was read; it was not stored"),
        )
        .hint("run the same command again; what is there by then is stored");
    }
    Failure::host(format_args!("read {shown}"), error)
}

/// A file outside the pool, being read.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) file: File,
    path: PathBuf,
    /// As it was when it was opened.
    pub(crate) look: Look,
    /// How far it is read.
    at: u64,
}

impl Source {
    /// Opens a file that was seen to be one; through a link only with `follow`. `path` is for messages.
    pub(crate) fn open(folder: &Folder, name: &OsStr, path: &Path, follow: bool) -> Result<Self, Failure> {
        let refused = |error| refused(path, &error);
        let file = open_at_once(folder, name, follow).map_err(refused)?;
        let look = Look::of(&file).map_err(refused)?;
        if !look.is_file() {
            return Err(Failure::new(
                Code::SourceChanged,
                format!("{} is not a file any more; it was not stored", path.shown()),
            )
            .hint("run the same command again; what is there by then is stored"));
        }
        Ok(Self { file, path: path.to_owned(), look, at: 0 })
    }

    /// Fills as much of the buffer as there is; 0 at the end.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Failure> {
        let read = interrupt::while_waiting(|| fill(&mut self.file, buffer));
        let read = read.map_err(|error| self.unreadable(&error))?;
        self.at += read as u64;
        Ok(read)
    }

    /// The next bytes that are stored, in a file with holes; none when only a hole is left.
    pub(crate) fn next_data(&mut self) -> Result<Option<Range<u64>>, Failure> {
        let end = self.look.bytes;
        let start = match seek(&self.file, SeekFrom::Data(self.at)) {
            // Behind the last of them.
            Err(Errno::NXIO) => return Ok(None),
            start => start.map_err(|error| self.unreadable(&error.into()))?,
        };
        let hole = seek(&self.file, SeekFrom::Hole(start)).map_err(|error| self.unreadable(&error.into()))?;
        let end = hole.min(end);
        if start >= end {
            return Ok(None);
        }
        seek(&self.file, SeekFrom::Start(start)).map_err(|error| self.unreadable(&error.into()))?;
        self.at = start;
        Ok(Some(start..end))
    }

    /// Whether it has holes. A filesystem that does not tell has none.
    pub(crate) fn has_holes(&self) -> Result<bool, Failure> {
        if self.look.bytes == 0 {
            return Ok(false);
        }
        let first = seek(&self.file, SeekFrom::Hole(0));
        seek(&self.file, SeekFrom::Start(0)).map_err(|error| self.unreadable(&error.into()))?;
        Ok(first.is_ok_and(|first| first < self.look.bytes))
    }

    /// Fails if the file changed since it was opened: what was read may be neither the old nor the new.
    pub(crate) fn check_unchanged(&self) -> Result<(), Failure> {
        let now = Look::of(&self.file);
        let now =
            now.map_err(|error| Failure::host(format_args!("look at {}", self.path.shown()), &error))?;
        if now.stamp() == self.look.stamp() {
            return Ok(());
        }
        Err(Failure::new(
            Code::SourceChanged,
            format!("{} changed while it was read; it was not stored", self.path.shown()),
        )
        .hint("put it again when nothing writes to it"))
    }

    fn unreadable(&self, error: &io::Error) -> Failure {
        Failure::host(format_args!("read {}", self.path.shown()), error)
    }
}

/// Opens a file for reading; a pipe that took its place is not waited for.
fn open_at_once(folder: &Folder, name: &OsStr, follow: bool) -> io::Result<File> {
    match folder.open_file(name, follow, OFlags::NONBLOCK) {
        // A lease is on the file, which no pipe has, and its holder gives it up when asked.
        Err(error) if error.kind() == ErrorKind::WouldBlock => {
            interrupt::while_waiting(|| folder.open_file(name, follow, OFlags::empty()))
        }
        opened => opened,
    }
}

/// Reads until the buffer is full or there is no more.
fn fill(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match from.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(bytes) => filled += bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Standard input, read by a thread of its own so that Ctrl-C need not wait for it.
pub(crate) struct Stdin(Receiver<io::Result<Vec<u8>>>);

impl Stdin {
    pub(crate) fn open() -> Self {
        let (sender, receiver) = sync_channel(2);
        thread::spawn(move || {
            let mut stdin = io::stdin().lock();
            loop {
                let mut piece = vec![0; PIECE];
                let read = fill(&mut stdin, &mut piece).map(|bytes| {
                    piece.truncate(bytes);
                    piece
                });
                let last = read.as_ref().map_or(true, Vec::is_empty);
                if sender.send(read).is_err() || last {
                    return;
                }
            }
        });
        Self(receiver)
    }

    /// The next piece; empty at the end.
    pub(crate) fn read(&self) -> Result<Vec<u8>, Failure> {
        loop {
            interrupt::check()?;
            match self.0.recv_timeout(PATIENCE) {
                Ok(piece) => return piece.map_err(|error| Failure::host("read standard input", &error)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(Vec::new()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn open(folder: &Path, name: &str, follow: bool) -> Result<Source, Failure> {
        Source::open(&Folder::open(folder).unwrap(), OsStr::new(name), &folder.join(name), follow)
    }

    #[test]
    fn a_file_that_changes_while_it_is_read_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, b"some").unwrap();
        let mut source = open(folder.path(), "file", false).unwrap();
        let mut buffer = [0; 10];
        assert_eq!(source.read(&mut buffer).unwrap(), 4);
        assert!(source.check_unchanged().is_ok());
        fs::write(&path, b"something else").unwrap();
        assert_eq!(source.check_unchanged().unwrap_err().code(), Code::SourceChanged);
    }

    #[test]
    fn what_took_the_place_of_a_file_is_not_waited_for_nor_followed() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let made = std::process::Command::new("mkfifo").arg(at("pipe")).status().unwrap();
        assert!(made.success());
        fs::write(at("file"), b"some").unwrap();
        std::os::unix::fs::symlink("file", at("link")).unwrap();
        for name in ["pipe", "link", "missing", "file/below", "."] {
            let refused = open(folder.path(), name, false).err().map(|failure| failure.code());
            assert_eq!(refused, Some(Code::SourceChanged), "{name}");
        }
        assert!(open(folder.path(), "link", true).is_ok());
    }

    #[test]
    fn holes_are_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let file = File::create(folder.path().join("file")).unwrap();
        file.set_len(1 << 20).unwrap();
        std::os::unix::fs::FileExt::write_all_at(&file, b"some", 300_000).unwrap();
        let mut source = open(folder.path(), "file", false).unwrap();
        assert!(source.has_holes().unwrap());
        let data = source.next_data().unwrap().unwrap();
        assert!(data.contains(&300_000) && data.end - data.start <= 64 << 10, "{data:?}");
        let mut bytes = vec![0; (data.end - data.start) as usize];
        assert_eq!(source.read(&mut bytes).unwrap(), bytes.len());
        assert_eq!(bytes.iter().filter(|&&byte| byte != 0).count(), 4);
        assert!(source.next_data().unwrap().is_none());
    }
}
