//! Scrubs: interrupted, paused, and what they repaired.

use super::*;
use dynamicfs_core::ReadObjects;
use dynamicfs_core::types::DiskIndex;

#[test]
fn a_scrub_interrupted_by_a_reboot_resumes_where_it_was() {
    let mut world = World::new(Scheme::mirror(2), 3, 100 << 10);
    for n in 0..16 {
        world.put(&format!("file-{n:02}"), 50_000);
    }
    let reads = |array: &SimArray| (0..3).map(|disk| array.disk(disk).counters().bytes_read).sum::<u64>();
    let whole = {
        let mut world = world.fork(100 << 10);
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
        // The first label rots now: the second was repaired.
        world.array.disk_mut(1).flip_bits(40, 1);
        let pool = world.mount();
        assert_eq!(pool.member_health(DiskIndex(1)).status, DiskStatus::Online);
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
    assert_eq!(pool.member_health(DiskIndex(1)).currency, Currency::Current);
    expect_files(&mut pool);
}

/// Two of three replicas were wrong, and the least memory holds one. The scrub wanted memory for a copy of
/// each, though one is enough, and left both as they were.
#[test]
fn two_wrong_replicas_are_mended_in_the_least_memory() {
    let mut world = filled(Scheme { data: 1, parity: 2 }, 3);
    let least = Memory::bytes_min(world.mount().parameters()) + 1;
    world.lent = Lent::new(least);
    let mut pool = world.mount();
    let (_, fragments) = first_extent(&mut pool, "large");
    rot(&mut pool, &fragments[..2]);
    let job = run_job(&mut pool, JobKind::Scrub);
    assert_eq!((job.state, job.found, job.healed, job.failed), (JobState::Complete, 1, 1, 0), "{job:?}");
    expect_whole(&mut pool, "scrubbed");
    drop(pool);
    world.unplug(&[2]);
    expect_files(&mut world.mount());
}

/// A wide stripe was written with much memory, and is read with little. What cannot be computed is not called
/// lost, and the error says how much memory does.
#[test]
fn a_stripe_too_wide_for_the_memory_is_not_lost() {
    const SIXTEEN_FOUR: Scheme = Scheme { data: 16, parity: 4 };
    let options = FormatOptions::server(SIXTEEN_FOUR).members_max(32);
    let mut world =
        World { array: SimArray::new(1, vec![Geometry::new(512, 65_536); 20]), lent: Lent::new(16 << 20) };
    Pool::format(&mut world.array, world.lent.lend(), SERVICES, &mut Rng::new(9), &options, &[])
        .expect("formatted");
    world.put("wide", 1 << 20);
    let mut pool = world.mount();
    let least = Memory::bytes_min(pool.parameters()) + 1;
    let (object, fragments) = first_extent(&mut pool, "wide");
    assert_eq!(fragments.len(), 20, "it is as wide as was asked for");
    rot(&mut pool, &fragments[..2]);
    drop(pool);
    world.lent = Lent::new(least);
    let mut pool = world.mount();
    let mut bytes = vec![0; 1 << 20];
    let Err(Error::Storage(StorageError::NeedsMemory { bytes: enough })) = pool.read(object, 0, &mut bytes)
    else {
        panic!("16 chunks do not fit into the least memory")
    };
    let job = run_job(&mut pool, JobKind::Scrub);
    assert_eq!((job.state, job.failed), (JobState::Incomplete, 0), "{job:?}");
    assert!(job.found > job.healed);
    drop(pool);
    assert!(enough > least);
    world.lent = Lent::new(enough);
    let mut pool = world.mount();
    expect(&mut pool, "wide", 1 << 20);
    let job = run_job(&mut pool, JobKind::Scrub);
    assert_eq!((job.state, job.failed), (JobState::Complete, 0), "{job:?}");
    expect_whole(&mut pool, "scrubbed");
}

/// A bit of each of these fragments.
fn rot(pool: &mut Mounted<'_>, fragments: &[Fragment]) {
    let block_shift = pool.parameters().block_shift;
    for fragment in fragments {
        let disk = (0..pool.array().disks())
            .find(|&disk| pool.member_health(DiskIndex(disk)).member == Some(fragment.address.member))
            .expect("a disk for each member");
        pool.array().disk_mut(disk).flip_bits((fragment.address.block << block_shift) + 5, 1);
    }
}
