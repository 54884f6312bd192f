//! A read fails once, or twice in a row, at every read that a job makes. Then the job continues until there
//! is rest. All bytes are right, nothing is owed, the check finds nothing, and as many disks may be lost as
//! the pool says.

use super::*;
use dynamicfs_core::ReadObjects;
use dynamicfs_core::types::DiskIndex;

/// What a job is made of.
struct Case {
    name: &'static str,
    disks: usize,
    world: fn() -> World,
    /// Begins it, in a pool that was just mounted.
    begin: fn(&mut Mounted<'_>) -> Result<(), Error>,
    kind: JobKind,
    /// What must be the case at the end beside the rest.
    then: fn(&mut Mounted<'_>),
}

/// Too little for all nodes, so that a job reads.
const LITTLE: usize = 48 << 10;

const NAMES: usize = 60;

const FILES_THERE: [(&str, usize); 4] =
    [("inline", 60), ("block", 4096), ("large", 40_000), ("again", 30_000)];

/// A pool with more nodes than the memory holds.
fn with_nodes(scheme: Scheme, disks: usize) -> World {
    let mut world = World::new(scheme, disks, LITTLE);
    let mut pool = world.mount();
    let mut transaction = pool.begin().expect("begun");
    for n in 0..NAMES {
        let name = format!("a rather long name of a file with nothing in it {n}");
        transaction
            .create(ObjectId::ROOT, name.as_bytes(), &MakeRequest::File, &Attributes::default())
            .expect("made");
    }
    transaction.commit().expect("committed");
    drop(pool);
    world
}

fn small(scheme: Scheme, disks: usize) -> World {
    let mut world = with_nodes(scheme, disks);
    for (name, length) in FILES_THERE {
        world.put(name, length);
    }
    world
}

fn nothing(_: &mut Mounted<'_>) {}

/// One disk was away for the last files.
fn returning() -> World {
    let mut world = with_nodes(Scheme::mirror(2), 3);
    world.put("inline", 60);
    world.put("block", 4096);
    world.unplug(&[1]);
    world.put("large", 40_000);
    world.put("again", 30_000);
    world.plug(&[1]);
    world
}

fn without_one() -> World {
    let mut world = small(Scheme::mirror(2), 4);
    world.unplug(&[3]);
    world
}

fn rotten() -> World {
    let mut world = small(Scheme { data: 2, parity: 1 }, 4);
    let mut pool = world.mount();
    let (_, fragments) = first_extent(&mut pool, "large");
    drop(pool);
    let fragment = &fragments[0];
    world.array.disk_mut(fragment.address.member.0.into()).flip_bits(byte_of(fragment) + 100, 0x10);
    world
}

const CASES: [Case; 7] = [
    Case {
        name: "rebuild of what a disk missed",
        disks: 3,
        world: returning,
        begin: |pool| pool.start_job(JobKind::Rebuild, JobOptions::default()).map(drop),
        kind: JobKind::Rebuild,
        then: nothing,
    },
    Case {
        name: "rebuild without a disk",
        disks: 3,
        world: without_one,
        begin: |pool| pool.start_job(JobKind::Rebuild, JobOptions::WITHOUT_ABSENT).map(drop),
        kind: JobKind::Rebuild,
        then: nothing,
    },
    Case {
        name: "rebuild of a failed member",
        disks: 4,
        world: || small(Scheme::mirror(2), 4),
        begin: |pool| match pool.shut_member(MemberNumber(3), true) {
            Err(MemberError::Pool(error)) => Err(error),
            done => {
                assert_eq!(done, Ok(()));
                Ok(())
            }
        },
        kind: JobKind::Rebuild,
        then: nothing,
    },
    Case {
        name: "scrub",
        disks: 4,
        world: rotten,
        begin: |pool| pool.start_job(JobKind::Scrub, JobOptions::default()).map(drop),
        kind: JobKind::Scrub,
        then: nothing,
    },
    Case {
        name: "rebalance to another scheme",
        disks: 4,
        world: || small(Scheme::mirror(2), 4),
        begin: |pool| {
            for (name, _) in FILES_THERE {
                let file = pool.resolve(name.as_bytes())?;
                let mut transaction = pool.begin()?;
                let scheme = Scheme { data: 2, parity: 1 };
                transaction.change_attributes(file, &Change::new().scheme(scheme))?;
                transaction.commit()?;
            }
            pool.start_job(JobKind::Rebalance, JobOptions::default()).map(drop)
        },
        kind: JobKind::Rebalance,
        then: |pool| {
            let standing = read_standing(&mut pool.internals_mut().store, true).expect("read");
            let file = pool.resolve(b"large").expect("it is there");
            let located = pool.locate(file, 0, &standing).expect("read").expect("it has extents");
            assert_eq!(located.asked, Scheme { data: 2, parity: 1 }, "it was called complete");
        },
    },
    Case {
        name: "drain",
        disks: 4,
        world: || small(Scheme::mirror(2), 4),
        begin: |pool| match pool.drain_member(MemberNumber(3), true) {
            Err(MemberError::Pool(error)) => Err(error),
            done => {
                assert_eq!(done, Ok(()));
                Ok(())
            }
        },
        kind: JobKind::Rebuild,
        then: |pool| assert_eq!(pool.health().members, 3, "it left"),
    },
    Case {
        name: "recount",
        disks: 3,
        world: || small(Scheme::mirror(2), 3),
        begin: |pool| pool.start_job(JobKind::Recount, JobOptions::default()).map(drop),
        kind: JobKind::Recount,
        then: nothing,
    },
];

fn fork(world: &World) -> World {
    world.fork(LITTLE)
}

/// Something that a read which fails may be answered with.
fn is_excused(error: &Error) -> bool {
    matches!(error, Error::Unreadable { .. } | Error::Storage(StorageError::NodeUnreadable { .. }))
}

/// A disk is out of use until the next mount whose superblocks could not be read.
fn is_in_use(pool: &Mounted<'_>, disk: usize) -> bool {
    pool.member_health(DiskIndex(disk)).status != DiskStatus::Failed
}

/// Steps until there is rest. The caller continues after an error.
fn carry_on(pool: &mut Mounted<'_>, what: &str) {
    let mut errors = 0;
    for _ in 0..500 {
        match pool.maintain(true) {
            Ok(Work::Nothing) => return,
            Ok(_) => {}
            // It could not be read what can be allocated from: the next mount can.
            Err(Error::Storage(StorageError::ReadOnly)) => return,
            Err(error) if is_excused(&error) && errors < 4 => errors += 1,
            Err(error) => panic!("{what}: {error}"),
        }
    }
    panic!("{what}: no rest");
}

/// One run, in which `requests` reads of a disk fail after `well` others; whether the job came to read that much.
fn run(case: &Case, world: &World, (disk, well, requests): (usize, u64, u64)) -> bool {
    let what = format!("{}: disk {disk}, {requests} after {well}", case.name);
    let mut world = fork(world);
    let mut pool = world.mount();
    pool.array().disk_mut(disk).mishap_after(IoKind::Read, well, requests, Mishap::Fail(IoError::Media));
    let mut begun = (case.begin)(&mut pool);
    if begun.as_ref().is_err_and(is_excused) {
        // The others are asked for it the second time, or it is right then.
        begun = (case.begin)(&mut pool);
    }
    if matches!(begun, Err(Error::Storage(StorageError::ReadOnly | StorageError::TooFewDisks { .. }))) {
        // With a disk less than it takes: nothing was begun.
        return true;
    }
    begun.unwrap_or_else(|error| panic!("{what}: {error}"));
    carry_on(&mut pool, &what);
    let came = pool.array().disk(disk).is_calm();
    pool.array().disk_mut(disk).calm();
    let is_there =
        |pool: &Mounted<'_>| pool.health().writable && (0..case.disks).all(|disk| is_in_use(pool, disk));
    let was_there = is_there(&pool);
    let mut pool = if was_there {
        pool
    } else {
        drop(pool);
        world.mount()
    };
    carry_on(&mut pool, &what);
    let mut job = pool.job(case.kind).expect("read").unwrap_or_else(|| panic!("{what}: it never ran"));
    if case.kind != JobKind::Rebuild && (!was_there || job.state != JobState::Complete || job.failed > 0) {
        // It said that something is left to do, or did not see a disk; what a rebuild leaves it begins again by itself.
        pool.start_job(case.kind, job.options).expect("started");
        carry_on(&mut pool, &what);
        job = pool.job(case.kind).expect("read").expect("it ran");
    }
    assert_eq!((job.state, job.failed), (JobState::Complete, 0), "{what}: {job:?}");
    (case.then)(&mut pool);
    expect_whole(&mut pool, &what);
    for (name, length) in FILES_THERE {
        expect(&mut pool, name, length);
    }
    drop(pool);
    if well % 8 == 0 {
        expect_without(&mut world, case.disks, &what);
    }
    came
}

/// Everything is there, whichever disk is lost now.
fn expect_without(world: &mut World, disks: usize, what: &str) {
    for lost in 0..disks {
        let mut world = fork(world);
        world.unplug(&[lost]);
        let Ok(mut pool) = world.try_mount(MountMode::ReadWrite) else {
            panic!("{what}: not without {lost}")
        };
        for (name, length) in FILES_THERE {
            expect(&mut pool, name, length);
        }
    }
}

fn at_every_read(case: &Case) {
    let world = (case.world)();
    let mut runs = 0;
    for (disk, requests) in (0..case.disks).flat_map(|disk| [(disk, 1), (disk, 2)]) {
        for well in 0.. {
            assert!(well < 2_000, "{}: no end of reads", case.name);
            runs += 1;
            if !run(case, &world, (disk, well, requests)) {
                break;
            }
        }
    }
    assert!(runs >= 20, "{}: {runs} reads", case.name);
}

#[test]
fn a_read_that_fails_in_a_rebuild_of_what_a_disk_missed_is_made_up_for() {
    at_every_read(&CASES[0]);
}

#[test]
fn a_read_that_fails_in_a_rebuild_without_a_disk_is_made_up_for() {
    at_every_read(&CASES[1]);
}

#[test]
fn a_read_that_fails_in_a_rebuild_of_a_failed_member_is_made_up_for() {
    at_every_read(&CASES[2]);
}

#[test]
fn a_read_that_fails_in_a_scrub_is_made_up_for() {
    at_every_read(&CASES[3]);
}

#[test]
fn a_read_that_fails_in_a_rebalance_is_made_up_for() {
    at_every_read(&CASES[4]);
}

#[test]
fn a_read_that_fails_in_a_drain_is_made_up_for() {
    at_every_read(&CASES[5]);
}

#[test]
fn a_read_that_fails_in_a_recount_is_made_up_for() {
    at_every_read(&CASES[6]);
}
