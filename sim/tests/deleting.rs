//! Deleting continues: in a full pool, whatever it is full of, and beside what cannot be read.

use crate::common::{Mounted, World, contents, expect, put, rest};
use core::ops::ControlFlow;
use dynamicfs_core::FormatOptions;
use dynamicfs_core::ReadObjects;
use dynamicfs_core::disks::events::Happening;
use dynamicfs_core::error::{Error, StorageError};
use dynamicfs_core::format::key::{Key, Kind};
use dynamicfs_core::maintain::{CheckReport, Finding, JobKind, JobOptions, JobState, Work};
use dynamicfs_core::object::{AttributeMode, Attributes, MakeRequest};
use dynamicfs_core::transaction::Purpose;
use dynamicfs_core::tree::{Met, Walk};
use dynamicfs_core::types::{BlockAddress, ObjectId, Scheme};
use dynamicfs_hal::{Geometry, IoError};
use dynamicfs_sim::world::{Lent, account, put_file};
use dynamicfs_sim::{IoKind, Mishap, SimArray, forge};

/// A pool to be filled and emptied.
struct Case {
    options: FormatOptions,
    sector_bytes: u32,
    sectors: &'static [u64],
    memory: usize,
    /// Bytes of each write.
    piece: usize,
    /// Long attributes that the first file has.
    attributes: usize,
    /// log2 of the extent size that the files ask for.
    extent_shift: Option<u8>,
}

impl Case {
    /// A pool as firmware makes them, in the memory of a server.
    fn portable(scheme: Scheme, sectors: &'static [u64], extent_bytes: u32) -> Self {
        Self {
            options: FormatOptions::portable(scheme).members_max(4).extent_bytes(extent_bytes),
            sector_bytes: 512,
            sectors,
            memory: 24 << 20,
            piece: extent_bytes as usize,
            attributes: 0,
            extent_shift: None,
        }
    }

    fn world(&self) -> World {
        self.world_of(9)
    }

    /// A pool with the hash of names that this seed gives.
    fn world_of(&self, seed: u64) -> World {
        let geometries = self.sectors.iter().map(|&sectors| Geometry::new(self.sector_bytes, sectors));
        let array = SimArray::new(1, geometries);
        World::on(array, self.options)
            .lent(Lent::with_nodes(self.memory, self.options.node_bytes))
            .entropy(seed)
            .make()
    }

    /// Fills the pool with files, and then with names until there is not even space for one; the files.
    fn fill(&self, pool: &mut Mounted<'_>) -> Vec<String> {
        let mut made = Attributes::new();
        made.extent_shift = self.extent_shift;
        let mut files = vec![];
        if self.attributes > 0 {
            let mut transaction = pool.begin().expect("begun");
            let file = transaction.create(ObjectId::ROOT, b"attributed", &MakeRequest::File, &made);
            for n in 0..self.attributes {
                let (file, name) = (file.expect("made"), format!("attribute {n}"));
                transaction
                    .set_attribute(file, name.as_bytes(), &[n as u8; 4096], AttributeMode::CreateOrReplace)
                    .expect("set");
            }
            transaction.commit().expect("committed");
            files.push("attributed".into());
        }
        let bytes = contents("any", self.piece);
        let mut has_space = true;
        while has_space {
            let name = format!("file {}", files.len());
            let mut transaction = pool.begin().expect("begun");
            let Ok(file) = transaction.create(ObjectId::ROOT, name.as_bytes(), &MakeRequest::File, &made)
            else {
                break;
            };
            for n in 0..16 {
                let wrote = transaction.write(file, n * self.piece as u64, &bytes);
                has_space &= wrote.is_ok_and(|wrote| wrote == bytes.len());
            }
            transaction.commit().expect("committed");
            files.push(name);
        }
        for n in 0.. {
            let mut transaction = pool.begin().expect("begun");
            let name = format!("{n:0200}");
            let made = transaction.create(ObjectId::ROOT, name.as_bytes(), &MakeRequest::File, &made);
            if made.is_err() {
                break;
            }
            transaction.commit().expect("committed");
        }
        files
    }

