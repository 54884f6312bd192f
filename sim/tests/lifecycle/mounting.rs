//! Which disks may mount, and which cases are distinguished.

use super::*;
use dynamicfs_core::ReadObjects;
use dynamicfs_core::types::DiskIndex;

/// A mirror whose halves were each written alone, the other being away, with equal counters: joined. What each half
/// holds alone is `half-0` and `half-1`; their branches are 100 and 101.
fn split_mirror() -> World {
    let mut world = filled(Scheme::mirror(2), 2);
    let mut halves = [0u64, 1].map(|half| {
        let mut world = world.fork(MEMORY);
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
    world
}

#[test]
fn a_mirror_split_and_each_half_written_alone_with_equal_counters_then_joined_is_refused() {
    let mut world = split_mirror();
    for mode in [MountMode::ReadWrite, MountMode::ReadOnly, MountMode::Salvage] {
        let error = world.try_mount(mode).err();
        assert!(matches!(error, Some(MountError::Diverged { .. })), "{error:?}");
    }
    // The operator detaches one; it is taken back as a new disk.
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

#[test]
fn both_sides_of_a_split_mirror_are_named_and_either_can_be_chosen() {
    for chosen in [0usize, 1] {
        let mut world = split_mirror();
        let other = 1 - chosen;
        assert_eq!(branches(&mut world), [(0, 100), (1, 101)]);
        let prefer = Prefer::Branch(100 + chosen as u64);
        let before = world.array.disk(other).clone();
        // To look at it gives up nothing.
        let mut pool = world.try_mount_preferring(MountMode::ReadOnly, prefer).expect("one side");
        expect(&mut pool, &format!("half-{chosen}"), 20_000);
        assert_eq!(pool.member_health(DiskIndex(other)).status, DiskStatus::Diverged);
        drop(pool);
        assert!(matches!(world.try_mount(MountMode::ReadWrite).err(), Some(MountError::Diverged { .. })));
        let mut pool = world.try_mount_preferring(MountMode::ReadWrite, prefer).expect("one side");
        expect(&mut pool, &format!("half-{chosen}"), 20_000);
        assert_eq!(pool.resolve(format!("half-{other}").as_bytes()), Err(Error::NotFound));
        expect_files(&mut pool);
        drop(pool);
        // The choice is remembered, and the other side's disk stays out and as it is.
        let mut pool = world.mount();
        assert_eq!(pool.member_health(DiskIndex(other)).status, DiskStatus::Diverged);
        put(&mut pool, "later", 30_000).expect("committed");
        drop(pool);
        assert!(
            world.array.disk(other).counters().writes == before.counters().writes,
            "it was not written to"
        );
        // Had it been written to meanwhile, those writes would not be dropped silently.
        let now = std::mem::replace(world.array.disk_mut(other), before.clone());
        world.unplug(&[chosen]);
        world.put("behind our back", 5000);
        world.plug(&[chosen]);
        assert!(matches!(world.try_mount(MountMode::ReadWrite).err(), Some(MountError::Diverged { .. })));
        world.array.put(other, now);
        world.plug(&[0, 1]);
        // It is taken back as a new disk.
        let mut pool = world.mount();
        let options = AddOptions::new().force(true);
        pool.add_disk(DiskIndex(other), &mut Rng::new(8), &options).expect("added");
        rest(&mut pool);
        expect_whole(&mut pool, "a mirror again");
        expect_files(&mut pool);
        expect(&mut pool, "later", 30_000);
    }
}

/// Each half was given a disk more, and both gave it the next number. These are two histories, and not a copy
/// of a disk, as a mount once assumed.
#[test]
fn halves_that_each_took_a_new_disk_are_two_histories_and_no_clones() {
    for chosen in [0usize, 1] {
        let mut world = split_mirror();
        for half in 0..2 {
            world.unplug(&[1 - half]);
            let place = new_disk(&mut world, 2048);
            let mut pool = world.mount();
            assert_eq!(add(&mut pool, place, false), MemberNumber(2));
            drop(pool);
            world.plug(&[1 - half]);
            world.unplug(&[place]);
        }
        world.plug(&[2, 3]);
        let error = world.try_mount(MountMode::ReadWrite).err();
        assert!(matches!(error, Some(MountError::Diverged { .. })), "{error:?}");
        let prefer = Prefer::Branch(100 + chosen as u64);
        let mut pool = world.try_mount_preferring(MountMode::ReadWrite, prefer).expect("one side");
        expect(&mut pool, &format!("half-{chosen}"), 20_000);
        let status = |pool: &Mounted<'_>, disk| pool.member_health(disk).status;
        assert_eq!(status(&pool, DiskIndex(2 + chosen)), DiskStatus::Online);
        assert_eq!(status(&pool, DiskIndex(3 - chosen)), DiskStatus::Diverged);
        rest(&mut pool);
        expect_files(&mut pool);
    }
}

/// Both were copied, and written to in the same steps: the same branch, the same number, other contents.
#[test]
fn two_copies_of_a_pool_that_went_on_are_told_apart_by_a_disk() {
    for chosen in [0usize, 1] {
        let mut world = filled(Scheme::mirror(2), 2);
        let mut copy = world.fork(MEMORY);
        world.put("copy-0", 20_000);
        copy.put("copy-1", 20_000);
        let disk = copy.array.take(1);
        world.array.put(1, disk);
        world.plug(&[1]);
        let error = world.try_mount(MountMode::ReadWrite).err();
        assert!(matches!(error, Some(MountError::Diverged { .. })), "{error:?}");
        let branch = branches(&mut world)[0].1;
        let error = world.try_mount_preferring(MountMode::ReadOnly, Prefer::Branch(branch)).err();
        assert!(matches!(error, Some(MountError::Diverged { .. })), "both have that name: {error:?}");
        let prefer = Prefer::Disk { disk: DiskIndex(chosen), branch: 4711 };
        // Half of the mirror is not more than half.
        let error = world.try_mount_preferring(MountMode::ReadWrite, prefer).err();
        assert!(matches!(error, Some(MountError::Missing { .. })), "{error:?}");
        let mode = MountMode::AssumeMissingDead { branch: 4712 };
        let mut pool = world.try_mount_preferring(mode, prefer).expect("overridden");
        expect(&mut pool, &format!("copy-{chosen}"), 20_000);
        assert_eq!(pool.resolve(format!("copy-{}", 1 - chosen).as_bytes()), Err(Error::NotFound));
        drop(pool);
        let mut pool = world.mount();
        assert_eq!(pool.member_health(DiskIndex(1 - chosen)).status, DiskStatus::Diverged);
        expect_files(&mut pool);
    }
}

/// The majority continues as if the override had not been: it needs none.
#[test]
fn an_override_by_mistake_is_taken_back_by_preferring_the_others() {
    let mut world = filled(Scheme::mirror(3), 3);
    let first = branches(&mut world)[0].1;
    world.unplug(&[1, 2]);
    let mut pool = world.try_mount(MountMode::AssumeMissingDead { branch: 9 }).expect("overridden");
    put(&mut pool, "mistake", 9000).expect("committed");
    drop(pool);
    world.plug(&[1, 2]);
    // The two others have nothing that the one does not know of: it is the newest.
    world.expect("mistake", 9000);
    assert_eq!(
        world.try_mount_preferring(MountMode::ReadWrite, Prefer::Branch(77)).err(),
        Some(MountError::NoSuchHistory)
    );
    drop(world.try_mount_preferring(MountMode::ReadWrite, Prefer::Branch(first)).expect("a majority"));
    let mut pool = world.mount();
    assert_eq!(pool.resolve(b"mistake"), Err(Error::NotFound));
    assert_eq!(pool.member_health(DiskIndex(0)).status, DiskStatus::Diverged);
    expect_files(&mut pool);
    put(&mut pool, "later", 9000).expect("committed");
}

/// A disk missed a commit and came back. Before it was rebuilt another one died: more than the pool tolerates
/// is owed something or away, and a majority is there. The override did nothing where a majority is there,
/// and left the pool read-only for ever, though all of it could be read.
#[test]
fn an_override_gives_up_the_dead_where_a_majority_may_not_write() {
    let mut world = filled(Scheme::mirror(2), 3);
    world.unplug(&[1]);
    world.put("meanwhile", 20_000);
    world.plug(&[1]);
    assert!(world.mount().health().writable, "it is back, and owed what it missed");
    world.unplug(&[2]);
    let mut pool = world.mount();
    assert!(!pool.health().writable, "one more lost could lose what is there");
    expect_files(&mut pool);
    drop(pool);
    let mut pool = world.try_mount(MountMode::AssumeMissingDead { branch: 5 }).expect("overridden");
    assert!(pool.health().writable);
    put(&mut pool, "new", 20_000).expect("written");
    rest(&mut pool);
    expect_whole(&mut pool, "rebuilt");
    expect_files(&mut pool);
    ["meanwhile", "new"].iter().for_each(|name| expect(&mut pool, name, 20_000));
    drop(pool);
    // The one that was given up comes back: it is no member any more.
    world.plug(&[2]);
    let pool = world.mount();
    assert_ne!(pool.member_health(DiskIndex(2)).status, DiskStatus::Online);
    assert!(pool.health().writable);
    drop(pool);
    // Where nothing is in the way of writing, an override gives up nothing.
    world.plug(&[1]);
    drop(world.try_mount(MountMode::AssumeMissingDead { branch: 6 }).expect("mounted"));
    assert_eq!(branches(&mut world)[0].1, 5);
}

/// Of seven disks two were called failed and rebuilt elsewhere. Then as many are lost as the pool bears. The
/// two that are out of use counted among those that the new history asks for. The one disk that was left was
/// too few.
#[test]
fn an_override_counts_no_disk_that_is_out_of_use() {
    let mut world = filled(Scheme { data: 1, parity: 4 }, 7);
    {
        let mut pool = world.mount();
        for failed in [4, 5] {
            pool.shut_member(MemberNumber(failed), true).expect("failed");
            rest(&mut pool);
        }
    }
    world.unplug(&[0, 1, 3, 6]);
    let mut pool = world.try_mount(MountMode::AssumeMissingDead { branch: 5 }).expect("overridden");
    assert!(pool.health().writable);
    expect_files(&mut pool);
    put(&mut pool, "new", 20_000).expect("written");
    drop(pool);
    let mut pool = world.mount();
    assert!(pool.health().writable);
    expect(&mut pool, "new", 20_000);
}

/// A mount that gives a side up is cut at every I/O: whatever is found next is that side or the question anew.
#[test]
fn a_choice_that_is_cut_short_is_made_or_not() {
    let mut steps = 0;
    for cut in 0.. {
        let mut world = split_mirror();
        let from = world.array.steps();
        world.array.halt_at(from + cut, Halt::PowerCut);
        let mounted = world.try_mount_preferring(MountMode::ReadWrite, Prefer::Branch(101)).map(drop);
        if world.array.halted().is_none() {
            assert_eq!(mounted, Ok(()));
            break;
        }
        world.array.power_cycle(CrashPolicy::Subset, &mut Rng::new(cut));
        match world.try_mount(MountMode::ReadWrite) {
            Ok(mut pool) => expect(&mut pool, "half-1", 20_000),
            Err(error) => assert!(matches!(error, MountError::Diverged { .. }), "{error}"),
        }
        let mut pool =
            world.try_mount_preferring(MountMode::ReadWrite, Prefer::Branch(101)).expect("once more");
        expect(&mut pool, "half-1", 20_000);
        steps += 1;
    }
    assert!(steps > 10, "{steps}");
}

/// The branch of each disk's newest state.
fn branches(world: &mut World) -> Vec<(usize, u64)> {
    let mut found = Vec::new();
    Pool::survey(&mut world.array, world.lent.lend(), SERVICES, None, |at, state| {
        found.extend(at.is_newest.then(|| (at.disk.0, state.branch())));
    })
    .expect("surveyed");
    found
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
    assert_eq!(pool.member_health(DiskIndex(0)).member, Some(MemberNumber(2)));
    rest(&mut pool);
    expect_whole(&mut pool, "swapped");
    expect_files(&mut pool);
    drop(pool);
    let copy = world.array.disk(1).clone();
    let place = world.array.add(copy);
    let error = world.try_mount(MountMode::ReadWrite).err();
    assert!(
        matches!(error, Some(MountError::Cloned { first: DiskIndex(1), second }) if second == DiskIndex(place)),
        "{error:?}"
    );
}

#[test]
fn a_mirror_of_two_with_a_witness_boots_alone_and_without_one_it_asks() {
    for witness in [false, true] {
        let mut array = SimArray::new(1, vec![Geometry::new(512, 2048); 2]);
        let mut members = vec![DiskOptions::default(); 2];
        if witness {
            array.add(SimDisk::new(Geometry::new(512, 96), 3));
            members.push(DiskOptions::new().witness(true));
        }
        let options = FormatOptions::portable(Scheme::mirror(2));
        let mut world = World::on(array, options).members(&members).make();
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

/// The disks were set back to a snapshot, but for one that had joined after it was taken. Its number was
/// given again, to another disk: two disks of one history are the same member.
#[test]
fn two_disks_of_one_history_with_one_number_are_refused() {
    let mut world = filled(Scheme::mirror(2), 3);
    let snapshot = world.array.clone();
    let joins = |world: &mut World, seed: u64, commits: usize| {
        let place = new_disk(world, 2048);
        let mut pool = world.mount();
        pool.add_disk(DiskIndex(place), &mut Rng::new(seed), &AddOptions::default()).expect("added");
        (0..commits).for_each(|n| put(&mut pool, &format!("later-{n}"), 5000).expect("committed"));
        place
    };
    let place = joins(&mut world, 50, 1);
    let left_over = world.array.disk(place).clone();
    world.array = snapshot;
    let first = joins(&mut world, 51, 6);
    // The others do not remember what they were in when the left-over joined.
    (0..12).for_each(|n| put(&mut world.mount(), &format!("since-{n}"), 500).expect("committed"));
    let second = world.array.add(left_over);
    let refused = world.try_mount(MountMode::ReadWrite).err();
    assert_eq!(refused, Some(MountError::Cloned { first: DiskIndex(first), second: DiskIndex(second) }));
    world.unplug(&[second]);
    expect_files(&mut world.mount());
}

/// A copy of a disk continued by itself, under an override. It is a copy all the same: which of the two
/// histories is to continue is asked only where no disk is there twice.
#[test]
fn a_copy_that_went_its_own_way_is_refused_whatever_is_preferred() {
    let mut world = filled(Scheme::mirror(2), 2);
    let mut other = World { array: SimArray::new(4, Vec::new()), lent: Lent::new(MEMORY) };
    other.array.add(world.array.disk(0).clone());
    other.try_mount(MountMode::AssumeMissingDead { branch: 7 }).expect("by itself");
    other.put("theirs", 5000);
    world.put("ours", 5000);
    world.array.add(other.array.take(0));
    let cloned = Some(MountError::Cloned { first: DiskIndex(0), second: DiskIndex(2) });
    assert_eq!(world.try_mount(MountMode::ReadWrite).err(), cloned);
    for prefer in [Prefer::Branch(7), Prefer::Branch(0), Prefer::Disk { disk: DiskIndex(2), branch: 8 }] {
        assert_eq!(world.try_mount_preferring(MountMode::ReadWrite, prefer).err(), cloned);
    }
}
