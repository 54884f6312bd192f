//! One file of this machine: its contents, holes left out, and its attributes.

use super::place::Place;
use crate::commands::transfer::BUFFER_BYTES;
use crate::host::attributes::{self, Bearer, Lacking};
use crate::host::interrupt;
use crate::host::source::Source;
use crate::output::failure::Failure;
use crate::output::progress::Progress;
use crate::pool::session::Changes;
use dynamicfs_core::types::ObjectId;

/// A file that was stored.
pub(super) struct Stored {
    pub(super) object: ObjectId,
    pub(super) bytes: u64,
    /// Attributes that were left out.
    pub(super) lacking: Vec<Lacking>,
}

/// Stores an open file.
pub(super) fn store(
    contents: &mut Changes<'_, '_>,
    place: &Place,
    mut source: Source,
    buffer: &mut Vec<u8>,
    progress: &mut Progress,
) -> Result<Stored, Failure> {
    buffer.resize(BUFFER_BYTES, 0);
    let look = source.look;
    let mut lacking = Vec::new();
    let (object, bytes) = place.fill(contents, &attributes::of(&look), |contents, object| {
        let bytes = if source.has_holes()? {
            copy_data(contents, object, &mut source, buffer, progress)?
        } else {
            copy_all(contents, object, &mut source, buffer, progress)?
        };
        lacking = attributes::put_xattrs(contents, object, &Bearer::File(&source.file))?;
        // Last: whatever put another file in its place changed this one too.
        source.check_unchanged()?;
        contents.change_attributes(object, &attributes::change(&look))?;
        Ok(bytes)
    })?;
    Ok(Stored { object, bytes, lacking })
}

/// Copies everything up to the end, wherever that is.
fn copy_all(
    contents: &mut Changes<'_, '_>,
    object: ObjectId,
    source: &mut Source,
    buffer: &mut [u8],
    progress: &mut Progress,
) -> Result<u64, Failure> {
    let mut at = 0;
    loop {
        interrupt::check()?;
        let bytes = source.read(buffer)?;
        if bytes > 0 {
            contents.write_all(object, at, &buffer[..bytes])?;
        }
        at += bytes as u64;
        progress.advance(bytes as u64);
        if bytes < buffer.len() {
            return Ok(at);
        }
        // Sooner than at the end of a file that takes hours.
        source.check_unchanged()?;
    }
}

/// Copies what is stored of a file with holes.
fn copy_data(
    contents: &mut Changes<'_, '_>,
    object: ObjectId,
    source: &mut Source,
    buffer: &mut [u8],
    progress: &mut Progress,
) -> Result<u64, Failure> {
    let size = source.look.bytes;
    contents.truncate(object, size)?;
    let mut reached = 0;
    while let Some(data) = source.next_data()? {
        let mut at = data.start;
        while at < data.end {
            interrupt::check()?;
            let part = &mut buffer[..(data.end - at).min(BUFFER_BYTES as u64) as usize];
            let bytes = source.read(part)?;
            if bytes == 0 {
                // It was cut: that it changed is noticed next.
                break;
            }
            contents.write_apart(object, at, &part[..bytes])?;
            at += bytes as u64;
            source.check_unchanged()?;
        }
        progress.advance(at - reached);
        reached = at;
        source.check_unchanged()?;
    }
    progress.advance(size - reached.min(size));
    Ok(size)
}
