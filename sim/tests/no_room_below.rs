//! The storage of a disk has no room: an image on a full filesystem, or a thin volume whose pool is full. Or
//! the system refuses to write, for want of memory or because the filesystem below is read-only. Nothing is
//! wrong with the disk, which stays in use. What was being written fails with an error that says so, and
//! works once the system is well.

use crate::common::{MEMORY, Mounted, World, expect, expect_whole, put, rest};
use dynamicfs_core::ReadObjects;
use dynamicfs_core::disks::DiskStatus;
use dynamicfs_core::error::{Error, FormatError, MemberError, MountError, StorageError};
use dynamicfs_core::object::{Attributes, MakeRequest};
use dynamicfs_core::types::{DiskIndex, MemberNumber, ObjectId, Scheme};
use dynamicfs_core::{FormatOptions, MountMode, Pool};
use dynamicfs_hal::{DiskArray, Geometry, IoError};
use dynamicfs_sim::world::{Lent, SERVICES};
use dynamicfs_sim::{IoKind, Mishap, Rng, SimArray};

const KEPT: usize = 40_000;

/// Where room is lacking.
#[derive(Clone, Copy, Debug)]
struct Lack {
    kind: IoKind,
    /// Requests of each disk that still find room.
    well: u64,
    /// Requests after those that find none.
    requests: u64,
    /// One disk, or all: they are stored in the same filesystem.
    disk: Option<usize>,
    /// What those requests are answered with.
    error: IoError,
}

impl Lack {
    /// Requests of the first disk so far, of the kind that is to find no room.
    fn count(self, array: &SimArray) -> u64 {
        let counters = array.disk(0).counters();
        if self.kind == IoKind::Flush { counters.flushes } else { counters.writes }
    }

    /// There is no room from now on; what [`end`](Self::end) is to be told.
    fn begin(self, array: &mut SimArray) -> u64 {
        for disk in (0..array.disks()).filter(|&disk| self.disk.is_none_or(|one| one == disk)) {
            let mishap = Mishap::Fail(self.error);
            array.disk_mut(disk).mishap_after(self.kind, self.well, self.requests, mishap);
        }
        self.count(array)
    }

    /// There is room again; whether it was lacking for anything.
    fn end(self, array: &mut SimArray, begun: u64) -> bool {
        (0..array.disks()).for_each(|disk| array.disk_mut(disk).calm());
        self.count(array) - begun > self.well
    }
}

/// A lack of room at each write and each flush of something, until it does not get as far. It lasts a moment
/// or long, on the first disk or on all.
fn each_lack(mut check: impl FnMut(Lack) -> bool) {
    for error in [IoError::NoSpace, IoError::Refused] {
        for (kind, requests) in [(IoKind::Write, 1), (IoKind::Write, u64::MAX), (IoKind::Flush, 1)] {
            for disk in [Some(0), None] {
                let cut = (0..).find(|&well| !check(Lack { kind, well, requests, disk, error }));
                assert!(cut.is_some_and(|well| well > 0), "{kind:?} on {disk:?}: never reached");
            }
        }
    }
}

fn refused(result: &Result<(), Error>) -> bool {
    matches!(
        result,
        Err(Error::Storage(StorageError::NoSpaceBelow { .. } | StorageError::RefusedBelow { .. }))
    )
}

fn online(pool: &mut Mounted<'_>) -> usize {
    let disks = pool.array().disks();
    (0..disks).filter(|&disk| pool.member_health(DiskIndex(disk)).status == DiskStatus::Online).count()
}

/// Pools of one disk and of several.
fn worlds() -> [World; 3] {
    let world = |scheme, disks| {
        let mut world = World::new(scheme, disks, MEMORY);
        world.put("kept", KEPT);
        world
    };
    [world(Scheme::SINGLE, 1), world(Scheme::mirror(2), 3), world(Scheme { data: 2, parity: 1 }, 4)]
}

/// A disk that fails continues being asked until its batch is over, and what it is stored in may have no room
/// either. The error that it was put out of use for is what its health tells.
#[test]
fn a_failed_disk_keeps_the_error_that_it_failed_with() {
    let mut world = World::new(Scheme::mirror(2), 3, MEMORY);
    let mut pool = world.mount();
    pool.array().disk_mut(0).mishap_next(IoKind::Write, 1, Mishap::Fail(IoError::Media));
    pool.array().disk_mut(0).mishap_next(IoKind::Flush, u64::MAX, Mishap::Fail(IoError::NoSpace));
    put(&mut pool, "new", 10_000).expect("the others take it");
    let health = pool.member_health(DiskIndex(0));
    assert_eq!((health.status, health.last_error), (DiskStatus::Failed, Some(IoError::Media)));
}

