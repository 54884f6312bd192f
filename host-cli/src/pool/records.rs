//! What records take on the disks. A tree node takes a block on each of its disks, however small the node is,
//! and the nodes above the leaves take theirs too.

use dynamicfs_core::planning::{
    ENTRY_HEADER, INODE_BYTES, NodePointer, record_bytes, records_bytes_max, value_bytes_max,
};

/// Rounds of records that are laid out to find what one takes.
const ROUNDS: u64 = 256;

/// The least share of a leaf that is in use where records arrive out of order: a full one is split in two.
const LEAVES_PER_FULL_LEAF: u64 = 2;

/// Bytes of a file's name that are allowed for, with the byte that tells how the entry continues.
const NAME_BYTES: usize = 32;

/// The nodes of a pool's tree.
#[derive(Clone, Copy, Debug)]
pub(super) struct Nodes {
    pub(super) node_bytes: usize,
    pub(super) block_bytes: u64,
    /// Disks whose loss the tree bears.
    pub(super) tolerance: u8,
}

impl Nodes {
    /// Bytes of the longest value.
    pub(super) const fn value_bytes_max(&self) -> usize {
        value_bytes_max(self.node_bytes)
    }

    /// The values that a long one is cut into, by their lengths.
    pub(super) fn pieces(&self, bytes: usize) -> impl Iterator<Item = usize> {
        let most = self.value_bytes_max();
        (0..bytes).step_by(most).map(move |at| most.min(bytes - at))
    }

    /// Replicas of a node; of those on the only disk there are two.
    fn replicas(&self, disks: usize) -> u64 {
        let wanted = u64::from(self.tolerance) + 1;
        if disks == 1 { 2 } else { wanted.min(disks as u64) }
    }

    /// Bytes on all disks of leaves and the nodes above them.
    fn stored(&self, leaves: u64, disks: usize) -> u64 {
        let places = (usize::from(self.tolerance) + 1).max(2);
        let children = records_bytes_max(self.node_bytes) / record_bytes(NodePointer::bytes(places));
        let above = leaves.div_ceil(children.saturating_sub(1).max(1) as u64);
        (leaves + above) * self.block_bytes * self.replicas(disks)
    }

    /// Bytes on all disks of records that arrive in the order of their keys, round after round of values of
    /// these lengths. Each leaf is filled before the next begins.
    pub(super) fn in_order(&self, values: &[usize], disks: usize) -> u64 {
        let (mut leaves, mut left) = (0, 0);
        for _ in 0..ROUNDS {
            for bytes in values.iter().map(|&value| record_bytes(value)) {
                if bytes > left {
                    leaves += 1;
                    left = records_bytes_max(self.node_bytes);
                }
                left = left.saturating_sub(bytes);
            }
        }
        self.stored(leaves, disks).div_ceil(ROUNDS)
    }

    /// Bytes on all disks of a file's name. Names lie in the order of their hashes, so that leaves are split.
    pub(super) fn name(&self, disks: usize) -> u64 {
        let bytes = record_bytes(ENTRY_HEADER + NAME_BYTES) as u64 * ROUNDS * LEAVES_PER_FULL_LEAF;
        let leaves = bytes.div_ceil(records_bytes_max(self.node_bytes) as u64);
        self.stored(leaves, disks).div_ceil(ROUNDS)
    }

    /// The value of a file's attributes.
    pub(super) const fn attributes() -> usize {
        INODE_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(node_bytes: usize, tolerance: u8) -> Nodes {
        Nodes { node_bytes, block_bytes: 4096, tolerance }
    }

    #[test]
    fn small_nodes_take_whole_blocks() {
        // Five records of 89 bytes in 480, and a node of nine children above: two replicas of each.
        let bytes = nodes(512, 1).in_order(&[64], 2);
        assert!((2 * 4096 / 5 * 9 / 8..2 * 4096 / 5 * 9 / 8 + 60).contains(&bytes), "{bytes}");
        // 45 records of 89 bytes in 4064: 256 of them in six leaves below one node.
        assert_eq!(nodes(4096, 1).in_order(&[64], 2), 7 * 2 * 4096 / 256);
    }

    #[test]
    fn the_only_disk_takes_nodes_twice() {
        assert_eq!(nodes(512, 0).in_order(&[64], 1), nodes(512, 1).in_order(&[64], 2));
        // Where there are fewer disks than replicas, each has one.
        let on = |disks| nodes(512, 2).in_order(&[64], disks);
        assert_eq!(on(2) * 3, on(3) * 2);
    }

    #[test]
    fn long_values_are_cut_into_pieces() {
        let most = value_bytes_max(512);
        assert!(nodes(512, 0).pieces(2 * most + 1).eq([most, most, 1]));
        assert!(nodes(512, 0).pieces(most).eq([most]));
    }
}
