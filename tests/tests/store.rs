//! The transaction layer alone, against a plain map: records go in and out in random order, with commits, aborts and
//! mounts in between.

use dynamicfs_core::disks::DiskState;
use dynamicfs_core::format::checksum::crc32c;
use dynamicfs_core::format::key::{Key, Kind};
use dynamicfs_core::format::label::DiskIdentity;
use dynamicfs_core::format::parameters::PoolParameters;
use dynamicfs_core::format::places::lay_out;
use dynamicfs_core::format::superblock;
use dynamicfs_core::transaction::{CreateRequest, Memory, MountMode, MountRequest, Store};
use dynamicfs_core::tree::Walk;
use dynamicfs_core::tree::cache::CacheEntry;
use dynamicfs_core::types::{Generation, MemberNumber, ObjectId, Scheme, Uuid};
use dynamicfs_hal::{Clock, Geometry, RamDisk, SerialArray, UnixTime};
use std::collections::BTreeMap;
use std::ops::ControlFlow;

struct NoClock;

impl Clock for NoClock {
    fn now(&self) -> UnixTime {
        UnixTime::default()
    }
    fn monotonic_micros(&self) -> u64 {
        0
    }
}

type Array<'a> = SerialArray<RamDisk<&'a mut [u8]>, 3>;

const DISK_BYTES: usize = 1 << 20;

fn parameters() -> PoolParameters {
    PoolParameters {
        pool: Uuid([7; 16]),
        hash_seed: Uuid([8; 16]),
        block_shift: 9,
        node_shift: 9,
        chunk_shift: 9,
        ring_length: 4,
        members_max: 4,
        slot_bytes: (superblock::bytes(4) as u32).next_multiple_of(512),
        group_blocks: 128,
        created: 0,
    }
}

fn identity(member: u16) -> DiskIdentity {
    let geometry = Geometry::new(512, DISK_BYTES as u64 / 512);
    let places = lay_out(&geometry, &parameters()).expect("large enough");
    DiskIdentity {
        disk: Uuid([member as u8 + 1; 16]),
        member: MemberNumber(member),
        witness: false,
        tier: 0,
        failure_domain: 0,
        weight: 256,
        ring_a: places.ring_a,
        ring_b: places.ring_b,
        data_start: places.data_start,
        data_blocks: places.data_blocks,
        copy_at: places.copy_at,
        end_at: places.end_at,
        serial: 1,
        compat: 0,
    }
}

struct Lent {
    bytes: Vec<u8>,
    entries: Vec<CacheEntry>,
    disks: Vec<DiskState>,
}

impl Lent {
    fn new(bytes: usize) -> Self {
        Self { bytes: vec![0; bytes], entries: vec![CacheEntry::NEW; 64], disks: vec![DiskState::NEW; 3] }
    }
    fn lend(&mut self) -> Memory<'_> {
        Memory { bytes: &mut self.bytes, entries: &mut self.entries, disks: &mut self.disks }
    }
}

fn array(disks: &mut [Vec<u8>; 3]) -> Array<'_> {
    SerialArray::new(disks.each_mut().map(|bytes| RamDisk::new(&mut bytes[..], 512)))
}

fn create(disks: &mut [Vec<u8>; 3], lent: &mut Lent) {
    let request = CreateRequest {
        parameters: parameters(),
        disks: &[identity(0), identity(1), identity(2)],
        scheme: Scheme::mirror(2),
        tolerance: 1,
        extent_shift: 12,
        branch: 1,
        crc32c,
        clock: &NoClock,
    };
    let mut store = Store::create(array(disks), lent.lend(), &request).expect("created");
    store.commit().expect("first commit");
    store.write_labels().expect("labels");
}

fn mount<'a>(disks: &'a mut [Vec<u8>; 3], lent: &'a mut Lent) -> Store<'a, Array<'a>> {
    let request =
        MountRequest { pool: None, mode: MountMode::ReadWrite, prefer: None, crc32c, clock: &NoClock };
    Store::mount(array(disks), lent.lend(), &request).expect("mounted")
}

fn contents(store: &mut Store<'_, Array<'_>>) -> BTreeMap<u64, Vec<u8>> {
    let mut all = BTreeMap::new();
    store
        .tree
        .scan(&Key::object_start(ObjectId(16)), &Key::MAX, |key, value| {
            assert!(all.insert(key.object().0, value.to_vec()).is_none());
            ControlFlow::<()>::Continue(())
        })
        .expect("scanned");
    all
}

fn key(n: u64) -> Key {
    Key::new(ObjectId(n), Kind::Inline, 0)
}

struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        dynamicfs_core::disks::mix(self.0) % n
    }
}

