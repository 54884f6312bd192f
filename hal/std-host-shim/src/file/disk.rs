//! Sectors on a medium, and what an error leaves of the disk.

use dynamicfs_hal::{BlockDevice, DeviceError, Geometry, IoError};

use super::FileDiskError;
use super::medium::Medium;

/// What a disk can still be used for. It only ever gets worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    /// Everything.
    Usable,
    /// A flush failed: reads only. The system may have marked what it could not write as clean, so that a second
    /// flush would succeed without having written it.
    FlushFailed,
    /// The medium went away or did not answer: nothing.
    Gone,
}

/// The disk over any medium; [`FileDisk`](super::FileDisk) is the one over the operating system's.
#[derive(Debug)]
pub(super) struct Disk<M> {
    medium: M,
    geometry: Geometry,
    read_only: bool,
    state: State,
}

impl<M: Medium> Disk<M> {
    pub(super) const fn new(medium: M, geometry: Geometry, read_only: bool) -> Self {
        Self { medium, geometry, read_only, state: State::Usable }
    }

    /// The byte at which `sectors` sectors from `lba` on begin, if they lie on the disk.
    fn offset(&self, lba: u64, sectors: u64) -> Result<u64, FileDiskError> {
        match lba.checked_add(sectors) {
            Some(end) if end <= self.geometry.sectors => Ok(lba * u64::from(self.geometry.sector_bytes)),
            _ => Err(FileDiskError::OutOfBounds { lba, sectors: self.geometry.sectors }),
        }
    }

    /// As [`offset`](Self::offset), for a buffer.
    fn offset_of(&self, lba: u64, buf: &[u8]) -> Result<u64, FileDiskError> {
        let sector_bytes = self.geometry.sector_bytes as usize;
        let alignment = self.geometry.buffer_alignment as usize;
        if !buf.len().is_multiple_of(sector_bytes) || !buf.as_ptr().addr().is_multiple_of(alignment) {
            return Err(FileDiskError::NotAligned);
        }
        self.offset(lba, (buf.len() / sector_bytes) as u64)
    }

    fn check_readable(&self) -> Result<(), FileDiskError> {
        match self.state {
            State::Usable | State::FlushFailed => Ok(()),
            State::Gone => Err(FileDiskError::Gone),
        }
    }

    fn check_writable(&self) -> Result<(), FileDiskError> {
        match self.state {
            State::Usable if self.read_only => Err(FileDiskError::ReadOnly),
            State::Usable => Ok(()),
            State::FlushFailed => Err(FileDiskError::FlushFailed),
            State::Gone => Err(FileDiskError::Gone),
        }
    }

    /// Passes the system's answer on and remembers what it says about the disk.
    fn answer(&mut self, operation: &'static str, result: std::io::Result<()>) -> Result<(), FileDiskError> {
        let error = match result {
            Ok(()) => return Ok(()),
            Err(error) => FileDiskError::system(operation, error),
        };
        if matches!(error.kind(), IoError::Gone | IoError::Timeout) {
            self.state = State::Gone;
        }
        Err(error)
    }
}

impl<M: Medium> BlockDevice for Disk<M> {
    type Error = FileDiskError;

    fn geometry(&self) -> Geometry {
        self.geometry
    }

    fn read(&mut self, lba: u64, buf: &mut [u8]) -> Result<(), FileDiskError> {
        self.check_readable()?;
        let offset = self.offset_of(lba, buf)?;
        let result = self.medium.read_exact_at(buf, offset);
        self.answer("read", result)
    }

    fn write(&mut self, lba: u64, buf: &[u8]) -> Result<(), FileDiskError> {
        self.check_writable()?;
        let offset = self.offset_of(lba, buf)?;
        let result = self.medium.write_all_at(buf, offset);
        self.answer("write", result)
    }

    fn flush(&mut self) -> Result<(), FileDiskError> {
        match self.check_writable() {
            // One that is open for reading alone is flushed too, which the system allows.
            Err(FileDiskError::ReadOnly) => {}
            writable => writable?,
        }
        // Always a real flush, also when this opener wrote nothing. What it read may come from a process that
        // died before its flush, and be in the system's cache alone.
        let result = self.medium.sync_data();
        let answer = self.answer("flush", result);
        // Where only room was lacking, or the system refused, the bytes are known to be lost, and are written
        // again or given up.
        let is_lost = |error: &FileDiskError| matches!(error.kind(), IoError::NoSpace | IoError::Refused);
        if answer.as_ref().is_err_and(|error| !is_lost(error)) {
            self.state = self.state.max(State::FlushFailed);
        }
        answer
    }

