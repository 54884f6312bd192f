//! Storing extents: the space for them, their fragments, their records.

use super::Objects;
use super::fit::{Destination, Fit};
use crate::build::{MULTI, PLACEMENT, TIGHT};
use crate::error::Code;
use crate::format::extent::{CRC_BYTES, EXTENT_BYTES_MAX, Extent};
use crate::format::inode::Inode;
use crate::format::key::Key;
use crate::limits::{EXTENT_BYTES_MIN, FRAGMENTS_MAX};
use crate::placement::{self, Candidate, Demand, Places};
use crate::redundancy::{self, Fragments};
use crate::transaction::Purpose;
use crate::types::{BlockAddress, BlockRun, Column, FragmentIndex, ObjectId, Row, Scheme, Set};
use dynamicfs_hal::{Batch, DiskArray, Request};

/// Where each fragment of a stripe is.
pub(super) type Addresses = heapless::Vec<BlockAddress, FRAGMENTS_MAX>;

/// Space that was taken for an extent.
struct Place {
    /// The scheme that the extent comes out in now.
    scheme: Scheme,
    addresses: Addresses,
}

impl<A: DiskArray> Objects<'_, A> {
    /// The largest extent that this object's contents are stored in, with the memory there is, and in this
    /// pool: a fragment lies in one group.
    #[expect(clippy::cast_possible_truncation, reason = "an extent is at most 4 MiB")]
    pub(super) fn extent_bytes(&self, inode: &Inode) -> u64 {
        let (scheme, shift) = (inode.scheme, self.block_shift());
        let group_bytes = (self.store.tree.space.group_blocks() as usize) << shift;
        let mut bytes = inode.extent_bytes().min(self.store.window.len() as u64);
        while bytes > EXTENT_BYTES_MIN
            && (redundancy::stage_bytes(scheme, bytes as u32, shift) > self.store.stage.len()
                || redundancy::fragment_bytes(scheme, bytes as u32, shift) > group_bytes)
        {
            bytes /= 2;
        }
        bytes
    }

    /// Stores bytes of an object from `start` on, in the place of the extents that begin within them; how
    /// many.
    ///
    /// One extent where there is space for it, else several shorter ones. All of the bytes are stored, or
    /// none and nothing is changed; only where no extent is now it may be some of them.
    pub(super) fn replace_extents(&mut self, to: Destination<'_>, data: &[u8]) -> Result<Fit<usize>, Code> {
        let mut place = self.place(to, data.len())?;
        if place.is_none() && self.store.sweep_all()? {
            place = self.place(to, data.len())?;
        }
        let Some(place) = place else {
            return if TIGHT { self.store_pieces(to, data) } else { Ok(Fit::NoSpace) };
        };
        self.free_extents(to.object, to.start, to.start + data.len() as u64)?;
        self.store_extent(to, data, &place)?;
        Ok(Fit::Done(data.len()))
    }

    /// Stores bytes as extents that are shorter than they could be, because space is in pieces.
    // Not part of its caller, whose stack would hold it in every write.
    #[inline(never)]
    fn store_pieces(&mut self, to: Destination<'_>, data: &[u8]) -> Result<Fit<usize>, Code> {
        let end = to.start + data.len() as u64;
        if data.len() <= self.least_extent() {
            return Ok(Fit::NoSpace);
        }
        let Some(first) = self.extent_between(to.object, to.start, end)? else {
            return self.store_ascending(to, data);
        };
        match self.extent_between(to.object, first + 1, end)? {
            None if first == to.start => self.store_descending(to, data),
            // The caller does it extent by extent.
            _ => Ok(Fit::NoSpace),
        }
    }

    /// Stores bytes where no extent is, from the front to the back, as far as there is space.
    #[expect(clippy::indexing_slicing, reason = "`at` is below the length, and the end is cut to it")]
    fn store_ascending(&mut self, to: Destination<'_>, data: &[u8]) -> Result<Fit<usize>, Code> {
        // An extent begins at a multiple of its size: they only ever become shorter.
        let (mut at, mut size) = (0, data.len().next_power_of_two() / 2);
        while at < data.len() {
            let (here, part) = (to.at(to.start + at as u64), &data[at..data.len().min(at + size)]);
            match self.place(here, part.len())? {
                Some(place) => {
                    self.store_extent(here, part, &place)?;
                    at += part.len();
                }
                None if size / 2 >= self.least_extent() => size /= 2,
                None => break,
            }
        }
        Ok(if at > 0 { Fit::Done(at) } else { Fit::NoSpace })
    }

    /// Stores bytes in the place of one extent that begins where they do: all of them, or none.
    ///
    /// From the back to the front. The old extent's record stands under its first byte, so it is there until
    /// the last piece has found its space.
    #[expect(clippy::indexing_slicing, reason = "`at` is before `end`, and that at most the length")]
    fn store_descending(&mut self, to: Destination<'_>, data: &[u8]) -> Result<Fit<usize>, Code> {
        let (mut end, mut size) = (data.len(), data.len().next_power_of_two() / 2);
        while end > 0 {
            let at = (end - 1) / size * size;
            let here = to.at(to.start + at as u64);
            match self.place(here, end - at)? {
                Some(place) => {
                    if at == 0 {
                        self.free_extents(to.object, to.start, to.start + 1)?;
                    }
                    self.store_extent(here, &data[at..end], &place)?;
                    end = at;
                }
                None if size / 2 >= self.least_extent() => size /= 2,
                None => {
                    self.free_extents(to.object, to.start + 1, to.start + data.len() as u64)?;
                    return Ok(Fit::NoSpace);
                }
            }
        }
        Ok(Fit::Done(data.len()))
    }

    /// Bytes of the shortest extent that is worth a record.
    #[expect(clippy::cast_possible_truncation, reason = "at most a block of 64 KiB")]
    fn least_extent(&self) -> usize {
        EXTENT_BYTES_MIN.max(1 << self.block_shift()) as usize
    }

    /// Whether the window could not be stored as one extent in the open groups as they are, with all of its
    /// bytes. As long as it could, it can be, since nothing else takes runs before it was stored.
    #[expect(clippy::cast_possible_truncation, reason = "an extent is at most 4 MiB")]
    pub(super) fn is_tight(&self, inode: &Inode) -> bool {
        let (bytes, shift) = (self.extent_bytes(inode) as u32, self.block_shift());
        let rows = self.store.tree.data_rows();
        let scheme = redundancy::effective(inode.scheme, bytes, shift, rows.len());
        let Some(scheme) = scheme.and_then(|scheme| self.scheme_that_fits(scheme, bytes)) else {
            return true;
        };
        let blocks = (redundancy::fragment_bytes(scheme, bytes, shift) >> shift) as u32;
        rows.iter().filter(|&row| self.store.tree.space.has_run(row, blocks)).count() < scheme.width()
    }

    /// Finds and takes the space for one extent; `None`, and nothing taken, if no members have free runs that
    /// are long enough.
    #[inline(never)] // Once, and not in each of its callers.
    #[expect(clippy::cast_possible_truncation, reason = "an extent is at most 4 MiB")]
    fn place(&mut self, to: Destination<'_>, bytes: usize) -> Result<Option<Place>, Code> {
        let (block_shift, logical) = (self.block_shift(), bytes as u32);
        let members = self.store.tree.data_rows().len();
        if let Some(feature) = to.inode.scheme.lacks() {
            return Err(self.store.tree.disks.about.lacks(feature));
        }
        let Some(scheme) = redundancy::effective(to.inode.scheme, logical, block_shift, members) else {
            return Err(self.store.tree.disks.about.too_few(Set::EMPTY));
        };
        let Some(scheme) = self.scheme_that_fits(scheme, logical) else { return Ok(None) };
        let blocks = (redundancy::fragment_bytes(scheme, logical, block_shift) >> block_shift) as u32;
        let demand = Demand {
            width: scheme.width(),
            parity: scheme.parity.into(),
            tier: to.inode.tier,
            object: to.object,
            offset: to.start,
        };
        let addresses = self.allocate(demand, blocks, to.purpose)?;
        Ok(addresses.map(|addresses| Place { scheme, addresses }))
    }

    /// Stores one extent where there is none now.
    #[inline(never)] // Once, and not in each of its callers.
    #[expect(clippy::cast_possible_truncation, reason = "an extent is at most 4 MiB")]
    fn store_extent(&mut self, to: Destination<'_>, data: &[u8], place: &Place) -> Result<(), Code> {
        let mut extent =
            Extent::new(place.scheme, to.inode.scheme, data.len() as u32, self.store.tree.generation);
        place.addresses.iter().for_each(|&address| extent.push(address));
        let stage = core::mem::take(&mut self.store.stage);
        let fragments = Fragments::encode(place.scheme, data, self.block_shift(), stage);
        let recorded = self
            .write_fragments(&extent, &fragments)
            .and_then(|()| self.put_record(to.object, to.start, &extent, Some(&fragments)));
        self.store.stage = stage;
        recorded?;
        let superblock = self.store.superblock_mut();
        let extents = superblock.extents();
        superblock.set_extents(extents + 1);
        superblock.note_scheme(to.inode.scheme);
        self.store.tree.counters.note(|counters| counters.extents_written += 1);
        Ok(())
    }

    /// The scheme, if the stage holds what it takes to encode it. With disks missing there are fewer data
    /// fragments, which are longer. An extent that is stored again may belong to an object whose scheme has
    /// changed. Where the stage holds less, a long extent is stored as shorter ones (`None`). The shortest
    /// are stored as copies, which take no work space; so are all in a build without pieces.
    fn scheme_that_fits(&self, scheme: Scheme, logical: u32) -> Option<Scheme> {
        let fits =
            |scheme| redundancy::stage_bytes(scheme, logical, self.block_shift()) <= self.store.stage.len();
        let copies = Scheme { data: 1, ..scheme };
        match fits(scheme) {
            true => Some(scheme),
            false if (!TIGHT || u64::from(logical) <= EXTENT_BYTES_MIN) && fits(copies) => Some(copies),
            false => None,
        }
    }

    /// Takes a run of blocks for each fragment, on different members; `None`, and nothing taken, if there are
    /// none.
    fn allocate(&mut self, demand: Demand, blocks: u32, purpose: Purpose) -> Result<Option<Addresses>, Code> {
        let (mut taken, mut taken_rows) = (Addresses::new(), Places::new());
        let mut rows = self.store.tree.data_rows();
        if !MULTI {
            let row = rows.iter().next().unwrap_or_default();
            let address = self.store.take_run(row, blocks, purpose)?;
            self.wanting |= address.is_none();
            return Ok(address.map(|address| Addresses::from_iter([address])));
        }
        while taken.len() < demand.width {
            let rest = Demand { width: demand.width - taken.len(), ..demand };
            let places = placement::choose(rows, &taken_rows, &rest, |row| self.candidate(row));
            if places.len() < rest.width {
                for &start in &taken {
                    self.store.untake_run(BlockRun { start, blocks })?;
                }
                self.wanting = true;
                return Ok(None);
            }
            for row in places {
                rows = rows.without(row.into());
                if let Some(address) = self.store.take_run(row.into(), blocks, purpose)? {
                    let _ = (taken.push(address), taken_rows.push(row));
                }
            }
        }
        let rows = taken_rows.iter().fold(Set::EMPTY, |rows, &row| rows.with(row.into()));
        self.store.tree.note_places(rows, demand.width - demand.parity);
        Ok(Some(taken))
    }

    pub(crate) fn candidate(&self, row: Row) -> Candidate {
        let tree = &self.store.tree;
        let identity = tree.disks.identity_in_row(row).filter(|_| PLACEMENT);
        Candidate {
            member: tree.space.member(row),
            room: tree.space.superblock.row(row).free() * identity.map_or(256, |i| u64::from(i.weight)) / 256,
            failure_domain: identity.map_or(0, |i| i.failure_domain),
            tier: identity.map_or(0, |i| i.tier),
        }
    }

    /// Writes the fragments; a disk that fails is out of use, and the commit decides whether that can be
    /// borne.
    #[expect(clippy::indexing_slicing, reason = "an address was taken for each fragment of the scheme")]
    fn write_fragments(&mut self, extent: &Extent, fragments: &Fragments<'_>) -> Result<(), Code> {
        let tree = &mut self.store.tree;
        let mut next = 0;
        while next < extent.scheme.width() {
            let mut batch = A::Batch::default();
            let mut room = A::Batch::capacity();
            while room > 0 && next < extent.scheme.width() {
                if let Some((disk, lba)) = tree.disks.locate(extent.fragments()[next].address, 0) {
                    let pushed = batch.push(Request::write(disk.0, lba, fragments.get(FragmentIndex(next))));
                    debug_assert!(pushed.is_ok());
                    room -= 1;
                }
                next += 1;
            }
            tree.disks.execute(&mut batch);
        }
        tree.disks.refusal()
    }

    /// Writes an extent's record, piece by piece: its head, then the checksums of its fragments.
    #[expect(clippy::indexing_slicing, reason = "as many bytes as were encoded into it")]
    fn put_record(
        &mut self,
        object: ObjectId,
        start: u64,
        extent: &Extent,
        fragments: Option<&Fragments<'_>>,
    ) -> Result<(), Code> {
        let (block_shift, chunk_shift) = (self.block_shift(), self.chunk_shift());
        let mut head = [0; EXTENT_BYTES_MAX];
        let head_bytes = extent.encode(&mut head);
        let mut writer = PieceWriter { object, key: start, filled: 0, bytes: self.piece_bytes() };
        writer.push(self, &head[..head_bytes])?;
        let crc32c = self.store.tree.disks.crc32c;
        for column in (0..extent.columns(block_shift, chunk_shift)).map(Column) {
            for index in (0..extent.crcs_per_column()).map(FragmentIndex) {
                let crc = fragments.map_or(0, |f| f.crc(index, column, 1 << chunk_shift, crc32c));
                writer.push(self, &crc.to_le_bytes())?;
            }
        }
        writer.finish(self)
    }
}

