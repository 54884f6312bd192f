//! Mounts a pool on one disk for reading, and reads.
#![no_std]
#![no_main]

use board::lent::{Lent, SERVICES};
use board::{disks, report, stack};
use core::panic::PanicInfo;
use cortex_m_rt::entry;
use dynamicfs_core::types::ObjectId;
use dynamicfs_core::{ReadObjects, Reader};
use dynamicfs_hal::{RamDisk, SerialArray};

#[entry]
fn main() -> ! {
    static mut LENT: Lent = Lent::NEW;
    stack::paint();
    let done = run(LENT);
    report::finish("read_only", size_of::<Lent>(), done)
}

fn run(lent: &mut Lent) -> Result<(), &'static str> {
    let disks = disks::take().each_mut().map(|bytes| RamDisk::new(&mut bytes[..], disks::SECTOR_BYTES));
    let array = SerialArray::<_, { disks::COUNT }>::new(disks);
    let mut pool = Reader::mount(array, lent.lend(), SERVICES, None).map_err(|_| "mount")?;
    let file = pool.lookup(ObjectId::ROOT, b"log").map_err(|_| "lookup")?.object;
    let mut text = [0; 64];
    let bytes = pool.read(file, 1000, &mut text).map_err(|_| "read")?;
    if text[..bytes] == [b'.'; 64] { Ok(()) } else { Err("compare") }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    board::stop(false)
}
