//! Changes that happen all or not at all.

use super::Pool;
use super::read::ask;
use super::sealed::Inside;
use crate::error::Error;
use crate::format::inode::Inode;
use crate::metrics::DiskCounters;
use crate::object::{Attributes, Change, MakeRequest, Moved, Objects};
use crate::transaction::Purpose;
use crate::types::{Generation, MemberNumber, ObjectId};
use core::ops::Range;
use dynamicfs_hal::DiskArray;

/// Changes that happen all or not at all. Dropped, it undoes them.
///
/// It reads as a pool does ([`ReadObjects`](crate::ReadObjects)), with what it changed. What commits by
/// itself (upkeep, jobs, members) is a method of the [`Pool`], which is lent to the transaction as long as
/// that lives.
///
/// # Errors
/// All of names, kinds and space ([`NotFound`](Error::NotFound), [`Exists`](Error::Exists), [`NoSpace`] ...)
/// leave the transaction as it was: it goes on. After [`HashFull`](Error::HashFull), or an error of a disk or
/// the tree in the middle of a change, it is *poisoned* ([`is_poisoned`](Self::is_poisoned)): everything else
/// is refused with [`Poisoned`], and it can only be dropped. A write that finds no more space on the way
/// keeps what it wrote, and goes on.
///
/// [`NoSpace`]: crate::error::StorageError::NoSpace
/// [`Poisoned`]: crate::error::StorageError::Poisoned
pub struct Transaction<'p, 'm, A: DiskArray> {
    pub(super) pool: &'p mut Pool<'m, A>,
    pub(super) committed: bool,
}

impl<A: DiskArray> Transaction<'_, '_, A> {
    /// Makes the changes durable; the generation in which they are.
    ///
    /// # Errors
    /// They were undone, unless it is [`OutcomeUnknown`](crate::error::StorageError::OutcomeUnknown): then
    /// the next mount tells.
    pub fn commit(mut self) -> Result<Generation, Error> {
        self.committed = true;
        ask(&mut self, |objects| objects.commit())?;
        Ok(self.pool.objects.store.generation())
    }

    /// Whether the transaction can only be dropped.
    pub const fn is_poisoned(&self) -> bool {
        self.pool.objects.store.is_poisoned()
    }

    /// Lets the transaction only be dropped: for a caller whose own operation failed half-way.
    pub fn poison(&mut self) {
        self.pool.objects.store.poison();
    }

    /// The array, between two operations: for what a machine must tell its disks beside reading and writing.
    pub fn array(&mut self) -> &mut A {
        self.pool.objects.store.tree.disks.array()
    }

    // --- names
    // ------------------------------------------------------------------------------------------------

    /// Makes an object under a new name: its number.
    ///
    /// # Errors
    /// [`InvalidName`](Error::InvalidName), [`Exists`](Error::Exists), [`NotFound`](Error::NotFound) or
    /// [`NotADirectory`](Error::NotADirectory) of the directory, [`TooLarge`](Error::TooLarge) for a link's
    /// target, [`InvalidArgument`](Error::InvalidArgument) for a scheme that the pool cannot bear or a kind
    /// with a request of its own.
    pub fn create(
        &mut self,
        directory: ObjectId,
        name: &[u8],
        what: &MakeRequest<'_>,
        attributes: &Attributes,
    ) -> Result<ObjectId, Error> {
        ask(self, |objects| objects.create(directory, name, what, attributes))
    }

    /// Gives an object that is not a directory another name, or a first one.
    ///
    /// # Errors
    /// [`InvalidName`](Error::InvalidName), [`Exists`](Error::Exists), [`NotFound`](Error::NotFound),
    /// [`IsADirectory`](Error::IsADirectory); [`TooLarge`](Error::TooLarge) where it has
    /// [`LINKS_MAX`](crate::limits::LINKS_MAX) names.
    pub fn link(&mut self, object: ObjectId, directory: ObjectId, name: &[u8]) -> Result<(), Error> {
        ask(self, |objects| objects.link(object, directory, name))
    }

    /// Removes a name, and with an object's last name the object, unless it is pinned
    /// ([`pin`](Self::pin)). A directory must be empty.
    ///
    /// # Errors
    /// [`InvalidName`](Error::InvalidName), [`NotFound`](Error::NotFound), [`NotEmpty`](Error::NotEmpty).
    pub fn unlink(&mut self, directory: ObjectId, name: &[u8]) -> Result<(), Error> {
        ask(self, |objects| objects.unlink(directory, name))
    }

