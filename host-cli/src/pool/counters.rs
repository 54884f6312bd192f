//! Counters that outlive the process: what the pool's own records say, and what was counted since it was opened.

use super::session::Session;
use dynamicfs_core::format::key::{Key, Kind};
use dynamicfs_core::format::record::{CountersRecord, POOL_COUNTERS};
use dynamicfs_core::metrics::DiskCounters;
use dynamicfs_core::types::ObjectId;

/// Bytes of a record.
const BYTES: usize = CountersRecord::<&[u8]>::BYTES;

/// What the disk at a place has done since the pool was made. One of which nothing can be read counts from zero.
pub(crate) fn totals(session: &mut Session<'_>, place: usize) -> DiskCounters {
    let health = session.pool.member_health(place);
    let mut totals = health.counters;
    if let Some(Ok(saved)) = health.member.map(|member| session.pool.saved_counters(member)) {
        totals.add(&saved);
    }
    totals
}

/// What the pool has done since it was made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PoolTotals {
    /// Fragments that could not be read or verified.
    pub(crate) fragment_failures: u64,
    /// Bad fragments that were rewritten.
    pub(crate) repairs: u64,
    /// Rebuilds.
    pub(crate) rebuilds: Rebuilds,
}

/// Rebuilds by how they ended.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rebuilds {
    /// Began, or began anew.
    pub(crate) started: u64,
    /// Put back all that was missing.
    pub(crate) succeeded: u64,
    /// Ended with something lost, or without disks or space for it.
    pub(crate) failed: u64,
}

/// The pool's own counters: in their record, failures of fragments stand where a member has its wrong checksums, and
/// rebuilds where it has its reads, writes and flushes.
pub(crate) fn pool_totals(session: &mut Session<'_>) -> PoolTotals {
    let live = session.pool.health().counters;
    let saved = session.pool.saved_counters(POOL_COUNTERS).unwrap_or_default();
    let new = session.rebuilds;
    let (succeeded, failed) = (saved.writes + new.succeeded, saved.flushes + new.failed);
    // The start of one that was killed was not counted.
    let started = (saved.reads + new.started).max(succeeded + failed);
    let rebuilds = Rebuilds { started, succeeded, failed };
    PoolTotals {
        fragment_failures: saved.checksum_errors + live.fragment_failures,
        repairs: saved.repairs + live.repairs,
        rebuilds,
    }
}

/// Records what members and pool have done, in a transaction of its own. Once, when the pool is left: the pool's own
/// counters are counted from when it was opened.
///
/// A pool that takes no writes keeps its old records: counters are never worth a failure.
pub(crate) fn save(session: &mut Session<'_>) {
    if !session.pool.health().writable {
        return;
    }
    let pool = encode(&pool_totals(session));
    let _ = session.change(|contents| {
        contents.save_counters()?;
        let key = Key::new(ObjectId::SYSTEM, Kind::Counters, u64::from(POOL_COUNTERS.0));
        Ok(contents.store.put(&key, &pool)?)
    });
}

fn encode(totals: &PoolTotals) -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    if let Some(mut record) = CountersRecord::new(&mut bytes[..]) {
        record.set_checksum_errors(totals.fragment_failures);
        record.set_repairs(totals.repairs);
        record.set_reads(totals.rebuilds.started);
        record.set_writes(totals.rebuilds.succeeded);
        record.set_flushes(totals.rebuilds.failed);
    }
    bytes
}
