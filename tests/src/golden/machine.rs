//! A machine without accidents: disks in memory, a clock that stands still, entropy that is a sequence.

use super::container::Disks;
use dynamicfs_core::format::checksum::crc32c;
use dynamicfs_core::{CacheEntry, DiskState, FormatOptions, Memory, MountMode, MountOptions, Pool, Services};
use dynamicfs_hal::{Clock, Entropy, EntropyError, RamDisk, SerialArray, UnixTime};

/// The array of a golden pool.
pub type Array<'d, const N: usize> = SerialArray<RamDisk<&'d mut [u8]>, N>;

/// It is always the same moment.
struct Standstill;

impl Clock for Standstill {
    fn now(&self) -> UnixTime {
        UnixTime { seconds: 1_700_000_000, nanoseconds: 123_456_789 }
    }
    fn monotonic_micros(&self) -> u64 {
        0
    }
}

/// A linear congruential sequence.
struct Sequence(u8);

impl Entropy for Sequence {
    fn fill(&mut self, buf: &mut [u8]) -> Result<(), EntropyError> {
        for byte in buf {
            self.0 = self.0.wrapping_mul(5).wrapping_add(1);
            *byte = self.0;
        }
        Ok(())
    }
}

/// The disks and the lent memory of a pool.
pub struct Machine<const N: usize> {
    disks: [Vec<u8>; N],
    sector_bytes: u32,
    memory: usize,
}

impl<const N: usize> Machine<N> {
    /// Empty disks.
    pub fn new(disk_bytes: usize, sector_bytes: u32, memory: usize) -> Self {
        Self { disks: core::array::from_fn(|_| vec![0; disk_bytes]), sector_bytes, memory }
    }

    /// Disks that hold something.
    pub fn with_disks(disks: Disks, sector_bytes: u32, memory: usize) -> Self {
        Self { disks: disks.try_into().expect("as many disks as the pool has"), sector_bytes, memory }
    }

    /// Makes a pool and does something with it.
    pub fn format<R>(
        &mut self,
        options: &FormatOptions,
        f: impl FnOnce(&mut Pool<'_, Array<'_, N>>) -> R,
    ) -> R {
        self.lend(None, |array, memory, services| {
            let pool = Pool::format(array, memory, services, &mut Sequence(7), options, &[]);
            f(&mut pool.expect("the pool is made"))
        })
    }

    /// Mounts the pool and does something with it; disk `absent`, if any, is not there.
    pub fn mount<R>(
        &mut self,
        mode: MountMode,
        absent: Option<usize>,
        f: impl FnOnce(&mut Pool<'_, Array<'_, N>>) -> R,
    ) -> R {
        self.lend(absent, |array, memory, services| {
            let pool = Pool::mount(array, memory, services, &MountOptions::new().mode(mode));
            f(&mut pool.unwrap_or_else(|error| panic!("the pool does not mount: {error}\n{}", super::ADVICE)))
        })
    }

    /// A disk's bytes.
    pub fn disk(&mut self, disk: usize) -> &mut [u8] {
        &mut self.disks[disk]
    }

    /// The disks.
    pub fn into_disks(self) -> Disks {
        self.disks.into()
    }

    fn lend<R>(
        &mut self,
        absent: Option<usize>,
        f: impl for<'m> FnOnce(Array<'m, N>, Memory<'m>, Services<'m>) -> R,
    ) -> R {
        let (mut bytes, mut entries, mut states) =
            (vec![0; self.memory], vec![CacheEntry::NEW; 256], [DiskState::NEW; N]);
        let mut nth = 0;
        let devices = self.disks.each_mut().map(|disk| {
            nth += 1;
            let there = if absent == Some(nth - 1) { 0 } else { disk.len() };
            RamDisk::new(&mut disk[..there], self.sector_bytes)
        });
        let memory = Memory { bytes: &mut bytes, entries: &mut entries, disks: &mut states };
        f(SerialArray::new(devices), memory, Services::new(crc32c, &Standstill))
    }
}
