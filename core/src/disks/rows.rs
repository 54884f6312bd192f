//! Which members take part, and how far each of them is: by their rows of the member table.

use super::{Currency, DiskState, DiskStatus, Disks};
use crate::build::MULTI;
use crate::limits::MEMBERS_MAX;
use crate::types::{DiskIndex, Epoch, Generation, MemberNumber, Row, Set};
use dynamicfs_hal::DiskArray;

impl<A: DiskArray> Disks<'_, A> {
    /// The disk that is this member and takes part.
    pub fn disk_of(&self, member: MemberNumber) -> Option<DiskIndex> {
        self.position(|s| s.status == DiskStatus::Online && s.identity.is_some_and(|i| i.member == member))
    }

    /// The first disk whose state is so.
    pub(super) fn position(&self, is_so: impl Fn(&DiskState) -> bool) -> Option<DiskIndex> {
        self.states.iter().position(is_so).map(DiskIndex)
    }

    /// The disk in this row of the member table, if it takes part.
    pub fn disk_in_row(&self, row: Row) -> Option<DiskIndex> {
        self.position(|s| s.status == DiskStatus::Online && usize::from(s.row) == row.0)
    }

    /// Rows of the members that take part.
    pub fn online(&self) -> Set<Row> {
        self.rows_of(|_| true)
    }

    /// Those of them that are as long as they were: one that was cut is read where nothing is written, and
    /// counts for nothing.
    pub fn sound(&self) -> Set<Row> {
        self.rows_of(|state| !state.is_cut)
    }

    /// Members that may be disks of a copy of the pool.
    pub(crate) fn perhaps_copied(&self) -> Set<Row> {
        self.rows_of(|state| state.may_be_copied)
    }

    /// Rows of the members that take part and are so.
    fn rows_of(&self, is_so: impl Fn(&DiskState) -> bool) -> Set<Row> {
        self.rows_where(|s| s.status == DiskStatus::Online && is_so(s))
    }

    /// Rows of the members whose disks are so.
    fn rows_where(&self, is_so: impl Fn(&DiskState) -> bool) -> Set<Row> {
        let is_in = |s: &DiskState| usize::from(s.row) < MEMBERS_MAX && is_so(s);
        self.states.iter().filter(|s| is_in(s)).map(|s| Row::from(s.row)).collect()
    }

    /// Rows of the members that are here, also of those that the operator took out of use.
    pub fn present(&self) -> Set<Row> {
        self.rows_where(|s| matches!(s.status, DiskStatus::Online | DiskStatus::Excluded))
    }

    /// Whether the member in this row is here and has this state as its newest.
    pub(crate) fn is_row_at(&self, row: Row, order: (Epoch, Generation)) -> bool {
        self.states.iter().any(|s| {
            let is_here = matches!(s.status, DiskStatus::Online | DiskStatus::Excluded);
            is_here && usize::from(s.row) == row.0 && s.order == order
        })
    }

    /// Rows of the members that take part and have another state than this as their newest.
    pub(crate) fn rows_not_at(&self, order: (Epoch, Generation)) -> Set<Row> {
        self.rows_of(|state| state.order != order)
    }

    /// Whether the label of one of these members names features that a writer must know, and this code does
    /// not.
    pub(crate) fn must_not_write(&self, rows: Set<Row>) -> bool {
        self.states.iter().any(|s| s.must_not_write && rows.contains(s.row.into()))
    }

    /// Rows of the members that lost what they had acknowledged, and have not been given this state yet.
    pub(crate) fn rolled_back(&self, order: (Epoch, Generation)) -> Set<Row> {
        // Others tell that of a disk.
        if !MULTI {
            return Set::EMPTY;
        }
        self.rows_of(|state| {
            state.currency == Currency::RolledBack && (state.order < order || state.lost_end)
        })
    }

    /// The newest commit whose data the member in this row still has. `newest` is the history's newest epoch,
    /// and `began` the generation with which it began. The member became absent in one of some states;
    /// `roots` are the checksums of their roots.
    ///
    /// One that is in none of them any more went back, or is of a copy of the pool. If it went back further
    /// than the mount before, it may have a state that the others went on without. It is not known where the
    /// two parted, so nothing that it has counts then. Nor does it where no other disk has been in its state.
    pub(crate) fn still_has(
        &self,
        row: Row,
        (newest, began): (Epoch, Generation),
        roots: Option<[u32; 2]>,
    ) -> Option<Generation> {
        let state = self.state(self.disk_in_row(row)?);
        let (epoch, generation) = state.order;
        let is_beside = epoch < newest && (generation >= began || epoch.0 + 1 < newest.0);
        let is_unknown = state.currency != Currency::Current
            && !roots.is_some_and(|roots| roots.contains(&state.root_crc))
            && (is_beside || state.is_unconfirmed);
        Some(if state.lost_end || is_unknown { Generation(0) } else { generation })
    }

    /// Whether a disk was cut and enlarged again, and no commit says so yet.
    pub(crate) fn any_lost_end(&self) -> bool {
        !self.rows_of(|state| state.lost_end).is_empty()
    }

    /// Whether each of these members that takes part has this state as its newest, for certain.
    pub(crate) fn are_all_at(&self, rows: Set<Row>, order: (Epoch, Generation)) -> bool {
        self.states
            .iter()
            .filter(|state| state.status == DiskStatus::Online && rows.contains(state.row.into()))
            .all(|state| state.order == order && !state.may_hold_more && !state.lost_end)
    }

    /// Rows of the members that take part and have a place for superblocks that could be read in neither
    /// ring.
    pub(crate) fn rows_with_lost_slots(&self) -> Set<Row> {
        self.rows_of(|state| state.has_lost_slot)
    }
}
