//! New members, and members that have grown.

use super::Pool;
use super::format::{DiskOptions, identity, random, refuse_used};
use crate::disks::DiskStatus;
use crate::disks::events::Happening;
use crate::error::{FormatError, MemberError};
use crate::types::{MemberNumber, Uuid};
use dynamicfs_hal::{DiskArray, Entropy, IoError};

/// How a disk becomes a member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AddOptions {
    /// What is special about it.
    pub disk: DiskOptions,
    /// It is given nothing until a member fails, whose place it takes then.
    pub spare: bool,
    /// Takes a disk that belongs to a pool: what is on it is lost.
    pub force: bool,
}

impl<A: DiskArray> Pool<'_, A> {
    /// Makes a disk of the array a member: its number. What is on the disk is lost; one that belongs to a pool is refused
    /// unless that is forced.
    ///
    /// It may have any size that holds [`GROUPS_MIN`](crate::limits::GROUPS_MIN) groups, and its sectors and tear unit fit
    /// the pool's blocks and superblock slots. Two commits.
    ///
    /// # Errors
    /// A disk that the array does not have is [`Gone`](IoError::Gone).
    pub fn add_disk(
        &mut self,
        disk: usize,
        entropy: &mut dyn Entropy,
        options: &AddOptions,
    ) -> Result<MemberNumber, MemberError> {
        self.check_disk(disk, options)?;
        let (geometry, parameters) = (self.array().geometry(disk), *self.parameters());
        let member = MemberNumber(self.store.committed().next_member());
        let identity = identity(&geometry, &parameters, (disk, member), random(entropy)?, options.disk)?;
        self.store.add_member(disk, identity, options.spare)?;
        self.store.tree.disks.tell(Happening::Joined { member });
        Ok(member)
    }

    /// Whether a disk of the array may become a member. Nothing is written; what only the addition itself can
    /// meet may refuse it still.
    ///
    /// # Errors
    /// As [`add_disk`](Self::add_disk).
    pub fn check_disk(&mut self, disk: usize, options: &AddOptions) -> Result<(), MemberError> {
        self.store.check_alone()?;
        if disk >= self.store.tree.disks.count() {
            return Err(FormatError::Io { disk, error: IoError::Gone }.into());
        }
        let state = *self.store.tree.disks.state(disk);
        if matches!(state.status, DiskStatus::Online | DiskStatus::Failed | DiskStatus::Excluded) {
            return Err(MemberError::TakesPart);
        }
        let geometry = self.array().geometry(disk);
        let parameters = *self.parameters();
        // One without sectors is too small.
        let fits = geometry.check().is_ok()
            && parameters.fits_sectors(geometry.sector_bytes)
            && parameters.fits_tear_unit(geometry.tear_unit);
        if !fits {
            return Err(FormatError::Geometry { disk }.into());
        }
        if !options.force {
            let store = &mut self.store;
            let crc32c = store.tree.disks.crc32c;
            refuse_used(store.tree.disks.array(), disk, store.stage, crc32c)?;
        }
        let member = MemberNumber(self.store.committed().next_member());
        identity(&geometry, &parameters, (disk, member), Uuid([0; 16]), options.disk)?;
        Ok(())
    }

    /// Takes all of a member's disk into use that has grown since it was added: how many blocks there are more. What a crash
    /// leaves half-way is finished by doing it again. One commit.
    pub fn grow_disk(&mut self, disk: usize) -> Result<u64, MemberError> {
        if disk >= self.store.tree.disks.count() {
            return Err(MemberError::NotAMember);
        }
        self.store.grow_member(disk)
    }
}
