//! Disks that come back: with less than they had acknowledged, or as the only ones that are left.

use super::*;
use dynamicfs_core::types::DiskIndex;

/// A disk that was away is given nothing before a superblock that names it is on it. The mount's own commit
/// wrote its nodes to it first, over blocks of the disk's own, older state. The power went, the other disk
/// died, and no state was left.
#[test]
fn what_a_disk_held_that_was_away_stays_until_it_has_something_newer() {
    stays_when_a_mount_is_cut(|_| None);
}

/// The same with a second mount after the cut: the first mount's commit names the disk, and reached the other
/// one alone. The second one gave the disk something before a superblock that names it was there.
#[test]
fn what_a_disk_held_that_was_away_stays_also_after_two_cut_mounts() {
    stays_when_a_mount_is_cut(|world| {
        Some(newest_on_one_disk(world, 0, |world| drop(world.try_mount(MountMode::ReadWrite))))
    });
}

/// Cuts a mount at each I/O, in worlds of different layouts, after what is done `first` in a copy of them. As
/// long as the disk that came back has nothing newer, it can be the only one that is left.
fn stays_when_a_mount_is_cut(first: impl Fn(&World) -> Option<World>) {
    let (mut tried, mut bad) = (0, Vec::new());
    for extra in 0..40 {
        let (world, names) = second_was_away(|pool| {
            (0..extra).for_each(|n| put(pool, &format!("tiny-{n}"), 100).expect("committed"));
        });
        let old = order(&world, 1);
        let world = first(&world).unwrap_or(world);
        assert_eq!(order(&world, 1), old);
        cut_each_mount(&world, |at, mut cut| {
            if order(&cut, 1) != old {
                return;
            }
            tried += 1;
            let what = wrong_without(&mut cut, &[0], &names);
            bad.extend(what.map(|what| (extra, at, what)));
        });
    }
    assert!(tried > 10, "{tried} cuts leave the disk as it was");
    assert!(bad.is_empty(), "of {tried} cuts {}: {:?}", bad.len(), &bad[..bad.len().min(5)]);
}

/// A superblock that brings a disk back went to all disks at a time. The power went when that disk alone had
/// it, and the other one died. The newest state of the disk that was left referred to what was never on it.
#[test]
fn a_disk_that_comes_back_has_no_state_that_the_others_have_not() {
    let mut newer = 0;
    for extra in 0..10 {
        let (world, _) = second_was_away(|pool| {
            (0..extra).for_each(|n| put(pool, &format!("tiny-{n}"), 100).expect("committed"));
        });
        let (found, old) = (order(&world, 0), order(&world, 1));
        cut_each_mount(&world, |at, cut| {
            newer += u32::from(order(&cut, 1) > old);
            assert!(order(&cut, 1) <= old || order(&cut, 0) > found, "{extra}, cut {at}");
        });
    }
    assert!(newer > 0, "no cut comes after it is back");
}

/// A rebuild made do without a disk that was away, so nothing was owed to it. When it came back it was given
/// nodes at once, over what its older state refers to. The power went, the others died, and there was no
/// state left.
#[test]
fn what_a_disk_held_stays_also_where_a_rebuild_made_do_without_it() {
    let (mut tried, mut bad) = (0, Vec::new());
    for layout in 30..70 {
        let (world, names, added) = done_without(layout);
        let old = order(&world, 1);
        cut_each_mount(&world, |at, mut cut| {
            if order(&cut, 1) != old {
                return;
            }
            tried += 1;
            let what = wrong_without(&mut cut, &[0, added], &names);
            bad.extend(what.map(|what| (layout, at, what)));
        });
    }
    assert!(tried > 10, "{tried} cuts leave the disk as it was");
    assert!(bad.is_empty(), "of {tried} cuts {}: {:?}", bad.len(), &bad[..bad.len().min(5)]);
}

/// Two disks with files. The second one became absent. A third was added, a rebuild made do without the
/// second, and the files were deleted and written over. The second is back: the files that it holds, and the
/// place of the third.
fn done_without(layout: u32) -> (World, Vec<String>, usize) {
    let mut world = small_mirror(SMALL);
    let names: Vec<String> = (0..12).map(|n| format!("file-{n}")).collect();
    names.iter().for_each(|name| world.put(name, 20_000));
    let blank = world.array.add(SimDisk::new(Geometry::new(512, 1024), 77));
    let mut pool = world.mount();
    pool.begin().expect("begun").commit().expect("committed");
    (0..layout).for_each(|n| put(&mut pool, &format!("tiny-{n}"), 100).expect("committed"));
    pool.array().disk_mut(1).unplug();
    pool.add_disk(DiskIndex(blank), &mut Rng::new(3), &AddOptions::default()).expect("added");
    pool.start_job(JobKind::Rebuild, JobOptions::WITHOUT_ABSENT).expect("started");
    rest(&mut pool);
    assert_eq!(pool.health().owed, 0, "nothing is waited for");
    write_over(&mut pool, &names);
    drop(pool);
    world.plug(&[1]);
    (world, names, blank)
}