/// Members are let go in a commit of their own. A disk that is to be put out of use, or removed, is in no
/// list after the first. Where the second finds no room, it is in use again.
#[test]
fn a_disk_leaves_or_stays_where_there_is_no_room_below() {
    type Leave = fn(&mut Mounted<'_>) -> Result<(), MemberError>;
    let shut: Leave = |pool| pool.shut_member(MemberNumber(1), false);
    let remove: Leave = |pool| pool.remove_member(MemberNumber(1), true).map(|_| ());
    for leave in [shut, remove] {
        leaves_or_stays(leave);
    }
}

fn leaves_or_stays(leave: fn(&mut Mounted<'_>) -> Result<(), MemberError>) {
    let sound = World::new(Scheme::mirror(2), 3, MEMORY);
    let mut refusals = 0;
    each_lack(|lack| {
        let mut world = sound.fork(MEMORY);
        let mut pool = world.mount();
        let begun = lack.begin(pool.array());
        let done = leave(&mut pool);
        let found = lack.end(pool.array(), begun);
        let status = pool.member_health(DiskIndex(1)).status;
        match &done {
            Ok(()) => assert_ne!(status, DiskStatus::Online, "{lack:?}"),
            Err(MemberError::Pool(Error::Storage(
                StorageError::NoSpaceBelow { .. } | StorageError::RefusedBelow { .. },
            ))) => {
                refusals += 1;
                assert_ne!(status, DiskStatus::Excluded, "{lack:?}");
                put(&mut pool, "new", 10_000).unwrap_or_else(|error| panic!("{lack:?}: {error}"));
            }
            // The superblocks themselves found none: the next mount tells.
            done => assert_eq!(*done, Err(Error::Storage(StorageError::OutcomeUnknown).into()), "{lack:?}"),
        }
        drop(pool);
        let mut pool = world.mount();
        if pool.member_health(DiskIndex(1)).status == DiskStatus::Excluded {
            pool.activate_member(MemberNumber(1)).unwrap_or_else(|error| panic!("{lack:?}: {error}"));
        }
        rest(&mut pool);
        assert_eq!((online(&mut pool), pool.health().owed), (pool.health().members, 0), "{lack:?}");
        expect_whole(&mut pool, &format!("{lack:?}"));
        found
    });
    assert!(refusals > 0);
}

/// A mount takes the disks out of use that the operator shut, once it has their word. Where a claim found no
/// room it ended before that. The first transaction wrote to a shut disk, which counted as one that is owed
/// something.
#[test]
fn a_disk_that_is_shut_stays_so_where_a_claim_finds_no_room() {
    for (scheme, unplugged) in
        [(Scheme::mirror(2), 1), (Scheme::mirror(2), 2), (Scheme { data: 2, parity: 1 }, 3)]
    {
        let mut world = World::new(scheme, 5, MEMORY);
        world.put("kept", KEPT);
        let mut pool = world.mount();
        pool.shut_member(MemberNumber(0), true).expect("shut");
        rest(&mut pool);
        drop(pool);
        // One that comes back: the mount has something to write.
        world.unplug(&[unplugged]);
        world.put("later", KEPT);
        world.plug(&[unplugged]);
        let last = world.array.disks() - 1;
        world.array.disk_mut(last).mishap_after(IoKind::Write, 0, 1, Mishap::Fail(IoError::NoSpace));
        let claimed = world.array.disk(0).counters().writes;
        let mut pool = world.mount();
        assert_eq!(pool.member_health(DiskIndex(0)).status, DiskStatus::Excluded, "as the operator wants it");
        put(&mut pool, "new", 60_000).expect("there is room now");
        assert_eq!(pool.member_health(DiskIndex(0)).status, DiskStatus::Excluded);
        // Its word for the epoch, in both rings, and once more where the first claim was refused.
        let written = pool.array().disk(0).counters().writes - claimed;
        assert!(written <= 4, "{written} writes to a disk that is out of use");
        ["kept", "later"].iter().for_each(|name| expect(&mut pool, name, KEPT));
        expect(&mut pool, "new", 60_000);
    }
}

/// A write that found no room was a failed disk, and several were a pool without disks. `rm` was refused, and
/// the next mount had something to rebuild though nothing was broken.
#[test]
fn a_transaction_that_finds_no_room_below_fails_alone() {
    for sound in worlds() {
        let mut untold = 0;
        each_lack(|lack| {
            let mut world = sound.fork(MEMORY);
            let disks = world.array.disks();
            let mut pool = world.mount();
            let begun = lack.begin(pool.array());
            let done = put(&mut pool, "new", 60_000);
            let found = lack.end(pool.array(), begun);
            match &done {
                Ok(()) => {}
                // The superblocks themselves found none: it may have happened.
                Err(Error::Storage(StorageError::OutcomeUnknown)) => untold += 1,
                done => {
                    assert!(refused(done), "{lack:?}: {done:?}");
                    assert_eq!(online(&mut pool), disks, "{lack:?}: a disk is blamed");
                    expect(&mut pool, "kept", KEPT);
                    assert!(pool.resolve(b"new").is_err(), "{lack:?}: half of it is there");
                    put(&mut pool, "new", 60_000).unwrap_or_else(|error| panic!("{lack:?}: {error}"));
                }
            }
            drop(pool);
            let mut pool = world.mount();
            expect(&mut pool, "kept", KEPT);
            if done != Err(Error::Storage(StorageError::OutcomeUnknown)) {
                expect(&mut pool, "new", 60_000);
            }
            rest(&mut pool);
            assert_eq!(online(&mut pool), disks);
            expect_whole(&mut pool, &format!("{lack:?}"));
            found
        });
        assert!(untold > 0, "superblocks never lacked room");
    }
}

/// What is deleted while there is no room is deleted once there is, by the same mount.
#[test]
fn what_could_not_be_deleted_for_want_of_room_is_deleted_later() {
    for sound in worlds() {
        each_lack(|lack| {
            let mut world = sound.fork(MEMORY);
            let mut pool = world.mount();
            let unlink = |pool: &mut Mounted<'_>| -> Result<(), Error> {
                let mut transaction = pool.begin()?;
                transaction.unlink(ObjectId::ROOT, b"kept")?;
                transaction.commit().map(|_| ())
            };
            let begun = lack.begin(pool.array());
            let done = unlink(&mut pool);
            let found = lack.end(pool.array(), begun);
            if refused(&done) {
                expect(&mut pool, "kept", KEPT);
                unlink(&mut pool).unwrap_or_else(|error| panic!("{lack:?}: {error}"));
            }
            if done != Err(Error::Storage(StorageError::OutcomeUnknown)) {
                assert!(pool.resolve(b"kept").is_err(), "{lack:?}: still there");
            }
            drop(pool);
            let mut pool = world.mount();
            rest(&mut pool);
            expect_whole(&mut pool, &format!("{lack:?}"));
            found
        });
    }
}

/// A mount has to write when a member is back. Where it finds no room it serves what there is, and the first
/// transaction that finds room does that work.
#[test]
fn a_mount_that_finds_no_room_below_serves_and_writes_later() {
    let mut sound = World::new(Scheme::mirror(2), 3, MEMORY);
    sound.put("kept", KEPT);
    sound.unplug(&[2]);
    sound.put("meanwhile", 20_000);
    sound.plug(&[2]);
    each_lack(|lack| {
        let mut world = sound.fork(MEMORY);
        let begun = lack.begin(&mut world.array);
        let later = |pool: &mut Mounted<'_>| {
            let found = lack.end(pool.array(), begun);
            put(pool, "later", 10_000).unwrap_or_else(|error| panic!("{lack:?}: {error}"));
            found
        };
        let mounted = world.try_mount(MountMode::ReadWrite).map(|mut pool| {
            expect(&mut pool, "kept", KEPT);
            expect(&mut pool, "meanwhile", 20_000);
            later(&mut pool)
        });
        let found = mounted.unwrap_or_else(|error| {
            // The superblocks themselves found none: the next mount tells.
            assert_eq!(error, MountError::Storage(StorageError::OutcomeUnknown), "{lack:?}");
            lack.end(&mut world.array, begun);
            later(&mut world.mount())
        });
        let mut pool = world.mount();
        for (name, length) in [("kept", KEPT), ("meanwhile", 20_000), ("later", 10_000)] {
            expect(&mut pool, name, length);
        }
        rest(&mut pool);
        expect_whole(&mut pool, &format!("{lack:?}"));
        found
    });
}

