//! What can go wrong with a file-backed disk, when it is opened and afterwards.

use std::fs::FileType;
use std::os::unix::fs::FileTypeExt;
use std::{error, fmt, io};

use dynamicfs_hal::{DeviceError, GeometryError, IoError};
use rustix::io::Errno;

/// A request to a [`FileDisk`](crate::FileDisk) failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum FileDiskError {
    /// The sectors lie beyond the disk's end.
    OutOfBounds {
        /// The first sector asked for.
        lba: u64,
        /// Sectors on the disk.
        sectors: u64,
    },
    /// The buffer is not a whole number of sectors, or not aligned in memory as direct I/O needs it.
    NotAligned,
    /// The disk was opened for reading only.
    ReadOnly,
    /// The file ends before its disk does: it was truncated, or the device shrank.
    Truncated,
    /// An earlier flush failed. The system may have dropped what it could not write, and may report the next
    /// flush as successful. So this disk takes no more writes until it is opened anew.
    FlushFailed,
    /// An earlier request found the disk gone, or waited for it in vain; it stays gone until it is opened anew.
    Gone,
    /// The operating system refused.
    System {
        /// What it was asked to do: "read", "write", "flush" or "discard".
        operation: &'static str,
        /// Its answer.
        source: io::Error,
    },
}

impl FileDiskError {
    pub(super) fn system(operation: &'static str, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::UnexpectedEof => Self::Truncated,
            _ => Self::System { operation, source },
        }
    }
}

impl DeviceError for FileDiskError {
    fn kind(&self) -> IoError {
        match self {
            Self::OutOfBounds { .. } => IoError::OutOfBounds,
            Self::NotAligned => IoError::NotAligned,
            Self::ReadOnly => IoError::WriteProtected,
            Self::Truncated => IoError::Media,
            Self::FlushFailed | Self::Gone => IoError::Gone,
            Self::System { source, .. } => kind_of(source),
        }
    }
}

/// The kind of a system error. What is not named is the medium's fault, as `EIO`, `EUCLEAN` and `EILSEQ` are.
fn kind_of(error: &io::Error) -> IoError {
    match Errno::from_io_error(error) {
        // A device unplugged, a file server or FUSE process that went away, a handle that no longer leads anywhere.
        Some(
            Errno::NODEV
            | Errno::NXIO
            | Errno::STALE
            | Errno::BADF
            | Errno::NOMEDIUM
            | Errno::NOTCONN
            | Errno::CONNABORTED
            | Errno::SHUTDOWN,
        ) => IoError::Gone,
        Some(Errno::PERM | Errno::ACCESS) => IoError::WriteProtected,
        // The system is in want of something, or has made the filesystem of an image read-only.
        Some(
            Errno::ROFS
            | Errno::NOMEM
            | Errno::NOBUFS
            | Errno::AGAIN
            | Errno::MFILE
            | Errno::NFILE
            | Errno::NOLCK,
        ) => IoError::Refused,
        Some(Errno::TIMEDOUT) => IoError::Timeout,
        // A sparse image whose filesystem is full, or whose owner or process may not store more; a thin
        // volume.
        Some(Errno::NOSPC | Errno::DQUOT | Errno::FBIG) => IoError::NoSpace,
        // Bounds are checked beforehand: only direct I/O has more to object to.
        Some(Errno::INVAL) => IoError::NotAligned,
        _ => IoError::Media,
    }
}

impl fmt::Display for FileDiskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfBounds { lba, sectors } => {
                write!(f, "sector {lba} and its followers end beyond the disk's {sectors} sectors")
            }
            Self::NotAligned => f.write_str("buffer not aligned to the disk's sectors"),
            Self::ReadOnly => f.write_str("the disk was opened for reading only"),
            Self::Truncated => f.write_str("the file is shorter than it was when it was opened"),
            Self::FlushFailed => f.write_str("an earlier flush failed"),
            Self::Gone => f.write_str("the disk is gone since an earlier error"),
            Self::System { operation, source } => write!(f, "{operation} failed: {source}"),
        }
    }
}

impl error::Error for FileDiskError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::System { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// A [`FileDisk`](crate::FileDisk) could not be opened or created.
#[derive(Debug)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process has the disk open, or it is mounted.
    Busy {
        /// The process, when the system tells (it does not for another container's).
        pid: Option<u32>,
    },
    /// Neither a regular file nor a block device.
    NotADisk {
        /// What it is instead: "a folder", "a pipe", "a socket" or "a character device".
        kind: &'static str,
    },
    /// Not even one sector fits.
    TooSmall {
        /// Size of the file or device in bytes.
        bytes: u64,
    },
    /// The sector size asked for is smaller than what the device or direct I/O can address.
    SectorTooSmall {
        /// The sector size asked for, in bytes.
        asked: u32,
        /// The smallest possible one, in bytes.
        smallest: u32,
    },
    /// The filesystem has no direct I/O.
    NoDirectIo,
    /// The geometry asked for is not possible.
    Geometry(GeometryError),
    /// The operating system refused.
    System {
        /// What it was asked to do, as in "cannot *lock*".
        operation: &'static str,
        /// Its answer.
        source: io::Error,
    },
}

impl OpenError {
    /// What it is instead of a disk; `None` where it may be one.
    pub fn not_a_disk(kind: FileType) -> Option<Self> {
        let kind = match () {
            () if kind.is_file() || kind.is_block_device() => return None,
            () if kind.is_dir() => "a folder",
            () if kind.is_fifo() => "a pipe",
            () if kind.is_socket() => "a socket",
            () => "a character device",
        };
        Some(Self::NotADisk { kind })
    }

    pub(super) fn system(operation: &'static str) -> impl Fn(io::Error) -> Self {
        move |source| Self::System { operation, source }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy { pid: Some(pid) } => write!(f, "in use by process {pid}"),
            Self::Busy { pid: None } => f.write_str("in use"),
            Self::NotADisk { kind } => write!(f, "{kind}, neither a file nor a block device"),
            Self::TooSmall { bytes } => write!(f, "its {bytes} bytes do not hold one sector"),
            Self::SectorTooSmall { asked, smallest } => {
                write!(f, "sectors of {asked} bytes are not possible, the smallest have {smallest}")
            }
            Self::NoDirectIo => f.write_str("the filesystem has no direct I/O"),
            Self::Geometry(error) => error.fmt(f),
            Self::System { operation, source } => write!(f, "cannot {operation}: {source}"),
        }
    }
}

impl error::Error for OpenError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Geometry(source) => Some(source),
            Self::System { source, .. } => Some(source),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn system_errors_become_kinds() {
        let check = |errnos: &[Errno], kind| {
            for errno in errnos {
                let error = FileDiskError::system("write", (*errno).into());
                assert_eq!(error.kind(), kind, "{errno:?}");
            }
        };
        check(&[Errno::NODEV, Errno::NXIO, Errno::STALE, Errno::BADF], IoError::Gone);
        check(&[Errno::IO, Errno::UCLEAN, Errno::ILSEQ], IoError::Media);
        check(&[Errno::NOSPC, Errno::DQUOT, Errno::FBIG], IoError::NoSpace);
        check(&[Errno::PERM, Errno::ACCESS], IoError::WriteProtected);
        check(&[Errno::ROFS, Errno::NOMEM, Errno::NFILE], IoError::Refused);
        check(&[Errno::TIMEDOUT], IoError::Timeout);
        check(&[Errno::INVAL], IoError::NotAligned);
    }
}
