//! An operation that fails after its first change lets its transaction do nothing more, whatever the error is.

use super::*;
use dynamicfs_core::format::key::{Key, Kind};
use dynamicfs_core::format::name;
use dynamicfs_core::{Memory, OpenOptions, ReadObjects};

/// A pool with the file `a`. Its root directory has no place for the name `c`. Forged pieces that belong to
/// nothing take all places of its hash.
fn crowded() -> World {
    let mut world = World::new(Scheme::mirror(2), 3, MEMORY);
    let mut pool = world.mount();
    put(&mut pool, "a", 100).expect("put");
    let seed = pool.parameters().hash_seed;
    let mut transaction = pool.begin().expect("begun");
    for place in 0..255 {
        let key = Key::new(ObjectId::ROOT, Kind::Entry, name::hash(seed, b"c") + place);
        transaction.internals_mut().store.put(&key, &[0, 1, 2]).expect("put");
    }
    transaction.commit().expect("committed");
    drop(pool);
    world
}

/// It was no error of a disk, so the transaction could be committed: without the old name, with a file that
/// nothing named.
#[test]
fn a_rename_that_finds_no_place_for_its_name_loses_nothing() {
    let mut world = crowded();
    let mut pool = world.mount();
    let mut transaction = pool.begin().expect("begun");
    let renamed = transaction.rename((ObjectId::ROOT, b"a"), (ObjectId::ROOT, b"c"), RenameMode::Replace);
    assert_eq!(renamed, Err(Error::HashFull));
    assert_eq!(transaction.commit(), Err(Error::Storage(StorageError::Poisoned)));
    expect(&mut pool, "a", 100);
    account_blocks(&mut pool, "after all");
}

/// The same: an object without a name, counted for ever.
#[test]
fn a_file_that_finds_no_place_for_its_name_is_not_made() {
    let mut world = crowded();
    let mut pool = world.mount();
    let before = pool.health().objects;
    for what in [MakeRequest::File, MakeRequest::Directory, MakeRequest::Symlink(b"target")] {
        let mut transaction = pool.begin().expect("begun");
        let made = transaction.create(ObjectId::ROOT, b"c", &what, &PLAIN);
        assert_eq!(made, Err(Error::HashFull));
        assert_eq!(transaction.commit(), Err(Error::Storage(StorageError::Poisoned)));
    }
    assert_eq!(pool.health().objects, before);
}

/// A link that was counted before its name found no place kept a file for ever after its last name had gone.
#[test]
fn a_link_that_finds_no_place_for_its_name_is_not_counted() {
    let mut world = crowded();
    let mut pool = world.mount();
    let a = pool.resolve(b"a").expect("there");
    let mut transaction = pool.begin().expect("begun");
    assert_eq!(transaction.link(a, ObjectId::ROOT, b"c"), Err(Error::HashFull));
    assert_eq!(transaction.commit(), Err(Error::Storage(StorageError::Poisoned)));
    assert_eq!(pool.inode(a).expect("there").links, 1);
}

/// The same of operations that are several, and of an object that was never there under another name.
#[test]
fn what_finds_no_place_for_a_name_of_a_path_changes_nothing() {
    let mut world = crowded();
    let mut pool = world.mount();
    let before = pool.health().objects;
    for step in 0..3 {
        let mut transaction = pool.begin().expect("begun");
        let refused = match step {
            0 => transaction.write_file(b"c", &[1; 5000]).map(drop),
            1 => transaction.create_all(b"c/d").map(drop),
            _ => OpenOptions::new().create(true).open(&mut transaction, b"c").map(drop),
        };
        assert_eq!(refused, Err(Error::HashFull));
        assert_eq!(transaction.commit(), Err(Error::Storage(StorageError::Poisoned)), "step {step}");
    }
    assert_eq!(pool.health().objects, before);
    account_blocks(&mut pool, "after all");
}

