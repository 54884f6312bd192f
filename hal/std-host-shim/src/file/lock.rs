//! One opener at a time: an advisory lock on the disk itself, and the name of the process that holds it.

use std::fs::{File, Metadata, TryLockError};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;

use rustix::fs::{major, minor};

use super::{OpenError, qemu_lock};

/// Readings of the lock table until the holder is taken for one that it does not name.
const TABLE_READINGS: usize = 4;

/// A file that is locked as long as this lives: shared by readers, or for one writer alone.
#[derive(Debug)]
pub(super) struct LockedFile(File);

impl LockedFile {
    pub(super) fn new(file: File, read_only: bool) -> Result<Self, OpenError> {
        let locked = if read_only { file.try_lock_shared() } else { file.try_lock() };
        match locked {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => {
                let pid = file.metadata().ok().and_then(|metadata| holder(&metadata));
                Err(OpenError::Busy { pid })
            }
            Err(TryLockError::Error(error)) => Err(OpenError::system("lock")(error)),
        }
    }

    /// As [`new`](Self::new), and against QEMU too, for a file that is a disk: `alone` as a writer, else as
    /// a reader.
    pub(super) fn disk(file: File, alone: bool) -> Result<Self, OpenError> {
        let locked = Self::new(file, !alone)?;
        qemu_lock::take(&locked.0, alone)?;
        Ok(locked)
    }

    /// A file that is not locked.
    pub(super) const fn unlocked(file: File) -> Self {
        Self(file)
    }

    pub(super) const fn file(&self) -> &File {
        &self.0
    }

    /// Whether this is the file that was looked at, as what a path leads to by now.
    pub(super) fn is_same_as(&self, there: io::Result<Metadata>) -> bool {
        let (Ok(there), Ok(here)) = (there, self.0.metadata()) else { return false };
        (there.dev(), there.ino()) == (here.dev(), here.ino())
    }
}

impl Drop for LockedFile {
    fn drop(&mut self) {
        // Closing alone would leave the locks to a forked child process. It shares our open files until it
        // executes its program. The next holder of this lock must find no other, so it goes last.
        qemu_lock::release(&self.0);
        let _ = self.0.unlock();
    }
}

/// A process that holds a lock on the file, if the system tells.
pub(super) fn holder(file: &Metadata) -> Option<u32> {
    let device = format!("{:02x}:{:02x}", major(file.dev()), minor(file.dev()));
    // An entry may hide from a reading that takes several calls while others lock and unlock.
    (0..TABLE_READINGS).find_map(|_| holder_in(&lock_table().ok()?, &device, file.ino()))
}

/// The system's table of locks, in one call if it is short.
fn lock_table() -> io::Result<String> {
    let mut table = String::with_capacity(1 << 16);
    File::open("/proc/locks")?.read_to_string(&mut table)?;
    Ok(table)
}

/// Looks a file up in text of the form of `/proc/locks`:
///
/// ```text
/// 1: FLOCK  ADVISORY  WRITE 4711 fe:00:131123 0 EOF
/// 1: -> FLOCK  ADVISORY  WRITE 4712 fe:00:131123 0 EOF      (waits for it)
/// ```
///
/// Some filesystems give their files another device number than the lock table does (btrfs). When nothing
/// matches device and inode, a match of the inode alone counts.
fn holder_in(locks: &str, device: &str, inode: u64) -> Option<u32> {
    let held: Vec<(u32, &str)> = locks
        .lines()
        .filter_map(|line| {
            let mut fields = line.split_whitespace().skip(4);
            let pid = fields.next()?.parse().ok().filter(|pid| *pid > 0)?;
            let (lock_device, lock_inode) = fields.next()?.rsplit_once(':')?;
            (lock_inode.parse() == Ok(inode)).then_some((pid, lock_device))
        })
        .collect();
    let exact = held.iter().find(|(_, lock_device)| *lock_device == device);
    exact.or(held.first()).map(|(pid, _)| *pid)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCKS: &str = "\
1: POSIX  ADVISORY  READ  2210 00:19:2 0 EOF
2: FLOCK  ADVISORY  WRITE 4711 fe:00:131123 0 EOF
2: -> FLOCK  ADVISORY  WRITE 4712 fe:00:131124 0 EOF
3: OFDLCK ADVISORY  WRITE -1 fe:00:77 0 EOF
4: FLOCK  ADVISORY  READ  9 08:01:500 0 EOF
5: FLOCK  ADVISORY  READ  10 08:02:500 0 EOF
a line that is nothing
";

    #[test]
    fn the_holder_is_found_by_device_and_inode() {
        let check = |device, inode, pid| assert_eq!(holder_in(LOCKS, device, inode), pid, "{device}:{inode}");
        check("fe:00", 131_123, Some(4711));
        check("08:02", 500, Some(10));
        // Another device number: the inode decides.
        check("00:2b", 131_123, Some(4711));
        // A process that waits does not hold; an open-file-description lock names no process; and no lock at
        // all.
        check("fe:00", 131_124, None);
        check("fe:00", 77, None);
        check("fe:00", 1, None);
    }
}
