//! Disks that go away, come back, fail, rot or are copies: what is still there, what is refused, and why.

use crate::common::{World, contents, counts, expect, put};
use dynamicfs_core::ReadObjects;
use dynamicfs_core::disks::{Currency, DiskStatus};
use dynamicfs_core::error::{Error, MountError, StorageError};
use dynamicfs_core::format::label;
use dynamicfs_core::maintain::Work;
use dynamicfs_core::tree::{Met, Walk};
use dynamicfs_core::types::{DiskIndex, ObjectId, Scheme};
use dynamicfs_core::{FormatOptions, MountMode, MountOptions, Pool};
use dynamicfs_hal::{Geometry, IoError, Request};
use dynamicfs_sim::world::{Lent, SERVICES, account};
use dynamicfs_sim::{CrashPolicy, IoKind, Rng, SimArray};

const FOUR_TWO: Scheme = Scheme { data: 4, parity: 2 };

// --- losing disks ---------------------------------------------------------------------------------------------

#[test]
fn any_two_disks_of_four_plus_two_may_be_lost() {
    for first in 0..6 {
        for second in first + 1..6 {
            let mut world = World::new(FOUR_TWO, 6, 200 << 10);
            world.put("large", 100_000);
            world.put("small", 700);
            world.put("tiny", 7);
            world.unplug(&[first, second]);
            let mut pool = world.mount();
            for (name, length) in [("large", 100_000), ("small", 700), ("tiny", 7)] {
                expect(&mut pool, name, length);
            }
            let extents = counts(&mut pool);
            assert_eq!((extents.unreadable, extents.complete + extents.readable), (0, extents.total));
            assert!(extents.readable > 0);
            put(&mut pool, "degraded", 50_000).expect("written without two disks");
            expect(&mut pool, "degraded", 50_000);
            drop(pool);
            world.expect("degraded", 50_000);
        }
    }
}

#[test]
fn a_third_lost_disk_is_refused_and_named_and_nothing_is_made_up() {
    let mut world = World::new(FOUR_TWO, 6, 200 << 10);
    world.put("large", 100_000);
    world.unplug(&[0, 2, 4]);
    let error = world.try_mount(MountMode::ReadWrite).err();
    assert!(
        matches!(error, Some(MountError::Missing { present, list, .. }) if present.len() == 3 && list.len() == 6),
        "{error:?}"
    );
    world.plug(&[4]);
    world.expect("large", 100_000);
}

#[test]
fn a_disk_that_comes_back_holds_what_it_held_and_is_owed_the_rest() {
    let mut world = World::new(Scheme::mirror(2), 3, 64 << 10);
    world.put("before", 30_000);
    world.unplug(&[1]);
    world.put("meanwhile", 30_000);
    world.plug(&[1]);
    let mut pool = world.mount();
    assert_eq!(pool.member_health(DiskIndex(1)).currency, Currency::Stale);
    assert_eq!((pool.health().online, pool.health().owed), (3, 1));
    expect(&mut pool, "before", 30_000);
    expect(&mut pool, "meanwhile", 30_000);
    account(&mut pool, "with the stale disk back");
    drop(pool);
    // What it held is intact: copy on write never touched it. Without disk 0 and then without disk 2 all is there.
    for other in [0, 2] {
        let mut world = world.fork(64 << 10);
        world.unplug(&[other]);
        world.expect("before", 30_000);
    }
}

#[test]
fn frees_of_an_absent_disk_are_applied_and_reused_only_after_it_is_back() {
    let mut world = World::new(Scheme::mirror(2), 3, 64 << 10);
    for n in 0..12 {
        world.put(&format!("file-{n}"), 60_000);
    }
    world.unplug(&[1]);
    {
        let mut pool = world.mount();
        for n in 0..12 {
            let mut transaction = pool.begin().expect("begun");
            transaction.unlink(ObjectId::ROOT, format!("file-{n}").as_bytes()).expect("unlinked");
            transaction.commit().expect("committed");
        }
        while pool.maintain(true).expect("maintained") != Work::Nothing {}
        account(&mut pool, "while a disk is away");
    }
    world.plug(&[1]);
    let mut pool = world.mount();
    assert!(pool.member_health(DiskIndex(1)).free_blocks > 1500, "what it held is free again");
    account(&mut pool, "with the disk back");
    for n in 0..12 {
        put(&mut pool, &format!("again-{n}"), 60_000).expect("stored again");
    }
    account(&mut pool, "with its space reused");
}

