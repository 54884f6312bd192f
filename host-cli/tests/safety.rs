//! What can go wrong: another user, too few disks, too little space, power cuts.

use crate::common::{TestPool, answer, noise, signal};
use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::os::unix::process::CommandExt;

/// A pool with a file in it, and the file.
fn pool_with_file() -> (TestPool, Vec<u8>) {
    let pool = TestPool::new(6, "32MiB", "4+2");
    let contents = noise(3_000_000, 11);
    let file = pool.file("file", &contents);
    pool.run(["put", file.to_str().unwrap(), "/file"]).ok();
    (pool, contents)
}

fn status(pool: &TestPool) -> String {
    pool.json(["status"])["status"].as_str().unwrap_or("none").to_owned()
}

#[test]
fn a_second_process_is_told_who_has_the_pool() {
    let (pool, contents) = pool_with_file();
    let mut writer = pool.spawn(["put", "-", "/slow"]);
    let mut stdin = writer.stdin.take().unwrap();
    stdin.write_all(b"begun").unwrap();
    pool.wait_until_held(&writer);
    let refused = pool.run(["--json", "mkdir", "/d"]).expect(5).json();
    assert_eq!(refused["error"]["code"], "busy");
    let message = refused["error"]["message"].as_str().unwrap();
    assert!(message.contains(&writer.id().to_string()), "{message}");
    // What the last commit says is seen beside it.
    pool.run(["health"]).ok();
    pool.run(["get", "/file", "-"]).expect(5);
    // Labels need no lock.
    pool.run(["labels"]).ok();
    drop(stdin);
    assert!(writer.wait().unwrap().success());
    assert_eq!(pool.cat("/slow"), b"begun");
    assert_eq!(pool.cat("/file"), contents);
}

#[test]
fn ctrl_c_leaves_a_file_absent() {
    let (pool, contents) = pool_with_file();
    for (name, signal_name) in [("/file", "INT"), ("/new", "TERM")] {
        let mut writer = pool.spawn(["put", "-", name]);
        let mut stdin = writer.stdin.take().unwrap();
        stdin.write_all(&noise(4 << 20, 1)).unwrap();
        pool.wait_until_held(&writer);
        signal(&writer, signal_name);
        let ended = answer(writer.wait_with_output().unwrap()).expect(6);
        assert!(ended.stderr.contains("interrupted"), "{}", ended.stderr);
        drop(stdin);
    }
    assert_eq!(pool.cat("/file"), contents);
    pool.run(["cat", "/new"]).expect(1);
    assert_eq!(pool.json(["ls"])["entries"].as_array().unwrap().len(), 1);
    pool.run(["check"]).ok();
}

#[test]
fn a_kill_leaves_a_file_absent() {
    let (pool, contents) = pool_with_file();
    let mut writer = pool.spawn(["put", "-", "/new"]);
    let mut stdin = writer.stdin.take().unwrap();
    stdin.write_all(&noise(8 << 20, 1)).unwrap();
    pool.wait_until_held(&writer);
    writer.kill().unwrap();
    writer.wait().unwrap();
    drop(stdin);
    pool.run(["cat", "/new"]).expect(1);
    assert_eq!(pool.cat("/file"), contents);
    pool.run(["check"]).ok();
    assert_eq!(status(&pool), "healthy");
}

#[test]
fn as_many_disks_as_the_scheme_bears_may_be_missing() {
    let (pool, contents) = pool_with_file();
    fs::remove_file(pool.disk(0)).unwrap();
    fs::remove_file(pool.disk(3)).unwrap();
    let judged = pool.json(["status"]);
    assert_eq!(judged["disks"]["failed"], 2);
    assert_eq!(judged["extents"]["unreadable"], 0);
    assert_eq!(judged["extents"]["complete"], 0);
    assert_eq!(judged["status"], "critical");
    pool.run(["health"]).expect(2);
    assert_eq!(pool.cat("/file"), contents);
    // Writing continues as well.
    let more = noise(500_000, 12);
    pool.run_with_input(["put", "-", "/more"], &more).ok();
    assert_eq!(pool.cat("/more"), more);
    // One more is one too many for the contents; the four that wrote last still count among themselves.
    fs::remove_file(pool.disk(5)).unwrap();
    pool.run(["cat", "/file"]).expect(4);
    pool.run(["health"]).expect(2);
    assert!(pool.json(["status"])["extents"]["unreadable"].as_u64() > Some(0));
}

