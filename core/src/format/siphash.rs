//! SipHash-1-3: a short-input hash with a key, by Aumasson and Bernstein ("SipHash: a fast short-input PRF",
//! 2012).
//!
//! Of our own, because the crate that keeps a half-filled block between two calls takes 700 bytes of flash,
//! this 300. The tests hold it against that crate.

/// One round.
fn round(v: &mut [u64; 4]) {
    let [a, b, c, d] = v;
    *a = a.wrapping_add(*b);
    *c = c.wrapping_add(*d);
    *b = b.rotate_left(13) ^ *a;
    *d = d.rotate_left(16) ^ *c;
    *a = a.rotate_left(32).wrapping_add(*d);
    *c = c.wrapping_add(*b);
    *b = b.rotate_left(17) ^ *c;
    *d = d.rotate_left(21) ^ *a;
    *c = c.rotate_left(32);
}

/// The hash of these bytes under a key.
#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "the rest is shorter than a word; key halves, and the length modulo 256, as the hash has it"
)]
pub(super) fn siphash(key: &[u8; 16], bytes: &[u8]) -> u64 {
    let key = u128::from_le_bytes(*key);
    let (low, high) = (key as u64, (key >> 64) as u64);
    let mut v = [
        low ^ 0x736f_6d65_7073_6575,
        high ^ 0x646f_7261_6e64_6f6d,
        low ^ 0x6c79_6765_6e65_7261,
        high ^ 0x7465_6462_7974_6573,
    ];
    let mut take = |word: u64| {
        v[3] ^= word;
        round(&mut v);
        v[0] ^= word;
    };
    let (words, rest) = bytes.as_chunks();
    words.iter().for_each(|word| take(u64::from_le_bytes(*word)));
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    last[7] = bytes.len() as u8;
    take(u64::from_le_bytes(last));
    v[2] ^= 0xFF;
    (0..3).for_each(|_| round(&mut v));
    v[0] ^ v[1] ^ v[2] ^ v[3]
}

#[cfg(test)]
mod tests {
    use super::siphash;
    use core::hash::Hasher;
    use siphasher::sip::SipHasher13;

    #[test]
    fn it_is_what_the_crate_computes() {
        let key = core::array::from_fn(|i| i as u8 * 17);
        let bytes: [u8; 300] = core::array::from_fn(|i| (i * 31) as u8);
        for length in 0..bytes.len() {
            let mut reference = SipHasher13::new_with_key(&key);
            reference.write(&bytes[..length]);
            assert_eq!(siphash(&key, &bytes[..length]), reference.finish(), "{length}");
        }
    }
}
