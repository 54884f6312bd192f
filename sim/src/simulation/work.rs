//! What a session does with a mounted pool, one step after the other.

use super::fault::FaultKind;
use super::probe::Probe;
use super::report::{EventKind, Failure, FailureKind};
use super::run::{Doing, Flow, Mounted, Run, counted, in_words};
use crate::SimArray;
use crate::model::Contents;
use crate::workload::{self, Operation};
use crate::{Rng, model};
use dynamicfs_core::Transaction;
use dynamicfs_core::disks::{Currency, DiskStatus};
use dynamicfs_core::error::{Error, StorageError};
use dynamicfs_core::maintain::{JobKind, JobState, Work};
use dynamicfs_core::types::{DiskIndex, Generation, ObjectId, Set};
use dynamicfs_hal::IoError;
use std::sync::Arc;

/// What a commit is called where something is refused.
const COMMIT: &str = "commit";

/// What a transaction is called that begins with deleting something: a full pool must allow it.
const RELEASE: &str = "unlink";

/// Steps of upkeep in a row at most.
const UPKEEP_STEPS: u64 = 6;

/// What became of a transaction.
enum Outcome {
    /// It is durable: its generation, and how many operations it has.
    Committed(Generation, u64),
    /// It was undone on purpose.
    Dropped,
    /// The pool did not do what it was asked: which of it, and why.
    Refused(Error, String),
}

/// What the operations of a transaction came to.
enum Done {
    /// It is to be committed: how many they were, and whether the first of them deletes something.
    Kept { count: u64, deletes: bool },
    /// It is to be dropped.
    Left(Outcome),
}

impl Run {
    /// Works until the session ends.
    pub(super) fn work(&mut self, pool: &mut Mounted<'_>) -> Result<(), Failure> {
        while let Some(mut rng) = self.next_step() {
            let flow = match rng.below(100) {
                0..46 => match self.transact(pool, &mut rng)? {
                    // Where steps are short there are many, with all that happens in between.
                    Flow::On if self.setup.step_bytes.is_some() => self.upkeep(pool, &mut rng)?,
                    flow => flow,
                },
                46..52 => self.upkeep(pool, &mut rng)?,
                52..55 => self.trim(pool, &mut rng)?,
                55..60 => Flow::End,
                60..76 => self.arm(pool, &mut rng),
                76..90 => self.fault(pool, &mut rng)?,
                90..95 => self.examine(pool)?,
                _ => self.lifecycle(pool, &mut rng)?,
            };
            if flow == Flow::End || pool.array().halted().is_some() {
                break;
            }
            self.check_ledger(pool)?;
        }
        Ok(())
    }

    /// Sets the fuse to some I/O from now on.
    fn arm(&mut self, pool: &mut Mounted<'_>, rng: &mut Rng) -> Flow {
        let (power, process) = (FaultKind::PowerCut, FaultKind::ProcessCrash);
        if !self.swarm.is_on(power) && !self.swarm.is_on(process) {
            return Flow::On;
        }
        let halt = self.draw_halt(rng);
        let array = pool.array();
        let within = *rng.pick(&[1, 8, 30, 100, 300]);
        array.halt_at(array.steps() + rng.below(within), halt);
        Flow::On
    }

    /// One fault, at once or when no pool is mounted.
    fn fault(&mut self, pool: &mut Mounted<'_>, rng: &mut Rng) -> Result<Flow, Failure> {
        let Some(kind) = self.swarm.pick(rng) else { return Ok(Flow::On) };
        let needs_rest = matches!(
            kind,
            FaultKind::Replaced
                | FaultKind::ReplacedSmaller
                | FaultKind::Foreign
                | FaultKind::Cloned
                | FaultKind::Swapped
                | FaultKind::WellFormedLie
                | FaultKind::Enlarged
        );
        if needs_rest || kind != FaultKind::ExchangedDisk && rng.chance(1, 4) {
            self.waiting.push((kind, rng.clone()));
            return Ok(Flow::End);
        }
        self.inject(pool.array(), kind, rng);
        match kind {
            // The next commit is to tell of it, before anything is rebuilt.
            FaultKind::SetBack => self.transact(pool, rng),
            _ => Ok(Flow::On),
        }
    }

