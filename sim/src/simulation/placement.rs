//! Checks where everything lies, without the core's own judges. Fragments of an extent and replicas of a node
//! are on different members, failure domains are kept, and no record is stray.

use super::map::Map;
use super::records::Stored;
use super::report::{Failure, FailureKind};
use super::run::{Mounted, Run};
use crate::SimArray;
use dynamicfs_core::format::pointer::NodePointer;
use dynamicfs_core::format::record::MemberState;
use dynamicfs_core::types::{BlockAddress, DiskIndex, Generation};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

impl Run {
    /// Reads the newest state from the disks that are in their places; `None` where that cannot be read.
    pub(super) fn map(&self, array: &SimArray) -> Option<Map> {
        let members = self.atlas.members();
        let present = |member: usize| {
            let there = self.shelf[member].is_none() && members.contains(member);
            there.then(|| array.disk(self.places[member]))
        };
        Map::read((0..self.members()).map(present).collect())
    }

    /// Whether every member is there and used, with room: what is written now is placed as it should be.
    pub(super) fn is_orderly(&self, pool: &Mounted<'_>) -> bool {
        self.offline(pool).is_empty()
            && pool.health().owed == 0
            && self.roster.iter().all(|&state| state == MemberState::Active)
            && self.have_room(pool, 2)
    }

    /// Whether of each member that holds something one part in so many is free.
    pub(super) fn have_room(&self, pool: &Mounted<'_>, share: u64) -> bool {
        self.active().into_iter().all(|member| {
            let health = pool.member_health(DiskIndex(self.places[member]));
            health.witness || health.free_blocks >= health.blocks / share
        })
    }

    /// Remembers the generations in which everything could be placed as it should be.
    pub(super) fn note_order(&mut self, before: bool, pool: &Mounted<'_>, generations: RangeInclusive<u64>) {
        if before && self.is_orderly(pool) {
            self.orderly.extend(generations);
        }
    }

    /// Whatever happened: no extent has two fragments on one member, and there are no strays. What was written in orderly
    /// times is placed as well as the pool allows.
    pub(super) fn check_placement(&self, map: &Map) -> Result<(), Failure> {
        if let Some(stray) = map.records.strays.first() {
            return Err(self.fail(FailureKind::Space, stray.clone()));
        }
        let twice = map.records.extents.iter().find(|stored| has_twice(places(stored)));
        if let Some(stored) = twice {
            return Err(self.misplaced(stored, "two fragments on one member"));
        }
        let crowded = map.records.extents.iter().find(|stored| self.is_crowded(stored));
        if let Some(stored) = crowded {
            return Err(self.misplaced(stored, "more fragments in a failure domain than may be lost"));
        }
        let written_in_order = |node: &&NodePointer| self.orderly.contains(&node.birth.0);
        for node in map.nodes.iter().filter(written_in_order) {
            let what = match node {
                node if self.is_scarce(node) => "on too few members",
                node if self.is_node_crowded(node) => {
                    "with more replicas in a failure domain than may be lost"
                }
                _ => continue,
            };
            let what = format!("a node {what}: {:?}", node.replicas());
            return Err(self.fail(FailureKind::Redundancy, what));
        }
        Ok(())
    }

    /// At rest every node is on as many members as it should be, and every extent has the parity that was asked for.
    pub(super) fn check_spread(&self, map: &Map) -> Result<(), Failure> {
        if let Some(node) = map.nodes.iter().find(|node| self.is_scarce(node)) {
            let what = format!("at rest, a node on too few members: {:?}", node.replicas());
            return Err(self.fail(FailureKind::Redundancy, what));
        }
        let is_short = |stored: &&Stored| {
            let extent = &stored.extent;
            let on: BTreeSet<u16> = places(stored).map(|place| place.member.0).collect();
            on.len() < extent.scheme.width() || extent.scheme.parity < extent.asked.parity
        };
        let short = map.records.extents.iter().find(is_short);
        short.map_or(Ok(()), |stored| {
            Err(self.misplaced(stored, "at rest, fewer fragments than were asked for"))
        })
    }

