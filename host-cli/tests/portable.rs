//! Pools that a host makes for firmware: images of disks with small sectors, mounted with little memory.

mod common;

use common::TestPool;
use std::ffi::OsString;
use std::fs::File;
use std::path::PathBuf;

/// Three files that are to be disks.
fn images(pool: &TestPool) -> Vec<PathBuf> {
    let paths: Vec<PathBuf> = ["a", "b", "c"].map(|name| pool.beside(name)).into();
    paths.iter().for_each(|path| File::create(path).unwrap().set_len(8 << 20).unwrap());
    paths
}

/// Arguments of a command that names the pool by its disks alone, before the command.
fn on(disks: &[PathBuf], command: &[&str]) -> Vec<OsString> {
    let disks = disks.iter().map(|path| path.as_os_str().to_owned());
    let command = command.iter().map(|&word| word.into());
    [OsString::from("--disk")].into_iter().chain(disks).chain(command).collect()
}

/// `--disk A B C status` took the command for one more disk.
#[test]
fn a_list_of_disks_ends_where_a_command_begins() {
    let pool = TestPool::none();
    let disks = images(&pool);
    pool.run(on(&disks, &["init", "--portable", "--scheme", "mirror:2"])).ok();
    for command in [&["status"][..], &["disk", "list"], &["ls", "/"], &["check"], &["scrub", "start"]] {
        pool.run(on(&disks, command)).ok();
    }
}
