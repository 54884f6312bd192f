//! Attributes of files of this machine, to the pool and back.

use super::acl::{self, Acl};
use super::folder::Folder;
use super::look::Look;
use crate::output::names;
use dynamicfs_core::error::Error;
use dynamicfs_core::files::{AttributeMode, Attributes, Change, Inode};
use dynamicfs_core::types::ObjectId;
use dynamicfs_core::{ReadObjects, Transaction};
use dynamicfs_hal::{DiskArray, UnixTime};
use rustix::fs::{AtFlags, Gid, Mode, Timespec, Timestamps, Uid, chownat, fchmod, futimens, utimensat};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::fchown;
use xattr::FileExt;

/// Extended attributes that mean something on one machine alone: labels of its policy, and checksums that
/// count the file's own number in. The system makes them anew.
const LEFT_OUT: [&[u8]; 3] = [b"security.selinux", b"security.ima", b"security.evm"];

const SET_UID: u16 = 0o4000;
const SET_GID: u16 = 0o2000;

/// An extended attribute: its name and its value.
pub(crate) type Xattr = (Vec<u8>, Vec<u8>);

/// An attribute that was not transferred, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Lacking {
    /// "owner", "mode", "setuid", "times", or the name of an extended attribute.
    pub(crate) attribute: String,
    pub(crate) why: String,
}

impl Lacking {
    fn new(attribute: &str, error: impl Into<io::Error>) -> Self {
        Self { attribute: attribute.to_owned(), why: crate::output::failure::plain(&error.into()) }
    }

    /// Another name of a file, which was made a copy.
    pub(crate) fn hard_link(error: io::Error) -> Self {
        Self::new("hard link", error)
    }

    /// An extended attribute that the pool's records cannot be read for.
    fn xattr(name: &[u8], why: impl ToString) -> Self {
        Self { attribute: names::show(name), why: why.to_string() }
    }
}

/// What a new object is given at once.
pub(crate) fn of(look: &Look) -> Attributes {
    Attributes::new().mode(look.mode).uid(look.uid).gid(look.gid)
}

/// What an object is given that is made by this process, and is no copy of anything.
pub(crate) fn own_attributes(mode: u16) -> Attributes {
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    Attributes::new().mode(mode).uid(uid).gid(gid)
}

/// What an object is given when its contents are complete.
pub(crate) fn change(look: &Look) -> Change {
    Change::new().mode(look.mode).uid(look.uid).gid(look.gid).accessed(look.accessed).modified(look.modified)
}

// --- to the pool -----------------------------------------------------------------------------------------

/// Where extended attributes are read from.
pub(crate) enum Bearer<'f> {
    /// An open file or folder.
    File(&'f File),
    /// A symbolic link, which cannot be opened.
    Link(&'f Folder, &'f OsStr),
}

impl Bearer<'_> {
    /// The names of all that it has; none where its filesystem has none.
    fn names(&self) -> io::Result<Vec<OsString>> {
        let listed = match self {
            Self::File(file) => file.list_xattr(),
            Self::Link(folder, name) => xattr::list(folder.short_path(name)),
        };
        match listed {
            Err(error) if is_unsupported(&error) => Ok(Vec::new()),
            listed => Ok(listed?.collect()),
        }
    }

    fn value(&self, attribute: &OsStr) -> io::Result<Option<Vec<u8>>> {
        match self {
            Self::File(file) => file.get_xattr(attribute),
            Self::Link(folder, name) => xattr::get(folder.short_path(name), attribute),
        }
    }
}

fn is_unsupported(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::NOTSUP | Errno::NOSYS))
}

/// Extended attributes of a file of this machine, in the order of their names, and what of them cannot be
/// had.
pub(crate) fn read_xattrs(from: &Bearer<'_>) -> (Vec<Xattr>, Vec<Lacking>) {
    let (mut found, mut lacking) = (Vec::new(), Vec::new());
    let names = match from.names() {
        Ok(names) => names,
        Err(error) => return (found, vec![Lacking::new("extended attributes", error)]),
    };
    for name in names {
        let shown = || names::show(name.as_bytes());
        if LEFT_OUT.contains(&name.as_bytes()) {
            lacking.push(Lacking { attribute: shown(), why: "it holds on this machine alone".into() });
            continue;
        }
        match from.value(&name) {
            Ok(Some(value)) => found.push((name.into_vec(), value)),
            // It was removed since it was listed.
            Ok(None) => {}
            Err(error) => lacking.push(Lacking::new(&shown(), error)),
        }
    }
    found.sort_unstable();
    (found, lacking)
}

