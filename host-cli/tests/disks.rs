//! What an operator does with disks: each way it should go, how it is refused, and what an interruption leaves.

use crate::common::hinted::{hints_in, type_hint};
use crate::common::{Answer, TestPool, assert_valid, noise, signal, wait_for_progress};
use serde_json::Value;
use std::fs::{self, File};
use std::path::Path;

/// Bytes of the file in the pool: more than one step of a job moves with little memory.
const FILE_BYTES: usize = 40_000_000;

/// So little memory that a step is small, and so little to read and write in a second that a job rests after it.
const STEP: [&str; 4] = ["--memory", "2MiB", "--throttle", "1KiB"];

/// A pool with a file in it, and the file.
fn pool_with_file(disks: usize, scheme: &str) -> (TestPool, Vec<u8>) {
    let contents = noise(FILE_BYTES, 5);
    (TestPool::with_file(disks, "64MiB", scheme, &contents), contents)
}

/// What is known of a disk.
#[track_caller]
fn disk(pool: &TestPool, name: &str) -> Value {
    let shown = pool.run(["--json", "disk", "show", name]).ok();
    assert_valid("disk-show", &shown);
    shown.json()["disk"].clone()
}

/// Names and states of all disks.
fn states(pool: &TestPool) -> Vec<(String, String)> {
    let listed = pool.run(["--json", "disk", "list"]).ok();
    assert_valid("disk-list", &listed);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let disks = listed.json();
    disks["disks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|disk| (text(&disk["name"]), text(&disk["state"])))
        .collect()
}

/// Runs a command in small steps, and interrupts it after the first of them: what it answers.
#[track_caller]
fn interrupted(pool: &TestPool, command: &[&str]) -> Answer {
    let mut child = pool.spawn(command.iter().chain(&STEP));
    wait_for_progress(&mut child);
    signal(&child, "INT");
    crate::common::answer(child.wait_with_output().unwrap()).expect(6)
}

/// Another disk, with nothing on it, in the place of the one that was there.
fn make_blank(place: &Path) {
    fs::remove_file(place).unwrap();
    File::create(place).unwrap().set_len(64 << 20).unwrap();
}

/// All is well: redundancy, contents, every block.
#[track_caller]
fn assert_well(pool: &TestPool, contents: &[u8]) {
    let status = pool.run(["--json", "status"]).ok();
    assert_valid("status", &status);
    assert_eq!(status.json()["status"], "healthy", "{}", status.text());
    let health = pool.run(["--json", "health"]).ok();
    assert_valid("health", &health);
    assert!(pool.cat("/file") == contents);
    pool.run(["check"]).ok();
}

#[test]
fn a_disk_becomes_a_member() {
    let (pool, contents) = pool_with_file(3, "2+1");
    let (new, other) = (pool.beside("new.img"), pool.beside("other.img"));
    let (new, other) = (new.to_str().unwrap(), other.to_str().unwrap());
    let missing = pool.run(["--json", "disk", "add", new]).expect(1);
    assert_valid("error", &missing);
    assert_eq!(missing.json()["error"]["code"], "not_found");
    let planned = pool.run(["--json", "disk", "add", new, "--size", "96MiB", "--dry-run"]).ok();
    assert_valid("disk-add", &planned);
    assert!(!fs::exists(new).unwrap());
    let added = pool.run(["--json", "disk", "add", new, other, "--size", "96MiB"]).ok();
    assert_valid("disk-add", &added);
    assert_eq!(
        (&added.json()["disks"][0]["member"], &added.json()["disks"][1]["member"]),
        (&3.into(), &4.into())
    );
    assert_eq!(states(&pool).last().unwrap(), &("other".to_owned(), "online".to_owned()));
    assert_eq!(disk(&pool, "4")["member_state"], "active");
    let again = pool.run(["--json", "disk", "add", new]).expect(1);
    assert_eq!(again.json()["error"]["code"], "exists");
    // One that is too small leaves nothing.
    let small = pool.beside("small.img");
    pool.run(["disk", "add", small.to_str().unwrap(), "--size", "64KiB"]).expect(1);
    assert!(!small.exists());
    assert_eq!(states(&pool).len(), 5);
    assert_well(&pool, &contents);
}

#[test]
fn a_disk_of_another_pool_is_added_only_by_force() {
    let (pool, contents) = pool_with_file(3, "2+1");
    let other = TestPool::new(1, "64MiB", "single");
    let path = other.disk(0);
    let path = path.to_str().unwrap();
    let refused = pool.run(["--json", "disk", "add", path]).expect(3);
    assert_eq!(refused.json()["error"]["code"], "in_use");
    assert_eq!(
        pool.run(["--json", "disk", "add", path, "--force"]).expect(3).json()["error"]["code"],
        "not_confirmed"
    );
    pool.run(["disk", "add", path, "--force", "--yes"]).ok();
    assert_eq!(states(&pool).len(), 4);
    assert_well(&pool, &contents);
}

// The place is listed before anything is written there, so a crash leaves a place without a member.
#[test]
fn an_addition_that_was_cut_short_is_finished_or_forgotten() {
    let (pool, contents) = pool_with_file(3, "2+1");
    let new = pool.beside("new.img");
    File::create(&new).unwrap().set_len(64 << 20).unwrap();
    let list = pool.path().join("pool.toml");
    let before = fs::read_to_string(&list).unwrap();
    let half = format!("{before}\n[[disk]]\nname = \"new\"\npath = {new:?}\nadding = true\n");
    fs::write(&list, &half).unwrap();
    assert_eq!(states(&pool)[3], ("new".to_owned(), "adding".to_owned()));
    assert_well(&pool, &contents);
    assert_eq!(pool.json(["status"])["disks"]["total"], 3);
    pool.run(["disk", "remove", "new", "--yes"]).ok();
    assert_eq!(states(&pool).len(), 3);
    fs::write(&list, &half).unwrap();
    pool.run(["disk", "add", new.to_str().unwrap()]).ok();
    assert_eq!(states(&pool)[3], ("new".to_owned(), "online".to_owned()));
    assert_well(&pool, &contents);
    // It was a member already when the crash came, and the list did not say so yet.
    fs::write(&list, &half).unwrap();
    assert_eq!(states(&pool)[3].1, "online");
    pool.run(["disk", "add", new.to_str().unwrap()]).ok();
    assert!(!fs::read_to_string(&list).unwrap().contains("adding"));
    assert_well(&pool, &contents);
}

#[test]
fn a_disk_is_drained_and_removed() {
    let (pool, contents) = pool_with_file(7, "4+2");
    let refused = pool.run(["--json", "disk", "remove", "disk-1", "--yes"]).expect(3).json();
    assert_eq!(refused["error"]["code"], "would_lose_data");
    pool.run(["disk", "drain", "disk-9"]).expect(1);
    pool.run(["disk", "drain", "disk-1", "--cancel"]).expect(1);
    let planned = pool.run(["--json", "disk", "drain", "disk-1", "--dry-run"]).ok();
    assert_valid("disk-drain", &planned);
    assert_eq!(planned.json()["member_state"], "active");
    let before = fs::read_to_string(pool.path().join("pool.toml")).unwrap();
    let drained = pool.run(["--json", "disk", "drain", "disk-1", "--quiet"]).ok();
    assert_valid("disk-drain", &drained);
    assert_eq!(
        (&drained.json()["member_state"], &drained.json()["held_bytes"]),
        (&"drained".into(), &0.into())
    );
    pool.run(["disk", "drain", "disk-1"]).ok();
    assert_eq!(disk(&pool, "disk-1")["state"], "drained");
    assert_eq!(
        pool.run(["--json", "disk", "remove", "disk-1"]).expect(3).json()["error"]["code"],
        "not_confirmed"
    );
    pool.run(["disk", "remove", "disk-1", "--dry-run"]).ok();
    let removed = pool.run(["--json", "disk", "remove", "disk-1", "--yes"]).ok();
    assert_valid("disk-remove", &removed);
    assert_eq!((&removed.json()["label_wiped"], &removed.json()["held_data"]), (&true.into(), &false.into()));
    assert_eq!(states(&pool).len(), 6);
    assert_well(&pool, &contents);
    // A crash before pool.toml was written leaves it listed, and it disturbs no command.
    let list = pool.path().join("pool.toml");
    let after = fs::read_to_string(&list).unwrap();
    fs::write(&list, &before).unwrap();
    assert_eq!(disk(&pool, "disk-1")["state"], "left");
    assert_well(&pool, &contents);
    pool.run(["disk", "remove", "disk-1", "--yes"]).ok();
    assert_eq!(fs::read_to_string(&list).unwrap(), after);
    // It is as any other disk now.
    pool.run(["disk", "add", pool.disk(1).to_str().unwrap()]).ok();
    assert_eq!(disk(&pool, "7")["name"], "disk-1");
    assert_well(&pool, &contents);
}

/// The rebuild that a command continued with.
fn job_of(answer: &Answer) -> Value {
    answer.json()["rebuild"].clone()
}

#[test]
fn a_drain_is_cancelled_half_way() {
    let (pool, contents) = pool_with_file(7, "4+2");
    let ended = interrupted(&pool, &["--json", "disk", "drain", "disk-1"]);
    assert_valid("disk-drain", &ended);
    assert_eq!(ended.json()["error"]["code"], "interrupted");
    let half = disk(&pool, "disk-1");
    assert_eq!((&half["state"], &half["member_state"]), (&"draining".into(), &"draining".into()));
    let half = job_of(&ended);
    assert!(
        half["healed"].as_u64() > Some(0) && half["done_bytes"].as_u64() < half["total_bytes"].as_u64(),
        "{half}"
    );
    // It may not be taken for empty.
    pool.run(["disk", "remove", "disk-1", "--yes"]).expect(3);
    let cancelled = pool.run(["--json", "disk", "drain", "disk-1", "--cancel"]).ok();
    assert_eq!(cancelled.json()["member_state"], "active");
    assert_well(&pool, &contents);
    // The rest of the way, this time.
    pool.run(["disk", "drain", "disk-1", "--no-wait"]).ok();
    assert_eq!(disk(&pool, "disk-1")["state"], "draining");
    pool.run(["rebuild", "start"]).ok();
    assert_eq!(disk(&pool, "disk-1")["state"], "drained");
    pool.run(["disk", "remove", "disk-1", "--yes"]).ok();
    assert_well(&pool, &contents);
}

#[test]
fn a_disk_is_out_of_use_for_a_while() {
    let (pool, contents) = pool_with_file(6, "4+2");
    let planned = pool.run(["--json", "disk", "offline", "disk-2", "--dry-run"]).ok();
    assert_valid("disk-offline", &planned);
    assert_eq!(planned.json()["disk"]["state"], "online");
    let before = fs::read(pool.disk(2)).unwrap();
    pool.run(["disk", "offline", "disk-2"]).ok();
    let untouched = fs::read(pool.disk(2)).unwrap();
    assert_eq!(disk(&pool, "disk-2")["member_state"], "offline");
    let more = noise(1_000_000, 6);
    pool.run_with_input(["put", "-", "/more"], &more).ok();
    // It is there, and is not written to.
    assert!(before.len() == untouched.len() && untouched == fs::read(pool.disk(2)).unwrap());
    let health = pool.run(["--json", "health"]).expect(1).json();
    let reasons: Vec<_> = health["reasons"].as_array().unwrap().iter().map(|r| r["code"].as_str()).collect();
    assert!(reasons.contains(&Some("DISK_OFFLINE")), "{health}");
    pool.run(["disk", "offline", "disk-3"]).ok();
    let refused = pool.run(["--json", "disk", "offline", "disk-4"]).expect(3).json();
    assert_eq!(refused["error"]["code"], "would_lose_data");
    for name in ["disk-2", "disk-3"] {
        let online = pool.run(["--json", "disk", "online", name]).ok();
        assert_valid("disk-online", &online);
        assert_eq!(online.json()["disk"]["state"], "behind");
    }
    pool.run(["rebuild", "start"]).ok();
    assert!(pool.cat("/more") == more);
    assert_well(&pool, &contents);
}

#[test]
fn a_failed_disk_is_rebuilt_elsewhere_and_removed() {
    let (pool, contents) = pool_with_file(7, "4+2");
    let failed = pool.run(["--json", "disk", "fail", "disk-1", "--yes"]).ok();
    assert_valid("disk-fail", &failed);
    assert_eq!(failed.json()["disk"]["state"], "failed");
    assert_eq!(failed.json()["next"], "dynamicfs rebuild start");
    assert_eq!(
        pool.run(["--json", "disk", "remove", "disk-1", "--yes"]).expect(3).json()["error"]["code"],
        "would_lose_data"
    );
    let rebuilt = pool.run(["--json", "rebuild", "start", "--quiet"]).ok();
    assert_valid("rebuild", &rebuilt);
    assert_eq!(rebuilt.json()["state"], "complete");
    assert!(rebuilt.json()["this_run"]["repaired"].as_u64() > Some(10), "{}", rebuilt.text());
    let health = pool.run(["--json", "health"]).expect(1).json();
    assert_eq!(health["reasons"][0]["code"], "DISK_UNNEEDED", "{health}");
    assert_eq!(health["reasons"][0]["next"], "dynamicfs disk remove disk-1");
    pool.run(["disk", "remove", "disk-1", "--yes"]).ok();
    assert_well(&pool, &contents);
}

#[test]
fn a_spare_takes_the_place_of_a_failed_disk() {
    let (pool, contents) = pool_with_file(6, "4+2");
    let spare = pool.beside("spare.img");
    let add = ["disk", "add", spare.to_str().unwrap(), "--size", "64MiB", "--spare"];
    let planned = pool.run(["--json", "--dry-run"].iter().chain(&add)).ok().json();
    assert_eq!(planned["disks"][0]["name"], "disk-6", "{planned}");
    pool.run(add).ok();
    // Its name does not say what it is for, which changes.
    assert_eq!(disk(&pool, "disk-6")["state"], "spare");
    assert_well(&pool, &contents);
    fs::remove_file(pool.disk(3)).unwrap();
    // What `health` says is to be typed next.
    let next = || pool.run(["--json", "health"]).expect(1).json()["reasons"][0]["next"].clone();
    assert_eq!(next(), "dynamicfs disk fail disk-3");
    pool.run(["disk", "fail", "disk-3", "--yes"]).ok();
    assert_eq!(next(), "dynamicfs rebuild start");
    pool.run(["rebuild", "start"]).ok();
    let taken = disk(&pool, "disk-6");
    assert_eq!((&taken["state"], &taken["holds_data"]), (&"online".into(), &true.into()));
    pool.run(["disk", "remove", "disk-3", "--yes"]).ok();
    assert_well(&pool, &contents);
}

#[test]
fn a_disk_that_works_is_replaced_by_a_larger_one() {
    let (pool, contents) = pool_with_file(6, "4+2");
    let new = pool.beside("new.img");
    let new = new.to_str().unwrap();
    let planned = pool.run(["--json", "disk", "replace", "disk-1", new, "--size", "128MiB", "-n"]).ok();
    assert_valid("disk-replace", &planned);
    assert_eq!(states(&pool).len(), 6);
    pool.run(["disk", "replace", "disk-1", new]).expect(1);
    let replaced = pool.run(["--json", "disk", "replace", "disk-1", new, "--size", "128MiB"]).ok();
    assert_valid("disk-replace", &replaced);
    let json = replaced.json();
    assert_eq!((&json["old_was_online"], &json["old_has_left"]), (&true.into(), &true.into()), "{json}");
    let names: Vec<String> = states(&pool).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["disk-0", "disk-2", "disk-3", "disk-4", "disk-5", "new"]);
    assert_well(&pool, &contents);
    assert!(disk(&pool, "new")["size_bytes"].as_u64() > Some(120 << 20));
}

