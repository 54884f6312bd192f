//! What an operator does with disks and jobs, while faults and crashes happen. A member is emptied, replaced,
//! put out of use and in again. Scrubs are started and cancelled.
//!
//! An operation that is cut short has happened or has not. The operator asks the pool then, and nothing else may have changed.

use super::fault::Harm;
use super::probe::Probe;
use super::report::{EventKind, Failure, FailureKind};
use super::run::{Doing, Flow, Mounted, Run};
use super::setup::SCHEMES;
use super::special::PARITIES;
use crate::build::FULL;
use crate::workload::Operation;
use crate::{Rng, SimArray, SimDisk, states};
use dynamicfs_core::AddOptions;
use dynamicfs_core::ReadObjects;
use dynamicfs_core::Transaction;
use dynamicfs_core::error::{Error, MemberError, StorageError};
use dynamicfs_core::format::record::MemberState;
use dynamicfs_core::maintain::{JobKind, JobOptions, JobState};
use dynamicfs_core::object::Change;
use dynamicfs_core::pool::DiskOptions;
use dynamicfs_core::types::{DiskIndex, MemberNumber, ObjectId, Scheme, Set};
use dynamicfs_hal::{BlockDevice, Geometry};

/// Members that a run ever has at most, unless it begins with more.
const MEMBERS_MAX: usize = 16;

/// Places in an array at most: a copy of a member finds one beside them.
const PLACES_MAX: usize = 63;

/// The jobs that the core under test has.
pub(super) const fn jobs() -> &'static [JobKind] {
    if FULL { &JobKind::ALL } else { &[JobKind::Rebuild, JobKind::Scrub] }
}

impl Run {
    /// One thing that an operator does.
    pub(super) fn lifecycle(&mut self, pool: &mut Mounted<'_>, rng: &mut Rng) -> Result<Flow, Failure> {
        self.doing = Doing::Maintaining;
        match rng.below(15) {
            0..3 => {
                self.bring_back(pool.array());
                return Ok(Flow::End);
            }
            3..5 => {
                self.take_images(pool.array());
                return Ok(Flow::On);
            }
            _ if self.atlas.is_beyond() || !pool.health().writable => return Ok(Flow::On),
            5..7 => return self.order_job(pool, rng),
            7 => return self.ask_for_scheme(pool, rng),
            _ if !FULL => return Ok(Flow::On),
            13.. => return self.remove(pool, rng),
            _ => {}
        }
        if let Some(member) = self.grown(pool)
            && rng.coin()
        {
            return self.grow(pool, member);
        }
        let member = *rng.pick(&self.active());
        let number = MemberNumber(member as u16);
        let state = self.roster[member];
        let (what, done) = match (state, rng.below(6)) {
            (MemberState::Active, 0..2) => {
                let leave = rng.coin();
                (if leave { "to leave" } else { "to be drained" }, pool.drain_member(number, leave))
            }
            (MemberState::Active, 2) if self.atlas.admit(member, Harm::State) => {
                let failed = rng.coin();
                (if failed { "called failed" } else { "put out of use" }, pool.shut_member(number, failed))
            }
            (MemberState::Active, _) => return self.add(pool, rng),
            (state, _) => {
                if state.is_draining() {
                    self.hit(Probe::DrainCancelled);
                }
                ("put into use", pool.activate_member(number))
            }
        };
        self.operated(pool, member, what, done)
    }

    fn order_job(&mut self, pool: &mut Mounted<'_>, rng: &mut Rng) -> Result<Flow, Failure> {
        let kind = *rng.pick(jobs());
        let done = match rng.below(4) {
            0 => pool.set_job_state(kind, *rng.pick(&[JobState::Paused, JobState::Cancelled])),
            1 => pool.set_job_state(kind, JobState::Running),
            _ => pool.start_job(kind, JobOptions::default()),
        };
        match done {
            Ok(_) => Ok(Flow::On),
            Err(error) => self.refused_change(pool, error, "a job"),
        }
    }

