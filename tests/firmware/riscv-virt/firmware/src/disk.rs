//! The board's disks: virtio block devices, each at its place or missing.

use crate::virtio::{Direct, device};
use dynamicfs_hal::{BlockDevice, Geometry, IoError, SerialArray};
use virtio_drivers::Error;
use virtio_drivers::device::blk::{SECTOR_SIZE, VirtIOBlk};
use virtio_drivers::transport::mmio::MmioTransport;
use virtio_drivers::transport::{DeviceType, Transport};

/// How many disks the board has places for: the first of its virtio places.
pub(crate) const COUNT: usize = 3;

/// All disks of the board.
pub(crate) type Disks = SerialArray<Bay, COUNT>;

/// Whether a device caches writes and takes flushes (virtio 1.2, 5.2.3, `VIRTIO_BLK_F_FLUSH`). One that does not offer it
/// writes through.
const FEATURE_FLUSH: u64 = 1 << 9;

/// Finds all disks. To be called once.
pub(crate) fn find() -> Disks {
    let mut place = 0..;
    SerialArray::new([(); COUNT].map(|()| Bay(place.next().and_then(VirtioDisk::open))))
}

/// A place for a disk.
pub(crate) struct Bay(Option<VirtioDisk>);

impl Bay {
    /// Whether there is one.
    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

impl BlockDevice for Bay {
    type Error = IoError;

    fn geometry(&self) -> Geometry {
        self.0.as_ref().map_or(Geometry::new(SECTOR_SIZE as u32, 0), VirtioDisk::geometry)
    }

    fn read(&mut self, lba: u64, buf: &mut [u8]) -> Result<(), IoError> {
        let disk = self.0.as_mut().ok_or(IoError::Gone)?;
        disk.block.read_blocks(disk.sector(lba, buf)?, buf).map_err(kind)
    }

    fn write(&mut self, lba: u64, buf: &[u8]) -> Result<(), IoError> {
        let disk = self.0.as_mut().ok_or(IoError::Gone)?;
        if disk.block.readonly() {
            return Err(IoError::WriteProtected);
        }
        disk.block.write_blocks(disk.sector(lba, buf)?, buf).map_err(kind)
    }

    fn flush(&mut self) -> Result<(), IoError> {
        self.0.as_mut().ok_or(IoError::Gone)?.block.flush().map_err(kind)
    }
}

struct VirtioDisk {
    block: VirtIOBlk<Direct, MmioTransport<'static>>,
    has_cache: bool,
}

impl VirtioDisk {
    fn open(place: usize) -> Option<Self> {
        let mut transport = device(place, DeviceType::Block)?;
        // The driver takes the feature where it is offered, and does not tell.
        let has_cache = transport.read_device_features() & FEATURE_FLUSH != 0;
        VirtIOBlk::new(transport).ok().map(|block| Self { block, has_cache })
    }

    fn geometry(&self) -> Geometry {
        Geometry {
            volatile_cache: self.has_cache,
            ..Geometry::new(SECTOR_SIZE as u32, self.block.capacity())
        }
    }

    /// A sector's number as the driver takes it, where so many bytes can be read or written there: the driver panics
    /// on others.
    fn sector(&self, lba: u64, buf: &[u8]) -> Result<usize, IoError> {
        let sectors = (buf.len() / SECTOR_SIZE) as u64;
        if sectors == 0 || !buf.len().is_multiple_of(SECTOR_SIZE) {
            return Err(IoError::NotAligned);
        }
        let is_inside = lba.checked_add(sectors).is_some_and(|end| end <= self.block.capacity());
        usize::try_from(lba).ok().filter(|_| is_inside).ok_or(IoError::OutOfBounds)
    }
}

/// What the core acts on.
const fn kind(error: Error) -> IoError {
    match error {
        Error::IoError => IoError::Media,
        Error::Unsupported => IoError::Refused,
        // Its queue is no longer what it was: it cannot be used until it is opened anew.
        _ => IoError::Gone,
    }
}
