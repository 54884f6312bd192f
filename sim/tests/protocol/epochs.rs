//! An epoch belongs to one mount.

use super::*;
use dynamicfs_core::types::DiskIndex;

/// A mount claimed an epoch, durably on every disk. Dropping a transaction restored the superblock of the
/// last commit, and with it the epoch before. Later commits had an epoch in which another mount had written
/// states.
#[test]
fn a_dropped_transaction_does_not_give_the_epoch_back() {
    let mut world = World::new(Scheme::mirror(2), 3, MEMORY);
    world.put("old", 20_000);
    let mut pool = world.mount();
    let before = pool.health().epoch;
    drop(pool.begin().expect("begun"));
    put(&mut pool, "new", 1000).expect("committed");
    assert!(pool.health().epoch > before);
}

/// The same, to its end: a new disk has a state that no other disk has, when the power goes. The others
/// continued without it, after a dropped transaction, and wrote another state of the same name. There were
/// two histories without an override.
#[test]
fn a_dropped_transaction_does_not_split_the_history() {
    let mut world = World::new(Scheme::mirror(2), 3, MEMORY);
    world.put("old", 20_000);
    let place = world.array.add(SimDisk::new(Geometry::new(512, 2048), 77));
    let mut found = 0;
    for at in 0.. {
        let mut halted = world.fork(MEMORY);
        {
            let mut pool = halted.mount();
            let step = pool.array().steps();
            pool.array().halt_at(step + at, Halt::PowerCut);
            let added = pool.add_disk(DiskIndex(place), &mut Rng::new(3), &AddOptions::default());
            if added.is_ok() && pool.array().halted().is_none() {
                break;
            }
        }
        // Of what was not flushed that arrived which went to the new disk, and nothing else.
        let mut cut = halted.fork(MEMORY);
        cut.array.power_cycle(CrashPolicy::Nothing, &mut Rng::new(0));
        let mut all = halted.fork(MEMORY);
        all.array.power_cycle(CrashPolicy::Everything, &mut Rng::new(0));
        let new = all.array.take(place);
        let ahead = states::newest_of(&new);
        cut.array.put(place, new);
        if !(0..3).all(|disk| Some(order(&cut, disk)) < ahead) {
            continue;
        }
        found += 1;
        cut.unplug(&[place]);
        {
            let mut pool = cut.mount();
            drop(pool.begin().expect("begun"));
            put(&mut pool, "acknowledged", 20_000).expect("committed");
        }
        cut.plug(&[place]);
        cut.expect("acknowledged", 20_000);
    }
    assert!(found > 0, "no cut leaves the new disk ahead");
}

/// One of two disks failed in the claim itself. The epoch was then on half of the list, and the other half,
/// in another machine, could have claimed the same one.
#[test]
fn an_epoch_that_half_of_the_disks_know_is_not_written_in() {
    let mut world = World::new(Scheme::mirror(2), 2, MEMORY);
    world.put("old", 20_000);
    let mut pool = world.mount();
    pool.array().disk_mut(1).fail_next(IoKind::Write, 1, IoError::Media);
    let refused = put(&mut pool, "new", 1000);
    assert!(matches!(refused, Err(Error::Storage(StorageError::TooFewDisks { .. }))), "{refused:?}");
    drop(pool);
    world.put("later", 1000);
    world.expect("old", 20_000);
}

/// The highest epoch that is reserved on a disk.
fn claim_on(world: &mut World, disk: usize) -> Epoch {
    let mut claim = None;
    let noted = Pool::survey(&mut world.array, world.lent.lend(), SERVICES, None, |at, state| {
        claim = if at.is_newest && at.disk == DiskIndex(disk) { Some(state.claim()) } else { claim };
    });
    noted.expect("surveyed");
    claim.expect("it holds a state")
}

/// A mount was cut when it had reserved its epoch on one disk alone. The next mount read that, and the disk
/// failed before this mount reserved one for itself. Of disks that had failed nothing counted: it took the
/// same epoch, and two mounts had one.
#[test]
fn an_epoch_is_above_what_is_reserved_on_a_disk_that_failed_since() {
    let mut world = World::new(Scheme::mirror(2), 3, MEMORY);
    world.put("old", 20_000);
    let first_commit = |world: &mut World| {
        if let Ok(mut pool) = world.try_mount(MountMode::ReadWrite) {
            // It may be cut anywhere.
            let _ = put(&mut pool, "cut", 1000);
        }
    };
    let mut tried = 0;
    cut_each(&world, first_commit, |at, mut cut| {
        let claims = [0, 1, 2].map(|disk| claim_on(&mut cut, disk));
        if claims[1..].iter().any(|&claim| claim >= claims[0]) {
            return;
        }
        tried += 1;
        let mut pool = cut.mount();
        pool.array().disk_mut(0).unplug();
        // A scrub notices that it is gone.
        pool.internals_mut().store.count_wrong_slots();
        assert_eq!(pool.member_health(DiskIndex(0)).status, DiskStatus::Failed);
        put(&mut pool, "new", 20_000).expect("committed");
        let epoch = pool.health().epoch;
        assert!(epoch > claims[0], "cut {at}: {epoch:?}, and {:?} is reserved on disk 0", claims[0]);
    });
    assert!(tried > 0, "no cut leaves a claim on one disk alone");
}

/// Both sides of a split mirror continued, one of them through many mounts. The other side was chosen. Its
/// epochs were not above those of the side that was given up: that one had the newest state of all. It knows
/// nothing of the choice, so the next mount asked for it anew, however often it was made.
#[test]
fn an_epoch_is_above_those_of_a_history_that_was_not_chosen() {
    let mut world = World::new(Scheme::mirror(2), 2, MEMORY);
    world.put("old", 20_000);
    for (side, mounts) in [(0, 1), (1, 6)] {
        world.unplug(&[1 - side]);
        drop(
            world.try_mount(MountMode::AssumeMissingDead { branch: 100 + side as u64 }).expect("overridden"),
        );
        (0..mounts).for_each(|n| world.put(&format!("side-{side}-{n}"), 1000));
        world.plug(&[1 - side]);
    }
    let reserved = claim_on(&mut world, 1);
    assert!(claim_on(&mut world, 0) < reserved, "the side that is given up is ahead");
    {
        let prefer = Prefer::Branch(100);
        let chosen = world.try_mount_as(&MountOptions::new().prefer(prefer));
        let mut pool = chosen.expect("one side");
        put(&mut pool, "chosen", 20_000).expect("committed");
    }
    let mut pool = world.mount();
    assert_eq!(pool.member_health(DiskIndex(1)).status, DiskStatus::Diverged, "the choice was made");
    expect(&mut pool, "chosen", 20_000);
    let epoch = pool.health().epoch;
    assert!(epoch > reserved, "{epoch:?}, and {reserved:?} is reserved on the other side");
}
