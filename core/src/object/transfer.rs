//! Contents that go from one object to another.
//!
//! Nothing in a fragment says which object it belongs to, so an extent moves with its record alone. It does
//! so only where it could have been stored at its new place, and where no pass of a job could miss it. A
//! rebuild past the new place must not call an extent whole that moved there with a fragment missing.

use super::Objects;
use super::extents::{At, EXTENT_KEYS, Found};
use super::fit::{Destination, Fit};
use super::hole::pieces;
use crate::build::MULTI;
use crate::error::Code;
use crate::format::inode::Inode;
use crate::format::key::Key;
use crate::limits::OBJECT_BYTES_MAX;
use crate::powers::{at_most, over};
use crate::transaction::Purpose;
use crate::types::{ObjectId, Row, Set};
use core::ops::Range;
use dynamicfs_hal::DiskArray;

/// Tree updates of moving a record, beside its pieces: two inodes, and a leaf that is split or joined.
const MOVE_UPDATES: u32 = 6;

/// What was moved from one object to another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Moved {
    /// Bytes that are where they should be, holes included: from the beginning of what was asked for on.
    pub bytes: u64,
    /// Those of them that were read and stored again.
    pub copied: u64,
}

/// Where something goes.
struct Way<'w> {
    from: ObjectId,
    source: &'w mut Inode,
    to: ObjectId,
    target: &'w mut Inode,
    /// What is added to an offset in the one for that in the other.
    distance: u64,
}

impl Way<'_> {
    const fn there(&self, at: u64) -> u64 {
        at.wrapping_add(self.distance)
    }
}

