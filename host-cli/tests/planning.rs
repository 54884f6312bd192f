//! What is said before anything happens: then it is made to happen, and looked at.

use crate::common::{Answer, TestPool, assert_valid, noise};
use serde_json::Value;
use std::fs;

/// A pool with files of several extents, of one, and of none.
fn pool_with_files(disks: usize, scheme: &str) -> (TestPool, Vec<(String, Vec<u8>)>) {
    let pool = TestPool::new(disks, "32MiB", scheme);
    let files: Vec<(String, Vec<u8>)> = [5_000_000, 1_000_000, 300_000, 70_000, 5_000, 60]
        .into_iter()
        .zip(1..)
        .map(|(bytes, n)| (format!("/file-{n}"), noise(bytes, n)))
        .collect();
    for (path, contents) in &files {
        pool.run_with_input(["put", "-", path], contents).ok();
    }
    (pool, files)
}

fn name(disk: usize) -> String {
    format!("disk-{disk}")
}

#[track_caller]
fn lose(pool: &TestPool, disks: &[usize]) -> Value {
    let names: Vec<String> = disks.iter().map(|&disk| name(disk)).collect();
    let arguments = ["--json", "whatif", "lose"].into_iter().chain(names.iter().map(String::as_str));
    let told = pool.run(arguments).ok();
    assert_valid("whatif-lose", &told);
    told.json()
}

#[track_caller]
fn ask(pool: &TestPool, disk: &str, code: i32) -> Value {
    let told = pool.run(["--json", "ok-to-remove", disk]).expect(code);
    assert_valid("ok-to-remove", &told);
    told.json()
}

#[track_caller]
fn capacity(pool: &TestPool, more: &[&str]) -> Value {
    let told = pool.run(["--json", "capacity"].iter().chain(more)).ok();
    assert_valid("capacity", &told);
    told.json()
}

fn codes(answer: &Value) -> Vec<&str> {
    let obstacles = answer["obstacles"].as_array().unwrap();
    obstacles.iter().map(|obstacle| obstacle["code"].as_str().unwrap()).collect()
}

/// Takes the disks' files away while something is done.
fn without<T>(pool: &TestPool, disks: &[usize], f: impl FnOnce() -> T) -> T {
    let aside = |disk: usize| pool.disk(disk).with_extension("away");
    disks.iter().for_each(|&disk| fs::rename(pool.disk(disk), aside(disk)).unwrap());
    let done = f();
    disks.iter().for_each(|&disk| fs::rename(aside(disk), pool.disk(disk)).unwrap());
    done
}

fn pairs(disks: usize) -> impl Iterator<Item = Vec<usize>> {
    (0..disks).flat_map(move |a| (a..disks).map(move |b| if a == b { vec![a] } else { vec![a, b] }))
}

/// The disks are taken away, and `status` and every file agree with what was said.
#[test]
fn what_is_said_of_losses_is_what_comes() {
    for (disks, scheme, worse) in [
        (3, "mirror:2", vec![]),
        (5, "mirror:2", vec![]),
        (6, "4+2", vec![vec![0, 2, 4], vec![1, 3, 5]]),
        (3, "single", vec![]),
    ] {
        let (pool, files) = pool_with_files(disks, scheme);
        let mut lossy = 0;
        for lost in pairs(disks).chain(worse) {
            let told = lose(&pool, &lost);
            let what = format!("{scheme} on {disks} without {lost:?}: {told}");
            let status = without(&pool, &lost, || pool.run(["--json", "--read-only", "status"]));
            match (told["opens"].as_bool().unwrap(), told["lost"]["nodes"].as_u64().unwrap()) {
                (true, 0) => assert_eq!(status.ok().json()["extents"], told["extents"], "{what}"),
                (true, _) => {
                    let status = status.ok().json();
                    assert!(status["extents"].is_null(), "{what}");
                    assert_eq!(
                        (&status["status"], &status["reasons"][0]["code"]),
                        (&"critical".into(), &"DATA_UNREADABLE".into())
                    );
                }
                (false, _) => assert!(status.code != 0, "{what}"),
            }
            if told["opens"] == false {
                continue;
            }
            let paths: Vec<&str> = told["lost"]["paths"]
                .as_array()
                .unwrap()
                .iter()
                .map(|path| path["path"].as_str().unwrap())
                .collect();
            // Where names are lost, files cannot be reached that are there.
            let reachable = told["lost"]["names"] == 0;
            for (path, contents) in files.iter().filter(|_| reachable) {
                let read: Answer = without(&pool, &lost, || pool.run(["--read-only", "cat", path]));
                let is_lost = paths.contains(&path.as_str());
                assert_eq!(read.code == 0 && read.stdout == *contents, !is_lost, "{path}: {what}");
                lossy += u32::from(is_lost);
            }
        }
        assert_eq!(lossy > 0, scheme != "4+2" && disks != 3 || scheme == "single", "{scheme} on {disks}");
    }
}

