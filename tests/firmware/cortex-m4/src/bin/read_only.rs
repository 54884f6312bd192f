//! Mounts a pool on one disk for reading, and reads.
#![no_std]
#![no_main]

use board::lent::{LentToRead, SERVICES};
use board::{disks, log};
use dynamicfs_core::types::ObjectId;
use dynamicfs_core::{ReadObjects, Reader};

board::program!("read_only", run, LentToRead);

fn run(lent: &mut LentToRead) -> Result<(), &'static str> {
    let mut pool = Reader::mount(disks::array(), lent.lend(), SERVICES, None).map_err(|_| "mount")?;
    let file = pool.lookup(ObjectId::ROOT, log::NAME).map_err(|_| "lookup")?.object;
    let mut text = [0; 64];
    let bytes = pool.read(file, log::AT, &mut text).map_err(|_| "read")?;
    if text[..bytes] == [b'.'; 64] { Ok(()) } else { Err("compare") }
}
