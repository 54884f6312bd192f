//! What is stored comes back as it was: contents, names, links, attributes.

use crate::common::{TestPool, noise, sources};
use std::ffi::OsStr;
use std::fs::{self, FileTimes, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};
use walkdir::WalkDir;

/// Holds two folders to the same names, contents, kinds, modes, times and links.
fn assert_same(one: &Path, other: &Path) {
    let list = |top: &Path| {
        let entries = WalkDir::new(top).sort_by_file_name().into_iter().map(|entry| {
            let entry = entry.unwrap();
            let below = entry.path().strip_prefix(top).unwrap().to_owned();
            let metadata = fs::symlink_metadata(entry.path()).unwrap();
            let contents = match () {
                () if metadata.is_file() => fs::read(entry.path()).unwrap(),
                () if metadata.is_symlink() => {
                    fs::read_link(entry.path()).unwrap().as_os_str().as_bytes().to_vec()
                }
                () => Vec::new(),
            };
            let links = if metadata.is_dir() { 0 } else { metadata.nlink() };
            let modified =
                if metadata.is_symlink() { (0, 0) } else { (metadata.mtime(), metadata.mtime_nsec()) };
            (below, metadata.mode(), links, modified, contents)
        });
        entries.collect::<Vec<_>>()
    };
    let (one, other) = (list(one), list(other));
    assert_eq!(one.len(), other.len());
    for (a, b) in one.iter().zip(&other) {
        assert!(a == b, "{:?} {:o} {} {:?}, then {:?} {:o} {} {:?}", a.0, a.1, a.2, a.3, b.0, b.1, b.2, b.3);
    }
}

#[test]
fn the_programs_own_sources() {
    let pool = TestPool::new(6, "32MiB", "4+2");
    pool.run([OsStr::new("put"), OsStr::new("-r"), sources().as_os_str(), OsStr::new("/")]).ok();
    pool.run(["get", "-r", "/src", pool.beside("back").to_str().unwrap()]).ok();
    assert_same(&sources(), &pool.beside("back"));
    pool.run(["check"]).ok();
}

#[test]
fn links_modes_times_attributes_and_strange_names() {
    let pool = TestPool::new(3, "32MiB", "mirror:2");
    let top = pool.beside("top");
    fs::create_dir_all(top.join("deep/er")).unwrap();
    fs::write(top.join("deep/er/file"), noise(3_000_000, 1)).unwrap();
    fs::write(top.join("empty"), b"").unwrap();
    fs::hard_link(top.join("deep/er/file"), top.join("again")).unwrap();
    symlink("deep/er/file", top.join("link")).unwrap();
    symlink("nowhere", top.join("dangling")).unwrap();
    fs::write(top.join(OsStr::from_bytes(b"\xff\x1b[31m\n")), b"strange").unwrap();
    fs::set_permissions(top.join("empty"), Permissions::from_mode(0o4751)).unwrap();
    fs::set_permissions(top.join("deep/er"), Permissions::from_mode(0o700)).unwrap();
    let has_xattrs = xattr::set(top.join("empty"), "user.colour", b"blue").is_ok();
    let past = UNIX_EPOCH + Duration::new(1_000_000_000, 123_456_789);
    fs::File::open(top.join("deep")).unwrap().set_times(FileTimes::new().set_modified(past)).unwrap();

    let put = pool.json(["put", "-r", top.to_str().unwrap(), "/kept"]);
    assert_eq!(
        (put["files"].as_u64(), put["directories"].as_u64(), put["symlinks"].as_u64()),
        (Some(4), Some(3), Some(2))
    );
    let back = pool.beside("back");
    pool.run(["get", "-r", "/kept", back.to_str().unwrap()]).ok();
    assert_same(&top, &back);
    if has_xattrs {
        assert_eq!(xattr::get(back.join("empty"), "user.colour").unwrap().as_deref(), Some(&b"blue"[..]));
        assert_eq!(pool.json(["stat", "/kept/empty"])["xattrs"][0]["value"], "blue");
    }
    // A link is followed when it is asked for by name, and stays in the pool.
    assert_eq!(pool.cat("/kept/link").len(), 3_000_000);
    pool.run(["cat", "/kept/dangling"]).expect(1);
    let tree = pool.run(["tree", "/kept"]).ok();
    assert!(tree.text().contains("\\xff\\u{1b}[31m\\n"), "{}", tree.text());
    pool.run(["check"]).ok();
}

