//! Changes that happen all or not at all.

use super::Pool;
use super::read::ask;
use super::sealed::Inside;
use crate::error::{Code, Error};
use crate::format::inode::Inode;
use crate::metrics::DiskCounters;
use crate::object::{AttributeMode, Attributes, Change, MakeRequest, Moved, Objects, RenameMode};
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
/// A failed operation need not doom the transaction. One that is not *poisoned*
/// ([`is_poisoned`](Self::is_poisoned)) is as it was before the operation, and goes on:
///
/// | error | the transaction |
/// |---|---|
/// | of names, kinds, arguments, limits ([`NotFound`](Error::NotFound), [`Exists`](Error::Exists), [`TooLarge`](Error::TooLarge) ...) | is as it was |
/// | [`NoSpace`] | is as it was; but [`write`](Self::write), [`write_all`](Self::write_all), [`write_apart`](Self::write_apart), [`create_all`](Self::create_all) and [`remove_all`](Self::remove_all) keep what they did until then |
/// | [`HashFull`](Error::HashFull) | is poisoned; as it was, if a new extended attribute was to be set |
/// | of a disk or the tree, [`Unreadable`](Error::Unreadable) | is as it was before the first change of the operation, else poisoned |
/// | any of [`commit`](Self::commit) and [`sync`](Self::sync) | is over: all was undone, or the outcome is unknown |
///
/// A poisoned one refuses everything but reading with [`Poisoned`], and can only be dropped.
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

    /// Makes durable all that was changed so far, and goes on with a transaction begun anew: the generation
    /// in which it is. What is changed from here on belongs to that one: dropped, it undoes what came after
    /// this call, and no more.
    ///
    /// It costs what a [`commit`](Self::commit) and [`Pool::begin`] cost, and as that one does it frees
    /// deleted objects first where space is scarce. Handles and cursors stay good.
    ///
    /// # Errors
    /// Those of [`commit`](Self::commit): all was undone, unless the outcome is unknown. The transaction is
    /// over then: everything is refused with [`NoTransaction`](crate::error::StorageError::NoTransaction),
    /// and dropping it does nothing. Where everything is durable and only the new transaction cannot begin,
    /// this is not an error. Later calls are refused in the same way, and [`Pool::begin`] returns the cause.
    pub fn sync(&mut self) -> Result<Generation, Error> {
        ask(self, |objects| objects.commit())?;
        let generation = self.pool.objects.store.generation();
        // What stands in the way meets the next operation.
        let _ = self.pool.begin_anew();
        Ok(generation)
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

    /// Gives an object another name, in one step; `mode` says what becomes of what the new name means. A name
    /// is a directory and the name in it.
    ///
    /// A new name that was there keeps its place in its directory: a listing that goes on meets it once.
    ///
    /// # Errors
    /// [`InvalidName`](Error::InvalidName); [`NotFound`](Error::NotFound) of the old name, and of the new one
    /// in an exchange; [`Exists`](Error::Exists) of the new one where it may not be there;
    /// [`NotEmpty`](Error::NotEmpty), [`NotADirectory`](Error::NotADirectory),
    /// [`IsADirectory`](Error::IsADirectory) of what would be replaced; [`IntoItself`](Error::IntoItself) for
    /// a directory below itself, and [`TooLarge`](Error::TooLarge) where one is more than
    /// [`DIRECTORY_DEPTH_MAX`](crate::limits::DIRECTORY_DEPTH_MAX) directories deep.
    // A program that exchanges nothing has no code for it.
    #[inline]
    pub fn rename(
        &mut self,
        from: (ObjectId, &[u8]),
        to: (ObjectId, &[u8]),
        mode: RenameMode,
    ) -> Result<(), Error> {
        match mode {
            RenameMode::Exchange => ask(self, |objects| objects.exchange(from, to)),
            mode => ask(self, |objects| objects.rename(from, to, mode == RenameMode::Replace)),
        }
    }

    // --- contents
    // ---------------------------------------------------------------------------------------------

    /// Writes all of a file's contents from byte `offset` on, growing it as needed; what is left out reads as
    /// zeros.
    ///
    /// # Errors
    /// Those of [`write`](Self::write). Where space ends on the way, the bytes written until then are part of
    /// the transaction, which stays usable. Any other error on the way poisons it.
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

    /// Writes as [`write_all`](Self::write_all) does, and stores no zeros for bytes that were not written.
    /// The bytes before `offset`, and between two calls, stay holes to the unit of 4 KiB. For files with
    /// holes, written from the front to the back; contents that are dense are stored in longer extents by
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

    /// Lets a range of a file's contents read as zeros and take no space, as far as it lies before the end.
    /// The size stays. How far that was done, from the range's beginning on: `range.end`, or less when space
    /// ends. The next transaction can then continue from there:
    ///
    /// ```text
    /// while at < end { at = transaction.punch_hole(file, at..end)?; ... commit, begin ... }
    /// ```
    ///
    /// Extents that lie in the range whole are freed without being read. The two extents that it may cut are
    /// stored again without its bytes, and with zeros in the rest of a unit of 4 KiB. That takes space for an
    /// extent each, so a full pool punches only whole extents. What one call frees is not bounded; a shorter
    /// range is.
    ///
    /// # Errors
    /// Those of [`write`](Self::write); [`Unreadable`](Error::Unreadable) where an extent that is cut is
    /// lost.
    pub fn punch_hole(&mut self, object: ObjectId, range: Range<u64>) -> Result<u64, Error> {
        ask(self, |objects| objects.punch_hole(object, range))
    }

    /// Lets a range of a file's contents read as zeros, and the file grow to its end. As if zeros were
    /// written, but as a hole: what a later write to it needs is not kept for it. How far that was done, as
    /// [`punch_hole`](Self::punch_hole) says.
    ///
    /// # Errors
    /// Those of [`punch_hole`](Self::punch_hole).
    pub fn zero(&mut self, object: ObjectId, range: Range<u64>) -> Result<u64, Error> {
        ask(self, |objects| objects.zero(object, range))
    }

    /// Moves contents from a byte of one file to a byte of another, where there must be a hole, or nothing
    /// yet. Holes are moved too. What is moved leaves a hole; the one's size stays, the other's grows as
    /// needed. Offsets and `bytes` are multiples of 4 KiB; what lies behind the end is left out. What was
    /// moved: all, or less when space ends, counted from the beginning, and the rest is as it was.
    ///
    /// Extents move with their records alone, and their data is neither read nor written, where
    ///
    /// - they are moved whole, to a multiple of their size, which no extent of the other object exceeds;
    /// - they are stored in the scheme that the other object asks for, and are not short. Every fragment is
    ///   on a member that takes part, is owed nothing and is not being emptied.
    ///
    /// What else there is is read and stored again in the other object's scheme ([`Moved::copied`]).
    ///
    /// # Errors
    /// Those of [`write`](Self::write); [`InvalidArgument`](Error::InvalidArgument) for what is not aligned,
    /// for one and the same object, and where something but zeros is in the way;
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

    /// Sets an extended attribute to a value of at most
    /// [`XATTR_BYTES_MAX`](crate::limits::XATTR_BYTES_MAX) bytes; `mode` says whether it may be there
    /// already.
    ///
    /// # Errors
    /// [`NotFound`](Error::NotFound) of the object, or of an attribute that is to be replaced;
    /// [`Exists`](Error::Exists) of one that is to be made; [`InvalidName`](Error::InvalidName),
    /// [`TooLarge`](Error::TooLarge).
    pub fn set_attribute(
        &mut self,
        object: ObjectId,
        attribute: &[u8],
        value: &[u8],
        mode: AttributeMode,
    ) -> Result<(), Error> {
        ask(self, |objects| objects.set_attribute(object, attribute, value, mode))
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
    /// counters. With the commit the count begins from zero.
    ///
    /// # Errors
    /// What disks and tree answered.
    pub fn save_counters(&mut self) -> Result<(), Error> {
        ask(self, |objects| objects.save_counters())
    }

    /// Writes counters under a member's number, in place of the saved ones. It is for counters of the
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

    fn cause(objects: &mut Objects<'_, A>, error: Code) -> Code {
        objects.store.cause(error)
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
