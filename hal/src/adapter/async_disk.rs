//! The asynchronous block device trait of `block-device-driver`.

use aligned::Aligned;
use block_device_driver::{BlockDevice as Foreign, slice_to_blocks, slice_to_blocks_mut};
use embassy_futures::block_on;

use super::{AdapterError, ForeignError, OpenError, media};
use crate::{BlockDevice, Geometry, IoError, LayerError};

/// A device of `block-device-driver` 0.2 with blocks of `SIZE` bytes, each operation driven to its end by
/// polling: the processor waits. The driver's own interrupts continue; other tasks of the caller's executor
/// do not.
///
/// Buffers must have the driver's alignment, which the geometry states. The core holds to it; a caller that
/// does not puts [`Bounce`](crate::Bounce) over the disk. The trait counts blocks in 32 bits: a larger device
/// is used up to 2³² blocks.
///
/// # What is assumed of durability
/// The trait has no flush. It is assumed that what a write has sent is durable when the device takes the next
/// read. An SD card or eMMC whose cache is off guarantees that: it is *busy* until it has programmed. The
/// geometry states a volatile cache, and [`flush`](BlockDevice::flush) reads one block. NVMe, virtio, USB and
/// an eMMC with `CACHE_CTRL` have a real cache. Their drivers must implement [`BlockDevice`] themselves, and
/// send the device's flush command.
///
/// The tear unit is the integrator's to state; see `docs/PORTING.md`.
#[derive(Debug)]
pub struct AsyncDisk<D: Foreign<SIZE>, const SIZE: usize> {
    device: D,
    geometry: Geometry,
    kind: fn(&D::Error) -> IoError,
    /// What a flush reads.
    last_written: u32,
}

impl<D: Foreign<SIZE>, const SIZE: usize> AsyncDisk<D, SIZE> {
    const ALIGNMENT: usize = align_of::<Aligned<D::Align, [u8; SIZE]>>();

    /// A disk over a device whose power cuts damage aligned units of `tear_unit` bytes. Asks the device for
    /// its size.
    ///
    /// # Errors
    /// A device that does not tell its size, a block size or tear unit out of bounds.
    pub fn new(mut device: D, tear_unit: u32) -> Result<Self, OpenError<D::Error>> {
        // No padding between blocks, which the conversions of buffers rely on.
        const { assert!(SIZE.is_multiple_of(Self::ALIGNMENT), "blocks are a multiple of their alignment") };
        const { assert!(SIZE <= 16384, "blocks are no larger than the largest sector") };
        let bytes = block_on(device.size()).map_err(OpenError::Device)?;
        let geometry = Geometry {
            tear_unit,
            buffer_alignment: Self::ALIGNMENT as u32,
            ..Geometry::new(SIZE as u32, (bytes / SIZE as u64).min(1 << 32))
        };
        geometry.check().map_err(OpenError::Geometry)?;
        Ok(Self { device, geometry, kind: media, last_written: 0 })
    }

    /// Says which kind the driver's errors are; without, all are [`IoError::Media`]. An error of a card that
    /// was pulled should be [`IoError::Gone`].
    #[must_use]
    pub fn with_error_kind(self, kind: fn(&D::Error) -> IoError) -> Self {
        Self { kind, ..self }
    }

    /// Gives the device back.
    pub fn into_inner(self) -> D {
        self.device
    }

    /// The first block of a request within the bounds.
    fn first(&self, lba: u64, buf: &[u8]) -> Result<u32, AdapterError<D::Error>> {
        self.geometry.check_buffer(lba, buf).map_err(LayerError::Refused)?;
        u32::try_from(lba).map_err(|_| LayerError::Refused(IoError::OutOfBounds))
    }

    fn answer(&self, result: Result<(), D::Error>) -> Result<(), AdapterError<D::Error>> {
        result.map_err(|error| LayerError::Device(ForeignError { kind: (self.kind)(&error), error }))
    }
}

impl<D: Foreign<SIZE>, const SIZE: usize> BlockDevice for AsyncDisk<D, SIZE> {
    type Error = AdapterError<D::Error>;

    fn geometry(&self) -> Geometry {
        self.geometry
    }

    fn read(&mut self, lba: u64, buf: &mut [u8]) -> Result<(), Self::Error> {
        if buf.is_empty() {
            return self.geometry.check_range(lba, 0).map_err(LayerError::Refused);
        }
        let at = self.first(lba, buf)?;
        let result = block_on(self.device.read(at, slice_to_blocks_mut(buf)));
        self.answer(result)
    }

    fn write(&mut self, lba: u64, buf: &[u8]) -> Result<(), Self::Error> {
        if buf.is_empty() {
            return self.geometry.check_range(lba, 0).map_err(LayerError::Refused);
        }
        let at = self.first(lba, buf)?;
        self.last_written = at;
        let result = block_on(self.device.write(at, slice_to_blocks(buf)));
        self.answer(result)
    }

    /// Reads the block that was written last: see the type's documentation.
    fn flush(&mut self) -> Result<(), Self::Error> {
        if self.geometry.sectors == 0 {
            return Ok(());
        }
        let mut block = [Aligned([0; SIZE])];
        let result = block_on(self.device.read(self.last_written, &mut block));
        self.answer(result)
    }
}
