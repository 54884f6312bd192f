//! Encoding and recovery against ISA-L, and the portable kernel against `rusty_erasure-core`.
//!
//! `cargo bench --features std`; with `ISAL_LIBRARY=/path/libisal.so.2` against a certain build of
//! ISA-L. Needs an otherwise idle core; pin it (`taskset -c 1`) on a busy machine. A name of a
//! kernel as an argument (`-- avx2`) replaces the best one.

mod isal;
mod measure;

use std::env;

use isal::Isal;
use measure::{Contestant, Fragments, race};
use reed_solomon_novelda::{Code, Kernel};
use rusty_erasure_core::{Coder, Matrix};

const CODES: [(u8, u8); 3] = [(4, 2), (8, 3), (10, 4)];
const LENGTHS: [usize; 3] = [4 << 10, 64 << 10, 1 << 20];

/// Both sides compute here rather than wait for memory, so one length says it all.
const PORTABLE_LENGTH: usize = 4 << 10;

fn main() {
    // `cargo test --all-targets` runs benchmarks too, without this argument and unoptimised.
    if !env::args().any(|argument| argument == "--bench") {
        return;
    }
    let named = |kernel: &Kernel| env::args().any(|argument| argument == kernel.name());
    let kernel = Kernel::available().find(named).unwrap_or(Kernel::best());
    // Before ISA-L is called: some of its versions leave the upper halves of vector registers in use. That
    // slows down code that uses only the lower halves.
    against_portable();
    println!();
    match Isal::load() {
        Ok((isal, path)) => against_isal(&isal, kernel, &path),
        Err(error) => println!("no comparison with ISA-L: {error}"),
    }
}

fn against_isal(isal: &Isal, kernel: Kernel, path: &str) {
    println!("kernel {} against {path}; GB/s of data read, ours / theirs = ratio", kernel.name());
    println!("{:42}{:>24}{:>24}{:>24}", "", "4 KiB", "64 KiB", "1 MiB");
    for (k, m) in CODES {
        let code = Code::new(k, m).unwrap();
        let (data, parity) = (usize::from(k), usize::from(m));
        let plan = isal.encoding(data, parity);
        compare(
            &format!("{k}+{m} encode"),
            code,
            parity,
            &|inputs, outputs| code.encode_with(kernel, inputs, outputs).unwrap(),
            &|inputs, outputs| plan.run(inputs, outputs),
        );
        // What stands in for the lost data: XOR parity alone, the last parity alone, all parity.
        for (name, lost, stand_in) in [
            ("1 lost, XOR parity left", 1, vec![k]),
            ("1 lost, other parity left", 1, vec![k + m - 1]),
            ("m lost", m, (k..k + m).collect()),
        ] {
            let survivors: Vec<u8> = (lost..k).chain(stand_in).collect();
            let wanted: Vec<u8> = (0..lost).collect();
            let recovery = code.recovery(&survivors, &wanted).unwrap();
            let plan = isal.recovery(data, parity, &survivors, wanted.len());
            compare(
                &format!("{k}+{m} recover, {name}"),
                code,
                wanted.len(),
                &|inputs, outputs| recovery.run_with(kernel, inputs, outputs).unwrap(),
                &|inputs, outputs| plan.run(inputs, outputs),
            );
        }
    }
}

fn compare(name: &str, code: Code, outputs: usize, ours: Contestant, theirs: Contestant) {
    print!("{name:42}");
    for length in LENGTHS {
        let prepare = || Fragments::new(code.data(), length);
        let times = race([ours, theirs], prepare, outputs);
        print_ratio(code.data() * length, times);
    }
    println!();
}

fn print_ratio(bytes: usize, [ours, theirs]: [f64; 2]) {
    let rate = |nanoseconds| bytes as f64 / nanoseconds;
    print!("{:>10.1} /{:>5.1} ={:>5.2}", rate(ours), rate(theirs), theirs / ours);
}

fn against_portable() {
    println!("portable kernel against rusty_erasure-core (scalar), {PORTABLE_LENGTH} byte fragments");
    for (k, m) in CODES {
        let code = Code::new(k, m).unwrap();
        let peer = Coder::new(Matrix::reed_solomon(k.into(), m.into()).unwrap()).unwrap();
        let times = race(
            [
                &|inputs, outputs| code.encode_with(Kernel::PORTABLE, inputs, outputs).unwrap(),
                &|inputs, outputs| peer.encode(inputs, outputs).unwrap(),
            ],
            || Fragments::new(code.data(), PORTABLE_LENGTH),
            code.parity(),
        );
        print!("{:42}", format!("{k}+{m} encode"));
        print_ratio(code.data() * PORTABLE_LENGTH, times);
        println!();

        let survivors: Vec<u8> = (m..k + m).collect();
        let wanted: Vec<u8> = (0..m).collect();
        let recovery = code.recovery(&survivors, &wanted).unwrap();
        let present: Vec<bool> = (0..k + m).map(|fragment| fragment >= m).collect();
        let lost: Vec<usize> = (0..code.parity()).collect();
        let plan = peer.decode_plan(&present, &lost).unwrap();
        let times = race(
            [
                &|inputs, outputs| recovery.run_with(Kernel::PORTABLE, inputs, outputs).unwrap(),
                &|inputs, outputs| {
                    let absent = std::iter::repeat_n(None, lost.len());
                    let fragments: Vec<_> = absent.chain(inputs.iter().copied().map(Some)).collect();
                    peer.recover_with(&plan, &fragments, outputs).unwrap();
                },
            ],
            || Fragments::new(code.data(), PORTABLE_LENGTH),
            code.parity(),
        );
        print!("{:42}", format!("{k}+{m} recover, m lost"));
        print_ratio(code.data() * PORTABLE_LENGTH, times);
        println!();
    }
}
