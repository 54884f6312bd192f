//! Changes of an image, and sealing it anew so that every checksum is right: lies that are well-formed.

use crate::array::crc32c;
use crate::base::{Base, NodeImage, SlotImage};
use arbitrary::Arbitrary;
use dynamicfs_core::format::extent::ExtentHeader;
use dynamicfs_core::format::field::Field;
use dynamicfs_core::format::inode::InodeRecord;
use dynamicfs_core::format::job::JobRecord;
use dynamicfs_core::format::key::{KEY_BYTES, Key, Kind};
use dynamicfs_core::format::label::Label;
use dynamicfs_core::format::node::{NodeHeader, RECORD_OVERHEAD, value_bytes_max};
use dynamicfs_core::format::record::{CountersRecord, MemberRecord, OrphanRecord};
use dynamicfs_core::format::superblock::{MemberRow, Superblock};
use dynamicfs_core::types::{BlockAddress, ObjectId};
use std::collections::BTreeMap;

/// Another value for a little-endian number.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Value {
    /// This one, cut to the field's width.
    Exact(u64),
    /// A small one.
    Small(u8),
    /// The greatest, less this.
    Max(u8),
    /// The greatest of 48 bits, less this.
    Max48(u8),
    /// A power of two.
    Power(u8),
    /// A power of two, less one.
    Below(u8),
    /// What it was, and this.
    Plus(u8),
    /// What it was, less this.
    Minus(u8),
    /// What it was, times a power of two.
    Shifted(u8),
    /// What it was, with one bit changed.
    Flip(u8),
}

impl Value {
    fn of(self, old: u64) -> u64 {
        match self {
            Self::Exact(value) => value,
            Self::Small(value) => value.into(),
            Self::Max(less) => u64::MAX - u64::from(less),
            Self::Max48(less) => (1 << 48) - 1 - u64::from(less),
            Self::Power(bit) => 1 << (bit % 64),
            Self::Below(bit) => (1 << (bit % 64)) - 1,
            Self::Plus(more) => old.wrapping_add(more.into()),
            Self::Minus(less) => old.wrapping_sub(less.into()),
            Self::Shifted(bits) => old << (bits % 48),
            Self::Flip(bit) => old ^ 1 << (bit % 64),
        }
    }

    /// Changes a number of as many bytes, 8 at most.
    fn apply(self, bytes: &mut [u8]) {
        let width = bytes.len().min(8);
        let mut raw = [0; 8];
        raw[..width].copy_from_slice(&bytes[..width]);
        let value = self.of(u64::from_le_bytes(raw)).to_le_bytes();
        bytes[..width].copy_from_slice(&value[..width]);
    }

    /// Changes `width` bytes from `at` on, as far as there are any.
    fn apply_at(self, bytes: &mut [u8], at: usize, width: usize) {
        let end = (at + width).min(bytes.len());
        if let Some(bytes) = bytes.get_mut(at..end) {
            self.apply(bytes);
        }
    }
}

/// A change of one record of a leaf.
#[derive(Arbitrary, Clone, Debug)]
pub enum Change {
    /// A field of the kind's layout.
    Field(u8, Value),
    /// Some bytes of the value.
    Raw(u16, u8, Value),
    /// The value's length; what is new is zeros.
    Length(u16),
    /// All of the value.
    Replace(Vec<u8>),
    /// The value is full of one byte after its first: zeros, ones, or this.
    Fill(u8),
    /// The key's object.
    Object(Value),
    /// The key's kind.
    Kind(u8),
    /// The key's offset.
    Offset(Value),
    /// The key's snapshot.
    Snapshot(Value),
    /// It goes.
    Remove,
    /// A second one, so much further.
    Repeat(Value),
    /// The value of another record.
    ValueOf(u8, u8),
    /// A fragment's address in an extent's record, or a run in a dead record: member and block.
    Place(u8, Option<Value>, Value),
}

/// A change of a pointer in an inner node.
#[derive(Arbitrary, Clone, Debug)]
pub enum PointerChange {
    /// It means another node.
    To(u8),
    /// It means a pointer's node, as that pointer does, with all its replicas.
    Same(u8, u8),
    /// A replica's member.
    Member(u8, Value),
    /// A replica's block.
    Block(u8, Value),
    /// The number of replicas; the value is cut or filled up with the first.
    Copies(u8),
    /// The lower bound's object.
    KeyObject(Value),
    /// The lower bound's offset.
    KeyOffset(Value),
    /// It goes.
    Remove,
}

