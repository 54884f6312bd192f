//! A run from its first step to its end: sessions, and what happens between them.
//!
//! ```text
//!   format ─▶ session ─▶ between ─▶ session ─▶ … ─▶ calm ─▶ rest ─▶ an override, in some runs
//!               │           └ power or process back, disks swapped, replaced, …
//!               └ mount, check, steps of work with faults among them, until the world halts or is to be remounted
//! ```

use super::Breakage;
use super::fault::FaultKind;
use super::probe::Probe;
use super::report::{EventKind, Failure, FailureKind};
use super::run::{Doing, Flow, Run, in_words};
use super::setup::memory_min;
use super::special::{STRICT, Special};
use crate::array::Narrow;
use crate::colliding::{self, Meeting};
use crate::states;
use crate::world::Lent;
use crate::world::crc32c;
use crate::{CrashPolicy, Halt, Rng, SimArray};
use dynamicfs_core::error::{MountError, StorageError};
use dynamicfs_core::types::{DiskIndex, Generation};
use dynamicfs_core::{MountMode, MountOptions, Pool, Services};
use dynamicfs_hal::{Crc32c, Entropy};
use std::collections::BTreeSet;

/// I/Os after which a run counts as endless.
const PATIENCE: u64 = 5_000_000;

/// Mounts that may be refused one after the other.
const REFUSALS_MAX: u32 = 3;

pub(super) struct Engine {
    pub(super) array: SimArray,
    pub(super) lent: Lent,
    pub(super) run: Run,
    pub(super) crc32c: Crc32c,
    sessions: u32,
    _narrow: Narrow,
}

impl Engine {
    pub(super) fn new(run: Run) -> Self {
        let mut array = SimArray::new(run.root.fork("world").next_u64(), run.setup.disks.iter().copied());
        for (disk, &latency) in run.setup.latencies.iter().enumerate().take(run.setup.disks.len()) {
            array.disk_mut(disk).set_latency(latency);
        }
        array.set_patience(PATIENCE);
        array.set_in_flight(run.setup.in_flight);
        if run.setup.specials.has(Special::NoClock) {
            array.hide_clock();
        }
        let narrow = Narrow::to(run.setup.batch);
        let memory = run.setup.memory.max(2 * memory_min(&run.setup.format));
        let lent = Lent::with_nodes(memory, run.setup.format.node_bytes);
        Self { array, lent, run, crc32c, sessions: 0, _narrow: narrow }
    }

    pub(super) fn sabotage(&mut self, breakage: Breakage) {
        self.run.breakage = breakage;
        self.crc32c = breakage.crc32c.unwrap_or(crc32c);
    }

    /// What a broken world does to the disks between two sessions.
    fn meddle(&mut self, rng: &mut Rng) {
        self.sessions += 1;
        if let Some(meddle) = self.run.breakage.meddle
            && self.sessions > 3
        {
            meddle(&mut self.array, rng);
            self.run.mapped = Generation(0);
        }
    }

    pub(super) fn break_split(&mut self) {
        if let Some(f) = self.run.breakage.before_split {
            f(&mut self.array);
        }
    }

    pub(super) fn run(&mut self) -> Result<(), Failure> {
        self.format()?;
        if let Some(sabotage) = self.run.breakage.sabotage {
            self.array.set_sabotage(sabotage);
        }
        while self.run.next < self.run.workload.steps && !self.run.is_stuck {
            self.session()?;
        }
        if self.run.is_stuck {
            self.run.counts.stuck += 1;
        } else {
            self.rest()?;
            self.salvage()?;
            if self.let_two_write()? {
                self.split_history()?;
            }
        }
        self.run.counts.ios = self.array.steps();
        self.run.counts.micros = self.array.micros();
        Ok(())
    }

