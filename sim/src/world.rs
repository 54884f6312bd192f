//! What a pool is given in the simulated world: memory, no time, the world's own randomness.

use crate::Rng;
use crc_fast::{CrcAlgorithm, Digest};
use dynamicfs_core::error::Error;
use dynamicfs_core::maintain::Finding;
use dynamicfs_core::object::{Attributes, MakeRequest};
use dynamicfs_core::types::ObjectId;
use dynamicfs_core::{DiskState, Memory, Pool, Services, Slot};
use dynamicfs_hal::{Clock, DiskArray, Entropy, EntropyError, UnixTime};

/// A world without time.
#[derive(Clone, Copy, Debug)]
pub struct NoClock;

impl Clock for NoClock {
    fn now(&self) -> UnixTime {
        UnixTime::default()
    }
    fn monotonic_micros(&self) -> u64 {
        0
    }
}

/// CRC-32C of `bytes`, going on from `crc`, at the speed of the processor.
///
/// ```
/// use dynamicfs_core::format::checksum;
/// use dynamicfs_sim::world::crc32c;
/// assert_eq!(crc32c(0, b"123456789"), checksum::crc32c(0, b"123456789"));
/// assert_eq!(crc32c(7, b"123456789"), checksum::crc32c(7, b"123456789"));
/// ```
pub fn crc32c(crc: u32, bytes: &[u8]) -> u32 {
    if crc == 0 {
        return crc_fast::crc32_iscsi(bytes);
    }
    let mut digest = Digest::new_with_init_state(CrcAlgorithm::Crc32Iscsi, u64::from(!crc));
    digest.update(bytes);
    digest.finalize() as u32
}

/// A fast checksum, and no time.
pub const SERVICES: Services<'static> = Services { crc32c, clock: &NoClock };

impl Entropy for Rng {
    fn fill(&mut self, buf: &mut [u8]) -> Result<(), EntropyError> {
        Rng::fill(self, buf);
        Ok(())
    }
}

/// Memory that is lent to one pool after the other.
#[derive(Debug)]
pub struct Lent {
    bytes: Vec<u8>,
    slots: Vec<Slot>,
    disks: Vec<DiskState>,
}

impl Lent {
    /// This many bytes, slots for as many nodes of 512 bytes, states for 80 disks: a full pool, and others beside it.
    pub fn new(bytes: usize) -> Self {
        Self { bytes: vec![0; bytes], slots: vec![Slot::NEW; bytes / 512], disks: vec![DiskState::NEW; 80] }
    }

    /// This many bytes, and slots for nodes of this size.
    pub fn with_nodes(bytes: usize, node_bytes: u32) -> Self {
        let slots = (bytes / node_bytes as usize).max(16);
        Self { bytes: vec![0; bytes], slots: vec![Slot::NEW; slots], disks: vec![DiskState::NEW; 80] }
    }

    /// All of it.
    pub fn lend(&mut self) -> Memory<'_> {
        Memory { bytes: &mut self.bytes, slots: &mut self.slots, disks: &mut self.disks }
    }
}

/// Panics unless everything on the disks is right and every block is accounted for (G3, G8).
pub fn account<A: DiskArray>(pool: &mut Pool<'_, A>, what: &str) {
    let mut report = Default::default();
    let tell = |finding: Option<&Finding>| {
        if let Some(finding) = finding {
            panic!("{what}: {finding:?}");
        }
    };
    pool.check_contents(&mut report, tell).unwrap_or_else(|error| panic!("{what}: {error}"));
    pool.check_space(&mut [0; 1 << 14], &mut report, tell).unwrap_or_else(|error| panic!("{what}: {error}"));
}

/// Steps of upkeep after which a pool that is left alone is at rest: a step does something with several blocks, some steps
/// there are in any pool.
pub fn steps_to_rest<A: DiskArray>(pool: &Pool<'_, A>) -> u64 {
    500 + pool.health().blocks / 4
}

/// Makes a file in the root, with these contents, in a commit of its own.
///
/// # Errors
/// As those of the transaction.
pub fn put_file<A: DiskArray>(
    pool: &mut Pool<'_, A>,
    name: &str,
    contents: &[u8],
) -> Result<ObjectId, Error> {
    let mut transaction = pool.begin()?;
    let file =
        transaction.create(ObjectId::ROOT, name.as_bytes(), &MakeRequest::File, &Attributes::default())?;
    transaction.write_all(file, 0, contents)?;
    transaction.commit()?;
    Ok(file)
}
