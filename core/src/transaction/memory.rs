//! How the lent memory is divided.

use crate::build::{REED_SOLOMON, XOR};
use crate::disks::{DiskState, Disks};
use crate::format::parameters::PoolParameters;
use crate::format::record::dead;
use crate::limits::{DEPTH_MAX, EXTENT_BYTES_MAX, EXTENT_BYTES_MIN, MEMBERS_MAX, NODE_COPIES_MAX};
use crate::space::Space;
use crate::tree::cache::CacheEntry;
use crate::tree::frees_for;
use crate::types::MemoryNeeds;
use dynamicfs_hal::DiskArray;

/// Memory that the caller lends to a pool for as long as it is mounted.
///
/// How much is enough depends on the pool's parameters: [`Memory::needs`]. More bytes and entries are used
/// for larger extents and a larger node cache.
#[derive(Debug)]
pub struct Memory<'m> {
    /// Buffers and node frames.
    pub bytes: &'m mut [u8],
    /// One for each node that the cache may hold, [`ENTRIES_MIN`](Memory::ENTRIES_MIN) at least; more than
    /// frames fit is of no use.
    pub entries: &'m mut [CacheEntry],
    /// One for each disk of the array.
    pub disks: &'m mut [DiskState],
}

/// How memory is divided for a use of it.
#[derive(Clone, Copy)]
pub(super) struct Division {
    /// What a pool with these parameters takes, on so many disks, with buffers that are aligned so.
    pub(super) needs: fn(&PoolParameters, usize, usize) -> MemoryNeeds,
    /// Divides the bytes; `Err` with what would do.
    pub(super) divide: for<'m> fn(&'m mut [u8], &PoolParameters, usize) -> Result<Parts<'m>, usize>,
}

/// How it is divided where a pool is written to.
pub(super) const TO_WRITE: Division = Division { needs: Memory::needs, divide };

/// The parts of [`Memory::bytes`].
pub(crate) struct Parts<'m> {
    pub(crate) committed: &'m mut [u8],
    pub(crate) working: &'m mut [u8],
    pub(crate) bitmaps: &'m mut [u8],
    pub(crate) pending: &'m mut [u8],
    pub(crate) scratch: &'m mut [u8],
    pub(crate) piece: &'m mut [u8],
    pub(crate) window: &'m mut [u8],
    pub(crate) stage: &'m mut [u8],
    pub(crate) frames: &'m mut [u8],
    /// Where buffers that are not aligned are staged; empty where no disk asks for alignment.
    pub(crate) staging: &'m mut [u8],
}

impl<'m> Parts<'m> {
    /// Lends the memory for staging to the disks, and keeps the rest.
    pub(crate) fn with_staging_for<A: DiskArray>(mut self, disks: &mut Disks<'m, A>) -> Self {
        disks.lend_staging(core::mem::take(&mut self.staging));
        self
    }
}

/// Levels of the deepest tree that the least memory serves.
const LEVELS_SERVED: usize = 6;

/// Freed runs that are noted down before they are written into the tree, with little memory and with much.
const PENDING_RUNS: core::ops::RangeInclusive<usize> = pending_for(LEVELS_SERVED)..=1024;

/// Freed runs that need room before something grows in a tree of this many levels, with as many replicas as
/// possible. They are what a change that adds a level frees, and one more.
const fn pending_for(levels: usize) -> usize {
    frees_for(levels + 1, NODE_COPIES_MAX) + 1
}

/// Bytes of checksums that are held at a time where there is memory. They are those of the longest extent in
/// chunks of 4 KiB, so that all disks of a stripe are read at once.
const CHECKSUMS: usize = 8 << 10;

/// Nodes that the cache needs at least: for a tree that is to grow.
const NODES_MIN: usize = nodes_for(LEVELS_SERVED) + GROWTH_NODES;

/// Nodes that one change of a tree of this many levels needs in the cache at once. They are a path, the new
/// nodes of two levels while both are split, and a root above them.
pub(crate) const fn nodes_for(levels: usize) -> usize {
    levels + 3
}

/// Nodes for the levels that a transaction which makes something grow may add, and the one after it that frees again.
pub(crate) const GROWTH_NODES: usize = 2;

/// Bytes of staging for buffers that are not aligned, with much memory; with little, a block.
const STAGING_MAX: usize = 64 << 10;

