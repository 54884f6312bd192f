//! Numbers that must not be mistaken for one another.

mod index;
mod scheme;

use crate::build::{MULTI, REED_SOLOMON, XOR};

pub use index::{Column, DiskIndex, FragmentIndex, Row, Set, SetIter};
pub use scheme::ParseSchemeError;

/// The two member lists of one superblock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemberLists {
    /// The list before `members`, until the change to it is finished; then the same.
    pub settled: Set<Row>,
    /// The members of this state.
    pub members: Set<Row>,
}

impl MemberLists {
    /// A finished change: both lists are the same.
    pub const fn both(members: Set<Row>) -> Self {
        Self { settled: members, members }
    }
}

/// The number of an object. 0 holds the pool's own records, 1 is the root directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ObjectId(pub u64);

impl ObjectId {
    /// The pool's own records: free map, dead entries, members.
    pub const SYSTEM: Self = Self(0);
    /// The root directory.
    pub const ROOT: Self = Self(1);
    /// The first number given to an object made by a user.
    pub const FIRST_USER: Self = Self(16);
}

/// The number of a commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Generation(pub u64);

impl Generation {
    /// The commit after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// The number of a read-write mount.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Epoch(pub u64);

/// The number that a member is given once; no other member of the pool ever has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct MemberNumber(pub u16);

impl MemberNumber {
    /// No member: a place in a stripe that could not be filled, an empty row of the member table.
    pub const NONE: Self = Self(u16::MAX);
}

/// A block on a member, counted from the disk's beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockAddress {
    /// The member.
    pub member: MemberNumber,
    /// The block, below 2^48.
    pub block: u64,
}

impl BlockAddress {
    /// No place: what stands for a fragment that could not be stored.
    pub const NONE: Self = Self { member: MemberNumber::NONE, block: 0 };

    /// Whether this is a place at all.
    pub const fn is_some(self) -> bool {
        self.member.0 != MemberNumber::NONE.0
    }
}

impl core::fmt::Display for BlockAddress {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "member {} block {}", self.member.0, self.block)
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for BlockAddress {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "member {} block {}", self.member.0, self.block);
    }
}

/// A run of blocks on one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct BlockRun {
    /// The first block.
    pub start: BlockAddress,
    /// How many, at least 1.
    pub blocks: u32,
}

/// Data and parity fragments of a stripe. Replication is `data == 1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Scheme {
    /// Data fragments, 1 to 16.
    pub data: u8,
    /// Parity fragments, 0 to 4: the disks that may be lost.
    pub parity: u8,
}

impl Scheme {
    /// One copy.
    pub const SINGLE: Self = Self { data: 1, parity: 0 };

    /// `copies` copies on as many disks, 1 to 5.
    pub const fn mirror(copies: u8) -> Self {
        Self { data: 1, parity: copies.saturating_sub(1) }
    }

    /// Data and parity fragments of a stripe together.
    pub const fn width(self) -> usize {
        self.data as usize + self.parity as usize
    }

    /// Data fragments that a stripe has at most in the format, whatever a build has room for.
    const DATA_MAX: u8 = 16;

    /// Parity fragments that a stripe has at most in the format.
    const PARITY_MAX: u8 = 4;

    /// Whether the format can hold it.
    pub const fn is_valid(self) -> bool {
        self.data >= 1 && self.data <= Self::DATA_MAX && self.parity <= Self::PARITY_MAX
    }

    /// The feature that this build lacks to store contents in this scheme.
    pub const fn lacks(self) -> Option<&'static str> {
        let is_computed = self.data > 1 && self.parity > 0;
        match () {
            () if !MULTI && (self.data > 1 || self.parity > 0) => Some("multi"),
            () if self.data as usize > crate::limits::DATA_FRAGMENTS_MAX => Some("wide"),
            () if !XOR && is_computed => Some("xor"),
            () if !REED_SOLOMON && is_computed && self.parity > 1 => Some("reed-solomon"),
            () => None,
        }
    }
}

impl core::fmt::Display for Scheme {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match (self.data, self.parity) {
            (1, 0) => f.write_str("single"),
            (1, m) => write!(f, "mirror:{}", m + 1),
            (k, m) => write!(f, "{k}+{m}"),
        }
    }
}

/// A 128-bit identity, random.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid(pub [u8; 16]);

impl core::fmt::Display for Uuid {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        for (i, byte) in self.0.iter().enumerate() {
            if matches!(i, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Uuid {
    fn format(&self, f: defmt::Formatter<'_>) {
        // As `Display`: 8, 4, 4, 4 and 12 digits.
        #[expect(clippy::cast_possible_truncation, reason = "at most 48 bits of it are taken")]
        let digits = |number: u128, from: u32, bits: u32| (number >> from) as u64 & ((1 << bits) - 1);
        let number = self.0.iter().fold(0u128, |number, &byte| number << 8 | u128::from(byte));
        let [a, b, c, d, e] =
            [(96, 32), (80, 16), (64, 16), (48, 16), (0, 48)].map(|(from, bits)| digits(number, from, bits));
        defmt::write!(f, "{=u64:08x}-{=u64:04x}-{=u64:04x}-{=u64:04x}-{=u64:012x}", a, b, c, d, e);
    }
}

/// What a pool takes of each kind of memory. A mount that is lent less of any of them is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct MemoryNeeds {
    /// Bytes of [`Memory::bytes`](crate::Memory::bytes).
    pub bytes: usize,
    /// Entries of [`Memory::entries`](crate::Memory::entries).
    pub entries: usize,
    /// States of [`Memory::disks`](crate::Memory::disks).
    pub disks: usize,
}

impl core::fmt::Display for MemoryNeeds {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { bytes, entries, disks } = self;
        write!(f, "{bytes} bytes of memory, {entries} cache entries and {disks} disk states")
    }
}
