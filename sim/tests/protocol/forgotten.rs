//! Only a state that is not continued knows that a disk was set back.

use super::*;

/// A disk was set back. The commit of the mount that sees it says in the tree what the disk lacks. Its
/// superblock says on the disk no more that it went back. That superblock reaches this disk alone, and the
/// power goes. The others continue without the disk, from the state before, in which nothing is said of it.
/// The disk comes back: it seems to have had all that was written before it went away. It is called whole,
/// and the next disk to fail takes what it lacks. Nothing else was wrong with any disk but this one until
/// then.
#[test]
fn that_a_disk_went_back_is_not_forgotten_with_the_commit_that_said_so() {
    let mut world = World::new(Scheme::mirror(2), 3, MEMORY);
    world.put("first", 30_000);
    let image = world.array.disk(1).clone();
    let names: Vec<String> = (0..6).map(|n| format!("acknowledged-{n}")).collect();
    names.iter().for_each(|name| world.put(name, 30_000));
    world.array.put(1, image);
    let (mut newer, mut tried) = (0, 0);
    let newest = order(&world, 0);
    cut_each_mount(&world, |at, mut cut| {
        newer += usize::from(order(&cut, 0) > newest);
        // None of its cuts leaves the disk that was set back ahead of the others.
        let others = order(&cut, 0).max(order(&cut, 2));
        assert!(order(&cut, 1) <= others, "cut at {at}");
        cut.unplug(&[1]);
        if let Ok(mut pool) = cut.try_mount(MountMode::ReadWrite) {
            put(&mut pool, "meanwhile", 30_000).expect("committed");
        }
        cut.plug(&[1]);
        let mut pool = cut.mount();
        rest(&mut pool);
        expect_whole(&mut pool, "all are back");
        drop(pool);
        for lost in [0, 2] {
            let mut without = cut.fork(MEMORY);
            without.unplug(&[lost]);
            let mut pool = without.mount();
            names.iter().for_each(|name| expect(&mut pool, name, 30_000));
        }
        tried += 1;
    });
    assert!(newer > 0 && tried > newer, "{newer} of {tried}");
}

/// A disk was set back, and a claim says so on it. Then a state does not name the disk. The mount that sees
/// this takes it for one that was only away, and its claim says no more that it went back. From a state
/// before, which names it, the disk seems to lack no more than cut mounts leave it without. It is called
/// whole. No more than one other disk is away at a time, of three copies.
#[test]
fn a_claim_of_a_mount_that_does_not_miss_the_disk_keeps_that_it_went_back() {
    let mut world = World::with_rings(Scheme::mirror(3), 3, MEMORY, RING_LENGTH_MAX);
    world.put("first", 20_000);
    let image = world.array.disk(1).clone();
    let names: Vec<String> = (0..6).map(|n| format!("acknowledged-{n}")).collect();
    names.iter().for_each(|name| world.put(name, 20_000));
    world.array.put(1, image);
    // All are there. What was found is written once more, where it is right.
    let (newest, old) = (order(&world, 0), order(&world, 1));
    let mut first = None;
    cut_each_mount(&world, |_, cut| {
        if (0..3).all(|disk| if disk == 1 { order(&cut, 1) == old } else { order(&cut, disk) > newest }) {
            first.get_or_insert(cut);
        }
    });
    // Without the disk it is written once more, on one disk alone, and does not name the one that was set
    // back.
    let mut first = first.expect("a cut after that");
    first.unplug(&[1]);
    let mut second = newest_on_one_disk(&first, 0, |world| drop(world.try_mount(MountMode::ReadWrite)));
    // With that one and the disk that was set back.
    second.plug(&[1]);
    second.unplug(&[2]);
    let (mut tried, mut bad) = (0, Vec::new());
    cut_each_mount(&second, |at, mut cut| {
        cut.plug(&[2]);
        cut.unplug(&[0]);
        // Where the mount got further it is on the disk that was set back, and the third is not enough.
        let Ok(pool) = cut.try_mount(MountMode::ReadWrite) else { return };
        drop(pool);
        tried += 1;
        cut.plug(&[0]);
        expect_called_whole(&mut cut);
        cut.unplug(&[0, 2]);
        match cut.try_mount(MountMode::AssumeMissingDead { branch: 9 }) {
            Err(error) => bad.push(format!("cut at {at}: {error}")),
            Ok(mut pool) => {
                let what = names.iter().filter_map(|name| wrong(&mut pool, name, 20_000));
                bad.extend(what.map(|what| format!("cut at {at}: {what}")));
            }
        }
    });
    assert!(tried > 0);
    assert!(bad.is_empty(), "{} of {tried}: {:#?}", bad.len(), &bad[..bad.len().min(8)]);
}