    /// Fills a pool, deletes all files, and fills it with as much again.
    fn run(&self, what: &str) {
        let mut world = self.world();
        let mut pool = world.mount();
        let free = pool.health().free_blocks;
        let files = self.fill(&mut pool);
        for name in &files {
            let mut transaction =
                pool.begin().unwrap_or_else(|error| panic!("{what}, before {name}: {error}"));
            transaction
                .unlink(ObjectId::ROOT, name.as_bytes())
                .unwrap_or_else(|error| panic!("{what}: {name} cannot be deleted: {error}"));
            transaction
                .commit()
                .unwrap_or_else(|error| panic!("{what}: that {name} is deleted is not durable: {error}"));
        }
        rest(&mut pool);
        assert_eq!(pool.health().orphans, 0, "{what}");
        account(&mut pool, what);
        // What is left is names, dead blocks that are not worth a sweep, and the tree.
        let back = pool.health().free_blocks + pool.health().dead_blocks;
        assert!(back > free / 2, "{what}: {back} of {free} blocks are free again");
    }
}

/// An extent's checksums are a record of up to 300 pieces in nodes of 512 bytes. Eight such extents were freed at once,
/// whatever room there was, and a full pool could not delete them.
#[test]
fn a_full_pool_deletes_extents_of_many_pieces() {
    let case = Case::portable(Scheme::mirror(2), &[70_000, 70_000], 4 << 20);
    case.run("4 MiB extents of a mirror");
    let case = Case::portable(Scheme::SINGLE, &[20_000], 1 << 20);
    case.run("1 MiB extents on one disk");
    // The extent size is an object's own: any pool can be brought there.
    let case = Case {
        piece: 1 << 20,
        extent_shift: Some(20),
        memory: 8 << 20,
        ..Case::portable(Scheme::mirror(2), &[30_000, 30_000], 4096)
    };
    case.run("1 MiB extents of some objects");
    let case = Case {
        options: FormatOptions::server(Scheme::mirror(2)).members_max(8).extent_bytes(4 << 20),
        sector_bytes: 4096,
        memory: 32 << 20,
        ..Case::portable(Scheme::mirror(2), &[20_000, 20_000], 4 << 20)
    };
    case.run("4 MiB extents of a server");
}

/// The same with attributes: all of an object's were removed at once.
#[test]
fn a_full_pool_deletes_an_object_with_many_attributes() {
    let case =
        Case { attributes: 21, memory: 300 << 10, ..Case::portable(Scheme::mirror(2), &[6000, 6000], 4096) };
    case.run("21 long attributes");
}

/// Long attributes fill a pool; each is replaced by a short one, or removed.
#[test]
fn a_full_pool_removes_long_attributes() {
    let case = Case { memory: 300 << 10, ..Case::portable(Scheme::mirror(2), &[900, 900], 4096) };
    let mut world = case.world();
    let mut pool = world.mount();
    let mut attributes = vec![];
    'full: for n in 0..200 {
        let mut transaction = pool.begin().expect("begun");
        let name = format!("{n}");
        let made =
            transaction.create(ObjectId::ROOT, name.as_bytes(), &MakeRequest::File, &Attributes::default());
        let Ok(file) = made else { break };
        for name in [b"a", b"b", b"c"] {
            if transaction.set_attribute(file, name, &[1; 4096], AttributeMode::CreateOrReplace).is_err() {
                assert!(!transaction.internals().store.is_poisoned(), "no space is no damage");
                transaction.commit().expect("committed");
                break 'full;
            }
            attributes.push((file, name));
        }
        transaction.commit().expect("committed");
    }
    assert!(attributes.len() > 6, "{}", attributes.len());
    for (file, name) in attributes {
        let mut transaction = pool.begin().expect("begun");
        transaction.remove_attribute(file, name).unwrap_or_else(|error| panic!("{file:?}: {error}"));
        transaction.commit().expect("committed");
    }
    account(&mut pool, "attributes removed");
}

