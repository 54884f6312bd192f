//! How the pool is, as plain structs.

use super::Pool;
use crate::disks::condition::Condition;
use crate::disks::{Currency, DiskStatus};
use crate::metrics::{DiskCounters, PoolCounters};
use crate::types::{DiskIndex, Epoch, Generation, MemberNumber, Scheme, Set, Uuid};
use dynamicfs_hal::{DiskArray, IoError};

/// The state of a pool, from memory: nothing is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Health {
    /// The last commit.
    pub generation: Generation,
    /// The mount that made it.
    pub epoch: Epoch,
    /// The history it belongs to.
    pub branch: u64,
    /// Whether the pool takes writes with the disks that are left.
    pub writable: bool,
    /// A read-only mount that does not see every member at its state: the next mount may find another.
    pub tentative: bool,
    /// Members, witnesses included.
    pub members: usize,
    /// Members that take part.
    pub online: usize,
    /// Members that are owed something they missed.
    pub owed: usize,
    /// The least number of disks that may still fail before something becomes unreadable. The pool's
    /// tolerance limits it, and the weakest scheme in which contents were ever stored.
    /// [`forecast_loss`](crate::Pool::forecast_loss) looks at what is stored, and tells exactly.
    pub read_tolerance: usize,
    /// More disks that may fail, one after the other, before the running pool stops taking writes. The first
    /// transaction of a mount asks for more than half of the members, those that follow for half of them.
    pub write_tolerance: usize,
    /// The same once the first transaction has begun, or where disks are taken out of use before they go.
    pub write_tolerance_once_begun: usize,
    /// More disks that may simply be gone, whichever they are, before the next mount is refused. This counts
    /// the quorum and the newest state alone: what is stored may bear the loss of fewer
    /// ([`read_tolerance`](Self::read_tolerance)).
    pub mount_tolerance: usize,
    /// Blocks that may be allocated, in all.
    pub blocks: u64,
    /// Blocks that are free.
    pub free_blocks: u64,
    /// Blocks that are free once a sweep has given them back.
    pub dead_blocks: u64,
    /// Bytes of a block.
    pub block_bytes: u32,
    /// Objects.
    pub objects: u64,
    /// Bytes of their contents.
    pub content_bytes: u64,
    /// Extents.
    pub extents: u64,
    /// Objects that are still being deleted.
    pub orphans: u32,
    /// Bad fragments and nodes that reads found and that were not rewritten yet.
    pub repairs_waiting: usize,
    /// The scheme of new objects.
    pub scheme: Scheme,
    /// log2 of the extent size of new objects, in bytes.
    pub extent_shift: u8,
    /// Levels of the tree, 1 or more.
    pub levels: u8,
    /// Something is short of what was asked for, and no member owes it.
    pub is_short: bool,
    /// How many disks fewer than `tolerance` the weakest scheme bears in which contents were ever stored.
    pub parity_deficit: u8,
    /// Disks whose loss the tree bears.
    pub tolerance: u8,
    /// Counters since the mount.
    pub counters: PoolCounters,
}

/// The state of one disk of the array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct MemberHealth {
    /// What it is to the pool.
    pub status: DiskStatus,
    /// How far it can be relied on while it takes part, and why it does not if it failed. Healthy where nothing is known.
    pub condition: Condition,
    /// How far it was at the mount.
    pub currency: Currency,
    /// Its number, if it is a member.
    pub member: Option<MemberNumber>,
    /// The disk's own name, if it has a label.
    pub disk: Option<Uuid>,
    /// It holds no data.
    pub witness: bool,
    /// It is owed something that it missed.
    pub owed: bool,
    /// Blocks that may be allocated, in all.
    pub blocks: u64,
    /// Blocks that are free.
    pub free_blocks: u64,
    /// More blocks that it has room for, because it has grown: [`Pool::grow_disk`](crate::Pool::grow_disk) takes them into use.
    pub growable_blocks: u64,
    /// It is shorter than it was when it became a member, or was last grown.
    pub is_cut: bool,
    /// It tears units that are larger than the pool's blocks or slots, as the image of a card on another disk
    /// may. A power cut may damage the neighbours of what is being written, on all such disks at a time.
    pub tears_neighbours: bool,
    /// The last error that it answered.
    pub last_error: Option<IoError>,
    /// Microseconds that a read takes on average; `None` before enough were measured.
    pub latency_micros: Option<u32>,
    /// Counters since the mount, or since they were last saved.
    pub counters: DiskCounters,
}

