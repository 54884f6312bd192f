//! The parts of a pool's life, each from a pool newly made.

use crate::contents::{self, Version};
use crate::fault::Fault;
use crate::phases::{Peaks, Phase};
use board::disks::{self, Contents};
use board::lent::{Lent, SERVICES, Weyl};
use board::power::{self, Array, Power, Victim};
use dynamicfs_core::error::{Error, StorageError};
use dynamicfs_core::types::Scheme;
use dynamicfs_core::{FormatOptions, MountOptions, Pool};

/// The board that a pool lives on, and what was measured of it.
pub(crate) struct Trial<'b> {
    pub(crate) contents: &'b mut [Contents; disks::COUNT],
    pub(crate) lent: &'b mut Lent,
    pub(crate) power: &'b Power,
    pub(crate) entropy: Weyl,
    pub(crate) peaks: Peaks,
    pub(crate) place: Place,
}

/// Where a trial is, to be told when it fails.
#[derive(Clone, Copy, Debug, Default)]
#[expect(dead_code, reason = "it is printed")]
pub(crate) struct Place {
    /// The disk that goes, or the whole board.
    disk: Option<usize>,
    /// In which write of the commit.
    write: u32,
    /// In which write of the mount after that.
    mount_write: u32,
}

/// How many writes the power was cut in.
pub(crate) struct Cuts {
    pub(crate) commit: u32,
    pub(crate) recovery: u32,
}

impl Trial<'_> {
    /// Cuts the board's power in every write of a commit, and in every write of the mounts that follow.
    pub(crate) fn cut_every_write_of_a_commit(&mut self, scheme: Scheme) -> Result<Cuts, Fault> {
        self.place = Place::default();
        self.make(scheme)?;
        let mut cuts = Cuts { commit: 0, recovery: 0 };
        let mut old = 1;
        loop {
            self.place.write = cuts.commit;
            let new = old + 1;
            let power = self.power;
            let outcome = self.mounted(Phase::Mount, |pool, peaks| {
                power.cut_in_write(Victim::Board, cuts.commit);
                Ok(peaks.measure(Phase::Commit, || contents::advance(pool, new)))
            })?;
            let cut = self.power.restore();
            cuts.recovery += self.cut_every_write_of_a_mount()?;
            let found = self.read(Phase::Mount, Phase::Read)?;
            match outcome {
                Ok(()) if !cut => return expect(found, new).map(|()| cuts),
                Ok(()) => expect(found, new)?,
                Err(Error::Storage(StorageError::OutcomeUnknown)) if found == new => {}
                Err(_) => expect(found, old)?,
            }
            old = found;
            cuts.commit += 1;
        }
    }

    /// Cuts the board's power in every write of a mount, until one gets through.
    fn cut_every_write_of_a_mount(&mut self) -> Result<u32, Fault> {
        for write in 0.. {
            self.place.mount_write = write;
            self.power.cut_in_write(Victim::Board, write);
            let mounted = self.mounted(Phase::Recovery, |_, _| Ok(()));
            if !self.power.restore() {
                return mounted.map(|()| write);
            }
        }
        Err(Fault::Contents("a mount does not end"))
    }

    /// Lives without one disk, which then comes back.
    pub(crate) fn live_without(&mut self, scheme: Scheme, gone: usize) -> Result<(), Fault> {
        self.place = Place { disk: Some(gone), ..Place::default() };
        self.make(scheme)?;
        self.power.cut(Victim::Disk(gone));
        expect(self.read(Phase::DegradedMount, Phase::DegradedRead)?, 1)?;
        self.write(Phase::DegradedMount, Phase::DegradedCommit, 2)?;
        expect(self.read(Phase::DegradedMount, Phase::DegradedRead)?, 2)?;
        self.power.restore();
        expect(self.read(Phase::DegradedMount, Phase::DegradedRead)?, 2)?;
        self.write(Phase::DegradedMount, Phase::DegradedCommit, 3)?;
        expect(self.read(Phase::Mount, Phase::Read)?, 3)
    }

    /// Loses one disk in each of its writes of a commit, which must succeed without it; how many there are.
    pub(crate) fn lose_in_every_write_of_a_commit(
        &mut self,
        scheme: Scheme,
        lost: usize,
    ) -> Result<u32, Fault> {
        for write in 0.. {
            self.place = Place { disk: Some(lost), write, mount_write: 0 };
            self.make(scheme)?;
            let power = self.power;
            let found = self.mounted(Phase::Mount, |pool, peaks| {
                power.cut_in_write(Victim::Disk(lost), write);
                peaks.measure(Phase::DegradedCommit, || contents::advance(pool, 2))?;
                peaks.measure(Phase::DegradedRead, || contents::version(pool))
            })?;
            expect(found, 2)?;
            expect(self.read(Phase::DegradedMount, Phase::DegradedRead)?, 2)?;
            let cut = self.power.restore();
            expect(self.read(Phase::DegradedMount, Phase::DegradedRead)?, 2)?;
            if !cut {
                return Ok(write);
            }
        }
        Err(Fault::Contents("a commit does not end"))
    }

    // --- steps ------------------------------------------------------------------------------------------------

    /// Makes a pool with the first version in it.
    fn make(&mut self, scheme: Scheme) -> Result<(), Fault> {
        self.power.restore();
        let Self { contents, lent, power, entropy, peaks, .. } = self;
        let options = FormatOptions::portable(scheme).force(true);
        let mut pool = peaks.measure(Phase::Format, || {
            Pool::format(power::array(contents, power), lent.lend(), SERVICES, entropy, &options, &[])
                .map_err(|failure| failure.error)
        })?;
        peaks.measure(Phase::Commit, || contents::advance(&mut pool, 1))?;
        Ok(())
    }

    /// Mounts the pool and reads everything.
    fn read(&mut self, mounting: Phase, reading: Phase) -> Result<Version, Fault> {
        self.mounted(mounting, |pool, peaks| peaks.measure(reading, || contents::version(pool)))
    }

    /// Mounts the pool and commits a version.
    fn write(&mut self, mounting: Phase, writing: Phase, version: Version) -> Result<(), Fault> {
        self.mounted(mounting, |pool, peaks| {
            peaks.measure(writing, || contents::advance(pool, version))?;
            expect(contents::version(pool)?, version)
        })
    }

    /// Mounts the pool for as long as `f` runs.
    fn mounted<T>(
        &mut self,
        mounting: Phase,
        f: impl FnOnce(&mut Pool<'_, Array<'_>>, &mut Peaks) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let Self { contents, lent, power, peaks, .. } = self;
        let options = MountOptions::default();
        let mut pool = peaks.measure(mounting, || {
            Pool::mount(power::array(contents, power), lent.lend(), SERVICES, &options)
                .map_err(|failure| failure.error)
        })?;
        f(&mut pool, peaks)
    }
}

fn expect(found: Version, version: Version) -> Result<(), Fault> {
    match found {
        _ if found == version => Ok(()),
        _ if found < version => Err(Fault::Contents("an older version")),
        _ => Err(Fault::Contents("a version that was undone")),
    }
}
