//! A pool in use: what is checked before each call, and what the call then has.

use crate::abi::*;
use crate::code::*;
use crate::disks::Disks;
use core::ffi::c_char;
use core::mem::ManuallyDrop;
use dynamicfs_core::error::Error;
use dynamicfs_core::types::ObjectId;
use dynamicfs_core::{Pool, Reader, Transaction};

/// What is mounted.
pub(crate) enum Mounted<'s> {
    /// A pool for reading and writing.
    Writer(&'s mut Pool<'static, Disks>),
    /// A pool that is only read.
    Reader(&'s mut Reader<'static, Disks>),
}

/// In `dfs_pool.magic`: a pool is mounted.
pub(crate) const MOUNTED: u32 = 0x6D66_7344;
/// A pool was mounted, and is not any more.
pub(crate) const UNMOUNTED: u32 = 0x7566_7344;

// --- what C hands over
// ----------------------------------------------------------------------------------------

/// Refuses a pointer that is null or misaligned.
pub(crate) fn check_pointer<T>(pointer: *const T) -> Result<(), i32> {
    if pointer.is_null() || !pointer.is_aligned() { Err(DFS_ERR_POINTER) } else { Ok(()) }
}

/// A struct that the caller filled, and that begins with its own size.
///
/// # Safety
/// The pointer is null, misaligned, or points to a `T` that nothing changes meanwhile.
pub(crate) unsafe fn struct_of<'a, T>(pointer: *const T) -> Result<&'a T, i32> {
    check_pointer(pointer)?;
    // SAFETY: each of these structs begins with its size; where it is a shorter one no more of it is read.
    let bytes = unsafe { pointer.cast::<u32>().read() };
    if bytes as usize != size_of::<T>() {
        return Err(DFS_ERR_STRUCT);
    }
    // SAFETY: it is aligned, not null, and as long as it should be.
    Ok(unsafe { &*pointer })
}

/// The same of a struct that is to be filled by this side.
///
/// # Safety
/// The pointer is null, misaligned, or points to a `T` that nothing else uses meanwhile.
pub(crate) unsafe fn struct_mut<'a, T>(pointer: *mut T) -> Result<&'a mut T, i32> {
    // SAFETY: as the caller promises.
    unsafe { struct_of(pointer) }?;
    // SAFETY: that found it good, and nothing else uses it.
    Ok(unsafe { &mut *pointer })
}

/// Bytes that are read. Null is none, where none are asked for.
///
/// # Safety
/// The pointer is null, or `count` bytes may be read there.
pub(crate) unsafe fn bytes_of<'a>(bytes: *const u8, count: usize) -> Result<&'a [u8], i32> {
    match count.min(i32::MAX as usize) {
        0 => Ok(&[]),
        _ if bytes.is_null() => Err(DFS_ERR_POINTER),
        // SAFETY: as the caller promises.
        count => Ok(unsafe { core::slice::from_raw_parts(bytes, count) }),
    }
}

/// Bytes that are written. Null is none, where none are asked for.
///
/// # Safety
/// The pointer is null, or `count` bytes may be written there, and nothing else uses them.
pub(crate) unsafe fn bytes_mut<'a>(bytes: *mut u8, count: usize) -> Result<&'a mut [u8], i32> {
    match count.min(i32::MAX as usize) {
        0 => Ok(&mut []),
        _ if bytes.is_null() => Err(DFS_ERR_POINTER),
        // SAFETY: as the caller promises.
        count => Ok(unsafe { core::slice::from_raw_parts_mut(bytes, count) }),
    }
}

/// A path or a name, without the zero at its end.
///
/// # Safety
/// The pointer is null, or to bytes with a zero among them, or to `DFS_PATH_BYTES_MAX` bytes.
pub(crate) unsafe fn text_of<'a>(text: *const c_char) -> Result<&'a [u8], i32> {
    let text: *const u8 = text.cast();
    if text.is_null() {
        return Err(DFS_ERR_POINTER);
    }
    // SAFETY: nothing behind the first zero is read, and no more than so many bytes.
    let bytes = (0..DFS_PATH_BYTES_MAX).find(|&at| unsafe { text.add(at).read() } == 0);
    // SAFETY: all of them were read just now.
    Ok(unsafe { core::slice::from_raw_parts(text, bytes.ok_or(DFS_ERR_NAME)?) })
}

/// A configuration whose own fields are right.
///
/// # Safety
/// As [`struct_of`] has it.
pub(crate) unsafe fn check_config<'a>(config: *const dfs_config, lends: bool) -> Result<&'a dfs_config, i32> {
    // SAFETY: as the caller promises.
    let config = unsafe { struct_of(config) }?;
    if lends && config.memory.is_null() {
        return Err(DFS_ERR_POINTER);
    }
    if config.lock.is_some() != config.unlock.is_some() {
        return Err(DFS_ERR_CALLBACK);
    }
    Ok(config)
}

