//! Holes: they read as zeros and take no space, and nothing else changes.

use super::*;
use dynamicfs_core::ReadObjects;

/// A file of extents of 16 KiB, committed, and what it holds.
fn stored(world: &mut World, length: usize) -> (ObjectId, Vec<u8>) {
    let bytes = contents("file", length);
    let file = put_file(&mut world.mount(), "file", &bytes).expect("committed");
    (file, bytes)
}

/// Blocks that something refers to, on all disks.
fn held(pool: &mut Mounted<'_>) -> u64 {
    rest(pool);
    let health = pool.health();
    health.blocks - health.free_blocks
}

#[track_caller]
fn expect_bytes(objects: &mut impl ReadObjects, file: ObjectId, expected: &[u8], what: &str) {
    let mut found = vec![0xA5; expected.len() + 1];
    assert_eq!(objects.read(file, 0, &mut found), Ok(expected.len()), "{what}");
    let differs = found.iter().zip(expected).position(|(found, expected)| found != expected);
    assert_eq!(differs, None, "{what}: first byte that differs");
}

/// Where data begins and ends, from hole to hole.
fn data(objects: &mut impl ReadObjects, file: ObjectId) -> Vec<(u64, u64)> {
    let (mut at, mut found) = (0, Vec::new());
    while let Some(start) = objects.seek_data(file, at).expect("read") {
        at = objects.seek_hole(file, start).expect("read").expect("there is one at the end");
        found.push((start, at));
    }
    found
}

#[test]
fn a_hole_reads_as_zeros_takes_no_space_and_leaves_the_size() {
    for scheme in [Scheme::SINGLE, Scheme::mirror(2), Scheme { data: 2, parity: 1 }] {
        let mut world = World::new(scheme, scheme.width(), MEMORY);
        let (file, mut bytes) = stored(&mut world, 100_000);
        let mut pool = world.mount();
        let before = held(&mut pool);
        let mut transaction = pool.begin().expect("begun");
        assert_eq!(transaction.punch_hole(file, 5000..90_000), Ok(90_000));
        bytes[5000..90_000].fill(0);
        expect_bytes(&mut transaction, file, &bytes, "in the transaction");
        transaction.commit().expect("committed");
        expect_bytes(&mut pool, file, &bytes, "committed");
        // From a byte on at one edge, and from a unit on at the other.
        assert_eq!(data(&mut pool, file), [(0, 5000), (86_016, 100_000)], "{scheme}");
        assert_eq!(pool.seek_hole(file, 6000), Ok(Some(6000)));
        assert_eq!(pool.seek_data(file, 99_999), Ok(Some(99_999)));
        assert_eq!((pool.seek_data(file, 100_000), pool.seek_hole(file, 100_000)), (Ok(None), Ok(None)));
        // 19 or 20 of its units are gone.
        let freed = 19 * 4096 / 512 * scheme.width() as u64 / u64::from(scheme.data);
        let (before, after) = (before, held(&mut pool));
        assert!(before - after >= freed / 2, "{scheme}: {before} blocks, then {after}");
        account(&mut pool, "after all");
        drop(pool);
        expect_bytes(&mut world.mount(), file, &bytes, "mounted again");
    }
}

/// Every range of a small file, in every state that its contents can be in.
#[test]
fn every_edge_is_right_wherever_it_is() {
    let edges = [0, 1, 100, 4095, 4096, 4097, 8192, 12_288, 16_383, 16_384, 20_000, 32_768, 40_000, 50_000];
    for pending in [false, true] {
        let mut world = World::new(Scheme { data: 2, parity: 1 }, 3, MEMORY);
        let (file, bytes) = stored(&mut world, 40_000);
        let mut pool = world.mount();
        for from in edges {
            for end in edges.into_iter().filter(|&end| end >= from) {
                let mut transaction = pool.begin().expect("begun");
                let mut bytes = bytes.clone();
                if pending {
                    transaction.write_all(file, 17_000, &[7; 300]).expect("written");
                    bytes[17_000..17_300].fill(7);
                }
                assert_eq!(transaction.punch_hole(file, from..end), Ok(end), "{from}..{end}");
                let size = bytes.len() as u64;
                bytes[from.min(size) as usize..end.min(size) as usize].fill(0);
                expect_bytes(&mut transaction, file, &bytes, &format!("{from}..{end}"));
                // Written over again, and cut off behind it.
                transaction.write_all(file, from.min(39_000), &[9; 600]).expect("written");
                bytes[from.min(39_000) as usize..][..600].fill(9);
                transaction.truncate(file, 39_700).expect("cut");
                expect_bytes(&mut transaction, file, &bytes[..39_700], &format!("{from}..{end} again"));
            }
        }
        account(&mut pool, "nothing was committed");
    }
}

#[test]
fn contents_that_are_inline_are_zeroed_where_they_are() {
    let mut world = World::new(Scheme::mirror(2), 2, MEMORY);
    let mut pool = world.mount();
    let file = put_file(&mut pool, "file", b"inline contents").expect("committed");
    assert!(pool.inode(file).expect("there").inline);
    for (range, expected) in [
        (6..7, &b"inline\0contents"[..]),
        (0..7, b"\0\0\0\0\0\0\0contents"),
        (9..99, b"\0\0\0\0\0\0\0co\0\0\0\0\0\0"),
    ] {
        let mut transaction = pool.begin().expect("begun");
        assert_eq!(transaction.punch_hole(file, range.clone()), Ok(range.end));
        transaction.commit().expect("committed");
        expect_bytes(&mut pool, file, expected, &format!("{range:?}"));
        account(&mut pool, "checked");
    }
    assert_eq!(data(&mut pool, file), [(0, 15)], "all of it counts as written");
}

