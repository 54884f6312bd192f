//! A tree node: sorted records in one block.
//!
//! ```text
//! header | record 0 | record 1 | ... | record n-1 |   free   | offset n-1 | ... | offset 1 | offset 0
//! ```
//! Records lie in the order of their keys, without gaps; offset `i` is that of record `i`. So one pass proves
//! that a node from a disk is sound, and appending, the commonest change, moves nothing.
//!
//! A record is a key, a length (u16) and a value. In an inner node (level above 0) the value is a pointer and
//! the key is the lower bound of the child's keys. The first key counts as lower than everything.

#![expect(
    clippy::indexing_slicing,
    reason = "the node is sound: its offsets and lengths were verified, or are written here"
)]

use super::field::{Stored, U48, layout};
use super::key::{KEY_BYTES, Key};
use super::pointer::NodePointer;
use crate::limits::{DEPTH_MAX, NODE_BYTES_MIN};
use crate::types::{Generation, Uuid};

layout! {
    /// A node's header.
    NodeHeader, 32 bytes {
        /// CRC-32C of the node's bytes after this field; the parent's pointer holds the same value.
        crc / set_crc: u32 = 0,
        /// [`NODE_MAGIC`].
        magic / set_magic: u32 = 4,
        /// 0 for leaves.
        level / set_level: u8 = 8,
        /// Records.
        count / set_count: u16 = 10,
        /// The generation that wrote the node.
        birth / set_birth: U48 = 12,
        /// The first half of the pool's UUID: a node of another pool is foreign, whatever its checksum.
        pool / set_pool: u64 = 18,
    }
}

/// The first bytes of a node after its checksum: "DFnd".
pub const NODE_MAGIC: u32 = u32::from_le_bytes(*b"DFnd");

const HEADER: usize = NodeHeader::<&[u8]>::BYTES;

/// Bytes of a record beside its value: the key and the length.
pub const RECORD_OVERHEAD: usize = KEY_BYTES + 2;

/// Bytes of the offset of a record.
const OFFSET: usize = 2;

/// Bytes of the longest value that a node of this size takes. A record and its offset fill a quarter at most,
/// so that a split always makes room.
pub const fn value_bytes_max(node_bytes: usize) -> usize {
    node_bytes.saturating_sub(HEADER + 4 * (RECORD_OVERHEAD + OFFSET)) / 4
}

/// Bytes that a record with a value of so many takes in a node, its offset included.
pub const fn record_bytes(value_bytes: usize) -> usize {
    RECORD_OVERHEAD + value_bytes + OFFSET
}

/// Bytes of records, their offsets included, that a node of this size has room for.
pub const fn records_bytes_max(node_bytes: usize) -> usize {
    node_bytes.saturating_sub(HEADER)
}

/// Why a node's bytes were refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeFault {
    /// The checksum is not the one that the parent holds.
    Checksum,
    /// Not a node, or one of another pool, level or generation than the parent says.
    Identity,
    /// Records overlap, leave the node or are not in order.
    Structure,
}

/// What the parent knows of a node.
#[derive(Clone, Copy, Debug)]
pub struct NodeExpectation {
    /// The checksum.
    pub crc: u32,
    /// The generation that wrote it.
    pub birth: Generation,
    /// Its level.
    pub level: u8,
    /// The pool's mark.
    pub pool: u64,
}

/// The mark of a pool in its nodes.
pub fn pool_mark(pool: Uuid) -> u64 {
    u64::load(&pool.0)
}

/// The checksum of a node's bytes.
pub fn checksum(crc32c: dynamicfs_hal::Crc32c, node: &[u8]) -> u32 {
    crc32c(0, &node[4..])
}

