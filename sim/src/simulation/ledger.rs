//! What the superblocks on the disks must be after each commit, and what they allow a mount, read from the
//! durable bytes without the core.

use super::report::{Failure, FailureKind};
use super::run::{Mounted, Run};
use crate::states::SlotState;
use crate::{SimArray, SimDisk, states};
use dynamicfs_core::disks::DiskStatus;
use dynamicfs_core::types::{DiskIndex, Epoch, Generation, MemberNumber, Row, Set};

/// What was on the disks before a mount.
#[derive(Clone, Debug, Default)]
pub(super) struct Before {
    /// The newest superblock of each member, by number; none where it cannot be known.
    newest: Vec<Option<SlotState>>,
    /// The highest epoch that a sound member's disk knows.
    claimed: Epoch,
}

impl Run {
    /// Looks at the disks before a mount.
    pub(super) fn look_before(&mut self, array: &SimArray) {
        let is_known = |member: usize| {
            self.atlas.members().contains(member) && !self.process_died && self.shelf[member].is_none()
        };
        // What was torn may be there, and cannot be read.
        let slots = |member| {
            let disk: &SimDisk = array.disk(self.places[member]);
            let can_be_read = |slot: &SlotState| disk.sight(slot.at, &mut vec![0; slot.bytes as usize]);
            states::slots(disk).find(can_be_read)
        };
        let newest: Vec<_> =
            (0..self.members()).map(|member| slots(member).filter(|_| is_known(member))).collect();
        let sound = newest.iter().enumerate().filter(|&(member, _)| !self.atlas.is_hurt(member));
        let claimed = sound.filter_map(|(_, slot)| Some(slot.as_ref()?.claim.max(slot.as_ref()?.order.0)));
        self.before = Before { claimed: claimed.max().unwrap_or(Epoch(0)), newest };
    }

    /// A mount went well: those that take part may continue from what was on their disks, more than half of
    /// each list.
    pub(super) fn check_quorum(&self, pool: &Mounted<'_>) -> Result<(), Failure> {
        let took_part = |&member: &usize| {
            let status = pool.member_health(DiskIndex(self.places[member])).status;
            // One whose growth was lost was read, and is left alone since its record says that it is longer.
            let has_lost_growth = status == DiskStatus::Truncated && self.shelf[member].is_none();
            matches!(status, DiskStatus::Online | DiskStatus::Failed | DiskStatus::Excluded)
                || has_lost_growth
        };
        // A new member whose joining was cut short may have brought a state that the others do not have.
        let is_unknown = |disk: usize| {
            !self.places.contains(&disk) && pool.member_health(DiskIndex(disk)).status == DiskStatus::Online
        };
        if (0..pool.internals().store.tree.disks.count()).any(is_unknown) {
            return Ok(());
        }
        let members: Vec<usize> = self.active().into_iter().filter(took_part).collect();
        // One that was damaged may have brought another state than the bytes tell.
        let are_known = members.iter().all(|&member| !self.atlas.is_hurt(member));
        let slot = |&member: &usize| self.before.newest.get(member).copied().flatten();
        let newest = members.iter().filter_map(slot).max_by_key(|slot| slot.order);
        let (Some(newest), true, false) = (newest, are_known && self.is_plain(), self.atlas.is_beyond())
        else {
            return Ok(());
        };
        // Of a pool that is as it was formatted each member has the row of its number.
        let rows = members.iter().copied().map(Row).collect::<Set<Row>>();
        for list in [newest.lists.settled, newest.lists.members] {
            // One whose joining was cut short is not known as a member yet.
            let is_known = list.is_subset_of(Set::first(self.members()));
            if is_known && !list.is_subset_of(rows) && 2 * rows.and(list).len() <= list.len() {
                let what = format!("members {:?} of {:?} were mounted", rows.and(list), list);
                return Err(self.fail(FailureKind::NotRefused, what));
            }
        }
        Ok(())
    }

    /// Remembers what a mount found: from here on, what the pool writes is looked at.
    pub(super) fn open_ledger(&mut self, pool: &mut Mounted<'_>) {
        let health = pool.health();
        self.published = (health.epoch, health.generation);
    }