/// A change of a whole node.
#[derive(Arbitrary, Clone, Debug)]
pub enum NodeChange {
    /// Another level.
    Level(Value),
    /// Another birth; the pointers to it say the same.
    Birth(Value),
    /// Another number of records.
    Count(Value),
    /// No records, and the slot that the first one would have leads out of the node.
    Clear,
    /// Only the first records.
    First(u8),
    /// Only the last records.
    Last(u8),
    /// The bytes of another.
    CopyOf(u8),
    /// The records of another as well, as many as fit.
    Join(u8),
    /// Some bytes.
    Raw(u16, u8, Value),
}

/// A change of an image.
#[derive(Arbitrary, Clone, Debug)]
pub enum Edit {
    /// A field of the labels of these disks (a bitmap; none means all); of the first, the second or both copies.
    Label { disks: u8, copies: u8, field: u8, value: Value },
    /// A field of the superblocks of these disks, so many before the newest.
    Superblock { disks: u8, age: u8, field: u8, value: Value },
    /// A field of a row of the member table of the newest superblocks.
    Row { disks: u8, row: u8, field: u8, value: Value },
    /// Some bytes of the newest superblocks.
    SuperblockRaw { disks: u8, offset: u16, width: u8, value: Value },
    /// The `n`th record of a kind.
    Record { kind: u8, n: u8, change: Change },
    /// A new record.
    Insert { kind: u8, object: u8, offset: Value, value: Vec<u8> },
    /// A pointer.
    Pointer { node: u8, child: u8, change: PointerChange },
    /// A node.
    Node { node: u8, change: NodeChange },
    /// More levels above the root.
    Deepen { levels: u8, birth: Value },
    /// Bytes anywhere on a disk, not sealed.
    Disk { disk: u8, sector: u16, offset: u16, value: Value },
    /// A disk is not there.
    Absent { disk: u8 },
}

const HEADER: usize = 32;

/// Records of a node, read without trust.
fn records(bytes: &[u8]) -> Vec<(Key, Vec<u8>)> {
    let count = usize::from(u16::from_le_bytes([bytes[10], bytes[11]]));
    let mut at = HEADER;
    let mut found = Vec::new();
    for _ in 0..count {
        let Some(head) = bytes.get(at..at + RECORD_OVERHEAD) else { break };
        let length = usize::from(u16::from_le_bytes([head[KEY_BYTES], head[KEY_BYTES + 1]]));
        let Some(value) = bytes.get(at + RECORD_OVERHEAD..at + RECORD_OVERHEAD + length) else { break };
        found.push((Key::from_bytes(head), value.to_vec()));
        at += RECORD_OVERHEAD + length;
    }
    found
}

/// Lays records into a node, in order, each key once, as many as fit.
fn set_records(bytes: &mut [u8], mut records: Vec<(Key, Vec<u8>)>) {
    records.sort_by_key(|record| record.0);
    records.dedup_by_key(|record| record.0);
    let (length, most) = (bytes.len(), value_bytes_max(bytes.len()));
    bytes[HEADER..].fill(0);
    let (mut at, mut count) = (HEADER, 0usize);
    for (key, mut value) in records {
        value.truncate(most);
        let end = at + RECORD_OVERHEAD + value.len();
        if end + 2 * (count + 1) > length {
            break;
        }
        bytes[at..at + KEY_BYTES].copy_from_slice(key.as_bytes());
        bytes[at + KEY_BYTES..at + RECORD_OVERHEAD].copy_from_slice(&(value.len() as u16).to_le_bytes());
        bytes[at + RECORD_OVERHEAD..end].copy_from_slice(&value);
        count += 1;
        bytes[length - 2 * count..][..2].copy_from_slice(&(at as u16).to_le_bytes());
        at = end;
    }
    bytes[10..12].copy_from_slice(&(count as u16).to_le_bytes());
}

fn fields_of(kind: u8) -> &'static [Field] {
    match kind {
        1 => MemberRecord::<&[u8]>::FIELDS,
        4 => OrphanRecord::<&[u8]>::FIELDS,
        6 => JobRecord::<&[u8]>::FIELDS,
        7 => CountersRecord::<&[u8]>::FIELDS,
        16 => InodeRecord::<&[u8]>::FIELDS,
        20 => ExtentHeader::<&[u8]>::FIELDS,
        _ => &[],
    }
}

