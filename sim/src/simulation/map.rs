//! What lies where: the newest tree, read from the disks' durable bytes without the core's own way of reading.
//!
//! The fault atlas asks it which blocks belong together, so that damage in many places stays within what each extent
//! and each node bears.

use super::records::Records;
use crate::SimDisk;
use crate::states;
use crate::world::crc32c;
use dynamicfs_core::format::extent::Extent;
use dynamicfs_core::format::node::{self, Node};
use dynamicfs_core::format::parameters::PoolParameters;
use dynamicfs_core::format::pointer::NodePointer;
use dynamicfs_core::format::superblock::Superblock;
use dynamicfs_core::types::BlockAddress;
use dynamicfs_hal::BlockDevice;

/// Nodes of a tree at most: a simulated pool has fewer.
const NODES_MAX: usize = 1 << 16;

/// Blocks that stand or fall together: an extent's fragments or a node's replicas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    /// Each one's first block, and how many blocks it has.
    pub(super) parts: Vec<(BlockAddress, u32)>,
    /// Parts that may be lost.
    pub(super) spare: usize,
}

/// The newest state of a pool.
pub(super) struct Map {
    pub(super) parameters: PoolParameters,
    pub(super) groups: Vec<Group>,
    /// Every node, as its parent tells.
    pub(super) nodes: Vec<NodePointer>,
    pub(super) records: Records,
}

/// The disks of a pool by member number, as far as they can be read.
struct Disks<'a> {
    members: Vec<Option<&'a SimDisk>>,
    parameters: PoolParameters,
}

impl Disks<'_> {
    fn read(&self, address: BlockAddress, buf: &mut [u8]) -> Option<()> {
        let disk = self.members.get(usize::from(address.member.0)).copied().flatten()?;
        let at = address.block << self.parameters.block_shift;
        (at + buf.len() as u64 <= disk.geometry().bytes()).then(|| disk.pristine(at, buf))
    }

    /// A node's bytes, from the first replica that is right.
    fn node(&self, pointer: &NodePointer) -> Option<Vec<u8>> {
        let mut bytes = vec![0; self.parameters.node_bytes()];
        pointer.replicas().iter().find_map(|&replica| {
            self.read(replica, &mut bytes)?;
            (node::checksum(crc32c, &bytes) == pointer.crc).then(|| bytes.clone())
        })
    }
}

impl Map {
    /// Reads the state that the newest of these disks, one for each member, has durable; `None` if it cannot be read.
    pub(super) fn read(members: Vec<Option<&SimDisk>>) -> Option<Self> {
        let newest = members.iter().flatten().copied().max_by_key(|disk| states::newest_of(disk))?;
        let (parameters, _) = states::label_of(newest)?;
        let slot = states::newest_slot(newest)?;
        let mut image = vec![0; slot.bytes as usize];
        newest.pristine(slot.at, &mut image);
        let superblock = Superblock::new(&image[..])?;
        let disks = Disks { members, parameters };
        let (groups, nodes, records) = (Vec::new(), Vec::new(), Records::default());
        let mut map = Self { parameters, groups, nodes, records };
        map.walk(&disks, superblock.root(), superblock.root_level())?;
        map.records.end();
        map.groups = map.nodes.iter().map(group_of_node).collect();
        let extents = map.records.extents.iter();
        map.groups.extend(extents.map(|stored| group_of_extent(&stored.extent, parameters.block_shift)));
        Some(map)
    }

    /// Walks the tree in the order of its keys, since the pieces of a long record lie one after the other.
    fn walk(&mut self, disks: &Disks<'_>, root: NodePointer, level: u8) -> Option<()> {
        let mut waiting = vec![(root, level)];
        while let Some((pointer, level)) = waiting.pop() {
            self.nodes.push(pointer);
            if self.nodes.len() > NODES_MAX {
                return None;
            }
            let bytes = disks.node(&pointer)?;
            let node = Node::new(&bytes[..]);
            if level == 0 {
                for i in 0..node.count() {
                    self.records.take(&node.key(i), node.value(i), &self.parameters);
                }
            } else {
                waiting.extend((0..node.count()).rev().map(|i| (node.pointer(i), level - 1)));
            }
        }
        Some(())
    }
}

fn group_of_node(pointer: &NodePointer) -> Group {
    let parts: Vec<_> = pointer.replicas().iter().map(|&replica| (replica, 1)).collect();
    Group { spare: parts.len() - 1, parts }
}

fn group_of_extent(extent: &Extent, block_shift: u8) -> Group {
    let blocks = extent.fragment_blocks(block_shift);
    let fragments = extent.fragments().iter().filter(|fragment| fragment.address.is_some());
    let parts: Vec<_> = fragments.map(|fragment| (fragment.address, blocks)).collect();
    Group { spare: parts.len().saturating_sub(extent.scheme.data.into()), parts }
}
