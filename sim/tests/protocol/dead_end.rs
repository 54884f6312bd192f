//! States that few members have: a mount continues from one while less than half of the list is there.

use super::*;

/// A commit reached disk `x` alone. A mount without `x` wrote what it found once more, on disk `d` alone, and
/// was cut. A mount of `d` and `x` continues from there: of those that this state names it has one, and
/// writes nothing once more. It writes over the blocks of the commit on `d`, and is cut. Without `d` the
/// commit is the newest state, and is continued from. Then `d` is back, and is given what it missed. It is
/// called whole, and lacks what lay in the blocks that were written over: the next disk to fail takes it.
#[test]
fn what_was_written_over_on_a_disk_is_not_trusted_when_another_history_went_on() {
    let mut world = World::new(Scheme::mirror(2), 3, MEMORY);
    (0..4).for_each(|n| world.put(&format!("file-{n}"), 20_000));
    let names = ["file-0", "file-1", "file-2", "file-3", "ahead", "acknowledged"];
    let (mut tried, mut bad) = (0, Vec::new());
    for (x, d, third) in [(2, 0, 1), (1, 0, 2), (0, 1, 2)] {
        let ahead = newest_on_one_disk(&world, x, |world| {
            if let Ok(mut pool) = world.try_mount(MountMode::ReadWrite) {
                // It may be cut anywhere.
                let _ = put(&mut pool, "ahead", 20_000);
            }
        });
        let mut restated = restated_on_one_disk(&ahead, d, x);
        // What is on `x` is older than that, and may be the newest that the third disk sees.
        restated.plug(&[x]);
        restated.unplug(&[third]);
        cut_each_mount(&restated, |at, mut cut| {
            cut.plug(&[third]);
            cut.unplug(&[d]);
            {
                let Ok(mut pool) = cut.try_mount(MountMode::ReadWrite) else { return };
                // Where the second mount got further, `x` owes, and nothing is written without `d`.
                let is_ahead = wrong(&mut pool, "ahead", 20_000).is_none();
                if !is_ahead || put(&mut pool, "acknowledged", 20_000).is_err() {
                    return;
                }
            }
            tried += 1;
            cut.plug(&[d]);
            expect_called_whole(&mut cut);
            let what = wrong_without_one(&cut, [x, third], &names, 20_000);
            bad.extend(what.iter().map(|what| format!("{x} ahead, {d} cut at {at}, {what}")));
        });
    }
    assert!(tried > 0);
    assert!(bad.is_empty(), "{} of {tried}: {:#?}", bad.len(), &bad[..bad.len().min(8)]);
}

/// Cuts a mount without the disk `away`, until what it found was written once more on `disk` alone.
fn restated_on_one_disk(world: &World, disk: usize, away: usize) -> World {
    let mut world = world.fork(MEMORY);
    world.unplug(&[away]);
    let mut others = (0..3).filter(|&other| other != away && other != disk);
    let other = others.next_back().expect("there are three");
    let before = order(&world, disk).max(order(&world, other));
    for at in 0.. {
        let mut cut = world.fork(MEMORY);
        cut.array.set_reordering(false);
        cut.array.halt_at(cut.array.steps() + at, Halt::PowerCut);
        drop(cut.try_mount(MountMode::ReadWrite));
        assert!(cut.array.halted().is_some(), "no cut leaves the found state on disk {disk} alone");
        let mut policies = [CrashPolicy::Nothing; 3];
        policies[disk] = CrashPolicy::Everything;
        cut.array.power_cycle_each(&policies, &mut Rng::new(5));
        if order(&cut, disk) > before && order(&cut, other) <= before {
            return cut;
        }
    }
    unreachable!("it ends with the mount")
}