/// The share of the memory that goes into staging, where it is more than a block.
const STAGING_SHARE: usize = 32;

/// The least staging: a block, which holds a sector of any member, and what keeps aligned what follows it.
pub(super) const fn staging_min(p: &PoolParameters, alignment: usize) -> usize {
    if alignment > 1 { p.block_bytes().next_multiple_of(alignment) } else { 0 }
}

/// The share of the memory that goes into the window and the stage: a quarter.
const BUFFERS_SHARE: usize = 4;

/// Members that are written to: as many as the pool may have, and the build.
const fn rows(p: &PoolParameters) -> usize {
    let members = p.members_max as usize;
    if members < MEMBERS_MAX { members } else { MEMBERS_MAX }
}

const fn fixed_bytes(p: &PoolParameters) -> usize {
    2 * p.superblock_bytes()
        + Space::bitmap_bytes(rows(p), p.group_blocks)
        + dead::RUN_BYTES * *PENDING_RUNS.start()
        + 2 * scratch_bytes(p)
}

pub(super) const fn scratch_bytes(p: &PoolParameters) -> usize {
    let quarter = p.node_bytes() / 4;
    // A record's piece, and the widest extent's record without its checksums.
    if quarter > crate::format::extent::EXTENT_BYTES_MAX {
        quarter
    } else {
        crate::format::extent::EXTENT_BYTES_MAX
    }
}

/// The stage beside the window of an extent: the padded last fragment and the parity, where the build
/// computes any; at least one superblock and one chunk.
const fn stage_bytes(p: &PoolParameters, extent: usize) -> usize {
    let computed = if REED_SOLOMON { 2 } else { XOR as usize };
    larger(extent + computed * p.block_bytes(), larger(p.superblock_bytes(), p.chunk_bytes()))
}

pub(super) const fn larger(a: usize, b: usize) -> usize {
    if a > b { a } else { b }
}

/// The smallest window: an extent of the smallest size, a whole block and a whole chunk at least.
#[expect(clippy::cast_possible_truncation, reason = "4096")]
const fn extent_bytes_min(p: &PoolParameters) -> usize {
    larger(EXTENT_BYTES_MIN as usize, larger(p.block_bytes(), p.chunk_bytes()))
}

const fn total(p: &PoolParameters, extent: usize) -> usize {
    fixed_bytes(p) + extent + stage_bytes(p, extent) + NODES_MIN * p.node_bytes()
}

impl<'m> Memory<'m> {
    /// Slots without which no pool is mounted.
    pub const ENTRIES_MIN: usize = NODES_MIN;

    /// The least with which a pool with these parameters is mounted on so many disks. `alignment` is what
    /// some disk asks for in memory: a power of two of bytes, 1 where none does. It serves a tree of six
    /// levels; see [`bytes_for_levels`](Self::bytes_for_levels) and
    /// [`bytes_for_stripe`](Self::bytes_for_stripe) for what takes more.
    ///
    /// A label tells the parameters ([`inspect::Label`](crate::inspect::Label)).
    pub const fn needs(parameters: &PoolParameters, disks: usize, alignment: usize) -> MemoryNeeds {
        MemoryNeeds { bytes: Self::bytes_min_aligned(parameters, alignment), entries: NODES_MIN, disks }
    }

    /// So many bytes, and the least of the rest: for a refusal before it is known what the pool takes.
    pub(crate) const fn needs_bytes(bytes: usize, disks: usize) -> MemoryNeeds {
        MemoryNeeds { bytes, entries: Self::ENTRIES_MIN, disks }
    }

    /// What is lent, to be compared with what is needed.
    pub(crate) const fn check(&self, needs: MemoryNeeds) -> Result<(), MemoryNeeds> {
        let is_enough = self.bytes.len() >= needs.bytes
            && self.entries.len() >= needs.entries
            && self.disks.len() >= needs.disks;
        if is_enough { Ok(()) } else { Err(needs) }
    }

    /// Bytes without which a pool with these parameters cannot be mounted, and one more. Where disks ask for aligned
    /// buffers it takes up to twice the alignment and a block more.
    pub const fn bytes_min(parameters: &PoolParameters) -> usize {
        total(parameters, extent_bytes_min(parameters))
    }

