//! Disks come and go: what is rebuilt, what is refused, and what other systems have lost on the way.

mod common;

use common::{Mounted, World, counts, expect, expect_whole, put, rest, run_job};
use dynamicfs_core::disks::{Currency, DiskStatus};
use dynamicfs_core::error::{Error, FormatError, MemberError, MountError};
use dynamicfs_core::format::extent::Fragment;
use dynamicfs_core::format::record::MemberState;
use dynamicfs_core::maintain::{JobKind, JobState, Lost, Work};
use dynamicfs_core::pool::DiskOptions;
use dynamicfs_core::types::{MemberNumber, ObjectId, Scheme};
use dynamicfs_core::{AddOptions, FormatOptions, MountMode, MountOptions, Pool};
use dynamicfs_hal::{BlockDevice, Geometry, IoError};
use dynamicfs_sim::world::{Lent, SERVICES, account};
use dynamicfs_sim::{CrashPolicy, Halt, IoKind, Mishap, Rng, SimArray, SimDisk};

const FOUR_TWO: Scheme = Scheme { data: 4, parity: 2 };
const MEMORY: usize = 300 << 10;

/// A pool with some files of different sizes.
fn filled(scheme: Scheme, disks: usize) -> World {
    let mut world = World::new(scheme, disks, MEMORY);
    for (name, length) in FILES {
        world.put(name, length);
    }
    world
}

const FILES: [(&str, usize); 5] =
    [("tiny", 9), ("small", 700), ("block", 4096), ("large", 60_000), ("larger", 150_000)];

fn expect_files(pool: &mut Mounted<'_>) {
    FILES.iter().for_each(|&(name, length)| expect(pool, name, length));
}

/// Puts a new disk of so many sectors into the world: its place.
fn new_disk(world: &mut World, sectors: u64) -> usize {
    world.array.add(SimDisk::new(Geometry::new(512, sectors), 77))
}

fn add(pool: &mut Mounted<'_>, place: usize, spare: bool) -> MemberNumber {
    let options = AddOptions { spare, ..AddOptions::default() };
    pool.add_disk(place, &mut Rng::new(place as u64), &options).expect("added")
}

fn state(pool: &mut Mounted<'_>, member: u16) -> MemberState {
    let mut found = None;
    pool.store
        .each_member(|number, record| {
            if number.0 == member {
                found = Some(MemberState::from_number(record.state()));
            }
        })
        .expect("read");
    found.expect("it is a member")
}

/// The first extent of a file, and its fragments.
fn first_extent(pool: &mut Mounted<'_>, name: &str) -> (ObjectId, Vec<Fragment>) {
    use dynamicfs_core::format::extent::{EXTENT_BYTES_MAX, Extent};
    use dynamicfs_core::format::key::Key;
    let object = pool.resolve(name.as_bytes()).expect("it is there");
    let mut head = [0; EXTENT_BYTES_MAX];
    let length = pool.store.tree.get(&Key::extent(object, 0), &mut head).expect("read").expect("it has one");
    let extent = Extent::decode(&head[..length.min(head.len())]).expect("it is one");
    (object, extent.fragments().to_vec())
}

fn disk_of_another_pool() -> SimDisk {
    let mut array = SimArray::new(2, [Geometry::new(512, 2048)]);
    let options = FormatOptions::portable(Scheme::SINGLE);
    let mut lent = Lent::new(MEMORY);
    Pool::format(&mut array, lent.lend(), SERVICES, &mut Rng::new(31), &options, &[]).expect("formatted");
    array.take(0)
}

fn byte_of(fragment: &Fragment) -> u64 {
    fragment.address.block * 512
}

// --- coming back ----------------------------------------------------------------------------------------------

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

