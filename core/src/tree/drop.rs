//! Takes whole nodes out of the tree: leaves without a record that stays, and nodes that cannot be read.

use super::Tree;
use super::update::{Path, last_of};
use crate::error::Code;
use crate::format::key::Key;
use dynamicfs_hal::DiskArray;

/// What became of a node that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// There is none before the next record.
    Absent,
    /// It was taken out of the tree, with all that lay below it.
    Dropped,
    /// It may hold other records than those that are to go, so it stays. The next node begins with this key.
    Stays(Option<Key>),
}

impl<A: DiskArray> Tree<'_, A> {
    /// Takes out the leaf that holds `first`, if no record of it stays. Returns the number of its records;
    /// `None`, and nothing changed, if one stays.
    ///
    /// The leaf itself is not written anew, so that what many records take up is given back for the price of the nodes
    /// above them.
    pub(super) fn drop_leaf(&mut self, first: &Key, end: &Key, limit: usize) -> Result<Option<usize>, Code> {
        let (frame, _) = self.leaf_for(first)?;
        let node = self.cache.node(frame);
        let count = node.count();
        let goes = |last: usize| node.key(0) == *first && node.key(last) < *end;
        let stays = self.level == 0 || count > limit || !count.checked_sub(1).is_some_and(goes);
        // One that is written anew already is changed in place.
        if stays || node.birth() == self.generation {
            return Ok(None);
        }
        let path = self.dirty_path(first, 1)?;
        let done = self.drop_leaf_below(&path, first);
        self.unpin(&path);
        done.map(Some)
    }

    fn drop_leaf_below(&mut self, path: &Path, first: &Key) -> Result<usize, Code> {
        let parent = last_of(path);
        let child = self.cache.node(parent).child_for(first);
        let pointer = self.cache.node(parent).pointer(child);
        let leaf = self.load(&pointer, 0)?;
        self.check_bounds(leaf, Some((parent, child)))?;
        let node = self.cache.node(leaf);
        if node.search(first).is_err() {
            // It was met in a leaf that the way down to its key does not lead to: the tree was forged.
            return Err(Code::SystemRecordInvalid);
        }
        let count = node.count();
        self.cache.discard(leaf);
        self.drop_child(path, child).map(|()| count)
    }

    /// Takes a child of the last node of a path out of the tree, and frees its replicas.
    fn drop_child(&mut self, path: &Path, child: usize) -> Result<(), Code> {
        let mut node = self.cache.node_mut(last_of(path));
        let pointer = node.pointer(child);
        node.remove(child);
        self.free_replicas(&pointer)?;
        self.rebalance(path)
    }

    /// Takes out the first unreadable node on the way from `at` to the next record before `end`. All keys
    /// that it can hold must lie from `from` on and before `end`. The tree [`is_ready`](Self::is_ready).
    ///
    /// What lay in it and below it is lost, and the blocks that this referred to are allocated until a recount.
    pub fn drop_unreadable(&mut self, mut at: Key, from: &Key, end: &Key) -> Result<Unreadable, Code> {
        while at < *end {
            let (lower, upper, level) = match self.way_to(&at, end)? {
                Way::Record => return Ok(Unreadable::Absent),
                Way::Empty(next) => match next.filter(|next| *next > at) {
                    Some(next) => {
                        at = next;
                        continue;
                    }
                    None => return Ok(Unreadable::Absent),
                },
                Way::Unreadable { lower, upper, level } => (lower, upper, level),
            };
            if lower < *from || upper.is_none_or(|upper| upper > *end) {
                return Ok(Unreadable::Stays(upper.filter(|next| *next > at)));
            }
            let path = self.dirty_path(&at, level + 1)?;
            let child = self.cache.node(last_of(&path)).child_for(&at);
            let done = self.drop_child(&path, child);
            self.unpin(&path);
            return done.map(|()| Unreadable::Dropped);
        }
        Ok(Unreadable::Absent)
    }

    /// What the way down to a key leads to. A root that cannot be read is an error.
    fn way_to(&mut self, key: &Key, end: &Key) -> Result<Way, Code> {
        let (mut pointer, mut level) = (self.root, self.level);
        let (mut lower, mut upper) = (Key::MIN, None);
        loop {
            let frame = match self.load(&pointer, level) {
                Ok(frame) => frame,
                Err(Code::NodeUnreadable) if level < self.level => {
                    return Ok(Way::Unreadable { lower, upper, level });
                }
                Err(error) => return Err(error),
            };
            let node = self.cache.node(frame);
            if level == 0 {
                let (Ok(at) | Err(at)) = node.search(key);
                let bound = upper.map_or(*end, |upper: Key| upper.min(*end));
                let is_there = at < node.count() && node.key(at) < bound;
                return Ok(if is_there { Way::Record } else { Way::Empty(upper) });
            }
            let child = node.child_for(key);
            // What lies before the first key of a node was removed: it may be put there again.
            if child > 0 {
                lower = lower.max(node.key(child));
            }
            if child + 1 < node.count() {
                // A forged separator may lie beyond those above it.
                let next = node.key(child + 1);
                upper = Some(upper.map_or(next, |upper: Key| upper.min(next)));
            }
            pointer = node.pointer(child);
            level -= 1;
        }
    }
}

/// What the way down to a key leads to.
enum Way {
    /// A leaf that holds this key or a later one.
    Record,
    /// A leaf that holds none; where the next one begins.
    Empty(Option<Key>),
    /// A node that cannot be read, whose keys lie from `lower` on and before `upper`.
    Unreadable { lower: Key, upper: Option<Key>, level: u8 },
}
