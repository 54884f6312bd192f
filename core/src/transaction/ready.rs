//! Before each change of the tree: groups with room are open, closed ones are recorded, freed runs have a place.

use super::{Purpose, Store};
use crate::error::Code;
use crate::format::key::Key;
use crate::format::node::value_bytes_max;
use crate::format::record::{MemberRecord, dead, group};
use crate::limits::{NODE_GROUP_FREE_MIN, U48_MAX, UPDATE_NODES_MAX};
use crate::powers::units;
use crate::space::{Area, Class, next_clear_run};
use crate::tree::Unreadable;
use crate::types::{BlockAddress, BlockRun, MemberNumber, Row, Set};
use core::ops::ControlFlow;
use dynamicfs_hal::DiskArray;

impl<A: DiskArray> Store<'_, A> {
    // --- changing records -------------------------------------------------------------------------------------

    /// Sets a record of the tree.
    pub fn put(&mut self, key: &Key, value: &[u8]) -> Result<(), Code> {
        self.ready()?;
        self.tree.put(key, value)
    }

    /// Writes the way to a key anew, so that each node on it is where nodes are put now.
    pub fn refresh(&mut self, key: &Key) -> Result<(), Code> {
        self.ready()?;
        self.tree.touch(key)
    }

    /// Takes a record out of the tree.
    pub fn remove(&mut self, key: &Key) -> Result<(), Code> {
        self.ready()?;
        self.tree.remove(key)
    }

    /// Takes records from `from` on and before `end` out, `limit` at most: how many there were.
    pub fn remove_range(&mut self, from: &Key, end: &Key, limit: usize) -> Result<usize, Code> {
        let mut removed = 0;
        while removed < limit {
            self.ready()?;
            let some = self.tree.remove_some(from, end, limit - removed)?;
            if some == 0 {
                break;
            }
            removed += some;
        }
        Ok(removed)
    }

    /// Takes a node that cannot be read out of the tree: see [`Tree::drop_unreadable`](crate::tree::Tree::drop_unreadable).
    pub fn drop_unreadable(&mut self, at: Key, from: &Key, end: &Key) -> Result<Unreadable, Code> {
        self.ready()?;
        self.tree.drop_unreadable(at, from, end)
    }

    /// Frees a run of blocks once this transaction is durable. What a member held that has left the pool is gone with it.
    pub fn free(&mut self, run: BlockRun) -> Result<(), Code> {
        self.note_change();
        if self.tree.space.superblock.row_of(run.start.member).is_none() {
            return Ok(());
        }
        while self.tree.space.pending_room() <= self.tree.update_frees_max() {
            self.ready()?;
            if self.tree.space.pending_room() <= self.tree.update_frees_max() {
                self.drain_some()?;
            }
        }
        if self.tree.space.free(run) { Ok(()) } else { Err(self.needs_memory()) }
    }

    // --- readiness --------------------------------------------------------------------------------------------

    /// Makes the tree ready for one update.
    pub(super) fn ready(&mut self) -> Result<(), Code> {
        self.note_change();
        while !self.tree.is_ready() {
            let starved = self.tree.rows_without_room().minus(self.exhausted);
            let rotatable = starved.iter().find(|&row| !self.tree.space.is_closed_waiting(row, Class::Node));
            let has_nodes = starved.is_empty() && self.rows_for_nodes().len() >= self.copies_needed();
            let is_placeable = self.rows_for_nodes().minus(starved).len() >= self.copies_needed();
            if let Some(row) = rotatable {
                self.rotate_nodes(row)?;
            } else if is_placeable && self.tree.space.pending_room() < self.tree.update_frees_max() {
                // Before anything is recorded, which frees more: the path to the newest dead record is dirty
                // already. Those that have no room meanwhile are given nothing, and are not waited for: on
                // many disks some always are.
                self.drain_some()?;
            } else if let Some(closed) = self.tree.space.next_unrecorded(false) {
                self.record(&closed)?;
            } else if !has_nodes {
                return Err(Code::NoSpace);
            } else {
                break;
            }
        }
        Ok(())
    }

    /// Rows that nodes can be put on.
    fn rows_for_nodes(&self) -> Set<Row> {
        self.tree.data_rows().minus(self.exhausted)
    }

    /// Members that a node must be put on now: as many as it should have replicas, or all there are.
    pub(super) fn copies_needed(&self) -> usize {
        self.tree.copies_wanted().min(self.tree.data_rows().len()).max(1)
    }

    /// Writes the bitmap of an unrecorded group into the tree.
    #[expect(clippy::indexing_slicing, reason = "a group's record is no longer than the buffer for one")]
    fn record(&mut self, which: &crate::space::Unrecorded) -> Result<(), Code> {
        let key = Key::group(which.member, which.group);
        // Dirtied first: what this allocates above the cursor is then in the bitmap that is written.
        self.tree.touch(&key)?;
        match self.tree.space.record(which, self.scratch) {
            Some(bytes) => self.tree.put(&key, &self.scratch[..bytes]),
            None => self.tree.remove(&key),
        }
    }

    /// Moves some freed runs into a dead record, to make room. When there are none, the room there is at all is too
    /// small for a tree as deep as this.
    fn drain_some(&mut self) -> Result<(), Code> {
        if self.tree.space.pending_is_empty() {
            return Err(self.needs_memory());
        }
        self.drain()
    }

    /// Moves some freed runs into a dead record.
    #[expect(clippy::indexing_slicing, reason = "cut to the buffer's length")]
    pub(super) fn drain(&mut self) -> Result<(), Code> {
        let sequence = self.tree.space.superblock.dead_next();
        let key = Key::dead(sequence);
        self.tree.touch(&key)?;
        let longest = value_bytes_max(self.tree.disks.parameters.node_bytes()).min(self.scratch.len());
        let bytes = self.tree.space.drain_pending(&mut self.scratch[..longest]);
        if bytes == 0 {
            return Ok(());
        }
        self.tree.space.superblock.set_dead_next(sequence + 1);
        let records = self.tree.space.superblock.dead_records();
        self.tree.space.superblock.set_dead_records(records + 1);
        self.tree.put(&key, &self.scratch[..bytes])
    }

    /// Brings the free map in the tree up to date: repeated until a pass dirties nothing new.
    pub(super) fn settle(&mut self) -> Result<(), Code> {
        loop {
            self.ready()?;
            if let Some(group) = self.tree.space.next_unrecorded(true) {
                self.record(&group)?;
            } else if !self.tree.space.pending_is_empty() {
                self.drain()?;
            } else {
                return Ok(());
            }
        }
    }

    // --- opening groups ---------------------------------------------------------------------------------------

    /// Closes a row's group for nodes and opens another; where there is none, what became free behind the cursor of
    /// this one will do.
    fn rotate_nodes(&mut self, row: Row) -> Result<(), Code> {
        let Some(area) = self.tree.area(row) else { return Ok(()) };
        let from = self.tree.space.open_group(row, Class::Node).map_or(0, |(group, ..)| group + 1);
        match self.find_group(row, area, from, Wanted::Nodes)? {
            Some(group) => {
                self.tree.space.close(row, Class::Node);
                self.open_group(row, Class::Node, group, area)?;
            }
            None if self.tree.space.rewind(row, Class::Node, NODE_GROUP_FREE_MIN) => {}
            None => self.exhausted = self.exhausted.with(row),
        }
        Ok(())
    }

    /// Takes a run of blocks for data on a member, opening another group where the open one has none: `None` when no
    /// group has.
    pub fn take_run(
        &mut self,
        row: Row,
        blocks: u32,
        purpose: Purpose,
    ) -> Result<Option<BlockAddress>, Code> {
        self.note_change();
        let Some(area) = self.tree.area(row) else { return Ok(None) };
        if let Some(address) = self.tree.space.take_run(row, blocks, area) {
            return Ok(Some(address));
        }
        // Recorded before the search: what this opens for nodes is not found for data any more.
        while self.tree.space.is_closed_waiting(row, Class::Data) {
            self.record_closed()?;
        }
        let from = self.tree.space.open_group(row, Class::Data).map_or(0, |(group, ..)| group + 1);
        let spare = self.spare_for(row, purpose);
        match self.find_group(row, area, from, Wanted::Run { blocks, spare })? {
            Some(group) => {
                self.tree.space.close(row, Class::Data);
                self.open_group(row, Class::Data, group, area)?;
            }
            None if self.tree.space.rewind(row, Class::Data, blocks) => {}
            None => return Ok(None),
        }
        Ok(self.tree.space.take_run(row, blocks, area))
    }

    /// Gives a run back that was just taken and never written to.
    pub fn untake_run(&mut self, run: BlockRun) -> Result<(), Code> {
        let row = self.tree.space.superblock.row_of(run.start.member);
        let area = row.and_then(|row| self.tree.area(row));
        if let (Some(row), Some(area)) = (row, area)
            && self.tree.space.untake_run(row, run, area)
        {
            return Ok(());
        }
        self.free(run)
    }

    /// Closes the open groups for data that nodes could go to; whether there were any.
    pub fn close_data_groups(&mut self) -> Result<bool, Code> {
        self.note_change();
        let mut closed = false;
        for row in self.tree.data_rows().iter() {
            if self.tree.space.room(row, Class::Data) < NODE_GROUP_FREE_MIN {
                continue;
            }
            while self.tree.space.is_closed_waiting(row, Class::Data) {
                self.record_closed()?;
            }
            self.tree.space.close(row, Class::Data);
            closed = true;
        }
        self.exhausted = Set::EMPTY;
        Ok(closed)
    }

    pub(super) fn record_closed(&mut self) -> Result<(), Code> {
        self.ready()?;
        match self.tree.space.next_unrecorded(false) {
            Some(closed) => self.record(&closed),
            None => Ok(()),
        }
    }

    #[expect(clippy::indexing_slicing, reason = "cut to the buffer's length")]
    fn open_group(&mut self, row: Row, class: Class, group: u32, area: Area) -> Result<(), Code> {
        let key = Key::group(self.tree.space.member(row), group);
        let bytes = self.tree.get(&key, self.scratch)?;
        let record = bytes.map(|bytes| &self.scratch[..bytes.min(self.scratch.len())]);
        match self.tree.space.open(row, class, group, record, area) {
            Some(_) => Ok(()),
            None => Err(Code::SystemRecordInvalid),
        }
    }

    /// Where the blocks of the member in a row are, also of one that is away; `None` for a witness or an empty row.
    pub(super) fn row_area(&mut self, row: Row) -> Result<Option<Area>, Code> {
        let member = self.tree.space.member(row);
        if member == MemberNumber::NONE || self.tree.space.superblock.row(row).witness() != 0 {
            return Ok(None);
        }
        if let Some(area) = self.tree.area(row) {
            return Ok(Some(area));
        }
        let group_blocks = u64::from(self.tree.space.group_blocks());
        let area = self.tree.with(&Key::member(member), |record| {
            let record = MemberRecord::new(record?)?;
            let area = Area { start: record.start(), blocks: record.blocks() };
            let groups = units(area.blocks, group_blocks);
            (area.start + area.blocks <= U48_MAX && groups <= u64::from(u32::MAX)).then_some(area)
        })?;
        area.map(Some).ok_or(Code::SystemRecordInvalid)
    }

    /// Brings all open groups back to what superblock and tree say.
    #[expect(clippy::indexing_slicing, reason = "cut to the buffer's length")]
    pub(crate) fn reload_groups(&mut self) -> Result<(), Code> {
        for row in self.tree.space.superblock.table().iter() {
            let Some(area) = self.row_area(row)? else { continue };
            for class in Class::ALL {
                let Some((group, ..)) = self.tree.space.open_group(row, class) else { continue };
                let key = Key::group(self.tree.space.member(row), group);
                let bytes = self.tree.get(&key, self.scratch)?;
                let record = bytes.map(|bytes| &self.scratch[..bytes.min(self.scratch.len())]);
                if self.tree.space.reload(row, class, record, area).is_none() {
                    return Err(Code::SystemRecordInvalid);
                }
            }
        }
        Ok(())
    }

    /// Closes the open groups of members that are given nothing, being away or emptied, so that their records tell their
    /// state.
    pub(super) fn close_groups_of_absent(&mut self) -> Result<(), Code> {
        for row in self.tree.space.superblock.table().minus(self.tree.data_rows()).iter() {
            for class in Class::ALL {
                while self.tree.space.open_group(row, class).is_some()
                    && self.tree.space.is_closed_waiting(row, class)
                {
                    self.record_closed()?;
                }
                self.tree.space.close(row, class);
            }
        }
        Ok(())
    }

    /// The next group, from `from` on and round, that can be opened for what is wanted.
    fn find_group(&mut self, row: Row, area: Area, from: u32, wanted: Wanted) -> Result<Option<u32>, Code> {
        let groups = self.tree.space.groups(area);
        let from = if from < groups { from } else { 0 };
        for (start, end) in [(from, groups), (0, from)] {
            if let Some(group) = self.find_group_between(row, area, start, end, wanted)? {
                return Ok(Some(group));
            }
        }
        Ok(None)
    }

    #[expect(clippy::cast_possible_truncation, reason = "at most the blocks of a group")]
    fn find_group_between(
        &mut self,
        row: Row,
        area: Area,
        start: u32,
        end: u32,
        wanted: Wanted,
    ) -> Result<Option<u32>, Code> {
        let blocks = self.tree.space.group_blocks();
        let member = self.tree.space.member(row);
        let busy = self.tree.space.busy(row);
        let is_free = |group: u32| {
            let free = (area.blocks - u64::from(group) * u64::from(blocks)).min(u64::from(blocks)) as u32;
            !busy.contains(&group) && wanted.accepts_free(free)
        };
        // Groups without a record are free: those between two records, and those after the last.
        let mut expected = start;
        let found = self.tree.scan(&Key::group(member, start), &Key::group(member, end), |key, record| {
            let (_, group) = key.as_group();
            if let Some(free) = (expected..group).find(|&group| is_free(group)) {
                return ControlFlow::Break(free);
            }
            expected = group + 1;
            if !busy.contains(&group) && wanted.accepts(record, blocks) {
                return ControlFlow::Break(group);
            }
            ControlFlow::Continue(())
        })?;
        Ok(found.or_else(|| (expected..end).find(|&group| is_free(group))))
    }
}

