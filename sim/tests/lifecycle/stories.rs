//! Bugs that were here.

use super::*;
use dynamicfs_core::ReadObjects;

/// A commit wrote down in memory that a member's absence was recorded, failed, and was dropped with the record. Later
/// commits took it for recorded: after a crash nothing said what the member had missed.
#[test]
fn an_absence_whose_record_was_dropped_is_recorded_by_the_next_commit() {
    let mut dropped = 0;
    let mut base = World::new(Scheme::mirror(2), 3, MEMORY);
    (0..600).for_each(|n| base.put(&format!("file-{n:03}"), 60));
    for well in 0..40 {
        let mut world = base.fork(MEMORY);
        let mut pool = Pool::mount(&mut world.array, world.lent.lend(), SERVICES, &MountOptions::default())
            .expect("mounted");
        put(&mut pool, "first", 3_000).expect("committed");
        pool.array().disk_mut(1).unplug();
        let mut transaction = pool.begin().expect("begun");
        let file = transaction.resolve(b"file-149").expect("it is there");
        transaction.write_all(file, 0, b"changed").expect("written");
        // What the commit needs is not in the memory any more.
        for n in (0..600).step_by(5) {
            transaction.resolve(format!("file-{n:03}").as_bytes()).expect("it is there");
        }
        for disk in [0, 2] {
            let fail = Mishap::Fail(IoError::Media);
            transaction.array().disk_mut(disk).mishap_after(IoKind::Read, well / 4, 1 + well % 4, fail);
        }
        let failed = transaction.commit().is_err();
        for disk in [0, 2] {
            pool.array().disk_mut(disk).calm();
        }
        if !pool.health().writable {
            // The groups could not be read again either.
            continue;
        }
        dropped += u32::from(failed);
        put(&mut pool, "second", 3_000).expect("committed without a disk");
        let mut recorded = false;
        pool.internals_mut()
            .store
            .each_member(|number, record| recorded |= number.0 == 1 && record.offline_since() != 0)
            .expect("read");
        assert!(recorded, "after {well} reads");
    }
    assert!(dropped > 0);
}

/// A member that was to leave went away in the middle of it. What it still held was waited for, nothing was left to move,
/// and it was taken for empty.
#[test]
fn a_member_that_is_away_is_not_taken_for_empty() {
    let mut world = filled(Scheme::mirror(2), 3);
    let mut pool = world.mount();
    pool.drain_member(MemberNumber(1), true).expect("begun");
    drop(pool);
    world.unplug(&[1]);
    let mut pool = world.mount();
    rest(&mut pool);
    assert_eq!((pool.health().members, state(&mut pool, 1)), (3, MemberState::Leaving));
    drop(pool);
    world.plug(&[1]);
    let mut pool = world.mount();
    rest(&mut pool);
    assert_eq!(pool.health().members, 2, "it was there to be emptied");
    expect_whole(&mut pool, "without it");
    expect_files(&mut pool);
}

/// A drain was begun while a rebuild was under way. What the rebuild had met already it had found in order, the rest was
/// moved, and at the end the member was taken for empty.
#[test]
fn a_drain_that_begins_in_the_middle_of_a_rebuild_empties_the_member_all_the_same() {
    for steps in 0..6 {
        let mut world = World::new(Scheme::mirror(2), 3, 100 << 10);
        for n in 0..12 {
            world.put(&format!("file-{n:02}"), 50_000);
        }
        let mut pool = world.mount();
        pool.start_job(JobKind::Rebuild, JobOptions::default()).expect("started");
        for _ in 0..steps {
            pool.maintain(false).expect("maintained");
        }
        pool.drain_member(MemberNumber(1), true).expect("begun");
        rest(&mut pool);
        assert_eq!(pool.health().members, 2, "it left");
        expect_whole(&mut pool, "without it");
        (0..12).for_each(|n| expect(&mut pool, &format!("file-{n:02}"), 50_000));
    }
}

/// A disk was pulled, nothing was committed yet, and the member was let go as one that holds nothing.
#[test]
fn a_member_that_has_just_been_pulled_is_not_let_go() {
    let mut world = filled(Scheme::mirror(2), 3);
    world.unplug(&[1]);
    let mut pool = Pool::mount(&mut world.array, world.lent.lend(), SERVICES, &MountOptions::default())
        .expect("mounted");
    assert!(matches!(pool.remove_member(MemberNumber(1), false), Err(MemberError::HoldsData { .. })));
    drop(pool);
    world.plug(&[1]);
    // The same while it is mounted: it is noticed when it is asked for something.
    let mut pool = world.mount();
    rest(&mut pool);
    expect_whole(&mut pool, "it is back");
    pool.array().disk_mut(1).unplug();
    put(&mut pool, "without it", 30_000).expect("committed");
    assert!(matches!(pool.remove_member(MemberNumber(1), false), Err(MemberError::HoldsData { .. })));
}

