//! Disks that are cut, enlarged, or put behind another bridge: what of them is used, what is named, what is never lost.

use crate::common::{MEMORY, Mounted, World, contents, expect, expect_whole, put};
use dynamicfs_core::disks::DiskStatus;
use dynamicfs_core::error::{MemberError, MountError};
use dynamicfs_core::format::label::{self, DiskIdentity, LABEL_BYTES, Label};
use dynamicfs_core::format::parameters::COPY_PLACES;
use dynamicfs_core::maintain::CheckReport;
use dynamicfs_core::types::{DiskIndex, ObjectId, Row, Scheme};
use dynamicfs_core::{AddOptions, FormatOptions, Memory, MountMode, MountOptions, Pool};
use dynamicfs_hal::{BlockDevice, Geometry, IoError};
use dynamicfs_sim::world::{Lent, SERVICES, account, crc32c, put_file};
use dynamicfs_sim::{CrashPolicy, Halt, IoKind, Mishap, Rng, SimArray, SimDisk, states};

fn world(scheme: Scheme, sectors: &[u64]) -> World {
    let array = SimArray::new(3, sectors.iter().map(|&sectors| Geometry::new(512, sectors)));
    let options = FormatOptions::portable(scheme).members_max(8);
    World::on(array, options).make()
}

fn label_at(world: &World, disk: usize, at: u64) -> Option<DiskIdentity> {
    let mut bytes = [0; LABEL_BYTES];
    world.array.disk(disk).pristine(at, &mut bytes);
    label::decode(&bytes, crc32c).ok().map(|(_, identity)| identity)
}

/// The label of a disk, at its beginning.
fn label_of(world: &World, disk: usize) -> DiskIdentity {
    label_at(world, disk, 0).expect("a label")
}

// --- labels ---------------------------------------------------------------------------------------------------

/// Whatever is written over one or two of them, the third makes the disk a member, and a scrub repairs the
/// others.
#[test]
fn any_one_label_is_enough_and_the_others_are_mended() {
    for kept in 0..3 {
        let mut world = world(Scheme::mirror(2), &[16384, 16384]);
        world.put("file", 20_000);
        let identity = label_of(&world, 1);
        assert_eq!(identity.copy_at, COPY_PLACES[1]);
        for (n, at) in identity.label_places().into_iter().enumerate() {
            if n != kept {
                world.array.disk_mut(1).overwrite(at, &[0xA5; 512]);
            }
        }
        let mut pool = world.mount();
        assert_eq!(pool.member_health(DiskIndex(1)).status, DiskStatus::Online, "kept {kept}");
        expect(&mut pool, "file", 20_000);
        pool.begin().expect("begun").commit().expect("committed");
        assert_eq!(pool.internals_mut().store.mend_labels(), 2, "kept {kept}");
        assert_eq!(pool.internals_mut().store.mend_labels(), 0);
        drop(pool);
        for at in identity.label_places() {
            assert_eq!(label_at(&world, 1, at), Some(identity));
        }
    }
}

/// Whole, and with a checksum that is right, a label may still say that data and superblocks share a place.
#[test]
fn a_label_by_which_data_reaches_into_a_ring_is_none() {
    let world = world(Scheme::mirror(2), &[16384, 16384]);
    let mut bytes = [0; LABEL_BYTES];
    world.array.disk(1).pristine(0, &mut bytes);
    let (parameters, identity) = label::decode(&bytes, crc32c).expect("a label");
    let room = (identity.ring_b >> parameters.block_shift) - identity.data_start;
    for (data_blocks, is_sound) in [(room, true), (room + 1, false)] {
        label::encode(&mut bytes, &parameters, &DiskIdentity { data_blocks, ..identity }, crc32c);
        assert_eq!(label::decode(&bytes, crc32c).is_ok(), is_sound, "{data_blocks} blocks in {room}");
    }
}

/// A partition table takes the first sectors and the last ones.
#[test]
fn a_partition_table_over_both_ends_leaves_the_disk_a_member() {
    let mut world = world(Scheme::mirror(2), &[16384, 16384]);
    world.put("file", 20_000);
    for disk in 0..2 {
        world.array.disk_mut(disk).overwrite(0, &[0x5A; 34 * 512]);
        world.array.disk_mut(disk).overwrite((16384 - 33) * 512, &[0x5A; 33 * 512]);
    }
    let pool = world.mount();
    assert_eq!(pool.health().online, 2);
    drop(pool);
    world.expect("file", 20_000);
}