#[test]
fn with_half_of_the_disks_nobody_knows_what_is_newest() {
    let (pool, contents) = pool_with_file();
    for disk in [0, 3, 5] {
        fs::rename(pool.disk(disk), pool.beside(&format!("away-{disk}"))).unwrap();
    }
    let refused = pool.run(["cat", "/file"]).expect(3);
    for missing in ["disk-0", "disk-3", "disk-5", "3 of 6"] {
        assert!(refused.stderr.contains(missing), "{}", refused.stderr);
    }
    pool.run(["health"]).expect(2);
    // The override must be confirmed, and gives up no data without being told to.
    pool.run(["--force-degraded", "mkdir", "/d"]).expect(3);
    let refused = pool.json(["--force-degraded", "--yes", "mkdir", "/d"]);
    assert_eq!(refused["error"]["code"], "would_lose_data", "{refused}");
    fs::rename(pool.beside("away-3"), pool.disk(3)).unwrap();
    assert_eq!(pool.cat("/file"), contents);
}

#[test]
fn a_disk_that_was_away_comes_back() {
    let (pool, contents) = pool_with_file();
    fs::rename(pool.disk(2), pool.beside("away")).unwrap();
    pool.run_with_input(["put", "-", "/more"], &noise(500_000, 12)).ok();
    fs::rename(pool.beside("away"), pool.disk(2)).unwrap();
    let judged = pool.json(["status"]);
    assert_eq!(judged["status"], "degraded");
    assert_eq!(judged["members"][2]["state"], "behind");
    assert_eq!(pool.cat("/file"), contents);
    assert_eq!(pool.cat("/more"), noise(500_000, 12));
}

#[test]
fn an_override_goes_on_without_what_is_missing() {
    let pool = TestPool::new(2, "32MiB", "mirror:2");
    pool.run_with_input(["put", "-", "/file"], b"kept").ok();
    fs::rename(pool.disk(1), pool.beside("away")).unwrap();
    pool.run(["cat", "/file"]).expect(3);
    pool.run(["--force-degraded", "--yes", "mkdir", "/mine"]).ok();
    assert_eq!(pool.cat("/file"), b"kept");
    // The other half of the mirror has another history, as soon as it is written to.
    fs::rename(pool.disk(0), pool.beside("first")).unwrap();
    fs::rename(pool.beside("away"), pool.disk(1)).unwrap();
    pool.run(["--force-degraded", "--yes", "mkdir", "/other"]).ok();
    fs::rename(pool.beside("first"), pool.disk(0)).unwrap();
    let refused = pool.json(["ls"]);
    assert_eq!(refused["error"]["code"], "diverged", "{refused}");
}

#[test]
fn wiped_truncated_and_foreign_disks() {
    let (pool, contents) = pool_with_file();
    let size = fs::metadata(pool.disk(0)).unwrap().len();
    // Wiped.
    fs::write(pool.disk(0), vec![0; size as usize]).unwrap();
    assert_eq!(pool.json(["disk", "list"])["disks"][0]["state"], "unlabelled");
    assert_eq!(pool.cat("/file"), contents);
    let labels = pool.run(["--json", "labels"]).expect(1).json();
    assert_eq!(labels["disks"][0]["first"], "absent");
    // Truncated to a quarter.
    OpenOptions::new().write(true).open(pool.disk(1)).unwrap().set_len(size / 4).unwrap();
    assert_eq!(pool.cat("/file"), contents);
    assert_eq!(status(&pool), "critical");
    assert_eq!(pool.cat("/file"), contents);
}

