//! Tests of a core with room for 8 disks and stripes of 4 data fragments.
#![cfg(test)]

use dynamicfs_core::types::Scheme;
use dynamicfs_core::{CacheEntry, DiskState, FormatOptions, Memory, Pool, ReadObjects, Services, crc32c};
use dynamicfs_hal::{BlockDevice, Entropy, EntropyError, Geometry, IoError, NoClock, SerialArray};

const SECTORS: usize = 16384;

struct Ram(Vec<u8>);

impl BlockDevice for Ram {
    type Error = IoError;

    fn geometry(&self) -> Geometry {
        Geometry::new(512, SECTORS as u64)
    }
    fn read(&mut self, lba: u64, buf: &mut [u8]) -> Result<(), IoError> {
        buf.copy_from_slice(&self.0[lba as usize * 512..][..buf.len()]);
        Ok(())
    }
    fn write(&mut self, lba: u64, buf: &[u8]) -> Result<(), IoError> {
        self.0[lba as usize * 512..][..buf.len()].copy_from_slice(buf);
        Ok(())
    }
    fn flush(&mut self) -> Result<(), IoError> {
        Ok(())
    }
}

struct Count(u8);

impl Entropy for Count {
    fn fill(&mut self, buf: &mut [u8]) -> Result<(), EntropyError> {
        buf.iter_mut().for_each(|byte| (self.0, *byte) = (self.0.wrapping_add(1), self.0));
        Ok(())
    }
}

/// A long read of a mirror is divided among its replicas. Five were too many for the places of four: a fifth
/// of the bytes was not read, and what stood in the buffer was returned as the file's.
#[test]
fn a_mirror_with_more_replicas_than_places_is_read_whole() {
    let contents: Vec<u8> =
        (0..512 << 10).map(|at: u32| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for copies in 1..=5 {
        let (mut bytes, mut entries) = (vec![0; 8 << 20], vec![CacheEntry::NEW; 256]);
        let mut disks = vec![DiskState::NEW; 5];
        let memory = Memory { bytes: &mut bytes, entries: &mut entries, disks: &mut disks };
        let array = SerialArray::<_, 5>::new(core::array::from_fn(|_| Ram(vec![0; SECTORS * 512])));
        let options = FormatOptions::server(Scheme::mirror(copies)).members_max(5);
        let services = Services::new(crc32c, &NoClock);
        let made = Pool::format(array, memory, services, &mut Count(1), &options, &[]);
        let mut pool = made.map_err(|failure| failure.error).expect("formatted");
        let mut transaction = pool.begin().expect("begun");
        transaction.write_file(b"file", &contents).expect("written");
        transaction.commit().expect("committed");
        let mut read = vec![0xEE; contents.len()];
        assert_eq!(pool.read_file(b"file", &mut read), Ok(contents.len()));
        assert!(read == contents, "{copies} copies");
    }
}