#[test]
fn the_label_that_was_changed_last_is_right_wherever_it_lies() {
    for newer in 0..3 {
        let mut world = world(Scheme::mirror(2), &[16384, 16384]);
        let identity = label_of(&world, 0);
        let at = identity.label_places()[newer];
        let mut bytes = [0; LABEL_BYTES];
        world.array.disk(0).pristine(at, &mut bytes);
        let mut label = Label::new(&mut bytes[..]).expect("a label");
        label.set_serial(7);
        label.set_weight(99);
        label.set_compat(0x40);
        let crc = crc32c(0, &bytes[4..]);
        bytes[..4].copy_from_slice(&crc.to_le_bytes());
        world.array.disk_mut(0).overwrite(at, &bytes);
        let mut pool = world.mount();
        let found = pool.internals().store.tree.disks.identity_in_row(Row(0)).copied().expect("a member");
        assert_eq!((found.serial, found.weight), (7, 99), "the newer one is at {at}");
        // What is repaired keeps what is not known.
        assert_eq!(pool.internals_mut().store.mend_labels(), 2);
        drop(pool);
        assert!(identity.label_places().into_iter().all(|at| label_at(&world, 0, at) == Some(found)));
    }
}

// --- sectors --------------------------------------------------------------------------------------------------

/// Slots were as long as the sectors of the first disks asked for, and a pool made on such of 512 bytes took no other.
#[test]
fn a_pool_of_disks_with_small_sectors_takes_one_with_large_ones() {
    let mut array = SimArray::new(5, [Geometry::new(512, 32768); 2]);
    let mut lent = Lent::with_nodes(4 << 20, 4096);
    let options = FormatOptions::server(Scheme::mirror(2));
    Pool::format(&mut array, lent.lend(), SERVICES, &mut Rng::new(2), &options, &[]).expect("formatted");
    let large = dynamicfs_sim::SimDisk::new(Geometry::new(4096, 4096), 6);
    let emulated = dynamicfs_sim::SimDisk::new(Geometry { tear_unit: 4096, ..Geometry::new(512, 32768) }, 7);
    let places = [array.add(large), array.add(emulated)];
    let mut pool = Pool::mount(&mut array, lent.lend(), SERVICES, &MountOptions::default()).expect("mounted");
    for place in places {
        pool.add_disk(DiskIndex(place), &mut Rng::new(place as u64), &Default::default()).expect("added");
    }
    for n in 0..6 {
        put_file(&mut pool, &format!("file-{n}"), &contents("x", 100_000)).expect("written");
    }
    account(&mut pool, "with three kinds of sectors");
    drop(pool);
    let pool = Pool::mount(&mut array, lent.lend(), SERVICES, &MountOptions::default()).expect("mounted");
    assert_eq!(pool.health().online, 4);
}

/// The same disk behind a bridge that shows larger sectors.
fn behind_a_bridge(world: &mut World, disk: usize) {
    let old = world.array.take(disk);
    let bytes = old.geometry().bytes();
    let mut new = dynamicfs_sim::SimDisk::new(Geometry::new(4096, bytes / 4096), 8);
    let mut image = vec![0; bytes as usize];
    old.pristine(0, &mut image);
    new.overwrite(0, &image);
    world.array.put(disk, new);
}

#[test]
fn a_disk_behind_a_bridge_with_larger_sectors_is_named() {
    let mut world = world(Scheme::mirror(2), &[2048, 2048, 2048]);
    world.put("file", 20_000);
    behind_a_bridge(&mut world, 0);
    let mut pool = world.mount();
    assert_eq!(pool.member_health(DiskIndex(0)).status, DiskStatus::LargeSectors);
    assert_eq!(pool.health().online, 2);
    expect(&mut pool, "file", 20_000);
    drop(pool);
    behind_a_bridge(&mut world, 1);
    for mode in [MountMode::ReadWrite, MountMode::ReadOnly] {
        let error = world.try_mount(mode).err();
        assert_eq!(error, Some(MountError::LargeSectors { disk: DiskIndex(0), sector_bytes: 4096 }));
    }
}

