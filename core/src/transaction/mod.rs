//! Transactions: staging changes, making them durable, and finding the way back after a crash.
//!
//! ```text
//! memory.rs    how the lent memory is divided
//! reading.rs   the same, where nothing is written
//! ready.rs     groups opened and recorded, freed runs noted                      before each change
//! reserve.rs   how much space there must be for a change, and what is kept back
//! sweep.rs     dead blocks become free
//! recount.rs   parts of the free map replaced by what was counted
//! groups.rs    what the free map says of a group
//! commit.rs    the four steps of a commit, and what a failure in each means
//! roster.rs    what the tree remembers of members that were away
//! create.rs    the first state of a new pool
//! join.rs      a disk becomes a member
//! labels.rs    what says so on the disk
//! rings.rs     superblocks on the disks: written, read, proved
//! decide.rs    which state to go on from
//! request.rs    what is asked of a mount
//! recover.rs   mounting: going on from it; claims
//! histories.rs several histories of one pool: told apart, named, one preferred
//! quorum.rs    who may mount and who may go on                                   pure
//! ```
//!
//! What a crash leaves, by the moment of the cut:
//!
//! 1. *before the first superblock*: everything written lies in blocks that the last commit does not reference;
//! 2. *while superblocks are written*: some disks have the new state, whole, others the old one, whole. The next
//!    mount takes the new one if it may be the newest (then all it references was flushed before), else the old one;
//! 3. *after the flush that follows*: the new state is on every member that is online.

mod commit;
mod create;
mod decide;
mod groups;
mod grow;
pub mod histories;
mod join;
mod labels;
pub mod memory;
pub mod quorum;
mod reading;
mod ready;
mod recount;
mod recover;
mod request;
mod reserve;
mod rings;
mod roster;
mod sweep;

pub use create::CreateRequest;
pub use histories::Prefer;
pub use memory::Memory;
pub use request::{MountMode, MountRequest};
pub use reserve::{Purpose, REFRESH_UPDATES, RELEASE_UPDATES};
pub use roster::Roster;

use crate::build::MULTI;
use crate::error::Code;
use crate::format::superblock::Superblock;
use crate::tree::{Margin, Tree};
use crate::types::{DiskIndex, Epoch, Generation, MemberLists, Row, Set};
use dynamicfs_hal::DiskArray;

/// Whether the pool takes writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// It does.
    Writable,
    /// It does after an epoch was claimed, which the first transaction does.
    Unclaimed,
    /// It was mounted for reading, or lost too much.
    ReadOnly,
    /// It was mounted to take out what can be read.
    Salvage,
    /// A commit may or may not have happened.
    OutcomeUnknown,
    /// Something else writes to the disks: the state that this mount knows is not the newest any more.
    Usurped {
        /// The disk on which that was seen.
        disk: DiskIndex,
    },
}

/// How often the open groups and the member records are read before a failed read counts. A disk may fail one
/// and serve the next.
const RECORD_READS_MAX: u32 = 3;

/// The tree with its transactions: one at a time.
pub struct Store<'m, A> {
    /// The tree and what it stands on, as the transaction sees it.
    pub tree: Tree<'m, A>,
    /// The superblock of the last commit.
    committed: &'m mut [u8],
    /// A record of the free map, between reading and writing it. Any change of the tree may use it.
    scratch: &'m mut [u8],
    /// A record, or a piece of one, of the layers above.
    pub(crate) piece: &'m mut [u8],
    /// Contents of one extent that is being filled.
    pub(crate) window: &'m mut [u8],
    /// Parity, padding, columns of a stripe; superblocks at a commit.
    pub(crate) stage: &'m mut [u8],
    pub(crate) mode: Mode,
    /// The epoch that this mount claimed, which dropping a transaction does not give back.
    epoch: Epoch,
    /// The member lists that are durable on all online members.
    durable: MemberLists,
    /// Rows that have no group left that could be opened for nodes.
    exhausted: Set<Row>,
    /// What the member records say.
    roster: Roster,
    /// What they said when the transaction began.
    roster_before: Roster,
    /// Members that are being let go: their word still counts while the lists change.
    letting_go: Set<Row>,
    /// Sweeps that came to their end.
    sweeps: u32,
    /// Dead blocks that the last sweep left, if it gave back little: what it made itself.
    swept_left: u64,
    /// Dead blocks when the sweep that is under way began.
    swept_from: u64,
    /// Members that the found state named, if this mount wrote it once more without some of them. They have
    /// all of it.
    restated: Set<Row>,
    /// The mount's own commit found no room: the first transaction makes it.
    owes_commit: bool,
    /// The disk that this transaction lets grow, and the blocks that it had before.
    growing: Option<(DiskIndex, u64)>,
    /// The open groups could not be read when the last transaction was dropped.
    groups_unread: bool,
    /// The member records could not be read when a commit had changed them.
    members_unread: bool,
    open: bool,
    poisoned: bool,
    /// Changes of the open transaction, counted so that an operation can tell whether it has begun to change something.
    changes: u32,
}

