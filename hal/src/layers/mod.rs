//! Devices that stand on a device.
//!
//! ```text
//! slot.rs        an empty card slot                                `Option<D>`
//! partition.rs   a range of sectors
//! shared.rs      one device for several users of one thread
//! bounce.rs      a lent buffer between the caller and the device
//! logged.rs      what fails is logged                              feature `log`
//! ```

mod bounce;
#[cfg(feature = "log")]
mod logged;
mod partition;
mod shared;
mod slot;

pub use bounce::{Bounce, BounceError};
#[cfg(feature = "log")]
pub use logged::Logged;
pub use partition::{Partition, PartitionError};
pub use shared::SharedDevice;

use crate::{DeviceError, IoError};

/// An error of a device that stands on another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum LayerError<E> {
    /// The layer refused the request; the device below was not asked.
    Refused(IoError),
    /// The device below failed.
    Device(E),
}

impl<E: DeviceError> DeviceError for LayerError<E> {
    fn kind(&self) -> IoError {
        match self {
            Self::Refused(kind) => *kind,
            Self::Device(error) => error.kind(),
        }
    }
}

impl<E: core::fmt::Display> core::fmt::Display for LayerError<E> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Refused(kind) => kind.fmt(f),
            Self::Device(error) => error.fmt(f),
        }
    }
}

impl<E: core::error::Error> core::error::Error for LayerError<E> {}