/// Proves that bytes from a disk are the node that its parent means; afterwards [`Node`] may be used on them.
pub fn verify(
    crc32c: dynamicfs_hal::Crc32c,
    node: &[u8],
    expected: &NodeExpectation,
) -> Result<(), NodeFault> {
    let header = NodeHeader::new(node).ok_or(NodeFault::Structure)?;
    if header.crc() != expected.crc || checksum(crc32c, node) != expected.crc {
        return Err(NodeFault::Checksum);
    }
    let identity = header.magic() == NODE_MAGIC
        && header.level() == expected.level
        && header.birth() == expected.birth.0
        && header.pool() == expected.pool;
    if !identity || usize::from(expected.level) >= DEPTH_MAX {
        return Err(NodeFault::Identity);
    }
    verify_structure(node, expected.level)
}

fn verify_structure(node: &[u8], level: u8) -> Result<(), NodeFault> {
    let count = usize::from(NodeHeader(node).count());
    let offsets =
        node.len().checked_sub(OFFSET * count).filter(|&at| at >= HEADER).ok_or(NodeFault::Structure)?;
    let mut at = HEADER;
    let mut previous: Option<&[u8]> = None;
    for i in 0..count {
        if usize::from(u16::load(&node[node.len() - OFFSET * (i + 1)..])) != at
            || at + RECORD_OVERHEAD > offsets
        {
            return Err(NodeFault::Structure);
        }
        let key = &node[at..at + KEY_BYTES];
        let bytes = usize::from(u16::load(&node[at + KEY_BYTES..]));
        let end = at + RECORD_OVERHEAD + bytes;
        if end > offsets || bytes > value_bytes_max(node.len()) || previous.is_some_and(|p| p >= key) {
            return Err(NodeFault::Structure);
        }
        // A change of a child changes its parent: no child is younger.
        let birth = Generation(NodeHeader(node).birth());
        if level > 0
            && NodePointer::load(&node[at + RECORD_OVERHEAD..end]).is_none_or(|child| child.birth > birth)
        {
            return Err(NodeFault::Structure);
        }
        previous = Some(key);
        at = end;
    }
    // An inner node without children could not be searched.
    if level > 0 && count == 0 { Err(NodeFault::Structure) } else { Ok(()) }
}

/// A sound node: one that was [`verify`]ed or made by [`Node::init`].
#[derive(Debug)]
pub struct Node<B>(B);

impl<'n> Node<&'n [u8]> {
    /// The value of record `i`, as long as the node's bytes live.
    pub fn into_value(self, i: usize) -> &'n [u8] {
        let at = self.record_at(i) + KEY_BYTES;
        let bytes = usize::from(u16::load(&self.0[at..]));
        &self.0[at + 2..at + 2 + bytes]
    }
}

impl<B: AsRef<[u8]>> Node<B> {
    /// Takes a sound node's bytes.
    pub const fn new(bytes: B) -> Self {
        Self(bytes)
    }

    fn bytes(&self) -> &[u8] {
        self.0.as_ref()
    }

    fn header(&self) -> NodeHeader<&[u8]> {
        NodeHeader(self.bytes())
    }

    /// 0 for leaves.
    pub fn level(&self) -> u8 {
        self.header().level()
    }

    /// The generation that wrote it.
    pub fn birth(&self) -> Generation {
        Generation(self.header().birth())
    }

    /// Records.
    pub fn count(&self) -> usize {
        usize::from(self.header().count())
    }

    fn record_at(&self, i: usize) -> usize {
        let bytes = self.bytes();
        usize::from(u16::load(&bytes[bytes.len() - OFFSET * (i + 1)..]))
    }

    /// Where the records end.
    fn end(&self) -> usize {
        match self.count() {
            0 => HEADER,
            n => self.record_at(n - 1) + RECORD_OVERHEAD + self.value(n - 1).len(),
        }
    }

    /// Bytes that are free, offsets included.
    pub fn free_bytes(&self) -> usize {
        self.bytes().len() - OFFSET * self.count() - self.end()
    }

    /// Bytes that are in use, offsets included and the header not.
    pub fn used_bytes(&self) -> usize {
        self.bytes().len() - HEADER - self.free_bytes()
    }

    /// The key of record `i`.
    pub fn key(&self, i: usize) -> Key {
        Key::from_bytes(&self.bytes()[self.record_at(i)..])
    }

