//! Making a pool: from what is asked for to what is fixed for good.

use super::Services;
use crate::error::{About, Code, Failure, FormatError};
use crate::format::label::{self, DiskIdentity, LABELS, Label, LabelFault};
use crate::format::parameters::{COPY_PLACES, PoolParameters, SECTOR_BYTES_MAX};
use crate::format::{places, superblock};
use crate::limits;
use crate::object::Objects;
use crate::options::options;
use crate::powers::units;
use crate::transaction::{CreateRequest, Memory, Store, histories};
use crate::types::{DiskIndex, MemberNumber, MemoryNeeds, Scheme, Uuid};
use dynamicfs_hal::{Crc32c, DiskArray, Entropy, Geometry, Request};

options! {
    /// What a new pool is like. Start from [`server`](Self::server) or [`portable`](Self::portable).
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct FormatOptions {
        /// The scheme of new objects.
        pub scheme: Scheme,
        /// Disks that may be lost without losing the tree, 0 to 4: at least the scheme's parity, which is the
        /// default.
        pub tolerance: Option<u8>,
        /// Bytes of a tree node: a power of two, 512 to 16384.
        pub node_bytes: u32,
        /// Bytes of a block, the allocation unit: a power of two, at least a node and every disk's tear unit.
        pub block_bytes: u32,
        /// Bytes of a chunk, the unit of verification: a power of two, 512 to 16384, at least every disk's
        /// sector.
        pub chunk_bytes: u32,
        /// Bytes of an extent of new objects: a power of two, 4 KiB to 4 MiB.
        pub extent_bytes: u32,
        /// Members that the pool can ever have at a time, 1 to 64.
        pub members_max: u8,
        /// Superblock slots in each ring: a power of two, 4 to 64.
        pub ring_length: u8,
        /// Formats disks that belong to a pool.
        pub force: bool,
        /// Permission bits of the root directory.
        pub root_mode: u16,
    }
}

impl FormatOptions {
    /// For hosts: 4 KiB nodes, blocks and chunks, 1 MiB extents, up to 64 members.
    pub const fn server(scheme: Scheme) -> Self {
        Self {
            scheme,
            tolerance: None,
            node_bytes: 4096,
            block_bytes: 4096,
            chunk_bytes: 4096,
            extent_bytes: 1 << 20,
            members_max: 64,
            ring_length: 8,
            force: false,
            root_mode: 0o755,
        }
    }

    /// For pools that firmware with tens of KiB of memory shares: 512-byte nodes, blocks and chunks, 4 KiB extents,
    /// up to 4 members. Disks with a larger tear unit, as cards have, need [`tear_unit`](Self::tear_unit)
    /// too.
    pub const fn portable(scheme: Scheme) -> Self {
        Self {
            node_bytes: 512,
            block_bytes: 512,
            chunk_bytes: 512,
            extent_bytes: 4096,
            members_max: 4,
            ring_length: 4,
            ..Self::server(scheme)
        }
    }

    /// For disks that tear units of so many bytes, a power of two: blocks and extents are at least as large.
    /// Without it a pool with smaller blocks is refused there, with [`FormatError::Geometry`].
    #[must_use]
    pub const fn tear_unit(self, bytes: u32) -> Self {
        const fn at_least(size: u32, bytes: u32) -> u32 {
            if size < bytes { bytes } else { size }
        }
        Self {
            block_bytes: at_least(self.block_bytes, bytes),
            extent_bytes: at_least(self.extent_bytes, bytes),
            ..self
        }
    }
}

impl FormatOptions {
    /// The least memory with which the pool is made and mounted on so many disks. None of them may ask for
    /// more than this geometry: in tear unit, alignment and size. [`Memory::needs`] of the finished pool may
    /// be a little less. Nothing for options that [`format`](crate::Pool::format) refuses for their sizes.
    pub const fn memory(&self, disks: usize, geometry: &Geometry) -> MemoryNeeds {
        let blocks = geometry.bytes() / if self.block_bytes == 0 { 1 } else { self.block_bytes as u64 };
        let group_blocks = self.group_blocks(blocks);
        let parameters = PoolParameters { group_blocks, ..self.sizes(geometry.tear_unit) };
        match parameters.is_valid() {
            true => Memory::needs(&parameters, disks, geometry.buffer_alignment as usize),
            false => MemoryNeeds { bytes: 0, entries: 0, disks: 0 },
        }
    }

    /// The least memory with which a [`Reader`](crate::Reader) mounts the pool, in the same way.
    pub const fn memory_to_read(&self, disks: usize, geometry: &Geometry) -> MemoryNeeds {
        let parameters = self.sizes(geometry.tear_unit);
        match parameters.is_valid() {
            true => Memory::needs_to_read(&parameters, disks, geometry.buffer_alignment as usize),
            false => MemoryNeeds { bytes: 0, entries: 0, disks: 0 },
        }
    }