/// Gives an object the extended attributes of a file of this machine, and no others; what was left out.
pub(crate) fn put_xattrs<A: DiskArray>(
    contents: &mut Transaction<'_, '_, A>,
    object: ObjectId,
    from: &Bearer<'_>,
) -> Result<Vec<Lacking>, Error> {
    let (found, mut lacking) = read_xattrs(from);
    for old in xattr_names(contents, object)? {
        if !found.iter().any(|(name, _)| *name == old) {
            contents.remove_attribute(object, &old)?;
        }
    }
    for (name, value) in found {
        match contents.set_attribute(object, &name, &value, AttributeMode::CreateOrReplace) {
            Err(Error::TooLarge) => {
                let most = dynamicfs_core::limits::XATTR_BYTES_MAX;
                lacking
                    .push(Lacking::xattr(&name, format!("its {} bytes are more than {most}", value.len())));
            }
            done => done?,
        }
    }
    Ok(lacking)
}

// --- in the pool -----------------------------------------------------------------------------------------

fn xattr_names(contents: &mut impl ReadObjects, object: ObjectId) -> Result<Vec<Vec<u8>>, Error> {
    let mut names = Vec::new();
    contents.attributes(object, |name| {
        names.push(name.to_vec());
        ControlFlow::<()>::Continue(())
    })?;
    names.sort_unstable();
    Ok(names)
}

/// An object's extended attributes.
pub(crate) fn xattrs(contents: &mut impl ReadObjects, object: ObjectId) -> Result<Vec<Xattr>, Error> {
    let names = xattr_names(contents, object)?;
    let mut found = Vec::with_capacity(names.len());
    for name in names {
        let mut value = vec![0; dynamicfs_core::limits::XATTR_BYTES_MAX];
        let bytes = contents.attribute(object, &name, &mut value)?;
        value.truncate(bytes);
        found.push((name, value));
    }
    Ok(found)
}

// --- from the pool ---------------------------------------------------------------------------------------

/// Sets the attributes of a file or folder: owner, extended attributes, mode, times. In this order none
/// undoes another. What cannot be set is left out, and takes along what would mean more without it.
pub(crate) fn restore(file: &File, inode: &Inode, xattrs: &[Xattr]) -> Vec<Lacking> {
    let mut lacking = Vec::new();
    let mut mode = inode.mode;
    let owned = own(file, inode);
    lacking.extend(owned.refused.map(|error| Lacking::new("owner", error)));
    // The rights of an owner that it does not have.
    let dropped = if owned.uid { 0 } else { SET_UID } | if owned.gid { 0 } else { SET_GID };
    if mode & dropped != 0 {
        let why = "it would be another owner's".to_owned();
        lacking.push(Lacking { attribute: "setuid or setgid".into(), why });
    }
    mode &= !dropped;
    if !owned.gid {
        mode = acl::mode_without_group(mode);
    }
    for list in [acl::ACCESS, acl::DEFAULT] {
        let Some((_, value)) = xattrs.iter().find(|(name, _)| name == list) else {
            forget_inherited(file, list, &mut lacking);
            continue;
        };
        let decoded = Acl::decode(value);
        let adapted = decoded.clone().filter(|_| !owned.gid).map(|acl| acl.without_group().encode());
        if let Err(error) = file.set_xattr(OsStr::from_bytes(list), adapted.as_ref().unwrap_or(value)) {
            lacking.push(Lacking::new(&names::show(list), error));
            if list == acl::ACCESS {
                mode = decoded.map_or(mode & !0o077, |acl| acl.mode_without(mode));
            }
        }
    }
    for (name, value) in xattrs.iter().filter(|(name, _)| name != acl::ACCESS && name != acl::DEFAULT) {
        if let Err(error) = file.set_xattr(OsStr::from_bytes(name), value) {
            lacking.push(Lacking::new(&names::show(name), error));
        }
    }
    if let Err(error) = fchmod(file, Mode::from_raw_mode(mode.into())) {
        lacking.push(Lacking::new("mode", error));
    }
    if let Err(error) = futimens(file, &times(inode)) {
        lacking.push(Lacking::new("times", error));
    }
    lacking
}

