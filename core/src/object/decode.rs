//! What is not right when it is read: taken from another replica, or computed from other fragments, chunk column by
//! chunk column.

use super::Objects;
use super::extents::Found;
use super::segment::{Reading, Segment, Segments};
use crate::build::{MULTI, XOR};
use crate::disks::Disks;
use crate::disks::select::PATIENT;
use crate::error::Code;
use crate::limits::{DATA_FRAGMENTS_MAX, FRAGMENTS_MAX, PARITY_FRAGMENTS_MAX};
use crate::redundancy;
use crate::transaction::Memory;
use crate::types::{Column, DiskIndex, FragmentIndex, ObjectId, Set};
use dynamicfs_hal::{Batch, DiskArray, IoError, Request};

/// Fragments that were read and proved, by their index.
pub(super) type Sources = heapless::Vec<u8, DATA_FRAGMENTS_MAX>;

impl<A: DiskArray> Objects<'_, A> {
    // --- a whole row ------------------------------------------------------------------------------------------

    /// Where the segments are the same columns of all data fragments, computes the wrong ones. It uses the
    /// others, which are in the buffer already, and as much parity. False if there is not enough of it.
    #[expect(clippy::indexing_slicing, reason = "the segments' places were cut from this buffer")]
    pub(super) fn complete(
        &mut self,
        reading: Reading<'_>,
        segments: &Segments,
        buf: &mut [u8],
        stage: &mut [u8],
    ) -> bool {
        let found = reading.found;
        let k = usize::from(found.extent.scheme.data);
        let Some(model) = segments.first().copied() else { return false };
        let is_row = segments.iter().enumerate().all(|(i, s)| {
            (s.fragment, s.source, s.first, s.bytes)
                == (FragmentIndex(i), FragmentIndex(i), model.first, model.bytes)
        });
        let lost = segments.iter().filter(|segment| !segment.good).count();
        if k == 1 || segments.len() != k || !is_row || lost * model.bytes > stage.len() {
            return false;
        }
        let parity = Set::first(found.extent.scheme.width()).minus(Set::first(k));
        let parity = self.in_order(found, parity).into_iter().flat_map(Set::iter).map(|index| index.byte());
        let Some(parity) = self.read_columns(reading, &model, (lost, parity), stage) else {
            return false;
        };
        self.store.tree.counters.note(|counters| counters.decodes += 1);
        let mut survivors = heapless::Vec::<u8, DATA_FRAGMENTS_MAX>::new();
        let mut inputs = heapless::Vec::<&[u8], DATA_FRAGMENTS_MAX>::new();
        let mut wanted = heapless::Vec::<u8, PARITY_FRAGMENTS_MAX>::new();
        let mut outputs = heapless::Vec::<&mut [u8], PARITY_FRAGMENTS_MAX>::new();
        // The parts of a row follow each other in the buffer.
        let row = buf[model.at..].chunks_exact_mut(model.bytes);
        for (part, segment) in row.zip(segments) {
            let fragment = segment.fragment.byte();
            let full = if segment.good {
                survivors.push(fragment).is_err() || inputs.push(part).is_err()
            } else {
                wanted.push(fragment).is_err() || outputs.push(part).is_err()
            };
            if full {
                return false;
            }
        }
        survivors.extend(parity.iter().copied());
        inputs.extend(stage.chunks_exact(model.bytes).take(lost));
        let scheme = found.extent.scheme;
        let computed = redundancy::reconstruct(scheme, (&survivors, &inputs), (&wanted, &mut outputs));
        drop((inputs, outputs));
        computed
            && segments
                .iter()
                .filter(|segment| !segment.good)
                .all(|segment| self.is_right(reading, segment, &buf[segment.at..segment.at + segment.bytes]))
    }

    /// Reads the columns of a segment from `count` fragments into `buf`, one after the other: of the candidates the first
    /// that are right. Which they are, or `None` if too few are.
    #[expect(
        clippy::indexing_slicing,
        reason = "`place` counts parts of the buffer, of `count`, which the array was cut to"
    )]
    pub(super) fn read_columns(
        &mut self,
        reading: Reading<'_>,
        segment: &Segment,
        (count, mut candidates): (usize, impl Iterator<Item = u8>),
        buf: &mut [u8],
    ) -> Option<Sources> {
        let offset = (segment.first.0 << self.chunk_shift()) as u64;
        let capacity = A::Batch::capacity();
        // What is in each part of the buffer.
        let mut sources = [None; DATA_FRAGMENTS_MAX];
        let sources = sources.get_mut(..count)?;
        while sources.contains(&None) {
            let mut tried = heapless::Vec::<(usize, u8), DATA_FRAGMENTS_MAX>::new();
            let mut batch = A::Batch::default();
            let disks = &mut self.store.tree.disks;
            let parts = buf.chunks_exact_mut(segment.bytes).take(count).enumerate();
            // No more than a batch takes: a candidate is asked once.
            let missing = parts.filter(|&(place, _)| sources[place].is_none()).take(capacity);
            for (place, part) in missing {
                let locate = |index: u8| disks.locate(reading.found.address(index.into()), offset);
                let next = candidates.find_map(|index| Some((index, locate(index)?)));
                if let Some((index, (disk, lba))) = next {
                    let patience = patience(disks, disk, (reading, index.into()), segment.bytes);
                    if batch.push(Request::read(disk.0, lba, part).with_patience(patience)).is_ok() {
                        let _ = tried.push((place, index));
                    }
                }
            }
            if tried.is_empty() {
                return None;
            }
            disks.execute(&mut batch);
            let results: heapless::Vec<Result<(), IoError>, DATA_FRAGMENTS_MAX> =
                batch.requests().iter().map(|request| request.result).collect();
            drop(batch);
            if A::GIVES_UP {
                let late = results.iter().filter(|&&result| result == Err(IoError::Late)).count();
                self.store.tree.counters.note(|counters| counters.hedged_reads += late as u64);
            }
            for ((place, index), _) in tried.into_iter().zip(results).filter(|(_, result)| result.is_ok()) {
                let part = &buf[place * segment.bytes..][..segment.bytes];
                let segment = Segment { fragment: index.into(), source: index.into(), ..*segment };
                if self.is_right(reading, &segment, part) {
                    sources[place] = Some(index);
                }
            }
        }
        sources.iter().copied().collect()
    }

    // --- one segment ------------------------------------------------------------------------------------------

    /// Fills a segment from what else there is. Where the stage does not hold what that takes, the error says
    /// so.
    pub(super) fn recover(
        &mut self,
        object: ObjectId,
        reading: Reading<'_>,
        segment: &Segment,
        part: &mut [u8],
        stage: &mut [u8],
    ) -> Result<(), Code> {
        for attempt in reading.attempt..=PATIENT {
            let late_before = self.store.tree.counters.hedged_reads;
            if self.recover_by(Reading { attempt, ..reading }, segment, part, stage) {
                return Ok(());
            }
            // Where a disk was late, the fragment may be there all the same.
            if !A::GIVES_UP || self.store.tree.counters.hedged_reads == late_before {
                break;
            }
        }
        let data = usize::from(reading.found.extent.scheme.data);
        if XOR && data > 1 && stage.len() < data << self.chunk_shift() {
            // What is there may well be enough.
            let bytes = Memory::bytes_for_stripe(&self.store.tree.disks.parameters, data);
            return Err(self.store.tree.disks.about.needs(bytes));
        }
        self.store.tree.counters.note(|counters| counters.unreadable += 1);
        Err(self.store.tree.disks.about.lost(object, reading.found.start))
    }

    fn recover_by(
        &mut self,
        reading: Reading<'_>,
        segment: &Segment,
        part: &mut [u8],
        stage: &mut [u8],
    ) -> bool {
        if reading.found.extent.scheme.data == 1 {
            return MULTI && self.read_other_replica(reading, segment, part);
        }
        XOR && self.reconstruct(reading, segment, part, stage)
            || segment.avoided && self.read_right(reading, segment.source, segment.first, segment.count, part)
    }

    /// Reads each chunk of a segment from the first replica that has it right.
    fn read_other_replica(&mut self, reading: Reading<'_>, segment: &Segment, part: &mut [u8]) -> bool {
        let found = reading.found;
        let others = Set::first(found.extent.fragments().len()).without(segment.source);
        let others = self.in_order(found, others);
        part.chunks_mut(1 << self.chunk_shift()).zip(segment.columns()).all(|(chunk, column)| {
            core::iter::once(segment.source)
                .chain(others.into_iter().flat_map(Set::iter))
                .any(|source| self.read_right(reading, source, column, 1, chunk))
        })
    }

    /// Fragments that are better not read: their disks make errors, or are many times slower than the others.
    /// `reads` is how many reads it takes, one after the other, to replace one. A caller that `may_sample`
    /// reads slow ones now and then.
    #[inline(never)] // Once, and not in each of its callers.
    pub(super) fn avoided(&self, found: &Found, reads: usize, may_sample: bool) -> Set<FragmentIndex> {
        self.store.tree.disks.avoided(found.addresses_but(Set::EMPTY), reads, may_sample)
    }

    /// Of these fragments those to read first, and those that are better not read.
    fn in_order(&self, found: &Found, fragments: Set<FragmentIndex>) -> [Set<FragmentIndex>; 2] {
        let avoided = self.avoided(found, 1, false);
        [fragments.minus(avoided), fragments.and(avoided)]
    }

    /// Reads chunks of a fragment; whether all are right.
    pub(super) fn read_right(
        &mut self,
        reading: Reading<'_>,
        source: FragmentIndex,
        first: Column,
        columns: usize,
        buf: &mut [u8],
    ) -> bool {
        let disks = &mut self.store.tree.disks;
        let address = reading.found.address(source);
        let offset = (first.0 << disks.parameters.chunk_shift) as u64;
        let Some((disk, lba)) = disks.locate(address, offset) else { return false };
        let patience = patience(disks, disk, (reading, source), buf.len());
        match disks.execute_one(Request::read(disk.0, lba, buf).with_patience(patience)) {
            Ok(()) => self.is_right(reading, &Segment::of(source, first, columns, buf.len()), buf),
            Err(error) => {
                self.store.tree.counters.note(|counters| {
                    counters.hedged_reads += u64::from(A::GIVES_UP && error == IoError::Late)
                });
                false
            }
        }
    }

    /// Computes the chunks of a segment from `k` other fragments, as many columns at a time as the stage holds.
    fn reconstruct(
        &mut self,
        reading: Reading<'_>,
        segment: &Segment,
        part: &mut [u8],
        stage: &mut [u8],
    ) -> bool {
        let chunk = 1usize << self.chunk_shift();
        let k = usize::from(reading.found.extent.scheme.data);
        let at_once = stage.len() / k / chunk;
        if at_once == 0 {
            return false;
        }
        self.store.tree.counters.note(|counters| counters.decodes += 1);
        part.chunks_mut(at_once * chunk).zip(segment.columns().step_by(at_once)).all(|(out, first)| {
            self.reconstruct_columns(reading, segment.fragment, first, out, stage)
                || self.reconstruct_one_by_one(reading, segment.fragment, first, out, stage)
        })
    }

    /// When several fragments have bad chunks in different columns, each column may still have enough.
    fn reconstruct_one_by_one(
        &mut self,
        reading: Reading<'_>,
        wanted: FragmentIndex,
        first: Column,
        out: &mut [u8],
        stage: &mut [u8],
    ) -> bool {
        out.chunks_mut(1 << self.chunk_shift())
            .zip((first.0..).map(Column))
            .all(|(chunk, column)| self.reconstruct_columns(reading, wanted, column, chunk, stage))
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "the stage holds so many columns of `data` fragments: the caller divided it"
    )]
    fn reconstruct_columns(
        &mut self,
        reading: Reading<'_>,
        wanted: FragmentIndex,
        first: Column,
        out: &mut [u8],
        stage: &mut [u8],
    ) -> bool {
        let (found, scheme) = (reading.found, reading.found.extent.scheme);
        let columns = out.len().div_ceil(1 << self.chunk_shift());
        let mut survivors = heapless::Vec::<u8, FRAGMENTS_MAX>::new();
        let others = Set::first(scheme.width()).without(wanted);
        for source in self.in_order(found, others).into_iter().flat_map(Set::iter) {
            if survivors.len() == usize::from(scheme.data) {
                break;
            }
            let at = survivors.len() * out.len();
            if self.read_right(reading, source, first, columns, &mut stage[at..at + out.len()]) {
                let _ = survivors.push(source.byte());
            }
        }
        if survivors.len() < scheme.data.into() {
            return false;
        }
        // A build with room for fewer data fragments reads stripes of up to so many that others wrote.
        let mut inputs = heapless::Vec::<&[u8], FRAGMENTS_MAX>::new();
        inputs.extend(stage.chunks_exact(out.len()).take(survivors.len()));
        if !redundancy::reconstruct(scheme, (&survivors, &inputs), (&[wanted.byte()], &mut [&mut *out])) {
            return false;
        }
        self.is_right(reading, &Segment::of(wanted, first, columns, out.len()), out)
    }
}

/// How long to wait for so many bytes of a fragment on a disk before others are asked; 0 for as long as it
/// takes.
fn patience<A: DiskArray>(
    disks: &Disks<'_, A>,
    disk: DiskIndex,
    (reading, source): (Reading<'_>, FragmentIndex),
    bytes: usize,
) -> u32 {
    let k = usize::from(reading.found.extent.scheme.data);
    let others = reading.found.addresses_but(Set::only(source));
    disks.patience(disk, others, (k, 1), bytes, reading.attempt)
}
