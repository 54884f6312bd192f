//! Scrubs: interrupted, paused, and what they put right.

use super::*;

#[test]
fn a_scrub_interrupted_by_a_reboot_resumes_where_it_was() {
    let mut world = World::new(Scheme::mirror(2), 3, 100 << 10);
    for n in 0..16 {
        world.put(&format!("file-{n:02}"), 50_000);
    }
    let reads = |array: &SimArray| (0..3).map(|disk| array.disk(disk).counters().bytes_read).sum::<u64>();
    let whole = {
        let mut world = World { array: world.array.clone(), lent: Lent::new(100 << 10) };
        let before = reads(&world.array);
        let job = run_job(&mut world.mount(), JobKind::Scrub);
        assert_eq!((job.state, job.found), (JobState::Complete, 0));
        reads(&world.array) - before
    };
    let mut pool = world.mount();
    pool.start_job(JobKind::Scrub, JobOptions::default()).expect("started");
    // More than half of it, and a time at which it wrote down how far it was.
    let mut steps = 0;
    while pool.job(JobKind::Scrub).expect("read").is_some_and(|job| job.done * 3 < job.total * 2) {
        pool.maintain(false).expect("maintained");
        steps += 1;
    }
    assert!(steps > 5, "{steps} steps");
    drop(pool);
    world.array.halt_at(world.array.steps(), Halt::PowerCut);
    let _ = world.try_mount(MountMode::ReadOnly);
    world.array.power_cycle(CrashPolicy::Nothing, &mut Rng::new(1));
    let before = reads(&world.array);
    let mut pool = world.mount();
    rest(&mut pool);
    let job = pool.job(JobKind::Scrub).expect("read").expect("it is there");
    assert_eq!((job.state, job.found), (JobState::Complete, 0));
    drop(pool);
    let rest = reads(&world.array) - before;
    assert!(rest * 4 < whole * 3, "{rest} bytes were read for the rest, {whole} for all");
}

#[test]
fn a_scrub_is_paused_and_resumed_and_given_up() {
    let mut world = filled(Scheme::mirror(2), 3);
    let mut pool = world.mount();
    assert_eq!(pool.job(JobKind::Scrub), Ok(None));
    assert_eq!(pool.set_job_state(JobKind::Scrub, JobState::Paused), Ok(false), "there is none");
    assert_eq!(pool.start_job(JobKind::Scrub, JobOptions::default()), Ok(true));
    assert_eq!(pool.start_job(JobKind::Scrub, JobOptions::default()), Ok(false), "it runs already");
    assert_eq!(pool.set_job_state(JobKind::Scrub, JobState::Paused), Ok(true));
    assert_eq!(pool.maintain(false), Ok(Work::Nothing));
    drop(pool);
    let mut pool = world.mount();
    assert_eq!(pool.job(JobKind::Scrub).expect("read").map(|job| job.state), Some(JobState::Paused));
    assert_eq!(pool.set_job_state(JobKind::Scrub, JobState::Running), Ok(true));
    assert_eq!(pool.maintain(false), Ok(Work::Advanced(JobKind::Scrub)));
    rest(&mut pool);
    assert_eq!(pool.set_job_state(JobKind::Scrub, JobState::Cancelled), Ok(false), "it is over");
    pool.start_job(JobKind::Scrub, JobOptions::default()).expect("once more");
    assert_eq!(pool.set_job_state(JobKind::Scrub, JobState::Cancelled), Ok(true));
    assert_eq!(pool.maintain(false), Ok(Work::Nothing));
}

/// Everything that can rot rots on one disk, a byte of each sector: labels, superblocks, nodes, fragments.
#[test]
fn what_rotted_all_over_one_disk_is_scrubbed_away() {
    for (scheme, disks) in [(Scheme::mirror(2), 3), (FOUR_TWO, 6)] {
        let mut world = filled(scheme, disks);
        let mut pool = world.mount();
        let sectors = pool.array().disk(1).geometry().sectors;
        for lba in 20..sectors - 20 {
            pool.array().disk_mut(1).flip_bits(lba * 512 + lba % 500, 4);
        }
        // The second label, too.
        pool.array().disk_mut(1).flip_bits((sectors - 1) * 512 + 40, 1);
        let job = run_job(&mut pool, JobKind::Scrub);
        assert_eq!((job.state, job.failed), (JobState::Complete, 0), "{job:?}");
        assert!(job.healed > 10);
        expect_whole(&mut pool, "scrubbed");
        expect_files(&mut pool);
        drop(pool);
        // The first label rots now: the second was mended.
        world.array.disk_mut(1).flip_bits(40, 1);
        let pool = world.mount();
        assert_eq!(pool.member_health(1).status, DiskStatus::Online);
        drop(pool);
        world.unplug(&[0]);
        expect_files(&mut world.mount());
    }
}

/// The newest superblock is in two places on each disk. A commit writes both, and a scrub, which begins with one, looks
/// whether they are there.
#[test]
fn a_superblock_that_is_not_there_is_found_and_written_anew() {
    let mut world = filled(Scheme::mirror(2), 3);
    let mut sector = [0; 512];
    world.array.disk_mut(1).read(0, &mut sector).expect("read");
    let label = dynamicfs_core::format::label::decode(&sector, dynamicfs_sim::world::crc32c);
    let (parameters, identity) = label.expect("a label");
    let mut pool = world.mount();
    for ring in [identity.ring_a, identity.ring_b] {
        pool.start_job(JobKind::Scrub, JobOptions::default()).expect("started");
        for slot in 0..u64::from(parameters.ring_length) {
            let at = ring + slot * u64::from(parameters.slot_bytes);
            pool.array().disk_mut(1).flip_bits(at + 100, 1);
        }
        rest(&mut pool);
        let job = pool.job(JobKind::Scrub).expect("read").expect("it ran");
        assert_eq!((job.state, job.found, job.healed), (JobState::Complete, 1, 1), "{job:?}");
        assert_eq!(run_job(&mut pool, JobKind::Scrub).found, 0);
    }
    drop(pool);
    world.unplug(&[0]);
    let mut pool = world.mount();
    assert_eq!(pool.member_health(1).currency, Currency::Current);
    expect_files(&mut pool);
}
