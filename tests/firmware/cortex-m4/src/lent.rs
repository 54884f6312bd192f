//! What a pool is lent: memory, a clock, a checksum, randomness.

use crate::disks;
use core::mem::MaybeUninit;
use dynamicfs_core::types::{MemoryNeeds, Scheme};
use dynamicfs_core::{CacheEntry, DiskState, FormatOptions, Memory, Services, crc32c_small};
use dynamicfs_hal::{Entropy, EntropyError, Geometry, NoClock};

/// A portable pool, whatever its scheme.
const POOL: FormatOptions = FormatOptions::portable(Scheme::SINGLE);

/// The disks that it is on.
const DISK: Geometry = Geometry::new(disks::SECTOR_BYTES, disks::BYTES as u64 / disks::SECTOR_BYTES as u64);

/// What the pool takes, and what it takes to be read.
const NEEDS: [MemoryNeeds; 2] = [POOL.memory(disks::COUNT, &DISK), POOL.memory_to_read(disks::COUNT, &DISK)];

/// Memory for a pool.
pub struct Space<const BYTES: usize, const ENTRIES: usize> {
    bytes: [u8; BYTES],
    entries: MaybeUninit<[CacheEntry; ENTRIES]>,
    disks: MaybeUninit<[DiskState; disks::COUNT]>,
}

/// The least memory that a portable pool is mounted with.
pub type Lent = Space<{ NEEDS[0].bytes }, { NEEDS[0].entries }>;

/// The least memory that it is read with.
pub type LentToRead = Space<{ NEEDS[1].bytes }, { NEEDS[1].entries }>;

impl<const BYTES: usize, const ENTRIES: usize> Space<BYTES, ENTRIES> {
    /// Memory that has not been lent yet: zeros, so that it takes no flash.
    pub const NEW: Self =
        Self { bytes: [0; _], entries: MaybeUninit::uninit(), disks: MaybeUninit::uninit() };

    /// Lends it for one mount.
    pub fn lend(&mut self) -> Memory<'_> {
        Memory {
            bytes: &mut self.bytes,
            entries: self.entries.write([CacheEntry::NEW; _]),
            disks: self.disks.write([DiskState::NEW; _]),
        }
    }
}

/// A board without a clock, with the core's checksum.
pub const SERVICES: Services<'static> = Services::new(crc32c_small, &NoClock);

/// Stands in for the board's random number generator. No two programs may begin with the same number: two pools with
/// one identity are one pool, whose disks contradict each other.
pub struct Weyl(pub u32);

impl Entropy for Weyl {
    fn fill(&mut self, buf: &mut [u8]) -> Result<(), EntropyError> {
        for byte in buf {
            self.0 = self.0.wrapping_add(0x9E37_79B9);
            *byte = (self.0.wrapping_mul(self.0 | 1) >> 24) as u8;
        }
        Ok(())
    }
}
