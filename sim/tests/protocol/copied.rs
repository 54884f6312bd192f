//! The disks of a pool were copied, and both copies continued. A disk of the one is put among the disks of
//! the other.

use super::*;
use dynamicfs_core::types::DiskIndex;

/// Superblocks that a disk remembers.
const RING: usize = 8;

/// Writes files to both copies, `ours` to the one in so many mounts, and `other` to the other in one.
fn copies(ours: usize, mounts: usize, other: usize) -> (World, World, Vec<String>) {
    let mut world = World::new(Scheme::mirror(2), 3, MEMORY);
    world.put("before", 20_000);
    let mut copy = world.fork(MEMORY);
    let names: Vec<String> = (0..ours).map(|n| format!("ours-{n}")).collect();
    for names in names.chunks(ours.div_ceil(mounts)) {
        let mut pool = world.mount();
        names.iter().for_each(|name| put(&mut pool, name, 20_000).expect("committed"));
    }
    {
        let mut pool = copy.mount();
        (0..other).for_each(|n| put(&mut pool, &format!("else-{n}"), 20_000).expect("committed"));
    }
    (world, copy, names)
}

/// As [`copies`]. Then disk 1 of the other takes the place of ours.
fn exchanged(ours: usize, mounts: usize, other: usize) -> (World, SimDisk, Vec<String>) {
    let (mut world, mut copy, names) = copies(ours, mounts, other);
    let own = world.array.take(1);
    world.array.put(1, copy.array.take(1));
    (world, own, names)
}

/// Such a disk was taken for an older state of its own pool: what lay there was believed, and not rebuilt.
/// The choice between the two leaves it out, for good.
fn is_told_apart(ours: usize, mounts: usize, other: usize) {
    let (mut world, own, names) = exchanged(ours, mounts, other);
    let error = world.try_mount(MountMode::ReadWrite).err();
    assert!(matches!(error, Some(MountError::Diverged { second: DiskIndex(1), .. })), "{error:?}");
    {
        let mut chosen = world.fork(MEMORY);
        put(&mut choose(&mut chosen, MountMode::ReadWrite, 0), "after", 20_000).expect("committed");
        let mut pool = chosen.mount();
        assert_eq!(pool.member_health(DiskIndex(1)).status, DiskStatus::Diverged);
        assert_eq!(names.iter().find_map(|name| wrong(&mut pool, name, 20_000)), None);
    }
    world.array.put(1, own);
    expect_whole_without_one(&mut world, [0, 2], &names, 20_000);
}

#[test]
fn a_disk_of_a_copy_that_is_behind_in_the_same_epoch_is_told_apart() {
    is_told_apart(6, 1, 4);
}

#[test]
fn a_disk_of_a_copy_that_lacks_one_commit_is_told_apart() {
    is_told_apart(6, 1, 5);
}

#[test]
fn a_disk_of_a_copy_that_lacks_a_mount_is_told_apart() {
    is_told_apart(4, 2, 2);
}

/// So far behind that no ring remembers: the mounts of both are distinguished by what they wrote first.
#[test]
fn a_disk_of_a_copy_that_is_far_behind_in_the_same_epoch_is_told_apart() {
    is_told_apart(3 * RING, 1, 2);
}

/// Ours was away, as the pool knows. The other one has not gone away in that state.
#[test]
fn a_disk_of_a_copy_in_the_place_of_one_that_was_away_is_not_believed() {
    let (mut world, mut copy, names) = copies(8, 1, 6);
    world.array.take(1);
    for n in 0..3 * RING {
        world.put(&format!("meanwhile-{n}"), 2_000);
    }
    world.array.put(1, copy.array.take(1));
    expect_whole_without_one(&mut world, [0, 2], &names, 20_000);
}

/// A mount further back than the ring of the others remembers: it may be a disk of this pool, and nothing on
/// it is believed.
#[test]
fn nothing_on_a_disk_of_a_copy_that_lacks_a_mount_is_believed() {
    let (mut world, _, names) = exchanged(8, 2, 3);
    let to_read = counts(&mut world.try_mount(MountMode::ReadOnly).expect("mounted"));
    // What a mount for writing writes down, one for reading knows as well.
    assert_eq!(to_read, counts(&mut world.mount()));
    expect_whole_without_one(&mut world, [0, 2], &names, 20_000);
}

