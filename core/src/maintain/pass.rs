//! One walk of the tree for all maintenance: every node and extent is met, judged, and put right. In bounded steps, each a
//! transaction.
//!
//! What is wanting is computed from the records themselves and the members as they are now. A rebuild is over when a whole
//! pass finds nothing that it can put right: that pass is the recount.

use super::standing::Standing;
use super::verdict::{Indices, NodeVerdict, Verdict, judge, judge_node};
use crate::error::{Error, StorageError};
use crate::format::job::{FailedWhat, Job, JobKind, JobState};
use crate::format::key::{Key, Kind};
use crate::format::record::MemberRecord;
use crate::limits::EXTENT_BYTES_MIN;
use crate::object::{Found, Mended, Objects};
use crate::transaction::Purpose;
use crate::tree::{Met, Walk};
use crate::types::{Generation, MemberSet};
use core::ops::ControlFlow;
use dynamicfs_hal::DiskArray;

/// Windows full of data that one step reads or moves.
const WINDOWS_PER_STEP: u64 = 16;

/// Steps that change nothing after which a job writes down how far it is.
const STEPS_UNSAVED: u32 = 4;

/// Tree updates that writing a way through the tree anew takes.
const REFRESH_UPDATES: u32 = 2;

/// What is left of a step.
struct Budget {
    blocks: u64,
    /// Whether the transaction has changed anything.
    changed: bool,
}

impl Budget {
    const fn spend(&mut self, blocks: u64) {
        self.blocks = self.blocks.saturating_sub(blocks);
    }
}

