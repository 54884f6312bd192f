//! The root record of a generation: everything that is not in the tree.
//!
//! It is never decoded by value: the pool keeps the bytes of the committed one and of the one being made, and
//! reads and changes their fields in place.

use super::field::{Stored, U48, layout};
use super::pointer::NodePointer;
use crate::limits::{BRANCHES_MAX, NODE_COPIES_MAX, NODE_GROUP_FREE_MIN};
use crate::types::{
    BlockAddress, Epoch, Generation, MemberLists, MemberNumber, MemberSet, ObjectId, Scheme, Uuid,
};

layout! {
    /// A superblock's fixed part; the member table follows it.
    Superblock, 376 bytes {
        /// CRC-32C of the whole slot after this field.
        crc / set_crc: u32 = 0,
        /// [`SUPERBLOCK_MAGIC`].
        magic / set_magic: u32 = 4,
        /// The pool.
        pool / set_pool: Uuid = 8,
        /// The disk that this slot was written for.
        disk / set_disk: Uuid = 24,
        /// The disk's own count of superblock writes; the slot's place is this modulo the ring's length.
        sequence / set_sequence: u64 = 40,
        /// The mount that wrote the state.
        epoch_raw / set_epoch_raw: u64 = 48,
        /// The commit.
        generation_raw / set_generation_raw: u64 = 56,
        /// The highest epoch that a mount has reserved on this disk.
        claim_raw / set_claim_raw: u64 = 64,
        /// Bitmap over the member table: the list before `members`, until the change is finished.
        settled_raw / set_settled_raw: u64 = 72,
        /// Bitmap: the members of this state.
        members_raw / set_members_raw: u64 = 80,
        /// Bitmap: the members that took part in this commit.
        online_raw / set_online_raw: u64 = 88,
        /// Bitmap: members that are owed something they missed.
        owed_raw / set_owed_raw: u64 = 96,
        /// The number of the next object.
        next_object / set_next_object: u64 = 104,
        /// The sequence of the next dead record.
        dead_next / set_dead_next: u64 = 112,
        /// Blocks that dead records hold and the free map does not show free yet, over all members.
        dead_blocks / set_dead_blocks: u64 = 120,
        /// Dead records in the tree.
        dead_records / set_dead_records: u64 = 128,
        /// A sweep is applying dead records below this sequence; 0 when there is none.
        sweep_limit / set_sweep_limit: u64 = 136,
        /// The first group that the sweep has still to visit.
        sweep_group / set_sweep_group: u32 = 144,
        /// The row of the member table that the sweep is at.
        sweep_row / set_sweep_row: u16 = 148,
        /// The number of the next new member.
        next_member / set_next_member: u16 = 150,
        /// Objects whose extents are still being deleted.
        orphans / set_orphans: u32 = 152,
        /// Disks that may be lost without losing the tree.
        tolerance / set_tolerance: u8 = 156,
        /// The scheme of new objects: data fragments.
        scheme_data / set_scheme_data: u8 = 157,
        /// The scheme of new objects: parity fragments.
        scheme_parity / set_scheme_parity: u8 = 158,
        /// log2 of the extent size of new objects.
        extent_shift / set_extent_shift: u8 = 159,
        /// The root's level.
        root_level / set_root_level: u8 = 160,
        /// The root's replicas in use.
        root_copies / set_root_copies: u8 = 161,
        /// Ancestors in use.
        ancestors / set_ancestors: u8 = 162,
        /// Bit 0: something is short of what was asked for, and no member owes it.
        flags / set_flags: u8 = 163,
        /// The root's checksum.
        root_crc / set_root_crc: u32 = 164,
        /// The generation that wrote the root.
        root_birth / set_root_birth: U48 = 168,
        /// Objects.
        objects / set_objects: u64 = 176,
        /// Extents, those of orphans included.
        extents / set_extents: u64 = 184,
        /// The history that this state belongs to.
        branch / set_branch: u64 = 192,
        /// The root's replicas: 5 addresses.
        root_replicas_raw / set_root_replicas_raw: BlockAddress = 200,
        /// Histories that this one comes from or was preferred to, the newest first: 8 times (branch, generation). Bit 63
        /// of the generation: this one was preferred.
        ancestry_raw / set_ancestry_raw: u64 = 240,
        /// Bytes of all objects' contents, as their owners see them.
        content_bytes / set_content_bytes: u64 = 368,
    }
}

