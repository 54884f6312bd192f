//! An object's attributes and policy.

use super::field::{Stored, layout};
use crate::types::{ObjectId, Scheme};
use dynamicfs_hal::UnixTime;

/// A point in time on disk: seconds in 48 bits, signed, and nanoseconds.
#[derive(Debug)]
pub struct StoredTime;

impl Stored for StoredTime {
    type Value = UnixTime;
    const BYTES: usize = 10;
    #[expect(clippy::indexing_slicing, reason = "the field has 10 bytes, as the layout proves")]
    fn load(bytes: &[u8]) -> UnixTime {
        let mut raw = [0; 8];
        raw[2..].copy_from_slice(&bytes[..6]);
        // Shifted down from the top so that the sign is kept.
        UnixTime {
            seconds: i64::from_le_bytes(raw) >> 16,
            nanoseconds: u32::load(&bytes[6..]).min(999_999_999),
        }
    }
    #[expect(clippy::indexing_slicing, reason = "the field has 10 bytes, as the layout proves")]
    fn store(bytes: &mut [u8], value: UnixTime) {
        let seconds = value.seconds.clamp(-(1 << 47), (1 << 47) - 1);
        bytes[..6].copy_from_slice(&seconds.to_le_bytes()[..6]);
        u32::store(&mut bytes[6..], value.nanoseconds);
    }
}

layout! {
    /// An object's inode (kind 16).
    InodeRecord, 88 bytes {
        /// What the object is: see [`ObjectKind`].
        kind / set_kind: u8 = 0,
        /// The scheme asked for: data fragments.
        scheme_data / set_scheme_data: u8 = 1,
        /// The scheme asked for: parity fragments.
        scheme_parity / set_scheme_parity: u8 = 2,
        /// log2 of the extent size.
        extent_shift / set_extent_shift: u8 = 3,
        /// Permission bits.
        mode / set_mode: u16 = 4,
        /// The tier that the contents should be on.
        tier / set_tier: u8 = 6,
        /// 1 if the contents are inline in the tree, 0 if they are extents.
        inline / set_inline: u8 = 7,
        /// The owner.
        uid / set_uid: u32 = 8,
        /// The group.
        gid / set_gid: u32 = 12,
        /// Names that the object has.
        links / set_links: u32 = 16,
        /// The device number of a device node.
        device / set_device: u32 = 20,
        /// Bytes of the contents; entries of a directory.
        size / set_size: u64 = 24,
        /// The directory that holds a directory; 0 for anything else.
        parent / set_parent: u64 = 32,
        /// Last access.
        accessed / set_accessed: StoredTime = 40,
        /// Last change of the contents.
        modified / set_modified: StoredTime = 50,
        /// Last change of the attributes.
        changed / set_changed: StoredTime = 60,
        /// When the object was made.
        created / set_created: StoredTime = 70,
        /// A number that tells the object from another that was once given the same number.
        generation / set_generation: u32 = 80,
        /// Bits that say more of the object; none is assigned yet. What is not known is kept.
        flags / set_flags: u32 = 84,
    }
}

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[repr(u8)]
pub enum ObjectKind {
    /// A byte sequence.
    File = 1,
    /// Names of objects.
    Directory = 2,
    /// A path, to be followed.
    Symlink = 3,
    /// A character device node.
    CharacterDevice = 4,
    /// A block device node.
    BlockDevice = 5,
    /// A named pipe.
    Fifo = 6,
    /// A socket's name.
    Socket = 7,
}

impl ObjectKind {
    /// The kind of this number.
    pub const fn from_u8(kind: u8) -> Option<Self> {
        Some(match kind {
            1 => Self::File,
            2 => Self::Directory,
            3 => Self::Symlink,
            4 => Self::CharacterDevice,
            5 => Self::BlockDevice,
            6 => Self::Fifo,
            7 => Self::Socket,
            _ => return None,
        })
    }
}

/// An object's attributes and policy, in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Inode {
    /// What the object is.
    pub kind: ObjectKind,
    /// The scheme asked for.
    pub scheme: Scheme,
    /// log2 of the extent size.
    pub extent_shift: u8,
    /// Permission bits, `0o7777` at most.
    pub mode: u16,
    /// The tier that the contents should be on.
    pub tier: u8,
    /// The contents are inline in the tree.
    pub inline: bool,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// Names that the object has.
    pub links: u32,
    /// The device number of a device node.
    pub device: u32,
    /// Bytes of the contents; entries of a directory.
    pub size: u64,
    /// The directory that holds a directory.
    pub parent: ObjectId,
    /// Last access.
    pub accessed: UnixTime,
    /// Last change of the contents.
    pub modified: UnixTime,
    /// Last change of the attributes.
    pub changed: UnixTime,
    /// When the object was made.
    pub created: UnixTime,
    /// Distinguishes the object from another that once had the same number, in a history that was left or in
    /// a pool that was set back. A handle holds both.
    pub generation: u32,
    /// Bits that say more of the object; none is assigned yet. What is not known is kept.
    pub flags: u32,
}

/// Bytes of an inode record.
pub const INODE_BYTES: usize = InodeRecord::<&[u8]>::BYTES;

impl Inode {
    /// Writes the record.
    pub fn encode(&self) -> [u8; INODE_BYTES] {
        let mut bytes = [0; INODE_BYTES];
        let mut record = InodeRecord(&mut bytes[..]);
        record.set_kind(self.kind as u8);
        record.set_scheme_data(self.scheme.data);
        record.set_scheme_parity(self.scheme.parity);
        record.set_extent_shift(self.extent_shift);
        record.set_mode(self.mode);
        record.set_tier(self.tier);
        record.set_inline(self.inline.into());
        record.set_uid(self.uid);
        record.set_gid(self.gid);
        record.set_links(self.links);
        record.set_device(self.device);
        record.set_size(self.size);
        record.set_parent(self.parent.0);
        record.set_accessed(self.accessed);
        record.set_modified(self.modified);
        record.set_changed(self.changed);
        record.set_created(self.created);
        record.set_generation(self.generation);
        record.set_flags(self.flags);
        bytes
    }

    /// Reads the record; `None` if the bytes are not one or break a limit.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let record = InodeRecord::new(bytes)?;
        let inode = Self {
            kind: ObjectKind::from_u8(record.kind())?,
            scheme: Scheme { data: record.scheme_data(), parity: record.scheme_parity() },
            extent_shift: record.extent_shift(),
            mode: record.mode(),
            tier: record.tier(),
            inline: record.inline() == 1,
            uid: record.uid(),
            gid: record.gid(),
            links: record.links(),
            device: record.device(),
            size: record.size(),
            parent: ObjectId(record.parent()),
            accessed: record.accessed(),
            modified: record.modified(),
            changed: record.changed(),
            created: record.created(),
            generation: record.generation(),
            flags: record.flags(),
        };
        let valid = inode.scheme.is_valid()
            && (12..=22).contains(&inode.extent_shift)
            && inode.size <= crate::limits::OBJECT_BYTES_MAX;
        valid.then_some(inode)
    }

    /// Bytes of an extent.
    pub const fn extent_bytes(&self) -> u64 {
        1 << self.extent_shift
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_before_the_epoch_survive() {
        let mut bytes = [0; 10];
        for seconds in [-1, 0, 1, -62_135_596_800, 253_402_300_799] {
            let time = UnixTime { seconds, nanoseconds: 7 };
            StoredTime::store(&mut bytes, time);
            assert_eq!(StoredTime::load(&bytes), time);
        }
    }
}
