//! Two rare things at a time.

use super::*;

/// The same pool with two disks of which the second is away, and much was deleted, given back and written since; `extra` commits
/// came before it went.
fn second_was_away(extra: usize) -> (World, Vec<String>) {
    let mut array = SimArray::new(1, vec![Geometry::new(512, 1024); 2]);
    let mut lent = Lent::new(MEMORY);
    let options = FormatOptions { extent_bytes: 4096, ..FormatOptions::portable(Scheme::mirror(2)) };
    Pool::format(&mut array, lent.lend(), SERVICES, &mut Rng::new(9), &options, &[]).expect("formatted");
    let mut world = World { array, lent };
    let names: Vec<String> = (0..12).map(|n| format!("file-{n}")).collect();
    {
        let mut pool = world.mount();
        names.iter().for_each(|name| put(&mut pool, name, 20_000).expect("committed"));
        for n in 0..extra {
            put(&mut pool, &format!("tiny-{n}"), 100).expect("committed");
        }
        pool.array().disk_mut(1).unplug();
        for name in &names {
            let mut transaction = pool.begin().expect("begun");
            transaction.unlink(ObjectId::ROOT, name.as_bytes()).expect("unlinked");
            transaction.commit().expect("committed");
        }
        rest(&mut pool);
        (0..12).for_each(|n| put(&mut pool, &format!("later-{n}"), 20_000).expect("committed"));
        rest(&mut pool);
    }
    world.plug(&[1]);
    (world, names)
}

fn what_is_wrong(world: &mut World, names: &[String], length: usize) -> Option<String> {
    match world.try_mount(MountMode::AssumeMissingDead { branch: 4 }) {
        Err(error) => Some(format!("{error}")),
        Ok(mut pool) => names.iter().find_map(|name| {
            let file = match pool.resolve(name.as_bytes()) {
                Ok(file) => file,
                Err(error) => return Some(format!("{name}: {error}")),
            };
            let mut bytes = vec![0; length + 1];
            match pool.read(file, 0, &mut bytes) {
                Ok(read) if bytes[..read] == contents(name, length)[..] => None,
                Ok(_) => Some(format!("{name}: wrong bytes")),
                Err(error) => Some(format!("{name}: {error}")),
            }
        }),
    }
}

/// As `what_a_disk_held_that_was_away_stays_until_it_has_something_newer`, with a second mount after the cut: the first mount's
/// commit names the disk, and reached the other one alone.
#[test]
fn what_a_disk_held_that_was_away_stays_also_after_two_cut_mounts() {
    let (mut tried, mut bad, mut written) = (0, Vec::new(), 0);
    for extra in 0..40 {
        let (world, names) = second_was_away(extra);
        let old = order(&world, 1);
        let first = newest_on_one_disk(&world, 0, |world| drop(world.try_mount(MountMode::ReadWrite)));
        assert_eq!(order(&first, 1), old);
        for at in 0.. {
            let mut cut = fork(&first);
            let from = cut.array.steps();
            let before = cut.array.disk(1).counters().writes;
            cut.array.halt_at(from + at, Halt::PowerCut);
            drop(cut.try_mount(MountMode::ReadWrite));
            if cut.array.halted().is_none() {
                break;
            }
            let writes = cut.array.disk(1).counters().writes - before;
            cut.array.power_cycle(CrashPolicy::Everything, &mut Rng::new(at));
            if order(&cut, 1) != old {
                continue;
            }
            tried += 1;
            written = written.max(writes);
            cut.unplug(&[0]);
            bad.extend(what_is_wrong(&mut cut, &names, 20_000).map(|what| (extra, at, what)));
        }
    }
    println!("{written} writes to the disk before its superblock");
    assert!(tried > 10, "{tried} cuts leave the disk as it was");
    assert!(bad.is_empty(), "of {tried} cuts {}: {:?}", bad.len(), &bad[..bad.len().min(5)]);
}

