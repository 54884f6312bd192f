//! A range of sectors as a device of its own.

use super::LayerError;
use crate::{BlockDevice, Geometry, GeometryError, IoError};

/// A range of sectors of a device, as a device whose first sector is 0.
///
/// The range begins and ends at a multiple of the device's [`tear_unit`](Geometry::tear_unit), or ends where
/// the device ends. A power cut in a write to it then damages nothing outside, and a write outside nothing in
/// it.
///
/// Several partitions of one device need a [`SharedDevice`](crate::SharedDevice) below them. They fail
/// together: they must not be two members of one pool, or must be in one failure domain.
#[derive(Debug)]
pub struct Partition<D> {
    device: D,
    start: u64,
    sectors: u64,
}

/// Why a range cannot be a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum PartitionError {
    /// The device's own geometry is out of its bounds.
    Geometry(GeometryError),
    /// It has no sectors.
    Empty,
    /// It reaches beyond the end of the device, which has so many sectors.
    OutOfBounds {
        /// Sectors of the device.
        sectors: u64,
    },
    /// Its first sector is not a multiple of the tear unit, which is so many sectors.
    Start {
        /// The tear unit in sectors.
        tear_sectors: u64,
    },
    /// It ends inside a tear unit, which is so many sectors, and not where the device ends.
    End {
        /// The tear unit in sectors.
        tear_sectors: u64,
    },
}

impl core::fmt::Display for PartitionError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Geometry(error) => error.fmt(f),
            Self::Empty => f.write_str("the partition has no sectors"),
            Self::OutOfBounds { sectors } => {
                write!(f, "the partition reaches beyond the device, which has {sectors} sectors")
            }
            Self::Start { tear_sectors } => {
                write!(
                    f,
                    "the partition's first sector is not a multiple of the tear unit, {tear_sectors} sectors"
                )
            }
            Self::End { tear_sectors } => {
                write!(f, "the partition's end is not a multiple of the tear unit, {tear_sectors} sectors")
            }
        }
    }
}

impl core::error::Error for PartitionError {}

impl<D: BlockDevice> Partition<D> {
    /// The `sectors` sectors of a device from `start` on.
    ///
    /// # Errors
    /// A range that is not on the device, or shares a tear unit with what lies outside.
    pub fn new(device: D, start: u64, sectors: u64) -> Result<Self, PartitionError> {
        let whole = device.geometry();
        whole.check().map_err(PartitionError::Geometry)?;
        if sectors == 0 {
            return Err(PartitionError::Empty);
        }
        let beyond = PartitionError::OutOfBounds { sectors: whole.sectors };
        whole.check_range(start, sectors).map_err(|_| beyond)?;
        let tear_sectors = u64::from(whole.tear_unit / whole.sector_bytes);
        if !start.is_multiple_of(tear_sectors) {
            return Err(PartitionError::Start { tear_sectors });
        }
        let end = start + sectors;
        if end != whole.sectors && !end.is_multiple_of(tear_sectors) {
            return Err(PartitionError::End { tear_sectors });
        }
        Ok(Self { device, start, sectors })
    }

    /// Gives the device back.
    pub fn into_inner(self) -> D {
        self.device
    }

    /// The device's sector for one of the partition, where the request lies in the partition.
    fn lba<E>(&self, lba: u64, sectors: u64) -> Result<u64, LayerError<E>> {
        self.geometry().check_range(lba, sectors).map_err(LayerError::Refused)?;
        Ok(self.start + lba)
    }

    fn lba_of<E>(&self, lba: u64, buf: &[u8]) -> Result<u64, LayerError<E>> {
        let sector_bytes = self.device.geometry().sector_bytes as usize;
        if !buf.len().is_multiple_of(sector_bytes) {
            return Err(LayerError::Refused(IoError::NotAligned));
        }
        self.lba(lba, (buf.len() / sector_bytes) as u64)
    }
}

impl<D: BlockDevice> BlockDevice for Partition<D> {
    type Error = LayerError<D::Error>;

    fn geometry(&self) -> Geometry {
        Geometry { sectors: self.sectors, ..self.device.geometry() }
    }

    fn read(&mut self, lba: u64, buf: &mut [u8]) -> Result<(), Self::Error> {
        let lba = self.lba_of(lba, buf)?;
        self.device.read(lba, buf).map_err(LayerError::Device)
    }

    fn write(&mut self, lba: u64, buf: &[u8]) -> Result<(), Self::Error> {
        let lba = self.lba_of(lba, buf)?;
        self.device.write(lba, buf).map_err(LayerError::Device)
    }

    /// Flushes the whole device.
    fn flush(&mut self) -> Result<(), Self::Error> {
        self.device.flush().map_err(LayerError::Device)
    }

    fn write_durable(&mut self, lba: u64, buf: &[u8]) -> Result<(), Self::Error> {
        let lba = self.lba_of(lba, buf)?;
        self.device.write_durable(lba, buf).map_err(LayerError::Device)
    }

    fn discard(&mut self, lba: u64, sectors: u64) -> Result<(), Self::Error> {
        let lba = self.lba(lba, sectors)?;
        self.device.discard(lba, sectors).map_err(LayerError::Device)
    }
}
