//! Where bytes come from: files that may change while they are read, and standard input.

use super::interrupt;
use crate::output::failure::{Code, Failure};
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

/// Bytes that standard input is read in.
const PIECE: usize = 1 << 20;

/// How often someone who waits for input looks whether to stop.
const PATIENCE: Duration = Duration::from_millis(50);

/// A file outside the pool, being read.
#[derive(Debug)]
pub(crate) struct Source {
    file: File,
    path: PathBuf,
    /// As it was when it was opened.
    pub(crate) metadata: Metadata,
}

impl Source {
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let refused = |error| Failure::host(format_args!("read {}", path.display()), &error);
        let file = File::open(path).map_err(refused)?;
        let metadata = file.metadata().map_err(refused)?;
        Ok(Self { file, path: path.to_owned(), metadata })
    }

    /// Fills as much of the buffer as there is; 0 at the end.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Failure> {
        let read = fill(&mut self.file, buffer);
        read.map_err(|error| Failure::host(format_args!("read {}", self.path.display()), &error))
    }

    /// Fails if the file changed since it was opened: what was read may be neither the old nor the new.
    pub(crate) fn check_unchanged(&self) -> Result<(), Failure> {
        let stamp = |m: &Metadata| (m.len(), m.mtime(), m.mtime_nsec(), m.ctime(), m.ctime_nsec());
        let now = self.file.metadata();
        let now =
            now.map_err(|error| Failure::host(format_args!("look at {}", self.path.display()), &error))?;
        if stamp(&now) == stamp(&self.metadata) {
            return Ok(());
        }
        Err(Failure::new(
            Code::SourceChanged,
            format!("{} changed while it was read; it was not stored", self.path.display()),
        )
        .hint("put it again when nobody writes to it"))
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
        let mut source = Source::open(&path).unwrap();
        let mut buffer = [0; 10];
        assert_eq!(source.read(&mut buffer).unwrap(), 4);
        assert!(source.check_unchanged().is_ok());
        fs::write(&path, b"something else").unwrap();
        assert_eq!(source.check_unchanged().unwrap_err().code(), Code::SourceChanged);
    }
}
