//! What the program says: exit codes, errors, JSON and its schemas, colours.

use crate::common::{TestPool, assert_valid, noise, sources};
use std::fs;

#[test]
fn all_output_is_as_its_schema_says() {
    let pool = TestPool::none();
    let file = pool.file("file", &noise(100_000, 1));
    let file = file.to_str().unwrap();
    let out = pool.beside("out");
    for (name, arguments) in [
        ("init", &["init", "--disks", "3", "--disk-size", "32MiB"][..]),
        ("put", &["put", file, "/file"]),
        ("mkdir", &["mkdir", "/d"]),
        ("cp", &["cp", "/file", "/d"]),
        ("mv", &["mv", "/file", "/e"]),
        ("get", &["get", "/e", out.to_str().unwrap()]),
        ("ls", &["ls"]),
        ("tree", &["tree"]),
        ("stat", &["stat", "/e"]),
        ("check", &["check"]),
        ("labels", &["labels"]),
        ("metrics", &["metrics"]),
        ("status", &["status"]),
        ("health", &["health"]),
        ("benchmark", &["benchmark", "--file-size", "64KiB", "--operations", "3"]),
        ("disk-list", &["disk", "list"]),
        ("whatif-lose", &["whatif", "lose", "disk-0"]),
        ("ok-to-remove", &["ok-to-remove", "disk-0"]),
        ("capacity", &["capacity", "--add", "1GiB"]),
        ("rm", &["rm", "-r", "/d"]),
        ("disk-fail", &["disk", "fail", "disk-0", "--yes"]),
        ("status", &["status"]),
    ] {
        let answer = pool.run(["--json"].iter().chain(arguments)).ok();
        assert_valid(name, &answer);
        assert!(answer.stderr.is_empty(), "{name}: {}", answer.stderr);
    }
    assert_valid("health", &pool.run(["--json", "health"]).expect(2));
}

#[test]
fn all_failures_are_as_their_schema_says() {
    let pool = TestPool::new(1, "32MiB", "single");
    for (code, arguments) in [
        (1, &["cat", "/none"][..]),
        (1, &["cat", "none"]),
        (1, &["put", "/none", "/x"]),
        (2, &["frobnicate"]),
        (2, &["ls", "--wrong"]),
        (2, &["mkdir", "/d", "--read-only"]),
        (1, &["ls", "--pool", "/nowhere"]),
        (3, &["init", "--disks", "1", "--disk-size", "32MiB"]),
    ] {
        let answer = pool.run(["--json"].iter().chain(arguments)).expect(code);
        assert_valid("error", &answer);
        assert!(answer.stderr.is_empty());
    }
    let mut command = pool.command(["ls"]);
    let unnamed = crate::common::answer(command.env_remove("DYNAMICFS_POOL").output().unwrap()).expect(2);
    assert!(unnamed.stderr.contains("--pool"), "{}", unnamed.stderr);
}

#[test]
fn the_specified_fields_are_there() {
    let pool = TestPool::new(3, "32MiB", "2+1");
    pool.run_with_input(["put", "-", "/file"], &noise(1 << 20, 1)).ok();
    let status = pool.json(["status", "--pool", pool.path().to_str().unwrap()]);
    assert_eq!(status["status"], "healthy");
    for field in ["total", "healthy", "degraded", "failed"] {
        assert!(status["disks"][field].is_u64(), "{field}");
    }
    for field in ["total", "complete", "readable", "unreadable"] {
        assert!(status["extents"][field].is_u64(), "{field}");
    }
    assert!(status["timestamp"].as_str().unwrap().ends_with('Z'));
    assert_eq!(pool.json(["health"])["status"], "healthy");
    let disk = &pool.json(["metrics"])["disk"];
    assert!(disk["writes"].as_u64() > Some(0) && disk["write_bytes"].as_u64() > Some(1 << 20));
    // Counters survive the process, and grow.
    let before = disk["write_bytes"].as_u64();
    pool.run(["mkdir", "/d"]).ok();
    assert!(pool.json(["metrics"])["disk"]["write_bytes"].as_u64() > before);
}

#[test]
fn the_benchmark_prints_its_two_lines() {
    let pool = TestPool::new(3, "64MiB", "2+1");
    let answer = pool.run(["benchmark", "--file-size", "1048576", "--operations", "5"]).ok();
    let text = answer.text();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{text}");
    for (line, name) in lines.iter().zip(["Write", "Read"]) {
        let figures = line.strip_prefix(&format!("{name} Performance: ")).unwrap();
        let (rate, operations) = figures.split_once(" MB/s, ").unwrap();
        assert!(rate.parse::<f64>().unwrap() > 0.0);
        assert!(operations.strip_suffix(" ops/sec").unwrap().parse::<u64>().is_ok(), "{line}");
    }
    assert_eq!(pool.json(["ls"])["entries"].as_array().unwrap().len(), 0);
}

#[test]
fn pipes_get_no_colours() {
    let pool = TestPool::new(2, "32MiB", "mirror:2");
    fs::remove_file(pool.disk(0)).unwrap();
    for arguments in [&["status"][..], &["ls", "/none"], &["--help"], &["disk", "list"], &["health"]] {
        let answer = pool.run(arguments);
        assert!(!answer.stdout.contains(&0x1b) && !answer.stderr.contains('\x1b'), "{arguments:?}");
    }
}

