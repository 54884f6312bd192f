//! What a power cut may leave, and what it may not.

use super::finding::{Finding, Step};
use super::probe::Probe;
use super::rounds::{AREA_SECTORS, Area, round_of};
use super::stamp::{Stamp, is_blank};
use crate::{BlockDevice, Geometry};

/// What must be on the device.
pub(super) struct Must {
    seed: u64,
    area: Area,
    tear_unit: u32,
    sector_bytes: u32,
    /// The write that each sector must hold.
    versions: [u32; AREA_SECTORS],
    /// Sectors that were being written when the power went.
    written: [bool; AREA_SECTORS],
    /// Sectors that were written, durably as the device said, after the last flush.
    unflushed: [bool; AREA_SECTORS],
    /// This run wrote most of the area. So a blank sector is a torn one that reads as erased flash, and not
    /// one that was never written.
    blank_is_torn: bool,
}

/// What speaks against a device, and how strongly.
pub(super) struct Suspicion {
    pub(super) finding: Finding,
    weight: (u8, u64),
}

impl Suspicion {
    /// Writes that were never flushed may be torn as well as lost, and a durable write may be a write and a
    /// flush. The nearer a finding is to the cause, the more it weighs. Of torn units the largest counts.
    pub(super) const fn new(finding: Finding) -> Self {
        let weight = match finding {
            Finding::DamagedAtRest { .. } => (1, 0),
            Finding::TornBeyondUnit { seen, .. } => (2, seen),
            Finding::DurableWriteLost { .. } => (3, 0),
            Finding::UncachedWriteLost { .. } => (4, 0),
            Finding::FlushLost { .. } => (5, 0),
            _ => (6, 0),
        };
        Self { finding, weight }
    }

    /// One that anything else outweighs.
    const fn weak(finding: Finding) -> Self {
        Self { finding, weight: (0, 0) }
    }

    /// Takes this one in, if it weighs more.
    pub(super) fn add(self, heaviest: &mut Option<Self>) {
        if heaviest.as_ref().is_none_or(|other| other.weight < self.weight) {
            *heaviest = Some(self);
        }
    }
}

impl Must {
    /// After this round, and while the next was being written, where so many sectors are whole ones of this
    /// run. One more round may have begun where the report of one was lost.
    pub(super) fn after(
        seed: u64,
        area: Area,
        geometry: &Geometry,
        durable_round: u32,
        whole: usize,
    ) -> Self {
        let mut versions = [0; AREA_SECTORS];
        let (mut written, mut unflushed) = ([false; AREA_SECTORS], [false; AREA_SECTORS]);
        for number in 1..=durable_round {
            let round = area.round(seed, number);
            for (write, version) in round.writes() {
                versions[write.at..write.at + write.sectors].fill(version);
                unflushed[write.at..write.at + write.sectors].fill(true);
            }
            if round.settled == Step::Flush {
                unflushed.fill(false);
            }
        }
        for number in durable_round + 1..=durable_round + 2 {
            for (write, _) in area.round(seed, number).writes() {
                written[write.at..write.at + write.sectors].fill(true);
            }
        }
        let (tear_unit, sector_bytes) = (geometry.tear_unit, geometry.sector_bytes);
        let blank_is_torn = whole > area.sectors / 2;
        Self { seed, area, tear_unit, sector_bytes, versions, written, unflushed, blank_is_torn }
    }

    /// Holds a sector against what it must be; whether it is damaged, as it may be.
    pub(super) fn check<D: BlockDevice>(
        &self,
        probe: &mut Probe<'_, D>,
        at: usize,
    ) -> Result<bool, Suspicion> {
        let lba = self.area.start + at as u64;
        let readable = probe.try_read(lba, 1).map_err(Suspicion::new)?.is_ok();
        let expected = Stamp { seed: self.seed, lba, version: self.versions[at] };
        let sector = probe.sector(0);
        if readable && expected.difference(sector).is_none() {
            return Ok(false);
        }
        let found = Stamp::read(sector).filter(|_| readable);
        let nearest = self.nearest_write(at);
        if nearest.is_some_and(|(unit, _)| unit <= u64::from(self.tear_unit)) {
            return Ok(found.is_none());
        }
        let lost = self.lost(at, expected.version);
        Err(match (found, nearest) {
            (Some(stamp), _) if stamp.lba != lba => {
                Suspicion::new(Finding::WrongSector { lba, meant: stamp.lba })
            }
            // An older write, or what an earlier run left.
            (Some(_), _) => Suspicion::new(lost),
            (None, _) if readable && is_blank(sector) && !self.blank_is_torn => Suspicion::new(lost),
            // Either its own write was not done, or the one near it damaged it.
            (None, _) if self.unflushed[at] => Suspicion::weak(lost),
            (None, Some((seen, written))) => {
                Suspicion::new(Finding::TornBeyondUnit { lba, written, stated: self.tear_unit, seen })
            }
            (None, None) => Suspicion::new(Finding::DamagedAtRest { lba }),
        })
    }

    fn lost(&self, at: usize, version: u32) -> Finding {
        let (lba, round) = (self.area.start + at as u64, round_of(version));
        match round {
            0 => Finding::FlushLost { lba, round },
            _ => match self.area.round(self.seed, round).settled {
                Step::WriteDurable => Finding::DurableWriteLost { lba, round },
                Step::Write => Finding::UncachedWriteLost { lba, round },
                _ => Finding::FlushLost { lba, round },
            },
        }
    }

    /// The smallest aligned unit, in bytes and of a power of two, that a sector shares with one that was
    /// being written, and that one.
    fn nearest_write(&self, at: usize) -> Option<(u64, u64)> {
        let written = (0..self.area.sectors).filter(|&index| self.written[index]);
        written.map(|index| (self.unit_of(at, index), self.area.start + index as u64)).min()
    }

    fn unit_of(&self, at: usize, other: usize) -> u64 {
        let (a, b) = (self.area.start + at as u64, self.area.start + other as u64);
        // The bits in which the two differ are within the unit.
        u64::from(self.sector_bytes) << (u64::BITS - (a ^ b).leading_zeros())
    }
}
