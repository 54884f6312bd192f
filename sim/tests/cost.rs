//! What operations cost in I/O, counted: blocks written, flush rounds, bytes, reads. Held as upper bounds,
//! printed as they are.

use dynamicfs_core::ReadObjects;
use dynamicfs_core::object::{Attributes, Change, MakeRequest};
use dynamicfs_core::types::{ObjectId, Scheme};
use dynamicfs_core::{FormatOptions, MountOptions, Pool};
use dynamicfs_hal::Geometry;
use dynamicfs_sim::world::{Lent, SERVICES, put_file};
use dynamicfs_sim::{Rng, SimArray};

const BLOCK: u64 = 4096;

/// Nodes that finding a record may read.
const NODES_READ: u64 = 2;

#[derive(Debug, PartialEq, Eq)]
struct Cost {
    blocks: u64,
    writes: u64,
    flushes: u64,
    reads: u64,
}

fn spent(pool: &mut Pool<'_, SimArray>, disks: usize, f: impl FnOnce(&mut Pool<'_, SimArray>)) -> Cost {
    let count = |pool: &mut Pool<'_, SimArray>| {
        (0..disks).fold([0; 4], |[bytes, writes, flushes, reads], disk| {
            let counters = pool.array().disk(disk).counters();
            [
                bytes + counters.bytes_written,
                writes + counters.writes,
                flushes + counters.flushes,
                reads + counters.reads,
            ]
        })
    };
    let before = count(pool);
    f(pool);
    let after = count(pool);
    Cost {
        blocks: (after[0] - before[0]).div_ceil(BLOCK),
        writes: after[1] - before[1],
        flushes: after[2] - before[2],
        reads: after[3] - before[3],
    }
}

/// A pool with enough objects for a tree of three levels, idle before what is measured.
fn with_pool(scheme: Scheme, disks: usize, f: impl FnOnce(&mut Pool<'_, SimArray>)) {
    let array = SimArray::new(3, vec![Geometry::new(4096, 64 << 10); disks]);
    let mut lent = Lent::new(16 << 20);
    let options = FormatOptions::server(scheme).members_max(8);
    let mut pool =
        Pool::format(array, lent.lend(), SERVICES, &mut Rng::new(1), &options, &[]).expect("formatted");
    let mut transaction = pool.begin().expect("begun");
    for n in 0..20_000u32 {
        let name = format!("object-{n}");
        transaction
            .create(ObjectId::ROOT, name.as_bytes(), &MakeRequest::File, &Attributes::default())
            .expect("created");
    }
    transaction.commit().expect("committed");
    let array = pool.into_array();
    let mut lent = Lent::new(16 << 20);
    let mut pool = Pool::mount(array, lent.lend(), SERVICES, &MountOptions::default()).expect("mounted");
    // The claim is paid for, and no slot is blank any more, which would be looked at more closely.
    for _ in 0..2 * options.ring_length {
        pool.begin().expect("begun").commit().expect("committed");
    }
    f(&mut pool);
}

fn check(scheme: Scheme, disks: usize, record: u64, small: u64, large: u64) {
    with_pool(scheme, disks, |pool| {
        let file = pool.resolve(b"object-77").expect("found");
        let one = spent(pool, disks, |pool| {
            let mut transaction = pool.begin().expect("begun");
            let change = Change::new().mode(0o600);
            transaction.change_attributes(file, &change).expect("changed");
            transaction.commit().expect("committed");
        });
        let put = spent(pool, disks, |pool| _ = put_file(pool, "small", &[7; 4096]).expect("committed"));
        let mib =
            spent(pool, disks, |pool| _ = put_file(pool, "large", &vec![9; 1 << 20]).expect("committed"));
        let data = 256 * scheme.width() as u64 / u64::from(scheme.data);
        println!(
            "{scheme} on {disks}: one record {one:?}; durable 4 KiB put {put:?}; 1 MiB put {mib:?} ({data} are data)"
        );
        assert_eq!(one.flushes, 2 * disks as u64, "two rounds of flushes");
        // The world has no clock, so each transaction begins with a look at the newest slot of each disk and
        // the next. Its commit looks at the next.
        assert!(one.reads <= 3 * disks as u64 + NODES_READ, "three looks at each disk: {one:?}");
        assert!(
            one.blocks <= record && put.blocks <= small && mib.blocks <= large,
            "{one:?} {put:?} {mib:?}"
        );
    });
}

#[test]
fn a_mirror_on_three_disks() {
    check(Scheme::mirror(2), 3, 16, 22, 534);
}

#[test]
fn four_plus_two_on_six_disks() {
    check(Scheme { data: 4, parity: 2 }, 6, 27, 36, 420);
}
