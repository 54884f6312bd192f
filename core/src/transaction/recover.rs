//! Finding the state to go on from.
//!
//! 1. flush every disk: after a crash of the process alone the newest superblock may be in a disk's cache;
//! 2. read the labels: which disks are members of one pool;
//! 3. read the rings: the newest state on each disk, and the highest epoch claimed on any;
//! 4. decide: the newest state of all, or of the preferred history. All others must be of its history, and
//!    the present members must be allowed to continue from it. Nothing was written yet;
//! 5. read the root, the open groups and the member records;
//! 6. to write: claim a fresh epoch on all present disks, and bring the member lists to those present.

use super::create::FIRST;
use super::decide::{find_state, reads_only};
use super::histories::Prefer;
use super::memory::{Division, Memory, Parts, TO_WRITE};
use super::reading::TO_READ;
use super::request::{MountMode, MountRequest};
use super::rings::read_state;
use super::{Mode, Store, quorum};
use crate::build::{MAINTAIN, MANAGE, MULTI};
use crate::disks::{Currency, DiskStatus, Disks, lacking_for};
use crate::error::{Code, Failure, MountError};
use crate::format::job::JobKind;
use crate::format::key::Key;
use crate::format::node;
use crate::format::parameters::PoolParameters;
use crate::format::superblock::Superblock;
use crate::metrics::PoolCounters;
use crate::observed::Observed;
use crate::powers::over;
use crate::space::Space;
use crate::tree::cache::Cache;
use crate::tree::{Margin, Tree};
use crate::types::{DiskIndex, Epoch, MemberLists, Row, Set};
use dynamicfs_hal::{DiskArray, Request};

impl<'m, A: DiskArray> Store<'m, A> {
    /// Mounts a pool.
    pub fn mount(
        array: A,
        memory: Memory<'m>,
        request: &MountRequest<'m>,
    ) -> Result<Self, Failure<MountError, A>> {
        let mut store = Self::find(array, memory, TO_WRITE, request)?;
        store.tree.make_room = Tree::spill;
        match store.go_on(request) {
            Ok(()) => Ok(store),
            Err(code) => Err(store.tree.disks.not_mounted(code)),
        }
    }

    /// Mounts a pool for reading, by code that never writes.
    pub fn mount_to_read(
        array: A,
        memory: Memory<'m>,
        request: &MountRequest<'m>,
    ) -> Result<Self, Failure<MountError, A>> {
        let mut store = Self::find(array, memory, TO_READ, request)?;
        match store.load_members() {
            Ok(()) => {
                store.tell_of_members();
                store.shut_out();
                Ok(store)
            }
            Err(code) => Err(store.tree.disks.not_mounted(code)),
        }
    }

    /// Finds the state to go on from.
    #[inline(never)] // Once, and not in each of its callers.
    fn find(
        array: A,
        memory: Memory<'m>,
        division: Division,
        request: &MountRequest<'m>,
    ) -> Result<Self, Failure<MountError, A>> {
        let count = array.disks();
        if count == 0 {
            return Err(Failure { error: MountError::NoPool, array });
        }
        if memory.disks.len() < count {
            let needs = Memory::needs_bytes(memory.bytes.len(), count);
            return Err(Failure { error: MountError::NeedsMemory(needs), array });
        }
        if let Some(feature) = lacking_for(&array, count).or(request.lacks()) {
            return Err(Failure { error: MountError::NeedsFeature(feature), array });
        }
        let Memory { bytes, entries, disks: states } = memory;
        let mut disks = Disks::new(array, states, PoolParameters::UNKNOWN, request.crc32c, request.clock);
        match find_state(&mut disks, bytes, entries.len(), division, request) {
            Ok((parts, lists)) => Ok(Self::assemble(disks, parts, entries, lists)),
            Err(code) => Err(disks.not_mounted(code)),
        }
    }

