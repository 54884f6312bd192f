//! What is said of a pool that is not as it should be: by `health` as a plug-in of monitoring, by jobs, by
//! `check`.

use crate::common::{Answer, TestPool, answer, assert_valid, noise};
use serde_json::Value;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::process::{Command, Stdio};

fn pool_with_file(disks: usize, scheme: &str) -> (TestPool, Vec<u8>) {
    let contents = noise(6_000_000, 5);
    (TestPool::with_file(disks, "32MiB", scheme, &contents), contents)
}

fn codes(answer: &Value) -> Vec<&str> {
    answer["reasons"].as_array().unwrap().iter().map(|reason| reason["code"].as_str().unwrap()).collect()
}

/// Damages a disk where data is.
fn rot(pool: &TestPool, disk: usize) {
    let file = File::options().write(true).open(pool.disk(disk)).unwrap();
    (0..40u64).for_each(|place| file.write_all_at(&[0x55; 512], (2 << 20) + place * 65_536).unwrap());
    file.sync_all().unwrap();
}

/// Runs the program in a shell, after a command of the shell.
fn run_after(pool: &TestPool, before: &str, arguments: &str) -> Answer {
    let program = env!("CARGO_BIN_EXE_dynamicfs");
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{before}; exec {program} {arguments}")]);
    answer(shell.env("DYNAMICFS_POOL", pool.path()).stdin(Stdio::null()).output().unwrap())
}

#[test]
fn health_is_a_plug_in_of_nagios() {
    let (pool, _) = pool_with_file(4, "2+1");
    let well = pool.run(["health"]).ok().text();
    let (verdict, measures) = well.lines().next().unwrap().split_once(" | ").unwrap();
    assert_eq!(verdict, "HEALTHY: 1 more disk may fail for reading, 1 more disk for writing");
    for measure in measures.split(' ') {
        let (label, value) = measure.split_once('=').unwrap();
        let fields: Vec<&str> = value.split(';').collect();
        let number = fields[0].trim_end_matches(|c: char| c.is_ascii_alphabetic());
        assert!(!label.is_empty() && number.parse::<u64>().is_ok() && fields.len() == 5, "{measure}");
    }
    assert!(measures.starts_with("read_tolerance=1;;;0; ") && measures.contains("used="), "{measures}");
    fs::remove_file(pool.disk(1)).unwrap();
    let missing = pool.run(["health"]);
    assert!(missing.code == 1 || missing.code == 2);
    assert!(missing.text().lines().next().unwrap().contains("disk"), "{}", missing.text());
    // What cannot tell is neither a warning nor critical.
    pool.run(["health", "--bogus"]).expect(3);
    pool.run(["--json", "health", "extra"]).expect(3);
    pool.run(["--pool", "/nowhere", "health"]).expect(3);
    let when_full = |arguments: &[&str]| {
        let full = File::options().write(true).open("/dev/full").unwrap();
        pool.command(arguments).stdout(full).status().unwrap().code()
    };
    assert_eq!(when_full(&["health"]), Some(3));
    assert_eq!(when_full(&["health", "--help"]), Some(3));
    assert_eq!(when_full(&["--help"]), Some(1));
    // Other commands keep their exit codes.
    pool.run(["status", "--bogus"]).expect(2);
}

/// A process that may open too few files called disks missing, and recorded it.
#[test]
fn a_lack_of_descriptors_is_no_lack_of_disks() {
    let (pool, _) = pool_with_file(6, "4+2");
    let put = run_after(&pool, "ulimit -n 8", "--json put /etc/hostname /other").expect(1);
    assert_eq!(put.json()["error"]["code"], "host_limit", "{}", put.text());
    let health = run_after(&pool, "ulimit -n 8", "health").expect(3);
    assert!(
        health.text().starts_with("UNKNOWN: cannot") && health.text().contains("ulimit -n"),
        "{}",
        health.text()
    );
    // Not even signals can be caught: no verdict either.
    let none = run_after(&pool, "ulimit -n 5", "health").expect(3);
    assert!(none.text().starts_with("UNKNOWN: cannot"), "{}", none.text());
    let memory = run_after(&pool, "ulimit -v 60000", "--json status").expect(1);
    assert_eq!(memory.json()["error"]["code"], "host_limit");
    let after = pool.run(["--json", "health"]).ok().json();
    assert_eq!((&after["status"], &after["reasons"]), (&"healthy".into(), &Value::Array(Vec::new())));
}

