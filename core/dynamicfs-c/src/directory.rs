//! Open directories.

use crate::abi::*;
use crate::code::*;
use crate::names::find;
use crate::session::{DIRECTORY, Session, reading, struct_mut, text_of, within};
use core::ffi::c_char;
use dynamicfs_core::files::ObjectKind;
use dynamicfs_core::types::ObjectId;
use dynamicfs_core::{DirectoryCursor, ReadObjects};

/// Opens the directory at a path, before its first entry; `/` and the empty path are the root. `dir` needs no
/// preparation. Anything may be done with the pool while it is open. One that a transaction made goes with it
/// where that is undone, as `dfs_open` has it.
///
/// 0, or `DFS_ERR_NOT_FOUND`, `_NOT_A_DIRECTORY`, `_NAME`, and those of disks and of misuse.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dfs_opendir(pool: *mut dfs_pool, dir: *mut dfs_dir, path: *const c_char) -> i32 {
    let open = |session: &mut Session| {
        crate::session::check_pointer(dir)?;
        // SAFETY: the header asks for a path.
        let path = unsafe { text_of(path) }?;
        let (object, inode) = find(session, path)?;
        if inode.kind != ObjectKind::Directory {
            return Err(DFS_ERR_NOT_A_DIRECTORY);
        }
        let opened = session.opened(DIRECTORY, 0, object.0);
        // SAFETY: the pointer was checked, and this is all that the struct has in it.
        unsafe { dir.cast::<dfs_opened>().write(opened) };
        Ok(DFS_OK)
    };
    // SAFETY: as the header asks.
    unsafe { within(pool, open) }
}

/// The next entry, into `out`, whose `struct_bytes` the caller set: 1, or 0 behind the last. Entries come in
/// no particular order. A name that is there all the time is met exactly once, whatever changes beside it.
/// There is no `.` and no `..`.
///
/// After an error the position is as it was: `DFS_ERR_NOT_FOUND` where the directory was removed, and those
/// of disks and of misuse.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dfs_readdir(pool: *mut dfs_pool, dir: *mut dfs_dir, out: *mut dfs_entry) -> i32 {
    let read = |session: &mut Session| {
        // SAFETY: the header asks for structs that no other thread uses.
        let (opened, out) = unsafe { (session.open(dir.cast(), DIRECTORY)?, struct_mut(out)?) };
        let mut cursor = DirectoryCursor::at(ObjectId(opened.object), opened.position);
        let found = reading!(session, |pool| cursor
            .next(pool, &mut out.name[..crate::DFS_NAME_BYTES_MAX])
            .map(|entry| entry.map(|entry| (entry.name.len(), entry.object)))
            .and_then(|found| found
                .map(|found| pool.inode(found.1).map(|inode| (found, inode.kind, inode.size)))
                .transpose()));
        let Some(((bytes, object), kind, size)) = session.done(found)? else { return Ok(0) };
        out.name[bytes..].fill(0);
        (out.name_bytes, out.object, out.kind, out.size) = (bytes as u32, object.0, kind as u32, size);
        opened.position = cursor.position();
        Ok(1)
    };
    // SAFETY: as the header asks.
    unsafe { within(pool, read) }
}

/// Goes back before the first entry. 0, or the codes of misuse.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dfs_rewinddir(pool: *mut dfs_pool, dir: *mut dfs_dir) -> i32 {
    // SAFETY: as the header asks.
    unsafe { dfs_seekdir(pool, dir, 0) }
}

/// Where the listing is: what `dfs_seekdir` takes, at most 2^63 - 1, good as long as the pool is there. 0 is
/// before the first entry. Or the codes of misuse.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dfs_telldir(pool: *mut dfs_pool, dir: *mut dfs_dir) -> i64 {
    let tell = |session: &mut Session| {
        // SAFETY: the header asks for a struct that no other thread uses.
        Ok(unsafe { session.open(dir.cast(), DIRECTORY) }?.position as i64)
    };
    // SAFETY: as the header asks.
    unsafe { within(pool, tell) }
}

/// Goes to where a listing of the directory was. 0, or `DFS_ERR_ARGUMENT` for a negative position, or the
/// codes of misuse.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dfs_seekdir(pool: *mut dfs_pool, dir: *mut dfs_dir, position: i64) -> i32 {
    let seek = |session: &mut Session| {
        let position = u64::try_from(position).map_err(|_| DFS_ERR_ARGUMENT)?;
        // SAFETY: the header asks for a struct that no other thread uses.
        unsafe { session.open(dir.cast(), DIRECTORY) }?.position = position;
        Ok(DFS_OK)
    };
    // SAFETY: as the header asks.
    unsafe { within(pool, seek) }
}

/// Closes a directory. 0, or `DFS_ERR_HANDLE` where it is closed already, and the other codes of misuse;
/// `DFS_ERR_STALE` is told once, and the directory is closed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dfs_closedir(pool: *mut dfs_pool, dir: *mut dfs_dir) -> i32 {
    let close = |session: &mut Session| {
        // SAFETY: the header asks for a struct that no other thread uses.
        let checked = unsafe { session.open(dir.cast(), DIRECTORY) }.map(|_| DFS_OK);
        // SAFETY: as above.
        unsafe { session.held(dir.cast(), DIRECTORY) }?.magic = 0;
        checked
    };
    // SAFETY: as the header asks.
    unsafe { within(pool, close) }
}
