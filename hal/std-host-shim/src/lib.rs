//! DynamicFS on a host with an operating system: file-backed disks, parallel execution, clock, entropy, fast checksums.
//!
//! | what | implements | for |
//! |---|---|---|
//! | [`FileDisk`] | [`BlockDevice`](dynamicfs_hal::BlockDevice) | a file or block device, locked against a second opener |
//! | [`HostArray`] | [`DiskArray`](dynamicfs_hal::DiskArray) | all disks at once, on several threads where that is faster |
//! | [`OsClock`], [`OsEntropy`] | [`Clock`](dynamicfs_hal::Clock), [`Entropy`](dynamicfs_hal::Entropy) | the system's time and randomness |
//! | [`crc32c`] | [`Crc32c`](dynamicfs_hal::Crc32c) | the checksum, by the processor's own instructions |
//!
//! It speaks to Linux. `unsafe` is in two places: the ioctls of block devices, and the lending of a batch to threads
//! that outlive it, whose protocol is model-checked.
//!
//! # Example
//!
//! Three disks in files, the same sector written to each and made durable:
//!
//! ```
//! use dynamicfs_hal::{Batch, DiskArray, Request};
//! use std_host_shim::{FileDisk, HostArray};
//!
//! let folder = tempfile::tempdir()?;
//! let disks = (0..3).map(|index| FileDisk::create(folder.path().join(format!("disk-{index}.img")), 1 << 20));
//! let mut array = HostArray::new(disks.map(|disk| disk.map(Some)).collect::<Result<_, _>>()?);
//!
//! let sector = [7; 4096];
//! let mut batch = <HostArray<FileDisk> as DiskArray>::Batch::default();
//! for disk in 0..array.disks() {
//!     Batch::push(&mut batch, Request::write(disk, 5, &sector)).expect("room for 192");
//!     Batch::push(&mut batch, Request::flush(disk)).expect("room for 192");
//! }
//! array.execute(batch.requests());
//! for request in batch {
//!     request.result?;
//! }
//!
//! let mut read = [0; 4096];
//! array.execute(&mut [Request::read(2, 5, &mut read)]);
//! assert_eq!(read, sector);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![deny(unsafe_code)]

#[cfg(not(target_os = "linux"))]
compile_error!("std-host-shim speaks to Linux: fallocate, /proc/locks and the ioctls of block devices");

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
pub use file::{FileDisk, FileDiskError, FileDiskOptions, FolderLock, NameLock, OpenError};
