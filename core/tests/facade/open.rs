//! Handles: how files are opened, and what is done with them.

use super::*;
use dynamicfs_core::{Handle, OpenOptions};
use embedded_io::{Read, Seek, SeekFrom, Write};

#[test]
fn a_file_is_opened_as_it_is_asked_for() {
    let mut machine = Machine::new(256 << 10);
    let mut pool = machine.mount();
    let mut transaction = pool.begin().expect("begun");
    let open = |transaction: &mut Changes<'_, '_>, options: OpenOptions, path: &[u8]| {
        options.open(transaction, path).map(|handle| (handle.object(), handle.position()))
    };
    let plain = OpenOptions::new();
    assert_eq!(open(&mut transaction, plain, b"file"), Err(Error::NotFound));
    assert_eq!(open(&mut transaction, plain.truncate(true), b"file"), Err(Error::NotFound));
    assert_eq!(open(&mut transaction, plain.create(true), b"no/file"), Err(Error::NotFound));
    let (file, _) = open(&mut transaction, plain.create(true), b"file").expect("made");
    transaction.write_all(file, 0, b"contents").expect("written");
    assert_eq!(open(&mut transaction, plain.create(true), b"file"), Ok((file, 0)), "it is not made again");
    assert_eq!(open(&mut transaction, plain, b"/file"), Ok((file, 0)));
    assert_eq!(open(&mut transaction, plain.create_new(true), b"file"), Err(Error::Exists));
    assert_eq!(open(&mut transaction, plain.create_new(true).truncate(true), b"file"), Err(Error::Exists));
    assert_eq!(contents(&mut transaction, b"file").as_deref(), Ok(&b"contents"[..]));
    assert_eq!(open(&mut transaction, plain.create(true).truncate(true), b"file"), Ok((file, 0)));
    assert_eq!(contents(&mut transaction, b"file").as_deref(), Ok(&b""[..]));
    let secret = Attributes::new().mode(0o600);
    let (new, _) = open(&mut transaction, plain.create_new(true).attributes(secret), b"new").expect("made");
    assert_eq!(transaction.inode(new).expect("there").mode, 0o600);
    assert_eq!(transaction.inode(file).expect("there").mode, 0o644);
    transaction.create_all(b"directory").expect("made");
    transaction.create(ROOT, b"link", &MakeRequest::Symlink(b"file"), &Attributes::default()).expect("made");
    for options in [plain, plain.create(true), plain.truncate(true)] {
        assert_eq!(open(&mut transaction, options, b"directory"), Err(Error::IsADirectory));
        assert_eq!(open(&mut transaction, options, b"link"), Err(Error::NotAFile), "links are not followed");
        assert_eq!(open(&mut transaction, options, b"/"), Err(Error::InvalidName));
    }
    assert!(!transaction.is_poisoned());
    transaction.commit().expect("committed");
    let mut handle = Handle::open_path(&mut pool, b"new").expect("opened");
    assert_eq!(handle.read(&mut pool, &mut [0; 4]), Ok(0));
    check(&mut pool);
}

/// Several handles are open at a time, and write and read in turn.
#[test]
fn handles_are_values_beside_each_other() {
    let mut machine = Machine::new(2 << 20);
    let mut pool = machine.mount();
    let mut transaction = pool.begin().expect("begun");
    let options = OpenOptions::new().create(true);
    let mut first = options.open(&mut transaction, b"first").expect("opened");
    let mut second = options.append(true).open(&mut transaction, b"second").expect("opened");
    let mut other = options.append(true).open(&mut transaction, b"second").expect("opened");
    assert_eq!((first.appends(), second.appends()), (false, true));
    for n in 0..100_u8 {
        assert_eq!(first.write(&mut transaction, &[n; 40]), Ok(40));
        let appends = if n % 2 == 0 { &mut second } else { &mut other };
        assert_eq!(appends.write(&mut transaction, &[n; 30]), Ok(30));
        assert_eq!(appends.position(), 30 * (u64::from(n) + 1), "behind what it wrote");
    }
    assert_eq!(second.write_at(&mut transaction, 3, b"there"), Ok(5), "at an offset, also where it appends");
    assert_eq!(first.seek(&mut transaction, SeekFrom::Start(10)), Ok(10));
    assert_eq!(first.write(&mut transaction, b"over"), Ok(4));
    assert_eq!(first.position(), 14);
    transaction.commit().expect("committed");
    let mut piece = [0; 8];
    assert_eq!(first.read_at(&mut pool, 8, &mut piece), Ok(8));
    assert_eq!(&piece, b"\0\0over\0\0");
    assert_eq!(first.position(), 14, "it stays");
    assert_eq!(first.stream(&mut pool).read(&mut piece), Ok(8));
    assert_eq!(first.position(), 22);
    let second = contents(&mut pool, b"second").expect("read");
    assert_eq!(second.len(), 3000);
    assert_eq!(&second[..8], b"\0\0\0there");
    assert!(second[8..].iter().zip(8..).all(|(&byte, at)| usize::from(byte) == at / 30));
    check(&mut pool);
}

