//! Every structure is decoded from raw bytes, read field by field, and written back.
#![no_main]

use dynamicfs_core::format::checksum::crc32c;
use dynamicfs_core::format::extent::{EXTENT_BYTES_MAX, Extent, ExtentHeader};
use dynamicfs_core::format::inode::Inode;
use dynamicfs_core::format::key::{KEY_BYTES, Key};
use dynamicfs_core::format::label::{self, LABEL_BYTES};
use dynamicfs_core::format::name::EntryTarget;
use dynamicfs_core::format::node::{self, Node, NodeExpectation, NodeHeader};
use dynamicfs_core::format::parameters::PoolParameters;
use dynamicfs_core::format::pointer::{NodePointer, POINTER_BYTES_MAX};
use dynamicfs_core::format::record::{CountersRecord, MemberRecord, OrphanRecord, SPANS_MAX, dead, group};
use dynamicfs_core::format::superblock::{self, SlotContents, Superblock};
use dynamicfs_core::types::{BlockAddress, Column, Epoch, FragmentIndex, Generation, MemberNumber, Row};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&which, bytes)) = data.split_first() else { return };
    match which % 8 {
        0 => label(bytes),
        1 => superblock(bytes),
        2 => node(bytes),
        3 => extent(bytes),
        4 => inode(bytes),
        5 => pointer(bytes),
        6 => groups(bytes),
        _ => small(bytes),
    }
});

/// A decoded label gives the same label again.
fn label(bytes: &[u8]) {
    let _ = label::decode(bytes, crc32c);
    let mut sealed = [0; LABEL_BYTES];
    let length = bytes.len().min(LABEL_BYTES);
    sealed[..length].copy_from_slice(&bytes[..length]);
    sealed[4..12].copy_from_slice(&label::LABEL_MAGIC.to_le_bytes());
    let crc = crc32c(0, &sealed[4..]);
    sealed[..4].copy_from_slice(&crc.to_le_bytes());
    let Ok((parameters, disk)) = label::decode(&sealed, crc32c) else { return };
    let _ = (parameters.block_bytes(), parameters.node_bytes(), parameters.chunk_bytes());
    let _ = dynamicfs_core::Memory::bytes_min(&parameters);
    let mut again = [0; LABEL_BYTES];
    label::encode(&mut again, &parameters, &disk, crc32c);
    assert_eq!(label::decode(&again, crc32c), Ok((parameters, disk)));
}

/// A superblock that is valid has every value within its bounds.
fn superblock(bytes: &[u8]) {
    let mut slot = bytes.to_vec();
    slot.resize(superblock::bytes(4).max(slot.len()), 0);
    let mut view = Superblock::new(&mut slot[..]).expect("long enough");
    view.set_magic(superblock::SUPERBLOCK_MAGIC);
    let (pool, disk, sequence) = (view.pool(), view.disk(), view.sequence());
    let claim = view.claim();
    view.seal(disk, sequence, claim, crc32c);
    let (ring_length, members_max) = (4 << (sequence % 5), view.member_rows());
    let place = sequence % u64::from(ring_length);
    let parameters = PoolParameters { pool, ring_length, members_max, ..PoolParameters::UNKNOWN };
    if superblock::examine(&slot, &parameters, disk, place, crc32c) != SlotContents::Valid {
        return;
    }
    let mut view = Superblock::new(&mut slot[..]).expect("long enough");
    let root = view.root();
    assert!(!root.replicas().is_empty());
    assert!(view.ancestry().count() <= dynamicfs_core::limits::BRANCHES_MAX);
    assert_eq!(view.rows(), usize::from(members_max));
    for row in (0..view.rows()).map(Row) {
        let row = view.row(row);
        let _ = (row.number(), row.free(), row.node_free(), row.node_group(), row.data_group());
        if row.number() != MemberNumber::NONE.0 {
            assert!(view.row_of(MemberNumber(row.number())).is_some());
        }
    }
    let _ = (view.table(), view.lists(), view.online(), view.owed(), view.scheme(), view.order());
    let level = view.root_level();
    view.set_root(&root, level);
    assert_eq!(view.root(), root);
    view.set_order(Epoch(view.epoch_raw() + 1), view.generation().next());
    view.fork(9);
    assert_eq!(view.branch(), 9);
    for row in (0..view.rows()).map(Row) {
        view.clear_row(row);
    }
    assert!(view.table().is_empty());
}