    pub(super) fn format(&mut self) -> Result<(), Failure> {
        // Where a pool is made to measure it is made once.
        let measured = self.run.setup.colliding || self.run.setup.memory == 0;
        if self.run.swarm.is_on(FaultKind::FirstFormatCut) && !measured {
            return self.first_starts();
        }
        let Self { array, lent, run, crc32c, .. } = self;
        let clock = array.clock();
        let services = Services::new(*crc32c, &clock);
        let mut plain = run.root.fork("format");
        let mut meeting = Meeting::new(plain.clone());
        let entropy: &mut dyn Entropy = if run.setup.colliding { &mut meeting } else { &mut plain };
        let (options, members) = (&run.setup.format, run.disk_options());
        let made = Pool::format(&mut *array, lent.lend(), services, entropy, options, &members)
            .map(|_| ())
            .map_err(|failure| failure.error);
        let label = states::label_of(array.disk(0)).map(|(parameters, _)| parameters);
        if let Err(error) = made {
            return Err(run.fail(FailureKind::Unavailable, format!("not formatted: {error}")));
        }
        assert!(
            !run.setup.colliding || label.is_some_and(|label| label.hash_seed == colliding::SEED),
            "the world drew the hash seed"
        );
        run.pool = label.map(|parameters| parameters.pool);
        if run.setup.memory == 0 {
            run.setup.memory = label.as_ref().map_or(0, |parameters| run.setup.least_memory(parameters));
        }
        Ok(())
    }

    /// Mounts the pool, checks it, works on it, and lets go of it.
    pub(super) fn session(&mut self) -> Result<(), Failure> {
        let mut rng = self.run.root.fork_at("session", self.array.steps());
        self.between(&mut rng)?;
        self.meddle(&mut rng);
        self.idle_mount(&mut rng)?;
        let mode = if rng.chance(1, 12) { MountMode::ReadOnly } else { MountMode::ReadWrite };
        self.mount(mode, |run, pool| match run.examine(pool)? {
            Flow::On if mode == MountMode::ReadWrite => run.work(pool),
            _ => Ok(()),
        })
    }

