//! Contents that go from one object to another, mostly without being read.

use super::*;
use crate::common::expect_whole;
use dynamicfs_core::ReadObjects;
use dynamicfs_core::files::Moved;
use dynamicfs_core::maintain::read_standing;

const EXTENT: u64 = 16_384;

fn read(objects: &mut impl ReadObjects, file: ObjectId) -> Vec<u8> {
    let size = objects.inode(file).expect("there").size as usize;
    let mut bytes = vec![0xA5; size];
    assert_eq!(objects.read(file, 0, &mut bytes), Ok(size));
    bytes
}

fn find(pool: &mut Mounted<'_>, name: &str) -> ObjectId {
    pool.resolve(name.as_bytes()).expect("found")
}

/// Extents that were stored since the mount.
fn stored(pool: &Mounted<'_>) -> u64 {
    pool.health().counters.extents_written
}

#[test]
fn parts_become_a_whole_without_a_byte_being_read() {
    let scheme = Scheme { data: 2, parity: 1 };
    let mut world = World::new(scheme, 3, MEMORY);
    let lengths = [EXTENT as usize * 3, EXTENT as usize * 2, 20_000];
    for (n, length) in lengths.into_iter().enumerate() {
        world.put(&format!("part {n}"), length);
    }
    let mut pool = world.mount();
    let parts = [0, 1, 2].map(|n| find(&mut pool, &format!("part {n}")));
    let before = stored(&pool);
    let mut transaction = pool.begin().expect("begun");
    let whole = transaction.create(ObjectId::ROOT, b"whole", &MakeRequest::File, &PLAIN).expect("made");
    let (mut at, mut expected) = (0, Vec::new());
    for (n, (part, length)) in parts.into_iter().zip(lengths).enumerate() {
        let moved = transaction.move_extents((part, 0), (whole, at), (length as u64).next_multiple_of(4096));
        assert_eq!(moved, Ok(Moved { bytes: length as u64, copied: 0 }), "part {n}");
        at += length as u64;
        expected.extend(contents(&format!("part {n}"), length));
        assert_eq!(read(&mut transaction, part), vec![0; length], "a hole is left");
        assert_eq!(transaction.seek_data(part, 0), Ok(None));
        transaction.unlink(ObjectId::ROOT, format!("part {n}").as_bytes()).expect("unlinked");
    }
    assert_eq!(read(&mut transaction, whole), expected);
    transaction.commit().expect("committed");
    assert_eq!(stored(&pool), before, "nothing was stored again");
    assert_eq!(read(&mut pool, whole), expected);
    expect_whole(&mut pool, "after all");
    // A disk is lost: the parity goes with the data.
    drop(pool);
    world.unplug(&[0]);
    let mut pool = world.mount();
    assert_eq!(read(&mut pool, whole), expected);
}

/// A transaction that is dropped leaves both as they were, whatever waited in the window.
#[test]
fn a_move_that_is_dropped_did_not_happen() {
    let mut world = World::new(Scheme::mirror(2), 2, MEMORY);
    for (name, length) in [("one", 50_000), ("other", 9)] {
        world.put(name, length);
    }
    let mut pool = world.mount();
    let [one, other] = ["one", "other"].map(|name| find(&mut pool, name));
    let mut transaction = pool.begin().expect("begun");
    transaction.write_all(one, 20_000, &[7; 500]).expect("written");
    let mut expected = contents("one", 50_000);
    expected[20_000..20_500].fill(7);
    let moved = transaction.move_extents((one, 0), (other, 4096), 65_536).expect("moved");
    assert_eq!(moved.bytes, 50_000);
    let mut both = contents("other", 9);
    both.resize(4096, 0);
    both.extend(&expected);
    assert_eq!(read(&mut transaction, other), both);
    drop(transaction);
    crate::common::expect(&mut pool, "one", 50_000);
    crate::common::expect(&mut pool, "other", 9);
    account(&mut pool, "dropped");
}

