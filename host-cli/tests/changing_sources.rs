//! A source may change or vanish while it is read. `put` then says so, and the pool is as if it had not been
//! tried.

use crate::common::gate::Gate;
use crate::common::traced::run_with;
use crate::common::{TestPool, answer, dense_file, is_superuser, position};
use std::fs::{self, OpenOptions};
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Stdio;

/// Far more than is read before the first [`FIRST_CALLS`].
const LARGE_BYTES: u64 = 64 << 20;

/// System calls after which a large file is begun and far from being stored.
const FIRST_CALLS: usize = 40;

/// Names in a directory of the pool.
fn names(pool: &TestPool, path: &str) -> Vec<String> {
    let listed = pool.json(["ls", path]);
    let name = |entry: &serde_json::Value| entry["name"].as_str().unwrap().to_owned();
    listed["entries"].as_array().unwrap().iter().map(name).collect()
}

/// The failed parts of a `put`, each with its code.
fn failed(put: &serde_json::Value, top: &Path) -> Vec<(String, String)> {
    let part = |failed: &serde_json::Value| {
        let path = failed["path"].as_str().unwrap();
        let (message, hint) = (&failed["error"]["message"], &failed["error"]["hint"]);
        if failed["error"]["code"] == "source_changed" {
            assert!(message.as_str().unwrap().contains(path) && hint.is_string(), "{failed}");
        }
        let below = Path::new(path).strip_prefix(top).unwrap().to_str().unwrap().to_owned();
        (below, failed["error"]["code"].as_str().unwrap().to_owned())
    };
    put["failed"].as_array().unwrap().iter().map(part).collect()
}

// Half of an old file and half of a new one is worse than none. A file that changes while it is read is not
// stored, and the object stored under its name before stays.
#[test]
fn a_file_that_changes_in_the_middle_of_a_put_is_not_stored() {
    type Change = fn(&Path, u64);
    let changes: [(&str, Change); 5] = [
        ("shrinks", |path, read| {
            OpenOptions::new().write(true).open(path).unwrap().set_len(read / 2).unwrap()
        }),
        ("grows", |path, _| {
            OpenOptions::new().write(true).open(path).unwrap().set_len(LARGE_BYTES + 1).unwrap();
        }),
        ("is overwritten", |path, _| {
            OpenOptions::new().write(true).open(path).unwrap().write_all_at(b"new", LARGE_BYTES / 2).unwrap();
        }),
        ("vanishes", |path, _| fs::remove_file(path).unwrap()),
        ("is replaced", |path, _| {
            let new = path.with_extension("new");
            fs::write(&new, b"new").unwrap();
            fs::rename(new, path).unwrap();
        }),
    ];
    let pool = TestPool::new(2, "4GiB", "mirror:2");
    pool.run_with_input(["put", "-", "/large"], b"as it was before").ok();
    for (what, change) in changes {
        let large = pool.beside("large");
        dense_file(&large, LARGE_BYTES);
        let mut put = pool.command(["--json", "put", large.to_str().unwrap(), "/large"]);
        let (has_changed, ended) = run_with(&mut put, FIRST_CALLS, |number| {
            let read = position(number, &large).unwrap();
            assert!(read > 0 && read < LARGE_BYTES, "{read} bytes were read before the file changed");
            change(&large, read);
        });
        assert!(has_changed, "it makes fewer calls");
        let ended = ended.expect(1).json();
        assert_eq!(ended["error"]["code"], "source_changed", "{what}: {ended}");
        let message = ended["error"]["message"].as_str().unwrap();
        assert!(message.contains(large.to_str().unwrap()) && ended["error"]["hint"].is_string(), "{ended}");
        assert_eq!(
            (pool.cat("/large"), names(&pool, "/")),
            (b"as it was before".to_vec(), vec!["large".into()])
        );
        pool.run(["check"]).ok();
    }
}