// --- quorum ---------------------------------------------------------------------------------------------------

#[test]
fn half_of_a_mirror_alone_is_refused_unless_it_knows_that_the_other_is_gone() {
    let mut world = World::new(Scheme::mirror(2), 2, 64 << 10);
    world.put("both", 5000);
    {
        let mut pool = world.mount();
        pool.begin().expect("begun").commit().expect("an empty commit claims the epoch, which takes both");
        pool.array().disk_mut(1).unplug();
        put(&mut pool, "one", 5000).expect("half of the list is enough to go on");
    }
    // The one that continued knows; it may come back alone.
    world.expect("one", 5000);
    // The other may not: it would bring back a state without that commit.
    world.unplug(&[0]);
    world.plug(&[1]);
    let error = world.try_mount(MountMode::ReadWrite).err();
    assert!(matches!(error, Some(MountError::Missing { .. })), "{error:?}");
    assert!(matches!(world.try_mount(MountMode::ReadOnly).err(), Some(MountError::Missing { .. })));
}

#[test]
fn an_override_splits_history_and_the_two_halves_are_never_joined() {
    let mut world = World::new(Scheme::mirror(2), 2, 64 << 10);
    world.put("both", 5000);
    {
        let mut pool = world.mount();
        pool.begin().expect("begun").commit().expect("an empty commit claims the epoch, which takes both");
        pool.array().disk_mut(1).unplug();
        put(&mut pool, "on the first", 5000).expect("committed");
    }
    world.unplug(&[0]);
    world.plug(&[1]);
    {
        let mut pool = world.try_mount(MountMode::AssumeMissingDead { branch: 4711 }).expect("overridden");
        expect(&mut pool, "both", 5000);
        assert_eq!(pool.resolve(b"on the first").err(), Some(Error::NotFound));
        put(&mut pool, "on the second", 5000).expect("committed");
    }
    world.expect("on the second", 5000);
    world.plug(&[0]);
    let error = world.try_mount(MountMode::ReadWrite).err();
    assert!(matches!(error, Some(MountError::Diverged { .. })), "{error:?}");
    assert!(matches!(world.try_mount(MountMode::ReadOnly).err(), Some(MountError::Diverged { .. })));
}

#[test]
fn an_idle_mount_writes_nothing_and_a_returning_disk_is_welcomed_at_once() {
    let mut world = World::new(Scheme::mirror(2), 3, 64 << 10);
    world.put("file", 9000);
    let before = world.array.trace_hash();
    let writes: Vec<u64> = (0..3).map(|disk| world.array.disk(disk).counters().writes).collect();
    world.expect("file", 9000);
    assert_eq!(writes, (0..3).map(|disk| world.array.disk(disk).counters().writes).collect::<Vec<_>>());
    assert_ne!(before, world.array.trace_hash(), "it was read");
}

// --- foreign, wiped, cloned -----------------------------------------------------------------------------------

#[test]
fn a_wiped_disk_is_absent_and_a_clone_is_refused() {
    let mut world = World::new(Scheme::mirror(2), 3, 64 << 10);
    world.put("file", 20_000);
    let copy = world.array.disk(0).clone();
    world.array.disk_mut(1).wipe();
    {
        let mut pool = world.mount();
        assert_eq!(pool.member_health(DiskIndex(1)).status, DiskStatus::Unlabelled);
        expect(&mut pool, "file", 20_000);
    }
    world.array.put(1, copy);
    let error = world.try_mount(MountMode::ReadWrite).err();
    assert_eq!(error, Some(MountError::Cloned { first: DiskIndex(0), second: DiskIndex(1) }));
}

