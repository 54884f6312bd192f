//! Extended attributes.

use crate::abi::*;
use crate::code::*;
use crate::session::{Session, bytes_mut, bytes_of, reading, text_of, within};
use core::ffi::{c_char, c_void};
use core::ops::ControlFlow;
use dynamicfs_core::ReadObjects;
use dynamicfs_core::files::AttributeMode;

/// `dfs_set_attribute`: the attribute is made or replaced.
pub const DFS_ATTRIBUTE_ANY: u32 = 0;
/// `dfs_set_attribute`: one that is there is refused.
pub const DFS_ATTRIBUTE_CREATE: u32 = 1;
/// `dfs_set_attribute`: one that is not there is refused.
pub const DFS_ATTRIBUTE_REPLACE: u32 = 2;

/// Bytes of an attribute's value.
pub const DFS_ATTRIBUTE_BYTES_MAX: usize = 4096;
const _: () = assert!(DFS_ATTRIBUTE_BYTES_MAX == dynamicfs_core::limits::XATTR_BYTES_MAX);

/// The value of an extended attribute of what is at a path, into `value`, as far as it goes: the bytes of the
/// whole value. With a `count` of 0 only these are told.
///
/// Or `DFS_ERR_NOT_FOUND` of the path or the attribute, `_NAME`, and those of disks and of misuse.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dfs_get_attribute(
    pool: *mut dfs_pool,
    path: *const c_char,
    attribute: *const c_char,
    value: *mut c_void,
    count: usize,
) -> i32 {
    let get = |session: &mut Session| {
        // SAFETY: the header asks for a path, a name, and a buffer that no other thread uses.
        let (path, attribute, value) =
            unsafe { (text_of(path)?, text_of(attribute)?, bytes_mut(value.cast(), count)?) };
        let bytes = reading!(session, |pool| pool
            .resolve(path)
            .and_then(|object| pool.attribute(object, attribute, value)));
        session.done(bytes).map(|bytes| bytes as i32)
    };
    // SAFETY: as the header asks.
    unsafe { within(pool, get) }
}

/// The name of the attribute in place `index`, counted from 0, of what is at a path, into `name`, ended by a
/// zero: its bytes without that, or 0 behind the last. Attributes have no particular order. Each call goes
/// through those before it.
///
/// Or `DFS_ERR_TOO_LARGE` where `name` is too short (`DFS_NAME_BYTES_MAX + 1` is enough), `_NOT_FOUND`,
/// `_NAME`, and those of disks and of misuse.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dfs_attribute_name(
    pool: *mut dfs_pool,
    path: *const c_char,
    index: u32,
    name: *mut c_char,
    count: usize,
) -> i32 {
    let find = |session: &mut Session| {
        // SAFETY: the header asks for a path, and a buffer that no other thread uses.
        let (path, name) = unsafe { (text_of(path)?, bytes_mut(name.cast(), count)?) };
        let mut left = index;
        let copy = |found: &[u8]| {
            if left > 0 {
                left -= 1;
                return ControlFlow::Continue(());
            }
            let to = name.get_mut(..=found.len());
            ControlFlow::Break(to.map(|to| {
                let (end, bytes) = to.split_last_mut().map_or((None, &mut [][..]), |(end, b)| (Some(end), b));
                bytes.copy_from_slice(found);
                end.into_iter().for_each(|end| *end = 0);
                found.len() as i32
            }))
        };
        let found =
            reading!(session, |pool| pool.resolve(path).and_then(|object| pool.attributes(object, copy)));
        session.done(found)?.unwrap_or(Some(0)).ok_or(DFS_ERR_TOO_LARGE)
    };
    // SAFETY: as the header asks.
    unsafe { within(pool, find) }
}

/// Sets an extended attribute of what is at a path, in the open transaction. `mode` is one of
/// `DFS_ATTRIBUTE_`. Its name is 1 to `DFS_NAME_BYTES_MAX` bytes, any but zeros.
///
/// 0, or `DFS_ERR_NOT_FOUND` of the path, or of an attribute that is to be replaced, `_EXISTS`, `_NAME`,
/// `_TOO_LARGE` above `DFS_ATTRIBUTE_BYTES_MAX`, `_ARGUMENT`, `_NO_TRANSACTION`, `_NO_SPACE`, and those of
/// disks and of misuse.
#[cfg_attr(feature = "write", unsafe(no_mangle))]
pub unsafe extern "C" fn dfs_set_attribute(
    pool: *mut dfs_pool,
    path: *const c_char,
    attribute: *const c_char,
    value: *const c_void,
    count: usize,
    mode: u32,
) -> i32 {
    let set = |session: &mut Session| {
        // SAFETY: the header asks for a path, a name, and bytes that nothing changes meanwhile.
        let (path, attribute, value) =
            unsafe { (text_of(path)?, text_of(attribute)?, bytes_of(value.cast(), count)?) };
        let mode = match mode {
            DFS_ATTRIBUTE_ANY => AttributeMode::CreateOrReplace,
            DFS_ATTRIBUTE_CREATE => AttributeMode::Create,
            DFS_ATTRIBUTE_REPLACE => AttributeMode::Replace,
            _ => return Err(DFS_ERR_ARGUMENT),
        };
        let mut changes = session.changes()?;
        let done =
            changes.resolve(path).and_then(|object| changes.set_attribute(object, attribute, value, mode));
        session.done(done).map(|()| DFS_OK)
    };
    // SAFETY: as the header asks.
    unsafe { within(pool, set) }
}

/// Removes an extended attribute of what is at a path, in the open transaction. 0, or `DFS_ERR_NOT_FOUND`,
/// `_NAME`, `_NO_TRANSACTION`, and those of disks and of misuse.
#[cfg_attr(feature = "write", unsafe(no_mangle))]
pub unsafe extern "C" fn dfs_remove_attribute(
    pool: *mut dfs_pool,
    path: *const c_char,
    attribute: *const c_char,
) -> i32 {
    let remove = |session: &mut Session| {
        // SAFETY: the header asks for a path and a name.
        let (path, attribute) = unsafe { (text_of(path)?, text_of(attribute)?) };
        let mut changes = session.changes()?;
        let done = changes.resolve(path).and_then(|object| changes.remove_attribute(object, attribute));
        session.done(done).map(|()| DFS_OK)
    };
    // SAFETY: as the header asks.
    unsafe { within(pool, remove) }
}
