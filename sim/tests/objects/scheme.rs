//! An object is given another scheme between two changes of its contents in one transaction, while a window
//! of it waits to be stored. The length of a window follows from the scheme. 2+3 needs more work space for an
//! extent of full length than little memory has, and takes shorter ones.
//!
//! What waited was taken for a window of the new length. Bytes behind it were lost, or came back after they
//! had been cut off, and no call failed.

use super::*;
use dynamicfs_core::ReadObjects;

const COPIES: Scheme = Scheme::mirror(4);
const STRIPES: Scheme = Scheme { data: 2, parity: 3 };

/// So little that a window is one extent, and the work space little more.
const LITTLE: usize = 200 << 10;

/// The bytes of an extent of copies. One of stripes has half of that.
const LONG: usize = 16 << 10;

/// Writes to a file of one scheme, so that a window waits, gives it the other, and does the rest. Then what
/// is there after the next mount is compared with what should be.
fn change_between(
    (from, to): (Scheme, Scheme),
    (offset, bytes): (usize, usize),
    then: impl FnOnce(&mut Objects<'_, &mut SimArray>, ObjectId, &mut Vec<u8>),
) {
    let mut world = World::new(COPIES, 5, LITTLE);
    let mut pool = world.mount();
    let mut transaction = pool.begin().expect("begun");
    let attributes = PLAIN.scheme(from);
    let file = transaction.create(ObjectId::ROOT, b"file", &MakeRequest::File, &attributes).expect("made");
    let mut expected = vec![1; LONG];
    transaction.write_all(file, 0, &expected).expect("written");
    transaction.commit().expect("committed");

    let mut transaction = pool.begin().expect("begun");
    // The first write opens groups: where none is open nothing waits.
    for value in [2, 3] {
        transaction.write_all(file, offset as u64, &vec![value; bytes]).expect("written");
        expected[offset..][..bytes].fill(value);
    }
    let change = Change::new().scheme(to);
    transaction.change_attributes(file, &change).expect("changed");
    then(transaction.internals_mut(), file, &mut expected);
    transaction.commit().expect("committed");
    drop(pool);

    let mut pool = world.mount();
    let mut found = vec![0; 2 * LONG];
    let read = pool.read(file, 0, &mut found).expect("read");
    assert_eq!(read, expected.len());
    let wrong = (0..read).find(|&at| found[at] != expected[at]);
    assert_eq!(
        wrong,
        None,
        "byte {:?} instead of {:?}",
        wrong.map(|at| found[at]),
        wrong.map(|at| expected[at])
    );
    account_blocks(&mut pool, "after all");
}

#[test]
fn what_waits_behind_a_shorter_window_stays() {
    change_between((COPIES, STRIPES), (LONG - 1000, 100), |objects, file, expected| {
        objects.write_all(file, 0, &[4; LONG / 2]).expect("written");
        expected[..LONG / 2].fill(4);
    });
}

#[test]
fn what_is_stored_behind_what_waits_stays_in_a_longer_window() {
    change_between((STRIPES, COPIES), (0, 100), |objects, file, expected| {
        objects.write_all(file, 10_000, &[4; 10]).expect("written");
        expected[10_000..10_010].fill(4);
    });
}

#[test]
fn what_is_cut_off_in_a_longer_window_reads_as_zeros() {
    change_between((STRIPES, COPIES), (0, 100), |objects, file, expected| {
        objects.truncate(file, 12_000).expect("cut");
        objects.truncate(file, LONG as u64).expect("grown");
        expected[12_000..].fill(0);
    });
}
