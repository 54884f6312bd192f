//! Free space given back to disks that do discards: what they keep, whatever the power does.

use crate::common::{MEMORY, Mounted, World, contents, expect, expect_whole, put};
use dynamicfs_core::ReadObjects;
use dynamicfs_core::error::{Error, MemberError, StorageError};
use dynamicfs_core::maintain::{Trim, TrimOptions};
use dynamicfs_core::types::{DiskIndex, MemberNumber, ObjectId, Scheme};
use dynamicfs_core::{FormatOptions, MountMode};
use dynamicfs_hal::{BlockDevice, Geometry, IoError};
use dynamicfs_sim::{CrashPolicy, Halt, IoKind, Rng, SimArray};

const FILES: [(&str, usize); 4] = [("tiny", 9), ("small", 3000), ("large", 60_000), ("larger", 150_000)];

/// A mirror of two on three disks. The last does no discards.
fn world() -> World {
    let disk = |discard| Geometry { discard, ..Geometry::new(512, 2048) };
    let array = SimArray::new(1, [true, true, false].map(disk));
    let options = FormatOptions::portable(Scheme::mirror(2)).members_max(8).extent_bytes(16384);
    let mut world = World::on(array, options).make();
    for (name, length) in FILES {
        world.put(name, length);
    }
    world
}

fn remove(pool: &mut Mounted<'_>, name: &str) {
    let mut transaction = pool.begin().expect("begun");
    transaction.unlink(ObjectId::ROOT, name.as_bytes()).expect("removed");
    transaction.commit().expect("committed");
}

fn trim(pool: &mut Mounted<'_>, member: u16, options: TrimOptions) -> Result<Trim, MemberError> {
    let mut trim = Trim::new(MemberNumber(member), options);
    while pool.trim_step(&mut trim)? {}
    Ok(trim)
}

const ALL: TrimOptions = TrimOptions::new().minimum_bytes(0).only_count(false);
const COUNT: TrimOptions = TrimOptions::new().minimum_bytes(0).only_count(true);

fn free_bytes(pool: &Mounted<'_>, disk: usize) -> u64 {
    pool.member_health(DiskIndex(disk)).free_blocks * u64::from(pool.health().block_bytes)
}

fn expect_files(pool: &mut Mounted<'_>) {
    FILES.iter().for_each(|&(name, length)| expect(pool, name, length));
    expect_whole(pool, "after a trim");
}

#[test]
fn all_free_space_is_given_back_and_nothing_else() {
    let mut world = world();
    let mut pool = world.mount();
    for member in 0..2 {
        let free = free_bytes(&pool, member.into());
        let discards = pool.array().disk(member.into()).counters().discards;
        assert_eq!(trim(&mut pool, member, COUNT).expect("counted").discarded_bytes(), free);
        assert_eq!(pool.array().disk(member.into()).counters().discards, discards, "it only counted");
        let trimmed = trim(&mut pool, member, ALL).expect("trimmed");
        assert_eq!((trimmed.discarded_bytes(), trimmed.refused()), (free, None));
        let discards = pool.array().disk(member.into()).counters().discards - discards;
        assert_eq!(trimmed.runs(), discards);
        assert_eq!(trimmed.done_bytes(), pool.member_health(DiskIndex(member.into())).blocks * 512);
    }
    assert_eq!(trim(&mut pool, 2, ALL).expect("nothing to do").discarded_bytes(), 0);
    assert_eq!(trim(&mut pool, 7, ALL), Err(MemberError::NotAMember));
    expect_files(&mut pool);
    drop(pool);
    let mut pool = world.mount();
    expect_files(&mut pool);
    put(&mut pool, "more", 90_000).expect("committed");
    expect(&mut pool, "more", 90_000);
    expect_files(&mut pool);
}