#[test]
fn a_disk_of_another_pool_is_not_touched() {
    let (pool, contents) = pool_with_file();
    let other = TestPool::new(1, "32MiB", "single");
    other.run_with_input(["put", "-", "/mine"], b"mine").ok();
    let before = fs::read(other.disk(0)).unwrap();
    fs::copy(other.disk(0), pool.disk(4)).unwrap();
    assert_eq!(pool.json(["disk", "list"])["disks"][4]["state"], "foreign");
    assert_eq!(pool.cat("/file"), contents);
    pool.run(["mkdir", "/d"]).ok();
    assert!(before == fs::read(pool.disk(4)).unwrap());
    // A copy of a member is refused.
    fs::copy(pool.disk(0), pool.disk(4)).unwrap();
    let refused = pool.run(["--json", "cat", "/file"]).expect(3).json();
    assert_eq!(refused["error"]["code"], "cloned");
}

#[test]
fn rotten_bytes_are_repaired_by_reading() {
    let (pool, contents) = pool_with_file();
    let mark = &contents[..64];
    let image = (0..6).map(|disk| (pool.disk(disk), fs::read(pool.disk(disk)).unwrap()));
    let (path, at) = image
        .filter_map(|(path, bytes)| {
            Some((path, bytes.chunks(4096).position(|block| block.starts_with(mark))? * 4096))
        })
        .next()
        .expect("contents are stored as they are");
    let disk = OpenOptions::new().write(true).open(path).unwrap();
    disk.write_all_at(&[!mark[20]], at as u64 + 20).unwrap();
    let found = pool.run(["--json", "check"]).expect(1).json();
    assert_eq!(found["result"], "recoverable");
    assert_eq!(pool.cat("/file"), contents);
    pool.run(["check"]).ok();
    let metrics = pool.json(["metrics"]);
    assert_eq!(metrics["pool"]["read_repairs"], 1);
    assert!(metrics["disk"]["errors"]["checksum"].as_u64() >= Some(1));
}

#[test]
fn what_is_lost_is_told() {
    let pool = TestPool::new(1, "32MiB", "single");
    let contents = noise(3_000_000, 11);
    pool.run_with_input(["put", "-", "/file"], &contents).ok();
    pool.run_with_input(["put", "-", "/good"], b"good").ok();
    let image = fs::read(pool.disk(0)).unwrap();
    let at = image.chunks(4096).position(|block| block.starts_with(&contents[..64])).unwrap() * 4096;
    OpenOptions::new()
        .write(true)
        .open(pool.disk(0))
        .unwrap()
        .write_all_at(&[!contents[9]], at as u64 + 9)
        .unwrap();
    pool.run(["get", "/file", pool.beside("out").to_str().unwrap()]).expect(4);
    assert!(!pool.beside("out").exists());
    let all = pool.run(["--json", "get", "-r", "/", pool.beside("all").to_str().unwrap()]).expect(4).json();
    assert_eq!((all["files"].as_u64(), all["failed"][0]["path"].as_str()), (Some(1), Some("/file")));
    assert_eq!(fs::read(pool.beside("all/good")).unwrap(), b"good");
    let found = pool.run(["--json", "check"]).expect(4).json();
    assert_eq!(found["lost_files"][0]["path"], "/file");
}

#[test]
fn a_full_pool_refuses_and_goes_on() {
    let pool = TestPool::new(2, "16MiB", "mirror:2");
    pool.run_with_input(["put", "-", "/kept"], &noise(1 << 20, 1)).ok();
    let refused = pool.run_with_input(["--json", "put", "-", "/big"], &noise(20 << 20, 2)).expect(1).json();
    assert_eq!(refused["error"]["code"], "no_space");
    pool.run(["cat", "/big"]).expect(1);
    // Many files: those that fit are kept, whole.
    let top = pool.beside("many");
    fs::create_dir(&top).unwrap();
    for number in 0..40 {
        fs::write(top.join(format!("{number:02}")), noise(700_000, number)).unwrap();
    }
    let put = pool.run(["--json", "put", "-r", top.to_str().unwrap(), "/many"]).expect(1).json();
    let stored = put["files"].as_u64().unwrap();
    let listed = pool.json(["ls", "/many"])["entries"].as_array().map_or(0, Vec::len) as u64;
    assert_eq!(stored, listed);
    assert!((5..40).contains(&stored), "{stored}");
    for number in 0..stored {
        assert_eq!(pool.cat(&format!("/many/{number:02}")), noise(700_000, number));
    }
    pool.run(["rm", "-r", "/many"]).ok();
    pool.run_with_input(["put", "-", "/again"], &noise(6 << 20, 3)).ok();
    assert_eq!(pool.cat("/kept"), noise(1 << 20, 1));
    pool.run(["check"]).ok();
}

