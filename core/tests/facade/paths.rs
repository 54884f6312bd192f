//! Paths: directories made, files written and read whole, subtrees removed.

use super::*;
use dynamicfs_core::files::{AttributeMode, Change, RenameMode};

#[test]
fn the_directories_of_a_path_are_made_once() {
    let mut machine = Machine::new(256 << 10);
    let mut pool = machine.mount();
    let mut transaction = pool.begin().expect("begun");
    let deep = transaction.create_all(b"/a/b//c/").expect("made");
    assert_eq!(transaction.create_all(b"a/b/c"), Ok(deep));
    assert_eq!(transaction.create_all(b"/"), Ok(ROOT));
    assert_eq!(transaction.resolve(b"a/b/c"), Ok(deep));
    assert_eq!(transaction.inode(deep).expect("there").mode, 0o755);
    put(&mut transaction, b"a/file", b"");
    for (path, error) in [
        (&b"a/file/d"[..], Error::NotADirectory),
        (b"a/file", Error::NotADirectory),
        (b"a/new/../x", Error::InvalidName),
        (b"new/.", Error::InvalidName),
    ] {
        assert_eq!(transaction.create_all(path), Err(error), "{}", path.escape_ascii());
    }
    assert_eq!(names(&mut transaction, ROOT), ["a"], "nothing is made on the way to an error");
    assert!(!transaction.is_poisoned());
    transaction.commit().expect("committed");
    assert_eq!(pool.health().objects, 5);
    check(&mut pool);
}

#[test]
fn a_file_is_written_and_read_whole() {
    let mut machine = Machine::new(256 << 10);
    let mut pool = machine.mount();
    let mut transaction = pool.begin().expect("begun");
    transaction.create_all(b"etc").expect("made");
    let first = transaction.write_file(b"etc/config", b"old").expect("written");
    assert_eq!(transaction.inode(first).expect("there").mode, 0o644);
    let change = Change::new().mode(0o640).uid(7);
    transaction.change_attributes(first, &change).expect("changed");
    transaction.set_attribute(first, b"user.a", b"x", AttributeMode::Create).expect("set");
    let etc = transaction.resolve(b"etc").expect("there");
    transaction.link(first, etc, b"other name").expect("linked");
    transaction.commit().expect("committed");
    for (n, length) in [0, 60, 5000, 70_000, 1].into_iter().enumerate() {
        let bytes = vec![n as u8 + 1; length];
        let mut transaction = pool.begin().expect("begun");
        let written = transaction.write_file(b"/etc/config", &bytes).expect("written");
        let inode = transaction.inode(written).expect("there");
        assert_eq!((inode.mode, inode.uid, inode.links), (0o640, 7, 1));
        assert_eq!(contents(&mut transaction, b"etc/config").as_ref(), Ok(&bytes));
        transaction.commit().expect("committed");
        assert_eq!(contents(&mut pool, b"etc/config").as_ref(), Ok(&bytes));
        assert_eq!(contents(&mut pool, b"etc/other name").as_deref(), Ok(&b"old"[..]));
    }
    assert_eq!(names(&mut pool, etc), ["config", "other name"]);
    let mut short = [9; 2];
    assert_eq!(pool.read_file(b"etc/other name", &mut short), Err(Error::TooLarge));
    assert_eq!(short, [9; 2], "nothing is read");
    assert_eq!(pool.read_file(b"etc", &mut short), Err(Error::IsADirectory));
    assert_eq!(pool.read_file(b"etc/nothing", &mut short), Err(Error::NotFound));
    let mut transaction = pool.begin().expect("begun");
    assert_eq!(transaction.write_file(b"etc", b"x"), Err(Error::IsADirectory));
    assert_eq!(transaction.write_file(b"no/file", b"x"), Err(Error::NotFound));
    assert_eq!(transaction.write_file(b"etc/config/file", b"x"), Err(Error::NotADirectory));
    assert_eq!(transaction.write_file(b"/", b"x"), Err(Error::InvalidName));
    assert!(!transaction.is_poisoned());
    transaction.create(ROOT, b"link", &MakeRequest::Symlink(b"etc"), &Attributes::default()).expect("made");
    transaction.write_file(b"link", b"no link any more").expect("written");
    transaction.commit().expect("committed");
    assert_eq!(contents(&mut pool, b"link").as_deref(), Ok(&b"no link any more"[..]));
    check(&mut pool);
}

/// Where there is no space for the new contents the old ones stay, and the transaction goes on.
#[test]
fn a_file_that_does_not_fit_leaves_the_old_one() {
    let mut machine = Machine::new(256 << 10);
    let mut pool = machine.mount();
    let mut transaction = pool.begin().expect("begun");
    transaction.write_file(b"file", &[1; 60_000]).expect("written");
    transaction.commit().expect("committed");
    let objects = pool.health().objects;
    let content_bytes = pool.health().content_bytes;
    let mut transaction = pool.begin().expect("begun");
    put(&mut transaction, b"beside", b"beside");
    for path in [&b"file"[..], b"new"] {
        assert_eq!(transaction.write_file(path, &[2; 300_000]), Err(NO_SPACE));
        assert!(!transaction.is_poisoned());
    }
    assert_eq!(contents(&mut transaction, b"file"), Ok(vec![1; 60_000]));
    transaction.commit().expect("committed");
    assert_eq!(contents(&mut pool, b"file"), Ok(vec![1; 60_000]));
    assert_eq!(names(&mut pool, ROOT), ["beside", "file"]);
    assert_eq!(pool.health().objects, objects + 1);
    assert_eq!(pool.health().content_bytes, content_bytes + 6);
    check(&mut pool);
}

