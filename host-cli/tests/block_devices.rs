//! Pools on block devices: loop devices over files, where this process may have them.

use crate::common::loops;
use crate::common::loops::Loop;
use crate::common::{TestPool, answer, noise};
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

const DISK_BYTES: u64 = 32 << 20;

/// What losetup is told of each of three devices: one has large sectors.
const SECTORS: [&[&str]; 3] = [&[], &["--sector-size", "4096"], &[]];

/// Devices over files of this size, one for each list of arguments to losetup.
fn attach(pool: &TestPool, arguments: &[&[&str]]) -> Vec<Loop> {
    let device = |(number, arguments): (usize, &&[&str])| {
        let file = pool.beside(&format!("backing-{number}"));
        File::create(&file).unwrap().set_len(DISK_BYTES).unwrap();
        Loop::attach(&file, arguments)
    };
    arguments.iter().enumerate().map(device).collect()
}

/// A pool on three devices, one of them with large sectors, and a file in it.
fn pool_on_devices() -> (TestPool, Vec<Loop>, Vec<u8>) {
    let pool = TestPool::none();
    let devices = attach(&pool, &SECTORS);
    let paths: Vec<&str> = devices.iter().map(Loop::text).collect();
    let made = pool.json(["init", "--scheme", "2+1", "--disk", paths[0], paths[1], paths[2]]);
    assert_eq!(made["raw_bytes"], 3 * DISK_BYTES, "{made}");
    let contents = noise(3_000_000, 5);
    let file = pool.file("file", &contents);
    pool.run(["put", file.to_str().unwrap(), "/file"]).ok();
    (pool, devices, contents)
}

/// Says why a test of block devices does less here, and tests what can be tested: that what is no disk is refused.
fn without_devices(why: &str) {
    println!("no loop devices, {why}: only refusals are tested");
    let pool = TestPool::none();
    let refused = pool.run(["--json", "init", "--disk", "/dev/null", "--scheme", "single"]).expect(1).json();
    assert!(refused["error"]["message"].as_str().unwrap().contains("/dev/null"), "{refused}");
    assert!(!pool.path().exists());
}

// Devices have sectors, sizes and claims of their own. For commands that store files they are disks like any
// other.
#[test]
fn a_pool_on_three_devices() {
    let _alone = match loops::alone() {
        Ok(alone) => alone,
        Err(why) => return without_devices(&why),
    };
    let (pool, devices, contents) = pool_on_devices();
    assert!(pool.cat("/file") == contents);
    pool.run(["get", "/file", pool.beside("back").to_str().unwrap()]).ok();
    assert!(fs::read(pool.beside("back")).unwrap() == contents);
    pool.run(["check"]).ok();
    let status = pool.json(["status"]);
    assert_eq!((&status["status"], &status["disks"]["healthy"]), (&"healthy".into(), &3.into()));
    let labels = pool.json(["labels"]);
    assert_eq!(labels["disks"][1]["path"], devices[1].text());
    for place in ["first", "copy", "last"] {
        assert_eq!(labels["disks"][1][place], "ok");
    }
    // What belongs to a pool is not given to another.
    let other = TestPool::none();
    let refused = other.run(["--json", "init", "--disk", devices[2].text()]).expect(3).json();
    assert_eq!(refused["error"]["code"], "in_use");
}

// One process at a time: the lock is on the devices themselves, whatever the path to the pool.
#[test]
fn a_second_opener_of_the_devices_is_refused() {
    let _alone = match loops::alone() {
        Ok(alone) => alone,
        Err(why) => return without_devices(&why),
    };
    let (pool, devices, contents) = pool_on_devices();
    let mut writer = pool.spawn(["put", "-", "/slow"]);
    let mut stdin = writer.stdin.take().unwrap();
    stdin.write_all(b"begun").unwrap();
    pool.wait_until_held(&writer);
    for command in [&["cat", "/file"][..], &["put", "/dev/null", "/x"], &["--read-only", "ls"], &["check"]] {
        // The source of the second is refused first, as it would be without the other process.
        let expected = if command[0] == "put" { (1, "invalid_argument") } else { (5, "busy") };
        let refused = pool.run(["--json"].iter().chain(command)).expect(expected.0).json();
        assert_eq!(refused["error"]["code"], expected.1, "{command:?}: {refused}");
        let message = refused["error"]["message"].as_str().unwrap();
        if expected.0 == 5 {
            assert!(
                message.contains(&writer.id().to_string()) && message.contains(devices[0].text()),
                "{message}"
            );
        }
    }
    let other = TestPool::none();
    let init = ["--json", "init", "--force", "--yes", "--scheme", "single", "--disk", devices[1].text()];
    let refused = other.run(init).expect(5).json();
    assert!(refused["error"]["message"].as_str().unwrap().contains(devices[1].text()), "{refused}");
    // Nor does the kernel give a device away that a pool has: as to a mount.
    let claim = |device: &Loop| {
        OpenOptions::new().read(true).write(true).custom_flags(libc::O_EXCL).open(device.path())
    };
    assert_eq!(claim(&devices[2]).unwrap_err().raw_os_error(), Some(libc::EBUSY));
    drop(stdin);
    assert!(writer.wait().unwrap().success());
    assert_eq!(pool.cat("/slow"), b"begun");

    // And the other way round: what the kernel has given away, the pool does not take, be it one disk of three.
    let mounted = claim(&devices[2]).unwrap();
    let refused = pool.run(["--json", "put", "-", "/x"]).expect(5).json();
    assert_eq!(refused["error"]["code"], "busy", "{refused}");
    drop(mounted);
    assert!(pool.cat("/file") == contents);
    pool.run(["check"]).ok();
}

