//! The node cache: frames of lent memory, and what is known of the node in each.
//!
//! - A node is found by the address of its first replica, through a hash table. Its heads lie in the entries
//!   too.
//! - A dirty node's parent is in the cache and dirty, so that writing a node never has to look for the way down.
//! - A node with dirty children is not written before them.
//! - Dirty nodes of a level hang together in a list, so that a commit finds them without a search.

#![expect(
    clippy::indexing_slicing,
    reason = "frames were given out by the cache and are below its capacity; levels are below `DEPTH_MAX`"
)]

use crate::format::node::Node;
use crate::limits::DEPTH_MAX;
use crate::types::{BlockAddress, Generation, MemberNumber};

/// No frame.
pub const NONE: u16 = u16::MAX;

/// What the cache knows of one frame. The caller lends as many as the cache should hold nodes.
#[derive(Clone, Copy, Debug)]
pub struct CacheEntry {
    /// The first replica's address, packed.
    address: u64,
    /// The head of the hash chain of this bucket; it belongs to the bucket, not to the node.
    bucket: u16,
    chain: u16,
    parent: u16,
    previous_dirty: u16,
    next_dirty: u16,
    dirty_children: u16,
    pins: u8,
    level: u8,
    used: bool,
    dirty: bool,
    recent: bool,
}

impl CacheEntry {
    /// A frame to fill an array with.
    pub const NEW: Self = Self {
        address: 0,
        bucket: NONE,
        chain: NONE,
        parent: NONE,
        previous_dirty: NONE,
        next_dirty: NONE,
        dirty_children: 0,
        pins: 0,
        level: 0,
        used: false,
        dirty: false,
        recent: false,
    };
}

fn pack(address: BlockAddress) -> u64 {
    u64::from(address.member.0) << 48 | address.block
}

fn unpack(packed: u64) -> BlockAddress {
    BlockAddress { member: MemberNumber((packed >> 48) as u16), block: packed & crate::limits::U48_MAX }
}

/// What to do to get a free frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Victim {
    /// This one is free now.
    Free(u16),
    /// This one must be written first.
    Spill(u16),
}

/// The cache.
pub struct Cache<'m> {
    entries: &'m mut [CacheEntry],
    frames: &'m mut [u8],
    node_bytes: usize,
    /// The oldest and the youngest dirty node of each level.
    dirty: [(u16, u16); DEPTH_MAX],
    dirty_count: usize,
    unused: u16,
    hand: usize,
}

impl<'m> Cache<'m> {
    /// A cache of as many nodes as both parts hold, 65534 at most.
    pub fn new(entries: &'m mut [CacheEntry], frames: &'m mut [u8], node_bytes: usize) -> Self {
        let count = entries.len().min(frames.len() / node_bytes).min(usize::from(NONE) - 1);
        let entries = &mut entries[..count];
        entries.fill(CacheEntry::NEW);
        Self {
            entries,
            frames,
            node_bytes,
            dirty: [(NONE, NONE); DEPTH_MAX],
            dirty_count: 0,
            unused: 0,
            hand: 0,
        }
    }

    /// Nodes that fit.
    pub fn capacity(&self) -> usize {
        self.entries.len()
    }

    /// Dirty nodes.
    pub const fn dirty_count(&self) -> usize {
        self.dirty_count
    }

    /// The node in a frame.
    pub fn node(&self, frame: u16) -> Node<&[u8]> {
        let at = usize::from(frame) * self.node_bytes;
        Node::new(&self.frames[at..at + self.node_bytes])
    }

    /// The value of record `i` of the node in a frame.
    pub fn value(&self, frame: u16, i: usize) -> &[u8] {
        self.node(frame).into_value(i)
    }

    /// The node in a frame, to be changed.
    pub fn node_mut(&mut self, frame: u16) -> Node<&mut [u8]> {
        Node::new(self.frame_mut(frame))
    }

    /// The bytes of a frame.
    pub fn frame(&self, frame: u16) -> &[u8] {
        let at = usize::from(frame) * self.node_bytes;
        &self.frames[at..at + self.node_bytes]
    }

    /// The bytes of a frame, to be filled.
    pub fn frame_mut(&mut self, frame: u16) -> &mut [u8] {
        let at = usize::from(frame) * self.node_bytes;
        &mut self.frames[at..at + self.node_bytes]
    }

