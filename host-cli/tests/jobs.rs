//! Scrub and rebuild: to the end, interrupted, killed, resumed, given up.

use crate::common::{Answer, TestPool, answer, assert_valid, noise, signal, wait_for_progress};
use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

/// So little memory that a step is small, and so little to read and write in a second that a job rests after it.
const STEP: [&str; 4] = ["--memory", "2MiB", "--throttle", "1KiB"];

/// A pool with a file in it of more than one step, and the file.
fn pool_with_file(disks: usize, scheme: &str) -> (TestPool, Vec<u8>) {
    let contents = noise(40_000_000, 5);
    (TestPool::with_file(disks, "64MiB", scheme, &contents), contents)
}

#[track_caller]
fn job(pool: &TestPool, arguments: &[&str]) -> Answer {
    let answer = pool.run(["--json", "--quiet"].iter().chain(arguments));
    if answer.json()["job"].is_string() {
        assert_valid(arguments[0], &answer);
    } else {
        assert_valid("error", &answer);
    }
    answer
}

/// Changes a byte of the block that begins with these bytes, on the disk that has it.
fn rot(pool: &TestPool, disks: usize, mark: &[u8]) -> PathBuf {
    for path in (0..disks).map(|number| pool.disk(number)) {
        let image = fs::read(&path).unwrap();
        if let Some(block) = image.chunks(4096).position(|block| block.starts_with(mark)) {
            let disk = OpenOptions::new().write(true).open(&path).unwrap();
            disk.write_all_at(&[!mark[20]], block as u64 * 4096 + 20).unwrap();
            return path;
        }
    }
    panic!("contents are stored as they are");
}

#[test]
fn a_scrub_repairs_what_nobody_reads() {
    let (pool, contents) = pool_with_file(6, "4+2");
    assert_eq!(job(&pool, &["scrub", "status"]).ok().json()["state"], "none");
    assert_eq!(pool.json(["health"])["last_scrub"], serde_json::Value::Null);
    rot(&pool, 6, &contents[..64]);
    rot(&pool, 6, &contents[20 << 20..(20 << 20) + 64]);
    pool.run(["check"]).expect(1);
    job(&pool, &["scrub", "start", "--dry-run"]).ok();
    pool.run(["check"]).expect(1);
    let scrubbed = job(&pool, &["scrub", "start"]).ok().json();
    assert_eq!(
        (&scrubbed["found"], &scrubbed["healed"], &scrubbed["lost"]),
        (&2.into(), &2.into(), &0.into())
    );
    assert_eq!(scrubbed["this_run"]["repaired"], 2);
    pool.run(["check"]).ok();
    assert!(pool.json(["health"])["last_scrub"].is_string());
    assert!(pool.cat("/file") == contents);
}

#[test]
fn what_a_scrub_finds_lost_has_a_name() {
    let pool = TestPool::new(1, "32MiB", "single");
    let contents = noise(3_000_000, 11);
    pool.run(["mkdir", "/d"]).ok();
    pool.run_with_input(["put", "-", "/d/file"], &contents).ok();
    pool.run_with_input(["put", "-", "/good"], b"good").ok();
    rot(&pool, 1, &contents[..64]);
    let found = job(&pool, &["scrub", "start"]).expect(4).json();
    assert_eq!((&found["lost"], &found["lost_files"][0]["path"]), (&1.into(), &"/d/file".into()), "{found}");
    assert_eq!(found["lost_items"][0]["offset"], 0);
    assert_eq!(found["error"]["code"], "damaged");
    let text = pool.run(["scrub", "status"]).expect(4).text();
    assert!(text.contains("/d/file"), "{text}");
    let health = pool.run(["--json", "health"]).expect(2).json();
    assert_eq!(health["reasons"][0]["code"], "DATA_LOST", "{health}");
    // Once it is stored again, all is well.
    pool.run_with_input(["put", "-", "/d/file"], &contents).ok();
    job(&pool, &["scrub", "start"]).ok();
    pool.run(["health"]).ok();
}

#[test]
fn a_scrub_that_is_interrupted_goes_on_where_it_was() {
    let (pool, contents) = pool_with_file(6, "4+2");
    let mut scrub = pool.spawn(["--json", "scrub", "start"].iter().chain(&STEP));
    wait_for_progress(&mut scrub);
    signal(&scrub, "INT");
    let ended = answer(scrub.wait_with_output().unwrap()).expect(6);
    assert_valid("scrub", &ended);
    assert_eq!(ended.json()["error"]["code"], "interrupted");
    let half = job(&pool, &["scrub", "status"]).ok().json();
    assert_eq!(half["state"], "interrupted");
    let (done, total) = (half["done_bytes"].as_u64().unwrap(), half["total_bytes"].as_u64().unwrap());
    assert!((1..total).contains(&done), "{half}");
    // What comes in between does not continue with it.
    pool.run(["mkdir", "/d"]).ok();
    assert_eq!(job(&pool, &["scrub", "status"]).json()["done_bytes"], done);
    let resumed = job(&pool, &["scrub", "resume"]).ok().json();
    assert_eq!((&resumed["state"], &resumed["this_run"]["from_bytes"]), (&"complete".into(), &done.into()));
    assert_eq!(resumed["started"], half["started"]);
    assert!(resumed["this_run"]["io_bytes"].as_u64() < Some(total), "{resumed}");
    assert!(pool.cat("/file") == contents);
    pool.run(["health"]).ok();
}

