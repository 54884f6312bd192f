//! What can be read is taken out, of pools that cannot be opened any more.

use crate::common::{Answer, TestPool, assert_valid, noise};
use serde_json::Value;
use std::collections::hash_map::DefaultHasher;
use std::fs::{self, OpenOptions};
use std::hash::{Hash, Hasher};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// Kinds of records: attributes, entries of a directory, extents.
const INODE: u8 = 16;
const ENTRY: u8 = 17;
const EXTENT: u8 = 20;

/// Bytes of a tree node, and of a block, in a pool that is made without options.
const NODE: usize = 4096;

/// A hash of each disk file that is there.
fn hashes(pool: &TestPool) -> Vec<(PathBuf, u64)> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(pool.path().join("disks")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let hash = |path: &PathBuf| {
        let mut hasher = DefaultHasher::new();
        fs::read(path).unwrap().hash(&mut hasher);
        hasher.finish()
    };
    files.into_iter().map(|path| (path.clone(), hash(&path))).collect()
}

/// Salvages everything, and holds the report to its schema and the disks to what they were.
#[track_caller]
fn salvage(pool: &TestPool, arguments: &[&str], code: i32) -> (Value, PathBuf) {
    let before = hashes(pool);
    let out = pool.beside("out");
    let answer: Answer =
        pool.run(["--json", "salvage", out.to_str().unwrap()].iter().chain(arguments)).expect(code);
    assert_valid("salvage", &answer);
    assert!(hashes(pool) == before, "the pool's disks were written to");
    let report = answer.json();
    let kept: Value = serde_json::from_slice(&fs::read(out.join("salvage-report.json")).unwrap()).unwrap();
    assert_eq!(kept["lost"], report["lost"]);
    assert_eq!(kept["schema_version"], 1);
    assert_eq!(report["complete"], code == 0);
    (report, out)
}

/// Overwrites nodes of the tree, in all their replicas. They are the leaves that hold a record of this object
/// and kind, and none of its kind `without`. Returns how many blocks those were.
fn wreck_leaves(pool: &TestPool, object: u64, kind: u8, without: u8) -> usize {
    let holds = |block: &[u8], kind: u8| {
        let key = [&object.to_be_bytes()[..], &[kind]].concat();
        block.windows(key.len()).any(|window| window == key)
    };
    let mut wrecked = 0;
    for (path, _) in hashes(pool) {
        let image = fs::read(&path).unwrap();
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        for (number, block) in image.chunks_exact(NODE).enumerate() {
            let is_leaf = block[4..8] == *b"DFnd" && block[8] == 0;
            if is_leaf && holds(block, kind) && !holds(block, without) {
                file.write_all_at(&[0xA5; NODE], (number * NODE) as u64).unwrap();
                wrecked += 1;
            }
        }
    }
    wrecked
}

fn object_of(pool: &TestPool, path: &str) -> u64 {
    pool.json(["stat", path])["object"].as_u64().unwrap()
}

#[track_caller]
fn expect_file(path: &Path, contents: &[u8]) {
    assert!(fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.to_string_lossy())) == contents);
}

fn lost<'r>(report: &'r Value, path: &str) -> Option<&'r Value> {
    report["lost"].as_array().unwrap().iter().find(|lost| lost["path"] == path)
}

