//! The fault atlas: which disks are damaged how badly, so that faults stay within what redundancy bears.
//!
//! A disk that was damaged since the last clean check counts as lost, even if most of it is good. As many
//! disks may be lost as the scheme has parity. A disk also counts as lost for the quorum if its state cannot
//! be trusted. It is away or set back, its superblocks rotted, or its flushes lie. Damage that a clean check
//! has shown to be gone counts no more.

use super::fault::Harm;
use super::map::Group;
use crate::Rng;
use dynamicfs_core::types::{BlockAddress, MemberNumber, Set};
use std::collections::BTreeSet;

/// The members that may be damaged, by number.
#[derive(Clone, Debug)]
pub(super) struct Atlas {
    /// Members that count: those of the pool but the ones that were given up and rebuilt elsewhere.
    members: Set<usize>,
    /// Members that hold nothing: they count for the quorum alone.
    witnesses: Set<usize>,
    tolerance: usize,
    beyond: bool,
    hurt: Set<usize>,
    unsure: Set<usize>,
    /// Members that missed a commit, or may have lost one.
    missed: Set<usize>,
    /// Members that were harmed in any other way than that they were away.
    rotten: Set<usize>,
    /// Members that are removed with what they hold.
    losing: Set<usize>,
    /// Those of them that are gone: what they held is missing until a complete check finds everything in order.
    gone: Set<usize>,
    /// Blocks that rotted singly, by member and block.
    scattered: BTreeSet<(u16, u64)>,
    /// Blocks that rotted in any one extent at most.
    depth: usize,
    /// Some metadata is a well-formed lie: nothing can be expected any more but that nothing breaks.
    lied: bool,
}

impl Atlas {
    pub(super) const fn new(members: usize, witnesses: Set<usize>, tolerance: usize, beyond: bool) -> Self {
        Self {
            members: Set::first(members),
            witnesses,
            tolerance,
            beyond,
            hurt: Set::EMPTY,
            unsure: Set::EMPTY,
            missed: Set::EMPTY,
            rotten: Set::EMPTY,
            losing: Set::EMPTY,
            gone: Set::EMPTY,
            scattered: BTreeSet::new(),
            depth: 0,
            lied: false,
        }
    }

    /// Whether a fault may do this to that member; if so it is written down.
    pub(super) fn admit(&mut self, member: usize, harm: Harm) -> bool {
        if harm == Harm::None {
            return true;
        }
        let hurt = self.hurt.with(member);
        let holders = hurt.minus(self.witnesses).len() + self.gone.len();
        let is_borne = holders == 0 || holders + self.depth <= self.tolerance;
        if !self.beyond && (!is_borne || harm == Harm::Anything) {
            return false;
        }
        // One damaged place leaves every label and superblock a second copy; two places may not.
        let again = self.hurt.contains(member);
        self.hurt = hurt;
        if again || harm != Harm::Contents {
            self.unsure = self.unsure.with(member);
        }
        self.lied |= harm == Harm::Anything;
        true
    }

    /// A member was harmed in some other way than that it is away.
    pub(super) fn spoil(&mut self, member: usize) {
        self.rotten = self.rotten.with(member);
    }

    /// Members that were, and those with damage in places.
    pub(super) fn rotten(&self) -> Set<usize> {
        self.scattered.iter().fold(self.rotten, |rotten, &(member, _)| rotten.with(member.into()))
    }

    /// A member that may be harmed so, or `None`.
    pub(super) fn victim(&mut self, harm: Harm, rng: &mut Rng) -> Option<usize> {
        // Those that are damaged already are met often enough to be damaged in more than one way.
        let hurt: Vec<usize> = self.hurt.iter().collect();
        let member = match hurt.len() {
            n if n > 0 && rng.coin() => hurt[rng.index(n)],
            _ => {
                let members: Vec<usize> = self.members.iter().collect();
                *rng.pick(&members)
            }
        };
        self.admit(member, harm).then_some(member)
    }

    /// A commit went on without these members.
    pub(super) fn missed(&mut self, members: Set<usize>) {
        self.missed = self.missed.or(members);
    }

    /// Members that count.
    pub(super) const fn members(&self) -> Set<usize> {
        self.members
    }

    /// There is one more member.
    pub(super) fn joined(&mut self, member: usize, is_witness: bool) {
        self.members = self.members.with(member);
        if is_witness {
            self.witnesses = self.witnesses.with(member);
        }
    }

    /// A member does not count any more: it left, or was rebuilt elsewhere.
    pub(super) fn left(&mut self, member: usize) {
        self.members = self.members.without(member);
        if self.losing.contains(member) {
            (self.losing, self.gone) = (self.losing.without(member), self.gone.with(member));
        }
        for set in [&mut self.hurt, &mut self.unsure, &mut self.missed, &mut self.rotten] {
            *set = set.without(member);
        }
    }

