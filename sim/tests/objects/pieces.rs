//! Extents that are cut where space is in pieces: they stay apart, each at a multiple of its size.

use super::*;
use dynamicfs_core::ReadObjects;
use dynamicfs_core::maintain::read_standing;

const BLOCK: usize = 4096;

/// Writes part of a file in a commit of its own, as far as there is space.
fn write(
    pool: &mut Mounted<'_>,
    file: ObjectId,
    model: &mut [u8],
    at: usize,
    length: usize,
    byte: u8,
) -> bool {
    let mut transaction = pool.begin().expect("begun");
    let wrote = match transaction.write(file, at as u64, &vec![byte; length]) {
        Ok(wrote) => wrote,
        Err(Error::Storage(StorageError::NoSpace)) => return false,
        Err(error) => panic!("{error}"),
    };
    transaction.commit().expect("committed");
    model[at..at + wrote].fill(byte);
    wrote == length
}

/// No extents overlap, and each begins at a multiple of its size.
#[track_caller]
fn expect_apart(pool: &mut Mounted<'_>, file: ObjectId, what: &str) {
    let standing = read_standing(&mut pool.internals_mut().store, false).expect("read");
    let mut end = 0;
    while let Some(found) = pool.locate(file, end, &standing).expect("read") {
        let size = u64::from(found.bytes.next_power_of_two());
        assert!(found.start.is_multiple_of(size), "{what}: {} bytes at {}", found.bytes, found.start);
        end = found.end();
        let next = pool.locate(file, found.start + 1, &standing).expect("read");
        assert!(next.is_none_or(|next| next.start >= end), "{what}: two overlap at {end}");
    }
}

/// A long extent, written where there was memory, is overwritten in part where there is little, and space in pieces alone.
#[test]
fn what_is_cut_out_of_a_long_extent_stays_apart() {
    let (mut short, mut cut) = (0, 0);
    for piece in [1, 2, 3, 5] {
        let (world, file, model) = full(piece);
        for freed in 0..18 {
            let mut world = world.fork(LITTLE);
            let mut model = model.clone();
            let mut pool = world.mount();
            for n in 0..freed {
                let mut transaction = pool.begin().expect("begun");
                transaction.unlink(ObjectId::ROOT, format!("small {}", 2 * n).as_bytes()).expect("unlinked");
                transaction.commit().expect("committed");
            }
            rest(&mut pool);
            for (at, byte) in [(11, 3), (8, 4), (9, 5), (10, 6), (2, 7)] {
                let what = format!("pieces of {piece}, {freed} freed, block {at}");
                match write(&mut pool, file, &mut model, at * BLOCK + 100, 3000, byte) {
                    true => cut += 1,
                    false => short += 1,
                }
                expect_apart(&mut pool, file, &what);
                let mut bytes = vec![0; 13 * BLOCK];
                assert_eq!(pool.read(file, 0, &mut bytes), Ok(13 * BLOCK), "{what}");
                assert!(bytes == model[..13 * BLOCK], "{what}: wrong bytes");
            }
            account(&mut pool, "after all");
        }
    }
    assert!(short > 0 && cut > 0, "there is space for some of it: {cut} of {}", cut + short);
}

/// So little memory that no long extent fits.
const LITTLE: usize = 200 << 10;

/// A pool full of files of so many blocks. One file has a long extent and a short one behind it; its contents
/// are returned.
fn full(piece: usize) -> (World, ObjectId, Vec<u8>) {
    let options = FormatOptions::portable(Scheme::SINGLE).members_max(4).extent_bytes(65_536);
    let mut world = formatted(vec![Geometry::new(512, 3000)], &options, 4 << 20);
    let mut model = vec![0; 16 * BLOCK];
    model[..11 * BLOCK].fill(1);
    let file = put_file(&mut world.mount(), "file", &model[..11 * BLOCK]).expect("committed");
    world.lent = Lent::new(LITTLE);
    let mut pool = world.mount();
    assert!(write(&mut pool, file, &mut model, 12 * BLOCK, BLOCK, 2));
    let mut files = 0;
    while put(&mut pool, &format!("small {files}"), piece * BLOCK).is_ok() {
        files += 1;
    }
    assert!(files > 36, "{files} files");
    drop(pool);
    (world, file, model)
}
