//! Lent memory: what lies in it, and how much that takes.
//!
//! ```text
//! the pool itself | cache entries | states of disks | pins | buffers and nodes
//! ```

use crate::abi::*;
use crate::disks::Disks;
use crate::session::{check_config, struct_mut, struct_of};
use crate::{
    DFS_ERR_ARGUMENT, DFS_ERR_LABEL_UNREADABLE, DFS_ERR_NEEDS_MEMORY, DFS_ERR_NO_POOL, DFS_ERR_PARAMETER,
    DFS_OK,
};
use core::ffi::c_void;
use core::mem::MaybeUninit;
use dynamicfs_core::inspect::{LABELS, candidates, decode_label};
use dynamicfs_core::limits;
use dynamicfs_core::types::{MemoryNeeds, Scheme, Uuid};
use dynamicfs_core::{CacheEntry, DiskState, FormatOptions, Memory, Pin, Pool, PoolParameters, Reader};
use dynamicfs_hal::{Crc32c, DiskArray, Geometry, Request};

/// The checksum of this build.
#[cfg(feature = "checksum-table")]
pub(crate) const CRC32C: Crc32c = dynamicfs_core::crc32c;
/// The checksum of this build.
#[cfg(not(feature = "checksum-table"))]
pub(crate) const CRC32C: Crc32c = dynamicfs_core::crc32c_small;

/// The parts of lent memory.
pub(crate) struct Divided {
    /// Where the pool itself goes, a [`Pool`] or a [`Reader`].
    pub(crate) place: *mut c_void,
    pub(crate) memory: Memory<'static>,
    pub(crate) pins: &'static mut [Pin],
}

/// Whether a pool is only read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    Read,
    Write,
}

impl Use {
    /// Slots that the cache has at least.
    const fn slots_min(self) -> usize {
        match self {
            Self::Read => Memory::needs_to_read(&PoolParameters::UNKNOWN, 0, 1).entries,
            Self::Write => Memory::ENTRIES_MIN,
        }
    }

    fn entries(self, config: &dfs_config) -> usize {
        self.slots_min().max(config.cache_nodes as usize)
    }

    fn pins(self, config: &dfs_config) -> usize {
        if cfg!(feature = "pins") && self == Self::Write { config.pins as usize } else { 0 }
    }

    /// Bytes that are taken beside those of the core, and what aligns them.
    fn fixed_bytes(self, config: &dfs_config) -> u64 {
        let of = |count: usize, bytes: usize| count as u64 * bytes as u64;
        of(1, size_of::<Place>() + align_of::<Place>())
            + of(self.entries(config), size_of::<CacheEntry>())
            + of(config.disk_count as usize, size_of::<DiskState>())
            + of(self.pins(config), size_of::<Pin>())
    }

    /// Bytes to be lent where the core asks for these.
    pub(crate) fn bytes(self, config: &dfs_config, needs: MemoryNeeds) -> u64 {
        let nodes = needs.entries.saturating_sub(self.entries(config)) as u64;
        self.fixed_bytes(config) + nodes * size_of::<CacheEntry>() as u64 + needs.bytes as u64
    }
}

/// Takes `count` values off the beginning of some bytes, or says how many bytes that would have taken.
fn take<T: Copy>(
    rest: &mut &'static mut [MaybeUninit<u8>],
    count: usize,
    value: T,
) -> Option<&'static mut [T]> {
    let skip = rest.as_ptr().align_offset(align_of::<T>());
    let bytes = count.checked_mul(size_of::<T>())?;
    if rest.len().checked_sub(skip)? < bytes {
        return None;
    }
    let (part, left) = core::mem::take(rest)[skip..].split_at_mut(bytes);
    *rest = left;
    let first: *mut T = part.as_mut_ptr().cast();
    for at in 0..count {
        // SAFETY: the part is aligned for `T` and holds `count` of them.
        unsafe { first.add(at).write(value) };
    }
    // SAFETY: all of them were written, and nothing else has the part.
    Some(unsafe { core::slice::from_raw_parts_mut(first, count) })
}

