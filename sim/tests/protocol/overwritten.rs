//! What a state refers to is overwritten by a mount that does not see the state: then it must not be
//! continued from.

use super::*;
use dynamicfs_core::maintain::{CheckReport, Finding};

/// A commit reached one disk, and was cut short. That disk was away when the others were mounted. They wrote
/// where the commit had put its blocks, and were cut short too, before anything of theirs was the newest. The
/// disk came back: its state was the newest there was, and of its nodes nothing was left but what that disk
/// held.
#[test]
fn a_state_is_not_gone_on_from_after_its_blocks_were_overwritten() {
    let mut world = World::new(Scheme::mirror(2), 3, MEMORY);
    (0..4).for_each(|n| world.put(&format!("file-{n}"), 20_000));
    for ahead in 0..3 {
        let away = newest_on_one_disk(&world, ahead, |world| {
            if let Ok(mut pool) = world.try_mount(MountMode::ReadWrite) {
                // It may be cut anywhere.
                let _ = put(&mut pool, "ahead", 20_000);
            }
        });
        for at in 0.. {
            let mut cut = away.fork(MEMORY);
            cut.unplug(&[ahead]);
            cut.array.halt_at(cut.array.steps() + at, Halt::PowerCut);
            if let Ok(mut pool) = cut.try_mount(MountMode::ReadWrite) {
                let _ = put(&mut pool, "other", 20_000);
            }
            let is_over = cut.array.halted().is_none();
            cut.array.power_cycle(CrashPolicy::Everything, &mut Rng::new(at));
            cut.plug(&[ahead]);
            let mut pool = cut.mount();
            let mut bad = Vec::new();
            let mut report = CheckReport::default();
            pool.check_contents(&mut report, |finding| match finding {
                None | Some(Finding::Deficit { .. } | Finding::NodeDeficit { .. }) => {}
                Some(finding) => bad.push(format!("{finding:?}")),
            })
            .unwrap_or_else(|error| panic!("{ahead} ahead, cut {at}: {error}"));
            assert!(bad.is_empty(), "{ahead} ahead, cut {at}: {bad:?}");
            (0..4).for_each(|n| expect(&mut pool, &format!("file-{n}"), 20_000));
            if is_over {
                break;
            }
        }
    }
}

/// A disk was set back to before its last commits. The mount that saw it claimed its epoch on it, and was cut
/// short. With that claim it looked to the next mount like a disk that a crash left one commit behind. It was
/// called whole, and the next disk to fail took what it lacked.
#[test]
fn a_claim_does_not_hide_that_a_disk_went_back() {
    let mut world = World::new(Scheme::mirror(2), 3, MEMORY);
    (0..4).for_each(|n| world.put(&format!("old-{n}"), 20_000));
    let image = world.array.disk(0).clone();
    // One more mount, with one commit: what the disk lacks is no more than a cut mount leaves it without, but
    // for the claim.
    world.put("lost", 30_000);
    world.array.put(0, image);
    let mut hidden = 0;
    cut_each_mount(&world, |at, mut cut| {
        hidden += u32::from(order(&cut, 0) < order(&cut, 1));
        rest(&mut cut.mount());
        for lost in [1, 2] {
            let mut without = cut.fork(MEMORY);
            without.unplug(&[lost]);
            let mut pool = without.mount();
            let what = wrong(&mut pool, "lost", 30_000);
            assert_eq!(what, None, "cut {at}, without disk {lost}");
        }
    });
    assert!(hidden > 3, "{hidden} cuts leave the disk behind");
}
