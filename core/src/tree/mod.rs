//! One copy-on-write B+tree that holds all metadata.
//!
//! A node is one block, in as many replicas as the pool tolerates losing disks, and one more. Changing a record
//! copies the nodes on the way to it; the old ones stay as the last commit left them.
//!
//! ```text
//! lookup.rs   load a node and prove it, get, scan                 reads
//! walk.rs     all nodes, one after the other                      reads
//! update.rs   dirty the way down, put, remove, split, merge       changes in memory
//! drop.rs     whole nodes taken out                               changes in memory
//! write.rs    spill, write what is dirty                          writes
//! cache.rs    the frames
//! margin.rs   how many disks may fail meanwhile
//! ```
//! At most one path and two siblings are pinned at a time; iterators keep keys, never nodes. Before a caller
//! changes the tree, it asks [`Tree::is_ready`]. The open groups must have blocks for one whole update, and
//! there must be room to note the freed runs.

pub mod cache;
mod drop;
mod lookup;
mod margin;
mod update;
mod walk;
mod write;

pub use drop::Unreadable;
pub use margin::Margin;
pub use walk::{Met, Walk};

use crate::build::MULTI;
use crate::disks::Disks;
use crate::error::Code;
use crate::format::key::Key;
use crate::format::node::NodeExpectation;
use crate::format::pointer::NodePointer;
use crate::limits::{NODE_COPIES_MAX, NODE_REPAIRS_MAX};
use crate::metrics::PoolCounters;
use crate::observed::Observed;
use crate::space::{Area, Class, Space};
use crate::types::{BlockAddress, Generation, Row, Set};
use cache::Cache;
use dynamicfs_hal::DiskArray;

/// The tree, and what it stands on.
pub struct Tree<'m, A> {
    /// The disks.
    pub disks: Disks<'m, A>,
    /// The free space.
    pub space: Space<'m>,
    pub(crate) cache: Cache<'m>,
    /// Gets entries of the cache free where none is clean. A pointer, so that code that never writes does not
    /// have the writer in it.
    pub(crate) make_room: MakeRoom<'m, A>,
    /// The root of the state that is being made.
    pub root: NodePointer,
    /// The root's level.
    pub level: u8,
    /// The generation that is being made: the birth of every node that is changed now.
    pub generation: Generation,
    /// The mark of this pool in its nodes.
    pub mark: u64,
    /// Counters since the mount.
    pub(crate) counters: Observed<PoolCounters>,
    /// Rows that are given nothing: their members are being emptied, or kept empty.
    pub withheld: Set<Row>,
    /// How many disks may fail before something is lost that the transaction wrote.
    pub margin: Margin,
    /// Nodes with a bad replica that reads found, and that were not rewritten yet.
    pub(crate) bad_nodes: heapless::Vec<BadNode, NODE_REPAIRS_MAX>,
}

/// Where a node's replicas are.
type Replicas = heapless::Vec<BlockAddress, NODE_COPIES_MAX>;

/// Gets some entries of a tree's cache free, or says why it cannot.
pub(crate) type MakeRoom<'m, A> = fn(&mut Tree<'m, A>) -> Result<(), Code>;

/// A replica of a node that is not what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadNode {
    /// A key that belongs to the node.
    pub key: Key,
    /// Its level, 0 for a leaf.
    pub level: u8,
    /// Where the bad replica is.
    pub address: BlockAddress,
}