#[test]
fn a_disk_that_is_gone_is_replaced_by_a_smaller_one() {
    let (pool, contents) = pool_with_file(6, "4+2");
    fs::remove_file(pool.disk(0)).unwrap();
    let new = pool.beside("new.img");
    let new = new.to_str().unwrap();
    let replaced = pool.run(["--json", "disk", "replace", "disk-0", new, "--size", "32MiB"]).ok();
    assert_valid("disk-replace", &replaced);
    let json = replaced.json();
    assert_eq!((&json["old_was_online"], &json["old_has_left"]), (&false.into(), &true.into()), "{json}");
    assert_well(&pool, &contents);
    // Any two may be lost again.
    fs::remove_file(pool.disk(1)).unwrap();
    fs::remove_file(pool.disk(2)).unwrap();
    assert!(pool.cat("/file") == contents);
}

#[test]
fn a_replacement_that_is_interrupted_is_finished_by_the_same_command() {
    let (pool, contents) = pool_with_file(6, "4+2");
    for (old, is_gone) in [("disk-1", false), ("disk-4", true)] {
        if is_gone {
            fs::remove_file(pool.disk(4)).unwrap();
        }
        let new = pool.beside(&format!("for-{old}.img"));
        let replace = ["--json", "disk", "replace", old, new.to_str().unwrap(), "--size", "64MiB"];
        let ended = interrupted(&pool, &replace);
        assert_valid("disk-replace", &ended);
        assert_eq!(ended.json()["old_has_left"], false);
        assert_eq!(states(&pool).len(), 7);
        let done = pool.run(replace).ok();
        assert_eq!(done.json()["old_has_left"], true, "{}", done.text());
        assert_eq!(states(&pool).len(), 6);
        assert_well(&pool, &contents);
    }
}

