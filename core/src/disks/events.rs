//! What has happened to a pool and its disks, for the program that looks after it: a few small values until
//! it takes them.

use super::Disks;
use super::condition::Condition;
use crate::build::OBSERVE;
use crate::format::job::{JobKind, JobState};
use crate::format::record::MemberState;
use crate::limits::EVENTS_PER_DISK;
use crate::logging::{LOGGING, tell};
use crate::observed::AtRest;
use crate::types::{DiskIndex, MemberNumber, ObjectId};
use dynamicfs_hal::{DiskArray, IoError};

/// Something that has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Event {
    /// When, in seconds since 1970-01-01T00:00:00Z; 0 on a machine without a clock.
    pub at: i64,
    /// What.
    pub what: Happening,
}

/// What has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Happening {
    /// A member that takes part is in this condition now. Failed, and upkeep takes it out of use: a
    /// [`State`](Self::State) follows.
    Condition {
        /// The member.
        member: MemberNumber,
        /// Its condition.
        condition: Condition,
    },
    /// A member answered a request so that nothing is trusted to it any more: it is out of use until the next mount.
    Stopped {
        /// The member.
        member: MemberNumber,
        /// What it answered.
        error: IoError,
    },
    /// A member that took part in the last commit was not there when the pool was mounted.
    Away {
        /// The member.
        member: MemberNumber,
    },
    /// A member is back that missed commits: it is owed what it missed.
    Stale {
        /// The member.
        member: MemberNumber,
    },
    /// A member has lost commits that it had acknowledged.
    RolledBack {
        /// The member.
        member: MemberNumber,
    },
    /// Places for superblocks on a member cannot be read in either ring, and too few others are there to
    /// exclude that they held something newer. The last commit may be lost.
    SlotsLost {
        /// The member.
        member: MemberNumber,
    },
    /// A member is to be something else now, by the operator's word or by upkeep's.
    State {
        /// The member.
        member: MemberNumber,
        /// What it is to be.
        state: MemberState,
    },
    /// A disk became a member.
    Joined {
        /// The member.
        member: MemberNumber,
    },
    /// A member left the pool.
    Left {
        /// The member.
        member: MemberNumber,
    },
    /// A spare member took the place of one that failed.
    Succeeded {
        /// The one that failed.
        member: MemberNumber,
        /// The spare one.
        by: MemberNumber,
    },
    /// What a member was owed is where it should be: on it, or, where it is gone, on others.
    Rebuilt {
        /// The member.
        member: MemberNumber,
    },
    /// Fragments or nodes that were found bad on a member were rewritten.
    Repaired {
        /// The member.
        member: MemberNumber,
        /// How many.
        count: u32,
    },
    /// Something of a deleted object cannot be read: what it referred to stays allocated until a recount finds it.
    Unfreed {
        /// The object.
        object: ObjectId,
    },
    /// A job is in this state now.
    Job {
        /// The job.
        kind: JobKind,
        /// Its state.
        state: JobState,
    },
}

impl Event {
    /// What stands in a place that holds none.
    pub(super) const NONE: Self = Self { at: 0, what: Happening::Away { member: MemberNumber::NONE } };
}

// Firmware keeps some for each disk.
const _: () = assert!(size_of::<Event>() <= 32);

/// Which places hold events that were not taken yet. The places are in the disks' states, memory that the
/// caller lends, so that a pool is no larger for them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ring {
    first: u16,
    waiting: u16,
    dropped: u32,
}

impl AtRest for Ring {
    const AT_REST: &'static Self = &Self::NEW;
}

impl Ring {
    /// None waits.
    pub(super) const NEW: Self = Self { first: 0, waiting: 0, dropped: 0 };

    /// The place of the newest.
    fn last(&self, places: usize) -> Option<usize> {
        let before = usize::from(self.waiting).checked_sub(1)?;
        Some((usize::from(self.first) + before) % places)
    }

    /// The place for another one, where there are any. If all are taken it is the oldest one's, which is dropped and counted.
    fn add(&mut self, places: usize) -> Option<usize> {
        if usize::from(self.waiting) == places {
            self.take(places)?;
            self.dropped = self.dropped.saturating_add(1);
        }
        self.waiting += 1;
        self.last(places)
    }

    /// The place of the oldest, which is free from now on.
    #[expect(clippy::cast_possible_truncation, reason = "`places` are no more than 16 bits count")]
    fn take(&mut self, places: usize) -> Option<usize> {
        self.waiting = self.waiting.checked_sub(1)?;
        let place = usize::from(self.first);
        self.first = ((place + 1) % places) as u16;
        Some(place)
    }
}

