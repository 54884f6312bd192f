//! An extent's record: where its fragments are, and the checksums of their chunks.
//!
//! ```text
//! header | k+m addresses | births of healed fragments | checksums, chunk column by chunk column
//! ```
//! One of encoded contents, which this version does not write, has an [`ExtentEncoding`] behind the header.
//!
//! A record longer than a value goes on under the next keys, each piece as long as a value may be. The checksums of
//! column `c` are those of chunk `c` of each fragment; where `k == 1` all fragments are equal and there is one.

use super::field::{Stored, U48, layout};
use crate::limits::FRAGMENTS_MAX;
use crate::powers::units;
use crate::types::{BlockAddress, Column, FragmentIndex, Generation, Scheme, Uuid};

layout! {
    /// The fixed part of an extent's record (kind 20).
    ExtentHeader, 16 bytes {
        /// What else there is to the record: 0 for what this version writes. Bit 0: an [`ExtentEncoding`] follows the header.
        flags / set_flags: u8 = 0,
        /// Data fragments.
        data / set_data: u8 = 1,
        /// Parity fragments.
        parity / set_parity: u8 = 2,
        /// Data fragments that were asked for.
        asked_data / set_asked_data: u8 = 3,
        /// Parity fragments that were asked for.
        asked_parity / set_asked_parity: u8 = 4,
        /// Fragments that have a birth of their own.
        healed / set_healed: u8 = 5,
        /// Bytes of the object that the extent holds.
        logical / set_logical: u32 = 6,
        /// The generation that wrote the extent.
        birth / set_birth: U48 = 10,
    }
}

layout! {
    /// How an extent's bytes were encoded before they were cut into fragments. Reserved: this version writes none.
    ExtentEncoding, 28 bytes {
        /// The encoding.
        encoding / set_encoding: u8 = 0,
        /// Bytes after encoding: those that the fragments hold.
        stored / set_stored: u32 = 4,
        /// The key that they were encrypted with; 0 for none.
        key_id / set_key_id: u32 = 8,
        /// What proves that they were decrypted with the right key.
        tag / set_tag: Uuid = 12,
    }
}

/// A stored piece of an extent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// The first block, or [`BlockAddress::NONE`] if there was no disk for it.
    pub address: BlockAddress,
    /// The generation that wrote it: younger than the extent's when it was healed.
    pub birth: Generation,
}

/// An extent's record without its checksums.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The scheme it is stored in.
    pub scheme: Scheme,
    /// The scheme that was asked for.
    pub asked: Scheme,
    /// Bytes of the object that it holds.
    pub logical: u32,
    /// The generation that wrote it.
    pub birth: Generation,
    fragments: heapless::Vec<Fragment, FRAGMENTS_MAX>,
}

const HEADER: usize = ExtentHeader::<&[u8]>::BYTES;
/// Bytes of a healed fragment's birth: which one, and when.
const HEALED: usize = 7;
/// Bytes of a checksum.
pub const CRC_BYTES: usize = 4;

/// Bytes of the longest record without its checksums.
pub const EXTENT_BYTES_MAX: usize = HEADER + (8 + HEALED) * FRAGMENTS_MAX;

impl Extent {
    /// A new extent.
    pub fn new(scheme: Scheme, asked: Scheme, logical: u32, birth: Generation) -> Self {
        Self { scheme, asked, logical, birth, fragments: heapless::Vec::new() }
    }

    /// Adds the next fragment, born with the extent. More than the scheme's are not taken.
    pub fn push(&mut self, address: BlockAddress) {
        if self.fragments.len() < self.scheme.width() {
            let taken = self.fragments.push(Fragment { address, birth: self.birth });
            debug_assert!(taken.is_ok(), "a valid scheme is no wider than the limit");
        }
    }

    /// The fragments, data first.
    pub fn fragments(&self) -> &[Fragment] {
        &self.fragments
    }

    /// Puts a healed fragment in the place of a bad one, if there is such a place.
    pub fn heal(&mut self, index: FragmentIndex, address: BlockAddress, birth: Generation) {
        if let Some(fragment) = self.fragments.get_mut(index.0) {
            *fragment = Fragment { address, birth };
        }
    }