/// No place for a new extended attribute is found out before anything is changed.
#[test]
fn an_attribute_that_finds_no_place_leaves_its_transaction_whole() {
    let mut world = World::new(Scheme::mirror(2), 3, MEMORY);
    let mut pool = world.mount();
    put(&mut pool, "a", 100).expect("put");
    let (a, seed) = (pool.resolve(b"a").expect("there"), pool.parameters().hash_seed);
    let mut transaction = pool.begin().expect("begun");
    for place in 0..255 {
        let key = Key::new(a, Kind::Xattr, name::hash(seed, b"c") + place);
        transaction.internals_mut().store.put(&key, &[0, 1, 2]).expect("put");
    }
    transaction.commit().expect("committed");
    let mut transaction = pool.begin().expect("begun");
    for mode in [AttributeMode::Create, AttributeMode::CreateOrReplace] {
        assert_eq!(transaction.set_attribute(a, b"c", b"x", mode), Err(Error::HashFull));
    }
    transaction.set_attribute(a, b"d", b"x", AttributeMode::Create).expect("set");
    transaction.commit().expect("committed");
    assert_eq!(pool.attribute(a, b"d", &mut [0; 4]), Ok(1));
}

/// Errors that are found out before anything is changed leave the transaction whole.
#[test]
fn a_refused_operation_leaves_its_transaction_whole() {
    let mut world = World::new(Scheme::mirror(2), 3, MEMORY);
    let mut pool = world.mount();
    put(&mut pool, "a", 100).expect("put");
    let mut transaction = pool.begin().expect("begun");
    let file = create(transaction.internals_mut(), "file");
    transaction.write_all(file, 0, &[5; 3000]).expect("written");
    let bad = PLAIN.scheme(Scheme::mirror(5));
    let (root, mode) = (ObjectId::ROOT, AttributeMode::CreateOrReplace);
    let new = OpenOptions::new().create_new(true);
    let refused = [
        transaction.create(root, b"a", &MakeRequest::File, &PLAIN).map(drop),
        transaction.create(root, b"a/b", &MakeRequest::File, &PLAIN).map(drop),
        transaction.create(root, b"bad", &MakeRequest::File, &bad).map(drop),
        transaction.link(file, root, b"a"),
        transaction.unlink(root, b"nothing"),
        transaction.rename((root, b"nothing"), (root, b"b"), RenameMode::Replace),
        transaction.rename((root, b"a"), (root, b"file"), RenameMode::NoReplace),
        transaction.rename((root, b"a"), (root, b"nothing"), RenameMode::Exchange),
        transaction.write(file, 1 << 48, b"x").map(drop),
        transaction.write_all(root, 0, b"x"),
        transaction.write_apart(file, 1 << 48, b"x"),
        transaction.truncate(root, 0),
        transaction.truncate(file, 1 << 49),
        transaction.set_attribute(file, b"", b"x", mode),
        transaction.set_attribute(file, b"long", &[0; 4097], mode),
        transaction.set_attribute(file, b"none", b"x", AttributeMode::Replace),
        transaction.remove_attribute(file, b"nothing"),
        transaction.change_attributes(ObjectId(999), &Change::new()).map(drop),
        transaction.create_all(b"new/file/../x").map(drop),
        transaction.create_all(b"a/below").map(drop),
        transaction.write_file(b"nothing/file", b"x").map(drop),
        transaction.write_file(b"/", b"x").map(drop),
        transaction.remove_all(b"nothing"),
        new.open(&mut transaction, b"a").map(drop),
        OpenOptions::new().truncate(true).open(&mut transaction, b"nothing").map(drop),
    ];
    assert!(refused.iter().all(Result::is_err), "{refused:?}");
    assert!(!transaction.is_poisoned());
    transaction.commit().expect("committed");
    let mut bytes = [0; 3000];
    assert_eq!(pool.read(file, 0, &mut bytes), Ok(3000));
    assert!(bytes.iter().all(|&byte| byte == 5));
    expect(&mut pool, "a", 100);
}

