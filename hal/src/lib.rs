//! What DynamicFS needs from the machine below it.
//!
//! An integrator implements [`BlockDevice`] for a disk (an SD card, an eMMC, a file). The disks go into a
//! [`SerialArray`], and that goes to the core. A host that can drive its disks in parallel implements
//! [`DiskArray`] itself; it is the one seam through which all I/O of the core passes.
//!
//! | trait | implemented by | what for |
//! |---|---|---|
//! | [`BlockDevice`] | a driver | whole sectors of one disk |
//! | [`DiskArray`] | this crate, a host shim, a simulator | batches of requests over all disks |
//! | [`Clock`], [`Entropy`] | the integrator | the core has no time and no randomness of its own |
//!
//! [`Partition`], [`SharedDevice`] and [`Bounce`] stand on a device and are one; an `Option<D>` is a card
//! slot. The features `embedded-sdmmc`, `block-device-driver` and `embedded-storage` make devices of other
//! crates disks (`adapter`), `log` adds `Logged`, and `conformance` checks a driver on the bench.
//! `docs/PORTING.md` leads through all of it.
//!
//! The media below is expected to be managed (SD, eMMC, SATA, NVMe, virtio): raw NOR or NAND flash needs a
//! wear-levelling layer of its own.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(any(feature = "embedded-sdmmc", feature = "block-device-driver", feature = "embedded-storage"))]
pub mod adapter;
mod array;
#[cfg(feature = "conformance")]
pub mod conformance;
mod device;
mod layers;
mod ram;
mod request;
mod services;

pub use array::{DiskArray, SerialArray};
pub use device::{BlockDevice, DeviceError, Geometry, GeometryError};
#[cfg(feature = "log")]
pub use layers::Logged;
pub use layers::{Bounce, BounceError, LayerError, Partition, PartitionError, SharedDevice};
pub use ram::RamDisk;
pub use request::{Batch, IoError, Operation, Outcome, Request};
pub use services::{Clock, Crc32c, Entropy, EntropyError, NoClock, UnixTime};

/// The examples of the document, compiled and run.
#[cfg(all(doctest, feature = "conformance", feature = "embedded-sdmmc"))]
#[doc = include_str!("../../docs/PORTING.md")]
pub struct Porting;