layout! {
    /// A row of the superblock's member table.
    MemberRow, 32 bytes {
        /// The member's number, 65535 for an empty row.
        number / set_number: u16 = 0,
        /// Blocks from `node_base` up to this one in the open group for nodes are allocated.
        node_cursor / set_node_cursor: u16 = 2,
        /// The open group for nodes.
        node_group / set_node_group: u32 = 4,
        /// The open group for data.
        data_group / set_data_group: u32 = 8,
        /// Blocks from `data_base` up to this one in the open group for data are allocated.
        data_cursor / set_data_cursor: u16 = 12,
        /// 1 if the member is a witness.
        witness / set_witness: u8 = 14,
        /// Blocks that may be allocated.
        free / set_free: U48 = 16,
        /// Those of them in groups that have enough to be opened for nodes, open groups for data aside.
        node_free / set_node_free: U48 = 22,
        /// Blocks below this one in the open group for nodes are as its record shows them.
        node_base / set_node_base: u16 = 28,
        /// Blocks below this one in the open group for data are as its record shows them.
        data_base / set_data_base: u16 = 30,
    }
}

/// The first bytes of a superblock after its checksum.
pub const SUPERBLOCK_MAGIC: u32 = u32::from_le_bytes(*b"DFsb");

/// The greatest value that a counter may have; what is beyond was never counted.
pub const COUNTER_MAX: u64 = crate::limits::U48_MAX / 2;

/// A bit of `flags`: see there.
pub const FLAG_SHORT: u8 = 1;

/// A bit of an ancestor's generation: the history was given up for this one.
const GIVEN_UP: u64 = 1 << 63;

/// No group is open.
pub const GROUP_NONE: u32 = u32::MAX;

const FIXED: usize = Superblock::<&[u8]>::BYTES;
const ROW: usize = MemberRow::<&[u8]>::BYTES;
const ROOT_REPLICAS: usize = 200;
const ANCESTRY: usize = 240;
const ANCESTOR: usize = 16;

const _: () = assert!(ROOT_REPLICAS + 8 * NODE_COPIES_MAX == ANCESTRY);
const _: () = assert!(ANCESTRY + ANCESTOR * BRANCHES_MAX <= 368);

/// Bytes of a superblock with this many rows in its member table.
pub const fn bytes(members_max: usize) -> usize {
    FIXED + ROW * members_max
}

/// An earlier history and the generation at which it was left, or another one that was given up for this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ancestor {
    /// The history.
    pub branch: u64,
    /// Its last generation that this history contains; of one that was given up, the last that whoever chose knew of.
    pub fork: Generation,
    /// This history contains nothing of it, and was preferred to it.
    pub given_up: bool,
}

/// Whether the bytes are a superblock that was written for this disk, at this place of its rings.
///
/// Afterwards every accessor gives a value within its bounds.
pub fn is_valid(
    slot: &[u8],
    pool: Uuid,
    disk: Uuid,
    place: u64,
    ring_length: u8,
    crc32c: dynamicfs_hal::Crc32c,
) -> bool {
    let Some(view) = Superblock::new(slot) else { return false };
    view.magic() == SUPERBLOCK_MAGIC
        && view.pool() == pool
        && view.disk() == disk
        && view.sequence() % u64::from(ring_length) == place
        && is_whole(slot, crc32c)
        && is_sound(&view)
}

