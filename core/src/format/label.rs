//! A disk's identity: at its beginning, at a fixed place further on, and at its end.

use super::field::{Stored, layout};
use super::parameters::{COPY_PLACES, PoolParameters};
use crate::limits;
use crate::powers::over;
use crate::types::{MemberNumber, Uuid};

layout! {
    /// A disk's label.
    Label, 512 bytes {
        /// CRC-32C of the bytes after this field.
        crc / set_crc: u32 = 0,
        /// `LABEL_MAGIC`.
        magic / set_magic: u64 = 4,
        /// `FORMAT_VERSION`.
        version / set_version: u16 = 12,
        /// Checksum algorithm of everything else: 1 is CRC-32C.
        algorithm / set_algorithm: u8 = 14,
        /// Rows of the superblock's member table: members that the pool may have at a time.
        members_max / set_members_max: u8 = 15,
        /// Features that a reader and writer may ignore.
        compat / set_compat: u32 = 16,
        /// Features without which the pool may be read and not written.
        ro_compat / set_ro_compat: u32 = 20,
        /// Features without which the pool must not be touched.
        incompat / set_incompat: u32 = 24,
        /// The member's number.
        member / set_member: u16 = 28,
        /// The member's tier, 0 the fastest.
        tier / set_tier: u8 = 30,
        /// log2 of the bytes of a block.
        block_shift / set_block_shift: u8 = 31,
        /// The pool.
        pool / set_pool: Uuid = 32,
        /// This disk.
        disk / set_disk: Uuid = 48,
        /// Seed of the directory hash.
        hash_seed / set_hash_seed: Uuid = 64,
        /// log2 of the bytes of a node.
        node_shift / set_node_shift: u8 = 80,
        /// log2 of the bytes of a chunk.
        chunk_shift / set_chunk_shift: u8 = 81,
        /// Slots in each ring.
        ring_length / set_ring_length: u8 = 82,
        /// 1 if the member is a witness, which holds no data.
        witness / set_witness: u8 = 83,
        /// Bytes of a superblock slot.
        slot_bytes / set_slot_bytes: u32 = 84,
        /// Blocks of a group.
        group_blocks / set_group_blocks: u32 = 88,
        /// Disks with the same value are expected to fail together; 0 is a domain of its own.
        failure_domain / set_failure_domain: u32 = 92,
        /// Byte at which ring A begins.
        ring_a / set_ring_a: u64 = 96,
        /// Byte at which ring B begins.
        ring_b / set_ring_b: u64 = 104,
        /// First block of group 0.
        data_start / set_data_start: u64 = 112,
        /// Blocks from there on that may be allocated.
        data_blocks / set_data_blocks: u64 = 120,
        /// Byte at which the copy of the label lies.
        copy_at / set_copy_at: u64 = 128,
        /// Byte at which the label at the end of the disk lies.
        end_at / set_end_at: u64 = 136,
        /// Seconds since 1970 when the pool was made.
        created / set_created: i64 = 144,
        /// How often the disk's label was changed: of several that are whole, the highest is right.
        serial / set_serial: u32 = 152,
        /// Share of the pool's data that the disk should take, in 1/256 of what its size suggests; 256 by default.
        weight / set_weight: u16 = 156,
    }
}

/// The first bytes of a label after its checksum.
pub const LABEL_MAGIC: u64 = u64::from_le_bytes(*b"DynamFS1");

/// The format this code writes. Another number is another format.
pub const FORMAT_VERSION: u16 = 2;

/// The checksum algorithm CRC-32C.
pub const ALGORITHM_CRC32C: u8 = 1;

/// Labels of a disk. Where as many places cannot be read, there may be a pool. A power cut leaves one such
/// place while labels are written or wiped, and a second one while that is done again.
pub const LABELS: usize = 3;

/// Bytes of a label.
pub const LABEL_BYTES: usize = Label::<&[u8]>::BYTES;

/// What a label says of its own disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskIdentity {
    /// The disk.
    pub disk: Uuid,
    /// Its number in the pool.
    pub member: MemberNumber,
    /// It holds no data.
    pub witness: bool,
    /// 0 the fastest.
    pub tier: u8,
    /// Disks of one domain are expected to fail together; 0 is a domain of its own.
    pub failure_domain: u32,
    /// Share of the data, in 1/256 of what the size suggests.
    pub weight: u16,
    /// Byte at which ring A begins.
    pub ring_a: u64,
    /// Byte at which ring B begins.
    pub ring_b: u64,
    /// First block of group 0.
    pub data_start: u64,
    /// Blocks that may be allocated.
    pub data_blocks: u64,
    /// Byte at which the copy of the label lies.
    pub copy_at: u64,
    /// Byte at which the label at the end lies.
    pub end_at: u64,
    /// How often the label was changed.
    pub serial: u32,
    /// Features that a reader and writer may ignore, kept as they were found.
    pub compat: u32,
}

impl DiskIdentity {
    /// The weight of a disk that takes its share.
    pub const WEIGHT: u16 = 256;

    /// Bytes that the disk must have for everything that is on it.
    pub const fn bytes_needed(&self, parameters: &PoolParameters) -> u64 {
        self.end_at.saturating_add(parameters.sector_bytes_max() as u64)
    }

    /// The bytes at which the disk's labels lie.
    pub const fn label_places(&self) -> [u64; LABELS] {
        [0, self.copy_at, self.end_at]
    }

