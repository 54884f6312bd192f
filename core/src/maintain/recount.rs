//! The free map, counted anew: what refers to a block is what decides.

use super::progress::Progress;
use super::usage::Window;
use crate::error::Code;
use crate::format::job::Job;
use crate::format::key::{Key, Kind};
use crate::object::Objects;
use crate::space::Area;
use crate::transaction::Purpose;
use crate::types::{MemberNumber, Row};
use dynamicfs_hal::DiskArray;

impl<A: DiskArray> Objects<'_, A> {
    /// Continues a recount. Some groups of one member, as many as half of the window buffer has bits for, are
    /// compared with the references to their blocks. The whole tree is read once for that. Whether the
    /// transaction changed anything.
    ///
    /// A block that is allocated and nothing refers to becomes free, one that is referred to becomes allocated. What two
    /// things refer to cannot be put right: one of them is not what it was, which a scrub tells.
    pub(super) fn recount_step(&mut self, progress: &mut Progress, job: &mut Job) -> Result<bool, Code> {
        let at_group = job.position.kind() == Kind::Group as u8;
        let (member, first) = if at_group { job.position.as_group() } else { (MemberNumber(0), 0) };
        let rows = self.store.tree.holding_rows();
        let number = |objects: &Self, row: Row| objects.store.tree.space.member(row);
        let next =
            rows.iter().filter(|&row| number(self, row) >= member).min_by_key(|&row| number(self, row));
        let Some((row, area)) = next.and_then(|row| Some((row, self.store.tree.area(row)?))) else {
            self.end_pass(progress, job)?;
            return Ok(true);
        };
        let groups = self.store.tree.space.groups(area);
        // A forged record may say that it is beyond the last group.
        let first = if number(self, row) == member { first.min(groups) } else { 0 };
        let healed = job.healed;
        let end = self.recount_groups(job, row, area, first)?;
        job.done += u64::from(end - first) * u64::from(self.store.tree.space.group_blocks());
        job.position = Key::group(number(self, row), end);
        if end >= groups {
            job.count(u64::from(self.store.recount_free(row, area)?), true);
            let next = number(self, row).0.checked_add(1);
            job.position = next.map_or(Key::MAX, |next| Key::group(MemberNumber(next), 0));
        }
        Ok(job.healed > healed)
    }

    /// The groups from `first` on, as many as there is memory and patience for; the first one that is left.
    #[expect(
        clippy::indexing_slicing,
        reason = "a bitmap of each group that fits; `at` is where one of them begins"
    )]
    fn recount_groups(&mut self, job: &mut Job, row: Row, area: Area, first: u32) -> Result<u32, Code> {
        let space = &self.store.tree.space;
        let (group_blocks, member) = (space.group_blocks(), space.member(row));
        let bytes = group_blocks as usize / 8;
        self.with_free_window(|objects, buffer| {
            let count = buffer.len() / (2 * bytes);
            if count == 0 {
                return Err(objects.store.tree.disks.about.needs(2 * bytes));
            }
            let at_once = u32::try_from(count).unwrap_or(u32::MAX);
            let window = Window::of(member, row, area, group_blocks, first, at_once);
            let (referenced, allocated) = buffer.split_at_mut(count * bytes);
            objects.mark_referenced(&window, referenced, |_| job.found += 1)?;
            objects.load_allocated(&window, bytes, allocated)?;
            let bitmaps = referenced.chunks_exact_mut(bytes).zip(allocated.chunks_exact_mut(bytes));
            let mut wrong = Groups::new();
            for (group, (is, was)) in window.groups.clone().zip(bitmaps) {
                objects.store.tree.space.mark_beyond(is, group, area);
                objects.store.tree.space.mark_beyond(was, group, area);
                if is != was && wrong.push((group, (group - first) as usize * bytes)).is_err() {
                    break;
                }
            }
            // What is open is put right in memory first: from the first change of the tree on, blocks are taken from it.
            let (open, closed): (Groups, Groups) =
                wrong.iter().partition(|(group, _)| objects.store.tree.space.is_busy(row, *group));
            for (group, at) in open {
                let (is, was) = (&referenced[at..at + bytes], &allocated[at..at + bytes]);
                let healed = objects.store.tree.space.replace_open(row, group, is);
                job.count(differing(is, was), healed);
            }
            for (group, at) in closed {
                let (is, was) = (&referenced[at..at + bytes], &allocated[at..at + bytes]);
                let healed = objects.replace_group(row, (group, area), was, is)?;
                job.count(differing(is, was), healed);
            }
            let is_full = wrong.is_full();
            Ok(wrong.last().filter(|_| is_full).map_or(window.groups.end, |(last, _)| last + 1))
        })
    }

    /// Replaces the bitmap of a group that is not open. False where there is no space to write it, or it has
    /// changed meanwhile. The next pass comes back to it.
    fn replace_group(&mut self, row: Row, group: (u32, Area), was: &[u8], is: &[u8]) -> Result<bool, Code> {
        if !self.try_begin_change(UPDATES, Purpose::Release)? {
            return Ok(false);
        }
        self.change(|objects| objects.store.replace_group(row, group, was, is))
    }
}

/// Groups that one step puts right at most.
const GROUPS_PER_STEP: usize = 64;

/// Groups, and where their bitmaps begin.
type Groups = heapless::Vec<(u32, usize), GROUPS_PER_STEP>;

/// Tree updates that a group's record takes.
const UPDATES: u32 = 2;

fn differing(a: &[u8], b: &[u8]) -> u64 {
    a.iter().zip(b).map(|(a, b)| u64::from((a ^ b).count_ones())).sum()
}
