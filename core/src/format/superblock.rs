//! The root record of a generation: everything that is not in the tree.
//!
//! It is never decoded by value. The pool keeps the bytes of the committed one and of the one being made, and
//! reads and changes their fields in place.

use super::field::{Stored, U48, layout};
pub use super::parameters::superblock_bytes as bytes;
use super::parameters::{PoolParameters, SUPERBLOCK_FIXED, SUPERBLOCK_ROW};
use super::pointer::NodePointer;
use crate::limits::{BRANCHES_MAX, NODE_COPIES_MAX, NODE_GROUP_FREE_MIN, NODE_PLACES_MAX};
use crate::powers::over;
use crate::types::{
    BlockAddress, Epoch, Generation, MemberLists, MemberNumber, ObjectId, Row, Scheme, Set, Uuid,
};

layout! {
    /// A superblock's fixed part; the member table follows it.
    Superblock, 384 bytes {
        /// CRC-32C of the whole superblock after this field.
        crc / set_crc: u32 = 0,
        /// [`SUPERBLOCK_MAGIC`].
        magic / set_magic: u32 = 4,
        /// The pool.
        pool / set_pool: Uuid = 8,
        /// The disk that this slot was written for.
        disk / set_disk: Uuid = 24,
        /// The disk's own count of superblock writes; the slot's place is this modulo the ring's length.
        sequence / set_sequence: U48 = 40,
        /// The mount that wrote the state.
        epoch_raw / set_epoch_raw: U48 = 46,
        /// The commit.
        generation_raw / set_generation_raw: U48 = 52,
        /// The highest epoch that a mount has reserved on this disk.
        claim_raw / set_claim_raw: U48 = 58,
        /// Features that a reader and writer may ignore.
        compat / set_compat: u32 = 64,
        /// Features without which the pool may be read and not written.
        ro_compat / set_ro_compat: u32 = 68,
        /// Features without which the pool must not be touched.
        incompat / set_incompat: u32 = 72,
        /// Disks that may be lost without losing the tree.
        tolerance / set_tolerance: u8 = 76,
        /// The scheme of new objects: data fragments.
        scheme_data / set_scheme_data: u8 = 77,
        /// The scheme of new objects: parity fragments.
        scheme_parity / set_scheme_parity: u8 = 78,
        /// log2 of the extent size of new objects.
        extent_shift / set_extent_shift: u8 = 79,
        /// Bitmap over the member table: the list before `members`, until the change is finished.
        settled_raw / set_settled_raw: u64 = 80,
        /// Bitmap: the members of this state.
        members_raw / set_members_raw: u64 = 88,
        /// Bitmap: the members that took part in this commit.
        online_raw / set_online_raw: u64 = 96,
        /// Bitmap: members that are owed something they missed.
        owed_raw / set_owed_raw: u64 = 104,
        /// The history that this state belongs to.
        branch / set_branch: u64 = 112,
        /// Bytes of all objects' contents, as their owners see them.
        content_bytes / set_content_bytes: u64 = 120,
        /// Objects.
        objects / set_objects: U48 = 128,
        /// Extents, those of orphans included.
        extents / set_extents: U48 = 134,
        /// The number of the next object.
        next_object / set_next_object: U48 = 140,
        /// The sequence of the next dead record.
        dead_next / set_dead_next: U48 = 146,
        /// Blocks that dead records hold and the free map does not show free yet, over all members.
        dead_blocks / set_dead_blocks: U48 = 152,
        /// Dead records in the tree.
        dead_records / set_dead_records: U48 = 158,
        /// A sweep is applying dead records below this sequence; 0 when there is none.
        sweep_limit / set_sweep_limit: U48 = 164,
        /// The row of the member table that the sweep is at.
        sweep_row / set_sweep_row: u16 = 170,
        /// The first group that the sweep has still to visit.
        sweep_group / set_sweep_group: u32 = 172,
        /// Objects whose extents are still being deleted.
        orphans / set_orphans: u32 = 176,
        /// The number of the next new member.
        next_member / set_next_member: u16 = 180,
        /// Rows of the member table: as many as the pool can have members at a time.
        member_rows / set_member_rows: u8 = 182,
        /// Bit 0: something is short of what was asked for, and no member owes it. Bit 1: this disk had lost
        /// acknowledged states when the epoch was claimed on it.
        flags / set_flags: u8 = 183,
        /// The root's checksum.
        root_crc / set_root_crc: u32 = 184,
        /// The generation that wrote the root.
        root_birth / set_root_birth: U48 = 188,
        /// The root's level.
        root_level / set_root_level: u8 = 194,
        /// The root's replicas in use.
        root_copies / set_root_copies: u8 = 195,
        /// Ancestors in use.
        ancestors / set_ancestors: u8 = 196,
        /// The root's replicas: 5 addresses.
        root_replicas_raw / set_root_replicas_raw: BlockAddress = 200,
        /// Histories that this one comes from or was preferred to, the newest first: 4 times `AncestorEntry`.
        ancestry_raw / set_ancestry_raw: u64 = 240,
        /// The generation of the first state of this epoch; 0: it is not told.
        epoch_began / set_epoch_began: U48 = 320,
        /// The root's checksum in the state with which this history took its present name; means nothing
        /// where no ancestor is a former name.
        former_root_crc / set_former_root_crc: u32 = 326,
        /// Members that were lost or left with what they held, and that nothing made good yet.
        members_short / set_members_short: u8 = 330,
        /// How many disks fewer than `tolerance` the weakest scheme bears in which contents were ever stored;
        /// 0: nothing was stored in a weaker one.
        parity_deficit / set_parity_deficit: u8 = 331,
        /// The root's checksum in the last state that had another root than this one; 0 if there was none.
        previous_root_crc / set_previous_root_crc: u32 = 332,
        /// The root's checksum in the state from which the mount of this epoch went on.
        found_root_crc / set_found_root_crc: u32 = 336,
        /// The root's checksum in the first state of this epoch with another root than that one; 0 before
        /// there is one.
        first_root_crc / set_first_root_crc: u32 = 340,
        /// The root's checksum in the state from which the last mount went on that reserved an epoch on this
        /// disk.
        claim_root_crc / set_claim_root_crc: u32 = 344,
    }
}

