//! Ctrl-C, SIGTERM and SIGHUP end the program wherever it waits: at a question, for input, for a reader of
//! its output, for time to pass. Nothing that would wait for ever is waited for.

use crate::common::terminal::{CTRL_C, Terminal};
use crate::common::{TestPool, answer, noise, pause, signal, wait_for_progress, wait_until};
use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Far less than any of what is waited for here takes.
const SOON: Duration = Duration::from_secs(20);

/// A pool in which questions are asked, and a file beside it that would be a disk.
fn pool_with_questions() -> (TestPool, String) {
    let pool = TestPool::new(4, "32MiB", "mirror:2");
    pool.run_with_input(["put", "-", "/file"], &noise(300_000, 1)).ok();
    let new = pool.file("new.img", b"mine");
    fs::File::options().write(true).open(&new).unwrap().set_len(32 << 20).unwrap();
    (pool, new.to_str().unwrap().to_owned())
}

/// All that a question is about.
fn state(pool: &TestPool, new: &str) -> (String, String, Vec<u8>) {
    let disks = pool.json(["disk", "list"])["disks"].to_string();
    let list = fs::read_to_string(pool.path().join("pool.toml")).unwrap();
    (disks, list, fs::read(new).unwrap())
}

#[test]
fn a_question_is_given_up_at_once_and_nothing_is_done() {
    let (pool, new) = pool_with_questions();
    let elsewhere = pool.beside("elsewhere");
    let before = state(&pool, &new);
    for arguments in [
        &["disk", "fail", "disk-1"][..],
        &["disk", "add", "--force", &new],
        &["disk", "replace", "--force", "disk-1", &new],
        &["init", "--pool", elsewhere.to_str().unwrap(), "--force", "--disk", &new],
    ] {
        for name in ["INT", "TERM", "HUP"] {
            let mut terminal = Terminal::run(&pool.path(), ["--json"].iter().chain(arguments));
            terminal.wait_for("to continue: ");
            match name {
                "INT" => terminal.type_in(CTRL_C),
                name => signal(&terminal.child, name),
            }
            let (code, shown) = terminal.end();
            assert_eq!(code, Some(6), "{arguments:?} {name}: {shown}");
            assert!(shown.contains("\"interrupted\"") && shown.contains("nothing was done"), "{shown}");
            assert!(state(&pool, &new) == before && !elsewhere.exists(), "{arguments:?} {name}");
        }
    }
}

// What was typed before the program could take notice of the signal counts for nothing.
#[test]
fn an_answer_that_comes_with_the_signal_is_none() {
    let (pool, new) = pool_with_questions();
    let before = state(&pool, &new);
    let mut terminal = Terminal::run(&pool.path(), ["disk", "fail", "disk-1"]);
    terminal.wait_for("to continue: ");
    pause(&terminal.child);
    signal(&terminal.child, "TERM");
    terminal.type_in("disk-1\n");
    signal(&terminal.child, "CONT");
    let (code, shown) = terminal.end();
    assert_eq!(code, Some(6), "{shown}");
    assert!(state(&pool, &new) == before);
}

#[test]
fn a_question_that_is_answered_is_answered() {
    let (pool, _) = pool_with_questions();
    for (answer, code) in [("no\n", 3), ("disk-1", 3), ("\x04", 3), (" disk-1 \n", 0)] {
        let mut terminal = Terminal::run(&pool.path(), ["disk", "fail", "disk-1"]);
        terminal.wait_for("to continue: ");
        terminal.type_in(answer);
        if !answer.ends_with(['\n', '\x04']) {
            // The end of what is typed, twice: in the middle of a line the first ends only that.
            terminal.type_in("\x04\x04");
        }
        let (ended, shown) = terminal.end();
        assert!(ended == Some(code) || answer == "disk-1" && ended == Some(0), "{answer:?}: {shown}");
        if answer == "disk-1" {
            pool.run(["disk", "online", "disk-1"]).ok();
        }
    }
}

/// Waits until a process has nothing to do: looked at again and again, it sleeps.
fn wait_until_idle(child: &Child) {
    let stat = format!("/proc/{}/stat", child.id());
    let mut sleeps = 0;
    wait_until("the process waits", || {
        let state = fs::read_to_string(&stat).unwrap();
        let is_asleep = state.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('S'));
        sleeps = if is_asleep { sleeps + 1 } else { 0 };
        sleeps > 30
    });
}

/// Ends a process that waits with a signal; it must have ended soon, with this exit code.
#[track_caller]
fn stop(mut child: Child, name: &str, code: i32) {
    wait_until_idle(&child);
    signal(&child, name);
    let asked = Instant::now();
    let mut ended = None;
    wait_until(&format!("{name} ends it"), || {
        ended = child.try_wait().unwrap();
        ended.is_some() || asked.elapsed() > SOON
    });
    let ended = ended.unwrap_or_else(|| {
        child.kill().unwrap();
        panic!("{name} does not end it");
    });
    assert_eq!(ended.code(), Some(code), "{name}: {ended:?}");
}