/// The same for a symbolic link, which has no mode.
pub(crate) fn restore_link(folder: &Folder, name: &OsStr, inode: &Inode, xattrs: &[Xattr]) -> Vec<Lacking> {
    let mut lacking = Vec::new();
    match folder.look(name) {
        Ok(look) => {
            let set = |uid: Option<u32>, gid: Option<u32>| {
                let (uid, gid) = (uid.map(Uid::from_raw), gid.map(Gid::from_raw));
                Ok(chownat(&folder.file, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW)?)
            };
            let owned = Owned::try_to(&look, inode, set);
            lacking.extend(owned.refused.map(|error| Lacking::new("owner", error)));
        }
        Err(error) => lacking.push(Lacking::new("owner", error)),
    }
    for (attribute, value) in xattrs {
        if let Err(error) = xattr::set(folder.short_path(name), OsStr::from_bytes(attribute), value) {
            lacking.push(Lacking::new(&names::show(attribute), error));
        }
    }
    if let Err(error) = utimensat(&folder.file, name, &times(inode), AtFlags::SYMLINK_NOFOLLOW) {
        lacking.push(Lacking::new("times", error));
    }
    lacking
}

/// Takes away a list that a folder gave to what was made in it: the pool knows of none.
fn forget_inherited(file: &File, list: &[u8], lacking: &mut Vec<Lacking>) {
    match file.remove_xattr(OsStr::from_bytes(list)) {
        Err(error) if is_unsupported(&error) || Errno::from_io_error(&error) == Some(Errno::NODATA) => {}
        // Only folders have the other one.
        Err(_) if list == acl::DEFAULT && Look::of(file).is_ok_and(|look| !look.is_folder()) => {}
        Err(error) => lacking.push(Lacking::new(&names::show(list), error)),
        Ok(()) => {}
    }
}

/// Which of owner and group something has now as the pool knows them.
struct Owned {
    uid: bool,
    gid: bool,
    refused: Option<io::Error>,
}

/// Sets owner and group, where this process may: a superuser's may, others only give to groups that they are
/// in.
fn own(file: &File, inode: &Inode) -> Owned {
    match Look::of(file) {
        Ok(look) => Owned::try_to(&look, inode, |uid, gid| fchown(file, uid, gid)),
        Err(error) => Owned { uid: false, gid: false, refused: Some(error) },
    }
}

impl Owned {
    fn try_to(look: &Look, inode: &Inode, set: impl Fn(Option<u32>, Option<u32>) -> io::Result<()>) -> Self {
        // To the system this number means none.
        let there = |id: u32| (id != u32::MAX).then_some(id);
        let is = (look.uid == inode.uid, look.gid == inode.gid);
        if is == (true, true) {
            return Self { uid: true, gid: true, refused: None };
        }
        let (uid, gid) = (there(inode.uid), there(inode.gid));
        match set(uid, gid) {
            Ok(()) => Self {
                uid: uid.is_some(),
                gid: gid.is_some(),
                refused: (uid.is_none() || gid.is_none()).then(|| Errno::INVAL.into()),
            },
            Err(error) => {
                let gid = is.1 || gid.is_some() && set(None, gid).is_ok();
                Self { uid: is.0, gid, refused: Some(error) }
            }
        }
    }
}

fn times(inode: &Inode) -> Timestamps {
    let time =
        |time: UnixTime| Timespec { tv_sec: time.seconds, tv_nsec: time.nanoseconds.min(999_999_999).into() };
    Timestamps { last_access: time(inode.accessed), last_modification: time(inode.modified) }
}

/// Closes a folder that was there before to every user without rights to it when it is done.
pub(crate) fn narrow(file: &File, mode: u16) -> io::Result<()> {
    let is = Look::of(file)?.mode;
    let narrowed = is & (mode | 0o700) | 0o700;
    if narrowed != is {
        fchmod(file, Mode::from_raw_mode(narrowed.into()))?;
    }
    Ok(())
}

/// Sets the permissions of a folder.
pub(crate) fn permit(folder: &Folder, mode: u16) -> io::Result<()> {
    Ok(fchmod(&folder.file, Mode::from_raw_mode(mode.into()))?)
}
