//! Every history of a small pool, and random histories of larger ones, under the quorum's decisions.
//!
//! The decisions of `dynamicfs_core::transaction::quorum` are pure; what they decide about is modelled here:
//!
//! ```text
//!            disk 0            disk 1            disk 2          each disk: its newest superblock,
//!        +-------------+   +-------------+   +-------------+       (epoch, generation)
//!        | (2, 5)      |   | (2, 5)      |   | (1, 1) stale|       settled -> members, content
//!        | 012 -> 01 B |   | 012 -> 01 B |   | 012 -> 012 A|     and the highest epoch claimed on it
//!        | claim 2     |   | claim 2     |   | claim 1     |
//!        +-------------+   +-------------+   +-------------+
//!
//!   at rest --- mount with any set of disks ---> claim, rewrite, (S,M) -> (M,M) -> (M,P) -> (P,P) ---> running
//!      ^                                           |                                                    |
//!      |<---- crash: any part of any write is there +       commit: a new content, the same steps <-----+
//!      |                                                      |  disks fail between the writes,         |
//!      |<---- crash, or too few disks to go on ---------------+  or inside one; the others go on        |
//!      |<---- power off --------------------------------------------------------------------------------+
//! ```
//!
//! At rest, every set of disks tries to mount, and three things are checked:
//!
//! - what is mounted descends from the content that was last acknowledged or served (no rollback, G4);
//! - superblocks with the same (epoch, generation) carry the same content;
//! - with every disk present the mount is not refused.
//!
//! An executable model of the protocol, in another language, explores the same graph. The numbers of states
//! and of transitions per depth below are the model's. So the decisions in Rust and the model's are the same
//! ones, history by history. The last tests break one rule at a time and ask for the violation that the rule
//! is there to prevent.

#[path = "quorum_histories/decisions.rs"]
mod decisions;
#[path = "quorum_histories/explore.rs"]
mod explore;
#[path = "quorum_histories/rules.rs"]
mod rules;
#[path = "quorum_histories/world.rs"]
mod world;

use explore::{Found, Tally, explore, walks};
use rules::Rules;
use world::{Violation, WALK_EVENTS};

/// States and transitions after each depth, as the model counts them.
type Sizes<'a> = &'a [(usize, usize)];

/// The protocol, two disks.
const TWO_DISKS: Sizes = &[(7, 7), (44, 65), (254, 402), (1_241, 2_558), (5_043, 12_905), (17_783, 52_861)];

/// The protocol, three disks.
const THREE_DISKS: Sizes =
    &[(33, 45), (735, 1_473), (9_422, 29_547), (87_890, 379_596), (649_344, 3_584_913)];

/// The same with disks that fail in mounts too, as the model counts them when it is extended by that.
const TWO_DISKS_FAILING_MOUNTS: Sizes =
    &[(20, 25), (203, 468), (1_415, 5_303), (7_354, 38_239), (31_306, 203_068)];
const THREE_DISKS_FAILING_MOUNTS: Sizes = &[(148, 180), (7_331, 46_374), (159_070, 2_305_389)];

/// Without the claim; the next depth meets the violation.
const TWO_DISKS_NO_CLAIM: Sizes =
    &[(4, 4), (27, 35), (141, 213), (553, 1_157), (1_775, 4_290), (5_026, 13_423), (12_981, 37_180)];
const THREE_DISKS_NO_CLAIM: Sizes = &[(26, 29), (465, 878), (4_137, 13_085), (27_940, 119_261)];

/// Without the settled list; the violation is deeper.
const THREE_DISKS_NO_SETTLED: Sizes =
    &[(24, 36), (370, 810), (3_547, 10_086), (26_228, 92_970), (160_938, 685_863)];

/// With half of the next members as the only condition; the next depth meets the violation.
const THREE_DISKS_HALF_OF_NEXT: Sizes = &[(33, 45), (843, 1_707), (11_387, 34_767)];

