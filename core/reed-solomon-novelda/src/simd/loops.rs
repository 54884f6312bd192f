//! The two inner loops, for any instruction set.
//!
//! Both keep a block of every output in registers while the inputs pass by once: `U` vectors of each of `M`
//! outputs. Every instruction set chooses `U` for each `M`. More of it hides latency, until the registers are
//! used up. Steps of more than three or four cache lines get less out of the second-level cache. The rest
//! after the last whole block is done one vector at a time. The last vector ends where the fragments end and
//! overlaps the one before it. Some bytes are then written twice, with the same value.
//!
//! Stores are ordinary ones. Non-temporal stores gain a fifth on fragments of 1 MiB, but parity is
//! checksummed next, and would have to come back from memory for that.

use super::vector::Vector;
use crate::code::DATA_MAX;
use crate::portable;
use crate::recovery::Coefficients;
use crate::shape::Stripe;

/// How far apart prefetches are: the smallest cache line of the CPUs at hand.
const LINE_BYTES: usize = 64;

/// The loop behind [`Kernel::encode`](crate::Kernel::encode).
///
/// # Safety
/// The CPU must have the instructions of `V`.
#[inline(always)]
pub(super) unsafe fn encode<V: Vector, const U1: usize, const U2: usize, const U3: usize, const U4: usize>(
    stripe: Stripe,
) {
    let (data, parity) = stripe.split();
    let length = data.first().map_or(0, |fragment| fragment.len());
    if length < V::BYTES {
        return portable::encode(data, parity);
    }
    // SAFETY: as the caller promises; the length is that of a stripe, and not less than a vector.
    unsafe {
        match parity.len() {
            0 => {}
            1 => encode_rows::<V, 1, U1>(data, parity, length),
            2 => encode_rows::<V, 2, U2>(data, parity, length),
            3 => encode_rows::<V, 3, U3>(data, parity, length),
            _ => encode_rows::<V, 4, U4>(data, parity, length),
        }
    }
}

/// # Safety
/// The CPU must have the instructions of `V`; all fragments must have `length` bytes, which is not
/// less than one vector.
#[inline(always)]
unsafe fn encode_rows<V: Vector, const M: usize, const U: usize>(
    data: &[&[u8]],
    parity: &mut [&mut [u8]],
    length: usize,
) {
    let parity: [*mut u8; M] = core::array::from_fn(|row| parity[row].as_mut_ptr());
    let mut at = 0;
    while at + U * V::BYTES <= length {
        // SAFETY: the block ends inside the fragments, by the condition of the loop.
        unsafe { encode_block::<V, M, U>(data, parity, at) };
        at += U * V::BYTES;
    }
    while at < length {
        // SAFETY: the vector ends with the fragments or before; they are not shorter than it.
        unsafe { encode_block::<V, M, 1>(data, parity, at.min(length - V::BYTES)) };
        at += V::BYTES;
    }
}

/// Computes the bytes of all `parity` at `at`, by Horner's rule: row `r` is the polynomial with
/// the data fragments as coefficients, at 2^`r`.
///
/// # Safety
/// The CPU must have the instructions of `V`; `U` vectors from `at` on must lie in every fragment.
#[inline(always)]
unsafe fn encode_block<V: Vector, const M: usize, const U: usize>(
    data: &[&[u8]],
    parity: [*mut u8; M],
    at: usize,
) {
    // SAFETY: as the caller promises.
    unsafe {
        let mut sums = [[V::zero(); U]; M];
        for fragment in data.iter().rev() {
            let bytes = fragment.as_ptr().add(at);
            for unit in 0..U {
                let input = V::load(bytes.add(unit * V::BYTES));
                sums[0][unit] = sums[0][unit].add(input);
                for (row, sum) in sums.iter_mut().enumerate().skip(1) {
                    sum[unit] = sum[unit].times_power(row).add(input);
                }
            }
        }
        store(sums, parity, at);
    }
}

