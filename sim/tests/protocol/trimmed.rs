//! A trim discards what is free in the found state. A disk that came back has an older one.

use super::*;
use dynamicfs_core::maintain::{Trim, TrimOptions};
use dynamicfs_sim::Mishap;

/// A disk is back that was away. The mount's own commit finds no room in what the disks are stored in, so
/// that no superblock names it yet. The first transaction is to make that commit. A trim comes first, to make
/// room below. It discarded, on the disk that is back, what its own, older state refers to. The power goes,
/// the other disk dies, and there is no state left. Files are gone that were there all the time, and on this
/// disk.
#[test]
fn a_trim_leaves_alone_what_a_disk_holds_that_has_nothing_newer() {
    let mut world = small_mirror(Geometry { discard: true, ..SMALL });
    let kept = ["file-0", "file-1"].map(String::from);
    (0..12).for_each(|n| world.put(&format!("file-{n}"), 20_000));
    {
        let mut pool = world.mount();
        pool.begin().expect("begun").commit().expect("committed");
        pool.array().disk_mut(1).unplug();
        (2..12).for_each(|n| unlink(&mut pool, &format!("file-{n}")));
        rest(&mut pool);
    }
    world.plug(&[1]);
    let old = order(&world, 1);
    let (mut tried, mut bad) = (0, Vec::new());
    for well in 0..40 {
        let mut lacking = world.fork(MEMORY);
        lacking.array.disk_mut(0).mishap_after(IoKind::Write, well, 1, Mishap::Fail(IoError::NoSpace));
        {
            let Ok(mut pool) = lacking.try_mount(MountMode::ReadWrite) else { continue };
            pool.array().disk_mut(0).calm();
            for member in 0..2 {
                let options = TrimOptions::new().minimum_bytes(0).only_count(false);
                let mut trim = Trim::new(MemberNumber(member), options);
                // It may be refused.
                while pool.trim_step(&mut trim).unwrap_or(false) {}
            }
        }
        lacking.array.power_cycle(CrashPolicy::Everything, &mut Rng::new(1));
        if order(&lacking, 1) != old {
            continue;
        }
        tried += 1;
        let what = wrong_without(&mut lacking, &[0], &kept);
        bad.extend(what.map(|what| (well, what)));
    }
    assert!(tried > 3, "{tried} mounts left the disk as it was");
    assert!(bad.is_empty(), "of {tried} mounts {}: {:?}", bad.len(), &bad[..bad.len().min(5)]);
}
