//! The rules of a world: the protocol's decisions as they are, and with a part taken out.

use dynamicfs_core::transaction::quorum::{self, MemberLists, list_may_continue, list_may_mount};
use dynamicfs_core::types::{Row, Set};

/// Every decision of the protocol, so that a test can replace one, and how hard the world is.
#[derive(Clone, Copy)]
pub(crate) struct Rules {
    /// What a failure prints.
    pub(crate) name: &'static str,
    /// Present disks, lists of the newest superblock: whether to mount.
    pub(crate) may_mount: fn(Set<Row>, MemberLists) -> bool,
    /// Online disks, last durable lists, next lists: whether to go on after a failure.
    pub(crate) may_continue: fn(Set<Row>, MemberLists, MemberLists) -> bool,
    /// Durable lists, target, whether a step is needed anyhow: the next lists to write.
    pub(crate) next_step: fn(MemberLists, Set<Row>, bool) -> Option<MemberLists>,
    /// Whether a mount reserves its epoch on all present disks first. Else it takes the one after the newest's.
    pub(crate) claims: bool,
    /// What is done about blocks, where they are part of the world.
    pub(crate) blocks: Option<Blocks>,
    /// How often disks fail in one mount: any number of them at once, this many times. In a commit it is twice.
    pub(crate) failures_in_mount: u8,
}

/// How a mount keeps blocks from being overwritten that a state refers to which it does not see.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Blocks {
    /// It writes the found state under its own epoch before it writes blocks, unless all that took part in it
    /// are here and have it. Half of each list have it then; where fewer could, it writes nothing.
    StateFirst,
    /// As the first, also where fewer than half of a list can have it.
    StateOnAny,
    /// It writes blocks as soon as its epoch is claimed.
    AtOnce,
    /// As the first, and disks that come back get a superblock with the others.
    ReturningWithTheOthers,
}

impl Rules {
    /// The protocol as it is, blocks left out.
    pub(crate) const SOUND: Self = Self {
        name: "the protocol",
        may_mount: quorum::may_mount,
        may_continue: quorum::may_continue,
        next_step: quorum::next_step,
        claims: true,
        blocks: None,
        failures_in_mount: 0,
    };

    /// The protocol as it is, with blocks.
    pub(crate) const WITH_BLOCKS: Self =
        Self { name: "the protocol, with blocks", blocks: Some(Blocks::StateFirst), ..Self::SOUND };

    /// The same, with disks that fail in a mount too.
    pub(crate) const WITH_BLOCKS_FAILING_MOUNTS: Self = Self {
        name: "the protocol, with blocks, disks fail in mounts",
        blocks: Some(Blocks::StateFirst),
        ..Self::FAILING_MOUNTS
    };

    /// Disks that come back get a superblock with the others, and one of them may have it alone.
    pub(crate) const RETURNING_WITH_THE_OTHERS: Self = Self {
        name: "returning disks with the others",
        blocks: Some(Blocks::ReturningWithTheOthers),
        ..Self::SOUND
    };

    /// A mount writes the found state once more on those that have it, be they ever so few.
    pub(crate) const STATE_ON_ANY: Self =
        Self { name: "the state on any", blocks: Some(Blocks::StateOnAny), ..Self::SOUND };

    /// A mount writes blocks as soon as its epoch is claimed.
    pub(crate) const BLOCKS_AT_ONCE: Self =
        Self { name: "blocks at once", blocks: Some(Blocks::AtOnce), ..Self::SOUND };

    /// The protocol as it is, with disks that fail in a mount too, and the mount continuing with the others.
    pub(crate) const FAILING_MOUNTS: Self =
        Self { name: "the protocol, disks fail in mounts", failures_in_mount: 2, ..Self::SOUND };

    /// A mount writes in the epoch after the one that it found.
    pub(crate) const NO_CLAIM: Self = Self { name: "no claim", claims: false, ..Self::SOUND };

    /// A change of members is written in one step, without the list that it comes from.
    pub(crate) const NO_SETTLED: Self =
        Self { name: "no settled list", next_step: straight_to_target, ..Self::SOUND };

    /// A running pool counts only the members of the step that it is about to write.
    pub(crate) const HALF_OF_NEXT: Self =
        Self { name: "half of the next members only", may_continue: half_of_next_members, ..Self::SOUND };

    /// A running pool continues as long as one disk does.
    pub(crate) const CONTINUE_WITH_ANY: Self =
        Self { name: "continue with any disk", may_continue: continue_with_any, ..Self::SOUND };

    /// A pool counts every online disk towards each list, also those that are not on it.
    pub(crate) const COUNT_STRANGERS: Self =
        Self { name: "count disks outside the list", may_continue: count_strangers, ..Self::FAILING_MOUNTS };

    /// A mount looks at the members and not at the settled list.
    pub(crate) const MOUNT_BY_MEMBERS: Self =
        Self { name: "mount by members only", may_mount: mount_by_members, ..Self::SOUND };

    /// A mount looks at the settled list and not at the members.
    pub(crate) const MOUNT_BY_SETTLED: Self =
        Self { name: "mount by settled only", may_mount: mount_by_settled, ..Self::SOUND };

    /// A mount is content with exactly half of a list.
    pub(crate) const MOUNT_WITH_HALF: Self =
        Self { name: "mount with half", may_mount: mount_with_half, ..Self::SOUND };

    /// A mount settles the pair that it found half-way without writing that pair under its own epoch first.
    pub(crate) const NO_REWRITE: Self =
        Self { name: "no rewrite of a pair found half-way", next_step: settle_at_once, ..Self::SOUND };

    /// A mount refuses as long as a disk is present that is not a member.
    pub(crate) const NO_RETURN: Self =
        Self { name: "refuse returning disks", may_mount: members_alone, ..Self::SOUND };
}

fn straight_to_target(durable: MemberLists, target: Set<Row>, must_write: bool) -> Option<MemberLists> {
    let end = MemberLists::both(target);
    (must_write || durable != end).then_some(end)
}

fn half_of_next_members(online: Set<Row>, _durable: MemberLists, next: MemberLists) -> bool {
    !online.is_empty() && list_may_continue(online, next.members)
}

fn continue_with_any(online: Set<Row>, _durable: MemberLists, _next: MemberLists) -> bool {
    !online.is_empty()
}

fn count_strangers(online: Set<Row>, durable: MemberLists, next: MemberLists) -> bool {
    let lists = [durable.settled, durable.members, next.settled, next.members];
    !online.is_empty() && lists.iter().all(|list| 2 * online.len() >= list.len())
}

fn mount_by_members(present: Set<Row>, lists: MemberLists) -> bool {
    list_may_mount(present, lists.members)
}

fn mount_by_settled(present: Set<Row>, lists: MemberLists) -> bool {
    list_may_mount(present, lists.settled)
}

fn mount_with_half(present: Set<Row>, lists: MemberLists) -> bool {
    list_may_continue(present, lists.settled) && list_may_continue(present, lists.members)
}

fn settle_at_once(durable: MemberLists, target: Set<Row>, must_write: bool) -> Option<MemberLists> {
    let half_way = durable.settled != durable.members;
    quorum::next_step(durable, target, must_write && !half_way)
}

fn members_alone(present: Set<Row>, lists: MemberLists) -> bool {
    quorum::may_mount(present, lists) && present.is_subset_of(lists.members)
}
