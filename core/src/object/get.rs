//! Reading: every byte is proved before it is handed out.
//!
//! Whole chunks are read straight into the caller's buffer and proved there. A chunk that is wanted only in
//! part goes through the stage. What fails is tried from another replica, or reconstructed from other
//! fragments, chunk column by chunk column.

use super::Objects;
use super::extents::{At, Found};
use super::inode::no_contents;
use super::repair::Repair;
use super::segment::{Reading, Segment, Segments};
use crate::build::{FAST_READ, REPAIR};
use crate::disks::select::PATIENT;
use crate::error::Code;
use crate::format::extent::CRC_BYTES;
use crate::format::inode::{Inode, ObjectKind};
use crate::format::key::{Key, Kind};
use crate::format::node::value_bytes_max;
use crate::limits::{DATA_FRAGMENTS_MAX, NODE_BYTES_MAX, SYMLINK_BYTES_MAX};
use crate::powers::at_most;
use crate::types::{Column, FragmentIndex, ObjectId, Set};
use core::ops::Range;
use dynamicfs_hal::{Batch, DiskArray, IoError, Request};

/// Bytes from which on the replicas of an extent are read in parts from several disks.
const PARALLEL_BYTES: usize = 64 << 10;

/// Bytes of the longest contents that are inline: those of a symbolic link.
const INLINE_BYTES_MAX: u64 = SYMLINK_BYTES_MAX as u64;
const _: () = assert!(value_bytes_max(NODE_BYTES_MAX) <= SYMLINK_BYTES_MAX);

/// How many reads one after the other it takes to compute a segment. The others are read in one batch if they
/// are wanted as well.
fn reads_instead(found: &Found, segments: &Segments) -> usize {
    let k = usize::from(found.extent.scheme.data);
    if segments.len() == k { 1 } else { k }
}

