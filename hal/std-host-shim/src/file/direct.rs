//! Direct I/O, and what it asks of buffers and offsets.

use std::fs::File;

use rustix::fs::{AtFlags, OFlags, StatxFlags, fcntl_getfl, fcntl_setfl, statx};
use rustix::io::Errno;

use super::OpenError;

/// What to assume where the kernel does not say (before Linux 6.1): no disk in use asks for more.
const ALIGNMENT_ASSUMED: Alignment = Alignment { memory: 4096, offset: 512 };

/// Alignments in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Alignment {
    /// Of buffers in memory.
    pub(super) memory: u32,
    /// Of offsets and lengths.
    pub(super) offset: u32,
}

/// Switches direct I/O on and says what it needs.
pub(super) fn enable(file: &File) -> Result<Alignment, OpenError> {
    // Not as a flag of the opening call: where there is no direct I/O that would fail after it created the file.
    let flags = fcntl_getfl(file).map_err(|errno| OpenError::system("ask for the flags")(errno.into()))?;
    match fcntl_setfl(file, flags | OFlags::DIRECT) {
        Err(Errno::INVAL) => return Err(OpenError::NoDirectIo),
        result => result.map_err(|errno| OpenError::system("switch direct I/O on")(errno.into()))?,
    }
    alignment(file)
}

/// What direct I/O on this file needs.
fn alignment(file: &File) -> Result<Alignment, OpenError> {
    let asked = match statx(file, c"", AtFlags::EMPTY_PATH, StatxFlags::DIOALIGN) {
        Ok(asked) if StatxFlags::from_bits_retain(asked.stx_mask).contains(StatxFlags::DIOALIGN) => asked,
        _ => return Ok(ALIGNMENT_ASSUMED),
    };
    match (asked.stx_dio_mem_align, asked.stx_dio_offset_align) {
        (0, _) | (_, 0) => Err(OpenError::NoDirectIo),
        (memory, offset) => Ok(Alignment { memory, offset }),
    }
}
