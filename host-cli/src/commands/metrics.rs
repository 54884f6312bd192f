//! `metrics`: counters since the pool was made, and latencies since it was opened.

use crate::app::App;
use crate::host::times::now_rfc3339;
use crate::output::failure::{Exit, Failure};
use crate::output::report::Report;
use crate::output::text::{BOLD, Cell, Text};
use crate::pool::counters;
use crate::pool::meter::{Latency, latencies};
use crate::pool::open::{Access, with_pool};
use crate::pool::session::Session;
use dynamicfs_core::metrics::DiskCounters;
use dynamicfs_core::types::DiskIndex;
use schemars::JsonSchema;
use serde::Serialize;

/// Counters of a pool.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Metrics {
    /// When they were read, RFC 3339 in UTC.
    timestamp: String,
    /// All disks together.
    disk: DiskMetrics,
    /// Each disk.
    disks: Vec<NamedDisk>,
    /// The pool itself.
    pool: PoolMetrics,
    /// Rebuilding of what lost disks held.
    rebuild: RebuildMetrics,
}

/// Counters of a disk since the pool was made.
#[derive(Debug, Serialize, JsonSchema)]
struct DiskMetrics {
    /// Reads.
    reads: u64,
    /// Writes.
    writes: u64,
    /// Flushes.
    flushes: u64,
    /// Bytes read.
    read_bytes: u64,
    /// Bytes written.
    write_bytes: u64,
    /// What failed, by kind.
    errors: DiskErrors,
    /// How long requests took since the pool was opened, with the throughput.
    latency: Vec<Latency>,
}

/// What failed on a disk, by kind.
#[derive(Debug, Serialize, JsonSchema)]
struct DiskErrors {
    /// Reads that failed.
    read: u64,
    /// Writes that failed.
    write: u64,
    /// Flushes that failed.
    flush: u64,
    /// Reads of what had not been written.
    checksum: u64,
    /// Requests that timed out.
    timeout: u64,
}

/// Counters of one disk.
#[derive(Debug, Serialize, JsonSchema)]
struct NamedDisk {
    /// What the disk is called.
    name: String,
    /// Its number in the pool; null if it does not take part.
    member: Option<u16>,
    #[serde(flatten)]
    metrics: DiskMetrics,
}

/// Counters of the pool since it was made.
#[derive(Debug, Serialize, JsonSchema)]
struct PoolMetrics {
    /// Commits.
    commits: u64,
    /// Fragments that could not be read or verified.
    fragment_read_failures: u64,
    /// Bad fragments that were rewritten.
    read_repairs: u64,
    /// Bad fragments that wait to be rewritten.
    repairs_waiting: usize,
    /// Objects whose contents are still being freed.
    orphans: u32,
}

/// Rebuilding of what lost disks held, since the pool was made.
#[derive(Debug, Default, Serialize, JsonSchema)]
struct RebuildMetrics {
    /// Begun.
    started: u64,
    /// Finished with everything rebuilt.
    succeeded: u64,
    /// Finished with something that could not be.
    failed: u64,
}

pub(crate) fn run(app: &App) -> Result<Exit, Failure> {
    with_pool(app, Access::Read, |session| {
        app.out.report(&Metrics::of(session))?;
        Ok(Exit::Done)
    })
}

impl Metrics {
    fn of(session: &mut Session<'_>) -> Self {
        let totals: Vec<DiskCounters> =
            (0..session.places.len()).map(|place| counters::totals(session, place)).collect();
        let mut all = DiskCounters::default();
        totals.iter().for_each(|counters| all.add(counters));
        let disks =
            session.places.iter().zip(&totals).enumerate().map(|(number, (place, counters))| NamedDisk {
                name: place.entry.name.clone(),
                member: session.pool.member_health(DiskIndex(number)).member.map(|member| member.0),
                metrics: DiskMetrics::new(counters, latencies(std::iter::once(&*place.meter))),
            });
        let disks = disks.collect();
        let disk = DiskMetrics::new(&all, latencies(session.places.iter().map(|place| &*place.meter)));
        let health = session.pool.health();
        let pool = counters::pool_totals(session);
        Self {
            timestamp: now_rfc3339(),
            disk,
            disks,
            pool: PoolMetrics {
                commits: health.generation.0,
                fragment_read_failures: pool.fragment_failures,
                read_repairs: pool.repairs,
                repairs_waiting: health.repairs_waiting,
                orphans: health.orphans,
            },
            rebuild: RebuildMetrics {
                started: pool.rebuilds.started,
                succeeded: pool.rebuilds.succeeded,
                failed: pool.rebuilds.failed,
            },
        }
    }
}

impl DiskMetrics {
    fn new(counters: &DiskCounters, latency: Vec<Latency>) -> Self {
        Self {
            reads: counters.reads,
            writes: counters.writes,
            flushes: counters.flushes,
            read_bytes: counters.read_bytes,
            write_bytes: counters.write_bytes,
            errors: DiskErrors {
                read: counters.read_errors,
                write: counters.write_errors,
                flush: counters.flush_errors,
                checksum: counters.checksum_errors,
                timeout: counters.timeouts,
            },
            latency,
        }
    }

    fn row(&self, name: &str, text: &Text) -> Vec<Cell> {
        let errors = &self.errors;
        let failed = errors.read + errors.write + errors.flush;
        let sizes = [text.size(self.read_bytes), text.size(self.write_bytes)];
        let numbers = [self.reads, self.writes, self.flushes, failed, errors.checksum, errors.timeout]
            .map(|number| number.to_string());
        let [read_bytes, write_bytes] = sizes;
        let [reads, writes, flushes, failed, checksum, timeout] = numbers;
        [name.to_owned(), reads, read_bytes, writes, write_bytes, flushes, failed, checksum, timeout]
            .map(Cell::from)
            .into()
    }
}

impl Report for Metrics {
    fn text(&self, text: &mut Text) {
        let mut rows: Vec<_> = self.disks.iter().map(|disk| disk.metrics.row(&disk.name, text)).collect();
        rows.push(self.disk.row("all", text));
        let head = ["DISK", "READS", "READ", "WRITES", "WRITTEN", "FLUSHES", "FAILED", "CHECKSUM", "TIMEOUT"];
        text.table(&head, &[1, 2, 3, 4, 5, 6, 7, 8], &rows);
        text.line("");
        let pool = &self.pool;
        text.line(format_args!("{BOLD}commits{BOLD:#} {}", pool.commits));
        text.line(format_args!(
            "{BOLD}repairs{BOLD:#} {} fragments could not be read or verified, {} rewritten, {} waiting",
            pool.fragment_read_failures, pool.read_repairs, pool.repairs_waiting
        ));
        let RebuildMetrics { started, succeeded, failed } = self.rebuild;
        text.line(format_args!(
            "{BOLD}rebuilds{BOLD:#} {started} started, {succeeded} succeeded, {failed} failed"
        ));
    }
}