#[test]
fn nothing_is_changed_and_everything_is_as_its_schema_says() {
    let (pool, _) = pool_with_files(3, "2+1");
    let disks = || -> Vec<Vec<u8>> { (0..3).map(|disk| fs::read(pool.disk(disk)).unwrap()).collect() };
    let before = disks();
    lose(&pool, &[0, 1]);
    ask(&pool, "disk-0", 0);
    capacity(&pool, &["--add", "1GiB", "--add", "100MB"]);
    assert!(before == disks(), "something was written");
    pool.run(["whatif", "lose", "disk-9"]).expect(1);
    pool.run(["ok-to-remove", "disk-9"]).expect(1);
    pool.run(["whatif", "lose"]).expect(2);
    pool.run(["capacity", "--add", "much"]).expect(2);
    for command in [&["whatif", "lose", "2"][..], &["ok-to-remove", "2"], &["capacity"]] {
        let text = pool.run(command).ok().text();
        assert!(text.contains("disk-2") && text.contains("redundancy") || text.contains("usable"), "{text}");
    }
}

/// The tree is to be on three disks, the contents on two: of three disks, two have no place for all nodes.
#[test]
fn nodes_without_enough_disks_are_foretold() {
    let pool = TestPool::none();
    let size = ["--disks", "3", "--disk-size", "32MiB"];
    let bears = ["--scheme", "mirror:2", "--tolerance", "2"];
    pool.run(["init"].iter().chain(&size).chain(&bears)).ok();
    pool.run_with_input(["put", "-", "/file"], &noise(1_000_000, 1)).ok();
    let told = lose(&pool, &[1]);
    let nodes = told["rebuild"]["nodes_without_disks"].as_u64().unwrap();
    assert_eq!((nodes > 0, &told["rebuild"]["without_disks"]), (true, &0.into()), "{told}");
    let text = pool.run(["whatif", "lose", "disk-1"]).ok().text();
    assert!(text.contains("too few disks for") && text.contains("tree node"), "{text}");
    fs::remove_file(pool.disk(1)).unwrap();
    let rebuilt = pool.run(["rebuild", "start", "--without-missing"]);
    assert!(rebuilt.code != 0 && rebuilt.text().contains("want of disks"), "{}", rebuilt.text());
}

/// Disk after disk is pulled as long as that is said to be fine; then it is not.
#[test]
fn disks_are_pulled_while_that_is_said_to_be_fine() {
    let (pool, files) = pool_with_files(6, "4+2");
    for disk in [4, 1] {
        let told = ask(&pool, &name(disk), 0);
        assert_eq!((&told["pull"]["ok"], &told["takes_part"]), (&true.into(), &true.into()));
        fs::remove_file(pool.disk(disk)).unwrap();
        let status = pool.run(["--json", "status"]).ok().json();
        assert_eq!(status["extents"], told["forecast"]["extents"]);
        pool.run_with_input(["put", "-", &format!("/after-{disk}")], b"written").ok();
        let health = pool.run(["--json", "health"]).json();
        assert_eq!(health["write_tolerance"], told["forecast"]["write_tolerance"], "{health}");
    }
    let told = ask(&pool, "disk-0", 3);
    assert!(codes(&told["pull"]).contains(&"DATA_LOST"), "{told}");
    assert!(told["forecast"]["lost"]["bytes"].as_u64() > Some(1_000_000), "{told}");
    // One that is gone already takes nothing more with it.
    let gone = ask(&pool, "disk-4", 0);
    assert_eq!(
        (&gone["takes_part"], &gone["remove"]["next"]),
        (&false.into(), &"dynamicfs disk fail disk-4".into())
    );
    for (path, contents) in &files {
        assert!(pool.cat(path) == *contents);
    }
}

