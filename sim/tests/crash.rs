//! Power cut at every I/O of small workloads: the floor under everything that is built on commits.

use dynamicfs_core::FormatOptions;
use dynamicfs_core::types::Scheme;
use dynamicfs_hal::Geometry;
use dynamicfs_sim::crash::{CrashReport, CrashTest};
use dynamicfs_sim::workload::Scale;
use dynamicfs_sim::world::PINS;

const SCALE: Scale = Scale { file_bytes: 12_000, write_bytes: 6_000, names: 8, pins: PINS, ..Scale::NONE };

fn test(scheme: Scheme, disks: usize) -> CrashTest {
    CrashTest {
        options: FormatOptions::portable(scheme).members_max(8),
        disks,
        geometry: Geometry::new(512, 512),
        memory: 40 << 10,
        scale: SCALE,
        sessions: 3,
        transactions: 2,
        operations: 5,
        nested: 1,
        lose: 0,
    }
}

fn run(test: &CrashTest, seeds: std::ops::Range<u64>) {
    let mut all = CrashReport::default();
    for seed in seeds {
        let report = test.run(seed);
        all.cuts += report.cuts;
        all.nested += report.nested;
        all.rolled_forward += report.rolled_forward;
    }
    println!("{all:?}");
    assert!(all.cuts > 100 && all.nested > 100, "every I/O was cut: {all:?}");
    assert!(all.rolled_forward > 0, "some cuts fell between the first superblock and the last: {all:?}");
}

#[test]
fn a_mirror_on_three_disks_survives_a_cut_at_every_io() {
    run(&test(Scheme::mirror(2), 3), 0..4);
}

#[test]
fn a_mirror_on_two_disks_survives_a_cut_at_every_io() {
    run(&test(Scheme::mirror(2), 2), 10..14);
}

#[test]
fn a_single_disk_survives_a_cut_at_every_io() {
    run(&test(Scheme::SINGLE, 1), 20..24);
}

#[test]
fn two_plus_one_survives_a_cut_at_every_io() {
    run(&test(Scheme { data: 2, parity: 1 }, 3), 30..34);
}

#[test]
fn four_plus_two_survives_a_cut_at_every_io() {
    run(&test(Scheme { data: 4, parity: 2 }, 6), 40..42);
}

#[test]
fn tear_units_larger_than_a_sector_survive_a_cut_at_every_io() {
    let options =
        FormatOptions::portable(Scheme::mirror(2)).node_bytes(1024).block_bytes(2048).members_max(8);
    let geometry = Geometry { tear_unit: 2048, ..Geometry::new(512, 2048) };
    run(&CrashTest { options, geometry, memory: 60 << 10, ..test(Scheme::mirror(2), 3) }, 50..53);
}

#[test]
fn nearly_full_disks_that_reuse_what_was_freed_survive_a_cut_at_every_io() {
    let scale = Scale { file_bytes: 60_000, write_bytes: 40_000, names: 5, pins: PINS, ..Scale::NONE };
    let geometry = Geometry::new(512, 420);
    let test = CrashTest { geometry, scale, transactions: 3, operations: 40, ..test(Scheme::mirror(2), 3) };
    run(&test, 60..66);
}

#[test]
fn each_disk_of_a_mirror_is_lost_before_and_after_the_recovery_from_a_cut() {
    run(&CrashTest { lose: 1, sessions: 2, ..test(Scheme::mirror(2), 3) }, 70..72);
}

#[test]
fn any_two_disks_of_two_plus_two_are_lost_before_and_after_the_recovery_from_a_cut() {
    let options = FormatOptions::portable(Scheme { data: 2, parity: 2 }).members_max(8);
    let test = CrashTest { options, lose: 2, sessions: 1, transactions: 1, ..test(options.scheme, 5) };
    run(&test, 80..82);
}

/// Space is short, so that the commit of the recovery itself sweeps: from a state that one disk alone may hold.
#[test]
fn each_disk_of_a_nearly_full_pool_is_lost_before_and_after_the_recovery_from_a_cut() {
    let scale = Scale { file_bytes: 60_000, write_bytes: 40_000, names: 5, pins: PINS, ..Scale::NONE };
    let geometry = Geometry::new(512, 420);
    let test =
        CrashTest { geometry, scale, transactions: 3, operations: 40, lose: 1, ..test(Scheme::mirror(2), 3) };
    run(&test, 90..92);
}
