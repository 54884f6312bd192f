//! A table of wrong moves. Each is refused or does no harm, says what is wrong and what to type, and the
//! pool's contents are there afterwards.

use crate::common::{TestPool, noise};
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

/// What is done to a pool, or beside it, before a command.
type Prepare = fn(&TestPool);

struct Row {
    name: &'static str,
    prepare: Prepare,
    command: &'static [&'static str],
    code: i32,
    /// Words that the message or its hint has.
    says: &'static [&'static str],
}

const fn row(
    name: &'static str,
    prepare: Prepare,
    command: &'static [&'static str],
    code: i32,
    says: &'static [&'static str],
) -> Row {
    Row { name, prepare, command, code, says }
}

fn nothing(_: &TestPool) {}

fn blank(pool: &TestPool) {
    File::create(pool.beside("new")).unwrap().set_len(32 << 20).unwrap();
}

fn ext4(pool: &TestPool) {
    blank(pool);
    let file = File::options().write(true).open(pool.beside("new")).unwrap();
    file.write_all_at(b"\x53\xef", 0x438).unwrap();
}

fn other_pool(pool: &TestPool) {
    let other = TestPool::new(1, "32MiB", "single");
    fs::copy(other.disk(0), pool.beside("new")).unwrap();
}

fn read_only_file(pool: &TestPool) {
    blank(pool);
    fs::set_permissions(pool.beside("new"), fs::Permissions::from_mode(0o400)).unwrap();
}

fn fifo(pool: &TestPool) {
    assert!(Command::new("mkfifo").arg(pool.beside("new")).status().unwrap().success());
}

fn folder(pool: &TestPool) {
    fs::create_dir(pool.beside("new")).unwrap();
}

fn no_list(pool: &TestPool) {
    fs::remove_file(pool.path().join("pool.toml")).unwrap();
}

fn fifo_list(pool: &TestPool) {
    no_list(pool);
    assert!(Command::new("mkfifo").arg(pool.path().join("pool.toml")).status().unwrap().success());
}

fn edited(pool: &TestPool, edit: impl FnOnce(String) -> String) {
    let path = pool.path().join("pool.toml");
    fs::write(&path, edit(fs::read_to_string(&path).unwrap())).unwrap();
}

fn same_names(pool: &TestPool) {
    edited(pool, |text| text.replace("disk-1\"", "disk-0\""));
}

fn forged_name(pool: &TestPool) {
    edited(pool, |text| text.replacen("\"disk-1\"", "\"x\\nHEALTHY\"", 1));
}

fn wrong_paths(pool: &TestPool) {
    edited(pool, |text| text.replace("disks/", "diskz/"));
}

fn no_identity(pool: &TestPool) {
    edited(pool, |text| {
        let lines = text.lines().filter(|line| !line.starts_with("id =") && !line.starts_with("member ="));
        lines.collect::<Vec<_>>().join("\n")
    });
}

fn unknown_field(pool: &TestPool) {
    edited(pool, |text| format!("colour = \"red\"\n{text}"));
}

/// One of them is left out, and its name given to a disk that is blank.
fn blank_member(pool: &TestPool) {
    File::create(pool.disk(1)).unwrap().set_len(32 << 20).unwrap();
}

