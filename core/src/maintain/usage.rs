//! Which blocks something refers to, and which the free map says are allocated: window by window.

use super::survey::RecordJoiner;
use crate::error::Code;
use crate::format::key::{Key, Kind};
use crate::format::record::dead;
use crate::object::Objects;
use crate::powers::units;
use crate::space::Area;
use crate::tree::Walk;
use crate::types::{BlockAddress, BlockRun, MemberNumber, ObjectId, Row};
use core::cmp::Ordering;
use core::ops::{ControlFlow, Range};
use dynamicfs_hal::DiskArray;

/// Neighbouring groups of one member.
pub(super) struct Window {
    pub(super) member: MemberNumber,
    pub(super) row: Row,
    /// The groups.
    pub(super) groups: Range<u32>,
    /// The first block of the first of them.
    pub(super) start: u64,
    /// Blocks of the member in them.
    pub(super) blocks: u64,
    /// The first block of the member's first group.
    area_start: u64,
}

impl Window {
    /// `count` groups of a member from `first` on, or those that there are.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "no area has more groups than numbers of 32 bits: labels, records and `set_blocks` see to it"
    )]
    pub(super) fn of(
        member: MemberNumber,
        row: Row,
        area: Area,
        group_blocks: u32,
        first: u32,
        count: u32,
    ) -> Self {
        let group_blocks = u64::from(group_blocks);
        let end = units(area.blocks, group_blocks).min(u64::from(first) + u64::from(count)) as u32;
        let skipped = u64::from(first) * group_blocks;
        let blocks = (u64::from(end) * group_blocks).min(area.blocks).saturating_sub(skipped);
        let start = area.start + skipped;
        Self { member, row, groups: first..end, start, blocks, area_start: area.start }
    }
}

/// How far a sweep is on one member.
pub(super) struct Swept {
    limit: u64,
    /// The first block that it has not come to.
    until: u64,
}

impl Swept {
    /// The part of a run of a dead record that is not given back yet. Below the sweep's limit, blocks before
    /// the sweep were given back and may be used again.
    #[expect(clippy::cast_possible_truncation, reason = "a part of a run, whose length has 32 bits")]
    pub(super) fn rest(&self, key: &Key, run: BlockRun) -> Option<BlockRun> {
        let until = if key.offset() < self.limit { self.until } else { 0 };
        let (start, end) = (run.start.block.max(until), run.start.block.saturating_add(run.blocks.into()));
        let blocks = end.checked_sub(start).filter(|&blocks| blocks > 0)?;
        Some(BlockRun { start: BlockAddress { block: start, ..run.start }, blocks: blocks as u32 })
    }
}

impl<A: DiskArray> Objects<'_, A> {
    /// Sets a bit for each referenced block of the window, and clears the others. Calls `twice` for blocks
    /// with two references. No transaction may have changed anything yet.
    pub(super) fn mark_referenced(
        &mut self,
        window: &Window,
        bits: &mut [u8],
        mut twice: impl FnMut(BlockAddress),
    ) -> Result<(), Code> {
        bits.fill(0);
        let mut walk = Walk::new();
        while let Some(met) = self.store.tree.walk(&mut walk)? {
            for &start in met.pointer.replicas() {
                mark(window, bits, &BlockRun { start, blocks: 1 }, &mut twice);
            }
        }
        let block_shift = self.store.tree.disks.parameters.block_shift;
        let swept = self.swept(window.row, window.area_start);
        let mut joiner = RecordJoiner::new();
        self.store.tree.scan(&Key::MIN, &Key::MAX, |key, record| {
            if key.is(ObjectId::SYSTEM, Kind::Dead) {
                for run in dead::runs(record).filter(|run| run.start.member == window.member) {
                    if let Some(run) = swept.rest(key, run) {
                        mark(window, bits, &run, &mut twice);
                    }
                }
            } else if let Some((_, _, extent)) = joiner.take(key, record) {
                for fragment in extent.fragments() {
                    let run =
                        BlockRun { start: fragment.address, blocks: extent.fragment_blocks(block_shift) };
                    mark(window, bits, &run, &mut twice);
                }
            }
            ControlFlow::<()>::Continue(())
        })?;
        Ok(())
    }

    /// How far the sweep is on the member in a row, whose blocks begin here.
    pub(super) fn swept(&self, row: Row, area_start: u64) -> Swept {
        let superblock = self.store.committed();
        let groups = match Row(superblock.sweep_row().into()).cmp(&row) {
            Ordering::Greater => u64::MAX,
            Ordering::Equal => u64::from(superblock.sweep_group()),
            Ordering::Less => 0,
        };
        let group_blocks = u64::from(self.store.tree.space.group_blocks());
        let until = area_start.saturating_add(groups.saturating_mul(group_blocks));
        Swept { limit: superblock.sweep_limit(), until }
    }

    /// Fills `bits` with the bitmaps of the window's groups, one after the other.
    pub(super) fn load_allocated(
        &mut self,
        window: &Window,
        group_bytes: usize,
        bits: &mut [u8],
    ) -> Result<(), Code> {
        for (group, bits) in window.groups.clone().zip(bits.chunks_exact_mut(group_bytes)) {
            self.store.group_bitmap(window.row, group, bits)?;
        }
        Ok(())
    }
}

#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "`block` lies in the window, which has a bit for each"
)]
fn mark(window: &Window, bits: &mut [u8], run: &BlockRun, twice: &mut impl FnMut(BlockAddress)) {
    if run.start.member != window.member {
        return;
    }
    let from = run.start.block.max(window.start);
    let end = run.start.block.saturating_add(run.blocks.into()).min(window.start + window.blocks);
    for block in from..end {
        let bit = (block - window.start) as usize;
        if bits[bit / 8] >> (bit % 8) & 1 == 1 {
            twice(BlockAddress { member: window.member, block });
        }
        bits[bit / 8] |= 1 << (bit % 8);
    }
}
