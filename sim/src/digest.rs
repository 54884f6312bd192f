//! Digests of bytes and words: quick, and the same on every machine.

use crate::rng::{GOLDEN_RATIO, splitmix64};

/// A digest of bytes: four interleaved chains of multiply and rotate, since one would wait for its own
/// multiplier.
pub(crate) fn digest(bytes: &[u8]) -> u64 {
    let word = |bytes: &[u8]| {
        let mut word = [0; 8];
        word[..bytes.len()].copy_from_slice(bytes);
        u64::from_le_bytes(word)
    };
    let mut lanes = [1_u64, 2, 3, 4];
    let mut blocks = bytes.chunks_exact(32);
    for block in &mut blocks {
        for (lane, bytes) in lanes.iter_mut().zip(block.as_chunks::<8>().0) {
            *lane = (*lane ^ u64::from_le_bytes(*bytes)).wrapping_mul(GOLDEN_RATIO).rotate_left(29);
        }
    }
    let start = blocks.remainder().chunks(8).map(word).fold(bytes.len() as u64, fold);
    lanes.into_iter().fold(start, fold)
}

/// A hash and one word more.
pub(crate) const fn fold(hash: u64, word: u64) -> u64 {
    splitmix64(hash.rotate_left(23) ^ word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_and_the_length_count() {
        let bytes: Vec<u8> = (0..77).collect();
        let whole = digest(&bytes);
        for index in 0..bytes.len() {
            let mut other = bytes.clone();
            other[index] ^= 1;
            assert_ne!(digest(&other), whole, "byte {index}");
        }
        assert_ne!(digest(&[0; 8]), digest(&[0; 9]));
        assert_ne!(digest(&[]), digest(&[0; 32]));
    }
}
