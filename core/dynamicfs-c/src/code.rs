//! Codes: what functions return. 0 and above is success; what a positive number means, each function says.
//!
//! From -1 on a call was wrong and did nothing; from -20 on it is about objects and names, from -40 on about
//! disks, space and transactions, from -70 on about mounting and making pools.

use core::ffi::{CStr, c_char};

/// Success.
pub const DFS_OK: i32 = 0;
/// A pointer is null, or not aligned to what it points to.
pub const DFS_ERR_POINTER: i32 = -1;
/// A struct's `struct_bytes` is not the size that this library knows: it was not set, or program and
/// library were built with headers of different versions.
pub const DFS_ERR_STRUCT: i32 = -2;
/// A callback is null that is needed.
pub const DFS_ERR_CALLBACK: i32 = -3;
/// An argument is outside its bounds, or contradicts another.
pub const DFS_ERR_ARGUMENT: i32 = -4;
/// No pool is mounted in the struct.
pub const DFS_ERR_NOT_MOUNTED: i32 = -5;
/// A pool is mounted in the struct already.
pub const DFS_ERR_MOUNTED: i32 = -6;
/// The struct was copied from where the pool was mounted.
pub const DFS_ERR_MOVED: i32 = -7;
/// The call came from a callback of a call on the same pool, or from another thread where there is no
/// lock.
pub const DFS_ERR_REENTERED: i32 = -8;
/// The callback `lock` refused.
pub const DFS_ERR_LOCK: i32 = -9;
/// The file or directory was never opened, is closed, or is another pool's.
pub const DFS_ERR_HANDLE: i32 = -10;
/// The file or directory was opened in an earlier mount, or made by a transaction that was undone. It is
/// only to be closed.
pub const DFS_ERR_STALE: i32 = -11;
/// The file was not opened for this.
pub const DFS_ERR_ACCESS: i32 = -12;
/// No such object, name or attribute.
pub const DFS_ERR_NOT_FOUND: i32 = -20;
/// The name is taken.
pub const DFS_ERR_EXISTS: i32 = -21;
/// A directory was expected.
pub const DFS_ERR_NOT_A_DIRECTORY: i32 = -22;
/// It is a directory.
pub const DFS_ERR_IS_A_DIRECTORY: i32 = -23;
/// The directory has entries.
pub const DFS_ERR_NOT_EMPTY: i32 = -24;
/// A name is empty, longer than 255 bytes, `.` or `..`; a path is not ended within `DFS_PATH_BYTES_MAX`
/// bytes.
pub const DFS_ERR_NAME: i32 = -25;
/// A directory cannot be moved below itself.
pub const DFS_ERR_INTO_ITSELF: i32 = -26;
/// It has no contents: a device, a symbolic link.
pub const DFS_ERR_NOT_A_FILE: i32 = -27;
/// An object, name, value or number of links would exceed its limit, or a buffer is too short.
pub const DFS_ERR_TOO_LARGE: i32 = -28;
/// 256 names of a directory share a hash: impossible without the pool's seed.
pub const DFS_ERR_HASH_FULL: i32 = -29;
/// As many objects are pinned as `dfs_config.pins` allows.
pub const DFS_ERR_PINS_FULL: i32 = -30;
/// These bytes are lost: too few fragments can be read and verified. `object` and `offset` tell which.
pub const DFS_ERR_UNREADABLE: i32 = -31;
/// No replica of a node of the tree can be read: `member` and `block` tell the first.
pub const DFS_ERR_NODE_UNREADABLE: i32 = -40;
/// A record is not what its key says: `object`.
pub const DFS_ERR_RECORD_INVALID: i32 = -41;
/// A record is in a form that this version does not know: `object`.
pub const DFS_ERR_RECORD_UNSUPPORTED: i32 = -42;
/// No space is left but what is kept back so that deleting can go on.
pub const DFS_ERR_NO_SPACE: i32 = -43;
/// Too little memory is lent: `bytes` tells how much would do.
pub const DFS_ERR_NEEDS_MEMORY: i32 = -44;
/// The tree would need more levels than the format has.
pub const DFS_ERR_TREE_FULL: i32 = -45;
/// Too few disks are there for the scheme, or are left to go on safely. The transaction was undone.
pub const DFS_ERR_TOO_FEW_DISKS: i32 = -46;
/// The pool is mounted for reading, or became read-only after disks failed.
pub const DFS_ERR_READ_ONLY: i32 = -47;
/// Whether the commit happened will be seen when the pool is mounted anew. Nothing is written until
/// then.
pub const DFS_ERR_OUTCOME_UNKNOWN: i32 = -48;
/// Something else has written to the pool since it was mounted: seen on `disk`. Unmount, and mount anew.
pub const DFS_ERR_OTHER_WRITER: i32 = -49;
/// Another disk is where `disk` was. The transaction was undone; the next one goes on without it.
pub const DFS_ERR_EXCHANGED: i32 = -50;
/// What `disk` is stored in has no room. The transaction was undone.
pub const DFS_ERR_NO_SPACE_BELOW: i32 = -51;
/// The system refuses to write to `disk`. The transaction was undone.
pub const DFS_ERR_REFUSED_BELOW: i32 = -52;
/// Changes are made in a transaction, and none is open.
pub const DFS_ERR_NO_TRANSACTION: i32 = -53;
/// An earlier call of the transaction failed half-way: it can only be aborted.
pub const DFS_ERR_POISONED: i32 = -54;
/// A transaction is open, and this is not done inside one.
pub const DFS_ERR_IN_TRANSACTION: i32 = -55;
/// A write did not suit its disk's size or alignment: its geometry changed, or is wrong. The transaction
/// was undone.
pub const DFS_ERR_BAD_REQUEST: i32 = -56;
/// The pool has, or the configuration asks for, what this library was built without.
pub const DFS_ERR_NEEDS_FEATURE: i32 = -57;
/// No disk carries a label of the pool.
pub const DFS_ERR_NO_POOL: i32 = -70;
/// `disk` was made by a newer version.
pub const DFS_ERR_UNSUPPORTED: i32 = -71;
/// `disk` is shorter than its label says: it should have `bytes`.
pub const DFS_ERR_TRUNCATED: i32 = -72;
/// `disk` has larger sectors than the pool allows.
pub const DFS_ERR_LARGE_SECTORS: i32 = -73;
/// The label of `disk` contradicts the others.
pub const DFS_ERR_LABELS_DISAGREE: i32 = -74;
/// `disk` is a copy of another disk of the pool.
pub const DFS_ERR_CLONED: i32 = -75;
/// No valid superblock on any disk.
pub const DFS_ERR_NO_SUPERBLOCK: i32 = -76;
/// Members are absent that could hold a newer commit.
pub const DFS_ERR_MISSING: i32 = -77;
/// The power went while the pool was made. Nothing was stored in it; make it again, without `force`.
pub const DFS_ERR_UNFINISHED: i32 = -78;
/// Two disks hold different histories of the pool: `disk` is one of them.
pub const DFS_ERR_DIVERGED: i32 = -79;
/// The callback `entropy` failed.
pub const DFS_ERR_ENTROPY: i32 = -80;
/// No disks, or more than such a pool or this library can have.
pub const DFS_ERR_DISK_COUNT: i32 = -81;
/// A size or scheme is outside its bounds, or does not fit the others.
pub const DFS_ERR_PARAMETER: i32 = -82;
/// `disk` is too small: it needs `bytes`.
pub const DFS_ERR_DISK_TOO_SMALL: i32 = -83;
/// `disk` is too large: it may have `bytes`.
pub const DFS_ERR_DISK_TOO_LARGE: i32 = -84;
/// Sector, alignment or tear unit of `disk` are out of bounds, or do not fit the pool's block.
pub const DFS_ERR_GEOMETRY: i32 = -85;
/// `disk` holds a pool already; only `force` makes another on it.
pub const DFS_ERR_IN_USE: i32 = -86;
/// `disk` did not do what it was asked while the pool was made.
pub const DFS_ERR_IO: i32 = -87;
/// Places of `disk` where labels may be cannot be read: there may be a pool on it. Only `force` makes another
/// on it.
pub const DFS_ERR_LABEL_UNREADABLE: i32 = -88;
/// An error that this version of the interface has no code for.
pub const DFS_ERR_UNKNOWN: i32 = -99;

