//! Objects of another kind than what is asked of them.

use super::*;
use core::ops::ControlFlow;
use dynamicfs_core::ReadObjects;
use dynamicfs_core::error::FormatError;
use dynamicfs_core::format::inode::ObjectKind;
use dynamicfs_core::types::DiskIndex;

#[test]
fn what_does_not_suit_an_objects_kind_is_refused() {
    let mut world = World::new(Scheme::mirror(2), 3, MEMORY);
    let mut pool = world.mount();
    let mut transaction = pool.begin().expect("begun");
    let mut make = |name: &[u8], what: MakeRequest<'_>| {
        transaction.create(ObjectId::ROOT, name, &what, &PLAIN).expect("made")
    };
    let file = make(b"file", MakeRequest::File);
    let directory = make(b"directory", MakeRequest::Directory);
    let symlink = make(b"symlink", MakeRequest::Symlink(b"target"));
    let pipe = make(b"pipe", MakeRequest::Special(ObjectKind::Fifo));
    for (object, error) in [
        (ObjectId::ROOT, Error::IsADirectory),
        (directory, Error::IsADirectory),
        (pipe, Error::NotAFile),
        (symlink, Error::NotAFile),
    ] {
        assert_eq!(transaction.write(object, 0, b"x"), Err(error));
        assert_eq!(transaction.write_all(object, 5, b"x"), Err(error));
        assert_eq!(transaction.truncate(object, 0), Err(error));
        if object != symlink {
            assert_eq!(transaction.read(object, 0, &mut [0; 9]), Err(error));
        }
    }
    let mut target = [0; 9];
    assert_eq!(transaction.read(symlink, 0, &mut target), Ok(6), "a link is read as it was made");
    for object in [file, symlink, pipe] {
        let none = Error::NotADirectory;
        assert_eq!(transaction.list(object, 0, |_| ControlFlow::<()>::Continue(())), Err(none));
        assert_eq!(transaction.lookup(object, b"x"), Err(none));
        assert_eq!(transaction.create(object, b"x", &MakeRequest::File, &PLAIN), Err(none));
        assert_eq!(transaction.unlink(object, b"x"), Err(none));
        assert_eq!(transaction.link(file, object, b"x"), Err(none));
        assert_eq!(
            transaction.rename((ObjectId::ROOT, b"file"), (object, b"x"), RenameMode::Replace),
            Err(none)
        );
    }
    assert_eq!(transaction.link(directory, ObjectId::ROOT, b"x"), Err(Error::IsADirectory));
    transaction.commit().expect("committed");
    account(&mut pool, "after all");
}

/// A symbolic link took writes like a file, and became longer than any link may be.
#[test]
fn a_symbolic_link_is_never_longer_than_one_may_be() {
    let mut world = World::new(Scheme::mirror(2), 3, MEMORY);
    let mut pool = world.mount();
    let mut transaction = pool.begin().expect("begun");
    let longest = vec![b'x'; 4095];
    let request = MakeRequest::Symlink(&longest);
    let link = transaction.create(ObjectId::ROOT, b"longest", &request, &PLAIN).expect("made");
    let longer = vec![b'x'; 4096];
    let request = MakeRequest::Symlink(&longer);
    assert_eq!(transaction.create(ObjectId::ROOT, b"longer", &request, &PLAIN), Err(Error::TooLarge));
    assert_eq!(transaction.write_all(link, 4095, &[b'y'; 20_000]), Err(Error::NotAFile));
    transaction.commit().expect("committed");
    assert_eq!(pool.inode(link).expect("there").size, 4095);
    let mut bytes = vec![0; 5000];
    assert_eq!(pool.read(link, 0, &mut bytes), Ok(4095));
    assert_eq!(bytes[..4095], longest);
}

/// Made as a device, a symbolic link had no target.
#[test]
fn what_has_a_request_of_its_own_is_not_made_as_a_device() {
    let mut world = World::new(Scheme::mirror(2), 3, MEMORY);
    let mut pool = world.mount();
    let mut transaction = pool.begin().expect("begun");
    for kind in [ObjectKind::File, ObjectKind::Directory, ObjectKind::Symlink] {
        let made = transaction.create(ObjectId::ROOT, b"x", &MakeRequest::Special(kind), &PLAIN);
        assert_eq!(made, Err(Error::InvalidArgument), "{kind:?}");
    }
    for kind in [ObjectKind::BlockDevice, ObjectKind::CharacterDevice, ObjectKind::Fifo, ObjectKind::Socket] {
        let name = format!("{kind:?}");
        let made = transaction.create(ObjectId::ROOT, name.as_bytes(), &MakeRequest::Special(kind), &PLAIN);
        assert!(made.is_ok(), "{kind:?}: {made:?}");
    }
}

