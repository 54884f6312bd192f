//! A deleted object is not found, whatever is asked of it by its number.

use super::*;
use core::ops::ControlFlow;
use dynamicfs_core::ReadObjects;
use dynamicfs_core::error::Code;
use dynamicfs_core::maintain::read_standing;

/// More extents than one transaction frees.
const LARGE: usize = 400 * 4096;

fn world() -> World {
    let options = FormatOptions::portable(Scheme::mirror(2)).members_max(4).extent_bytes(4096);
    formatted(vec![Geometry::new(512, 16384); 2], &options, MEMORY)
}

/// Every operation on an object by its number says that there is none.
#[track_caller]
fn expect_gone(objects: &mut Objects<'_, &mut SimArray>, object: ObjectId, what: &str) {
    fn gone<T: core::fmt::Debug>(done: Result<T, Code>, what: &str) {
        assert!(matches!(done, Err(Code::NotFound)), "{what}: {done:?}");
    }
    let standing = read_standing(&mut objects.store, false).expect("read");
    gone(objects.inode(object), what);
    gone(objects.read(object, 0, &mut [0; 100]), what);
    gone(objects.attribute(object, b"a", &mut [0; 10]), what);
    gone(objects.attributes(object, |_| ControlFlow::<()>::Continue(())), what);
    gone(objects.list(object, 0, |_| ControlFlow::<()>::Continue(())), what);
    gone(objects.lookup(object, b"inside"), what);
    gone(objects.locate(object, 0, &standing), what);
    if !objects.store.is_open() {
        gone(objects.prove(object, 0), what);
        return;
    }
    gone(objects.write(object, 0, &[7; 100]), what);
    gone(objects.write_all(object, 90_000, &[7; 9000]), what);
    gone(objects.truncate(object, 0), what);
    gone(objects.truncate(object, 1 << 20), what);
    gone(objects.set_attribute(object, b"a", b"b", AttributeMode::CreateOrReplace), what);
    gone(objects.remove_attribute(object, b"a"), what);
    gone(objects.change_attributes(object, &Change::new().mode(0o600)), what);
    gone(objects.link(object, ObjectId::ROOT, b"back again"), what);
    gone(objects.create(object, b"inside", &MakeRequest::File, &PLAIN), what);
    gone(objects.unlink(object, b"inside"), what);
    gone(objects.rename((object, b"inside"), (ObjectId::ROOT, b"outside"), true), what);
    gone(objects.rename((ObjectId::ROOT, b"other"), (object, b"inside"), true), what);
    gone(objects.exchange((ObjectId::ROOT, b"other"), (object, b"inside")), what);
    assert!(!objects.store.is_poisoned(), "{what}: nothing was begun");
}

/// A file whose extents were still being freed was read as zeros, without an error. A write to it was
/// committed, and the object stayed for ever, without a name. A directory with many attributes took new
/// entries after it was unlinked.
#[test]
fn a_deleted_object_is_gone_at_once_and_stays_gone() {
    let mut world = world();
    let mut pool = world.mount();
    put(&mut pool, "other", 100).expect("put");
    let large = put_file(&mut pool, "large", &vec![1; LARGE]).expect("committed");
    let small = put_file(&mut pool, "small", b"inline").expect("committed");
    let mut transaction = pool.begin().expect("begun");
    let directory =
        transaction.create(ObjectId::ROOT, b"directory", &MakeRequest::Directory, &PLAIN).expect("made");
    for n in 0..24 {
        transaction
            .set_attribute(directory, format!("a{n}").as_bytes(), &[1; 4096], AttributeMode::CreateOrReplace)
            .expect("set");
    }
    transaction.commit().expect("committed");
    let all = [(large, &b"large"[..]), (small, b"small"), (directory, b"directory")];
    let mut transaction = pool.begin().expect("begun");
    for (object, name) in all {
        transaction.unlink(ObjectId::ROOT, name).expect("unlinked");
        expect_gone(transaction.internals_mut(), object, "in the same transaction");
    }
    transaction.commit().expect("committed");
    assert!(pool.health().orphans > 0, "some of it is still being freed");
    let mut steps = 0;
    loop {
        for (object, _) in all {
            expect_gone(pool.internals_mut(), object, "between two steps");
        }
        let mut transaction = pool.begin().expect("begun");
        for (object, _) in all {
            expect_gone(transaction.internals_mut(), object, "in a transaction between two steps");
        }
        transaction.commit().expect("committed");
        let mut seen = Vec::new();
        pool.each_inode(|object, _| seen.push(object)).expect("read");
        assert_eq!(seen.len(), 2, "the root and the other: {seen:?}");
        if pool.upkeep(false).expect("kept") == Work::Nothing {
            break;
        }
        steps += 1;
    }
    assert!(steps > 1, "it went in steps");
    assert_eq!((pool.health().objects, pool.health().orphans), (2, 0));
    account(&mut pool, "after all");
}

/// What was pending of a file goes with it.
#[test]
fn a_file_that_is_deleted_before_it_was_ever_stored_is_gone() {
    let mut world = world();
    let mut pool = world.mount();
    put(&mut pool, "other", 100).expect("put");
    let mut transaction = pool.begin().expect("begun");
    let file = create(transaction.internals_mut(), "file");
    transaction.write_all(file, 0, &[7; 3000]).expect("written");
    transaction
        .rename((ObjectId::ROOT, b"other"), (ObjectId::ROOT, b"file"), RenameMode::Replace)
        .expect("renamed");
    expect_gone(transaction.internals_mut(), file, "replaced");
    transaction.commit().expect("committed");
    expect_gone(pool.internals_mut(), file, "after the commit");
    let mut bytes = [0; 200];
    let other = pool.resolve(b"file").expect("it has the name");
    assert_eq!(pool.read(other, 0, &mut bytes), Ok(100));
    account(&mut pool, "after all");
}

/// Numbers that the pool keeps for itself, and one that was never given.
#[test]
fn numbers_that_are_nobodys_are_not_found() {
    let mut world = world();
    let mut pool = world.mount();
    put(&mut pool, "other", 100).expect("put");
    let mut transaction = pool.begin().expect("begun");
    for number in [0, 2, 3, 15, 1 << 40, u64::MAX] {
        expect_gone(transaction.internals_mut(), ObjectId(number), &format!("number {number}"));
    }
    transaction.commit().expect("committed");
    for number in [0, 2, 15, u64::MAX] {
        expect_gone(pool.internals_mut(), ObjectId(number), &format!("number {number}"));
    }
}
