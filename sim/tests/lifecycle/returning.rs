//! Disks that come back: what they are given, and what is not looked at again.

use super::*;
use dynamicfs_core::ReadObjects;

#[test]
fn a_disk_that_comes_back_is_given_what_it_missed_and_counts_again() {
    for (scheme, disks) in [(Scheme::mirror(2), 3), (Scheme::mirror(3), 3), (FOUR_TWO, 6)] {
        let mut world = filled(scheme, disks);
        world.unplug(&[1]);
        world.put("meanwhile", 40_000);
        world.plug(&[1]);
        let mut pool = world.mount();
        assert_eq!(pool.health().owed, 1);
        rest(&mut pool);
        expect_whole(&mut pool, "rebuilt");
        let job = pool.job(JobKind::Rebuild).expect("read").expect("it ran");
        assert_eq!((job.state, job.failed), (JobState::Complete, 0));
        drop(pool);
        // As many others as the scheme bears may be lost now.
        world.unplug(if scheme.parity == 2 { &[0, 2] } else { &[0] });
        let mut pool = match scheme {
            FOUR_TWO => world.mount(),
            _ if scheme.parity == 2 => {
                world.try_mount(MountMode::AssumeMissingDead { branch: 7 }).expect("one of three")
            }
            _ => world.mount(),
        };
        expect_files(&mut pool);
        expect(&mut pool, "meanwhile", 40_000);
    }
}

/// A rebuild that has nothing left to do because a member is away is not complete: it said so once.
#[test]
fn a_rebuild_says_that_it_waits_for_who_is_away() {
    let mut world = filled(FOUR_TWO, 6);
    let run = |pool: &mut Mounted<'_>| {
        pool.start_job(JobKind::Rebuild, JobOptions::default()).expect("started");
        rest(pool);
        pool.job(JobKind::Rebuild).expect("read").expect("it was started")
    };
    let ran = |pool: &mut Mounted<'_>| {
        let job = run(pool);
        assert!(job.done <= job.total + job.total / 10, "about as much as is here: {job:?}");
        (job.state, job.found, job.failed)
    };
    world.unplug(&[1, 4]);
    world.put("meanwhile", 40_000);
    assert_eq!(ran(&mut world.mount()), (JobState::Waiting, 0, 0));
    // One is back, and its share is all that is looked for; the other is waited for all the same.
    world.plug(&[4]);
    let mut pool = world.mount();
    rest(&mut pool);
    assert_eq!(pool.health().owed, 1);
    assert_eq!(pool.job(JobKind::Rebuild).expect("read").expect("it ran").state, JobState::Waiting);
    // Other jobs are about what is here.
    assert_eq!(run_job(&mut pool, JobKind::Scrub).state, JobState::Complete);
    assert_eq!(ran(&mut pool), (JobState::Waiting, 0, 0));
    // A member that is given up is not waited for: five disks hold the data of six.
    pool.shut_member(MemberNumber(1), true).expect("given up");
    assert_eq!(ran(&mut pool), (JobState::Complete, 0, 0));
    expect_whole(&mut pool, "on five disks");
    drop(pool);
    world.plug(&[1]);
    let mut pool = world.mount();
    pool.activate_member(MemberNumber(1)).expect("taken back");
    rest(&mut pool);
    assert_eq!(pool.job(JobKind::Rebuild).expect("read").expect("it ran").state, JobState::Complete);
    expect_whole(&mut pool, "nobody is waited for");
}

/// What an absence owes is found without looking at what is older.
#[test]
fn what_was_there_before_is_not_looked_at_again() {
    let mut world = World::new(Scheme::mirror(2), 3, MEMORY);
    for n in 0..60 {
        world.put(&format!("file-{n:02}"), 10_000);
    }
    world.unplug(&[1]);
    world.put("meanwhile", 5_000);
    world.plug(&[1]);
    let mut pool = world.mount();
    let written = |pool: &mut Mounted<'_>| {
        (0..3).map(|d| pool.member_health(DiskIndex(d)).counters.write_bytes).sum::<u64>()
    };
    let before = written(&mut pool);
    rest(&mut pool);
    let moved = written(&mut pool) - before;
    assert!(moved < 100_000, "{moved} bytes were written for a file of 5,000");
    expect_whole(&mut pool, "rebuilt");
}

