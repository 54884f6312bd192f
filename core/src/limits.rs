//! Every bound of the format and of the core, and how they hang together.

/// What a build has room for: with the feature `wide`, with `multi` alone, or with neither.
const fn room_for(wide: usize, multi: usize, one: usize) -> usize {
    match () {
        () if cfg!(feature = "wide") => wide,
        () if cfg!(feature = "multi") => multi,
        () => one,
    }
}

/// Members that a pool can have at a time. The format has room for 64; a build without the feature `wide` for
/// 8, without `multi` for one.
pub const MEMBERS_MAX: usize = room_for(64, 8, 1);

/// Data fragments of a stripe. The format has room for 16; a build without the feature `wide` for 4, without
/// `multi` for one.
pub const DATA_FRAGMENTS_MAX: usize = room_for(16, 4, 1);

/// Parity fragments of a stripe, and so the disks a pool can lose at once: 4, without `multi` none.
pub const PARITY_FRAGMENTS_MAX: usize = room_for(4, 4, 0);

/// Fragments of a stripe.
pub const FRAGMENTS_MAX: usize = DATA_FRAGMENTS_MAX + PARITY_FRAGMENTS_MAX;

/// Places for replicas that a node's pointer has at most in the format.
pub const NODE_PLACES_MAX: usize = 5;

/// Replicas of a tree node: one more than the disks that may be lost. On one disk there are two.
pub const NODE_COPIES_MAX: usize = room_for(NODE_PLACES_MAX, NODE_PLACES_MAX, 2);

/// Smallest and largest tree node, in bytes.
pub const NODE_BYTES_MIN: usize = 512;
/// See [`NODE_BYTES_MIN`].
pub const NODE_BYTES_MAX: usize = 16 * 1024;

/// Levels of the tree. A node holds at least three records of the largest size, so this is far beyond any disk.
pub const DEPTH_MAX: usize = 16;

/// Nodes that one tree update may allocate on one path: every level copied, every level split, a new root.
pub const UPDATE_NODES_MAX: usize = 2 * DEPTH_MAX + 1;

/// Smallest and largest allocation unit, in bytes.
pub const BLOCK_BYTES_MIN: usize = 512;
/// See [`BLOCK_BYTES_MIN`].
pub const BLOCK_BYTES_MAX: usize = 64 * 1024;

/// Smallest and largest unit of verification inside a fragment, in bytes.
pub const CHUNK_BYTES_MIN: usize = 512;
/// See [`CHUNK_BYTES_MIN`].
pub const CHUNK_BYTES_MAX: usize = 16 * 1024;

/// Smallest and largest extent, in bytes.
pub const EXTENT_BYTES_MIN: u64 = 4 * 1024;
/// See [`EXTENT_BYTES_MIN`].
pub const EXTENT_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Blocks of a group. The smallest holds two whole worst-case tree updates of a pool on one disk.
pub const GROUP_BLOCKS_MIN: u32 = 128;
/// See [`GROUP_BLOCKS_MIN`].
pub const GROUP_BLOCKS_MAX: u32 = 16 * 1024;

/// Groups that a member needs at least, so that nodes and data have one each, and there is one to go on to.
pub const GROUPS_MIN: u64 = 3;

/// Groups that a member may have: their numbers have 32 bits.
pub const GROUPS_MAX: u64 = u32::MAX as u64 - 1;

/// Free blocks that a group needs to be opened for nodes: no tree update runs out of it half-way.
#[expect(clippy::cast_possible_truncation, reason = "33")]
pub const NODE_GROUP_FREE_MIN: u32 = UPDATE_NODES_MAX as u32;

/// Superblock slots in each of a disk's two rings.
pub const RING_LENGTH_MIN: u8 = 4;
/// See [`RING_LENGTH_MIN`].
pub const RING_LENGTH_MAX: u8 = 64;

/// Bytes of a name in a directory.
pub const NAME_BYTES_MAX: usize = 255;

/// Bytes of a symbolic link's target.
pub const SYMLINK_BYTES_MAX: usize = 4095;

/// Bytes of an extended attribute's value.
pub const XATTR_BYTES_MAX: usize = 4096;

/// Bytes of an object.
pub const OBJECT_BYTES_MAX: u64 = 1 << 48;

/// Hard links of an object.
pub const LINKS_MAX: u32 = u32::MAX - 1;

/// Directories one inside the other that the core walks when it looks for cycles: more than a path of 128 KiB
/// names.
pub const DIRECTORY_DEPTH_MAX: usize = 1 << 16;

/// Histories that a superblock remembers.
pub const BRANCHES_MAX: usize = 4;

/// Bad fragments found by reads that wait to be rewritten.
pub const REPAIRS_MAX: usize = 8;

/// Nodes with a bad replica that reads found, which wait to be rewritten.
pub const NODE_REPAIRS_MAX: usize = 2;

/// Events that wait to be taken, for each disk of the array; of more the oldest are dropped.
pub const EVENTS_PER_DISK: usize = 3;

/// Generations, epochs and addresses on disk have 48 bits.
pub const U48_MAX: u64 = (1 << 48) - 1;

const _: () = assert!(FRAGMENTS_MAX <= MEMBERS_MAX);
const _: () = assert!(NODE_GROUP_FREE_MIN < GROUP_BLOCKS_MIN);
const _: () = assert!(GROUP_BLOCKS_MAX as usize / 8 <= NODE_BYTES_MAX / 8);
#[expect(clippy::cast_possible_truncation, reason = "4096")]
const _: () = assert!(EXTENT_BYTES_MIN as usize >= CHUNK_BYTES_MIN);
const _: () = assert!(NODE_BYTES_MAX <= u16::MAX as usize);
