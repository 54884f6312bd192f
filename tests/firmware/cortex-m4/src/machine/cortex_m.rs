//! Any Cortex-M.

use cortex_m::peripheral::syst::SystClkSource;
use cortex_m::peripheral::{Peripherals, SYST};
use cortex_m_rt::{ExceptionFrame, exception};
use cortex_m_semihosting::{debug, hio};

pub use cortex_m_rt::entry;

/// The address of the stack's last word.
pub fn stack_pointer() -> usize {
    cortex_m::register::msp::read() as usize
}

/// The processor's timer.
pub struct Timer(SYST);

/// Where it begins anew: it has 24 bits.
const TURN: u32 = 0x00FF_FFFF;

impl Timer {
    /// Starts it.
    pub fn start() -> Self {
        // SAFETY: the program has no interrupts, and nothing else in it uses the timer.
        let mut timer = unsafe { Peripherals::steal() }.SYST;
        timer.set_clock_source(SystClkSource::Core);
        timer.set_reload(TURN);
        timer.clear_current();
        timer.enable_counter();
        Self(timer)
    }

    /// Its ticks while something is done, which must be less than a turn.
    pub fn ticks(&mut self, f: impl FnOnce()) -> u32 {
        let before = SYST::get_current();
        f();
        before.wrapping_sub(SYST::get_current()) & TURN
    }
}

/// Executes so many instructions and a few more: a loop of two.
pub fn spin(instructions: u32) {
    cortex_m::asm::delay(instructions / 2);
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
