//! A command that is refused has changed nothing: no byte of a disk, no member, no line of pool.toml.

use crate::common::{Answer, TestPool, noise};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};

fn pool_with_file() -> (TestPool, Vec<u8>) {
    let contents = noise(2_000_000, 5);
    (TestPool::with_file(3, "32MiB", "2+1", &contents), contents)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A file that `blkid` calls an ext4 filesystem.
fn ext4(pool: &TestPool, name: &str, bytes: u64) -> PathBuf {
    let path = pool.beside(name);
    let file = File::create(&path).unwrap();
    file.set_len(bytes).unwrap();
    file.write_all_at(b"\x53\xef", 0x438).unwrap();
    path
}

/// What a refused command must leave as it is: pool.toml, the members' names, and these files.
fn state(pool: &TestPool, files: &[&Path]) -> (String, String, Vec<Option<Vec<u8>>>) {
    let list = fs::read_to_string(pool.path().join("pool.toml")).unwrap_or_default();
    let members = pool.json(["disk", "list"]);
    let members = members["disks"].as_array().into_iter().flatten();
    let members =
        members.map(|disk| format!("{}: {} {}\n", disk["name"], disk["state"], disk["member"])).collect();
    (list, members, files.iter().map(|path| fs::read(path).ok()).collect())
}

#[track_caller]
fn refused<S: AsRef<OsStr>>(
    pool: &TestPool,
    files: &[&Path],
    command: impl IntoIterator<Item = S>,
    code: i32,
) -> Answer {
    let before = state(pool, files);
    let answer = pool.run(command).expect(code);
    let after = state(pool, files);
    assert_eq!((&after.0, &after.1), (&before.0, &before.1), "{}", answer.stderr);
    assert!(after.2 == before.2, "a file was written to: {}", answer.stderr);
    answer
}

/// `--force` wiped the foreign signatures, and then the command was refused.
#[test]
fn forcing_wipes_nothing_where_the_command_is_refused() {
    let (pool, contents) = pool_with_file();
    let [small, large] =
        [("small", 128 << 10), ("large", 32 << 20)].map(|(name, bytes)| ext4(&pool, name, bytes));
    let files: [&Path; 2] = [&small, &large];
    let force = ["--force", "--yes"];
    refused(&pool, &files, ["disk", "add", text(&small)].iter().chain(&force), 1);
    refused(&pool, &files, ["disk", "replace", "disk-1", text(&small)].iter().chain(&force), 1);
    // One of two cannot be used: the other is left alone.
    refused(&pool, &files, ["disk", "add", text(&large), text(&small)].iter().chain(&force), 1);

    let mut writer = pool.spawn(["put", "-", "/slow"]);
    pool.wait_until_held(&writer);
    let before = fs::read(&large).unwrap();
    for command in [&["disk", "add"][..], &["disk", "replace", "disk-1"]] {
        pool.run(command.iter().copied().chain([text(&large)]).chain(force)).expect(5);
    }
    assert!(fs::read(&large).unwrap() == before, "a busy pool took it");
    drop(writer.stdin.take());
    assert!(writer.wait().unwrap().success());

    let away = [0, 1].map(|number| (pool.disk(number), pool.beside(&format!("away-{number}"))));
    away.iter().for_each(|(here, there)| fs::rename(here, there).unwrap());
    refused(&pool, &files, ["disk", "add", text(&large)].iter().chain(&force), 3);
    away.iter().for_each(|(here, there)| fs::rename(there, here).unwrap());

    let fresh = TestPool::none();
    let init = ["init", "--scheme", "mirror:2", "--force", "--yes", "--disk", text(&large), text(&small)];
    refused(&fresh, &files, init, 1);
    assert!(!fresh.path().exists());
    assert!(pool.cat("/file") == contents);
    // What is not refused is wiped.
    pool.run(["disk", "add", text(&large)].iter().chain(&force)).ok();
    let mut magic = [0; 2];
    File::open(&large).unwrap().read_exact_at(&mut magic, 0x438).unwrap();
    assert_ne!(&magic, b"\x53\xef");
    pool.run(["check"]).ok();
}

/// A text, a database, an image of a virtual machine: each was overwritten without a question.
#[test]
fn what_is_not_blank_is_overwritten_only_with_consent() {
    let (pool, _) = pool_with_file();
    let mut middle = vec![0; 32 << 20];
    middle[12 << 20..20 << 20].fill(7);
    let mut end = vec![0; 32 << 20];
    end[(32 << 20) - 100..].fill(7);
    let contents: [(&str, Vec<u8>); 5] = [
        ("noise", noise(32 << 20, 9)),
        ("qcow", [b"QFI\xfb".to_vec(), vec![0; (32 << 20) - 4]].concat()),
        ("tar", [vec![0; 257], b"ustar".to_vec(), vec![0; (32 << 20) - 262]].concat()),
        ("middle", middle),
        ("end", end),
    ];
    for (name, bytes) in contents {
        let path = pool.file(name, &bytes);
        let files: [&Path; 1] = [&path];
        let fresh = TestPool::none();
        let init = ["--json", "init", "--scheme", "single", "--disk", text(&path)];
        let witness = ["--json", "init", "--disks", "2", "--disk-size", "16MiB", "--witness", text(&path)];
        for (place, command) in [
            (&pool, &["--json", "disk", "add", text(&path)][..]),
            (&pool, &["--json", "disk", "replace", "disk-1", text(&path)]),
            (&pool, &["--json", "disk", "add", text(&path), "--dry-run"]),
            (&fresh, &init),
            (&fresh, &witness),
        ] {
            let json = refused(place, &files, command, 3).json();
            assert_eq!(json["error"]["code"], "in_use", "{name}: {json}");
            assert!(json["error"]["hint"].as_str().unwrap().contains("--force"), "{name}: {json}");
        }
        let planned = pool.run(["disk", "add", text(&path), "--dry-run", "--force"]).ok().text();
        assert!(planned.contains("it holds "), "{planned}");
        let planned = fresh.run(init.iter().skip(1).chain(&["--dry-run", "--force"])).ok().text();
        assert!(planned.contains("holds ") && !planned.contains("holds nothing"), "{planned}");
    }
}

/// Erased flash is all ones; what a pool left behind is its own to overwrite.
#[test]
fn what_is_blank_needs_no_consent() {
    let (pool, _) = pool_with_file();
    let erased = pool.file("erased", &vec![0xff; 32 << 20]);
    pool.run(["disk", "add", text(&erased)]).ok();
    pool.run(["disk", "drain", "erased"]).ok();
    pool.run(["disk", "remove", "erased", "--yes"]).ok();
    let planned = pool.run(["disk", "add", text(&erased), "--dry-run"]).ok().text();
    assert!(planned.contains("what a pool left on it"), "{planned}");
    pool.run(["disk", "add", text(&erased)]).ok();
    pool.run(["check"]).ok();
}

/// The new disk stayed in the pool, and the message named "1".
#[test]
fn a_refused_replacement_leaves_no_new_member() {
    let (pool, contents) = pool_with_file();
    pool.run_with_input(["put", "-", "/more"], &noise(40_000_000, 6)).ok();
    let new = pool.beside("new.img");
    let answer = refused(&pool, &[&new], ["disk", "replace", "disk-1", text(&new), "--size", "6MiB"], 1);
    assert!(answer.stderr.contains("disk-1"), "{}", answer.stderr);
    assert!(!new.exists());
    assert!(pool.cat("/file") == contents);
    // There is little room, and no disk too many or too few.
    assert_eq!(pool.json(["status"])["disks"]["total"], 3);
}

#[test]
fn of_several_disks_all_are_judged_before_the_first_is_added() {
    let (pool, _) = pool_with_file();
    let [good, twin, tiny] = ["good", "twin", "tiny"].map(|name| pool.beside(name));
    File::create(&good).unwrap().set_len(32 << 20).unwrap();
    File::create(&tiny).unwrap().set_len(64 << 10).unwrap();
    fs::hard_link(&good, &twin).unwrap();
    let files: [&Path; 2] = [&good, &tiny];
    for (others, code) in [
        ([text(&good), text(&good)], 3),
        ([text(&good), text(&twin)], 3),
        ([text(&good), text(&tiny)], 1),
        ([text(&good), text(&pool.beside("none"))], 1),
        ([text(&good), text(pool.folder.path())], 1),
        ([text(&good), text(&pool.disk(1))], 1),
    ] {
        refused(&pool, &files, ["disk", "add"].iter().chain(&others), code);
    }
    let added =
        pool.run(["--json", "disk", "add", text(&good), text(&pool.beside("made")), "--size", "16MiB"]).ok();
    crate::common::assert_valid("disk-add", &added);
    assert_eq!(added.json()["disks"].as_array().unwrap().len(), 2);
    pool.run(["check"]).ok();
}

/// A killed command had made the file and not its size: the next try spoke of sectors.
#[test]
fn an_empty_file_is_made_to_the_size_that_is_asked_for() {
    let (pool, _) = pool_with_file();
    let empty = pool.file("empty", b"");
    pool.run(["disk", "add", text(&empty)]).expect(1);
    pool.run(["disk", "add", text(&empty), "--size", "16MiB"]).ok();
    assert_eq!(fs::metadata(&empty).unwrap().len(), 16 << 20);
    pool.run(["check"]).ok();
}

/// Every user of the machine could read all contents in the images, and could lock the pool.
#[test]
fn what_a_pool_is_stored_in_is_its_owners_alone() {
    let pool = TestPool::none();
    let program = pool.program();
    let witness = pool.beside("witness");
    let script = format!(
        "umask 0; p={}; $p init -q --disks 3 --disk-size 16MiB --witness {} && $p disk add -q {} --size 16MiB \
         && $p mkdir /d && $p scrub start -q",
        text(&program),
        text(&witness),
        text(&pool.beside("new.img")),
    );
    let ran =
        std::process::Command::new("sh").args(["-c", &script]).env("DYNAMICFS_POOL", pool.path()).output();
    crate::common::answer(ran.unwrap()).ok();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    let mut left = vec![pool.path(), witness, pool.beside("new.img")];
    let mut seen = 0;
    while let Some(path) = left.pop() {
        let is_folder = path.is_dir();
        assert_eq!(mode(&path), if is_folder { 0o700 } else { 0o600 }, "{}", text(&path));
        if is_folder {
            left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
        seen += 1;
    }
    assert!(seen >= 8, "{seen}");
    // The operator's own choice stays.
    let list = pool.path().join("pool.toml");
    fs::set_permissions(&list, fs::Permissions::from_mode(0o640)).unwrap();
    pool.run(["disk", "remove", "new", "--yes", "--force-data-loss"]).ok();
    assert_eq!(mode(&list), 0o640);
}
