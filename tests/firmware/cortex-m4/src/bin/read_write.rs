//! Mounts a pool on one disk, writes, commits and reads.
#![no_std]
#![no_main]

use board::lent::{Lent, SERVICES};
use board::{disks, log};
use dynamicfs_core::{MountOptions, Pool};

board::program!("read_write", run);

fn run(lent: &mut Lent) -> Result<(), &'static str> {
    let mut mounted = Pool::mount(disks::array(), lent.lend(), SERVICES, &MountOptions::default());
    let pool = mounted.as_mut().map_err(|_| "mount")?;
    let file = log::write(pool)?;
    log::expect_written(pool, file)
}