/// The text of a code. English, static, ended by a zero, never null; positive codes and unknown ones have one
/// too. It needs no pool, and may be called from anywhere, also from callbacks.
#[unsafe(no_mangle)]
pub extern "C" fn dfs_strerror(code: i32) -> *const c_char {
    text(code).as_ptr()
}

const fn text(code: i32) -> &'static CStr {
    match code {
        DFS_OK.. => c"no error",
        DFS_ERR_POINTER => c"null or misaligned pointer",
        DFS_ERR_STRUCT => c"struct of another version of the header",
        DFS_ERR_CALLBACK => c"a callback is missing",
        DFS_ERR_ARGUMENT => c"invalid argument",
        DFS_ERR_NOT_MOUNTED => c"no pool is mounted",
        DFS_ERR_MOUNTED => c"a pool is mounted already",
        DFS_ERR_MOVED => c"the pool's struct was moved or copied",
        DFS_ERR_REENTERED => c"called while a call on the pool is under way",
        DFS_ERR_LOCK => c"the pool could not be locked",
        DFS_ERR_HANDLE => c"not an open file or directory of this pool",
        DFS_ERR_STALE => c"opened in an earlier mount, or by a transaction that was undone",
        DFS_ERR_ACCESS => c"the file was not opened for that",
        DFS_ERR_NOT_FOUND => c"no such file or directory",
        DFS_ERR_EXISTS => c"the name exists",
        DFS_ERR_NOT_A_DIRECTORY => c"not a directory",
        DFS_ERR_IS_A_DIRECTORY => c"is a directory",
        DFS_ERR_NOT_EMPTY => c"the directory is not empty",
        DFS_ERR_NAME => c"invalid name",
        DFS_ERR_INTO_ITSELF => c"a directory cannot be moved into itself",
        DFS_ERR_NOT_A_FILE => c"has no contents",
        DFS_ERR_TOO_LARGE => c"too large",
        DFS_ERR_HASH_FULL => c"too many names share a hash",
        DFS_ERR_PINS_FULL => c"no place is left for another open file",
        DFS_ERR_UNREADABLE => c"contents are unreadable",
        DFS_ERR_NODE_UNREADABLE => c"a node of the tree is unreadable",
        DFS_ERR_RECORD_INVALID => c"a record is invalid",
        DFS_ERR_RECORD_UNSUPPORTED => c"a record is in an unknown form",
        DFS_ERR_NO_SPACE => c"no space left",
        DFS_ERR_NEEDS_MEMORY => c"too little memory is lent",
        DFS_ERR_TREE_FULL => c"the tree cannot grow any deeper",
        DFS_ERR_TOO_FEW_DISKS => c"too few disks",
        DFS_ERR_READ_ONLY => c"the pool is read-only",
        DFS_ERR_OUTCOME_UNKNOWN => c"the outcome of the commit is unknown until the next mount",
        DFS_ERR_OTHER_WRITER => c"something else has written to the pool",
        DFS_ERR_EXCHANGED => c"a disk was exchanged",
        DFS_ERR_NO_SPACE_BELOW => c"no space in what a disk is stored in",
        DFS_ERR_REFUSED_BELOW => c"the system refuses to write to a disk",
        DFS_ERR_NO_TRANSACTION => c"no transaction was begun",
        DFS_ERR_POISONED => c"the transaction can only be aborted",
        DFS_ERR_IN_TRANSACTION => c"a transaction is open",
        DFS_ERR_BAD_REQUEST => c"a write did not suit its disk",
        DFS_ERR_NEEDS_FEATURE => c"the library lacks a feature that the pool needs",
        DFS_ERR_NO_POOL => c"no pool on these disks",
        DFS_ERR_UNSUPPORTED => c"a disk was made by a newer version",
        DFS_ERR_TRUNCATED => c"a disk is shorter than it was",
        DFS_ERR_LARGE_SECTORS => c"a disk has larger sectors than the pool allows",
        DFS_ERR_LABELS_DISAGREE => c"the labels of the disks disagree",
        DFS_ERR_CLONED => c"two disks carry the same identity",
        DFS_ERR_NO_SUPERBLOCK => c"no valid superblock on any disk",
        DFS_ERR_MISSING => c"members are missing that could hold a newer commit",
        DFS_ERR_UNFINISHED => c"the pool was never finished",
        DFS_ERR_DIVERGED => c"disks hold different histories of the pool",
        DFS_ERR_ENTROPY => c"the source of randomness failed",
        DFS_ERR_DISK_COUNT => c"no disks, or too many",
        DFS_ERR_PARAMETER => c"a size or scheme is out of bounds",
        DFS_ERR_DISK_TOO_SMALL => c"a disk is too small",
        DFS_ERR_DISK_TOO_LARGE => c"a disk is too large",
        DFS_ERR_GEOMETRY => c"a disk's geometry does not fit",
        DFS_ERR_IN_USE => c"a disk belongs to a pool",
        DFS_ERR_IO => c"a disk failed",
        DFS_ERR_LABEL_UNREADABLE => c"places of labels cannot be read: there may be a pool",
        _ => c"unknown error",
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_code_has_a_text_of_its_own() {
        let source = include_str!("code.rs");
        let codes = source.lines().filter_map(|line| line.strip_prefix("pub const DFS_ERR_"));
        let codes: std::vec::Vec<i32> =
            codes.filter_map(|line| line.split(['=', ';']).nth(1)?.trim().parse().ok()).collect();
        assert_eq!(codes.len(), 62);
        let texts: BTreeSet<&CStr> = codes.iter().map(|&code| text(code)).collect();
        assert_eq!(texts.len(), codes.len());
        assert_eq!((text(0), text(7), text(-9999)), (c"no error", c"no error", c"unknown error"));
    }
}