#[test]
fn zeros_grow_a_file_and_a_hole_does_not() {
    let mut world = World::new(Scheme::mirror(2), 2, MEMORY);
    let (file, mut bytes) = stored(&mut world, 10_000);
    let mut pool = world.mount();
    let mut transaction = pool.begin().expect("begun");
    assert_eq!(transaction.zero(file, 9000..9000), Ok(9000));
    assert_eq!(transaction.punch_hole(file, 9000..30_000), Ok(30_000));
    assert_eq!(transaction.inode(file).expect("there").size, 10_000);
    assert_eq!(transaction.zero(file, 8000..30_000), Ok(30_000));
    assert_eq!(transaction.zero(file, 1 << 47..1 << 48), Ok(1 << 48));
    assert_eq!(transaction.zero(file, 0..(1 << 48) + 1), Err(Error::TooLarge));
    transaction.truncate(file, 30_000).expect("cut");
    bytes[8000..].fill(0);
    bytes.resize(30_000, 0);
    transaction.commit().expect("committed");
    expect_bytes(&mut pool, file, &bytes, "zeroed");
    assert_eq!(data(&mut pool, file), [(0, 8000)]);
    let mut transaction = pool.begin().expect("begun");
    let empty = transaction.create(ObjectId::ROOT, b"empty", &MakeRequest::File, &PLAIN).expect("made");
    assert_eq!(transaction.zero(empty, 0..50), Ok(50));
    let directory =
        transaction.create(ObjectId::ROOT, b"directory", &MakeRequest::Directory, &PLAIN).expect("made");
    assert_eq!(transaction.punch_hole(directory, 0..50), Err(Error::IsADirectory));
    assert_eq!(transaction.zero(ObjectId(999), 0..50), Err(Error::NotFound));
    assert!(!transaction.is_poisoned());
    transaction.commit().expect("committed");
    expect_bytes(&mut pool, empty, &[0; 50], "grown");
    account(&mut pool, "after all");
}

/// Extents are removed whole without being read, also unreadable ones, and many at once.
#[test]
fn whole_extents_go_unread_and_one_that_is_cut_must_be_readable() {
    let mut world = World::new(Scheme::SINGLE, 1, MEMORY);
    let (file, mut bytes) = stored(&mut world, 400_000);
    let standing = dynamicfs_core::maintain::read_standing;
    let mut pool = world.mount();
    let located = {
        let standing = standing(&mut pool.internals_mut().store, false).expect("read");
        pool.locate(file, 16_384, &standing).expect("read").expect("there")
    };
    assert_eq!(located.start, 16_384);
    let place = located.places[0];
    drop(pool);
    world.array.disk_mut(0).flip_bits(place.address.block * 512 + 100, 7);
    let mut pool = world.mount();
    let mut transaction = pool.begin().expect("begun");
    let cut = transaction.punch_hole(file, 0..20_000);
    assert_eq!(cut, Ok(16_384), "up to the extent that is lost");
    let cut = transaction.punch_hole(file, 16_384..20_000);
    assert!(matches!(cut, Err(Error::Unreadable { .. })), "{cut:?}");
    assert!(!transaction.is_poisoned());
    assert_eq!(transaction.punch_hole(file, 0..390_000), Ok(390_000));
    bytes[..390_000].fill(0);
    expect_bytes(&mut transaction, file, &bytes, "punched");
    transaction.commit().expect("committed");
    account(&mut pool, "after all");
}

/// A full pool lets whole extents go and says how far it came; what it would have to store again stays.
#[test]
fn a_full_pool_punches_whole_extents() {
    let mut world = World::new(Scheme::mirror(2), 2, MEMORY);
    let mut pool = world.mount();
    let bytes = contents("file", 200_000);
    let file = put_file(&mut pool, "file", &bytes).expect("committed");
    for length in [16_384, 4096, 500] {
        crate::common::fill(&mut pool, &format!("f{length}-"), length);
    }
    let mut transaction = pool.begin().expect("begun");
    let refused = transaction.punch_hole(file, 100..16_000);
    assert_eq!(refused, Err(StorageError::NoSpace.into()));
    assert!(!transaction.is_poisoned());
    expect_bytes(&mut transaction, file, &bytes, "nothing was done");
    assert_eq!(transaction.punch_hole(file, 0..150_000), Ok(147_456), "up to the extent that it cuts");
    transaction.commit().expect("committed");
    let mut expected = bytes.clone();
    expected[..147_456].fill(0);
    expect_bytes(&mut pool, file, &expected, "committed");
    rest(&mut pool);
    let mut transaction = pool.begin().expect("begun");
    assert_eq!(transaction.punch_hole(file, 0..150_000), Ok(150_000), "there is space now");
    expected[..150_000].fill(0);
    transaction.commit().expect("committed");
    expect_bytes(&mut pool, file, &expected, "committed");
    account(&mut pool, "after all");
}

/// Where a disk is away what is cut is computed from the others.
#[test]
fn a_hole_is_punched_without_a_disk_and_with_it_again() {
    let mut world = World::new(Scheme { data: 2, parity: 1 }, 3, MEMORY);
    let (file, mut bytes) = stored(&mut world, 60_000);
    world.unplug(&[1]);
    let mut pool = world.mount();
    let mut transaction = pool.begin().expect("begun");
    assert_eq!(transaction.punch_hole(file, 1000..40_000), Ok(40_000));
    transaction.commit().expect("committed");
    bytes[1000..40_000].fill(0);
    expect_bytes(&mut pool, file, &bytes, "without it");
    drop(pool);
    world.plug(&[1]);
    let mut pool = world.mount();
    rest(&mut pool);
    expect_bytes(&mut pool, file, &bytes, "with it");
    crate::common::expect_whole(&mut pool, "after all");
}
