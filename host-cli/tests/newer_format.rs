//! Pools that a newer version made or changed: what this version does not know it does not touch, or does not write to.

use crate::common::{TestPool, noise};
use dynamicfs_core::inspect::{LABEL_BYTES, Label};
use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std_host_shim::crc32c;

const DISKS: usize = 3;

/// A feature that no version has yet.
const FEATURE: u32 = 0x20;

/// A pool with a file in it, and the file.
fn pool_with_file() -> (TestPool, Vec<u8>) {
    let contents = noise(500_000, 3);
    (TestPool::with_file(DISKS, "32MiB", "mirror:2", &contents), contents)
}

/// Changes all labels of a disk, their checksums included.
fn relabel(disk: &Path, change: impl Fn(&mut Label<&mut [u8]>)) {
    let file = OpenOptions::new().read(true).write(true).open(disk).unwrap();
    let mut bytes = [0; LABEL_BYTES];
    file.read_exact_at(&mut bytes, 0).unwrap();
    let label = Label::new(&bytes[..]).unwrap();
    for at in [0, label.copy_at(), label.end_at()] {
        file.read_exact_at(&mut bytes, at).unwrap();
        let mut label = Label::new(&mut bytes[..]).unwrap();
        change(&mut label);
        let crc = crc32c(0, &bytes[4..]);
        Label::new(&mut bytes[..]).unwrap().set_crc(crc);
        file.write_all_at(&bytes, at).unwrap();
    }
}

fn relabel_all(pool: &TestPool, change: impl Fn(&mut Label<&mut [u8]>)) {
    (0..DISKS).for_each(|disk| relabel(&pool.disk(disk), &change));
}

fn images(pool: &TestPool) -> Vec<Vec<u8>> {
    (0..DISKS).map(|disk| fs::read(pool.disk(disk)).unwrap()).collect()
}

// A pool whose records may mean something else must stay as it is, whatever the command and however it is forced.
#[test]
fn what_is_needed_to_read_it_is_not_known() {
    type Change = fn(&mut Label<&mut [u8]>);
    let changes: [(&str, Change); 2] =
        [("features 0x20", |label| label.set_incompat(FEATURE)), ("format 3", |label| label.set_version(3))];
    for (what, change) in changes {
        let (pool, _) = pool_with_file();
        relabel_all(&pool, change);
        let before = images(&pool);
        let out = pool.beside("out");
        for command in [
            &["ls"][..],
            &["cat", "/file"],
            &["get", "/file", out.to_str().unwrap()],
            &["put", "-", "/new"],
            &["rm", "/file"],
            &["mkdir", "/d"],
            &["check"],
            &["status"],
            &["metrics"],
            &["disk", "list"],
            &["--read-only", "ls"],
            &["--force-degraded", "--yes", "ls"],
        ] {
            let refused = pool.run(["--json"].iter().chain(command)).expect(1).json();
            let (code, message) = (&refused["error"]["code"], refused["error"]["message"].as_str().unwrap());
            assert_eq!(code, "unsupported", "{command:?}: {refused}");
            assert!(message.contains("disk-0") && message.contains(what), "{command:?}: {message}");
            assert!(refused["error"]["hint"].as_str().unwrap().contains("version"), "{refused}");
        }
        assert!(!out.exists());
        let health = pool.run(["--json", "health"]).expect(3).json();
        assert_eq!((&health["status"], &health["cause"]["code"]), (&"unknown".into(), &"unsupported".into()));
        let labels = pool.run(["--json", "labels"]).expect(1).json();
        let first = labels["disks"][0]["first"].as_str().unwrap();
        assert!(first.contains("does not know"), "{first}");
        assert!(before == images(&pool), "{what}: a disk was written to");
    }
}

// For `init`, a disk of a pool that is too new is no less in use than any other.
#[test]
fn init_does_not_overwrite_what_it_does_not_know() {
    let (pool, _) = pool_with_file();
    relabel_all(&pool, |label| label.set_incompat(FEATURE));
    let before = images(&pool);
    let other = TestPool::none();
    let disk = pool.disk(0);
    let disk = disk.to_str().unwrap();
    let init = ["--json", "init", "--disk", disk, "--scheme", "single"];
    for arguments in [&init[..], &[&init[..], &["--dry-run"]].concat()] {
        let refused = other.run(arguments).expect(3).json();
        let message = refused["error"]["message"].as_str().unwrap();
        assert_eq!(refused["error"]["code"], "in_use");
        assert!(message.contains(disk) && message.contains("0x20"), "{message}");
    }
    assert!(!other.path().exists());
    assert!(before == images(&pool));
    other.run(init.iter().chain(&["--force", "--yes"])).ok();
    other.run_with_input(["put", "-", "/file"], b"new").ok();
}

// What only a writer must know does not keep a reader out, and nothing is written.
#[test]
fn what_is_needed_to_write_to_it_is_not_known() {
    let (pool, contents) = pool_with_file();
    // One disk is enough: writing concerns them all.
    relabel(&pool.disk(1), |label| label.set_ro_compat(FEATURE));
    let before = images(&pool);
    assert_eq!(pool.cat("/file"), contents);
    pool.run(["get", "/file", pool.beside("out").to_str().unwrap()]).ok();
    assert!(fs::read(pool.beside("out")).unwrap() == contents);
    pool.run(["check"]).ok();
    assert_eq!(pool.json(["ls"])["entries"].as_array().unwrap().len(), 1);
    assert!(pool.json(["metrics"])["disk"]["writes"].is_u64());
    for command in [&["put", "-", "/new"][..], &["rm", "/file"], &["mkdir", "/d"], &["mv", "/file", "/x"]] {
        let refused = pool.run(["--json"].iter().chain(command)).expect(1).json();
        let message = refused["error"]["message"].as_str().unwrap();
        assert_eq!(refused["error"]["code"], "read_only", "{command:?}: {refused}");
        assert!(message.contains("disk-1") && message.contains("0x20"), "{message}");
        assert!(refused["error"]["hint"].as_str().unwrap().contains("version"), "{refused}");
    }
    let health = pool.run(["--json", "health"]).expect(1).json();
    let reason = &health["reasons"][0];
    assert_eq!((&health["status"], &reason["code"]), (&"warning".into(), &"NEWER_FEATURES".into()));
    assert!(reason["message"].as_str().unwrap().contains("0x20"), "{reason}");
    assert_eq!(reason["next"], "dynamicfs --version");
    assert!(pool.run(["--version"]).ok().text().contains(env!("CARGO_PKG_VERSION")));
    let labels = pool.json(["labels"]);
    assert!(labels["disks"][1]["note"].as_str().unwrap().contains("0x20"), "{labels}");
    assert!(labels["disks"][0]["note"].is_null());
    assert!(before == images(&pool), "a disk was written to");
}

// A flag that a reader need not know changes nothing, and stays for programs that know it.
#[test]
fn what_is_not_known_and_may_be_ignored() {
    let (pool, contents) = pool_with_file();
    relabel_all(&pool, |label| label.set_compat(FEATURE));
    assert_eq!(pool.cat("/file"), contents);
    pool.run_with_input(["put", "-", "/more"], &contents[..1000]).ok();
    assert_eq!(pool.cat("/more"), &contents[..1000]);
    pool.run(["rm", "/file"]).ok();
    pool.run(["check"]).ok();
    assert_eq!(pool.json(["status"])["status"], "healthy");
    for image in images(&pool) {
        assert_eq!(Label::new(&image[..]).unwrap().compat(), FEATURE);
    }
}
