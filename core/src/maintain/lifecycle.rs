//! What an operator does with members: out of use and in again, emptied, removed. Each is one transaction or two; what is
//! moved in between is a rebuild's work.

use super::progress::Progress;
use crate::disks::events::Happening;
use crate::error::{Code, MemberError};
use crate::format::record::MemberState;
use crate::object::Objects;
use crate::transaction::Purpose;
use crate::types::{MemberNumber, Row, Set};
use dynamicfs_hal::DiskArray;

/// Tree updates that a member's record takes, and that of a job.
const UPDATES: u32 = 4;

impl<A: DiskArray> Objects<'_, A> {
    fn row_of(&self, member: MemberNumber) -> Result<Row, MemberError<Code, Code>> {
        self.store.committed().row_of(member).ok_or(MemberError::NotAMember)
    }

    /// Takes a member out of use, durably: it is neither read from nor written to, also when it is there. With `failed`
    /// what it holds counts as lost and is rebuilt elsewhere, else it is waited for.
    ///
    /// Refused where too few members would be left.
    pub fn shut_member(
        &mut self,
        progress: &mut Progress,
        member: MemberNumber,
        failed: bool,
    ) -> Result<(), MemberError<Code, Code>> {
        self.store.check_alone()?;
        let row = self.row_of(member)?;
        let state = if failed { MemberState::Failed } else { MemberState::Offline };
        Ok(self.let_go_and(row, |objects| objects.set_state(progress, row, state))?)
    }

    /// Lets a member go, takes its disk out of use if it is here, and writes down what that is for. Where the
    /// latter fails the member is in no list. It comes back at once if that can be committed, or else with
    /// the next commit.
    fn let_go_and(&mut self, row: Row, f: impl FnOnce(&mut Self) -> Result<(), Code>) -> Result<(), Code> {
        self.store.let_go(Set::only(row))?;
        let disk = self.store.tree.disks.disk_in_row(row);
        if let Some(disk) = disk {
            self.store.tree.disks.set_excluded(disk, true);
        }
        let done = self.change_records(f);
        if let (Err(_), Some(disk)) = (&done, disk) {
            self.store.tree.disks.set_excluded(disk, false);
            // The error that is told is the one before.
            let _ = self.change_records(|_| Ok(()));
        }
        done
    }

    /// Lets a member take part again that was shut, drained or kept spare, or stops draining it. What it missed is
    /// rebuilt.
    pub fn activate_member(
        &mut self,
        progress: &mut Progress,
        member: MemberNumber,
    ) -> Result<(), MemberError<Code, Code>> {
        self.store.check_alone()?;
        let row = self.row_of(member)?;
        let disk = self.store.tree.disks.excluded_disk_of(member);
        if let Some(disk) = disk {
            self.store.tree.disks.forgive(disk);
            self.store.tree.disks.set_excluded(disk, false);
        }
        let take_in =
            |disk| self.store.look_at_returning(disk).and_then(|()| self.store.claim_on_returning(disk));
        let known = disk.map_or(Ok(()), take_in);
        let done = known.and_then(|()| {
            self.change_records(|objects| objects.set_state(progress, row, MemberState::Active))
        });
        if let (Err(_), Some(disk)) = (&done, disk) {
            self.store.tree.disks.set_excluded(disk, true);
        }
        Ok(done?)
    }

    /// Begins to move everything off a member that takes part; with `leave` it leaves the pool when it holds nothing.
    /// Refused where the others are too few, or have too little space.
    pub fn drain_member(
        &mut self,
        progress: &mut Progress,
        member: MemberNumber,
        leave: bool,
    ) -> Result<(), MemberError<Code, Code>> {
        self.check_drain(member)?;
        let row = self.row_of(member)?;
        let is_witness = self.store.committed().row(row).witness() != 0;
        // One that was given things so far may be given some by this very transaction, before it is known
        // that it should not.
        let is_vacant = is_witness || self.store.roster().vacant.contains(row);
        let state = match (leave, is_vacant) {
            (true, true) => MemberState::Departing,
            (false, true) => MemberState::Drained,
            (true, false) => MemberState::Leaving,
            (false, false) => MemberState::Draining,
        };
        Ok(self.change_records(|objects| objects.set_state(progress, row, state))?)
    }

    /// Fails as [`drain_member`](Self::drain_member) would, and changes nothing.
    pub fn check_drain(&mut self, member: MemberNumber) -> Result<(), MemberError<Code, Code>> {
        self.store.check_alone()?;
        let row = self.row_of(member)?;
        if self.store.tree.disks.disk_in_row(row).is_none() {
            return Err(MemberError::Away);
        }
        let others = self.store.tree.data_rows().without(row);
        let superblock = self.store.committed();
        let needed = usize::from(superblock.tolerance().max(superblock.scheme().parity)) + 1;
        let is_witness = superblock.row(row).witness() != 0;
        if !is_witness {
            if others.len() < needed {
                return Err(MemberError::TooFewDisks { needed });
            }
            if !self.have_room_for(row, others, 0)? {
                let shift = self.store.tree.disks.parameters.block_shift;
                let [used, free] =
                    [self.store.blocks_held(row), self.room_left(others)].map(|blocks| blocks << shift);
                return Err(MemberError::TooLittleSpace { used, free });
            }
        }
        Ok(())
    }

    /// Free blocks of these members that may be filled, without those that wait to be given back. What is on
    /// its way to them counts as there: it lies on members that are being emptied, or failed and are not
    /// rebuilt yet.
    fn room_left(&self, others: Set<Row>) -> u64 {
        let (superblock, roster) = (self.store.committed(), self.store.roster());
        let going = roster.draining.or(roster.failed.and(superblock.owed()));
        let taken: u64 = going.iter().map(|row| self.store.blocks_held(row)).sum();
        let kept_back = self.store.blocks_kept_back_on(others.len());
        let free: u64 = others.iter().map(|row| superblock.row(row).free().saturating_sub(kept_back)).sum();
        free.saturating_sub(taken)
    }

    /// Whether what that member holds finds room on these, with so many blocks to spare. What was deleted
    /// counts on both sides until it is given back. So all of it is, in transactions of its own, where that
    /// may decide.
    pub(super) fn have_room_for(&mut self, row: Row, others: Set<Row>, slack: u64) -> Result<bool, Code> {
        let have_room = |objects: &Self| {
            objects.store.blocks_held(row).saturating_add(slack) <= objects.room_left(others)
        };
        if !have_room(self) {
            while self.reap_alone()? {}
            self.alone(|objects| objects.store.sweep_all())?;
        }
        Ok(have_room(self))
    }

    /// Writes down what the operator wants a member to be; what that means for what it holds is a rebuild's work. Part of a
    /// transaction.
    pub(super) fn set_state(
        &mut self,
        progress: &mut Progress,
        row: Row,
        state: MemberState,
    ) -> Result<(), Code> {
        self.store.set_member_state(row, state)?;
        self.restart_rebuild(progress)
    }

    /// Does something to the member records in a transaction of its own.
    pub(super) fn change_records(
        &mut self,
        f: impl FnOnce(&mut Self) -> Result<(), Code>,
    ) -> Result<(), Code> {
        self.alone(|objects| {
            objects.begin_change(UPDATES, Purpose::Release)?;
            objects.change(f).map(|()| true)
        })?;
        self.store.reload_members();
        Ok(())
    }

    /// Takes a member out of the pool that holds nothing: one that was drained, or is away and was rebuilt elsewhere. With
    /// `lose` also one that holds something: what it alone holds is lost, and the rest is rebuilt.
    ///
    /// Whether its disk could be told so; one that could not is a stranger to the pool all the same.
    pub fn remove_member(
        &mut self,
        progress: &mut Progress,
        member: MemberNumber,
        lose: bool,
    ) -> Result<bool, MemberError<Code, Code>> {
        self.store.check_alone()?;
        let row = self.row_of(member)?;
        let (roster, superblock) = (*self.store.roster(), self.store.committed());
        let away = self.store.tree.disks.disk_in_row(row).is_none();
        // Also where it went away and nothing was committed since.
        let owed = self.store.unhealed().contains(row);
        let empty = roster.vacant.contains(row) || superblock.row(row).witness() != 0 || away && !owed;
        if !empty && !lose {
            return Err(MemberError::HoldsData {
                bytes: self.store.blocks_held(row) << self.store.tree.disks.parameters.block_shift,
            });
        }
        self.store.claim_once()?;
        let removal = |objects: &mut Self| {
            objects.store.remove_member(row)?;
            objects.store.tree.space.superblock.add_short(usize::from(!empty));
            // A rebuild that is under way may be past what that member held.
            if empty { Ok(()) } else { objects.restart_rebuild(progress) }
        };
        // The lists drop the member first, while its row still names it. A state that names an empty row is
        // invalid. Also where it went away, and no commit has told so yet.
        match !away || self.store.is_listed(row) {
            true => self.let_go_and(row, removal)?,
            false => self.change_records(removal)?,
        }
        self.store.tree.disks.tell(Happening::Left { member });
        let disk = self.store.tree.disks.excluded_disk_of(member);
        Ok(disk.is_some_and(|disk| self.store.forget_disk(disk).is_ok()))
    }

    /// A member that holds nothing any more leaves, or a spare one takes the place of one that failed; whether there was
    /// such a member.
    pub(super) fn change_members(&mut self, progress: &mut Progress) -> Result<bool, Code> {
        let roster = *self.store.roster();
        if let Some(row) = roster.departing.iter().next() {
            let member = self.store.tree.space.member(row);
            return match self.remove_member(progress, member, false) {
                Ok(_) => Ok(true),
                Err(MemberError::Pool(error)) => Err(error),
                Err(_) => Ok(false),
            };
        }
        let superblock = self.store.committed();
        let spare = roster.spare.and(self.store.tree.disks.online()).iter().next();
        let failed = superblock.owed().and(roster.failed).or(roster.failing).minus(roster.succeeded);
        let (Some(spare), Some(failed)) = (spare, failed.iter().next()) else { return Ok(false) };
        let (member, by) = (self.store.tree.space.member(failed), self.store.tree.space.member(spare));
        self.change_records(|objects| objects.store.succeed(failed, spare))?;
        self.store.tree.disks.tell(Happening::Succeeded { member, by });
        Ok(true)
    }
}
