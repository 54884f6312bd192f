//! Writing: small writes gather in the window buffer until it is a whole extent or another place is touched.
//! Whole extents go straight from the caller's buffer.
//!
//! An extent is always stored whole, in new space. So a partial overwrite reads what the extent holds into the window
//! first, and what was written earlier stays as it was until the commit.

use super::fit::{Destination, Fit};
use super::{Filling, Objects};
use crate::build::PINS;
use crate::error::Code;
use crate::format::extent::Extent;
use crate::format::inode::Inode;
use crate::format::key::{Key, Kind};
use crate::limits::OBJECT_BYTES_MAX;
use crate::powers::over;
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
    #[expect(clippy::indexing_slicing, reason = "no more is written than there is")]
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
    #[expect(clippy::indexing_slicing, reason = "no more is written than there is")]
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
    #[expect(
        clippy::indexing_slicing,
        clippy::cast_possible_truncation,
        reason = "a whole window is no longer than the data; an extent is at most 4 MiB"
    )]
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
                let wrote = objects.write_piece(Destination::new(object, &inode, at), data)?;
                objects.grow(object, &mut inode, at, wrote)
            })?;
        wrote.or_no_space()
    }

    /// Writes window after window, as far as there is space.
    #[expect(clippy::indexing_slicing, reason = "no more is written than there is")]
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
                Ok(Fit::Done(wrote)) => done += wrote,
                Ok(Fit::NoSpace) => break,
                Err(Code::NoSpace) if !self.store.is_poisoned() => break,
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    /// Writes what goes into one window. Returns how many bytes.
    #[expect(clippy::cast_possible_truncation, reason = "inline contents are no longer than a piece")]
    fn write_some(
        &mut self,
        object: ObjectId,
        inode: &mut Inode,
        offset: u64,
        data: &[u8],
    ) -> Result<Fit<usize>, Code> {
        self.operate(WINDOW_UPDATES + self.window_updates(inode), Purpose::Growth, |objects| {
            let end = offset + data.len() as u64;
            let wrote = match inode.inline {
                true if end.max(inode.size) <= objects.inline_max() => {
                    objects.write_inline(object, offset, data, end.max(inode.size) as usize)?;
                    Fit::Done(data.len())
                }
                true => objects.write_moved_out(object, inode, offset, data)?,
                false => objects.write_window(Destination::new(object, inode, offset), data)?,
            };
            objects.grow(object, inode, offset, wrote)
        })
    }

    /// Sets the size of an object after a write.
    fn grow(
        &mut self,
        object: ObjectId,
        inode: &mut Inode,
        offset: u64,
        wrote: Fit<usize>,
    ) -> Result<Fit<usize>, Code> {
        if let Fit::Done(wrote) = wrote {
            let size = inode.size.max(offset + wrote as u64);
            self.resize(object, inode, size)?;
        }
        Ok(wrote)
    }

    /// Tree updates that the extents of one window take.
    #[inline(never)] // Once, and not in each of its callers.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "an extent is at most 4 MiB, and its record has fewer pieces"
    )]
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
    #[expect(
        clippy::indexing_slicing,
        clippy::cast_possible_truncation,
        reason = "all of it is no longer than a piece, which the buffer holds"
    )]
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
    // Not part of its caller, whose stack would hold it in every write.
    #[inline(never)]
    fn write_moved_out(
        &mut self,
        object: ObjectId,
        inode: &mut Inode,
        offset: u64,
        data: &[u8],
    ) -> Result<Fit<usize>, Code> {
        if !self.load_inline(object, inode)?.is_done() {
            return Ok(Fit::NoSpace);
        }
        let wrote = self.write_window(Destination::new(object, inode, offset), data)?;
        if wrote.is_done() {
            self.drop_inline(object, inode)?;
        } else {
            self.set_filling(None);
            self.free_extents(object, 0, u64::MAX)?;
        }
        Ok(wrote)
    }

    /// Moves inline contents into the window buffer, to be stored as an extent.
    pub(super) fn move_out(&mut self, object: ObjectId, inode: &mut Inode) -> Result<Fit, Code> {
        if !self.load_inline(object, inode)?.is_done() {
            return Ok(Fit::NoSpace);
        }
        if self.is_tight(inode) && !self.store_filling()?.is_done() {
            self.set_filling(None);
            return Ok(Fit::NoSpace);
        }
        self.drop_inline(object, inode)?;
        Ok(Fit::DONE)
    }

    /// Copies inline contents into the window buffer: no space where what is in there cannot be stored.
    fn load_inline(&mut self, object: ObjectId, inode: &Inode) -> Result<Fit, Code> {
        if !self.store_filling()?.is_done() {
            return Ok(Fit::NoSpace);
        }
        if inode.size == 0 {
            return Ok(Fit::DONE);
        }
        let bytes = usize::try_from(inode.size).unwrap_or(usize::MAX);
        self.with_window(|objects, window| match window.get_mut(..bytes) {
            Some(part) => objects.read_inline(object, 0, part),
            // No contents of this length were ever inline.
            None => Err(objects.store.tree.disks.about.invalid(object)),
        })?;
        self.set_filling(Some(Filling { object, start: 0, bytes }));
        Ok(Fit::DONE)
    }

    /// Removes the records of contents that are inline no more.
    fn drop_inline(&mut self, object: ObjectId, inode: &mut Inode) -> Result<(), Code> {
        let (from, end) = (Key::new(object, Kind::Inline, 0), Key::new(object, Kind::Inline, u64::MAX));
        self.store.remove_range(&from, &end, usize::MAX)?;
        inode.inline = false;
        self.put_inode(object, inode)
    }
}
