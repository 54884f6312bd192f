//! A member leaves the table after every list has let it go.

use super::*;
use dynamicfs_core::types::{DiskIndex, Row};

/// Superblocks of a disk that were written whole, and are no valid state all the same.
fn unsound_slots(disk: &SimDisk) -> usize {
    states::unsound_slots(disk)
}

/// A member was removed that had just become absent. The lists still named its row, which was then empty:
/// every superblock of that step was invalid. After a power cut half of the disks continued without what the
/// others had acknowledged.
#[test]
fn a_member_that_just_went_away_is_let_go_before_its_row_is_cleared() {
    let mut world = World::new(Scheme::mirror(3), 5, MEMORY);
    world.put("old", 20_000);
    let mut cuts = 0;
    for at in 0.. {
        let mut halted = world.fork(MEMORY);
        {
            let mut pool = halted.mount();
            pool.begin().expect("begun").commit().expect("committed");
            [3, 4].into_iter().for_each(|disk| pool.array().disk_mut(disk).unplug());
            // A scrub notices that they are gone.
            pool.internals_mut().store.count_wrong_slots();
            let step = pool.array().steps();
            pool.array().halt_at(step + at, Halt::PowerCut);
            let removed = pool.remove_member(MemberNumber(3), true);
            if pool.array().halted().is_none() {
                removed.expect("removed");
                break;
            }
        }
        for seed in 0..8 {
            let mut cut = halted.fork(MEMORY);
            cut.array.power_cycle(CrashPolicy::Subset, &mut Rng::new(seed));
            let unsound: usize = (0..3).map(|disk| unsound_slots(cut.array.disk(disk))).sum();
            assert_eq!(unsound, 0, "cut {at}");
            cuts += 1;
            cut.plug(&[3, 4]);
            cut.unplug(&[0, 1]);
            let went_on = match cut.try_mount(MountMode::ReadWrite) {
                Ok(mut pool) => put(&mut pool, "acknowledged", 5000).is_ok(),
                Err(_) => false,
            };
            cut.plug(&[0, 1]);
            cut.unplug(&[2, 3, 4]);
            let serves = cut.try_mount(MountMode::ReadWrite).is_ok();
            assert!(!(went_on && serves), "cut {at}: both halves go on");
        }
    }
    assert!(cuts > 100);
}

/// A member that is to leave and holds nothing any more goes away before upkeep takes it out.
#[test]
fn a_departing_member_that_goes_away_leaves_no_unsound_state() {
    let mut world = World::new(Scheme::mirror(2), 4, MEMORY);
    world.put("old", 20_000);
    let mut pool = world.mount();
    pool.drain_member(MemberNumber(3), true).expect("drained");
    while !pool.internals().store.roster().departing.contains(Row(3)) {
        pool.maintain(true).expect("maintained");
    }
    pool.array().disk_mut(3).unplug();
    pool.internals_mut().store.count_wrong_slots();
    assert_eq!(pool.member_health(DiskIndex(3)).status, DiskStatus::Failed);
    rest(&mut pool);
    drop(pool);
    assert_eq!((0..3).map(|disk| unsound_slots(world.array.disk(disk))).sum::<usize>(), 0);
    world.expect("old", 20_000);
}
