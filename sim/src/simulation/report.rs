//! What a run was like, and how one fails.

use super::edits::ReplayId;
use super::fault::{FaultKind, FaultSet, KINDS};
use super::probe::ProbeCounts;
use std::fmt;

/// What one simulation did, all of it as expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What replays it.
    pub id: ReplayId,
    /// The pool, in words.
    pub pool: String,
    /// Kinds of faults that the seed had switched on.
    pub switched_on: FaultSet,
    /// Numbers.
    pub counts: Counts,
    /// A hash of everything that happened: equal for equal runs.
    pub trace_hash: u64,
}

/// What was done and what happened, in numbers that add up over runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Runs.
    pub seeds: u64,
    /// Commits that were acknowledged.
    pub commits: u64,
    /// Operations in them.
    pub operations: u64,
    /// Mounts that succeeded.
    pub mounts: u64,
    /// Crashes of the power or the process.
    pub crashes: u64,
    /// Times that the pool was recovered after a crash and everything in it was compared and checked.
    pub cycles: u64,
    /// I/Os of all disks.
    pub ios: u64,
    /// Simulated time in microseconds.
    pub micros: u64,
    /// Runs that ended early, rightly: what was left may not be mounted without an override.
    pub stuck: u64,
    /// Faults that were injected, by kind.
    pub faults: FaultCounts,
    /// Rare paths.
    pub probes: ProbeCounts,
}

/// How often each fault was injected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultCounts([u64; KINDS]);

impl Default for FaultCounts {
    fn default() -> Self {
        Self([0; KINDS])
    }
}

impl FaultCounts {
    pub(super) const fn hit(&mut self, kind: FaultKind) {
        self.0[kind as usize] += 1;
    }

    /// How often this one was.
    pub const fn of(&self, kind: FaultKind) -> u64 {
        self.0[kind as usize]
    }
}

impl Counts {
    /// Adds another run's numbers.
    pub fn add(&mut self, other: &Self) {
        self.seeds += other.seeds;
        self.commits += other.commits;
        self.operations += other.operations;
        self.mounts += other.mounts;
        self.crashes += other.crashes;
        self.cycles += other.cycles;
        self.ios += other.ios;
        self.micros += other.micros;
        self.stuck += other.stuck;
        self.faults.0.iter_mut().zip(other.faults.0).for_each(|(sum, count)| *sum += count);
        self.probes.add(&other.probes);
    }
}

/// What a guarantee's breach is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum FailureKind {
    /// The core panicked.
    Panic,
    /// It did not come to an end.
    Hang,
    /// A mount found neither the last acknowledged commit nor the one in flight (G1, G2, G4).
    WrongState,
    /// An operation, or a read of the running pool, did not do what the model does (G3).
    WrongAnswer,
    /// Something is lost or unreadable that redundancy should have kept (G2, G3).
    Lost,
    /// Blocks leaked, were used twice, or are miscounted (G8).
    Space,
    /// A mount or a commit was refused that should have succeeded.
    Unavailable,
    /// A mount succeeded that should have been refused (G4).
    NotRefused,
    /// What health or the counters say is not so (G5).
    Health,
    /// After the faults had stopped the pool did not come to rest.
    Restless,
    /// The same seed went two ways (G9).
    NotDeterministic,
    /// Something is less redundant than it is said to be, or not where it should be (G5).
    Redundancy,
}

impl FailureKind {
    /// All kinds.
    pub const ALL: [Self; 12] = [
        Self::Panic,
        Self::Hang,
        Self::WrongState,
        Self::WrongAnswer,
        Self::Lost,
        Self::Space,
        Self::Unavailable,
        Self::NotRefused,
        Self::Health,
        Self::Restless,
        Self::NotDeterministic,
        Self::Redundancy,
    ];

    /// Its name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Panic => "panic",
            Self::Hang => "hang",
            Self::WrongState => "wrong-state",
            Self::WrongAnswer => "wrong-answer",
            Self::Lost => "lost",
            Self::Space => "space",
            Self::Unavailable => "unavailable",
            Self::NotRefused => "not-refused",
            Self::Health => "health",
            Self::Restless => "restless",
            Self::NotDeterministic => "not-deterministic",
            Self::Redundancy => "redundancy",
        }
    }

    /// The exit code of a program that reports it: 10 and up.
    pub const fn exit_code(self) -> u8 {
        10 + self as u8
    }
}

/// A guarantee did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What replays it.
    pub id: ReplayId,
    /// Which guarantee.
    pub kind: FailureKind,
    /// The step in which it was found, if it was in one.
    pub step: Option<u32>,
    /// What was seen.
    pub what: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.name(), self.what)?;
        if let Some(step) = self.step {
            write!(f, " (step {step})")?;
        }
        write!(f, "\n  replay: dynamicfs-sim replay {}", self.id)
    }
}

impl std::error::Error for Failure {}

/// One line of a run's story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The number of the next I/O then.
    pub io: u64,
    /// Simulated time in microseconds.
    pub micros: u64,
    /// The step of the run.
    pub step: u32,
    /// The member that it is about, or all of them.
    pub member: Option<usize>,
    /// What sort of thing happened.
    pub kind: EventKind,
    /// What happened.
    pub what: String,
}

/// Sorts of things that happen in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventKind {
    /// The pool that the run is about, and each of its disks.
    Begin,
    /// A mount, or its refusal.
    Mount,
    /// A transaction.
    Commit,
    /// Upkeep.
    Maintain,
    /// A fault.
    Fault,
    /// A crash.
    Crash,
    /// A disk came back or damage was taken away.
    Heal,
    /// A bad fragment that was read was rewritten.
    Repair,
    /// A check of everything.
    Check,
    /// What is wrong.
    Failure,
}