    /// A transaction of random operations, committed or dropped.
    pub(super) fn transact(&mut self, pool: &mut Mounted<'_>, rng: &mut Rng) -> Result<Flow, Failure> {
        self.doing = Doing::Committing;
        if self.misuse_between(pool, &mut rng.fork("misuse"))? == Flow::End {
            return Ok(Flow::End);
        }
        let (orderly, before) = (self.is_orderly(pool), pool.health().generation.0);
        let (generation, operations) = match self.change(pool, rng)? {
            Outcome::Dropped => return Ok(Flow::On),
            Outcome::Refused(error, what) => return self.refused_change(pool, error, &what),
            Outcome::Committed(generation, operations) => (generation, operations),
        };
        self.oracle.acknowledge();
        self.counts.commits += 1;
        self.counts.operations += operations;
        let owed = pool.health().owed;
        if owed > self.bears() && !self.atlas.is_beyond() {
            let what = format!("a commit is acknowledged that {owed} members lack");
            return Err(self.fail(FailureKind::WrongState, what));
        }
        self.look_for_specials(pool);
        self.note_order(orderly, pool, before + 1..=generation.0);
        let offline = self.offline(pool);
        if !offline.minus(self.atlas.missed_commits()).is_empty() {
            self.hit(Probe::CommitWithoutDisk);
        }
        self.went_on_without(pool, offline);
        let array = pool.array();
        self.tell(array, EventKind::Commit, None, || {
            format!("commit {} with {}", generation.0, counted(operations, "operation"))
        });
        Ok(Flow::On)
    }

    /// Does the operations of a transaction on the pool and on the model, and commits.
    fn change(&mut self, pool: &mut Mounted<'_>, rng: &mut Rng) -> Result<Outcome, Failure> {
        let mut transaction = match pool.begin() {
            Ok(transaction) => transaction,
            Err(error) => return Ok(Outcome::Refused(error, "begin".into())),
        };
        self.oracle.settle();
        let mut changed = (**self.oracle.current()).clone();
        let done = self.change_within(&mut transaction, &mut changed, rng)?;
        let outcome = match done {
            Done::Kept { count, deletes } => {
                self.oracle.send(Arc::new(changed.clone()));
                match transaction.commit() {
                    Ok(generation) => {
                        if std::mem::take(&mut self.is_full) && deletes {
                            self.hit(Probe::DeleteOnFullPool);
                        }
                        return Ok(Outcome::Committed(generation, count));
                    }
                    Err(error) => Outcome::Refused(error, COMMIT.into()),
                }
            }
            Done::Left(outcome) => outcome,
        };
        self.oracle.keep_pins(&changed);
        Ok(outcome)
    }

    /// Does the operations of a transaction, on the pool and on the model.
    fn change_within(
        &mut self,
        transaction: &mut Transaction<'_, '_, &mut SimArray>,
        changed: &mut model::Model,
        rng: &mut Rng,
    ) -> Result<Done, Failure> {
        let most = self.workload.operations.min(self.id.operations.unwrap_or(u64::MAX)).max(1);
        let (count, kept) = (1 + rng.below(most), !rng.chance(1, 12));
        let (mut deletes, mut rescaled) = (false, None);
        for number in 0..count {
            let mut rng = rng.fork_at("operation", number);
            let operation = match number == 0 && self.is_full && rng.coin() {
                true => unlink_any(changed, &mut rng),
                false => (self.workload.next)(changed, &self.setup.scale, &mut rng),
            };
            let operation = match rescaled {
                Some(object) => on_object(operation, object),
                None => self.on_deleted(operation, changed, &mut rng),
            };
            if (self.is_blurred || self.atlas.has_lied()) && is_about_pins(&operation) {
                // The model is not told what comes of it.
                continue;
            }
            deletes |= number == 0 && matches!(operation, Operation::Unlink { .. });
            let did = model::apply(transaction, &operation);
            if let Err(error @ (Error::Storage(_) | Error::Unreadable { .. })) = did {
                let releases = number == 0 && matches!(operation, Operation::Unlink { .. });
                let what = if releases { RELEASE.to_owned() } else { describe(&operation) };
                return Ok(Done::Left(Outcome::Refused(error, what)));
            }
            if let Some(break_it) = self.breakage.in_transaction {
                break_it(transaction.internals_mut());
            }
            if self.is_blurred || self.atlas.has_lied() {
                continue;
            }
            let before = self.objects_before(changed);
            self.look_for_operation(&operation, did.is_ok(), changed);
            let should = changed.apply(&operation, did.ok().flatten());
            if did != should {
                let what = format!("{}: {did:?} instead of {should:?}", describe(&operation));
                return Err(self.fail(FailureKind::WrongAnswer, what));
            }
            self.note_deleted(&before, changed);
            let mut own = rng.fork("another scheme");
            rescaled = match self.change_scheme_within(transaction, &operation, &mut own) {
                Ok(object) => object,
                Err(error) => return Ok(Done::Left(Outcome::Refused(error, "another scheme".into()))),
            };
            self.misuse_within(transaction, changed, &mut rng)?;
        }
        match kept && !self.is_blurred && !self.atlas.has_lied() {
            true => Ok(Done::Kept { count, deletes }),
            false => Ok(Done::Left(Outcome::Dropped)),
        }
    }

