//! The structs that both sides know.
//!
//! Those that the caller fills begin with their own size, so that a library can tell a program that was built
//! with another version of the header.

use core::ffi::c_void;

/// The version of this interface: it changes when a struct or a function does.
pub const DFS_API_VERSION: u32 = 1;

/// Bytes of a path, with the zero at its end.
pub const DFS_PATH_BYTES_MAX: usize = 4096;

/// `dfs_disk.flags`: what was written is durable when `write` returns, without a flush.
pub const DFS_DISK_WRITE_THROUGH: u32 = 1;

/// What a disk's callback returns: done, all of it.
pub const DFS_IO_OK: i32 = 0;
/// What a disk's callback returns: the disk does not answer any more. It is used again after the next mount.
pub const DFS_IO_GONE: i32 = 1;
/// What a disk's callback returns: the medium could not read or store these sectors. So does any code that is
/// not named here.
pub const DFS_IO_MEDIA: i32 = 2;
/// What a disk's callback returns: no answer in time. The disk counts as gone.
pub const DFS_IO_TIMEOUT: i32 = 3;
/// What a disk's callback returns: the disk refuses writes.
pub const DFS_IO_WRITE_PROTECTED: i32 = 4;
/// What a disk's callback returns: what the disk is stored in has no room.
pub const DFS_IO_NO_SPACE: i32 = 5;
/// What a disk's callback returns: the system refuses, the disk is well.
pub const DFS_IO_REFUSED: i32 = 6;

/// A disk: what it is like, and how it is read and written. Everything is counted in sectors from the disk's
/// beginning. Fields that are zero have the value that is named.
///
/// Each callback does all of its work and returns `DFS_IO_OK`, or another `DFS_IO_` code. `context` is handed
/// to it. It may wait, and must not call a function of this header on the pool that calls it: the call is
/// refused, with `DFS_ERR_REENTERED`, or `DFS_ERR_NOT_MOUNTED` while the pool is made or mounted.
#[repr(C)]
pub struct dfs_disk {
    /// `sizeof(dfs_disk)`.
    pub struct_bytes: u32,
    /// `DFS_DISK_` flags. 0: a cache that loses what was not flushed.
    pub flags: u32,
    /// Sectors on the disk. 0: a place without a disk, as an empty card slot.
    pub sectors: u64,
    /// Bytes of a sector, a power of two, 512 to 16384.
    pub sector_bytes: u32,
    /// Bytes that a power cut in a write may damage: the aligned unit of this size around each written
    /// sector. A power of two, at least a sector. 0: a sector.
    pub tear_unit: u32,
    /// Alignment in bytes that buffers must have in memory, a power of two. 0: any will do. More than 1 takes
    /// the feature `staging`.
    pub buffer_alignment: u32,
    /// Zero (`DFS_ERR_ARGUMENT`).
    pub reserved: u32,
    /// Handed to the callbacks.
    pub context: *mut c_void,
    /// Reads `count` sectors from `sector` on into `bytes`.
    pub read: Option<
        unsafe extern "C" fn(context: *mut c_void, sector: u64, bytes: *mut c_void, count: u32) -> i32,
    >,
    /// Writes `count` sectors from `sector` on.
    pub write: Option<
        unsafe extern "C" fn(context: *mut c_void, sector: u64, bytes: *const c_void, count: u32) -> i32,
    >,
    /// Makes durable what was written before. After an error nothing written since the last good flush can be
    /// relied on.
    pub flush: Option<unsafe extern "C" fn(context: *mut c_void) -> i32>,
    /// `count` sectors from `sector` on are no longer needed. Null: the disk has no such command.
    pub discard: Option<unsafe extern "C" fn(context: *mut c_void, sector: u64, count: u64) -> i32>,
}

