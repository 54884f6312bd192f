//! Cutting and growing contents.

use super::extents::{At, EXTENT_KEYS};
use super::fit::{Destination, Fit};
use super::{Filling, Objects};
use crate::error::Code;
use crate::format::inode::Inode;
use crate::format::key::{Key, Kind};
use crate::limits::OBJECT_BYTES_MAX;
use crate::powers::{at_most, floor};
use crate::transaction::Purpose;
use crate::types::ObjectId;
use dynamicfs_hal::DiskArray;

impl<A: DiskArray> Objects<'_, A> {
    /// Sets the size of a file's contents; what it grows by reads as zeros.
    ///
    /// # Errors
    /// These leave the transaction as it was: what is not a file, [`TooLarge`](Code::TooLarge), and
    /// [`NoSpace`](Code::NoSpace). After one of a disk or the tree
    /// [`is_poisoned`](crate::transaction::Store::is_poisoned) tells.
    pub fn truncate(&mut self, object: ObjectId, size: u64) -> Result<(), Code> {
        if size > OBJECT_BYTES_MAX {
            return Err(Code::TooLarge);
        }
        let mut inode = self.file_inode(object)?;
        let shrinks = size < inode.size;
        // Where no extent reaches over its end, nothing is stored again: that needs no more space than deleting.
        let only_frees = shrinks && !inode.inline && !self.reaches_over(object, size)?;
        if !only_frees {
            self.finish_orphan(object)?;
        }
        let purpose = if shrinks { Purpose::Release } else { Purpose::Growth };
        let updates = 8 + if only_frees { 0 } else { self.window_updates(&inode) };
        let done = self.operate(updates, purpose, |objects| {
            let done = match inode.inline {
                true if size <= objects.inline_max() => objects.cut_inline(object, &inode, size)?,
                true => objects.move_out(object, &mut inode)?,
                false if only_frees => objects.cut_between_extents(object, size)?,
                false if shrinks => objects.cut_extents(object, &inode, size)?,
                false => Fit::DONE,
            };
            if done.is_done() {
                objects.resize(object, &mut inode, size)?;
            }
            Ok(done)
        })?;
        done.or_no_space()
    }

    /// Shortens the record, so that what is cut off reads as zeros if the object grows again.
    #[expect(
        clippy::indexing_slicing,
        clippy::cast_possible_truncation,
        reason = "the size is no more than stays inline, which the buffer holds"
    )]
    fn cut_inline(&mut self, object: ObjectId, inode: &Inode, size: u64) -> Result<Fit, Code> {
        if size >= inode.size {
            return Ok(Fit::DONE);
        }
        let piece = core::mem::take(&mut self.store.piece);
        let cut = self
            .read_inline(object, 0, &mut piece[..size as usize])
            .and_then(|()| self.store.put(&Key::new(object, Kind::Inline, 0), &piece[..size as usize]));
        self.store.piece = piece;
        cut.map(|()| Fit::DONE)
    }

    /// Whether an extent, stored or in the window buffer, begins before this byte and holds it.
    fn reaches_over(&mut self, object: ObjectId, at: u64) -> Result<bool, Code> {
        let is_pending = self.filling.is_some_and(|filling| {
            filling.object == object && filling.start < at && filling.start + filling.bytes as u64 > at
        });
        Ok(is_pending || at > 0 && matches!(self.find(object, at)?, At::Extent(found) if found.start < at))
    }

    /// Frees what lies beyond `size`, where no extent reaches over that.
    fn cut_between_extents(&mut self, object: ObjectId, size: u64) -> Result<Fit, Code> {
        if self.filling.is_some_and(|filling| filling.object == object && filling.start >= size) {
            self.set_filling(None);
        }
        self.cut_off(object, size.next_multiple_of(EXTENT_KEYS))?;
        Ok(Fit::DONE)
    }

    /// Frees what lies beyond `size`. What of it must be rewritten needs space.
    fn cut_extents(&mut self, object: ObjectId, inode: &Inode, size: u64) -> Result<Fit, Code> {
        let (extent, to) = (self.extent_bytes(inode), Destination::new(object, inode, 0));
        let start = floor(size, extent);
        let kept = match size == start {
            // An extent longer than a window begins before what is cut off and reaches into it.
            true => match self.store_filling()? {
                Fit::Done(()) => self.cut_to_windows(to.at(start), extent)?,
                Fit::NoSpace => Fit::NoSpace,
            },
            false => match self.cut_window(to.at(start), extent, size)? {
                Fit::NoSpace => {
                    let (start, length) = self.piece_at(object, inode, size - 1)?;
                    self.cut_window(to.at(start), length, size)?
                }
                done => done,
            },
        };
        if !kept.is_done() {
            return Ok(kept);
        }
        // Behind the last byte that is kept nothing begins but what is cut off.
        let beyond = size.next_multiple_of(EXTENT_KEYS);
        self.cut_off(object, beyond)?;
        Ok(Fit::DONE)
    }

    /// Loads a window of this length, or an extent in it, and stores it again without the bytes beyond
    /// `size`.
    fn cut_window(&mut self, to: Destination<'_>, length: u64, size: u64) -> Result<Fit, Code> {
        let (object, start) = (to.object, to.start);
        let may_stay = self.is_filling(object, start) && !self.is_tight(to.inode);
        if !may_stay && !self.store_filling()?.is_done() {
            return Ok(Fit::NoSpace);
        }
        let is_pending = self.is_filling(object, start);
        if !is_pending && !self.begin_window(to, length, 0)?.is_done() {
            return Ok(Fit::NoSpace);
        }
        let bytes = self.filling.map_or(0, |filling| at_most(size - start, filling.bytes));
        self.set_filling((bytes > 0).then_some(Filling { object, start, bytes }));
        let stored = self.store_filling_for(Purpose::Release)?;
        if !stored.is_done() {
            self.set_filling(None);
        }
        // What earlier writes left there could be stored, or they would not have left it.
        if is_pending { stored.or_no_space().map(|()| Fit::DONE) } else { Ok(stored) }
    }
}