/// To cut a file to nothing, its first extent was read and stored again in pieces of the window's size. A
/// full pool has no space for them.
#[test]
fn a_full_pool_cuts_files_to_nothing_with_a_small_window() {
    let case = Case { memory: 8 << 20, ..Case::portable(Scheme::mirror(2), &[20_000, 20_000], 1 << 20) };
    let mut world = case.world();
    let files = case.fill(&mut world.mount());
    world.lent = Lent::new(64 << 10);
    let mut pool = world.mount();
    for name in &files {
        let mut transaction = pool.begin().expect("begun");
        let file = transaction.resolve(name.as_bytes()).expect("there");
        transaction.truncate(file, 0).unwrap_or_else(|error| panic!("{name}: {error}"));
        transaction.commit().expect("committed");
        assert_eq!(pool.inode(file).expect("there").size, 0);
    }
    rest(&mut pool);
    account(&mut pool, "files cut to nothing");
    // What is beyond an extent's end goes as it is, whatever the window; what it cuts through is stored again.
    let file = pool.resolve(files[0].as_bytes()).expect("there");
    let mut transaction = pool.begin().expect("begun");
    transaction.write_all(file, 0, &contents("again", 200_000)).expect("written");
    transaction.truncate(file, 150_001).expect("cut");
    transaction.truncate(file, 160_000).expect("grown");
    transaction.commit().expect("committed");
    let mut bytes = vec![1; 160_000];
    assert_eq!(pool.read(file, 0, &mut bytes).expect("read"), 160_000);
    assert!(bytes[..150_001] == contents("again", 200_000)[..150_001]);
    assert!(bytes[150_001..].iter().all(|&byte| byte == 0), "what was cut off does not come back");
}

/// Whether space is scarce was asked of all disks together. A large one with room hid that a small one was
/// full. Deleted blocks were not freed for programs that only begin and commit.
#[test]
fn what_was_deleted_comes_back_where_disks_are_unequal() {
    let case = Case { memory: 64 << 10, ..Case::portable(Scheme::mirror(2), &[2000, 60_000], 4096) };
    let mut world = case.world();
    let mut pool = world.mount();
    let fill = |pool: &mut Mounted<'_>, name: &str| {
        let mut transaction = pool.begin()?;
        let made = Attributes::default();
        let file = transaction.create(ObjectId::ROOT, name.as_bytes(), &MakeRequest::File, &made)?;
        let mut at = 0;
        while let Ok(wrote) = transaction.write(file, at, &[3; 4096]) {
            at += wrote as u64;
        }
        transaction.commit()?;
        Ok::<_, Error>(at)
    };
    let first = fill(&mut pool, "first").expect("filled");
    let mut transaction = pool.begin().expect("begun");
    transaction.unlink(ObjectId::ROOT, b"first").expect("unlinked");
    transaction.commit().expect("committed");
    let second: u64 = (0..3).filter_map(|n| fill(&mut pool, &format!("again {n}")).ok()).sum();
    assert!(second > first * 3 / 4, "{second} of {first} bytes");
    assert_eq!(pool.health().orphans, 0, "no space, and something deleted still holds some");
}

// --- beside what cannot be read ---------------------------------------------------------------------------------

/// A pool with a large file that was deleted and is not freed yet, with others before and behind it.
fn orphaned(sectors: u64) -> (World, ObjectId) {
    let array = SimArray::new(1, [Geometry::new(512, sectors); 2]);
    let options = FormatOptions::portable(Scheme::mirror(2)).members_max(4).extent_bytes(4096);
    let mut world = World::on(array, options).memory(300 << 10).make();
    world.put("before", 40_000);
    let mut pool = world.mount();
    let file = put_file(&mut pool, "big", &[5; 400 * 4096]).expect("committed");
    put(&mut pool, "behind", 40_000).expect("put");
    let mut transaction = pool.begin().expect("begun");
    transaction.unlink(ObjectId::ROOT, b"big").expect("unlinked");
    transaction.commit().expect("committed");
    assert_eq!(pool.health().orphans, 1);
    drop(pool);
    (world, file)
}

/// The first leaf in which a key of this range comes first, and the next one begins in the range too.
fn leaf_within(pool: &mut Mounted<'_>, from: Key, end: Key) -> Vec<BlockAddress> {
    let mut walk = Walk::new();
    while let Some(met) = pool.internals_mut().store.tree.walk(&mut walk).expect("read") {
        if met.level == 0 && met.from >= from && met.end.is_some_and(|next| next <= end) {
            return met.pointer.replicas().to_vec();
        }
    }
    panic!("no leaf lies in the range");
}