// --- losing, replacing, removing ------------------------------------------------------------------------------

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
    assert_eq!(pool.member_health(1).status, DiskStatus::Excluded);
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
        assert_eq!(pool.member_health(0).status, DiskStatus::Unlabelled);
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
    let mut add =
        |place, force| pool.add_disk(place, &mut Rng::new(3), &AddOptions { force, ..AddOptions::default() });
    assert!(matches!(add(small, false), Err(MemberError::Disk(FormatError::DiskTooSmall { .. }))));
    assert!(matches!(add(coarse, false), Err(MemberError::Disk(FormatError::Geometry { .. }))));
    assert!(matches!(add(used, false), Err(MemberError::Disk(FormatError::InUse { .. }))));
    assert_eq!(add(0, true), Err(MemberError::TakesPart));
    assert!(add(used, true).is_ok(), "it was forced");
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
    let held = pool.member_health(place);
    assert_eq!(held.blocks, held.free_blocks, "it is kept empty");
    pool.shut_member(MemberNumber(4), true).expect("failed");
    rest(&mut pool);
    assert_eq!(state(&mut pool, spare.0), MemberState::Active);
    assert!(pool.member_health(place).free_blocks < held.blocks);
    expect_whole(&mut pool, "rebuilt on the spare");
    let (_, fragments) = first_extent(&mut pool, "larger");
    assert_eq!(fragments.len(), 6, "as wide as before");
}

#[test]
fn what_is_offline_stays_so_until_it_is_online_again() {
    let mut world = filled(Scheme::mirror(2), 3);
    let mut pool = world.mount();
    pool.shut_member(MemberNumber(1), false).expect("offline");
    assert_eq!(pool.member_health(1).status, DiskStatus::Excluded);
    put(&mut pool, "meanwhile", 30_000).expect("written");
    rest(&mut pool);
    drop(pool);
    let mut pool = world.mount();
    assert_eq!(pool.member_health(1).status, DiskStatus::Excluded);
    assert!(
        matches!(pool.shut_member(MemberNumber(0), false), Err(MemberError::Pool(_))),
        "one more is too many"
    );
    assert_eq!(pool.member_health(0).status, DiskStatus::Online);
    expect(&mut pool, "meanwhile", 30_000);
    pool.activate_member(MemberNumber(1)).expect("online");
    rest(&mut pool);
    expect_whole(&mut pool, "online again");
    drop(pool);
    world.unplug(&[0]);
    world.expect("meanwhile", 30_000);
}

// --- draining -------------------------------------------------------------------------------------------------

#[test]
fn a_drained_disk_holds_nothing_and_can_be_pulled() {
    let mut world = filled(Scheme { data: 2, parity: 1 }, 4);
    let mut pool = world.mount();
    pool.drain_member(MemberNumber(3), false).expect("begun");
    rest(&mut pool);
    assert_eq!(state(&mut pool, 3), MemberState::Drained);
    expect_whole(&mut pool, "drained");
    drop(pool);
    world.unplug(&[3]);
    let mut pool = world.mount();
    assert_eq!(pool.health().owed, 0, "its absence takes nothing away");
    expect_whole(&mut pool, "pulled");
    expect_files(&mut pool);
    drop(pool);
    world.plug(&[3]);
    let mut pool = world.mount();
    pool.activate_member(MemberNumber(3)).expect("used again");
    put(&mut pool, "more", 100_000).expect("stored");
    rest(&mut pool);
    expect_whole(&mut pool, "in use again");
}

#[test]
fn a_drain_is_cancelled_half_way() {
    let mut world = World::new(Scheme::mirror(2), 4, 120 << 10);
    for n in 0..12 {
        world.put(&format!("file-{n}"), 50_000);
    }
    let mut pool = world.mount();
    pool.drain_member(MemberNumber(0), false).expect("begun");
    for _ in 0..2 {
        assert_eq!(pool.maintain(false), Ok(Work::Advanced(JobKind::Rebuild)));
    }
    assert_eq!(state(&mut pool, 0), MemberState::Draining, "it is not done");
    let stayed = (0..12).filter(|n| {
        let (_, fragments) = first_extent(&mut pool, &format!("file-{n}"));
        fragments.iter().any(|fragment| fragment.address.member.0 == 0)
    });
    assert!(stayed.count() > 0, "some of it has not been moved");
    pool.activate_member(MemberNumber(0)).expect("cancelled");
    rest(&mut pool);
    expect_whole(&mut pool, "cancelled");
    put(&mut pool, "more", 50_000).expect("stored");
    (0..12).for_each(|n| expect(&mut pool, &format!("file-{n}"), 50_000));
}