/// Claims that find no room, one after the other, are not taken for the work of another writer by the next.
#[test]
fn claims_that_find_no_room_below_are_made_again() {
    for sound in worlds() {
        let lacks = [
            (IoKind::Write, 0, 1),
            (IoKind::Write, 1, 1),
            (IoKind::Write, 0, u64::MAX),
            (IoKind::Flush, 0, 1),
        ];
        for (kind, well, requests) in lacks {
            let mut world = sound.fork(MEMORY);
            let disks = world.array.disks();
            let mut pool = world.mount();
            for attempt in 0..12 {
                let error = if attempt % 2 == 0 { IoError::NoSpace } else { IoError::Refused };
                let lack = Lack { kind, well, requests, disk: None, error };
                let before = lack.begin(pool.array());
                let begun = put(&mut pool, "new", 1000);
                assert!(refused(&begun), "{kind:?} {well}, attempt {attempt}: {begun:?}");
                assert!(lack.end(pool.array(), before));
                assert_eq!(online(&mut pool), disks, "{lack:?}, attempt {attempt}: a disk is blamed");
                expect(&mut pool, "kept", KEPT);
            }
            put(&mut pool, "new", 1000).unwrap_or_else(|error| panic!("{kind:?} {well}: {error}"));
            drop(pool);
            expect(&mut world.mount(), "new", 1000);
        }
    }
}

