//! An epoch belongs to one mount.

use super::*;

/// A mount claimed an epoch, durably on every disk. Dropping a transaction brought back the superblock of the last commit, and
/// with it the epoch before: what was committed then bore an epoch that another mount had written states of.
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

/// The same, to its end: a new disk has a state that no other disk has, when the power goes. The others go on without it, after
/// a dropped transaction, and wrote another state of the same name: two histories, and nobody had overridden anything.
#[test]
fn a_dropped_transaction_does_not_split_the_history() {
    let mut world = World::new(Scheme::mirror(2), 3, MEMORY);
    world.put("old", 20_000);
    let place = world.array.add(SimDisk::new(Geometry::new(512, 2048), 77));
    let mut found = 0;
    for at in 0.. {
        let mut halted = fork(&world);
        {
            let mut pool = halted.mount();
            let step = pool.array().steps();
            pool.array().halt_at(step + at, Halt::PowerCut);
            let added = pool.add_disk(place, &mut Rng::new(3), &AddOptions::default());
            if added.is_ok() && pool.array().halted().is_none() {
                break;
            }
        }
        // Of what was not flushed that arrived which went to the new disk, and nothing else.
        let mut cut = fork(&halted);
        cut.array.power_cycle(CrashPolicy::Nothing, &mut Rng::new(0));
        let mut all = fork(&halted);
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
