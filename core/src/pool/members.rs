//! Members: new ones, those that have grown, those that go out of use and in again.

use super::Pool;
use super::format::{DiskOptions, identity, random, refuse_used};
use crate::disks::DiskStatus;
use crate::disks::events::Happening;
use crate::error::{Code, Error, FormatError, MemberError};
use crate::maintain::Progress;
use crate::object::Objects;
use crate::options::options;
use crate::types::{DiskIndex, MemberNumber, Uuid};
use dynamicfs_hal::{DiskArray, Entropy, IoError};

options! {
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
}

impl AddOptions {
    /// A plain disk that belongs to no pool.
    pub const fn new() -> Self {
        Self { disk: DiskOptions::new(), spare: false, force: false }
    }
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
        disk: DiskIndex,
        entropy: &mut dyn Entropy,
        options: &AddOptions,
    ) -> Result<MemberNumber, MemberError> {
        self.check_disk(disk, options)?;
        act(self, |objects, _| {
            let store = &mut objects.store;
            let geometry = store.tree.disks.geometry(disk);
            let member = MemberNumber(store.committed().next_member());
            let name = (disk, member);
            let identity =
                identity(&geometry, &store.tree.disks.parameters, name, random(entropy)?, options.disk)?;
            store.add_member(disk, identity, options.spare)?;
            store.tree.disks.tell(Happening::Joined { member });
            Ok(member)
        })
    }

    /// Whether a disk of the array may become a member. Nothing is written; what only the addition itself can
    /// meet may refuse it still.
    ///
    /// # Errors
    /// As [`add_disk`](Self::add_disk).
    pub fn check_disk(&mut self, disk: DiskIndex, options: &AddOptions) -> Result<(), MemberError> {
        act(self, |objects, _| {
            let store = &mut objects.store;
            if disk >= DiskIndex(store.tree.disks.count()) {
                return Err(FormatError::Io { disk, error: IoError::Gone }.into());
            }
            let status = store.tree.disks.state(disk).status;
            if matches!(status, DiskStatus::Online | DiskStatus::Failed | DiskStatus::Excluded) {
                return Err(MemberError::TakesPart);
            }
            let (geometry, parameters) = (store.tree.disks.geometry(disk), store.tree.disks.parameters);
            // One without sectors is too small.
            let fits = geometry.check().is_ok()
                && parameters.fits_sectors(geometry.sector_bytes)
                && parameters.fits_tear_unit(geometry.tear_unit);
            if !fits {
                return Err(FormatError::Geometry { disk }.into());
            }
            if !options.force {
                let crc32c = store.tree.disks.crc32c;
                refuse_used(store.tree.disks.array(), disk, store.stage, crc32c)?;
            }
            let member = MemberNumber(store.committed().next_member());
            identity(&geometry, &parameters, (disk, member), Uuid([0; 16]), options.disk)?;
            Ok(())
        })
    }

    /// Takes all of a member's disk into use that has grown since it was added: how many blocks there are more. What a crash
    /// leaves half-way is finished by doing it again. One commit.
    ///
    /// # Errors
    /// [`NotGrown`](MemberError::NotGrown), [`NotAMember`](MemberError::NotAMember), or what disks and tree
    /// answered.
    pub fn grow_disk(&mut self, disk: DiskIndex) -> Result<u64, MemberError> {
        act(self, |objects, _| match disk < DiskIndex(objects.store.tree.disks.count()) {
            true => objects.store.grow_member(disk),
            false => Err(MemberError::NotAMember),
        })
    }

    // --- out of use, and in again
    // -----------------------------------------------------------------------------

    /// Takes a member out of use, durably: it is neither read from nor written to, also when it is there.
    /// With `failed` what it holds counts as lost and is rebuilt elsewhere, else it is waited for.
    ///
    /// # Errors
    /// Refused where too few members would be left.
    pub fn shut_member(&mut self, member: MemberNumber, failed: bool) -> Result<(), MemberError> {
        act(self, |objects, progress| objects.shut_member(progress, member, failed))
    }

    /// Lets a member take part again that was shut, drained or kept spare, or stops draining it. What it
    /// missed is rebuilt.
    ///
    /// # Errors
    /// [`NotAMember`](MemberError::NotAMember), or what disks and tree answered.
    pub fn activate_member(&mut self, member: MemberNumber) -> Result<(), MemberError> {
        act(self, |objects, progress| objects.activate_member(progress, member))
    }

    /// Begins to empty a member: from now on it is given nothing, and a rebuild moves what it holds to
    /// others. With `leave` it leaves the pool then.
    ///
    /// # Errors
    /// Those of [`check_drain`](Self::check_drain).
    pub fn drain_member(&mut self, member: MemberNumber, leave: bool) -> Result<(), MemberError> {
        act(self, |objects, progress| objects.drain_member(progress, member, leave))
    }

    /// Whether a member can be emptied. Nothing is written.
    ///
    /// # Errors
    /// [`TooFewDisks`](MemberError::TooFewDisks) and [`TooLittleSpace`](MemberError::TooLittleSpace) among
    /// the others.
    pub fn check_drain(&mut self, member: MemberNumber) -> Result<(), MemberError> {
        act(self, |objects, _| objects.check_drain(member))
    }

    /// Removes a member that holds nothing, or with `lose` one that is away whatever it holds; whether there
    /// is nothing left to be rebuilt.
    ///
    /// # Errors
    /// [`HoldsData`](MemberError::HoldsData) without `lose`; [`TooFewDisks`](MemberError::TooFewDisks).
    pub fn remove_member(&mut self, member: MemberNumber, lose: bool) -> Result<bool, MemberError> {
        act(self, |objects, progress| objects.remove_member(progress, member, lose))
    }

    /// Begins to empty a member whose errors are beyond the thresholds. When it holds nothing, takes it out
    /// of use, durably. Returns whether there was one. It stays, degraded, where anything could not be read
    /// or written without it, or there is no place for what it holds. A part of [`maintain`](Self::maintain),
    /// for a caller that leaves the pool and the errors behind.
    ///
    /// # Errors
    /// What disks and tree answered.
    pub fn fail_member(&mut self) -> Result<bool, Error> {
        self.look_after(|objects, progress| objects.fail_member(progress))
    }

    /// Forgets the errors of a member, those that were saved too, once their cause was removed. A transaction
    /// of its own. What it did otherwise stays counted.
    ///
    /// # Errors
    /// [`NotAMember`](MemberError::NotAMember), or what disks and tree answered.
    pub fn clear_errors(&mut self, member: MemberNumber) -> Result<(), MemberError> {
        act(self, |objects, _| objects.clear_errors(member))
    }
}

/// Does something with a member, and puts together what its error is about. Changes of members begin a
/// rebuild anew.
pub(super) fn act<A: DiskArray, T>(
    pool: &mut Pool<'_, A>,
    f: impl FnOnce(&mut Objects<'_, A>, &mut Progress) -> Result<T, MemberError<Code, Code>>,
) -> Result<T, MemberError> {
    let (objects, progress) = pool.parts();
    f(objects, progress).map_err(|error| objects.store.tree.disks.about.explain_member(error))
}
