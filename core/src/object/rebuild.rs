//! Putting fragments elsewhere, or there anew: computed from what is right, proved, and written to new blocks.

use super::Objects;
use super::extents::Found;
use super::fit::Destination;
use super::segment::{Reading, Segment};
use super::store::Addresses;
use crate::error::Code;
use crate::limits::{DATA_FRAGMENTS_MAX, FRAGMENTS_MAX};
use crate::placement::{self, Demand, Places};
use crate::redundancy;
use crate::transaction::Purpose;
use crate::types::{BlockAddress, BlockRun, Column, FragmentIndex, ObjectId, Row, Set};
use dynamicfs_hal::{Batch, DiskArray, Request};

/// Fragments, by their index.
type Indices = heapless::Vec<u8, FRAGMENTS_MAX>;

/// Tree updates that a new place for fragments takes at most.
pub(super) const UPDATES: u32 = 16;

/// What became of an extent that was to be mended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mended {
    /// It is as it should be.
    Done,
    /// There is no space, or no member, for what is missing.
    NoSpace,
    /// Too few fragments can be read and proved.
    Lost,
    /// It is not there any more, or about to go.
    Gone,
    /// The lent memory does not hold what it takes.
    NoMemory,
}

/// Fragments of an extent that are to be put elsewhere, or where they are anew.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Relocation<'a> {
    /// Their indices.
    pub(crate) fragments: &'a [u8],
    /// They are right as far as is known, and are copied as they are.
    pub(crate) right: bool,
    /// Rows that they may not go to.
    pub(crate) avoid: Set<Row>,
}

impl<'a> Relocation<'a> {
    /// Fragments that do not count where they are.
    pub(crate) const fn of(fragments: &'a [u8]) -> Self {
        Self { fragments, right: false, avoid: Set::EMPTY }
    }
}

