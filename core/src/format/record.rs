//! The pool's own records in the tree: members, groups, dead entries, orphans, counters.

use super::field::{Stored, U48, layout};
use crate::types::{BlockAddress, BlockRun, Generation, MemberNumber, Uuid};

layout! {
    /// A member of the pool (kind 1).
    MemberRecord, 94 bytes {
        /// What the member is: see [`MemberState`].
        state / set_state: u8 = 0,
        /// Spans in use.
        spans / set_spans: u8 = 1,
        /// The disk.
        disk / set_disk: Uuid = 2,
        /// The first generation that the member missed; 0 while it is online.
        offline_since / set_offline_since: U48 = 18,
        /// Blocks of the member that may be allocated in all.
        blocks / set_blocks: U48 = 24,
        /// The first block that may be allocated.
        start / set_start: U48 = 30,
        /// The first of up to 4 spans of generations, (first, end) each, whose writes to the member are not
        /// trusted. The 42 bytes after this field belong to them too.
        spans_first / set_spans_first: U48 = 36,
        /// The number of the spare member that took the place of this one, plus 1; 0 if there is none.
        successor / set_successor: u16 = 84,
        /// While the member is away: the checksum of the root of the last state that may be on its disk. It
        /// has that one or the one before. A disk that comes back with another one is not what went away.
        /// Both are 0 while it is online.
        away_root_crc / set_away_root_crc: u32 = 86,
        /// The checksum of the root before that one.
        away_previous_root_crc / set_away_previous_root_crc: u32 = 90,
    }
}

/// Spans that a member record holds.
pub const SPANS_MAX: usize = 4;
const SPANS_AT: usize = 36;

/// Generations, from the first one on and before the end.
type Span = core::ops::Range<Generation>;

// The smallest node takes the record.
const _: () =
    assert!(MemberRecord::<&[u8]>::BYTES <= super::node::value_bytes_max(crate::limits::NODE_BYTES_MIN));

impl<B: AsRef<[u8]>> MemberRecord<B> {
    /// Spans of generations in which what was written on the member is not to be trusted: first, end (exclusive).
    #[expect(
        clippy::indexing_slicing,
        reason = "the spans lie inside the record, whose length `new` proves; a larger number of them is cut"
    )]
    pub fn untrusted(&self) -> impl Iterator<Item = Span> + '_ {
        (0..usize::from(self.spans()).min(SPANS_MAX)).map(|i| {
            let bytes = &self.0.as_ref()[SPANS_AT + 12 * i..];
            Generation(U48::load(bytes))..Generation(U48::load(&bytes[6..]))
        })
    }

    /// The member became absent in one of some states. Checksums of their roots, the newest first.
    pub fn away_roots(&self) -> [u32; 2] {
        [self.away_root_crc(), self.away_previous_root_crc()]
    }
}

impl<B: AsRef<[u8]> + AsMut<[u8]>> MemberRecord<B> {
    /// The member becomes absent in one of some states. Sets the checksums of their roots, the newest first.
    pub fn set_away_roots(&mut self, [last, previous]: [u32; 2]) {
        self.set_away_root_crc(last);
        self.set_away_previous_root_crc(previous);
    }

    /// Trusts everything again.
    #[expect(clippy::indexing_slicing, reason = "the spans lie inside the record, whose length `new` proves")]
    pub fn trust(&mut self) {
        self.set_spans(0);
        self.0.as_mut()[SPANS_AT..SPANS_AT + 12 * SPANS_MAX].fill(0);
    }

    /// Adds a span. Nothing that was ever distrusted is trusted again by it. Where no place is left, the two
    /// spans with the fewest generations between them become one. Generations between them are distrusted,
    /// and healed, too.
    #[expect(
        clippy::indexing_slicing,
        clippy::cast_possible_truncation,
        reason = "at most 4 spans were in the record: with the new one there are 5 places, as in the array"
    )]
    pub fn distrust(&mut self, span: Span) {
        let mut spans: [Span; SPANS_MAX + 1] = core::array::from_fn(|_| Generation(0)..Generation(0));
        let mut used = 0;
        for span in self.untrusted().chain([span]).filter(|span| !span.is_empty()) {
            insert_span(&mut spans, &mut used, span);
        }
        if used > SPANS_MAX {
            let gap = |i: &usize| spans[i + 1].start.0 - spans[*i].end.0;
            let at = (0..SPANS_MAX).min_by_key(gap).unwrap_or(0);
            spans[at].end = spans[at + 1].end;
            spans[at + 1..].rotate_left(1);
            used = SPANS_MAX;
        }
        self.trust();
        let bytes = &mut self.0.as_mut()[SPANS_AT..SPANS_AT + 12 * SPANS_MAX];
        for (to, span) in bytes.chunks_exact_mut(12).zip(&spans[..used]) {
            U48::store(to, span.start.0);
            U48::store(&mut to[6..], span.end.0);
        }
        self.set_spans(used as u8);
    }
}

