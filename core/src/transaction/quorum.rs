//! Which disks may mount, and which may continue: the decisions that keep one history. Pure; no I/O, no
//! state.
//!
//! A superblock names two lists of members: `members`, this state's, and `settled`, the one before it until the
//! change of members is finished. The pair moves one step at a time, and each step is durable on every online
//! member before the next:
//!
//! ```text
//! (S, M) -> (M, M) -> (M, P) -> (P, P)
//! finish what was     begin      settle
//! found half-way      the change
//! ```
//!
//! - A mount needs, of *both* lists, all members or strictly more than half.
//! - A running pool needs, of both lists of the durable pair and of the next, at least half.
//!
//! At-least-half and more-than-half of one list are never disjoint. So a pool that continues and a mount
//! elsewhere share a member, and the newer epoch wins there. Looking at one list alone is not enough: a crash
//! may leave the change of members on some disks and not on others.
//!
//! A mount that will write first reserves an epoch above every claim of the present disks (the *claim*),
//! durable on all of them. Two mounts that see different disks can then never write the same (epoch,
//! generation) with different contents.

pub use crate::types::MemberLists;
use crate::types::{Row, Set};

/// Whether the disks that are `present` may go on from a state with this member list: all of it, or more than half.
pub const fn list_may_mount(present: Set<Row>, list: Set<Row>) -> bool {
    list.is_subset_of(present) || 2 * present.and(list).len() > list.len()
}

/// How many more members of a list must be there before it may be mounted: any of them would do.
pub const fn wanting(present: Set<Row>, list: Set<Row>) -> usize {
    if list_may_mount(present, list) { 0 } else { list.len() / 2 + 1 - present.and(list).len() }
}

/// Whether the disks that are `present` may mount a state with these lists: both must be met.
pub const fn may_mount(present: Set<Row>, lists: MemberLists) -> bool {
    list_may_mount(present, lists.settled) && list_may_mount(present, lists.members)
}

/// How many of the `present` members may be lost, whichever, while the rest may still mount a state with
/// these lists. 0 where they may not now.
pub const fn spare(present: Set<Row>, lists: MemberLists) -> usize {
    let (settled, members) = (list_spare(present, lists.settled), list_spare(present, lists.members));
    if settled < members { settled } else { members }
}

/// The same for one list: more than half of it must be left.
const fn list_spare(present: Set<Row>, list: Set<Row>) -> usize {
    present.and(list).len().saturating_sub(list.len() / 2 + 1)
}

/// Whether a running pool with these members `online` may go on, for one list: at least half of it.
pub const fn list_may_continue(online: Set<Row>, list: Set<Row>) -> bool {
    2 * online.and(list).len() >= list.len()
}

/// Whether a running pool may write the step `next`, with `durable` being the last pair that is on all disks.
pub const fn may_continue(online: Set<Row>, durable: MemberLists, next: MemberLists) -> bool {
    !online.is_empty()
        && list_may_continue(online, durable.settled)
        && list_may_continue(online, durable.members)
        && list_may_continue(online, next.settled)
        && list_may_continue(online, next.members)
}

/// The next pair to write on the way from `durable` to ([`target`](MemberLists::both), target), or `None` when it is reached.
///
/// `must_write` asks for a step even when the lists need none. A commit has contents to write, and a mount
/// rewrites the pair it found under its own epoch.
pub fn next_step(durable: MemberLists, target: Set<Row>, must_write: bool) -> Option<MemberLists> {
    if durable.settled != durable.members {
        // Half-way: a mount first makes the pair it found its own, then either settles it.
        return Some(if must_write { durable } else { MemberLists::both(durable.members) });
    }
    (must_write || durable.members != target)
        .then_some(MemberLists { settled: durable.members, members: target })
}
