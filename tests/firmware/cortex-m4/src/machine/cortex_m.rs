//! Any Cortex-M.

use cortex_m_rt::{ExceptionFrame, exception};
use cortex_m_semihosting::{debug, hio};

pub use cortex_m_rt::entry;

/// The address of the stack's last word.
pub fn stack_pointer() -> usize {
    cortex_m::register::msp::read() as usize
}

/// Prints a text.
pub fn print(text: &str) {
    if let Ok(mut host) = hio::hstdout() {
        // A host that does not listen cannot be told so.
        let _ = host.write_all(text.as_bytes());
    }
}

/// Ends the program, with success or failure as QEMU's exit code.
pub fn stop(success: bool) -> ! {
    debug::exit(if success { debug::EXIT_SUCCESS } else { debug::EXIT_FAILURE });
    loop {
        cortex_m::asm::wfi();
    }
}

#[exception]
unsafe fn HardFault(_: &ExceptionFrame) -> ! {
    print("hard fault\n");
    stop(false)
}
