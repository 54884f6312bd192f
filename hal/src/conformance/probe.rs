//! The device as the kit drives it: every call is watched.

use core::ops::Range;

use super::finding::{Finding, Step};
use super::stamp::Stamp;
use crate::{BlockDevice, DeviceError, Geometry, IoError};

/// The alignment of buffers where the geometry asks for none: that of the largest cache line. So only the
/// check of alignment finds faults of alignment.
const ALIGNMENT_MIN: usize = 128;

/// Sectors that the least memory holds.
const SECTORS_MIN: usize = 8;

/// Sectors that a device has at least to be checked.
const DEVICE_SECTORS_MIN: u64 = 8;

/// What lies around a buffer, and must be left alone.
const GUARD: u8 = 0xc3;

/// What lies in a buffer before a read; its complement is used too.
const POISON: u8 = 0x5a;

const fn alignment(geometry: &Geometry) -> usize {
    let stated = geometry.buffer_alignment as usize;
    if stated > ALIGNMENT_MIN { stated } else { ALIGNMENT_MIN }
}

/// Bytes of memory that the kit needs for a device: eight sectors, and three times the alignment of buffers
/// or 128 bytes, whichever is more.
pub const fn memory_min(geometry: &Geometry) -> usize {
    SECTORS_MIN * geometry.sector_bytes as usize + 3 * alignment(geometry)
}

/// A device, and one buffer between guards.
pub(super) struct Probe<'a, D> {
    device: &'a mut D,
    geometry: Geometry,
    /// Its start is aligned. Guards, sectors, guards.
    memory: &'a mut [u8],
    alignment: usize,
    /// Sectors that fit.
    sectors: usize,
    /// Where the data begins in the memory: the alignment, and more where buffers are to be aligned less.
    start: usize,
    poison: u8,
    /// The last comparison of a region was by long reads.
    long_reads: bool,
    pub(super) seed: u64,
    /// The version of the newest write.
    version: u32,
}

impl<'a, D: BlockDevice> Probe<'a, D> {
    pub(super) fn new(device: &'a mut D, memory: &'a mut [u8], seed: u64) -> Result<Self, Finding> {
        let geometry = device.geometry();
        geometry.check().map_err(Finding::Geometry)?;
        if geometry.sectors < DEVICE_SECTORS_MIN {
            return Err(Finding::TooSmall { sectors: geometry.sectors, needed: DEVICE_SECTORS_MIN });
        }
        let needed = memory_min(&geometry);
        if memory.len() < needed {
            return Err(Finding::NeedsMemory { bytes: needed });
        }
        let alignment = alignment(&geometry);
        let skip = memory.as_ptr().align_offset(alignment);
        let memory = memory.get_mut(skip..).ok_or(Finding::NeedsMemory { bytes: needed })?;
        let sectors = (memory.len() - 2 * alignment) / geometry.sector_bytes as usize;
        Ok(Self {
            device,
            geometry,
            memory,
            alignment,
            sectors,
            start: alignment,
            poison: POISON,
            long_reads: false,
            seed,
            version: 0,
        })
    }

    /// What the device said it is when it was opened.
    pub(super) const fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// Sectors of the longest transfer, which is no longer than the device.
    pub(super) fn sectors_max(&self) -> usize {
        self.geometry.sectors.min(self.sectors as u64) as usize
    }

    /// What a sector holds after a write of this version.
    pub(super) const fn stamp(&self, lba: u64, version: u32) -> Stamp {
        Stamp { seed: self.seed, lba, version }
    }

    /// A version that no write had.
    pub(super) const fn next_version(&mut self) -> u32 {
        self.version += 1;
        self.version
    }

    /// Alignments that a buffer can be kept from: below this.
    pub(super) const fn shifts(&self) -> usize {
        self.alignment
    }

    /// Buffers begin so many bytes behind an aligned address from now on.
    pub(super) const fn shift(&mut self, bytes: usize) {
        self.start = self.alignment + bytes;
    }

    /// What lies in a buffer before a read.
    pub(super) const fn poison(&self) -> u8 {
        self.poison
    }

    /// Another byte lies in buffers before reads from now on.
    pub(super) const fn change_poison(&mut self) {
        self.poison = !self.poison;
    }

    /// Sectors of the reads that compare a region of so many: one, or as many as fit, in turn.
    pub(super) fn reads_in_turn(&mut self, sectors: usize) -> usize {
        self.long_reads = !self.long_reads;
        if self.long_reads { self.sectors_max().min(sectors) } else { 1 }
    }

    const fn bytes(&self, sectors: usize) -> usize {
        sectors * self.geometry.sector_bytes as usize
    }

    /// A sector of the last read.
    pub(super) fn sector(&self, index: usize) -> &[u8] {
        &self.memory[self.start + self.bytes(index)..][..self.bytes(1)]
    }

