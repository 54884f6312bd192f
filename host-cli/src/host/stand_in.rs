//! Files in memory that stand in for disks, where something is only tried.

use crate::output::failure::Failure;
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
    pub(crate) fn new(bytes: u64) -> Result<Self, Failure> {
        let made = memfd_create("dynamicfs", MemfdFlags::CLOEXEC).map_err(io::Error::from);
        let made = made.map(File::from).and_then(|file| file.set_len(bytes).map(|()| Self(file)));
        made.map_err(|error| Failure::host("make a file in memory", &error))
    }

    /// Where this process finds it.
    pub(crate) fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.0.as_raw_fd()))
    }
}
