//! A few sectors whose contents are known, and operations on them.

use super::diagnosis::{Last, Seen};
use super::finding::{Finding, Step};
use super::probe::Probe;
use super::stamp::{Draw, Stamp};
use crate::BlockDevice;

/// Sectors of a region: one bit each in a word.
pub(super) const REGION_SECTORS: usize = 32;

/// Sectors next to each other, and what each must hold.
pub(super) struct Region {
    pub(super) start: u64,
    sectors: usize,
    /// Of the write that each sector was written by; 0 where what it holds is not known.
    versions: [u32; REGION_SECTORS],
    /// Sectors that were discarded at some time.
    pub(super) discarded: u32,
    /// What was done last.
    pub(super) last: Last,
}

impl Region {
    /// Sectors from `start` on, as far as the device goes.
    pub(super) fn new<D: BlockDevice>(probe: &Probe<'_, D>, start: u64) -> Self {
        let sectors = (probe.geometry().sectors - start).min(REGION_SECTORS as u64) as usize;
        Self { start, sectors, versions: [0; REGION_SECTORS], discarded: 0, last: Last::NOTHING }
    }

    pub(super) const fn sectors(&self) -> usize {
        self.sectors
    }

    /// What a sector must hold, if that is known.
    pub(super) fn expected<D: BlockDevice>(&self, probe: &Probe<'_, D>, index: usize) -> Option<Stamp> {
        match self.versions[index] {
            0 => None,
            version => Some(probe.stamp(self.start + index as u64, version)),
        }
    }

    /// Writes sectors and reads the region. The same sectors are read before and after, in the same way: a
    /// cache that writes pass by would then give the old ones.
    pub(super) fn write<D: BlockDevice>(
        &mut self,
        probe: &mut Probe<'_, D>,
        step: Step,
        at: usize,
        sectors: usize,
    ) -> Result<(), Finding> {
        let version = probe.next_version();
        self.last = Last { step, at, sectors };
        // Whether that succeeds is no matter: what is there was not written by the kit.
        let _ = probe.try_read(self.start + at as u64, sectors)?;
        probe.write(step, self.start + at as u64, sectors, version)?;
        self.versions[at..at + sectors].fill(version);
        self.compare(probe, at, sectors)?;
        self.verify(probe)
    }

    /// Flushes and reads the region.
    pub(super) fn flush<D: BlockDevice>(&mut self, probe: &mut Probe<'_, D>) -> Result<(), Finding> {
        self.last = Last { step: Step::Flush, ..Last::NOTHING };
        probe.flush()?;
        self.verify(probe)
    }

    /// Discards sectors and reads what must have stayed.
    fn discard<D: BlockDevice>(
        &mut self,
        probe: &mut Probe<'_, D>,
        at: usize,
        sectors: usize,
    ) -> Result<(), Finding> {
        self.last = Last { step: Step::Discard, at, sectors };
        probe.discard(self.start + at as u64, sectors as u64)?;
        self.versions[at..at + sectors].fill(0);
        self.discarded |= (at..at + sectors).fold(0, |bits, index| bits | 1 << index);
        self.verify(probe)
    }

    /// Reads the region in single sectors or in long transfers, in turn, and compares it.
    pub(super) fn verify<D: BlockDevice>(&self, probe: &mut Probe<'_, D>) -> Result<(), Finding> {
        let length = probe.reads_in_turn(self.sectors);
        for start in (0..self.sectors).step_by(length) {
            self.compare(probe, start, length.min(self.sectors - start))?;
        }
        Ok(())
    }

    /// Reads some of the region in one transfer and compares it.
    fn compare<D: BlockDevice>(
        &self,
        probe: &mut Probe<'_, D>,
        start: usize,
        sectors: usize,
    ) -> Result<(), Finding> {
        probe.read(self.start + start as u64, sectors)?;
        for index in start..start + sectors {
            let Some(expected) = self.expected(probe, index) else { continue };
            let sector = probe.sector(index - start);
            if let Some(byte) = expected.difference(sector) {
                let seen = Seen { index, start, sectors, byte, ..Seen::of(sector, byte) };
                return Err(self.diagnose(probe, seen));
            }
        }
        Ok(())
    }

    /// Every sector alone, then in transfers of growing length: with little done yet, the simplest faults are
    /// named first.
    pub(super) fn write_in_order<D: BlockDevice>(&mut self, probe: &mut Probe<'_, D>) -> Result<(), Finding> {
        for _ in 0..2 {
            for at in 0..self.sectors {
                self.write(probe, Step::Write, at, 1)?;
            }
            self.flush(probe)?;
        }
        let (mut at, mut sectors) = (0, 2);
        while at + sectors <= self.sectors && sectors <= probe.sectors_max() {
            self.write(probe, Step::Write, at, sectors)?;
            self.write(probe, Step::WriteDurable, at, sectors)?;
            (at, sectors) = (at + sectors, sectors + 1);
        }
        self.flush(probe)
    }

    /// Writes, flushes, discards, in an order that `draw` makes; after each the region is read.
    pub(super) fn work_out<D: BlockDevice>(
        &mut self,
        probe: &mut Probe<'_, D>,
        steps: u32,
        draw: &mut Draw,
    ) -> Result<(), Finding> {
        self.write_in_order(probe)?;
        for _ in 0..steps {
            let at = draw.below(self.sectors);
            let sectors = 1 + draw.below(probe.sectors_max().min(self.sectors - at));
            match draw.below(8) {
                0..3 => self.write(probe, Step::Write, at, sectors)?,
                3 => {
                    // The newest of several unflushed writes counts.
                    self.write(probe, Step::Write, at, sectors)?;
                    self.write(probe, Step::Write, at, 1)?;
                }
                4 => self.write(probe, Step::WriteDurable, at, sectors)?,
                5 => self.discard(probe, at, sectors)?,
                6 => {
                    self.discard(probe, at, sectors)?;
                    self.write(probe, Step::Write, at, sectors)?;
                    self.flush(probe)?;
                }
                _ => self.flush(probe)?,
            }
        }
        self.flush(probe)
    }
}
