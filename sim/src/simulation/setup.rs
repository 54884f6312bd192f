//! The pool of a seed: its disks, how it is formatted, how much memory it is lent.

use super::fault::{FaultKind, Swarm};
use super::special::Specials;
use crate::Rng;
use crate::array::BATCH_MAX;
use crate::clock::Latency;
use crate::workload::Scale;
use crate::world::PINS;
use dynamicfs_core::format::parameters::PoolParameters;
use dynamicfs_core::pool::DiskOptions;
use dynamicfs_core::types::{Scheme, Set};
use dynamicfs_core::{FormatOptions, Memory};
use dynamicfs_hal::Geometry;

/// A pool to simulate.
#[derive(Clone, Debug, PartialEq)]
pub struct Setup {
    /// One geometry for each disk.
    pub disks: Vec<Geometry>,
    /// How long each disk takes; shorter lists are filled up with disks that take no time.
    pub latencies: Vec<Latency>,
    /// How it is formatted.
    pub format: FormatOptions,
    /// Bytes of memory that the pool is lent.
    pub memory: usize,
    /// How large things are.
    pub scale: Scale,
    /// What is special about each disk; shorter lists are filled up with plain disks.
    pub members: Vec<DiskOptions>,
    /// Requests that fit into a batch, two at least.
    pub batch: usize,
    /// Requests of a batch that are in flight at once.
    pub in_flight: usize,
    /// Whether some of the names that are used have equal hashes.
    pub colliding: bool,
    /// Bytes that a step of a job reads or moves, roughly, where it is not left to the pool.
    pub step_bytes: Option<u64>,
    /// Which of the rarer dimensions it was drawn with.
    pub specials: Specials,
}

/// Schemes that seeds draw from.
pub(super) const SCHEMES: [Scheme; 5] = [
    Scheme::SINGLE,
    Scheme::mirror(2),
    Scheme::mirror(3),
    Scheme { data: 2, parity: 1 },
    Scheme { data: 4, parity: 2 },
];

/// Disks of a drawn pool at most.
pub const DISKS_MAX: usize = 8;

impl Setup {
    /// A pool of equal disks without latencies: a small one, with memory for a comfortable cache.
    pub fn small(scheme: Scheme, disks: usize) -> Self {
        let format = FormatOptions::portable(scheme).members_max(8);
        Self {
            disks: vec![Geometry::new(512, 2048); disks],
            latencies: Vec::new(),
            memory: memory_min(&format) + (16 << 10),
            format,
            scale: Scale { file_bytes: 30_000, write_bytes: 12_000, names: 12, pins: PINS, ..Scale::NONE },
            ..Self::plain(format)
        }
    }

    /// A pool without disks and memory.
    fn plain(format: FormatOptions) -> Self {
        Self {
            disks: Vec::new(),
            latencies: Vec::new(),
            format,
            memory: 0,
            scale: Scale::NONE,
            members: Vec::new(),
            batch: BATCH_MAX,
            in_flight: BATCH_MAX,
            colliding: false,
            step_bytes: None,
            specials: Specials::default(),
        }
    }

    /// What is special about a disk.
    pub fn member(&self, disk: usize) -> DiskOptions {
        self.members.get(disk).copied().unwrap_or_default()
    }

    /// The least memory with which a pool can be mounted that has these parameters, on these disks.
    pub(super) fn least_memory(&self, parameters: &PoolParameters) -> usize {
        let alignment = self.disks.iter().map(|disk| disk.buffer_alignment).max().unwrap_or(1);
        Memory::bytes_min_aligned(parameters, alignment as usize)
    }

    /// Members that hold nothing.
    pub(super) fn witnesses(&self) -> Set<usize> {
        let is_witness = |&disk: &usize| self.member(disk).witness;
        (0..self.disks.len()).filter(is_witness).collect()
    }

    /// Disks whose loss the pool bears.
    pub fn tolerance(&self) -> usize {
        self.format.scheme.parity.into()
    }

