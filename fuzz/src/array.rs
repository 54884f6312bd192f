//! Disks in memory that count what is asked of them.

use crc::{CRC_32_ISCSI, Crc, Table};
use dynamicfs_hal::{
    Clock, DiskArray, Entropy, EntropyError, Geometry, IoError, Operation, Request, UnixTime,
};

/// Bytes of a sector.
pub const SECTOR: u64 = 512;

/// Requests that one input may cause. A sound image takes a few thousand.
pub const REQUESTS_MAX: u64 = 200_000;

/// Disks in memory.
pub struct Array {
    /// Their bytes; an empty one stands for a place without a disk.
    pub disks: Vec<Vec<u8>>,
    /// Requests so far.
    pub requests: u64,
}

impl Array {
    /// An array over these disks.
    pub fn new(disks: Vec<Vec<u8>>) -> Self {
        Self { disks, requests: 0 }
    }

    fn run(&mut self, disk: usize, lba: u64, operation: &mut Operation<'_>) -> Result<(), IoError> {
        let disk = self.disks.get_mut(disk).filter(|disk| !disk.is_empty()).ok_or(IoError::Gone)?;
        let bytes = match operation {
            Operation::Read(buf) => buf.len(),
            Operation::Write(buf) | Operation::WriteDurable(buf) => buf.len(),
            Operation::Flush | Operation::Discard(_) => return Ok(()),
        };
        if !(bytes as u64).is_multiple_of(SECTOR) {
            return Err(IoError::NotAligned);
        }
        let end = lba.checked_add(bytes as u64 / SECTOR).ok_or(IoError::OutOfBounds)?;
        if end > disk.len() as u64 / SECTOR {
            return Err(IoError::OutOfBounds);
        }
        let start = (lba * SECTOR) as usize;
        match operation {
            Operation::Read(buf) => buf.copy_from_slice(&disk[start..start + bytes]),
            Operation::Write(buf) | Operation::WriteDurable(buf) => {
                disk[start..start + bytes].copy_from_slice(buf);
            }
            Operation::Flush | Operation::Discard(_) => {}
        }
        Ok(())
    }
}

impl DiskArray for Array {
    type Batch<'b> = heapless::Vec<Request<'b>, 8>;

    fn disks(&self) -> usize {
        self.disks.len()
    }

    fn geometry(&self, disk: usize) -> Geometry {
        Geometry::new(SECTOR as u32, self.disks[disk].len() as u64 / SECTOR)
    }

    fn execute_while(&mut self, batch: &mut [Request<'_>], work: &mut dyn FnMut()) {
        work();
        self.requests += batch.len() as u64;
        assert!(self.requests <= REQUESTS_MAX, "unbounded work");
        for request in batch {
            request.result = self.run(request.disk, request.lba, &mut request.operation);
        }
    }
}

static CRC: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);

/// CRC-32C, as the core has it, with larger tables.
pub fn crc32c(crc: u32, bytes: &[u8]) -> u32 {
    let mut digest = CRC.digest_with_initial((!crc).reverse_bits());
    digest.update(bytes);
    digest.finalize()
}

/// A board without a clock.
pub struct NoClock;

impl Clock for NoClock {
    fn now(&self) -> UnixTime {
        UnixTime::default()
    }
    fn monotonic_micros(&self) -> u64 {
        0
    }
}

/// The same numbers every time.
pub struct Counter(pub u8);

impl Entropy for Counter {
    fn fill(&mut self, buf: &mut [u8]) -> Result<(), EntropyError> {
        for byte in buf {
            self.0 = self.0.wrapping_mul(5).wrapping_add(1);
            *byte = self.0;
        }
        Ok(())
    }
}
