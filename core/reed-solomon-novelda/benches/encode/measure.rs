//! Buffers and stopwatch.

use std::time::{Duration, Instant};

/// What one timed batch should last: long against the clock's resolution, short against the
/// machine's moods.
const BATCH: Duration = Duration::from_micros(300);

/// Fresh buffers for each: where the kernel puts the pages matters as much as the code.
const ALLOCATIONS: usize = 5;

/// Batches of each contestant for each allocation.
const ROUNDS: usize = 9;

/// Fragments start at a page, as buffers for block devices do.
const ALIGNMENT: usize = 4096;

/// Equally long fragments.
pub(crate) struct Fragments {
    buffers: Vec<Vec<u8>>,
    length: usize,
}

impl Fragments {
    /// `count` fragments of `length` pseudo-random bytes (SplitMix64).
    pub(crate) fn new(count: usize, length: usize) -> Self {
        let mut state = 0_u64;
        let mut byte = || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            (mixed >> 32) as u8
        };
        let mut buffer = || (0..length + ALIGNMENT).map(|_| byte()).collect();
        Self { buffers: (0..count).map(|_| buffer()).collect(), length }
    }

    pub(crate) fn shared(&self) -> Vec<&[u8]> {
        self.buffers
            .iter()
            .map(|buffer| &buffer[buffer.as_ptr().align_offset(ALIGNMENT)..][..self.length])
            .collect()
    }

    pub(crate) fn exclusive(&mut self) -> Vec<&mut [u8]> {
        let length = self.length;
        self.buffers
            .iter_mut()
            .map(|buffer| {
                let start = buffer.as_ptr().align_offset(ALIGNMENT);
                &mut buffer[start..][..length]
            })
            .collect()
    }
}

/// A computation of outputs from inputs.
pub(crate) type Contestant<'a> = &'a dyn Fn(&[&[u8]], &mut [&mut [u8]]);

/// The median time of one run of each contestant, in nanoseconds.
///
/// They take turns, on the same buffers, so that a slow moment of the machine meets all of them.
/// `prepare` turns random fragments into the inputs.
///
/// # Panics
/// When two contestants disagree.
pub(crate) fn race<const N: usize>(
    contestants: [Contestant; N],
    prepare: impl Fn() -> Fragments,
    outputs: usize,
) -> [f64; N] {
    let mut samples: [Vec<f64>; N] = std::array::from_fn(|_| Vec::new());
    for _ in 0..ALLOCATIONS {
        let inputs = prepare();
        let inputs = inputs.shared();
        let mut buffers = Fragments::new(outputs, inputs[0].len());
        check_agreement(&contestants, &inputs, &mut buffers);
        let mut outputs = buffers.exclusive();
        let runs = contestants.map(|run| {
            let once = time(run, 1, &inputs, &mut outputs);
            (BATCH.as_nanos() as f64 / once).clamp(1.0, 1e6) as u32
        });
        for _ in 0..ROUNDS {
            for (i, run) in contestants.iter().enumerate() {
                samples[i].push(time(run, runs[i], &inputs, &mut outputs));
            }
        }
    }
    samples.map(median)
}

fn check_agreement(contestants: &[Contestant], inputs: &[&[u8]], buffers: &mut Fragments) {
    let mut results = contestants.iter().map(|run| {
        run(inputs, &mut buffers.exclusive());
        buffers.shared().concat()
    });
    let first = results.next();
    assert!(results.all(|other| Some(other) == first), "the contestants disagree");
}

fn time(run: Contestant, times: u32, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) -> f64 {
    let start = Instant::now();
    for _ in 0..times {
        run(std::hint::black_box(inputs), std::hint::black_box(outputs));
    }
    start.elapsed().as_nanos() as f64 / f64::from(times)
}

fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}