impl<A: DiskArray> Objects<'_, A> {
    /// Reads an object's contents from `offset` on; the bytes read, fewer than asked for only at its end.
    ///
    /// On an error nothing in `buf` is to be used; it was zeroed.
    #[expect(clippy::indexing_slicing, reason = "cut to the buffer's length")]
    pub fn read(&mut self, object: ObjectId, offset: u64, buf: &mut [u8]) -> Result<usize, Code> {
        let inode = self.inode(object)?;
        if !matches!(inode.kind, ObjectKind::File | ObjectKind::Symlink) {
            return Err(no_contents(&inode));
        }
        let bytes = at_most(inode.size.saturating_sub(offset), buf.len());
        let buf = &mut buf[..bytes];
        let done = self.read_contents(object, &inode, offset, buf);
        if done.is_err() {
            buf.fill(0);
        }
        done.map(|()| bytes)
    }

    /// The first bytes from `from` on that were written: those of one extent. `None` where nothing but zeros
    /// that were never written are left up to the end. Reads the tree, and no data.
    pub fn next_written(&mut self, object: ObjectId, from: u64) -> Result<Option<Range<u64>>, Code> {
        let inode = self.inode(object)?;
        if !matches!(inode.kind, ObjectKind::File | ObjectKind::Symlink) {
            return Err(no_contents(&inode));
        }
        if inode.inline || from >= inode.size {
            return Ok((from < inode.size).then_some(from..inode.size));
        }
        let stored = match self.find(object, from)? {
            At::Extent(found) => Some(from..found.end()),
            At::Hole(Some(next)) => Some(next..self.extent_at(object, next)?.end()),
            At::Hole(None) => None,
        };
        // What waits in the window buffer lies over what is stored.
        let waiting = self.filling.filter(|filling| filling.object == object);
        let waiting = waiting.map(|filling| filling.start.max(from)..filling.start + filling.bytes as u64);
        let waiting = waiting.filter(|waiting| !waiting.is_empty());
        let first = match (stored, waiting) {
            (Some(stored), Some(waiting)) if waiting.start < stored.start => Some(waiting),
            (Some(stored), _) => Some(stored),
            (None, waiting) => waiting,
        };
        let first = first.map(|first| first.start..first.end.min(inode.size));
        Ok(first.filter(|first| !first.is_empty()))
    }

    fn read_contents(
        &mut self,
        object: ObjectId,
        inode: &Inode,
        offset: u64,
        buf: &mut [u8],
    ) -> Result<(), Code> {
        if inode.inline {
            return self.read_inline(object, offset, buf);
        }
        self.read_stored(object, offset, buf)?;
        self.read_filling(object, offset, buf);
        Ok(())
    }

    /// Reads contents without asking the inode, which may be lost: inline ones or those in extents. Zeros where there are none.
    pub(crate) fn read_by_keys(
        &mut self,
        object: ObjectId,
        inline: bool,
        offset: u64,
        buf: &mut [u8],
    ) -> Result<(), Code> {
        if inline { self.read_inline(object, offset, buf) } else { self.read_stored(object, offset, buf) }
    }

    /// Lays what is in the window buffer, and not stored yet, over what was read.
    #[expect(
        clippy::indexing_slicing,
        clippy::cast_possible_truncation,
        reason = "`start..end` lies in the window and in the buffer: it is what both have"
    )]
    fn read_filling(&self, object: ObjectId, offset: u64, buf: &mut [u8]) {
        let Some(filling) = self.filling.filter(|filling| filling.object == object) else { return };
        let (start, end) = (
            filling.start.max(offset),
            (filling.start + filling.bytes as u64).min(offset + buf.len() as u64),
        );
        if start < end {
            let from = (start - filling.start) as usize;
            let bytes = (end - start) as usize;
            buf[(start - offset) as usize..][..bytes].copy_from_slice(&self.store.window[from..from + bytes]);
        }
    }

    /// Reads contents that are inline in the tree.
    #[expect(
        clippy::indexing_slicing,
        clippy::cast_possible_truncation,
        reason = "the offset was bounded; `done` is in the buffer, and parts are cut to what is left"
    )]
    pub(super) fn read_inline(&mut self, object: ObjectId, offset: u64, buf: &mut [u8]) -> Result<(), Code> {
        buf.fill(0);
        // Behind the longest inline contents there is nothing, whatever a forged inode says.
        if offset > INLINE_BYTES_MAX {
            return Ok(());
        }
        let piece_bytes = self.piece_bytes();
        let mut done = 0;
        while done < buf.len() {
            let at = offset as usize + done;
            let rest = &mut buf[done..];
            let within = at % piece_bytes;
            let wanted = rest.len().min(piece_bytes - within);
            self.store.tree.with(&Key::new(object, Kind::Inline, (at / piece_bytes) as u64), |piece| {
                let part = piece.and_then(|piece| piece.get(within..)).unwrap_or(&[]);
                let bytes = part.len().min(wanted);
                rest[..bytes].copy_from_slice(&part[..bytes]);
            })?;
            done += wanted;
        }
        Ok(())
    }

    /// Reads what is stored in extents, and zeros between them.
    #[expect(
        clippy::indexing_slicing,
        clippy::cast_possible_truncation,
        reason = "`done` is in the buffer, and a part is cut to the rest; an extent is at most 4 MiB"
    )]
    pub(super) fn read_stored(&mut self, object: ObjectId, offset: u64, buf: &mut [u8]) -> Result<(), Code> {
        let mut done = 0;
        while done < buf.len() {
            let at = offset + done as u64;
            let rest = &mut buf[done..];
            done += match self.find(object, at)? {
                At::Hole(until) => {
                    let bytes = until.map_or(rest.len(), |until| at_most(until - at, rest.len()));
                    rest[..bytes].fill(0);
                    bytes
                }
                At::Extent(found) => {
                    let bytes = at_most(found.end() - at, rest.len());
                    self.read_extent(object, &found, (at - found.start) as usize, &mut rest[..bytes])?;
                    bytes
                }
            };
        }
        Ok(())
    }

    // --- one extent -------------------------------------------------------------------------------------------

    /// Reads bytes of one extent.
    #[expect(clippy::indexing_slicing, reason = "a part is cut to what the buffer has left")]
    pub(super) fn read_extent(
        &mut self,
        object: ObjectId,
        found: &Found,
        from: usize,
        buf: &mut [u8],
    ) -> Result<(), Code> {
        if !FAST_READ {
            return self.read_chunks(object, found, from, buf);
        }
        let fragment_bytes = found.extent.fragment_bytes(self.block_shift());
        let chunk = 1 << self.chunk_shift();
        // The checksums of one pass fit the piece buffer.
        let columns_max = self.columns_at_once(found);
        let mut segments = Segments::new();
        let mut done = 0;
        while done < buf.len() {
            let at = from + done;
            let (fragment, within) = (FragmentIndex(at / fragment_bytes), at % fragment_bytes);
            let bytes = (buf.len() - done).min(fragment_bytes - within);
            let (first, skipped) = (Column(within / chunk), within % chunk);
            let whole = if within + bytes == fragment_bytes { bytes } else { bytes / chunk * chunk };
            if skipped > 0 || whole == 0 {
                let part = bytes.min(chunk - skipped);
                self.read_part(object, found, fragment, first, skipped, &mut buf[done..done + part])?;
                done += part;
                continue;
            }
            let columns = whole.div_ceil(chunk).min(columns_max);
            let bytes = whole.min(columns * chunk);
            let segment = Segment { at: done, ..Segment::of(fragment, first, columns, bytes) };
            if self.needs_pass(&segments, &segment, columns_max) {
                self.read_segments(object, found, &mut segments, buf)?;
            }
            let _ = segments.push(segment);
            done += bytes;
        }
        self.read_segments(object, found, &mut segments, buf)
    }

    /// Whether the segments so far must be read before another one is added: their checksums would not fit, or there
    /// is no place.
    fn needs_pass(&self, segments: &Segments, next: &Segment, columns_max: usize) -> bool {
        let first = segments.iter().map(|s| s.first).min().unwrap_or(next.first).min(next.first);
        let end = segments.iter().map(Segment::end).max().unwrap_or_default().max(next.end());
        segments.is_full() || !segments.is_empty() && end.0 - first.0 > columns_max
    }

    /// Reads a part of one chunk through the stage.
    #[expect(clippy::indexing_slicing, reason = "the caller asks for bytes of this one chunk")]
    fn read_part(
        &mut self,
        object: ObjectId,
        found: &Found,
        fragment: FragmentIndex,
        column: Column,
        skip: usize,
        buf: &mut [u8],
    ) -> Result<(), Code> {
        let chunk = 1usize << self.chunk_shift();
        let bytes = chunk.min(found.extent.fragment_bytes(self.block_shift()) - column.0 * chunk);
        let window = core::mem::take(&mut self.store.stage);
        let done = match window.split_at_mut_checked(bytes) {
            None => Err(self.store.tree.disks.about.needs(bytes)),
            Some((chunk, rest)) => {
                let mut segments = Segments::new();
                let _ = segments.push(Segment::of(fragment, column, 1, bytes));
                self.read_segments_with(object, found, &mut segments, chunk, rest)
                    .map(|()| buf.copy_from_slice(&chunk[skip..skip + buf.len()]))
            }
        };
        self.store.stage = window;
        done
    }

    fn read_segments(
        &mut self,
        object: ObjectId,
        found: &Found,
        segments: &mut Segments,
        buf: &mut [u8],
    ) -> Result<(), Code> {
        let stage = core::mem::take(&mut self.store.stage);
        let done = self.read_segments_with(object, found, segments, buf, stage);
        self.store.stage = stage;
        segments.clear();
        done
    }

    /// Reads segments in one batch, proves them, and recovers those that are not right.
    #[expect(clippy::indexing_slicing, reason = "the segments' places were cut from this buffer")]
    fn read_segments_with(
        &mut self,
        object: ObjectId,
        found: &Found,
        segments: &mut Segments,
        buf: &mut [u8],
        stage: &mut [u8],
    ) -> Result<(), Code> {
        if segments.is_empty() {
            return Ok(());
        }
        if found.extent.scheme.data == 1 {
            self.choose_replicas(found, segments);
        } else {
            self.choose_fragments(found, segments);
        }
        let late = self.fetch(found, segments, buf, Set::first(segments.len()));
        if A::GIVES_UP && !late.is_empty() {
            self.hedge(found, segments, late, buf);
        }
        let reading = Reading { attempt: 0, ..self.load_checksums(object, found, segments)? };
        for segment in segments.iter_mut() {
            let part = &buf[segment.at..segment.at + segment.bytes];
            segment.good = segment.good && self.is_right(reading, segment, part);
            if !segment.good && !segment.avoided {
                self.note_failure(object, found, segment.source);
            }
        }
        if segments.iter().all(|segment| segment.good) || self.complete(reading, segments, buf, stage) {
            return Ok(());
        }
        for segment in segments.iter().filter(|segment| !segment.good) {
            let part = &mut buf[segment.at..segment.at + segment.bytes];
            self.recover(object, reading, segment, part, stage)?;
        }
        Ok(())
    }

    /// For a mirror: reads from the best replica, or in parts from several when that is worth it.
    fn choose_replicas(&self, found: &Found, segments: &mut Segments) {
        let fragments = found.extent.fragments();
        let disks = &self.store.tree.disks;
        let sharing = self.online(found).minus(self.avoided(found, 1, true));
        // A mirror may have more replicas than a build has places for segments.
        let count = sharing.len().min(DATA_FRAGMENTS_MAX);
        let chunk = 1usize << self.chunk_shift();
        if let [segment] = segments[..]
            && count > 1
            && segment.bytes >= PARALLEL_BYTES
        {
            segments.clear();
            let share = segment.count.div_ceil(count);
            for (n, source) in sharing.iter().take(count).enumerate() {
                let first = n * share;
                let columns = share.min(segment.count.saturating_sub(first));
                if columns > 0 {
                    let bytes = (columns * chunk).min(segment.bytes - first * chunk);
                    let part = Segment {
                        source,
                        first: segment.first + first,
                        count: columns,
                        at: segment.at + first * chunk,
                        bytes,
                        ..segment
                    };
                    let _ = segments.push(part);
                }
            }
            return;
        }
        for segment in segments.iter_mut() {
            segment.source = disks.prefer(fragments.iter().map(|f| f.address)).unwrap_or(0).into();
        }
    }

    /// For a stripe: data fragments on disks that make errors or are many times slower than the others are
    /// not read. Enough others must be there to compute them.
    // Not part of its caller, whose stack would hold it in every read.
    #[inline(never)]
    fn choose_fragments(&self, found: &Found, segments: &mut Segments) {
        let k = usize::from(found.extent.scheme.data);
        let avoided = self.avoided(found, reads_instead(found, segments), true);
        if avoided.is_empty() {
            return;
        }
        if self.online(found).minus(avoided).len() >= k {
            segments.iter_mut().for_each(|segment| segment.avoided = avoided.contains(segment.fragment));
        }
    }

    /// Fragments whose disks take part.
    fn online(&self, found: &Found) -> Set<FragmentIndex> {
        let disks = &self.store.tree.disks;
        let all = (0..found.extent.fragments().len()).map(FragmentIndex);
        let online = all.filter(|&i| disks.disk_of(found.address(i).member).is_some());
        online.collect()
    }

    /// Reads these segments into their places of the buffer; `good` says which the disks gave. Which of them took too long,
    /// where others can answer.
    #[expect(clippy::indexing_slicing, reason = "`next` and the places are below the number of segments")]
    fn fetch(
        &mut self,
        found: &Found,
        segments: &mut Segments,
        buf: &mut [u8],
        wanted: Set<usize>,
    ) -> Set<usize> {
        let k = usize::from(found.extent.scheme.data);
        let reads = reads_instead(found, segments);
        let disks = &mut self.store.tree.disks;
        let chunk_shift = disks.parameters.chunk_shift;
        let (mut rest, mut at, mut next) = (buf, 0, 0);
        let mut late = Set::EMPTY;
        while next < segments.len() {
            let first = next;
            let mut batch = A::Batch::default();
            let mut places = heapless::Vec::<usize, DATA_FRAGMENTS_MAX>::new();
            while next < segments.len() && places.len() < A::Batch::capacity() {
                let segment = segments[next];
                let (_, tail) = rest.split_at_mut(segment.at - at);
                let (part, tail) = tail.split_at_mut(segment.bytes);
                (rest, at) = (tail, segment.at + segment.bytes);
                let from = (segment.first.0 << chunk_shift) as u64;
                if wanted.contains(next)
                    && !segment.avoided
                    && let Some((disk, lba)) = disks.locate(found.address(segment.source), from)
                {
                    let others = found.addresses_but(Set::only(segment.source));
                    let patience = disks.patience(disk, others, (k, reads), segment.bytes, 0);
                    let pushed = batch.push(Request::read(disk.0, lba, part).with_patience(patience));
                    debug_assert!(pushed.is_ok());
                    let _ = places.push(next);
                }
                next += 1;
            }
            debug_assert!(next > first);
            disks.execute(&mut batch);
            for (&place, request) in places.iter().zip(batch.requests().iter()) {
                segments[place].good = request.result.is_ok();
                if A::GIVES_UP && request.result == Err(IoError::Late) {
                    late = late.with(place);
                }
            }
        }
        late
    }

    /// Does without what takes too long: reads another replica of it, or leaves it to be recovered.
    // Not part of its caller, whose stack would hold it in every read.
    #[inline(never)]
    #[expect(clippy::indexing_slicing, reason = "`late` are segments that were fetched")]
    fn hedge(&mut self, found: &Found, segments: &mut Segments, mut late: Set<usize>, buf: &mut [u8]) {
        self.store.tree.counters.note(|counters| counters.hedged_reads += late.len() as u64);
        if found.extent.scheme.data > 1 {
            late.iter().for_each(|i| segments[i].avoided = true);
            return;
        }
        let mut others = self.online(found);
        // Each round finds one more of them late, or none.
        while !late.is_empty() {
            others = late.iter().fold(others, |others, i| others.without(segments[i].source));
            let chosen = self.store.tree.disks.prefer(others.iter().map(|replica| found.address(replica)));
            let Some(other) = chosen.and_then(|chosen| others.iter().nth(chosen)) else {
                late.iter().for_each(|i| segments[i].avoided = true);
                return;
            };
            late.iter().for_each(|i| segments[i].source = other);
            // What failed meanwhile is not asked again: it would count twice.
            late = self.fetch(found, segments, buf, late);
        }
    }

    /// Reads the checksums of the columns that the segments touch into the piece buffer, for a reading that takes its time.
    #[expect(
        clippy::indexing_slicing,
        reason = "the piece buffer holds a column of any extent, and `columns_at_once` of them"
    )]
    pub(super) fn load_checksums<'f>(
        &mut self,
        object: ObjectId,
        found: &'f Found,
        segments: &[Segment],
    ) -> Result<Reading<'f>, Code> {
        let first = segments.iter().map(|s| s.first).min().unwrap_or_default();
        let end = segments.iter().map(Segment::end).max().unwrap_or_default();
        let (from, to) =
            (found.extent.crc_at(FragmentIndex(0), first), found.extent.crc_at(FragmentIndex(0), end));
        let piece = core::mem::take(&mut self.store.piece);
        let read = self.read_record(object, found.start, from, &mut piece[..to - from]);
        self.store.piece = piece;
        if read? < to - from {
            return Err(self.store.tree.disks.about.invalid(object));
        }
        Ok(Reading { found, from: first, attempt: PATIENT })
    }

    /// The checksum of a chunk, from the piece buffer.
    #[expect(clippy::indexing_slicing, reason = "the columns of the segment were loaded from this place on")]
    fn checksum(&self, reading: Reading<'_>, fragment: FragmentIndex, column: Column) -> u32 {
        let extent = &reading.found.extent;
        let at = extent.crc_at(fragment, column) - extent.crc_at(FragmentIndex(0), reading.from);
        let mut crc = [0; CRC_BYTES];
        crc.copy_from_slice(&self.store.piece[at..at + CRC_BYTES]);
        u32::from_le_bytes(crc)
    }

    /// Whether the bytes of a segment are what was written.
    pub(super) fn is_right(&mut self, reading: Reading<'_>, segment: &Segment, part: &[u8]) -> bool {
        let crc32c = self.store.tree.disks.crc32c;
        let right = part
            .chunks(1 << self.chunk_shift())
            .zip(segment.columns())
            .all(|(chunk, column)| crc32c(0, chunk) == self.checksum(reading, segment.fragment, column));
        let address = reading.found.address(segment.source);
        if !right && let Some(disk) = self.store.tree.disks.disk_of(address.member) {
            let block =
                address.block + ((segment.first.0 << self.chunk_shift()) >> self.block_shift()) as u64;
            self.store.tree.disks.note_checksum_error(disk, block);
        }
        right
    }

    pub(super) fn note_failure(&mut self, object: ObjectId, found: &Found, fragment: FragmentIndex) {
        if !REPAIR {
            return;
        }
        self.store.tree.counters.note(|counters| counters.fragment_failures += 1);
        let address = found.address(fragment);
        // A disk that is away owes more than this; one that is there and wrong is mended where it was seen.
        if self.store.tree.disks.disk_of(address.member).is_some() {
            let repair = Repair { object, start: found.start, address };
            if !self.repairs.contains(&repair) {
                let _ = self.repairs.push(repair);
            }
        }
    }

    /// Columns whose checksums fit the piece buffer.
    pub(super) fn columns_at_once(&self, found: &Found) -> usize {
        (self.store.piece.len() / CRC_BYTES / found.extent.crcs_per_column()).max(1)
    }
}