/// The image of a card that tears 512 bytes is on a disk that tears 4096.
#[test]
fn a_disk_that_tears_larger_units_than_the_pool_was_made_for_says_so() {
    let mut world = world(Scheme::mirror(2), &[2048, 2048]);
    world.put("file", 20_000);
    assert!(!world.mount().member_health(DiskIndex(0)).tears_neighbours);
    let old = world.array.take(0);
    let mut new = dynamicfs_sim::SimDisk::new(Geometry { tear_unit: 4096, ..old.geometry() }, 8);
    let mut image = vec![0; old.geometry().bytes() as usize];
    old.pristine(0, &mut image);
    new.overwrite(0, &image);
    world.array.put(0, new);
    let pool = world.mount();
    assert_eq!([0, 1].map(|disk| pool.member_health(DiskIndex(disk)).tears_neighbours), [true, false]);
    assert_eq!(pool.health().online, 2);
}

// --- shorter --------------------------------------------------------------------------------------------------

#[test]
fn a_disk_that_was_cut_is_named_and_only_read() {
    for cut in [1, 40, 700] {
        let mut world = world(Scheme::mirror(2), &[2048, 2048, 2048]);
        world.put("file", 60_000);
        world.array.disk_mut(1).resize(2048 - cut);
        let before = world.array.disk(1).counters().writes;
        {
            let mut pool = world.mount();
            let health = pool.member_health(DiskIndex(1));
            assert_eq!((health.status, health.is_cut), (DiskStatus::Truncated, true), "cut by {cut}");
            put(&mut pool, "more", 20_000).expect("the others go on");
            expect(&mut pool, "file", 60_000);
        }
        assert_eq!(world.array.disk(1).counters().writes, before, "nothing was written to it");
        let mut pool = world.try_mount(MountMode::ReadOnly).expect("for reading");
        assert!(pool.member_health(DiskIndex(1)).is_cut);
        expect(&mut pool, "file", 60_000);
        expect(&mut pool, "more", 20_000);
    }
}

#[test]
fn the_only_disk_that_was_cut_is_read_for_what_is_there() {
    let mut world = world(Scheme::SINGLE, &[2048]);
    world.put("file", 20_000);
    world.array.disk_mut(0).resize(2047);
    let error = world.try_mount(MountMode::ReadWrite).err();
    assert_eq!(
        error,
        Some(MountError::Truncated { disk: DiskIndex(0), bytes: 2047 * 512, needed: 2048 * 512 })
    );
    assert!(error.is_some_and(|error| error.to_string().contains("shorter")));
    for mode in [MountMode::ReadOnly, MountMode::Salvage] {
        let mut pool = world.try_mount(mode).expect("for reading");
        assert!(!pool.health().writable && pool.member_health(DiskIndex(0)).is_cut);
        expect(&mut pool, "file", 20_000);
    }
    // With its size back it is as it was.
    world.array.disk_mut(0).resize(2048);
    world.array.disk_mut(0).overwrite(2047 * 512, &[0; 512]);
    let mut pool = world.mount();
    put(&mut pool, "more", 1000).expect("written");
}

// --- longer ---------------------------------------------------------------------------------------------------

/// Fills a pool until nothing more goes in: how many files.
fn fill(pool: &mut crate::common::Mounted<'_>, prefix: &str) -> usize {
    (0..).take_while(|n| put(pool, &format!("{prefix}-{n}"), 8000).is_ok()).count()
}

#[test]
fn a_disk_that_has_grown_is_noticed_and_taken_into_use() {
    let mut world = world(Scheme::SINGLE, &[2000]);
    let (before, free) = {
        let mut pool = world.mount();
        assert_eq!(pool.member_health(DiskIndex(0)).growable_blocks, 0);
        assert!(matches!(pool.grow_disk(DiskIndex(0)), Err(MemberError::NotGrown)));
        (fill(&mut pool, "before"), pool.health().free_blocks)
    };
    world.array.disk_mut(0).resize(5000);
    {
        let mut pool = world.mount();
        assert_eq!(pool.member_health(DiskIndex(0)).growable_blocks, 3000);
        assert_eq!(pool.grow_disk(DiskIndex(0)).expect("grown"), 3000);
        assert_eq!(pool.member_health(DiskIndex(0)).growable_blocks, 0);
        assert!(pool.health().free_blocks > free + 2900);
        account(&mut pool, "grown");
        let more = fill(&mut pool, "after");
        assert!(more > before, "{more} more than {before}");
        account(&mut pool, "full again");
    }
    let mut pool = world.mount();
    assert_eq!(
        (pool.member_health(DiskIndex(0)).status, pool.member_health(DiskIndex(0)).growable_blocks),
        (DiskStatus::Online, 0)
    );
    (0..before).for_each(|n| expect(&mut pool, &format!("before-{n}"), 8000));
    account(&mut pool, "mounted again");
    drop(pool);
    let identity = label_of(&world, 0);
    assert_eq!((identity.serial, identity.end_at), (2, 4999 * 512));
    assert!(identity.label_places().into_iter().all(|at| label_at(&world, 0, at) == Some(identity)));
}

