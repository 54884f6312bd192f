//! A pool that another process has: readers share it, writers wait, and what continues is told.

use crate::common::{TestPool, answer, assert_valid, noise, signal, wait_for_progress, wait_until};
use serde_json::Value;
use std::fs;
use std::process::Child;
use std::time::{Duration, Instant};

fn pool_with_file() -> (TestPool, Vec<u8>) {
    let contents = noise(3_000_000, 5);
    (TestPool::with_file(3, "32MiB", "2+1", &contents), contents)
}

/// A scrub that takes long, and rests.
fn scrub(pool: &TestPool) -> Child {
    let mut child = pool.spawn(["scrub", "start", "--throttle", "100KB"]);
    wait_for_progress(&mut child);
    child
}

/// Of four that read at once three were told that the pool is busy.
#[test]
fn readers_do_not_exclude_each_other() {
    let (pool, contents) = pool_with_file();
    let mut first = pool.spawn(["put", "-", "/none"]);
    drop(first.stdin.take());
    first.wait().unwrap();
    // A reader that is held up while it prints, and others beside it.
    let mut slow = pool.spawn(["cat", "/file"]);
    let children: Vec<Child> = (0..4).map(|_| pool.spawn(["cat", "/file"])).collect();
    for child in children {
        assert!(answer(child.wait_with_output().unwrap()).ok().stdout == contents);
    }
    pool.run(["get", "/file", pool.beside("a").to_str().unwrap()]).ok();
    pool.run(["check"]).ok();
    drop(slow.stdin.take());
    assert!(answer(slow.wait_with_output().unwrap()).ok().stdout == contents);
}

/// Reading while a disk was away wrote a commit, and the disk was behind.
#[test]
fn what_reads_changes_nothing() {
    let (pool, contents) = pool_with_file();
    fs::rename(pool.disk(1), pool.beside("away")).unwrap();
    assert!(pool.cat("/file") == contents);
    pool.run(["get", "/file", pool.beside("a").to_str().unwrap()]).ok();
    fs::rename(pool.beside("away"), pool.disk(1)).unwrap();
    pool.run(["health"]).ok();
}

/// A second `get` of one rotten file counted the same places again, until sound disks were degraded.
#[test]
fn a_place_that_is_bad_counts_once() {
    let (pool, _) = pool_with_file();
    // Two of three fragments: the extent is lost.
    for disk in [0, 1] {
        let file = fs::File::options().read(true).write(true).open(pool.disk(disk)).unwrap();
        let bytes = fs::read(pool.disk(disk)).unwrap();
        let data = noise(3_000_000, 5);
        let at = (0..bytes.len() - 64).step_by(4096).find(|&at| {
            data.chunks(512 << 10).any(|half| half.len() >= 64 && bytes[at..at + 64] == half[..64])
        });
        let Some(at) = at else { continue };
        std::os::unix::fs::FileExt::write_all_at(&file, &[9; 64], at as u64).unwrap();
    }
    for _ in 0..12 {
        let _ = pool.run(["cat", "/file"]);
    }
    let disks = pool.json(["disk", "list"]);
    for disk in disks["disks"].as_array().unwrap() {
        assert!(disk["errors"].as_u64().unwrap() < 3, "{disks}");
    }
}

#[test]
fn a_command_waits_as_long_as_it_is_told() {
    let (pool, _) = pool_with_file();
    let mut writer = pool.spawn(["put", "-", "/slow"]);
    pool.wait_until_held(&writer);
    let started = Instant::now();
    let busy = pool.run(["--json", "mkdir", "/d", "--wait", "1s"]).expect(5);
    assert!(started.elapsed() >= Duration::from_secs(1));
    assert_valid("error", &busy);
    let activity = busy.json()["error"]["activity"].clone();
    assert_eq!(
        (&activity["pid"], &activity["command"]),
        (&writer.id().into(), &"put - /slow".into()),
        "{activity}"
    );
    pool.run(["mkdir", "/d", "--wait", "ever"]).expect(2);
    let waiting: Vec<Child> =
        ["/a", "/b", "/c"].map(|name| pool.spawn(["mkdir", name, "--wait", "1m"])).into();
    let interrupted = pool.spawn(["mkdir", "/x", "--wait", "1h"]);
    wait_until("they wait", || {
        waiting
            .iter()
            .chain([&interrupted])
            .all(|child| fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap().contains(") S "))
    });
    signal(&interrupted, "TERM");
    answer(interrupted.wait_with_output().unwrap()).expect(6);
    drop(writer.stdin.take());
    assert!(writer.wait().unwrap().success());
    for child in waiting {
        answer(child.wait_with_output().unwrap()).ok();
    }
    assert_eq!(pool.run(["ls"]).ok().text(), "a/\nb/\nc/\nfile\nslow\n");
}

