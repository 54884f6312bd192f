//! The fault atlas: who is damaged how badly, so that faults stay within what redundancy bears.
//!
//! A disk that was damaged since the last clean check counts as lost, whatever of it is still good: as many may be as
//! the scheme has parity. One whose word on the pool's state cannot be trusted (away, rolled back, its superblocks
//! rotten, its flushes lies) counts as lost for the quorum as well. Damage that a clean check has shown to be gone
//! counts no more.

use super::fault::Harm;
use crate::Rng;
use dynamicfs_core::types::MemberSet;

/// Who may be damaged, by the number of the member.
#[derive(Clone, Debug)]
pub(super) struct Atlas {
    members: usize,
    tolerance: usize,
    beyond: bool,
    hurt: MemberSet,
    unsure: MemberSet,
    /// Members that missed a commit, or may have lost one.
    missed: MemberSet,
    /// Some metadata is a well-formed lie: nothing can be expected any more but that nothing breaks.
    lied: bool,
}

impl Atlas {
    pub(super) const fn new(members: usize, tolerance: usize, beyond: bool) -> Self {
        let none = MemberSet::EMPTY;
        Self { members, tolerance, beyond, hurt: none, unsure: none, missed: none, lied: false }
    }

    /// Whether a fault may do this to that member; if so it is written down.
    pub(super) fn admit(&mut self, member: usize, harm: Harm) -> bool {
        if harm == Harm::None {
            return true;
        }
        let hurt = self.hurt.with(member);
        if !self.beyond && (hurt.len() > self.tolerance || harm == Harm::Anything) {
            return false;
        }
        self.hurt = hurt;
        if harm != Harm::Contents {
            self.unsure = self.unsure.with(member);
        }
        self.lied |= harm == Harm::Anything;
        true
    }

    /// A member that may be harmed so, or `None`.
    pub(super) fn victim(&mut self, harm: Harm, rng: &mut Rng) -> Option<usize> {
        // Those that are damaged already are met often enough to be damaged in more than one way.
        let hurt: Vec<usize> = self.hurt.iter().collect();
        let member = match hurt.len() {
            n if n > 0 && rng.coin() => hurt[rng.index(n)],
            _ => rng.index(self.members),
        };
        self.admit(member, harm).then_some(member)
    }

    /// A commit went on without these members.
    pub(super) fn missed(&mut self, members: MemberSet) {
        self.missed = self.missed.or(members);
    }

    /// A complete check found everything in order: all damage is gone.
    pub(super) fn clean(&mut self) {
        (self.hurt, self.unsure, self.missed) = (MemberSet::EMPTY, MemberSet::EMPTY, MemberSet::EMPTY);
    }

    pub(super) const fn hurt(&self) -> MemberSet {
        self.hurt
    }

    pub(super) const fn missed_commits(&self) -> MemberSet {
        self.missed
    }

    pub(super) const fn is_hurt(&self, member: usize) -> bool {
        self.hurt.contains(member)
    }

    pub(super) const fn is_beyond(&self) -> bool {
        self.beyond
    }

    pub(super) const fn has_lied(&self) -> bool {
        self.lied
    }

    /// Whether the members that can be trusted must be able to mount by themselves, whatever lists of members stand
    /// on the disks.
    ///
    /// Members that cannot be trusted may be in a list or not; in the largest one there are all of them.
    pub(super) const fn must_mount(&self) -> bool {
        !self.beyond && (self.unsure.is_empty() || 2 * (self.members - self.unsure.len()) > self.members)
    }

    /// Whether a commit must succeed with the members that can be trusted alone.
    pub(super) const fn must_commit(&self) -> bool {
        !self.beyond && self.hurt.len() <= self.tolerance && 2 * (self.members - self.hurt.len()) > self.members
    }
}