/// Whether the bytes are a superblock that was written whole, of whatever pool and disk.
pub fn is_whole(slot: &[u8], crc32c: dynamicfs_hal::Crc32c) -> bool {
    let view = Superblock::new(slot);
    view.is_some_and(|view| view.magic() == SUPERBLOCK_MAGIC && view.crc() == crc32c(0, &slot[4..]))
}

/// The pool, the disk and the sequence in the first bytes of a slot, 48 at least, of which nothing was proved; `None` if they do
/// not begin a superblock.
pub fn peek(slot: &[u8]) -> Option<(Uuid, Uuid, u64)> {
    let view = (slot.len() >= 48).then_some(Superblock(slot))?;
    (view.magic() == SUPERBLOCK_MAGIC).then(|| (view.pool(), view.disk(), view.sequence()))
}

/// Whether every field has a value within its bounds, and they fit each other.
pub fn is_sound(view: &Superblock<&[u8]>) -> bool {
    view.scheme().is_valid()
        && view.scheme().parity <= view.tolerance()
        && usize::from(view.tolerance()) < NODE_COPIES_MAX
        && (12..=22).contains(&view.extent_shift())
        && (1..=NODE_COPIES_MAX).contains(&usize::from(view.root_copies()))
        && usize::from(view.root_level()) < crate::limits::DEPTH_MAX
        && usize::from(view.ancestors()) <= BRANCHES_MAX
        && view.root_birth() <= view.generation_raw()
        && counters_are_valid(view)
        && table_is_valid(view)
}

/// Whether no counter is so far that counting on from it could overflow while the pool is mounted.
fn counters_are_valid(view: &Superblock<&[u8]>) -> bool {
    let pool = [
        view.generation_raw(),
        view.epoch_raw(),
        view.claim_raw(),
        view.sequence(),
        view.next_object(),
        view.dead_next(),
        view.dead_blocks(),
        view.dead_records(),
        view.sweep_limit(),
        view.objects(),
        view.extents(),
    ];
    let rows = view.table().iter().flat_map(|row| [view.row(row).free(), view.row(row).node_free()]);
    pool.into_iter().chain(rows).all(|counter| counter <= COUNTER_MAX) && view.orphans() <= u32::MAX / 2
}

/// Whether the rows name different members, and the lists name rows that are in use.
fn table_is_valid(view: &Superblock<&[u8]>) -> bool {
    let table = view.table();
    let lists = view.lists();
    let named = lists.settled.or(lists.members).or(view.online()).or(view.owed());
    let number = |row: usize| view.row(row).number();
    let distinct = table
        .iter()
        .all(|row| table.iter().take_while(|&other| other < row).all(|other| number(other) != number(row)));
    named.is_subset_of(table) && !lists.members.is_empty() && !lists.settled.is_empty() && distinct
}

impl<B: AsRef<[u8]>> Superblock<B> {
    /// The mount that wrote the state.
    pub fn epoch(&self) -> Epoch {
        Epoch(self.epoch_raw())
    }

    /// The commit.
    pub fn generation(&self) -> Generation {
        Generation(self.generation_raw())
    }

    /// The highest epoch that a mount has reserved on this disk.
    pub fn claim(&self) -> Epoch {
        Epoch(self.claim_raw())
    }

    /// The order of states: the epoch, then the generation.
    pub fn order(&self) -> (Epoch, Generation) {
        (self.epoch(), self.generation())
    }

    /// The two member lists.
    pub fn lists(&self) -> MemberLists {
        MemberLists { settled: MemberSet(self.settled_raw()), members: MemberSet(self.members_raw()) }
    }

    /// The members that took part in this commit.
    pub fn online(&self) -> MemberSet {
        MemberSet(self.online_raw())
    }

    /// Members that are owed something they missed.
    pub fn owed(&self) -> MemberSet {
        MemberSet(self.owed_raw())
    }

    /// Whether something is short of what was asked for, and no member owes it.
    pub fn is_short(&self) -> bool {
        self.flags() & FLAG_SHORT != 0
    }

