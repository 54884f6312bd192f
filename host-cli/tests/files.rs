//! `locate` and `verify`: where files are, and whether they are right there.

use crate::common::{TestPool, assert_valid, noise};
use serde_json::Value;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;

const BLOCK: u64 = 4096;

/// A pool of a scheme with a file of several extents, one that is short, and one in the pool's own records.
fn pool_with_files(disks: usize, scheme: &str) -> (TestPool, Vec<u8>) {
    let pool = TestPool::new(disks, "64MiB", scheme);
    let contents = noise(6_000_000, 7);
    pool.run(["mkdir", "/d"]).ok();
    pool.run_with_input(["put", "-", "/d/file"], &contents).ok();
    pool.run_with_input(["put", "-", "/d/short"], &noise(20_000, 8)).ok();
    pool.run_with_input(["put", "-", "/d/inline"], b"a few bytes").ok();
    (pool, contents)
}

fn extents(pool: &TestPool, path: &str) -> Vec<Value> {
    let answer = pool.run(["--json", "locate", path]).ok();
    assert_valid("locate", &answer);
    answer.json()["files"][0]["extents"].as_array().unwrap().clone()
}

/// The disk of a fragment, by its number, and where on it the fragment begins.
fn place(extent: &Value, fragment: usize) -> (usize, u64) {
    let fragment = &extent["fragments"][fragment];
    let disk = fragment["disk"].as_str().unwrap().strip_prefix("disk-").unwrap().parse().unwrap();
    (disk, fragment["block"].as_u64().unwrap() * BLOCK)
}

/// Changes a byte of a fragment on the disk that has it.
fn rot(pool: &TestPool, extent: &Value, fragment: usize, at: u64) {
    let (disk, start) = place(extent, fragment);
    let disk = OpenOptions::new().read(true).write(true).open(pool.disk(disk)).unwrap();
    let mut byte = [0];
    disk.read_exact_at(&mut byte, start + at).unwrap();
    disk.write_all_at(&[!byte[0]], start + at).unwrap();
}

#[track_caller]
fn verify(pool: &TestPool, code: i32, arguments: &[&str]) -> Value {
    let answer = pool.run(["--json", "verify"].iter().chain(arguments)).expect(code);
    assert_valid("verify", &answer);
    answer.json()
}

/// Bytes on the disk, by what locate says.
#[test]
fn fragments_are_where_they_are_said_to_be() {
    for (disks, scheme, data) in [(6, "4+2", 4), (3, "mirror:2", 1)] {
        let (pool, contents) = pool_with_files(disks, scheme);
        let extents = extents(&pool, "/d/file");
        let mut at = 0;
        for extent in &extents {
            assert_eq!(extent["offset"], at);
            let fragment_bytes = extent["fragment_bytes"].as_u64().unwrap();
            for (index, fragment) in extent["fragments"].as_array().unwrap().iter().enumerate() {
                assert_eq!(fragment["state"], "there");
                let (disk, start) = place(extent, index);
                let image = fs::read(pool.disk(disk)).unwrap();
                let from = (at + if data > 1 { index as u64 * fragment_bytes } else { 0 }) as usize;
                if data == 1 || index < data {
                    assert!(image[start as usize..][..64] == contents[from..from + 64], "{scheme}: {index}");
                }
            }
            at += extent["bytes"].as_u64().unwrap();
        }
        assert_eq!(at, contents.len() as u64);
    }
}

#[test]
fn locate_says_who_is_there_and_how_many_may_fail() {
    let (pool, _) = pool_with_files(7, "4+2");
    let tolerance = |pool: &TestPool| pool.json(["locate", "/d/file"])["read_tolerance"].clone();
    let states = |pool: &TestPool, disk: &str| {
        let mut states: Vec<String> = Vec::new();
        for fragment in
            extents(pool, "/d/file").iter().flat_map(|extent| extent["fragments"].as_array().unwrap())
        {
            if fragment["disk"] == disk {
                states.push(fragment["state"].as_str().unwrap().to_owned());
            }
        }
        states.dedup();
        states
    };
    assert_eq!(tolerance(&pool), 2);
    // A folder: a line for each file; contents in the pool's own records are said to be there.
    let all = pool.json(["locate", "-r", "/d"]);
    assert_eq!(all["files"].as_array().unwrap().len(), 3);
    let inline = all["files"].as_array().unwrap().iter().find(|file| file["path"] == "/d/inline").unwrap();
    assert_eq!((&inline["inline"], &inline["read_tolerance"]), (&true.into(), &2.into()));
    let text = pool.run(["locate", "-r", "/d"]).ok().text();
    assert!(text.contains("/d/short") && text.contains("2 more disks"), "{text}");
    assert_eq!(pool.run(["--json", "locate", "/d"]).expect(1).json()["error"]["code"], "is_a_directory");
    pool.run(["locate", "/none"]).expect(1);
    // Of the disks that are emptied, and those that are away.
    pool.run(["disk", "drain", "disk-0", "--no-wait"]).ok();
    assert_eq!((states(&pool, "disk-0"), tolerance(&pool)), (vec!["leaving".to_owned()], 2.into()));
    pool.run(["disk", "drain", "disk-0", "--cancel"]).ok();
    fs::rename(pool.disk(1), pool.beside("away-1")).unwrap();
    assert_eq!((states(&pool, "disk-1"), tolerance(&pool)), (vec!["away".to_owned()], 1.into()));
    fs::rename(pool.disk(2), pool.beside("away-2")).unwrap();
    assert_eq!(tolerance(&pool), 0);
    let text = pool.run(["locate", "/d/file"]).ok().text();
    assert!(text.contains("(away)") && text.contains("none"), "{text}");
    fs::rename(pool.beside("away-2"), pool.disk(2)).unwrap();
    pool.run(["disk", "fail", "disk-1", "--yes"]).ok();
    assert_eq!(states(&pool, "disk-1"), ["missing"]);
}

