//! A disk in memory.

use crate::{BlockDevice, Geometry, IoError};

/// A disk over lent memory: for tests, for examples, and for a volatile pool.
///
/// Its writes are durable as soon as they return, as far as memory is.
#[derive(Debug)]
pub struct RamDisk<M> {
    memory: M,
    geometry: Geometry,
}

impl<M: AsRef<[u8]> + AsMut<[u8]>> RamDisk<M> {
    /// A disk of `memory.len() / sector_bytes` sectors; what remains is left alone.
    pub fn new(memory: M, sector_bytes: u32) -> Self {
        let sectors = memory.as_ref().len() as u64 / u64::from(sector_bytes.max(1));
        let geometry = Geometry { volatile_cache: false, ..Geometry::new(sector_bytes, sectors) };
        Self { memory, geometry }
    }

    /// The disk's bytes.
    pub fn bytes(&mut self) -> &mut [u8] {
        self.memory.as_mut()
    }

    /// Gives the memory back.
    pub fn into_inner(self) -> M {
        self.memory
    }

    /// Where the sectors of a buffer are in the memory.
    fn range(&self, lba: u64, buf: &[u8]) -> Result<core::ops::Range<usize>, IoError> {
        self.geometry.check_buffer(lba, buf)?;
        let start = (lba * u64::from(self.geometry.sector_bytes)) as usize;
        Ok(start..start + buf.len())
    }
}

impl<M: AsRef<[u8]> + AsMut<[u8]>> BlockDevice for RamDisk<M> {
    type Error = IoError;

    fn geometry(&self) -> Geometry {
        self.geometry
    }

    fn read(&mut self, lba: u64, buf: &mut [u8]) -> Result<(), IoError> {
        let range = self.range(lba, buf)?;
        buf.copy_from_slice(&self.memory.as_ref()[range]);
        Ok(())
    }

    fn write(&mut self, lba: u64, buf: &[u8]) -> Result<(), IoError> {
        let range = self.range(lba, buf)?;
        self.memory.as_mut()[range].copy_from_slice(buf);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), IoError> {
        Ok(())
    }
}
