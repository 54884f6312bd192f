//! What direct I/O asks of buffers and offsets.

use std::fs::File;

use rustix::fs::{AtFlags, StatxFlags, statx};

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

/// What direct I/O on this file needs.
pub(super) fn alignment(file: &File) -> Result<Alignment, OpenError> {
    let asked = match statx(file, c"", AtFlags::EMPTY_PATH, StatxFlags::DIOALIGN) {
        Ok(asked) if StatxFlags::from_bits_retain(asked.stx_mask).contains(StatxFlags::DIOALIGN) => asked,
        _ => return Ok(ALIGNMENT_ASSUMED),
    };
    match (asked.stx_dio_mem_align, asked.stx_dio_offset_align) {
        (0, _) | (_, 0) => Err(OpenError::NoDirectIo),
        (memory, offset) => Ok(Alignment { memory, offset }),
    }
}