/// Everything that lies somewhere else in relation to its extents, or in another scheme, is stored again, and
/// is right.
#[test]
fn what_cannot_go_as_it_is_is_stored_again() {
    let mirrored = PLAIN.scheme(Scheme::mirror(2));
    let small = PLAIN.extent_shift(12);
    let source = contents("one", 70_000);
    for (n, (from, to, bytes, attributes, copied)) in [
        (0, 4096, 69_632, &PLAIN, 69_632),
        (4096, 4096, 65_536, &PLAIN, 12_288 + 4096),
        (16_384, 0, 49_152, &PLAIN, 0),
        (0, 0, 69_632, &mirrored, 69_632),
        (0, 0, 69_632, &small, 69_632),
        (8192, 1 << 20, 4096, &PLAIN, 4096),
    ]
    .into_iter()
    .enumerate()
    {
        let mut world = World::new(Scheme { data: 2, parity: 1 }, 4, MEMORY);
        world.put("one", 70_000);
        let mut pool = world.mount();
        let one = find(&mut pool, "one");
        let mut transaction = pool.begin().expect("begun");
        let name = format!("other {n}");
        let other = transaction
            .create(ObjectId::ROOT, name.as_bytes(), &MakeRequest::File, attributes)
            .expect("made");
        let moved = transaction.move_extents((one, from), (other, to), bytes).expect("moved");
        assert_eq!(moved.bytes, bytes, "{name}");
        let mut expected = vec![0; to as usize];
        expected.extend(&source[from as usize..(from + bytes) as usize]);
        assert!(read(&mut transaction, other) == expected, "{name}");
        let mut left = source.clone();
        left[from as usize..(from + bytes) as usize].fill(0);
        assert!(read(&mut transaction, one) == left, "{name}: what is left");
        assert_eq!(moved.copied, copied, "{name}");
        let scheme = attributes.scheme.unwrap_or(Scheme { data: 2, parity: 1 });
        let objects = transaction.internals_mut();
        let standing = read_standing(&mut objects.store, false).expect("read");
        let mut at = 0;
        while let Some(found) = objects.locate(other, at, &standing).expect("read") {
            assert_eq!(found.asked, scheme, "{name}");
            assert!(found.start.is_multiple_of(u64::from(found.bytes.next_power_of_two())), "{name}");
            assert!(found.bytes <= 1 << attributes.extent_shift.unwrap_or(14), "{name}");
            at = found.start + u64::from(found.bytes);
        }
        transaction.commit().expect("committed");
        assert!(read(&mut pool, other) == expected && read(&mut pool, one) == left, "{name}: committed");
        account(&mut pool, &name);
        // And back, where it came from.
        let mut transaction = pool.begin().expect("begun");
        let moved = transaction.move_extents((other, to), (one, from), bytes).expect("moved");
        assert_eq!(moved.bytes, bytes, "{name}");
        assert!(read(&mut transaction, one) == source, "{name}: back");
        transaction.commit().expect("committed");
        account(&mut pool, &name);
    }
}

#[test]
fn contents_that_are_inline_move_too() {
    let mut world = World::new(Scheme::mirror(2), 2, MEMORY);
    world.put("one", 100);
    world.put("other", 50);
    let mut pool = world.mount();
    let [one, other] = ["one", "other"].map(|name| find(&mut pool, name));
    let mut transaction = pool.begin().expect("begun");
    assert_eq!(transaction.move_extents((one, 0), (other, 0), 4096), Err(Error::InvalidArgument));
    assert_eq!(transaction.punch_hole(other, 0..4096), Ok(4096));
    assert_eq!(transaction.move_extents((one, 0), (other, 0), 4096).map(|moved| moved.bytes), Ok(100));
    assert_eq!(read(&mut transaction, other), contents("one", 100));
    assert_eq!(read(&mut transaction, one), [0; 100]);
    transaction.commit().expect("committed");
    assert_eq!(read(&mut pool, other), contents("one", 100));
    account(&mut pool, "after all");
}

