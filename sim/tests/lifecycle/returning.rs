//! Disks that come back: what they are given, and what is not looked at again.

use super::*;

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
    // Who is given up is not waited for: five disks hold what was on six.
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
    let written =
        |pool: &mut Mounted<'_>| (0..3).map(|d| pool.member_health(d).counters.write_bytes).sum::<u64>();
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
    assert_eq!(pool.member_health(1).currency, Currency::RolledBack);
    assert!(pool.member_health(1).owed, "what it lost counts as missing");
    assert!(counts(&mut pool).readable > 0);
    rest(&mut pool);
    expect_whole(&mut pool, "rebuilt");
    drop(pool);
    world.unplug(&[0]);
    let mut pool = world.mount();
    (0..6).for_each(|n| expect(&mut pool, &format!("later-{n}"), 20_000));
}

/// Two disks went away one after the other, the one with the lower number first. A rebuild looks for what the
/// first one missed, too.
#[test]
fn two_disks_that_were_away_for_different_times_are_given_all_that_they_missed() {
    for (first, second) in [(1, 2), (2, 1)] {
        let mut world = filled(Scheme::mirror(3), 5);
        world.unplug(&[first]);
        world.put("without one", 60_000);
        world.unplug(&[second]);
        world.put("without two", 60_000);
        world.plug(&[first, second]);
        let mut pool = world.mount();
        assert_eq!(pool.health().owed, 2);
        rest(&mut pool);
        expect_whole(&mut pool, "with both");
        drop(pool);
        world.unplug(&[0, 3]);
        let mut pool = world.mount();
        ["without one", "without two"].into_iter().for_each(|name| expect(&mut pool, name, 60_000));
    }
}
