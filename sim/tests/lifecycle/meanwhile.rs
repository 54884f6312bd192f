//! What else goes wrong while something is rebuilt.

use super::*;
use dynamicfs_core::ReadObjects;

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
            deaths += u32::from(pool.member_health(DiskIndex(5)).status == DiskStatus::Failed);
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

/// A scrub, a rebalance or a recount was called off. No rebuild began by itself then, as if one had been
/// called off. What a disk missed that was back stayed owed until the next mount.
#[test]
fn what_a_disk_missed_is_rebuilt_whatever_else_was_called_off() {
    for kind in [JobKind::Scrub, JobKind::Rebalance, JobKind::Recount] {
        let mut world = filled(Scheme::mirror(2), 3);
        world.unplug(&[1]);
        world.put("missed", 20_000);
        world.plug(&[1]);
        let mut pool = world.mount();
        assert_eq!(pool.start_job(kind, JobOptions::default()), Ok(true));
        assert_eq!(pool.set_job_state(kind, JobState::Cancelled), Ok(true));
        assert_eq!(pool.health().owed, 1);
        rest(&mut pool);
        expect_whole(&mut pool, &format!("{kind:?} was called off"));
    }
    // A rebuild that is called off itself stays so.
    let mut world = filled(Scheme::mirror(2), 3);
    world.unplug(&[1]);
    world.put("missed", 20_000);
    world.plug(&[1]);
    let mut pool = world.mount();
    assert_eq!(pool.start_job(JobKind::Rebuild, JobOptions::default()), Ok(true));
    assert_eq!(pool.set_job_state(JobKind::Rebuild, JobState::Cancelled), Ok(true));
    rest(&mut pool);
    assert_eq!(pool.health().owed, 1);
}

/// A leaf of some files was lost, and a disk made more errors than it may. Before each step of any job all
/// records were asked whether the disk can be done without. The leaf could not be read, and no job ever took
/// a step.
#[test]
fn a_lost_leaf_beside_a_disk_with_many_errors_holds_up_nothing() {
    let mut world = World::new(Scheme::mirror(2), 4, MEMORY);
    let names: Vec<String> = (0..40).map(|n| format!("file {n}")).collect();
    names.iter().for_each(|name| world.put(name, 8_000));
    let mut pool = world.mount();
    let parts: Vec<Fragment> = names.iter().flat_map(|name| first_extent(&mut pool, name).1).collect();
    let (mut leaf, mut walk) = (None, Walk::new());
    while let Some(met) = pool.internals_mut().store.tree.walk(&mut walk).expect("read") {
        let is_of_files = met.level == 0 && met.from.object() > ObjectId(30);
        leaf = leaf.or(is_of_files.then_some(met.pointer));
    }
    drop(pool);
    for place in leaf.expect("there is one").replicas() {
        world.array.disk_mut(place.member.0.into()).flip_bits(place.block * 512 + 100, 1);
    }
    let mut pool = world.mount();
    pool.set_thresholds(Thresholds::new().degraded_checksum_errors(1).failed_checksum_errors(3));
    for part in parts.iter().filter(|part| part.address.member == MemberNumber(1)) {
        pool.array().disk_mut(1).flip_bits(byte_of(part) + 7, 1);
    }
    for name in names.iter().cycle().take(4 * names.len()) {
        // Some of them are lost with the leaf.
        let _ = pool.resolve(name.as_bytes()).map(|file| pool.read(file, 0, &mut [0; 8_000]));
    }
    pool.drain_member(MemberNumber(2), false).expect("it can be emptied");
    rest(&mut pool);
    let job = pool.job(JobKind::Rebuild).expect("read").expect("it ran");
    assert_eq!((job.state, job.failed > 0), (JobState::Incomplete, true), "{job:?}");
    let health = pool.member_health(DiskIndex(1));
    assert!(matches!(health.condition, Condition::Degraded(Cause::ChecksumErrors(3..))), "{health:?}");
}
