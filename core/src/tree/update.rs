//! Changing the tree: one routine dirties the way down, one puts, one removes.

use super::Tree;
use super::cache::NONE;
use crate::error::Code;
use crate::format::key::Key;
use crate::format::node::RECORD_OVERHEAD;
use crate::format::pointer::{NodePointer, POINTER_BYTES_MAX};
use crate::limits::DEPTH_MAX;
use core::ops::ControlFlow;
use dynamicfs_hal::DiskArray;

/// The entries from the root to a leaf, or to a node above one, dirty and pinned; `path[0]` is the root.
pub(super) type Path = heapless::Vec<u16, DEPTH_MAX>;

/// The last node of a path.
#[expect(clippy::indexing_slicing, reason = "a path that was dirtied holds the root at least")]
pub(super) fn last_of(path: &Path) -> u16 {
    path[path.len() - 1]
}

impl<A: DiskArray> Tree<'_, A> {
    /// Sets a record. The value is at most [`value_bytes_max`](crate::format::node::value_bytes_max) long, and the
    /// tree [`is_ready`](Self::is_ready).
    pub fn put(&mut self, key: &Key, value: &[u8]) -> Result<(), Code> {
        let path = self.dirty_path(key, 0)?;
        let done = self.put_in(&path, key, value);
        self.unpin(&path);
        done
    }

    fn put_in(&mut self, path: &Path, key: &Key, value: &[u8]) -> Result<(), Code> {
        let leaf = last_of(path);
        let mut node = self.cache.node_mut(leaf);
        match node.search(key) {
            Ok(i) if node.value(i).len() == value.len() => {
                node.value_mut(i).copy_from_slice(value);
                return Ok(());
            }
            Ok(i) => node.remove(i),
            Err(_) => {}
        }
        self.insert(path, key, value)
    }

    /// Takes a record out, if it is there. The tree [`is_ready`](Self::is_ready).
    pub fn remove(&mut self, key: &Key) -> Result<(), Code> {
        self.remove_some(key, &key.successor(), 1).map(drop)
    }

    /// Takes records from `from` on and before `end` out of the first leaf that has some, `limit` at most;
    /// how many. 0 means that there are none. The tree [`is_ready`](Self::is_ready).
    pub fn remove_some(&mut self, from: &Key, end: &Key, limit: usize) -> Result<usize, Code> {
        let first = self.scan(from, end, |key, _| ControlFlow::Break(*key))?;
        let Some(first) = first.filter(|_| limit > 0) else { return Ok(0) };
        if let Some(dropped) = self.drop_leaf(&first, end, limit)? {
            return Ok(dropped);
        }
        let path = self.dirty_path(&first, 0)?;
        let leaf = last_of(&path);
        let mut node = self.cache.node_mut(leaf);
        let Ok(at) = node.search(&first) else {
            // It was met in a leaf that the way down to its key does not lead to: the tree was forged.
            self.unpin(&path);
            return Err(Code::SystemRecordInvalid);
        };
        let mut removed = 0;
        while removed < limit && at < node.count() && node.key(at) < *end {
            node.remove(at);
            removed += 1;
        }
        let done = self.rebalance(&path);
        self.unpin(&path);
        done.map(|()| removed)
    }

    /// Makes the way to a key dirty without changing a record, so that what this frees is freed now.
    pub fn touch(&mut self, key: &Key) -> Result<(), Code> {
        let path = self.dirty_path(key, 0)?;
        self.unpin(&path);
        Ok(())
    }

    pub(super) fn unpin(&mut self, path: &Path) {
        for &frame in path {
            self.cache.unpin(frame);
        }
    }

    /// Makes the tree one empty leaf: for a pool that has none yet.
    pub fn create_root(&mut self) -> Result<(), Code> {
        let frame = self.take_frame()?;
        let root = self.take_replicas()?;
        self.cache.occupy(frame, root.first(), 0);
        let (generation, mark) = (self.generation, self.mark);
        self.cache.node_mut(frame).init(0, generation, mark);
        self.cache.mark_dirty(frame, NONE);
        self.root = root;
        self.level = 0;
        Ok(())
    }

    // --- the way down -----------------------------------------------------------------------------------------

    /// Dirties the nodes from the root down to the one of level `last` for a key, and pins them.
    pub(super) fn dirty_path(&mut self, key: &Key, last: u8) -> Result<Path, Code> {
        let mut path = Path::new();
        let done = self.dirty_path_into(key, last, &mut path);
        if done.is_err() {
            self.unpin(&path);
        }
        done.map(|()| path)
    }

    fn dirty_path_into(&mut self, key: &Key, last: u8, path: &mut Path) -> Result<(), Code> {
        let (mut pointer, mut level) = (self.root, self.level);
        let mut place = None;
        loop {
            let frame = self.load(&pointer, level)?;
            self.cache.pin(frame);
            let _ = path.push(frame);
            self.check_bounds(frame, place)?;
            self.make_dirty(frame, &pointer, place)?;
            if level > 0 {
                self.lower_first_key(frame, place);
            }
            if level <= last {
                return Ok(());
            }
            let node = self.cache.node(frame);
            let child = node.child_for(key);
            pointer = node.pointer(child);
            place = Some((frame, child));
            level -= 1;
        }
    }

    /// Refuses to change below a child that is empty or holds keys outside its parent's bounds: the tree was forged.
    pub(super) fn check_bounds(&self, frame: u16, place: Option<(u16, usize)>) -> Result<(), Code> {
        let Some((parent, child)) = place else { return Ok(()) };
        let Some(last) = self.cache.node(frame).count().checked_sub(1) else {
            return Err(Code::SystemRecordInvalid);
        };
        let (node, parent) = (self.cache.node(frame), self.cache.node(parent));
        let below = child + 1 == parent.count() || node.key(last) < parent.key(child + 1);
        if below && node.key(0) >= parent.key(child) {
            return Ok(());
        }
        Err(Code::SystemRecordInvalid)
    }

    /// Makes the first key of an inner node that is being changed its lower bound.
    ///
    /// It lies above it when what stood before it was removed. What is put below it now could else be split off with a
    /// separator that sorts before the node it comes from.
    fn lower_first_key(&mut self, frame: u16, place: Option<(u16, usize)>) {
        let bound = place.map_or(Key::MIN, |(parent, child)| self.cache.node(parent).key(child));
        let mut node = self.cache.node_mut(frame);
        if node.count() > 0 && node.key(0) != bound {
            node.set_key(0, &bound);
        }
    }

    /// Makes a node one of this generation: it moves to new blocks, and its parent, which is dirty, learns where.
    fn make_dirty(
        &mut self,
        frame: u16,
        pointer: &NodePointer,
        place: Option<(u16, usize)>,
    ) -> Result<(), Code> {
        let parent = place.map_or(NONE, |(parent, _)| parent);
        if pointer.birth != self.generation {
            let moved = self.take_replicas()?;
            self.free_replicas(pointer)?;
            self.cache.rename(frame, moved.first());
            self.cache.node_mut(frame).set_birth(self.generation);
            match place {
                None => self.root = moved,
                Some((parent, child)) => self.set_pointer(parent, child, &moved)?,
            }
        }
        self.cache.mark_dirty(frame, parent);
        Ok(())
    }

    /// Sets the pointer to a child. It has as many places as the old one, unless that was forged. A full
    /// parent then takes as many replicas as it has room for.
    #[expect(clippy::indexing_slicing, reason = "as many bytes as were stored in it")]
    fn set_pointer(&mut self, parent: u16, child: usize, pointer: &NodePointer) -> Result<(), Code> {
        let mut bytes = [0; POINTER_BYTES_MAX];
        let mut length = pointer.store(&mut bytes);
        let node = self.cache.node(parent);
        let room = node.free_bytes() + node.value(child).len();
        if room < length {
            let fit = room.saturating_sub(NodePointer::bytes(0)) / 8;
            let (kept, dropped) = pointer.replicas().split_at(fit.clamp(1, pointer.replicas().len()));
            length = NodePointer::new(pointer.birth, kept).store(&mut bytes);
            self.note_replicas(kept);
            self.free_blocks(dropped)?;
        }
        let mut node = self.cache.node_mut(parent);
        node.replace(child, &bytes[..length]);
        Ok(())
    }

    // --- splitting --------------------------------------------------------------------------------------------

    /// Puts a record that is not there into the leaf at the end of a path, splitting full nodes from there up.
    #[expect(clippy::indexing_slicing, reason = "as many bytes as were stored in it")]
    fn insert(&mut self, path: &Path, key: &Key, value: &[u8]) -> Result<(), Code> {
        let mut bytes = [0; POINTER_BYTES_MAX];
        let (mut key, mut length) = (*key, value.len());
        // The child that the record being inserted points to, above the leaves.
        let mut child = None;
        for (depth, &frame) in path.iter().enumerate().rev() {
            let value = if child.is_none() { value } else { &bytes[..length] };
            if self.cache.node(frame).fits(value.len()) {
                self.insert_into(frame, &key, value, child);
                self.release(child);
                return Ok(());
            }
            let (right, separator, pointer) = self.split(frame, &key, value, child)?;
            self.release(child);
            if depth == 0 {
                let grown = self.grow_root(frame, right, &separator, &pointer);
                self.cache.unpin(right);
                return grown;
            }
            key = separator;
            length = pointer.store(&mut bytes);
            child = Some(right);
        }
        Ok(())
    }

    fn release(&mut self, child: Option<u16>) {
        if let Some(child) = child {
            self.cache.unpin(child);
        }
    }

    fn insert_into(&mut self, frame: u16, key: &Key, value: &[u8], child: Option<u16>) {
        let mut node = self.cache.node_mut(frame);
        let (Ok(at) | Err(at)) = node.search(key);
        node.insert(at, key, value);
        if let Some(child) = child {
            self.cache.mark_dirty(child, frame);
        }
    }

    /// Moves the upper part of a full node into a new one and puts the record into the right one of the two. The
    /// new node is dirty and pinned, and has no parent yet: its frame, lower bound and pointer.
    fn split(
        &mut self,
        frame: u16,
        key: &Key,
        value: &[u8],
        child: Option<u16>,
    ) -> Result<(u16, Key, NodePointer), Code> {
        let level = self.cache.level(frame);
        let right = self.take_frame()?;
        let pointer = self.take_replicas()?;
        self.cache.occupy(right, pointer.first(), level);
        self.cache.pin(right);
        let (generation, mark) = (self.generation, self.mark);
        self.cache.node_mut(right).init(level, generation, mark);
        self.cache.mark_dirty(right, NONE);
        let node = self.cache.node(frame);
        let (Ok(at) | Err(at)) = node.search(key);
        // Records that arrive in order fill their nodes: nothing moves, the new one begins the next node.
        let middle = if at == node.count() { at } else { node.middle() };
        let separator = if middle == node.count() { *key } else { node.key(middle) };
        let (mut left, mut tail) = self.cache.two_mut(frame, right);
        left.move_tail(middle, &mut tail);
        self.adopt(right);
        let target = if *key < separator { frame } else { right };
        self.insert_into(target, key, value, child);
        Ok((right, separator, pointer))
    }

    /// The dirty node that a pointer means. A forged pointer may name the place that another one was given
    /// since: what is dirty was born in this generation, and no pointer of a disk was.
    fn dirty_child(&mut self, pointer: &NodePointer) -> Option<u16> {
        let child = self.cache.find(pointer.first()).filter(|_| pointer.birth == self.generation)?;
        self.cache.is_dirty(child).then_some(child)
    }

    /// Makes a node the parent of those of its children that are dirty.
    fn adopt(&mut self, parent: u16) {
        if self.cache.level(parent) == 0 {
            return;
        }
        for i in 0..self.cache.node(parent).count() {
            let pointer = self.cache.node(parent).pointer(i);
            if let Some(child) = self.dirty_child(&pointer) {
                self.cache.set_parent(child, parent);
            }
        }
    }

    /// Puts a new root above the old one and its new sibling.
    #[expect(clippy::indexing_slicing, reason = "as many bytes as were stored in it")]
    fn grow_root(
        &mut self,
        left: u16,
        right: u16,
        separator: &Key,
        pointer: &NodePointer,
    ) -> Result<(), Code> {
        let level = self.level + 1;
        if usize::from(level) >= DEPTH_MAX {
            return Err(Code::TreeFull);
        }
        let frame = self.take_frame()?;
        let root = self.take_replicas()?;
        self.cache.occupy(frame, root.first(), level);
        let (generation, mark) = (self.generation, self.mark);
        let mut node = self.cache.node_mut(frame);
        node.init(level, generation, mark);
        let mut bytes = [0; POINTER_BYTES_MAX];
        let length = self.root.store(&mut bytes);
        node.insert(0, &Key::MIN, &bytes[..length]);
        let length = pointer.store(&mut bytes);
        node.insert(1, separator, &bytes[..length]);
        self.cache.mark_dirty(frame, NONE);
        self.cache.mark_dirty(left, frame);
        self.cache.mark_dirty(right, frame);
        self.root = root;
        self.level = level;
        Ok(())
    }

    // --- merging ----------------------------------------------------------------------------------------------

    /// Takes empty nodes out and joins sparse ones with a neighbour, from the leaf up, and drops roots that have one
    /// child.
    #[expect(clippy::indexing_slicing, reason = "`depth` is from 1 on and below the path's length")]
    pub(super) fn rebalance(&mut self, path: &Path) -> Result<(), Code> {
        for depth in (1..path.len()).rev() {
            let (frame, parent) = (path[depth], path[depth - 1]);
            let node = self.cache.node(frame);
            let sparse = node.used_bytes() < self.disks.parameters.node_bytes() / 4;
            if node.count() == 0 {
                self.remove_child(frame, parent)?;
            } else if sparse {
                self.merge(frame, parent)?;
            } else {
                break;
            }
        }
        self.shrink_root()
    }

    /// The place of a dirty child in its parent.
    #[expect(
        clippy::expect_used,
        reason = "the child is on a path that was dirtied: its parent was told its place"
    )]
    fn place_of(&self, frame: u16, parent: u16) -> usize {
        let address = self.cache.address(frame);
        let node = self.cache.node(parent);
        (0..node.count()).find(|&i| node.pointer(i).first() == address).expect("a child is in its parent")
    }

    /// Takes an empty child out of the tree; the parent may be empty then, and is next on the way up.
    fn remove_child(&mut self, frame: u16, parent: u16) -> Result<(), Code> {
        let place = self.place_of(frame, parent);
        let mut node = self.cache.node_mut(parent);
        let pointer = node.pointer(place);
        node.remove(place);
        self.free_replicas(&pointer)?;
        self.cache.discard(frame);
        Ok(())
    }

    /// Joins a sparse node with the neighbour after or before it, if both fit into one.
    fn merge(&mut self, frame: u16, parent: u16) -> Result<(), Code> {
        let place = self.place_of(frame, parent);
        let count = self.cache.node(parent).count();
        let neighbours = [(place + 1 < count).then_some(place + 1), place.checked_sub(1)];
        for neighbour in neighbours.into_iter().flatten() {
            let pointer = self.cache.node(parent).pointer(neighbour);
            let level = self.cache.level(frame);
            let other = match self.load(&pointer, level) {
                Ok(other) => other,
                // What is lost stays where it is: it is no reason to keep what is beside it.
                Err(Code::NodeUnreadable) => continue,
                Err(error) => return Err(error),
            };
            // One that holds keys of others is forged, and stays too.
            if self.check_bounds(other, Some((parent, neighbour))).is_err() {
                continue;
            }
            let together = self.cache.node(frame).used_bytes() + self.cache.node(other).used_bytes();
            if together + RECORD_OVERHEAD + POINTER_BYTES_MAX > self.disks.parameters.node_bytes() * 3 / 4 {
                continue;
            }
            return self.join(frame, other, parent, place, neighbour, &pointer);
        }
        Ok(())
    }

    /// Moves all records of a neighbour into a dirty node and frees the neighbour.
    #[expect(clippy::indexing_slicing, reason = "as many bytes as were stored in it")]
    fn join(
        &mut self,
        frame: u16,
        other: u16,
        parent: u16,
        place: usize,
        neighbour: usize,
        pointer: &NodePointer,
    ) -> Result<(), Code> {
        let (mut to, from) = self.cache.two_mut(frame, other);
        for i in 0..from.count() {
            let at = if neighbour > place { to.count() } else { i };
            to.insert(at, &from.key(i), from.value(i));
        }
        self.adopt(frame);
        let mut node = self.cache.node_mut(parent);
        let mut bytes = [0; POINTER_BYTES_MAX];
        let length = node.pointer(place).store(&mut bytes);
        let (keep, drop) = (place.min(neighbour), place.max(neighbour));
        node.remove(drop);
        node.replace(keep, &bytes[..length]);
        self.free_replicas(pointer)?;
        self.cache.discard(other);
        Ok(())
    }

    /// Drops roots with one child, and makes an inner root without children an empty leaf.
    fn shrink_root(&mut self) -> Result<(), Code> {
        while self.level > 0 {
            let (root, level) = (self.root, self.level);
            let frame = self.load(&root, level)?;
            let node = self.cache.node(frame);
            if node.count() > 1 {
                break;
            }
            if node.count() == 0 {
                let (generation, mark) = (self.generation, self.mark);
                self.cache.relevel(frame, 0);
                self.cache.node_mut(frame).init(0, generation, mark);
                self.level = 0;
                break;
            }
            let child = node.pointer(0);
            if let Some(child) = self.dirty_child(&child) {
                self.cache.set_parent(child, NONE);
            }
            self.free_replicas(&root)?;
            self.cache.discard(frame);
            self.root = child;
            self.level -= 1;
        }
        Ok(())
    }
}