fn key_with(key: &Key, f: impl FnOnce(&mut [u8; KEY_BYTES])) -> Key {
    let mut bytes = *key.as_bytes();
    f(&mut bytes);
    Key::from_bytes(&bytes)
}

/// Changes a big-endian part of a key.
fn change_key(key: &Key, range: core::ops::Range<usize>, value: Value) -> Key {
    key_with(key, |bytes| {
        bytes[range.clone()].reverse();
        value.apply(&mut bytes[range.clone()]);
        bytes[range].reverse();
    })
}

/// An image that is being changed.
pub struct Image {
    /// The disks.
    pub disks: Vec<Vec<u8>>,
    nodes: Vec<NodeImage>,
    slots: Vec<SlotImage>,
    spare: usize,
}

impl Image {
    /// The image of a valid pool.
    pub fn of(base: &Base) -> Self {
        Self { disks: base.disks.clone(), nodes: base.nodes.clone(), slots: base.slots.clone(), spare: 0 }
    }

    /// Makes a change.
    pub fn edit(&mut self, base: &Base, edit: &Edit) {
        match edit {
            Edit::Label { disks, copies, field, value } => {
                self.edit_labels(base, *disks, *copies, *field, *value)
            }
            Edit::Superblock { disks, age, field, value } => {
                let fields = Superblock::<&[u8]>::FIELDS;
                let field = fields[usize::from(*field) % fields.len()];
                self.edit_slots(*disks, *age, |bytes| value.apply_at(bytes, field.offset, field.bytes));
            }
            Edit::Row { disks, row, field, value } => {
                let fields = MemberRow::<&[u8]>::FIELDS;
                let field = fields[usize::from(*field) % fields.len()];
                let row = usize::from(*row) % usize::from(base.parameters.members_max);
                let at = Superblock::<&[u8]>::BYTES + MemberRow::<&[u8]>::BYTES * row;
                self.edit_slots(*disks, 0, |bytes| value.apply_at(bytes, at + field.offset, field.bytes));
            }
            Edit::SuperblockRaw { disks, offset, width, value } => {
                self.edit_slots(*disks, 0, |bytes| {
                    let at = usize::from(*offset) % bytes.len();
                    value.apply_at(bytes, at, usize::from(*width % 8) + 1);
                });
            }
            Edit::Record { kind, n, change } => self.edit_record(*kind, *n, change),
            Edit::Insert { kind, object, offset, value } => {
                let kind = Kind::ALL[usize::from(*kind) % Kind::ALL.len()];
                let key = Key::new(ObjectId((*object).into()), kind, offset.of(0));
                self.insert(key, value.clone());
            }
            Edit::Pointer { node, child, change } => self.edit_pointer(*node, *child, change),
            Edit::Node { node, change } => self.edit_node(*node, change),
            Edit::Deepen { levels, birth } => self.deepen(base, *levels % 16, *birth),
            Edit::Disk { disk, sector, offset, value } => {
                let disk = usize::from(*disk) % self.disks.len();
                let bytes = &mut self.disks[disk];
                let at = usize::from(*sector) * 512 + usize::from(*offset) % 512;
                let at = at % bytes.len().max(1);
                value.apply_at(bytes, at, 8);
            }
            Edit::Absent { disk } => {
                let disk = usize::from(*disk) % self.disks.len();
                self.disks[disk] = Vec::new();
            }
        }
    }

    fn edit_labels(&mut self, base: &Base, disks: u8, copies: u8, field: u8, value: Value) {
        let fields = Label::<&[u8]>::FIELDS;
        let field = fields[usize::from(field) % fields.len()];
        for (disk, bytes) in self.disks.iter_mut().enumerate() {
            if bytes.is_empty() || disks != 0 && disks >> (disk % 8) & 1 == 0 {
                continue;
            }
            for (copy, at) in base.identities[disk].label_places().into_iter().enumerate() {
                if copies % 4 == 0 || usize::from(copies % 4) == copy + 1 {
                    let at = at as usize;
                    let label = &mut bytes[at..at + 512];
                    value.apply_at(label, field.offset, field.bytes);
                    if field.offset != 0 {
                        let crc = crc32c(0, &label[4..]);
                        label[..4].copy_from_slice(&crc.to_le_bytes());
                    }
                }
            }
        }
    }

    fn edit_slots(&mut self, disks: u8, age: u8, mut f: impl FnMut(&mut [u8])) {
        for slot in &mut self.slots {
            if slot.age == usize::from(age % 4) && (disks == 0 || disks >> (slot.disk % 8) & 1 == 1) {
                f(&mut slot.bytes);
            }
        }
    }

