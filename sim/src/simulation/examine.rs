//! What must hold of a mounted pool at any moment.

use super::oracle::Found;
use super::probe::Probe;
use super::report::{EventKind, Failure, FailureKind};
use super::run::{Doing, Flow, Mounted, Run};
use crate::model::{self, Contents, LoadError, Model, Node};
use crate::states;
use crate::world::free_in_open_group;
use dynamicfs_core::disks::condition::Condition;
use dynamicfs_core::disks::events::Happening;
use dynamicfs_core::disks::{Currency, DiskStatus};
use dynamicfs_core::error::Error;
use dynamicfs_core::maintain::Finding;
use dynamicfs_core::space::Class;
use dynamicfs_core::types::{DiskIndex, ObjectId};
use std::sync::Arc;

/// Findings that are looked at; more of them say the same.
const FINDINGS_MAX: usize = 64;

impl Run {
    /// Compares everything with the oracle, proves every block, and asks whether health tells the truth.
    pub(super) fn examine(&mut self, pool: &mut Mounted<'_>) -> Result<Flow, Failure> {
        let (mounted, crashed) = (self.doing == Doing::Mounting, self.depth > 0);
        if self.atlas.is_beyond() {
            return self.examine_beyond(pool);
        }
        if self.is_let_off(pool) {
            return Ok(Flow::End);
        }
        let generation = pool.health().generation;
        if self.mapped != generation
            && let Some(map) = self.map(pool.array())
        {
            self.check_placement(&map)?;
            self.mapped = generation;
        }
        let found = match model::observe(pool) {
            Ok(found) => found,
            Err(error) => return self.unreadable(pool, &error),
        };
        let health = pool.health();
        match self.oracle.judge(&found, !health.tentative) {
            Ok(Found::Acknowledged) => {}
            Ok(Found::Backward) => self.hit(Probe::RolledBackward),
            Ok(Found::Forward) => self.hit(Probe::RolledForward),
            Err(what) if mounted => return Err(self.fail(FailureKind::WrongState, what)),
            Err(what) => return Err(self.fail(FailureKind::WrongAnswer, what)),
        }
        let flow = self.check(pool)?;
        if flow == Flow::End || self.check_members(pool)? == Flow::End {
            return Ok(Flow::End);
        }
        self.check_health(pool, &found)?;
        self.check_held(pool)?;
        self.read_deleted(pool, &found)?;
        if self.atlas.scattered_members() > 1 {
            self.hit(Probe::ScatteredDamage);
        }
        if health.counters.decodes > 0 {
            self.hit(Probe::Decoded);
        }
        if health.counters.hedged_reads > 0 {
            self.hit(Probe::HedgedRead);
        }
        if self.offline(pool).len() == self.setup.tolerance() && self.setup.tolerance() > 0 {
            self.hit(Probe::ReadWithAllLost);
        }
        if mounted {
            self.refusals = 0;
            self.open_ledger(pool);
            if health.writable && !health.tentative && (self.mount_committed() || self.is_owed_already(pool))
            {
                self.owe_what_went_back(pool);
            }
            if std::mem::take(&mut self.served) {
                self.hit(Probe::ServedIsDurable);
            }
            let array = pool.array();
            self.tell(array, EventKind::Mount, None, || {
                format!("mounted generation {}, checked", health.generation.0)
            });
        }
        if crashed {
            self.counts.cycles += 1;
            self.depth = 0;
        }
        self.doing = Doing::Checking;
        Ok(Flow::On)
    }

    fn unreadable(&mut self, pool: &mut Mounted<'_>, error: &LoadError) -> Result<Flow, Failure> {
        // Or it lies on a disk that failed meanwhile, as it may.
        if pool.array().halted().is_some() || self.is_excused() && !self.offline(pool).is_empty() {
            return Ok(Flow::End);
        }
        Err(self.fail(FailureKind::Lost, error.to_string()))
    }