    /// Mounts and does something with the pool, or judges the refusal.
    pub(super) fn mount(
        &mut self,
        mode: MountMode,
        f: impl FnOnce(&mut Run, &mut super::run::Mounted<'_>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let Self { array, lent, run, crc32c, .. } = self;
        let clock = array.clock();
        let services = Services::new(*crc32c, &clock);
        run.doing = Doing::Mounting;
        run.look_before(array);
        run.oracle.let_go();
        let (memory, pins) = lent.lend_with_pins(run.setup.memory);
        let mut options = MountOptions::new().mode(mode);
        options.pool = run.pool;
        let refusal = match Pool::mount(&mut *array, memory, services, &options) {
            Ok(mut pool) => {
                run.counts.mounts += 1;
                pool.lend_pins(pins);
                run.check_quorum(&pool)?;
                if let Some(bytes) = run.setup.step_bytes {
                    pool.set_step_bytes(bytes);
                }
                if run.setup.specials.has(Special::StrictThresholds) {
                    pool.set_thresholds(STRICT);
                }
                f(run, &mut pool)?;
                return Ok(());
            }
            Err(failure) => failure.error,
        };
        if let Some(halt) = array.halted() {
            run.tell(array, EventKind::Crash, None, || format!("{} during the mount", in_words(halt)));
            return Ok(());
        }
        run.tell(array, EventKind::Mount, None, || format!("not mounted: {refusal}"));
        run.refused(array, refusal)
    }

    /// What happens while no pool is mounted.
    fn between(&mut self, rng: &mut Rng) -> Result<(), Failure> {
        self.run.check_strangers(&mut self.array)?;
        self.recover_from_halt(rng);
        self.run.reset_doomed(&mut self.array, rng);
        self.run.end_excuse(&mut self.array);
        self.run.lose_in_recovery(&mut self.array, rng);
        let waiting = std::mem::take(&mut self.run.waiting);
        for (kind, mut rng) in waiting {
            self.run.inject(&mut self.array, kind, &mut rng);
            if kind == FaultKind::Cloned {
                self.refuse_clone(&mut rng)?;
            }
        }
        self.run.lay_ready(&mut self.array, rng);
        if self.run.depth > 0 {
            let most = if self.run.id.long { 4 } else { 3 };
            if self.run.depth < most && self.run.swarm.is_on(FaultKind::NestedCrash) && rng.chance(2, 3) {
                let halt = self.run.draw_halt(rng);
                let within = *rng.pick(&[20, 60, 200]);
                if rng.coin() {
                    self.run.arm_superblocks(&mut self.array, halt, rng);
                } else {
                    self.array.halt_at(self.array.steps() + rng.below(within), halt);
                }
            }
        }
        Ok(())
    }

    /// After a halt: the power comes back, or the process is started again.
    fn recover_from_halt(&mut self, rng: &mut Rng) {
        let Self { array, run, .. } = self;
        if array.halted().is_some() && run.depth > 0 {
            run.counts.faults.hit(FaultKind::NestedCrash);
        }
        match array.halted() {
            None => {
                array.disarm();
                return;
            }
            Some(Halt::PowerCut) => {
                run.counts.faults.hit(FaultKind::PowerCut);
                let torn = run.swarm.is_on(FaultKind::TornWrite);
                let policy = match rng.below(if torn { 5 } else { 3 }) {
                    0 => CrashPolicy::Nothing,
                    1 => CrashPolicy::Everything,
                    2 => CrashPolicy::Subset,
                    3 => CrashPolicy::Torn,
                    _ => CrashPolicy::TornUnreadable,
                };
                if matches!(policy, CrashPolicy::Torn | CrashPolicy::TornUnreadable) {
                    run.counts.faults.hit(FaultKind::TornWrite);
                }
                if run.process_died {
                    run.hit(Probe::ProcessThenPower);
                }
                let lopsided = run.swarm.is_on(FaultKind::LostInRecovery) && rng.coin();
                if lopsided {
                    array.power_cycle_each(&run.lopsided(array, rng), rng);
                } else {
                    array.power_cycle(policy, rng);
                }
                run.process_died = false;
                run.tell(array, EventKind::Crash, None, || {
                    let left = match policy {
                        _ if lopsided => "of what was not flushed one disk has all, the others none",
                        CrashPolicy::Nothing => "none of what was not flushed is there",
                        CrashPolicy::Everything => "all that was not flushed is there",
                        CrashPolicy::Subset => "some of what was not flushed is there",
                        CrashPolicy::Torn => "what was not flushed is torn",
                        CrashPolicy::TornUnreadable => "what was not flushed is torn or unreadable",
                    };
                    format!("the power is back: {left}")
                });
                let states: BTreeSet<_> =
                    run.places.iter().map(|&place| states::newest_of(array.disk(place))).collect();
                if run.doing == Doing::Committing && run.atlas.hurt().is_empty() && states.len() > 1 {
                    run.hit(Probe::CommitOnSomeDisks);
                }
            }
            Some(Halt::ProcessCrash) => {
                run.counts.faults.hit(FaultKind::ProcessCrash);
                array.restart();
                run.process_died = true;
                run.tell(array, EventKind::Crash, None, || "the process is started again".into());
            }
        }
        run.depth += 1;
        run.counts.crashes += 1;
        if run.doing == Doing::Mounting {
            match run.depth {
                2 => run.hit(Probe::CrashInRecovery),
                3.. => run.hit(Probe::CrashInRecoveryTwice),
                _ => {}
            }
        }
        match run.doing {
            Doing::Maintaining => run.hit(Probe::CrashInMaintenance),
            Doing::Trimming => run.hit(Probe::CrashInTrim),
            _ => {}
        }
    }

    /// A copy of a member stands beside it: the mount must be refused, and nothing else happens.
    fn refuse_clone(&mut self, rng: &mut Rng) -> Result<(), Failure> {
        let Self { array, lent, run, crc32c, .. } = self;
        let member = *rng.pick(&run.active());
        let original = array.disk(run.places[member]).clone();
        let (labelled, place) = (states::newest_of(&original).is_some(), array.add(original));
        if let Some(break_it) = run.breakage.before_clone {
            break_it(array);
        }
        let clock = array.clock();
        let services = Services::new(*crc32c, &clock);
        let mut options = MountOptions::new();
        options.pool = run.pool;
        let mounted = Pool::mount(&mut *array, lent.lend_only(run.setup.memory), services, &options)
            .map(|_| ())
            .map_err(|failure| failure.error);
        array.remove_last();
        run.counts.faults.hit(FaultKind::Cloned);
        match mounted {
            Err(MountError::Cloned { second, .. }) if second == DiskIndex(place) => {
                run.hit(Probe::CloneRefused)
            }
            // One of the two may not have answered, or has nothing on it that could be copied.
            _ if !labelled || run.atlas.is_hurt(member) || run.atlas.is_beyond() => {}
            Ok(()) => {
                return Err(
                    run.fail(FailureKind::NotRefused, format!("a copy of member {member} was let in"))
                );
            }
            Err(error) => {
                let what = format!("a copy of member {member} stands beside it: {error}");
                return Err(run.fail(FailureKind::Unavailable, what));
            }
        }
        Ok(())
    }
}

impl Run {
    pub(super) fn draw_halt(&self, rng: &mut Rng) -> Halt {
        let both = self.swarm.is_on(FaultKind::ProcessCrash);
        let share = if self.swarm.is_on(FaultKind::IdleMount) { 2 } else { 1 };
        if !self.swarm.is_on(FaultKind::PowerCut) || both && rng.chance(share, 3) {
            Halt::ProcessCrash
        } else {
            Halt::PowerCut
        }
    }