    /// Asks for one object to be stored in another scheme, which bears as much: what is there already is a rebalance's work.
    fn ask_for_scheme(&mut self, pool: &mut Mounted<'_>, rng: &mut Rng) -> Result<Flow, Failure> {
        let object = ObjectId(1 + rng.below(24));
        let schemes = self.fitting_schemes();
        if schemes.is_empty() || pool.inode(object).is_err() {
            return Ok(Flow::On);
        }
        let tier = rng.coin().then(|| rng.below(3) as u8);
        let mut change = Change::new().scheme(*rng.pick(&schemes));
        change.tier = tier;
        let done = pool.begin().and_then(|mut transaction| {
            transaction.change_attributes(object, &change)?;
            transaction.commit()
        });
        match done {
            Ok(_) => {
                self.hit(Probe::SchemeChanged);
                Ok(Flow::On)
            }
            Err(error) => self.refused_change(pool, error, "another scheme"),
        }
    }

    /// In the midst of a transaction an object that was just changed is given another scheme, now and then.
    /// What of it is not stored yet stays, whatever lengths its extents have from then on. Which object it
    /// was.
    pub(super) fn change_scheme_within(
        &mut self,
        objects: &mut Transaction<'_, '_, &mut SimArray>,
        operation: &Operation,
        rng: &mut Rng,
    ) -> Result<Option<ObjectId>, Error> {
        let (Operation::Write { object, .. } | Operation::Truncate { object, .. }) = *operation else {
            return Ok(None);
        };
        if !rng.chance(1, 8) {
            return Ok(None);
        }
        let schemes = self.fitting_schemes();
        if schemes.is_empty() || objects.inode(object).is_err() {
            return Ok(None);
        }
        let change = Change::new().scheme(*rng.pick(&schemes));
        objects.change_attributes(object, &change)?;
        self.hit(Probe::SchemeChangedWithin);
        Ok(Some(object))
    }

    /// The schemes that bear as much as the pool's, with as many members as there are.
    fn fitting_schemes(&self) -> Vec<Scheme> {
        let members = self.active().len();
        let fits = |scheme: &Scheme| {
            usize::from(scheme.parity) == self.setup.tolerance() && scheme.width() <= members
        };
        SCHEMES.into_iter().chain(PARITIES).filter(fits).collect()
    }

    /// A member whose disk has room beyond what is used of it.
    fn grown(&self, pool: &Mounted<'_>) -> Option<usize> {
        self.active()
            .into_iter()
            .find(|&member| pool.member_health(DiskIndex(self.places[member])).growable_blocks > 0)
    }

    /// Takes what a disk has grown by into use.
    fn grow(&mut self, pool: &mut Mounted<'_>, member: usize) -> Result<Flow, Failure> {
        match pool.grow_disk(DiskIndex(self.places[member])) {
            Ok(_) => {
                self.hit(Probe::Grown);
                let array = pool.array();
                self.tell(array, EventKind::Maintain, Some(member), || "used to its new end".into());
                Ok(Flow::On)
            }
            Err(MemberError::Pool(error)) => self.refused_change(pool, error, "a disk that has grown"),
            // Its disk failed.
            Err(_) => Ok(Flow::End),
        }
    }

    /// Takes a member out of the pool: an empty one, one that is away or vanishes just before, or one with what it holds.
    fn remove(&mut self, pool: &mut Mounted<'_>, rng: &mut Rng) -> Result<Flow, Failure> {
        let member = *rng.pick(&self.active());
        let empty = is_empty(self.roster[member]);
        let (vanishes, lose) = (rng.coin(), rng.coin());
        let holds = |&member: &usize| {
            let state = self.roster[member];
            !self.atlas.is_witness(member) && !state.is_draining() && !is_empty(state)
        };
        let spare =
            self.active().iter().filter(|member| holds(member)).count() > self.setup.format.scheme.width();
        if !empty && !spare || lose && !empty && !self.atlas.lose(member) {
            return Ok(Flow::On);
        }
        if vanishes && !self.vanish(pool, member) {
            return Ok(Flow::On);
        }
        let done = pool.remove_member(MemberNumber(member as u16), lose).map(|_| ());
        if done.is_ok() && lose && !empty {
            self.hit(Probe::RemovedWithLoss);
        }
        if done.is_ok() && vanishes {
            self.hit(Probe::VanishedAndRemoved);
        }
        self.operated(pool, member, "removed", done)
    }

