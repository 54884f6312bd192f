//! The choice between two histories. The chosen one is there and nothing else, and it continues. The disks of
//! the other stay out until they come back as new ones.

use super::engine::Engine;
use super::fault::FaultKind;
use super::probe::Probe;
use super::report::{Failure, FailureKind};
use super::run::{Flow, Mounted, Run};
use crate::Rng;
use crate::model::{self, LoadError, Model};
use dynamicfs_core::disks::DiskStatus;
use dynamicfs_core::error::{Error, MemberError, MountError, StorageError};
use dynamicfs_core::maintain::Work;
use dynamicfs_core::pool::DiskOptions;
use dynamicfs_core::types::{DiskIndex, Set};
use dynamicfs_core::{AddOptions, MountMode, Pool, Prefer, Services};
use std::sync::Arc;

/// Steps of upkeep after which a pool has taken a disk in.
const STEPS_MAX: u32 = 5_000;

/// Transactions that are tried until one is committed.
const ATTEMPTS_MAX: u64 = 4;

/// Two histories of one pool.
pub(super) struct Split {
    /// The members that continued without the others, and what they hold.
    pub(super) first: (Set<usize>, Arc<Model>),
    /// The members that an override brought back, and what they hold.
    pub(super) second: (Set<usize>, Arc<Model>),
    /// The override's branch.
    pub(super) branch: u64,
    /// The first hold something that the second do not: a mount is refused until one is chosen.
    pub(super) ahead: bool,
}

impl Engine {
    /// Chooses one of two histories, continues with it, and takes a disk of the other back.
    pub(super) fn choose_side(&mut self, split: &Split, rng: &mut Rng) -> Result<(), Failure> {
        let branches = self.survey();
        let Some(original) = branches.iter().find(|(member, _)| split.first.0.contains(*member)) else {
            return Err(self.run.fail(FailureKind::Unavailable, "a survey finds no disk of one side"));
        };
        let original = original.1;
        for &(member, branch) in &branches {
            let should = if split.second.0.contains(member) { split.branch } else { original };
            if branch != should {
                let what = format!("a survey finds member {member} on branch {branch:x}, not {should:x}");
                return Err(self.run.fail(FailureKind::WrongAnswer, what));
            }
        }
        let takes_first = !split.ahead || rng.coin();
        let (chosen, other, branch) = match takes_first {
            true => (&split.first, split.second.0, original),
            false => (&split.second, split.first.0, split.branch),
        };
        let prefer = match rng.coin() {
            true => Prefer::Branch(branch),
            false => {
                let members: Vec<usize> = chosen.0.iter().collect();
                Prefer::Disk { disk: DiskIndex(self.run.places[*rng.pick(&members)]), branch: rng.next_u64() }
            }
        };
        let writes = self.writes(other);
        self.expect_side(MountMode::ReadOnly, Some(prefer), &chosen.1, other)?;
        if self.run.swarm.is_on(FaultKind::ChoiceCut)
            && self.cut_mount(MountMode::ReadWrite, Some(prefer), rng)
        {
            self.run.hit(Probe::SideChoiceCut);
        }
        self.expect_side(MountMode::ReadWrite, Some(prefer), &chosen.1, other)?;
        self.run.oracle.go_back(chosen.1.clone());
        let is_sound = other.len() <= self.run.setup.tolerance();
        for attempt in 0..ATTEMPTS_MAX {
            let before = self.run.oracle.newest();
            let mut rng = rng.fork_at("side", attempt);
            let went = self.try_mount(MountMode::ReadWrite, None, |run, pool| run.transact(pool, &mut rng));
            let flow = match self.mounted(went)? {
                // Names and contents happened to be readable, other records may be lost.
                Err(failure) if failure.kind == FailureKind::Lost && !is_sound => return Ok(()),
                went => went?,
            };
            if flow == Flow::End || self.run.oracle.newest() > before {
                break;
            }
        }
        let current = self.run.oracle.current().clone();
        self.expect_side(MountMode::ReadWrite, None, &current, other)?;
        if self.writes(other) != writes {
            return Err(self.run.fail(FailureKind::WrongState, "a disk of the other side was written to"));
        }
        self.run.hit(Probe::SideChosen);
        self.take_back(other, &current, is_sound, rng)
    }

    /// The members whose newest state a survey finds, and the branch of each.
    fn survey(&mut self) -> Vec<(usize, u64)> {
        let Self { array, lent, run, crc32c, .. } = self;
        let clock = array.clock();
        let services = Services::new(*crc32c, &clock);
        let mut found = Vec::new();
        let surveyed =
            Pool::survey(&mut *array, lent.lend_only(run.setup.memory), services, run.pool, |at, state| {
                let member = run.places.iter().position(|&place| at.is_newest && place == at.disk.0);
                found.extend(member.map(|member| (member, state.branch())));
            });
        // Where it fails nothing is found, which is noticed.
        if surveyed.is_err() { Vec::new() } else { found }
    }