#[test]
fn a_rebuild_that_is_killed_goes_on_where_it_was() {
    let (pool, contents) = pool_with_file(7, "4+2");
    fs::remove_file(pool.disk(1)).unwrap();
    pool.run(["disk", "fail", "disk-1", "--yes"]).ok();
    let mut rebuild = pool.spawn(["rebuild", "start"].iter().chain(&STEP));
    wait_for_progress(&mut rebuild);
    rebuild.kill().unwrap();
    rebuild.wait().unwrap();
    let half = job(&pool, &["rebuild", "status"]).ok().json();
    assert_eq!(half["state"], "interrupted");
    let (done, healed) = (half["done_bytes"].as_u64(), half["healed"].as_u64());
    assert!(done > Some(0) && healed > Some(0), "{half}");
    let health = pool.run(["--json", "health"]).expect(1).json();
    let waiting = |reason: &&serde_json::Value| reason["code"] == "REBUILD_WAITING";
    let waiting = health["reasons"].as_array().unwrap().iter().find(waiting).expect("a reason").clone();
    assert_eq!(waiting["next"], "dynamicfs rebuild resume");
    // Still half-way: what was rebuilt counts.
    let extents = pool.json(["status"])["extents"].clone();
    assert!(extents["complete"].as_u64() > Some(0) && extents["readable"].as_u64() > Some(0), "{extents}");
    let resumed = job(&pool, &["rebuild", "resume"]).ok().json();
    assert_eq!((resumed["this_run"]["from_bytes"].as_u64(), &resumed["state"]), (done, &"complete".into()));
    let rebuilds = pool.json(["metrics"])["rebuild"].clone();
    assert_eq!((&rebuilds["succeeded"], &rebuilds["failed"]), (&1.into(), &0.into()), "{rebuilds}");
    pool.run(["disk", "remove", "disk-1", "--yes"]).ok();
    pool.run(["health"]).ok();
    pool.run(["check"]).ok();
    assert!(pool.cat("/file") == contents);
}

#[test]
fn jobs_are_paused_resumed_and_given_up() {
    let (pool, _) = pool_with_file(6, "4+2");
    for arguments in [["scrub", "resume"], ["scrub", "pause"], ["scrub", "cancel"], ["rebuild", "resume"]] {
        assert_eq!(job(&pool, &arguments).expect(1).json()["error"]["code"], "not_found", "{arguments:?}");
    }
    // Nothing is missing.
    assert_eq!(job(&pool, &["rebuild", "start"]).ok().json()["nothing_to_do"], true);
    let mut scrub = pool.spawn(["scrub", "start"].iter().chain(&STEP));
    wait_for_progress(&mut scrub);
    // Another command is told which process has the pool.
    let busy = job(&pool, &["rebuild", "start"]).expect(5).json();
    assert!(busy["error"]["message"].as_str().unwrap().contains(&scrub.id().to_string()), "{busy}");
    signal(&scrub, "TERM");
    answer(scrub.wait_with_output().unwrap()).expect(6);
    assert_eq!(job(&pool, &["scrub", "pause"]).ok().json()["state"], "paused");
    assert_eq!(job(&pool, &["scrub", "wait"]).expect(1).json()["error"]["code"], "partial");
    // One that waits is continued, unless a new one is asked for.
    let done = job(&pool, &["scrub", "status"]).json()["done_bytes"].as_u64();
    assert_eq!(job(&pool, &["scrub", "start"]).ok().json()["this_run"]["from_bytes"].as_u64(), done);
    let again = job(&pool, &["scrub", "start", "--restart"]).ok().json();
    assert_eq!(again["this_run"]["from_bytes"], 0);
    let mut scrub = pool.spawn(["scrub", "start"].iter().chain(&STEP));
    wait_for_progress(&mut scrub);
    signal(&scrub, "INT");
    answer(scrub.wait_with_output().unwrap()).expect(6);
    assert_eq!(job(&pool, &["scrub", "cancel"]).ok().json()["state"], "cancelled");
    job(&pool, &["scrub", "resume"]).expect(1);
    pool.run(["health"]).ok();
}

