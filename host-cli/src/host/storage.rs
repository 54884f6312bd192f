//! The storage of a path: bytes of a file or of a whole device. Two names of the same bytes are one disk.
//! What the kernel or another process has under one of them is in use under all.

use crate::output::names::ShowPath;
use rustix::fs::{OFlags, major, minor};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std_host_shim::OpenError;

/// Loop devices over loop devices are followed so far.
const DEPTH_MAX: usize = 8;

/// Bytes of the unit in which sysfs gives sizes and places.
const SYSFS_SECTOR: u64 = 512;

/// A file or a whole device, by its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holder {
    File { device: u64, inode: u64 },
    Device(u64),
}

/// Bytes of a file or device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Storage {
    holder: Holder,
    bytes: Range<u64>,
}

impl Storage {
    /// What a path is stored in.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let metadata = fs::metadata(path)?;
        let whole = Self { holder: holder(&metadata), bytes: 0..u64::MAX };
        Ok((0..DEPTH_MAX)
            .try_fold(whole, |storage, _| storage.below().ok_or(storage))
            .unwrap_or_else(|it| it))
    }

    /// Whether both have some bytes in common.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        self.holder == other.holder
            && self.bytes.start < other.bytes.end
            && other.bytes.start < self.bytes.end
    }

    /// The same bytes, one level down: of a partition its disk's, of a loop device its file's.
    fn below(&self) -> Option<Self> {
        let Holder::Device(device) = self.holder else { return None };
        let folder = fs::canonicalize(sysfs(device)).ok()?;
        let (holder, at, length) = if folder.join("partition").exists() {
            let disk = fs::read_to_string(folder.parent()?.join("dev")).ok()?;
            let sectors = |name: &str| number(&folder.join(name)).map(|sectors| sectors * SYSFS_SECTOR);
            (Holder::Device(parse_device(&disk)?), sectors("start")?, sectors("size")?)
        } else {
            let file = fs::read_to_string(folder.join("loop/backing_file")).ok()?;
            let file = fs::metadata(file.trim_end_matches('\n')).ok()?;
            let limit = number(&folder.join("loop/sizelimit")).filter(|&limit| limit > 0);
            (holder(&file), number(&folder.join("loop/offset"))?, limit.unwrap_or(u64::MAX))
        };
        let start = self.bytes.start.saturating_add(at);
        let end = self.bytes.end.saturating_add(at).min(at.saturating_add(length));
        Some(Self { holder, bytes: start..end })
    }
}

fn holder(metadata: &Metadata) -> Holder {
    if metadata.file_type().is_block_device() {
        Holder::Device(metadata.rdev())
    } else {
        Holder::File { device: metadata.dev(), inode: metadata.ino() }
    }
}

fn sysfs(device: u64) -> PathBuf {
    PathBuf::from(format!("/sys/dev/block/{}:{}", major(device), minor(device)))
}

fn number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

fn parse_device(text: &str) -> Option<u64> {
    let (major, minor) = text.trim().split_once(':')?;
    Some(rustix::fs::makedev(major.parse().ok()?, minor.parse().ok()?))
}

/// A loop device over some of these bytes. Over a file any counts, since the next program that opens it
/// writes to the file. Over a device one counts that is mounted or opened exclusively.
pub(crate) fn user_of(path: &Path) -> Option<PathBuf> {
    let storage = Storage::of(path).ok()?;
    let own = fs::metadata(path).ok().filter(|own| own.file_type().is_block_device()).map(|own| own.rdev());
    let devices = fs::read_dir("/sys/block").ok()?.flatten().map(|entry| entry.path());
    let mut loops = devices.filter(|folder| folder.join("loop/backing_file").exists());
    loops.find_map(|folder| {
        let device = parse_device(&fs::read_to_string(folder.join("dev")).ok()?)?;
        let node = Path::new("/dev").join(folder.file_name()?);
        let is_over = own != Some(device) && Storage::of(&node).is_ok_and(|other| other.overlaps(&storage));
        (is_over && (own.is_none() || is_claimed(&node, device))).then_some(node)
    })
}

/// Whether a device is mounted, or claimed by something.
fn is_claimed(node: &Path, device: u64) -> bool {
    let flags = (OFlags::EXCL | OFlags::NONBLOCK).bits() as i32;
    match File::options().read(true).custom_flags(flags).open(node) {
        Ok(_) => false,
        Err(error) if error.raw_os_error() == Some(Errno::BUSY.raw_os_error()) => true,
        // Without the right to ask the kernel, its tables tell most of it.
        Err(_) => {
            let numbers = format!(" {}:{} ", major(device), minor(device));
            let holders =
                fs::read_dir(sysfs(device).join("holders")).is_ok_and(|mut all| all.next().is_some());
            holders || fs::read_to_string("/proc/self/mountinfo").is_ok_and(|table| table.contains(&numbers))
        }
    }
}

