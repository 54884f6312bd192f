//! Disks that come back: with less than they had acknowledged, or as the only ones that are left.

use super::*;

/// A disk that was away is given nothing before a superblock that names it is on it. The mount's own commit wrote its nodes
/// to it first, over what the disk's own, older state refers to; the power went, the other disk died, and there was no state left.
#[test]
fn what_a_disk_held_that_was_away_stays_until_it_has_something_newer() {
    let mut array = SimArray::new(1, vec![Geometry::new(512, 1024); 2]);
    let mut lent = Lent::new(MEMORY);
    let options = FormatOptions { extent_bytes: 4096, ..FormatOptions::portable(Scheme::mirror(2)) };
    Pool::format(&mut array, lent.lend(), SERVICES, &mut Rng::new(9), &options, &[]).expect("formatted");
    let mut world = World { array, lent };
    let names: Vec<String> = (0..12).map(|n| format!("file-{n}")).collect();
    names.iter().for_each(|name| world.put(name, 20_000));
    {
        let mut pool = world.mount();
        pool.begin().expect("begun").commit().expect("committed");
        pool.array().disk_mut(1).unplug();
        for name in &names {
            let mut transaction = pool.begin().expect("begun");
            transaction.unlink(ObjectId::ROOT, name.as_bytes()).expect("unlinked");
            transaction.commit().expect("committed");
        }
        rest(&mut pool);
        (0..12).for_each(|n| put(&mut pool, &format!("later-{n}"), 20_000).expect("committed"));
        rest(&mut pool);
    }
    world.plug(&[1]);
    let old = order(&world, 1);
    let mut tried = 0;
    for at in 0.. {
        let mut cut = fork(&world);
        let from = cut.array.steps();
        cut.array.halt_at(from + at, Halt::PowerCut);
        drop(cut.try_mount(MountMode::ReadWrite));
        if cut.array.halted().is_none() {
            break;
        }
        cut.array.power_cycle(CrashPolicy::Everything, &mut Rng::new(at));
        if order(&cut, 1) != old {
            continue;
        }
        tried += 1;
        cut.unplug(&[0]);
        let mut pool = cut.try_mount(MountMode::AssumeMissingDead { branch: 4 }).expect("overridden");
        names.iter().for_each(|name| expect(&mut pool, name, 20_000));
    }
    assert!(tried > 10, "{tried} cuts leave the disk as it was");
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
        assert_eq!(pool.member_health(1).currency, Currency::Stale);
        rest(&mut pool);
        expect_whole(&mut pool, "after the rebuild");
    }
    for lost in [0, 2] {
        let mut without = fork(&world);
        without.unplug(&[lost]);
        let mut pool = without.mount();
        names.iter().for_each(|name| expect(&mut pool, name, 30_000));
    }
}

/// More disks went back than the pool bears to lose. Those beyond that number were called current with the next commit, and what
/// they may have lost was asked for by no rebuild.
#[test]
fn all_disks_that_went_back_are_remembered() {
    let mut world = World::new(Scheme::mirror(2), 3, MEMORY);
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
    let doubted = |pool: &mut Mounted<'_>| {
        let mut doubted = Vec::new();
        let read = pool.store.each_member(|member, record| {
            if record.untrusted().count() > 0 {
                doubted.push(member.0);
            }
        });
        read.expect("read");
        doubted
    };
    let mut pool = world.mount();
    assert!([1, 2].iter().all(|&disk| pool.member_health(disk).currency == Currency::RolledBack));
    assert_eq!(doubted(&mut pool), [1, 2]);
    rest(&mut pool);
    expect_whole(&mut pool, "after the rebuild");
    assert!(doubted(&mut pool).is_empty());
    drop(pool);
    for lost in 0..3 {
        let mut without = fork(&world);
        without.unplug(&[lost]);
        let mut pool = without.mount();
        names.iter().for_each(|name| expect(&mut pool, name, 30_000));
    }
}
