//! What only block devices can be asked: their size, their sectors, and to discard.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;

use rustix::fs::{ioctl_blkpbszget, ioctl_blksszget, major, minor};
use rustix::ioctl::{Getter, Opcode, Setter, ioctl, opcode};

const BLKROGET: Opcode = opcode::none(0x12, 94);
const BLKGETSIZE64: Opcode = opcode::read::<usize>(0x12, 114);
const BLKDISCARD: Opcode = opcode::none(0x12, 119);

/// Size in bytes.
#[allow(unsafe_code)]
pub(super) fn bytes(device: &File) -> io::Result<u64> {
    // SAFETY: `BLKGETSIZE64` writes a u64 through its pointer and does nothing else.
    Ok(unsafe { ioctl(device, Getter::<BLKGETSIZE64, u64>::new()) }?)
}

/// Whether the device takes no writes. Many let themselves be opened for writing all the same.
#[allow(unsafe_code)]
pub(super) fn is_write_protected(device: &File) -> io::Result<bool> {
    // SAFETY: `BLKROGET` writes an int through its pointer and does nothing else.
    let protected: i32 = unsafe { ioctl(device, Getter::<BLKROGET, i32>::new()) }?;
    Ok(protected != 0)
}

/// Bytes of a logical sector, the smallest that can be addressed.
pub(super) fn logical_sector_bytes(device: &File) -> io::Result<u32> {
    Ok(ioctl_blksszget(device)?)
}

/// Bytes of a physical sector, the smallest that the medium itself writes; at least a logical one.
pub(super) fn physical_sector_bytes(device: &File) -> io::Result<u32> {
    Ok(ioctl_blkpbszget(device)?)
}

/// Whether the device takes discards, as the kernel says in sysfs; a device that is not to be found there does not.
pub(super) fn can_discard(device: &File) -> bool {
    let Ok(metadata) = device.metadata() else { return false };
    let folder = format!("/sys/dev/block/{}:{}", major(metadata.rdev()), minor(metadata.rdev()));
    // A partition has its disk's queue, one folder up.
    ["queue", "../queue"].iter().any(|queue| {
        fs::read_to_string(format!("{folder}/{queue}/discard_max_bytes"))
            .is_ok_and(|bytes| bytes.trim().parse::<u64>().is_ok_and(|bytes| bytes > 0))
    })
}

/// Tells the device that a range of bytes is no longer needed.
#[allow(unsafe_code)]
pub(super) fn discard(device: &File, offset: u64, bytes: u64) -> rustix::io::Result<()> {
    // SAFETY: `BLKDISCARD` reads two u64 (offset and length in bytes) through its pointer and writes no memory.
    unsafe { ioctl(device, Setter::<BLKDISCARD, [u64; 2]>::new([offset, bytes])) }
}
