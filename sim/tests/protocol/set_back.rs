//! A disk is set back while the pool is mounted.

use super::*;
use dynamicfs_core::types::DiskIndex;

/// A disk is exchanged for an older copy of itself while the pool is mounted, or set back to a snapshot
/// below. What stands where its next superblock goes is not what its ring held there a turn ago, but older:
/// that was taken for its own. The next commit wrote a newer superblock to it, and from then on nothing tells
/// that it went back. It is called current and whole, and the next disk to fail takes what it lacks.
#[test]
fn a_disk_that_is_set_back_under_a_mount_is_not_called_whole() {
    // More commits than the ring has places: none of what it holds is what it held before.
    const COMMITS: usize = 6;
    let mut world = World::new(Scheme::mirror(2), 3, MEMORY);
    let names: Vec<String> = (0..COMMITS).map(|n| format!("acknowledged-{n}")).collect();
    {
        let mut pool = world.mount();
        put(&mut pool, "first", 30_000).expect("committed");
        let image = pool.array().disk(1).clone();
        names.iter().for_each(|name| put(&mut pool, name, 30_000).expect("committed"));
        pool.array().disk_mut(1).roll_back(&image);
        // Whether it is refused, or continues without the disk, is all the same.
        for n in 0..2 {
            let _ = put(&mut pool, &format!("after-{n}"), 30_000);
        }
    }
    expect_whole_without_one(&mut world, [0, 2], &names, 30_000);
}

/// The same on a pool so young that its rings have not been filled once. In the older copy there is nothing
/// at all where its newest superblock should be. That was taken for rot, which the next superblock puts
/// right.
#[test]
fn a_disk_of_a_young_pool_that_is_set_back_is_not_called_whole() {
    let mut world = World::new(Scheme::mirror(2), 3, MEMORY);
    let names = ["first".to_owned()];
    {
        let mut pool = world.mount();
        let image = pool.array().disk(1).clone();
        names.iter().for_each(|name| put(&mut pool, name, 30_000).expect("committed"));
        let newest = states::newest_slots(pool.array().disk(1)).remove(0);
        let mut slot = vec![1; (newest.end - newest.start) as usize];
        image.pristine(newest.start, &mut slot);
        assert!(slot.iter().all(|&byte| byte == 0), "the ring has not been filled");
        pool.array().disk_mut(1).roll_back(&image);
        put(&mut pool, "after", 30_000).expect("committed without the disk");
        assert_eq!(pool.member_health(DiskIndex(1)).status, DiskStatus::Failed);
    }
    expect_whole_without_one(&mut world, [0, 2], &names, 30_000);
}

/// In the older copy rot stands where the newest superblock should be, in both rings, or what a crash has
/// torn. That was taken for rot in the newest superblock itself. With such rot the superblock before is
/// there, and in the older copy it is not.
#[test]
fn rot_in_an_older_copy_does_not_hide_that_a_disk_was_set_back() {
    for is_older in [true, false] {
        let mut world = World::new(Scheme::mirror(2), 3, MEMORY);
        let names: Vec<String> = (0..3).map(|n| format!("acknowledged-{n}")).collect();
        let mut pool = world.mount();
        // Every place of the rings holds something.
        (0..6).for_each(|n| put(&mut pool, &format!("first-{n}"), 3000).expect("committed"));
        let image = pool.array().disk(1).clone();
        names.iter().for_each(|name| put(&mut pool, name, 30_000).expect("committed"));
        let newest = states::newest_slots(pool.array().disk(1));
        assert_eq!(newest.len(), 2);
        if is_older {
            pool.array().disk_mut(1).roll_back(&image);
        }
        newest.iter().for_each(|slot| pool.array().disk_mut(1).flip_bits(slot.start + 100, 1));
        pool.array().wait(1_000_000);
        put(&mut pool, "after", 30_000).expect("committed");
        let status = if is_older { DiskStatus::Failed } else { DiskStatus::Online };
        assert_eq!(pool.member_health(DiskIndex(1)).status, status);
        drop(pool);
        expect_whole_without_one(&mut world, [0, 2], &names, 30_000);
    }
}

/// The same while the operator has taken the disk out of use. It came back older than it went, and was
/// distrusted from when it was taken out alone. Now it is not taken for the one that went before the next
/// mount has looked at it.
#[test]
fn a_disk_that_is_set_back_while_it_is_out_of_use_is_not_called_whole() {
    let mut world = World::new(Scheme::mirror(2), 3, MEMORY);
    let names: Vec<String> = (0..6).map(|n| format!("acknowledged-{n}")).collect();
    let mut pool = world.mount();
    put(&mut pool, "first", 30_000).expect("committed");
    let image = pool.array().disk(1).clone();
    names.iter().for_each(|name| put(&mut pool, name, 30_000).expect("committed"));
    pool.shut_member(MemberNumber(1), false).expect("out of use");
    put(&mut pool, "meanwhile", 30_000).expect("committed");
    pool.array().disk_mut(1).roll_back(&image);
    let refused = pool.activate_member(MemberNumber(1));
    let exchanged = Err(MemberError::Pool(Error::Storage(StorageError::Exchanged { disk: DiskIndex(1) })));
    assert_eq!(refused, exchanged);
    drop(pool);
    let mut pool = world.mount();
    pool.activate_member(MemberNumber(1)).expect("it is what it was found to be");
    rest(&mut pool);
    expect_whole(&mut pool, "in use again");
    drop(pool);
    let bad = wrong_without_one(&world, [0, 2], &names, 30_000);
    assert!(bad.is_empty(), "{bad:#?}");
}
