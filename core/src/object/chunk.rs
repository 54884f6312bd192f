//! Reading one chunk after the other: all that a build without the feature `fast-read` has.

use super::Objects;
use super::extents::Found;
use super::segment::Segment;
use crate::error::Code;
use crate::types::{Column, FragmentIndex, ObjectId};
use dynamicfs_hal::DiskArray;

impl<A: DiskArray> Objects<'_, A> {
    /// Reads bytes of one extent, chunk by chunk.
    pub(super) fn read_chunks(
        &mut self,
        object: ObjectId,
        found: &Found,
        from: usize,
        buf: &mut [u8],
    ) -> Result<(), Code> {
        let stage = core::mem::take(&mut self.store.stage);
        let done = self.read_chunks_with(object, found, from, buf, stage);
        self.store.stage = stage;
        done
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "`done` is below the buffer's length; the part is cut to it, and to the chunk"
    )]
    fn read_chunks_with(
        &mut self,
        object: ObjectId,
        found: &Found,
        from: usize,
        buf: &mut [u8],
        stage: &mut [u8],
    ) -> Result<(), Code> {
        let fragment_bytes = found.extent.fragment_bytes(self.block_shift());
        let (shift, mut done) = (self.chunk_shift(), 0);
        while done < buf.len() {
            let at = from + done;
            let (fragment, within) = (at / fragment_bytes, at % fragment_bytes);
            let column = within >> shift;
            let place = (FragmentIndex(fragment), Column(column));
            let skipped = within - (column << shift);
            let bytes = (1 << shift).min(fragment_bytes - (column << shift));
            let part = &mut buf[done..];
            let length = part.len().min(bytes - skipped);
            let part = &mut part[..length];
            if length == bytes {
                self.read_chunk(object, found, place, part, stage)?;
            } else {
                let Some((chunk, rest)) = stage.split_at_mut_checked(bytes) else {
                    return Err(self.store.tree.disks.about.needs(bytes));
                };
                self.read_chunk(object, found, place, chunk, rest)?;
                part.copy_from_slice(&chunk[skipped..skipped + length]);
            }
            done += length;
        }
        Ok(())
    }

    /// Reads one chunk from the first place that has it right, or computes it.
    fn read_chunk(
        &mut self,
        object: ObjectId,
        found: &Found,
        (fragment, column): (FragmentIndex, Column),
        chunk: &mut [u8],
        stage: &mut [u8],
    ) -> Result<(), Code> {
        let mut segment = Segment::of(fragment, column, 1, chunk.len());
        if found.extent.scheme.data == 1 {
            let replicas = found.extent.fragments().iter().map(|fragment| fragment.address);
            segment.source = self.store.tree.disks.prefer(replicas).unwrap_or(0).into();
        }
        let reading = self.load_checksums(object, found, &[segment])?;
        if self.read_right(reading, segment.source, column, 1, chunk) {
            return Ok(());
        }
        self.note_failure(object, found, segment.source);
        self.recover(object, reading, &segment, chunk, stage)
    }
}
