//! One seed makes a world: a pool, a workload, faults, a schedule. Everything that happens in it is checked.
//!
//! ```
#![doc = include_str!("../../examples/own_test.rs")]
//! ```
//!
//! | module | what it is |
//! |---|---|
//! | `setup`, `special`, `first_start` | the pool: disks, format, memory; what is special about few of them; a first format that is cut short |
//! | `fault`, `inject`, `recovery`, `lies` | what goes wrong, and how it is done to the disks |
//! | `atlas`, `map`, `records` | which disks may be damaged, so that redundancy bears it; what the disks themselves say |
//! | `oracle` | what the pool must hold |
//! | `engine`, `work`, `lifecycle`, `trim`, `misuse` | sessions and their steps |
//! | `examine`, `ledger`, `beyond`, `rest`, `loss`, `split`, `sides` | what is checked: always, beyond the bound, after the faults stopped, with as many disks lost as a whole pool bears, after an override, after a choice |
//! | `placement`, `audit` | what is checked without the core's judges: where everything lies, and every byte of it |
//! | `rivals` | two users of one pool |
//! | `probe`, `report` | rare paths that were met, numbers, failures |
//! | `edits`, `shrink` | replay lines, and making them smaller |

mod atlas;
mod audit;
mod beyond;
mod edits;
mod engine;
mod examine;
mod fault;
mod first_start;
mod guard;
mod inject;
mod ledger;
mod lies;
mod lifecycle;
mod loss;
mod map;
mod misuse;
mod oracle;
mod placement;
mod probe;
#[cfg(test)]
mod proof;
mod records;
mod recovery;
mod report;
mod rest;
mod rivals;
mod run;
mod setup;
mod shrink;
mod sides;
mod special;
mod split;
mod trim;
mod work;

pub use edits::{BadReplayId, ReplayId};
pub use fault::{FaultKind, FaultSet, Faults, Harm};
pub use probe::{Bound, Probe, ProbeCounts};
pub use report::{Counts, Event, EventKind, Failure, FailureKind, FaultCounts, Report};
pub use setup::{DISKS_MAX, Setup, memory_min};
pub use shrink::{Shrunk, shrink};
pub use special::Specials;

use crate::model::Model;
use crate::workload::{Operation, Scale};
use crate::{Rng, Sabotage, SimArray, SimDisk};
use dynamicfs_core::Pool;
use dynamicfs_core::object::Objects;
use dynamicfs_hal::Crc32c;
use engine::Engine;
use guard::Unwound;
use run::Run;

/// Steps of a long run.
pub(crate) const LONG_STEPS: u32 = 240;

/// Makes the next operation of a workload, from what the pool holds.
pub type NextOperation = fn(&Model, &Scale, &mut Rng) -> Operation;

/// What a run does with its pool.
#[derive(Clone, Copy, Debug)]
pub struct Workload {
    /// Steps: transactions, upkeep, remounts, crashes, faults.
    pub steps: u32,
    /// Operations of a transaction at most.
    pub operations: u64,
    /// Makes an operation.
    pub next: NextOperation,
}

impl Workload {
    /// So many steps with random operations of every kind.
    pub fn steps(steps: u32) -> Self {
        Self { steps, operations: 8, next: work::random }
    }
}

impl Default for Workload {
    fn default() -> Self {
        Self::steps(60)
    }
}

