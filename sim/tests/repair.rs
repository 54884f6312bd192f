//! Upkeep says that something was repaired when something was, and only then. Else a caller that asks until
//! nothing is left to do would never stop, or stop too early.

use crate::common::{Mounted, World};
use dynamicfs_core::FormatOptions;
use dynamicfs_core::ReadObjects;
use dynamicfs_core::error::Error;
use dynamicfs_core::maintain::Work;
use dynamicfs_core::types::{Generation, ObjectId, Scheme};
use dynamicfs_hal::{DiskArray, Geometry};
use dynamicfs_sim::SimArray;
use dynamicfs_sim::world::{Lent, account, put_file};

/// A mirror of two disks with one file, an extent of its own.
fn mirror() -> World {
    let array = SimArray::new(1, [Geometry::new(512, 2048); 2]);
    let mut world = World::on(array, FormatOptions::portable(Scheme::mirror(2))).memory(96 << 10).make();
    put_file(&mut world.mount(), "file", &contents()).expect("committed");
    world
}

/// The sector of each disk that holds the beginning of the file.
fn replicas(world: &World) -> Vec<u64> {
    let is_it = |disk: usize, lba: u64| {
        let mut sector = [0; 512];
        world.array.disk(disk).pristine(lba * 512, &mut sector);
        sector == contents()[..512]
    };
    (0..world.array.disks()).map(|disk| (0..2048).find(|&lba| is_it(disk, lba)).expect("a replica")).collect()
}

/// Damages the replica on a disk.
fn rot(world: &mut World, disk: usize) {
    let lba = replicas(world)[disk];
    world.array.disk_mut(disk).flip_bits(lba * 512 + 100, 0x10);
}

/// A world in which the replica that is read is bad, and the disk that it is on.
fn one_bad() -> (World, usize) {
    let is_met = |disk: &usize| {
        let mut world = mirror();
        rot(&mut world, *disk);
        let mut pool = world.mount();
        assert_eq!(read(&mut pool), Ok(contents()));
        pool.health().repairs_waiting == 1
    };
    let disk = (0..2).find(is_met).expect("one of them is read");
    let mut world = mirror();
    rot(&mut world, disk);
    (world, disk)
}

fn contents() -> Vec<u8> {
    (0..4096_u32).map(|i| dynamicfs_core::disks::mix(u64::from(i / 8)) as u8).collect()
}

fn read(pool: &mut Mounted<'_>) -> Result<Vec<u8>, Error> {
    let file = pool.resolve(b"file").expect("found");
    let mut bytes = vec![0; 4096];
    pool.read(file, 0, &mut bytes).map(|_| bytes)
}

/// Reads again and again, so that whatever can be met is.
fn read_all(pool: &mut Mounted<'_>) {
    for _ in 0..64 {
        // Whether it can be read is not what this is about.
        read(pool).ok();
    }
}

/// What upkeep has done so far, in numbers.
fn done(pool: &Mounted<'_>) -> (Generation, u64, usize) {
    (pool.internals().store.generation(), pool.health().counters.repairs, pool.health().repairs_waiting)
}

#[test]
fn a_whole_pool_has_nothing_to_repair() {
    let mut world = mirror();
    let mut pool = world.mount();
    read_all(&mut pool);
    let before = done(&pool);
    assert_eq!(pool.maintain(true), Ok(Work::Nothing));
    assert_eq!(done(&pool), before);
}

#[test]
fn what_was_rewritten_is_called_repaired_once() {
    let (mut world, disk) = one_bad();
    let mut pool = world.mount();
    read_all(&mut pool);
    let (generation, repairs, waiting) = done(&pool);
    assert_eq!((repairs, waiting), (0, 1), "the bad replica was met");
    assert_eq!(pool.maintain(true), Ok(Work::Repaired));
    assert_eq!(done(&pool), (Generation(generation.0 + 1), 1, 0), "in a commit of its own");
    assert_eq!(pool.maintain(true), Ok(Work::Nothing));
    assert_eq!(done(&pool), (Generation(generation.0 + 1), 1, 0));
    account(&mut pool, "repaired");
    drop(pool);
    // What was repaired is what is read when the other replica is bad.
    rot(&mut world, 1 - disk);
    assert_eq!(read(&mut world.mount()), Ok(contents()));
}