/// The disk that the newest state was going to be read from, a second time, was the only one that was asked.
#[test]
fn a_disk_that_fails_between_two_looks_at_its_ring_is_passed_over() {
    let mut world = World::new(FOUR_TWO, 6, 200 << 10);
    world.put("file", 100_000);
    let mut mounted = 0;
    for disk in 0..6 {
        for well in 0..24 {
            let mut forked = world.fork(200 << 10);
            forked.array.disk_mut(disk).fail_after(IoKind::Read, well, IoError::Timeout);
            let mut pool = forked.mount();
            expect(&mut pool, "file", 100_000);
            mounted += usize::from(pool.member_health(DiskIndex(disk)).status != DiskStatus::Online);
        }
    }
    assert!(mounted > 60, "the disk was missed: {mounted}");
}

#[test]
fn a_disk_of_another_pool_is_left_alone() {
    let mut world = World::new(Scheme::mirror(2), 3, 64 << 10);
    world.put("file", 20_000);
    let mut lent = Lent::new(64 << 10);
    let mut other = SimArray::new(77, vec![Geometry::new(512, 2048)]);
    let options = FormatOptions::portable(Scheme::SINGLE);
    Pool::format(&mut other, lent.lend(), SERVICES, &mut Rng::new(5), &options, &[]).expect("formatted");
    world.array.put(2, other.disk(0).clone());
    let mut pool = world.mount();
    assert_eq!(pool.member_health(DiskIndex(2)).status, DiskStatus::Foreign);
    expect(&mut pool, "file", 20_000);
    put(&mut pool, "more", 20_000).expect("written");
    drop(pool);
    let mut foreign = SimArray::new(78, vec![Geometry::new(512, 2048)]);
    foreign.put(0, world.array.disk(2).clone());
    Pool::mount(&mut foreign, lent.lend(), SERVICES, &MountOptions::default())
        .expect("the other pool is untouched");
}

#[test]
fn one_rotten_label_and_one_rotten_ring_are_borne() {
    let mut world = World::new(Scheme::mirror(2), 3, 64 << 10);
    world.put("file", 20_000);
    for disk in 0..3 {
        // The first label, and the whole of ring A behind it.
        for byte in [5, 700, 1300, 1900, 2500] {
            world.array.disk_mut(disk).flip_bits(byte, 0xFF);
        }
    }
    world.expect("file", 20_000);
    world.put("more", 100);
    world.expect("more", 100);
}

#[test]
fn a_feature_that_only_a_writer_must_know_makes_the_pool_read_only() {
    use dynamicfs_core::format::{checksum::crc32c, label};
    let mut world = World::new(Scheme::mirror(2), 3, 64 << 10);
    world.put("file", 20_000);
    for at in [0, 2047 * 512] {
        let mut sector = [0; 512];
        world.array.disk(1).pristine(at, &mut sector);
        let mut view = label::Label::new(&mut sector[..]).expect("a label's length");
        view.set_ro_compat(1);
        let crc = crc32c(0, &sector[4..]);
        sector[..4].copy_from_slice(&crc.to_le_bytes());
        world.array.disk_mut(1).overwrite(at, &sector);
    }
    let mut pool = world.mount();
    expect(&mut pool, "file", 20_000);
    assert_eq!(put(&mut pool, "more", 10).err(), Some(Error::Storage(StorageError::ReadOnly)));
}

// --- failures while it runs -----------------------------------------------------------------------------------

