//! Maintenance jobs: their records, and what they list.

use super::field::{U48, layout};
use super::key::Key;
use super::node::value_bytes_max;
use crate::build::MANAGE;
use crate::limits::{NODE_BYTES_MIN, U48_MAX};
use crate::options::options;
use crate::types::{Generation, Row, Set};

layout! {
    /// A maintenance job (kind 6, the job's number in the upper half of the offset, 0 in the lower).
    JobRecord, 92 bytes {
        /// State: 1 running, 2 paused, 3 cancelled, 4 complete, 5 ended with something left to do, 6 ended
        /// with something left to wait for.
        state / set_state: u8 = 0,
        /// What it is to do, bit by bit: see [`JobOptions`].
        options / set_options: u8 = 1,
        /// Things that this pass found to be lost; so many are listed, up to a limit.
        failed / set_failed: u32 = 2,
        /// What is older than this is passed over.
        prune / set_prune: U48 = 6,
        /// The generation in which the pass began.
        began / set_began: U48 = 12,
        /// The key from which the pass goes on.
        position / set_position: Key = 18,
        /// Things that this pass found wanting.
        found / set_found: U48 = 39,
        /// Things that this pass put right.
        healed / set_healed: U48 = 45,
        /// Things that are short of what was asked for and cannot be put right with the disks there are.
        short / set_short: U48 = 51,
        /// Blocks that the pass has met, on members that take part.
        done / set_done: U48 = 57,
        /// Blocks that one pass will come to, as far as is known; 0 if it is not.
        total / set_total: U48 = 63,
        /// When it was started, in seconds since 1970.
        started / set_started: u64 = 69,
        /// When it ended, in seconds since 1970; 0 while it has not.
        ended / set_ended: u64 = 77,
        /// Things that the passes before this one put right.
        healed_before / set_healed_before: U48 = 85,
    }
}

layout! {
    /// What the passes of a scrub read (kind 6, the scrub's number in the upper half of the offset, 2^32 - 1
    /// in the lower). It is there from the first pass on that left something out, or left nothing out and
    /// ended.
    ReadRecord, 22 bytes {
        /// Blocks that this pass did not read: they are on members that were away.
        unread / set_unread: U48 = 0,
        /// Bitmap over the member table: those members.
        unread_rows / set_unread_rows: u64 = 6,
        /// When the last pass ended that read everything, in seconds since 1970; 0 if none did.
        whole / set_whole: u64 = 14,
    }
}

layout! {
    /// Something that a job found to be lost (kind 6, the job's number in the upper half of the offset, 1, 2, ... in
    /// the lower).
    FailedItem, 22 bytes {
        /// What it is: 0 an extent that cannot be read, 1 a node of the tree and all that is below it.
        what / set_what: u8 = 0,
        /// Its key.
        key / set_key: Key = 1,
    }
}

/// What a failed item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum FailedWhat {
    /// An extent that cannot be read.
    Extent = 0,
    /// A node of the tree, and all that is below it.
    Node = 1,
}

/// Bytes of a job's record.
const RECORD: usize = JobRecord::<&[u8]>::BYTES;
/// Bytes of the record that tells what a scrub read.
const READ: usize = ReadRecord::<&[u8]>::BYTES;
const _: () = assert!(RECORD <= value_bytes_max(NODE_BYTES_MIN));

/// What stands in the lower half of the offset under which that record is.
pub(crate) const READ_AT: u32 = u32::MAX;

options! {
    /// What a job is to do.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    #[cfg_attr(feature = "defmt", derive(defmt::Format))]
    pub struct JobOptions {
        /// Rebuild: what absent members held counts as lost, and is not waited for. Bit 0.
        pub absent: bool,
        /// Rebalance: fragments move from full members to those with much more room. Bit 1.
        pub space: bool,
        /// Rebalance: contents are stored in the scheme and on the tier that their object asks for now. Bit
        /// 2.
        pub policy: bool,
        /// Rebalance: short extents that follow each other become long ones. Bit 3.
        pub extents: bool,
    }
}

impl Default for JobOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl JobOptions {
    /// A rebuild that waits for absent members; a rebalance of everything.
    pub const fn new() -> Self {
        Self { absent: false, space: true, policy: true, extents: true }
    }