    /// Reads what the found state says of the members, and goes on from it.
    fn go_on(&mut self, request: &MountRequest<'m>) -> Result<(), Code> {
        if MANAGE && request.mode == MountMode::Salvage {
            // Where even their records are lost, no member is known to be out of use.
            if let Err(error) = self.load_members()
                && !error.is_loss()
            {
                return Err(error);
            }
            self.mode = Mode::Salvage;
            return Ok(());
        }
        self.load_members()?;
        if !reads_only(request.mode) {
            self.tree.disks.leave_out_cut();
        }
        self.tell_of_members();
        self.start(request.mode, request.prefer)
    }

    /// Puts the parts together around the committed superblock.
    #[expect(
        clippy::expect_used,
        reason = "a slot is as long as a superblock with its table: the parameters are valid"
    )]
    pub(crate) fn assemble(
        disks: Disks<'m, A>,
        parts: Parts<'m>,
        entries: &'m mut [crate::tree::cache::CacheEntry],
        durable: MemberLists,
    ) -> Self {
        let Parts { committed, working, bitmaps, pending, scratch, piece, window, stage, frames, .. } = parts;
        let parameters = disks.parameters;
        working.copy_from_slice(committed);
        // The parameters were found valid.
        let space = Space::new(working, bitmaps, pending, parameters.group_blocks);
        let space = space.expect("a slot holds a superblock");
        let view = Superblock::new(&*committed).expect("a slot holds a superblock");
        let (root, level, generation) = (view.root(), view.root_level(), view.generation());
        let tree = Tree {
            disks,
            space,
            cache: Cache::new(entries, frames, parameters.node_bytes()),
            make_room: |tree| Err(tree.needs_memory()),
            root,
            level,
            generation: generation.next(),
            mark: node::pool_mark(parameters.pool),
            counters: Observed::new(PoolCounters::NEW),
            withheld: Set::EMPTY,
            margin: Margin::new(Set::EMPTY, Set::EMPTY),
            bad_nodes: heapless::Vec::new(),
        };
        Self {
            tree,
            committed,
            scratch,
            piece,
            window,
            stage,
            mode: Mode::ReadOnly,
            epoch: Epoch(0),
            durable,
            exhausted: Set::EMPTY,
            roster: super::Roster::default(),
            roster_before: super::Roster::default(),
            letting_go: Set::EMPTY,
            sweeps: 0,
            swept_left: 0,
            swept_from: 0,
            restated: Set::EMPTY,
            owes_commit: false,
            growing: None,
            groups_unread: false,
            members_unread: false,
            open: false,
            poisoned: false,
            changes: 0,
        }
    }

    /// Makes the pool writable, if it should be.
    fn start(&mut self, mode: MountMode, prefer: Option<Prefer>) -> Result<(), Code> {
        // Features that this code does not know, and that only a writer must know.
        let unknown = self.tree.disks.all().any(|disk| self.tree.disks.state(disk).must_not_write);
        if mode == MountMode::ReadOnly || unknown {
            self.shut_out();
            return Ok(());
        }
        self.reload_groups()?;
        // The format was cut short, perhaps before all copies of the labels were there.
        if MAINTAIN && self.committed().order() == FIRST {
            self.mend_labels();
        }
        let chosen = MANAGE && self.give_up_others(prefer);
        if MANAGE
            && let MountMode::AssumeMissingDead { branch } = mode
            && self.needs_override()
        {
            return self.go_on_without_absent(branch);
        }
        self.mode = Mode::Unclaimed;
        if !chosen && self.is_settled() {
            // An idle boot writes nothing; the first transaction claims.
            self.shut_out();
            return Ok(());
        }
        let lost_end = self.tree.disks.any_lost_end();
        let written = self.claim_with_shut().and_then(|()| {
            self.started();
            self.commit()
        });
        if MAINTAIN && lost_end && written.is_ok() {
            // Its label at the end is what the next mount would know it by again.
            self.mend_labels();
        }
        match written {
            // It can be read, all of it that there is; one more failure and it could not go on.
            Err(Code::TooFewDisks | Code::NoSpace) => self.mode = Mode::ReadOnly,
            // Likewise, and the first transaction does again what this one was to do, without a disk that
            // lost what was just written to it. A choice of history is for the caller to make again.
            Err(error) if !chosen && is_passing(error) => {
                (self.mode, self.owes_commit) = (Mode::Unclaimed, true);
            }
            written => drop(written?),
        }
        Ok(())
    }

    /// Whether members that are absent keep this mount from writing. The lists want more members, or more are
    /// owed something or away than the pool tolerates.
    fn needs_override(&self) -> bool {
        let present = self.tree.disks.online();
        let is_whole = self.tree.space.superblock.table().is_subset_of(present);
        !quorum::may_mount(present, self.durable) || !is_whole && !self.may_be_written()
    }

    /// Whether a mount for writing takes writes, of these disks and of the state that was found on them.
    pub fn may_be_written(&self) -> bool {
        quorum::may_mount(self.tree.disks.online(), self.durable)
            && self.may_restate(self.who_has_found_state())
            && self.bears_without(Set::EMPTY)
    }

    /// Members that are here and took part in the found state. Those that lost what they had acknowledged do
    /// not have what it refers to, and are left out.
    fn who_has_found_state(&self) -> Set<Row> {
        if !MULTI {
            return self.tree.disks.online();
        }
        let committed = self.committed();
        let there = committed.online().and(self.tree.disks.online());
        there.minus(self.tree.disks.rolled_back(committed.order()))
    }

    /// Whether what is being made belongs to another history than what was found.
    fn is_override(&self) -> bool {
        MANAGE && self.tree.space.superblock.branch() != self.committed().branch()
    }

    /// Whether the found state may be gone on from when it is written once more in these rows: no later mount
    /// goes by another then.
    fn may_restate(&self, rows: Set<Row>) -> bool {
        if !MULTI {
            return !rows.is_empty();
        }
        let are_all_here = self.committed().online().is_subset_of(self.tree.disks.online());
        self.is_override() || are_all_here || quorum::may_continue(rows, self.durable, self.durable)
    }

    /// Begins a new history, named `branch`, of the members that are present.
    fn go_on_without_absent(&mut self, branch: u64) -> Result<(), Code> {
        let present = self.tree.disks.online();
        self.tree.space.superblock.fork(branch);
        // One that is out of use gives no word in a history that begins without it.
        self.durable = MemberLists::both(present.minus(self.roster.shut));
        self.claim()?;
        self.shut_out();
        self.started();
        self.remove_absent(present)?;
        self.commit()?;
        Ok(())
    }

    /// Takes every absent member out of the pool: what it alone held is lost.
    fn remove_absent(&mut self, present: Set<Row>) -> Result<(), Code> {
        let absent = self.tree.space.superblock.table().minus(present);
        let lost = self.holders(absent.minus(self.roster.vacant)).len();
        for row in absent.iter() {
            self.remove_member(row)?;
        }
        // A rebuild that is under way may be past what they held: another begins.
        self.remove(&Key::job(JobKind::Rebuild as u32, 0))?;
        // No member is left that owes their data.
        self.tree.space.superblock.add_short(lost);
        Ok(())
    }

    /// Whether continuing from here changes no list. No change of members is half-way, and the tree records
    /// absent members as away. The present members are those of the list, all at the newest state.
    fn is_settled(&self) -> bool {
        let superblock = self.committed();
        if !MULTI {
            return self.tree.disks.are_all_at(self.tree.disks.online(), superblock.order());
        }
        let online = self.tree.disks.online().minus(self.roster.shut);
        self.durable == MemberLists::both(online)
            && !self.is_override()
            && superblock.online() == online
            && self.roster.away == superblock.table().minus(online)
            && self.tree.disks.are_all_at(online, superblock.order())
    }

    /// Reserves an epoch together with the disks that are to be out of use. One may still be in a list, and
    /// its word is needed to leave it.
    pub(super) fn claim_with_shut(&mut self) -> Result<(), Code> {
        self.with_shut(Self::claim)
    }

    /// Does something together with the disks that are to be out of use. They are afterwards, whatever came
    /// of it.
    pub(super) fn with_shut<T>(&mut self, f: impl FnOnce(&mut Self) -> T) -> T {
        for row in self.roster.shut.iter() {
            if let Some(disk) = self.tree.disks.excluded_disk_of(self.tree.space.member(row)) {
                self.tree.disks.set_excluded(disk, false);
            }
        }
        let done = f(self);
        self.shut_out();
        done
    }

    /// Reserves an epoch above every one that a present disk knows, durable on all of them. From then on no
    /// other mount can write states of this epoch. A disk that fails here counts as absent.
    pub(super) fn claim(&mut self) -> Result<(), Code> {
        // Also above what is known of disks that have failed since, and of those of a history that another
        // was preferred to.
        let epoch = self
            .tree
            .disks
            .all()
            .map(|disk| self.tree.disks.state(disk))
            .map(|state| state.claim.max(state.order.0))
            .max()
            .unwrap_or(Epoch(0));
        let epoch = Epoch(epoch.0 + 1);
        let _ = self.tree.disks.take_refusal();
        for disk in self.tree.disks.all() {
            if self.tree.disks.state(disk).status == DiskStatus::Online {
                self.claim_on(disk, epoch)?;
            }
        }
        self.tree.disks.take_refusal()?;
        let online = self.tree.disks.online();
        if !quorum::may_mount(online, self.durable) {
            return Err(self.tree.disks.about.too_few(online));
        }
        self.epoch = epoch;
        if let Err(error) = self.restate() {
            self.tree.space.superblock.copy_from(self.committed);
            return Err(error);
        }
        self.mode = Mode::Writable;
        Ok(())
    }

    /// Writes the found state once more, in the epoch that was claimed, before any block is written. Not
    /// where all members that it names are here and have it.
    ///
    /// A commit that was cut short may have left a newer state on some disk that is not here. What that state
    /// refers to is free space here, and will be overwritten. If this mount is cut short too, before its own
    /// first commit is on any disk, that state would be the newest that there is. So there must be a newer
    /// one first, on half of each list: no later mount goes by it then. Where fewer can have it nothing is
    /// written. Fewer do where none of those that took part is away, and some went back. They do, too, for an
    /// override, which begins a history of its own.
    // Not part of its caller, whose stack would hold it where nothing is written once more, too.
    #[inline(never)]
    #[expect(clippy::indexing_slicing, reason = "the stage holds a slot")]
    fn restate(&mut self) -> Result<(), Code> {
        if !MULTI {
            // The only disk has it.
            return Ok(());
        }
        let (named, order) = (self.committed().online(), self.committed().order());
        let online = self.tree.disks.online();
        if named.is_subset_of(online) && self.tree.disks.are_all_at(named, order) {
            return Ok(());
        }
        let there = self.who_has_found_state();
        // Where the pool bears no more, it would leave out those that are needed, for a commit that is
        // refused in the end.
        if !self.may_restate(there) || !self.is_override() && !self.bears_without(Set::EMPTY) {
            return Err(self.tree.disks.about.too_few(online));
        }
        if there.is_empty() {
            return Ok(());
        }
        let generation = self.tree.generation;
        // Those that went back stay named, and keep their own.
        self.describe(self.durable, named.and(online), generation);
        for row in there.iter() {
            let Some(disk) = self.tree.disks.disk_in_row(row) else { continue };
            let bytes = self.tree.disks.parameters.superblock_bytes();
            self.stage[..bytes].copy_from_slice(self.tree.space.superblock.bytes());
            self.write_on(disk, self.epoch)?;
        }
        self.tree.disks.take_refusal()?;
        let online = self.tree.disks.online();
        let reached = online.and(there);
        if !self.may_restate(reached) {
            return Err(self.tree.disks.about.too_few(online));
        }
        self.restated = named;
        self.committed.copy_from_slice(self.tree.space.superblock.bytes());
        self.note_newest(reached);
        self.tree.generation = generation.next();
        Ok(())
    }
}

