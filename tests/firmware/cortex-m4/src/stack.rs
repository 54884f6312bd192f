//! How deep the stack has been: unused stack is painted, and what is no longer paint was used.

use crate::machine;
use core::ptr;

/// No program writes this by chance as its deepest word.
const PAINT: u32 = 0x5AFE_57AC;

/// Bytes below the stack pointer that are left alone: the painter's own.
const MARGIN: usize = 128;

unsafe extern "C" {
    /// The highest address of the stack, where it begins.
    static mut _stack_start: u32;
    /// The lowest address that it may reach.
    #[cfg_attr(target_arch = "riscv32", link_name = "__estack")]
    static mut _stack_end: u32;
}

fn limits() -> (*mut u32, *mut u32) {
    (&raw mut _stack_end, &raw mut _stack_start)
}

/// Paints what is unused.
#[inline(never)]
pub fn paint() {
    let (mut word, _) = limits();
    let end = (machine::stack_pointer() - MARGIN) as *mut u32;
    while word < end {
        // SAFETY: between the stack's end and its pointer there is memory that nothing uses.
        unsafe { word.write_volatile(PAINT) };
        // SAFETY: still below the stack pointer.
        word = unsafe { word.add(1) };
    }
}

/// The most bytes that the stack has had since it was painted, from its very beginning: what called the painter counts
/// too.
#[inline(never)]
pub fn peak() -> usize {
    let (mut word, start) = limits();
    // SAFETY: the loop ends at the stack's beginning at the latest, and all below is memory.
    while word < start && unsafe { word.read_volatile() } == PAINT {
        // SAFETY: as above.
        word = unsafe { word.add(1) };
    }
    start as usize - word as usize
}

/// Whether the stack has ever reached its end, where other memory begins.
pub fn overflowed() -> bool {
    let (end, _) = limits();
    // SAFETY: no other code uses the stack's last word.
    unsafe { ptr::read_volatile(end) != PAINT }
}
