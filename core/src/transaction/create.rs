//! The first state of a new pool.

use super::memory::Memory;
use super::{Mode, Store};
use crate::disks::{DiskStatus, Disks};
use crate::error::{FormatError, MemberError, StorageError};
use crate::format::key::Key;
use crate::format::label::{self, DiskIdentity, LABEL_BYTES, LabelFault, PoolParameters};
use crate::format::pointer::NodePointer;
use crate::format::record;
use crate::format::superblock::Superblock;
use crate::space::Class;
use crate::types::{BlockAddress, Epoch, Generation, MemberLists, MemberNumber, MemberSet, ObjectId, Scheme};
use dynamicfs_hal::{Clock, Crc32c, DiskArray, IoError, Request};

/// What a new pool is like.
#[derive(Clone, Copy)]
pub struct CreateRequest<'r, 'm> {
    /// What is fixed for good.
    pub parameters: PoolParameters,
    /// One for each disk of the array, in order.
    pub disks: &'r [DiskIdentity],
    /// The scheme of new objects.
    pub scheme: Scheme,
    /// Disks that may be lost without losing the tree, at least the scheme's parity.
    pub tolerance: u8,
    /// log2 of the extent size of new objects.
    pub extent_shift: u8,
    /// The name of the pool's history, random.
    pub branch: u64,
    /// CRC-32C, by the fastest means of the machine.
    pub crc32c: Crc32c,
    /// Time.
    pub clock: &'m dyn Clock,
}

impl<'m, A: DiskArray> Store<'m, A> {
    /// Makes a pool with an empty tree and begins its first transaction. Until [`write_labels`](Self::write_labels)
    /// the disks belong to no pool.
    pub fn create(
        array: A,
        memory: Memory<'m>,
        request: &CreateRequest<'_, 'm>,
    ) -> Result<Self, FormatError> {
        let Memory { bytes, slots, disks: states } = memory;
        let count = request.disks.len();
        if count == 0
            || count > usize::from(request.parameters.members_max)
            || array.disks() != count
            || states.len() < count
        {
            return Err(FormatError::DiskCount);
        }
        let mut disks = Disks::new(array, states, request.parameters, request.crc32c, request.clock);
        let alignment = disks.buffer_alignment();
        let parts = Memory::divide(bytes, &request.parameters, alignment)
            .map_err(|bytes| FormatError::NeedsMemory { bytes })?;
        for (row, identity) in request.disks.iter().enumerate() {
            let state = disks.state_mut(row);
            state.identity = Some(*identity);
            state.row = row as u8;
            state.status = DiskStatus::Online;
        }
        wipe(&mut disks, parts.stage)?;
        first_superblock(parts.committed, request)?;
        let lists = MemberLists::both(MemberSet::first(count));
        let mut store = Self::assemble(disks, parts, slots, lists)
            .map_err(|_| FormatError::Parameter("the superblock's size"))?;
        store.mode = Mode::Writable;
        store.tree.space.superblock.set_order(Epoch(1), Generation(0));
        store.begin()?;
        store.open_first_groups()?;
        store.tree.create_root()?;
        for identity in request.disks {
            let mut bytes = [0; record::MemberRecord::<&[u8]>::BYTES];
            record::new_member(&mut bytes, identity.disk, identity.data_start, identity.data_blocks);
            store.put(&Key::member(identity.member), &bytes)?;
        }
        Ok(store)
    }

    fn open_first_groups(&mut self) -> Result<(), StorageError> {
        for row in self.tree.data_rows().iter() {
            let Some(area) = self.tree.area(row) else { continue };
            if self.tree.space.open(row, Class::Node, 0, None, area).is_none() {
                return Err(StorageError::RecordInvalid { object: ObjectId::SYSTEM });
            }
        }
        Ok(())
    }

    /// Writes the labels: from here on the disks are a pool. The first commit comes before.
    pub fn write_labels(&mut self) -> Result<(), FormatError> {
        let (parameters, crc32c) = (self.tree.disks.parameters, self.tree.disks.crc32c);
        for disk in 0..self.tree.disks.count() {
            let Some(identity) = self.tree.disks.state(disk).identity else { continue };
            let mut bytes = [0; LABEL_BYTES];
            label::encode(&mut bytes, &parameters, &identity, crc32c);
            write_label(&mut self.tree.disks, disk, &bytes, self.stage)?;
        }
        Ok(())
    }
}

/// Overwrites the labels of all disks, so that a crash while the pool is made leaves no half of it, and the rings.
fn wipe<A: DiskArray>(disks: &mut Disks<'_, A>, stage: &mut [u8]) -> Result<(), FormatError> {
    for disk in 0..disks.count() {
        if let Some(identity) = disks.state(disk).identity {
            wipe_disk(disks, disk, &identity, stage)?;
        }
    }
    Ok(())
}