    /// All replicas, fragments and blocks: what is wrong must be on a disk that was damaged.
    fn check(&mut self, pool: &mut Mounted<'_>) -> Result<Flow, Failure> {
        let (findings, done) = findings(pool);
        if pool.array().halted().is_some() {
            return Ok(Flow::End);
        }
        for finding in &findings {
            let hurt = |member: u16| self.atlas.is_hurt(member.into());
            let (excused, kind) = match finding {
                Finding::NodeReplica { address } => {
                    self.counts.probes.hit(Probe::ReplicaNamed);
                    (hurt(address.member.0) || self.atlas.is_scattered(*address, 1), FailureKind::Lost)
                }
                Finding::Fragment { address, .. } => {
                    self.counts.probes.hit(Probe::FragmentNamed);
                    // A fragment's length is not told; one block of it is enough.
                    let blocks =
                        u64::from(self.setup.format.extent_bytes / self.setup.format.block_bytes).max(1);
                    (hurt(address.member.0) || self.atlas.is_scattered(*address, blocks), FailureKind::Lost)
                }
                Finding::SharedMember { .. } => (false, FailureKind::Health),
                Finding::Deficit { .. } | Finding::NodeDeficit { .. } => {
                    (!self.atlas.is_whole(), FailureKind::Health)
                }
                Finding::NodeLost { .. } | Finding::ExtentLost { .. } | Finding::RecordInvalid { .. } => {
                    (false, FailureKind::Lost)
                }
                _ => (false, FailureKind::Space),
            };
            if !excused {
                return Err(self.fail(kind, format!("{finding:?}")));
            }
        }
        match done {
            Ok(()) => self.check_room(pool).map(|()| Flow::On),
            Err(error) => Err(self.fail(FailureKind::Lost, format!("the check ended early: {error}"))),
        }
    }

    /// What is said to be free in the open groups is what their bitmaps say.
    fn check_room(&self, pool: &Mounted<'_>) -> Result<(), Failure> {
        let space = &pool.internals().store.tree.space;
        let open = pool
            .internals()
            .store
            .tree
            .holding_rows()
            .iter()
            .flat_map(|row| Class::ALL.map(|class| (row, class)));
        for (row, class) in open.filter(|&(row, class)| space.open_group(row, class).is_some()) {
            let (counted, found) = (space.room(row, class), free_in_open_group(space, row.0, class));
            if counted != found {
                let what = format!(
                    "the open group for {class:?} in row {row} has {found} free blocks, {counted} are counted"
                );
                return Err(self.fail(FailureKind::Space, what));
            }
        }
        Ok(())
    }

    /// A shortfall that exists is reported, and one that is reported exists.
    fn check_health(&mut self, pool: &mut Mounted<'_>, found: &Model) -> Result<(), Failure> {
        let health = pool.health();
        if self.unsure_of_debts {
            self.give_up_rebuilt(pool);
            self.forgive_draining();
        }
        for member in self.active() {
            let place = self.places[member];
            let is = pool.member_health(DiskIndex(place));
            let whole = self.shelf[member].is_none();
            match is.status {
                DiskStatus::Foreign => self.hit(Probe::ForeignDisk),
                DiskStatus::Unlabelled => self.hit(Probe::UnlabelledDisk),
                _ => {}
            }
            match is.currency {
                Currency::Stale if whole => self.hit(Probe::StaleDisk),
                Currency::RolledBack if whole => self.hit(Probe::RolledBackDisk),
                _ => {}
            }
            let is_sound = !self.atlas.is_hurt(member) && !self.is_excused();
            if is_sound && (is.status != DiskStatus::Online || is.owed) {
                let what =
                    format!("member {member} is sound and reported as {:?}, owed {}", is.status, is.owed);
                return Err(self.fail(FailureKind::Health, what));
            }
            let missed = self.atlas.missed_commits().contains(member);
            if missed && is.status == DiskStatus::Online && !is.owed {
                // The commit that it missed may have been the one that emptied it.
                if self.unsure_of_debts || !self.may_hold(member) {
                    self.atlas.forgive(member);
                } else if whole {
                    let what = format!("member {member} missed a commit and is reported as whole");
                    return Err(self.fail(FailureKind::Health, what));
                }
            }
        }
        // A disk that is away does not tell what it is owed: one asks again when it is back.
        let away = self.offline(pool).and(self.atlas.missed_commits());
        self.unsure_of_debts &= !away.is_empty();
        if !self.offline(pool).is_empty() {
            self.hit(Probe::MountedWithout);
        }
        self.look_for_slow_disks(pool);
        let missed = self.atlas.missed_commits().len();
        let extents = match pool.count_extents() {
            Ok(extents) => extents,
            Err(_) if pool.array().halted().is_some() => return Ok(()),
            Err(error) => return Err(self.fail(FailureKind::Lost, format!("extents not counted: {error}"))),
        };
        let wrong = if health.objects != found.nodes.len() as u64 {
            Some(format!("{} objects are counted, there are {}", health.objects, found.nodes.len()))
        } else if health.content_bytes != bytes_of(found) {
            Some(format!("{} bytes are counted, there are {}", health.content_bytes, bytes_of(found)))
        } else if self.atlas.is_whole() && health.extents != extents.total {
            Some(format!("{} extents are counted, there are {}", health.extents, extents.total))
        } else if health.owed < missed {
            Some(format!("{missed} members missed commits, {} are reported", health.owed))
        } else if self.atlas.is_whole()
            && (health.owed > 0 || health.tentative && !self.is_excused() && self.are_equal(pool))
        {
            Some(format!("nothing is missing: owed {}, tentative {}", health.owed, health.tentative))
        } else if extents.unreadable > 0 && self.atlas.is_borne() {
            // Else what lies on a member that was left behind counts as lost until a rebuild has proved it.
            Some(format!("{} extents are called unreadable", extents.unreadable))
        } else if self.atlas.is_whole() && extents.complete != extents.total {
            Some(format!("nothing is missing: {extents:?}"))
        } else {
            None
        };
        wrong.map_or(Ok(()), |what| Err(self.fail(FailureKind::Health, what)))
    }