// Every command, in an order in which each of them succeeds.
#[test]
fn quiet_says_nothing_but_what_was_asked_for() {
    let pool = TestPool::none();
    let beside = |name: &str| pool.beside(name).to_str().unwrap().to_owned();
    pool.file("file", &noise(100_000, 1));
    let (file, out, saved, man) = (beside("file"), beside("out"), beside("saved"), beside("man"));
    let (new, disk_0) = (beside("new.img"), pool.disk(0).to_str().unwrap().to_owned());
    let sources = sources().to_str().unwrap().to_owned();
    for (is_asked, arguments) in [
        (false, &["init", "--disks", "4", "--disk-size", "32MiB", "--scheme", "mirror:2"][..]),
        (true, &["init", "-n", "--pool", &out, "--disks", "4", "--disk-size", "32MiB"]),
        (false, &["put", "-r", &sources, "/"]),
        (false, &["put", &file, "/file"]),
        (true, &["put", "-n", &file, "/other"]),
        (false, &["sync", &sources, "/src"]),
        (false, &["get", "/file", &out]),
        (true, &["get", "/src/main.rs", "-"]),
        (true, &["cat", "/src/main.rs"]),
        (true, &["ls"]),
        (true, &["tree"]),
        (true, &["find"]),
        (true, &["du"]),
        (true, &["df"]),
        (true, &["stat", "/file"]),
        (false, &["mkdir", "/d"]),
        (false, &["cp", "/file", "/d"]),
        (false, &["mv", "/d/file", "/d/moved"]),
        (false, &["rm", "-r", "/d"]),
        (true, &["locate", "/file"]),
        (false, &["verify", "/file"]),
        (false, &["policy", "set", "/file", "--scheme", "single"]),
        (true, &["policy", "get", "/file"]),
        (true, &["status"]),
        (true, &["health"]),
        (true, &["metrics"]),
        (true, &["labels"]),
        (true, &["capacity"]),
        (true, &["whatif", "lose", "disk-0"]),
        (true, &["ok-to-remove", "disk-0"]),
        (true, &["benchmark", "--file-size", "4KiB", "--operations", "2"]),
        (true, &["import", "-n", "--disk", &disk_0]),
        (false, &["check"]),
        (false, &["salvage", &saved]),
        (false, &["scrub", "start"]),
        (true, &["scrub", "status"]),
        (false, &["scrub", "wait"]),
        (false, &["rebalance", "start"]),
        (false, &["rebuild", "start"]),
        (false, &["repair"]),
        (false, &["trim"]),
        (true, &["disk", "list"]),
        (true, &["disk", "show", "disk-1"]),
        (true, &["disk", "identify", "disk-1", "--seconds", "0"]),
        (false, &["disk", "add", &new, "--size", "32MiB"]),
        (false, &["disk", "rename", "new", "newer"]),
        // It has one copy since, perhaps on the disk that goes.
        (false, &["rm", "/file"]),
        (false, &["disk", "offline", "disk-1"]),
        (false, &["disk", "online", "disk-1"]),
        (false, &["disk", "clear", "disk-1"]),
        (true, &["disk", "fail", "disk-1", "-n"]),
        (false, &["disk", "drain", "newer"]),
        (false, &["disk", "remove", "newer", "--yes"]),
        (false, &["pool", "rename", "other"]),
        (true, &["events"]),
        (true, &["schema"]),
        (true, &["completions", "fish"]),
        (true, &["man"]),
        (false, &["man", "--folder", &man]),
        (false, &["demo"]),
    ] {
        let answer = pool.run(["--quiet"].iter().chain(arguments)).ok();
        assert_eq!(answer.stderr, "", "{arguments:?}");
        assert_eq!(!answer.stdout.is_empty(), is_asked, "{arguments:?}: {}", answer.text());
    }
    // What warns otherwise does not.
    fs::remove_file(pool.disk(2)).unwrap();
    for arguments in
        [&["mkdir", "/d"][..], &["put", &file, "/d"], &["ls"], &["disk", "fail", "disk-2", "--yes"]]
    {
        assert_eq!(pool.run(["--quiet"].iter().chain(arguments)).ok().stderr, "", "{arguments:?}");
    }
}

// Of what is wrong nothing is withheld.
#[test]
fn quiet_says_what_is_wrong() {
    let pool = TestPool::new(2, "32MiB", "single");
    pool.run_with_input(["put", "-", "/file"], &noise(8 << 20, 1)).ok();
    fs::remove_file(pool.disk(1)).unwrap();
    let check = pool.run(["--quiet", "check", "--force-degraded"]).expect(4);
    assert!(check.text().contains("data is lost"), "{}", check.text());
}

#[test]
fn names_that_cannot_be_are_refused() {
    let pool = TestPool::new(1, "32MiB", "single");
    let long = format!("/{}", "x".repeat(256));
    for path in ["relative", "", "/a/../b", "/.", long.as_str()] {
        let answer = pool.run(["--json", "mkdir", path]).expect(1);
        assert_eq!(answer.json()["error"]["code"], "invalid_name", "{path}");
    }
    pool.run(["mkdir", &format!("/{}", "x".repeat(255))]).ok();
    pool.run_with_input(["put", "-", "/none/x"], b"").expect(1);
    pool.run_with_input(["put", "-", "/"], b"").expect(1);
}

#[test]
fn a_damaged_pool_file_is_explained() {
    let pool = TestPool::new(1, "32MiB", "single");
    let file = pool.path().join("pool.toml");
    let text = fs::read_to_string(&file).unwrap();
    for bad in ["", "nonsense", &text.replace("version = 1", "version = 9"), &text.replace("name", "nam")] {
        fs::write(&file, bad).unwrap();
        let answer = pool.run(["--json", "ls"]).expect(1);
        assert_eq!(answer.json()["error"]["code"], "bad_pool", "{}", answer.text());
    }
}