/// A blank disk is in the old one's place, and has its name. The same command took it for the old one,
/// emptied it and took it out of the pool. It said that the disk had taken the place of itself.
#[test]
fn a_replacement_in_the_old_ones_place_is_finished_by_the_same_command() {
    for is_interrupted in [true, false] {
        let (pool, contents) = pool_with_file(4, "mirror:2");
        let place = pool.disk(1);
        make_blank(&place);
        let replace = ["--json", "disk", "replace", "disk-1", place.to_str().unwrap()];
        if is_interrupted {
            interrupted(&pool, &replace);
        } else {
            // As if the process had ended when the new disk was a member, before the old one was given up.
            pool.run(["disk", "add", place.to_str().unwrap()]).ok();
            let file = pool.path().join("pool.toml");
            let list = fs::read_to_string(&file).unwrap();
            let begun = list.replacen("name = \"disk-1\"", "name = \"disk-1\"\nreplaces = 1", 1);
            fs::write(&file, begun).unwrap();
        }
        let done = pool.run(replace).ok();
        assert_valid("disk-replace", &done);
        assert_eq!(done.json()["old_has_left"], true, "{}", done.text());
        assert_eq!(disk(&pool, "disk-1")["member"], 4);
        assert_eq!(states(&pool).len(), 4);
        assert_well(&pool, &contents);
    }
}

