//! Disks that are something else's: other filesystems, other names of one disk, things that are no disks.

use crate::common::loops;
use crate::common::loops::Loop;
use crate::common::{TestPool, noise};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const DISK_BYTES: u64 = 32 << 20;

/// The loop devices; without them it says what is not tested.
fn loop_devices() -> Option<File> {
    loops::alone().inspect_err(|why| println!("no loop devices, {why}: not tested here")).ok()
}

fn blank(pool: &TestPool, name: &str) -> PathBuf {
    let path = pool.beside(name);
    File::create(&path).unwrap().set_len(DISK_BYTES).unwrap();
    path
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// What the system takes a disk for, if `blkid` is there: empty for nothing.
fn blkid(path: &Path) -> Option<String> {
    let output = Command::new("blkid").args(["--probe", "--match-tag", "TYPE"]).arg(path).output().ok()?;
    Some(String::from_utf8(output.stdout).unwrap())
}

/// Runs a program that makes something on a disk; false if there is no such program.
fn make(program: &[&str], disk: &Path) -> bool {
    let made = Command::new(program[0]).args(&program[1..]).arg(disk).output();
    made.is_ok_and(|output| {
        assert!(output.status.success(), "{program:?}: {}", String::from_utf8_lossy(&output.stderr));
        true
    })
}

// An ext4 was overwritten without a word, and was an ext4 to the system afterwards: the second superblock
// block was left.
#[test]
fn filesystems_are_overwritten_only_with_consent_and_then_are_none() {
    let places: [(&str, u64, &[u8]); 12] = [
        ("xfs", 0, b"XFSB"),
        ("btrfs", 0x1_0040, b"_BHRfS_M"),
        ("ext4", 0x438, b"\x53\xef"),
        ("ntfs", 3, b"NTFS    "),
        ("LUKS", 0, b"LUKS\xba\xbe"),
        ("LVM", 512 + 24, b"LVM2 001"),
        ("RAID", 4096, b"\xfc\x4e\x2b\xa9"),
        ("RAID", DISK_BYTES - 0x1_0000, b"\xfc\x4e\x2b\xa9"),
        ("swap", 4086, b"SWAPSPACE2"),
        ("GPT", DISK_BYTES - 512, b"EFI PART"),
        ("zfs", (128 << 10) + 4096, b"\x0c\xb1\xba\x00\x00\x00\x00\x00"),
        ("iso9660", 0x8001, b"CD001"),
    ];
    for (name, at, magic) in places {
        let pool = TestPool::none();
        let disk = blank(&pool, "disk");
        let file = File::options().read(true).write(true).open(&disk).unwrap();
        file.write_all_at(magic, at).unwrap();
        let before = fs::read(&disk).unwrap();
        let init = ["--json", "init", "--scheme", "single", "--disk", text(&disk)];
        for more in [&[][..], &["--dry-run"], &["--yes"]] {
            let refused = pool.run(init.iter().chain(more)).expect(3).json();
            assert_eq!(refused["error"]["code"], "in_use", "{refused}");
            assert!(refused["error"]["message"].as_str().unwrap().contains(name), "{name}: {refused}");
        }
        // Consent is not confirmation.
        pool.run(init.iter().chain(&["--force"])).expect(3);
        assert!(fs::read(&disk).unwrap() == before && !pool.path().exists(), "{name}: it was written to");
        pool.run(init.iter().chain(&["--force", "--yes"])).ok();
        let mut found = vec![0; magic.len()];
        file.read_exact_at(&mut found, at).unwrap();
        assert_ne!(found, magic, "{name} is still there");
        pool.run(["check"]).ok();
    }
}

#[test]
fn what_the_system_calls_an_ext4_is_called_nothing_afterwards() {
    let pool = TestPool::new(2, "32MiB", "mirror:2");
    for (program, word) in [(&["mkfs.ext4", "-q", "-F"][..], "ext"), (&["mkswap"], "swap")] {
        let disk = blank(&pool, &format!("new-{word}"));
        if !make(program, &disk) {
            println!("no {}: tested by its signature alone", program[0]);
            continue;
        }
        let before = fs::read(&disk).unwrap();
        for command in [&["disk", "add"][..], &["disk", "replace", "disk-1"]] {
            let refused = pool.run(["--json"].iter().chain(command).chain(&[text(&disk)])).expect(3).json();
            assert!(refused["error"]["message"].as_str().unwrap().contains(word), "{refused}");
            assert_eq!(
                pool.json(["disk", "list"])["disks"].as_array().unwrap().len(),
                2 + usize::from(word == "swap")
            );
        }
        assert!(fs::read(&disk).unwrap() == before, "it was written to");
        pool.run(["disk", "add", "--force", "--yes", text(&disk)]).ok();
        if let Some(found) = blkid(&disk) {
            assert_eq!(found, "", "{word}");
        }
    }
    pool.run(["check"]).ok();
}

// A file was overwritten while a loop device over it was mounted: the locks on both do not meet.
#[test]
fn a_file_that_a_mounted_loop_device_is_over_is_in_use() {
    let Some(_alone) = loop_devices() else { return };
    let pool = TestPool::none();
    let disk = blank(&pool, "disk");
    let device = Loop::attach(&disk, &[]);
    // As a mount has it.
    let claimed =
        File::options().read(true).write(true).custom_flags(libc::O_EXCL).open(device.path()).unwrap();
    let init = ["--json", "init", "--scheme", "single", "--force", "--yes", "--disk", text(&disk)];
    for more in [&[][..], &["--dry-run"]] {
        let refused = pool.run(init.iter().chain(more)).expect(5).json();
        assert_eq!(refused["error"]["code"], "busy", "{refused}");
        assert!(refused["error"]["message"].as_str().unwrap().contains(device.text()), "{refused}");
    }
    drop(claimed);
    drop(device);
    pool.run(init).ok();
}

#[test]
fn two_names_of_one_disk_are_one_disk() {
    let pool = TestPool::none();
    let [disk, other] = ["disk", "other"].map(|name| blank(&pool, name));
    let link = pool.beside("link");
    std::os::unix::fs::symlink(&disk, &link).unwrap();
    let check = |first: &Path, second: &Path| {
        for more in [&[][..], &["--dry-run"], &["--force", "--yes"]] {
            let init = ["--json", "init", "--scheme", "mirror:2", "--disk", text(first), text(second)];
            let refused = pool.run(init.iter().chain(more)).expect(3).json();
            let message = refused["error"]["message"].as_str().unwrap();
            assert!(message.contains(text(first)) && message.contains(text(second)), "{message}");
        }
        assert!(fs::read(&disk).unwrap() == vec![0; DISK_BYTES as usize], "it was written to");
    };
    check(&disk, &link);
    let Some(_alone) = loop_devices() else { return };
    let devices = [Loop::attach(&disk, &[]), Loop::attach(&disk, &[])];
    check(devices[0].path(), devices[1].path());
    check(&disk, devices[1].path());
    // Two halves of one file are two disks, as two partitions are.
    let halves = pool.beside("halves");
    File::create(&halves).unwrap().set_len(2 * DISK_BYTES).unwrap();
    let half = DISK_BYTES.to_string();
    let halves =
        [Loop::attach(&halves, &["--sizelimit", &half]), Loop::attach(&halves, &["--offset", &half])];
    for device in devices {
        device.detach();
    }
    pool.run(["init", "--scheme", "mirror:2", "--disk", halves[0].text(), halves[1].text()]).ok();
    // Nor does a member's other name become a member.
    let made = TestPool::none();
    made.run(["init", "--scheme", "mirror:2", "--disk", text(&disk), text(&other)]).ok();
    let device = Loop::attach(&disk, &[]);
    for more in [&[][..], &["--force", "--yes"]] {
        made.run(["disk", "add", device.text()].iter().chain(more)).expect(3);
    }
    made.run(["check"]).ok();
}

/// An image, and a loop device over it, each with a pool.toml: their locks do not meet.
#[test]
fn two_writers_under_two_names_meet() {
    let Some(_alone) = loop_devices() else { return };
    let pool = TestPool::none();
    let disk = blank(&pool, "disk");
    pool.run(["init", "--scheme", "single", "--disk", text(&disk)]).ok();
    let device = Loop::attach(&disk, &[]);
    let other = TestPool::none();
    fs::create_dir(other.path()).unwrap();
    let list = fs::read_to_string(pool.path().join("pool.toml")).unwrap();
    fs::write(other.path().join("pool.toml"), list.replace(text(&disk), device.text())).unwrap();
    let mut writer = pool.spawn(["put", "-", "/slow"]);
    let stdin = writer.stdin.take().unwrap();
    pool.wait_until_held(&writer);
    let refused = other.run(["--json", "mkdir", "/d"]).expect(5).json();
    assert_eq!(refused["error"]["code"], "busy", "{refused}");
    assert!(refused["error"]["message"].as_str().unwrap().contains("other names of its disks"), "{refused}");
    drop(stdin);
    assert!(writer.wait().unwrap().success());
    pool.run(["check"]).ok();
}

// Opening a pipe waits for its other end: a command with a pipe in place of a disk hung for ever.
#[test]
fn what_is_no_disk_is_refused_at_once() {
    let pool = TestPool::new(3, "32MiB", "mirror:2");
    pool.run_with_input(["put", "-", "/file"], &noise(100_000, 4)).ok();
    let [pipe, folder, socket] = ["pipe", "folder", "socket"].map(|name| pool.beside(name));
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    fs::create_dir(&folder).unwrap();
    let _bound = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let started = Instant::now();
    for path in [&pipe, &folder, &socket, Path::new("/dev/null"), Path::new("/dev/zero")].map(AsRef::as_ref) {
        let fresh = TestPool::none();
        let path: &Path = path;
        fresh.run(["init", "--scheme", "single", "--disk", text(path)]).expect(1);
        fresh.run(["init", "--dry-run", "--scheme", "single", "--disk", text(path)]).expect(1);
        assert!(!fresh.path().exists(), "{}", path.to_string_lossy());
        pool.run(["disk", "add", text(path)]).expect(1);
        pool.run(["disk", "replace", "disk-0", text(path)]).expect(1);
        pool.run(["labels", "--disk", text(path)]).expect(1);
    }
    fs::rename(pool.disk(1), pool.beside("away")).unwrap();
    fs::rename(&pipe, pool.disk(1)).unwrap();
    let health = pool.run(["health"]).expect(2);
    assert!(
        health.text().contains("disk-1 cannot be used: a pipe, neither a file nor a block device"),
        "{}",
        health.text()
    );
    assert_eq!(pool.cat("/file"), noise(100_000, 4));
    assert!(started.elapsed() < Duration::from_secs(60), "something waited");
}

#[test]
fn a_disk_whose_name_is_no_text_is_refused_in_words() {
    let pool = TestPool::none();
    let disk = blank(&pool, "plain");
    let odd = pool.beside("x").with_file_name(OsStr::from_bytes(b"odd-\xff\xfe"));
    fs::rename(&disk, &odd).unwrap();
    for more in [&[][..], &["--dry-run"]] {
        let arguments = ["--json", "init", "--scheme", "single"].iter().chain(more).map(OsStr::new);
        let refused = pool.run(arguments.chain([OsStr::new("--disk"), odd.as_os_str()])).expect(1).json();
        assert_eq!(refused["error"]["code"], "invalid_name", "{refused}");
    }
    assert!(!pool.path().exists());
    let made = TestPool::new(1, "32MiB", "single");
    made.run([OsStr::new("disk"), OsStr::new("add"), odd.as_os_str()]).expect(1);
    made.run(["health"]).ok();
}

// A disk at such a place was replaced by the next file that the pool wrote.
#[test]
fn files_that_the_pool_keeps_are_no_disks() {
    let pool = TestPool::none();
    fs::create_dir(pool.path()).unwrap();
    let own = [
        "pool.toml.new",
        "pool.toml.unfinished",
        "events.jsonl",
        "activity.json",
        "request.json",
        ".dynamicfs-x",
    ];
    for name in own {
        let path = pool.path().join(name);
        File::create(&path).unwrap().set_len(32 << 20).unwrap();
        for more in [&[][..], &["--dry-run"], &["--force", "--yes"]] {
            let init = ["init", "--scheme", "single", "--disk", path.to_str().unwrap()];
            let refused = pool.run(init.iter().chain(more));
            assert!(refused.code != 0 && path.exists(), "{name} {more:?}: {}", refused.stderr);
        }
        fs::remove_file(&path).unwrap();
    }
    fs::remove_dir(pool.path()).unwrap();
    pool.run(["init", "--disks", "3", "--disk-size", "16MiB", "--scheme", "2+1"]).ok();
    for name in own {
        let path = pool.path().join(name);
        for command in ["add", "replace"] {
            let old = if command == "replace" { &["disk-0"][..] } else { &[] };
            let line = ["disk", command].into_iter().chain(old.iter().copied());
            let line = line.chain([path.to_str().unwrap(), "--size", "16MiB"]);
            assert!(pool.run(line).code != 0, "{command} {name}");
        }
    }
    pool.run(["health"]).ok();
}
