//! A disk that is a block device: a loop device over a file, where the system lets us make one (root, a free one).

use std::fs;
use std::path::Path;
use std::process::{self, Command};

use dynamicfs_hal::{BlockDevice, DeviceError, IoError};
use std_host_shim::{FileDisk, FileDiskOptions, OpenError};

const BYTES: usize = 4 << 20;

/// A loop device, detached when dropped.
struct Loop(String);

impl Loop {
    fn attach(file: &Path, arguments: &[&str]) -> Option<Self> {
        let output =
            Command::new("losetup").args(["--find", "--show"]).args(arguments).arg(file).output().ok()?;
        let device = String::from_utf8(output.stdout).ok()?.trim().to_owned();
        output.status.success().then_some(Self(device))
    }
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
    let Some(device) = Loop::attach(&file, &[]) else {
        return eprintln!("skipped: no loop device to be had");
    };

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
    let Some(device) = Loop::attach(&file, &["--sector-size", "4096"]) else {
        return eprintln!("skipped: no loop device to be had");
    };
    let open = |bytes| FileDiskOptions::new().sector_bytes(bytes).open(&device.0);
    assert!(matches!(open(512), Err(OpenError::SectorTooSmall { asked: 512, smallest: 4096 })));
    assert_eq!(open(8192).unwrap().geometry().sectors, (BYTES / 8192) as u64);
    assert_eq!(FileDisk::open(&device.0).unwrap().geometry().sector_bytes, 4096);
}