#[test]
fn one_disk_of_a_mirror_on_three_gives_what_it_has() {
    let pool = TestPool::new(3, "32MiB", "mirror:2");
    let top = pool.beside("top");
    fs::create_dir_all(top.join("d/e")).unwrap();
    let files: Vec<(String, Vec<u8>)> =
        (0..60).map(|n| (format!("d/e/file-{n}"), noise(n * 4000, n as u64 + 1))).collect();
    for (name, contents) in &files {
        fs::write(top.join(name), contents).unwrap();
    }
    fs::set_permissions(top.join("d/e/file-1"), fs::Permissions::from_mode(0o640)).unwrap();
    fs::hard_link(top.join("d/e/file-2"), top.join("hard")).unwrap();
    symlink("d/e/file-3", top.join("soft")).unwrap();
    pool.run(["put", "-r", top.to_str().unwrap(), "/top"]).ok();
    // All there: everything comes out.
    let (report, out) = salvage(&pool, &[], 0);
    assert_eq!((report["files"].as_u64(), report["symlinks"].as_u64()), (Some(61), Some(1)), "{report}");
    for (name, contents) in &files {
        expect_file(&out.join("top").join(name), contents);
    }
    assert_eq!(fs::metadata(out.join("top/d/e/file-1")).unwrap().mode() & 0o777, 0o640);
    let inode = |name: &str| fs::metadata(out.join("top").join(name)).unwrap().ino();
    assert_eq!(inode("hard"), inode("d/e/file-2"));
    assert_eq!(fs::read_link(out.join("top/soft")).unwrap(), Path::new("d/e/file-3"));
    assert!(!out.join("lost+found").exists());
    fs::remove_dir_all(&out).unwrap();
    // Two of three gone: more than the mirror bears, and more than half.
    fs::remove_file(pool.disk(0)).unwrap();
    fs::remove_file(pool.disk(2)).unwrap();
    pool.run(["ls"]).expect(3);
    let (report, out) = salvage(&pool, &[], 4);
    let missing: Vec<_> = report["missing"].as_array().unwrap().iter().map(|m| m["name"].clone()).collect();
    assert_eq!(missing, ["disk-0", "disk-2"]);
    // What is named as lost is lost, in the bytes that are named, and all else is as it was.
    let mut lost_bytes = 0;
    let mut whole = 0;
    for (name, contents) in &files {
        let path = format!("/top/{name}");
        let Ok(found) = fs::read(out.join(&path[1..])) else {
            // Its nodes were on the two.
            continue;
        };
        let mut expected = contents.clone();
        // Of one file its attributes may be lost, and some of its bytes.
        let of_it = report["lost"].as_array().unwrap().iter().filter(|lost| lost["path"] == path);
        let ranges: Vec<&Value> = of_it.flat_map(|lost| lost["ranges"].as_array().unwrap()).collect();
        for range in &ranges {
            let (at, bytes) = (range["offset"].as_u64().unwrap(), range["bytes"].as_u64().unwrap());
            expected[at as usize..(at + bytes) as usize].fill(0);
            lost_bytes += bytes;
        }
        whole += usize::from(ranges.is_empty());
        assert!(found == expected, "{path}");
    }
    assert_eq!(report["lost_bytes"], lost_bytes);
    assert!(
        whole > 0 || report["lost"].as_array().unwrap().iter().any(|lost| lost["what"] == "unknown"),
        "{report}"
    );
}

#[test]
fn a_four_two_with_three_disks_missing_gives_the_fragments_that_are_there() {
    let pool = TestPool::new(6, "32MiB", "4+2");
    let (small, large) = (noise(3000, 5), noise(2_000_000, 6));
    pool.run_with_input(["put", "-", "/inline"], b"a few bytes").ok();
    pool.run_with_input(["put", "-", "/small"], &small).ok();
    pool.run_with_input(["put", "-", "/large"], &large).ok();
    // Nodes have three replicas: they survive two of any three losses here and elsewhere, as placed.
    for disk in [1, 3, 4] {
        fs::remove_file(pool.disk(disk)).unwrap();
    }
    pool.run(["get", "/large", "-"]).expect(3);
    let before = hashes(&pool);
    let out = pool.beside("out");
    let report = pool.run(["--json", "salvage", out.to_str().unwrap()]).expect(4).json();
    assert!(hashes(&pool) == before);
    let Some(damage) = lost(&report, "/large") else {
        // All replicas of a node were on the three: then that is said.
        assert!(report["lost"].as_array().unwrap().iter().any(|lost| lost["what"] == "unknown"), "{report}");
        return;
    };
    let (bytes, gone) = (damage["size"].as_u64().unwrap(), damage["lost_bytes"].as_u64().unwrap());
    assert_eq!(bytes, large.len() as u64);
    assert!(gone > 0 && gone < bytes, "half of the fragments are there: {gone} of {bytes}");
    let found = fs::read(out.join("large")).unwrap();
    let mut expected = large;
    for range in damage["ranges"].as_array().unwrap() {
        let (at, bytes) =
            (range["offset"].as_u64().unwrap() as usize, range["bytes"].as_u64().unwrap() as usize);
        expected[at..at + bytes].fill(0);
    }
    assert!(found == expected);
    // What is lost is a hole.
    let metadata = fs::metadata(out.join("large")).unwrap();
    assert!(metadata.blocks() * 512 < metadata.len(), "{} of {}", metadata.blocks() * 512, metadata.len());
    expect_file(&out.join("inline"), b"a few bytes");
}