#[test]
fn a_disk_that_fails_in_a_commit_is_left_out_and_the_commit_stands() {
    for (kind, nth) in [(IoKind::Write, 0), (IoKind::Write, 3), (IoKind::Flush, 0), (IoKind::Flush, 1)] {
        let mut world = World::new(Scheme::mirror(2), 3, 64 << 10);
        world.put("before", 30_000);
        {
            let mut pool = world.mount();
            pool.begin().expect("begun").commit().expect("an empty commit claims the epoch");
            // The n-th request of the kind, counted from now, fails.
            let disk = pool.array().disk_mut(1);
            disk.fail_after(kind, nth, IoError::Media);
            put(&mut pool, "during", 30_000).unwrap_or_else(|error| panic!("{kind:?} {nth}: {error}"));
            assert_eq!(pool.member_health(DiskIndex(1)).status, DiskStatus::Failed, "{kind:?} {nth}");
            put(&mut pool, "after", 30_000).unwrap_or_else(|error| panic!("{kind:?} {nth}: {error}"));
        }
        let mut rng = Rng::new(nth);
        world.array.power_cycle(CrashPolicy::Nothing, &mut rng);
        let mut pool = world.mount();
        for name in ["before", "during", "after"] {
            expect(&mut pool, name, 30_000);
        }
        assert_eq!(pool.health().owed, 1, "{kind:?} {nth}: what the failed disk may have lost is owed");
    }
}

/// A crash came before the next commit could record that the disk had missed the last one. Its record said
/// that it had been away since it came back. What it should have been given in that commit counted as there.
#[test]
fn what_a_disk_missed_when_it_failed_is_owed_also_after_a_crash() {
    // The flush of the claim goes well; then that of the fragments fails, or that of the superblock.
    for flushes in [1, 2] {
        let mut world = World::new(Scheme::mirror(2), 2, 200 << 10);
        world.put("before", 20_000);
        let mut pool = world.mount();
        pool.array().disk_mut(0).fail_after(IoKind::Flush, flushes, IoError::Media);
        put(&mut pool, "half", 20_000).expect("committed on the other disk");
        drop(pool);
        world.unplug(&[0]);
        put(&mut world.mount(), "alone", 20_000).expect("committed on one disk");
        world.plug(&[0]);
        let mut pool = world.mount();
        put(&mut pool, "after", 20_000).expect("committed on both");
        let extents = counts(&mut pool);
        assert_eq!((extents.total, extents.unreadable), (8, 0));
        assert_eq!(extents.readable, 4, "flush {flushes}: those of two files");
        for name in ["before", "half", "alone", "after"] {
            expect(&mut pool, name, 20_000);
        }
    }
}

#[test]
fn a_pool_that_goes_on_without_a_disk_writes_nothing_when_it_is_mounted() {
    let mut world = World::new(Scheme::mirror(2), 3, 200 << 10);
    world.put("before", 20_000);
    world.unplug(&[2]);
    world.put("degraded", 20_000);
    let writes = |world: &World| (0..3).map(|disk| world.array.disk(disk).counters().writes).sum::<u64>();
    let before = writes(&world);
    world.expect("degraded", 20_000);
    assert_eq!(writes(&world), before);
    world.put("more", 20_000);
    world.plug(&[2]);
    let mut pool = world.mount();
    for name in ["before", "degraded", "more"] {
        expect(&mut pool, name, 20_000);
    }
}

/// A pointer to a node that was written without a disk had no room for the missing replica. Where its parent
/// was full, the node kept fewer replicas for good. Two lost disks took it though three replicas were wanted.
#[test]
fn nodes_that_are_written_again_when_all_disks_are_back_have_all_their_replicas() {
    let mut world = World::new(Scheme::mirror(3), 3, 200 << 10);
    world.unplug(&[1]);
    let mut pool = world.try_mount(MountMode::ReadWrite).expect("two of three");
    for n in 0..300 {
        put(&mut pool, &format!("file-{n:03}"), 10 + n % 70).expect("written without a disk");
    }
    drop(pool);
    world.plug(&[1]);
    let mut pool = world.mount();
    let back = pool.health().generation;
    for n in 0..300 {
        let file = pool.resolve(format!("file-{n:03}").as_bytes()).expect("it is there");
        let mut transaction = pool.begin().expect("begun");
        transaction.write_all(file, 0, b"again").expect("written");
        transaction.commit().expect("committed");
    }
    let (mut walk, mut nodes) = (Walk::new(), 0);
    while let Some(Met { pointer, level, .. }) =
        pool.internals_mut().store.tree.walk(&mut walk).expect("walked")
    {
        if pointer.birth > back {
            assert_eq!(pointer.replicas().len(), 3, "a node of level {level} at {:?}", pointer.replicas());
            nodes += 1;
        }
    }
    assert!(nodes > 40, "{nodes} nodes were written again");
}

