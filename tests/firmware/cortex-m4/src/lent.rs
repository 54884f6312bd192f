//! What a pool is lent: memory, a clock, a checksum, randomness.

use crate::disks;
use core::mem::MaybeUninit;
use dynamicfs_core::types::{MemoryNeeds, Scheme};
use dynamicfs_core::{DiskState, FormatOptions, Memory, Services, Slot, crc32c_small};
use dynamicfs_hal::{Entropy, EntropyError, Geometry, NoClock};

/// What a portable pool takes on these disks, whatever its scheme.
const NEEDS: MemoryNeeds = FormatOptions::portable(Scheme::SINGLE).memory(
    disks::COUNT,
    &Geometry::new(disks::SECTOR_BYTES, disks::BYTES as u64 / disks::SECTOR_BYTES as u64),
);

/// The least memory that a portable pool is mounted with.
pub struct Lent {
    bytes: [u8; NEEDS.bytes],
    slots: MaybeUninit<[Slot; NEEDS.slots]>,
    disks: MaybeUninit<[DiskState; NEEDS.disks]>,
}

impl Lent {
    /// Memory that has not been lent yet: zeros, so that it takes no flash.
    pub const NEW: Self = Self { bytes: [0; _], slots: MaybeUninit::uninit(), disks: MaybeUninit::uninit() };

    /// Lends it for one mount.
    pub fn lend(&mut self) -> Memory<'_> {
        Memory {
            bytes: &mut self.bytes,
            slots: self.slots.write([Slot::NEW; _]),
            disks: self.disks.write([DiskState::NEW; _]),
        }
    }
}

/// A board without a clock, with the core's checksum.
pub const SERVICES: Services<'static> = Services { crc32c: crc32c_small, clock: &NoClock };

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
