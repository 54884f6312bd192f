//! All tests of the HAL, as one program. `--all-features` builds those of the adapters and of the conformance
//! kit too.

#[cfg(all(feature = "block-device-driver", feature = "conformance"))]
mod block_device_driver;
#[cfg(feature = "conformance")]
mod conformance;
#[cfg(all(feature = "embedded-sdmmc", feature = "conformance"))]
mod embedded_sdmmc;
#[cfg(all(feature = "embedded-storage", feature = "conformance"))]
mod embedded_storage;
mod geometry;
mod layers;
#[cfg(feature = "log")]
mod logged;
mod ram_disk;
mod serial_array;