#[test]
fn a_folder_over_itself_replaces_each_file() {
    let pool = TestPool::new(3, "32MiB", "mirror:2");
    let top = pool.beside("top");
    fs::create_dir(&top).unwrap();
    for (name, bytes) in [("a", 10), ("b", 200_000)] {
        fs::write(top.join(name), noise(bytes, 7)).unwrap();
    }
    let top = top.to_str().unwrap();
    pool.run(["mkdir", "/d"]).ok();
    pool.run(["put", "-r", top, "/d"]).ok();
    fs::write(pool.beside("top/b"), noise(300_000, 8)).unwrap();
    pool.run(["put", "-r", top, "/d"]).ok();
    assert_eq!(pool.cat("/d/top/b"), noise(300_000, 8));
    assert_eq!(pool.json(["ls", "/d/top"])["entries"].as_array().unwrap().len(), 2);
    pool.run(["check"]).ok();
}

#[test]
fn standard_input_and_output() {
    let pool = TestPool::new(2, "32MiB", "mirror:2");
    for bytes in [0, 1, 100_000, 5_000_000] {
        let contents = noise(bytes, bytes as u64 + 1);
        pool.run_with_input(["put", "-", "/file"], &contents).ok();
        assert_eq!(pool.cat("/file"), contents);
        assert_eq!(pool.run(["get", "/file", "-"]).ok().stdout, contents);
    }
}

#[test]
fn moving_copying_removing() {
    let pool = TestPool::new(3, "32MiB", "2+1");
    let file = pool.file("file", &noise(150_000, 3));
    pool.run(["mkdir", "-p", "/a/b"]).ok();
    pool.run([OsStr::new("put"), file.as_os_str(), OsStr::new("/a")]).ok();
    pool.run(["cp", "/a/file", "/a/b/copy"]).ok();
    pool.run(["cp", "/a", "/c"]).expect(1);
    pool.run(["cp", "-r", "/a", "/a/b"]).expect(1);
    pool.run(["cp", "-r", "/a", "/c"]).ok();
    pool.run(["mv", "/c/b/copy", "/moved"]).ok();
    assert_eq!(pool.cat("/moved"), noise(150_000, 3));
    pool.run(["mv", "/a", "/a/b"]).expect(1);
    pool.run(["mv", "--no-clobber", "/moved", "/c/file"]).expect(1);
    pool.run(["mv", "/moved", "/c/file"]).ok();
    pool.run(["rm", "/c"]).expect(1);
    let removed = pool.json(["rm", "-r", "/c", "/a"]);
    assert_eq!((removed["files"].as_u64(), removed["directories"].as_u64()), (Some(3), Some(4)));
    assert_eq!(pool.json(["ls"])["entries"].as_array().unwrap().len(), 0);
    pool.run(["rm", "/c"]).expect(1);
    pool.run(["rm", "-f", "/c"]).ok();
    pool.run(["rm", "-r", "/"]).expect(1);
    pool.run(["check"]).ok();
}

#[test]
fn a_dry_run_changes_nothing() {
    let pool = TestPool::new(3, "32MiB", "mirror:2");
    let file = pool.file("file", b"contents");
    let file = file.to_str().unwrap();
    pool.run(["put", file, "/file"]).ok();
    let before: Vec<_> = (0..3).map(|disk| fs::read(pool.disk(disk)).unwrap()).collect();
    for command in [
        &["put", file, "/other"][..],
        &["put", "-r", pool.folder.path().to_str().unwrap(), "/all"],
        &["mkdir", "-p", "/x/y"],
        &["mv", "/file", "/moved"],
        &["cp", "/file", "/copy"],
        &["rm", "/file"],
        &["disk", "fail", "disk-1", "--force-data-loss"],
    ] {
        let answer = pool.run(command.iter().chain(&["--dry-run"])).ok();
        assert!(answer.text().contains("would"), "{}", answer.text());
    }
    let after: Vec<_> = (0..3).map(|disk| fs::read(pool.disk(disk)).unwrap()).collect();
    assert!(before == after);
    assert_eq!(pool.cat("/file"), b"contents");
    let planned = TestPool::none();
    planned.run(["init", "--disks", "2", "--disk-size", "32MiB", "--dry-run"]).ok();
    assert!(!planned.path().exists());
}

#[test]
fn a_pool_that_firmware_shares() {
    let pool = TestPool::none();
    let made = pool.json(["init", "--disks", "3", "--disk-size", "4MiB", "--scheme", "2+1", "--portable"]);
    assert!(made["memory_min_bytes"].as_u64().unwrap() < 64 << 10, "{made}");
    let file = pool.file("file", &noise(100_000, 5));
    pool.run(["put", file.to_str().unwrap(), "/file", "--memory", "128KiB"]).ok();
    assert_eq!(pool.cat("/file"), noise(100_000, 5));
    pool.run(["check"]).ok();
    let refused = pool.json(["ls", "--memory", "4KiB"]);
    assert_eq!(refused["error"]["code"], "needs_memory");
}
