//! A disk is away, comes back, and goes away again before a rebuild has given it what it missed.

use super::*;

/// Whether nothing lies on a member, by the free map.
fn is_empty(pool: &mut Mounted<'_>, member: u16) -> bool {
    let mut blocks = 0;
    let read = pool.internals_mut().store.each_member(|number, record| {
        blocks = if number.0 == member { record.blocks() } else { blocks };
    });
    read.expect("read");
    let row = pool.internals().store.committed().row_of(MemberNumber(member)).expect("a member");
    pool.internals().store.committed().row(row).free() == blocks
}

/// Disk 0 is away until all that it held was deleted and given back: nothing lies on it any more. What is
/// written meanwhile is on the other one alone. When disk 0 was back no span said since when it had been
/// away, as one on which nothing lies lacks nothing. After a second absence there was one, of that. The
/// rebuild looked at what was younger, found it right, and the disk was owed nothing.
#[test]
fn what_a_disk_missed_on_which_nothing_lies_is_not_forgotten_when_it_goes_again() {
    let mut world = World::new(Scheme::mirror(2), 2, MEMORY);
    world.put("early", 20_000);
    let names: Vec<String> = (0..8).map(|n| format!("missed-{n}")).collect();
    {
        let mut pool = world.mount();
        pool.begin().expect("begun").commit().expect("committed");
        pool.array().disk_mut(0).unplug();
        unlink(&mut pool, "early");
        names.iter().for_each(|name| put(&mut pool, name, 20_000).expect("committed"));
        let mut rounds = 0;
        while !is_empty(&mut pool, 0) {
            put(&mut pool, "churn", 3000).expect("committed");
            unlink(&mut pool, "churn");
            rest(&mut pool);
            rounds += 1;
            assert!(rounds < 400, "what it held is given back");
        }
    }
    world.plug(&[0]);
    {
        let mut pool = world.mount();
        // Something that it has.
        put(&mut pool, "between", 3000).expect("committed");
        pool.array().disk_mut(0).unplug();
        put(&mut pool, "without", 3000).expect("committed");
    }
    world.plug(&[0]);
    expect_called_whole(&mut world);
    assert_eq!(wrong_without(&mut world, &[1], &names), None);
}
