//! Rewrites what a read found bad, to new blocks, with a birth of its own. It is a fragment, computed from
//! the others, or a node, with all above it.

use super::Objects;
use super::extents::Found;
use super::rebuild::{Mended, Relocation};
use super::store::PieceWriter;
use crate::build::MANAGE;
use crate::error::Code;
use crate::format::extent::EXTENT_BYTES_MAX;
use crate::transaction::{Purpose, REFRESH_UPDATES};
use crate::types::{BlockAddress, DiskIndex, FragmentIndex, ObjectId};
use dynamicfs_hal::DiskArray;

/// A bad fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repair {
    /// The object.
    pub object: ObjectId,
    /// The first byte of the extent.
    pub start: u64,
    /// Where the bad fragment is.
    pub address: BlockAddress,
}

impl<A: DiskArray> Objects<'_, A> {
    /// Rewrites the next bad fragment that a read found: whether it could, or `None` when there is none. Part of a
    /// transaction.
    ///
    /// A fragment that cannot be computed, or for which there is no space, stays as it is: its readable parts
    /// may be needed.
    pub fn repair_step(&mut self) -> Result<Option<bool>, Code> {
        self.store_filling()?.or_no_space()?;
        let Some(repair) = self.repairs.pop() else { return Ok(None) };
        let healed = self.heal(&repair)?;
        if healed {
            self.note_repair(repair.address);
        }
        Ok(Some(healed))
    }

    /// Writes the next node anew that a read found with a bad replica. Returns whether it could, or `None`
    /// when there is none. Part of a transaction.
    // Not part of its caller: what it takes of the stack is not to lie under the repair of fragments.
    #[inline(never)]
    pub fn repair_node_step(&mut self) -> Result<Option<bool>, Code> {
        let Some(bad) = self.store.tree.bad_nodes.pop() else { return Ok(None) };
        match self.store.tree.is_referenced(&bad) {
            // What is above it cannot be read now.
            Err(Code::NodeUnreadable) => return Ok(Some(false)),
            is_referenced if !is_referenced? => return Ok(Some(false)),
            _ => {}
        }
        if !self.try_begin_change(REFRESH_UPDATES, Purpose::Release)? {
            return Ok(Some(false));
        }
        self.change(|objects| objects.store.refresh(&bad.key))?;
        self.note_repair(bad.address);
        Ok(Some(true))
    }

    /// What reads found bad and was not rewritten yet.
    pub(crate) fn repairs_waiting(&self) -> usize {
        self.repairs.len() + self.store.tree.bad_nodes.len()
    }

    fn note_repair(&mut self, address: BlockAddress) {
        self.store.tree.counters.note(|counters| counters.repairs += 1);
        if let Some(disk) = self.store.tree.disks.disk_of(address.member) {
            self.store.tree.disks.note_repair(disk, address.block);
        }
    }

    fn heal(&mut self, repair: &Repair) -> Result<bool, Code> {
        let super::extents::At::Extent(found) = self.find(repair.object, repair.start)? else {
            return Ok(false);
        };
        let index = found.extent.fragments().iter().position(|fragment| fragment.address == repair.address);
        let (Some(index), true) = (index, found.start == repair.start) else { return Ok(false) };
        if !MANAGE {
            // All of it, in less code than moving one fragment.
            return Ok(self.store_again(repair.object, &found)? == Mended::Done);
        }
        // What is wrong with it was counted when a read found it.
        let counted = self.checksum_errors(repair);
        let mended =
            self.move_fragments(repair.object, &found, Relocation::of(&[FragmentIndex(index).byte()]));
        if let Some((disk, errors)) = counted {
            let state = self.store.tree.disks.state_mut(disk);
            state.watched.note(|watched| watched.counters.checksum_errors = errors);
        }
        Ok(mended? == Mended::Done)
    }

    /// The disk that a bad fragment is on, and its checksum errors so far.
    fn checksum_errors(&self, repair: &Repair) -> Option<(DiskIndex, u64)> {
        let disks = &self.store.tree.disks;
        disks
            .disk_of(repair.address.member)
            .map(|disk| (disk, disks.state(disk).watched.counters.checksum_errors))
    }

    /// Replaces the head of an extent's record, which may be longer now, and moves the checksums behind it.
    /// False if they do not fit the memory.
    pub(super) fn replace_head(&mut self, object: ObjectId, old: &Found, new: &Found) -> Result<bool, Code> {
        let (block_shift, chunk_shift) = (self.block_shift(), self.chunk_shift());
        let head = old.extent.head_bytes();
        let crcs = old.extent.record_bytes(block_shift, chunk_shift) - head;
        self.with_free_window(|objects, window| match window.get_mut(..crcs) {
            None => Ok(false),
            Some(crcs) => objects.move_checksums(object, old, new, head, crcs).map(|()| true),
        })
    }

    #[expect(clippy::indexing_slicing, reason = "as many bytes as were encoded into it")]
    fn move_checksums(
        &mut self,
        object: ObjectId,
        old: &Found,
        new: &Found,
        head: usize,
        crcs: &mut [u8],
    ) -> Result<(), Code> {
        if self.read_record(object, old.start, head, crcs)? < crcs.len() {
            return Err(self.store.tree.disks.about.invalid(object));
        }
        let mut bytes = [0; EXTENT_BYTES_MAX];
        let length = new.extent.encode(&mut bytes);
        let mut writer = PieceWriter { object, key: old.start, filled: 0, bytes: self.piece_bytes() };
        writer.push(self, &bytes[..length])?;
        writer.push(self, crcs)?;
        writer.finish(self)
    }
}