/// A crash in the middle of a commit left the newest state on one disk. A mount for reading served it and did not say
/// that it may be gone again with that disk.
#[test]
fn what_only_some_disks_have_is_served_as_tentative() {
    let mut world = World::new(Scheme::mirror(2), 3, 200 << 10);
    world.put("old", 20_000);
    assert!(!world.try_mount(MountMode::ReadOnly).expect("mounted").health().tentative);
    let mut pool = world.mount();
    put(&mut pool, "more", 20_000).expect("committed");
    let before = pool.array().clone();
    put(&mut pool, "new", 20_000).expect("committed");
    drop(pool);
    for disk in 0..2 {
        // The superblocks did not get there; the rest did.
        for ring in rings(&before) {
            world.array.disk_mut(disk).roll_back_region(before.disk(disk), ring);
        }
    }
    let mut pool = world.try_mount(MountMode::ReadOnly).expect("mounted");
    assert!(pool.health().tentative);
    expect(&mut pool, "new", 20_000);
    drop(pool);
    // A mount for writing makes it so.
    assert!(!world.mount().health().tentative);
    world.unplug(&[2]);
    world.expect("new", 20_000);
}

/// What a sector of a disk holds.
fn sector_of(array: &SimArray, disk: usize, lba: u64) -> [u8; 512] {
    let mut sector = [0; 512];
    array.disk(disk).pristine(lba * 512, &mut sector);
    sector
}

/// The sectors of superblocks that were written since, in both rings of both disks: disk and address.
fn superblocks_since(before: &SimArray, now: &SimArray) -> Vec<(usize, u64)> {
    let places = (0..2).flat_map(|disk| rings(now).into_iter().flatten().map(move |lba| (disk, lba)));
    places.filter(|&(disk, lba)| sector_of(before, disk, lba) != sector_of(now, disk, lba)).collect()
}

/// The sectors of the rings on the disks of these worlds, which are all alike.
fn rings(array: &SimArray) -> [std::ops::Range<u64>; 2] {
    let label = label::decode(&sector_of(array, 0, 0), dynamicfs_sim::world::crc32c);
    let (parameters, identity) = label.expect("a label");
    [identity.ring_a, identity.ring_b].map(|at| at / 512..(at + parameters.ring_bytes()) / 512)
}

/// A power cut left the newest superblocks where they could not be read. A mount served the state before, wrote nothing
/// because all disks agreed, and when the sectors could be read again the newer state was back.
#[test]
fn a_superblock_that_cannot_be_read_now_is_overruled_by_the_mount() {
    let mut world = World::new(Scheme::mirror(2), 2, 200 << 10);
    world.put("old", 20_000);
    let before = world.array.clone();
    world.put("new", 20_000);
    for (disk, lba) in superblocks_since(&before, &world.array) {
        world.array.disk_mut(disk).make_unreadable(lba..lba + 1);
    }
    assert!(world.try_mount(MountMode::ReadOnly).expect("mounted").health().tentative);
    assert_eq!(world.mount().resolve(b"new"), Err(Error::NotFound));
    for disk in 0..2 {
        rings(&before).into_iter().for_each(|ring| world.array.disk_mut(disk).heal(ring));
    }
    let mut pool = world.mount();
    assert_eq!(pool.resolve(b"new"), Err(Error::NotFound), "what was served stays");
    expect(&mut pool, "old", 20_000);
}

