//! Whether all sectors are there, and are different ones.

use super::diagnosis::corrupt_or_unsteady;
use super::finding::{Finding, Step};
use super::probe::Probe;
use super::stamp::Stamp;
use crate::BlockDevice;

/// Writes sectors that say where they belong, then reads them all; whether that was every sector. `most`
/// sectors at most are looked at besides some 200 at telling addresses.
pub(super) fn check<D: BlockDevice>(probe: &mut Probe<'_, D>, most: u64) -> Result<bool, Finding> {
    let sectors = probe.geometry().sectors;
    let version = probe.next_version();
    if !works(probe, sectors - 1, version)? {
        let works = first_broken(probe, version)?;
        return Err(Finding::CapacityTooLarge { stated: sectors, works });
    }
    if sectors <= most {
        check_all(probe, version)?;
        return Ok(true);
    }
    for lba in sample(sectors, most) {
        probe.write(Step::Write, lba, 1, version)?;
    }
    probe.flush()?;
    for lba in sample(sectors, most) {
        probe.read(lba, 1)?;
        compare(probe, lba, 0, version)?;
    }
    Ok(false)
}

fn check_all<D: BlockDevice>(probe: &mut Probe<'_, D>, version: u32) -> Result<(), Finding> {
    let (sectors, length) = (probe.geometry().sectors, probe.sectors_max());
    for lba in (0..sectors).step_by(length) {
        probe.write(Step::Write, lba, (sectors - lba).min(length as u64) as usize, version)?;
    }
    probe.flush()?;
    for lba in (0..sectors).step_by(length) {
        let count = (sectors - lba).min(length as u64) as usize;
        probe.read(lba, count)?;
        for index in 0..count {
            compare(probe, lba + index as u64, index, version)?;
        }
    }
    Ok(())
}

/// Compares a sector of the last read.
fn compare<D: BlockDevice>(
    probe: &mut Probe<'_, D>,
    lba: u64,
    index: usize,
    version: u32,
) -> Result<(), Finding> {
    let (expected, sector) = (probe.stamp(lba, version), probe.sector(index));
    let Some(byte) = expected.difference(sector) else { return Ok(()) };
    Err(match Stamp::read(sector) {
        Some(stamp) if stamp.lba != lba => {
            Finding::CapacityWraps { stated: probe.geometry().sectors, lba: stamp.lba, same_as: lba }
        }
        Some(_) => Finding::LostWrite { lba },
        None => corrupt_or_unsteady(probe, expected, byte)?,
    })
}

/// Whether a sector holds what is written to it.
fn works<D: BlockDevice>(probe: &mut Probe<'_, D>, lba: u64, version: u32) -> Result<bool, Finding> {
    if probe.try_write(Step::Write, lba, 1, version)?.is_err() {
        return Ok(false);
    }
    Ok(probe.try_read(lba, 1)?.is_ok() && probe.stamp(lba, version).difference(probe.sector(0)).is_none())
}

/// How many sectors work, of a device whose first one does and whose last one does not.
fn first_broken<D: BlockDevice>(probe: &mut Probe<'_, D>, version: u32) -> Result<u64, Finding> {
    let (mut works_below, mut broken) = (1, probe.geometry().sectors - 1);
    while works_below < broken {
        let middle = works_below + (broken - works_below) / 2;
        if works(probe, middle, version)? { works_below = middle + 1 } else { broken = middle }
    }
    Ok(broken)
}

/// Sectors at and beside the powers of two, from both ends, at fractions of the device; and `most` at even
/// distances.
fn sample(sectors: u64, most: u64) -> impl Iterator<Item = u64> {
    let telling = (0..u64::BITS).flat_map(move |bit| {
        let power = 1u64 << bit;
        [power - 1, power, power.saturating_add(1), sectors.wrapping_sub(power), sectors >> bit]
    });
    let step = (sectors / most.max(1)).max(1);
    telling.chain((0..most).map(move |index| index * step)).filter(move |&lba| lba < sectors)
}
