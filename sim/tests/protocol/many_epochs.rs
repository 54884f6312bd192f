//! Epochs that nothing was written in count for states that a disk may lack.

use super::*;

/// A member may lack one state for each mount that was cut short. It is not known which mounts were, and all
/// epochs since its own counted. Mounts that dropped their first transaction used up epochs and wrote no
/// state. A disk that was set back by as many commits of one mount, which had claimed its epoch on it, was
/// called current. It is not only a disk that was set back by exactly one commit that looks so.
#[test]
fn a_disk_that_was_set_back_by_many_commits_is_not_called_whole() {
    let mut world = World::new(Scheme::mirror(2), 3, MEMORY);
    world.put("first", 20_000);
    for _ in 0..8 {
        drop(world.mount().begin().expect("begun"));
    }
    let names: Vec<String> = (0..8).map(|n| format!("acknowledged-{n}")).collect();
    {
        let mut pool = world.mount();
        drop(pool.begin().expect("begun"));
        let image = pool.array().disk(1).clone();
        names.iter().for_each(|name| put(&mut pool, name, 20_000).expect("committed"));
        drop(pool);
        world.array.disk_mut(1).roll_back(&image);
    }
    expect_whole_without_one(&mut world, [0, 2], &names, 20_000);
}
