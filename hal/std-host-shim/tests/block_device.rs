//! A disk that is a block device: a loop device over a file, where the system lets us make one.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::{self, Command};

use dynamicfs_hal::{BlockDevice, DeviceError, IoError};
use std_host_shim::{FileDisk, FileDiskOptions, OpenError};

const BYTES: usize = 4 << 20;

/// A loop device, detached when dropped.
struct Loop(String);

impl Loop {
    /// A device over a file; `None`, with the reason, where this process may make none.
    fn attach(file: &Path, arguments: &[&str]) -> Option<Self> {
        if let Err(error) = fs::File::options().read(true).write(true).open("/dev/loop-control") {
            println!("no loop devices, /dev/loop-control: {error}");
            return None;
        }
        let losetup = Command::new("losetup").args(["--find", "--show"]).args(arguments).arg(file).output();
        let losetup = losetup.unwrap();
        assert!(losetup.status.success(), "losetup: {}", String::from_utf8_lossy(&losetup.stderr));
        Some(Self(String::from_utf8(losetup.stdout).unwrap().trim().to_owned()))
    }
}

/// What can be tested without a block device: that a device of another kind is none.
fn without_devices() {
    assert!(matches!(FileDisk::open("/dev/null"), Err(OpenError::NotADisk { .. })));
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = Command::new("losetup").args(["--detach", &self.0]).status();
    }
}

#[test]
fn a_block_device_is_a_disk() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("backing.img");
    fs::write(&file, vec![1; BYTES]).unwrap();
    let Some(device) = Loop::attach(&file, &[]) else { return without_devices() };

    let mut disk = FileDisk::open(&device.0).unwrap();
    let geometry = disk.geometry();
    assert_eq!((geometry.sector_bytes, geometry.bytes()), (512, BYTES as u64));
    assert!(geometry.tear_unit >= 512);

    disk.write(7, &[9; 1024]).unwrap();
    if geometry.discard {
        disk.discard(16, 16).unwrap();
    }
    disk.flush().unwrap();
    let mut buf = [0; 2048];
    disk.read(6, &mut buf).unwrap();
    assert!(buf == *[[1; 512], [9; 512], [9; 512], [1; 512]].concat());
    assert_eq!(disk.read(geometry.sectors, &mut buf).unwrap_err().kind(), IoError::OutOfBounds);

    match FileDisk::open(&device.0) {
        Err(OpenError::Busy { pid }) => assert_eq!(pid, Some(process::id())),
        other => panic!("not busy but {other:?}"),
    }
    drop(disk);
    assert!(fs::read(&file).unwrap()[7 * 512..9 * 512] == [9; 1024]);
}

#[test]
fn sectors_are_no_smaller_than_the_device_has() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("backing.img");
    fs::write(&file, vec![0; BYTES]).unwrap();
    let Some(device) = Loop::attach(&file, &["--sector-size", "4096"]) else { return without_devices() };
    let open = |bytes| FileDiskOptions::new().sector_bytes(bytes).open(&device.0);
    assert!(matches!(open(512), Err(OpenError::SectorTooSmall { asked: 512, smallest: 4096 })));
    assert_eq!(open(8192).unwrap().geometry().sectors, (BYTES / 8192) as u64);
    assert_eq!(FileDisk::open(&device.0).unwrap().geometry().sector_bytes, 4096);
}

#[test]
fn a_write_protected_device_is_opened_for_reading_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("backing.img");
    fs::write(&file, vec![7; BYTES]).unwrap();
    let Some(device) = Loop::attach(&file, &["--read-only"]) else { return without_devices() };
    match FileDisk::open(&device.0) {
        Err(OpenError::System { source, .. }) => assert_eq!(source.kind(), ErrorKind::ReadOnlyFilesystem),
        other => panic!("not refused but {other:?}"),
    }
    let mut disk = FileDiskOptions::new().read_only(true).open(&device.0).unwrap();
    let mut buf = [0; 512];
    disk.read(3, &mut buf).unwrap();
    assert_eq!(buf, [7; 512]);
}