#[test]
fn what_lost_its_name_is_found_by_its_number() {
    let pool = TestPool::new(3, "64MiB", "mirror:2");
    let top = pool.beside("top");
    fs::create_dir_all(top.join("d")).unwrap();
    let name = |n: u64| format!("d/file-{n}-{}", "x".repeat(100));
    for n in 0..200 {
        fs::write(top.join(name(n)), noise(600 + 40 * n as usize, n + 1)).unwrap();
    }
    pool.run(["put", "-r", top.to_str().unwrap(), "/top"]).ok();
    let objects: Vec<(u64, u64)> =
        (0..200).map(|n| (object_of(&pool, &format!("/top/{}", name(n))), n)).collect();
    let directory = object_of(&pool, "/top/d");
    assert!(wreck_leaves(&pool, directory, ENTRY, EXTENT) > 0);
    pool.run(["ls", "/top/d"]).expect(4);
    let (report, out) = salvage(&pool, &[], 4);
    let nameless = report["nameless"].as_u64().unwrap();
    assert!(nameless > 150, "{nameless}");
    let mut found = 0;
    for (object, n) in objects {
        let contents = noise(600 + 40 * n as usize, n + 1);
        let in_place = out.join("top").join(name(n));
        let in_lost = out.join("lost+found").join(object.to_string());
        let place = if in_place.exists() { in_place } else { in_lost };
        let Ok(bytes) = fs::read(&place) else { continue };
        if !report["lost"].as_array().unwrap().iter().any(|lost| lost["object"] == object) {
            assert!(bytes == contents, "{}", place.to_string_lossy());
            found += 1;
        }
    }
    assert!(found > 150, "{found}");
    assert!(report["lost"].as_array().unwrap().iter().any(|lost| lost["what"] == "entries"), "{report}");
}

#[test]
fn a_leaf_of_extents_that_is_lost_leaves_a_hole_and_no_more() {
    let pool = TestPool::new(3, "64MiB", "mirror:2");
    // Many extents, so that their records fill several leaves.
    let large = noise(30_000_000, 9);
    pool.run_with_input(["put", "-", "/large"], &large).ok();
    pool.run_with_input(["put", "-", "/other"], &noise(500_000, 10)).ok();
    // The first leaf, with the attributes, stays.
    assert!(wreck_leaves(&pool, object_of(&pool, "/large"), EXTENT, INODE) >= 2);
    pool.run(["get", "/large", "-"]).expect(4);
    let (report, out) = salvage(&pool, &[], 4);
    let found = fs::read(out.join("large")).unwrap();
    let damage = lost(&report, "/large").unwrap_or_else(|| panic!("{report}"));
    let mut expected = large;
    expected.resize(found.len(), 0);
    for range in damage["ranges"].as_array().unwrap() {
        let (at, bytes) =
            (range["offset"].as_u64().unwrap() as usize, range["bytes"].as_u64().unwrap() as usize);
        expected[at..at + bytes].fill(0);
    }
    assert!(found == expected);
    let gone = damage["lost_bytes"].as_u64().unwrap();
    assert!(gone > 0 && gone < found.len() as u64, "{gone}");
}

#[test]
fn paths_are_taken_out_alone() {
    let pool = TestPool::new(2, "32MiB", "mirror:2");
    pool.run(["mkdir", "-p", "/a/b"]).ok();
    pool.run_with_input(["put", "-", "/a/b/wanted"], b"wanted").ok();
    pool.run_with_input(["put", "-", "/a/other"], b"other").ok();
    fs::remove_file(pool.disk(1)).unwrap();
    let (report, out) = salvage(&pool, &["/a/b"], 0);
    assert_eq!(report["files"], 1);
    expect_file(&out.join("a/b/wanted"), b"wanted");
    assert!(!out.join("a/other").exists());
    // Nothing is put into a folder in which something is.
    let refused = pool.run(["--json", "salvage", out.to_str().unwrap(), "/a/other"]).expect(1).json();
    assert_eq!(refused["error"]["code"], "exists");
    let again = pool.beside("again");
    let text = pool.run(["salvage", again.to_str().unwrap(), "/a/other", "/a/b", "/a/b/wanted"]).ok().text();
    assert!(text.contains("disk-1") && text.contains("2 files"), "{text}");
    let none = pool.beside("none");
    pool.run(["salvage", none.to_str().unwrap(), "/none"]).expect(1);
    pool.run(["salvage", none.to_str().unwrap(), "none"]).expect(1);
    assert!(!none.exists());
}

#[test]
fn a_dry_run_makes_nothing_and_the_report_is_the_owners_alone() {
    let pool = TestPool::new(2, "32MiB", "mirror:2");
    let top = pool.beside("top");
    fs::create_dir(&top).unwrap();
    fs::write(top.join("f"), b"some").unwrap();
    fs::set_permissions(&top, fs::Permissions::from_mode(0o750)).unwrap();
    pool.run(["put", "-r", top.to_str().unwrap(), "/d"]).ok();
    let out = pool.beside("out/deep");
    let dry = pool.run(["--json", "salvage", "-n", out.to_str().unwrap()]).ok().json();
    assert_eq!((&dry["files"], &dry["report"]), (&1.into(), &Value::Null));
    assert!(!pool.beside("out").exists());
    pool.run(["salvage", out.to_str().unwrap()]).ok();
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!(mode(&out.join("salvage-report.json")), 0o600);
    assert_eq!((mode(&out.join("d")), mode(&out)), (0o750, 0o755));
}
