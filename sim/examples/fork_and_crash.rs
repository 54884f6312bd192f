//! How quick the simulated world is: forks, crashes, and the I/O between them.
//!
//! `cargo run --release -p dynamicfs-sim --example fork_and_crash`

use dynamicfs_hal::{DiskArray, Geometry, Operation, Request};
use dynamicfs_sim::{CrashPolicy, Rng, SimArray};
use std::hint::black_box;
use std::time::Instant;

const BLOCK_BYTES: usize = 4096;
const DISK_BYTES: u64 = 512 * 1024;

fn main() {
    for disks in [3, 6] {
        println!("{disks} disks of {} KiB", DISK_BYTES / 1024);
        let clean = filled(disks);
        let mut dirty = clean.clone();
        write_some(&mut dirty, 1);
        let mut rng = Rng::new(1);
        measure("clone, all flushed", 200_000, || {
            black_box(clean.clone());
        });
        measure("clone, 8 unflushed blocks a disk", 200_000, || {
            black_box(dirty.clone());
        });
        for policy in CrashPolicy::ALL {
            measure(&format!("clone and crash, {policy:?}"), 20_000, || {
                black_box(dirty.crash(policy, &mut rng));
            });
        }
        measure("clone, write 8 blocks a disk, flush, write 8, crash, read all", 2_000, || {
            let mut world = clean.clone();
            write_some(&mut world, 2);
            flush(&mut world);
            write_some(&mut world, 3);
            world.power_cycle(CrashPolicy::Torn, &mut rng);
            read_all(&mut world);
        });
    }
}

fn measure(what: &str, times: u32, mut cycle: impl FnMut()) {
    let start = Instant::now();
    (0..times).for_each(|_| cycle());
    let seconds = start.elapsed().as_secs_f64() / f64::from(times);
    println!("  {:9.2} µs  {:9.0}/s  {what}", seconds * 1e6, 1.0 / seconds);
}

/// Disks with every block written and flushed.
fn filled(disks: usize) -> SimArray {
    let mut array = SimArray::new(1, vec![Geometry::new(512, DISK_BYTES / 512); disks]);
    for disk in 0..disks {
        array.run(Request::write(disk, 0, &vec![7; DISK_BYTES as usize])).expect("a sound disk");
    }
    flush(&mut array);
    array
}

fn write_some(array: &mut SimArray, byte: u8) {
    let block = [byte; BLOCK_BYTES];
    let disks = array.disks();
    let mut batch: Vec<_> =
        (0..disks * 8).map(|n| Request::write(n % disks, (n / disks * 24) as u64, &block)).collect();
    array.execute(&mut batch);
}

fn flush(array: &mut SimArray) {
    let mut batch: Vec<_> = (0..array.disks()).map(Request::flush).collect();
    array.execute(&mut batch);
}

fn read_all(array: &mut SimArray) {
    let mut block = [0; BLOCK_BYTES];
    for disk in 0..array.disks() {
        for lba in (0..DISK_BYTES / 512).step_by(BLOCK_BYTES / 512) {
            black_box(array.run(Request::new(disk, lba, Operation::Read(&mut block)))).expect("a sound disk");
        }
    }
}
