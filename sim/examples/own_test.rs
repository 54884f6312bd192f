//! A fault-injection test of one's own: this pool, on disks like mine, with what I do to it.
//!
//! `cargo run --release -p dynamicfs-sim --example own_test`

use dynamicfs_core::types::{ObjectId, Scheme};
use dynamicfs_sim::clock::Latency;
use dynamicfs_sim::simulation::{FaultKind, Faults, Setup, Simulation, Workload};
use dynamicfs_sim::workload::Operation;

fn main() {
    let pool = Setup { latencies: vec![Latency::SD_CARD; 3], ..Setup::small(Scheme::mirror(2), 3) };
    // A log that grows, and a file that it is in.
    let workload = Workload {
        next: |pool, _, rng| match pool.nodes.keys().next_back() {
            Some(&log) if log >= 16 => {
                let (object, offset) = (ObjectId(log), rng.below(8) * 500);
                Operation::Write { object, offset, data: vec![rng.next_u64() as u8; 500] }
            }
            _ => Operation::Create { directory: ObjectId::ROOT, name: b"log".to_vec() },
        },
        ..Workload::steps(40)
    };
    let faults = Faults::only([FaultKind::PowerCut, FaultKind::TornWrite, FaultKind::Unplugged]);
    for seed in 0..50 {
        let run = Simulation::new(seed).pool(pool.clone()).workload(workload).faults(faults).run();
        let report = run.unwrap_or_else(|failure| panic!("{failure}"));
        println!("seed {seed}: {} crashes survived", report.counts.crashes);
    }
}
