//! How many disks may fail: what is said, and what happens when they do.

use crate::common::hinted::type_hint;
use crate::common::{TestPool, assert_valid, noise};
use serde_json::Value;
use std::fs;

/// A pool with a file in it.
fn pool_with_file(disks: usize, scheme: &str) -> (TestPool, Vec<u8>) {
    let contents = noise(3_000_000, 7);
    (TestPool::with_file(disks, "32MiB", scheme, &contents), contents)
}

fn health(pool: &TestPool) -> Value {
    let health = pool.run(["--json", "health"]);
    assert_valid("health", &health);
    health.json()
}

#[track_caller]
fn reason(pool: &TestPool, code: &str) -> Value {
    let health = health(pool);
    let found = health["reasons"].as_array().unwrap().iter().find(|reason| reason["code"] == code);
    found.cloned().unwrap_or_else(|| panic!("no {code}: {health}"))
}

/// Types the command that a reason names, with this in the place of a new disk.
fn follow(pool: &TestPool, reason: &Value, path: &str) {
    type_hint(pool, reason["next"].as_str().unwrap(), &[("NEW-DISK", path)]).ok();
}

/// All sets of so many of these disks.
fn sets(disks: usize, count: usize) -> Vec<Vec<usize>> {
    let all = 0..1u32 << disks;
    let set = |bits: u32| (0..disks).filter(|disk| bits >> disk & 1 == 1).collect();
    all.filter(|bits| bits.count_ones() as usize == count).map(set).collect()
}

/// Whether the file can be read without these disks.
fn is_read_without(pool: &TestPool, lost: &[usize], contents: &[u8]) -> bool {
    let aside = |disk: usize| pool.disk(disk).with_extension("away");
    lost.iter().for_each(|&disk| fs::rename(pool.disk(disk), aside(disk)).unwrap());
    let read = pool.run(["--read-only", "cat", "/file"]);
    lost.iter().for_each(|&disk| fs::rename(aside(disk), pool.disk(disk)).unwrap());
    read.code == 0 && read.stdout == contents
}

/// Disks are simply taken away: as many as is said, in every way, and the file is read; one more, and it is
/// not.
#[test]
fn as_many_disks_as_is_said_may_simply_be_gone() {
    for (disks, scheme, expected) in [
        (1, "single", 0),
        (2, "mirror:2", 0),
        (3, "mirror:2", 1),
        (3, "mirror:3", 1),
        (4, "2+2", 1),
        (6, "4+2", 2),
    ] {
        let (pool, contents) = pool_with_file(disks, scheme);
        let said = health(&pool)["read_tolerance"].as_u64().unwrap() as usize;
        assert_eq!(said, expected, "{scheme} on {disks}");
        assert_eq!(pool.json(["status"])["pool"]["read_tolerance"], said);
        let all = sets(disks, said);
        assert!(all.iter().all(|lost| is_read_without(&pool, lost, &contents)), "{scheme} on {disks}");
        let more = sets(disks, said + 1);
        assert!(more.iter().any(|lost| !is_read_without(&pool, lost, &contents)), "{scheme} on {disks}");
    }
}

#[test]
fn init_promises_no_more_disks_than_health() {
    for (disks, scheme) in [("2", "mirror:2"), ("3", "mirror:3"), ("4", "2+2"), ("6", "4+2")] {
        let pool = TestPool::none();
        let made =
            pool.run(["--json", "init", "--disks", disks, "--disk-size", "16MiB", "--scheme", scheme]).ok();
        assert_valid("init", &made);
        assert_eq!(made.json()["read_tolerance"], health(&pool)["read_tolerance"], "{scheme}");
    }
    let pool = TestPool::none();
    let text = pool.run(["init", "--disks", "2", "--disk-size", "16MiB", "--scheme", "mirror:2"]).ok().text();
    assert!(text.contains("without loss of data") && text.contains("disk add --witness NEW-DISK"), "{text}");
}

/// The quorum is a limit of its own, and the command that the reason names takes it away.
#[test]
fn a_witness_lets_a_mirror_of_two_lose_a_disk() {
    let (pool, contents) = pool_with_file(2, "mirror:2");
    assert_eq!(health(&pool)["data_tolerance"], 1);
    assert!(!is_read_without(&pool, &[0], &contents));
    let limit = reason(&pool, "QUORUM_LIMIT");
    assert_eq!(limit["severity"], "info");
    let witness = pool.beside("witness.img");
    follow(&pool, &limit, witness.to_str().unwrap());
    assert_eq!(health(&pool)["read_tolerance"], 1);
    assert!((0..2).all(|disk| is_read_without(&pool, &[disk], &contents)));
    // A lost witness is no empty disk: it counts.
    fs::remove_file(&witness).unwrap();
    let lost = reason(&pool, "WITNESS_MISSING");
    assert_eq!(health(&pool)["read_tolerance"], 0, "{lost}");
    follow(&pool, &lost, pool.beside("another.img").to_str().unwrap());
    let healthy = health(&pool);
    assert_eq!((&healthy["status"], &healthy["read_tolerance"]), (&"healthy".into(), &1.into()), "{healthy}");
    assert!((0..2).all(|disk| is_read_without(&pool, &[disk], &contents)));
}

/// A file in a weaker scheme is lost with one disk, whatever the pool bears. The reason names it, and what
/// repairs it.
#[test]
fn contents_in_a_weaker_scheme_are_not_promised() {
    let (pool, _) = pool_with_file(6, "4+2");
    pool.run(["mkdir", "/it's here"]).ok();
    pool.run(["policy", "set", "--scheme", "single", "/it's here"]).ok();
    pool.run_with_input(["put", "-", "/it's here/weak"], &noise(2_000_000, 9)).ok();
    let weak = health(&pool);
    let read = (&weak["read_tolerance"], &weak["write_tolerance"], &weak["status"]);
    assert_eq!(read, (&0.into(), &2.into(), &"healthy".into()), "{weak}");
    let limit = reason(&pool, "POLICY_LIMIT");
    assert!(limit["message"].as_str().unwrap().contains("/it's here/weak"), "{limit}");
    follow(&pool, &limit, "");
    let limit = reason(&pool, "POLICY_LIMIT");
    assert_eq!(limit["next"], "dynamicfs rebalance start --only policy");
    follow(&pool, &limit, "");
    assert_eq!(health(&pool)["read_tolerance"], 2);
}
