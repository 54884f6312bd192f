//! What is known of one disk.

use super::condition::{Condition, Window};
use super::events::Event;
use super::latency;
use crate::format::label::DiskIdentity;
use crate::limits::EVENTS_PER_DISK;
use crate::metrics::DiskCounters;
use crate::observed::{AtRest, Observed};
use crate::types::{Epoch, Generation};
use dynamicfs_hal::{IoError, Operation, Request};

/// What a disk of the array is to the pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum DiskStatus {
    /// There is no disk, or it does not answer.
    #[default]
    Gone,
    /// It has no label, or a damaged one.
    Unlabelled,
    /// It belongs to another pool, or was removed from this one.
    Foreign,
    /// A member that is shorter than its label says: an image that was cut, a disk behind another bridge. A
    /// mount for reading uses what there is of it; one for writing leaves it alone.
    Truncated,
    /// A member whose sectors are larger here than its pool's layout allows: it is behind another bridge than
    /// it was.
    LargeSectors,
    /// A member that takes part.
    Online,
    /// A member that failed after the mount: out of use until the next one.
    Failed,
    /// A member that the operator took out of use.
    Excluded,
    /// It holds another history of the pool, which was given up: it is neither read nor written, and comes
    /// back only as a new member.
    Diverged,
}

/// How far a member was when the pool was mounted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Currency {
    /// It has the newest state, or was being given it when the power went.
    #[default]
    Current,
    /// It missed commits while it was away.
    Stale,
    /// It has lost commits that it had acknowledged.
    RolledBack,
}

/// The states of the disks.
#[cfg(feature = "multi")]
pub(super) type States = [DiskState];
/// The state of the only disk.
#[cfg(not(feature = "multi"))]
pub(super) type States = [DiskState; 1];

/// The states of so many disks.
#[cfg(feature = "multi")]
#[expect(
    clippy::indexing_slicing,
    reason = "the caller has compared what was lent with the disks of the array"
)]
pub(super) fn first(states: &mut [DiskState], disks: usize) -> &mut States {
    &mut states[..disks]
}

/// The state of the only disk.
#[cfg(not(feature = "multi"))]
#[expect(
    clippy::expect_used,
    reason = "the caller has compared what was lent with the disks of the array, at least one"
)]
pub(super) fn first(states: &mut [DiskState], _: usize) -> &mut States {
    states.first_chunk_mut().expect("a state for the only disk")
}

/// The state of one disk of the array, in memory that the caller lends.
#[derive(Clone, Copy, Debug)]
pub struct DiskState {
    pub(crate) status: DiskStatus,
    pub(crate) currency: Currency,
    pub(crate) identity: Option<DiskIdentity>,
    /// Blocks that may be allocated, by its record; by its label before that was read.
    pub(crate) blocks: u64,
    /// It is shorter than it was, by its label or by its record.
    pub(crate) is_cut: bool,
    /// What lay at its end is gone, though it has its size: it was cut, and enlarged again. Nothing on it is
    /// trusted, until a commit has written that down.
    pub(crate) lost_end: bool,
    /// The row in the member table, while the disk is a member.
    pub(crate) row: u8,
    pub(super) sector_shift: u8,
    /// The label names features without which the pool may be read and not written.
    pub(crate) must_not_write: bool,
    /// Written to since the last flush.
    pub(crate) unflushed: bool,
    /// The disk's last superblock write.
    pub(crate) sequence: u64,
    /// That of the superblock before it, 0 if it is not known.
    pub(crate) previous: u64,
    /// The highest epoch reserved on the disk.
    pub(crate) claim: Epoch,
    /// The newest state on the disk: its order, the checksum of its root, and as the mount found it its
    /// history.
    pub(crate) order: (Epoch, Generation),
    pub(crate) branch: u64,
    pub(crate) root_crc: u32,
    /// The checksum of the first root of its epoch, as the mount found it.
    pub(crate) first_root_crc: u32,
    /// The checksum of the root from which the last mount went on that claimed an epoch on it.
    pub(crate) claim_root_crc: u32,
    /// The mount found no other disk that has been in that state: whether the history went through it is not
    /// known.
    pub(crate) is_unconfirmed: bool,
    /// Nor is it known to have taken part in a mount of this history: it may be a disk of a copy of the pool.
    pub(crate) may_be_copied: bool,
    /// Its history is given up by this mount, if that writes.
    pub(crate) is_left_out: bool,
    /// A mount claimed an epoch on this disk after it had lost what it had acknowledged, and no commit has
    /// said so since.
    pub(crate) is_rolled_back: bool,
    /// The disk may hold a newer state than is known, or may not keep the one that it shows. A place for
    /// superblocks could not be read when the pool was mounted, or a flush failed.
    pub(crate) may_hold_more: bool,
    /// A place for superblocks could be read in neither ring when the pool was mounted.
    pub(crate) has_lost_slot: bool,
    /// A place for superblocks could not be read in one of them, or held none.
    pub(crate) has_damaged_slot: bool,
    /// A write or flush found no room in what the disk is stored in, since that was last asked.
    pub(super) lacks_room: bool,
    /// What stands where its next superblock goes is to be looked at more closely.
    pub(crate) is_suspect: bool,
    /// When that place was last looked at or written, in microseconds of the clock; 0 if that is not known.
    pub(crate) seen: u64,
    pub(crate) watched: Observed<Watched>,
    pub(crate) last_error: Option<IoError>,
}

