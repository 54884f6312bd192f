//! What is said of losses that have not happened: each is made to happen in a copy of the world, and looked at.

use super::*;
use crate::common::contents;
use dynamicfs_core::ReadObjects;
use dynamicfs_core::maintain::{LossForecast, RebuildSpace};
use dynamicfs_core::object::{Attributes, MakeRequest};
use dynamicfs_core::types::{DiskIndex, Row, Set};
use std::ops::ControlFlow;

/// Bytes of the smallest part of a file that is looked at: a chunk.
const CHUNK: usize = 512;

/// A file: its number, name and length.
type Known = (ObjectId, String, usize);

/// Disks that are lost together, and what was said of that.
struct Told {
    disks: Vec<usize>,
    forecast: LossForecast,
}

fn row_of(pool: &Mounted<'_>, disk: usize) -> Row {
    let member = pool.member_health(DiskIndex(disk)).member.expect("a member");
    pool.internals().store.committed().row_of(member).expect("in the table")
}

/// Every file of the root directory.
fn files(pool: &mut Mounted<'_>) -> Vec<Known> {
    let mut found = Vec::new();
    pool.list(ObjectId::ROOT, 0, |entry| {
        found.push((entry.object, String::from_utf8_lossy(entry.name).into_owned()));
        ControlFlow::<()>::Continue(())
    })
    .expect("listed");
    let size = |pool: &mut Mounted<'_>, file| pool.inode(file).expect("its attributes").size as usize;
    found.sort();
    found.into_iter().map(|(file, name)| (file, name, size(pool, file))).collect()
}

/// Bytes of a file that cannot be read, chunk by chunk; what can be read is right.
fn unreadable(pool: &mut Mounted<'_>, (file, name, length): &Known) -> u64 {
    let (whole, mut lost) = (contents(name, *length), 0);
    for (at, part) in whole.chunks(CHUNK).enumerate() {
        let mut bytes = vec![0; part.len()];
        match pool.read(*file, (at * CHUNK) as u64, &mut bytes) {
            Ok(read) => assert!(read == part.len() && bytes == part, "{name}: wrong bytes"),
            Err(_) => lost += part.len() as u64,
        }
    }
    lost
}

/// All sets of up to `most` of these disks.
fn subsets(disks: &[usize], most: usize) -> impl Iterator<Item = Vec<usize>> {
    let disks = disks.to_vec();
    (0..1u32 << disks.len()).filter(move |set| set.count_ones() as usize <= most).map(move |set| {
        disks.iter().enumerate().filter(|(i, _)| set >> i & 1 == 1).map(|(_, &disk)| disk).collect()
    })
}

/// Says of every loss of up to `most` of these disks what it would mean, and then looks. Returns how many of them would take
/// contents, and nodes of the tree.
fn told_and_found(world: &mut World, disks: &[usize], most: usize, what: &str) -> (usize, usize) {
    let (files, told, lost_now) = {
        let mut pool = world.mount();
        let files = files(&mut pool);
        let told: Vec<Told> = subsets(disks, most)
            .map(|disks| {
                let rows = disks.iter().map(|&disk| row_of(&pool, disk));
                let rows = rows.collect::<Set<Row>>();
                Told { forecast: pool.forecast_loss(rows).expect("computed"), disks }
            })
            .collect();
        let lost_now: Vec<u64> = files.iter().map(|file| unreadable(&mut pool, file)).collect();
        (files, told, lost_now)
    };
    let base = world.array.clone();
    for told in &told {
        let what = format!("{what}, without {:?}: {:?}", told.disks, told.forecast);
        let copy = || World { array: base.clone(), lent: Lent::new(MEMORY) };
        look(copy(), told, (&files, &lost_now), &what);
        write(copy(), told, &what);
        shut(copy(), told, &what);
    }
    let count = |takes: fn(&LossForecast) -> bool| told.iter().filter(|told| takes(&told.forecast)).count();
    (count(|forecast| forecast.lost_bytes > 0), count(|forecast| forecast.nodes_lost > 0))
}

