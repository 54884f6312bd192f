//! Where bytes come from: files that may change while they are read, and standard input.

use super::interrupt;
use crate::output::failure::{Code, Failure};
use crate::output::names::ShowPath;
use rustix::fs::OFlags;
use rustix::io::Errno;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

/// Bytes that standard input is read in.
const PIECE: usize = 1 << 20;

/// How often someone who waits for input looks whether to stop.
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
    file: File,
    path: PathBuf,
    /// As it was when it was opened.
    pub(crate) metadata: Metadata,
}

impl Source {
    /// Opens a file that was seen to be one; through a link only with `follow`.
    pub(crate) fn open(path: &Path, follow: bool) -> Result<Self, Failure> {
        let refused = |error| refused(path, &error);
        let file = open_at_once(path, follow).map_err(refused)?;
        let metadata = file.metadata().map_err(refused)?;
        if !metadata.is_file() {
            return Err(Failure::new(
                Code::SourceChanged,
                format!("{} is no file any more; it was not stored", path.shown()),
            )
            .hint("run the same command again; what is there by then is stored"));
        }
        Ok(Self { file, path: path.to_owned(), metadata })
    }

    /// Fills as much of the buffer as there is; 0 at the end.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Failure> {
        let read = fill(&mut self.file, buffer);
        read.map_err(|error| Failure::host(format_args!("read {}", self.path.shown()), &error))
    }

    /// Fails if the file changed since it was opened: what was read may be neither the old nor the new.
    pub(crate) fn check_unchanged(&self) -> Result<(), Failure> {
        let stamp = |m: &Metadata| (m.len(), m.mtime(), m.mtime_nsec(), m.ctime(), m.ctime_nsec());
        let now = self.file.metadata();
        let now =
            now.map_err(|error| Failure::host(format_args!("look at {}", self.path.shown()), &error))?;
        if stamp(&now) == stamp(&self.metadata) {
            return Ok(());
        }
        Err(Failure::new(
            Code::SourceChanged,
            format!("{} changed while it was read; it was not stored", self.path.shown()),
        )
        .hint("put it again when nobody writes to it"))
    }
}

/// Opens a file for reading; a pipe that took its place is not waited for.
fn open_at_once(path: &Path, follow: bool) -> io::Result<File> {
    let links = if follow { OFlags::empty() } else { OFlags::NOFOLLOW };
    let open = |flags: OFlags| OpenOptions::new().read(true).custom_flags(flags.bits() as i32).open(path);
    match open(links | OFlags::NONBLOCK) {
        // Someone holds a lease on the file, which no pipe has, and gives it up when asked.
        Err(error) if error.kind() == ErrorKind::WouldBlock => open(links),
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

    #[test]
    fn a_file_that_changes_while_it_is_read_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, b"some").unwrap();
        let mut source = Source::open(&path, false).unwrap();
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
            let refused = Source::open(&at(name), false).err().map(|failure| failure.code());
            assert_eq!(refused, Some(Code::SourceChanged), "{name}");
        }
        assert!(Source::open(&at("link"), true).is_ok());
    }
}
