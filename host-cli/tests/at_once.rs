//! Several commands at once that change which disks a pool has. Each happens whole or is refused, whatever
//! the others do.

use crate::common::traced::run_with;
use crate::common::{TestPool, answer, noise};
use std::collections::BTreeMap;
use std::fs::File;

/// A pool with a file in it, and the file.
fn pool_with_file() -> (TestPool, Vec<u8>) {
    let contents = noise(1_000_000, 3);
    (TestPool::with_file(3, "16MiB", "mirror:2", &contents), contents)
}

/// Names of the members, and their states.
fn members(pool: &TestPool) -> BTreeMap<String, String> {
    let listed = pool.json(["disk", "list"]);
    let text = |value: &serde_json::Value| value.as_str().expect("text").to_owned();
    let disks = listed["disks"].as_array().expect("disks");
    disks.iter().map(|disk| (text(&disk["name"]), text(&disk["state"]))).collect()
}

/// Runs the commands at once: their exit codes.
fn at_once<'p>(commands: impl IntoIterator<Item = (&'p TestPool, Vec<String>)>) -> Vec<i32> {
    let children: Vec<_> = commands.into_iter().map(|(pool, command)| pool.spawn(command)).collect();
    children
        .into_iter()
        .map(|mut child| {
            drop(child.stdin.take());
            answer(child.wait_with_output().expect("it ran")).code
        })
        .collect()
}

fn add(path: &std::path::Path) -> Vec<String> {
    ["disk", "add", path.to_str().expect("text"), "--size", "16MiB"].map(str::to_owned).into()
}

#[track_caller]
fn assert_whole(pool: &TestPool, contents: &[u8], count: usize) {
    let found = members(pool);
    assert_eq!(found.len(), count, "{found:?}");
    assert!(found.values().all(|state| state == "online"), "{found:?}");
    assert!(pool.cat("/file") == contents);
    pool.run(["check"]).ok();
}

/// pool.toml was read before the pool was locked. A command that was refused wrote back what it had read,
/// without the disk that another had added meanwhile.
#[test]
fn disks_that_are_added_at_once_are_all_listed() {
    for _ in 0..4 {
        let (pool, contents) = pool_with_file();
        let mut left: Vec<Vec<String>> =
            (0..4).map(|number| add(&pool.beside(&format!("new-{number}.img")))).collect();
        let mut added = 0;
        while !left.is_empty() {
            let codes = at_once(left.iter().map(|command| (&pool, command.clone())));
            assert!(codes.iter().all(|code| matches!(code, 0 | 5)), "{codes:?}");
            added += codes.iter().filter(|code| **code == 0).count();
            let mut codes = codes.into_iter();
            left.retain(|_| codes.next() != Some(0));
            assert_whole(&pool, &contents, 3 + added);
        }
        assert_eq!(added, 4);
    }
}

/// The one that was refused removed the file that it had made, and the other had made a member.
#[test]
fn a_file_that_is_added_several_times_at_once_becomes_one_member() {
    for _ in 0..6 {
        let (pool, contents) = pool_with_file();
        let new = pool.beside("new.img");
        let codes = at_once([(); 3].map(|()| (&pool, add(&new))));
        assert_eq!(codes.iter().filter(|code| **code == 0).count(), 1, "{codes:?}");
        assert!(new.exists(), "{codes:?}");
        assert_whole(&pool, &contents, 4);
    }
}

/// Two pools want the same file: it becomes a member of the one, and the other is as it was.
#[test]
fn a_file_that_two_pools_want_at_once_becomes_a_member_of_one() {
    for _ in 0..6 {
        let (first, second) = (pool_with_file(), pool_with_file());
        let new = first.0.beside("new.img");
        let codes = at_once([&first.0, &second.0].map(|pool| (pool, add(&new))));
        assert_eq!(codes.iter().filter(|code| **code == 0).count(), 1, "{codes:?}");
        assert!(new.exists(), "{codes:?}");
        for ((pool, contents), code) in [first, second].iter().zip(codes) {
            assert_whole(pool, contents, if code == 0 { 4 } else { 3 });
        }
    }
}

/// The folder did not exist when the first looked, and neither locked it. The later pool.toml replaced that
/// of the other, whose pool was ready.
#[test]
fn of_two_pools_that_are_made_at_once_in_a_new_folder_one_is_made() {
    // The first calls: until the disks are locked.
    for at in 0..8 {
        let pool = TestPool::none();
        let init = ["first", "second"].map(|name| {
            let disk = pool.beside(name);
            File::create(&disk).expect("a file").set_len(32 << 20).expect("its size");
            let arguments = ["init", "--scheme", "single", "--disk", disk.to_str().expect("text")];
            arguments.map(str::to_owned)
        });
        let mut other = None;
        let (was_held, first) =
            run_with(&mut pool.command(&init[0]), at, |_| other = Some(pool.run(&init[1])));
        let other = other.filter(|_| was_held).expect("it makes more calls");
        let codes = [first.code, other.code];
        assert!(
            matches!(codes, [0, 3 | 5] | [3 | 5, 0]),
            "at {at}: {codes:?} {} {}",
            first.stderr,
            other.stderr
        );
        pool.run(["check"]).ok();
        let made = pool.json(["disk", "list"])["disks"][0]["name"].clone();
        assert_eq!(made, if first.code == 0 { "first" } else { "second" }, "at {at}");
    }
}