/// A commit that fails while a disk is grown, without a failure of that disk: the pool goes on with the disk as it was. Here because
/// another disk gives nothing but noise, and is taken for an exchanged one.
#[test]
fn growing_that_fails_leaves_the_free_map_as_it_was() {
    let mut bad = Vec::new();
    let mut failures = std::collections::BTreeMap::<String, usize>::new();
    for filled in [0, 60, 100, 106, 107, 108, 109, 110, 111, 112, 113, 114, 115, 116, 118] {
        let mut array = SimArray::new(3, [Geometry::new(512, 2000); 3]);
        let mut lent = Lent::new(MEMORY);
        let options = FormatOptions { members_max: 8, ..FormatOptions::portable(Scheme::mirror(2)) };
        Pool::format(&mut array, lent.lend(), SERVICES, &mut Rng::new(9), &options, &[]).expect("formatted");
        let mut world = World { array, lent };
        {
            let mut pool = world.mount();
            for n in 0..filled {
                if put(&mut pool, &format!("before-{n}"), 8000).is_err() {
                    break;
                }
            }
        }
        for well in 0..40 {
            let mut fork = fork(&world);
            fork.array.disk_mut(0).resize(5000);
            let mut written = Vec::new();
            {
                let mut pool = fork.mount();
                if pool.begin().expect("begun").commit().is_err() {
                    break;
                }
                pool.array().disk_mut(2).mishap_after(IoKind::Read, well, 20, dynamicfs_sim::Mishap::Lie);
                let done = pool.grow_disk(0);
                pool.array().disk_mut(2).calm();
                let Err(error) = done else { continue };
                *failures.entry(format!("{error}")).or_default() += 1;
                for n in 0..200 {
                    let name = format!("after-{n}");
                    if put(&mut pool, &name, 8000).is_err() {
                        break;
                    }
                    written.push(name);
                }
            }
            let mut pool = match fork.try_mount(MountMode::ReadWrite) {
                Ok(pool) => pool,
                Err(error) => {
                    bad.push((filled, well, format!("mount: {error}")));
                    continue;
                }
            };
            for name in &written {
                let file = pool.resolve(name.as_bytes());
                let mut bytes = vec![0; 8001];
                let read = file.and_then(|file| pool.read(file, 0, &mut bytes));
                if read != Ok(8000) || bytes[..8000] != contents(name, 8000)[..] {
                    bad.push((filled, well, format!("{name}: {read:?}")));
                    break;
                }
            }
            // The operator tries again, and the pool is filled.
            if let Err(error) = pool.grow_disk(0) {
                bad.push((filled, well, format!("again: {error}")));
                continue;
            }
            for n in 0..200 {
                let name = format!("again-{n}");
                if put(&mut pool, &name, 8000).is_err() {
                    break;
                }
                written.push(name);
            }
            drop(pool);
            let mut pool = fork.mount();
            // Without the other copies: the disk that has grown is to hold what it says.
            let mut report = Default::default();
            let mut wrong = Vec::new();
            let done = pool
                .check_contents(&mut report, |found| wrong.extend(found.map(|found| format!("{found:?}"))));
            if done.is_err() || !wrong.is_empty() {
                bad.push((
                    filled,
                    well,
                    format!("{done:?} {} wrong: {:?}", wrong.len(), &wrong[..wrong.len().min(2)]),
                ));
            }
            let mut finding = None;
            let done = pool.check_space(&mut [0; 1 << 14], &mut report, |found| {
                finding = finding.take().or(found.map(|f| format!("{f:?}")))
            });
            if done.is_err() || finding.is_some() {
                bad.push((filled, well, format!("{done:?} {finding:?}")));
            }
        }
    }
    println!("failures to grow: {failures:?}");
    assert!(bad.is_empty(), "{} {:?}", bad.len(), &bad[..bad.len().min(10)]);
}

/// As many members as there can be, and as many lost as can be borne.
#[test]
fn sixty_four_members_bear_the_loss_of_four() {
    let mut array = SimArray::new(1, vec![Geometry::new(512, 1024); 64]);
    let mut lent = Lent::new(2 << 20);
    let scheme = Scheme { data: 4, parity: 4 };
    let options = FormatOptions { members_max: 64, extent_bytes: 4096, ..FormatOptions::portable(scheme) };
    Pool::format(&mut array, lent.lend(), SERVICES, &mut Rng::new(9), &options, &[]).expect("formatted");
    let mut world = World { array, lent };
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
        let mut without = World { array: world.array.clone(), lent: Lent::new(2 << 20) };
        without.unplug(&lost);
        let mut pool = without.mount();
        assert!(pool.health().writable);
        (0..20).for_each(|n| expect(&mut pool, &format!("file-{n}"), 20_000));
    }
}

