//! Writing dirty nodes: some when the cache is full, all at a commit.

use super::Tree;
use super::cache::NONE;
use crate::error::Code;
use crate::format::pointer::{NodePointer, POINTER_BYTES_MAX};
use dynamicfs_hal::{Batch, DiskArray, Request};

/// Nodes that are sealed together and written in as few batches as they fit.
const WRITE_NODES_MAX: usize = 64;

impl<A: DiskArray> Tree<'_, A> {
    /// Writes some dirty nodes so that their entries can be used again.
    pub(crate) fn spill(&mut self) -> Result<(), Code> {
        let mut nodes = heapless::Vec::<u16, WRITE_NODES_MAX>::new();
        let some = (self.cache.capacity() / 8).clamp(1, WRITE_NODES_MAX);
        nodes.extend(self.cache.spill_candidates().take(some));
        if nodes.is_empty() {
            return Err(self.needs_memory());
        }
        self.write_nodes(&nodes)
    }

    /// Writes every dirty node, the lower levels first, and leaves the root's pointer complete.
    pub fn write_dirty(&mut self) -> Result<(), Code> {
        for level in 0..=usize::from(self.level) {
            while self.cache.first_dirty(level).is_some() {
                let mut nodes = heapless::Vec::<u16, WRITE_NODES_MAX>::new();
                let first = self.cache.first_dirty(level);
                nodes.extend(
                    core::iter::successors(first, |&frame| self.cache.next_dirty(frame))
                        .take(WRITE_NODES_MAX),
                );
                self.write_nodes(&nodes)?;
            }
        }
        debug_assert_eq!(self.cache.dirty_count(), 0);
        Ok(())
    }

    /// Seals nodes whose children are all written, tells their parents, and writes them.
    ///
    /// A disk that fails is out of use afterwards; whether the transaction can bear that is the commit's
    /// question. Where one only lacks room the transaction can only be dropped: what it would read again of
    /// the nodes is not there.
    fn write_nodes(&mut self, nodes: &[u16]) -> Result<(), Code> {
        for &frame in nodes {
            let crc = self.cache.node_mut(frame).seal(self.disks.crc32c);
            self.tell_parent(frame, crc);
        }
        self.write_replicas(nodes);
        self.disks.refusal()?;
        for &frame in nodes {
            self.cache.mark_clean(frame);
        }
        self.counters.note(|counters| counters.nodes_written += nodes.len() as u64);
        Ok(())
    }

    /// The pointer to a dirty node, from its parent.
    fn pointer_to(&self, frame: u16) -> NodePointer {
        match self.cache.parent(frame) {
            NONE => self.root,
            parent => {
                let parent = self.cache.node(parent);
                parent.pointer(parent.child_for(&self.cache.node(frame).key(0)))
            }
        }
    }

    /// Puts a node's checksum into the pointer to it.
    #[expect(clippy::indexing_slicing, reason = "as many bytes as were stored in it")]
    fn tell_parent(&mut self, frame: u16, crc: u32) {
        let mut pointer = self.pointer_to(frame);
        debug_assert_eq!(pointer.first(), self.cache.address(frame), "a node's parent points to it");
        pointer.crc = crc;
        let parent = self.cache.parent(frame);
        if parent == NONE {
            self.root = pointer;
            return;
        }
        let first = self.cache.node(frame).key(0);
        let mut parent = self.cache.node_mut(parent);
        let mut bytes = [0; POINTER_BYTES_MAX];
        let length = pointer.store(&mut bytes);
        let child = parent.child_for(&first);
        parent.replace(child, &bytes[..length]);
    }

    /// Writes all replicas of sealed nodes, as many at a time as a batch holds.
    #[expect(clippy::indexing_slicing, reason = "`node` is below the number of nodes")]
    fn write_replicas(&mut self, nodes: &[u16]) {
        let (mut node, mut replica) = (0, 0);
        while node < nodes.len() {
            let mut batch = A::Batch::default();
            let mut room = A::Batch::capacity();
            while room > 0 && node < nodes.len() {
                let pointer = self.pointer_to(nodes[node]);
                let Some(&address) = pointer.replicas().get(replica) else {
                    (node, replica) = (node + 1, 0);
                    continue;
                };
                if let Some((disk, lba)) = self.disks.locate(address, 0) {
                    let pushed = batch.push(Request::write(disk.0, lba, self.cache.frame(nodes[node])));
                    debug_assert!(pushed.is_ok());
                    room -= 1;
                }
                replica += 1;
            }
            self.disks.execute(&mut batch);
        }
    }
}
