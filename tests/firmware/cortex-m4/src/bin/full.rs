//! Mounts a pool on several disks, writes, commits, reads, rebuilds and scrubs.
#![no_std]
#![no_main]

use board::lent::{Lent, SERVICES};
use board::{disks, log};
use dynamicfs_core::maintenance::{JobKind, JobOptions, Work};
use dynamicfs_core::{MountOptions, Pool};

board::program!("full", run);

fn run(lent: &mut Lent) -> Result<(), &'static str> {
    let mut mounted = Pool::mount(disks::array(), lent.lend(), SERVICES, &MountOptions::default());
    let pool = mounted.as_mut().map_err(|_| "mount")?;
    let file = log::write(pool)?;
    pool.start_job(JobKind::Scrub, JobOptions::default()).map_err(|_| "scrub")?;
    while pool.maintain(true).map_err(|_| "maintain")? != Work::Nothing {}
    log::expect_written(pool, file)
}
