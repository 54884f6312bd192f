//! What was fixed when the pool was made, as each label repeats it.

use crate::limits;
use crate::powers::over;
use crate::types::Uuid;

/// Where the copy of the label lies: at one of these bytes. A reader finds it there without anything else,
/// whatever became of the first sectors and of the disk's end.
pub const COPY_PLACES: [u64; 3] = [4 << 10, 64 << 10, 1 << 20];

/// The largest sector that a disk of any pool may have. The places of labels and rings are multiples of it,
/// unless nodes or chunks are smaller than such a sector.
pub const SECTOR_BYTES_MAX: u32 = 4096;

/// Bytes of a superblock before its member table.
pub(super) const SUPERBLOCK_FIXED: usize = 384;

/// Bytes of a row of its member table.
pub(super) const SUPERBLOCK_ROW: usize = 32;

/// Bytes of a superblock with this many rows in its member table.
pub const fn superblock_bytes(members_max: usize) -> usize {
    SUPERBLOCK_FIXED + SUPERBLOCK_ROW * members_max
}

/// What a pool fixes when it is formatted; the same on all its disks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolParameters {
    /// The pool.
    pub pool: Uuid,
    /// Seed of the directory hash.
    pub hash_seed: Uuid,
    /// log2 of the bytes of a block.
    pub block_shift: u8,
    /// log2 of the bytes of a node.
    pub node_shift: u8,
    /// log2 of the bytes of a chunk.
    pub chunk_shift: u8,
    /// Slots in each ring.
    pub ring_length: u8,
    /// Rows of the member table.
    pub members_max: u8,
    /// Bytes of a superblock slot.
    pub slot_bytes: u32,
    /// Blocks of a group.
    pub group_blocks: u32,
    /// Seconds since 1970 when the pool was made.
    pub created: i64,
}

impl PoolParameters {
    /// Rows that a member table has at most in the format, whatever a build has room for.
    const MEMBERS_MAX: u8 = 64;

    /// What stands in before a label was read.
    pub const UNKNOWN: Self = Self {
        pool: Uuid([0; 16]),
        hash_seed: Uuid([0; 16]),
        block_shift: 12,
        node_shift: 12,
        chunk_shift: 12,
        ring_length: limits::RING_LENGTH_MIN,
        members_max: 1,
        slot_bytes: 4096,
        group_blocks: limits::GROUP_BLOCKS_MIN,
        created: 0,
    };

    /// Bytes of a block.
    pub const fn block_bytes(&self) -> usize {
        1 << self.block_shift
    }

    /// Bytes of a node.
    pub const fn node_bytes(&self) -> usize {
        1 << self.node_shift
    }

    /// Bytes of a chunk.
    pub const fn chunk_bytes(&self) -> usize {
        1 << self.chunk_shift
    }

    /// The place of a sequence in a ring: the slot's number.
    pub const fn ring_place(&self, sequence: u64) -> u64 {
        over(sequence, self.ring_length as u64)
    }

    /// Bytes of a ring.
    pub const fn ring_bytes(&self) -> u64 {
        self.ring_length as u64 * self.slot_bytes as u64
    }

    /// Bytes of a superblock, in sectors of any member: what a slot begins with. The rest of the slot, up to
    /// its neighbour's tear unit, is neither written nor read.
    // One body: many places ask.
    #[inline(never)]
    pub const fn superblock_bytes(&self) -> usize {
        superblock_bytes(self.members_max as usize).next_multiple_of(self.sector_bytes_max() as usize)
    }

    /// Bytes of the largest sector that a disk of the pool may have, also one that is added later. The places
    /// of labels and rings are multiples of it. 4096, unless nodes or chunks are smaller.
    pub const fn sector_bytes_max(&self) -> u32 {
        let (node, chunk) = (1u32 << self.node_shift, 1u32 << self.chunk_shift);
        let least = if node < chunk { node } else { chunk };
        if least < SECTOR_BYTES_MAX { least } else { SECTOR_BYTES_MAX }
    }

    /// Whether disks with sectors of this many bytes can hold such a pool.
    pub const fn fits_sectors(&self, sector_bytes: u32) -> bool {
        sector_bytes <= self.sector_bytes_max()
    }

    /// Whether a disk that tears units of so many bytes keeps blocks and slots apart. A power cut then
    /// damages what is being written, and never its neighbour.
    pub const fn fits_tear_unit(&self, tear_unit: u32) -> bool {
        tear_unit as usize <= self.block_bytes() && self.slot_bytes.is_multiple_of(tear_unit)
    }

    /// Whether all values are within the limits, so that nothing computed from them overflows.
    #[inline(never)] // Once, and not in each of its callers.
    pub const fn is_valid(&self) -> bool {
        const fn within(value: usize, min: usize, max: usize) -> bool {
            min <= value && value <= max
        }
        const fn fits(shift: u8, min: usize, max: usize) -> bool {
            shift < 31 && within(1 << shift, min, max)
        }
        let (slot, group) = (self.slot_bytes as usize, self.group_blocks as usize);
        let (rings, members) = (self.ring_length as usize, self.members_max as usize);
        fits(self.block_shift, limits::BLOCK_BYTES_MIN, limits::BLOCK_BYTES_MAX)
            && fits(self.node_shift, limits::NODE_BYTES_MIN, limits::NODE_BYTES_MAX)
            && fits(self.chunk_shift, limits::CHUNK_BYTES_MIN, limits::CHUNK_BYTES_MAX)
            && self.node_shift <= self.block_shift
            && within(rings, limits::RING_LENGTH_MIN as usize, limits::RING_LENGTH_MAX as usize)
            && self.ring_length.is_power_of_two()
            && within(members, 1, Self::MEMBERS_MAX as usize)
            && within(slot, superblock_bytes(members), 1 << 20)
            && self.slot_bytes.is_multiple_of(self.sector_bytes_max())
            && within(group, limits::GROUP_BLOCKS_MIN as usize, limits::GROUP_BLOCKS_MAX as usize)
            && self.group_blocks.is_power_of_two()
            && group <= self.node_bytes()
    }
}
