//! Counters, as plain structs.

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
    /// Adds another's numbers.
    pub fn add(&mut self, other: &Self) {
        self.reads += other.reads;
        self.read_bytes += other.read_bytes;
        self.writes += other.writes;
        self.write_bytes += other.write_bytes;
        self.flushes += other.flushes;
        self.read_errors += other.read_errors;
        self.write_errors += other.write_errors;
        self.flush_errors += other.flush_errors;
        self.checksum_errors += other.checksum_errors;
        self.timeouts += other.timeouts;
        self.repairs += other.repairs;
    }
}

/// What the pool has done since it was mounted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
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
    /// Extents that were reconstructed to be read.
    pub decodes: u64,
    /// Bad fragments and nodes that were rewritten.
    pub repairs: u64,
    /// Sweeps finished.
    pub sweeps: u64,
}
