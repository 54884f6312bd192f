//! The adapter over the byte-addressed trait of `embedded-storage`: FRAM, and flash below a layer that levels
//! wear.

use dynamicfs_hal::adapter::{ManagedStorage, OpenError, StorageDisk};
use dynamicfs_hal::conformance::{Plan, destroy_and_check};
use dynamicfs_hal::{BlockDevice, DeviceError, GeometryError, IoError};
use embedded_storage::{ReadStorage, Storage};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BusError {
    NoAnswer,
}

/// Ferroelectric memory of so many sectors of `SECTOR` bytes, and some bytes more.
struct Fram<const SECTOR: u32, const TEAR: u32> {
    bytes: Vec<u8>,
    capacity: usize,
    error: Option<BusError>,
    flushes: u32,
}

impl<const SECTOR: u32, const TEAR: u32> Fram<SECTOR, TEAR> {
    fn new(bytes: usize) -> Self {
        Self { bytes: vec![0; bytes], capacity: bytes, error: None, flushes: 0 }
    }
}

impl<const SECTOR: u32, const TEAR: u32> ReadStorage for Fram<SECTOR, TEAR> {
    type Error = BusError;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), BusError> {
        bytes.copy_from_slice(&self.bytes[offset as usize..][..bytes.len()]);
        self.error.map_or(Ok(()), Err)
    }

    fn capacity(&self) -> usize {
        self.capacity
    }
}

impl<const SECTOR: u32, const TEAR: u32> Storage for Fram<SECTOR, TEAR> {
    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), BusError> {
        self.bytes[offset as usize..][..bytes.len()].copy_from_slice(bytes);
        self.error.map_or(Ok(()), Err)
    }
}

impl<const SECTOR: u32, const TEAR: u32> ManagedStorage for Fram<SECTOR, TEAR> {
    const SECTOR_BYTES: u32 = SECTOR;
    const TEAR_UNIT: u32 = TEAR;
    const VOLATILE_CACHE: bool = TEAR > SECTOR;

    fn flush(&mut self) -> Result<(), BusError> {
        self.flushes += 1;
        self.error.map_or(Ok(()), Err)
    }

    fn kind(error: &BusError) -> IoError {
        match error {
            BusError::NoAnswer => IoError::Timeout,
        }
    }
}

#[test]
fn passes_the_kit() {
    let mut disk = StorageDisk::new(Fram::<512, 512>::new(100 * 512 + 17)).unwrap();
    let geometry = disk.geometry();
    assert_eq!((geometry.sector_bytes, geometry.sectors, geometry.tear_unit), (512, 100, 512));
    assert!(!geometry.volatile_cache && !geometry.discard);
    assert!(destroy_and_check(&mut disk, &mut [0; 8 << 10], &Plan::new(1)).unwrap().whole_capacity);
    let mut disk = StorageDisk::new(Fram::<4096, 16384>::new(100 * 4096)).unwrap();
    assert!(disk.geometry().volatile_cache);
    destroy_and_check(&mut disk, &mut vec![0; 64 << 10], &Plan::new(1)).unwrap();
    assert!(disk.into_inner().flushes > 0);
}

#[test]
fn bytes_beyond_the_trait_s_numbers_are_not_used() {
    let fram = Fram::<512, 512> { capacity: 5 << 30, ..Fram::new(0) };
    assert_eq!(StorageDisk::new(fram).unwrap().geometry().sectors, 1 << 23);
}

#[test]
fn what_cannot_be_a_disk_is_refused() {
    let odd = StorageDisk::new(Fram::<512, 3000>::new(100 * 512));
    assert!(matches!(odd, Err(OpenError::Geometry(GeometryError::TearUnit))));
    let small = StorageDisk::new(Fram::<0, 512>::new(100 * 512));
    assert!(matches!(small, Err(OpenError::Geometry(GeometryError::SectorBytes))));
}

#[test]
fn errors_have_the_kind_that_the_implementation_gives_them() {
    let fram = Fram::<512, 512> { error: Some(BusError::NoAnswer), ..Fram::new(10 * 512) };
    let mut disk = StorageDisk::new(fram).unwrap();
    assert_eq!(disk.read(0, &mut [0; 512]).unwrap_err().kind(), IoError::Timeout);
    assert_eq!(disk.write(0, &[0; 512]).unwrap_err().kind(), IoError::Timeout);
    assert_eq!(disk.flush().unwrap_err().kind(), IoError::Timeout);
    assert_eq!(disk.write(10, &[0; 512]).unwrap_err().kind(), IoError::OutOfBounds);
}
