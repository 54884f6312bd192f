//! Renames in their modes, and extended attributes in theirs.

use super::*;
use dynamicfs_core::files::{AttributeMode, RenameMode};

/// `/a` with `/a/inner` and `/a/inner/deep`, `/b` with `/b/file`, and the file `/c`.
fn tree(transaction: &mut Changes<'_, '_>) {
    transaction.create_all(b"a/inner").expect("made");
    transaction.create_all(b"b").expect("made");
    put(transaction, b"a/inner/deep", b"deep");
    put(transaction, b"b/file", b"file");
    put(transaction, b"c", b"c");
}

/// What is there, and how often each directory is counted.
fn picture(pool: &mut impl ReadObjects) -> Vec<String> {
    let (mut found, mut waiting) = (vec![], vec![(String::new(), ROOT, ROOT)]);
    while let Some((path, directory, parent)) = waiting.pop() {
        let inode = pool.inode(directory).expect("there");
        assert_eq!(inode.parent, parent, "{path}");
        let names = names(pool, directory);
        assert_eq!(inode.size, names.len() as u64, "{path}");
        found.push(format!("{path}/ {}", inode.links));
        let mut directories = 0;
        for name in names {
            let below = format!("{path}/{name}");
            let entry = pool.lookup(directory, name.as_bytes()).expect("there");
            let inode = pool.inode(entry.object).expect("there");
            assert_eq!(entry.kind, inode.kind);
            if entry.kind == dynamicfs_core::files::ObjectKind::Directory {
                directories += 1;
                waiting.push((below, entry.object, directory));
            } else {
                assert_eq!(inode.links, 1);
                let contents = contents(pool, below.as_bytes()).expect("read");
                found.push(format!("{below} {}", String::from_utf8_lossy(&contents)));
            }
        }
        assert_eq!(inode.links, 2 + directories, "{path}");
    }
    found.sort();
    found
}

#[test]
fn two_names_exchange_what_they_mean() {
    let cases: [(&str, &str, &[&str]); 5] = [
        // Directories of different parents; the deeper one has none below it.
        (
            "a/inner",
            "b",
            &["/ 4", "/a/ 3", "/a/inner/ 2", "/a/inner/file file", "/b/ 2", "/b/deep deep", "/c c"],
        ),
        // Directories beside each other.
        ("a", "b", &["/ 4", "/a/ 2", "/a/file file", "/b/ 3", "/b/inner/ 2", "/b/inner/deep deep", "/c c"]),
        // A directory and a file, in different places.
        (
            "a/inner/deep",
            "b",
            &[
                "/ 3",
                "/a/ 3",
                "/a/inner/ 3",
                "/a/inner/deep/ 2",
                "/a/inner/deep/file file",
                "/b deep",
                "/c c",
            ],
        ),
        (
            "c",
            "b/file",
            &["/ 4", "/a/ 3", "/a/inner/ 2", "/a/inner/deep deep", "/b/ 2", "/b/file c", "/c file"],
        ),
        ("c", "c", &["/ 4", "/a/ 3", "/a/inner/ 2", "/a/inner/deep deep", "/b/ 2", "/b/file file", "/c c"]),
    ];
    for (one, other, expected) in cases {
        let mut machine = Machine::new(256 << 10);
        let mut pool = machine.mount();
        let mut transaction = pool.begin().expect("begun");
        tree(&mut transaction);
        transaction.commit().expect("committed");
        let before = picture(&mut pool);
        for (from, to) in [(one, other), (other, one)] {
            let mut transaction = pool.begin().expect("begun");
            let from = transaction.resolve_parent(from.as_bytes()).expect("there");
            let to = transaction.resolve_parent(to.as_bytes()).expect("there");
            transaction.rename(from, to, RenameMode::Exchange).expect("exchanged");
            transaction.commit().expect("committed");
            if from.1 == one.as_bytes() || one.ends_with(core::str::from_utf8(from.1).expect("text")) {
                assert_eq!(picture(&mut pool), expected, "{one} and {other}");
            }
        }
        assert_eq!(picture(&mut pool), before, "{one} and {other}, and back");
        check(&mut pool);
    }
}