fn lose(world: &mut World, places: &[BlockAddress]) {
    for place in places {
        world.array.disk_mut(place.member.0.into()).make_unreadable(place.block..place.block + 1);
    }
}

/// How often a pool said that something of a deleted object cannot be freed.
fn told_unfreed(pool: &mut Mounted<'_>, object: ObjectId) -> usize {
    let told = core::iter::from_fn(|| pool.next_event());
    told.filter(|event| event.what == Happening::Unfreed { object }).count()
}

fn leaks(pool: &mut Mounted<'_>) -> u64 {
    let (mut leaks, mut report) = (0, CheckReport::default());
    pool.check_space(&mut [0; 1 << 14], &mut report, |finding| match finding {
        Some(Finding::Leak { .. }) => leaks += 1,
        Some(other) => panic!("{other:?}"),
        None => {}
    })
    .expect("checked");
    leaks
}

/// One leaf of a deleted file that cannot be read stopped all maintenance, and where space was scarce every transaction.
#[test]
fn a_lost_leaf_of_a_deleted_file_is_passed_over() {
    let (mut world, file) = orphaned(6000);
    let leaf = {
        let mut pool = world.mount();
        leaf_within(&mut pool, Key::extent(file, 40 * 4096), Key::extent(file, 300 * 4096))
    };
    lose(&mut world, &leaf);
    let mut pool = world.mount();
    pool.start_job(JobKind::Scrub, JobOptions::default()).expect("started");
    rest(&mut pool);
    assert_eq!(pool.health().orphans, 0, "the rest of it is gone, and the leaf with it");
    assert!(told_unfreed(&mut pool, file) > 0, "it is told");
    let scrub = pool.job(JobKind::Scrub).expect("read").expect("it ran");
    assert_eq!((scrub.state, scrub.failed), (JobState::Complete, 0), "nothing that anyone misses is lost");
    assert!(leaks(&mut pool) > 0, "what the leaf referred to is allocated");
    pool.start_job(JobKind::Recount, JobOptions::default()).expect("started");
    rest(&mut pool);
    account(&mut pool, "after a recount");
    expect(&mut pool, "before", 40_000);
    expect(&mut pool, "behind", 40_000);
}

#[test]
fn a_lost_leaf_of_a_deleted_file_keeps_no_transaction_from_beginning() {
    let (mut world, file) = orphaned(6000);
    let mut pool = world.mount();
    let mut n = 0;
    // Until space is scarce: the next transaction frees the deleted file first.
    while pool.health().free_blocks * 8 >= pool.health().blocks {
        put(&mut pool, &format!("filler {n}"), 20_000).expect("put");
        n += 1;
    }
    assert_eq!(pool.health().orphans, 1, "the test wants it to be there");
    let leaf = leaf_within(&mut pool, Key::extent(file, 40 * 4096), Key::extent(file, 390 * 4096));
    drop(pool);
    lose(&mut world, &leaf);
    let mut pool = world.mount();
    put(&mut pool, "more", 20_000).expect("put");
    rest(&mut pool);
    assert_eq!(pool.health().orphans, 0, "what can be freed of it is freed");
    expect(&mut pool, "more", 20_000);
}