/// The power goes at every I/O of a drain, and of the cancelling; nothing is lost, and it comes to an end.
#[test]
fn a_drain_crashes_anywhere_and_is_cancelled_or_goes_on() {
    let mut world = World::new(Scheme::mirror(2), 3, 120 << 10);
    for n in 0..4 {
        world.put(&format!("file-{n}"), 30_000);
    }
    let base = world.array.clone();
    let (mut rng, mut cuts, mut cancelled) = (Rng::new(5), 0, 0);
    for at in (0..).step_by(7) {
        let mut world = World { array: base.clone(), lent: Lent::new(120 << 10) };
        world.array.halt_at(world.array.steps() + at, Halt::PowerCut);
        let ended = {
            let mounted = world.try_mount(MountMode::ReadWrite);
            mounted.is_ok_and(|mut pool| {
                let begun = pool.drain_member(MemberNumber(1), true);
                begun.is_ok()
                    && (0..2000).any(|_| !matches!(pool.maintain(true), Ok(work) if work != Work::Nothing))
            }) && world.array.halted().is_none()
        };
        if ended {
            break;
        }
        cuts += 1;
        world.array.power_cycle(CrashPolicy::Subset, &mut rng);
        let mut pool = world.mount();
        (0..4).for_each(|n| expect(&mut pool, &format!("file-{n}"), 30_000));
        if rng.coin() && pool.activate_member(MemberNumber(1)).is_ok() {
            cancelled += 1;
        }
        rest(&mut pool);
        expect_whole(&mut pool, "at rest");
    }
    assert!(cuts > 30 && cancelled > 5, "{cuts} cuts, {cancelled} cancelled");
}

// --- what else goes wrong meanwhile ---------------------------------------------------------------------------

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
    assert_eq!((job.state, job.failed), (JobState::Complete, 1), "{job:?}");
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
    let mut files = 0;
    while put(&mut pool, &format!("file-{files}"), 60_000).is_ok() {
        files += 1;
    }
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

// --- scrubbing ------------------------------------------------------------------------------------------------

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
    pool.start_job(JobKind::Scrub, false).expect("started");
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
    assert_eq!(pool.start_job(JobKind::Scrub, false), Ok(true));
    assert_eq!(pool.start_job(JobKind::Scrub, false), Ok(false), "it runs already");
    assert_eq!(pool.set_job_state(JobKind::Scrub, JobState::Paused), Ok(true));
    assert_eq!(pool.maintain(false), Ok(Work::Nothing));
    drop(pool);
    let mut pool = world.mount();
    assert_eq!(pool.job(JobKind::Scrub).expect("read").map(|job| job.state), Some(JobState::Paused));
    assert_eq!(pool.set_job_state(JobKind::Scrub, JobState::Running), Ok(true));
    assert_eq!(pool.maintain(false), Ok(Work::Advanced(JobKind::Scrub)));
    rest(&mut pool);
    assert_eq!(pool.set_job_state(JobKind::Scrub, JobState::Cancelled), Ok(false), "it is over");
    pool.start_job(JobKind::Scrub, false).expect("once more");
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

// --- who may mount --------------------------------------------------------------------------------------------