    /// What has been seen when an operation was done on what this model holds.
    fn look_for_operation(&mut self, operation: &Operation, done: bool, model: &model::Model) {
        let probe = match operation {
            _ if !done => return,
            Operation::Punch { .. } => Probe::Punched,
            Operation::Move { .. } => Probe::Moved,
            Operation::Link { object, .. } if model.unnamed.contains_key(&object.0) => Probe::NamedLater,
            _ => return,
        };
        self.hit(probe);
    }

    /// A change was not made: what that means for what is there, and whether it may be.
    pub(super) fn refused_change(
        &mut self,
        pool: &mut Mounted<'_>,
        error: Error,
        what: &str,
    ) -> Result<Flow, Failure> {
        let halted = pool.array().halted();
        let unknown = error == Error::Storage(StorageError::OutcomeUnknown);
        let array = pool.array();
        if let Some(halt) = halted {
            // The answer was lost.
            self.tell(array, EventKind::Crash, None, || format!("{} during: {what}", in_words(halt)));
            return Ok(Flow::End);
        }
        self.tell(array, EventKind::Commit, None, || format!("{what}: {error}"));
        let storage = match error {
            Error::Storage(error) => error,
            _ if self.atlas.is_beyond() => StorageError::NoSpace,
            // What cannot be read any more with the disks that are left.
            _ if self.is_excused() => StorageError::ReadOnly,
            _ => return Err(self.fail(FailureKind::Lost, format!("{what}: {error}"))),
        };
        if what == COMMIT && !unknown {
            self.oracle.undone();
        }
        if let Err(kind) = self.may_answer(storage) {
            return Err(self.fail(kind, format!("{what}: {error}")));
        }
        if self.is_excused() {
            self.hit(Probe::SuperblockBatchRefused);
        }
        match storage {
            StorageError::NoSpace => self.refused_space(pool, what),
            StorageError::OutcomeUnknown => {
                self.hit(Probe::OutcomeUnknown);
                self.stands_still(pool)
            }
            StorageError::TooFewDisks { .. } => {
                self.hit(Probe::CommitTooFewDisks);
                Ok(Flow::End)
            }
            // The next transaction finds room, and all disks in use.
            StorageError::NoSpaceBelow { disk } | StorageError::RefusedBelow { disk } => {
                self.hit(match storage {
                    StorageError::RefusedBelow { .. } => Probe::RefusedBelow,
                    _ => Probe::NoSpaceBelow,
                });
                // A fault of another kind may have met it since.
                let health = pool.member_health(disk);
                let is_of_system = matches!(health.last_error, Some(IoError::NoSpace | IoError::Refused));
                if health.status == DiskStatus::Failed && is_of_system {
                    let what = format!("{what}: disk {disk} is out of use, though the system was to blame");
                    return Err(self.fail(FailureKind::Unavailable, what));
                }
                Ok(Flow::On)
            }
            // The next transaction continues without that disk.
            StorageError::Exchanged { .. } => Ok(Flow::On),
            _ => Ok(Flow::End),
        }
    }

