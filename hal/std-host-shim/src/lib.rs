//! DynamicFS on a host with an operating system: file-backed disks, parallel execution, clock, entropy, fast checksums.
#![deny(unsafe_code)]

#[cfg(not(target_os = "linux"))]
compile_error!("std-host-shim speaks to Linux: fallocate, /proc/locks and the block-device ioctls");

mod array;
mod checksum;
mod clock;
mod durable;
mod entropy;
mod file;

pub use array::{BATCH_REQUESTS, HostArray};
pub use checksum::crc32c;
pub use clock::OsClock;
pub use durable::sync_parent_directory;
pub use entropy::OsEntropy;
pub use file::{FileDisk, FileDiskError, FileDiskOptions, OpenError};
