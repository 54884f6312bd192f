//! What the pool holds: one version of a log and, changed in the same transaction, a window of small files.
//!
//! ```text
//!   version 7:  log, 6000 bytes of version 7     files 7, 8, ... 26, each with its number in it
//!   version 8:  log, 6000 bytes of version 8     files    8, ... 26, 27
//! ```
//! A version is whole when every byte of the log is that version's, its files are there, and those next to them are
//! not.

use crate::fault::Fault;
use board::power::Array;
use dynamicfs_core::error::Error;
use dynamicfs_core::files::{Attributes, MakeRequest};
use dynamicfs_core::types::ObjectId;
use dynamicfs_core::{Pool, ReadObjects, Transaction};

/// The log's name.
const LOG: &[u8] = b"log";

/// Bytes of the log: an extent and a part of one.
const LOG_BYTES: usize = 6000;

/// Small files: enough for a tree of several levels.
const FILES: u32 = 20;

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
        transaction.write_all(log, at as u64, &piece(to, at))?;
    }
    if to > 1 {
        transaction.unlink(ObjectId::ROOT, &file_name(to - 1))?;
    }
    for number in if to > 1 { to + FILES - 1 } else { to }..to + FILES {
        let file = make(&mut transaction, &file_name(number))?;
        transaction.write_all(file, 0, &number.to_le_bytes())?;
    }
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
    for absent in [version.wrapping_sub(1), version.wrapping_add(FILES)] {
        if pool.lookup(ObjectId::ROOT, &file_name(absent)) != Err(Error::NotFound) {
            return Err(Fault::Contents("another version's file is there"));
        }
    }
    for number in version..version.wrapping_add(FILES) {
        let file = pool.lookup(ObjectId::ROOT, &file_name(number))?.object;
        let mut bytes = [0; 4];
        if pool.read(file, 0, &mut bytes)? != 4 || bytes != number.to_le_bytes() {
            return Err(Fault::Contents("a file is wrong"));
        }
    }
    Ok(version)
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

fn file_name(number: u32) -> [u8; 5] {
    let [a, b, c, d] = [12, 8, 4, 0].map(|shift| b'a' + (number >> shift & 15) as u8);
    [b'f', a, b, c, d]
}
