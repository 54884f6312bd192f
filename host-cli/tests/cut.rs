//! Disks that are shorter than they were. They count for nothing, and are owed what lay beyond the cut when
//! they have their size back.

use crate::common::{TestPool, noise};
use serde_json::Value;
use std::fs::{self, File};

const WHOLE: u64 = 32 << 20;
const CUT: u64 = 4 << 20;

fn resize(pool: &TestPool, disk: usize, bytes: u64) {
    File::options().write(true).open(pool.disk(disk)).unwrap().set_len(bytes).unwrap();
}

fn pool_with_file(disks: usize, scheme: &str) -> (TestPool, Vec<u8>) {
    let contents = noise(9_000_000, 7);
    (TestPool::with_file(disks, "32MiB", scheme, &contents), contents)
}

fn state(pool: &TestPool, disk: usize) -> Value {
    pool.json(["status"])["members"][disk]["state"].clone()
}

// A disk that was cut was read where nothing was written, and so was counted as one that could stand in for
// others.
#[test]
fn a_disk_that_was_cut_stands_in_for_nothing() {
    let (pool, contents) = pool_with_file(3, "mirror:2");
    assert_eq!(pool.json(["health"])["read_tolerance"], 1);
    resize(&pool, 1, CUT);
    let health = pool.run(["--json", "health"]).expect(2).json();
    assert_eq!(health["read_tolerance"], 0, "{health}");
    let reasons = health["reasons"].as_array().unwrap();
    for (code, object) in [("DISK_TRUNCATED", Value::from("disk-1")), ("EXTENTS_DEGRADED", Value::Null)] {
        assert!(reasons.iter().any(|r| r["code"] == code && r["object"] == object), "{code}: {health}");
    }
    let status = pool.json(["status"]);
    assert_eq!((&status["disks"]["healthy"], &status["disks"]["failed"]), (&2.into(), &1.into()), "{status}");
    assert_eq!(state(&pool, 1), "truncated");
    // What the others hold twice is there; what the cut disk held besides one of them is lost with that one.
    for disk in ["disk-0", "disk-2"] {
        let answer = pool.run(["--json", "ok-to-remove", disk]).expect(3).json();
        let obstacles = answer["pull"]["obstacles"].as_array().unwrap();
        assert!(obstacles.iter().any(|obstacle| obstacle["code"] == "DATA_LOST"), "{answer}");
        assert!(pool.json(["whatif", "lose", disk])["lost"]["bytes"].as_u64() > Some(0));
    }
    let cut = pool.run(["--json", "ok-to-remove", "disk-1"]).json();
    assert_eq!(cut["takes_part"], false, "{cut}");
    assert!(pool.cat("/file") == contents);
}

// With its size back it has a hole where its end was. No commit had noticed that it was ever cut, and it was
// called healthy.
#[test]
fn a_disk_with_its_size_back_is_owed_what_lay_beyond_the_cut() {
    let (pool, contents) = pool_with_file(3, "mirror:2");
    pool.run(["health"]).ok();
    resize(&pool, 1, CUT);
    resize(&pool, 1, WHOLE);
    for _ in 0..2 {
        pool.run(["health"]).expect(2);
        assert_eq!(state(&pool, 1), "behind");
        assert!(pool.json(["status"])["extents"]["readable"].as_u64() > Some(0));
    }
    // What is written next writes it down, and does not make it good.
    for name in ["/a", "/b", "/c"] {
        pool.run(["mkdir", name]).ok();
        assert_eq!(state(&pool, 1), "behind");
    }
    pool.run(["rebuild", "start"]).ok();
    pool.run(["health"]).ok();
    assert_eq!(state(&pool, 1), "online");
    pool.run(["check"]).ok();
    // Any two hold everything again.
    for disk in [0, 2] {
        fs::rename(pool.disk(disk), pool.beside("away")).unwrap();
        assert!(pool.run(["--read-only", "cat", "/file"]).ok().stdout == contents);
        fs::rename(pool.beside("away"), pool.disk(disk)).unwrap();
    }
    let labels = pool.json(["labels"]);
    assert_eq!(labels["disks"][1]["last"], "ok", "{labels}");
}

// The pool continued while it was cut: of the time before that nothing was owed.
#[test]
fn a_disk_that_was_left_out_while_it_was_cut_is_owed_everything() {
    let (pool, contents) = pool_with_file(3, "mirror:2");
    resize(&pool, 1, CUT);
    pool.run(["mkdir", "/while-it-was-cut"]).ok();
    resize(&pool, 1, WHOLE);
    pool.run(["mkdir", "/after"]).ok();
    assert_eq!(state(&pool, 1), "behind");
    pool.run(["rebuild", "start"]).ok();
    pool.run(["health"]).ok();
    pool.run(["check"]).ok();
    for disk in [0, 2] {
        fs::rename(pool.disk(disk), pool.beside("away")).unwrap();
        assert!(pool.run(["--read-only", "cat", "/file"]).ok().stdout == contents);
        fs::rename(pool.beside("away"), pool.disk(disk)).unwrap();
    }
}
