//! What the tree remembers of members that were away: since when, and in which generations nothing that was written
//! on them is to be trusted.

use super::Store;
use crate::error::StorageError;
use crate::format::key::Key;
use crate::format::record::MemberRecord;
use crate::types::{Generation, MemberNumber, MemberSet, ObjectId};
use core::ops::ControlFlow;
use dynamicfs_hal::DiskArray;

/// Bytes of a member record.
const RECORD: usize = MemberRecord::<&[u8]>::BYTES;

impl<A: DiskArray> Store<'_, A> {
    /// Notes the rows whose record says that the member is away.
    pub(super) fn load_members(&mut self) -> Result<(), StorageError> {
        let mut away = MemberSet::EMPTY;
        for row in self.committed().table().iter() {
            let member = self.tree.space.member(row);
            let since = self
                .tree
                .with(&Key::member(member), |record| Some(MemberRecord::new(record?)?.offline_since()))?;
            match since {
                Some(0) => {}
                Some(_) => away = away.with(row),
                None => return Err(StorageError::RecordInvalid { object: ObjectId::SYSTEM }),
            }
        }
        self.recorded_away = away;
        Ok(())
    }

    /// Writes down who went away and who came back since the records were last written.
    pub(super) fn record_members(&mut self) -> Result<(), StorageError> {
        let table = self.tree.space.superblock.table();
        let away = table.minus(self.tree.disks.online());
        let committed_online = self.committed().online();
        // One that the last commit went without may be back before its record was written.
        let was_away = self.recorded_away.or(table.minus(committed_online)).and(table);
        let changed = away.minus(self.recorded_away).or(was_away.minus(away));
        // Not the last commit's generation: it may have taken several steps, and its nodes and fragments were born in
        // the first of them.
        let (last, next) = (self.committed().root().birth, self.tree.generation);
        for row in changed.iter() {
            // One that the last commit went without failed inside it; one that failed now misses this one.
            let since = if committed_online.contains(row) { next } else { last };
            self.change_member(row, |record| {
                if away.contains(row) {
                    record.set_offline_since(since.0);
                } else {
                    let since =
                        if record.offline_since() == 0 { last } else { Generation(record.offline_since()) };
                    record.distrust(since..next);
                    record.set_offline_since(0);
                }
            })?;
        }
        self.recorded_away = away;
        Ok(())
    }

    fn change_member(
        &mut self,
        row: usize,
        change: impl FnOnce(&mut MemberRecord<&mut [u8]>),
    ) -> Result<(), StorageError> {
        let key = Key::member(self.tree.space.member(row));
        let mut bytes = [0; RECORD];
        let length = self.tree.get(&key, &mut bytes)?;
        let Some(mut record) = MemberRecord::new(&mut bytes[..]).filter(|_| length == Some(RECORD)) else {
            return Err(StorageError::RecordInvalid { object: ObjectId::SYSTEM });
        };
        change(&mut record);
        self.put(&key, &bytes)
    }

    /// Whether a fragment or replica born then on that member counts: not in a span that is not to be trusted.
    pub fn is_trusted(&mut self, member: MemberNumber, birth: Generation) -> Result<bool, StorageError> {
        self.tree.with(&Key::member(member), |record| {
            let Some(record) = record.and_then(MemberRecord::new) else { return false };
            let since = record.offline_since();
            (since == 0 || birth.0 < since) && !record.untrusted().any(|span| span.contains(&birth))
        })
    }

    /// Calls `f` with the number and record of each member.
    pub fn each_member(
        &mut self,
        mut f: impl FnMut(MemberNumber, &MemberRecord<&[u8]>),
    ) -> Result<(), StorageError> {
        let (from, end) = (Key::member(MemberNumber(0)), Key::group(MemberNumber(0), 0));
        self.tree.scan(&from, &end, |key, record| {
            if let Some(record) = MemberRecord::new(record) {
                f(MemberNumber(key.offset() as u16), &record);
            }
            ControlFlow::<()>::Continue(())
        })?;
        Ok(())
    }
}