#[test]
fn a_signal_ends_a_command_wherever_it_waits() {
    let pool = TestPool::new(3, "64MiB", "mirror:2");
    // Far more than a pipe holds.
    pool.run_with_input(["put", "-", "/file"], &noise(3_000_000, 1)).ok();
    for name in ["INT", "TERM", "HUP"] {
        for (arguments, code) in [
            // For input.
            (&["put", "-", "/from-input"][..], 6),
            // For a reader of what is printed.
            (&["cat", "/file"], 6),
            (&["get", "/file", "-"], 6),
            (&["completions", "bash"], 6),
            (&["completions", "bash", "--json"], 6),
            // For time to pass.
            (&["events", "--follow"], 0),
            (&["scrub", "start", "--restart", "--throttle", "64KiB"], 6),
        ] {
            eprintln!("{name} {arguments:?}");
            stop(pool.spawn(arguments), name, code);
        }
        let mut scrub = pool.spawn(["scrub", "start", "--restart", "--throttle", "64KiB"]);
        wait_for_progress(&mut scrub);
        stop(pool.spawn(["scrub", "wait"]), name, 6);
        stop(scrub, name, 6);
        assert_eq!(pool.json(["ls"])["entries"].as_array().unwrap().len(), 1, "{name}");
    }
    pool.run(["check"]).ok();
}

#[test]
fn a_signal_ends_what_works_for_long() {
    let pool = TestPool::new(3, "64MiB", "mirror:2");
    pool.run_with_input(["put", "-", "/file"], &noise(3_000_000, 1)).ok();
    for (arguments, code) in [
        (&["disk", "identify", "disk-1", "--seconds", "3600"][..], 6),
        (&["benchmark", "--file-size", "4KiB", "--operations", "100000000"], 6),
        (&["demo"], 6),
    ] {
        let mut child = pool.spawn(arguments);
        // Until its signals are caught.
        let status = format!("/proc/{}/status", child.id());
        wait_until("signals are caught", || {
            let status = fs::read_to_string(&status).unwrap();
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap().trim();
            u64::from_str_radix(caught, 16).unwrap() & 1 << (15 - 1) != 0
        });
        signal(&child, "TERM");
        let asked = Instant::now();
        wait_until("it has ended", || child.try_wait().unwrap().is_some());
        assert!(asked.elapsed() < SOON, "{arguments:?}");
        let ended = answer(child.wait_with_output().unwrap());
        assert_eq!(ended.code, code, "{arguments:?}: {}", ended.stderr);
    }
}

// Opening a pipe waits for its other end, which never comes.
#[test]
fn a_pipe_in_the_place_of_a_file_is_not_waited_for() {
    let pool = TestPool::new(3, "32MiB", "mirror:2");
    let fifo = |path: std::path::PathBuf| {
        let _ = fs::remove_file(&path);
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        path.to_str().unwrap().to_owned()
    };
    let pipe = fifo(pool.beside("pipe"));
    let folder = pool.beside("folder");
    fs::create_dir(&folder).unwrap();
    fifo(folder.join("pipe"));
    let elsewhere = pool.beside("elsewhere");
    let elsewhere = elsewhere.to_str().unwrap();
    let run = |arguments: &[&str]| {
        let mut timed = Command::new("timeout");
        timed.args(["-s", "KILL", "20", env!("CARGO_BIN_EXE_dynamicfs")]).args(arguments);
        let timed = timed.env("DYNAMICFS_POOL", pool.path()).stdin(Stdio::null()).output().unwrap();
        let ended = answer(timed);
        assert!((0..=6).contains(&ended.code), "{arguments:?}: {}", ended.stderr);
    };
    run(&["put", &pipe, "/x"]);
    run(&["put", "-r", folder.to_str().unwrap(), "/"]);
    run(&["labels", "--disk", &pipe]);
    run(&["init", "--pool", elsewhere, "--disk", &pipe]);
    run(&["init", "--pool", elsewhere, "--disk", pool.disk(0).to_str().unwrap(), "--witness", &pipe]);
    run(&["disk", "add", &pipe]);
    run(&["demo", &pipe]);
    let disk = fifo(pool.disk(1));
    for command in ["status", "health", "labels", "check", "ls"] {
        run(&[command]);
    }
    run(&["disk", "identify", "disk-1"]);
    run(&["disk", "replace", "disk-1", &disk]);
    fifo(pool.path().join("events.jsonl"));
    run(&["events"]);
    run(&["scrub", "start"]);
    fifo(pool.path().join("pool.toml"));
    run(&["status"]);
    run(&["events"]);
}