    /// After a commit of unknown outcome nothing is written until the next mount.
    fn stands_still(&mut self, pool: &mut Mounted<'_>) -> Result<Flow, Failure> {
        match pool.begin().map(|_| ()) {
            Err(Error::Storage(StorageError::OutcomeUnknown)) => Ok(Flow::End),
            began => {
                let what = format!("a transaction begins after a commit of unknown outcome: {began:?}");
                Err(self.fail(FailureKind::WrongAnswer, what))
            }
        }
    }

    /// There is no space: that is so only where little is free, and never for deleting.
    fn refused_space(&mut self, pool: &mut Mounted<'_>, what: &str) -> Result<Flow, Failure> {
        self.hit(Probe::NoSpace);
        self.is_full = true;
        if self.swarm.is_on(FaultKind::NoSpace) {
            self.counts.faults.hit(FaultKind::NoSpace);
        }
        // Where all disks failed at once there is none to take space from.
        if !self.atlas.is_whole() || self.is_excused() {
            return Ok(Flow::On);
        }
        if what == COMMIT {
            return Err(self.fail(FailureKind::Space, "a commit found no space for what was accepted"));
        }
        if what == RELEASE {
            return Err(self.fail(FailureKind::Space, "nothing can be deleted: no space left"));
        }
        let (health, scheme) = (pool.health(), self.setup.format.scheme);
        // All that the transaction may have written; this may be the last of it.
        let written = self.setup.scale.write_bytes * self.workload.operations;
        let needed = written * scheme.width() as u64 / u64::from(scheme.data);
        let free = health.free_blocks * u64::from(health.block_bytes);
        // Where one disk has grown the others may be full.
        let is_empty = |member: usize| {
            let health = pool.member_health(DiskIndex(self.places[member]));
            health.free_blocks >= health.blocks / 4 * 3
        };
        let are_even = self.counts.probes.of(Probe::Grown) == 0 || self.active().into_iter().all(is_empty);
        if health.free_blocks > health.blocks / 4 * 3 && needed < free / 4 && are_even {
            let what =
                format!("{what}: no space with {} of {} blocks free", health.free_blocks, health.blocks);
            return Err(self.fail(FailureKind::Space, what));
        }
        Ok(Flow::On)
    }

    /// Some bounded steps of upkeep.
    fn upkeep(&mut self, pool: &mut Mounted<'_>, rng: &mut Rng) -> Result<Flow, Failure> {
        self.doing = Doing::Maintaining;
        for _ in 0..=rng.below(UPKEEP_STEPS) {
            if let Some(break_it) = self.breakage.before_repair
                && pool.health().repairs_waiting > 0
            {
                break_it(pool.array());
            }
            self.vanish_before_leaving(pool, rng);
            self.upkept = pool.health().generation;
            self.break_rebuild(pool);
            match pool.maintain(rng.chance(3, 4)) {
                Ok(Work::Nothing) => {
                    self.look_for_rest(pool);
                    break;
                }
                Ok(work) => self.worked(work, pool)?,
                Err(error) => {
                    self.unsure_of_debts = true;
                    return self.refused_change(pool, error, "maintain");
                }
            }
        }
        Ok(Flow::On)
    }

    /// After a commit: these members are owed it, and those that were set back what they lack.
    fn went_on_without(&mut self, pool: &Mounted<'_>, offline: Set<usize>) {
        let holding = self.holding(pool, offline);
        self.atlas.missed(holding);
        self.owe_what_went_back(pool);
    }

    /// What a broken world does before a rebuild continues.
    pub(super) fn break_rebuild(&self, pool: &mut Mounted<'_>) {
        let Some(break_it) = self.breakage.before_rebuild else { return };
        if matches!(pool.job(JobKind::Rebuild), Ok(Some(job)) if job.state == JobState::Running) {
            break_it(pool.array());
        }
    }

