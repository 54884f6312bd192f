//! What is read of an extent in one pass.

use super::extents::Found;
use crate::limits::DATA_FRAGMENTS_MAX;
use crate::types::{Column, FragmentIndex};

/// Chunks of one fragment that are read together: straight into a part of the buffer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    /// The fragment that is wanted.
    pub(super) fragment: FragmentIndex,
    /// The one that is read: another replica of it, or itself.
    pub(super) source: FragmentIndex,
    pub(super) first: Column,
    pub(super) count: usize,
    /// Where in the buffer.
    pub(super) at: usize,
    pub(super) bytes: usize,
    pub(super) good: bool,
    /// It is better computed than read, or read elsewhere: its disk makes errors, is many times slower than
    /// the others, or late.
    pub(super) avoided: bool,
}

impl Segment {
    /// Chunks of a fragment that are read from itself, to the beginning of a buffer.
    pub(super) const fn of(fragment: FragmentIndex, first: Column, count: usize, bytes: usize) -> Self {
        Self { fragment, source: fragment, first, count, at: 0, bytes, good: false, avoided: false }
    }

    /// Its columns, and those behind them.
    pub(super) fn columns(&self) -> impl Iterator<Item = Column> + use<> {
        (self.first.0..).map(Column)
    }

    /// The column behind its last.
    pub(super) fn end(&self) -> Column {
        self.first + self.count
    }
}

/// An extent that is read, with its checksums at hand.
#[derive(Clone, Copy)]
pub(super) struct Reading<'f> {
    pub(super) found: &'f Found,
    /// The column with whose checksums the piece buffer begins.
    pub(super) from: Column,
    /// What takes too long at this attempt is given up where others can answer; at
    /// [`PATIENT`](crate::disks::select::PATIENT) nothing is.
    pub(super) attempt: u32,
}

/// Segments of one pass: the data fragments of a stripe, or the parts of a replica that different disks read.
pub(super) type Segments = heapless::Vec<Segment, DATA_FRAGMENTS_MAX>;
