//! Files with holes against a plain copy of their contents: what is written apart, where it was written, and
//! that nothing else is stored.

use dynamicfs_core::ReadObjects;
use dynamicfs_core::format::checksum::crc32c;
use dynamicfs_core::object::{Attributes, MakeRequest};
use dynamicfs_core::types::{ObjectId, Scheme};
use dynamicfs_core::{CacheEntry, DiskState, FormatOptions, Memory, MountOptions, Pool, Services};
use dynamicfs_hal::{Clock, Entropy, EntropyError, RamDisk, SerialArray, UnixTime};

struct Nothing;

impl Clock for Nothing {
    fn now(&self) -> UnixTime {
        UnixTime::default()
    }
    fn monotonic_micros(&self) -> u64 {
        0
    }
}

/// Numbers that look random and are always the same.
struct Draw(u64);

impl Draw {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

impl Entropy for Draw {
    fn fill(&mut self, buf: &mut [u8]) -> Result<(), EntropyError> {
        buf.iter_mut().for_each(|byte| *byte = self.below(256) as u8);
        Ok(())
    }
}

const UNIT: u64 = 4096;
const SERVICES: Services<'static> = Services::new(crc32c, &Nothing);

type Disk = RamDisk<Vec<u8>>;

fn array() -> SerialArray<Disk, 2> {
    SerialArray::new([0; 2].map(|_| RamDisk::new(vec![0; 8 << 20], 512)))
}

/// Holds what the pool says of a file to what it should hold.
fn check<const N: usize>(pool: &mut Pool<'_, &mut SerialArray<Disk, N>>, file: ObjectId, model: &[u8]) {
    let mut read = vec![0xA5; model.len()];
    assert_eq!(pool.read(file, 0, &mut read), Ok(model.len()));
    assert!(read == model, "other bytes than were written");
    let (mut at, mut written) = (0, vec![false; model.len()]);
    while let Some(next) = pool.next_written(file, at).expect("read") {
        assert!(next.start >= at && next.end > next.start && next.end <= model.len() as u64, "{next:?}");
        written[next.start as usize..next.end as usize].fill(true);
        at = next.end;
    }
    let missing = model.iter().zip(&written).position(|(&byte, &written)| byte != 0 && !written);
    assert_eq!(missing, None, "a byte was written, and is called a hole");
}

#[test]
fn what_is_written_apart_is_read_back_among_other_writes() {
    for seed in 1..60 {
        let mut draw = Draw(seed * 0x9E37_79B9);
        let mut array = array();
        let (mut bytes, mut entries, mut disks) =
            (vec![0; 1 << 20], vec![CacheEntry::NEW; 256], [DiskState::NEW; 2]);
        let options = FormatOptions::portable(Scheme::mirror(2)).extent_bytes(1 << 16);
        let memory = Memory { bytes: &mut bytes, entries: &mut entries, disks: &mut disks };
        let mut pool =
            Pool::format(&mut array, memory, SERVICES, &mut Draw(7), &options, &[]).expect("formatted");
        let mut model: Vec<u8> = Vec::new();
        let mut file = None;
        for round in 0..12 {
            let mut transaction = pool.begin().expect("begun");
            let file = *file.get_or_insert_with(|| {
                let made =
                    transaction.create(ObjectId::ROOT, b"f", &MakeRequest::File, &Attributes::default());
                made.expect("made")
            });
            for _ in 0..4 {
                let unit = [1, UNIT][draw.below(2) as usize];
                let at = draw.below(300_000) / unit * unit;
                let most = [10, UNIT, 100_000][draw.below(3) as usize];
                let bytes = 1 + draw.below(most);
                let data: Vec<u8> = (0..bytes).map(|i| (i as u8) | 1).collect();
                let end = (at + bytes) as usize;
                match draw.below(5) {
                    0 => {
                        transaction.truncate(file, at).expect("cut or grown");
                        model.resize(at as usize, 0);
                        continue;
                    }
                    1 => transaction.write_all(file, at, &data).expect("written"),
                    _ => transaction.write_apart(file, at, &data).expect("written apart"),
                }
                model.resize(model.len().max(end), 0);
                model[at as usize..end].copy_from_slice(&data);
                if draw.below(2) == 0 {
                    let from = draw.below(model.len() as u64);
                    let next = transaction.next_written(file, from).expect("read");
                    let first = model[from as usize..].iter().position(|&byte| byte != 0);
                    if let Some(first) = first {
                        assert!(next.is_some_and(|next| next.start <= from + first as u64), "seed {seed}");
                    }
                }
            }
            transaction.commit().expect("committed");
            check(&mut pool, file, &model);
            if round % 4 == 3 {
                drop(pool);
                let memory = Memory { bytes: &mut bytes, entries: &mut entries, disks: &mut disks };
                pool = Pool::mount(&mut array, memory, SERVICES, &MountOptions::default()).expect("mounted");
            }
        }
    }
}

#[test]
fn a_byte_in_a_large_file_is_one_short_extent() {
    let mut array = array();
    let (mut bytes, mut entries, mut disks) =
        (vec![0; 4 << 20], vec![CacheEntry::NEW; 256], [DiskState::NEW; 2]);
    let memory = Memory { bytes: &mut bytes, entries: &mut entries, disks: &mut disks };
    let options = FormatOptions::portable(Scheme::mirror(2)).extent_bytes(1 << 16);
    let mut pool =
        Pool::format(&mut array, memory, SERVICES, &mut Draw(7), &options, &[]).expect("formatted");
    let mut transaction = pool.begin().expect("begun");
    let file =
        transaction.create(ObjectId::ROOT, b"f", &MakeRequest::File, &Attributes::default()).expect("made");
    transaction.truncate(file, 1 << 40).expect("grown");
    let at = (1 << 30) + 3 * UNIT;
    transaction.write_apart(file, at + 100, b"x").expect("written");
    transaction.commit().expect("committed");
    assert_eq!(pool.next_written(file, 0), Ok(Some(at..at + 101)));
    assert_eq!(pool.next_written(file, at + 101), Ok(None));
    assert_eq!(pool.health().extents, 1);
    let mut byte = [0; 3];
    assert_eq!(pool.read(file, at + 99, &mut byte), Ok(3));
    assert_eq!(&byte, b"\0x\0");
}