    fn key_bytes(&self, i: usize) -> &[u8] {
        let at = self.record_at(i);
        &self.bytes()[at..at + KEY_BYTES]
    }

    /// The value of record `i`.
    pub fn value(&self, i: usize) -> &[u8] {
        Node(self.bytes()).into_value(i)
    }

    /// The pointer to child `i` of an inner node.
    #[expect(
        clippy::expect_used,
        reason = "verified in a node from a disk, and nothing else is put into an inner node"
    )]
    pub fn pointer(&self, i: usize) -> NodePointer {
        NodePointer::load(self.value(i)).expect("a sound inner node holds pointers")
    }

    /// The record with this key, or where it would stand.
    pub fn search(&self, key: &Key) -> Result<usize, usize> {
        let (mut low, mut high) = (0, self.count());
        while low < high {
            let middle = low.midpoint(high);
            match self.key_bytes(middle).cmp(key.as_bytes().as_slice()) {
                core::cmp::Ordering::Less => low = middle + 1,
                core::cmp::Ordering::Equal => return Ok(middle),
                core::cmp::Ordering::Greater => high = middle,
            }
        }
        Err(low)
    }

    /// The child of an inner node that may hold this key.
    pub fn child_for(&self, key: &Key) -> usize {
        match self.search(key) {
            Ok(i) => i,
            Err(i) => i.saturating_sub(1),
        }
    }

    /// Whether a record with a value of this length fits.
    pub fn fits(&self, value_bytes: usize) -> bool {
        self.free_bytes() >= RECORD_OVERHEAD + value_bytes + OFFSET
    }

    /// The first record of the upper half when the node is split by bytes. Both halves have at least one
    /// record, and room for one more of the largest size.
    ///
    /// The offsets count. Without them, in a node with many small records and one long one in the middle, the
    /// lower half is too long for another record.
    pub fn middle(&self) -> usize {
        let below = |i: usize| self.record_at(i) - HEADER + OFFSET * i;
        let count = self.count();
        (1..count).find(|&i| 2 * below(i) >= self.used_bytes()).unwrap_or(count - 1).max(1)
    }
}

// A half is shorter than half of a node and a record.
const _: () = assert!({
    let (room, record) =
        (NODE_BYTES_MIN - HEADER, RECORD_OVERHEAD + value_bytes_max(NODE_BYTES_MIN) + OFFSET);
    room / 2 + 2 * record <= room
});

impl<B: AsRef<[u8]> + AsMut<[u8]>> Node<B> {
    /// Makes the bytes an empty node.
    pub fn init(&mut self, level: u8, birth: Generation, pool: u64) {
        self.0.as_mut().fill(0);
        let mut header = NodeHeader(self.0.as_mut());
        header.set_magic(NODE_MAGIC);
        header.set_level(level);
        header.set_birth(birth.0);
        header.set_pool(pool);
    }

    /// Makes the node one of this generation.
    pub fn set_birth(&mut self, birth: Generation) {
        NodeHeader(self.0.as_mut()).set_birth(birth.0);
    }

