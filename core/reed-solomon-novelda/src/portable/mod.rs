//! The kernel for every CPU, in safe Rust and without tables.
//!
//! It works on [`Block`]s, and there are two kinds of them. Where every CPU of the target has vector
//! registers, a block is an array of bytes that the compiler spreads over them. Elsewhere it is two
//! words in general registers, with each byte of a word an element of its own (as in H. P. Anvin,
//! "The mathematics of RAID-6"). The steps are spelled out rather than folded over arrays, so that
//! they also become straight code when firmware is optimised for size.

#[cfg(any(target_feature = "sse2", target_feature = "neon"))]
mod bytes;
#[cfg(any(target_feature = "sse2", target_feature = "neon"))]
use bytes::Block;

#[cfg(any(test, not(any(target_feature = "sse2", target_feature = "neon"))))]
mod words;
#[cfg(not(any(target_feature = "sse2", target_feature = "neon")))]
use words::Block;

use crate::code::{DATA_MAX, PARITY_MAX};
use crate::recovery::Coefficients;

/// Computes all whole blocks of some outputs from those of the inputs.
type Compute<'a> = dyn Fn(&[&[u8]], &mut [&mut [u8]]) + 'a;

/// See [`Kernel::encode`](crate::Kernel::encode).
pub(crate) fn encode(data: &[&[u8]], parity: &mut [&mut [u8]]) {
    let encode_blocks = match parity.len() {
        0 => return,
        1 => encode_blocks::<1>,
        2 => encode_blocks::<2>,
        3 => encode_blocks::<3>,
        _ => encode_blocks::<4>,
    };
    encode_blocks(data, parity);
    compute_ends(data, parity, &encode_blocks);
}

/// Computes the first `M` rows of all whole blocks, by Horner's rule: row `r` is the polynomial
/// with the data fragments as coefficients, at 2^`r`.
fn encode_blocks<const M: usize>(data: &[&[u8]], parity: &mut [&mut [u8]]) {
    let Some(parity) = parity.first_chunk_mut::<M>() else { return };
    for index in 0..block_count(parity) {
        let (mut p, mut q, mut r, mut s) = (Block::ZERO, Block::ZERO, Block::ZERO, Block::ZERO);
        for fragment in data.iter().rev() {
            // Every fragment has as many blocks.
            let Some(input) = Block::load(fragment, index) else { return };
            p = p.add(input);
            if M > 1 {
                q = q.double().add(input);
            }
            if M > 2 {
                r = r.double().double().add(input);
            }
            if M > 3 {
                s = s.double().double().double().add(input);
            }
        }
        store_row(p, parity, 0, index);
        store_row(q, parity, 1, index);
        store_row(r, parity, 2, index);
        store_row(s, parity, 3, index);
    }
}

#[inline(always)]
fn store_row<const M: usize>(sum: Block, parity: &mut [&mut [u8]; M], row: usize, index: usize) {
    if let Some(fragment) = parity.get_mut(row) {
        sum.store(fragment, index);
    }
}

/// See [`Kernel::combine`](crate::Kernel::combine).
pub(crate) fn combine(rows: &Coefficients, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
    let combine_blocks = |inputs: &[&[u8]], outputs: &mut [&mut [u8]]| {
        for (row, output) in rows.iter().zip(outputs) {
            combine_row(row, inputs, output);
        }
    };
    combine_blocks(inputs, outputs);
    compute_ends(inputs, outputs, &combine_blocks);
}

/// Computes all whole blocks of one output, by Horner's rule over the bits of its coefficients. So the inputs
/// are doubled seven times together, and not each alone.
fn combine_row(row: &[u8; DATA_MAX], inputs: &[&[u8]], output: &mut [u8]) {
    let planes = bit_planes(row);
    for index in 0..block_count(&[output]) {
        let mut sum = Block::ZERO;
        for mut columns in planes {
            sum = sum.double();
            while let Some(fragment) = inputs.get(columns.trailing_zeros() as usize) {
                let Some(input) = Block::load(fragment, index) else { return };
                sum = sum.add(input);
                columns &= columns - 1;
            }
        }
        sum.store(output, index);
    }
}

/// For each bit of a coefficient, the highest first, the set of columns whose coefficient has it.
fn bit_planes(row: &[u8; DATA_MAX]) -> [u16; 8] {
    let mut planes = [0; 8];
    for (bit, plane) in planes.iter_mut().rev().enumerate() {
        for (column, coefficient) in row.iter().enumerate() {
            *plane |= u16::from((coefficient >> bit) & 1) << column;
        }
    }
    planes
}

/// Computes what lies after the last whole block of the fragments, in copies that zeros fill up to
/// one block.
#[inline(never)]
fn compute_ends(inputs: &[&[u8]], outputs: &mut [&mut [u8]], compute: &Compute) {
    if outputs.first().is_none_or(|first| first.len() % Block::BYTES == 0) {
        return;
    }
    let mut sources = [[0; Block::BYTES]; DATA_MAX];
    for (source, input) in sources.iter_mut().zip(inputs) {
        copy(source, input.as_chunks::<{ Block::BYTES }>().1);
    }
    let mut results = [[0; Block::BYTES]; PARITY_MAX];
    let sources = sources.each_ref().map(|source| &source[..]);
    let mut targets = results.each_mut().map(|result| &mut result[..]);
    if let (Some(sources), Some(targets)) = (sources.get(..inputs.len()), targets.get_mut(..outputs.len())) {
        compute(sources, targets);
    }
    for (output, result) in outputs.iter_mut().zip(&results) {
        copy(output.as_chunks_mut::<{ Block::BYTES }>().1, result);
    }
}

/// Copies as many bytes as both have.
fn copy(to: &mut [u8], from: &[u8]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
}

/// The number of whole blocks in each of the fragments.
fn block_count(fragments: &[&mut [u8]]) -> usize {
    fragments.first().map_or(0, |fragment| fragment.len() / Block::BYTES)
}

impl Block {
    /// The whole block `index` of `fragment`, if it has one.
    #[inline(always)]
    fn load(fragment: &[u8], index: usize) -> Option<Self> {
        fragment.as_chunks().0.get(index).map(Self::from_bytes)
    }

    /// Writes the whole block `index` of `fragment`, if it has one.
    #[inline(always)]
    fn store(self, fragment: &mut [u8], index: usize) {
        if let Some(bytes) = fragment.as_chunks_mut().0.get_mut(index) {
            *bytes = self.to_bytes();
        }
    }
}
