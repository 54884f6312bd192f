//! What may become of one write in one tear unit when the power goes, or when the write fails.
//!
//! ```text
//!   tear unit     |  sector 0  |  sector 1  |  sector 2  |  sector 3  |
//!   before        |  A A A A   |  B B B B   |  C C C C   |  D D D D   |
//!   the write     |            |  x x x x   |  y y y y   |            |
//!   Old           |  A A A A   |  B B B B   |  C C C C   |  D D D D   |
//!   New           |  A A A A   |  x x x x   |  y y y y   |  D D D D   |
//!   Left          |  A A A A   |  x x B B   |  C C C C   |  D D D D   |   cut at any byte
//!   Right         |  A A A A   |  B B B x   |  y y y y   |  D D D D   |
//!   Mixed         |  A A A A   |  B B B B   |  y y y y   |  D D D D   |   any subset of the sectors
//!   Garbage       |  A A ? ?   |  ? ? ? ?   |  ? C C C   |  D D D D   |   any stretch, also beside the write
//!   Unreadable    |  A A A A   |  error     |  C C C C   |  D D D D   |   any sector of the unit
//! ```

use crate::rng::Rng;
use std::ops::Range;

/// One row of the picture above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Old,
    New,
    Left,
    Right,
    Mixed,
    Garbage,
    Unreadable,
}

/// One write as far as it lies in one tear unit.
#[derive(Clone, Copy)]
pub(super) struct Piece<'a> {
    pub(super) at: u64,
    pub(super) bytes: &'a [u8],
    /// Address and length of the tear unit, ended by the disk's end.
    pub(super) unit: (u64, u64),
    pub(super) sector_bytes: u64,
}

/// Where a torn write leaves its marks.
pub(super) trait Target {
    /// These bytes arrive.
    fn put(&mut self, at: u64, bytes: &[u8]);

    /// These sectors cannot be read any more.
    fn lose(&mut self, lbas: Range<u64>);
}

impl Piece<'_> {
    /// Lets `fate` happen to this piece.
    pub(super) fn suffer(&self, fate: Fate, target: &mut dyn Target, rng: &mut Rng) {
        match fate {
            Fate::Old => {}
            Fate::New => target.put(self.at, self.bytes),
            Fate::Left => target.put(self.at, &self.bytes[..rng.index(self.bytes.len())]),
            Fate::Right => {
                let cut = rng.index(self.bytes.len());
                target.put(self.at + cut as u64, &self.bytes[cut..]);
            }
            Fate::Mixed => {
                for (index, sector) in self.bytes.chunks(self.sector_bytes as usize).enumerate() {
                    if rng.coin() {
                        target.put(self.at + index as u64 * self.sector_bytes, sector);
                    }
                }
            }
            Fate::Garbage => self.garbage(target, rng),
            Fate::Unreadable => {
                let sectors = self.unit.1 / self.sector_bytes;
                let lba = self.unit.0 / self.sector_bytes + rng.below(sectors);
                target.lose(lba..lba + 1);
            }
        }
    }

    /// Overwrites a stretch of the unit, now and then all of it, with what no one wrote.
    fn garbage(&self, target: &mut dyn Target, rng: &mut Rng) {
        let (unit, unit_bytes) = self.unit;
        let (start, end) = if rng.chance(1, 4) {
            (unit, unit + unit_bytes)
        } else {
            let start = unit + rng.below(unit_bytes);
            (start, rng.within(start..unit + unit_bytes) + 1)
        };
        // Erased flash reads as ones, a drive that gave up may write zeros.
        let constant = match rng.below(4) {
            0 => Some(0x00),
            1 => Some(0xFF),
            _ => None,
        };
        let mut at = start;
        while at < end {
            let mut noise = [constant.unwrap_or_default(); 512];
            if constant.is_none() {
                rng.fill(&mut noise);
            }
            let bytes = (end - at).min(noise.len() as u64);
            target.put(at, &noise[..bytes as usize]);
            at += bytes;
        }
    }
}
