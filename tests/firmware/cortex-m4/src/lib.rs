//! The board under the programs of this folder: what an integrator writes, and how it is measured.
//!
//! | module | what it is |
//! |---|---|
//! | [`disks`] | the disks, in memory that is not the pool's |
//! | [`power`] | disks whose power can be cut in the middle of a write |
//! | [`lent`] | the memory that a pool is lent, and what else it needs |
//! | [`log`] | what the programs write and read |
//! | [`machine`] | the processor: its stack pointer, its debugger |
//! | `memory` | copying, filling and comparing memory, small |
//! | [`stack`] | how deep the stack has been |
//! | [`report`] | flash and RAM of the running program, as one line of JSON |
#![no_std]

pub mod disks;
pub mod lent;
pub mod log;
pub mod machine;
mod memory;
pub mod power;
pub mod report;
pub mod stack;

/// A program that lends memory to a pool: its name, and the function that runs with the memory.
#[macro_export]
macro_rules! program {
    ($name:literal, $run:path) => {
        $crate::program!($name, $run, $crate::lent::Lent);
    };
    ($name:literal, $run:path, $lent:ty) => {
        static mut LENT: $lent = <$lent>::NEW;

        #[$crate::machine::entry]
        fn main() -> ! {
            $crate::stack::paint();
            let lent = &raw mut LENT;
            // SAFETY: a program begins once, and nothing else names its memory.
            let done = $run(unsafe { &mut *lent });
            $crate::report::finish($name, ::core::mem::size_of::<$lent>(), done)
        }

        #[panic_handler]
        fn panic(_: &::core::panic::PanicInfo<'_>) -> ! {
            $crate::machine::stop(false)
        }
    };
}