// Freed is not free: until a sweep has given the blocks back, the state before may still be wanted.
#[test]
fn what_is_deleted_is_given_back_when_it_was_swept() {
    let mut world = world();
    let mut pool = world.mount();
    let bytes = contents("larger", 150_000);
    let is_there = |pool: &mut Mounted<'_>| {
        (0..2).any(|disk| {
            let mut all = vec![0; 2048 * 512];
            pool.array().disk_mut(disk).read(0, &mut all).expect("read");
            all.windows(64).step_by(512).any(|window| window == &bytes[..64])
        })
    };
    remove(&mut pool, "larger");
    while pool.health().orphans > 0 {
        pool.upkeep(false).expect("reaped");
    }
    trim(&mut pool, 0, ALL).expect("trimmed");
    trim(&mut pool, 1, ALL).expect("trimmed");
    assert!(is_there(&mut pool), "it was freed, and nothing was swept");
    let before = free_bytes(&pool, 0);
    let mut transaction = pool.begin().expect("begun");
    while transaction.internals_mut().store.sweep_step().expect("swept") {}
    transaction.commit().expect("committed");
    assert!(free_bytes(&pool, 0) > before, "it is free now");
    trim(&mut pool, 0, ALL).expect("trimmed");
    trim(&mut pool, 1, ALL).expect("trimmed");
    assert!(!is_there(&mut pool), "it was given back");
}

#[test]
fn short_runs_are_left_as_they_are() {
    let mut world = world();
    let mut pool = world.mount();
    let mut last = u64::MAX;
    for minimum_bytes in [0, 1024, 16384, 300_000, 1 << 30] {
        let counted = trim(&mut pool, 0, COUNT.minimum_bytes(minimum_bytes)).expect("counted");
        assert!(
            counted.discarded_bytes() <= last && counted.discarded_bytes() >= counted.runs() * minimum_bytes
        );
        last = counted.discarded_bytes();
    }
    assert_eq!(last, 0);
}

#[test]
fn a_disk_that_refuses_a_discard_stays_in_use() {
    let mut world = world();
    let mut pool = world.mount();
    pool.array().disk_mut(0).fail_next(IoKind::Discard, 1, IoError::Media);
    let trimmed = trim(&mut pool, 0, ALL).expect("it is no failure");
    assert_eq!(trimmed.refused(), Some(IoError::Media));
    assert_eq!(pool.health().online, 3);
    expect_files(&mut pool);
    put(&mut pool, "more", 20_000).expect("committed");
    expect_files(&mut pool);
}

#[test]
fn who_may_not_write_may_not_discard() {
    let mut world = world();
    world.array.disk_mut(1).unplug();
    let mut pool = world.try_mount(MountMode::ReadOnly).expect("mounted");
    assert_eq!(trim(&mut pool, 0, ALL), Err(MemberError::Pool(Error::Storage(StorageError::ReadOnly))));
    assert_eq!(pool.array().disk(0).counters().discards, 0);
    let free = free_bytes(&pool, 0);
    assert_eq!(trim(&mut pool, 0, COUNT).expect("counted").discarded_bytes(), free);
    drop(pool);
    let mut pool = world.mount();
    assert_eq!(trim(&mut pool, 1, ALL), Err(MemberError::Away));
    pool.shut_member(MemberNumber(1), false).expect("out of use");
    assert_eq!(trim(&mut pool, 1, ALL), Err(MemberError::Away));
}

// Cut at every I/O of a trim, of what is written to the discarded space, and of a second trim.
#[test]
fn the_power_may_go_at_any_moment() {
    let world = world();
    let session = |world: &mut World| -> Result<(), MemberError> {
        let mut pool = world.try_mount(MountMode::ReadWrite).map_err(|_| MemberError::Away)?;
        trim(&mut pool, 0, ALL)?;
        trim(&mut pool, 1, ALL)?;
        put(&mut pool, "more", 30_000)?;
        trim(&mut pool, 0, ALL).map(|_| ())
    };
    let fork = || world.fork(MEMORY);
    let mut whole = fork();
    let first = whole.array.steps();
    session(&mut whole).expect("done");
    let steps = whole.array.steps();
    assert!(steps > first + 50, "{steps} I/Os");
    for step in first..steps {
        for policy in [CrashPolicy::Everything, CrashPolicy::Subset, CrashPolicy::Torn] {
            let mut world = fork();
            world.array.halt_at(step, Halt::PowerCut);
            let _ = session(&mut world);
            world.array.power_cycle(policy, &mut Rng::new(step));
            let mut pool = world.mount();
            expect_files(&mut pool);
            if pool.resolve(b"more").is_ok() {
                expect(&mut pool, "more", 30_000);
            }
            trim(&mut pool, 0, ALL).expect("trimmed");
            trim(&mut pool, 1, ALL).expect("trimmed");
            expect_files(&mut pool);
        }
    }
}
