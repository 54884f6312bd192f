//! Meeting all nodes, parents before their children, in the order of their keys.

use super::Tree;
use crate::disks::select::PATIENT;
use crate::error::Code;
use crate::format::key::Key;
use crate::format::node;
use crate::format::pointer::NodePointer;
use crate::limits::DEPTH_MAX;
use crate::types::Generation;
use dynamicfs_hal::DiskArray;

/// Where a walk is. It needs no state but the key from which it continues. A walk that begins there meets the
/// nodes above it again, and then continues.
#[derive(Debug)]
pub struct Walk {
    /// The pointer of the node last met on each level.
    met: [Option<NodePointer>; DEPTH_MAX],
    /// Where the leaf last met ended then. It may have taken in the next one since, in the transaction that
    /// wrote it.
    leaf_end: Option<Key>,
    next: Option<Key>,
    /// Nodes that are older are passed over, with all that is below them.
    prune: Generation,
}

/// A node that a walk met.
#[derive(Clone, Copy, Debug)]
pub struct Met {
    /// The pointer to it.
    pub pointer: NodePointer,
    /// Its level, 0 for a leaf.
    pub level: u8,
    /// The key that found it, at or above its lower bound. It is at or below all of its keys that the walk
    /// has yet to meet.
    pub from: Key,
    /// The first key that belongs to a later node; `None` for the last one of its level.
    pub end: Option<Key>,
}

impl Walk {
    /// Before the first node.
    pub const fn new() -> Self {
        Self::from(Key::MIN, Generation(0))
    }

    /// Before the node that a key belongs to, passing over what was born before `prune`.
    // Not part of its caller, whose stack would hold it twice.
    #[inline(never)]
    pub const fn from(key: Key, prune: Generation) -> Self {
        Self { met: [None; DEPTH_MAX], leaf_end: None, next: Some(key), prune }
    }

    /// Goes on from this key; `None` is the end.
    pub const fn go_on(&mut self, from: Option<Key>) {
        self.next = from;
    }

    /// The key from which another walk would meet what this one has yet to meet; `None` at the end.
    pub const fn position(&self) -> Option<Key> {
        self.next
    }
}

impl Default for Walk {
    fn default() -> Self {
        Self::new()
    }
}

impl<A: DiskArray> Tree<'_, A> {
    /// The next node of a walk. A node that cannot be read is an error; the walk then goes on behind it. What is changed
    /// meanwhile is met as it is then, nodes that moved once more.
    #[expect(
        clippy::indexing_slicing,
        reason = "levels are below `DEPTH_MAX`: the superblock's was compared with it, and they only fall"
    )]
    pub fn walk(&mut self, walk: &mut Walk) -> Result<Option<Met>, Code> {
        while let Some(from) = walk.next {
            let (mut pointer, mut level) = (self.root, self.level);
            let mut end = None;
            loop {
                if pointer.birth < walk.prune {
                    break;
                }
                let met = walk.met[usize::from(level)].replace(pointer);
                let is_known_leaf = level == 0 && walk.leaf_end.is_none_or(|end| from < end);
                if met == Some(pointer) && is_known_leaf {
                    break;
                }
                let frame = match self.load(&pointer, level) {
                    Ok(frame) => frame,
                    Err(error) => {
                        walk.next = end.filter(|next| *next > from);
                        return Err(error);
                    }
                };
                if level == 0 {
                    walk.leaf_end = end;
                }
                if met != Some(pointer) || level == 0 {
                    return Ok(Some(Met { pointer, level, from, end }));
                }
                let node = self.cache.node(frame);
                let child = node.child_for(&from);
                if child + 1 < node.count() {
                    // A forged separator may lie beyond those above it.
                    let next = node.key(child + 1);
                    end = Some(end.map_or(next, |end: Key| end.min(next)));
                }
                pointer = node.pointer(child);
                level -= 1;
            }
            walk.next = end.filter(|next| *next > from);
        }
        Ok(None)
    }

    /// Whether one replica of a node, by its place in the pointer, can be read and is right.
    pub fn is_replica_right(
        &mut self,
        pointer: &NodePointer,
        level: u8,
        replica: usize,
    ) -> Result<bool, Code> {
        let frame = self.take_frame()?;
        let expected = self.expectation(pointer, level);
        let Some(&address) = pointer.replicas().get(replica) else { return Ok(false) };
        // The frame was not occupied: what is read into it is forgotten at once.
        Ok(self.read_node(frame, address, core::iter::empty(), PATIENT).is_ok()
            && node::verify(self.disks.crc32c, self.cache.frame(frame), &expected).is_ok())
    }
}