    /// What has no name and is held is as it should be, and what is not held is gone.
    fn check_held(&mut self, pool: &mut Mounted<'_>) -> Result<(), Failure> {
        let model = self.oracle.current().clone();
        for (&object, node) in &model.unnamed {
            let found = match model::observe_node(pool, ObjectId(object)) {
                Ok(found) => found,
                Err(error) => return self.unreadable(pool, &error).map(|_| ()),
            };
            if **node != found {
                let what = format!("object {object}, held without a name, is not as it was");
                return Err(self.fail(FailureKind::WrongAnswer, what));
            }
            self.hit(Probe::Held);
        }
        Ok(())
    }

    /// Whether all disks have the same newest state, each of them in both rings, and nothing that cannot be read or was cut
    /// short.
    pub(super) fn are_equal(&self, pool: &mut Mounted<'_>) -> bool {
        let array = pool.array();
        let places: Vec<usize> = self.active().into_iter().map(|member| self.places[member]).collect();
        let is_plain = |&place: &usize| {
            let disk = array.disk(place);
            disk.is_sound() && !states::has_torn_slot(disk) && states::newest_slots(disk).len() > 1
        };
        if !places.iter().all(is_plain) {
            return false;
        }
        // One that was set back between two claims has the same state and lacks a claim.
        let newest =
            |&place: &usize| states::newest_slot(array.disk(place)).map(|slot| (slot.order, slot.claim));
        let mut states = places.iter().map(newest);
        let first = states.next();
        states.all(|state| Some(state) == first)
    }

    /// What a pool tells of its disks.
    pub(super) fn look_for_events(&mut self, pool: &mut Mounted<'_>) {
        while let Some(event) = pool.next_event() {
            match event.what {
                Happening::Condition { condition: Condition::Degraded(_), .. } => {
                    self.hit(Probe::DiskDegraded)
                }
                Happening::Condition { condition: Condition::Failed(_), .. } => {
                    self.hit(Probe::FailedByErrors)
                }
                _ => {}
            }
        }
    }

    /// A slow disk is read less than the others.
    fn look_for_slow_disks(&mut self, pool: &mut Mounted<'_>) {
        let reads: Vec<u64> =
            self.places.iter().map(|&place| pool.member_health(DiskIndex(place)).counters.reads).collect();
        let most = reads.iter().copied().max().unwrap_or(0);
        for (member, reads) in reads.into_iter().enumerate() {
            let place = self.places[member];
            let slow = pool.array().disk(place).latency().request_us >= super::inject::SLOW_US;
            if slow && reads > 0 && most > 100 && reads * 2 < most {
                self.hit(Probe::SlowDiskAvoided);
            }
        }
    }
}

/// What a complete check finds, and whether it came to its end.
pub(super) fn findings(pool: &mut Mounted<'_>) -> (Vec<Finding>, Result<(), Error>) {
    let mut findings = Vec::new();
    let mut keep = |finding: Option<&Finding>| {
        if findings.len() < FINDINGS_MAX {
            findings.extend(finding.copied());
        }
    };
    let mut report = Default::default();
    let done = pool
        .check_contents(&mut report, &mut keep)
        .and_then(|()| pool.check_space(&mut [0; 1 << 14], &mut report, &mut keep));
    (findings, done)
}

/// Bytes of contents, as the pool counts them.
fn bytes_of(model: &Model) -> u64 {
    let bytes = |node: &Arc<Node>| match &node.contents {
        Contents::File(bytes) | Contents::Symlink(bytes) => bytes.len() as u64,
        Contents::Directory(_) => 0,
    };
    model.nodes.values().map(bytes).sum()
}
