//! Two rare things at a time.

use super::*;
use dynamicfs_core::maintain::CheckReport;
use dynamicfs_core::pool::DiskOptions;
use dynamicfs_core::types::DiskIndex;
use dynamicfs_sim::Mishap;

/// As many members as there can be, and as many lost as can be borne.
#[test]
fn sixty_four_members_bear_the_loss_of_four() {
    let array = SimArray::new(1, vec![Geometry::new(512, 1024); 64]);
    let scheme = Scheme { data: 4, parity: 4 };
    let options = FormatOptions::portable(scheme).members_max(64).extent_bytes(4096);
    let mut world = World::on(array, options).memory(2 << 20).make();
    (0..10).for_each(|n| world.put(&format!("file-{n}"), 20_000));
    world.unplug(&[0, 31, 62, 63]);
    (10..20).for_each(|n| world.put(&format!("file-{n}"), 20_000));
    world.plug(&[0, 31, 62, 63]);
    {
        let mut pool = world.mount();
        rest(&mut pool);
        expect_whole(&mut pool, "back");
    }
    for lost in [[1, 2, 3, 4], [60, 61, 62, 63], [0, 31, 32, 63]] {
        let mut without = world.fork(2 << 20);
        without.unplug(&lost);
        let mut pool = without.mount();
        assert!(pool.health().writable);
        (0..20).for_each(|n| expect(&mut pool, &format!("file-{n}"), 20_000));
    }
}

/// A member that is emptied gives its fragment to another one, which fails in that very transaction. The
/// extent's other place does not count and has no space. What lay on the one that is emptied was there until
/// then.
#[test]
fn a_fragment_that_moves_is_not_lost_with_where_it_goes_to() {
    let array = SimArray::new(1, [8192, 1024, 8192, 1024].map(|sectors| Geometry::new(512, sectors)));
    let options = FormatOptions::portable(Scheme::mirror(2)).extent_bytes(4096).tolerance(2);
    // The third disk is hardly given anything as long as others have room.
    let plain = DiskOptions::default();
    let members = [plain, plain, plain.weight(4), plain];
    let mut world = World::on(array, options).members(&members).make();
    let early: Vec<String> = (0..16).map(|n| format!("early-{n}")).collect();
    {
        // The small disk fails as soon as it is written to: what it was given is not there.
        let mut pool = world.mount();
        let mut transaction = pool.begin().expect("begun");
        for name in &early {
            let plain = Attributes::default();
            let file = transaction
                .create(ObjectId::ROOT, name.as_bytes(), &MakeRequest::File, &plain)
                .expect("made");
            transaction.write_all(file, 0, &contents(name, 4096)).expect("written");
        }
        transaction.array().disk_mut(1).mishap_next(IoKind::Flush, 1, Mishap::Fail(IoError::Media));
        transaction.commit().expect("committed");
        pool.array().disk_mut(1).calm();
    }
    world.array.power_cycle(CrashPolicy::Nothing, &mut Rng::new(1));
    let mut filled = 0;
    {
        let mut pool = world.mount();
        let (mut before, mut same) = (vec![], 0);
        while same < 12 && put(&mut pool, &format!("late-{filled}"), 4096).is_ok() {
            filled += 1;
            // Extents are of eight blocks: whether the small ones are given any.
            let now: Vec<u64> = [1, 3].map(|d| pool.member_health(DiskIndex(d)).free_blocks).into();
            same = if before.iter().zip(&now).any(|(before, now)| now + 8 <= *before) { 0 } else { same + 1 };
            before = now;
        }
        let member = pool.member_health(DiskIndex(0)).member.expect("a member");
        pool.drain_member(member, false).expect("begun");
    }
    let readable = |array: SimArray| {
        let mut world = World { array, lent: Lent::new(MEMORY) };
        world.array.disk_mut(2).calm();
        world.array.disk_mut(2).reopen();
        world.unplug(&[2]);
        let mut pool = world.mount();
        early.iter().filter(|name| wrong(&mut pool, name, 4096).is_none()).count()
    };
    let (mut lost, mut failed) = (Vec::new(), 0);
    for well in 0..120 {
        let mut fork = world.fork(MEMORY);
        let mut pool = fork.mount();
        pool.array().disk_mut(2).mishap_after(IoKind::Write, well, 1, Mishap::Fail(IoError::Gone));
        for _ in 0..30 {
            let before = pool.array().clone();
            let done = pool.maintain(true).map_err(|error| error.to_string());
            if pool.member_health(DiskIndex(2)).status == DiskStatus::Online {
                continue;
            }
            failed += 1;
            // What the same failure takes one step earlier is gone either way; what is gone now besides was
            // taken by the step.
            let (there, left) = (readable(before), readable(pool.array().clone()));
            if left < there {
                lost.push((well, done, there, left));
            }
            break;
        }
    }
    assert!(failed > 100, "{failed} failures of the receiver");
    assert!(lost.is_empty(), "{} of {failed}: {:?}", lost.len(), &lost[..lost.len().min(8)]);
}