    /// A rebuild that waits for no member.
    pub const WITHOUT_ABSENT: Self = Self::new().absent(true);

    const fn from_bits(bits: u8) -> Self {
        Self { absent: bits & 1 != 0, space: bits & 2 != 0, policy: bits & 4 != 0, extents: bits & 8 != 0 }
    }

    const fn bits(self) -> u8 {
        self.absent as u8 | (self.space as u8) << 1 | (self.policy as u8) << 2 | (self.extents as u8) << 3
    }
}

/// What a job does with what it meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[repr(u8)]
pub enum JobKind {
    /// Puts what is missing, or to be moved, where it counts. Reads records, and data only to copy it.
    Rebuild = 1,
    /// Reads and proves everything, and puts right what is wrong.
    Scrub = 2,
    /// Puts contents where and how they would be stored today: evenly, as their objects ask, in long extents.
    Rebalance = 3,
    /// Compares the free map with what refers to blocks, and puts the map right.
    Recount = 4,
}

impl JobKind {
    /// All kinds, the most urgent first.
    pub const ALL: [Self; 4] = [Self::Rebuild, Self::Recount, Self::Scrub, Self::Rebalance];

    /// The feature that this build lacks for it.
    pub(crate) const fn lacks(self) -> Option<&'static str> {
        match self {
            Self::Rebalance | Self::Recount if !MANAGE => Some("manage"),
            _ => None,
        }
    }

    /// Whether what it does may call for more of it: it is repeated until a pass finds nothing.
    pub(crate) const fn is_repeated(self) -> bool {
        !matches!(self, Self::Scrub)
    }
}

/// How a job goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[repr(u8)]
pub enum JobState {
    /// It goes on with the next steps of upkeep.
    #[default]
    Running = 1,
    /// It waits to be resumed.
    Paused = 2,
    /// It was given up.
    Cancelled = 3,
    /// It came to its end; what it found lost is listed.
    Complete = 4,
    /// It came to its end, and something is left that it had no space or no disks for.
    Incomplete = 5,
    /// It did all that it could: what a rebuild misses, or a scrub did not read, is on members that are away,
    /// and waited for.
    Waiting = 6,
}

impl JobState {
    /// All states.
    pub const ALL: [Self; 6] =
        [Self::Running, Self::Paused, Self::Cancelled, Self::Complete, Self::Incomplete, Self::Waiting];

    fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|state| *state as u8 == number)
    }
}

/// A maintenance job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Job {
    /// What it does.
    pub kind: JobKind,
    /// How it goes.
    pub state: JobState,
    /// What it is to do.
    pub options: JobOptions,
    /// What is older is passed over.
    pub(crate) prune: Generation,
    /// The generation in which this pass began.
    pub(crate) began: Generation,
    /// Where this pass goes on.
    #[cfg_attr(feature = "defmt", defmt(Debug2Format))]
    pub(crate) position: Key,
    /// Things that this pass found wanting.
    pub found: u64,
    /// Those of them that it put right.
    pub healed: u64,
    /// What the passes before this one put right.
    pub healed_before: u64,
    /// Those of them that are lost.
    pub failed: u32,
    /// Extents that have less parity than was asked for, and cannot have more with the disks there are.
    pub short: u64,
    /// Blocks that the pass has met, on members that take part.
    pub done: u64,
    /// Blocks that a pass comes to, about; 0 if that is not known.
    pub total: u64,
    /// When it was started, in seconds since 1970.
    pub started: i64,
    /// When it ended, in seconds since 1970; 0 while it has not.
    pub ended: i64,
    /// Blocks that the pass of a scrub did not read: they are on members that were away.
    pub unread: u64,
    /// The rows of those members.
    pub unread_rows: Set<Row>,
    /// When the last pass of a scrub ended that read everything, in seconds since 1970; 0 if none did.
    pub whole: i64,
    /// A record tells what a scrub read: it is kept up to date from then on.
    pub(crate) has_read_record: bool,
    /// What the pass before this one found: a pass that does not find less is the last.
    pub(crate) found_before: u64,
    /// Steps since the record was written.
    pub(crate) unsaved: u32,
    /// The next step ends before this key: what is there made the last one fail.
    #[cfg_attr(feature = "defmt", defmt(Debug2Format))]
    pub(crate) stop: Option<Key>,
    /// Passes that found no less than the one before.
    pub(crate) passes: u32,
    /// Steps that failed one after the other at what a step itself stands on.
    pub(crate) failures: u32,
}

