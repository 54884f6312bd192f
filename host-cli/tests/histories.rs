//! Mounts that are refused because disks may hold more than is here, or hold two histories: what is said, and what can be done.

use crate::common::hinted::type_hint;
use crate::common::{TestPool, assert_valid, noise};
use serde_json::Value;
use std::fs;

/// A mirror whose halves were written to alone, each while the other was away.
fn split_mirror() -> TestPool {
    let pool = TestPool::new(2, "32MiB", "mirror:2");
    pool.run_with_input(["put", "-", "/both"], &noise(300_000, 1)).ok();
    fs::rename(pool.disk(1), pool.beside("second")).unwrap();
    pool.run_with_input(["--force-degraded", "--yes", "put", "-", "/half-0"], b"first").ok();
    fs::rename(pool.disk(0), pool.beside("first")).unwrap();
    fs::rename(pool.beside("second"), pool.disk(1)).unwrap();
    pool.run_with_input(["--force-degraded", "--yes", "put", "-", "/half-1"], b"second").ok();
    fs::rename(pool.beside("first"), pool.disk(0)).unwrap();
    pool
}

/// The history that a disk belongs to, in a refusal.
fn history_of<'j>(refusal: &'j Value, disk: &str) -> &'j Value {
    let histories = refusal["error"]["histories"].as_array().unwrap();
    let is_of = |history: &&Value| history["disks"].as_array().unwrap().iter().any(|d| d["name"] == disk);
    histories.iter().find(is_of).unwrap()
}

