//! An array of bytes for the compiler to vectorise: for targets whose every CPU can.

use core::array;

use crate::field::REDUCTION;

/// One field element in each byte.
///
/// With 64 bytes LLVM makes a vector loop of every step. With 16 or 32 it unrolls the steps before
/// it looks for vectors, and finds none.
#[derive(Clone, Copy)]
pub(super) struct Block([u8; 64]);

impl Block {
    pub(super) const BYTES: usize = 64;
    pub(super) const ZERO: Self = Self([0; Self::BYTES]);

    #[inline(always)]
    pub(super) fn from_bytes(bytes: &[u8; Self::BYTES]) -> Self {
        Self(*bytes)
    }

    #[inline(always)]
    pub(super) fn to_bytes(self) -> [u8; Self::BYTES] {
        self.0
    }

    /// The sums, element by element.
    #[inline(always)]
    pub(super) fn add(self, other: Self) -> Self {
        Self(array::from_fn(|i| self.0[i] ^ other.0[i]))
    }

    /// Every element times 2.
    #[inline(always)]
    pub(super) fn double(self) -> Self {
        // The sign, spread over the byte, says whether a bit is about to leave it.
        Self(self.0.map(|byte| (byte << 1) ^ (((byte as i8) >> 7) as u8 & REDUCTION)))
    }
}