/// Too little for another ring of superblocks behind the old end: it stays as it is.
#[test]
fn a_disk_that_has_grown_by_too_little_is_left_as_it_is() {
    for (more, gained) in [(1, None), (4, None), (8, None), (9, Some(9))] {
        let mut world = world(Scheme::SINGLE, &[2000]);
        world.put("file", 9000);
        world.array.disk_mut(0).resize(2000 + more);
        let mut pool = world.mount();
        assert_eq!(pool.member_health(DiskIndex(0)).growable_blocks, gained.unwrap_or(0));
        assert_eq!(pool.grow_disk(DiskIndex(0)), gained.ok_or(MemberError::NotGrown), "{more} more");
        expect(&mut pool, "file", 9000);
    }
}

#[test]
fn disks_of_any_size_grow_to_any_size_again_and_again() {
    for seed in 0..40 {
        let mut rng = Rng::new(seed);
        let mut sectors = rng.within(450..900);
        let mut world = world(Scheme::mirror(2), &[sectors, 3000]);
        for round in 0..4 {
            let what = format!("seed {seed} round {round}");
            world.put(&format!("file-{round}"), rng.within(1..20_000) as usize);
            sectors += rng.within(20..400);
            world.array.disk_mut(0).resize(sectors);
            let mut pool = world.mount();
            pool.grow_disk(DiskIndex(0)).unwrap_or_else(|error| panic!("{what}: {error}"));
            account(&mut pool, &what);
            for n in 0..rng.below(6) {
                let _ = put(&mut pool, &format!("more-{round}-{n}"), 9000);
            }
            if rng.coin() {
                let mut transaction = pool.begin().expect("begun");
                transaction.unlink(ObjectId::ROOT, format!("file-{round}").as_bytes()).expect("unlinked");
                transaction.commit().expect("committed");
                crate::common::rest(&mut pool);
            }
            account(&mut pool, &what);
        }
    }
}

/// The power is cut at every I/O of growing. Whatever survives, the pool is as it was, whole, and a second go finishes it.
#[test]
fn growing_survives_a_cut_at_every_io() {
    for (scheme, sectors) in [(Scheme::SINGLE, vec![700]), (Scheme::mirror(2), vec![700, 900])] {
        let mut start = world(scheme, &sectors);
        start.put("before", 30_000);
        start.put("more", 9000);
        start.array.disk_mut(0).resize(2200);
        let mut rng = Rng::new(sectors.len() as u64);
        let (mut cuts, mut half) = (0, 0);
        for at in 0..400 {
            let mut halted = start.fork(MEMORY);
            {
                let mut pool = halted.mount();
                let from = pool.array().steps();
                pool.array().halt_at(from + at, Halt::PowerCut);
                let _ = pool.grow_disk(DiskIndex(0));
            }
            if halted.array.halted().is_none() {
                assert!(cuts > 20, "{cuts}");
                assert!(half > 0, "some cuts fall between the labels and the commit");
                break;
            }
            for policy in CrashPolicy::ALL {
                let mut world =
                    World { array: halted.array.crash(policy, &mut rng), lent: Lent::new(MEMORY) };
                let what = format!("{scheme:?} cut at {at}, {policy:?}");
                half += u32::from(finish(&mut world, &what));
                cuts += 1;
            }
        }
    }
}