    pub(super) fn draw(rng: &mut Rng, swarm: &Swarm, disks: Option<usize>) -> Self {
        let mut own = rng.fork("specials");
        let specials = Specials::draw(&mut own);
        let most = disks.unwrap_or(DISKS_MAX);
        let fitting: Vec<Scheme> = SCHEMES.into_iter().filter(|scheme| scheme.width() <= most).collect();
        let plain = *rng.pick(&fitting);
        let scheme = specials.scheme(disks, &mut own).unwrap_or(plain);
        let drawn = || {
            let spare = rng.below(DISKS_MAX.saturating_sub(scheme.width()) as u64 + 1);
            // Most pools are as wide as their scheme, or a little wider.
            scheme.width() + spare.min(rng.below(DISKS_MAX as u64)) as usize
        };
        let count = disks.or_else(|| specials.count(scheme.width(), &mut own)).unwrap_or_else(drawn);
        let small = swarm.is_on(FaultKind::NoSpace);
        let node_shift = match *rng.pick(&[9_u32, 9, 9, 10, 10, 11, 12, 13, 14]) {
            shift if small => shift.min(10),
            shift => shift,
        };
        let node_bytes = 1 << node_shift;
        let block_bytes = node_bytes << rng.below(5).saturating_sub(3);
        let sector = if rng.chance(1, 4) { node_bytes.min(4096) } else { 512 };
        let chunk_bytes = (1_u32 << rng.within(9..u64::from(node_shift.min(13)) + 1)).max(sector);
        let format = FormatOptions::portable(scheme)
            .node_bytes(node_bytes)
            .block_bytes(block_bytes)
            .chunk_bytes(chunk_bytes)
            .extent_bytes((4096 << rng.below(4)).max(block_bytes))
            .members_max(*rng.pick(&[8, 8, 16]))
            .ring_length(*rng.pick(&[4, 4, 8, 8]));
        let mut setup = Self { disks: vec![Geometry::new(512, 0); count], ..Self::plain(format) };
        specials.shape(&mut setup, &mut own);
        let format = setup.format;
        let sector = sector.min(format.node_bytes).min(format.chunk_bytes);
        setup.disks = draw_disks(rng, &format, sector, count, small);
        let latency = *rng.pick(&[Latency::NONE, Latency::NVME, Latency::SD_CARD, Latency::HARD_DISK]);
        setup.latencies = vec![latency; count];
        // A path of a tree as deep as these pools grow fits at least.
        let spare_nodes = *rng.pick(&[16, 20, 40, 150]);
        setup.memory = 2 * memory_min(&format) + spare_nodes * format.node_bytes as usize;
        let file_bytes = *rng.pick(&[2_000, 9_000, 30_000]) * u64::from(node_bytes / 512).min(4);
        let (write_bytes, names) = (file_bytes / 2 + 1, rng.within(3..20));
        setup.scale = Scale { file_bytes, write_bytes, names, pins: PINS, ..Scale::NONE };
        if small {
            // So much is written that it does not fit.
            let bytes: u64 = setup.disks.iter().map(Geometry::bytes).sum();
            let fits = bytes * u64::from(scheme.data) / scheme.width() as u64;
            let (file_bytes, write_bytes) = (fits / 6, fits / 10);
            setup.scale = Scale { file_bytes, write_bytes, names: 20, pins: PINS, ..Scale::NONE };
        }
        specials.build(&mut setup, small, &mut own);
        setup.specials = specials;
        setup
    }
}

fn draw_disks(
    rng: &mut Rng,
    format: &FormatOptions,
    sector: u32,
    count: usize,
    small: bool,
) -> Vec<Geometry> {
    let tear_most = (format.block_bytes / sector).ilog2();
    let tear_unit = sector << rng.below(u64::from(tear_most) + 1);
    let equal = rng.coin();
    let groups = if small { 5 } else { *rng.pick(&[16, 24, 40]) };
    (0..count)
        .map(|_| {
            let groups = if equal { groups } else { groups + rng.below(groups) };
            // The rings and labels take a little beside the groups; those of a large table of members take more.
            let rings = if format.members_max > 16 { 2 * ring_bytes(format) } else { 0 };
            let bytes = groups * 128 * u64::from(format.block_bytes) + (64 << 10) + rings;
            Geometry {
                tear_unit,
                volatile_cache: rng.chance(7, 8),
                discard: rng.coin(),
                ..Geometry::new(sector, bytes / u64::from(sector))
            }
        })
        .collect()
}

fn slot_bytes(format: &FormatOptions) -> u32 {
    let slot = dynamicfs_core::format::superblock::bytes(format.members_max.into()) as u32;
    slot.next_multiple_of(format.block_bytes)
}

pub(super) fn ring_bytes(format: &FormatOptions) -> u64 {
    // Places are multiples of 4096 bytes, mostly.
    u64::from(format.ring_length) * u64::from(slot_bytes(format).next_multiple_of(4096))
}

/// Memory that a pool formatted like this needs, whatever its groups turn out to be.
pub fn memory_min(format: &FormatOptions) -> usize {
    let shift = |bytes: u32| bytes.trailing_zeros() as u8;
    let parameters = PoolParameters {
        node_shift: shift(format.node_bytes),
        block_shift: shift(format.block_bytes),
        chunk_shift: shift(format.chunk_bytes),
        members_max: format.members_max,
        ring_length: format.ring_length,
        slot_bytes: slot_bytes(format),
        group_blocks: format.node_bytes.max(128),
        ..PoolParameters::UNKNOWN
    };
    let extent = format.extent_bytes as usize;
    // What the most particular disk may waste comes on top.
    Memory::bytes_min(&parameters) + 4096 + 4 * extent
}