/// The new disk died before the replacement was over, and a third one is put in its place. It is added:
/// nothing is taken for begun that is not there.
#[test]
fn a_disk_that_dies_while_it_replaces_another_is_replaced_itself() {
    let (pool, contents) = pool_with_file(4, "mirror:2");
    let new = pool.beside("new.img");
    interrupted(&pool, &["disk", "replace", "disk-1", new.to_str().unwrap(), "--size", "64MiB"]);
    make_blank(&new);
    pool.run(["disk", "replace", "new", new.to_str().unwrap()]).ok();
    assert_eq!(disk(&pool, "new")["member"], 5);
    // What was begun before continued meanwhile: the old one has left.
    assert_eq!(states(&pool).len(), 4);
    assert_well(&pool, &contents);
}

#[test]
fn a_disk_that_holds_data_is_removed_only_by_force() {
    let (pool, contents) = pool_with_file(7, "4+2");
    fs::remove_file(pool.disk(5)).unwrap();
    // Nothing was written since: the pool's own records do not know yet that it is gone.
    pool.run(["disk", "remove", "disk-5", "--yes"]).expect(3);
    pool.run(["disk", "drain", "disk-5"]).expect(1);
    let removed = pool.run(["--json", "disk", "remove", "disk-5", "--yes", "--force-data-loss"]).ok();
    assert_eq!((&removed.json()["label_wiped"], &removed.json()["held_data"]), (&false.into(), &true.into()));
    assert_eq!(states(&pool).len(), 6);
    pool.run(["health"]).expect(1);
    pool.run(["rebuild", "start"]).ok();
    assert_well(&pool, &contents);
}

