//! After the faults stop: the pool comes to rest in bounded steps, and everything in it is as it should be (liveness).

use super::engine::Engine;
use super::examine::findings;
use super::fault::FaultKind;
use super::probe::Probe;
use super::report::{EventKind, Failure, FailureKind};
use super::run::{Flow, Mounted, Run};
use crate::world::steps_to_rest;
use crate::{CrashPolicy, Halt};
use dynamicfs_core::MountMode;
use dynamicfs_core::maintain::{JobKind, JobState, Work};
use dynamicfs_hal::BlockDevice;

/// Rounds of reading everything and repairing what was found: eight bad fragments wait at a time.
const ROUNDS_MAX: u32 = 40;

/// Mounts that a pool gets to come to rest: reads that find bad fragments, and upkeep, may need one after the other.
const MOUNTS_MAX: u32 = 3;

impl Engine {
    /// Takes all faults away, lets the pool do its upkeep, and checks that nothing is left to do.
    pub(super) fn rest(&mut self) -> Result<(), Failure> {
        self.stop_faults();
        let mut at_rest = false;
        for _ in 0..MOUNTS_MAX {
            self.run.doing = super::run::Doing::Mounting;
            self.mount(MountMode::ReadWrite, |run, pool| {
                at_rest = run.settle(pool)?;
                Ok(())
            })?;
            if at_rest || self.run.is_stuck {
                break;
            }
        }
        if at_rest || self.run.is_stuck || self.run.atlas.is_beyond() || !self.run.atlas.must_commit() {
            return Ok(());
        }
        Err(self.run.fail(FailureKind::Restless, "the pool never came to rest"))
    }

    /// From here on nothing goes wrong any more: power is there, disks are back, damage to the medium is healed.
    pub(super) fn stop_faults(&mut self) {
        let Self { array, run, .. } = self;
        run.waiting.clear();
        array.disarm();
        match array.halted() {
            Some(Halt::PowerCut) => run.counts.faults.hit(FaultKind::PowerCut),
            Some(Halt::ProcessCrash) => run.counts.faults.hit(FaultKind::ProcessCrash),
            None => {}
        }
        if array.halted().is_some() || run.process_died {
            array.power_cycle(CrashPolicy::Nothing, &mut run.root.fork("rest"));
            run.process_died = false;
            run.counts.crashes += 1;
        }
        run.depth = run.depth.max(1);
        run.bring_back(array);
        (run.is_excused, run.lost_in_recovery) = (false, false);
        for member in 0..run.members() {
            let disk = run.disk(array, member);
            let sectors = disk.geometry().sectors;
            disk.heal(0..sectors);
        }
        run.tell(array, EventKind::Heal, None, || "the faults stop".into());
    }
}

impl Run {
    /// Upkeep until there is none; whether the pool is at rest then.
    fn settle(&mut self, pool: &mut Mounted<'_>) -> Result<bool, Failure> {
        for _ in 0..ROUNDS_MAX {
            if self.examine(pool)? == Flow::End || !pool.health().writable {
                return Ok(false);
            }
            self.use_all(pool)?;
            if self.atlas.is_beyond() {
                // Whatever it comes to, it comes to an end.
                return self.keep_up(pool).map(|()| true).or(Ok(true));
            }
            self.keep_up(pool)?;
            // Reading everything may have found more bad fragments than wait at a time.
            if self.examine(pool)? == Flow::On && pool.health().repairs_waiting == 0 {
                return self.settled(pool);
            }
        }
        if self.swarm.is_on(FaultKind::NoSpace) {
            // A full pool has no place for what would be repaired.
            return self.settled(pool);
        }
        Err(self.fail(FailureKind::Restless, "repairs wait, whatever is repaired"))
    }

    /// Steps of upkeep until there is nothing to do.
    fn keep_up(&mut self, pool: &mut Mounted<'_>) -> Result<(), Failure> {
        let most = steps_to_rest(pool);
        for _ in 0..most {
            self.upkept = pool.health().generation;
            let done = pool.maintain(true);
            self.look_for_events(pool);
            match done {
                Ok(Work::Nothing) => return Ok(()),
                Ok(work) => {
                    self.worked(work, pool);
                    self.check_ledger(pool)?;
                }
                Err(error) => {
                    return Err(
                        self.fail(FailureKind::Restless, format!("upkeep of a pool at rest: {error}"))
                    );
                }
            }
        }
        Err(self.fail(FailureKind::Restless, format!("{most} steps of upkeep and no end")))
    }

    /// Nothing is left to do: what is left of the damage.
    fn settled(&mut self, pool: &mut Mounted<'_>) -> Result<bool, Failure> {
        let health = pool.health();
        if health.orphans > 0 {
            return Err(self.fail(FailureKind::Restless, format!("{} orphans are left", health.orphans)));
        }
        let (findings, done) = findings(pool);
        let is_here = health.online == health.members && health.writable;
        if done.is_ok() && findings.is_empty() && is_here && health.owed > 0 && self.may_rebuild(pool) {
            let what = format!("everything is here, and {} members are owed something", health.owed);
            return Err(self.fail(FailureKind::Restless, what));
        }
        if done.is_ok() && findings.is_empty() && health.owed == 0 && self.atlas.missed_commits().is_empty() {
            if !self.atlas.is_whole() {
                self.hit(Probe::CleanAgain);
            }
            self.atlas.clean();
        }
        Ok(true)
    }

    /// Whether nothing keeps a rebuild from making the pool whole: there is space, and nobody paused it.
    fn may_rebuild(&self, pool: &mut Mounted<'_>) -> bool {
        let job = pool.job(JobKind::Rebuild).ok().flatten();
        let is_paused = job.is_some_and(|job| job.state == JobState::Paused);
        !is_paused && !self.swarm.is_on(FaultKind::NoSpace)
    }
}