/// After a cut: everything is there, whatever is written next too, and growing again comes to its end. Whether the labels were new and
/// the record was not.
fn finish(world: &mut World, what: &str) -> bool {
    let serial = {
        let mut pool = world.mount();
        let serial = pool.internals().store.tree.disks.identity_in_row(Row(0)).expect("a member").serial;
        expect(&mut pool, "before", 30_000);
        account(&mut pool, what);
        put(&mut pool, "after", 5000).unwrap_or_else(|error| panic!("{what}: {error}"));
        serial
    };
    let mut pool = world.mount();
    expect(&mut pool, "after", 5000);
    let left = pool.member_health(DiskIndex(0)).growable_blocks;
    match (pool.grow_disk(DiskIndex(0)), left) {
        (Err(MemberError::NotGrown), 0) => {}
        (Ok(gained), left) => assert!(gained == left && left > 0, "{what}: {gained} of {left}"),
        (Err(error), _) => panic!("{what}: {error}"),
    }
    assert_eq!(pool.member_health(DiskIndex(0)).growable_blocks, 0, "{what}");
    put(&mut pool, "last", 9000).unwrap_or_else(|error| panic!("{what}: {error}"));
    drop(pool);
    let mut pool = world.mount();
    for (name, length) in [("before", 30_000), ("more", 9000), ("after", 5000), ("last", 9000)] {
        expect(&mut pool, name, length);
    }
    expect_whole(&mut pool, what);
    serial > 1 && left > 0
}

/// A disk whose labels are all older than what the pool knows of it: where they say that superblocks lie is data now.
#[test]
fn a_disk_with_labels_from_before_it_was_grown_is_not_written_to() {
    let mut world = world(Scheme::mirror(2), &[700, 900, 900]);
    world.put("file", 20_000);
    let old = label_of(&world, 0);
    let mut bytes = [0; LABEL_BYTES];
    world.array.disk(0).pristine(0, &mut bytes);
    world.array.disk_mut(0).resize(2200);
    world.mount().grow_disk(DiskIndex(0)).expect("grown");
    let new = label_of(&world, 0);
    for at in [0, old.copy_at, new.end_at] {
        world.array.disk_mut(0).overwrite(at, &bytes);
    }
    let before = world.array.disk(0).counters().writes;
    let mut pool = world.mount();
    assert_eq!(pool.member_health(DiskIndex(0)).status, DiskStatus::Truncated);
    put(&mut pool, "more", 9000).expect("the others go on");
    expect(&mut pool, "file", 20_000);
    drop(pool);
    assert_eq!(world.array.disk(0).counters().writes, before);
}

// --- growing that fails ---------------------------------------------------------------------------------------

/// A world with as many of these files of 8000 bytes as it has room for: their names.
fn with_files(scheme: Scheme, sectors: &[u64], files: usize) -> (World, Vec<String>) {
    let mut world = world(scheme, sectors);
    let names = put_some(&mut world.mount(), "before", files);
    (world, names)
}

/// Writes so many files of 8000 bytes, or as many as there is room for: their names.
fn put_some(pool: &mut Mounted<'_>, prefix: &str, files: usize) -> Vec<String> {
    let names = (0..files).map(|n| format!("{prefix}-{n}"));
    names.take_while(|name| put(pool, name, 8000).is_ok()).collect()
}

/// Another disk gives nothing but noise and is taken for an exchanged one, so that the commit fails. The disk
/// that has grown continues as it was. Blocks behind its old end were given away, and given away again by the
/// next growth.
#[test]
fn growing_that_fails_leaves_the_free_map_as_it_was() {
    let mut failures = 0;
    for files in [0, 60, 100, 106, 107, 108, 109, 110, 111, 112, 113, 114, 115, 116, 118] {
        let (full, _) = with_files(Scheme::mirror(2), &[2000; 3], files);
        for well in 0..40 {
            let mut world = full.fork(MEMORY);
            world.array.disk_mut(0).resize(5000);
            let what = format!("{files} files, {well} reads are well");
            let mut pool = world.mount();
            if pool.begin().expect("begun").commit().is_err() {
                break;
            }
            pool.array().disk_mut(2).mishap_after(IoKind::Read, well, 20, Mishap::Lie);
            let grown = pool.grow_disk(DiskIndex(0));
            pool.array().disk_mut(2).calm();
            if grown.is_ok() {
                continue;
            }
            failures += 1;
            let names = put_some(&mut pool, "after", 200);
            drop(pool);
            let mut pool = world.mount();
            names.iter().for_each(|name| expect(&mut pool, name, 8000));
            // The operator tries again, and the pool is filled.
            pool.grow_disk(DiskIndex(0)).unwrap_or_else(|error| panic!("{what}: {error}"));
            put_some(&mut pool, "again", 200);
            drop(pool);
            let mut pool = world.mount();
            let mut report = CheckReport::default();
            pool.check_contents(&mut report, |found| assert!(found.is_none(), "{what}: {found:?}"))
                .unwrap_or_else(|error| panic!("{what}: {error}"));
            account(&mut pool, &what);
        }
    }
    assert!(failures > 20, "{failures} failures to grow");
}

