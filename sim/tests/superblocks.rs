//! What superblocks say and a mount believes: where histories part, which features there are, how many members there can be.

use crate::common::{World, put};
use dynamicfs_core::MountMode;
use dynamicfs_core::error::MountError;
use dynamicfs_core::format::label;
use dynamicfs_core::format::superblock::{self, SlotContents, Superblock};
use dynamicfs_core::types::{DiskIndex, Epoch, Generation, Scheme, Uuid};
use dynamicfs_hal::BlockDevice;
use dynamicfs_sim::world::crc32c;
use dynamicfs_sim::{CrashPolicy, Halt, Rng, SimDisk, forge};

const MEMORY: usize = 200 << 10;

/// Epoch and generation of a disk's newest state.
fn order(disk: &SimDisk) -> (Epoch, Generation) {
    let mut sector = [0; 512];
    disk.pristine(0, &mut sector);
    let (parameters, identity) = label::decode(&sector, crc32c).expect("a label");
    let mut image = vec![0; parameters.superblock_bytes()];
    let orders = (0..u64::from(parameters.ring_length)).filter_map(|place| {
        disk.pristine(identity.ring_a + place * u64::from(parameters.slot_bytes), &mut image);
        let contents = superblock::examine(&image, &parameters, identity.disk, place, crc32c);
        let view = Superblock::new(&image[..]).expect("a slot");
        (contents == SlotContents::Valid).then(|| view.order())
    });
    orders.max().expect("a state")
}

// --- histories ------------------------------------------------------------------------------------------------

/// Mounts until a cut leaves disk 0 alone with the state that was being written; whether there is such a cut.
fn cut_so_that_disk_0_is_ahead(world: &mut World, writes: bool) -> bool {
    let was: Vec<_> = (0..3).map(|disk| order(world.array.disk(disk))).collect();
    for at in 0..600 {
        let mut halted = world.fork(MEMORY);
        halted.array.set_reordering(false);
        let from = halted.array.steps();
        halted.array.halt_at(from + at, Halt::PowerCut);
        if let Ok(mut pool) = halted.try_mount(MountMode::ReadWrite)
            && writes
        {
            // It is cut somewhere in there, and nothing of it matters.
            let _ = put(&mut pool, "half", 1000);
        }
        if halted.array.halted().is_none() {
            return false;
        }
        let mut cut = halted.fork(MEMORY);
        cut.array.power_cycle(CrashPolicy::Nothing, &mut Rng::new(5));
        halted.array.power_cycle(CrashPolicy::Everything, &mut Rng::new(5));
        let ahead = halted.array.take(0);
        cut.array.put(0, ahead);
        let now = |disk| order(cut.array.disk(disk));
        if now(0) > was[0] && now(1) == was[1] && now(2) == was[2] {
            *world = cut;
            return true;
        }
    }
    false
}

/// Power cut after power cut left one disk generations ahead of two others, which then continued without it,
/// in later epochs. The override of the first began at a higher generation than theirs, and took their
/// acknowledged commits for its own past. A fork was named by a generation alone.
#[test]
fn an_override_far_ahead_does_not_take_the_others_for_its_past() {
    let mut world = World::new(Scheme::mirror(3), 3, MEMORY);
    world.put("old", 20_000);
    let mut rounds = 0;
    while rounds < 6 && cut_so_that_disk_0_is_ahead(&mut world, rounds == 0) {
        rounds += 1;
    }
    assert!(rounds > 1, "disk 0 is ahead by {rounds}");
    world.unplug(&[0]);
    world.put("acknowledged", 20_000);
    world.unplug(&[1, 2]);
    world.plug(&[0]);
    {
        let mut pool = world.try_mount(MountMode::AssumeMissingDead { branch: 77 }).expect("overridden");
        put(&mut pool, "alone", 1000).expect("committed");
    }
    world.plug(&[1, 2]);
    let refused = world.try_mount(MountMode::ReadWrite).err();
    assert!(matches!(refused, Some(MountError::Diverged { .. })), "two histories: {refused:?}");
}

// --- features -------------------------------------------------------------------------------------------------

fn disk_of(world: &World, disk: usize) -> Uuid {
    let mut sector = [0; 512];
    world.array.disk(disk).pristine(0, &mut sector);
    label::decode(&sector, crc32c).expect("a label").1.disk
}

#[test]
fn a_superblock_with_a_feature_that_is_not_known_is_refused_by_name() {
    for disk in 0..3 {
        let mut world = World::new(Scheme::mirror(2), 3, MEMORY);
        world.put("file", 5000);
        let (one, newest) = (disk_of(&world, disk), order(world.array.disk(disk)));
        forge::superblocks(&mut world.array, |superblock| {
            if superblock.disk() == one && superblock.order() == newest {
                superblock.set_incompat(0x4000_0000);
            }
        });
        let before = world.array.disk(disk).counters().writes;
        for mode in [MountMode::ReadWrite, MountMode::ReadOnly, MountMode::Salvage] {
            let error = world.try_mount(mode).err();
            assert!(
                matches!(error, Some(MountError::Unsupported { disk: named, incompat: 0x4000_0000, .. }) if named == DiskIndex(disk)),
                "{error:?}"
            );
        }
        assert_eq!(world.array.disk(disk).counters().writes, before);
    }
}

