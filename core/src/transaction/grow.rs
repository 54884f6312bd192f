//! A disk that has grown is used to its new end.

use super::Memory;
use super::Store;
use crate::disks::DiskStatus;
use crate::error::{Code, FormatError, MemberError};
use crate::format::label::DiskIdentity;
use crate::format::places;
use crate::powers::{floor, over, units};
use crate::space::{Area, node_free_of};
use crate::types::{DiskIndex, Row};
use dynamicfs_hal::{DiskArray, Request};

/// How often the last group may be opened or closed by what makes the tree ready, between the look at it and its change.
const ATTEMPTS: usize = 4;

impl<A: DiskArray> Store<'_, A> {
    /// Blocks that a member has room for beyond those that may be allocated: its disk has grown, or growing it was cut short.
    pub fn growable_blocks(&self, disk: DiskIndex) -> u64 {
        let (disks, state) = (&self.tree.disks, self.tree.disks.state(disk));
        let Some(identity) = state.identity.filter(|i| state.status == DiskStatus::Online && !i.witness)
        else {
            return 0;
        };
        let grown = places::grown(&identity, &disks.geometry(disk), &disks.parameters);
        grown.map_or(identity.data_blocks, |grown| grown.data_blocks).saturating_sub(state.blocks)
    }

    /// Takes all of a disk into use that has grown: how many blocks there are more.
    ///
    /// 1. ring B is made at the new end, with the disk's newest superblock in it;
    /// 2. the label is written with a higher serial, to the new end, to its copy, to the beginning, each
    ///    durable before the next. Whichever a mount finds, the rings that it names are there;
    /// 3. a commit says in the member's record how many blocks may be allocated. From here on what was ring B is data.
    ///
    /// A crash before that leaves a disk that may be grown again. The record is what counts, whatever the labels say.
    pub fn grow_member(&mut self, disk: DiskIndex) -> Result<u64, MemberError<Code, Code>> {
        let pool = |error: Code| MemberError::Pool(error);
        self.check_alone().map_err(pool)?;
        self.claim_once().map_err(pool)?;
        let state = self.tree.disks.state(disk);
        let (before, row) = (state.blocks, usize::from(state.row));
        let (DiskStatus::Online, Some(identity)) = (state.status, state.identity) else {
            return Err(MemberError::Away);
        };
        let more = self.growable_blocks(disk);
        if more == 0 {
            return Err(MemberError::NotGrown);
        }
        let geometry = self.tree.disks.geometry(disk);
        if let Some(grown) = places::grown(&identity, &geometry, &self.tree.disks.parameters) {
            self.move_end(disk, &grown)?;
        }
        self.begin().map_err(pool)?;
        let done = self.extend((disk, Row(row)), before, more).and_then(|()| self.commit());
        if let Err(error) = done {
            self.abort();
            return Err(pool(error));
        }
        self.growing = None;
        self.reload_members();
        Ok(more)
    }

    /// Makes ring B at the end of a disk and lets its labels say so.
    fn move_end(&mut self, disk: DiskIndex, grown: &DiskIdentity) -> Result<(), FormatError<Code>> {
        let disks = &mut self.tree.disks;
        let (bytes, slot_bytes) =
            (disks.parameters.superblock_bytes(), u64::from(disks.parameters.slot_bytes));
        let slot = self
            .stage
            .get_mut(..bytes)
            .ok_or(FormatError::NeedsMemory(Memory::needs_bytes(bytes, disks.count())))?;
        slot.fill(0);
        for place in 0..u64::from(disks.parameters.ring_length) {
            let lba = disks.lba_of_byte(disk, grown.ring_b + place * slot_bytes);
            disks.must(Request::write(disk.0, lba, slot))?;
        }
        if super::rings::read_state(disks, disk, slot).is_none() {
            return Err(FormatError::Io { disk, error: dynamicfs_hal::IoError::Media });
        }
        let place = disks.parameters.ring_place(disks.state(disk).sequence);
        let lba = disks.lba_of_byte(disk, grown.ring_b + place * slot_bytes);
        disks.must(Request::write(disk.0, lba, slot))?;
        disks.must(Request::flush(disk.0))?;
        let label = super::labels::encode(&disks.parameters, grown, disks.crc32c);
        disks.write_label(disk, &label, [grown.end_at, grown.copy_at, 0], self.stage)?;
        disks.state_mut(disk).identity = Some(*grown);
        Ok(())
    }

    /// Adds blocks behind those that a member has, all of them free. Part of a transaction.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a disk that grows has no more groups than `GROUPS_MAX`; what is over is less than a group"
    )]
    fn extend(&mut self, (disk, row): (DiskIndex, Row), before: u64, more: u64) -> Result<(), Code> {
        let blocks = u64::from(self.tree.space.group_blocks());
        let (after, groups) = (before + more, units(before, blocks));
        if over(before, blocks) != 0 {
            self.extend_group(row, (groups - 1) as u32, before, after)?;
        }
        // What is allocated from here on may lie in what is new: no label names anything else there any more.
        self.growing = Some((disk, before));
        self.tree.disks.state_mut(disk).blocks = after;
        let added = after.saturating_sub(groups * blocks);
        let mut counts = self.tree.space.superblock.row_mut(row);
        let (free, for_nodes) = (counts.free(), counts.node_free());
        counts.set_free(free + added);
        counts.set_node_free(for_nodes + floor(added, blocks) + node_free_of(over(added, blocks) as u32));
        self.change_member(row, |record| record.set_blocks(after))
    }

    /// Frees the blocks of a group that ended with the disk, up to the disk's new end. It does so in memory
    /// where the group is open, else in its record.
    fn extend_group(&mut self, row: Row, group: u32, before: u64, after: u64) -> Result<(), Code> {
        for _ in 0..ATTEMPTS {
            self.ready()?;
            while self.tree.space.next_unrecorded(false).is_some() {
                self.record_closed()?;
            }
            let buffer = core::mem::take(&mut self.piece);
            let done = self.extend_group_in(row, group, (before, after), buffer);
            self.piece = buffer;
            if done? {
                return Ok(());
            }
        }
        Err(Code::NoSpace)
    }

    #[expect(
        clippy::indexing_slicing,
        clippy::cast_possible_truncation,
        reason = "a block of the group, and the bitmap has a bit for each"
    )]
    fn extend_group_in(
        &mut self,
        row: Row,
        group: u32,
        (before, after): (u64, u64),
        buffer: &mut [u8],
    ) -> Result<bool, Code> {
        let blocks = self.tree.space.group_blocks();
        let (was, rest) = buffer.split_at_mut(blocks as usize / 8);
        let is = rest.get_mut(..was.len()).ok_or(Code::SystemRecordInvalid)?;
        let area = Area { start: 0, blocks: before };
        self.group_bitmap(row, group, was)?;
        self.tree.space.mark_beyond(was, group, area);
        is.copy_from_slice(was);
        let first = u64::from(group) * u64::from(blocks);
        for block in before - first..(after - first).min(blocks.into()) {
            is[block as usize / 8] &= !(1 << (block % 8));
        }
        Ok(self.tree.space.replace_open(row, group, is) || self.replace_group(row, (group, area), was, is)?)
    }
}
