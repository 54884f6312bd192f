//! What the tree remembers of members that were away: since when, and in which generations nothing that was written
//! on them is to be trusted.

use super::{RECORD_READS_MAX, Store};
use crate::build::{MULTI, OBSERVE};
use crate::disks::Currency;
use crate::disks::events::Happening;
use crate::error::Code;
use crate::format::key::Key;
use crate::format::record::{MemberRecord, MemberState};
use crate::space::Class;
use crate::types::{Generation, MemberLists, MemberNumber, Row, Set};
use core::ops::ControlFlow;
use dynamicfs_hal::DiskArray;

/// Bytes of a member record.
const RECORD: usize = MemberRecord::<&[u8]>::BYTES;

/// What the last commit's member records say, by row.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Roster {
    /// Members whose record says that they are away.
    pub away: Set<Row>,
    /// Members on which something that was written is not to be trusted.
    pub distrusted: Set<Row>,
    /// Members that are neither read from nor written to, also when they are there.
    pub shut: Set<Row>,
    /// Those of them that the operator called failed.
    pub failed: Set<Row>,
    /// Those of them whose place a spare member took.
    pub succeeded: Set<Row>,
    /// Members that are being emptied.
    pub draining: Set<Row>,
    /// Those of them that make too many errors.
    pub failing: Set<Row>,
    /// Members that are empty and leave the pool next.
    pub departing: Set<Row>,
    /// Members on which nothing lies: their absence takes nothing away.
    pub vacant: Set<Row>,
    /// Those of them that wait to take a failed member's place.
    pub spare: Set<Row>,
    /// How often members came, went or became something else since the mount.
    pub changes: u32,
}

impl Roster {
    fn add(&mut self, row: Row, record: &MemberRecord<&[u8]>) -> MemberState {
        let state = MemberState::from_number(record.state());
        let note = |set: &mut Set<Row>, holds: bool| *set = if holds { set.with(row) } else { *set };
        note(&mut self.away, record.offline_since() != 0);
        note(&mut self.distrusted, record.untrusted().next().is_some());
        note(&mut self.shut, state.is_shut());
        note(&mut self.failed, state == MemberState::Failed);
        note(&mut self.succeeded, record.successor() != 0);
        note(&mut self.draining, state.is_draining());
        note(&mut self.failing, state == MemberState::Failing);
        note(&mut self.departing, state == MemberState::Departing);
        note(
            &mut self.vacant,
            matches!(state, MemberState::Drained | MemberState::Spare | MemberState::Departing),
        );
        note(&mut self.spare, state == MemberState::Spare);
        state
    }

    /// Whether a member is to be the same in both.
    fn agrees(&self, other: &Self, row: Row) -> bool {
        let sets = |roster: &Self| {
            [
                roster.shut,
                roster.failed,
                roster.draining,
                roster.failing,
                roster.departing,
                roster.vacant,
                roster.spare,
            ]
        };
        sets(self).iter().zip(sets(other)).all(|(set, other)| set.contains(row) == other.contains(row))
    }

    fn forget(&mut self, row: Row) {
        let sets = [
            &mut self.away,
            &mut self.distrusted,
            &mut self.shut,
            &mut self.failed,
            &mut self.succeeded,
            &mut self.draining,
            &mut self.failing,
            &mut self.departing,
            &mut self.vacant,
            &mut self.spare,
        ];
        sets.into_iter().for_each(|set| *set = set.without(row));
    }
}