    // --- leaves ---------------------------------------------------------------------------------------------

    fn is_leaf(node: &NodeImage) -> bool {
        node.bytes[8] == 0
    }

    /// The node and place of the `n`th record of a kind.
    fn nth(&self, kind: u8, n: u8) -> Option<(usize, usize)> {
        let kind = Kind::ALL[usize::from(kind) % Kind::ALL.len()] as u8;
        let all: Vec<(usize, usize)> = self
            .nodes
            .iter()
            .enumerate()
            .filter(|(_, node)| Self::is_leaf(node))
            .flat_map(|(i, node)| {
                records(&node.bytes).into_iter().enumerate().map(move |(at, record)| (i, at, record.0))
            })
            .filter(|(.., key)| key.kind() == kind)
            .map(|(i, at, _)| (i, at))
            .collect();
        all.get(usize::from(n) % all.len().max(1)).copied()
    }

    fn edit_record(&mut self, kind: u8, n: u8, change: &Change) {
        let Some((node, at)) = self.nth(kind, n) else { return };
        let other = match change {
            Change::ValueOf(kind, n) => {
                self.nth(*kind, *n).map(|(node, at)| records(&self.nodes[node].bytes)[at].1.clone())
            }
            _ => None,
        };
        let mut all = records(&self.nodes[node].bytes);
        let (key, value) = &mut all[at];
        match change {
            Change::Field(field, new) => {
                let fields = fields_of(key.kind());
                if let Some(field) = fields.get(usize::from(*field) % fields.len().max(1)) {
                    new.apply_at(value, field.offset, field.bytes);
                }
            }
            Change::Raw(offset, width, new) => {
                let at = usize::from(*offset) % value.len().max(1);
                new.apply_at(value, at, usize::from(*width % 8) + 1);
            }
            Change::Length(length) => value.resize(usize::from(*length % 256), 0),
            Change::Replace(new) => value.clone_from(new),
            Change::Fill(byte) => {
                let byte = [0, 0xFF, *byte][usize::from(*byte % 3)];
                value.iter_mut().skip(1).for_each(|b| *b = byte);
            }
            Change::Object(new) => *key = change_key(key, 0..8, *new),
            Change::Kind(kind) => *key = key_with(key, |bytes| bytes[8] = *kind),
            Change::Offset(new) => *key = change_key(key, 9..17, *new),
            Change::Snapshot(new) => *key = change_key(key, 17..21, *new),
            Change::Remove => {
                all.remove(at);
            }
            Change::Repeat(new) => {
                let copy = (change_key(key, 9..17, *new), value.clone());
                all.push(copy);
            }
            Change::ValueOf(..) => *value = other.unwrap_or_default(),
            Change::Place(n, member, block) => {
                let (first, step) = match key.kind() {
                    3 => (0, 12),
                    20 => (24, 8),
                    _ => (0, 8),
                };
                let at = first + step * (usize::from(*n) % 20);
                if let Some(member) = member {
                    member.apply_at(value, at, 2);
                }
                block.apply_at(value, at + 2, 6);
            }
        }
        set_records(&mut self.nodes[node].bytes, all);
    }

    /// Puts a record where the tree would look for it.
    fn insert(&mut self, key: Key, value: Vec<u8>) {
        let first = |node: &NodeImage| records(&node.bytes).first().map(|record| record.0);
        let leaves = (0..self.nodes.len()).filter(|&i| Self::is_leaf(&self.nodes[i]));
        let before = leaves.clone().filter(|&i| first(&self.nodes[i]).is_some_and(|first| first <= key));
        let place = before.max_by_key(|&i| first(&self.nodes[i])).or(leaves.clone().next());
        let Some(place) = place else { return };
        let mut all = records(&self.nodes[place].bytes);
        all.retain(|record| record.0 != key);
        all.insert(0, (key, value));
        set_records(&mut self.nodes[place].bytes, all);
    }

    // --- inner nodes ----------------------------------------------------------------------------------------

