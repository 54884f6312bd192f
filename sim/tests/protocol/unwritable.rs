//! A pool that can write nothing any more says so.

use super::*;

/// Less than half of the list is left while the pool runs. That is one disk of three copies, or one half of a
/// mirror with a witness. Every commit is refused. Health looked only at members that are owed something, and
/// called the pool writable.
#[test]
fn health_says_that_nothing_can_be_written_where_less_than_half_is_left() {
    let plain = DiskOptions::default();
    for (scheme, witness) in [(Scheme::mirror(3), false), (Scheme::mirror(2), true)] {
        let array = SimArray::new(1, vec![Geometry::new(512, 2048); 3]);
        let options = FormatOptions::portable(scheme).extent_bytes(4096);
        let members = [plain, plain, plain.witness(witness)];
        let mut world = World::on(array, options).members(&members).make();
        let mut pool = world.mount();
        put(&mut pool, "old", 20_000).expect("committed");
        (1..3).for_each(|disk| pool.array().disk_mut(disk).unplug());
        for n in 0..3 {
            let refused = put(&mut pool, &format!("new-{n}"), 20_000);
            let too_few = matches!(refused, Err(Error::Storage(StorageError::TooFewDisks { .. })));
            assert!(too_few, "{refused:?}");
            assert_eq!(pool.health().online, 1);
            assert!(!pool.health().writable, "every commit is refused");
        }
    }
}

/// The first transaction of a mount claims an epoch with more than half of the members, those that follow go
/// on with half. Before the first transaction health also counted half as enough. It promised that one of a
/// mirror of two might fail, and called the pool writable when it had.
#[test]
fn health_goes_by_the_claim_before_the_first_transaction() {
    let mut world = World::new(Scheme::mirror(2), 2, MEMORY);
    {
        let mut pool = world.mount();
        put(&mut pool, "kept", 1000).expect("committed");
        assert_eq!((pool.health().write_tolerance, pool.health().write_tolerance_once_begun), (1, 1));
    }
    let mut pool = world.mount();
    let health = pool.health();
    assert!(health.writable);
    assert_eq!((health.write_tolerance, health.write_tolerance_once_begun), (0, 1));
    pool.array().disk_mut(1).unplug();
    let refused = put(&mut pool, "later", 3000);
    assert!(matches!(refused, Err(Error::Storage(StorageError::TooFewDisks { .. }))), "{refused:?}");
    assert_eq!((pool.health().online, pool.health().writable), (1, false));
    assert_eq!(pool.health().write_tolerance, 0);
}
