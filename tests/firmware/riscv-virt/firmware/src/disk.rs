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
pub(crate) type Disks = SerialArray<Option<VirtioDisk>, COUNT>;

/// Whether a device caches writes and takes flushes (virtio 1.2, 5.2.3, `VIRTIO_BLK_F_FLUSH`). One that does
/// not offer it writes through.
const FEATURE_FLUSH: u64 = 1 << 9;

/// Finds all disks. To be called once.
pub(crate) fn find() -> Disks {
    let mut place = 0..;
    SerialArray::new([(); COUNT].map(|()| place.next().and_then(VirtioDisk::open)))
}

pub(crate) struct VirtioDisk {
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

    /// A sector's number as the driver takes it, where these bytes can be read or written there: the driver
    /// panics on others.
    fn sector(&self, lba: u64, buf: &[u8]) -> Result<usize, IoError> {
        self.geometry().check_buffer(lba, buf)?;
        if buf.is_empty() {
            return Err(IoError::NotAligned);
        }
        usize::try_from(lba).map_err(|_| IoError::OutOfBounds)
    }
}

impl BlockDevice for VirtioDisk {
    type Error = IoError;

    fn geometry(&self) -> Geometry {
        Geometry {
            volatile_cache: self.has_cache,
            ..Geometry::new(SECTOR_SIZE as u32, self.block.capacity())
        }
    }

    fn read(&mut self, lba: u64, buf: &mut [u8]) -> Result<(), IoError> {
        let sector = self.sector(lba, buf)?;
        self.block.read_blocks(sector, buf).map_err(kind)
    }

    fn write(&mut self, lba: u64, buf: &[u8]) -> Result<(), IoError> {
        if self.block.readonly() {
            return Err(IoError::WriteProtected);
        }
        let sector = self.sector(lba, buf)?;
        self.block.write_blocks(sector, buf).map_err(kind)
    }

    fn flush(&mut self) -> Result<(), IoError> {
        self.block.flush().map_err(kind)
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
