//! Whether a disk is free to be used: what else is on it, and what else has it.

use super::config::Config;
use super::labels::Labels;
use crate::host::signature::{self, Signature};
use crate::host::storage::{Storage, user_of};
use crate::output::failure::{Code, Failure};
use crate::output::names::ShowPath;
use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

/// Looks for what is on a disk that is to be used: refused unless it may be overwritten. What something has
/// open under another name is refused always. The signatures are to be wiped once the disk is locked.
///
/// On a disk of a pool there are none to look for: what its blocks hold may look like anything.
pub(crate) fn look(path: &Path, force: bool) -> Result<Vec<Signature>, Failure> {
    if let Some(user) = user_of(path) {
        let message = format!("{} is in use as {}", path.shown(), user.shown());
        return Err(Failure::new(Code::Busy, message).hint("unmount it, or stop what has it open"));
    }
    if Labels::read(path).is_ok_and(|labels| labels.identity().is_some()) {
        return Ok(Vec::new());
    }
    // What cannot be read is refused where it is opened, in words that fit.
    let found = signature::find(path).unwrap_or_default();
    if found.is_empty() || force {
        return Ok(found);
    }
    let message = format!("{} holds {}", path.shown(), signature::names(&found));
    Err(Failure::new(Code::InUse, message)
        .hint("see what is on it with `blkid` or `wipefs`; --force overwrites it"))
}

/// Wipes what [`look`] found.
pub(crate) fn wipe(path: &Path, found: &[Signature]) -> Result<(), Failure> {
    signature::wipe(path, found)
        .map_err(|error| Failure::host(format_args!("wipe the signatures of {}", path.shown()), &error))
}

/// Refuses two names of the same bytes: they would be two disks that fail together, and overwrite each other.
pub(crate) fn refuse_shared(paths: &[&Path]) -> Result<(), Failure> {
    let stored: Vec<_> = paths.iter().filter_map(|path| Some((*path, Storage::of(path).ok()?))).collect();
    for (number, (second, storage)) in stored.iter().enumerate() {
        if let Some((first, _)) = stored[..number].iter().find(|(_, first)| first.overlaps(storage)) {
            let message = format!("{} and {} are the same storage", first.shown(), second.shown());
            return Err(Failure::new(Code::InUse, message).hint("name each disk once"));
        }
    }
    Ok(())
}

/// Refuses to put a file in the place of a disk of a pool, of a pool.toml, of a device or of a pipe. What is
/// taken out of a pool must not destroy one.
pub(crate) fn refuse_replacing(dest: &Path) -> Result<(), Failure> {
    let Ok(there) = fs::symlink_metadata(dest) else { return Ok(()) };
    let (kind, shown) = (there.file_type(), dest.shown());
    let what = match () {
        () if kind.is_block_device() || kind.is_char_device() => "is a device",
        () if kind.is_fifo() || kind.is_socket() => "is a pipe or a socket",
        () if kind.is_file() && Config::is_one(dest) => "says where the disks of a pool are",
        // One that this version does not know, too.
        () if kind.is_file() && Labels::read(dest).is_ok_and(is_of_a_pool) => "is a disk of a pool",
        () if kind.is_file() && Labels::read(dest).is_err() => "cannot be read, and may be a disk",
        () => return Ok(()),
    };
    Err(Failure::new(Code::InUse, format!("{shown} {what}, and is not replaced"))
        .hint("name another place; `-` is standard output"))
}

fn is_of_a_pool(labels: Labels) -> bool {
    labels.identity().is_some() || labels.unsupported().is_some()
}

/// Refuses a path that pool.toml cannot hold.
pub(crate) fn refuse_unlistable(path: &Path) -> Result<(), Failure> {
    match path.to_str() {
        Some(_) => Ok(()),
        None => Err(Failure::new(
            Code::InvalidName,
            format!("the path {} is no text in UTF-8, and pool.toml is", path.shown()),
        )
        .hint("rename it, or make a symbolic link to it under another name")),
    }
}
