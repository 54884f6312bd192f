//! Counters that outlive the process: what the pool's own records say, and what was counted since it was opened.

use super::session::Session;
use dynamicfs_core::format::key::{Key, Kind};
use dynamicfs_core::format::record::{CountersRecord, POOL_COUNTERS};
use dynamicfs_core::metrics::DiskCounters;
use dynamicfs_core::types::{MemberNumber, ObjectId};

/// Bytes of a record.
const BYTES: usize = CountersRecord::<&[u8]>::BYTES;

fn key(member: MemberNumber) -> Key {
    Key::new(ObjectId::SYSTEM, Kind::Counters, u64::from(member.0))
}

/// What the disk at a place has done since the pool was made.
pub(crate) fn totals(session: &mut Session<'_>, place: usize) -> DiskCounters {
    let health = session.pool.member_health(place);
    let mut totals = health.counters;
    if let Some(member) = health.member {
        totals.add(&saved(session, member));
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
}

/// The pool's own counters: in their record, failures of fragments stand where a member has its wrong checksums.
pub(crate) fn pool_totals(session: &mut Session<'_>) -> PoolTotals {
    let live = session.pool.health().counters;
    let saved = saved(session, POOL_COUNTERS);
    PoolTotals {
        fragment_failures: saved.checksum_errors + live.fragment_failures,
        repairs: saved.repairs + live.repairs,
    }
}

/// What is recorded of a member. One of which nothing can be read counts from zero.
fn saved(session: &mut Session<'_>, member: MemberNumber) -> DiskCounters {
    let read =
        session.pool.store.tree.with(&key(member), |record| Some(counters(&CountersRecord::new(record?)?)));
    read.ok().flatten().unwrap_or_default()
}

fn counters(record: &CountersRecord<&[u8]>) -> DiskCounters {
    DiskCounters {
        reads: record.reads(),
        read_bytes: record.read_bytes(),
        writes: record.writes(),
        write_bytes: record.write_bytes(),
        flushes: record.flushes(),
        read_errors: record.read_errors(),
        write_errors: record.write_errors(),
        flush_errors: record.flush_errors(),
        checksum_errors: record.checksum_errors(),
        timeouts: record.timeouts(),
        repairs: record.repairs(),
    }
}

/// Records what the members have done, in a transaction of its own. Once, when the pool is left: what was counted since
/// it was opened is added to what was recorded before.
///
/// A pool that takes no writes keeps its old record: counters are never worth a failure.
pub(crate) fn save(session: &mut Session<'_>) {
    if !session.pool.health().writable {
        return;
    }
    let pool = pool_totals(session);
    let pool = DiskCounters {
        checksum_errors: pool.fragment_failures,
        repairs: pool.repairs,
        ..DiskCounters::default()
    };
    let members: Vec<(MemberNumber, DiskCounters)> = (0..session.places.len())
        .filter_map(|place| Some((session.pool.member_health(place).member?, totals(session, place))))
        .chain([(POOL_COUNTERS, pool)])
        .collect();
    let _ = session.change(|contents| {
        for (member, counters) in members {
            contents.store.put(&key(member), &encode(&counters))?;
        }
        Ok(())
    });
}

fn encode(counters: &DiskCounters) -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    if let Some(mut record) = CountersRecord::new(&mut bytes[..]) {
        record.set_reads(counters.reads);
        record.set_read_bytes(counters.read_bytes);
        record.set_writes(counters.writes);
        record.set_write_bytes(counters.write_bytes);
        record.set_flushes(counters.flushes);
        record.set_read_errors(counters.read_errors);
        record.set_write_errors(counters.write_errors);
        record.set_flush_errors(counters.flush_errors);
        record.set_checksum_errors(counters.checksum_errors);
        record.set_timeouts(counters.timeouts);
        record.set_repairs(counters.repairs);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_recorded_is_read_back() {
        let counted = DiskCounters {
            reads: 1,
            read_bytes: 2,
            writes: 3,
            write_bytes: 4,
            repairs: 11,
            timeouts: 10,
            ..Default::default()
        };
        let record = encode(&counted);
        assert_eq!(CountersRecord::new(&record[..]).as_ref().map(counters), Some(counted));
    }
}
