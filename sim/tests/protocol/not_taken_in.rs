//! A disk that a pool does not take in.

use super::*;
use dynamicfs_core::types::DiskIndex;

/// A pool is mounted for reading. A disk of another pool is added by force, which is refused, as the pool
/// takes no writes. The disk had been wiped before that was asked.
#[test]
fn a_disk_that_is_not_taken_in_is_not_wiped() {
    let mut world = World::new(Scheme::mirror(2), 2, MEMORY);
    let array = SimArray::new(2, [SMALL]);
    let options = FormatOptions::portable(Scheme::SINGLE);
    let mut other = World::on(array, options).entropy(31).make();
    other.put("precious", 20_000);
    let place = world.array.add(other.array.disk(0).clone());
    {
        let mut pool = world.try_mount(MountMode::ReadOnly).expect("mounted");
        let options = AddOptions::new().force(true);
        let added = pool.add_disk(DiskIndex(place), &mut Rng::new(3), &options);
        assert_eq!(added, Err(MemberError::Pool(Error::Storage(StorageError::ReadOnly))));
    }
    other.array.put(0, world.array.take(place));
    other.expect("precious", 20_000);
}
