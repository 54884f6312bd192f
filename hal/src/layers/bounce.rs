//! A lent buffer between the caller's memory and a device that cannot reach it.

use super::LayerError;
use crate::{BlockDevice, Geometry, IoError};

/// A device whose buffers pass through lent memory: for a DMA engine that needs aligned buffers, or reaches
/// one region of memory alone. Its callers may use any buffer.
///
/// Long transfers become several of the device, as long as the buffer. Where the buffer holds a tear unit, a
/// write is cut at multiples of the tear unit only. A write that is split is several writes. A power cut
/// between them leaves some done and some not; the contract of [`BlockDevice::write`] allows this for one
/// write too. A durable write that is cut is written and then flushed, whether or not the device has
/// force-unit-access.
///
/// With a buffer shorter than the tear unit a unit is written several times, which costs time and wear on
/// flash.
#[derive(Debug)]
pub struct Bounce<'b, D> {
    device: D,
    buffer: &'b mut [u8],
    always: bool,
}

/// Why a buffer cannot serve a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum BounceError {
    /// The device's geometry is out of its bounds.
    Geometry(crate::GeometryError),
    /// The buffer holds no whole sector once its start is aligned.
    TooSmall {
        /// Bytes that do from the address of this buffer on.
        needed: usize,
    },
}

impl core::fmt::Display for BounceError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Geometry(error) => error.fmt(f),
            Self::TooSmall { needed } => {
                write!(f, "the bounce buffer needs {needed} bytes for one aligned sector")
            }
        }
    }
}

impl core::error::Error for BounceError {}

impl<'b, D: BlockDevice> Bounce<'b, D> {
    /// Copies what is not aligned for the device; what is goes straight through.
    ///
    /// # Errors
    /// A buffer without room for one aligned sector.
    pub fn for_alignment(device: D, buffer: &'b mut [u8]) -> Result<Self, BounceError> {
        Self::new(device, buffer, false)
    }

    /// Copies everything: the device reaches the region of the buffer and no other memory.
    ///
    /// # Errors
    /// A buffer without room for one aligned sector.
    pub fn for_region(device: D, buffer: &'b mut [u8]) -> Result<Self, BounceError> {
        Self::new(device, buffer, true)
    }

    fn new(device: D, buffer: &'b mut [u8], always: bool) -> Result<Self, BounceError> {
        let geometry = device.geometry();
        geometry.check().map_err(BounceError::Geometry)?;
        let skip = buffer.as_ptr().align_offset(geometry.buffer_alignment as usize);
        let sector = geometry.sector_bytes as usize;
        let needed = skip.saturating_add(sector);
        if buffer.len() < needed {
            return Err(BounceError::TooSmall { needed });
        }
        let unit = geometry.tear_unit as usize;
        let usable = buffer.len() - skip;
        let usable = if usable < unit { usable - usable % sector } else { usable - usable % unit };
        Ok(Self { device, buffer: &mut buffer[skip..skip + usable], always })
    }

    /// Gives the device back.
    pub fn into_inner(self) -> D {
        self.device
    }

    /// Holds the bounds of a request; whether it goes straight through.
    fn check(&self, lba: u64, buf: &[u8]) -> Result<bool, LayerError<D::Error>> {
        let below = self.device.geometry();
        match below.check_buffer(lba, buf) {
            Ok(()) => Ok(!self.always),
            Err(IoError::NotAligned) => {
                Geometry { buffer_alignment: 1, ..below }
                    .check_buffer(lba, buf)
                    .map_err(LayerError::Refused)?;
                Ok(false)
            }
            Err(error) => Err(LayerError::Refused(error)),
        }
    }

    /// Bytes of the next transfer at `lba`, where `rest` bytes are to be done: up to a boundary of tear
    /// units.
    fn step(&self, geometry: &Geometry, lba: u64, rest: usize) -> usize {
        let unit = geometry.tear_unit as usize;
        if self.buffer.len() < unit {
            return rest.min(self.buffer.len());
        }
        let into_unit = (lba % u64::from(geometry.tear_unit / geometry.sector_bytes)) as usize;
        rest.min(self.buffer.len() - into_unit * geometry.sector_bytes as usize)
    }

    fn write_pieces(&mut self, mut lba: u64, mut buf: &[u8]) -> Result<(), LayerError<D::Error>> {
        let geometry = self.device.geometry();
        while !buf.is_empty() {
            let (now, later) = buf.split_at(self.step(&geometry, lba, buf.len()));
            let lent = &mut self.buffer[..now.len()];
            lent.copy_from_slice(now);
            self.device.write(lba, lent).map_err(LayerError::Device)?;
            lba += (now.len() / geometry.sector_bytes as usize) as u64;
            buf = later;
        }
        Ok(())
    }
}

impl<D: BlockDevice> BlockDevice for Bounce<'_, D> {
    type Error = LayerError<D::Error>;

    fn geometry(&self) -> Geometry {
        Geometry { buffer_alignment: 1, ..self.device.geometry() }
    }

    fn read(&mut self, mut lba: u64, mut buf: &mut [u8]) -> Result<(), Self::Error> {
        if self.check(lba, buf)? {
            return self.device.read(lba, buf).map_err(LayerError::Device);
        }
        let geometry = self.device.geometry();
        while !buf.is_empty() {
            let (now, later) = buf.split_at_mut(self.step(&geometry, lba, buf.len()));
            let lent = &mut self.buffer[..now.len()];
            self.device.read(lba, lent).map_err(LayerError::Device)?;
            now.copy_from_slice(lent);
            lba += (now.len() / geometry.sector_bytes as usize) as u64;
            buf = later;
        }
        Ok(())
    }

    fn write(&mut self, lba: u64, buf: &[u8]) -> Result<(), Self::Error> {
        if self.check(lba, buf)? {
            return self.device.write(lba, buf).map_err(LayerError::Device);
        }
        self.write_pieces(lba, buf)
    }

    fn flush(&mut self) -> Result<(), Self::Error> {
        self.device.flush().map_err(LayerError::Device)
    }

    fn write_durable(&mut self, lba: u64, buf: &[u8]) -> Result<(), Self::Error> {
        if self.check(lba, buf)? {
            return self.device.write_durable(lba, buf).map_err(LayerError::Device);
        }
        if self.step(&self.device.geometry(), lba, buf.len()) == buf.len() {
            let lent = &mut self.buffer[..buf.len()];
            lent.copy_from_slice(buf);
            return self.device.write_durable(lba, lent).map_err(LayerError::Device);
        }
        self.write_pieces(lba, buf)?;
        self.flush()
    }

    fn discard(&mut self, lba: u64, sectors: u64) -> Result<(), Self::Error> {
        self.device.discard(lba, sectors).map_err(LayerError::Device)
    }
}