#[test]
fn a_disk_taken_out_of_use_stays_out() {
    let (pool, contents) = pool_with_file();
    pool.run(["disk", "fail", "disk-9"]).expect(1);
    pool.run(["disk", "fail", "disk-1"]).expect(3);
    pool.run(["disk", "fail", "disk-1", "--yes"]).ok();
    pool.run(["disk", "fail", "2", "--yes"]).ok();
    let disks = pool.json(["disk", "list"]);
    assert_eq!(
        (disks["disks"][1]["state"].as_str(), disks["disks"][2]["state"].as_str()),
        (Some("failed"), Some("failed"))
    );
    assert_eq!(pool.cat("/file"), contents);
    let refused = pool.run(["--json", "disk", "fail", "disk-3", "--yes"]).expect(3).json();
    assert_eq!(refused["error"]["code"], "would_lose_data");
    assert_eq!(pool.cat("/file"), contents);
}

#[test]
fn a_reader_without_permission_to_write_can_read() {
    let (pool, contents) = pool_with_file();
    let disks = (0..6).map(|number| (pool.disk(number), 0o644));
    let folders =
        [(pool.folder.path().to_owned(), 0o755), (pool.path(), 0o755), (pool.path().join("disks"), 0o755)];
    for (path, mode) in disks.chain(folders).chain([(pool.path().join("pool.toml"), 0o644)]) {
        if path.exists() {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        }
    }
    let program = pool.program();
    let run = |arguments: &[&str]| {
        let mut command = std::process::Command::new(&program);
        command.args(arguments).env("DYNAMICFS_POOL", pool.path()).current_dir("/");
        // The user `nobody` does not own the disks. A test that does not run as the superuser owns what it
        // made.
        command.uid(65534).gid(65534);
        command.output().map(answer)
    };
    let Ok(read) = run(&["cat", "/file"]) else { return };
    assert!(read.ok().stdout == contents);
    let refused = run(&["mkdir", "/d"]).unwrap().expect(1);
    assert!(
        refused.stderr.contains("disk-0") && refused.stderr.contains("permission denied"),
        "{}",
        refused.stderr
    );
    run(&["status"]).unwrap().ok();
}

#[test]
fn a_source_that_vanishes_does_not_stop_the_others() {
    let pool = TestPool::new(2, "32MiB", "mirror:2");
    let top = pool.beside("top");
    fs::create_dir(&top).unwrap();
    fs::write(top.join("a"), b"a").unwrap();
    std::os::unix::net::UnixListener::bind(top.join("socket")).unwrap();
    fs::write(top.join("z"), b"z").unwrap();
    let put = pool.json(["put", "-r", top.to_str().unwrap(), "/top"]);
    assert_eq!((put["files"].as_u64(), put["skipped"].as_array().map(Vec::len)), (Some(2), Some(1)));
    pool.run(["put", pool.beside("missing").to_str().unwrap(), "/x"]).expect(1);
    pool.run(["put", "/dev/null", "/x"]).expect(1);
    // A file named by a link is stored, not the link.
    std::os::unix::fs::symlink("a", top.join("link")).unwrap();
    pool.run(["put", top.join("link").to_str().unwrap(), "/link"]).ok();
    assert_eq!(pool.json(["stat", "/link"])["kind"], "file");
    // The pool is not stored in itself.
    let all = pool.json(["put", "-r", pool.folder.path().to_str().unwrap(), "/all"]);
    assert_eq!((all["files"].as_u64(), all["skipped"].as_array().map(Vec::len)), (Some(2), Some(2)), "{all}");
}

