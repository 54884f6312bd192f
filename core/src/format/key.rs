//! Keys of the tree: (object, kind, offset or hash, snapshot).

use crate::limits::EXTENT_BYTES_MIN;
use crate::powers::over;
use crate::types::{MemberNumber, ObjectId};

/// Bytes of a key on disk.
pub const KEY_BYTES: usize = 21;

/// What a record is. The order is the order in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// System: a member of the pool, by its number.
    Member = 1,
    /// System: the allocation bitmap of a group, by member number and group.
    Group = 2,
    /// System: freed blocks, by sequence.
    Dead = 3,
    /// System: an object whose extents are still being deleted, by its number.
    Orphan = 4,
    /// System: blocks that several extents refer to, by block address. Reserved.
    Shared = 5,
    /// System: a maintenance job, by job; what it could not put right stands behind it.
    Job = 6,
    /// System: counters that outlive the process, by member number (and one for the pool).
    Counters = 7,
    /// System: what an owner may take, and takes, by owner. Reserved.
    Quota = 8,
    /// An object's attributes and policy, at offset 0.
    Inode = 16,
    /// A directory's entry, by hash of its name.
    Entry = 17,
    /// An extended attribute, by hash of its name.
    Xattr = 18,
    /// Contents that are small enough to stay in the tree, piece by piece.
    Inline = 19,
    /// An extent, by its first byte; longer records go on at offset + 1, + 2, ...
    Extent = 20,
}

impl Kind {
    /// All kinds, in the order of the tree.
    pub const ALL: [Self; 13] = [
        Self::Member,
        Self::Group,
        Self::Dead,
        Self::Orphan,
        Self::Shared,
        Self::Job,
        Self::Counters,
        Self::Quota,
        Self::Inode,
        Self::Entry,
        Self::Xattr,
        Self::Inline,
        Self::Extent,
    ];
}

/// A key, in the form in which it lies on disk: big-endian, so that bytes compare as keys do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key([u8; KEY_BYTES]);

impl Key {
    /// Before every key.
    pub const MIN: Self = Self([0; KEY_BYTES]);
    /// After every key that a record can have.
    pub const MAX: Self = Self([0xFF; KEY_BYTES]);

    /// The key of a record in the live state (snapshot 0).
    pub fn new(object: ObjectId, kind: Kind, offset: u64) -> Self {
        Self::raw(object.0, kind as u8, offset, 0)
    }

    fn raw(object: u64, kind: u8, offset: u64, snapshot: u32) -> Self {
        let mut key = [0; KEY_BYTES];
        key[..8].copy_from_slice(&object.to_be_bytes());
        key[8] = kind;
        key[9..17].copy_from_slice(&offset.to_be_bytes());
        key[17..].copy_from_slice(&snapshot.to_be_bytes());
        Self(key)
    }

    /// Before every record of this object.
    pub fn object_start(object: ObjectId) -> Self {
        Self::raw(object.0, 0, 0, 0)
    }

    /// After every record of this object.
    pub fn object_end(object: ObjectId) -> Self {
        Self::raw(object.0, u8::MAX, u64::MAX, u32::MAX)
    }

    /// The member of this number.
    pub fn member(number: MemberNumber) -> Self {
        Self::new(ObjectId::SYSTEM, Kind::Member, u64::from(number.0))
    }

    /// A group of a member: groups of one member are neighbours.
    pub fn group(member: MemberNumber, group: u32) -> Self {
        Self::new(ObjectId::SYSTEM, Kind::Group, u64::from(member.0) << 32 | u64::from(group))
    }

    /// The member and group that [`Key::group`] was given.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the halves of the offset; what a forged key has beside them names no member"
    )]
    pub fn as_group(&self) -> (MemberNumber, u32) {
        (MemberNumber((self.offset() >> 32) as u16), self.offset() as u32)
    }

    /// Dead entries by sequence.
    pub fn dead(sequence: u64) -> Self {
        Self::new(ObjectId::SYSTEM, Kind::Dead, sequence)
    }

    /// The orphan of this number.
    pub fn orphan(object: ObjectId) -> Self {
        Self::new(ObjectId::SYSTEM, Kind::Orphan, object.0)
    }

    /// Record `item` of a maintenance job: 0 is the job itself, what follows is what it could not put right.
    pub fn job(job: u32, item: u32) -> Self {
        Self::new(ObjectId::SYSTEM, Kind::Job, u64::from(job) << 32 | u64::from(item))
    }

    /// The counters of a member.
    pub fn counters(member: MemberNumber) -> Self {
        Self::new(ObjectId::SYSTEM, Kind::Counters, u64::from(member.0))
    }

    /// The inode of an object.
    pub fn inode(object: ObjectId) -> Self {
        Self::new(object, Kind::Inode, 0)
    }

    /// An extent of an object, by its first byte, or a piece of its record.
    pub fn extent(object: ObjectId, offset: u64) -> Self {
        Self::new(object, Kind::Extent, offset)
    }

    /// The object that the record belongs to.
    pub fn object(&self) -> ObjectId {
        let mut raw = [0; 8];
        raw.copy_from_slice(&self.0[..8]);
        ObjectId(u64::from_be_bytes(raw))
    }

    /// The kind's number; a disk may hold one that [`Kind`] does not know.
    pub fn kind(&self) -> u8 {
        self.0[8]
    }

    /// Whether the record is of this kind.
    pub fn is(&self, object: ObjectId, kind: Kind) -> bool {
        self.kind() == kind as u8 && self.object() == object
    }

    /// The offset, sequence, number or hash.
    pub fn offset(&self) -> u64 {
        let mut raw = [0; 8];
        raw.copy_from_slice(&self.0[9..17]);
        u64::from_be_bytes(raw)
    }

    /// Whether it is that of the first record of an extent: extents begin at multiples of the smallest.
    pub(crate) fn begins_extent(&self) -> bool {
        self.kind() == Kind::Extent as u8 && over(self.offset(), EXTENT_BYTES_MIN) == 0
    }

    /// The snapshot: 0 for the live state.
    pub fn snapshot(&self) -> u32 {
        let mut raw = [0; 4];
        raw.copy_from_slice(&self.0[17..]);
        u32::from_be_bytes(raw)
    }

    /// The next key after this one.
    #[must_use]
    pub fn successor(&self) -> Self {
        let mut key = self.0;
        for byte in key.iter_mut().rev() {
            let (next, carried) = byte.overflowing_add(1);
            *byte = next;
            if !carried {
                return Self(key);
            }
        }
        Self::MAX
    }

    /// The key as it lies on disk.
    pub const fn as_bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    /// A key from `KEY_BYTES` bytes of a disk: any bytes are a key.
    ///
    /// # Panics
    /// When there are fewer bytes.
    #[expect(clippy::indexing_slicing, reason = "as its documentation asks")]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let mut key = [0; KEY_BYTES];
        key.copy_from_slice(&bytes[..KEY_BYTES]);
        Self(key)
    }
}

impl super::field::Stored for Key {
    type Value = Self;
    const BYTES: usize = KEY_BYTES;
    fn load(bytes: &[u8]) -> Self {
        Self::from_bytes(bytes)
    }
    #[expect(
        clippy::indexing_slicing,
        reason = "a field of a structure, which the layout proves to be long enough"
    )]
    fn store(bytes: &mut [u8], value: Self) {
        bytes[..KEY_BYTES].copy_from_slice(&value.0);
    }
}

impl core::fmt::Debug for Key {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "({}, {}, {:#x}, {})", self.object().0, self.kind(), self.offset(), self.snapshot())
    }
}
