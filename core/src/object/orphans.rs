//! Deleting: what an object holds is freed leaf by leaf.
//!
//! A small object goes at once. For a larger one, and where there is little room, an *orphan* record says
//! what is still to go. Upkeep frees it in bounded commits, and its extents count as referenced until then.
//! So the cost of a step does not depend on the object. A step frees the contents of one leaf, and begins
//! only where there is room for that.
//!
//! What cannot be read is passed over, after a second try: it does not hold up the rest. A node that holds
//! only records to be deleted is removed from the tree. The blocks of its records stay allocated until a
//! recount, and an [event](Happening::Unfreed) says so. What else it may hold stays, and the orphan with it.
//!
//! A build without the feature `manage` frees record by record, and stops at what it cannot read.

use super::Objects;
use super::directory::NAME_UPDATES;
use crate::build::{MANAGE, PINS};
use crate::disks::events::Happening;
use crate::error::Code;
use crate::format::inode::{Inode, ObjectKind};
use crate::format::key::Key;
use crate::format::record::{OrphanRecord, dead};
use crate::transaction::{Purpose, RELEASE_UPDATES};
use crate::tree::Unreadable;
use crate::types::ObjectId;
use core::ops::ControlFlow;
use dynamicfs_hal::DiskArray;

/// Leaves whose records one operation frees.
const LEAVES_AT_ONCE: usize = 32;

/// Tree updates of freeing what a leaf holds: the leaf, twice if it is split meanwhile, and dead records.
const LEAF_UPDATES: u32 = 5;

/// Tree updates after that: the inode, the orphan, or both put.
const LAST_UPDATES: u32 = RELEASE_UPDATES - LEAF_UPDATES;

const _: () = assert!(LAST_UPDATES >= 2 && NAME_UPDATES <= RELEASE_UPDATES, "what the reserve covers");

/// Tree updates that may follow a deletion in the operation that it is part of: a name that takes the place of another.
const UPDATES_AFTER_DELETE: u32 = 2 * NAME_UPDATES;

/// How often a place that cannot be read is tried before it is passed over.
const TRIES: u8 = 2;

/// Bytes of an orphan record.
const ORPHAN: usize = OrphanRecord::<&[u8]>::BYTES;

/// How far the freeing of orphans is, in memory alone: a mount begins anew.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reaper {
    /// Orphans up to this one had their turn in this round.
    after: Option<ObjectId>,
    /// Those of them that cannot be freed completely.
    stuck: u32,
    /// How many there were when a round left none that can be freed; `None` once that may be otherwise.
    resting: Option<u32>,
    /// Where in an orphan everything before was freed or passed over.
    passed: Option<(ObjectId, Key)>,
    /// Tries in a row that came to nothing.
    tries: u8,
}

impl Reaper {
    /// Nothing is known.
    pub(crate) const NEW: Self = Self { after: None, stuck: 0, resting: None, passed: None, tries: 0 };

    /// From where on an orphan that is held is being freed, when nothing of it is.
    pub(super) const NOTHING: u64 = u64::MAX;

    /// What could not be freed perhaps can.
    pub(super) const fn rouse(&mut self) {
        self.resting = None;
    }
}

/// What freeing some records came to.
enum Freed {
    /// None is left.
    All,
    /// Some are left.
    Some,
    /// The next ones cannot be read; nothing was changed since the last that could be.
    Unreadable(Code),
}

