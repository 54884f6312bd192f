//! A step of a pass: what it meets is judged, and put right.

use super::progress::Progress;
use super::standing::{Standing, Worth, read_standing};
use super::verdict::{Indices, NodeVerdict, Verdict, judge, judge_node};
use crate::build::MANAGE;
use crate::error::Code;
use crate::format::extent::Extent;
use crate::format::inode::Inode;
use crate::format::job::{FailedWhat, Job, JobKind};
use crate::format::key::Key;
use crate::limits::MEMBERS_MAX;
use crate::object::{Found, Mended, Objects, Relocation};
use crate::transaction::{Purpose, REFRESH_UPDATES};
use crate::tree::{Met, Walk};
use crate::types::{BlockAddress, Generation, ObjectId, Row, Set};
use core::ops::ControlFlow;
use dynamicfs_hal::DiskArray;

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

/// Counts what a scrub cannot read of these places, of so many blocks each: their members are away, and
/// waited for.
fn note_unread(
    job: &mut Job,
    standing: &Standing,
    places: impl Iterator<Item = (BlockAddress, Generation)>,
    blocks: u64,
) {
    let away = places.filter(|&(address, birth)| standing.of(address, birth) == Worth::Away);
    for row in away.filter_map(|(address, _)| standing.row(address.member)) {
        job.unread = job.unread.saturating_add(blocks);
        job.unread_rows = job.unread_rows.with(row);
    }
}