/// A node that verifies can be searched, changed and split.
fn node(bytes: &[u8]) {
    let Some((&shape, bytes)) = bytes.split_first() else { return };
    let length = [512, 1024, 4096][usize::from(shape % 3)];
    let mut raw = bytes.to_vec();
    raw.resize(length, 0);
    // What would be drawn too rarely: the slots are as the records say.
    if shape & 4 != 0 {
        lay_slots(&mut raw);
    }
    let mut header = NodeHeader::new(&mut raw[..]).expect("long enough");
    header.set_magic(node::NODE_MAGIC);
    let (level, birth, pool) = (header.level() % 17, Generation(header.birth()), header.pool());
    header.set_level(level);
    let crc = Node::new(&mut raw[..]).seal(crc32c);
    if node::verify(crc32c, &raw, &NodeExpectation { crc, birth, level, pool }).is_err() {
        return;
    }
    let mut copy = raw.clone();
    let mut node = Node::new(&mut copy[..]);
    assert_eq!((node.level(), node.birth()), (level, birth));
    assert_eq!(node.free_bytes() + node.used_bytes() + 32, length);
    for i in 0..node.count() {
        let key = node.key(i);
        assert_eq!(node.search(&key), Ok(i));
        assert_eq!(node.child_for(&key), i);
        if level > 0 {
            assert!(!node.pointer(i).replicas().is_empty());
        }
    }
    if node.count() > 1 {
        let middle = node.middle();
        assert!((1..node.count()).contains(&middle));
        let mut right = vec![0; length];
        let mut right = Node::new(&mut right[..]);
        right.init(level, birth, pool);
        node.move_tail(middle, &mut right);
        assert!(node.key(node.count() - 1) < right.key(0));
    }
    let mut node = Node::new(&mut raw[..]);
    let key = Key::from_bytes(&[0x55; KEY_BYTES]);
    if let Err(at) = node.search(&key)
        && node.fits(9)
    {
        node.insert(at, &key, &[1; 9]);
        assert_eq!(node.value(at), [1; 9]);
        node.replace(at, &[2; 4]);
        node.remove(at);
    }
    while node.count() > 0 {
        node.remove(node.count() / 2);
    }
    assert_eq!(node.free_bytes() + 32, length);
}

/// Writes the slots of as many records as follow one another.
fn lay_slots(raw: &mut [u8]) {
    let (length, mut at, mut count) = (raw.len(), 32, 0);
    let wanted = usize::from(raw[10] % 24);
    while count < wanted && at + 23 + 2 * (count + 1) <= length {
        let bytes = usize::from(raw[at + KEY_BYTES]) % 120;
        if at + 23 + bytes + 2 * (count + 1) > length {
            break;
        }
        raw[at + KEY_BYTES..at + 23].copy_from_slice(&(bytes as u16).to_le_bytes());
        // Ascending, whatever the bytes were.
        raw[at] = count as u8 * 8 + raw[at] % 8;
        count += 1;
        raw[length - 2 * count..][..2].copy_from_slice(&(at as u16).to_le_bytes());
        at += 23 + bytes;
    }
    raw[10..12].copy_from_slice(&(count as u16).to_le_bytes());
}