/// Overwrites the labels of a disk and its rings: on a board whose random numbers repeat, a superblock of the pool that
/// was there before would look like one of this pool.
fn wipe_disk<A: DiskArray>(
    disks: &mut Disks<'_, A>,
    disk: usize,
    identity: &DiskIdentity,
    stage: &mut [u8],
) -> Result<(), FormatError> {
    let slot_bytes = disks.parameters.slot_bytes as usize;
    write_label(disks, disk, &[0; LABEL_BYTES], stage)?;
    let slot = stage.get_mut(..slot_bytes).ok_or(FormatError::NeedsMemory { bytes: slot_bytes })?;
    slot.fill(0);
    for n in 0..u64::from(disks.parameters.ring_length) {
        for ring in [identity.ring_a, identity.ring_b] {
            let lba = disks.lba_of_byte(disk, ring + n * slot_bytes as u64);
            let written = disks.execute_one(Request::write(disk, lba, slot));
            written.map_err(|error| FormatError::Io { disk, error })?;
        }
    }
    let flushed = disks.execute_one(Request::flush(disk));
    flushed.map_err(|error| FormatError::Io { disk, error })
}

impl<A: DiskArray> Store<'_, A> {
    /// Makes a disk of the array a new member. Nothing lies on it; it is given something from the next transaction on. A
    /// spare member is given nothing until one fails.
    ///
    /// 1. whatever is on it is wiped;
    /// 2. the table names the member, which is away: its number is taken for good;
    /// 3. the last commit's superblock and the label are written to it, the label last: from here on it is a member;
    /// 4. it takes part.
    ///
    /// A crash in between leaves a member that is away and holds nothing, or one that comes back and is owed nothing.
    pub fn add_member(
        &mut self,
        disk: usize,
        identity: DiskIdentity,
        spare: bool,
    ) -> Result<(), MemberError> {
        let pool = |error: StorageError| MemberError::Pool(error.into());
        let superblock = self.committed();
        let row = (0..self.tree.space.rows().min(self.tree.disks.parameters.members_max.into()))
            .find(|&row| superblock.row(row).number() == MemberNumber::NONE.0)
            .ok_or(MemberError::TableFull)?;
        let identity = DiskIdentity { member: MemberNumber(superblock.next_member()), ..identity };
        if identity.member == MemberNumber::NONE {
            return Err(MemberError::TableFull);
        }
        wipe_disk(&mut self.tree.disks, disk, &identity, self.stage)?;
        self.begin().map_err(pool)?;
        if let Err(error) = self.enter(row, &identity, spare).and_then(|()| self.commit()) {
            self.abort();
            return Err(pool(error));
        }
        self.seed(disk, row, &identity)?;
        self.load_members().map_err(pool)?;
        self.begin().map_err(pool)?;
        // It is given nothing before a superblock that names it is on it.
        self.tree.withheld = self.tree.withheld.with(row);
        let order = self.committed().order();
        let state = self.tree.disks.state_mut(disk);
        (state.status, state.order, state.may_hold_more) = (DiskStatus::Online, order, false);
        let joined = self.commit();
        if let Err(error) = joined {
            self.tree.disks.state_mut(disk).status = DiskStatus::Failed;
            return Err(pool(error));
        }
        self.load_members().map_err(pool)
    }

    /// Gives a new member its row and its record. Part of a transaction.
    fn enter(&mut self, row: usize, identity: &DiskIdentity, spare: bool) -> Result<(), StorageError> {
        let group_blocks = self.tree.space.group_blocks();
        let superblock = &mut self.tree.space.superblock;
        superblock.init_row(row, identity.member, identity.witness, identity.data_blocks, group_blocks);
        superblock.set_next_member(identity.member.0 + 1);
        let mut bytes = [0; record::MemberRecord::<&[u8]>::BYTES];
        record::new_member(&mut bytes, identity.disk, identity.data_start, identity.data_blocks);
        if let Some(mut record) = record::MemberRecord::new(&mut bytes[..]).filter(|_| spare) {
            record.set_state(record::MemberState::Spare as u8);
        }
        self.put(&Key::member(identity.member), &bytes)
    }

    /// Writes the last commit's superblock and the label to the disk of a new member.
    fn seed(&mut self, disk: usize, row: usize, identity: &DiskIdentity) -> Result<(), FormatError> {
        let bytes = self.committed.len();
        self.stage[..bytes].copy_from_slice(self.committed);
        self.tree.disks.assign(disk, *identity, row);
        let claim = self.tree.space.superblock.epoch();
        self.tree.disks.seal_superblock(disk, &mut self.stage[..bytes], claim);
        for at in self.tree.disks.slot_places(disk) {
            let lba = self.tree.disks.lba_of_byte(disk, at);
            let written = self.tree.disks.execute_one(Request::write(disk, lba, &self.stage[..bytes]));
            written.map_err(|error| FormatError::Io { disk, error })?;
        }
        let flushed = self.tree.disks.execute_one(Request::flush(disk));
        flushed.map_err(|error| FormatError::Io { disk, error })?;
        let (parameters, crc32c) = (self.tree.disks.parameters, self.tree.disks.crc32c);
        let mut label = [0; LABEL_BYTES];
        label::encode(&mut label, &parameters, identity, crc32c);
        write_label(&mut self.tree.disks, disk, &label, self.stage)
    }

    /// Writes the labels of members anew that cannot be read or are not whole: how many. One of a newer format is left
    /// alone.
    pub fn mend_labels(&mut self) -> usize {
        let (parameters, crc32c) = (self.tree.disks.parameters, self.tree.disks.crc32c);
        let mut mended = 0;
        for disk in 0..self.tree.disks.count() {
            let state = self.tree.disks.state(disk);
            let (DiskStatus::Online, Some(identity)) = (state.status, state.identity) else { continue };
            let geometry = self.tree.disks.geometry(disk);
            let sector_bytes = geometry.sector_bytes as usize;
            let Some(sector) = self.stage.get_mut(..sector_bytes) else { continue };
            for lba in [0, geometry.sectors - 1] {
                let read = self.tree.disks.execute_one(Request::read(disk, lba, sector));
                let found = read.map_or(Err(LabelFault::Absent), |()| label::decode(sector, crc32c));
                if found == Ok((parameters, identity)) || matches!(found, Err(LabelFault::Unsupported { .. }))
                {
                    continue;
                }
                let mut label = [0; LABEL_BYTES];
                label::encode(&mut label, &parameters, &identity, crc32c);
                sector.fill(0);
                sector[..LABEL_BYTES].copy_from_slice(&label);
                // One at a time: the other is whole while this one is in flight.
                let written = self.tree.disks.execute_one(Request::write(disk, lba, sector));
                let flushed = written.and_then(|()| self.tree.disks.execute_one(Request::flush(disk)));
                mended += usize::from(flushed.is_ok());
            }
        }
        mended
    }

    /// Takes the labels off the disk of a member that left.
    pub fn forget_disk(&mut self, disk: usize) -> Result<(), FormatError> {
        write_label(&mut self.tree.disks, disk, &[0; LABEL_BYTES], self.stage)?;
        let state = self.tree.disks.state_mut(disk);
        (state.status, state.identity) = (DiskStatus::Unlabelled, None);
        Ok(())
    }
}

