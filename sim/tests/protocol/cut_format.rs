//! The power goes while a pool is made. Firmware mounts at boot, or else formats.

use super::*;

fn format(world: &mut World, disks: usize, seed: u64) -> Result<(), FormatError> {
    let scheme = if disks == 1 { Scheme::SINGLE } else { Scheme::mirror(2) };
    let options = FormatOptions::portable(scheme);
    Pool::format(&mut world.array, world.lent.lend(), SERVICES, &mut Rng::new(seed), &options, &[])
        .map(|_| ())
        .map_err(|failure| failure.error)
}

/// Some disks had their label and others had none. The mount said that members were missing, though all disks
/// were there, and the format said that they were in use.
#[test]
fn a_format_that_was_cut_short_is_mounted_or_made_again() {
    let (mut mounted, mut again) = (0, 0);
    for disks in 1..=4 {
        for policy in [CrashPolicy::Nothing, CrashPolicy::Everything, CrashPolicy::Subset, CrashPolicy::Torn]
        {
            for at in 0.. {
                let mut world = World {
                    array: SimArray::new(1, vec![Geometry::new(512, 2048); disks]),
                    lent: Lent::new(MEMORY),
                };
                world.array.halt_at(at, Halt::PowerCut);
                let whole = format(&mut world, disks, 9).is_ok() && world.array.halted().is_none();
                if whole {
                    break;
                }
                world.array.power_cycle(policy, &mut Rng::new(at));
                match world.try_mount(MountMode::ReadWrite) {
                    Ok(mut pool) => {
                        mounted += 1;
                        // Some copies of a label were not there yet: one more that rots, and the disk was
                        // none any more.
                        assert_eq!(
                            pool.internals_mut().store.mend_labels(),
                            0,
                            "{disks} disks, {policy:?}, cut {at}"
                        );
                    }
                    Err(MountError::NoPool | MountError::Unfinished { .. }) => {
                        again += 1;
                        format(&mut world, disks, 10)
                            .unwrap_or_else(|error| panic!("{disks} disks, cut {at}: {error}"));
                    }
                    Err(error) => panic!("{disks} disks, {policy:?}, cut {at}: {error}"),
                }
                world.put("file", 10_000);
                world.expect("file", 10_000);
            }
        }
    }
    assert!(mounted > 0 && again > 0);
}

/// A finished pool may not be formatted again, however little is in it, and whichever of its members are
/// there.
#[test]
fn a_pool_that_was_finished_is_in_use() {
    for there in [&[0][..], &[0, 1], &[1, 2], &[0, 1, 2]] {
        let mut world = World::new(Scheme::mirror(2), 3, MEMORY);
        let mut array = SimArray::new(2, Vec::new());
        for &disk in there {
            array.add(world.array.take(disk));
        }
        world.array = array;
        let refused = format(&mut world, there.len(), 10);
        assert!(matches!(refused, Err(FormatError::InUse { .. })), "{there:?}: {refused:?}");
        match world.try_mount(MountMode::ReadWrite) {
            Ok(_) => assert!(there.len() > 1),
            Err(error) => assert!(matches!(error, MountError::Missing { .. }), "{error}"),
        }
    }
}
