//! Disks that ask for buffers at some alignment in memory, and callers with buffers anywhere.

use super::*;
use dynamicfs_core::ReadObjects;
use dynamicfs_core::disks::DiskStatus;
use dynamicfs_core::disks::condition::Condition;
use dynamicfs_core::error::{FormatError, MountError};
use dynamicfs_core::format::extent::{EXTENT_BYTES_MAX, Extent};
use dynamicfs_core::format::key::Key;
use dynamicfs_core::types::{DiskIndex, FragmentIndex};
use dynamicfs_core::{Memory, MountOptions};
use dynamicfs_hal::{DiskArray, Operation, Request};

fn geometries(alignment: u32, sector_bytes: u32, sectors: u64, disks: usize) -> Vec<Geometry> {
    vec![Geometry { buffer_alignment: alignment, ..Geometry::new(sector_bytes, sectors) }; disks]
}

/// No disk is blamed for anything.
#[track_caller]
fn expect_healthy(pool: &Mounted<'_>, disks: usize, what: &str) {
    for disk in 0..disks {
        let health = pool.member_health(DiskIndex(disk));
        let errors =
            (health.counters.read_errors, health.counters.write_errors, health.counters.checksum_errors);
        assert_eq!((health.status, health.condition), (DiskStatus::Online, Condition::Healthy), "{what}");
        assert_eq!((errors, health.last_error), ((0, 0, 0), None), "{what}");
    }
}

/// The bytes from the first multiple of 4096 in memory on, and `odd` more.
fn at(bytes: &mut [u8], odd: usize) -> &mut [u8] {
    let start = bytes.as_ptr().align_offset(4096) + odd;
    &mut bytes[start..]
}

/// Writes from buffers that were not aligned took all disks out of use. Reads called sound data unreadable
/// and their disks degraded. Formatting said that there were too few disks.
#[test]
fn buffers_may_be_anywhere_in_memory() {
    const LENGTH: usize = 90_000;
    let server = FormatOptions::server(Scheme::mirror(2)).members_max(8).extent_bytes(65536);
    let portable = |scheme| FormatOptions::portable(scheme).members_max(8).extent_bytes(16384);
    let cases = [
        (portable(Scheme::SINGLE), 1, 512),
        (portable(Scheme::mirror(2)), 3, 512),
        (portable(Scheme { data: 2, parity: 1 }), 3, 512),
        (portable(Scheme { data: 4, parity: 2 }), 6, 512),
        (server, 3, 4096),
    ];
    let data = contents("data", LENGTH);
    for ((options, disks, sector), alignment) in
        cases.into_iter().flat_map(|case| [1, 4, 64, 512, 4096].map(|alignment| (case, alignment)))
    {
        let sectors = (6 << 20) / u64::from(sector);
        let mut world = formatted(geometries(alignment, sector, sectors, disks), &options, 2 << 20);
        for (odd, offset) in [(0, 0), (0, 100), (1, 0), (1, 512), (7, 4097), (64, 300), (512, 16384)] {
            let what = format!("{} alignment {alignment}, buffer {odd}, offset {offset}", options.scheme);
            let mut pool = world.mount();
            let mut memory = vec![0; LENGTH + 8192];
            let source = &mut at(&mut memory, odd)[..LENGTH];
            source.copy_from_slice(&data);
            let mut transaction = pool.begin().expect("begun");
            let name = format!("{odd} {offset}");
            let file = create(transaction.internals_mut(), &name);
            transaction.write_all(file, offset, source).unwrap_or_else(|error| panic!("{what}: {error}"));
            transaction.commit().unwrap_or_else(|error| panic!("{what}: {error}"));
            drop(pool);
            let mut pool = world.mount();
            for (odd, from, length) in
                [(0, 0, LENGTH), (1, 0, LENGTH), (0, 100, 8192), (3, 4096, 4096), (0, 1, 1)]
            {
                let mut memory = vec![0; LENGTH + 8192];
                let buf = &mut at(&mut memory, odd)[..length];
                let bytes = length.min(LENGTH - from);
                assert_eq!(pool.read(file, offset + from as u64, buf), Ok(bytes), "{what}, to {odd}");
                assert!(buf[..bytes] == data[from..from + bytes], "{what}, to {odd}: wrong bytes");
            }
            expect_healthy(&pool, disks, &what);
        }
        let mut pool = world.mount();
        let job = crate::common::run_job(&mut pool, JobKind::Scrub);
        assert_eq!((job.found, job.failed), (0, 0));
        account(&mut pool, "after all");
        expect_healthy(&pool, disks, "a scrub");
        if disks > 1 {
            drop(pool);
            world.unplug(&[1]);
            let mut pool = world.mount();
            let file = pool.resolve(b"7 4097").expect("there");
            let mut memory = vec![0; LENGTH + 8192];
            let buf = &mut at(&mut memory, 5)[..LENGTH];
            assert_eq!(pool.read(file, 4097, buf), Ok(LENGTH), "without a disk");
            assert!(buf[..] == data[..], "wrong bytes without a disk");
        }
    }
}

