//! Changes begun, committed, undone.

use crate::abi::*;
use crate::code::*;
use crate::session::{Mounted, Session, within};
use core::mem::ManuallyDrop;

/// Begins a transaction. All that changes is part of one, and there is one at a time: durable as a whole when
/// `dfs_commit` is back, undone by `dfs_abort`, `dfs_unmount`, or when the power goes before. What reads the
/// pool meanwhile sees its changes.
///
/// The first of a mount writes to every disk. Where space is scarce, deleted files are freed first.
///
/// 0, or `DFS_ERR_IN_TRANSACTION`, `_READ_ONLY`, `_TOO_FEW_DISKS`, `_OTHER_WRITER`, `_EXCHANGED`,
/// `_OUTCOME_UNKNOWN`, and those of disks and of misuse.
///
/// A call that fails inside a transaction need not end it. After `DFS_ERR_NO_SPACE`, and after errors of
/// names, kinds, arguments and limits, it goes on as it was. After others later calls may answer
/// `DFS_ERR_POISONED`: then it can only be aborted.
#[cfg_attr(feature = "write", unsafe(no_mangle))]
pub unsafe extern "C" fn dfs_begin(pool: *mut dfs_pool) -> i32 {
    let begin = |session: &mut Session| {
        if session.is_changing() {
            return Err(DFS_ERR_IN_TRANSACTION);
        }
        let begun = match session.mounted() {
            // Forgotten instead of dropped, it is put aside.
            Mounted::Writer(pool) => pool.begin().map(|transaction| transaction.suspend()),
            Mounted::Reader(_) => return Err(DFS_ERR_READ_ONLY),
        };
        session.done(begun)?;
        session.note_begun();
        Ok(DFS_OK)
    };
    // SAFETY: as the header asks.
    unsafe { within(pool, begin) }
}

/// Makes the changes of the open transaction durable, and ends it.
///
/// 0, or a code. After `DFS_ERR_NO_TRANSACTION` nothing happened. After any other all was undone, but after
/// `DFS_ERR_OUTCOME_UNKNOWN`: then only the next mount tells. There is no open transaction then.
#[cfg_attr(feature = "write", unsafe(no_mangle))]
pub unsafe extern "C" fn dfs_commit(pool: *mut dfs_pool) -> i32 {
    let commit = |session: &mut Session| {
        let changes = ManuallyDrop::into_inner(session.changes()?);
        let is_open = changes.is_open();
        let done = changes.commit().map(drop);
        if done.is_err() && is_open {
            session.note_undone();
        }
        session.done(done).map(|()| DFS_OK)
    };
    // SAFETY: as the header asks.
    unsafe { within(pool, commit) }
}

/// Undoes the open transaction, and ends it. Files and directories that it made, and that are
/// open, can only be closed.
///
/// 0, also where none is open; `DFS_ERR_READ_ONLY` on a pool that is mounted for reading; or the codes of
/// misuse.
#[cfg_attr(feature = "write", unsafe(no_mangle))]
pub unsafe extern "C" fn dfs_abort(pool: *mut dfs_pool) -> i32 {
    let abort = |session: &mut Session| {
        let changes = ManuallyDrop::into_inner(session.changes()?);
        let is_open = changes.is_open();
        drop(changes);
        if is_open {
            session.note_undone();
        }
        Ok(DFS_OK)
    };
    // SAFETY: as the header asks.
    unsafe { within(pool, abort) }
}

/// 1 if a transaction is open, 0 if none is, or the codes of misuse.
#[cfg_attr(feature = "write", unsafe(no_mangle))]
pub unsafe extern "C" fn dfs_in_transaction(pool: *mut dfs_pool) -> i32 {
    // SAFETY: as the header asks.
    unsafe { within(pool, |session| Ok(i32::from(session.is_changing()))) }
}
