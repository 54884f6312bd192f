//! The disks of a pool were copied, and both copies went on. A disk of the copy that is behind is put among
//! the disks of the other.

use super::*;

/// Superblocks that a disk remembers.
const RING: usize = 8;

/// Writes files to both copies, `ours` to the one in so many mounts, and fewer to the other in one. Then
/// disk 1 of the other takes the place of ours.
fn exchanged(ours: usize, mounts: usize, other: usize) -> (World, SimDisk, Vec<String>) {
    let mut world = World::new(Scheme::mirror(2), 3, MEMORY);
    world.put("before", 20_000);
    let mut copy = fork(&world);
    let names: Vec<String> = (0..ours).map(|n| format!("ours-{n}")).collect();
    for names in names.chunks(ours.div_ceil(mounts)) {
        let mut pool = world.mount();
        names.iter().for_each(|name| put(&mut pool, name, 20_000).expect("committed"));
    }
    {
        let mut pool = copy.mount();
        (0..other).for_each(|n| put(&mut pool, &format!("else-{n}"), 20_000).expect("committed"));
    }
    let own = world.array.take(1);
    world.array.put(1, copy.array.take(1));
    (world, own, names)
}

/// Such a disk was taken for an older state of its own pool: what lay there was believed, and not rebuilt.
/// The choice between the two leaves it out, for good.
fn is_told_apart(ours: usize, mounts: usize, other: usize) {
    let (mut world, own, names) = exchanged(ours, mounts, other);
    let error = world.try_mount(MountMode::ReadWrite).err();
    assert!(matches!(error, Some(MountError::Diverged { second: 1, .. })), "{error:?}");
    {
        let mut chosen = fork(&world);
        let prefer = Some(Prefer::Disk { disk: 0, branch: 77 });
        let options = MountOptions { mode: MountMode::ReadWrite, prefer, ..MountOptions::default() };
        put(&mut chosen.try_mount_as(&options).expect("mounted"), "after", 20_000).expect("committed");
        let mut pool = chosen.mount();
        assert_eq!(pool.member_health(1).status, DiskStatus::Diverged);
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

/// So far behind that no ring remembers: it may be a disk of this pool, and nothing on it is believed.
#[test]
fn nothing_on_a_disk_of_a_copy_that_is_far_behind_is_believed() {
    let (mut world, _, names) = exchanged(3 * RING, 1, 2);
    expect_whole_without_one(&mut world, [0, 2], &names, 20_000);
}

/// Ours was away, as the pool knows. The other one has not gone away in that state.
#[test]
fn a_disk_of_a_copy_in_the_place_of_one_that_was_away_is_not_believed() {
    let mut world = World::new(Scheme::mirror(2), 3, MEMORY);
    world.put("before", 20_000);
    let mut copy = fork(&world);
    let names: Vec<String> = (0..8).map(|n| format!("ours-{n}")).collect();
    {
        let mut pool = world.mount();
        names.iter().for_each(|name| put(&mut pool, name, 20_000).expect("committed"));
    }
    {
        let mut pool = copy.mount();
        (0..6).for_each(|n| put(&mut pool, &format!("else-{n}"), 20_000).expect("committed"));
    }
    world.array.take(1);
    for n in 0..3 * RING {
        world.put(&format!("meanwhile-{n}"), 2_000);
    }
    world.array.put(1, copy.array.take(1));
    expect_whole_without_one(&mut world, [0, 2], &names, 20_000);
}

/// A mount further back than the ring of the others remembers.
#[test]
fn nothing_on_a_disk_of_a_copy_that_lacks_a_mount_is_believed() {
    let (mut world, _, names) = exchanged(8, 2, 3);
    expect_whole_without_one(&mut world, [0, 2], &names, 20_000);
}
