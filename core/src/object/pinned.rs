//! Pinned objects: they stay without a name as long as the application holds them.
//!
//! On disk such an object is an *orphan* like any that is being deleted, so a mount after a crash frees it.
//! Pins are in memory alone, in places that the caller lends: they are no part of a transaction, and end with
//! the mount.

use super::directory::{NAME_UPDATES, described};
use super::inode::Attributes;
use super::orphans::Reaper;
use super::{MakeRequest, Objects};
use crate::build::PINS;
use crate::error::Code;
use crate::format::inode::{Inode, ObjectKind};
use crate::transaction::Purpose;
use crate::types::ObjectId;
use dynamicfs_hal::DiskArray;

/// A place for a pinned object: 16 bytes that the caller lends.
#[derive(Clone, Copy, Debug)]
pub struct Pin {
    /// The object; [`ObjectId::SYSTEM`] where the place is free.
    object: ObjectId,
    /// How often it is pinned.
    holders: u32,
}

impl Pin {
    /// A free place.
    pub const NEW: Self = Self { object: ObjectId::SYSTEM, holders: 0 };
}

impl<'m, A: DiskArray> Objects<'m, A> {
    /// Lends places for pins in the stead of those there were: what was pinned is let go.
    pub fn lend_pins(&mut self, pins: &'m mut [Pin]) {
        pins.fill(Pin::NEW);
        self.pins = pins;
        self.reaper.rouse();
    }

    /// Whether the application holds an object.
    pub(super) fn is_pinned(&self, object: ObjectId) -> bool {
        PINS && self.pins.iter().any(|pin| pin.object == object)
    }

    fn pin_of(&mut self, object: ObjectId) -> Option<&mut Pin> {
        self.pins.iter_mut().find(|pin| PINS && pin.object == object)
    }

    /// Holds an object: without a name it stays as it was until it is let go as often as it was held.
    ///
    /// # Errors
    /// [`NotFound`](Code::NotFound), [`IsADirectory`](Code::IsADirectory), [`PinsFull`](Code::PinsFull).
    pub fn pin(&mut self, object: ObjectId) -> Result<(), Code> {
        if self.inode(object)?.kind == ObjectKind::Directory {
            return Err(Code::IsADirectory);
        }
        if let Some(pin) = self.pin_of(object) {
            pin.holders = pin.holders.checked_add(1).ok_or(Code::PinsFull)?;
            return Ok(());
        }
        *self.pin_of(ObjectId::SYSTEM).ok_or(Code::PinsFull)? = Pin { object, holders: 1 };
        Ok(())
    }

    /// Lets an object go once; whether it was held. When nothing holds it any more and it has no name, it is
    /// gone, and upkeep frees it.
    pub fn unpin(&mut self, object: ObjectId) -> bool {
        let Some(pin) = self.pin_of(object).filter(|_| object != ObjectId::SYSTEM) else { return false };
        pin.holders -= 1;
        if pin.holders == 0 {
            *pin = Pin::NEW;
            self.reaper.rouse();
        }
        true
    }

    /// Lets go of objects that are not there any more, because the transaction that made them was dropped.
    pub(super) fn unpin_unmade(&mut self) {
        if !PINS || self.pins.is_empty() {
            return;
        }
        let next = self.store.committed().next_object_id();
        self.pins.iter_mut().filter(|pin| pin.object >= next).for_each(|pin| *pin = Pin::NEW);
    }

    /// Makes an object without a name, pinned once. It is no directory. What the attributes leave open is as
    /// in the root directory.
    ///
    /// # Errors
    /// As those of [`create`](Self::create), but for those of names; [`PinsFull`](Code::PinsFull).
    #[expect(clippy::cast_possible_truncation, reason = "a target is at most 4095 bytes")]
    pub fn create_unnamed(
        &mut self,
        what: &MakeRequest<'_>,
        attributes: &Attributes,
    ) -> Result<ObjectId, Code> {
        let (kind, target) = described(what)?;
        if kind == ObjectKind::Directory {
            return Err(Code::IsADirectory);
        }
        if self.pin_of(ObjectId::SYSTEM).is_none() {
            return Err(Code::PinsFull);
        }
        let updates = NAME_UPDATES + (target.len() / self.piece_bytes()) as u32;
        let object = self.operate(updates, Purpose::Growth, |objects| {
            let root = objects.inode(ObjectId::ROOT)?;
            let (object, mut inode) =
                objects.make_filled((kind, target), attributes, &root, ObjectId::ROOT)?;
            objects.leave_unnamed(object, &mut inode)?;
            Ok(object)
        })?;
        if let Some(pin) = self.pin_of(ObjectId::SYSTEM) {
            *pin = Pin { object, holders: 1 };
        }
        Ok(object)
    }

    /// An object that is held has lost its last name, or never had one: it stays as it is, and counts no
    /// more.
    pub(super) fn leave_unnamed(&mut self, object: ObjectId, inode: &mut Inode) -> Result<(), Code> {
        self.count_out(inode);
        inode.links = 0;
        inode.changed = self.store.tree.disks.now();
        self.put_inode(object, inode)?;
        self.put_orphan(object, Reaper::NOTHING, true)
    }

    /// An object without a name is given one.
    pub(super) fn come_back(&mut self, object: ObjectId, inode: &Inode) -> Result<(), Code> {
        let superblock = self.store.superblock_mut();
        let objects = superblock.objects();
        superblock.set_objects(objects + 1);
        self.count_content(0, inode.size);
        self.keep_orphan(object)
    }
}
