//! Directories listed one entry after the other.

use super::read::ReadObjects;
use crate::error::Error;
use crate::object::Entry;
use crate::types::ObjectId;
use core::ops::ControlFlow;

/// Where a listing of a directory is. It is a value and borrows nothing. Between two calls the pool may
/// change, and a listing may continue in another process, with [`directory`](Self::directory) and
/// [`position`](Self::position).
///
/// Entries come in the order of their names' hashes. A name that stays is returned exactly once, whatever
/// changes beside it, even if it is given another object. A name that comes or goes meanwhile may be returned
/// or not.
///
/// A position is below 2^63: it fits a signed `off_t`. 0 is the beginning, and 1 and 2 are the same place.
/// They are free for the `.` and `..` that other systems list first, and that are not entries here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DirectoryCursor {
    directory: ObjectId,
    position: u64,
}

impl DirectoryCursor {
    /// Before the first entry of a directory.
    pub const fn new(directory: ObjectId) -> Self {
        Self::at(directory, 0)
    }

    /// At a position that a cursor or [`Entry::next`] told.
    pub const fn at(directory: ObjectId, position: u64) -> Self {
        Self { directory, position }
    }

    /// The directory.
    pub const fn directory(&self) -> ObjectId {
        self.directory
    }

    /// Behind the entry that was told last.
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// Goes on to the next entry; its name stands in `name`, which has
    /// [`NAME_BYTES_MAX`](crate::limits::NAME_BYTES_MAX) bytes where any name is to fit. `None` behind the
    /// last. Reads the tree, from the root to a leaf.
    ///
    /// # Errors
    /// [`TooLarge`](Error::TooLarge) where `name` is shorter than the entry's;
    /// [`NotFound`](Error::NotFound), [`NotADirectory`](Error::NotADirectory), or what disks and tree
    /// answered. The cursor stays where it is.
    #[expect(clippy::indexing_slicing, reason = "a name of this length was copied into it")]
    pub fn next<'n>(
        &mut self,
        pool: &mut impl ReadObjects,
        name: &'n mut [u8],
    ) -> Result<Option<Entry<'n>>, Error> {
        let found = pool.list(self.directory, self.position, |entry| {
            let bytes = entry.name.len();
            let fits = name.get_mut(..bytes).map(|to| to.copy_from_slice(entry.name));
            ControlFlow::Break(fits.map(|()| (bytes, entry.object, entry.kind, entry.next)))
        })?;
        let Some(found) = found else { return Ok(None) };
        let (bytes, object, kind, next) = found.ok_or(Error::TooLarge)?;
        self.position = next;
        Ok(Some(Entry { name: &name[..bytes], object, kind, next }))
    }
}
