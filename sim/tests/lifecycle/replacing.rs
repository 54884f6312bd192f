//! Disks that are lost, replaced and removed, and spare ones.

use super::*;
use dynamicfs_core::types::DiskIndex;

/// Nothing waits for a replacement: the others have space.
#[test]
fn a_lost_disk_is_rebuilt_into_the_free_space_of_the_others() {
    for (scheme, disks) in [(Scheme::mirror(2), 4), (Scheme { data: 2, parity: 1 }, 5), (FOUR_TWO, 8)] {
        let mut world = filled(scheme, disks);
        world.unplug(&[2]);
        let mut pool = world.mount();
        assert!(counts(&mut pool).readable > 0);
        rest(&mut pool);
        assert!(counts(&mut pool).readable > 0, "it may come back: nothing was done by itself");
        pool.shut_member(MemberNumber(2), true).expect("given up");
        rest(&mut pool);
        expect_whole(&mut pool, "rebuilt");
        drop(pool);
        // Another one may be lost now, and the pool writes on.
        world.unplug(&[0]);
        let mut pool = world.mount();
        expect_files(&mut pool);
        put(&mut pool, "after", 30_000).expect("written without two disks");
        pool.remove_member(MemberNumber(2), false).expect("nothing refers to it any more");
        assert_eq!(pool.health().members, disks - 1);
    }
}

/// Six disks, stripes of six: without one disk there is no place for a sixth fragment.
#[test]
fn stripes_as_wide_as_the_pool_are_stored_narrower_when_a_disk_is_lost() {
    let mut world = filled(FOUR_TWO, 6);
    world.unplug(&[3]);
    let mut pool = world.mount();
    let job = run_job(&mut pool, JobKind::Rebuild);
    assert_eq!((job.state, job.failed, job.short), (JobState::Complete, 0, 0), "{job:?}");
    assert_eq!(counts(&mut pool).complete, counts(&mut pool).total);
    drop(pool);
    world.unplug(&[0, 5]);
    let error = world.try_mount(MountMode::ReadWrite).err();
    assert!(error.is_none(), "three of the five that are left: {error:?}");
    expect_files(&mut world.mount());
}

#[test]
fn a_degraded_write_then_replace_then_removal_of_the_original() {
    let mut world = filled(Scheme::mirror(2), 3);
    world.unplug(&[1]);
    world.put("degraded", 50_000);
    let place = new_disk(&mut world, 2048);
    let mut pool = world.mount();
    let new = add(&mut pool, place, false);
    assert_eq!(new, MemberNumber(3), "a number is never given twice");
    pool.shut_member(MemberNumber(1), true).expect("given up");
    rest(&mut pool);
    expect_whole(&mut pool, "rebuilt on the new disk");
    drop(pool);
    // The original is back, with all that it held: it stays out of it, and can leave.
    world.plug(&[1]);
    let mut pool = world.mount();
    assert_eq!(pool.member_health(DiskIndex(1)).status, DiskStatus::Excluded);
    expect_whole(&mut pool, "with the original beside it");
    assert!(pool.remove_member(MemberNumber(1), false).is_ok());
    expect_whole(&mut pool, "without the original");
    drop(pool);
    let mut pool = world.mount();
    assert_eq!(pool.health().members, 3);
    expect_files(&mut pool);
    expect(&mut pool, "degraded", 50_000);
    drop(pool);
    world.unplug(&[0]);
    let mut pool = world.mount();
    expect(&mut pool, "degraded", 50_000);
}

#[test]
fn a_disk_is_replaced_by_a_larger_and_by_a_smaller_one() {
    for sectors in [8192, 1500] {
        let mut world = filled(Scheme::mirror(2), 3);
        let place = new_disk(&mut world, sectors);
        let mut pool = world.mount();
        add(&mut pool, place, false);
        pool.drain_member(MemberNumber(0), true).expect("begun");
        rest(&mut pool);
        assert_eq!(pool.health().members, 3, "it left when it was empty");
        assert_eq!(pool.member_health(DiskIndex(0)).status, DiskStatus::Unlabelled);
        expect_whole(&mut pool, "replaced");
        expect_files(&mut pool);
        drop(pool);
        world.array.disk_mut(0).wipe();
        expect_files(&mut world.mount());
    }
}

#[test]
fn a_disk_that_is_too_small_or_in_use_or_of_another_shape_is_refused() {
    let mut world = filled(Scheme::mirror(2), 3);
    let small = new_disk(&mut world, 256);
    let coarse = world.array.add(SimDisk::new(Geometry::new(4096, 2048), 5));
    let used = world.array.add(disk_of_another_pool());
    let mut pool = world.mount();
    let mut add = |place, force| pool.add_disk(place, &mut Rng::new(3), &AddOptions::new().force(force));
    assert!(matches!(add(DiskIndex(small), false), Err(MemberError::Disk(FormatError::DiskTooSmall { .. }))));
    assert!(matches!(add(DiskIndex(coarse), false), Err(MemberError::Disk(FormatError::Geometry { .. }))));
    assert!(matches!(add(DiskIndex(used), false), Err(MemberError::Disk(FormatError::InUse { .. }))));
    assert_eq!(add(DiskIndex(0), true), Err(MemberError::TakesPart));
    assert!(add(DiskIndex(used), true).is_ok(), "it was forced");
    expect_whole(&mut pool, "with the new disk");
}

