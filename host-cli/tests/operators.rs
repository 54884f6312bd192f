//! Wrong moves of an operator: each is answered in words that help, and does no harm.

use crate::common::loops;
use crate::common::loops::Loop;
use crate::common::{Answer, TestPool, answer, assert_valid, is_superuser, noise};
use dynamicfs_core::inspect::Superblock;
use serde_json::Value;
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::process::Command;

fn pool_with_file(disks: usize, scheme: &str) -> (TestPool, Vec<u8>) {
    let contents = noise(3_000_000, 9);
    (TestPool::with_file(disks, "32MiB", scheme, &contents), contents)
}

/// The program, run in the folder that the pool's folder is in, on the pool by its name there.
fn run_relative(pool: &TestPool, arguments: &[&str]) -> Answer {
    let folder = pool.folder.path();
    answer(pool.command(arguments).current_dir(folder).env("DYNAMICFS_POOL", "pool").output().unwrap())
}

// The place that pool.toml lists was compared with what was typed, letter by letter: with `--pool pool` they
// never agreed.
#[test]
fn a_replacement_that_was_cut_short_is_gone_on_with_by_a_relative_path() {
    let (pool, contents) = pool_with_file(3, "mirror:2");
    let new = pool.beside("new");
    File::create(&new).unwrap().set_len(32 << 20).unwrap();
    // As if the process had ended before the new disk was a member: the place is listed, and marked.
    let file = pool.path().join("pool.toml");
    let list = fs::read_to_string(&file).unwrap();
    let place = "[[disk]]\nname = \"new\"\npath = \"../new\"\nadding = true\nreplaces = 1\n";
    fs::write(&file, format!("{list}\n{place}")).unwrap();
    run_relative(&pool, &["disk", "replace", "disk-1", "new"]).ok();
    // As if it had ended before the old one was emptied, or after all was done.
    let again = run_relative(&pool, &["disk", "add", "./new"]).expect(1);
    assert!(again.stderr.contains("is a disk of this pool already"), "{}", again.stderr);
    assert_eq!(pool.json(["disk", "list"])["disks"].as_array().unwrap().len(), 3);
    assert!(pool.cat("/file") == contents);
    pool.run(["health"]).ok();

    run_relative(&pool, &["disk", "drain", "disk-2", "--no-wait"]).ok();
    run_relative(&pool, &["disk", "drain", "disk-2", "--cancel"]).ok();
    let newer = pool.beside("newer");
    File::create(&newer).unwrap().set_len(32 << 20).unwrap();
    run_relative(&pool, &["disk", "add", "newer"]).ok();
    let list = fs::read_to_string(&file).unwrap();
    let added = list.replacen("name = \"newer\"", "name = \"newer\"\nreplaces = 2", 1);
    fs::write(&file, added).unwrap();
    // It is a member, and is not added a second time.
    let replaced = run_relative(&pool, &["disk", "replace", "disk-2", "newer"]).ok();
    assert!(replaced.text().contains("newer has taken the place of disk-2"), "{}", replaced.text());
    pool.run(["health"]).ok();
}

// Reading repaired what it found, and then did all that any job had left, at full speed.
#[test]
fn get_repairs_what_it_found_and_leaves_jobs_alone() {
    let (pool, contents) = pool_with_file(4, "2+1");
    fs::rename(pool.disk(1), pool.beside("away")).unwrap();
    pool.run_with_input(["put", "-", "/more"], &noise(4_000_000, 2)).ok();
    fs::rename(pool.beside("away"), pool.disk(1)).unwrap();
    // The rebuild of what the disk missed is due, and the first fragment of the file is bad.
    let located = pool.json(["locate", "/file"]);
    let disk = located["files"][0]["extents"][0]["fragments"][0]["disk"].as_str().unwrap();
    let path = pool.path().join(format!("disks/{disk}.img"));
    let image = fs::read(&path).unwrap();
    let at = (0..image.len()).step_by(512).find(|&at| image[at..].starts_with(&contents[..64])).unwrap();
    let file = File::options().read(true).write(true).open(&path).unwrap();
    file.write_all_at(&[0x55; 512], at as u64).unwrap();
    let out = pool.beside("out");
    pool.run(["get", "/file", out.to_str().unwrap()]).ok();
    assert!(fs::read(&out).unwrap() == contents);
    let metrics = pool.json(["metrics"]).to_string();
    assert!(metrics.contains("read_repairs") && !metrics.contains("\"read_repairs\":0"), "{metrics}");
    let status = pool.json(["status"]);
    assert_eq!(status["members"][1]["state"], "behind", "a job was done: {status}");
    assert_eq!(status["rebuild"]["state"], "none", "a job was begun: {status}");
}