fn names(pool: &TestPool, arguments: &[&str]) -> Vec<String> {
    let listed = pool.json(["ls"].iter().chain(arguments));
    let entries = listed["entries"].as_array().unwrap_or_else(|| panic!("{listed}"));
    entries.iter().map(|entry| entry["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_refusal_for_want_of_members_says_which_would_do() {
    let pool = TestPool::new(5, "32MiB", "mirror:3");
    pool.run_with_input(["put", "-", "/file"], b"kept").ok();
    let generation = pool.json(["status"])["pool"]["generation"].as_u64().unwrap();
    for disk in [0, 2, 4] {
        fs::rename(pool.disk(disk), pool.beside(&format!("away-{disk}"))).unwrap();
    }
    let refused = pool.run(["--json", "ls"]).expect(3);
    assert_valid("error", &refused);
    let refused = refused.json();
    assert_eq!(refused["error"]["code"], "members_missing");
    let history = history_of(&refused, "disk-1");
    assert_eq!(
        (history["members"].as_u64(), history["present"].as_u64(), history["wanting"].as_u64()),
        (Some(5), Some(2), Some(1))
    );
    assert_eq!(history["generation"], generation);
    let missing: Vec<_> = history["missing"].as_array().unwrap().iter().map(|m| m["name"].clone()).collect();
    assert_eq!(missing, ["disk-0", "disk-2", "disk-4"]);
    let text = pool.run(["ls"]).expect(3).stderr;
    for said in [
        "2 of 5 members are here",
        &format!("newer commit than generation {generation}"),
        "disk-0",
        "disk-4",
        "any 1 of them would do",
        "dynamicfs salvage DEST",
        "--force-degraded",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    // A disk that pool.toml does not list is told by its number.
    let list = fs::read_to_string(pool.path().join("pool.toml")).unwrap();
    let without = list.split("[[disk]]").filter(|part| !part.contains("disk-4")).collect::<Vec<_>>();
    fs::write(pool.path().join("pool.toml"), without.join("[[disk]]")).unwrap();
    let text = pool.run(["ls"]).expect(3).stderr;
    assert!(text.contains("member 4"), "{text}");
    fs::rename(pool.beside("away-2"), pool.disk(2)).unwrap();
    assert_eq!(pool.cat("/file"), b"kept");
}

#[test]
fn both_histories_are_named_and_either_can_be_chosen() {
    for (chosen, other) in [(0, 1), (1, 0)] {
        let pool = split_mirror();
        let (chosen_disk, other_disk) = (format!("disk-{chosen}"), format!("disk-{other}"));
        let refused = pool.run(["--json", "ls"]).expect(3);
        assert_valid("error", &refused);
        let refused = refused.json();
        assert_eq!(refused["error"]["code"], "diverged");
        let sides = [history_of(&refused, "disk-0"), history_of(&refused, "disk-1")];
        assert_ne!(sides[0]["branch"], sides[1]["branch"]);
        assert_eq!(sides[0]["fork"], sides[1]["fork"]);
        assert_eq!((sides[0]["members"].as_u64(), sides[0]["wanting"].as_u64()), (Some(1), Some(0)));
        let branch = sides[chosen]["branch"].as_str().unwrap();
        let text = pool.run(["ls"]).expect(3).stderr;
        let fork = sides[0]["fork"]["generation"].to_string();
        for said in [branch, "disk-0", "disk-1", &format!("at generation {fork}"), "--branch"] {
            assert!(text.contains(said), "{said}: {text}");
        }
        let labels = pool.json(["labels"]);
        assert_eq!(labels["disks"][chosen]["branch"], branch);

        // To look needs no confirmation, and leaves both as they are.
        let before = fs::read(pool.disk(other)).unwrap();
        let expected = ["both".to_owned(), format!("half-{chosen}")];
        assert_eq!(names(&pool, &["--branch", &branch[..6]]), expected);
        assert_eq!(names(&pool, &["--branch", &chosen_disk]), expected);
        assert_eq!(pool.run(["--branch", branch, "cat", "/both"]).ok().stdout, noise(300_000, 1));
        pool.run(["--read-only", "--branch", branch, "status"]).ok();
        pool.run(["ls"]).expect(3);
        let listed = pool.json(["--branch", branch, "disk", "list"]);
        assert_eq!(listed["disks"][other]["state"], "diverged", "{listed}");

        // To write gives the other up, which must be confirmed.
        let refused = pool.run(["--branch", branch, "mkdir", "/new"]).expect(3);
        assert!(refused.stderr.contains(&other_disk), "{}", refused.stderr);
        pool.run(["ls"]).expect(3);
        pool.run(["--branch", branch, "--yes", "mkdir", "/new"]).ok();
        assert_eq!(names(&pool, &[]), ["both".to_owned(), format!("half-{chosen}"), "new".to_owned()]);
        let status = pool.run(["--json", "status"]).ok();
        assert_valid("status", &status);
        let status = status.json();
        assert_eq!(status["members"][other]["state"], "diverged");
        let reasons = status["reasons"].as_array().unwrap();
        let reason = reasons.iter().find(|reason| reason["code"] == "DISK_DIVERGED").unwrap();
        assert!(fs::read(pool.disk(other)).unwrap() == before, "the other side was written to");

        // The next command that is named takes the disk back.
        type_hint(&pool, reason["next"].as_str().unwrap(), &[]).ok();
        pool.run(["rebuild", "start"]).ok();
        assert_eq!(pool.json(["status"])["status"], "healthy");
        assert_eq!(pool.cat("/both"), noise(300_000, 1));
        pool.run(["check"]).ok();
    }
}

#[test]
fn a_majority_is_preferred_to_an_override_by_mistake() {
    let pool = TestPool::new(3, "32MiB", "mirror:3");
    pool.run_with_input(["put", "-", "/file"], b"kept").ok();
    let branch = pool.json(["labels"])["disks"][0]["branch"].as_str().unwrap().to_owned();
    for disk in [1, 2] {
        fs::rename(pool.disk(disk), pool.beside(&format!("away-{disk}"))).unwrap();
    }
    pool.run(["--force-degraded", "--yes", "mkdir", "/mistake"]).ok();
    for disk in [1, 2] {
        fs::rename(pool.beside(&format!("away-{disk}")), pool.disk(disk)).unwrap();
    }
    assert_eq!(names(&pool, &[]), ["file", "mistake"]);
    assert_eq!(names(&pool, &["--branch", &branch]), ["file"]);
    pool.run(["--branch", &branch, "mkdir", "/right"]).expect(3);
    pool.run(["--branch", &branch, "--yes", "mkdir", "/right"]).ok();
    assert_eq!(names(&pool, &[]), ["file", "right"]);
    // The disk is a member of this history, too, and is replaced by itself.
    let disk = pool.disk(0);
    let replaced = pool.run(["disk", "replace", "disk-0", disk.to_str().unwrap(), "--force", "--yes"]).ok();
    assert!(replaced.text().contains("has taken the place"), "{}", replaced.text());
    assert_eq!(pool.json(["status"])["status"], "healthy");
    assert_eq!(pool.json(["status"])["disks"]["total"], 3);
    pool.run(["check"]).ok();
}

#[test]
fn copies_of_a_pool_that_both_went_on_are_told_apart_by_a_disk() {
    let pool = TestPool::new(2, "32MiB", "mirror:2");
    pool.run_with_input(["put", "-", "/both"], b"both").ok();
    for disk in [0, 1] {
        fs::copy(pool.disk(disk), pool.beside(&format!("copy-{disk}"))).unwrap();
    }
    pool.run_with_input(["put", "-", "/a"], b"of the original").ok();
    fs::rename(pool.disk(0), pool.beside("original-0")).unwrap();
    for disk in [0, 1] {
        fs::copy(pool.beside(&format!("copy-{disk}")), pool.disk(disk)).unwrap();
    }
    pool.run_with_input(["put", "-", "/b"], b"of the copy").ok();
    fs::rename(pool.beside("original-0"), pool.disk(0)).unwrap();
    let refused = pool.json(["ls"]);
    assert_eq!(refused["error"]["code"], "diverged");
    let branch = history_of(&refused, "disk-0")["branch"].as_str().unwrap();
    assert_eq!(branch, history_of(&refused, "disk-1")["branch"]);
    let refused = pool.run(["--branch", branch, "ls"]).expect(3);
    assert!(refused.stderr.contains("--branch disk-"), "{}", refused.stderr);
    // Half of a mirror: the other half could be newer, if it were not that.
    pool.run(["--branch", "disk-1", "ls"]).expect(3);
    let out = pool.beside("out");
    pool.run(["--branch", "disk-0", "salvage", out.to_str().unwrap()]).ok();
    assert_eq!(fs::read(out.join("a")).unwrap(), b"of the original");
    let asked = pool.run(["--branch", "disk-1", "--force-degraded", "mkdir", "/on"]).expect(3);
    assert!(asked.stderr.contains("disk-0"), "{}", asked.stderr);
    pool.run(["--branch", "disk-1", "--force-degraded", "--yes", "mkdir", "/on"]).ok();
    assert_eq!(names(&pool, &[]), ["b", "both", "on"]);
    assert_eq!(pool.json(["disk", "list"])["disks"][0]["state"], "diverged");
}

#[test]
fn a_history_that_there_is_not_is_refused() {
    let pool = TestPool::new(2, "32MiB", "mirror:2");
    pool.run(["--branch", "nonsense", "ls"]).expect(1);
    // The only one may be named, and gives up nothing.
    let branch = pool.json(["labels"])["disks"][0]["branch"].as_str().unwrap().to_owned();
    pool.run(["--branch", &branch, "mkdir", "/d"]).ok();
    pool.run(["--branch", "disk-1", "mkdir", "/e"]).ok();
    assert_eq!(names(&pool, &[]), ["d", "e"]);
}

/// The images of a pool were copied, and both copies continued. A disk of the copy takes the place of ours:
/// the pool is refused, whichever is ahead. Each side is named by a disk, reading writes to neither, and the
/// choice asks. The right disk put back, nothing is lost.
#[test]
fn a_disk_of_a_copy_is_refused_and_a_side_is_chosen_by_a_disk() {
    for (ours, other) in [(1, 4), (2, 3), (3, 2), (2, 2)] {
        let pool = TestPool::new(3, "32MiB", "mirror:2");
        let images = || [0, 1, 2].map(|disk| fs::read(pool.disk(disk)).unwrap());
        let restore = |images: &[Vec<u8>; 3]| {
            (0..3).for_each(|disk| fs::write(pool.disk(disk), &images[disk]).unwrap());
        };
        let put = |name: &str| pool.run_with_input(["put", "-", name], name.as_bytes()).ok();
        put("/before");
        let before = images();
        (0..other).for_each(|n| drop(put(&format!("/else-{n}"))));
        let copy = fs::read(pool.disk(1)).unwrap();
        restore(&before);
        (0..ours).for_each(|n| drop(put(&format!("/ours-{n}"))));
        let right = images();
        fs::write(pool.disk(1), copy).unwrap();

        let mixed = images();
        let refused = pool.run(["--json", "ls"]).expect(3);
        assert_valid("error", &refused);
        assert_eq!(refused.json()["error"]["code"], "diverged", "{ours} and {other}");
        let text = pool.run(["ls"]).expect(3).stderr;
        for said in ["--branch disk-0", "--branch disk-1", "detach"] {
            assert!(text.contains(said), "{said}: {text}");
        }
        for disk in ["disk-0", "disk-2"] {
            assert_eq!(pool.run(["--branch", disk, "cat", "/ours-0"]).ok().stdout, b"/ours-0");
        }
        let asked = pool.run(["--branch", "disk-0", "mkdir", "/new"]).expect(3).stderr;
        assert!(asked.contains("disk-1") && asked.contains("--yes"), "{asked}");
        assert!(images() == mixed, "{ours} and {other}: something was written");

        // Chosen, it continues, and asks no more.
        pool.run(["--branch", "disk-0", "--yes", "mkdir", "/new"]).ok();
        assert_eq!(pool.cat("/ours-0"), b"/ours-0");
        put("/after");
        // Or the right disk is put back instead.
        restore(&right);
        assert_eq!(pool.cat("/ours-0"), b"/ours-0");
        assert_eq!(pool.json(["status"])["status"], "healthy");
    }
}
