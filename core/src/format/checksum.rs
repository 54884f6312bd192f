//! CRC-32C in software: what firmware uses, and what every faster function must equal.

use crc::{CRC_32_ISCSI, Crc, NoTable, Table};

static CRC: Crc<u32, Table<1>> = Crc::<u32, Table<1>>::new(&CRC_32_ISCSI);

/// CRC-32C of `bytes`, going on from `crc` (0 at the beginning). One table of 1 KiB.
///
/// ```
/// use dynamicfs_core::crc32c;
/// assert_eq!(crc32c(0, b"123456789"), 0xE306_9283);
/// assert_eq!(crc32c(crc32c(0, b"1234"), b"56789"), crc32c(0, b"123456789"));
/// ```
pub fn crc32c(crc: u32, bytes: &[u8]) -> u32 {
    // The crate's initial value is reflected before use; a finished checksum is undone by the final inversion.
    let mut digest = CRC.digest_with_initial((!crc).reverse_bits());
    digest.update(bytes);
    digest.finalize()
}

/// The same without a table, for boards that are short of flash: 1 KiB less, and about five times the time.
pub fn crc32c_small(crc: u32, bytes: &[u8]) -> u32 {
    static SMALL: Crc<u32, NoTable> = Crc::<u32, NoTable>::new(&CRC_32_ISCSI);
    let mut digest = SMALL.digest_with_initial((!crc).reverse_bits());
    digest.update(bytes);
    digest.finalize()
}

#[cfg(test)]
mod tests {
    use super::{crc32c, crc32c_small};

    #[test]
    fn the_small_one_equals_the_fast_one() {
        assert_eq!(crc32c_small(0, b"123456789"), 0xE306_9283);
        assert_eq!(crc32c_small(crc32c(0, b"1234"), b"56789"), 0xE306_9283);
        assert_eq!((crc32c_small(0, b""), crc32c_small(7, b"")), (0, 7));
    }
}
