//! Cutting, growing and deleting contents.
//!
//! What is long goes step by step: an *orphan* record says from where on an object's extents are no longer wanted, and
//! maintenance frees them in bounded commits. They count as referenced until then.

use super::extents::EXTENT_KEYS;
use super::inode::no_contents;
use super::{Filling, Objects};
use crate::error::{Error, StorageError};
use crate::format::inode::{Inode, ObjectKind};
use crate::format::key::{Key, Kind};
use crate::format::record::OrphanRecord;
use crate::limits::OBJECT_BYTES_MAX;
use crate::transaction::{Purpose, RELEASE_UPDATES};
use crate::types::ObjectId;
use core::ops::ControlFlow;
use dynamicfs_hal::DiskArray;

/// Extents that are freed at once where there is room for the nodes that this dirties; more become an orphan.
const FREE_AT_ONCE: core::ops::RangeInclusive<usize> = 8..=128;

/// Node blocks for each of them: its record's leaf, and dead records.
const BLOCKS_PER_EXTENT: u64 = 4;

/// Records of a deleted object, other than extents, that one step removes.
const RECORDS_AT_ONCE: usize = 1024;

/// Bytes of an orphan record.
const ORPHAN: usize = OrphanRecord::<&[u8]>::BYTES;

impl<A: DiskArray> Objects<'_, A> {
    /// Sets the size of an object's contents; what it grows by reads as zeros.
    pub fn truncate(&mut self, object: ObjectId, size: u64) -> Result<(), Error> {
        if size > OBJECT_BYTES_MAX {
            return Err(Error::TooLarge);
        }
        self.store.check()?;
        let mut inode = self.inode(object)?;
        if inode.kind != ObjectKind::File {
            return Err(no_contents(&inode));
        }
        self.finish_orphan(object)?;
        let purpose = if size < inode.size { Purpose::Release } else { Purpose::Growth };
        self.begin_change(8 + self.window_updates(&inode), purpose)?;
        let done = self.change(|objects| {
            let done = match inode.inline {
                true if size <= objects.inline_max() => objects.cut_inline(object, &inode, size)?,
                true => objects.move_out(object, &mut inode)?,
                false if size < inode.size => objects.cut_extents(object, &inode, size)?,
                false => true,
            };
            if done {
                objects.resize(object, &mut inode, size)?;
            }
            Ok(done)
        })?;
        if done { Ok(()) } else { Err(StorageError::NoSpace.into()) }
    }

    /// Shortens the record, so that what is cut off reads as zeros if the object grows again.
    fn cut_inline(&mut self, object: ObjectId, inode: &Inode, size: u64) -> Result<bool, Error> {
        if size >= inode.size {
            return Ok(true);
        }
        let piece = core::mem::take(&mut self.store.piece);
        let cut = self.read_inline(object, 0, &mut piece[..size as usize]).and_then(|()| {
            Ok(self.store.put(&Key::new(object, Kind::Inline, 0), &piece[..size as usize])?)
        });
        self.store.piece = piece;
        cut.map(|()| true)
    }

    /// Frees what lies beyond `size`; false, and nothing changed, when there is no space for what of it must be rewritten.
    fn cut_extents(&mut self, object: ObjectId, inode: &Inode, size: u64) -> Result<bool, Error> {
        let extent = self.extent_bytes(inode);
        let start = size - size % extent;
        let kept = match size == start {
            // An extent longer than a window begins before what is cut off and reaches into it.
            true => self.store_filling()? && self.cut_to_windows(object, inode, start, extent)?,
            false => {
                let whole = self.cut_window(object, inode, (start, extent), size)?;
                whole
                    || self
                        .piece_at(object, inode, size - 1)
                        .and_then(|piece| self.cut_window(object, inode, piece, size))?
            }
        };
        if !kept {
            return Ok(false);
        }
        // Behind the last byte that is kept nothing begins but what is cut off.
        let beyond = size.next_multiple_of(EXTENT_KEYS);
        let at_once = self.free_at_once();
        if self.free_extents(object, beyond, u64::MAX, at_once)? == at_once {
            self.put_orphan(object, beyond, false)?;
        }
        Ok(true)
    }

    /// Loads a window, or an extent in it, and stores it again without what lies beyond `size`; false, and nothing changed,
    /// when there is no space for that.
    fn cut_window(
        &mut self,
        object: ObjectId,
        inode: &Inode,
        (start, length): (u64, u64),
        size: u64,
    ) -> Result<bool, Error> {
        if (!self.is_filling(object, start) || self.is_tight(inode)) && !self.store_filling()? {
            return Ok(false);
        }
        let is_pending = self.is_filling(object, start);
        if !is_pending && !self.begin_window(object, inode, (start, length), 0)? {
            return Ok(false);
        }
        let bytes = self.filling.map_or(0, |filling| filling.bytes).min((size - start) as usize);
        self.filling = (bytes > 0).then_some(Filling { object, start, bytes });
        let stored = self.store_filling_for(Purpose::Release)?;
        if !stored {
            self.filling = None;
        }
        // What earlier writes left there could be stored, or they would not have left it.
        if is_pending && !stored { Err(StorageError::NoSpace.into()) } else { Ok(stored) }
    }

    /// Extents that may be freed in one operation.
    fn free_at_once(&self) -> usize {
        let room = self.store.release_room() / BLOCKS_PER_EXTENT;
        (room.min(1 << 20) as usize).clamp(*FREE_AT_ONCE.start(), *FREE_AT_ONCE.end())
    }

    // --- deleting ---------------------------------------------------------------------------------------------

    /// Deletes an object that has no name any more: at once if it is small, else as an orphan.
    pub(super) fn delete(&mut self, object: ObjectId, inode: &mut Inode) -> Result<(), Error> {
        if self.filling.is_some_and(|filling| filling.object == object) {
            self.filling = None;
        }
        let superblock = &mut self.store.tree.space.superblock;
        let objects = superblock.objects();
        superblock.set_objects(objects.saturating_sub(1));
        if inode.kind != ObjectKind::Directory {
            self.count_content(inode.size, 0);
        }
        let at_once = self.free_at_once();
        let freed = self.free_extents(object, 0, u64::MAX, at_once)?;
        if freed < at_once && self.remove_records(object)? {
            return self.remove_orphan(object);
        }
        inode.links = 0;
        self.put_inode(object, inode)?;
        self.put_orphan(object, 0, true)
    }

    /// Removes an object's records when no extent is left; false if there are more than one step takes.
    fn remove_records(&mut self, object: ObjectId) -> Result<bool, Error> {
        let (from, end) = (Key::object_start(object), Key::object_end(object));
        Ok(self.store.remove_range(&from, &end, RECORDS_AT_ONCE, |_, _| {})? < RECORDS_AT_ONCE)
    }

    // --- orphans ----------------------------------------------------------------------------------------------

    fn put_orphan(&mut self, object: ObjectId, offset: u64, whole: bool) -> Result<(), Error> {
        let key = Key::orphan(object);
        let known = self.store.tree.with(&key, |record| record.is_some())?;
        let mut bytes = [0; ORPHAN];
        if let Some(mut record) = OrphanRecord::new(&mut bytes[..]) {
            record.set_offset(offset);
            record.set_whole(whole.into());
        }
        self.store.put(&key, &bytes)?;
        let orphans = self.store.tree.space.superblock.orphans();
        self.store.tree.space.superblock.set_orphans(orphans + u32::from(!known));
        Ok(())
    }

    fn remove_orphan(&mut self, object: ObjectId) -> Result<(), Error> {
        let key = Key::orphan(object);
        if self.store.tree.with(&key, |record| record.is_some())? {
            self.store.remove(&key)?;
            let orphans = self.store.tree.space.superblock.orphans();
            self.store.tree.space.superblock.set_orphans(orphans.saturating_sub(1));
        }
        Ok(())
    }

    /// Frees the rest of what was cut off an object earlier, before it can grow over it.
    pub(super) fn finish_orphan(&mut self, object: ObjectId) -> Result<(), Error> {
        if self.store.tree.space.superblock.orphans() == 0 {
            return Ok(());
        }
        let record = self.store.tree.with(&Key::orphan(object), |record| {
            OrphanRecord::new(record?).map(|record| (record.offset(), record.whole() != 0))
        })?;
        let Some((offset, whole)) = record else { return Ok(()) };
        loop {
            self.begin_change(RELEASE_UPDATES, Purpose::Release)?;
            if self.change(|objects| objects.reap(object, offset, whole))? {
                return Ok(());
            }
        }
    }

    /// Frees some of what an orphan still has, and its record with the last of it; whether that was the last.
    fn reap(&mut self, object: ObjectId, offset: u64, whole: bool) -> Result<bool, Error> {
        let at_once = self.free_at_once();
        let freed = self.free_extents(object, offset, u64::MAX, at_once)?;
        let last = freed < at_once && (!whole || self.remove_records(object)?);
        if last {
            self.remove_orphan(object)?;
        }
        Ok(last)
    }

    /// Frees some of what an orphan still has; false when there is no orphan. Part of a transaction.
    pub fn reap_step(&mut self) -> Result<bool, Error> {
        if self.store.tree.space.superblock.orphans() == 0 {
            return Ok(false);
        }
        self.begin_change(RELEASE_UPDATES, Purpose::Release)?;
        self.change(|objects| {
            let (first, end) = (Key::orphan(ObjectId(0)), Key::orphan(ObjectId(u64::MAX)));
            let orphan = objects.store.tree.scan(&first, &end, |key, record| {
                ControlFlow::Break((
                    ObjectId(key.offset()),
                    OrphanRecord::new(record).map(|r| (r.offset(), r.whole() != 0)),
                ))
            })?;
            let Some((object, record)) = orphan else {
                objects.store.tree.space.superblock.set_orphans(0);
                return Ok(false);
            };
            let (offset, whole) =
                record.ok_or(Error::Storage(StorageError::RecordInvalid { object: ObjectId::SYSTEM }))?;
            objects.reap(object, offset, whole)?;
            Ok(true)
        })
    }
}