// Between listing a folder and reading what is in it anything can go: what is still there is stored all the same.
#[test]
fn what_vanishes_after_it_was_listed_does_not_stop_the_others() {
    let pool = TestPool::new(3, "32MiB", "mirror:2");
    let top = pool.beside("top");
    fs::create_dir_all(top.join("d/below")).unwrap();
    for name in ["a", "b", "c", "d/below/x", "d/y", "e", "g"] {
        fs::write(top.join(name), name).unwrap();
    }
    symlink("a", top.join("f")).unwrap();
    let arguments = ["--json", "put", "-r", top.to_str().unwrap(), "/"];

    // The folder was listed before its first file is opened.
    let gate = Gate::on(&top.join("b"));
    let put = pool.spawn(arguments);
    gate.wait_until_wanted();
    fs::remove_file(top.join("c")).unwrap();
    fs::remove_dir_all(top.join("d")).unwrap();
    fs::remove_file(top.join("f")).unwrap();
    // Something else under the name of a file.
    fs::remove_file(top.join("g")).unwrap();
    fs::create_dir(top.join("g")).unwrap();
    drop(gate);
    let ended = answer(put.wait_with_output().unwrap()).expect(1).json();
    assert_eq!(
        (ended["error"]["code"].as_str(), ended["files"].as_u64()),
        (Some("partial"), Some(3)),
        "{ended}"
    );
    assert!(ended["error"]["hint"].is_string());
    let changed = |name: &str| (name.to_owned(), "source_changed".to_owned());
    assert_eq!(failed(&ended, &top), ["c", "d", "f"].map(changed), "{ended}");
    assert_eq!(names(&pool, "/top"), ["a", "b", "e", "g"]);
    for name in ["a", "b", "e"] {
        assert_eq!(pool.cat(&format!("/top/{name}")), name.as_bytes());
    }
    pool.run(["check"]).ok();
    pool.run(arguments).ok();
    assert_eq!(names(&pool, "/top"), ["a", "b", "e", "g"]);
}

// The whole source may be a disk that was pulled out.
#[test]
fn a_folder_that_vanishes_as_a_whole_leaves_what_was_read_before() {
    let pool = TestPool::new(3, "32MiB", "mirror:2");
    let top = pool.beside("top");
    fs::create_dir_all(top.join("z")).unwrap();
    for name in ["a", "b", "c", "z/x"] {
        fs::write(top.join(name), name).unwrap();
    }
    let gate = Gate::on(&top.join("b"));
    let put = pool.spawn(["put", "-r", top.to_str().unwrap(), "/"]);
    gate.wait_until_wanted();
    fs::remove_dir_all(&top).unwrap();
    drop(gate);
    let ended = answer(put.wait_with_output().unwrap()).expect(1);
    assert!(ended.text().contains("stored 2 files"), "{}", ended.text());
    for name in ["c", "z"] {
        let vanished = format!("{} vanished", top.join(name).to_string_lossy());
        assert_eq!(ended.text().matches(&vanished).count(), 1, "{}", ended.text());
    }
    assert!(ended.stderr.contains("2 parts") && ended.stderr.contains("hint:"), "{}", ended.stderr);
    assert_eq!(names(&pool, "/top"), ["a", "b"]);
    pool.run(["check"]).ok();
    let gone = pool.json(["put", "-r", top.to_str().unwrap(), "/again"]);
    assert_eq!(gone["error"]["code"], "not_found");
}

// Where a directory has no place, nothing of it must land beside that place, readable or not.
#[test]
fn what_cannot_be_read_in_a_folder_that_is_not_stored_is_passed_over() {
    let pool = TestPool::new(2, "32MiB", "mirror:2");
    let top = pool.beside("top");
    fs::create_dir_all(top.join("d/closed")).unwrap();
    for name in ["a", "d/b", "d/z", "e"] {
        fs::write(top.join(name), name).unwrap();
    }
    pool.run(["mkdir", "/top"]).ok();
    pool.run_with_input(["put", "-", "/top/d"], b"a file").ok();

    // As an ordinary user: permissions do not stop the superuser.
    let open = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let program = pool.program();
    open(pool.folder.path(), 0o755);
    open(&pool.path(), 0o777);
    open(&pool.path().join("disks"), 0o777);
    open(&pool.path().join("pool.toml"), 0o666);
    open(&pool.disk(0), 0o666);
    open(&pool.disk(1), 0o666);
    open(&top.join("d/closed"), 0o000);
    let mut put = std::process::Command::new(&program);
    put.args(["--json", "put", "-r", top.to_str().unwrap(), "/"]).env("DYNAMICFS_POOL", pool.path());
    if is_superuser() {
        put.uid(65534).gid(65534);
    }
    let ended = answer(put.current_dir("/").stdin(Stdio::null()).output().unwrap()).expect(1).json();
    open(&top.join("d/closed"), 0o755);
    assert_eq!(failed(&ended, &top), [("d".to_owned(), "not_a_directory".to_owned())], "{ended}");
    assert_eq!(names(&pool, "/top"), ["a", "d", "e"]);
    pool.run(["check"]).ok();
}