#[test]
fn a_stale_disk_returns_after_its_blocks_were_freed_and_reused() {
    let mut world = World::new(Scheme::mirror(2), 3, MEMORY);
    for n in 0..10 {
        world.put(&format!("file-{n}"), 60_000);
    }
    world.unplug(&[1]);
    {
        let mut pool = world.mount();
        for n in 0..10 {
            let mut transaction = pool.begin().expect("begun");
            transaction.unlink(ObjectId::ROOT, format!("file-{n}").as_bytes()).expect("unlinked");
            transaction.commit().expect("committed");
        }
        rest(&mut pool);
        for n in 0..8 {
            put(&mut pool, &format!("new-{n}"), 60_000).expect("stored where the old ones were");
        }
    }
    world.plug(&[1]);
    let mut pool = world.mount();
    rest(&mut pool);
    for n in 8..14 {
        put(&mut pool, &format!("new-{n}"), 60_000).expect("stored");
    }
    expect_whole(&mut pool, "with the old disk");
    for other in [0, 2] {
        let mut world = World { array: pool.array().clone(), lent: Lent::new(MEMORY) };
        world.array.power_cycle(CrashPolicy::Nothing, &mut Rng::new(1));
        world.unplug(&[other]);
        let mut pool = world.mount();
        (0..14).for_each(|n| expect(&mut pool, &format!("new-{n}"), 60_000));
    }
}

#[test]
fn a_whole_disk_rolled_back_is_known_and_given_what_it_lost() {
    let mut world = filled(Scheme::mirror(2), 3);
    let old = world.array.disk(1).clone();
    for n in 0..6 {
        world.put(&format!("later-{n}"), 20_000);
    }
    world.array.disk_mut(1).roll_back(&old);
    let mut pool = world.mount();
    assert_eq!(pool.member_health(DiskIndex(1)).currency, Currency::RolledBack);
    assert!(pool.member_health(DiskIndex(1)).owed, "what it lost counts as missing");
    assert!(counts(&mut pool).readable > 0);
    rest(&mut pool);
    expect_whole(&mut pool, "rebuilt");
    drop(pool);
    world.unplug(&[0]);
    let mut pool = world.mount();
    (0..6).for_each(|n| expect(&mut pool, &format!("later-{n}"), 20_000));
}

/// Two disks went away one after the other, the one with the lower number first. A rebuild looks for what the
/// first one missed, too. Where there are as many disks as replicas, all that is written meanwhile lacks
/// some.
#[test]
fn two_disks_that_were_away_for_different_times_are_given_all_that_they_missed() {
    for (disks, first, second) in [(5, 1, 2), (5, 2, 1), (3, 1, 2), (3, 2, 1)] {
        let mut world = filled(Scheme::mirror(3), disks);
        let mut pool = world.mount();
        pool.array().disk_mut(first).unplug();
        put(&mut pool, "without one", 60_000).expect("committed");
        pool.array().disk_mut(second).unplug();
        put(&mut pool, "without two", 60_000).expect("committed");
        drop(pool);
        world.plug(&[first, second]);
        let mut pool = world.mount();
        assert_eq!(pool.health().owed, 2);
        rest(&mut pool);
        expect_whole(&mut pool, "with both");
        drop(pool);
        world.unplug(if disks == 5 { &[0, 3] } else { &[0] });
        let mut pool = world.mount();
        ["without one", "without two"].into_iter().for_each(|name| expect(&mut pool, name, 60_000));
    }
}

/// A pool on two disks that continues with the first alone.
fn alone_from_now(world: &mut World) -> Mounted<'_> {
    let mut pool = world.mount();
    pool.begin().expect("begun").commit().expect("it has its epoch");
    pool.array().disk_mut(1).unplug();
    pool
}

