//! Files in memory that stand in for disks, where something is only tried.

use rustix::fs::{MemfdFlags, memfd_create};
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::PathBuf;

/// A file that nothing has written to. It is gone when it is dropped, and takes memory for what is written
/// alone.
pub(crate) struct StandIn(File);

impl StandIn {
    /// One of so many bytes.
    pub(crate) fn new(bytes: u64) -> io::Result<Self> {
        let file = File::from(memfd_create("dynamicfs", MemfdFlags::CLOEXEC)?);
        file.set_len(bytes)?;
        Ok(Self(file))
    }

    /// Where this process finds it.
    pub(crate) fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.0.as_raw_fd()))
    }
}
