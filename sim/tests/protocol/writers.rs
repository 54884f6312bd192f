//! Nothing is written over what another has written: a second writer of the same pool, a disk of another pool, a blank one.

use super::*;
use dynamicfs_core::ReadObjects;
use dynamicfs_core::types::DiskIndex;

/// What another machine does with the same disks meanwhile.
fn meanwhile(pool: &mut Mounted<'_>, act: impl FnOnce(&mut World)) {
    let mut other = World { array: SimArray::clone(pool.array()), lent: Lent::new(MEMORY) };
    act(&mut other);
    for disk in 0..other.array.disks() {
        let written = other.array.take(disk);
        pool.array().put(disk, written);
    }
}

/// Two writers overwrote each other's superblocks and blocks, and the pool was destroyed with every call answered Ok.
#[test]
fn a_second_writer_is_noticed_before_anything_is_acknowledged() {
    for waits in [false, true] {
        let mut world = World::new(Scheme::mirror(2), 3, MEMORY);
        world.put("old", 20_000);
        let mut pool = world.mount();
        put(&mut pool, "mine", 20_000).expect("committed");
        meanwhile(&mut pool, |other| other.put("theirs", 20_000));
        if waits {
            pool.array().wait(1_000_000);
        }
        let written = pool.array().disk(0).counters().writes;
        let refused = put(&mut pool, "lost", 20_000);
        assert!(matches!(refused, Err(Error::Storage(StorageError::OtherWriter { .. }))), "{refused:?}");
        if waits {
            assert_eq!(
                pool.array().disk(0).counters().writes,
                written,
                "a disk that was idle is looked at first"
            );
        }
        // For good, until it is mounted anew.
        let again = put(&mut pool, "lost", 20_000);
        assert!(matches!(again, Err(Error::Storage(StorageError::OtherWriter { .. }))), "{again:?}");
        drop(pool);
        let mut pool = world.mount();
        for name in ["old", "mine", "theirs"] {
            expect(&mut pool, name, 20_000);
        }
        assert!(pool.resolve(b"lost").is_err());
    }
}

/// A transaction waited for its caller, as for standard input. What was free when it began held another's
/// acknowledged contents when it continued, and was written over before the commit noticed the other.
#[test]
fn a_transaction_that_waited_writes_over_nothing() {
    for at_commit in [false, true] {
        let mut world = World::new(Scheme::mirror(2), 3, MEMORY);
        world.put("old", 20_000);
        let clock = world.array.clock();
        let services = Services::new(SERVICES.crc32c, &clock);
        let mounted = Pool::mount(&mut world.array, world.lent.lend(), services, &MountOptions::default());
        let mut pool = mounted.expect("mounted");
        let mut transaction = pool.begin().expect("begun");
        let plain = Attributes::default();
        let file = transaction.create(ObjectId::ROOT, b"mine", &MakeRequest::File, &plain).expect("made");
        transaction.write_all(file, 0, &contents("mine", 5000)).expect("written");
        let mut other = World { array: SimArray::clone(transaction.array()), lent: Lent::new(MEMORY) };
        other.put("theirs", 60_000);
        let array = transaction.array();
        for disk in 0..3 {
            let written = other.array.take(disk);
            array.put(disk, written);
        }
        array.wait(1_000_000);
        let before: Vec<u64> = (0..3).map(|disk| array.disk(disk).counters().writes).collect();
        let other_writer = |error| matches!(error, Error::Storage(StorageError::OtherWriter { .. }));
        if !at_commit {
            let refused = transaction.write_all(file, 5000, &contents("more", 60_000));
            assert!(refused.is_err_and(other_writer), "{refused:?}");
        }
        assert!(transaction.commit().is_err());
        let array = pool.array();
        for (disk, before) in before.into_iter().enumerate() {
            assert_eq!(array.disk(disk).counters().writes, before, "disk {disk} was written to");
        }
        drop(pool);
        let mut pool = world.mount();
        for (name, length) in [("old", 20_000), ("theirs", 60_000)] {
            expect(&mut pool, name, length);
        }
        rest(&mut pool);
        expect_whole(&mut pool, "after all");
    }
}

/// The other one has only mounted, and claimed its epoch: the first that writes is the one that continues.
#[test]
fn a_claim_of_another_is_noticed() {
    let mut world = World::new(Scheme::mirror(2), 3, MEMORY);
    world.put("old", 20_000);
    let mut pool = world.mount();
    meanwhile(&mut pool, |other| drop(other.mount().begin().expect("begun")));
    let refused = put(&mut pool, "lost", 1000);
    assert!(matches!(refused, Err(Error::Storage(StorageError::OtherWriter { .. }))), "{refused:?}");
}

fn another_pool() -> SimDisk {
    let array = SimArray::new(2, [Geometry::new(512, 2048)]);
    let options = FormatOptions::portable(Scheme::SINGLE);
    let mut other = World::on(array, options).entropy(31).make();
    other.put("precious", 30_000);
    other.array.take(0)
}