/// A leaf that holds records of others too cannot be taken out of the tree. The deleted file stays in part, and holds up nothing.
#[test]
fn a_lost_leaf_that_others_have_a_part_in_holds_up_nothing() {
    let (mut world, file) = orphaned(14_000);
    // The leaf in which its last extent is, and what follows.
    let leaf = {
        let mut pool = world.mount();
        let (mut walk, mut found) = (Walk::new(), None);
        while let Some(met) = pool.internals_mut().store.tree.walk(&mut walk).expect("read") {
            let is_last = met.from <= Key::extent(file, 399 * 4096)
                && met.end.is_some_and(|next| next > Key::object_end(file));
            if met.level == 0 && is_last {
                found = Some(met.pointer.replicas().to_vec());
            }
        }
        found.expect("it ends somewhere")
    };
    let small = {
        let mut pool = world.mount();
        put(&mut pool, "small", 30).expect("put");
        let small = pool.resolve(b"small").expect("there");
        let mut transaction = pool.begin().expect("begun");
        let large = transaction
            .create(ObjectId::ROOT, b"large", &MakeRequest::File, &Attributes::default())
            .expect("made");
        transaction.write_all(large, 0, &[1; 400 * 4096]).expect("written");
        transaction.commit().expect("committed");
        small
    };
    lose(&mut world, &leaf);
    let mut pool = world.mount();
    rest(&mut pool);
    assert_eq!(pool.health().orphans, 1, "something of it stays");
    assert!(told_unfreed(&mut pool, file) > 0, "it is told");
    assert_eq!(pool.maintain(true).expect("maintained"), Work::Nothing);
    assert_eq!(pool.resolve(b"small").expect("there"), small);
    // Another that is deleted meanwhile goes.
    let mut transaction = pool.begin().expect("begun");
    transaction.unlink(ObjectId::ROOT, b"large").expect("unlinked");
    transaction.commit().expect("committed");
    assert_eq!(pool.health().orphans, 2);
    rest(&mut pool);
    assert_eq!(pool.health().orphans, 1);
    drop(pool);
    // When the leaf can be read again, the rest goes too.
    for place in &leaf {
        world.array.disk_mut(place.member.0.into()).heal(place.block..place.block + 1);
    }
    let mut pool = world.mount();
    rest(&mut pool);
    assert_eq!(pool.health().orphans, 0);
    account(&mut pool, "all of it is gone");
}

/// A leaf of a deleted file is lost, and the node above it is forged, so that it cannot be taken out. Each
/// step of upkeep failed at it from then on: nothing else was freed, and no job continued.
#[test]
fn a_lost_leaf_that_cannot_be_taken_out_holds_up_nothing() {
    let (mut world, file) = orphaned(6000);
    let (from, end) = (Key::extent(file, 40 * 4096), Key::extent(file, 300 * 4096));
    let mut leaf = None;
    let changed = forge::nodes(&mut world.array, |level, node| {
        let last = node.count().saturating_sub(1);
        if level != 1 || leaf.is_some() || last < 2 || node.key(0) < from || node.key(last) > end {
            return false;
        }
        leaf = Some(node.pointer(0).replicas().to_vec());
        // More than the next one begins with.
        node.set_key(last, &Key::extent(file, u64::MAX));
        true
    });
    assert_eq!(changed, Some(true));
    lose(&mut world, &leaf.expect("it has been changed"));
    let mut pool = world.mount();
    let steps = (0..100).map(|_| pool.maintain(true));
    let refused =
        steps.filter(|done| matches!(done, Err(Error::Storage(StorageError::RecordInvalid { .. })))).count();
    assert_eq!(refused, 1, "it is tried once");
    assert_eq!(pool.maintain(true), Ok(Work::Nothing));
    assert_eq!(pool.health().orphans, 1, "something of it stays");
    // Another that is deleted meanwhile goes.
    let mut transaction = pool.begin().expect("begun");
    transaction.unlink(ObjectId::ROOT, b"before").expect("unlinked");
    transaction.commit().expect("committed");
    rest(&mut pool);
    expect(&mut pool, "behind", 40_000);
}

/// A file was cut short, grew again before all that was cut off had been freed, and what was written then was
/// freed with it.
#[test]
fn what_is_written_where_something_was_cut_off_stays() {
    const LEFT: u64 = 3000;
    let (mut world, _) = orphaned(6000);
    let mut pool = world.mount();
    rest(&mut pool);
    let file = put_file(&mut pool, "cut", &[5; 400 * 4096]).expect("committed");
    let mut transaction = pool.begin().expect("begun");
    transaction.truncate(file, LEFT).expect("cut");
    transaction.commit().expect("committed");
    assert_eq!(pool.health().orphans, 1, "it is not freed yet");
    let (at, new) = (390 * 4096 + 100, contents("new", 5000));
    let mut transaction = pool.begin().expect("begun");
    transaction.write_all(file, at, &new).expect("written");
    transaction.commit().expect("committed");
    for what in ["at once", "after upkeep"] {
        let mut bytes = vec![1; 400 * 4096];
        let length = at as usize + new.len();
        assert_eq!(pool.read(file, 0, &mut bytes), Ok(length), "{what}");
        let (left, gap) = bytes[..at as usize].split_at(LEFT as usize);
        assert!(left.iter().all(|&byte| byte == 5), "{what}: what was left");
        assert!(gap.iter().all(|&byte| byte == 0), "{what}: what was cut off is back");
        assert!(bytes[at as usize..length] == new, "{what}: what was written since");
        rest(&mut pool);
    }
    account(&mut pool, "after all");
}

