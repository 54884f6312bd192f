//! What can be read: of a pool as its last commit left it, in a transaction with what that changed.

use super::sealed::Inside;
use crate::error::{Code, Error};
use crate::format::inode::{Inode, ObjectKind};
use crate::format::name::EntryTarget;
use crate::object::{Entry, Objects};
use crate::types::ObjectId;
use core::ops::{ControlFlow, Range};
use dynamicfs_hal::DiskArray;

/// Reading objects and names. On a [`Pool`](crate::Pool) it reads what the last commit left, on a
/// [`Transaction`](crate::Transaction) also what the transaction changed.
///
/// A read may write nothing, but it notes what it found damaged: [`upkeep`](crate::Pool::upkeep) rewrites
/// that. Only this crate implements it.
pub trait ReadObjects: Inside + Sized {
    /// The object that a directory has under a name.
    ///
    /// # Errors
    /// [`NotFound`](Error::NotFound), [`NotADirectory`](Error::NotADirectory),
    /// [`InvalidName`](Error::InvalidName), or what disks and tree answered.
    fn lookup(&mut self, directory: ObjectId, name: &[u8]) -> Result<EntryTarget, Error> {
        ask(self, |objects| objects.lookup(directory, name))
    }

    /// The object at a path from the root. Symbolic links are not followed.
    ///
    /// # Errors
    /// Those of [`lookup`](Self::lookup).
    fn resolve(&mut self, path: &[u8]) -> Result<ObjectId, Error> {
        ask(self, |objects| objects.resolve(path))
    }