/// Divides what a configuration lends.
///
/// # Safety
/// The memory is the pool's as long as the parts are used.
pub(crate) unsafe fn divide(config: &dfs_config, usage: Use) -> Result<Divided, dfs_error_info> {
    let too_little = || dfs_error_info {
        bytes: usage.fixed_bytes(config),
        code: DFS_ERR_NEEDS_MEMORY,
        ..dfs_error_info::NONE
    };
    let bytes = config.memory_bytes.min(isize::MAX as usize);
    // SAFETY: `check_config` found it not to be null; the caller lends it, and bytes have no alignment.
    let mut rest: &'static mut [MaybeUninit<u8>] =
        unsafe { core::slice::from_raw_parts_mut(config.memory.cast(), bytes) };
    let place = take(&mut rest, 1, Place { aligned: 0 }).ok_or_else(too_little)?;
    let entries = take(&mut rest, usage.entries(config), CacheEntry::NEW).ok_or_else(too_little)?;
    let disks = take(&mut rest, config.disk_count as usize, DiskState::NEW).ok_or_else(too_little)?;
    let pins = take(&mut rest, usage.pins(config), Pin::NEW).ok_or_else(too_little)?;
    let bytes = rest.len();
    let bytes = take(&mut rest, bytes, 0u8).ok_or_else(too_little)?;
    Ok(Divided { place: place.as_mut_ptr().cast(), memory: Memory { bytes, entries, disks }, pins })
}

/// Room for a pool, that may be copied as long as there is none in it.
#[derive(Clone, Copy)]
#[repr(C)]
union Place {
    writer: MaybeUninit<[u8; size_of::<Writer>()]>,
    reader: MaybeUninit<[u8; size_of::<OnlyReader>()]>,
    aligned: u64,
}

type Writer = Pool<'static, Disks>;
type OnlyReader = Reader<'static, Disks>;

const _: () = assert!(align_of::<Place>() >= align_of::<Writer>());
const _: () = assert!(align_of::<Place>() >= align_of::<OnlyReader>());

/// The options of the core, or the code that says what is wrong with them.
pub(crate) fn format_options(asked: &dfs_format_options, disks: &Disks) -> Result<FormatOptions, i32> {
    let size = |asked: u32, usual: u32, most: usize| {
        let bytes = if asked == 0 { usual } else { asked };
        if bytes.is_power_of_two() && bytes as usize <= most { Ok(bytes) } else { Err(DFS_ERR_PARAMETER) }
    };
    let small = |asked: u32| u8::try_from(asked).map_err(|_| DFS_ERR_PARAMETER);
    let scheme = Scheme { data: small(asked.data.max(1))?, parity: small(asked.parity)? };
    let usual = FormatOptions::portable(scheme);
    let all = || (0..disks.disks()).map(|disk| disks.geometry(disk));
    let tear_unit = all().map(|geometry| geometry.tear_unit).max().unwrap_or(0);
    let sector = all().map(|geometry| geometry.sector_bytes).max().unwrap_or(0);
    let node = size(asked.node_bytes, usual.node_bytes.max(sector), limits::NODE_BYTES_MAX)?;
    let options = usual
        .node_bytes(node)
        .block_bytes(size(asked.block_bytes, node.max(tear_unit), limits::BLOCK_BYTES_MAX)?)
        .chunk_bytes(size(asked.chunk_bytes, usual.chunk_bytes.max(sector), limits::CHUNK_BYTES_MAX)?)
        .extent_bytes(size(asked.extent_bytes, usual.extent_bytes, limits::EXTENT_BYTES_MAX as usize)?)
        .members_max(if asked.members_max == 0 { usual.members_max } else { small(asked.members_max)? })
        .ring_length(if asked.ring_length == 0 { usual.ring_length } else { small(asked.ring_length)? })
        .force(asked.force != 0);
    Ok(if asked.tolerance == 0 { options } else { options.tolerance(small(asked.tolerance)?) })
}

/// The most that any of the disks asks for.
fn largest(disks: &Disks) -> Geometry {
    let mut all = Geometry::new(512, 0);
    for disk in 0..disks.disks() {
        let one = disks.geometry(disk);
        all.sectors = all.sectors.max(one.bytes() / 512);
        all.tear_unit = all.tear_unit.max(one.tear_unit);
        all.buffer_alignment = all.buffer_alignment.max(one.buffer_alignment);
    }
    all
}

/// Tells what is to be lent, for these needs of the core.
fn tell(config: &dfs_config, out: &mut dfs_memory_needs, write: MemoryNeeds, read: MemoryNeeds) -> i32 {
    let bytes = |usage: Use, needs| usize::try_from(usage.bytes(config, needs)).map_err(|_| DFS_ERR_ARGUMENT);
    match (bytes(Use::Write, write), bytes(Use::Read, read)) {
        (Ok(bytes), Ok(bytes_to_read)) => {
            out.cache_nodes = Use::Write.entries(config) as u32;
            (out.bytes, out.bytes_to_read) = (bytes, bytes_to_read);
            DFS_OK
        }
        (Err(code), _) | (_, Err(code)) => code,
    }
}

