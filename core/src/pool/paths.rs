//! What programs do with paths from the root, each in one call.

use super::read::{ReadObjects, ask};
use super::transaction::Transaction;
use crate::error::Error;
use crate::object::Attributes;
use crate::types::ObjectId;
use dynamicfs_hal::DiskArray;

impl<A: DiskArray> Transaction<'_, '_, A> {
    /// Makes the directories of a path that are not there, as `mkdir -p` does: the last one. Symbolic links
    /// are not followed.
    ///
    /// # Errors
    /// [`InvalidName`](Error::InvalidName) of any name of the path, before anything is made;
    /// [`NotADirectory`](Error::NotADirectory) where one is of something else. Where space ends on the way,
    /// the directories made until then are part of the transaction, which stays usable. Any other error on
    /// the way poisons it.
    pub fn create_all(&mut self, path: &[u8]) -> Result<ObjectId, Error> {
        ask(self, |objects| objects.create_all(path, &Attributes::new()))
    }

    /// Writes a file whole: the object that it is now. It is made if it does not exist. Else its name means
    /// the old contents or, with the commit, the new ones, never a part of them.
    ///
    /// It is as if the contents had been written under another name, and renamed. The file is a *new object*,
    /// and other names of the old one keep the old contents. It takes the mode, the owner, the scheme, the
    /// extent size and the tier of the old file, and not its extended attributes. To keep the object,
    /// [truncate](Self::truncate) it and [write](Self::write_all). A symbolic link is replaced, and not
    /// followed.
    ///
    /// # Errors
    /// [`InvalidName`](Error::InvalidName); [`NotFound`](Error::NotFound) or
    /// [`NotADirectory`](Error::NotADirectory) of its directory; [`IsADirectory`](Error::IsADirectory) of
    /// what it would replace; [`NoSpace`](crate::error::StorageError::NoSpace), which leaves the transaction
    /// as it was.
    pub fn write_file(&mut self, path: &[u8], contents: &[u8]) -> Result<ObjectId, Error> {
        let (directory, name) = self.resolve_parent(path)?;
        ask(self, |objects| objects.write_file(directory, name, contents, &Attributes::new()))
    }

    /// Removes what is at a path, and everything below it if it is a directory. It may have any size and
    /// depth, and the memory depends on neither. A symbolic link is removed, and not followed.
    ///
    /// A transaction may be of any size. But each removed name copies nodes of the tree, and its space is
    /// free again only after the commit. So on a nearly full pool a large subtree may not go in one
    /// transaction. Then the error is [`NoSpace`](crate::error::StorageError::NoSpace). The names removed
    /// until then are part of the transaction, which stays usable: [`sync`](Self::sync) makes that durable
    /// and frees space, and another call removes more. The subtree does not go in one step then: a crash may
    /// leave a part of it. A caller that wants all or nothing drops the transaction.
    ///
    /// # Errors
    /// [`InvalidName`](Error::InvalidName) of a path without a name, [`NotFound`](Error::NotFound),
    /// [`NotADirectory`](Error::NotADirectory), before anything is removed. Any error on the way but the lack
    /// of space poisons the transaction.
    pub fn remove_all(&mut self, path: &[u8]) -> Result<(), Error> {
        let (directory, name) = self.resolve_parent(path)?;
        ask(self, |objects| objects.remove_all(directory, name))
    }
}
