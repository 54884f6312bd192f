//! The system calls below a disk.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;

use super::block_device;
use super::lock::LockedFile;

/// What a disk asks of the system: the seam at which tests let it fail.
///
/// Offsets and lengths are in bytes. The system may do a part of a read or write, or be interrupted. The
/// calls built on it do all of their work or fail.
pub(super) trait Medium {
    /// One call of the system: how many bytes it read.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize>;
    /// One call of the system: how many bytes it wrote.
    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize>;
    fn sync_data(&self) -> io::Result<()>;
    fn discard(&self, offset: u64, bytes: u64) -> io::Result<()>;

    /// Fills the buffer.
    fn read_exact_at(&self, mut buf: &mut [u8], mut offset: u64) -> io::Result<()> {
        while !buf.is_empty() {
            match self.read_at(buf, offset) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => {
                    buf = &mut buf[read..];
                    offset += read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Writes the whole buffer.
    fn write_all_at(&self, mut buf: &[u8], mut offset: u64) -> io::Result<()> {
        while !buf.is_empty() {
            match self.write_at(buf, offset) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    buf = &buf[written..];
                    offset += written as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// An open file or block device.
#[derive(Debug)]
pub(super) enum OsMedium {
    File(LockedFile),
    BlockDevice(LockedFile),
}

impl OsMedium {
    pub(super) fn file(&self) -> &File {
        match self {
            Self::File(locked) | Self::BlockDevice(locked) => locked.file(),
        }
    }

    /// Whether [`discard`](Medium::discard) does something here. `end` is the medium's size in bytes.
    pub(super) fn can_discard(&self, end: u64) -> bool {
        match self {
            // A hole behind the end changes nothing, but is refused where holes cannot be punched.
            Self::File(locked) => punch_hole(locked.file(), end, 1).is_ok(),
            Self::BlockDevice(locked) => block_device::can_discard(locked.file()),
        }
    }
}

impl Medium for OsMedium {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file().read_at(buf, offset)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        self.file().write_at(buf, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file().sync_data()
    }

    fn discard(&self, offset: u64, bytes: u64) -> io::Result<()> {
        let discarded = match self {
            Self::File(locked) => punch_hole(locked.file(), offset, bytes),
            Self::BlockDevice(locked) => block_device::discard(locked.file(), offset, bytes),
        };
        match discarded {
            // A discard is a hint: a medium that cannot take it keeps the bytes, which is allowed.
            Err(Errno::OPNOTSUPP) => Ok(()),
            result => Ok(result?),
        }
    }
}

fn punch_hole(file: &File, offset: u64, bytes: u64) -> rustix::io::Result<()> {
    rustix::io::retry_on_intr(|| {
        fallocate(file, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, offset, bytes)
    })
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    /// What one call of the system does.
    #[derive(Clone, Copy, Debug)]
    enum Call {
        /// At most so many bytes.
        Bytes(usize),
        Fails(Errno),
    }

    /// A medium of a few bytes whose calls go as they are told, and then well.
    struct Stuttering {
        bytes: RefCell<[u8; 16]>,
        calls: RefCell<Vec<Call>>,
    }

    impl Stuttering {
        fn new(calls: &[Call]) -> Self {
            let calls = calls.iter().rev().copied().collect();
            Self { bytes: RefCell::new([7; 16]), calls: RefCell::new(calls) }
        }

        fn part(&self, bytes: usize) -> io::Result<usize> {
            match self.calls.borrow_mut().pop() {
                Some(Call::Bytes(most)) => Ok(bytes.min(most)),
                Some(Call::Fails(errno)) => Err(errno.into()),
                None => Ok(bytes),
            }
        }
    }

    impl Medium for Stuttering {
        fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
            let (at, part) = (offset as usize, self.part(buf.len())?);
            buf[..part].copy_from_slice(&self.bytes.borrow()[at..at + part]);
            Ok(part)
        }

        fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
            let (at, part) = (offset as usize, self.part(buf.len())?);
            self.bytes.borrow_mut()[at..at + part].copy_from_slice(&buf[..part]);
            Ok(part)
        }

        fn sync_data(&self) -> io::Result<()> {
            Ok(())
        }

        fn discard(&self, _: u64, _: u64) -> io::Result<()> {
            Ok(())
        }
    }

    const STUTTER: [Call; 5] =
        [Call::Bytes(1), Call::Fails(Errno::INTR), Call::Bytes(3), Call::Fails(Errno::INTR), Call::Bytes(2)];

    #[test]
    fn what_was_written_in_part_or_interrupted_is_continued() {
        let medium = Stuttering::new(&STUTTER);
        medium.write_all_at(&[1, 2, 3, 4, 5, 6, 7, 8], 4).unwrap();
        assert_eq!(medium.bytes.borrow()[3..13], [7, 1, 2, 3, 4, 5, 6, 7, 8, 7]);
        assert!(medium.calls.borrow().is_empty());
    }

    #[test]
    fn what_was_read_in_part_or_interrupted_is_continued() {
        let medium = Stuttering::new(&STUTTER);
        medium.bytes.borrow_mut()[4..12].copy_from_slice(&[1, 2, 3, 4, 5, 6, 7, 8]);
        let mut buf = [0; 8];
        medium.read_exact_at(&mut buf, 4).unwrap();
        assert_eq!(buf, [1, 2, 3, 4, 5, 6, 7, 8]);
    }

    #[test]
    fn an_error_in_the_middle_is_an_error_of_the_whole() {
        for errno in [Errno::NOSPC, Errno::IO, Errno::DQUOT, Errno::NODEV] {
            let calls = [Call::Bytes(3), Call::Fails(errno)];
            let wrote = Stuttering::new(&calls).write_all_at(&[1; 8], 0).unwrap_err();
            let read = Stuttering::new(&calls).read_exact_at(&mut [1; 8], 0).unwrap_err();
            assert_eq!(wrote.raw_os_error(), Some(errno.raw_os_error()));
            assert_eq!(read.raw_os_error(), Some(errno.raw_os_error()));
        }
    }

    #[test]
    fn a_medium_that_ends_or_takes_nothing_is_an_error_and_no_loop() {
        let wrote = Stuttering::new(&[Call::Bytes(3), Call::Bytes(0)]).write_all_at(&[1; 8], 0);
        assert_eq!(wrote.unwrap_err().kind(), io::ErrorKind::WriteZero);
        let read = Stuttering::new(&[Call::Bytes(3), Call::Bytes(0)]).read_exact_at(&mut [1; 8], 0);
        assert_eq!(read.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