    /// Gives an object another name, in one step. What the new name meant is removed, if `replace` allows it
    /// and it is of the same sort: a directory in place of an empty directory, anything else in place of
    /// anything else. Where both names are the object's own nothing happens.
    ///
    /// # Errors
    /// [`InvalidName`](Error::InvalidName), [`NotFound`](Error::NotFound), [`Exists`](Error::Exists) without
    /// `replace`, [`NotEmpty`](Error::NotEmpty), [`NotADirectory`](Error::NotADirectory),
    /// [`IsADirectory`](Error::IsADirectory), [`IntoItself`](Error::IntoItself).
    pub fn rename(
        &mut self,
        from: (ObjectId, &[u8]),
        to: (ObjectId, &[u8]),
        replace: bool,
    ) -> Result<(), Error> {
        ask(self, |objects| objects.rename(from, to, replace))
    }

    // --- contents
    // ---------------------------------------------------------------------------------------------

    /// Writes all of a file's contents from byte `offset` on, growing it as needed; what is left out reads as
    /// zeros.
    ///
    /// # Errors
    /// Those of [`write`](Self::write). Where space ends on the way, what was written until then is part of
    /// the transaction, which goes on; any other error on the way poisons it.
    pub fn write_all(&mut self, object: ObjectId, offset: u64, data: &[u8]) -> Result<(), Error> {
        ask(self, |objects| objects.write_all(object, offset, data))
    }

    /// Writes a file's contents from byte `offset` on, growing it as needed; what is left out reads as zeros.
    /// How many bytes: all of `data`, or fewer when space ends.
    ///
    /// # Errors
    /// [`NotFound`](Error::NotFound); [`IsADirectory`](Error::IsADirectory) and [`NotAFile`](Error::NotAFile)
    /// for what is no file; [`TooLarge`](Error::TooLarge) beyond
    /// [`OBJECT_BYTES_MAX`](crate::limits::OBJECT_BYTES_MAX);
    /// [`NoSpace`](crate::error::StorageError::NoSpace) where there is space for nothing.
    pub fn write(&mut self, object: ObjectId, offset: u64, data: &[u8]) -> Result<usize, Error> {
        ask(self, |objects| objects.write(object, offset, data))
    }

    /// Writes as [`write_all`](Self::write_all) does, and stores no zeros for what was not written: the bytes
    /// before `offset`, and between two calls, stay holes to the unit of 4 KiB. For files with holes, written
    /// from the front to the back; contents that are dense are stored in longer extents by
    /// [`write_all`](Self::write_all).
    ///
    /// # Errors
    /// Those of [`write_all`](Self::write_all).
    pub fn write_apart(&mut self, object: ObjectId, offset: u64, data: &[u8]) -> Result<(), Error> {
        ask(self, |objects| objects.write_apart(object, offset, data))
    }

    /// Cuts a file to `size` bytes, or lets it grow to them: what is new reads as zeros and takes no space.
    ///
    /// # Errors
    /// Those of [`write`](Self::write).
    pub fn truncate(&mut self, object: ObjectId, size: u64) -> Result<(), Error> {
        ask(self, |objects| objects.truncate(object, size))
    }

    /// Lets a range of a file's contents read as zeros and take no space, as far as it lies before the end. The
    /// size stays. How far that was done, from the range's beginning on: `range.end`, or less when space ends,
    /// and then the next transaction can go on from there:
    ///
    /// ```text
    /// while at < end { at = transaction.punch_hole(file, at..end)?; ... commit, begin ... }
    /// ```
    ///
    /// Extents that lie in the range whole are freed without being read. The two that it may cut are stored
    /// again without what lies in it, and zeros stand in what is left of a unit of 4 KiB: that takes space for
    /// an extent each, so a full pool punches whole extents alone. What one call frees is not bounded; a
    /// shorter range is.
    ///
    /// # Errors
    /// Those of [`write`](Self::write); [`Unreadable`](Error::Unreadable) where an extent that is cut is lost.
    pub fn punch_hole(&mut self, object: ObjectId, range: Range<u64>) -> Result<u64, Error> {
        ask(self, |objects| objects.punch_hole(object, range))
    }

    /// Lets a range of a file's contents read as zeros, and the file grow to its end. As if zeros were written,
    /// but as a hole: what a later write to it needs is not kept for it. How far that was done, as
    /// [`punch_hole`](Self::punch_hole) says.
    ///
    /// # Errors
    /// Those of [`punch_hole`](Self::punch_hole).
    pub fn zero(&mut self, object: ObjectId, range: Range<u64>) -> Result<u64, Error> {
        ask(self, |objects| objects.zero(object, range))
    }

