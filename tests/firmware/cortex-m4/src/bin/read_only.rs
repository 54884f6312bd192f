//! Mounts a pool on one disk for reading, and reads.
#![no_std]
#![no_main]

use board::lent::{LentToRead, SERVICES};
use board::{disks, log};
use dynamicfs_core::Reader;

board::program!("read_only", run, LentToRead);

fn run(lent: &mut LentToRead) -> Result<(), &'static str> {
    let mut mounted = Reader::mount(disks::array(), lent.lend(), SERVICES, None);
    let pool = mounted.as_mut().map_err(|_| "mount")?;
    log::expect_unwritten(pool)
}
