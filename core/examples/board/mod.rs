// What the examples of the documentation stand on: two disks in memory, and a pool on them.

/// A disk of the board.
type Disk<'d> = dynamicfs_hal::RamDisk<&'d mut [u8]>;

/// Stands in for the board's random number generator.
#[allow(dead_code, reason = "not each example makes a pool")]
struct Random(u8);

impl dynamicfs_hal::Entropy for Random {
    fn fill(&mut self, buf: &mut [u8]) -> Result<(), dynamicfs_hal::EntropyError> {
        for byte in buf {
            self.0 = self.0.wrapping_mul(5).wrapping_add(1);
            *byte = self.0;
        }
        Ok(())
    }
}

/// Lends two blank disks.
#[allow(dead_code, reason = "not each example makes a pool")]
fn with_disks<T>(f: impl FnOnce([Disk<'_>; 2]) -> T) -> T {
    let mut media = [[0; 256 << 10], [0; 256 << 10]];
    f(media.each_mut().map(|bytes| dynamicfs_hal::RamDisk::new(&mut bytes[..], 512)))
}

/// Lends a mirror on two disks.
#[allow(dead_code, reason = "not each example uses one")]
fn with_pool<T>(
    f: impl FnOnce(&mut dynamicfs_core::Pool<'_, dynamicfs_hal::SerialArray<Disk<'_>, 2>>) -> T,
) -> T {
    use dynamicfs_core::{DiskState, FormatOptions, Memory, Pool, Services, CacheEntry, crc32c};
    with_disks(|disks| {
        let (mut bytes, mut entries) = ([0; 40 << 10], [CacheEntry::NEW; 32]);
        let mut states = [DiskState::NEW; 2];
        let memory = Memory { bytes: &mut bytes, entries: &mut entries, disks: &mut states };
        let services = Services::new(crc32c, &dynamicfs_hal::NoClock);
        let options = FormatOptions::portable(dynamicfs_core::types::Scheme::mirror(2));
        let array = dynamicfs_hal::SerialArray::new(disks);
        let made = Pool::format(array, memory, services, &mut Random(1), &options, &[]);
        f(&mut made.map_err(|failure| failure.error).expect("a pool"))
    })
}
