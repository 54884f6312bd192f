//! Disks that are not where pool.toml says, and pools without one: disks are found by what they say of
//! themselves.

use crate::common::hinted::{hints_in, type_hint, type_line};
use crate::common::loops;
use crate::common::loops::Loop;
use crate::common::traced::signalled_at;
use crate::common::{TestPool, answer, assert_valid, noise};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

fn pool_with_file(disks: usize, scheme: &str) -> (TestPool, Vec<u8>) {
    let contents = noise(2_000_000, 5);
    (TestPool::with_file(disks, "32MiB", scheme, &contents), contents)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn list(pool: &TestPool) -> PathBuf {
    pool.path().join("pool.toml")
}

/// Names of the disks, their states and paths.
fn disks(pool: &TestPool) -> Vec<(String, String, String)> {
    let listed = pool.json(["disk", "list"]);
    let field = |disk: &serde_json::Value, name: &str| disk[name].as_str().unwrap_or("-").to_owned();
    let disks = listed["disks"].as_array().unwrap().iter();
    disks.map(|disk| (field(disk, "name"), field(disk, "state"), field(disk, "path"))).collect()
}

/// Nothing hinted at a command that works: the list was to be written by hand, or `init` was named.
#[test]
fn a_lost_list_is_written_anew() {
    let (pool, contents) = pool_with_file(3, "2+1");
    pool.run(["disk", "rename", "disk-1", "left"]).ok();
    let before = fs::read_to_string(list(&pool)).unwrap();
    fs::remove_file(list(&pool)).unwrap();
    let lost = pool.run(["health"]).expect(3);
    assert!(lost.text().contains("dynamicfs import") && !lost.text().contains("init"), "{}", lost.text());
    let lost = pool.run(["status"]).expect(1);
    let hinted = hints_in(&lost).pop().unwrap();
    assert!(hinted.starts_with("dynamicfs import"), "{}", lost.stderr);
    let planned = pool.run(["--json", "import", "--dry-run"]).ok();
    assert_valid("import", &planned);
    assert!(!list(&pool).exists());
    let written = type_hint(&pool, &hinted, &[]).ok();
    assert!(written.text().contains("next: dynamicfs health"), "{}", written.text());
    pool.assert_well(&contents);
    // The name that only the list had is gone with it, the rest is as it was.
    assert_eq!(fs::read_to_string(list(&pool)).unwrap(), before.replace("\"left\"", "\"disk-1\""));
}

#[test]
fn a_folder_without_any_disk_names_both_ways() {
    // Disks of pools that other tests attach would be found.
    let _alone = loops::alone();
    let none = TestPool::none();
    let hint = none.json(["ls"])["error"]["hint"].as_str().unwrap().to_owned();
    assert!(hint.contains("dynamicfs init") && hint.contains("dynamicfs import"), "{hint}");
}

#[test]
fn a_list_that_cannot_be_read_is_kept_and_written_anew() {
    let (pool, contents) = pool_with_file(3, "2+1");
    for broken in ["version = 1\npool = \n", "version = 9\npool = \"x\"\ndisk = []\n", "\x1b[31m"] {
        fs::write(list(&pool), broken).unwrap();
        let refused = pool.run(["status"]).expect(1);
        assert!(!refused.stderr.contains('\x1b'), "{:?}", refused.stderr);
        type_hint(&pool, &hints_in(&refused)[0], &[]).ok();
        assert_eq!(fs::read_to_string(pool.path().join("pool.toml.old")).unwrap(), broken);
        pool.assert_well(&contents);
    }
}

/// The names followed the paths: what was called disk-0 was another disk.
#[test]
fn a_list_that_is_wrong_names_the_line() {
    let pool = TestPool::new(1, "8MiB", "single");
    let right = fs::read_to_string(list(&pool)).unwrap();
    let line = right.lines().position(|line| line.starts_with("[[disk]]")).unwrap() + 2;
    fs::write(list(&pool), right.replace("name = \"disk-0\"", "name = disk 0")).unwrap();
    let refused = pool.run(["ls"]).expect(1);
    assert!(refused.stderr.contains(&format!("is not right: line {line}: ")), "{}", refused.stderr);
}

// `health` led to `labels`, that to `import`, and that nowhere.
#[test]
fn a_list_of_another_pool_can_be_moved_away() {
    let (pool, contents) = pool_with_file(3, "2+1");
    let wrong = fs::read_to_string(list(&pool)).unwrap();
    let id =
        wrong.lines().find_map(|line| line.strip_prefix("pool = ")).unwrap().trim_matches('"').to_owned();
    fs::write(list(&pool), wrong.replace(&id, "00000000-0000-4000-8000-000000000000")).unwrap();
    let folder = pool.path();
    let import = ["import", &id, "--pool", text(&folder)];
    let refused = pool.run(import).expect(3);
    let moved = refused.stderr.split('`').find(|quoted| quoted.starts_with("mv ")).unwrap();
    type_line(&pool, moved).ok();
    pool.run(import).ok();
    pool.assert_well(&contents);
}

// Which is meant was to be typed, although the folder's list says it.
#[test]
fn of_several_pools_that_of_the_list_is_listed_again() {
    let (pool, contents) = pool_with_file(3, "2+1");
    let other = TestPool::new(1, "8MiB", "single");
    let (own, foreign) = (pool.path(), other.path());
    let import = ["import", "--scan", text(&own), "--scan", text(&foreign)];
    pool.run(import).ok();
    pool.assert_well(&contents);
    fs::remove_file(list(&pool)).unwrap();
    assert!(pool.run(import).expect(2).stderr.contains("several pools"));
}

// It was taken for a lost pool of this folder.
#[test]
fn a_folder_without_a_pool_is_not_that_of_a_pool_on_devices() {
    let pool = TestPool::none();
    let file = pool.file("file", b"");
    let refused = pool.run(["ls", "--pool", text(&file)]).expect(1);
    assert!(
        refused.stderr.contains("is not a folder") && !refused.stderr.contains("init"),
        "{}",
        refused.stderr
    );
    let _alone = match loops::alone() {
        Ok(alone) => alone,
        Err(why) => return println!("no loop devices, {why}"),
    };
    let backing = pool.beside("backing");
    File::create(&backing).unwrap().set_len(32 << 20).unwrap();
    let device = Loop::attach(&backing, &[]);
    pool.run(["init", "--scheme", "single", "--disk", device.text()]).ok();
    let empty = pool.beside("empty");
    fs::create_dir(&empty).unwrap();
    for mistyped in [&empty, &pool.beside("nowhere")] {
        let refused = pool.run(["ls", "--pool", text(mistyped)]).expect(1);
        let hints = hints_in(&refused);
        assert!(
            hints[0].starts_with("dynamicfs init ") && hints[1].starts_with("dynamicfs import "),
            "{hints:?}"
        );
        assert!(!refused.stderr.contains("lists them again"), "{}", refused.stderr);
    }
}

#[test]
fn disks_whose_names_were_exchanged_keep_their_names_in_the_pool() {
    let (pool, contents) = pool_with_file(3, "2+1");
    let identity = |pool: &TestPool, name: &str| pool.json(["disk", "show", name])["disk"]["id"].clone();
    let before = ["disk-0", "disk-1", "disk-2"].map(|name| identity(&pool, name));
    let away = pool.beside("away");
    for (from, to) in [(pool.disk(0), away.clone()), (pool.disk(2), pool.disk(0)), (away, pool.disk(2))] {
        fs::rename(from, to).unwrap();
    }
    assert_eq!(["disk-0", "disk-1", "disk-2"].map(|name| identity(&pool, name)), before);
    pool.assert_well(&contents);
    let note = pool.json(["disk", "list"])["disks"][0]["note"].clone();
    assert!(note.as_str().unwrap().contains("found at"), "{note}");
    // The next command that writes corrects the list.
    pool.run(["mkdir", "/d"]).ok();
    assert_eq!(disks(&pool)[0].2, text(&pool.disk(2)));
    assert!(
        fs::read_to_string(list(&pool)).unwrap().contains("name = \"disk-0\"\npath = \"disks/disk-2.img\"")
    );
    // One of them is gone: the other is not taken for it.
    fs::remove_file(pool.disk(2)).unwrap();
    fs::rename(pool.disk(0), pool.disk(2)).unwrap();
    let found = disks(&pool);
    assert_eq!((found[0].1.as_str(), found[2].1.as_str()), ("missing", "online"), "{found:?}");
    assert!(pool.cat("/file") == contents);
}

/// The hint was to overwrite the pool's own disk, with --force.
#[test]
fn a_member_at_another_path_is_recognised() {
    let (pool, contents) = pool_with_file(3, "2+1");
    let elsewhere = pool.beside("elsewhere.img");
    fs::rename(pool.disk(1), &elsewhere).unwrap();
    pool.run(["disk", "online", "disk-1"]).expect(1);
    for command in [&["disk", "add"][..], &["disk", "replace", "disk-1"], &["disk", "replace", "disk-0"]] {
        for force in [&[][..], &["--force", "--yes"]] {
            let refused = pool.run(command.iter().chain(&[text(&elsewhere)]).chain(force)).expect(1);
            assert!(refused.stderr.contains("is disk-1 of this pool"), "{}", refused.stderr);
            assert!(!refused.stderr.contains("--force"), "{}", refused.stderr);
        }
    }
    let refused = pool.run(["disk", "online", "disk-2", text(&elsewhere)]).expect(1);
    let planned = hints_in(&refused).remove(0);
    let before = fs::read(list(&pool)).unwrap();
    type_line(&pool, &format!("{planned} --dry-run")).ok();
    assert_eq!(fs::read(list(&pool)).unwrap(), before);
    let online = type_line(&pool, &format!("{planned} --json")).ok();
    assert_valid("disk-online", &online);
    assert_eq!(disks(&pool)[1].2, text(&elsewhere));
    pool.run(["rebuild", "start"]).ok();
    pool.assert_well(&contents);
}

/// Each of two that moved was refused because the other was not there.
#[test]
fn members_that_moved_are_attached_one_by_one() {
    let (pool, contents) = pool_with_file(3, "2+1");
    let moved = [0, 1].map(|number| {
        let path = pool.beside(&format!("moved-{number}"));
        fs::rename(pool.disk(number), &path).unwrap();
        path
    });
    let first = pool.run(["disk", "online", "disk-0", text(&moved[0])]).expect(0);
    assert!(first.text().contains("disk-0"), "{}", first.text());
    pool.run(["disk", "online", "disk-1", text(&moved[1])]).ok();
    pool.run(["rebuild", "start"]).ok();
    pool.assert_well(&contents);
}

#[test]
fn what_is_not_the_disk_is_not_attached() {
    let (pool, _) = pool_with_file(3, "2+1");
    let (other, _) = pool_with_file(2, "mirror:2");
    let copy = pool.beside("copy");
    fs::copy(pool.disk(1), &copy).unwrap();
    let blank = pool.beside("blank");
    File::create(&blank).unwrap().set_len(32 << 20).unwrap();
    let before = fs::read(list(&pool)).unwrap();
    for (path, code, why) in [
        (&copy, 3, "is a copy of disk-1"),
        (&blank, 1, "no label"),
        (&other.disk(0), 1, "of another pool"),
        (&pool.disk(2), 1, "is disk-2, and not disk-1"),
        (&pool.path(), 1, "a folder"),
        (&pool.beside("none"), 1, "no such file"),
    ] {
        let refused = pool.run(["disk", "online", "disk-1", text(path)]).expect(code);
        assert!(refused.stderr.contains(why), "{}", refused.stderr);
    }
    assert_eq!(fs::read(list(&pool)).unwrap(), before);
}

/// A member that pool.toml does not list could only be overwritten.
#[test]
fn a_member_that_is_not_listed_is_listed_again() {
    let (pool, contents) = pool_with_file(3, "2+1");
    let whole = fs::read_to_string(list(&pool)).unwrap();
    let at = whole.rfind("[[disk]]").unwrap();
    fs::write(list(&pool), &whole[..at]).unwrap();
    let refused = pool.run(["disk", "add", text(&pool.disk(2))]).expect(1);
    type_hint(&pool, &hints_in(&refused)[0], &[]).ok();
    pool.run(["rebuild", "start"]).ok();
    pool.assert_well(&contents);
    assert_eq!(fs::read_to_string(list(&pool)).unwrap(), whole);
    // So does an import, which finds it among the disks of the folder.
    fs::write(list(&pool), &whole[..at]).unwrap();
    pool.run(["import"]).ok();
    assert_eq!(fs::read_to_string(list(&pool)).unwrap(), whole);
}

#[test]
fn disks_can_be_named_in_place_of_a_folder() {
    let (pool, contents) = pool_with_file(3, "2+1");
    let (other, _) = pool_with_file(2, "mirror:2");
    let run = |arguments: &[&str], disks: &[PathBuf]| {
        let mut command = pool.command(arguments);
        command.env_remove("DYNAMICFS_POOL").current_dir(pool.folder.path()).arg("--disk").args(disks);
        crate::common::answer(command.output().unwrap())
    };
    let all = [pool.disk(2), pool.disk(0), pool.disk(1)];
    let events = pool.path().join("events.jsonl");
    let before = (fs::read(list(&pool)).unwrap(), fs::read(&events).ok());
    assert!(run(&["cat", "/file"], &all).ok().stdout == contents);
    let status = run(&["--json", "status"], &all).ok();
    assert_valid("status", &status);
    assert_eq!(status.json()["members"][0]["name"], "disk-0");
    run(&["health"], &all).ok();
    run(&["mkdir", "/d"], &all).ok();
    run(&["scrub", "start", "-q"], &all).ok();
    run(&["policy", "set", "--scheme", "single", "/d"], &all).ok();
    assert!(run(&["cat", "/file"], &all[..2]).ok().stdout == contents);
    assert_eq!((fs::read(list(&pool)).unwrap(), fs::read(&events).ok()), before, "something was written");
    // In the folder that the command ran in neither.
    assert!(!pool.beside("events.jsonl").exists());
    for (disks, why) in [
        (&[pool.disk(0), other.disk(0)][..], "of several pools"),
        (&[pool.disk(0), pool.folder.path().to_owned()], "a folder"),
        (&[pool.beside("none")], "no such file"),
        (&[list(&pool)], "no label"),
    ] {
        let refused = run(&["status"], disks).expect(1);
        assert!(refused.stderr.contains(why), "{}", refused.stderr);
    }
    run(&["disk", "rename", "disk-0", "x"], &all).expect(2);
    pool.assert_well(&contents);
}

#[test]
fn pools_are_found_and_the_right_one_is_listed() {
    let (pool, contents) = pool_with_file(3, "2+1");
    let (other, _) = pool_with_file(2, "mirror:2");
    let folder = pool.beside("drawer");
    fs::create_dir(&folder).unwrap();
    for (number, path) in [pool.disk(0), pool.disk(1), pool.disk(2), other.disk(0)].iter().enumerate() {
        fs::rename(path, folder.join(format!("drive-{number}"))).unwrap();
    }
    let id = pool.run(["labels", "--disk", text(&folder.join("drive-0")), "--json"]).ok().json();
    let id = id["disks"][0]["label"]["pool"].as_str().unwrap().to_owned();
    let new = TestPool::none();
    let scan = ["import", "--scan", text(&folder)];
    let several = new.run(["--json"].iter().chain(&scan)).expect(2);
    assert_valid("import", &several);
    assert_eq!(several.json()["pools"].as_array().unwrap().len(), 2);
    new.run(scan.iter().chain(&["ffffffff"])).expect(1);
    new.run(scan.iter().chain(&[&id[..13], "--dry-run"])).ok();
    assert!(!new.path().exists());
    let written = new.run(["--json"].iter().chain(&scan).chain(&[&id[..13]])).ok().json();
    assert_eq!(written["pools"][0]["histories"][0]["present"], 3, "{written}");
    new.assert_well(&contents);
    assert_eq!(disks(&new)[1].2, text(&folder.join("drive-1")));
    // The old folder lists where they were: the same command corrects it, with the names that it has.
    assert_eq!(pool.run(["status"]).code, 1);
    pool.run(scan.iter().chain(&[&id[..13]])).ok();
    assert_eq!(disks(&pool)[0], ("disk-0".into(), "online".into(), text(&folder.join("drive-0")).into()));
    // Not over another pool's list, and not of copies.
    let refused = other.run(scan.iter().chain(&[&id[..13]])).expect(3);
    assert!(refused.stderr.contains("another pool"), "{}", refused.stderr);
    fs::copy(folder.join("drive-0"), folder.join("copy")).unwrap();
    new.run(scan.iter().chain(&[&id[..13]])).expect(3);
    // The other pool's second disk is missing, and said to be.
    let half = new.run(["import", "--disk", text(&folder.join("drive-3")), "--dry-run"]).ok();
    assert!(half.text().contains("1 of 2 members here"), "{}", half.text());
}

#[test]
fn disks_and_pools_are_renamed() {
    let (pool, contents) = pool_with_file(3, "2+1");
    let renamed = pool.run(["--json", "disk", "rename", "disk-1", "bay-4"]).ok();
    assert_valid("disk-rename", &renamed);
    assert_eq!(disks(&pool)[1].0, "bay-4");
    for (name, code) in [("disk-0", 1), ("a b", 1), ("--x", 2), ("7", 1), ("member-1", 1), ("", 1)] {
        pool.run(["disk", "rename", "bay-4", name]).expect(code);
    }
    pool.run(["disk", "rename", "nothing", "x"]).expect(1);
    let renamed = pool.run(["--json", "pool", "rename", "archive"]).ok();
    assert_valid("pool-rename", &renamed);
    assert_eq!(pool.json(["status"])["pool"]["name"], "archive");
    pool.run(["import"]).ok();
    assert_eq!(
        (disks(&pool)[1].0.as_str(), pool.json(["status"])["pool"]["name"].as_str()),
        ("bay-4", Some("archive"))
    );
    pool.assert_well(&contents);
}

/// Devices get their names in the order in which they are found.
#[test]
fn renumbered_devices_keep_their_names_in_the_pool() {
    let Ok(_alone) = loops::alone() else { return println!("no loop devices: not tested here") };
    let pool = TestPool::none();
    let files = [0, 1, 2].map(|number| {
        let path = pool.beside(&format!("drive-{number}"));
        File::create(&path).unwrap().set_len(32 << 20).unwrap();
        path
    });
    let devices = files.each_ref().map(|file| Loop::attach(file, &[]));
    let arguments = ["init", "--scheme", "2+1", "--disk"];
    pool.run(arguments.iter().copied().chain(devices.iter().map(Loop::text))).ok();
    let contents = noise(1_000_000, 8);
    pool.run_with_input(["put", "-", "/file"], &contents).ok();
    let before = disks(&pool);
    let paths = devices.map(Loop::detach);
    // In another order, and the first two at each other's names.
    let attach = |path: &Path, file: &Path| {
        let done = std::process::Command::new("losetup").args([path, file]).status().unwrap();
        assert!(done.success());
    };
    attach(&paths[0], &files[1]);
    attach(&paths[1], &files[0]);
    let third = Loop::attach(&files[2], &["--read-only"]).detach();
    let fourth = Loop::attach(&files[2], &[]);
    let found = disks(&pool);
    let states = |found: &[(String, String, String)]| -> Vec<(String, String)> {
        found.iter().map(|(name, state, _)| (name.clone(), state.clone())).collect()
    };
    assert_eq!(states(&found), states(&before), "{found:?} {third:?}");
    assert_eq!([&found[0].2, &found[1].2], [&before[1].2, &before[0].2]);
    pool.assert_well(&contents);
    pool.run(["mkdir", "/d"]).ok();
    assert!(fs::read_to_string(list(&pool)).unwrap().contains(text(fourth.path())));
    for path in &paths[..2] {
        drop(std::process::Command::new("losetup").arg("--detach").arg(path).status());
    }
}

/// An `init` that was killed left files that the next one refused, or labels that needed --force.
#[test]
fn an_init_that_was_killed_is_done_again() {
    let given = |pool: &TestPool| {
        let path = pool.beside("given");
        if !path.exists() {
            File::create(&path).unwrap().set_len(16 << 20).unwrap();
        }
        path
    };
    let mut at = 0;
    loop {
        let (made, on) = (TestPool::none(), TestPool::none());
        let given = given(&on);
        let make = ["init", "--disks", "2", "--disk-size", "16MiB", "--scheme", "mirror:2"];
        let on_given = ["init", "--scheme", "single", "--disk", text(&given)];
        let (killed, _) = signalled_at(&mut made.command(make), at, libc::SIGKILL);
        let (killed_on, _) = signalled_at(&mut on.command(on_given), at, libc::SIGKILL);
        for (pool, command) in [(&made, &make[..]), (&on, &on_given)] {
            if !list(pool).exists() {
                pool.run(command.iter().chain(&["--dry-run"])).ok();
                pool.run(command).ok();
            }
            assert!(
                !pool.path().join("pool.toml.unfinished").exists() || list(pool).exists(),
                "killed at {at}"
            );
            pool.run_with_input(["put", "-", "/file"], b"some").ok();
            pool.assert_well(b"some");
        }
        if !killed && !killed_on {
            break;
        }
        at += 3;
    }
    assert!(at > 60, "{at} calls");
}

/// Of a pool that was used nothing is cleared away.
#[test]
fn what_is_left_of_an_init_is_kept_once_it_was_used() {
    let (pool, contents) = pool_with_file(2, "mirror:2");
    fs::rename(list(&pool), pool.path().join("pool.toml.unfinished")).unwrap();
    let refused = pool.run(["init", "--disks", "2", "--disk-size", "16MiB"]).expect(3);
    type_hint(&pool, &hints_in(&refused)[0], &[]).ok();
    assert!(!pool.path().join("pool.toml.unfinished").exists());
    pool.assert_well(&contents);
}

// Below a relative `--pool` paths were listed from where the command was run. The pool was not opened any
// more, and the hint gave up two good disks.
#[test]
fn disks_that_changed_places_are_listed_by_paths_in_the_folder() {
    let (pool, contents) = pool_with_file(4, "2+2");
    fs::rename(pool.disk(0), pool.beside("t")).unwrap();
    fs::rename(pool.disk(1), pool.disk(0)).unwrap();
    fs::rename(pool.beside("t"), pool.disk(1)).unwrap();
    let beside = |arguments: &[&str]| {
        let mut command = pool.command(arguments);
        command.env_remove("DYNAMICFS_POOL").args(["--pool", "pool"]).current_dir(pool.folder.path());
        answer(command.output().unwrap())
    };
    beside(&["mkdir", "/d"]).ok();
    let text = fs::read_to_string(list(&pool)).unwrap();
    assert!(text.contains("\"disks/disk-1.img\"") && !text.contains("pool/disks"), "{text}");
    pool.assert_well(&contents);
    // A pool that is refused for want of disks which lie in its folder tells how they are listed.
    for disk in [2, 3] {
        fs::rename(pool.disk(disk), pool.path().join(format!("moved-{disk}"))).unwrap();
    }
    let refused = pool.run(["ls"]).expect(3);
    let hint = hints_in(&refused).pop().unwrap();
    assert!(hint.starts_with("dynamicfs import"), "{}", refused.stderr);
    type_hint(&pool, &hint, &[]).ok();
    pool.assert_well(&contents);
}
