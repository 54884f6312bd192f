//! What `--dry-run` promises, the command does: one is refused where the other is.
//!
//! `disk remove --force-data-loss --dry-run` said that a disk would leave without which the pool takes no
//! writes, and the command was refused. So had others been, each by itself.

use crate::common::loops;
use crate::common::loops::Loop;
use crate::common::{Answer, TestPool};
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

/// How a pool came to be: disks, scheme, what is typed, disks that are taken away.
type State = (usize, &'static str, &'static [&'static [&'static str]], &'static [usize]);

/// Bytes of the file in each pool; of another one in pools that are full.
const FILE_BYTES: usize = 900_000;
const FILLING_BYTES: usize = 4_000_000;

/// Fills the pool, in the place of a command.
const FILL: &str = "fill";

const STATES: &[State] = &[
    (2, "mirror:2", &[&[FILL]], &[]),
    (3, "2+1", &[&[FILL], &["disk", "offline", "disk-1"]], &[]),
    (3, "2+1", &[&[FILL]], &[1]),
    (1, "single", &[], &[]),
    (2, "mirror:2", &[], &[]),
    (3, "2+1", &[], &[]),
    (3, "2+1", &[&["disk", "offline", "disk-1"]], &[]),
    (3, "2+1", &[], &[1]),
    (4, "mirror:2", &[&["disk", "fail", "disk-1"]], &[]),
    (4, "mirror:2", &[&["disk", "drain", "disk-1"]], &[]),
    (4, "mirror:2", &[&["disk", "drain", "--no-wait", "disk-1"]], &[]),
    (5, "mirror:2", &[], &[1, 2]),
    (3, "mirror:3", &[&["disk", "offline", "disk-1"], &["disk", "offline", "disk-2"]], &[]),
    (4, "mirror:2", &[&["policy", "set", "--scheme", "single", "/"]], &[]),
    (3, "2+1", &[&["policy", "set", "--scheme", "single", "/"]], &[2]),
];

/// Commands that change the pool; NEW is a blank file that is large enough, SMALL one that is not.
const COMMANDS: &[&str] = &[
    "disk offline disk-0",
    "disk offline disk-1",
    "disk fail disk-0",
    "disk fail disk-1",
    "disk online disk-1",
    "disk online disk-0",
    "disk drain --no-wait disk-0",
    "disk drain --no-wait disk-1",
    "disk drain --cancel disk-1",
    "disk remove disk-0",
    "disk remove disk-1",
    "disk remove --force-data-loss disk-0",
    "disk remove --force-data-loss disk-1",
    "disk replace disk-0 NEW",
    "disk replace disk-1 NEW",
    "disk replace disk-1 SMALL",
    "disk replace disk-1 MEDIUM",
    "disk add NEW",
    "disk add --spare NEW",
    "disk add --witness NEW",
    "disk add SMALL",
    "disk grow disk-0",
    "disk clear disk-1",
    "disk rename disk-1 other",
    "disk rename disk-1 disk-0",
    "policy set --scheme 2+1 /",
    "policy set --scheme mirror:2 /file",
    "policy set --scheme single /gone",
    "pool rename other",
    "scrub start",
    "rebuild start",
    "rebalance start",
    "rebuild cancel",
    "rebuild resume",
    "scrub pause",
    "verify --repair /file",
    "sync NEW /new",
    "trim",
    "trim disk-1",
    "mkdir /d",
    "mkdir /file/d",
    "rm /file",
    "rm /gone",
    "mv /file /other",
    "mv /gone /other",
    "cp /file /other",
    "put NEW /new",
    "put NEW /file/new",
    "repair",
];

/// Whether a command did what it could; what it found short, or lost, it found by doing it.
fn is_done(answer: &Answer) -> bool {
    answer.code == 0 || matches!(answer.json()["error"]["code"].as_str(), Some("partial" | "damaged"))
}

#[test]
fn a_dry_run_is_refused_where_the_command_is_in_whole_pools() {
    let is_whole = |(_, _, typed, away): &&State| typed.is_empty() && away.is_empty();
    compare(STATES.iter().filter(is_whole));
}

#[test]
fn a_dry_run_is_refused_where_the_command_is_without_some_disks() {
    compare(STATES.iter().filter(|(.., away)| !away.is_empty()));
}

#[test]
fn a_dry_run_is_refused_where_the_command_is_in_pools_that_were_changed() {
    compare(STATES.iter().filter(|(_, _, typed, away)| !typed.is_empty() && away.is_empty()));
}

