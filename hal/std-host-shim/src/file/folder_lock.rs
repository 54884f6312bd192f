//! A lock on a folder: for what is written beside disks and belongs to all of them.

use std::fs::{self, File};
use std::path::Path;

use super::OpenError;
use super::lock::LockedFile;

/// An advisory lock on a folder, for one at a time. It leaves no file behind. Dropping it, or the process's
/// death, releases it.
#[derive(Debug)]
pub struct FolderLock {
    _file: LockedFile,
}

impl FolderLock {
    /// Takes the lock of this folder; `None` where there is no such folder, or its filesystem has no locks
    /// for folders, as NFS.
    ///
    /// # Errors
    /// [`OpenError::Busy`] while another has it.
    pub fn take(folder: &Path) -> Result<Option<Self>, OpenError> {
        loop {
            let Ok(opened) = File::open(folder) else { return Ok(None) };
            match LockedFile::new(opened, false) {
                // Else it was removed before it was locked, and there may be another one of that name.
                Ok(file) if file.is_same_as(fs::metadata(folder)) => return Ok(Some(Self { _file: file })),
                Ok(_) => {}
                Err(busy @ OpenError::Busy { .. }) => return Err(busy),
                Err(_) => return Ok(None),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_writer_and_keeps_nothing_of_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = FolderLock::take(folder.path()).expect("free").expect("it can be locked");
        let own = std::process::id();
        assert!(
            matches!(FolderLock::take(folder.path()), Err(OpenError::Busy { pid: Some(pid) }) if pid == own)
        );
        drop(first);
        assert!(FolderLock::take(folder.path()).expect("released").is_some());
        assert_eq!(std::fs::read_dir(folder.path()).expect("read").count(), 0);
        assert!(FolderLock::take(&folder.path().join("none")).expect("no failure").is_none());
    }
}