    fn discard(&mut self, lba: u64, sectors: u64) -> Result<(), FileDiskError> {
        self.check_writable()?;
        let offset = self.offset(lba, sectors)?;
        if !self.geometry.discard || sectors == 0 {
            return Ok(());
        }
        let result = self.medium.discard(offset, sectors * u64::from(self.geometry.sector_bytes));
        self.answer("discard", result)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::io;

    use rustix::io::Errno;

    use super::*;

    /// Answers every call with the error it is set to, and counts the calls.
    #[derive(Default)]
    struct Failing {
        error: Cell<Option<Errno>>,
        calls: Cell<u32>,
    }

    impl Failing {
        fn call(&self) -> io::Result<()> {
            self.calls.set(self.calls.get() + 1);
            self.error.get().map_or(Ok(()), |errno| Err(errno.into()))
        }
    }

    impl Medium for Failing {
        fn read_at(&self, buf: &mut [u8], _: u64) -> io::Result<usize> {
            self.call().map(|()| buf.len())
        }
        fn write_at(&self, buf: &[u8], _: u64) -> io::Result<usize> {
            self.call().map(|()| buf.len())
        }
        fn sync_data(&self) -> io::Result<()> {
            self.call()
        }
        fn discard(&self, _: u64, _: u64) -> io::Result<()> {
            self.call()
        }
    }

    fn disk(read_only: bool) -> Disk<Failing> {
        let geometry = Geometry { discard: true, ..Geometry::new(512, 8) };
        Disk::new(Failing::default(), geometry, read_only)
    }

    #[test]
    fn after_a_failed_flush_nothing_is_written_again() {
        let mut disk = disk(false);
        disk.write(0, &[1; 512]).unwrap();
        disk.medium.error.set(Some(Errno::IO));
        assert_eq!(disk.flush().unwrap_err().kind(), IoError::Media);

        // The system would now answer well, but is not even asked.
        disk.medium.error.set(None);
        let calls = disk.medium.calls.get();
        assert!(matches!(disk.flush(), Err(FileDiskError::FlushFailed)));
        assert!(matches!(disk.write(0, &[1; 512]), Err(FileDiskError::FlushFailed)));
        assert!(matches!(disk.write_durable(0, &[1; 512]), Err(FileDiskError::FlushFailed)));
        assert!(matches!(disk.discard(0, 1), Err(FileDiskError::FlushFailed)));
        assert_eq!(disk.medium.calls.get(), calls);
        assert_eq!(disk.flush().unwrap_err().kind(), IoError::Gone);

        disk.read(0, &mut [0; 512]).unwrap();
    }

    #[test]
    fn a_disk_without_room_below_it_goes_on_once_there_is_some() {
        for errno in [Errno::NOSPC, Errno::DQUOT, Errno::FBIG] {
            let mut disk = disk(false);
            disk.medium.error.set(Some(errno));
            assert_eq!(disk.write(0, &[1; 512]).unwrap_err().kind(), IoError::NoSpace);
            assert_eq!(disk.flush().unwrap_err().kind(), IoError::NoSpace);
            disk.medium.error.set(None);
            disk.write(0, &[1; 512]).unwrap();
            disk.flush().unwrap();
        }
    }

    #[test]
    fn a_disk_that_went_away_stays_away() {
        for (errno, kind) in [(Errno::NODEV, IoError::Gone), (Errno::TIMEDOUT, IoError::Timeout)] {
            let mut disk = disk(false);
            disk.medium.error.set(Some(errno));
            assert_eq!(disk.read(0, &mut [0; 512]).unwrap_err().kind(), kind);
            disk.medium.error.set(None);
            assert_eq!(disk.read(0, &mut [0; 512]).unwrap_err().kind(), IoError::Gone);
            assert_eq!(disk.write(0, &[0; 512]).unwrap_err().kind(), IoError::Gone);
            assert_eq!(disk.flush().unwrap_err().kind(), IoError::Gone);
        }
    }

    #[test]
    fn a_flush_that_finds_the_disk_gone_ends_reads_too() {
        let mut disk = disk(false);
        disk.medium.error.set(Some(Errno::NODEV));
        assert_eq!(disk.flush().unwrap_err().kind(), IoError::Gone);
        disk.medium.error.set(None);
        assert!(matches!(disk.read(0, &mut [0; 512]), Err(FileDiskError::Gone)));
    }

    #[test]
    fn a_medium_error_of_one_sector_leaves_the_disk_usable() {
        let mut disk = disk(false);
        disk.medium.error.set(Some(Errno::IO));
        assert_eq!(disk.read(0, &mut [0; 512]).unwrap_err().kind(), IoError::Media);
        assert_eq!(disk.write(0, &[0; 512]).unwrap_err().kind(), IoError::Media);
        disk.medium.error.set(None);
        disk.read(0, &mut [0; 512]).unwrap();
        disk.write(0, &[0; 512]).unwrap();
        disk.flush().unwrap();
    }

    #[test]
    fn requests_off_the_disk_never_reach_the_system() {
        let mut disk = disk(false);
        let mut buf = [0; 1024];
        for lba in [7, 8, u64::MAX] {
            assert_eq!(disk.read(lba, &mut buf).unwrap_err().kind(), IoError::OutOfBounds);
            assert_eq!(disk.write(lba, &buf).unwrap_err().kind(), IoError::OutOfBounds);
            assert_eq!(disk.discard(lba, 2).unwrap_err().kind(), IoError::OutOfBounds);
        }
        assert_eq!(disk.read(0, &mut buf[..100]).unwrap_err().kind(), IoError::NotAligned);
        assert_eq!(disk.write(0, &buf[..513]).unwrap_err().kind(), IoError::NotAligned);
        assert_eq!(disk.medium.calls.get(), 0);
    }

    #[test]
    fn read_only_refuses_changes_and_is_flushed_all_the_same() {
        let mut disk = disk(true);
        assert_eq!(disk.write(0, &[0; 512]).unwrap_err().kind(), IoError::WriteProtected);
        assert_eq!(disk.discard(0, 1).unwrap_err().kind(), IoError::WriteProtected);
        assert_eq!(disk.medium.calls.get(), 0);
        disk.flush().unwrap();
        assert_eq!(disk.medium.calls.get(), 1);
        disk.read(0, &mut [0; 512]).unwrap();
    }

    #[test]
    fn buffers_are_aligned_as_the_geometry_says() {
        let mut disk = disk(false);
        disk.geometry.buffer_alignment = 512;
        let memory = [0; 2048];
        let start = memory.as_ptr().align_offset(512);
        disk.write(0, &memory[start..start + 512]).unwrap();
        assert!(matches!(disk.write(0, &memory[start + 1..start + 513]), Err(FileDiskError::NotAligned)));
    }
}
