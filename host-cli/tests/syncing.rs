//! Bringing a directory up to date, several sources, patterns and filters.

use crate::common::{TestPool, assert_valid, noise};
use serde_json::Value;
use std::ffi::OsStr;
use std::fs::{self, File, FileTimes};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

/// A folder with a bit of everything.
fn folder(pool: &TestPool) -> PathBuf {
    let top = pool.beside("top");
    fs::create_dir_all(top.join("d/e")).unwrap();
    for (name, bytes) in [("a.txt", 10), ("b.jpg", 200_000), ("d/c.txt", 3000), ("d/e/f", 0)] {
        fs::write(top.join(name), noise(bytes, bytes as u64 + 1)).unwrap();
    }
    fs::hard_link(top.join("a.txt"), top.join("d/again")).unwrap();
    symlink("a.txt", top.join("link")).unwrap();
    top
}

#[track_caller]
fn sync(pool: &TestPool, arguments: &[&str]) -> Value {
    let answer = pool.run(["--json", "sync"].iter().chain(arguments)).ok();
    assert_valid("sync", &answer);
    answer.json()
}

/// What a sync stored, removed and left.
fn counts(done: &Value) -> [u64; 4] {
    let stored = done["files"].as_u64().unwrap() + done["symlinks"].as_u64().unwrap();
    let of = |name: &str| done[name].as_u64().unwrap();
    [stored, of("directories"), of("removed"), of("unchanged")]
}

