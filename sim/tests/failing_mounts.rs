//! Reads that fail once or twice and then succeed, at every read of a mount and of a dropped transaction.
//! Acknowledged commits stay, refusals are typed errors, and the next try is right.

use crate::common::{Mounted, World, expect, put};
use dynamicfs_core::MountMode;
use dynamicfs_core::ReadObjects;
use dynamicfs_core::object::{Attributes, MakeRequest};
use dynamicfs_core::types::{ObjectId, Scheme};
use dynamicfs_hal::{DiskArray, IoError};
use dynamicfs_sim::world::account;
use dynamicfs_sim::{CrashPolicy, IoKind, Mishap, Rng};

const MEMORY: usize = 200 << 10;

const POOLS: [(Scheme, usize); 4] =
    [(Scheme::SINGLE, 1), (Scheme::SINGLE, 2), (Scheme::mirror(2), 2), (Scheme::mirror(2), 3)];

fn fork(world: &World) -> World {
    world.fork(MEMORY)
}

/// A pool with some commits, so that the newest state stands in one slot of each ring.
fn pool(scheme: Scheme, disks: usize) -> World {
    let mut world = World::new(scheme, disks, MEMORY);
    for name in ["one", "two", "three"] {
        world.put(name, 9_000);
    }
    world
}

fn has_all(pool: &mut Mounted<'_>) {
    ["one", "two", "three"].into_iter().for_each(|name| expect(pool, name, 9_000));
}

/// Reads fail at one place of a mount; the pool is written to where it can be. Afterwards everything acknowledged is there.
fn mount_with_errors(base: &World, disk: usize, well: u64, failing: u64, mode: MountMode) -> bool {
    let what = format!("disk {disk}, {failing} reads after {well}, {mode:?}");
    let mut world = fork(base);
    let mishap = Mishap::Fail(IoError::Media);
    world.array.disk_mut(disk).mishap_after(IoKind::Read, well, failing, mishap);
    let mut acknowledged = false;
    let came = match world.try_mount(mode) {
        Err(_) => true,
        Ok(mut pool) => {
            let came = pool.array().disk(disk).is_calm();
            pool.array().disk_mut(disk).calm();
            let tentative = pool.health().tentative && mode == MountMode::ReadOnly;
            // A name that cannot be found was lost in silence; bytes that cannot be read were told.
            let is_there = pool.resolve(b"three");
            assert!(
                is_there != Err(dynamicfs_core::error::Error::NotFound) || tentative,
                "{what}: rolled back"
            );
            if mode == MountMode::ReadWrite {
                acknowledged = put(&mut pool, "new", 5_000).is_ok();
            }
            came
        }
    };
    world.array.disk_mut(disk).calm();
    world.array.power_cycle(CrashPolicy::Nothing, &mut Rng::new(1));
    let mut pool = world.try_mount(MountMode::ReadWrite).unwrap_or_else(|error| panic!("{what}: {error}"));
    has_all(&mut pool);
    if acknowledged {
        expect(&mut pool, "new", 5_000);
    }
    account(&mut pool, &what);
    came
}

#[test]
fn reads_of_a_mount_that_fail_once_or_twice_roll_nothing_back() {
    for (scheme, disks) in POOLS {
        let base = pool(scheme, disks);
        for disk in 0..disks {
            for failing in [1, 2] {
                for mode in [MountMode::ReadOnly, MountMode::ReadWrite] {
                    let tried =
                        (0..200).take_while(|&well| mount_with_errors(&base, disk, well, failing, mode));
                    assert!(tried.count() > 10, "a mount reads more than that");
                }
            }
        }
    }
}

/// A transaction that is dropped, and reads that fail meanwhile: the pool continues, at the latest after the
/// next mount.
fn drop_with_errors(base: &World, disk: usize, well: u64, failing: u64) -> bool {
    let what = format!("disk {disk}, {failing} reads after {well}");
    let mut world = fork(base);
    let calm = {
        let mut pool = world.mount();
        put(&mut pool, "first", 3_000).expect("committed");
        let mut transaction = pool.begin().expect("begun");
        let plain = Attributes::default();
        let made = transaction.create(ObjectId::ROOT, b"dropped", &MakeRequest::File, &plain).expect("made");
        transaction.write_all(made, 0, &[7; 20_000]).expect("written");
        let mishap = Mishap::Fail(IoError::Media);
        let disks = &mut transaction.internals_mut().store.tree.disks;
        disks.array().disk_mut(disk).mishap_after(IoKind::Read, well, failing, mishap);
        drop(transaction);
        let calm = pool.array().disk(disk).is_calm();
        pool.array().disk_mut(disk).calm();
        put(&mut pool, "next", 3_000)
            .unwrap_or_else(|error| panic!("{what}: no transaction after it: {error}"));
        assert!(pool.resolve(b"dropped").is_err(), "{what}: what was dropped is there");
        has_all(&mut pool);
        calm
    };
    let mut pool = world.mount();
    ["first", "next"].into_iter().for_each(|name| expect(&mut pool, name, 3_000));
    account(&mut pool, &what);
    calm
}

#[test]
fn reads_that_fail_while_a_transaction_is_dropped_leave_the_pool_writable() {
    for (scheme, disks) in POOLS {
        // So little memory that the nodes of the free map are not kept.
        let base = pool(scheme, disks);
        assert_eq!(base.array.disks(), disks);
        for disk in 0..disks {
            for failing in [1, 2] {
                let tried = (0..100).take_while(|&well| drop_with_errors(&base, disk, well, failing)).count();
                println!("{scheme} on {disks}, disk {disk}: {tried} reads");
            }
        }
    }
}
