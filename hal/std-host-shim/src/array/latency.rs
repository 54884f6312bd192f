//! How long requests take: what decides whether threads are worth their cost.

use std::time::Duration;

use dynamicfs_hal::Operation;

/// Bytes that a request to the system's cache moves in a nanosecond: 3 for pages it has not seen, 10 for those it has.
const BYTES_PER_NANO: u64 = 4;

/// The index of reads among the kinds of operations.
const READ: usize = 0;

/// A new measurement counts one in this many.
const SMOOTHING: u64 = 8;

/// What a disk's requests recently took, in nanoseconds beyond moving their bytes. It is next to nothing
/// where the system's cache or a file in memory answers, and milliseconds on a disk that turns.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Latency {
    /// One for each kind of operation.
    beyond: [u64; 5],
}

impl Latency {
    /// What an operation will probably take, in nanoseconds.
    pub(super) fn expected(&self, operation: &Operation<'_>) -> u64 {
        let (kind, bytes) = parts(operation);
        moving(bytes) + self.beyond[kind]
    }

    /// How long a read takes beyond moving its bytes.
    pub(super) const fn of_reads(&self) -> Duration {
        Duration::from_nanos(self.beyond[READ])
    }

    /// Learns from an operation that took this long.
    pub(super) fn observe(&mut self, operation: &Operation<'_>, took: Duration) {
        let (kind, bytes) = parts(operation);
        self.learn(kind, bytes, took);
    }

    /// Learns from a read of so many bytes.
    pub(super) fn observe_read(&mut self, bytes: usize, took: Duration) {
        self.learn(READ, bytes, took);
    }

    fn learn(&mut self, kind: usize, bytes: usize, took: Duration) {
        let took = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX).saturating_sub(moving(bytes));
        let beyond = &mut self.beyond[kind];
        *beyond = *beyond - *beyond / SMOOTHING + took / SMOOTHING;
    }
}

/// The kind of an operation, as an index, and the bytes that it moves.
fn parts(operation: &Operation<'_>) -> (usize, usize) {
    match operation {
        Operation::Read(buf) => (READ, buf.len()),
        Operation::Write(buf) => (1, buf.len()),
        Operation::WriteDurable(buf) => (2, buf.len()),
        Operation::Flush => (3, 0),
        Operation::Discard(_) => (4, 0),
    }
}

/// Nanoseconds in which the system's cache moves so many bytes.
fn moving(bytes: usize) -> u64 {
    bytes as u64 / BYTES_PER_NANO
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn learns_what_each_kind_of_operation_takes() {
        let mut latency = Latency::default();
        let buf = [0; 4096];
        let (flush, write) = (Operation::Flush, Operation::Write(&buf));
        assert_eq!(latency.expected(&flush), 0);
        assert_eq!(latency.expected(&write), 1024);
        for _ in 0..50 {
            latency.observe(&flush, Duration::from_millis(8));
            latency.observe(&write, Duration::from_nanos(1324));
        }
        assert!((7_900_000..=8_000_000).contains(&latency.expected(&flush)));
        assert!((1280..=1324).contains(&latency.expected(&write)));

        // One flush that hits nothing is forgiven, many are believed.
        latency.observe(&flush, Duration::ZERO);
        assert!(latency.expected(&flush) > 6_000_000);
        for _ in 0..100 {
            latency.observe(&flush, Duration::ZERO);
        }
        assert!(latency.expected(&flush) < 50_000);
    }

    #[test]
    fn absurd_durations_do_not_overflow() {
        let mut latency = Latency::default();
        for _ in 0..100 {
            latency.observe(&Operation::Flush, Duration::MAX);
        }
        latency.observe(&Operation::Flush, Duration::ZERO);
    }
}