#[test]
fn a_disk_is_identified() {
    let (pool, _) = pool_with_file(3, "2+1");
    let identified = pool.run(["--json", "disk", "identify", "disk-1", "--seconds", "0"]).ok();
    assert_valid("disk-identify", &identified);
    assert_eq!((&identified.json()["member"], &identified.json()["device"]), (&1.into(), &Value::Null));
    let blinked = pool.run(["--json", "disk", "identify", "disk-1", "--seconds", "1"]).ok();
    assert!(blinked.json()["read_bytes"].as_u64() > Some(0));
    fs::remove_file(pool.disk(1)).unwrap();
    pool.run(["disk", "identify", "disk-1"]).expect(1);
    pool.run(["disk", "identify", "disk-7"]).expect(1);
}

#[test]
fn nothing_is_changed_read_only() {
    let (pool, _) = pool_with_file(3, "2+1");
    for arguments in [
        &["disk", "drain", "0"][..],
        &["disk", "offline", "0"],
        &["disk", "online", "0"],
        &["scrub", "start"],
    ] {
        let refused = pool.run(["--json", "--read-only"].iter().chain(arguments)).expect(2);
        assert_valid("error", &refused);
    }
    pool.run(["--read-only", "scrub", "status"]).ok();
}

// A rebuild that is half-way has passed by what is to be moved now: it begins again. It once called the disk empty.
#[test]
fn a_drain_begins_a_rebuild_that_is_half_way_again() {
    let pool = TestPool::none();
    pool.run([
        "init",
        "--disks",
        "3",
        "--disk-size",
        "64MiB",
        "--scheme",
        "mirror:2",
        "--extent-size",
        "4KiB",
    ])
    .ok();
    // The first file is partly on the disk, the second is not, and is more than a step.
    let contents = noise(2_000_000, 1);
    pool.run_with_input(["put", "-", "/file"], &contents).ok();
    pool.run(["disk", "offline", "disk-2"]).ok();
    pool.run_with_input(["put", "-", "/other"], &noise(12_000_000, 2)).ok();
    pool.run(["disk", "online", "disk-2"]).ok();
    pool.run(["rebuild", "start"]).ok();
    let mut rebuild = pool.spawn(["rebuild", "start", "--without-missing"].iter().chain(&STEP));
    wait_for_progress(&mut rebuild);
    signal(&rebuild, "INT");
    crate::common::answer(rebuild.wait_with_output().unwrap()).expect(6);
    pool.run(["disk", "drain", "disk-2", "--no-wait"]).ok();
    pool.run(["rebuild", "start"]).ok();
    assert_eq!(disk(&pool, "disk-2")["state"], "drained");
    pool.run(["disk", "remove", "disk-2", "--yes"]).ok();
    assert_well(&pool, &contents);
}

