//! Rewriting a fragment that a read found bad: reconstructed from the others, to new blocks, with a birth of its own.

use super::Objects;
use super::extents::{Found, PieceWriter};
use crate::error::{Error, StorageError};
use crate::format::extent::EXTENT_BYTES_MAX;
use crate::transaction::Purpose;
use crate::types::{BlockAddress, BlockRun, MemberSet, ObjectId};
use dynamicfs_hal::{DiskArray, Request};

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
    /// A fragment that cannot be reconstructed, or for which there is no space, stays as it is: what can still be read of
    /// it may be needed.
    pub fn repair_step(&mut self) -> Result<Option<bool>, Error> {
        if !self.store_filling()? {
            return Err(StorageError::NoSpace.into());
        }
        let Some(repair) = self.repairs.pop() else { return Ok(None) };
        self.begin_change(16, Purpose::Release)?;
        self.change(|objects| {
            let healed = match objects.heal(&repair) {
                // Lost beyond repair, or overwritten since: nothing was changed.
                Err(Error::Unreadable { .. }) => false,
                healed => healed?,
            };
            if healed {
                objects.store.tree.counters.repairs += 1;
                if let Some(disk) = objects.store.tree.disks.disk_of(repair.address.member) {
                    objects.store.tree.disks.note_repair(disk);
                }
            }
            Ok(Some(healed))
        })
    }

    fn heal(&mut self, repair: &Repair) -> Result<bool, Error> {
        let super::extents::At::Extent(found) = self.find(repair.object, repair.start)? else {
            return Ok(false);
        };
        let index = found.extent.fragments().iter().position(|fragment| fragment.address == repair.address);
        let (Some(index), true) = (index, found.start == repair.start) else { return Ok(false) };
        let blocks = found.extent.fragment_blocks(self.block_shift());
        let Some(address) = self.allocate_for(&found, index, blocks)? else { return Ok(false) };
        let old = BlockRun { start: repair.address, blocks };
        // What is wrong with it was counted when a read found it.
        let counted = self.checksum_errors(repair);
        let rewritten = self.rewrite(repair.object, &found, index, address);
        if let Some((disk, errors)) = counted {
            self.store.tree.disks.state_mut(disk).counters.checksum_errors = errors;
        }
        if let Err(error) = rewritten {
            self.store.free(BlockRun { start: address, blocks })?;
            return Err(error);
        }
        let mut healed = found.clone();
        healed.extent.heal(index, address, self.store.tree.generation);
        if !self.replace_head(repair.object, &found, &healed)? {
            self.store.free(BlockRun { start: address, blocks })?;
            return Ok(false);
        }
        self.store.free(old)?;
        Ok(true)
    }

    /// The disk that a bad fragment is on, and its checksum errors so far.
    fn checksum_errors(&self, repair: &Repair) -> Option<(usize, u64)> {
        let disks = &self.store.tree.disks;
        disks.disk_of(repair.address.member).map(|disk| (disk, disks.state(disk).counters.checksum_errors))
    }

    /// A place for a healed fragment: on its own disk, or on one that has no other fragment of the stripe.
    fn allocate_for(
        &mut self,
        found: &Found,
        index: usize,
        blocks: u32,
    ) -> Result<Option<BlockAddress>, Error> {
        let rows = self.store.tree.data_rows();
        let row_of = |objects: &Self, i: usize| {
            let member = found.extent.fragments()[i].address.member;
            rows.iter().find(|&row| objects.store.tree.space.member(row) == member)
        };
        let used = (0..found.extent.fragments().len())
            .filter_map(|i| row_of(self, i))
            .fold(MemberSet::EMPTY, MemberSet::with);
        for row in row_of(self, index).into_iter().chain(rows.minus(used).iter()) {
            if let Some(address) = self.store.take_run(row, blocks, Purpose::Growth)? {
                return Ok(Some(address));
            }
        }
        Ok(None)
    }

    /// Writes a fragment anew, column by column, from what else there is.
    fn rewrite(
        &mut self,
        object: ObjectId,
        found: &Found,
        index: usize,
        address: BlockAddress,
    ) -> Result<(), Error> {
        let written = self.each_part(found, |objects, first, part| {
            objects.read_fragment(object, found, index, first, part)?;
            let disks = &mut objects.store.tree.disks;
            let at = (first << disks.parameters.chunk_shift) as u64;
            Ok(disks
                .locate(address, at)
                .is_some_and(|(disk, lba)| disks.execute_one(Request::write(disk, lba, part)).is_ok()))
        })?;
        if written { Ok(()) } else { Err(Error::Unreadable { object, offset: found.start }) }
    }

    /// Replaces the head of an extent's record, which may be longer now, and moves the checksums behind it; false if
    /// they do not fit the memory there is.
    fn replace_head(&mut self, object: ObjectId, old: &Found, new: &Found) -> Result<bool, Error> {
        let (block_shift, chunk_shift) = (self.block_shift(), self.chunk_shift());
        let head = old.extent.head_bytes();
        let crcs = old.extent.record_bytes(block_shift, chunk_shift) - head;
        self.with_window(|objects, window| match window.get_mut(..crcs) {
            None => Ok(false),
            Some(crcs) => objects.move_checksums(object, old, new, head, crcs).map(|()| true),
        })
    }

    fn move_checksums(
        &mut self,
        object: ObjectId,
        old: &Found,
        new: &Found,
        head: usize,
        crcs: &mut [u8],
    ) -> Result<(), Error> {
        if self.read_record(object, old.start, head, crcs)? < crcs.len() {
            return Err(StorageError::RecordInvalid { object }.into());
        }
        let mut bytes = [0; EXTENT_BYTES_MAX];
        let length = new.extent.encode(&mut bytes);
        let mut writer = PieceWriter { object, key: old.start, filled: 0, bytes: self.piece_bytes() };
        writer.push(self, &bytes[..length])?;
        writer.push(self, crcs)?;
        writer.finish(self)
    }
}
