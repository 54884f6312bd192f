//! A disk was cut and enlarged again while it was away.

use super::*;
use dynamicfs_core::types::DiskIndex;

/// It is known by its end. Where the ring at the end is full of claims again, these say that it lost
/// something. A disk that was away is stale: its claims said nothing. After a few mounts that were cut short
/// nothing told any more that the end of the disk is gone. It was given what it missed, and called whole.
/// Nothing was wrong with any other disk.
#[test]
fn a_disk_that_was_away_is_known_to_have_lost_its_end_after_mounts_that_were_cut() {
    let mut world = World::new(Scheme::mirror(2), 3, MEMORY);
    // Most of the space is in use, and some is left for what is to be repaired.
    let files = 50;
    {
        let mut pool = world.mount();
        (0..files).for_each(|n| put(&mut pool, &format!("file-{n}"), 20_000).expect("committed"));
    }
    world.unplug(&[1]);
    {
        let mut pool = world.mount();
        unlink(&mut pool, "file-0");
    }
    world.plug(&[1]);
    world.array.disk_mut(1).resize(1200);
    world.array.disk_mut(1).resize(2048);
    world.array.disk_mut(1).overwrite(1200 * 512, &vec![0; 848 * 512]);
    for mounts in 0..5 {
        if mounts > 0 {
            // The last cut before anything but claims is written.
            let orders = |world: &World| [0, 1, 2].map(|disk| order(world, disk));
            let (before, mut claimed) = (orders(&world), None);
            cut_each_mount(&world, |_, cut| {
                if orders(&cut) == before {
                    claimed = Some(cut);
                }
            });
            world = claimed.expect("a cut before that");
        }
        let mut healed = world.fork(MEMORY);
        {
            let mut pool = healed.mount();
            rest(&mut pool);
            let extents = counts(&mut pool);
            if (pool.health().owed, extents.complete) != (0, extents.total) {
                // Then nothing is promised.
                continue;
            }
        }
        let mut bad = Vec::new();
        for lost in [0, 2] {
            let mut without = healed.fork(MEMORY);
            without.unplug(&[lost]);
            match without.try_mount(MountMode::ReadWrite) {
                Err(error) => bad.push(format!("without disk {lost}: {error}")),
                Ok(mut pool) => {
                    let what = (1..files).filter_map(|n| wrong(&mut pool, &format!("file-{n}"), 20_000));
                    bad.extend(what.map(|what| format!("without disk {lost}: {what}")));
                }
            }
        }
        assert!(bad.is_empty(), "after {mounts} mounts {}: {:#?}", bad.len(), &bad[..bad.len().min(5)]);
    }
}

/// A single read fails while such a disk is mounted, whichever it is. Where that was the one of the label at
/// its end, it passed for a disk that has its end.
#[test]
fn one_read_that_fails_does_not_hide_that_a_disk_lost_its_end() {
    let mut world = World::new(Scheme::mirror(2), 3, MEMORY);
    (0..20).for_each(|n| world.put(&format!("file-{n}"), 20_000));
    world.array.disk_mut(1).resize(1200);
    world.array.disk_mut(1).resize(2048);
    world.array.disk_mut(1).overwrite(1200 * 512, &vec![0; 848 * 512]);
    for well in 0..40 {
        let mut world = world.fork(MEMORY);
        world.array.disk_mut(1).fail_after(IoKind::Read, well, IoError::Media);
        let pool = world.mount();
        let health = pool.member_health(DiskIndex(1));
        assert_ne!((health.status, health.currency), (DiskStatus::Online, Currency::Current), "read {well}");
    }
}
