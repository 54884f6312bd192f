//! Disks that are real files.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::PathBuf;

use dynamicfs_hal::{BlockDevice, DeviceError, GeometryError, IoError};
use std_host_shim::{FileDisk, FileDiskError, FileDiskOptions, OpenError};
use tempfile::TempDir;

const SECTOR: usize = 4096;

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk.img");
    (folder, path)
}

fn sectors(count: usize, fill: u8) -> Vec<u8> {
    vec![fill; count * SECTOR]
}

#[test]
fn what_was_written_is_there_after_opening_anew() {
    let (_folder, path) = folder();
    let mut disk = FileDisk::create(&path, 16 * SECTOR as u64).unwrap();
    let geometry = disk.geometry();
    assert_eq!((geometry.sector_bytes, geometry.sectors), (4096, 16));
    assert_eq!((geometry.buffer_alignment, geometry.tear_unit), (1, 4096));
    assert!(geometry.volatile_cache);

    let mut buf = sectors(16, 1);
    disk.read(0, &mut buf).unwrap();
    assert_eq!(buf, sectors(16, 0), "a new disk reads as zeros");
    disk.write(3, &sectors(2, 7)).unwrap();
    disk.write_durable(15, &sectors(1, 9)).unwrap();
    disk.flush().unwrap();
    drop(disk);

    let mut disk = FileDisk::open(&path).unwrap();
    assert_eq!(disk.geometry(), geometry);
    disk.read(0, &mut buf).unwrap();
    let expected = [sectors(3, 0), sectors(2, 7), sectors(10, 0), sectors(1, 9)].concat();
    assert!(buf == expected && fs::read(&path).unwrap() == expected);
}

#[test]
fn requests_beyond_the_end_or_between_sectors_are_refused() {
    let (_folder, path) = folder();
    let mut disk = FileDisk::create(&path, 4 * SECTOR as u64).unwrap();
    let mut buf = sectors(2, 0);
    for lba in [3, 4, u64::MAX] {
        assert!(matches!(disk.read(lba, &mut buf), Err(FileDiskError::OutOfBounds { sectors: 4, .. })));
        assert_eq!(disk.write(lba, &buf).unwrap_err().kind(), IoError::OutOfBounds);
        assert_eq!(disk.discard(lba, 2).unwrap_err().kind(), IoError::OutOfBounds);
    }
    assert_eq!(disk.write(0, &buf[1..]).unwrap_err().kind(), IoError::NotAligned);
    assert_eq!(fs::metadata(&path).unwrap().len(), 4 * SECTOR as u64);
}

#[test]
fn the_tail_that_is_no_sector_is_left_alone() {
    let (_folder, path) = folder();
    let content: Vec<u8> = (0..SECTOR * 2 + 100).map(|i| i as u8).collect();
    fs::write(&path, &content).unwrap();
    let mut disk = FileDisk::open(&path).unwrap();
    assert_eq!(disk.geometry().sectors, 2);
    disk.write(0, &sectors(2, 5)).unwrap();
    assert!(disk.write(2, &sectors(1, 5)).is_err());
    disk.flush().unwrap();
    let after = fs::read(&path).unwrap();
    assert!(after[..2 * SECTOR] == sectors(2, 5) && after[2 * SECTOR..] == content[2 * SECTOR..]);
}

#[test]
fn a_file_truncated_under_us_is_a_medium_error() {
    let (_folder, path) = folder();
    let mut disk = FileDisk::create(&path, 8 * SECTOR as u64).unwrap();
    OpenOptions::new().write(true).open(&path).unwrap().set_len(3 * SECTOR as u64 + 10).unwrap();
    let mut buf = sectors(1, 0);
    disk.read(2, &mut buf).unwrap();
    for lba in [3, 4, 7] {
        let error = disk.read(lba, &mut buf).unwrap_err();
        assert!(matches!(error, FileDiskError::Truncated));
        assert_eq!(error.kind(), IoError::Media);
    }
    disk.write(7, &buf).unwrap();
    disk.read(7, &mut buf).unwrap();
}

#[test]
fn discarded_sectors_give_their_space_back() {
    use std::os::unix::fs::MetadataExt;
    let (_folder, path) = folder();
    let mut disk = FileDisk::create(&path, 256 * SECTOR as u64).unwrap();
    if !disk.geometry().discard {
        eprintln!("skipped: no holes in files here");
        return;
    }
    disk.write(0, &sectors(256, 1)).unwrap();
    disk.flush().unwrap();
    let full = fs::metadata(&path).unwrap().blocks();
    disk.discard(64, 128).unwrap();
    disk.discard(0, 0).unwrap();
    disk.flush().unwrap();
    let metadata = fs::metadata(&path).unwrap();
    assert!(metadata.blocks() <= full - 128 * 8, "{} of {full} blocks left", metadata.blocks());
    assert_eq!(metadata.len(), 256 * SECTOR as u64);
    let mut buf = sectors(1, 0);
    disk.read(63, &mut buf).unwrap();
    assert_eq!(buf, sectors(1, 1));
}