impl<A: DiskArray> Objects<'_, A> {
    // --- moving fragments -------------------------------------------------------------------------------------

    /// Puts these fragments of an extent on members that have no other fragment of it, as many as find space. Part of a
    /// transaction; unless it is done nothing was changed.
    #[inline(never)] // Once, and not in each of its callers.
    pub(crate) fn move_fragments(
        &mut self,
        object: ObjectId,
        found: &Found,
        what: Relocation<'_>,
    ) -> Result<Mended, Code> {
        if !self.try_begin_change(UPDATES, Purpose::Release)? {
            return Ok(Mended::NoSpace);
        }
        self.change(|objects| {
            let (mut moved, mut places) = objects.find_places(object, found, what)?;
            if places.is_empty() && objects.store.sweep_all()? {
                (moved, places) = objects.find_places(object, found, what)?;
            }
            let moved = Relocation { fragments: &moved, ..what };
            if places.is_empty() {
                return Ok(Mended::NoSpace);
            }
            let mended = match objects.copy_fragments(object, found, moved, &places)? {
                Mended::Done => objects.point_to(object, found, (what, moved.fragments), &places)?,
                failed => failed,
            };
            let blocks = found.extent.fragment_blocks(objects.block_shift());
            if mended != Mended::Done {
                for &start in &places {
                    objects.store.free(BlockRun { start, blocks })?;
                }
            }
            // Those that found no place are counted as they are now.
            let is_rest = places.len() < what.fragments.len();
            Ok(if mended == Mended::Done && is_rest { Mended::NoSpace } else { mended })
        })
    }

    /// Takes space for fragments, as many as find it: each on a member that has none of the extent's. Which ones, and where.
    ///
    /// Where a fragment is now is as good as any other member, if it may stay there. All try that first: a member that has
    /// no space for its own fragment stays with that one, and is given no other.
    #[expect(clippy::cast_possible_truncation, reason = "a build has at most 20 fragments")]
    fn find_places(
        &mut self,
        object: ObjectId,
        found: &Found,
        what: Relocation<'_>,
    ) -> Result<(Indices, Addresses), Code> {
        let bad = what.fragments;
        let blocks = found.extent.fragment_blocks(self.block_shift());
        let row_of = |objects: &Self, index: u8| {
            let address = found.address(index.into());
            objects.store.tree.space.superblock.row_of(address.member)
        };
        let stays = (0..found.extent.scheme.width() as u8).filter(|index| !bad.contains(index));
        let mut taken = Places::new();
        taken.extend(stays.filter_map(|index| row_of(self, index)).map(|row| row.byte()));
        let mut rows = self.store.tree.data_rows().minus(what.avoid);
        rows = taken.iter().fold(rows, |rows, &row| rows.without(row.into()));
        let demand = Demand {
            width: 1,
            parity: found.extent.scheme.parity.into(),
            tier: 0,
            object,
            offset: found.start,
        };
        let (mut moved, mut places, mut left) = (Indices::new(), Addresses::new(), Indices::new());
        for &index in bad {
            let own = row_of(self, index).filter(|&row| rows.contains(row));
            rows = own.map_or(rows, |row| rows.without(row));
            match own.map(|row| self.store.take_run(row, blocks, Purpose::Move)).transpose()?.flatten() {
                Some(address) => {
                    _ = (moved.push(index), places.push(address));
                    taken.extend(own.map(|row| row.byte()));
                }
                None => _ = left.push(index),
            }
        }
        for &index in &left {
            while let Some(&row) = placement::choose(rows, &taken, &demand, |row| self.candidate(row)).first()
            {
                rows = rows.without(row.into());
                if let Some(address) = self.store.take_run(row.into(), blocks, Purpose::Move)? {
                    _ = (moved.push(index), places.push(address), taken.push(row));
                    break;
                }
            }
        }
        Ok((moved, places))
    }

    /// Writes fragments anew from the others, as many columns at a time as the lent memory holds.
    fn copy_fragments(
        &mut self,
        object: ObjectId,
        found: &Found,
        what: Relocation<'_>,
        places: &[BlockAddress],
    ) -> Result<Mended, Code> {
        let stage = core::mem::take(&mut self.store.stage);
        let copied = self.with_free_window(|objects, window| {
            objects.copy_columns(object, found, what, places, window, stage)
        });
        self.store.stage = stage;
        copied
    }

    #[expect(
        clippy::indexing_slicing,
        clippy::cast_possible_truncation,
        reason = "as many columns as the window holds of all inputs; a build has at most 20 fragments"
    )]
    fn copy_columns(
        &mut self,
        object: ObjectId,
        found: &Found,
        what: Relocation<'_>,
        places: &[BlockAddress],
        window: &mut [u8],
        stage: &mut [u8],
    ) -> Result<Mended, Code> {
        let chunk = 1usize << self.chunk_shift();
        let (k, bytes) =
            (usize::from(found.extent.scheme.data), found.extent.fragment_bytes(self.block_shift()));
        let bad = what.fragments;
        let copies = what.right && window.len() >= bad.len() * chunk;
        let inputs = if copies { k.max(bad.len()) } else { k };
        let outputs = if k == 1 { usize::MAX } else { stage.len() / bad.len() };
        let columns = (window.len() / inputs).min(outputs).min(bytes.next_multiple_of(chunk)) / chunk;
        let columns = columns.min(self.columns_at_once(found));
        if window.len() < chunk {
            return Ok(Mended::NoMemory);
        }
        let at_once = columns.max(1);
        for first in (0..bytes.div_ceil(chunk)).step_by(at_once) {
            let length = (at_once * chunk).min(bytes - first * chunk);
            let segment = Segment::of(FragmentIndex(0), Column(first), length.div_ceil(chunk), length);
            let reading = self.load_checksums(object, found, &[segment])?;
            if copies {
                let copies = &mut window[..bad.len() * length];
                let fragments = (bad.len(), bad.iter().copied());
                if self.read_columns(reading, &segment, fragments, copies).is_some() {
                    self.write_columns(places, first, copies.chunks_exact(length))?;
                    continue;
                }
            }
            // First those that are thought to be right.
            let all = 0..found.extent.scheme.width() as u8;
            let candidates = all.filter(|index| !bad.contains(index)).chain(bad.iter().copied());
            // Where the memory does not hold a column of all, the fragments are computed one by one.
            let inputs = if columns > 0 { &mut window[..k * length] } else { &mut [] };
            let sources = match inputs.is_empty() {
                true => None,
                false => self.read_columns(reading, &segment, (k, candidates), inputs),
            };
            match sources {
                Some(_) if k == 1 => {
                    self.write_columns(places, first, core::iter::repeat_n(&*inputs, places.len()))?;
                }
                Some(sources) if self.compute(reading, bad, &sources, &segment, inputs, stage) => {
                    self.write_columns(places, first, stage.chunks_exact(length))?;
                }
                _ => match self.copy_one_by_one(object, reading, &segment, (bad, places), window, stage) {
                    Ok(()) => {}
                    Err(Code::Unreadable) => return Ok(Mended::Lost),
                    Err(Code::NeedsMemory) => return Ok(Mended::NoMemory),
                    Err(error) => return Err(error),
                },
            }
        }
        Ok(Mended::Done)
    }

    /// Writes columns of fragments anew, one fragment and column after the other: each may still have enough
    /// that is right, of the fragment itself perhaps.
    #[expect(
        clippy::indexing_slicing,
        reason = "the window holds the columns of one fragment: a chunk at least"
    )]
    fn copy_one_by_one(
        &mut self,
        object: ObjectId,
        reading: Reading<'_>,
        segment: &Segment,
        (bad, places): (&[u8], &[BlockAddress]),
        window: &mut [u8],
        stage: &mut [u8],
    ) -> Result<(), Code> {
        let part = &mut window[..segment.bytes];
        for (&index, place) in bad.iter().zip(places) {
            for (part, column) in part.chunks_mut(1 << self.chunk_shift()).zip(segment.columns()) {
                let own = Segment { avoided: true, ..Segment::of(index.into(), column, 1, part.len()) };
                self.recover(object, reading, &own, part, stage)?;
            }
            self.write_columns(core::slice::from_ref(place), segment.first.0, core::iter::once(&*part))?;
        }
        Ok(())
    }

    /// Computes columns of the bad fragments into the stage, one after the other, and proves them.
    #[expect(
        clippy::indexing_slicing,
        reason = "a source's place among the sources is that among their inputs"
    )]
    fn compute(
        &mut self,
        reading: Reading<'_>,
        bad: &[u8],
        sources: &[u8],
        segment: &Segment,
        inputs: &[u8],
        stage: &mut [u8],
    ) -> bool {
        let mut survivors = heapless::Vec::<&[u8], DATA_FRAGMENTS_MAX>::new();
        survivors.extend(inputs.chunks_exact(segment.bytes));
        // A fragment that was thought to be bad and was right is its own source.
        let wanted: heapless::Vec<u8, FRAGMENTS_MAX> =
            bad.iter().copied().filter(|index| !sources.contains(index)).collect();
        let mut computed = heapless::Vec::<&mut [u8], FRAGMENTS_MAX>::new();
        for (&index, part) in bad.iter().zip(stage.chunks_exact_mut(segment.bytes)) {
            match sources.iter().position(|&source| source == index) {
                Some(at) => part.copy_from_slice(survivors[at]),
                None => _ = computed.push(part),
            }
        }
        let done = wanted.is_empty()
            || redundancy::reconstruct(
                reading.found.extent.scheme,
                (sources, &survivors),
                (&wanted, &mut computed),
            );
        drop((computed, survivors));
        done && bad.iter().zip(stage.chunks_exact(segment.bytes)).all(|(&index, part)| {
            let segment = Segment { fragment: index.into(), source: index.into(), ..*segment };
            self.is_right(reading, &segment, part)
        })
    }

    /// Writes columns to new places, from column `first` on. A disk that fails is out of use, and the commit decides
    /// whether that can be borne.
    fn write_columns<'b>(
        &mut self,
        places: &[BlockAddress],
        first: usize,
        parts: impl Iterator<Item = &'b [u8]>,
    ) -> Result<(), Code> {
        let disks = &mut self.store.tree.disks;
        let offset = (first << disks.parameters.chunk_shift) as u64;
        let mut batch = A::Batch::default();
        for (&place, part) in places.iter().zip(parts) {
            let Some((disk, lba)) = disks.locate(place, offset) else { continue };
            if let Err(request) = batch.push(Request::write(disk.0, lba, part)) {
                disks.execute(&mut batch);
                batch = A::Batch::default();
                let pushed = batch.push(request);
                debug_assert!(pushed.is_ok(), "an empty batch takes a request");
            }
        }
        disks.execute(&mut batch);
        disks.refusal()
    }

    /// Lets an extent's record say where its fragments are now, and frees where they were.
    fn point_to(
        &mut self,
        object: ObjectId,
        found: &Found,
        (what, moved): (Relocation<'_>, &[u8]),
        places: &[BlockAddress],
    ) -> Result<Mended, Code> {
        let mut healed = found.clone();
        for (&index, &place) in moved.iter().zip(places) {
            healed.extent.heal(index.into(), place, self.store.tree.generation);
        }
        let there = self.counting_rows(&healed, what, moved);
        let disks = &self.store.tree.disks;
        let has_failed = places.iter().any(|place| disks.disk_of(place.member).is_none());
        if has_failed && there.len() < found.extent.scheme.data.into() {
            // It was written to a disk that failed meanwhile: what there is of it is where it was.
            return Ok(Mended::NoSpace);
        }
        if !self.replace_head(object, found, &healed)? {
            return Ok(Mended::NoMemory);
        }
        let blocks = found.extent.fragment_blocks(self.block_shift());
        for &index in moved {
            self.store.free(BlockRun { start: found.address(index.into()), blocks })?;
        }
        let tree = &mut self.store.tree;
        tree.note_places(there, found.extent.scheme.data.into());
        Ok(Mended::Done)
    }

    /// Rows of the members that take part and have a fragment that counts. It was written now, or nothing
    /// says that it may be wrong. What was to move and found no place counts where it was right.
    fn counting_rows(&self, healed: &Found, what: Relocation<'_>, moved: &[u8]) -> Set<Row> {
        let tree = &self.store.tree;
        let superblock = &tree.space.superblock;
        let distrusted = superblock.owed().or(self.store.roster().distrusted);
        let row = |(index, address): (u8, BlockAddress)| {
            let row = superblock.row_of(address.member)?;
            let is_right = (what.right || !what.fragments.contains(&index)) && !distrusted.contains(row);
            (moved.contains(&index) || is_right).then_some(row)
        };
        let places = (0u8..).zip(healed.extent.fragments().iter().map(|fragment| fragment.address));
        places.filter_map(row).collect::<Set<Row>>().and(tree.disks.online())
    }

    // --- storing again ----------------------------------------------------------------------------------------

    /// Stores an extent again, in the scheme that its object asks for and the disks there are allow. Part of a
    /// transaction.
    #[expect(clippy::indexing_slicing, reason = "compared with the window's length above")]
    pub(crate) fn store_again(&mut self, object: ObjectId, found: &Found) -> Result<Mended, Code> {
        let bytes = found.extent.logical as usize;
        if self.store.window.len() < bytes {
            return Ok(Mended::NoMemory);
        }
        let inode = match self.stored_inode(object) {
            Err(Code::NotFound) => return Ok(Mended::Gone),
            inode => inode?,
        };
        if !self.try_begin_change(UPDATES, Purpose::Release)? {
            return Ok(Mended::NoSpace);
        }
        self.with_free_window(|objects, window| {
            let data = &mut window[..bytes];
            match objects.read_extent(object, found, 0, data) {
                Err(Code::Unreadable) => return Ok(Mended::Lost),
                read => read?,
            }
            objects.change(|objects| {
                let to = Destination::new(object, &inode, found.start).with(Purpose::Move);
                let stored = objects.replace_extents(to, data)?;
                Ok(if stored.is_whole(bytes) { Mended::Done } else { Mended::NoSpace })
            })
        })
    }

    // --- proving ----------------------------------------------------------------------------------------------

    /// Reads all fragments of an extent that are there and proves them: those that are wrong, by their index. Uses the
    /// window buffer.
    #[expect(
        clippy::indexing_slicing,
        reason = "as many columns as the window holds of `together` fragments"
    )]
    pub(crate) fn prove_stripe(
        &mut self,
        object: ObjectId,
        found: &Found,
    ) -> Result<Set<FragmentIndex>, Code> {
        self.with_free_window(|objects, window| {
            let chunk = 1usize << objects.chunk_shift();
            let bytes = found.extent.fragment_bytes(objects.block_shift());
            let width = found.extent.scheme.width();
            let together = width.min(window.len() / chunk);
            if together == 0 {
                return Err(objects.store.tree.disks.about.needs(chunk));
            }
            let at_once = (window.len() / together / chunk).min(objects.columns_at_once(found));
            let mut wrong = Set::EMPTY;
            for first in (0..bytes.div_ceil(chunk)).step_by(at_once) {
                let length = (at_once * chunk).min(bytes - first * chunk);
                let segment = Segment::of(FragmentIndex(0), Column(first), length.div_ceil(chunk), length);
                let reading = objects.load_checksums(object, found, &[segment])?;
                for index in (0..width).step_by(together) {
                    let indices = index..width.min(index + together);
                    let buf = &mut window[..indices.len() * length];
                    wrong = wrong.or(objects.prove_columns(reading, indices, &segment, buf));
                }
            }
            Ok(wrong)
        })
    }

    /// Reads some columns of some fragments in as few batches as they fit, and proves them: which are wrong.
    #[expect(clippy::indexing_slicing, reason = "the parts are those of the fragments from `first` on")]
    fn prove_columns(
        &mut self,
        reading: Reading<'_>,
        indices: core::ops::Range<usize>,
        segment: &Segment,
        buf: &mut [u8],
    ) -> Set<FragmentIndex> {
        let mut wrong = Set::EMPTY;
        let capacity = A::Batch::capacity();
        let batches = buf.chunks_mut(capacity * segment.bytes);
        for (first, parts) in indices.clone().step_by(capacity).zip(batches) {
            let mut read = heapless::Vec::<(FragmentIndex, bool), FRAGMENTS_MAX>::new();
            let mut batch = A::Batch::default();
            let disks = &mut self.store.tree.disks;
            let offset = (segment.first.0 << disks.parameters.chunk_shift) as u64;
            for (index, part) in (first..).map(FragmentIndex).zip(parts.chunks_exact_mut(segment.bytes)) {
                if let Some((disk, lba)) = disks.locate(reading.found.address(index), offset) {
                    let pushed = batch.push(Request::read(disk.0, lba, part));
                    debug_assert!(pushed.is_ok(), "no more parts than the batch holds");
                    let _ = read.push((index, false));
                }
            }
            disks.execute(&mut batch);
            for (read, request) in read.iter_mut().zip(batch.requests().iter()) {
                read.1 = request.result.is_ok();
            }
            drop(batch);
            for (index, read) in read {
                let part = &parts[(index.0 - first) * segment.bytes..][..segment.bytes];
                let segment = Segment { fragment: index, source: index, ..*segment };
                if !read || !self.is_right(reading, &segment, part) {
                    wrong = wrong.with(index);
                }
            }
        }
        wrong
    }
}
