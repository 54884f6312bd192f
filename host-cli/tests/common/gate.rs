//! A file that holds up every process that opens it.

use crate::common::wait_until;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::Path;

/// Sets the signal that tells of a wish to open the file (`fcntl.h` of Linux; libc leaves it out).
const F_SETSIG: i32 = 10;

/// A lease on a file (`F_SETLEASE` in fcntl(2)): another process that opens the file waits until this is dropped.
pub(crate) struct Gate(File);

impl Gate {
    pub(crate) fn on(path: &Path) -> Self {
        let gate = Self(File::options().read(true).write(true).open(path).unwrap());
        // By default the system ends the process that holds a lease when another process wants the file.
        gate.control(F_SETSIG, libc::SIGURG);
        gate.control(libc::F_SETLEASE, libc::F_WRLCK);
        gate
    }

    /// Waits until a process wants to open the file, and cannot.
    #[track_caller]
    pub(crate) fn wait_until_wanted(&self) {
        wait_until("somebody opens the file", || self.control(libc::F_GETLEASE, 0) != libc::F_WRLCK);
    }

    #[track_caller]
    fn control(&self, command: i32, argument: i32) -> i32 {
        // SAFETY: the descriptor is open, and these commands take a number and touch no memory.
        let answer = unsafe { libc::fcntl(self.0.as_raw_fd(), command, argument) };
        assert!(answer >= 0, "{}", std::io::Error::last_os_error());
        answer
    }
}
