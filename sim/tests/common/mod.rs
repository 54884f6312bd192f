//! A small pool in a world of its own, for tests that tell a story.

use dynamicfs_core::ReadObjects;
use dynamicfs_core::error::{Error, MountError};
use dynamicfs_core::format::key::Key;
use dynamicfs_core::maintain::{ExtentCounts, JobKind, JobOptions, Work};
use dynamicfs_core::pool::DiskOptions;
use dynamicfs_core::types::Scheme;
use dynamicfs_core::{FormatOptions, MountMode, MountOptions, Pool, Prefer};
use dynamicfs_hal::{Entropy, Geometry};
use dynamicfs_sim::world::{Lent, SERVICES, account, put_file, steps_to_rest};
use dynamicfs_sim::{Rng, SimArray};

/// Disks, and the memory that pools on them are mounted in.
pub(crate) struct World {
    pub(crate) array: SimArray,
    pub(crate) lent: Lent,
}

/// Memory that a world lends unless it says otherwise.
pub(crate) const MEMORY: usize = 300 << 10;

/// A world in the making: these disks, and a pool of these options on all of them.
pub(crate) struct Builder<'d> {
    array: SimArray,
    options: FormatOptions,
    lent: Lent,
    members: &'d [DiskOptions],
    entropy: u64,
}

impl<'d> Builder<'d> {
    /// Lends so many bytes.
    pub(crate) fn memory(self, bytes: usize) -> Self {
        self.lent(Lent::new(bytes))
    }

    /// Lends this.
    pub(crate) fn lent(self, lent: Lent) -> Self {
        Self { lent, ..self }
    }

    /// What each disk is in the pool.
    pub(crate) fn members(self, members: &'d [DiskOptions]) -> Self {
        Self { members, ..self }
    }

    /// The seed of the names that the pool and its disks get.
    pub(crate) fn entropy(self, entropy: u64) -> Self {
        Self { entropy, ..self }
    }

    /// Formats the pool.
    #[track_caller]
    pub(crate) fn make(self) -> World {
        let mut rng = Rng::new(self.entropy);
        self.make_with(&mut rng)
    }

    /// Formats the pool, with this randomness.
    #[track_caller]
    pub(crate) fn make_with(mut self, entropy: &mut dyn Entropy) -> World {
        let memory = self.lent.lend();
        Pool::format(&mut self.array, memory, SERVICES, entropy, &self.options, self.members)
            .expect("formatted");
        World { array: self.array, lent: self.lent }
    }
}

/// A pool of the world.
pub(crate) type Mounted<'w> = Pool<'w, &'w mut SimArray>;

impl World {
    /// A pool of these options on the disks of an array: [`Builder`] has what else it may be.
    pub(crate) fn on(array: SimArray, options: FormatOptions) -> Builder<'static> {
        Builder { array, options, lent: Lent::new(MEMORY), members: &[], entropy: 9 }
    }

    /// The same world once more, in memory of its own: what is done to the one does not happen in the other.
    pub(crate) fn fork(&self, memory: usize) -> Self {
        Self { array: self.array.clone(), lent: Lent::new(memory) }
    }

    /// A pool of this scheme on so many disks of 1 MiB.
    pub(crate) fn new(scheme: Scheme, disks: usize, memory: usize) -> Self {
        Self::with_rings(scheme, disks, memory, FormatOptions::portable(scheme).ring_length)
    }

    /// The same, with disks that remember so many superblocks.
    pub(crate) fn with_rings(scheme: Scheme, disks: usize, memory: usize, ring_length: u8) -> Self {
        let array = SimArray::new(1, vec![Geometry::new(512, 2048); disks]);
        let portable = FormatOptions::portable(scheme);
        let options = portable.members_max(8).extent_bytes(16384).ring_length(ring_length);
        Self::on(array, options).memory(memory).make()
    }

    pub(crate) fn try_mount(&mut self, mode: MountMode) -> Result<Mounted<'_>, MountError> {
        self.try_mount_as(&MountOptions::new().mode(mode))
    }

    pub(crate) fn try_mount_as(&mut self, options: &MountOptions) -> Result<Mounted<'_>, MountError> {
        Pool::mount(&mut self.array, self.lent.lend(), SERVICES, options).map_err(|failure| failure.error)
    }

    /// The same, with the history that is preferred.
    pub(crate) fn try_mount_preferring(
        &mut self,
        mode: MountMode,
        prefer: Prefer,
    ) -> Result<Mounted<'_>, MountError> {
        self.try_mount_as(&MountOptions::new().mode(mode).prefer(prefer))
    }

    pub(crate) fn mount(&mut self) -> Mounted<'_> {
        self.try_mount(MountMode::ReadWrite).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Writes a file of this length in a commit of its own; its contents are a function of the name.
    pub(crate) fn put(&mut self, name: &str, length: usize) {
        put(&mut self.mount(), name, length).expect("committed");
    }

    pub(crate) fn expect(&mut self, name: &str, length: usize) {
        expect(&mut self.mount(), name, length);
    }

    pub(crate) fn unplug(&mut self, disks: &[usize]) {
        disks.iter().for_each(|&disk| self.array.disk_mut(disk).unplug());
    }

    pub(crate) fn plug(&mut self, disks: &[usize]) {
        disks.iter().for_each(|&disk| self.array.disk_mut(disk).plug());
    }
}

