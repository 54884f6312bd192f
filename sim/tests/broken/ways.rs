//! The ways in which a world is broken: what a bug would have done to the disks, to a transaction, to a
//! checksum.

use dynamicfs_core::Pool;
use dynamicfs_core::format::extent::ExtentHeader;
use dynamicfs_core::format::key::Kind;
use dynamicfs_core::format::pointer::NodePointer;
use dynamicfs_core::format::record::dead;
use dynamicfs_core::maintain::{JobKind, JobState};
use dynamicfs_core::object::Objects;
use dynamicfs_core::space::Class;
use dynamicfs_core::types::{Row, Set};
use dynamicfs_hal::BlockDevice;
use dynamicfs_sim::{IoKind, Mishap, Rng, SimArray, SimDisk, forge};
use std::cell::RefCell;

/// A checksum that looks at the beginning of what is long: a fragment's data is not proved.
pub(super) fn hardly_looks(crc: u32, bytes: &[u8]) -> u32 {
    dynamicfs_sim::world::crc32c(crc, &bytes[..bytes.len().min(64)])
}

/// A checksum that looks at nothing.
pub(super) fn blind(_: u32, bytes: &[u8]) -> u32 {
    bytes.len() as u32
}

/// One disk rots all over, unnoticed.
pub(super) fn rot(array: &mut SimArray, _: &mut Rng) {
    let bytes = array.disk(0).geometry().bytes();
    for at in (16_384 + 300..bytes - 16_384).step_by(512) {
        array.disk_mut(0).flip_bits(at, 1);
    }
}

/// A checksum whose code is broken.
pub(super) fn breaks(crc: u32, bytes: &[u8]) -> u32 {
    assert!(bytes.len() < 400 || bytes[77] != 200, "a byte that nobody thought of");
    dynamicfs_sim::world::crc32c(crc, bytes)
}

thread_local! {
    static OLD: RefCell<Option<SimArray>> = const { RefCell::new(None) };
}

/// All disks at once are set back to an older state, which no check can see. It is as if a superblock were
/// chosen though newer ones were acknowledged.
pub(super) fn go_back(array: &mut SimArray, rng: &mut Rng) {
    use dynamicfs_hal::DiskArray;
    OLD.with_borrow_mut(|old| match old {
        Some(image) if rng.coin() && same(image, array) => {
            for disk in 0..array.disks() {
                array.disk_mut(disk).roll_back(image.disk(disk));
            }
        }
        _ => *old = Some(array.clone()),
    });
}

/// Whether an image is of this world, and not of an earlier run's.
fn same(image: &SimArray, array: &SimArray) -> bool {
    use dynamicfs_hal::DiskArray;
    let label = |array: &SimArray, disk| {
        let mut bytes = [0; 512];
        array.disk(disk).pristine(0, &mut bytes);
        bytes
    };
    image.disks() == array.disks()
        && (0..array.disks()).all(|disk| {
            image.disk(disk).geometry() == array.disk(disk).geometry()
                && label(image, disk) == label(array, disk)
        })
}

/// Changes what a disk holds beside its labels and rings of superblocks to what another one of its size holds
/// there.
fn change_contents(array: &mut SimArray, disk: usize, source: &SimDisk) {
    let geometry = array.disk(disk).geometry();
    let sector = u64::from(geometry.sector_bytes);
    let mut bytes = vec![0; geometry.sector_bytes as usize];
    array.disk(disk).pristine(0, &mut bytes);
    let label = dynamicfs_core::format::label::decode(&bytes, dynamicfs_sim::world::crc32c);
    let Ok((parameters, identity)) = label else { return };
    if source.geometry() != geometry {
        return;
    }
    let ring_bytes = u64::from(parameters.slot_bytes) * u64::from(parameters.ring_length);
    let is_ring = |lba: u64| {
        [identity.ring_a, identity.ring_b]
            .iter()
            .any(|ring| (*ring..ring + ring_bytes).contains(&(lba * sector)))
            || identity.label_places().contains(&(lba * sector))
    };
    for lba in (0..geometry.sectors).filter(|&lba| !is_ring(lba)) {
        array.disk_mut(disk).roll_back_region(source, lba..lba + 1);
    }
}

/// A disk that missed commits has the superblocks of those that did not: it is taken for current.
pub(super) fn forget_what_was_missed(array: &mut SimArray, _: &mut Rng) {
    OLD.with_borrow_mut(|old| match old {
        Some(image) if same(image, array) => change_contents(array, 0, image.disk(0)),
        _ => *old = Some(array.clone()),
    });
}

/// What lies where a disk was enlarged is not kept.
pub(super) fn lose_what_is_new(array: &mut SimArray, _: &mut Rng) {
    use dynamicfs_hal::DiskArray;
    let pool = |array: &SimArray| dynamicfs_sim::states::pool_of(array.disk(0));
    OLD.with_borrow_mut(|old| match old {
        Some(image) if pool(image) == pool(array) => {
            for disk in 0..array.disks().min(image.disks()) {
                let (before, after) =
                    (image.disk(disk).geometry().bytes(), array.disk(disk).geometry().bytes());
                for at in (before..after.saturating_sub(END_BYTES)).step_by(512) {
                    array.disk_mut(disk).flip_bits(at, 1);
                }
            }
        }
        _ => *old = Some(array.clone()),
    });
}

