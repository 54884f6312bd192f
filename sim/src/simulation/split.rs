//! Overrides. Absent members are declared dead, and an older state may come back on purpose. The two
//! histories that result are never joined.
//!
//! ```text
//! all members ──▶ some go on alone, or none does ──▶ the others alone: refused ──▶ override ──▶ all: refused
//!                   (the pool is `ahead`)                                               if the first are ahead
//!                                                                                            │
//!                                                                            `sides`: one is chosen
//! ```

use super::beyond::agree;
use super::engine::Engine;
use super::fault::FaultKind;
use super::probe::Probe;
use super::report::{EventKind, Failure, FailureKind};
use super::run::{Flow, Mounted, Run};
use super::sides::Split;
use crate::build::FULL;
use crate::{CrashPolicy, Halt, Rng, SimArray, model};
use dynamicfs_core::error::MountError;
use dynamicfs_core::limits::MEMBERS_MAX;
use dynamicfs_core::types::Set;
use dynamicfs_core::{MountMode, MountOptions, Pool, Prefer, Services};
use dynamicfs_hal::DiskArray;

impl Engine {
    /// Splits the history of a pool that is whole, and looks whether anyone joins it.
    pub(super) fn split_history(&mut self) -> Result<(), Failure> {
        let run = &mut self.run;
        let all = run.atlas.members();
        let members = all.len();
        let mut rng = run.root.fork("split");
        let whole = run.atlas.is_whole() && !run.atlas.is_beyond();
        if !FULL || !run.swarm.is_on(FaultKind::Override) || !whole || members < 2 || !run.is_plain() {
            return Ok(());
        }
        run.counts.faults.hit(FaultKind::Override);
        let mut order = run.active();
        rng.shuffle(&mut order);
        let survivors = 1 + rng.index(members / 2);
        let stay: Set<usize> = order[..survivors].iter().copied().collect::<Set<usize>>();
        let lost = all.minus(stay);
        let fork = run.oracle.newest();
        let cuts = run.swarm.is_on(FaultKind::ChoiceCut);
        let may_go_on = survivors <= run.setup.tolerance();
        if cuts && may_go_on && 2 * lost.len() > members && rng.coin() {
            self.run_ahead(stay, &mut rng)?;
            self.plug_in(lost);
            self.mount(MountMode::ReadWrite, |run, pool| run.go_on_without(pool, stay))?;
        } else if may_go_on && rng.coin() {
            self.mount(MountMode::ReadWrite, |run, pool| run.go_ahead_without(pool, stay))?;
        }
        let ahead = self.run.oracle.newest() > fork;
        self.plug_in(stay);
        self.break_split();
        self.refuse(
            MountMode::ReadWrite,
            |error| matches!(error, MountError::Missing { .. } | MountError::Truncated { .. }),
            "half a pool",
        )?;
        let branch = rng.next_u64();
        let (first, second) = (self.run.oracle.current().clone(), self.run.oracle.state(fork).clone());
        if cuts {
            let cut = self.cut_mount(MountMode::AssumeMissingDead { branch }, None, &mut rng);
            if cut {
                self.run.hit(Probe::OverrideCut);
            }
        }
        if self.override_mount(lost, fork, ahead, branch)? {
            self.plug_in(all);
            if ahead {
                let diverged = |error: &MountError| matches!(error, MountError::Diverged { .. });
                self.refuse(MountMode::ReadOnly, diverged, "two histories")?;
                self.refuse(MountMode::ReadWrite, diverged, "two histories")?;
                self.run.hit(Probe::SplitRefused);
            }
            let readable = survivors <= self.run.setup.tolerance();
            if ahead || readable && 2 * lost.len() > members {
                let split = Split { first: (lost, first), second: (stay, second), branch, ahead };
                self.choose_side(&split, &mut rng)?;
            }
        }
        Ok(())
    }

    /// These members alone are there.
    fn plug_in(&mut self, members: Set<usize>) {
        for member in self.run.active() {
            let disk = self.run.disk(&mut self.array, member);
            if members.contains(member) { disk.plug() } else { disk.unplug() }
        }
    }

