//! Transfers of all lengths.

use super::diagnosis::corrupt_or_unsteady;
use super::finding::{Finding, Step};
use super::probe::Probe;
use super::stamp::Stamp;
use crate::BlockDevice;

/// Writes and reads of lengths around the powers of two, up to what the memory holds; the longest. Each is
/// written over other contents, read in single sectors and read in one transfer.
pub(super) fn check<D: BlockDevice>(probe: &mut Probe<'_, D>) -> Result<u64, Finding> {
    let most = probe.sectors_max();
    let powers = (0..usize::BITS).map(|bit| 1 << bit).take_while(|&power: &usize| power <= most);
    let lengths = powers.flat_map(|power| [power - 1, power, power + 1]).chain([most]);
    for length in lengths.filter(|length| (1..=most).contains(length)) {
        let mut before = probe.next_version();
        for lba in 0..length as u64 {
            probe.write(Step::Write, lba, 1, before)?;
        }
        for step in [Step::Write, Step::WriteDurable] {
            let version = probe.next_version();
            probe.write(step, 0, length, version)?;
            for lba in 0..length as u64 {
                probe.read(lba, 1)?;
                arrived(probe, lba, (before, version), length)?;
            }
            probe.read(0, length)?;
            for index in 0..length {
                filled(probe, index, version)?;
            }
            before = version;
        }
    }
    Ok(most as u64)
}

/// Compares the sector that was read alone, after a transfer of this length over what was there `before`.
fn arrived<D: BlockDevice>(
    probe: &mut Probe<'_, D>,
    lba: u64,
    (before, version): (u32, u32),
    length: usize,
) -> Result<(), Finding> {
    let (expected, sector) = (probe.stamp(lba, version), probe.sector(0));
    let Some(byte) = expected.difference(sector) else { return Ok(()) };
    match Stamp::read(sector) {
        Some(stamp) if stamp.lba != lba => return Err(Finding::WrongSector { lba, meant: stamp.lba }),
        _ if !probe.stamp(lba, before).is_from(byte, sector) => {
            return Err(corrupt_or_unsteady(probe, expected, byte)?);
        }
        _ => {}
    }
    // The first word, and most of the next, are the same in both.
    let byte = if byte < 8 { 0 } else { byte };
    let bytes = lba as usize * probe.geometry().sector_bytes as usize + byte;
    Err(Finding::ShortWrite { lba: 0, sectors: length as u64, bytes })
}

/// Compares a sector of a long read of sectors that were right when each was read alone.
fn filled<D: BlockDevice>(probe: &mut Probe<'_, D>, index: usize, version: u32) -> Result<(), Finding> {
    let (expected, sector) = (probe.stamp(index as u64, version), probe.sector(index));
    let Some(byte) = expected.difference(sector) else { return Ok(()) };
    if sector[byte..].iter().all(|byte| *byte == probe.poison()) {
        return Err(Finding::ReadNotFilled { lba: expected.lba, byte });
    }
    Err(corrupt_or_unsteady(probe, expected, byte)?)
}
