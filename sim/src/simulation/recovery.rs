//! What goes wrong around a recovery: a disk is lost before it, or what it served was never durable.

use super::engine::Engine;
use super::fault::{FaultKind, Harm};
use super::probe::Probe;
use super::report::{EventKind, Failure};
use super::run::{Mounted, Run};
use crate::{CrashPolicy, Halt, IoKind, Rng, SimArray, SimDisk, states};
use dynamicfs_core::MountMode;
use dynamicfs_core::limits::MEMBERS_MAX;
use dynamicfs_core::types::Row;
use dynamicfs_hal::{BlockDevice, DiskArray, IoError};

/// How a disk is lost between a crash and its recovery.
#[derive(Clone, Copy, Debug)]
enum Loss {
    Unplugged,
    SetBack,
    Unreadable,
    Wiped,
}

impl Run {
    /// Between a crash and its recovery a disk is lost; those that were lost before an earlier one come back.
    pub(super) fn lose_in_recovery(&mut self, array: &mut SimArray, rng: &mut Rng) {
        if self.depth == 0 {
            if self.lost_in_recovery && rng.coin() {
                self.lost_in_recovery = false;
                self.bring_back(array);
                self.hit(Probe::LostCameBack);
            }
            return;
        }
        let alone = self.alone_at_newest(array);
        if !self.swarm.is_on(FaultKind::LostInRecovery) || !(alone.is_some() || rng.coin()) {
            return;
        }
        let member = match alone {
            Some(member) if rng.chance(7, 8) => member,
            _ => *rng.pick(&self.active()),
        };
        if self.shelf[member].is_some() || !self.atlas.admit(member, Harm::State) {
            return;
        }
        let how =
            *rng.pick(&[Loss::Unplugged, Loss::Unplugged, Loss::SetBack, Loss::Unreadable, Loss::Wiped]);
        let image = self.images[member].clone();
        if matches!(how, Loss::SetBack) {
            self.before_set_back.push((member, self.disk(array, member).clone()));
        }
        lose(self.disk(array, member), how, image.as_ref());
        if matches!(how, Loss::SetBack) && image.is_some() && self.looks_current(array, member) {
            self.atlas.spoil(member);
        }
        self.lost_in_recovery = true;
        self.counts.faults.hit(FaultKind::LostInRecovery);
        if alone == Some(member) {
            self.hit(Probe::LostNewestAlone);
        }
        if self.depth > 1 {
            self.hit(Probe::LostBetweenRecoveries);
        }
        self.tell(array, EventKind::Fault, Some(member), || {
            let alone = if alone == Some(member) { ", and alone had the newest state" } else { "" };
            format!("{}: {how:?}{alone}", FaultKind::LostInRecovery.name())
        });
    }

    /// What a power cut leaves on each disk, by place: all of what was not flushed on one, none of it on the others.
    pub(super) fn lopsided(&self, array: &SimArray, rng: &mut Rng) -> [CrashPolicy; MEMBERS_MAX] {
        let mut places = self.active();
        places.iter_mut().for_each(|member| *member = self.places[*member]);
        let unflushed: Vec<usize> =
            places.iter().copied().filter(|&place| array.disk(place).has_unflushed()).collect();
        let mut policies = [CrashPolicy::Nothing; MEMBERS_MAX];
        policies[*rng.pick(if unflushed.is_empty() { &places } else { &unflushed })] =
            CrashPolicy::Everything;
        policies
    }

    /// Whether a member's disk lacks no more than what a crash in a commit leaves a disk without. One that
    /// was set back so little does not show it before its contents are read.
    pub(super) fn looks_current(&self, array: &SimArray, member: usize) -> bool {
        let disk = |member: usize| array.disk(self.places[member]);
        let newest = self.active().into_iter().filter_map(|member| states::newest_of(disk(member))).max();
        let (Some(newest), Some(own)) = (newest, states::newest_of(disk(member))) else { return false };
        let claim = states::slots_of(disk(member)).iter().map(|slot| slot.claim).max();
        let mounts = newest.0.0.saturating_sub(own.0.0);
        claim >= Some(newest.0) && own.1.0 + mounts + 1 >= newest.1.0
    }