/// Puts a span among others, which are in order and apart: it is joined with those that it touches.
#[expect(
    clippy::indexing_slicing,
    reason = "at most 4 are used before it, of 5 places; `first` and those joined are counted among them"
)]
fn insert_span(spans: &mut [Span; SPANS_MAX + 1], used: &mut usize, span: Span) {
    let first = spans[..*used].iter().take_while(|other| other.end < span.start).count();
    let joined = spans[first..*used].iter().take_while(|other| other.start <= span.end).count();
    if joined == 0 {
        spans[first..].rotate_right(1);
        spans[first] = span;
        *used += 1;
        return;
    }
    let last = first + joined - 1;
    let end = spans[last].end.max(span.end);
    spans[first] = spans[first].start.min(span.start)..end;
    spans[first + 1..].rotate_left(joined - 1);
    *used -= joined - 1;
}

/// What the operator wants a member to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[repr(u8)]
pub enum MemberState {
    /// It holds data and is given more.
    #[default]
    Active = 1,
    /// It has failed: nothing is read from it or written to it, and what it held is rebuilt elsewhere.
    Failed = 2,
    /// It is out of use for a while, and what it held is waited for.
    Offline = 3,
    /// It is given nothing, and what it holds is moved away.
    Draining = 4,
    /// It holds nothing any more, and is given nothing.
    Drained = 5,
    /// As draining; it leaves the pool when it holds nothing.
    Leaving = 6,
    /// It holds nothing, and takes the place of a member that fails.
    Spare = 7,
    /// It holds nothing any more, and leaves the pool next.
    Departing = 8,
    /// As draining, because it makes too many errors; it counts as failed when it holds nothing.
    Failing = 9,
}

impl MemberState {
    /// All states.
    pub const ALL: [Self; 9] = [
        Self::Active,
        Self::Failed,
        Self::Offline,
        Self::Draining,
        Self::Drained,
        Self::Leaving,
        Self::Spare,
        Self::Departing,
        Self::Failing,
    ];

    /// The state of this number; one that is not known counts as offline: nothing is done to it.
    pub fn from_number(number: u8) -> Self {
        Self::ALL.into_iter().find(|state| *state as u8 == number).unwrap_or(Self::Offline)
    }

    /// Whether it is neither read from nor written to, also when it is there.
    pub const fn is_shut(self) -> bool {
        matches!(self, Self::Failed | Self::Offline)
    }

    /// What a member becomes when nothing is left of what it held.
    #[must_use]
    pub const fn when_empty(self) -> Self {
        match self {
            Self::Draining | Self::Failing => Self::Drained,
            Self::Leaving => Self::Departing,
            other => other,
        }
    }

    /// Whether what it holds is moved away.
    pub const fn is_draining(self) -> bool {
        matches!(self, Self::Draining | Self::Leaving | Self::Failing)
    }
}

// --- groups ---------------------------------------------------------------------------------------------------

/// A group's record: one byte if all blocks are allocated, else a byte and a bitmap (bit set: allocated).
/// A group without a record is free.
pub mod group {
    /// The form of a group that is full: one byte.
    const FULL: u8 = 1;
    /// The form of a bitmap: the byte, then the bits.
    const BITMAP: u8 = 0;

    /// Bytes of the longest record of a group of this many blocks.
    pub const fn bytes_max(group_blocks: u32) -> usize {
        1 + group_blocks as usize / 8
    }

    /// Reads a record into `bitmap`, which has a bit for each block. `None` if it is not one.
    pub fn load(record: Option<&[u8]>, bitmap: &mut [u8]) -> Option<()> {
        match record {
            None => bitmap.fill(0),
            Some([FULL]) => bitmap.fill(0xFF),
            Some([BITMAP, bits @ ..]) if bits.len() == bitmap.len() => bitmap.copy_from_slice(bits),
            Some(_) => return None,
        }
        Some(())
    }