    /// Two nodes, to move records from the one to the other.
    pub fn two_mut(&mut self, a: u16, b: u16) -> (Node<&mut [u8]>, Node<&mut [u8]>) {
        let (first, second) = (usize::from(a.min(b)), usize::from(a.max(b)));
        let (low, high) = self.frames.split_at_mut(second * self.node_bytes);
        let low = &mut low[first * self.node_bytes..(first + 1) * self.node_bytes];
        let high = &mut high[..self.node_bytes];
        if a < b { (Node::new(low), Node::new(high)) } else { (Node::new(high), Node::new(low)) }
    }

    fn entry(&mut self, frame: u16) -> &mut CacheEntry {
        &mut self.entries[usize::from(frame)]
    }

    // --- finding ----------------------------------------------------------------------------------------------

    fn bucket_of(&self, address: u64) -> usize {
        // The upper half, scaled: a division would take longer than the search.
        (((crate::disks::mix(address) >> 32) * self.entries.len() as u64) >> 32) as usize
    }

    /// The frame of the node at this address.
    pub fn find(&mut self, address: BlockAddress) -> Option<u16> {
        let packed = pack(address);
        let mut at = self.entries[self.bucket_of(packed)].bucket;
        while at != NONE {
            let entry = self.entry(at);
            if entry.address == packed {
                entry.recent = true;
                return Some(at);
            }
            at = entry.chain;
        }
        None
    }

    /// The address of the node in a frame.
    pub fn address(&self, frame: u16) -> BlockAddress {
        unpack(self.entries[usize::from(frame)].address)
    }

    fn link(&mut self, frame: u16, address: BlockAddress) {
        let packed = pack(address);
        let bucket = self.bucket_of(packed);
        let head = self.entries[bucket].bucket;
        let entry = self.entry(frame);
        entry.address = packed;
        entry.chain = head;
        self.entries[bucket].bucket = frame;
    }

    fn unlink(&mut self, frame: u16) {
        let bucket = self.bucket_of(self.entries[usize::from(frame)].address);
        let chain = self.entries[usize::from(frame)].chain;
        let mut at = self.entries[bucket].bucket;
        if at == frame {
            self.entries[bucket].bucket = chain;
            return;
        }
        while at != NONE {
            if self.entries[usize::from(at)].chain == frame {
                self.entries[usize::from(at)].chain = chain;
                return;
            }
            at = self.entries[usize::from(at)].chain;
        }
    }

    /// Gives the node in a frame another address.
    pub fn rename(&mut self, frame: u16, address: BlockAddress) {
        self.unlink(frame);
        self.link(frame, address);
    }

    // --- taking and leaving entries
    // -----------------------------------------------------------------------------

    /// A frame for another node: free, or a dirty one that must be written first. `None` when all are pinned.
    #[expect(clippy::cast_possible_truncation, reason = "fewer frames than `NONE`")]
    pub fn victim(&mut self) -> Option<Victim> {
        if usize::from(self.unused) < self.entries.len() {
            self.unused += 1;
            return Some(Victim::Free(self.unused - 1));
        }
        // Spilling early leaves clean nodes for the clock to find; it writes several at a time.
        if 4 * self.dirty_count > 3 * self.entries.len()
            && let Some(frame) = self.spill_candidates().next()
        {
            return Some(Victim::Spill(frame));
        }
        if self.dirty_count < self.entries.len() {
            // Second chance: at most two rounds of the clock.
            for _ in 0..2 * self.entries.len() {
                let at = self.hand;
                self.hand = (at + 1) % self.entries.len();
                let entry = &mut self.entries[at];
                if !entry.used {
                    return Some(Victim::Free(at as u16));
                }
                // What is pinned is dirty: what a change passes through is written anew.
                debug_assert!(entry.dirty || entry.pins == 0);
                if entry.dirty {
                    continue;
                }
                if entry.recent {
                    entry.recent = false;
                    continue;
                }
                self.drop_clean(at as u16);
                return Some(Victim::Free(at as u16));
            }
        }
        self.spill_candidates().next().map(Victim::Spill)
    }

