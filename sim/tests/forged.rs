//! Forged pools: the checksums are right, and cover bytes that no pool would hold.

use crate::common::{Mounted, World, expect, put, rest};
use core::ops::ControlFlow;
use dynamicfs_core::ReadObjects;
use dynamicfs_core::error::{Error, StorageError};
use dynamicfs_core::format::extent::ExtentHeader;
use dynamicfs_core::format::job::JobRecord;
use dynamicfs_core::format::key::{Key, Kind};
use dynamicfs_core::format::pointer::NodePointer;
use dynamicfs_core::format::superblock::Superblock;
use dynamicfs_core::maintain::{CheckReport, Finding, JobKind, JobOptions, JobState, Work};
use dynamicfs_core::tree::Walk;
use dynamicfs_core::types::{BlockAddress, MemberNumber, ObjectId, Scheme};
use dynamicfs_sim::world::Lent;
use dynamicfs_sim::{forge, states};

/// A name with a slash or a `..` in it once led a program that copied the directory out to a file beside it.
#[test]
fn a_name_that_would_lead_astray_is_not_handed_out() {
    for (given, forged) in [("a-b", b"a/b"), ("xyz", b"..\0")] {
        let mut world = World::new(Scheme::mirror(2), 2, 200 << 10);
        world.put(given, 10);
        let mut pool = world.mount();
        let mut found = None;
        pool.internals_mut()
            .store
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
        transaction.internals_mut().store.put(&key, &record).expect("put");
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

/// Puts another pointer, with as many replicas, in the place of one to a leaf.
fn point(world: &mut World, meant: &NodePointer, replicas: &[BlockAddress]) {
    let mut forged = NodePointer::new(meant.birth, replicas);
    forged.crc = meant.crc;
    let changed = forge::nodes(&mut world.array, |level, node| {
        let found = (0..node.count()).find(|&i| level == 1 && node.pointer(i) == *meant);
        found.is_some_and(|i| forged.store(node.value_mut(i)) > 0)
    });
    assert_eq!(changed, Some(true), "{meant:?}");
}

/// Files, each of a commit of its own, whose names are in many leaves.
fn many_leaves() -> (World, Vec<String>) {
    let mut world = World::new(Scheme::mirror(2), 2, 200 << 10);
    let names: Vec<String> = (0..40).map(|n| format!("{n:050}")).collect();
    names.iter().for_each(|name| world.put(name, 300));
    (world, names)
}

/// The pointers to all leaves, in the order of their keys.
fn leaves(pool: &mut Mounted<'_>) -> Vec<(Key, NodePointer)> {
    let (mut found, mut walk) = (Vec::new(), Walk::new());
    while let Some(met) = pool.internals_mut().store.tree.walk(&mut walk).expect("read") {
        if met.level == 0 {
            found.push((met.from, met.pointer));
        }
    }
    found
}

/// Every name is found, or is said to be unreadable: how many are. None is said not to exist.
fn unreadable(pool: &mut Mounted<'_>, names: &[String], what: &str) -> usize {
    let mut unreadable = 0;
    for name in names {
        match pool.resolve(name.as_bytes()) {
            Ok(_) => {}
            Err(Error::Storage(StorageError::NodeUnreadable { .. })) => unreadable += 1,
            Err(error) => panic!("{what}: {name}: {error}"),
        }
    }
    unreadable
}

/// A pointer names the place of another leaf, which is in memory already. What is proved when a node is read
/// was not looked at then: names were said not to exist.
#[test]
fn a_pointer_to_another_node_that_is_in_memory_is_not_followed() {
    let (world, names) = many_leaves();
    let all = leaves(&mut World { array: world.array.clone(), lent: Lent::new(200 << 10) }.mount());
    let (from, end) = (Key::new(ObjectId::ROOT, Kind::Entry, 0), Key::object_end(ObjectId::ROOT));
    let mut lost = 0;
    for (_, meant) in all.iter().filter(|(key, _)| *key > from && *key < end) {
        let mut others = all.iter().filter(|(_, other)| other.birth != meant.birth);
        let (other_key, other) = others.next_back().expect("they are of several commits");
        let mut world = world.fork(200 << 10);
        point(&mut world, meant, other.replicas());
        let mut pool = world.mount();
        // The other one is read by its own way first.
        pool.internals_mut().store.tree.with(other_key, |_| ()).expect("read");
        lost += unreadable(&mut pool, &names, &format!("{meant:?} is {other:?}"));
    }
    assert!(lost > 0, "none of the entries was in such a leaf");
}

/// A leaf is in memory, and then its place holds another one: what led to it was lost, and its blocks were
/// given away. The new one was called unreadable, until the next mount.
#[test]
fn what_is_in_memory_and_out_of_date_is_read_anew() {
    let (mut world, names) = many_leaves();
    let all = leaves(&mut world.mount());
    let from = Key::new(ObjectId::ROOT, Kind::Entry, 0);
    let (_, meant) = *all.iter().find(|(key, _)| *key > from).expect("there is one");
    let (old_key, old) =
        *all.iter().rfind(|(_, old)| old.birth != meant.birth).expect("they are of several commits");
    let (mut bytes, at) = ([0; 512], meant.replicas()[0]);
    world.array.disk(usize::from(at.member.0)).pristine(at.block * 512, &mut bytes);
    point(&mut world, &meant, old.replicas());
    let mut pool = world.mount();
    pool.internals_mut().store.tree.with(&old_key, |_| ()).expect("read");
    for place in old.replicas() {
        pool.array().disk_mut(place.member.0.into()).overwrite(place.block * 512, &bytes);
    }
    assert_eq!(unreadable(&mut pool, &names, "written anew"), 0);
}

/// A pointer leads to a true copy of a leaf that lies among the superblocks. It was read there, until a
/// commit wrote a superblock over it.
#[test]
fn a_node_outside_of_a_disks_data_is_not_read() {
    let (mut world, names) = many_leaves();
    let mut pool = world.mount();
    let from = Key::new(ObjectId::ROOT, Kind::Entry, 0);
    let found = leaves(&mut pool).into_iter().find(|(key, _)| *key > from);
    let (_, meant) = found.expect("there is one");
    assert_eq!(unreadable(&mut pool, &names, "before"), 0);
    drop(pool);
    // Neither the newest one nor where the next one goes.
    let slots = states::all_slots(world.array.disk(0));
    let (mut bytes, outside) = ([0; 512], slots[slots.len() / 2].start / 512);
    let at = meant.replicas()[0];
    world.array.disk(usize::from(at.member.0)).pristine(at.block * 512, &mut bytes);
    point(
        &mut world,
        &meant,
        &[0, 1].map(|member| BlockAddress { member: MemberNumber(member), block: outside }),
    );
    (0..2).for_each(|disk| world.array.disk_mut(disk).overwrite(outside * 512, &bytes));
    let mut pool = world.mount();
    assert!(unreadable(&mut pool, &names, "forged") > 0, "it was read among the superblocks");
}

/// A recount's record says that it is beyond the member's last group. How far the step had come was
/// computed as a number below zero.
#[test]
fn a_recount_that_is_beyond_the_last_group_comes_to_its_end() {
    for group in [1000, u32::MAX] {
        let mut world = World::new(Scheme::mirror(2), 2, 200 << 10);
        world.put("file", 30_000);
        let mut pool = world.mount();
        pool.start_job(JobKind::Recount, JobOptions::new()).expect("started");
        drop(pool);
        let at = Key::job(JobKind::Recount as u32, 0);
        let changed = forge::records(&mut world.array, |key, record| {
            if let Some(mut job) = JobRecord::new(record).filter(|_| *key == at) {
                job.set_position(Key::group(MemberNumber(0), group));
                return true;
            }
            false
        });
        assert_eq!(changed, Some(true));
        let mut pool = world.mount();
        rest(&mut pool);
        let job = pool.job(JobKind::Recount).expect("read").expect("it was started");
        assert_eq!(job.state, JobState::Complete);
        expect(&mut pool, "file", 30_000);
    }
}

/// An extent says that it reaches into the next one. What was written into it was to be cut at lengths that
/// are no power of two, and bytes were read beyond its end.
#[test]
fn an_extent_that_reaches_into_the_next_one_is_not_written_to() {
    let mut world = World::new(Scheme::mirror(2), 2, 300 << 10);
    let mut pool = world.mount();
    let mut transaction = pool.begin().expect("begun");
    let file = transaction.write_file(b"file", &[]).expect("made");
    for start in [0, 12 << 10] {
        transaction.write_apart(file, start, &[7; 4 << 10]).expect("written");
    }
    transaction.commit().expect("committed");
    drop(pool);
    let changed = forge::records(&mut world.array, |key, record| {
        let is_meant = key.is(file, Kind::Extent) && key.offset() == 0;
        if let Some(mut extent) = ExtentHeader::new(record).filter(|_| is_meant) {
            extent.set_logical(16 << 10);
        }
        is_meant
    });
    assert_eq!(changed, Some(true));
    let mut pool = world.mount();
    let mut transaction = pool.begin().expect("begun");
    let refused = transaction.write_apart(file, 5 << 10, &[8; 100]);
    assert_eq!(refused, Err(Error::Storage(StorageError::RecordInvalid { object: file })));
}

/// A leaf begins with a key that belongs to others. It was joined with its neighbour, which was not found
/// below its parent any more.
#[test]
fn a_leaf_with_a_key_of_another_is_not_joined() {
    let (mut world, names) = many_leaves();
    let (count, mut met) = (leaves(&mut world.mount()).len(), 0);
    let changed = forge::nodes(&mut world.array, |level, node| {
        met += usize::from(level == 0);
        let is_meant = level == 0 && met + 1 == count;
        if is_meant {
            node.set_key(0, &Key::MIN.successor());
        }
        is_meant
    });
    assert_eq!(changed, Some(true));
    let mut pool = world.mount();
    // From the last one on: their inodes are in the last leaf, which becomes sparse.
    let mut left = names.len();
    for name in names.iter().rev() {
        let mut transaction = pool.begin().expect("begun");
        let unlinked = transaction.unlink(ObjectId::ROOT, name.as_bytes());
        if unlinked.and_then(|()| transaction.commit()).is_err() {
            break;
        }
        left -= 1;
    }
    assert!((1..names.len()).contains(&left), "{left} are left");
    drop(pool);
    let mut pool = world.mount();
    for name in &names[..left - 2] {
        pool.resolve(name.as_bytes()).expect("it is there");
    }
}
