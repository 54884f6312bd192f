//! Everything about a run but the array and the memory, which a mounted pool holds.

use super::atlas::Atlas;
use super::edits::ReplayId;
use super::fault::{FaultKind, Faults, Swarm};
use super::ledger::Before;
use super::oracle::Oracle;
use super::probe::Probe;
use super::report::{Counts, Event, EventKind, Failure, FailureKind};
use super::setup::Setup;
use super::special::Special;
use super::{Breakage, Workload};
use crate::{Halt, Rng, SimArray, SimDisk};
use dynamicfs_core::Pool;
use dynamicfs_core::error::StorageError;
use dynamicfs_core::format::record::MemberState;
use dynamicfs_core::pool::DiskOptions;
use dynamicfs_core::types::{DiskIndex, Epoch, Generation, Set, Uuid};
use std::collections::BTreeSet;

/// A pool of the simulated world.
pub(super) type Mounted<'w> = Pool<'w, &'w mut SimArray>;

/// How the world ended for the core, in a few words.
pub(super) const fn in_words(halt: Halt) -> &'static str {
    match halt {
        Halt::PowerCut => "the power went",
        Halt::ProcessCrash => "the process died",
    }
}

/// So many of something, in words.
pub(super) fn counted(number: u64, what: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {what}{ending}")
}

/// Whether a session continues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    On,
    /// The pool is to be let go of: the world halted, or something is to be done while no pool is mounted.
    End,
}

pub(super) struct Run {
    pub(super) id: ReplayId,
    pub(super) root: Rng,
    pub(super) setup: Setup,
    pub(super) workload: Workload,
    pub(super) swarm: Swarm,
    pub(super) oracle: Oracle,
    pub(super) atlas: Atlas,
    pub(super) counts: Counts,
    /// The pool's name: disks of others may be about.
    pub(super) pool: Option<Uuid>,
    /// The next step.
    pub(super) next: u32,
    /// The place in the array of each member's disk.
    pub(super) places: Vec<usize>,
    /// Disks that something else stands for, by member.
    pub(super) shelf: Vec<Option<SimDisk>>,
    /// Older images of the disks, by member.
    pub(super) images: Vec<Option<SimDisk>>,
    /// Faults that wait until no pool is mounted.
    pub(super) waiting: Vec<(FaultKind, Rng)>,
    /// Crashes since the pool was last mounted.
    pub(super) depth: u32,
    /// What the pool was doing when the fuse was last looked at.
    pub(super) doing: Doing,
    /// The last crash was the process's alone.
    pub(super) process_died: bool,
    /// Upkeep ended early: what it said of the members may be durable or not.
    pub(super) unsure_of_debts: bool,
    /// What the operator last knew of the members, by number.
    pub(super) roster: Vec<MemberState>,
    /// The last commit that upkeep was seen to make.
    pub(super) upkept: Generation,
    /// Members that were empty when they were put into use, and have been away ever since.
    pub(super) hollow: Set<usize>,
    /// Members that were set back, which no commit has recorded yet.
    pub(super) gone_back: Set<usize>,
    /// Disks as they were when they were set back, by their members.
    pub(super) before_set_back: Vec<(usize, SimDisk)>,
    /// Members that were added, and that no list was seen to name.
    pub(super) unnamed: Set<usize>,
    /// The last generation whose placement was checked.
    pub(super) mapped: Generation,
    /// The last transaction found no space.
    pub(super) is_full: bool,
    /// The pool is at rest, and everything on every disk was found to be right.
    pub(super) is_proved: bool,
    /// Generations in which everything could be placed as it should be.
    pub(super) orderly: BTreeSet<u64>,
    /// Whether an operation on members ended early: it happened or not.
    pub(super) unsure_of_members: bool,
    /// The place of a disk that belongs to nothing yet.
    pub(super) blank: Option<usize>,
    /// A disk was lost between a crash and its recovery, and has not come back.
    pub(super) lost_in_recovery: bool,
    /// Members that fail in a way that need not leave the pool writable. Until it is mounted anew it may
    /// refuse, and must lose nothing.
    pub(super) excused: Set<usize>,
    /// An idle mount served something, and the power was cut since.
    pub(super) served: bool,
    /// Disks that were put into places in use: the member's, and the writes and discards that they had seen before.
    pub(super) strangers: Vec<(usize, u64, u64)>,
    /// The last commit that the disks were looked at for.
    pub(super) published: (Epoch, Generation),
    /// What was on the disks before the last mount.
    pub(super) before: Before,
    /// Objects that were deleted, by number.
    pub(super) deleted: Vec<u64>,
    /// Mounts refused one after the other, each of them rightly.
    pub(super) refusals: u32,
    /// Nothing but an override can mount what is left.
    pub(super) is_stuck: bool,
    /// Beyond the bound: some of the state cannot be read, so it is not known which it is.
    pub(super) is_blurred: bool,
    pub(super) story: Option<Vec<Event>>,
    pub(super) breakage: Breakage,
}

/// What a crash interrupts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    Mounting,
    Checking,
    Committing,
    Maintaining,
    Trimming,
    Nothing,
}

