//! Open files.

use crate::abi::*;
use crate::code::*;
use crate::names::{fill_stat, find};
use crate::session::{FILE, Mounted, Session, bytes_mut, bytes_of, reading, struct_mut, text_of, within};
use core::ffi::{c_char, c_void};
use dynamicfs_core::files::ObjectKind;
use dynamicfs_core::types::ObjectId;
use dynamicfs_core::{OpenOptions, ReadObjects};

/// `dfs_open`, `dfs_create`: the file is read.
pub const DFS_OPEN_READ: u32 = 1;
/// `dfs_open`, `dfs_create`: the file is written.
pub const DFS_OPEN_WRITE: u32 = 2;
/// `dfs_open`, `dfs_create`: each `dfs_write` goes to the end of the file. It needs `DFS_OPEN_WRITE`.
pub const DFS_OPEN_APPEND: u32 = 4;
/// `dfs_create`: a file that is there is refused.
pub const DFS_OPEN_NEW: u32 = 8;

/// `dfs_lseek`: from the beginning.
pub const DFS_SEEK_SET: i32 = 0;
/// `dfs_lseek`: from where the file is.
pub const DFS_SEEK_CUR: i32 = 1;
/// `dfs_lseek`: from the end.
pub const DFS_SEEK_END: i32 = 2;

/// Opens the file at a path, at its beginning; `flags` are of `DFS_OPEN_`. Paths go from the root; slashes at
/// either end are passed over, symbolic links are not followed. As many files are open at a time as there are
/// structs for; one file may be open several times. `file` needs no preparation, and what it held is not
/// looked at. To make a file there is `dfs_create`, to cut one `dfs_truncate`: a program that does neither
/// links no code for it.
///
/// A file that a transaction made goes with it where that is undone: it is `DFS_ERR_STALE` then. After the
/// commit it stays open, but it must be used once before 64 more transactions have begun: what came of
/// earlier ones is not remembered, and it is `DFS_ERR_STALE` too.
///
/// Where `config.pins` is not 0 the file is pinned: unlinked, it stays as it is until it is closed. Else it
/// is `DFS_ERR_NOT_FOUND` from then on.
///
/// 0, or `DFS_ERR_NOT_FOUND`, `_NAME`, `_NOT_A_DIRECTORY`, `_IS_A_DIRECTORY`, `_NOT_A_FILE`, `_READ_ONLY`,
/// `_PINS_FULL`, `_ARGUMENT`, and those of disks and of misuse. After an error `file` is not open.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dfs_open(
    pool: *mut dfs_pool,
    file: *mut dfs_file,
    path: *const c_char,
    flags: u32,
) -> i32 {
    let open = |session: &mut Session| {
        // SAFETY: the header asks for a path.
        let path = unsafe { text_of(path) }?;
        check_flags(flags, DFS_OPEN_READ | DFS_OPEN_WRITE)?;
        if flags & DFS_OPEN_WRITE != 0 {
            session.changes()?;
        }
        let (object, inode) = find(session, path)?;
        match inode.kind {
            // SAFETY: as the header asks.
            ObjectKind::File => unsafe { opened(session, file, object, flags) },
            ObjectKind::Directory => Err(DFS_ERR_IS_A_DIRECTORY),
            _ => Err(DFS_ERR_NOT_A_FILE),
        }
    };
    // SAFETY: as the header asks.
    unsafe { within(pool, open) }
}

