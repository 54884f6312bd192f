//! Disks that are replaced, added and emptied where something is unusual about them or about how the pool is
//! named.

use crate::common::traced::signalled_at;
use crate::common::{TestPool, answer, noise};
use std::fs::{self, File};
use std::path::PathBuf;

fn pool_with_file(disks: usize, scheme: &str) -> (TestPool, Vec<u8>) {
    let contents = noise(3_000_000, 11);
    (TestPool::with_file(disks, "32MiB", scheme, &contents), contents)
}

fn blank(pool: &TestPool, name: &str, bytes: u64) -> String {
    let path = pool.beside(name);
    File::create(&path).unwrap().set_len(bytes).unwrap();
    path.to_str().unwrap().to_owned()
}

fn state_of(pool: &TestPool, name: &str) -> Option<String> {
    let list = pool.json(["disk", "list"]);
    let disks = list["disks"].as_array().unwrap();
    let disk = disks.iter().find(|disk| disk["name"] == name)?;
    Some(disk["state"].as_str().unwrap().to_owned())
}

// The new disk was not among those that the second half of the command opened. Nothing was put on it, and the
// pool took no writes, or continued without it unnoticed.
#[test]
fn a_disk_is_replaced_where_the_disks_are_named_alone() {
    for (disks, scheme, away) in [(3, "mirror:2", true), (6, "4+2", false)] {
        let (pool, contents) = pool_with_file(disks, scheme);
        let mut named: Vec<PathBuf> = (0..disks).map(|number| pool.disk(number)).collect();
        if away {
            named.pop();
        }
        let new = pool.beside("new");
        let run = |arguments: &[&str], disks: &[PathBuf]| {
            let mut command = pool.command(arguments);
            answer(command.env_remove("DYNAMICFS_POOL").arg("--disk").args(disks).output().unwrap())
        };
        let old = format!("member-{}", disks - 1);
        let old = if away { old } else { format!("disk-{}", disks - 1) };
        let replace = ["--yes", "disk", "replace", &old, new.to_str().unwrap(), "--size", "32MiB"];
        let told = run(&replace, &named).ok().stderr;
        assert!(told.contains(&format!("disk online {disks} ")), "{told}");
        named.push(new.clone());
        let without_old = |path: &&PathBuf| **path != pool.disk(disks - 1);
        let named: Vec<PathBuf> = named.iter().filter(without_old).cloned().collect();
        run(&["health"], &named).ok();
        let held = run(&["--json", "disk", "list"], &named).ok().json();
        let held = held["disks"].as_array().unwrap().iter().find(|disk| disk["name"] == "new").cloned();
        let held = held.expect("the new disk is listed");
        let used = held["size_bytes"].as_u64().unwrap() - held["free_bytes"].as_u64().unwrap();
        assert!(used > 100_000, "{held}");
        assert!(run(&["cat", "/file"], &named).ok().stdout == contents);
        // What is told lists it in the folder.
        pool.run(["disk", "online", &disks.to_string(), new.to_str().unwrap()]).ok();
        pool.run(["health"]).ok();
    }
}

// They were to be emptied by a rebuild, and none was due: they stayed "leaving".
#[test]
fn disks_that_hold_nothing_are_replaced_at_once() {
    let (pool, contents) = pool_with_file(4, "2+1");
    pool.run(["disk", "drain", "disk-0"]).ok();
    pool.run(["disk", "replace", "disk-0", &blank(&pool, "new", 32 << 20)]).ok();
    assert_eq!(state_of(&pool, "disk-0"), None);
    pool.run(["disk", "add", "--spare", &blank(&pool, "one", 32 << 20)]).ok();
    pool.run(["disk", "replace", "one", &blank(&pool, "other", 32 << 20)]).ok();
    // A spare is replaced by a spare.
    assert_eq!((state_of(&pool, "one"), state_of(&pool, "other").as_deref()), (None, Some("spare")));
    pool.run(["disk", "add", "--witness", &blank(&pool, "w", 4 << 20)]).ok();
    pool.run(["disk", "replace", "w", &blank(&pool, "v", 4 << 20)]).ok();
    assert_eq!(state_of(&pool, "w"), None);
    pool.run(["health"]).ok();
    assert!(pool.cat("/file") == contents);
    // What makes it a spare no more says so.
    pool.run(["disk", "drain", "other"]).expect(1);
    assert!(pool.run(["disk", "offline", "other"]).ok().stderr.contains("is a spare"));
    pool.run(["disk", "online", "other"]).ok();
    assert_eq!(state_of(&pool, "other").as_deref(), Some("online"));
}

