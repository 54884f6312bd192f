//! One walk of the tree for all maintenance: every node and extent is met, judged, and put right. In bounded steps, each a
//! transaction.
//!
//! What is wanting is computed from the records themselves and the members as they are now. A rebuild is over when a whole
//! pass finds nothing that it can put right: that pass is the recount.

use super::standing::{Standing, Worth};
use super::verdict::{Indices, NodeVerdict, Verdict, judge, judge_node};
use crate::disks::events::Happening;
use crate::error::{Error, StorageError};
use crate::format::extent::Extent;
use crate::format::inode::Inode;
use crate::format::job::{FailedWhat, Job, JobKind, JobState};
use crate::format::key::{Key, Kind};
use crate::format::record::MemberRecord;
use crate::limits::{EXTENT_BYTES_MIN, MEMBERS_MAX};
use crate::object::{Found, Mended, Objects, Relocation};
use crate::transaction::{Purpose, REFRESH_UPDATES};
use crate::tree::{Met, Walk};
use crate::types::{Generation, MemberSet, ObjectId};
use core::ops::ControlFlow;
use dynamicfs_hal::DiskArray;

/// Steps that change nothing after which a job writes down how far it is.
const STEPS_UNSAVED: u32 = 4;

/// What is left of a step.
pub(super) struct Budget {
    blocks: u64,
    /// Whether the transaction has changed anything.
    changed: bool,
    /// Blocks of each row that this step has freed, and that count as free after the next sweep.
    pub(super) freed: [u32; MEMBERS_MAX],
    /// The object of the last extent that was looked at.
    pub(super) inode: Option<(ObjectId, Inode)>,
}

impl Budget {
    const fn new(blocks: u64) -> Self {
        Self { blocks, changed: false, freed: [0; MEMBERS_MAX], inode: None }
    }

    const fn spend(&mut self, blocks: u64) {
        self.blocks = self.blocks.saturating_sub(blocks);
    }
}

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

    // --- a step -----------------------------------------------------------------------------------------------

    /// Goes on with a pass; whether the transaction changed anything. On an error, the key of what it met.
    fn pass_step(&mut self, job: &mut Job) -> Result<bool, (Error, Option<Key>)> {
        let at_nothing = |error: StorageError| (Error::from(error), None);
        if job.kind == JobKind::Recount {
            let at = job.position;
            return self.recount_step(job).map_err(|error| (error, Some(at)));
        }
        let standing = Standing::read(&mut self.store, job.options.absent).map_err(at_nothing)?;
        let blocks = self.step_bytes >> self.store.tree.disks.parameters.block_shift;
        let mut budget = Budget::new(blocks.max(1));
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
                    self.store.tree.disks.note_checksum_error(disk, address.block);
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
        let verdict = match (job.kind, judge(&found.extent, standing, block_shift, &wrong)) {
            (JobKind::Rebalance, verdict @ (Verdict::Keep | Verdict::Short)) => {
                job.short += u64::from(verdict == Verdict::Short);
                self.judge_order(job.options, object, &found, standing, budget)?
            }
            // What is missing is a rebuild's work.
            (JobKind::Rebalance, _) => Verdict::Keep,
            (_, verdict) => verdict,
        };
        let mended = match verdict {
            Verdict::Keep => return Ok(()),
            Verdict::Short => {
                job.short += 1;
                return Ok(());
            }
            Verdict::Stuck => Mended::NoSpace,
            Verdict::Move(bad) => {
                budget.spend(blocks * bad.len() as u64);
                let relocation = relocation(job.kind, &found.extent, standing, &bad, &wrong);
                let mended = self.move_fragments(object, &found, relocation)?;
                if mended == Mended::Done {
                    for row in relocation.avoid.iter() {
                        budget.freed[row] += blocks as u32;
                    }
                }
                mended
            }
            Verdict::Join(bytes) => {
                budget.spend(2 * (bytes as u64 >> block_shift));
                let inode = self.inode(object)?;
                self.join_extents(object, &inode, start, bytes)?
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
        match job.kind {
            JobKind::Rebuild if complete => self.settle_debts(job)?,
            // Some of it was given a scheme that the disks there are cannot hold in full.
            JobKind::Rebalance if job.short > 0 => self.store.tree.space.superblock.set_short(true),
            _ => {}
        }
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
        let given_up = match (job.short > 0, job.options.absent) {
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

/// How fragments move: those that are right where they are, being on members that are to be emptied or less full, are copied
/// as they are.
fn relocation<'b>(
    kind: JobKind,
    extent: &Extent,
    standing: &Standing,
    fragments: &'b [u8],
    wrong: &[u8],
) -> Relocation<'b> {
    let places = fragments.iter().map(|&index| extent.fragments()[usize::from(index)]);
    if kind == JobKind::Rebalance {
        let rows = places.filter_map(|fragment| standing.row(fragment.address.member));
        return Relocation { fragments, right: true, avoid: rows.fold(MemberSet::EMPTY, MemberSet::with) };
    }
    let right = wrong.is_empty()
        && places.clone().all(|place| standing.of(place.address, place.birth) == Worth::Leaving);
    Relocation { right, ..Relocation::of(fragments) }
}
