//! One opener at a time, also across processes.

use std::env;
use std::io::{BufRead, BufReader, Read, stdin};
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, Stdio};

use std_host_shim::{FileDisk, FileDiskOptions, OpenError};
use tempfile::TempDir;

/// Names the disk to hold, in the process that holds it.
const HOLD: &str = "HOLD_DISK";

fn disk() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk.img");
    drop(FileDisk::create(&path, 1 << 20).unwrap());
    (folder, path)
}

fn busy_by(result: Result<FileDisk, OpenError>) -> Option<u32> {
    match result {
        Err(OpenError::Busy { pid }) => pid,
        other => panic!("not busy but {other:?}"),
    }
}

/// Not a test of its own: what the other process of the tests below runs. It holds a disk until its input ends.
#[test]
fn hold_a_disk() {
    let Some(path) = env::var_os(HOLD) else { return };
    let _disk = FileDisk::open(path).unwrap();
    println!("\nholding");
    stdin().read_to_end(&mut Vec::new()).unwrap();
}

/// A process that has the disk open.
fn holder(path: &Path) -> Child {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "lock::hold_a_disk", "--nocapture"])
        .env(HOLD, path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
    assert!(
        lines.map(Result::unwrap).any(|line| line == "holding"),
        "the other process did not open the disk"
    );
    child
}

#[test]
fn another_process_is_named() {
    let (_folder, path) = disk();
    let mut child = holder(&path);
    assert_eq!(busy_by(FileDisk::open(&path)), Some(child.id()));
    assert_eq!(busy_by(FileDiskOptions::new().read_only(true).open(&path)), Some(child.id()));
    let error = FileDisk::open(&path).unwrap_err();
    assert_eq!(error.to_string(), format!("in use by process {}", child.id()));

    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    FileDisk::open(&path).unwrap();
}

#[test]
fn a_process_that_dies_releases_the_disk() {
    let (_folder, path) = disk();
    let mut child = holder(&path);
    assert!(FileDisk::open(&path).is_err());
    child.kill().unwrap();
    child.wait().unwrap();
    FileDisk::open(&path).unwrap();
}

#[test]
fn the_same_process_is_locked_out_too() {
    let (_folder, path) = disk();
    let disk = FileDisk::open(&path).unwrap();
    assert_eq!(busy_by(FileDisk::open(&path)), Some(process::id()));
    drop(disk);
    FileDisk::open(&path).unwrap();
}

#[test]
fn readers_share_and_writers_do_not() {
    let (_folder, path) = disk();
    let reader = FileDiskOptions::new().read_only(true);
    let first = reader.open(&path).unwrap();
    let second = reader.open(&path).unwrap();
    assert_eq!(busy_by(FileDisk::open(&path)), Some(process::id()));
    drop((first, second));
    FileDisk::open(&path).unwrap();
}

#[test]
fn a_new_disk_is_locked_from_the_beginning() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk.img");
    let _disk = FileDisk::create(&path, 1 << 20).unwrap();
    assert_eq!(busy_by(FileDisk::open(&path)), Some(process::id()));
}