// The new disk is a member, and nothing was said of the old one yet: the list says what the new one is for.
#[test]
fn a_replacement_that_was_cut_short_after_the_addition_is_finished() {
    let (pool, contents) = pool_with_file(6, "4+2");
    let new = pool.beside("new.img");
    let new = new.to_str().unwrap();
    pool.run(["disk", "add", new, "--size", "64MiB"]).ok();
    pool.run(["disk", "replace", "disk-1", new]).expect(1);
    let list = pool.path().join("pool.toml");
    let half = fs::read_to_string(&list).unwrap() + "replaces = 1\n";
    fs::write(&list, half).unwrap();
    pool.run(["disk", "replace", "disk-1", new]).ok();
    assert_eq!(states(&pool).len(), 6);
    assert!(!fs::read_to_string(&list).unwrap().contains("replaces"));
    assert_well(&pool, &contents);
}

fn resize(path: &std::path::Path, bytes: u64) {
    File::options().write(true).open(path).unwrap().set_len(bytes).unwrap();
}

#[test]
fn a_disk_that_was_enlarged_is_noticed_and_used() {
    let (pool, contents) = pool_with_file(3, "2+1");
    let size = |name: &str| disk(&pool, name)["size_bytes"].as_u64().unwrap();
    let before = size("disk-1");
    let nothing = pool.run(["--json", "disk", "grow", "disk-1"]).expect(1).json();
    assert_eq!(nothing["error"]["code"], "invalid_argument", "{nothing}");
    resize(&pool.disk(1), 100 << 20);
    let health = pool.run(["--json", "health"]).ok();
    assert_valid("health", &health);
    let health = health.json();
    let grown = health["reasons"].as_array().unwrap().iter().find(|reason| reason["code"] == "DISK_GROWN");
    assert_eq!(grown.expect("it is noticed")["next"], "dynamicfs disk grow disk-1");
    assert_eq!(disk(&pool, "disk-1")["growable_bytes"], 36 << 20);
    assert_eq!(pool.run(["--json", "capacity"]).ok().json()["growable_bytes"], 36 << 20);
    let told = pool.run(["capacity"]).ok().text();
    assert!(told.contains("36.0 MiB more on disk-1,"), "{told}");
    let planned = pool.run(["--json", "--dry-run", "disk", "grow", "disk-1"]).ok();
    assert_valid("disk-grow", &planned);
    assert_eq!((size("disk-1"), planned.json()["gained_bytes"].as_u64()), (before, Some(36 << 20)));
    let grown = pool.run(["--json", "disk", "grow", "disk-1"]).ok();
    assert_valid("disk-grow", &grown);
    assert_eq!(grown.json()["gained_bytes"], 36 << 20);
    assert_eq!(size("disk-1"), before + (36 << 20));
    assert_well(&pool, &contents);
}