/// A rebalance read an extent, met a disk error in the tree, and continued. It stored the old contents of its
/// buffer, with right checksums. (It had looked for one kind of error alone.)
#[test]
fn what_cannot_be_read_for_a_moment_is_not_stored_again() {
    const LENGTH: usize = 300_000;
    let two = Scheme { data: 2, parity: 0 };
    let cases = [
        (1, Scheme::SINGLE, two, &[][..], 2),
        (3, Scheme::mirror(2), Scheme { data: 2, parity: 1 }, &[2], 1),
    ];
    for (disks, from, to, unplugged, requests) in cases {
        let options = FormatOptions::portable(from).members_max(8).extent_bytes(262_144);
        let mut world = formatted(vec![Geometry::new(512, 8192); disks], &options, 4 << 20);
        for name in ["a", "b"] {
            world.put(name, LENGTH);
            let mut pool = world.mount();
            let file = pool.resolve(name.as_bytes()).expect("there");
            let mut transaction = pool.begin().expect("begun");
            let change = Change::new().scheme(to);
            transaction.change_attributes(file, &change).expect("changed");
            transaction.commit().expect("committed");
        }
        world.unplug(unplugged);
        for well in 0..60 {
            let mut world = world.fork(4 << 20);
            let mut pool = world.mount();
            let options = JobOptions::new().absent(false).space(false).policy(true).extents(false);
            pool.start_job(JobKind::Rebalance, options).expect("started");
            let mishap = Mishap::Fail(IoError::Media);
            pool.array().disk_mut(0).mishap_after(IoKind::Read, well, requests, mishap);
            // An error of a disk ends a step, and the next one continues.
            let steps: Vec<_> = (0..40).map(|_| pool.maintain(false)).collect();
            assert_eq!(steps.last(), Some(&Ok(Work::Nothing)), "{from} {well}: it rests");
            pool.array().disk_mut(0).calm();
            expect(&mut pool, "a", LENGTH);
            expect(&mut pool, "b", LENGTH);
        }
    }
}

/// Space ended in the middle of a write, and before more was tried the tree could not be read. It was told,
/// and the transaction could be committed all the same: with half of what was to be written.
#[test]
fn a_write_that_ends_half_way_with_an_error_is_not_committed() {
    let options = FormatOptions::portable(Scheme::SINGLE).extent_bytes(4096);
    let mut world = formatted(vec![Geometry::new(512, 65_536)], &options, 4 << 20);
    let mut pool = world.mount();
    let file = put_file(&mut pool, "file", &[1; 10]).expect("put");
    let mut n = 0;
    // More groups than there are nodes in the least memory.
    while pool.health().free_blocks > 10_000 {
        put_file(&mut pool, &format!("filler {n}"), &[2; 2 << 20]).expect("put");
        n += 1;
    }
    let memory = Memory::bytes_min(pool.parameters()) + 1;
    drop(pool);
    let bytes = vec![7; 10_000 * 512];
    let reads = {
        let mut world = world.fork(memory);
        let mut pool = world.mount();
        let mut transaction = pool.begin().expect("begun");
        let before = transaction.array().disk(0).counters().reads;
        let wrote = transaction.write(file, 0, &bytes).expect("there is space for some");
        assert!(wrote > 4096 && wrote < bytes.len(), "{wrote}");
        transaction.array().disk(0).counters().reads - before
    };
    let mut told = 0;
    for well in (reads..).take(8) {
        let mut world = world.fork(memory);
        let mut pool = world.mount();
        let mut transaction = pool.begin().expect("begun");
        let disk = transaction.array().disk_mut(0);
        disk.mishap_after(IoKind::Read, well, 1000, Mishap::Fail(IoError::Media));
        let done = transaction.write_all(file, 0, &bytes).expect_err("there is no space for all");
        transaction.array().disk_mut(0).calm();
        if done != Error::Storage(StorageError::NoSpace) {
            told += 1;
            assert_eq!(transaction.commit(), Err(Error::Storage(StorageError::Poisoned)), "{well}: {done}");
            expect_inline(&mut pool, file);
        }
    }
    assert!(told > 0, "no read failed in between");
}

fn expect_inline(pool: &mut Mounted<'_>, file: ObjectId) {
    let mut bytes = [0; 20];
    assert_eq!(pool.read(file, 0, &mut bytes), Ok(10));
    assert_eq!(bytes[..10], [1; 10]);
}
