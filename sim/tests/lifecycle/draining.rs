//! Disks that are emptied, half or whole.

use super::*;
use dynamicfs_core::types::Row;

#[test]
fn a_drained_disk_holds_nothing_and_can_be_pulled() {
    let mut world = filled(Scheme { data: 2, parity: 1 }, 4);
    let mut pool = world.mount();
    pool.drain_member(MemberNumber(3), false).expect("begun");
    rest(&mut pool);
    assert_eq!(state(&mut pool, 3), MemberState::Drained);
    expect_whole(&mut pool, "drained");
    drop(pool);
    world.unplug(&[3]);
    let mut pool = world.mount();
    assert_eq!(pool.health().owed, 0, "its absence takes nothing away");
    expect_whole(&mut pool, "pulled");
    expect_files(&mut pool);
    drop(pool);
    world.plug(&[3]);
    let mut pool = world.mount();
    pool.activate_member(MemberNumber(3)).expect("used again");
    put(&mut pool, "more", 100_000).expect("stored");
    rest(&mut pool);
    expect_whole(&mut pool, "in use again");
}

/// A new disk, on which nothing lay yet, was to leave. The very transaction that called it empty put nodes on
/// it. Then it was taken out. Those nodes had one replica less, and nothing told of it.
#[test]
fn a_disk_that_nothing_lies_on_is_given_nothing_by_being_let_go() {
    let mut empty = 0;
    for (seed, member) in (0..12).flat_map(|seed| (0..7).map(move |member| (seed, member))) {
        let sectors = [2688, 2688, 4224, 4736, 4736, 2688, 2688];
        let array = SimArray::new(1, sectors.map(|sectors| Geometry::new(512, sectors)));
        let mut world = World { array, lent: Lent::new(MEMORY) };
        let options = FormatOptions::portable(Scheme { data: 2, parity: 1 });
        let options = options.members_max(8).node_bytes(1024).block_bytes(2048);
        Pool::format(&mut world.array, world.lent.lend(), SERVICES, &mut Rng::new(seed), &options, &[])
            .expect("formatted");
        let mut pool = world.mount();
        let free = pool.internals().store.committed().row(Row(member)).free();
        empty +=
            u32::from(free == pool.internals().store.tree.area(Row(member)).expect("it holds data").blocks);
        pool.drain_member(MemberNumber(member as u16), true).expect("begun");
        rest(&mut pool);
        expect_whole(&mut pool, "without it");
        let (mut walk, mut nodes) = (dynamicfs_core::tree::Walk::new(), 0);
        while let Some(met) = pool.internals_mut().store.tree.walk(&mut walk).expect("read") {
            let left = |at: &BlockAddress| usize::from(at.member.0) == member;
            assert!(!met.pointer.replicas().iter().any(left), "a node lies on {member}, which has left");
            nodes += 1;
        }
        assert!(nodes > 0);
    }
    assert!(empty > 0, "nothing lies on some");
}

/// Deleted blocks counted as held by the disk and not as free on the others until a sweep gave them back. A
/// sweep comes when it is needed. So a drain was refused that had all the room it needed.
#[test]
fn what_was_deleted_is_not_in_the_way_of_a_drain() {
    let mut world = World::new(Scheme::mirror(2), 3, 120 << 10);
    let mut pool = world.mount();
    let files = (0..).find(|n| put(&mut pool, &format!("file-{n}"), 60_000).is_err()).expect("it is full");
    assert!(files > 10);
    let refused = pool.drain_member(MemberNumber(1), false);
    let Err(MemberError::TooLittleSpace { used, free }) = refused else { panic!("{refused:?}") };
    assert!(used > 600_000 && used < 1 << 20 && free < used, "{used} bytes, {free} free");
    let mut transaction = pool.begin().expect("begun");
    for n in 2..files {
        transaction.unlink(ObjectId::ROOT, format!("file-{n}").as_bytes()).expect("deleted");
    }
    transaction.commit().expect("committed");
    pool.drain_member(MemberNumber(1), false).expect("there is room now");
    rest(&mut pool);
    assert_eq!(state(&mut pool, 1), MemberState::Drained);
    expect_whole(&mut pool, "drained");
    (0..2).for_each(|n| expect(&mut pool, &format!("file-{n}"), 60_000));
}

/// The room for what a disk held was counted for each drain by itself. What others held that were being
/// emptied was to go there as well. Two were begun where there was room for one, and neither ended.
#[test]
fn two_disks_are_not_emptied_into_the_same_room() {
    let mut world = World::new(Scheme::mirror(2), 4, 120 << 10);
    let mut pool = world.mount();
    let is_full = |pool: &Pool<'_, &mut SimArray>, row: usize| {
        let blocks = pool.internals().store.tree.area(Row(row)).expect("it holds data").blocks;
        pool.internals().store.committed().row(Row(row)).free() * 5 < blocks * 2
    };
    let files = (0..).find(|n| {
        put(&mut pool, &format!("file-{n}"), 60_000).expect("there is room");
        is_full(&pool, 0)
    });
    pool.drain_member(MemberNumber(0), false).expect("there is room for one");
    let refused = pool.drain_member(MemberNumber(1), false);
    assert!(matches!(refused, Err(MemberError::TooLittleSpace { .. })), "{refused:?}");
    rest(&mut pool);
    assert_eq!(state(&mut pool, 0), MemberState::Drained);
    expect_whole(&mut pool, "drained");
    (0..=files.expect("it has an end")).for_each(|n| expect(&mut pool, &format!("file-{n}"), 60_000));
}

