//! The checksum over the sizes that the core uses it for.

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use std_host_shim::crc32c;

const SIZES: [usize; 6] = [16, 64, 512, 4096, 16384, 65536];

fn main() {
    divan::main();
}

#[divan::bench(args = SIZES)]
fn from_nothing(bencher: Bencher, len: usize) {
    let bytes = vec![7; len];
    bencher.counter(BytesCount::new(len)).bench_local(|| crc32c(0, black_box(&bytes)));
}

#[divan::bench(args = SIZES)]
fn going_on(bencher: Bencher, len: usize) {
    let bytes = vec![7; len];
    bencher.counter(BytesCount::new(len)).bench_local(|| crc32c(black_box(1), black_box(&bytes)));
}