#[test]
fn a_rebuild_of_a_pool_that_lacks_nothing_ends_and_writes_its_record() {
    let mut world = filled(Scheme::mirror(2), 3);
    let mut pool = world.mount();
    pool.start_job(JobKind::Rebuild, JobOptions::default()).expect("started");
    rest(&mut pool);
    let job = pool.job(JobKind::Rebuild).expect("read").expect("it ran");
    assert_eq!((job.state, job.found), (JobState::Complete, 0));
    expect_whole(&mut pool, "as before");
}

/// A member is taken out of use, and its disk fails in one of the writes of that very commit. Nothing that
/// counts was on it any more. The outcome was called unknown where the others could not have spared another
/// disk.
#[test]
fn a_member_that_is_let_go_may_fail_in_the_commit_that_lets_it_go() {
    let mut world = filled(Scheme::mirror(2), 3);
    let mut pool = world.mount();
    pool.drain_member(MemberNumber(2), false).expect("drained");
    rest(&mut pool);
    drop(pool);
    let mut failed = 0;
    for (write, is_failed) in (0..40).flat_map(|write| [(write, false), (write, true)]) {
        let mut world = world.fork(MEMORY);
        let mut pool = world.mount();
        // The first transaction of a mount claims; what comes then is the commit alone.
        put(&mut pool, "before", 9).expect("committed");
        pool.array().disk_mut(1).fail_after(IoKind::Write, write, IoError::Media);
        assert_eq!(pool.shut_member(MemberNumber(1), is_failed), Ok(()), "write {write}");
        failed += u32::from(pool.member_health(DiskIndex(1)).status == DiskStatus::Failed);
        put(&mut pool, "after", 3000).expect("committed");
        expect_files(&mut pool);
    }
    assert!(failed >= 8, "{failed} failures");
}

/// A member came back while a rebuild was under way for another. The rebuild had passed what it missed, said that it was complete,
/// and nothing began again before the next mount.
#[test]
fn what_a_member_missed_that_comes_back_during_a_rebuild_is_rebuilt_too() {
    for steps in 0..8 {
        let mut world = World::new(Scheme::mirror(3), 5, 100 << 10);
        for n in 0..6 {
            world.put(&format!("file-{n:02}"), 50_000);
        }
        world.unplug(&[1]);
        for n in 6..12 {
            world.put(&format!("file-{n:02}"), 50_000);
        }
        world.plug(&[1]);
        let mut pool = world.mount();
        for _ in 0..steps {
            pool.maintain(false).expect("maintained");
        }
        drop(pool);
        world.unplug(&[2]);
        world.put("file-12", 50_000);
        world.plug(&[2]);
        let mut pool = world.mount();
        rest(&mut pool);
        expect_whole(&mut pool, &format!("after {steps} steps"));
        let job = pool.job(JobKind::Rebuild).expect("read").expect("it ran");
        assert_eq!(job.state, JobState::Complete, "after {steps} steps");
        (0..13).for_each(|n| expect(&mut pool, &format!("file-{n:02}"), 50_000));
    }
}

/// A rebuild ended for want of space. Half of the files were deleted, and nothing was rebuilt before the next mount.
#[test]
fn a_rebuild_that_found_no_space_is_taken_up_when_there_is_some() {
    let mut world = World::new(Scheme::mirror(2), 3, MEMORY);
    let mut pool = world.mount();
    let files = fill(&mut pool, "file ", 20_000);
    pool.shut_member(MemberNumber(2), true).expect("given up");
    rest(&mut pool);
    let job = pool.job(JobKind::Rebuild).expect("read").expect("it ran");
    assert_eq!((job.state, pool.health().owed), (JobState::Incomplete, 1), "there is no space: {job:?}");
    for n in 0..files * 2 / 3 {
        let mut transaction = pool.begin().expect("begun");
        transaction.unlink(ObjectId::ROOT, format!("file {n}").as_bytes()).expect("unlinked");
        transaction.commit().expect("committed");
    }
    rest(&mut pool);
    let job = pool.job(JobKind::Rebuild).expect("read").expect("it ran");
    assert_eq!(job.state, JobState::Complete, "{job:?}");
    expect_whole(&mut pool, "rebuilt");
}