// --- the session
// ----------------------------------------------------------------------------------------------

/// The use of a pool by one call. Until it is dropped the pool is locked, and refuses other calls.
pub(crate) struct Session {
    pool: *mut dfs_pool,
    config: *const dfs_config,
}

impl Session {
    /// Begins a call on a mounted pool.
    ///
    /// # Safety
    /// The pointer is null, misaligned, or to a struct that was zero before its first use.
    // A function of its own, that all calls share.
    #[inline(never)]
    pub(crate) unsafe fn begin(pool: *mut dfs_pool) -> Result<Self, i32> {
        check_pointer(pool)?;
        // SAFETY: the struct is there. These three change only where the header forbids other calls.
        let (magic, place, config) = unsafe { ((*pool).magic, (*pool).place, (*pool).config) };
        if magic != MOUNTED {
            return Err(DFS_ERR_NOT_MOUNTED);
        }
        if !core::ptr::addr_eq(place, pool) {
            return Err(DFS_ERR_MOVED);
        }
        // SAFETY: a mount found the configuration good, and it stays as it was.
        unsafe { Self::lock(pool, config) }
    }

    /// Locks a pool, mounted or not.
    ///
    /// # Safety
    /// Both are there.
    pub(crate) unsafe fn lock(pool: *mut dfs_pool, config: *const dfs_config) -> Result<Self, i32> {
        // SAFETY: it is there, and nothing changes it.
        let (lock, unlock, context) = unsafe { ((*config).lock, (*config).unlock, (*config).lock_context) };
        // SAFETY: the header asks for callbacks of these signatures.
        if lock.is_some_and(|lock| unsafe { lock(context) } != 0) {
            return Err(DFS_ERR_LOCK);
        }
        // SAFETY: the struct is there; this thread holds the lock, or there is but one.
        if unsafe { (*pool).busy } != 0 {
            if let Some(unlock) = unlock {
                // SAFETY: as above.
                unsafe { unlock(context) };
            }
            return Err(DFS_ERR_REENTERED);
        }
        // SAFETY: as above.
        unsafe { (*pool).busy = 1 };
        Ok(Self { pool, config })
    }

    /// The configuration.
    pub(crate) const fn config(&self) -> &'static dfs_config {
        // SAFETY: it is there as long as the pool is mounted or being mounted, and nothing changes it.
        unsafe { &*self.config }
    }

    /// What is mounted.
    pub(crate) const fn mounted(&mut self) -> Mounted<'_> {
        // SAFETY: the session was begun on a mounted pool, of the kind that its mount noted. It has the pool
        // for itself, so nothing else refers to what is mounted; the borrow ends with that of the session.
        unsafe {
            let mounted = (*self.pool).mounted;
            match (*self.pool).is_read {
                0 => Mounted::Writer(&mut *mounted.cast()),
                _ => Mounted::Reader(&mut *mounted.cast()),
            }
        }
    }

    /// The caller's struct, to be read and changed field by field.
    pub(crate) const fn pool(&self) -> *mut dfs_pool {
        self.pool
    }

    /// The open transaction, to be put aside again where it stands. Where there is none the core refuses
    /// every change.
    pub(crate) const fn changes(&mut self) -> Result<ManuallyDrop<Transaction<'_, 'static, Disks>>, i32> {
        match self.mounted() {
            // Not dropped, it is not undone.
            Mounted::Writer(pool) => Ok(ManuallyDrop::new(pool.resume())),
            Mounted::Reader(_) => Err(DFS_ERR_READ_ONLY),
        }
    }

    /// Whether a transaction is open.
    pub(crate) fn is_changing(&mut self) -> bool {
        match self.mounted() {
            Mounted::Writer(pool) => ManuallyDrop::new(pool.resume()).is_open(),
            Mounted::Reader(_) => false,
        }
    }

    /// The number of the open transaction where that made an object, else 0.
    fn maker_of(&mut self, object: u64) -> u32 {
        let has_made = match self.mounted() {
            Mounted::Writer(pool) => ManuallyDrop::new(pool.resume()).has_made(ObjectId(object)),
            Mounted::Reader(_) => false,
        };
        // SAFETY: the session has the struct.
        if has_made { unsafe { (*self.pool).transaction } } else { 0 }
    }

    /// A transaction has begun.
    pub(crate) const fn note_begun(&mut self) {
        // SAFETY: the session has the struct.
        unsafe {
            // 0 stands for none.
            let next = (*self.pool).transaction.wrapping_add(1);
            (*self.pool).transaction = if next == 0 { 1 } else { next };
            (*self.pool).undone <<= 1;
        }
    }

    /// The last transaction was undone, or may have been.
    pub(crate) const fn note_undone(&mut self) {
        // SAFETY: the session has the struct.
        unsafe { (*self.pool).undone |= 1 };
    }

    /// Notes an error for `dfs_last_error`: its code.
    pub(crate) const fn note(&self, error: dfs_error_info) -> i32 {
        // SAFETY: the session has the struct.
        unsafe { (*self.pool).last = error };
        error.code
    }

    /// Notes a code for `dfs_last_error` that the core did not answer, unless it is one of misuse.
    fn keep(&self, code: i32) {
        // SAFETY: the session has the struct.
        let last = unsafe { (*self.pool).last.code };
        if code < DFS_ERR_ACCESS && code != last {
            self.note(dfs_error_info::of(code));
        }
    }

    /// Notes what the core answered.
    #[inline(never)]
    pub(crate) fn failed(&self, error: &Error) -> i32 {
        self.note(dfs_error_info::of_error(error))
    }

    /// What the core answered, or its code, noted.
    pub(crate) fn done<T>(&self, done: Result<T, Error>) -> Result<T, i32> {
        done.map_err(|error| self.failed(&error))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // SAFETY: the session has the struct until here.
        unsafe { (*self.pool).busy = 0 };
        let config = self.config();
        if let Some(unlock) = config.unlock {
            // SAFETY: the header asks for a callback of this signature.
            unsafe { unlock(config.lock_context) };
        }
    }
}