    /// The sizes of the pool's parts, but for its groups, where the largest tear unit of its disks is this
    /// one.
    #[expect(clippy::cast_possible_truncation, reason = "384 bytes, and 32 for each of at most 255 rows")]
    const fn sizes(&self, tear_unit: u32) -> PoolParameters {
        let parameters = PoolParameters {
            block_shift: shift_of(self.block_bytes),
            node_shift: shift_of(self.node_bytes),
            chunk_shift: shift_of(self.chunk_bytes),
            ring_length: self.ring_length,
            members_max: self.members_max,
            ..PoolParameters::UNKNOWN
        };
        let (sector, slot) = (parameters.sector_bytes_max(), superblock::bytes(self.members_max as usize));
        let unit = if sector > tear_unit { sector } else { tear_unit };
        PoolParameters { slot_bytes: (slot as u32).next_multiple_of(unit), ..parameters }
    }

    /// Blocks of a group: large groups keep the free map small; even the smallest disk, of so many blocks,
    /// should have sixteen.
    const fn group_blocks(&self, smallest: u64) -> u32 {
        let mut group = limits::GROUP_BLOCKS_MIN;
        while group * 2 <= self.node_bytes
            && group < limits::GROUP_BLOCKS_MAX
            && smallest / (group * 2) as u64 >= 16
        {
            group *= 2;
        }
        group
    }
}

/// log2 of a size; 31, which is no size of anything, of 0.
#[expect(clippy::cast_possible_truncation, reason = "a number of 32 bits has at most 32 zeros")]
const fn shift_of(bytes: u32) -> u8 {
    if bytes == 0 { 31 } else { bytes.trailing_zeros() as u8 }
}

options! {
    /// What is special about one disk.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct DiskOptions {
        /// It counts for the quorum and holds no data.
        pub witness: bool,
        /// 0 the fastest.
        pub tier: u8,
        /// Disks with the same value are expected to fail together; 0 is a domain of its own.
        pub failure_domain: u32,
        /// Share of the data, in 1/256 of what the size suggests.
        pub weight: u16,
    }
}

impl DiskOptions {
    /// A plain disk.
    pub const fn new() -> Self {
        Self { witness: false, tier: 0, failure_domain: 0, weight: DiskIdentity::WEIGHT }
    }
}

impl Default for DiskOptions {
    fn default() -> Self {
        Self::new()
    }
}

pub(super) fn format<'m, A: DiskArray>(
    mut array: A,
    mut memory: Memory<'m>,
    services: Services<'m>,
    entropy: &mut dyn Entropy,
    options: &FormatOptions,
    members: &[DiskOptions],
) -> Result<Objects<'m, A>, Failure<FormatError, A>> {
    let plan = match plan(&mut array, &mut memory, services, entropy, options, members) {
        Ok(plan) => plan,
        Err(error) => return Err(Failure { error: About::NOTHING.explain_format(error), array }),
    };
    let request = CreateRequest {
        parameters: plan.parameters,
        disks: &plan.identities,
        scheme: options.scheme,
        tolerance: options.tolerance.unwrap_or(options.scheme.parity).max(options.scheme.parity),
        extent_shift: shift_of(options.extent_bytes),
        branch: plan.branch,
        crc32c: services.crc32c,
        clock: services.clock,
    };
    let mut objects = Objects::new(Store::create(array, memory, &request)?);
    match fill(&mut objects, options.root_mode) {
        Ok(()) => Ok(objects),
        Err(error) => Err(objects.store.tree.disks.not_made(error)),
    }
}

/// What a new pool is made from.
struct Plan {
    parameters: PoolParameters,
    identities: heapless::Vec<DiskIdentity, { limits::MEMBERS_MAX }>,
    branch: u64,
}

/// Refuses what cannot be a pool, and draws what is random. Nothing is written.
#[expect(clippy::cast_possible_truncation, reason = "the array has at most `MEMBERS_MAX` disks")]
fn plan<A: DiskArray>(
    array: &mut A,
    memory: &mut Memory<'_>,
    services: Services<'_>,
    entropy: &mut dyn Entropy,
    options: &FormatOptions,
    members: &[DiskOptions],
) -> Result<Plan, FormatError<Code>> {
    let plain = DiskOptions::default();
    let option = |disk: DiskIndex| members.get(disk.0).copied().unwrap_or(plain);
    check_options(array, options, &option)?;
    if !options.force {
        refuse_pools(array, memory, services)?;
    }
    let parameters = parameters(array, services, entropy, options, &option)?;
    let mut identities = heapless::Vec::new();
    for disk in all(array) {
        let member = MemberNumber(disk.0 as u16);
        let geometry = array.geometry(disk.0);
        let identity = identity(&geometry, &parameters, (disk, member), random(entropy)?, option(disk))?;
        let _ = identities.push(identity);
    }
    Ok(Plan { parameters, identities, branch: crate::format::node::pool_mark(random(entropy)?) })
}

