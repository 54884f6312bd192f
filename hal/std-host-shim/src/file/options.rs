//! Opening and creating disks.

use std::fs::{self, File, OpenOptions, Permissions};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use dynamicfs_hal::Geometry;
use rustix::fs::OFlags;
use rustix::io::Errno;

use super::disk::Disk;
use super::lock::{self, LockedFile};
use super::medium::OsMedium;
use super::{FileDisk, OpenError, below, block_device, direct};
use crate::sync_parent_directory;

/// Sector size of files, in bytes, when none is asked for: that of page caches and of most filesystems' blocks.
const FILE_SECTOR_BYTES: u32 = 4096;

/// What a power cut may damage around a sector written to a file where nothing is known of the disk below it:
/// the largest physical sector of common disks.
const FILE_TEAR_UNIT: u32 = 4096;

/// How to open a file or a block device as a disk.
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("disk-0.img");
/// let disk = std_host_shim::FileDiskOptions::new().sector_bytes(512).create(&path, 1 << 20)?;
/// # drop(disk);
/// let disk = std_host_shim::FileDiskOptions::new().read_only(true).open(&path)?;
/// # Ok::<(), std_host_shim::OpenError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct FileDiskOptions {
    sector_bytes: Option<u32>,
    tear_unit: u32,
    read_only: bool,
    unlocked: bool,
    alone: bool,
    direct: bool,
    like: Option<Geometry>,
}

/// Permissions of a new file. What is stored in it may be readable for fewer users than the folder it is in.
const FILE_MODE: u32 = 0o600;

impl FileDiskOptions {
    /// For reading and writing, through the system's cache, with the sectors that the medium has.
    pub const fn new() -> Self {
        Self {
            sector_bytes: None,
            tear_unit: 0,
            read_only: false,
            unlocked: false,
            alone: false,
            direct: false,
            like: None,
        }
    }

    /// Bytes of a sector: a power of two from 512 to 16384, and for a block device at least its logical sector.
    /// The default is 4096 for files and the logical sector for block devices.
    pub const fn sector_bytes(mut self, bytes: u32) -> Self {
        self.sector_bytes = Some(bytes);
        self
    }

    /// Raises the geometry's tear unit to this many bytes, a power of two. It is for a medium that reports
    /// too little. An SD card in a USB reader has program pages that are larger than the sectors it reports.
    /// Without it the tear unit is the physical sector: of the block device, or of the disk below a file's
    /// filesystem. Where the system does not tell that one it is 4096. It is at least a sector.
    pub const fn tear_unit(mut self, bytes: u32) -> Self {
        self.tear_unit = bytes;
        self
    }

    /// Opens for reading only; any number of readers may have the disk open at once.
    pub const fn read_only(mut self, read_only: bool) -> Self {
        self.read_only = read_only;
        self
    }

    /// Gives the disk exactly the sectors and the tear unit of this geometry, whatever its own medium has.
    /// The disk stands in for the medium of that geometry.
    pub const fn like(mut self, geometry: Geometry) -> Self {
        self.like = Some(geometry);
        self
    }

    /// Opens for reading only, and is refused wherever a writer would be: it has the disk alone.
    pub const fn read_alone(mut self) -> Self {
        (self.read_only, self.alone) = (true, true);
        self
    }

    /// Opens for reading only, and takes no lock: a writer may have the disk open, and continue. What is read
    /// is whole only where the caller makes sure of that, as by looking again whether the writer has
    /// committed.
    pub const fn unlocked(mut self) -> Self {
        (self.read_only, self.unlocked) = (true, true);
        self
    }

    /// Goes past the system's cache (`O_DIRECT`). Buffers then need the geometry's
    /// [`buffer_alignment`](Geometry::buffer_alignment).
    pub const fn direct(mut self, direct: bool) -> Self {
        self.direct = direct;
        self
    }

    /// Opens a file or block device that exists. Its size is fixed from here on; what is left over after the last
    /// whole sector is left alone.
    ///
    /// # Errors
    /// [`OpenError::Busy`] when another opener has the disk, in this process, another, or a QEMU, and when a
    /// block device is mounted. [`OpenError::System`] with
    /// [`ReadOnlyFilesystem`](std::io::ErrorKind::ReadOnlyFilesystem) when it is write-protected and to be
    /// written. Else the error of [`OpenError`]'s other variants.
    pub fn open(&self, path: impl AsRef<Path>) -> Result<FileDisk, OpenError> {
        let path = path.as_ref();
        // Looked at before it is opened: opening a pipe would wait for its other end.
        let metadata = fs::metadata(path).map_err(OpenError::system("open"))?;
        if let Some(refused) = OpenError::not_a_disk(metadata.file_type()) {
            return Err(refused);
        }
        let is_block_device = metadata.file_type().is_block_device();
        // The kernel's own claim on block devices: keeps us from a mounted one, and others from mounting ours.
        let claim = if is_block_device && self.is_alone() { OFlags::EXCL } else { OFlags::empty() };
        // A pipe may have taken its place meanwhile.
        let flags = claim | OFlags::NONBLOCK;
        let opened =
            OpenOptions::new().read(true).write(!self.read_only).custom_flags(flags.bits() as i32).open(path);
        let file = match opened {
            Err(error) if Errno::from_io_error(&error) == Some(Errno::BUSY) => {
                return Err(OpenError::Busy { pid: lock::holder(&metadata) });
            }
            opened => opened.map_err(OpenError::system("open"))?,
        };
        self.disk(if self.unlocked {
            LockedFile::unlocked(file)
        } else {
            LockedFile::disk(file, self.is_alone())?
        })
    }

