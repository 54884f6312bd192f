//! Simulated time: it passes when disks work, and only then.

use dynamicfs_hal::{Clock, Operation, UnixTime};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// When simulated worlds begin, in seconds since 1970.
const BEGINNING: i64 = 1_700_000_000;

/// How long one disk takes for what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    /// Microseconds of every request.
    pub request_us: u32,
    /// Nanoseconds of every KiB that is read or written.
    pub kib_ns: u32,
    /// Microseconds of a flush, or of a write that is durable at once, on top.
    pub flush_us: u32,
}

impl Latency {
    /// A disk that takes no time.
    pub const NONE: Self = Self { request_us: 0, kib_ns: 0, flush_us: 0 };
    /// A solid-state disk on NVMe.
    pub const NVME: Self = Self { request_us: 70, kib_ns: 400, flush_us: 300 };
    /// A hard disk: a seek and half a turn.
    pub const HARD_DISK: Self = Self { request_us: 8_000, kib_ns: 6_000, flush_us: 16_000 };
    /// An SD card on a fast bus.
    pub const SD_CARD: Self = Self { request_us: 900, kib_ns: 50_000, flush_us: 5_000 };

    /// Microseconds that an operation takes.
    pub fn of(&self, operation: &Operation<'_>) -> u64 {
        let (bytes, flush) = match operation {
            Operation::Read(buf) => (buf.len(), 0),
            Operation::Write(bytes) => (bytes.len(), 0),
            Operation::WriteDurable(bytes) => (bytes.len(), self.flush_us),
            Operation::Flush => (0, self.flush_us),
            Operation::Discard(_) => (0, 0),
        };
        let transfer_ns = bytes as u64 * u64::from(self.kib_ns) / 1024;
        u64::from(self.request_us) + u64::from(flush) + transfer_ns / 1000
    }
}

/// The time of one world. Handles share it; a fork of the world has a time of its own, which continues from
/// here.
#[derive(Debug, Default)]
pub(crate) struct WorldTime {
    micros: Arc<AtomicU64>,
    is_hidden: bool,
}

impl Clone for WorldTime {
    fn clone(&self) -> Self {
        Self { micros: Arc::new(AtomicU64::new(self.micros())), is_hidden: self.is_hidden }
    }
}

impl WorldTime {
    pub(crate) fn micros(&self) -> u64 {
        self.micros.load(Ordering::Relaxed)
    }

    pub(crate) fn pass(&self, micros: u64) {
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// Time passes as before, and no clock shows it.
    pub(crate) const fn hide(&mut self) {
        self.is_hidden = true;
    }

    pub(crate) fn clock(&self) -> SimClock {
        SimClock((!self.is_hidden).then(|| self.micros.clone()))
    }
}

/// Reads the time of a simulated world while the world is lent to a pool; of one without a clock it reads
/// nothing.
#[derive(Clone, Debug)]
pub struct SimClock(Option<Arc<AtomicU64>>);

impl Clock for SimClock {
    fn now(&self) -> UnixTime {
        if self.0.is_none() {
            return UnixTime::default();
        }
        let micros = self.monotonic_micros();
        UnixTime {
            seconds: BEGINNING + (micros / 1_000_000) as i64,
            nanoseconds: (micros % 1_000_000) as u32 * 1000,
        }
    }

    fn monotonic_micros(&self) -> u64 {
        self.0.as_ref().map_or(0, |micros| micros.load(Ordering::Relaxed))
    }
}
