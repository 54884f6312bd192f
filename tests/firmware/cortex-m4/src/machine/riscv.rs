//! Any RISC-V of 32 bits, with semihosting: <https://github.com/riscv-non-isa/riscv-semihosting>.

use core::arch::asm;

pub use riscv_rt::entry;

const SYS_WRITEC: usize = 0x03;
const SYS_EXIT: usize = 0x18;
const APPLICATION_EXIT: usize = 0x2_0026;
const RUN_TIME_ERROR: usize = 0x2_0023;

/// Asks the debugger for an operation.
///
/// # Safety
/// Where the operation takes a pointer, the argument must point at what the operation reads.
unsafe fn ask(operation: usize, argument: usize) {
    // SAFETY: the debugger changes the answer's register alone, and reads what the caller promises.
    unsafe {
        asm!(
            ".balign 16",
            ".option push",
            ".option norvc",
            "slli x0, x0, 0x1f",
            "ebreak",
            "srai x0, x0, 7",
            ".option pop",
            inout("a0") operation => _,
            in("a1") argument,
            options(nostack),
        );
    }
}

/// The address of the stack's last word.
pub fn stack_pointer() -> usize {
    let address;
    // SAFETY: copies a register.
    unsafe { asm!("mv {}, sp", out(reg) address, options(nomem, nostack, preserves_flags)) };
    address
}

/// Prints a text.
pub fn print(text: &str) {
    for byte in text.as_bytes() {
        // SAFETY: the operation reads the byte pointed at.
        unsafe { ask(SYS_WRITEC, &raw const *byte as usize) };
    }
}

/// Ends the program, with success or failure as QEMU's exit code.
pub fn stop(success: bool) -> ! {
    loop {
        // SAFETY: the operation takes a number.
        unsafe { ask(SYS_EXIT, if success { APPLICATION_EXIT } else { RUN_TIME_ERROR }) };
    }
}