    /// The directory that holds the last name of a path, and that name.
    ///
    /// # Errors
    /// Those of [`lookup`](Self::lookup); a path without a name is [`InvalidName`](Error::InvalidName).
    fn resolve_parent<'p>(&mut self, path: &'p [u8]) -> Result<(ObjectId, &'p [u8]), Error> {
        ask(self, |objects| objects.resolve_parent(path))
    }

    /// Calls `f` with each entry of a directory from `from` on, in the order of the names' hashes, until it
    /// breaks. 0 is the first, then [`Entry::next`]. What changes meanwhile may or may not be seen; all else
    /// is seen once.
    ///
    /// # Errors
    /// [`NotFound`](Error::NotFound), [`NotADirectory`](Error::NotADirectory), or what disks and tree
    /// answered.
    fn list<B>(
        &mut self,
        directory: ObjectId,
        from: u64,
        f: impl FnMut(Entry<'_>) -> ControlFlow<B>,
    ) -> Result<Option<B>, Error> {
        ask(self, |objects| objects.list(directory, from, f))
    }

    /// An object's attributes. A deleted one is [`NotFound`](Error::NotFound) at once, also while its
    /// contents are still being freed. A pinned one ([`Pool::pin`](crate::Pool::pin)) is found, with 0
    /// `links`.
    ///
    /// # Errors
    /// [`NotFound`](Error::NotFound), or what disks and tree answered.
    fn inode(&mut self, object: ObjectId) -> Result<Inode, Error> {
        ask(self, |objects| objects.inode(object))
    }

    /// Calls `f` with every object and its attributes, by number. Reads all leaves of the tree.
    ///
    /// # Errors
    /// What disks and tree answered.
    fn each_inode(&mut self, f: impl FnMut(ObjectId, &Inode)) -> Result<(), Error> {
        ask(self, |objects| objects.each_inode(f))
    }

    /// Reads an object's contents from byte `offset` on; the bytes read, fewer than asked for only at its
    /// end.
    ///
    /// # Errors
    /// [`NotFound`](Error::NotFound); [`IsADirectory`](Error::IsADirectory) and [`NotAFile`](Error::NotAFile)
    /// for what has no contents; [`Unreadable`](Error::Unreadable) where too few fragments are right. Nothing
    /// in `buf` is to be used then: it was zeroed.
    fn read(&mut self, object: ObjectId, offset: u64, buf: &mut [u8]) -> Result<usize, Error> {
        ask(self, |objects| objects.read(object, offset, buf))
    }

    /// Reads the whole contents of the file at a path into the beginning of `buf`; how many bytes. Symbolic
    /// links are not followed.
    ///
    /// # Errors
    /// [`TooLarge`](Error::TooLarge) where `buf` is shorter than the contents, before anything is read; else
    /// those of [`resolve`](Self::resolve) and [`read`](Self::read).
    fn read_file(&mut self, path: &[u8], buf: &mut [u8]) -> Result<usize, Error> {
        let object = self.resolve(path)?;
        // What has no contents is told by the read.
        let inode = self.inode(object)?;
        if inode.kind == ObjectKind::File && inode.size > buf.len() as u64 {
            return Err(Error::TooLarge);
        }
        self.read(object, 0, buf)
    }

    /// The first bytes from `from` on that were written: those of one extent. `None` where nothing but zeros
    /// that were never written are left up to the end. Reads the tree, and no data.
    ///
    /// # Errors
    /// Those of [`read`](Self::read) but for [`Unreadable`](Error::Unreadable).
    fn next_written(&mut self, object: ObjectId, from: u64) -> Result<Option<Range<u64>>, Error> {
        ask(self, |objects| objects.next_written(object, from))
    }

    /// The first byte from `from` on that was written, as `lseek` with `SEEK_DATA` finds it. `None` is what
    /// that calls `ENXIO`: nothing but a hole is left up to the end, or `from` is not before the end.
    /// Contents that are inline count as written whole. Reads the tree, and no data.
    ///
    /// # Errors
    /// Those of [`next_written`](Self::next_written).
    fn seek_data(&mut self, object: ObjectId, from: u64) -> Result<Option<u64>, Error> {
        ask(self, |objects| objects.seek_data(object, from))
    }

    /// The first byte from `from` on that is in a hole, as `lseek` with `SEEK_HOLE` finds it. The end of the
    /// object counts as a hole. `None` is what that calls `ENXIO`: `from` is not before the end. Reads the
    /// tree, and no data: a record for each extent up to there.
    ///
    /// # Errors
    /// Those of [`next_written`](Self::next_written).
    fn seek_hole(&mut self, object: ObjectId, from: u64) -> Result<Option<u64>, Error> {
        ask(self, |objects| objects.seek_hole(object, from))
    }

    /// Reads the value of an extended attribute into `out`, as far as it goes; its length in bytes.
    ///
    /// # Errors
    /// [`NotFound`](Error::NotFound), [`InvalidName`](Error::InvalidName), or what disks and tree answered.
    fn attribute(&mut self, object: ObjectId, attribute: &[u8], out: &mut [u8]) -> Result<usize, Error> {
        ask(self, |objects| objects.attribute(object, attribute, out))
    }

    /// Calls `f` with the name of each extended attribute, until it breaks.
    ///
    /// # Errors
    /// [`NotFound`](Error::NotFound), or what disks and tree answered.
    fn attributes<B>(
        &mut self,
        object: ObjectId,
        f: impl FnMut(&[u8]) -> ControlFlow<B>,
    ) -> Result<Option<B>, Error> {
        ask(self, |objects| objects.attributes(object, f))
    }

    /// Bytes of contents that stay inline in the tree.
    fn inline_max(&mut self) -> u64 {
        self.inside(|objects| objects.inline_max())
    }

    /// Reads of all disks that failed or brought wrong bytes, since the mount.
    fn bad_reads(&mut self) -> u64 {
        self.inside(|objects| objects.store.tree.disks.bad_reads())
    }

    /// The array, between two operations: for what a machine must tell its disks beside reading and writing.
    fn with_array<T>(&mut self, f: impl FnOnce(&mut Self::Array) -> T) -> T {
        self.inside(|objects| f(objects.store.tree.disks.array()))
    }
}

impl<T: Inside<Array: DiskArray>> ReadObjects for T {}

/// Runs something on the objects, and puts together what its error is about.
pub(super) fn ask<P: Inside<Array: DiskArray>, T>(
    pool: &mut P,
    f: impl FnOnce(&mut Objects<'_, P::Array>) -> Result<T, Code>,
) -> Result<T, Error> {
    pool.inside(|objects| {
        f(objects).map_err(|error| {
            let cause = P::cause(objects, error);
            objects.store.tree.disks.about.explain(cause)
        })
    })
}
