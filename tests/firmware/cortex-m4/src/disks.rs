//! The disks, in the board's large memory, beside the RAM that is measured.
//!
//! QEMU keeps that memory in a file when it is told to (`run.sh`): then one program finds what another left behind.

use core::sync::atomic::{AtomicBool, Ordering};
use dynamicfs_core::types::Scheme;
use dynamicfs_hal::{RamDisk, SerialArray};

/// How many disks: as many as the schemes need.
pub const COUNT: usize = if cfg!(feature = "full") {
    4
} else if cfg!(feature = "mirror") {
    3
} else {
    1
};

/// The schemes that the build has, the strongest last.
pub const SCHEMES: &[Scheme] = if cfg!(feature = "full") {
    &[Scheme::mirror(2), Scheme { data: 2, parity: 1 }, Scheme { data: 2, parity: 2 }]
} else if cfg!(feature = "mirror") {
    &[Scheme::mirror(2), Scheme { data: 2, parity: 1 }]
} else {
    &[Scheme::SINGLE]
};

/// Bytes of each.
pub const BYTES: usize = 256 << 10;

/// Bytes of a sector.
pub const SECTOR_BYTES: u32 = 512;

/// The contents of one disk.
pub type Contents = [u8; BYTES];

/// The board's 16 MiB of external RAM.
const EXTERNAL_RAM: *mut [Contents; COUNT] =
    if cfg!(target_arch = "arm") { 0x2100_0000 as *mut _ } else { 0x8100_0000_u32 as *mut _ };

/// The array of the disks.
pub type Array = SerialArray<RamDisk<&'static mut [u8]>, COUNT>;

/// The array of the disks, as they were when the power came.
///
/// # Panics
/// As [`take`].
pub fn array() -> Array {
    SerialArray::new(take().each_mut().map(|bytes| RamDisk::new(&mut bytes[..], SECTOR_BYTES)))
}

/// The contents of the disks, as they were when the power came.
///
/// # Panics
/// When it is called twice.
pub fn take() -> &'static mut [Contents; COUNT] {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    // Not swapped: a Cortex-M0 cannot, and the board has one thread.
    assert!(!TAKEN.load(Ordering::Relaxed));
    TAKEN.store(true, Ordering::Relaxed);
    // SAFETY: the board has RAM here that no section of the program lies in (memory.x). Any byte is a valid
    // one, and the flag gives it out only once.
    unsafe { &mut *EXTERNAL_RAM }
}