/// The same while the pool is mounted: the operator puts a disk into use again. Which disks are given nothing
/// had been settled when the members were last looked at, and it was out of use then. The commit that brings
/// it back wrote nodes to it, over what its own, older state refers to. With a cut there, and the other disk
/// lost, files were gone that it had held all the time.
#[test]
fn what_a_disk_held_stays_also_where_it_is_put_into_use_again() {
    let mut world = small_mirror(SMALL);
    let names: Vec<String> = (0..12).map(|n| format!("file-{n}")).collect();
    names.iter().for_each(|name| world.put(name, 20_000));
    {
        let mut pool = world.mount();
        pool.shut_member(MemberNumber(1), false).expect("out of use");
        write_over(&mut pool, &names);
    }
    stays_before_a_newer_state(&world, 1, |world| {
        if let Ok(mut pool) = world.try_mount(MountMode::ReadWrite) {
            // It is given up first, and the operator thinks better of it. It may be cut anywhere.
            let given_up = pool.shut_member(MemberNumber(1), true);
            let _ = given_up.and_then(|()| pool.activate_member(MemberNumber(1)));
        }
    });
}

/// A disk that is added is given nothing either, before a superblock on it names it. It takes part from
/// inside the transaction that brings it, and which disks are given nothing had been settled when that began.
#[test]
fn an_added_disk_is_given_nothing_before_a_superblock_on_it_names_it() {
    let mut world = small_mirror(SMALL);
    (0..6).for_each(|n| world.put(&format!("file-{n}"), 20_000));
    let place = world.array.add(SimDisk::new(SMALL, 77));
    // The first state on it is the last commit's, in which it is away.
    stays_before_a_newer_state(&world, place, |world| {
        if let Ok(mut pool) = world.try_mount(MountMode::ReadWrite) {
            // It may be cut anywhere.
            let _ = pool.add_disk(DiskIndex(place), &mut Rng::new(3), &AddOptions::default());
        }
    });
}

/// Cuts what is done at each I/O. As long as the disk has no newer state than its first one, nothing was
/// written to its blocks.
fn stays_before_a_newer_state(world: &World, disk: usize, act: impl Fn(&mut World)) {
    let mut done = world.fork(MEMORY);
    act(&mut done);
    let (mut pool, mut blocks) = (done.mount(), 0..0);
    let member = pool.member_health(DiskIndex(disk)).member.expect("it is one");
    let read = pool.internals_mut().store.each_member(|number, record| {
        if number == member {
            blocks = record.start()..record.start() + record.blocks();
        }
    });
    read.expect("read");
    let held = |disk: &SimDisk| {
        let mut bytes = vec![0; (blocks.end - blocks.start) as usize * 512];
        disk.pristine(blocks.start * 512, &mut bytes);
        bytes
    };
    let (mut first, mut tried, mut newer) = (None, 0, 0);
    cut_each(world, act, |at, cut| {
        let disk = cut.array.disk(disk);
        let Some(newest) = states::newest_of(disk) else { return };
        let (state, before) = first.get_or_insert_with(|| (newest, held(disk)));
        if newest > *state {
            newer += 1;
            return;
        }
        tried += 1;
        assert!(held(disk) == *before, "cut {at}: it was given something");
    });
    assert!(tried > 5 && newer > 0, "{tried} cuts before it has a newer state, {newer} after");
}

/// A disk went away, and lost besides what it had acknowledged before. It was distrusted from when it went away alone; what it
/// had lost was called whole, and the next disk to fail took it.
#[test]
fn a_disk_that_was_away_and_went_back_is_distrusted_from_where_it_went_back_to() {
    let mut world = World::new(Scheme::mirror(2), 3, MEMORY);
    world.put("first", 30_000);
    let image = world.array.disk(1).clone();
    let names: Vec<String> = (0..5).map(|n| format!("acknowledged-{n}")).collect();
    names.iter().for_each(|name| world.put(name, 30_000));
    world.unplug(&[1]);
    world.put("meanwhile", 30_000);
    world.array.put(1, image);
    {
        let mut pool = world.mount();
        assert_eq!(pool.member_health(DiskIndex(1)).currency, Currency::Stale);
        rest(&mut pool);
        expect_whole(&mut pool, "after the rebuild");
    }
    for lost in [0, 2] {
        let mut without = world.fork(MEMORY);
        without.unplug(&[lost]);
        let mut pool = without.mount();
        names.iter().for_each(|name| expect(&mut pool, name, 30_000));
    }
}

