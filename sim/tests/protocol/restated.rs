//! What a mount found is written once more on enough disks, before a block is written.

use super::*;
use dynamicfs_core::types::DiskIndex;
use dynamicfs_sim::Mishap;

/// A commit reached disk 2 alone. Disk 1 went back to an older image. A mount without disk 2 writes what it
/// found once more on disk 0 alone. Disk 1 keeps its own, and was counted all the same, as if half of the
/// list had it. The mount writes over the blocks of that commit, and is cut. Disks 1 and 2 are mounted
/// without disk 0: the commit is the newest state that they know, and is continued from. Then disk 0 is back.
/// It is called whole, and lacks what lay in the blocks that were written over. At no time was more than one
/// disk away and one behind, of three copies.
#[test]
fn a_disk_that_went_back_does_not_count_for_what_was_written_once_more() {
    let (mut tried, mut bad) = (0, Vec::new());
    for files in 22..26 {
        let mut world = World::with_rings(Scheme::mirror(3), 3, MEMORY, RING_LENGTH_MAX);
        (0..3).for_each(|n| world.put(&format!("file-{n}"), 20_000));
        let image = world.array.disk(1).clone();
        {
            let mut pool = world.mount();
            (3..files).for_each(|n| put(&mut pool, &format!("file-{n}"), 9000).expect("committed"));
        }
        let mut back = newest_on_one_disk(&world, 2, |world| {
            if let Ok(mut pool) = world.try_mount(MountMode::ReadWrite) {
                // It may be cut anywhere.
                let _ = put(&mut pool, "ahead", 9000);
            }
        });
        back.array.put(1, image);
        back.unplug(&[2]);
        cut_each_mount(&back, |at, mut cut| {
            cut.plug(&[2]);
            cut.unplug(&[0]);
            {
                // Where the first mount got further, disk 0 is needed.
                let Ok(mut pool) = cut.try_mount(MountMode::ReadWrite) else { return };
                if wrong(&mut pool, "ahead", 9000).is_some() {
                    return;
                }
            }
            tried += 1;
            cut.plug(&[0]);
            expect_called_whole(&mut cut);
            cut.unplug(&[1, 2]);
            let mode = MountMode::AssumeMissingDead { branch: 9 };
            let mut pool = cut.try_mount(mode).unwrap_or_else(|error| panic!("{files} files, {at}: {error}"));
            let names = (0..files).map(|n| (format!("file-{n}"), if n < 3 { 20_000 } else { 9000 }));
            let names = names.chain([("ahead".into(), 9000)]);
            let what = names.filter_map(|(name, length)| wrong(&mut pool, &name, length));
            bad.extend(what.map(|what| format!("{files} files, cut at {at}: {what}")));
        });
    }
    assert!(tried > 0);
    assert!(bad.is_empty(), "{} of {tried}: {:#?}", bad.len(), &bad[..bad.len().min(5)]);
}

/// A disk lacked room for the found state when a mount wrote it once more. It was taken out of use as if it
/// had failed. Those that were left were too few to continue: the mount took no writes, also when there was
/// room again. Lack of room is no fault of a disk. It stays in use, and the first transaction does what the
/// mount was to do.
#[test]
fn a_disk_without_room_for_what_is_written_once_more_stays_in_use() {
    let mut world = World::new(Scheme::mirror(2), 3, MEMORY);
    world.put("old", 20_000);
    world.unplug(&[2]);
    let found = order(&world, 1);
    let mut lacked = 0;
    for well in [0, 2] {
        let mut full = world.fork(MEMORY);
        // Neither ring's place.
        full.array.disk_mut(1).mishap_after(IoKind::Write, well, 2, Mishap::Fail(IoError::NoSpace));
        let mut pool = full.mount();
        // The claim comes first, which is no newer state.
        let [first, second] = [0, 1].map(|disk| states::newest_of(pool.array().disk(disk)));
        assert_eq!(second, Some(found), "{well}: it found room");
        lacked += u32::from(first > second);
        assert_eq!(pool.member_health(DiskIndex(1)).status, DiskStatus::Online, "{well}");
        assert!(pool.health().tentative, "{well}: it owes a commit");
        put(&mut pool, "new", 20_000).unwrap_or_else(|error| panic!("{well}: {error}"));
        assert_eq!(pool.member_health(DiskIndex(1)).status, DiskStatus::Online, "{well}");
        drop(pool);
        full.plug(&[2]);
        expect_called_whole(&mut full);
        let bad = wrong_without_one(&full, [0, 2], &["old", "new"], 20_000);
        assert!(bad.is_empty(), "{well}: {bad:#?}");
    }
    assert_eq!(lacked, 1, "what is written once more comes after the claim");
}