// A reader keeps no other reader out, and keeps all writers out.
#[test]
fn readers_share_the_devices() {
    let _alone = match loops::alone() {
        Ok(alone) => alone,
        Err(why) => return without_devices(&why),
    };
    let (pool, _devices, contents) = pool_on_devices();
    // More than a pipe holds: it waits with the pool open.
    let mut reader = pool.spawn(["--read-only", "cat", "/file"]);
    let mut stdout = reader.stdout.take().unwrap();
    let mut first = [0; 100];
    stdout.read_exact(&mut first).unwrap();
    assert!(pool.run(["--read-only", "cat", "/file"]).ok().stdout == contents);
    pool.run(["--json", "put", "-", "/x"]).expect(5);
    let mut rest = Vec::new();
    stdout.read_to_end(&mut rest).unwrap();
    assert!(contents == [&first[..], &rest].concat());
    answer(reader.wait_with_output().unwrap()).ok();
    pool.run(["put", "-", "/x"]).ok();
}

// A device whose medium is gone is still in /dev: without sectors, it is a missing disk and no reason to give up.
#[test]
fn a_device_without_its_medium_is_a_missing_disk() {
    let _alone = match loops::alone() {
        Ok(alone) => alone,
        Err(why) => return without_devices(&why),
    };
    let (pool, mut devices, contents) = pool_on_devices();
    let gone = devices.remove(0).detach();
    assert!(pool.cat("/file") == contents);
    let disk = &pool.json(["disk", "list"])["disks"][0];
    // Another device may have been given the number.
    let states = ["missing", "unusable", "foreign", "unlabelled"];
    assert!(states.contains(&disk["state"].as_str().unwrap()) && disk["note"].is_string(), "{disk}");
    pool.run(["health"]).expect(2);
    pool.run_with_input(["put", "-", "/more"], b"more").ok();
    // It comes back under another number.
    let back = Loop::attach(&pool.beside("backing-0"), &[]);
    set_paths(&pool, &[&gone], &[back.text()]);
    assert_eq!(pool.json(["disk", "list"])["disks"][0]["state"], "behind");
    assert_eq!(pool.cat("/more"), b"more");
}

// A device that is write-protected can be read, and a writer is told which it is.
#[test]
fn write_protected_devices_can_be_read() {
    let _alone = match loops::alone() {
        Ok(alone) => alone,
        Err(why) => return without_devices(&why),
    };
    let (pool, devices, contents) = pool_on_devices();
    let old: Vec<PathBuf> = devices.into_iter().map(Loop::detach).collect();
    let protect = |(number, &arguments): (usize, &&[&str])| {
        Loop::attach(&pool.beside(&format!("backing-{number}")), &[arguments, &["--read-only"]].concat())
    };
    let devices: Vec<Loop> = SECTORS.iter().enumerate().map(protect).collect();
    let paths: Vec<&str> = devices.iter().map(Loop::text).collect();
    set_paths(&pool, &[&old[0], &old[1], &old[2]], &paths);
    assert!(pool.cat("/file") == contents);
    pool.run(["check"]).ok();
    let refused = pool.run(["--json", "put", "-", "/x"]).expect(1).json();
    assert!(refused["error"]["message"].as_str().unwrap().contains(paths[0]), "{refused}");
    assert!(refused["error"]["hint"].as_str().unwrap().contains("writable"), "{refused}");
}

/// Corrects where disks are in `pool.toml`.
fn set_paths(pool: &TestPool, old: &[&Path], new: &[&str]) {
    let file = pool.path().join("pool.toml");
    let mut text = fs::read_to_string(&file).unwrap();
    // By way of names that no device has: an old path may be a new one too.
    for (number, old) in old.iter().enumerate() {
        text = text.replace(&format!("\"{}\"", old.to_string_lossy()), &format!("\"device {number}\""));
    }
    for (number, new) in new.iter().enumerate() {
        text = text.replace(&format!("\"device {number}\""), &format!("\"{new}\""));
    }
    fs::write(&file, text).unwrap();
}

/// Whatever opens the device next writes to the file: a member was overwritten so.
#[test]
fn a_file_under_a_loop_device_is_refused_also_where_nothing_has_that_open() {
    let _alone = match loops::alone() {
        Ok(alone) => alone,
        Err(why) => return without_devices(&why),
    };
    let pool = TestPool::new(2, "32MiB", "mirror:2");
    let file = pool.beside("file.img");
    File::create(&file).unwrap().set_len(DISK_BYTES).unwrap();
    let device = Loop::attach(&file, &[]);
    let file = file.to_str().unwrap();
    for force in [&[][..], &["--force", "--yes"]] {
        let refused = pool.run(["disk", "add", file].iter().chain(force)).expect(5);
        assert!(refused.stderr.contains(device.text()), "{}", refused.stderr);
    }
    drop(device);
    pool.run(["disk", "add", file]).ok();
}