    /// The record of a bitmap, written into `out`: its length, or `None` if the group needs no record.
    #[expect(clippy::indexing_slicing, reason = "the caller lends a byte more than the bitmap has")]
    pub fn store(bitmap: &[u8], out: &mut [u8]) -> Option<usize> {
        out[0] = BITMAP;
        out[1..=bitmap.len()].copy_from_slice(bitmap);
        compact(out, bitmap.len())
    }

    /// Turns the record of `length` bytes at the beginning of `buffer`, or none, into a bitmap at `buffer[1..=bytes]`.
    /// `None` if it is not one.
    #[expect(clippy::indexing_slicing, reason = "the caller lends a byte more than the bitmap has")]
    pub fn expand(buffer: &mut [u8], length: Option<usize>, bytes: usize) -> Option<()> {
        match (length, buffer.first()) {
            (None, _) => buffer[1..=bytes].fill(0),
            (Some(1), Some(&FULL)) => buffer[1..=bytes].fill(0xFF),
            (Some(length), Some(&BITMAP)) if length == bytes + 1 => {}
            _ => return None,
        }
        buffer[0] = BITMAP;
        Some(())
    }

    /// The record of the bitmap that [`expand`] made, in the same place: its length, or `None` if none is needed.
    #[expect(clippy::indexing_slicing, reason = "the caller lends a byte more than the bitmap has")]
    pub fn compact(buffer: &mut [u8], bytes: usize) -> Option<usize> {
        let bitmap = &buffer[1..=bytes];
        if bitmap.iter().all(|&byte| byte == 0) {
            return None;
        }
        if bitmap.iter().all(|&byte| byte == 0xFF) {
            buffer[0] = FULL;
            return Some(1);
        }
        Some(1 + bytes)
    }

    /// Allocated blocks that a record shows. `None` if it is not one.
    pub fn allocated(record: &[u8], group_blocks: u32) -> Option<u32> {
        match record {
            [FULL] => Some(group_blocks),
            [BITMAP, bits @ ..] if bits.len() == group_blocks as usize / 8 => {
                Some(bits.iter().map(|byte| byte.count_ones()).sum())
            }
            _ => None,
        }
    }
}

// --- dead entries ---------------------------------------------------------------------------------------------

/// A dead record: runs of blocks that were freed and may not be reused yet.
pub mod dead {
    use super::*;

    /// Bytes of one run: member, first block, length.
    pub const RUN_BYTES: usize = 12;

    /// Writes a run; returns its bytes.
    #[expect(clippy::indexing_slicing, reason = "the caller lends `RUN_BYTES` bytes")]
    pub fn store(out: &mut [u8], run: &BlockRun) -> usize {
        BlockAddress::store(out, run.start);
        u32::store(&mut out[8..], run.blocks);
        RUN_BYTES
    }

    /// The runs of a record; a rest that is too short for one is passed over.
    #[expect(clippy::indexing_slicing, reason = "chunks of `RUN_BYTES`, 12 bytes")]
    pub fn runs(record: &[u8]) -> impl Iterator<Item = BlockRun> + '_ {
        record
            .chunks_exact(RUN_BYTES)
            .map(|bytes| BlockRun { start: BlockAddress::load(bytes), blocks: u32::load(&bytes[8..]) })
    }
}

// --- orphans --------------------------------------------------------------------------------------------------

layout! {
    /// An orphan (kind 4): the object's contents from `offset` on are being deleted.
    OrphanRecord, 9 bytes {
        /// The first byte to be deleted; 2^64 - 1 where nothing is, because the object is still in use
        /// without a name.
        offset / set_offset: u64 = 0,
        /// 1 if the object goes with its contents, 0 if it was only cut.
        whole / set_whole: u8 = 8,
    }
}

// --- counters -------------------------------------------------------------------------------------------------

layout! {
    /// Counters of one member, or of the pool at member number 65535 (kind 7), since the pool was made.
    CountersRecord, 88 bytes {
        /// Reads.
        reads / set_reads: u64 = 0,
        /// Bytes read.
        read_bytes / set_read_bytes: u64 = 8,
        /// Writes.
        writes / set_writes: u64 = 16,
        /// Bytes written.
        write_bytes / set_write_bytes: u64 = 24,
        /// Flushes.
        flushes / set_flushes: u64 = 32,
        /// Reads that failed.
        read_errors / set_read_errors: u64 = 40,
        /// Writes that failed.
        write_errors / set_write_errors: u64 = 48,
        /// Flushes that failed.
        flush_errors / set_flush_errors: u64 = 56,
        /// What was read and was not what had been written.
        checksum_errors / set_checksum_errors: u64 = 64,
        /// Requests that timed out.
        timeouts / set_timeouts: u64 = 72,
        /// Fragments and nodes that were rewritten because a read found them bad.
        repairs / set_repairs: u64 = 80,
    }
}

