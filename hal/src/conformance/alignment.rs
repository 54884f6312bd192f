//! Whether buffers that are aligned as stated will do, and what becomes of others.

use super::finding::{Finding, Step};
use super::probe::Probe;
use crate::BlockDevice;

/// Two sectors: the second one is at a multiple of the sector size behind the first one's alignment.
const SECTORS: usize = 2;

/// Buffers with the stated alignment and no better, and buffers without it.
pub(super) fn check<D: BlockDevice>(probe: &mut Probe<'_, D>) -> Result<(), Finding> {
    let stated = probe.geometry().buffer_alignment as usize;
    for step in [1, 2, 3, 4, 5, 8, 16, 32, 64] {
        let shift = stated * step;
        if shift < probe.shifts() {
            aligned_as_stated(probe, shift)?;
        }
    }
    for shift in [1, 2, 4, stated / 2, stated / 2 + 1] {
        if !shift.is_multiple_of(stated) {
            misaligned(probe, shift, stated as u32)?;
        }
    }
    Ok(())
}

fn aligned_as_stated<D: BlockDevice>(probe: &mut Probe<'_, D>, shift: usize) -> Result<(), Finding> {
    let version = probe.next_version();
    probe.shift(shift);
    let (of_write, of_read) =
        (probe.unstated_alignment(Step::Write, 0), probe.unstated_alignment(Step::Read, 0));
    let wrote = probe.try_write(Step::Write, 0, SECTORS, version)?;
    probe.shift(0);
    wrote.map_err(|_| of_write)?;
    if !reads_right(probe, version)? {
        return Err(of_write);
    }
    probe.shift(shift);
    let right = reads_right(probe, version);
    probe.shift(0);
    match right {
        Ok(true) => Ok(()),
        Ok(false) | Err(Finding::BufferOverrun { .. }) => Err(of_read),
        Err(finding) => Err(finding),
    }
}

/// A buffer without the stated alignment is refused, or served well all the same.
fn misaligned<D: BlockDevice>(probe: &mut Probe<'_, D>, shift: usize, stated: u32) -> Result<(), Finding> {
    let version = probe.next_version();
    let aligned = 1 << shift.trailing_zeros();
    let mishandled = |step| Err(Finding::MisalignedMishandled { step, lba: 0, stated, aligned });
    probe.write(Step::Write, 0, SECTORS, version)?;
    probe.shift(shift);
    let read = probe.try_read(0, SECTORS);
    let is_right = is_right(probe, version);
    let next = probe.next_version();
    let wrote = probe.try_write(Step::Write, 0, SECTORS, next);
    probe.shift(0);
    match read {
        Ok(Ok(())) if is_right => {}
        Ok(Ok(())) | Err(Finding::BufferOverrun { .. }) => return mishandled(Step::Read),
        // Refused.
        Ok(Err(_)) => {}
        Err(finding) => return Err(finding),
    }
    if wrote?.is_ok() && !reads_right(probe, next)? {
        return mishandled(Step::Write);
    }
    Ok(())
}

fn reads_right<D: BlockDevice>(probe: &mut Probe<'_, D>, version: u32) -> Result<bool, Finding> {
    Ok(probe.try_read(0, SECTORS)?.is_ok() && is_right(probe, version))
}

fn is_right<D: BlockDevice>(probe: &Probe<'_, D>, version: u32) -> bool {
    (0..SECTORS).all(|index| probe.stamp(index as u64, version).difference(probe.sector(index)).is_none())
}
