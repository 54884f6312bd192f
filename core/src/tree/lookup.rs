//! Reading the tree.

use super::cache::Victim;
use super::{BadNode, Tree};
use crate::build::{FAST_READ, OBSERVE, REPAIR};
use crate::disks::select::PATIENT;
use crate::error::Code;
use crate::format::key::Key;
use crate::format::node::{self, NodeExpectation};
use crate::format::pointer::NodePointer;
use crate::types::{BlockAddress, FragmentIndex, Set};
use core::ops::ControlFlow;
use dynamicfs_hal::{DiskArray, IoError, Request};

impl<A: DiskArray> Tree<'_, A> {
    /// The node that a pointer means, in the cache: read and proved if it was not there.
    pub(super) fn load(&mut self, pointer: &NodePointer, level: u8) -> Result<u16, Code> {
        if let Some(frame) = self.cache.find(pointer.first()) {
            // The address alone is no proof: a forged pointer may name a node of another level.
            let node = self.cache.node(frame);
            if node.level() == level && node.birth() == pointer.birth {
                return Ok(frame);
            }
            if self.cache.is_dirty(frame) {
                return Err(self.disks.about.node(pointer.first()));
            }
            // Or what is here is out of date: what led to it was lost, and its place was written anew.
            self.cache.drop_clean(frame);
        }
        let frame = self.take_frame()?;
        self.read_replica(frame, pointer, level)?;
        self.cache.occupy(frame, pointer.first(), level);
        self.counters.note(|counters| counters.nodes_read += 1);
        Ok(frame)
    }

    /// A free frame of the cache, after writing dirty nodes if there is none.
    pub(super) fn take_frame(&mut self) -> Result<u16, Code> {
        loop {
            match self.cache.victim() {
                Some(Victim::Free(frame)) => return Ok(frame),
                Some(Victim::Spill(_)) => (self.make_room)(self)?,
                None => return Err(self.needs_memory()),
            }
        }
    }

    /// Reads a node into a frame from the first of its replicas that is what the parent says. A replica that
    /// is not, though its member is there, is remembered. Replicas on disks that take too long are read
    /// again, with more patience, when no other is left.
    // Not part of its caller: what it takes of the stack is not to lie under what is written to get a frame
    // free.
    #[inline(never)]
    #[expect(clippy::indexing_slicing, reason = "`i` is an index of these replicas")]
    fn read_replica(&mut self, frame: u16, pointer: &NodePointer, level: u8) -> Result<(), Code> {
        let replicas = pointer.replicas();
        let expected = self.expectation(pointer, level);
        if !OBSERVE && !FAST_READ {
            return self.read_in_turn(frame, pointer, &expected);
        }
        let preferred = self.disks.prefer(replicas.iter().copied()).unwrap_or(0);
        let preferred = FragmentIndex(preferred);
        let last = self.disks.avoided(replicas.iter().copied(), 1, false).without(preferred);
        let others = Set::first(replicas.len()).without(preferred).minus(last);
        let order = || core::iter::once(preferred).chain(others.iter()).chain(last.iter());
        // Those that may be what the parent says.
        let mut left = Set::first(replicas.len());
        let mut bad = None;
        for attempt in 0..=if A::GIVES_UP { PATIENT } else { 0 } {
            for i in order() {
                if !left.contains(i) {
                    continue;
                }
                let others = left.without(i).iter().map(|i| replicas[i.0]);
                match self.try_replica(frame, replicas[i.0], &expected, others, attempt) {
                    Some(true) => {
                        if let Some(address) = bad {
                            self.note_bad_node(frame, level, address);
                        }
                        return Ok(());
                    }
                    Some(false) => {
                        left = left.without(i);
                        // A disk that is away owes more than this.
                        if self.disks.disk_of(replicas[i.0].member).is_some() {
                            bad = Some(replicas[i.0]);
                        }
                    }
                    None => {}
                }
            }
        }
        Err(self.disks.about.node(pointer.first()))
    }

    /// The same where nothing is known that would prefer a disk.
    fn read_in_turn(
        &mut self,
        frame: u16,
        pointer: &NodePointer,
        expected: &NodeExpectation,
    ) -> Result<(), Code> {
        let mut bad = None;
        for &address in pointer.replicas() {
            if self.try_replica(frame, address, expected, core::iter::empty(), 0) == Some(true) {
                if let Some(address) = bad {
                    self.note_bad_node(frame, expected.level, address);
                }
                return Ok(());
            }
            if self.disks.disk_of(address.member).is_some() {
                bad = Some(address);
            }
        }
        Err(self.disks.about.node(pointer.first()))
    }

    /// Reads one replica of a node into a frame. Returns whether it is what the parent says, or `None` if its
    /// disk takes too long where others can answer.
    fn try_replica(
        &mut self,
        frame: u16,
        address: BlockAddress,
        expected: &NodeExpectation,
        others: impl Iterator<Item = BlockAddress>,
        attempt: u32,
    ) -> Option<bool> {
        match self.read_node(frame, address, others, attempt) {
            Ok(()) => {
                let is_right = node::verify(self.disks.crc32c, self.cache.frame(frame), expected).is_ok();
                if !is_right && let Some(disk) = self.disks.disk_of(address.member) {
                    self.disks.note_checksum_error(disk, address.block);
                }
                Some(is_right)
            }
            Err(IoError::Late) if A::GIVES_UP => {
                self.counters.note(|counters| counters.hedged_reads += 1);
                None
            }
            Err(_) => Some(false),
        }
    }

    /// Remembers that a replica of the node in this frame is to be rewritten, if there is room.
    #[inline(never)] // Once, and not in each of its callers.
    fn note_bad_node(&mut self, frame: u16, level: u8, address: BlockAddress) {
        if !REPAIR {
            return;
        }
        let node = self.cache.node(frame);
        let key = if node.count() > 0 { node.key(0) } else { Key::MIN };
        let bad = BadNode { key, level, address };
        if !self.bad_nodes.contains(&bad) {
            let _ = self.bad_nodes.push(bad);
        }
    }

    /// Whether a bad replica is still one of the node that was found: it may have been rewritten since.
    // Not part of its caller: what it takes of the stack is not to lie under the change that follows.
    #[inline(never)]
    pub fn is_referenced(&mut self, bad: &BadNode) -> Result<bool, Code> {
        let (mut pointer, mut level) = (self.root, self.level);
        while level > bad.level {
            let frame = self.load(&pointer, level)?;
            let node = self.cache.node(frame);
            pointer = node.pointer(node.child_for(&bad.key));
            level -= 1;
        }
        Ok(level == bad.level && pointer.replicas().contains(&bad.address))
    }

    /// Reads a block into a frame: [`Late`](IoError::Late) if its disk takes too long, at this attempt, where others can answer.
    pub(super) fn read_node(
        &mut self,
        frame: u16,
        address: BlockAddress,
        others: impl Iterator<Item = BlockAddress>,
        attempt: u32,
    ) -> Result<(), IoError> {
        if !self.disks.is_data(address, 1) {
            return Err(IoError::OutOfBounds);
        }
        let (disk, lba) = self.disks.locate(address, 0).ok_or(IoError::Gone)?;
        let bytes = self.cache.frame_mut(frame);
        let patience = self.disks.patience(disk, others, (1, 1), bytes.len(), attempt);
        self.disks.execute_one(Request::read(disk.0, lba, bytes).with_patience(patience))
    }

    /// The leaf that may hold a key, and the first key that a later leaf may hold.
    pub(super) fn leaf_for(&mut self, key: &Key) -> Result<(u16, Option<Key>), Code> {
        let (mut pointer, mut level) = (self.root, self.level);
        let mut upper = None;
        loop {
            let frame = self.load(&pointer, level)?;
            if level == 0 {
                return Ok((frame, upper));
            }
            let node = self.cache.node(frame);
            let child = node.child_for(key);
            if child + 1 < node.count() {
                // A forged separator may lie beyond those above it.
                let next = node.key(child + 1);
                upper = Some(upper.map_or(next, |upper: Key| upper.min(next)));
            }
            pointer = node.pointer(child);
            level -= 1;
        }
    }

    /// The first key that a later leaf than the one for this key may hold; `None` for the last leaf.
    pub fn leaf_end(&mut self, key: &Key) -> Result<Option<Key>, Code> {
        Ok(self.leaf_for(key)?.1)
    }

    /// Calls `f` with the value of a record, or `None`.
    pub fn with<R>(&mut self, key: &Key, f: impl FnOnce(Option<&[u8]>) -> R) -> Result<R, Code> {
        self.record(key).map(f)
    }

    /// The value of a record, or `None`.
    #[cfg_attr(not(feature = "fast-read"), inline(never))] // Once, and not in each of its callers.
    pub fn record(&mut self, key: &Key) -> Result<Option<&[u8]>, Code> {
        let (frame, _) = self.leaf_for(key)?;
        let found = self.cache.node(frame).search(key).ok();
        Ok(found.map(|i| self.cache.value(frame, i)))
    }

    /// Copies the value of a record into `out`, as far as it goes; its length, or `None` if there is no record.
    #[expect(clippy::indexing_slicing, reason = "cut to the shorter of both")]
    pub fn get(&mut self, key: &Key, out: &mut [u8]) -> Result<Option<usize>, Code> {
        self.with(key, |value| {
            value.map(|value| {
                let bytes = value.len().min(out.len());
                out[..bytes].copy_from_slice(&value[..bytes]);
                value.len()
            })
        })
    }

    /// Calls `f` with each record from `from` on and before `end`, in order, until it breaks.
    ///
    /// `f` cannot use the tree. What is changed between two scans is seen by the second.
    pub fn scan<B>(
        &mut self,
        from: &Key,
        end: &Key,
        mut f: impl FnMut(&Key, &[u8]) -> ControlFlow<B>,
    ) -> Result<Option<B>, Code> {
        let mut broke = None;
        self.scan_while(from, end, &mut |key, value| {
            broke = f(key, value).break_value();
            broke.is_none()
        })?;
        Ok(broke)
    }

    /// Calls `f` with each record from `from` on and before `end`, in order, as long as it says so.
    #[cfg_attr(not(feature = "fast-read"), inline(never))] // Once, and not in each of its callers.
    fn scan_while(
        &mut self,
        from: &Key,
        end: &Key,
        f: &mut dyn FnMut(&Key, &[u8]) -> bool,
    ) -> Result<(), Code> {
        let mut from = *from;
        while from < *end {
            let (frame, upper) = self.leaf_for(&from)?;
            let node = self.cache.node(frame);
            // What a forged leaf holds beyond its bounds is not found by its key either.
            let bound = upper.map_or(*end, |upper| upper.min(*end));
            let (Ok(first) | Err(first)) = node.search(&from);
            for i in first..node.count() {
                let key = node.key(i);
                if key >= bound {
                    break;
                }
                if !f(&key, node.value(i)) {
                    return Ok(());
                }
            }
            match upper {
                // A forged separator could lead backwards, for ever.
                Some(next) if next > from => from = next,
                _ => break,
            }
        }
        Ok(())
    }

    /// The last record before `end` and not before `from`: its key, and its value copied into `out` as far as it goes.
    #[expect(clippy::indexing_slicing, reason = "cut to the shorter of both")]
    pub fn last_before(
        &mut self,
        from: &Key,
        end: &Key,
        out: &mut [u8],
    ) -> Result<Option<(Key, usize)>, Code> {
        let mut end = *end;
        loop {
            let (mut pointer, mut level) = (self.root, self.level);
            // Where the leaf begins that the way down leads to. Not a pointer to the one before it: that is
            // another one as soon as a full cache has that leaf written.
            let mut begins = None;
            while level > 0 {
                let frame = self.load(&pointer, level)?;
                let node = self.cache.node(frame);
                let (Ok(next) | Err(next)) = node.search(&end);
                let child = next.saturating_sub(1);
                if child > 0 {
                    begins = Some(node.key(child));
                }
                pointer = node.pointer(child);
                level -= 1;
            }
            let frame = self.load(&pointer, 0)?;
            let node = self.cache.node(frame);
            let (Ok(at) | Err(at)) = node.search(&end);
            if at > 0 {
                let (key, value) = (node.key(at - 1), node.value(at - 1));
                if key < *from {
                    return Ok(None);
                }
                let bytes = value.len().min(out.len());
                out[..bytes].copy_from_slice(&value[..bytes]);
                return Ok(Some((key, value.len())));
            }
            match begins {
                // The leaf holds nothing before `end`: the one before it.
                Some(begins) if begins > *from && begins < end => end = begins,
                _ => return Ok(None),
            }
        }
    }
}