/// What fails once is tried again: nothing is given up for it.
#[test]
fn a_read_that_fails_once_loses_nothing_of_a_deletion() {
    for well in 0..30 {
        let (mut world, file) = orphaned(6000);
        let mut pool = world.mount();
        for disk in [0, 1] {
            pool.array().disk_mut(disk).mishap_after(IoKind::Read, well, 1, Mishap::Fail(IoError::Media));
        }
        // Another read than the deletion's may fail: then upkeep says so.
        while pool.maintain(true).is_ok_and(|work| work != Work::Nothing) {}
        for disk in [0, 1] {
            pool.array().disk_mut(disk).calm();
        }
        rest(&mut pool);
        assert_eq!((pool.health().orphans, told_unfreed(&mut pool, file)), (0, 0), "{well}");
        account(&mut pool, "deleted");
    }
}

/// Dropping a transaction reads the open groups again. Two reads that failed then made the pool read-only until it was
/// mounted anew.
#[test]
fn a_read_that_fails_while_a_transaction_is_dropped_passes() {
    for (well, failing) in (0..24).flat_map(|well| [(well, 1), (well, 2), (well, 8)]) {
        let array = SimArray::new(1, [Geometry::new(512, 8000)]);
        let options = FormatOptions::portable(Scheme::SINGLE).members_max(1);
        let mut world = World::on(array, options).memory(40 << 10).make();
        let mut pool = world.mount();
        for n in 0..40 {
            put(&mut pool, &format!("file {n}"), 30_000).expect("put");
        }
        let mut transaction = pool.begin().expect("begun");
        let half = transaction
            .create(ObjectId::ROOT, b"half", &MakeRequest::File, &Attributes::default())
            .expect("made");
        transaction.write_all(half, 0, &[1; 50_000]).expect("written");
        for n in 0..20 {
            transaction.resolve(format!("file {n}").as_bytes()).expect("there");
        }
        let disk = transaction.array().disk_mut(0);
        disk.mishap_after(IoKind::Read, well, failing, Mishap::Fail(IoError::Media));
        drop(transaction);
        pool.array().disk_mut(0).calm();
        put(&mut pool, "more", 30_000).unwrap_or_else(|error| panic!("{failing} after {well}: {error}"));
        assert!(pool.resolve(b"half").is_err());
        account(&mut pool, "after a transaction that was dropped");
    }
}

// --- maintenance that never rested ------------------------------------------------------------------------------

/// An extent whose checksums are lost, and whose record begins a leaf. A job that met it ended each step at
/// the leaf before and began there again, for ever and without a write.
#[test]
fn a_job_passes_over_a_lost_extent_that_begins_a_leaf() {
    let case = Case { memory: 8 << 20, ..Case::portable(Scheme { data: 2, parity: 1 }, &[12_000; 3], 4096) };
    let mut world = case.world();
    let leaf = {
        let mut pool = world.mount();
        (14..18).find_map(|shift| leaf_behind_a_head(&mut pool, shift)).expect("an extent begins a leaf")
    };
    lose(&mut world, &leaf);
    let mut pool = world.mount();
    pool.start_job(JobKind::Scrub, JobOptions::default()).expect("started");
    rest(&mut pool);
    let scrub = pool.job(JobKind::Scrub).expect("read").expect("it ran");
    assert!(scrub.failed >= 2, "the leaf and the extent are named: {}", scrub.failed);
}

