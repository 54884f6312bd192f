//! The system calls below a disk.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;

use super::block_device;
use super::lock::LockedFile;

/// What a disk asks of the system: the seam at which tests let it fail.
///
/// Offsets and lengths are in bytes. Each call does all of its work or fails: calls that were interrupted or did only
/// a part are continued.
pub(super) trait Medium {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()>;
    fn write_all_at(&self, buf: &[u8], offset: u64) -> io::Result<()>;
    fn sync_data(&self) -> io::Result<()>;
    fn discard(&self, offset: u64, bytes: u64) -> io::Result<()>;
}

/// An open file or block device.
#[derive(Debug)]
pub(super) enum OsMedium {
    File(LockedFile),
    BlockDevice(LockedFile),
}

impl OsMedium {
    pub(super) fn file(&self) -> &File {
        match self {
            Self::File(locked) | Self::BlockDevice(locked) => locked.file(),
        }
    }

    /// Whether [`discard`](Medium::discard) does something here. `end` is the medium's size in bytes.
    pub(super) fn can_discard(&self, end: u64) -> bool {
        match self {
            // A hole behind the end changes nothing, but is refused where holes cannot be punched.
            Self::File(locked) => punch_hole(locked.file(), end, 1).is_ok(),
            Self::BlockDevice(locked) => block_device::can_discard(locked.file()),
        }
    }
}

impl Medium for OsMedium {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.file().read_exact_at(buf, offset)
    }

    fn write_all_at(&self, buf: &[u8], offset: u64) -> io::Result<()> {
        self.file().write_all_at(buf, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file().sync_data()
    }

    fn discard(&self, offset: u64, bytes: u64) -> io::Result<()> {
        let discarded = match self {
            Self::File(locked) => punch_hole(locked.file(), offset, bytes),
            Self::BlockDevice(locked) => block_device::discard(locked.file(), offset, bytes),
        };
        match discarded {
            // A discard is a hint: a medium that cannot take it keeps the bytes, which is allowed.
            Err(Errno::OPNOTSUPP) => Ok(()),
            result => Ok(result?),
        }
    }
}

fn punch_hole(file: &File, offset: u64, bytes: u64) -> rustix::io::Result<()> {
    rustix::io::retry_on_intr(|| {
        fallocate(file, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, offset, bytes)
    })
}
