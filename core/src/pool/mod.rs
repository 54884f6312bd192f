//! The facade: making a pool, mounting it, transactions, handles, new members.

mod events;
mod format;
mod handle;
mod health;
mod members;

pub use format::{DiskOptions, FormatOptions};
pub use handle::Handle;
pub use health::{Health, MemberHealth};
pub use members::AddOptions;

use crate::error::{Error, FormatError, MemberError, MountError};
use crate::format::superblock::Superblock;
use crate::maintain::Trim;
use crate::object::Objects;
use crate::transaction::histories::Surveyed;
use crate::transaction::{Memory, MountMode, MountRequest, Prefer, Store, histories};
use crate::types::{Generation, Uuid};
use core::ops::{Deref, DerefMut};
use dynamicfs_hal::{Clock, Crc32c, DiskArray, Entropy};

/// What the machine gives a pool beside disks and memory.
#[derive(Clone, Copy)]
pub struct Services<'m> {
    /// CRC-32C; firmware uses [`crate::format::checksum::crc32c`].
    pub crc32c: Crc32c,
    /// Time.
    pub clock: &'m dyn Clock,
}

/// How a pool is mounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MountOptions {
    /// The pool, where disks of several may be among the array's; `None` takes the first that is found.
    pub pool: Option<Uuid>,
    /// For reading or writing.
    pub mode: MountMode,
    /// Which history to go on with, where the disks hold several; `None` refuses those. What the others hold is given up
    /// with the first write, and their disks come back only as new members.
    pub prefer: Option<Prefer>,
}

impl Default for MountOptions {
    fn default() -> Self {
        Self { pool: None, mode: MountMode::ReadWrite, prefer: None }
    }
}

/// A mounted pool.
///
/// Reading works on the pool itself, through the methods of [`Objects`]; changes are made in a [`Transaction`].
/// Dropping it writes nothing: what was committed is durable.
pub struct Pool<'m, A> {
    objects: Objects<'m, A>,
}

impl<'m, A> Deref for Pool<'m, A> {
    type Target = Objects<'m, A>;
    fn deref(&self) -> &Self::Target {
        &self.objects
    }
}

impl<A> DerefMut for Pool<'_, A> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.objects
    }
}

impl<'m, A: DiskArray> Pool<'m, A> {
    /// Makes a pool of all disks of the array and mounts it. What is on them is lost; a disk that belongs to a pool is
    /// refused unless that is forced.
    ///
    /// `members` says what is special about each disk; those that it leaves out are plain.
    pub fn format(
        array: A,
        memory: Memory<'m>,
        services: Services<'m>,
        entropy: &mut dyn Entropy,
        options: &FormatOptions,
        members: &[DiskOptions],
    ) -> Result<Self, FormatError> {
        let store = format::format(array, memory, services, entropy, options, members)?;
        Ok(Self { objects: store })
    }

    /// Mounts a pool from the disks of the array that belong to it.
    ///
    /// Every disk is flushed first, so that what is served is durable. A pool that is whole is not written to until its
    /// first transaction.
    pub fn mount(
        array: A,
        memory: Memory<'m>,
        services: Services<'m>,
        options: &MountOptions,
    ) -> Result<Self, MountError> {
        let request = MountRequest {
            pool: options.pool,
            mode: options.mode,
            prefer: options.prefer,
            crc32c: services.crc32c,
            clock: services.clock,
        };
        Ok(Self { objects: Objects::new(Store::mount(array, memory, &request)?) })
    }

    /// Reads the superblocks of each disk without mounting, and calls `f` with each of them. Decides nothing
    /// and writes nothing. What the disks say of each other is [`relation`](histories::relation) and
    /// [`without_say`](histories::without_say). For a choice after a refused mount.
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
    /// Where space is scarce, or something found none since, deleted objects are freed first, in commits of their own: a
    /// transaction that finds no space finds what is freed then when it is tried again.
    pub fn begin(&mut self) -> Result<Transaction<'_, 'm, A>, Error> {
        self.objects.abort();
        // What cannot be freed is upkeep's to tell: it is no reason why nothing else could be done.
        while (self.objects.wanting || self.is_scarce()) && self.objects.reap_alone().unwrap_or(false) {}
        self.objects.wanting = false;
        self.objects.begin()?;
        Ok(Transaction { pool: self, committed: false })
    }

    /// Goes on with a trim: gives free space of one member back to its disk, some of it at a time; false when it is over.
    ///
    /// Of the pool nothing changes. Between two steps anything may be done with it; like the first transaction of a mount,
    /// the first step reserves an epoch, unless the trim only counts. A step reads the free map of at most 32 groups, and
    /// sends at most 32 discards.
    ///
    /// Fails where the member does not take part or, unless it only counts, the pool takes no writes. A disk that refuses a
    /// discard is no failure: it stays in use, and [`Trim::refused`] says so.
    pub fn trim_step(&mut self, trim: &mut Trim) -> Result<bool, MemberError> {
        self.objects.trim_step(trim)
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

/// Changes that happen all or not at all. Dropped, it undoes them.
pub struct Transaction<'p, 'm, A: DiskArray> {
    pool: &'p mut Pool<'m, A>,
    committed: bool,
}

impl<A: DiskArray> Transaction<'_, '_, A> {
    /// Makes the changes durable; the generation in which they are.
    ///
    /// On an error they were undone, unless it is
    /// [`OutcomeUnknown`](crate::error::StorageError::OutcomeUnknown): then the next mount tells.
    pub fn commit(mut self) -> Result<Generation, Error> {
        self.committed = true;
        self.pool.objects.commit()?;
        Ok(self.pool.objects.store.generation())
    }
}

impl<'m, A: DiskArray> Deref for Transaction<'_, 'm, A> {
    type Target = Objects<'m, A>;
    fn deref(&self) -> &Self::Target {
        &self.pool.objects
    }
}

impl<A: DiskArray> DerefMut for Transaction<'_, '_, A> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.pool.objects
    }
}

impl<A: DiskArray> Drop for Transaction<'_, '_, A> {
    fn drop(&mut self) {
        if !self.committed {
            self.pool.objects.abort();
        }
    }
}
