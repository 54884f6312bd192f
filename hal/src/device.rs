//! One disk: the trait that a driver implements.

use crate::IoError;

/// What a disk is like. It never changes while the disk is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Geometry {
    /// Bytes of a sector, the smallest unit that can be read or written: a power of two, 512 to 16384.
    pub sector_bytes: u32,
    /// Sectors on the disk.
    pub sectors: u64,
    /// Alignment in memory, in bytes, that buffers must have (DMA, `O_DIRECT`): a power of two, 1 if any will do.
    pub buffer_alignment: u32,
    /// Bytes that a power cut in a write may damage: the aligned unit of this size around each written sector.
    /// A power of two, at least `sector_bytes` (an SD card: its program page; a plain disk: its sector).
    pub tear_unit: u32,
    /// Acknowledged writes may be lost in a power cut until a flush returned.
    pub volatile_cache: bool,
    /// [`BlockDevice::discard`] does something.
    pub discard: bool,
}

/// Why a geometry cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum GeometryError {
    /// `sector_bytes` is not a power of two from 512 to 16384.
    SectorBytes,
    /// `buffer_alignment` is not a power of two.
    BufferAlignment,
    /// `tear_unit` is not a power of two or is smaller than a sector.
    TearUnit,
    /// The disk's size in bytes does not fit 63 bits.
    TooLarge,
}

impl core::fmt::Display for GeometryError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::SectorBytes => "the sector size is not a power of two from 512 to 16384",
            Self::BufferAlignment => "the buffer alignment is not a power of two",
            Self::TearUnit => "the tear unit is not a power of two of at least a sector",
            Self::TooLarge => "the disk is larger than 2^63 bytes",
        })
    }
}

impl core::error::Error for GeometryError {}

impl Geometry {
    /// A plain disk: sectors that tear alone, a volatile cache, no alignment, no discard.
    pub const fn new(sector_bytes: u32, sectors: u64) -> Self {
        Self {
            sector_bytes,
            sectors,
            buffer_alignment: 1,
            tear_unit: sector_bytes,
            volatile_cache: true,
            discard: false,
        }
    }

    /// Bytes on the disk.
    pub const fn bytes(&self) -> u64 {
        self.sectors.saturating_mul(self.sector_bytes as u64)
    }

    /// Whether `sectors` sectors from `lba` on lie on the disk.
    ///
    /// # Errors
    /// [`IoError::OutOfBounds`] where they do not.
    pub const fn check_range(&self, lba: u64, sectors: u64) -> Result<(), IoError> {
        match lba.checked_add(sectors) {
            Some(end) if end <= self.sectors => Ok(()),
            _ => Err(IoError::OutOfBounds),
        }
    }

    /// Whether a buffer may be read from `lba` on, or written there: what a driver checks before it begins.
    ///
    /// # Errors
    /// [`IoError::NotAligned`] for a buffer that is not a whole number of sectors or not aligned in memory,
    /// [`IoError::OutOfBounds`] for sectors beyond the disk's end.
    pub fn check_buffer(&self, lba: u64, buf: &[u8]) -> Result<(), IoError> {
        let (sector, alignment) = (self.sector_bytes.max(1) as usize, self.buffer_alignment as usize);
        if !buf.len().is_multiple_of(sector) || !buf.as_ptr().addr().is_multiple_of(alignment) {
            return Err(IoError::NotAligned);
        }
        self.check_range(lba, (buf.len() / sector) as u64)
    }

    /// Holds the bounds stated at the fields.
    pub const fn check(&self) -> Result<(), GeometryError> {
        if !self.sector_bytes.is_power_of_two() || self.sector_bytes < 512 || self.sector_bytes > 16384 {
            return Err(GeometryError::SectorBytes);
        }
        if !self.buffer_alignment.is_power_of_two() {
            return Err(GeometryError::BufferAlignment);
        }
        if !self.tear_unit.is_power_of_two() || self.tear_unit < self.sector_bytes {
            return Err(GeometryError::TearUnit);
        }
        match self.sectors.checked_mul(self.sector_bytes as u64) {
            Some(bytes) if bytes < 1 << 63 => Ok(()),
            _ => Err(GeometryError::TooLarge),
        }
    }
}

/// An error of a driver, reduced to what the core acts on.
pub trait DeviceError: core::fmt::Debug {
    /// The kind of failure.
    fn kind(&self) -> IoError;
}

impl DeviceError for IoError {
    fn kind(&self) -> IoError {
        *self
    }
}

impl DeviceError for core::convert::Infallible {
    fn kind(&self) -> IoError {
        match *self {}
    }
}

/// A disk that reads and writes whole sectors.
///
/// `lba` counts sectors of [`Geometry::sector_bytes`] from the disk's beginning; a buffer is a whole number
/// of sectors and aligned to [`Geometry::buffer_alignment`]. Each call does all of its work or returns an
/// error. After an error of a write, each of its tear units holds old, new, or damaged bytes.
///
/// A `&mut T` is a `BlockDevice` too. `docs/PORTING.md` shows how to write one; the feature `conformance`
/// checks it.
pub trait BlockDevice {
    /// The driver's own error.
    type Error: DeviceError;

    /// What the disk is like; cheap, and the same at every call.
    fn geometry(&self) -> Geometry;

    /// Reads the sectors from `lba` on into `buf`. A power cut changes nothing on the disk.
    fn read(&mut self, lba: u64, buf: &mut [u8]) -> Result<(), Self::Error>;

    /// Writes `buf` from `lba` on.
    ///
    /// A power cut may leave each touched tear unit old, new or damaged, in any order. This ends when a
    /// [`flush`](Self::flush) that began after this call has returned `Ok`. Without a volatile cache only a
    /// cut *within* this call does so.
    fn write(&mut self, lba: u64, buf: &[u8]) -> Result<(), Self::Error>;

    /// Makes everything written before durable. After an error nothing that was written since the last
    /// successful flush can be relied on, and a later success says nothing about it.
    fn flush(&mut self) -> Result<(), Self::Error>;

    /// Writes `buf` from `lba` on, durable when it returns. A driver with force-unit-access overrides this.
    fn write_durable(&mut self, lba: u64, buf: &[u8]) -> Result<(), Self::Error> {
        self.write(lba, buf)?;
        self.flush()
    }

    /// Tells the disk that `sectors` sectors from `lba` on are no longer needed. Reading them gives any bytes until
    /// they are written again, also after a power cut. A write that begins after this call has returned is not undone by
    /// it. The default does nothing.
    fn discard(&mut self, lba: u64, sectors: u64) -> Result<(), Self::Error> {
        let _ = (lba, sectors);
        Ok(())
    }
}

impl<T: BlockDevice + ?Sized> BlockDevice for &mut T {
    type Error = T::Error;

    fn geometry(&self) -> Geometry {
        (**self).geometry()
    }
    fn read(&mut self, lba: u64, buf: &mut [u8]) -> Result<(), Self::Error> {
        (**self).read(lba, buf)
    }
    fn write(&mut self, lba: u64, buf: &[u8]) -> Result<(), Self::Error> {
        (**self).write(lba, buf)
    }
    fn flush(&mut self) -> Result<(), Self::Error> {
        (**self).flush()
    }
    fn write_durable(&mut self, lba: u64, buf: &[u8]) -> Result<(), Self::Error> {
        (**self).write_durable(lba, buf)
    }
    fn discard(&mut self, lba: u64, sectors: u64) -> Result<(), Self::Error> {
        (**self).discard(lba, sectors)
    }
}
