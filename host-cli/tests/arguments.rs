//! Numbers outside their bounds: refused at once, with what is allowed, and nothing is made.

use crate::common::terminal::Terminal;
use crate::common::{TestPool, answer, assert_valid, noise, signal, wait_for_progress};
use std::fs;

#[test]
fn a_number_outside_its_bounds_is_told_these() {
    let pool = TestPool::none();
    for (arguments, told) in [
        (&["init", "--disks", "0", "--disk-size", "1GiB"][..], "1 to 64 disks"),
        (&["init", "--disks", "65", "--disk-size", "1GiB"], "1 to 64 disks"),
        (&["init", "--disks", "4294967296", "--disk-size", "1GiB"], "1 to 64 disks"),
        (&["init", "--disks", "18446744073709551616", "--disk-size", "1GiB"], "1 to 64 disks"),
        (&["init", "--disks", "-1", "--disk-size", "1GiB"], "1 to 64 disks"),
        (&["init", "--disks", "many", "--disk-size", "1GiB"], "1 to 64 disks"),
        (&["init", "--disks", "3", "--disk-size", "0"], "at least 64.0 KiB"),
        (&["init", "--disks", "3", "--disk-size", "10"], "was 10MiB meant?"),
        (&["init", "--disks", "3", "--disk-size", "-1"], "not negative"),
        (&["init", "--disks", "3", "--disk-size", "-1GiB"], "not negative"),
        (&["init", "--disks", "3", "--disk-size", "2EiB"], "at most 1.0 EiB"),
        (&["init", "--disks", "3", "--disk-size", "1GiB", "--node-size", "1000"], "at most 16.0 KiB"),
        (&["init", "--disks", "3", "--disk-size", "1GiB", "--node-size", "32KiB"], "a power of two"),
        (&["init", "--disks", "3", "--disk-size", "1GiB", "--chunk", "256"], "at least 512 B"),
        (&["init", "--disks", "3", "--disk-size", "1GiB", "--extent-size", "8MiB"], "at most 4.0 MiB"),
        (&["init", "--disks", "3", "--disk-size", "1GiB", "--tolerance", "5"], "0..=4"),
        (&["init", "--disks", "3", "--disk-size", "1GiB", "--tolerance", "-1"], "0..=4"),
        (&["init", "--disks", "3", "--disk-size", "1GiB", "--scheme", "-1"], "scheme"),
        (&["status", "--memory", "0"], "at least 4.0 KiB"),
        (&["status", "--memory", "64"], "was 64MiB meant?"),
        (&["status", "--memory", "-1"], "not negative"),
        (&["status", "--wait", "-1"], "30s, 15m"),
        (&["scrub", "start", "--throttle", "1"], "at least 1KiB"),
        (&["scrub", "start", "--throttle", "0%"], "1% to 100%"),
        (&["scrub", "start", "--throttle", "101%"], "1% to 100%"),
        (&["scrub", "start", "--throttle", "20"], "as 20MB"),
        (&["rebuild", "start", "--throttle", "-5MB"], "not negative"),
        (&["disk", "add", "x", "--size", "0"], "at least 64.0 KiB"),
        (&["disk", "add", "x", "--size", "-1"], "not negative"),
        (&["disk", "replace", "disk-0", "x", "--size", "5"], "was 5MiB meant?"),
        (&["disk", "identify", "disk-0", "--seconds", "-1"], "from 0 to 86400"),
        (&["disk", "identify", "disk-0", "--seconds", "86401"], "from 0 to 86400"),
        (&["benchmark", "--file-size", "0"], "at least 1 B"),
        (&["benchmark", "--file-size", "1TiB"], "at most 4.0 GiB"),
        (&["benchmark", "--operations", "0"], "from 1 to"),
        (&["benchmark", "--operations", "-1"], "from 1 to"),
        (&["capacity", "--add", "0"], "at least 64.0 KiB"),
        (&["trim", "--minimum", "-1"], "not negative"),
        (&["find", "--size", "some"], "is not a size"),
        (&["events", "--since", "-1h"], "RFC 3339"),
    ] {
        let answer = pool.run(arguments).expect(2);
        assert!(answer.stderr.contains(told), "{arguments:?}: {}", answer.stderr);
        assert!(!answer.stderr.contains("unexpected argument"), "{arguments:?}: {}", answer.stderr);
        let json = pool.run(["--json"].iter().chain(arguments)).expect(2);
        assert_valid("error", &json);
        assert!(!pool.path().exists(), "{arguments:?}");
    }
}

