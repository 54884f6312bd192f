//! What the disks themselves say, read from their durable bytes without the core: labels and superblocks.

use crate::SimDisk;
use crate::world::crc32c;
use dynamicfs_core::format::label::{self, DiskIdentity, LABEL_BYTES, PoolParameters};
use dynamicfs_core::format::places;
use dynamicfs_core::format::superblock::{self, SlotContents, Superblock};
use dynamicfs_core::types::{Epoch, Generation, MemberLists, MemberSet};
use dynamicfs_hal::BlockDevice;
use std::ops::Range;

/// A disk's label.
pub(crate) fn label_of(disk: &SimDisk) -> Option<(PoolParameters, DiskIdentity)> {
    let geometry = disk.geometry();
    let mut bytes = [0; LABEL_BYTES];
    let places = std::iter::once(0).chain(places::candidates(&geometry));
    let found = places.filter(|at| at + LABEL_BYTES as u64 <= geometry.bytes()).filter_map(|at| {
        disk.pristine(at, &mut bytes);
        let label = label::decode(&bytes, crc32c).ok()?;
        label.1.label_places().contains(&at).then_some(label)
    });
    // Of several the one that was changed last; the first of those.
    found.reduce(|best, next| if next.1.serial > best.1.serial { next } else { best })
}

/// The sectors of a disk's two rings of superblocks.
pub(crate) fn ring_sectors(disk: &SimDisk) -> Vec<Range<u64>> {
    let Some((parameters, identity)) = label_of(disk) else { return Vec::new() };
    let sector = u64::from(disk.geometry().sector_bytes);
    let bytes = u64::from(parameters.ring_length) * u64::from(parameters.slot_bytes);
    [identity.ring_a, identity.ring_b].map(|ring| ring / sector..(ring + bytes) / sector).into()
}

/// One superblock slot of a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SlotState {
    /// The byte at which it begins.
    pub(crate) at: u64,
    pub(crate) bytes: u64,
    pub(crate) sequence: u64,
    pub(crate) order: (Epoch, Generation),
    /// The highest epoch that was reserved on the disk.
    pub(crate) claim: Epoch,
    /// The history, and the members' rows that it names: the two lists, and those that took part.
    pub(crate) branch: u64,
    pub(crate) lists: MemberLists,
    pub(crate) online: MemberSet,
}

/// A disk's valid superblock slots, the newest first.
pub(crate) fn slots_of(disk: &SimDisk) -> Vec<SlotState> {
    let Some((parameters, identity)) = label_of(disk) else { return Vec::new() };
    let mut image = vec![0; parameters.slot_bytes as usize];
    let mut slots = Vec::new();
    for (place, at) in slot_places(&parameters, &identity) {
        if at + image.len() as u64 > disk.geometry().bytes() {
            continue;
        }
        disk.pristine(at, &mut image);
        let contents = superblock::examine(&image, &parameters, identity.disk, place, crc32c);
        if contents != SlotContents::Valid {
            continue;
        }
        let Some(view) = Superblock::new(&image[..]) else { continue };
        slots.push(SlotState {
            at,
            bytes: image.len() as u64,
            sequence: view.sequence(),
            order: view.order(),
            claim: view.claim(),
            branch: view.branch(),
            lists: view.lists(),
            online: view.online(),
        });
    }
    slots.sort_by_key(|slot| std::cmp::Reverse(slot.sequence));
    slots
}

/// All places of both rings: which of its ring, and at which byte of the disk.
fn slot_places(
    parameters: &PoolParameters,
    identity: &DiskIdentity,
) -> impl Iterator<Item = (u64, u64)> + use<> {
    let (length, bytes) = (u64::from(parameters.ring_length), u64::from(parameters.slot_bytes));
    let ring = move |start: u64| (0..length).map(move |place| (place, start + place * bytes));
    [identity.ring_a, identity.ring_b].into_iter().flat_map(ring)
}

/// Whether a slot after a disk's newest has something in it that is no superblock: a write that was cut short, which the next one
/// may complete.
pub(crate) fn has_torn_slot(disk: &SimDisk) -> bool {
    let (Some((parameters, identity)), Some(newest)) = (label_of(disk), slots_of(disk).first().copied())
    else {
        return false;
    };
    let next = (newest.sequence + 1) % u64::from(parameters.ring_length);
    let slots = slots_of(disk);
    slot_places(&parameters, &identity).filter(|&(place, _)| place == next).any(|(_, at)| {
        let mut image = vec![0; parameters.slot_bytes as usize];
        disk.pristine(at, &mut image);
        slots.iter().all(|slot| slot.at != at) && image.iter().any(|&byte| byte != 0)
    })
}

/// The bytes of the newest superblock of a disk, in both rings.
pub fn newest_slots(disk: &SimDisk) -> Vec<Range<u64>> {
    let slots = slots_of(disk);
    let is_newest = |slot: &&SlotState| slot.sequence == slots[0].sequence;
    slots.iter().filter(is_newest).map(|slot| slot.at..slot.at + slot.bytes).collect()
}

/// The bytes of all valid superblocks of a disk.
pub fn all_slots(disk: &SimDisk) -> Vec<Range<u64>> {
    slots_of(disk).iter().map(|slot| slot.at..slot.at + slot.bytes).collect()
}

/// Superblocks on a disk that were written whole and contradict themselves: no mount takes them for a state.
pub fn unsound_slots(disk: &SimDisk) -> usize {
    let Some((parameters, identity)) = label_of(disk) else { return 0 };
    let mut image = vec![0; parameters.slot_bytes as usize];
    slot_places(&parameters, &identity)
        .filter(|&(_, at)| {
            disk.pristine(at, &mut image);
            let view = Superblock::new(&image[..]).filter(|_| superblock::is_whole(&image, crc32c));
            view.is_some_and(|view| !superblock::is_sound(&view))
        })
        .count()
}

/// The state that a disk would bring to a mount.
pub fn newest_of(disk: &SimDisk) -> Option<(Epoch, Generation)> {
    slots_of(disk).first().map(|slot| slot.order)
}