    /// A member's disk goes away, if it may.
    fn vanish(&mut self, pool: &mut Mounted<'_>, member: usize) -> bool {
        let may = self.shelf[member].is_none() && self.atlas.admit(member, Harm::State);
        if may {
            self.disk(pool.array(), member).unplug();
            let array = pool.array();
            self.tell(array, EventKind::Fault, Some(member), || "vanishes before it is removed".into());
        }
        may
    }

    /// A member that is to leave next goes away now and then.
    pub(super) fn vanish_before_leaving(&mut self, pool: &mut Mounted<'_>, rng: &mut Rng) {
        let departing = |&member: &usize| self.roster[member] == MemberState::Departing;
        let Some(member) = self.active().into_iter().find(departing) else { return };
        if rng.coin() && self.vanish(pool, member) {
            self.hit(Probe::VanishedAndRemoved);
        }
    }

    /// Makes the disk that lies ready a member, if there is one.
    fn add(&mut self, pool: &mut Mounted<'_>, rng: &mut Rng) -> Result<Flow, Failure> {
        let Some(place) = self.blank else { return Ok(Flow::On) };
        let spare = rng.chance(1, 4);
        let disk = self.draw_options(spare, rng);
        let options = AddOptions::new().disk(disk).spare(spare).force(true);
        match pool.add_disk(DiskIndex(place), rng, &options) {
            Ok(number) => {
                let state = if spare { MemberState::Spare } else { MemberState::Active };
                self.joined(pool.array(), (number, disk.witness), place, state);
                // What was short for want of members is so until a rebuild has used the new one.
                if pool.internals().store.committed().is_short() {
                    self.atlas.left_behind(number.0.into());
                }
                Ok(Flow::On)
            }
            Err(MemberError::Pool(error)) => {
                self.unsure_of_members = true;
                match error {
                    // A disk went away in that very commit: the next try is another one.
                    Error::Storage(StorageError::TooFewDisks { .. }) if pool.health().writable => {
                        Ok(Flow::On)
                    }
                    error => self.refused_change(pool, error, "a new member"),
                }
            }
            Err(_) => {
                // It does not fit, or its disk failed.
                self.unsure_of_members = true;
                Ok(Flow::End)
            }
        }
    }

    /// What is special about a new member, where something is about others.
    fn draw_options(&self, spare: bool, rng: &mut Rng) -> DiskOptions {
        if self.setup.members.is_empty() {
            return DiskOptions::default();
        }
        let like = *rng.pick(&self.setup.members);
        like.witness(like.witness && !spare)
    }

    /// There is a new member, which may be a witness.
    fn joined(
        &mut self,
        array: &mut SimArray,
        (number, is_witness): (MemberNumber, bool),
        place: usize,
        state: MemberState,
    ) {
        let member = usize::from(number.0);
        while self.places.len() <= member {
            self.places.push(place);
            self.roster.push(MemberState::Drained);
            self.shelf.push(None);
            self.images.push(None);
        }
        (self.places[member], self.roster[member], self.blank) = (place, state, None);
        self.unnamed = self.unnamed.with(member);
        self.atlas.joined(member, is_witness);
        self.hit(Probe::Added);
        self.tell(array, EventKind::Maintain, Some(member), || "a new member".into());
    }

    /// An operation on a member is over.
    fn operated(
        &mut self,
        pool: &mut Mounted<'_>,
        member: usize,
        what: &str,
        done: Result<(), MemberError>,
    ) -> Result<Flow, Failure> {
        match done {
            Ok(()) => {
                let array = pool.array();
                self.tell(array, EventKind::Maintain, Some(member), || what.into());
                self.members_changed(pool);
                Ok(Flow::On)
            }
            Err(MemberError::Pool(error)) => {
                self.unsure_of_members = true;
                match error {
                    // Too few would be left: a good reason, and nothing happened.
                    Error::Storage(StorageError::TooFewDisks { .. }) if pool.health().writable => {
                        Ok(Flow::On)
                    }
                    error => self.refused_change(pool, error, what),
                }
            }
            Err(_) => Ok(Flow::On),
        }
    }

