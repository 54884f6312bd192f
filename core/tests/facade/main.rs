//! What the facade promises to a program, on disks in memory.

mod cursor;
mod failing;
mod names;
mod open;
mod paths;
mod resume;
mod sizes;

use dynamicfs_core::error::{Error, FormatError, MountError, StorageError};
use dynamicfs_core::files::{Attributes, MakeRequest};
use dynamicfs_core::maintenance::{CheckReport, Work};
use dynamicfs_core::types::{MemoryNeeds, ObjectId, Scheme, Uuid};
use dynamicfs_core::{
    CacheEntry, DiskState, FormatOptions, Memory, MountOptions, Pool, ReadObjects, Services, Transaction,
    crc32c,
};
use dynamicfs_hal::{Entropy, EntropyError, NoClock, RamDisk, SerialArray};

const ROOT: ObjectId = ObjectId::ROOT;
const NO_SPACE: Error = Error::Storage(StorageError::NoSpace);

type Array<'d> = SerialArray<RamDisk<&'d mut [u8]>, 2>;
type Mounted<'d> = Pool<'d, Array<'d>>;
type Changes<'p, 'd> = Transaction<'p, 'd, Array<'d>>;

/// Memory for a pool.
struct Lent {
    bytes: Vec<u8>,
    entries: Vec<CacheEntry>,
    states: Vec<DiskState>,
}

impl Lent {
    fn new(bytes: usize, entries: usize, disks: usize) -> Self {
        let entries = vec![CacheEntry::NEW; entries];
        Self { bytes: vec![0; bytes], entries, states: vec![DiskState::NEW; disks] }
    }

    /// So much and no more.
    fn least(needs: &MemoryNeeds) -> Self {
        Self::new(needs.bytes, needs.entries, needs.disks)
    }

    /// More than a portable pool on two disks takes.
    fn usual() -> Self {
        Self::new(100 << 10, 64, 2)
    }

    fn lend(&mut self) -> Memory<'_> {
        Memory { bytes: &mut self.bytes, entries: &mut self.entries, disks: &mut self.states }
    }
}

/// A machine without a clock.
const SERVICES: Services<'static> = Services::new(crc32c, &NoClock);

/// Two disks and memory for a pool on them.
struct Machine {
    disks: [Vec<u8>; 2],
    lent: Lent,
}

/// Randomness without any: the second that is asked for, the seed of the hash of names, is known.
struct Known(u8);

/// Under it the names of [`cursor`] have equal hashes: `sim/src/colliding.rs`.
const SEED: Uuid = Uuid(*b"names that meet!");

impl Entropy for Known {
    fn fill(&mut self, buf: &mut [u8]) -> Result<(), EntropyError> {
        self.0 += 1;
        buf.fill(self.0);
        if self.0 == 2 {
            buf.copy_from_slice(&SEED.0);
        }
        Ok(())
    }
}

impl Machine {
    /// A mirror on two disks of so many bytes.
    fn new(disk_bytes: usize) -> Self {
        let disks = [vec![0; disk_bytes], vec![0; disk_bytes]];
        let mut machine = Self { disks, lent: Lent::usual() };
        let (array, memory, services) = machine.parts();
        let options = FormatOptions::portable(Scheme::mirror(2));
        let made = Pool::format(array, memory, services, &mut Known(0), &options, &[]);
        let pool = made.map_err(FormatError::from).expect("formatted");
        assert_eq!(pool.parameters().hash_seed, SEED);
        drop(pool);
        machine
    }

    fn parts(&mut self) -> (Array<'_>, Memory<'_>, Services<'_>) {
        let disks = self.disks.each_mut().map(|bytes| RamDisk::new(&mut bytes[..], 512));
        (SerialArray::new(disks), self.lent.lend(), SERVICES)
    }

    fn mount(&mut self) -> Mounted<'_> {
        let (array, memory, services) = self.parts();
        Pool::mount(array, memory, services, &MountOptions::default())
            .map_err(MountError::from)
            .expect("mounted")
    }
}

/// Makes a file with these contents.
fn put(transaction: &mut Changes<'_, '_>, path: &[u8], contents: &[u8]) -> ObjectId {
    let (directory, name) = transaction.resolve_parent(path).expect("there");
    let file = transaction.create(directory, name, &MakeRequest::File, &Attributes::default()).expect("made");
    transaction.write_all(file, 0, contents).expect("written");
    file
}

/// The contents of a file.
fn contents(pool: &mut impl ReadObjects, path: &[u8]) -> Result<Vec<u8>, Error> {
    let mut bytes = vec![0; 1 << 20];
    let read = pool.read_file(path, &mut bytes)?;
    bytes.truncate(read);
    Ok(bytes)
}

/// The names in a directory, sorted.
fn names(pool: &mut impl ReadObjects, directory: ObjectId) -> Vec<String> {
    let mut names = vec![];
    let listed = pool.list(directory, 0, |entry| {
        names.push(String::from_utf8_lossy(entry.name).into_owned());
        core::ops::ControlFlow::<()>::Continue(())
    });
    listed.expect("listed");
    names.sort();
    names
}

/// Upkeep has nothing to do, everything is right, and every block is accounted for.
fn check(pool: &mut Mounted<'_>) {
    while pool.upkeep(true).expect("upkept") != Work::Nothing {}
    let mut report = CheckReport::default();
    pool.check_contents(&mut report, |finding| assert_eq!(finding, None)).expect("checked");
    pool.check_space(&mut [0; 1 << 16], &mut report, |finding| assert_eq!(finding, None)).expect("checked");
    assert_eq!(report.findings, 0);
    assert_eq!(pool.health().orphans, 0);
}