fn run(seed: u64, memory: usize, rounds: usize, range: u64) {
    let mut disks = [(); 3].map(|()| vec![0; DISK_BYTES]);
    let mut lent = Lent::new(memory);
    create(&mut disks, &mut lent);
    let mut random = Random(seed);
    let mut model = BTreeMap::new();
    for round in 0..rounds {
        let mut store = mount(&mut disks, &mut lent);
        assert_eq!(contents(&mut store), model, "seed {seed} round {round}: after the mount");
        for _ in 0..4 {
            let mut changed = model.clone();
            store.begin().expect("begun");
            for _ in 0..random.below(120) {
                let n = 16 + random.below(range);
                if random.below(5) < 2 {
                    store.remove(&key(n)).expect("removed");
                    changed.remove(&n);
                } else {
                    let value = vec![n as u8; random.below(90) as usize];
                    store.put(&key(n), &value).expect("put");
                    changed.insert(n, value);
                }
            }
            if random.below(4) == 0 {
                store.abort();
            } else {
                store.commit().expect("committed");
                model = changed;
            }
            assert_eq!(contents(&mut store), model, "seed {seed} round {round}: after the transaction");
        }
    }
}

#[test]
fn records_survive_commits_aborts_and_mounts() {
    for seed in 0..6 {
        run(seed, 64 << 10, 12, 300);
    }
}

/// Where everything below a key was removed, the inner nodes there begin above their lower bound. Keys put
/// below that were once split off with a separator that sorted before their own node. The tree was out of
/// order, and from then on refused every change there as forged.
#[test]
fn what_was_removed_at_the_beginning_can_be_put_there_again() {
    let mut disks = [(); 3].map(|()| vec![0; DISK_BYTES]);
    let mut lent = Lent::new(64 << 10);
    create(&mut disks, &mut lent);
    let mut store = mount(&mut disks, &mut lent);
    let mut model = BTreeMap::new();
    for (round, removed) in (0..10).map(|n| 100 + 80 * n).enumerate() {
        let keys = 16..1216;
        let value = |n: u64| vec![n as u8 ^ round as u8; 40];
        store.begin().expect("begun");
        // From the back to the front, so that every key goes below all others.
        for n in keys.clone().rev() {
            store.put(&key(n), &value(n)).unwrap_or_else(|error| panic!("round {round}, {n}: {error:?}"));
            model.insert(n, value(n));
        }
        store.commit().expect("committed");
        assert_eq!(contents(&mut store), model, "round {round}: put");
        store.begin().expect("begun");
        store.remove_range(&key(200), &key(200 + removed), usize::MAX).expect("removed");
        model.retain(|&n, _| !(200..200 + removed).contains(&n));
        store.commit().expect("committed");
        assert_eq!(contents(&mut store), model, "round {round}: removed");
    }
}

/// A leaf that a walk has met is changed in the same transaction before and after, and takes in the next one.
/// It stays in its place meanwhile. What came from the next one was passed over as if it had been met.
#[test]
fn a_walk_meets_what_a_leaf_took_in_after_it_was_met() {
    let mut disks = [(); 3].map(|()| vec![0; DISK_BYTES]);
    let mut lent = Lent::new(64 << 10);
    create(&mut disks, &mut lent);
    let mut store = mount(&mut disks, &mut lent);
    let mut joined = 0;
    for first in (20..280).step_by(7) {
        store.begin().expect("begun");
        (16..300).for_each(|n| store.put(&key(n), &[7; 40]).expect("put"));
        store.commit().expect("committed");
        store.begin().expect("begun");
        store.put(&key(first), &[8; 1]).expect("put");
        let mut walk = Walk::from(key(first), Generation(0));
        let leaf = loop {
            let met = store.tree.walk(&mut walk).expect("read").expect("there is a leaf");
            if met.level == 0 {
                break met;
            }
        };
        let Some(end) = leaf.end else { continue };
        walk.go_on(leaf.end);
        // From the back to the front, so that the next leaf is sparse before this one is.
        for n in (first - 3..300).rev().filter(|&n| n != first && n % 20 != 0) {
            store.remove(&key(n)).expect("removed");
        }
        let mut seen = Vec::new();
        while let Some(met) = store.tree.walk(&mut walk).expect("read") {
            if met.level > 0 {
                continue;
            }
            joined += usize::from(met.pointer == leaf.pointer);
            let scanned = store.tree.scan(&met.from, &met.end.unwrap_or(Key::MAX), |key, _| {
                seen.push(key.object().0);
                ControlFlow::<()>::Continue(())
            });
            assert_eq!(scanned.expect("scanned"), None);
        }
        let left: Vec<u64> = (first..300).filter(|&n| n % 20 == 0 && key(n) >= end).collect();
        let missed: Vec<u64> = left.into_iter().filter(|n| !seen.contains(n)).collect();
        assert!(missed.is_empty(), "from {first} on: {missed:?}");
        store.abort();
    }
    assert!(joined > 0, "no leaf took another one in");
}

#[test]
fn little_memory_spills_and_gives_the_same() {
    let least = Memory::bytes_min(&parameters()) + 1;
    for seed in 10..14 {
        run(seed, least, 8, 600);
    }
}