impl<A: DiskArray> Objects<'_, A> {
    /// Goes on with a pass; whether the transaction changed anything. On an error, the key of what it met.
    // Not part of its caller: what it takes of the stack is not to lie under the end of a job.
    #[inline(never)]
    pub(super) fn pass_step(
        &mut self,
        progress: &mut Progress,
        job: &mut Job,
    ) -> Result<bool, (Code, Option<Key>)> {
        let at_nothing = |error: Code| (error, None);
        if MANAGE && job.kind == JobKind::Recount {
            let at = job.position;
            return self.recount_step(progress, job).map_err(|error| (error, Some(at)));
        }
        let standing = read_standing(&mut self.store, job.options.absent).map_err(at_nothing)?;
        let blocks = progress.step_bytes >> self.store.tree.disks.parameters.block_shift;
        let mut budget = Budget::new(blocks.max(1));
        if job.kind == JobKind::Scrub && job.position == Key::MIN {
            job.count(self.store.mend_labels() as u64, true);
            let wrong = self.store.count_wrong_slots() as u64;
            // This step's commit writes them anew.
            job.count(wrong, true);
            budget.changed = wrong > 0;
        }
        let began_at = job.position;
        let mut walk = Walk::from(began_at, job.prune);
        // The way down to the first leaf may cost all of a small budget: a step gets further all the same.
        while budget.blocks > 0 || job.position == began_at {
            let met = match self.store.tree.walk(&mut walk) {
                Ok(Some(met)) => met,
                Ok(None) => {
                    self.end_pass(progress, job).map_err(|error| (error, None))?;
                    return Ok(true);
                }
                Err(Code::NodeUnreadable) => {
                    let lost = self.put_failed(job, FailedWhat::Node, job.position);
                    lost.map_err(|error| (error, None))?;
                    budget.changed = true;
                    job.position = walk.position().unwrap_or(Key::MAX);
                    continue;
                }
                Err(error) => return Err((error, None)),
            };
            let refreshed = self.pass_node(job, &standing, &met, &mut budget);
            if refreshed.map_err(|error| (error, None))? || met.level > 0 {
                continue;
            }
            if !self.pass_leaf(job, began_at, (&standing, &met), &mut budget)? {
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
    ) -> Result<bool, Code> {
        let (replicas, wanted) = (met.pointer.replicas(), self.store.tree.copies_wanted());
        if met.pointer.birth == self.store.tree.generation {
            return Ok(false);
        }
        job.done += standing.count_here(replicas.iter().copied());
        budget.spend(1);
        let verdict = judge_node(replicas, met.pointer.birth, wanted, standing);
        let mut wanting = verdict == NodeVerdict::Refresh;
        if job.kind == JobKind::Scrub {
            budget.spend(replicas.len() as u64);
            let places = replicas.iter().map(|&address| (address, met.pointer.birth));
            note_unread(job, standing, places, 1);
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
        if !self.try_begin_change(REFRESH_UPDATES, Purpose::Release)? {
            return Ok(false);
        }
        self.change(|objects| objects.store.refresh(&met.from))?;
        budget.spend(u64::from(self.store.tree.level) + 1);
        (budget.changed, job.healed) = (true, job.healed + 1);
        self.store.tree.counters.note(|counters| counters.repairs += 1);
        Ok(true)
    }

    /// The extents of a leaf; false when the step, which began at this key, ends before the last of them.
    fn pass_leaf(
        &mut self,
        job: &mut Job,
        began_at: Key,
        (standing, met): (&Standing, &Met),
        budget: &mut Budget,
    ) -> Result<bool, (Code, Option<Key>)> {
        let (mut from, end) = (met.from, met.end.unwrap_or(Key::MAX));
        loop {
            let next = self.store.tree.scan(&from, &end, |key, _| match key.begins_extent() {
                true => ControlFlow::Break(*key),
                false => ControlFlow::Continue(()),
            });
            let Some(key) = next.map_err(|error| (error, None))? else { break };
            // Not where the leaf begins: then a step would begin before what fails, again and again.
            if job.stop == Some(key) && key > began_at {
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

    #[expect(
        clippy::indexing_slicing,
        reason = "rows are below `MEMBERS_MAX`; `wrong` are fragments of this extent"
    )]
    fn pass_extent(
        &mut self,
        job: &mut Job,
        standing: &Standing,
        key: Key,
        budget: &mut Budget,
    ) -> Result<(), Code> {
        let (object, start) = (key.object(), key.offset());
        let found: Found = self.extent_at(object, start)?;
        let block_shift = self.store.tree.disks.parameters.block_shift;
        let fragment_blocks = found.extent.fragment_blocks(block_shift);
        let blocks = u64::from(fragment_blocks);
        let width = found.extent.scheme.width() as u64;
        let places = found.extent.fragments().iter().map(|fragment| fragment.address);
        job.done += blocks * standing.count_here(places);
        budget.spend(1);
        let mut wrong = Indices::new();
        if job.kind == JobKind::Scrub {
            budget.spend(blocks * width);
            let places = found.extent.fragments().iter().map(|fragment| (fragment.address, fragment.birth));
            note_unread(job, standing, places, blocks);
            wrong.extend(self.prove_stripe(object, &found)?.iter().map(|index| index.byte()));
        }
        let verdict = match (job.kind, judge(&found.extent, standing, block_shift, &wrong)) {
            (JobKind::Rebalance, verdict @ (Verdict::Keep | Verdict::Short)) if MANAGE => {
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
            Verdict::Move(_) if !MANAGE => {
                budget.spend(blocks * width);
                self.store_again(object, &found)?
            }
            Verdict::Move(bad) => {
                budget.spend(blocks * bad.len() as u64);
                let relocation = relocation(job.kind, &found.extent, standing, &bad, &wrong);
                let mended = self.move_fragments(object, &found, relocation)?;
                if mended == Mended::Done {
                    for row in relocation.avoid.iter() {
                        let freed = &mut budget.freed[row.0];
                        *freed = freed.saturating_add(fragment_blocks);
                    }
                }
                mended
            }
            Verdict::Join(_) if !MANAGE => return Ok(()),
            Verdict::Join(bytes) => {
                budget.spend(2 * (bytes as u64 >> block_shift));
                let inode = self.stored_inode(object)?;
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
                // What a rebalance moves was not bad.
                self.store
                    .tree
                    .counters
                    .note(|counters| counters.repairs += u64::from(job.kind != JobKind::Rebalance));
                for &index in &wrong {
                    let address = found.extent.fragments()[usize::from(index)].address;
                    if let Some(disk) = self.store.tree.disks.disk_of(address.member) {
                        self.store.tree.disks.note_repair(disk, address.block);
                    }
                }
            }
            Mended::Lost => self.put_failed(job, FailedWhat::Extent, key)?,
            Mended::NoSpace | Mended::NoMemory => job.found += 1,
            // It is being deleted: nothing is wanting of it.
            Mended::Gone => {}
        }
        Ok(())
    }
}

/// How fragments move. Right fragments, on members that are to be emptied or less full, are copied as they
/// are.
#[expect(clippy::indexing_slicing, reason = "`fragments` are indices that the judgement of this extent gave")]
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
        return Relocation { fragments, right: true, avoid: rows.collect::<Set<Row>>() };
    }
    let right = wrong.is_empty()
        && places.clone().all(|place| {
            standing.of(place.address, place.birth) == Worth::Leaving
                && !standing.is_failing(place.address.member)
        });
    Relocation { right, ..Relocation::of(fragments) }
}
