//! Disks that are files or block devices.

mod below;
mod block_device;
mod direct;
mod disk;
mod error;
mod folder_lock;
mod lock;
mod medium;
mod name_lock;
mod options;
mod qemu_lock;

use std::path::Path;

use dynamicfs_hal::{BlockDevice, Geometry};

pub use error::{FileDiskError, OpenError};
pub use folder_lock::FolderLock;
pub use name_lock::NameLock;
pub use options::FileDiskOptions;

use disk::Disk;
use medium::OsMedium;

/// A disk that is a file or a block device.
///
/// - Positioned reads and writes; a call that is interrupted, or does only a part, is continued.
/// - [`flush`](BlockDevice::flush) is `fdatasync`. After one failed, writes and flushes fail until the disk
///   is opened anew, and reads still work. A second `fdatasync` may succeed although the writes of the first
///   one are lost.
/// - Where what it is stored in has no room ([`NoSpace`](dynamicfs_hal::IoError::NoSpace)) it stays usable.
///   The caller writes again what the write or flush was to bring, or gives it up.
/// - After an error of the kind [`Gone`](dynamicfs_hal::IoError::Gone) or
///   [`Timeout`](dynamicfs_hal::IoError::Timeout) everything fails until it is opened anew.
/// - [`discard`](BlockDevice::discard) punches a hole into a file and discards on a block device; the geometry says
///   whether the medium can.
/// - While it is open no other process can open it: a writer holds an exclusive advisory lock on the file itself, readers a
///   shared one. Dropping it, or the process's death, releases the lock.
/// - QEMU has locks of its own. It is kept out by them, and keeps others out, unless it locks nothing
///   (`locking=off`).
/// - A file that is truncated meanwhile reads as a medium error behind its end. A write there makes it longer
///   again, with zeros in the lost part.
///
/// See [`FileDiskOptions`] for read-only disks, sector sizes and direct I/O.
#[derive(Debug)]
pub struct FileDisk(Disk<OsMedium>);

impl FileDisk {
    /// Opens a file or block device for reading and writing: `FileDiskOptions::new().open(path)`.
    ///
    /// # Errors
    /// See [`FileDiskOptions::open`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        FileDiskOptions::new().open(path)
    }

    /// Creates a sparse file of `bytes` bytes: `FileDiskOptions::new().create(path, bytes)`.
    ///
    /// # Errors
    /// See [`FileDiskOptions::create`].
    pub fn create(path: impl AsRef<Path>, bytes: u64) -> Result<Self, OpenError> {
        FileDiskOptions::new().create(path, bytes)
    }
}

impl BlockDevice for FileDisk {
    type Error = FileDiskError;

    fn geometry(&self) -> Geometry {
        self.0.geometry()
    }

    fn read(&mut self, lba: u64, buf: &mut [u8]) -> Result<(), FileDiskError> {
        self.0.read(lba, buf)
    }

    fn write(&mut self, lba: u64, buf: &[u8]) -> Result<(), FileDiskError> {
        self.0.write(lba, buf)
    }

    fn flush(&mut self) -> Result<(), FileDiskError> {
        self.0.flush()
    }

    fn discard(&mut self, lba: u64, sectors: u64) -> Result<(), FileDiskError> {
        self.0.discard(lba, sectors)
    }
}
