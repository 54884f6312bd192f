//! The sweep: dead blocks become free.
//!
//! A limit is fixed when it starts: dead records that the last commit holds. The groups are walked in order, some at a
//! time; every dead run below the limit that lies in them is given back. When all groups are done the records are
//! deleted. Where the sweep is stands in the superblock, so each step is part of one commit and a crash forgets none.
//!
//! (Applying entries in the order they were freed does not end: each scattered one dirties scattered nodes.)

use super::Store;
use crate::error::Code;
use crate::format::key::Key;
use crate::format::record::{dead, group};
use crate::format::superblock::COUNTER_MAX;
use crate::space::{Area, Class};
use crate::types::{MemberNumber, Row};
use core::ops::ControlFlow;
use dynamicfs_hal::DiskArray;

/// Dead records deleted in one step.
const DELETE_MAX: usize = 4096;

/// Groups that a step changes before it ends.
const GROUPS_PER_STEP: usize = 64;

/// Dead records from which on a sweep is worth its writes, for each leaf of group records and each copy.
const RECORDS_PER_LEAF: u64 = 2;

/// Dead records that are always borne.
const RECORDS_MIN: u64 = 32;

impl<A: DiskArray> Store<'_, A> {
    /// One step of a sweep, if one is under way or due: part of a commit.
    pub(super) fn sweep_when_due(&mut self) -> Result<(), Code> {
        let superblock = &self.tree.space.superblock;
        let free: u64 = self.tree.data_rows().iter().map(|row| superblock.row(row).free()).sum();
        let leaves = self.reserve_blocks();
        let many = superblock.dead_records()
            > RECORDS_MIN + RECORDS_PER_LEAF * self.tree.copies_wanted() as u64 * leaves;
        let scarce = superblock.dead_blocks() > free / 2 && superblock.dead_records() > 8;
        if superblock.sweep_limit() != 0 || many || scarce {
            self.sweep_step()?;
        }
        Ok(())
    }

    /// Gives back every block that can be given back now; whether there were any to look for.
    pub fn sweep_all(&mut self) -> Result<bool, Code> {
        let before = self.sweeps;
        // The first may finish a sweep that began with an older limit, the second is a whole one.
        for _ in 0..2 {
            while self.sweep_step()? {}
        }
        Ok(self.sweeps != before)
    }

    /// Starts a sweep or takes one further; false when it is finished or there is nothing to do.
    pub fn sweep_step(&mut self) -> Result<bool, Code> {
        self.note_change();
        if self.tree.space.superblock.sweep_limit() == 0 && !self.start_sweep()? {
            return Ok(false);
        }
        let mut changed = 0;
        while changed < GROUPS_PER_STEP {
            let row = Row(self.tree.space.superblock.sweep_row().into());
            if row.0 >= self.tree.space.rows() {
                return self.delete_records();
            }
            match self.row_area(row)? {
                Some(area) => changed += self.sweep_window(row, area)?,
                None => self.set_sweep(row + 1, 0),
            }
        }
        Ok(true)
    }

    /// Whether a sweep gives back much more than the dead blocks that it makes itself; else there would be no end to it. Where
    /// the last one gave back little, what it makes is what that one left, however much that is by any reckoning.
    pub fn is_sweep_worthwhile(&self) -> bool {
        let superblock = self.committed();
        let least = self.reserve_blocks().max(self.swept_left.saturating_mul(2));
        superblock.sweep_limit() != 0 || superblock.dead_blocks() > least
    }

    fn set_sweep(&mut self, row: Row, group: u32) {
        self.tree.space.superblock.set_sweep_row(row.byte().into());
        self.tree.space.superblock.set_sweep_group(group);
    }

    /// Fixes what a sweep gives back: what was freed before the last commit. All members that this commit
    /// names, and that take part, must have it. Else the one member that has it may be lost, and the others
    /// go on from the state before. That refers to what was freed and overwritten.
    ///
    /// One that the commit does not name came back with an older state. That state is gone on from only where
    /// all that have the commit are lost. Nothing is put on its disk before that has a newer one.
    fn start_sweep(&mut self) -> Result<bool, Code> {
        let (order, named) = (self.committed().order(), self.committed().online());
        if !self.tree.disks.are_all_at(named, order) {
            return Ok(false);
        }
        let limit = self.committed().dead_next();
        let first =
            self.tree.scan(&Key::dead(0), &Key::dead(limit), |key, _| ControlFlow::Break(key.offset()))?;
        if first.is_none() {
            // Nothing can be given back, whatever was said of it.
            self.count_dead(limit)?;
            return Ok(false);
        }
        self.swept_from = self.tree.space.superblock.dead_blocks();
        self.tree.space.superblock.set_sweep_limit(limit);
        self.set_sweep(Row(0), 0);
        self.exhausted = crate::types::Set::EMPTY;
        Ok(true)
    }

    /// Applies the dead runs in as many groups of a member as the stage has bits for; how many groups they changed.
    #[expect(
        clippy::indexing_slicing,
        clippy::cast_possible_truncation,
        reason = "as many groups as the stage, of at most a few MiB, has bits for"
    )]
    fn sweep_window(&mut self, row: Row, area: Area) -> Result<usize, Code> {
        let mut changed = 0;
        let (groups, blocks) = (self.tree.space.groups(area), self.tree.space.group_blocks());
        let member = self.tree.space.member(row);
        let first = self.tree.space.superblock.sweep_group();
        let Some(first) = self.next_group_in_use(row, member, first, groups)? else {
            self.set_sweep(row + 1, 0);
            return Ok(0);
        };
        let fitting = (self.stage.len() / (blocks as usize / 8)).max(1) as u32;
        let end = groups.min(first.saturating_add(fitting));
        let window = Window {
            member,
            start: area.start + u64::from(first) * u64::from(blocks),
            blocks: u64::from(end.saturating_sub(first)) * u64::from(blocks),
        };
        self.mark_dead(&window)?;
        for group in first..end {
            let at = (group - first) as usize * blocks as usize / 8;
            if self.stage[at..at + blocks as usize / 8].iter().any(|&byte| byte != 0) {
                self.sweep_group(row, member, group, at)?;
                changed += 1;
            }
        }
        if end >= groups {
            self.set_sweep(row + 1, 0)
        } else {
            self.set_sweep(row, end)
        }
        Ok(changed)
    }

    /// Sets the bits of a window's dead blocks in the stage.
    #[expect(
        clippy::indexing_slicing,
        reason = "the block lies in the window, and the stage has a bit for each"
    )]
    fn mark_dead(&mut self, window: &Window) -> Result<(), Code> {
        let limit = self.tree.space.superblock.sweep_limit();
        let bits = &mut self.stage[..(window.blocks / 8) as usize];
        bits.fill(0);
        self.tree.scan(&Key::dead(0), &Key::dead(limit), |_, record| {
            for run in dead::runs(record).filter(|run| run.start.member == window.member) {
                let start = run.start.block.max(window.start);
                let end = run.start.block.saturating_add(run.blocks.into()).min(window.start + window.blocks);
                for block in start..end {
                    let bit = block - window.start;
                    bits[(bit / 8) as usize] |= 1 << (bit % 8);
                }
            }
            ControlFlow::<()>::Continue(())
        })?;
        Ok(())
    }

    /// Gives back the blocks of one group whose bits are set in the stage from `at` on.
    #[expect(
        clippy::indexing_slicing,
        reason = "the caller found the group's bits in the stage; the buffer holds a group's record"
    )]
    fn sweep_group(&mut self, row: Row, member: MemberNumber, group: u32, at: usize) -> Result<(), Code> {
        let bytes = self.tree.space.group_blocks() as usize / 8;
        // What makes the tree ready may open or close this very group: nothing comes between the last look and the put.
        self.ready()?;
        while Class::ALL.iter().any(|&class| self.tree.space.closed_group(row, class) == Some(group)) {
            self.record_closed()?;
            self.ready()?;
        }
        if let Some(class) = self.tree.space.open_class(row, group) {
            let freed = self.tree.space.clear_open(row, class, &self.stage[at..at + bytes]);
            self.count_swept(freed);
            return Ok(());
        }
        let key = Key::group(member, group);
        let length = self.tree.get(&key, self.scratch)?;
        if group::expand(self.scratch, length, bytes).is_none() {
            return Err(Code::SystemRecordInvalid);
        }
        let (mut old, mut new) = (0, 0);
        for (byte, dead) in self.scratch[1..=bytes].iter_mut().zip(&self.stage[at..at + bytes]) {
            old += byte.count_zeros();
            *byte &= !dead;
            new += byte.count_zeros();
        }
        self.tree.space.count_closed(row, old, new);
        self.count_swept(new - old);
        match group::compact(self.scratch, bytes) {
            Some(length) => self.tree.put(&key, &self.scratch[..length]),
            None => self.tree.remove(&key),
        }
    }

    fn count_swept(&mut self, blocks: u32) {
        let dead = self.tree.space.superblock.dead_blocks();
        self.tree.space.superblock.set_dead_blocks(dead.saturating_sub(blocks.into()));
    }

    /// Deletes records whose runs are all given back; false when none is left and the sweep is over.
    fn delete_records(&mut self) -> Result<bool, Code> {
        let limit = self.tree.space.superblock.sweep_limit();
        let removed = self.remove_range(&Key::dead(0), &Key::dead(limit), DELETE_MAX)?;
        let records = self.tree.space.superblock.dead_records();
        self.tree.space.superblock.set_dead_records(records.saturating_sub(removed as u64));
        if removed == DELETE_MAX {
            return Ok(true);
        }
        self.count_dead(limit)?;
        self.tree.space.superblock.set_sweep_limit(0);
        self.set_sweep(Row(0), 0);
        self.sweeps = self.sweeps.wrapping_add(1);
        self.tree.counters.note(|counters| counters.sweeps += 1);
        Ok(false)
    }

    /// Counts what was freed since a sweep began, or could have. The numbers before may say anything. Blocks
    /// that were freed on a member that has left since are not given back, and bytes on a disk may be wrong.
    fn count_dead(&mut self, limit: u64) -> Result<(), Code> {
        let (mut records, mut blocks) = (0, 0u64);
        let next = self.tree.space.superblock.dead_next();
        self.tree.scan(&Key::dead(limit), &Key::dead(next), |_, record| {
            records += 1;
            blocks += dead::runs(record).map(|run| u64::from(run.blocks)).sum::<u64>();
            ControlFlow::<()>::Continue(())
        })?;
        let blocks = blocks.min(COUNTER_MAX);
        self.tree.space.superblock.set_dead_records(records);
        self.tree.space.superblock.set_dead_blocks(blocks);
        // One that gave back most of what there was is worth another; else what it left is what it made itself.
        self.swept_left = if blocks < self.swept_from / 2 { 0 } else { blocks };
        self.swept_from = 0;
        Ok(())
    }
}

/// Neighbouring groups of one member.
struct Window {
    member: MemberNumber,
    start: u64,
    blocks: u64,
}