    /// Blocks of each fragment.
    pub const fn fragment_blocks(&self, block_shift: u8) -> u32 {
        fragment_blocks(self.logical, self.scheme.data, block_shift)
    }

    /// Bytes of each fragment, whole blocks.
    pub const fn fragment_bytes(&self, block_shift: u8) -> usize {
        (self.fragment_blocks(block_shift) as usize) << block_shift
    }

    /// Chunks of each fragment; the last may be shorter.
    pub const fn columns(&self, block_shift: u8, chunk_shift: u8) -> usize {
        self.fragment_bytes(block_shift).div_ceil(1 << chunk_shift)
    }

    /// Checksums of a column.
    pub const fn crcs_per_column(&self) -> usize {
        if self.scheme.data == 1 { 1 } else { self.scheme.width() }
    }

    /// Where in the record the checksum of this fragment's chunk stands.
    pub fn crc_at(&self, fragment: FragmentIndex, column: Column) -> usize {
        let per_column = self.crcs_per_column();
        let index = column.0 * per_column + if per_column == 1 { 0 } else { fragment.0 };
        self.head_bytes() + CRC_BYTES * index
    }

    fn healed(&self) -> usize {
        self.fragments.iter().filter(|f| f.birth != self.birth).count()
    }

    /// Bytes of the record before the checksums.
    pub fn head_bytes(&self) -> usize {
        HEADER + 8 * self.scheme.width() + HEALED * self.healed()
    }

    /// Bytes of the whole record.
    pub fn record_bytes(&self, block_shift: u8, chunk_shift: u8) -> usize {
        self.head_bytes() + CRC_BYTES * self.columns(block_shift, chunk_shift) * self.crcs_per_column()
    }

    /// Writes what comes before the checksums; returns its bytes.
    #[expect(
        clippy::indexing_slicing,
        clippy::cast_possible_truncation,
        reason = "the caller lends `EXTENT_BYTES_MAX` bytes; a build has at most 20 fragments"
    )]
    pub fn encode(&self, out: &mut [u8]) -> usize {
        let bytes = self.head_bytes();
        out[..bytes].fill(0);
        let mut header = ExtentHeader(&mut out[..HEADER]);
        header.set_data(self.scheme.data);
        header.set_parity(self.scheme.parity);
        header.set_asked_data(self.asked.data);
        header.set_asked_parity(self.asked.parity);
        header.set_healed(self.healed() as u8);
        header.set_logical(self.logical);
        header.set_birth(self.birth.0);
        let mut births = HEADER + 8 * self.scheme.width();
        for (i, fragment) in self.fragments.iter().enumerate() {
            BlockAddress::store(&mut out[HEADER + 8 * i..], fragment.address);
            if fragment.birth != self.birth {
                out[births] = i as u8;
                U48::store(&mut out[births + 1..], fragment.birth.0);
                births += HEALED;
            }
        }
        bytes
    }

    /// Whether a record that begins like this holds contents that this build cannot read. They have an
    /// unknown form, or a stripe wider than the build has room for.
    pub fn is_unsupported(record: &[u8]) -> bool {
        ExtentHeader::new(record).is_some_and(|header| {
            let scheme = Scheme { data: header.data(), parity: header.parity() };
            header.flags() != 0 || scheme.is_valid() && scheme.width() > FRAGMENTS_MAX
        })
    }

    /// Bytes that [`decode`](Self::decode) needs of a record that begins like this, or `None` if it is not one.
    pub fn head_bytes_of(record: &[u8]) -> Option<usize> {
        let header = ExtentHeader::new(record).filter(|header| header.flags() == 0)?;
        let width = usize::from(header.data()) + usize::from(header.parity());
        (width <= FRAGMENTS_MAX && usize::from(header.healed()) <= width)
            .then(|| HEADER + 8 * width + HEALED * usize::from(header.healed()))
    }

    /// Reads what comes before the checksums; `None` if it is not an extent's record or breaks a limit.
    #[expect(
        clippy::indexing_slicing,
        reason = "the bytes were cut to the length that the header gives: addresses, then births"
    )]
    pub fn decode(record: &[u8]) -> Option<Self> {
        let bytes = Self::head_bytes_of(record)?;
        let record = record.get(..bytes)?;
        let header = ExtentHeader(record);
        let scheme = Scheme { data: header.data(), parity: header.parity() };
        let asked = Scheme { data: header.asked_data(), parity: header.asked_parity() };
        let logical = header.logical();
        let valid = scheme.is_valid()
            && asked.is_valid()
            && logical > 0
            && u64::from(logical) <= crate::limits::EXTENT_BYTES_MAX;
        if !valid {
            return None;
        }
        let mut extent = Self::new(scheme, asked, logical, Generation(header.birth()));
        for i in 0..scheme.width() {
            extent.push(BlockAddress::load(&record[HEADER + 8 * i..]));
        }
        for healed in record[HEADER + 8 * scheme.width()..].chunks_exact(HEALED) {
            extent.fragments.get_mut(usize::from(healed[0]))?.birth = Generation(U48::load(&healed[1..]));
        }
        // A fragment that claims the extent's own birth twice would change the record's length on the next write.
        (extent.head_bytes() == bytes).then_some(extent)
    }
}

