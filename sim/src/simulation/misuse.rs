//! Calls in an unusual order that the API permits. Each is done or refused, and changes nothing that it does
//! not say.
//!
//! | call | what it may do |
//! |---|---|
//! | upkeep, a check, a job's order inside a transaction | be refused; what the transaction holds stays as it is |
//! | abort without a transaction | nothing |
//! | a transaction after one that was forgotten | be refused, or begin; it has nothing of the forgotten one |
//! | use of an object by its number after it was deleted | say that there is none |

use super::fault::FaultKind;
use super::probe::Probe;
use super::report::{EventKind, Failure, FailureKind};
use super::run::{Flow, Mounted, Run};
use crate::model::{self, Model};
use crate::workload::Operation;
use crate::{Rng, SimArray};
use dynamicfs_core::ReadObjects;
use dynamicfs_core::Transaction;
use dynamicfs_core::error::{Error, StorageError};
use dynamicfs_core::maintain::{JobKind, JobOptions, JobState, Progress};
use dynamicfs_core::object::{Attributes, MakeRequest, Objects};
use dynamicfs_core::types::ObjectId;

/// Deleted objects that are remembered.
const DELETED_MAX: usize = 16;

/// A call that has no place inside a transaction.
const CALLS: [&str; 6] = ["upkeep", "maintain", "check", "count", "start a job", "pause a job"];

/// Makes the call, and says whether it was done.
fn call(objects: &mut Objects<'_, &mut SimArray>, what: &str, rng: &mut Rng) -> bool {
    let kind = *rng.pick(&JobKind::ALL);
    let progress = &mut Progress::new(1 << 14);
    match what {
        "upkeep" => objects.upkeep(rng.coin()).is_ok(),
        "maintain" => objects.maintain(progress, true).is_ok(),
        "check" => {
            let mut report = Default::default();
            let contents = objects.check_contents(&mut report, |_| {});
            contents.and_then(|()| objects.check_space(&mut [0; 1 << 14], &mut report, |_| {})).is_ok()
        }
        "count" => objects.count_extents().is_ok(),
        "start a job" => objects.start_job(progress, kind, JobOptions::default()).is_ok(),
        _ => objects.set_job_state(progress, kind, JobState::Paused).is_ok(),
    }
}

impl Run {
    /// In the midst of a transaction something is called that has no place there: what the transaction holds is still what it
    /// should be.
    pub(super) fn misuse_within(
        &mut self,
        transaction: &mut Transaction<'_, '_, &mut SimArray>,
        model: &Model,
        rng: &mut Rng,
    ) -> Result<(), Failure> {
        if !self.swarm.is_on(FaultKind::Misuse) || self.atlas.is_beyond() || !rng.chance(1, 8) {
            return Ok(());
        }
        let what = *rng.pick(&CALLS);
        self.counts.faults.hit(FaultKind::Misuse);
        let done = call(transaction.internals_mut(), what, rng);
        if transaction.array().halted().is_some() {
            return Ok(());
        }
        if !done {
            self.hit(Probe::MisuseRefused);
        }
        let array = transaction.array();
        self.tell(array, EventKind::Maintain, None, || {
            format!("{what} inside a transaction: {}", if done { "done" } else { "refused" })
        });
        match model::observe(transaction) {
            Ok(found) => model.difference(&found).map_or(Ok(()), |difference| {
                Err(self.fail(FailureKind::WrongAnswer, format!("{what} inside a transaction: {difference}")))
            }),
            // The transaction is told to be dropped, or disks fail: what it comes to is seen at its end.
            Err(_) => Ok(()),
        }
    }

    /// Between two transactions: one is forgotten, or dropped that never was.
    pub(super) fn misuse_between(&mut self, pool: &mut Mounted<'_>, rng: &mut Rng) -> Result<Flow, Failure> {
        if !self.swarm.is_on(FaultKind::Misuse) || self.atlas.is_beyond() || !rng.chance(1, 6) {
            return Ok(Flow::On);
        }
        self.counts.faults.hit(FaultKind::Misuse);
        if rng.coin() {
            let before = pool.health();
            pool.internals_mut().abort();
            if pool.array().halted().is_none() && pool.health().generation != before.generation {
                return Err(
                    self.fail(FailureKind::WrongState, "abort without a transaction changed the state")
                );
            }
            return Ok(Flow::On);
        }
        let name = b"forgotten";
        let begun = pool.begin().and_then(|mut transaction| {
            // Whether it goes well or not, it is not dropped.
            let plain = Attributes::default();
            let made = transaction.create(ObjectId::ROOT, name, &MakeRequest::File, &plain);
            std::mem::forget(transaction);
            made
        });
        if let Err(error @ (Error::Storage(_) | Error::Unreadable { .. })) = begun {
            return self.refused_change(pool, error, "a transaction that is forgotten");
        }
        let array = pool.array();
        self.tell(array, EventKind::Commit, None, || "a transaction is forgotten".into());
        self.after_forgetting(pool, name)
    }

