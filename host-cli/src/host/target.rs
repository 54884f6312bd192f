//! Files and links of this machine that are made from what the pool holds: each gets its name when it is
//! complete.

use super::folder::Folder;
use dynamicfs_hal::Entropy;
use rustix::fs::{AtFlags, RenameFlags, linkat, renameat, renameat_with, unlinkat};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;

/// How the name of a file begins until it is complete: a command that is killed leaves it behind.
pub(crate) const UNFINISHED: &str = ".dynamicfs-";

/// A name that nothing else has.
pub(crate) fn temporary_name() -> io::Result<String> {
    let mut random = [0; 8];
    std_host_shim::OsEntropy.fill(&mut random).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(format!("{UNFINISHED}{:016x}", u64::from_le_bytes(random)))
}

/// A file or link that has no name of its own yet; dropped, it is gone.
#[derive(Debug)]
pub(crate) struct Unfinished {
    folder: File,
    name: OsString,
    file: Option<File>,
}

impl Unfinished {
    /// Runs `make` with a name that nothing has.
    pub(super) fn make(
        folder: &Folder,
        make: impl Fn(&OsStr) -> io::Result<Option<File>>,
    ) -> io::Result<Self> {
        loop {
            let name = OsString::from(temporary_name()?);
            match make(&name) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => return Ok(Self { file: made?, folder: folder.file.try_clone()?, name }),
            }
        }
    }

    /// The file that is being written, if it is one.
    pub(crate) fn file(&self) -> Option<&File> {
        self.file.as_ref()
    }

    /// The name it has until it is complete.
    pub(crate) fn name(&self) -> &OsStr {
        &self.name
    }

    /// Gives it its name, in the place of what has it.
    pub(crate) fn replace(self, name: &OsStr) -> io::Result<()> {
        renameat(&self.folder, &self.name, &self.folder, name)?;
        // Two names of one file: nothing was renamed. What is dropped now takes the first away.
        Ok(())
    }

    /// Gives it its name, which nothing may have.
    pub(crate) fn add(self, name: &OsStr) -> io::Result<()> {
        match renameat_with(&self.folder, &self.name, &self.folder, name, RenameFlags::NOREPLACE) {
            // The filesystem cannot do that; a link replaces nothing either.
            Err(Errno::INVAL | Errno::NOSYS) => {
                Ok(linkat(&self.folder, &self.name, &self.folder, name, AtFlags::empty())?)
            }
            renamed => Ok(renamed?),
        }
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // Where it has its name there is nothing to remove; where removing fails the name tells what it is.
        let _ = unlinkat(&self.folder, &self.name, AtFlags::empty());
    }
}
