//! Pools that somebody forged: the checksums are right, and what they cover is not what any pool would hold.

mod common;

use common::World;
use core::ops::ControlFlow;
use dynamicfs_core::error::{Error, StorageError};
use dynamicfs_core::format::key::Key;
use dynamicfs_core::types::{ObjectId, Scheme};

/// A name with a slash or a `..` in it once led whoever took the directory out of the pool to a file beside it.
#[test]
fn a_name_that_would_lead_astray_is_not_handed_out() {
    for (given, forged) in [("a-b", b"a/b"), ("xyz", b"..\0")] {
        let mut world = World::new(Scheme::mirror(2), 2, 200 << 10);
        world.put(given, 10);
        let mut pool = world.mount();
        let mut found = None;
        pool.store
            .tree
            .scan(&Key::MIN, &Key::MAX, |key, record| {
                let at = record.windows(given.len()).position(|part| part == given.as_bytes());
                found = found.take().or(at.map(|at| (*key, record.to_vec(), at)));
                ControlFlow::<()>::Continue(())
            })
            .expect("read");
        let (key, mut record, at) = found.expect("the entry is there");
        record[at..at + forged.len()].copy_from_slice(forged);
        let mut transaction = pool.begin().expect("begun");
        transaction.store.put(&key, &record).expect("put");
        transaction.commit().expect("committed");
        let mut names = 0;
        let listed = pool.list(ObjectId::ROOT, 0, |_| {
            names += 1;
            ControlFlow::<()>::Continue(())
        });
        let invalid = Error::Storage(StorageError::RecordInvalid { object: ObjectId::ROOT });
        assert_eq!((listed, names), (Err(invalid), 0));
    }
}