#[test]
fn a_disk_that_was_cut_is_named_and_the_others_go_on() {
    let (pool, contents) = pool_with_file(3, "2+1");
    resize(&pool.disk(1), (64 << 20) - 4096);
    let cut = disk(&pool, "disk-1");
    assert_eq!(cut["state"], "truncated", "{cut}");
    assert!(cut["note"].as_str().unwrap().contains("shorter"), "{cut}");
    // As if it were missing: one is borne, and no other besides.
    let health = pool.run(["--json", "health"]).expect(2).json();
    assert_eq!(health["read_tolerance"], 0, "{health}");
    let codes: Vec<&str> =
        health["reasons"].as_array().unwrap().iter().filter_map(|reason| reason["code"].as_str()).collect();
    assert!(codes.contains(&"DISK_TRUNCATED"), "{health}");
    pool.run_with_input(["put", "-", "/more"], b"written without it").ok();
    // All of them cut: nothing may be written, and what is there can be had.
    (0..3).for_each(|disk| resize(&pool.disk(disk), (64 << 20) - 65536));
    let refused = pool.run_with_input(["--json", "put", "-", "/again"], b"x").expect(3).json();
    assert!(refused["error"]["message"].as_str().unwrap().contains("shorter"), "{refused}");
    let out = pool.beside("salvaged");
    pool.run(["salvage", out.to_str().unwrap()]).ok();
    assert!(fs::read(out.join("file")).unwrap() == contents);
}