/// Opens the file at a path as `dfs_open` does, and makes it, in the open transaction, if it is not there;
/// with `DFS_OPEN_NEW` one that is there is refused. `flags` must have `DFS_OPEN_WRITE`.
///
/// 0, or the codes of `dfs_open`, `DFS_ERR_EXISTS`, `_NO_TRANSACTION`, `_NO_SPACE`. After an error `file` is
/// not open; after `DFS_ERR_PINS_FULL` the file is made all the same.
#[cfg_attr(feature = "write", unsafe(no_mangle))]
pub unsafe extern "C" fn dfs_create(
    pool: *mut dfs_pool,
    file: *mut dfs_file,
    path: *const c_char,
    flags: u32,
) -> i32 {
    let create = |session: &mut Session| {
        crate::session::check_pointer(file)?;
        // SAFETY: the header asks for a path.
        let path = unsafe { text_of(path) }?;
        check_flags(flags & !DFS_OPEN_NEW, DFS_OPEN_WRITE)?;
        let mut changes = session.changes()?;
        let options = OpenOptions::new().create(true).create_new(flags & DFS_OPEN_NEW != 0);
        let made = options.open(&mut changes, path).map(|handle| handle.object());
        let object = session.done(made)?;
        // SAFETY: as the header asks.
        unsafe { opened(session, file, object, flags) }
    };
    // SAFETY: as the header asks.
    unsafe { within(pool, create) }
}

/// Refuses flags that are unknown, without one of those that are asked for, or that contradict each other.
fn check_flags(flags: u32, asked: u32) -> Result<(), i32> {
    let appends_only = flags & DFS_OPEN_APPEND != 0 && flags & DFS_OPEN_WRITE == 0;
    let known = DFS_OPEN_READ | DFS_OPEN_WRITE | DFS_OPEN_APPEND;
    if flags & !known != 0 || flags & asked == 0 || appends_only { Err(DFS_ERR_ARGUMENT) } else { Ok(()) }
}

/// Fills in a file that is opened.
///
/// # Safety
/// The pointer is null, misaligned, or to a struct that nothing else uses meanwhile.
unsafe fn opened(
    session: &mut Session,
    file: *mut dfs_file,
    object: ObjectId,
    flags: u32,
) -> Result<i32, i32> {
    crate::session::check_pointer(file)?;
    pin(session, object)?;
    let opened = session.opened(FILE, flags, object.0);
    // SAFETY: the pointer was checked, and this is all that the struct has in it.
    unsafe { file.cast::<dfs_opened>().write(opened) };
    Ok(DFS_OK)
}

/// Holds an object where the build and the configuration have places for that.
fn pin(session: &mut Session, object: ObjectId) -> Result<(), i32> {
    if cfg!(feature = "pins") && session.config().pins > 0 && matches!(session.mounted(), Mounted::Writer(_))
    {
        let pinned = session.changes()?.pin(object);
        return session.done(pinned);
    }
    Ok(())
}

/// Closes a file. Nothing is written and nothing becomes durable: that is the transaction's affair.
///
/// 0, or `DFS_ERR_HANDLE` where it is closed already, and the other codes of misuse. `DFS_ERR_STALE` is told
/// once, and the file is closed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dfs_close(pool: *mut dfs_pool, file: *mut dfs_file) -> i32 {
    let close = |session: &mut Session| {
        // SAFETY: the header asks for a struct that no other thread uses.
        let checked = unsafe { session.open(file.cast(), FILE) }.map(|opened| opened.object);
        // SAFETY: as above.
        unsafe { session.held(file.cast(), FILE) }?.magic = 0;
        if cfg!(feature = "pins")
            && let Ok(object) = checked
            && let Mounted::Writer(_) = session.mounted()
        {
            // One that was not pinned is not let go either.
            session.changes()?.unpin(ObjectId(object));
        }
        checked.map(|_| DFS_OK)
    };
    // SAFETY: as the header asks.
    unsafe { within(pool, close) }
}

/// An open file that was opened for something.
///
/// # Safety
/// As [`Session::open`].
unsafe fn open_for<'a>(
    session: &mut Session,
    file: *mut dfs_file,
    what: u32,
) -> Result<&'a mut dfs_opened, i32> {
    // SAFETY: as the caller promises.
    let opened = unsafe { session.open(file.cast(), FILE) }?;
    if opened.flags & what == 0 { Err(DFS_ERR_ACCESS) } else { Ok(opened) }
}