/// What the machine lends a pool. The struct, the disks, and the memory stay where they are, unchanged, as
/// long as the pool is mounted: the library keeps their addresses. `static const` is a good place for the
/// first two. Fields that are zero have the value that is named.
#[repr(C)]
pub struct dfs_config {
    /// `sizeof(dfs_config)`.
    pub struct_bytes: u32,
    /// Disks, 1 or more.
    pub disk_count: u32,
    /// The disks.
    pub disks: *const dfs_disk,
    /// Memory that the pool has for itself until it is unmounted, of any alignment.
    pub memory: *mut c_void,
    /// Its bytes: `dfs_memory_to_format` and `dfs_memory_to_mount` tell how many are needed. More are used.
    pub memory_bytes: usize,
    /// Nodes of the tree that the cache may hold. 0: the least. More save reads, and ask for more memory.
    pub cache_nodes: u32,
    /// Files that may be open at a time and stay readable when they are unlinked. 0: unlinked files are gone
    /// at once, and any number may be open. It takes the feature `pins` (`DFS_ERR_NEEDS_FEATURE`), and 16
    /// bytes of memory each; `dfs_mount_ro` needs none.
    pub pins: u32,
    /// The 16 bytes of the pool's identity, where disks of several pools may be among these. Null: the first
    /// that is found.
    pub pool_identity: *const u8,
    /// Handed to `lock` and `unlock`.
    pub lock_context: *mut c_void,
    /// Called before each use of the pool, where several threads have it; 0 when the lock is taken. Every
    /// call of it that returned 0 is followed by one `unlock`, in the same thread, before the function
    /// returns. The lock must be recursive, or refuse (non-zero: `DFS_ERR_LOCK`) a thread that holds it: only
    /// then is a call from a callback told as `DFS_ERR_REENTERED`. Null: one thread uses the pool.
    pub lock: Option<unsafe extern "C" fn(context: *mut c_void) -> i32>,
    /// Gives back what `lock` took. Needed where `lock` is.
    pub unlock: Option<unsafe extern "C" fn(context: *mut c_void)>,
    /// Handed to `now` and `monotonic_micros`.
    pub clock_context: *mut c_void,
    /// The time of day, for the times that objects carry: seconds since 1970, and nanoseconds below
    /// 1,000,000,000. Null: objects carry no times.
    pub now: Option<unsafe extern "C" fn(context: *mut c_void, seconds: *mut i64, nanoseconds: *mut u32)>,
    /// Microseconds from any moment, never running backwards. Null: no latencies are measured.
    pub monotonic_micros: Option<unsafe extern "C" fn(context: *mut c_void) -> u64>,
    /// Handed to `entropy`.
    pub entropy_context: *mut c_void,
    /// Fills `bytes` with random bytes, 0 when it did. Needed by `dfs_format` alone. Two pools must never be
    /// given the same: a hardware generator is best, a secret of the board with a counter will do.
    pub entropy: Option<unsafe extern "C" fn(context: *mut c_void, bytes: *mut c_void, count: usize) -> i32>,
}

/// What a new pool is like, for good. Fields that are zero have the value that is named: that of a pool which
/// firmware with tens of KiB of memory shares with servers.
#[repr(C)]
pub struct dfs_format_options {
    /// `sizeof(dfs_format_options)`.
    pub struct_bytes: u32,
    /// Data fragments of a stripe, 1 to 16. 0: 1. With 1 a scheme is a mirror of `parity + 1` copies.
    pub data: u32,
    /// Parity fragments, 0 to 4: the disks that may be lost.
    pub parity: u32,
    /// Disks that may be lost without losing the tree, up to 4; never fewer than `parity`.
    pub tolerance: u32,
    /// Bytes of a tree node: a power of two, 512 to 16384, every disk's sector at least. 0: 512, or the
    /// largest sector.
    pub node_bytes: u32,
    /// Bytes of a block, the allocation unit: a power of two, a node at least, every disk's tear unit at
    /// least, 65536 at most. 0: 512, or the largest tear unit.
    pub block_bytes: u32,
    /// Bytes of a chunk, the unit of verification: a power of two, 512 to 16384, every disk's sector at
    /// least. 0: 512, or the largest sector.
    pub chunk_bytes: u32,
    /// Bytes of an extent of new files: a power of two, 4096 to 4194304. 0: 4096.
    pub extent_bytes: u32,
    /// Disks that the pool can ever have at a time, 1 to 64. 0: 4.
    pub members_max: u32,
    /// Superblock slots in each ring: a power of two, 4 to 64. 0: 4.
    pub ring_length: u32,
    /// 1: formats disks that belong to a pool, which is lost.
    pub force: u32,
}

/// How much memory is to be lent.
#[repr(C)]
pub struct dfs_memory_needs {
    /// `sizeof(dfs_memory_needs)`.
    pub struct_bytes: u32,
    /// Nodes that the cache has, with `dfs_config.cache_nodes` as it is.
    pub cache_nodes: u32,
    /// `dfs_config.memory_bytes` for `dfs_mount` and `dfs_format`.
    pub bytes: usize,
    /// `dfs_config.memory_bytes` for `dfs_mount_ro`.
    pub bytes_to_read: usize,
}

/// What an error was about. What a code does not name is -1 for numbers of disks and members, and else 0.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct dfs_error_info {
    /// `sizeof(dfs_error_info)`.
    pub struct_bytes: u32,
    /// The code, 0 if there was no error yet.
    pub code: i32,
    /// The disk, by its place in `dfs_config.disks`.
    pub disk: i32,
    /// The number of a member of the pool: for `block`.
    pub member: i32,
    /// A block of that member, counted from the disk's beginning in blocks of the pool.
    pub block: u64,
    /// The number of an object.
    pub object: u64,
    /// The first byte of the object that is meant.
    pub offset: u64,
    /// Bytes that would do, of memory or of the disk. Of memory, as far as was known: what was lent may have
    /// been too little to read how much the pool takes.
    pub bytes: u64,
}