// Each command writes to all disks or to none: one that cannot be written to is not as it should be.
#[test]
fn a_disk_that_takes_no_writes_is_not_called_healthy() {
    let (pool, contents) = pool_with_file(3, "mirror:2");
    // Where this user alone may not write that is no alarm yet. Gives what is told to be typed.
    let check = |name: &str, code: i32, run: &dyn Fn(&[&str]) -> Answer| {
        let health = run(&["--json", "health"]).expect(code);
        assert_valid("health", &health);
        let health = health.json();
        let reason = health["reasons"].as_array().unwrap().iter().find(|r| r["code"] == "DISK_READ_ONLY");
        let reason = reason.unwrap_or_else(|| panic!("{health}"));
        assert_eq!(reason["object"], name, "{health}");
        let status = run(&["--json", "status"]).ok();
        assert_valid("status", &status);
        let status = status.json();
        let member = status["members"].as_array().unwrap().iter().find(|m| m["name"] == name).unwrap();
        assert_eq!(member["state"], "read_only", "{status}");
        assert_eq!(status["disks"]["healthy"], 2, "{status}");
        assert!(run(&["cat", "/file"]).ok().stdout == contents);
        assert!(run(&["mkdir", "/d"]).expect(1).stderr.contains(name));
        reason["next"].as_str().unwrap().to_owned()
    };
    let type_next = |next: &str| {
        let typed = Command::new("bash").args(["-c", next]).output().unwrap();
        assert!(typed.status.success(), "{next}: {}", String::from_utf8_lossy(&typed.stderr));
    };
    if !is_superuser() {
        fs::set_permissions(pool.disk(1), fs::Permissions::from_mode(0o444)).unwrap();
        type_next(&check("disk-1", 1, &|arguments| pool.run(arguments)));
        return;
    }
    // Permissions stop all users but the superuser.
    let program = pool.program();
    let free = Command::new("chmod").args(["-R", "a+rwX"]).arg(pool.folder.path()).status().unwrap();
    assert!(free.success());
    fs::set_permissions(pool.disk(1), fs::Permissions::from_mode(0o444)).unwrap();
    let as_nobody = |arguments: &[&str]| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&program).args(arguments);
        answer(command.env("DYNAMICFS_POOL", pool.path()).output().unwrap())
    };
    type_next(&check("disk-1", 1, &as_nobody));
    // One that may write to none of them is there to read, as a monitor is.
    let may_write = |mode| {
        (0..3)
            .for_each(|disk| fs::set_permissions(pool.disk(disk), fs::Permissions::from_mode(mode)).unwrap());
    };
    may_write(0o444);
    let health = as_nobody(&["--json", "health"]).ok().json();
    assert_eq!((&health["status"], &health["reasons"]), (&"healthy".into(), &Value::Array(Vec::new())));
    may_write(0o666);
    fs::set_permissions(pool.disk(1), fs::Permissions::from_mode(0o666)).unwrap();
    pool.run(["health"]).ok();
    // A file that is bound to itself and read-only, as by a read-only mount.
    let image = pool.disk(2);
    let bound = Command::new("mount").arg("--bind").args([&image, &image]).status().unwrap();
    if bound.success() {
        let remounted = Command::new("mount").args(["-o", "remount,ro,bind"]).arg(&image).status().unwrap();
        assert!(remounted.success());
        type_next(&check("disk-2", 2, &|arguments| pool.run(arguments)));
        pool.run(["health"]).ok();
        assert!(Command::new("umount").arg(&image).status().unwrap().success());
    }
    // Not every filesystem has the attribute.
    if Command::new("chattr").arg("+i").arg(&image).output().is_ok_and(|done| done.status.success()) {
        type_next(&check("disk-2", 2, &|arguments| pool.run(arguments)));
        pool.run(["health"]).ok();
    }
    if let Ok(_alone) = loops::alone() {
        let device = Loop::attach(&pool.disk(0), &[]);
        let list = pool.path().join("pool.toml");
        let text = fs::read_to_string(&list).unwrap();
        fs::write(&list, text.replace("disks/disk-0.img", device.text())).unwrap();
        pool.run(["health"]).ok();
        assert!(Command::new("blockdev").arg("--setro").arg(device.path()).status().unwrap().success());
        type_next(&check("disk-0", 2, &|arguments| pool.run(arguments)));
        pool.run(["health"]).ok();
        let path = device.detach();
        let attached = Command::new("losetup").arg("-r").arg(&path).arg(pool.disk(0)).status().unwrap();
        assert!(attached.success());
        type_next(&check("disk-0", 2, &|arguments| pool.run(arguments)));
        pool.run(["health"]).ok();
        // One that stays so is taken out of use; no command that writes could do without it.
        assert!(Command::new("blockdev").arg("--setro").arg(&path).status().unwrap().success());
        let refused = pool.run(["mkdir", "/d"]).expect(1);
        assert!(refused.stderr.contains("`dynamicfs disk fail disk-0`"), "{}", refused.stderr);
        let told = pool.run(["ok-to-remove", "disk-0"]).ok().text();
        assert!(told.contains("next: dynamicfs disk fail disk-0"), "{told}");
        pool.run(["--yes", "disk", "fail", "disk-0"]).ok();
        pool.run(["rebuild", "start"]).ok();
        pool.run(["mkdir", "/d"]).ok();
        assert!(pool.cat("/file") == contents);
        pool.run(["--yes", "disk", "remove", "disk-0"]).ok();
        pool.run(["health"]).ok();
        assert!(Command::new("blockdev").arg("--setrw").arg(&path).status().unwrap().success());
        assert!(Command::new("losetup").arg("--detach").arg(&path).status().unwrap().success());
    }
}

