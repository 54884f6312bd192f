//! A directory with a million entries, in a pool that was lent one MiB: made, listed, looked up, removed.
//!
//! `DYNAMICFS_DIRECTORY_ENTRIES` sets another number; `-- --nocapture` shows what was measured.

use dynamicfs_core::ReadObjects;
use dynamicfs_core::error::Error;
use dynamicfs_core::maintain::Work;
use dynamicfs_core::object::{Attributes, MakeRequest};
use dynamicfs_core::types::{ObjectId, Scheme};
use dynamicfs_core::{FormatOptions, MountOptions, Pool, Services};
use dynamicfs_hal::{RamDisk, SerialArray};
use dynamicfs_sim::Rng;
use dynamicfs_sim::world::{Lent, NoClock, account};
use std::ops::{ControlFlow, Range};
use std::time::Instant;

const ENTRIES: u64 = 1_000_000;
const MEMORY_BYTES: usize = 1 << 20;
const DISK_BYTES: usize = 768 << 20;

/// Entries that one transaction makes or removes.
const BATCH: u64 = 10_000;

/// Names that are looked up where lookups are measured.
const LOOKUPS: u64 = 2_000;

/// Blocks that the tree of an emptied pool may take more than that of a new one.
const REMAINS_MAX: u64 = 128;

const SERVICES: Services<'static> = Services::new(std_host_shim::crc32c, &NoClock);

type Array = SerialArray<RamDisk<Vec<u8>>, 1>;
type OpenPool<'m> = Pool<'m, Array>;

fn entries() -> u64 {
    let given = std::env::var("DYNAMICFS_DIRECTORY_ENTRIES").ok();
    given.map_or(ENTRIES, |text| text.parse().expect("DYNAMICFS_DIRECTORY_ENTRIES is a number"))
}

fn name(number: u64) -> String {
    format!("entry-{number}")
}

fn format(lent: &mut Lent) -> OpenPool<'_> {
    let array = SerialArray::new([RamDisk::new(vec![0; DISK_BYTES], 4096)]);
    let options = FormatOptions::server(Scheme::SINGLE);
    Pool::format(array, lent.lend(), SERVICES, &mut Rng::new(1), &options, &[]).expect("formatted")
}

fn mount(array: Array, lent: &mut Lent) -> OpenPool<'_> {
    Pool::mount(array, lent.lend(), SERVICES, &MountOptions::default()).expect("mounted")
}

/// Runs `f` for all these numbers, in transactions of [`BATCH`], and what upkeep there is after each.
fn in_batches(
    pool: &mut OpenPool<'_>,
    numbers: Range<u64>,
    mut f: impl FnMut(&mut OpenTransaction<'_, '_>, u64),
) {
    let end = numbers.end;
    for first in numbers.step_by(BATCH as usize) {
        let mut transaction = pool.begin().expect("begun");
        (first..(first + BATCH).min(end)).for_each(|number| f(&mut transaction, number));
        transaction.commit().expect("committed");
        while pool.maintain(true).expect("maintained") != Work::Nothing {}
    }
}

type OpenTransaction<'p, 'm> = dynamicfs_core::Transaction<'p, 'm, Array>;

/// Makes entries; `objects` gets what they name.
fn make(pool: &mut OpenPool<'_>, objects: &mut Vec<ObjectId>, end: u64) {
    let what = (MakeRequest::File, Attributes::default());
    in_batches(pool, objects.len() as u64..end, |transaction, number| {
        let made = transaction.create(ObjectId::ROOT, name(number).as_bytes(), &what.0, &what.1);
        objects.push(made.unwrap_or_else(|error| panic!("entry {number}: {error}")));
    });
}

/// Lists the directory, a thousand entries at a time: each of the wanted ones is there once, and no other.
fn check_list(pool: &mut OpenPool<'_>, objects: &[ObjectId], wanted: impl Fn(u64) -> bool) {
    let mut seen = vec![false; objects.len()];
    let mut from = Some(0);
    while let Some(begin) = from.take() {
        let mut left = 1000;
        from = pool
            .list(ObjectId::ROOT, begin, |entry| {
                let text = std::str::from_utf8(entry.name).expect("text");
                let number: u64 = text.strip_prefix("entry-").and_then(|n| n.parse().ok()).expect("a name");
                assert_eq!(entry.object, objects[number as usize], "entry {number}");
                let again = std::mem::replace(&mut seen[number as usize], true);
                assert!(!again, "entry {number} is listed twice");
                left -= 1;
                if left == 0 { ControlFlow::Break(entry.next) } else { ControlFlow::Continue(()) }
            })
            .expect("listed");
    }
    let wrong = (0..objects.len() as u64).find(|&number| seen[number as usize] != wanted(number));
    assert_eq!(wrong, None, "is listed and should not be, or the other way round");
}

