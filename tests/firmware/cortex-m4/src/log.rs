//! What the programs write and read: a file of full stops, into which something is written.
//!
//! Each is a function of its own, as in a program that calls it in several places. So its stack frame is not
//! there while the pool is mounted.

use dynamicfs_core::files::{Attributes, MakeRequest};
use dynamicfs_core::types::ObjectId;
use dynamicfs_core::{Pool, ReadObjects, Reader};
use dynamicfs_hal::DiskArray;

/// The file's name.
pub const NAME: &[u8] = b"log";

/// Where something is written into it.
pub const AT: u64 = 1000;

/// Makes the file, and commits it.
pub fn make<A: DiskArray>(pool: &mut Pool<'_, A>) -> Result<(), &'static str> {
    let mut transaction = pool.begin().map_err(|_| "begin")?;
    let file = transaction
        .create(ObjectId::ROOT, NAME, &MakeRequest::File, &Attributes::default())
        .map_err(|_| "create")?;
    transaction.write_all(file, 0, &[b'.'; 3000]).map_err(|_| "write")?;
    transaction.commit().map_err(|_| "commit")?;
    Ok(())
}

/// Writes into the file, and commits it.
#[inline(never)]
pub fn write<A: DiskArray>(pool: &mut Pool<'_, A>) -> Result<ObjectId, &'static str> {
    let mut transaction = pool.begin().map_err(|_| "begin")?;
    let file = transaction.lookup(ObjectId::ROOT, NAME).map_err(|_| "lookup")?.object;
    transaction.write_all(file, AT, b"it happened").map_err(|_| "write")?;
    transaction.commit().map_err(|_| "commit")?;
    Ok(file)
}

/// Reads what was written, and what is beside it.
#[inline(never)]
pub fn expect_written<A: DiskArray>(pool: &mut Pool<'_, A>, file: ObjectId) -> Result<(), &'static str> {
    let mut text = [0; 64];
    let bytes = pool.read(file, AT - 5, &mut text).map_err(|_| "read")?;
    if text[..bytes].starts_with(b".....it happened.....") { Ok(()) } else { Err("compare") }
}

/// Reads the file as it was made.
#[inline(never)]
pub fn expect_unwritten<A: DiskArray>(pool: &mut Reader<'_, A>) -> Result<(), &'static str> {
    let file = pool.lookup(ObjectId::ROOT, NAME).map_err(|_| "lookup")?.object;
    let mut text = [0; 64];
    let bytes = pool.read(file, AT, &mut text).map_err(|_| "read")?;
    if text[..bytes] == [b'.'; 64] { Ok(()) } else { Err("compare") }
}