/// A pool. All fields are the library's. Set it to zero before its first use (a static one is), leave it
/// where it is while a pool is mounted, and use it again after `dfs_unmount` as it is.
#[repr(C)]
pub struct dfs_pool {
    pub(crate) magic: u32,
    pub(crate) mount: u32,
    pub(crate) busy: u32,
    pub(crate) is_read: u32,
    pub(crate) transaction: u32,
    pub(crate) undone: u64,
    pub(crate) place: *const dfs_pool,
    pub(crate) config: *const dfs_config,
    pub(crate) mounted: *mut c_void,
    pub(crate) last: dfs_error_info,
}

/// What files and directories that are open have. All fields are the library's.
#[repr(C)]
pub struct dfs_opened {
    pub(crate) magic: u32,
    pub(crate) mount: u32,
    pub(crate) transaction: u32,
    pub(crate) flags: u32,
    pub(crate) owner: *const dfs_pool,
    pub(crate) object: u64,
    pub(crate) position: u64,
}

/// An open file. It owns nothing: one that is forgotten instead of closed holds a pin until the pool is
/// unmounted, and nothing else.
#[repr(C)]
pub struct dfs_file {
    pub(crate) opened: dfs_opened,
}

/// An open directory. It owns nothing.
#[repr(C)]
pub struct dfs_dir {
    pub(crate) opened: dfs_opened,
}

/// `dfs_stat_info.kind`: a file.
pub const DFS_KIND_FILE: u32 = 1;
/// `dfs_stat_info.kind`: a directory.
pub const DFS_KIND_DIRECTORY: u32 = 2;
/// `dfs_stat_info.kind`: a symbolic link. Larger numbers are device nodes, pipes and sockets: names without
/// contents.
pub const DFS_KIND_SYMLINK: u32 = 3;

/// The attributes of an object.
#[repr(C)]
pub struct dfs_stat_info {
    /// `sizeof(dfs_stat_info)`.
    pub struct_bytes: u32,
    /// What it is: `DFS_KIND_`.
    pub kind: u32,
    /// Its number: the same as long as the object is there.
    pub object: u64,
    /// Bytes of its contents; entries of a directory.
    pub size: u64,
    /// When the contents were last changed, in seconds since 1970; 0 on a machine without a clock.
    pub modified_seconds: i64,
    /// When the object was made.
    pub created_seconds: i64,
    /// Nanoseconds of `modified_seconds`.
    pub modified_nanoseconds: u32,
    /// Nanoseconds of `created_seconds`.
    pub created_nanoseconds: u32,
    /// Names that it has.
    pub links: u32,
    /// Permission bits, 07777 at most. They are stored, and not enforced.
    pub mode: u32,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
}

/// An entry of a directory.
#[repr(C)]
pub struct dfs_entry {
    /// `sizeof(dfs_entry)`.
    pub struct_bytes: u32,
    /// What it is: `DFS_KIND_`.
    pub kind: u32,
    /// Its object's number.
    pub object: u64,
    /// Bytes of its contents; entries of a directory.
    pub size: u64,
    /// Bytes of the name, without the zero at its end.
    pub name_bytes: u32,
    /// The name, ended by a zero. Names are bytes, in no particular encoding.
    pub name: [u8; 256],
}

/// How a pool is. From memory: nothing is read.
#[repr(C)]
pub struct dfs_health_info {
    /// `sizeof(dfs_health_info)`.
    pub struct_bytes: u32,
    /// 1 if the pool takes writes with the disks that are left.
    pub writable: u32,
    /// 1 if a mount for reading does not see every member at its state: the next mount may find another.
    pub tentative: u32,
    /// 1 if a transaction is open.
    pub in_transaction: u32,
    /// Members of the pool; 0 where it is mounted by `dfs_mount_ro`, as all that follows but for
    /// `generation`.
    pub members: u32,
    /// Members that take part.
    pub online: u32,
    /// Members that are owed something they missed.
    pub owed: u32,
    /// More disks that may fail before something becomes unreadable, at least.
    pub read_tolerance: u32,
    /// More disks that may fail, one after the other, before the pool stops taking writes.
    pub write_tolerance: u32,
    /// Bad fragments and nodes that reads found, and that wait to be rewritten by `dfs_maintenance_step`.
    pub repairs_waiting: u32,
    /// The number of the last commit.
    pub generation: u64,
    /// Bytes of a block.
    pub block_bytes: u64,
    /// Blocks that may be allocated, in all.
    pub blocks: u64,
    /// Blocks that are free.
    pub free_blocks: u64,
    /// Blocks that are free once maintenance has given them back.
    pub dead_blocks: u64,
    /// Objects.
    pub objects: u64,
    /// The pool's identity.
    pub pool_identity: [u8; 16],
}