    /// The one member whose disk has a newer state than all others, if there is one.
    fn alone_at_newest(&self, array: &SimArray) -> Option<usize> {
        let state = |&member: &usize| states::newest_of(array.disk(self.places[member]));
        let members = self.active();
        let newest = members.iter().filter_map(state).max()?;
        let mut there = members.iter().copied().filter(|member| state(member) == Some(newest));
        there.next().filter(|_| there.next().is_none() && members.len() > 1)
    }
}

/// Loses a disk in this way; one that was never imaged cannot be set back and is unplugged.
fn lose(disk: &mut SimDisk, how: Loss, image: Option<&SimDisk>) {
    match (how, image) {
        (Loss::SetBack, Some(image)) if image.geometry() == disk.geometry() => disk.roll_back(image),
        (Loss::Unreadable, _) => {
            let sector = u64::from(disk.geometry().sector_bytes);
            let slots = states::slots_of(disk);
            for slot in &slots {
                disk.make_unreadable(slot.at / sector..(slot.at + slot.bytes) / sector);
            }
        }
        (Loss::Wiped, _) => disk.wipe(),
        _ => disk.unplug(),
    }
}

impl Engine {
    /// After the death of a process: a mount that serves and writes nothing, then a power cut that nothing survives that was not
    /// flushed. What was served must be there.
    pub(super) fn idle_mount(&mut self, rng: &mut Rng) -> Result<(), Failure> {
        let run = &mut self.run;
        let comes = run.process_died && run.depth > 0 && run.swarm.is_on(FaultKind::IdleMount);
        if !comes || self.array.halted().is_some() || !rng.chance(3, 4) {
            return Ok(());
        }
        self.array.disarm();
        if run.swarm.is_on(FaultKind::FlushError) && rng.chance(3, 4) {
            run.fail_a_flush(&mut self.array, rng);
            if run.setup.tolerance() == 0 {
                run.fail_every_flush(&mut self.array);
            }
        }
        let mode = if rng.coin() { MountMode::ReadOnly } else { MountMode::ReadWrite };
        let mut served = false;
        self.mount(mode, |run, pool| run.examine(pool).map(|_| served = !pool.health().tentative))?;
        let Self { array, run, .. } = self;
        array.power_cycle(CrashPolicy::Nothing, rng);
        run.process_died = false;
        run.depth += 1;
        run.counts.crashes += 1;
        run.counts.faults.hit(FaultKind::IdleMount);
        run.served = served;
        run.end_excuse(array);
        run.tell(array, EventKind::Crash, None, || {
            "the power is back after an idle mount: none of what was not flushed is there".into()
        });
        Ok(())
    }
}

impl Run {
    /// The next flush fails, on a disk that may be lost. Where the pool has no redundancy and must bear it
    /// all the same, it may be any disk.
    pub(super) fn fail_a_flush(&mut self, array: &mut SimArray, rng: &mut Rng) {
        let member = *rng.pick(&self.active());
        let is_alone = self.setup.tolerance() == 0;
        if self.shelf[member].is_some() || !is_alone && !self.atlas.admit(member, Harm::State) {
            return;
        }
        if is_alone {
            self.excused = self.excused.with(member);
        }
        let well = if is_alone { rng.below(4) * rng.below(2) } else { 0 };
        self.disk(array, member).fail_after(IoKind::Flush, well, IoError::Media);
        self.counts.faults.hit(FaultKind::FlushError);
        if is_alone {
            self.hit(Probe::FlushFailedAlone);
        }
        self.tell(array, EventKind::Fault, Some(member), || FaultKind::FlushError.name().into());
    }

    /// The first flush of the mount fails on every disk.
    fn fail_every_flush(&mut self, array: &mut SimArray) {
        for member in self.active() {
            self.disk(array, member).fail_next(IoKind::Flush, 1, IoError::Media);
            self.excused = self.excused.with(member);
        }
    }

