//! Down into folders and up again, however deep they are: few descriptors, no long paths, no stack.

use super::folder::{Folder, split};
use super::look::Identity;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

/// Folders that are held open, at most: a process may open 1024 files, as a rule.
const OPEN_MAX: usize = 64;

/// The folders on the way to where the work is.
#[derive(Debug)]
pub(crate) struct Descent {
    levels: Vec<Level>,
    /// The path of the innermost, for messages.
    path: PathBuf,
}

#[derive(Debug)]
struct Level {
    identity: Identity,
    name: OsString,
    /// One far above is closed, and opened again from the one below.
    folder: Option<Folder>,
}

impl Descent {
    /// Begins in a folder.
    pub(crate) fn new(folder: Folder, path: &Path) -> io::Result<Self> {
        // What is in `.` is shown without it.
        let path = if path == Path::new(".") { PathBuf::new() } else { path.to_owned() };
        let identity = folder.identity()?;
        Ok(Self { levels: vec![Level { identity, name: OsString::new(), folder: Some(folder) }], path })
    }

    /// Begins in the folder at a path.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Self::new(Folder::open(path)?, path)
    }

    /// The innermost folder.
    pub(crate) fn here(&self) -> io::Result<&Folder> {
        self.levels.last().and_then(|level| level.folder.as_ref()).ok_or_else(lost)
    }

    /// The path of something in the innermost folder, for messages.
    pub(crate) fn path_of(&self, name: &OsStr) -> PathBuf {
        self.path.join(name)
    }

    /// The path of the innermost folder, for messages.
    pub(crate) fn path(&self) -> &Path {
        if self.path.as_os_str().is_empty() { Path::new(".") } else { &self.path }
    }

    /// Goes down into a folder that was opened in the innermost one.
    pub(crate) fn push(&mut self, name: &OsStr, folder: Folder) -> io::Result<()> {
        let identity = folder.identity()?;
        self.path.push(name);
        self.levels.push(Level { identity, name: name.to_owned(), folder: Some(folder) });
        // The first is opened from nowhere else.
        if let Some(far @ 1..) = self.levels.len().checked_sub(OPEN_MAX) {
            self.levels[far].folder = None;
        }
        Ok(())
    }

    /// The path of something in the innermost folder, from the one that it began in.
    pub(crate) fn below(&self, name: &OsStr) -> PathBuf {
        let names = self.levels.iter().skip(1).map(|level| level.name.as_os_str());
        names.chain([name]).collect()
    }

    /// The folder of something, and its name there, by its path from the folder that it began in.
    pub(crate) fn reach(&self, below: &Path) -> io::Result<(Folder, OsString)> {
        let first = self.levels.first().and_then(|level| level.folder.as_ref()).ok_or_else(lost)?;
        let (above, name) = split(below).ok_or_else(lost)?;
        let mut folder = Folder { file: first.file.try_clone()? };
        for name in above {
            folder = folder.enter(name)?;
        }
        Ok((folder, name.to_owned()))
    }

    /// Goes up: the folder that was left.
    pub(crate) fn pop(&mut self) -> io::Result<Folder> {
        let Level { folder, .. } = self.levels.pop().ok_or_else(lost)?;
        let left = folder.ok_or_else(lost)?;
        self.path.pop();
        if let Some(level) = self.levels.last_mut()
            && level.folder.is_none()
        {
            let above = left.enter(OsStr::new(".."))?;
            // Something moved the folder: what is above it is another one.
            if above.identity()? != level.identity {
                return Err(lost());
            }
            level.folder = Some(above);
        }
        Ok(left)
    }
}

fn lost() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "the folder was moved elsewhere meanwhile")
}
