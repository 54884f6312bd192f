//! A lock by a name: for something that is reached under several paths, so that locks on those do not meet.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::OpenError;
use super::lock::LockedFile;

/// An advisory lock that all openers of one name on this machine share. An image and a loop device over it,
/// or two paths to one device, are locked apart, but belong to the same pool. Dropping it, or the process's
/// death, releases it.
///
/// It is an empty file in a folder for such files. An opener with the lock alone removes the file while it
/// still has the lock. An opener that has locked a file checks that its name still leads to it. Else another
/// opener may have locked the next file of that name meanwhile. So of all that have the name at a time, each
/// has the file that the name leads to. Readers leave the file where it is, until the next writer. To remove
/// it, a reader would need the lock alone for a moment, and other readers would be refused then.
///
/// What another user may not read, it cannot lock: the file is its user's alone. A process of the same user,
/// or root's, can hold the lock for as long as it likes.
#[derive(Debug)]
pub struct NameLock {
    file: LockedFile,
    /// Where the file is, if it is to be removed.
    removed: Option<PathBuf>,
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
        let path = folder.join(format!("dynamicfs-{name}.lock"));
        loop {
            let opened = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .custom_flags(OFlags::NOFOLLOW.bits() as i32)
                .open(&path);
            // Another user's, or there is no room for it: the locks on the disks themselves are left.
            let Ok(file) = opened else { return Ok(None) };
            if let Some(file) = lock(&path, file, read_only)? {
                return Ok(Some(Self { file, removed: (!read_only).then_some(path) }));
            }
        }
    }
}

impl Drop for NameLock {
    fn drop(&mut self) {
        // Before the lock is let go of. Where this fails the file stays, empty, and the next one takes it.
        if let Some(path) =
            self.removed.as_ref().filter(|path| self.file.is_same_as(fs::symlink_metadata(path)))
        {
            let _ = fs::remove_file(path);
        }
    }
}

/// Locks a file that was opened at this path; `None` if it was removed before it was locked, by what had it
/// until then.
fn lock(path: &Path, file: File, read_only: bool) -> Result<Option<LockedFile>, OpenError> {
    let file = LockedFile::new(file, read_only)?;
    Ok(file.is_same_as(fs::symlink_metadata(path)).then_some(file))
}

/// Where locks are that outlive no restart: the system's folder for them, which all users share, or else the user's own.
fn folder() -> Option<PathBuf> {
    let own = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    [Some(PathBuf::from("/run/lock")), own].into_iter().flatten().find(|folder| folder.is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

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
    fn a_writer_leaves_nothing_behind() {
        let folder = tempfile::tempdir().expect("a folder");
        let take = |read_only| NameLock::take_in(folder.path(), "a", read_only).expect("free").expect("room");
        let files = || fs::read_dir(folder.path()).expect("read").count();
        let (first, second) = (take(true), take(true));
        drop((first, second));
        assert_eq!(files(), 1, "readers leave the file to the next writer");
        drop(take(false));
        assert_eq!(files(), 0);
    }

    // A lock on a file that was removed by then keeps nothing out.
    #[test]
    fn a_file_that_was_removed_before_it_was_locked_counts_for_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("dynamicfs-a.lock");
        let first = NameLock::take_in(folder.path(), "a", false).expect("free").expect("room");
        let [late, later] = [(); 2].map(|()| File::open(&path).expect("it is there"));
        drop(first);
        assert!(lock(&path, late, false).expect("nothing has it").is_none());
        let _next = NameLock::take_in(folder.path(), "a", false).expect("free").expect("room");
        assert!(lock(&path, later, false).expect("nothing has it").is_none(), "another file of that name");
    }

    #[test]
    fn of_many_that_take_and_leave_a_name_one_has_it_at_a_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let (inside, rounds) = (AtomicU32::new(0), AtomicU32::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while rounds.load(Ordering::SeqCst) < 2000 {
                        let Ok(taken) = NameLock::take_in(folder.path(), "a", false) else { continue };
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two have it");
                        rounds.fetch_add(1, Ordering::SeqCst);
                        inside.fetch_sub(1, Ordering::SeqCst);
                        drop(taken);
                    }
                });
            }
        });
        assert_eq!(fs::read_dir(folder.path()).expect("read").count(), 0);
    }

    #[test]
    fn without_a_place_for_it_there_is_no_lock() {
        let missing = Path::new("/nonexistent/folder");
        assert!(NameLock::take_in(missing, "a", false).expect("no failure").is_none());
    }
}
