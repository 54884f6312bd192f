//! Free space given back to the disks.
//!
//! A block may be discarded exactly when it may be overwritten. Then the last commit does not refer to it,
//! and the next change of the pool may take it. That is what the free map of the last commit shows as free.
//! Two kinds of blocks are not among them. Blocks that were freed and not swept yet count as allocated as
//! long as a dead record names them. Blocks that an open group has given away are below its cursor. No
//! transaction is open meanwhile, and the mount has an epoch of its own, so no other mount takes blocks
//! either. Where a mount may not write it may not discard.
//!
//! Nothing is flushed. A discard that a power cut undoes has done no harm. One that takes effect has left
//! bytes without a reference, and later writes to its place come after it.

use crate::error::{Code, MemberError};
use crate::limits::GROUP_BLOCKS_MAX;
use crate::object::Objects;
use crate::options::options;
use crate::powers::units;
use crate::space::{Area, next_free};
use crate::types::{BlockAddress, DiskIndex, MemberNumber, Row};
use core::ops::Range;
use dynamicfs_hal::{Batch, DiskArray, IoError, Operation, Request};

/// Groups with something in them that a step looks at.
const GROUPS_PER_STEP: usize = 32;

/// Runs that a step discards.
const RUNS_PER_STEP: usize = 32;

/// Blocks of one discard at most: 1 GiB of blocks of 4 KiB. Longer runs are cut.
const RUN_BLOCKS_MAX: u64 = 1 << 18;

options! {
    /// How a member's free space is trimmed.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    #[cfg_attr(feature = "defmt", derive(defmt::Format))]
    pub struct TrimOptions {
        /// Runs of fewer bytes are left as they are; 0 leaves none.
        pub minimum_bytes: u64,
        /// Nothing is discarded, and no epoch reserved: it is only counted what would be by a disk that does
        /// discards, which is not asked for.
        pub only_count: bool,
    }
}

impl TrimOptions {
    /// Every run is trimmed.
    pub const fn new() -> Self {
        Self { minimum_bytes: 0, only_count: false }
    }
}

/// The trim of one member, and how far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Trim {
    member: MemberNumber,
    options: TrimOptions,
    /// The next block to look at, counted from the first that may be allocated.
    position: u64,
    block_bytes: u64,
    discarded: u64,
    runs: u64,
    refused: Option<IoError>,
}

/// Runs of free blocks, counted from the first block that may be allocated.
type Runs = heapless::Vec<Range<u64>, RUNS_PER_STEP>;

impl Trim {
    /// Before a member's first block.
    pub const fn new(member: MemberNumber, options: TrimOptions) -> Self {
        Self { member, options, position: 0, block_bytes: 0, discarded: 0, runs: 0, refused: None }
    }

    /// Bytes of the member that were looked at so far, of those that may be allocated.
    pub const fn done_bytes(&self) -> u64 {
        self.position * self.block_bytes
    }

    /// Bytes that were discarded so far, or would be.
    pub const fn discarded_bytes(&self) -> u64 {
        self.discarded
    }

    /// Runs that these bytes are in; one longer than 2^18 blocks counts as several.
    pub const fn runs(&self) -> u64 {
        self.runs
    }

    /// What the disk answered when it refused a discard; the trim ended there.
    pub const fn refused(&self) -> Option<IoError> {
        self.refused
    }
}