/// What a group is wanted for.
#[derive(Clone, Copy)]
enum Wanted {
    Nodes,
    /// A run of blocks; opening the group must not take more than `spare` blocks away from the nodes.
    Run {
        blocks: u32,
        spare: u64,
    },
}

impl Wanted {
    fn accepts_free(self, free: u32) -> bool {
        match self {
            Self::Nodes => free >= NODE_GROUP_FREE_MIN,
            Self::Run { blocks, spare } => {
                free >= blocks && (free < NODE_GROUP_FREE_MIN || u64::from(free) <= spare)
            }
        }
    }

    #[expect(clippy::indexing_slicing, reason = "a record that shows allocated blocks has its first byte")]
    fn accepts(self, record: &[u8], group_blocks: u32) -> bool {
        let Some(allocated) = group::allocated(record, group_blocks) else { return false };
        if allocated == group_blocks || !self.accepts_free(group_blocks - allocated) {
            return false;
        }
        match self {
            Self::Nodes => true,
            Self::Run { blocks, .. } => next_clear_run(&record[1..], 0, blocks, group_blocks).is_some(),
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "33")]
const _: () = assert!(UPDATE_NODES_MAX as u32 <= NODE_GROUP_FREE_MIN);
const _: () = assert!(dead::RUN_BYTES * 2 <= value_bytes_max(crate::limits::NODE_BYTES_MIN));
