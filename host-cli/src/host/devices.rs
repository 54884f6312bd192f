//! Block devices of this machine: what the system calls them, and what they are.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

/// Names that tell a device by what it is, and not by when it was found.
const BY_ID: &str = "/dev/disk/by-id";

/// Beginnings of names that are numbers alone: others say model and serial number.
const NUMBERS: [&str; 3] = ["wwn-", "nvme-eui.", "nvme-nvme."];

/// What the system knows of a device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hardware {
    /// The maker and model.
    pub(crate) model: Option<String>,
    /// The serial number or world-wide name.
    pub(crate) serial: Option<String>,
}

/// The path that finds a device again wherever it is attached, if the system has one; else the path itself.
pub(crate) fn stable_path(path: &Path) -> PathBuf {
    let is_device = fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_block_device());
    let Ok(device) = fs::canonicalize(path) else { return path.to_owned() };
    if !is_device || path.starts_with(BY_ID) {
        return path.to_owned();
    }
    let links = fs::read_dir(BY_ID).into_iter().flatten().flatten().map(|entry| entry.path());
    let own = links.filter(|link| fs::canonicalize(link).is_ok_and(|target| target == device));
    own.min_by_key(|link| (is_number(link), link.clone())).unwrap_or_else(|| path.to_owned())
}

fn is_number(link: &Path) -> bool {
    let name = link.file_name().and_then(OsStr::to_str).unwrap_or_default();
    NUMBERS.iter().any(|beginning| name.starts_with(beginning))
}

/// All block devices that have any sectors, partitions included. Optical and memory disks are left out.
pub(crate) fn block_devices() -> Vec<PathBuf> {
    let entries = fs::read_dir("/sys/class/block").into_iter().flatten().flatten();
    let is_used = |folder: &Path| {
        let size = fs::read_to_string(folder.join("size"));
        size.is_ok_and(|size| size.trim().parse::<u64>().is_ok_and(|sectors| sectors > 0))
    };
    let names = entries.filter(|entry| is_used(&entry.path())).map(|entry| entry.file_name());
    let is_disk = |name: &OsStr| {
        let name = name.to_string_lossy();
        !["ram", "zram", "sr", "fd"].iter().any(|kind| name.starts_with(kind))
    };
    // sysfs has ! where a name has /.
    let node = |name: &OsStr| Path::new("/dev").join(name.to_string_lossy().replace('!', "/"));
    let mut paths: Vec<PathBuf> = names.filter(|name| is_disk(name)).map(|name| node(&name)).collect();
    paths.sort();
    paths
}

/// What the system knows of the device at a path; `None` where it is none.
pub(crate) fn hardware(path: &Path) -> Option<Hardware> {
    fs::metadata(path).ok().filter(|metadata| metadata.file_type().is_block_device())?;
    let real = fs::canonicalize(path).ok()?;
    let folder = fs::canonicalize(Path::new("/sys/class/block").join(real.file_name()?)).ok()?;
    // Of a partition its disk tells.
    let folder = match folder.join("partition").exists() {
        true => folder.parent()?.to_owned(),
        false => folder,
    };
    let say = |names: &[&str]| {
        let texts = names.iter().filter_map(|name| fs::read_to_string(folder.join(name)).ok());
        let words: Vec<String> =
            texts.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()).collect();
        (!words.is_empty()).then(|| words.join(" "))
    };
    let serials = ["device/serial", "serial", "wwid", "device/wwid"];
    Some(Hardware {
        model: say(&["device/vendor", "device/model"]),
        serial: serials.iter().find_map(|name| say(&[name])),
    })
}
