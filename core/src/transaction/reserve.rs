//! How much space there must be before something is changed, and what is kept back for deleting and recovery.

use super::memory::{GROWTH_NODES, nodes_for};
use super::{Memory, Store};
use crate::build::{MANAGE, MULTI};
use crate::error::Code;
use crate::format::node::{RECORD_OVERHEAD, value_bytes_max};
use crate::format::record::{dead, group};
use crate::types::Row;
use dynamicfs_hal::DiskArray;

/// The reason for which space is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Something grows: what is kept back stays, and what is promised to members that are being emptied.
    Growth,
    /// Something moves: what is kept back stays.
    Move,
    /// Something is deleted or recovered: what is kept for a sweep stays.
    Release,
}

impl<A: DiskArray> Store<'_, A> {
    /// Node blocks on each member that only deleting and recovery may use. Why they are enough, whatever the pool holds:
    ///
    /// - Whatever is deleted, an operation changes records in a few places: a name, two inodes, an orphan, and what one leaf
    ///   holds. Its contents go leaf by leaf in commits of upkeep, each leaf only where there is room for it. So no
    ///   operation that frees takes more than `operation_blocks(RELEASE_UPDATES)`, be the object as it may.
    /// - The transaction that filled the pool still commits, and so does one that deletes: twice `commit_blocks`.
    /// - What they freed comes back by a sweep of the whole pool, whose commit is the third. An operation that frees begins
    ///   only where both are left ([`kept_back`](Self::kept_back)), so the sweep it may lead to never ends half-way.
    ///
    /// What a sweep gives back in groups of less than [`NODE_GROUP_FREE_MIN`](crate::limits::NODE_GROUP_FREE_MIN) free blocks is of no use for nodes. Where
    /// that is all there is, an operation that frees may take what was kept for a sweep: there is nothing left to sweep
    /// ([`has_last_room`](Self::has_last_room)).
    pub(super) fn reserve_blocks(&self) -> u64 {
        self.sweep_blocks() + 3 * self.commit_blocks() + self.operation_blocks(RELEASE_UPDATES)
    }

    /// Node blocks that a sweep of all groups takes from one member. They are their leaves, the nodes above
    /// them, and the path to the dead records and back.
    fn sweep_blocks(&self) -> u64 {
        let depth = u64::from(self.tree.level) + 1;
        let leaves = self.group_leaves();
        self.copies_on_a_member() * (leaves + leaves / 4 + 2 * depth)
    }

    /// Blocks on each member that stay free when the pool is full, so that deleting and recovery can go on.
    pub fn blocks_kept_back(&self) -> u64 {
        self.kept_back(Purpose::Move)
    }

    /// The same on so many members, if these are all that are left: one alone has two replicas of each node.
    pub fn blocks_kept_back_on(&self, members: usize) -> u64 {
        let becomes_alone = members == 1 && self.copies_on_a_member() == 1;
        self.blocks_kept_back() << u32::from(becomes_alone)
    }

    /// Free blocks on each member beyond those that may be left when nothing more can be stored. A group is
    /// not opened for contents where nodes may need it, and the last thing that was refused left what it
    /// would have taken.
    pub fn blocks_left_over(&self) -> u64 {
        u64::from(self.tree.space.group_blocks()) + 2 * self.operation_blocks(RELEASE_UPDATES)
    }

    /// Blocks that something refers to on a member, or that wait to be given back.
    pub fn blocks_held(&self, row: Row) -> u64 {
        let blocks = self.tree.area(row).map_or(0, |area| area.blocks);
        blocks.saturating_sub(self.committed().row(row).free())
    }

    /// Free blocks of a member that nothing may grow into, because what lies on members that are being
    /// emptied will go there. It is spread as the free blocks are, and a group more, since the last one is
    /// not filled. Without them a drain would end half-way where a pool is filled meanwhile. It would have
    /// taken what deleting needs, since nodes that move free nothing where they go to.
    #[expect(clippy::cast_possible_truncation, reason = "scaled to 20 bits")]
    fn blocks_promised(&self, row: Row) -> u64 {
        if !MANAGE {
            // Nothing empties a member.
            return 0;
        }
        let leaving: u64 = self.roster.draining.iter().map(|row| self.blocks_held(row)).sum();
        if leaving == 0 {
            return 0;
        }
        let free_of = |row: Row| self.tree.space.superblock.row(row).free();
        let free: u64 = self.tree.data_rows().iter().map(free_of).sum();
        // In parts of 1024.
        let scale = (64 - free.leading_zeros()).saturating_sub(20);
        let (part, whole) = ((leaving.min(free) >> scale) as u32 + 1, (free >> scale) as u32);
        let share = (part << 10).div_ceil(whole.max(1));
        ((free_of(row) * u64::from(share)) >> 10).saturating_add(self.tree.space.group_blocks().into())
    }

    /// Node blocks that an operation of this many tree updates may take from one member. They are the paths
    /// to the places where it changes records, below their shared root. A leaf more for each update, and one
    /// update in full, come on top.
    fn operation_blocks(&self, updates: u32) -> u64 {
        let paths = updates.min(PLACES_MAX) * u32::from(self.tree.level) + 1;
        let nodes = paths.saturating_add(updates).saturating_add(self.tree.update_nodes_max());
        self.copies_on_a_member() * u64::from(nodes)
    }

    /// Node blocks that a commit may take from one member, beside those of its operations. The records of
    /// open and closed groups, of members and of dead entries lie side by side at the beginning of the tree.
    fn commit_blocks(&self) -> u64 {
        let depth = u64::from(self.tree.level) + 1;
        let groups = (4 * self.tree.data_rows().len() as u64).min(self.group_leaves());
        self.copies_on_a_member() * (2 * groups + 3 * depth + 10)
    }

    /// Node blocks on one member for the dead records of the runs that wait to be noted down.
    fn pending_blocks(&self) -> u64 {
        let node = self.tree.disks.parameters.node_bytes();
        let record = value_bytes_max(node);
        let runs = self.tree.space.pending_max() - self.tree.space.pending_room();
        let records = runs.div_ceil(record / dead::RUN_BYTES);
        let leaves = records / (node / (record + RECORD_OVERHEAD)).max(1);
        self.copies_on_a_member() * (leaves + leaves / 4) as u64
    }

    /// Leaves that the records of all groups take when they are half full.
    #[expect(clippy::cast_possible_truncation, reason = "records in half a node of at most 16 KiB")]
    fn group_leaves(&self) -> u64 {
        let node = self.tree.disks.parameters.node_bytes();
        let record = group::bytes_max(self.tree.space.group_blocks()) + RECORD_OVERHEAD;
        let rows = self.tree.data_rows();
        let areas = rows.iter().filter_map(|row| self.tree.area(row));
        let groups = areas.map(|area| self.tree.space.groups(area)).fold(0, u32::saturating_add);
        groups.div_ceil((node / 2 / record).max(1) as u32).into()
    }

    /// Replicas of a node that one member may have to hold: two where it is alone. It counts as alone where it
    /// may be, once as many members are lost as the pool bears. What is kept back is so much from the
    /// beginning, because a full pool cannot keep more back when it loses them.
    fn copies_on_a_member(&self) -> u64 {
        if !MULTI {
            return 2;
        }
        let superblock = &self.tree.space.superblock;
        let left = self.holders(superblock.table()).len().saturating_sub(superblock.tolerance().into());
        if left.min(self.tree.data_rows().len()) <= 1 { 2 } else { 1 }
    }

    /// Node blocks on each member that stay when something is done for this, without what is promised.
    fn kept_back(&self, purpose: Purpose) -> u64 {
        match purpose {
            Purpose::Growth | Purpose::Move => self.reserve_blocks(),
            Purpose::Release => self.commit_blocks() + self.sweep_blocks(),
        }
    }

    /// Node blocks of a row that may be taken for this.
    pub(super) fn spare_for(&self, row: Row, purpose: Purpose) -> u64 {
        self.spare_beyond(self.kept_back(purpose), row, purpose)
    }

    /// The same, where it is known what is kept back on each member.
    fn spare_beyond(&self, kept_back: u64, row: Row, purpose: Purpose) -> u64 {
        let promised = if purpose == Purpose::Growth { self.blocks_promised(row) } else { 0 };
        self.node_spare(row, kept_back.saturating_add(promised))
    }

    /// Node blocks of a row beyond those that stay.
    fn node_spare(&self, row: Row, kept_back: u64) -> u64 {
        self.tree.space.superblock.row(row).node_free().saturating_sub(kept_back)
    }

    /// Whether the tree, as high as it is and may become, can be changed in the lent memory. A tree that grew
    /// in some memory can be emptied in it too.
    pub fn check_memory(&mut self, purpose: Purpose) -> Result<(), Code> {
        let levels = usize::from(self.tree.level) + 1;
        let (nodes, frees) = match purpose {
            Purpose::Growth => (nodes_for(levels) + GROWTH_NODES, self.tree.frees_max(levels + 1)),
            Purpose::Move | Purpose::Release => (nodes_for(levels), self.tree.frees_max(levels)),
        };
        if self.tree.cache.capacity() >= nodes && self.tree.space.pending_max() > frees {
            return Ok(());
        }
        Err(self.needs_memory())
    }

    /// The error of memory that is too small for the tree, with what would do.
    pub(super) fn needs_memory(&mut self) -> Code {
        let levels = usize::from(self.tree.level) + 1;
        let bytes = Memory::bytes_for_levels(&self.tree.disks.parameters, levels);
        self.tree.disks.about.needs(bytes)
    }

    /// Whether an operation of this many tree updates finds space for its nodes, and the commit after it.
    pub fn has_room(&self, updates: u32, purpose: Purpose) -> bool {
        let kept_back = self.kept_back(purpose);
        self.is_enough(updates, |row| self.spare_beyond(kept_back, row, purpose))
    }

    /// Whether it does with what is kept for a sweep: when there is nothing to be swept, and something is to be freed.
    pub fn has_last_room(&self, updates: u32) -> bool {
        let kept_back = self.commit_blocks();
        self.is_enough(updates, |row| self.node_spare(row, kept_back))
    }

    fn is_enough(&self, updates: u32, spare: impl Fn(Row) -> u64) -> bool {
        let needed = self.operation_blocks(updates) + self.pending_blocks();
        let rows = self.tree.data_rows();
        rows.iter().filter(|&row| spare(row) >= needed).count() >= self.copies_needed()
    }
}

/// Tree updates that writing a way through the tree anew takes.
pub const REFRESH_UPDATES: u32 = 2;

/// Tree updates of an operation that deletes something: a name, two inodes, an orphan, what one leaf holds.
pub const RELEASE_UPDATES: u32 = 10;

/// Places of the tree in which one operation changes records: an inode, a directory and another, a run of
/// extents, dead entries and groups.
const PLACES_MAX: u32 = 5;