impl Run {
    pub(super) fn new(
        id: ReplayId,
        faults: &Faults,
        workload: Workload,
        setup: Option<Setup>,
        tell: bool,
    ) -> Self {
        let root = Rng::new(id.seed);
        let mut kinds = *faults;
        id.off.iter().for_each(|kind| kinds.kinds = kinds.kinds.without(kind));
        // Drawn whatever is switched off, so that the rest stays as it was.
        let mut swarm = Swarm::draw(faults, &mut root.fork("swarm"));
        swarm.restrict(kinds.kinds);
        let setup = setup.unwrap_or_else(|| Setup::draw(&mut root.fork("setup"), &swarm, id.disks));
        let members = setup.disks.len();
        let workload = Workload { steps: setup.specials.steps(workload.steps), ..workload };
        Self {
            atlas: Atlas::new(members, setup.witnesses(), setup.tolerance(), faults.beyond_the_bound),
            oracle: Oracle::new(),
            counts: Counts { seeds: 1, ..Counts::default() },
            pool: None,
            next: 0,
            places: (0..members).collect(),
            shelf: vec![None; members],
            images: vec![None; members],
            waiting: Vec::new(),
            depth: 0,
            doing: Doing::Nothing,
            process_died: false,
            unsure_of_debts: false,
            roster: vec![MemberState::Active; members],
            upkept: Generation(0),
            hollow: Set::EMPTY,
            gone_back: Set::EMPTY,
            before_set_back: Vec::new(),
            unnamed: Set::EMPTY,
            mapped: Generation(0),
            is_full: false,
            is_proved: false,
            orderly: BTreeSet::new(),
            unsure_of_members: false,
            blank: None,
            lost_in_recovery: false,
            excused: Set::EMPTY,
            served: false,
            strangers: Vec::new(),
            published: (Epoch(0), Generation(0)),
            before: Before::default(),
            deleted: Vec::new(),
            refusals: 0,
            is_stuck: false,
            is_blurred: false,
            story: tell.then(Vec::new),
            breakage: Breakage::default(),
            id,
            root,
            setup,
            workload,
            swarm,
        }
    }

    /// The pool in a few words.
    pub(super) fn pool_in_words(&self) -> String {
        let (format, disks) = (&self.setup.format, &self.setup.disks);
        let kib: u64 = disks.iter().map(|disk| disk.bytes() / 1024).sum();
        format!(
            "{}+{} on {} disks of {kib} KiB together, nodes of {} bytes in blocks of {}{}",
            format.scheme.data,
            format.scheme.parity,
            disks.len(),
            format.node_bytes,
            format.block_bytes,
            self.setup.specials
        )
    }

    /// A failure found now.
    pub(super) fn fail(&self, kind: FailureKind, what: impl Into<String>) -> Failure {
        Failure { id: self.id.clone(), kind, step: Some(self.next), what: what.into() }
    }

    pub(super) const fn hit(&mut self, probe: Probe) {
        self.counts.probes.hit(probe);
    }

    /// Writes a line of the story, if anyone wants it.
    pub(super) fn tell(
        &mut self,
        array: &SimArray,
        kind: EventKind,
        member: Option<usize>,
        what: impl FnOnce() -> String,
    ) {
        if let Some(story) = &mut self.story {
            let (io, micros, step) = (array.steps(), array.micros(), self.next);
            story.push(Event { io, micros, step, member, kind, what: what() });
        }
    }

    /// The disk of a member, or what stands in its place.
    pub(super) fn disk<'a>(&self, array: &'a mut SimArray, member: usize) -> &'a mut SimDisk {
        array.disk_mut(self.places[member])
    }

    /// Member numbers that were ever given.
    pub(super) fn members(&self) -> usize {
        self.places.len()
    }

    /// Members that count, in order.
    pub(super) fn active(&self) -> Vec<usize> {
        self.atlas.members().iter().collect()
    }

    /// The next step that is to be done, and its own randomness.
    pub(super) fn next_step(&mut self) -> Option<Rng> {
        while self.next < self.workload.steps {
            self.next += 1;
            if self.id.does(self.next - 1) {
                return Some(self.root.fork_at("step", u64::from(self.next - 1)));
            }
        }
        None
    }

    /// What the pool is told is special about its disks.
    pub(super) fn disk_options(&self) -> Vec<DiskOptions> {
        let mut members = self.setup.members.clone();
        if self.breakage.hides_domains {
            members.iter_mut().for_each(|member| member.failure_domain = 0);
        }
        members
    }

    /// Members whose disks take no part in a mounted pool.
    pub(super) fn offline(&self, pool: &Mounted<'_>) -> Set<usize> {
        let online = |member: &usize| {
            pool.member_health(DiskIndex(self.places[*member])).status
                == dynamicfs_core::disks::DiskStatus::Online
        };
        self.atlas.members().iter().filter(|member| !online(member)).collect()
    }

    /// Whether the pool may answer this, though nothing it was asked for is wrong.
    pub(super) fn may_answer(&self, error: StorageError) -> Result<(), FailureKind> {
        let allowed = match error {
            StorageError::NoSpace => true,
            StorageError::TooFewDisks { .. } | StorageError::ReadOnly | StorageError::OutcomeUnknown => {
                self.is_excused() || !self.atlas.must_commit()
            }
            // What is lent is the least with which a pool is mounted: a tree may grow higher than that serves.
            StorageError::NeedsMemory { .. } => {
                self.setup.specials.has(Special::LeastMemory) || self.atlas.has_lied()
            }
            StorageError::Exchanged { .. } => !self.atlas.is_whole(),
            StorageError::NoSpaceBelow { .. } | StorageError::RefusedBelow { .. } => {
                self.counts.faults.of(FaultKind::NoSpaceBelow) > 0
            }
            loss if loss.is_loss() => {
                return if self.atlas.is_beyond() || self.is_excused() {
                    Ok(())
                } else {
                    Err(FailureKind::Lost)
                };
            }
            _ => self.atlas.has_lied(),
        };
        if allowed { Ok(()) } else { Err(FailureKind::Unavailable) }
    }
}
