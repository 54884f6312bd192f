//! Makes a pool on the board's disks and leaves one object in it.
#![no_std]
#![no_main]

use board::lent::{Lent, SERVICES, Weyl};
use board::{disks, report, stack};
use core::panic::PanicInfo;
use cortex_m_rt::entry;
use dynamicfs_core::files::{Attributes, MakeRequest};
use dynamicfs_core::types::ObjectId;
use dynamicfs_core::{FormatOptions, Pool};
use dynamicfs_hal::{RamDisk, SerialArray};

#[entry]
fn main() -> ! {
    static mut LENT: Lent = Lent::NEW;
    stack::paint();
    let done = run(LENT);
    report::finish("pool_format", size_of::<Lent>(), done)
}

fn run(lent: &mut Lent) -> Result<(), &'static str> {
    let disks = disks::take().each_mut().map(|bytes| RamDisk::new(&mut bytes[..], disks::SECTOR_BYTES));
    let array = SerialArray::<_, { disks::COUNT }>::new(disks);
    let scheme = disks::SCHEMES.last().ok_or("scheme")?;
    let options = FormatOptions { force: true, ..FormatOptions::portable(*scheme) };
    let mut pool =
        Pool::format(array, lent.lend(), SERVICES, &mut Weyl(7), &options, &[]).map_err(|_| "format")?;
    let mut transaction = pool.begin().map_err(|_| "begin")?;
    let file = transaction
        .create(ObjectId::ROOT, b"log", &MakeRequest::File, &Attributes::default())
        .map_err(|_| "create")?;
    transaction.write_all(file, 0, &[b'.'; 3000]).map_err(|_| "write")?;
    transaction.commit().map_err(|_| "commit")?;
    Ok(())
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    board::stop(false)
}
