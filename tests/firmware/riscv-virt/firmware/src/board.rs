//! The board: where its parts are in memory, its clock, its end.
//!
//! Source: QEMU, hw/riscv/virt.c, `virt_memmap`.

use core::ptr::NonNull;
use dynamicfs_hal::{Clock, UnixTime};
use uart_16550::backend::MmioBackend;
use uart_16550::{Config, Uart16550};

/// The device that ends the machine (SiFive's test finisher), and what it takes.
const FINISHER: *mut u32 = 0x0010_0000 as *mut _;
const PASSED: u32 = 0x5555;
const FAILED: u32 = 1 << 16 | 0x3333;

/// The real-time clock (Goldfish): nanoseconds since 1970; reading the low half holds the high one.
const TIME_LOW: *const u32 = 0x0010_1000 as *const _;
const TIME_HIGH: *const u32 = 0x0010_1004 as *const _;

/// The timer of the core-local interruptor, and how many of its ticks a microsecond has.
const TIMER_LOW: *const u32 = 0x0200_BFF8 as *const _;
const TIMER_HIGH: *const u32 = 0x0200_BFFC as *const _;
const TICKS_PER_MICRO: u64 = 10;

/// The serial line.
const UART: *mut u8 = 0x1000_0000 as *mut _;

/// Places for virtio devices, how far apart, and how many.
const VIRTIO: usize = 0x1000_1000;
const VIRTIO_BYTES: usize = 0x1000;
const VIRTIO_PLACES: usize = 8;

/// The board's clock.
pub(crate) struct BoardClock;

impl Clock for BoardClock {
    fn now(&self) -> UnixTime {
        // SAFETY: registers of a device that the board has; reading them changes nothing but what is held.
        let (low, high) = unsafe { (TIME_LOW.read_volatile(), TIME_HIGH.read_volatile()) };
        let nanoseconds = u64::from(high) << 32 | u64::from(low);
        UnixTime {
            seconds: (nanoseconds / 1_000_000_000) as i64,
            nanoseconds: (nanoseconds % 1_000_000_000) as u32,
        }
    }

    fn monotonic_micros(&self) -> u64 {
        loop {
            // SAFETY: registers of a device that the board has; reading them changes nothing.
            let (high, low, again) = unsafe {
                (TIMER_HIGH.read_volatile(), TIMER_LOW.read_volatile(), TIMER_HIGH.read_volatile())
            };
            // The low half may have run over between.
            if high == again {
                return (u64::from(high) << 32 | u64::from(low)) / TICKS_PER_MICRO;
            }
        }
    }
}

/// The serial line, ready for use.
pub(crate) fn serial() -> Option<Uart16550<MmioBackend>> {
    // SAFETY: the board has it there, and its registers lie side by side. Nothing else of the program uses it
    // at the same time: code that panics does not continue, and a line is logged before the console
    // continues.
    let mut uart = unsafe { Uart16550::new_mmio(NonNull::new(UART)?, 1) }.ok()?;
    uart.init(Config::default()).ok()?;
    Some(uart)
}

/// Sends a byte over the serial line, which has been opened: opening it again would drop what it has yet to
/// send.
#[cfg(feature = "log")]
pub(crate) fn send(byte: u8) {
    /// Its line status, and the bit of it that says that a byte is taken (16550).
    const STATUS: usize = 5;
    const EMPTY: u8 = 1 << 5;
    // SAFETY: registers of a device that the board has; one hart without interrupts uses it.
    unsafe {
        while UART.add(STATUS).read_volatile() & EMPTY == 0 {}
        UART.write_volatile(byte);
    }
}

/// Where a virtio device may be, and how many bytes of registers it has there.
pub(crate) fn virtio_place(number: usize) -> Option<(NonNull<u8>, usize)> {
    let address = VIRTIO + number * VIRTIO_BYTES;
    NonNull::new(address as *mut u8).filter(|_| number < VIRTIO_PLACES).map(|place| (place, VIRTIO_BYTES))
}

/// Ends the machine, with success or failure as QEMU's exit code.
pub(crate) fn stop(success: bool) -> ! {
    // SAFETY: the register ends the machine, and nothing else.
    unsafe { FINISHER.write_volatile(if success { PASSED } else { FAILED }) };
    loop {
        core::hint::spin_loop();
    }
}
