//! What a pool is given in the simulated world: memory, no time, the world's own randomness.

use crate::Rng;
use crc_fast::{CrcAlgorithm, Digest};
use dynamicfs_core::error::Error;
use dynamicfs_core::maintain::Finding;
use dynamicfs_core::object::{Attributes, MakeRequest};
use dynamicfs_core::space::{Class, Space};
use dynamicfs_core::types::{ObjectId, Row};
use dynamicfs_core::{CacheEntry, DiskState, Memory, Pin, Pool, Services};
use dynamicfs_hal::{Clock, DiskArray, Entropy, EntropyError, UnixTime};
use std::ops::Range;

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

/// CRC-32C of `bytes`, continuing from `crc`, at the speed of the processor.
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
pub const SERVICES: Services<'static> = Services::new(crc32c, &NoClock);

impl Entropy for Rng {
    fn fill(&mut self, buf: &mut [u8]) -> Result<(), EntropyError> {
        Rng::fill(self, buf);
        Ok(())
    }
}

/// Addresses repeat after so many bytes, as far as any disk cares.
const ALIGNMENTS: usize = 4096;

/// Bytes at an address that is known as far as alignment goes: where an allocator puts them is no part of a world.
#[derive(Debug)]
pub struct Placed {
    memory: Vec<u8>,
    at: Range<usize>,
}

impl Placed {
    /// So many zeros, at an address that is `residue` beyond a multiple of 4096.
    pub fn new(residue: usize, bytes: usize) -> Self {
        let memory = vec![0; bytes + 2 * ALIGNMENTS];
        let skip = ALIGNMENTS - memory.as_ptr().addr() % ALIGNMENTS + residue % ALIGNMENTS;
        let at = skip..skip + bytes;
        Self { memory, at }
    }

    /// A copy of these bytes.
    pub fn copy(residue: usize, bytes: &[u8]) -> Self {
        let mut placed = Self::new(residue, bytes.len());
        placed.bytes().copy_from_slice(bytes);
        placed
    }

    /// The bytes.
    pub fn bytes(&mut self) -> &mut [u8] {
        &mut self.memory[self.at.clone()]
    }
}

/// Memory that is lent to one pool after the other.
#[derive(Debug)]
pub struct Lent {
    bytes: Placed,
    entries: Vec<CacheEntry>,
    disks: Vec<DiskState>,
    pins: Vec<Pin>,
}

/// Places for pinned objects.
pub const PINS: usize = 3;

impl Lent {
    /// This many bytes, entries for as many nodes of 512 bytes, states for 80 disks: a full pool, and others
    /// beside it.
    pub fn new(bytes: usize) -> Self {
        Self::with_nodes(bytes, 512)
    }

    /// This many bytes, and entries for nodes of this size.
    pub fn with_nodes(bytes: usize, node_bytes: u32) -> Self {
        let entries = vec![CacheEntry::NEW; (bytes / node_bytes as usize).max(16)];
        // No disk is content with it: what a pool does with its memory begins with aligning it.
        let (disks, pins) = (vec![DiskState::NEW; 80], vec![Pin::NEW; PINS]);
        Self { bytes: Placed::new(1, bytes), entries, disks, pins }
    }

    /// All of it.
    pub fn lend(&mut self) -> Memory<'_> {
        self.lend_with_pins(usize::MAX).0
    }

    /// No more than so many bytes of it.
    pub fn lend_only(&mut self, bytes: usize) -> Memory<'_> {
        self.lend_with_pins(bytes).0
    }

    /// No more than so many bytes of it, and [`PINS`] places for pinned objects.
    pub fn lend_with_pins(&mut self, bytes: usize) -> (Memory<'_>, &mut [Pin]) {
        let all = self.bytes.bytes();
        let bytes = bytes.min(all.len());
        let memory = Memory { bytes: &mut all[..bytes], entries: &mut self.entries, disks: &mut self.disks };
        (memory, &mut self.pins)
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

/// Steps of upkeep after which an idle pool is at rest. A step changes several blocks, and some steps exist
/// in any pool.
pub fn steps_to_rest<A: DiskArray>(pool: &Pool<'_, A>) -> u64 {
    500 + pool.health().blocks / 4
}

/// Free blocks of the open group of a class in a row, counted in its bitmap; 0 if none is open. Those of
/// nodes are ahead of the cursor.
pub fn free_in_open_group(space: &Space<'_>, row: usize, class: Class) -> u32 {
    let Some((_, _, cursor)) = space.open_group(Row(row), class) else { return 0 };
    let from = if class == Class::Node { u32::from(cursor) } else { 0 };
    let bits = space.open_bitmap(Row(row), class);
    let is_free = |block: &u32| bits[*block as usize / 8] >> (block % 8) & 1 == 0;
    (from..space.group_blocks()).filter(is_free).count() as u32
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
