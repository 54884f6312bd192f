//! An object as a stream.

use super::read::ReadObjects;
use super::transaction::Transaction;
use crate::error::Error;
use crate::types::ObjectId;
use dynamicfs_hal::DiskArray;
use embedded_io::SeekFrom;

/// An open object: which, and where in it. It is a value and borrows nothing. As many as fit in memory are
/// open at a time, also across transactions. Each call names the pool or transaction that it reads or writes
/// through.
///
/// Where the object is no longer there, or the transaction that made it was undone, calls answer
/// [`NotFound`](Error::NotFound): numbers of objects are not given twice in a mount. A handle ends with its
/// mount, for a crash may have undone what it is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handle {
    pub(super) object: ObjectId,
    pub(super) position: u64,
    pub(super) append: bool,
}

impl Handle {
    /// Opens an object, at its beginning.
    ///
    /// # Errors
    /// [`NotFound`](Error::NotFound), or what disks and tree answered.
    pub fn open(pool: &mut impl ReadObjects, object: ObjectId) -> Result<Self, Error> {
        pool.inode(object)?;
        Ok(Self { object, position: 0, append: false })
    }

    /// The object.
    pub const fn object(&self) -> ObjectId {
        self.object
    }

    /// The next byte that is read or written.
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// Reads on; how many bytes, 0 at the end.
    ///
    /// # Errors
    /// Those of [`ReadObjects::read`]; the position stays.
    pub fn read(&mut self, pool: &mut impl ReadObjects, buf: &mut [u8]) -> Result<usize, Error> {
        let bytes = pool.read(self.object, self.position, buf)?;
        self.position += bytes as u64;
        Ok(bytes)
    }

    /// Writes on, or at the end where the handle [appends](crate::OpenOptions::append); how many bytes, fewer
    /// than there are when space ends. The position is behind them then.
    ///
    /// # Errors
    /// Those of [`Transaction::write`]; the position stays.
    pub fn write<A: DiskArray>(
        &mut self,
        transaction: &mut Transaction<'_, '_, A>,
        data: &[u8],
    ) -> Result<usize, Error> {
        let from = if self.append { transaction.inode(self.object)?.size } else { self.position };
        let wrote = transaction.write(self.object, from, data)?;
        self.position = from + wrote as u64;
        Ok(wrote)
    }

    /// Goes to another position, also behind the end: what lies between reads as zeros once something is
    /// written.
    ///
    /// # Errors
    /// [`InvalidArgument`](Error::InvalidArgument) before the beginning; the position stays.
    pub fn seek(&mut self, pool: &mut impl ReadObjects, to: SeekFrom) -> Result<u64, Error> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::Current(delta) => self.position.checked_add_signed(delta),
            SeekFrom::End(delta) => pool.inode(self.object)?.size.checked_add_signed(delta),
        };
        self.position = position.ok_or(Error::InvalidArgument)?;
        Ok(self.position)
    }

    /// The object as a stream of `embedded_io`, through a pool or a transaction.
    pub const fn stream<'s, P>(&'s mut self, pool: &'s mut P) -> Stream<'s, P> {
        Stream { handle: self, pool }
    }
}

/// A [`Handle`] and what it reads and writes through: `embedded_io`'s `Read` and `Seek`, and `Write` through
/// a transaction.
///
/// A flush does nothing: what is written is durable with the transaction's commit, or [`Handle::sync`].
#[derive(Debug)]
pub struct Stream<'s, P> {
    handle: &'s mut Handle,
    pool: &'s mut P,
}

impl<P> embedded_io::ErrorType for Stream<'_, P> {
    type Error = Error;
}

impl<P: ReadObjects> embedded_io::Read for Stream<'_, P> {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize, Error> {
        self.handle.read(self.pool, buf)
    }
}

impl<A: DiskArray> embedded_io::Write for Stream<'_, Transaction<'_, '_, A>> {
    fn write(&mut self, buf: &[u8]) -> Result<usize, Error> {
        self.handle.write(self.pool, buf)
    }

    fn flush(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

impl<P: ReadObjects> embedded_io::Seek for Stream<'_, P> {
    fn seek(&mut self, to: embedded_io::SeekFrom) -> Result<u64, Error> {
        self.handle.seek(self.pool, to)
    }
}