#[test]
fn what_cannot_be_exchanged_is_left_as_it_was() {
    let mut machine = Machine::new(256 << 10);
    let mut pool = machine.mount();
    let mut transaction = pool.begin().expect("begun");
    tree(&mut transaction);
    let before = picture(&mut transaction);
    let a = transaction.resolve(b"a").expect("there");
    let inner = transaction.resolve(b"a/inner").expect("there");
    let c = transaction.resolve(b"c").expect("there");
    let mut refused = |one: (ObjectId, &[u8]), other: (ObjectId, &[u8]), error: Error| {
        assert_eq!(transaction.rename(one, other, RenameMode::Exchange), Err(error));
        assert_eq!(transaction.rename(other, one, RenameMode::Exchange), Err(error));
    };
    refused((ROOT, b"a"), (a, b"inner"), Error::IntoItself);
    refused((ROOT, b"a"), (inner, b"deep"), Error::IntoItself);
    refused((ROOT, b"a"), (ROOT, b"nothing"), Error::NotFound);
    refused((ROOT, b"a"), (ROOT, b".."), Error::InvalidName);
    refused((ROOT, b"a"), (c, b"x"), Error::NotADirectory);
    refused((ROOT, b"a"), (ObjectId(999), b"x"), Error::NotFound);
    assert!(!transaction.is_poisoned());
    assert_eq!(picture(&mut transaction), before);
    transaction.commit().expect("committed");
    check(&mut pool);
}

#[test]
fn a_rename_replaces_only_what_it_may() {
    let mut machine = Machine::new(256 << 10);
    let mut pool = machine.mount();
    let mut transaction = pool.begin().expect("begun");
    tree(&mut transaction);
    let b = transaction.resolve(b"b").expect("there");
    assert_eq!(transaction.rename((b, b"file"), (ROOT, b"c"), RenameMode::NoReplace), Err(Error::Exists));
    assert_eq!(transaction.rename((b, b"file"), (ROOT, b"c"), RenameMode::Replace), Ok(()));
    assert_eq!(transaction.rename((ROOT, b"c"), (ROOT, b"d"), RenameMode::NoReplace), Ok(()));
    assert_eq!(transaction.rename((ROOT, b"b"), (ROOT, b"a"), RenameMode::Replace), Err(Error::NotEmpty));
    transaction.create_all(b"empty").expect("made");
    assert_eq!(transaction.rename((ROOT, b"a"), (ROOT, b"empty"), RenameMode::Replace), Ok(()));
    assert_eq!(
        picture(&mut transaction),
        ["/ 4", "/b/ 2", "/d file", "/empty/ 3", "/empty/inner/ 2", "/empty/inner/deep deep"]
    );
    transaction.commit().expect("committed");
    check(&mut pool);
}

#[test]
fn an_attribute_is_made_or_replaced_as_it_is_asked_for() {
    use AttributeMode::{Create, CreateOrReplace, Replace};
    let mut machine = Machine::new(256 << 10);
    let mut pool = machine.mount();
    let mut transaction = pool.begin().expect("begun");
    let file = put(&mut transaction, b"file", b"");
    let mut value = [0; 8];
    for (mode, byte, done) in [
        (Replace, 1, Err(Error::NotFound)),
        (Create, 2, Ok(())),
        (Create, 3, Err(Error::Exists)),
        (Replace, 4, Ok(())),
        (CreateOrReplace, 5, Ok(())),
    ] {
        let was = transaction.attribute(file, b"user.a", &mut value).map(|_| value[0]);
        assert_eq!(transaction.set_attribute(file, b"user.a", &[byte], mode), done);
        let is = transaction.attribute(file, b"user.a", &mut value).map(|_| value[0]);
        assert_eq!(is, if done.is_ok() { Ok(byte) } else { was }, "{mode:?}");
    }
    transaction.set_attribute(file, b"user.b", b"new", CreateOrReplace).expect("set");
    assert!(!transaction.is_poisoned());
    transaction.commit().expect("committed");
    assert_eq!(pool.attribute(file, b"user.a", &mut value), Ok(1));
    check(&mut pool);
}
