//! An object as a stream.

use crate::error::Error;
use crate::object::Objects;
use crate::types::ObjectId;
use dynamicfs_hal::DiskArray;
use embedded_io::{ErrorType, Read, Seek, SeekFrom, Write};

/// A position in an object's contents: `embedded_io`'s `Read`, `Write` and `Seek`.
///
/// Writing needs a transaction. A flush does nothing: what is written is durable with the transaction's commit.
pub struct Handle<'o, 'm, A> {
    objects: &'o mut Objects<'m, A>,
    object: ObjectId,
    position: u64,
}

impl<'m, A: DiskArray> Objects<'m, A> {
    /// Opens an object, at its beginning.
    pub fn open(&mut self, object: ObjectId) -> Result<Handle<'_, 'm, A>, Error> {
        self.inode(object)?;
        Ok(Handle { objects: self, object, position: 0 })
    }
}

impl<A> ErrorType for Handle<'_, '_, A> {
    type Error = Error;
}

impl<A: DiskArray> Read for Handle<'_, '_, A> {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize, Error> {
        let bytes = self.objects.read(self.object, self.position, buf)?;
        self.position += bytes as u64;
        Ok(bytes)
    }
}

impl<A: DiskArray> Write for Handle<'_, '_, A> {
    fn write(&mut self, buf: &[u8]) -> Result<usize, Error> {
        let wrote = self.objects.write(self.object, self.position, buf)?;
        self.position += wrote as u64;
        Ok(wrote)
    }

    fn flush(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

impl<A: DiskArray> Seek for Handle<'_, '_, A> {
    fn seek(&mut self, to: SeekFrom) -> Result<u64, Error> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::Current(delta) => self.position.checked_add_signed(delta),
            SeekFrom::End(delta) => self.objects.inode(self.object)?.size.checked_add_signed(delta),
        };
        self.position = position.ok_or(Error::InvalidArgument)?;
        Ok(self.position)
    }
}
