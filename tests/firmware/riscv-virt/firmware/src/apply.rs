//! The workload's changes done to a pool, and the pool compared with the workload's tree.

use crate::failure::Failure;
use core::fmt::Write as _;
use core::ops::ControlFlow;
use dynamicfs_core::error::Error;
use dynamicfs_core::files::{Attributes, MakeRequest, RenameMode};
use dynamicfs_core::types::ObjectId;
use dynamicfs_core::{Pool, ReadObjects, Transaction};
use dynamicfs_hal::DiskArray;
use workload::path::Text;
use workload::tree::{SEQUENCE, SEQUENCE_DIGITS};
use workload::{Change, Contents, Path, Tree};

/// Bytes that are written or read at a time: no divisor of a block or an extent.
const PIECE_BYTES: usize = 700;

/// Does one change in a transaction.
pub(crate) fn apply<A: DiskArray>(
    transaction: &mut Transaction<'_, '_, A>,
    change: Change,
) -> Result<(), Error> {
    match change {
        Change::MakeDirectory(directory) => {
            let parent = transaction.resolve(directory.parent().path().as_bytes())?;
            let name = directory.name().as_bytes();
            transaction.create(parent, name, &MakeRequest::Directory, &Attributes::default()).map(|_| ())
        }
        Change::RemoveDirectory(directory) => {
            let parent = transaction.resolve(directory.parent().path().as_bytes())?;
            transaction.unlink(parent, directory.name().as_bytes())
        }
        Change::Create(path) => {
            let (directory, name) = place(transaction, &path)?;
            let name = name.as_str().as_bytes();
            transaction.create(directory, name, &MakeRequest::File, &Attributes::default()).map(|_| ())
        }
        Change::Write(path, piece) => {
            let (directory, name) = place(transaction, &path)?;
            let file = transaction.lookup(directory, name.as_str().as_bytes())?.object;
            let mut bytes = [0; PIECE_BYTES];
            for at in (piece.offset..piece.end()).step_by(PIECE_BYTES) {
                let length = bytes.len().min((piece.end() - at) as usize);
                piece.fill(at, &mut bytes[..length]);
                transaction.write_all(file, at.into(), &bytes[..length])?;
            }
            Ok(())
        }
        Change::Rename(from, to) => {
            let (from, from_name) = place(transaction, &from)?;
            let (to, to_name) = place(transaction, &to)?;
            let (from_name, to_name) = (from_name.as_str().as_bytes(), to_name.as_str().as_bytes());
            transaction.rename((from, from_name), (to, to_name), RenameMode::Replace)
        }
        Change::Unlink(path) => {
            let (directory, name) = place(transaction, &path)?;
            transaction.unlink(directory, name.as_str().as_bytes())
        }
    }
}

/// A file's directory in the pool, and its name there.
fn place<A: DiskArray>(
    transaction: &mut Transaction<'_, '_, A>,
    path: &Path,
) -> Result<(ObjectId, Text), Error> {
    Ok((transaction.resolve(path.directory.path().as_bytes())?, path.name()))
}

/// Writes down a transaction's number in it.
pub(crate) fn write_sequence<A: DiskArray>(
    transaction: &mut Transaction<'_, '_, A>,
    sequence: u32,
) -> Result<(), Error> {
    let name = SEQUENCE.as_bytes();
    let file = match transaction.lookup(ObjectId::ROOT, name) {
        Ok(entry) => entry.object,
        Err(Error::NotFound) => {
            transaction.create(ObjectId::ROOT, name, &MakeRequest::File, &Attributes::default())?
        }
        Err(error) => return Err(error),
    };
    let mut digits = Text::default();
    // Ten digits fit.
    let _ = write!(digits, "{sequence:0SEQUENCE_DIGITS$}");
    transaction.write_all(file, 0, digits.as_str().as_bytes())
}

/// The number of the last transaction that a pool holds; 0 for a new one.
pub(crate) fn read_sequence<A: DiskArray>(pool: &mut Pool<'_, A>) -> Result<u32, Failure> {
    let file = match pool.lookup(ObjectId::ROOT, SEQUENCE.as_bytes()) {
        Ok(entry) => entry.object,
        Err(Error::NotFound) => return Ok(0),
        Err(error) => return Err(error.into()),
    };
    let mut digits = [0; SEQUENCE_DIGITS + 1];
    let length = pool.read(file, 0, &mut digits)?;
    let text = core::str::from_utf8(&digits[..length]).ok();
    let number = text.filter(|text| text.len() == SEQUENCE_DIGITS).and_then(|text| text.parse().ok());
    number.ok_or(Failure::Contents("the sequence is no number"))
}

/// Reads everything in a pool and compares it with what is to be there.
pub(crate) fn compare<A: DiskArray>(pool: &mut Pool<'_, A>, tree: &Tree) -> Result<(), Failure> {
    for directory in tree.directories() {
        let found = pool.resolve(directory.path().as_bytes())?;
        let mut entries = 0;
        pool.list(found, 0, |_| {
            entries += 1;
            ControlFlow::<()>::Continue(())
        })?;
        if entries != tree.entries(directory) {
            return Err(Failure::Contents("a directory has other entries than it should"));
        }
    }
    for (path, contents) in tree.files() {
        let directory = pool.resolve(path.directory.path().as_bytes())?;
        let file = pool.lookup(directory, path.name().as_str().as_bytes())?.object;
        compare_file(pool, file, contents)?;
    }
    Ok(())
}

fn compare_file<A: DiskArray>(
    pool: &mut Pool<'_, A>,
    file: ObjectId,
    contents: &Contents,
) -> Result<(), Failure> {
    let (mut found, mut wanted) = ([0; PIECE_BYTES], [0; PIECE_BYTES]);
    // One read more than there is: it tells of what is too much.
    for at in (0..=contents.size()).step_by(PIECE_BYTES) {
        let length = wanted.len().min((contents.size() - at) as usize);
        contents.fill(at, &mut wanted[..length]);
        if pool.read(file, at.into(), &mut found)? != length {
            return Err(Failure::Contents("a file has another size than it should"));
        }
        if found[..length] != wanted[..length] {
            return Err(Failure::Contents("a file has other contents than it should"));
        }
    }
    Ok(())
}