/// Puts the root directory into a new pool, and makes it one.
fn fill<A: DiskArray>(objects: &mut Objects<'_, A>, root_mode: u16) -> Result<(), FormatError<Code>> {
    objects.make_root(root_mode)?;
    objects.store.commit()?;
    finish(&mut objects.store).inspect_err(|_| {
        // What is no pool to its maker is none to others. Where even this fails the first error is the one
        // that matters.
        for disk in objects.store.tree.disks.all() {
            let _ = objects.store.forget_disk(disk);
        }
    })
}

/// Lets the disks say that they are a pool. A format with only the first state there, and not all members,
/// was not finished: with the second commit it is.
fn finish<A: DiskArray>(store: &mut Store<'_, A>) -> Result<(), FormatError<Code>> {
    store.write_labels()?;
    store.begin()?;
    store.commit()?;
    Ok(())
}

/// The indices of an array's disks, ascending.
fn all<A: DiskArray>(array: &A) -> impl Iterator<Item = DiskIndex> + use<A> {
    (0..array.disks()).map(DiskIndex)
}

pub(super) fn random(entropy: &mut dyn Entropy) -> Result<Uuid, FormatError<Code>> {
    let mut bytes = [0; 16];
    entropy.fill(&mut bytes).map_err(|_| FormatError::Entropy)?;
    Ok(Uuid(bytes))
}

fn check_options<A: DiskArray>(
    array: &A,
    options: &FormatOptions,
    option: &impl Fn(DiskIndex) -> DiskOptions,
) -> Result<(), FormatError<Code>> {
    let most = usize::from(options.members_max).min(limits::MEMBERS_MAX);
    if most == 0 {
        return Err(FormatError::Parameter("most members"));
    }
    for (bytes, min, max, what) in [
        (options.block_bytes, limits::BLOCK_BYTES_MIN, limits::BLOCK_BYTES_MAX, "block size"),
        (options.node_bytes, limits::NODE_BYTES_MIN, limits::NODE_BYTES_MAX, "node size"),
        (options.chunk_bytes, limits::CHUNK_BYTES_MIN, limits::CHUNK_BYTES_MAX, "chunk size"),
    ] {
        if !bytes.is_power_of_two() || !(min..=max).contains(&(bytes as usize)) {
            return Err(FormatError::Parameter(what));
        }
    }
    if !(1..=most).contains(&array.disks()) {
        return Err(FormatError::DiskCount { most });
    }
    if !options.scheme.is_valid() {
        return Err(FormatError::Parameter("scheme"));
    }
    if options.tolerance.is_some_and(|t| usize::from(t) > limits::PARITY_FRAGMENTS_MAX) {
        return Err(FormatError::Parameter("tolerance"));
    }
    let extent = u64::from(options.extent_bytes);
    if !extent.is_power_of_two() || !(limits::EXTENT_BYTES_MIN..=limits::EXTENT_BYTES_MAX).contains(&extent) {
        return Err(FormatError::Parameter("extent size"));
    }
    let data = all(array).filter(|&disk| !option(disk).witness).count();
    let needed = options.scheme.width().max(usize::from(options.tolerance.unwrap_or(0)) + 1);
    if data < needed {
        return Err(FormatError::TooFewDisks { needed });
    }
    for disk in all(array) {
        let g = array.geometry(disk.0);
        if g.sectors == 0 {
            // A place of the array without a disk.
            return Err(FormatError::Io { disk, error: dynamicfs_hal::IoError::Gone });
        }
        let least = options.block_bytes.min(options.chunk_bytes).min(options.node_bytes);
        let fits = g.check().is_ok()
            && g.sector_bytes <= least.min(SECTOR_BYTES_MAX)
            && g.tear_unit <= options.block_bytes;
        if !fits {
            return Err(FormatError::Geometry { disk });
        }
    }
    Ok(())
}

/// Refuses disks that belong to a pool, unless its own format was never finished: then there is nothing in it.
fn refuse_pools<A: DiskArray>(
    array: &mut A,
    memory: &mut Memory<'_>,
    services: Services<'_>,
) -> Result<(), FormatError<Code>> {
    let mut unfinished = None;
    for disk in all(array) {
        let Err(error) = refuse_used(array, disk, memory.bytes, services.crc32c) else { continue };
        let FormatError::InUse { pool, .. } = error else { return Err(error) };
        if unfinished != Some(pool) {
            let memory = Memory { bytes: memory.bytes, entries: memory.entries, disks: memory.disks };
            if !histories::is_unfinished(&mut *array, memory, pool, (services.crc32c, services.clock)) {
                return Err(error);
            }
            unfinished = Some(pool);
        }
    }
    Ok(())
}

