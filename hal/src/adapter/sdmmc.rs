//! The block device trait of `embedded-sdmmc`.

use embedded_sdmmc_types::blockdevice::{Block, BlockDevice as Foreign, BlockIdx};

use super::{AdapterError, ForeignError, OpenError, media};
use crate::{BlockDevice, Geometry, IoError, LayerError};

/// A device of the `embedded-sdmmc` family: SD cards by SPI, and the SDMMC peripherals of some hardware
/// crates. The trait of version 0.10 is that of `embedded-sdmmc-types` 0.1. Sectors are 512 bytes, and there
/// are fewer than 2³² of them.
///
/// Bytes are copied through `M`, lent blocks: an array of [`Block`], or a mutable slice of them. More blocks
/// make longer reads; writes are of one block at a time until
/// [`with_multi_block_writes`](Self::with_multi_block_writes).
///
/// # What is assumed of durability
/// The trait has no flush. An SD card signals *busy* until it has programmed what it was sent. After a single
/// block `SdCard` waits for the end of that and asks the card for its status. The block is durable when the
/// write returns. Other drivers may return earlier, so the geometry states a volatile cache.
/// [`flush`](BlockDevice::flush) reads one block, because a card takes that command only when it is no longer
/// busy.
///
/// The driver must send each read to the card. It must not switch on the card's own cache (the performance
/// enhancement of SD 6.0, `CACHE_CTRL` of an eMMC). A cache of either needs a flush command that this trait
/// cannot send. Some cards acknowledge what they lose all the same; the conformance kit finds them.
///
/// # The tear unit
/// A card programs flash pages, also where one sector is written; a cut damages what else is in the page. No
/// register gives its size for certain. State 16384 unless the card's maker says otherwise, 4096 at least,
/// and let the conformance kit cut the power. A tear unit that is stated too large costs some space, one too
/// small costs data.
#[derive(Debug)]
pub struct SdmmcDisk<D: Foreign, M> {
    device: D,
    blocks: M,
    geometry: Geometry,
    kind: fn(&D::Error) -> IoError,
    /// Blocks of the longest write.
    write_blocks: usize,
    /// What a flush reads.
    last_written: u32,
}

impl<D: Foreign, M: AsRef<[Block]> + AsMut<[Block]>> SdmmcDisk<D, M> {
    /// A disk over a device whose power cuts damage aligned units of `tear_unit` bytes. Asks the device for
    /// its size.
    ///
    /// # Errors
    /// A device that does not tell its size, a tear unit out of bounds, no lent block.
    pub fn new(device: D, blocks: M, tear_unit: u32) -> Result<Self, OpenError<D::Error>> {
        if blocks.as_ref().is_empty() {
            return Err(OpenError::NoMemory);
        }
        let sectors = device.num_blocks().map_err(OpenError::Device)?.0;
        let geometry = Geometry { tear_unit, ..Geometry::new(Block::LEN_U32, sectors.into()) };
        geometry.check().map_err(OpenError::Geometry)?;
        Ok(Self { device, blocks, geometry, kind: media, write_blocks: 1, last_written: 0 })
    }

    /// Says which kind the driver's errors are; without, all are [`IoError::Media`]. An error of a card that
    /// was pulled should be [`IoError::Gone`].
    #[must_use]
    pub fn with_error_kind(self, kind: fn(&D::Error) -> IoError) -> Self {
        Self { kind, ..self }
    }

    /// Writes as many blocks at once as are lent: faster, and with less wear. For drivers that wait for the
    /// end of a multi-block write and report its errors.
    ///
    /// `SdCard` of `embedded-sdmmc` 0.10.0 does neither. It does not ask for the card's status, and takes the
    /// byte after the stop token for the end of *busy*. A card may begin to be busy after that byte (N_BR in
    /// the SD specification): the next command then fails.
    #[must_use]
    pub fn with_multi_block_writes(self) -> Self {
        Self { write_blocks: self.blocks.as_ref().len(), ..self }
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
}

fn failed<E>(kind: fn(&E) -> IoError) -> impl Fn(E) -> AdapterError<E> {
    move |error| LayerError::Device(ForeignError { kind: kind(&error), error })
}

impl<D: Foreign, M: AsRef<[Block]> + AsMut<[Block]>> BlockDevice for SdmmcDisk<D, M> {
    type Error = AdapterError<D::Error>;

    fn geometry(&self) -> Geometry {
        self.geometry
    }

    fn read(&mut self, lba: u64, buf: &mut [u8]) -> Result<(), Self::Error> {
        let mut at = self.first(lba, buf)?;
        let lent = self.blocks.as_mut();
        for part in buf.chunks_mut(lent.len() * Block::LEN) {
            let blocks = &mut lent[..part.len() / Block::LEN];
            self.device.read(blocks, BlockIdx(at)).map_err(failed(self.kind))?;
            for (sector, block) in part.chunks_exact_mut(Block::LEN).zip(&*blocks) {
                sector.copy_from_slice(&block.contents);
            }
            at = at.wrapping_add(blocks.len() as u32);
        }
        Ok(())
    }

    fn write(&mut self, lba: u64, buf: &[u8]) -> Result<(), Self::Error> {
        let mut at = self.first(lba, buf)?;
        let lent = self.blocks.as_mut();
        for part in buf.chunks(self.write_blocks * Block::LEN) {
            let blocks = &mut lent[..part.len() / Block::LEN];
            for (sector, block) in part.chunks_exact(Block::LEN).zip(&mut *blocks) {
                block.contents.copy_from_slice(sector);
            }
            self.last_written = at;
            self.device.write(blocks, BlockIdx(at)).map_err(failed(self.kind))?;
            at = at.wrapping_add(blocks.len() as u32);
        }
        Ok(())
    }

    /// Reads the block that was written last: see the type's documentation.
    fn flush(&mut self) -> Result<(), Self::Error> {
        if self.geometry.sectors == 0 {
            return Ok(());
        }
        let block = &mut self.blocks.as_mut()[..1];
        self.device.read(block, BlockIdx(self.last_written)).map_err(failed(self.kind))
    }
}
