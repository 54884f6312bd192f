//! One bounded step of whatever work there is, each a transaction of its own.

use super::progress::Progress;
use crate::build::{MANAGE, REPAIR};
use crate::error::Code;
use crate::format::job::{JobKind, JobOptions, JobState};
use crate::limits::{NODE_REPAIRS_MAX, REPAIRS_MAX};
use crate::object::Objects;
use dynamicfs_hal::DiskArray;

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Work {
    /// There was nothing to do.
    Nothing,
    /// Fragments or nodes that reads found bad were rewritten.
    Repaired,
    /// Some extents of a deleted object were freed.
    Reaped,
    /// Dead blocks of some groups were given back.
    Swept,
    /// A job went on.
    Advanced(JobKind),
    /// An empty member left the pool, a spare replaced a failed member, or a member was taken out of use for
    /// its errors.
    Changed,
}

impl<A: DiskArray> Objects<'_, A> {
    /// Does one step of the most urgent work: [`upkeep`](Self::upkeep), or else a step of a job. What members that came
    /// back or failed are owed is rebuilt without being asked for. A transaction of its own; [`Work::Nothing`] writes
    /// nothing. Jobs that take more memory than there is say so when nothing else is left to do
    /// ([`NeedsMemory`](Code::NeedsMemory)).
    pub fn maintain(&mut self, progress: &mut Progress, sweep: bool) -> Result<Work, Code> {
        match self.upkeep(sweep)? {
            Work::Nothing => self.maintain_members(progress),
            work => Ok(work),
        }
    }

    /// Does one step of the work that use causes. It rewrites what reads found bad, or frees a part of a
    /// deleted object. With `sweep` it gives dead blocks back when that is worth its writes. A transaction of
    /// its own; [`Work::Nothing`] writes nothing. Firmware that leaves jobs to a server needs no more, and
    /// carries no code for them.
    #[inline(never)] // Once, and not in each of its callers.
    pub fn upkeep(&mut self, sweep: bool) -> Result<Work, Code> {
        self.store.check_alone()?;
        if REPAIR && self.repairs_waiting() > 0 {
            match self.alone(Self::repair_all) {
                Ok(true) => return Ok(Work::Repaired),
                // There is none until something is freed, which comes next.
                Ok(false) | Err(Code::NoSpace) => {}
                Err(error) => return Err(error),
            }
        }
        if self.reap_alone()? {
            return Ok(Work::Reaped);
        }
        if sweep && self.store.is_sweep_worthwhile() {
            self.alone(|objects| objects.store.sweep_step().map(|_| true))?;
            return Ok(Work::Swept);
        }
        Ok(Work::Nothing)
    }

    /// Frees some of what deleted objects still hold, in a transaction of its own; false when there is nothing that can be freed.
    pub(crate) fn reap_alone(&mut self) -> Result<bool, Code> {
        if !self.is_reapable() {
            return Ok(false);
        }
        match self.alone(Self::reap_step) {
            Err(error) if !MANAGE && error.is_loss_or_unreadable() => self.rest_from_reaping(),
            reaped => drop(reaped?),
        }
        Ok(true)
    }

    /// A step of what concerns members and jobs. Where there is no space even for writing down how far it is, it waits
    /// for some.
    // Not part of its caller: what it takes of the stack is not to lie under what comes with use.
    #[inline(never)]
    fn maintain_members(&mut self, progress: &mut Progress) -> Result<Work, Code> {
        if !self.store.is_writable() {
            return Ok(Work::Nothing);
        }
        match self.change_or_advance(progress) {
            Err(Code::NoSpace) => Ok(Work::Nothing),
            done => done,
        }
    }

    fn change_or_advance(&mut self, progress: &mut Progress) -> Result<Work, Code> {
        if MANAGE && (self.fail_member(progress)? || self.change_members(progress)?) {
            return Ok(Work::Changed);
        }
        // A job that takes more memory than there is keeps no other from its steps.
        let mut needs_memory = None;
        for kind in JobKind::ALL.into_iter().filter(|kind| kind.lacks().is_none()) {
            let job = self.job(progress, kind)?;
            let job = match job {
                Some(job) if job.state == JobState::Running => job,
                Some(job) if job.state == JobState::Paused => continue,
                _ if kind == JobKind::Rebuild && self.is_rebuild_due(progress) => {
                    self.start_job(progress, kind, JobOptions::default())?;
                    return Ok(Work::Advanced(kind));
                }
                _ => continue,
            };
            match self.advance(progress, job) {
                Err(error @ Code::NeedsMemory) => needs_memory = Some(error),
                done => return done.map(|_| Work::Advanced(kind)),
            }
        }
        needs_memory.map_or(Ok(Work::Nothing), Err)
    }

    /// Does something in a transaction of its own, which is dropped where it changed nothing: whether it changed anything.
    pub(super) fn alone(&mut self, f: impl FnOnce(&mut Self) -> Result<bool, Code>) -> Result<bool, Code> {
        self.begin()?;
        match f(self) {
            Ok(true) => self.commit().map(|()| true),
            not_done => {
                self.abort();
                not_done
            }
        }
    }

    /// Rewrites the bad nodes and fragments that reads remembered; whether there was one that could be.
    fn repair_all(&mut self) -> Result<bool, Code> {
        let mut repaired = false;
        // Repairing meets further ones, which wait for the next step.
        for _ in 0..NODE_REPAIRS_MAX {
            let Some(healed) = self.repair_node_step()? else { break };
            repaired |= healed;
        }
        for _ in 0..REPAIRS_MAX {
            let Some(healed) = self.repair_step()? else { break };
            repaired |= healed;
        }
        Ok(repaired)
    }
}