    fn edit_pointer(&mut self, node: u8, child: u8, change: &PointerChange) {
        let inner: Vec<usize> = (0..self.nodes.len()).filter(|&i| !Self::is_leaf(&self.nodes[i])).collect();
        let Some(&node) = inner.get(usize::from(node) % inner.len().max(1)) else { return };
        let mut all = records(&self.nodes[node].bytes);
        let at = usize::from(child) % all.len().max(1);
        let other = match change {
            PointerChange::Same(node, child) => {
                inner.get(usize::from(*node) % inner.len()).and_then(|&node| {
                    let all = records(&self.nodes[node].bytes);
                    all.get(usize::from(*child) % all.len().max(1)).map(|record| record.1.clone())
                })
            }
            _ => None,
        };
        let Some((key, value)) = all.get_mut(at) else { return };
        match change {
            PointerChange::To(node) => {
                let to = self.nodes[usize::from(*node) % self.nodes.len()].replicas[0];
                if value.len() >= 19 {
                    value[11..13].copy_from_slice(&to.member.0.to_le_bytes());
                    value[13..19].copy_from_slice(&to.block.to_le_bytes()[..6]);
                }
            }
            PointerChange::Same(..) => *value = other.unwrap_or_default(),
            PointerChange::Member(n, new) => new.apply_at(value, 11 + 8 * usize::from(*n % 5), 2),
            PointerChange::Block(n, new) => new.apply_at(value, 13 + 8 * usize::from(*n % 5), 6),
            PointerChange::Copies(copies) => {
                let copies = usize::from(*copies % 7);
                let first: Vec<u8> = value.get(11..19).unwrap_or(&[0; 8]).to_vec();
                while value.len() < 11 + 8 * copies {
                    value.extend_from_slice(&first);
                }
                value.truncate(11 + 8 * copies);
                value[10] = copies as u8;
            }
            PointerChange::KeyObject(new) => *key = change_key(key, 0..8, *new),
            PointerChange::KeyOffset(new) => *key = change_key(key, 9..17, *new),
            PointerChange::Remove => {
                all.remove(at);
            }
        }
        set_records(&mut self.nodes[node].bytes, all);
    }

    fn edit_node(&mut self, node: u8, change: &NodeChange) {
        let count = self.nodes.len();
        let other = |other: u8| self.nodes[usize::from(other) % count].bytes.clone();
        let other = match change {
            NodeChange::CopyOf(node) | NodeChange::Join(node) => other(*node),
            _ => Vec::new(),
        };
        let bytes = &mut self.nodes[usize::from(node) % count].bytes;
        match change {
            NodeChange::Level(value) => value.apply(&mut bytes[8..9]),
            NodeChange::Birth(value) => value.apply(&mut bytes[12..18]),
            NodeChange::Count(value) => value.apply(&mut bytes[10..12]),
            NodeChange::Clear => {
                let slot = bytes.len() - 2;
                bytes[10..12].fill(0);
                bytes[slot..].fill(0xFF);
            }
            NodeChange::First(n) => {
                let mut all = records(bytes);
                all.truncate(usize::from(*n % 16));
                set_records(bytes, all);
            }
            NodeChange::Last(n) => {
                let all = records(bytes);
                let from = all.len().saturating_sub(usize::from(*n % 16));
                set_records(bytes, all[from..].to_vec());
            }
            NodeChange::CopyOf(_) => bytes.copy_from_slice(&other),
            NodeChange::Join(_) => {
                let mut all = records(bytes);
                all.extend(records(&other));
                set_records(bytes, all);
            }
            NodeChange::Raw(offset, width, value) => {
                let at = usize::from(*offset) % bytes.len();
                value.apply_at(bytes, at, usize::from(*width % 8) + 1);
            }
        }
    }

    /// Puts nodes with one child above the root of the newest state.
    fn deepen(&mut self, base: &Base, levels: u8, birth: Value) {
        for _ in 0..levels {
            let (Some(&address), Some(root)) = (base.spare.get(self.spare), self.nodes.first()) else {
                return;
            };
            self.spare += 1;
            let mut bytes = root.bytes.clone();
            let level = bytes[8].wrapping_add(1);
            let mut pointer = vec![0; 10];
            pointer.push(root.replicas.len() as u8);
            for replica in &root.replicas {
                pointer.extend_from_slice(&replica.member.0.to_le_bytes());
                pointer.extend_from_slice(&replica.block.to_le_bytes()[..6]);
            }
            bytes[8] = level;
            birth.apply(&mut bytes[12..18]);
            set_records(&mut bytes, vec![(Key::MIN, pointer)]);
            self.nodes.insert(0, NodeImage { replicas: vec![address], bytes });
            self.edit_slots(0, 0, |slot| {
                let mut view = Superblock::new(slot).expect("a slot");
                view.set_root_level(level);
                let birth = view.root().birth;
                view.set_root(&dynamicfs_core::format::pointer::NodePointer::new(birth, &[address]), level);
            });
        }
    }

