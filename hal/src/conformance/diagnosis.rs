//! Why a sector does not hold what it should.

use super::finding::{Finding, Step};
use super::probe::Probe;
use super::region::Region;
use super::stamp::{Stamp, is_blank};
use crate::BlockDevice;

/// The last operation on a region.
#[derive(Clone, Copy)]
pub(super) struct Last {
    pub(super) step: Step,
    pub(super) at: usize,
    pub(super) sectors: usize,
}

impl Last {
    /// Nothing was done.
    pub(super) const NOTHING: Self = Self { step: Step::Read, at: 0, sectors: 0 };

    /// Whether it wrote a sector.
    fn wrote(&self, index: usize) -> bool {
        let range = self.at..self.at + self.sectors;
        matches!(self.step, Step::Write | Step::WriteDurable) && range.contains(&index)
    }
}

/// What a read showed.
#[derive(Clone, Copy)]
pub(super) struct Seen {
    /// The sector in the region, and the transfer that read it.
    pub(super) index: usize,
    pub(super) start: usize,
    pub(super) sectors: usize,
    /// The first wrong byte of the sector, and what it is.
    pub(super) byte: usize,
    pub(super) value: u8,
    /// What the sector was, if it was whole.
    pub(super) stamp: Option<Stamp>,
    pub(super) blank: bool,
}

impl Seen {
    /// What a sector with this wrong byte shows.
    pub(super) fn of(sector: &[u8], byte: usize) -> Self {
        let (stamp, blank) = (Stamp::read(sector), is_blank(sector));
        Self { index: 0, start: 0, sectors: 0, byte, value: sector[byte], stamp, blank }
    }
}

impl Region {
    /// Names the fault. Reads, and writes the sector in question, to tell one from the other.
    #[inline(never)]
    pub(super) fn diagnose<D: BlockDevice>(&self, probe: &mut Probe<'_, D>, seen: Seen) -> Finding {
        self.name(probe, seen).unwrap_or_else(|finding| finding)
    }

    /// `Err` with what was found while looking.
    fn name<D: BlockDevice>(&self, probe: &mut Probe<'_, D>, seen: Seen) -> Result<Finding, Finding> {
        let Seen { index, byte, .. } = seen;
        let lba = self.start + index as u64;
        if is_unfilled(self, probe, seen)? {
            return Ok(Finding::ReadNotFilled { lba, byte });
        }
        if self.last.step == Step::Discard {
            let (from, sectors) = (self.start + self.last.at as u64, self.last.sectors as u64);
            return Ok(Finding::DiscardDamaged { lba, from, sectors });
        }
        if self.discarded >> index & 1 == 1 && seen.blank {
            return Ok(Finding::DiscardUndidWrite { lba });
        }
        if let Some(stamp) = seen.stamp.filter(|stamp| stamp.lba != lba) {
            return Ok(Finding::WrongSector { lba, meant: stamp.lba });
        }
        let is_old = seen.stamp.is_some();
        // It was right before the flush; what was there before the kit came need not be a stamp.
        let is_undone = self.last.step == Step::Flush && is_missing_whole(byte);
        if (is_old || is_undone) && !self.last.wrote(index) {
            return Ok(Finding::StaleRead { lba });
        }
        if self.reads_right_elsewise(probe, seen)? {
            // What was there before the kit came may be given too.
            let is_stale = is_old || is_missing_whole(byte);
            return Ok(if is_stale {
                Finding::StaleRead { lba }
            } else {
                Finding::UnsteadyRead { lba, byte }
            });
        }
        if !self.last.wrote(index) {
            return Ok(Finding::Corrupt { lba, byte });
        }
        if let Some(at) = self.whereabouts(probe, index)? {
            return Ok(Finding::WrongSector { lba: at, meant: lba });
        }
        let written = (index - self.last.at) * probe.geometry().sector_bytes as usize;
        let short = Finding::ShortWrite {
            lba: self.start + self.last.at as u64,
            sectors: self.last.sectors as u64,
            bytes: written + if is_missing_whole(byte) { 0 } else { byte },
        };
        if index > self.last.at && is_missing_whole(byte) {
            return Ok(short);
        }
        if is_old || seen.blank {
            return Ok(Finding::LostWrite { lba });
        }
        Ok(match self.keeps_tail(probe, seen)? {
            true if is_missing_whole(byte) => Finding::LostWrite { lba },
            true => short,
            false => Finding::Corrupt { lba, byte },
        })
    }