/// `scrub status` had nothing to say of a scrub that was running, and `health` did not know.
#[test]
fn what_goes_on_is_told_beside_it() {
    let (pool, _) = pool_with_file();
    let child = scrub(&pool);
    let status = pool.run(["--json", "scrub", "status"]).ok();
    assert_valid("scrub", &status);
    let status = status.json();
    assert_eq!(
        (&status["state"], &status["activity"]["pid"]),
        (&"running".into(), &child.id().into()),
        "{status}"
    );
    let text = pool.run(["scrub", "status"]).ok().text();
    assert!(text.contains("scrub is running") && text.contains("scrub start --throttle 100KB"), "{text}");
    let health = pool.run(["--json", "health"]).ok();
    assert_valid("health", &health);
    assert_eq!(health.json()["activity"]["progress"]["label"], "scrub");
    let status = pool.run(["--json", "status"]).ok();
    assert_valid("status", &status);
    assert_eq!(status.json()["activity"]["pid"], child.id());
    // It was called interrupted there, and was to be resumed.
    assert_eq!(status.json()["scrub"]["state"], "running");
    let waits = |answer: Value| answer["reasons"].to_string().contains("SCRUB_WAITING");
    assert!(!waits(health.json()) && !waits(status.json()));
    pool.run(["disk", "list"]).ok();
    pool.run(["disk", "show", "disk-0"]).ok();
    let busy = pool.run(["mkdir", "/d"]).expect(5);
    assert!(busy.stderr.contains("scrub start") && busy.stderr.contains("--wait"), "{}", busy.stderr);
    // Another job is not what continues.
    pool.run(["rebuild", "pause"]).expect(5);
    signal(&child, "TERM");
    answer(child.wait_with_output().unwrap()).expect(6);
    assert!(!pool.path().join("activity.json").exists());
    assert_eq!(pool.json(["scrub", "status"])["state"], "interrupted");
    assert!(waits(pool.json(["health"])));
}

/// `health` told to start a rebuild beside the one that was running.
#[test]
fn a_rebuild_that_goes_on_is_not_told_to_be_started() {
    let (pool, _) = pool_with_file();
    // More than a step of a rebuild.
    pool.run_with_input(["put", "-", "/more"], &noise(30_000_000, 6)).ok();
    fs::remove_file(pool.disk(1)).unwrap();
    let new = pool.beside("new");
    let new = new.to_str().unwrap();
    let replace = ["disk", "replace", "disk-1", new, "--size", "32MiB", "--yes", "--throttle", "100KB"];
    let mut rebuild = pool.spawn(replace);
    wait_for_progress(&mut rebuild);
    let health = pool.run(["--json", "health"]).json();
    let reasons = health["reasons"].as_array().unwrap();
    let of = |code: &str| reasons.iter().find(|reason| reason["code"] == code);
    let degraded = of("EXTENTS_DEGRADED").unwrap_or_else(|| panic!("{health}"));
    assert_eq!(degraded["next"], "dynamicfs rebuild status", "{health}");
    assert!(reasons.iter().all(|reason| reason["next"] != "dynamicfs rebuild start"), "{health}");
    signal(&rebuild, "TERM");
    answer(rebuild.wait_with_output().unwrap()).expect(6);
}

/// `scrub pause` was told that the pool is busy, by the scrub that it was to pause.
#[test]
fn a_job_is_paused_and_cancelled_while_it_goes_on() {
    let (pool, _) = pool_with_file();
    let child = scrub(&pool);
    let paused = pool.run(["--json", "scrub", "pause"]).ok().json();
    assert_eq!(paused["state"], "paused", "{paused}");
    // It continues where it was, as after Ctrl-C: units do not take that for a failure.
    answer(child.wait_with_output().unwrap()).expect(6);
    let mut child = pool.spawn(["scrub", "start", "--restart", "--throttle", "100KB"]);
    wait_for_progress(&mut child);
    let cancelled = pool.run(["--json", "scrub", "cancel"]).ok().json();
    assert_eq!(cancelled["state"], "cancelled", "{cancelled}");
    answer(child.wait_with_output().unwrap()).ok();
    assert!(!pool.path().join("request.json").exists());
    // One that was killed leaves its word behind, which counts for nothing.
    let child = scrub(&pool);
    signal(&child, "KILL");
    assert!(!child.wait_with_output().unwrap().status.success());
    assert!(pool.path().join("activity.json").exists());
    assert_eq!(pool.json(["scrub", "status"])["state"], "interrupted");
    pool.run(["scrub", "pause"]).ok();
    assert!(!pool.path().join("activity.json").exists());
}

/// What a process writes is read beside it whole or not at all.
#[test]
fn a_look_beside_a_writer_is_never_of_half_a_commit() {
    let (pool, _) = pool_with_file();
    let folder = pool.beside("many");
    fs::create_dir(&folder).unwrap();
    for number in 0..3000 {
        fs::write(folder.join(number.to_string()), noise(2000, number)).unwrap();
    }
    let mut writer = pool.spawn(["put", "-r", folder.to_str().unwrap(), "/"]);
    drop(writer.stdin.take());
    let mut looks = 0;
    while writer.try_wait().unwrap().is_none() {
        let health = pool.run(["--json", "health"]);
        // Too much was committed meanwhile, or all is well; never is something missing.
        let verdict = health.json()["status"].clone();
        assert!(
            verdict == "healthy" && health.code == 0 || verdict == "unknown" && health.code == 3,
            "{}",
            health.json()
        );
        looks += 1;
    }
    assert!(looks > 0);
    pool.run(["check"]).ok();
}
