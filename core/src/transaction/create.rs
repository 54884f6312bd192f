//! The first state of a new pool.

use super::memory::{Memory, Parts, divide};
use super::{Mode, Store};
use crate::disks::{DiskStatus, Disks, alignment_of, lacking_for};
use crate::error::{Code, Failure, FormatError, StorageError};
use crate::format::key::Key;
use crate::format::label::DiskIdentity;
use crate::format::parameters::PoolParameters;
use crate::format::pointer::NodePointer;
use crate::format::record;
use crate::format::superblock::Superblock;
use crate::space::Class;
use crate::tree::Tree;
use crate::types::{
    BlockAddress, Epoch, Generation, MemberLists, MemberNumber, MemoryNeeds, ObjectId, Row, Scheme, Set,
};
use dynamicfs_hal::{Clock, Crc32c, DiskArray};

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

/// The order of a pool's first state, the one that formatting makes.
pub(super) const FIRST: (Epoch, Generation) = (Epoch(1), Generation(1));

impl<'m, A: DiskArray> Store<'m, A> {
    /// Makes a pool with an empty tree and begins its first transaction. Until [`write_labels`](Self::write_labels)
    /// the disks belong to no pool.
    pub fn create(
        array: A,
        memory: Memory<'m>,
        request: &CreateRequest<'_, 'm>,
    ) -> Result<Self, Failure<FormatError, A>> {
        let count = request.disks.len();
        if count == 0 || count > usize::from(request.parameters.members_max) || array.disks() != count {
            let error = FormatError::DiskCount { most: request.parameters.members_max.into() };
            return Err(Failure { error, array });
        }
        if let Some(feature) = lacking_for(&array, count).or(request.scheme.lacks()) {
            return Err(Failure { error: FormatError::Storage(StorageError::NeedsFeature(feature)), array });
        }
        let needs = Memory::needs(&request.parameters, count, alignment_of(&array, count));
        if let Err(needs) = memory.check(needs) {
            return Err(Failure { error: FormatError::NeedsMemory(needs), array });
        }
        let Memory { bytes, entries, disks: states } = memory;
        let mut disks = Disks::new(array, states, request.parameters, request.crc32c, request.clock);
        let parts = match prepare(&mut disks, bytes, request) {
            Ok(parts) => parts,
            Err(error) => return Err(disks.not_made(error)),
        };
        let mut store = Self::assemble(disks, parts, entries, MemberLists::both(Set::first(count)));
        store.tree.make_room = Tree::spill;
        match store.begin_first(request.disks) {
            Ok(()) => Ok(store),
            Err(code) => Err(store.tree.disks.not_made(code.into())),
        }
    }

    /// Begins the first transaction: an empty tree, and the members' records.
    fn begin_first(&mut self, disks: &[DiskIdentity]) -> Result<(), Code> {
        self.mode = Mode::Writable;
        (self.epoch, _) = FIRST;
        self.tree.space.superblock.set_order(self.epoch, Generation(0));
        self.begin()?;
        self.open_first_groups()?;
        self.tree.create_root()?;
        for identity in disks {
            let mut bytes = [0; record::MemberRecord::<&[u8]>::BYTES];
            record::new_member(&mut bytes, identity.disk, identity.data_start, identity.data_blocks);
            self.put(&Key::member(identity.member), &bytes)?;
        }
        Ok(())
    }

    fn open_first_groups(&mut self) -> Result<(), Code> {
        for row in self.tree.data_rows().iter() {
            let Some(area) = self.tree.area(row) else { continue };
            if self.tree.space.open(row, Class::Node, 0, None, area).is_none() {
                return Err(Code::SystemRecordInvalid);
            }
        }
        Ok(())
    }
}

/// Divides the memory, makes the disks members that hold nothing, and writes the first superblock into the
/// part for it.
fn prepare<'m, A: DiskArray>(
    disks: &mut Disks<'m, A>,
    bytes: &'m mut [u8],
    request: &CreateRequest<'_, 'm>,
) -> Result<Parts<'m>, FormatError<Code>> {
    let alignment = disks.buffer_alignment();
    let parts = divide(bytes, &request.parameters, alignment).map_err(|bytes| {
        FormatError::NeedsMemory(MemoryNeeds {
            bytes,
            ..Memory::needs(&request.parameters, disks.count(), alignment)
        })
    })?;
    let parts = parts.with_staging_for(disks);
    // The first members lie in the order of their disks.
    for (row, (disk, identity)) in (0u8..).zip(disks.all().zip(request.disks)) {
        let state = disks.state_mut(disk);
        (state.identity, state.blocks) = (Some(*identity), identity.data_blocks);
        state.row = row;
        state.status = DiskStatus::Online;
    }
    for (disk, identity) in disks.all().zip(request.disks) {
        disks.wipe(disk, identity, parts.stage)?;
    }
    first_superblock(parts.committed, request)?;
    Ok(parts)
}

fn first_superblock(image: &mut [u8], request: &CreateRequest<'_, '_>) -> Result<(), FormatError<Code>> {
    let mut view = Superblock::new(image).ok_or(FormatError::Parameter("the superblock's size"))?;
    view.init(request.parameters.pool, request.parameters.members_max);
    view.set_lists(MemberLists::both(Set::<Row>::first(request.disks.len())));
    view.set_online_raw(Set::<Row>::first(request.disks.len()).bits());
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
        view.init_row(Row(row), disk.member, disk.witness, blocks, request.parameters.group_blocks);
    }
    Ok(())
}
