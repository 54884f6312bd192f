//! The disk in memory.

use dynamicfs_hal::{BlockDevice, Geometry, IoError, RamDisk};

const SECTOR: usize = 512;

fn disk() -> RamDisk<[u8; 8 * SECTOR + 100]> {
    RamDisk::new([0; 8 * SECTOR + 100], SECTOR as u32)
}

#[test]
fn is_as_large_as_its_memory_in_whole_sectors() {
    let geometry = disk().geometry();
    let expected = Geometry { volatile_cache: false, ..Geometry::new(512, 8) };
    assert_eq!(geometry, expected);
    assert_eq!(geometry.check(), Ok(()));
    assert_eq!(geometry.bytes(), 4096);
}

#[test]
fn reads_what_was_written() {
    let mut disk = disk();
    disk.write(2, &[7; 2 * SECTOR]).unwrap();
    disk.write_durable(7, &[9; SECTOR]).unwrap();
    disk.flush().unwrap();
    let mut buf = [1; 4 * SECTOR];
    disk.read(1, &mut buf).unwrap();
    assert_eq!(buf[..SECTOR], [0; SECTOR]);
    assert_eq!(buf[SECTOR..3 * SECTOR], [7; 2 * SECTOR]);
    assert_eq!(buf[3 * SECTOR..], [0; SECTOR]);
    assert_eq!(disk.bytes()[7 * SECTOR..8 * SECTOR], [9; SECTOR]);
}

#[test]
fn refuses_what_is_not_on_it_and_leaves_the_tail_alone() {
    let mut disk = disk();
    disk.bytes()[8 * SECTOR..].fill(3);
    let mut buf = [5; 2 * SECTOR];
    for lba in [7, 8, u64::MAX] {
        assert_eq!(disk.read(lba, &mut buf), Err(IoError::OutOfBounds));
        assert_eq!(disk.write(lba, &buf), Err(IoError::OutOfBounds));
    }
    assert_eq!(disk.write(8, &buf[..SECTOR]), Err(IoError::OutOfBounds));
    assert_eq!(disk.read(0, &mut buf[..100]), Err(IoError::NotAligned));
    assert_eq!(disk.write(0, &buf[..SECTOR + 1]), Err(IoError::NotAligned));
    disk.write(8, &[]).unwrap();
    let memory = disk.into_inner();
    assert!(memory[..8 * SECTOR].iter().all(|byte| *byte == 0));
    assert!(memory[8 * SECTOR..].iter().all(|byte| *byte == 3));
}

#[test]
fn discarding_is_allowed_and_does_nothing() {
    let mut disk = disk();
    disk.write(0, &[7; SECTOR]).unwrap();
    assert!(!disk.geometry().discard);
    disk.discard(0, 1).unwrap();
    assert_eq!(disk.bytes()[..SECTOR], [7; SECTOR]);
}

#[test]
fn lent_memory_outlives_the_disk() {
    let mut memory = [0; 4 * SECTOR];
    let mut disk = RamDisk::new(&mut memory, SECTOR as u32);
    disk.write(3, &[1; SECTOR]).unwrap();
    assert_eq!(memory[3 * SECTOR..], [1; SECTOR]);
}