/// The same where what stays is too much all the same: it is tried a few times, and then there is rest.
#[test]
fn a_rebuild_that_never_finds_enough_space_comes_to_rest() {
    let mut world = World::new(Scheme::mirror(2), 3, MEMORY);
    let mut pool = world.mount();
    let files = fill(&mut pool, "file ", 20_000);
    pool.shut_member(MemberNumber(2), true).expect("given up");
    for n in 0..files / 8 {
        rest(&mut pool);
        let mut transaction = pool.begin().expect("begun");
        transaction.unlink(ObjectId::ROOT, format!("file {n}").as_bytes()).expect("unlinked");
        transaction.commit().expect("committed");
    }
    rest(&mut pool);
    assert_eq!(pool.health().owed, 1, "that much was not freed");
}

/// Both copies of an extent were bad, each in another place, and its first member was full. The first copy
/// was put on the member of the second, which found no place elsewhere and stayed. Both were on one disk, and
/// everything called them redundant.
#[test]
fn fragments_that_are_rewritten_where_space_is_short_stay_on_different_members() {
    let array = SimArray::new(1, vec![Geometry::new(512, 2500); 3]);
    let options = FormatOptions::portable(Scheme::mirror(2)).members_max(4).extent_bytes(16384);
    let mut world = World::on(array, options).make();
    let mut pool = world.mount();
    let members = |pool: &mut Mounted<'_>, file| {
        let standing = read_standing(&mut pool.internals_mut().store, true).expect("read");
        let located = pool.locate(file, 0, &standing).expect("read").expect("it has an extent");
        located.places.iter().map(|place| place.address).collect::<Vec<_>>()
    };
    let mut singles = Vec::new();
    for n in 0..24 {
        let attributes = Attributes::new().scheme(Scheme::SINGLE);
        let (mut transaction, name) = (pool.begin().expect("begun"), format!("single {n}"));
        let file = transaction
            .create(ObjectId::ROOT, name.as_bytes(), &MakeRequest::File, &attributes)
            .expect("made");
        transaction.write_all(file, 0, &[n as u8; 16384]).expect("written");
        transaction.commit().expect("committed");
        if members(&mut pool, file)[0].member == MemberNumber(1) {
            singles.push(name);
        }
    }
    let files = fill(&mut pool, "file ", 16384);
    fill(&mut pool, "small ", 4096);
    // One member alone has space.
    for name in &singles {
        let mut transaction = pool.begin().expect("begun");
        transaction.unlink(ObjectId::ROOT, name.as_bytes()).expect("unlinked");
        transaction.commit().expect("committed");
    }
    rest(&mut pool);
    let mut transaction = pool.begin().expect("begun");
    transaction.internals_mut().store.sweep_all().expect("swept");
    transaction.commit().expect("committed");
    let mut victims = Vec::new();
    for n in 0..files {
        let file = pool.resolve(format!("file {n}").as_bytes()).expect("it is there");
        let places = members(&mut pool, file);
        if places[0].member != MemberNumber(1) && places[1].member == MemberNumber(1) && victims.len() < 5 {
            for (i, place) in (0u64..).zip(&places) {
                let disk = pool.array().disk_mut(place.member.0.into());
                disk.flip_bits(place.block * 512 + 1024 * i + 7, 1);
            }
            victims.push((n, file));
        }
    }
    assert!(!victims.is_empty());
    let job = run_job(&mut pool, JobKind::Scrub);
    assert!(job.found >= victims.len() as u64, "{job:?}");
    for &(_, file) in &victims {
        let places = members(&mut pool, file);
        assert!(places[0].member != places[1].member, "{places:?}");
    }
    drop(pool);
    world.unplug(&[1]);
    let mut pool = world.mount();
    for (n, file) in victims {
        let places = members(&mut pool, file);
        assert!(places[0].member != MemberNumber(1));
        let read = pool.read(file, 0, &mut [0; 16384]);
        assert!(read == Ok(16384) || matches!(read, Err(Error::Unreadable { .. })), "file {n}: {read:?}");
    }
}