/// A dropped transaction gave its objects' numbers again: a handle that outlived it wrote into the next file.
#[test]
fn a_handle_outlives_what_it_is_of_and_finds_nothing_else() {
    let mut machine = Machine::new(2 << 20);
    let mut pool = machine.mount();
    let options = OpenOptions::new().create(true);
    let mut transaction = pool.begin().expect("begun");
    let mut undone = options.open(&mut transaction, b"undone").expect("opened");
    drop(transaction);
    let mut transaction = pool.begin().expect("begun");
    let kept = options.open(&mut transaction, b"kept").expect("opened");
    assert_ne!(kept.object(), undone.object());
    assert_eq!(undone.write(&mut transaction, b"lost"), Err(Error::NotFound));
    transaction.commit().expect("committed");
    assert_eq!(undone.read(&mut pool, &mut [0; 4]), Err(Error::NotFound));
    assert_eq!(contents(&mut pool, b"kept").as_deref(), Ok(&b""[..]));
    check(&mut pool);
}

#[test]
fn a_stream_of_an_appending_handle_appends() {
    let mut machine = Machine::new(256 << 10);
    let mut pool = machine.mount();
    let mut transaction = pool.begin().expect("begun");
    put(&mut transaction, b"log", b"one\n");
    let mut log = OpenOptions::new().append(true).open(&mut transaction, b"log").expect("opened");
    log.stream(&mut transaction).seek(SeekFrom::Start(0)).expect("sought");
    log.stream(&mut transaction).write_all(b"two\n").expect("written");
    log.stream(&mut transaction).flush().expect("flushed");
    assert_eq!(contents(&mut transaction, b"log").as_deref(), Ok(&b"one\ntwo\n"[..]));
}

#[test]
fn a_file_is_cut_and_grown_through_its_handle() {
    let mut machine = Machine::new(256 << 10);
    let mut pool = machine.mount();
    let mut transaction = pool.begin().expect("begun");
    let mut file = OpenOptions::new().create(true).open(&mut transaction, b"file").expect("opened");
    file.write(&mut transaction, &[7; 10_000]).expect("written");
    file.set_len(&mut transaction, 5000).expect("cut");
    assert_eq!(file.position(), 10_000, "it stays");
    file.set_len(&mut transaction, 20_000).expect("grown");
    transaction.commit().expect("committed");
    let found = contents(&mut pool, b"file").expect("read");
    assert_eq!(found.len(), 20_000);
    assert!(found.iter().enumerate().all(|(at, &byte)| byte == if at < 5000 { 7 } else { 0 }));
    check(&mut pool);
}

/// A sync makes everything of the transaction durable, and only what comes after it is undone by a drop.
#[test]
fn a_sync_commits_everything_and_goes_on() {
    let mut machine = Machine::new(256 << 10);
    let mut pool = machine.mount();
    let mut transaction = pool.begin().expect("begun");
    let options = OpenOptions::new().create(true);
    let mut one = options.open(&mut transaction, b"one").expect("opened");
    let mut other = options.open(&mut transaction, b"other").expect("opened");
    one.write(&mut transaction, b"before").expect("written");
    other.write(&mut transaction, b"of another handle").expect("written");
    let first = one.sync(&mut transaction).expect("synced");
    one.write(&mut transaction, b", after").expect("written");
    let second = transaction.sync().expect("synced");
    assert!(second > first);
    one.write(&mut transaction, b", never").expect("written");
    put(&mut transaction, b"never", b"never");
    drop(transaction);
    assert_eq!(pool.health().generation, second);
    drop(pool);
    let mut pool = machine.mount();
    assert_eq!(contents(&mut pool, b"one").as_deref(), Ok(&b"before, after"[..]));
    assert_eq!(contents(&mut pool, b"other").as_deref(), Ok(&b"of another handle"[..]));
    assert_eq!(contents(&mut pool, b"never"), Err(Error::NotFound));
    check(&mut pool);
}

#[test]
fn a_sync_that_fails_ends_the_transaction() {
    let mut machine = Machine::new(256 << 10);
    let mut pool = machine.mount();
    let mut transaction = pool.begin().expect("begun");
    put(&mut transaction, b"kept", b"kept");
    transaction.sync().expect("synced");
    put(&mut transaction, b"undone", b"undone");
    transaction.poison();
    assert_eq!(transaction.sync(), Err(Error::Storage(StorageError::Poisoned)));
    let over = Error::Storage(StorageError::NoTransaction);
    assert_eq!(transaction.create_all(b"more"), Err(over));
    assert_eq!(transaction.sync(), Err(over));
    assert_eq!(contents(&mut transaction, b"undone"), Err(Error::NotFound), "it was undone");
    drop(transaction);
    let mut transaction = pool.begin().expect("begun anew");
    put(&mut transaction, b"undone", b"done now");
    transaction.commit().expect("committed");
    assert_eq!(names(&mut pool, ROOT), ["kept", "undone"]);
    check(&mut pool);
}