// A drain began where there is no room, moved a part, and could not end.
#[test]
fn a_drain_is_refused_where_stripes_find_no_room() {
    let (pool, _) = pool_with_file(4, "2+1");
    pool.run_with_input(["put", "-", "/more"], &noise(30_000_000, 12)).ok();
    pool.run(["disk", "replace", "disk-0", &blank(&pool, "small", 14 << 20)]).ok();
    for more in [&["--dry-run"][..], &[]] {
        let refused = pool.run(["disk", "drain", "disk-1"].iter().chain(more)).expect(1);
        assert!(refused.stderr.contains("no room"), "{}", refused.stderr);
        assert_eq!(state_of(&pool, "disk-1").as_deref(), Some("online"));
    }
}

// What was refused for want of room was told otherwise, and the new disk stayed a member.
#[test]
fn a_replacement_without_room_changes_nothing() {
    let pool = TestPool::new(3, "16MiB", "mirror:3");
    let room = pool.json(["status"])["capacity"]["usable_free_bytes"].as_u64().unwrap();
    pool.run_with_input(["put", "-", "/file"], &noise((room * 95 / 100) as usize, 13)).ok();
    fs::rename(pool.disk(2), pool.beside("gone")).unwrap();
    let before = fs::read_to_string(pool.path().join("pool.toml")).unwrap();
    for more in [&["--dry-run"][..], &["--yes"]] {
        let new = pool.beside("new");
        let replace = ["disk", "replace", "disk-2", new.to_str().unwrap(), "--size", "8MiB"];
        let refused = pool.run(replace.iter().chain(more)).expect(1);
        assert!(refused.stderr.contains("no room"), "{}", refused.stderr);
        assert_eq!(fs::read_to_string(pool.path().join("pool.toml")).unwrap(), before);
        assert_eq!(state_of(&pool, "new"), None);
    }
}

// An addition that was cut short and done again took any absent member without data for the one that the
// first had left. A witness that was not listed left for good.
#[test]
fn an_absent_member_is_not_taken_for_what_an_addition_left() {
    let pool = TestPool::none();
    let witness = pool.beside("w");
    let init = ["init", "--disks", "3", "--disk-size", "16MiB", "--scheme", "2+1", "--witness"];
    pool.run(init.iter().copied().chain([witness.to_str().unwrap()])).ok();
    let list = pool.path().join("pool.toml");
    let text = fs::read_to_string(&list).unwrap();
    // The list without the witness, as an import writes it that does not see it.
    let mut parts = text.split("[[disk]]");
    let head = parts.next().unwrap().to_owned();
    let rest: Vec<&str> = parts.filter(|part| !part.contains("\"witness\"")).collect();
    let unlisted = rest.iter().fold(head, |text, part| text + "[[disk]]" + part);
    for at in (0..).step_by(3) {
        fs::write(&list, &unlisted).unwrap();
        let new = pool.beside(&format!("new-{at}"));
        let mut command = pool.command(["disk", "add", new.to_str().unwrap(), "--size", "16MiB"]);
        let (was_there, _) = signalled_at(&mut command, at, libc::SIGKILL);
        pool.run(["--yes", "disk", "add", new.to_str().unwrap(), "--size", "16MiB"]);
        pool.run(["disk", "online", "member-3", witness.to_str().unwrap()]).ok();
        pool.run(["--yes", "disk", "remove", "--force-data-loss", &format!("new-{at}")]);
        if !was_there {
            break;
        }
    }
}
