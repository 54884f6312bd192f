//! What else may be on a disk that is to be used: filesystems, partition tables, volumes and swap, by their
//! signatures. What has none, and is not blank, is data all the same.
//!
//! Places and bytes are those of libblkid (util-linux, `libblkid/src/superblocks` and `partitions`), which is
//! also what looks for them afterwards. What is wiped here is not found there. Files have those of `file(1)`.

use super::storage::open_to_look;
use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// A signature that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Signature {
    /// What it is of.
    pub(crate) name: &'static str,
    /// Its first byte.
    pub(crate) at: u64,
    /// Its bytes.
    pub(crate) length: usize,
}

/// What it is of, where it is, its bytes.
type Entry = (&'static str, u64, &'static [u8]);

const TABLE: &[Entry] = &[
    ("an xfs filesystem", 0, b"XFSB"),
    ("a btrfs filesystem", 0x1_0040, b"_BHRfS_M"),
    ("an ext2, ext3 or ext4 filesystem", 0x438, b"\x53\xef"),
    ("an ntfs filesystem", 3, b"NTFS    "),
    ("an exfat filesystem", 3, b"EXFAT   "),
    ("a BitLocker volume", 3, b"-FVE-FS-"),
    ("a fat filesystem", 54, b"FAT12   "),
    ("a fat filesystem", 54, b"FAT16   "),
    ("a fat filesystem", 54, b"FAT     "),
    ("a fat filesystem", 82, b"FAT32   "),
    ("a LUKS volume", 0, b"LUKS\xba\xbe"),
    ("a LUKS volume", 0x4000, b"SKUL\xba\xbe"),
    ("an LVM volume", 24, b"LVM2 001"),
    ("an LVM volume", 512 + 24, b"LVM2 001"),
    ("an LVM volume", 1024 + 24, b"LVM2 001"),
    ("an LVM volume", 1536 + 24, b"LVM2 001"),
    ("a RAID member", 0, b"\xfc\x4e\x2b\xa9"),
    ("a RAID member", 4096, b"\xfc\x4e\x2b\xa9"),
    ("swap space", 4096 - 10, b"SWAPSPACE2"),
    ("swap space", 4096 - 10, b"SWAP-SPACE"),
    ("swap space", 8192 - 10, b"SWAPSPACE2"),
    ("swap space", 16384 - 10, b"SWAPSPACE2"),
    ("swap space", 32768 - 10, b"SWAPSPACE2"),
    ("swap space", 65536 - 10, b"SWAPSPACE2"),
    ("a GPT partition table", 512, b"EFI PART"),
    ("a GPT partition table", 4096, b"EFI PART"),
    ("an iso9660 filesystem", 0x8001, b"CD001"),
    ("a udf filesystem", 0x8001, b"BEA01"),
    ("a udf filesystem", 0x8801, b"NSR0"),
    ("a udf filesystem", 0x9001, b"NSR0"),
    ("an f2fs filesystem", 1024, b"\x10\x20\xf5\xf2"),
    ("an erofs filesystem", 1024, b"\xe2\xe1\xf5\xe0"),
    ("an hfs filesystem", 1024, b"H+\x00\x04"),
    ("an hfs filesystem", 1024, b"HX\x00\x05"),
    ("a squashfs filesystem", 0, b"hsqs"),
    ("a reiserfs filesystem", 0x1_0034, b"ReIsEr"),
    ("a jfs filesystem", 0x8000, b"JFS1"),
    ("an apfs container", 32, b"NXSB"),
    ("a bcache or bcachefs device", 4096 + 24, b"\xc6\x85\x73\xf6"),
    ("a Ceph disk", 0, b"bluestore block device"),
    ("a nilfs filesystem", 1024 + 6, b"\x34\x34"),
    ("a gfs2 filesystem", 0x1_0000, b"\x01\x16\x19\x70"),
    ("an ocfs2 filesystem", 0x1000, b"OCFSV2"),
    ("a virtual disk (qcow)", 0, b"QFI\xfb"),
    ("a virtual disk (vmdk)", 0, b"KDMV"),
    ("a virtual disk (vdi)", 0x40, b"\x7f\x10\xda\xbe"),
    ("a virtual disk (vhdx)", 0, b"vhdxfile"),
    ("a tar archive", 257, b"ustar"),
    ("a zip archive", 0, b"PK\x03\x04"),
    ("a compressed file", 0, b"\x1f\x8b\x08"),
    ("a compressed file", 0, b"\xfd7zXZ\x00"),
    ("a compressed file", 0, b"\x28\xb5\x2f\xfd"),
    ("a database (SQLite)", 0, b"SQLite format 3\x00"),
];

/// Of a RAID member whose superblock is at the end.
const RAID: &[u8] = b"\xfc\x4e\x2b\xa9";

/// ZFS has four labels of this size, two at each end, and in the second half of each a ring of uberblocks.
const ZFS_LABEL: u64 = 256 << 10;
const ZFS_UBERBLOCK: u64 = 1 << 10;
const ZFS_MAGIC: [&[u8]; 2] = [b"\x0c\xb1\xba\x00\x00\x00\x00\x00", b"\x00\x00\x00\x00\x00\xba\xb1\x0c"];