#[test]
fn a_job_may_be_given_a_share_of_the_time() {
    let (pool, contents) = pool_with_file(6, "4+2");
    rot(&pool, 6, &contents[..64]);
    let scrubbed = job(&pool, &["scrub", "start", "--throttle", "50%"]).ok().json();
    assert_eq!((&scrubbed["state"], &scrubbed["healed"]), (&"complete".into(), &1.into()));
    pool.run(["scrub", "start", "--throttle", "0%"]).expect(2);
    pool.run(["scrub", "start", "--throttle", "0"]).ok();
    pool.run(["disk", "drain", "disk-0", "--cancel", "--throttle", "5%"]).expect(2);
}

#[test]
fn one_waits_for_a_job_of_another_process() {
    let (pool, _) = pool_with_file(6, "4+2");
    let mut scrub = pool.spawn(["scrub", "start"].iter().chain(&STEP));
    wait_for_progress(&mut scrub);
    let waiting = pool.spawn(["--json", "scrub", "wait"]);
    signal(&scrub, "INT");
    answer(scrub.wait_with_output().unwrap()).expect(6);
    let ended = answer(waiting.wait_with_output().unwrap()).expect(1);
    assert_valid("scrub", &ended);
    assert_eq!(ended.json()["state"], "interrupted");
}

/// A disk's free bytes, by its name.
fn free(pool: &TestPool, name: &str) -> u64 {
    let disks = pool.json(["disk", "list"])["disks"].clone();
    let disk =
        disks.as_array().unwrap().iter().find(|disk| disk["name"] == name).expect("it is listed").clone();
    disk["free_bytes"].as_u64().unwrap()
}

#[test]
fn a_new_disk_gets_its_share_when_that_is_asked_for() {
    let (pool, contents) = pool_with_file(3, "mirror:2");
    let extra = pool.beside("extra.img");
    fs::File::create(&extra).unwrap().set_len(64 << 20).unwrap();
    pool.run([OsStr::new("disk"), OsStr::new("add"), extra.as_os_str()]).ok();
    let before = free(&pool, "extra") - free(&pool, "disk-0");
    let balanced = job(&pool, &["rebalance", "start", "--only", "space"]).ok().json();
    assert_eq!(balanced["state"], "complete");
    assert!(balanced["healed"].as_u64() > Some(5), "{balanced}");
    let after = free(&pool, "extra").saturating_sub(free(&pool, "disk-0"));
    assert!(after < before / 2, "{before} bytes between them became {after}");
    pool.run(["check"]).ok();
    assert!(pool.cat("/file") == contents);
}

/// On small disks groups are shorter than the extents that were asked for. A rebalance wanted to join what no group could
/// hold, and every write swept the whole free map before it gave up on it.
#[test]
fn extents_that_no_group_holds_are_not_asked_for() {
    let pool = TestPool::new(4, "16MiB", "mirror:2");
    pool.run_with_input(["put", "-", "/file"], &noise(20_000_000, 3)).ok();
    let balanced = job(&pool, &["rebalance", "start"]).ok().json();
    assert_eq!((&balanced["state"], &balanced["found"]), (&"complete".into(), &0.into()), "{balanced}");
}

#[test]
fn what_is_stored_follows_the_policy_when_that_is_asked_for() {
    let (pool, contents) = pool_with_file(6, "mirror:3");
    pool.run(["mkdir", "/d"]).ok();
    let used = || pool.json(["status"])["capacity"]["used_bytes"].as_u64().unwrap();
    let before = used();
    for (scheme, why) in [("8+1", "needs 9 disks"), ("mirror:4", "bears the loss")] {
        let refused = pool.run(["policy", "set", "/", "-r", "--scheme", scheme]).expect(1);
        assert!(refused.stderr.contains(why), "{}", refused.stderr);
    }
    let set = pool.run(["--json", "policy", "set", "/", "-r", "--scheme", "4+2"]).ok();
    assert_valid("policy", &set);
    assert_eq!(set.json()["changed"], 3);
    // What is there stays as it is, what is made from now on is not.
    assert!(used() > before * 9 / 10);
    pool.run_with_input(["put", "-", "/d/new"], b"new").ok();
    let got = pool.run(["--json", "policy", "get", "/d/new", "/file"]).ok();
    assert_valid("policy", &got);
    assert!(got.json()["policies"].as_array().unwrap().iter().all(|policy| policy["scheme"] == "4+2"));
    let changed = job(&pool, &["rebalance", "start", "--only", "policy"]).ok().json();
    assert!(changed["healed"].as_u64() > Some(20), "{changed}");
    assert_eq!(job(&pool, &["rebalance", "start", "--only", "policy"]).ok().json()["healed"], 0);
    // Half as much again instead of three times as much.
    assert!(used() < before * 6 / 10, "{before} became {}", used());
    fs::remove_file(pool.disk(0)).unwrap();
    fs::remove_file(pool.disk(4)).unwrap();
    assert!(pool.cat("/file") == contents);
}

