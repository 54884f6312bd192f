//! Members that are taken out of use for their errors, where the pool is better off without them.

use super::progress::Progress;
use super::standing::{Worth, read_standing};
use super::survey::RecordJoiner;
use crate::disks::condition::Condition;
use crate::disks::events::Happening;
use crate::error::{Code, MemberError};
use crate::format::key::Key;
use crate::format::record::MemberState;
use crate::object::Objects;
use crate::types::{MemberNumber, ObjectId, Row, Set};
use core::ops::ControlFlow;
use dynamicfs_hal::DiskArray;

impl<A: DiskArray> Objects<'_, A> {
    /// Begins to empty a member whose errors are beyond the thresholds. When it holds nothing, takes it out
    /// of use, durably. Returns whether there was one. It stays, degraded, where anything could not be read
    /// or written without it, or there is no place for what it holds.
    ///
    /// It is emptied and not given up, because others may be bad in places where it is right, if they were
    /// not read lately. What it holds is taken from others first. All extents' records are read once where
    /// such a member is met. A part of [`maintain`](Self::maintain), for programs that do not run upkeep to
    /// its end; [`Thresholds::fail`](crate::disks::condition::Thresholds) switches it off.
    pub fn fail_member(&mut self, progress: &mut Progress) -> Result<bool, Code> {
        self.store.check_alone()?;
        let is_writable = self.store.is_writable();
        let disks = &mut self.store.tree.disks;
        if !disks.thresholds.fail || !is_writable {
            return Ok(false);
        }
        disks.look();
        let changes = self.store.roster().changes;
        // What was decided stands until something changes.
        let kept = if progress.kept.1 == changes { progress.kept.0 } else { Set::EMPTY };
        let roster = *self.store.roster();
        let failed = self.store.tree.holding_rows().minus(kept.or(roster.draining)).iter().find_map(|row| {
            let condition =
                self.store.tree.disks.state(self.store.tree.disks.disk_in_row(row)?).watched.condition;
            matches!(condition, Condition::Failed(_)).then_some((row, condition))
        });
        let Some((row, condition)) = failed else { return Ok(false) };
        let member = self.store.tree.space.member(row);
        if roster.vacant.contains(row) {
            match self.shut_member(progress, member, true) {
                Ok(()) => {
                    self.store.tree.disks.tell(Happening::Condition { member, condition });
                    return Ok(true);
                }
                Err(MemberError::Pool(Code::TooFewDisks)) => {}
                Err(MemberError::Pool(error)) => return Err(error),
                Err(_) => {}
            }
        } else if self.is_known_without(row, member)? {
            self.change_records(|objects| objects.set_state(progress, row, MemberState::Failing))?;
            return Ok(true);
        }
        progress.kept = (kept.with(row), changes);
        Ok(false)
    }

    /// Whether it is known that a member can be done without. Where a part of the tree is lost, what that
    /// lists may need the member: it stays, and the rest of upkeep goes on.
    fn is_known_without(&mut self, row: Row, member: MemberNumber) -> Result<bool, Code> {
        match self.can_do_without(row, member) {
            Err(code) if code.is_loss() => Ok(false),
            known => known,
        }
    }

    /// Whether everything can be read without a member, and put on others: all nodes by the pool's tolerance, every extent by its
    /// own record. What is written from then on must find as many members as the pool's scheme is wide.
    fn can_do_without(&mut self, row: Row, member: MemberNumber) -> Result<bool, Code> {
        let (superblock, roster) = (self.store.committed(), self.store.roster());
        let tree = &self.store.tree;
        let bears = self.store.unhealed().with(row).len() <= usize::from(superblock.tolerance());
        let spare = roster.spare.and(tree.disks.online());
        let others = tree.data_rows().or(spare).without(row);
        let too_few =
            others.len() <= superblock.tolerance().into() || others.len() < superblock.scheme().width();
        // As many blocks as the open groups hold: whether the last of the free ones lie side by side is not
        // known.
        let slack = self.blocks_open(others.len());
        if superblock.is_short() || !bears || too_few || !self.have_room_for(row, others, slack)? {
            return Ok(false);
        }
        let standing = read_standing(&mut self.store, true)?;
        let mut joiner = RecordJoiner::new();
        let needed = self.store.tree.scan(&Key::object_start(ObjectId(1)), &Key::MAX, |key, piece| {
            let Some((_, _, extent)) = joiner.take(key, piece) else { return ControlFlow::Continue(()) };
            let fragments = || extent.fragments().iter();
            let rest = fragments()
                .filter(|f| f.address.member != member && standing.of(f.address, f.birth) != Worth::Missing);
            let is_held = fragments().any(|f| f.address.member == member);
            let is_lost = rest.count() < usize::from(extent.scheme.data);
            match is_held && (is_lost || extent.scheme.width() > others.len()) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        })?;
        Ok(needed.is_none())
    }

    /// Tells of members that were owed something, and are not any more.
    pub(super) fn tell_rebuilt(&mut self, owed: Set<Row>) {
        for row in owed.minus(self.store.committed().owed()).iter() {
            let member = self.store.tree.space.member(row);
            self.store.tree.disks.tell(Happening::Rebuilt { member });
        }
    }

    /// Forgets the errors of a member, the saved ones too, for an operator who has removed their cause. A
    /// transaction of its own. What it did otherwise stays counted.
    pub fn clear_errors(&mut self, member: MemberNumber) -> Result<(), MemberError<Code, Code>> {
        self.store.check_alone()?;
        self.store.committed().row_of(member).ok_or(MemberError::NotAMember)?;
        let cleared = self.saved_counters(member)?.without_errors();
        self.change_records(|objects| objects.put_counters(member, &cleared))?;
        let disks = &mut self.store.tree.disks;
        let disk = disks
            .all()
            .find(|&disk| disks.state(disk).identity.is_some_and(|identity| identity.member == member));
        if let Some(disk) = disk {
            let state = disks.state_mut(disk);
            state.watched.note(|watched| watched.counters = watched.counters.without_errors());
            disks.forgive(disk);
        }
        Ok(())
    }
}
