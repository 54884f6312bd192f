//! What the system tells of a file of this machine.

use dynamicfs_hal::UnixTime;
use rustix::fs::{AtFlags, CWD, FileType, Statx, StatxFlags, StatxTimestamp, makedev, statx};
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::Path;

/// A file of this machine, by its numbers.
pub(crate) type Identity = (u64, u64);

/// What the system tells of a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    pub(crate) kind: FileType,
    /// Permission bits.
    pub(crate) mode: u16,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) bytes: u64,
    /// Bytes that are stored of them: fewer in a file with holes.
    pub(crate) stored_bytes: u64,
    /// Names that it has.
    pub(crate) links: u32,
    pub(crate) identity: Identity,
    pub(crate) accessed: UnixTime,
    pub(crate) modified: UnixTime,
    pub(crate) changed: UnixTime,
}

impl Look {
    /// An open file or folder.
    pub(crate) fn of(file: &File) -> io::Result<Self> {
        Ok(statx(file, "", AtFlags::EMPTY_PATH, StatxFlags::BASIC_STATS)?.into())
    }

    /// What has a name in a folder; a link itself.
    pub(crate) fn at(folder: &File, name: &OsStr) -> io::Result<Self> {
        Ok(statx(folder, name, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::BASIC_STATS)?.into())
    }

    /// What a path leads to; a link at its end itself, unless it is to be followed.
    pub(crate) fn of_path(path: &Path, follow: bool) -> io::Result<Self> {
        let flags = if follow { AtFlags::empty() } else { AtFlags::SYMLINK_NOFOLLOW };
        Ok(statx(CWD, path, flags, StatxFlags::BASIC_STATS)?.into())
    }

    pub(crate) fn is_folder(&self) -> bool {
        self.kind == FileType::Directory
    }

    pub(crate) fn is_file(&self) -> bool {
        self.kind == FileType::RegularFile
    }

    pub(crate) fn is_link(&self) -> bool {
        self.kind == FileType::Symlink
    }

    /// What it is, with its article.
    pub(crate) fn what(&self) -> &'static str {
        what(self.kind)
    }

    /// What changes whenever the contents change.
    pub(crate) fn stamp(&self) -> (u64, UnixTime, UnixTime) {
        (self.bytes, self.modified, self.changed)
    }
}

/// What something is, with its article.
pub(crate) fn what(kind: FileType) -> &'static str {
    match kind {
        FileType::RegularFile => "a file",
        FileType::Directory => "a folder",
        FileType::Symlink => "a symbolic link",
        FileType::Fifo => "a pipe",
        FileType::Socket => "a socket",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        _ => "of a kind that the pool does not hold",
    }
}

impl From<Statx> for Look {
    fn from(told: Statx) -> Self {
        let mode = u32::from(told.stx_mode);
        Self {
            kind: FileType::from_raw_mode(mode),
            mode: told.stx_mode & 0o7777,
            uid: told.stx_uid,
            gid: told.stx_gid,
            bytes: told.stx_size,
            stored_bytes: (told.stx_blocks * 512).min(told.stx_size),
            links: told.stx_nlink,
            identity: (makedev(told.stx_dev_major, told.stx_dev_minor), told.stx_ino),
            accessed: time(told.stx_atime),
            modified: time(told.stx_mtime),
            changed: time(told.stx_ctime),
        }
    }
}

fn time(time: StatxTimestamp) -> UnixTime {
    UnixTime { seconds: time.tv_sec, nanoseconds: time.tv_nsec.min(999_999_999) }
}