/// All signatures on a file or device.
pub(crate) fn find(path: &Path) -> io::Result<Vec<Signature>> {
    let mut file = open_to_look(path)?;
    let bytes = file.seek(SeekFrom::End(0))?;
    let mut found: Vec<Signature> =
        TABLE.iter().filter_map(|&(name, at, magic)| at_place(&file, name, at, magic)).collect();
    let end = |back: u64| bytes.checked_sub(back);
    for sector in [512, 4096] {
        found.extend(end(sector).and_then(|at| at_place(&file, "a GPT partition table", at, b"EFI PART")));
    }
    let old_raid = (bytes & !0xffff).checked_sub(0x1_0000);
    let new_raid = (bytes / 512).checked_sub(16).map(|sector| (sector & !7) * 512);
    for at in [old_raid, new_raid].into_iter().flatten() {
        found.extend(at_place(&file, "a RAID member", at, RAID));
    }
    if has_partitions(&file) {
        found.push(Signature { name: "a partition table", at: 510, length: 2 });
    }
    let aligned = bytes / ZFS_LABEL * ZFS_LABEL;
    let labels =
        [Some(0), Some(ZFS_LABEL), aligned.checked_sub(2 * ZFS_LABEL), aligned.checked_sub(ZFS_LABEL)];
    for label in labels.into_iter().flatten() {
        for at in (label + ZFS_LABEL / 2..label + ZFS_LABEL).step_by(ZFS_UBERBLOCK as usize) {
            found.extend(ZFS_MAGIC.iter().find_map(|magic| at_place(&file, "a zfs pool", at, magic)));
        }
    }
    found.sort_by_key(|signature| signature.at);
    found.dedup_by_key(|signature| signature.at);
    Ok(found)
}

fn at_place(file: &File, name: &'static str, at: u64, magic: &[u8]) -> Option<Signature> {
    let mut bytes = [0; 32];
    let bytes = &mut bytes[..magic.len()];
    file.read_exact_at(bytes, at).ok()?;
    (bytes == magic).then_some(Signature { name, at, length: magic.len() })
}

/// Whether the first sector is a boot record, which a FAT also begins with. Its mark is there, and an entry
/// is in use or it begins with a jump.
fn has_partitions(file: &File) -> bool {
    let mut sector = [0; 512];
    if file.read_exact_at(&mut sector, 0).is_err() || sector[510..] != [0x55, 0xaa] {
        return false;
    }
    let entries = sector[446..510].as_chunks::<16>().0;
    let is_sane = entries.iter().all(|entry| matches!(entry[0], 0 | 0x80));
    let is_used = entries.iter().any(|entry| entry[4] != 0);
    (is_sane && is_used) || matches!(sector[0], 0xeb | 0xe9)
}

/// What they are of, each named once.
pub(crate) fn names(found: &[Signature]) -> String {
    let mut names: Vec<&str> = found.iter().map(|signature| signature.name).collect();
    names.sort_unstable();
    names.dedup();
    names.join(", ")
}

/// Bytes at each end of a disk that are looked at.
const END_BYTES: u64 = 1 << 20;

/// Places between the ends that are looked at, and the bytes of each.
const SAMPLES: u64 = 256;
const SAMPLE_BYTES: usize = 4096;

/// Whether a file or device holds no data, by both ends and by places evenly spread between them. They are
/// all zeros, or all ones, as erased flash is. Holes of a file are not read.
pub(crate) fn is_blank(path: &Path) -> io::Result<bool> {
    let mut file = open_to_look(path)?;
    let bytes = file.seek(SeekFrom::End(0))?;
    let ends = [0..bytes.min(END_BYTES), bytes.saturating_sub(END_BYTES)..bytes];
    for end in ends {
        let mut buffer = vec![0; (end.end - end.start) as usize];
        file.read_exact_at(&mut buffer, end.start)?;
        if !is_erased(&buffer) {
            return Ok(false);
        }
    }
    let mut buffer = [0; SAMPLE_BYTES];
    let step = (bytes / (SAMPLES + 1)).max(SAMPLE_BYTES as u64);
    let mut at = step;
    while at + SAMPLE_BYTES as u64 <= bytes {
        let data = next_data(&file, at).unwrap_or(bytes);
        if data < at + step {
            let data = data.min(bytes - SAMPLE_BYTES as u64);
            file.read_exact_at(&mut buffer, data)?;
            if !is_erased(&buffer) {
                return Ok(false);
            }
        }
        at += step;
    }
    Ok(true)
}

/// The first byte of data from here on; of what has no holes the byte itself.
fn next_data(file: &File, at: u64) -> Option<u64> {
    match rustix::fs::seek(file, rustix::fs::SeekFrom::Data(at)) {
        Ok(data) => Some(data),
        Err(rustix::io::Errno::NXIO) => None,
        Err(_) => Some(at),
    }
}

fn is_erased(bytes: &[u8]) -> bool {
    let first = bytes.first().copied().unwrap_or(0);
    matches!(first, 0 | 0xff) && bytes.iter().all(|&byte| byte == first)
}
