//! Every length around the widths of words, vectors and blocks, at every alignment.

use crate::common::{self, Field};
use reed_solomon_novelda::{Code, Kernel};

const CODES: [(u8, u8); 8] = [(1, 2), (2, 1), (3, 2), (4, 2), (8, 3), (10, 4), (16, 4), (5, 0)];

fn codes() -> impl Iterator<Item = Code> {
    CODES.into_iter().map(|(k, m)| Code::new(k, m).unwrap())
}

fn lengths() -> Vec<usize> {
    if cfg!(miri) {
        return vec![0, 1, 7, 8, 63, 64, 65];
    }
    let blocks = [95, 96, 127, 128, 129, 191, 193, 255, 256, 257, 383, 384, 385, 511, 513, 769, 1023, 4099];
    (0..=65).chain(blocks).collect()
}

#[test]
fn every_length_is_encoded() {
    let field = Field::new();
    for code in codes() {
        for length in lengths() {
            let data = common::fragments(code.data(), length, length as u64);
            let expected = field.encode(&data, code.parity());
            for kernel in Kernel::available() {
                let parity = common::encode(kernel, code, &data);
                assert_eq!(parity, expected, "{} {code:?} {length}", kernel.name());
            }
        }
    }
}

/// Data is lost until only parity and the last data are left; and with it, parity.
#[test]
fn every_length_is_recovered() {
    let field = Field::new();
    for code in codes() {
        let (k, m, n) = (code.data() as u8, code.parity() as u8, code.fragments() as u8);
        for length in lengths() {
            let data = common::fragments(code.data(), length, length as u64);
            let parity = field.encode(&data, code.parity());
            let stripe = [data, parity].concat();
            for lost in 0..=m {
                let survivors: Vec<u8> = (lost..n).take(code.data()).collect();
                let wanted: Vec<u8> = (0..lost).chain(lost + k..n).collect();
                common::check_recovery(code, &stripe, &survivors, &wanted);
            }
        }
    }
}

/// Fragments at odd addresses, each at another distance from alignment, and guarded: a kernel that
/// wrote beyond an output would leave a trace.
#[test]
fn any_alignment_works_and_nothing_else_is_written() {
    const GUARD: u8 = 0xc3;
    const MARGIN: usize = 80;
    let field = Field::new();
    let code = Code::new(5, 4).unwrap();
    let lengths = if cfg!(miri) { vec![65] } else { vec![1, 31, 64, 65, 300, 1000] };
    for length in lengths {
        for shift in 0..if cfg!(miri) { 2 } else { 64 } {
            let data = common::fragments(code.data(), length, shift as u64);
            let expected = field.encode(&data, code.parity());
            let start = |fragment: usize| (shift + 7 * fragment) % 64;
            let place = |fragment: usize, bytes: &[u8]| {
                let mut buffer = vec![GUARD; length + MARGIN];
                buffer[start(fragment)..][..length].copy_from_slice(bytes);
                buffer
            };
            let buffers: Vec<Vec<u8>> = data.iter().enumerate().map(|(j, bytes)| place(j, bytes)).collect();
            let inputs: Vec<&[u8]> =
                buffers.iter().enumerate().map(|(j, buffer)| &buffer[start(j)..][..length]).collect();
            for kernel in Kernel::available() {
                let mut results: Vec<Vec<u8>> =
                    (0..code.parity()).map(|r| place(r, &vec![0; length])).collect();
                let mut outputs: Vec<&mut [u8]> = results
                    .iter_mut()
                    .enumerate()
                    .map(|(r, buffer)| &mut buffer[start(r)..][..length])
                    .collect();
                code.encode_with(kernel, &inputs, &mut outputs).unwrap();
                let expected: Vec<Vec<u8>> =
                    expected.iter().enumerate().map(|(r, row)| place(r, row)).collect();
                assert_eq!(results, expected, "{} {length} bytes, shifted by {shift}", kernel.name());
            }
        }
    }
}