    pub(super) fn worked(&mut self, work: Work, pool: &mut Mounted<'_>) -> Result<(), Failure> {
        if pool.array().halted().is_some() {
            // A step that only reads does not notice.
            self.unsure_of_debts = true;
            return Ok(());
        }
        if pool.internals().store.committed().sweep_limit() != 0 {
            self.hit(Probe::SweepWindows);
        }
        // A step that only read has left no member behind.
        let generation = pool.health().generation;
        if std::mem::replace(&mut self.upkept, generation) != generation {
            self.went_on_without(pool, self.offline(pool));
        }
        let (probe, kind) = match work {
            Work::Repaired => (Probe::Repaired, EventKind::Repair),
            Work::Reaped => (Probe::Reaped, EventKind::Maintain),
            Work::Swept => (Probe::Swept, EventKind::Maintain),
            Work::Advanced(kind) => return self.advanced(kind, pool),
            Work::Changed => {
                self.members_changed(pool);
                return Ok(());
            }
            _ => return Ok(()),
        };
        self.hit(probe);
        let array = pool.array();
        self.tell(array, kind, None, || probe.story().trim_end_matches('.').to_lowercase());
        Ok(())
    }
}

impl Run {
    /// A job took a step; perhaps its last.
    fn advanced(&mut self, kind: JobKind, pool: &mut Mounted<'_>) -> Result<(), Failure> {
        let Ok(Some(job)) = pool.job(kind) else { return Ok(()) };
        if !matches!(job.state, JobState::Complete | JobState::Waiting) {
            if self.setup.step_bytes.is_some() && !self.atlas.missed_commits().is_empty() {
                self.hit(Probe::ShortSteps);
            }
            return Ok(());
        }
        let probe = match kind {
            JobKind::Rebuild => Probe::Rebuilt,
            JobKind::Scrub => Probe::Scrubbed,
            JobKind::Rebalance => Probe::Rebalanced,
            JobKind::Recount => Probe::Recounted,
        };
        self.hit(probe);
        self.members_changed(pool);
        // What it says of itself is put to the test: others may be lost from here on.
        let is_owed = |member: &usize| {
            let health = pool.member_health(DiskIndex(self.places[*member]));
            health.owed || health.status != DiskStatus::Online
        };
        let owed = self.atlas.members().iter().filter(is_owed).collect::<Set<usize>>();
        let cleared = self.atlas.missed_commits().minus(owed).minus(self.atlas.rotten());
        self.atlas.owed(owed);
        self.give_up_rebuilt(pool);
        let array = pool.array();
        self.tell(array, EventKind::Repair, None, || probe.story().to_lowercase());
        self.prove_cleared(pool, cleared)
    }

    /// Members are not owed any more what they had missed, and nothing else was ever done to them: all that they should have is
    /// there.
    fn prove_cleared(&mut self, pool: &mut Mounted<'_>, cleared: Set<usize>) -> Result<(), Failure> {
        if cleared.is_empty() || self.atlas.is_beyond() || self.oracle.is_sending() {
            return Ok(());
        }
        let Some(map) = self.map(pool.array()) else { return Ok(()) };
        self.audit(pool.array(), &map, cleared, "a member is cleared")?;
        self.hit(Probe::ClearedProved);
        Ok(())
    }

    /// There is nothing left to do: if no disk is damaged in any way, all of them may be damaged again.
    fn look_for_rest(&mut self, pool: &mut Mounted<'_>) {
        if self.atlas.is_beyond() || self.atlas.is_whole() || !self.atlas.missed_commits().is_empty() {
            return;
        }
        // What a failed flush left in the cache can be read, and goes with the power. After a lie that is
        // more than the disk said.
        let calm = self.active().into_iter().all(|member| {
            let disk = pool.array().disk(self.places[member]);
            self.shelf[member].is_none() && disk.is_calm() && !disk.has_doomed()
        });
        let health = pool.health();
        // What one lost that it had acknowledged is owed to it from the next commit on.
        let is_current = |&member: &usize| {
            pool.member_health(DiskIndex(self.places[member])).currency == Currency::Current
        };
        let are_current = self.active().iter().all(is_current);
        if !calm || !self.offline(pool).is_empty() || health.owed > 0 || !are_current || !self.are_equal(pool)
        {
            return;
        }
        let (findings, done) = super::examine::findings(pool);
        if done.is_ok() && findings.is_empty() {
            self.atlas.clean();
            self.hit(Probe::WholeAgain);
            let array = pool.array();
            self.tell(array, EventKind::Heal, None, || "all is whole again".into());
        }
    }
}

