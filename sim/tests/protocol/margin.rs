//! How many disks may fail inside one transaction.

use super::*;
use dynamicfs_core::ReadObjects;

const DISKS: usize = 6;

/// A tree that bears the loss of two disks, over data that bears the loss of one.
fn world() -> World {
    let array = SimArray::new(1, vec![Geometry::new(512, 2048); DISKS]);
    let options = FormatOptions::portable(Scheme::mirror(2)).members_max(8).extent_bytes(16384).tolerance(2);
    World::on(array, options).make()
}

/// Writes a file while the first write to each of these disks fails, once the mount has its epoch: whether it
/// was committed. What was is there, before the next mount and after it, and so is what was there before.
fn write_while_failing(failing: &[usize]) -> Result<(), Error> {
    let mut world = world();
    world.put("old", 20_000);
    let done = {
        let mut pool = world.mount();
        put(&mut pool, "claim", 100).expect("committed");
        for &disk in failing {
            pool.array().disk_mut(disk).fail_next(IoKind::Write, 1, IoError::Media);
        }
        let done = put(&mut pool, "new", 16_384);
        if done.is_ok() {
            expect(&mut pool, "new", 16_384);
        }
        done
    };
    failing.iter().for_each(|&disk| world.array.disk_mut(disk).calm());
    world.expect("old", 20_000);
    if done.is_ok() {
        world.expect("new", 16_384);
    }
    done
}

/// Two disks fail in one transaction, as many as the pool bears to lose. Both replicas of a write may be on
/// those two. A commit would be acknowledged though nothing of it is left. It is refused. With one of them it
/// continues.
#[test]
fn no_more_disks_fail_in_a_transaction_than_what_it_wrote_can_spare() {
    for first in 0..DISKS {
        assert_eq!(write_while_failing(&[first]), Ok(()), "disk {first}");
        for second in first + 1..DISKS {
            let done = write_while_failing(&[first, second]);
            let is_refused = matches!(done, Err(Error::Storage(StorageError::TooFewDisks { .. })));
            assert!(is_refused, "disks {first} and {second}: {done:?}");
        }
    }
}

/// Two disks went away before anything was placed, and nothing of what is written then lies on them. It bears
/// the loss of as many disks as in a transaction that begins without them.
#[test]
fn disks_that_failed_before_anything_was_placed_take_nothing_from_it() {
    let mut world = world();
    let names: Vec<String> = (0..12).map(|n| format!("old-{n}")).collect();
    names.iter().for_each(|name| world.put(name, 20_000));
    let mut pool = world.mount();
    put(&mut pool, "claim", 100).expect("committed");
    let mut transaction = pool.begin().expect("begun");
    (0..2).for_each(|disk| transaction.array().disk_mut(disk).unplug());
    let mut bytes = vec![0; 20_000];
    for name in &names {
        let file = transaction.resolve(name.as_bytes()).expect("it is there");
        // Where both have it, it is lost for now.
        let read = transaction.read(file, 0, &mut bytes);
        assert!(matches!(read, Ok(20_000) | Err(Error::Unreadable { .. })), "{name}: {read:?}");
    }
    let online = transaction.internals().store.tree.disks.online();
    assert_eq!(transaction.internals().store.tree.margin.failed(online).len(), 2, "the reads have met both");
    let file = transaction.create(ObjectId::ROOT, b"new", &MakeRequest::File, &Attributes::default());
    transaction.write_all(file.expect("made"), 0, &contents("new", 16_384)).expect("written");
    transaction.commit().expect("four of six are enough");
    drop(pool);
    world.expect("new", 16_384);
}

/// A member was removed with what it held, and nodes have two replicas where three were asked for. Both
/// members that have them fail in one commit. The witnesses are half of the list, and the pool is said to
/// bear the loss of two. Nothing was left of the commit.
#[test]
fn no_commit_of_which_every_node_is_on_disks_that_failed() {
    let array = SimArray::new(1, vec![Geometry::new(512, 2048); 5]);
    let options = FormatOptions::portable(Scheme::mirror(2)).members_max(8).extent_bytes(4096).tolerance(2);
    let witness = |disk| DiskOptions::new().witness(disk > 2);
    let disks: Vec<DiskOptions> = (0..5).map(witness).collect();
    let mut world = World::on(array, options).members(&disks).make();
    world.put("old", 9000);
    let mut pool = world.mount();
    pool.remove_member(MemberNumber(2), true).expect("removed");
    rest(&mut pool);
    (0..2).for_each(|disk| pool.array().disk_mut(disk).fail_next(IoKind::Write, 1000, IoError::Media));
    let mut transaction = pool.begin().expect("begun");
    let directory =
        transaction.create(ObjectId::ROOT, b"new", &MakeRequest::Directory, &Attributes::default());
    directory.expect("made");
    let done = transaction.commit();
    assert!(matches!(done, Err(Error::Storage(StorageError::TooFewDisks { .. }))), "{done:?}");
    drop(pool);
    (0..2).for_each(|disk| world.array.disk_mut(disk).calm());
    world.expect("old", 9000);
}
