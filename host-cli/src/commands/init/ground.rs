//! Where a new pool's folder and files would be made, looked at before anything is.

use super::{Options, disks};
use crate::output::failure::{Code, Failure};
use crate::output::names::ShowPath;
use crate::pool::config::{DISKS, resolved};
use rustix::fs::{Access, AtFlags, CWD, PROC_SUPER_MAGIC, accessat, statfs, statvfs};
use rustix::io::Errno;
use std::fs;
use std::io;
use std::path::Path;

/// What `statfs` says of the kernel's own filesystem for devices: nothing can be made in it.
const SYSFS_MAGIC: u64 = 0x6265_6572;

/// Refuses a folder that cannot be made, or that no file can be made in.
pub(super) fn refuse_unmakable(folder: &Path) -> Result<(), Failure> {
    check(folder).map_err(|error| {
        Failure::host(format_args!("make the folder {}", folder.shown()), &error)
            .hint("name another folder with --pool")
    })
}

/// Refuses a witness that is to be made where something else is to be, or where no file can be made.
pub(super) fn refuse_witness(folder: &Path, options: &Options, witness: &Path) -> Result<(), Failure> {
    let (place, folder) = (resolved(witness), resolved(folder));
    let disks = folder.join(DISKS);
    let makes_disks = options.disks.is_some();
    let is_own = folder.starts_with(&place)
        || makes_disks && place == disks
        || disks::images(options).any(|(_, image)| folder.join(image) == place);
    if is_own {
        let message = format!("{} cannot be the witness: the pool makes it itself", witness.shown());
        return Err(Failure::new(Code::InUse, message).hint("name another file with --witness"));
    }
    let parent = place.parent().unwrap_or(&place);
    let is_made = folder.starts_with(parent) || makes_disks && parent == disks;
    let checked = match (is_made, fs::metadata(parent)) {
        (false, Err(error)) => Err(error),
        (false, Ok(there)) if !there.is_dir() => Err(Errno::NOTDIR.into()),
        _ => check(&place),
    };
    checked.map_err(|error| {
        Failure::host(format_args!("make {}", witness.shown()), &error)
            .hint("make its folder first, or name another file with --witness")
    })
}

/// Whether something can be made at a path, with the folders that are missing on the way; else why not.
fn check(path: &Path) -> io::Result<()> {
    let path = std::path::absolute(path)?;
    let mut missing = Vec::new();
    let mut above = path.as_path();
    while let Err(error) = fs::symlink_metadata(above) {
        match (error.kind(), above.parent()) {
            (io::ErrorKind::NotFound, Some(parent)) => missing.push(std::mem::replace(&mut above, parent)),
            _ => return Err(error),
        }
    }
    // A link that leads nowhere is in the way, too.
    if !fs::metadata(above)?.is_dir() {
        return Err(Errno::NOTDIR.into());
    }
    accessat(CWD, above, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS)?;
    let kind = statfs(above)?.f_type as u64;
    if kind == PROC_SUPER_MAGIC as u64 || kind == SYSFS_MAGIC {
        return Err(Errno::PERM.into());
    }
    let longest = statvfs(above)?.f_namemax;
    let is_long = |path: &&Path| path.file_name().is_some_and(|name| name.len() as u64 > longest);
    if missing.iter().any(is_long) {
        return Err(Errno::NAMETOOLONG.into());
    }
    Ok(())
}
