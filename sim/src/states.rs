//! What the disks themselves say, read from their durable bytes without the core: labels and superblocks.

use crate::SimDisk;
use crate::world::crc32c;
use dynamicfs_core::format::label::{self, DiskIdentity, LABEL_BYTES, PoolParameters};
use dynamicfs_core::format::superblock::{self, Superblock};
use dynamicfs_core::types::{Epoch, Generation};
use dynamicfs_hal::BlockDevice;

/// A disk's label.
pub(crate) fn label_of(disk: &SimDisk) -> Option<(PoolParameters, DiskIdentity)> {
    let geometry = disk.geometry();
    let sector = u64::from(geometry.sector_bytes);
    [0, geometry.sectors.checked_sub(1)? * sector].into_iter().find_map(|at| {
        let mut bytes = vec![0; LABEL_BYTES.max(sector as usize)];
        disk.pristine(at, &mut bytes);
        label::decode(&bytes, crc32c).ok()
    })
}

/// One superblock slot of a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SlotState {
    /// The byte at which it begins.
    pub(crate) at: u64,
    pub(crate) bytes: u64,
    pub(crate) sequence: u64,
    pub(crate) order: (Epoch, Generation),
}

/// A disk's valid superblock slots, the newest first.
pub(crate) fn slots_of(disk: &SimDisk) -> Vec<SlotState> {
    let Some((parameters, identity)) = label_of(disk) else { return Vec::new() };
    let mut image = vec![0; parameters.slot_bytes as usize];
    let mut slots = Vec::new();
    for ring in [identity.ring_a, identity.ring_b] {
        for place in 0..u64::from(parameters.ring_length) {
            let at = ring + place * u64::from(parameters.slot_bytes);
            if at + image.len() as u64 > disk.geometry().bytes() {
                continue;
            }
            disk.pristine(at, &mut image);
            let length = parameters.ring_length;
            if !superblock::is_valid(&image, parameters.pool, identity.disk, place, length, crc32c) {
                continue;
            }
            let Some(view) = Superblock::new(&image[..]) else { continue };
            let (sequence, order) = (view.sequence(), view.order());
            slots.push(SlotState { at, bytes: image.len() as u64, sequence, order });
        }
    }
    slots.sort_by_key(|slot| std::cmp::Reverse(slot.sequence));
    slots
}

/// The state that a disk would bring to a mount.
pub(crate) fn newest_of(disk: &SimDisk) -> Option<(Epoch, Generation)> {
    slots_of(disk).first().map(|slot| slot.order)
}