/// Pools that were written so have extents with two fragments on one member. The check names them, nothing calls them redundant, and
/// a rebuild parts them.
#[test]
fn fragments_that_share_a_member_are_named_and_parted() {
    use dynamicfs_core::format::extent::Extent;
    use dynamicfs_core::format::key::Key;
    for kind in [JobKind::Rebuild, JobKind::Scrub] {
        let mut world = World::new(Scheme::mirror(2), 3, MEMORY);
        let bytes = contents("both", 8192);
        let mut pool = world.mount();
        let files: Vec<ObjectId> =
            (0..20).map(|n| put_file(&mut pool, &format!("file {n}"), &bytes).expect("committed")).collect();
        let record = |pool: &mut Mounted<'_>, file| record(pool, &Key::extent(file, 0));
        let members = |record: &[u8]| {
            let extent = Extent::decode(record).expect("whole");
            extent.fragments().iter().map(|f| f.address.member.0).collect::<Vec<_>>()
        };
        // Two extents of the same bytes on the same members, in the same order, exchange a fragment.
        let first = record(&mut pool, files[0]);
        let other = files[1..].iter().find(|&&file| members(&record(&mut pool, file)) == members(&first));
        let other = *other.expect("three members take turns");
        let second = record(&mut pool, other);
        let header = Extent::decode(&first).expect("whole").head_bytes() - 16;
        let (mut one, mut two) = (first.clone(), second.clone());
        one[header + 8..header + 16].copy_from_slice(&second[header..header + 8]);
        two[header..header + 8].copy_from_slice(&first[header + 8..header + 16]);
        let mut transaction = pool.begin().expect("begun");
        transaction.internals_mut().store.put(&Key::extent(files[0], 0), &one).expect("as a forger would");
        transaction.internals_mut().store.put(&Key::extent(other, 0), &two).expect("as a forger would");
        transaction.commit().expect("committed");
        let mut shared = 0;
        let mut report = CheckReport::default();
        let count = |finding: Option<&Finding>| {
            shared += u32::from(matches!(finding, Some(Finding::SharedMember { .. })));
        };
        pool.check_contents(&mut report, count).expect("checked");
        assert_eq!((shared, report.findings), (2, 2));
        let standing = read_standing(&mut pool.internals_mut().store, true).expect("read");
        let located = pool.locate(files[0], 0, &standing).expect("read").expect("it has an extent");
        assert_eq!((located.there(), located.spare(), located.is_complete()), (1, Some(0), false));
        let forecast = pool.forecast_loss(Set::EMPTY).expect("walked");
        assert_eq!((forecast.read_tolerance, forecast.extents.complete + 2), (0, forecast.extents.total));
        let job = run_job(&mut pool, kind);
        assert_eq!((job.state, job.healed_before + job.healed), (JobState::Complete, 2), "{job:?}");
        expect_whole(&mut pool, "parted");
        for file in [files[0], other] {
            let members = members(&record(&mut pool, file));
            assert!(members[0] != members[1]);
            let mut read = vec![0; bytes.len()];
            assert_eq!(pool.read(file, 0, &mut read), Ok(bytes.len()));
            assert!(read == bytes);
        }
    }
}

/// No check met stray records. They were pieces of long values, extents behind an object's end, contents of
/// objects and groups of members that do not exist.
#[test]
fn records_that_belong_to_nothing_are_named() {
    use dynamicfs_core::format::key::{Key, Kind};
    let mut world = World::new(Scheme::mirror(2), 3, MEMORY);
    let mut pool = world.mount();
    let file = put_file(&mut pool, "file", &[7; 40_000]).expect("committed");
    let mut transaction = pool.begin().expect("begun");
    transaction.set_attribute(file, b"long", &[1; 2000], AttributeMode::CreateOrReplace).expect("set");
    transaction.commit().expect("committed");
    expect_whole(&mut pool, "before");
    let block = put_file(&mut pool, "block", &[7; 4096]).expect("committed");
    let extent = record(&mut pool, &Key::extent(block, 0));
    let mut pieces = Vec::new();
    let (from, end) = (Key::new(file, Kind::Xattr, 0), Key::new(file, Kind::Inline, 0));
    pool.internals_mut()
        .store
        .tree
        .scan(&from, &end, |key, _| {
            pieces.push(*key);
            std::ops::ControlFlow::<()>::Continue(())
        })
        .expect("read");
    assert!(pieces.len() > 3);
    let last = *pieces.last().expect("there are some");
    type IsFound = fn(&Finding) -> bool;
    let puts: [(Key, &[u8], IsFound); 8] = [
        (Key::extent(file, 100), &[9], |f| matches!(f, Finding::Stray { .. })),
        (Key::extent(file, 1 << 20), &extent, |f| matches!(f, Finding::BeyondEnd { .. })),
        (Key::extent(ObjectId(999), 0), &extent, |f| matches!(f, Finding::Stray { .. })),
        (Key::new(file, Kind::Xattr, last.offset() + 1), &[0, 1, 2], |f| matches!(f, Finding::Stray { .. })),
        (Key::new(file, Kind::Inline, 0), &[1], |f| matches!(f, Finding::Stray { .. })),
        (Key::group(MemberNumber(7), 0), &[1], |f| matches!(f, Finding::Stray { .. })),
        (Key::counters(MemberNumber(7)), &[0; 88], |f| matches!(f, Finding::Stray { .. })),
        (Key::new(ObjectId::ROOT, Kind::Entry, 77), &[0x81, 1], |f| {
            matches!(f, Finding::RecordInvalid { .. })
        }),
    ];
    let find = |pool: &mut Mounted<'_>, key: &Key, is_it: fn(&Finding) -> bool| {
        let (mut found, mut report) = (0, CheckReport::default());
        pool.check_contents(&mut report, |finding| found += u32::from(finding.is_some_and(is_it)))
            .unwrap_or_else(|error| panic!("{key:?}: {error}"));
        found
    };
    for (key, record, is_it) in puts {
        let mut transaction = pool.begin().expect("begun");
        transaction.internals_mut().store.put(&key, record).expect("as a forger would");
        transaction.commit().expect("committed");
        assert!(find(&mut pool, &key, is_it) > 0, "{key:?}");
        let mut transaction = pool.begin().expect("begun");
        transaction.internals_mut().store.remove(&key).expect("as a forger would");
        transaction.commit().expect("committed");
    }
    // A piece in the middle is gone.
    let mut transaction = pool.begin().expect("begun");
    transaction.internals_mut().store.remove(&pieces[2]).expect("as a forger would");
    transaction.commit().expect("committed");
    assert!(find(&mut pool, &pieces[2], |f| matches!(f, Finding::RecordInvalid { .. })) > 0);
}