#[test]
fn what_cannot_be_rewritten_is_not_called_repaired() {
    let mut world = mirror();
    rot(&mut world, 0);
    rot(&mut world, 1);
    let mut pool = world.mount();
    read_all(&mut pool);
    assert!(matches!(read(&mut pool), Err(Error::Unreadable { .. })));
    let (generation, repairs, waiting) = done(&pool);
    assert!(waiting > 0, "bad replicas were met");
    assert_eq!(pool.maintain(true), Ok(Work::Nothing));
    assert_eq!(done(&pool), (generation, repairs, 0), "nothing was committed for it, and it waits no more");
    assert_eq!(pool.maintain(true), Ok(Work::Nothing));
}

#[test]
fn what_was_overwritten_or_deleted_since_is_not_called_repaired() {
    for deletes in [false, true] {
        let (mut world, _) = one_bad();
        let mut pool = world.mount();
        read_all(&mut pool);
        assert_eq!(done(&pool).2, 1, "the bad replica was met");
        let mut transaction = pool.begin().expect("begun");
        if deletes {
            transaction.unlink(ObjectId::ROOT, b"file").expect("unlinked");
        } else {
            let file = transaction.resolve(b"file").expect("found");
            transaction.write_all(file, 0, &[7; 4096]).expect("overwritten");
        }
        transaction.commit().expect("committed");
        let (_, repairs, waiting) = done(&pool);
        assert_eq!(waiting, 1);
        let mut work = Vec::new();
        while work.last() != Some(&Work::Nothing) {
            work.push(pool.maintain(true).expect("maintained"));
            assert!(work.len() < 20, "{work:?}");
        }
        assert!(!work.contains(&Work::Repaired), "{work:?}");
        assert_eq!((done(&pool).1, done(&pool).2), (repairs, 0));
        account(&mut pool, "nothing bad is referred to any more");
    }
}

/// Of several that wait some can be rewritten and some not: that is a repair, and what is left is none.
#[test]
fn one_repair_among_what_cannot_be_is_a_repair() {
    let mut world = mirror();
    put_file(&mut world.mount(), "other", &[9; 4096]).expect("committed");
    rot(&mut world, 0);
    rot(&mut world, 1);
    // Of the other file one replica alone, the one that is read.
    let met = (0..2).filter(|&disk| {
        let mut array = world.array.clone();
        let is_it = |lba: &u64| {
            let mut sector = [0; 512];
            array.disk(disk).pristine(lba * 512, &mut sector);
            sector == [9; 512]
        };
        let lba = (0..2048).find(is_it).expect("a replica");
        array.disk_mut(disk).flip_bits(lba * 512, 1);
        let mut world = World { array, lent: Lent::new(96 << 10) };
        let mut pool = world.mount();
        read_all(&mut pool);
        let before = done(&pool).2;
        let other = pool.resolve(b"other").expect("found");
        let mut bytes = [0; 4096];
        assert_eq!(pool.read(other, 0, &mut bytes), Ok(4096));
        assert_eq!(bytes, [9; 4096]);
        if done(&pool).2 == before {
            return false;
        }
        assert!(before > 0, "what cannot be repaired waits as well");
        assert_eq!(pool.maintain(true), Ok(Work::Repaired));
        assert_eq!((done(&pool).1, done(&pool).2), (1, 0));
        assert_eq!(pool.maintain(true), Ok(Work::Nothing));
        true
    });
    assert!(met.count() > 0, "the bad replica was met");
}
