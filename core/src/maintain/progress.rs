//! What this mount knows of its maintenance beyond the records: how far jobs are, what was tried. None of it
//! has to outlive the mount.

use crate::format::job::{Job, JobKind};
use crate::types::{Row, Set};

/// Windows full of data that one step of a job reads or moves, unless it is told otherwise.
const WINDOWS_PER_STEP: u64 = 16;

/// What this mount knows of its maintenance.
#[derive(Debug)]
pub struct Progress {
    /// A job that is further than its record says.
    pub(super) ahead: Option<Job>,
    /// The last rebuild of this mount.
    pub(super) tried: Option<Tried>,
    /// Bytes that a step of a job reads or moves, about.
    pub(super) step_bytes: u64,
    /// Members with too many errors that stay in use all the same, and how often the members had changed when
    /// that was decided.
    pub(super) kept: (Set<Row>, u32),
}

impl Progress {
    /// Of a pool that has just been mounted, with a window of so many bytes.
    pub const fn new(window_bytes: usize) -> Self {
        let step_bytes = WINDOWS_PER_STEP * window_bytes as u64;
        Self { ahead: None, tried: None, step_bytes, kept: (Set::EMPTY, 0) }
    }

    /// Lets a step of a job read or move at most about this many bytes.
    pub(crate) const fn set_step_bytes(&mut self, bytes: u64) {
        self.step_bytes = bytes;
    }

    /// The job of this kind, if it is further than its record says.
    pub(super) fn ahead_of_record(&self, kind: JobKind) -> Option<Job> {
        self.ahead.filter(|job| job.kind == kind)
    }
}

/// A rebuild that came to its end: when another one is tried without being asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tried {
    /// How often the members had changed.
    pub(super) changes: u32,
    /// Blocks that are not in use, from which on it may find more space than it did.
    pub(super) room: u64,
    /// How many more blocks than before that are: twice as many after each try that put nothing right, so that
    /// there is an end.
    pub(super) patience: u64,
}

impl Tried {
    /// Whatever the space.
    pub(super) const NEVER: Self = Self { changes: 0, room: u64::MAX, patience: Self::PATIENCE };
    /// Blocks that the first try waits for.
    pub(super) const PATIENCE: u64 = 8;
}
