//! One opener at a time: an advisory lock on the disk itself, and the name of who holds it.

use std::fs::{self, File, Metadata, TryLockError};
use std::os::unix::fs::MetadataExt;

use rustix::fs::{major, minor};

use super::OpenError;

/// Locks the file as long as it stays open: shared by readers, or for one writer alone.
pub(super) fn lock(file: &File, read_only: bool) -> Result<(), OpenError> {
    let locked = if read_only { file.try_lock_shared() } else { file.try_lock() };
    match locked {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => {
            let pid = file.metadata().ok().and_then(|metadata| holder(&metadata));
            Err(OpenError::Busy { pid })
        }
        Err(TryLockError::Error(error)) => Err(OpenError::system("lock")(error)),
    }
}

/// A process that holds a lock on the file, if the system tells.
pub(super) fn holder(file: &Metadata) -> Option<u32> {
    let locks = fs::read_to_string("/proc/locks").ok()?;
    let device = format!("{:02x}:{:02x}", major(file.dev()), minor(file.dev()));
    holder_in(&locks, &device, file.ino())
}

/// Looks a file up in text of the form of `/proc/locks`:
///
/// ```text
/// 1: FLOCK  ADVISORY  WRITE 4711 fe:00:131123 0 EOF
/// 1: -> FLOCK  ADVISORY  WRITE 4712 fe:00:131123 0 EOF      (waits for it)
/// ```
///
/// Some filesystems give their files another device number than the lock table does (btrfs): when nothing matches
/// device and inode, a match of the inode alone counts.
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
        // One who waits does not hold; an open-file-description lock names no process; and no lock at all.
        check("fe:00", 131_124, None);
        check("fe:00", 77, None);
        check("fe:00", 1, None);
    }
}
