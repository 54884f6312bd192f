//! Changes records of a pool's newest state in place and makes every checksum on the way to them right again.
//! Only a broken core, or a liar, could have written this.

use crate::SimArray;
use crate::states;
use crate::world::crc32c;
use dynamicfs_core::format::key::Key;
use dynamicfs_core::format::node::{self, Node};
use dynamicfs_core::format::parameters::PoolParameters;
use dynamicfs_core::format::pointer::NodePointer;
use dynamicfs_core::format::superblock::Superblock;
use dynamicfs_core::types::{Row, Set};
use std::collections::BTreeMap;

/// The disks of a pool: member number to place, and what is fixed for all of them.
struct Place {
    parameters: PoolParameters,
    members: BTreeMap<u16, usize>,
}

/// Calls `change` with each record's key and value in the newest state, in the order of keys. `change`
/// returns whether it changed the value; the length stays. All replicas and superblocks are sealed anew.
/// Whether anything was changed; `None` when there is no pool that can be read.
///
/// Nothing may be cached: the disks' durable bytes are read and changed.
pub fn records(array: &mut SimArray, mut change: impl FnMut(&Key, &mut [u8]) -> bool) -> Option<bool> {
    nodes(array, |level, node| {
        let mut changed = false;
        for i in (0..node.count()).filter(|_| level == 0) {
            let key = node.key(i);
            changed |= change(&key, node.value_mut(i));
        }
        changed
    })
}

/// Calls `change` with each node of the newest state and its level, a parent after all its children; it
/// returns whether it changed the node. Else as [`records`].
pub fn nodes(array: &mut SimArray, mut change: impl FnMut(u8, &mut Node<&mut [u8]>) -> bool) -> Option<bool> {
    let place = place_of(array)?;
    let (newest, slot) = newest_slot(array, &place)?;
    let mut image = vec![0; slot.bytes as usize];
    array.disk(newest).pristine(slot.at, &mut image);
    let view = Superblock::new(&image[..])?;
    let (root, level, order) = (view.root(), view.root_level(), view.order());
    let Some(crc) = node_at(array, &place, &root, level, &mut change)? else { return Some(false) };
    superblocks(array, |superblock| {
        if superblock.order() == order {
            superblock.set_root_crc(crc);
        }
    });
    Some(true)
}

/// Calls `change` with every valid superblock on every disk, and seals it anew.
pub fn superblocks(array: &mut SimArray, mut change: impl FnMut(&mut Superblock<&mut [u8]>)) {
    for disk in 0..dynamicfs_hal::DiskArray::disks(array) {
        for slot in states::slots_of(array.disk(disk)) {
            let mut image = vec![0; slot.bytes as usize];
            array.disk(disk).pristine(slot.at, &mut image);
            if let Some(mut view) = Superblock::new(&mut image[..]) {
                change(&mut view);
            }
            let crc = crc32c(0, &image[4..]);
            image[..4].copy_from_slice(&crc.to_le_bytes());
            array.disk_mut(disk).overwrite(slot.at, &image);
        }
    }
}

/// Makes every superblock on these disks name them alone as members: a quorum without votes.
pub fn quorum(array: &mut SimArray, members: Set<Row>) {
    superblocks(array, |superblock| {
        superblock.set_lists(dynamicfs_core::types::MemberLists::both(members));
    });
}

fn place_of(array: &SimArray) -> Option<Place> {
    let labels = (0..dynamicfs_hal::DiskArray::disks(array))
        .filter_map(|place| Some((place, states::label_of(array.disk(place))?)));
    let labels: Vec<_> = labels.collect();
    let parameters = labels.first()?.1.0;
    let ours = labels.iter().filter(|(_, (found, _))| found.pool == parameters.pool);
    let members = ours.map(|(place, (_, identity))| (identity.member.0, *place)).collect();
    Some(Place { parameters, members })
}

fn newest_slot(array: &SimArray, place: &Place) -> Option<(usize, states::SlotState)> {
    let slots = place.members.values().filter_map(|&at| Some((at, states::newest_slot(array.disk(at))?)));
    slots.max_by_key(|(_, slot)| slot.order)
}

/// Changes the records below a node; its new checksum, `Some(None)` if nothing was changed, `None` if it is no node.
fn node_at(
    array: &mut SimArray,
    place: &Place,
    pointer: &NodePointer,
    level: u8,
    change: &mut impl FnMut(u8, &mut Node<&mut [u8]>) -> bool,
) -> Option<Option<u32>> {
    let at = |replica: &dynamicfs_core::types::BlockAddress| {
        let disk = *place.members.get(&replica.member.0)?;
        Some((disk, replica.block << place.parameters.block_shift))
    };
    let mut bytes = vec![0; place.parameters.node_bytes()];
    let right = pointer.replicas().iter().filter_map(at).any(|(disk, byte)| {
        array.disk(disk).pristine(byte, &mut bytes);
        node::checksum(crc32c, &bytes) == pointer.crc
    });
    if !right {
        return None;
    }
    let mut changed = false;
    let mut node = Node::new(&mut bytes[..]);
    for i in (0..node.count()).filter(|_| level > 0) {
        if let Some(crc) = node_at(array, place, &node.pointer(i), level - 1, change)? {
            node.value_mut(i)[..4].copy_from_slice(&crc.to_le_bytes());
            changed = true;
        }
    }
    changed |= change(level, &mut node);
    if !changed {
        return Some(None);
    }
    let crc = node.seal(crc32c);
    for (disk, byte) in pointer.replicas().iter().filter_map(at) {
        array.disk_mut(disk).overwrite(byte, &bytes);
    }
    Some(Some(crc))
}