const MOVES: &[Row] = &[
    row("no such command", nothing, &["heal"], 2, &["health"]),
    row("no such disk", nothing, &["disk", "drain", "disk-9"], 1, &["disk-0"]),
    row("a path without /", nothing, &["ls", "file"], 1, &["/file"]),
    row("add what is not there", nothing, &["disk", "add", "new"], 1, &["--size"]),
    row("add a folder", folder, &["disk", "add", "new"], 1, &["a folder"]),
    row("add a pipe", fifo, &["disk", "add", "new"], 1, &["a pipe"]),
    row("add a device that is no disk", nothing, &["disk", "add", "/dev/null"], 1, &["a character device"]),
    row("add a filesystem", ext4, &["disk", "add", "new"], 3, &["ext4", "--force"]),
    row("force a filesystem, and not say yes", ext4, &["disk", "add", "new", "--force"], 3, &["--yes"]),
    row("add another pool's disk", other_pool, &["disk", "add", "new"], 3, &["of pool", "dynamicfs labels"]),
    row(
        "add a disk of the pool",
        nothing,
        &["disk", "add", "pool/disks/disk-1.img"],
        1,
        &["already: disk-1"],
    ),
    row("add it twice", blank, &["disk", "add", "new", "new"], 3, &["same storage"]),
    row(
        "replace a disk by another of the pool",
        nothing,
        &["disk", "replace", "disk-1", "pool/disks/disk-2.img"],
        1,
        &["disk-2"],
    ),
    row("replace by a folder", folder, &["disk", "replace", "disk-1", "new"], 1, &["a folder"]),
    row("replace by a filesystem", ext4, &["disk", "replace", "disk-1", "new"], 3, &["ext4"]),
    row("replace by another pool's disk", other_pool, &["disk", "replace", "disk-1", "new"], 3, &["of pool"]),
    row(
        "attach another disk",
        nothing,
        &["disk", "online", "disk-1", "pool/disks/disk-2.img"],
        1,
        &["is disk-2, and not disk-1"],
    ),
    row("attach a filesystem", ext4, &["disk", "online", "disk-1", "new"], 1, &["no label"]),
    row("attach a pipe", fifo, &["disk", "online", "disk-1", "new"], 1, &["a pipe"]),
    row(
        "init where there is a pool",
        nothing,
        &["init", "--disks", "3", "--disk-size", "16MiB"],
        3,
        &["holds a pool"],
    ),
    row(
        "init on a disk of a pool",
        nothing,
        &["init", "--pool", "p2", "--disk", "pool/disks/disk-1.img"],
        3,
        &["--force"],
    ),
    row("init on a folder", folder, &["init", "--pool", "p2", "--disk", "new"], 1, &["a folder"]),
    row("init on a filesystem", ext4, &["init", "--pool", "p2", "--disk", "new"], 3, &["ext4"]),
    row(
        "init with a witness that is a filesystem",
        ext4,
        &["init", "--pool", "p2", "--disks", "2", "--disk-size", "16MiB", "--witness", "new"],
        3,
        &["ext4"],
    ),
    row("init without disks", nothing, &["init", "--pool", "p2"], 2, &["--disks"]),
    row(
        "init with too few disks",
        nothing,
        &["init", "--pool", "p2", "--disks", "2", "--disk-size", "16MiB", "--scheme", "4+2"],
        1,
        &["needs 6 disks"],
    ),
    row(
        "init on too small disks",
        nothing,
        &["init", "--pool", "p2", "--disks", "2", "--disk-size", "64KiB"],
        1,
        &["too small"],
    ),
    row("no list", no_list, &["ls"], 1, &["dynamicfs import"]),
    row(
        "init where the list is lost",
        no_list,
        &["init", "--disks", "3", "--disk-size", "16MiB"],
        3,
        &["dynamicfs import"],
    ),
    row("a pipe for a list", fifo_list, &["ls"], 1, &["pool.toml"]),
    row("two disks of one name", same_names, &["ls"], 1, &["disk-0", "dynamicfs import"]),
    row("a name that forges a line", forged_name, &["health"], 3, &["cannot be the name"]),
    row("an unknown field", unknown_field, &["ls"], 1, &["colour"]),
    row("wrong paths", wrong_paths, &["ls"], 1, &["dynamicfs import"]),
    row("a list without identities", no_identity, &["cat", "/file"], 0, &[]),
    row("a blank disk in a member's place", blank_member, &["health"], 2, &["disk-1"]),
    row("a disk taken away twice", nothing, &["disk", "remove", "disk-1", "--yes"], 3, &["disk drain"]),
    row("pull what is needed", nothing, &["disk", "offline", "disk-0", "--read-only"], 2, &["--read-only"]),
    row(
        "a file over a member",
        nothing,
        &["get", "/file", "pool/disks/disk-1.img"],
        3,
        &["belongs to the pool"],
    ),
    row("a file over the list", nothing, &["get", "/file", "pool/pool.toml"], 3, &["pool"]),
    row("import over another pool", other_pool, &["import", "--disk", "new"], 3, &["another pool"]),
    row("import nothing", nothing, &["import", "--scan", "pool/none"], 1, &["pool/none"]),
    row(
        "disks of two pools",
        other_pool,
        &["ls", "--disk", "new", "pool/disks/disk-1.img"],
        1,
        &["several pools"],
    ),
];

