//! How redundant each extent is: computed from its own record and the members, never believed from a list.

use super::standing::{FragmentCounts, read_standing};
use crate::error::Code;
use crate::format::extent::{EXTENT_BYTES_MAX, Extent};
use crate::format::key::{Key, Kind};
use crate::object::Objects;
use crate::types::ObjectId;
use core::ops::ControlFlow;
use dynamicfs_hal::DiskArray;

/// Extents by what is left of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct ExtentCounts {
    /// All of them.
    pub total: u64,
    /// In the scheme that was asked for, every fragment there.
    pub complete: u64,
    /// Readable, with less redundancy than was asked for.
    pub readable: u64,
    /// Lost, as far as the disks that are online tell.
    pub unreadable: u64,
}

impl ExtentCounts {
    /// Counts an extent with so many fragments there.
    pub(super) fn add(&mut self, extent: &Extent, held: FragmentCounts) {
        self.total += 1;
        *if held.there < usize::from(extent.scheme.data) {
            &mut self.unreadable
        } else if held.apart == extent.scheme.width() && extent.scheme.parity >= extent.asked.parity {
            &mut self.complete
        } else {
            &mut self.readable
        } += 1;
    }
}

/// Joins the pieces of extents' records as a scan meets them.
pub(super) struct RecordJoiner {
    bytes: [u8; EXTENT_BYTES_MAX],
    length: usize,
    key: Option<(ObjectId, u64)>,
}

impl RecordJoiner {
    pub(super) const fn new() -> Self {
        Self { bytes: [0; EXTENT_BYTES_MAX], length: 0, key: None }
    }

    /// Takes a record of the tree; the extent's object, first byte and head when it is complete.
    #[expect(clippy::indexing_slicing, reason = "what is taken is cut to what the buffer has left")]
    pub(super) fn take(&mut self, key: &Key, piece: &[u8]) -> Option<(ObjectId, u64, Extent)> {
        if key.kind() != Kind::Extent as u8 {
            self.key = None;
            return None;
        }
        if key.offset().is_multiple_of(crate::limits::EXTENT_BYTES_MIN) {
            self.key = Some((key.object(), key.offset()));
            self.length = 0;
        }
        let (object, start) = self.key.filter(|&(object, _)| object == key.object())?;
        let bytes = piece.len().min(EXTENT_BYTES_MAX - self.length);
        self.bytes[self.length..self.length + bytes].copy_from_slice(&piece[..bytes]);
        self.length += bytes;
        let extent = Extent::decode(&self.bytes[..self.length])?;
        self.key = None;
        Some((object, start, extent))
    }
}

impl<A: DiskArray> Objects<'_, A> {
    /// Whether every member takes part and is owed nothing, and nothing is short of what was asked for: from
    /// memory.
    pub fn is_whole(&self) -> bool {
        let (superblock, disks) = (self.store.committed(), &self.store.tree.disks);
        let are_here = disks.sound() == superblock.table();
        are_here
            && disks.rolled_back(superblock.order()).is_empty()
            && superblock.owed().is_empty()
            && !superblock.is_short()
    }

    /// Counts the extents by their redundancy.
    ///
    /// Where every member is online and owed nothing, all are complete, and the superblock has their number.
    /// Else the tree is walked: one record for each extent is read, no data.
    pub fn count_extents(&mut self) -> Result<ExtentCounts, Code> {
        let total = self.store.committed().extents();
        if self.is_whole() {
            return Ok(ExtentCounts { total, complete: total, ..ExtentCounts::default() });
        }
        let standing = read_standing(&mut self.store, true)?;
        let mut counts = ExtentCounts::default();
        let mut joiner = RecordJoiner::new();
        self.store.tree.scan(&Key::object_start(ObjectId(1)), &Key::MAX, |key, piece| {
            if let Some((_, _, extent)) = joiner.take(key, piece) {
                counts.add(&extent, standing.holds(&extent));
            }
            ControlFlow::<()>::Continue(())
        })?;
        Ok(counts)
    }
}
