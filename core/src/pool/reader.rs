//! A pool that is only read.

use super::sealed::Inside;
use super::{MountOptions, Services, told};
use crate::error::{Failure, MountError};
use crate::format::parameters::PoolParameters;
use crate::object::Objects;
use crate::transaction::{Memory, MountMode, Store};
use crate::types::{Generation, Uuid};
use dynamicfs_hal::DiskArray;

/// A mounted pool that is only read, through [`ReadObjects`](crate::ReadObjects). It has no code that writes:
/// a firmware that only reads takes no space for that. A program that chooses when it runs mounts a
/// [`Pool`](crate::Pool) for reading instead.
pub struct Reader<'m, A> {
    objects: Objects<'m, A>,
}

impl<'m, A: DiskArray> Reader<'m, A> {
    /// Mounts a pool for reading from the disks of the array that belong to it. `pool` names it where disks
    /// of several pools may be among them. Nothing is written.
    ///
    /// It takes less memory than a [`Pool`](crate::Pool): [`Memory::needs_to_read`].
    ///
    /// # Errors
    /// They give the array back.
    // Not part of its caller: what it takes of the stack is not to lie under all that is read.
    #[inline(never)]
    pub fn mount(
        array: A,
        memory: Memory<'m>,
        services: Services<'m>,
        pool: Option<Uuid>,
    ) -> Result<Self, Failure<MountError, A>> {
        let options = MountOptions { pool, mode: MountMode::ReadOnly, prefer: None };
        let mounted = Store::mount_to_read(array, memory, &options.request(services));
        Ok(Self { objects: Objects::new(told(mounted)?) })
    }

    /// The commit that is read.
    pub fn generation(&self) -> Generation {
        self.objects.store.generation()
    }

    /// Whether not every member was seen at its state: the next mount may find another.
    pub fn is_tentative(&self) -> bool {
        self.objects.store.is_tentative()
    }

    /// What was fixed when the pool was formatted: its identity, the sizes of its parts.
    pub const fn parameters(&self) -> &PoolParameters {
        &self.objects.store.tree.disks.parameters
    }

    /// Gives the array back.
    pub fn into_array(self) -> A {
        self.objects.store.tree.disks.into_array()
    }
}

impl<A: DiskArray> Inside for Reader<'_, A> {
    type Array = A;

    fn inside<T>(&mut self, f: impl FnOnce(&mut Objects<'_, A>) -> T) -> T {
        f(&mut self.objects)
    }
}

impl<A: DiskArray> core::fmt::Debug for Reader<'_, A> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Reader")
            .field("pool", &self.parameters().pool)
            .field("generation", &self.generation())
            .field("is_tentative", &self.is_tentative())
            .finish_non_exhaustive()
    }
}
