//! Counters that outlive the process: what the pool's own records say, and what was counted since it was opened.

use super::session::Session;
use crate::output::failure::Failure;
use dynamicfs_core::maintenance::POOL_COUNTERS;
use dynamicfs_core::metrics::DiskCounters;
use dynamicfs_core::types::DiskIndex;
use dynamicfs_hal::Clock;
use std_host_shim::OsClock;

/// What the disk at a place has done since the pool was made. A counter that cannot be read counts from zero.
pub(crate) fn totals(session: &mut Session<'_>, place: usize) -> DiskCounters {
    let health = session.pool.member_health(DiskIndex(place));
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
    /// Reads that met lost contents, though every disk that holds some of them was there.
    pub(crate) lost_reads: u64,
    /// When the last of them was, in seconds since 1970; 0 if there was none.
    pub(crate) lost_read_at: u64,
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

/// The pool's own counters. Their record uses the fields of a member's record for other counts:
///
/// | field | count |
/// |---|---|
/// | wrong checksums | failures of fragments |
/// | reads, writes, flushes | rebuilds: started, succeeded, failed |
/// | failed reads | reads of lost contents |
/// | bytes read | when the last of those was |
pub(crate) fn pool_totals(session: &mut Session<'_>) -> PoolTotals {
    let live = session.pool.health().counters;
    let saved = session.pool.saved_counters(POOL_COUNTERS).unwrap_or_default();
    let new = session.rebuilds;
    let (succeeded, failed) = (saved.writes + new.succeeded, saved.flushes + new.failed);
    // The start of one that was killed was not counted.
    let started = (saved.reads + new.started).max(succeeded + failed);
    let rebuilds = Rebuilds { started, succeeded, failed };
    let lost_reads = if live.unreadable > 0 && is_all_here(session) { live.unreadable } else { 0 };
    let now = OsClock::new().now().seconds.max(0) as u64;
    PoolTotals {
        lost_reads: saved.read_errors + lost_reads,
        lost_read_at: if lost_reads > 0 { now } else { saved.read_bytes },
        fragment_failures: saved.checksum_errors + live.fragment_failures,
        repairs: saved.repairs + live.repairs,
        rebuilds,
    }
}

/// Whether no extent lacks more disks than it bears to lack: what cannot be read all the same is damaged.
fn is_all_here(session: &mut Session<'_>) -> bool {
    session.pool.count_extents().is_ok_and(|extents| extents.unreadable == 0)
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
        Ok(contents.put_counters(POOL_COUNTERS, &pool)?)
    });
}

/// Records that a read met lost contents, in a transaction of its own. The disks' own counts are left alone.
/// Their errors count when they are repaired, and a place that stays bad must not count with each read.
pub(crate) fn save_lost_read(session: &mut Session<'_>) -> Result<(), Failure> {
    let pool = encode(&pool_totals(session));
    let mut transaction = session.pool.begin()?;
    transaction.put_counters(POOL_COUNTERS, &pool)?;
    transaction.commit()?;
    Ok(())
}

fn encode(totals: &PoolTotals) -> DiskCounters {
    DiskCounters {
        checksum_errors: totals.fragment_failures,
        repairs: totals.repairs,
        reads: totals.rebuilds.started,
        writes: totals.rebuilds.succeeded,
        flushes: totals.rebuilds.failed,
        read_errors: totals.lost_reads,
        read_bytes: totals.lost_read_at,
        ..DiskCounters::default()
    }
}
