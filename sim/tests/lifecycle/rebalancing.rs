//! Rebalances: evenly over the disks, in the scheme that is asked for now, in long extents.

use super::*;
use dynamicfs_core::ReadObjects;
use dynamicfs_core::object::Change;
use dynamicfs_core::types::DiskIndex;

/// Free blocks of each disk.
fn rooms(pool: &Mounted<'_>, disks: usize) -> Vec<u64> {
    (0..disks).map(|disk| pool.member_health(DiskIndex(disk)).free_blocks).collect()
}

fn only(space: bool, policy: bool, extents: bool) -> JobOptions {
    JobOptions::new().absent(false).space(space).policy(policy).extents(extents)
}

fn rebalance(pool: &mut Mounted<'_>, options: JobOptions) -> dynamicfs_core::maintain::Job {
    pool.start_job(JobKind::Rebalance, options).expect("started");
    rest(pool);
    pool.job(JobKind::Rebalance).expect("read").expect("it ran")
}

fn expect_numbered(pool: &mut Mounted<'_>, files: usize, length: usize) {
    (0..files).for_each(|n| expect(pool, &format!("file-{n:02}"), length));
}

#[test]
fn a_new_disk_gets_its_share() {
    for (scheme, disks, files) in [(Scheme::mirror(2), 3, 22), (FOUR_TWO, 6, 60)] {
        let mut world = World::new(scheme, disks, MEMORY);
        (0..files).for_each(|n| world.put(&format!("file-{n:02}"), 40_000));
        let blank = new_disk(&mut world, 2048);
        let mut pool = world.mount();
        add(&mut pool, blank, false);
        rest(&mut pool);
        let before = rooms(&pool, disks + 1);
        let (most, least) = (before[blank], *before.iter().min().expect("disks"));
        assert!(most > 2 * least, "{before:?}");
        let job = rebalance(&mut pool, only(true, false, false));
        assert_eq!((job.state, job.found), (JobState::Complete, 0), "{job:?}");
        assert!(job.healed_before > 10, "{job:?}");
        let after = rooms(&pool, disks + 1);
        let (most, least) = (*after.iter().max().expect("disks"), *after.iter().min().expect("disks"));
        assert!(most - least <= most / 4, "{before:?} became {after:?}");
        expect_whole(&mut pool, "balanced");
        expect_numbered(&mut pool, files, 40_000);
        let again = rebalance(&mut pool, only(true, false, false));
        assert_eq!(again.healed_before, 0, "what is balanced stays where it is");
    }
}

#[test]
fn contents_are_stored_in_the_scheme_that_is_asked_for_now() {
    let mut world = World::new(Scheme::mirror(3), 5, MEMORY);
    (0..6).for_each(|n| world.put(&format!("file-{n:02}"), 40_000));
    let mut pool = world.mount();
    let used = |pool: &Mounted<'_>| rooms(pool, 5).iter().sum::<u64>();
    let (before, two_two) = (used(&pool), Scheme { data: 2, parity: 2 });
    for n in 0..3 {
        let file = pool.resolve(format!("file-{n:02}").as_bytes()).expect("there");
        let mut transaction = pool.begin().expect("begun");
        transaction.change_attributes(file, &Change::new().scheme(two_two)).expect("changed");
        transaction.commit().expect("committed");
    }
    let job = rebalance(&mut pool, only(false, false, true));
    assert_eq!(job.healed_before, 0, "policy was not asked for");
    let job = rebalance(&mut pool, only(false, true, false));
    assert_eq!((job.state, job.found), (JobState::Complete, 0), "{job:?}");
    assert!(job.healed_before >= 9, "{job:?}");
    // A third of what these had: 2 blocks for each block instead of 3.
    assert!(used(&pool) > before + 20, "{before} became {}", used(&pool));
    expect_whole(&mut pool, "in the new scheme");
    drop(pool);
    world.unplug(&[1, 3]);
    let mut pool = world.mount();
    expect_numbered(&mut pool, 6, 40_000);
}

