//! What counts on a disk that comes back: as it went, or set back to a state of an older epoch and a higher
//! generation.

use super::*;

/// Superblocks that a disk remembers.
const RING: usize = 8;

/// Mounts that are cut short leave the first of three disks generations ahead. The others continue without
/// it, in a later epoch, from where they were. The disk comes back and is rebuilt. It is given files in
/// generations that it had seen before. Returns what it was when it was ahead, and the files.
fn was_ahead() -> (World, SimDisk, Vec<String>) {
    let mut world = World::new(Scheme::mirror(2), 3, MEMORY);
    world.put("first", 20_000);
    world = newest_on_one_disk(&world, 0, |world| {
        if let Ok(mut pool) = world.try_mount(MountMode::ReadWrite) {
            let _ = pool.begin().map(|transaction| transaction.commit().map(drop));
        }
    });
    for _ in 0..40 {
        world = newest_on_one_disk(&world, 0, |world| drop(world.try_mount(MountMode::ReadWrite)));
    }
    let (image, ahead) = (world.array.disk(0).clone(), order(&world, 0));
    world.unplug(&[0]);
    world.put("without", 2_000);
    world.plug(&[0]);
    rest(&mut world.mount());
    let names: Vec<String> = (0..6).map(|n| format!("file-{n}")).collect();
    names.iter().for_each(|name| world.put(name, 20_000));
    let now = order(&world, 0);
    assert!(now.1 < ahead.1 && now.0 > ahead.0, "{ahead:?}, then {now:?}");
    (world, image, names)
}

/// It was distrusted from the generation after that state alone, which this history has not reached: nothing
/// was rebuilt.
#[test]
fn a_disk_that_is_set_back_to_when_it_was_ahead_is_not_called_whole() {
    let (mut world, image, names) = was_ahead();
    world.array.disk_mut(0).roll_back(&image);
    expect_whole_without_one(&mut world, [1, 2], &names, 20_000);
}

/// A disk that was away was distrusted from when it went, or from its own state's generation.
#[test]
fn a_disk_that_is_set_back_while_it_is_away_is_not_called_whole() {
    let (mut world, image, names) = was_ahead();
    world.unplug(&[0]);
    world.put("meanwhile", 2_000);
    world.array.disk_mut(0).roll_back(&image);
    world.plug(&[0]);
    expect_whole_without_one(&mut world, [1, 2], &names, 20_000);
}

/// So was a disk that was out of use.
#[test]
fn a_disk_that_is_set_back_while_it_is_out_of_use_is_not_called_whole() {
    let (mut world, image, names) = was_ahead();
    world.mount().shut_member(MemberNumber(0), false).expect("shut");
    world.array.disk_mut(0).roll_back(&image);
    world.mount().activate_member(MemberNumber(0)).expect("active");
    expect_whole_without_one(&mut world, [1, 2], &names, 20_000);
}

/// The set-back disk goes out of use at a write of the mount that finds it, before or after a commit has
/// recorded it. What it was found with is not taken for what it went away with.
#[test]
fn a_disk_that_is_set_back_and_goes_again_is_not_called_whole() {
    let (world, image, names) = was_ahead();
    for well in 0..12 {
        let mut world = world.fork(MEMORY);
        world.array.disk_mut(0).roll_back(&image);
        world.array.disk_mut(0).fail_after(IoKind::Write, well, IoError::Gone);
        world.put("meanwhile", 2_000);
        world.array.disk_mut(0).calm();
        world.plug(&[0]);
        world.put("later", 2_000);
        expect_whole_without_one(&mut world, [1, 2], &names, 20_000);
    }
}

/// A disk goes away for longer than the others remember. When it is back it is owed something, and what it
/// had counts.
#[track_caller]
fn expect_to_count_after_long(world: &mut World, disk: usize) {
    world.unplug(&[disk]);
    for n in 0..3 * RING {
        world.put(&format!("meanwhile-{n}"), 2_000);
    }
    world.plug(&[disk]);
    let mut pool = world.try_mount(MountMode::ReadOnly).expect("mounted");
    let extents = counts(&mut pool);
    assert_eq!((pool.health().owed, extents.complete), (1, extents.total));
}

/// A disk that comes back as it went has what it had, however many commits it missed.
#[test]
fn what_a_disk_had_before_it_went_counts_when_it_is_back() {
    let mut world = World::new(Scheme::mirror(2), 3, MEMORY);
    (0..6).for_each(|n| world.put(&format!("file-{n}"), 20_000));
    expect_to_count_after_long(&mut world, 1);
}

/// The power went when one of the others alone had the last commit, and so did the disk. It went with the
/// commit before, which is on record as well.
#[test]
fn what_a_disk_had_counts_also_where_it_lacks_the_commit_in_which_it_went() {
    let mut world = World::new(Scheme::mirror(2), 3, MEMORY);
    (0..6).for_each(|n| world.put(&format!("file-{n}"), 20_000));
    let mut world = newest_on_one_disk(&world, 1, |world| {
        if let Ok(mut pool) = world.try_mount(MountMode::ReadWrite) {
            let _ = put(&mut pool, "last", 2_000);
        }
    });
    assert!(order(&world, 0) < order(&world, 1));
    expect_to_count_after_long(&mut world, 0);
}
