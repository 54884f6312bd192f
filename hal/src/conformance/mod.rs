//! A conformance kit: finds what a driver gets wrong, on the bench. **It destroys what is on the device.**
//!
//! A filesystem is as sound as the [`BlockDevice`] below it. Most faults of a driver show in no short test: a
//! flush that does nothing works well until the power goes. The kit does what reveals it, and names it with a
//! [`Finding`]: what was wrong, where, and what to look at in the driver.
//!
//! | call | needs | finds |
//! |---|---|---|
//! | [`destroy_and_check`] | the device | short, lost, misplaced writes; old or unfilled reads; bounds |
//! | [`destroy_until_cut`], [`check_after_cut`] | a hand at the switch | false flushes, larger tear units |
//! | [`destroy_and_cut`] | a [`PowerSwitch`] | the same, many times: a relay, an emulator |
//!
//! Everything follows from a seed: the same seed does the same to the same device. Each call stops at the
//! first finding, or a few cuts later: what follows would be its consequences. A run without a finding is no
//! proof, least of all of what a power cut does: cut often, with several cards of each kind.
//!
//! Memory is lent: [`memory_min`] bytes at least; more makes longer transfers, as long as the pool that is to
//! come would make. Lend memory of the region that the pool will have. Besides, some 4 KiB of stack are used.
//!
//! ```
//! use dynamicfs_hal::{RamDisk, conformance};
//!
//! let mut disk = RamDisk::new([0; 64 << 10], 512);
//! let mut memory = [0; 16 << 10];
//! match conformance::destroy_and_check(&mut disk, &mut memory, &conformance::Plan::new(1)) {
//!     Ok(checked) => assert!(checked.whole_capacity),
//!     Err(finding) => panic!("{finding}"),
//! }
//! ```

mod aftermath;
mod alignment;
mod bounds;
mod capacity;
mod diagnosis;
mod finding;
mod power;
mod probe;
mod region;
mod rounds;
mod stamp;
mod transfers;

pub use finding::{Finding, Step};
pub use power::{AfterCut, Cuts, PowerSwitch, check_after_cut, destroy_and_cut, destroy_until_cut};
pub use probe::memory_min;

use crate::BlockDevice;
use probe::Probe;
use region::{REGION_SECTORS, Region};
use stamp::Draw;

/// How much [`destroy_and_check`] does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What everything follows from. Another seed writes other bytes and does other things in another order.
    pub seed: u64,
    /// Sectors that the check of the capacity writes and reads at most. Where the device has no more, all
    /// are, and every wrong capacity is found. Else a sample is: it finds addresses that are cut to a number
    /// of bits and ends that fail, but not every counterfeit card.
    pub capacity_sectors: u64,
    /// Operations in each of up to seven regions of the device, each followed by a read of the region.
    pub steps: u32,
}

impl Plan {
    /// 4096 sectors of capacity and 200 operations in each region: some minutes with an SD card by SPI.
    pub const fn new(seed: u64) -> Self {
        Self { seed, capacity_sectors: 4096, steps: 200 }
    }
}

/// What was checked, where nothing was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Checked {
    /// Every sector was written and read: the capacity is as stated.
    pub whole_capacity: bool,
    /// Sectors of the longest transfer.
    pub longest_transfer: u64,
}

/// Checks all that can be seen while the power is on. **Destroys what is on the device.**
///
/// # Errors
/// The first [`Finding`].
pub fn destroy_and_check<D: BlockDevice>(
    device: &mut D,
    memory: &mut [u8],
    plan: &Plan,
) -> Result<Checked, Finding> {
    let mut probe = Probe::new(device, memory, plan.seed)?;
    Region::new(&probe, 0).write_in_order(&mut probe)?;
    // The capacity is looked at in long transfers: one that is short is named first.
    let longest_transfer = transfers::check(&mut probe)?;
    let whole_capacity = capacity::check(&mut probe, plan.capacity_sectors)?;
    alignment::check(&mut probe)?;
    let mut draw = Draw(plan.seed);
    for start in region_starts(probe.geometry().sectors, probe.geometry().sector_bytes) {
        Region::new(&probe, start).work_out(&mut probe, plan.steps, &mut draw)?;
    }
    bounds::check(&mut probe)?;
    Ok(Checked { whole_capacity, longest_transfer })
}

/// Where regions begin: at the start, in the middle and at the end. Others are around the addresses where a
/// driver fails that counts bytes or sectors in too few bits.
fn region_starts(sectors: u64, sector_bytes: u32) -> impl Iterator<Item = u64> {
    let bytes = u64::from(sector_bytes);
    let around = [sectors / 2, (1 << 31) / bytes, (1 << 32) / bytes, 1 << 28, 1 << 32, sectors];
    let half = REGION_SECTORS as u64 / 2;
    let inside = around.into_iter().filter(move |&at| at <= sectors);
    core::iter::once(0).chain(inside.map(move |at| at.saturating_sub(half)))
}
