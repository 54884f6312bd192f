//! Files, folders and links of this machine that are made from what the pool holds.

use super::attributes;
use dynamicfs_core::format::inode::Inode;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;
use tempfile::NamedTempFile;

/// How the name of a file begins until it is complete: a command that is killed leaves it behind.
const UNFINISHED: &str = ".dynamicfs-";

/// A file that is to get this name when it is complete.
pub(crate) fn unfinished(dest: &Path) -> io::Result<NamedTempFile> {
    let folder = dest.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(folder)
}

/// Makes a folder unless it is there. A link to one is not taken for one: it could lead anywhere.
pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Err(error)
            if error.kind() == io::ErrorKind::AlreadyExists && fs::symlink_metadata(path)?.is_dir() =>
        {
            Ok(())
        }
        made => made,
    }
}

pub(crate) fn make_symlink(path: &Path, target: &[u8], inode: &Inode) -> io::Result<()> {
    remove_old(path)?;
    symlink(OsStr::from_bytes(target), path)?;
    attributes::own(path, inode)
}

pub(crate) fn make_link(first: &Path, path: &Path) -> io::Result<()> {
    remove_old(path)?;
    fs::hard_link(first, path)
}

fn remove_old(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
