//! The decisions by themselves: tables of cases, and what must hold of all small lists.
//!
//! In a table `"013"` are the disks 0, 1 and 3, and `"01>0"` are the lists of a pool half-way from 01 to 0.

use dynamicfs_core::transaction::quorum::{
    MemberLists, list_may_continue, list_may_mount, may_continue, may_mount, next_step,
};
use dynamicfs_core::types::{Row, Set};

/// Enough disks for two lists of three that share none, one, two or all.
const DISKS: usize = 5;

fn set(digits: &str) -> Set<Row> {
    let slot = |digit: char| digit.to_digit(10).expect("a digit") as usize;
    digits.chars().fold(Set::EMPTY, |set, digit| set.with(Row(slot(digit))))
}

fn lists(pair: &str) -> MemberLists {
    let (settled, members) = pair.split_once('>').expect("settled>members");
    MemberLists { settled: set(settled), members: set(members) }
}

/// Every set of the first `count` disks.
fn sets(count: usize) -> impl Iterator<Item = Set<Row>> + Clone {
    (0..=Set::<Row>::first(count).bits()).map(Set::of_bits)
}

/// Every pair of lists with at least one member each.
fn pairs(count: usize) -> impl Iterator<Item = MemberLists> + Clone {
    let listed = sets(count).skip(1);
    listed
        .clone()
        .flat_map(move |settled| listed.clone().map(move |members| MemberLists { settled, members }))
}

#[test]
fn one_list() {
    // Disks, the list, whether they may mount it, whether they may continue with it.
    let cases = [
        // An empty list asks for nothing.
        ("", "", true, true),
        ("0", "", true, true),
        // One member.
        ("", "0", false, false),
        ("0", "0", true, true),
        ("1", "0", false, false),
        // A mirror of two: half continues, and only both come back.
        ("", "01", false, false),
        ("0", "01", false, true),
        ("1", "01", false, true),
        ("01", "01", true, true),
        // With a witness (2), either disk comes back with it, and the witness alone does not.
        ("02", "012", true, true),
        ("12", "012", true, true),
        ("01", "012", true, true),
        ("2", "012", false, false),
        ("0", "012", false, false),
        // Four: half, and one more.
        ("01", "0123", false, true),
        ("013", "0123", true, true),
        ("3", "0123", false, false),
        // Five: half rounds up.
        ("01", "01234", false, false),
        ("014", "01234", true, true),
        // Members that are not on the list count for nothing.
        ("23", "01", false, false),
        ("0234", "01", false, true),
        ("01234", "01", true, true),
        ("0345", "012", false, false),
        ("0156", "01234", false, false),
    ];
    for (disks, list, mount, go_on) in cases {
        assert_eq!(list_may_mount(set(disks), set(list)), mount, "{disks:?} mounts {list:?}");
        assert_eq!(list_may_continue(set(disks), set(list)), go_on, "{disks:?} goes on with {list:?}");
    }
}

#[test]
fn the_largest_list() {
    let all = Set::first(64);
    assert!(!list_may_continue(Set::first(31), all));
    assert!(list_may_continue(Set::first(32), all));
    assert!(!list_may_mount(Set::first(32), all));
    assert!(list_may_mount(Set::first(33), all));
    assert!(list_may_mount(all, all));
}

#[test]
fn a_mount_needs_both_lists() {
    let cases = [
        ("0", "0>0", true),
        ("01", "01>01", true),
        ("0", "01>01", false),
        // The mirror that lost disk 1 and was cut off before it had settled: disk 1 may know of another change.
        ("0", "01>0", false),
        ("01", "01>0", true),
        // Settled, it comes back alone; the disk that was left behind does not.
        ("0", "0>0", true),
        ("1", "0>0", false),
        // Half-way back to two.
        ("0", "0>01", false),
        ("1", "0>01", false),
        ("01", "0>01", true),
        // Three shrinking to one: that one is not enough, with any other it is.
        ("0", "012>0", false),
        ("12", "012>0", false),
        ("02", "012>0", true),
        // A list changed for another one.
        ("01", "01>23", false),
        ("23", "01>23", false),
        ("012", "01>23", false),
        ("0123", "01>23", true),
        ("", "0>0", false),
    ];
    for (present, pair, expected) in cases {
        assert_eq!(may_mount(set(present), lists(pair)), expected, "{present:?} mounts {pair:?}");
    }
}