/// Reads from a byte on.
///
/// # Safety
/// As `bytes_mut` and [`Session::open`].
unsafe fn read_from(
    session: &mut Session,
    file: *mut dfs_file,
    (bytes, count): (*mut c_void, usize),
    at: Option<u64>,
) -> Result<i32, i32> {
    // SAFETY: as the caller promises.
    let (opened, bytes) =
        unsafe { (open_for(session, file, DFS_OPEN_READ)?, bytes_mut(bytes.cast(), count)?) };
    let from = at.unwrap_or(opened.position);
    let read = reading!(session, |pool| pool.read(ObjectId(opened.object), from, bytes));
    let read = session.done(read)?;
    if at.is_none() {
        opened.position += read as u64;
    }
    Ok(read as i32)
}

/// Reads on, up to `count` bytes; how many, fewer only at the end of the file, 0 behind it. Every byte was
/// compared with its checksum. Of more than 2^31 - 1 bytes so many are read.
///
/// After an error the position is as it was, and `bytes` hold zeros or nothing to be used:
/// `DFS_ERR_UNREADABLE` where they are lost, `_NOT_FOUND` where the file was unlinked and not pinned,
/// `_ACCESS`, and those of disks and of misuse.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dfs_read(
    pool: *mut dfs_pool,
    file: *mut dfs_file,
    bytes: *mut c_void,
    count: usize,
) -> i32 {
    // SAFETY: as the header asks.
    unsafe { within(pool, |session| read_from(session, file, (bytes, count), None)) }
}

/// As `dfs_read`, from byte `offset` on. The position stays.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dfs_pread(
    pool: *mut dfs_pool,
    file: *mut dfs_file,
    bytes: *mut c_void,
    count: usize,
    offset: u64,
) -> i32 {
    // SAFETY: as the header asks.
    unsafe { within(pool, |session| read_from(session, file, (bytes, count), Some(offset))) }
}

/// Writes from a byte on.
///
/// # Safety
/// As `bytes_of` and [`Session::open`].
unsafe fn write_from(
    session: &mut Session,
    file: *mut dfs_file,
    (bytes, count): (*const c_void, usize),
    at: Option<u64>,
) -> Result<i32, i32> {
    // SAFETY: as the caller promises.
    let (opened, bytes) =
        unsafe { (open_for(session, file, DFS_OPEN_WRITE)?, bytes_of(bytes.cast(), count)?) };
    let object = ObjectId(opened.object);
    let mut changes = session.changes()?;
    let from = match at {
        Some(offset) => Ok(offset),
        None if opened.flags & DFS_OPEN_APPEND != 0 => changes.inode(object).map(|inode| inode.size),
        None => Ok(opened.position),
    };
    let wrote = from.and_then(|from| changes.write(object, from, bytes).map(|wrote| (from, wrote)));
    let (from, wrote) = session.done(wrote)?;
    if at.is_none() {
        opened.position = from + wrote as u64;
    }
    Ok(wrote as i32)
}

/// Writes on, in the open transaction; how many bytes: all, or fewer where space ends. What lies between the
/// end of the file and what is written reads as zeros. Of more than 2^31 - 1 bytes so many are written.
///
/// After an error the position is as it was: `DFS_ERR_NO_TRANSACTION`, `_NO_SPACE` where there is room for
/// nothing, `_TOO_LARGE` beyond 2^48 bytes, `_ACCESS`, `_NOT_FOUND` as `dfs_read` has it, `_POISONED`, and
/// those of disks and of misuse.
#[cfg_attr(feature = "write", unsafe(no_mangle))]
pub unsafe extern "C" fn dfs_write(
    pool: *mut dfs_pool,
    file: *mut dfs_file,
    bytes: *const c_void,
    count: usize,
) -> i32 {
    // SAFETY: as the header asks.
    unsafe { within(pool, |session| write_from(session, file, (bytes, count), None)) }
}

/// As `dfs_write`, from byte `offset` on, also where the file was opened with `DFS_OPEN_APPEND`. The position
/// stays.
#[cfg_attr(feature = "write", unsafe(no_mangle))]
pub unsafe extern "C" fn dfs_pwrite(
    pool: *mut dfs_pool,
    file: *mut dfs_file,
    bytes: *const c_void,
    count: usize,
    offset: u64,
) -> i32 {
    // SAFETY: as the header asks.
    unsafe { within(pool, |session| write_from(session, file, (bytes, count), Some(offset))) }
}