/// A card was exchanged while the pool was mounted: the other pool's card was overwritten, and commits were acknowledged.
#[test]
fn a_disk_of_another_pool_is_not_written_to() {
    for disks in [1, 3] {
        let scheme = if disks == 1 { Scheme::SINGLE } else { Scheme::mirror(2) };
        let mut world = World::new(scheme, disks, MEMORY);
        world.put("old", 20_000);
        let mut pool = world.mount();
        put(&mut pool, "mine", 20_000).expect("committed");
        let own = pool.array().put(0, another_pool());
        pool.array().wait(1_000_000);
        let done = put(&mut pool, "later", 20_000);
        assert_eq!(pool.member_health(DiskIndex(0)).status, DiskStatus::Failed);
        assert_eq!(done.is_ok(), disks == 3, "{done:?}");
        let foreign = pool.array().put(0, own);
        drop(pool);
        let mut other = World { array: SimArray::new(2, Vec::new()), lent: Lent::new(MEMORY) };
        other.array.add(foreign);
        other.expect("precious", 30_000);
        let mut pool = world.mount();
        ["old", "mine"].into_iter().for_each(|name| expect(&mut pool, name, 20_000));
        assert_eq!(pool.resolve(b"later").is_ok(), disks == 3);
    }
}

/// A blank disk differs from this one only in being blank: that is enough.
#[test]
fn a_blank_disk_is_no_member() {
    for commits in 0..8 {
        let mut world = World::new(Scheme::mirror(2), 3, MEMORY);
        let mut pool = world.mount();
        (0..commits).for_each(|n| put(&mut pool, &format!("file-{n}"), 2000).expect("committed"));
        pool.array().put(2, SimDisk::new(Geometry::new(512, 2048), 5));
        pool.array().wait(1_000_000);
        put(&mut pool, "later", 2000).expect("the others are enough");
        assert_eq!(pool.member_health(DiskIndex(2)).status, DiskStatus::Failed, "after {commits} commits");
    }
}

/// In the middle of a transaction there is no look before each write: the commit fails, and the next one
/// continues without the disk.
#[test]
fn a_disk_that_is_exchanged_inside_a_transaction_fails_its_commit() {
    let mut world = World::new(Scheme::mirror(2), 3, MEMORY);
    world.put("old", 20_000);
    let mut pool = world.mount();
    put(&mut pool, "mine", 20_000).expect("committed");
    let mut transaction = pool.begin().expect("begun");
    let file = transaction.resolve(b"old").expect("it is there");
    transaction.write_all(file, 0, &[7; 20_000]).expect("written");
    transaction.array().put(1, another_pool());
    let failed = transaction.commit();
    assert!(
        matches!(failed, Err(Error::Storage(StorageError::Exchanged { disk: DiskIndex(1) }))),
        "{failed:?}"
    );
    put(&mut pool, "later", 20_000).expect("without the disk");
    ["old", "mine", "later"].into_iter().for_each(|name| expect(&mut pool, name, 20_000));
}

/// Rot in the slot that comes next, or in all superblocks of a disk, is no other disk's.
#[test]
fn rot_is_not_taken_for_an_exchange() {
    let mut world = World::new(Scheme::mirror(2), 3, MEMORY);
    (0..9).for_each(|n| world.put(&format!("file-{n}"), 2000));
    let mut pool = world.mount();
    put(&mut pool, "mine", 2000).expect("committed");
    for slot in states::all_slots(pool.array().disk(1)) {
        pool.array().disk_mut(1).flip_bits(slot.start + 40, 0x5A);
    }
    pool.array().wait(1_000_000);
    put(&mut pool, "later", 2000).expect("committed");
    assert_eq!(pool.member_health(DiskIndex(1)).status, DiskStatus::Online);
}

/// The disks that another had written to were taken away again, and those that this pool knew came back. It
/// would have continued them, as if it had seen nothing.
#[test]
fn what_met_another_writer_takes_no_writes_until_it_is_mounted_anew() {
    let mut world = World::new(Scheme::mirror(2), 3, MEMORY);
    world.put("old", 20_000);
    let mut pool = world.mount();
    put(&mut pool, "mine", 20_000).expect("committed");
    let own = SimArray::clone(pool.array());
    meanwhile(&mut pool, |other| other.put("theirs", 20_000));
    let other_writer = |error: &Error| matches!(error, Error::Storage(StorageError::OtherWriter { .. }));
    assert!(put(&mut pool, "lost", 20_000).is_err_and(|error| other_writer(&error)));
    for disk in 0..3 {
        pool.array().put(disk, own.disk(disk).clone());
    }
    let again = put(&mut pool, "lost", 20_000);
    assert!(again.as_ref().is_err_and(other_writer), "{again:?}");
    drop(pool);
    world.put("later", 20_000);
    ["old", "mine", "later"].into_iter().for_each(|name| world.expect(name, 20_000));
}

/// A disk is out of use, and another one is in its place when its member is removed. The labels of the other
/// were overwritten.
#[test]
fn a_disk_in_the_place_of_a_member_that_leaves_is_left_alone() {
    let mut world = World::new(Scheme::mirror(2), 3, MEMORY);
    world.put("file", 20_000);
    let mut other = World::new(Scheme::mirror(2), 2, MEMORY);
    other.put("others", 20_000);
    let mut pool = world.mount();
    pool.shut_member(MemberNumber(1), true).expect("out of use");
    pool.array().put(1, other.array.disk(0).clone());
    let before = pool.array().disk(1).counters().writes;
    assert_eq!(pool.remove_member(MemberNumber(1), true), Ok(false), "it could not be told");
    assert_eq!(pool.array().disk(1).counters().writes, before);
    drop(pool);
    // The one that left is told of it where it is.
    let mut world = World::new(Scheme::mirror(2), 3, MEMORY);
    let mut pool = world.mount();
    pool.shut_member(MemberNumber(1), true).expect("out of use");
    assert_eq!(pool.remove_member(MemberNumber(1), true), Ok(true));
}
