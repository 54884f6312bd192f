//! Ctrl-C in the middle of something large: exit code 6, no half of a file anywhere, and the same command finishes it.

use crate::common::gate::Gate;
use crate::common::traced::signalled_at;
use crate::common::{Answer, TestPool, answer, dense_file, noise, signal, wait_until};
use std::fs;
use std::path::Path;
use std::process::Child;

/// Bytes of a file that more calls write than the first ones.
const LARGE_BYTES: u64 = 64 << 20;

/// System calls after which the file is begun and far from complete: of a `get`, of a `put` to two disks, and
/// of a `salvage`.
const CALLS_OF_GET: usize = 8;
const CALLS_OF_PUT: usize = 40;
const CALLS_OF_SALVAGE: usize = 20;

/// The signals that ask a process to stop.
const SIGNALS: [(&str, i32); 3] = [("INT", libc::SIGINT), ("TERM", libc::SIGTERM), ("HUP", libc::SIGHUP)];

/// A pool with a file of [`LARGE_BYTES`] and a small one.
fn pool_with_large_file() -> (TestPool, Vec<u8>) {
    let pool = TestPool::new(1, "512MiB", "single");
    let small = noise(300_000, 1);
    pool.run_with_input(["put", "-", "/a-small"], &small).ok();
    let large = pool.beside("large");
    dense_file(&large, LARGE_BYTES);
    pool.run(["put", large.to_str().unwrap(), "/large"]).ok();
    (pool, small)
}

/// Names in a folder of this machine.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = entries.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

/// Runs a command, which gets a signal when it has begun to write what is large.
#[track_caller]
fn interrupted(pool: &TestPool, arguments: &[&str], calls: usize, signal: i32) -> Answer {
    let (was_signalled, answer) = signalled_at(&mut pool.command(arguments), calls, signal);
    assert!(was_signalled, "it makes fewer calls");
    answer.expect(6)
}

// What is fetched gets its name when it is complete. Until then the old file is there, or none.
#[test]
fn a_get_that_is_interrupted_leaves_no_half_of_a_file() {
    let (pool, _) = pool_with_large_file();
    let folder = pool.beside("out");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("old"), b"old").unwrap();
    for ((name, signal), dest) in SIGNALS.into_iter().zip(["new", "old", "new"]) {
        let dest = folder.join(dest);
        let ended =
            interrupted(&pool, &["--json", "get", "/large", dest.to_str().unwrap()], CALLS_OF_GET, signal)
                .json();
        assert_eq!(ended["error"]["code"], "interrupted", "{ended}");
        assert!(ended["error"]["hint"].is_string());
        assert_eq!(names(&folder), ["old"], "{name}");
        assert_eq!(fs::read(folder.join("old")).unwrap(), b"old");
    }
    pool.run(["check"]).ok();
    assert_eq!(pool.json(["status"])["status"], "healthy");
}

// Of a folder what was complete stays; the rest is fetched by the same command.
#[test]
fn a_get_of_a_folder_that_is_interrupted_keeps_what_is_complete() {
    let (pool, small) = pool_with_large_file();
    let folder = pool.beside("out");
    let ended = interrupted(&pool, &["get", "-r", "/", folder.to_str().unwrap()], CALLS_OF_GET, libc::SIGINT);
    assert!(ended.stderr.contains("interrupted") && ended.stderr.contains("hint:"), "{}", ended.stderr);
    let there = names(&folder);
    assert!(there.is_empty() || there == ["a-small"], "{there:?}");
    if !there.is_empty() {
        assert!(fs::read(folder.join("a-small")).unwrap() == small);
    }
    pool.run(["rm", "/large"]).ok();
    pool.run(["get", "-r", "/", folder.to_str().unwrap()]).ok();
    assert!(fs::read(folder.join("a-small")).unwrap() == small);
}

