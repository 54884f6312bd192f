//! The records of a tree, in the order of their keys: the extents that they describe, and what belongs to nothing.
//!
//! Pieces of a long record lie one after the other. One without a beginning, one that never ends, and an extent behind its
//! object's end are *strays*: they would never be read or given back.

use dynamicfs_core::format::extent::Extent;
use dynamicfs_core::format::inode::Inode;
use dynamicfs_core::format::key::{Key, Kind};
use dynamicfs_core::format::name::PIECE_FIRST;
use dynamicfs_core::format::parameters::PoolParameters;
use dynamicfs_core::format::record::OrphanRecord;
use dynamicfs_core::limits::EXTENT_BYTES_MIN;
use dynamicfs_core::types::ObjectId;
use std::collections::BTreeMap;

/// An extent as its record tells.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) object: u64,
    pub(super) start: u64,
    pub(super) extent: Extent,
}

/// A record with pieces still to come.
#[derive(Debug)]
struct Unfinished {
    /// Where the next piece stands.
    next: (u64, u8, u64),
    /// An extent's record so far.
    bytes: Vec<u8>,
    /// Pieces of a hashed entry that are still to come; an extent's record tells by its length.
    missing: u64,
}

/// What a walk has met.
#[derive(Debug, Default)]
pub(super) struct Records {
    pub(super) extents: Vec<Stored>,
    /// What belongs to nothing, in words.
    pub(super) strays: Vec<String>,
    /// From where on objects are still being deleted.
    orphans: BTreeMap<u64, u64>,
    /// The object whose records are being met.
    inode: Option<(u64, Inode)>,
    unfinished: Option<Unfinished>,
}

impl Records {
    /// Takes the next record of a leaf.
    pub(super) fn take(&mut self, key: &Key, value: &[u8], parameters: &PoolParameters) {
        let place = (key.object().0, key.kind(), key.offset());
        let is = |kind: Kind| key.kind() == kind as u8;
        if is(Kind::Extent) {
            return self.extent(place, value, parameters);
        } else if is(Kind::Entry) || is(Kind::Xattr) {
            return self.hashed(place, value);
        }
        self.end();
        if is(Kind::Orphan) {
            // One that goes as a whole may still be in use without a name, or goes leaf by leaf.
            let record = OrphanRecord::new(value).filter(|record| record.whole() == 0);
            let from = record.map_or(0, |record| record.offset());
            self.orphans.insert(key.offset(), from);
        } else if is(Kind::Inode) {
            self.inode = Inode::decode(value).map(|inode| (place.0, inode));
        } else if is(Kind::Inline) {
            self.inline(place, value, parameters);
        }
    }

    /// The tree has no more records, or the record under way no more pieces.
    pub(super) fn end(&mut self) {
        if let Some(unfinished) = self.unfinished.take() {
            self.stray(unfinished.next, "a piece is missing");
        }
    }

    /// Something belongs to nothing, unless it is being deleted, which continues leaf by leaf.
    fn stray(&mut self, (object, kind, offset): (u64, u8, u64), what: &str) {
        if self.is_orphaned(object, offset) {
            return;
        }
        self.strays.push(format!("{what}: kind {kind} at {offset} of object {object}"));
    }

    /// The inode of an object whose records are being met; without one it is being deleted, or they are strays.
    fn owner(&mut self, place: (u64, u8, u64)) -> Option<Inode> {
        let inode = self.inode.filter(|(object, _)| *object == place.0).map(|(_, inode)| inode);
        if inode.is_none() && !self.orphans.contains_key(&place.0) {
            self.stray(place, "there is no such object");
        }
        inode
    }

    fn is_orphaned(&self, object: u64, start: u64) -> bool {
        self.orphans.get(&object).is_some_and(|&from| from <= start)
    }

    /// A piece of a directory's entry or of an attribute.
    fn hashed(&mut self, place: (u64, u8, u64), value: &[u8]) {
        let first = value.first().copied().unwrap_or(0);
        let goes_on = self.unfinished.take_if(|unfinished| unfinished.next == place);
        self.end();
        let missing = match (goes_on, first & PIECE_FIRST != 0) {
            (None, true) => {
                self.owner(place);
                u64::from(first & !PIECE_FIRST)
            }
            (Some(unfinished), false) => unfinished.missing - 1,
            (_, is_first) => {
                let what =
                    if is_first { "a piece begins in another entry" } else { "a piece without a beginning" };
                return self.stray(place, what);
            }
        };
        if missing > 0 {
            let next = (place.0, place.1, place.2 + 1);
            self.unfinished = Some(Unfinished { next, bytes: Vec::new(), missing });
        }
    }

    /// Contents that stay in the tree.
    fn inline(&mut self, place: (u64, u8, u64), value: &[u8], parameters: &PoolParameters) {
        let piece = dynamicfs_core::format::node::value_bytes_max(parameters.node_bytes()) as u64;
        let Some(inode) = self.owner(place) else { return };
        let end = place.2.saturating_mul(piece) + value.len() as u64;
        if !inode.inline && !self.is_orphaned(place.0, 0) {
            self.stray(place, "inline contents of an object that has extents");
        } else if inode.inline && end > inode.size {
            self.stray(place, "inline contents behind the end");
        }
    }

    /// A piece of an extent's record.
    fn extent(&mut self, place: (u64, u8, u64), value: &[u8], parameters: &PoolParameters) {
        let mut bytes = match self.unfinished.take_if(|unfinished| unfinished.next == place) {
            Some(unfinished) => unfinished.bytes,
            None if place.2.is_multiple_of(EXTENT_BYTES_MIN) => {
                self.end();
                Vec::new()
            }
            None => {
                self.end();
                return self.stray(place, "a piece without a beginning");
            }
        };
        bytes.extend_from_slice(value);
        let (block_shift, chunk_shift) = (parameters.block_shift, parameters.chunk_shift);
        let start = place.2 - place.2 % EXTENT_BYTES_MIN;
        match Extent::decode(&bytes) {
            Some(extent) if extent.record_bytes(block_shift, chunk_shift) == bytes.len() => {
                self.stored(Stored { object: place.0, start, extent }, place);
            }
            Some(extent) if extent.record_bytes(block_shift, chunk_shift) < bytes.len() => {
                self.stray(place, "a record is too long");
            }
            _ => {
                let next = (place.0, place.1, place.2 + 1);
                self.unfinished = Some(Unfinished { next, bytes, missing: 0 });
            }
        }
    }

    fn stored(&mut self, stored: Stored, place: (u64, u8, u64)) {
        let end = stored.start + u64::from(stored.extent.logical);
        if let Some(inode) = self.owner(place)
            && !self.is_orphaned(stored.object, stored.start)
            && end > inode.size
        {
            self.stray((stored.object, place.1, stored.start), "an extent behind the end");
        }
        self.extents.push(stored);
    }
}

const _: () =
    assert!(ObjectId::SYSTEM.0 < ObjectId::ROOT.0, "what is being deleted is met before the objects");