impl<A: DiskArray> Pool<'_, A> {
    /// How the pool is.
    #[expect(clippy::cast_possible_truncation, reason = "a block is at most 64 KiB")]
    pub fn health(&self) -> Health {
        let tree = &self.objects.store.tree;
        let superblock = self.objects.store.committed();
        let table = superblock.table();
        let online = tree.disks.sound();
        let owed = self.objects.store.unhealed();
        let (read_tolerance, once_begun) = self.objects.tolerances(Set::EMPTY, superblock.lists().members);
        let (blocks, free) = tree.disks.all().fold((0, 0), |(blocks, free), disk| {
            let member = self.member_health(disk);
            (blocks + member.blocks, free + member.free_blocks)
        });
        Health {
            generation: superblock.generation(),
            epoch: superblock.epoch(),
            branch: superblock.branch(),
            writable: self.objects.store.may_commit(),
            tentative: self.objects.store.is_tentative(),
            members: table.len(),
            online: online.len(),
            owed: owed.len(),
            read_tolerance,
            write_tolerance: self
                .objects
                .store
                .claim_spare()
                .map_or(once_begun, |spare| spare.min(once_begun)),
            write_tolerance_once_begun: once_begun,
            mount_tolerance: self.objects.mount_tolerance(Set::EMPTY),
            blocks,
            free_blocks: free,
            dead_blocks: superblock.dead_blocks(),
            block_bytes: tree.disks.parameters.block_bytes() as u32,
            objects: superblock.objects(),
            content_bytes: superblock.content_bytes(),
            extents: superblock.extents(),
            orphans: superblock.orphans(),
            repairs_waiting: self.objects.repairs_waiting(),
            scheme: superblock.scheme(),
            extent_shift: superblock.extent_shift(),
            levels: superblock.root_level() + 1,
            is_short: superblock.is_short(),
            parity_deficit: superblock.parity_deficit(),
            tolerance: superblock.tolerance(),
            counters: *tree.counters,
        }
    }

    /// How a disk of the array is; one that the array does not have is [`Gone`](DiskStatus::Gone).
    pub fn member_health(&self, disk: DiskIndex) -> MemberHealth {
        let state = self.objects.store.tree.disks.state(disk);
        let superblock = self.objects.store.committed();
        let row = state.identity.and_then(|identity| superblock.row_of(identity.member));
        MemberHealth {
            status: state.status,
            condition: self.objects.store.tree.disks.condition(disk),
            currency: state.currency,
            member: state.identity.map(|identity| identity.member),
            disk: state.identity.map(|identity| identity.disk),
            witness: state.identity.is_some_and(|identity| identity.witness),
            owed: row.is_some_and(|row| superblock.owed().contains(row)),
            blocks: state.identity.filter(|i| !i.witness && row.is_some()).map_or(0, |_| state.blocks),
            growable_blocks: self.objects.store.growable_blocks(disk),
            is_cut: state.is_cut,
            tears_neighbours: state.status == DiskStatus::Online
                && !self
                    .objects
                    .store
                    .tree
                    .disks
                    .parameters
                    .fits_tear_unit(self.objects.store.tree.disks.geometry(disk).tear_unit),
            free_blocks: row.map_or(0, |row| superblock.row(row).free()),
            last_error: state.last_error,
            latency_micros: self.objects.store.tree.disks.latency(disk),
            counters: state.watched.counters,
        }
    }
}
