//! The byte-addressed storage trait of `embedded-storage`.

use embedded_storage::{ReadStorage, Storage};

use super::{AdapterError, ForeignError, OpenError};
use crate::{BlockDevice, Geometry, IoError, LayerError};

/// A [`Storage`] whose medium is *managed*: any byte can be overwritten as often as the filesystem likes.
/// FRAM, MRAM, battery-backed RAM, and flash below a wear-levelling layer are.
///
/// **Raw flash is not.** `NorFlash` cannot overwrite. `RmwNorFlashStorage` can, and erases the same page
/// again and again. Superblocks alone are written with each commit. At one commit a second, a page that bears
/// 100,000 erasures is worn out in a day. Both are refused by type: the integrator implements this trait, for
/// a type of the integrator's own. It states for that board what `embedded-storage` does not say.
///
/// ```
/// use dynamicfs_hal::adapter::{ManagedStorage, StorageDisk};
/// use embedded_storage::{ReadStorage, Storage};
///
/// /// 64 KiB of FRAM.
/// struct Fram([u8; 64 << 10]);
///
/// impl ReadStorage for Fram {
///     type Error = core::convert::Infallible;
///     fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
///         bytes.copy_from_slice(&self.0[offset as usize..][..bytes.len()]);
///         Ok(())
///     }
///     fn capacity(&self) -> usize {
///         self.0.len()
///     }
/// }
///
/// impl Storage for Fram {
///     fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
///         self.0[offset as usize..][..bytes.len()].copy_from_slice(bytes);
///         Ok(())
///     }
/// }
///
/// impl ManagedStorage for Fram {
///     const TEAR_UNIT: u32 = 512;
///     const VOLATILE_CACHE: bool = false;
///     fn flush(&mut self) -> Result<(), Self::Error> {
///         Ok(())
///     }
/// }
///
/// let disk = StorageDisk::new(Fram([0; 64 << 10])).unwrap();
/// ```
///
/// Raw flash, and what erases below a `Storage`, do not compile:
///
/// ```compile_fail,E0277
/// # use dynamicfs_hal::adapter::StorageDisk;
/// # use embedded_storage::nor_flash::NorFlash;
/// fn over_raw_flash<F: NorFlash>(flash: F) {
///     let _ = StorageDisk::new(flash);
/// }
/// ```
/// ```compile_fail,E0277
/// # use dynamicfs_hal::adapter::StorageDisk;
/// # use embedded_storage::nor_flash::{NorFlash, RmwNorFlashStorage};
/// fn over_rewritten_pages<F: NorFlash>(flash: F, page: &mut [u8]) {
///     let _ = StorageDisk::new(RmwNorFlashStorage::new(flash, page));
/// }
/// ```
pub trait ManagedStorage: Storage {
    /// Bytes of the sectors that it is divided into, 512 to 16384.
    const SECTOR_BYTES: u32 = 512;

    /// Bytes of the aligned unit that a power cut in a write may damage. For flash below a wear-levelling
    /// layer the page that the layer rewrites; for FRAM a sector.
    const TEAR_UNIT: u32;

    /// Whether bytes may be lost in a power cut after `write` returned, until [`flush`](Self::flush).
    const VOLATILE_CACHE: bool;

    /// Makes everything written before durable. `Storage` has no such call: where `write` returns when the
    /// bytes are on the medium there is nothing to do.
    ///
    /// # Errors
    /// What the storage has.
    fn flush(&mut self) -> Result<(), Self::Error>;

    /// The kind of an error.
    fn kind(error: &Self::Error) -> IoError {
        let _ = error;
        IoError::Media
    }
}

/// A disk over a [`ManagedStorage`]. The trait counts bytes in 32 bits: a larger storage is used up to 4 GiB.
///
/// # What is assumed of durability
/// What the implementation of [`ManagedStorage`] states; and that a write changes the bytes it is given. In a
/// power cut it may change others in its tear units too.
#[derive(Debug)]
pub struct StorageDisk<S> {
    storage: S,
    geometry: Geometry,
}

impl<S: ManagedStorage<Error: core::fmt::Debug>> StorageDisk<S> {
    /// A disk of as many whole sectors as the storage has.
    ///
    /// # Errors
    /// A sector size or tear unit out of bounds.
    pub fn new(storage: S) -> Result<Self, OpenError<S::Error>> {
        let bytes = (storage.capacity() as u64).min(1 << 32);
        let geometry = Geometry {
            tear_unit: S::TEAR_UNIT,
            volatile_cache: S::VOLATILE_CACHE,
            // A zero is refused by the check below.
            ..Geometry::new(S::SECTOR_BYTES, bytes / u64::from(S::SECTOR_BYTES.max(1)))
        };
        geometry.check().map_err(OpenError::Geometry)?;
        Ok(Self { storage, geometry })
    }

    /// Gives the storage back.
    pub fn into_inner(self) -> S {
        self.storage
    }

    /// The first byte of a request within the bounds.
    fn offset(&self, lba: u64, buf: &[u8]) -> Result<u32, AdapterError<S::Error>> {
        self.geometry.check_buffer(lba, buf).map_err(LayerError::Refused)?;
        let offset = lba * u64::from(self.geometry.sector_bytes);
        u32::try_from(offset).map_err(|_| LayerError::Refused(IoError::OutOfBounds))
    }
}

fn failed<S: ManagedStorage>(error: S::Error) -> AdapterError<S::Error> {
    LayerError::Device(ForeignError { kind: S::kind(&error), error })
}

impl<S: ManagedStorage<Error: core::fmt::Debug>> BlockDevice for StorageDisk<S> {
    type Error = AdapterError<S::Error>;

    fn geometry(&self) -> Geometry {
        self.geometry
    }

    fn read(&mut self, lba: u64, buf: &mut [u8]) -> Result<(), Self::Error> {
        let offset = self.offset(lba, buf)?;
        ReadStorage::read(&mut self.storage, offset, buf).map_err(failed::<S>)
    }

    fn write(&mut self, lba: u64, buf: &[u8]) -> Result<(), Self::Error> {
        let offset = self.offset(lba, buf)?;
        Storage::write(&mut self.storage, offset, buf).map_err(failed::<S>)
    }

    fn flush(&mut self) -> Result<(), Self::Error> {
        self.storage.flush().map_err(failed::<S>)
    }
}
