//! What `get` makes of attributes, links and what is there already: never more rights than before, never less
//! data.

use crate::common::{Answer, TestPool, answer, assert_valid, is_superuser, noise};
use serde_json::Value;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

const ACL: &str = "system.posix_acl_access";
const USER: u32 = 1000;

/// An access control list as the system has it: tags and rights.
fn acl(entries: &[(u16, u16, u32)]) -> Vec<u8> {
    let mut bytes = vec![2, 0, 0, 0];
    for &(tag, rights, id) in entries {
        bytes.extend_from_slice(&tag.to_le_bytes());
        bytes.extend_from_slice(&rights.to_le_bytes());
        bytes.extend_from_slice(&id.to_le_bytes());
    }
    bytes
}

/// User 1001 may read and write, the owning group nothing: the mode says 0660.
fn list_for_one_user() -> Vec<u8> {
    let none = u32::MAX;
    acl(&[(1, 6, none), (2, 6, 1001), (4, 0, none), (16, 6, none), (32, 0, none)])
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Runs the program as a user, and gives the pool to that user.
fn run_as_user(pool: &TestPool, arguments: &[&str]) -> Answer {
    let given = Command::new("chown").args(["-R", "1000:1000"]).arg(pool.path()).status().unwrap();
    assert!(given.success());
    chmod(pool.folder.path(), 0o777);
    let mut command = Command::new(pool.program());
    command.args(arguments).env("DYNAMICFS_POOL", pool.path()).uid(USER).gid(USER).current_dir("/");
    answer(command.output().unwrap())
}

#[test]
fn lists_attributes_and_links_times_come_back() {
    let pool = TestPool::new(2, "32MiB", "mirror:2");
    let top = pool.beside("top");
    fs::create_dir(&top).unwrap();
    fs::write(top.join("f"), b"some").unwrap();
    symlink("f", top.join("l")).unwrap();
    let touched =
        Command::new("touch").args(["-h", "-d", "1999-01-01T00:00:00.5Z"]).arg(top.join("l")).status();
    assert!(touched.unwrap().success());
    let default = acl(&[(1, 7, u32::MAX), (4, 5, u32::MAX), (32, 0, u32::MAX)]);
    let has_lists = xattr::set(top.join("f"), ACL, &list_for_one_user()).is_ok()
        && xattr::set(&top, "system.posix_acl_default", &default).is_ok();
    let long = noise(4096, 1);
    for number in 0..20 {
        xattr::set(&top, format!("user.{number}"), &long[..number * 10]).unwrap();
    }
    let back = pool.beside("back");
    let put = pool.run(["--json", "put", "-r", top.to_str().unwrap(), "/top"]).ok();
    assert_valid("put", &put);
    assert_eq!(put.json()["attributes"].as_array().unwrap().len(), 0, "{}", put.text());
    let get = pool.run(["--json", "get", "-r", "/top", back.to_str().unwrap()]).ok();
    assert_valid("get", &get);
    assert_eq!(get.json()["attributes"].as_array().unwrap().len(), 0, "{}", get.text());
    let time = |path: &Path| {
        let metadata = fs::symlink_metadata(path).unwrap();
        (metadata.mtime(), metadata.mtime_nsec())
    };
    assert_eq!(time(&back.join("l")), (915_148_800, 500_000_000));
    for number in 0..20 {
        let value = xattr::get(&back, format!("user.{number}")).unwrap().unwrap();
        assert_eq!(value, &long[..number * 10]);
    }
    if has_lists {
        assert_eq!(xattr::get(back.join("f"), ACL).unwrap().unwrap(), list_for_one_user());
        assert_eq!(xattr::get(&back, "system.posix_acl_default").unwrap().unwrap(), default);
        assert_eq!(mode(&back.join("f")), 0o660);
    } else {
        println!("no access control lists here: not tested");
    }
}

// A capability is a right of root's that goes with the file.
#[test]
fn capabilities_come_back() {
    let pool = TestPool::new(2, "32MiB", "mirror:2");
    let program = pool.file("program", b"x");
    let set = Command::new("setcap").arg("cap_net_raw+ep").arg(&program).status();
    if !set.is_ok_and(|set| set.success()) {
        return println!("capabilities cannot be set here: not tested");
    }
    pool.run(["put", program.to_str().unwrap(), "/p"]).ok();
    let back = pool.beside("back");
    pool.run(["get", "/p", back.to_str().unwrap()]).ok();
    let capability = |path: &Path| xattr::get(path, "security.capability").unwrap().unwrap();
    assert_eq!(capability(&back), capability(&program));
}

// With a list the group's bits of the mode are the list's mask. A user whose filesystem takes no list gave
// the group all that.
#[test]
fn without_its_list_a_file_gives_nobody_more() {
    if !is_superuser() {
        return println!("only a superuser mounts a filesystem without lists: not tested");
    }
    let pool = TestPool::new(2, "32MiB", "mirror:2");
    let file = pool.file("f", b"secret");
    if xattr::set(&file, ACL, &list_for_one_user()).is_err() {
        return println!("no access control lists here: not tested");
    }
    pool.run(["put", file.to_str().unwrap(), "/f"]).ok();
    let bare = pool.beside("bare");
    fs::create_dir(&bare).unwrap();
    let mounted = Command::new("mount").args(["-t", "ramfs", "none"]).arg(&bare).status();
    if !mounted.is_ok_and(|mounted| mounted.success()) {
        return println!("nothing can be mounted here: not tested");
    }
    let to = bare.join("f");
    let get = pool.run(["--json", "get", "/f", to.to_str().unwrap()]);
    let strict = pool.run(["--json", "get", "--strict", "/f", to.to_str().unwrap()]);
    let (mode, contents) = (mode(&to), fs::read(&to).unwrap());
    assert!(Command::new("umount").arg(&bare).status().unwrap().success());
    let get = get.ok().json();
    assert_eq!((mode, contents.as_slice()), (0o600, &b"secret"[..]));
    let lacking = &get["attributes"][0];
    assert_eq!((&lacking["attribute"], &lacking["count"]), (&ACL.into(), &1.into()), "{get}");
    assert_eq!(lacking["files"][0]["path"], to.to_str().unwrap());
    assert_eq!(strict.expect(1).json()["error"]["code"], "partial");
}

// Of root's files a user gets the contents: no rights that were root's, and no file less.
#[test]
fn a_user_gets_all_contents_and_no_rights_of_another() {
    if !is_superuser() {
        return println!("only a superuser has files of another: not tested");
    }
    let pool = TestPool::new(2, "32MiB", "mirror:2");
    let top = pool.beside("top");
    fs::create_dir_all(top.join("shut")).unwrap();
    for (name, mode) in [("unreadable", 0o200), ("setuid", 0o6755), ("group", 0o640), ("shut/in", 0o000)] {
        fs::write(top.join(name), name).unwrap();
        chmod(&top.join(name), mode);
    }
    chmod(&top.join("shut"), 0o000);
    pool.run(["put", "-r", top.to_str().unwrap(), "/top"]).ok();
    chmod(&top.join("shut"), 0o700);
    let back = pool.beside("back");
    chmod(pool.folder.path(), 0o777);
    let get = run_as_user(&pool, &["--json", "get", "-r", "/top", back.to_str().unwrap()]).ok().json();
    assert_eq!(get["files"], 4, "{get}");
    let lacking = get["attributes"].as_array().unwrap();
    let owner = lacking.iter().find(|lacking| lacking["attribute"] == "owner").unwrap();
    assert_eq!(owner["count"], 6, "{get}");
    assert_eq!(mode(&back.join("unreadable")), 0o200);
    assert_eq!(mode(&back.join("setuid")), 0o755);
    assert_eq!(mode(&back.join("group")), 0o600, "the user's group is not the file's");
    assert_eq!(mode(&back.join("shut")), 0o000);
    assert_eq!(fs::read(back.join("shut/in")).unwrap(), b"shut/in");
    assert_eq!(fs::metadata(back.join("setuid")).unwrap().uid(), USER);
    let strict = run_as_user(
        &pool,
        &["--json", "get", "--strict", "/top/setuid", back.join("again").to_str().unwrap()],
    );
    assert_eq!(strict.expect(1).json()["error"]["code"], "partial");
    assert_eq!(fs::read(back.join("again")).unwrap(), b"setuid");
}

// A folder that others may see into had files in it for a moment that they may not see.
#[test]
fn a_folder_is_its_owners_alone_until_all_is_in_it() {
    let pool = TestPool::new(2, "32MiB", "mirror:2");
    let top = pool.beside("top");
    fs::create_dir(&top).unwrap();
    fs::write(top.join("private"), b"secret").unwrap();
    chmod(&top, 0o500);
    pool.run(["put", "-r", top.to_str().unwrap(), "/top"]).ok();
    // What stands in the way of the file fails; the folder that was there gets what the pool's has, and no
    // more between.
    let back = pool.beside("back");
    fs::create_dir_all(back.join("private")).unwrap();
    chmod(&back, 0o777);
    let into = pool.beside("into");
    fs::create_dir(&into).unwrap();
    fs::rename(&back, into.join("top")).unwrap();
    pool.run(["get", "-r", "/top", into.to_str().unwrap()]).expect(1);
    assert_eq!(mode(&into.join("top")), 0o500);
}

// A link in an earlier copy could lead a restore anywhere.
#[test]
fn nothing_is_written_through_a_link() {
    let pool = TestPool::new(2, "32MiB", "mirror:2");
    let top = pool.beside("top");
    fs::create_dir_all(top.join("d")).unwrap();
    fs::write(top.join("d/f"), b"new").unwrap();
    fs::write(top.join("g"), b"new").unwrap();
    symlink("elsewhere", top.join("l")).unwrap();
    pool.run(["put", "-r", top.to_str().unwrap(), "/top"]).ok();
    let (back, other) = (pool.beside("back"), pool.beside("other"));
    fs::create_dir_all(&back).unwrap();
    fs::create_dir_all(&other).unwrap();
    fs::write(other.join("f"), b"old").unwrap();
    fs::create_dir(back.join("top")).unwrap();
    symlink(&other, back.join("top/d")).unwrap();
    symlink(other.join("f"), back.join("top/g")).unwrap();
    symlink("nowhere", back.join("top/l")).unwrap();
    let get = pool.run(["--json", "get", "-r", "/top", back.to_str().unwrap()]).expect(1).json();
    let failed = get["failed"].as_array().unwrap();
    assert_eq!(failed.len(), 2, "{get}");
    for failed in failed {
        assert!(failed["error"]["message"].as_str().unwrap().contains("a symbolic link"), "{get}");
    }
    assert_eq!(fs::read(other.join("f")).unwrap(), b"old");
    // A link takes the place of a link.
    assert_eq!(fs::read_link(back.join("top/l")).unwrap(), Path::new("elsewhere"));
}

#[test]
fn holes_stay_holes_at_both_ends() {
    let pool = TestPool::new(2, "32MiB", "mirror:2");
    let sparse = pool.beside("sparse");
    let file = File::create(&sparse).unwrap();
    file.set_len(200 << 20).unwrap();
    for at in [0, 10_000_000, 150_000_123] {
        file.write_all_at(b"X", at).unwrap();
    }
    let used = |pool: &TestPool| {
        let disks = pool.json(["status"])["disk"].clone();
        let disks = if disks.is_array() { disks } else { pool.json(["disk", "list"])["disks"].clone() };
        disks.as_array().unwrap().iter().filter_map(|disk| disk["used_bytes"].as_u64()).sum::<u64>()
    };
    let before = used(&pool);
    pool.run(["put", sparse.to_str().unwrap(), "/sparse"]).ok();
    let grown = used(&pool) - before;
    assert!(grown < 400 << 10, "{grown} bytes for three");
    pool.run(["cp", "/sparse", "/copy"]).ok();
    for name in ["/sparse", "/copy"] {
        let back = pool.beside("back");
        pool.run(["get", name, back.to_str().unwrap()]).ok();
        let metadata = fs::metadata(&back).unwrap();
        assert!(metadata.blocks() * 512 < 200 << 10, "{name}: {} blocks", metadata.blocks());
        let same = Command::new("cmp").arg(&back).arg(&sparse).status().unwrap();
        assert!(same.success(), "{name}");
    }
    let du = pool.json(["du", "/sparse"]);
    assert_eq!(du["entries"][0]["bytes"], 200 << 20);
    assert!(du["entries"][0]["written_bytes"].as_u64().unwrap() < 20_000, "{du}");
    // The rest of what `put` reads is a hole too.
    File::create(pool.beside("empty")).unwrap().set_len(1 << 40).unwrap();
    pool.run(["put", pool.beside("empty").to_str().unwrap(), "/empty"]).ok();
    assert_eq!(pool.json(["stat", "/empty"])["size"], 1u64 << 40);
    pool.run(["check"]).ok();
}

// What `mkdir -p` makes everything else can walk, here too: a path of this machine ends at 4096 bytes.
#[test]
fn the_deepest_tree_is_walked_copied_fetched_put_and_removed() {
    let pool = TestPool::new(2, "128MiB", "mirror:2");
    let levels = 5000;
    let path = "/a".repeat(levels);
    pool.run(["mkdir", "-p", &path]).ok();
    pool.run_with_input(["put", "-", &format!("{path}/leaf")], b"deep").ok();
    let found = pool.json(["find", "/", "--name", "leaf"]);
    assert_eq!(found["entries"][0]["path"], format!("{path}/leaf"));
    assert_eq!(pool.json(["tree", "/"])["directories"], levels);
    assert_eq!(pool.json(["du", "-s", "/a"])["entries"][0]["directories"], levels - 1);
    pool.run(["cp", "-r", "/a", "/copy"]).ok();
    // On this machine no deeper than it takes: `rm` of a folder needs long for its levels.
    let below = 2100;
    let (from, out) = ("/a".repeat(levels - below + 1), pool.beside("out"));
    let counts = |done: &Value| (done["directories"].as_u64(), done["files"].as_u64());
    let get = pool.json(["get", "-r", &from, out.to_str().unwrap()]);
    assert_eq!(counts(&get), (Some(below as u64), Some(1)), "{}", get["error"]);
    let put = pool.json(["put", "-r", out.to_str().unwrap(), "/again"]);
    assert_eq!(counts(&put), (Some(below as u64), Some(1)), "{}", put["error"]);
    let salvaged = pool.beside("salvaged");
    let report = pool.json(["salvage", salvaged.to_str().unwrap(), "/again"]);
    assert_eq!(counts(&report), (Some(below as u64), Some(1)), "{}", report["error"]);
    let removed = pool.json(["rm", "-r", "/a", "/copy", "/again"]);
    assert_eq!(removed["directories"], 2 * levels + below, "{}", removed["error"]);
    // Dropping the folder would take a stack as deep as it is.
    assert!(Command::new("rm").arg("-rf").args([&out, &salvaged]).status().unwrap().success());
    pool.run(["check"]).ok();
}

/// The record of what happened to the pool was replaced by a file of that name.
#[test]
fn what_the_pool_keeps_in_its_folder_is_not_replaced() {
    let pool = TestPool::new(2, "32MiB", "mirror:2");
    for name in ["events.jsonl", "pool.toml"] {
        pool.run_with_input(["put", "-", &format!("/{name}")], b"mine").ok();
    }
    let before = std::fs::read_to_string(pool.path().join("events.jsonl")).unwrap();
    for overwrite in [&[][..], &["--overwrite"]] {
        let path = pool.path();
        pool.run(["get", "-r", "/", path.to_str().unwrap()].iter().chain(overwrite)).expect(1);
        assert!(std::fs::read_to_string(path.join("events.jsonl")).unwrap().starts_with(&before));
    }
    pool.run(["check"]).ok();
}
