//! Short extents that follow each other become a long one.

use super::Objects;
use super::extents::Found;
use super::fit::Destination;
use super::rebuild::{Mended, UPDATES};
use crate::error::Code;
use crate::format::inode::Inode;
use crate::powers::over;
use crate::transaction::Purpose;
use crate::types::ObjectId;
use dynamicfs_hal::DiskArray;

impl<A: DiskArray> Objects<'_, A> {
    /// Bytes of an extent and those that follow it without a hole, if together they fit one extent and the
    /// lent memory. `None` where it would stay alone.
    #[expect(clippy::cast_possible_truncation, reason = "the extents end within one of at most 4 MiB")]
    pub(crate) fn joinable(
        &mut self,
        object: ObjectId,
        inode: &Inode,
        first: &Found,
    ) -> Result<Option<usize>, Code> {
        let most = self.extent_bytes(inode);
        if over(first.start, most) != 0 {
            return Ok(None);
        }
        let (mut end, limit) = (first.end(), first.start + most);
        while end < limit && self.extent_between(object, end, end + 1)?.is_some() {
            match self.extent_at(object, end)?.end() {
                next if next <= limit => end = next,
                _ => break,
            }
        }
        Ok((end > first.end()).then_some((end - first.start) as usize))
    }

    /// Stores these bytes, which are in several extents that follow each other, as one. Part of a transaction; unless it is
    /// done nothing was changed.
    #[expect(
        clippy::indexing_slicing,
        reason = "the extents are those that `joinable` measured: together they fit the window"
    )]
    pub(crate) fn join_extents(
        &mut self,
        object: ObjectId,
        inode: &Inode,
        start: u64,
        bytes: usize,
    ) -> Result<Mended, Code> {
        if !self.try_begin_change(UPDATES, Purpose::Growth)? {
            return Ok(Mended::NoSpace);
        }
        self.with_free_window(|objects, window| {
            let data = &mut window[..bytes];
            let mut at = 0;
            while at < bytes {
                let found = objects.extent_at(object, start + at as u64)?;
                let part = &mut data[at..at + found.extent.logical as usize];
                match objects.read_extent(object, &found, 0, part) {
                    Err(Code::Unreadable) => return Ok(Mended::Lost),
                    read => read?,
                }
                at += part.len();
            }
            objects.change(|objects| {
                let stored = objects.replace_extents(Destination::new(object, inode, start), data)?;
                Ok(if stored.is_whole(bytes) { Mended::Done } else { Mended::NoSpace })
            })
        })
    }
}
