//! What the loops need of an instruction set.

/// A vector register, one field element in each byte.
///
/// # Safety
/// Every `unsafe` method requires that the CPU has the instructions of the implementing set. All
/// methods are inlined into an entry point that enables them, else each would be a call.
pub(super) trait Vector: Copy {
    /// The width of the register in bytes.
    const BYTES: usize;

    /// What a coefficient becomes before the bytes of a fragment are multiplied by it.
    type Factor: Copy;

    /// Prepares a coefficient.
    fn factor(coefficient: u8) -> Self::Factor;

    /// All elements zero.
    unsafe fn zero() -> Self;

    /// Reads `BYTES` bytes, aligned or not.
    ///
    /// # Safety
    /// They must be readable.
    unsafe fn load(bytes: *const u8) -> Self;

    /// Writes `BYTES` bytes, aligned or not.
    ///
    /// # Safety
    /// They must be writable.
    unsafe fn store(self, bytes: *mut u8);

    /// The sums, element by element.
    unsafe fn add(self, other: Self) -> Self;

    /// Every element times one coefficient.
    unsafe fn times(self, factor: Self::Factor) -> Self;

    /// Every element times 2^`row`, for `row` in 1..=3.
    ///
    /// It is called with values that are constant once the loop over the rows is unrolled.
    unsafe fn times_power(self, row: usize) -> Self;

    /// Asks for the cache line at `bytes`, which may be any address.
    fn prefetch(bytes: *const u8);
}
