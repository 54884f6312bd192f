//! A disk fails just before a rebuild ends that makes do without those that are absent.

use super::*;
use dynamicfs_core::maintain::JobState;
use dynamicfs_core::types::DiskIndex;

/// A mirror on six disks. Each has a part of the files, and a rebuild is under way.
fn rebuilding(world: &mut World) -> Mounted<'_> {
    let mut pool = world.mount();
    pool.set_step_bytes(1);
    pool.start_job(JobKind::Rebuild, JobOptions::WITHOUT_ABSENT).expect("started");
    pool
}

/// Steps until the rebuild is over.
fn steps(mut world: World) -> usize {
    let mut pool = rebuilding(&mut world);
    let mut is_over = || {
        pool.maintain(false).expect("a step");
        pool.job(JobKind::Rebuild).expect("read").is_none_or(|job| job.state != JobState::Running)
    };
    1 + (0..).find(|_| is_over()).expect("it ends")
}

/// The pass is nearly over. A disk fails in the superblocks of a commit, which is rightly acknowledged
/// without it; its record says so with the next commit. The step after that ended the pass, took the disk for
/// one that had missed nothing, and called the pool whole.
#[test]
fn a_disk_that_fails_before_the_last_step_is_not_acquitted() {
    // With some numbers of files the last step does nothing but end the pass.
    for files in 27..32 {
        let mut world = World::new(Scheme::mirror(2), 6, MEMORY);
        (0..files).for_each(|n| world.put(&format!("file-{n}"), 20_000));
        let steps = steps(world.fork(MEMORY));
        for lost in 0..6 {
            let mut world = world.fork(MEMORY);
            let mut pool = rebuilding(&mut world);
            (1..steps).for_each(|_| assert!(pool.maintain(false).is_ok()));
            // In the superblocks of a commit without contents.
            pool.array().disk_mut(lost).fail_after(IoKind::Write, 0, IoError::Media);
            pool.begin().expect("begun").commit().expect("committed without it");
            assert_eq!(pool.member_health(DiskIndex(lost)).status, DiskStatus::Failed);
            rest(&mut pool);
            let extents = counts(&mut pool);
            let is_told = pool.health().owed > 0 || extents.complete == extents.total;
            assert!(is_told, "{files} files, disk {lost}: {extents:?}");
        }
    }
}
