//! Pools that somebody forged: the checksums are right, and what they cover is not what any pool would hold.

use crate::common::{World, expect, put, rest};
use core::ops::ControlFlow;
use dynamicfs_core::error::{Error, StorageError};
use dynamicfs_core::format::key::{Key, Kind};
use dynamicfs_core::format::superblock::Superblock;
use dynamicfs_core::maintain::{CheckReport, Finding, JobKind, Work};
use dynamicfs_core::types::{ObjectId, Scheme};
use dynamicfs_sim::forge;

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

/// A pool in which something was deleted, with superblocks that say something else.
fn counting_wrongly(change: impl FnMut(&mut Superblock<&mut [u8]>)) -> World {
    let mut world = World::new(Scheme::mirror(2), 2, 200 << 10);
    for n in 0..8 {
        world.put(&format!("file {n}"), 30_000);
    }
    let mut pool = world.mount();
    for n in 0..4 {
        let mut transaction = pool.begin().expect("begun");
        transaction.unlink(ObjectId::ROOT, format!("file {n}").as_bytes()).expect("unlinked");
        transaction.commit().expect("committed");
    }
    drop(pool);
    forge::superblocks(&mut world.array, change);
    world
}

/// A sweep was worth its writes by a count that no sweep ever brought down: it gave back what sweeping costs, and committed, for
/// ever.
#[test]
fn upkeep_rests_whatever_is_said_of_dead_blocks() {
    for (blocks, records) in [(1 << 40, 1 << 40), (1 << 40, 0), (0, 1 << 40), (3000, 3000)] {
        let mut world = counting_wrongly(|superblock| {
            superblock.set_dead_blocks(blocks);
            superblock.set_dead_records(records);
        });
        let mut pool = world.mount();
        rest(&mut pool);
        put(&mut pool, "more", 30_000).expect("put");
        rest(&mut pool);
        let health = pool.health();
        assert!(health.dead_blocks < health.blocks, "{blocks}, {records}: {}", health.dead_blocks);
        expect(&mut pool, "file 7", 30_000);
    }
}

/// Orphans that the superblock counts and the tree does not hold.
#[test]
fn upkeep_rests_whatever_is_said_of_orphans() {
    for orphans in [1, 1000, u32::MAX / 2] {
        let mut world = counting_wrongly(|superblock| superblock.set_orphans(orphans));
        let mut pool = world.mount();
        rest(&mut pool);
        assert_eq!(pool.health().orphans, 0);
        assert_eq!(pool.maintain(true).expect("maintained"), Work::Nothing);
        expect(&mut pool, "file 7", 30_000);
    }
}

/// Dead records that no sweep comes to are named.
#[test]
fn the_check_names_dead_records_that_nothing_takes_away() {
    let mut world = counting_wrongly(|superblock| superblock.set_dead_next(0));
    let mut pool = world.mount();
    let (mut strays, mut report) = (0, CheckReport::default());
    let tell = |finding: Option<&Finding>| match finding {
        Some(Finding::Stray { key }) => {
            assert_eq!(key.object(), ObjectId::SYSTEM);
            strays += 1;
        }
        Some(other) => panic!("{other:?}"),
        None => {}
    };
    pool.check_contents(&mut report, tell).expect("checked");
    assert!(strays > 0);
    rest(&mut pool);
}

/// Contents in a form that this version does not know are refused by name: their bytes would be noise, or another's secret.
#[test]
fn an_extent_in_a_form_that_is_not_known_is_refused_and_gives_no_bytes() {
    for flags in [1u8, 2, 0x80] {
        let mut world = World::new(Scheme::mirror(2), 3, 200 << 10);
        world.put("file", 30_000);
        world.put("other", 30_000);
        let (file, other) = {
            let mut pool = world.mount();
            (pool.resolve(b"file").expect("there"), pool.resolve(b"other").expect("there"))
        };
        let changed = forge::records(&mut world.array, |key, record| {
            let is_meant = key.is(file, Kind::Extent) && key.offset() == 0;
            if is_meant {
                record[0] = flags;
            }
            is_meant
        });
        assert_eq!(changed, Some(true));
        let mut pool = world.mount();
        let mut bytes = [0xAA; 100];
        let refused = pool.read(file, 0, &mut bytes);
        assert_eq!(refused, Err(Error::Storage(StorageError::RecordUnsupported { object: file })));
        assert!(bytes == [0xAA; 100] || bytes == [0; 100], "no bytes of the extent: {bytes:?}");
        assert_eq!(pool.read(other, 0, &mut bytes), Ok(100));
        // Maintenance comes to its end all the same, and so does deleting it.
        crate::common::run_job(&mut pool, JobKind::Scrub);
        let mut transaction = pool.begin().expect("begun");
        transaction.unlink(ObjectId::ROOT, b"file").expect("unlinked");
        transaction.commit().expect("committed");
        crate::common::rest(&mut pool);
        assert_eq!((pool.health().orphans, pool.resolve(b"file")), (0, Err(Error::NotFound)));
    }
}