// What was foretold were about fifteen sixteenths of each disk, of disks that were too small as well.
#[test]
fn what_init_would_make_is_what_it_makes() {
    for size in ["100KiB", "600KiB", "1MiB", "2MiB", "33MiB"] {
        for (disks, scheme, more) in [
            ("1", "single", &[][..]),
            ("3", "2+1", &["--portable"]),
            ("4", "mirror:2", &["--node-size", "512"]),
            ("5", "3+2", &["--chunk", "1KiB", "--extent-size", "64KiB"]),
        ] {
            let pool = TestPool::none();
            let witness = pool.beside("witness");
            let arguments = ["init", "--disks", disks, "--disk-size", size, "--scheme", scheme]
                .into_iter()
                .chain(["--witness", witness.to_str().unwrap()].into_iter().filter(|_| disks != "4"));
            let arguments: Vec<&str> = arguments.chain(more.iter().copied()).collect();
            foretold(&pool, &arguments);
        }
    }
}

/// What an `init` answers with `--dry-run`, which makes nothing, and without it: the same.
#[track_caller]
fn foretold(pool: &TestPool, arguments: &[&str]) -> [Answer; 2] {
    let names = || {
        let names = fs::read_dir(pool.folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
        names.collect::<std::collections::BTreeSet<_>>()
    };
    let before = names();
    let dry = pool.run(["--json", "--yes", "--dry-run"].iter().chain(arguments));
    assert_eq!(names(), before, "{arguments:?}");
    let real = pool.run(["--json", "--yes"].iter().chain(arguments));
    assert_eq!(dry.code, real.code, "{arguments:?}: {} {}", dry.stderr, real.stderr);
    if real.code != 0 {
        assert_eq!(names(), before, "{arguments:?}");
    }
    let [told, made] = [dry.json(), real.json()];
    assert_eq!(told["error"]["message"], made["error"]["message"], "{arguments:?}");
    for field in ["usable_bytes", "raw_bytes", "memory_min_bytes", "tolerance", "read_tolerance"] {
        assert_eq!(told[field], made[field], "{field} {arguments:?}");
    }
    let disks = |json: &serde_json::Value| {
        let disks = json["disks"].as_array().cloned().unwrap_or_default();
        disks
            .into_iter()
            .map(|disk| [disk["name"].clone(), disk["path"].clone(), disk["bytes"].clone()])
            .collect::<Vec<_>>()
    };
    assert_eq!(disks(&told), disks(&made), "{arguments:?}");
    [dry, real]
}

// What stood in for a device had larger sectors than some have, and the room for contents was another.
#[test]
fn what_init_would_make_of_devices_is_what_it_makes() {
    let _alone = match loops::alone() {
        Ok(alone) => alone,
        Err(why) => return println!("no loop devices, {why}"),
    };
    for sectors in ["512", "4096"] {
        for more in [&["--portable"][..], &[]] {
            if (sectors, more.len()) == ("4096", 1) {
                continue;
            }
            let pool = TestPool::none();
            let devices = ["a", "b"].map(|name| {
                let file = pool.beside(name);
                File::create(&file).unwrap().set_len(40 << 20).unwrap();
                Loop::attach(&file, &["--sector-size", sectors])
            });
            let paths = [devices[0].text(), devices[1].text()];
            let arguments = [&["init", "--scheme", "mirror:2", "--disk"][..], &paths, more].concat();
            assert_eq!(foretold(&pool, &arguments)[1].code, 0, "{arguments:?}");
        }
    }
}

// What --force overwrites is still what nothing has in use.
#[test]
fn init_would_not_take_a_device_that_is_mounted_or_locked() {
    let _alone = match loops::alone() {
        Ok(alone) => alone,
        Err(why) => return println!("no loop devices, {why}"),
    };
    let pool = TestPool::none();
    let file = pool.beside("backing");
    File::create(&file).unwrap().set_len(40 << 20).unwrap();
    let device = Loop::attach(&file, &[]);
    let arguments = ["init", "--force", "--scheme", "single", "--disk", device.text()];
    let held = File::open(device.path()).unwrap();
    held.lock().unwrap();
    assert_eq!(foretold(&pool, &arguments)[0].code, 5);
    drop(held);
    let mount = pool.beside("mount");
    fs::create_dir(&mount).unwrap();
    let run = |program: &str, arguments: &[&Path]| {
        Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
    };
    if !run("mkfs.ext4", &[Path::new("-q"), device.path()]) || !run("mount", &[device.path(), &mount]) {
        return println!("no filesystem can be mounted here");
    }
    let answers = foretold(&pool, &arguments);
    assert!(run("umount", &[&mount]));
    device.detach();
    assert_eq!(answers[0].code, 5);
}

// Each was refused only when it was done.
#[test]
fn init_would_make_no_folder_and_no_witness_that_cannot_be_made() {
    let pool = TestPool::none();
    let long = "n".repeat(300);
    let below_long = format!("new/{long}");
    pool.file("file", b"");
    fs::create_dir(pool.beside("folder")).unwrap();
    symlink(pool.beside("nowhere"), pool.beside("dangling")).unwrap();
    let folders = ["file", "file/p", "dangling", "dangling/p", &long, &below_long];
    let folders = folders.map(|folder| pool.beside(folder)).into_iter();
    for folder in folders.chain(["/proc/foo".into(), "/sys/foo".into()]) {
        let at = ["--pool", folder.to_str().unwrap()];
        let arguments = [&["init", "--disks", "1", "--disk-size", "32MiB"][..], &at].concat();
        assert_eq!(foretold(&pool, &arguments)[1].code, 1, "{arguments:?}");
    }
    let refused = [
        ("nodir/w", 1),
        ("file/w", 1),
        (long.as_str(), 1),
        ("dangling", 1),
        ("p", 3),
        ("p/../p", 3),
        ("p/disks", 3),
        ("p/disks/disk-0.img", 3),
        ("p/disks/disk-0.img/w", 1),
        ("p/pool.toml", 3),
        ("p/pool.toml.unfinished", 3),
        ("p/events.jsonl", 3),
    ];
    let folder = pool.beside("p");
    let init = ["init", "--disks", "2", "--disk-size", "32MiB", "--scheme", "mirror:2", "--pool"];
    let init = [&init[..], &[folder.to_str().unwrap(), "--witness"]].concat();
    for (witness, code) in refused {
        let witness = pool.beside(witness);
        let arguments = [&init[..], &[witness.to_str().unwrap()]].concat();
        assert_eq!(foretold(&pool, &arguments)[1].code, code, "{arguments:?}");
    }
    for witness in ["p/w", "p/disks/w", "folder/w"] {
        let witness = pool.beside(witness);
        let arguments = [&init[..], &[witness.to_str().unwrap()]].concat();
        assert_eq!(foretold(&pool, &arguments)[1].code, 0, "{arguments:?}");
        fs::remove_dir_all(&folder).unwrap();
    }
}

/// Types all commands in these states, first with `--dry-run`.
fn compare(states: impl Iterator<Item = &'static State>) {
    let mut wrong = Vec::new();
    for state @ (disks, scheme, typed, away) in states {
        let pool = TestPool::new(*disks, "8MiB", scheme);
        pool.run_with_input(["put", "-", "/file"], &vec![7; FILE_BYTES]).ok();
        for arguments in *typed {
            let answer = match arguments {
                [FILL] => pool.run_with_input(["put", "-", "/fill"], &vec![8; FILLING_BYTES]),
                arguments => pool.run(["--yes"].iter().chain(*arguments)),
            };
            assert_eq!(answer.code, 0, "{scheme} {arguments:?}: {}", answer.stderr);
        }
        for &disk in *away {
            fs::rename(pool.disk(disk), pool.beside(&format!("away-{disk}"))).unwrap();
        }
        let before = saved(&pool);
        for command in COMMANDS {
            let dry = run(&pool, &["--json", "--dry-run", "--yes"], command);
            let told = if saved(&pool) == before { "" } else { "and something was changed" };
            let kept = pool.beside("kept");
            copy(&pool.path(), &kept);
            let real = run(&pool, &["--json", "--yes"], command);
            fs::remove_dir_all(pool.path()).unwrap();
            fs::rename(&kept, pool.path()).unwrap();
            if is_done(&dry) != is_done(&real) || !told.is_empty() {
                let [dry, real] = [dry, real].map(|answer| answer.json()["error"]["message"].to_string());
                wrong.push(format!("{state:?}: {command}: dry {dry}, real {real} {told}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of them:\n{}", wrong.len(), wrong.join("\n"));
}

fn run(pool: &TestPool, options: &[&str], command: &str) -> Answer {
    let file = |name: &str, bytes: u64| {
        let path = pool.beside(name);
        File::create(&path).unwrap().set_len(bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let words = command.split(' ').map(|word| match word {
        "NEW" => file("new", 12 << 20),
        "MEDIUM" => file("medium", 4 << 20),
        "SMALL" => file("small", 100 << 10),
        word => word.to_owned(),
    });
    let words: Vec<String> = options.iter().map(|&option| option.to_owned()).chain(words).collect();
    pool.run(&words)
}

/// All that a pool's folder holds.
fn saved(pool: &TestPool) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for folder in [pool.path(), pool.path().join("disks")] {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                files.push((path.clone(), fs::read(path).unwrap()));
            }
        }
    }
    files.sort();
    files
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").args(["-a", "--sparse=always"]).args([from, to]).status().unwrap();
    assert!(copied.success());
}