/// Two names of one object: a rename that must not replace anything said that it had been done, and did nothing.
#[test]
fn a_rename_onto_a_name_that_exists_says_so_also_when_it_is_its_own() {
    let mut world = World::new(Scheme::mirror(2), 3, MEMORY);
    let mut pool = world.mount();
    put(&mut pool, "a", 100).expect("put");
    let a = pool.resolve(b"a").expect("there");
    let mut transaction = pool.begin().expect("begun");
    transaction.link(a, ObjectId::ROOT, b"b").expect("linked");
    let (from, to) = ((ObjectId::ROOT, &b"a"[..]), (ObjectId::ROOT, &b"b"[..]));
    assert_eq!(transaction.rename(from, to, RenameMode::NoReplace), Err(Error::Exists));
    assert_eq!(transaction.rename(from, from, RenameMode::NoReplace), Err(Error::Exists));
    // As POSIX has it: both names stay.
    assert_eq!(transaction.rename(from, to, RenameMode::Replace), Ok(()));
    assert_eq!(transaction.rename(from, from, RenameMode::Replace), Ok(()));
    transaction.commit().expect("committed");
    assert_eq!((pool.resolve(b"a"), pool.resolve(b"b")), (Ok(a), Ok(a)));
}

/// It panicked.
#[test]
fn a_place_without_a_disk_is_not_formatted() {
    let mut array = SimArray::new(1, [Geometry::new(512, 4000); 2]);
    array.take(1);
    let mut lent = Lent::new(MEMORY);
    for force in [false, true] {
        let options = FormatOptions::portable(Scheme::SINGLE).force(force);
        let made = Pool::format(&mut array, lent.lend(), SERVICES, &mut Rng::new(9), &options, &[]);
        assert_eq!(
            made.map(drop).map_err(|failure| failure.error),
            Err(FormatError::Io { disk: DiskIndex(1), error: IoError::Gone })
        );
    }
}

/// A directory takes the place of an empty one alone.
#[test]
fn a_rename_never_replaces_a_directory_with_entries() {
    let mut world = World::new(Scheme::mirror(2), 3, MEMORY);
    let mut pool = world.mount();
    let mut transaction = pool.begin().expect("begun");
    let mut make = |parent, name: &[u8]| {
        transaction.create(parent, name, &MakeRequest::Directory, &PLAIN).expect("made")
    };
    let (_, full) = (make(ObjectId::ROOT, b"moved"), make(ObjectId::ROOT, b"full"));
    let inside = make(full, b"inside");
    let (from, to) = ((ObjectId::ROOT, &b"moved"[..]), (ObjectId::ROOT, &b"full"[..]));
    assert_eq!(transaction.rename(from, to, RenameMode::Replace), Err(Error::NotEmpty));
    assert_eq!(transaction.lookup(full, b"inside").map(|target| target.object), Ok(inside));
    transaction.unlink(full, b"inside").expect("unlinked");
    assert_eq!(transaction.rename(from, to, RenameMode::Replace), Ok(()));
    transaction.commit().expect("committed");
    assert_eq!(pool.health().objects, 2, "the root, and the one that took the other's place");
}

/// The bytes of a symbolic link were taken off the count of contents when it went, and had never been added
/// to it.
#[test]
fn a_symbolic_link_counts_when_it_is_made_and_when_it_goes() {
    let mut world = World::new(Scheme::mirror(2), 3, MEMORY);
    let mut pool = world.mount();
    put(&mut pool, "file", 1000).expect("put");
    let mut transaction = pool.begin().expect("begun");
    let request = MakeRequest::Symlink(b"target");
    transaction.create(ObjectId::ROOT, b"link", &request, &PLAIN).expect("made");
    transaction.commit().expect("committed");
    assert_eq!(pool.health().content_bytes, 1006);
    let mut transaction = pool.begin().expect("begun");
    transaction.unlink(ObjectId::ROOT, b"link").expect("unlinked");
    transaction.commit().expect("committed");
    assert_eq!(pool.health().content_bytes, 1000);
}