/// A member that is emptied gives its fragment to another one, which fails in that very transaction; the extent's third
/// place does not count and has no space. What lay on the one that is emptied was there until then.
#[test]
fn a_fragment_that_moves_is_not_lost_with_where_it_goes_to() {
    let mut array = SimArray::new(1, [8192, 1024, 8192, 1024].map(|sectors| Geometry::new(512, sectors)));
    let mut lent = Lent::new(MEMORY);
    let options = FormatOptions {
        extent_bytes: 4096,
        tolerance: Some(2),
        ..FormatOptions::portable(Scheme::mirror(2))
    };
    // The third disk is hardly given anything as long as others have room.
    let plain = dynamicfs_core::pool::DiskOptions::default();
    let members = [plain, plain, dynamicfs_core::pool::DiskOptions { weight: 4, ..plain }, plain];
    Pool::format(&mut array, lent.lend(), SERVICES, &mut Rng::new(9), &options, &members).expect("formatted");
    let mut world = World { array, lent };
    let early: Vec<String> = (0..16).map(|n| format!("early-{n}")).collect();
    {
        // The small disk fails as soon as it is written to: what it was given is not there.
        let mut pool = world.mount();
        let mut transaction = pool.begin().expect("begun");
        for name in &early {
            let plain = dynamicfs_core::object::Attributes::default();
            let file = transaction
                .create(ObjectId::ROOT, name.as_bytes(), &dynamicfs_core::object::MakeRequest::File, &plain)
                .expect("made");
            transaction.write_all(file, 0, &contents(name, 4096)).expect("written");
        }
        transaction.store.tree.disks.array().disk_mut(1).mishap_next(
            IoKind::Flush,
            1,
            dynamicfs_sim::Mishap::Fail(IoError::Media),
        );
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
            let now: Vec<u64> = [1, 3].map(|d| pool.member_health(d).free_blocks).into();
            same = if before.iter().zip(&now).any(|(before, now)| now + 8 <= *before) { 0 } else { same + 1 };
            before = now;
        }
        println!(
            "filled {filled}: {:?}",
            (0..4).map(|d| pool.member_health(d).free_blocks).collect::<Vec<_>>()
        );
        let member = pool.member_health(0).member.expect("a member");
        pool.drain_member(member, false).expect("begun");
    }
    let readable = |array: SimArray| {
        let mut world = World { array, lent: Lent::new(MEMORY) };
        world.array.disk_mut(2).calm();
        world.array.disk_mut(2).reopen();
        world.unplug(&[2]);
        let mut pool = world.mount();
        let there = early.iter().filter(|name| {
            let file = pool.resolve(name.as_bytes()).expect("there");
            let mut bytes = vec![0; 4097];
            pool.read(file, 0, &mut bytes) == Ok(4096) && bytes[..4096] == contents(name, 4096)[..]
        });
        there.count()
    };
    let (mut lost, mut failed) = (Vec::new(), 0);
    for well in 0..120 {
        let mut fork = fork(&world);
        let mut pool = fork.mount();
        pool.array().disk_mut(2).mishap_after(
            IoKind::Write,
            well,
            1,
            dynamicfs_sim::Mishap::Fail(IoError::Gone),
        );
        for _ in 0..30 {
            let before = pool.array().clone();
            let done = pool.maintain(true).map_err(|error| error.to_string());
            if pool.member_health(2).status == DiskStatus::Online {
                continue;
            }
            failed += 1;
            // What the same failure takes one step earlier is gone either way; what is gone now besides was taken by the step.
            let (there, left) = (readable(before), readable(pool.array().clone()));
            if left < there {
                lost.push((well, done, there, left));
            }
            break;
        }
    }
    println!("{failed} failures of the receiver");
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
        println!("{:?}", put(&mut pool, &format!("new-{n}"), 20_000).map_err(|error| error.to_string()));
    }
    let health = pool.health();
    println!(
        "owed {}, online {}, read {}, write {}, writable {}",
        health.owed, health.online, health.read_tolerance, health.write_tolerance, health.writable
    );
    assert!(put(&mut pool, "new", 1000).is_ok() || !health.writable, "every commit is refused");
}

/// A pool without room, that is mounted again and again and cut each time while its superblocks are written: no mount finds all at
/// the newest state, so none may begin a sweep. In the end everything is there and sound.
#[test]
fn a_full_pool_stays_writable_however_often_a_mount_is_cut() {
    let mut world = World::new(Scheme::mirror(2), 3, MEMORY);
    {
        let mut pool = world.mount();
        let mut n = 0;
        for length in [16_000, 4000, 500, 100] {
            while put(&mut pool, &format!("file-{n}"), length).is_ok() {
                n += 1;
            }
        }
    }
    let mut refused = None;
    for cycle in 0..200 {
        world = newest_on_one_disk(&world, cycle % 3, |world| {
            if let Ok(mut pool) = world.try_mount(MountMode::ReadWrite) {
                let _ = pool.begin().and_then(|transaction| transaction.commit());
            }
        });
        let mut whole = fork(&world);
        let mut pool = whole.mount();
        let unlinked = pool.begin().and_then(|mut transaction| {
            transaction.unlink(ObjectId::ROOT, b"file-0")?;
            transaction.commit()
        });
        if !pool.health().writable || unlinked.is_err() {
            refused = Some((cycle, pool.health().writable, unlinked.map_err(|error| error.to_string())));
            break;
        }
    }
    assert_eq!(refused, None, "the pool takes no writes any more");
}

