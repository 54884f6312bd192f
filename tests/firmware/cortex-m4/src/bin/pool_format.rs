//! Makes a pool on the board's disks and leaves one object in it.
#![no_std]
#![no_main]

use board::lent::{Lent, SERVICES, Weyl};
use board::{disks, log};
use dynamicfs_core::{FormatOptions, Pool};

board::program!("pool_format", run);

fn run(lent: &mut Lent) -> Result<(), &'static str> {
    let scheme = disks::SCHEMES.last().ok_or("scheme")?;
    let options = FormatOptions::portable(*scheme).force(true);
    let made = Pool::format(disks::array(), lent.lend(), SERVICES, &mut Weyl(7), &options, &[]);
    log::make(&mut made.map_err(|_| "format")?)
}
