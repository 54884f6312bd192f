//! Writing: small writes gather in the window buffer until it is a whole extent or another place is touched.
//! Whole extents go straight from the caller's buffer.
//!
//! An extent is always stored whole, in new space. So a partial overwrite reads what the extent holds into the window
//! first, and what was written earlier stays as it was until the commit.

use super::extents::{At, EXTENT_KEYS};
use super::{Filling, Objects};
use crate::build::{PINS, TIGHT};
use crate::error::Code;
use crate::format::extent::Extent;
use crate::format::inode::Inode;
use crate::format::key::{Key, Kind};
use crate::limits::OBJECT_BYTES_MAX;
use crate::powers::{floor, over, units};
use crate::redundancy;
use crate::transaction::Purpose;
use crate::types::ObjectId;
use dynamicfs_hal::DiskArray;

/// Tree updates that storing one window takes, beside those of its extents and their checksums: the inode, what it
/// frees, records of groups.
pub(super) const WINDOW_UPDATES: u32 = 6;

impl<A: DiskArray> Objects<'_, A> {
    /// Writes all of a file's contents from `offset` on, or fails: see [`write`](Self::write). When space ends on the
    /// way, what was written until then is part of the transaction, which stays usable. After any other error on the way
    /// it can only be dropped.
    pub fn write_all(&mut self, object: ObjectId, offset: u64, data: &[u8]) -> Result<(), Code> {
        let mut done = 0;
        loop {
            match self.write(object, offset.saturating_add(done as u64), &data[done..]) {
                Ok(wrote) => done += wrote,
                Err(error) => {
                    if done > 0 && error != Code::NoSpace {
                        self.store.poison();
                    }
                    return Err(error);
                }
            }
            if done == data.len() {
                return Ok(());
            }
        }
    }

    /// Writes a file's contents from `offset` on, growing it as needed; what is left out reads as zeros. How many bytes:
    /// all of `data`, or fewer when space ends.
    ///
    /// # Errors
    /// These leave the transaction as it was: what is not a file, [`TooLarge`](Code::TooLarge), and
    /// [`NoSpace`](Code::NoSpace) where there is space for nothing. What was written before can still be
    /// committed. After one of a disk or the tree [`is_poisoned`](crate::transaction::Store::is_poisoned) tells.
    pub fn write(&mut self, object: ObjectId, offset: u64, data: &[u8]) -> Result<usize, Code> {
        let mut inode = self.begin_write(object, offset, data.len())?;
        let done = self.change(|objects| objects.write_windows(object, &mut inode, offset, data))?;
        if done == 0 && !data.is_empty() { Err(Code::NoSpace) } else { Ok(done) }
    }

    /// Writes as [`write_all`](Self::write_all) does, and stores no zeros for bytes that were not written.
    /// The bytes before `offset`, and between two calls, stay holes to the unit of 4 KiB. For files with
    /// holes, written from the front to the back; contents that are dense are stored in longer extents by
    /// [`write_all`](Self::write_all).
    ///
    /// # Errors
    /// Those of [`write_all`](Self::write_all).
    pub fn write_apart(&mut self, object: ObjectId, offset: u64, data: &[u8]) -> Result<(), Code> {
        let inode = self.begin_write(object, offset, data.len())?;
        let end = offset + data.len() as u64;
        let moves_out = inode.inline && end > self.inline_max();
        if moves_out {
            // Everything behind what was inline is a hole.
            self.truncate(object, inode.size.max(end))?;
        }
        let mut done = 0;
        while done < data.len() {
            let at = offset + done as u64;
            match self.write_part(object, at, &data[done..]) {
                Ok(wrote) => done += wrote,
                Err(error) => {
                    if (done > 0 || moves_out) && error != Code::NoSpace {
                        self.store.poison();
                    }
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Makes sure that so many bytes may be written to an object: its attributes.
    fn begin_write(&mut self, object: ObjectId, offset: u64, bytes: usize) -> Result<Inode, Code> {
        let inode = self.file_inode(object)?;
        offset.checked_add(bytes as u64).filter(|&end| end <= OBJECT_BYTES_MAX).ok_or(Code::TooLarge)?;
        self.finish_orphan(object)?;
        Ok(inode)
    }

    /// Writes the first part of `data`: a whole window, or an extent of its own.
    fn write_part(&mut self, object: ObjectId, at: u64, data: &[u8]) -> Result<usize, Code> {
        let mut inode = self.begin_write(object, at, data.len())?;
        let window = self.extent_bytes(&inode);
        let is_whole = over(at, window) == 0 && data.len() as u64 >= window;
        if inode.inline || is_whole {
            let bytes = if inode.inline { data.len() } else { window as usize };
            return self.write(object, at, &data[..bytes]);
        }
        let wrote =
            self.operate(WINDOW_UPDATES + self.window_updates(&inode), Purpose::Growth, |objects| {
                let wrote = objects.write_piece(object, &inode, at, data)?;
                if wrote > 0 {
                    let size = inode.size.max(at + wrote as u64);
                    objects.resize(object, &mut inode, size)?;
                }
                Ok(wrote)
            })?;
        if wrote == 0 { Err(Code::NoSpace) } else { Ok(wrote) }
    }

    /// Writes window after window, as far as there is space.
    fn write_windows(
        &mut self,
        object: ObjectId,
        inode: &mut Inode,
        offset: u64,
        data: &[u8],
    ) -> Result<usize, Code> {
        let mut done = 0;
        while done < data.len() {
            match self.write_some(object, inode, offset + done as u64, &data[done..]) {
                Ok(0) => break,
                Err(Code::NoSpace) if !self.store.is_poisoned() => break,
                wrote => done += wrote?,
            }
        }
        Ok(done)
    }

    /// Writes what goes into one window; 0, and nothing changed, when there is no space for it.
    fn write_some(
        &mut self,
        object: ObjectId,
        inode: &mut Inode,
        offset: u64,
        data: &[u8],
    ) -> Result<usize, Code> {
        self.operate(WINDOW_UPDATES + self.window_updates(inode), Purpose::Growth, |objects| {
            let end = offset + data.len() as u64;
            let wrote = match inode.inline {
                true if end.max(inode.size) <= objects.inline_max() => {
                    objects.write_inline(object, offset, data, end.max(inode.size) as usize)?;
                    data.len()
                }
                true => objects.write_moved_out(object, inode, offset, data)?,
                false => objects.write_window(object, inode, offset, data)?,
            };
            if wrote > 0 {
                let size = inode.size.max(offset + wrote as u64);
                objects.resize(object, inode, size)?;
            }
            Ok(wrote)
        })
    }

    /// Tree updates that the extents of one window take.
    #[inline(never)]
    pub(super) fn window_updates(&self, inode: &Inode) -> u32 {
        let (bytes, shift) = (self.extent_bytes(inode) as u32, self.block_shift());
        let scheme = redundancy::effective(inode.scheme, bytes, shift, self.store.tree.data_rows().len());
        let extent =
            Extent::new(scheme.unwrap_or(inode.scheme), inode.scheme, bytes, self.store.tree.generation);
        (extent.record_bytes(shift, self.chunk_shift()) / self.piece_bytes()) as u32 + 1
    }

    /// Sets an object's size and time of change.
    pub(super) fn resize(&mut self, object: ObjectId, inode: &mut Inode, size: u64) -> Result<(), Code> {
        // What has no name is not counted.
        if !PINS || inode.links > 0 {
            self.count_content(inode.size, size);
        }
        inode.size = size;
        let now = self.store.tree.disks.now();
        (inode.modified, inode.changed) = (now, now);
        self.put_inode(object, inode)
    }

    /// Counts what an object's contents were and are.
    pub(super) fn count_content(&mut self, old: u64, new: u64) {
        let superblock = self.store.superblock_mut();
        let bytes = superblock.content_bytes();
        superblock.set_content_bytes(bytes.saturating_add(new).saturating_sub(old));
    }

    // --- inline contents --------------------------------------------------------------------------------------

    /// Writes contents that stay in the tree: `grown` bytes in all, one piece.
    fn write_inline(&mut self, object: ObjectId, offset: u64, data: &[u8], grown: usize) -> Result<(), Code> {
        let piece = core::mem::take(&mut self.store.piece);
        let done = self.read_inline(object, 0, &mut piece[..grown]).and_then(|()| {
            piece[offset as usize..][..data.len()].copy_from_slice(data);
            self.store.put(&Key::new(object, Kind::Inline, 0), &piece[..grown])
        });
        self.store.piece = piece;
        done
    }

    /// Writes a symbolic link's target, in as many pieces as it takes.
    pub(super) fn write_target(&mut self, object: ObjectId, target: &[u8]) -> Result<(), Code> {
        for (n, piece) in target.chunks(self.piece_bytes()).enumerate() {
            self.store.put(&Key::new(object, Kind::Inline, n as u64), piece)?;
        }
        Ok(())
    }

    /// Writes to an object whose contents were inline and are too long for that now.
    #[inline(never)]
    fn write_moved_out(
        &mut self,
        object: ObjectId,
        inode: &mut Inode,
        offset: u64,
        data: &[u8],
    ) -> Result<usize, Code> {
        if !self.load_inline(object, inode)? {
            return Ok(0);
        }
        let wrote = self.write_window(object, inode, offset, data)?;
        if wrote > 0 {
            self.drop_inline(object, inode)?;
        } else {
            self.set_filling(None);
            self.free_extents(object, 0, u64::MAX)?;
        }
        Ok(wrote)
    }

    /// Moves inline contents into the window buffer, to be stored as an extent; false, and nothing changed, when there
    /// is no space for that.
    pub(super) fn move_out(&mut self, object: ObjectId, inode: &mut Inode) -> Result<bool, Code> {
        if !self.load_inline(object, inode)? {
            return Ok(false);
        }
        if self.is_tight(inode) && !self.store_filling()? {
            self.set_filling(None);
            return Ok(false);
        }
        self.drop_inline(object, inode)?;
        Ok(true)
    }

    /// Copies inline contents into the window buffer; false when what is in there cannot be stored.
    fn load_inline(&mut self, object: ObjectId, inode: &Inode) -> Result<bool, Code> {
        if !self.store_filling()? {
            return Ok(false);
        }
        if inode.size == 0 {
            return Ok(true);
        }
        let bytes = usize::try_from(inode.size).unwrap_or(usize::MAX);
        self.with_window(|objects, window| match window.get_mut(..bytes) {
            Some(part) => objects.read_inline(object, 0, part),
            // No contents of this length were ever inline.
            None => Err(objects.store.tree.disks.about.invalid(object)),
        })?;
        self.set_filling(Some(Filling { object, start: 0, bytes }));
        Ok(true)
    }

    /// Removes the records of contents that are inline no more.
    fn drop_inline(&mut self, object: ObjectId, inode: &mut Inode) -> Result<(), Code> {
        let (from, end) = (Key::new(object, Kind::Inline, 0), Key::new(object, Kind::Inline, u64::MAX));
        self.store.remove_range(&from, &end, usize::MAX)?;
        inode.inline = false;
        self.put_inode(object, inode)
    }

    // --- windows ----------------------------------------------------------------------------------------------

    /// Writes the part of `data` that lies in the first window it touches. Returns how many bytes; 0, and
    /// nothing changed, when there is no space for it.
    fn write_window(
        &mut self,
        object: ObjectId,
        inode: &Inode,
        offset: u64,
        data: &[u8],
    ) -> Result<usize, Code> {
        let extent = self.extent_bytes(inode);
        let start = floor(offset, extent);
        let bytes = (start + extent - offset).min(data.len() as u64) as usize;
        if bytes as u64 == extent {
            let wrote = self.write_whole_window(
                object,
                inode,
                start,
                &data[..bytes],
                self.is_filling(object, start),
            )?;
            return match wrote {
                0 if TIGHT => self.write_piece(object, inode, offset, data),
                wrote => Ok(wrote),
            };
        }
        // What earlier writes left in the buffer is stored by itself, so that this one can be undone.
        if (!self.is_filling(object, start) || self.is_tight(inode)) && !self.store_filling()? {
            return Ok(0);
        }
        let is_pending = self.is_filling(object, start);
        if !is_pending && !self.begin_window(object, inode, (start, extent), offset - start)? {
            return Ok(0);
        }
        let tight = !is_pending && self.is_tight(inode);
        self.fill((offset - start) as usize, &data[..bytes]);
        if tight && !self.store_filling()? {
            self.set_filling(None);
            return self.write_piece(object, inode, offset, data);
        }
        Ok(bytes)
    }

    /// Writes the part of `data` that lies in the first extent it touches, or in the hole there. It is for
    /// space so short that a window cannot be stored anew. Returns how many bytes; 0, and nothing changed,
    /// when there is no space for that either.
    #[inline(never)]
    fn write_piece(
        &mut self,
        object: ObjectId,
        inode: &Inode,
        offset: u64,
        data: &[u8],
    ) -> Result<usize, Code> {
        if !self.store_filling()? {
            return Ok(0);
        }
        let (start, length) = self.piece_at(object, inode, offset)?;
        let bytes = (start + length - offset).min(data.len() as u64) as usize;
        if !self.begin_window(object, inode, (start, length), offset - start)? {
            return Ok(0);
        }
        self.fill((offset - start) as usize, &data[..bytes]);
        if !self.store_filling()? {
            self.set_filling(None);
            return Ok(0);
        }
        Ok(bytes)
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
        if end <= offset {
            // One that is longer than it can be: the tree was forged.
            return Err(self.store.tree.disks.about.invalid(object));
        }
        // What begins before the piece and reaches into it is cut at multiples of the piece's length: a power of two. One
        // that begins with it and is longer than that is rewritten whole, and nothing is cut.
        let even = 1 << (end - start).ilog2();
        let is_whole = start + even >= kept.max(offset + 1);
        Ok((start, if is_whole { even } else { end - start }))
    }

    /// Stores a whole window straight from the caller's bytes.
    fn write_whole_window(
        &mut self,
        object: ObjectId,
        inode: &Inode,
        start: u64,
        data: &[u8],
        is_in_buffer: bool,
    ) -> Result<usize, Code> {
        let is_ready = is_in_buffer
            || self.store_filling()? && self.cut_to_windows(object, inode, start, data.len() as u64)?;
        if !is_ready {
            return Ok(0);
        }
        let wrote = self.replace_extents(object, inode, start, data, Purpose::Growth)?;
        if is_in_buffer && !self.keep_if_whole(object, start, wrote, data.len())? {
            return Ok(0);
        }
        Ok(wrote)
    }

    /// Loads the stored bytes of a window, or of its beginning, into the buffer, so that a part can be
    /// overwritten from byte `from` on. False, and nothing changed, when there is no space.
    #[inline(never)]
    pub(super) fn begin_window(
        &mut self,
        object: ObjectId,
        inode: &Inode,
        (start, extent): (u64, u64),
        from: u64,
    ) -> Result<bool, Code> {
        if !(self.store_filling()? && self.cut_to_windows(object, inode, start, extent)?) {
            return Ok(false);
        }
        let stored = self.stored_bytes(object, start, extent)?;
        let bytes = stored.max(from) as usize;
        self.with_window(|objects, window| {
            window[stored as usize..bytes].fill(0);
            objects.read_stored(object, start, &mut window[..stored as usize])
        })?;
        self.set_filling(Some(Filling { object, start, bytes }));
        Ok(true)
    }

    /// Whether the window buffer holds what begins at this byte of an object.
    pub(super) fn is_filling(&self, object: ObjectId, start: u64) -> bool {
        self.filling.is_some_and(|filling| filling.object == object && filling.start == start)
    }

    /// Puts bytes into the window buffer.
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

    /// Stores what the window buffer holds; false, and it stays there, when there is no space for it.
    pub(super) fn store_filling(&mut self) -> Result<bool, Code> {
        self.store_filling_for(Purpose::Growth)
    }

    /// See [`store_filling`](Self::store_filling).
    pub(super) fn store_filling_for(&mut self, purpose: Purpose) -> Result<bool, Code> {
        let Some(filling) = self.filling else { return Ok(true) };
        // It may have been let go since, and be gone.
        let inode = self.stored_inode(filling.object)?;
        let stored = self.with_window(|objects, window| {
            let data = &window[..filling.bytes];
            objects.replace_extents(filling.object, &inode, filling.start, data, purpose)
        })?;
        self.keep_if_whole(filling.object, filling.start, stored, filling.bytes)
    }

    /// Whether all bytes of the window buffer, or of what takes their place, were stored: then it is empty now. What was
    /// stored of them is freed if not.
    fn keep_if_whole(
        &mut self,
        object: ObjectId,
        start: u64,
        stored: usize,
        bytes: usize,
    ) -> Result<bool, Code> {
        if stored == bytes {
            self.set_filling(None);
        } else if stored > 0 {
            self.free_extents(object, start, start + stored as u64)?;
        }
        Ok(stored == bytes)
    }

    /// The bytes from `start` on, `extent` at most, up to the last one that is stored there.
    fn stored_bytes(&mut self, object: ObjectId, start: u64, extent: u64) -> Result<u64, Code> {
        let (first, end) = (Key::extent(object, start), Key::extent(object, start + extent));
        let Some((key, _)) = self.store.tree.last_before(&first, &end, &mut [])? else { return Ok(0) };
        let found = self.extent_at(object, key.offset() & !(EXTENT_KEYS - 1))?;
        Ok(found.end().saturating_sub(start).min(extent))
    }

    /// Stores an extent that is longer than a window, or begins before it, as several of a window's size.
    /// False, and nothing changed, when there is no space for that.
    ///
    /// From the back to the front. Bytes that are still to be read stay in place until their turn, because
    /// the record of the old extent stands under its first byte.
    #[inline(never)]
    pub(super) fn cut_to_windows(
        &mut self,
        object: ObjectId,
        inode: &Inode,
        start: u64,
        extent: u64,
    ) -> Result<bool, Code> {
        let At::Extent(found) = self.find(object, start)? else { return Ok(true) };
        if found.start == start && found.end() <= start + extent {
            return Ok(true);
        }
        debug_assert!(self.filling.is_none(), "the buffer is needed here");
        let windows = units(u64::from(found.extent.logical), extent);
        for n in (0..windows).rev() {
            let from = found.start + n * extent;
            let bytes = (found.end() - from).min(extent) as usize;
            let stored = self.with_window(|objects, window| {
                objects.read_stored(object, from, &mut window[..bytes])?;
                objects.replace_extents(object, inode, from, &window[..bytes], Purpose::Growth)
            })?;
            if stored < bytes {
                // The old extent still covers all of them.
                self.free_extents(object, found.start + 1, found.end())?;
                return Ok(false);
            }
        }
        Ok(true)
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

    /// An extent that is longer than a window, with another one right behind it, was cut at multiples of the bytes up to that
    /// one. Where those were no power of two, what was stored there next overlapped what was cut.
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
        let stored = objects.replace_extents(file, &inode, 11 * BLOCK, &behind, Purpose::Growth);
        assert_eq!(stored, Ok(behind.len()));
        for (offset, piece) in [(4, (4, 4)), (8, (8, 2)), (9, (9, 1)), (10, (10, 1)), (11, (11, 1))] {
            let found = objects.piece_at(file, &inode, offset * BLOCK + 100).expect("read");
            assert_eq!((found.0 / BLOCK, found.1 / BLOCK), piece, "block {offset}");
        }
        let (start, length) = objects.piece_at(file, &inode, 8 * BLOCK).expect("read");
        assert_eq!(objects.cut_to_windows(file, &inode, start, length), Ok(true));
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