/// Runs a call on a mounted pool: what it answers, or the code of what went wrong.
///
/// # Safety
/// As [`Session::begin`].
pub(crate) unsafe fn within<T: From<i32>>(
    pool: *mut dfs_pool,
    f: impl FnOnce(&mut Session) -> Result<T, i32>,
) -> T {
    // SAFETY: as the caller promises.
    let done = unsafe { Session::begin(pool) }
        .and_then(|mut session| f(&mut session).inspect_err(|&code| session.keep(code)));
    done.unwrap_or_else(T::from)
}

/// Runs something that reads, on whatever is mounted: on a pool with what the open transaction changed.
macro_rules! reading {
    ($session:expr, |$pool:ident| $body:expr) => {
        match $session.mounted() {
            $crate::session::Mounted::Writer(writer) => {
                // Not dropped, the transaction is put aside again.
                let mut changes = core::mem::ManuallyDrop::new(writer.resume());
                let $pool = &mut *changes;
                $body
            }
            $crate::session::Mounted::Reader($pool) => $body,
        }
    };
}
pub(crate) use reading;

// --- what is open
// ---------------------------------------------------------------------------------------------

/// In `dfs_opened.magic` of a file.
pub(crate) const FILE: u32 = 0x6666_7344;
/// In `dfs_opened.magic` of a directory.
pub(crate) const DIRECTORY: u32 = 0x6466_7344;

impl Session {
    /// What is put into the struct of a file or directory that is opened now.
    pub(crate) fn opened(&mut self, magic: u32, flags: u32, object: u64) -> dfs_opened {
        let transaction = self.maker_of(object);
        // SAFETY: the session has the struct.
        let mount = unsafe { (*self.pool).mount };
        dfs_opened { magic, mount, transaction, flags, owner: self.pool, object, position: 0 }
    }

    /// A file or directory that was opened in this mount, and made by no transaction that was undone.
    ///
    /// # Safety
    /// The pointer is null, misaligned, or to a struct that nothing else uses meanwhile.
    #[inline(never)]
    pub(crate) unsafe fn open<'a>(
        &mut self,
        opened: *mut dfs_opened,
        magic: u32,
    ) -> Result<&'a mut dfs_opened, i32> {
        // SAFETY: as the caller promises.
        let opened = unsafe { self.held(opened, magic) }?;
        // SAFETY: the session has the struct.
        let (mount, last, undone) =
            unsafe { ((*self.pool).mount, (*self.pool).transaction, (*self.pool).undone) };
        if opened.mount != mount {
            return Err(DFS_ERR_STALE);
        }
        if opened.transaction != 0 {
            let since = last.wrapping_sub(opened.transaction);
            // What came of transactions longer ago is forgotten.
            if since >= u64::BITS || undone >> since & 1 == 1 {
                return Err(DFS_ERR_STALE);
            }
            if !(since == 0 && self.is_changing()) {
                opened.transaction = 0;
            }
        }
        Ok(opened)
    }

    /// A file or directory of this pool that was opened and not closed, of whichever mount.
    ///
    /// # Safety
    /// As [`open`](Self::open).
    pub(crate) unsafe fn held<'a>(
        &self,
        opened: *mut dfs_opened,
        magic: u32,
    ) -> Result<&'a mut dfs_opened, i32> {
        check_pointer(opened)?;
        // SAFETY: it is aligned and not null, and nothing else uses it.
        let opened = unsafe { &mut *opened };
        if opened.magic != magic || !core::ptr::addr_eq(opened.owner, self.pool) {
            return Err(DFS_ERR_HANDLE);
        }
        Ok(opened)
    }
}
