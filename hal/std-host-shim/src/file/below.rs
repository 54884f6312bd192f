//! What the system tells of the disk that a file is stored on.

use std::fs;
use std::path::Path;

use rustix::fs::{major, minor};

/// Where the system describes its block devices.
const DEVICES: &str = "/sys/dev/block";

/// The physical sectors that a disk may have, in bytes, to be taken at its word.
const SECTORS: std::ops::RangeInclusive<u32> = 512..=16384;

/// Bytes of a physical sector of the disk below a filesystem, by the filesystem's device number; `None` where
/// it is on none that has that number (tmpfs, btrfs, NFS), or the system does not tell.
///
/// A cut in a write through the system's cache damages no more than the sector that the disk was at: what the
/// cache writes beside it is what is there already.
pub(super) fn physical_sector_bytes(device: u64) -> Option<u32> {
    read(Path::new(DEVICES), device)
}

fn read(devices: &Path, device: u64) -> Option<u32> {
    let device = devices.join(format!("{}:{}", major(device), minor(device)));
    // A partition is described in the folder of its disk. The folder here is a link, which is followed first.
    let device = fs::canonicalize(device).ok()?;
    let sector = [Some(device.as_path()), device.parent()].into_iter().flatten().find_map(|folder| {
        let text = fs::read_to_string(folder.join("queue/physical_block_size")).ok()?;
        text.trim().parse().ok()
    });
    sector.filter(|sector: &u32| sector.is_power_of_two() && SECTORS.contains(sector))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::makedev;
    use std::os::unix::fs::symlink;

    #[test]
    fn disks_and_their_partitions_tell_their_sectors() {
        let root = tempfile::tempdir().expect("a folder");
        let devices = root.path().join("dev");
        fs::create_dir(&devices).expect("a folder");
        let disk = |name: &str, number: u32, sector: &str| {
            let disk = root.path().join(name);
            fs::create_dir_all(disk.join("queue")).expect("a folder");
            fs::create_dir_all(disk.join("part")).expect("a folder");
            fs::write(disk.join("queue/physical_block_size"), sector).expect("a file");
            symlink(&disk, devices.join(format!("8:{number}"))).expect("a link");
            symlink(disk.join("part"), devices.join(format!("8:{}", number + 1))).expect("a link");
        };
        disk("old", 0, "512\n");
        disk("new", 16, "4096\n");
        disk("odd", 32, "520\n");
        disk("large", 48, "1048576\n");
        let tell = |number| read(&devices, makedev(8, number));
        assert_eq!([0, 1, 16, 17].map(tell), [512, 512, 4096, 4096].map(Some));
        assert_eq!([32, 48, 64].map(tell), [None; 3]);
        assert_eq!(read(&devices, makedev(0, 64)), None);
    }
}