/// An extent that decodes gives the same record again.
fn extent(bytes: &[u8]) {
    let Some((&shifts, bytes)) = bytes.split_first() else { return };
    let mut raw = bytes.to_vec();
    if let Some(mut header) = ExtentHeader::new(&mut raw[..]) {
        // What would be drawn too rarely.
        header.set_flags(0);
    }
    let head = Extent::head_bytes_of(&raw);
    let Some(extent) = Extent::decode(&raw) else { return };
    let (block_shift, chunk_shift) = (9 + shifts % 8, 9 + shifts / 8 % 6);
    assert_eq!(head, Some(extent.head_bytes()));
    let _ = extent.fragment_bytes(block_shift);
    let columns = extent.columns(block_shift, chunk_shift);
    let bytes = extent.record_bytes(block_shift, chunk_shift);
    for fragment in 0..extent.scheme.width() {
        assert!(extent.crc_at(FragmentIndex(fragment), Column(columns.saturating_sub(1))) < bytes);
        let _ = extent.fragments()[fragment].address.is_some();
    }
    let mut out = [0; EXTENT_BYTES_MAX];
    let length = extent.encode(&mut out);
    assert_eq!(length, extent.head_bytes());
    let again = Extent::decode(&out[..length]);
    assert_eq!(again.as_ref(), Some(&extent));
    let mut healed = extent.clone();
    for fragment in 0..extent.scheme.width() {
        let address = BlockAddress { member: MemberNumber(fragment as u16), block: 5 };
        healed.heal(FragmentIndex(fragment), address, Generation((extent.birth.0 + 1) & ((1 << 48) - 1)));
    }
    let length = healed.encode(&mut out);
    assert_eq!(Extent::decode(&out[..length]), Some(healed));
}

fn inode(bytes: &[u8]) {
    let Some(inode) = Inode::decode(bytes) else { return };
    let again = Inode::decode(&inode.encode());
    assert_eq!(again, Some(inode));
    let _ = inode.extent_bytes();
}

fn pointer(bytes: &[u8]) {
    let Some(pointer) = NodePointer::load(bytes) else { return };
    let mut out = [0; POINTER_BYTES_MAX];
    let length = pointer.store(&mut out);
    assert_eq!(&out[..length], bytes);
}

/// All ways to read a group's record agree.
fn groups(bytes: &[u8]) {
    let Some((&blocks, record)) = bytes.split_first() else { return };
    let blocks = 128u32 << (blocks % 4);
    let bytes = blocks as usize / 8;
    let mut bitmap = vec![0; bytes];
    let loaded = group::load(Some(record), &mut bitmap);
    let allocated = group::allocated(record, blocks);
    assert_eq!(loaded.is_some(), allocated.is_some());
    let mut buffer = vec![0; 1 + bytes.max(record.len())];
    buffer[..record.len()].copy_from_slice(record);
    let expanded = group::expand(&mut buffer, Some(record.len()), bytes);
    assert_eq!(expanded.is_some(), loaded.is_some());
    if loaded.is_none() {
        return;
    }
    assert_eq!(buffer[1..=bytes], bitmap[..]);
    let ones: u32 = bitmap.iter().map(|byte| byte.count_ones()).sum();
    assert_eq!(allocated, Some(ones));
    let mut out = vec![0; group::bytes_max(blocks)];
    let stored = group::store(&bitmap, &mut out);
    assert_eq!(stored, group::compact(&mut buffer, bytes));
    let mut again = vec![9; bytes];
    assert!(group::load(stored.map(|length| &out[..length]), &mut again).is_some());
    assert_eq!(again, bitmap);
}

fn small(bytes: &[u8]) {
    for run in dead::runs(bytes) {
        let mut out = [0; dead::RUN_BYTES];
        dead::store(&mut out, &run);
        assert!(dead::runs(&out).eq([run]));
    }
    if let Some(target) = EntryTarget::decode(bytes) {
        assert_eq!(EntryTarget::decode(&target.encode()), Some(target));
    }
    if let Some(record) = MemberRecord::new(bytes) {
        assert!(record.untrusted().count() <= SPANS_MAX);
        let _ = (record.offline_since(), record.blocks(), record.start());
        let mut copy = bytes.to_vec();
        let mut record = MemberRecord::new(&mut copy[..]).expect("long enough");
        record.distrust(Generation(1)..Generation(2));
        assert!(record.untrusted().count() <= SPANS_MAX);
    }
    if let Some(record) = OrphanRecord::new(bytes) {
        let _ = (record.offset(), record.whole());
    }
    if let Some(record) = CountersRecord::new(bytes) {
        let _ = (record.reads(), record.repairs());
    }
    if bytes.len() >= KEY_BYTES {
        let key = Key::from_bytes(bytes);
        assert_eq!(key.as_bytes()[..], bytes[..KEY_BYTES]);
        assert!(key == Key::MAX || key.successor() > key);
        let _ = (key.object(), key.kind(), key.offset(), key.snapshot(), key.as_group());
    }
}
