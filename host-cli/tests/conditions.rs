//! Disks that make errors, as an operator sees them: degraded, failed, forgiven; and what is told of it.

use crate::common::{TestPool, assert_valid, noise, signal};
use serde_json::Value;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::FileExt;

/// A pool with a file in it, and the file.
fn pool_with_file(disks: usize, scheme: &str) -> (TestPool, Vec<u8>) {
    let contents = noise(20_000_000, 5);
    (TestPool::with_file(disks, "64MiB", scheme, &contents), contents)
}

/// Damages a disk in so many places of its first half, where the data is.
fn rot(pool: &TestPool, disk: usize, places: u64) {
    let file = File::options().read(true).write(true).open(pool.disk(disk)).unwrap();
    let (begin, step) = (1 << 20, (8 << 20) / places);
    for place in 0..places {
        let at = begin + place * step;
        let mut bytes = [0; 512];
        file.read_exact_at(&mut bytes, at).unwrap();
        bytes.iter_mut().for_each(|byte| *byte ^= 0x55);
        file.write_all_at(&bytes, at).unwrap();
    }
    file.sync_all().unwrap();
}

fn set_thresholds(pool: &TestPool, thresholds: &str) {
    let path = pool.path().join("pool.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen("[[disk]]", &format!("[thresholds]\n{thresholds}\n\n[[disk]]"), 1))
        .unwrap();
}

/// A disk, as `status` has it.
fn disk(pool: &TestPool, name: &str) -> Value {
    let status = pool.run(["--json", "status"]).ok();
    assert_valid("status", &status);
    let status = status.json();
    status["members"].as_array().unwrap().iter().find(|disk| disk["name"] == name).unwrap().clone()
}

/// The kinds of the events that are kept, the oldest first, without that the pool was made.
fn kinds(pool: &TestPool) -> Vec<String> {
    let events = pool.run(["--json", "events"]).ok();
    assert_valid("events", &events);
    let events = events.json();
    events["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["event"].as_str().unwrap().to_owned())
        .filter(|kind| kind != "pool_made")
        .collect()
}

fn reason(pool: &TestPool, code: &str) -> Option<Value> {
    let status = pool.json(["status"]);
    status["reasons"].as_array().unwrap().iter().find(|reason| reason["code"] == code).cloned()
}

#[test]
fn a_rotten_disk_is_degraded_then_failed_and_rebuilt_elsewhere() {
    let (pool, contents) = pool_with_file(7, "4+2");
    set_thresholds(&pool, "failed_checksum_errors = 12");
    rot(&pool, 1, 400);
    let scrub = pool.run(["scrub", "start"]).ok();
    assert!(scrub.stderr.contains("warning: disk-1 is degraded, and read last:"), "{}", scrub.stderr);
    assert!(scrub.stderr.contains("warning: disk-1 has failed, and is out of use:"), "{}", scrub.stderr);
    pool.run(["rebuild", "start"]).ok();
    let kinds = kinds(&pool);
    let at = |kind: &str| {
        kinds.iter().position(|other| other == kind).unwrap_or_else(|| panic!("{kind}: {kinds:?}"))
    };
    // What it holds is put elsewhere before it is out of use, so that it owes nothing.
    assert!(at("disk_degraded") < at("job_complete") && at("job_complete") < at("disk_failed"), "{kinds:?}");
    assert_eq!(disk(&pool, "disk-1")["state"], "failed");
    let health = pool.run(["--json", "health"]).expect(1);
    assert_valid("health", &health);
    assert_eq!(health.json()["degraded_extents"], 0, "{}", health.text());
    assert!(pool.cat("/file") == contents);
    // The operator has changed a cable: it is good again.
    pool.run(["disk", "online", "disk-1"]).ok();
    pool.run(["rebuild", "start"]).ok();
    pool.run(["health"]).ok();
    assert_eq!(disk(&pool, "disk-1")["errors"], 0);
    pool.run(["check"]).ok();
}

#[test]
fn a_rotten_disk_stays_where_nothing_could_be_rebuilt() {
    let (pool, contents) = pool_with_file(6, "4+2");
    set_thresholds(&pool, "failed_checksum_errors = 12");
    rot(&pool, 1, 400);
    let scrub = pool.run(["scrub", "start"]).ok();
    assert!(
        scrub.stderr.contains("disk-1 is degraded") && !scrub.stderr.contains("failed"),
        "{}",
        scrub.stderr
    );
    assert_eq!(disk(&pool, "disk-1")["state"], "degraded");
    assert!(pool.cat("/file") == contents);
}

// One process for each command: what counts is how many errors there were since they were cleared.
#[test]
fn errors_are_counted_over_processes_until_they_are_cleared() {
    let (pool, contents) = pool_with_file(6, "4+2");
    rot(&pool, 2, 5);
    pool.run(["scrub", "start"]).ok();
    assert_eq!(disk(&pool, "disk-2")["state"], "online");
    let few = reason(&pool, "DISK_ERRORS").unwrap();
    assert_eq!(few["severity"], "info");
    pool.run(["health"]).ok();
    rot(&pool, 2, 400);
    pool.run(["scrub", "start"]).ok();
    let found = disk(&pool, "disk-2");
    assert_eq!((&found["state"], &found["condition"]), (&"degraded".into(), &"degraded".into()));
    let why = found["condition_reason"].as_str().unwrap();
    assert!(why.ends_with("wrong checksums since errors were last cleared"), "{why}");
    let degraded = reason(&pool, "DISK_DEGRADED").unwrap();
    assert_eq!(degraded["next"], "dynamicfs disk replace disk-2 NEW-DISK");
    assert_eq!(degraded["count"], found["errors"]);
    let health = pool.run(["health"]).expect(1);
    assert!(
        health.text().starts_with("WARNING") && health.text().contains("DISK_DEGRADED"),
        "{}",
        health.text()
    );
    let status = pool.json(["status"]);
    assert_eq!((&status["disks"]["healthy"], &status["disks"]["degraded"]), (&5.into(), &1.into()));
    assert_valid("disk-show", &pool.run(["--json", "disk", "show", "disk-2"]).ok());
    let planned = pool.run(["--json", "disk", "clear", "disk-2", "--dry-run"]).ok();
    assert_valid("disk-clear", &planned);
    assert_eq!(disk(&pool, "disk-2")["state"], "degraded");
    let cleared = pool.run(["--json", "disk", "clear", "disk-2"]).ok();
    assert_valid("disk-clear", &cleared);
    let counters = pool.json(["disk", "show", "disk-2"])["counters"].clone();
    assert_eq!(counters["checksum_errors"], 0);
    assert!(counters["reads"].as_u64().unwrap() > 0, "what it did stays counted");
    pool.run(["health"]).ok();
    assert!(pool.cat("/file") == contents);
}

#[test]
fn thresholds_stay_where_the_list_of_disks_changes_and_mistakes_are_told() {
    let pool = TestPool::new(3, "64MiB", "2+1");
    set_thresholds(&pool, "degraded_checksum_errors = 1\nfail = false");
    pool.run(["disk", "add", pool.beside("new.img").to_str().unwrap(), "--size", "64MiB"]).ok();
    let text = fs::read_to_string(pool.path().join("pool.toml")).unwrap();
    assert!(text.contains("degraded_checksum_errors = 1\nfail = false"), "{text}");
    fs::write(pool.path().join("pool.toml"), text.replace("fail = false", "fails = false")).unwrap();
    let refused = pool.run(["--json", "status"]).expect(1);
    assert_valid("error", &refused);
    assert_eq!(refused.json()["error"]["code"], "bad_pool");
}

#[test]
fn events_are_told_once_and_read_without_the_pool() {
    let (pool, _) = pool_with_file(3, "2+1");
    assert_eq!(kinds(&pool), Vec::<String>::new());
    let away = pool.beside("away.img");
    fs::rename(pool.disk(2), &away).unwrap();
    // Looking changes nothing, also not this file.
    pool.run(["status"]).ok();
    assert_eq!(kinds(&pool), Vec::<String>::new());
    let put = pool.run_with_input(["put", "-", "/other"], b"x").ok();
    assert!(put.stderr.contains("warning: disk-2 is not here"), "{}", put.stderr);
    let put = pool.run_with_input(["put", "-", "/third"], b"x").ok();
    assert!(!put.stderr.contains("not here"), "it was told: {}", put.stderr);
    fs::rename(&away, pool.disk(2)).unwrap();
    pool.run(["rebuild", "start"]).ok();
    assert_eq!(kinds(&pool), ["disk_away", "disk_stale", "job_started", "job_complete", "disk_rebuilt"]);
    let text = pool.run(["events"]).ok().text();
    assert!(text.lines().nth(1).unwrap().ends_with("warning   disk-2 is not here"), "{text}");
    assert_eq!(pool.json(["events", "--since", "1h"])["events"].as_array().unwrap().len(), 6);
    assert_eq!(
        pool.json(["events", "--since", "2100-01-01T00:00:00Z"])["events"].as_array().unwrap().len(),
        0
    );
    pool.run(["events", "--since", "yesterday"]).expect(2);
    // The disks are locked, and nothing of them is needed.
    (0..3).for_each(|number| fs::rename(pool.disk(number), pool.beside(&format!("{number}"))).unwrap());
    assert_eq!(kinds(&pool).len(), 5);
}

#[test]
fn events_are_followed_as_they_happen() {
    let pool = TestPool::new(3, "64MiB", "2+1");
    pool.run(["disk", "offline", "disk-0"]).ok();
    let mut follower = pool.spawn(["--json", "events", "-f"]);
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines();
    let mut next = || serde_json::from_str::<Value>(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!(next()["event"], "pool_made");
    let event = next();
    assert_eq!((&event["event"], &event["disk"]), (&"disk_state".into(), &"disk-0".into()));
    assert_eq!(event["message"], "disk-0 is taken offline");
    pool.run(["disk", "online", "disk-0"]).ok();
    assert_eq!(next()["message"], "disk-0 takes part");
    signal(&follower, "INT");
    assert_eq!(follower.wait().unwrap().code(), Some(0));
}
