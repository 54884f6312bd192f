//! One walk of the tree for all maintenance: every node and extent is met, judged, and put right. In bounded steps, each a
//! transaction.
//!
//! What is wanting is computed from the records themselves and the members as they are now. A rebuild is over when a whole
//! pass finds nothing that it can put right: that pass is the recount.

use super::job::Lost;
use super::progress::{Progress, Tried};
use crate::disks::events::Happening;
use crate::error::Code;
use crate::format::job::{FailedWhat, Job, JobKind, JobState};
use crate::format::key::Key;
use crate::format::record::MemberRecord;
use crate::object::Objects;
use crate::transaction::Purpose;
use crate::types::{Generation, Row, Set};
use dynamicfs_hal::DiskArray;

/// Steps that change nothing after which a job writes down how far it is.
const STEPS_UNSAVED: u32 = 4;

/// Passes that may find no less than the one before and still be followed by another.
const PASSES_MAX: u32 = 4;

/// Steps that may fail one after the other at what a step stands on, before the job ends.
const FAILURES_MAX: u32 = 3;

impl<A: DiskArray> Objects<'_, A> {
    /// One step of a job, in a transaction of its own.
    pub(super) fn advance(&mut self, progress: &mut Progress, before: Job) -> Result<(), Code> {
        progress.ahead = None;
        let (mut job, mut at, owed) = (before, None, self.store.committed().owed());
        let saved = self.alone(|objects| {
            let changed = objects.pass_step(progress, &mut job).map_err(|(error, key)| {
                at = key;
                error
            })?;
            (job.unsaved, job.failures) = (job.unsaved + 1, 0);
            if !changed && job.state == JobState::Running && job.unsaved < STEPS_UNSAVED {
                return Ok(false);
            }
            job.unsaved = 0;
            match objects.put_job(&job) {
                // It goes on from where it was, which does no harm.
                Err(Code::NoSpace) if job.state == JobState::Running => Ok(true),
                saved => saved.map(|()| true),
            }
        });
        if let Err(error) = saved {
            return self.step_failed(progress, before, error, at);
        }
        progress.ahead = (job.state == JobState::Running).then_some(job);
        match job.state {
            JobState::Running => Ok(()),
            _ => self.job_ended(progress, &job, owed),
        }
    }

    /// A job came to its end, which is committed.
    fn job_ended(&mut self, progress: &mut Progress, job: &Job, owed: Set<Row>) -> Result<(), Code> {
        self.store.tree.disks.tell(Happening::Job { kind: job.kind, state: job.state });
        self.tell_rebuilt(owed);
        self.store.reload_members();
        if job.kind == JobKind::Rebuild {
            let changes = self.store.roster().changes;
            let is_fruitless = job.healed_before + job.healed == 0;
            let patience = match progress.tried {
                Some(tried) if is_fruitless => tried.patience.saturating_mul(2),
                _ => Tried::PATIENCE,
            };
            let room = match job.state {
                JobState::Incomplete => self.blocks_unused().saturating_add(patience),
                _ => u64::MAX,
            };
            progress.tried = Some(Tried { changes, room, patience });
        }
        Ok(())
    }

    /// Blocks that nothing refers to, of the members that are given something; among them those that a sweep gives back.
    fn blocks_unused(&self) -> u64 {
        let superblock = self.store.committed();
        let free: u64 = self.store.tree.data_rows().iter().map(|row| superblock.row(row).free()).sum();
        free.saturating_add(superblock.dead_blocks())
    }

    /// A step failed, at this key if it is known. If that part is damaged, the next step ends before it. The
    /// step after that begins there and skips it, and nothing is called complete then. Where a step cannot be
    /// made at all, the job ends after a few.
    // Not part of its caller, whose stack would hold it in steps that do not fail.
    #[inline(never)]
    fn step_failed(
        &mut self,
        progress: &mut Progress,
        mut job: Job,
        error: Code,
        at: Option<Key>,
    ) -> Result<(), Code> {
        let damaged = error.is_loss_or_unreadable();
        let too_little = matches!(error, Code::NeedsMemory);
        let ends = too_little && job.kind == JobKind::Recount;
        if !(damaged || ends) {
            return Err(error);
        }
        if let Some(key) = at
            && job.kind != JobKind::Recount
        {
            if job.stop != Some(key) || job.position < key {
                job.stop = Some(key);
            } else {
                (job.stop, job.position) = (None, key.successor());
                self.save_failed(&mut job, FailedWhat::Extent, key)?;
            }
            progress.ahead = Some(job);
            return Ok(());
        }
        job.failures += 1;
        if damaged && job.failures < FAILURES_MAX {
            progress.ahead = Some(job);
            return Err(error);
        }
        // For a recount: what a node held that is lost is not known, and nothing is called free then.
        (job.state, job.ended) = (JobState::Incomplete, self.store.tree.disks.now().seconds);
        let (owed, position) = (self.store.committed().owed(), job.position);
        match damaged {
            true => self.save_failed(&mut job, FailedWhat::Node, position)?,
            false => self.save_job(progress, |_| Ok(job))?,
        }
        progress.ahead = None;
        self.job_ended(progress, &job, owed)
    }

    /// Lists something that is lost, and says how far the job is, in a transaction of its own.
    fn save_failed(&mut self, job: &mut Job, what: FailedWhat, key: Key) -> Result<(), Code> {
        self.alone(|objects| {
            objects.put_failed(job, what, key)?;
            objects.put_job(job).map(|()| true)
        })?;
        Ok(())
    }

    /// Begins a pass: from the first key, over what the members that are owed something may have missed, or over all.
    pub(super) fn begin_pass(&mut self, job: &mut Job) -> Result<(), Code> {
        self.clear_failed(job.kind)?;
        let superblock = &self.store.tree.space.superblock;
        let roster = *self.store.roster();
        let (owed, online) = (superblock.owed(), self.store.tree.disks.online());
        let full = job.kind != JobKind::Rebuild
            || superblock.is_short()
            || !roster.draining.or(roster.failed).is_empty()
            || job.options.absent
            || !owed.is_subset_of(online) && owed.and(online).is_empty();
        let prune =
            if full { Generation(0) } else { self.first_missed(owed.or(roster.distrusted).and(online))? };
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
            whole: job.whole,
            has_read_record: job.has_read_record || job.unread > 0,
            ..Job::new(job.kind, job.options, job.started)
        };
        Ok(())
    }

    /// A sum over the members that may hold something, by their rows and blocks.
    fn blocks_of_holders(&self, f: impl Fn(Row, u64) -> u64) -> u64 {
        let rows = self.store.tree.holding_rows();
        rows.iter().filter_map(|row| Some(f(row, self.store.tree.area(row)?.blocks))).sum()
    }

    /// Begins the pass of a running or paused rebuild again, over everything. It judged earlier extents by
    /// the members of that time. Part of a transaction.
    pub(super) fn restart_rebuild(&mut self, progress: &mut Progress) -> Result<(), Code> {
        let Some(mut job) = self.job(progress, JobKind::Rebuild)? else { return Ok(()) };
        if !matches!(job.state, JobState::Running | JobState::Paused) {
            return Ok(());
        }
        self.begin_pass(&mut job)?;
        (job.state, job.prune, job.found_before) = (JobState::Running, Generation(0), u64::MAX);
        progress.ahead = None;
        self.put_job(&job)
    }

    /// The first generation whose data one of these members may lack.
    fn first_missed(&mut self, rows: Set<Row>) -> Result<Generation, Code> {
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
    ///
    /// Skipped items may need repair, and lost items may be readable the next time. A pass that met such
    /// items is never complete and clears no member. Another follows as long as passes find less and less.
    pub(super) fn end_pass(&mut self, progress: &mut Progress, job: &mut Job) -> Result<(), Code> {
        // A forged record may have counted anything.
        let left = job.found.saturating_sub(job.healed).saturating_sub(job.failed.into());
        let is_wanting = job.healed > 0 || job.failed > 0;
        let finds_less = job.found < job.found_before;
        // All that it met is right now, some of it perhaps because of what went wrong in the pass before.
        let is_tried_again = left == 0 && job.failed == 0 && job.passes < PASSES_MAX;
        if job.kind.is_repeated() && is_wanting && (finds_less || is_tried_again) {
            let (found, passes) = (job.found, job.passes + u32::from(!finds_less));
            self.begin_pass(job)?;
            (job.found_before, job.passes) = (found, passes);
            return Ok(());
        }
        let mut complete = left == 0
            && match job.kind {
                // What it found lost it has looked at, and lists.
                JobKind::Scrub => !self.has_passed_over(job)?,
                // A repeated job is over when a whole pass finds nothing.
                _ => !is_wanting,
            };
        let mut is_waiting = false;
        if job.kind == JobKind::Rebuild && complete {
            match self.settle_debts(job)? {
                Debts::Later => {
                    self.begin_pass(job)?;
                    job.found_before = u64::MAX;
                    return Ok(());
                }
                Debts::Left => complete = false,
                Debts::Settled => {}
            }
            let here = self.store.tree.disks.online().or(self.store.roster().failed);
            is_waiting = !self.store.unhealed().is_subset_of(here);
        }
        let now = self.store.tree.disks.now().seconds;
        if job.kind == JobKind::Scrub {
            is_waiting = job.unread > 0;
            if !is_waiting && !self.has_passed_over(job)? {
                job.whole = now;
            }
        }
        if job.kind == JobKind::Rebalance && job.short > 0 {
            // Some of it was given a scheme that the disks there are cannot hold in full. A rebuild that is
            // under way may be past it.
            self.store.tree.space.superblock.set_short(true);
            self.restart_rebuild(progress)?;
        }
        job.state = match complete {
            true if is_waiting => JobState::Waiting,
            true => JobState::Complete,
            false => JobState::Incomplete,
        };
        job.position = Key::MAX;
        job.ended = now;
        Ok(())
    }

    /// Whether a pass went by a node that it could not read, or may have: what it found lost is not all in the list.
    fn has_passed_over(&mut self, job: &Job) -> Result<bool, Code> {
        let (mut listed, mut nodes) = (0, 0);
        self.lost_items(job.kind, |lost| {
            listed += 1;
            nodes += u32::from(matches!(lost, Lost::Node { .. }));
        })?;
        Ok(nodes > 0 || listed < job.failed)
    }

    /// A whole pass found nothing to repair. Returns the members that are owed nothing any more, and those
    /// that hold nothing any more.
    ///
    /// Only what a member missed before the pass began was looked for everywhere.
    #[expect(clippy::cast_possible_truncation, reason = "there are at most 64 rows")]
    fn settle_debts(&mut self, job: &Job) -> Result<Debts, Code> {
        let roster = *self.store.roster();
        let (generation, superblock) = (self.store.tree.generation, &self.store.tree.space.superblock);
        let (owed, online) = (superblock.owed(), self.store.tree.disks.online());
        // Where something is short for want of disks, those that are away still owe it.
        let given_up = match (job.short > 0, job.options.absent) {
            (true, _) => Set::EMPTY,
            (false, true) => superblock.table(),
            (false, false) => roster.failed,
        };
        let (mut settled, mut later, mut left) = (Set::EMPTY, Set::EMPTY, Set::EMPTY);
        let distrusted = owed.or(roster.distrusted);
        for row in distrusted.or(roster.draining).and(online.or(given_up)).iter() {
            let key = Key::member(self.store.tree.space.member(row));
            let missed_until = self.store.tree.with(&key, |record| {
                let record = MemberRecord::new(record?)?;
                let ends = record.untrusted().map(|span| span.end.0);
                // One that failed in the last commit was there when the pass began, and no record says yet
                // that it is away.
                let away_since = match record.offline_since() {
                    0 if !online.contains(row) => generation.0,
                    since => since,
                };
                ends.chain([away_since]).max()
            })?;
            let set = match missed_until {
                Some(end) if end <= job.began.0 => &mut settled,
                Some(end) if end <= generation.0 => &mut later,
                _ => &mut left,
            };
            *set = set.with(row);
        }
        if !later.is_empty() {
            return Ok(Debts::Later);
        }
        let acquitted = distrusted.and(settled);
        let draining = roster.draining.and(settled);
        self.begin_change(2 * (acquitted.len() + draining.len()) as u32 + 1, Purpose::Release)?;
        self.change(|objects| {
            objects.store.clear_owed(acquitted)?;
            for row in draining.iter() {
                objects.store.drained(row)?;
            }
            // A pass over what is young alone has not looked for what else may be short.
            let is_short = job.short > 0 || job.prune.0 > 0 && objects.store.tree.space.superblock.is_short();
            objects.store.tree.space.superblock.set_short(is_short);
            Ok(())
        })?;
        Ok(if left.is_empty() { Debts::Settled } else { Debts::Left })
    }

    /// Whether a rebuild could repair something. None was tried since the members last changed, or there is
    /// more space than the last one found.
    pub(super) fn is_rebuild_due(&self, progress: &Progress) -> bool {
        let superblock = self.store.committed();
        let roster = self.store.roster();
        let owed = superblock.owed().and(self.store.tree.disks.online().or(roster.failed));
        let wanting = !owed.is_empty() || !roster.draining.is_empty() || superblock.is_short();
        let is_due = |tried: Tried| tried.changes != roster.changes || self.blocks_unused() >= tried.room;
        wanting && progress.tried.is_none_or(is_due)
    }
}

/// What members are owed at the end of a pass.
enum Debts {
    /// Nothing, as far as they are there.
    Settled,
    /// A member came or went after the pass began. Another pass looks for what this one missed.
    Later,
    /// Something that no pass could settle: a record speaks of generations that are yet to come.
    Left,
}
