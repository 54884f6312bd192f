//! Directory entries and extended attributes: records under the hash of a name.
//!
//! The key's offset is 56 bits of the name's hash and 8 bits of place. An entry whose record is longer than a value
//! may be goes on under the next places; names that share a hash take other places. A piece begins with one byte:
//! the pieces of its entry that follow it, and whether it is the first.

use super::siphash::siphash;
use crate::types::{ObjectId, Uuid};

/// Set in the first byte of an entry's first piece; the other bits count the pieces that follow.
pub const PIECE_FIRST: u8 = 0x80;

/// Places under one hash.
pub const PLACES: u64 = 256;

/// The hash of a name, shifted to leave the low 8 bits for the place.
///
/// SipHash-1-3 with the pool's seed: an attacker who chooses names cannot choose their hashes.
pub fn hash(seed: Uuid, name: &[u8]) -> u64 {
    siphash(&seed.0, name) & !(PLACES - 1)
}

/// Bytes of a directory entry before the name: the object and its kind.
pub const ENTRY_HEADER: usize = 9;

/// A directory entry's target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryTarget {
    /// The object.
    pub object: ObjectId,
    /// What it is, as its inode says too.
    pub kind: super::inode::ObjectKind,
}

impl EntryTarget {
    /// The bytes before the name.
    pub fn encode(&self) -> [u8; ENTRY_HEADER] {
        let mut bytes = [0; ENTRY_HEADER];
        bytes[..8].copy_from_slice(&self.object.0.to_le_bytes());
        bytes[8] = self.kind as u8;
        bytes
    }

    /// Reads the bytes before the name.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (object, rest) = bytes.split_first_chunk::<8>()?;
        Some(Self {
            object: ObjectId(u64::from_le_bytes(*object)),
            kind: super::inode::ObjectKind::from_u8(*rest.first()?)?,
        })
    }
}
