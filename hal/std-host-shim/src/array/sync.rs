//! The locks and threads of the hand-off: the standard library's, or under `cfg(loom)` those of a model checker.

#[cfg(not(loom))]
pub(super) use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard},
    thread::{Builder, JoinHandle},
};

#[cfg(loom)]
pub(super) use loom::{
    sync::{Arc, Condvar, Mutex, MutexGuard},
    thread::{Builder, JoinHandle},
};

/// Stack in bytes of a thread that runs a disk's driver.
pub(super) const DRIVER_STACK_BYTES: usize = 1 << 20;