/// A power cut left the newest superblocks half written. The mount served the state before and left them as
/// they were, because all disks agreed. The next write to those places was cut short as well. Its second half
/// had the same bytes as the missing one, and the newer state was back. Found by seed 234242.
#[test]
fn a_superblock_that_was_cut_short_is_overruled_by_the_mount() {
    let mut world = World::new(Scheme::mirror(2), 2, 200 << 10);
    world.put("old", 20_000);
    let before = world.array.clone();
    world.put("new", 20_000);
    let mut torn = Vec::new();
    for (disk, lba) in superblocks_since(&before, &world.array) {
        // Its last bytes did not arrive.
        let whole = sector_of(&world.array, disk, lba);
        let mut cut = whole;
        cut[500..].fill(0xEE);
        world.array.disk_mut(disk).overwrite(lba * 512, &cut);
        torn.push((disk, lba, cut, whole));
    }
    assert!(torn.len() >= 4, "both rings of both disks");
    assert!(world.try_mount(MountMode::ReadOnly).expect("mounted").health().tentative);
    assert_eq!(world.mount().resolve(b"new"), Err(Error::NotFound));
    for (disk, lba, cut, whole) in torn {
        if sector_of(&world.array, disk, lba) == cut {
            world.array.disk_mut(disk).overwrite(lba * 512, &whole);
        }
    }
    let mut pool = world.mount();
    assert_eq!(pool.resolve(b"new"), Err(Error::NotFound), "what was served stays");
    expect(&mut pool, "old", 20_000);
}

// --- counters -------------------------------------------------------------------------------------------------

#[test]
fn counters_are_saved_by_the_commit_and_not_before() {
    let mut world = World::new(Scheme::mirror(2), 2, 200 << 10);
    world.put("file", 40_000);
    rot(&mut world, 1);
    let mut pool = world.mount();
    expect(&mut pool, "file", 40_000);
    while pool.maintain(false).expect("maintained") == Work::Repaired {
        expect(&mut pool, "file", 40_000);
    }
    let member = pool.member_health(DiskIndex(1)).member.expect("a member");
    let live = pool.member_health(DiskIndex(1)).counters;
    assert!(live.repairs > 0 && live.checksum_errors >= live.repairs, "{live:?}");
    let mut dropped = pool.begin().expect("begun");
    dropped.save_counters().expect("saved");
    drop(dropped);
    assert_eq!(pool.saved_counters(member).expect("read"), Default::default());
    assert!(
        pool.member_health(DiskIndex(1)).counters.repairs == live.repairs,
        "a dropped transaction saves nothing"
    );
    let mut transaction = pool.begin().expect("begun");
    transaction.save_counters().expect("saved");
    transaction.save_counters().expect("saved twice");
    transaction.commit().expect("committed");
    let saved = pool.saved_counters(member).expect("read");
    assert_eq!((saved.repairs, saved.checksum_errors), (live.repairs, live.checksum_errors));
    assert_eq!(pool.member_health(DiskIndex(1)).counters.repairs, 0, "counting begins anew with the commit");
    assert!(
        saved.writes > 0 && pool.member_health(DiskIndex(1)).counters.writes > 0,
        "the commit itself is counted after it"
    );
}

#[test]
fn a_second_failure_in_one_transaction_drops_it_and_keeps_the_last_commit() {
    let mut world = World::new(Scheme::mirror(2), 3, 64 << 10);
    world.put("before", 30_000);
    {
        let mut pool = world.mount();
        pool.begin().expect("begun").commit().expect("claimed");
        for disk in [0, 1] {
            pool.array().disk_mut(disk).fail_next(IoKind::Write, u64::MAX, IoError::Media);
        }
        let error = put(&mut pool, "during", 30_000).err();
        assert!(
            matches!(error, Some(Error::Storage(StorageError::TooFewDisks { .. } | StorageError::NoSpace))),
            "{error:?}"
        );
    }
    world.array.disk_mut(0).reopen();
    world.array.disk_mut(1).reopen();
    let mut pool = world.mount();
    expect(&mut pool, "before", 30_000);
    assert_eq!(pool.resolve(b"during").err(), Some(Error::NotFound));
}

// --- rot ------------------------------------------------------------------------------------------------------

/// Damages one byte in every block of a disk's data area that holds something.
fn rot(world: &mut World, disk: usize) {
    for block in 16..2000u64 {
        world.array.disk_mut(disk).flip_bits(block * 512 + 100, 0x10);
    }
}

