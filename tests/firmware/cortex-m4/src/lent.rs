//! What a pool is lent: memory, a clock, a checksum, randomness.

use crate::disks;
use core::mem::MaybeUninit;
use dynamicfs_core::format::checksum::crc32c;
use dynamicfs_core::format::label::PoolParameters;
use dynamicfs_core::format::superblock;
use dynamicfs_core::{DiskState, Memory, Services, Slot};
use dynamicfs_hal::{Clock, Entropy, EntropyError, UnixTime};

/// What `FormatOptions::portable` makes of disks of this size.
const PARAMETERS: PoolParameters = PoolParameters {
    block_shift: 9,
    node_shift: 9,
    chunk_shift: 9,
    members_max: 4,
    slot_bytes: (superblock::bytes(4) as u32).next_multiple_of(disks::SECTOR_BYTES),
    ..PoolParameters::UNKNOWN
};

/// Nodes that the cache holds: as many as the least memory has frames for.
const NODES: usize = 10;

/// The least memory that a portable pool is mounted with.
pub struct Lent {
    bytes: [u8; Memory::bytes_min(&PARAMETERS) + 1],
    slots: MaybeUninit<[Slot; NODES]>,
    disks: MaybeUninit<[DiskState; disks::COUNT]>,
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
pub const SERVICES: Services<'static> = Services { crc32c, clock: &NoClock };

struct NoClock;

impl Clock for NoClock {
    fn now(&self) -> UnixTime {
        UnixTime::default()
    }
    fn monotonic_micros(&self) -> u64 {
        0
    }
}

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