#[test]
fn wrong_moves_are_refused_in_words_and_cost_nothing() {
    let contents = noise(1_000_000, 5);
    for Row { name, prepare, command, code, says } in MOVES {
        let pool = TestPool::new(3, "32MiB", "2+1");
        pool.run_with_input(["put", "-", "/file"], &contents).ok();
        let list = fs::read(pool.path().join("pool.toml")).unwrap();
        prepare(&pool);
        let new = fs::metadata(pool.beside("new")).is_ok_and(|new| new.is_file());
        let before = new.then(|| fs::read(pool.beside("new")).unwrap());
        let output = pool.command(*command).current_dir(pool.folder.path()).output().unwrap();
        let answer = crate::common::answer(output);
        let said = format!("{}{}", answer.text_lossy(), answer.stderr);
        assert_eq!(answer.code, *code, "{name}: {said}");
        assert!(!said.contains("panicked"), "{name}: {said}");
        for word in *says {
            assert!(said.contains(word), "{name}: no {word:?} in {said}");
        }
        let after = new.then(|| fs::read(pool.beside("new")).unwrap());
        assert!(before == after, "{name}: the other disk was written to");
        assert!(!pool.beside("p2").exists(), "{name}");
        // With the list as it was all is there.
        let _ = fs::remove_file(pool.path().join("pool.toml"));
        fs::write(pool.path().join("pool.toml"), list).unwrap();
        assert!(pool.cat("/file") == contents, "{name}");
    }
}

/// As an ordinary user: permissions do not stop the superuser.
#[test]
fn without_permission_nothing_is_changed() {
    use std::os::unix::process::CommandExt;
    if !crate::common::is_superuser() {
        return;
    }
    let pool = TestPool::new(3, "32MiB", "2+1");
    read_only_file(&pool);
    let program = pool.program();
    fs::set_permissions(pool.folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    for (command, code) in [
        (&["ls"][..], 1),
        (&["health"], 3),
        (&["mkdir", "/d"], 1),
        (&["disk", "add", "new"], 1),
        (&["import"], 1),
    ] {
        let mut command_line = Command::new(&program);
        command_line.args(command).env("DYNAMICFS_POOL", pool.path()).current_dir(pool.folder.path());
        let answer = crate::common::answer(command_line.uid(65534).gid(65534).output().unwrap()).expect(code);
        let said = format!("{}{}", answer.text_lossy(), answer.stderr);
        assert!(said.contains("permission denied"), "{command:?}: {said}");
    }
    pool.run(["check"]).ok();
    assert!(!Path::new(&pool.path().join("activity.json")).exists());
}

/// A disk that had left the pool was written into pool.toml, and then refused.
#[test]
fn a_disk_that_left_is_refused_before_it_is_listed() {
    let pool = TestPool::new(4, "32MiB", "2+1");
    let [disk, away, list] = [pool.disk(1), pool.beside("away"), pool.path().join("pool.toml")];
    fs::rename(&disk, &away).unwrap();
    pool.run(["--yes", "disk", "fail", "disk-1"]).ok();
    pool.run(["rebuild", "start"]).ok();
    pool.run(["--yes", "disk", "remove", "disk-1"]).ok();
    fs::rename(&away, &disk).unwrap();
    let before = fs::read_to_string(&list).unwrap();
    let path = disk.to_str().unwrap();
    for name in ["disk-1", "member-1"] {
        let told = pool.run(["disk", "online", name, path]);
        assert_ne!(told.code, 0);
    }
    assert_eq!(fs::read_to_string(&list).unwrap(), before);
}

/// `--dry-run` promised what was refused then.
#[test]
fn a_dry_run_is_refused_as_the_command_would_be() {
    let check = |pool: &TestPool, command: &[&str]| {
        let dry = pool.run(command.iter().chain(&["--dry-run"]));
        let done = pool.run(command.iter().chain(&["--yes"]));
        assert_ne!(done.code, 0, "{command:?}");
        assert_eq!((dry.code, dry.stderr), (done.code, done.stderr), "{command:?}");
    };
    check(&TestPool::new(1, "32MiB", "mirror:1"), &["disk", "drain", "disk-0"]);
    check(&TestPool::new(2, "32MiB", "mirror:2"), &["disk", "drain", "disk-0"]);
    let pool = TestPool::new(5, "32MiB", "mirror:2");
    pool.run(["disk", "offline", "disk-0"]).ok();
    pool.run(["mkdir", "/d"]).ok();
    check(&pool, &["disk", "offline", "disk-1"]);
    check(&pool, &["disk", "fail", "disk-1"]);
    check(&pool, &["disk", "remove", "disk-1"]);
}

/// What is said of a file that has no bytes yet was about its sectors.
#[test]
fn an_empty_file_is_given_a_size_to_become_a_disk() {
    let pool = TestPool::new(3, "32MiB", "2+1");
    let empty = pool.file("empty", b"");
    let told = pool.run(["disk", "add", empty.to_str().unwrap()]).expect(1);
    assert!(told.stderr.contains("is empty") && told.stderr.contains("--size"), "{}", told.stderr);
    pool.run(["disk", "add", empty.to_str().unwrap(), "--size", "32MiB"]).ok();
}
