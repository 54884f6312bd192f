//! An embeddable, crash-safe, multi-disk object filesystem: `no_std`, no allocation.
//!
//! The layers, from the facade down; each uses those below it and none above:
//!
//! | layer | what it does |
//! |---|---|
//! | [`pool`] | makes and mounts pools, transactions, handles |
//! | [`maintain`] | counts what is owed, checks everything, gives space back |
//! | [`object`] | put, get, truncate, directories, attributes |
//! | [`placement`] | where fragments go; pure |
//! | [`redundancy`] | split and encode; pure |
//! | [`transaction`] | commit, recover, quorum, space kept back, the sweep |
//! | [`tree`], [`space`] | the B+tree and its cache; open groups |
//! | [`disks`] | who is who, who works, all I/O |
//! | [`format`] | bytes on disk; the one place that knows offsets; pure |
//! | [`types`], [`limits`], [`error`], [`metrics`] | words that all layers share |
//!
//! ```
#![doc = include_str!("../examples/ram_pool.rs")]
//! ```
#![no_std]
#![forbid(unsafe_code)]

pub mod disks;
pub mod error;
pub mod format;
pub mod limits;
pub mod maintain;
pub mod metrics;
pub mod object;
pub mod placement;
pub mod pool;
pub mod redundancy;
pub mod space;
pub mod transaction;
pub mod tree;
pub mod types;

pub use disks::DiskState;
pub use pool::{AddOptions, FormatOptions, MountOptions, Pool, Services, Transaction};
pub use transaction::{Memory, MountMode, Prefer};
pub use tree::cache::Slot;
