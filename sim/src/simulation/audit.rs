//! What a member should have, byte for byte: computed from the model and the records alone, and compared with what a machine
//! reads there. No checksum and no report is believed.

use super::map::Map;
use super::records::Stored;
use super::report::{Failure, FailureKind};
use super::run::Run;
use crate::SimArray;
use crate::model::{Contents, Model};
use crate::world::crc32c;
use dynamicfs_core::format::node;
use dynamicfs_core::format::pointer::NodePointer;
use dynamicfs_core::types::{BlockAddress, Set};

impl Run {
    /// Compares all that these members should have with what is on their disks; an error names what is not there.
    pub(super) fn audit(
        &self,
        array: &SimArray,
        map: &Map,
        members: Set<usize>,
        what: &str,
    ) -> Result<(), Failure> {
        let model = self.oracle.current();
        let wrong = |found: String| Err(self.fail(FailureKind::Redundancy, format!("{what}: {found}")));
        for pointer in &map.nodes {
            if let Some(address) = self.wrong_replica(array, map, members, pointer) {
                return wrong(format!(
                    "a replica of a node is not right at {address:?}, born in {}",
                    pointer.birth.0
                ));
            }
        }
        for stored in &map.records.extents {
            if let Some(address) = self.wrong_fragment(array, map, members, stored, model) {
                let (object, start) = (stored.object, stored.start);
                return wrong(format!(
                    "a fragment of object {object} at {start} is not what was written, at {address:?}: {:?}",
                    stored.extent
                ));
            }
        }
        Ok(())
    }

    /// What a machine reads there; `None` where nothing is to be looked at, an empty vector where it reads nothing.
    fn sight(
        &self,
        array: &SimArray,
        map: &Map,
        members: Set<usize>,
        (address, bytes): (BlockAddress, usize),
    ) -> Option<Vec<u8>> {
        let member = usize::from(address.member.0);
        if member >= self.members() || !members.contains(member) || self.shelf[member].is_some() {
            return None;
        }
        let mut buf = vec![0; bytes];
        let disk = array.disk(self.places[member]);
        Some(if disk.sight(address.block << map.parameters.block_shift, &mut buf) { buf } else { Vec::new() })
    }

    fn wrong_replica(
        &self,
        array: &SimArray,
        map: &Map,
        members: Set<usize>,
        pointer: &NodePointer,
    ) -> Option<BlockAddress> {
        let length = map.parameters.node_bytes();
        let is_wrong = |address: &&BlockAddress| {
            let bytes = self.sight(array, map, members, (**address, length));
            bytes.is_some_and(|bytes| bytes.is_empty() || node::checksum(crc32c, &bytes) != pointer.crc)
        };
        pointer.replicas().iter().find(is_wrong).copied()
    }

    fn wrong_fragment(
        &self,
        array: &SimArray,
        map: &Map,
        members: Set<usize>,
        stored: &Stored,
        model: &Model,
    ) -> Option<BlockAddress> {
        let contents = match &model.nodes.get(&stored.object)?.contents {
            // What is behind the end is being deleted.
            Contents::File(bytes) => bytes.get(stored.start as usize..)?,
            _ => return None,
        };
        let contents = contents.get(..stored.extent.logical as usize)?;
        let length = stored.extent.fragment_bytes(map.parameters.block_shift);
        let fragments = stored.extent.fragments().iter().enumerate();
        let is_wrong = |(index, address): &(usize, BlockAddress)| {
            let bytes = self.sight(array, map, members, (*address, length));
            bytes.is_some_and(|bytes| bytes != fragment(contents, stored, *index, length))
        };
        fragments
            .map(|(index, fragment)| (index, fragment.address))
            .find(is_wrong)
            .map(|(_, address)| address)
    }
}

/// What a fragment should be: a piece of the contents and zeros, a copy of them, or their parity.
fn fragment(contents: &[u8], stored: &Stored, index: usize, length: usize) -> Vec<u8> {
    let data = usize::from(stored.extent.scheme.data);
    let piece = |index: usize| {
        let mut piece = contents.get(index * length..).unwrap_or(&[]).to_vec();
        piece.resize(length, 0);
        piece
    };
    match index {
        _ if data == 1 => piece(0),
        index if index < data => piece(index),
        index => parity((0..data).map(piece), length, index - data),
    }
}

/// Parity fragment `row` of these pieces: the sum of each one times (2^row)^its index, in GF(2^8).
fn parity(pieces: impl DoubleEndedIterator<Item = Vec<u8>>, length: usize, row: usize) -> Vec<u8> {
    let mut sum = vec![0_u8; length];
    for piece in pieces.rev() {
        for (sum, byte) in sum.iter_mut().zip(piece) {
            *sum = (0..row).fold(*sum, |sum, _| double(sum)) ^ byte;
        }
    }
    sum
}

/// A byte times two, modulo the polynomial 0x11d.
const fn double(byte: u8) -> u8 {
    byte << 1 ^ if byte & 0x80 == 0 { 0 } else { 0x1d }
}
