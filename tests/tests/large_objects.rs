//! Objects as long as the format allows, 2^48 bytes, with little in them.

use dynamicfs_core::ReadObjects;
use dynamicfs_core::error::Error;
use dynamicfs_core::limits::OBJECT_BYTES_MAX as END;
use dynamicfs_core::maintain::Work;
use dynamicfs_core::object::{Attributes, MakeRequest};
use dynamicfs_core::types::{ObjectId, Scheme};
use dynamicfs_core::{FormatOptions, MountOptions, Pool};
use dynamicfs_hal::{RamDisk, SerialArray};
use dynamicfs_sim::Rng;
use dynamicfs_sim::pages::{Background, Pages};
use dynamicfs_sim::world::{Lent, SERVICES, account};

const DISKS: usize = 3;
const DISK_BYTES: usize = 32 << 20;

/// Blocks that the tree of an emptied pool may take more than that of a new one.
const TREE_BLOCKS_MAX: u64 = 64;

type Array = SerialArray<RamDisk<Vec<u8>>, DISKS>;
type OpenPool<'m> = Pool<'m, Array>;

/// Where numbers of 32, 40, 47 and 48 bits end, and what lies at the beginning.
const EDGES: [u64; 6] = [0, 1 << 20, 1 << 32, 1 << 40, 1 << 47, END];

/// A pool of three disks, and memory for it.
fn format(options: &FormatOptions, memory: &mut Lent) -> Array {
    let array = SerialArray::new(std::array::from_fn(|_| {
        RamDisk::new(vec![0; DISK_BYTES], options.chunk_bytes.min(4096))
    }));
    let pool = Pool::format(array, memory.lend(), SERVICES, &mut Rng::new(1), options, &[]);
    pool.expect("formatted").into_array()
}

fn mount(array: Array, memory: &mut Lent) -> OpenPool<'_> {
    Pool::mount(array, memory.lend(), SERVICES, &MountOptions::default()).expect("mounted")
}

/// The layouts that are tried: each with its memory.
fn layouts() -> [(FormatOptions, usize); 4] {
    let portable = FormatOptions::portable;
    let parity = Scheme { data: 2, parity: 1 };
    [
        (FormatOptions::server(Scheme::SINGLE), 8 << 20),
        (FormatOptions::server(parity), 8 << 20),
        (portable(Scheme::mirror(2)), 64 << 10),
        // A window smaller than the extents.
        (portable(parity).extent_bytes(1 << 16), 128 << 10),
    ]
}

/// An object, and the bytes that it should hold.
struct Sparse {
    object: ObjectId,
    size: u64,
    bytes: Pages,
}

impl Sparse {
    fn make(pool: &mut OpenPool<'_>, name: &str) -> Self {
        let mut transaction = pool.begin().expect("begun");
        let made =
            transaction.create(ObjectId::ROOT, name.as_bytes(), &MakeRequest::File, &Attributes::default());
        transaction.commit().expect("committed");
        Self { object: made.expect("made"), size: 0, bytes: Pages::new(END, Background::Zeros) }
    }

    fn write(&mut self, pool: &mut OpenPool<'_>, at: u64, data: &[u8]) {
        let mut transaction = pool.begin().expect("begun");
        transaction.write_all(self.object, at, data).unwrap_or_else(|error| panic!("write at {at}: {error}"));
        transaction.commit().unwrap_or_else(|error| panic!("write at {at}: {error}"));
        self.bytes.write(at, data);
        // Writing nothing does not make an object longer.
        if !data.is_empty() {
            self.size = self.size.max(at + data.len() as u64);
        }
    }

    fn truncate(&mut self, pool: &mut OpenPool<'_>, size: u64) {
        let mut transaction = pool.begin().expect("begun");
        transaction.truncate(self.object, size).unwrap_or_else(|error| panic!("truncate to {size}: {error}"));
        transaction.commit().unwrap_or_else(|error| panic!("truncate to {size}: {error}"));
        self.bytes.forget(size.min(END)..END);
        self.size = size;
    }

    /// Compares what lies around each edge and at the end.
    fn check(&self, pool: &mut OpenPool<'_>, what: &str) {
        assert_eq!(pool.inode(self.object).expect("the inode").size, self.size, "{what}");
        for edge in EDGES.into_iter().chain([self.size]) {
            self.check_at(pool, edge.saturating_sub(5000), 10_000, what);
        }
    }

    fn check_at(&self, pool: &mut OpenPool<'_>, at: u64, bytes: usize, what: &str) {
        let length = self.size.saturating_sub(at).min(bytes as u64) as usize;
        let (mut found, mut expected) = (vec![0xAA; bytes], vec![0; length]);
        self.bytes.read(at, &mut expected);
        let mut read = 0;
        while read < bytes {
            match pool.read(self.object, at + read as u64, &mut found[read..]).expect("read") {
                0 => break,
                more => read += more,
            }
        }
        assert_eq!(read, length, "{what}: bytes read at {at}");
        let wrong = found[..read].iter().zip(&expected).position(|(a, b)| a != b);
        assert_eq!(wrong.map(|i| at + i as u64), None, "{what}: a byte is wrong");
    }
}

