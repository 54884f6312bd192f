//! DynamicFS on QEMU's RISC-V board `virt`: three virtio disks, orders over the serial line.
//!
//! | module | what it is |
//! |---|---|
//! | [`board`] | the board: addresses, clock, serial line, the end |
//! | [`virtio`] | what the virtio driver asks of the board |
//! | [`disk`], [`entropy`] | the virtio devices, as the pool takes them |
//! | [`console`] | lines over the serial line |
//! | `logger` | what the core logs |
//! | [`orders`] | what can be asked for |
//! | [`example`] | README.md's example of firmware |
//! | [`apply`] | the workload's transactions, done to a pool and found in it |
//!
//! Each order is answered with `done` or `failed` and why, after what else it says.
#![no_std]
#![no_main]

mod apply;
mod board;
mod console;
mod disk;
mod entropy;
mod example;
mod failure;
#[cfg(feature = "log")]
mod logger;
mod orders;
mod virtio;

#[cfg(feature = "defmt")]
use {defmt_semihosting as _, riscv as _};

use console::Console;
use core::fmt::Write as _;
use core::panic::PanicInfo;
use entropy::BoardEntropy;
use failure::Failure;
use orders::{Machine, Order};
use riscv_rt::entry;

#[entry]
fn main() -> ! {
    let Some(mut console) = Console::open() else { board::stop(false) };
    #[cfg(feature = "log")]
    logger::start();
    let mut machine = Machine::new(disk::find(), BoardEntropy::find());
    let found = machine.disks.devices().iter().flatten().count();
    let _ = writeln!(console, "booted with {found} disks");
    loop {
        let order = Order::read(console.read_line());
        let done = match order {
            Some(Order::Format(scheme)) => machine.format(scheme, &mut console),
            Some(Order::Write(count)) => machine.write(count, &mut console),
            Some(Order::Verify) => machine.verify(&mut console),
            Some(Order::Mend) => machine.mend(&mut console),
            Some(Order::Make) => machine.make(),
            Some(Order::Record) => machine.record(b"booted\n"),
            Some(Order::Halt) => board::stop(true),
            None => Err(Failure::Order),
        };
        let _ = match done {
            Ok(()) => writeln!(console, "done"),
            Err(failure) => writeln!(console, "failed {failure} ({failure:?})"),
        };
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    if let Some(mut console) = Console::open() {
        let _ = writeln!(console, "{info}");
    }
    board::stop(false)
}
