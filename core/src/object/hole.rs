//! Holes: bytes that read as zeros and take no space.

use super::Objects;
use super::extents::{At, EXTENT_KEYS, Found};
use super::fit::{Destination, Fit};
use super::put::WINDOW_UPDATES;
use crate::error::Code;
use crate::format::inode::Inode;
use crate::format::key::{Key, Kind};
use crate::limits::OBJECT_BYTES_MAX;
use crate::powers::{at_most, floor, units};
use crate::transaction::{Purpose, RELEASE_UPDATES};
use crate::types::ObjectId;
use core::ops::Range;
use dynamicfs_hal::DiskArray;

/// Pieces of a record that a leaf holds at least: they go with it.
const PIECES_A_LEAF: u32 = 3;

/// Tree updates that the head of an extent's record takes in nodes of the smallest size.
const HEAD_UPDATES: u32 = 3;

impl<A: DiskArray> Objects<'_, A> {
    // --- looking
    // ----------------------------------------------------------------------------------------------

    /// The first byte from `from` on that was written; `None` if none is left up to the end, or `from` is not
    /// before it.
    pub fn seek_data(&mut self, object: ObjectId, from: u64) -> Result<Option<u64>, Code> {
        Ok(self.next_written(object, from)?.map(|written| written.start))
    }

    /// The first byte from `from` on that is in a hole; the end of the contents counts as one. `None` if
    /// `from` is not before it.
    pub fn seek_hole(&mut self, object: ObjectId, from: u64) -> Result<Option<u64>, Code> {
        let mut at = from;
        while let Some(written) = self.next_written(object, at)?.filter(|written| written.start == at) {
            at = written.end;
        }
        let size = self.inode(object)?.size;
        Ok((from < size).then_some(at))
    }

    // --- making
    // -----------------------------------------------------------------------------------------------

    /// Lets a range of a file's contents read as zeros and take no space, as far as it lies before the end;
    /// the size stays. How far: up to the range's end, or up to the first byte that is as it was when space
    /// ends.
    ///
    /// Extents go whole, one by one. An extent that the range cuts is stored again without the bytes in it.
    /// The rest of a unit of 4 KiB at an edge is zeroed.
    ///
    /// # Errors
    /// These leave the transaction as it was: what is not a file, [`NoSpace`](Code::NoSpace) and what cannot
    /// be read where nothing was done. After one of a disk or the tree
    /// [`is_poisoned`](crate::transaction::Store::is_poisoned) tells.
    pub fn punch_hole(&mut self, object: ObjectId, range: Range<u64>) -> Result<u64, Code> {
        let mut inode = self.file_inode(object)?;
        let end = range.end.min(inode.size);
        if range.start >= end {
            return Ok(range.end);
        }
        if inode.inline {
            self.operate(2, Purpose::Release, |objects| {
                objects.zero_inline(object, range.start..end)?;
                let size = inode.size;
                objects.resize(object, &mut inode, size)
            })?;
            return Ok(range.end);
        }
        self.store_waiting(object)?;
        let mut at = range.start;
        while at < end {
            match self.punch_some(object, &mut inode, at..end) {
                Ok(next) => at = next,
                // The next call says why it does not go on.
                Err(_) if at > range.start && !self.store.is_poisoned() => return Ok(at),
                Err(error) => return Err(error),
            }
        }
        Ok(range.end)
    }

    /// The same, as if zeros were written there: what lies behind the end grows the file. How far, see
    /// [`punch_hole`](Self::punch_hole).
    ///
    /// # Errors
    /// Those of [`punch_hole`](Self::punch_hole), and [`TooLarge`](Code::TooLarge).
    pub fn zero(&mut self, object: ObjectId, range: Range<u64>) -> Result<u64, Code> {
        let size = self.file_inode(object)?.size;
        if range.end > OBJECT_BYTES_MAX {
            return Err(Code::TooLarge);
        }
        let punched = self.punch_hole(object, range.clone())?;
        if punched < range.end || range.is_empty() || range.end <= size {
            return Ok(punched);
        }
        match self.truncate(object, range.end) {
            Ok(()) => Ok(range.end),
            Err(_) if range.start < size && !self.store.is_poisoned() => Ok(size),
            Err(error) => Err(error),
        }
    }

    /// Stores what of an object waits in the window buffer.
    pub(super) fn store_waiting(&mut self, object: ObjectId) -> Result<(), Code> {
        if self.filling.is_none_or(|waiting| waiting.object != object) {
            return Ok(());
        }
        let inode = self.stored_inode(object)?;
        let updates = WINDOW_UPDATES + self.window_updates(&inode);
        self.operate(updates, Purpose::Growth, Self::store_filling)?.or_no_space()
    }

    /// Zeros a part of contents that are inline; what they end with is left out.
    #[expect(
        clippy::indexing_slicing,
        reason = "both ends are cut to the record's bytes, and those to the buffer"
    )]
    fn zero_inline(&mut self, object: ObjectId, range: Range<u64>) -> Result<(), Code> {
        let piece = core::mem::take(&mut self.store.piece);
        let key = Key::new(object, Kind::Inline, 0);
        let done = self.store.tree.get(&key, piece).and_then(|bytes| {
            let bytes = bytes.unwrap_or(0).min(piece.len());
            let within = |at: u64| at_most(at, bytes);
            let (from, end) = (within(range.start), within(range.end));
            piece[from..end].fill(0);
            match from < end {
                true => self.store.put(&key, &piece[..if end == bytes { from } else { bytes }]),
                false => Ok(()),
            }
        });
        self.store.piece = piece;
        done
    }

    /// Makes the first part of a range a hole: how far.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the record of an extent of at most 4 MiB has fewer pieces"
    )]
    fn punch_some(&mut self, object: ObjectId, inode: &mut Inode, range: Range<u64>) -> Result<u64, Code> {
        let found = match self.find(object, range.start)? {
            At::Extent(found) => found,
            At::Hole(next) => return Ok(next.unwrap_or(range.end).min(range.end)),
        };
        if found.start < range.start || found.end() > range.end {
            return self.cut_out(object, inode, &found, range);
        }
        let updates = RELEASE_UPDATES + self.record_pieces(&found) as u32 / PIECES_A_LEAF;
        self.operate(updates, Purpose::Release, |objects| {
            objects.free_extent(object, &found)?;
            objects.resize(object, inode, inode.size)
        })?;
        Ok(found.end())
    }

    /// Stores an extent again without what of it lies in a range: how far it goes.
    fn cut_out(
        &mut self,
        object: ObjectId,
        inode: &mut Inode,
        found: &Found,
        range: Range<u64>,
    ) -> Result<u64, Code> {
        // Where nothing behind the range is stored again it takes less than there was.
        let purpose = if range.end < found.end() { Purpose::Growth } else { Purpose::Release };
        let updates = self.rest_updates(inode, found, &range);
        let done = self.operate(updates, purpose, |objects| {
            if !objects.store_filling()?.is_done() {
                return Ok(Fit::NoSpace);
            }
            let done = objects.store_rest(object, inode, found, &range)?;
            if done.is_done() {
                objects.resize(object, inode, inode.size)?;
            }
            Ok(done)
        })?;
        done.or_no_space()?;
        Ok(range.end.min(found.end()))
    }

    // --- what is left of an extent
    // ----------------------------------------------------------------------------

    /// Tree updates of storing again what of an extent lies outside a range.
    pub(super) fn rest_updates(&self, inode: &Inode, found: &Found, range: &Range<u64>) -> u32 {
        let most = self.extent_bytes(inode);
        let rest = rest_of(found, range).into_iter();
        WINDOW_UPDATES + rest.map(|part| self.pieces_updates(inode, part, most)).sum::<u32>()
    }

    /// Tree updates of storing a stretch of contents in pieces.
    #[expect(clippy::cast_possible_truncation, reason = "a stretch lies in one extent, of at most 4 MiB")]
    pub(super) fn pieces_updates(&self, inode: &Inode, part: Range<u64>, most: u64) -> u32 {
        let windows = units(part.end - part.start, most) as u32;
        let full = self.window_updates(inode);
        windows * full + pieces(part, most).count() as u32 * full.min(HEAD_UPDATES)
    }

    /// Stores the parts of an extent outside a range again, in pieces at allowed places, and frees the
    /// extent.
    ///
    /// From the back to the front. The old extent's record stands under its first byte, so it is there until
    /// the last piece has found its space.
    #[expect(
        clippy::indexing_slicing,
        clippy::cast_possible_truncation,
        reason = "a piece is no longer than `most`, which the window holds; the zeros lie in it"
    )]
    pub(super) fn store_rest(
        &mut self,
        object: ObjectId,
        inode: &Inode,
        found: &Found,
        range: &Range<u64>,
    ) -> Result<Fit, Code> {
        let most = self.extent_bytes(inode);
        let rest = rest_of(found, range);
        let purpose = if rest[0].is_empty() { Purpose::Release } else { Purpose::Growth };
        let to = Destination::new(object, inode, found.start).with(purpose);
        let mut first = found.end();
        for piece in rest.into_iter().flat_map(|part| pieces(part, most)) {
            let bytes = (piece.end - piece.start) as usize;
            let within = |at: u64| (at.clamp(piece.start, piece.end) - piece.start) as usize;
            let zeros = within(range.start)..within(range.end);
            let stored = self.with_window(|objects, window| {
                objects.read_stored(object, piece.start, &mut window[..bytes])?;
                window[zeros].fill(0);
                objects.replace_extents(to.at(piece.start), &window[..bytes])
            })?;
            if !stored.is_whole(bytes) {
                // The old extent still covers all of them.
                self.free_extents(object, found.start + 1, found.end())?;
                return Ok(Fit::NoSpace);
            }
            first = piece.start;
        }
        if first > found.start {
            self.free_extent(object, found)?;
        }
        Ok(Fit::DONE)
    }
}