    /// Whether the mount has committed by itself.
    pub(super) fn mount_committed(&self) -> bool {
        self.before.newest.iter().flatten().all(|slot| slot.order < self.published)
    }

    /// After a commit each sound member that takes part and is named has its superblock twice, and in an
    /// epoch that was claimed there. A found state that is written once more does not name those that were
    /// let go.
    pub(super) fn check_ledger(&mut self, pool: &mut Mounted<'_>) -> Result<(), Failure> {
        let health = pool.health();
        let order = (health.epoch, health.generation);
        if pool.array().halted().is_some() || self.atlas.is_beyond() || order == self.published {
            return Ok(());
        }
        self.published = order;
        if order.0 <= self.before.claimed {
            let (epoch, claimed) = (order.0.0, self.before.claimed.0);
            let what = format!("a commit in epoch {epoch}, and epoch {claimed} was claimed before the mount");
            return Err(self.fail(FailureKind::WrongState, what));
        }
        let bearers = self.bearers(pool, order);
        for member in self.active() {
            let place = self.places[member];
            let row = pool.internals().store.committed().row_of(MemberNumber(member as u16));
            let is_named = row.is_some_and(|row| pool.internals().store.committed().online().contains(row));
            let takes_part = is_named && pool.member_health(DiskIndex(place)).status == DiskStatus::Online;
            if self.atlas.is_hurt(member) || self.shelf[member].is_some() || !takes_part {
                continue;
            }
            if let Some(wrong) = what_is_wrong(pool.array().disk(place), order, bearers) {
                return Err(self.fail(FailureKind::WrongState, format!("member {member} {wrong}")));
            }
        }
        Ok(())
    }

    /// Rows of the members on whose disks this state is.
    fn bearers(&self, pool: &mut Mounted<'_>, order: (Epoch, Generation)) -> Set<Row> {
        let mut bearers = Set::EMPTY;
        for member in self.active() {
            let slots = states::slots_of(pool.array().disk(self.places[member]));
            let row = pool.internals().store.committed().row_of(MemberNumber(member as u16));
            if let Some(row) = row.filter(|_| slots.iter().any(|slot| slot.order == order)) {
                bearers = bearers.with(row);
            }
        }
        bearers
    }
}

/// What is wrong with the superblocks of a disk that takes part in this commit, which the members in these
/// rows have.
fn what_is_wrong(disk: &SimDisk, order: (Epoch, Generation), bearers: Set<Row>) -> Option<String> {
    let slots = states::slots_of(disk);
    let Some(newest) = slots.first() else { return Some("has no superblock".into()) };
    if newest.order != order {
        let (found, committed) = (newest.order, order);
        return Some(format!("has state {found:?} durable, and {committed:?} is acknowledged"));
    }
    if slots.iter().filter(|slot| slot.sequence == newest.sequence).count() < 2 {
        return Some(format!("has state {order:?} in one of its two rings"));
    }
    let mut older = slots.iter();
    let before = older.find(|slot| slot.sequence < newest.sequence)?;
    if let Some(wrong) = what_is_wrong_with_step(before, newest, bearers) {
        return Some(wrong);
    }
    let is_new = before.order != newest.order;
    (is_new && newest.order.0 != newest.claim).then(|| {
        let (epoch, claim) = (newest.order.0.0, newest.claim.0);
        format!("has a new state of epoch {epoch}, and epoch {claim} was claimed on it")
    })
}

/// What is wrong with a state that follows another at once. The lists of members move one step at a time, and
/// half of each list took part. Among those are members that the commit lets go, and does not name: their
/// word counts until it is durable.
fn what_is_wrong_with_step(before: &SlotState, after: &SlotState, bearers: Set<Row>) -> Option<String> {
    if before.branch != after.branch || after.order.1 != before.order.1.next() {
        return None;
    }
    let is_step = after.lists == before.lists || after.lists.settled == before.lists.members;
    if !is_step {
        return Some(format!("went from the lists {:?} to {:?} in one step", before.lists, after.lists));
    }
    let lists = [before.lists.settled, before.lists.members, after.lists.settled, after.lists.members];
    let lacks = lists.into_iter().find(|&list| 2 * after.online.or(bearers).and(list).len() < list.len());
    lacks.map(|list| format!("has a state in which {:?} of the members {list:?} took part", after.online))
}
