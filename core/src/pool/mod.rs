//! The facade: making a pool, mounting it, reading, transactions, members, upkeep.
//!
//! ```text
//! read.rs         what reads: on a pool, in a transaction
//! reader.rs       a pool that is only read
//! transaction.rs  what changes objects and names
//! upkeep.rs       jobs, checks, forecasts, counters
//! members.rs      disks that come, go, grow
//! state.rs        which members there are, and how each counts
//! health.rs       how the pool is, as plain structs
//! events.rs       what has happened
//! handle.rs       an object as a stream
//! open.rs         how a file is opened; what else a handle does
//! paths.rs        paths: made, written whole, removed
//! cursor.rs       a directory, entry by entry
//! pins.rs         objects that stay without a name
//! resume.rs       a transaction put aside between two calls
//! format.rs       from what is asked for to what is fixed for good
//! ```

mod cursor;
mod events;
mod format;
mod handle;
mod health;
mod members;
mod open;
mod paths;
mod pins;
mod read;
mod reader;
mod resume;
mod sealed;
mod state;
mod transaction;
mod upkeep;

pub use cursor::DirectoryCursor;
pub use format::{DiskOptions, FormatOptions};
pub use handle::{Handle, Stream};
pub use health::{Health, MemberHealth};
pub use members::AddOptions;
pub use open::OpenOptions;
pub use read::ReadObjects;
pub use reader::Reader;
pub use state::{Member, Members};
pub use transaction::Transaction;

use crate::build::MAINTAIN;
use crate::error::{Error, Failure, FormatError, MountError};
use crate::format::parameters::PoolParameters;
use crate::format::superblock::Superblock;
use crate::logging::tell;
use crate::maintain::Progress;
use crate::object::Objects;
use crate::options::options;
use crate::transaction::histories::Surveyed;
use crate::transaction::{Memory, MountMode, MountRequest, Prefer, Store, histories};
use crate::types::Uuid;
use dynamicfs_hal::{Clock, Crc32c, DiskArray, Entropy};
use sealed::Inside;

/// What the machine gives a pool beside disks and memory.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Services<'m> {
    /// CRC-32C; firmware uses [`crate::format::checksum::crc32c`].
    pub crc32c: Crc32c,
    /// Time.
    pub clock: &'m dyn Clock,
}

impl<'m> Services<'m> {
    /// A checksum, and a clock; a board without one has [`NoClock`](dynamicfs_hal::NoClock).
    pub const fn new(crc32c: Crc32c, clock: &'m dyn Clock) -> Self {
        Self { crc32c, clock }
    }
}

options! {
    /// How a pool is mounted.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct MountOptions {
        /// The pool, where disks of several may be among the array's; `None` takes the first that is found.
        pub pool: Option<Uuid>,
        /// For reading or writing.
        pub mode: MountMode,
        /// Which history to go on with, where the disks hold several; `None` refuses those. What the others
        /// hold is given up with the first write, and their disks come back only as new members.
        pub prefer: Option<Prefer>,
    }
}

impl Default for MountOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl MountOptions {
    /// For reading and writing: the pool that is found first, if its disks hold one history.
    pub const fn new() -> Self {
        Self { pool: None, mode: MountMode::ReadWrite, prefer: None }
    }

    const fn request<'m>(&self, services: Services<'m>) -> MountRequest<'m> {
        let &Self { pool, mode, prefer } = self;
        MountRequest { pool, mode, prefer, crc32c: services.crc32c, clock: services.clock }
    }
}

/// Tells in the log what came of a mount.
fn told<'m, A: DiskArray>(
    mounted: Result<Store<'m, A>, Failure<MountError, A>>,
) -> Result<Store<'m, A>, Failure<MountError, A>> {
    match &mounted {
        Ok(store) => tell!(
            info,
            "pool {} mounted at generation {}, {} of {} members online",
            store.tree.disks.parameters.pool,
            store.generation().0,
            store.tree.disks.online().len(),
            store.tree.space.superblock.table().len()
        ),
        Err(failure) => tell!(error, "no pool is mounted: {}", failure.error),
    }
    mounted
}

