//! How many disks may fail inside one transaction.

use super::*;

const DISKS: usize = 6;

/// A tree that bears the loss of two disks, over data that bears the loss of one.
fn world() -> World {
    let mut array = SimArray::new(1, vec![Geometry::new(512, 2048); DISKS]);
    let mut lent = Lent::new(MEMORY);
    let options = FormatOptions {
        members_max: 8,
        extent_bytes: 16384,
        tolerance: Some(2),
        ..FormatOptions::portable(Scheme::mirror(2))
    };
    Pool::format(&mut array, lent.lend(), SERVICES, &mut Rng::new(9), &options, &[]).expect("formatted");
    World { array, lent }
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

/// Two disks fail in one transaction, as many as the pool bears to lose. Both replicas of what was written
/// may be on those two: a commit would be acknowledged of which nothing is left. It is refused. With one of
/// them it goes on.
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
