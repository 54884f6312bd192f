//! The checkers are checked: worlds that are broken so that a correct core behaves as a broken one. Each must be
//! noticed within so many seeds, and called what it is.
//!
//! `cargo test -p dynamicfs-sim --test broken -- --nocapture` prints the table: bug, seeds needed, what was reported.

use dynamicfs_core::format::extent::ExtentHeader;
use dynamicfs_core::format::key::Kind;
use dynamicfs_core::format::pointer::NodePointer;
use dynamicfs_core::format::record::dead;
use dynamicfs_core::maintain::{JobKind, JobState};
use dynamicfs_core::object::Objects;
use dynamicfs_core::space::Class;
use dynamicfs_core::types::MemberSet;
use dynamicfs_hal::BlockDevice;
use dynamicfs_sim::simulation::{Breakage, FailureKind, FaultKind, Faults, Setup, Simulation};
use dynamicfs_sim::{IoKind, Mishap, Rng, Sabotage, SimArray, SimDisk, forge};
use std::cell::RefCell;

/// One way to be broken.
struct Bug {
    what: &'static str,
    breakage: Breakage,
    faults: Faults,
    /// What may be reported.
    called: &'static [FailureKind],
    /// Seeds within which it must be.
    seeds: u64,
}

use FailureKind::{
    Health, Lost, NotRefused, Panic, Redundancy, Restless, Space, Unavailable, WrongAnswer, WrongState,
};

/// What was acknowledged is not there any more.
const LOST: &[FailureKind] = &[WrongState, Lost, Unavailable];
/// What was written is not what is read.
const DAMAGED: &[FailureKind] = &[WrongState, WrongAnswer, Lost, Unavailable, Health];

/// What is read is not what is there, and no checksum tells.
const UNREAD: &[FailureKind] = &[WrongState, WrongAnswer, Lost, Unavailable, Health, Space];
/// A disk holds what nobody wrote to it, and the atlas knows of no damage.
const STRANGE: &[FailureKind] = &[WrongState, Lost, Space, Unavailable];

fn sabotage(sabotage: Sabotage) -> Breakage {
    Breakage { sabotage: Some(sabotage), ..Breakage::default() }
}

/// Reads that lie, to a pool that compares no checksums.
fn unread(lie: Sabotage) -> Breakage {
    Breakage { crc32c: Some(blind), ..sabotage(lie) }
}

fn meddle(meddle: fn(&mut SimArray, &mut Rng)) -> Breakage {
    Breakage { meddle: Some(meddle), ..Breakage::default() }
}

/// A checksum that looks at the beginning of what is long: a fragment's data is not proved.
fn hardly_looks(crc: u32, bytes: &[u8]) -> u32 {
    dynamicfs_sim::world::crc32c(crc, &bytes[..bytes.len().min(64)])
}

/// A checksum that looks at nothing.
fn blind(_: u32, bytes: &[u8]) -> u32 {
    bytes.len() as u32
}

/// One disk rots all over, where nobody looks.
fn rot(array: &mut SimArray, _: &mut Rng) {
    let bytes = array.disk(0).geometry().bytes();
    for at in (16_384 + 300..bytes - 16_384).step_by(512) {
        array.disk_mut(0).flip_bits(at, 1);
    }
}

/// A checksum whose code is broken.
fn breaks(crc: u32, bytes: &[u8]) -> u32 {
    assert!(bytes.len() < 400 || bytes[77] != 200, "a byte that nobody thought of");
    dynamicfs_sim::world::crc32c(crc, bytes)
}

thread_local! {
    static OLD: RefCell<Option<SimArray>> = const { RefCell::new(None) };
}

