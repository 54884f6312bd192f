//! Directories listed one entry after the other.

use super::*;
use dynamicfs_core::DirectoryCursor;
use dynamicfs_core::files::RenameMode;

/// Two names of one hash under [`SEED`].
const PAIR: [&[u8]; 2] = [b"n2gzmcd", b"nctql2s"];

/// A name that was given another object moved to the first free place of its hash. A listing that had passed
/// that place missed it.
#[test]
fn a_name_that_is_given_another_object_between_two_calls_is_met() {
    for mode in [RenameMode::Replace, RenameMode::Exchange] {
        let mut machine = Machine::new(256 << 10);
        let mut pool = machine.mount();
        let mut transaction = pool.begin().expect("begun");
        for name in [PAIR[0], PAIR[1], b"new"] {
            put(&mut transaction, name, name);
        }
        transaction.commit().expect("committed");
        let (mut cursor, mut name) = (DirectoryCursor::new(ROOT), [0; 255]);
        let mut met = Vec::new();
        while let Some(entry) = cursor.next(&mut pool, &mut name).expect("listed") {
            met.push(entry.name.to_vec());
            if entry.name == PAIR[0] {
                let mut transaction = pool.begin().expect("begun");
                transaction.unlink(ROOT, PAIR[0]).expect("unlinked");
                transaction.rename((ROOT, b"new"), (ROOT, PAIR[1]), mode).expect("renamed");
                transaction.commit().expect("committed");
            }
        }
        assert_eq!(met.iter().filter(|name| *name == PAIR[1]).count(), 1, "{mode:?}");
        assert_eq!(contents(&mut pool, PAIR[1]).as_deref(), Ok(&b"new"[..]));
        assert_eq!(contents(&mut pool, PAIR[0]), Err(Error::NotFound));
        check(&mut pool);
    }
}

/// A position that was told is where another cursor goes on, in another mount too.
#[test]
fn a_cursor_goes_on_where_another_was() {
    let mut machine = Machine::new(256 << 10);
    let mut pool = machine.mount();
    let mut transaction = pool.begin().expect("begun");
    let mut wanted: Vec<_> = (1..40).map(|n| format!("{n:0width$}", width = 5 * n)).collect();
    for name in &wanted {
        put(&mut transaction, name.as_bytes(), b"");
    }
    transaction.commit().expect("committed");
    drop(pool);
    let (mut position, mut name, mut met) = (0, [0; 255], vec![]);
    loop {
        let mut pool = machine.mount();
        let mut cursor = DirectoryCursor::at(ROOT, position);
        let too_short = cursor.next(&mut pool, &mut []).map(drop);
        assert_eq!(cursor.position(), position, "it stays");
        let Some(entry) = cursor.next(&mut pool, &mut name).expect("listed") else {
            assert_eq!(too_short, Ok(()), "the end needs no room");
            break;
        };
        assert_eq!(too_short, Err(Error::TooLarge));
        assert_eq!(pool.resolve(entry.name), Ok(entry.object));
        met.push(String::from_utf8_lossy(entry.name).into_owned());
        assert!(i64::try_from(entry.next).is_ok() && entry.next > position.max(2), "{:#x}", entry.next);
        position = cursor.position();
    }
    met.sort();
    wanted.sort();
    assert_eq!(met, wanted);
    let mut pool = machine.mount();
    for start in [1, 2] {
        let first = DirectoryCursor::at(ROOT, start).next(&mut pool, &mut name).expect("listed").is_some();
        assert!(first, "1 and 2 are the beginning");
    }
    let mut end = DirectoryCursor::at(ROOT, i64::MAX as u64);
    assert_eq!(end.next(&mut pool, &mut name), Ok(None));
}

#[test]
fn what_is_no_directory_is_not_listed() {
    let mut machine = Machine::new(256 << 10);
    let mut pool = machine.mount();
    let mut transaction = pool.begin().expect("begun");
    let file = put(&mut transaction, b"file", b"");
    let mut name = [0; 255];
    assert_eq!(DirectoryCursor::new(file).next(&mut transaction, &mut name), Err(Error::NotADirectory));
    assert_eq!(DirectoryCursor::new(ObjectId(999)).next(&mut transaction, &mut name), Err(Error::NotFound));
}