layout! {
    /// A history that another one comes from, or was preferred to.
    AncestorEntry, 20 bytes {
        /// The history.
        branch / set_branch: u64 = 0,
        /// The epoch of the state at which it was left; bit 47: this history itself had that name until then.
        fork_epoch_raw / set_fork_epoch_raw: U48 = 8,
        /// The generation of that state; bit 47: the history was given up for this one.
        fork_generation_raw / set_fork_generation_raw: U48 = 14,
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

/// A bit of `flags`: see there.
pub const FLAG_ROLLED_BACK: u8 = 2;

/// Feature flags that this code knows, in the order compat, ro_compat, incompat. What they are for is told in
/// `docs/FORMAT.md`.
pub const KNOWN_FEATURES: (u32, u32, u32) = (0, 0, 0);

/// A bit of an ancestor's generation, above every counter: the history was given up for this one.
const GIVEN_UP: u64 = COUNTER_MAX + 1;

/// A bit of an ancestor's epoch, above every counter: this history itself had that name until then.
const FORMER_NAME: u64 = COUNTER_MAX + 1;

/// No group is open.
pub const GROUP_NONE: u32 = u32::MAX;

const FIXED: usize = Superblock::<&[u8]>::BYTES;
const ROW: usize = MemberRow::<&[u8]>::BYTES;
const _: () = assert!(FIXED == SUPERBLOCK_FIXED && ROW == SUPERBLOCK_ROW);
const ROOT_REPLICAS: usize = 200;
const ANCESTRY: usize = 240;
const ANCESTOR: usize = AncestorEntry::<&[u8]>::BYTES;

/// Where the fields begin that follow the ancestry. That they do not overlap is seen to by the layout.
const AFTER_ANCESTRY: usize = 320;

const _: () = assert!(ROOT_REPLICAS + 8 * NODE_PLACES_MAX == ANCESTRY);
const _: () = assert!(ANCESTRY + ANCESTOR * BRANCHES_MAX == AFTER_ANCESTRY);
// A pool of four members has superblocks that a sector holds: they are written whole or not at all.
const _: () = assert!(bytes(4) == 512);

/// Where an ancestor stands.
const fn ancestor(i: usize) -> core::ops::Range<usize> {
    ANCESTRY + ANCESTOR * i..ANCESTRY + ANCESTOR * (i + 1)
}

/// An earlier history and the state at which it was left, or another one that was given up for this one.
///
/// States are ordered by epoch, then generation. A generation alone names no state. A mount that was cut
/// short leaves a state of a higher generation and an older epoch than the state that the others continue
/// from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ancestor {
    /// The history.
    pub branch: u64,
    /// Its last state that this history contains; of one that was given up, the last that was known when it was.
    pub fork: (Epoch, Generation),
    /// This history contains nothing of it, and was preferred to it.
    pub given_up: bool,
    /// This history itself had that name until then, and no disk of it was left behind yet: see
    /// [`rename`](Superblock::rename).
    pub is_former_name: bool,
}

/// What a slot holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotContents {
    /// Nothing that was written for this disk, at this place of its rings.
    Nothing,
    /// A superblock with features without which it must not be touched, and which this code does not know.
    Unsupported {
        /// The disk's count of superblock writes.
        sequence: u64,
        /// Those features.
        incompat: u32,
    },
    /// A superblock. Every accessor gives a value within its bounds.
    Valid,
}

