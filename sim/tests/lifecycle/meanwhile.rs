//! What else goes wrong while something is rebuilt.

use super::*;

#[test]
fn a_latent_sector_error_on_a_survivor_during_rebuild_costs_that_extent_alone() {
    let mut world = filled(Scheme::mirror(2), 3);
    let mut pool = world.mount();
    let (object, fragments) = first_extent(&mut pool, "block");
    let [gone, survivor] = [0, 1].map(|i| usize::from(fragments[i].address.member.0));
    let lba = byte_of(&fragments[1]) / 512;
    drop(pool);
    world.array.disk_mut(survivor).make_unreadable(lba..lba + 1);
    world.unplug(&[gone]);
    let mut pool = world.mount();
    pool.shut_member(MemberNumber(gone as u16), true).expect("given up");
    rest(&mut pool);
    let job = pool.job(JobKind::Rebuild).expect("read").expect("it ran");
    assert_eq!((job.state, job.failed), (JobState::Incomplete, 1), "{job:?}");
    let mut lost = Vec::new();
    pool.lost_items(JobKind::Rebuild, |item| lost.push(item)).expect("read");
    assert_eq!(lost, [Lost::Extent { object, start: 0 }]);
    for (name, length) in FILES.into_iter().filter(|&(name, _)| name != "block") {
        expect(&mut pool, name, length);
    }
    assert!(matches!(pool.read(object, 0, &mut [0; 4096]), Err(Error::Unreadable { .. })));
    let extents = counts(&mut pool);
    assert_eq!(extents.complete + 1, extents.total, "the rest has its redundancy: {extents:?}");
    drop(pool);
    // The sector can be read again, and the next rebuild has it.
    world.array.disk_mut(survivor).heal(lba..lba + 1);
    let mut pool = world.mount();
    let job = run_job(&mut pool, JobKind::Rebuild);
    assert_eq!((job.state, job.failed), (JobState::Complete, 0));
    expect_whole(&mut pool, "healed");
}

#[test]
fn a_second_disk_dies_during_a_rebuild_and_the_power_goes_in_the_recovery_from_that() {
    let (mut rng, mut deaths) = (Rng::new(3), 0);
    for cut in 0..12 {
        let mut world = filled(FOUR_TWO, 8);
        world.unplug(&[1]);
        {
            let mut pool = world.mount();
            pool.shut_member(MemberNumber(1), true).expect("given up");
            for _ in 0..1 + cut % 4 {
                pool.maintain(true).expect("maintained");
            }
            pool.array().disk_mut(5).fail_after(IoKind::Write, 3, IoError::Media);
            let _ = pool.maintain(true);
            deaths += u32::from(pool.member_health(5).status == DiskStatus::Failed);
        }
        world.array.halt_at(world.array.steps() + 20 + 9 * cut, Halt::PowerCut);
        if let Ok(mut pool) = world.try_mount(MountMode::ReadWrite) {
            while matches!(pool.maintain(true), Ok(work) if work != Work::Nothing) {}
        }
        world.array.power_cycle(CrashPolicy::Torn, &mut rng);
        world.array.disk_mut(5).unplug();
        let mut pool = world.mount();
        expect_files(&mut pool);
        pool.shut_member(MemberNumber(5), true).expect("given up too");
        rest(&mut pool);
        expect_whole(&mut pool, "six disks are left of eight");
        expect_files(&mut pool);
    }
    assert!(deaths > 3, "{deaths} disks died in the middle");
}

#[test]
fn a_lost_acknowledged_write_on_one_replica_is_known_by_the_parents_checksum() {
    // Two of three replicas agree on the old contents: no majority is asked.
    let mut world = World::new(Scheme::mirror(3), 3, MEMORY);
    let mut pool = world.mount();
    // The first transaction claims an epoch; what the next one writes first is the file.
    put(&mut pool, "before", 9).expect("committed");
    for disk in 0..2 {
        pool.array().disk_mut(disk).mishap_next(IoKind::Write, 1, Mishap::Lie);
    }
    put(&mut pool, "block", 4096).expect("committed");
    for disk in 0..2 {
        pool.array().disk_mut(disk).calm();
    }
    let job = run_job(&mut pool, JobKind::Scrub);
    assert_eq!((job.state, job.failed), (JobState::Complete, 0), "{job:?}");
    assert!(job.healed > 0, "{job:?}");
    account(&mut pool, "scrubbed");
    drop(pool);
    world.unplug(&[2]);
    world.expect("block", 4096);
}

#[test]
fn corrupt_parity_with_healthy_data_and_the_reverse_with_one_disk_missing() {
    for wrong_one in [5, 0] {
        let mut world = filled(FOUR_TWO, 6);
        let mut pool = world.mount();
        let (_, fragments) = first_extent(&mut pool, "larger");
        assert_eq!(fragments.len(), 6);
        drop(pool);
        let wrong = fragments[wrong_one];
        world.array.disk_mut(wrong.address.member.0.into()).flip_bits(byte_of(&wrong) + 5, 0x20);
        let missing = usize::from(fragments[2].address.member.0);
        world.unplug(&[missing]);
        let mut pool = world.mount();
        expect_files(&mut pool);
        let job = run_job(&mut pool, JobKind::Scrub);
        assert!(job.healed > 0 && job.failed == 0, "{job:?}");
        expect_files(&mut pool);
        drop(pool);
        world.plug(&[missing]);
        let mut pool = world.mount();
        rest(&mut pool);
        expect_whole(&mut pool, "whole again");
    }
}

#[test]
fn no_space_in_the_middle_of_a_rebuild_is_said_and_goes_on_when_there_is_some() {
    let mut world = World::new(Scheme::mirror(2), 3, MEMORY);
    let mut pool = world.mount();
    let files = fill(&mut pool, "file-", 60_000);
    assert!(files > 10);
    drop(pool);
    world.unplug(&[2]);
    let mut pool = world.mount();
    pool.shut_member(MemberNumber(2), true).expect("given up");
    rest(&mut pool);
    let job = pool.job(JobKind::Rebuild).expect("read").expect("it ran");
    assert_eq!((job.state, job.failed), (JobState::Incomplete, 0), "{job:?}");
    assert!(counts(&mut pool).readable > 0, "what is owed is said");
    assert!(pool.health().owed > 0);
    assert!(matches!(pool.remove_member(MemberNumber(2), false), Err(MemberError::HoldsData { .. })));
    (0..files).for_each(|n| expect(&mut pool, &format!("file-{n}"), 60_000));
    for n in 0..files / 2 {
        let mut transaction = pool.begin().expect("begun");
        transaction.unlink(ObjectId::ROOT, format!("file-{n}").as_bytes()).expect("deleted");
        transaction.commit().expect("committed");
    }
    rest(&mut pool);
    let job = run_job(&mut pool, JobKind::Rebuild);
    assert_eq!(job.state, JobState::Complete, "{job:?}");
    expect_whole(&mut pool, "there was space");
}
