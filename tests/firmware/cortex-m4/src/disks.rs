//! Three disks in the board's large memory, beside the RAM that is measured.
//!
//! QEMU keeps that memory in a file when it is told to (`run.sh`): then one program finds what another left behind.

use core::sync::atomic::{AtomicBool, Ordering};

/// How many disks.
pub const COUNT: usize = 3;

/// Bytes of each.
pub const BYTES: usize = 256 << 10;

/// Bytes of a sector.
pub const SECTOR_BYTES: u32 = 512;

/// The contents of one disk.
pub type Contents = [u8; BYTES];

/// The board's 16 MiB of external RAM.
const EXTERNAL_RAM: *mut [Contents; COUNT] = 0x2100_0000 as *mut _;

/// The contents of the disks, as they were when the power came.
///
/// # Panics
/// When it is called twice.
pub fn take() -> &'static mut [Contents; COUNT] {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    assert!(!TAKEN.swap(true, Ordering::Relaxed));
    // SAFETY: the board has RAM here that no section of the program lies in (memory.x), any byte is a valid one, and
    // the flag lets nobody have it twice.
    unsafe { &mut *EXTERNAL_RAM }
}