    /// A mount was refused though nothing had halted.
    fn refused(&mut self, array: &mut SimArray, error: MountError) -> Result<(), Failure> {
        let is_copy = matches!(error, MountError::Diverged { .. }) && self.may_be_copied(array);
        if is_copy {
            self.hit(Probe::SetBackRefused);
            if self.puts_back(array) {
                return Ok(());
            }
        }
        if self.atlas.is_beyond() {
            self.hit(Probe::MountImpossible);
        } else if self.atlas.must_mount() && !self.may_have_left() && !self.is_excused() {
            return Err(self.fail(FailureKind::Unavailable, format!("not mounted: {error}")));
        } else if !(is_copy || may_refuse(&error) || self.is_excused() && is_loss(&error)) {
            // Whatever is missing, what is there is sound.
            return Err(
                self.fail(FailureKind::Unavailable, format!("not mounted, for a wrong reason: {error}"))
            );
        }
        self.hit(Probe::MountRefused);
        self.refusals += 1;
        self.is_stuck = self.refusals >= REFUSALS_MAX;
        self.bring_back(array);
        self.end_excuse(array);
        Ok(())
    }
}

/// Whether something cannot be read: without redundancy that is so where one disk does not answer.
fn is_loss(error: &MountError) -> bool {
    matches!(error, MountError::Storage(error) if error.is_loss())
}

/// Whether a mount may be refused with this, where too much may be missing.
const fn may_refuse(error: &MountError) -> bool {
    matches!(
        error,
        MountError::Missing { .. }
            | MountError::Truncated { .. }
            | MountError::NoSuperblock
            | MountError::NoPool
            | MountError::LabelUnreadable { .. }
            | MountError::Storage(
                StorageError::OutcomeUnknown
                    | StorageError::TooFewDisks { .. }
                    | StorageError::NoSpaceBelow { .. }
                    | StorageError::RefusedBelow { .. }
            )
    )
}
