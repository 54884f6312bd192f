//! After the faults stop: the pool comes to rest in bounded steps, and everything in it is as it should be (liveness).

use super::engine::Engine;
use super::examine::findings;
use super::fault::FaultKind;
use super::probe::Probe;
use super::report::{EventKind, Failure, FailureKind};
use super::run::{Flow, Mounted, Run};
use crate::build::FULL;
use crate::world::steps_to_rest;
use crate::{CrashPolicy, Halt, Rng, SimArray};
use dynamicfs_core::MountMode;
use dynamicfs_core::disks::DiskStatus;
use dynamicfs_core::error::{Error, StorageError};
use dynamicfs_core::format::record::MemberState;
use dynamicfs_core::maintain::{JobKind, JobOptions, JobState, Work};
use dynamicfs_core::types::{DiskIndex, Set};
use dynamicfs_hal::BlockDevice;

/// Rounds of reading everything and repairing what was found: eight bad fragments wait at a time.
const ROUNDS_MAX: u32 = 40;

/// Mounts that a pool gets to come to rest: reads that find bad fragments, and upkeep, may need one after the other.
const MOUNTS_MAX: u32 = 3;

impl Engine {
    /// Takes all faults away, lets the pool do its upkeep, and checks that nothing is left to do.
    pub(super) fn rest(&mut self) -> Result<(), Failure> {
        self.stop_faults();
        // How many steps it may take is known of steps that are as long as the pool makes them.
        self.run.setup.step_bytes = None;
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
        if self.run.is_proved {
            self.lose_at_rest()?;
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
        run.end_excuse(array);
        run.lost_in_recovery = false;
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
        for round in 0..ROUNDS_MAX {
            if self.examine(pool)? == Flow::End || !pool.health().writable {
                return Ok(false);
            }
            self.use_all(pool)?;
            self.resume_jobs(pool)?;
            if round == 0 {
                self.call_another_off(pool)?;
            }
            if self.atlas.is_beyond() {
                // Whatever it comes to, it comes to an end.
                return self.keep_up(pool).map(|_| true).or(Ok(true));
            }
            if self.keep_up(pool)? == Flow::End {
                return Ok(true);
            }
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

    /// Steps of upkeep until there is nothing to do, or what there is takes more memory.
    fn keep_up(&mut self, pool: &mut Mounted<'_>) -> Result<Flow, Failure> {
        let most = steps_to_rest(pool);
        for _ in 0..most {
            self.upkept = pool.health().generation;
            self.break_rebuild(pool);
            if let Some(break_it) = self.breakage.at_rest {
                break_it(pool);
            }
            let done = pool.maintain(true);
            self.look_for_events(pool);
            match done {
                Ok(Work::Nothing) => return Ok(Flow::On),
                Ok(work) => {
                    self.worked(work, pool)?;
                    self.check_ledger(pool)?;
                }
                // A tree that is too high for the least memory.
                Err(Error::Storage(error @ StorageError::NeedsMemory { .. }))
                    if self.may_answer(error).is_ok() =>
                {
                    return Ok(Flow::End);
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

    /// What an operator stopped continues.
    fn resume_jobs(&mut self, pool: &mut Mounted<'_>) -> Result<(), Failure> {
        for kind in JobKind::ALL {
            let done = match pool.job(kind) {
                Ok(Some(job)) if job.state == JobState::Paused => pool.set_job_state(kind, JobState::Running),
                Ok(Some(job)) if job.state == JobState::Cancelled && kind == JobKind::Rebuild => {
                    pool.start_job(kind, JobOptions::default())
                }
                _ => continue,
            };
            if let Err(error) = done
                && self.atlas.must_commit()
                && !self.swarm.is_on(FaultKind::NoSpace)
            {
                let what = format!("a job at rest does not go on: {error}");
                return Err(self.fail(FailureKind::Restless, what));
            }
        }
        Ok(())
    }

    /// A job is begun and called off that has nothing to do with a rebuild. What members are owed is rebuilt
    /// all the same.
    fn call_another_off(&mut self, pool: &mut Mounted<'_>) -> Result<(), Failure> {
        let mut rng = self.root.fork("called off");
        if !rng.chance(1, 4) || !self.atlas.must_commit() || self.swarm.is_on(FaultKind::NoSpace) {
            return Ok(());
        }
        let others: &[_] =
            if FULL { &[JobKind::Scrub, JobKind::Rebalance, JobKind::Recount] } else { &[JobKind::Scrub] };
        let kind = *rng.pick(others);
        let done = pool
            .start_job(kind, JobOptions::default())
            .and_then(|_| pool.set_job_state(kind, JobState::Cancelled));
        match done {
            Ok(_) => {
                self.hit(Probe::OtherJobCancelled);
                Ok(())
            }
            Err(error) => {
                Err(self.fail(FailureKind::Restless, format!("a job at rest is not called off: {error}")))
            }
        }
    }

    /// Nothing is left to do: what is left of the damage.
    fn settled(&mut self, pool: &mut Mounted<'_>) -> Result<bool, Failure> {
        let health = pool.health();
        if health.orphans > 0 {
            return Err(self.fail(FailureKind::Restless, format!("{} orphans are left", health.orphans)));
        }
        let is_complete = self.is_complete(pool);
        if is_complete {
            self.prove_rest(pool)?;
        }
        let (findings, done) = findings(pool);
        let is_here = health.online == health.members && health.writable;
        if done.is_ok() && findings.is_empty() && is_here && health.owed > 0 && self.may_rebuild(pool) {
            let what = format!("everything is here, and {} members are owed something", health.owed);
            return Err(self.fail(FailureKind::Restless, what));
        }
        let is_clean = done.is_ok() && findings.is_empty();
        if is_complete && let Some(finding) = findings.first() {
            return Err(self.fail(FailureKind::Restless, format!("after a scrub at rest: {finding:?}")));
        }
        let keeps_all = |&member: &usize| !pool.array().disk(self.places[member]).has_doomed();
        let keep_all = self.active().iter().all(keeps_all);
        if is_clean && keep_all && pool.health().owed == 0 && self.atlas.missed_commits().is_empty() {
            if !self.atlas.is_whole() {
                self.hit(Probe::CleanAgain);
            }
            let is_shut = |member: &usize| self.roster[*member].is_shut();
            let absent = self.offline(pool).iter().filter(|member| !is_shut(member));
            self.atlas.clean_without(absent.collect::<Set<usize>>());
        }
        self.is_proved = is_complete && self.atlas.is_whole();
        Ok(true)
    }

    /// Whether nothing keeps a rebuild from making the pool whole: there is space, and it is not paused.
    fn may_rebuild(&self, pool: &mut Mounted<'_>) -> bool {
        let job = pool.job(JobKind::Rebuild).ok().flatten();
        let is_paused = job.is_some_and(|job| job.state == JobState::Paused);
        !is_paused && !self.swarm.is_on(FaultKind::NoSpace)
    }

    /// Whether all that a pool needs to be whole again is there: every member, and room.
    fn is_complete(&self, pool: &mut Mounted<'_>) -> bool {
        let is_used = |&state: &MemberState| {
            matches!(state, MemberState::Active | MemberState::Drained | MemberState::Spare)
        };
        let open = self.active().into_iter().filter(|&member| self.is_open(member)).count();
        let format = &self.setup.format;
        let is_current =
            |&member: &usize| pool.member_health(DiskIndex(self.places[member])).status == DiskStatus::Online;
        self.atlas.must_commit()
            && !self.swarm.is_on(FaultKind::NoSpace)
            && self.offline(pool).is_empty()
            && self.active().iter().all(is_current)
            && self.active().iter().all(|&member| is_used(&self.roster[member]))
            && self.have_room(pool, 4)
            && open >= format.scheme.width().max(usize::from(format.tolerance.unwrap_or(0)) + 1)
    }

    /// Nothing is owed and nothing is short. Then all that is spare rots, in most places the second replica too, and a scrub
    /// puts it right from what is left.
    fn prove_rest(&mut self, pool: &mut Mounted<'_>) -> Result<(), Failure> {
        let owed = pool.health().owed;
        if owed > 0 {
            let what = format!("{owed} members are owed something, and nobody does anything about it");
            return Err(self.fail(FailureKind::Restless, what));
        }
        let mut rng = self.root.fork("scrub");
        // Each fragment that rots is put elsewhere before its old place is free.
        let rots = self.atlas.is_whole() && rng.chance(1, 3) && self.have_room(pool, 2);
        let twice = rots && self.rot_all_that_is_spare(pool.array(), &mut rng);
        if rots || !self.atlas.is_whole() {
            if let Err(error) = pool.start_job(JobKind::Scrub, JobOptions::default()) {
                return Err(self.fail(FailureKind::Restless, format!("no scrub at rest: {error}")));
            }
            self.keep_up(pool)?;
        }
        match pool.count_extents() {
            Ok(extents) if extents.complete == extents.total => {}
            counted => {
                let what = format!("at rest and short of something: {counted:?}");
                return Err(self.fail(FailureKind::Restless, what));
            }
        }
        let Some(map) = self.map(pool.array()) else {
            return Err(self.fail(FailureKind::Lost, "at rest, the tree cannot be read"));
        };
        self.check_placement(&map)?;
        self.check_spread(&map)?;
        self.audit(pool.array(), &map, self.atlas.members(), "after a scrub at rest")?;
        if twice {
            self.hit(Probe::ScrubbedTwice);
        }
        Ok(())
    }

    /// Rots a block of every part of every extent and node that may be lost, except those that the scrub
    /// itself needs. Returns whether some lost two.
    fn rot_all_that_is_spare(&mut self, array: &mut SimArray, rng: &mut Rng) -> bool {
        let Some(map) = self.map(array) else { return false };
        let mut twice = false;
        for group in &map.groups {
            let lost = if rng.coin() { group.spare } else { rng.index(group.spare + 1) };
            let mut parts = group.parts.clone();
            rng.shuffle(&mut parts);
            for (start, blocks) in &parts[..lost] {
                let block = start.block + rng.below(u64::from(*blocks));
                let at = (block << map.parameters.block_shift) + rng.below(32);
                self.disk(array, start.member.0.into()).flip_bits(at, 1 << rng.below(8));
                self.atlas.rot_at(start.member, block);
            }
            twice |= lost > 1;
        }
        self.tell(array, EventKind::Fault, None, || "all that is spare rots".into());
        twice
    }
}