    /// As [`bytes_min`](Self::bytes_min), where some disk asks for buffers that are aligned to so many bytes, a power of two.
    pub const fn bytes_min_aligned(parameters: &PoolParameters, alignment: usize) -> usize {
        Self::bytes_min(parameters) + alignment + staging_min(parameters, alignment)
    }

    /// Bytes with which a pool can be changed whose tree has this many levels, 1 to 16. More bytes do too;
    /// [`bytes_min`](Self::bytes_min) serves six levels.
    pub const fn bytes_for_levels(parameters: &PoolParameters, levels: usize) -> usize {
        let least = Self::bytes_min(parameters);
        if levels <= LEVELS_SERVED {
            return least;
        }
        let levels = if levels < DEPTH_MAX { levels } else { DEPTH_MAX };
        let fixed = fixed_bytes(parameters) + 2 * parameters.block_bytes() + CHECKSUMS;
        let runs = dead::RUN_BYTES * pending_for(levels);
        // Buffers take a quarter at most, staging a thirty-second part, and the noted runs a sixteenth of the
        // rest.
        let for_nodes = fixed + runs + (nodes_for(levels) + GROWTH_NODES) * parameters.node_bytes();
        let for_runs = fixed + 16 * runs + NODES_MIN * parameters.node_bytes();
        let (for_nodes, for_runs) = (for_nodes.div_ceil(21) * 32, for_runs.div_ceil(23) * 32);
        larger(least, larger(for_nodes, for_runs))
    }

    /// Bytes with which what is lost of a stripe of so many data fragments can be computed from the others.
    /// With less it is read as long as its own disks give it, and
    /// [`NeedsMemory`](crate::error::Code::NeedsMemory) after that.
    pub const fn bytes_for_stripe(parameters: &PoolParameters, data: usize) -> usize {
        // More than any scheme has.
        let data = if data < u8::MAX as usize { data } else { u8::MAX as usize };
        let stripe = (data << parameters.chunk_shift).next_power_of_two();
        let extent = larger(stripe, extent_bytes_min(parameters));
        let (total, share) = (total(parameters, extent), 2 * extent * BUFFERS_SHARE);
        let bytes = larger(total, share);
        // Some of it may stage buffers that are not aligned.
        bytes + bytes / (STAGING_SHARE / 2) + 2 * parameters.block_bytes()
    }
}

