//! One walk of the tree for all maintenance: every node and extent is met, judged, and put right. In bounded steps, each a
//! transaction.
//!
//! What is wanting is computed from the records themselves and the members as they are now. A rebuild is over when a whole
//! pass finds nothing that it can put right: that pass is the recount.

use crate::disks::events::Happening;
use crate::error::{Error, StorageError};
use crate::format::job::{FailedWhat, Job, JobKind, JobState};
use crate::format::key::Key;
use crate::format::record::MemberRecord;
use crate::object::Objects;
use crate::transaction::Purpose;
use crate::types::{Generation, MemberSet};
use dynamicfs_hal::DiskArray;

/// Steps that change nothing after which a job writes down how far it is.
const STEPS_UNSAVED: u32 = 4;

impl<A: DiskArray> Objects<'_, A> {
    /// One step of a job, in a transaction of its own.
    pub(super) fn advance(&mut self, before: Job) -> Result<(), Error> {
        self.ahead = None;
        let (mut job, mut at, owed) = (before, None, self.store.committed().owed());
        let saved = self.alone(|objects| {
            let changed = objects.pass_step(&mut job).map_err(|(error, key)| {
                at = key;
                error
            })?;
            job.unsaved += 1;
            if !changed && job.state == JobState::Running && job.unsaved < STEPS_UNSAVED {
                return Ok(false);
            }
            job.unsaved = 0;
            match objects.put_job(&job) {
                // It goes on from where it was, which does no harm.
                Err(Error::Storage(StorageError::NoSpace)) if job.state == JobState::Running => Ok(true),
                saved => saved.map(|()| true),
            }
        });
        match (saved, at) {
            (Err(error), Some(key)) => return self.step_failed(before, error, key),
            (saved, _) => _ = saved?,
        }
        self.ahead = (job.state == JobState::Running).then_some(job);
        if job.state != JobState::Running {
            let disks = &mut self.store.tree.disks;
            disks.tell(Happening::Job { kind: job.kind, state: job.state });
            self.tell_rebuilt(owed);
            self.store.load_members()?;
            if job.kind == JobKind::Rebuild {
                self.tried = Some(self.store.roster().changes);
            }
        }
        Ok(())
    }

    /// A step failed at this key. If what is there is damaged, the next step ends before it, and the one after that, which
    /// begins there, passes it over.
    fn step_failed(&mut self, mut job: Job, error: Error, key: Key) -> Result<(), Error> {
        let damaged = match error {
            Error::Unreadable { .. } => true,
            Error::Storage(error) => error.is_loss(),
            _ => false,
        };
        let too_little = matches!(error, Error::Storage(StorageError::NeedsMemory { .. }));
        if job.kind == JobKind::Recount && (damaged || too_little) {
            // What a node held that is lost is not known: nothing is called free then.
            (job.state, job.ended) = (JobState::Incomplete, self.store.tree.disks.now().seconds);
            return match damaged {
                true => self.save_failed(&mut job, FailedWhat::Node, key),
                false => self.save_job(|_| Ok(job)),
            };
        }
        if !damaged {
            return Err(error);
        }
        if job.stop != Some(key) || job.position < key {
            job.stop = Some(key);
        } else {
            (job.stop, job.position) = (None, key.successor());
            self.save_failed(&mut job, FailedWhat::Extent, key)?;
        }
        self.ahead = Some(job);
        Ok(())
    }

    /// Lists something that is lost, and says how far the job is, in a transaction of its own.
    fn save_failed(&mut self, job: &mut Job, what: FailedWhat, key: Key) -> Result<(), Error> {
        self.alone(|objects| {
            objects.put_failed(job, what, key)?;
            objects.put_job(job).map(|()| true)
        })?;
        Ok(())
    }

    /// Begins a pass: from the first key, over what the members that are owed something may have missed, or over all.
    pub(super) fn begin_pass(&mut self, job: &mut Job) -> Result<(), Error> {
        self.clear_failed(job.kind)?;
        let superblock = &self.store.tree.space.superblock;
        let roster = *self.store.roster();
        let (owed, online) = (superblock.owed(), self.store.tree.disks.online());
        let full = job.kind != JobKind::Rebuild
            || superblock.is_short()
            || !roster.emptied.or(roster.failed).is_empty()
            || job.options.absent
            || !owed.is_subset_of(online) && owed.and(online).is_empty();
        let prune = if full { Generation(0) } else { self.first_missed(owed.and(online))? };
        let total = match job.kind {
            JobKind::Recount => self.blocks_of_holders(|_, blocks| blocks),
            _ if prune.0 > 0 => 0,
            _ => {
                let superblock = &self.store.tree.space.superblock;
                let used =
                    self.blocks_of_holders(|row, blocks| blocks.saturating_sub(superblock.row(row).free()));
                used.saturating_sub(superblock.dead_blocks())
            }
        };
        *job = Job {
            prune,
            began: self.store.tree.generation,
            total,
            healed_before: job.healed_before + job.healed,
            found_before: job.found_before,
            ..Job::new(job.kind, job.options, job.started)
        };
        Ok(())
    }

    /// A sum over the members that may hold something, by their rows and blocks.
    fn blocks_of_holders(&self, f: impl Fn(usize, u64) -> u64) -> u64 {
        let rows = self.store.tree.holding_rows();
        rows.iter().filter_map(|row| Some(f(row, self.store.tree.area(row)?.blocks))).sum()
    }

    /// Begins the pass of a rebuild that is under way or paused again, over everything: what it has met was judged by what the
    /// members were then. Part of a transaction.
    pub(super) fn restart_rebuild(&mut self) -> Result<(), Error> {
        let Some(mut job) = self.job(JobKind::Rebuild)? else { return Ok(()) };
        if !matches!(job.state, JobState::Running | JobState::Paused) {
            return Ok(());
        }
        self.begin_pass(&mut job)?;
        (job.state, job.prune, job.found_before) = (JobState::Running, Generation(0), u64::MAX);
        self.ahead = None;
        self.put_job(&job)
    }

    /// The first generation of which one of these members may lack something.
    fn first_missed(&mut self, rows: MemberSet) -> Result<Generation, Error> {
        let mut first = self.store.tree.generation;
        for row in rows.iter() {
            let key = Key::member(self.store.tree.space.member(row));
            let missed = self.store.tree.with(&key, |record| {
                let record = MemberRecord::new(record?)?;
                record.untrusted().map(|span| span.start).min()
            })?;
            first = first.min(missed.unwrap_or(Generation(0)));
        }
        Ok(first)
    }

    // --- the end ----------------------------------------------------------------------------------------------

    /// All was met: whether there is another pass, and what the pool can say of itself if there is none. Part of a
    /// transaction.
    pub(super) fn end_pass(&mut self, job: &mut Job) -> Result<(), Error> {
        // A forged record may have counted anything.
        let left = job.found.saturating_sub(job.healed).saturating_sub(job.failed.into());
        if job.kind.is_repeated() && job.healed > 0 && job.found < job.found_before {
            let found = job.found;
            self.begin_pass(job)?;
            job.found_before = found;
            return Ok(());
        }
        // A repeated job is over when a whole pass finds nothing.
        let complete = left == 0 && (job.healed == 0 || !job.kind.is_repeated());
        job.state = if complete { JobState::Complete } else { JobState::Incomplete };
        match job.kind {
            JobKind::Rebuild if complete => {
                self.settle_debts(job)?;
                let here = self.store.tree.disks.online().or(self.store.roster().failed);
                if !self.store.unhealed().is_subset_of(here) {
                    job.state = JobState::Waiting;
                }
            }
            // Some of it was given a scheme that the disks there are cannot hold in full.
            JobKind::Rebalance if job.short > 0 => self.store.tree.space.superblock.set_short(true),
            _ => {}
        }
        job.position = Key::MAX;
        job.ended = self.store.tree.disks.now().seconds;
        Ok(())
    }

    /// A whole pass found nothing that could be put right: who is owed nothing any more, and who holds nothing any more.
    fn settle_debts(&mut self, job: &Job) -> Result<(), Error> {
        let roster = *self.store.roster();
        let superblock = &self.store.tree.space.superblock;
        let (owed, online) = (superblock.owed(), self.store.tree.disks.online());
        // Where something is short for want of disks, those that are away still owe it.
        let given_up = match (job.short > 0, job.options.absent) {
            (true, _) => MemberSet::EMPTY,
            (false, true) => superblock.table(),
            (false, false) => roster.failed,
        };
        // What came after the pass began may have come after what it met.
        let mut settled = MemberSet::EMPTY;
        let doubted = owed.or(roster.doubted);
        for row in doubted.or(roster.emptied).and(online.or(given_up)).iter() {
            let key = Key::member(self.store.tree.space.member(row));
            let is_settled = self.store.tree.with(&key, |record| {
                record.and_then(MemberRecord::new).is_some_and(|record| {
                    record.offline_since() < job.began.0
                        && record.untrusted().all(|span| span.end <= job.began)
                })
            })?;
            settled = if is_settled { settled.with(row) } else { settled };
        }
        let acquitted = doubted.and(settled);
        // What is lost may still be wanted from a member that has a piece of it.
        let emptied = if job.failed == 0 { roster.emptied.and(settled) } else { MemberSet::EMPTY };
        self.begin_change(2 * (acquitted.len() + emptied.len()) as u32 + 1, Purpose::Release)?;
        self.change(|objects| {
            objects.store.acquit(acquitted)?;
            for row in emptied.iter() {
                objects.store.emptied(row)?;
            }
            objects.store.tree.space.superblock.set_short(job.short > 0);
            Ok(())
        })
    }

    /// Whether something is wanting that a rebuild could put right, and none was tried since the members last changed.
    pub(super) fn is_rebuild_due(&self) -> bool {
        let superblock = self.store.committed();
        let roster = self.store.roster();
        let owed = superblock.owed().and(self.store.tree.disks.online().or(roster.failed));
        let wanting = !owed.is_empty() || !roster.emptied.is_empty() || superblock.is_short();
        wanting && self.tried != Some(roster.changes)
    }
}
