//! Pools that a host makes for firmware: images of disks with small sectors, mounted with little memory.

use crate::common::TestPool;
use dynamicfs_core::files::{Attributes, MakeRequest};
use dynamicfs_core::types::{MemoryNeeds, ObjectId, Scheme};
use dynamicfs_core::{
    CacheEntry, DiskState, FormatOptions, Memory, MountOptions, Pool, ReadObjects, Services, crc32c,
};
use dynamicfs_hal::{BlockDevice, Geometry, SerialArray};
use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std_host_shim::{FileDiskOptions, OsClock};

/// What README.md's example of firmware lends.
const NEEDS: MemoryNeeds = FormatOptions::portable(Scheme::SINGLE).memory(3, &Geometry::new(512, 1 << 25));

/// Three files that are to be disks.
fn images(pool: &TestPool) -> Vec<PathBuf> {
    let paths: Vec<PathBuf> = ["a", "b", "c"].map(|name| pool.beside(name)).into();
    paths.iter().for_each(|path| File::create(path).unwrap().set_len(8 << 20).unwrap());
    paths
}

/// Arguments of a command that names the pool by its disks alone, before the command.
fn on(disks: &[PathBuf], command: &[&str]) -> Vec<OsString> {
    let disks = disks.iter().map(|path| path.as_os_str().to_owned());
    let command = command.iter().map(|&word| word.into());
    [OsString::from("--disk")].into_iter().chain(disks).chain(command).collect()
}

/// Blocks of a pool in files were of 4096 bytes whatever was asked for, and took more memory than the example
/// lends.
#[test]
fn the_memory_of_the_example_in_the_readme_is_enough_for_a_portable_pool() {
    for scheme in ["mirror:2", "mirror:3", "2+1"] {
        let pool = TestPool::none();
        let disks = images(&pool);
        let init = on(&disks, &["init", "--portable", "--scheme", scheme, "--json"]);
        let memory = pool.run(init).ok().json()["memory_min_bytes"].as_u64().unwrap();
        assert!(memory <= NEEDS.bytes as u64, "{scheme}: {memory} bytes");
        let labels = pool.run(on(&disks, &["labels", "--json"])).ok().json();
        assert!(labels["disks"].as_array().unwrap().iter().all(|disk| disk["label"]["block_bytes"] == 512));
        pool.run_with_input(["put", "-", "/from-the-host"], b"here").ok();

        let opened =
            [0, 1, 2].map(|n: usize| FileDiskOptions::new().sector_bytes(512).open(&disks[n]).unwrap());
        let clock = OsClock::new();
        let (mut bytes, mut entries, mut states) =
            ([0; NEEDS.bytes], [CacheEntry::NEW; NEEDS.entries], [DiskState::NEW; NEEDS.disks]);
        let memory = Memory { bytes: &mut bytes, entries: &mut entries, disks: &mut states };
        let services = Services::new(crc32c, &clock);
        let array = SerialArray::<_, 3>::new(opened);
        let mut mounted = Pool::mount(array, memory, services, &MountOptions::default()).unwrap();
        let mut text = [0; 5];
        let file = mounted.resolve(b"/from-the-host").unwrap();
        assert_eq!(mounted.read(file, 0, &mut text), Ok(4));
        let mut transaction = mounted.begin().unwrap();
        let log =
            transaction.create(ObjectId::ROOT, b"log", &MakeRequest::File, &Attributes::default()).unwrap();
        transaction.write_all(log, 0, b"booted").unwrap();
        transaction.commit().unwrap();
        drop(mounted);
        assert_eq!(pool.cat("/log"), b"booted");
        pool.run(["check"]).ok();
    }
}

/// Whether a power cut of this machine may damage more of an image than a block of 512 bytes.
fn tears(image: &Path) -> bool {
    FileDiskOptions::new().sector_bytes(512).open(image).unwrap().geometry().tear_unit > 512
}

/// One disk is as the others, and what a power cut of this machine may do to them is said, where it may.
#[test]
fn an_image_joins_others_and_health_warns_of_all() {
    let pool = TestPool::none();
    let disks = images(&pool);
    let tears = tears(&disks[0]);
    let made = pool.run(on(&disks, &["init", "--portable", "--scheme", "2+1"])).ok();
    let warns = made.stderr.contains("a power cut of this machine may damage more");
    assert_eq!(warns, tears, "{}", made.stderr);
    let new = pool.beside("new");
    pool.run([OsString::from("disk"), "add".into(), new.into(), "--size".into(), "8MiB".into()]).ok();
    let health = pool.run(["health"]).expect(i32::from(tears)).text();
    for disk in ["a", "b", "c", "new"] {
        let warning = format!("DISK_TEARS_NEIGHBOURS {disk} may damage more than a block of 512 bytes");
        assert_eq!(health.contains(&warning), tears, "{disk}: {health}");
    }
}

/// `labels` knew nothing of the states on disks that were named alone, nor `status` that a name that it
/// showed was the identity that followed.
#[test]
fn disks_that_are_named_alone_tell_what_is_on_them() {
    let pool = TestPool::none();
    let mut disks = images(&pool);
    pool.run(on(&disks, &["init", "--portable", "--scheme", "mirror:2"])).ok();
    let status = pool.json(["status"]);
    let (id, generation) = (status["pool"]["id"].as_str().unwrap(), &status["pool"]["generation"]);
    let branch = pool.json(["labels"])["disks"][0]["branch"].clone();
    assert!(branch.is_string());

    let blank = pool.beside("blank");
    File::create(&blank).unwrap().set_len(8 << 20).unwrap();
    disks.push(blank);
    let labels = pool.run(on(&disks, &["labels", "--json"])).expect(1).json();
    for disk in 0..3 {
        assert_eq!(
            (&labels["disks"][disk]["branch"], &labels["disks"][disk]["generation"]),
            (&branch, generation)
        );
    }
    assert!(labels["disks"][3]["branch"].is_null());

    disks.pop();
    let said = pool.run(on(&disks, &["status"])).ok().text();
    assert_eq!(said.matches(id).count(), 1, "{said}");
}

/// Warnings were left out where the result was JSON.
#[test]
fn warnings_are_said_beside_json_and_not_in_it() {
    let pool = TestPool::none();
    let disks = images(&pool);
    let init = ["init", "--portable", "--scheme", "2+1", "--json", "--dry-run"];
    pool.run(on(&disks, &init)).ok().json();
    let made = pool.run(on(&disks, &init[..5])).ok();
    assert!(made.json()["pool"].is_string());
    let warns = made.stderr.contains("warning: a power cut of this machine may damage more");
    assert_eq!(warns, tears(&disks[0]), "{}", made.stderr);
}

/// `--disk A B C status` took the command for one more disk.
#[test]
fn a_list_of_disks_ends_where_a_command_begins() {
    let pool = TestPool::none();
    let disks = images(&pool);
    pool.run(on(&disks, &["init", "--portable", "--scheme", "mirror:2"])).ok();
    for command in [&["status"][..], &["disk", "list"], &["ls", "/"], &["check"], &["scrub", "start"]] {
        pool.run(on(&disks, command)).ok();
    }
}
