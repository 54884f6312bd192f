//! A transaction that is put aside, for a caller that cannot keep a value that borrows the pool: an interface
//! in another language.

use super::{Pool, Transaction};
use crate::types::ObjectId;
use dynamicfs_hal::DiskArray;

impl<'m, A: DiskArray> Pool<'m, A> {
    /// Goes on with a transaction that was [put aside](Transaction::suspend). Where there is none the value
    /// reads what the last commit left, refuses changes with
    /// [`NoTransaction`](crate::error::StorageError::NoTransaction), and undoes nothing when it is dropped.
    ///
    /// Any other call on the pool undoes what was put aside.
    pub const fn resume(&mut self) -> Transaction<'_, 'm, A> {
        Transaction { pool: self, committed: false }
    }
}

impl<A: DiskArray> Transaction<'_, '_, A> {
    /// Puts the transaction aside: [`Pool::resume`] goes on with it.
    pub const fn suspend(self) {
        core::mem::forget(self);
    }

    /// Whether there are changes to be committed or undone, or may be. False once a commit failed, and for
    /// what was [resumed](Pool::resume) where nothing was put aside.
    pub const fn is_open(&self) -> bool {
        self.pool.objects.store.is_open()
    }

    /// Whether the transaction made the object, which is gone where it is undone.
    pub fn has_made(&self, object: ObjectId) -> bool {
        let store = &self.pool.objects.store;
        store.is_open() && object >= store.committed().next_object_id()
    }
}