/// The least memory is enough wherever it lies, and a byte less says what would be.
#[test]
fn the_least_memory_is_enough_with_any_alignment() {
    for alignment in [1_u32, 64, 4096] {
        let options = FormatOptions::portable(Scheme::mirror(2)).members_max(4).extent_bytes(4096);
        let mut world = formatted(geometries(alignment, 512, 4000, 2), &options, MEMORY);
        let parameters = *world.mount().parameters();
        let needs = Memory::needs(&parameters, 2, alignment as usize);
        let geometry = Geometry { buffer_alignment: alignment, ..Geometry::new(512, 4000) };
        assert_eq!(options.memory(2, &geometry), needs, "it is known before there is a pool");
        let least = needs.bytes;
        for odd in [0, 1, 63] {
            let (mut bytes, mut entries) =
                (vec![0; least + 64], vec![dynamicfs_core::CacheEntry::NEW; needs.entries]);
            let mut states = [dynamicfs_core::DiskState::NEW; 2];
            let memory =
                Memory { bytes: &mut bytes[odd..odd + least], entries: &mut entries, disks: &mut states };
            let mut pool =
                Pool::mount(&mut world.array, memory, SERVICES, &MountOptions::default()).expect("enough");
            put(&mut pool, &format!("file {odd}"), 30_000).expect("put");
            expect(&mut pool, &format!("file {odd}"), 30_000);
            expect_healthy(&pool, 2, "the least memory");
            drop(pool);
            let mut with = |bytes_less: usize, slots_less: usize, disks_less: usize| {
                let memory = Memory {
                    bytes: &mut bytes[odd..odd + least - bytes_less],
                    entries: &mut entries[slots_less..],
                    disks: &mut states[disks_less..],
                };
                Pool::mount(&mut world.array, memory, SERVICES, &MountOptions::default())
                    .map(drop)
                    .map_err(|failure| failure.error)
            };
            assert_eq!(with(1, 0, 0), Err(MountError::NeedsMemory(needs)));
            assert_eq!(with(0, 1, 0), Err(MountError::NeedsMemory(needs)));
            assert_eq!(with(0, 0, 1), Err(MountError::NeedsMemory(needs)));
            assert_eq!(with(0, 0, 0), Ok(()));
        }
    }
    // No machine has that much: it is said before anything is written.
    let mut array = SimArray::new(1, geometries(1 << 30, 512, 4000, 2));
    let mut lent = Lent::new(MEMORY);
    let options = FormatOptions::portable(Scheme::mirror(2));
    let made = Pool::format(&mut array, lent.lend(), SERVICES, &mut Rng::new(9), &options, &[])
        .map(drop)
        .map_err(|failure| failure.error);
    assert!(matches!(made, Err(FormatError::NeedsMemory(needs)) if needs.bytes > 1 << 30), "{made:?}");
    assert_eq!(array.disk(0).counters().writes, 0);
}

