//! Faults that are switched on from outside: a disk that does not answer, refuses writes, or is to fail.

use dynamicfs_hal::IoError;
use std::ops::Range;

/// The kinds of request, as faults and counters tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum IoKind {
    /// A read.
    Read,
    /// A write, durable or not.
    Write,
    /// A flush.
    Flush,
    /// A discard.
    Discard,
}

/// What goes wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mishap {
    /// It reports this error. A failed write leaves old, new or damaged tear units behind; after a failed flush no
    /// later one makes durable what was cached. After `Gone` and `Timeout` the disk does not answer until it is
    /// opened anew.
    Fail(IoError),
    /// It reports success and does nothing: a lost write, a flush that lies, a read of noise.
    Lie,
    /// It happens at this sector instead, if the request fits there, and reports success. A flush is not affected.
    Misdirect(u64),
    /// It takes so many microseconds longer, and happens.
    Stall(u64),
}

/// The switches of one disk.
#[derive(Clone, Debug, Default)]
pub(super) struct Switches {
    /// Taken away, until it is brought back.
    pub(super) unplugged: bool,
    /// Stopped answering, until it is opened anew.
    pub(super) silent: bool,
    pub(super) read_only: bool,
    /// What the next requests of each [`IoKind`] are in for.
    coming: [Option<Coming>; 4],
    ambush: Option<Ambush>,
}

/// A failure that waits at certain places.
#[derive(Clone, Debug)]
struct Ambush {
    places: Vec<Range<u64>>,
    /// The flush after the write fails, and not the write.
    at_flush: bool,
    /// The write happened, the flush is to come.
    sprung: bool,
}

/// A mishap that is on its way.
#[derive(Clone, Copy, Debug)]
struct Coming {
    /// Requests that still go well.
    well: u64,
    /// Requests after them that do not.
    requests: u64,
    mishap: Mishap,
}

impl Switches {
    /// The disk is opened anew.
    pub(super) const fn reopen(&mut self) {
        self.silent = false;
    }

    /// Whether the disk answers.
    pub(super) const fn answers(&self) -> bool {
        !self.unplugged && !self.silent
    }

    /// After `well` more requests of this kind, the next `requests` go wrong in this way; 0 switches it off.
    pub(super) fn expect(&mut self, kind: IoKind, well: u64, requests: u64, mishap: Mishap) {
        self.coming[kind as usize] = (requests > 0).then_some(Coming { well, requests, mishap });
    }

    /// Nothing is on its way any more.
    pub(super) fn calm(&mut self) {
        (self.coming, self.ambush) = ([None; 4], None);
    }

    /// Whether no request is in for a mishap.
    pub(super) const fn is_calm(&self) -> bool {
        matches!(self.coming, [None, None, None, None]) && self.ambush.is_none()
    }

    /// The next write that begins in one of these places fails once, or the first flush after it.
    pub(super) fn wait_at(&mut self, places: Vec<Range<u64>>, at_flush: bool) {
        self.ambush = Some(Ambush { places, at_flush, sprung: false });
    }

    pub(super) const fn is_in_wait(&self) -> bool {
        self.ambush.is_some()
    }

    /// A write begins here; whether it is to fail.
    pub(super) fn meets_write(&mut self, lba: u64) -> bool {
        let Some(ambush) = &mut self.ambush else { return false };
        let is_there = ambush.places.iter().any(|place| place.contains(&lba));
        ambush.sprung |= is_there && ambush.at_flush;
        let fails = is_there && !ambush.at_flush;
        if fails {
            self.ambush = None;
        }
        fails
    }

    /// A flush begins; whether it is to fail.
    pub(super) fn meets_flush(&mut self) -> bool {
        self.ambush.take_if(|ambush| ambush.sprung).is_some()
    }

    /// What happens to the request that now begins.
    pub(super) fn next(&mut self, kind: IoKind) -> Option<Mishap> {
        let coming = &mut self.coming[kind as usize];
        let Coming { well, requests, mishap } = (*coming)?;
        if let Some(well) = well.checked_sub(1) {
            *coming = Some(Coming { well, requests, mishap });
            return None;
        }
        *coming = (requests > 1).then_some(Coming { well, requests: requests - 1, mishap });
        self.silent |= matches!(mishap, Mishap::Fail(IoError::Gone | IoError::Timeout));
        Some(mishap)
    }
}