/// The extended model counting online disks that are not on the list; the next depth meets the violation.
const TWO_DISKS_COUNT_STRANGERS: Sizes = &[(20, 25), (251, 648), (2_067, 9_559), (12_040, 82_205)];

/// Explores as deep as the model did: no violation, and at each depth the model's size.
#[track_caller]
fn check_all<const N: usize>(rules: &Rules, expected: Sizes) {
    let explored = explore::<N>(rules, expected.len());
    if let Some(found) = explored.violation {
        panic!("{N} disks, {}: {found}", rules.name);
    }
    assert_eq!(explored.sizes, expected, "{N} disks, {}", rules.name);
}

/// Explores as deep as the model did, at the model's sizes, and hands back the violation that one more depth meets.
#[track_caller]
fn violation_after<const N: usize>(rules: &Rules, expected: Sizes) -> Found {
    let explored = explore::<N>(rules, expected.len() + 1);
    assert_eq!(explored.sizes, expected, "{N} disks, {}", rules.name);
    let found =
        explored.violation.unwrap_or_else(|| panic!("{N} disks, {}: nothing is violated", rules.name));
    assert_eq!(found.history.len(), expected.len(), "{}: {found}", rules.name);
    found
}

/// The violation that random histories of three disks meet.
#[track_caller]
fn violation_in_walks(rules: &Rules) -> Found {
    let found = walks::<3>(rules, 5_000, WALK_EVENTS, &mut Tally::default());
    found.unwrap_or_else(|| panic!("{}: nothing is violated", rules.name))
}

/// Walks: no violation, and each kind of event was taken.
#[track_caller]
fn check_walks<const N: usize>(rules: &Rules, count: u32) {
    let mut tally = Tally::default();
    if let Some(found) = walks::<N>(rules, count, WALK_EVENTS, &mut tally) {
        panic!("{N} disks, {}: {found}", rules.name);
    }
    tally.assert_covered(N);
}

#[test]
fn every_history_of_two_disks() {
    check_all::<2>(&Rules::SOUND, TWO_DISKS);
}

#[test]
fn every_history_of_three_disks() {
    check_all::<3>(&Rules::SOUND, THREE_DISKS);
}

#[test]
fn every_history_with_disks_that_fail_in_mounts() {
    check_all::<2>(&Rules::FAILING_MOUNTS, TWO_DISKS_FAILING_MOUNTS);
    check_all::<3>(&Rules::FAILING_MOUNTS, THREE_DISKS_FAILING_MOUNTS);
}

/// Explores as deep as this: no violation.
#[track_caller]
fn check_depth<const N: usize>(rules: &Rules, depth: usize) {
    let explored = explore::<N>(rules, depth);
    if let Some(found) = explored.violation {
        panic!("{N} disks, {}: {found}", rules.name);
    }
    assert!(explored.sizes.last().is_some_and(|&(states, _)| states > 5_000), "{:?}", explored.sizes);
}

#[test]
fn no_mount_goes_on_from_what_was_overwritten() {
    check_depth::<2>(&Rules::WITH_BLOCKS, 6);
    check_depth::<3>(&Rules::WITH_BLOCKS, 4);
    check_walks::<3>(&Rules::WITH_BLOCKS, 20_000);
    check_walks::<4>(&Rules::WITH_BLOCKS, 5_000);
    check_walks::<5>(&Rules::WITH_BLOCKS, 2_000);
}

#[test]
fn nor_where_disks_fail_in_mounts() {
    check_depth::<2>(&Rules::WITH_BLOCKS_FAILING_MOUNTS, 5);
    check_walks::<3>(&Rules::WITH_BLOCKS_FAILING_MOUNTS, 5_000);
    check_walks::<4>(&Rules::WITH_BLOCKS_FAILING_MOUNTS, 1_000);
}

/// A commit reaches one disk and is cut short. A mount of the others writes over its blocks, and is cut short
/// too.
#[test]
fn blocks_are_written_when_the_state_is_there_in_the_new_epoch() {
    let found = violation_in_walks(&Rules::BLOCKS_AT_ONCE);
    assert!(matches!(found.violation, Violation::Overwritten { .. }), "{found}");
}