    /// Whether no part of the disk lies in another: rings, data, labels.
    // Once, also where `decode` becomes a part of its callers.
    #[inline(never)]
    fn is_sound(&self, p: &PoolParameters) -> bool {
        let (places, blocks) =
            (self.ring_a | self.ring_b | self.copy_at | self.end_at, self.data_start | self.data_blocks);
        // No sum of them is too large for 64 bits.
        if places >> 62 != 0 || blocks >> 47 != 0 || over(self.ring_a | self.ring_b | self.end_at, 512) != 0 {
            return false;
        }
        let (ring, unit) = (p.ring_bytes(), u64::from(p.sector_bytes_max()));
        let (end_a, copy_end) = (self.ring_a + ring, self.copy_at + unit);
        let data_at = end_a.max(copy_end);
        let (data, data_end) = match self.data_blocks {
            0 => (data_at, data_at),
            blocks => (self.data_start << p.block_shift, (self.data_start + blocks) << p.block_shift),
        };
        let first = if self.ring_a < self.copy_at { (end_a, self.copy_at) } else { (copy_end, self.ring_a) };
        let follow = [
            (unit, self.ring_a),
            first,
            (data_at, data),
            (data_end, self.ring_b),
            (self.ring_b + ring, self.end_at),
        ];
        COPY_PLACES.contains(&self.copy_at)
            && follow.iter().all(|(end, next)| end <= next)
            && self.data_blocks >> p.group_blocks.trailing_zeros() < limits::GROUPS_MAX
    }
}

/// Why a label's bytes were refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LabelFault {
    /// No label here: nothing of ours, or wiped.
    Absent,
    /// A label, damaged.
    Checksum,
    /// A format or feature that this code does not know.
    Unsupported {
        /// The format's number.
        version: u16,
        /// Features that must be known.
        incompat: u32,
        /// The checksum algorithm.
        algorithm: u8,
        /// The pool, if the format has it in the same place.
        pool: Uuid,
    },
    /// The values contradict one another or the limits.
    Invalid,
}

/// Writes a label.
pub fn encode(
    out: &mut [u8; LABEL_BYTES],
    parameters: &PoolParameters,
    disk: &DiskIdentity,
    crc32c: dynamicfs_hal::Crc32c,
) {
    out.fill(0);
    let mut label = Label(&mut out[..]);
    label.set_magic(LABEL_MAGIC);
    label.set_version(FORMAT_VERSION);
    label.set_algorithm(ALGORITHM_CRC32C);
    label.set_members_max(parameters.members_max);
    label.set_member(disk.member.0);
    label.set_tier(disk.tier);
    label.set_block_shift(parameters.block_shift);
    label.set_pool(parameters.pool);
    label.set_disk(disk.disk);
    label.set_hash_seed(parameters.hash_seed);
    label.set_node_shift(parameters.node_shift);
    label.set_chunk_shift(parameters.chunk_shift);
    label.set_ring_length(parameters.ring_length);
    label.set_witness(disk.witness.into());
    label.set_slot_bytes(parameters.slot_bytes);
    label.set_group_blocks(parameters.group_blocks);
    label.set_failure_domain(disk.failure_domain);
    label.set_ring_a(disk.ring_a);
    label.set_ring_b(disk.ring_b);
    label.set_data_start(disk.data_start);
    label.set_data_blocks(disk.data_blocks);
    label.set_copy_at(disk.copy_at);
    label.set_end_at(disk.end_at);
    label.set_serial(disk.serial);
    label.set_compat(disk.compat);
    label.set_weight(disk.weight);
    label.set_created(parameters.created);
    let crc = crc32c(0, &out[4..]);
    u32::store(&mut out[..], crc);
}

/// Reads a label.
///
/// # Errors
/// Why the bytes are none that this code can use: there is no label, it is damaged, of a format or with a
/// feature that is not known, or its values break a limit or contradict one another.
#[expect(clippy::indexing_slicing, reason = "cut to `LABEL_BYTES` above")]
pub fn decode(
    bytes: &[u8],
    crc32c: dynamicfs_hal::Crc32c,
) -> Result<(PoolParameters, DiskIdentity), LabelFault> {
    let bytes = bytes.get(..LABEL_BYTES).ok_or(LabelFault::Absent)?;
    let label = Label(bytes);
    if label.magic() != LABEL_MAGIC {
        return Err(LabelFault::Absent);
    }
    if label.crc() != crc32c(0, &bytes[4..]) {
        return Err(LabelFault::Checksum);
    }
    if label.version() != FORMAT_VERSION || label.incompat() != 0 || label.algorithm() != ALGORITHM_CRC32C {
        return Err(LabelFault::Unsupported {
            version: label.version(),
            incompat: label.incompat(),
            algorithm: label.algorithm(),
            pool: label.pool(),
        });
    }
    let parameters = PoolParameters {
        pool: label.pool(),
        hash_seed: label.hash_seed(),
        block_shift: label.block_shift(),
        node_shift: label.node_shift(),
        chunk_shift: label.chunk_shift(),
        ring_length: label.ring_length(),
        members_max: label.members_max(),
        slot_bytes: label.slot_bytes(),
        group_blocks: label.group_blocks(),
        created: label.created(),
    };
    let disk = DiskIdentity {
        disk: label.disk(),
        member: MemberNumber(label.member()),
        witness: label.witness() != 0,
        tier: label.tier(),
        failure_domain: label.failure_domain(),
        weight: label.weight(),
        ring_a: label.ring_a(),
        ring_b: label.ring_b(),
        data_start: label.data_start(),
        data_blocks: label.data_blocks(),
        copy_at: label.copy_at(),
        end_at: label.end_at(),
        serial: label.serial(),
        compat: label.compat(),
    };
    let valid = parameters.is_valid() && disk.member != MemberNumber::NONE && disk.is_sound(&parameters);
    if valid { Ok((parameters, disk)) } else { Err(LabelFault::Invalid) }
}