/// Blocks that lookups read from the disk: the first one after a mount, and all on average and at most.
struct Cost {
    cold: u64,
    average: f64,
    most: u64,
}

fn look_up(pool: &mut OpenPool<'_>, objects: &[ObjectId], rng: &mut Rng) -> Cost {
    let mut reads = Vec::new();
    for _ in 0..LOOKUPS {
        let number = rng.below(objects.len() as u64);
        let before = pool.health().counters.nodes_read;
        let found = pool.lookup(ObjectId::ROOT, name(number).as_bytes()).expect("found");
        reads.push(pool.health().counters.nodes_read - before);
        assert_eq!(found.object, objects[number as usize], "entry {number}");
    }
    for absent in [objects.len() as u64, u64::MAX] {
        assert_eq!(pool.lookup(ObjectId::ROOT, name(absent).as_bytes()), Err(Error::NotFound));
    }
    let average = reads.iter().sum::<u64>() as f64 / reads.len() as f64;
    Cost { cold: reads[0], average, most: reads.iter().copied().max().unwrap_or(0) }
}

/// What was measured where a directory has so many entries.
fn check_cost(pool: &OpenPool<'_>, entries: u64, cost: &Cost) {
    let level = u64::from(pool.internals().store.tree.level);
    let Cost { cold, average, most } = cost;
    println!(
        "{entries:>9} entries, {} levels: a lookup reads {cold} blocks after a mount, {average:.2} on average, {most} at most",
        level + 1
    );
    // The directory's inode and the entry: two ways from one root.
    assert!(cold.max(most) <= &(2 * level + 1), "{cold} or {most} blocks in a tree of {} levels", level + 1);
    assert!(*average <= (level + 1) as f64, "{average} blocks in a tree of {} levels", level + 1);
}

// Nothing here may grow with the directory but the disk: one MiB of memory has to do for any size.
#[test]
fn a_million_entries_in_one_directory() {
    let all = entries();
    let mut rng = Rng::new(7);
    let mut objects = Vec::new();
    let mut lent = Lent::new(MEMORY_BYTES);
    let mut pool = format(&mut lent);
    account(&mut pool, "empty");
    let free_at_first = pool.health().free_blocks + pool.health().dead_blocks;
    let mut array = pool.into_array();

    let start = Instant::now();
    let sizes = (3..).map(|digits| 10_u64.pow(digits)).take_while(|&size| size < all);
    for size in sizes.chain([all]) {
        pool = mount(array, &mut lent);
        make(&mut pool, &mut objects, size);
        array = pool.into_array();
        pool = mount(array, &mut lent);
        let cost = look_up(&mut pool, &objects, &mut rng);
        check_cost(&pool, size, &cost);
        account(&mut pool, &format!("{size} entries"));
        array = pool.into_array();
    }
    pool = mount(array, &mut lent);
    assert_eq!(pool.inode(ObjectId::ROOT).expect("the root").size, all);
    assert_eq!(pool.health().objects, all + 1);
    let health = pool.health();
    let used = free_at_first - health.free_blocks - health.dead_blocks;
    println!("made in {:.1} s; {} bytes an entry, both replicas", seconds(start), used * 4096 / all);

    let start = Instant::now();
    check_list(&mut pool, &objects, |_| true);
    println!("listed in {:.1} s", seconds(start));

    // Every second one first, so that no node empties early.
    let start = Instant::now();
    in_batches(&mut pool, 0..all.div_ceil(2), |transaction, half| {
        transaction.unlink(ObjectId::ROOT, name(2 * half).as_bytes()).expect("removed");
    });
    check_list(&mut pool, &objects, |number| number % 2 == 1);
    account(&mut pool, "half of the entries");
    in_batches(&mut pool, 0..all / 2, |transaction, half| {
        transaction.unlink(ObjectId::ROOT, name(2 * half + 1).as_bytes()).expect("removed");
    });
    println!("removed in {:.1} s", seconds(start));

    check_list(&mut pool, &objects, |_| false);
    account(&mut pool, "no entries again");
    let health = pool.health();
    assert_eq!((pool.inode(ObjectId::ROOT).expect("the root").size, health.objects), (0, 1));
    let free = health.free_blocks + health.dead_blocks;
    println!(
        "{} blocks fewer free than at first, level {}",
        free_at_first - free,
        pool.internals().store.tree.level
    );
    assert!(free + REMAINS_MAX >= free_at_first, "{} blocks are gone", free_at_first - free);
}

fn seconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64()
}
