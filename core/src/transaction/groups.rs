//! What the free map says of a group, wherever that stands: in memory while the group is open, else in its record.

use super::Store;
use crate::error::Code;
use crate::format::key::Key;
use crate::format::record::group;
use crate::types::{MemberNumber, Row};
use core::ops::ControlFlow;
use dynamicfs_hal::DiskArray;

impl<A: DiskArray> Store<'_, A> {
    /// The first group from `first` on in which anything is allocated: all others are passed over, however many an
    /// absent member's record claims.
    pub(crate) fn next_group_in_use(
        &mut self,
        row: Row,
        member: MemberNumber,
        first: u32,
        groups: u32,
    ) -> Result<Option<u32>, Code> {
        let (from, end) = (Key::group(member, first), Key::group(member, groups));
        let mut next = self.tree.scan(&from, &end, |key, _| ControlFlow::Break(key.as_group().1))?;
        for busy in self.tree.space.busy(row) {
            if (first..groups).contains(&busy) && next.is_none_or(|next| busy < next) {
                next = Some(busy);
            }
        }
        Ok(next)
    }

    /// Fills `bits` with the bitmap of a group: a bit for each block, set if it is allocated. No transaction may have changed
    /// anything yet: in one there are groups that are neither open nor recorded.
    pub(crate) fn group_bitmap(&mut self, row: Row, group: u32, bits: &mut [u8]) -> Result<(), Code> {
        debug_assert!(self.tree.space.next_unrecorded(false).is_none(), "closed groups are recorded");
        let space = &self.tree.space;
        if let Some(class) = space.open_class(row, group) {
            bits.copy_from_slice(space.open_bitmap(row, class));
            return Ok(());
        }
        let key = Key::group(space.member(row), group);
        let loaded = self.tree.with(&key, |record| group::load(record, bits))?;
        loaded.ok_or(Code::SystemRecordInvalid)
    }
}
