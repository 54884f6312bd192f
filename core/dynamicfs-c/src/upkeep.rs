//! Maintenance, health, and what the last error was about.

use crate::abi::*;
use crate::code::*;
use crate::session::{MOUNTED, Mounted, Session, check_pointer, struct_mut, within};
use dynamicfs_core::Pool;
use dynamicfs_core::error::Error;
use dynamicfs_core::maintenance::{JobKind, JobOptions, Work};

/// Does one bounded step of the most urgent work: rewrites what reads found damaged, frees some of a deleted
/// file, and, with the feature `maintain`, goes on with a rebuild or a scrub. With `sweep` not 0 freed blocks
/// are given back where that is worth its writes. Each step is a transaction of its own. Call it when there
/// is time, until there is nothing to do; a program that deletes must.
///
/// 1 if something was done, 0 if there was nothing to do; or `DFS_ERR_IN_TRANSACTION`, `_READ_ONLY`,
/// `_NEEDS_MEMORY` of a job that takes more, those of `dfs_commit`, of disks and of misuse.
#[cfg_attr(feature = "write", unsafe(no_mangle))]
pub unsafe extern "C" fn dfs_maintenance_step(pool: *mut dfs_pool, sweep: u32) -> i32 {
    let step = |session: &mut Session| {
        let done = alone(session, |pool| {
            if cfg!(feature = "maintain") { pool.maintain(sweep != 0) } else { pool.upkeep(sweep != 0) }
        })?;
        Ok(i32::from(done != Work::Nothing))
    };
    // SAFETY: as the header asks.
    unsafe { within(pool, step) }
}

/// Starts a scrub from the beginning: steps of maintenance then read and prove everything, and rewrite what
/// is wrong. 1 if it was started, 0 if one is running already; or `DFS_ERR_NEEDS_FEATURE` without the feature
/// `maintain`, and those of `dfs_maintenance_step`.
#[cfg_attr(feature = "write", unsafe(no_mangle))]
pub unsafe extern "C" fn dfs_scrub(pool: *mut dfs_pool) -> i32 {
    let start = |session: &mut Session| {
        if !cfg!(feature = "maintain") {
            return Err(DFS_ERR_NEEDS_FEATURE);
        }
        alone(session, |pool| pool.start_job(JobKind::Scrub, JobOptions::new())).map(i32::from)
    };
    // SAFETY: as the header asks.
    unsafe { within(pool, start) }
}

/// Runs something that commits by itself, where no transaction is open.
fn alone<T>(
    session: &mut Session,
    f: impl FnOnce(&mut Pool<'static, crate::disks::Disks>) -> Result<T, Error>,
) -> Result<T, i32> {
    if session.is_changing() {
        return Err(DFS_ERR_IN_TRANSACTION);
    }
    let done = match session.mounted() {
        Mounted::Writer(pool) => f(pool),
        Mounted::Reader(_) => return Err(DFS_ERR_READ_ONLY),
    };
    session.done(done)
}

/// How the pool is, into `out`, whose `struct_bytes` the caller set: as the last commit left it, and with the
/// disks as they are now. Nothing is read. 0, or the codes of misuse.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dfs_health(pool: *mut dfs_pool, out: *mut dfs_health_info) -> i32 {
    let look = |session: &mut Session| {
        // SAFETY: the header asks for a struct that no other thread uses.
        let out = unsafe { struct_mut(out) }?;
        let in_transaction = session.is_changing().into();
        *out = match session.mounted() {
            Mounted::Writer(pool) => {
                let health = pool.health();
                dfs_health_info {
                    struct_bytes: out.struct_bytes,
                    writable: health.writable.into(),
                    tentative: health.tentative.into(),
                    in_transaction,
                    members: health.members as u32,
                    online: health.online as u32,
                    owed: health.owed as u32,
                    read_tolerance: health.read_tolerance as u32,
                    write_tolerance: health.write_tolerance as u32,
                    repairs_waiting: health.repairs_waiting as u32,
                    generation: health.generation.0,
                    block_bytes: health.block_bytes.into(),
                    blocks: health.blocks,
                    free_blocks: health.free_blocks,
                    dead_blocks: health.dead_blocks,
                    objects: health.objects,
                    pool_identity: pool.parameters().pool.0,
                }
            }
            Mounted::Reader(reader) => dfs_health_info {
                struct_bytes: out.struct_bytes,
                writable: 0,
                tentative: reader.is_tentative().into(),
                in_transaction,
                members: 0,
                online: 0,
                owed: 0,
                read_tolerance: 0,
                write_tolerance: 0,
                repairs_waiting: 0,
                generation: reader.generation().0,
                block_bytes: reader.parameters().block_bytes() as u64,
                blocks: 0,
                free_blocks: 0,
                dead_blocks: 0,
                objects: 0,
                pool_identity: reader.parameters().pool.0,
            },
        };
        Ok(DFS_OK)
    };
    // SAFETY: as the header asks.
    unsafe { within(pool, look) }
}

/// What the last error of the core was about, into `out`, whose `struct_bytes` the caller set. It is that of
/// the last call that failed with a code below `DFS_ERR_ACCESS`, or that did not mount; a call that succeeds
/// leaves it. It may be called when nothing is mounted. 0, or the codes of misuse.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dfs_last_error(pool: *mut dfs_pool, out: *mut dfs_error_info) -> i32 {
    let copy = || {
        // SAFETY: the header asks for a struct that no other thread uses.
        let out = unsafe { struct_mut(out) }?;
        check_pointer(pool)?;
        // SAFETY: the struct is there.
        let _session = match unsafe { (*pool).magic } {
            // SAFETY: as the header asks.
            MOUNTED => Some(unsafe { Session::begin(pool) }?),
            _ => None,
        };
        // SAFETY: the session has the struct, or nothing uses it.
        let last = unsafe { (*pool).last };
        // One of zeros is from before the first mount.
        *out = if last.struct_bytes == 0 { dfs_error_info::NONE } else { last };
        Ok(DFS_OK)
    };
    copy().unwrap_or_else(|code: i32| code)
}

/// The interface that the library was built with: `DFS_API_VERSION` of its header.
#[unsafe(no_mangle)]
pub extern "C" fn dfs_api_version() -> u32 {
    DFS_API_VERSION
}