/// What is done to a pool in the middle of a transaction.
pub type InTransaction = fn(&mut Objects<'_, &mut SimArray>);

/// What is done to a pool between two transactions.
pub type AtRest = fn(&mut Pool<'_, &mut SimArray>);

/// How the world below and around a pool is broken, so that a correct core behaves as a broken one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Breakage {
    /// The machine's disks.
    pub sabotage: Option<Sabotage>,
    /// The checksum that the pool is handed.
    pub crc32c: Option<Crc32c>,
    /// Done to the disks before every session but the first few, while nothing is mounted.
    pub meddle: Option<fn(&mut SimArray, &mut Rng)>,
    /// Done to a pool after each operation of a transaction.
    pub in_transaction: Option<InTransaction>,
    /// Done to the disks before upkeep rewrites what reads found bad.
    pub before_repair: Option<fn(&mut SimArray)>,
    /// Done to the disks when a copy of a member stands beside it, in the last place.
    pub before_clone: Option<fn(&mut SimArray)>,
    /// Done to a disk of another pool that was put into a place in use, when the pool is let go of.
    pub on_stranger: Option<fn(&mut SimDisk)>,
    /// Two users of one pool have disks of their own, as if neither saw what the other writes.
    pub apart: bool,
    /// Done to the disks before each of the first starts, which mount or else format.
    pub before_start: Option<fn(&mut SimArray)>,
    /// Done to the disks that are left when half a pool is to be refused.
    pub before_split: Option<fn(&mut SimArray)>,
    /// Done to the disks before a step of a rebuild.
    pub before_rebuild: Option<fn(&mut SimArray)>,
    /// Done to a pool before each step of its upkeep once the faults have stopped.
    pub at_rest: Option<AtRest>,
    /// Done to the disks once a pool has come to rest, before some of them are lost.
    pub before_loss: Option<fn(&mut SimArray)>,
    /// The pool is not told what is special about its disks.
    pub hides_domains: bool,
}

/// A run that is being prepared.
#[derive(Clone, Debug)]
pub struct Simulation {
    id: ReplayId,
    workload: Option<Workload>,
    faults: Faults,
    setup: Option<Setup>,
    breakage: Breakage,
    tell: bool,
}

impl Simulation {
    /// The run of this seed: random operations on a random pool, every fault that redundancy bears.
    pub fn new(seed: u64) -> Self {
        Self::replay(ReplayId::of(seed))
    }

    /// The run that a replay line means.
    pub fn replay(id: ReplayId) -> Self {
        let faults = if id.beyond { Faults::beyond_the_bound() } else { Faults::all() };
        Self { id, workload: None, faults, setup: None, breakage: Breakage::default(), tell: false }
    }

    /// Works like this instead.
    #[must_use]
    pub fn workload(mut self, workload: Workload) -> Self {
        self.workload = Some(workload);
        self
    }

    /// Lets these faults happen instead.
    #[must_use]
    pub fn faults(mut self, faults: Faults) -> Self {
        self.faults = faults;
        self.id.beyond = faults.beyond_the_bound;
        self
    }

    /// Simulates this pool instead of a random one.
    #[must_use]
    pub fn pool(mut self, setup: Setup) -> Self {
        self.setup = Some(setup);
        self
    }

    /// Breaks what the pool stands on, in a way that nothing bears: to see that it is noticed.
    #[must_use]
    pub const fn broken(mut self, breakage: Breakage) -> Self {
        self.breakage = breakage;
        self
    }

    /// Runs it. An error is a guarantee that did not hold.
    pub fn run(self) -> Result<Report, Failure> {
        self.finish().0
    }

    /// Runs it and writes down what happens.
    pub fn tell(mut self) -> (Result<Report, Failure>, Vec<Event>) {
        self.tell = true;
        self.finish()
    }

    fn finish(self) -> (Result<Report, Failure>, Vec<Event>) {
        let long = Workload::steps(LONG_STEPS);
        let workload = self.workload.unwrap_or_else(|| if self.id.long { long } else { Workload::default() });
        let id = self.id.clone();
        let mut engine = Engine::new(Run::new(self.id, &self.faults, workload, self.setup, self.tell));
        engine.sabotage(self.breakage);
        engine.introduce();
        let done = guard::catch(|| engine.run());
        let mut story = engine.run.story.take().unwrap_or_default();
        let step = Some(engine.run.next);
        let failure = match done {
            Ok(Ok(())) => {
                return (Ok(engine.report(id)), story);
            }
            Ok(Err(failure)) => failure,
            Err(Unwound::Panic(what)) => Failure { id, kind: FailureKind::Panic, step, what },
            Err(Unwound::Hang) => {
                let what = "the run does not come to an end".into();
                Failure { id, kind: FailureKind::Hang, step, what }
            }
        };
        if self.tell {
            story.push(Event {
                io: engine.array.steps(),
                micros: engine.array.micros(),
                step: engine.run.next,
                member: None,
                kind: EventKind::Failure,
                what: format!("{}: {}", failure.kind.name(), failure.what),
            });
        }
        (Err(failure), story)
    }
}

impl Engine {
    /// The first lines of the story: which pool it is about, and each of its disks.
    fn introduce(&mut self) {
        let Self { array, run, .. } = self;
        let on: Vec<_> = run.swarm.kinds().iter().map(FaultKind::name).collect();
        let what = format!(
            "{}, {} bytes of memory; faults that may happen: {}",
            run.pool_in_words(),
            run.setup.memory,
            on.join(", ")
        );
        run.tell(array, EventKind::Begin, None, || what);
        for member in 0..run.members() {
            let disk = array.disk(run.places[member]);
            let (geometry, flush_us) = (dynamicfs_hal::BlockDevice::geometry(disk), disk.latency().flush_us);
            let cache = if geometry.volatile_cache { "with" } else { "without" };
            let what = format!(
                "{} sectors of {} bytes, {cache} a volatile cache, {flush_us} µs a flush",
                geometry.sectors, geometry.sector_bytes
            );
            run.tell(array, EventKind::Begin, Some(member), || what);
        }
    }

    fn report(self, id: ReplayId) -> Report {
        let Self { array, run, .. } = self;
        let pool = run.pool_in_words();
        Report {
            id,
            pool,
            switched_on: run.swarm.kinds(),
            counts: run.counts,
            trace_hash: array.trace_hash(),
        }
    }
}