    /// The scheme of new objects.
    pub fn scheme(&self) -> Scheme {
        Scheme { data: self.scheme_data(), parity: self.scheme_parity() }
    }

    /// The tree's root.
    pub fn root(&self) -> NodePointer {
        let mut replicas = [BlockAddress::NONE; NODE_COPIES_MAX];
        let copies = usize::from(self.root_copies()).clamp(1, NODE_COPIES_MAX);
        for (i, replica) in replicas[..copies].iter_mut().enumerate() {
            *replica = BlockAddress::load(&self.0.as_ref()[ROOT_REPLICAS + 8 * i..]);
        }
        let mut root = NodePointer::new(Generation(self.root_birth()), &replicas[..copies]);
        root.crc = self.root_crc();
        root
    }

    /// Histories that this one comes from or was preferred to, the newest first.
    pub fn ancestry(&self) -> impl Iterator<Item = Ancestor> + '_ {
        (0..usize::from(self.ancestors()).min(BRANCHES_MAX)).map(|i| {
            let bytes = &self.0.as_ref()[ANCESTRY + ANCESTOR * i..];
            let fork = u64::load(&bytes[8..]);
            Ancestor {
                branch: u64::load(bytes),
                fork: Generation(fork & !GIVEN_UP),
                given_up: fork & GIVEN_UP != 0,
            }
        })
    }

    /// The slot's bytes.
    pub fn bytes(&self) -> &[u8] {
        self.0.as_ref()
    }

    /// The same superblock, to be read alone.
    pub fn view(&self) -> Superblock<&[u8]> {
        Superblock(self.0.as_ref())
    }

    /// Rows of the member table.
    pub fn rows(&self) -> usize {
        ((self.0.as_ref().len() - FIXED) / ROW).min(crate::limits::MEMBERS_MAX)
    }

    /// A row of the member table, below [`rows`](Self::rows).
    pub fn row(&self, row: usize) -> MemberRow<&[u8]> {
        MemberRow(&self.0.as_ref()[FIXED + ROW * row..FIXED + ROW * (row + 1)])
    }

    /// The row of a member.
    pub fn row_of(&self, member: MemberNumber) -> Option<usize> {
        (0..self.rows()).find(|&row| self.row(row).number() == member.0 && member != MemberNumber::NONE)
    }

    /// The rows in use.
    pub fn table(&self) -> MemberSet {
        (0..self.rows())
            .filter(|&row| self.row(row).number() != MemberNumber::NONE.0)
            .fold(MemberSet::EMPTY, MemberSet::with)
    }

    /// The object that will be made next.
    pub fn next_object_id(&self) -> ObjectId {
        ObjectId(self.next_object())
    }
}

impl<B: AsRef<[u8]> + AsMut<[u8]>> Superblock<B> {
    /// Takes over another superblock's bytes.
    pub fn copy_from(&mut self, other: &[u8]) {
        self.0.as_mut().copy_from_slice(other);
    }

    /// Makes the bytes an empty superblock: no member, no root.
    pub fn init(&mut self, pool: Uuid) {
        self.0.as_mut().fill(0);
        self.set_magic(SUPERBLOCK_MAGIC);
        self.set_pool(pool);
        for row in 0..self.rows() {
            self.clear_row(row);
        }
    }

    /// Empties a row.
    pub fn clear_row(&mut self, row: usize) {
        let mut row = self.row_mut(row);
        row.0.fill(0);
        row.set_number(MemberNumber::NONE.0);
        row.set_node_group(GROUP_NONE);
        row.set_data_group(GROUP_NONE);
    }

    /// Sets epoch and generation.
    pub fn set_order(&mut self, epoch: Epoch, generation: Generation) {
        self.set_epoch_raw(epoch.0);
        self.set_generation_raw(generation.0);
    }

    /// Sets the two lists.
    pub fn set_lists(&mut self, lists: MemberLists) {
        self.set_settled_raw(lists.settled.0);
        self.set_members_raw(lists.members.0);
    }