/// A mounted pool.
///
/// It reads through [`ReadObjects`]; objects and names are changed in a [`Transaction`]. Dropping it writes
/// nothing: what was committed is durable. A transaction that was forgotten instead of dropped is undone by
/// the next call.
pub struct Pool<'m, A> {
    objects: Objects<'m, A>,
    progress: Progress,
}

impl<'m, A: DiskArray> Pool<'m, A> {
    /// Makes a pool of all disks of the array and mounts it. What is on them is lost; a disk that belongs to a pool is
    /// refused unless that is forced.
    ///
    /// `members` says what is special about each disk; those that it leaves out are plain.
    ///
    /// # Errors
    /// They give the array back. Before the first byte is written: what contradicts the options or the disks,
    /// a disk that belongs to a pool, too little memory. After it a disk that failed; then none of them is a
    /// member of anything.
    pub fn format(
        array: A,
        memory: Memory<'m>,
        services: Services<'m>,
        entropy: &mut dyn Entropy,
        options: &FormatOptions,
        members: &[DiskOptions],
    ) -> Result<Self, Failure<FormatError, A>> {
        match format::format(array, memory, services, entropy, options, members) {
            Ok(objects) => {
                let disks = &objects.store.tree.disks;
                tell!(info, "pool {} made of {} disks", disks.parameters.pool, disks.count());
                Ok(Self::of(objects))
            }
            Err(failure) => {
                tell!(error, "no pool was made: {}", failure.error);
                Err(failure)
            }
        }
    }

    /// Mounts a pool from the disks of the array that belong to it.
    ///
    /// Every disk is flushed first, so that what is served is durable. A pool that is whole is not written to until its
    /// first transaction.
    ///
    /// # Errors
    /// They give the array back: to mount otherwise, to survey it, or to add what is missing.
    // Not part of its caller: what it takes of the stack is not to lie under all that is done with the pool.
    #[inline(never)]
    pub fn mount(
        array: A,
        memory: Memory<'m>,
        services: Services<'m>,
        options: &MountOptions,
    ) -> Result<Self, Failure<MountError, A>> {
        let mounted = Store::mount(array, memory, &options.request(services));
        Ok(Self::of(Objects::new(told(mounted)?)))
    }

    const fn of(objects: Objects<'m, A>) -> Self {
        let progress = Progress::new(objects.store.window.len());
        Self { objects, progress }
    }

    /// The objects, and what is known of maintenance, between two transactions.
    fn parts(&mut self) -> (&mut Objects<'m, A>, &mut Progress) {
        self.undo_forgotten();
        (&mut self.objects, &mut self.progress)
    }

    /// Reads the superblocks of each disk without mounting, and calls `f` with each of them. Decides nothing
    /// and writes nothing. What the disks say of each other is [`relation`](histories::relation) and
    /// [`without_say`](histories::without_say). For a choice after a refused mount.
    ///
    /// # Errors
    /// [`NoPool`](MountError::NoPool); [`LargeSectors`](MountError::LargeSectors) where that is the reason.
    /// [`Unsupported`](MountError::Unsupported), [`LabelsDisagree`](MountError::LabelsDisagree) and
    /// [`Cloned`](MountError::Cloned) as a mount has them. [`NeedsFeature`](MountError::NeedsFeature) of the
    /// build, and [`NeedsMemory`](MountError::NeedsMemory). A disk that cannot be read is no error: `f` is
    /// not called for it.
    pub fn survey(
        array: A,
        memory: Memory<'m>,
        services: Services<'m>,
        pool: Option<Uuid>,
        f: impl FnMut(&Surveyed, &Superblock<&[u8]>),
    ) -> Result<(), MountError> {
        histories::survey(array, memory, pool, (services.crc32c, services.clock), f)
    }

