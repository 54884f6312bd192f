//! A disk becomes a member of a pool that there is.

use super::Store;
use crate::disks::DiskStatus;
use crate::error::{Code, FormatError, MemberError};
use crate::format::key::Key;
use crate::format::label::DiskIdentity;
use crate::format::record;
use crate::types::{DiskIndex, MemberNumber, Row};
use dynamicfs_hal::{DiskArray, Request};

impl<A: DiskArray> Store<'_, A> {
    /// Makes a disk of the array a new member. Nothing lies on it; it is given something from the next transaction on. A
    /// spare member is given nothing until one fails.
    ///
    /// 1. whatever is on it is wiped, once nothing but that commit can refuse it;
    /// 2. the table names the member, which is away: its number is taken for good;
    /// 3. the last commit's superblock and the label are written to it, the label last: from here on it is a member;
    /// 4. it takes part.
    ///
    /// A crash in between leaves a member that is away and holds nothing, or one that comes back and is owed nothing.
    pub fn add_member(
        &mut self,
        disk: DiskIndex,
        identity: DiskIdentity,
        spare: bool,
    ) -> Result<(), MemberError<Code, Code>> {
        let pool = |error: Code| MemberError::Pool(error);
        self.check_alone()?;
        let superblock = self.committed();
        let row = (0..self.tree.space.rows().min(self.tree.disks.parameters.members_max.into()))
            .map(Row)
            .find(|&row| superblock.row(row).number() == MemberNumber::NONE.0)
            .ok_or(MemberError::TableFull)?;
        let identity = DiskIdentity { member: MemberNumber(superblock.next_member()), ..identity };
        if identity.member == MemberNumber::NONE {
            return Err(MemberError::TableFull);
        }
        self.begin().map_err(pool)?;
        let entered = self.enter(row, &identity, spare).and_then(|()| match self.may_commit() {
            true => Ok(()),
            false => Err(self.tree.disks.too_few()),
        });
        let wiped =
            entered.map_err(pool).and_then(|()| Ok(self.tree.disks.wipe(disk, &identity, self.stage)?));
        if let Err(error) = wiped.and_then(|()| self.commit().map_err(pool)) {
            self.abort();
            return Err(error);
        }
        self.seed(disk, row, &identity)?;
        self.reload_members();
        self.begin().map_err(pool)?;
        let order = self.committed().order();
        let state = self.tree.disks.state_mut(disk);
        (state.status, state.order, state.may_hold_more) = (DiskStatus::Online, order, false);
        self.withhold();
        let joined = self.commit();
        if let Err(error) = joined {
            self.tree.disks.state_mut(disk).status = DiskStatus::Failed;
            return Err(pool(error));
        }
        self.reload_members();
        Ok(())
    }

    /// Gives a new member its row and its record. Part of a transaction.
    fn enter(&mut self, row: Row, identity: &DiskIdentity, spare: bool) -> Result<(), Code> {
        let group_blocks = self.tree.space.group_blocks();
        let superblock = &mut self.tree.space.superblock;
        superblock.init_row(row, identity.member, identity.witness, identity.data_blocks, group_blocks);
        superblock.set_next_member(identity.member.0 + 1);
        let mut bytes = [0; record::MemberRecord::<&[u8]>::BYTES];
        record::new_member(&mut bytes, identity.disk, identity.data_start, identity.data_blocks);
        if let Some(mut record) = record::MemberRecord::new(&mut bytes[..]).filter(|_| spare) {
            record.set_state(record::MemberState::Spare as u8);
        }
        self.put(&Key::member(identity.member), &bytes)
    }

    /// Writes the last commit's superblock and the label to the disk of a new member.
    #[expect(clippy::indexing_slicing, reason = "the stage holds a slot")]
    fn seed(&mut self, disk: DiskIndex, row: Row, identity: &DiskIdentity) -> Result<(), FormatError<Code>> {
        let disks = &mut self.tree.disks;
        let slot = &mut self.stage[..self.committed.len()];
        slot.copy_from_slice(self.committed);
        disks.assign(disk, *identity, row);
        disks.seal_superblock(disk, slot, self.epoch);
        for at in disks.slot_places(disk) {
            disks.must(Request::write(disk.0, disks.lba_of_byte(disk, at), slot))?;
        }
        disks.must(Request::flush(disk.0))?;
        self.write_label(disk, identity)
    }
}