// A transaction that was not committed never was: no name, no blocks.
#[test]
fn a_put_that_is_interrupted_leaves_the_pool_as_it_was() {
    let pool = TestPool::new(2, "8GiB", "mirror:2");
    pool.run_with_input(["put", "-", "/old"], b"old").ok();
    let large = pool.beside("large");
    dense_file(&large, LARGE_BYTES);
    let extents = |pool: &TestPool| pool.json(["status"])["extents"]["total"].as_u64();
    let before = extents(&pool);
    for ((name, signal), to) in SIGNALS.into_iter().zip(["/new", "/old", "/new"]) {
        let ended =
            interrupted(&pool, &["--json", "put", large.to_str().unwrap(), to], CALLS_OF_PUT, signal).json();
        assert_eq!(ended["error"]["code"], "interrupted", "{ended}");
        assert_eq!(pool.json(["ls"])["entries"].as_array().unwrap().len(), 1, "{name}");
        assert_eq!((pool.cat("/old"), extents(&pool)), (b"old".to_vec(), before));
        pool.run(["check"]).ok();
    }
    // Of the filesystem that the images are in the test knows nothing.
    let reasons = pool.json(["status"])["reasons"].clone();
    let is_of_host = |reason: &serde_json::Value| reason["code"].as_str().unwrap().starts_with("HOST_");
    let is_worse = |reason: &serde_json::Value| reason["severity"] != "info" && !is_of_host(reason);
    assert!(!reasons.as_array().unwrap().iter().any(is_worse), "{reasons}");
}

// The same command was told, which does not take a folder that something is in.
#[test]
fn a_salvage_that_is_interrupted_tells_of_what_is_there_and_how_to_begin_anew() {
    let (pool, _) = pool_with_large_file();
    let folder = pool.beside("out");
    let salvage = ["--json", "salvage", folder.to_str().unwrap()];
    let ended = interrupted(&pool, &salvage, CALLS_OF_SALVAGE, libc::SIGINT).json();
    let there = names(&folder);
    let files = there.iter().filter(|name| *name != "salvage-report.json");
    let bytes: u64 = files.clone().map(|name| fs::metadata(folder.join(name)).unwrap().len()).sum();
    assert!(!there.contains(&"large".to_owned()), "{there:?}");
    assert_eq!((&ended["files"], &ended["bytes"]), (&files.count().into(), &bytes.into()), "{ended}");
    let hint = ended["error"]["hint"].as_str().unwrap();
    assert!(hint.contains("`dynamicfs salvage DEST`") && !hint.contains("same command"), "{hint}");
    assert!(!ended["error"]["message"].as_str().unwrap().contains("committed"), "{ended}");
    let anew = pool.beside("anew");
    pool.run(["salvage", anew.to_str().unwrap()]).ok();
    assert_eq!(fs::metadata(anew.join("large")).unwrap().len(), LARGE_BYTES);
}

// They were said to keep what was committed before.
#[test]
fn a_command_that_only_looks_says_that_nothing_was_changed() {
    let pool = TestPool::new(2, "64MiB", "mirror:2");
    pool.run_with_input(["put", "-", "/file"], &noise(300_000, 1)).ok();
    let mut writer = pool.spawn(["put", "-", "/slow"]);
    pool.wait_until_held(&writer);
    for command in [&["verify", "/file"][..], &["check"]] {
        let looks = pool.spawn(["--json", "--wait", "1h"].iter().chain(command));
        // The last one that it begins to catch.
        wait_until("it catches signals", || has_signal(&looks, "SigCgt:", libc::SIGXFSZ as u32));
        signal(&looks, "INT");
        let ended = answer(looks.wait_with_output().unwrap()).expect(6).text();
        assert!(
            ended.contains("nothing was changed") && !ended.contains("committed"),
            "{command:?}: {ended}"
        );
    }
    drop(writer.stdin.take());
    assert!(writer.wait().unwrap().success());
}

