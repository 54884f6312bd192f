//! What is special about some pools: dimensions that few seeds draw, so that the plain ones still get most of them.

use super::probe::Probe;
use super::run::{Mounted, Run};
use super::setup::Setup;
use crate::build::FULL;
use crate::model::{Contents, Node};
use crate::workload::Scale;
use crate::{Rng, colliding};
use dynamicfs_core::disks::condition::Thresholds;
use dynamicfs_core::limits::{PARITY_FRAGMENTS_MAX, RING_LENGTH_MIN};
use dynamicfs_core::pool::DiskOptions;
use dynamicfs_core::types::Scheme;
use dynamicfs_hal::Geometry;
use std::fmt;

/// Declares the dimensions, each with how many seeds of 64 draw it and the probe that a campaign must hit, once.
macro_rules! specials {
    ($($(#[doc = $doc:literal])+ $special:ident, $share:literal;)+) => {
        /// A dimension.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Special {
            $($(#[doc = $doc])+ $special,)+
        }

        impl Special {
            const ALL: &[(Self, u64)] = &[$((Self::$special, $share),)+];

            /// What a campaign must have seen of it.
            const fn probe(self) -> Probe {
                match self { $(Self::$special => Probe::$special,)+ }
            }
        }
    };
}

specials! {
    /// Members that count and hold nothing.
    Witness, 4;
    /// Tiers, failure domains and weights.
    FailureDomains, 4;
    /// The tree bears the loss of more disks than the data.
    ToleranceAboveParity, 4;
    /// Three or four parity fragments.
    ThreeParities, 4;
    /// More than four data fragments, up to sixteen.
    WideStripes, 2;
    /// 17 to 63 members.
    ManyMembers, 1;
    /// Sectors and tear units of different sizes.
    MixedSectors, 4;
    /// Batches of two requests and a few, and one request or a few in flight.
    SmallBatches, 6;
    /// Disks that want buffers aligned, and callers that do not align them.
    UnalignedBuffers, 3;
    /// The least memory with which a pool can be mounted.
    LeastMemory, 4;
    /// Extents of 4 MiB in a tree of nodes of 512 bytes.
    LargeExtents, 1;
    /// Dozens of long attributes.
    ManyAttributes, 2;
    /// Names whose hashes are equal.
    HashCollision, 5;
    /// Disks whose sweep takes several windows, and several commits.
    SweepWindows, 1;
    /// Jobs whose steps are as short as can be: disks come and go between them.
    ShortSteps, 12;
    /// A machine without a clock.
    NoClock, 4;
    /// Disks that are given up for a few errors.
    StrictThresholds, 4;
}

/// The rarer dimensions that a seed drew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Specials(Vec<Special>);

/// Thresholds: a disk is degraded for the first error and fails for the third.
pub(super) const STRICT: Thresholds = Thresholds::new()
    .degraded_read_errors(1)
    .degraded_checksum_errors(1)
    .failed_read_errors(3)
    .failed_checksum_errors(3);

/// Schemes with three or four parity fragments.
pub(super) const PARITIES: [Scheme; 7] = [
    Scheme::mirror(4),
    Scheme::mirror(5),
    Scheme { data: 2, parity: 3 },
    Scheme { data: 3, parity: 3 },
    Scheme { data: 5, parity: 3 },
    Scheme { data: 2, parity: 4 },
    Scheme { data: 4, parity: 4 },
];

/// Wide schemes.
const WIDE: [Scheme; 7] = [
    Scheme { data: 5, parity: 0 },
    Scheme { data: 6, parity: 1 },
    Scheme { data: 8, parity: 2 },
    Scheme { data: 11, parity: 1 },
    Scheme { data: 12, parity: 3 },
    Scheme { data: 16, parity: 1 },
    Scheme { data: 16, parity: 4 },
];

/// Members that a pool of many has at most: a copy of one, and a new disk, find a place beside them.
const MANY: u64 = 62;

/// Attributes of an object where there are many.
const ATTRIBUTES: u64 = 40;

/// Groups of a disk whose sweep is to take several commits: as many as there can be before groups grow.
const GROUPS: u64 = 31;

impl fmt::Display for Specials {
    /// As the end of a sentence about a pool.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|special| write!(f, ", {}", special.probe().name()))
    }
}

impl Specials {
    pub(super) fn draw(rng: &mut Rng) -> Self {
        // A stream of its own: what older dimensions draw stays as it was.
        let mut later = rng.fork("later dimensions");
        let is_drawn = |(special, share): &&(Special, u64)| match special {
            Special::ShortSteps | Special::NoClock | Special::StrictThresholds => later.chance(*share, 64),
            _ => rng.chance(*share, 64),
        };
        Self(Special::ALL.iter().filter(is_drawn).map(|&(special, _)| special).collect())
    }

    pub(super) fn has(&self, special: Special) -> bool {
        self.0.contains(&special)
    }

    /// Steps of a run that would have so many: what takes long is done less.
    pub(super) fn steps(&self, steps: u32) -> u32 {
        match () {
            () if self.has(Special::LargeExtents) => steps / 3,
            () if self.has(Special::ManyMembers) => steps / 2,
            () => steps,
        }
    }

    /// A scheme, where a special one is asked for and so many disks are enough for it.
    pub(super) fn scheme(&self, most: Option<usize>, rng: &mut Rng) -> Option<Scheme> {
        let schemes: &[Scheme] = match () {
            () if self.has(Special::WideStripes) => &WIDE,
            () if self.has(Special::ThreeParities) => &PARITIES,
            () => return None,
        };
        let fits = |scheme: &&Scheme| most.is_none_or(|most| scheme.width() <= most);
        let fitting: Vec<_> = schemes.iter().filter(fits).collect();
        (!fitting.is_empty()).then(|| **rng.pick(&fitting))
    }

    /// Disks with data, where there are to be many.
    pub(super) fn count(&self, width: usize, rng: &mut Rng) -> Option<usize> {
        if self.has(Special::SweepWindows) && !self.has(Special::ManyMembers) {
            return Some(width.max(8));
        }
        let many = 17 + rng.below(MANY - 16).min(rng.below(MANY - 16));
        self.has(Special::ManyMembers).then_some((many as usize).max(width + 1))
    }

    /// What of it is about the pool's format, before there are disks.
    pub(super) fn shape(&self, setup: &mut Setup, rng: &mut Rng) {
        let format = &mut setup.format;
        let parity = usize::from(format.scheme.parity);
        if self.has(Special::ToleranceAboveParity) {
            let most = PARITY_FRAGMENTS_MAX.min(setup.disks.len() - 1);
            let tolerance = parity + 1 + rng.index(PARITY_FRAGMENTS_MAX);
            format.tolerance = (parity < most).then_some(tolerance.min(most) as u8);
        }
        if self.has(Special::LargeExtents) || self.has(Special::SweepWindows) {
            (format.node_bytes, format.block_bytes, format.chunk_bytes) = (512, 512, 512);
            format.extent_bytes = if self.has(Special::LargeExtents) { 4 << 20 } else { 4096 };
        }
        if self.has(Special::MixedSectors) {
            format.node_bytes = format.node_bytes.max(4096);
            format.block_bytes = format.block_bytes.max(4096);
            format.chunk_bytes = format.chunk_bytes.max(4096);
            format.extent_bytes = format.extent_bytes.max(format.block_bytes);
        }
        if self.has(Special::ManyMembers) {
            (format.members_max, format.ring_length) = (64, RING_LENGTH_MIN);
        }
        let room = setup.disks.len() as u8 + 4;
        format.members_max = format.members_max.max(room.min(64));
    }

    /// What of it is about the disks and the machine.
    pub(super) fn build(&self, setup: &mut Setup, fills_up: bool, rng: &mut Rng) {
        if self.has(Special::MixedSectors) {
            setup.disks.iter_mut().for_each(|disk| *disk = mix_sectors(disk, rng));
        }
        if self.has(Special::LargeExtents) && !fills_up {
            for disk in &mut setup.disks {
                disk.sectors = disk.sectors.max((64 << 20) / u64::from(disk.sector_bytes));
            }
            setup.scale = Scale { file_bytes: 6 << 20, write_bytes: 5 << 20, names: 3, ..setup.scale };
            setup.memory = setup.memory.max(40 << 20);
        }
        if self.has(Special::SweepWindows) && !fills_up {
            let block = setup.format.block_bytes;
            for disk in &mut setup.disks {
                let bytes = (disk.bytes() / u64::from(block)).max(GROUPS * 128) * u64::from(block);
                disk.sectors = bytes / u64::from(disk.sector_bytes);
            }
            setup.scale = Scale { file_bytes: 900_000, write_bytes: 700_000, names: 6, ..setup.scale };
        }
        if self.has(Special::ManyAttributes) {
            setup.scale.attributes = ATTRIBUTES;
            if !fills_up {
                setup.disks.iter_mut().for_each(|disk| disk.sectors *= 2);
            }
        }
        setup.colliding = self.has(Special::HashCollision);
        setup.scale.colliding = setup.colliding;
        if self.has(Special::FailureDomains) {
            let domains = 2 + rng.below(setup.disks.len() as u64);
            // Firmware places nothing by tier or domain.
            let particular = |_| if FULL { particular(domains, rng) } else { DiskOptions::default() };
            setup.members = setup.disks.iter().map(particular).collect();
        }
        if self.has(Special::Witness) {
            (0..1 + rng.below(2)).for_each(|_| add_witness(setup, rng));
        }
        if self.has(Special::SmallBatches) {
            setup.batch = *rng.pick(&[2, 2, 3, 8]);
            setup.in_flight = *rng.pick(&[1, 2, 8, 64]);
        }
        if FULL && self.has(Special::UnalignedBuffers) {
            for disk in &mut setup.disks {
                disk.buffer_alignment = *rng.pick(&[1, 4, 64, 512, 512, 4096]);
            }
        }
        if self.has(Special::LeastMemory) {
            setup.memory = 0;
        }
        // The least that the pool takes: a window full.
        setup.step_bytes = self.has(Special::ShortSteps).then_some(1);
    }
}

/// Sectors and tear units of up to 4096 bytes, and as many bytes.
fn mix_sectors(disk: &Geometry, rng: &mut Rng) -> Geometry {
    let sector_bytes = 512 << rng.below(4);
    let tear_unit = (sector_bytes << rng.below(4)).min(4096);
    Geometry { sector_bytes, tear_unit, sectors: disk.bytes() / u64::from(sector_bytes), ..*disk }
}

/// What may be special about a disk with data.
fn particular(domains: u64, rng: &mut Rng) -> DiskOptions {
    DiskOptions::new()
        .tier(rng.below(2) as u8)
        .failure_domain(rng.below(domains + 1) as u32)
        .weight(*rng.pick(&[256, 256, 128, 512, 64]))
        .witness(false)
}

/// One more member anywhere among the others, which holds nothing: a small disk, or one like them.
fn add_witness(setup: &mut Setup, rng: &mut Rng) {
    if setup.disks.len() >= usize::from(setup.format.members_max) {
        return;
    }
    let like = *rng.pick(&setup.disks);
    let at = rng.index(setup.disks.len() + 1);
    // Its rings, its labels and nothing else.
    let labels = (4 * u64::from(setup.format.block_bytes) + (8 << 10)).max(96 << 10);
    let bytes = super::setup::ring_bytes(&setup.format) * 2 + labels;
    let small = Geometry {
        sectors: like.sectors.min(bytes.div_ceil(4096) * 4096 / u64::from(like.sector_bytes)),
        ..like
    };
    setup.members.resize(setup.disks.len(), DiskOptions::default());
    setup.disks.insert(at, if rng.coin() { small } else { like });
    setup.members.insert(at, DiskOptions::new().witness(true));
    setup.latencies.push(setup.latencies.first().copied().unwrap_or_default());
}

impl Run {
    /// A commit was taken: what is special about the pool has been seen, or is.
    pub(super) fn look_for_specials(&mut self, pool: &Mounted<'_>) {
        if pool.internals().store.committed().sweep_limit() != 0 {
            self.hit(Probe::SweepWindows);
        }
        let (model, specials) = (self.oracle.current().clone(), self.setup.specials.clone());
        for special in specials.0 {
            let is_seen = match special {
                Special::ManyAttributes => model.nodes.values().any(|node| node.attributes.len() >= 24),
                Special::HashCollision => model.nodes.values().any(|node| has_collision(node)),
                // They are hit where they happen.
                Special::SweepWindows | Special::ShortSteps => false,
                _ => true,
            };
            if is_seen {
                self.hit(special.probe());
            }
        }
    }
}

/// Whether two names of an object's entries or attributes have equal hashes.
fn has_collision(node: &Node) -> bool {
    let is_in = |name: &str| {
        let entry = match &node.contents {
            Contents::Directory(entries) => entries.contains_key(name.as_bytes()),
            _ => false,
        };
        entry || node.attributes.contains_key(name.as_bytes())
    };
    colliding::NAMES.iter().any(|[one, other]| is_in(one) && is_in(other))
}