    fn misplaced(&self, stored: &Stored, what: &str) -> Failure {
        let Stored { object, start, extent } = stored;
        let places: Vec<_> = places(stored).map(|place| (place.member.0, place.block)).collect();
        let what =
            format!("{what}: {} at {start} of object {object}, on (member, block) {places:?}", extent.scheme);
        self.fail(FailureKind::Redundancy, what)
    }

    /// Whether a node is on fewer members than it should be, with all of them there.
    fn is_scarce(&self, node: &NodePointer) -> bool {
        let open = |&member: &usize| self.is_open(member);
        let members = self.active().into_iter().filter(open).count();
        let on: BTreeSet<u16> = node.replicas().iter().map(|replica| replica.member.0).collect();
        on.len() < members.min(self.setup.format.tolerance.map_or(self.setup.tolerance(), usize::from) + 1)
    }

    /// Whether a member is given data.
    pub(super) fn is_open(&self, member: usize) -> bool {
        self.roster[member] == MemberState::Active && !self.atlas.is_witness(member)
    }

    /// Whether a failure domain holds more of an extent than may be lost, though it was written when there was a better way.
    fn is_crowded(&self, stored: &Stored) -> bool {
        let in_order = |birth: Generation| self.orderly.contains(&birth.0);
        let extent = &stored.extent;
        let is_new = extent.fragments().iter().all(|fragment| fragment.birth == extent.birth);
        if self.setup.members.is_empty() || !is_new || !in_order(extent.birth) {
            return false;
        }
        self.are_crowded(places(stored), extent.scheme.width(), extent.scheme.parity.into())
    }

    /// As [`is_crowded`](Self::is_crowded), of a node that was written in orderly times.
    fn is_node_crowded(&self, node: &NodePointer) -> bool {
        let replicas = node.replicas();
        let tolerance = self.setup.format.tolerance.map_or(self.setup.tolerance(), usize::from);
        !self.setup.members.is_empty()
            && self.are_crowded(replicas.iter().copied(), replicas.len(), tolerance)
    }

    /// Whether one failure domain holds more of these places than may be lost, and there would be place for
    /// as many apart.
    fn are_crowded(
        &self,
        places: impl Iterator<Item = BlockAddress>,
        width: usize,
        tolerance: usize,
    ) -> bool {
        let most = tolerance.max(1);
        let mut there = BTreeMap::<u32, usize>::new();
        for place in places {
            *there.entry(self.domain(place.member.0.into())).or_default() += 1;
        }
        let is_over = there.iter().any(|(&domain, &count)| domain != 0 && count > most);
        is_over && self.bears_apart(width, most)
    }

    /// Whether the members that were there from the beginning have place for so many fragments, `most` in a domain.
    fn bears_apart(&self, width: usize, most: usize) -> bool {
        let mut room = BTreeMap::<u32, usize>::new();
        let members = (0..self.setup.disks.len()).filter(|&member| self.is_open(member));
        members.for_each(|member| *room.entry(self.domain(member)).or_default() += 1);
        let usable = room.iter().map(|(&domain, &count)| if domain == 0 { count } else { count.min(most) });
        usable.sum::<usize>() >= width
    }

    /// A member's failure domain; one that joined later has one of its own, as far as is looked at.
    fn domain(&self, member: usize) -> u32 {
        self.setup.member(member).failure_domain
    }
}

fn places(stored: &Stored) -> impl Iterator<Item = BlockAddress> {
    stored.extent.fragments().iter().map(|fragment| fragment.address).filter(|address| address.is_some())
}

fn has_twice(places: impl Iterator<Item = BlockAddress>) -> bool {
    let mut seen = BTreeSet::new();
    let mut places = places;
    places.any(|place| !seen.insert(place.member.0))
}
