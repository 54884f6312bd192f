//! Block devices of other crates as a [`BlockDevice`](crate::BlockDevice).
//!
//! Each is a feature of its own. None of the foreign traits says what is durable, or what a power cut in a
//! write damages. The integrator states it when the adapter is made, and the adapter's documentation says
//! what it assumes.
//!
//! | feature | type | foreign trait |
//! |---|---|---|
//! | `embedded-sdmmc` | `SdmmcDisk` | `embedded_sdmmc::BlockDevice` |
//! | `block-device-driver` | `AsyncDisk` | `block_device_driver::BlockDevice` |
//! | `embedded-storage` | `StorageDisk` | `embedded_storage::Storage`, on managed media |

#[cfg(feature = "block-device-driver")]
mod async_disk;
#[cfg(feature = "embedded-sdmmc")]
mod sdmmc;
#[cfg(feature = "embedded-storage")]
mod storage;

#[cfg(feature = "block-device-driver")]
pub use async_disk::AsyncDisk;
#[cfg(feature = "embedded-sdmmc")]
pub use sdmmc::SdmmcDisk;
#[cfg(feature = "embedded-storage")]
pub use storage::{ManagedStorage, StorageDisk};

use crate::{DeviceError, GeometryError, IoError, LayerError};

/// An error of another crate's driver, and the kind that it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ForeignError<E> {
    /// The driver's own error.
    pub error: E,
    /// What the core acts on.
    pub kind: IoError,
}

impl<E: core::fmt::Debug> DeviceError for ForeignError<E> {
    fn kind(&self) -> IoError {
        self.kind
    }
}

/// An error of an adapter.
pub type AdapterError<E> = LayerError<ForeignError<E>>;

/// Why an adapter cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum OpenError<E> {
    /// The driver could not tell the device's size.
    Device(E),
    /// The geometry, with the tear unit as it was stated, is out of its bounds.
    Geometry(GeometryError),
    /// The memory that was lent holds no block.
    NoMemory,
}

impl<E: core::fmt::Debug> core::fmt::Display for OpenError<E> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Device(error) => write!(f, "the device does not tell its size: {error:?}"),
            Self::Geometry(error) => error.fmt(f),
            Self::NoMemory => f.write_str("the memory that was lent holds no block"),
        }
    }
}

impl<E: core::fmt::Debug> core::error::Error for OpenError<E> {}

/// The kind of every error of a driver that gives no other: the medium could not do it. A disk with such
/// errors is avoided, and taken out of use when a write fails.
#[cfg(any(feature = "embedded-sdmmc", feature = "block-device-driver"))]
fn media<E>(_: &E) -> IoError {
    IoError::Media
}
