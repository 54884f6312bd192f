//! Locks as QEMU takes them on the images of its machines, so that it and a pool keep out each other.
//!
//! QEMU (`block/file-posix.c`, `include/block/block-common.h`) never locks a file as a whole. Each of its
//! users of an image has some rights, and says which rights no other user may have. Byte `100 + n` of the
//! file is locked while a user has the right number n, byte `200 + n` while a user forbids that right to
//! others:
//!
//! | n | right | a pool's writer | its reader |
//! |--:|---|---|---|
//! | 0 | read what is consistent | has it, forbids it | has it |
//! | 1 | write | has it, forbids it | forbids it |
//! | 2 | write what is there already | has it, forbids it | |
//! | 3 | change the size | has it, forbids it | forbids it |
//!
//! All locks are shared ones, of the open file and not of the process. A user first takes its own, and then
//! asks whether any other is on the bytes that contradict: of two that begin at one time both may be
//! refused, and never none.
//!
//! They stand beside the lock on the whole file, by which pools keep out each other. Where a filesystem
//! makes that one out of locks on ranges (NFS), a lock of others that begins before byte 100 is taken for
//! such a one, and not asked about twice.

use std::fs::File;
use std::ops::Range;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

use super::OpenError;

/// What is locked as long as the file is open, and where nothing else may have a lock.
struct Claim {
    held: &'static [Range<i64>],
    free: &'static [Range<i64>],
}

const WRITER: Claim = Claim { held: &[100..104, 200..204], free: &[100..104, 200..204] };
const READER: Claim = Claim { held: &[100..101, 201..202, 203..204], free: &[101..102, 103..104, 200..201] };

/// Takes the locks of a writer that is `alone`, or of a reader. They go with the file, or by [`release`].
///
/// # Errors
/// [`OpenError::Busy`] while a QEMU has the file in a way that contradicts.
pub(super) fn take(file: &File, alone: bool) -> Result<(), OpenError> {
    let claim = if alone { &WRITER } else { &READER };
    let taken = claim.held.iter().try_for_each(|range| set(file, libc::F_RDLCK, range));
    let free = taken.and_then(|()| {
        claim.free.iter().try_fold(true, |free, range| Ok(free && !is_locked_by_others(file, range)?))
    });
    match free {
        Ok(true) => Ok(()),
        Ok(false) | Err(Errno::EAGAIN | Errno::EACCES) => Err(OpenError::Busy { pid: None }),
        // A filesystem without such locks, where QEMU has none either.
        Err(Errno::ENOSYS | Errno::EOPNOTSUPP | Errno::EINVAL | Errno::ENOLCK) => Ok(()),
        Err(error) => Err(OpenError::system("lock")(error.into())),
    }
}

/// Gives back whatever was taken.
pub(super) fn release(file: &File) {
    // As with the lock on the whole file: what fails here ends when the file is closed.
    let _ = set(file, libc::F_UNLCK, &(100..204));
}

fn set(file: &File, kind: libc::c_int, range: &Range<i64>) -> Result<(), Errno> {
    retried(|| fcntl(file, FcntlArg::F_OFD_SETLK(&lock(kind, range)))).map(drop)
}

fn is_locked_by_others(file: &File, range: &Range<i64>) -> Result<bool, Errno> {
    let mut found = lock(libc::F_WRLCK, range);
    retried(|| fcntl(file, FcntlArg::F_OFD_GETLK(&mut found)))?;
    Ok(i32::from(found.l_type) != libc::F_UNLCK && found.l_start >= 100)
}

const fn lock(kind: libc::c_int, range: &Range<i64>) -> libc::flock {
    libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: range.start,
        l_len: range.end - range.start,
        // An open file's lock names no process.
        l_pid: 0,
    }
}

fn retried<T>(mut call: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    loop {
        match call() {
            Err(Errno::EINTR) => {}
            done => return done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A QEMU, by the locks that it has: for a disk that its machine writes to, and for one that it only
    /// reads.
    fn qemu(file: &File, writes: bool) {
        let held: &[Range<i64>] =
            if writes { &[100..102, 201..202, 203..204] } else { &[100..101, 201..202] };
        held.iter().for_each(|range| set(file, libc::F_RDLCK, range).expect("shared locks"));
    }

    fn pool(file: &File, alone: bool) -> bool {
        match take(file, alone) {
            Ok(()) => true,
            Err(OpenError::Busy { pid: None }) => false,
            Err(error) => panic!("{error}"),
        }
    }

    /// Whether a pool gets a file that a QEMU has.
    fn check(qemu_writes: bool, pool_writes: bool, granted: bool) {
        let image = tempfile::NamedTempFile::new().expect("a file");
        let [of_qemu, of_pool] = [(); 2].map(|()| image.reopen().expect("opened"));
        qemu(&of_qemu, qemu_writes);
        assert_eq!(pool(&of_pool, pool_writes), granted, "QEMU writes {qemu_writes}, the pool {pool_writes}");
        drop(of_qemu);
        assert!(pool(&of_pool, pool_writes), "QEMU has ended");
    }

    #[test]
    fn readers_alone_stand_beside_one_another() {
        check(true, true, false);
        check(true, false, false);
        check(false, true, false);
        check(false, false, true);
    }

    #[test]
    fn readers_of_pools_share_a_file_opened_for_reading() {
        let image = tempfile::NamedTempFile::new().expect("a file");
        let [first, second, third] = [(); 3].map(|()| File::open(image.path()).expect("opened"));
        assert!(pool(&first, false) && pool(&second, false));
        assert!(!pool(&third, true), "a writer beside readers");
    }

    #[test]
    fn what_was_released_is_free_while_the_file_is_open() {
        let image = tempfile::NamedTempFile::new().expect("a file");
        let [first, second] = [(); 2].map(|()| image.reopen().expect("opened"));
        assert!(pool(&first, true) && !pool(&second, false));
        release(&first);
        // What the refused one had taken does not stand in its own way.
        assert!(pool(&second, true));
    }

    /// As NFS makes them out of locks on whole files.
    #[test]
    fn a_lock_on_the_whole_file_is_not_one_of_qemus() {
        let image = tempfile::NamedTempFile::new().expect("a file");
        let [whole, reader] = [(); 2].map(|()| image.reopen().expect("opened"));
        set(&whole, libc::F_RDLCK, &(0..i64::MAX)).expect("a shared lock");
        assert!(pool(&reader, false));
    }
}