#[test]
fn files_that_are_right_are_complete() {
    let (pool, contents) = pool_with_files(6, "4+2");
    let done = verify(&pool, 0, &["-r", "/"]);
    assert_eq!(
        (&done["files"], &done["counts"]["complete"], &done["result"]),
        (&3.into(), &3.into(), &"complete".into())
    );
    assert!(done["bytes"].as_u64().unwrap() >= contents.len() as u64 * 6 / 4, "{done}");
    let one = verify(&pool, 0, &["/d/file"]);
    assert!(one["bytes"].as_u64() < done["bytes"].as_u64());
    assert_eq!(pool.run(["--json", "verify", "/d"]).expect(1).json()["error"]["code"], "is_a_directory");
}

#[test]
fn bad_fragments_are_named_and_left_and_rewritten_when_that_is_asked_for() {
    let (pool, contents) = pool_with_files(6, "4+2");
    let extents = extents(&pool, "/d/file");
    rot(&pool, &extents[1], 3, 50_000);
    rot(&pool, &extents[2], 5, 100);
    for _ in 0..2 {
        let found = verify(&pool, 1, &["-r", "/d"]);
        assert_eq!((&found["result"], &found["counts"]["complete"]), (&"readable".into(), &2.into()));
        assert_eq!((&found["bad_fragments"], &found["missing_fragments"]), (&2.into(), &0.into()));
        let finding = &found["findings"][0];
        let bad = finding["bad"].as_array().unwrap();
        assert_eq!((&finding["path"], bad.len()), (&"/d/file".into(), 2));
        assert_eq!((&bad[0]["fragment"], &bad[0]["offset"]), (&3.into(), &extents[1]["offset"]));
        assert_eq!(bad[0]["block"], extents[1]["fragments"][3]["block"]);
        assert_eq!(bad[0]["disk"], extents[1]["fragments"][3]["disk"]);
    }
    // A dry run rewrites nothing.
    verify(&pool, 1, &["--repair", "--dry-run", "/d/file"]);
    verify(&pool, 0, &["/d/short"]);
    let text = pool.run(["verify", "/d/file"]).expect(1);
    assert!(text.text().contains("readable /d/file: 2 fragments bad"), "{}", text.text());
    assert!(text.stderr.contains("--repair"), "{}", text.stderr);
    let repaired = verify(&pool, 0, &["--repair", "/d/file"]);
    assert_eq!((&repaired["repaired_fragments"], &repaired["result"]), (&2.into(), &"complete".into()));
    let done = verify(&pool, 0, &["/d/file"]);
    assert_eq!(done["bad_fragments"], 0);
    pool.run(["check"]).ok();
    assert!(pool.cat("/d/file") == contents);
}

#[test]
fn what_cannot_be_read_is_named_and_the_rest_is_verified() {
    let (pool, _) = pool_with_files(6, "4+2");
    let extents = extents(&pool, "/d/file");
    (0..3).for_each(|fragment| rot(&pool, &extents[1], fragment, 100));
    for arguments in [&["-r", "/d"][..], &["-r", "/d", "--repair"]] {
        let found = verify(&pool, 4, arguments);
        assert_eq!((&found["counts"]["complete"], &found["counts"]["unreadable"]), (&2.into(), &1.into()));
        let lost = &found["findings"][0]["unreadable"];
        assert_eq!((&lost[0]["offset"], &lost[0]["bytes"]), (&extents[1]["offset"], &extents[1]["bytes"]));
        assert_eq!(lost.as_array().unwrap().len(), 1);
        assert_eq!(found["error"]["code"], "unreadable");
    }
    let text = pool.run(["verify", "/d/file"]).expect(4).text();
    assert!(text.contains("unreadable /d/file") && text.contains("are lost"), "{text}");
}

// Three bad fragments of six, each in another chunk: every chunk can be computed from four that are right.
#[test]
fn damage_in_different_chunks_is_readable_and_repaired() {
    let (pool, contents) = pool_with_files(6, "4+2");
    let extents = extents(&pool, "/d/file");
    assert!(extents[0]["fragment_bytes"].as_u64().unwrap() > 5 * 16384);
    (0..4).for_each(|fragment| rot(&pool, &extents[0], fragment, fragment as u64 * 16384 + 1));
    let found = verify(&pool, 1, &["/d/file"]);
    assert_eq!((&found["result"], &found["bad_fragments"]), (&"readable".into(), &4.into()));
    let repaired = verify(&pool, 0, &["--repair", "/d/file"]);
    assert_eq!(repaired["repaired_fragments"], 4);
    verify(&pool, 0, &["/d/file"]);
    assert!(pool.cat("/d/file") == contents);
}

#[test]
fn missing_disks_are_no_bad_fragments() {
    let (pool, contents) = pool_with_files(6, "4+2");
    fs::rename(pool.disk(4), pool.beside("away")).unwrap();
    let found = verify(&pool, 1, &["/d/file"]);
    assert_eq!((&found["result"], &found["bad_fragments"]), (&"readable".into(), &0.into()));
    let number = extents(&pool, "/d/file").len();
    assert_eq!(found["missing_fragments"], number);
    // Repairing what is bad does not bring back what is away.
    verify(&pool, 1, &["--repair", "/d/file"]);
    fs::rename(pool.beside("away"), pool.disk(4)).unwrap();
    assert!(pool.cat("/d/file") == contents);
}