    /// Sets the checksum field and returns it: the last thing before the node is written.
    pub fn seal(&mut self, crc32c: dynamicfs_hal::Crc32c) -> u32 {
        let crc = checksum(crc32c, self.bytes());
        NodeHeader(self.0.as_mut()).set_crc(crc);
        crc
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "a node of at most 16 KiB has fewer records than 16 bits count"
    )]
    fn set_count(&mut self, count: usize) {
        NodeHeader(self.0.as_mut()).set_count(count as u16);
    }

    /// Adds `delta` to the offsets of the records from `first` on.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a record is shorter than a node, and that than 2^15 bytes"
    )]
    fn shift_offsets(&mut self, first: usize, delta: isize) {
        let count = self.count();
        let bytes = self.0.as_mut();
        let length = bytes.len();
        for offset in bytes[length - OFFSET * count..length - OFFSET * first].chunks_exact_mut(OFFSET) {
            let at = u16::load(offset).wrapping_add_signed(delta as i16);
            u16::store(offset, at);
        }
    }

    /// Puts a record at place `i`, which [`search`](Self::search) gave.
    ///
    /// # Panics
    /// When it does not fit ([`fits`](Self::fits)).
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        reason = "offsets and lengths in a node of at most 16 KiB"
    )]
    pub fn insert(&mut self, i: usize, key: &Key, value: &[u8]) {
        assert!(self.fits(value.len()), "the caller makes room first");
        let (count, end, record) = (self.count(), self.end(), RECORD_OVERHEAD + value.len());
        let at = if i == count { end } else { self.record_at(i) };
        let length = self.bytes().len();
        self.shift_offsets(i, record as isize);
        let bytes = self.0.as_mut();
        bytes.copy_within(at..end, at + record);
        bytes.copy_within(length - OFFSET * count..length - OFFSET * i, length - OFFSET * (count + 1));
        u16::store(&mut bytes[length - OFFSET * (i + 1)..], at as u16);
        bytes[at..at + KEY_BYTES].copy_from_slice(key.as_bytes());
        u16::store(&mut bytes[at + KEY_BYTES..], value.len() as u16);
        bytes[at + RECORD_OVERHEAD..at + record].copy_from_slice(value);
        self.set_count(count + 1);
    }

    /// Takes record `i` out. What it leaves is zeroed, so that equal contents are equal bytes.
    #[expect(clippy::cast_possible_wrap, reason = "a record is shorter than a node of at most 16 KiB")]
    pub fn remove(&mut self, i: usize) {
        let (count, end, at) = (self.count(), self.end(), self.record_at(i));
        let record = RECORD_OVERHEAD + self.value(i).len();
        let length = self.bytes().len();
        self.shift_offsets(i + 1, -(record as isize));
        let bytes = self.0.as_mut();
        bytes.copy_within(at + record..end, at);
        bytes[end - record..end].fill(0);
        bytes.copy_within(length - OFFSET * count..length - OFFSET * (i + 1), length - OFFSET * (count - 1));
        bytes[length - OFFSET * count..length - OFFSET * (count - 1)].fill(0);
        self.set_count(count - 1);
    }

    /// Gives record `i` another value. The caller knows that it fits.
    pub fn replace(&mut self, i: usize, value: &[u8]) {
        if self.value(i).len() == value.len() {
            self.value_mut(i).copy_from_slice(value);
        } else {
            let key = self.key(i);
            self.remove(i);
            self.insert(i, &key, value);
        }
    }

    /// Gives record `i` another key, which sorts between those of its neighbours.
    pub fn set_key(&mut self, i: usize, key: &Key) {
        let at = self.record_at(i);
        self.0.as_mut()[at..at + KEY_BYTES].copy_from_slice(key.as_bytes());
    }

    /// The value of record `i`, to be changed in place.
    pub fn value_mut(&mut self, i: usize) -> &mut [u8] {
        let at = self.record_at(i) + RECORD_OVERHEAD;
        let bytes = self.value(i).len();
        &mut self.0.as_mut()[at..at + bytes]
    }

    /// Moves the records from `first` on behind those of `to`, where they fit and belong.
    pub fn move_tail<C: AsRef<[u8]> + AsMut<[u8]>>(&mut self, first: usize, to: &mut Node<C>) {
        for i in first..self.count() {
            to.insert(to.count(), &self.key(i), self.value(i));
        }
        self.truncate(first);
    }

    /// Drops the records from `first` on.
    fn truncate(&mut self, first: usize) {
        if first >= self.count() {
            return;
        }
        let (from, end) = (self.record_at(first), self.end());
        let (length, count) = (self.bytes().len(), self.count());
        let bytes = self.0.as_mut();
        bytes[from..end].fill(0);
        bytes[length - OFFSET * count..length - OFFSET * first].fill(0);
        self.set_count(first);
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::format::checksum::crc32c;
    use crate::format::key::Kind;
    use crate::types::ObjectId;
    use std::vec::Vec;

    fn key(n: u64) -> Key {
        Key::new(ObjectId(n), Kind::Inode, 0)
    }

    fn expectation(crc: u32) -> NodeExpectation {
        NodeExpectation { crc, birth: Generation(7), level: 0, pool: 9 }
    }

    fn filled() -> Node<Vec<u8>> {
        let mut node = Node::new(std::vec![0xAA; 512]);
        node.init(0, Generation(7), 9);
        for n in [5, 1, 9, 3] {
            let at = node.search(&key(n)).unwrap_err();
            node.insert(at, &key(n), &std::vec![n as u8; n as usize]);
        }
        node
    }

    #[test]
    fn records_stay_sorted_and_the_node_verifies() {
        let mut node = filled();
        let keys: Vec<u64> = (0..node.count()).map(|i| node.key(i).object().0).collect();
        assert_eq!(keys, [1, 3, 5, 9]);
        node.remove(1);
        node.replace(1, b"five");
        assert_eq!(node.value(1), b"five");
        assert_eq!(node.value(2), [9; 9]);
        let crc = node.seal(crc32c);
        assert_eq!(verify(crc32c, &node.0, &expectation(crc)), Ok(()));
    }

    /// Nine records without values and one of the longest across the middle. The offsets were not counted,
    /// the lower half was too long for another record, and the insertion after the split panicked.
    #[test]
    fn both_halves_of_a_full_node_take_one_more_record_of_any_size() {
        let longest = value_bytes_max(512);
        let mut state = 1u64;
        let mut below = |n: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as usize % n
        };
        for round in 0..20_000 {
            let mut node = Node::new(std::vec![0; 512]);
            node.init(0, Generation(7), 9);
            let mut n = 0;
            loop {
                let bytes = if below(3) == 0 { longest - below(4) } else { below(4) };
                if !node.fits(bytes) {
                    break;
                }
                n += 2;
                node.insert(node.count(), &key(n), &std::vec![0; bytes]);
            }
            let middle = node.middle();
            let mut right = Node::new(std::vec![0; 512]);
            right.init(0, Generation(7), 9);
            node.move_tail(middle, &mut right);
            for half in [&mut node, &mut right] {
                assert!(half.count() > 0 && half.fits(longest), "round {round}: {} bytes", half.used_bytes());
            }
        }
    }

    #[test]
    fn equal_contents_are_equal_bytes_whatever_their_history() {
        let mut node = filled();
        let plain = node.0.clone();
        let at = node.search(&key(4)).unwrap_err();
        node.insert(at, &key(4), b"a detour");
        node.remove(at);
        assert_eq!(node.0, plain);
    }

    #[test]
    fn every_damaged_byte_is_noticed() {
        let mut node = filled();
        let crc = node.seal(crc32c);
        for at in 0..node.0.len() {
            let mut damaged = node.0.clone();
            damaged[at] ^= 0x40;
            assert!(verify(crc32c, &damaged, &expectation(crc)).is_err(), "byte {at}");
        }
    }

    #[test]
    fn well_formed_lies_are_noticed_by_structure() {
        let lies: [fn(&mut [u8]); 5] = [
            |n| NodeHeader(n).set_count(200),
            |n| NodeHeader(n).set_count(3000),
            |n| u16::store(&mut n[510..], 31),
            |n| u16::store(&mut n[HEADER + KEY_BYTES..], 400),
            |n| n[HEADER] = 0xFF,
        ];
        for (i, lie) in lies.iter().enumerate() {
            let mut node = filled();
            lie(&mut node.0);
            let crc = node.seal(crc32c);
            assert_eq!(verify(crc32c, &node.0, &expectation(crc)), Err(NodeFault::Structure), "lie {i}");
        }
    }

    #[test]
    fn a_node_of_another_level_birth_or_pool_is_not_it() {
        let mut node = filled();
        let crc = node.seal(crc32c);
        let good = expectation(crc);
        for wrong in [
            NodeExpectation { level: 1, ..good },
            NodeExpectation { birth: Generation(8), ..good },
            NodeExpectation { pool: 1, ..good },
        ] {
            assert_eq!(verify(crc32c, &node.0, &wrong), Err(NodeFault::Identity));
        }
    }
}