/// Each copy is mounted once more, ours for a commit, the other for nothing but to reserve the same epoch. A
/// disk of it looks as if a crash had left it one commit behind.
#[test]
fn a_disk_of_a_copy_that_reserved_the_newest_epoch_is_not_believed() {
    let (mut world, mut copy, names) = copies(20, 1, 2);
    world.put("last", 20_000);
    drop(copy.mount().begin().expect("an epoch is reserved"));
    world.array.put(1, copy.array.take(1));
    expect_whole_without_one(&mut world, [0, 2], &names, 20_000);
}

/// One disk of a copy that is so far ahead that its ring does not reach back to our state. It was the newest
/// state, and all other disks counted as set back. Their acknowledged data was gone, and nothing said so.
#[test]
fn a_disk_of_a_copy_that_is_far_ahead_does_not_outvote_the_others() {
    for (disks, scheme) in [(2, Scheme::mirror(2)), (3, Scheme::mirror(3)), (3, Scheme::mirror(2))] {
        let mut world = World::new(scheme, disks, MEMORY);
        world.put("before", 20_000);
        let mut copy = world.fork(MEMORY);
        world.put("ours", 20_000);
        copy.put("else", 2_000);
        {
            // In a later epoch than ours.
            let mut pool = copy.mount();
            (0..3 * RING).for_each(|n| put(&mut pool, &format!("else-{n}"), 2_000).expect("committed"));
        }
        world.array.put(1, copy.array.take(1));
        let error = world.try_mount(MountMode::ReadWrite).err();
        assert!(
            matches!(error, Some(MountError::Diverged { first: DiskIndex(1), .. })),
            "{disks} disks: {error:?}"
        );
        // Either may be chosen. Of two disks one is not enough to go on, whichever it is.
        for (disk, name) in [(0, "ours"), (1, "else-2")] {
            if disk == 1 && scheme.width() < disks {
                // Its nodes are not all on one disk.
                continue;
            }
            let mut chosen = world.fork(MEMORY);
            let is_enough = disk == 0 && disks > 2;
            let mode =
                if is_enough { MountMode::ReadWrite } else { MountMode::AssumeMissingDead { branch: 5 } };
            let length = if disk == 0 { 20_000 } else { 2_000 };
            {
                let mut pool = choose(&mut chosen, mode, disk);
                assert_eq!(wrong(&mut pool, name, length), None);
                put(&mut pool, "after", 2_000).expect("committed");
            }
            chosen.expect("after", 2_000);
        }
    }
}

/// Of two histories of one name the one that is behind is chosen by any of its disks.
#[test]
fn the_history_that_is_behind_can_be_chosen() {
    for other in [4, 5, 6] {
        let (world, _, names) = exchanged(4, 1, other);
        for disk in [0, 2] {
            let mut chosen = world.fork(MEMORY);
            assert!(matches!(
                chosen.try_mount(MountMode::ReadWrite).err(),
                Some(MountError::Diverged { .. })
            ));
            {
                let mut pool = choose(&mut chosen, MountMode::ReadWrite, disk);
                assert_eq!(pool.member_health(DiskIndex(1)).status, DiskStatus::Diverged);
                assert_eq!(names.iter().find_map(|name| wrong(&mut pool, name, 20_000)), None);
                put(&mut pool, "after", 20_000).expect("committed");
            }
            // Nothing is asked again.
            let mut pool = chosen.mount();
            assert_eq!(pool.member_health(DiskIndex(1)).status, DiskStatus::Diverged);
            expect(&mut pool, "after", 20_000);
        }
    }
}

fn choose(world: &mut World, mode: MountMode, disk: usize) -> Mounted<'_> {
    world.try_mount_preferring(mode, Prefer::Disk { disk: DiskIndex(disk), branch: 77 }).expect("mounted")
}
