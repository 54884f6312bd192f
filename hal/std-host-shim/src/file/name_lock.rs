//! A lock by a name: for something that is reached under several paths, so that locks on those do not meet.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::OpenError;
use super::lock::LockedFile;

/// An advisory lock that all openers of one name on this machine share: an image and a loop device over it, or two paths to one
/// device, are locked apart, but belong to the same pool. Dropping it, or the process's death, releases it.
///
/// It is a file in a folder for such files, which stays when it is released and is empty.
#[derive(Debug)]
pub struct NameLock {
    _file: LockedFile,
}

impl NameLock {
    /// Takes the lock of this name, shared with other readers or alone; `None` where this machine, or this user, has no
    /// place for it.
    ///
    /// # Errors
    /// [`OpenError::Busy`] while another has it, [`OpenError::System`] where the lock itself fails.
    pub fn take(name: &str, read_only: bool) -> Result<Option<Self>, OpenError> {
        match folder() {
            Some(folder) => Self::take_in(&folder, name, read_only),
            None => Ok(None),
        }
    }

    /// As [`take`](Self::take), in this folder.
    fn take_in(folder: &Path, name: &str, read_only: bool) -> Result<Option<Self>, OpenError> {
        let opened = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(OFlags::NOFOLLOW.bits() as i32)
            .open(folder.join(format!("dynamicfs-{name}.lock")));
        match opened {
            Ok(file) => Ok(Some(Self { _file: LockedFile::new(file, read_only)? })),
            // Another user's, or there is no room for it: the locks on the disks themselves are left.
            Err(_) => Ok(None),
        }
    }
}

/// Where locks are that outlive no restart: the system's folder for them, which all users share, or else the user's own.
fn folder() -> Option<PathBuf> {
    let own = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    [Some(PathBuf::from("/run/lock")), own].into_iter().flatten().find(|folder| folder.is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_share_a_name_and_a_writer_has_it_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let take = |name, read_only| NameLock::take_in(folder.path(), name, read_only);
        let first = take("a", true).expect("free").expect("there is room");
        let second = take("a", true).expect("shared").expect("there is room");
        assert!(matches!(take("a", false), Err(OpenError::Busy { .. })));
        let other = take("b", false).expect("another name").expect("there is room");
        assert!(matches!(take("b", true), Err(OpenError::Busy { .. })));
        drop((first, second, other));
        assert!(take("a", false).expect("released").is_some());
    }

    #[test]
    fn without_a_place_for_it_there_is_no_lock() {
        let missing = Path::new("/nonexistent/folder");
        assert!(NameLock::take_in(missing, "a", false).expect("no failure").is_none());
    }
}