/// Writes a label to the first and the last sector of a disk, durably.
fn write_label<A: DiskArray>(
    disks: &mut Disks<'_, A>,
    disk: usize,
    label: &[u8; LABEL_BYTES],
    stage: &mut [u8],
) -> Result<(), FormatError> {
    let geometry = disks.geometry(disk);
    let bytes = geometry.sector_bytes as usize;
    let sector = stage.get_mut(..bytes).ok_or(FormatError::NeedsMemory { bytes })?;
    sector.fill(0);
    sector[..LABEL_BYTES].copy_from_slice(label);
    let io = |result: Result<(), IoError>| result.map_err(|error| FormatError::Io { disk, error });
    for lba in [0, geometry.sectors - 1] {
        io(disks.execute_one(Request::write(disk, lba, sector)))?;
    }
    io(disks.execute_one(Request::flush(disk)))
}

fn first_superblock(image: &mut [u8], request: &CreateRequest<'_, '_>) -> Result<(), FormatError> {
    let mut view = Superblock::new(image).ok_or(FormatError::Parameter("the superblock's size"))?;
    view.init(request.parameters.pool);
    view.set_lists(MemberLists::both(MemberSet::first(request.disks.len())));
    view.set_online_raw(MemberSet::first(request.disks.len()).0);
    view.set_next_object(ObjectId::FIRST_USER.0);
    view.set_next_member(request.disks.iter().map(|disk| disk.member.0 + 1).max().unwrap_or(0));
    view.set_dead_next(1);
    view.set_tolerance(request.tolerance);
    view.set_scheme_data(request.scheme.data);
    view.set_scheme_parity(request.scheme.parity);
    view.set_extent_shift(request.extent_shift);
    view.set_branch(request.branch);
    view.set_root(&NodePointer::new(Generation(0), &[BlockAddress { member: MemberNumber(0), block: 0 }]), 0);
    for (row, disk) in request.disks.iter().enumerate() {
        let blocks = if disk.witness { 0 } else { disk.data_blocks };
        view.init_row(row, disk.member, disk.witness, blocks, request.parameters.group_blocks);
    }
    Ok(())
}