    /// A member is being removed with what it holds, if that may be lost too.
    pub(super) fn lose(&mut self, member: usize) -> bool {
        let may = self.admit(member, Harm::State);
        if may {
            self.losing = self.losing.with(member);
        }
        may
    }

    /// Whatever becomes of it, a member cannot be counted on.
    pub(super) fn doubt(&mut self, member: usize) {
        self.hurt = self.hurt.with(member);
        self.unsure = self.unsure.with(member);
    }

    /// A commit that need not have continued without this member may have. Its word on the pool's state is as
    /// good as before.
    pub(super) fn left_behind(&mut self, member: usize) {
        self.hurt = self.hurt.with(member);
    }

    /// A member is not owed what it missed any more.
    pub(super) fn forgive(&mut self, member: usize) {
        self.missed = self.missed.without(member);
    }

    /// Only these members are still owed what they missed.
    pub(super) fn owed(&mut self, members: Set<usize>) {
        self.missed = self.missed.and(members);
    }

    /// A complete check found everything in order: all damage is gone.
    pub(super) fn clean(&mut self) {
        self.clean_without(Set::EMPTY);
    }

    /// As [`clean`](Self::clean), but for members that are not there: what they held may be whole, they are not.
    pub(super) fn clean_without(&mut self, absent: Set<usize>) {
        self.hurt = self.hurt.and(absent);
        self.unsure = Set::EMPTY;
        (self.missed, self.rotten) = (Set::EMPTY, Set::EMPTY);
        self.gone = Set::EMPTY;
        self.scattered.clear();
        self.depth = 0;
    }

    /// Members that hold something and count as lost.
    const fn holders_hurt(&self) -> usize {
        self.hurt.minus(self.witnesses).len()
    }

    /// Whether a member holds nothing.
    pub(super) fn is_witness(&self, member: usize) -> bool {
        self.witnesses.contains(member)
    }

    pub(super) const fn hurt(&self) -> Set<usize> {
        self.hurt
    }

    pub(super) const fn missed_commits(&self) -> Set<usize> {
        self.missed
    }

    pub(super) fn is_hurt(&self, member: usize) -> bool {
        self.hurt.contains(member) || self.gone.contains(member)
    }

    /// One block of an extent or node that may rot, if there is one: which of its parts, and how far into that.
    pub(super) fn scatter(&mut self, group: &Group, rng: &mut Rng) -> Option<BlockAddress> {
        let is_lost = |atlas: &Self, &(start, blocks): &(BlockAddress, u32)| {
            let (member, first) = (start.member.0, (start.member.0, start.block));
            let end = (start.member.0, start.block + u64::from(blocks));
            atlas.is_hurt(member.into()) || atlas.scattered.range(first..end).next().is_some()
        };
        let lost = group.parts.iter().filter(|part| is_lost(self, part)).count();
        // All disks that may still be lost as a whole count as lost here.
        let room = self.tolerance.saturating_sub(self.holders_hurt() + self.gone.len());
        let depth = lost + 1
            - group.parts.iter().filter(|(at, _)| self.is_hurt(at.member.0.into())).count().min(lost);
        if lost >= group.spare || (self.tolerance > 0 && depth > room) {
            return None;
        }
        let sound: Vec<_> = group.parts.iter().filter(|part| !is_lost(self, part)).collect();
        let &&(start, blocks) = rng.pick(&sound);
        let block = start.block + rng.below(blocks.into());
        self.scattered.insert((start.member.0, block));
        self.depth = self.depth.max(depth.min(self.tolerance));
        Some(BlockAddress { block, ..start })
    }

    /// A block rots that is known to be spare.
    pub(super) fn rot_at(&mut self, member: MemberNumber, block: u64) {
        self.scattered.insert((member.0, block));
    }

    /// Whether damage was done to a block, or to one of the run that it begins.
    pub(super) fn is_scattered(&self, start: BlockAddress, blocks: u64) -> bool {
        let member = start.member.0;
        self.scattered.range((member, start.block)..(member, start.block + blocks)).next().is_some()
    }

    /// On how many members there is damage in places.
    pub(super) fn scattered_members(&self) -> usize {
        let mut members: Vec<u16> = self.scattered.iter().map(|&(member, _)| member).collect();
        members.dedup();
        members.len()
    }

    /// Whether nothing at all is damaged.
    pub(super) fn is_whole(&self) -> bool {
        self.hurt.is_empty() && self.gone.is_empty() && self.scattered.is_empty()
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
        !self.beyond
            && (self.unsure.is_empty() || 2 * self.members.minus(self.unsure).len() > self.members.len())
    }

    /// Whether the data bears what is damaged: more is where a pool continued that need not have.
    pub(super) const fn is_borne(&self) -> bool {
        self.holders_hurt() + self.gone.len() <= self.tolerance
    }

    /// Whether a commit must succeed with the members that can be trusted alone.
    pub(super) const fn must_commit(&self) -> bool {
        !self.beyond && self.is_borne() && 2 * self.members.minus(self.hurt).len() > self.members.len()
    }
}