/// Whether a process has yet to take a signal.
fn is_pending(child: &Child, number: u32) -> bool {
    has_signal(child, "ShdPnd:", number)
}

/// Whether a signal is in one of the sets that the system tells of a process.
fn has_signal(child: &Child, set: &str, number: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let signals = status.lines().find_map(|line| line.strip_prefix(set)).unwrap();
    u64::from_str_radix(signals.trim(), 16).unwrap() >> (number - 1) & 1 == 1
}

// Of a folder what was committed stays, and the same command finishes the rest.
#[test]
fn a_put_of_a_folder_that_is_interrupted_is_finished_by_the_same_command() {
    let pool = TestPool::new(2, "64MiB", "mirror:2");
    let top = pool.beside("top");
    fs::create_dir(&top).unwrap();
    // More than one transaction takes, and one that holds the command up.
    for number in 0..1500 {
        fs::write(top.join(format!("{number:04}")), number.to_string()).unwrap();
    }
    let gate = Gate::on(&top.join("1400"));
    let put = pool.spawn(["--json", "put", "-r", top.to_str().unwrap(), "/"]);
    gate.wait_until_wanted();
    signal(&put, "INT");
    // Else it may be done before.
    wait_until("it has taken the signal", || !is_pending(&put, 2));
    drop(gate);
    let ended = answer(put.wait_with_output().unwrap()).expect(6).json();
    let stored = ended["files"].as_u64().unwrap();
    assert!((900..1400).contains(&stored), "{ended}");
    assert_eq!(ended["error"]["code"], "interrupted");
    assert_eq!(pool.json(["ls", "/top"])["entries"].as_array().unwrap().len() as u64, stored);
    assert_eq!(pool.cat("/top/0007"), b"7");
    pool.run(["check"]).ok();
    let again = pool.json(["put", "-r", top.to_str().unwrap(), "/"]);
    assert_eq!(again["files"], 1500);
    assert_eq!(pool.cat("/top/1499"), b"1499");
    pool.run(["check"]).ok();
}

// What waits for a file that the system does not give looks at no signal. It ends all the same, and the pool
// is in order.
#[test]
fn a_command_that_waits_for_its_source_ends_when_it_is_asked_to() {
    let pool = TestPool::new(2, "64MiB", "mirror:2");
    pool.run_with_input(["put", "-", "/old"], b"old").ok();
    let stuck = pool.file("stuck", b"new");
    for (name, _) in SIGNALS {
        let gate = Gate::on(&stuck);
        let put = pool.spawn(["--json", "put", stuck.to_str().unwrap(), "/old"]);
        gate.wait_until_wanted();
        signal(&put, name);
        let ended = answer(put.wait_with_output().unwrap()).expect(6).json();
        assert_eq!(ended["error"]["code"], "interrupted", "{ended}");
        drop(gate);
        assert_eq!(pool.cat("/old"), b"old");
    }
    pool.run(["check"]).ok();
}

// The first Ctrl-C waits for the system; a second one does not.
#[test]
fn a_second_ctrl_c_ends_a_command_that_is_stuck() {
    let pool = TestPool::new(2, "64MiB", "mirror:2");
    pool.run_with_input(["put", "-", "/old"], b"old").ok();
    let stuck = pool.file("stuck", b"new");
    let gate = Gate::on(&stuck);
    let mut put = pool.spawn(["put", stuck.to_str().unwrap(), "/old"]);
    gate.wait_until_wanted();
    let mut ended = None;
    // Signals that come too close together count as one.
    wait_until("the command has ended", || {
        ended = put.try_wait().unwrap();
        if ended.is_none() {
            signal(&put, "INT");
        }
        ended.is_some()
    });
    assert_eq!(ended.and_then(|status| status.code()), Some(6));
    drop(gate);
    assert_eq!(pool.cat("/old"), b"old");
    pool.run(["check"]).ok();
}
