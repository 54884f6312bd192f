//! Paths, and what they name.

use crate::abi::*;
use crate::code::*;
use crate::session::{Session, reading, struct_mut, text_of, within};
use core::ffi::c_char;
use dynamicfs_core::ReadObjects;
use dynamicfs_core::error::Error;
use dynamicfs_core::files::{Attributes, Inode, MakeRequest, ObjectKind, RenameMode};
use dynamicfs_core::types::ObjectId;

/// Bytes of a name in a directory, without the zero at its end.
pub const DFS_NAME_BYTES_MAX: usize = 255;
const _: () = assert!(DFS_NAME_BYTES_MAX == dynamicfs_core::limits::NAME_BYTES_MAX);

/// `dfs_rename`: what the new name meant is removed, if it is of the same sort: an empty directory for a
/// directory, anything else for anything else.
pub const DFS_RENAME_REPLACE: u32 = 0;
/// `dfs_rename`: a new name that is there is refused.
pub const DFS_RENAME_NO_REPLACE: u32 = 1;
/// `dfs_rename`: both names are there, and exchange what they mean.
pub const DFS_RENAME_EXCHANGE: u32 = 2;

/// What is at a path.
pub(crate) fn find(session: &mut Session, path: &[u8]) -> Result<(ObjectId, Inode), i32> {
    let found = reading!(session, |pool| pool
        .resolve(path)
        .and_then(|object| pool.inode(object).map(|inode| (object, inode))));
    session.done(found)
}

/// The attributes of an object, into a struct.
pub(crate) fn fill_stat(object: ObjectId, inode: &Inode, out: &mut dfs_stat_info) {
    *out = dfs_stat_info {
        struct_bytes: out.struct_bytes,
        kind: inode.kind as u32,
        object: object.0,
        size: inode.size,
        modified_seconds: inode.modified.seconds,
        created_seconds: inode.created.seconds,
        modified_nanoseconds: inode.modified.nanoseconds,
        created_nanoseconds: inode.created.nanoseconds,
        links: inode.links,
        mode: inode.mode.into(),
        uid: inode.uid,
        gid: inode.gid,
    };
}

/// The attributes of what is at a path, into `out`, whose `struct_bytes` the caller set. Symbolic links are
/// not followed. 0, or `DFS_ERR_NOT_FOUND`, `_NOT_A_DIRECTORY`, `_NAME`, and those of disks and of misuse.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dfs_stat(pool: *mut dfs_pool, path: *const c_char, out: *mut dfs_stat_info) -> i32 {
    let stat = |session: &mut Session| {
        // SAFETY: the header asks for a path, and a struct that no other thread uses.
        let (path, out) = unsafe { (text_of(path)?, struct_mut(out)?) };
        let (object, inode) = find(session, path)?;
        fill_stat(object, &inode, out);
        Ok(DFS_OK)
    };
    // SAFETY: as the header asks.
    unsafe { within(pool, stat) }
}

/// Makes a directory, in the open transaction. 0, or `DFS_ERR_EXISTS`, `_NOT_FOUND` of the directory above
/// it, `_NOT_A_DIRECTORY`, `_NAME`, `_NO_TRANSACTION`, `_NO_SPACE`, and those of disks and of misuse.
#[cfg_attr(feature = "write", unsafe(no_mangle))]
pub unsafe extern "C" fn dfs_mkdir(pool: *mut dfs_pool, path: *const c_char) -> i32 {
    let make = |session: &mut Session| {
        // SAFETY: the header asks for a path.
        let path = unsafe { text_of(path) }?;
        let mut changes = session.changes()?;
        let made = changes.resolve_parent(path).and_then(|(directory, name)| {
            changes.create(directory, name, &MakeRequest::Directory, &Attributes::new())
        });
        session.done(made).map(|_| DFS_OK)
    };
    // SAFETY: as the header asks.
    unsafe { within(pool, make) }
}

/// Removes a name, in the open transaction, if it is of the sort that is asked for.
fn remove(session: &mut Session, path: &[u8], directories: bool) -> Result<i32, i32> {
    let mut changes = session.changes()?;
    let done = changes.resolve_parent(path).and_then(|(directory, name)| {
        let found = changes.lookup(directory, name)?;
        match found.kind == ObjectKind::Directory {
            is_directory if is_directory == directories => changes.unlink(directory, name),
            true => Err(Error::IsADirectory),
            false => Err(Error::NotADirectory),
        }
    });
    session.done(done).map(|()| DFS_OK)
}

/// Removes the name of a file or of anything else that is no directory, in the open transaction, and with its
/// last name the object; `dfs_open` says what becomes of an open file. Its space is free some steps of
/// `dfs_maintenance_step` after the commit.
///
/// 0, or `DFS_ERR_NOT_FOUND`, `_IS_A_DIRECTORY`, `_NOT_A_DIRECTORY`, `_NAME`, `_NO_TRANSACTION`, and those of
/// disks and of misuse.
#[cfg_attr(feature = "write", unsafe(no_mangle))]
pub unsafe extern "C" fn dfs_unlink(pool: *mut dfs_pool, path: *const c_char) -> i32 {
    // SAFETY: as the header asks, of the pool and of the path.
    unsafe { within(pool, |session| remove(session, text_of(path)?, false)) }
}

/// Removes an empty directory, in the open transaction. 0, or `DFS_ERR_NOT_EMPTY`, `_NOT_FOUND`,
/// `_NOT_A_DIRECTORY`, `_NAME`, `_NO_TRANSACTION`, and those of disks and of misuse.
#[cfg_attr(feature = "write", unsafe(no_mangle))]
pub unsafe extern "C" fn dfs_rmdir(pool: *mut dfs_pool, path: *const c_char) -> i32 {
    // SAFETY: as the header asks, of the pool and of the path.
    unsafe { within(pool, |session| remove(session, text_of(path)?, true)) }
}

/// Gives an object another name, in the open transaction; `mode`, one of `DFS_RENAME_`, says what becomes of
/// what the new name meant. Open files stay open.
///
/// 0, or `DFS_ERR_NOT_FOUND`, `_EXISTS`, `_NOT_EMPTY`, `_NOT_A_DIRECTORY`, `_IS_A_DIRECTORY`, `_INTO_ITSELF`,
/// `_NAME`, `_ARGUMENT`, `_NO_TRANSACTION`, `_NO_SPACE`, and those of disks and of misuse.
#[cfg_attr(feature = "write", unsafe(no_mangle))]
pub unsafe extern "C" fn dfs_rename(
    pool: *mut dfs_pool,
    from: *const c_char,
    to: *const c_char,
    mode: u32,
) -> i32 {
    let rename = |session: &mut Session| {
        // SAFETY: the header asks for paths.
        let (from, to) = unsafe { (text_of(from)?, text_of(to)?) };
        let mode = match mode {
            DFS_RENAME_REPLACE => RenameMode::Replace,
            DFS_RENAME_NO_REPLACE => RenameMode::NoReplace,
            DFS_RENAME_EXCHANGE => RenameMode::Exchange,
            _ => return Err(DFS_ERR_ARGUMENT),
        };
        let mut changes = session.changes()?;
        let done = changes
            .resolve_parent(from)
            .and_then(|from| Ok((from, changes.resolve_parent(to)?)))
            .and_then(|(from, to)| changes.rename(from, to, mode));
        session.done(done).map(|()| DFS_OK)
    };
    // SAFETY: as the header asks.
    unsafe { within(pool, rename) }
}