/// A disk went away again while a rebuild proved that all was there, and came back before that had ended.
/// What it missed then lay behind the place where the rebuild was. The rebuild said that nothing was owed,
/// and the contents stayed on one disk.
#[test]
fn a_rebuild_settles_nothing_that_was_missed_after_it_began() {
    let mut behind = 0;
    for steps in (1..).step_by(3) {
        let mut world = World::new(Scheme::mirror(2), 2, 48 << 10);
        world.put("first", 30_000);
        let mut pool = alone_from_now(&mut world);
        (0..40).for_each(|n| put(&mut pool, &format!("meanwhile-{n}"), 10_000).expect("committed"));
        drop(pool);
        world.plug(&[1]);
        let mut pool = world.mount();
        pool.set_step_bytes(1);
        if (0..steps).any(|_| pool.maintain(true).expect("maintained") == Work::Nothing) {
            break;
        }
        let file = pool.resolve(b"first").expect("it is there");
        let job = pool.job(JobKind::Rebuild).expect("read");
        behind += u32::from(job.is_some_and(|job| {
            let proves = job.healed == 0 && job.healed_before > 0;
            job.state == JobState::Running && proves && job.done > 0
        }));
        pool.array().disk_mut(1).unplug();
        let mut transaction = pool.begin().expect("begun");
        transaction.write_all(file, 0, &contents("second", 30_000)).expect("written");
        transaction.commit().expect("committed on one disk");
        drop(pool);
        world.plug(&[1]);
        let mut pool = world.mount();
        pool.set_step_bytes(1);
        rest(&mut pool);
        expect_whole(&mut pool, &format!("away after {steps} steps"));
    }
    assert!(behind > 3, "{behind} times behind the place where the rebuild was");
}

/// A rebuild made do without a disk, which came back when the next one had gone. It is owed what it missed:
/// what was written on one disk alone meanwhile does not stay there. With the next one that is one more than
/// a commit bears, and the pool took no writes for good, with all its disks there.
#[test]
fn a_disk_that_a_rebuild_made_do_without_is_owed_what_it_missed() {
    let mut world = filled(Scheme::mirror(2), 3);
    world.unplug(&[1]);
    let mut pool = world.mount();
    pool.start_job(JobKind::Rebuild, JobOptions::WITHOUT_ABSENT).expect("started");
    // Nothing is swept: what the disk held counts as held.
    while pool.maintain(false).expect("maintained") != Work::Nothing {}
    assert_eq!(pool.health().owed, 0, "nothing is waited for");
    pool.array().disk_mut(2).unplug();
    put(&mut pool, "alone", 40_000).expect("committed");
    drop(pool);
    for back in [&[1][..], &[1, 2]] {
        let mut world = world.fork(MEMORY);
        world.plug(back);
        let mut pool = world.mount();
        rest(&mut pool);
        let (_, fragments) = first_extent(&mut pool, "alone");
        assert_eq!(fragments.len(), 2, "{back:?}: two disks are there: {fragments:?}");
        if back.len() == 2 {
            expect_whole(&mut pool, "with all disks");
        }
    }
}

/// What one disk had written alone could not be read while a rebuild went by it. The disk that had been away
/// was said to be owed nothing more. When all could be read again, nothing looked for what it still lacked.
#[test]
fn a_rebuild_that_skipped_something_clears_no_member() {
    let mut world = filled(Scheme::mirror(2), 2);
    let mut pool = alone_from_now(&mut world);
    put(&mut pool, "meanwhile", 40_000).expect("committed on one disk");
    drop(pool);
    world.plug(&[1]);
    let mut pool = world.mount();
    let (_, fragments) = first_extent(&mut pool, "meanwhile");
    drop(pool);
    let lbas = fragments[0].address.block..fragments[0].address.block + 1;
    world.array.disk_mut(0).make_unreadable(lbas.clone());
    let mut pool = world.mount();
    rest(&mut pool);
    let job = pool.job(JobKind::Rebuild).expect("read").expect("it ran");
    assert_eq!((job.state, job.failed, pool.health().owed), (JobState::Incomplete, 1, 1), "{job:?}");
    drop(pool);
    world.array.disk_mut(0).heal(lbas);
    let mut pool = world.mount();
    rest(&mut pool);
    expect_whole(&mut pool, "when all can be read again");
}
