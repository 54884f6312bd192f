//! A pointer to a tree node: where its replicas are, and what proves that they are right.
//!
//! A pointer has places for all the replicas that the node should have, also while there are fewer. Else a
//! full parent has no room for the rest when they can be written again, and the node stays with fewer for
//! good.

use super::field::{Stored, U48};
use crate::limits::{NODE_COPIES_MAX, NODE_PLACES_MAX};
use crate::types::{BlockAddress, Generation};

/// Where a node is and how it is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodePointer {
    /// The node's checksum, which is its first field.
    pub crc: u32,
    /// The generation that wrote the node.
    pub birth: Generation,
    /// How many replicas there are.
    copies: u8,
    /// How many there are places for.
    places: u8,
    replicas: [BlockAddress; NODE_COPIES_MAX],
}

/// Bytes before the replicas: crc, birth, copies.
const HEADER_BYTES: usize = 11;

/// Bytes of the longest pointer.
pub const POINTER_BYTES_MAX: usize = HEADER_BYTES + 8 * NODE_PLACES_MAX;

impl NodePointer {
    /// A pointer to a node that is not written yet.
    ///
    /// # Panics
    /// When there are no replicas or more than [`NODE_COPIES_MAX`].
    #[expect(
        clippy::indexing_slicing,
        clippy::cast_possible_truncation,
        reason = "as its documentation asks: no more replicas than a pointer has places for, 5"
    )]
    pub fn new(birth: Generation, replicas: &[BlockAddress]) -> Self {
        assert!(!replicas.is_empty(), "a node has at least one replica");
        let mut all = [BlockAddress::NONE; NODE_COPIES_MAX];
        all[..replicas.len()].copy_from_slice(replicas);
        let copies = replicas.len() as u8;
        Self { crc: 0, birth, copies, places: copies, replicas: all }
    }

    /// The same pointer with room for this many replicas at least, [`NODE_PLACES_MAX`] at most.
    #[expect(clippy::cast_possible_truncation, reason = "at most `NODE_PLACES_MAX`, 5")]
    pub fn with_places(self, places: usize) -> Self {
        let places = places.clamp(self.copies.into(), NODE_PLACES_MAX);
        Self { places: places as u8, ..self }
    }

    /// The first replica: also the node's name in the cache.
    pub const fn first(&self) -> BlockAddress {
        self.replicas[0]
    }

    /// The replicas, at least one.
    #[expect(
        clippy::indexing_slicing,
        reason = "`copies` is at most `NODE_COPIES_MAX`: counted in an array of so many"
    )]
    pub fn replicas(&self) -> &[BlockAddress] {
        &self.replicas[..usize::from(self.copies)]
    }

    /// Bytes on disk with this many places.
    pub const fn bytes(places: usize) -> usize {
        HEADER_BYTES + 8 * places
    }

    /// Writes the pointer; returns the bytes written.
    #[expect(
        clippy::indexing_slicing,
        reason = "the caller lends `POINTER_BYTES_MAX` bytes, and there are no more places"
    )]
    pub fn store(&self, out: &mut [u8]) -> usize {
        u32::store(out, self.crc);
        U48::store(&mut out[4..], self.birth.0);
        out[10] = self.places;
        let places = usize::from(self.places);
        // A build for one disk keeps two replicas; a pool that had more disks may have more places.
        for i in 0..places {
            let replica = self.replicas.get(i).unwrap_or(&BlockAddress::NONE);
            BlockAddress::store(&mut out[HEADER_BYTES + 8 * i..], *replica);
        }
        Self::bytes(places)
    }

    /// Reads a pointer; `None` if the bytes are not one.
    #[expect(
        clippy::indexing_slicing,
        clippy::cast_possible_truncation,
        reason = "the length was compared with that of `places`, at least one; at most 5 replicas are counted"
    )]
    pub fn load(bytes: &[u8]) -> Option<Self> {
        let places = *bytes.get(10)?;
        if places == 0 || usize::from(places) > NODE_PLACES_MAX || bytes.len() != Self::bytes(places.into()) {
            return None;
        }
        let mut replicas = [BlockAddress::NONE; NODE_COPIES_MAX];
        for (replica, bytes) in replicas.iter_mut().zip(bytes[HEADER_BYTES..].chunks_exact(8)) {
            *replica = BlockAddress::load(bytes);
        }
        // What is not used comes last.
        let copies = replicas.iter().take_while(|replica| replica.is_some()).count();
        let sound = copies > 0 && replicas[copies..].iter().all(|replica| *replica == BlockAddress::NONE);
        let birth = Generation(U48::load(&bytes[4..]));
        sound.then_some(Self { crc: u32::load(bytes), birth, copies: copies as u8, places, replicas })
    }
}
