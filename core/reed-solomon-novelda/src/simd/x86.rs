//! x86-64: GFNI on 512 and on 256 bits, and plain AVX2.

use core::arch::x86_64::*;
use std::is_x86_feature_detected;

use super::loops;
use super::nibbles::{NIBBLES, Nibbles, OVERFLOW};
use super::vector::Vector;
use crate::field::multiply;
use crate::recovery::Coefficients;
use crate::shape::Stripe;

/// An instruction set that this CPU has: the values come from [`InstructionSet::available`] alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct InstructionSet(Set);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Set {
    Gfni512,
    Gfni256,
    Avx2,
}

impl Set {
    /// Asks for exactly the features that the entry points enable. The standard library asks the
    /// CPU once and keeps the answer.
    fn is_available(self) -> bool {
        match self {
            Self::Gfni512 => is_x86_feature_detected!("gfni") && is_x86_feature_detected!("avx512f"),
            Self::Gfni256 => is_x86_feature_detected!("gfni") && is_x86_feature_detected!("avx2"),
            Self::Avx2 => is_x86_feature_detected!("avx2"),
        }
    }
}

impl InstructionSet {
    /// Those of this CPU, the fastest first.
    pub(crate) fn available() -> impl Iterator<Item = Self> {
        [Set::Gfni512, Set::Gfni256, Set::Avx2].into_iter().filter(|set| set.is_available()).map(Self)
    }

    pub(crate) const fn name(self) -> &'static str {
        match self.0 {
            Set::Gfni512 => "gfni512",
            Set::Gfni256 => "gfni256",
            Set::Avx2 => "avx2",
        }
    }

    /// See [`Kernel::encode`](crate::Kernel::encode).
    pub(crate) fn encode(self, stripe: Stripe) {
        // SAFETY: the value exists, so the CPU has the features.
        unsafe {
            match self.0 {
                Set::Gfni512 => encode_gfni512(stripe),
                Set::Gfni256 => encode_gfni256(stripe),
                Set::Avx2 => encode_avx2(stripe),
            }
        }
    }

    /// See [`Kernel::combine`](crate::Kernel::combine).
    pub(crate) fn combine(self, rows: &Coefficients, stripe: Stripe) {
        // SAFETY: the value exists, so the CPU has the features.
        unsafe {
            match self.0 {
                Set::Gfni512 => combine_gfni512(rows, stripe),
                Set::Gfni256 => combine_gfni256(rows, stripe),
                Set::Avx2 => combine_avx2(rows, stripe),
            }
        }
    }
}

// The entry points. The numbers are the vectors of each output in a block, for one to four outputs. They are
// the fastest measured ones that fit the registers.

#[target_feature(enable = "gfni,avx512f")]
fn encode_gfni512(stripe: Stripe) {
    // SAFETY: the instructions of the vector are enabled here.
    unsafe { loops::encode::<Gfni512, 3, 4, 4, 4>(stripe) }
}

#[target_feature(enable = "gfni,avx512f")]
fn combine_gfni512(rows: &Coefficients, stripe: Stripe) {
    // SAFETY: the instructions of the vector are enabled here.
    unsafe { loops::combine::<Gfni512, 3, 3, 4, 4>(rows, stripe) }
}

#[target_feature(enable = "gfni,avx2")]
fn encode_gfni256(stripe: Stripe) {
    // SAFETY: the instructions of the vector are enabled here.
    unsafe { loops::encode::<Gfni256, 6, 6, 4, 3>(stripe) }
}

#[target_feature(enable = "gfni,avx2")]
fn combine_gfni256(rows: &Coefficients, stripe: Stripe) {
    // SAFETY: the instructions of the vector are enabled here.
    unsafe { loops::combine::<Gfni256, 6, 6, 3, 2>(rows, stripe) }
}

#[target_feature(enable = "avx2")]
fn encode_avx2(stripe: Stripe) {
    // SAFETY: the instructions of the vector are enabled here.
    unsafe { loops::encode::<Avx2, 6, 6, 4, 3>(stripe) }
}

#[target_feature(enable = "avx2")]
fn combine_avx2(rows: &Coefficients, stripe: Stripe) {
    // SAFETY: the instructions of the vector are enabled here.
    unsafe { loops::combine::<Avx2, 6, 6, 3, 2>(rows, stripe) }
}