/// Why what is at a path takes no writes, though it can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum WriteProtection {
    /// The device takes none.
    Device,
    /// A loop device that was set up to take none: how it is set up so that it does.
    Loop(String),
    /// The filesystem that a file is in is mounted so.
    Filesystem,
    /// A file has the attribute that forbids it.
    Immutable,
    /// This user may not write to it; another may.
    ThisUser,
}

impl WriteProtection {
    /// `None` if it takes writes.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        use rustix::fs::{Access, AtFlags, CWD, accessat};
        let metadata = fs::metadata(path).ok()?;
        let device = sysfs(metadata.rdev());
        if metadata.file_type().is_block_device() && number(&device.join("ro")) == Some(1) {
            return Some(loop_arguments(&device).map_or(Self::Device, Self::Loop));
        }
        match accessat(CWD, path, Access::WRITE_OK, AtFlags::EACCESS) {
            Err(Errno::ROFS) => Some(Self::Filesystem),
            Err(Errno::PERM) => Some(Self::Immutable),
            Err(Errno::ACCESS) => Some(Self::ThisUser),
            _ => None,
        }
    }

    /// Why, for people.
    pub(crate) const fn words(&self) -> &'static str {
        match self {
            Self::Device | Self::Loop(_) => "the device is write-protected",
            Self::Filesystem => "its filesystem is mounted read-only",
            Self::Immutable => "it is marked as immutable",
            Self::ThisUser => "this user may not write to it",
        }
    }

    /// What opening it to write meets.
    pub(crate) fn error(&self) -> OpenError {
        let source = match self {
            Self::Device | Self::Loop(_) | Self::Filesystem => Errno::ROFS,
            Self::Immutable => Errno::PERM,
            Self::ThisUser => Errno::ACCESS,
        };
        OpenError::System { operation: "open for writing", source: source.into() }
    }

    /// The command that makes what is at a path take writes, or shows why it does not. The path is as a shell
    /// takes it.
    pub(crate) fn cure(&self, typed: &str) -> String {
        match self {
            Self::Device => format!("blockdev --setrw {typed}"),
            // It stays as it was set up, and the device's own flag outlives that.
            Self::Loop(arguments) => {
                format!("losetup -d {typed} && blockdev --setrw {typed} && losetup {typed} {arguments}")
            }
            Self::Filesystem => {
                format!("mount -o remount,rw \"$(findmnt -n -o TARGET --target {typed})\"")
            }
            Self::Immutable => format!("chattr -i {typed}"),
            Self::ThisUser => format!("ls -l {typed}"),
        }
    }
}

/// How the loop device of this folder in sysfs is set up.
fn loop_arguments(device: &Path) -> Option<String> {
    let file = fs::read(device.join("loop/backing_file")).ok()?;
    let mut arguments = Path::new(OsStr::from_bytes(file.trim_ascii_end())).typed();
    for name in ["offset", "sizelimit"] {
        let bytes = number(&device.join("loop").join(name)).filter(|&bytes| bytes > 0);
        arguments.extend(bytes.map(|bytes| format!(" --{name} {bytes}")));
    }
    Some(arguments)
}

/// Opens what is to be a disk for reading, without waiting for anything. Opening a pipe would wait for its
/// other end.
pub(crate) fn open_to_look(path: &Path) -> io::Result<File> {
    if let Some(refused) = OpenError::not_a_disk(fs::metadata(path)?.file_type()) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("it is {refused}")));
    }
    File::options().read(true).custom_flags(OFlags::NONBLOCK.bits() as i32).open(path)
}

/// Reads a file of text, and waits for nothing: a pipe in its place is refused.
pub(crate) fn read_text(path: &Path) -> io::Result<String> {
    let flags = OFlags::NONBLOCK.bits() as i32;
    let mut file = File::options().read(true).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a file"));
    }
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_names_of_one_file_overlap_and_two_files_do_not() {
        let folder = tempfile::tempdir().unwrap();
        let [first, second, link] = ["first", "second", "link"].map(|name| folder.path().join(name));
        fs::write(&first, b"1").unwrap();
        fs::write(&second, b"2").unwrap();
        fs::hard_link(&first, &link).unwrap();
        let [first, second, link] = [first, second, link].map(|path| Storage::of(&path).unwrap());
        assert!(first.overlaps(&link) && !first.overlaps(&second));
        let part = |bytes: Range<u64>| Storage { bytes, ..first.clone() };
        assert!(part(0..10).overlaps(&part(9..20)) && !part(0..10).overlaps(&part(10..20)));
    }
}
