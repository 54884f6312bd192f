//! AArch64: NEON, which every such CPU with an operating system has.

use core::arch::aarch64::*;
use std::arch::is_aarch64_feature_detected;

use super::loops;
use super::nibbles::{NIBBLES, Nibbles, OVERFLOW};
use super::vector::Vector;
use crate::recovery::Coefficients;
use crate::shape::Stripe;

/// NEON, present on this CPU: the value comes from [`InstructionSet::available`] alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct InstructionSet(());

impl InstructionSet {
    pub(crate) fn available() -> impl Iterator<Item = Self> {
        is_aarch64_feature_detected!("neon").then_some(Self(())).into_iter()
    }

    pub(crate) const fn name(self) -> &'static str {
        "neon"
    }

    /// See [`Kernel::encode`](crate::Kernel::encode).
    pub(crate) fn encode(self, stripe: Stripe) {
        // SAFETY: the value exists, so the CPU has NEON.
        unsafe { encode(stripe) }
    }

    /// See [`Kernel::combine`](crate::Kernel::combine).
    pub(crate) fn combine(self, rows: &Coefficients, stripe: Stripe) {
        // SAFETY: the value exists, so the CPU has NEON.
        unsafe { combine(rows, stripe) }
    }
}

// The entry points. The numbers are the vectors of each output in a block, for one to four outputs:
// as many as the registers hold.

#[target_feature(enable = "neon")]
fn encode(stripe: Stripe) {
    // SAFETY: NEON is enabled here.
    unsafe { loops::encode::<Neon, 6, 6, 6, 6>(stripe) }
}

#[target_feature(enable = "neon")]
fn combine(rows: &Coefficients, stripe: Stripe) {
    // SAFETY: NEON is enabled here.
    unsafe { loops::combine::<Neon, 6, 6, 4, 4>(rows, stripe) }
}

/// 16 bytes, multiplied by table look-ups.
#[derive(Clone, Copy)]
struct Neon(uint8x16_t);

impl Vector for Neon {
    const BYTES: usize = 16;
    type Factor = &'static Nibbles;

    #[inline(always)]
    fn factor(coefficient: u8) -> &'static Nibbles {
        &NIBBLES[usize::from(coefficient)]
    }

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: the caller has NEON.
        Self(unsafe { vdupq_n_u8(0) })
    }

    #[inline(always)]
    unsafe fn load(bytes: *const u8) -> Self {
        // SAFETY: the caller has NEON, and the bytes are readable.
        Self(unsafe { vld1q_u8(bytes) })
    }

    #[inline(always)]
    unsafe fn store(self, bytes: *mut u8) {
        // SAFETY: the caller has NEON, and the bytes are writable.
        unsafe { vst1q_u8(bytes, self.0) }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: the caller has NEON.
        Self(unsafe { veorq_u8(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn times(self, factor: &'static Nibbles) -> Self {
        // SAFETY: the caller has NEON, and both tables are 16 bytes.
        unsafe {
            let low = vandq_u8(self.0, vdupq_n_u8(0x0f));
            let high = vshrq_n_u8::<4>(self.0);
            let low = vqtbl1q_u8(vld1q_u8(factor.low.as_ptr()), low);
            let high = vqtbl1q_u8(vld1q_u8(factor.high.as_ptr()), high);
            Self(veorq_u8(low, high))
        }
    }

    #[inline(always)]
    unsafe fn times_power(self, row: usize) -> Self {
        // SAFETY: the caller has NEON.
        unsafe {
            match row {
                1 => self.shift::<1, 7>(),
                2 => self.shift::<2, 6>(),
                _ => self.shift::<3, 5>(),
            }
        }
    }

    /// Nothing: there is no stable intrinsic for it, and the loop is bound by its look-ups.
    #[inline(always)]
    fn prefetch(_bytes: *const u8) {}
}

impl Neon {
    /// Every element times 2^`LEFT`; `RIGHT` is 8 - `LEFT`.
    ///
    /// # Safety
    /// The CPU must have NEON.
    #[inline(always)]
    unsafe fn shift<const LEFT: i32, const RIGHT: i32>(self) -> Self {
        // SAFETY: the caller has NEON, and the table is 16 bytes.
        unsafe {
            let shifted = vshlq_n_u8::<LEFT>(self.0);
            let overflow = vqtbl1q_u8(vld1q_u8(OVERFLOW.as_ptr()), vshrq_n_u8::<RIGHT>(self.0));
            Self(veorq_u8(shifted, overflow))
        }
    }
}