/// A running pool that can commit nothing any more says so.
#[test]
fn health_says_that_nothing_can_be_written_any_more() {
    let mut world = World::new(Scheme::mirror(2), 3, MEMORY);
    world.put("old", 20_000);
    world.unplug(&[1]);
    world.put("meanwhile", 20_000);
    world.plug(&[1]);
    let mut pool = world.mount();
    pool.array().disk_mut(2).unplug();
    for n in 0..3 {
        let refused = put(&mut pool, &format!("new-{n}"), 20_000);
        let too_few = matches!(refused, Err(Error::Storage(StorageError::TooFewDisks { .. })));
        assert!(too_few, "{refused:?}");
        assert!(!pool.health().writable, "every commit is refused");
    }
}

/// Fills a pool to the last block: of the first files each has 16,000 bytes.
fn fill_up(pool: &mut Mounted<'_>) {
    for length in [16_000, 4000, 500, 100] {
        fill(pool, &format!("file-{length}-"), length);
    }
}

const A_FILE: &[u8] = b"file-16000-0";

/// A full pool is mounted again and again, and cut each time while its superblocks are written. No mount
/// finds all at the newest state, so none may begin a sweep. Deleting is possible all the same.
#[test]
fn a_full_pool_stays_writable_however_often_a_mount_is_cut() {
    let mut world = World::new(Scheme::mirror(2), 3, MEMORY);
    fill_up(&mut world.mount());
    for cycle in 0..200 {
        world = newest_on_one_disk(&world, cycle % 3, |world| {
            if let Ok(mut pool) = world.try_mount(MountMode::ReadWrite) {
                let _ = pool.begin().and_then(|transaction| transaction.commit());
            }
        });
        let mut whole = world.fork(MEMORY);
        let mut pool = whole.mount();
        assert!(pool.health().writable, "cycle {cycle}");
        let mut transaction = pool.begin().expect("begun");
        transaction.unlink(ObjectId::ROOT, A_FILE).expect("unlinked");
        transaction.commit().unwrap_or_else(|error| panic!("cycle {cycle}: {error}"));
    }
}

/// A full pool is mounted again and again, each time with the other one of two witnesses away. Each mount's
/// commit names the members that are there, and takes from the reserve. No mount swept, because the witness
/// that came back lacked the newest state. In the end nothing could be deleted.
#[test]
fn a_full_pool_stays_writable_however_often_witnesses_come_and_go() {
    let array = SimArray::new(1, vec![Geometry::new(512, 2048); 5]);
    let options = FormatOptions::portable(Scheme::mirror(2)).members_max(8).extent_bytes(16384);
    let plain = DiskOptions::default();
    let witness = plain.witness(true);
    let members = [plain, plain, plain, witness, witness];
    let mut world = World::on(array, options).members(&members).make();
    fill_up(&mut world.mount());
    for cycle in 0..100 {
        world.plug(&[3 + cycle % 2]);
        world.unplug(&[4 - cycle % 2]);
        assert!(world.mount().health().writable, "cycle {cycle}");
    }
    let mut pool = world.mount();
    let mut transaction = pool.begin().expect("begun");
    transaction.unlink(ObjectId::ROOT, A_FILE).expect("unlinked");
    transaction.commit().expect("committed");
}

/// Half of a mirror is lost when it is full: an override continues.
#[test]
fn an_override_of_a_full_pool_goes_on() {
    let mut world = World::new(Scheme::mirror(2), 2, MEMORY);
    fill_up(&mut world.mount());
    world.unplug(&[1]);
    let mut pool = world.try_mount(MountMode::AssumeMissingDead { branch: 5 }).expect("overridden");
    let mut transaction = pool.begin().expect("begun");
    transaction.unlink(ObjectId::ROOT, A_FILE).expect("unlinked");
    transaction.commit().expect("committed");
    rest(&mut pool);
    let mut report = CheckReport::default();
    pool.check_space(&mut [0; 1 << 14], &mut report, |found| assert!(found.is_none(), "{found:?}"))
        .expect("checked");
}