/// A member's record as it is first written.
pub fn new_member(out: &mut [u8; MemberRecord::<&[u8]>::BYTES], disk: Uuid, start: u64, blocks: u64) {
    out.fill(0);
    let mut record = MemberRecord(&mut out[..]);
    record.set_state(MemberState::Active as u8);
    record.set_disk(disk);
    record.set_start(start);
    record.set_blocks(blocks);
}

/// The member number under which the pool's own counters stand.
pub const POOL_COUNTERS: MemberNumber = MemberNumber::NONE;

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    fn with_spans<R>(given: &[Span], f: impl FnOnce(&MemberRecord<&mut [u8]>) -> R) -> R {
        let mut bytes = [0; MemberRecord::<&[u8]>::BYTES];
        new_member(&mut bytes, Uuid([7; 16]), 8, 100);
        let mut record = MemberRecord(&mut bytes[..]);
        given.iter().for_each(|span| record.distrust(span.clone()));
        f(&record)
    }

    const fn span(start: u64, end: u64) -> Span {
        Generation(start)..Generation(end)
    }

    #[test]
    fn the_nearest_spans_are_joined_when_all_places_are_taken() {
        let given = [span(30, 32), span(3, 5), span(9, 11), span(20, 22), span(40, 41)];
        let expected = [span(3, 11), span(20, 22), span(30, 32), span(40, 41)];
        with_spans(&given, |record| assert!(record.untrusted().eq(expected)));
        with_spans(&[span(3, 5), span(7, 9), span(5, 7)], |record| {
            assert!(record.untrusted().eq([span(3, 9)]));
        });
    }

    /// A disk came back without states that it had acknowledged, and its spans were all in use for later
    /// absences. Data that it was given before them was trusted.
    #[test]
    fn a_full_set_of_spans_takes_one_that_begins_before_all_others() {
        let given = [span(100, 110), span(120, 130), span(150, 160), span(170, 180), span(51, 140)];
        with_spans(&given, |record| {
            assert!(record.untrusted().any(|span| span.contains(&Generation(60))));
        });
    }

    #[test]
    fn what_was_ever_distrusted_stays_so() {
        let mut seed = 1u64;
        let mut draw = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        for _ in 0..2000 {
            let most = 4 + draw(200);
            let mut given = std::vec::Vec::new();
            for _ in 0..=draw(9) {
                let start = draw(most);
                given.push(span(start, start + draw(12)));
            }
            with_spans(&given, |record| {
                let kept: std::vec::Vec<Span> = record.untrusted().collect();
                assert!(kept.len() <= SPANS_MAX);
                assert!(kept.is_sorted_by_key(|span| span.start), "{kept:?}");
                for generation in (0..most + 12).map(Generation) {
                    let is_in = |spans: &[Span]| spans.iter().any(|span| span.contains(&generation));
                    assert!(!is_in(&given) || is_in(&kept), "{generation:?} of {given:?} in {kept:?}");
                    // Nothing more is doubted than what was given as long as there are places.
                    assert!(given.len() > SPANS_MAX || !is_in(&kept) || is_in(&given), "{given:?} {kept:?}");
                }
            });
        }
    }

    #[test]
    fn a_group_record_says_what_its_bitmap_says() {
        let mut out = [0; 17];
        assert_eq!(group::store(&[0; 16], &mut out), None);
        assert_eq!(group::store(&[0xFF; 16], &mut out), Some(1));
        assert_eq!(group::allocated(&out[..1], 128), Some(128));
        let mut bitmap = [0; 16];
        bitmap[3] = 0b101;
        let length = group::store(&bitmap, &mut out).unwrap();
        assert_eq!(group::allocated(&out[..length], 128), Some(2));
        let mut back = [9; 16];
        group::load(Some(&out[..length]), &mut back).unwrap();
        assert_eq!(back, bitmap);
        assert_eq!(group::load(Some(&out[..5]), &mut back), None);
    }
}