// A majority is there, and not enough to read the pool's own records: `health` said what was unreadable, and
// named no disk.
#[test]
fn disks_that_are_missing_are_named_also_where_the_records_are_lost() {
    let (pool, _) = pool_with_file(7, "mirror:2");
    for away in [0, 1, 2] {
        fs::rename(pool.disk(away), pool.beside(&format!("away-{away}"))).unwrap();
    }
    let health = pool.run(["health"]).expect(2).text();
    for away in ["disk-0", "disk-1", "disk-2"] {
        assert!(health.contains(away), "{away}: {health}");
    }
}

#[test]
fn a_salvage_that_is_tried_out_writes_nothing() {
    let (pool, _) = pool_with_file(3, "mirror:2");
    let disk = |disk| pool.disk(disk);
    for away in [0, 1] {
        fs::rename(disk(away), pool.beside(&format!("away-{away}"))).unwrap();
    }
    let dest = pool.beside("dest");
    let tried = pool.run(["--json", "--dry-run", "salvage", dest.to_str().unwrap()]);
    assert_valid("salvage", &tried);
    assert!(!dest.exists(), "it was made");
    let made = pool.run(["--json", "salvage", dest.to_str().unwrap()]);
    let [tried_json, made_json] = [tried.json(), made.json()];
    assert_eq!(tried.code, made.code);
    assert_eq!(tried_json["dry_run"], true);
    for field in ["files", "directories", "bytes", "lost_bytes", "lost", "generation"] {
        assert_eq!(tried_json[field], made_json[field], "{field}");
    }
    let before = names(&dest);
    pool.run(["--dry-run", "salvage", dest.to_str().unwrap(), "/file"]);
    assert_eq!(names(&dest), before);
}