impl<A: DiskArray> Objects<'_, A> {
    /// One step of a job, in a transaction of its own.
    pub(super) fn advance(&mut self, before: Job) -> Result<(), Error> {
        self.ahead = None;
        let (mut job, mut at) = (before, None);
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
            self.store.load_members()?;
            self.tried = Some(self.store.roster().changes);
        }
        Ok(())
    }

    /// A step failed at this key. If what is there is damaged, the next step ends before it, and the one after that, which
    /// begins there, passes it over.
    fn step_failed(&mut self, mut job: Job, error: Error, key: Key) -> Result<(), Error> {
        let damaged = matches!(
            error,
            Error::Unreadable { .. }
                | Error::Storage(StorageError::NodeUnreadable { .. } | StorageError::RecordInvalid { .. })
        );
        if !damaged {
            return Err(error);
        }
        if job.stop != Some(key) || job.position < key {
            job.stop = Some(key);
        } else {
            (job.stop, job.position) = (None, key.successor());
            self.alone(|objects| {
                objects.put_failed(&mut job, FailedWhat::Extent, key)?;
                objects.put_job(&job).map(|()| true)
            })?;
        }
        self.ahead = Some(job);
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
            || job.absent
            || !owed.is_subset_of(online) && owed.and(online).is_empty();
        let prune = if full { Generation(0) } else { self.first_missed(owed.and(online))? };
        let rows = self.store.tree.holding_rows();
        let superblock = &self.store.tree.space.superblock;
        let used = |row: usize| {
            let blocks = self.store.tree.area(row).map_or(0, |area| area.blocks);
            blocks.saturating_sub(superblock.row(row).free())
        };
        let total = rows.iter().map(used).sum::<u64>().saturating_sub(superblock.dead_blocks());
        *job = Job {
            prune,
            began: self.store.tree.generation,
            position: Key::MIN,
            found: 0,
            healed: 0,
            failed: 0,
            short: 0,
            done: 0,
            total: if prune.0 == 0 { total } else { 0 },
            stop: None,
            ..*job
        };
        Ok(())
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

    // --- a step -----------------------------------------------------------------------------------------------

    /// Goes on with a pass; whether the transaction changed anything. On an error, the key of what it met.
    fn pass_step(&mut self, job: &mut Job) -> Result<bool, (Error, Option<Key>)> {
        let at_nothing = |error: StorageError| (Error::from(error), None);
        let standing = Standing::read(&mut self.store, job.absent).map_err(at_nothing)?;
        let window = (self.store.window.len() as u64) >> self.store.tree.disks.parameters.block_shift;
        let mut budget = Budget { blocks: (WINDOWS_PER_STEP * window).max(1), changed: false };
        if job.kind == JobKind::Scrub && job.position == Key::MIN {
            let mended = self.store.mend_labels() as u64;
            (job.found, job.healed) = (job.found + mended, job.healed + mended);
        }
        let mut walk = Walk::from(job.position, job.prune);
        while budget.blocks > 0 {
            let met = match self.store.tree.walk(&mut walk) {
                Ok(Some(met)) => met,
                Ok(None) => {
                    self.end_pass(job).map_err(|error| (error, None))?;
                    return Ok(true);
                }
                Err(StorageError::NodeUnreadable { .. }) => {
                    let lost = self.put_failed(job, FailedWhat::Node, job.position);
                    lost.map_err(|error| (error, None))?;
                    budget.changed = true;
                    job.position = walk.position().unwrap_or(Key::MAX);
                    continue;
                }
                Err(error) => return Err((error.into(), None)),
            };
            let refreshed = self.pass_node(job, &standing, &met, &mut budget);
            if refreshed.map_err(|error| (error, None))? || met.level > 0 {
                continue;
            }
            if !self.pass_leaf(job, &standing, &met, &mut budget)? {
                break;
            }
            walk.go_on(met.end);
        }
        Ok(budget.changed)
    }

    /// A node: whether it, and all above it, was written anew. The walk meets it again then.
    fn pass_node(
        &mut self,
        job: &mut Job,
        standing: &Standing,
        met: &Met,
        budget: &mut Budget,
    ) -> Result<bool, Error> {
        let (replicas, wanted) = (met.pointer.replicas(), self.store.tree.copies_wanted());
        if met.pointer.birth == self.store.tree.generation {
            return Ok(false);
        }
        job.done += replicas.len() as u64;
        budget.spend(1);
        let verdict = judge_node(replicas, met.pointer.birth, wanted, standing);
        let mut wanting = verdict == NodeVerdict::Refresh;
        if job.kind == JobKind::Scrub {
            budget.spend(replicas.len() as u64);
            for (i, address) in replicas.iter().enumerate() {
                let disk = self.store.tree.disks.disk_of(address.member);
                if let Some(disk) = disk
                    && !self.store.tree.is_replica_right(&met.pointer, met.level, i)?
                {
                    self.store.tree.disks.note_checksum_error(disk);
                    wanting = true;
                }
            }
        }
        if !wanting {
            job.short += u64::from(verdict == NodeVerdict::Short);
            return Ok(false);
        }
        job.found += 1;
        match self.begin_change(REFRESH_UPDATES, Purpose::Release) {
            Err(Error::Storage(StorageError::NoSpace)) => return Ok(false),
            begun => begun?,
        }
        self.change(|objects| Ok(objects.store.refresh(&met.from)?))?;
        budget.spend(u64::from(self.store.tree.level) + 1);
        (budget.changed, job.healed) = (true, job.healed + 1);
        self.store.tree.counters.repairs += 1;
        Ok(true)
    }

    /// The extents of a leaf; false when the step ends before the last of them.
    fn pass_leaf(
        &mut self,
        job: &mut Job,
        standing: &Standing,
        met: &Met,
        budget: &mut Budget,
    ) -> Result<bool, (Error, Option<Key>)> {
        let (mut from, end) = (met.from, met.end.unwrap_or(Key::MAX));
        loop {
            let next = self.store.tree.scan(&from, &end, |key, _| match key.kind() {
                kind if kind == Kind::Extent as u8 && key.offset().is_multiple_of(EXTENT_BYTES_MIN) => {
                    ControlFlow::Break(*key)
                }
                _ => ControlFlow::Continue(()),
            });
            let Some(key) = next.map_err(|error| (error.into(), None))? else { break };
            if job.stop == Some(key) && key > job.position {
                job.position = key;
                return Ok(false);
            }
            let passed = self.pass_extent(job, standing, key, budget);
            passed.map_err(|error| (error, Some(key)))?;
            from = key.successor();
            job.position = from;
            if budget.blocks == 0 {
                return Ok(false);
            }
        }
        job.position = end;
        Ok(true)
    }

    fn pass_extent(
        &mut self,
        job: &mut Job,
        standing: &Standing,
        key: Key,
        budget: &mut Budget,
    ) -> Result<(), Error> {
        let (object, start) = (key.object(), key.offset());
        let found: Found = self.extent_at(object, start)?;
        let block_shift = self.store.tree.disks.parameters.block_shift;
        let blocks = u64::from(found.extent.fragment_blocks(block_shift));
        let width = found.extent.scheme.width() as u64;
        job.done += blocks * width;
        budget.spend(1);
        let mut wrong = Indices::new();
        if job.kind == JobKind::Scrub {
            budget.spend(blocks * width);
            wrong.extend(self.prove_stripe(object, &found)?.iter().map(|index| index as u8));
        }
        let mended = match judge(&found.extent, standing, block_shift, &wrong) {
            Verdict::Keep => return Ok(()),
            Verdict::Short => {
                job.short += 1;
                return Ok(());
            }
            Verdict::Stuck => Mended::NoSpace,
            Verdict::Move(bad) => {
                budget.spend(blocks * bad.len() as u64);
                self.move_fragments(object, &found, &bad)?
            }
            Verdict::Encode(_) => {
                budget.spend(blocks * width);
                self.store_again(object, &found)?
            }
        };
        budget.changed = true;
        match mended {
            Mended::Done => {
                (job.found, job.healed) = (job.found + 1, job.healed + 1);
                self.store.tree.counters.repairs += 1;
                for &index in &wrong {
                    let member = found.extent.fragments()[usize::from(index)].address.member;
                    if let Some(disk) = self.store.tree.disks.disk_of(member) {
                        self.store.tree.disks.note_repair(disk);
                    }
                }
            }
            Mended::Lost => self.put_failed(job, FailedWhat::Extent, key)?,
            Mended::NoSpace | Mended::NoMemory | Mended::Gone => job.found += 1,
        }
        Ok(())
    }

    // --- the end ----------------------------------------------------------------------------------------------

    /// All was met: whether there is another pass, and what the pool can say of itself if there is none. Part of a
    /// transaction.
    fn end_pass(&mut self, job: &mut Job) -> Result<(), Error> {
        // A forged record may have counted anything.
        let left = job.found.saturating_sub(job.healed).saturating_sub(job.failed.into());
        if job.kind == JobKind::Rebuild && job.healed > 0 && job.found < job.found_before {
            let found = job.found;
            self.begin_pass(job)?;
            job.found_before = found;
            return Ok(());
        }
        let recounted = job.kind == JobKind::Rebuild && job.healed == 0 && left == 0;
        if recounted {
            self.settle_debts(job)?;
        }
        let complete = if job.kind == JobKind::Rebuild { recounted } else { left == 0 };
        job.state = if complete { JobState::Complete } else { JobState::Incomplete };
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
        let given_up = match (job.short > 0, job.absent) {
            (true, _) => MemberSet::EMPTY,
            (false, true) => superblock.table(),
            (false, false) => roster.failed,
        };
        // What came after the pass began may have come after what it met.
        let mut settled = MemberSet::EMPTY;
        for row in owed.or(roster.emptied).and(online.or(given_up)).iter() {
            let key = Key::member(self.store.tree.space.member(row));
            let is_settled = self.store.tree.with(&key, |record| {
                record.and_then(MemberRecord::new).is_some_and(|record| {
                    record.offline_since() < job.began.0
                        && record.untrusted().all(|span| span.end <= job.began)
                })
            })?;
            settled = if is_settled { settled.with(row) } else { settled };
        }
        let acquitted = owed.and(settled);
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