impl<A: DiskArray> Objects<'_, A> {
    /// One step of a trim; false when it is over. No transaction may be open.
    #[expect(
        clippy::indexing_slicing,
        reason = "the stage has a bit for each block of a group: an extent's bytes at least"
    )]
    pub(crate) fn trim_step(&mut self, trim: &mut Trim) -> Result<bool, MemberError<Code, Code>> {
        self.store.check_alone()?;
        if !trim.options.only_count {
            self.store.claim_once()?;
        } else if self.store.is_writable() {
            self.store.read_again()?;
        } else {
            // A mount for reading has not looked at the open groups.
            self.store.reload_groups()?;
        }
        let row = self.store.committed().row_of(trim.member).ok_or(MemberError::NotAMember)?;
        let disk = self.store.tree.disks.disk_in_row(row).ok_or(MemberError::Away)?;
        // What it holds may be all that is left of an older state, until a commit has reached it.
        if !trim.options.only_count && self.store.rows_behind().contains(row) {
            return Ok(false);
        }
        // A witness has no blocks.
        let Some(area) = self.store.tree.area(row) else { return Ok(false) };
        if !trim.options.only_count && !self.store.tree.disks.geometry(disk).discard {
            return Ok(false);
        }
        trim.block_bytes = self.store.tree.disks.parameters.block_bytes() as u64;
        let stage = core::mem::take(&mut self.store.stage);
        let bits = &mut stage[..self.store.tree.space.group_blocks() as usize / 8];
        let found = self.find_free(trim, row, area, bits);
        self.store.stage = stage;
        let (runs, position) = found?;
        if trim.options.only_count {
            runs.iter().for_each(|run| trim.count(run.end - run.start));
        } else {
            self.discard(trim, area, &runs);
        }
        trim.position = position;
        Ok(position < area.blocks && trim.refused.is_none())
    }

    /// The next free runs of a member that are long enough, and the block to go on from. Uses a group's bits.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "`free.end` is below the area, whose groups have numbers of 32 bits"
    )]
    fn find_free(&mut self, trim: &Trim, row: Row, area: Area, bits: &mut [u8]) -> Result<(Runs, u64), Code> {
        let (groups, group_blocks) =
            (self.store.tree.space.groups(area), u64::from(self.store.tree.space.group_blocks()));
        let least = units(trim.options.minimum_bytes, trim.block_bytes).max(1);
        let most = RUN_BLOCKS_MAX.max(least);
        let mut runs = Runs::new();
        // The blocks before `free.end` that are known to be free, from `free.start` on; what lies before is done.
        let mut free = trim.position..trim.position;
        let mut looked = 0;
        while free.end < area.blocks && looked < GROUPS_PER_STEP {
            let group = (free.end / group_blocks) as u32;
            let used = self.store.next_group_in_use(row, trim.member, group, groups)?;
            let used_from = used.map_or(area.blocks, |used| u64::from(used) * group_blocks);
            if used_from > free.end {
                free.end = used_from.min(free.start + most);
                if free.end - free.start == most && !note(&mut runs, &mut free, least) {
                    return Ok((runs, free.start));
                }
                continue;
            }
            looked += 1;
            self.store.group_bitmap(row, group, bits)?;
            let start = u64::from(group) * group_blocks;
            let end = (area.blocks - start).min(group_blocks);
            while free.end < start + end {
                let from = (free.end - start) as u32;
                let next = next_free(bits, from, end as u32)
                    .map_or(end..end, |run| run.start.into()..run.end.into());
                if start + next.start > free.end {
                    // Something lies behind the run.
                    if !note(&mut runs, &mut free, least) {
                        return Ok((runs, free.start));
                    }
                    free = start + next.start..start + next.start;
                }
                free.end = start + next.end;
            }
        }
        // A run that may go on is looked at again, unless it is all that this step has met.
        let is_all = free.end == area.blocks || free.start == trim.position;
        if is_all {
            note(&mut runs, &mut free, least);
        }
        Ok((runs, free.start))
    }

    /// Sends discards for runs of a member. A disk that refuses one is sent no more.
    fn discard(&mut self, trim: &mut Trim, area: Area, runs: &Runs) {
        let disks = &mut self.store.tree.disks;
        let mut left = runs.iter().peekable();
        while trim.refused.is_none() && left.peek().is_some() {
            let mut batch = A::Batch::default();
            let mut sent = 0;
            while sent < A::Batch::capacity()
                && let Some(run) = left.next()
            {
                let start = BlockAddress { member: trim.member, block: area.start + run.start };
                let Some((disk, lba)) = disks.locate(start, 0) else { return };
                let sectors = disks.lba_of_byte(disk, (run.end - run.start) * trim.block_bytes);
                let pushed = batch.push(Request::discard(disk.0, lba, sectors));
                debug_assert!(pushed.is_ok(), "no more than the batch holds");
                sent += 1;
            }
            disks.execute(&mut batch);
            for request in batch.requests() {
                match (&request.operation, request.result) {
                    (Operation::Discard(sectors), Ok(())) => {
                        let sector_bytes = u64::from(disks.geometry(DiskIndex(request.disk)).sector_bytes);
                        trim.count(sectors * sector_bytes / trim.block_bytes);
                    }
                    (_, Err(error)) => trim.refused = Some(error),
                    _ => {}
                }
            }
        }
    }
}

impl Trim {
    const fn count(&mut self, blocks: u64) {
        self.discarded += blocks * self.block_bytes;
        self.runs += 1;
    }
}

/// Notes a run of free blocks that ends here, if it is long enough; the next one begins at its end. False, and nothing
/// noted, if there is no place.
fn note(runs: &mut Runs, free: &mut Range<u64>, least: u64) -> bool {
    if free.end - free.start >= least && runs.push(free.clone()).is_err() {
        return false;
    }
    free.start = free.end;
    true
}

const _: () = assert!(RUN_BLOCKS_MAX >= GROUP_BLOCKS_MAX as u64);