    /// Writes that these members' disks were asked for.
    fn writes(&mut self, members: Set<usize>) -> Vec<u64> {
        members.iter().map(|member| self.run.disk(&mut self.array, member).counters().writes).collect()
    }

    fn mounted<R>(&self, mounted: Result<R, MountError>) -> Result<R, Failure> {
        mounted.map_err(|error| {
            self.run
                .fail(FailureKind::Unavailable, format!("the side that was chosen is not mounted: {error}"))
        })
    }

    /// Mounts, and compares what is there with one side's history; no disk of the other takes part.
    fn expect_side(
        &mut self,
        mode: MountMode,
        prefer: Option<Prefer>,
        state: &Model,
        other: Set<usize>,
    ) -> Result<(), Failure> {
        let mounted = self.try_mount(mode, prefer, |run, pool| {
            let status = |&member: &usize| pool.member_health(DiskIndex(run.places[member])).status;
            let lets_in = other.iter().find(|member| status(member) != DiskStatus::Diverged);
            (lets_in, model::observe(pool))
        });
        let (lets_in, found) = self.mounted(mounted)?;
        if let Some(member) = lets_in {
            let what = format!("member {member} of the other side is not told as diverged");
            return Err(self.run.fail(FailureKind::WrongAnswer, what));
        }
        self.compare(state, found)
    }

    fn compare(&self, state: &Model, found: Result<Model, LoadError>) -> Result<(), Failure> {
        match found {
            Ok(found) => state.difference(&found).map_or(Ok(()), |difference| {
                let what = format!("not what the side that was chosen holds: {difference}");
                Err(self.run.fail(FailureKind::WrongState, what))
            }),
            Err(error) => {
                Err(self.run.fail(FailureKind::Lost, format!("on the side that was chosen: {error}")))
            }
        }
    }

    /// A disk of the side that was given up is wiped and becomes a new member. Unless the side `is_sound`, it
    /// continued without more disks than it bears to lose. Names and contents happened to be readable, other
    /// records may be lost.
    fn take_back(
        &mut self,
        other: Set<usize>,
        state: &Model,
        is_sound: bool,
        rng: &mut Rng,
    ) -> Result<(), Failure> {
        let members: Vec<usize> = other.iter().collect();
        let place = self.run.places[*rng.pick(&members)];
        let mut entropy = rng.fork("taken-back");
        let mounted = self.try_mount(MountMode::ReadWrite, None, |run, pool| {
            run.take_in(pool, place, is_sound, &mut entropy).map(|taken| (taken, model::observe(pool)))
        });
        let (taken, found) = self.mounted(mounted)??;
        if taken {
            self.run.hit(Probe::SideReturned);
        }
        self.compare(state, found)
    }
}

impl Run {
    /// Makes a disk a new member, whatever is on it, and does the upkeep. False where there is no room for
    /// it, or not all of the pool is there.
    fn take_in(
        &self,
        pool: &mut Mounted<'_>,
        place: usize,
        is_sound: bool,
        entropy: &mut Rng,
    ) -> Result<bool, Failure> {
        let was_witness =
            (0..self.members()).any(|member| self.places[member] == place && self.atlas.is_witness(member));
        let disk = DiskOptions::new().witness(was_witness);
        let options = AddOptions::new().force(true).disk(disk);
        let is_lost =
            |error: &Error| !is_sound && matches!(error, Error::Storage(StorageError::NodeUnreadable { .. }));
        match pool.add_disk(DiskIndex(place), entropy, &options) {
            Ok(_) => {}
            Err(MemberError::Pool(error)) if is_lost(&error) => return Ok(false),
            Err(MemberError::TableFull | MemberError::Pool(Error::Storage(StorageError::NoSpace))) => {
                return Ok(false);
            }
            Err(error) => {
                let what = format!("a disk of the other side does not become a new member: {error}");
                return Err(self.fail(FailureKind::Unavailable, what));
            }
        }
        for _ in 0..STEPS_MAX {
            match pool.maintain(true) {
                Ok(Work::Nothing) => return Ok(true),
                Ok(_) => {}
                Err(error) if is_lost(&error) => return Ok(false),
                Err(error) => {
                    return Err(self.fail(FailureKind::Restless, format!("upkeep after a choice: {error}")));
                }
            }
        }
        Err(self.fail(FailureKind::Restless, "upkeep after a choice does not end"))
    }
}
