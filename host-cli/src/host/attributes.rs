//! Attributes of files of this machine, to the pool and back.

use crate::pool::session::Contents;
use dynamicfs_core::error::Error;
use dynamicfs_core::format::inode::Inode;
use dynamicfs_core::object::{Attributes, Change};
use dynamicfs_core::types::ObjectId;
use dynamicfs_hal::UnixTime;
use std::ffi::OsStr;
use std::fs::{self, FileTimes, Metadata, Permissions};
use std::io;
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Extended attributes that are kept: those that belong to users. The others mean something to one system alone.
const XATTR_PREFIX: &[u8] = b"user.";

/// An extended attribute: its name and its value.
pub(crate) type Xattr = (Vec<u8>, Vec<u8>);

/// What a new object is given at once.
pub(crate) fn of(metadata: &Metadata) -> Attributes {
    Attributes {
        mode: (metadata.mode() & 0o7777) as u16,
        uid: metadata.uid(),
        gid: metadata.gid(),
        ..Attributes::default()
    }
}

/// What an object is given when its contents are complete.
pub(crate) fn change(metadata: &Metadata) -> Change {
    let time = |seconds, nanoseconds: i64| {
        Some(UnixTime { seconds, nanoseconds: nanoseconds.clamp(0, 999_999_999) as u32 })
    };
    Change {
        mode: Some((metadata.mode() & 0o7777) as u16),
        uid: Some(metadata.uid()),
        gid: Some(metadata.gid()),
        accessed: time(metadata.atime(), metadata.atime_nsec()),
        modified: time(metadata.mtime(), metadata.mtime_nsec()),
        ..Change::default()
    }
}

/// Copies a file's extended attributes to an object. Where the file's filesystem has none there are none.
pub(crate) fn put_xattrs(contents: &mut Contents<'_>, object: ObjectId, path: &Path) -> Result<(), Error> {
    let Ok(names) = xattr::list(path) else { return Ok(()) };
    for name in names.filter(|name| name.as_bytes().starts_with(XATTR_PREFIX)) {
        if let Ok(Some(value)) = xattr::get(path, &name) {
            contents.set_attribute(object, name.as_bytes(), &value)?;
        }
    }
    Ok(())
}

/// An object's extended attributes.
pub(crate) fn xattrs(contents: &mut Contents<'_>, object: ObjectId) -> Result<Vec<Xattr>, Error> {
    let mut names = Vec::new();
    contents.attributes(object, |name| {
        names.push(name.to_vec());
        ControlFlow::<()>::Continue(())
    })?;
    names.sort_unstable();
    let mut found = Vec::with_capacity(names.len());
    for name in names {
        let mut value = vec![0; dynamicfs_core::limits::XATTR_BYTES_MAX];
        let bytes = contents.attribute(object, &name, &mut value)?;
        value.truncate(bytes);
        found.push((name, value));
    }
    Ok(found)
}

/// Gives a file or folder what the pool knows of it: extended attributes, owner, mode, times, in the order in which one
/// does not undo another.
pub(crate) fn restore(path: &Path, inode: &Inode, xattrs: &[Xattr]) -> io::Result<()> {
    for (name, value) in xattrs {
        // A filesystem without extended attributes takes the file all the same.
        let _ = xattr::set(path, OsStr::from_bytes(name), value);
    }
    own(path, inode)?;
    fs::set_permissions(path, Permissions::from_mode(u32::from(inode.mode)))?;
    let times =
        FileTimes::new().set_accessed(system_time(inode.accessed)).set_modified(system_time(inode.modified));
    fs::File::open(path)?.set_times(times)
}

/// Sets the owner, where this process may: only a superuser's may.
pub(crate) fn own(path: &Path, inode: &Inode) -> io::Result<()> {
    let metadata = fs::symlink_metadata(path)?;
    if metadata.uid() == inode.uid && metadata.gid() == inode.gid {
        return Ok(());
    }
    match lchown(path, Some(inode.uid), Some(inode.gid)) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        done => done,
    }
}

/// A time of the pool as the system has it; one beyond what that holds becomes 1970.
pub(crate) fn system_time(time: UnixTime) -> SystemTime {
    let whole = Duration::from_secs(time.seconds.unsigned_abs());
    let base = if time.seconds < 0 { UNIX_EPOCH.checked_sub(whole) } else { UNIX_EPOCH.checked_add(whole) };
    base.and_then(|base| base.checked_add(Duration::from_nanos(time.nanoseconds.into())))
        .unwrap_or(UNIX_EPOCH)
}

/// A time in RFC 3339, UTC.
pub(crate) fn rfc3339(time: UnixTime) -> String {
    let time = jiff::Timestamp::new(time.seconds, time.nanoseconds.min(999_999_999) as i32);
    time.unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_string()
}

/// A time of this machine in RFC 3339, UTC, to the second.
pub(crate) fn rfc3339_of(time: SystemTime) -> String {
    let time = jiff::Timestamp::try_from(time).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    jiff::Timestamp::from_second(time.as_second()).unwrap_or(time).to_string()
}

/// Now, to the second.
pub(crate) fn now_rfc3339() -> String {
    let now = jiff::Timestamp::now();
    jiff::Timestamp::from_second(now.as_second()).unwrap_or(now).to_string()
}