/// Lays a record in pieces under successive keys.
pub(super) struct PieceWriter {
    pub(super) object: ObjectId,
    pub(super) key: u64,
    pub(super) filled: usize,
    pub(super) bytes: usize,
}

impl PieceWriter {
    #[expect(
        clippy::indexing_slicing,
        reason = "a piece is no longer than its buffer, and `room` is what it has left"
    )]
    pub(super) fn push<A: DiskArray>(
        &mut self,
        objects: &mut Objects<'_, A>,
        mut bytes: &[u8],
    ) -> Result<(), Code> {
        while !bytes.is_empty() {
            let room = (self.bytes - self.filled).min(bytes.len());
            let (now, later) = bytes.split_at(room);
            objects.store.piece[self.filled..self.filled + room].copy_from_slice(now);
            self.filled += room;
            bytes = later;
            if self.filled == self.bytes {
                self.finish(objects)?;
            }
        }
        Ok(())
    }

    #[expect(clippy::indexing_slicing, reason = "`push` fills no more than a piece")]
    pub(super) fn finish<A: DiskArray>(&mut self, objects: &mut Objects<'_, A>) -> Result<(), Code> {
        if self.filled == 0 {
            return Ok(());
        }
        let piece = core::mem::take(&mut objects.store.piece);
        let put = objects.store.put(&Key::extent(self.object, self.key), &piece[..self.filled]);
        objects.store.piece = piece;
        self.key += 1;
        self.filled = 0;
        put
    }
}

const _: () = assert!(CRC_BYTES == 4);