/// The matrix of `gf2p8affineqb` for each coefficient, 2 KiB.
///
/// GFNI's own multiplication has the polynomial 0x11b built in. But its affine transformation takes any 8 x 8
/// matrix of bits, and a product by a constant is linear. As in ISA-L.
static MATRICES: [u64; 256] = {
    let mut matrices = [0; 256];
    let mut coefficient = 0;
    while coefficient < 256 {
        matrices[coefficient] = matrix(coefficient as u8);
        coefficient += 1;
    }
    matrices
};

/// Byte `7 - i` of the matrix selects the input bits whose sum is output bit `i`.
const fn matrix(coefficient: u8) -> u64 {
    let mut rows = 0;
    let mut input = 0;
    while input < 8 {
        let product = multiply(coefficient, 1 << input) as u64;
        let mut output = 0;
        while output < 8 {
            rows |= ((product >> output) & 1) << (8 * (7 - output) + input);
            output += 1;
        }
        input += 1;
    }
    rows
}

/// 64 bytes, multiplied by GFNI.
#[derive(Clone, Copy)]
struct Gfni512(__m512i);

impl Vector for Gfni512 {
    const BYTES: usize = 64;
    type Factor = i64;

    #[inline(always)]
    fn factor(coefficient: u8) -> i64 {
        MATRICES[usize::from(coefficient)] as i64
    }

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: the caller has AVX-512F.
        Self(unsafe { _mm512_setzero_si512() })
    }

    #[inline(always)]
    unsafe fn load(bytes: *const u8) -> Self {
        // SAFETY: the caller has AVX-512F, and the bytes are readable.
        Self(unsafe { _mm512_loadu_si512(bytes.cast()) })
    }

    #[inline(always)]
    unsafe fn store(self, bytes: *mut u8) {
        // SAFETY: the caller has AVX-512F, and the bytes are writable.
        unsafe { _mm512_storeu_si512(bytes.cast(), self.0) }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: the caller has AVX-512F.
        Self(unsafe { _mm512_xor_si512(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn times(self, factor: i64) -> Self {
        // SAFETY: the caller has AVX-512F and GFNI.
        Self(unsafe { _mm512_gf2p8affine_epi64_epi8::<0>(self.0, _mm512_set1_epi64(factor)) })
    }

    #[inline(always)]
    unsafe fn times_power(self, row: usize) -> Self {
        // SAFETY: the caller has AVX-512F and GFNI.
        unsafe { self.times(Self::factor(1 << row)) }
    }

    #[inline(always)]
    fn prefetch(bytes: *const u8) {
        prefetch(bytes);
    }
}

/// 32 bytes, multiplied by GFNI.
#[derive(Clone, Copy)]
struct Gfni256(Avx2);

impl Vector for Gfni256 {
    const BYTES: usize = 32;
    type Factor = i64;

    #[inline(always)]
    fn factor(coefficient: u8) -> i64 {
        MATRICES[usize::from(coefficient)] as i64
    }

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: the caller has AVX2.
        Self(unsafe { Avx2::zero() })
    }

    #[inline(always)]
    unsafe fn load(bytes: *const u8) -> Self {
        // SAFETY: the caller has AVX2, and the bytes are readable.
        Self(unsafe { Avx2::load(bytes) })
    }

    #[inline(always)]
    unsafe fn store(self, bytes: *mut u8) {
        // SAFETY: the caller has AVX2, and the bytes are writable.
        unsafe { self.0.store(bytes) }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: the caller has AVX2.
        Self(unsafe { self.0.add(other.0) })
    }

    #[inline(always)]
    unsafe fn times(self, factor: i64) -> Self {
        // SAFETY: the caller has AVX2 and GFNI.
        let product = unsafe { _mm256_gf2p8affine_epi64_epi8::<0>(self.0.0, _mm256_set1_epi64x(factor)) };
        Self(Avx2(product))
    }

    #[inline(always)]
    unsafe fn times_power(self, row: usize) -> Self {
        // SAFETY: the caller has AVX2 and GFNI.
        unsafe { self.times(Self::factor(1 << row)) }
    }

    #[inline(always)]
    fn prefetch(bytes: *const u8) {
        prefetch(bytes);
    }
}

/// 32 bytes, multiplied by shuffles.
#[derive(Clone, Copy)]
struct Avx2(__m256i);

impl Vector for Avx2 {
    const BYTES: usize = 32;
    type Factor = &'static Nibbles;

    #[inline(always)]
    fn factor(coefficient: u8) -> &'static Nibbles {
        &NIBBLES[usize::from(coefficient)]
    }

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: the caller has AVX2.
        Self(unsafe { _mm256_setzero_si256() })
    }

    #[inline(always)]
    unsafe fn load(bytes: *const u8) -> Self {
        // SAFETY: the caller has AVX2, and the bytes are readable.
        Self(unsafe { _mm256_loadu_si256(bytes.cast()) })
    }

    #[inline(always)]
    unsafe fn store(self, bytes: *mut u8) {
        // SAFETY: the caller has AVX2, and the bytes are writable.
        unsafe { _mm256_storeu_si256(bytes.cast(), self.0) }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: the caller has AVX2.
        Self(unsafe { _mm256_xor_si256(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn times(self, factor: &'static Nibbles) -> Self {
        // SAFETY: the caller has AVX2.
        unsafe {
            let mask = _mm256_set1_epi8(0x0f);
            let low = _mm256_and_si256(self.0, mask);
            let high = _mm256_and_si256(_mm256_srli_epi16::<4>(self.0), mask);
            let low = _mm256_shuffle_epi8(both_lanes(&factor.low), low);
            let high = _mm256_shuffle_epi8(both_lanes(&factor.high), high);
            Self(_mm256_xor_si256(low, high))
        }
    }

    #[inline(always)]
    unsafe fn times_power(self, row: usize) -> Self {
        // SAFETY: the caller has AVX2.
        unsafe {
            match row {
                1 => self.double(),
                2 => self.shift::<2, 6>(),
                _ => self.shift::<3, 5>(),
            }
        }
    }

    #[inline(always)]
    fn prefetch(bytes: *const u8) {
        prefetch(bytes);
    }
}

impl Avx2 {
    /// Every element times 2: a byte is negative when a bit is about to leave it.
    ///
    /// # Safety
    /// The CPU must have AVX2.
    #[inline(always)]
    unsafe fn double(self) -> Self {
        // SAFETY: as the caller promises.
        unsafe {
            let overflowing = _mm256_cmpgt_epi8(_mm256_setzero_si256(), self.0);
            let reductions = _mm256_and_si256(overflowing, _mm256_set1_epi8(OVERFLOW[1] as i8));
            Self(_mm256_xor_si256(_mm256_add_epi8(self.0, self.0), reductions))
        }
    }

    /// Every element times 2^`LEFT`; `RIGHT` is 8 - `LEFT`.
    ///
    /// # Safety
    /// The CPU must have AVX2.
    #[inline(always)]
    unsafe fn shift<const LEFT: i32, const RIGHT: i32>(self) -> Self {
        // SAFETY: as the caller promises.
        unsafe {
            // There are no shifts of bytes: what crosses from the neighbour is masked out.
            let kept = _mm256_set1_epi8((0xff << LEFT) as u8 as i8);
            let shifted = _mm256_and_si256(_mm256_slli_epi16::<LEFT>(self.0), kept);
            let overflow = _mm256_andnot_si256(kept, _mm256_srli_epi16::<RIGHT>(self.0));
            Self(_mm256_xor_si256(shifted, _mm256_shuffle_epi8(both_lanes(&OVERFLOW), overflow)))
        }
    }
}

/// The table in both halves of a register, where AVX2's shuffle wants it.
///
/// # Safety
/// The CPU must have AVX2.
#[inline(always)]
unsafe fn both_lanes(table: &[u8; 16]) -> __m256i {
    // SAFETY: the caller has AVX2, and 16 bytes are readable.
    unsafe { _mm256_broadcastsi128_si256(_mm_loadu_si128(table.as_ptr().cast())) }
}

#[inline(always)]
fn prefetch(bytes: *const u8) {
    // SAFETY: every x86-64 has the instruction, and it never faults.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(bytes.cast()) }
}