/// Goes to another position, also behind the end: the position, or `DFS_ERR_ARGUMENT` before the beginning
/// and for another `whence` than `DFS_SEEK_`, and those of disks and of misuse. The position stays then.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dfs_lseek(
    pool: *mut dfs_pool,
    file: *mut dfs_file,
    offset: i64,
    whence: i32,
) -> i64 {
    let seek = |session: &mut Session| {
        // SAFETY: the header asks for a struct that no other thread uses.
        let opened = unsafe { session.open(file.cast(), FILE) }?;
        let from = match whence {
            DFS_SEEK_SET => 0,
            DFS_SEEK_CUR => opened.position,
            DFS_SEEK_END => {
                let inode = reading!(session, |pool| pool.inode(ObjectId(opened.object)));
                session.done(inode)?.size
            }
            _ => return Err(DFS_ERR_ARGUMENT),
        };
        let position = from.checked_add_signed(offset).filter(|&position| position <= i64::MAX as u64);
        opened.position = position.ok_or(DFS_ERR_ARGUMENT)?;
        Ok(opened.position as i64)
    };
    // SAFETY: as the header asks.
    unsafe { within(pool, seek) }
}

/// Cuts a file to `size` bytes, or lets it grow to them, in the open transaction: what is new reads as zeros
/// and takes no space. The position stays, also behind the end.
///
/// 0, or the codes of `dfs_write`.
#[cfg_attr(feature = "write", unsafe(no_mangle))]
pub unsafe extern "C" fn dfs_truncate(pool: *mut dfs_pool, file: *mut dfs_file, size: u64) -> i32 {
    let truncate = |session: &mut Session| {
        // SAFETY: the header asks for a struct that no other thread uses.
        let opened = unsafe { open_for(session, file, DFS_OPEN_WRITE) }?;
        let done = session.changes()?.truncate(ObjectId(opened.object), size);
        session.done(done).map(|()| DFS_OK)
    };
    // SAFETY: as the header asks.
    unsafe { within(pool, truncate) }
}

/// The attributes of an open file, into `out`, whose `struct_bytes` the caller set. 0, or `DFS_ERR_NOT_FOUND`
/// as `dfs_read` has it, and those of disks and of misuse.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dfs_fstat(pool: *mut dfs_pool, file: *mut dfs_file, out: *mut dfs_stat_info) -> i32 {
    let stat = |session: &mut Session| {
        // SAFETY: the header asks for structs that no other thread uses.
        let (opened, out) = unsafe { (session.open(file.cast(), FILE)?, struct_mut(out)?) };
        let object = ObjectId(opened.object);
        let inode = reading!(session, |pool| pool.inode(object));
        fill_stat(object, &session.done(inode)?, out);
        Ok(DFS_OK)
    };
    // SAFETY: as the header asks.
    unsafe { within(pool, stat) }
}

/// Makes durable what was written. **It commits everything that the open transaction changed**, through this
/// file or not, because a transaction is all or nothing; then the transaction goes on, begun anew. Where none
/// is open everything is durable already.
///
/// 0, or a code of `dfs_commit`: the transaction is over then, and was undone unless that code says
/// otherwise.
#[cfg_attr(feature = "write", unsafe(no_mangle))]
pub unsafe extern "C" fn dfs_fsync(pool: *mut dfs_pool, file: *mut dfs_file) -> i32 {
    let sync = |session: &mut Session| {
        // SAFETY: the header asks for a struct that no other thread uses.
        unsafe { session.open(file.cast(), FILE) }?;
        if !session.is_changing() {
            return Ok(DFS_OK);
        }
        let synced = session.changes()?.sync();
        if synced.is_err() {
            session.note_undone();
        } else if session.is_changing() {
            session.note_begun();
        }
        session.done(synced).map(|_| DFS_OK)
    };
    // SAFETY: as the header asks.
    unsafe { within(pool, sync) }
}