#[test]
fn a_disk_that_rots_all_over_is_read_around_and_rewritten() {
    for (scheme, disks) in [(Scheme::mirror(2), 3), (FOUR_TWO, 6), (Scheme { data: 2, parity: 1 }, 3)] {
        let mut world = World::new(scheme, disks, 200 << 10);
        for n in 0..6 {
            world.put(&format!("file-{n}"), 40_000);
        }
        rot(&mut world, 1);
        let mut pool = world.mount();
        for n in 0..6 {
            expect(&mut pool, &format!("file-{n}"), 40_000);
        }
        assert!(pool.health().counters.fragment_failures > 0, "{scheme}: bad fragments were met");
        assert!(pool.member_health(DiskIndex(1)).counters.checksum_errors > 0, "{scheme}");
        let mut repaired = 0;
        for _ in 0..100 {
            match pool.maintain(false).expect("maintained") {
                Work::Repaired => repaired += 1,
                _ => break,
            }
            for n in 0..6 {
                expect(&mut pool, &format!("file-{n}"), 40_000);
            }
        }
        assert!(repaired > 0 && pool.health().repairs_waiting == 0, "{scheme}: {repaired} repaired");
        let failures = pool.health().counters.fragment_failures;
        for n in 0..6 {
            expect(&mut pool, &format!("file-{n}"), 40_000);
        }
        assert_eq!(
            pool.health().counters.fragment_failures,
            failures,
            "{scheme}: what was read is whole again"
        );
        pool.check_space(&mut [0; 1 << 14], &mut Default::default(), |finding| assert_eq!(finding, None))
            .expect("checked");
    }
}