/// A disk is back that missed a commit, and another one is away: more than the pool tolerates, so the mount
/// takes no writes. It wrote what it found once more all the same, on the one disk that has it, and without
/// the one that is away. Then its commit was refused. From then on both were owed something, as the newest
/// state says. Every commit was refused, also with all disks there, and nothing that any of them lacked could
/// be rebuilt.
#[test]
fn nothing_is_written_once_more_without_disks_that_are_needed() {
    let mut world = World::new(Scheme::mirror(2), 5, MEMORY);
    world.put("old", 20_000);
    world.unplug(&[1]);
    world.put("meanwhile", 20_000);
    world.plug(&[1]);
    world.unplug(&[2]);
    let before = [0, 1, 3, 4].map(|disk| order(&world, disk));
    for _ in 0..2 {
        let mut pool = world.mount();
        assert!(!pool.health().writable, "one is away, and one behind");
        let refused = put(&mut pool, "refused", 1000);
        assert!(refused.is_err(), "{refused:?}");
        ["old", "meanwhile"].into_iter().for_each(|name| expect(&mut pool, name, 20_000));
    }
    let after = [0, 1, 3, 4].map(|disk| order(&world, disk));
    world.plug(&[2]);
    {
        let mut pool = world.mount();
        assert!(pool.health().writable, "all are there");
        put(&mut pool, "new", 20_000).expect("committed");
        rest(&mut pool);
        expect_whole(&mut pool, "rebuilt");
    }
    let names = ["old", "meanwhile", "new"];
    let bad = wrong_without_one(&world, [0, 2], &names, 20_000);
    assert!(bad.is_empty(), "{bad:#?}");
    assert_eq!(after, before, "no newer state");
}

/// A disk says that it wrote what a mount found once more, and did not. The mount's own commit looks at the
/// slots before it writes its superblocks: where that state should be there is something older. The disk was
/// set back, so it seems, and that commit fails. The mount was refused for it, though the others could have
/// served. Now they do, and the first transaction continues without that disk.
#[test]
fn a_disk_that_loses_what_a_mount_writes_to_it_keeps_no_mount_from_serving() {
    let mut world = World::new(Scheme::mirror(2), 3, MEMORY);
    // All places of the rings are taken.
    let names: Vec<String> = (0..9).map(|n| format!("old-{n}")).collect();
    names.iter().for_each(|name| world.put(name, 5000));
    // One claim and one state go to the next two places. That behind them cannot be read, in both rings. So
    // the disk may hold something newer, and the mount writes at once. And its newest superblock is looked
    // at.
    let slots = states::all_slots(world.array.disk(1));
    let behind = slots.chunks(2).rev().nth(2).expect("there are more");
    for slot in behind {
        world.array.disk_mut(1).make_unreadable(slot.start / 512..slot.end / 512);
    }
    world.array.disk_mut(1).mishap_after(IoKind::Write, 2, 2, Mishap::Lie);
    {
        let mut pool = world.mount();
        assert_eq!(pool.member_health(DiskIndex(1)).status, DiskStatus::Failed, "it is noticed");
        names.iter().for_each(|name| expect(&mut pool, name, 5000));
        assert!(pool.health().tentative, "it owes a commit");
        put(&mut pool, "new", 5000).expect("without the disk");
        assert!(!pool.health().tentative);
    }
    world.array.disk_mut(1).calm();
    let names: Vec<String> = names.into_iter().chain(["new".into()]).collect();
    expect_whole_without_one(&mut world, [0, 2], &names, 5000);
}