    /// Some disks fail in the next batch of superblocks, more of them than may be lost: nothing is acknowledged, or it is there.
    /// Now and then they fail in what is written before that, one after the other.
    pub(super) fn fail_superblocks(&mut self, array: &mut SimArray, rng: &mut Rng) {
        let mut members = self.active();
        rng.shuffle(&mut members);
        let more = rng.coin() && self.atlas.hurt().is_empty() && self.is_plain();
        let least = self.setup.tolerance() + 1;
        if members.len() < least || self.shelf.iter().any(Option::is_some) {
            return;
        }
        if more {
            members.truncate(least + rng.index(members.len() - least + 1));
            self.excused = members.iter().fold(self.excused, |excused, &member| excused.with(member));
        } else {
            members.retain(|&member| self.atlas.admit(member, Harm::State));
        }
        let mut own = rng.fork("before the superblocks");
        let is_before = more && own.coin();
        for &member in &members {
            let disk = self.disk(array, member);
            let places = states::ring_sectors(disk);
            match is_before {
                true => disk.fail_after(IoKind::Write, own.below(6), IoError::Media),
                false => disk.fail_at(places, rng.coin()),
            }
        }
        if !members.is_empty() {
            self.counts.faults.hit(FaultKind::SuperblockBatchFails);
            self.tell(array, EventKind::Fault, None, || {
                format!("{} on members {members:?}", FaultKind::SuperblockBatchFails.name())
            });
        }
    }

    /// Where flushes failed on more disks than may be lost, these disks are reset. What is left of their
    /// caches is decided then, and every mount finds the same. Without that a mount is served what a cache
    /// alone has. Nothing tells it so, as the next flush succeeds.
    pub(super) fn reset_doomed(&mut self, array: &mut SimArray, rng: &mut Rng) {
        let mut doomed = self.active();
        doomed.retain(|&member| self.disk(array, member).has_doomed());
        if doomed.len() <= self.setup.tolerance() {
            return;
        }
        for member in doomed {
            self.disk(array, member).power_cycle(*rng.pick(&CrashPolicy::ALL[..3]), rng);
        }
    }

    /// Whether sound members do not take part in a pool that is excused for it: it is to be mounted anew.
    pub(super) fn is_let_off(&self, pool: &Mounted<'_>) -> bool {
        self.is_excused() && !self.offline(pool).minus(self.atlas.hurt()).is_empty()
    }

    /// Sets the fuse to an I/O while superblocks are written: what is on some disks alone comes of it.
    pub(super) fn arm_superblocks(&self, array: &mut SimArray, halt: Halt, rng: &mut Rng) {
        let places = (0..array.disks()).map(|disk| states::ring_sectors(array.disk(disk))).collect();
        // Two rings and a flush for each disk.
        let within = 3 * self.active().len() as u64;
        // Those of a claim come first, each disk for itself; those of a state after it.
        let within = if rng.coin() { within } else { 3 * within };
        array.halt_after_write(places, rng.below(within + 1), halt);
    }

    /// Whether something failed that the pool need not bear to continue.
    pub(super) fn is_excused(&self) -> bool {
        !self.excused.is_empty()
    }

    /// What a pool was excused for is over: no request is in for a mishap any more.
    ///
    /// The commit need not have borne it, and may have. It continues without the failed disks where the tree
    /// bears more losses than the data, or nothing was written on them. What they missed is owed to them
    /// then, as to any other.
    pub(super) fn end_excuse(&mut self, array: &mut SimArray) {
        let excused = std::mem::take(&mut self.excused);
        if excused.is_empty() {
            return;
        }
        for member in 0..self.members() {
            self.disk(array, member).calm();
        }
        // What waits on a disk after a failed flush may be the newest state, or be gone.
        let in_doubt = excused.iter().any(|member| array.disk(self.places[member]).has_doomed());
        // As the next mount finds them that each disk answers: it flushes first.
        let flushed = |place: &usize| {
            let mut disk = array.disk(*place).clone();
            disk.reopen();
            let _ = disk.flush();
            states::slots_of(&disk)
        };
        let slots: Vec<_> = self.places.iter().map(flushed).collect();
        let newest = |member: usize| slots[member].first().map(|slot| slot.order);
        let states: Vec<_> = self.active().into_iter().map(|member| (member, newest(member))).collect();
        let last = states.iter().map(|&(_, state)| state).max().flatten();
        for (member, state) in states.into_iter().filter(|&(member, _)| excused.contains(member)) {
            let is_behind = state < last;
            if is_behind || in_doubt {
                self.atlas.left_behind(member);
            }
            // Where the lists continued without it, its word counts no more.
            let named =
                |slot: &states::SlotState| slot.lists.settled.and(slot.lists.members).contains(Row(member));
            let mut newest = slots.iter().flatten().filter(|slot| Some(slot.order) == last);
            if is_behind && !newest.all(named) {
                self.atlas.doubt(member);
            }
        }
    }
}