/// Mounts what is left for reading.
fn look(mut world: World, told: &Told, (files, lost_now): (&[Known], &[u64]), what: &str) {
    let forecast = &told.forecast;
    world.unplug(&told.disks);
    let mounted = world.try_mount(MountMode::ReadOnly);
    assert_eq!(mounted.is_ok(), forecast.footing.mountable, "{what}: {:?}", mounted.err());
    let Ok(mut pool) = mounted else { return };
    match pool.count_extents() {
        Ok(extents) => assert_eq!(extents, forecast.extents, "{what}"),
        Err(error) => assert!(forecast.nodes_lost > 0, "{what}: {error}"),
    }
    let (mut bytes, mut objects) = (0, Vec::new());
    for (file, &lost_now) in files.iter().zip(lost_now) {
        let lost = unreadable(&mut pool, file) - lost_now;
        bytes += lost;
        objects.extend((lost > 0 || pool.inode(file.0).is_err()).then_some(file.0));
    }
    let said: Vec<_> = forecast.objects.iter().copied().filter(|&object| object != ObjectId::ROOT).collect();
    assert_eq!((bytes, objects), (forecast.lost_bytes, said), "{what}");
}

/// Mounts what is left for writing.
fn write(mut world: World, told: &Told, what: &str) {
    let footing = told.forecast.footing;
    world.unplug(&told.disks);
    let mut mounted = world.try_mount(MountMode::ReadWrite);
    let written = mounted.as_mut().ok().map(|pool| put(pool, "after", 20_000));
    let writable = matches!(written, Some(Ok(())));
    assert_eq!(writable, footing.writable, "{what}: {:?} {written:?}", mounted.err());
    if let Ok(pool) = mounted.as_mut()
        && writable
    {
        let health = pool.health();
        assert_eq!(health.write_tolerance, footing.write_tolerance, "{what}: {health:?}");
        expect(pool, "after", 20_000);
    }
}

/// Takes the disks out of use first, one by one.
fn shut(mut world: World, told: &Told, what: &str) {
    let is_shut = {
        let mut pool = world.mount();
        told.disks.iter().all(|&disk| {
            let member = pool.member_health(DiskIndex(disk)).member.expect("a member");
            pool.shut_member(member, false).is_ok()
        })
    };
    world.unplug(&told.disks);
    let written = is_shut
        && world
            .try_mount(MountMode::ReadWrite)
            .is_ok_and(|mut pool| put(&mut pool, "after", 20_000).is_ok());
    assert_eq!(written, told.forecast.footing.writable_when_shut, "{what}");
}

/// Files in one and in several extents, and enough small ones for a tree of several levels.
fn world(scheme: Scheme, disks: usize) -> World {
    let mut world = filled(scheme, disks);
    let mut pool = world.mount();
    let mut transaction = pool.begin().expect("begun");
    for n in 0..24 {
        let name = format!("file {n}");
        let request = (ObjectId::ROOT, name.as_bytes(), &MakeRequest::File, &Attributes::default());
        let file = transaction.create(request.0, request.1, request.2, request.3).expect("made");
        let length = 17 + n * 431;
        transaction.write_all(file, 0, &contents(&name, length)).expect("written");
    }
    transaction.commit().expect("committed");
    drop(pool);
    world
}

#[test]
fn losses_of_whole_pools_are_foretold() {
    for (scheme, disks) in [
        (Scheme::SINGLE, 1),
        (Scheme::SINGLE, 3),
        (Scheme::mirror(2), 2),
        (Scheme::mirror(2), 3),
        (Scheme::mirror(3), 4),
        (Scheme { data: 2, parity: 1 }, 4),
        (FOUR_TWO, 6),
        (FOUR_TWO, 8),
    ] {
        let all: Vec<usize> = (0..disks).collect();
        let most = usize::from(scheme.parity + 1).max(2);
        let what = format!("{scheme} on {disks}");
        let (contents, nodes) = told_and_found(&mut world(scheme, disks), &all, most, &what);
        assert!(contents > 0 && nodes > 0, "{what}: nothing would be lost");
    }
}

#[test]
fn further_losses_of_a_degraded_pool_are_foretold() {
    for (scheme, disks) in [(Scheme::mirror(2), 4), (Scheme::mirror(3), 4), (FOUR_TWO, 7)] {
        let mut world = world(scheme, disks);
        world.unplug(&[1]);
        world.put("degraded", 40_000);
        let rest: Vec<usize> = (0..disks).filter(|&disk| disk != 1).collect();
        told_and_found(&mut world, &rest, 2, &format!("{scheme} on {disks}, one away"));
        // It is back, and is owed what it missed.
        world.plug(&[1]);
        let all: Vec<usize> = (0..disks).collect();
        told_and_found(&mut world, &all, 2, &format!("{scheme} on {disks}, one behind"));
    }
}

