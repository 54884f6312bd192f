//! What the disks themselves say, read from their durable bytes without the core: labels and superblocks.

use crate::SimDisk;
use crate::world::crc32c;
use dynamicfs_core::format::label::{self, DiskIdentity, LABEL_BYTES};
use dynamicfs_core::format::parameters::PoolParameters;
use dynamicfs_core::format::places;
use dynamicfs_core::format::superblock::{self, SlotContents, Superblock};
use dynamicfs_core::types::{Epoch, Generation, MemberLists, Row, Set};
use dynamicfs_hal::BlockDevice;
use std::ops::Range;

/// A disk's label, as a mount finds it: the first one and where it says that the others are. Where it says
/// nothing, wherever labels may be.
pub(crate) fn label_of(disk: &SimDisk) -> Option<(PoolParameters, DiskIdentity)> {
    let geometry = disk.geometry();
    let mut bytes = [0; LABEL_BYTES];
    let mut read = |at: u64| {
        let is_inside = at + LABEL_BYTES as u64 <= geometry.bytes();
        is_inside.then(|| disk.pristine(at, &mut bytes))?;
        let label = label::decode(&bytes, crc32c).ok()?;
        label.1.label_places().contains(&at).then_some(label)
    };
    let places: Vec<u64> = match read(0) {
        Some((_, identity)) => identity.label_places().into(),
        None => places::candidates(&geometry).into_iter().collect(),
    };
    // Of several the one that was changed last; the first of those.
    let newest = places.into_iter().filter_map(&mut read).reduce(newer)?;
    Some(read(newest.1.end_at).map_or(newest, |at_end| newer(newest, at_end)))
}

/// The label that was changed last, of two.
fn newer(
    first: (PoolParameters, DiskIdentity),
    other: (PoolParameters, DiskIdentity),
) -> (PoolParameters, DiskIdentity) {
    if other.1.serial > first.1.serial { other } else { first }
}

/// The pool that a disk's label names.
pub fn pool_of(disk: &SimDisk) -> Option<dynamicfs_core::types::Uuid> {
    label_of(disk).map(|(parameters, _)| parameters.pool)
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
    pub(crate) online: Set<Row>,
}

/// A disk's valid superblock slots, the newest first.
pub(crate) fn slots_of(disk: &SimDisk) -> Vec<SlotState> {
    slots(disk).collect()
}

/// The newest of a disk's valid superblock slots.
pub(crate) fn newest_slot(disk: &SimDisk) -> Option<SlotState> {
    slots(disk).next()
}

/// A disk's valid superblock slots, the newest first; each is examined when it is asked for.
pub(crate) fn slots(disk: &SimDisk) -> impl Iterator<Item = SlotState> + use<> {
    let label = label_of(disk);
    let mut images: Vec<_> = label.iter().flat_map(|label| images_of(disk, label)).collect();
    images.sort_by_key(|(_, _, image)| {
        std::cmp::Reverse(Superblock::new(&image[..]).map(|view| view.sequence()))
    });
    images.into_iter().filter_map(move |(place, at, image)| {
        let (parameters, identity) = label.as_ref()?;
        let contents = superblock::examine(&image, parameters, identity.disk, place, crc32c);
        let view = Superblock::new(&image[..]).filter(|_| contents == SlotContents::Valid)?;
        Some(SlotState {
            at,
            bytes: image.len() as u64,
            sequence: view.sequence(),
            order: view.order(),
            claim: view.claim(),
            branch: view.branch(),
            lists: view.lists(),
            online: view.online(),
        })
    })
}

/// What is in the places of both rings that the disk has: which of its ring, at which byte, the bytes.
fn images_of(
    disk: &SimDisk,
    (parameters, identity): &(PoolParameters, DiskIdentity),
) -> impl Iterator<Item = (u64, u64, Vec<u8>)> {
    let (bytes, end) = (parameters.superblock_bytes(), disk.geometry().bytes());
    let places = slot_places(parameters, identity).filter(move |(_, at)| at + bytes as u64 <= end);
    places.map(move |(place, at)| {
        let mut image = vec![0; bytes];
        disk.pristine(at, &mut image);
        (place, at, image)
    })
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

/// Whether a slot after a disk's newest holds something that is no superblock. That is a write that was cut
/// short, which the next one may complete.
pub(crate) fn has_torn_slot(disk: &SimDisk) -> bool {
    let slots = slots_of(disk);
    let (Some(label), Some(newest)) = (label_of(disk), slots.first()) else { return false };
    let next = (newest.sequence + 1) % u64::from(label.0.ring_length);
    images_of(disk, &label)
        .filter(|&(place, ..)| place == next)
        .any(|(_, at, image)| slots.iter().all(|slot| slot.at != at) && image.iter().any(|&byte| byte != 0))
}

/// The bytes of the newest superblock of a disk, in both rings.
pub fn newest_slots(disk: &SimDisk) -> Vec<Range<u64>> {
    let slots = slots_of(disk);
    let is_newest = |slot: &&SlotState| slot.sequence == slots[0].sequence;
    slots.iter().filter(is_newest).map(|slot| slot.at..slot.at + slot.bytes).collect()
}

/// The bytes of all valid superblocks of a disk.
pub fn all_slots(disk: &SimDisk) -> Vec<Range<u64>> {
    slots(disk).map(|slot| slot.at..slot.at + slot.bytes).collect()
}

/// Superblocks on a disk that were written whole and contradict themselves: no mount takes them for a state.
pub fn unsound_slots(disk: &SimDisk) -> usize {
    let Some(label) = label_of(disk) else { return 0 };
    images_of(disk, &label)
        .filter(|(.., image)| {
            let view = Superblock::new(&image[..]).filter(|_| superblock::is_whole(image, crc32c));
            view.is_some_and(|view| !superblock::is_sound(&view))
        })
        .count()
}

/// The state that a disk would bring to a mount.
pub fn newest_of(disk: &SimDisk) -> Option<(Epoch, Generation)> {
    newest_slot(disk).map(|slot| slot.order)
}