impl<A: DiskArray> Objects<'_, A> {
    // --- deleting ---------------------------------------------------------------------------------------------

    /// Deletes an object that has no name any more: at once if it is small, else as an orphan. A pinned
    /// object is deleted when it is unpinned.
    pub(super) fn delete(&mut self, object: ObjectId, inode: &mut Inode) -> Result<(), Code> {
        if self.is_pinned(object) {
            return self.leave_unnamed(object, inode);
        }
        if self.filling.is_some_and(|filling| filling.object == object) {
            self.set_filling(None);
        }
        self.count_out(inode);
        let after = LAST_UPDATES + UPDATES_AFTER_DELETE;
        if let Freed::All = self.free_records(object, range(object, 0, true), after)? {
            return self.remove_last(object);
        }
        inode.links = 0;
        self.put_inode(object, inode)?;
        self.put_orphan(object, 0, true)
    }

    /// Counts an object no more.
    pub(super) fn count_out(&mut self, inode: &Inode) {
        let superblock = self.store.superblock_mut();
        let objects = superblock.objects();
        superblock.set_objects(objects.saturating_sub(1));
        if inode.kind != ObjectKind::Directory {
            self.count_content(inode.size, 0);
        }
    }

    /// Frees an object's contents from a byte on, at which an extent may begin: at once if they are short, else as an orphan.
    pub(super) fn cut_off(&mut self, object: ObjectId, offset: u64) -> Result<(), Code> {
        match self.free_records(object, range(object, offset, false), LAST_UPDATES)? {
            Freed::All => self.end_cut(object),
            Freed::Some | Freed::Unreadable(_) => self.put_orphan(object, offset, false),
        }
    }

    /// Removes what is left of a deleted object when nothing else is: its inode, and its orphan.
    fn remove_last(&mut self, object: ObjectId) -> Result<(), Code> {
        self.store.remove(&Key::inode(object))?;
        self.remove_orphan(object)
    }

    // --- freeing records --------------------------------------------------------------------------------------

    /// Frees an object's records in a range of keys, as long as there is room for that and for `after` further updates.
    fn free_records(&mut self, object: ObjectId, (from, end): (Key, Key), after: u32) -> Result<Freed, Code> {
        for _ in 0..LEAVES_AT_ONCE {
            if !self.store.has_room(LEAF_UPDATES + after, Purpose::Release) {
                return Ok(Freed::Some);
            }
            match self.free_leaf(object, &from, &end, false)? {
                Freed::Some => {}
                done => return Ok(done),
            }
        }
        Ok(Freed::Some)
    }

    /// Frees what the first leaf with such records has of them, or a part of it that dead records have room for. With
    /// `forgive` an extent whose record cannot be read is removed all the same, and what it referred to is not freed.
    fn free_leaf(&mut self, object: ObjectId, from: &Key, end: &Key, forgive: bool) -> Result<Freed, Code> {
        let (first, mut stop) = match self.first_leaf(from, end) {
            Ok(Some(found)) => found,
            Ok(None) => return Ok(Freed::All),
            Err(error) => return unreadable(error),
        };
        // No more runs than a dead record holds, and one extent's.
        let most = self.piece_bytes() / dead::RUN_BYTES;
        let (mut at, mut runs) = (first, 0);
        while let Some(start) = self.first_head(&at, &stop)? {
            let key = Key::extent(object, start);
            let found = match self.extent_at(object, start) {
                _ if runs >= most => None,
                Ok(found) => Some(found),
                // A forged one: there is nothing that it could be asked for.
                Err(Code::RecordInvalid | Code::RecordUnsupported) => {
                    self.tell_unfreed(object);
                    at = key.successor();
                    continue;
                }
                Err(_) if forgive && key == first => {
                    self.tell_unfreed(object);
                    at = key.successor();
                    continue;
                }
                Err(code) if key == first => return unreadable(code),
                Err(_) => None,
            };
            let Some(found) = found else {
                stop = key;
                break;
            };
            self.free_fragments(&found)?;
            runs += found.extent.fragments().len();
            at = key.successor();
        }
        let mut records = 0;
        self.store.tree.scan(&first, &stop, |_, _| {
            records += 1;
            ControlFlow::<()>::Continue(())
        })?;
        // No more are looked for: what lies behind them may be unreadable.
        self.store.remove_range(&first, &stop, records)?;
        Ok(Freed::Some)
    }

    /// The first record in a range of keys, and the end of its leaf or of the range.
    fn first_leaf(&mut self, from: &Key, end: &Key) -> Result<Option<(Key, Key)>, Code> {
        let first = self.store.tree.scan(from, end, |key, _| ControlFlow::Break(*key))?;
        let Some(first) = first else { return Ok(None) };
        let next = self.store.tree.leaf_end(&first)?.filter(|next| *next > first);
        Ok(Some((first, next.map_or(*end, |next| next.min(*end)))))
    }

    /// The first byte of the first extent whose record begins in a range of keys.
    fn first_head(&mut self, from: &Key, end: &Key) -> Result<Option<u64>, Code> {
        self.store.tree.scan(from, end, |key, _| {
            if is_head(key) { ControlFlow::Break(key.offset()) } else { ControlFlow::Continue(()) }
        })
    }

    fn tell_unfreed(&mut self, object: ObjectId) {
        self.store.tree.disks.tell(Happening::Unfreed { object });
    }

    // --- orphans ----------------------------------------------------------------------------------------------

    /// What is being freed of an object: from which byte on, and whether it goes.
    fn orphan(&mut self, object: ObjectId) -> Result<Option<(u64, bool)>, Code> {
        self.store
            .tree
            .with(&Key::orphan(object), |record| OrphanRecord::new(record?).map(|record| said_by(&record)))
    }

    /// Writes down what is being freed of an object, beside what is already.
    pub(super) fn put_orphan(&mut self, object: ObjectId, offset: u64, whole: bool) -> Result<(), Code> {
        let known = self.orphan(object)?;
        let (mut offset, mut whole) = (offset, whole);
        if PINS && let Some((before, goes)) = known {
            (offset, whole) = (offset.min(before), whole | goes);
        }
        self.write_orphan(object, offset, whole)?;
        self.reaper.rouse();
        let superblock = self.store.superblock_mut();
        let orphans = superblock.orphans();
        superblock.set_orphans(orphans.saturating_add(u32::from(known.is_none())));
        Ok(())
    }

    fn write_orphan(&mut self, object: ObjectId, offset: u64, whole: bool) -> Result<(), Code> {
        let mut bytes = [0; ORPHAN];
        if let Some(mut record) = OrphanRecord::new(&mut bytes[..]) {
            record.set_offset(offset);
            record.set_whole(whole.into());
        }
        self.store.put(&Key::orphan(object), &bytes)
    }

    /// What was cut off an object is freed: it is an orphan only if it has no name.
    fn end_cut(&mut self, object: ObjectId) -> Result<(), Code> {
        if PINS && let Some((_, true)) = self.orphan(object)? {
            return self.write_orphan(object, Reaper::NOTHING, true);
        }
        self.remove_orphan(object)
    }

    /// An orphan that is held has a name again: it stays, but for what was cut off it.
    pub(super) fn keep_orphan(&mut self, object: ObjectId) -> Result<(), Code> {
        match self.orphan(object)? {
            Some((Reaper::NOTHING, _)) => self.remove_orphan(object),
            Some((offset, _)) => self.write_orphan(object, offset, false),
            None => Ok(()),
        }
    }

    fn remove_orphan(&mut self, object: ObjectId) -> Result<(), Code> {
        let key = Key::orphan(object);
        if self.store.tree.with(&key, |record| record.is_some())? {
            self.store.remove(&key)?;
            let superblock = self.store.superblock_mut();
            let orphans = superblock.orphans();
            superblock.set_orphans(orphans.saturating_sub(1));
        }
        Ok(())
    }

    /// Frees the rest of what was cut off an object earlier, before it can grow over it.
    pub(super) fn finish_orphan(&mut self, object: ObjectId) -> Result<(), Code> {
        if self.store.tree.space.superblock.orphans() == 0 {
            return Ok(());
        }
        // One that goes as a whole is here because it is held.
        let Some((offset, _)) = self.orphan(object)?.filter(|(offset, _)| *offset != Reaper::NOTHING) else {
            return Ok(());
        };
        if !MANAGE {
            while !self.free_next(object, range(object, offset, false), false)?.ok_or(Code::NoSpace)? {}
            return Ok(());
        }
        // It may be one of those that are stuck, and what was passed over in it is freed now.
        (self.reaper.resting, self.reaper.passed) = (None, None);
        loop {
            self.begin_change(RELEASE_UPDATES, Purpose::Release)?;
            match self.change(|objects| objects.reap(object, range(object, offset, false), false))? {
                Freed::All => return Ok(()),
                Freed::Some => {}
                Freed::Unreadable(error) => return Err(error),
            }
        }
    }

    /// Frees the next record of an orphan, or the orphan when none is left. Returns whether that is done,
    /// `None` where there is no room for it. All of [`reap`](Self::reap) takes more code.
    fn free_next(
        &mut self,
        object: ObjectId,
        (from, end): (Key, Key),
        whole: bool,
    ) -> Result<Option<bool>, Code> {
        if !self.try_begin_change(RELEASE_UPDATES, Purpose::Release)? {
            return Ok(None);
        }
        let first = self.store.tree.scan(&from, &end, |key, _| ControlFlow::Break(*key))?;
        self.change(|objects| {
            let Some(key) = first else {
                match whole {
                    true => objects.remove_last(object)?,
                    false => objects.end_cut(object)?,
                }
                return Ok(Some(true));
            };
            if is_head(&key) {
                let found = objects.extent_at(object, key.offset())?;
                objects.free_fragments(&found)?;
            }
            objects.store.remove(&key)?;
            Ok(Some(false))
        })
    }

    /// Frees some records of the first orphan; whether anything was changed.
    fn reap_records(&mut self) -> Result<bool, Code> {
        let Some((object, offset, whole)) = self.next_orphan()? else { return self.end_round() };
        for freed in 0..LEAVES_AT_ONCE {
            match self.free_next(object, range(object, offset, whole), whole)? {
                Some(false) => {}
                Some(true) => break,
                None if freed > 0 => break,
                None => return Err(Code::NoSpace),
            }
        }
        Ok(true)
    }

    /// Frees some of what an orphan still has, and its record with the last of it. There is room for what one leaf holds: the
    /// caller made sure.
    fn reap(&mut self, object: ObjectId, (from, end): (Key, Key), whole: bool) -> Result<Freed, Code> {
        let freed = match self.free_leaf(object, &from, &end, false)? {
            Freed::Some => match self.free_records(object, (from, end), LAST_UPDATES)? {
                // What was freed before it counts.
                Freed::Unreadable(_) => Freed::Some,
                freed => freed,
            },
            done => done,
        };
        match freed {
            Freed::All if whole => self.remove_last(object)?,
            Freed::All => self.end_cut(object)?,
            Freed::Some | Freed::Unreadable(_) => {}
        }
        Ok(freed)
    }

    /// Whether something of deleted objects may still be freed, as far as this mount knows.
    pub(crate) fn is_reapable(&self) -> bool {
        let orphans = self.store.committed().orphans();
        orphans > 0 && self.reaper.resting != Some(orphans)
    }

    /// Frees some of what an orphan still has; whether anything was changed. Part of a transaction.
    ///
    /// Each step frees something, skips something or ends a round. After as many steps as there are nodes and
    /// orphans, and a few more, nothing is [reapable](Self::is_reapable).
    pub(crate) fn reap_step(&mut self) -> Result<bool, Code> {
        if !MANAGE {
            return self.reap_records();
        }
        self.begin_change(RELEASE_UPDATES, Purpose::Release)?;
        self.change(|objects| {
            let Some((object, offset, whole)) = objects.next_orphan()? else { return objects.end_round() };
            let (from, end) = range(object, offset, whole);
            let passed = objects.reaper.passed.filter(|(of, _)| *of == object).map(|(_, key)| key.max(from));
            let freed = match passed {
                None => objects.reap(object, (from, end), whole)?,
                // The record stays, for what was passed over.
                Some(here) => match objects.free_leaf(object, &here, &end, false)? {
                    Freed::All => return Ok(objects.pass_by(object)),
                    freed => freed,
                },
            };
            match freed {
                Freed::Unreadable(_) => objects.pass_over(object, passed.unwrap_or(from), (from, end)),
                Freed::All | Freed::Some => {
                    objects.reaper.tries = 0;
                    Ok(true)
                }
            }
        })
    }

    /// Leaves orphans alone until another joins them: one holds what cannot be read.
    pub(crate) fn rest_from_reaping(&mut self) {
        self.reaper.resting = Some(self.store.committed().orphans());
    }

    /// The next orphan of this round, the byte that it begins at, and whether the object goes. Of those that
    /// are held only what was cut off goes.
    fn next_orphan(&mut self) -> Result<Option<(ObjectId, u64, bool)>, Code> {
        loop {
            match self.orphan_after()? {
                Some((object, offset, true)) if self.is_pinned(object) => {
                    if offset != Reaper::NOTHING {
                        return Ok(Some((object, offset, false)));
                    }
                    self.go_by(object);
                }
                orphan => return Ok(orphan),
            }
        }
    }

    fn orphan_after(&mut self) -> Result<Option<(ObjectId, u64, bool)>, Code> {
        let first = self.reaper.after.map_or(Key::orphan(ObjectId(0)), |last| Key::orphan(last).successor());
        let orphan = self.store.tree.scan(&first, &orphans_end(), |key, record| {
            let said = OrphanRecord::new(record).map(|record| said_by(&record));
            ControlFlow::Break(said.map(|(offset, whole)| (ObjectId(key.offset()), offset, whole)))
        })?;
        match orphan {
            Some(None) => Err(Code::SystemRecordInvalid),
            orphan => Ok(orphan.flatten()),
        }
    }

    /// All orphans had their turn: whether the count of them was wrong. Those that are left are left alone until another joins
    /// them.
    fn end_round(&mut self) -> Result<bool, Code> {
        let mut found = 0;
        self.store.tree.scan(&Key::orphan(ObjectId(0)), &orphans_end(), |_, _| {
            found += 1;
            ControlFlow::<()>::Continue(())
        })?;
        let resting = Some(found).filter(|&found| found == self.reaper.stuck);
        self.reaper = Reaper { resting, ..Reaper::NEW };
        let superblock = self.store.superblock_mut();
        let wrong = superblock.orphans() != found;
        superblock.set_orphans(found);
        Ok(wrong)
    }

    /// What follows in an orphan cannot be read: tried again, then passed over; whether anything was changed.
    fn pass_over(&mut self, object: ObjectId, here: Key, (from, end): (Key, Key)) -> Result<bool, Code> {
        self.reaper.tries += 1;
        if self.reaper.tries < TRIES {
            return Ok(false);
        }
        if self.reaper.tries > TRIES {
            return Ok(self.pass_by(object));
        }
        match self.store.drop_unreadable(here, &from, &end)? {
            Unreadable::Dropped => self.tell_unfreed(object),
            Unreadable::Stays(Some(next)) if next < end => {
                self.reaper.passed = Some((object, next));
                self.reaper.tries = 0;
                return Ok(false);
            }
            Unreadable::Stays(_) => return Ok(self.pass_by(object)),
            // An extent's record goes on in a leaf that cannot be read.
            Unreadable::Absent => match self.free_leaf(object, &here, &end, true)? {
                Freed::Some => {}
                Freed::All | Freed::Unreadable(_) => return Ok(false),
            },
        }
        self.reaper.tries = 0;
        Ok(true)
    }

    /// Leaves an orphan as it is, for this round; nothing was changed.
    fn pass_by(&mut self, object: ObjectId) -> bool {
        self.tell_unfreed(object);
        self.go_by(object);
        false
    }

    /// Continues behind an orphan without freeing a part of it now.
    const fn go_by(&mut self, object: ObjectId) {
        let stuck = self.reaper.stuck + 1;
        self.reaper = Reaper { after: Some(object), stuck, ..Reaper::NEW };
    }
}

/// What an orphan's record says: from which byte on it is being freed, and whether the object goes.
fn said_by(record: &OrphanRecord<&[u8]>) -> (u64, bool) {
    (record.offset(), record.whole() != 0)
}

/// The keys of an object's records that go: those of its contents from a byte on, or all but the inode. The
/// inode finds the object until everything else is gone.
fn range(object: ObjectId, offset: u64, whole: bool) -> (Key, Key) {
    match whole {
        true => (Key::inode(object).successor(), Key::object_end(object)),
        false => (Key::extent(object, offset), Key::extent(object, u64::MAX)),
    }
}

/// Whether a key is that of the first record of an extent.
fn is_head(key: &Key) -> bool {
    key.begins_extent() && key.snapshot() == 0
}

/// After every orphan.
fn orphans_end() -> Key {
    Key::orphan(ObjectId(u64::MAX)).successor()
}

/// What cannot be read is no failure of the step that met it; anything else is.
fn unreadable(error: Code) -> Result<Freed, Code> {
    match error {
        error if error.is_loss() => Ok(Freed::Unreadable(error)),
        error => Err(error),
    }
}