#[test]
fn going_on_needs_half_of_all_lists() {
    let cases = [
        // The mirror loses disk 1: it continues and settles.
        ("0", "01>01", "01>0", true),
        ("0", "01>0", "0>0", true),
        // Each of the lists alone is missed: settled and members of the durable pair, then of the next.
        ("0", "123>0", "0>0", false),
        ("0", "0>123", "0>0", false),
        ("0", "0>0", "123>0", false),
        ("0", "0>0", "0>123", false),
        // Losing two of three at once is too many, one after the other is not.
        ("0", "012>012", "012>0", false),
        ("01", "012>012", "012>01", true),
        ("0", "01>01", "01>0", true),
        // Between the steps of that: of the three still settled, one is not half.
        ("0", "012>01", "01>01", false),
        // Disks that are not on the lists do not make up for those that are.
        ("0345", "012>012", "012>0345", false),
        // No disk continues, whatever the lists ask for.
        ("", ">", ">", false),
        ("", "0>0", "0>", false),
        ("0", ">", ">", true),
    ];
    for (online, durable, next, expected) in cases {
        let decided = may_continue(set(online), lists(durable), lists(next));
        assert_eq!(decided, expected, "{online:?} goes on from {durable:?} to {next:?}");
    }
}

#[test]
fn the_next_step() {
    // Durable pair, target, whether something must be written, the next pair.
    let cases = [
        // Settled at the target.
        ("01>01", "01", false, None),
        ("01>01", "01", true, Some("01>01")),
        // A change begins, with or without contents.
        ("01>01", "0", false, Some("01>0")),
        ("01>01", "0", true, Some("01>0")),
        ("0>0", "01", true, Some("0>01")),
        // Half-way: first a mount's own, then settled, whatever the target has become.
        ("01>0", "0", true, Some("01>0")),
        ("01>0", "01", true, Some("01>0")),
        ("01>0", "0", false, Some("0>0")),
        ("01>0", "01", false, Some("0>0")),
        ("01>0", "2", false, Some("0>0")),
    ];
    for (durable, target, must_write, expected) in cases {
        let next = next_step(lists(durable), set(target), must_write);
        assert_eq!(next, expected.map(lists), "{durable:?} to {target:?}, must write: {must_write}");
    }
}

#[test]
fn a_pool_that_goes_on_and_a_mount_share_a_member() {
    for list in sets(DISKS).skip(1) {
        for online in sets(DISKS).filter(|online| list_may_continue(*online, list)) {
            for present in sets(DISKS).filter(|present| list_may_mount(*present, list)) {
                let shared = online.and(present).and(list);
                assert!(!shared.is_empty(), "{list:?}: {online:?} goes on, {present:?} mounts");
            }
        }
    }
}

#[test]
fn whoever_may_mount_may_go_on_to_those_present() {
    for pair in pairs(DISKS) {
        for present in sets(DISKS).filter(|present| may_mount(*present, pair)) {
            let first = next_step(pair, present, true).expect("a mount writes");
            assert!(may_continue(present, pair, first), "{present:?} mounts {pair:?}");
        }
    }
}

#[test]
fn one_more_disk_never_forbids() {
    for pair in pairs(DISKS) {
        for few in sets(DISKS) {
            for slot in 0..DISKS {
                let more = few.with(Row(slot));
                assert!(may_mount(few, pair) <= may_mount(more, pair), "{few:?} {pair:?}");
                assert!(may_continue(few, pair, pair) <= may_continue(more, pair, pair), "{few:?} {pair:?}");
            }
        }
    }
}

#[test]
fn the_steps_move_one_list_at_a_time_and_end_at_the_target() {
    /// The longest way: a rewrite, what was found half-way, the change, its end.
    const STEPS_MAX: usize = 4;
    for start in pairs(DISKS) {
        for target in sets(DISKS).skip(1) {
            let (mut durable, mut steps) = (start, 0);
            while let Some(next) = next_step(durable, target, steps == 0) {
                let follows = next.settled == durable.members;
                assert!(follows || (steps == 0 && next == durable), "{durable:?} to {next:?}");
                durable = next;
                steps += 1;
                assert!(steps <= STEPS_MAX, "{start:?} to {target:?}");
            }
            assert_eq!(durable, MemberLists::both(target), "from {start:?}");
        }
    }
}