// `disk online` said that it takes part again, with exit code 0, and `disk grow` to attach what is attached.
#[test]
fn a_disk_that_is_cut_by_one_block_cannot_be_taken_into_use() {
    let pool = TestPool::new(3, "32MiB", "mirror:2");
    let image = std::fs::File::options().write(true).open(pool.disk(1)).unwrap();
    image.set_len((32 << 20) - 4096).unwrap();
    for command in ["online", "grow"] {
        let refused = pool.run(["--json", "disk", command, "disk-1"]).expect(1).json();
        let said = refused["error"].to_string();
        assert!(said.contains("shorter than") && said.contains("disk replace"), "{said}");
    }
    image.set_len(32 << 20).unwrap();
    pool.run(["disk", "online", "disk-1"]).ok();
    let missing = pool.beside("elsewhere");
    std::fs::rename(pool.disk(1), &missing).unwrap();
    let refused = pool.run(["--json", "disk", "online", "disk-1"]).expect(1).json();
    assert!(refused["error"]["message"].as_str().unwrap().contains("no such file"), "{refused}");
}

/// A witness was replaced by a disk for data, and could not be added to a pool that there is.
#[test]
fn a_witness_is_added_and_replaced_by_a_witness() {
    let (pool, contents) = pool_with_file(2, "mirror:2");
    let witness = pool.beside("witness");
    let text = witness.to_str().unwrap();
    pool.run(["disk", "add", text, "--size", "1MiB"]).expect(1);
    pool.run(["disk", "add", "--witness", "--spare", text, "--size", "1MiB"]).expect(2);
    let added = pool.run(["--json", "disk", "add", "--witness", text, "--size", "1MiB"]).ok();
    assert_valid("disk-add", &added);
    assert_eq!(disk(&pool, "witness")["witness"], true);
    // One of two may be gone now.
    fs::rename(pool.disk(1), pool.beside("away")).unwrap();
    pool.run(["mkdir", "/d"]).ok();
    assert!(pool.cat("/file") == contents);
    fs::rename(pool.beside("away"), pool.disk(1)).unwrap();
    pool.run(["rebuild", "start"]).ok();
    fs::remove_file(&witness).unwrap();
    let other = pool.beside("other");
    pool.run(["disk", "replace", "witness", other.to_str().unwrap(), "--size", "1MiB"]).ok();
    assert_eq!(disk(&pool, "other")["witness"], true);
    assert_eq!(states(&pool).len(), 3);
    assert_well(&pool, &contents);
}

/// Offline, and another one dies: the command that was advised failed, and nothing named the one that works.
#[test]
fn a_disk_that_is_offline_comes_back_when_another_is_lost() {
    let (pool, contents) = pool_with_file(4, "2+1");
    pool.run(["disk", "offline", "disk-0"]).ok();
    fs::remove_file(pool.disk(1)).unwrap();
    let refused = pool.run(["disk", "online", "disk-0"]).expect(1);
    type_hint(&pool, &hints_in(&refused)[0], &[]).ok();
    assert!(pool.cat("/file") == contents);
    pool.run(["rebuild", "start"]).ok();
    assert_eq!(pool.json(["status"])["extents"]["readable"], 0);
}
