//! Directory entries and extended attributes: records under the hash of a name.
//!
//! The key's offset is 55 bits of the name's hash and 8 bits of place. Bit 63 is 0, so that an offset fits a
//! signed `off_t`. An entry whose record is longer than a value may be goes on under the next places; names
//! that share a hash take other places. A piece begins with one byte: the pieces of its entry that follow it,
//! and whether it is the first.

use super::siphash::siphash;
use crate::types::{ObjectId, Uuid};

/// Set in the first byte of an entry's first piece; the other bits count the pieces that follow.
pub const PIECE_FIRST: u8 = 0x80;

/// Places under one hash.
pub const PLACES: u64 = 256;

/// The high 55 bits of a name's hash in bits 8 to 62, and 0 below for the place. It is at least [`PLACES`].
/// So no entry has the positions 1 and 2 of a directory: they are free for the `.` and `..` that other
/// systems list first.
///
/// SipHash-1-3 with the pool's seed: an attacker who chooses names cannot choose their hashes.
pub fn hash(seed: Uuid, name: &[u8]) -> u64 {
    place_hash(siphash(&seed.0, name))
}

/// Where the entries of a hash begin.
const fn place_hash(hash: u64) -> u64 {
    match hash >> 1 & !(PLACES - 1) {
        0 => PLACES,
        bits => bits,
    }
}

/// Bytes of a directory entry before the name: the object and its kind.
pub const ENTRY_HEADER: usize = 9;

/// A directory entry's target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A position is the offset behind an entry's last piece: the last of the places is no piece's.
    #[test]
    fn positions_fit_a_signed_offset_and_leave_room_for_the_dots() {
        for hash in [0, 1, PLACES - 1, PLACES, 1 << 62, i64::MAX as u64, 1 << 63, u64::MAX] {
            let first = place_hash(hash);
            assert!(first > 2, "{hash:#x}");
            assert!(i64::try_from(first + PLACES - 1).is_ok(), "{hash:#x}");
            assert_eq!(first % PLACES, 0, "{hash:#x}");
        }
        assert_eq!(place_hash(1 << 63 | 5 << 9 | 0x1FF), 1 << 62 | 5 << 8);
    }
}