/// What a file of this name holds.
pub(crate) fn contents(name: &str, length: usize) -> Vec<u8> {
    let seed = name.bytes().fold(7u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
    (0..length as u64).map(|i| dynamicfs_core::disks::mix(seed ^ (i / 8)) as u8).collect()
}

/// Writes a file of this length in a commit of its own.
pub(crate) fn put(pool: &mut Mounted<'_>, name: &str, length: usize) -> Result<(), Error> {
    put_file(pool, name, &contents(name, length)).map(|_| ())
}

/// Writes files of this length, whose names begin so, until one is refused: how many there are.
pub(crate) fn fill(pool: &mut Mounted<'_>, prefix: &str, length: usize) -> usize {
    (0..).find(|n| put(pool, &format!("{prefix}{n}"), length).is_err()).expect("a pool is full at some time")
}

/// Reads a file whole: what is wrong with it, if anything is.
pub(crate) fn wrong(pool: &mut Mounted<'_>, name: &str, length: usize) -> Option<String> {
    let mut bytes = vec![0; length + 1];
    let read = pool.resolve(name.as_bytes()).and_then(|file| pool.read(file, 0, &mut bytes));
    match read {
        Err(error) => Some(format!("{name}: {error}")),
        Ok(read) if read != length => Some(format!("{name}: {read} bytes, not {length}")),
        Ok(_) => (bytes[..length] != contents(name, length)[..]).then(|| format!("{name}: wrong bytes")),
    }
}

/// Reads a file whole, and holds it to what was written.
pub(crate) fn expect(pool: &mut Mounted<'_>, name: &str, length: usize) {
    if let Some(wrong) = wrong(pool, name, length) {
        panic!("{wrong}");
    }
}

/// The value of a record that is there, past the facade.
pub(crate) fn record(pool: &mut Mounted<'_>, key: &Key) -> Vec<u8> {
    let tree = &mut pool.internals_mut().store.tree;
    tree.with(key, |value| value.map(<[u8]>::to_vec)).expect("read").expect("it is there")
}

/// The extents by their redundancy.
pub(crate) fn counts(pool: &mut Mounted<'_>) -> ExtentCounts {
    pool.count_extents().expect("counted")
}

/// Upkeep until there is nothing to do.
pub(crate) fn rest(pool: &mut Mounted<'_>) {
    for _ in 0..steps_to_rest(pool) {
        if pool.maintain(true).expect("maintained") == Work::Nothing {
            return;
        }
    }
    panic!("upkeep does not end");
}

/// Upkeep until a job is at its end: a rebuild of what absent members held, or a scrub.
pub(crate) fn run_job(pool: &mut Mounted<'_>, kind: JobKind) -> dynamicfs_core::maintain::Job {
    pool.start_job(kind, JobOptions::WITHOUT_ABSENT).expect("started");
    rest(pool);
    pool.job(kind).expect("read").expect("it was started")
}

/// Everything has the redundancy that was asked for, no member is owed anything, every block is accounted
/// for.
#[track_caller]
pub(crate) fn expect_whole(pool: &mut Mounted<'_>, what: &str) {
    let extents = counts(pool);
    assert_eq!((extents.complete, extents.unreadable), (extents.total, 0), "{what}");
    assert_eq!(pool.health().owed, 0, "{what}: owed");
    account(pool, what);
}
