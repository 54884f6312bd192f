//! Finding, storing and freeing extents.

use super::Objects;
use crate::build::{MULTI, PLACEMENT, TIGHT};
use crate::error::Code;
use crate::format::extent::{CRC_BYTES, EXTENT_BYTES_MAX, Extent};
use crate::format::inode::Inode;
use crate::format::key::Key;
use crate::limits::{EXTENT_BYTES_MIN, FRAGMENTS_MAX, OBJECT_BYTES_MAX};
use crate::placement::{self, Candidate, Demand, Places};
use crate::redundancy::{self, Fragments};
use crate::transaction::Purpose;
use crate::types::{BlockAddress, BlockRun, Column, FragmentIndex, ObjectId, Row, Scheme, Set};
use core::ops::ControlFlow;
use dynamicfs_hal::{Batch, DiskArray, Request};

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
    pub(super) fn address(&self, fragment: FragmentIndex) -> BlockAddress {
        self.extent.fragments()[fragment.0].address
    }

    /// Where all fragments are but these.
    pub(super) fn addresses_but(&self, but: Set<FragmentIndex>) -> impl Iterator<Item = BlockAddress> {
        let rest = Set::first(self.extent.fragments().len()).minus(but);
        rest.iter().map(|fragment| self.address(fragment))
    }
}

/// Where each fragment of a stripe is.
pub(super) type Addresses = heapless::Vec<BlockAddress, FRAGMENTS_MAX>;

/// Space that was taken for an extent.
struct Place {
    /// The scheme that the extent comes out in now.
    scheme: Scheme,
    addresses: Addresses,
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

    // --- storing ----------------------------------------------------------------------------------------------

    /// The largest extent that this object's contents are stored in, with the memory there is, and in this pool: a fragment lies
    /// in one group.
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

    /// Stores bytes of an object from `start` on, in the place of the extents that begin within them; how many.
    ///
    /// One extent where there is space for it, else several shorter ones. All of the bytes are stored, or none and
    /// nothing is changed; only where no extent is now it may be some of them.
    pub(super) fn replace_extents(
        &mut self,
        object: ObjectId,
        inode: &Inode,
        start: u64,
        data: &[u8],
        purpose: Purpose,
    ) -> Result<usize, Code> {
        let mut place = self.place(object, inode, start, data.len(), purpose)?;
        if place.is_none() && self.store.sweep_all()? {
            place = self.place(object, inode, start, data.len(), purpose)?;
        }
        let Some(place) = place else {
            return if TIGHT { self.store_pieces(object, inode, start, data, purpose) } else { Ok(0) };
        };
        self.free_extents(object, start, start + data.len() as u64)?;
        self.store_extent(object, inode, start, data, &place)?;
        Ok(data.len())
    }

    /// Stores bytes as extents that are shorter than they could be, because space is in pieces.
    #[inline(never)]
    fn store_pieces(
        &mut self,
        object: ObjectId,
        inode: &Inode,
        start: u64,
        data: &[u8],
        purpose: Purpose,
    ) -> Result<usize, Code> {
        let end = start + data.len() as u64;
        if data.len() <= self.least_extent() {
            return Ok(0);
        }
        let Some(first) = self.extent_between(object, start, end)? else {
            return self.store_ascending(object, inode, start, data, purpose);
        };
        match self.extent_between(object, first + 1, end)? {
            None if first == start => self.store_descending(object, inode, start, data, purpose),
            // The caller does it extent by extent.
            _ => Ok(0),
        }
    }

    /// Stores bytes where no extent is, from the front to the back, as far as there is space.
    fn store_ascending(
        &mut self,
        object: ObjectId,
        inode: &Inode,
        start: u64,
        data: &[u8],
        purpose: Purpose,
    ) -> Result<usize, Code> {
        // An extent begins at a multiple of its size: they only ever become shorter.
        let (mut at, mut size) = (0, data.len().next_power_of_two() / 2);
        while at < data.len() {
            let part = &data[at..data.len().min(at + size)];
            match self.place(object, inode, start + at as u64, part.len(), purpose)? {
                Some(place) => {
                    self.store_extent(object, inode, start + at as u64, part, &place)?;
                    at += part.len();
                }
                None if size / 2 >= self.least_extent() => size /= 2,
                None => break,
            }
        }
        Ok(at)
    }

