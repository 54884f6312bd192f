//! Ctrl-C in the middle of something large: exit code 6, no half of a file anywhere, and the same command finishes it.

mod common;
#[path = "common/gate.rs"]
mod gate;

use common::{TestPool, answer, dense_file, noise, pause, position, signal, wait_until};
use gate::Gate;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;

/// Far more than is written or read before a test notices that it has begun.
const LARGE_BYTES: u64 = 256 << 20;

/// The signals that ask a process to stop.
const SIGNALS: [&str; 3] = ["INT", "TERM", "HUP"];

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

/// The file that a process is writing in a folder: one that is not complete.
fn being_written(child: &Child, folder: &Path) -> Option<PathBuf> {
    let files = fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    files.into_iter().find(|file| position(child, file).is_some_and(|written| written > 0))
}

/// Pauses a process that is in the middle of a file, signals it and lets it go on.
fn interrupt_within(child: &Child, file: &Path, name: &str) {
    pause(child);
    let at = position(child, file).expect("the file is still open");
    assert!(at < LARGE_BYTES, "all was done before the signal");
    signal(child, name);
    signal(child, "CONT");
}

// What is fetched gets its name when it is complete. Until then the old file is there, or none.
#[test]
fn a_get_that_is_interrupted_leaves_no_half_of_a_file() {
    let (pool, _) = pool_with_large_file();
    let folder = pool.beside("out");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("old"), b"old").unwrap();
    for (name, dest) in SIGNALS.into_iter().zip(["new", "old", "new"]) {
        let get = pool.spawn(["--json", "get", "/large", folder.join(dest).to_str().unwrap()]);
        let mut file = None;
        wait_until("the file is being written", || {
            file = being_written(&get, &folder);
            file.is_some()
        });
        interrupt_within(&get, &file.unwrap(), name);
        let ended = answer(get.wait_with_output().unwrap()).expect(6).json();
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
    let get = pool.spawn(["get", "-r", "/", folder.to_str().unwrap()]);
    let mut file = None;
    // The small file is written too, and may come first.
    wait_until("the large file is being written", || {
        file = being_written(&get, &folder);
        file.as_ref().and_then(|file| position(&get, file)).is_some_and(|at| at > 1 << 20)
    });
    interrupt_within(&get, &file.unwrap(), "INT");
    let ended = answer(get.wait_with_output().unwrap()).expect(6);
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
    for (name, to) in SIGNALS.into_iter().zip(["/new", "/old", "/new"]) {
        let put = pool.spawn(["--json", "put", large.to_str().unwrap(), to]);
        wait_until("the file is being read", || position(&put, &large).is_some_and(|read| read > 0));
        interrupt_within(&put, &large, name);
        let ended = answer(put.wait_with_output().unwrap()).expect(6).json();
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

/// Whether a process has yet to take a signal.
fn is_pending(child: &Child, number: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let pending = status.lines().find_map(|line| line.strip_prefix("ShdPnd:")).unwrap();
    u64::from_str_radix(pending.trim(), 16).unwrap() >> (number - 1) & 1 == 1
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
    for name in SIGNALS {
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

// The first Ctrl-C waits for the system; one who does not want to wait presses it again.
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