    /// Crash after crash, only these members have what the recoveries write: they are states ahead that were
    /// never acknowledged.
    fn run_ahead(&mut self, members: Set<usize>, rng: &mut Rng) -> Result<(), Failure> {
        for _ in 0..1 + rng.below(4) {
            self.run.arm_superblocks(&mut self.array, Halt::PowerCut, rng);
            let empty = |_: &mut Run, pool: &mut Mounted<'_>| {
                pool.begin().and_then(|transaction| transaction.commit().map(|_| ())).is_ok()
            };
            // Whether it comes to its end does not matter.
            let _ = self.try_mount(MountMode::ReadWrite, None, empty);
            self.array.disarm();
            let mut policies = [CrashPolicy::Nothing; MEMBERS_MAX];
            for member in members.iter() {
                policies[self.run.places[member]] = CrashPolicy::Everything;
            }
            self.array.power_cycle_each(&policies, rng);
            self.run.counts.crashes += 1;
        }
        self.run.hit(Probe::SplitAhead);
        Ok(())
    }

    /// A mount that is cut at some I/O, a few times; whether it was once at least. The power comes back.
    pub(super) fn cut_mount(&mut self, mode: MountMode, prefer: Option<Prefer>, rng: &mut Rng) -> bool {
        let mut cut = false;
        for _ in 0..1 + rng.below(3) {
            if rng.coin() {
                self.run.arm_superblocks(&mut self.array, Halt::PowerCut, rng);
            } else {
                self.array.halt_at(self.array.steps() + rng.below(150), Halt::PowerCut);
            }
            // That it does not come to its end is the point.
            let _ = self.try_mount(mode, prefer, |_, _| ());
            self.array.disarm();
            if self.array.halted().is_none() {
                break;
            }
            cut = true;
            self.run.counts.faults.hit(FaultKind::ChoiceCut);
            self.run.counts.crashes += 1;
            self.array.power_cycle(*rng.pick(&CrashPolicy::ALL), rng);
            self.run.tell(&self.array, EventKind::Crash, None, || "the power went during a choice".into());
        }
        cut
    }

    /// Some disks of a pool that is whole are away, as many as may be: what is left of it is taken out.
    pub(super) fn salvage(&mut self) -> Result<(), Failure> {
        let run = &self.run;
        let is_on = [FaultKind::Override, FaultKind::ChoiceCut].iter().any(|&kind| run.swarm.is_on(kind));
        let whole = run.atlas.is_whole() && !run.atlas.is_beyond();
        if !FULL || !is_on || !whole || !run.is_plain() || run.active().len() < 2 {
            return Ok(());
        }
        let mut rng = run.root.fork("salvage");
        let mut order = run.active();
        rng.shuffle(&mut order);
        let away = 1 + rng.index(order.len() - 1);
        let bears = away <= run.setup.tolerance();
        let there = order[away..].iter().copied().collect::<Set<usize>>();
        let state = run.oracle.current().clone();
        self.plug_in(there);
        let writes = |array: &SimArray| -> u64 {
            (0..array.disks()).map(|disk| array.disk(disk).counters().writes).sum()
        };
        let before = writes(&self.array);
        let taken = self
            .try_mount(MountMode::Salvage, None, |_, pool| (agree(pool, &state), pool.health().tentative));
        let wrong = match taken {
            Ok((Err(difference), _)) => Some(format!("salvaged: {difference}")),
            Ok((Ok(lost), _)) if bears && lost > 0 => Some(format!("{lost} things are not salvaged")),
            Ok((_, false)) => Some("what is salvaged is not called tentative".into()),
            Err(error) if bears => Some(format!("nothing is salvaged: {error}")),
            Ok(_) | Err(_) => None,
        };
        if let Some(what) = wrong {
            return Err(self.run.fail(FailureKind::Lost, what));
        }
        if writes(&self.array) != before {
            return Err(self.run.fail(FailureKind::WrongState, "a salvage wrote"));
        }
        self.run.hit(Probe::Salvaged);
        self.plug_in(self.run.atlas.members());
        Ok(())
    }

    /// A mount that must be refused, for this reason.
    fn refuse(
        &mut self,
        mode: MountMode,
        rightly: impl Fn(&MountError) -> bool,
        what: &str,
    ) -> Result<(), Failure> {
        match self.try_mount(mode, None, |_, _| ()) {
            Err(error) if rightly(&error) => Ok(()),
            Err(error) => Err(self
                .run
                .fail(FailureKind::Unavailable, format!("{what} refused, for a wrong reason: {error}"))),
            Ok(()) => Err(self.run.fail(FailureKind::NotRefused, format!("{what} mounted"))),
        }
    }

    /// Declares the absent dead; whether there is a new history now.
    fn override_mount(
        &mut self,
        lost: Set<usize>,
        fork: usize,
        ahead: bool,
        branch: u64,
    ) -> Result<bool, Failure> {
        let readable = lost.len() <= self.run.setup.tolerance();
        let before = self.run.oracle.state(fork).clone();
        let mode = MountMode::AssumeMissingDead { branch };
        let mounted = self.try_mount(mode, None, |_, pool| model::observe(pool));
        match mounted {
            Ok(Ok(found)) => {
                if let Some(difference) = before.difference(&found) {
                    let what = format!("after an override, not the newest state there is: {difference}");
                    return Err(self.run.fail(FailureKind::WrongState, what));
                }
                if ahead {
                    self.run.hit(Probe::OverrideWentBack);
                }
                self.run.oracle.go_back(before);
                Ok(true)
            }
            Ok(Err(error)) if readable => {
                Err(self.run.fail(FailureKind::Lost, format!("after an override: {error}")))
            }
            Err(error) if readable => {
                Err(self.run.fail(FailureKind::Unavailable, format!("no override: {error}")))
            }
            // More is gone than the scheme bears; that much was said.
            Ok(Err(_)) | Err(_) => Ok(false),
        }
    }

    pub(super) fn try_mount<R>(
        &mut self,
        mode: MountMode,
        prefer: Option<Prefer>,
        f: impl FnOnce(&mut Run, &mut Mounted<'_>) -> R,
    ) -> Result<R, MountError> {
        let Self { array, lent, run, crc32c, .. } = self;
        let clock = array.clock();
        let services = Services::new(*crc32c, &clock);
        let mut options = MountOptions::new().mode(mode);
        (options.pool, options.prefer) = (run.pool, prefer);
        run.oracle.let_go();
        let (memory, pins) = lent.lend_with_pins(run.setup.memory);
        let mut pool = Pool::mount(&mut *array, memory, services, &options)?;
        pool.lend_pins(pins);
        Ok(f(run, &mut pool))
    }
}