/// Reads of the only disk fail for a moment while the commit is made: there is no other copy.
#[test]
fn growing_that_fails_on_the_only_disk_takes_nothing() {
    let mut failures = 0;
    for files in 100..122 {
        let (full, before) = with_files(Scheme::SINGLE, &[2000], files);
        let least = Memory::bytes_min(full.fork(MEMORY).mount().parameters()) + 1;
        for (well, failing) in (0..60).flat_map(|well| [2, 4, 6, 8].map(|failing| (well, failing))) {
            let mut world = full.fork(least);
            world.array.disk_mut(0).resize(5000);
            let mut pool = world.mount();
            pool.array().disk_mut(0).mishap_after(IoKind::Read, well, failing, Mishap::Fail(IoError::Media));
            let grown = pool.grow_disk(DiskIndex(0));
            pool.array().disk_mut(0).calm();
            if grown.is_ok() {
                continue;
            }
            failures += 1;
            let after = put_some(&mut pool, "after", 6);
            drop(pool);
            world.lent = Lent::new(MEMORY);
            let mut pool = world.mount();
            // It may be on the disk already that it has grown.
            let _ = pool.grow_disk(DiskIndex(0));
            put_some(&mut pool, "again", 100);
            before.iter().chain(&after).for_each(|name| expect(&mut pool, name, 8000));
        }
    }
    assert!(failures > 100, "{failures} failures to grow");
}

/// Where a label names a ring at the new end, the newest superblock stands in it. The other ring may be all
/// that is lost before the next commit.
#[test]
fn a_grown_disk_is_known_by_the_ring_at_its_new_end_alone() {
    let mut start = world(Scheme::SINGLE, &[700]);
    start.put("before", 30_000);
    let old = label_of(&start, 0);
    start.array.disk_mut(0).resize(2200);
    let mut tried = 0;
    for at in 0..400 {
        let mut cut = start.fork(MEMORY);
        {
            let mut pool = cut.mount();
            let from = pool.array().steps();
            pool.array().halt_at(from + at, Halt::PowerCut);
            // It may be cut anywhere.
            let _ = pool.grow_disk(DiskIndex(0));
        }
        if cut.array.halted().is_none() {
            break;
        }
        cut.array.power_cycle(CrashPolicy::Everything, &mut Rng::new(at));
        let label = label_of(&cut, 0);
        if label.ring_b == old.ring_b {
            continue;
        }
        tried += 1;
        let slots = states::all_slots(cut.array.disk(0));
        for slot in slots.into_iter().filter(|slot| slot.start < label.ring_b) {
            cut.array.disk_mut(0).make_unreadable(slot.start / 512..slot.end / 512);
        }
        cut.expect("before", 30_000);
    }
    assert!(tried > 0, "no cut falls between the labels and the commit");
}

/// A label makes a disk one of the pool's. Without a superblock it would be one that has lost its state, and
/// no disk that may be added again.
#[test]
fn a_new_disk_has_no_label_before_its_superblock_is_durable() {
    let mut start = world(Scheme::mirror(2), &[2048, 2048]);
    start.put("before", 9000);
    let place = start.array.add(SimDisk::new(Geometry::new(512, 2048), 7));
    let mut labelled = 0;
    for at in 0..2000 {
        let mut halted = start.fork(MEMORY);
        {
            let mut pool = halted.mount();
            let from = pool.array().steps();
            pool.array().halt_at(from + at, Halt::PowerCut);
            // It may be cut anywhere.
            let _ = pool.add_disk(DiskIndex(place), &mut Rng::new(5), &AddOptions::default());
        }
        if halted.array.halted().is_none() {
            break;
        }
        for seed in 0..16 {
            let array = halted.array.crash(CrashPolicy::Subset, &mut Rng::new(seed));
            let cut = World { array, lent: Lent::new(MEMORY) };
            if label_at(&cut, place, 0).is_some() {
                labelled += 1;
                let slots = states::all_slots(cut.array.disk(place));
                assert!(!slots.is_empty(), "cut at {at}: a label, and no superblock");
            }
        }
    }
    assert!(labelled > 0);
}
