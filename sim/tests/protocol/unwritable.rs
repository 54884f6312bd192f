//! A pool that can write nothing any more says so.

use super::*;

/// Less than half of the list is left while the pool runs. That is one disk of three copies, or one half of a
/// mirror with a witness. Every commit is refused. Health looked at who is owed something alone, and called
/// the pool writable.
#[test]
fn health_says_that_nothing_can_be_written_where_less_than_half_is_left() {
    let plain = DiskOptions::default();
    for (scheme, witness) in [(Scheme::mirror(3), false), (Scheme::mirror(2), true)] {
        let mut array = SimArray::new(1, vec![Geometry::new(512, 2048); 3]);
        let mut lent = Lent::new(MEMORY);
        let options = FormatOptions { extent_bytes: 4096, ..FormatOptions::portable(scheme) };
        let members = [plain, plain, DiskOptions { witness, ..plain }];
        Pool::format(&mut array, lent.lend(), SERVICES, &mut Rng::new(9), &options, &members)
            .expect("formatted");
        let mut world = World { array, lent };
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