impl Job {
    /// Whether it can be brought into this state: a running job is paused, a paused one resumed, either given
    /// up.
    pub const fn may_become(&self, state: JobState) -> bool {
        match state {
            JobState::Running => matches!(self.state, JobState::Paused),
            JobState::Paused => matches!(self.state, JobState::Running),
            JobState::Cancelled => matches!(self.state, JobState::Running | JobState::Paused),
            JobState::Complete | JobState::Incomplete | JobState::Waiting => false,
        }
    }

    pub(crate) fn new(kind: JobKind, options: JobOptions, started: i64) -> Self {
        Self {
            kind,
            state: JobState::Running,
            options,
            prune: Generation(0),
            began: Generation(0),
            position: Key::MIN,
            found: 0,
            healed: 0,
            healed_before: 0,
            failed: 0,
            short: 0,
            done: 0,
            total: 0,
            started,
            ended: 0,
            unread: 0,
            unread_rows: Set::EMPTY,
            whole: 0,
            has_read_record: false,
            found_before: u64::MAX,
            unsaved: 0,
            stop: None,
            passes: 0,
            failures: 0,
        }
    }

    /// Counts things that were found wanting.
    pub(crate) const fn count(&mut self, found: u64, healed: bool) {
        self.found += found;
        self.healed += if healed { found } else { 0 };
    }

    #[expect(clippy::cast_possible_wrap, reason = "a time before 1970 is stored in 64 bits as it is")]
    pub(crate) fn load(kind: JobKind, record: &[u8]) -> Option<Self> {
        let record = JobRecord::new(record)?;
        Some(Self {
            state: JobState::from_number(record.state())?,
            prune: Generation(record.prune()),
            began: Generation(record.began()),
            position: record.position(),
            found: record.found(),
            healed: record.healed(),
            healed_before: record.healed_before(),
            failed: record.failed(),
            short: record.short(),
            done: record.done(),
            total: record.total(),
            ended: record.ended() as i64,
            ..Self::new(kind, JobOptions::from_bits(record.options()), record.started() as i64)
        })
    }

    /// Takes over what the record says that tells what a scrub read.
    #[expect(clippy::cast_possible_wrap, reason = "a time before 1970 is stored in 64 bits as it is")]
    pub(crate) fn load_read(&mut self, record: &[u8]) {
        if let Some(record) = ReadRecord::new(record) {
            self.unread = record.unread();
            self.unread_rows = Set::of_bits(record.unread_rows());
            self.whole = record.whole() as i64;
            self.has_read_record = true;
        }
    }

    /// That record; `None` for another job, and where there is nothing to tell yet.
    #[expect(clippy::cast_sign_loss, reason = "a time before 1970 is stored in 64 bits as it is")]
    pub(crate) fn store_read(&self) -> Option<[u8; READ]> {
        let tells = self.unread > 0 || self.whole != 0 || self.has_read_record;
        (self.kind == JobKind::Scrub && tells).then(|| {
            let mut bytes = [0; READ];
            let mut record = ReadRecord(&mut bytes[..]);
            record.set_unread(self.unread.min(U48_MAX));
            record.set_unread_rows(self.unread_rows.bits());
            record.set_whole(self.whole as u64);
            bytes
        })
    }

    #[expect(clippy::cast_sign_loss, reason = "a time before 1970 is stored in 64 bits as it is")]
    pub(crate) fn store(&self) -> [u8; RECORD] {
        let mut bytes = [0; RECORD];
        let mut record = JobRecord(&mut bytes[..]);
        record.set_state(self.state as u8);
        record.set_options(self.options.bits());
        record.set_prune(self.prune.0);
        record.set_began(self.began.0);
        record.set_position(self.position);
        record.set_found(self.found.min(U48_MAX));
        record.set_healed(self.healed.min(U48_MAX));
        record.set_healed_before(self.healed_before.min(U48_MAX));
        record.set_failed(self.failed);
        record.set_short(self.short.min(U48_MAX));
        record.set_done(self.done.min(U48_MAX));
        record.set_total(self.total.min(U48_MAX));
        record.set_started(self.started as u64);
        record.set_ended(self.ended as u64);
        bytes
    }
}
