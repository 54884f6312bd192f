//! A place for a disk that may be empty.

use super::LayerError;
use crate::{BlockDevice, Geometry, IoError};

/// A card slot: `None` is an empty one, with zero sectors, whose every I/O answers [`IoError::Gone`].
///
/// A geometry never changes while a disk is open: put a card in, or take one out, while no pool is mounted on
/// it.
impl<D: BlockDevice> BlockDevice for Option<D> {
    type Error = LayerError<D::Error>;

    fn geometry(&self) -> Geometry {
        match self {
            Some(device) => device.geometry(),
            None => Geometry { volatile_cache: false, ..Geometry::new(512, 0) },
        }
    }

    fn read(&mut self, lba: u64, buf: &mut [u8]) -> Result<(), Self::Error> {
        occupied(self)?.read(lba, buf).map_err(LayerError::Device)
    }

    fn write(&mut self, lba: u64, buf: &[u8]) -> Result<(), Self::Error> {
        occupied(self)?.write(lba, buf).map_err(LayerError::Device)
    }

    fn flush(&mut self) -> Result<(), Self::Error> {
        occupied(self)?.flush().map_err(LayerError::Device)
    }

    fn write_durable(&mut self, lba: u64, buf: &[u8]) -> Result<(), Self::Error> {
        occupied(self)?.write_durable(lba, buf).map_err(LayerError::Device)
    }

    fn discard(&mut self, lba: u64, sectors: u64) -> Result<(), Self::Error> {
        occupied(self)?.discard(lba, sectors).map_err(LayerError::Device)
    }
}

fn occupied<D: BlockDevice>(slot: &mut Option<D>) -> Result<&mut D, LayerError<D::Error>> {
    slot.as_mut().ok_or(LayerError::Refused(IoError::Gone))
}
