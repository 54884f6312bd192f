//! Whether the pool has something already as it is on this machine.

use crate::commands::transfer::BUFFER_BYTES;
use crate::host::attributes::{self, Bearer};
use crate::host::interrupt;
use crate::host::look::Look;
use crate::host::source::Source;
use crate::output::failure::Failure;
use crate::pool::path::Node;
use dynamicfs_core::ReadObjects;
use dynamicfs_core::error::Error;
use dynamicfs_core::files::ObjectKind;

/// Whether a file's contents count as the same. Size and time of the last change decide, or, with `compare`,
/// all bytes.
pub(super) fn same_contents(
    contents: &mut impl ReadObjects,
    there: &Node,
    source: &mut Source,
    compare: bool,
) -> Result<bool, Failure> {
    let (inode, look) = (&there.inode, source.look);
    // One object with several names is one file's only if that has several names too.
    let is_candidate =
        inode.kind == ObjectKind::File && inode.size == look.bytes && (look.links > 1 || inode.links == 1);
    if !is_candidate || !compare {
        return Ok(is_candidate && inode.modified == look.modified);
    }
    let (mut theirs, mut ours) = (vec![0; BUFFER_BYTES], vec![0; BUFFER_BYTES]);
    let mut at = 0;
    loop {
        interrupt::check()?;
        let bytes = source.read(&mut theirs)?;
        let read = contents.read(there.object, at, &mut ours[..bytes]);
        // What cannot be read any more is stored anew.
        if !matches!(read, Ok(read) if read == bytes) || theirs[..bytes] != ours[..bytes] {
            return Ok(false);
        }
        if bytes < theirs.len() {
            source.check_unchanged()?;
            return Ok(true);
        }
        at += bytes as u64;
    }
}

/// Whether mode, owner, time of change and extended attributes are the same.
pub(super) fn same_attributes(
    contents: &mut impl ReadObjects,
    there: &Node,
    look: &Look,
    from: &Bearer<'_>,
) -> Result<bool, Error> {
    let inode = &there.inode;
    if (inode.mode, inode.uid, inode.gid, inode.modified) != (look.mode, look.uid, look.gid, look.modified) {
        return Ok(false);
    }
    let (mut kept, _) = attributes::read_xattrs(from);
    kept.retain(|(_, value)| value.len() <= dynamicfs_core::limits::XATTR_BYTES_MAX);
    Ok(attributes::xattrs(contents, there.object)? == kept)
}