    /// What the pool says of its members. They are as before, or an operation was cut short and the operator
    /// learns its outcome.
    pub(super) fn check_members(&mut self, pool: &mut Mounted<'_>) -> Result<Flow, Failure> {
        let before = (self.roster.clone(), self.atlas.members());
        if self.learn_states(pool)? == Flow::End {
            return Ok(Flow::End);
        }
        let changed = before != (self.roster.clone(), self.atlas.members());
        if changed && self.unsure_of_members {
            self.hit(Probe::MembersChangedAnyway);
        } else if changed && !self.unsure_of_debts && !self.atlas.is_beyond() {
            return Err(self.fail(FailureKind::WrongState, "members changed by themselves"));
        }
        // A member that is away may bring a newer state.
        self.unsure_of_members &= pool.health().tentative;
        Ok(Flow::On)
    }

    /// Upkeep changed members.
    pub(super) fn members_changed(&mut self, pool: &mut Mounted<'_>) {
        let learnt = self.learn_states(pool);
        // One that was given up for its errors is empty already.
        self.give_up_rebuilt(pool);
        self.unsure_of_members |= !matches!(learnt, Ok(Flow::On));
    }

    /// Asks the pool for its members and what they are.
    fn learn_states(&mut self, pool: &mut Mounted<'_>) -> Result<Flow, Failure> {
        let mut found = Vec::new();
        let read = pool.each_member(|number, state, _| found.push((number, state)));
        if pool.array().halted().is_some() {
            return Ok(Flow::End);
        }
        if let Err(error) = read {
            return match self.atlas.is_beyond() {
                true => Ok(Flow::On),
                false => Err(self.fail(FailureKind::Lost, format!("member records: {error}"))),
            };
        }
        for &(number, state) in &found {
            let member = usize::from(number.0);
            if member >= self.places.len() {
                self.meet(pool, number, state);
            }
            let old = std::mem::replace(&mut self.roster[member], state);
            if is_empty(old) && !is_empty(state) && self.offline(pool).contains(member) {
                self.hollow = self.hollow.with(member);
            }
            match (old, state) {
                (MemberState::Draining, MemberState::Drained) => self.hit(Probe::Drained),
                (MemberState::Spare, MemberState::Active) => self.hit(Probe::SpareUsed),
                _ => {}
            }
        }
        for member in self.active() {
            if found.iter().all(|(number, _)| usize::from(number.0) != member) {
                self.atlas.left(member);
                self.roster[member] = MemberState::Drained;
                self.hit(Probe::Left);
                let array = pool.array();
                self.tell(array, EventKind::Maintain, Some(member), || "it has left the pool".into());
            }
        }
        Ok(Flow::On)
    }

    /// A member that the operator did not know of: it was being added when the world halted. Its disk has its label, or
    /// nothing yet: then it is away for good.
    fn meet(&mut self, pool: &mut Mounted<'_>, number: MemberNumber, state: MemberState) {
        let Some(place) = self.blank else { return };
        let label = states::label_of(pool.array().disk(place)).map(|(_, identity)| identity);
        let labelled = label.is_some_and(|identity| identity.member == number);
        let is_witness = labelled && label.is_some_and(|identity| identity.witness);
        self.joined(pool.array(), (number, is_witness), place, state);
        if !labelled {
            self.atlas.left(usize::from(number.0));
        } else {
            self.atlas.doubt(usize::from(number.0));
        }
    }

    /// Members that were given up and are owed nothing any more count no longer.
    pub(super) fn give_up_rebuilt(&mut self, pool: &mut Mounted<'_>) {
        for member in self.active() {
            let owed = pool
                .internals()
                .store
                .committed()
                .row_of(MemberNumber(member as u16))
                .is_some_and(|row| pool.internals().store.committed().owed().contains(row));
            if self.roster[member] == MemberState::Failed && !owed {
                self.atlas.left(member);
                self.hit(Probe::RebuiltElsewhere);
            }
        }
    }

    /// Upkeep that ended early may have emptied a member in the same commit that recorded that it is owed
    /// nothing. The roster shows it, and an empty member is owed nothing, also where it is away and cannot be
    /// asked.
    pub(super) fn forgive_draining(&mut self) {
        for member in self.active() {
            if is_empty(self.roster[member]) {
                self.atlas.forgive(member);
            }
        }
    }

