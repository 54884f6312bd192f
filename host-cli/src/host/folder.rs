//! A folder of this machine, held by its descriptor. Its contents are reached by one name at a time, and no
//! link is followed on the way. A path would be looked up anew each time, and ends at 4096 bytes.

use super::look::{Identity, Look};
use super::target::Unfinished;
use rustix::fs::{
    AtFlags, Dir, Mode, OFlags, StatxFlags, linkat, mkdirat, openat, readlinkat, statx, symlinkat,
};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// An open folder.
#[derive(Debug)]
pub(crate) struct Folder {
    pub(crate) file: File,
}

impl Folder {
    /// Opens a folder by its path, through links: the one that was typed.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let file = openat(rustix::fs::CWD, path, FOLDER, Mode::empty())?;
        Ok(Self { file: file.into() })
    }

    /// Opens a folder in this one; a link to one is not taken for one, it could lead anywhere.
    pub(crate) fn enter(&self, name: &OsStr) -> io::Result<Self> {
        let file = openat(&self.file, name, FOLDER | OFlags::NOFOLLOW, Mode::empty())?;
        Ok(Self { file: file.into() })
    }

    /// Makes a folder in this one that only its owner sees into; whether it was not there before.
    pub(crate) fn make(&self, name: &OsStr) -> io::Result<bool> {
        match mkdirat(&self.file, name, Mode::RWXU) {
            Err(Errno::EXIST) => Ok(false),
            made => Ok(made.map(|()| true)?),
        }
    }

    pub(crate) fn look(&self, name: &OsStr) -> io::Result<Look> {
        Look::at(&self.file, name)
    }

    /// What a name leads to, through links.
    pub(crate) fn look_through(&self, name: &OsStr) -> io::Result<Look> {
        Ok(statx(&self.file, name, AtFlags::empty(), StatxFlags::BASIC_STATS)?.into())
    }

    /// The same, where nothing under the name is an answer too.
    pub(crate) fn look_if_any(&self, name: &OsStr) -> io::Result<Option<Look>> {
        match self.look(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            look => look.map(Some),
        }
    }

    pub(crate) fn identity(&self) -> io::Result<Identity> {
        Ok(Look::of(&self.file)?.identity)
    }

    /// The names in it, in order.
    pub(crate) fn names(&self) -> io::Result<Vec<OsString>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.file)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                names.push(OsString::from_vec(name.to_vec()));
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Where a symbolic link points.
    pub(crate) fn target(&self, name: &OsStr) -> io::Result<Vec<u8>> {
        Ok(readlinkat(&self.file, name, Vec::new())?.into_bytes())
    }

    /// Opens a file for reading.
    pub(crate) fn open_file(&self, name: &OsStr, follow: bool, how: OFlags) -> io::Result<File> {
        let links = if follow { OFlags::empty() } else { OFlags::NOFOLLOW };
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY | how | links;
        Ok(openat(&self.file, name, flags, Mode::empty())?.into())
    }

    /// A path to something in it that is short, however deep the folder is.
    pub(crate) fn short_path(&self, name: &OsStr) -> PathBuf {
        Path::new("/proc/self/fd").join(self.file.as_raw_fd().to_string()).join(name)
    }

    /// Makes a symbolic link under a name of its own, to get its name when it is complete.
    pub(crate) fn symlink(&self, target: &[u8]) -> io::Result<Unfinished> {
        Unfinished::make(self, |name| {
            symlinkat(OsStr::from_bytes(target), &self.file, name)?;
            Ok(None)
        })
    }

    /// Gives a file another name, of its own at first.
    pub(crate) fn link(&self, first: &Self, first_name: &OsStr) -> io::Result<Unfinished> {
        Unfinished::make(self, |name| {
            linkat(&first.file, first_name, &self.file, name, AtFlags::empty())?;
            Ok(None)
        })
    }

    /// Makes an empty file that only its owner may read, under a name of its own.
    pub(crate) fn file(&self) -> io::Result<Unfinished> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Unfinished::make(self, |name| {
            let file = openat(&self.file, name, flags, Mode::RUSR | Mode::WUSR)?;
            Ok(Some(file.into()))
        })
    }
}

/// The last part of a path and what it is in; a path like `..` has none.
pub(crate) fn split(path: &Path) -> Option<(&Path, &OsStr)> {
    let name = path.file_name()?;
    Some((path.parent().unwrap_or(Path::new("")), name))
}
