//! Pools made, mounted, given up.

use crate::abi::*;
use crate::code::*;
use crate::disks::Disks;
use crate::lent::{CRC32C, Divided, Use, divide, format_options};
use crate::session::{MOUNTED, Session, UNMOUNTED, check_config, check_pointer, struct_of, within};
use core::ffi::c_void;
use dynamicfs_core::types::Uuid;
use dynamicfs_core::{MountOptions, Pool, Reader, Services};

/// Makes a pool on all disks of the configuration and mounts it for reading and writing. **What is on them is
/// lost.** A disk that belongs to a pool is refused (`DFS_ERR_IN_USE`), and one that may and cannot be read
/// (`DFS_ERR_LABEL_UNREADABLE`), unless `options.force` is set.
///
/// `pool` is zero, or was unmounted. `config` and what it points to stay in place until `dfs_unmount`.
///
/// 0, or a code: nothing is mounted then, and `dfs_last_error` tells the disk or the memory that is meant.
/// Until the first byte is written: `DFS_ERR_POINTER`, `_STRUCT`, `_CALLBACK`, `_ARGUMENT`, `_MOUNTED`,
/// `_LOCK`, `_DISK_COUNT`, `_TOO_FEW_DISKS`, `_PARAMETER`, `_GEOMETRY`, `_DISK_TOO_SMALL`, `_DISK_TOO_LARGE`,
/// `_IN_USE`, `_LABEL_UNREADABLE`, `_ENTROPY`, `_NEEDS_MEMORY`, `_NEEDS_FEATURE`. After it those of a disk
/// that failed.
#[cfg_attr(feature = "write", unsafe(no_mangle))]
pub unsafe extern "C" fn dfs_format(
    pool: *mut dfs_pool,
    config: *const dfs_config,
    options: *const dfs_format_options,
) -> i32 {
    let make = |config: &'static dfs_config, disks: Disks, parts: Divided| {
        // SAFETY: the header asks for a valid pointer; null and alignment are checked there.
        let options = unsafe { struct_of(options) }.and_then(|options| format_options(options, &disks));
        let options = options.map_err(dfs_error_info::of)?;
        if config.entropy.is_none() {
            return Err(dfs_error_info::of(DFS_ERR_CALLBACK));
        }
        let services = Services::new(CRC32C, config);
        match Pool::format(disks, parts.memory, services, &mut &*config, &options, &[]) {
            // SAFETY: the place is for a pool.
            Ok(pool) => unsafe { put(pool, parts.place) }.lend_pins(parts.pins),
            Err(failure) => {
                let needs = |needs| Use::Write.bytes(config, needs);
                return Err(dfs_error_info::of_format(&failure.error, needs));
            }
        }
        Ok(())
    };
    // SAFETY: as the header asks.
    unsafe { mount(pool, config, Use::Write, make) }
}

/// Mounts a pool for reading and writing. It recovers what the last mount left, whenever the power went, and
/// flushes every disk. A pool that is whole is not written to before the first transaction.
///
/// `pool` is zero, or was unmounted. `config` and what it points to stay in place until `dfs_unmount`.
///
/// 0, or a code: nothing is mounted then, and `dfs_last_error` tells the disk or the memory that is meant.
/// `DFS_ERR_POINTER`, `_STRUCT`, `_CALLBACK`, `_ARGUMENT`, `_MOUNTED`, `_LOCK`, `_DISK_COUNT`, `_GEOMETRY`;
/// and of the disks `DFS_ERR_NO_POOL`, `_LABEL_UNREADABLE`, `_MISSING`, `_UNSUPPORTED`, `_TRUNCATED`,
/// `_LARGE_SECTORS`, `_LABELS_DISAGREE`, `_CLONED`, `_NO_SUPERBLOCK`, `_UNFINISHED`, `_DIVERGED`,
/// `_NEEDS_FEATURE`, `_NEEDS_MEMORY`, `_NODE_UNREADABLE`.
#[cfg_attr(feature = "write", unsafe(no_mangle))]
pub unsafe extern "C" fn dfs_mount(pool: *mut dfs_pool, config: *const dfs_config) -> i32 {
    let make = |config: &'static dfs_config, disks: Disks, parts: Divided| {
        let services = Services::new(CRC32C, config);
        let mut options = MountOptions::new();
        options.pool = identity(config);
        match Pool::mount(disks, parts.memory, services, &options) {
            // SAFETY: the place is for a pool.
            Ok(pool) => unsafe { put(pool, parts.place) }.lend_pins(parts.pins),
            Err(failure) => {
                let needs = |needs| Use::Write.bytes(config, needs);
                return Err(dfs_error_info::of_mount(&failure.error, needs));
            }
        }
        Ok(())
    };
    // SAFETY: as the header asks.
    unsafe { mount(pool, config, Use::Write, make) }
}