/// The end of a disk, where its last label and a ring of superblocks are.
const END_BYTES: u64 = 256 << 10;

/// A new disk with the label and the superblocks of the one that was there: it is taken for that.
pub(super) fn let_a_stranger_in(array: &mut SimArray, rng: &mut Rng) {
    let stranger = SimDisk::new(array.disk(0).geometry(), rng.next_u64());
    change_contents(array, 0, &stranger);
}

/// Two disks swapped their places, and their labels and superblocks stayed: members are told by their places.
pub(super) fn tell_by_place(array: &mut SimArray, _: &mut Rng) {
    use dynamicfs_hal::DiskArray;
    if array.disks() > 1 {
        let (one, other) = (array.disk(0).clone(), array.disk(1).clone());
        change_contents(array, 0, &other);
        change_contents(array, 1, &one);
    }
}

/// The other labels are as bad as the first: as if they were never looked at.
pub(super) fn lose_labels(array: &mut SimArray, _: &mut Rng) {
    let mut bytes = [0; 512];
    array.disk(0).pristine(0, &mut bytes);
    let label = dynamicfs_core::format::label::decode(&bytes, dynamicfs_sim::world::crc32c);
    // Once is enough.
    let Ok((_, identity)) = label else { return };
    for at in identity.label_places() {
        array.disk_mut(0).flip_bits(at + 40, 1);
    }
}

/// The copy of a disk is not seen as one.
pub(super) fn hide_the_copy(array: &mut SimArray) {
    use dynamicfs_hal::DiskArray;
    let last = array.disks() - 1;
    array.disk_mut(last).wipe();
}

/// One free block is marked as allocated in the free map, or what follows from that.
pub(super) fn leak(array: &mut SimArray, _: &mut Rng) {
    forge_group(array, |byte| *byte |= 1 << byte.trailing_ones().min(7));
}

/// One allocated block is marked as free: it will be given away again.
pub(super) fn give_away(array: &mut SimArray, _: &mut Rng) {
    forge_group(array, |byte| *byte &= byte.wrapping_sub(1));
}

fn forge_group(array: &mut SimArray, change: fn(&mut u8)) {
    let mut done = false;
    forge::records(array, |key, value| {
        // A group's record: a head of one byte, then the bitmap.
        let fits = !done && key.kind() == Kind::Group as u8 && value.len() > 8;
        if fits {
            let byte = value[1..].iter_mut().find(|byte| **byte != 0 && **byte != 0xFF);
            done = byte.map(change).is_some();
        }
        done && fits
    });
}

/// A file's size is not what was written.
pub(super) fn resize(array: &mut SimArray, _: &mut Rng) {
    let mut done = false;
    forge::records(array, |key, value| {
        let fits = !done && key.kind() == Kind::Inode as u8 && key.object().0 >= 16;
        if fits {
            // The lowest byte of the number of links.
            value[16] ^= 1;
            done = true;
        }
        fits
    });
}

/// A fragment is said to be on the member that has another one of the same extent.
pub(super) fn put_on_one_member(array: &mut SimArray, _: &mut Rng) {
    let mut done = false;
    forge::records(array, |key, value| {
        let is_head = key.kind() == Kind::Extent as u8 && key.offset().is_multiple_of(4096);
        let wide = ExtentHeader::new(&*value).is_some_and(|head| head.data() + head.parity() > 1);
        // Behind the head the fragments' addresses, which begin with the member.
        let at = ExtentHeader::<&[u8]>::BYTES;
        let fits = !done && is_head && wide && value[at..at + 2] != value[at + 8..at + 10];
        if fits {
            value.copy_within(at..at + 2, at + 8);
            done = true;
        }
        fits
    });
}

/// The root is said to have one replica, whatever there is.
pub(super) fn forget_replicas(array: &mut SimArray, _: &mut Rng) {
    forge::superblocks(array, |superblock| {
        let (root, level) = (superblock.root(), superblock.root_level());
        let mut alone = NodePointer::new(root.birth, &root.replicas()[..1]);
        alone.crc = root.crc;
        superblock.set_root(&alone, level);
    });
}

/// What a rebuild writes first is not there, and it continues.
pub(super) fn write_nothing(array: &mut SimArray) {
    use dynamicfs_hal::DiskArray;
    (0..array.disks()).for_each(|disk| array.disk_mut(disk).mishap_next(IoKind::Write, 1, Mishap::Lie));
}

/// No step continues a rebuild.
pub(super) fn pause_rebuild(pool: &mut Pool<'_, &mut SimArray>) {
    // There may be none.
    let _ = pool.set_job_state(JobKind::Rebuild, JobState::Paused);
}

