//! Mounts a pool on several disks, writes, commits, reads, and repairs what reads found bad.
#![no_std]
#![no_main]

use board::lent::{Lent, SERVICES};
use board::{disks, report, stack};
use core::panic::PanicInfo;
use cortex_m_rt::entry;
use dynamicfs_core::maintenance::Work;
use dynamicfs_core::types::ObjectId;
use dynamicfs_core::{MountOptions, Pool, ReadObjects};
use dynamicfs_hal::{RamDisk, SerialArray};

#[entry]
fn main() -> ! {
    static mut LENT: Lent = Lent::NEW;
    stack::paint();
    let done = run(LENT);
    report::finish("mirror", size_of::<Lent>(), done)
}

fn run(lent: &mut Lent) -> Result<(), &'static str> {
    let disks = disks::take().each_mut().map(|bytes| RamDisk::new(&mut bytes[..], disks::SECTOR_BYTES));
    let array = SerialArray::<_, { disks::COUNT }>::new(disks);
    let mounted = Pool::mount(array, lent.lend(), SERVICES, &MountOptions::default());
    let mut pool = mounted.map_err(|_| "mount")?;
    let mut transaction = pool.begin().map_err(|_| "begin")?;
    let file = transaction.lookup(ObjectId::ROOT, b"log").map_err(|_| "lookup")?.object;
    transaction.write_all(file, 1000, b"it happened").map_err(|_| "write")?;
    transaction.commit().map_err(|_| "commit")?;
    while pool.upkeep(false).map_err(|_| "upkeep")? != Work::Nothing {}
    let mut text = [0; 64];
    let bytes = pool.read(file, 995, &mut text).map_err(|_| "read")?;
    if text[..bytes].starts_with(b".....it happened.....") { Ok(()) } else { Err("compare") }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    board::stop(false)
}
