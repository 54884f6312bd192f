//! Passes what is known of the disks to the modules that judge it (`condition.rs`) and choose by it
//! (`select.rs`).

use super::condition::{Cause, Condition, Evidence, Fault, SAMPLES_MIN, Thresholds, Window, assess};
use super::events::Happening;
use super::select::{self, Candidate};
use super::state::Watched;
use super::{DiskStatus, Disks};
use crate::build::OBSERVE;
use crate::limits::FRAGMENTS_MAX;
use crate::types::{BlockAddress, DiskIndex, FragmentIndex, Set};
use dynamicfs_hal::DiskArray;

/// Requests after which the disks are compared with each other again.
pub(super) const REQUESTS: u64 = 64;

/// Blocks for which the same disk is asked: more than one read fetches at once.
const NEIGHBOURS: u64 = 64;

impl Watched {
    /// Judges the disk by its errors, and by the two latencies in the middle of all.
    fn judge(&mut self, now: u64, thresholds: &Thresholds, latency: u32, middle: (u32, u32)) {
        self.others = median_without(middle, latency);
        self.window.pass(now, thresholds);
        let evidence = Evidence {
            read_errors: self.window.errors(Fault::Read),
            checksum_errors: self.window.errors(Fault::Checksum),
            latency,
            others: self.others,
        };
        self.condition = assess(&evidence, thresholds, self.condition);
    }
}

