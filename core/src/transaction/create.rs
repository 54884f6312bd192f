//! The first state of a new pool.

use super::memory::Memory;
use super::{Mode, Store};
use crate::disks::{DiskStatus, Disks};
use crate::error::{FormatError, StorageError};
use crate::format::key::Key;
use crate::format::label::{self, DiskIdentity, LABEL_BYTES, PoolParameters};
use crate::format::pointer::NodePointer;
use crate::format::record;
use crate::format::superblock::Superblock;
use crate::limits::NODE_GROUP_FREE_MIN;
use crate::space::{Area, Class};
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

/// Overwrites the labels, so that a crash while the pool is made leaves no half of it, and the rings: on a board whose
/// random numbers repeat, a superblock of the pool that was there before would look like one of this pool.
fn wipe<A: DiskArray>(disks: &mut Disks<'_, A>, stage: &mut [u8]) -> Result<(), FormatError> {
    let slot_bytes = disks.parameters.slot_bytes as usize;
    for disk in 0..disks.count() {
        write_label(disks, disk, &[0; LABEL_BYTES], stage)?;
        let Some(identity) = disks.state(disk).identity else { continue };
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
        flushed.map_err(|error| FormatError::Io { disk, error })?;
    }
    Ok(())
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
    let group_blocks = u64::from(request.parameters.group_blocks);
    for (row, disk) in request.disks.iter().enumerate() {
        let area = Area { start: disk.data_start, blocks: if disk.witness { 0 } else { disk.data_blocks } };
        let rest = area.blocks % group_blocks;
        let whole = area.blocks - rest;
        let mut row = view.row_mut(row);
        row.set_number(disk.member.0);
        row.set_witness(disk.witness.into());
        row.set_free(area.blocks);
        row.set_node_free(whole + if rest >= u64::from(NODE_GROUP_FREE_MIN) { rest } else { 0 });
    }
    Ok(())
}
