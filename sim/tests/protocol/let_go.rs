//! A member is let go, and is all that is left.

use super::*;

/// A member is put out of use by the operator. The commit of that gives it no node any more, and a superblock
/// all the same, in one batch with the others. That superblock reaches this disk alone, and the power goes:
/// nothing was acknowledged. Then as many of the others are lost as the pool tolerates. The disk that is left
/// has all that was ever acknowledged. Its newest superblock leads to a tree that it holds nothing of. No
/// override and no salvage finds anything.
#[test]
fn what_a_disk_holds_that_was_being_let_go_is_found_when_the_others_are_lost() {
    let mut bad = Vec::new();
    for (scheme, disks) in [(Scheme::mirror(2), 2), (Scheme::mirror(3), 3)] {
        for failed in [false, true] {
            let last = disks - 1;
            let mut world = World::new(scheme, disks, MEMORY);
            world.put("old", 20_000);
            let mut cut = newest_on_one_disk(&world, last, |world| {
                if let Ok(mut pool) = world.try_mount(MountMode::ReadWrite) {
                    let _ = pool.shut_member(MemberNumber(last as u16), failed);
                }
            });
            (0..last).for_each(|disk| cut.unplug(&[disk]));
            for mode in [MountMode::Salvage, MountMode::AssumeMissingDead { branch: 5 }] {
                let what = match cut.try_mount(mode) {
                    Err(error) => Some(error.to_string()),
                    Ok(mut pool) => wrong(&mut pool, "old", 20_000),
                };
                bad.extend(
                    what.map(|what| format!("{disks} disks, called failed: {failed}, {mode:?}: {what}")),
                );
            }
        }
    }
    assert!(bad.is_empty(), "{bad:#?}");
}
