//! An embeddable, crash-safe, multi-disk object filesystem.
#![no_std]
#![forbid(unsafe_code)]

pub mod disks;
pub mod error;
pub mod format;
pub mod limits;
pub mod metrics;
pub mod space;
pub mod transaction;
pub mod tree;
pub mod types;
