//! What is written until the power goes: a sequence that can be made again afterwards, from its seed.

use super::finding::Step;
use super::stamp::{Draw, mix};
use crate::Geometry;

/// Sectors at most that the rounds write to.
pub(super) const AREA_SECTORS: usize = 256;

/// Writes of a round at most, and sectors of each.
const WRITES_MAX: usize = 4;
const LENGTH_MAX: usize = 8;

/// Bits of a version that count the writes of a round.
const WRITE_BITS: u32 = 2;

/// The rounds whose number fits into a version.
pub(super) const ROUNDS_MAX: u32 = (1 << (32 - WRITE_BITS)) - 3;

/// The sectors that are written to: in the middle of the device, since cards treat the first ones unlike the
/// others.
#[derive(Clone, Copy)]
pub(super) struct Area {
    pub(super) start: u64,
    pub(super) sectors: usize,
    caches: bool,
}

impl Area {
    pub(super) fn new(geometry: &Geometry) -> Self {
        let sectors = geometry.sectors.min(AREA_SECTORS as u64);
        let middle = geometry.sectors / 2 / sectors * sectors;
        let start = if middle + sectors <= geometry.sectors { middle } else { 0 };
        Self { start, sectors: sectors as usize, caches: geometry.volatile_cache }
    }

    /// A round of this run.
    pub(super) fn round(&self, seed: u64, number: u32) -> Round {
        let mut draw = Draw(mix(seed ^ u64::from(number)));
        let settled = match draw.below(4) {
            0 => Step::WriteDurable,
            1 if !self.caches => Step::Write,
            _ => Step::Flush,
        };
        let count = if settled == Step::Flush { 1 + draw.below(WRITES_MAX) } else { 1 };
        let mut writes = [Write { at: 0, sectors: 0 }; WRITES_MAX];
        for write in &mut writes[..count] {
            let at = draw.below(self.sectors);
            // Short ones more often: they leave more of a flash page alone.
            let length = 1 << draw.below(LENGTH_MAX.ilog2() as usize + 1);
            *write = Write { at, sectors: (1 + draw.below(length)).min(self.sectors - at) };
        }
        Round { number, settled, writes, count }
    }
}

/// One write: sectors of the area.
#[derive(Clone, Copy)]
pub(super) struct Write {
    pub(super) at: usize,
    pub(super) sectors: usize,
}

/// Some writes, and what makes them durable.
pub(super) struct Round {
    number: u32,
    /// A flush after them; or the one write itself.
    pub(super) settled: Step,
    writes: [Write; WRITES_MAX],
    count: usize,
}

impl Round {
    /// The writes, each with its version.
    pub(super) fn writes(&self) -> impl Iterator<Item = (Write, u32)> + '_ {
        self.writes[..self.count].iter().copied().zip(self.number << WRITE_BITS..)
    }
}

/// The round of a version.
pub(super) const fn round_of(version: u32) -> u32 {
    version >> WRITE_BITS
}
