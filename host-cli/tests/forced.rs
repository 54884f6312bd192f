//! `--force-degraded`: commands that read are served what is here and change nothing; commands that write
//! tell what they give up.
//!
//! The first command committed the override, an `ls` or a `put --dry-run` too. It took the missing members
//! out of the pool, and did not ask whether anything could be read without them.

use crate::common::{TestPool, noise};
use std::fs;

/// A pool with some disks away, and the contents of those that are here.
fn without(disks: usize, scheme: &str, away: &[usize]) -> (TestPool, Vec<Vec<u8>>) {
    let pool = TestPool::new(disks, "32MiB", scheme);
    pool.run_with_input(["put", "-", "/file"], &noise(3_000_000, 3)).ok();
    for disk in away {
        fs::rename(pool.disk(*disk), pool.beside(&format!("away-{disk}"))).unwrap();
    }
    let images = images(&pool, disks);
    (pool, images)
}

fn images(pool: &TestPool, disks: usize) -> Vec<Vec<u8>> {
    (0..disks).filter_map(|disk| fs::read(pool.disk(disk)).ok()).collect()
}

#[test]
fn reading_and_trying_out_serve_what_is_here_and_commit_nothing() {
    let (pool, before) = without(3, "mirror:3", &[0, 1]);
    let list = fs::read_to_string(pool.path().join("pool.toml")).unwrap();
    let out = pool.beside("out");
    for arguments in [
        &["ls", "/"][..],
        &["cat", "/file"],
        &["get", "/file", out.to_str().unwrap()],
        &["stat", "/file"],
        &["status"],
        &["disk", "list"],
        &["verify", "/file"],
        &["--read-only", "ls", "/"],
        &["--dry-run", "mkdir", "/d"],
        &["--dry-run", "rm", "/file"],
        &["--dry-run", "put", out.to_str().unwrap(), "/new"],
        &["--dry-run", "disk", "drain", "disk-2"],
        &["--dry-run", "repair"],
    ] {
        // Confirming beforehand makes no difference to what only reads.
        let answer = pool.run(["--force-degraded", "--yes"].iter().chain(arguments));
        assert!(answer.code < 3, "{arguments:?}: {} {}", answer.code, answer.stderr);
        for said in ["disk-0", "disk-1", "generation"] {
            assert!(answer.stderr.contains(said), "{arguments:?} {said}: {}", answer.stderr);
        }
        assert!(images(&pool, 3) == before, "{arguments:?} wrote to a disk");
        assert_eq!(fs::read_to_string(pool.path().join("pool.toml")).unwrap(), list, "{arguments:?}");
    }
    assert!(fs::read(&out).unwrap() == noise(3_000_000, 3));
    // Nothing was given up: without the flag it is refused, and with the others back all is as it was.
    pool.run(["ls"]).expect(3);
    for disk in [0, 1] {
        fs::rename(pool.beside(&format!("away-{disk}")), pool.disk(disk)).unwrap();
    }
    pool.run(["health"]).ok();
    assert_eq!(pool.json(["status"])["status"], "healthy");
}

#[test]
fn writing_names_the_members_that_are_given_up_and_asks() {
    let (pool, before) = without(3, "mirror:3", &[0, 2]);
    let asked = pool.run(["--json", "--force-degraded", "mkdir", "/d"]).expect(3).json();
    assert_eq!(asked["error"]["code"], "not_confirmed", "{asked}");
    let message = asked["error"]["message"].as_str().unwrap();
    for said in
        ["disk-0", "disk-2", "disk-0.img", "everything that it lists can be read", "come back only wiped"]
    {
        assert!(message.contains(said), "{said}: {message}");
    }
    assert!(!message.contains("disk-1"), "{message}");
    assert!(images(&pool, 3) == before, "it was not confirmed");
    pool.run(["--force-degraded", "--yes", "mkdir", "/d"]).ok();
    assert_eq!(pool.cat("/file"), noise(3_000_000, 3));
    assert!(images(&pool, 3) != before);
}