    /// Notes whether something is short of what was asked for, and no member owes it.
    pub fn set_short(&mut self, short: bool) {
        let flags = self.flags() & !FLAG_SHORT;
        self.set_flags(flags | if short { FLAG_SHORT } else { 0 });
    }

    /// Fills a row for a member on which nothing is stored yet.
    pub fn init_row(
        &mut self,
        row: usize,
        member: MemberNumber,
        witness: bool,
        blocks: u64,
        group_blocks: u32,
    ) {
        self.clear_row(row);
        let rest = blocks % u64::from(group_blocks);
        let mut row = self.row_mut(row);
        row.set_number(member.0);
        row.set_witness(witness.into());
        row.set_free(blocks);
        // A last group that is too short to be opened for nodes does not count for them.
        row.set_node_free(if rest >= u64::from(NODE_GROUP_FREE_MIN) { blocks } else { blocks - rest });
    }

    /// Sets the root and its level.
    pub fn set_root(&mut self, root: &NodePointer, level: u8) {
        self.set_root_level(level);
        self.set_root_crc(root.crc);
        self.set_root_birth(root.birth.0);
        self.set_root_copies(root.replicas().len() as u8);
        for i in 0..NODE_COPIES_MAX {
            let replica = root.replicas().get(i).copied().unwrap_or(BlockAddress::NONE);
            BlockAddress::store(&mut self.0.as_mut()[ROOT_REPLICAS + 8 * i..], replica);
        }
    }

    /// Begins a new history at this state: the present one becomes its first ancestor, the oldest is forgotten.
    pub fn fork(&mut self, branch: u64) {
        let (from, fork) = (self.branch(), self.generation_raw());
        self.add_ancestor(from, fork);
        self.set_branch(branch);
    }

    /// Notes that this history was preferred to another, of which generations up to `last` were known.
    pub fn give_up(&mut self, branch: u64, last: Generation) {
        let is_same = |ancestor: &Ancestor| ancestor.branch == branch && ancestor.given_up;
        let known = self.ancestry().enumerate().find(|(_, ancestor)| is_same(ancestor));
        match known {
            Some((i, ancestor)) => {
                let last = ancestor.fork.max(last).0 | GIVEN_UP;
                u64::store(&mut self.0.as_mut()[ANCESTRY + ANCESTOR * i + 8..], last);
            }
            None => self.add_ancestor(branch, last.0 | GIVEN_UP),
        }
    }

    /// Goes on under another name, because another history has the same: nothing that bears it is taken for this one.
    pub fn rename(&mut self, branch: u64) {
        self.give_up(self.branch(), self.generation());
        self.set_branch(branch);
    }

    fn add_ancestor(&mut self, branch: u64, fork: u64) {
        let kept = usize::from(self.ancestors()).min(BRANCHES_MAX - 1);
        let bytes = self.0.as_mut();
        bytes.copy_within(ANCESTRY..ANCESTRY + ANCESTOR * kept, ANCESTRY + ANCESTOR);
        u64::store(&mut bytes[ANCESTRY..], branch);
        u64::store(&mut bytes[ANCESTRY + 8..], fork);
        self.set_ancestors(kept as u8 + 1);
    }

    /// A row of the member table, to be changed.
    pub fn row_mut(&mut self, row: usize) -> MemberRow<&mut [u8]> {
        MemberRow(&mut self.0.as_mut()[FIXED + ROW * row..FIXED + ROW * (row + 1)])
    }

    /// Makes the slot one of this disk, at this sequence, and sets the checksum: the last thing before it is written.
    pub fn seal(&mut self, disk: Uuid, sequence: u64, claim: Epoch, crc32c: dynamicfs_hal::Crc32c) {
        self.set_disk(disk);
        self.set_sequence(sequence);
        self.set_claim_raw(claim.0);
        let crc = crc32c(0, &self.0.as_ref()[4..]);
        self.set_crc(crc);
    }
}