/// A commit reaches one disk, and a mount of the others is cut short when one of them has the found state
/// once more. That one and the first continue from there, and write over what the commit put there. The
/// others continue from the commit.
#[test]
fn blocks_are_written_when_half_of_the_members_have_the_state() {
    let found = explore::<3>(&Rules::STATE_ON_ANY, 4).violation.expect("a violation");
    assert!(matches!(found.violation, Violation::Overwritten { .. }), "{found}");
}

/// A commit that brings a disk back reaches that disk alone. The others are all at the state before, and
/// write at once.
#[test]
fn disks_that_come_back_get_a_superblock_last() {
    let found = explore::<2>(&Rules::RETURNING_WITH_THE_OTHERS, 6).violation.expect("a violation");
    assert!(matches!(found.violation, Violation::Overwritten { .. }), "{found}");
}

#[test]
fn walks_of_three_disks() {
    check_walks::<3>(&Rules::SOUND, 20_000);
}

#[test]
fn walks_of_four_disks() {
    check_walks::<4>(&Rules::SOUND, 10_000);
}

#[test]
fn walks_of_five_disks() {
    check_walks::<5>(&Rules::SOUND, 3_000);
}

#[test]
fn walks_of_six_disks() {
    check_walks::<6>(&Rules::SOUND, 1_000);
}

#[test]
fn walks_with_disks_that_fail_in_mounts() {
    check_walks::<3>(&Rules::FAILING_MOUNTS, 5_000);
    check_walks::<4>(&Rules::FAILING_MOUNTS, 1_000);
}

#[test]
fn without_the_claim_two_mounts_write_the_same_generation() {
    let two = violation_after::<2>(&Rules::NO_CLAIM, TWO_DISKS_NO_CLAIM);
    assert!(matches!(two.violation, Violation::TwoContents { .. }), "{two}");
    let three = violation_after::<3>(&Rules::NO_CLAIM, THREE_DISKS_NO_CLAIM);
    assert!(matches!(three.violation, Violation::TwoContents { .. }), "{three}");
}

#[test]
fn without_the_settled_list_a_half_made_change_rolls_back() {
    check_all::<3>(&Rules::NO_SETTLED, THREE_DISKS_NO_SETTLED);
    let found = violation_in_walks(&Rules::NO_SETTLED);
    assert!(matches!(found.violation, Violation::Rollback { .. }), "{found}");
}

#[test]
fn with_half_of_the_next_members_only_a_minority_goes_on() {
    let found = violation_after::<3>(&Rules::HALF_OF_NEXT, THREE_DISKS_HALF_OF_NEXT);
    assert!(matches!(found.violation, Violation::Rollback { .. }), "{found}");
}

#[test]
fn counting_strangers_a_minority_goes_on() {
    let found = violation_after::<2>(&Rules::COUNT_STRANGERS, TWO_DISKS_COUNT_STRANGERS);
    assert!(matches!(found.violation, Violation::Rollback { .. }), "{found}");
}

#[test]
fn each_other_weakened_decision_rolls_back() {
    let weakened = [
        Rules::CONTINUE_WITH_ANY,
        Rules::MOUNT_BY_MEMBERS,
        Rules::MOUNT_BY_SETTLED,
        Rules::MOUNT_WITH_HALF,
        Rules::NO_REWRITE,
    ];
    for rules in weakened {
        let found = violation_in_walks(&rules);
        assert!(matches!(found.violation, Violation::Rollback { .. }), "{}: {found}", rules.name);
    }
}

#[test]
fn refusing_returning_disks_refuses_a_whole_pool() {
    let found = explore::<3>(&Rules::NO_RETURN, 2).violation.expect("a change of members has left one out");
    assert_eq!(found.violation, Violation::RefusedWithAll, "{found}");
}