    // --- sealing --------------------------------------------------------------------------------------------

    /// Makes every checksum right, from the leaves up, and gives the disks.
    pub fn seal(mut self, base: &Base) -> Vec<Vec<u8>> {
        let by_address: BTreeMap<[u8; 8], usize> =
            self.nodes.iter().enumerate().map(|(i, node)| (address_bytes(node), i)).collect();
        let mut order: Vec<usize> = (0..self.nodes.len()).collect();
        order.sort_by_key(|&i| self.nodes[i].bytes[8]);
        for i in order {
            if !Self::is_leaf(&self.nodes[i]) {
                self.seal_pointers(i, &by_address);
            }
            let bytes = &mut self.nodes[i].bytes;
            let crc = crc32c(0, &bytes[4..]);
            bytes[..4].copy_from_slice(&crc.to_le_bytes());
        }
        for node in &self.nodes {
            for &replica in &node.replicas {
                let Some((disk, at)) = base.locate(replica) else { continue };
                if let Some(place) = self.disks[disk].get_mut(at..at + node.bytes.len()) {
                    place.copy_from_slice(&node.bytes);
                }
            }
        }
        self.seal_slots(base, &by_address);
        self.disks
    }

    /// Gives each pointer of a node the checksum and birth of the node that it means.
    fn seal_pointers(&mut self, node: usize, by_address: &BTreeMap<[u8; 8], usize>) {
        let count = usize::from(u16::from_le_bytes([self.nodes[node].bytes[10], self.nodes[node].bytes[11]]));
        let mut at = HEADER;
        for _ in 0..count {
            let bytes = &self.nodes[node].bytes;
            let Some(head) = bytes.get(at..at + RECORD_OVERHEAD + 19) else { break };
            let length = usize::from(u16::from_le_bytes([head[KEY_BYTES], head[KEY_BYTES + 1]]));
            let address: [u8; 8] = head[RECORD_OVERHEAD + 11..].try_into().expect("8 bytes");
            if let Some(&child) = by_address.get(&address) {
                let (crc, birth) = identity(&self.nodes[child].bytes);
                let bytes = &mut self.nodes[node].bytes[at + RECORD_OVERHEAD..];
                bytes[..4].copy_from_slice(&crc);
                bytes[4..10].copy_from_slice(&birth);
            }
            at += RECORD_OVERHEAD + length;
        }
    }

    fn seal_slots(&mut self, base: &Base, by_address: &BTreeMap<[u8; 8], usize>) {
        for slot in &mut self.slots {
            let mut view = Superblock::new(&mut slot.bytes[..]).expect("a slot");
            if let Some(&root) = by_address.get(&in_bytes(view.root_replicas_raw()))
                && slot.age == 0
            {
                let header = NodeHeader::new(&self.nodes[root].bytes[..]).expect("a node");
                view.set_root_crc(header.crc());
                view.set_root_birth(header.birth());
            }
            let crc = crc32c(0, &slot.bytes[4..]);
            slot.bytes[..4].copy_from_slice(&crc.to_le_bytes());
            let identity = base.identities[slot.disk];
            // A changed sequence moves the slot, as it would if it had been written so.
            let sequence = Superblock::new(&slot.bytes[..]).expect("a slot").sequence();
            let places = [slot.place, sequence % u64::from(base.parameters.ring_length)];
            for place in places {
                for ring in [identity.ring_a, identity.ring_b] {
                    let at = (ring + place * u64::from(base.parameters.slot_bytes)) as usize;
                    if let Some(to) = self.disks[slot.disk].get_mut(at..at + slot.bytes.len()) {
                        to.copy_from_slice(&slot.bytes);
                    }
                }
            }
        }
    }
}

/// A node's checksum and birth, as a pointer holds them.
fn identity(node: &[u8]) -> ([u8; 4], [u8; 6]) {
    (node[..4].try_into().expect("4 bytes"), node[12..18].try_into().expect("6 bytes"))
}

fn address_bytes(node: &NodeImage) -> [u8; 8] {
    in_bytes(node.replicas[0])
}

fn in_bytes(address: BlockAddress) -> [u8; 8] {
    let mut bytes = [0; 8];
    bytes[..2].copy_from_slice(&address.member.0.to_le_bytes());
    bytes[2..].copy_from_slice(&address.block.to_le_bytes()[..6]);
    bytes
}