/// Mounts a pool for reading alone, in less memory. Nothing is written to any disk. A program that mounts
/// with this function alone, and calls no function that changes something, links no code that writes.
///
/// As `dfs_mount` else. Functions that change something answer `DFS_ERR_READ_ONLY`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dfs_mount_ro(pool: *mut dfs_pool, config: *const dfs_config) -> i32 {
    let make = |config: &'static dfs_config, disks: Disks, parts: Divided| {
        let services = Services::new(CRC32C, config);
        match Reader::mount(disks, parts.memory, services, identity(config)) {
            // SAFETY: the place is for a pool that is read.
            Ok(reader) => _ = unsafe { put(reader, parts.place) },
            Err(failure) => {
                let needs = |needs| Use::Read.bytes(config, needs);
                return Err(dfs_error_info::of_mount(&failure.error, needs));
            }
        }
        Ok(())
    };
    // SAFETY: as the header asks.
    unsafe { mount(pool, config, Use::Read, make) }
}

/// Gives a pool up. What was committed is durable, and an open transaction is undone; nothing is written.
/// Files and directories that are open can only be closed. The disks, the memory and the configuration are
/// the caller's again.
///
/// 0, or `DFS_ERR_POINTER`, `_NOT_MOUNTED`, `_MOVED`, `_LOCK`, `_REENTERED`. No other thread may use the pool
/// meanwhile, nor begin to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dfs_unmount(pool: *mut dfs_pool) -> i32 {
    let unmount = |session: &mut Session| {
        // What is mounted owns nothing but what it was lent: it is left behind.
        let pool = session.pool();
        // SAFETY: the session has the struct.
        unsafe {
            (*pool).magic = UNMOUNTED;
            (*pool).mounted = core::ptr::null_mut();
        }
        Ok(DFS_OK)
    };
    // SAFETY: as the header asks.
    unsafe { within(pool, unmount) }
}

/// Puts a pool to its place. It is moved once, from where the core made it: what lies on the stack meanwhile
/// lies under the deepest calls.
///
/// # Safety
/// The place is aligned and large enough, in memory that the pool has for itself.
unsafe fn put<'a, T>(pool: T, place: *mut c_void) -> &'a mut T {
    let place: *mut T = place.cast();
    // SAFETY: as the caller promises; then it is there, and nothing else refers to it.
    unsafe {
        place.write(pool);
        &mut *place
    }
}

/// Which pool is asked for.
fn identity(config: &dfs_config) -> Option<Uuid> {
    // SAFETY: null, or the identity of a pool, as the header says.
    unsafe { config.pool_identity.cast::<[u8; 16]>().as_ref() }.copied().map(Uuid)
}

/// Checks what is handed over, divides the memory, and lets `make` put a pool into it.
///
/// # Safety
/// What the header asks of `pool` and `config`.
unsafe fn mount(
    pool: *mut dfs_pool,
    config: *const dfs_config,
    usage: Use,
    make: impl FnOnce(&'static dfs_config, Disks, Divided) -> Result<(), dfs_error_info>,
) -> i32 {
    // SAFETY: as the caller promises.
    let session = match unsafe { prepare(pool, config) } {
        Ok(session) => session,
        Err(code) => return code,
    };
    let config = session.config();
    if usage == Use::Write && config.pins > 0 && !cfg!(feature = "pins") {
        return session.note(dfs_error_info::of(DFS_ERR_NEEDS_FEATURE));
    }
    // SAFETY: the disks stay in place as long as the pool is mounted, and so does the memory.
    let made = unsafe { Disks::of(config) }
        // SAFETY: as above.
        .and_then(|disks| Ok((disks, unsafe { divide(config, usage) }?)))
        .and_then(|(disks, parts)| {
            let place = parts.place;
            make(config, disks, parts).map(|()| place)
        });
    let place = match made {
        Ok(place) => place,
        Err(error) => return session.note(error),
    };
    // SAFETY: the session has the struct.
    unsafe {
        (*pool).mount = (*pool).mount.wrapping_add(1);
        ((*pool).transaction, (*pool).undone) = (0, 0);
        ((*pool).place, (*pool).config) = (pool, config);
        ((*pool).mounted, (*pool).is_read) = (place, u32::from(usage == Use::Read));
        (*pool).last = dfs_error_info::NONE;
        (*pool).magic = MOUNTED;
    }
    DFS_OK
}

/// Locks a pool that is not mounted.
///
/// # Safety
/// What the header asks of `pool` and `config`.
unsafe fn prepare(pool: *mut dfs_pool, config: *const dfs_config) -> Result<Session, i32> {
    check_pointer(pool)?;
    // SAFETY: as the caller promises.
    let config = unsafe { check_config(config, true) }?;
    // SAFETY: as the caller promises.
    let session = unsafe { Session::lock(pool, config) }?;
    // SAFETY: the session has the struct.
    match unsafe { (*pool).magic } {
        MOUNTED => Err(DFS_ERR_MOUNTED),
        UNMOUNTED => Ok(session),
        _ => {
            // SAFETY: the session has the struct.
            unsafe { (*pool).mount = 0 };
            Ok(session)
        }
    }
}