/// Blocks of each of `data` fragments that hold `logical` bytes; where there are none, of one.
#[expect(
    clippy::cast_possible_truncation,
    reason = "there are no more blocks than bytes, which have 32 bits"
)]
pub const fn fragment_blocks(logical: u32, data: u8, block_shift: u8) -> u32 {
    let data = if data == 0 { 1 } else { data as u32 };
    units(logical.div_ceil(data) as u64, 1 << block_shift) as u32
}

/// The number of data fragments that `logical` bytes really need: no fragment is empty.
#[expect(
    clippy::cast_possible_truncation,
    reason = "compared with 32 bits; as many fragments of these bytes as hold all are `data` at most"
)]
pub const fn data_fragments(logical: u32, data: u8, block_shift: u8) -> u8 {
    let bytes = (fragment_blocks(logical, data, block_shift) as u64) << block_shift;
    // More than there can be hold all of them.
    let bytes = if bytes > u32::MAX as u64 { u32::MAX } else { bytes as u32 };
    if bytes == 0 { 1 } else { logical.div_ceil(bytes) as u8 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::MemberNumber;

    fn extent() -> Extent {
        let scheme = Scheme { data: 4, parity: 2 };
        let mut extent = Extent::new(scheme, scheme, 1 << 20, Generation(5));
        for n in 0..6 {
            extent.push(BlockAddress { member: MemberNumber(n), block: 100 * u64::from(n) });
        }
        extent
    }

    #[test]
    fn a_record_survives_and_grows_with_healed_fragments() {
        let mut out = [0; EXTENT_BYTES_MAX];
        let mut extent = extent();
        assert_eq!(extent.encode(&mut out), 16 + 48);
        extent.heal(FragmentIndex(3), BlockAddress { member: MemberNumber(9), block: 77 }, Generation(8));
        let bytes = extent.encode(&mut out);
        assert_eq!(bytes, 16 + 48 + 7);
        assert_eq!(Extent::decode(&out[..bytes]), Some(extent.clone()));
        assert_eq!(Extent::decode(&out[..bytes - 1]), None);
        assert_eq!(extent.columns(12, 12), 64);
        assert_eq!(extent.record_bytes(12, 12), bytes + 4 * 6 * 64);
    }

    #[test]
    fn a_record_in_a_form_that_is_not_known_is_none() {
        let mut out = [0; EXTENT_BYTES_MAX];
        let bytes = extent().encode(&mut out);
        assert!(!Extent::is_unsupported(&out));
        for bit in 0..8 {
            out[0] = 1 << bit;
            assert!(Extent::is_unsupported(&out));
            assert_eq!((Extent::decode(&out[..bytes]), Extent::head_bytes_of(&out)), (None, None));
        }
    }

    #[test]
    fn short_extents_use_fewer_data_fragments() {
        assert_eq!(data_fragments(1, 4, 12), 1);
        assert_eq!(data_fragments(4096, 4, 12), 1);
        assert_eq!(data_fragments(4097, 4, 12), 2);
        assert_eq!(data_fragments(5 * 4096, 4, 12), 3);
        assert_eq!(data_fragments(1 << 20, 4, 12), 4);
        assert_eq!(fragment_blocks(5 * 4096, 4, 12), 2);
    }
}
