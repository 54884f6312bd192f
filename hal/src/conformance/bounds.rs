//! What lies beyond the end.

use super::finding::{Finding, Step};
use super::probe::Probe;
use super::region::Region;
use crate::BlockDevice;

/// Requests beyond the end fail, change nothing else, and leave the device working.
pub(super) fn check<D: BlockDevice>(probe: &mut Probe<'_, D>) -> Result<(), Finding> {
    let geometry = *probe.geometry();
    let end = geometry.sectors;
    let mut region = Region::new(probe, 0);
    // Not up to the end, where a request that straddles it may write.
    let kept = region.sectors().min(4);
    for at in 0..kept {
        region.write(probe, Step::Write, at, 1)?;
    }
    // Addresses that come out at the first sector where they are cut to 32 bits, or counted in bytes in 64 or
    // 32.
    let wraps = u64::MAX / u64::from(geometry.sector_bytes) + 1;
    let addresses = [end, end - 1, u64::MAX, 1 << 32, (1 << 32) / u64::from(geometry.sector_bytes), wraps];
    for lba in addresses.into_iter().filter(|&lba| lba >= end - 1) {
        let sectors = if lba < end { 2 } else { 1 };
        for step in [Step::Read, Step::Write, Step::WriteDurable, Step::Discard] {
            let version = probe.next_version();
            let result = match step {
                Step::Read => probe.try_read(lba, sectors)?,
                // One that does nothing need not know where the end is.
                Step::Discard if !geometry.discard => continue,
                Step::Discard => probe.try_discard(lba, sectors as u64)?,
                _ => probe.try_write(step, lba, sectors, version)?,
            };
            if result.is_ok() {
                return Err(Finding::OutOfBoundsAccepted { step, lba, sectors: sectors as u64 });
            }
            region.verify(probe)?;
        }
    }
    Ok(())
}