impl<A: DiskArray> Disks<'_, A> {
    fn places(&self) -> usize {
        // Of more a ring could not count.
        (self.states.len() * EVENTS_PER_DISK).min(u16::MAX.into())
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "a remainder by `EVENTS_PER_DISK`, which is the array's length"
    )]
    fn event(&self, place: usize) -> Event {
        self.state(DiskIndex(place / EVENTS_PER_DISK)).watched.events[place % EVENTS_PER_DISK]
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "a remainder by `EVENTS_PER_DISK`, which is the array's length"
    )]
    fn set_event(&mut self, place: usize, event: Event) {
        let watched = &mut self.state_mut(DiskIndex(place / EVENTS_PER_DISK)).watched;
        watched.note(|watched| watched.events[place % EVENTS_PER_DISK] = event);
    }

    /// Tells of something that has happened. Repairs of one member, one after the other, are one event.
    #[inline(never)] // Once, and not in each of its callers.
    pub(crate) fn tell(&mut self, what: Happening) {
        log(&what);
        if !OBSERVE {
            return;
        }
        let places = self.places();
        if let (Some(last), Happening::Repaired { member: again, count: more }) =
            (self.ring.last(places), what)
            && let Event { at, what: Happening::Repaired { member, count } } = self.event(last)
            && member == again
        {
            let what = Happening::Repaired { member, count: count.saturating_add(more) };
            return self.set_event(last, Event { at, what });
        }
        let at = self.clock.now().seconds;
        if let Some(place) = self.ring.note(|ring| ring.add(places)) {
            self.set_event(place, Event { at, what });
        }
    }

    /// Tells of something that has happened to the member that this disk is.
    pub(crate) fn tell_of(&mut self, disk: DiskIndex, what: impl FnOnce(MemberNumber) -> Happening) {
        if (OBSERVE || LOGGING)
            && let Some(identity) = self.state(disk).identity
        {
            self.tell(what(identity.member));
        }
    }

    /// Takes the oldest event.
    pub(crate) fn next_event(&mut self) -> Option<Event> {
        let places = self.places();
        let place = self.ring.note(|ring| ring.take(places))?;
        Some(self.event(place))
    }

    /// How many events were dropped since this was last asked.
    pub(crate) fn take_dropped_events(&mut self) -> u32 {
        self.ring.note(|ring| core::mem::take(&mut ring.dropped))
    }
}

/// Tells of it in the log.
fn log(what: &Happening) {
    match what {
        Happening::Condition { member, condition } => tell!(warn, "member {}: {:?}", member.0, condition),
        Happening::Stopped { member, error } => {
            tell!(warn, "member {} is out of use until the next mount: {}", member.0, error);
        }
        Happening::Away { member } => tell!(warn, "member {} is away", member.0),
        Happening::Stale { member } => tell!(warn, "member {} has missed commits", member.0),
        Happening::RolledBack { member } => {
            tell!(error, "member {} has lost commits that it had acknowledged", member.0);
        }
        Happening::SlotsLost { member } => {
            tell!(error, "member {}: superblocks cannot be read, the last commit may be lost", member.0);
        }
        Happening::State { member, state } => tell!(info, "member {} is to be {:?}", member.0, state),
        Happening::Joined { member } => tell!(info, "member {} joined", member.0),
        Happening::Left { member } => tell!(info, "member {} left", member.0),
        Happening::Succeeded { member, by } => {
            tell!(info, "member {} takes the place of member {}", by.0, member.0);
        }
        Happening::Rebuilt { member } => tell!(info, "member {} is owed nothing any more", member.0),
        // Told with its place.
        Happening::Repaired { .. } => {}
        Happening::Unfreed { object } => tell!(warn, "object {} is not freed as a whole", object.0),
        Happening::Job { kind, state } => tell!(info, "{:?}: {:?}", kind, state),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_dropped_and_counted() {
        let mut ring = Ring::default();
        let places: [_; 6] = core::array::from_fn(|_| ring.add(4));
        assert_eq!(places, [0, 1, 2, 3, 0, 1].map(Some));
        assert_eq!((ring.dropped, ring.last(4)), (2, Some(1)));
        let taken: [_; 5] = core::array::from_fn(|_| ring.take(4));
        assert_eq!(taken, [Some(2), Some(3), Some(0), Some(1), None]);
        assert_eq!((ring.add(4), ring.last(4)), (Some(2), Some(2)));
    }

    #[test]
    fn without_disks_there_is_no_place() {
        let mut ring = Ring::default();
        assert_eq!((ring.last(0), ring.add(0), ring.take(0)), (None, None, None));
    }
}
