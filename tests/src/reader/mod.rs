//! Another implementation: reads a pool with nothing but `docs/FORMAT.md`.
//!
//! Every offset of a structure comes from the document's tables; what the document says in words is written down here
//! once more. Of the core only the checksum is used and the hash of names. It proves all it reads, all replicas and all
//! fragments, and says what is wrong by a panic.
//!
//! ```text
//! mod.rs     labels, superblocks, the newest state
//! tree.rs    nodes, records
//! object.rs  inodes, names, contents
//! space.rs   allocated = referenced
//! ```

mod object;
mod space;
mod tree;

use crate::document::{Document, Structures, View, number};
use dynamicfs_core::format::checksum::crc32c;
use std::collections::BTreeMap;

/// A key as it lies on disk.
pub type Key = [u8; 21];

/// A block address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    /// The member's number.
    pub member: u64,
    /// The block.
    pub block: u64,
}

impl Address {
    /// Eight bytes of a disk.
    pub fn load(bytes: &[u8]) -> Self {
        Self { member: number(&bytes[..2]), block: number(&bytes[2..8]) }
    }

    /// Whether it is a place at all.
    pub fn is_some(self) -> bool {
        self.member != 65535
    }
}

/// A tree node of the newest state.
#[derive(Clone, Debug)]
pub struct NodePlace {
    /// Where its replicas are.
    pub replicas: Vec<Address>,
    /// Its level.
    pub level: u64,
    /// Its keys.
    pub keys: Vec<Key>,
}

/// A pool that was read.
#[derive(Debug)]
pub struct Reader<'d> {
    /// The byte tables.
    pub structures: &'d Structures,
    disks: &'d [Vec<u8>],
    /// The disk that is each member.
    members: BTreeMap<u64, usize>,
    /// The label of the first disk.
    label: View<'d>,
    /// The newest state.
    pub superblock: View<'d>,
    /// All nodes, parents before their children.
    pub nodes: Vec<NodePlace>,
    /// All records of all leaves.
    pub records: BTreeMap<Key, Vec<u8>>,
}

impl<'d> Reader<'d> {
    /// Reads the newest state of a pool: labels, rings, the whole tree.
    pub fn open(structures: &'d Structures, disks: &'d [Vec<u8>]) -> Self {
        let labels: Vec<View<'d>> = disks.iter().map(|disk| label(structures, disk)).collect();
        let members = labels.iter().enumerate().map(|(disk, label)| (label.number("member"), disk)).collect();
        let newest = disks
            .iter()
            .zip(&labels)
            .map(|(disk, label)| newest_slot(structures, disk, label).1)
            .max_by_key(|state| (state.number("epoch_raw"), state.number("generation_raw")))
            .expect("at least one disk");
        let mut reader = Self {
            structures,
            disks,
            members,
            label: labels[0],
            superblock: newest,
            nodes: Vec::new(),
            records: BTreeMap::new(),
        };
        reader.read_tree();
        reader
    }

    fn shifted(&self, shift: &str) -> usize {
        1 << self.label.number(shift)
    }

    /// Bytes of a node.
    pub fn node_bytes(&self) -> usize {
        self.shifted("node_shift")
    }

    /// The longest value of a record.
    pub fn value_max(&self) -> usize {
        (self.node_bytes() - 32) / 4 - 25
    }

    /// The disk and the byte of an address.
    pub fn place(&self, address: Address) -> (usize, usize) {
        let disk =
            *self.members.get(&address.member).unwrap_or_else(|| panic!("{address:?} is on no member"));
        (disk, (address.block as usize) << self.label.number("block_shift"))
    }

    /// Bytes at a block.
    pub fn bytes_at(&self, address: Address, bytes: usize) -> &'d [u8] {
        let (disk, at) = self.place(address);
        &self.disks[disk][at..at + bytes]
    }

    /// Row `i` of the member table.
    fn row(&self, i: usize) -> View<'d> {
        let (fixed, row) = (self.superblock.structure.bytes, &self.structures["MemberRow"]);
        row.view(&self.superblock.bytes[fixed + i * row.bytes..])
    }

    /// Rows of the member table, empty ones too.
    fn rows(&self) -> usize {
        self.superblock.number("member_rows") as usize
    }

    /// The records of an object and a kind: the key's offset and the value.
    pub fn of_kind(&self, object: u64, kind: u8) -> impl Iterator<Item = (u64, &[u8])> {
        let (first, last) = (key(object, kind, 0, 0), key(object, kind, u64::MAX, u32::MAX));
        self.records.range(first..=last).map(|(key, value)| (offset_of(key), &value[..]))
    }
}

/// A key from its parts.
pub fn key(object: u64, kind: u8, offset: u64, snapshot: u32) -> Key {
    let mut key = [kind; 21];
    key[..8].copy_from_slice(&object.to_be_bytes());
    key[9..17].copy_from_slice(&offset.to_be_bytes());
    key[17..].copy_from_slice(&snapshot.to_be_bytes());
    key
}

