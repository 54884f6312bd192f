//! Disks that are files, under the conformance kit.

use dynamicfs_hal::conformance::{Plan, check_after_cut, destroy_and_check, destroy_until_cut, memory_min};
use dynamicfs_hal::{BlockDevice, Bounce, Partition};
use std_host_shim::{FileDisk, FileDiskOptions, OpenError};

const BYTES: u64 = 2 << 20;

/// Runs the kit over a whole disk.
fn check(disk: &mut impl BlockDevice) {
    let mut memory = vec![0; memory_min(&disk.geometry()) + (64 << 10)];
    for seed in 0..2 {
        let checked = destroy_and_check(disk, &mut memory, &Plan::new(seed));
        let checked = checked.unwrap_or_else(|finding| panic!("{finding}"));
        assert!(checked.whole_capacity);
    }
}

#[test]
fn files_pass() {
    let folder = tempfile::tempdir().unwrap();
    for (index, options) in [
        FileDiskOptions::new(),
        FileDiskOptions::new().sector_bytes(512).tear_unit(4096),
        FileDiskOptions::new().sector_bytes(16384),
    ]
    .into_iter()
    .enumerate()
    {
        check(&mut options.create(folder.path().join(format!("{index}.img")), BYTES).unwrap());
    }
}

#[test]
fn a_file_without_the_system_s_cache_passes_with_its_alignment() {
    let folder = tempfile::tempdir().unwrap();
    let mut disk = match FileDiskOptions::new().direct(true).create(folder.path().join("direct.img"), BYTES) {
        Err(OpenError::NoDirectIo) => return eprintln!("skipped: no direct I/O here"),
        disk => disk.unwrap(),
    };
    check(&mut disk);
    // And without it behind a buffer.
    let mut lent = vec![0; 64 << 10];
    check(&mut Bounce::for_alignment(disk, &mut lent).unwrap());
}

#[test]
fn a_partition_of_a_file_passes() {
    let folder = tempfile::tempdir().unwrap();
    let disk = FileDisk::create(folder.path().join("whole.img"), BYTES).unwrap();
    check(&mut Partition::new(disk, 100, 300).unwrap());
}

/// The process ends and another opens the file: all that it wrote is there. What a power cut does no test
/// here can show.
#[test]
fn a_file_that_is_opened_anew_holds_every_round() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk.img");
    let (mut memory, mut last) = (vec![0; 64 << 10], None);
    let mut disk = FileDisk::create(&path, BYTES).unwrap();
    destroy_until_cut(&mut disk, &mut memory, 7, 20, &mut |round| last = Some(round)).unwrap();
    drop(disk);
    let after = check_after_cut(&mut FileDisk::open(&path).unwrap(), &mut memory, 7, last).unwrap();
    assert_eq!((after.durable_round, after.damaged_sectors), (20, 0));
}
