//! Free space given back: files of disks shrink, and what is stored stays.

use crate::common::{TestPool, answer, assert_valid, noise, signal, wait_until};
use std::fs;
use std::os::unix::fs::MetadataExt;

const FILE_BYTES: usize = 40_000_000;

/// Bytes that the disks' files take on this machine.
fn allocated(pool: &TestPool, disks: usize) -> u64 {
    (0..disks).map(|disk| fs::metadata(pool.disk(disk)).unwrap().blocks() * 512).sum()
}

/// A pool from which a large file was removed, and a small one that stayed.
fn pool_with_free_space() -> (TestPool, Vec<u8>) {
    let pool = TestPool::new(4, "64MiB", "2+2");
    let kept = noise(3_000_000, 1);
    pool.run_with_input(["put", "-", "/removed"], &noise(FILE_BYTES, 2)).ok();
    pool.run_with_input(["put", "-", "/kept"], &kept).ok();
    pool.run(["rm", "/removed"]).ok();
    (pool, kept)
}

#[track_caller]
fn expect_kept(pool: &TestPool, kept: &[u8]) {
    assert!(pool.cat("/kept") == kept);
    pool.run(["check"]).ok();
    pool.run(["health"]).ok();
}

#[test]
fn what_was_removed_is_given_back() {
    let (pool, kept) = pool_with_free_space();
    let before = allocated(&pool, 4);
    assert!(before > 2 * FILE_BYTES as u64);
    let counted = pool.run(["--json", "trim", "--dry-run"]).ok();
    assert_valid("trim", &counted);
    assert_eq!((allocated(&pool, 4), &counted.json()["dry_run"]), (before, &true.into()));
    let answer = pool.run(["--json", "trim"]).ok();
    assert_valid("trim", &answer);
    let trimmed = answer.json();
    let disks = trimmed["disks"].as_array().unwrap();
    assert_eq!(disks.len(), 4);
    let sum: u64 = disks.iter().map(|disk| disk["discarded_bytes"].as_u64().unwrap()).sum();
    assert_eq!(trimmed["discarded_bytes"], sum);
    for disk in disks {
        assert_eq!((&disk["result"], &disk["discarded_bytes"]), (&"trimmed".into(), &disk["free_bytes"]));
    }
    let after = allocated(&pool, 4);
    assert!(after < before - 3 * FILE_BYTES as u64 / 2, "{before} bytes before, {after} after");
    // What is stored, its parity, the pool's own records, and not much beside it.
    assert!(after < 4 * kept.len() as u64, "{after}");
    expect_kept(&pool, &kept);
    // What was given back is used again.
    let again = noise(FILE_BYTES, 3);
    pool.run_with_input(["put", "-", "/again"], &again).ok();
    assert!(pool.cat("/again") == again);
    expect_kept(&pool, &kept);
}

#[test]
fn disks_are_trimmed_by_name_and_short_runs_left() {
    let (pool, kept) = pool_with_free_space();
    let of = |disk: usize| fs::metadata(pool.disk(disk)).unwrap().blocks() * 512;
    let before: Vec<u64> = (0..4).map(of).collect();
    let none = pool.json(["trim", "--minimum", "1GiB", "disk-1"]);
    assert_eq!((&none["discarded_bytes"], &none["minimum_bytes"]), (&0.into(), &(1u64 << 30).into()));
    assert!(of(1) >= before[1]);
    let text = pool.run(["trim", "--minimum", "64KiB", "disk-1", "disk-1"]).ok().text();
    assert_eq!(text.matches("trimmed").count(), 1, "{text}");
    assert!(of(1) < before[1] / 2 && of(2) >= before[2]);
    let unknown = pool.run(["--json", "trim", "disk-9"]).expect(1).json();
    assert_eq!(unknown["error"]["code"], "not_found");
    pool.run(["trim", "--read-only"]).expect(2);
    expect_kept(&pool, &kept);
}

#[test]
fn disks_that_take_no_part_are_left_alone() {
    let (pool, kept) = pool_with_free_space();
    pool.run(["disk", "offline", "disk-0"]).ok();
    fs::rename(pool.disk(3), pool.beside("away")).unwrap();
    let before = fs::metadata(pool.disk(0)).unwrap().blocks();
    let trimmed = pool.json(["trim"]);
    let results: Vec<&str> =
        trimmed["disks"].as_array().unwrap().iter().map(|disk| disk["result"].as_str().unwrap()).collect();
    assert_eq!(results, ["left_alone", "trimmed", "trimmed", "left_alone"]);
    assert_eq!(fs::metadata(pool.disk(0)).unwrap().blocks(), before);
    for disk in ["disk-0", "disk-3"] {
        let away = pool.run(["--json", "trim", disk]).expect(1).json();
        assert_eq!(away["error"]["code"], "too_few_disks", "{away}");
    }
    fs::rename(pool.beside("away"), pool.disk(3)).unwrap();
    pool.run(["disk", "online", "disk-0"]).ok();
    pool.run(["rebuild", "start"]).ok();
    expect_kept(&pool, &kept);
}

// Killed at once when the first disk has shrunk: some disks have given back their space, others not.
#[test]
fn a_trim_that_is_killed_loses_nothing() {
    let mut cut_short = 0;
    for round in 0..4 {
        let (pool, kept) = pool_with_free_space();
        let blocks = |disk: usize| fs::metadata(pool.disk(disk)).unwrap().blocks();
        let (first, last) = (blocks(0), blocks(3));
        let mut trim = pool.spawn(["trim"]);
        wait_until("the first disk has shrunk", || blocks(0) < first / 2);
        trim.kill().unwrap();
        trim.wait().unwrap();
        cut_short += u32::from(blocks(3) >= last / 2);
        expect_kept(&pool, &kept);
        pool.run(["trim"]).ok();
        assert!(blocks(3) < last / 2, "round {round}");
        expect_kept(&pool, &kept);
    }
    println!("{cut_short} of 4 trims were cut short");
}

#[test]
fn a_trim_that_is_interrupted_says_so() {
    let (pool, kept) = pool_with_free_space();
    // It stops where it asks next whether it is to stop: before it trims, between two steps, or not any more.
    let trim = pool.spawn(["--json", "trim"]);
    pool.wait_until_held(&trim);
    signal(&trim, "INT");
    let ended = answer(trim.wait_with_output().unwrap());
    assert!(matches!(ended.code, 0 | 6), "{}", ended.code);
    if ended.code == 6 {
        assert_eq!(ended.json()["error"]["code"], "interrupted");
    }
    expect_kept(&pool, &kept);
}
