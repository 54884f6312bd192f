//! Counters that outlive the process: kept in the tree, one record for each member.

use crate::error::Code;
use crate::format::key::Key;
use crate::format::record::CountersRecord;
use crate::metrics::DiskCounters;
use crate::object::Objects;
use crate::transaction::Purpose;
use crate::types::MemberNumber;
use dynamicfs_hal::DiskArray;

/// Bytes of the record.
const RECORD: usize = CountersRecord::<&[u8]>::BYTES;

impl<A: DiskArray> Objects<'_, A> {
    /// What a member had done when its counters were last saved; zeros if they never were.
    pub fn saved_counters(&mut self, member: MemberNumber) -> Result<DiskCounters, Code> {
        let saved = self
            .store
            .tree
            .with(&Key::counters(member), |record| record.and_then(CountersRecord::new).map(|r| read(&r)))?;
        Ok(saved.unwrap_or_default())
    }

    /// Adds what each member has done since the mount, or since this was last committed, to its saved
    /// counters. With the commit the count begins from zero. Part of a transaction.
    pub fn save_counters(&mut self) -> Result<(), Code> {
        self.change(Self::add_counters)
    }

    fn add_counters(&mut self) -> Result<(), Code> {
        for disk in self.store.tree.disks.all() {
            let state = self.store.tree.disks.state(disk);
            let Some(member) = state.identity.map(|identity| identity.member) else { continue };
            let (live, unsaved) =
                (state.watched.counters, state.watched.counters.since(&state.watched.saved));
            if self.store.committed().row_of(member).is_none() || unsaved == DiskCounters::NEW {
                continue;
            }
            self.begin_change(2, Purpose::Growth)?;
            let mut counters = self.saved_counters(member)?;
            counters.add(&unsaved);
            self.put_counters(member, &counters)?;
            self.store.tree.disks.state_mut(disk).watched.note(|watched| watched.saved = live);
        }
        Ok(())
    }

    /// Writes a member's saved counters. Part of a transaction.
    pub(crate) fn put_counters(&mut self, member: MemberNumber, counters: &DiskCounters) -> Result<(), Code> {
        let bytes = write(counters);
        self.change(|objects| objects.store.put(&Key::counters(member), &bytes))
    }
}

fn read(record: &CountersRecord<&[u8]>) -> DiskCounters {
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

fn write(counters: &DiskCounters) -> [u8; RECORD] {
    let mut bytes = [0; RECORD];
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