/// The scheme of some contents is wider than the number of disks. They are stored as well as possible, the
/// pool says that it is short, and one more disk makes it whole.
#[test]
fn a_scheme_that_is_too_wide_is_made_up_for_when_there_are_disks() {
    let mut world = World::new(Scheme::mirror(3), 3, MEMORY);
    world.put("file", 40_000);
    let mut pool = world.mount();
    let file = pool.resolve(b"file").expect("there");
    let mut transaction = pool.begin().expect("begun");
    let two_two = Scheme { data: 2, parity: 2 };
    transaction.change_attributes(file, &Change::new().scheme(two_two)).expect("changed");
    transaction.commit().expect("committed");
    let job = rebalance(&mut pool, only(false, true, false));
    assert!(job.healed_before > 0, "{job:?}");
    expect(&mut pool, "file", 40_000);
    drop(pool);
    let blank = new_disk(&mut world, 2048);
    let mut pool = world.mount();
    add(&mut pool, blank, false);
    rest(&mut pool);
    expect_whole(&mut pool, "with a disk more");
    expect(&mut pool, "file", 40_000);
}

/// What firmware with little memory wrote is in short extents; a server makes them long.
#[test]
fn short_extents_become_long_ones() {
    let mut world = World::new(Scheme::mirror(2), 3, MEMORY);
    world.lent = Lent::new(48 << 10);
    world.put("file", 60_000);
    world.lent = Lent::new(MEMORY);
    let mut pool = world.mount();
    let before = counts(&mut pool).total;
    assert!(before >= 8, "{before} extents");
    let job = rebalance(&mut pool, only(false, false, true));
    assert_eq!((job.state, job.found), (JobState::Complete, 0), "{job:?}");
    assert_eq!(counts(&mut pool).total, 4, "16 KiB each");
    expect(&mut pool, "file", 60_000);
    expect_whole(&mut pool, "in long extents");
}

/// A new disk with much room, in the failure domain of two old ones. A rebalance moved fragments to it from
/// the disk of the other domain, and both replicas were where one failure takes both.
#[test]
fn a_rebalance_keeps_replicas_in_different_failure_domains() {
    let of_domain = |failure_domain| DiskOptions::new().failure_domain(failure_domain);
    let array = SimArray::new(1, vec![Geometry::new(512, 2048); 3]);
    let options = FormatOptions::portable(Scheme::mirror(2)).members_max(8).extent_bytes(16384);
    let domains = [1, 1, 2, 1];
    let members: Vec<_> = domains[..3].iter().map(|&domain| of_domain(domain)).collect();
    let mut world = World::on(array, options).members(&members).make();
    (0..16).for_each(|n| world.put(&format!("file-{n:02}"), 40_000));
    let blank = new_disk(&mut world, 4096);
    let mut pool = world.mount();
    let added = AddOptions::new().disk(of_domain(1));
    pool.add_disk(DiskIndex(blank), &mut Rng::new(3), &added).expect("added");
    let before = rooms(&pool, 4);
    let job = rebalance(&mut pool, only(true, false, false));
    assert_eq!((job.state, job.found), (JobState::Complete, 0), "{job:?}");
    let after = rooms(&pool, 4);
    assert!(after[0] > before[0] && after[3] < before[3], "{before:?} became {after:?}");
    for n in 0..16 {
        let (_, fragments) = first_extent(&mut pool, &format!("file-{n:02}"));
        let [one, other] = [0, 1].map(|i| domains[usize::from(fragments[i].address.member.0)]);
        assert_ne!(one, other, "file-{n:02}: {fragments:?}");
    }
}

/// Wherever the power goes, the contents stay, and the rebalance continues where it was.
#[test]
fn a_rebalance_is_cut_at_every_write() {
    let mut world = World::new(Scheme::mirror(2), 3, MEMORY);
    (0..6).for_each(|n| world.put(&format!("file-{n:02}"), 40_000));
    let blank = new_disk(&mut world, 2048);
    world.mount().add_disk(DiskIndex(blank), &mut Rng::new(5), &AddOptions::default()).expect("added");
    let mut cuts = 0;
    for cut in (0..).step_by(3) {
        let mut world = world.fork(MEMORY);
        let halt = world.array.steps() + cut;
        world.array.halt_at(halt, Halt::PowerCut);
        if let Ok(mut pool) = world.try_mount(MountMode::ReadWrite) {
            let started = pool.start_job(JobKind::Rebalance, JobOptions::default());
            while started.is_ok() && !matches!(pool.maintain(true), Err(_) | Ok(Work::Nothing)) {}
        }
        if world.array.steps() < halt {
            break;
        }
        cuts += 1;
        world.array.power_cycle(CrashPolicy::Torn, &mut Rng::new(cut));
        let mut pool = world.mount();
        account(&mut pool, "after the cut");
        rest(&mut pool);
        expect_whole(&mut pool, "after the cut and the rest");
        expect_numbered(&mut pool, 6, 40_000);
    }
    assert!(cuts > 30, "{cuts}");
}