    /// A transaction after one that was forgotten has nothing of it; where it is refused, what reads has
    /// nothing of it.
    fn after_forgetting(&mut self, pool: &mut Mounted<'_>, name: &[u8]) -> Result<Flow, Failure> {
        let next = pool.begin().and_then(|transaction| transaction.commit().map(|_| ()));
        match next {
            Ok(()) => {}
            Err(Error::Storage(
                StorageError::TooFewDisks { .. }
                | StorageError::OutcomeUnknown
                | StorageError::ReadOnly
                | StorageError::NoSpaceBelow { .. }
                | StorageError::RefusedBelow { .. },
            )) => return Ok(Flow::End),
            Err(_) => {}
        }
        if pool.array().halted().is_some() {
            return Ok(Flow::End);
        }
        match pool.lookup(ObjectId::ROOT, name) {
            Ok(_) => {
                Err(self
                    .fail(FailureKind::WrongAnswer, "a forgotten transaction was committed by the next one"))
            }
            Err(_) => {
                self.hit(Probe::Forgotten);
                Ok(Flow::On)
            }
        }
    }

    /// The objects before an operation that may delete some, where they are remembered.
    pub(super) fn objects_before(&self, model: &Model) -> Vec<u64> {
        match self.swarm.is_on(FaultKind::Misuse) {
            true => model.nodes.keys().chain(model.unnamed.keys()).copied().collect(),
            false => Vec::new(),
        }
    }

    /// Remembers what an operation deleted.
    pub(super) fn note_deleted(&mut self, before: &[u64], after: &Model) {
        if after.nodes.len() + after.unnamed.len() < before.len() {
            self.deleted.extend(before.iter().filter(|&&object| after.node(object).is_none()));
            let many = self.deleted.len().saturating_sub(DELETED_MAX);
            self.deleted.drain(..many);
        }
    }

    /// The same operation on an object that was deleted, now and then.
    pub(super) fn on_deleted(&mut self, operation: Operation, model: &Model, rng: &mut Rng) -> Operation {
        if self.deleted.is_empty() || !rng.chance(1, 8) {
            return operation;
        }
        let deleted = ObjectId(*rng.pick(&self.deleted));
        if model.node(deleted.0).is_some() {
            return operation;
        }
        self.hit(Probe::DeletedUsed);
        self.counts.faults.hit(FaultKind::Misuse);
        match operation {
            Operation::Write { offset, data, .. } => Operation::Write { object: deleted, offset, data },
            Operation::Truncate { size, .. } => Operation::Truncate { object: deleted, size },
            Operation::Punch { offset, bytes, .. } => Operation::Punch { object: deleted, offset, bytes },
            Operation::Pin { .. } => Operation::Pin { object: deleted },
            Operation::SetAttribute { name, value, mode, .. } => {
                Operation::SetAttribute { object: deleted, name, value, mode }
            }
            Operation::RemoveAttribute { name, .. } => Operation::RemoveAttribute { object: deleted, name },
            Operation::Create { name, .. } => Operation::Create { directory: deleted, name },
            Operation::Link { directory, name, .. } => Operation::Link { object: deleted, directory, name },
            other => other,
        }
    }

    /// A deleted object is not there, whatever of it still waits to be freed. What was found may have another of the same
    /// number: the transaction that made and deleted this one was dropped.
    pub(super) fn read_deleted(&self, pool: &mut Mounted<'_>, found: &Model) -> Result<(), Failure> {
        for &object in &self.deleted {
            if found.nodes.contains_key(&object) || self.oracle.current().unnamed.contains_key(&object) {
                continue;
            }
            let read = pool.read(ObjectId(object), 0, &mut [0; 64]);
            if pool.array().halted().is_some() {
                break;
            }
            if let Ok(bytes) = read {
                let what = format!("{bytes} bytes of object {object} were read after it was deleted");
                return Err(self.fail(FailureKind::WrongAnswer, what));
            }
        }
        Ok(())
    }
}
