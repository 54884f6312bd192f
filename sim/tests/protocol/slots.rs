//! Places for superblocks that cannot be read, and flushes that fail at a mount.

use super::*;
use dynamicfs_core::ReadObjects;

fn single(seed: u64) -> World {
    single_with_rings(seed, FormatOptions::portable(Scheme::SINGLE).ring_length)
}

/// A pool on one disk, with so many places for superblocks in each of its rings.
fn single_with_rings(seed: u64, ring_length: u8) -> World {
    let array = SimArray::new(seed, vec![Geometry::new(512, 2048)]);
    let options = FormatOptions::portable(Scheme::SINGLE).ring_length(ring_length);
    World::on(array, options).make()
}

/// The sectors of the newest superblock of the first disk.
fn newest_slot(array: &SimArray) -> Vec<std::ops::Range<u64>> {
    states::newest_slots(array.disk(0)).into_iter().map(|bytes| bytes.start / 512..bytes.end / 512).collect()
}

/// A process died after its superblock was written and before it was flushed. The next mount's flush failed, which was passed
/// over: what it served was gone after a power cut.
#[test]
fn what_is_served_after_a_failed_flush_is_there_after_a_power_cut() {
    let mut tried = 0;
    for seed in 0..8 {
        let mut world = single(seed);
        world.put("old", 20_000);
        for at in 0.. {
            let mut cut = world.fork(MEMORY);
            let from = cut.array.steps();
            cut.array.halt_at(from + at, Halt::ProcessCrash);
            if let Ok(mut pool) = cut.try_mount(MountMode::ReadWrite) {
                // It may be cut anywhere.
                let _ = put(&mut pool, "new", 1000);
            }
            if cut.array.halted().is_none() {
                break;
            }
            cut.array.restart();
            tried += u64::from(cut.array.disk(0).has_unflushed());
            cut.array.disk_mut(0).fail_next(IoKind::Flush, 1, IoError::Media);
            let Ok(mut pool) = cut.try_mount(MountMode::ReadWrite) else { continue };
            let served = pool.resolve(b"new").is_ok();
            drop(pool);
            cut.array.power_cycle(CrashPolicy::Nothing, &mut Rng::new(1));
            assert!(cut.mount().resolve(b"new").is_ok() || !served, "seed {seed}, cut {at}");
        }
    }
    assert!(tried > 20, "{tried}");
}

/// A mount for reading cannot write what would make its state last: it says so.
#[test]
fn a_mount_for_reading_is_tentative_after_a_failed_flush() {
    let mut world = single(1);
    world.put("old", 20_000);
    world.array.disk_mut(0).fail_next(IoKind::Flush, 1, IoError::Media);
    assert!(world.try_mount(MountMode::ReadOnly).expect("mounted").health().tentative);
}

/// The newest superblock cannot be read for a moment. The mount went back to the state before, in silence.
#[test]
fn a_superblock_that_cannot_be_read_for_a_moment_is_read_again() {
    for requests in 1..=2 {
        for well in 0..40 {
            let mut world = single(1);
            world.put("old", 20_000);
            world.array.disk_mut(0).mishap_after(
                IoKind::Read,
                well,
                requests,
                dynamicfs_sim::Mishap::Fail(IoError::Media),
            );
            if let Ok(mut pool) = world.try_mount(MountMode::ReadWrite) {
                pool.array().disk_mut(0).calm();
                expect(&mut pool, "old", 20_000);
            }
        }
    }
}

/// Neither place of the newest superblock of the only disk can be read: a commit may be lost, and that is told. It cannot come
/// back either when the places can be read again: what is written meanwhile is newer, also after several of them.
#[test]
fn what_cannot_be_read_is_told_and_never_comes_back() {
    for (unreadable, is_written) in (1..=3).flat_map(|unreadable| [(unreadable, false), (unreadable, true)]) {
        let mut world = single(1);
        let mut lost = Vec::new();
        for n in 0..5 {
            world.put(&format!("file-{n}"), 1000);
            if n >= 5 - unreadable {
                lost.extend(newest_slot(&world.array));
            }
        }
        never_comes_back(world, lost, &format!("{unreadable} unreadable"), is_written);
    }
}

/// The same where the superblocks of one mount's commits follow each other in the ring. The next mount wrote
/// fewer than those that it could not read, and the newest of them counted again when it could be read.
#[test]
fn what_cannot_be_read_never_comes_back_where_less_was_written_than_that() {
    for (unreadable, is_written) in (1..=6).flat_map(|unreadable| [(unreadable, false), (unreadable, true)]) {
        let mut world = single_with_rings(1, 8);
        let mut lost = Vec::new();
        let mut pool = world.mount();
        for n in 0..10 {
            // The last of them is the one that is looked for.
            put(&mut pool, &format!("file-{}", (n + 5) % 10), 1000).expect("committed");
            if n >= 10 - unreadable {
                lost.extend(newest_slot(pool.array()));
            }
        }
        drop(pool);
        never_comes_back(world, lost, &format!("{unreadable} unreadable"), is_written);
    }
}

/// Mounts while these sectors cannot be read, and again when they can. `file-4`, which they name, is gone for
/// good.
fn never_comes_back(mut world: World, lost: Vec<std::ops::Range<u64>>, what: &str, is_written: bool) {
    for lbas in &lost {
        world.array.disk_mut(0).make_unreadable(lbas.clone());
    }
    {
        let mut pool = world.mount();
        let mut told = false;
        while let Some(event) = pool.next_event() {
            told |= matches!(event.what, Happening::SlotsLost { .. });
        }
        assert!(told, "{what}: nothing is said");
        // What cannot be read is not served now, and never again.
        assert!(pool.resolve(b"file-4").is_err(), "{what}");
        if is_written {
            put(&mut pool, "later", 1000).expect("committed");
        }
    }
    for lbas in lost {
        world.array.disk_mut(0).heal(lbas);
    }
    if is_written {
        world.expect("later", 1000);
    }
    assert!(world.mount().resolve(b"file-4").is_err(), "{what}: it came back");
}
