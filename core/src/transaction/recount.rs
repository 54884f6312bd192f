//! Parts of the free map replaced by what was counted.

use super::Store;
use crate::error::Code;
use crate::format::key::Key;
use crate::format::record::group;
use crate::powers::over;
use crate::space::{Area, node_free_of};
use crate::types::Row;
use core::ops::ControlFlow;
use dynamicfs_hal::DiskArray;

impl<A: DiskArray> Store<'_, A> {
    /// Replaces the bitmap of a group that is not open; false, and nothing changed, if it is open or not as it `was`.
    #[expect(clippy::indexing_slicing, reason = "a group's record is no longer than the buffer for one")]
    pub(crate) fn replace_group(
        &mut self,
        row: Row,
        (group, area): (u32, Area),
        was: &[u8],
        is: &[u8],
    ) -> Result<bool, Code> {
        // What makes the tree ready may open or close this very group: nothing comes between the look and the put.
        self.ready()?;
        let key = Key::group(self.tree.space.member(row), group);
        let length = self.tree.get(&key, self.scratch)?;
        if group::expand(self.scratch, length, is.len()).is_none() {
            return Err(Code::SystemRecordInvalid);
        }
        let bitmap = &mut self.scratch[1..=is.len()];
        self.tree.space.mark_beyond(bitmap, group, area);
        if self.tree.space.is_busy(row, group) || bitmap != was {
            return Ok(false);
        }
        bitmap.copy_from_slice(is);
        let free = |bits: &[u8]| bits.iter().map(|byte| byte.count_zeros()).sum();
        self.tree.space.count_closed(row, free(was), free(is));
        match group::compact(self.scratch, is.len()) {
            Some(length) => self.tree.put(&key, &self.scratch[..length])?,
            None => self.tree.remove(&key)?,
        }
        Ok(true)
    }

    /// Counts the free blocks of a member by its bitmaps; whether the superblock said something else.
    #[expect(clippy::cast_possible_truncation, reason = "less than the blocks of a group")]
    pub(crate) fn recount_free(&mut self, row: Row, area: Area) -> Result<bool, Code> {
        let (groups, group_blocks) = (self.tree.space.groups(area), self.tree.space.group_blocks());
        let (all, last) = (u64::from(group_blocks), over(area.blocks, u64::from(group_blocks)) as u32);
        let blocks_of = |group: u32| if group + 1 == groups && last != 0 { last } else { group_blocks };
        let whole = u64::from(groups) - u64::from(last != 0);
        // As if all groups were free; then those that have a record, and those whose state is in memory.
        let mut free = area.blocks;
        let mut node_free = whole * all + if last != 0 { node_free_of(last) } else { 0 };
        let mut count = |group: u32, now: u32, for_nodes: u64| {
            let blocks = blocks_of(group);
            // A forged superblock may have one group open twice.
            free = (free + u64::from(now)).saturating_sub(blocks.into());
            node_free = (node_free + for_nodes).saturating_sub(node_free_of(blocks));
        };
        let member = self.tree.space.member(row);
        let busy = self.tree.space.busy_groups(row);
        for group in &busy {
            count(group.group, group.free, group.node_free);
        }
        let (from, end) = (Key::group(member, 0), Key::group(member, groups));
        let invalid = self.tree.scan(&from, &end, |key, record| {
            let (_, group) = key.as_group();
            if busy.iter().any(|busy| busy.group == group) {
                return ControlFlow::Continue(());
            }
            match group::allocated(record, group_blocks) {
                // A whole group's record says so of the blocks beyond the end too.
                Some(allocated) => {
                    let now = (group_blocks - allocated).min(blocks_of(group));
                    count(group, now, node_free_of(now));
                    ControlFlow::Continue(())
                }
                None => ControlFlow::Break(()),
            }
        })?;
        if invalid.is_some() {
            return Err(Code::SystemRecordInvalid);
        }
        let mut row = self.tree.space.superblock.row_mut(row);
        let differs = (row.free(), row.node_free()) != (free, node_free);
        row.set_free(free);
        row.set_node_free(node_free);
        Ok(differs)
    }
}