fn names(folder: &std::path::Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = entries.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_copy_of_a_pool_is_called_a_copy() {
    let (pool, _) = pool_with_file(2, "mirror:2");
    let copy = TestPool::none();
    let copied = Command::new("cp").arg("-a").args([pool.path(), copy.path()]).status().unwrap();
    assert!(copied.success());
    let mut writer = pool.spawn(["put", "-", "/slow"]);
    let stdin = writer.stdin.take().unwrap();
    pool.wait_until_held(&writer);
    let refused = copy.run(["mkdir", "/d"]).expect(5);
    assert!(refused.stderr.contains("a copy of a pool"), "{}", refused.stderr);
    drop(stdin);
    assert!(writer.wait().unwrap().success());
    // A disk of the copy beside its original.
    let list = pool.path().join("pool.toml");
    let text = fs::read_to_string(&list).unwrap();
    let other = copy.disk(0);
    fs::write(&list, text.replace("disks/disk-1.img", other.to_str().unwrap())).unwrap();
    let refused = pool.run(["--json", "ls"]).expect(3).json();
    assert_eq!(refused["error"]["code"], "cloned", "{refused}");
    assert!(
        refused["error"]["message"].as_str().unwrap().contains("one is a copy of the other"),
        "{refused}"
    );
}

// A pool for firmware has sectors of 512 bytes, and one of its cards is behind a bridge with larger ones.
#[test]
fn larger_sectors_than_the_pool_allows_are_named() {
    let _alone = match loops::alone() {
        Ok(alone) => alone,
        Err(why) => return println!("no loop devices, {why}: not tested here"),
    };
    let pool = TestPool::none();
    let init = ["init", "--portable", "--disks", "2", "--disk-size", "8MiB", "--scheme", "mirror:2"];
    pool.run(init).ok();
    pool.run_with_input(["put", "-", "/file"], b"kept").ok();
    let devices: Vec<Loop> =
        (0..2).map(|disk| Loop::attach(&pool.disk(disk), &["--sector-size", "4096"])).collect();
    let list = pool.path().join("pool.toml");
    let mut text = fs::read_to_string(&list).unwrap();
    for (disk, device) in devices.iter().enumerate() {
        text = text.replace(&format!("disks/disk-{disk}.img"), device.text());
    }
    for text in [text.clone(), text.replace("sector = 512\n", "")] {
        fs::write(&list, text).unwrap();
        let refused = pool.run(["--json", "ls"]).json();
        let message = refused["error"]["message"].as_str().unwrap_or_else(|| panic!("{refused}"));
        assert!(message.contains("sectors") && message.contains("4096"), "{message}");
        assert!(message.contains(devices[0].text()), "{message}");
    }
}

// The power went while the pool was made: the disks are no pool's, and are given again without being asked
// for force.
#[test]
fn an_unfinished_format_is_made_again_without_force() {
    let folder = TestPool::none();
    let paths: Vec<String> =
        (0..3).map(|disk| folder.beside(&format!("card-{disk}")).to_str().unwrap().to_owned()).collect();
    let blank = |path: &String| File::create(path).unwrap().set_len(8 << 20).unwrap();
    paths.iter().for_each(blank);
    let init = |pool: &TestPool| {
        let disks =
            ["init", "--scheme", "mirror:2", "--disk"].into_iter().chain(paths.iter().map(String::as_str));
        pool.run(disks)
    };
    init(&folder).ok();
    // What is whole belongs to a pool.
    let other = TestPool::none();
    init(&other).expect(3);
    // Two of three were given their labels; the first state is on all, the second on none. So the first state
    // is all there is.
    for (number, path) in paths.iter().enumerate() {
        let file = File::options().read(true).write(true).open(path).unwrap();
        let labels = folder.json(["labels", "--disk", path]);
        assert_eq!(labels["disks"][0]["first"], "ok");
        if number == 2 {
            file.set_len(0).unwrap();
            file.set_len(8 << 20).unwrap();
        } else {
            keep_first_state(&file);
        }
    }
    fs::remove_dir_all(folder.path()).unwrap();
    let again = TestPool::none();
    init(&again).ok();
    again.run_with_input(["put", "-", "/file"], b"kept").ok();
    assert_eq!(again.cat("/file"), b"kept");
    again.run(["health"]).ok();
}

/// Takes every superblock but the first off a disk: their magic follows a checksum, and they lie at multiples
/// of 512 bytes.
fn keep_first_state(file: &File) {
    let bytes = file.metadata().unwrap().len();
    let mut image = vec![0; bytes as usize];
    file.read_exact_at(&mut image, 0).unwrap();
    let mut newest = 0;
    let slots: Vec<usize> =
        (0..image.len()).step_by(512).filter(|&at| image[at + 4..].starts_with(b"DFsb")).collect();
    for &at in &slots {
        newest = newest.max(Superblock::new(&image[at..]).unwrap().generation().0);
    }
    assert!(newest > 1);
    for at in slots {
        let slot = Superblock::new(&image[at..]).unwrap();
        if slot.generation().0 > 1 || slot.claim().0 > 1 {
            file.write_all_at(&[0; 512], at as u64).unwrap();
        }
    }
}

// A limit on the size of files stops writes in the middle of an image: short, and then not at all.
#[test]
fn a_limit_on_the_size_of_files_fails_the_command_and_nothing_else() {
    let (pool, contents) = pool_with_file(3, "mirror:2");
    let large = pool.file("large", &noise(20_000_000, 8));
    // In units of 512 bytes, below where the data goes and in the middle of it; not at a block's beginning.
    for limit in [5_001, 9_003, 16_385, 30_001] {
        let script = format!("ulimit -f {limit} && exec \"$0\" \"$@\"");
        let mut command = Command::new("sh");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_dynamicfs"), "--json", "put"]);
        command.arg(&large).arg("/large").env("DYNAMICFS_POOL", pool.path());
        let refused = answer(command.output().unwrap()).expect(1).json();
        assert_eq!(refused["error"]["code"], "no_space_below", "{limit}: {refused}");
        assert!(pool.cat("/file") == contents, "{limit}");
        let health: Value = pool.json(["health"]);
        assert_eq!(health["unreadable_extents"], 0, "{limit}: {health}");
        pool.run(["check"]).ok();
    }
    pool.run(["put", large.to_str().unwrap(), "/large"]).ok();
    assert!(pool.cat("/large") == fs::read(&large).unwrap());
    pool.run(["health"]).ok();
}

// A file that was fetched got the name of a disk of the same pool, or of a device, and that was gone.
#[test]
fn what_is_taken_out_replaces_no_disk_no_list_of_disks_and_no_device() {
    let (pool, contents) = pool_with_file(3, "mirror:2");
    let (disk, list) = (pool.disk(1), pool.path().join("pool.toml"));
    let file = pool.file("own", &contents[..1000]);
    for name in ["/disk-1.img", "/pool.toml"] {
        pool.run(["put", file.to_str().unwrap(), name]).ok();
    }
    let disks = disk.parent().unwrap().to_str().unwrap();
    let (disk, folder) = (disk.to_str().unwrap(), pool.path());
    let folder = folder.to_str().unwrap();
    let commands: [&[&str]; 7] = [
        &["get", "/file", disk],
        &["get", "/file", disk, "--overwrite"],
        &["get", "-r", "/", disks],
        &["get", "-r", "/", folder],
        &["get", "-r", "/", folder, "--overwrite"],
        &["salvage", disks],
        &["salvage", folder],
    ];
    let before = fs::read_to_string(&list).unwrap();
    for command in commands {
        let refused = pool.run(command);
        assert_ne!(refused.code, 0, "{command:?}");
        let said = format!("{}{}", refused.text(), refused.stderr);
        assert!(
            said.contains("and is not replaced") || said.contains("replaces nothing"),
            "{command:?}: {said}"
        );
        assert_eq!(fs::metadata(disk).unwrap().len(), 32 << 20, "{command:?}");
        assert_eq!(fs::read_to_string(&list).unwrap(), before, "{command:?}");
    }
    assert!(pool.cat("/file") == contents);
    pool.run(["health"]).ok();

    let pipe = pool.beside("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let refused = pool.run(["get", "/file", pipe.to_str().unwrap()]);
    assert!(refused.code != 0 && refused.stderr.contains("is a pipe"), "{}", refused.stderr);
    if is_superuser() {
        let image = pool.file("image", &[0; 1 << 20]);
        let device = Loop::attach(&image, &[]);
        let refused = pool.run(["get", "/file", device.text()]);
        assert!(refused.code != 0 && refused.stderr.contains("is a device"), "{}", refused.stderr);
        assert!(fs::read(&image).unwrap() == [0; 1 << 20]);
    }
    // Nothing is written through a link, and no file takes its place unasked.
    let link = pool.beside("link");
    std::os::unix::fs::symlink(disk, &link).unwrap();
    let refused = pool.run(["get", "/file", link.to_str().unwrap()]).expect(3);
    assert!(refused.stderr.contains("is a symbolic link") && refused.stderr.contains("--overwrite"));
    pool.run(["get", "--overwrite", "/file", link.to_str().unwrap()]).ok();
    assert!(fs::read(&link).unwrap() == contents && link.symlink_metadata().unwrap().is_file());
    assert_eq!(fs::metadata(disk).unwrap().len(), 32 << 20);
}

// An earlier copy of images is brought up to date, where that is asked for.
#[test]
fn what_belongs_to_another_pool_is_replaced_only_when_that_is_asked_for() {
    let pool = TestPool::new(2, "128MiB", "mirror:2");
    let other = TestPool::new(1, "32MiB", "single");
    let top = pool.beside("top");
    fs::create_dir(&top).unwrap();
    fs::copy(other.disk(0), top.join("disk-0.img")).unwrap();
    fs::copy(other.path().join("pool.toml"), top.join("pool.toml")).unwrap();
    pool.run(["put", "-r", top.to_str().unwrap(), "/kept"]).ok();
    let get = ["--json", "get", "-r", "/kept", pool.folder.path().to_str().unwrap()];
    pool.run(get).ok();
    let refused = pool.run(get).expect(1).json();
    assert_eq!(refused["failed"].as_array().unwrap().len(), 2, "{refused}");
    for failed in refused["failed"].as_array().unwrap() {
        assert_eq!(failed["error"]["code"], "in_use");
        assert!(failed["error"]["hint"].as_str().unwrap().contains("--overwrite"), "{refused}");
    }
    pool.run(get.iter().chain(&["--overwrite"])).ok();
    assert!(fs::read(pool.beside("kept/disk-0.img")).unwrap() == fs::read(other.disk(0)).unwrap());
}