    /// Begins a transaction. There is one at a time; dropping it undoes it. One that was forgotten instead of dropped is
    /// undone here.
    ///
    /// The first of a mount reserves an epoch on every disk.
    ///
    /// Where space is scarce, or an operation found none since, deleted objects are freed first, in commits
    /// of their own. So a transaction that found no space can succeed when it is tried again. A build without
    /// the feature `maintain` leaves that to [`upkeep`](Self::upkeep), which a program that deletes calls.
    ///
    /// # Errors
    /// [`ReadOnly`], [`OutcomeUnknown`] and [`OtherWriter`]: this mount takes no writes, or no more of them.
    /// [`TooFewDisks`] where no epoch can be reserved, or the commit that a mount left to its first
    /// transaction cannot be made. Else what disks and tree answered. No transaction is open then.
    ///
    /// [`ReadOnly`]: crate::error::StorageError::ReadOnly
    /// [`OutcomeUnknown`]: crate::error::StorageError::OutcomeUnknown
    /// [`OtherWriter`]: crate::error::StorageError::OtherWriter
    /// [`TooFewDisks`]: crate::error::StorageError::TooFewDisks
    pub fn begin(&mut self) -> Result<Transaction<'_, 'm, A>, Error> {
        self.begin_anew()?;
        Ok(Transaction { pool: self, committed: false })
    }

    /// Begins a transaction, without the value that stands for it.
    fn begin_anew(&mut self) -> Result<(), Error> {
        self.undo_forgotten();
        // What cannot be freed is upkeep's to tell: it is no reason why nothing else could be done.
        while MAINTAIN
            && (self.objects.wanting || self.is_scarce())
            && self.objects.reap_alone().unwrap_or(false)
        {}
        self.objects.wanting = false;
        read::ask(self, |objects| objects.begin())
    }

    /// What was fixed when the pool was formatted: its identity, the sizes of its parts.
    pub const fn parameters(&self) -> &PoolParameters {
        &self.objects.store.tree.disks.parameters
    }

    /// Undoes a transaction that was forgotten instead of dropped: it would be seen by what reads, and be in
    /// the way of what commits.
    fn undo_forgotten(&mut self) {
        self.objects.abort();
    }

    /// Whether less than an eighth of some member's space is free: a small one may be full while large ones have room.
    fn is_scarce(&self) -> bool {
        let tree = &self.objects.store.tree;
        tree.data_rows().iter().any(|row| {
            let all = tree.area(row).map_or(0, |area| area.blocks);
            tree.space.superblock.row(row).free() < all / 8
        })
    }

    /// The array, between two operations: for what a machine must tell its disks beside reading and writing.
    pub fn array(&mut self) -> &mut A {
        self.objects.store.tree.disks.array()
    }

    /// Gives the array back. What was committed is durable; nothing is written.
    pub fn into_array(self) -> A {
        self.objects.store.tree.disks.into_array()
    }
}

impl<A: DiskArray> Inside for Pool<'_, A> {
    type Array = A;

    fn inside<T>(&mut self, f: impl FnOnce(&mut Objects<'_, A>) -> T) -> T {
        f(self.parts().0)
    }
}

impl<A: DiskArray> core::fmt::Debug for Pool<'_, A> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let health = self.health();
        f.debug_struct("Pool")
            .field("pool", &self.parameters().pool)
            .field("generation", &health.generation)
            .field("members", &health.members)
            .field("online", &health.online)
            .field("writable", &health.writable)
            .finish_non_exhaustive()
    }
}

#[cfg(any(test, feature = "internals"))]
impl<'m, A> Pool<'m, A> {
    /// The layers below, to be looked at.
    pub const fn internals(&self) -> &Objects<'m, A> {
        &self.objects
    }

    /// The layers below, to be used past the facade. What is done there may break what the facade promises.
    pub const fn internals_mut(&mut self) -> &mut Objects<'m, A> {
        &mut self.objects
    }
}