#[test]
fn what_is_lost_beyond_redundancy_is_an_error_and_never_wrong_bytes() {
    let mut world = World::new(Scheme { data: 2, parity: 1 }, 3, 200 << 10);
    world.put("file", 40_000);
    let mut pool = world.mount();
    let file = pool.resolve(b"file").expect("found");
    for disk in [0, 1] {
        for block in 60..2000u64 {
            pool.array().disk_mut(disk).flip_bits(block * 512 + 3, 1);
        }
    }
    let mut wrong = 0;
    for at in (0..40_000).step_by(1000) {
        let mut bytes = [7; 1000];
        match pool.read(file, at, &mut bytes) {
            Ok(read) => assert!(bytes[..read] == contents("file", 40_000)[at as usize..at as usize + read]),
            Err(Error::Unreadable { object, .. }) => {
                assert_eq!(object, file);
                assert_eq!(bytes, [0; 1000], "nothing unproved is handed out");
                wrong += 1;
            }
            Err(Error::Storage(StorageError::NodeUnreadable { .. })) => wrong += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
    assert!(wrong > 0, "something was lost");
}

// --- stories --------------------------------------------------------------------------------------------------

/// With four of six disks a 4+2 extent becomes 2+2. It has two fragments of half the extent, and parity that
/// needs twice the work space of the full stripe. The stage was measured for the full stripe. The parity of
/// the shorter one did not fit and was left as it was in the buffer. Found by a power cut in the middle of a
/// transaction, which takes disks away one by one.
#[test]
fn a_degraded_stripe_is_encoded_right_with_the_least_memory() {
    let mut world = World::new(FOUR_TWO, 6, 27 << 10);
    world.put("before", 20_000);
    world.unplug(&[2, 3]);
    world.put("degraded", 20_000);
    world.expect("degraded", 20_000);
    for lost in [0, 1, 4, 5] {
        // The quorum of the four is met by three, and any one fragment of what was written by four may be missing.
        let mut world = world.fork(27 << 10);
        world.unplug(&[lost]);
        let mut pool =
            world.try_mount(MountMode::ReadOnly).unwrap_or_else(|error| panic!("without {lost}: {error}"));
        expect(&mut pool, "degraded", 20_000);
    }
}

/// With disks missing fragments are longer, and parity may not fit the work space: a window is then stored as shorter
/// extents. What waited in its buffer was believed to find its place as one, and a truncation dropped it.
#[test]
fn what_waits_in_the_buffer_is_not_dropped_where_a_stripe_does_not_fit_the_work_space() {
    for (memory, lost) in (40..200).step_by(8).flat_map(|kib| [1, 2].map(|lost| (kib << 10, lost))) {
        let mut world = World::new(Scheme { data: 4, parity: lost as u8 }, 6, memory);
        world.unplug(&[0, 1][..lost]);
        let mut pool = world.mount();
        let mut model = contents("file", 28_931);
        put(&mut pool, "file", 28_931).expect("written without a disk");
        let file = pool.resolve(b"file").expect("it is there");
        let mut transaction = pool.begin().expect("begun");
        for at in [16_386, 4_000, 20_000] {
            transaction.write_all(file, at, &[0xAB; 308]).expect("written");
            model[at as usize..][..308].fill(0xAB);
        }
        transaction.truncate(file, 24_576).expect("truncated");
        model.truncate(24_576);
        transaction.commit().expect("committed");
        let mut bytes = vec![0; 30_000];
        let read = pool.read(file, 0, &mut bytes).expect("read");
        assert!(bytes[..read] == model, "{memory} bytes of memory, {lost} disks lost");
    }
}

/// What became of a request that timed out is not known: its disk may do it later. A disk with a read that
/// timed out is neither asked again nor written to until the next mount. That is so even if it would answer
/// again.
#[test]
fn a_disk_of_which_a_read_timed_out_is_out_of_use() {
    for disk in 0..3 {
        let mut world = World::new(Scheme::mirror(2), 3, 300 << 10);
        let names: Vec<String> = (0..12).map(|n| format!("file-{n}")).collect();
        names.iter().for_each(|name| world.put(name, 20_000));
        let mut pool = world.mount();
        pool.array().disk_mut(disk).fail_next(IoKind::Read, 1, IoError::Timeout);
        let read = pool.internals_mut().store.tree.disks.execute_one(Request::read(disk, 0, &mut [0; 512]));
        assert_eq!(read, Err(IoError::Timeout), "disk {disk}");
        let health = pool.member_health(DiskIndex(disk));
        assert_eq!(health.counters.timeouts, 1, "disk {disk}");
        assert_ne!(health.status, DiskStatus::Online, "disk {disk}");
        pool.array().disk_mut(disk).reopen();
        let before = pool.array().disk(disk).counters();
        names.iter().for_each(|name| expect(&mut pool, name, 20_000));
        assert_eq!(pool.array().disk(disk).counters(), before, "disk {disk} is asked again");
    }
}

/// One replica of every node of the tree rots. Reads continue with the others, and what they met is written
/// anew by upkeep, as bad fragments are.
#[test]
fn a_bad_replica_of_a_node_that_a_read_meets_is_written_anew() {
    let mut world = World::new(Scheme::mirror(2), 2, 300 << 10);
    let names: Vec<String> = (0..30).map(|n| format!("file-{n}")).collect();
    names.iter().for_each(|name| world.put(name, 300));
    let mut leaves = Vec::new();
    {
        let mut pool = world.mount();
        let mut walk = Walk::new();
        while let Some(Met { pointer, level, .. }) =
            pool.internals_mut().store.tree.walk(&mut walk).expect("walked")
        {
            if level == 0 {
                leaves.push(pointer.replicas()[0]);
            }
        }
    }
    for leaf in &leaves {
        world.array.disk_mut(leaf.member.0.into()).flip_bits(leaf.block * 512 + 100, 0x5A);
    }
    let mut pool = world.mount();
    names.iter().for_each(|name| expect(&mut pool, name, 300));
    assert!(pool.health().repairs_waiting > 0);
    // Two wait at a time.
    for _ in 0..leaves.len() {
        while pool.maintain(true).expect("maintained") != Work::Nothing {}
    }
    assert!(pool.health().counters.repairs > 0);
    names.iter().for_each(|name| expect(&mut pool, name, 300));
}