#[test]
fn what_makes_no_sense_is_refused_and_changes_nothing() {
    let mut world = World::new(Scheme::mirror(2), 2, MEMORY);
    world.put("one", 50_000);
    world.put("other", 50_000);
    let mut pool = world.mount();
    let [one, other] = ["one", "other"].map(|name| find(&mut pool, name));
    let mut transaction = pool.begin().expect("begun");
    let directory =
        transaction.create(ObjectId::ROOT, b"directory", &MakeRequest::Directory, &PLAIN).expect("made");
    let mut check = |from, to, bytes, error: Error| {
        assert_eq!(transaction.move_extents(from, to, bytes), Err(error), "{from:?} {to:?} {bytes}");
        assert!(!transaction.is_poisoned());
    };
    check((one, 0), (one, 1 << 20), 4096, Error::InvalidArgument);
    check((one, 1), (other, 1 << 20), 4096, Error::InvalidArgument);
    check((one, 0), (other, (1 << 20) + 512), 4096, Error::InvalidArgument);
    check((one, 0), (other, 1 << 20), 100, Error::InvalidArgument);
    check((one, 0), (other, 45_056), 4096, Error::InvalidArgument);
    check((one, 0), (other, 0), 4096, Error::InvalidArgument);
    check((one, 0), (other, 1 << 48), 4096, Error::TooLarge);
    check((one, 0), (directory, 0), 4096, Error::IsADirectory);
    check((directory, 0), (other, 0), 4096, Error::IsADirectory);
    check((ObjectId(999), 0), (other, 0), 4096, Error::NotFound);
    assert_eq!(transaction.move_extents((one, 53_248), (other, 0), 4096), Ok(Moved::default()));
    transaction.commit().expect("committed");
    for name in ["one", "other"] {
        crate::common::expect(&mut pool, name, 50_000);
    }
}

/// A full pool: extents go as they are, and what must be stored again finds no space.
#[test]
fn a_full_pool_moves_whole_extents() {
    let mut world = World::new(Scheme::mirror(2), 2, MEMORY);
    world.put("one", 100_000);
    let mut pool = world.mount();
    put(&mut pool, "other", 0).expect("made");
    for length in [16_384, 4096] {
        crate::common::fill(&mut pool, &format!("f{length}-"), length);
    }
    let [one, other] = ["one", "other"].map(|name| find(&mut pool, name));
    let mut transaction = pool.begin().expect("begun");
    let refused = transaction.move_extents((one, 0), (other, 4096), 8192);
    assert_eq!(refused, Err(StorageError::NoSpace.into()));
    assert!(!transaction.is_poisoned());
    let moved = transaction.move_extents((one, 0), (other, 0), 40_960).expect("moved");
    assert_eq!(moved, Moved { bytes: 32_768, copied: 0 }, "up to the extent that is cut");
    let source = contents("one", 100_000);
    assert_eq!(read(&mut transaction, other), source[..32_768]);
    let mut left = source.clone();
    left[..32_768].fill(0);
    assert_eq!(read(&mut transaction, one), left);
    transaction.commit().expect("committed");
    assert_eq!((read(&mut pool, other), read(&mut pool, one)), (source[..32_768].to_vec(), left));
    account(&mut pool, "after all");
}

/// An extent that would move to a place behind the pass of a job is stored again. Else it would be called
/// drained, or rebuilt, where nothing was done for it.
#[test]
fn what_is_still_owed_something_does_not_go_as_it_is() {
    let mut world = World::new(Scheme::mirror(2), 3, MEMORY);
    world.put("low", 0);
    world.put("high", EXTENT as usize);
    let members = |pool: &mut Mounted<'_>, object: ObjectId| {
        let standing = read_standing(&mut pool.internals_mut().store, false).expect("read");
        let found = pool.locate(object, 0, &standing).expect("read").expect("it is there");
        found.places.iter().map(|place| place.address.member).collect::<Vec<_>>()
    };
    let mut pool = world.mount();
    let high = find(&mut pool, "high");
    let member = members(&mut pool, high)[0];
    let disk = pool.disk_of(member).expect("it takes part");
    drop(pool);
    for is_drained in [false, true] {
        let mut world = world.fork(MEMORY);
        if !is_drained {
            world.unplug(&[disk.0]);
        }
        let mut pool = world.mount();
        let [low, high] = ["low", "high"].map(|name| find(&mut pool, name));
        if is_drained {
            pool.drain_member(member, false).expect("begun");
        }
        let mut transaction = pool.begin().expect("begun");
        let moved = transaction.move_extents((high, 0), (low, 0), EXTENT);
        assert_eq!(moved, Ok(Moved { bytes: EXTENT, copied: EXTENT }), "drained: {is_drained}");
        transaction.commit().expect("committed");
        assert!(!members(&mut pool, low).contains(&member), "drained: {is_drained}");
        assert_eq!(read(&mut pool, low), contents("high", EXTENT as usize));
        rest(&mut pool);
        account_blocks(&mut pool, "after all");
    }
}
