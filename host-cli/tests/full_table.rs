//! A pool that has as many members as it can have: a disk is replaced by one that takes its place in the
//! table.

use crate::common::traced::{run_with, signalled_at};
use crate::common::{TestPool, noise};
use std::fs;

/// How many disks the pool has.
fn disks(pool: &TestPool) -> usize {
    pool.json(["disk", "list"])["disks"].as_array().unwrap().len()
}

// The sectors of a file that is not there yet were not known, and those of a portable pool are small.
#[test]
fn a_portable_pool_takes_disks_up_to_four_and_replaces_them_then() {
    let pool = TestPool::none();
    pool.run(["init", "--portable", "--disks", "3", "--disk-size", "16MiB", "--scheme", "2+1"]).ok();
    let contents = noise(3_000_000, 5);
    pool.run_with_input(["put", "-", "/file"], &contents).ok();
    let file = |name: &str| pool.beside(name).to_str().unwrap().to_owned();
    pool.run(["disk", "add", &file("new"), "--size", "16MiB"]).ok();
    let before = fs::read_to_string(pool.path().join("pool.toml")).unwrap();
    let full = pool.run(["disk", "add", &file("more"), "--size", "16MiB"]).expect(1);
    assert!(full.stderr.contains("4 members at most"), "{}", full.stderr);
    let works = pool.run(["disk", "replace", "disk-1", &file("more"), "--size", "16MiB"]).expect(1);
    assert!(works.stderr.contains("`dynamicfs disk fail disk-1`"), "{}", works.stderr);
    pool.run(["-n", "disk", "replace", "disk-1", &file("more"), "--size", "16MiB"]).expect(1);
    pool.run(["-n", "disk", "add", &file("more"), "--size", "16MiB"]).expect(1);
    assert!(!pool.beside("more").exists());
    assert_eq!(fs::read_to_string(pool.path().join("pool.toml")).unwrap(), before);
    fs::remove_file(pool.disk(1)).unwrap();
    pool.run(["disk", "replace", "disk-1", &file("other"), "--size", "16MiB", "--yes"]).ok();
    pool.run(["disk", "fail", "disk-0", "--yes"]).ok();
    pool.run(["disk", "replace", "disk-0", &file("third"), "--size", "16MiB", "--yes"]).ok();
    assert_eq!(disks(&pool), 4);
    pool.assert_portable_well(&contents);
}

// The old disk leaves before the new one is a member: whatever is cut short is finished by the same command.
#[test]
fn a_replacement_in_a_full_pool_that_was_killed_is_done_again() {
    let contents = noise(300_000, 7);
    for (beside, first) in [(false, 0), (true, 13)] {
        let mut at = first;
        loop {
            let pool = TestPool::none();
            pool.run(["init", "--portable", "--disks", "4", "--disk-size", "8MiB", "--scheme", "2+2"]).ok();
            pool.run_with_input(["put", "-", "/file"], &contents).ok();
            fs::remove_file(pool.disk(1)).unwrap();
            let new = if beside { pool.beside("new") } else { pool.disk(1) };
            let replace = ["disk", "replace", "disk-1", new.to_str().unwrap(), "--size", "8MiB", "--yes"];
            let (killed, _) = signalled_at(&mut pool.command(replace), at, libc::SIGKILL);
            // Read and repaired as far as it came, and then whole.
            assert!(pool.cat("/file") == contents, "killed at {at}");
            // When nothing is wanting it has come to its end.
            if !pool.portable_reasons().is_empty() {
                pool.run(replace).ok();
            }
            assert_eq!(disks(&pool), 4, "killed at {at}");
            pool.assert_portable_well(&contents);
            if !killed {
                break;
            }
            at += 29;
        }
        assert!(at > 60, "{at} calls");
    }
}

/// The old disk was removed by force in the second mount of the command, whatever it alone held. It may go
/// away between the two mounts, if it is pulled to make room for the new one.
#[test]
fn a_disk_whose_contents_nothing_else_has_does_not_leave_a_full_pool() {
    let pool = TestPool::none();
    pool.run(["init", "--portable", "--disks", "4", "--disk-size", "16MiB", "--scheme", "mirror:2"]).ok();
    let contents = noise(300_000, 3);
    pool.run(["mkdir", "/single"]).ok();
    pool.run(["policy", "set", "--scheme", "single", "/single"]).ok();
    pool.run_with_input(["put", "-", "/single/file"], &contents).ok();
    let away = pool.beside("away");
    let holder = (0..4).find(|&number| {
        fs::rename(pool.disk(number), &away).unwrap();
        let is_readable = pool.run(["cat", "/single/file"]).code == 0;
        fs::rename(&away, pool.disk(number)).unwrap();
        !is_readable
    });
    let number = holder.expect("one disk at least has some of it alone");
    let name = format!("disk-{number}");
    let new = pool.beside("new");
    let new = new.to_str().unwrap();
    // The first change that the command makes is to its list of disks; the second mount is after that.
    let replace = ["disk", "replace", &name, new, "--size", "16MiB", "--yes", "--force-degraded"];
    let mut ends = 0;
    for at in 0..12 {
        let mut command = pool.command(replace);
        let (_, ended) = run_with(&mut command, at, |_| fs::rename(pool.disk(number), &away).unwrap());
        assert_ne!(ended.code, 0, "at {at}: {}", ended.stderr);
        ends += u32::from(ended.stderr.contains("could not be read"));
        if away.exists() {
            fs::rename(&away, pool.disk(number)).unwrap();
        }
        assert!(pool.cat("/single/file") == contents, "at {at}");
    }
    assert!(ends > 0, "it is never refused for what would be lost");
}

#[test]
fn a_disk_that_is_too_small_or_takes_no_writes_changes_nothing_in_a_full_pool() {
    let pool = TestPool::none();
    pool.run(["init", "--portable", "--disks", "4", "--disk-size", "32MiB", "--scheme", "mirror:2"]).ok();
    let contents = noise(42_500_000, 4);
    pool.run_with_input(["put", "-", "/file"], &contents).ok();
    let away = pool.beside("away");
    fs::rename(pool.disk(1), &away).unwrap();
    let new = pool.beside("new");
    let replace = |size| ["disk", "replace", "disk-1", new.to_str().unwrap(), "--size", size, "--yes"];
    for arguments in [&["--dry-run"][..], &[]] {
        let small = pool.run(arguments.iter().copied().chain(replace("8MiB"))).expect(1);
        assert!(small.stderr.contains("no room for the"), "{}", small.stderr);
    }
    assert!(!new.exists());
    fs::rename(&away, pool.disk(1)).unwrap();
    // It is a member, and is owed what the mount wrote without it.
    pool.run(["rebuild", "start"]).ok();
    assert_eq!(pool.json(["disk", "show", "disk-1"])["disk"]["state"], "online");
    assert!(pool.cat("/file") == contents);
    pool.run(["check"]).ok();
}
