//! What the tests share: a slow second implementation, and stripes to try.

use reed_solomon_novelda::{Code, Kernel, Recovery};

/// GF(2^8) by tables of logarithms, the text-book way, which shares no idea with the crate.
pub(crate) struct Field {
    exponential: [u8; 255],
    logarithm: [usize; 256],
}

impl Field {
    pub(crate) fn new() -> Self {
        let mut field = Self { exponential: [0; 255], logarithm: [0; 256] };
        let mut power = 1_u32;
        for exponent in 0..255 {
            field.exponential[exponent] = power as u8;
            field.logarithm[power as usize] = exponent;
            power <<= 1;
            if power > 0xff {
                power ^= 0x11d;
            }
        }
        field
    }

    pub(crate) fn multiply(&self, a: u8, b: u8) -> u8 {
        if a == 0 || b == 0 {
            return 0;
        }
        self.exponential[(self.logarithm[usize::from(a)] + self.logarithm[usize::from(b)]) % 255]
    }

    /// The parity of `data`: row `r` is the sum over `j` of 2^(r * j) times fragment `j`.
    pub(crate) fn encode(&self, data: &[Vec<u8>], parity: usize) -> Vec<Vec<u8>> {
        let byte = |row, at| {
            data.iter().enumerate().fold(0, |sum, (column, fragment): (usize, &Vec<u8>)| {
                sum ^ self.multiply(self.exponential[row * column % 255], fragment[at])
            })
        };
        (0..parity).map(|row| (0..data[0].len()).map(|at| byte(row, at)).collect()).collect()
    }
}

/// `count` fragments of `length` pseudo-random bytes (SplitMix64).
pub(crate) fn fragments(count: usize, length: usize, seed: u64) -> Vec<Vec<u8>> {
    let mut state = seed;
    let mut byte = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed >> 32) as u8
    };
    (0..count).map(|_| (0..length).map(|_| byte()).collect()).collect()
}

/// What a call left in the output buffers, which are full of something else before.
pub(crate) fn outputs<E>(
    count: usize,
    length: usize,
    run: impl FnOnce(&mut [&mut [u8]]) -> Result<(), E>,
) -> Result<Vec<Vec<u8>>, E> {
    let mut buffers = vec![vec![0xa5; length]; count];
    let mut slices: Vec<&mut [u8]> = buffers.iter_mut().map(Vec::as_mut_slice).collect();
    run(&mut slices)?;
    Ok(buffers)
}

pub(crate) fn slices(fragments: &[Vec<u8>]) -> Vec<&[u8]> {
    fragments.iter().map(Vec::as_slice).collect()
}

pub(crate) fn encode(kernel: Kernel, code: Code, data: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let length = data[0].len();
    outputs(code.parity(), length, |parity| code.encode_with(kernel, &slices(data), parity)).unwrap()
}

pub(crate) fn run(kernel: Kernel, recovery: &Recovery, inputs: &[&[u8]], wanted: usize) -> Vec<Vec<u8>> {
    outputs(wanted, inputs[0].len(), |outputs| recovery.run_with(kernel, inputs, outputs)).unwrap()
}

/// Recovers `wanted` from `survivors` with every kernel and compares with `stripe`, all fragments.
pub(crate) fn check_recovery(code: Code, stripe: &[Vec<u8>], survivors: &[u8], wanted: &[u8]) {
    let recovery = code.recovery(survivors, wanted).unwrap();
    let pick = |numbers: &[u8]| numbers.iter().map(|&n| stripe[usize::from(n)].as_slice()).collect();
    let (inputs, expected): (Vec<&[u8]>, Vec<&[u8]>) = (pick(survivors), pick(wanted));
    for kernel in Kernel::available() {
        let actual = run(kernel, &recovery, &inputs, wanted.len());
        assert_eq!(actual, expected, "{} {code:?} {survivors:?} -> {wanted:?}", kernel.name());
    }
}

/// Every code, with the parity counts that have any.
pub(crate) fn codes() -> impl Iterator<Item = Code> {
    (1..=16).flat_map(|k| (0..=4).map(move |m| Code::new(k, m).unwrap()))
}
