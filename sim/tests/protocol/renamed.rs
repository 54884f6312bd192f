//! A choice between two histories of one name is cut short.

use super::*;
use dynamicfs_core::types::DiskIndex;

/// Mounts for writing and chooses the history of disk 0, which continues as `branch`. What is wrong with it.
fn choose(world: &mut World, branch: u64, names: &[String]) -> Option<String> {
    match world.try_mount_preferring(MountMode::ReadWrite, Prefer::Disk { disk: DiskIndex(0), branch }) {
        Err(error) => Some(error.to_string()),
        Ok(mut pool) => names.iter().find_map(|name| wrong(&mut pool, name, 20_000)),
    }
}

/// A pool on four disks was copied, and both continued in the same steps: the same branch, the same number,
/// other contents. Three disks of the one and a disk of the other are put together, and the history of disk 0
/// is chosen, which renames it. The power goes in that mount. Where the first disk alone had the new name,
/// its fellows counted as given up, with everything that was in the pool.
#[test]
fn a_choice_between_copies_that_is_cut_short_stands_or_is_made_again() {
    let mut world = World::new(Scheme::mirror(2), 4, MEMORY);
    world.put("before", 20_000);
    let mut copy = world.fork(MEMORY);
    let names: Vec<String> = (0..6).map(|n| format!("ours-{n}")).collect();
    names.iter().for_each(|name| world.put(name, 20_000));
    (0..6).for_each(|n| copy.put(&format!("else-{n}"), 20_000));
    world.array.put(3, copy.array.take(3));
    assert!(matches!(world.try_mount(MountMode::ReadWrite).err(), Some(MountError::Diverged { .. })));
    assert_eq!(choose(&mut world.fork(MEMORY), 77, &names), None, "not cut");

    let mut stood = 0;
    for at in 0.. {
        let mut halted = world.fork(MEMORY);
        halted.array.halt_at(halted.array.steps() + at, Halt::PowerCut);
        let _ = choose(&mut halted, 77, &names);
        if halted.array.halted().is_none() {
            break;
        }
        for policy in [CrashPolicy::Everything, CrashPolicy::Nothing] {
            let mut cut = halted.fork(MEMORY);
            cut.array.power_cycle(policy, &mut Rng::new(at));
            for branch in [77, 78] {
                assert_eq!(
                    choose(&mut cut.fork(MEMORY), branch, &names),
                    None,
                    "cut at {at}, {policy:?}, {branch}"
                );
            }
            match cut.try_mount(MountMode::ReadWrite).map(drop) {
                Ok(()) => stood += 1,
                error => assert!(matches!(error, Err(MountError::Diverged { .. })), "cut at {at}: {error:?}"),
            }
        }
    }
    assert!(stood > 3, "{stood} cuts came after the choice was written");
}

/// Once a commit has followed, nothing that bears the old name is taken in: it may be a disk of the copy that
/// is behind.
#[test]
fn a_disk_under_the_old_name_stays_out_after_the_next_commit() {
    let mut world = World::new(Scheme::mirror(2), 4, MEMORY);
    world.put("before", 20_000);
    let mut copy = world.fork(MEMORY);
    world.put("ours", 20_000);
    copy.put("else", 20_000);
    let (ours, other) = (world.array.take(3), copy.array.take(3));
    world.array.put(3, other);
    assert_eq!(choose(&mut world, 77, &["ours".into()]), None);
    world.put("after", 20_000);
    world.array.put(3, ours);
    let pool = world.mount();
    assert_eq!(pool.member_health(DiskIndex(3)).status, DiskStatus::Diverged);
}