    /// Whether the right contents are read in another way: alone, or with other sectors around.
    fn reads_right_elsewise<D: BlockDevice>(
        &self,
        probe: &mut Probe<'_, D>,
        seen: Seen,
    ) -> Result<bool, Finding> {
        let index = seen.index;
        let Some(expected) = self.expected(probe, index) else { return Ok(false) };
        let lba = self.start + index as u64;
        let most = probe.sectors_max().min(self.sectors());
        let around = index.saturating_sub(most / 2).min(self.sectors() - most);
        // A read of other sectors between them takes the place in a cache of one entry.
        probe.read(self.start + (index + self.sectors() / 2) as u64 % self.sectors() as u64, 1)?;
        probe.read(lba, 1)?;
        if expected.difference(probe.sector(0)).is_none() {
            return Ok(true);
        }
        probe.read(self.start + around as u64, most)?;
        Ok(expected.difference(probe.sector(index - around)).is_none())
    }

    /// The sector that holds what was written to this one.
    fn whereabouts<D: BlockDevice>(
        &self,
        probe: &mut Probe<'_, D>,
        index: usize,
    ) -> Result<Option<u64>, Finding> {
        let Some(meant) = self.expected(probe, index) else { return Ok(None) };
        // One beyond the region on either side.
        let end = (self.start + self.sectors() as u64 + 1).min(probe.geometry().sectors);
        for lba in self.start.saturating_sub(1)..end {
            probe.read(lba, 1)?;
            if lba != meant.lba && meant.difference(probe.sector(0)).is_none() {
                return Ok(Some(lba));
            }
        }
        Ok(None)
    }

    /// Whether a write leaves the bytes from the wrong one on as they are: it is short.
    fn keeps_tail<D: BlockDevice>(&self, probe: &mut Probe<'_, D>, seen: Seen) -> Result<bool, Finding> {
        let lba = self.start + seen.index as u64;
        let byte = if is_missing_whole(seen.byte) { 0 } else { seen.byte };
        let sum =
            |sector: &[u8]| sector[byte..].iter().fold(0u32, |sum, b| sum.rotate_left(5) ^ u32::from(*b));
        probe.read(lba, 1)?;
        let before = sum(probe.sector(0));
        let version = probe.next_version();
        probe.write(Step::Write, lba, 1, version)?;
        probe.read(lba, 1)?;
        Ok(sum(probe.sector(0)) == before)
    }
}

/// Whether a sector with this first wrong byte may be missing as a whole. The first word of every stamp is
/// the same, and the next counts writes.
const fn is_missing_whole(byte: usize) -> bool {
    byte < 8
}

/// What a sector is that is wrong from a byte on, and was not whole: read again, it is right or not.
pub(super) fn corrupt_or_unsteady<D: BlockDevice>(
    probe: &mut Probe<'_, D>,
    expected: Stamp,
    byte: usize,
) -> Result<Finding, Finding> {
    let lba = expected.lba;
    probe.read(lba, 1)?;
    let is_right = expected.difference(probe.sector(0)).is_none();
    Ok(if is_right { Finding::UnsteadyRead { lba, byte } } else { Finding::Corrupt { lba, byte } })
}

/// Whether the wrong byte is what lay in the buffer before the read.
fn is_unfilled<D: BlockDevice>(
    region: &Region,
    probe: &mut Probe<'_, D>,
    seen: Seen,
) -> Result<bool, Finding> {
    if seen.value != probe.poison() {
        return Ok(false);
    }
    probe.change_poison();
    probe.read(region.start + seen.start as u64, seen.sectors)?;
    Ok(probe.sector(seen.index - seen.start)[seen.byte] == probe.poison())
}