// A shell sets a variable that is empty where another script leaves it out.
#[test]
fn an_empty_variable_names_no_pool() {
    let pool = TestPool::none();
    let unnamed = answer(pool.command(["ls"]).env("DYNAMICFS_POOL", "").output().unwrap()).expect(2);
    assert!(unnamed.stderr.contains("no pool was named"), "{}", unnamed.stderr);
    let empty = pool.run(["ls", "--pool", ""]).expect(2);
    assert!(empty.stderr.contains("it is empty"), "{}", empty.stderr);
    pool.run(["init", "--disks", "1", "--disk-size", "8MiB"]).ok();
    let named = pool.path();
    let named = ["ls", "--pool", named.to_str().unwrap()];
    answer(pool.command(named).env("DYNAMICFS_POOL", "").output().unwrap()).ok();
}

// A disk of so many bytes has more groups than there are numbers for them.
#[test]
fn a_disk_that_is_too_large_is_told_how_large_it_may_be() {
    let pool = TestPool::none();
    for (size, more) in [("1EiB", &[][..]), ("1023PiB", &[]), ("512PiB", &["--portable"])] {
        for dry in [&["--dry-run"][..], &[]] {
            let arguments = [&["init", "--disks", "1", "--disk-size", size], more, dry].concat();
            let large = pool.run(&arguments).expect(1);
            // Where not even the filesystem takes such a file, that is what is said.
            let is_told = large.stderr.contains("has at most") && large.stderr.contains("disk-0.img");
            assert!(
                is_told || large.stderr.contains("cannot set the size"),
                "{arguments:?}: {}",
                large.stderr
            );
            assert!(is_told || dry.is_empty(), "{arguments:?}: {}", large.stderr);
            assert!(!pool.path().exists());
        }
    }
}

// It was told to leave out options of `init`.
#[test]
fn a_file_that_is_too_small_to_be_added_is_told_so() {
    let pool = TestPool::new(1, "8MiB", "single");
    for bytes in [1, 868, 5000] {
        let file = pool.file("small", &vec![7; bytes]);
        for dry in [&["--dry-run"][..], &[]] {
            let arguments = [&["disk", "add", "--force", "--yes", file.to_str().unwrap()], dry].concat();
            let small = pool.run(arguments).expect(1);
            assert!(
                small.stderr.contains("too small") && !small.stderr.contains("--portable"),
                "{}",
                small.stderr
            );
        }
    }
}

#[test]
fn too_many_disks_are_refused_before_one_of_them_is_touched() {
    let pool = TestPool::none();
    let disks: Vec<String> = (0..65).map(|number| format!("/nowhere/{number}")).collect();
    let given = pool.run(["init", "--disk"].into_iter().chain(disks.iter().map(String::as_str))).expect(1);
    assert!(given.stderr.contains("1 to 64 disks"), "{}", given.stderr);
    let witness = pool.beside("witness");
    let arguments = ["init", "--disks", "64", "--disk-size", "1GiB", "--witness", witness.to_str().unwrap()];
    let with_witness = pool.run(arguments).expect(1);
    assert!(with_witness.stderr.contains("1 to 64 disks, and 65"), "{}", with_witness.stderr);
    let portable = pool.run(["init", "--disks", "5", "--disk-size", "8MiB", "--portable"]).expect(1);
    assert!(portable.stderr.contains("a portable pool has 1 to 4 disks"), "{}", portable.stderr);
    assert!(!pool.path().exists());
    pool.run(["init", "--disks", "4", "--disk-size", "8MiB", "--portable"]).ok();
}

#[test]
fn a_disk_that_is_too_small_is_told_how_large_it_has_to_be() {
    let pool = TestPool::none();
    let small = pool.run(["init", "--disks", "3", "--disk-size", "64KiB"]).expect(1);
    let (_, needed) = small.stderr.split_once("has at least ").unwrap();
    let bytes = needed.split_whitespace().next().unwrap();
    assert!(!pool.path().exists());
    pool.run(["init", "--disks", "3", "--disk-size", bytes]).ok();
}