/// A forged record that points beyond the end of a disk: it cannot be read, and the disk is not to blame.
#[test]
fn a_place_that_no_disk_has_is_no_error_of_a_disk() {
    let mut world = World::new(Scheme::mirror(2), 3, MEMORY);
    world.put("file", 16_000);
    let mut pool = world.mount();
    let file = pool.resolve(b"file").expect("there");
    let mut record = [0; 512];
    let key = Key::extent(file, 0);
    let length = pool.internals_mut().store.tree.get(&key, &mut record).expect("read").expect("it has one");
    let mut head = [0; EXTENT_BYTES_MAX];
    head.copy_from_slice(&record[..EXTENT_BYTES_MAX]);
    let mut extent = Extent::decode(&head).expect("it is one");
    for index in 0..2 {
        let mut address = extent.fragments()[index].address;
        address.block += 1 << 20;
        let generation = extent.fragments()[index].birth;
        extent.heal(FragmentIndex(index), address, generation);
    }
    let bytes = extent.encode(&mut head);
    record[..bytes].copy_from_slice(&head[..bytes]);
    let mut transaction = pool.begin().expect("begun");
    transaction.internals_mut().store.put(&key, &record[..length]).expect("put");
    transaction.commit().expect("committed");
    for _ in 0..20 {
        assert_eq!(pool.read(file, 0, &mut [0; 16_000]), Err(Error::Unreadable { object: file, offset: 0 }));
    }
    expect_healthy(&pool, 3, "beyond the end");
}

/// Disks that ask for more, of writes, than they said when the pool was mounted.
struct Changing<'a> {
    array: &'a mut SimArray,
    alignment: u32,
}

impl DiskArray for Changing<'_> {
    type Batch<'b> = <SimArray as DiskArray>::Batch<'b>;
    fn disks(&self) -> usize {
        self.array.disks()
    }
    fn geometry(&self, disk: usize) -> Geometry {
        Geometry { buffer_alignment: self.alignment, ..self.array.geometry(disk) }
    }
    fn execute_while(&mut self, batch: &mut [Request<'_>], work: &mut dyn FnMut()) {
        work();
        for request in batch {
            let alignment = self.alignment as usize;
            match &request.operation {
                Operation::Write(buf) if !buf.as_ptr().addr().is_multiple_of(alignment) => {
                    request.result = Err(IoError::NotAligned);
                }
                _ => self.array.execute(std::slice::from_mut(request)),
            }
        }
    }
}

/// A write that the core should not have made in this way reaches no disk. Its transaction fails, nothing is acknowledged,
/// and no disk is out of use for it.
#[test]
fn a_write_that_does_not_suit_its_disk_fails_its_transaction_alone() {
    let mut world = World::new(Scheme::mirror(2), 2, MEMORY);
    world.put("before", 20_000);
    let array = Changing { array: &mut world.array, alignment: 1 };
    let mut pool =
        Pool::mount(array, world.lent.lend(), SERVICES, &MountOptions::default()).expect("mounted");
    let mut memory = vec![7; 40_000];
    let odd = &at(&mut memory, 1)[..16_384];
    for alignment in [4096, 1] {
        let mut transaction = pool.begin().expect("begun");
        let file = transaction.create(ObjectId::ROOT, b"file", &MakeRequest::File, &PLAIN).expect("made");
        transaction.array().alignment = alignment;
        let wrote = transaction.write_all(file, 0, odd);
        let done = transaction.commit().map(|_| ());
        pool.array().alignment = 1;
        // At the write, so that nothing is read again that is not there; the commit cannot make it good.
        let refused =
            [StorageError::BadRequest, StorageError::Poisoned].map(|error| Err(Error::Storage(error)));
        assert_eq!([wrote, done], if alignment > 1 { refused } else { [Ok(()), Ok(())] });
        for disk in 0..2 {
            let health = pool.member_health(DiskIndex(disk));
            assert_eq!((health.status, health.last_error), (DiskStatus::Online, None));
            assert_eq!(health.condition, Condition::Healthy);
        }
        assert_eq!(pool.resolve(b"file").is_ok(), alignment == 1);
    }
    account(&mut pool, "after all");
}