#[test]
fn a_repair_puts_right_what_can_be() {
    let (pool, contents) = pool_with_file(7, "4+2");
    rot(&pool, 7, &contents[..64]);
    fs::remove_file(pool.disk(1)).unwrap();
    pool.run(["disk", "fail", "disk-1", "--yes"]).ok();
    let plan = pool.run(["--json", "repair", "--dry-run"]).ok();
    assert_valid("repair", &plan);
    assert_eq!(plan.json()["jobs"].as_array().map(Vec::len), Some(0));
    let repaired = pool.run(["--json", "repair"]).ok();
    assert_valid("repair", &repaired);
    let jobs = repaired.json()["jobs"].clone();
    let of = |at: usize| (jobs[at]["job"].clone(), jobs[at]["state"].clone());
    assert_eq!(
        [of(0), of(1), of(2)],
        ["recount", "scrub", "rebuild"].map(|name| (name.into(), "complete".into()))
    );
    pool.run(["disk", "remove", "disk-1", "--yes"]).ok();
    pool.run(["health"]).ok();
    pool.run(["check"]).ok();
    assert!(pool.cat("/file") == contents);
}

// A missing member is waited for, unless the operator says that it is lost.
#[test]
fn what_missing_disks_held_is_rebuilt_when_that_is_asked_for() {
    let (pool, contents) = pool_with_file(7, "4+2");
    fs::rename(pool.disk(2), pool.beside("away")).unwrap();
    // It called itself complete once, while nothing was.
    for command in [["rebuild", "start"], ["rebuild", "wait"]] {
        let waited = job(&pool, &command).expect(1).json();
        assert_eq!(
            (&waited["state"], &waited["error"]["code"]),
            (&"waiting".into(), &"partial".into()),
            "{waited}"
        );
        assert_eq!(waited["healed"], 0, "{waited}");
        assert!(waited["done_bytes"].as_u64() <= waited["total_bytes"].as_u64().map(|total| total + 65536));
    }
    let repaired = pool.run(["--json", "--quiet", "repair"]).expect(1).json();
    let states: Vec<_> = repaired["jobs"].as_array().unwrap().iter().map(|job| &job["state"]).collect();
    assert_eq!(states, ["complete", "waiting", "waiting"], "{repaired}");
    let health = pool.run(["--json", "health"]).expect(1).json();
    let reason =
        health["reasons"].as_array().unwrap().iter().find(|reason| reason["code"] == "EXTENTS_DEGRADED");
    assert_eq!(reason.unwrap()["next"], "dynamicfs disk replace disk-2 NEW-DISK", "{health}");
    let rebuilt = job(&pool, &["rebuild", "start", "--without-missing"]).ok().json();
    assert_eq!(rebuilt["absent_is_lost"], true);
    assert!(rebuilt["this_run"]["repaired"].as_u64() > Some(10), "{rebuilt}");
    let health = pool.run(["--json", "health"]).expect(1).json();
    // The scrub before did not read the disk, and says so until the next one.
    let codes = [&health["reasons"][0]["code"], &health["reasons"][1]["code"]];
    assert_eq!(codes, ["SCRUB_PARTIAL", "DISK_UNNEEDED"], "{health}");
    assert_eq!(health["read_tolerance"], 2);
    // It comes back, and has nothing that counts.
    fs::rename(pool.beside("away"), pool.disk(2)).unwrap();
    pool.run(["rebuild", "start"]).ok();
    pool.run(["scrub", "start"]).ok();
    pool.run(["health"]).ok();
    pool.run(["check"]).ok();
    assert!(pool.cat("/file") == contents);
}

/// It was called complete, with exit code 0, while all redundancy was missing.
#[test]
fn a_rebuild_that_has_too_few_disks_is_not_complete() {
    let pool = TestPool::new(2, "48MiB", "mirror:2");
    pool.run(["disk", "fail", "disk-1", "--yes"]).ok();
    pool.run_with_input(["put", "-", "/file"], &noise(3_000_000, 8)).ok();
    let rebuilt = job(&pool, &["rebuild", "start"]).expect(1).json();
    assert_eq!(rebuilt["state"], "incomplete", "{rebuilt}");
    assert!(rebuilt["short"].as_u64() > Some(0), "{rebuilt}");
    let new = pool.beside("new");
    pool.run(["disk", "add", new.to_str().unwrap(), "--size", "48MiB"]).ok();
    let rebuilt = job(&pool, &["rebuild", "start"]).ok().json();
    assert_eq!((&rebuilt["state"], &rebuilt["short"]), (&"complete".into(), &0.into()), "{rebuilt}");
}
