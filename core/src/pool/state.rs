//! Which members there are, and how each counts.

use super::Pool;
use super::read::ask;
use crate::error::Error;
use crate::format::record::MemberState;
use crate::transaction::{Purpose, Roster};
use crate::types::{DiskIndex, MemberNumber, Row, Set};
use dynamicfs_hal::DiskArray;

/// The members by how they count, as rows of the member table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Members {
    /// All of them.
    pub table: Set<Row>,
    /// Those that the last commit's list names: more than half of them mount the pool.
    pub listed: Set<Row>,
    /// Those that are here, also where the operator took them out of use.
    pub present: Set<Row>,
    /// Those that take part.
    pub online: Set<Row>,
    /// Those of them whose disk is as long as it was.
    pub sound: Set<Row>,
    /// Those of them that are given data.
    pub given: Set<Row>,
    /// Those that are owed something, as the last commit says.
    pub owed: Set<Row>,
    /// Those on which something may lie that is not there, or not to be trusted: so many fewer may be lost.
    pub unhealed: Set<Row>,
}

/// A member, as the member table says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Member {
    /// Its number.
    pub number: MemberNumber,
    /// It holds no data.
    pub witness: bool,
    /// Blocks that are free on it.
    pub free_blocks: u64,
    /// Blocks that something refers to, or that wait to be given back; 0 where it does not take part.
    pub held_blocks: u64,
}

impl<A: DiskArray> Pool<'_, A> {
    /// The members by how they count.
    pub fn members(&self) -> Members {
        let store = &self.objects.store;
        let (superblock, disks) = (store.committed(), &store.tree.disks);
        Members {
            table: superblock.table(),
            listed: superblock.lists().members,
            present: disks.present(),
            online: disks.online(),
            sound: disks.sound(),
            given: store.tree.data_rows(),
            owed: superblock.owed(),
            unhealed: store.unhealed(),
        }
    }

    /// What the members' records say.
    pub const fn roster(&self) -> &Roster {
        self.objects.store.roster()
    }

    /// The member in a row of the member table, if there is one.
    pub fn member_in(&self, row: Row) -> Option<Member> {
        let store = &self.objects.store;
        let superblock = store.committed();
        superblock.table().contains(row).then(|| Member {
            number: store.tree.space.member(row),
            witness: superblock.row(row).witness() != 0,
            free_blocks: superblock.row(row).free(),
            held_blocks: store.blocks_held(row),
        })
    }

    /// The row of a member in the member table.
    pub fn row_of(&self, member: MemberNumber) -> Option<Row> {
        self.objects.store.committed().row_of(member)
    }

    /// The disk of the array that a member's data is on, if it takes part.
    pub fn disk_of(&self, member: MemberNumber) -> Option<DiskIndex> {
        self.objects.store.tree.disks.disk_of(member)
    }

    /// The number that the next new member is given: those that ever were have smaller ones.
    pub fn next_member(&self) -> MemberNumber {
        MemberNumber(self.objects.store.committed().next_member())
    }

    /// Calls `f` with each member's number, its state, and the blocks of its disk.
    ///
    /// # Errors
    /// What disks and tree answered.
    pub fn each_member(&mut self, mut f: impl FnMut(MemberNumber, MemberState, u64)) -> Result<(), Error> {
        ask(self, |objects| {
            objects.store.each_member(|member, record| {
                f(member, MemberState::from_number(record.state()), record.blocks());
            })
        })
    }

    /// Whether a mount for writing would take writes, of these disks and of the state that was found on them.
    pub fn may_be_written(&self) -> bool {
        self.objects.store.may_be_written()
    }

    /// Whether the pool took writes if the members in these rows were away too.
    pub fn bears_without(&self, lost: Set<Row>) -> bool {
        self.objects.store.bears_without(lost)
    }

    /// Whether every member takes part and is owed nothing, and nothing is short of what was asked for.
    pub fn is_whole(&self) -> bool {
        self.objects.is_whole()
    }

    /// Blocks of each member that nothing may grow into: kept for the tree and for deleting.
    pub fn reserved_blocks(&self) -> u64 {
        self.objects.store.blocks_kept_back() + self.objects.store.blocks_left_over()
    }

    /// Whether the tree has space for this many updates of something that grows.
    pub fn has_room_for(&self, updates: u32) -> bool {
        self.objects.store.has_room(updates, Purpose::Growth)
    }
}