#[test]
fn losses_while_disks_are_emptied_shut_or_spare_are_foretold() {
    for (scheme, disks) in [(Scheme::mirror(2), 4), (FOUR_TWO, 8)] {
        let all: Vec<usize> = (0..disks).collect();
        let mut draining = world(scheme, disks);
        {
            let mut pool = draining.mount();
            pool.drain_member(MemberNumber(2), false).expect("begun");
            assert_eq!(pool.maintain(false), Ok(Work::Advanced(JobKind::Rebuild)));
        }
        told_and_found(&mut draining, &all, 2, &format!("{scheme}, one half emptied"));
        rest(&mut draining.mount());
        told_and_found(&mut draining, &all, 2, &format!("{scheme}, one emptied"));
        for failed in [false, true] {
            let mut shut = world(scheme, disks);
            shut.mount().shut_member(MemberNumber(0), failed).expect("shut");
            told_and_found(&mut shut, &all[1..], 2, &format!("{scheme}, one shut, failed: {failed}"));
        }
    }
    let mut spare = world(Scheme::mirror(2), 3);
    let place = new_disk(&mut spare, 2048);
    add(&mut spare.mount(), place, true);
    told_and_found(&mut spare, &[0, 1, 2, place], 2, "with a spare disk");
}

/// A witness holds nothing, and its word counts.
#[test]
fn losses_beside_a_witness_are_foretold() {
    let array = SimArray::new(3, vec![Geometry::new(512, 2048); 3]);
    let options = FormatOptions::portable(Scheme::mirror(2));
    let mut members = [DiskOptions::default(); 3];
    members[2].witness = true;
    let mut world = World::on(array, options).members(&members).entropy(4).make();
    world.put("file", 30_000);
    told_and_found(&mut world, &[0, 1, 2], 3, "with a witness");
}

/// The number of disks that may be lost, whichever they are: no set of so many loses anything, and some set
/// of one more does.
#[test]
fn the_tolerance_for_reading_is_that_of_the_worst_case() {
    for (scheme, disks, away) in [
        (Scheme::SINGLE, 3, None),
        (Scheme::mirror(2), 4, None),
        (Scheme::mirror(3), 5, Some(0)),
        (FOUR_TWO, 6, None),
        (FOUR_TWO, 7, Some(3)),
    ] {
        let mut world = world(scheme, disks);
        world.unplug(&away.map_or(Vec::new(), |disk| vec![disk]));
        let mut pool = world.mount();
        let rest: Vec<usize> = (0..disks).filter(|&disk| Some(disk) != away).collect();
        let tolerance = pool.forecast_loss(Set::EMPTY).expect("computed").read_tolerance;
        let mut least = usize::MAX;
        for disks in subsets(&rest, disks) {
            let rows = disks.iter().copied().map(Row).collect();
            let forecast = pool.forecast_loss(rows).expect("computed");
            if forecast.nodes_lost > 0 || forecast.extents.unreadable > 0 {
                least = least.min(disks.len());
            }
        }
        assert_eq!(tolerance + 1, least, "{scheme} on {disks}, {away:?} away");
    }
}

/// Whether a rebuild finds space is foretold, from an empty pool to a full one; and what is left then, within a group a disk.
#[test]
fn space_for_a_rebuild_is_foretold() {
    let two_one = Scheme { data: 2, parity: 1 };
    for (scheme, disks) in [(Scheme::mirror(2), 4), (two_one, 5), (FOUR_TWO, 8), (FOUR_TWO, 6)] {
        let (mut world, mut found) = (world(scheme, disks), [0; 3]);
        for n in 0.. {
            if put(&mut world.mount(), &format!("fill {n}"), 90_000).is_err() {
                break;
            }
            let mut copy = world.fork(MEMORY);
            let mut pool = copy.mount();
            let lost = n % disks;
            let forecast = pool.forecast_rebuild(Set::only(Row(lost))).expect("computed");
            pool.shut_member(MemberNumber(lost as u16), true).expect("shut");
            rest(&mut pool);
            let extents = counts(&mut pool);
            let left: u64 = pool.rooms().expect("read").iter().map(|room| room.usable()).sum();
            let what = format!("{scheme} on {disks}, {n}: {forecast:?}, {extents:?}, {left} left");
            found[forecast.space() as usize] += 1;
            match forecast.space() {
                RebuildSpace::Enough => {
                    assert_eq!(extents.complete, extents.total, "{what}");
                    assert!(left.abs_diff(forecast.blocks_left) < forecast.blocks_open / 2, "{what}");
                }
                RebuildSpace::TooLittle => assert!(extents.complete < extents.total, "{what}"),
                RebuildSpace::Tight => {}
            }
            assert_eq!(forecast.without_disks, 0, "{what}");
        }
        let [enough, tight, too_little] = found;
        assert!(enough > 0 && too_little > 0, "{scheme} on {disks}: {enough} {tight} {too_little}");
    }
}