impl<A: DiskArray> Store<'_, A> {
    /// Reads the member records after a commit that changed them. The commit stands, whether they can be read
    /// or not. What cannot be read now is read before the next transaction begins, or that is refused.
    pub(crate) fn reload_members(&mut self) {
        self.members_unread = !(0..RECORD_READS_MAX).any(|_| self.load_members().is_ok());
    }

    /// Reads what the member records say, and tells of members that are to be something else now.
    #[inline(never)] // Once, and not in each of its callers.
    pub(crate) fn load_members(&mut self) -> Result<(), Code> {
        let mut roster = Roster { changes: self.roster.changes.wrapping_add(1), ..Roster::default() };
        for row in self.committed().table().iter() {
            let member = self.tree.space.member(row);
            let known = self.tree.with(&Key::member(member), |record| {
                record.and_then(MemberRecord::new).map(|record| (roster.add(row, &record), record.blocks()))
            })?;
            let Some((state, blocks)) = known else {
                return Err(Code::SystemRecordInvalid);
            };
            self.tree.disks.set_blocks(row, blocks);
            // The first time all of it is news.
            if OBSERVE && self.roster.changes > 0 && !roster.agrees(&self.roster, row) {
                self.tree.disks.tell(Happening::State { member, state });
            }
        }
        self.roster = roster;
        self.withhold();
        Ok(())
    }

    /// What the member records say.
    pub const fn roster(&self) -> &Roster {
        &self.roster
    }

    /// Reports the members that went away and those that came back since the last commit, as the mount found
    /// them.
    #[inline(never)] // Once, and not in each of its callers.
    pub(super) fn tell_of_members(&mut self) {
        if !OBSERVE {
            return;
        }
        let (committed, online) = (self.committed().online(), self.tree.disks.online());
        for row in committed.minus(online).minus(self.roster.shut).iter() {
            let member = self.tree.space.member(row);
            self.tree.disks.tell(Happening::Away { member });
        }
        for row in online.minus(self.roster.shut).iter() {
            let member = self.tree.space.member(row);
            let currency = self.tree.disks.disk_in_row(row).map(|disk| self.tree.disks.state(disk).currency);
            match currency {
                Some(Currency::Stale) => self.tree.disks.tell(Happening::Stale { member }),
                Some(Currency::RolledBack) => self.tree.disks.tell(Happening::RolledBack { member }),
                _ => {}
            }
        }
    }

    /// Takes the disks out of use that the operator wants out of use.
    pub(super) fn shut_out(&mut self) {
        if !MULTI {
            return;
        }
        for row in self.roster.shut.iter() {
            if let Some(disk) = self.tree.disks.disk_in_row(row) {
                self.tree.disks.set_excluded(disk, true);
            }
        }
    }

    /// Members on which something may lie that is not there, or not to be trusted: so many fewer may be lost.
    pub fn unhealed(&self) -> Set<Row> {
        self.unhealed_without(Set::EMPTY)
    }

    /// Whether there are no more of them than the pool tolerates, if the members in these rows were away too:
    /// else every commit is refused.
    pub fn bears_without(&self, lost: Set<Row>) -> bool {
        self.unhealed_without(lost).len() <= usize::from(self.tree.space.superblock.tolerance())
    }

    /// As [`unhealed`](Self::unhealed), if the members in these rows were away too.
    pub fn unhealed_without(&self, lost: Set<Row>) -> Set<Row> {
        if !MULTI {
            return Set::EMPTY;
        }
        let superblock = &self.tree.space.superblock;
        let there = self.tree.disks.sound().minus(self.letting_go).minus(lost);
        let newly_away = self.committed().online().minus(there).minus(self.roster.vacant);
        self.holders(superblock.owed().or(newly_away).and(superblock.table()))
    }

    /// Those of some rows whose members hold something at all: a witness can be owed nothing.
    pub(super) fn holders(&self, rows: Set<Row>) -> Set<Row> {
        if !MULTI {
            return rows;
        }
        let is_witness = |row: Row| self.tree.space.superblock.row(row).witness() != 0;
        rows.iter().filter(|&row| !is_witness(row)).collect()
    }

    /// Records the members that went away and those that came back since the records were last written.
    // Not part of its caller: what it takes of the stack is not to lie under the rest of a commit.
    #[inline(never)]
    pub(super) fn record_members(&mut self) -> Result<(), Code> {
        if !MULTI {
            return Ok(());
        }
        let table = self.tree.space.superblock.table();
        let away = table.minus(self.tree.disks.online());
        let committed_online = self.committed().online().or(self.restated);
        // One that the last commit went without may be back before its record was written.
        let was_away = self.roster.away.or(table.minus(committed_online)).and(table);
        let changed = away.minus(self.roster.away).or(was_away.minus(away));
        // Not the last commit's generation: it may have taken several steps, and its nodes and fragments were born in
        // the first of them.
        let (last, next) = (self.committed().root().birth, self.tree.generation);
        for row in changed.iter() {
            // One that the last commit went without failed inside it, and lacks what was born there. From now
            // on it is away: a pass that began before has met it.
            let failed_in_last = !committed_online.contains(row);
            // What was written while it was away was for it too, also where nothing lies on it any more.
            let is_owed = self.tree.space.superblock.owed().contains(row);
            let lacks_nothing = !is_owed && (self.is_untouched(row)? || self.roster.vacant.contains(row));
            let last_roots = [self.committed().root_crc(), self.committed().previous_root_crc()];
            let missed = self.missed_since(row)?.unwrap_or(last);
            self.change_member(row, |record| {
                if away.contains(row) {
                    if failed_in_last && !lacks_nothing {
                        record.distrust(last..next);
                    }
                    record.set_offline_since(next.0);
                    record.set_away_roots(last_roots);
                } else {
                    if !lacks_nothing {
                        record.distrust(missed..next);
                    }
                    record.set_offline_since(0);
                    record.set_away_roots([0; 2]);
                }
            })?;
            if !away.contains(row) && !lacks_nothing {
                self.note_missing(row);
            }
        }
        for row in self.tree.disks.rolled_back(self.committed().order()).minus(changed).iter() {
            // It lost what it had acknowledged: whatever it was given after the state that it has now.
            let Some(missed) = self.missed_since(row)? else { continue };
            if self.is_untouched(row)? {
                continue;
            }
            self.change_member(row, |record| record.distrust(missed..next))?;
            self.note_missing(row);
        }
        self.roster.changes = self.roster.changes.wrapping_add(u32::from(!changed.is_empty()));
        self.roster.away = away;
        Ok(())
    }

    /// From which generation on the member in a row lacks what it was given, beside the spans of its record;
    /// `None` if it lacks nothing.
    fn missed_since(&mut self, row: Row) -> Result<Option<Generation>, Code> {
        let key = Key::member(self.tree.space.member(row));
        let went = self.tree.with(&key, |record| {
            record.and_then(MemberRecord::new).map(|record| (record.offline_since(), record.away_roots()))
        })?;
        Ok(self.missed_by(row, went.unwrap_or_default()))
    }

    /// As [`missed_since`](Self::missed_since), of what its record says of when it went away.
    pub(crate) fn missed_by(&self, row: Row, (since, roots): (u64, [u32; 2])) -> Option<Generation> {
        let committed = self.committed();
        let since = match since {
            // It failed in the last commit, and no record says so yet.
            0 if !committed.online().or(self.restated).contains(row) => Some(committed.root().birth),
            0 => None,
            since => Some(Generation(since)),
        };
        // It may have lost, too, what it had acknowledged before it went away.
        let may_have_lost = since.is_some() || self.tree.disks.rolled_back(committed.order()).contains(row);
        let held = self.tree.disks.still_has(row, committed.last_epoch(), since.map(|_| roots));
        since.into_iter().chain(held.filter(|_| may_have_lost).map(Generation::next)).min()
    }

    /// Whether nothing was ever put on a member, or everything was taken off it again.
    fn is_untouched(&mut self, row: Row) -> Result<bool, Code> {
        let member = self.tree.space.member(row);
        // By its record: its disk may be away, or is to be taken in by the next commit.
        let blocks = self.tree.with(&Key::member(member), |record| {
            record.and_then(MemberRecord::new).map(|record| record.blocks())
        })?;
        let row = self.tree.space.superblock.row(row);
        Ok(row.witness() != 0 || Some(row.free()) == blocks)
    }

    /// Notes that something may be missing on a member: it is owed that. Where that makes more of them than
    /// the pool bears, every commit would be refused, also those of the rebuild that puts it right. It goes
    /// on all the same then, and every read tells. That something is missing is remembered.
    fn note_missing(&mut self, row: Row) {
        self.roster.distrusted = self.roster.distrusted.with(row);
        let unhealed = self.unhealed().with(row);
        match unhealed.len() <= usize::from(self.tree.space.superblock.tolerance()) {
            true => self.owe(row),
            false => self.tree.space.superblock.add_short(1),
        }
    }

    /// Notes that a member is owed something.
    fn owe(&mut self, row: Row) {
        let owed = self.tree.space.superblock.owed().with(row);
        self.tree.space.superblock.set_owed_raw(owed.bits());
    }

    /// Writes down that members are owed nothing any more: all that they missed is where it should be. Part of a
    /// transaction.
    pub fn clear_owed(&mut self, rows: Set<Row>) -> Result<(), Code> {
        for row in rows.iter() {
            self.change_member(row, |record| record.trust())?;
        }
        self.roster.distrusted = self.roster.distrusted.minus(rows);
        let owed = self.tree.space.superblock.owed().minus(rows);
        self.tree.space.superblock.set_owed_raw(owed.bits());
        Ok(())
    }

    /// Writes down what a member is to be. Part of a transaction; [`roster`](Self::roster) knows it when it was read anew.
    pub fn set_member_state(&mut self, row: Row, state: MemberState) -> Result<(), Code> {
        self.change_member(row, |record| {
            record.set_state(state as u8);
            if !state.is_shut() {
                record.set_successor(0);
            }
        })
    }

    /// Writes down that nothing lies on a member any more that was to be emptied. Part of a transaction.
    pub fn drained(&mut self, row: Row) -> Result<(), Code> {
        self.change_member(row, |record| {
            record.set_state(MemberState::from_number(record.state()).when_empty() as u8);
        })
    }

    /// Lets a spare member take the place of one that failed. Part of a transaction.
    pub fn succeed(&mut self, failed: Row, spare: Row) -> Result<(), Code> {
        let number = self.tree.space.member(spare).0;
        self.change_member(failed, |record| record.set_successor(number.saturating_add(1)))?;
        self.set_member_state(spare, MemberState::Active)
    }

    /// Whether a list of the last commit names the member in a row.
    pub fn is_listed(&self, row: Row) -> bool {
        let MemberLists { settled, members } = self.durable;
        settled.or(members).or(self.committed().online()).contains(row)
    }

    /// Takes a member that is away, and that no list names any more, out of the table and all its records out of the tree. Part of a transaction. What
    /// it held is not looked at.
    pub fn remove_member(&mut self, row: Row) -> Result<(), Code> {
        let member = self.tree.space.member(row);
        // The bitmaps that wait for being recorded go with it.
        while Class::ALL.iter().any(|&class| self.tree.space.is_closed_waiting(row, class)) {
            self.record_closed()?;
        }
        self.tree.space.superblock.clear_row(row);
        let owed = self.tree.space.superblock.owed().without(row);
        self.tree.space.superblock.set_owed_raw(owed.bits());
        self.roster.forget(row);
        self.remove(&Key::member(member))?;
        self.remove(&Key::counters(member))?;
        self.remove_range(&Key::group(member, 0), &Key::group(member, u32::MAX), usize::MAX)?;
        Ok(())
    }

    pub(super) fn change_member(
        &mut self,
        row: Row,
        change: impl FnOnce(&mut MemberRecord<&mut [u8]>),
    ) -> Result<(), Code> {
        let key = Key::member(self.tree.space.member(row));
        let mut bytes = [0; RECORD];
        let length = self.tree.get(&key, &mut bytes)?;
        let Some(mut record) = MemberRecord::new(&mut bytes[..]).filter(|_| length == Some(RECORD)) else {
            return Err(Code::SystemRecordInvalid);
        };
        change(&mut record);
        self.put(&key, &bytes)
    }

    /// Calls `f` with the number and record of each member.
    pub fn each_member(&mut self, mut f: impl FnMut(MemberNumber, &MemberRecord<&[u8]>)) -> Result<(), Code> {
        let (from, end) = (Key::member(MemberNumber(0)), Key::group(MemberNumber(0), 0));
        self.tree.scan(&from, &end, |key, record| {
            // A number that is none is no member's.
            if let (Some(record), Ok(number)) = (MemberRecord::new(record), key.offset().try_into()) {
                f(MemberNumber(number), &record);
            }
            ControlFlow::<()>::Continue(())
        })?;
        Ok(())
    }
}