/// Divides the bytes; `Err` with what would do.
#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "4 MiB; the parts were summed up, and compared with what there is"
)]
pub(super) fn divide<'m>(
    bytes: &'m mut [u8],
    p: &PoolParameters,
    alignment: usize,
) -> Result<Parts<'m>, usize> {
    let staging_min = staging_min(p, alignment);
    let needed = Memory::bytes_min_aligned(p, alignment);
    if bytes.len() < needed {
        return Err(needed);
    }
    let skip = bytes.as_ptr().align_offset(alignment);
    let bytes = bytes.get_mut(skip..).ok_or(needed)?;
    let spare = bytes.len().saturating_sub(Memory::bytes_min(p));
    let staging = match staging_min {
        0 => 0,
        least => (bytes.len() / STAGING_SHARE).min(STAGING_MAX).min(spare).max(least) / least * least,
    };
    let (staging, bytes) = bytes.split_at_mut_checked(staging).ok_or(needed)?;
    let mut extent = EXTENT_BYTES_MAX as usize;
    while extent > extent_bytes_min(p)
        && (2 * extent * BUFFERS_SHARE > bytes.len() || total(p, extent) > bytes.len())
    {
        extent /= 2;
    }
    let spare = (bytes.len() - total(p, extent).min(bytes.len())) / 16;
    let pending =
        dead::RUN_BYTES * (spare / dead::RUN_BYTES).clamp(*PENDING_RUNS.start(), *PENDING_RUNS.end());
    let piece = scratch_bytes(p).max(spare.min(CHECKSUMS));
    // What disks read and write comes first and is a multiple of every alignment, a power of two below it.
    let (window, rest) = bytes.split_at_mut(extent);
    let (stage, rest) = rest.split_at_mut(stage_bytes(p, extent));
    let fixed = fixed_bytes(p) - dead::RUN_BYTES * *PENDING_RUNS.start() + pending - scratch_bytes(p) + piece;
    if rest.len() < fixed + NODES_MIN * p.node_bytes() {
        return Err(needed);
    }
    let frames = (rest.len() - fixed) / p.node_bytes() * p.node_bytes();
    let (frames, rest) = rest.split_at_mut(frames);
    let (committed, rest) = rest.split_at_mut(p.superblock_bytes());
    let (working, rest) = rest.split_at_mut(p.superblock_bytes());
    let (bitmaps, rest) = rest.split_at_mut(Space::bitmap_bytes(rows(p), p.group_blocks));
    let (pending, rest) = rest.split_at_mut(pending);
    let (scratch, rest) = rest.split_at_mut(scratch_bytes(p));
    let piece = &mut rest[..piece];
    Ok(Parts { committed, working, bitmaps, pending, scratch, piece, window, stage, frames, staging })
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    /// A pool of sixteen data and four parity fragments took no more writes when its tree had six levels. The
    /// least memory has the nodes for one that grows, but had room for fewer freed runs than that takes with
    /// five replicas.
    #[test]
    fn what_is_said_to_be_enough_serves_a_tree_of_so_many_levels() {
        for (node_shift, members_max, group_blocks) in [(9, 8, 128), (9, 64, 128), (12, 64, 4096)] {
            let slot = crate::format::superblock::bytes(usize::from(members_max)) as u32;
            let p = PoolParameters {
                node_shift,
                block_shift: node_shift,
                members_max,
                group_blocks,
                slot_bytes: slot.next_multiple_of(1 << node_shift),
                ..PoolParameters::UNKNOWN
            };
            for levels in 1..=12 {
                let enough = Memory::bytes_for_levels(&p, levels);
                for more in [1, 1000, 33_333, enough / 7, enough, 3 * enough] {
                    let mut bytes = std::vec![0; enough + more];
                    let parts = divide(&mut bytes, &p, 1).unwrap_or_else(|needed| panic!("{needed}"));
                    let nodes = parts.frames.len() / p.node_bytes();
                    assert!(nodes >= nodes_for(levels) + GROWTH_NODES, "{nodes} nodes, {levels} levels");
                    let runs = parts.pending.len() / dead::RUN_BYTES;
                    let frees = frees_for(levels + 1, NODE_COPIES_MAX);
                    assert!(runs > frees, "{runs} runs, {frees} freed, {levels} levels");
                }
            }
        }
    }

    #[test]
    fn what_is_said_to_be_enough_is_enough() {
        for (node_shift, block_shift, members_max, group_blocks) in
            [(9, 9, 4, 128), (12, 12, 64, 4096), (12, 16, 8, 2048)]
        {
            let slot =
                (crate::format::superblock::bytes(usize::from(members_max)) as u32).next_multiple_of(512);
            let p = PoolParameters {
                node_shift,
                block_shift,
                members_max,
                group_blocks,
                slot_bytes: slot,
                ..PoolParameters::UNKNOWN
            };
            for alignment in [1, 512] {
                let enough = Memory::bytes_min_aligned(&p, alignment);
                for bytes in [enough, enough + 1, 3 * enough, 64 << 20] {
                    let mut bytes = std::vec![0; bytes];
                    let parts = divide(&mut bytes, &p, alignment).unwrap_or_else(|needed| {
                        panic!("node 2^{node_shift}, alignment {alignment}: {needed} of {enough}")
                    });
                    assert!(parts.frames.len() >= NODES_MIN * p.node_bytes());
                    assert!(parts.window.len() >= p.block_bytes());
                    assert!(parts.staging.len() >= if alignment > 1 { p.block_bytes() } else { 0 });
                    for data in [1, 3, 16] {
                        let mut bytes = std::vec![0; Memory::bytes_for_stripe(&p, data) + alignment];
                        let parts = divide(&mut bytes, &p, alignment).unwrap_or_else(|_| panic!());
                        assert!(parts.stage.len() >= data << p.chunk_shift, "{data} chunks");
                    }
                    for part in [&*parts.staging, parts.window] {
                        assert!(part.is_empty() || part.as_ptr().addr().is_multiple_of(alignment));
                    }
                }
                let mut bytes = std::vec![0; enough - 1];
                assert!(divide(&mut bytes, &p, alignment).is_err());
            }
        }
    }
}