/// Half of two members could miss something that the other half knows: it is taken offline first.
#[test]
fn one_of_a_mirror_of_two_is_taken_offline_before_it_is_pulled() {
    let (pool, files) = pool_with_files(2, "mirror:2");
    let told = ask(&pool, "disk-0", 3);
    assert_eq!(codes(&told["pull"]), ["POOL_CLOSES"]);
    assert_eq!(told["pull"]["next"], "dynamicfs disk offline disk-0");
    assert_eq!(codes(&told["remove"]), ["TOO_FEW_DISKS"]);
    without(&pool, &[0], || pool.run(["status"]).expect(3));
    pool.run(["disk", "offline", "disk-0"]).ok();
    ask(&pool, "disk-0", 0);
    without(&pool, &[0], || {
        pool.run(["--json", "status"]).ok();
        assert!(files.iter().all(|(path, contents)| pool.cat(path) == *contents));
        pool.run_with_input(["put", "-", "/after"], b"written").ok();
    });
    pool.run(["disk", "online", "disk-0"]).ok();
    pool.run(["rebuild", "start"]).ok();
    assert_eq!(pool.json(["status"])["status"], "healthy");
}

/// A disk leaves for good where there is room for what it holds, and only there.
#[test]
fn a_disk_leaves_for_good_where_there_is_room() {
    let (pool, _) = pool_with_files(4, "mirror:2");
    let told = ask(&pool, "disk-3", 0);
    assert_eq!(
        (&told["remove"]["ok"], &told["remove"]["next"]),
        (&true.into(), &"dynamicfs disk drain disk-3".into())
    );
    pool.run_with_input(["put", "-", "/large"], &noise(48 << 20, 9)).ok();
    let full = ask(&pool, "disk-3", 0);
    assert_eq!(full["pull"]["ok"], true);
    assert_eq!(codes(&full["remove"]), ["TOO_LITTLE_SPACE"], "{full}");
    let refused = pool.run(["--json", "disk", "drain", "disk-3"]).expect(1);
    assert_eq!(refused.json()["error"]["code"], "no_space");
    pool.run(["rm", "/large"]).ok();
    assert_eq!(ask(&pool, "disk-3", 0)["remove"]["ok"], true);
    pool.run(["disk", "drain", "disk-3"]).ok();
    assert_eq!(ask(&pool, "disk-3", 0)["remove"]["next"], "dynamicfs disk remove disk-3");
    pool.run(["disk", "remove", "disk-3", "--yes"]).ok();
    assert_eq!(pool.json(["status"])["status"], "healthy");
}

/// Files are stored until none fits. All that was promised fits, in files of any size that an extent has, and
/// hardly more. The rest is at most a group and a half of blocks on each disk, a sixteenth each of these, and
/// three hundredths for placement.
#[test]
fn as_much_fits_as_is_said() {
    for (sizes, scheme) in [
        (&[64; 4][..], "2+1"),
        (&[64, 64, 192], "mirror:2"),
        (&[64; 6], "4+2"),
        (&[40, 50, 60, 70, 80, 90], "4+2"),
        (&[48; 7], "4+2"),
        (&[16; 2], "mirror:2"),
        (&[64], "single"),
    ] {
        let pool = TestPool::none();
        let disks: Vec<_> = (0..sizes.len()).map(|n| pool.beside(&format!("disk-{n}"))).collect();
        let mut init = vec!["--json".to_owned(), "init".into(), "--scheme".into(), scheme.into()];
        for (disk, size) in disks.iter().zip(sizes) {
            fs::File::create(disk).unwrap().set_len(size << 20).unwrap();
            init.extend(["--disk".into(), disk.to_str().unwrap().into()]);
        }
        let made = pool.run(init).ok().json();
        let told = capacity(&pool, &[]);
        let usable = told["usable_bytes"].as_u64().unwrap();
        // One calculation for all.
        assert_eq!(made["usable_bytes"], usable);
        assert_eq!(pool.json(["status"])["capacity"]["usable_free_bytes"], usable);
        let (mut stored, mut n) = (0, 0);
        for size in [2 << 20, 512 << 10, 64 << 10, 8 << 10] {
            let part = noise(size, 3);
            loop {
                n += 1;
                let put = pool.run_with_input(["--json", "put", "-", &format!("/file-{n}")], &part);
                if put.code != 0 {
                    assert_eq!(put.json()["error"]["code"], "no_space");
                    break;
                }
                stored += part.len() as u64;
            }
        }
        let what = format!("{scheme} on {sizes:?}: {stored} of {usable}");
        assert!(stored >= usable, "{what}");
        assert!(stored <= usable + usable / 10 + usable / 33, "{what}");
        let full = capacity(&pool, &[]);
        assert!(full["usable_bytes"].as_u64().unwrap() < usable / 50, "{what}: {full}");
        let health = pool.run(["--json", "health"]).json();
        let codes: Vec<&Value> =
            health["reasons"].as_array().unwrap().iter().map(|reason| &reason["code"]).collect();
        let is_told = codes.iter().any(|code| *code == "FULL" || *code == "NEARLY_FULL");
        assert!(is_told, "{what}: {health}");
        let growth = &full["growth"];
        assert_eq!((growth["bytes"].as_u64(), &growth["days_to_full"]), (Some(stored), &Value::Null));
    }
}

