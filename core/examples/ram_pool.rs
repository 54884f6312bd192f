//! A pool on three disks in memory, as firmware would make it.
use dynamicfs_core::files::{Attributes, MakeRequest};
use dynamicfs_core::types::{ObjectId, Scheme};
use dynamicfs_core::{CacheEntry, DiskState, FormatOptions, Memory, Pool, ReadObjects, Services, crc32c};
use dynamicfs_hal::{Entropy, EntropyError, NoClock, RamDisk, SerialArray};

/// Stands in for the board's random number generator.
struct Counter(u8);

impl Entropy for Counter {
    fn fill(&mut self, buf: &mut [u8]) -> Result<(), EntropyError> {
        for byte in buf {
            self.0 = self.0.wrapping_mul(5).wrapping_add(1);
            *byte = self.0;
        }
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn core::error::Error>> {
    // Three disks of 256 KiB, and 40 KiB of memory for the pool.
    let mut disks = [[0u8; 256 << 10]; 3];
    let array = SerialArray::new(disks.each_mut().map(|bytes| RamDisk::new(&mut bytes[..], 512)));
    let (mut bytes, mut entries, mut states) = ([0; 40 << 10], [CacheEntry::NEW; 32], [DiskState::NEW; 3]);
    let memory = Memory { bytes: &mut bytes, entries: &mut entries, disks: &mut states };
    let services = Services::new(crc32c, &NoClock);

    let options = FormatOptions::portable(Scheme { data: 2, parity: 1 });
    let made = Pool::format(array, memory, services, &mut Counter(7), &options, &[]);
    // An error gives the array back; here nothing more is done with it.
    let mut pool = made.map_err(|failure| failure.error)?;

    let mut transaction = pool.begin()?;
    let file = transaction.create(ObjectId::ROOT, b"log", &MakeRequest::File, &Attributes::new())?;
    transaction.write_all(file, 0, b"it happened, whole, or it did not happen")?;
    transaction.commit()?;

    let mut text = [0; 64];
    let length = pool.read(file, 0, &mut text)?;
    assert_eq!(&text[..length], b"it happened, whole, or it did not happen");
    Ok(())
}