#[test]
fn a_feature_that_was_given_up_since_is_not_in_the_way() {
    let mut world = World::new(Scheme::mirror(2), 3, MEMORY);
    world.put("file", 5000);
    let newest = order(world.array.disk(0));
    forge::superblocks(&mut world.array, |superblock| {
        if superblock.order() < newest {
            superblock.set_incompat(1);
            superblock.set_ro_compat(1);
        }
    });
    let pool = world.mount();
    assert!(pool.health().writable);
}

#[test]
fn a_superblock_with_a_feature_for_writers_keeps_writers_out() {
    let mut world = World::new(Scheme::mirror(2), 3, MEMORY);
    world.put("file", 5000);
    let one = disk_of(&world, 1);
    forge::superblocks(&mut world.array, |superblock| {
        superblock.set_compat(u32::MAX);
        if superblock.disk() == one {
            superblock.set_ro_compat(0x20);
        }
    });
    {
        let mut pool = world.mount();
        assert!(!pool.health().writable);
        assert!(pool.begin().is_err());
    }
    world.expect("file", 5000);
}

/// What any version may write is kept by one that does not know it.
#[test]
fn a_feature_that_anything_may_ignore_survives_commits() {
    let mut world = World::new(Scheme::mirror(2), 3, MEMORY);
    forge::superblocks(&mut world.array, |superblock| superblock.set_compat(0x8000_0001));
    for n in 0..6 {
        world.put(&format!("file-{n}"), 5000);
    }
    let pool = world.mount();
    assert_eq!(pool.internals().store.committed().compat(), 0x8000_0001);
}

// --- bounds ---------------------------------------------------------------------------------------------------

/// The member table went as far as the slot did, and a row beyond what there is memory for was a panic.
#[test]
fn superblocks_and_labels_that_disagree_on_how_many_members_there_can_be_are_refused() {
    for members_max in [1, 2, 7] {
        let mut world = World::new(Scheme::mirror(2), 3, MEMORY);
        world.put("file", 40_000);
        for disk in 0..3 {
            let mut sector = [0; 512];
            let disk = world.array.disk_mut(disk);
            disk.read(0, &mut sector).expect("read");
            let (mut parameters, identity) = label::decode(&sector, crc32c).expect("a label");
            parameters.members_max = members_max;
            label::encode(&mut sector, &parameters, &identity, crc32c);
            disk.overwrite(0, &sector);
            disk.overwrite(identity.copy_at, &sector);
        }
        for mode in [MountMode::ReadOnly, MountMode::ReadWrite, MountMode::Salvage] {
            let error = world.try_mount(mode).err();
            assert!(matches!(error, Some(MountError::NoSuperblock)), "{members_max}: {error:?}");
        }
    }
}

/// A tolerance that was raised by force asks for more replicas than the pointers of a full node have places for.
#[test]
fn a_tolerance_beyond_the_places_of_the_nodes_is_no_panic() {
    let mut world = World::new(Scheme::mirror(2), 5, MEMORY);
    for n in 0..40 {
        world.put(&format!("file-{n}"), 3000);
    }
    forge::superblocks(&mut world.array, |superblock| superblock.set_tolerance(4));
    for n in 0..40 {
        let mut pool = world.mount();
        // Refused or done, as long as it is one of them.
        let _ = put(&mut pool, &format!("more-{n}"), 3000);
    }
    world.expect("file-7", 3000);
}

// --- slots ----------------------------------------------------------------------------------------------------

/// A write that went astray left a whole superblock where another disk, or another turn of the ring, has its
/// own.
#[test]
fn a_superblock_of_another_disk_or_another_place_is_none() {
    let mut world = World::new(Scheme::mirror(2), 2, MEMORY);
    (0..6).for_each(|n| world.put(&format!("file-{n}"), 1000));
    let label = |disk: usize| {
        let mut sector = [0; 512];
        world.array.disk(disk).pristine(0, &mut sector);
        label::decode(&sector, crc32c).expect("a label")
    };
    let ((parameters, own), (_, other)) = (label(0), label(1));
    let mut image = vec![0; parameters.superblock_bytes()];
    let places = u64::from(parameters.ring_length);
    for place in 0..places {
        world.array.disk(0).pristine(own.ring_a + place * u64::from(parameters.slot_bytes), &mut image);
        let examine = |disk, place| superblock::examine(&image, &parameters, disk, place, crc32c);
        assert_eq!(examine(own.disk, place), SlotContents::Valid);
        assert_eq!(examine(other.disk, place), SlotContents::Nothing);
        let elsewhere = (0..places).filter(|&there| there != place);
        elsewhere.for_each(|there| assert_eq!(examine(own.disk, there), SlotContents::Nothing));
    }
}