    /// Creates a file of `bytes` bytes and opens it for reading and writing, whatever
    /// [`read_only`](Self::read_only) says. The file is sparse, reads as zeros, and is durable, with its
    /// name, when this returns. Its owner alone may read and write it.
    ///
    /// # Errors
    /// [`OpenError::System`] with [`AlreadyExists`](std::io::ErrorKind::AlreadyExists) when there is such a file; an
    /// existing file is never touched. After any other error there is no new file.
    pub fn create(&self, path: impl AsRef<Path>, bytes: u64) -> Result<FileDisk, OpenError> {
        let path = path.as_ref();
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(FILE_MODE)
            .open(path)
            .map_err(OpenError::system("create"))?;
        let created = Self { read_only: false, ..*self }.fill_in(file, path, bytes);
        if created.is_err() {
            // The error that led here says more than one of the removal would.
            let _ = fs::remove_file(path);
        }
        created
    }

    /// Whether nothing else may have the disk.
    const fn is_alone(&self) -> bool {
        self.alone || !self.read_only
    }

    fn fill_in(&self, file: File, path: &Path, bytes: u64) -> Result<FileDisk, OpenError> {
        let locked = LockedFile::disk(file, self.is_alone())?;
        let file = locked.file();
        // Whatever the process's mask took away.
        file.set_permissions(Permissions::from_mode(FILE_MODE)).map_err(OpenError::system("set the mode"))?;
        file.set_len(bytes).map_err(OpenError::system("set the size"))?;
        make_durable(file, path)?;
        self.disk(locked)
    }

    /// The disk on a file that is open and locked.
    fn disk(&self, locked: LockedFile) -> Result<FileDisk, OpenError> {
        let file = locked.file();
        let metadata = file.metadata().map_err(OpenError::system("look at"))?;
        if let Some(refused) = OpenError::not_a_disk(metadata.file_type()) {
            return Err(refused);
        }
        let (medium, bytes, smallest, tear_unit) = if metadata.file_type().is_block_device() {
            let ask = OpenError::system("ask the device");
            if !self.read_only && block_device::is_write_protected(file).map_err(&ask)? {
                return Err(OpenError::system("open for writing")(Errno::ROFS.into()));
            }
            let bytes = block_device::bytes(file).map_err(&ask)?;
            let logical = block_device::logical_sector_bytes(file).map_err(&ask)?;
            let physical = block_device::physical_sector_bytes(file).map_err(&ask)?;
            (OsMedium::BlockDevice(locked), bytes, logical, physical)
        } else {
            let physical = below::physical_sector_bytes(metadata.dev()).unwrap_or(FILE_TEAR_UNIT);
            (OsMedium::File(locked), metadata.len(), 1, physical)
        };
        let alignment = match self.direct {
            true => direct::enable(medium.file())?,
            false => direct::Alignment { memory: 1, offset: 1 },
        };

        let smallest = smallest.max(alignment.offset);
        let like = self.like.map(|like| like.sector_bytes);
        let sector_bytes = like.or(self.sector_bytes).unwrap_or(match medium {
            OsMedium::File(_) => FILE_SECTOR_BYTES.max(smallest),
            OsMedium::BlockDevice(_) => smallest,
        });
        if sector_bytes < smallest {
            return Err(OpenError::SectorTooSmall { asked: sector_bytes, smallest });
        }
        let geometry = Geometry {
            buffer_alignment: alignment.memory,
            tear_unit: match self.like {
                Some(like) => like.tear_unit,
                None => self.tear_unit.max(tear_unit).max(sector_bytes),
            },
            discard: !self.read_only && medium.can_discard(bytes),
            // A zero is refused by the check below.
            ..Geometry::new(sector_bytes, bytes / u64::from(sector_bytes.max(1)))
        };
        geometry.check().map_err(OpenError::Geometry)?;
        if geometry.sectors == 0 {
            return Err(OpenError::TooSmall { bytes });
        }
        Ok(FileDisk(Disk::new(medium, geometry, self.read_only)))
    }
}

/// Flushes a new file, and the folder that has its name.
fn make_durable(file: &File, path: &Path) -> Result<(), OpenError> {
    file.sync_all().map_err(OpenError::system("flush"))?;
    sync_parent_directory(path).map_err(OpenError::system("flush the folder"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pipe cannot be flushed; only the system tells.
    fn unflushable() -> File {
        let (reader, _writer) = std::io::pipe().unwrap();
        File::from(std::os::fd::OwnedFd::from(reader))
    }

    #[test]
    fn a_new_file_is_flushed_and_its_name_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("disk.img");
        let file = File::create(&path).unwrap();
        make_durable(&file, &path).unwrap();
        assert!(make_durable(&unflushable(), &path).is_err(), "the file was not flushed");
        let elsewhere = folder.path().join("no such folder/disk.img");
        assert!(make_durable(&file, &elsewhere).is_err(), "the folder was not flushed");
    }

    #[test]
    fn a_flush_asks_the_system() {
        use super::super::medium::Medium;
        let medium = OsMedium::File(LockedFile::new(unflushable(), false).unwrap());
        assert!(medium.sync_data().is_err());
    }
}