/// Whether the commit of a mount may be made again by the first transaction.
const fn is_passing(error: Code) -> bool {
    use Code::{Exchanged, NoSpaceBelow, RefusedBelow};
    matches!(error, NoSpaceBelow | RefusedBelow | Exchanged)
}

impl<A: DiskArray> Store<'_, A> {
    /// Writes a disk's own state once more, with this claim, and whether the disk lost what it had
    /// acknowledged. Where this mount does not miss the disk, the next one may.
    #[expect(clippy::indexing_slicing, reason = "the stage holds a slot")]
    fn claim_on(&mut self, disk: DiskIndex, epoch: Epoch) -> Result<(), Code> {
        let bytes = self.tree.disks.parameters.superblock_bytes();
        let found = self.committed().root_crc();
        let image = &mut self.stage[..bytes];
        if read_state(&mut self.tree.disks, disk, image).is_none() {
            self.tree.disks.fail(disk, dynamicfs_hal::IoError::Media);
            return Ok(());
        }
        if let Some(mut view) = Superblock::new(&mut *image) {
            let state = self.tree.disks.state(disk);
            let has_lost = state.currency == Currency::RolledBack || state.lost_end;
            view.set_rolled_back(has_lost || state.is_rolled_back);
            view.set_claim_root_crc(found);
        }
        self.write_on(disk, epoch)
    }

    /// Reserves the epoch of this mount on a disk that was out of use when the mount did that. The next mount
    /// knows it by that as one of this history, where no ring remembers its state.
    pub(crate) fn claim_on_returning(&mut self, disk: DiskIndex) -> Result<(), Code> {
        match self.mode {
            Mode::Writable => self.claim_on(disk, self.epoch),
            // It has no epoch yet.
            _ => Ok(()),
        }
    }

    /// Writes the superblock in the stage to a disk, with this claim.
    #[inline(never)] // Once, and not in each of its callers.
    #[expect(clippy::indexing_slicing, reason = "the stage holds a slot")]
    fn write_on(&mut self, disk: DiskIndex, epoch: Epoch) -> Result<(), Code> {
        let bytes = self.tree.disks.parameters.superblock_bytes();
        let before = self.tree.disks.state(disk).sequence;
        self.tree.disks.seal_superblock(disk, &mut self.stage[..bytes], epoch);
        let row = Set::only(self.tree.disks.state(disk).row.into());
        if !self.tree.disks.write_slots(row, &self.stage[..bytes], bytes).is_empty() {
            self.take_back(disk, before);
            return Err(self.tree.disks.refused(disk));
        }
        Ok(())
    }

    /// A superblock could not be written. Nothing was begun on the strength of it, and the disk's state is
    /// where it was, unless what was written is whole all the same.
    #[expect(clippy::indexing_slicing, reason = "the stage holds a slot")]
    fn take_back(&mut self, disk: DiskIndex, before: u64) {
        let image = &mut self.stage[..self.tree.disks.parameters.superblock_bytes()];
        if read_state(&mut self.tree.disks, disk, image).is_none() {
            let state = self.tree.disks.state_mut(disk);
            (state.previous, state.sequence, state.may_hold_more) = (0, before, true);
        }
    }
}

/// Reads of a place before it is given up.
const READS_MAX: usize = 3;

impl<A: DiskArray> Disks<'_, A> {
    /// As [`read_bytes`](Self::read_bytes), several times while the disk takes part: an error may pass.
    pub(super) fn read_bytes_again(&mut self, disk: DiskIndex, at: u64, buf: &mut [u8]) -> Option<()> {
        (0..READS_MAX).find_map(|attempt| {
            let is_here = attempt == 0 || self.state(disk).status == DiskStatus::Online;
            is_here.then(|| self.read_bytes(disk, at, buf)).flatten()
        })
    }

    /// Reads bytes of a disk; `None` if it cannot. Whole sectors, from a sector's beginning.
    pub(crate) fn read_bytes(&mut self, disk: DiskIndex, at: u64, buf: &mut [u8]) -> Option<()> {
        let geometry = self.geometry(disk);
        let end = at.checked_add(buf.len() as u64)?;
        if geometry.check().is_err() || end > geometry.bytes() || over(at, geometry.sector_bytes.into()) != 0
        {
            return None;
        }
        self.execute_one(Request::read(disk.0, self.lba_of_byte(disk, at), buf)).ok()
    }
}
