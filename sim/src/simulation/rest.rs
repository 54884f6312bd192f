//! After the faults stop: the pool comes to rest in bounded steps, and everything in it is as it should be (liveness).

use super::engine::Engine;
use super::examine::findings;
use super::probe::Probe;
use super::report::{EventKind, Failure, FailureKind};
use super::run::{Flow, Mounted, Run};
use crate::CrashPolicy;
use dynamicfs_core::MountMode;
use dynamicfs_core::maintain::Work;
use dynamicfs_hal::BlockDevice;

/// Steps of upkeep after which a pool of a simulation is at rest.
const STEPS_MAX: u32 = 5_000;

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
        if array.halted().is_some() || run.process_died {
            array.power_cycle(CrashPolicy::Nothing, &mut run.root.fork("rest"));
            run.process_died = false;
            run.counts.crashes += 1;
        }
        run.depth = run.depth.max(1);
        run.bring_back(array);
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
        if self.examine(pool)? == Flow::End || !pool.health().writable {
            return Ok(false);
        }
        let mut left = STEPS_MAX;
        loop {
            match pool.maintain(true) {
                Ok(Work::Nothing) => break,
                Ok(work) => self.worked(work, pool),
                Err(_) if self.atlas.is_beyond() => return Ok(true),
                Err(error) => {
                    return Err(self.fail(FailureKind::Restless, format!("upkeep of a pool at rest: {error}")));
                }
            }
            left -= 1;
            if left == 0 {
                return Err(self.fail(FailureKind::Restless, format!("{STEPS_MAX} steps of upkeep and no end")));
            }
        }
        if self.examine(pool)? == Flow::End {
            return Ok(false);
        }
        if self.atlas.is_beyond() {
            return Ok(true);
        }
        let health = pool.health();
        if health.orphans > 0 {
            return Err(self.fail(FailureKind::Restless, format!("{} orphans are left", health.orphans)));
        }
        if health.repairs_waiting > 0 {
            // Reading everything found more.
            return Ok(false);
        }
        let (findings, done) = findings(pool);
        if done.is_ok() && findings.is_empty() && health.owed == 0 && self.atlas.missed_commits().is_empty() {
            if !self.atlas.hurt().is_empty() {
                self.hit(Probe::CleanAgain);
            }
            self.atlas.clean();
        }
        Ok(true)
    }
}