    /// Dirty nodes that may be written: not pinned, without dirty children, the lowest level and the oldest first.
    pub fn spill_candidates(&self) -> impl Iterator<Item = u16> + '_ {
        self.dirty
            .iter()
            .flat_map(|&(oldest, _)| {
                core::iter::successors(Some(oldest).filter(|&frame| frame != NONE), |&frame| {
                    self.next_dirty(frame)
                })
            })
            .filter(|&frame| {
                let entry = &self.entries[usize::from(frame)];
                entry.pins == 0 && entry.dirty_children == 0
            })
    }

    /// Puts a node into a free frame.
    pub fn occupy(&mut self, frame: u16, address: BlockAddress, level: u8) {
        let bucket = self.entry(frame).bucket;
        *self.entry(frame) = CacheEntry { bucket, used: true, level, recent: true, ..CacheEntry::NEW };
        self.link(frame, address);
    }

    /// Forgets a clean node.
    pub fn drop_clean(&mut self, frame: u16) {
        debug_assert!(!self.entries[usize::from(frame)].dirty);
        self.unlink(frame);
        self.entry(frame).used = false;
    }

    /// Forgets a node whether dirty or not: it was freed, or could not be read.
    pub fn discard(&mut self, frame: u16) {
        self.mark_clean(frame);
        self.unlink(frame);
        let entry = self.entry(frame);
        entry.used = false;
        entry.pins = 0;
    }

    /// Keeps a node in its frame until it is unpinned as often.
    pub fn pin(&mut self, frame: u16) {
        self.entry(frame).pins += 1;
    }

    /// See [`pin`](Self::pin).
    pub fn unpin(&mut self, frame: u16) {
        let entry = self.entry(frame);
        entry.pins = entry.pins.saturating_sub(1);
    }

    // --- dirty nodes ------------------------------------------------------------------------------------------

    /// Whether the node in a frame differs from what is on disk.
    pub fn is_dirty(&self, frame: u16) -> bool {
        self.entries[usize::from(frame)].dirty
    }

    /// The level of the node in a frame.
    pub fn level(&self, frame: u16) -> u8 {
        self.entries[usize::from(frame)].level
    }

    /// The parent of a dirty node, [`NONE`] for the root.
    pub fn parent(&self, frame: u16) -> u16 {
        self.entries[usize::from(frame)].parent
    }

    /// Marks a node as dirty below this parent, which is dirty too ([`NONE`] for the root).
    pub fn mark_dirty(&mut self, frame: u16, parent: u16) {
        if !self.is_dirty(frame) {
            let level = usize::from(self.level(frame));
            let (oldest, youngest) = self.dirty[level];
            let entry = self.entry(frame);
            entry.dirty = true;
            entry.previous_dirty = youngest;
            entry.next_dirty = NONE;
            entry.parent = NONE;
            if youngest != NONE {
                self.entry(youngest).next_dirty = frame;
            }
            self.dirty[level] = (if oldest == NONE { frame } else { oldest }, frame);
            self.dirty_count += 1;
        }
        self.set_parent(frame, parent);
    }

    /// Hangs a dirty node below another parent.
    pub fn set_parent(&mut self, frame: u16, parent: u16) {
        let old = core::mem::replace(&mut self.entry(frame).parent, parent);
        if old != NONE {
            self.entry(old).dirty_children -= 1;
        }
        if parent != NONE {
            self.entry(parent).dirty_children += 1;
        }
    }

    /// Marks a node as equal to what is on disk.
    pub fn mark_clean(&mut self, frame: u16) {
        if !self.is_dirty(frame) {
            return;
        }
        self.set_parent(frame, NONE);
        let level = usize::from(self.level(frame));
        let entry = *self.entry(frame);
        match entry.previous_dirty {
            NONE => self.dirty[level].0 = entry.next_dirty,
            previous => self.entry(previous).next_dirty = entry.next_dirty,
        }
        match entry.next_dirty {
            NONE => self.dirty[level].1 = entry.previous_dirty,
            next => self.entry(next).previous_dirty = entry.previous_dirty,
        }
        let entry = self.entry(frame);
        entry.dirty = false;
        entry.previous_dirty = NONE;
        entry.next_dirty = NONE;
        self.dirty_count -= 1;
    }

    /// Gives a dirty node without a parent another level.
    pub fn relevel(&mut self, frame: u16, level: u8) {
        self.mark_clean(frame);
        self.entry(frame).level = level;
        self.mark_dirty(frame, NONE);
    }

    /// The oldest dirty node of this level.
    pub fn first_dirty(&self, level: usize) -> Option<u16> {
        Some(self.dirty[level].0).filter(|&frame| frame != NONE)
    }

    /// The dirty node after this one, on the same level.
    pub fn next_dirty(&self, frame: u16) -> Option<u16> {
        Some(self.entries[usize::from(frame)].next_dirty).filter(|&frame| frame != NONE)
    }

    /// The transaction that makes this generation was dropped: forget everything that it made.
    pub fn abandon(&mut self, generation: Generation) {
        for frame in 0..self.unused {
            self.entry(frame).pins = 0;
            if self.entries[usize::from(frame)].used && self.node(frame).birth() == generation {
                self.mark_clean(frame);
                self.drop_clean(frame);
            }
        }
        debug_assert_eq!(self.dirty_count, 0, "every dirty node was born in the transaction");
    }
}
