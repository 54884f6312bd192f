//! Metadata that is wrong and has valid checksums: cyclic, overlapping or out of range.
//!
//! The newest superblock of a disk is changed and sealed anew, in both rings. Or its root node is changed,
//! and the checksum on the way to it too. Nothing can tell it from what a correct pool writes but what it
//! says.

use crate::states;
use crate::world::crc32c;
use crate::{Rng, SimDisk};
use dynamicfs_core::format::node::{self, Node};
use dynamicfs_core::format::pointer::NodePointer;
use dynamicfs_core::format::superblock::Superblock;
use dynamicfs_core::types::BlockAddress;

/// Fields of a superblock that lies are told in.
const FIELDS: [&str; 19] = [
    "epoch_raw",
    "generation_raw",
    "claim_raw",
    "settled_raw",
    "members_raw",
    "online_raw",
    "owed_raw",
    "next_object",
    "dead_next",
    "sweep_limit",
    "sweep_group",
    "sweep_row",
    "orphans",
    "tolerance",
    "member_rows",
    "root_level",
    "ancestors",
    "objects",
    "extents",
];

/// Tells a lie on this disk; false when there is nothing to lie about.
pub(super) fn tell(disk: &mut SimDisk, rng: &mut Rng) -> bool {
    let slots = states::slots_of(disk);
    let Some(newest) = slots.first() else { return false };
    let mut image = vec![0; newest.bytes as usize];
    disk.pristine(newest.at, &mut image);
    let truth = image.clone();
    if rng.coin() {
        lie_in_root(disk, &mut image, rng);
    }
    // A lie is not what was there; two of them may come to the truth again.
    while image == truth {
        for _ in 0..=rng.below(3) {
            let name = *rng.pick(&FIELDS);
            let told = Superblock::<&[u8]>::FIELDS.iter().filter(|field| field.name == name);
            for field in told {
                lie(&mut image[field.offset..field.offset + field.bytes], rng);
            }
        }
        if rng.chance(1, 3) {
            let at = rng.within(Superblock::<&[u8]>::BYTES as u64..image.len() as u64) as usize;
            lie(&mut image[at..(at + 1)], rng);
        }
    }
    let crc = crc32c(0, &image[4..]);
    image[..4].copy_from_slice(&crc.to_le_bytes());
    for slot in slots.iter().filter(|slot| slot.sequence == newest.sequence) {
        disk.overwrite(slot.at, &image);
    }
    true
}

/// Changes the root node, and what the superblock says of its checksum.
fn lie_in_root(disk: &mut SimDisk, superblock: &mut [u8], rng: &mut Rng) {
    let Some((parameters, identity)) = states::label_of(disk) else { return };
    let Some(mut view) = Superblock::new(&mut *superblock) else { return };
    let (root, level) = (view.root(), view.root_level());
    let mut bytes = vec![0; parameters.node_bytes()];
    let here = root.replicas().iter().find(|replica| replica.member == identity.member).copied();
    let Some(address) = here else { return };
    disk.pristine(address.block << parameters.block_shift, &mut bytes);
    if node::checksum(crc32c, &bytes) != root.crc {
        return;
    }
    let mut node = Node::new(&mut bytes[..]);
    let count = node.count();
    if count == 0 {
        return;
    }
    for _ in 0..=rng.below(3) {
        let record = rng.index(count);
        let value = node.value_mut(record);
        if level > 0 && rng.coin() && value.len() >= 19 {
            // A child that is its own parent.
            cycle(value, address);
        } else if !value.is_empty() {
            let at = rng.index(value.len());
            let bytes = (*rng.pick(&[1, 2, 4, 8])).min(value.len() - at);
            lie(&mut value[at..at + bytes], rng);
        }
    }
    // The other replicas go: this disk's word is all there is.
    let mut alone = NodePointer::new(root.birth, &[address]);
    alone.crc = node.seal(crc32c);
    view.set_root(&alone, level);
    disk.overwrite(address.block << parameters.block_shift, &bytes);
}

/// Points a child's first replica at this block.
fn cycle(pointer: &mut [u8], address: BlockAddress) {
    let block = address.block.to_le_bytes();
    pointer[11..13].copy_from_slice(&address.member.0.to_le_bytes());
    pointer[13..19].copy_from_slice(&block[..6]);
}

/// Another value for a little-endian number.
fn lie(field: &mut [u8], rng: &mut Rng) {
    let mut raw = [0; 8];
    raw[..field.len()].copy_from_slice(field);
    let old = u64::from_le_bytes(raw);
    let new = match rng.below(6) {
        0 => rng.below(4),
        1 => u64::MAX - rng.below(3),
        2 => 1 << rng.below(64),
        3 => old.wrapping_add(1 + rng.below(3)),
        4 => old.wrapping_sub(1 + rng.below(3)),
        _ => rng.next_u64(),
    };
    field.copy_from_slice(&new.to_le_bytes()[..field.len()]);
}
