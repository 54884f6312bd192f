//! Finding and freeing extents.

use super::Objects;
use crate::error::Code;
use crate::format::extent::{EXTENT_BYTES_MAX, Extent};
use crate::format::key::Key;
use crate::limits::{EXTENT_BYTES_MIN, OBJECT_BYTES_MAX};
use crate::types::{BlockAddress, BlockRun, FragmentIndex, ObjectId, Set};
use core::ops::ControlFlow;
use dynamicfs_hal::DiskArray;

/// Keys that an extent's record may take: extents begin at multiples of this.
pub(super) const EXTENT_KEYS: u64 = EXTENT_BYTES_MIN;

/// An extent, and the first byte of the object that it holds.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// The first byte.
    pub(crate) start: u64,
    /// The record without its checksums.
    pub(crate) extent: Extent,
}

impl Found {
    /// The first byte after it.
    pub(crate) const fn end(&self) -> u64 {
        self.start + self.extent.logical as u64
    }

    /// Where a fragment is.
    #[expect(
        clippy::indexing_slicing,
        reason = "callers take the fragment from the extent's width, or from a byte that lies in the extent"
    )]
    pub(super) fn address(&self, fragment: FragmentIndex) -> BlockAddress {
        self.extent.fragments()[fragment.0].address
    }

    /// Where all fragments are but these.
    pub(super) fn addresses_but(&self, but: Set<FragmentIndex>) -> impl Iterator<Item = BlockAddress> {
        let rest = Set::first(self.extent.fragments().len()).minus(but);
        rest.iter().map(|fragment| self.address(fragment))
    }
}

/// What is at a byte of an object.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "there is no allocator to box it with")]
pub(super) enum At {
    Extent(Found),
    /// Nothing up to this byte; to the end of the object if there is no later extent.
    Hole(Option<u64>),
}

impl<A: DiskArray> Objects<'_, A> {
    // --- finding ----------------------------------------------------------------------------------------------

    /// Reads part of a record that is laid in pieces under successive keys, from byte `skip` on; the bytes read.
    #[expect(
        clippy::indexing_slicing,
        reason = "`done` is at most the buffer's length; a part is cut to what is left of both"
    )]
    pub(super) fn read_record(
        &mut self,
        object: ObjectId,
        start: u64,
        skip: usize,
        out: &mut [u8],
    ) -> Result<usize, Code> {
        let piece_bytes = self.piece_bytes();
        let mut done = 0;
        while done < out.len() {
            let at = skip + done;
            let key = Key::extent(object, start + (at / piece_bytes) as u64);
            let within = at % piece_bytes;
            let rest = &mut out[done..];
            let copied = self.store.tree.with(&key, |piece| {
                let part = piece.and_then(|piece| piece.get(within..)).unwrap_or(&[]);
                let bytes = part.len().min(rest.len());
                rest[..bytes].copy_from_slice(&part[..bytes]);
                bytes
            })?;
            done += copied;
            if copied == 0 || !(within + copied).is_multiple_of(piece_bytes) {
                break;
            }
        }
        Ok(done)
    }

    /// The extent whose record begins at this key.
    #[expect(clippy::indexing_slicing, reason = "as many bytes as were read into it")]
    pub(crate) fn extent_at(&mut self, object: ObjectId, start: u64) -> Result<Found, Code> {
        let mut head = [0; EXTENT_BYTES_MAX];
        let bytes = self.read_record(object, start, 0, &mut head)?;
        let extent = Extent::decode(&head[..bytes]);
        let extent = extent.filter(|e| start.saturating_add(e.logical.into()) <= OBJECT_BYTES_MAX);
        let Some(extent) = extent else {
            let about = &mut self.store.tree.disks.about;
            return Err(match Extent::is_unsupported(&head[..bytes]) {
                true => about.unknown_form(object),
                false => about.invalid(object),
            });
        };
        Ok(Found { start, extent })
    }

    /// Pieces that an extent's record is laid in.
    pub(super) fn record_pieces(&self, found: &Found) -> usize {
        let bytes = found.extent.record_bytes(self.block_shift(), self.chunk_shift());
        bytes.div_ceil(self.piece_bytes())
    }

    /// What is at a byte of an object's contents.
    pub(super) fn find(&mut self, object: ObjectId, at: u64) -> Result<At, Code> {
        let (first, key) = (Key::extent(object, 0), Key::extent(object, at));
        if let Some((key, _)) = self.store.tree.last_before(&first, &key.successor(), &mut [])? {
            let found = self.extent_at(object, key.offset() & !(EXTENT_KEYS - 1))?;
            if found.end() > at {
                return Ok(At::Extent(found));
            }
        }
        Ok(At::Hole(self.next_extent(object, at)?))
    }

    /// The first byte of the first extent that begins after this byte.
    pub(super) fn next_extent(&mut self, object: ObjectId, at: u64) -> Result<Option<u64>, Code> {
        self.extent_between(object, at.saturating_add(1), u64::MAX)
    }

    /// The first byte of the first extent that begins from `from` on and before `end`.
    pub(crate) fn extent_between(
        &mut self,
        object: ObjectId,
        from: u64,
        end: u64,
    ) -> Result<Option<u64>, Code> {
        let (from, end) = (Key::extent(object, from), Key::extent(object, end));
        let found = self.store.tree.scan(&from, &end, |key, _| match key.offset() % EXTENT_KEYS {
            0 => ControlFlow::Break(key.offset()),
            _ => ControlFlow::Continue(()),
        })?;
        Ok(found)
    }

    // --- freeing ----------------------------------------------------------------------------------------------

    /// Takes an extent out of the tree and frees its fragments.
    pub(super) fn free_extent(&mut self, object: ObjectId, found: &Found) -> Result<(), Code> {
        self.free_fragments(found)?;
        let (from, end) = (Key::extent(object, found.start), Key::extent(object, found.start + EXTENT_KEYS));
        self.store.remove_range(&from, &end, usize::MAX)?;
        Ok(())
    }

    /// Frees the fragments of an extent whose record goes.
    pub(super) fn free_fragments(&mut self, found: &Found) -> Result<(), Code> {
        let blocks = found.extent.fragment_blocks(self.block_shift());
        for fragment in found.extent.fragments() {
            self.store.free(BlockRun { start: fragment.address, blocks })?;
        }
        let superblock = self.store.superblock_mut();
        let extents = superblock.extents();
        superblock.set_extents(extents.saturating_sub(1));
        Ok(())
    }

    /// Frees the extents that begin from `from` on and before `end`: those of a window.
    pub(super) fn free_extents(&mut self, object: ObjectId, from: u64, end: u64) -> Result<(), Code> {
        while let Some(start) = self.extent_between(object, from, end)? {
            let found = self.extent_at(object, start)?;
            self.free_extent(object, &found)?;
        }
        Ok(())
    }
}
