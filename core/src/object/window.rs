//! The window buffer: where small writes gather until they are an extent.

use super::extents::{At, EXTENT_KEYS};
use super::fit::{Destination, Fit};
use super::{Filling, Objects};
use crate::build::TIGHT;
use crate::error::Code;
use crate::format::inode::Inode;
use crate::format::key::Key;
use crate::powers::{at_most, floor, units};
use crate::transaction::Purpose;
use crate::types::ObjectId;
use dynamicfs_hal::DiskArray;

impl<A: DiskArray> Objects<'_, A> {
    /// Writes the part of `data` that lies in the first window it touches. Returns how many bytes.
    #[expect(
        clippy::indexing_slicing,
        clippy::cast_possible_truncation,
        reason = "the destination lies in the window, and the bytes are cut to the data"
    )]
    pub(super) fn write_window(&mut self, to: Destination<'_>, data: &[u8]) -> Result<Fit<usize>, Code> {
        let extent = self.extent_bytes(to.inode);
        let start = floor(to.start, extent);
        let bytes = at_most(start + extent - to.start, data.len());
        if bytes as u64 == extent {
            let is_in_buffer = self.is_filling(to.object, start);
            return match self.write_whole_window(to, &data[..bytes], is_in_buffer)? {
                Fit::NoSpace if TIGHT => self.write_piece(to, data),
                wrote => Ok(wrote),
            };
        }
        // What earlier writes left in the buffer is stored by itself, so that this one can be undone.
        let may_stay = self.is_filling(to.object, start) && !self.is_tight(to.inode);
        if !may_stay && !self.store_filling()?.is_done() {
            return Ok(Fit::NoSpace);
        }
        let is_pending = self.is_filling(to.object, start);
        if !is_pending && !self.begin_window(to.at(start), extent, to.start - start)?.is_done() {
            return Ok(Fit::NoSpace);
        }
        let tight = !is_pending && self.is_tight(to.inode);
        self.fill((to.start - start) as usize, &data[..bytes]);
        if tight && !self.store_filling()?.is_done() {
            self.set_filling(None);
            return if TIGHT { self.write_piece(to, data) } else { Ok(Fit::NoSpace) };
        }
        Ok(Fit::Done(bytes))
    }

    /// Writes the part of `data` that lies in the first extent it touches, or in the hole there. It is for
    /// space so short that a window cannot be stored anew. Returns how many bytes.
    #[inline(never)] // Once, and not in each of its callers.
    #[expect(
        clippy::indexing_slicing,
        clippy::cast_possible_truncation,
        reason = "the destination lies in the piece, which the window holds; bytes are cut to the data"
    )]
    pub(super) fn write_piece(&mut self, to: Destination<'_>, data: &[u8]) -> Result<Fit<usize>, Code> {
        if !self.store_filling()?.is_done() {
            return Ok(Fit::NoSpace);
        }
        let (start, length) = self.piece_at(to.object, to.inode, to.start)?;
        let bytes = at_most(start + length - to.start, data.len());
        if !self.begin_window(to.at(start), length, to.start - start)?.is_done() {
            return Ok(Fit::NoSpace);
        }
        self.fill((to.start - start) as usize, &data[..bytes]);
        if !self.store_filling()?.is_done() {
            self.set_filling(None);
            return Ok(Fit::NoSpace);
        }
        Ok(Fit::Done(bytes))
    }

    /// Where an extent begins that can be rewritten alone to hold a byte, and how long it can be. It is the
    /// one that holds the byte or its neighbourhood now, or a new one between the others.
    pub(super) fn piece_at(
        &mut self,
        object: ObjectId,
        inode: &Inode,
        offset: u64,
    ) -> Result<(u64, u64), Code> {
        let window = self.extent_bytes(inode);
        let first = floor(offset, window);
        let (from, end) = (Key::extent(object, first), Key::extent(object, offset).successor());
        let before = match self.store.tree.last_before(&from, &end, &mut [])? {
            Some((key, _)) => Some(self.extent_at(object, key.offset() & !(EXTENT_KEYS - 1))?),
            None => None,
        };
        // A record stands for the bytes up to the next place where one can begin.
        let (start, kept) = match before {
            Some(found) if offset < found.end().next_multiple_of(EXTENT_KEYS) => (found.start, found.end()),
            _ => (offset & !(EXTENT_KEYS - 1), 0),
        };
        // An extent begins at a multiple of its size.
        let most = if start == first { window } else { 1 << start.trailing_zeros() };
        let next = self.next_extent(object, offset)?.unwrap_or(u64::MAX);
        let end = (start + most).min(first + window).min(next);
        if end <= offset || kept > next {
            // One that is longer than it can be, or reaches into the next: the tree was forged.
            return Err(self.store.tree.disks.about.invalid(object));
        }
        // What begins before the piece and reaches into it is cut at multiples of the piece's length: a power
        // of two. One that begins with it and is longer than that is rewritten whole, and nothing is cut.
        let even = 1 << (end - start).ilog2();
        let is_whole = start + even >= kept.max(offset + 1);
        Ok((start, if is_whole { even } else { end - start }))
    }

    /// Stores a whole window straight from the caller's bytes.
    fn write_whole_window(
        &mut self,
        to: Destination<'_>,
        data: &[u8],
        is_in_buffer: bool,
    ) -> Result<Fit<usize>, Code> {
        let is_ready = is_in_buffer
            || self.store_filling()?.is_done() && self.cut_to_windows(to, data.len() as u64)?.is_done();
        if !is_ready {
            return Ok(Fit::NoSpace);
        }
        let wrote = self.replace_extents(to, data)?;
        if is_in_buffer && !self.keep_if_whole(to.object, to.start, wrote, data.len())?.is_done() {
            return Ok(Fit::NoSpace);
        }
        Ok(wrote)
    }

    /// Loads the stored bytes of a window, or of its beginning, into the buffer, so that a part can be
    /// overwritten from byte `from` on. The window is `extent` bytes long.
    #[inline(never)] // Once, and not in each of its callers.
    #[expect(
        clippy::indexing_slicing,
        clippy::cast_possible_truncation,
        reason = "what is stored, and where it goes on, lie within `extent`, which the window holds"
    )]
    pub(super) fn begin_window(&mut self, to: Destination<'_>, extent: u64, from: u64) -> Result<Fit, Code> {
        if !(self.store_filling()?.is_done() && self.cut_to_windows(to, extent)?.is_done()) {
            return Ok(Fit::NoSpace);
        }
        let (object, start) = (to.object, to.start);
        let stored = self.stored_bytes(object, start, extent)?;
        let bytes = stored.max(from) as usize;
        self.with_window(|objects, window| {
            window[stored as usize..bytes].fill(0);
            objects.read_stored(object, start, &mut window[..stored as usize])
        })?;
        self.set_filling(Some(Filling { object, start, bytes }));
        Ok(Fit::DONE)
    }

    /// Whether the window buffer holds what begins at this byte of an object.
    pub(super) fn is_filling(&self, object: ObjectId, start: u64) -> bool {
        self.filling.is_some_and(|filling| filling.object == object && filling.start == start)
    }

    /// Puts bytes into the window buffer.
    #[expect(
        clippy::indexing_slicing,
        reason = "the caller has cut the part to the window that is being filled"
    )]
    fn fill(&mut self, from: usize, part: &[u8]) {
        self.store.note_change();
        if let Some(filling) = &mut self.filling {
            if from > filling.bytes {
                self.store.window[filling.bytes..from].fill(0);
            }
            self.store.window[from..from + part.len()].copy_from_slice(part);
            filling.bytes = filling.bytes.max(from + part.len());
        }
    }

    /// Stores what the window buffer holds. It stays there when there is no space for it.
    pub(super) fn store_filling(&mut self) -> Result<Fit, Code> {
        self.store_filling_for(Purpose::Growth)
    }

    /// See [`store_filling`](Self::store_filling).
    #[expect(clippy::indexing_slicing, reason = "what is filled lies in the window")]
    pub(super) fn store_filling_for(&mut self, purpose: Purpose) -> Result<Fit, Code> {
        let Some(filling) = self.filling else { return Ok(Fit::DONE) };
        // It may have been let go since, and be gone.
        let inode = self.stored_inode(filling.object)?;
        let to = Destination::new(filling.object, &inode, filling.start).with(purpose);
        let stored =
            self.with_window(|objects, window| objects.replace_extents(to, &window[..filling.bytes]))?;
        self.keep_if_whole(filling.object, filling.start, stored, filling.bytes)
    }

    /// Whether all bytes of the window buffer, or of what takes their place, were stored: then it is empty
    /// now. What was stored of them is freed if not.
    fn keep_if_whole(
        &mut self,
        object: ObjectId,
        start: u64,
        stored: Fit<usize>,
        bytes: usize,
    ) -> Result<Fit, Code> {
        let is_whole = stored.is_whole(bytes);
        if is_whole {
            self.set_filling(None);
        } else if let Fit::Done(part) = stored {
            self.free_extents(object, start, start + part as u64)?;
        }
        Ok(Fit::done_if(is_whole))
    }

    /// The bytes from `start` on, `extent` at most, up to the last one that is stored there.
    fn stored_bytes(&mut self, object: ObjectId, start: u64, extent: u64) -> Result<u64, Code> {
        let (first, end) = (Key::extent(object, start), Key::extent(object, start + extent));
        let Some((key, _)) = self.store.tree.last_before(&first, &end, &mut [])? else { return Ok(0) };
        let found = self.extent_at(object, key.offset() & !(EXTENT_KEYS - 1))?;
        Ok(found.end().saturating_sub(start).min(extent))
    }

    /// Stores an extent that is longer than a window, or begins before it, as several of a window's size. The
    /// window begins where this destination does, and is `extent` bytes long.
    ///
    /// From the back to the front. Bytes that are still to be read stay in place until their turn, because
    /// the record of the old extent stands under its first byte.
    #[inline(never)] // Once, and not in each of its callers.
    #[expect(
        clippy::indexing_slicing,
        clippy::cast_possible_truncation,
        reason = "a part is cut to `extent`, which the window holds"
    )]
    pub(super) fn cut_to_windows(&mut self, to: Destination<'_>, extent: u64) -> Result<Fit, Code> {
        let At::Extent(found) = self.find(to.object, to.start)? else { return Ok(Fit::DONE) };
        if found.start == to.start && found.end() <= to.start + extent {
            return Ok(Fit::DONE);
        }
        debug_assert!(self.filling.is_none(), "the buffer is needed here");
        let windows = units(u64::from(found.extent.logical), extent);
        for n in (0..windows).rev() {
            let from = found.start + n * extent;
            let bytes = (found.end() - from).min(extent) as usize;
            let stored = self.with_window(|objects, window| {
                objects.read_stored(to.object, from, &mut window[..bytes])?;
                objects.replace_extents(to.at(from).with(Purpose::Growth), &window[..bytes])
            })?;
            if !stored.is_whole(bytes) {
                // The old extent still covers all of them.
                self.free_extents(to.object, found.start + 1, found.end())?;
                return Ok(Fit::NoSpace);
            }
        }
        Ok(Fit::DONE)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::format::checksum::crc32c;
    use crate::object::{Attributes, MakeRequest};
    use crate::types::Scheme;
    use crate::{CacheEntry, DiskState, FormatOptions, Memory, MountOptions, Pool, Services};
    use dynamicfs_hal::{Clock, Entropy, EntropyError, RamDisk, SerialArray, UnixTime};
    use std::{vec, vec::Vec};

    struct Nothing;

    impl Clock for Nothing {
        fn now(&self) -> UnixTime {
            UnixTime::default()
        }
        fn monotonic_micros(&self) -> u64 {
            0
        }
    }

    impl Entropy for Nothing {
        fn fill(&mut self, buf: &mut [u8]) -> Result<(), EntropyError> {
            buf.fill(7);
            Ok(())
        }
    }

    /// An extent that is longer than a window, with another one right behind it, was cut at multiples of the
    /// bytes up to that one. Where those were no power of two, what was stored there next overlapped what was
    /// cut.
    #[test]
    fn what_is_cut_out_of_a_long_extent_stays_apart() {
        const BLOCK: u64 = 4096;
        let mut array = SerialArray::<_, 1>::new([RamDisk::new(vec![0; 2 << 20], 512)]);
        let (mut bytes, mut entries, mut disks) =
            (vec![0; 4 << 20], vec![CacheEntry::NEW; 512], [DiskState::NEW]);
        let services = Services::new(crc32c, &Nothing);
        let options = FormatOptions::portable(Scheme::SINGLE).extent_bytes(65_536);
        let much = Memory { bytes: &mut bytes, entries: &mut entries, disks: &mut disks };
        let mut pool =
            Pool::format(&mut array, much, services, &mut Nothing, &options, &[]).expect("formatted");
        let mut transaction = pool.begin().expect("begun");
        let file = transaction
            .create(ObjectId::ROOT, b"file", &MakeRequest::File, &Attributes::default())
            .expect("made");
        let contents: Vec<u8> = (0..11 * BLOCK).map(|i| (i / 100) as u8).collect();
        transaction.write_all(file, 0, &contents).expect("written");
        transaction.commit().expect("committed");
        drop(pool);
        let little = Memory { bytes: &mut bytes[..200 << 10], entries: &mut entries, disks: &mut disks };
        let mut pool = Pool::mount(&mut array, little, services, &MountOptions::default()).expect("mounted");
        let mut transaction = pool.begin().expect("begun");
        let objects = transaction.internals_mut();
        let inode = objects.inode(file).expect("there");
        let window = objects.extent_bytes(&inode);
        assert_eq!(window, 4 * BLOCK, "the long extent does not fit a window");
        let behind = [9; BLOCK as usize];
        let stored = objects.replace_extents(Destination::new(file, &inode, 11 * BLOCK), &behind);
        assert_eq!(stored, Ok(Fit::Done(behind.len())));
        for (offset, piece) in [(4, (4, 4)), (8, (8, 2)), (9, (9, 1)), (10, (10, 1)), (11, (11, 1))] {
            let found = objects.piece_at(file, &inode, offset * BLOCK + 100).expect("read");
            assert_eq!((found.0 / BLOCK, found.1 / BLOCK), piece, "block {offset}");
        }
        let (start, length) = objects.piece_at(file, &inode, 8 * BLOCK).expect("read");
        assert_eq!(objects.cut_to_windows(Destination::new(file, &inode, start), length), Ok(Fit::DONE));
        let mut end = 0;
        while let Some(start) = objects.extent_between(file, end, u64::MAX).expect("read") {
            let found = objects.extent_at(file, start).expect("read");
            assert!(start.is_multiple_of(u64::from(found.extent.logical).next_power_of_two()), "{found:?}");
            assert!(objects.next_extent(file, start).expect("read").is_none_or(|next| next >= found.end()));
            end = found.end();
        }
        assert_eq!(end, 12 * BLOCK);
        let mut read = vec![0; contents.len()];
        assert_eq!(objects.read(file, 0, &mut read), Ok(contents.len()));
        assert_eq!(read, contents);
    }
}