/// Tells how much memory a pool with these options takes, on these disks, with this cache and these pins.
/// `config.memory` may be null; no callback is called. 0, or `DFS_ERR_POINTER`, `_STRUCT`, `_CALLBACK`,
/// `_ARGUMENT`, `_GEOMETRY`, `_DISK_COUNT`, `_PARAMETER`. What `dfs_format` refuses for other reasons may be
/// told too: whether the sizes go together is not looked at.
///
/// It needs no pool. It may be called at any time, from any thread.
#[cfg_attr(feature = "write", unsafe(no_mangle))]
pub unsafe extern "C" fn dfs_memory_to_format(
    config: *const dfs_config,
    options: *const dfs_format_options,
    needs: *mut dfs_memory_needs,
) -> i32 {
    let told = || {
        // SAFETY: the header asks for valid pointers; null and alignment are checked there.
        let (config, options, out) =
            unsafe { (check_config(config, false)?, struct_of(options)?, struct_mut(needs)?) };
        // SAFETY: the disks are used in this call alone.
        let disks = unsafe { Disks::of(config) }.map_err(|error| error.code)?;
        let options = format_options(options, &disks)?;
        let (count, most) = (disks.disks(), largest(&disks));
        Ok(tell(config, out, options.memory(count, &most), options.memory_to_read(count, &most)))
    };
    told().unwrap_or_else(|code| code)
}

/// Tells how much memory the pool takes that is on these disks, with this cache and these pins: it reads the
/// disks' labels. `config.memory` is used as a buffer: one sector of the largest disk, and its alignment. 0,
/// or `DFS_ERR_NO_POOL` where there is no label, `DFS_ERR_LABEL_UNREADABLE` where there may be one,
/// `DFS_ERR_NEEDS_MEMORY` where the buffer is too short, and those of `dfs_memory_to_format`.
///
/// No other call may be under way that uses the memory or the disks.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dfs_memory_to_mount(config: *const dfs_config, needs: *mut dfs_memory_needs) -> i32 {
    let told = || {
        // SAFETY: the header asks for valid pointers; null and alignment are checked there.
        let (config, out) = unsafe { (check_config(config, true)?, struct_mut(needs)?) };
        // SAFETY: the disks are used in this call alone.
        let mut disks = unsafe { Disks::of(config) }.map_err(|error| error.code)?;
        // SAFETY: the memory is lent for this call, and was found not to be null.
        let buffer = unsafe {
            core::slice::from_raw_parts_mut(
                config.memory.cast(),
                config.memory_bytes.min(isize::MAX as usize),
            )
        };
        let parameters = find_label(&mut disks, config, buffer)?;
        let (count, alignment) = (disks.disks(), largest(&disks).buffer_alignment as usize);
        let write = Memory::needs(&parameters, count, alignment);
        Ok(tell(config, out, write, Memory::needs_to_read(&parameters, count, alignment)))
    };
    told().unwrap_or_else(|code| code)
}

/// What the first label says that belongs to the pool.
fn find_label(disks: &mut Disks, config: &dfs_config, buffer: &mut [u8]) -> Result<PoolParameters, i32> {
    // SAFETY: null, or the identity of a pool, as the header says.
    let pool = unsafe { config.pool_identity.cast::<[u8; 16]>().as_ref() };
    let mut none = DFS_ERR_NO_POOL;
    for disk in 0..disks.disks() {
        let geometry = disks.geometry(disk);
        if geometry.sectors == 0 {
            continue;
        }
        let skip = buffer.as_ptr().align_offset(geometry.buffer_alignment as usize);
        let sector = buffer.get_mut(skip..).and_then(|b| b.get_mut(..geometry.sector_bytes as usize));
        let sector = sector.ok_or(DFS_ERR_NEEDS_MEMORY)?;
        let mut unread = 0;
        for at in core::iter::once(0).chain(candidates(&geometry)) {
            let lba = at >> geometry.sector_bytes.trailing_zeros();
            let mut request = [Request::read(disk, lba, &mut *sector)];
            disks.execute(&mut request);
            let [request] = request;
            unread += usize::from(request.result.is_err());
            if request.result.is_ok()
                && let Ok((parameters, _)) = decode_label(sector, CRC32C)
                && pool.is_none_or(|&pool| parameters.pool == Uuid(pool))
            {
                return Ok(parameters);
            }
        }
        if unread >= LABELS {
            none = DFS_ERR_LABEL_UNREADABLE;
        }
    }
    Err(none)
}