/// What is counted and measured of one disk, and what follows from that.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watched {
    /// What it has done since the mount, or since its counters were saved.
    pub(crate) counters: DiskCounters,
    /// How much of that is in the record that the open transaction saves.
    pub(crate) saved: DiskCounters,
    /// Moving average of a read's time in microseconds, times 16, and of how many reads, up to 255.
    pub(in crate::disks) latency: u32,
    pub(in crate::disks) samples: u8,
    /// The median of the others' in microseconds, 0 if that is not known.
    pub(in crate::disks) others: u32,
    /// It is at a read that was given up, as far as is known.
    pub(in crate::disks) is_late: bool,
    /// Errors of late, and what follows from them.
    pub(in crate::disks) window: Window,
    pub(crate) condition: Condition,
    /// A part of the events that wait to be taken, of whatever disk.
    pub(in crate::disks) events: [Event; EVENTS_PER_DISK],
}

impl Watched {
    const NEW: Self = Self {
        counters: DiskCounters::NEW,
        saved: DiskCounters::NEW,
        latency: 0,
        samples: 0,
        others: 0,
        is_late: false,
        window: Window::NEW,
        condition: Condition::Healthy,
        events: [Event::NONE; EVENTS_PER_DISK],
    };
}

impl Watched {
    /// Counts a request, and measures a read. `micros` is how long it took, as far as that is known without
    /// the array's word.
    pub(super) fn observe(&mut self, request: &Request<'_>, micros: u64) {
        let counters = &mut self.counters;
        let bytes = |buf: &[u8]| if request.result.is_err() { 0 } else { buf.len() as u64 };
        let (count, errors) = match &request.operation {
            Operation::Read(buf) => {
                counters.read_bytes += bytes(buf);
                let measured = if request.micros > 0 { request.micros.into() } else { micros };
                // How long a read takes that was given up comes with its outcome.
                if request.result != Err(IoError::Late) {
                    latency::measure(&mut self.latency, &mut self.samples, measured);
                }
                (&mut counters.reads, &mut counters.read_errors)
            }
            Operation::Write(buf) | Operation::WriteDurable(buf) => {
                counters.write_bytes += bytes(buf);
                (&mut counters.writes, &mut counters.write_errors)
            }
            Operation::Flush => (&mut counters.flushes, &mut counters.flush_errors),
            Operation::Discard(_) => return,
        };
        *count += 1;
        *errors += u64::from(request.result.is_err_and(|error| error != IoError::Late));
        self.is_late = request.result == Err(IoError::Late);
    }
}

impl AtRest for Watched {
    const AT_REST: &'static Self = &Self::NEW;
}

impl DiskState {
    /// A state to fill an array with.
    pub const NEW: Self = Self {
        status: DiskStatus::Gone,
        currency: Currency::Current,
        identity: None,
        blocks: 0,
        is_cut: false,
        lost_end: false,
        row: 0,
        sector_shift: 9,
        must_not_write: false,
        unflushed: false,
        sequence: 0,
        previous: 0,
        claim: Epoch(0),
        order: (Epoch(0), Generation(0)),
        branch: 0,
        root_crc: 0,
        first_root_crc: 0,
        claim_root_crc: 0,
        is_unconfirmed: false,
        may_be_copied: false,
        is_left_out: false,
        is_rolled_back: false,
        may_hold_more: false,
        has_lost_slot: false,
        has_damaged_slot: false,
        lacks_room: false,
        is_suspect: false,
        seen: 0,
        watched: Observed::new(Watched::NEW),
        last_error: None,
    };
}

impl DiskState {
    /// What the disk is stored in had no room for a write or a flush, or the system refused it. The disk is
    /// not to blame: what was being written fails.
    pub(super) fn note_refused(&mut self, operation: &Operation<'_>, error: IoError) {
        if let Operation::Read(_) = operation {
            return;
        }
        match operation {
            Operation::Flush => self.may_hold_more = true,
            Operation::Discard(_) => return,
            _ => self.unflushed = true,
        }
        if self.status == DiskStatus::Online {
            self.lacks_room = true;
            // One that is out of use keeps the error that it is out of use for.
            self.last_error = Some(error);
        }
    }
}

impl Default for DiskState {
    fn default() -> Self {
        Self::NEW
    }
}