/// Nodes that a full cache sends to disk before the commit are read again. Those that found no room are not
/// there, and the disk was blamed for the wrong bytes in their place.
#[test]
fn nodes_that_find_no_room_below_are_no_checksum_errors() {
    let sound = World::new(Scheme::mirror(2), 3, MEMORY);
    let mut spilled = 0;
    for well in (0..200).step_by(7).chain([u64::MAX / 2]) {
        let mut world = sound.fork(100 << 10);
        let mut pool = world.mount();
        let mut fill = |pool: &mut Mounted<'_>| -> Result<(), Error> {
            let mut transaction = pool.begin()?;
            let written = transaction.internals().store.tree.counters().nodes_written;
            for number in 0..600 {
                let name = format!("a name of some length {}", number * 7 % 600);
                let plain = Attributes::default();
                transaction.create(ObjectId::ROOT, name.as_bytes(), &MakeRequest::File, &plain)?;
            }
            spilled += u32::from(transaction.internals().store.tree.counters().nodes_written > written);
            transaction.commit().map(|_| ())
        };
        let error = if well % 2 == 0 { IoError::NoSpace } else { IoError::Refused };
        let lack = Lack { kind: IoKind::Write, well, requests: u64::MAX, disk: Some(1), error };
        let begun = lack.begin(pool.array());
        let filled = fill(&mut pool);
        let found = lack.end(pool.array(), begun);
        assert!(!found || refused(&filled), "{well}: {filled:?}");
        for disk in 0..3 {
            let health = pool.member_health(DiskIndex(disk));
            assert_eq!((health.status, health.counters.checksum_errors), (DiskStatus::Online, 0), "{well}");
        }
    }
    assert!(spilled > 0, "nothing is written before the commit");
}

/// A format that finds no room says so and names the disk. What it leaves is no pool, or one that may be made
/// again without force.
#[test]
fn a_format_that_finds_no_room_below_may_be_made_again() {
    let options = FormatOptions::portable(Scheme::mirror(2)).members_max(8);
    let mut names = 0;
    each_lack(|lack| {
        let mut world =
            World { array: SimArray::new(1, vec![Geometry::new(512, 2048); 3]), lent: Lent::new(MEMORY) };
        let format = |world: &mut World| {
            let lent = world.lent.lend();
            let made = Pool::format(&mut world.array, lent, SERVICES, &mut Rng::new(9), &options, &[]);
            made.map(|_| ()).map_err(|failure| failure.error)
        };
        let begun = lack.begin(&mut world.array);
        let made = format(&mut world);
        let found = lack.end(&mut world.array, begun);
        let Err(error) = made else {
            // A superblock that found no room on one disk is not the end: it is owed.
            world.put("file", 1000);
            return found;
        };
        match error {
            FormatError::Io { error: IoError::NoSpace | IoError::Refused, .. }
            | FormatError::Storage(StorageError::NoSpaceBelow { .. } | StorageError::RefusedBelow { .. }) => {
                names += 1;
            }
            FormatError::Storage(StorageError::OutcomeUnknown | StorageError::TooFewDisks { .. }) => {}
            error => panic!("{lack:?}: {error}"),
        }
        // What is left is no pool.
        let mounted = world.try_mount(MountMode::ReadWrite).map(|_| ());
        assert!(
            matches!(
                mounted,
                Err(MountError::NoPool | MountError::Unfinished { .. } | MountError::NoSuperblock)
            ),
            "{lack:?}: {error}: {mounted:?}"
        );
        format(&mut world).unwrap_or_else(|error| panic!("{lack:?}: again: {error}"));
        world.put("file", 1000);
        world.expect("file", 1000);
        found
    });
    assert!(names > 0);
}
