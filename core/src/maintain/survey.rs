//! How redundant each extent is: computed from its own record and the members, never believed from a list.

use crate::error::StorageError;
use crate::format::extent::{EXTENT_BYTES_MAX, Extent};
use crate::format::key::{Key, Kind};
use crate::format::record::MemberRecord;
use crate::object::Objects;
use crate::types::{Generation, MemberNumber, MemberSet, ObjectId};
use core::ops::ControlFlow;
use dynamicfs_hal::DiskArray;

/// Extents by what is left of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
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

/// Members beyond this many are asked one by one; a pool with more of them away at once is past help.
const AWAY_MAX: usize = 8;

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
    /// Counts the extents by their redundancy.
    ///
    /// Where every member is online and owed nothing, all are complete, and the superblock has their number; else the
    /// tree is walked: one record for each extent is read, no data.
    pub fn count_extents(&mut self) -> Result<ExtentCounts, StorageError> {
        let superblock = self.store.committed();
        let (table, owed, total) = (superblock.table(), superblock.owed(), superblock.extents());
        if owed.is_empty() && self.store.tree.disks.online() == table {
            return Ok(ExtentCounts { total, complete: total, ..ExtentCounts::default() });
        }
        let doubts = self.doubts()?;
        let online = self.store.tree.disks.online();
        let numbers = self.member_rows();
        let mut counts = ExtentCounts::default();
        let mut joiner = RecordJoiner::new();
        self.store.tree.scan(&Key::object_start(ObjectId(1)), &Key::MAX, |key, piece| {
            if let Some((_, _, extent)) = joiner.take(key, piece) {
                let good = |member: MemberNumber, birth: Generation| {
                    numbers(member).is_some_and(|row| online.contains(row))
                        && !doubts.iter().any(|doubt| doubt.member == member && doubt.span.contains(&birth))
                };
                let there = extent
                    .fragments()
                    .iter()
                    .filter(|f| f.address.is_some() && good(f.address.member, f.birth))
                    .count();
                counts.total += 1;
                *if there < usize::from(extent.scheme.data) {
                    &mut counts.unreadable
                } else if there == extent.scheme.width() && extent.scheme.parity >= extent.asked.parity {
                    &mut counts.complete
                } else {
                    &mut counts.readable
                } += 1;
            }
            ControlFlow::<()>::Continue(())
        })?;
        Ok(counts)
    }

    /// The row of each member number, as a function that does not borrow the pool.
    fn member_rows(&self) -> impl Fn(MemberNumber) -> Option<usize> + use<A> {
        let mut numbers = [MemberNumber::NONE; crate::limits::MEMBERS_MAX];
        let superblock = self.store.committed();
        for row in superblock.table().iter() {
            numbers[row] = MemberNumber(superblock.row(row).number());
        }
        move |member| numbers.iter().position(|&number| number == member && number != MemberNumber::NONE)
    }

    /// Spans of generations in which what was written on a member is not to be trusted.
    fn doubts(&mut self) -> Result<heapless::Vec<Doubt, { 3 * AWAY_MAX }>, StorageError> {
        let mut doubts = heapless::Vec::new();
        let owed: MemberSet = self.store.committed().owed();
        for row in owed.iter() {
            let member = self.store.tree.space.member(row);
            self.store.tree.with(&Key::member(member), |record| {
                let Some(record) = record.and_then(MemberRecord::new) else { return };
                for span in record.untrusted() {
                    let _ = doubts.push(Doubt { member, span });
                }
                if record.offline_since() != 0 {
                    let span = Generation(record.offline_since())..Generation(u64::MAX);
                    let _ = doubts.push(Doubt { member, span });
                }
            })?;
        }
        Ok(doubts)
    }
}

/// A member, and generations of which it may lack what it was given.
struct Doubt {
    member: MemberNumber,
    span: core::ops::Range<Generation>,
}