/// More disks were set back than the pool bears to lose. Those beyond that number were called current with
/// the next commit, and what they may have lost was asked for by no rebuild.
#[test]
fn all_disks_that_went_back_are_remembered() {
    let mut world = World::with_rings(Scheme::mirror(2), 3, MEMORY, RING_LENGTH_MAX);
    world.put("first", 30_000);
    let before = world.array.clone();
    let names: Vec<String> = (0..6).map(|n| format!("acknowledged-{n}")).collect();
    names.iter().for_each(|name| world.put(name, 30_000));
    // Of two of three the superblocks alone, so that all can be read.
    for disk in [1, 2] {
        for slot in states::all_slots(world.array.disk(disk)) {
            let lbas = slot.start / 512..slot.end / 512;
            world.array.disk_mut(disk).roll_back_region(before.disk(disk), lbas);
        }
    }
    let distrusted = |pool: &mut Mounted<'_>| {
        let mut distrusted = Vec::new();
        let read = pool.internals_mut().store.each_member(|member, record| {
            if record.untrusted().count() > 0 {
                distrusted.push(member.0);
            }
        });
        read.expect("read");
        distrusted
    };
    let mut pool = world.mount();
    assert!([1, 2].iter().all(|&disk| pool.member_health(DiskIndex(disk)).currency == Currency::RolledBack));
    assert_eq!(distrusted(&mut pool), [1, 2]);
    rest(&mut pool);
    expect_whole(&mut pool, "after the rebuild");
    assert!(distrusted(&mut pool).is_empty());
    drop(pool);
    for lost in 0..3 {
        let mut without = world.fork(MEMORY);
        without.unplug(&[lost]);
        let mut pool = without.mount();
        names.iter().for_each(|name| expect(&mut pool, name, 30_000));
    }
}

/// A disk was set back within one mount: it knows the mount's epoch, and lacks commits that it had
/// acknowledged. By its claim alone it is current, and what it lost counts as there.
#[test]
fn a_disk_that_went_back_within_an_epoch_has_lost_what_it_acknowledged() {
    let mut world = World::new(Scheme::mirror(2), 3, MEMORY);
    let names: Vec<String> = (0..6).map(|n| format!("acknowledged-{n}")).collect();
    let image = {
        let mut pool = world.mount();
        put(&mut pool, "first", 30_000).expect("committed");
        let image = pool.array().disk(1).clone();
        names.iter().for_each(|name| put(&mut pool, name, 30_000).expect("committed"));
        image
    };
    world.array.disk_mut(1).roll_back(&image);
    let mut pool = world.mount();
    assert_eq!(pool.member_health(DiskIndex(1)).currency, Currency::RolledBack);
    rest(&mut pool);
    expect_whole(&mut pool, "after the rebuild");
    drop(pool);
    for lost in [0, 2] {
        let mut without = world.fork(MEMORY);
        without.unplug(&[lost]);
        let mut pool = without.mount();
        names.iter().for_each(|name| expect(&mut pool, name, 30_000));
    }
}

/// A disk was away for longer than the others remember, and the power went in the mount that brought it back.
/// The newest state names it then, and no ring knows its own. That mount has reserved its epoch on it: it is
/// no foreign disk.
#[test]
fn a_disk_that_was_away_for_long_is_no_stranger_where_its_return_is_cut() {
    let (world, _) = second_was_away(|_| {});
    let (old, mut named) = (order(&world, 1), 0);
    cut_each_mount(&world, |at, mut cut| {
        named += u32::from(order(&cut, 1) == old && order(&cut, 0) > order(&world, 0));
        let mut pool =
            cut.try_mount(MountMode::ReadWrite).unwrap_or_else(|error| panic!("cut at {at}: {error}"));
        rest(&mut pool);
        expect_whole(&mut pool, "both are there");
        expect(&mut pool, "later-3", 20_000);
    });
    assert!(named > 0, "no cut leaves it named and behind");
}

/// The same with a disk that was out of use. It is put into use again in a mount that has reserved its epoch
/// without it.
#[test]
fn a_disk_that_was_out_of_use_for_long_is_no_stranger_where_its_return_is_cut() {
    let mut world = small_mirror(SMALL);
    world.put("before", 20_000);
    world.mount().shut_member(MemberNumber(1), false).expect("shut");
    let mut named = 0;
    for at in 0.. {
        let mut cut = world.fork(MEMORY);
        let old = {
            let mut pool = cut.mount();
            (0..12).for_each(|n| put(&mut pool, &format!("without-{n}"), 2_000).expect("committed"));
            let array = pool.array();
            let old = states::newest_of(array.disk(1));
            array.halt_at(array.steps() + at, Halt::PowerCut);
            if pool.activate_member(MemberNumber(1)).is_ok() {
                break;
            }
            old
        };
        cut.array.power_cycle(CrashPolicy::Nothing, &mut Rng::new(at));
        named += u32::from(states::newest_of(cut.array.disk(1)) == old);
        let mut pool =
            cut.try_mount(MountMode::ReadWrite).unwrap_or_else(|error| panic!("cut at {at}: {error}"));
        expect(&mut pool, "without-11", 2_000);
    }
    assert!(named > 3, "{named}");
}