const PORTABLE: &[&str] = &["--portable"];
const SMALL_NODES: &[&str] = &["--node-size", "1KiB", "--chunk", "512", "--extent-size", "4KiB"];

/// A fresh pool, and the bytes that `init` promises.
fn promising(disks: usize, mebibytes: usize, scheme: &str, more: &[&str]) -> (TestPool, usize) {
    let (pool, size, disks) = (TestPool::none(), format!("{mebibytes}MiB"), disks.to_string());
    let init = ["--json", "init", "--disks", &disks, "--disk-size", &size, "--scheme", scheme];
    let made = pool.run(init.iter().chain(more)).ok().json();
    let promised = made["usable_bytes"].as_u64().unwrap();
    (pool, promised.try_into().unwrap())
}

/// A node smaller than a block takes the whole block. Pools with such nodes take a file of the promised size,
/// and not a seventh more.
#[test]
fn a_file_of_the_promised_size_fits_where_nodes_are_small() {
    for (disks, mebibytes, scheme, more) in [
        (1, 16, "single", PORTABLE),
        (2, 16, "mirror:2", PORTABLE),
        (3, 24, "2+1", PORTABLE),
        (4, 16, "2+2", PORTABLE),
        (4, 16, "3+1", PORTABLE),
        (1, 64, "single", PORTABLE),
        (2, 64, "mirror:2", PORTABLE),
        (3, 64, "2+1", PORTABLE),
        (4, 64, "2+2", PORTABLE),
        (4, 64, "3+1", PORTABLE),
        (1, 16, "single", SMALL_NODES),
        (2, 16, "mirror:2", SMALL_NODES),
        (3, 24, "2+1", SMALL_NODES),
    ] {
        let (pool, promised) = promising(disks, mebibytes, scheme, more);
        let what = format!("{scheme} on {disks} of {mebibytes} MiB, {more:?}: {promised}");
        let put = pool.run_with_input(["put", "-", "/file"], &noise(promised, 3));
        assert_eq!(put.code, 0, "{what}: {}", put.stderr);
        let more = pool.run_with_input(["put", "-", "/more"], &noise(promised / 7, 4));
        assert_eq!(more.code, 1, "{what}: a seventh more fits");
    }
}

/// As many small files are stored as what `capacity` says that one takes allows.
#[test]
fn as_many_small_files_fit_as_is_said() {
    for (disks, scheme) in [(1, "single"), (2, "mirror:2"), (3, "2+1")] {
        for nth in 0..3 {
            let (pool, _) = promising(disks, 16, scheme, PORTABLE);
            let told = capacity(&pool, &[]);
            let bytes_of = |told: &Value, field: &str| told[field].as_u64().unwrap();
            let file = &told["small_files"][nth];
            let free = bytes_of(&told, "free_bytes")
                - bytes_of(&told, "kept_back_bytes")
                - bytes_of(&told, "left_over_bytes");
            let (bytes, count) = (bytes_of(file, "bytes"), free / bytes_of(file, "cost_bytes"));
            let folder = pool.beside("files");
            fs::create_dir(&folder).unwrap();
            let contents = noise(bytes.try_into().unwrap(), 5);
            (0..count).for_each(|n| fs::write(folder.join(n.to_string()), &contents).unwrap());
            let put = pool.run(["put", "--recursive", folder.to_str().unwrap(), "/files"]);
            assert_eq!(put.code, 0, "{scheme}: {count} files of {bytes} bytes: {}", put.stderr);
        }
    }
}

/// What more disks would give is what they give.
#[test]
fn another_disk_gives_what_is_said() {
    let (pool, _) = pool_with_files(3, "mirror:2");
    for size in ["48MiB", "200MiB"] {
        let added = capacity(&pool, &["--add", size])["added"].clone();
        let new = pool.beside(&format!("new-{size}.img"));
        pool.run(["disk", "add", new.to_str().unwrap(), "--size", size]).ok();
        let now = capacity(&pool, &[]);
        for field in ["usable_bytes", "stranded_bytes"] {
            let (said, is) = (added[field].as_u64().unwrap(), now[field].as_u64().unwrap());
            assert!(said.abs_diff(is) < 1 << 20, "{size}: {field} {said} {is}");
        }
    }
}