fn noise(rng: &mut Rng, bytes: usize) -> Vec<u8> {
    let mut data = vec![0; bytes];
    rng.fill(&mut data);
    data
}

/// Blocks that are free, or will be when a sweep has given them back; what was deleted is freed first.
fn free_blocks(pool: &mut OpenPool<'_>) -> u64 {
    while pool.maintain(true).expect("maintained") != Work::Nothing {}
    pool.health().free_blocks + pool.health().dead_blocks
}

/// Nothing is stored any more, and as many blocks are free as before, but for the shape of the tree.
fn check_given_back(pool: &mut OpenPool<'_>, before: u64) {
    let free = free_blocks(pool);
    account(pool, "given back");
    assert_eq!(pool.health().extents, 0);
    assert!(free + TREE_BLOCKS_MAX >= before, "{free} blocks are free, {before} were");
}

// Offsets are 64 bits wide in memory and 48 on disk: what is stored across each edge must come back from a new mount.
#[test]
fn bytes_are_kept_on_both_sides_of_every_edge() {
    for (options, memory) in layouts() {
        let mut rng = Rng::new(2);
        let mut lent = Lent::new(memory);
        let array = format(&options, &mut lent);
        let mut pool = mount(array, &mut lent);
        let mut sparse = Sparse::make(&mut pool, "sparse");
        for edge in EDGES {
            let begin = edge.saturating_sub(700);
            let bytes = (END - begin).min(1500) as usize;
            sparse.write(&mut pool, begin, &noise(&mut rng, bytes));
            sparse.check(&mut pool, &format!("{} up to {edge}", options.scheme));
        }
        // The last byte of all, alone, and a whole extent up to it.
        sparse.write(&mut pool, END - 1, b"!");
        let extent = u64::from(options.extent_bytes);
        sparse.write(&mut pool, END - extent, &noise(&mut rng, extent as usize));
        assert_eq!(sparse.size, END);
        assert_eq!(pool.health().content_bytes, END);
        let array = pool.into_array();
        let mut pool = mount(array, &mut lent);
        sparse.check(&mut pool, &format!("{} mounted again", options.scheme));
        account(&mut pool, "full length");
    }
}

// A refusal must come before anything is touched: what the same transaction wrote before and after it is kept.
#[test]
fn writing_beyond_the_end_is_refused_and_changes_nothing() {
    for (options, memory) in layouts() {
        let mut lent = Lent::new(memory);
        let array = format(&options, &mut lent);
        let mut pool = mount(array, &mut lent);
        let mut sparse = Sparse::make(&mut pool, "sparse");
        sparse.write(&mut pool, END - 1000, &[1; 900]);
        let inode = pool.inode(sparse.object).expect("the inode");
        let generation = pool.health().generation;

        let mut transaction = pool.begin().expect("begun");
        for (at, bytes) in
            [(END, 1), (END - 1, 2), (END - 100, 101), (END + 1, 0), (u64::MAX, 1), (u64::MAX - 1, 2), (0, 0)]
        {
            let refused = transaction.write_all(sparse.object, at, &vec![9; bytes]);
            let expected = if (at, bytes) == (0, 0) { Ok(()) } else { Err(Error::TooLarge) };
            assert_eq!(refused, expected, "{bytes} bytes at {at}");
        }
        for size in [END + 1, u64::MAX] {
            assert_eq!(transaction.truncate(sparse.object, size), Err(Error::TooLarge), "{size}");
        }
        assert_eq!(transaction.inode(sparse.object), Ok(inode));
        drop(transaction);
        assert_eq!(pool.health().generation, generation);
        sparse.check(&mut pool, "refused");

        let mut transaction = pool.begin().expect("begun");
        transaction.write_all(sparse.object, END - 50, &[2; 20]).expect("written");
        assert_eq!(transaction.write_all(sparse.object, END - 10, &[9; 11]), Err(Error::TooLarge));
        transaction.write_all(sparse.object, END - 30, &[3; 30]).expect("written");
        transaction.commit().expect("committed");
        sparse.bytes.write(END - 50, &[2; 20]);
        sparse.bytes.write(END - 30, &[3; 30]);
        sparse.size = END;
        sparse.check(&mut pool, "written around a refusal");
        account(&mut pool, "refused");

        // Nothing is there to be read beyond the end either.
        for at in [END, END + 1, u64::MAX] {
            assert_eq!(pool.read(sparse.object, at, &mut [0; 8]), Ok(0), "read at {at}");
        }
    }
}