impl Run {
    /// A pool makes a commit without some members that were away before it was mounted.
    fn go_on_without(&mut self, pool: &mut Mounted<'_>, members: Set<usize>) -> Result<(), Failure> {
        for member in members.iter() {
            self.atlas.admit(member, super::fault::Harm::State);
        }
        self.commit_once(pool)
    }

    /// Some members are taken away from the running pool, and it makes a commit that they do not know of.
    fn go_ahead_without(&mut self, pool: &mut Mounted<'_>, members: Set<usize>) -> Result<(), Failure> {
        // The epoch is claimed while everyone is there.
        let claimed = pool.begin().and_then(|transaction| transaction.commit());
        if let Err(error) = claimed {
            return Err(self.fail(FailureKind::Unavailable, format!("a whole pool takes no commit: {error}")));
        }
        for member in members.iter() {
            self.atlas.admit(member, super::fault::Harm::State);
            self.disk(pool.array(), member).unplug();
        }
        self.commit_once(pool)
    }

    /// Transactions until one is committed.
    fn commit_once(&mut self, pool: &mut Mounted<'_>) -> Result<(), Failure> {
        for attempt in 0..4 {
            let before = self.oracle.newest();
            let flow = self.transact(pool, &mut self.root.fork_at("ahead", attempt))?;
            if flow == Flow::End || self.oracle.newest() > before {
                break;
            }
        }
        Ok(())
    }
}
