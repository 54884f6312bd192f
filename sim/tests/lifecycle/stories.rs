//! Bugs that were here.

use super::*;

/// A commit wrote down in memory that a member's absence was recorded, failed, and was dropped with the record. Later
/// commits took it for recorded: after a crash nothing said what the member had missed.
#[test]
fn an_absence_whose_record_was_dropped_is_recorded_by_the_next_commit() {
    let mut dropped = 0;
    let mut base = World::new(Scheme::mirror(2), 3, MEMORY);
    (0..600).for_each(|n| base.put(&format!("file-{n:03}"), 60));
    for well in 0..40 {
        let mut world = World { array: base.array.clone(), lent: Lent::new(MEMORY) };
        let mut pool = Pool::mount(&mut world.array, world.lent.lend(), SERVICES, &MountOptions::default())
            .expect("mounted");
        put(&mut pool, "first", 3_000).expect("committed");
        pool.array().disk_mut(1).unplug();
        let mut transaction = pool.begin().expect("begun");
        let file = transaction.resolve(b"file-149").expect("it is there");
        transaction.write_all(file, 0, b"changed").expect("written");
        // What the commit needs is not in the memory any more.
        for n in (0..600).step_by(5) {
            transaction.resolve(format!("file-{n:03}").as_bytes()).expect("it is there");
        }
        for disk in [0, 2] {
            let fail = Mishap::Fail(IoError::Media);
            transaction.store.tree.disks.array().disk_mut(disk).mishap_after(
                IoKind::Read,
                well / 4,
                1 + well % 4,
                fail,
            );
        }
        let failed = transaction.commit().is_err();
        for disk in [0, 2] {
            pool.array().disk_mut(disk).calm();
        }
        if !pool.health().writable {
            // The groups could not be read again either.
            continue;
        }
        dropped += u32::from(failed);
        put(&mut pool, "second", 3_000).expect("committed without a disk");
        let mut recorded = false;
        pool.store
            .each_member(|number, record| recorded |= number.0 == 1 && record.offline_since() != 0)
            .expect("read");
        assert!(recorded, "after {well} reads");
    }
    assert!(dropped > 0);
}

/// A member that was to leave went away in the middle of it. What it still held was waited for, nothing was left to move,
/// and it was taken for empty.
#[test]
fn a_member_that_is_away_is_not_taken_for_empty() {
    let mut world = filled(Scheme::mirror(2), 3);
    let mut pool = world.mount();
    pool.drain_member(MemberNumber(1), true).expect("begun");
    drop(pool);
    world.unplug(&[1]);
    let mut pool = world.mount();
    rest(&mut pool);
    assert_eq!((pool.health().members, state(&mut pool, 1)), (3, MemberState::Leaving));
    drop(pool);
    world.plug(&[1]);
    let mut pool = world.mount();
    rest(&mut pool);
    assert_eq!(pool.health().members, 2, "it was there to be emptied");
    expect_whole(&mut pool, "without it");
    expect_files(&mut pool);
}

/// A drain was begun while a rebuild was under way. What the rebuild had met already it had found in order, the rest was
/// moved, and at the end the member was taken for empty.
#[test]
fn a_drain_that_begins_in_the_middle_of_a_rebuild_empties_the_member_all_the_same() {
    for steps in 0..6 {
        let mut world = World::new(Scheme::mirror(2), 3, 100 << 10);
        for n in 0..12 {
            world.put(&format!("file-{n:02}"), 50_000);
        }
        let mut pool = world.mount();
        pool.start_job(JobKind::Rebuild, JobOptions::default()).expect("started");
        for _ in 0..steps {
            pool.maintain(false).expect("maintained");
        }
        pool.drain_member(MemberNumber(1), true).expect("begun");
        rest(&mut pool);
        assert_eq!(pool.health().members, 2, "it left");
        expect_whole(&mut pool, "without it");
        (0..12).for_each(|n| expect(&mut pool, &format!("file-{n:02}"), 50_000));
    }
}

/// A disk was pulled, nothing was committed yet, and the member was let go as one that holds nothing.
#[test]
fn a_member_that_has_just_been_pulled_is_not_let_go() {
    let mut world = filled(Scheme::mirror(2), 3);
    world.unplug(&[1]);
    let mut pool = Pool::mount(&mut world.array, world.lent.lend(), SERVICES, &MountOptions::default())
        .expect("mounted");
    assert!(matches!(pool.remove_member(MemberNumber(1), false), Err(MemberError::HoldsData { .. })));
    drop(pool);
    world.plug(&[1]);
    // The same while it is mounted: it is noticed when it is asked for something.
    let mut pool = world.mount();
    rest(&mut pool);
    expect_whole(&mut pool, "it is back");
    pool.array().disk_mut(1).unplug();
    put(&mut pool, "without it", 30_000).expect("committed");
    assert!(matches!(pool.remove_member(MemberNumber(1), false), Err(MemberError::HoldsData { .. })));
}

#[test]
fn a_rebuild_of_a_pool_that_lacks_nothing_ends_and_writes_its_record() {
    let mut world = filled(Scheme::mirror(2), 3);
    let mut pool = world.mount();
    pool.start_job(JobKind::Rebuild, JobOptions::default()).expect("started");
    rest(&mut pool);
    let job = pool.job(JobKind::Rebuild).expect("read").expect("it ran");
    assert_eq!((job.state, job.found), (JobState::Complete, 0));
    expect_whole(&mut pool, "as before");
}

/// A member is taken out of use, and its disk fails in one of the writes of that very commit: nothing that counts was on
/// it any more. The outcome was called unknown where the others could not have spared another disk.
#[test]
fn a_member_that_is_let_go_may_fail_in_the_commit_that_lets_it_go() {
    let mut world = filled(Scheme::mirror(2), 3);
    let mut pool = world.mount();
    pool.drain_member(MemberNumber(2), false).expect("drained");
    rest(&mut pool);
    drop(pool);
    let mut failed = 0;
    for (write, is_failed) in (0..40).flat_map(|write| [(write, false), (write, true)]) {
        let mut world = World { array: world.array.clone(), lent: Lent::new(MEMORY) };
        let mut pool = world.mount();
        // The first transaction of a mount claims; what comes then is the commit alone.
        put(&mut pool, "before", 9).expect("committed");
        pool.array().disk_mut(1).fail_after(IoKind::Write, write, IoError::Media);
        assert_eq!(pool.shut_member(MemberNumber(1), is_failed), Ok(()), "write {write}");
        failed += u32::from(pool.member_health(1).status == DiskStatus::Failed);
        put(&mut pool, "after", 3000).expect("committed");
        expect_files(&mut pool);
    }
    assert!(failed >= 8, "{failed} failures");
}
