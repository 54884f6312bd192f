//! Bytes that cannot be compressed, the same for the same number.

/// Spreads the bits of a number (the finaliser of SplitMix64, by Steele, Lea and Flood).
pub(crate) const fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}
