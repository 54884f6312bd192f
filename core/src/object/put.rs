//! Writing: small writes gather in the window buffer until it is a whole extent or something else is touched; whole
//! extents go straight from the caller's buffer.
//!
//! An extent is always stored whole, in new space. So a partial overwrite reads what the extent holds into the window
//! first, and what was written earlier stays as it was until the commit.

use super::extents::{At, Found};
use super::inode::no_contents;
use super::{Filling, Objects};
use crate::error::{Error, StorageError};
use crate::format::inode::{Inode, ObjectKind};
use crate::format::key::{Key, Kind};
use crate::limits::OBJECT_BYTES_MAX;
use crate::redundancy;
use crate::transaction::Purpose;
use crate::types::ObjectId;
use dynamicfs_hal::DiskArray;

/// Tree updates that storing one extent takes, beside those of its checksums: the record, the inode, what it frees.
const EXTENT_UPDATES: u32 = 6;

impl<A: DiskArray> Objects<'_, A> {
    /// Writes an object's contents from `offset` on, growing it as needed; what is left out reads as zeros.
    pub fn write(&mut self, object: ObjectId, offset: u64, data: &[u8]) -> Result<(), Error> {
        self.store.check()?;
        let inode = self.inode(object)?;
        if !matches!(inode.kind, ObjectKind::File | ObjectKind::Symlink) {
            return Err(no_contents(&inode));
        }
        let end = offset
            .checked_add(data.len() as u64)
            .filter(|&end| end <= OBJECT_BYTES_MAX)
            .ok_or(Error::TooLarge)?;
        if data.is_empty() {
            return Ok(());
        }
        self.reserve_for(&inode, data.len() as u64)?;
        self.change(|objects| {
            objects.finish_orphan(object)?;
            let mut inode = inode;
            let grown = end.max(inode.size);
            if inode.inline && grown <= objects.inline_max() {
                objects.write_inline(object, offset, data, grown as usize)?;
            } else {
                if inode.inline {
                    objects.move_out(object, &mut inode)?;
                }
                objects.write_extents(object, &inode, offset, data)?;
            }
            let content = objects.store.tree.space.superblock.content_bytes();
            objects.store.tree.space.superblock.set_content_bytes(content.saturating_add(grown - inode.size));
            inode.size = grown;
            let now = objects.store.tree.disks.now();
            (inode.modified, inode.changed) = (now, now);
            objects.put_inode(object, &inode)
        })
    }

    /// Makes sure that there is space, before anything is changed.
    fn reserve_for(&mut self, inode: &Inode, bytes: u64) -> Result<(), Error> {
        let extent = self.extent_bytes(inode);
        let extents = bytes / extent + 2;
        self.begin_change(EXTENT_UPDATES + extents.min(1 << 16) as u32, Purpose::Growth)?;
        let blocks = |objects: &Self| {
            let members = objects.store.tree.data_rows().len();
            let shift = objects.block_shift();
            let whole = |bytes: u64| {
                let scheme = redundancy::effective(inode.scheme, bytes as u32, shift, members)?;
                Some(
                    (redundancy::fragment_bytes(scheme, bytes as u32, shift) >> shift) as u64
                        * scheme.width() as u64,
                )
            };
            Some(
                bytes / extent * whole(extent)?
                    + if !bytes.is_multiple_of(extent) { whole(bytes % extent)? } else { 0 },
            )
        };
        let needed = blocks(self).ok_or(StorageError::TooFewDisks { online: self.store.tree.data_rows() })?;
        let free = |objects: &Self| {
            let tree = &objects.store.tree;
            let spare = |row| tree.space.superblock.row(row).free().saturating_sub(tree.space.reserve);
            tree.data_rows().iter().map(spare).sum::<u64>()
        };
        if free(self) < needed && !(self.store.sweep_all()? && free(self) >= needed) {
            return Err(StorageError::NoSpace.into());
        }
        Ok(())
    }

    // --- inline contents --------------------------------------------------------------------------------------

    /// Writes contents that stay in the tree: `grown` bytes in all, one piece.
    fn write_inline(
        &mut self,
        object: ObjectId,
        offset: u64,
        data: &[u8],
        grown: usize,
    ) -> Result<(), Error> {
        let piece = core::mem::take(&mut self.store.piece);
        let done = self.read_inline(object, 0, &mut piece[..grown]).and_then(|()| {
            piece[offset as usize..][..data.len()].copy_from_slice(data);
            Ok(self.store.put(&Key::new(object, Kind::Inline, 0), &piece[..grown])?)
        });
        self.store.piece = piece;
        done
    }

    /// Writes a symbolic link's target, in as many pieces as it takes.
    pub(super) fn write_target(&mut self, object: ObjectId, target: &[u8]) -> Result<(), Error> {
        for (n, piece) in target.chunks(self.piece_bytes()).enumerate() {
            self.store.put(&Key::new(object, Kind::Inline, n as u64), piece)?;
        }
        Ok(())
    }

    /// Moves inline contents into the window, to be stored as an extent.
    pub(super) fn move_out(&mut self, object: ObjectId, inode: &mut Inode) -> Result<(), Error> {
        self.store_filling()?;
        inode.inline = false;
        self.put_inode(object, inode)?;
        if inode.size == 0 {
            return Ok(());
        }
        let bytes = usize::try_from(inode.size).unwrap_or(usize::MAX);
        let window = core::mem::take(&mut self.store.window);
        let read = match window.get_mut(..bytes) {
            Some(part) => self.read_inline(object, 0, part),
            // No contents of this length were ever inline.
            None => Err(StorageError::RecordInvalid { object }.into()),
        };
        self.store.window = window;
        read?;
        self.store.remove_range(
            &Key::new(object, Kind::Inline, 0),
            &Key::new(object, Kind::Inline, u64::MAX),
            usize::MAX,
            |_, _| {},
        )?;
        self.filling = Some(Filling { object, start: 0, bytes });
        Ok(())
    }

    // --- extents ----------------------------------------------------------------------------------------------

    fn write_extents(
        &mut self,
        object: ObjectId,
        inode: &Inode,
        offset: u64,
        data: &[u8],
    ) -> Result<(), Error> {
        let extent = self.extent_bytes(inode);
        let mut done = 0;
        while done < data.len() {
            let at = offset + done as u64;
            let start = at - at % extent;
            let bytes = (start + extent - at).min((data.len() - done) as u64) as usize;
            let part = &data[done..done + bytes];
            let filled_here = self.filling.is_some_and(|f| f.object == object && f.start == start);
            if bytes as u64 == extent {
                if filled_here {
                    self.filling = None;
                }
                self.replace_window(object, inode, start, part)?;
            } else {
                if !filled_here {
                    self.begin_window(object, inode, start, at - start)?;
                }
                self.fill(start, (at - start) as usize, part);
            }
            done += bytes;
        }
        Ok(())
    }

    /// Loads what is stored of a window into the buffer, so that a part of it can be overwritten from byte `from` on.
    pub(super) fn begin_window(
        &mut self,
        object: ObjectId,
        inode: &Inode,
        start: u64,
        from: u64,
    ) -> Result<(), Error> {
        self.store_filling()?;
        let extent = self.extent_bytes(inode);
        self.cut_to_windows(object, inode, start, extent)?;
        let stored = self.stored_bytes(object, start, extent)?;
        let bytes = stored.max(from) as usize;
        let window = core::mem::take(&mut self.store.window);
        window[stored as usize..bytes].fill(0);
        let read = self.read_stored(object, start, &mut window[..stored as usize]);
        self.store.window = window;
        read?;
        self.filling = Some(Filling { object, start, bytes });
        Ok(())
    }

    /// Puts bytes into the window buffer.
    fn fill(&mut self, start: u64, from: usize, part: &[u8]) {
        if let Some(filling) = self.filling.as_mut().filter(|f| f.start == start) {
            if from > filling.bytes {
                self.store.window[filling.bytes..from].fill(0);
            }
            self.store.window[from..from + part.len()].copy_from_slice(part);
            filling.bytes = filling.bytes.max(from + part.len());
        }
    }

    /// Stores what the window buffer holds.
    pub(super) fn store_filling(&mut self) -> Result<(), Error> {
        let Some(filling) = self.filling.take() else { return Ok(()) };
        let inode = self.inode(filling.object)?;
        let window = core::mem::take(&mut self.store.window);
        let data = &window[..filling.bytes];
        // The window's length decides how large extents are; it is the same while the buffer is in use.
        let done = self.replace_extents(filling.object, &inode, filling.start, data);
        self.store.window = window;
        done
    }

    /// Stores a whole window straight from the caller's bytes.
    fn replace_window(
        &mut self,
        object: ObjectId,
        inode: &Inode,
        start: u64,
        data: &[u8],
    ) -> Result<(), Error> {
        if self.filling.is_some_and(|f| f.object == object) {
            self.store_filling()?;
        }
        self.cut_to_windows(object, inode, start, data.len() as u64)?;
        self.replace_extents(object, inode, start, data)
    }

    fn replace_extents(
        &mut self,
        object: ObjectId,
        inode: &Inode,
        start: u64,
        data: &[u8],
    ) -> Result<(), Error> {
        self.free_extents(object, start, start + data.len() as u64, usize::MAX)?;
        self.store_bytes(object, inode, start, data)
    }

    /// The bytes from `start` on, `extent` at most, up to the last one that is stored there.
    fn stored_bytes(&mut self, object: ObjectId, start: u64, extent: u64) -> Result<u64, Error> {
        let (first, end) = (Key::extent(object, start), Key::extent(object, start + extent));
        let Some((key, _)) = self.store.tree.last_before(&first, &end, &mut [])? else { return Ok(0) };
        let found = self.extent_at(object, key.offset() & !(super::extents::EXTENT_KEYS - 1))?;
        Ok(found.end().saturating_sub(start).min(extent))
    }

    /// Stores an extent that is longer than a window, or begins before it, as several of a window's size.
    ///
    /// From the back to the front: what is still to be read stays in place until its turn comes, because the record of
    /// the old extent stands under its first byte.
    pub(super) fn cut_to_windows(
        &mut self,
        object: ObjectId,
        inode: &Inode,
        start: u64,
        extent: u64,
    ) -> Result<(), Error> {
        let At::Extent(found) = self.find(object, start)? else { return Ok(()) };
        if found.start == start && found.end() <= start + extent {
            return Ok(());
        }
        self.store_filling()?;
        let Found { start: old, extent: record } = &found;
        let windows = u64::from(record.logical).div_ceil(extent);
        for n in (0..windows).rev() {
            let from = old + n * extent;
            let bytes = (found.end() - from).min(extent) as usize;
            let window = core::mem::take(&mut self.store.window);
            let done = self.read_stored(object, from, &mut window[..bytes]).and_then(|()| {
                if n == 0 {
                    self.free_extent(object, &found)?;
                }
                self.store_bytes(object, inode, from, &window[..bytes])
            });
            self.store.window = window;
            done?;
        }
        Ok(())
    }
}
