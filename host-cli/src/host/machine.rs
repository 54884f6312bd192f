//! What this machine lacks, where an error is not the fault of the file or disk that it came with.

use rustix::io::Errno;
use std::io;

/// What stands in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lack {
    /// This process may open no more files.
    Descriptors,
    /// No process may.
    SystemDescriptors,
    Memory,
    Locks,
    /// The filesystem is mounted read-only.
    ReadOnly,
}

impl Lack {
    /// What an error says that the machine lacks; `None` where it is about the file or disk.
    pub(crate) fn of(error: &io::Error) -> Option<Self> {
        match Errno::from_io_error(error)? {
            Errno::MFILE => Some(Self::Descriptors),
            Errno::NFILE => Some(Self::SystemDescriptors),
            Errno::NOMEM | Errno::NOBUFS | Errno::AGAIN => Some(Self::Memory),
            Errno::NOLCK => Some(Self::Locks),
            Errno::ROFS => Some(Self::ReadOnly),
            _ => None,
        }
    }

    /// What helps.
    pub(crate) const fn cure(self) -> &'static str {
        match self {
            Self::Descriptors => {
                "let the process open more files, as with `ulimit -n 4096`, and run the command again; the disks are not to blame"
            }
            Self::SystemDescriptors => {
                "let the system open more files, as with `sysctl fs.file-max=1000000`; the disks are not to blame"
            }
            Self::Memory => {
                "free memory, raise the process's limit (`ulimit -v`), or lend the pool less with --memory; the disks are not to blame"
            }
            Self::Locks => {
                "the system has no more locks: end what holds them, or see whether the filesystem has locks; the disks are not to blame"
            }
            Self::ReadOnly => {
                "find out why with `dmesg`, then make the filesystem writable again with `mount -o remount,rw`; add --read-only to \
                 commands that only read; the disks of the pool are not to blame"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_machine_lacks_is_told_from_what_a_disk_does() {
        let of = |errno: Errno| Lack::of(&errno.into());
        assert_eq!(of(Errno::MFILE), Some(Lack::Descriptors));
        assert_eq!(of(Errno::NOMEM), Some(Lack::Memory));
        assert_eq!(of(Errno::ROFS), Some(Lack::ReadOnly));
        assert_eq!((of(Errno::IO), of(Errno::NOENT)), (None, None));
        assert_eq!(Lack::of(&io::Error::other("no number")), None);
    }
}