/// All disks at once are set back to an older state, and nobody can know: a superblock chosen though newer ones were
/// acknowledged.
fn go_back(array: &mut SimArray, rng: &mut Rng) {
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

/// Changes what a disk holds beside its labels and rings of superblocks to what another one of its size holds there.
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
fn forget_what_was_missed(array: &mut SimArray, _: &mut Rng) {
    OLD.with_borrow_mut(|old| match old {
        Some(image) if same(image, array) => change_contents(array, 0, image.disk(0)),
        _ => *old = Some(array.clone()),
    });
}

/// What lies where a disk was enlarged is not kept.
fn lose_what_is_new(array: &mut SimArray, _: &mut Rng) {
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
fn let_a_stranger_in(array: &mut SimArray, rng: &mut Rng) {
    let stranger = SimDisk::new(array.disk(0).geometry(), rng.next_u64());
    change_contents(array, 0, &stranger);
}

/// Two disks swapped their places, and their labels and superblocks stayed: members are told by their places.
fn tell_by_place(array: &mut SimArray, _: &mut Rng) {
    use dynamicfs_hal::DiskArray;
    if array.disks() > 1 {
        let (one, other) = (array.disk(0).clone(), array.disk(1).clone());
        change_contents(array, 0, &other);
        change_contents(array, 1, &one);
    }
}

/// The other labels are as bad as the first: as if they were never looked at.
fn lose_labels(array: &mut SimArray, _: &mut Rng) {
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
fn hide_the_copy(array: &mut SimArray) {
    use dynamicfs_hal::DiskArray;
    let last = array.disks() - 1;
    array.disk_mut(last).wipe();
}

/// One free block is marked as allocated in the free map, or what follows from that.
fn leak(array: &mut SimArray, _: &mut Rng) {
    forge_group(array, |byte| *byte |= 1 << byte.trailing_ones().min(7));
}

/// One allocated block is marked as free: it will be given away again.
fn give_away(array: &mut SimArray, _: &mut Rng) {
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
fn resize(array: &mut SimArray, _: &mut Rng) {
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
fn put_on_one_member(array: &mut SimArray, _: &mut Rng) {
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
fn forget_replicas(array: &mut SimArray, _: &mut Rng) {
    forge::superblocks(array, |superblock| {
        let (root, level) = (superblock.root(), superblock.root_level());
        let mut alone = NodePointer::new(root.birth, &root.replicas()[..1]);
        alone.crc = root.crc;
        superblock.set_root(&alone, level);
    });
}

/// What a rebuild writes first is not there, and it goes on.
fn write_nothing(array: &mut SimArray) {
    use dynamicfs_hal::DiskArray;
    (0..array.disks()).for_each(|disk| array.disk_mut(disk).mishap_next(IoKind::Write, 1, Mishap::Lie));
}

/// Nobody goes on with a rebuild.
fn pause_rebuild(objects: &mut Objects<'_, &mut SimArray>) {
    // There may be none.
    let _ = objects.set_job_state(JobKind::Rebuild, JobState::Paused);
}

/// Half of what a pool holds that is called whole is not there.
fn empty_disks(array: &mut SimArray) {
    use dynamicfs_hal::DiskArray;
    for disk in (0..array.disks()).step_by(2) {
        let bytes = array.disk(disk).geometry().bytes();
        for at in (16_384 + 300..bytes - 16_384).step_by(512) {
            array.disk_mut(disk).flip_bits(at, 1);
        }
    }
}

/// A file is shorter than it was, and its extents are left.
fn cut_off(array: &mut SimArray, _: &mut Rng) {
    let mut done = false;
    forge::records(array, |key, value| {
        // A file (1) that is not inline, and its size.
        let fits = !done && key.kind() == Kind::Inode as u8 && value[0] == 1 && value[7] == 0;
        let size = if fits { u64::from_le_bytes(value[24..32].try_into().unwrap_or_default()) } else { 0 };
        if size > 1 {
            value[24..32].copy_from_slice(&1_u64.to_le_bytes());
            done = true;
        }
        size > 1
    });
}

/// The last piece of a long attribute belongs to nothing.
fn lose_a_piece(array: &mut SimArray, _: &mut Rng) {
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
fn reuse_early(objects: &mut Objects<'_, &mut SimArray>) {
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
fn lose_cursors(array: &mut SimArray, _: &mut Rng) {
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
fn repair_wrongly(array: &mut SimArray) {
    use dynamicfs_hal::DiskArray;
    (0..array.disks()).for_each(|disk| array.disk_mut(disk).mishap_next(IoKind::Write, 1, Mishap::Lie));
}

/// The superblocks on the disks that are left name them alone as members.
fn forge_quorum(array: &mut SimArray) {
    use dynamicfs_hal::DiskArray;
    let mut sector = [0; 512];
    let mut present = MemberSet::EMPTY;
    for disk in 0..array.disks() {
        let sectors = array.disk(disk).geometry().sector_bytes as usize;
        let mut buf = vec![0; sectors.max(sector.len())];
        if array.disk_mut(disk).read(0, &mut buf).is_ok() {
            sector.copy_from_slice(&buf[..512]);
            let label = dynamicfs_core::format::label::decode(&sector, dynamicfs_sim::world::crc32c);
            present = label.map_or(present, |(_, identity)| present.with(identity.member.0.into()));
        }
    }
    forge::quorum(array, present);
}

fn bugs() -> Vec<Bug> {
    let crashes = Faults::crashes();
    let split = Faults::only([FaultKind::Override]);
    let none = Faults::none();
    let bug = |what, breakage, faults, called, seeds| Bug { what, breakage, faults, called, seeds };
    vec![
        bug("no flush is done", sabotage(Sabotage::FlushesLie), crashes, LOST, 5),
        bug("no flush before the superblocks", sabotage(Sabotage::DataFlushSkipped), crashes, LOST, 40),
        bug("superblocks before the data", sabotage(Sabotage::SuperblockFirst), crashes, LOST, 40),
        bug(
            "acknowledged before the superblocks are durable",
            sabotage(Sabotage::AcknowledgedEarly),
            crashes,
            DAMAGED,
            20,
        ),
        bug(
            "a failed flush is retried and trusted",
            sabotage(Sabotage::FailedFlushTrusted),
            crashes,
            LOST,
            40,
        ),
        bug("a failed write is trusted", sabotage(Sabotage::FailedWriteTrusted), none, DAMAGED, 20),
        bug("a lack of room below is not noticed", sabotage(Sabotage::FullTrusted), none, DAMAGED, 20),
        bug("writes are lost", sabotage(Sabotage::WritesLost), none, DAMAGED, 20),
        bug("writes go astray", sabotage(Sabotage::WritesMisdirected), none, DAMAGED, 40),
        bug(
            "checksums are not compared",
            Breakage { crc32c: Some(hardly_looks), ..meddle(rot) },
            none,
            // A node may rot out of shape.
            &[WrongState, WrongAnswer, Lost],
            20,
        ),
        bug(
            "the checksum's code is broken",
            Breakage { crc32c: Some(breaks), ..Breakage::default() },
            none,
            &[Panic],
            20,
        ),
        bug("an older superblock is chosen", meddle(go_back), none, &[WrongState], 20),
        // Or half of it is too little to be read.
        bug("half a pool is let in", breaks_split(), split, &[NotRefused, Unavailable], 60),
        bug(
            "space is reused a generation early",
            Breakage { in_transaction: Some(reuse_early), ..Breakage::default() },
            crashes,
            &[WrongState, WrongAnswer, Lost, Space, Unavailable],
            60,
        ),
        bug(
            "a cursor is lost at a crash",
            meddle(lose_cursors),
            crashes,
            &[Space, Lost, WrongState, Unavailable],
            20,
        ),
        bug(
            "a repair is not what should be there",
            Breakage { before_repair: Some(repair_wrongly), ..Breakage::default() },
            Faults::only([FaultKind::Rot, FaultKind::RotBurst, FaultKind::Scattered]),
            &[Lost, Unavailable, Restless, WrongState],
            200,
        ),
        bug("a failed read is trusted", unread(Sabotage::FailedReadTrusted), none, UNREAD, 20),
        bug("a read goes astray", unread(Sabotage::ReadsMisdirected), none, UNREAD, 20),
        bug("a block in use is discarded", sabotage(Sabotage::DiscardsTooMuch), none, DAMAGED, 60),
        bug("write protection is not noticed", sabotage(Sabotage::RefusedWritesTrusted), none, DAMAGED, 20),
        bug("a timeout is not noticed", sabotage(Sabotage::TimeoutTrusted), none, DAMAGED, 20),
        bug(
            "what takes long is given up",
            sabotage(Sabotage::SlowGivenUp),
            Faults::only([FaultKind::Stall, FaultKind::SlowDisk]),
            &[Health, Unavailable, Lost],
            60,
        ),
        bug(
            "what a dead process left in the caches is trusted",
            sabotage(Sabotage::DataFlushSkipped),
            Faults::only([FaultKind::ProcessCrash, FaultKind::PowerCut]),
            LOST,
            60,
        ),
        bug("a stale disk is taken for current", meddle(forget_what_was_missed), none, STRANGE, 20),
        bug(
            "what lies in new space is lost",
            meddle(lose_what_is_new),
            Faults::only([FaultKind::Enlarged]),
            &[Health, WrongState, Lost, Space, Unavailable],
            200,
        ),
        bug("a stranger is let in", meddle(let_a_stranger_in), none, STRANGE, 20),
        bug("members are told by their places", meddle(tell_by_place), none, STRANGE, 20),
        bug(
            "a label's second copy is not looked at",
            meddle(lose_labels),
            none,
            &[Health, Unavailable, WrongState],
            20,
        ),
        bug(
            "a copied disk is let in",
            Breakage { before_clone: Some(hide_the_copy), ..Breakage::default() },
            Faults::only([FaultKind::Cloned]),
            &[NotRefused],
            60,
        ),
        bug("a block is leaked", meddle(leak), none, &[Space], 20),
        bug("a block is given away twice", meddle(give_away), none, &[Space, Lost, WrongState], 20),
        bug("an inode is not what was written", meddle(resize), none, &[WrongState, Lost, Space], 20),
        bug("two fragments are on one member", meddle(put_on_one_member), none, &[Redundancy], 20),
        bug("a node is on too few members", meddle(forget_replicas), none, &[Redundancy], 20),
        bug(
            "failure domains are not looked at",
            Breakage { hides_domains: true, ..Breakage::default() },
            none,
            &[Redundancy],
            300,
        ),
        bug(
            "a rebuild does not write what it says",
            Breakage { before_rebuild: Some(write_nothing), ..Breakage::default() },
            Faults::only([FaultKind::Unplugged]),
            &[Redundancy, Lost, Restless],
            200,
        ),
        bug(
            "what is owed is forgotten",
            Breakage { at_rest: Some(pause_rebuild), ..Breakage::default() },
            Faults::only([FaultKind::Unplugged]),
            &[Restless],
            200,
        ),
        bug(
            "what is called whole is not",
            Breakage { before_loss: Some(empty_disks), ..Breakage::default() },
            none,
            &[Lost, Unavailable, WrongState],
            40,
        ),
        bug("extents are left behind an object's end", meddle(cut_off), none, &[Space], 40),
        bug("a piece belongs to nothing", meddle(lose_a_piece), none, &[Space], 40),
        bug(
            "a mount's flushes are left out",
            sabotage(Sabotage::MountFlushSkipped),
            Faults::only([FaultKind::ProcessCrash, FaultKind::PowerCut, FaultKind::IdleMount]),
            // What only one disk shows any more is called tentative.
            &[WrongState, Lost, Unavailable, Health],
            400,
        ),
        bug(
            "superblocks that failed are trusted",
            sabotage(Sabotage::FailedSuperblockTrusted),
            Faults::only([FaultKind::SuperblockBatchFails, FaultKind::PowerCut]),
            &[WrongState, WrongAnswer, Lost, Unavailable, Health],
            60,
        ),
        bug(
            "an exchanged disk is written to",
            Breakage { on_stranger: Some(write_somewhere), ..Breakage::default() },
            Faults::only([FaultKind::ExchangedDisk]),
            &[WrongState],
            60,
        ),
        bug(
            "two users are told that their commits are there",
            Breakage { apart: true, ..Breakage::default() },
            Faults::only([FaultKind::SecondWriter]),
            &[WrongState, Lost, Unavailable],
            60,
        ),
        bug(
            "a pool that is there is formatted at a start",
            Breakage { before_start: Some(hide_pool), ..Breakage::default() },
            Faults::only([FaultKind::FirstFormatCut, FaultKind::PowerCut]),
            &[WrongState],
            60,
        ),
        bug(
            "a call inside a transaction commits it",
            Breakage { in_transaction: Some(commit_early), ..Breakage::default() },
            Faults::only([FaultKind::Misuse]),
            &[WrongState, WrongAnswer, Unavailable],
            20,
        ),
    ]
}

/// What is on the disks is not seen.
fn hide_pool(array: &mut SimArray) {
    use dynamicfs_hal::DiskArray;
    (0..array.disks()).for_each(|disk| array.disk_mut(disk).wipe());
}

/// A write that nobody should have sent here.
fn write_somewhere(disk: &mut SimDisk) {
    let sector = vec![0xEE; disk.geometry().sector_bytes as usize];
    disk.write(9, &sector).expect("written");
}

/// What the transaction has so far is committed, and the rest of it has none.
fn commit_early(objects: &mut Objects<'_, &mut SimArray>) {
    // Whether it can be does not matter: some of them can.
    let _ = objects.commit();
}

/// What is checked beside the faults, and the broken world that shows it.
const CHECKS: [(&str, &str); 8] = [
    ("fragments on distinct members", "two fragments are on one member"),
    ("replicas on distinct members", "a node is on too few members"),
    ("failure domains kept", "failure domains are not looked at"),
    ("an acquittal is proved", "a rebuild does not write what it says"),
    ("at rest nothing is owed", "what is owed is forgotten"),
    ("whole means whole", "what is called whole is not"),
    ("nothing behind an object's end", "extents are left behind an object's end"),
    ("no stray pieces", "a piece belongs to nothing"),
];

fn breaks_split() -> Breakage {
    Breakage { before_split: Some(forge_quorum), ..Breakage::default() }
}

#[test]
fn every_broken_world_is_noticed() {
    let mut missed = Vec::new();
    println!("| bug | seeds needed | reported |");
    println!("|---|---|---|");
    for bug in bugs() {
        let found = (0..bug.seeds).find_map(|seed| {
            let run = Simulation::new(seed).faults(bug.faults).broken(bug.breakage).run();
            run.err().map(|failure| (seed + 1, failure))
        });
        match found {
            Some((seeds, failure)) => {
                let what: String = failure.what.lines().next().unwrap_or_default().chars().take(90).collect();
                println!("| {} | {seeds} | {}: {what} |", bug.what, failure.kind.name());
                if !bug.called.contains(&failure.kind) {
                    missed.push(format!("{} is called {:?}", bug.what, failure.kind));
                }
            }
            None => missed.push(format!("{} is not noticed within {} seeds", bug.what, bug.seeds)),
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}

/// Which broken world shows that a fault would be noticed if it were not borne.
fn broken_world_of(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::PowerCut | FaultKind::FlushLie => "no flush is done",
        FaultKind::TornWrite => "superblocks before the data",
        FaultKind::ProcessCrash => "what a dead process left in the caches is trusted",
        FaultKind::NestedCrash => "no flush before the superblocks",
        FaultKind::Rot | FaultKind::RotBurst => "checksums are not compared",
        FaultKind::Scattered | FaultKind::Correlated => "a repair is not what should be there",
        FaultKind::RotSuperblock | FaultKind::RolledBack => "an older superblock is chosen",
        FaultKind::RotLabel => "a label's second copy is not looked at",
        FaultKind::LatentSector | FaultKind::ReadError | FaultKind::ReadNoise => "a failed read is trusted",
        FaultKind::MisdirectedRead => "a read goes astray",
        FaultKind::WriteError => "a failed write is trusted",
        FaultKind::NoSpaceBelow => "a lack of room below is not noticed",
        FaultKind::LostWrite => "writes are lost",
        FaultKind::MisdirectedWrite => "writes go astray",
        FaultKind::FlushError => "a failed flush is retried and trusted",
        FaultKind::Timeout => "a timeout is not noticed",
        FaultKind::Stall | FaultKind::SlowDisk => "what takes long is given up",
        FaultKind::WriteProtected => "write protection is not noticed",
        FaultKind::Unplugged | FaultKind::RegionRolledBack | FaultKind::SetBack => {
            "a stale disk is taken for current"
        }
        FaultKind::Replaced | FaultKind::ReplacedSmaller | FaultKind::Foreign | FaultKind::Wiped => {
            "a stranger is let in"
        }
        FaultKind::Cloned => "a copied disk is let in",
        FaultKind::Swapped => "members are told by their places",
        FaultKind::NoSpace => "a block is leaked",
        FaultKind::Override => "half a pool is let in",
        FaultKind::WellFormedLie => "an inode is not what was written",
        FaultKind::LostInRecovery => "a stale disk is taken for current",
        FaultKind::SuperblockBatchFails => "superblocks that failed are trusted",
        FaultKind::IdleMount => "a mount's flushes are left out",
        FaultKind::ExchangedDisk => "an exchanged disk is written to",
        FaultKind::SecondWriter => "two users are told that their commits are there",
        FaultKind::FirstFormatCut => "a pool that is there is formatted at a start",
        FaultKind::ChoiceCut => "half a pool is let in",
        FaultKind::Enlarged => "what lies in new space is lost",
        FaultKind::Misuse => "a call inside a transaction commits it",
        other => panic!("{other:?} has no broken world yet"),
    }
}

/// Each fault has a broken world, and the document has the table of them.
#[test]
fn every_fault_has_a_broken_world() {
    let document = include_str!("../../docs/SIMULATION.md");
    let bugs = bugs();
    for &kind in FaultKind::ALL {
        let world = broken_world_of(kind);
        assert!(bugs.iter().any(|bug| bug.what == world), "{kind:?}: there is no world in which {world}");
        let row = format!("| {} | {world} |", kind.name());
        assert!(document.contains(&row), "docs/SIMULATION.md lacks\n{row}");
    }
}

/// Each check has a broken world, and the document has the table of them.
#[test]
fn every_check_has_a_broken_world() {
    let document = include_str!("../../docs/SIMULATION.md");
    let bugs = bugs();
    for (check, world) in CHECKS {
        assert!(bugs.iter().any(|bug| bug.what == world), "{check}: there is no world in which {world}");
        let row = format!("| {check} | {world} |");
        assert!(document.contains(&row), "docs/SIMULATION.md lacks\n{row}");
    }
}

/// The same seeds in a world that is not broken: whatever is noticed above is noticed for its own sake.
#[test]
fn sound_worlds_with_the_same_seeds_are_called_sound() {
    for bug in bugs() {
        for seed in 0..bug.seeds.min(20) {
            let run = Simulation::new(seed).faults(bug.faults).run();
            run.unwrap_or_else(|failure| panic!("without {}: {failure}", bug.what));
        }
    }
}

/// A workload that does not depend on the seed alone is noticed by running it twice.
#[test]
fn what_is_not_deterministic_is_noticed() {
    use dynamicfs_sim::simulation::Workload;
    use std::hash::{BuildHasher, RandomState};
    let random: dynamicfs_sim::simulation::NextOperation = |model, scale, rng| {
        let mut other = Rng::new(RandomState::new().hash_one(rng.next_u64()));
        dynamicfs_sim::workload::random(model, scale, &mut |n| other.below(n.max(1)))
    };
    let run = |next| {
        let workload = Workload { next, ..Workload::steps(20) };
        let pool = Setup::small(dynamicfs_core::types::Scheme::mirror(2), 3);
        let report = Simulation::new(1).pool(pool).faults(Faults::none()).workload(workload).run();
        report.unwrap_or_else(|failure| panic!("{failure}")).trace_hash
    };
    let plain = Workload::default().next;
    assert_eq!(run(plain), run(plain));
    assert_ne!(run(random), run(random));
}