/// A key's offset.
pub fn offset_of(key: &Key) -> u64 {
    key[9..17].iter().fold(0, |offset, &byte| offset << 8 | u64::from(byte))
}

/// A disk's label, all three proved.
pub fn label<'d>(structures: &'d Structures, disk: &'d [u8]) -> View<'d> {
    let structure = &structures["Label"];
    let label = structure.view(&disk[..structure.bytes]);
    assert_eq!(label.field("magic"), b"DynamFS1");
    assert_eq!(label.number("crc"), u64::from(crc32c(0, &label.bytes[4..])), "the label's checksum");
    assert_eq!((label.number("version"), label.number("algorithm"), label.number("incompat")), (2, 1, 0));
    for place in ["copy_at", "end_at"] {
        let at = label.number(place) as usize;
        assert_eq!(&disk[at..at + structure.bytes], label.bytes, "the label at {place}");
    }
    check_places(&label, disk.len());
    label
}

/// The bytes of a sector that any disk of the pool may have.
fn unit(label: &View<'_>) -> usize {
    let bytes = |shift: &str| 1 << label.number(shift);
    bytes("node_shift").min(bytes("chunk_shift")).min(4096)
}

/// The parts of a disk lie where the document says.
fn check_places(label: &View<'_>, bytes: usize) {
    let field = |name: &str| label.number(name) as usize;
    let unit = unit(label);
    let ring = field("ring_length") * field("slot_bytes");
    let copies = [1 << 20, 64 << 10, 4 << 10];
    let copy_at = copies.into_iter().find(|&at| at <= bytes / 64).unwrap_or(copies[2]);
    let is_before = copy_at == copies[2] && unit + ring <= copy_at;
    let ring_a = if is_before { unit } else { copy_at + unit };
    let end_at = bytes / unit * unit - unit;
    let ring_b = (end_at - ring) / unit * unit;
    assert_eq!((field("copy_at"), field("ring_a")), (copy_at, ring_a), "the copy and ring A");
    assert_eq!((field("end_at"), field("ring_b")), (end_at, ring_b), "the last label and ring B");
    let data_start = (ring_a + ring).max(copy_at + unit).div_ceil(1 << field("block_shift"));
    assert_eq!((field("data_start"), field("serial")), (data_start, 1));
    let blocks = if field("witness") == 1 { 0 } else { (ring_b >> field("block_shift")) - data_start };
    assert_eq!(field("data_blocks"), blocks);
}

/// A disk's newest superblock and the byte of ring A at which it lies; its copy in ring B is proved too.
pub fn newest_slot<'d>(structures: &'d Structures, disk: &'d [u8], label: &View<'d>) -> (usize, View<'d>) {
    let fixed =
        structures["Superblock"].bytes + structures["MemberRow"].bytes * label.number("members_max") as usize;
    let superblock_bytes = fixed.next_multiple_of(unit(label));
    let slot = |ring: &str, place: u64| {
        let at = (label.number(ring) + place * label.number("slot_bytes")) as usize;
        (at, structures["Superblock"].view(&disk[at..at + superblock_bytes]))
    };
    let valid = |place: u64, slot: &View<'_>| {
        slot.field("magic") == b"DFsb"
            && slot.field("pool") == label.field("pool")
            && slot.field("disk") == label.field("disk")
            && slot.number("sequence") % label.number("ring_length") == place
            && slot.number("crc") == u64::from(crc32c(0, &slot.bytes[4..]))
    };
    let newest = (0..label.number("ring_length"))
        .map(|place| (place, slot("ring_a", place)))
        .filter(|(place, (_, slot))| valid(*place, slot))
        .max_by_key(|(_, (_, slot))| slot.number("sequence"));
    let (place, found) = newest.expect("a valid superblock");
    assert_eq!(found.1.bytes, slot("ring_b", place).1.bytes, "both rings hold the same");
    check_rest(structures, &found.1, label);
    found
}

/// No features that are not known, as many rows as the pool has members at most, and zeros behind them.
fn check_rest(structures: &Structures, slot: &View<'_>, label: &View<'_>) {
    let rows = slot.number("member_rows");
    assert_eq!((rows, slot.number("incompat")), (label.number("members_max"), 0));
    let end = slot.structure.bytes + rows as usize * structures["MemberRow"].bytes;
    assert!(slot.bytes[end..].iter().all(|&byte| byte == 0), "zeros behind the member table");
}

/// Reads a pool with the document that is there now.
pub fn with_document<R>(disks: &[Vec<u8>], f: impl FnOnce(&Reader<'_>) -> R) -> R {
    let structures = Document::load().structures();
    f(&Reader::open(&structures, disks))
}