/// A mirror of two loses one: there is no disk for the other copy.
#[test]
fn too_few_disks_for_a_rebuild_are_foretold() {
    let mut world = filled(Scheme::mirror(2), 2);
    let mut pool = world.mount();
    let forecast = pool.forecast_rebuild(Set::only(Row(0))).expect("computed");
    assert_eq!((forecast.without_disks, forecast.without_space), (counts(&mut pool).total, 0));
    assert_eq!(forecast.blocks_written, 0, "{forecast:?}");
}

/// A pool whose tree bears more than its contents loses a disk: the contents have a place on the others, and
/// not all nodes have.
#[test]
fn too_few_disks_for_the_nodes_are_foretold() {
    let array = SimArray::new(1, vec![Geometry::new(512, 2048); 3]);
    let options = FormatOptions::portable(Scheme::mirror(2)).tolerance(2);
    let mut world = World::on(array, options).make();
    let mut pool = world.mount();
    put(&mut pool, "file", 20_000).expect("committed");
    let forecast = |pool: &mut Mounted<'_>, lost| pool.forecast_rebuild(lost).expect("computed");
    assert_eq!(forecast(&mut pool, Set::EMPTY).nodes_without_disks, 0);
    let told = forecast(&mut pool, Set::only(Row(0)));
    assert_eq!((told.nodes_without_disks > 0, told.without_disks, told.without_space), (true, 0, 0));
    pool.shut_member(MemberNumber(0), true).expect("shut");
    rest(&mut pool);
    // They were written anew, and none has a place for its third replica.
    assert!(forecast(&mut pool, Set::EMPTY).nodes_without_disks > 0);
}

/// A file in a weaker scheme than the pool's is lost sooner. Health promised what the pool bears.
#[test]
fn what_is_stored_in_a_weaker_scheme_is_not_promised() {
    let mut world = world(FOUR_TWO, 6);
    let mut pool = world.mount();
    assert_eq!(pool.health().read_tolerance, 2);
    let mut transaction = pool.begin().expect("begun");
    let weak = Attributes::new().scheme(Scheme::SINGLE);
    let file = transaction.create(ObjectId::ROOT, b"weak", &MakeRequest::File, &weak).expect("made");
    transaction.write_all(file, 0, &contents("weak", 40_000)).expect("written");
    transaction.commit().expect("committed");
    let promised = |pool: &mut Mounted<'_>| {
        let forecast = pool.forecast_loss(Set::EMPTY).expect("computed");
        let health = pool.health();
        assert!(health.read_tolerance <= forecast.read_tolerance, "{health:?} {forecast:?}");
        (forecast.read_tolerance, forecast.asked_tolerance, forecast.weakest, health.write_tolerance)
    };
    assert_eq!(promised(&mut pool), (0, 0, Some(file), 2));
    // What is removed takes nothing with it any more.
    let mut transaction = pool.begin().expect("begun");
    transaction.unlink(ObjectId::ROOT, b"weak").expect("removed");
    transaction.commit().expect("committed");
    rest(&mut pool);
    assert_eq!(promised(&mut pool), (2, 2, None, 2));
}

/// As many disks may simply be gone as is said, whichever they are, and no set of one more.
#[test]
fn the_tolerance_for_mounting_is_that_of_the_worst_case() {
    for (scheme, disks, expected) in [
        (Scheme::SINGLE, 1, 0),
        (Scheme::mirror(2), 2, 0),
        (Scheme::mirror(2), 3, 1),
        (Scheme::mirror(3), 3, 1),
        (Scheme { data: 2, parity: 2 }, 4, 1),
        (Scheme::mirror(3), 5, 2),
    ] {
        let mut world = world(scheme, disks);
        let tolerance = world.mount().health().mount_tolerance;
        assert_eq!(tolerance, expected, "{scheme} on {disks}");
        let all: Vec<usize> = (0..disks).collect();
        for lost in subsets(&all, tolerance + 1) {
            let mut copy = world.fork(MEMORY);
            copy.unplug(&lost);
            let mounts = copy.try_mount(MountMode::ReadOnly).is_ok();
            assert!(mounts || lost.len() > tolerance, "{scheme} on {disks}, without {lost:?}");
            assert!(!mounts || lost.len() <= tolerance, "{scheme} on {disks}, without {lost:?}");
        }
    }
}