impl<A: DiskArray> Disks<'_, A> {
    // --- judging ----------------------------------------------------------------------------------------------

    /// How far a disk can be relied on. One that takes part is degraded where its errors would fail it: that is for upkeep
    /// to decide.
    pub fn condition(&self, disk: DiskIndex) -> Condition {
        let state = self.state(disk);
        match (state.status, state.watched.condition, state.last_error) {
            (DiskStatus::Online, Condition::Failed(cause), _) => Condition::Degraded(cause),
            (DiskStatus::Online, condition, _) => condition,
            (DiskStatus::Failed, _, Some(error)) => Condition::Failed(Cause::Error(error)),
            (DiskStatus::Excluded, condition @ Condition::Failed(_), _) => condition,
            _ => Condition::Healthy,
        }
    }

    /// Microseconds that a read of a disk takes on average; `None` if too few were measured.
    pub fn latency(&self, disk: DiskIndex) -> Option<u32> {
        let state = self.state(disk);
        (state.watched.samples >= SAMPLES_MIN).then_some(state.watched.latency / 16)
    }

    /// Judges by these thresholds from now on.
    pub fn set_thresholds(&mut self, thresholds: Thresholds) {
        self.thresholds.note(|kept| *kept = thresholds);
        self.look();
    }

    /// Judges a disk from now on as if it had made no error yet.
    pub(crate) fn forgive(&mut self, disk: DiskIndex) {
        self.state_mut(disk).watched.note(|watched| watched.window = Window::NEW);
        self.look();
    }

    /// Notes that a place of a disk is bad, and judges by it.
    #[inline(never)] // Once, and not in each of its callers.
    pub(super) fn note_fault(&mut self, disk: DiskIndex, fault: Fault, place: u64) {
        if !OBSERVE {
            return;
        }
        self.state_mut(disk).watched.note(|watched| watched.window.note(fault, place));
        self.look();
    }

    /// Looks at all disks that take part: compares their latencies, judges their errors, and tells of those whose condition
    /// has changed.
    #[inline(never)] // Once, and not in each of its callers.
    pub(crate) fn look(&mut self) {
        if !OBSERVE {
            return;
        }
        let now = self.clock.monotonic_micros();
        let middle = self.middle();
        self.any_behind = false;
        for disk in self.all() {
            let latency = self.latency(disk).unwrap_or(0);
            let thresholds = *self.thresholds;
            let state = self.state_mut(disk);
            if state.status != DiskStatus::Online {
                continue;
            }
            let before = state.watched.condition;
            state.watched.note(|watched| watched.judge(now, &thresholds, latency, middle));
            let watched = &state.watched;
            let (level, was) = (watched.condition.level().min(1), before.level().min(1));
            self.any_behind |= level > 0 || select::is_worth_computing(latency, watched.others, 1);
            if level != was {
                let condition = self.condition(disk);
                self.tell_of(disk, |member| Happening::Condition { member, condition });
            }
        }
    }

    /// The two known latencies in the middle of their order. One of them is the lower median when any one
    /// latency is left out. Zeros if fewer than two are known.
    fn middle(&self) -> (u32, u32) {
        let known = || {
            let disks = self.all().filter(|&disk| self.state(disk).status == DiskStatus::Online);
            disks.filter_map(|disk| Some((self.latency(disk)?, disk)))
        };
        // Counted, not sorted: there are few, and no memory is needed.
        let at = |rank: usize| {
            let place = |one: &(u32, DiskIndex)| known().filter(|other| other < one).count();
            known().find(|one| place(one) == rank).map_or(0, |(latency, _)| latency)
        };
        match known().count().checked_sub(2) {
            None => (0, 0),
            Some(last) => (at(last / 2), at(last / 2 + 1)),
        }
    }

    // --- choosing ---------------------------------------------------------------------------------------------

    /// Of these replicas the one to read first, on a disk that takes part. See [`select`].
    pub fn prefer(&self, mut replicas: impl Iterator<Item = BlockAddress>) -> Option<usize> {
        if !OBSERVE {
            return replicas.position(|address| self.disk_of(address.member).is_some());
        }
        let is_sample = select::is_sample(self.requests);
        let mut best: Option<(u64, usize)> = None;
        for (i, address) in replicas.enumerate() {
            let Some(disk) = self.disk_of(address.member) else { continue };
            let state = self.state(disk);
            let cause = state.watched.condition.cause();
            let is_slow = matches!(cause, Some(Cause::Slow { .. }));
            let place = (address.block / NEIGHBOURS) ^ (u64::from(address.member.0) << 32);
            let is_unreliable = cause.is_some() && !is_slow || state.watched.is_late;
            let candidate = Candidate { latency: state.watched.latency, is_unreliable, is_slow, place };
            let cost = select::cost(&candidate, is_sample);
            if best.is_none_or(|(least, _)| cost < least) {
                best = Some((cost, i));
            }
        }
        best.map(|(_, i)| i)
    }

    /// Which of these fragments are better not read, and taken from others or computed. Their disks make
    /// errors, are at an abandoned read, or are many times slower than the others. The other way takes
    /// `reads` reads one after the other. Where it `may_sample`, those that are slow are read all the same
    /// now and then, so that they can recover their standing.
    pub fn avoided(
        &self,
        fragments: impl Iterator<Item = BlockAddress>,
        reads: usize,
        may_sample: bool,
    ) -> Set<FragmentIndex> {
        if !OBSERVE || !self.any_behind && !self.any_late {
            return Set::EMPTY;
        }
        let is_sample = may_sample && select::is_sample(self.requests);
        let is_avoided = |address: BlockAddress| {
            self.disk_of(address.member).is_some_and(|disk| {
                let state = &self.state(disk).watched;
                match state.condition.cause() {
                    _ if state.is_late => true,
                    None | Some(Cause::Slow { .. }) => {
                        !is_sample
                            && self.latency(disk).is_some_and(|latency| {
                                select::is_worth_computing(latency, state.others, reads)
                            })
                    }
                    Some(_) => true,
                }
            })
        };
        let avoided = fragments.enumerate().filter(|&(_, address)| is_avoided(address));
        avoided.fold(Set::EMPTY, |set, (index, _)| set.with(FragmentIndex(index)))
    }

    /// After how many microseconds to abandon a read of so many bytes from a disk. `count` of these others
    /// can answer as well, in `reads` reads one after the other. 0 for never: too few of them take part, or
    /// their latency is unknown. One that was hardly read yet is thought to be like the disk itself. See
    /// [`select::patience`], also for the `attempt`.
    pub fn patience(
        &self,
        disk: DiskIndex,
        others: impl Iterator<Item = BlockAddress>,
        (count, reads): (usize, usize),
        bytes: usize,
        attempt: u32,
    ) -> u32 {
        if !A::GIVES_UP || attempt >= select::PATIENT {
            return 0;
        }
        let own = self.latency(disk).unwrap_or(0);
        let latency =
            |address: BlockAddress| Some(self.latency(self.disk_of(address.member)?).unwrap_or(own));
        let mut latencies: heapless::Vec<u32, FRAGMENTS_MAX> =
            others.filter_map(latency).take(FRAGMENTS_MAX).collect();
        latencies.sort_unstable();
        // The slowest of those that are needed.
        let slowest = count.checked_sub(1).and_then(|last| latencies.get(last));
        slowest.map_or(0, |&slowest| select::patience(slowest, reads, bytes, attempt))
    }
}

/// The lower median of the numbers without one of them, from the two in their middle. 0 if no other is left.
const fn median_without((low, high): (u32, u32), one: u32) -> u32 {
    if one <= low { high } else { low }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_that_of_the_others() {
        for (middle, one, expected) in [
            ((0, 0), 5, 0),
            // Of 5 and 9.
            ((5, 9), 9, 5),
            ((5, 9), 5, 9),
            // Of 1, 2 and 300.
            ((1, 2), 1, 2),
            ((1, 2), 2, 1),
            ((1, 2), 300, 1),
            // Of 1, 2, 3 and 400.
            ((2, 3), 1, 3),
            ((2, 3), 400, 2),
        ] {
            assert_eq!(median_without(middle, one), expected, "{middle:?} without {one}");
        }
    }
}
