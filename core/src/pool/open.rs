//! How an object is opened, and what else a handle does.

use super::handle::Handle;
use super::read::ReadObjects;
use super::transaction::Transaction;
use crate::error::Error;
use crate::format::inode::ObjectKind;
use crate::object::{Attributes, MakeRequest};
use crate::options::options;
use crate::types::{Generation, ObjectId};
use dynamicfs_hal::DiskArray;

options! {
    /// How a file is opened to be written: as `std::fs::OpenOptions`, but for access, which is what the
    /// handle is used with. Without any of them a file that is there is opened, at its beginning.
    ///
    /// To read alone, [`Handle::open`] and [`Handle::open_path`] take a pool as well.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct OpenOptions {
        /// A file that is not there is made.
        pub create: bool,
        /// The file is made; one that is there is refused. It needs no `create`.
        pub create_new: bool,
        /// What a file that is there holds is cut off.
        pub truncate: bool,
        /// Each [`write`](Handle::write) goes to the end of the file.
        pub append: bool,
        /// What a file that is made is given.
        pub attributes: Attributes,
    }
}

impl OpenOptions {
    /// A file that is there, at its beginning.
    pub const fn new() -> Self {
        Self {
            create: false,
            create_new: false,
            truncate: false,
            append: false,
            attributes: Attributes::new(),
        }
    }

    /// Opens the file at a path. Symbolic links are not followed.
    ///
    /// # Errors
    /// Those of [`open_at`](Self::open_at), and of the directories of the path.
    pub fn open<A: DiskArray>(
        &self,
        transaction: &mut Transaction<'_, '_, A>,
        path: &[u8],
    ) -> Result<Handle, Error> {
        let (directory, name) = transaction.resolve_parent(path)?;
        self.open_at(transaction, directory, name)
    }

    /// Opens the file that a directory has under a name.
    ///
    /// # Errors
    /// [`InvalidName`](Error::InvalidName); [`NotFound`](Error::NotFound) where it does not exist and is not
    /// to be made; [`Exists`](Error::Exists) where it exists and is to be made anew;
    /// [`IsADirectory`](Error::IsADirectory) and [`NotAFile`](Error::NotAFile) for what is no file; those of
    /// [`Transaction::create`] and [`Transaction::truncate`]. All leave the transaction as those two do.
    pub fn open_at<A: DiskArray>(
        &self,
        transaction: &mut Transaction<'_, '_, A>,
        directory: ObjectId,
        name: &[u8],
    ) -> Result<Handle, Error> {
        let object = match transaction.lookup(directory, name) {
            Ok(_) if self.create_new => return Err(Error::Exists),
            Ok(found) => match found.kind {
                ObjectKind::File if self.truncate => {
                    transaction.truncate(found.object, 0)?;
                    found.object
                }
                ObjectKind::File => found.object,
                ObjectKind::Directory => return Err(Error::IsADirectory),
                _ => return Err(Error::NotAFile),
            },
            Err(Error::NotFound) if self.create || self.create_new => {
                transaction.create(directory, name, &MakeRequest::File, &self.attributes)?
            }
            Err(error) => return Err(error),
        };
        Ok(Handle { object, position: 0, append: self.append })
    }
}

impl Handle {
    /// Opens the object at a path, at its beginning. Symbolic links are not followed.
    ///
    /// # Errors
    /// Those of [`ReadObjects::resolve`].
    pub fn open_path(pool: &mut impl ReadObjects, path: &[u8]) -> Result<Self, Error> {
        let object = pool.resolve(path)?;
        Ok(Self { object, position: 0, append: false })
    }

    /// Whether each [`write`](Self::write) goes to the end.
    pub const fn appends(&self) -> bool {
        self.append
    }

    /// Reads from byte `offset` on; how many bytes, fewer than asked for only at the end. The position stays.
    ///
    /// # Errors
    /// Those of [`ReadObjects::read`].
    pub fn read_at(&self, pool: &mut impl ReadObjects, offset: u64, buf: &mut [u8]) -> Result<usize, Error> {
        pool.read(self.object, offset, buf)
    }

    /// Writes from byte `offset` on, also through a handle that appends; how many bytes, fewer than there are
    /// when space ends. The position stays.
    ///
    /// # Errors
    /// Those of [`Transaction::write`].
    pub fn write_at<A: DiskArray>(
        &self,
        transaction: &mut Transaction<'_, '_, A>,
        offset: u64,
        data: &[u8],
    ) -> Result<usize, Error> {
        transaction.write(self.object, offset, data)
    }

    /// Cuts the file to `bytes`, or lets it grow to them: what is new reads as zeros and takes no space. The
    /// position stays, also behind the end.
    ///
    /// # Errors
    /// Those of [`Transaction::truncate`].
    pub fn set_len<A: DiskArray>(
        &self,
        transaction: &mut Transaction<'_, '_, A>,
        bytes: u64,
    ) -> Result<(), Error> {
        transaction.truncate(self.object, bytes)
    }

    /// Makes what was written durable: **everything that the open transaction changed**, through this handle
    /// or not, because a transaction is all or nothing. The transaction then goes on, begun anew: see
    /// [`Transaction::sync`], which this is.
    ///
    /// What a pool reads outside a transaction is durable already.
    ///
    /// # Errors
    /// Those of [`Transaction::sync`].
    pub fn sync<A: DiskArray>(&self, transaction: &mut Transaction<'_, '_, A>) -> Result<Generation, Error> {
        transaction.sync()
    }
}