#[test]
fn what_holds_data_is_not_removed_and_the_last_disks_are_not_emptied() {
    let mut world = filled(Scheme::mirror(2), 2);
    let mut pool = world.mount();
    assert!(matches!(pool.remove_member(MemberNumber(0), false), Err(MemberError::HoldsData { .. })));
    assert_eq!(pool.drain_member(MemberNumber(0), false), Err(MemberError::TooFewDisks { needed: 2 }));
    assert_eq!(pool.drain_member(MemberNumber(9), false), Err(MemberError::NotAMember));
    expect_whole(&mut pool, "as it was");
}

/// A disk that holds something is taken out by force: what that costs is known, and healed where a disk is there.
#[test]
fn what_a_forced_removal_takes_is_reported_and_healed() {
    let mut world = filled(Scheme::mirror(2), 3);
    let mut pool = world.mount();
    pool.remove_member(MemberNumber(2), true).expect("forced");
    let extents = counts(&mut pool);
    assert!(extents.readable > 0 && extents.unreadable == 0, "{extents:?}");
    rest(&mut pool);
    expect_whole(&mut pool, "healed on the other two");
    expect_files(&mut pool);
}

#[test]
fn a_spare_disk_takes_the_place_of_one_that_fails() {
    let mut world = filled(FOUR_TWO, 6);
    let place = new_disk(&mut world, 2048);
    let mut pool = world.mount();
    let spare = add(&mut pool, place, true);
    put(&mut pool, "more", 90_000).expect("stored");
    let held = pool.member_health(DiskIndex(place));
    assert_eq!(held.blocks, held.free_blocks, "it is kept empty");
    pool.shut_member(MemberNumber(4), true).expect("failed");
    rest(&mut pool);
    assert_eq!(state(&mut pool, spare.0), MemberState::Active);
    assert!(pool.member_health(DiskIndex(place)).free_blocks < held.blocks);
    expect_whole(&mut pool, "rebuilt on the spare");
    let (_, fragments) = first_extent(&mut pool, "larger");
    assert_eq!(fragments.len(), 6, "as wide as before");
}

#[test]
fn what_is_offline_stays_so_until_it_is_online_again() {
    let mut world = filled(Scheme::mirror(2), 3);
    let mut pool = world.mount();
    pool.shut_member(MemberNumber(1), false).expect("offline");
    assert_eq!(pool.member_health(DiskIndex(1)).status, DiskStatus::Excluded);
    put(&mut pool, "meanwhile", 30_000).expect("written");
    rest(&mut pool);
    drop(pool);
    let mut pool = world.mount();
    assert_eq!(pool.member_health(DiskIndex(1)).status, DiskStatus::Excluded);
    assert!(
        matches!(pool.shut_member(MemberNumber(0), false), Err(MemberError::Pool(_))),
        "one more is too many"
    );
    assert_eq!(pool.member_health(DiskIndex(0)).status, DiskStatus::Online);
    expect(&mut pool, "meanwhile", 30_000);
    pool.activate_member(MemberNumber(1)).expect("online");
    rest(&mut pool);
    expect_whole(&mut pool, "online again");
    drop(pool);
    world.unplug(&[0]);
    world.expect("meanwhile", 30_000);
}

/// One of two disks was removed, and everything was written anew on the other. A rebuild found nothing to do,
/// and forgot that something was wanting: with a new disk all stayed on the old one.
#[test]
fn what_no_rebuild_could_put_right_is_put_right_when_there_is_a_disk_for_it() {
    let mut world = filled(Scheme::mirror(2), 2);
    let mut pool = world.mount();
    pool.remove_member(MemberNumber(1), true).expect("removed");
    for (name, length) in FILES {
        let mut transaction = pool.begin().expect("begun");
        transaction.unlink(ObjectId::ROOT, name.as_bytes()).expect("unlinked");
        transaction.commit().expect("committed");
        put(&mut pool, name, length).expect("committed");
    }
    rest(&mut pool);
    let job = pool.job(JobKind::Rebuild).expect("read").expect("it ran");
    assert!(job.state == JobState::Complete && job.short > 0, "{job:?}");
    drop(pool);
    let place = new_disk(&mut world, 2048);
    let mut pool = world.mount();
    add(&mut pool, place, false);
    rest(&mut pool);
    expect_whole(&mut pool, "with a new disk");
    drop(pool);
    world.unplug(&[0]);
    expect_files(&mut world.try_mount(MountMode::AssumeMissingDead { branch: 3 }).expect("one of two"));
}

/// The commit that enters a new disk goes without it. It counted as one that had failed in that commit, and
/// nothing on it was trusted for long. Where another disk failed, a commit of a rebuild was refused that was
/// borne.
#[test]
fn a_new_disk_is_not_doubted() {
    for spare in [false, true] {
        let mut world = filled(Scheme::mirror(2), 3);
        let place = new_disk(&mut world, 2048);
        let mut pool = world.mount();
        add(&mut pool, place, spare);
        assert_eq!(pool.internals().store.roster().distrusted, Set::EMPTY);
    }
}

/// It was looked up in a table that does not have it.
#[test]
fn a_disk_that_the_array_does_not_have_is_not_added() {
    let mut world = filled(Scheme::mirror(2), 2);
    let mut pool = world.mount();
    let added = pool.add_disk(DiskIndex(2), &mut Rng::new(4), &AddOptions::default());
    assert_eq!(added, Err(MemberError::Disk(FormatError::Io { disk: DiskIndex(2), error: IoError::Gone })));
    assert_eq!(pool.grow_disk(DiskIndex(2)), Err(MemberError::NotAMember));
}
