//! Mounts a pool on several disks, writes, commits, reads, and repairs what reads found bad.
#![no_std]
#![no_main]

use board::lent::{Lent, SERVICES};
use board::{disks, log};
use dynamicfs_core::maintenance::Work;
use dynamicfs_core::{MountOptions, Pool};

board::program!("mirror", run);

fn run(lent: &mut Lent) -> Result<(), &'static str> {
    let mut mounted = Pool::mount(disks::array(), lent.lend(), SERVICES, &MountOptions::default());
    let pool = mounted.as_mut().map_err(|_| "mount")?;
    let file = log::write(pool)?;
    while pool.upkeep(false).map_err(|_| "upkeep")? != Work::Nothing {}
    log::expect_written(pool, file)
}