/// The loop behind [`Kernel::combine`](crate::Kernel::combine).
///
/// # Safety
/// The CPU must have the instructions of `V`.
#[inline(always)]
pub(super) unsafe fn combine<
    V: Vector,
    const U1: usize,
    const U2: usize,
    const U3: usize,
    const U4: usize,
>(
    rows: &Coefficients,
    stripe: Stripe,
) {
    let (inputs, outputs) = stripe.split();
    let length = inputs.first().map_or(0, |fragment| fragment.len());
    if length < V::BYTES {
        return portable::combine(rows, inputs, outputs);
    }
    // SAFETY: as the caller promises; the length is that of a stripe, and not less than a vector.
    unsafe {
        match outputs.len() {
            0 => {}
            1 => combine_rows::<V, 1, U1>(rows, inputs, outputs, length),
            2 => combine_rows::<V, 2, U2>(rows, inputs, outputs, length),
            3 => combine_rows::<V, 3, U3>(rows, inputs, outputs, length),
            _ => combine_rows::<V, 4, U4>(rows, inputs, outputs, length),
        }
    }
}

/// # Safety
/// The CPU must have the instructions of `V`; all fragments must have `length` bytes, which is not
/// less than one vector.
#[inline(always)]
unsafe fn combine_rows<V: Vector, const M: usize, const U: usize>(
    rows: &Coefficients,
    inputs: &[&[u8]],
    outputs: &mut [&mut [u8]],
    length: usize,
) {
    let factors: [[V::Factor; M]; DATA_MAX] =
        core::array::from_fn(|column| core::array::from_fn(|row| V::factor(rows[row][column])));
    let outputs: [*mut u8; M] = core::array::from_fn(|row| outputs[row].as_mut_ptr());
    let mut at = 0;
    while at + U * V::BYTES <= length {
        // SAFETY: the block ends inside the fragments, by the condition of the loop.
        unsafe { combine_block::<V, M, U>(&factors, inputs, outputs, at) };
        at += U * V::BYTES;
    }
    while at < length {
        // SAFETY: the vector ends with the fragments or before; they are not shorter than it.
        unsafe { combine_block::<V, M, 1>(&factors, inputs, outputs, at.min(length - V::BYTES)) };
        at += V::BYTES;
    }
}

/// Computes the bytes of all `outputs` at `at`: row by row the sum of the inputs times factors.
///
/// With more than one output, a CPU looks ahead by one block at most, so the next block of each input is
/// prefetched. With one output that would only cost time.
///
/// # Safety
/// The CPU must have the instructions of `V`; `U` vectors from `at` on must lie in every fragment.
#[inline(always)]
unsafe fn combine_block<V: Vector, const M: usize, const U: usize>(
    factors: &[[V::Factor; M]; DATA_MAX],
    inputs: &[&[u8]],
    outputs: [*mut u8; M],
    at: usize,
) {
    // SAFETY: as the caller promises.
    unsafe {
        let mut sums = [[V::zero(); U]; M];
        for (fragment, factors) in inputs.iter().zip(factors) {
            let bytes = fragment.as_ptr().add(at);
            for unit in 0..U {
                if M > 1 && unit * V::BYTES % LINE_BYTES == 0 {
                    V::prefetch(bytes.wrapping_add((U + unit) * V::BYTES));
                }
                let input = V::load(bytes.add(unit * V::BYTES));
                for (sum, &factor) in sums.iter_mut().zip(factors) {
                    sum[unit] = sum[unit].add(input.times(factor));
                }
            }
        }
        store(sums, outputs, at);
    }
}

/// # Safety
/// The CPU must have the instructions of `V`; `U` vectors from `at` on must lie in every output.
#[inline(always)]
unsafe fn store<V: Vector, const M: usize, const U: usize>(
    sums: [[V; U]; M],
    outputs: [*mut u8; M],
    at: usize,
) {
    for (row, output) in sums.into_iter().zip(outputs) {
        for (unit, sum) in row.into_iter().enumerate() {
            // SAFETY: as the caller promises.
            unsafe { sum.store(output.add(at + unit * V::BYTES)) };
        }
    }
}