/// A member was taken out with what it held. Nodes with a replica on it had one less. The check counted the
/// one on the member that had left, and found nothing wrong. The next disk to fail takes such nodes.
#[test]
fn replicas_on_a_member_that_has_left_do_not_count() {
    use dynamicfs_core::tree::Walk;
    let mut world = World::new(Scheme::mirror(2), 4, MEMORY);
    (0..40).for_each(|n| world.put(&format!("file-{n:02}"), 3000));
    let mut pool = world.mount();
    // What the check finds of nodes, and how many have a replica on the member that is to leave.
    let on_too_few = |pool: &mut Mounted<'_>| {
        let (mut found, mut report) = (0, CheckReport::default());
        let count = |finding: Option<&Finding>| {
            found += u32::from(matches!(finding, Some(Finding::NodeDeficit { .. })));
        };
        pool.check_contents(&mut report, count).expect("checked");
        let (mut walk, mut held) = (Walk::new(), 0);
        while let Some(met) = pool.internals_mut().store.tree.walk(&mut walk).expect("read") {
            held += u32::from(met.pointer.replicas().iter().any(|replica| replica.member == MemberNumber(3)));
        }
        (found, held)
    };
    let (found, held) = on_too_few(&mut pool);
    assert!(found == 0 && held > 3, "{found} of {held}");
    pool.remove_member(MemberNumber(3), true).expect("removed");
    let (found, held) = on_too_few(&mut pool);
    assert!(found == held && held > 0, "{found} of {held}");
    rest(&mut pool);
    assert_eq!(on_too_few(&mut pool), (0, 0), "rebuilt");
    expect_whole(&mut pool, "rebuilt");
}

/// The replicas of a node were put where there was the most room, even twice in one failure domain. A lost
/// shelf of disks took nodes with it, though each extent would have borne the loss.
#[test]
fn the_replicas_of_a_node_are_in_different_failure_domains() {
    let array = SimArray::new(1, vec![Geometry::new(512, 2048); 4]);
    let options = FormatOptions::portable(Scheme::mirror(2)).members_max(8);
    let disks = [1, 1, 2, 2].map(|failure_domain| DiskOptions::new().failure_domain(failure_domain));
    let mut world = World::on(array, options).members(&disks).make();
    for n in 0..40 {
        world.put(&format!("file-{n:02}"), 3_000);
    }
    let mut pool = world.mount();
    let (mut walk, mut nodes) = (dynamicfs_core::tree::Walk::new(), 0);
    while let Some(met) = pool.internals_mut().store.tree.walk(&mut walk).expect("read") {
        let domains = met.pointer.replicas().iter().map(|replica| replica.member.0 / 2);
        assert_eq!(domains.collect::<std::collections::BTreeSet<_>>().len(), 2, "{:?}", met.pointer);
        nodes += 1;
    }
    assert!(nodes > 10, "{nodes}");
    drop(pool);
    world.unplug(&[0, 1]);
    let mut pool = world.try_mount(MountMode::AssumeMissingDead { branch: 5 }).expect("half of them");
    (0..40).for_each(|n| expect(&mut pool, &format!("file-{n:02}"), 3_000));
}
