//! A disk is set back to a state of an older epoch and a higher generation.

use super::*;

/// Mounts that are cut short leave one disk generations ahead. The others go on without it, in a later epoch,
/// from where they were. The disk comes back and is rebuilt. It is given files in generations that it had
/// seen before. Then it is set back to what it was when it was ahead. It was distrusted from the generation
/// after that alone, which this history has not reached: nothing was rebuilt.
#[test]
fn a_disk_that_is_set_back_to_when_it_was_ahead_is_not_called_whole() {
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
    world.array.disk_mut(0).roll_back(&image);
    expect_whole_without_one(&mut world, [1, 2], &names, 20_000);
}