#[test]
fn the_units_of_sizes_are_those_of_the_help() {
    let pool = TestPool::none();
    let help = pool.run(["--help"]).ok().text();
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        help.contains(
            "KiB, MiB, GiB, TiB are powers of 1024; kB, MB, GB, TB, and k, M, G, T alone, powers of 1000"
        ),
        "{help}"
    );
    for (size, bytes) in
        [("64M", 64_000_000_u64), ("64MB", 64_000_000), ("64MiB", 64 << 20), ("67108864", 64 << 20)]
    {
        let made = pool.json(["init", "-n", "--disks", "1", "--disk-size", size]);
        assert_eq!(made["disks"][0]["bytes"], bytes, "{size}");
    }
}

#[test]
fn a_sector_in_pool_toml_is_held_to_its_bounds() {
    let pool = TestPool::new(2, "32MiB", "mirror:2");
    let file = pool.path().join("pool.toml");
    let text = fs::read_to_string(&file).unwrap();
    for (sector, code) in
        [(0, 1), (1, 1), (256, 1), (1000, 1), (32768, 1), (u32::MAX, 1), (512, 0), (4096, 0)]
    {
        let at = text.rfind("name = ").unwrap();
        fs::write(&file, format!("{}sector = {sector}\n{}", &text[..at], &text[at..])).unwrap();
        let answer = pool.run(["--json", "ls"]).expect(code);
        if code == 1 {
            let error = answer.json()["error"].clone();
            assert_eq!(error["code"], "bad_pool", "{error}");
            assert!(error["message"].as_str().unwrap().contains("from 512 to 16384"), "{error}");
        }
    }
}

// What is typed is repeated, and may be anything.
#[test]
fn arguments_cannot_command_a_terminal() {
    let pool = TestPool::none();
    let red = "\x1b[31mx\ny";
    for arguments in [
        &[red][..],
        &["ls", &format!("--{red}")],
        &["disk", red],
        &["ls", "--memory", red],
        &["ls", "--wait", red],
        &["init", "--scheme", red],
        &["init", "--disks", red],
        &["events", "--since", red],
        &["find", "--size", red],
        &["scrub", "start", "--throttle", red],
        &["completions", red],
        &["schema", red],
        &["man", red],
    ] {
        let answer = pool.run(arguments);
        assert!(matches!(answer.code, 1 | 2), "{arguments:?}");
        assert!(!answer.stderr.contains("x\ny"), "{arguments:?}: {}", answer.stderr);
        let mut terminal = Terminal::run(&pool.path(), arguments);
        terminal.wait_for("error:");
        terminal.wait_for("\n");
        assert!(!terminal.shown.contains("\x1b[31mx"), "{arguments:?}: {}", terminal.shown);
        terminal.end();
    }
}

// As docs/OPERATIONS.md has them.
#[test]
fn exit_codes_are_those_of_the_document() {
    let pool = TestPool::new(2, "32MiB", "mirror:2");
    pool.run_with_input(["put", "-", "/file"], &noise(3_000_000, 1)).ok();
    let check = |code, arguments: &[&str]| pool.run(arguments).expect(code);
    check(0, &["health"]);
    check(0, &["ls", "-r", "/"]);
    check(1, &["cat", "/none"]);
    check(3, &["health", "--frobnicate"]);
    check(2, &["status", "--frobnicate"]);
    check(2, &["ls", "--throttle", "5MB"]);
    check(3, &["ok-to-remove", "disk-0"]);
    check(3, &["disk", "fail", "disk-0"]);
    let mut scrub = pool.spawn(["scrub", "start", "--throttle", "64KiB"]);
    wait_for_progress(&mut scrub);
    check(5, &["mkdir", "/d"]);
    signal(&scrub, "TERM");
    assert_eq!(answer(scrub.wait_with_output().unwrap()).code, 6);
    fs::remove_file(pool.disk(1)).unwrap();
    check(2, &["health"]);
    check(3, &["ls"]);
    let lossy = TestPool::new(2, "32MiB", "single");
    lossy.run_with_input(["put", "-", "/file"], &[7; 8 << 20]).ok();
    fs::remove_file(lossy.disk(1)).unwrap();
    lossy.run(["check", "--force-degraded"]).expect(4);
    lossy.run(["salvage", lossy.beside("out").to_str().unwrap()]).expect(4);
}