/// What a slot holds of this disk, at this place of its rings.
pub fn examine(
    slot: &[u8],
    p: &PoolParameters,
    disk: Uuid,
    place: u64,
    crc32c: dynamicfs_hal::Crc32c,
) -> SlotContents {
    let Some(view) = Superblock::new(slot) else { return SlotContents::Nothing };
    let is_ours = view.magic() == SUPERBLOCK_MAGIC
        && view.pool() == p.pool
        && view.disk() == disk
        && p.ring_place(view.sequence()) == place
        && is_whole(slot, crc32c);
    if !is_ours {
        return SlotContents::Nothing;
    }
    let incompat = view.incompat() & !KNOWN_FEATURES.2;
    if incompat != 0 {
        return SlotContents::Unsupported { sequence: view.sequence(), incompat };
    }
    let fits = view.member_rows() == p.members_max && slot.len() >= bytes(p.members_max.into());
    if fits && is_sound(&view) { SlotContents::Valid } else { SlotContents::Nothing }
}

/// Whether the bytes are a superblock that was written whole, of whatever pool and disk.
#[expect(clippy::indexing_slicing, reason = "a superblock's fixed part was found to be there")]
pub fn is_whole(slot: &[u8], crc32c: dynamicfs_hal::Crc32c) -> bool {
    let view = Superblock::new(slot);
    view.is_some_and(|view| view.magic() == SUPERBLOCK_MAGIC && view.crc() == crc32c(0, &slot[4..]))
}

/// The pool, the disk and the sequence in the first sector of a slot, unproved. `None` if it does not begin a
/// superblock, or is too short for the fixed part of one.
pub fn peek(slot: &[u8]) -> Option<(Uuid, Uuid, u64)> {
    let view = Superblock::new(slot)?;
    (view.magic() == SUPERBLOCK_MAGIC).then(|| (view.pool(), view.disk(), view.sequence()))
}

/// Whether every field has a value within its bounds, and they fit each other.
pub fn is_sound(view: &Superblock<&[u8]>) -> bool {
    view.scheme().is_valid()
        && view.scheme().parity <= view.tolerance()
        && usize::from(view.tolerance()) < NODE_PLACES_MAX
        && (12..=22).contains(&view.extent_shift())
        && (1..=NODE_PLACES_MAX).contains(&usize::from(view.root_copies()))
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
    let fits = |counter: &u64| *counter <= COUNTER_MAX;
    let row_fits = |row: Row| fits(&view.row(row).free()) && fits(&view.row(row).node_free());
    pool.iter().all(fits) && view.table().iter().all(row_fits) && view.orphans() <= u32::MAX / 2
}