    /// Moves contents from a byte of one file to a byte of another, where there must be a hole, or nothing yet:
    /// holes are moved too. What is moved leaves a hole; the one's size stays, the other's grows as needed.
    /// Offsets and `bytes` are multiples of 4 KiB; what lies behind the end is left out. What was moved: all,
    /// or less when space ends, counted from the beginning, and the rest is as it was.
    ///
    /// Extents move with their records alone, and their data is neither read nor written, where
    ///
    /// - they are moved whole, to a multiple of their size, which no extent of the other object exceeds;
    /// - they are stored in the scheme that the other object asks for, and short of nothing: every fragment is
    ///   on a member that takes part, is owed nothing and is not being emptied.
    ///
    /// What else there is is read and stored again in the other object's scheme ([`Moved::copied`]).
    ///
    /// # Errors
    /// Those of [`write`](Self::write); [`InvalidArgument`](Error::InvalidArgument) for what is not aligned, for
    /// one and the same object, and where something but zeros is in the way;
    /// [`Unreadable`](Error::Unreadable) where what must be stored again is lost.
    pub fn move_extents(
        &mut self,
        from: (ObjectId, u64),
        to: (ObjectId, u64),
        bytes: u64,
    ) -> Result<Moved, Error> {
        ask(self, |objects| objects.move_extents(from, to, bytes))
    }

    // --- attributes
    // -------------------------------------------------------------------------------------------

    /// Changes attributes: what they are now.
    ///
    /// # Errors
    /// [`NotFound`](Error::NotFound); [`InvalidArgument`](Error::InvalidArgument) for a scheme that the pool
    /// cannot bear.
    pub fn change_attributes(&mut self, object: ObjectId, change: &Change) -> Result<Inode, Error> {
        ask(self, |objects| objects.change_attributes(object, change))
    }

    /// Sets an extended attribute, new or not, to a value of at most
    /// [`XATTR_BYTES_MAX`](crate::limits::XATTR_BYTES_MAX) bytes.
    ///
    /// # Errors
    /// [`NotFound`](Error::NotFound), [`InvalidName`](Error::InvalidName), [`TooLarge`](Error::TooLarge).
    pub fn set_attribute(&mut self, object: ObjectId, attribute: &[u8], value: &[u8]) -> Result<(), Error> {
        ask(self, |objects| objects.set_attribute(object, attribute, value))
    }

    /// Removes an extended attribute.
    ///
    /// # Errors
    /// [`NotFound`](Error::NotFound), [`InvalidName`](Error::InvalidName).
    pub fn remove_attribute(&mut self, object: ObjectId, attribute: &[u8]) -> Result<(), Error> {
        ask(self, |objects| objects.remove_attribute(object, attribute))
    }

    // --- counters
    // ---------------------------------------------------------------------------------------------

    /// Adds what each member has done since the mount, or since this was last committed, to its saved
    /// counters; with the commit it begins counting from zero.
    ///
    /// # Errors
    /// What disks and tree answered.
    pub fn save_counters(&mut self) -> Result<(), Error> {
        ask(self, |objects| objects.save_counters())
    }

    /// Writes counters under a member's number, instead of those that are saved there: for counters of the
    /// caller's own, under a number that no member has.
    ///
    /// # Errors
    /// What disks and tree answered.
    pub fn put_counters(&mut self, member: MemberNumber, counters: &DiskCounters) -> Result<(), Error> {
        ask(self, |objects| {
            objects.operate(2, Purpose::Growth, |objects| objects.put_counters(member, counters))
        })
    }
}

#[cfg(any(test, feature = "internals"))]
impl<'m, A: DiskArray> Transaction<'_, 'm, A> {
    /// The layers below, to be looked at.
    pub const fn internals(&self) -> &Objects<'m, A> {
        &self.pool.objects
    }

    /// The layers below, to be used past the facade. What is done there may break what the facade promises.
    pub const fn internals_mut(&mut self) -> &mut Objects<'m, A> {
        &mut self.pool.objects
    }
}

impl<A: DiskArray> Inside for Transaction<'_, '_, A> {
    type Array = A;

    fn inside<T>(&mut self, f: impl FnOnce(&mut Objects<'_, A>) -> T) -> T {
        f(&mut self.pool.objects)
    }
}

impl<A: DiskArray> Drop for Transaction<'_, '_, A> {
    fn drop(&mut self) {
        if !self.committed {
            self.pool.objects.abort();
        }
    }
}

impl<A: DiskArray> core::fmt::Debug for Transaction<'_, '_, A> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let store = &self.pool.objects.store;
        f.debug_struct("Transaction")
            .field("generation", &store.tree.generation)
            .field("is_poisoned", &store.is_poisoned())
            .finish_non_exhaustive()
    }
}