/// A disk was emptied into the other one while files were written. They took the room that it was given when
/// the drain began: the drain did not end, and its nodes took what deleting needs. Nothing could be deleted
/// any more.
#[test]
fn what_is_written_during_a_drain_leaves_it_its_room() {
    let mut world = World::new(Scheme { data: 1, parity: 0 }, 2, 120 << 10);
    let mut pool = world.mount();
    for n in 0..10 {
        put(&mut pool, &format!("kept-{n}"), 60_000).expect("there is room");
    }
    pool.drain_member(MemberNumber(0), true).expect("there is room");
    let files = (0..).find(|n| put(&mut pool, &format!("file-{n}"), 30_000).is_err()).expect("it is full");
    assert!(files > 0, "some of it may be filled");
    rest(&mut pool);
    expect_whole(&mut pool, "drained");
    assert_eq!(pool.health().members, 1, "it has left");
    (0..10).for_each(|n| expect(&mut pool, &format!("kept-{n}"), 60_000));
    let mut transaction = pool.begin().expect("begun");
    for n in 0..files {
        transaction.unlink(ObjectId::ROOT, format!("file-{n}").as_bytes()).expect("deleted");
    }
    transaction.commit().expect("committed");
}

#[test]
fn a_drain_is_cancelled_half_way() {
    let mut world = World::new(Scheme::mirror(2), 4, 120 << 10);
    for n in 0..12 {
        world.put(&format!("file-{n}"), 50_000);
    }
    let mut pool = world.mount();
    pool.drain_member(MemberNumber(0), false).expect("begun");
    for _ in 0..2 {
        assert_eq!(pool.maintain(false), Ok(Work::Advanced(JobKind::Rebuild)));
    }
    assert_eq!(state(&mut pool, 0), MemberState::Draining, "it is not done");
    let stayed = (0..12).filter(|n| {
        let (_, fragments) = first_extent(&mut pool, &format!("file-{n}"));
        fragments.iter().any(|fragment| fragment.address.member.0 == 0)
    });
    assert!(stayed.count() > 0, "some of it has not been moved");
    pool.activate_member(MemberNumber(0)).expect("cancelled");
    rest(&mut pool);
    expect_whole(&mut pool, "cancelled");
    put(&mut pool, "more", 50_000).expect("stored");
    (0..12).for_each(|n| expect(&mut pool, &format!("file-{n}"), 50_000));
}

/// The power goes at every I/O of a drain, and of the cancelling; nothing is lost, and it comes to an end.
#[test]
fn a_drain_crashes_anywhere_and_is_cancelled_or_goes_on() {
    let mut world = World::new(Scheme::mirror(2), 3, 120 << 10);
    for n in 0..4 {
        world.put(&format!("file-{n}"), 30_000);
    }
    let base = world.array.clone();
    let (mut rng, mut cuts, mut cancelled) = (Rng::new(5), 0, 0);
    for at in (0..).step_by(7) {
        let mut world = World { array: base.clone(), lent: Lent::new(120 << 10) };
        world.array.halt_at(world.array.steps() + at, Halt::PowerCut);
        let ended = {
            let mounted = world.try_mount(MountMode::ReadWrite);
            mounted.is_ok_and(|mut pool| {
                let begun = pool.drain_member(MemberNumber(1), true);
                begun.is_ok()
                    && (0..2000).any(|_| !matches!(pool.maintain(true), Ok(work) if work != Work::Nothing))
            }) && world.array.halted().is_none()
        };
        if ended {
            break;
        }
        cuts += 1;
        world.array.power_cycle(CrashPolicy::Subset, &mut rng);
        let mut pool = world.mount();
        (0..4).for_each(|n| expect(&mut pool, &format!("file-{n}"), 30_000));
        if rng.coin() && pool.activate_member(MemberNumber(1)).is_ok() {
            cancelled += 1;
        }
        rest(&mut pool);
        expect_whole(&mut pool, "at rest");
    }
    assert!(cuts > 30 && cancelled > 5, "{cuts} cuts, {cancelled} cancelled");
}

/// A member that was emptied and then taken out of use counted as lost with its contents. After as many as
/// the pool tolerates it took no more writes.
#[test]
fn members_that_are_empty_owe_nothing_when_they_are_taken_out_of_use() {
    let mut world = filled(Scheme::mirror(3), 6);
    for member in [0, 1, 2].map(MemberNumber) {
        let mut pool = world.mount();
        pool.drain_member(member, false).expect("begun");
        rest(&mut pool);
        pool.shut_member(member, false).unwrap_or_else(|error| panic!("{member:?}: {error}"));
        assert_eq!(pool.health().owed, 0, "{member:?}");
        put(&mut pool, &format!("without {}", member.0), 20_000).expect("it takes writes");
    }
    world.unplug(&[0, 1, 2]);
    world.put("after", 20_000);
    let mut pool = world.mount();
    rest(&mut pool);
    expect_whole(&mut pool, "three left");
    expect_files(&mut pool);
}