    /// Reads `sectors` sectors, no more than [`sectors_max`](Self::sectors_max), into the buffer.
    pub(super) fn read(&mut self, lba: u64, sectors: usize) -> Result<(), Finding> {
        let result = self.try_read(lba, sectors)?;
        self.demand(Step::Read, lba, sectors as u64, result)
    }

    /// As [`read`](Self::read), where it may fail.
    pub(super) fn try_read(&mut self, lba: u64, sectors: usize) -> Result<Result<(), IoError>, Finding> {
        let range = self.start..self.start + self.bytes(sectors);
        // The guards are as long as the alignment: what a cache line or a rounded address reaches.
        let guarded = range.start - self.alignment..(range.end + self.alignment).min(self.memory.len());
        self.memory[guarded.clone()].fill(GUARD);
        self.memory[range.clone()].fill(self.poison);
        let result = self.device.read(lba, &mut self.memory[range.clone()]);
        self.watch(Step::Read)?;
        if !is_guarded(self.memory, guarded, range) {
            return Err(Finding::BufferOverrun { lba, sectors: sectors as u64 });
        }
        Ok(result.map_err(|error| error.kind()))
    }

    /// Writes `sectors` sectors of a version, no more than [`sectors_max`](Self::sectors_max).
    pub(super) fn write(
        &mut self,
        step: Step,
        lba: u64,
        sectors: usize,
        version: u32,
    ) -> Result<(), Finding> {
        let result = self.try_write(step, lba, sectors, version)?;
        self.demand(step, lba, sectors as u64, result)
    }

    /// As [`write`](Self::write), where it may fail.
    pub(super) fn try_write(
        &mut self,
        step: Step,
        lba: u64,
        sectors: usize,
        version: u32,
    ) -> Result<Result<(), IoError>, Finding> {
        let range = self.start..self.start + self.bytes(sectors);
        let buffer = &mut self.memory[range];
        for (index, sector) in (0u64..).zip(buffer.chunks_exact_mut(self.geometry.sector_bytes as usize)) {
            Stamp { seed: self.seed, lba: lba.wrapping_add(index), version }.fill(sector);
        }
        let result = match step {
            Step::WriteDurable => self.device.write_durable(lba, buffer),
            _ => self.device.write(lba, buffer),
        };
        self.watch(step)?;
        Ok(result.map_err(|error| error.kind()))
    }

    /// Flushes.
    pub(super) fn flush(&mut self) -> Result<(), Finding> {
        let result = self.device.flush().map_err(|error| error.kind());
        self.watch(Step::Flush)?;
        self.demand(Step::Flush, 0, 0, result)
    }

    /// Discards.
    pub(super) fn discard(&mut self, lba: u64, sectors: u64) -> Result<(), Finding> {
        let result = self.try_discard(lba, sectors)?;
        self.demand(Step::Discard, lba, sectors, result)
    }

    /// As [`discard`](Self::discard), where it may fail.
    pub(super) fn try_discard(&mut self, lba: u64, sectors: u64) -> Result<Result<(), IoError>, Finding> {
        let result = self.device.discard(lba, sectors).map_err(|error| error.kind());
        self.watch(Step::Discard)?;
        Ok(result)
    }

    /// The geometry is what it was.
    fn watch(&self, after: Step) -> Result<(), Finding> {
        let now = self.device.geometry();
        if now == self.geometry {
            Ok(())
        } else {
            Err(Finding::GeometryChanged { after, was: self.geometry, now })
        }
    }

    /// The device did what it had to do.
    fn demand(&self, step: Step, lba: u64, sectors: u64, result: Result<(), IoError>) -> Result<(), Finding> {
        result.map_err(|error| match error {
            IoError::NotAligned => self.unstated_alignment(step, lba),
            error => Finding::Failed { step, lba, sectors, error },
        })
    }

    /// A buffer that is aligned as stated, and no better, would not do.
    pub(super) const fn unstated_alignment(&self, step: Step, lba: u64) -> Finding {
        let aligned = 1 << self.start.trailing_zeros();
        Finding::UnstatedAlignment { step, lba, stated: self.geometry.buffer_alignment, aligned }
    }
}

/// Whether the memory around a buffer is as it was filled.
fn is_guarded(memory: &[u8], guarded: Range<usize>, buffer: Range<usize>) -> bool {
    let mut outside = memory[guarded.start..buffer.start].iter().chain(&memory[buffer.end..guarded.end]);
    outside.all(|byte| *byte == GUARD)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No safe driver writes outside of its buffer, so that none can be made for a test; a DMA engine does.
    #[test]
    fn a_byte_outside_of_the_buffer_is_noticed() {
        let mut memory = [GUARD; 32];
        for at in 0..memory.len() {
            memory[at] ^= 1;
            assert_eq!(is_guarded(&memory, 4..28, 8..24), !((4..8).contains(&at) || (24..28).contains(&at)));
            memory[at] ^= 1;
        }
    }
}
