//! A pointer to a tree node: where its replicas are, and what proves that they are right.

use super::field::{Stored, U48};
use crate::limits::NODE_COPIES_MAX;
use crate::types::{BlockAddress, Generation};

/// Where a node is and how it is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodePointer {
    /// The node's checksum, which is its first field.
    pub crc: u32,
    /// The generation that wrote the node.
    pub birth: Generation,
    /// How many replicas are in use.
    copies: u8,
    replicas: [BlockAddress; NODE_COPIES_MAX],
}

/// Bytes before the replicas: crc, birth, copies.
const HEADER_BYTES: usize = 11;

/// Bytes of the longest pointer.
pub const POINTER_BYTES_MAX: usize = HEADER_BYTES + 8 * NODE_COPIES_MAX;

impl NodePointer {
    /// A pointer to a node that is not written yet.
    ///
    /// # Panics
    /// When there are no replicas or more than [`NODE_COPIES_MAX`].
    pub fn new(birth: Generation, replicas: &[BlockAddress]) -> Self {
        assert!(!replicas.is_empty(), "a node has at least one replica");
        let mut all = [BlockAddress::NONE; NODE_COPIES_MAX];
        all[..replicas.len()].copy_from_slice(replicas);
        Self { crc: 0, birth, copies: replicas.len() as u8, replicas: all }
    }

    /// The replicas, at least one. The first is also the node's name in the cache.
    pub fn replicas(&self) -> &[BlockAddress] {
        &self.replicas[..usize::from(self.copies)]
    }

    /// Bytes on disk with this many replicas.
    pub const fn bytes(copies: usize) -> usize {
        HEADER_BYTES + 8 * copies
    }

    /// Writes the pointer; returns the bytes written.
    pub fn store(&self, out: &mut [u8]) -> usize {
        u32::store(out, self.crc);
        U48::store(&mut out[4..], self.birth.0);
        out[10] = self.copies;
        for (i, replica) in self.replicas().iter().enumerate() {
            BlockAddress::store(&mut out[HEADER_BYTES + 8 * i..], *replica);
        }
        Self::bytes(self.replicas().len())
    }

    /// Reads a pointer; `None` if the bytes are not one.
    pub fn load(bytes: &[u8]) -> Option<Self> {
        let copies = usize::from(*bytes.get(10)?);
        if copies == 0 || copies > NODE_COPIES_MAX || bytes.len() != Self::bytes(copies) {
            return None;
        }
        let mut replicas = [BlockAddress::NONE; NODE_COPIES_MAX];
        for (i, replica) in replicas[..copies].iter_mut().enumerate() {
            *replica = BlockAddress::load(&bytes[HEADER_BYTES + 8 * i..]);
        }
        Some(Self {
            crc: u32::load(bytes),
            birth: Generation(U48::load(&bytes[4..])),
            copies: copies as u8,
            replicas,
        })
    }
}
