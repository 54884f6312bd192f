//! How the lent memory is divided where nothing is written: much less of it will do.

use super::memory::{Division, Memory, Parts, larger, scratch_bytes, staging_min};
use crate::format::parameters::PoolParameters;
use crate::limits::DATA_FRAGMENTS_MAX;
use crate::types::MemoryNeeds;

/// Nodes that are held at least. Reading needs one at a time; the others save reads.
const NODES_MIN: usize = 3;

/// Chunks that the stage holds, where there is memory for them: those of a stripe, while one of them is
/// computed.
const CHUNKS: usize = DATA_FRAGMENTS_MAX + 1;

impl<'m> Memory<'m> {
    /// The least with which a pool with these parameters is mounted by a [`Reader`](crate::Reader), on so
    /// many disks. `alignment` is what some disk asks for in memory: a power of two of bytes, 1 where none
    /// does.
    ///
    /// What is lost of a stripe with more than one data fragment is computed where there are `data` times
    /// [`chunk_bytes`](PoolParameters::chunk_bytes) more.
    pub const fn needs_to_read(parameters: &PoolParameters, disks: usize, alignment: usize) -> MemoryNeeds {
        let staging = staging_min(parameters, alignment);
        MemoryNeeds { bytes: least(parameters) + alignment + staging, entries: NODES_MIN, disks }
    }
}

/// How a reader divides its memory.
pub(super) const TO_READ: Division = Division { needs: Memory::needs_to_read, divide };

const fn least(p: &PoolParameters) -> usize {
    2 * p.superblock_bytes() + stage_bytes(p, 1) + scratch_bytes(p) + NODES_MIN * p.node_bytes()
}

/// At least a superblock, and so many chunks.
const fn stage_bytes(p: &PoolParameters, chunks: usize) -> usize {
    larger(chunks * p.chunk_bytes(), p.superblock_bytes())
}

fn divide<'m>(bytes: &'m mut [u8], p: &PoolParameters, alignment: usize) -> Result<Parts<'m>, usize> {
    let staging = staging_min(p, alignment);
    let needed = Memory::needs_to_read(p, 0, alignment).bytes;
    let skip = bytes.as_ptr().align_offset(alignment);
    let Some(bytes) = bytes.get_mut(skip..).filter(|bytes| bytes.len() >= least(p) + staging) else {
        return Err(needed);
    };
    // What is over holds the chunks of a stripe, then nodes.
    let spare = bytes.len() - least(p) - staging;
    let stage = (stage_bytes(p, 1) + spare).min(stage_bytes(p, CHUNKS)) / p.chunk_bytes() * p.chunk_bytes();
    let stage = stage.max(stage_bytes(p, 1));
    let mut rest = bytes;
    let mut take = |bytes: usize| {
        let (part, left) = core::mem::take(&mut rest).split_at_mut(bytes);
        rest = left;
        part
    };
    // What disks read comes first, and is a multiple of every alignment.
    let (staging, stage) = (take(staging), take(stage));
    let (committed, working) = (take(p.superblock_bytes()), take(p.superblock_bytes()));
    let piece = take(scratch_bytes(p));
    let frames = rest.len() / p.node_bytes() * p.node_bytes();
    let frames = rest.split_at_mut(frames).0;
    Ok(Parts {
        committed,
        working,
        bitmaps: &mut [],
        pending: &mut [],
        scratch: &mut [],
        piece,
        window: &mut [],
        stage,
        frames,
        staging,
    })
}