// What was cut off must read as zeros when the object grows again, however far, and its blocks must come back.
#[test]
fn truncating_to_the_end_and_back() {
    for (options, memory) in layouts() {
        let mut rng = Rng::new(3);
        let mut lent = Lent::new(memory);
        let array = format(&options, &mut lent);
        let mut pool = mount(array, &mut lent);
        let before = free_blocks(&mut pool);
        let mut sparse = Sparse::make(&mut pool, "sparse");
        // Contents that stood in the tree, then in an extent.
        for bytes in [10, 100_000] {
            sparse.write(&mut pool, 0, &noise(&mut rng, bytes));
            for size in [END, END - 1, 1 << 47, (1 << 32) + 1, 7, END, bytes as u64 / 2, 0, END] {
                sparse.truncate(&mut pool, size);
                sparse.check(&mut pool, &format!("{} truncated to {size}", options.scheme));
            }
            sparse.write(&mut pool, END - 3, b"end");
            sparse.write(&mut pool, (1 << 47) - 3, b"middle");
            sparse.check(&mut pool, "written at the end");
            sparse.truncate(&mut pool, (1 << 47) + 1);
            sparse.truncate(&mut pool, END);
            sparse.check(&mut pool, "cut in the middle of what was written");
            account(&mut pool, "truncated");
            sparse.truncate(&mut pool, 0);
        }
        let mut transaction = pool.begin().expect("begun");
        transaction.unlink(ObjectId::ROOT, b"sparse").expect("removed");
        transaction.commit().expect("committed");
        check_given_back(&mut pool, before);
    }
}

// Many extents, strewn over the whole length. Where nodes are small one commit does not free them all: the
// rest becomes an orphan, and all comes back.
#[test]
fn deleting_gives_everything_back() {
    const EXTENTS: u64 = 300;
    let mut orphans = 0;
    for (options, memory) in layouts() {
        let mut lent = Lent::new(memory);
        let array = format(&options, &mut lent);
        let mut pool = mount(array, &mut lent);
        let (before, health) = (free_blocks(&mut pool), pool.health());
        let object = Sparse::make(&mut pool, "sparse").object;
        for n in 0..EXTENTS {
            let mut transaction = pool.begin().expect("begun");
            let at = END / EXTENTS * n;
            // At the beginning of an extent: what lies before it in the extent would be stored too.
            let at = at - at % u64::from(options.extent_bytes);
            transaction.write_all(object, at, &[n as u8]).expect("written");
            transaction.commit().expect("committed");
        }
        account(&mut pool, "written");
        assert!(pool.health().extents >= EXTENTS && free_blocks(&mut pool) + EXTENTS < before);
        let mut transaction = pool.begin().expect("begun");
        transaction.unlink(ObjectId::ROOT, b"sparse").expect("removed");
        transaction.commit().expect("committed");
        assert!(pool.health().orphans <= 1, "{}", options.scheme);
        orphans += pool.health().orphans;
        let mut steps = 0;
        while pool.health().orphans > 0 {
            account(&mut pool, &format!("{} {steps} steps into deleting", options.scheme));
            pool.maintain(false).expect("maintained");
            steps += 1;
        }
        check_given_back(&mut pool, before);
        let after = pool.health();
        assert_eq!((after.objects, after.extents, after.content_bytes), (health.objects, health.extents, 0));
        account(&mut pool, "deleted");
    }
    assert!(orphans > 0, "some of it was left to upkeep");
}

// What the tests above did not think of: writes, cuts and mounts around all edges, compared with plain bytes.
#[test]
fn random_operations_around_the_edges_agree_with_plain_bytes() {
    for (seed, (options, memory)) in (10..).zip(layouts()) {
        let mut rng = Rng::new(seed);
        let mut lent = Lent::new(memory);
        let mut array = format(&options, &mut lent);
        let mut pool = mount(array, &mut lent);
        let mut sparse = Sparse::make(&mut pool, "sparse");
        for round in 0..6 {
            for step in 0..40 {
                let what = format!("{} round {round} step {step}", options.scheme);
                let extent = u64::from(options.extent_bytes);
                let edge = EDGES[rng.below(EDGES.len() as u64) as usize];
                let begin = (edge + rng.below(2 * extent)).saturating_sub(extent + rng.below(3) * extent / 2);
                let begin = begin.min(END);
                if rng.below(4) == 0 {
                    sparse.truncate(&mut pool, begin);
                } else {
                    let bytes = rng.below(extent * 2).min(END - begin);
                    sparse.write(&mut pool, begin, &noise(&mut rng, bytes as usize));
                }
                sparse.check_at(&mut pool, begin.saturating_sub(extent), 4 * extent as usize, &what);
                while pool.maintain(true).expect("maintained") != Work::Nothing {}
            }
            sparse.check(&mut pool, &format!("round {round}"));
            account(&mut pool, &format!("round {round}"));
            array = pool.into_array();
            pool = mount(array, &mut lent);
        }
    }
}
