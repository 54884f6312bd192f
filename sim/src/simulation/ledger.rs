//! What the superblocks on the disks must be after each commit, read from the durable bytes without the core.

use super::report::{Failure, FailureKind};
use super::run::{Mounted, Run};
use crate::{SimDisk, states};
use dynamicfs_core::disks::DiskStatus;
use dynamicfs_core::types::{Epoch, Generation};

impl Run {
    /// Remembers what a mount found: from here on, what the pool writes is looked at.
    pub(super) fn open_ledger(&mut self, pool: &mut Mounted<'_>) {
        let health = pool.health();
        self.published = (health.epoch, health.generation);
    }

    /// After a commit each sound member that takes part has its superblock twice, and in an epoch that was claimed there.
    pub(super) fn check_ledger(&mut self, pool: &mut Mounted<'_>) -> Result<(), Failure> {
        let health = pool.health();
        let order = (health.epoch, health.generation);
        if pool.array().halted().is_some() || self.atlas.is_beyond() || order == self.published {
            return Ok(());
        }
        self.published = order;
        for member in self.active() {
            let place = self.places[member];
            let takes_part = pool.member_health(place).status == DiskStatus::Online;
            if self.atlas.is_hurt(member) || self.shelf[member].is_some() || !takes_part {
                continue;
            }
            if let Some(wrong) = what_is_wrong(pool.array().disk(place), order) {
                return Err(self.fail(FailureKind::WrongState, format!("member {member} {wrong}")));
            }
        }
        Ok(())
    }
}

/// What is wrong with the superblocks of a disk that takes part in this commit.
fn what_is_wrong(disk: &SimDisk, order: (Epoch, Generation)) -> Option<String> {
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
    let is_new = before.order != newest.order;
    (is_new && newest.order.0 != newest.claim).then(|| {
        let (epoch, claim) = (newest.order.0.0, newest.claim.0);
        format!("has a new state of epoch {epoch}, and epoch {claim} was claimed on it")
    })
}