#[test]
fn a_subtree_is_removed_whole() {
    let mut machine = Machine::new(512 << 10);
    let mut pool = machine.mount();
    let mut transaction = pool.begin().expect("begun");
    put(&mut transaction, b"kept", b"kept");
    for directory in 0..6 {
        let path = format!("top/{directory}/below");
        transaction.create_all(path.as_bytes()).expect("made");
        for file in 0..12 {
            put(&mut transaction, format!("{path}/{file}").as_bytes(), &[file; 600]);
        }
    }
    let kept = transaction.resolve(b"kept").expect("there");
    let below = transaction.resolve(b"top/3/below").expect("there");
    transaction.link(kept, below, b"another name of what is kept").expect("linked");
    let up = MakeRequest::Symlink(b"../../../kept");
    transaction.create(below, b"link", &up, &Attributes::default()).expect("made");
    transaction.commit().expect("committed");
    let mut transaction = pool.begin().expect("begun");
    transaction.remove_all(b"top").expect("removed");
    drop(transaction);
    assert_eq!(names(&mut pool, ROOT), ["kept", "top"], "undone");
    let mut transaction = pool.begin().expect("begun");
    assert_eq!(transaction.remove_all(b"/"), Err(Error::InvalidName));
    assert_eq!(transaction.remove_all(b"nothing"), Err(Error::NotFound));
    assert_eq!(transaction.remove_all(b"kept/x"), Err(Error::NotADirectory));
    transaction.remove_all(b"top/3/below/5").expect("a file is removed too");
    transaction.remove_all(b"/top/").expect("removed");
    transaction.commit().expect("committed");
    assert_eq!(names(&mut pool, ROOT), ["kept"]);
    assert_eq!(contents(&mut pool, b"kept").as_deref(), Ok(&b"kept"[..]));
    assert_eq!(pool.inode(kept).expect("there").links, 1);
    assert_eq!(pool.health().objects, 2);
    check(&mut pool);
}

/// No stack grows with the depth, and no limit of it is met.
#[test]
fn a_subtree_of_any_depth_is_removed() {
    let mut machine = Machine::new(4 << 20);
    let mut pool = machine.mount();
    let mut transaction = pool.begin().expect("begun");
    let mut at = transaction.create_all(b"top").expect("made");
    for depth in 0..4000 {
        if depth % 7 == 0 {
            transaction.create(at, b"zz", &MakeRequest::File, &Attributes::default()).expect("made");
        }
        at = transaction.create(at, b"d", &MakeRequest::Directory, &Attributes::default()).expect("made");
    }
    transaction.commit().expect("committed");
    let mut transaction = pool.begin().expect("begun");
    transaction.remove_all(b"top").expect("removed");
    transaction.commit().expect("committed");
    assert_eq!(pool.health().objects, 1);
    check(&mut pool);
}

/// A pool that is full of small files has no room for all the nodes that their removal copies. The files
/// removed until then are part of the transaction, and the next one removes more.
#[test]
fn a_subtree_that_does_not_fit_a_transaction_goes_in_several() {
    let mut machine = Machine::new(560 << 10);
    let mut pool = machine.mount();
    let mut made = 0;
    'full: for directory in 0.. {
        let mut transaction = pool.begin().expect("begun");
        let path = format!("top/{directory}");
        if transaction.create_all(path.as_bytes()).is_err() {
            break;
        }
        for file in 0..50 {
            let path = format!("{path}/{file:060}");
            match transaction.write_file(path.as_bytes(), &[5; 90]) {
                Ok(_) => made += 1,
                Err(error) => {
                    assert_eq!(error, NO_SPACE);
                    transaction.commit().expect("committed");
                    break 'full;
                }
            }
        }
        transaction.commit().expect("committed");
    }
    assert!(made > 500, "{made} files");
    let mut transaction = pool.begin().expect("begun");
    let (mut calls, mut before) = (0, u64::MAX);
    loop {
        calls += 1;
        match transaction.remove_all(b"top") {
            Ok(()) => break,
            Err(error) => assert_eq!(error, NO_SPACE),
        }
        assert!(!transaction.is_poisoned());
        transaction.sync().expect("synced");
        let mut objects = 0;
        transaction.each_inode(|_, _| objects += 1).expect("counted");
        assert!(objects < before, "each call removes something");
        before = objects;
    }
    transaction.commit().expect("committed");
    assert!(calls > 1, "it went in one");
    assert_eq!(names(&mut pool, ROOT), Vec::<String>::new());
    check(&mut pool);
}

/// What a directory was moved out of or into is walked all the same.
#[test]
fn a_subtree_that_was_moved_is_removed() {
    let mut machine = Machine::new(256 << 10);
    let mut pool = machine.mount();
    let mut transaction = pool.begin().expect("begun");
    for path in [&b"a/b/c/d"[..], b"x/y/z"] {
        transaction.create_all(path).expect("made");
    }
    let (b, y) = (transaction.resolve(b"a/b").expect("there"), transaction.resolve(b"x/y").expect("there"));
    transaction.rename((b, b"c"), (y, b"z"), RenameMode::Exchange).expect("exchanged");
    let x = transaction.resolve(b"x").expect("there");
    transaction.rename((ROOT, b"a"), (x, b"a"), RenameMode::NoReplace).expect("moved");
    transaction.remove_all(b"x").expect("removed");
    transaction.commit().expect("committed");
    assert_eq!(pool.health().objects, 1);
    check(&mut pool);
}