/// An operation in a few words, without its data.
pub(super) fn describe(operation: &Operation) -> String {
    let text = |name: &[u8]| String::from_utf8_lossy(&name[..name.len().min(12)]).into_owned();
    match operation {
        Operation::Write { object, offset, data } => {
            format!("write {} bytes at {offset} of object {}", data.len(), object.0)
        }
        Operation::SetAttribute { object, name, value, mode } => {
            let (name, bytes) = (text(name), value.len());
            format!("set attribute {name} of object {} to {bytes} bytes ({mode:?})", object.0)
        }
        Operation::Symlink { directory, name, target } => {
            format!("symlink {} in {} to {} bytes", text(name), directory.0, target.len())
        }
        Operation::Create { directory, name } => format!("create {} in {}", text(name), directory.0),
        Operation::MakeDirectory { directory, name } => {
            format!("make directory {} in {}", text(name), directory.0)
        }
        Operation::Unlink { directory, name } => format!("unlink {} in {}", text(name), directory.0),
        Operation::Link { object, directory, name } => {
            format!("link object {} as {} in {}", object.0, text(name), directory.0)
        }
        Operation::Rename { from, from_name, to, to_name, mode } => {
            let (from_name, to_name) = (text(from_name), text(to_name));
            format!("rename {from_name} in {} to {to_name} in {} ({mode:?})", from.0, to.0)
        }
        Operation::Truncate { object, size } => format!("truncate object {} to {size} bytes", object.0),
        Operation::Punch { object, offset, bytes } => {
            format!("punch {bytes} bytes at {offset} of object {}", object.0)
        }
        Operation::Zero { object, offset, bytes } => {
            format!("zero {bytes} bytes at {offset} of object {}", object.0)
        }
        Operation::Move { from, from_offset, to, to_offset, bytes } => {
            format!("move {bytes} bytes at {from_offset} of object {} to {to_offset} of {}", from.0, to.0)
        }
        Operation::CreateUnnamed => "create without a name".into(),
        Operation::Pin { object } => format!("pin object {}", object.0),
        Operation::Unpin { object } => format!("unpin object {}", object.0),
        Operation::RemoveAttribute { object, name } => {
            format!("remove attribute {} of object {}", text(name), object.0)
        }
        Operation::CreateAll { path } => format!("make directories {}", of_path(path)),
        Operation::WriteFile { path, data } => {
            format!("write file {} of {} bytes", of_path(path), data.len())
        }
        Operation::RemoveAll { path } => format!("remove all of {}", of_path(path)),
    }
}

/// The names of a path, long ones cut.
fn of_path(path: &[u8]) -> String {
    let names =
        path.split(|&byte| byte == b'/').map(|name| String::from_utf8_lossy(&name[..name.len().min(12)]));
    names.collect::<Vec<_>>().join("/")
}

/// The same change of contents, of this object.
fn on_object(operation: Operation, object: ObjectId) -> Operation {
    match operation {
        Operation::Write { offset, data, .. } => Operation::Write { object, offset, data },
        Operation::Truncate { size, .. } => Operation::Truncate { object, size },
        Operation::Punch { offset, bytes, .. } => Operation::Punch { object, offset, bytes },
        other => other,
    }
}

/// Whether it holds or lets go of something.
const fn is_about_pins(operation: &Operation) -> bool {
    matches!(operation, Operation::CreateUnnamed | Operation::Pin { .. } | Operation::Unpin { .. })
}

/// Deletes something that is there.
fn unlink_any(model: &model::Model, rng: &mut Rng) -> Operation {
    let entries = |(&directory, node): (&u64, &Arc<model::Node>)| match &node.contents {
        Contents::Directory(entries) => {
            entries.keys().map(|name| (ObjectId(directory), name.clone())).collect()
        }
        _ => Vec::new(),
    };
    let mut names: Vec<_> = model.nodes.iter().flat_map(entries).collect();
    if names.is_empty() {
        names.push((ObjectId::ROOT, b"nothing".to_vec()));
    }
    let (directory, name) = rng.pick(&names).clone();
    Operation::Unlink { directory, name }
}

/// A random operation with the run's own randomness.
pub(super) fn random(model: &model::Model, scale: &workload::Scale, rng: &mut Rng) -> Operation {
    workload::random(model, scale, &mut |n| rng.below(n.max(1)))
}
