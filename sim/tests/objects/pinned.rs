//! Objects that stay without a name as long as they are held, and are gone afterwards.

use super::*;
use crate::common::{expect_whole, run_job};
use dynamicfs_core::{MountOptions, Pin, ReadObjects};

/// More extents than one transaction frees.
const LARGE: usize = 400 * 4096;

/// Does something with a pool that was lent so many places.
fn with_pins<T>(world: &mut World, places: usize, f: impl FnOnce(&mut Mounted<'_>) -> T) -> T {
    let mut pins = vec![Pin::NEW; places];
    let World { array, lent } = world;
    let mut pool = Pool::mount(array, lent.lend(), SERVICES, &MountOptions::default())
        .unwrap_or_else(|failure| panic!("{}", failure.error));
    pool.lend_pins(&mut pins);
    f(&mut pool)
}

fn world() -> World {
    let options = FormatOptions::portable(Scheme::mirror(2)).members_max(8).extent_bytes(4096);
    formatted(vec![Geometry::new(512, 16384); 3], &options, MEMORY)
}

fn commit(pool: &mut Mounted<'_>, f: impl FnOnce(&mut dynamicfs_core::Transaction<'_, '_, &mut SimArray>)) {
    let mut transaction = pool.begin().expect("begun");
    f(&mut transaction);
    transaction.commit().expect("committed");
}

#[track_caller]
fn expect_bytes(objects: &mut impl ReadObjects, file: ObjectId, expected: &[u8]) {
    let mut found = vec![0xA5; expected.len() + 1];
    assert_eq!(objects.read(file, 0, &mut found), Ok(expected.len()));
    assert!(found[..expected.len()] == *expected, "other bytes than were written");
}

/// Free blocks when there is nothing left to do.
fn free(pool: &mut Mounted<'_>) -> u64 {
    rest(pool);
    pool.health().free_blocks
}

#[test]
fn what_is_held_is_there_without_a_name_and_gone_when_it_is_let_go() {
    let mut world = world();
    with_pins(&mut world, 2, |pool| {
        put(pool, "other", 100).expect("put");
        let before = free(pool);
        let mut expected = vec![1; LARGE];
        let file = put_file(pool, "file", &expected).expect("committed");
        pool.pin(file).expect("pinned");
        pool.pin(file).expect("twice");
        commit(pool, |transaction| {
            transaction.unlink(ObjectId::ROOT, b"file").expect("unlinked");
            expect_bytes(transaction, file, &expected);
        });
        assert_eq!(pool.resolve(b"file"), Err(Error::NotFound));
        let mut seen = Vec::new();
        pool.each_inode(|object, _| seen.push(object)).expect("read");
        assert_eq!(seen.len(), 2, "the root and the other: {seen:?}");
        let health = pool.health();
        assert_eq!((health.objects, health.orphans, health.content_bytes), (2, 1, 100));
        account(pool, "unlinked");
        rest(pool);
        // Read, written, cut, given attributes, as ever.
        commit(pool, |transaction| {
            transaction.write_all(file, 1000, &[2; 9000]).expect("written");
            expected[1000..10_000].fill(2);
            transaction
                .set_attribute(file, b"user.a", b"value", AttributeMode::CreateOrReplace)
                .expect("set");
            transaction.truncate(file, LARGE as u64 + 500).expect("grown");
            expected.resize(LARGE + 500, 0);
        });
        expect_bytes(pool, file, &expected);
        assert_eq!(pool.inode(file).expect("there").links, 0);
        assert_eq!(pool.attribute(file, b"user.a", &mut [0; 10]), Ok(5));
        assert_eq!(pool.health().content_bytes, 100, "what has no name is not counted");
        account(pool, "written");
        assert!(pool.unpin(file), "once");
        expect_bytes(pool, file, &expected);
        assert!(pool.unpin(file), "for good");
        assert!(!pool.unpin(file));
        assert_eq!(pool.read(file, 0, &mut [0; 10]), Err(Error::NotFound));
        assert_eq!(pool.pin(file), Err(Error::NotFound));
        account(pool, "let go");
        assert!(free(pool) + 200 >= before, "its blocks are free again");
        assert_eq!(pool.health().orphans, 0);
        account(pool, "freed");
    });
}

/// After a crash nothing is pinned: the next mount frees it.
#[test]
fn what_was_held_without_a_name_is_gone_with_the_mount() {
    let mut world = world();
    world.put("other", 100);
    let (unlinked, unnamed) = with_pins(&mut world, 2, |pool| {
        let unlinked = put_file(pool, "file", &vec![1; LARGE]).expect("committed");
        pool.pin(unlinked).expect("pinned");
        let mut unnamed = None;
        commit(pool, |transaction| {
            transaction.unlink(ObjectId::ROOT, b"file").expect("unlinked");
            let made = transaction.create_unnamed(&MakeRequest::File, &PLAIN).expect("made");
            transaction.write_all(made, 0, &[3; 50_000]).expect("written");
            unnamed = Some(made);
        });
        assert_eq!(pool.health().orphans, 2);
        (unlinked, unnamed.expect("made"))
    });
    let mut pool = world.mount();
    for object in [unlinked, unnamed] {
        assert_eq!(pool.inode(object), Err(Error::NotFound));
    }
    account(&mut pool, "mounted");
    rest(&mut pool);
    assert_eq!((pool.health().orphans, pool.health().objects), (0, 2));
    let (mut report, mut scratch) = (Default::default(), [0; 1 << 14]);
    pool.check_space(&mut scratch, &mut report, |_| panic!("nothing is wrong")).expect("checked");
    crate::common::expect(&mut pool, "other", 100);
    account(&mut pool, "freed");
}

#[test]
fn what_was_made_without_a_name_is_given_one_later() {
    let mut world = world();
    let made = with_pins(&mut world, 2, |pool| {
        let mut made = ObjectId::SYSTEM;
        commit(pool, |transaction| {
            made = transaction.create_unnamed(&MakeRequest::File, &PLAIN).expect("made");
            transaction.write_all(made, 0, &[5; 20_000]).expect("written");
            assert_eq!(transaction.inode(made).expect("there").links, 0);
        });
        assert_eq!((pool.health().objects, pool.health().content_bytes), (1, 0));
        account(pool, "made");
        commit(pool, |transaction| {
            transaction.link(made, ObjectId::ROOT, b"name").expect("linked");
            transaction.link(made, ObjectId::ROOT, b"second").expect("linked");
        });
        assert_eq!(
            (pool.health().objects, pool.health().content_bytes, pool.health().orphans),
            (2, 20_000, 0)
        );
        account(pool, "linked");
        assert!(pool.unpin(made));
        assert_eq!(pool.resolve(b"name"), Ok(made));
        // Held again, it loses both, and comes back under a third.
        pool.pin(made).expect("pinned");
        commit(pool, |transaction| {
            transaction.unlink(ObjectId::ROOT, b"name").expect("unlinked");
            transaction.unlink(ObjectId::ROOT, b"second").expect("unlinked");
        });
        commit(pool, |transaction| transaction.link(made, ObjectId::ROOT, b"third").expect("linked"));
        made
    });
    let mut pool = world.mount();
    assert_eq!(pool.resolve(b"third"), Ok(made));
    assert_eq!(pool.inode(made).expect("there").links, 1);
    expect_bytes(&mut pool, made, &[5; 20_000]);
    rest(&mut pool);
    account(&mut pool, "after all");
}

/// What replaces a name takes it from an object that is held, and its contents stay.
#[test]
fn what_is_replaced_is_there_as_long_as_it_is_held() {
    let mut world = world();
    world.put("one", 9000);
    world.put("other", 5000);
    with_pins(&mut world, 2, |pool| {
        let other = pool.resolve(b"other").expect("found");
        pool.pin(other).expect("pinned");
        commit(pool, |transaction| {
            transaction
                .rename((ObjectId::ROOT, b"one"), (ObjectId::ROOT, b"other"), RenameMode::Replace)
                .expect("renamed");
        });
        expect_bytes(pool, other, &contents("other", 5000));
        assert_eq!(pool.health().objects, 2);
        account(pool, "replaced");
        assert!(pool.unpin(other));
        rest(pool);
        assert_eq!(pool.inode(other), Err(Error::NotFound));
        account(pool, "let go");
    });
}

/// A transaction that is dropped takes with it what it made, and what held that. The number is not given
/// again in this mount.
#[test]
fn what_a_dropped_transaction_made_is_not_held() {
    let mut world = world();
    with_pins(&mut world, 1, |pool| {
        let mut transaction = pool.begin().expect("begun");
        let made = transaction.create_unnamed(&MakeRequest::File, &PLAIN).expect("made");
        drop(transaction);
        let again = put_file(pool, "file", &[1; 100]).expect("committed");
        assert!(again > made, "the number is not given again");
        assert!(!pool.unpin(made), "and nothing holds it");
        commit(pool, |transaction| {
            transaction.unlink(ObjectId::ROOT, b"file").expect("unlinked");
            assert_eq!(transaction.inode(again), Err(Error::NotFound), "it is gone at once");
            let made = transaction.create_unnamed(&MakeRequest::File, &PLAIN).expect("there is a place");
            assert!(transaction.unpin(made));
        });
        // One that is held stays held, whatever becomes of the transaction.
        let file = put_file(pool, "file", &[1; 100]).expect("committed");
        let mut transaction = pool.begin().expect("begun");
        transaction.pin(file).expect("pinned");
        transaction.unlink(ObjectId::ROOT, b"file").expect("unlinked");
        drop(transaction);
        assert_eq!(pool.resolve(b"file"), Ok(file));
        commit(pool, |transaction| transaction.unlink(ObjectId::ROOT, b"file").expect("unlinked"));
        expect_bytes(pool, file, &[1; 100]);
        assert!(pool.unpin(file));
        rest(pool);
        account(pool, "after all");
    });
}

#[test]
fn places_are_bounded_and_some_things_are_not_held() {
    let mut world = world();
    world.put("one", 9000);
    world.put("other", 5000);
    {
        let mut pool = world.mount();
        let one = pool.resolve(b"one").expect("found");
        assert_eq!(pool.pin(one), Err(Error::PinsFull), "no places were lent");
        let mut transaction = pool.begin().expect("begun");
        assert_eq!(transaction.create_unnamed(&MakeRequest::File, &PLAIN), Err(Error::PinsFull));
        assert!(!transaction.is_poisoned());
    }
    with_pins(&mut world, 1, |pool| {
        let [one, other] = [b"one".as_slice(), b"other"].map(|name| pool.resolve(name).expect("found"));
        pool.pin(one).expect("pinned");
        assert_eq!(pool.pin(other), Err(Error::PinsFull));
        pool.pin(one).expect("it has its place");
        assert_eq!(pool.pin(ObjectId::ROOT), Err(Error::IsADirectory));
        assert_eq!(pool.pin(ObjectId::SYSTEM), Err(Error::NotFound));
        assert_eq!(pool.pin(ObjectId(999)), Err(Error::NotFound));
        assert!(!pool.unpin(ObjectId::SYSTEM) && !pool.unpin(other));
        assert!(pool.unpin(one) && pool.unpin(one));
        pool.pin(other).expect("there is a place again");
        assert!(pool.unpin(other));
        commit(pool, |transaction| {
            let refused = transaction.create_unnamed(&MakeRequest::Directory, &PLAIN);
            assert_eq!(refused, Err(Error::IsADirectory));
            let link = transaction.create_unnamed(&MakeRequest::Symlink(b"target"), &PLAIN).expect("made");
            transaction.link(link, ObjectId::ROOT, b"link").expect("linked");
            expect_bytes(transaction, link, b"target");
        });
        assert_eq!(pool.health().content_bytes, 14_006);
        account(pool, "after all");
    });
}

/// What is cut off an object without a name goes step by step, and the object stays; it may grow again at
/// once.
#[test]
fn what_is_held_is_cut_and_grows_like_any_other() {
    let mut world = world();
    with_pins(&mut world, 1, |pool| {
        let file = put_file(pool, "file", &vec![1; LARGE]).expect("committed");
        let full = free(pool);
        pool.pin(file).expect("pinned");
        // Cut before it loses its name, and after it.
        for rounds in 0..2 {
            commit(pool, |transaction| {
                if rounds == 0 {
                    transaction.truncate(file, 10_000).expect("cut");
                    transaction.unlink(ObjectId::ROOT, b"file").expect("unlinked");
                } else {
                    transaction.write_all(file, 0, &vec![1; LARGE]).expect("written");
                }
            });
            account(pool, "cut");
            commit(pool, |transaction| transaction.truncate(file, 9000).expect("cut"));
            account(pool, "cut again");
            assert_eq!(pool.health().orphans, 1);
            // Upkeep frees what was cut off, and nothing else.
            assert!(free(pool) > full + 300 * 8, "it is freed though the object is held");
            assert_eq!(pool.health().orphans, 1);
            expect_bytes(pool, file, &[1; 9000]);
        }
        commit(pool, |transaction| {
            transaction.write_all(file, 0, &vec![1; LARGE]).expect("written");
            transaction.truncate(file, 9000).expect("cut");
            transaction.truncate(file, 1 << 20).expect("grown");
            let mut expected = vec![1; 9000];
            expected.resize(1 << 20, 0);
            expect_bytes(transaction, file, &expected);
            transaction.truncate(file, 5000).expect("cut");
            transaction.link(file, ObjectId::ROOT, b"back").expect("linked");
        });
        account(pool, "linked");
        rest(pool);
        assert_eq!(pool.health().orphans, 0);
        assert!(pool.unpin(file));
        expect_bytes(pool, file, &[1; 5000]);
        account(pool, "after all");
    });
}

/// What waits in the window of an object that is let go before the commit.
#[test]
fn what_is_let_go_in_a_transaction_does_not_hold_up_its_commit() {
    let mut world = world();
    with_pins(&mut world, 1, |pool| {
        commit(pool, |transaction| {
            let made = transaction.create_unnamed(&MakeRequest::File, &PLAIN).expect("made");
            transaction.write_all(made, 0, &[3; 9000]).expect("written");
            assert!(transaction.unpin(made));
            assert_eq!(transaction.read(made, 0, &mut [0; 10]), Err(Error::NotFound));
        });
        account(pool, "committed");
        rest(pool);
        assert_eq!(pool.health().orphans, 0);
        account(pool, "freed");
    });
}

/// A disk is lost, another scrubbed and drained: what has no name is rebuilt and moved like anything else.
#[test]
fn what_is_held_is_rebuilt_scrubbed_and_drained() {
    let mut world = world();
    with_pins(&mut world, 1, |pool| {
        let expected = contents("file", 300_000);
        let file = put_file(pool, "file", &expected).expect("committed");
        pool.pin(file).expect("pinned");
        commit(pool, |transaction| transaction.unlink(ObjectId::ROOT, b"file").expect("unlinked"));
        (600..620).for_each(|block| pool.array().disk_mut(0).flip_bits(block * 512 + 9, 7));
        let job = run_job(pool, JobKind::Scrub);
        assert_eq!(job.failed, 0);
        expect_whole(pool, "scrubbed");
        pool.drain_member(MemberNumber(1), false).expect("begun");
        rest(pool);
        expect_whole(pool, "drained");
        expect_bytes(pool, file, &expected);
        // What it had there lies elsewhere now.
        pool.array().disk_mut(1).unplug();
        expect_bytes(pool, file, &expected);
    });
}

/// A pool with little space frees deleted objects before it begins a transaction: not for ever, if they are
/// held.
#[test]
fn a_full_pool_whose_only_orphans_are_held_goes_on() {
    let options = FormatOptions::portable(Scheme::SINGLE).members_max(4).extent_bytes(4096);
    let mut world = formatted(vec![Geometry::new(512, 3000)], &options, MEMORY);
    with_pins(&mut world, 1, |pool| {
        let file = put_file(pool, "file", &vec![1; 600_000]).expect("committed");
        pool.pin(file).expect("pinned");
        commit(pool, |transaction| transaction.unlink(ObjectId::ROOT, b"file").expect("unlinked"));
        let count = crate::common::fill(pool, "f", 4096);
        assert_eq!(put(pool, "more", 4096), Err(StorageError::NoSpace.into()));
        expect_bytes(pool, file, &[1; 600_000]);
        assert!(pool.unpin(file));
        put(pool, "more", 4096).or_else(|_| put(pool, "more", 4096)).expect("there is space now");
        assert!(count > 0);
        rest(pool);
        account(pool, "after all");
    });
}