/// Whether the rows name different members, and the lists name rows that are in use.
fn table_is_valid(view: &Superblock<&[u8]>) -> bool {
    let table = view.table();
    let lists = view.lists();
    let named = lists.settled.or(lists.members).or(view.online()).or(view.owed());
    let number = |row: Row| view.row(row).number();
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

    /// The epoch, and the generation with which it began in this history.
    pub fn last_epoch(&self) -> (Epoch, Generation) {
        (self.epoch(), Generation(self.epoch_began()))
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
        MemberLists { settled: Set::of_bits(self.settled_raw()), members: Set::of_bits(self.members_raw()) }
    }

    /// The members that took part in this commit.
    pub fn online(&self) -> Set<Row> {
        Set::of_bits(self.online_raw())
    }

    /// Members that are owed something they missed.
    pub fn owed(&self) -> Set<Row> {
        Set::of_bits(self.owed_raw())
    }

    /// Whether something is short of what was asked for, and no member owes it.
    pub fn is_short(&self) -> bool {
        self.flags() & FLAG_SHORT != 0
    }

    /// Whether the disk had lost what it had acknowledged when this was written on it.
    pub fn is_rolled_back(&self) -> bool {
        self.flags() & FLAG_ROLLED_BACK != 0
    }

    /// The scheme of new objects.
    pub fn scheme(&self) -> Scheme {
        Scheme { data: self.scheme_data(), parity: self.scheme_parity() }
    }

    /// The tree's root.
    #[expect(
        clippy::indexing_slicing,
        reason = "`copies` is clamped to the array; the addresses lie in the fixed part"
    )]
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
    #[expect(
        clippy::indexing_slicing,
        reason = "the entries lie in the fixed part: at most `BRANCHES_MAX` are read"
    )]
    pub fn ancestry(&self) -> impl Iterator<Item = Ancestor> + '_ {
        (0..usize::from(self.ancestors()).min(BRANCHES_MAX)).map(|i| {
            let entry = AncestorEntry(&self.0.as_ref()[ancestor(i)]);
            let (epoch, generation) = (entry.fork_epoch_raw(), entry.fork_generation_raw());
            Ancestor {
                branch: entry.branch(),
                fork: (Epoch(epoch & !FORMER_NAME), Generation(generation & !GIVEN_UP)),
                given_up: generation & GIVEN_UP != 0,
                is_former_name: epoch & FORMER_NAME != 0,
            }
        })
    }

    /// Whether it has features that this code does not know, without which it may be read and not written.
    pub fn must_not_write(&self) -> bool {
        self.ro_compat() & !KNOWN_FEATURES.1 != 0
    }

    /// The slot's bytes.
    pub fn bytes(&self) -> &[u8] {
        self.0.as_ref()
    }

    /// The same superblock, to be read alone.
    pub fn view(&self) -> Superblock<&[u8]> {
        Superblock(self.0.as_ref())
    }

    /// Rows of the member table: as many as the pool can have members, whatever the slot has room for.
    pub fn rows(&self) -> usize {
        usize::from(self.member_rows())
            .min((self.0.as_ref().len() - FIXED) / ROW)
            .min(crate::limits::MEMBERS_MAX)
    }

    /// A row of the member table, below [`rows`](Self::rows).
    #[expect(
        clippy::indexing_slicing,
        reason = "as its documentation asks; a slot has a row for each of `rows`"
    )]
    pub fn row(&self, row: Row) -> MemberRow<&[u8]> {
        MemberRow(&self.0.as_ref()[FIXED + ROW * row.0..FIXED + ROW * (row.0 + 1)])
    }

    /// The row of a member.
    pub fn row_of(&self, member: MemberNumber) -> Option<Row> {
        (0..self.rows())
            .map(Row)
            .find(|&row| self.row(row).number() == member.0 && member != MemberNumber::NONE)
    }

    /// The rows in use.
    pub fn table(&self) -> Set<Row> {
        (0..self.rows()).map(Row).filter(|&row| self.row(row).number() != MemberNumber::NONE.0).collect()
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

    /// Makes the bytes an empty superblock with room for so many members: no member, no root.
    pub fn init(&mut self, pool: Uuid, members_max: u8) {
        self.0.as_mut().fill(0);
        self.set_magic(SUPERBLOCK_MAGIC);
        self.set_pool(pool);
        self.set_member_rows(members_max);
        // All of them, whatever this build has room for.
        for row in (0..usize::from(members_max)).map(Row) {
            self.clear_row(row);
        }
    }

    /// Empties a row.
    pub fn clear_row(&mut self, row: Row) {
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
        self.set_settled_raw(lists.settled.bits());
        self.set_members_raw(lists.members.bits());
    }

    /// Notes whether something is short of what was asked for, and no member owes it.
    pub fn set_short(&mut self, short: bool) {
        self.set_flag(FLAG_SHORT, short);
        if !short {
            self.set_members_short(0);
        }
    }

    /// Notes that what so many more members held is short, and no member owes it.
    #[expect(clippy::cast_possible_truncation, reason = "at most 255")]
    pub fn add_short(&mut self, members: usize) {
        if members > 0 {
            self.set_short(true);
            let known = usize::from(self.members_short());
            self.set_members_short(known.saturating_add(members).min(u8::MAX.into()) as u8);
        }
    }

    /// Notes that contents are stored in a scheme that bears the loss of so many disks.
    pub fn note_scheme(&mut self, scheme: Scheme) {
        let deficit = self.tolerance().saturating_sub(scheme.parity);
        if deficit > self.parity_deficit() {
            self.set_parity_deficit(deficit);
        }
    }

    /// Notes whether the disk lost what it had acknowledged.
    pub fn set_rolled_back(&mut self, rolled_back: bool) {
        self.set_flag(FLAG_ROLLED_BACK, rolled_back);
    }

    fn set_flag(&mut self, flag: u8, is_set: bool) {
        let others = self.flags() & !flag;
        self.set_flags(others | if is_set { flag } else { 0 });
    }

    /// Fills a row for a member on which nothing is stored yet.
    pub fn init_row(
        &mut self,
        row: Row,
        member: MemberNumber,
        witness: bool,
        blocks: u64,
        group_blocks: u32,
    ) {
        self.clear_row(row);
        let rest = over(blocks, group_blocks.into());
        let mut row = self.row_mut(row);
        row.set_number(member.0);
        row.set_witness(witness.into());
        row.set_free(blocks);
        // A last group that is too short to be opened for nodes does not count for them.
        row.set_node_free(if rest >= u64::from(NODE_GROUP_FREE_MIN) { blocks } else { blocks - rest });
    }

    /// Sets the root and its level.
    #[expect(
        clippy::indexing_slicing,
        clippy::cast_possible_truncation,
        reason = "the addresses lie in the fixed part; a pointer has at most 5 replicas"
    )]
    pub fn set_root(&mut self, root: &NodePointer, level: u8) {
        self.set_root_level(level);
        self.set_root_crc(root.crc);
        self.set_root_birth(root.birth.0);
        self.set_root_copies(root.replicas().len() as u8);
        for i in 0..NODE_PLACES_MAX {
            let replica = root.replicas().get(i).copied().unwrap_or(BlockAddress::NONE);
            BlockAddress::store(&mut self.0.as_mut()[ROOT_REPLICAS + 8 * i..], replica);
        }
    }

    /// Begins a new history at this state: the present one becomes its first ancestor, the oldest is forgotten.
    pub fn fork(&mut self, branch: u64) {
        self.add_ancestor(&self.left(false));
        self.set_branch(branch);
    }

    /// Notes that this history was preferred to another, whose states up to `last` were known.
    pub fn give_up(&mut self, branch: u64, last: (Epoch, Generation)) {
        // A former name says where this history left it, and not how far another with that name has come.
        let is_same =
            |ancestor: &Ancestor| ancestor.branch == branch && ancestor.given_up && !ancestor.is_former_name;
        let known = self.ancestry().enumerate().find(|(_, ancestor)| is_same(ancestor));
        match known {
            Some((i, known)) => self.set_ancestor(i, &Ancestor { fork: known.fork.max(last), ..known }),
            None => {
                self.add_ancestor(&Ancestor { branch, fork: last, given_up: true, is_former_name: false })
            }
        }
    }

    /// Goes on under another name, because another history has the same. What bears the old name is given up.
    /// Until [`settle_name`](Self::settle_name) the present state and those before it still are of this
    /// history: disks may not have the new name yet.
    pub fn rename(&mut self, branch: u64) {
        self.add_ancestor(&Ancestor { is_former_name: true, ..self.left(true) });
        self.set_former_root_crc(self.root_crc());
        self.set_branch(branch);
    }

    /// All disks of this history have its new name: nothing that bears the old one is taken for it any more.
    pub fn settle_name(&mut self) {
        for i in 0..usize::from(self.ancestors()).min(BRANCHES_MAX) {
            let known = self.ancestry().nth(i);
            if let Some(former) = known.filter(|ancestor| ancestor.is_former_name) {
                self.set_ancestor(i, &Ancestor { is_former_name: false, ..former });
            }
        }
        self.set_former_root_crc(0);
    }

    /// The present state as one that is left for another name.
    fn left(&self, given_up: bool) -> Ancestor {
        Ancestor { branch: self.branch(), fork: self.order(), given_up, is_former_name: false }
    }

    /// Puts an ancestor before the others, in the place of the oldest where there is no other place. A former
    /// name stays, because it identifies disks of this very history.
    #[expect(clippy::cast_possible_truncation, reason = "at most `BRANCHES_MAX`, 4")]
    fn add_ancestor(&mut self, ancestor: &Ancestor) {
        let used = usize::from(self.ancestors()).min(BRANCHES_MAX);
        let oldest = self.ancestry().enumerate().filter(|(_, a)| !a.is_former_name).last();
        let place = if used < BRANCHES_MAX { used } else { oldest.map_or(BRANCHES_MAX - 1, |(i, _)| i) };
        self.0.as_mut().copy_within(ANCESTRY..ANCESTRY + ANCESTOR * place, ANCESTRY + ANCESTOR);
        self.set_ancestor(0, ancestor);
        self.set_ancestors(used.max(place + 1) as u8);
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "the entries lie in the fixed part, and `i` is below `BRANCHES_MAX`"
    )]
    fn set_ancestor(&mut self, i: usize, value: &Ancestor) {
        let mut entry = AncestorEntry(&mut self.0.as_mut()[ancestor(i)]);
        entry.set_branch(value.branch);
        entry.set_fork_epoch_raw(value.fork.0.0 | if value.is_former_name { FORMER_NAME } else { 0 });
        entry.set_fork_generation_raw(value.fork.1.0 | if value.given_up { GIVEN_UP } else { 0 });
    }

    /// A row of the member table, to be changed.
    #[expect(clippy::indexing_slicing, reason = "as for `row`; `init` has room for the table that it makes")]
    pub fn row_mut(&mut self, row: Row) -> MemberRow<&mut [u8]> {
        MemberRow(&mut self.0.as_mut()[FIXED + ROW * row.0..FIXED + ROW * (row.0 + 1)])
    }

    /// Makes the slot one of this disk, at this sequence, and sets the checksum: the last thing before it is written.
    #[expect(clippy::indexing_slicing, reason = "a superblock has its fixed part")]
    pub fn seal(&mut self, disk: Uuid, sequence: u64, claim: Epoch, crc32c: dynamicfs_hal::Crc32c) {
        self.set_disk(disk);
        self.set_sequence(sequence);
        self.set_claim_raw(claim.0);
        let crc = crc32c(0, &self.0.as_ref()[4..]);
        self.set_crc(crc);
    }
}