#[test]
fn writing_is_refused_where_data_would_be_lost_unless_that_is_said() {
    let (pool, before) = without(6, "4+2", &[0, 3, 5]);
    for dry_run in [&["--dry-run"][..], &[]] {
        let arguments = ["--json", "--force-degraded", "--yes"].iter().chain(dry_run).chain(&["mkdir", "/d"]);
        let refused = pool.run(arguments).expect(3).json();
        assert_eq!(refused["error"]["code"], "would_lose_data", "{refused}");
        let message = refused["error"]["message"].as_str().unwrap();
        for said in ["disk-0", "disk-3", "disk-5", "cannot be read"] {
            assert!(message.contains(said), "{said}: {message}");
        }
        assert!(refused["error"]["hint"].as_str().unwrap().contains("--force-data-loss"), "{refused}");
        assert!(images(&pool, 6) == before, "{dry_run:?}: a disk was written to");
    }
    // The command that the hint names says what it is, and changes nothing.
    pool.run(["--force-degraded", "check"]).expect(4);
    assert!(images(&pool, 6) == before, "check wrote to a disk");
    // Saying so is no confirmation; both together are.
    pool.run(["--force-degraded", "--force-data-loss", "mkdir", "/d"]).expect(3);
    assert!(images(&pool, 6) == before, "it was not confirmed");
    pool.run(["--force-degraded", "--force-data-loss", "--yes", "mkdir", "/d"]).ok();
    assert_eq!(pool.json(["ls", "/"])["entries"].as_array().unwrap().len(), 2);
    pool.run(["cat", "/file"]).expect(4);
}

/// A majority is there, and serves; it may not write, since more members are away or owed something than the
/// pool tolerates. The flag continued without those that were missing only where the mount was refused: every
/// write failed, with a hint to attach them.
#[test]
fn a_majority_that_may_not_write_is_gone_on_with() {
    let (pool, _) = without(5, "mirror:2", &[1]);
    pool.run(["mkdir", "/later"]).ok();
    let listed = pool.run(["disk", "list"]).text();
    fs::rename(pool.disk(4), pool.beside("away-4")).unwrap();
    pool.run(["ls", "/"]).ok();
    let refused = pool.json(["mkdir", "/d"]);
    assert_eq!(refused["error"]["code"], "read_only", "{refused}");
    let told = pool.run(["health"]).expect(2).text();
    assert!(told.contains("WRITES_REFUSED") && told.contains("--force-degraded"), "{told}");
    let asked = pool.run(["--json", "--force-degraded", "mkdir", "/d"]).expect(3).json();
    let message = asked["error"]["message"].as_str().unwrap();
    for said in ["disk-1", "disk-4"] {
        assert!(message.contains(said), "{said}: {message}");
    }
    let before = images(&pool, 5);
    pool.run(["--force-degraded", "ls", "/"]).ok();
    assert!(images(&pool, 5) == before, "reading wrote to a disk");
    // It was not confirmed: nothing was given up.
    fs::rename(pool.beside("away-4"), pool.disk(4)).unwrap();
    assert_eq!(pool.run(["disk", "list"]).text(), listed);
    fs::rename(pool.disk(4), pool.beside("away-4")).unwrap();
    pool.run(["--force-degraded", "--force-data-loss", "--yes", "mkdir", "/d"]).ok();
    pool.run(["mkdir", "/e"]).ok();
    assert_eq!(pool.json(["ls", "/"])["entries"].as_array().unwrap().len(), 4);
}

// A disk that was cut is read for what it holds, and an override continues without it: what it holds is given
// up.
#[test]
fn a_disk_that_was_cut_is_counted_as_given_up() {
    let (pool, _) = without(2, "mirror:2", &[1]);
    let disk = fs::File::options().write(true).open(pool.disk(0)).unwrap();
    disk.set_len(24 << 20).unwrap();
    let before = images(&pool, 2);
    assert_eq!(pool.run(["--force-degraded", "cat", "/file"]).ok().stdout, noise(3_000_000, 3));
    let refused = pool.json(["--force-degraded", "--yes", "mkdir", "/d"]);
    assert_eq!(refused["error"]["code"], "would_lose_data", "{refused}");
    assert!(images(&pool, 2) == before, "a disk was written to");
}

/// The natural command was refused, with the override and after it.
#[test]
fn a_mirror_of_two_replaces_its_dead_disk() {
    let pool = TestPool::new(2, "32MiB", "mirror:2");
    let contents = noise(3_000_000, 8);
    pool.run_with_input(["put", "-", "/file"], &contents).ok();
    fs::remove_file(pool.disk(1)).unwrap();
    let new = pool.beside("new.img");
    let replace = ["disk", "replace", "disk-1", new.to_str().unwrap(), "--size", "32MiB"];
    pool.run(replace).expect(3);
    pool.run(replace.iter().chain(&["--force-degraded"])).expect(3);
    assert!(!new.exists());
    let replaced = pool.run(replace.iter().chain(&["--force-degraded", "--yes"])).ok();
    assert!(replaced.text().contains("new has taken the place of disk-1"), "{}", replaced.text());
    let disks = pool.json(["disk", "list"]);
    let names: Vec<&str> =
        disks["disks"].as_array().unwrap().iter().filter_map(|disk| disk["name"].as_str()).collect();
    assert_eq!(names, ["disk-0", "new"], "{disks}");
    assert_eq!(pool.json(["status"])["extents"]["readable"], 0);
    pool.run(["check"]).ok();
    assert!(pool.cat("/file") == contents);
}