impl<A: DiskArray> Objects<'_, A> {
    /// Moves contents from byte `from.1` of one file to byte `to.1` of another, where there must be a hole,
    /// or nothing yet. What they leave is a hole, the one's size stays, the other grows as needed. Offsets
    /// and `bytes` are multiples of 4 KiB; what lies behind the end is left out.
    ///
    /// Some extents are neither read nor written. They move whole, to a multiple of their size, in the scheme
    /// of the other object, and with all their fragments there. What else there is is stored again.
    ///
    /// # Errors
    /// These leave the transaction as it was: what is not a file, [`InvalidArgument`](Code::InvalidArgument),
    /// [`TooLarge`](Code::TooLarge), [`NoSpace`](Code::NoSpace) and what cannot be read where nothing was
    /// moved. After one of a disk or the tree [`is_poisoned`](crate::transaction::Store::is_poisoned) tells.
    pub fn move_extents(
        &mut self,
        from: (ObjectId, u64),
        to: (ObjectId, u64),
        bytes: u64,
    ) -> Result<Moved, Code> {
        let (mut source, _) = (self.file_inode(from.0)?, self.file_inode(to.0)?);
        if from.0 == to.0 || !(from.1 | to.1 | bytes).is_multiple_of(EXTENT_KEYS) {
            return Err(Code::InvalidArgument);
        }
        let bytes = bytes.min(source.size.saturating_sub(from.1));
        if bytes == 0 {
            return Ok(Moved::default());
        }
        to.1.checked_add(bytes).filter(|&end| end <= OBJECT_BYTES_MAX).ok_or(Code::TooLarge)?;
        self.finish_orphan(to.0)?;
        self.store_waiting(from.0)?;
        self.store_waiting(to.0)?;
        let there = to.1..(to.1 + bytes).next_multiple_of(EXTENT_KEYS);
        if !self.is_hole(to.0, there.clone())? {
            return Err(Code::InvalidArgument);
        }
        source = self.in_extents(from.0)?;
        let mut target = self.in_extents(to.0)?;
        // What was inline is an extent now, of zeros perhaps.
        if self.punch_hole(to.0, there.clone())? < there.end {
            return Err(Code::NoSpace);
        }
        let distance = to.1.wrapping_sub(from.1);
        let mut way = Way { from: from.0, source: &mut source, to: to.0, target: &mut target, distance };
        let (mut moved, mut at, end) = (Moved::default(), from.1, from.1 + bytes);
        while at < end {
            match self.move_some(&mut way, at..end) {
                Ok((next, copied)) => {
                    moved.copied += copied;
                    (moved.bytes, at) = (next - from.1, next);
                }
                // The next call says why it does not go on.
                Err(_) if moved.bytes > 0 && !self.store.is_poisoned() => break,
                Err(error) => return Err(error),
            }
        }
        Ok(moved)
    }

    /// Whether nothing but zeros is in a range, and no extent.
    #[expect(clippy::indexing_slicing, reason = "both ends are cut to the buffer, and the first to the last")]
    fn is_hole(&mut self, object: ObjectId, range: Range<u64>) -> Result<bool, Code> {
        let inode = self.inode(object)?;
        if !inode.inline {
            return Ok(self
                .next_written(object, range.start)?
                .is_none_or(|written| written.start >= range.end));
        }
        let piece = core::mem::take(&mut self.store.piece);
        let end = at_most(range.end.min(inode.size), piece.len());
        let read = self.read_inline(object, 0, &mut piece[..end]);
        let start = at_most(range.start, end);
        let is_hole = piece[start..end].iter().all(|&byte| byte == 0);
        self.store.piece = piece;
        read.map(|()| is_hole)
    }

    /// Makes sure that contents are not inline.
    fn in_extents(&mut self, object: ObjectId) -> Result<Inode, Code> {
        let mut inode = self.inode(object)?;
        if inode.inline {
            let updates = MOVE_UPDATES + self.window_updates(&inode);
            self.operate(updates, Purpose::Growth, |objects| objects.move_out(object, &mut inode))?
                .or_no_space()?;
            self.store_waiting(object)?;
        }
        Ok(inode)
    }

    /// Moves the first part of a range: up to where, and how many bytes were stored again for that.
    fn move_some(&mut self, way: &mut Way<'_>, range: Range<u64>) -> Result<(u64, u64), Code> {
        let found = match self.find(way.from, range.start)? {
            At::Extent(found) => found,
            At::Hole(next) => {
                let end = next.unwrap_or(range.end).min(range.end);
                self.operate(2, Purpose::Growth, |objects| objects.lengthen(way, end))?;
                return Ok((end, 0));
            }
        };
        let part = range.start..range.end.min(found.end());
        if self.may_go(way, &found, &part) {
            self.hand_over(way, &found)?;
            return Ok((part.end, 0));
        }
        self.copy_over(way, &found, &part)?.or_no_space()?;
        Ok((part.end, part.end - part.start))
    }

    /// Whether an extent may be put elsewhere as it is. No running pass of a job may need to judge it. No
    /// part of it is missing, and no part lies on a member that is to be emptied.
    fn may_go(&self, way: &Way<'_>, found: &Found, part: &Range<u64>) -> bool {
        let extent = &found.extent;
        let size = u64::from(extent.logical).next_power_of_two().max(EXTENT_KEYS);
        if found.start != part.start
            || found.end() != part.end
            || over(way.there(found.start), size) != 0
            || size > way.target.extent_bytes()
            || extent.asked != way.target.scheme
        {
            return false;
        }
        if !MULTI {
            return true;
        }
        let tree = &self.store.tree;
        let superblock = &tree.space.superblock;
        let rows =
            extent.fragments().iter().filter_map(|fragment| superblock.row_of(fragment.address.member));
        let sound = tree.data_rows().minus(superblock.owed()).minus(self.store.roster().distrusted);
        rows.collect::<Set<Row>>().and(sound).len() == extent.scheme.width()
            && extent.scheme.parity >= extent.asked.parity
    }

    /// Puts an extent's record under its new key.
    #[expect(
        clippy::indexing_slicing,
        clippy::cast_possible_truncation,
        reason = "a longer piece was refused; the record of an extent of 4 MiB has fewer pieces"
    )]
    fn hand_over(&mut self, way: &mut Way<'_>, found: &Found) -> Result<(), Code> {
        let pieces = self.record_pieces(found);
        self.operate(2 * pieces as u32 + MOVE_UPDATES, Purpose::Growth, |objects| {
            let piece = core::mem::take(&mut objects.store.piece);
            let done = (0..pieces as u64).try_for_each(|n| {
                let old = Key::extent(way.from, found.start + n);
                let new = Key::extent(way.to, way.there(found.start) + n);
                let bytes = objects.store.tree.get(&old, piece)?.filter(|&bytes| bytes <= piece.len());
                let bytes = bytes.ok_or_else(|| objects.store.tree.disks.about.invalid(way.from))?;
                objects.store.put(&new, &piece[..bytes])
            });
            objects.store.piece = piece;
            done?;
            let (from, end) =
                (Key::extent(way.from, found.start), Key::extent(way.from, found.start + EXTENT_KEYS));
            objects.store.remove_range(&from, &end, pieces)?;
            objects.lengthen(way, found.end())
        })
    }

    /// Stores a part of an extent in the other object, and the rest of it again.
    fn copy_over(&mut self, way: &mut Way<'_>, found: &Found, part: &Range<u64>) -> Result<Fit, Code> {
        let most = self.extent_bytes(way.target);
        let new = way.there(part.start)..way.there(part.end);
        let updates = self.pieces_updates(way.target, new.clone(), most)
            + self.rest_updates(way.source, found, part)
            + MOVE_UPDATES;
        self.operate(updates, Purpose::Growth, |objects| {
            let stored = objects.store_filling()?.is_done()
                && objects.copy_pieces(way, new.clone(), most)?.is_done()
                && objects.store_rest(way.from, way.source, found, part)?.is_done();
            match stored {
                true => objects.lengthen(way, part.end)?,
                false => objects.free_extents(way.to, new.start, new.end)?,
            }
            Ok(Fit::done_if(stored))
        })
    }

    /// Stores in the other object what is to go there. Without space for all of it the caller frees the rest.
    #[expect(
        clippy::indexing_slicing,
        clippy::cast_possible_truncation,
        reason = "a piece is no longer than `most`, which the window holds"
    )]
    fn copy_pieces(&mut self, way: &Way<'_>, new: Range<u64>, most: u64) -> Result<Fit, Code> {
        let to = Destination::new(way.to, way.target, new.start);
        for piece in pieces(new, most) {
            let bytes = (piece.end - piece.start) as usize;
            let stored = self.with_window(|objects, window| {
                let old = piece.start.wrapping_sub(way.distance);
                objects.read_stored(way.from, old, &mut window[..bytes])?;
                objects.replace_extents(to.at(piece.start), &window[..bytes])
            })?;
            if !stored.is_whole(bytes) {
                return Ok(Fit::NoSpace);
            }
        }
        Ok(Fit::DONE)
    }

    /// Notes that contents were moved up to this byte.
    fn lengthen(&mut self, way: &mut Way<'_>, end: u64) -> Result<(), Code> {
        self.resize(way.from, way.source, way.source.size)?;
        let size = way.target.size.max(way.there(end));
        self.resize(way.to, way.target, size)
    }
}