#[test]
fn read_only_disks_refuse_changes() {
    let (_folder, path) = folder();
    drop(FileDisk::create(&path, 4 * SECTOR as u64).unwrap());
    let mut disk = FileDiskOptions::new().read_only(true).open(&path).unwrap();
    assert!(!disk.geometry().discard);
    disk.read(0, &mut sectors(1, 0)).unwrap();
    assert_eq!(disk.write(0, &sectors(1, 0)).unwrap_err().kind(), IoError::WriteProtected);
    assert_eq!(disk.discard(0, 1).unwrap_err().kind(), IoError::WriteProtected);
    disk.flush().unwrap();
}

#[test]
fn the_sector_size_is_a_choice() {
    let (_folder, path) = folder();
    let options = FileDiskOptions::new().sector_bytes(512).tear_unit(16384);
    let geometry = options.create(&path, 1 << 20).unwrap().geometry();
    assert_eq!((geometry.sector_bytes, geometry.sectors, geometry.tear_unit), (512, 2048, 16384));
    let large = FileDiskOptions::new().sector_bytes(16384).open(&path).unwrap().geometry();
    assert_eq!((large.sectors, large.tear_unit), (64, 16384));

    for bytes in [0, 100, 256, 513, 32768] {
        let error = FileDiskOptions::new().sector_bytes(bytes).open(&path).unwrap_err();
        assert!(!matches!(error, OpenError::Busy { .. }), "an error keeps no lock");
        assert!(error.to_string().contains("sector"), "{error}");
    }
    let odd = FileDiskOptions::new().tear_unit(5000).open(&path).unwrap_err();
    assert!(matches!(odd, OpenError::Geometry(GeometryError::TearUnit)));
}

#[test]
fn an_existing_file_is_never_created_over() {
    let (_folder, path) = folder();
    fs::write(&path, b"precious").unwrap();
    match FileDisk::create(&path, 1 << 20).unwrap_err() {
        OpenError::System { source, .. } => assert_eq!(source.kind(), io::ErrorKind::AlreadyExists),
        error => panic!("{error}"),
    }
    assert_eq!(fs::read(&path).unwrap(), b"precious");
}

#[test]
fn a_file_that_cannot_be_a_disk_is_not_left_behind() {
    let (_folder, path) = folder();
    assert!(matches!(FileDisk::create(&path, 100), Err(OpenError::TooSmall { bytes: 100 })));
    assert!(FileDisk::create(&path, u64::MAX).is_err());
    assert!(FileDiskOptions::new().sector_bytes(100).create(&path, 1 << 20).is_err());
    assert!(!path.exists());
}

#[test]
fn only_files_and_block_devices_are_disks() {
    let (folder, path) = folder();
    assert!(matches!(FileDisk::open(folder.path()), Err(OpenError::NotADisk { .. })));
    assert!(matches!(FileDisk::open("/dev/null"), Err(OpenError::NotADisk { .. })));
    // A pipe must not make us wait for its other end.
    rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RUSR).unwrap();
    assert!(matches!(FileDisk::open(&path), Err(OpenError::NotADisk { .. })));
    let missing = FileDisk::open(folder.path().join("missing")).unwrap_err();
    assert!(missing.to_string().starts_with("cannot open: "), "{missing}");
}

#[test]
fn direct_io_goes_past_the_cache() {
    let (_folder, path) = folder();
    let mut disk = match FileDiskOptions::new().direct(true).create(&path, 16 * SECTOR as u64) {
        Err(OpenError::NoDirectIo) => return eprintln!("skipped: no direct I/O here"),
        disk => disk.unwrap(),
    };
    drop(disk);
    disk = FileDiskOptions::new().direct(true).open(&path).unwrap();
    let alignment = disk.geometry().buffer_alignment as usize;
    let memory = vec![7; 2 * SECTOR + alignment];
    let start = memory.as_ptr().align_offset(alignment);
    disk.write(5, &memory[start..start + 2 * SECTOR]).unwrap();
    if alignment > 1 {
        let error = disk.write(5, &memory[start + 1..start + 1 + SECTOR]).unwrap_err();
        assert_eq!(error.kind(), IoError::NotAligned);
    }
    disk.flush().unwrap();
    drop(disk);
    let content = fs::read(&path).unwrap();
    assert!(content[5 * SECTOR..7 * SECTOR] == sectors(2, 7));
}