impl<A: DiskArray> Tree<'_, A> {
    /// What the pool has done since it was mounted.
    pub fn counters(&self) -> &PoolCounters {
        &self.counters
    }

    /// Replicas that a node should have: on one disk two all the same.
    pub fn copies_wanted(&self) -> usize {
        usize::from(self.space.superblock.tolerance()) + 1
    }

    /// Where a member's blocks are; `None` while it does not take part.
    pub fn area(&self, row: Row) -> Option<Area> {
        let state = self.disks.state(self.disks.disk_in_row(row)?);
        let identity = state.identity.filter(|identity| !identity.witness)?;
        Some(Area { start: identity.data_start, blocks: state.blocks })
    }

    /// Rows whose members take part and are given data.
    pub fn data_rows(&self) -> Set<Row> {
        self.holding_rows().minus(self.withheld)
    }

    /// Rows whose members take part and may hold data.
    pub fn holding_rows(&self) -> Set<Row> {
        self.disks.sound().iter().filter(|&row| self.area(row).is_some()).collect()
    }

    /// Node blocks that one update may take from one member, at the tree's present depth.
    pub fn update_blocks_max(&self) -> u32 {
        let nodes = self.update_nodes_max();
        if self.data_rows().len() == 1 { 2 * nodes } else { nodes }
    }

    /// Nodes that one update may write, at the tree's present depth.
    pub fn update_nodes_max(&self) -> u32 {
        2 * (u32::from(self.level) + 2) + 1
    }

    /// Runs that one update may free at the tree's present depth. They are the old place of each node on a
    /// path, a joined neighbour, and the new place of a root above a single child.
    pub fn update_frees_max(&self) -> usize {
        self.frees_max(usize::from(self.level) + 1)
    }

    /// Runs that one update may free in a tree of this many levels.
    pub fn frees_max(&self, levels: usize) -> usize {
        frees_for(levels, self.copies_wanted().max(2))
    }

    /// Whether an update can be made now. Every member that takes part has blocks in its open group, and
    /// there is room to note what is freed.
    pub fn is_ready(&self) -> bool {
        self.space.pending_room() >= self.update_frees_max() && self.rows_without_room().is_empty()
    }

    /// Rows whose open group for nodes is missing or nearly used up.
    pub fn rows_without_room(&self) -> Set<Row> {
        let needed = self.update_blocks_max();
        self.data_rows().iter().filter(|&row| self.space.room(row, Class::Node) < needed).collect()
    }

    /// Takes blocks for a node's replicas, on one member twice if there is only one.
    fn take_replicas(&mut self) -> Result<NodePointer, Code> {
        let rows = self.data_rows();
        let wanted = self.copies_wanted();
        let mut replicas = Replicas::new();
        if let (1, Some(row)) = (rows.len(), rows.iter().next()) {
            replicas.extend((0..2).filter_map(|_| self.take_in(row)));
        } else if MULTI {
            self.spread_replicas(rows, wanted, &mut replicas);
        }
        if replicas.is_empty() {
            return Err(Code::NoSpace);
        }
        self.note_replicas(&replicas);
        Ok(NodePointer::new(self.generation, &replicas).with_places(wanted.max(2)))
    }

    /// Takes blocks on the members with the most room, no more in one failure domain than may be lost where
    /// there are others.
    fn spread_replicas(&mut self, rows: Set<Row>, wanted: usize, replicas: &mut Replicas) {
        let mut left = rows;
        while replicas.len() < wanted {
            let domain =
                |row: Row| self.disks.identity_in_row(row).map_or(0, |identity| identity.failure_domain);
            let is_open = |&row: &Row| {
                let held = replicas.iter().filter_map(|replica| self.space.superblock.row_of(replica.member));
                let crowd = held.filter(|&held| domain(held) == domain(row)).count();
                domain(row) == 0 || crowd < usize::from(self.space.superblock.tolerance()).max(1)
            };
            // The one with the most room first; ties go round with the blocks that are taken.
            let best = |row: &Row| (is_open(row), self.space.room(*row, Class::Node));
            let Some(row) = left.iter().max_by_key(best) else { break };
            left = left.without(row);
            replicas.extend(self.take_in(row));
        }
    }

    /// Takes a block for a node on the member in this row, if it has one.
    fn take_in(&mut self, row: Row) -> Option<BlockAddress> {
        let area = self.area(row)?;
        self.space.take_node(row, area)
    }

    /// Notes that something was placed in these rows, and that so many of them must stay.
    pub fn note_places(&mut self, rows: Set<Row>, needed: usize) {
        self.margin.note(rows, needed, self.disks.online());
    }

    fn note_replicas(&mut self, replicas: &[BlockAddress]) {
        if !MULTI {
            return;
        }
        let rows = replicas.iter().filter_map(|replica| self.space.superblock.row_of(replica.member));
        self.note_places(rows.collect(), 1);
    }

    /// Notes a node's blocks as freed.
    fn free_replicas(&mut self, pointer: &NodePointer) -> Result<(), Code> {
        self.free_blocks(pointer.replicas())
    }

    /// Notes single blocks as freed.
    fn free_blocks(&mut self, blocks: &[BlockAddress]) -> Result<(), Code> {
        for &start in blocks {
            if !self.space.free(crate::types::BlockRun { start, blocks: 1 }) {
                return Err(self.needs_memory());
            }
        }
        Ok(())
    }

    /// What proves that bytes are the node this pointer means.
    fn expectation(&self, pointer: &NodePointer, level: u8) -> NodeExpectation {
        NodeExpectation { crc: pointer.crc, birth: pointer.birth, level, pool: self.mark }
    }

    /// The error of a cache that is too small for one change, with nodes that would do. The caller that
    /// begins a change makes sure of that first. It happens where a mount or a commit is the first to change
    /// something.
    pub(crate) fn needs_memory(&mut self) -> Code {
        let nodes = (usize::from(self.level) + 4).max(self.cache.capacity() + 1);
        let bytes = nodes * self.disks.parameters.node_bytes();
        self.disks.about.needs(bytes)
    }
}

/// Runs that one change may free in a tree of this many levels with so many replicas.
pub(crate) const fn frees_for(levels: usize, copies: usize) -> usize {
    3 * levels * copies
}
