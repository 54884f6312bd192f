//! The simulated devices do what they say. Bytes are as described, faults really happen, no flushed write is
//! lost, and the same seed does the same again.

mod damage;
mod faults;
mod model;
mod power;
mod world;

use dynamicfs_hal::{DiskArray, Geometry, IoError, Request};
use dynamicfs_sim::SimArray;

/// Bytes of a sector in these tests.
const SECTOR: usize = 512;

/// A disk whose tear unit is one sector.
fn plain(sectors: u64) -> Geometry {
    Geometry::new(SECTOR as u32, sectors)
}

/// A disk where a power cut damages units of this many sectors.
fn coarse(sectors: u64, unit_sectors: u32) -> Geometry {
    Geometry { tear_unit: SECTOR as u32 * unit_sectors, ..plain(sectors) }
}

/// One disk.
fn one(seed: u64, geometry: Geometry) -> SimArray {
    SimArray::new(seed, [geometry])
}

fn write(array: &mut SimArray, disk: usize, lba: u64, byte: u8) -> Result<(), IoError> {
    array.run(Request::write(disk, lba, &[byte; SECTOR]))
}

fn flush(array: &mut SimArray, disk: usize) -> Result<(), IoError> {
    array.run(Request::flush(disk))
}

fn read(array: &mut SimArray, disk: usize, lba: u64) -> Result<[u8; SECTOR], IoError> {
    let mut sector = [0; SECTOR];
    array.run(Request::read(disk, lba, &mut sector)).map(|()| sector)
}

/// A sector's one byte, or `None` when it holds several.
fn uniform(array: &mut SimArray, disk: usize, lba: u64) -> Option<u8> {
    let sector = read(array, disk, lba).expect("a sector that can be read");
    sector.iter().all(|&byte| byte == sector[0]).then_some(sector[0])
}

/// All bytes of a disk, as a read sees them.
fn contents(array: &mut SimArray, disk: usize) -> Vec<u8> {
    let sectors = array.geometry(disk).sectors;
    let mut bytes = vec![0; sectors as usize * SECTOR];
    array.run(Request::read(disk, 0, &mut bytes)).expect("a disk that can be read");
    bytes
}
