//! What the pool holds: one version of a log and, changed in the same transaction, a file that is named after it.
//!
//! A version is whole when every byte of the log is that version's and its file, and no neighbour's, is there.

use crate::fault::Fault;
use board::power::Array;
use dynamicfs_core::error::Error;
use dynamicfs_core::object::{Attributes, MakeRequest};
use dynamicfs_core::types::ObjectId;
use dynamicfs_core::{Pool, Transaction};

/// The log's name.
const LOG: &[u8] = b"log";

/// Bytes of the log: an extent and a part of one.
const LOG_BYTES: usize = 6000;

/// Bytes that are written or read at a time.
const PIECE_BYTES: usize = 250;

/// The number of a commit; 0 is the empty pool.
pub(crate) type Version = u32;

/// Changes a pool from one version to the next, in one transaction.
pub(crate) fn advance(pool: &mut Pool<'_, Array<'_>>, to: Version) -> Result<(), Error> {
    let mut transaction = pool.begin()?;
    let log = match transaction.lookup(ObjectId::ROOT, LOG) {
        Ok(entry) => entry.object,
        Err(Error::NotFound) => make(&mut transaction, LOG)?,
        Err(error) => return Err(error),
    };
    for at in (0..LOG_BYTES).step_by(PIECE_BYTES) {
        transaction.write(log, at as u64, &piece(to, at))?;
    }
    if to > 1 {
        transaction.unlink(ObjectId::ROOT, &file_name(to - 1))?;
    }
    let file = make(&mut transaction, &file_name(to))?;
    transaction.write(file, 0, &to.to_le_bytes())?;
    transaction.commit()?;
    Ok(())
}

fn make(transaction: &mut Transaction<'_, '_, Array<'_>>, name: &[u8]) -> Result<ObjectId, Error> {
    transaction.create(ObjectId::ROOT, name, &MakeRequest::File, &Attributes::default())
}

/// Reads all that the pool holds; the version that it is.
pub(crate) fn version(pool: &mut Pool<'_, Array<'_>>) -> Result<Version, Fault> {
    let log = match pool.lookup(ObjectId::ROOT, LOG) {
        Ok(entry) => entry.object,
        Err(Error::NotFound) => return Ok(0),
        Err(error) => return Err(Fault::Pool(error)),
    };
    let mut bytes = [0; PIECE_BYTES];
    let mut version = 0;
    for at in (0..LOG_BYTES).step_by(PIECE_BYTES) {
        if pool.read(log, at as u64, &mut bytes)? != PIECE_BYTES {
            return Err(Fault::Contents("the log is short"));
        }
        if at == 0 {
            version = Version::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        }
        if bytes != piece(version, at) {
            return Err(Fault::Contents("the log is of several versions"));
        }
    }
    if pool.read(log, LOG_BYTES as u64, &mut bytes)? != 0 {
        return Err(Fault::Contents("the log is long"));
    }
    for other in [version.wrapping_sub(1), version.wrapping_add(1)] {
        if pool.lookup(ObjectId::ROOT, &file_name(other)) != Err(Error::NotFound) {
            return Err(Fault::Contents("another version's file is there"));
        }
    }
    let file = pool.lookup(ObjectId::ROOT, &file_name(version))?.object;
    let mut bytes = [0; 4];
    match pool.read(file, 0, &mut bytes)? {
        4 if bytes == version.to_le_bytes() => Ok(version),
        _ => Err(Fault::Contents("the version's file is wrong")),
    }
}

/// A piece of the log: its version, then bytes that depend on version and place.
fn piece(version: Version, at: usize) -> [u8; PIECE_BYTES] {
    let mut bytes = [0; PIECE_BYTES];
    for (n, byte) in bytes.iter_mut().enumerate() {
        let x = (version << 16 | (at + n) as u32).wrapping_mul(0x9E37_79B1);
        *byte = (x >> 24) as u8;
    }
    bytes[..4].copy_from_slice(&version.to_le_bytes());
    bytes
}

fn file_name(version: Version) -> [u8; 5] {
    let [a, b, c, d] = [12, 8, 4, 0].map(|shift| b'a' + (version >> shift & 15) as u8);
    [b'v', a, b, c, d]
}
