//! Overrides: members that are absent are declared dead, an older state may come back on purpose, and the two
//! histories that come of it are never joined.
//!
//! ```text
//!   all members ──▶ some go on alone, or nobody does ──▶ the others alone: refused ──▶ override ──▶ all: refused
//!                   (the pool is `ahead`)                                               if the first are ahead
//!                                                                                            │
//!                                                                            `sides`: one is chosen
//! ```

use super::engine::Engine;
use super::fault::FaultKind;
use super::probe::Probe;
use super::report::{Failure, FailureKind};
use super::run::{Flow, Mounted, Run};
use super::sides::Split;
use crate::model;
use dynamicfs_core::error::MountError;
use dynamicfs_core::types::MemberSet;
use dynamicfs_core::{MountMode, MountOptions, Pool, Prefer, Services};

impl Engine {
    /// Splits the history of a pool that is whole, and looks whether anyone joins it.
    pub(super) fn split_history(&mut self) -> Result<(), Failure> {
        let run = &mut self.run;
        let all = run.atlas.members();
        let members = all.len();
        let mut rng = run.root.fork("split");
        let whole = run.atlas.is_whole() && !run.atlas.is_beyond();
        if !run.swarm.is_on(FaultKind::Override) || !whole || members < 2 || !run.is_plain() {
            return Ok(());
        }
        run.counts.faults.hit(FaultKind::Override);
        let mut order = run.active();
        rng.shuffle(&mut order);
        let survivors = 1 + rng.index(members / 2);
        let stay: MemberSet = order[..survivors].iter().copied().fold(MemberSet::EMPTY, MemberSet::with);
        let lost = all.minus(stay);
        let fork = run.oracle.newest();
        if survivors <= run.setup.tolerance() && rng.coin() {
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
    fn plug_in(&mut self, members: MemberSet) {
        for member in self.run.active() {
            let disk = self.run.disk(&mut self.array, member);
            if members.contains(member) { disk.plug() } else { disk.unplug() }
        }
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
        lost: MemberSet,
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
        let services = Services { crc32c: *crc32c, clock: &clock };
        let options = MountOptions { pool: run.pool, mode, prefer };
        let mut pool = Pool::mount(&mut *array, lent.lend_only(run.setup.memory), services, &options)?;
        Ok(f(run, &mut pool))
    }
}

impl Run {
    /// Some members are taken away from the running pool, and it makes a commit that they do not know of.
    fn go_ahead_without(&mut self, pool: &mut Mounted<'_>, members: MemberSet) -> Result<(), Failure> {
        // The epoch is claimed while everyone is there.
        let claimed = pool.begin().and_then(|transaction| transaction.commit());
        if let Err(error) = claimed {
            return Err(self.fail(FailureKind::Unavailable, format!("a whole pool takes no commit: {error}")));
        }
        for member in members.iter() {
            self.atlas.admit(member, super::fault::Harm::State);
            self.disk(pool.array(), member).unplug();
        }
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
