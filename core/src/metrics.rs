//! Counters, as plain structs.

use crate::observed::AtRest;

/// What one disk has done since it was mounted, or, added up with what its record says, since the pool was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct DiskCounters {
    /// Reads.
    pub reads: u64,
    /// Bytes read.
    pub read_bytes: u64,
    /// Writes.
    pub writes: u64,
    /// Bytes written.
    pub write_bytes: u64,
    /// Flushes.
    pub flushes: u64,
    /// Reads that failed.
    pub read_errors: u64,
    /// Writes that failed.
    pub write_errors: u64,
    /// Flushes that failed.
    pub flush_errors: u64,
    /// Reads of what had not been written: a wrong checksum.
    pub checksum_errors: u64,
    /// Requests that timed out.
    pub timeouts: u64,
    /// Fragments and nodes that were rewritten because a read found them bad.
    pub repairs: u64,
}

impl DiskCounters {
    /// Nothing done yet.
    pub const NEW: Self = Self {
        reads: 0,
        read_bytes: 0,
        writes: 0,
        write_bytes: 0,
        flushes: 0,
        read_errors: 0,
        write_errors: 0,
        flush_errors: 0,
        checksum_errors: 0,
        timeouts: 0,
        repairs: 0,
    };

    /// The same without the errors.
    #[must_use]
    pub const fn without_errors(&self) -> Self {
        Self { read_errors: 0, write_errors: 0, flush_errors: 0, checksum_errors: 0, timeouts: 0, ..*self }
    }

    /// What was done since an earlier moment.
    pub fn since(&self, earlier: &Self) -> Self {
        let mut rest = *self;
        rest.combine(earlier, u64::saturating_sub);
        rest
    }

    /// Adds another's numbers.
    pub fn add(&mut self, other: &Self) {
        self.combine(other, u64::saturating_add);
    }

    fn combine(&mut self, other: &Self, with: impl Fn(u64, u64) -> u64) {
        self.reads = with(self.reads, other.reads);
        self.read_bytes = with(self.read_bytes, other.read_bytes);
        self.writes = with(self.writes, other.writes);
        self.write_bytes = with(self.write_bytes, other.write_bytes);
        self.flushes = with(self.flushes, other.flushes);
        self.read_errors = with(self.read_errors, other.read_errors);
        self.write_errors = with(self.write_errors, other.write_errors);
        self.flush_errors = with(self.flush_errors, other.flush_errors);
        self.checksum_errors = with(self.checksum_errors, other.checksum_errors);
        self.timeouts = with(self.timeouts, other.timeouts);
        self.repairs = with(self.repairs, other.repairs);
    }
}

/// What the pool has done since it was mounted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct PoolCounters {
    /// Commits that were acknowledged.
    pub commits: u64,
    /// Superblock steps that they took: one each, two more where the members changed.
    pub superblock_steps: u64,
    /// Tree nodes written, each counted once whatever its replicas.
    pub nodes_written: u64,
    /// Tree nodes read from a disk.
    pub nodes_read: u64,
    /// Extents written.
    pub extents_written: u64,
    /// Fragments that could not be read or verified.
    pub fragment_failures: u64,
    /// Reads of contents that found too few fragments.
    pub unreadable: u64,
    /// Extents that were reconstructed to be read.
    pub decodes: u64,
    /// Reads that were given up because the disk took too long, for the sake of others that can answer.
    pub hedged_reads: u64,
    /// Bad fragments and nodes that were rewritten.
    pub repairs: u64,
    /// Sweeps finished.
    pub sweeps: u64,
}

impl PoolCounters {
    /// Nothing done yet.
    pub const NEW: Self = Self {
        commits: 0,
        superblock_steps: 0,
        nodes_written: 0,
        nodes_read: 0,
        extents_written: 0,
        fragment_failures: 0,
        unreadable: 0,
        decodes: 0,
        hedged_reads: 0,
        repairs: 0,
        sweeps: 0,
    };
}

impl AtRest for PoolCounters {
    const AT_REST: &'static Self = &Self::NEW;
}