    /// Those of the members that are away on which something may lie. A new one is given nothing before the
    /// lists name it.
    pub(super) fn holding(&mut self, pool: &Mounted<'_>, away: Set<usize>) -> Set<usize> {
        self.hollow = self.hollow.and(away);
        let lists = pool.internals().store.committed().lists();
        for row in lists.settled.or(lists.members).iter() {
            self.unnamed = self.unnamed.without(pool.internals().store.tree.space.member(row).0.into());
        }
        away.iter().filter(|&member| self.may_hold(member)).collect()
    }

    /// Whether something may lie on a member.
    pub(super) fn may_hold(&self, member: usize) -> bool {
        let is_empty = is_empty(self.roster[member]) || self.atlas.is_witness(member);
        !is_empty && !self.hollow.or(self.unnamed).contains(member)
    }

    /// Whether a member may have left since the operator last knew: then fewer count than it thinks.
    pub(super) fn may_have_left(&self) -> bool {
        let leaves = |state| matches!(state, MemberState::Leaving | MemberState::Departing);
        (self.unsure_of_debts || self.unsure_of_members) && self.roster.iter().any(|&state| leaves(state))
    }

    /// Whether all members that there ever were take part, none of them in a special state.
    pub(super) fn is_plain(&self) -> bool {
        self.atlas.members() == Set::first(self.members())
            && self.roster.iter().all(|&state| state == MemberState::Active)
    }

    /// A new disk lies ready, now and then.
    pub(super) fn lay_ready(&mut self, array: &mut SimArray, rng: &mut Rng) {
        use dynamicfs_hal::DiskArray;
        let most = MEMBERS_MAX.max(self.setup.disks.len() + 1).min(PLACES_MAX);
        let most = most.min(self.setup.format.members_max.into());
        if self.blank.is_some() || array.disks() >= most || !rng.chance(1, 8) {
            return;
        }
        let holds = |&disk: &usize| !self.setup.member(disk).witness;
        let like: Vec<_> = (0..self.setup.disks.len()).filter(holds).map(|d| self.setup.disks[d]).collect();
        let like = *rng.pick(&like);
        let sectors = like.sectors - rng.below(like.sectors / 4) + rng.below(like.sectors / 2);
        let disk = SimDisk::new(Geometry { sectors, ..like }, rng.next_u64());
        let place = array.add(disk);
        array.disk_mut(place).set_latency(self.setup.latencies.first().copied().unwrap_or_default());
        debug_assert!(array.disk(place).geometry().sectors > 0);
        self.blank = Some(place);
    }

    /// At rest every member is to be used.
    pub(super) fn use_all(&mut self, pool: &mut Mounted<'_>) -> Result<(), Failure> {
        for member in self.active() {
            let done = match self.roster[member] {
                MemberState::Offline => pool.activate_member(MemberNumber(member as u16)),
                _ => continue,
            };
            if let Err(error) = done {
                self.unsure_of_members = true;
                return match self.atlas.must_commit() {
                    true => {
                        Err(self.fail(FailureKind::Restless, format!("member {member} stays out: {error}")))
                    }
                    false => Ok(()),
                };
            }
            self.roster[member] = MemberState::Active;
        }
        Ok(())
    }
}

/// Whether nothing lies on a member in this state.
const fn is_empty(state: MemberState) -> bool {
    matches!(state, MemberState::Drained | MemberState::Spare | MemberState::Departing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulation::{Faults, ReplayId, Setup, Workload};

    /// One commit cleared a member and emptied it, and its outcome was unknown. At the next mount a failed
    /// flush was left over, so the member could not be asked. The simulator held that it was owed something:
    /// its own error.
    #[test]
    fn a_member_that_was_emptied_by_a_commit_of_unknown_outcome_is_owed_nothing() {
        let setup = Setup::small(Scheme::mirror(2), 3);
        let mut run = Run::new(ReplayId::of(1), &Faults::all(), Workload::default(), Some(setup), false);
        run.atlas.missed([1, 2].into_iter().collect::<Set<usize>>());
        run.roster[1] = MemberState::Drained;
        run.forgive_draining();
        assert_eq!(run.atlas.missed_commits(), Set::only(2));
    }
}