/// Refuses a disk that carries a label, however old or new, also if more than one is damaged, and one where
/// all labels of a pool may be that cannot be read.
///
/// Labels are written and wiped one after the other. A single damaged label, without another one, is left by
/// a power cut in between. Nothing was ever stored on such a disk.
pub(super) fn refuse_used<A: DiskArray>(
    array: &mut A,
    disk: DiskIndex,
    buffer: &mut [u8],
    crc32c: Crc32c,
) -> Result<(), FormatError<Code>> {
    let geometry = array.geometry(disk.0);
    let sector = geometry.sector_bytes as usize;
    let alignment = geometry.buffer_alignment.max(1) as usize;
    let skip = buffer.as_ptr().align_offset(alignment);
    let buf = buffer.get_mut(skip..).and_then(|b| b.get_mut(..sector));
    let buf = buf.ok_or(FormatError::NeedsMemory(Memory::needs_bytes(sector + alignment, array.disks())))?;
    let (mut damaged, mut unread) = (0, 0);
    for at in core::iter::once(0).chain(places::candidates(&geometry)) {
        let mut request = [Request::read(disk.0, at / u64::from(geometry.sector_bytes), &mut *buf)];
        array.execute(&mut request);
        let [request] = request;
        // The disk may not be ready, or its driver may be wrong: a pool is not to be lost for that.
        if let Err(error) = request.result {
            unread += 1;
            if damaged + unread >= LABELS {
                return Err(FormatError::LabelUnreadable { disk, error });
            }
            continue;
        }
        let is_damaged = match label::decode(buf, crc32c) {
            Err(LabelFault::Absent) => continue,
            Err(LabelFault::Checksum) => true,
            Ok(_) | Err(LabelFault::Unsupported { .. } | LabelFault::Invalid) => false,
        };
        damaged += usize::from(is_damaged);
        if !is_damaged || damaged > 1 {
            let pool = Label::new(&*buf).map_or(Uuid([0; 16]), |label| label.pool());
            return Err(FormatError::InUse { disk, pool });
        }
    }
    Ok(())
}

fn parameters<A: DiskArray>(
    array: &A,
    services: Services<'_>,
    entropy: &mut dyn Entropy,
    options: &FormatOptions,
    option: &impl Fn(DiskIndex) -> DiskOptions,
) -> Result<PoolParameters, FormatError<Code>> {
    let tear_unit = all(array).map(|disk| array.geometry(disk.0).tear_unit).max().unwrap_or(512);
    let mut parameters = PoolParameters {
        pool: random(entropy)?,
        hash_seed: random(entropy)?,
        created: services.clock.now().seconds,
        ..options.sizes(tear_unit)
    };
    if !parameters.is_valid() {
        return Err(FormatError::Parameter("node, block, chunk or ring size"));
    }
    let smallest = all(array)
        .filter(|&disk| !option(disk).witness)
        .map(|disk| {
            places::lay_out(&array.geometry(disk.0), &parameters).map_or(0, |places| places.data_blocks)
        })
        .min()
        .unwrap_or(0);
    parameters.group_blocks = options.group_blocks(smallest);
    Ok(parameters)
}

/// What the label of a disk of the array says that becomes this member.
pub(super) fn identity(
    geometry: &Geometry,
    p: &PoolParameters,
    (disk, member): (DiskIndex, MemberNumber),
    id: Uuid,
    option: DiskOptions,
) -> Result<DiskIdentity, FormatError<Code>> {
    let least = if option.witness { 0 } else { limits::GROUPS_MIN * u64::from(p.group_blocks) };
    let too_small = FormatError::DiskTooSmall {
        disk,
        bytes: (least << p.block_shift)
            + 2 * p.ring_bytes()
            + 4 * u64::from(p.sector_bytes_max().max(geometry.tear_unit))
            + COPY_PLACES[0],
    };
    let places = places::lay_out(geometry, p).ok_or(too_small)?;
    if places.data_blocks < least {
        return Err(too_small);
    }
    if !option.witness && units(places.data_blocks, p.group_blocks.into()) > limits::GROUPS_MAX {
        let most = limits::GROUPS_MAX * u64::from(p.group_blocks);
        return Err(FormatError::DiskTooLarge { disk, bytes: most << p.block_shift });
    }
    Ok(DiskIdentity {
        disk: id,
        member,
        witness: option.witness,
        tier: option.tier,
        failure_domain: option.failure_domain,
        weight: option.weight,
        ring_a: places.ring_a,
        ring_b: places.ring_b,
        data_start: places.data_start,
        data_blocks: if option.witness { 0 } else { places.data_blocks },
        copy_at: places.copy_at,
        end_at: places.end_at,
        serial: 1,
        compat: 0,
    })
}