/// Half of a mirror is lost when it is full: an override goes on.
#[test]
fn an_override_of_a_full_pool_goes_on() {
    let mut world = World::new(Scheme::mirror(2), 2, MEMORY);
    {
        let mut pool = world.mount();
        let mut n = 0;
        for length in [16_000, 4000, 500, 100] {
            while put(&mut pool, &format!("file-{n}"), length).is_ok() {
                n += 1;
            }
        }
    }
    world.unplug(&[1]);
    let mut pool = world.try_mount(MountMode::AssumeMissingDead { branch: 5 }).expect("overridden");
    let mut transaction = pool.begin().expect("begun");
    transaction.unlink(ObjectId::ROOT, b"file-0").expect("unlinked");
    transaction.commit().expect("committed");
    rest(&mut pool);
    let mut report = Default::default();
    pool.check_space(&mut [0; 1 << 14], &mut report, |found| assert!(found.is_none(), "{found:?}"))
        .expect("checked");
}

/// The same on a single disk, where reads fail for a moment while the commit of growing is made: there is no other copy.
#[test]
fn growing_that_fails_on_the_only_disk_takes_nothing() {
    let (mut bad, mut failures) = (Vec::new(), 0);
    for filled in 100..122 {
        let mut array = SimArray::new(3, [Geometry::new(512, 2000)]);
        let mut lent = Lent::new(MEMORY);
        let options = FormatOptions { members_max: 8, ..FormatOptions::portable(Scheme::SINGLE) };
        Pool::format(&mut array, lent.lend(), SERVICES, &mut Rng::new(9), &options, &[]).expect("formatted");
        let mut world = World { array, lent };
        let mut names = Vec::new();
        {
            let mut pool = world.mount();
            for n in 0..filled {
                let name = format!("before-{n}");
                if put(&mut pool, &name, 8000).is_ok() {
                    names.push(name);
                }
            }
        }
        for (well, failing) in (0..60).flat_map(|well| [2, 4, 6, 8].map(|failing| (well, failing))) {
            let mut fork = fork(&world);
            fork.array.disk_mut(0).resize(5000);
            let mut names = names.clone();
            {
                let options = dynamicfs_core::MountOptions::default();
                let mut bytes = 20 << 10;
                let mut pool = loop {
                    let lent = fork.lent.lend_only(bytes);
                    match Pool::mount(&mut fork.array, lent, SERVICES, &options) {
                        Ok(pool) => break pool,
                        Err(MountError::NeedsMemory { bytes: needed }) => bytes = needed,
                        Err(error) => panic!("{error}"),
                    }
                };
                pool.array().disk_mut(0).mishap_after(
                    IoKind::Read,
                    well,
                    failing,
                    dynamicfs_sim::Mishap::Fail(IoError::Media),
                );
                let done = pool.grow_disk(0);
                pool.array().disk_mut(0).calm();
                if done.is_ok() {
                    continue;
                }
                failures += 1;
                for n in 0..6 {
                    let name = format!("after-{n}");
                    if put(&mut pool, &name, 3000).is_ok() {
                        names.push(name);
                    }
                }
            }
            let mut pool = match fork.try_mount(MountMode::ReadWrite) {
                Ok(pool) => pool,
                Err(error) => {
                    bad.push((filled, well, failing, format!("mount: {error}")));
                    continue;
                }
            };
            let _ = pool.grow_disk(0);
            for n in 0..100 {
                let _ = put(&mut pool, &format!("again-{n}"), 8000);
            }
            for name in &names {
                let length = if name.starts_with("after") { 3000 } else { 8000 };
                let file = pool.resolve(name.as_bytes());
                let mut bytes = vec![0; length + 1];
                let read = file.and_then(|file| pool.read(file, 0, &mut bytes));
                if read != Ok(length) || bytes[..length] != contents(name, length)[..] {
                    bad.push((filled, well, failing, format!("{name}: {read:?}")));
                    break;
                }
            }
        }
    }
    println!("{failures} failures to grow");
    assert!(bad.is_empty(), "{} {:?}", bad.len(), &bad[..bad.len().min(6)]);
}