    /// Stores bytes in the place of one extent that begins where they do: all of them, or none and nothing is changed.
    ///
    /// From the back to the front. The old extent's record stands under its first byte, so it is there until
    /// the last piece has found its space.
    fn store_descending(
        &mut self,
        object: ObjectId,
        inode: &Inode,
        start: u64,
        data: &[u8],
        purpose: Purpose,
    ) -> Result<usize, Code> {
        let (mut end, mut size) = (data.len(), data.len().next_power_of_two() / 2);
        while end > 0 {
            let at = (end - 1) / size * size;
            match self.place(object, inode, start + at as u64, end - at, purpose)? {
                Some(place) => {
                    if at == 0 {
                        self.free_extents(object, start, start + 1)?;
                    }
                    self.store_extent(object, inode, start + at as u64, &data[at..end], &place)?;
                    end = at;
                }
                None if size / 2 >= self.least_extent() => size /= 2,
                None => {
                    self.free_extents(object, start + 1, start + data.len() as u64)?;
                    return Ok(0);
                }
            }
        }
        Ok(data.len())
    }

    /// Bytes of the shortest extent that is worth a record.
    fn least_extent(&self) -> usize {
        EXTENT_BYTES_MIN.max(1 << self.block_shift()) as usize
    }

    /// Whether the window could not be stored as one extent in the open groups as they are, with all of its bytes. As long as it
    /// could, it can be, since nothing else takes runs before it was stored.
    pub(super) fn is_tight(&self, inode: &Inode) -> bool {
        if !TIGHT {
            return false;
        }
        let (bytes, shift) = (self.extent_bytes(inode) as u32, self.block_shift());
        let rows = self.store.tree.data_rows();
        let scheme = redundancy::effective(inode.scheme, bytes, shift, rows.len());
        let Some(scheme) = scheme.and_then(|scheme| self.scheme_that_fits(scheme, bytes)) else {
            return true;
        };
        let blocks = (redundancy::fragment_bytes(scheme, bytes, shift) >> shift) as u32;
        rows.iter().filter(|&row| self.store.tree.space.has_run(row, blocks)).count() < scheme.width()
    }

    /// Finds and takes the space for one extent; `None`, and nothing taken, if no members have free runs that are long
    /// enough.
    #[inline(never)]
    fn place(
        &mut self,
        object: ObjectId,
        inode: &Inode,
        start: u64,
        bytes: usize,
        purpose: Purpose,
    ) -> Result<Option<Place>, Code> {
        let (block_shift, logical) = (self.block_shift(), bytes as u32);
        let members = self.store.tree.data_rows().len();
        if let Some(feature) = inode.scheme.lacks() {
            return Err(self.store.tree.disks.about.lacks(feature));
        }
        let Some(scheme) = redundancy::effective(inode.scheme, logical, block_shift, members) else {
            return Err(self.store.tree.disks.about.too_few(Set::EMPTY));
        };
        let Some(scheme) = self.scheme_that_fits(scheme, logical) else { return Ok(None) };
        let blocks = (redundancy::fragment_bytes(scheme, logical, block_shift) >> block_shift) as u32;
        let demand = Demand {
            width: scheme.width(),
            parity: scheme.parity.into(),
            tier: inode.tier,
            object,
            offset: start,
        };
        let addresses = self.allocate(demand, blocks, purpose)?;
        Ok(addresses.map(|addresses| Place { scheme, addresses }))
    }

    /// Stores one extent where there is none now.
    #[inline(never)]
    fn store_extent(
        &mut self,
        object: ObjectId,
        inode: &Inode,
        start: u64,
        data: &[u8],
        place: &Place,
    ) -> Result<(), Code> {
        let mut extent =
            Extent::new(place.scheme, inode.scheme, data.len() as u32, self.store.tree.generation);
        place.addresses.iter().for_each(|&address| extent.push(address));
        let stage = core::mem::take(&mut self.store.stage);
        let fragments = Fragments::encode(place.scheme, data, self.block_shift(), stage);
        let recorded = self
            .write_fragments(&extent, &fragments)
            .and_then(|()| self.put_record(object, start, &extent, Some(&fragments)));
        self.store.stage = stage;
        recorded?;
        let superblock = self.store.superblock_mut();
        let extents = superblock.extents();
        superblock.set_extents(extents + 1);
        superblock.note_scheme(inode.scheme);
        self.store.tree.counters.note(|counters| counters.extents_written += 1);
        Ok(())
    }

    /// The scheme, if the stage holds what it takes to encode it. With disks missing there are fewer data
    /// fragments, which are longer, and parity may not fit any more. A long extent is then stored as shorter
    /// ones (`None`), the shortest as copies, which take no work space.
    fn scheme_that_fits(&self, scheme: Scheme, logical: u32) -> Option<Scheme> {
        let fits =
            |scheme| redundancy::stage_bytes(scheme, logical, self.block_shift()) <= self.store.stage.len();
        let copies = Scheme { data: 1, ..scheme };
        match fits(scheme) {
            true => Some(scheme),
            false if u64::from(logical) <= EXTENT_BYTES_MIN && fits(copies) => Some(copies),
            false => None,
        }
    }

    /// Takes a run of blocks for each fragment, on different members; `None`, and nothing taken, if there are none.
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

    /// Writes the fragments; a disk that fails is out of use, and the commit decides whether that can be borne.
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
