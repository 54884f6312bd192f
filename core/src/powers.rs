//! Division by powers of two: shifts and masks. A 32-bit machine has no instruction that divides 64 bits, and
//! the library's function takes a kilobyte.

/// What is over where `x` is divided by a power of two.
pub(crate) const fn over(x: u64, unit: u64) -> u64 {
    debug_assert!(unit.is_power_of_two());
    x & (unit - 1)
}

/// The multiple of a power of two at `x` or before it.
pub(crate) const fn floor(x: u64, unit: u64) -> u64 {
    x - over(x, unit)
}

/// How many units of a power of two hold `x`.
pub(crate) const fn units(x: u64, unit: u64) -> u64 {
    (x >> unit.trailing_zeros()) + (over(x, unit) != 0) as u64
}

/// The lesser of a number of bytes and of those that are there.
#[expect(clippy::cast_possible_truncation, reason = "it is at most `most`, which is a usize")]
pub(crate) const fn at_most(bytes: u64, most: usize) -> usize {
    if bytes < most as u64 { bytes as usize } else { most }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_divide_as_numbers_do() {
        for x in [0, 1, 511, 512, 513, 4095, 1 << 40, u64::MAX] {
            for unit in [1, 512, 4096, 1 << 63] {
                assert_eq!(over(x, unit), x % unit);
                assert_eq!(floor(x, unit), x / unit * unit);
                assert_eq!(units(x, unit), x.div_ceil(unit));
            }
        }
    }
}