/// Makes a file of extents of this size, and finds a leaf that begins with the record of one. Returns the
/// leaf after it, where that record continues.
fn leaf_behind_a_head(pool: &mut Mounted<'_>, shift: u8) -> Option<Vec<BlockAddress>> {
    let mut transaction = pool.begin().expect("begun");
    let made = Attributes::new().extent_shift(shift);
    let name = format!("file {shift}");
    let file = transaction.create(ObjectId::ROOT, name.as_bytes(), &MakeRequest::File, &made).expect("made");
    transaction.write_all(file, 0, &contents(&name, 1 << 21)).expect("written");
    transaction.commit().expect("committed");
    let mut leaves = vec![];
    let mut walk = Walk::new();
    while let Some(met) = pool.internals_mut().store.tree.walk(&mut walk).expect("read") {
        leaves.extend((met.level == 0).then_some(met));
    }
    let mut first = |from: Key, end: Option<Key>| {
        let found = pool
            .internals_mut()
            .store
            .tree
            .scan(&from, &end.unwrap_or(Key::MAX), |key, _| ControlFlow::Break(*key));
        found.expect("read").filter(|key| key.is(file, Kind::Extent))
    };
    leaves.array_windows().find_map(|[leaf, next]| {
        let begins = first(leaf.from, leaf.end) == Some(leaf.from) && leaf.from.offset().is_multiple_of(4096);
        let goes_on = first(next.from, next.end)
            .is_some_and(|key| key.offset() > leaf.from.offset() && key.offset() - leaf.from.offset() < 4096);
        let is_far = leaf.from > Key::extent(file, 1 << 20);
        (begins && goes_on && is_far).then(|| next.pointer.replicas().to_vec())
    })
}

/// Most names of a directory go, and a few stay in every leaf of the tree. What is left of those is joined:
/// else a tree would stay as large as it ever was.
#[test]
fn a_tree_of_which_little_is_left_in_each_leaf_becomes_small() {
    let leaves = |kept: usize, of: usize| {
        let mut world = World::new(Scheme::mirror(2), 2, 300 << 10);
        let mut pool = world.mount();
        let mut transaction = pool.begin().expect("begun");
        for n in 0..of {
            let name = format!("file-{n}");
            let made = transaction.create(
                ObjectId::ROOT,
                name.as_bytes(),
                &MakeRequest::File,
                &Attributes::default(),
            );
            made.expect("made");
        }
        for n in (0..of).filter(|n| n % (of / kept) != 0) {
            transaction.unlink(ObjectId::ROOT, format!("file-{n}").as_bytes()).expect("unlinked");
        }
        transaction.commit().expect("committed");
        let (mut walk, mut leaves) = (Walk::new(), 0);
        while let Some(Met { level, .. }) = pool.internals_mut().store.tree.walk(&mut walk).expect("walked") {
            leaves += usize::from(level == 0);
        }
        leaves
    };
    let (fresh, left) = (leaves(40, 40), leaves(40, 400));
    assert!(left <= fresh * 3, "{left} leaves for what takes {fresh}");
}

/// Several long files are deleted in one transaction. Each gives back at once what there is room for. It
/// leaves room for the next one, for the commit and for the sweep after it.
#[test]
fn all_files_of_a_full_pool_are_deleted_in_one_transaction() {
    let case = Case { piece: 64 << 10, ..Case::portable(Scheme::mirror(2), &[40_000, 40_000], 4096) };
    let (mut deleted, mut tight) = (0, 0);
    // Where the names lie in the tree, and so how much of it each deletion copies, is the hash's.
    for seed in 1..9 {
        let mut world = case.world_of(seed);
        let mut pool = world.mount();
        let files = case.fill(&mut pool);
        let mut transaction = pool.begin().expect("begun");
        for name in &files {
            transaction
                .unlink(ObjectId::ROOT, name.as_bytes())
                .unwrap_or_else(|error| panic!("seed {seed}, {name}: {error}"));
            deleted += 1;
            tight += u32::from(!transaction.internals().store.has_room(1, Purpose::Release));
        }
        transaction.commit().expect("committed");
        rest(&mut pool);
        assert_eq!(pool.health().orphans, 0);
        account(&mut pool, "all are deleted");
    }
    assert!(tight * 10 < deleted, "{tight} of {deleted} took what was kept back");
}
