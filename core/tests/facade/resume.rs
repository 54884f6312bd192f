//! Transactions that are put aside.

use super::*;

const NO_TRANSACTION: Error = Error::Storage(StorageError::NoTransaction);

#[test]
fn a_transaction_goes_on_where_it_was_put_aside() {
    let mut machine = Machine::new(256 << 10);
    let mut pool = machine.mount();
    let mut transaction = pool.begin().expect("begun");
    put(&mut transaction, b"one", b"1");
    transaction.suspend();
    let mut transaction = pool.resume();
    assert!(transaction.is_open());
    assert_eq!(contents(&mut transaction, b"one").expect("read"), b"1");
    put(&mut transaction, b"two", b"2");
    transaction.suspend();
    pool.resume().commit().expect("committed");
    assert!(!pool.resume().is_open());
    drop(pool);
    let mut pool = machine.mount();
    assert_eq!(contents(&mut pool, b"one").expect("read"), b"1");
    assert_eq!(contents(&mut pool, b"two").expect("read"), b"2");
}

#[test]
fn another_call_undoes_what_was_put_aside() {
    let mut machine = Machine::new(256 << 10);
    let mut pool = machine.mount();
    let mut transaction = pool.begin().expect("begun");
    put(&mut transaction, b"one", b"1");
    transaction.suspend();
    assert_eq!(contents(&mut pool, b"one"), Err(Error::NotFound));
    assert!(!pool.resume().is_open());
}

#[test]
fn nothing_that_was_put_aside_takes_no_changes() {
    let mut machine = Machine::new(256 << 10);
    let mut pool = machine.mount();
    let mut transaction = pool.resume();
    assert!(!transaction.is_open());
    assert_eq!(transaction.write_file(b"one", b"1"), Err(NO_TRANSACTION));
    assert_eq!(contents(&mut transaction, b"one"), Err(Error::NotFound));
    assert_eq!(transaction.commit(), Err(NO_TRANSACTION));
    assert_eq!(pool.begin().expect("begun").commit().map(drop), Ok(()));
}

#[test]
fn a_transaction_knows_what_it_made() {
    let mut machine = Machine::new(256 << 10);
    let mut pool = machine.mount();
    let mut transaction = pool.begin().expect("begun");
    let one = put(&mut transaction, b"one", b"1");
    assert!(transaction.has_made(one) && !transaction.has_made(ROOT));
    transaction.sync().expect("committed");
    assert!(!transaction.has_made(one));
    drop(transaction);
    assert!(!pool.resume().has_made(ObjectId(1 << 40)));
}
