//! Objects that stay without a name as long as the application holds them.

use super::read::ask;
use super::sealed::Inside;
use super::{Pool, Transaction};
use crate::error::Error;
use crate::object::{Attributes, MakeRequest, Pin};
use crate::types::ObjectId;
use dynamicfs_hal::DiskArray;

impl<'m, A: DiskArray> Pool<'m, A> {
    /// Lends places for pinned objects, one for each that is pinned at a time; without them none can be. What
    /// is pinned in other places is let go. It takes the feature `pins`.
    pub fn lend_pins(&mut self, pins: &'m mut [Pin]) {
        self.undo_forgotten();
        self.objects.lend_pins(pins);
    }

    /// Pins an object that is not a directory. When it loses its last name it can still be read, changed and
    /// named again, until it was [unpinned](Self::unpin) as often as it was pinned. Only then it is gone, and
    /// [`upkeep`](Self::upkeep) frees it. The next mount frees what was pinned and without a name.
    ///
    /// Without a name an object has no `links`, counts for nothing in [`health`](Self::health), and is not
    /// met by [`each_inode`](crate::ReadObjects::each_inode). Pins are no part of a transaction: dropped, it
    /// undoes none, but for those of objects that it made.
    ///
    /// # Errors
    /// [`NotFound`](Error::NotFound); [`IsADirectory`](Error::IsADirectory): a directory that is removed is
    /// gone at once; [`PinsFull`](Error::PinsFull).
    pub fn pin(&mut self, object: ObjectId) -> Result<(), Error> {
        ask(self, |objects| objects.pin(object))
    }

    /// Lets go of an object that was pinned once; false if it was not.
    pub fn unpin(&mut self, object: ObjectId) -> bool {
        self.inside(|objects| objects.unpin(object))
    }
}

impl<A: DiskArray> Transaction<'_, '_, A> {
    /// Pins an object: see [`Pool::pin`].
    ///
    /// # Errors
    /// Those of [`Pool::pin`].
    pub fn pin(&mut self, object: ObjectId) -> Result<(), Error> {
        ask(self, |objects| objects.pin(object))
    }

    /// Lets go of an object that was pinned once; false if it was not.
    pub fn unpin(&mut self, object: ObjectId) -> bool {
        self.inside(|objects| objects.unpin(object))
    }

    /// Makes an object without a name, pinned once. It is no directory. What the attributes leave open is as
    /// in the root directory. [`link`](Self::link) gives it a name; one that has none when it is [let
    /// go](Self::unpin), or when the pool is mounted anew, is gone.
    ///
    /// # Errors
    /// Those of [`create`](Self::create), but for those of names; [`IsADirectory`](Error::IsADirectory) for a
    /// directory, [`PinsFull`](Error::PinsFull).
    pub fn create_unnamed(
        &mut self,
        what: &MakeRequest<'_>,
        attributes: &Attributes,
    ) -> Result<ObjectId, Error> {
        ask(self, |objects| objects.create_unnamed(what, attributes))
    }
}
