//! Who may mount, and what is told apart.

use super::*;

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