#[test]
fn a_mirror_split_and_each_half_written_alone_with_equal_counters_then_joined_is_refused() {
    let mut world = filled(Scheme::mirror(2), 2);
    let mut halves = [0u64, 1].map(|half| {
        let mut world = World { array: world.array.clone(), lent: Lent::new(MEMORY) };
        world.unplug(&[1 - half as usize]);
        assert!(matches!(world.try_mount(MountMode::ReadWrite).err(), Some(MountError::Missing { .. })));
        let mut pool =
            world.try_mount(MountMode::AssumeMissingDead { branch: 100 + half }).expect("overridden");
        put(&mut pool, &format!("half-{half}"), 20_000).expect("written alone");
        (world.array.clone(), pool_order(&mut world))
    });
    assert_eq!(halves[0].1, halves[1].1, "their counters are equal");
    for (half, (array, _)) in halves.iter_mut().enumerate() {
        let disk = array.take(half);
        world.array.put(half, disk);
        world.plug(&[half]);
    }
    let error = world.try_mount(MountMode::ReadWrite).err();
    assert!(matches!(error, Some(MountError::Diverged { .. })), "{error:?}");
    // The operator chooses one; the other is taken back as a new disk.
    world.unplug(&[1]);
    let mut pool = world.mount();
    expect(&mut pool, "half-0", 20_000);
    assert_eq!(pool.resolve(b"half-1"), Err(Error::NotFound));
    drop(pool);
    world.array.disk_mut(1).wipe();
    world.plug(&[1]);
    let mut pool = world.mount();
    add(&mut pool, 1, false);
    rest(&mut pool);
    expect_whole(&mut pool, "a mirror again");
    expect_files(&mut pool);
}

fn pool_order(world: &mut World) -> (u64, u64) {
    let health = world.mount().health();
    (health.epoch.0, health.generation.0)
}

#[test]
fn swapped_disks_are_told_apart_and_a_cloned_one_is_refused() {
    let mut world = filled(Scheme::mirror(2), 3);
    world.array.swap(0, 2);
    let mut pool = world.mount();
    assert_eq!(pool.member_health(0).member, Some(MemberNumber(2)));
    rest(&mut pool);
    expect_whole(&mut pool, "swapped");
    expect_files(&mut pool);
    drop(pool);
    let copy = world.array.disk(1).clone();
    let place = world.array.add(copy);
    let error = world.try_mount(MountMode::ReadWrite).err();
    assert!(matches!(error, Some(MountError::Cloned { first: 1, second }) if second == place), "{error:?}");
}

#[test]
fn a_mirror_of_two_with_a_witness_boots_alone_and_without_one_it_asks() {
    for witness in [false, true] {
        let mut array = SimArray::new(1, vec![Geometry::new(512, 2048); 2]);
        let mut members = vec![DiskOptions::default(); 2];
        if witness {
            array.add(SimDisk::new(Geometry::new(512, 96), 3));
            members.push(DiskOptions { witness: true, ..DiskOptions::default() });
        }
        let mut lent = Lent::new(MEMORY);
        let options = FormatOptions::portable(Scheme::mirror(2));
        Pool::format(&mut array, lent.lend(), SERVICES, &mut Rng::new(9), &options, &members)
            .expect("formatted");
        let mut world = World { array, lent };
        world.put("before", 20_000);
        world.unplug(&[0]);
        let mounted = world.try_mount(MountMode::ReadWrite).map(|mut pool| {
            put(&mut pool, "alone", 20_000).expect("written");
        });
        match (witness, mounted) {
            (true, mounted) => assert_eq!(mounted, Ok(())),
            (false, mounted) => assert!(matches!(mounted, Err(MountError::Missing { .. }))),
        }
        if !witness {
            continue;
        }
        world.plug(&[0]);
        let mut pool = world.mount();
        rest(&mut pool);
        expect_whole(&mut pool, "both are back");
        drop(pool);
        world.unplug(&[1]);
        world.expect("alone", 20_000);
    }
}

// --- bugs that were here --------------------------------------------------------------------------------------

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
        pool.start_job(JobKind::Rebuild, false).expect("started");
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
    let mut pool = Pool::mount(
        &mut world.array,
        world.lent.lend(),
        SERVICES,
        &MountOptions { pool: None, mode: MountMode::ReadWrite },
    )
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
    pool.start_job(JobKind::Rebuild, false).expect("started");
    rest(&mut pool);
    let job = pool.job(JobKind::Rebuild).expect("read").expect("it ran");
    assert_eq!((job.state, job.found), (JobState::Complete, 0));
    expect_whole(&mut pool, "as before");
}