/// What of an extent is stored again when a range is cut out of it: behind the range and before it. The bytes
/// of the range in the first unit of the former are to be zeroed. Where no whole unit goes, all of it is one
/// stretch.
fn rest_of(found: &Found, range: &Range<u64>) -> [Range<u64>; 2] {
    let before = found.start..range.start.clamp(found.start, found.end());
    if range.end >= found.end() {
        return [found.end()..found.end(), before];
    }
    let behind = floor(range.end, EXTENT_KEYS).max(found.start)..found.end();
    match behind.start <= before.end {
        true => [found.start..found.end(), found.start..found.start],
        false => [behind, before],
    }
}

/// The pieces of a stretch that begins at a multiple of 4 KiB, from the back to the front. Each begins at a
/// multiple of its size, and is no longer than `most`.
pub(super) fn pieces(stretch: Range<u64>, most: u64) -> impl Iterator<Item = Range<u64>> {
    let mut end = stretch.end;
    core::iter::from_fn(move || {
        let last = end.checked_sub(1).filter(|&last| last >= stretch.start)?;
        let mut size = most;
        while floor(last, size) < stretch.start {
            size /= 2;
        }
        let piece = floor(last, size)..end;
        end = piece.start;
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::format::extent::Extent;
    use crate::types::{Generation, Scheme};
    use std::vec::Vec;

    const K: u64 = 1024;

    fn found(start: u64, logical: u64) -> Found {
        let extent = Extent::new(Scheme::SINGLE, Scheme::SINGLE, logical as u32, Generation(1));
        Found { start, extent }
    }

    #[test]
    fn what_is_left_of_an_extent_begins_at_whole_units() {
        let extent = found(64 * K, 64 * K);
        let (nothing, all) = (64 * K..64 * K, 64 * K..128 * K);
        for (hole, left) in [
            // Nothing behind it.
            (100 * K..200 * K, [128 * K..128 * K, 64 * K..100 * K]),
            (0..200 * K, [128 * K..128 * K, nothing.clone()]),
            // In the midst.
            (72 * K..80 * K, [80 * K..128 * K, 64 * K..72 * K]),
            (72 * K + 1..80 * K + 1, [80 * K..128 * K, 64 * K..72 * K + 1]),
            // Nothing before it.
            (0..68 * K + 5, [68 * K..128 * K, nothing.clone()]),
            (64 * K..68 * K, [68 * K..128 * K, nothing.clone()]),
            // No whole unit goes.
            (72 * K..72 * K + 9, [all.clone(), nothing.clone()]),
            (72 * K + 4..76 * K + 4, [76 * K..128 * K, 64 * K..72 * K + 4]),
            (0..64 * K + 7, [all, nothing]),
        ] {
            assert_eq!(rest_of(&extent, &hole), left, "{hole:?}");
        }
    }

    #[test]
    fn pieces_begin_at_multiples_of_their_size_and_cover_everything() {
        for (stretch, most) in [
            (0..1024 * K, 256 * K),
            (4 * K..1024 * K, 1024 * K),
            (64 * K..100 * K + 1, 1024 * K),
            (12 * K..13 * K, 4 * K),
            (60 * K..61 * K + 1, 8 * K),
        ] {
            let mut pieces: Vec<_> = pieces(stretch.clone(), most).collect();
            pieces.reverse();
            let mut at = stretch.start;
            for piece in &pieces {
                let bytes = piece.end - piece.start;
                assert_eq!(piece.start, at, "{stretch:?}: {pieces:?}");
                assert!(bytes > 0 && bytes <= most, "{stretch:?}: {pieces:?}");
                assert!(piece.start.is_multiple_of(bytes.next_power_of_two()), "{stretch:?}: {pieces:?}");
                at = piece.end;
            }
            assert_eq!(at, stretch.end, "{stretch:?}: {pieces:?}");
        }
        assert_eq!(pieces(8 * K..8 * K, 4 * K).count(), 0);
    }
}