#[test]
fn a_scrub_that_could_not_read_a_disk_is_not_called_complete() {
    let (pool, _) = pool_with_file(4, "2+1");
    pool.run(["scrub", "start"]).ok();
    let before = pool.json(["health"])["last_scrub"].clone();
    assert!(before.is_string());
    let away = pool.beside("away.img");
    fs::rename(pool.disk(1), &away).unwrap();
    let scrub = pool.run(["--json", "scrub", "start"]).expect(1);
    assert_valid("scrub", &scrub);
    let scrub = scrub.json();
    assert_eq!(
        (&scrub["state"], &scrub["unread_disks"]),
        (&"waiting".into(), &vec!["disk-1"].into()),
        "{scrub}"
    );
    assert!(scrub["unread_bytes"].as_u64() > Some(1_000_000), "{scrub}");
    // The date is that of the last one that read everything.
    let health = pool.json(["health"]);
    assert_eq!(health["last_scrub"], before);
    assert!(codes(&health).contains(&"SCRUB_PARTIAL"), "{health}");
    fs::rename(&away, pool.disk(1)).unwrap();
    pool.run(["rebuild", "start"]).ok();
    pool.run(["scrub", "start"]).ok();
    let health = pool.run(["--json", "health"]).ok().json();
    assert!(codes(&health).is_empty() && health["last_scrub"].is_string(), "{health}");
}

/// Damage that a read met is not forgotten with the process that met it.
#[test]
fn lost_contents_that_a_read_met_are_told_until_a_scrub_has_looked() {
    let (pool, _) = pool_with_file(1, "single");
    pool.run(["health"]).ok();
    rot(&pool, 0);
    pool.run(["get", "/file", pool.beside("got").to_str().unwrap()]).expect(4);
    let health = pool.run(["--json", "health"]).expect(2).json();
    assert!(codes(&health).contains(&"DATA_LOST"), "{health}");
    pool.run(["scrub", "start"]).expect(4);
    let status = pool.json(["status"]);
    assert!(status["extents"]["unreadable"].as_u64() > Some(0), "lost extents are not complete: {status}");
    pool.run(["rm", "/file"]).ok();
    assert_eq!(pool.json(["status"])["extents"]["unreadable"], 0);
    pool.run(["scrub", "start"]).ok();
    let health = pool.run(["--json", "health"]).json();
    assert!(!codes(&health).contains(&"DATA_LOST"), "{health}");
}

#[test]
fn a_check_beside_a_truncated_disk_is_not_clean() {
    let (pool, _) = pool_with_file(4, "2+1");
    pool.run(["check"]).ok();
    let file = File::options().write(true).open(pool.disk(2)).unwrap();
    file.set_len(file.metadata().unwrap().len() - (1 << 16)).unwrap();
    let check = pool.run(["--json", "check"]).expect(1);
    assert_valid("check", &check);
    let check = check.json();
    let is_disk = |finding: &&Value| finding["kind"] == "disk";
    let found = check["findings"].as_array().unwrap().iter().find(is_disk).expect("a finding");
    assert_eq!(found["disk"], "disk-2", "{check}");
}

/// One disk is offline, another dies: what only the offline one has is not gone.
#[test]
fn what_a_disk_has_that_is_offline_is_not_called_gone() {
    let (pool, contents) = pool_with_file(3, "mirror:2");
    pool.run(["disk", "offline", "disk-0"]).ok();
    fs::remove_file(pool.disk(1)).unwrap();
    let asked = pool.run(["--json", "ok-to-remove", "disk-0", "--force-degraded"]);
    assert_eq!(asked.code, 3, "{}{}", asked.text(), asked.stderr);
    let forced = ["--force-degraded", "--force-data-loss", "--yes", "rebuild", "start", "--without-missing"];
    let rebuilt = pool.run(forced);
    assert!(!rebuilt.stderr.contains("nothing is left"), "{}", rebuilt.stderr);
    assert!(rebuilt.stderr.contains("disk online disk-0"), "{}", rebuilt.stderr);
    pool.run(["disk", "online", "disk-0"]).ok();
    pool.run(["scrub", "start"]);
    assert!(pool.cat("/file") == contents);
}