/// Half of what a pool holds that is called whole is not there.
pub(super) fn empty_disks(array: &mut SimArray) {
    use dynamicfs_hal::DiskArray;
    for disk in (0..array.disks()).step_by(2) {
        let bytes = array.disk(disk).geometry().bytes();
        for at in (16_384 + 300..bytes - 16_384).step_by(512) {
            array.disk_mut(disk).flip_bits(at, 1);
        }
    }
}

/// A file is shorter than it was, and its extents are left.
pub(super) fn cut_off(array: &mut SimArray, _: &mut Rng) {
    let (mut done, mut long) = (false, std::collections::BTreeSet::new());
    forge::records(array, |key, _| {
        if key.kind() == Kind::Extent as u8 && key.offset() >= 4096 {
            long.insert(key.object().0);
        }
        false
    });
    forge::records(array, |key, value| {
        // A file (1) that is not inline, not a hole alone, and its size.
        let fits = key.kind() == Kind::Inode as u8 && value[0] == 1 && value[7] == 0;
        let fits = fits && !done && long.contains(&key.object().0);
        let size = if fits { u64::from_le_bytes(value[24..32].try_into().unwrap_or_default()) } else { 0 };
        if size > 1 {
            value[24..32].copy_from_slice(&1_u64.to_le_bytes());
            done = true;
        }
        size > 1
    });
}

/// The last piece of a long attribute belongs to nothing.
pub(super) fn lose_a_piece(array: &mut SimArray, _: &mut Rng) {
    let mut done = false;
    forge::records(array, |key, value| {
        let fits = !done && key.kind() == Kind::Xattr as u8 && value[0] > 0x80;
        if fits {
            value[0] -= 1;
            done = true;
        }
        fits
    });
}

/// What a transaction frees is taken again in the same one, while the last commit still refers to it.
pub(super) fn reuse_early(objects: &mut Objects<'_, &mut SimArray>) {
    let tree = &mut objects.store.tree;
    let mut freed = vec![0; 1 << 16];
    let length = tree.space.drain_pending(&mut freed);
    let blocks = u64::from(tree.space.group_blocks());
    for run in dead::runs(&freed[..length]) {
        let row = tree.space.superblock.row_of(run.start.member);
        let Some((row, area)) = row.and_then(|row| Some((row, tree.area(row)?))) else { continue };
        let open = tree.space.open_group(row, Class::Data).map(|(group, ..)| u64::from(group));
        let (group, first) =
            ((run.start.block - area.start) / blocks, (run.start.block - area.start) % blocks);
        if open == Some(group) {
            let mut bits = vec![0; blocks as usize / 8];
            (first..(first + u64::from(run.blocks)).min(blocks))
                .for_each(|block| bits[block as usize / 8] |= 1 << (block % 8));
            tree.space.clear_open(row, Class::Data, &bits);
            tree.space.rewind(row, Class::Data, 1);
        } else {
            assert!(tree.space.free(run), "it was there before");
        }
    }
}

/// The cursors of open groups are where they were before the last commits: a crash lost them.
pub(super) fn lose_cursors(array: &mut SimArray, _: &mut Rng) {
    forge::superblocks(array, |superblock| {
        for row in superblock.table().iter() {
            let mut row = superblock.row_mut(row);
            let (nodes, data) = (row.node_base(), row.data_base());
            row.set_node_cursor(nodes);
            row.set_data_cursor(data);
        }
    });
}

/// What upkeep writes first, the repaired fragments, is not what should be there.
pub(super) fn repair_wrongly(array: &mut SimArray) {
    use dynamicfs_hal::DiskArray;
    (0..array.disks()).for_each(|disk| array.disk_mut(disk).mishap_next(IoKind::Write, 1, Mishap::Lie));
}

/// The superblocks on the disks that are left name them alone as members.
pub(super) fn forge_quorum(array: &mut SimArray) {
    use dynamicfs_hal::DiskArray;
    let mut sector = [0; 512];
    let mut present = Set::EMPTY;
    for disk in 0..array.disks() {
        let sectors = array.disk(disk).geometry().sector_bytes as usize;
        let mut buf = vec![0; sectors.max(sector.len())];
        if array.disk_mut(disk).read(0, &mut buf).is_ok() {
            sector.copy_from_slice(&buf[..512]);
            let label = dynamicfs_core::format::label::decode(&sector, dynamicfs_sim::world::crc32c);
            present = label.map_or(present, |(_, identity)| present.with(Row(identity.member.0.into())));
        }
    }
    forge::quorum(array, present);
}

/// What is on the disks is not seen.
pub(super) fn hide_pool(array: &mut SimArray) {
    use dynamicfs_hal::DiskArray;
    (0..array.disks()).for_each(|disk| array.disk_mut(disk).wipe());
}

/// A write that should not have been sent here.
pub(super) fn write_somewhere(disk: &mut SimDisk) {
    let sector = vec![0xEE; disk.geometry().sector_bytes as usize];
    disk.write(9, &sector).expect("written");
}

/// What the transaction has so far is committed, and the rest of it has none.
pub(super) fn commit_early(objects: &mut Objects<'_, &mut SimArray>) {
    // Whether it can be does not matter: some of them can.
    let _ = objects.commit();
}
