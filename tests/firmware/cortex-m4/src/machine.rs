//! What differs between processors: where a program begins, its stack pointer, and the debugger, which is
//! QEMU.

#[cfg(target_arch = "arm")]
mod cortex_m;
#[cfg(target_arch = "riscv32")]
mod riscv;

use core::fmt;

#[cfg(target_arch = "arm")]
pub use cortex_m::{Timer, entry, print, spin, stack_pointer, stop};
#[cfg(target_arch = "riscv32")]
pub use riscv::{entry, print, stack_pointer, stop};

/// What the debugger prints.
pub struct Console;

impl fmt::Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        print(text);
        Ok(())
    }
}