#[test]
fn overrides_policies_and_who_ran_what_are_events() {
    let (pool, _) = pool_with_file(2, "mirror:2");
    pool.run(["policy", "set", "--scheme", "single", "/"]).ok();
    fs::remove_file(pool.disk(1)).unwrap();
    pool.run_with_input(["--force-degraded", "--yes", "put", "-", "/more"], b"more").ok();
    let events = pool.run(["--json", "events"]).ok();
    assert_valid("events", &events);
    let events = events.json();
    let find = |kind: &str| {
        let found = events["events"].as_array().unwrap().iter().find(|event| event["event"] == kind);
        found.cloned().unwrap_or_else(|| panic!("no {kind}: {events}"))
    };
    assert_eq!(find("pool_made")["severity"], "info");
    assert_eq!(find("policy_changed")["severity"], "warning");
    let forced = find("override");
    assert_eq!(
        (&forced["severity"], &forced["command"]),
        (&"critical".into(), &"--force-degraded --yes put - /more".into())
    );
    assert!(forced["uid"].is_u64(), "{forced}");
    let text = pool.run(["events"]).ok().text();
    assert!(text.contains("  critical  --force-degraded"), "{text}");
}

/// A pipe in the place of the events' file held up every command that had something to tell.
#[test]
fn an_events_file_that_is_a_pipe_is_a_warning() {
    let (pool, contents) = pool_with_file(3, "2+1");
    let events = pool.path().join("events.jsonl");
    fs::remove_file(&events).unwrap();
    assert!(Command::new("mkfifo").arg(&events).status().unwrap().success());
    let shut = pool.run(["disk", "offline", "disk-1"]).ok();
    assert!(shut.stderr.contains("cannot write down what happened"), "{}", shut.stderr);
    let read = pool.run(["events"]).expect(1);
    assert!(read.stderr.contains("is not a regular file"), "{}", read.stderr);
    assert!(pool.cat("/file") == contents);
    // What stands in the file is anything.
    fs::remove_file(&events).unwrap();
    let line = r#"{"time":"2026-01-01T00:00:00Z","severity":"info","event":"repaired","disk":null,"member":null,"message":"\u001b[2J"}"#;
    fs::write(&events, format!("{line}\n")).unwrap();
    let text = pool.run(["events"]).ok().text();
    assert!(!text.contains('\u{1b}') && text.contains("[2J"), "{text:?}");
}

/// A disk that lost its label was called missing, and not here.
#[test]
fn a_disk_without_a_label_is_not_called_missing() {
    let (pool, _) = pool_with_file(3, "mirror:2");
    let empty = |disk| {
        let file = File::options().write(true).open(pool.disk(disk)).unwrap();
        let bytes = file.metadata().unwrap().len();
        file.set_len(0).and_then(|()| file.set_len(bytes)).unwrap();
    };
    empty(1);
    let put = pool.run_with_input(["put", "-", "/more"], b"more").ok();
    assert!(put.stderr.contains("disk-1 is there, and has no label"), "{}", put.stderr);
    let health = pool.json(["health"]);
    assert!(
        codes(&health).contains(&"DISK_UNUSABLE") && !codes(&health).contains(&"DISK_MISSING"),
        "{health}"
    );
    empty(2);
    let refused = pool.run(["ls"]).expect(3);
    assert!(refused.stderr.contains("which is there and has no label"), "{}", refused.stderr);
}

// A bar ends the text of a verdict; one in a name was told so that it led elsewhere.
#[test]
fn what_health_tells_to_type_leads_to_a_folder_with_a_bar_in_its_name() {
    let pool = TestPool::none();
    let folder = pool.beside("x|a y");
    let folder = folder.to_str().unwrap();
    pool.run(["init", "--pool", folder, "--disks", "3", "--disk-size", "8MiB", "--scheme", "mirror:2"]).ok();
    fs::remove_file(pool.beside("x|a y/disks/disk-1.img")).unwrap();
    let told = pool.run(["health", "--pool", folder]).text();
    let next = told.lines().find_map(|line| line.split_once("next: ")).unwrap().1;
    let (_, typed) = next.split_once("--pool ").unwrap();
    let shell = Command::new("bash").args(["-c", &format!("printf %s {typed}")]).output().unwrap();
    assert_eq!(String::from_utf8(shell.stdout).unwrap(), folder, "{told}");
    assert_eq!(told.matches('|').count(), 1, "{told}");
}

// It was "1 more disk wanted for mirror:2 and 1 lost".
#[test]
fn too_few_disks_for_a_scheme_are_told_so_that_it_is_understood() {
    let (pool, _) = pool_with_file(2, "mirror:2");
    pool.run(["--yes", "disk", "remove", "--force-data-loss", "disk-1"]).ok();
    let status = pool.json(["status"]);
    let reasons = status["reasons"].as_array().unwrap();
    let short = reasons.iter().find(|reason| reason["code"] == "REDUNDANCY_SHORT").unwrap();
    let message = short["message"].as_str().unwrap();
    assert!(message.ends_with("mirror:2 with a tolerance of 1 takes 2 disks, and 1 is here"), "{message}");
}
