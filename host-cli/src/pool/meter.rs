//! How long the requests to a disk take, while the pool is open.

use dynamicfs_hal::{BlockDevice, Geometry};
use schemars::JsonSchema;
use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Upper ends of the histogram's buckets in microseconds, a factor of four apart; what takes longer is in the last one.
const BUCKETS_MICROS: [u64; 10] = [16, 64, 256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304];

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Op {
    /// Bytes from the disk.
    Read,
    /// Bytes to the disk.
    Write,
    /// Everything written before made durable.
    Flush,
}

const OPS: [Op; 3] = [Op::Read, Op::Write, Op::Flush];

/// The times of one disk's requests.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    kinds: [Kind; 3],
}

#[derive(Debug, Default)]
struct Kind {
    micros: AtomicU64,
    bytes: AtomicU64,
    buckets: [AtomicU64; BUCKETS_MICROS.len() + 1],
}

/// A disk whose requests are timed.
#[derive(Debug)]
pub(crate) struct Metered<D> {
    disk: D,
    meter: Arc<Meter>,
}

impl<D> Metered<D> {
    pub(crate) const fn new(disk: D, meter: Arc<Meter>) -> Self {
        Self { disk, meter }
    }

    fn time<T>(&mut self, op: Op, bytes: usize, f: impl FnOnce(&mut D) -> T) -> T {
        let began = Instant::now();
        let done = f(&mut self.disk);
        self.meter.observe(op, bytes as u64, began.elapsed());
        done
    }
}

impl<D: BlockDevice> BlockDevice for Metered<D> {
    type Error = D::Error;

    fn geometry(&self) -> Geometry {
        self.disk.geometry()
    }
    fn read(&mut self, lba: u64, buf: &mut [u8]) -> Result<(), D::Error> {
        self.time(Op::Read, buf.len(), |disk| disk.read(lba, buf))
    }
    fn write(&mut self, lba: u64, buf: &[u8]) -> Result<(), D::Error> {
        self.time(Op::Write, buf.len(), |disk| disk.write(lba, buf))
    }
    fn flush(&mut self) -> Result<(), D::Error> {
        self.time(Op::Flush, 0, BlockDevice::flush)
    }
    fn write_durable(&mut self, lba: u64, buf: &[u8]) -> Result<(), D::Error> {
        self.time(Op::Write, buf.len(), |disk| disk.write_durable(lba, buf))
    }
    fn discard(&mut self, lba: u64, sectors: u64) -> Result<(), D::Error> {
        self.disk.discard(lba, sectors)
    }
}

impl Meter {
    fn observe(&self, op: Op, bytes: u64, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BUCKETS_MICROS.iter().position(|&end| micros <= end).unwrap_or(BUCKETS_MICROS.len());
        let kind = &self.kinds[op as usize];
        kind.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        kind.micros.fetch_add(micros, Ordering::Relaxed);
        kind.bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// How long the requests of one kind took since the pool was opened.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Latency {
    /// The kind.
    op: Op,
    /// Requests.
    count: u64,
    /// Seconds that all of them took together.
    sum_seconds: f64,
    /// Bytes in each of these seconds; null where no byte was moved.
    bytes_per_second: Option<u64>,
    /// How many took how long at most; each request counts in one bucket.
    buckets: Vec<Bucket>,
}

/// Requests that took longer than the bucket before, and not longer than this.
#[derive(Debug, Serialize, JsonSchema)]
struct Bucket {
    /// The longest, in seconds; null for all that took longer.
    le_seconds: Option<f64>,
    /// How many.
    count: u64,
}

/// The times of the requests to some disks together.
pub(crate) fn latencies<'m>(meters: impl Iterator<Item = &'m Meter> + Clone) -> Vec<Latency> {
    let total = |read: &dyn Fn(&Meter) -> &AtomicU64| {
        meters.clone().map(|meter| read(meter).load(Ordering::Relaxed)).sum::<u64>()
    };
    let latency = |op: Op| {
        let (micros, bytes) = (
            total(&|meter| &meter.kinds[op as usize].micros),
            total(&|meter| &meter.kinds[op as usize].bytes),
        );
        let ends = BUCKETS_MICROS.iter().map(|&end| Some(end as f64 / 1e6)).chain([None]);
        let bucket = |(number, le_seconds)| Bucket {
            le_seconds,
            count: total(&|meter| &meter.kinds[op as usize].buckets[number]),
        };
        let buckets: Vec<Bucket> = ends.enumerate().map(bucket).collect();
        Latency {
            op,
            count: buckets.iter().map(|bucket| bucket.count).sum(),
            sum_seconds: micros as f64 / 1e6,
            bytes_per_second: (bytes > 0).then(|| (bytes as f64 / (micros.max(1) as f64 / 1e6)) as u64),
            buckets,
        }
    };
    OPS.into_iter().map(latency).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_how_long_they_took() {
        let meter = Meter::default();
        meter.observe(Op::Read, 4096, Duration::from_micros(16));
        meter.observe(Op::Read, 4096, Duration::from_micros(17));
        meter.observe(Op::Flush, 0, Duration::from_secs(60));
        let [reads, writes, flushes] = &latencies([&meter].into_iter())[..] else { panic!("three kinds") };
        assert_eq!((reads.count, reads.buckets[0].count, reads.buckets[1].count), (2, 1, 1));
        assert_eq!((writes.count, writes.bytes_per_second), (0, None));
        assert_eq!(flushes.buckets.last().map(|bucket| bucket.count), Some(1));
    }
}