#[test]
fn one_failure_does_not_stop_the_others() {
    let pool = TestPool::new(2, "32MiB", "mirror:2");
    let top = pool.beside("top");
    fs::create_dir_all(top.join("d/below")).unwrap();
    for name in ["a", "b", "d/below/c", "e"] {
        fs::write(top.join(name), name).unwrap();
    }
    // A directory where a file is to be, and a file where a directory is to be.
    pool.run(["mkdir", "-p", "/top/b"]).ok();
    pool.run_with_input(["put", "-", "/top/d"], b"").ok();
    let put = pool.run(["--json", "put", "-r", top.to_str().unwrap(), "/"]).expect(1).json();
    assert_eq!(put["files"], 2, "{put}");
    let failed: Vec<_> =
        put["failed"].as_array().unwrap().iter().map(|failed| failed["error"]["code"].as_str()).collect();
    assert_eq!(failed, [Some("is_a_directory"), Some("not_a_directory")]);
    assert_eq!(put["error"]["code"], "partial");
    assert_eq!(pool.cat("/top/e"), b"e");
}

#[test]
fn init_that_fails_leaves_nothing() {
    let pool = TestPool::none();
    pool.run(["init", "--disks", "3", "--disk-size", "64KiB", "--scheme", "2+1"]).expect(1);
    assert!(!pool.path().exists());
    pool.run(["init", "--disks", "2", "--disk-size", "32MiB", "--scheme", "4+2"]).expect(1);
    assert!(!pool.path().exists());
    pool.run(["init", "--disks", "2", "--disk-size", "32MiB"]).ok();
    pool.run(["init", "--disks", "2", "--disk-size", "32MiB"]).expect(3);
    // A disk of a pool is refused, or taken when that is forced and confirmed.
    let other = TestPool::none();
    let disk = pool.disk(0);
    let disk = disk.to_str().unwrap();
    let refused = other.run(["init", "--disk", disk, "--scheme", "single"]).expect(3);
    assert!(refused.stderr.contains("disk-0.img"), "{}", refused.stderr);
    assert!(!other.path().exists());
    other.run(["init", "--disk", disk, "--scheme", "single", "--force"]).expect(3);
    other.run(["init", "--disk", disk, "--scheme", "single", "--force", "--yes"]).ok();
    other.run_with_input(["put", "-", "/file"], b"new").ok();
    assert_eq!(other.cat("/file"), b"new");
}

#[test]
fn a_witness_lets_half_of_a_mirror_go_on() {
    let pool = TestPool::none();
    let witness = pool.beside("witness.img");
    let init =
        ["--json", "init", "--disks", "2", "--disk-size", "32MiB", "--witness", witness.to_str().unwrap()];
    let made = pool.run(init).ok().json();
    assert_eq!((&made["tolerance"], &made["opens_without"]), (&1.into(), &1.into()), "{made}");
    assert_eq!(made["raw_bytes"], 64 << 20, "a witness holds no data");
    pool.run_with_input(["put", "-", "/file"], b"kept").ok();
    fs::remove_file(pool.disk(0)).unwrap();
    assert_eq!(pool.cat("/file"), b"kept");
    // Without one it asks, and says so when it is made.
    let alone = TestPool::none();
    let made = alone.run(["--json", "init", "--disks", "2", "--disk-size", "32MiB"]).ok().json();
    assert_eq!((&made["tolerance"], &made["opens_without"]), (&1.into(), &0.into()), "{made}");
    fs::remove_file(alone.disk(0)).unwrap();
    alone.run(["ls"]).expect(3);
    pool.run_with_input(["put", "-", "/more"], b"more").ok();
    assert_eq!(pool.cat("/more"), b"more");
}

#[test]
fn a_reader_that_stops_reading_is_no_failure() {
    let (pool, _) = pool_with_file();
    let mut reader = pool.spawn(["cat", "/file"]);
    let mut some = [0; 100];
    let mut stdout = reader.stdout.take().unwrap();
    stdout.read_exact(&mut some).unwrap();
    drop(stdout);
    answer(reader.wait_with_output().unwrap()).ok();
}