/// Paths of the pool, as `find` lists them.
fn paths(pool: &TestPool, top: &str) -> Vec<String> {
    let found = pool.json(["find", top]);
    let paths = found["entries"].as_array().unwrap().iter();
    paths.map(|entry| entry["path"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_second_sync_changes_nothing_and_a_change_is_brought_over() {
    let pool = TestPool::new(2, "32MiB", "mirror:2");
    let top = folder(&pool);
    let source = top.to_str().unwrap();
    assert_eq!(counts(&sync(&pool, &[source, "/d"])), [6, 3, 0, 0]);
    let before = pool.json(["tree", "/d"]);
    for more in [&[][..], &["--checksum"], &["--delete"], &["--delete", "--checksum", "-n"]] {
        let arguments: Vec<&str> = [source, "/d"].iter().chain(more).copied().collect();
        assert_eq!(counts(&sync(&pool, &arguments)), [0, 0, 0, 6], "{more:?}");
    }
    assert_eq!(pool.json(["tree", "/d"]), before);

    fs::write(top.join("d/c.txt"), b"other").unwrap();
    fs::remove_file(top.join("b.jpg")).unwrap();
    fs::remove_dir_all(top.join("d/e")).unwrap();
    // A directory in the place of a file.
    fs::remove_file(top.join("link")).unwrap();
    fs::create_dir(top.join("link")).unwrap();
    let dry = sync(&pool, &[source, "/d", "--delete", "-n"]);
    assert_eq!(pool.json(["tree", "/d"]), before, "a dry run changes nothing");
    let done = sync(&pool, &[source, "/d", "--delete"]);
    assert_eq!((counts(&dry), counts(&done)), ([1, 1, 3, 2], [1, 1, 3, 2]));
    assert_eq!(pool.cat("/d/d/c.txt"), b"other");
    assert_eq!(paths(&pool, "/d"), ["/d", "/d/a.txt", "/d/d", "/d/d/again", "/d/d/c.txt", "/d/link"]);
    assert_eq!(pool.json(["stat", "/d/a.txt"])["links"], 2);
    pool.run(["check"]).ok();
}

// A file may change and keep its size and its time.
#[test]
fn contents_are_compared_when_that_is_asked_for() {
    let pool = TestPool::new(2, "32MiB", "mirror:2");
    let top = pool.beside("top");
    fs::create_dir(&top).unwrap();
    let write = |contents: &[u8]| {
        fs::write(top.join("f"), contents).unwrap();
        let times = FileTimes::new().set_modified(UNIX_EPOCH + Duration::from_secs(1_000_000_000));
        File::options().write(true).open(top.join("f")).unwrap().set_times(times).unwrap();
    };
    write(b"first");
    let source = top.to_str().unwrap();
    sync(&pool, &[source, "/d"]);
    write(b"other");
    assert_eq!(counts(&sync(&pool, &[source, "/d"])), [0, 0, 0, 1]);
    assert_eq!(pool.cat("/d/f"), b"first");
    assert_eq!(counts(&sync(&pool, &[source, "/d", "--checksum"])), [1, 0, 0, 0]);
    assert_eq!(pool.cat("/d/f"), b"other");
}

#[test]
fn what_a_filter_leaves_out_is_neither_taken_nor_removed() {
    let pool = TestPool::new(2, "32MiB", "mirror:2");
    let top = folder(&pool);
    let source = top.to_str().unwrap();
    pool.run(["put", "-r", source, "/p", "--include", "*.txt", "--exclude", "d/e"]).ok();
    assert_eq!(paths(&pool, "/p"), ["/p", "/p/a.txt", "/p/d", "/p/d/c.txt"]);
    pool.run(["put", "-r", source, "/all"]).ok();
    let back = pool.beside("back");
    pool.run(["get", "-r", "/all", back.to_str().unwrap(), "--exclude", "*.jpg", "--exclude", "/d/e/"]).ok();
    assert!(back.join("d/c.txt").exists() && !back.join("b.jpg").exists() && !back.join("d/e").exists());
    fs::remove_file(top.join("b.jpg")).unwrap();
    fs::remove_file(top.join("d/c.txt")).unwrap();
    let done = sync(&pool, &[source, "/all", "--delete", "--exclude", "*.jpg"]);
    assert_eq!(counts(&done)[2], 1, "{done}");
    assert!(paths(&pool, "/all").contains(&"/all/b.jpg".to_owned()));
    let refused = pool.run(["--json", "put", "-r", source, "/p", "--include", "[a"]).expect(1).json();
    assert_eq!(refused["error"]["code"], "invalid_argument");
}

#[test]
fn several_sources_go_into_a_directory() {
    let pool = TestPool::new(2, "32MiB", "mirror:2");
    let [a, b] = ["a", "b"].map(|name| pool.file(name, name.as_bytes()));
    let (a, b) = (a.to_str().unwrap(), b.to_str().unwrap());
    pool.run(["put", a, b, "/none"]).expect(1);
    pool.run(["mkdir", "/d"]).ok();
    assert_eq!(pool.json(["put", a, b, "/d/"])["files"], 2);
    let out = pool.beside("out");
    fs::create_dir(&out).unwrap();
    pool.run(["get", "/d/a", "/d/b", out.to_str().unwrap()]).ok();
    assert_eq!(
        (fs::read(out.join("a")).unwrap(), fs::read(out.join("b")).unwrap()),
        (b"a".to_vec(), b"b".to_vec())
    );
    pool.run(["get", "/d/a", "/d/b", pool.beside("none").to_str().unwrap()]).expect(1);
    assert_eq!(pool.run(["get", "/d/a", "/d/b", "-"]).ok().stdout, b"ab");
}

#[test]
fn patterns_name_what_matches_and_literal_names_win() {
    let pool = TestPool::new(2, "32MiB", "mirror:2");
    pool.run(["mkdir", "-p", "/logs/old"]).ok();
    for name in
        ["/logs/a.txt", "/logs/b.txt", "/logs/.hidden.txt", "/logs/*.txt", "/logs/old/c.txt", "/logs/d.log"]
    {
        pool.run_with_input(["put", "-", name], name.as_bytes()).ok();
    }
    // A name that is there is that name.
    assert_eq!(pool.cat("/logs/*.txt"), b"/logs/*.txt");
    pool.run(["rm", "/logs/*.txt"]).ok();
    assert_eq!(pool.cat("/logs/*.txt"), b"/logs/a.txt/logs/b.txt");
    assert_eq!(pool.cat("/l*/{old,new}/?.txt"), b"/logs/old/c.txt");
    let out = pool.beside("out");
    fs::create_dir(&out).unwrap();
    pool.run(["get", "/logs/*.txt", out.to_str().unwrap()]).ok();
    assert!(out.join("a.txt").exists() && out.join("b.txt").exists() && !out.join(".hidden.txt").exists());
    let listed = pool.json(["ls", "/logs/*.log", "/logs/old"]);
    assert_eq!(listed["entries"].as_array().unwrap().len(), 2, "{listed}");
    let none = pool.run(["--json", "rm", "/logs/*.jpg"]).expect(1).json();
    assert_eq!(none["error"]["code"], "not_found");
    pool.run(["stat", "/logs/[ab].txt"]).expect(1);
    pool.run(["rm", "/logs/[ab].txt"]).ok();
    assert_eq!(
        paths(&pool, "/logs"),
        ["/logs", "/logs/.hidden.txt", "/logs/d.log", "/logs/old", "/logs/old/c.txt"]
    );
}

#[test]
fn things_are_found_by_name_kind_size_and_time_and_counted() {
    let pool = TestPool::new(2, "32MiB", "mirror:2");
    let top = folder(&pool);
    let past = FileTimes::new().set_modified(UNIX_EPOCH + Duration::from_secs(1_000_000_000));
    File::options().write(true).open(top.join("b.jpg")).unwrap().set_times(past).unwrap();
    pool.run(["put", "-r", top.to_str().unwrap(), "/t"]).ok();
    let find = |arguments: &[&str]| -> Vec<String> {
        let answer = pool.run(["--json", "find", "/t"].iter().chain(arguments)).ok();
        assert_valid("find", &answer);
        let found = answer.json();
        found["entries"].as_array().unwrap().iter().map(|e| e["path"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(find(&["--name", "*.txt"]), ["/t/a.txt", "/t/d/c.txt"]);
    assert_eq!(find(&["--type", "d"]), ["/t", "/t/d", "/t/d/e"]);
    assert_eq!(find(&["--type", "symlink"]), ["/t/link"]);
    assert_eq!(find(&["--size", "+100KiB"]), ["/t/b.jpg"]);
    assert_eq!(find(&["--size", "-0", "--type", "file"]), ["/t/d/e/f"]);
    assert!(!find(&["--newer", "2010-01-01"]).contains(&"/t/b.jpg".to_owned()));
    assert_eq!(find(&["--newer", top.join("b.jpg").to_str().unwrap(), "--name", "*.jpg"]), [""; 0]);
    assert_eq!(find(&["--newer", "2001-09-09T01:46:39Z", "--name", "*.jpg"]), ["/t/b.jpg"]);
    pool.run(["find", "/t", "--newer", "never"]).expect(1);
    let du = pool.run(["--json", "du", "/t"]).ok();
    assert_valid("du", &du);
    let du = du.json();
    let sum = |path: &str| {
        let entry = du["entries"].as_array().unwrap().iter().find(|entry| entry["path"] == path).unwrap();
        (entry["bytes"].as_u64().unwrap(), entry["files"].as_u64().unwrap())
    };
    // Contents with two names count once.
    assert_eq!((sum("/t"), sum("/t/d"), sum("/t/d/e")), ((203_010, 6), (3000, 3), (0, 1)));
    assert_eq!(pool.json(["du", "--depth", "1", "/t"])["entries"].as_array().unwrap().len(), 2);
    assert_eq!(pool.json(["du", "-s", "/t"])["entries"].as_array().unwrap().len(), 1);
    let df = pool.run(["--json", "df"]).ok();
    assert_valid("df", &df);
    assert!(df.json()["usable_bytes"].as_u64().unwrap() > 1 << 20);
    let all = pool.run(["ls", "-R", "/t"]).ok().text();
    assert!(all.contains("/t/d:\nagain\nc.txt\ne/\n\n/t/d/e:\nf\n"), "{all}");
}

#[test]
fn json_tells_all_bytes_of_names_and_targets() {
    let pool = TestPool::new(2, "32MiB", "mirror:2");
    let top = pool.beside("top");
    fs::create_dir(&top).unwrap();
    symlink(OsStr::from_bytes(b"\xff"), top.join("bytes")).unwrap();
    symlink("\\xff", top.join("text")).unwrap();
    let odd = top.join(OsStr::from_bytes(b"odd\n\xfe"));
    fs::write(&odd, b"x").unwrap();
    assert!(std::process::Command::new("mkfifo").arg(top.join("pipe")).status().unwrap().success());
    let put = pool.run(["--json", "put", "-r", top.to_str().unwrap(), "/t"]).ok();
    let skipped = &put.json()["skipped"][0];
    assert_eq!(
        (&skipped["path"], &skipped["why"]),
        (&top.join("pipe").to_str().unwrap().into(), &"a pipe".into())
    );
    let hex: String = b"/t/odd\n\xfe".iter().map(|byte| format!("{byte:02x}")).collect();
    for command in [&["ls", "/t"][..], &["tree", "/t"], &["find", "/t"]] {
        let answer = pool.run(["--json"].iter().chain(command)).ok();
        assert_valid(command[0], &answer);
        let listed = answer.json();
        let entries = listed["entries"].as_array().unwrap();
        let of = |name: &str| entries.iter().find(|entry| entry["name"] == name).unwrap();
        assert_eq!((&of("bytes")["target"], &of("bytes")["target_hex"]), (&"\\xff".into(), &"ff".into()));
        assert_eq!((&of("text")["target"], &of("text")["target_hex"]), (&"\\xff".into(), &Value::Null));
        assert_eq!(of("odd\\n\\xfe")["path_hex"], hex, "{listed}");
    }
    for (command, list) in [("locate", "files"), ("verify", "failed")] {
        let answer = pool.run(["--json", command, "-r", "/t"]).ok();
        assert_valid(command, &answer);
        let json = answer.json();
        let mut files = json[list].as_array().unwrap().iter();
        assert!(list == "failed" || files.any(|file| file["path_hex"] == hex), "{json}");
    }
}

// A caller that fills a pool learns before that it will not do.
#[test]
fn a_dry_run_says_whether_there_is_room() {
    let pool = TestPool::new(2, "32MiB", "mirror:2");
    let file = pool.file("large", &noise(40 << 20, 3));
    let full = pool.run(["--json", "put", "-n", file.to_str().unwrap(), "/f"]).expect(1).json();
    assert_eq!(full["error"]["code"], "no_space", "{full}");
    let hole = pool.beside("hole");
    File::create(&hole).unwrap().set_len(1 << 30).unwrap();
    pool.run(["put", "-n", hole.to_str().unwrap(), "/f"]).ok();
    let small = pool.file("small", &noise(1 << 20, 4));
    pool.run(["put", "-n", small.to_str().unwrap(), "/f"]).ok();
    assert!(Path::new(&small).exists());
}