impl<'m, A: DiskArray> Store<'m, A> {
    /// The superblock of the last commit.
    #[expect(
        clippy::expect_used,
        reason = "a slot is as long as a superblock with its table: the parameters are valid"
    )]
    pub fn committed(&self) -> Superblock<&[u8]> {
        Superblock::new(&*self.committed).expect("a slot holds a superblock")
    }

    /// The last commit.
    pub fn generation(&self) -> Generation {
        self.committed().generation()
    }

    /// Whether the pool takes writes at all.
    pub fn is_writable(&self) -> bool {
        matches!(self.mode, Mode::Writable | Mode::Unclaimed)
    }

    /// Whether the next mount may find another state than the served one. The served state is not on every
    /// member of its list, and no write made it so.
    pub fn is_tentative(&self) -> bool {
        let (superblock, online) = (self.committed(), self.tree.disks.online());
        let is_everywhere = superblock.lists().members.is_subset_of(online)
            && self.tree.disks.are_all_at(online, superblock.order());
        let wrote_all = self.is_writable() && !self.owes_commit;
        self.mode == Mode::Salvage || !wrote_all && !is_everywhere
    }

    /// Whether a transaction has begun and neither been committed nor dropped.
    pub const fn is_open(&self) -> bool {
        self.open
    }

    /// Begins a transaction. The first of a mount reserves an epoch on every disk, if the mount itself did not. Refused
    /// while one is open.
    pub fn begin(&mut self) -> Result<(), Code> {
        self.check_alone()?;
        self.claim_once().map_err(|error| self.cause(error))?;
        if self.tree.disks.online().is_empty() {
            return Err(self.tree.disks.too_few());
        }
        if self.owes_commit {
            self.make_owed_commit()?;
        }
        self.started();
        // The mount's own commit brought it to every disk that takes part.
        if MULTI {
            self.tree.space.superblock.settle_name();
        }
        Ok(())
    }

    /// Makes sure that this mount may write now: it has an epoch, and its disks are still its own. Before members are taken out of
    /// use: their word counts for the epoch.
    pub fn claim_once(&mut self) -> Result<(), Code> {
        match self.mode {
            Mode::ReadOnly | Mode::Salvage => Err(Code::ReadOnly),
            Mode::OutcomeUnknown => Err(Code::OutcomeUnknown),
            Mode::Usurped { disk } => Err(self.tree.disks.about.on(disk, Code::OtherWriter)),
            // Where the mount's own commit found no room, the lists may still name a disk that is shut.
            Mode::Unclaimed if self.owes_commit => self.with_shut(Self::claim_after_look),
            Mode::Unclaimed => self.claim_after_look(),
            Mode::Writable => {
                self.look_if_idle()?;
                self.read_again()
            }
        }
    }

    /// Looks at all disks that an epoch is reserved on: one may have been exchanged since the mount.
    fn claim_after_look(&mut self) -> Result<(), Code> {
        self.look_before_writing()?;
        self.read_again()?;
        self.claim()
    }

    /// Makes the commit that the mount found no room for: it writes down what members lack. Before anything
    /// that goes by the members' records, as a rebuild does and what lets a member go.
    fn make_owed_commit(&mut self) -> Result<(), Code> {
        self.started();
        self.commit().map(drop)
    }

    /// Reads the member records and the open groups, if that failed when the last transaction ended.
    pub(crate) fn read_again(&mut self) -> Result<(), Code> {
        if self.members_unread {
            self.load_members()?;
            self.members_unread = false;
        }
        if self.groups_unread {
            self.read_groups()?;
            self.groups_unread = false;
        }
        Ok(())
    }

    /// Reads the open groups, several times if need be.
    fn read_groups(&mut self) -> Result<(), Code> {
        for _ in 1..RECORD_READS_MAX {
            if self.reload_groups().is_ok() {
                return Ok(());
            }
        }
        self.reload_groups()
    }

    fn started(&mut self) {
        self.open = true;
        self.poisoned = false;
        // What an earlier one was refused is no matter of this one.
        let _ = self.tree.disks.take_refusal();
        self.exhausted = Set::EMPTY;
        self.roster_before = self.roster;
        self.letting_go = Set::EMPTY;
        self.withhold();
        // What fails of those that are given nothing takes nothing from what this transaction writes.
        let given = self.holders(self.tree.disks.online().minus(self.tree.withheld));
        self.tree.margin = Margin::new(given, self.unhealed());
    }

    /// Says which members are given nothing. Those are members that are emptied or kept empty. The others
    /// came back, or went back, and no superblock on their own disk says so yet. The newest state does not
    /// name them, or has not reached them. The older state of such a disk may be all that is left. What it
    /// refers to must not be overwritten before the disk has a newer one.
    pub(super) fn withhold(&mut self) {
        if !MULTI {
            return;
        }
        let (online, named) = (self.tree.disks.online(), self.committed().online());
        // An override may go on with one that was being let go, and has all of it.
        let unnamed = if online.and(named).is_empty() { Set::EMPTY } else { online.minus(named) };
        self.tree.withheld = self.roster.draining.or(self.roster.vacant).or(unnamed).or(self.rows_behind());
    }

    /// Members that take part and whose own disk has not the last commit's superblock.
    pub(crate) fn rows_behind(&self) -> Set<Row> {
        self.tree.disks.rows_not_at(self.committed().order())
    }

    /// Whether a commit would go on with the disks that are left, and the claim before the first one.
    pub(crate) fn may_commit(&self) -> bool {
        let online = self.tree.disks.online();
        self.is_writable()
            && (self.mode != Mode::Unclaimed || quorum::may_mount(self.claimants(), self.durable))
            && self.bears_without(Set::EMPTY)
            && quorum::may_continue(online, self.durable, self.durable)
    }

    /// How many members may fail, whichever they are, before the first transaction of this mount is refused.
    /// It claims an epoch, for which more than half of each list must be here. `None` where it has begun.
    pub(crate) fn claim_spare(&self) -> Option<usize> {
        (self.mode == Mode::Unclaimed).then(|| quorum::spare(self.claimants(), self.durable))
    }

    /// The members whose word counts for a claim: where the mount's own commit is still to be made, also that
    /// of those that are shut.
    fn claimants(&self) -> Set<Row> {
        if self.owes_commit { self.tree.disks.present() } else { self.tree.disks.online() }
    }

    /// Lets no further operation succeed in this transaction: one failed half-way.
    pub fn poison(&mut self) {
        self.poisoned = true;
    }

    /// Whether the transaction can only be dropped.
    pub const fn is_poisoned(&self) -> bool {
        self.poisoned
    }

    /// Drops the transaction: the last commit stands, and what was written since is free again. Without one it does nothing.
    pub fn abort(&mut self) {
        if !self.open {
            return;
        }
        self.open = false;
        self.poisoned = false;
        self.tree.disks.settle_counters(false);
        self.roster = self.roster_before;
        self.letting_go = Set::EMPTY;
        self.withhold();
        let generation = self.tree.generation;
        self.tree.cache.abandon(generation);
        // Numbers that were given are not given again: a caller may still have one.
        let next = self.tree.space.superblock.next_object();
        self.tree.space.superblock.copy_from(self.committed);
        self.tree.space.superblock.set_next_object(next);
        self.tree.space.reset();
        self.restore_root();
        if let Some((disk, blocks)) = self.growing.take() {
            self.tree.disks.state_mut(DiskIndex(disk.0)).blocks = blocks;
        }
        // What cannot be read now can be read when the next transaction begins, or that says what it is.
        self.groups_unread = self.read_groups().is_err();
    }

    fn restore_root(&mut self) {
        let (root, level, generation) = {
            let superblock = self.committed();
            (superblock.root(), superblock.root_level(), superblock.generation())
        };
        self.tree.root = root;
        self.tree.level = level;
        self.tree.generation = generation.next();
    }

    /// Fails while a transaction is open: for what commits by itself.
    pub const fn check_alone(&self) -> Result<(), Code> {
        if self.open { Err(Code::InTransaction) } else { Ok(()) }
    }

    /// Notes that the transaction holds something else from now on. An operation that fails after this poisons it.
    pub(crate) const fn note_change(&mut self) {
        self.changes = self.changes.wrapping_add(1);
    }

    /// A number that is another one after every change.
    pub(crate) const fn changes(&self) -> u32 {
        self.changes
    }

    /// Lets what was done since this number count as no change: the transaction holds the same as then.
    pub(crate) const fn set_changes(&mut self, changes: u32) {
        self.changes = changes;
    }

    /// The superblock that is being made, to be changed.
    pub(crate) const fn superblock_mut(&mut self) -> &mut Superblock<&'m mut [u8]> {
        self.note_change();
        &mut self.tree.space.superblock
    }

    /// Fails where an operation may not begin.
    pub fn check(&self) -> Result<(), Code> {
        match () {
            () if self.poisoned => Err(Code::Poisoned),
            () if !self.open => Err(Code::NoTransaction),
            () => Ok(()),
        }
    }
}
