//! Two words in general registers: for CPUs without vector registers.

use crate::field::REDUCTION;

/// As wide as a register.
type Word = usize;

const WORD_BYTES: usize = size_of::<Word>();

/// One field element in each byte.
///
/// With two words the overhead of visiting a fragment is shared, and on 32-bit ARM the sums of
/// two parity rows still fit the registers.
#[derive(Clone, Copy)]
pub(super) struct Block(Word, Word);

impl Block {
    pub(super) const BYTES: usize = 2 * WORD_BYTES;
    pub(super) const ZERO: Self = Self(0, 0);

    // The byte order does not matter: bytes never mix.
    #[inline(always)]
    pub(super) fn from_bytes(bytes: &[u8; Self::BYTES]) -> Self {
        let (first, second) = bytes.split_at(WORD_BYTES);
        Self(word(first), word(second))
    }

    #[inline(always)]
    pub(super) fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        let (first, second) = bytes.split_at_mut(WORD_BYTES);
        first.copy_from_slice(&self.0.to_ne_bytes());
        second.copy_from_slice(&self.1.to_ne_bytes());
        bytes
    }

    /// The sums, element by element.
    #[inline(always)]
    pub(super) fn add(self, other: Self) -> Self {
        Self(self.0 ^ other.0, self.1 ^ other.1)
    }

    /// Every element times 2.
    #[inline(always)]
    pub(super) fn double(self) -> Self {
        Self(double(self.0), double(self.1))
    }
}

#[inline(always)]
fn word(bytes: &[u8]) -> Word {
    let mut word = [0; WORD_BYTES];
    word.copy_from_slice(bytes);
    Word::from_ne_bytes(word)
}

#[inline(always)]
fn double(word: Word) -> Word {
    const HIGH_BITS: Word = Word::from_ne_bytes([0x80; WORD_BYTES]);
    const REDUCTIONS: Word = Word::from_ne_bytes([REDUCTION; WORD_BYTES]);
    // A byte that overflows is 0x80 here, and 0x80 - 0x01 has all the bits of the reduction.
    let overflowing = word & HIGH_BITS;
    let reductions = (overflowing - (overflowing >> 7)) & REDUCTIONS;
    ((word ^ overflowing) << 1) ^ reductions
}

#[cfg(test)]
mod tests {
    use core::array;

    use super::Block;
    use crate::field;

    /// On most hosts nothing else runs this block: see `portable`.
    #[test]
    fn every_element_is_doubled_and_added_on_its_own() {
        for first in 0..=255_u8 {
            let elements: [u8; Block::BYTES] = array::from_fn(|i| first.wrapping_add(17 * i as u8));
            let doubled = Block::from_bytes(&elements).double();
            assert_eq!(doubled.to_bytes(), elements.map(field::double));
            let sum = Block::ZERO.add(doubled).add(Block::from_bytes(&elements));
            assert_eq!(sum.to_bytes(), elements.map(|element| field::multiply(element, 3)));
        }
    }
}
