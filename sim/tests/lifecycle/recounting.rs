//! The free map is counted anew: what was forgotten comes back, what is in use cannot be given away.

use super::*;
use dynamicfs_core::format::key::{Key, Kind};
use dynamicfs_core::maintain::{CheckReport, Finding};
use dynamicfs_core::types::Row;

/// What the check finds, by its kind: leaks, unallocated blocks, wrong counts.
fn findings(pool: &mut Mounted<'_>) -> (u64, u64, u64) {
    let mut found = (0, 0, 0);
    let mut report = CheckReport::default();
    pool.check_space(&mut [0; 1 << 14], &mut report, |finding| match finding {
        None => {}
        Some(Finding::Leak { .. }) => found.0 += 1,
        Some(Finding::Unallocated { .. }) => found.1 += 1,
        Some(Finding::FreeCount { .. }) => found.2 += 1,
        Some(other) => panic!("{other:?}"),
    })
    .expect("checked");
    found
}

/// The records of groups that have a bitmap.
fn group_records(pool: &mut Mounted<'_>) -> Vec<(Key, Vec<u8>)> {
    let mut records = Vec::new();
    let all = (Key::group(MemberNumber(0), 0), Key::group(MemberNumber(u16::MAX), u32::MAX));
    pool.internals_mut()
        .store
        .tree
        .scan(&all.0, &all.1, |key, record| {
            assert!(key.is(ObjectId::SYSTEM, Kind::Group));
            records.push((*key, record.to_vec()));
            core::ops::ControlFlow::<()>::Continue(())
        })
        .expect("read");
    records.retain(|(_, record)| record.len() > 1);
    records
}

fn recount(pool: &mut Mounted<'_>) -> dynamicfs_core::maintain::Job {
    pool.start_job(JobKind::Recount, JobOptions::default()).expect("started");
    while pool.job(JobKind::Recount).expect("read").is_some_and(|job| job.state == JobState::Running) {
        pool.maintain(false).expect("maintained");
    }
    pool.job(JobKind::Recount).expect("read").expect("it ran")
}

/// A pool in which files came and went, so that many groups have a bitmap.
fn used() -> World {
    let mut world = filled(Scheme::mirror(2), 3);
    for n in 0..24 {
        world.put(&format!("file-{n:02}"), 20_000);
    }
    let mut pool = world.mount();
    let mut transaction = pool.begin().expect("begun");
    for n in (0..24).step_by(2) {
        transaction.unlink(ObjectId::ROOT, format!("file-{n:02}").as_bytes()).expect("unlinked");
    }
    transaction.commit().expect("committed");
    rest(&mut pool);
    drop(pool);
    world
}

fn expect_rest(pool: &mut Mounted<'_>) {
    expect_files(pool);
    (1..24).step_by(2).for_each(|n| expect(pool, &format!("file-{n:02}"), 20_000));
}

#[test]
fn a_right_map_is_left_alone() {
    let mut world = used();
    let mut pool = world.mount();
    let job = recount(&mut pool);
    assert_eq!((job.state, job.found, job.healed), (JobState::Complete, 0, 0));
    assert_eq!(findings(&mut pool), (0, 0, 0));
}

#[test]
fn leaks_come_back_and_what_is_in_use_is_allocated_again() {
    let mut world = used();
    let mut pool = world.mount();
    let records = group_records(&mut pool);
    assert!(records.len() >= 3, "{} groups with a bitmap", records.len());
    let (busy, mut changed): (Vec<_>, Vec<_>) = records.into_iter().partition(|(key, _)| {
        let (member, group) = key.as_group();
        let row = pool.internals().store.committed().row_of(member).expect("a member");
        pool.internals().store.tree.space.is_busy(row, group)
    });
    assert!(!busy.is_empty() && changed.len() >= 2, "{} open, {} closed", busy.len(), changed.len());
    let mut transaction = pool.begin().expect("begun");
    for (n, (key, record)) in changed.iter_mut().enumerate() {
        // Allocated ones become free in one group, free ones allocated in the next.
        let leak = n % 2 == 0;
        let from = if leak { 0x00 } else { 0xFF };
        let at = (1..record.len()).find(|&at| (record[at] != 0xFF) == leak && record[at] != 0xFF - from);
        if let Some(at) = at {
            record[at] = 0xFF - from;
        }
        transaction.internals_mut().store.put(key, record).expect("put");
    }
    transaction.internals_mut().store.tree.space.superblock.row_mut(Row(1)).set_free(7);
    transaction.commit().expect("committed");
    let (leaks, unallocated, counts) = findings(&mut pool);
    assert!(leaks > 0 && unallocated > 0 && counts > 0, "{leaks} {unallocated} {counts}");
    let job = recount(&mut pool);
    assert_eq!((job.state, job.found), (JobState::Complete, 0), "{job:?}");
    assert!(job.healed_before >= leaks + unallocated, "{job:?}");
    assert_eq!(findings(&mut pool), (0, 0, 0));
    expect_rest(&mut pool);
    put(&mut pool, "after", 50_000).expect("written");
    expect_whole(&mut pool, "recounted");
}

/// A bitmap that is open for writing, too.
#[test]
fn a_leak_in_an_open_group_comes_back() {
    let mut world = used();
    let mut pool = world.mount();
    let mut transaction = pool.begin().expect("begun");
    // A run is taken for nothing.
    let run =
        transaction.internals_mut().store.take_run(Row(0), 3, dynamicfs_core::transaction::Purpose::Growth);
    assert!(run.expect("taken").is_some());
    transaction.internals_mut().store.put(&Key::job(99, 0), &[0; 4]).expect("put");
    transaction.commit().expect("committed");
    assert_eq!(findings(&mut pool).0, 3);
    let job = recount(&mut pool);
    assert_eq!((job.state, job.found, job.healed_before), (JobState::Complete, 0, 3), "{job:?}");
    assert_eq!(findings(&mut pool), (0, 0, 0));
    expect_rest(&mut pool);
}

/// With memory for few groups at a time it takes more steps, and can be interrupted between them.
#[test]
fn a_recount_goes_on_after_a_reboot() {
    let mut world = used();
    let mut pool = world.mount();
    pool.start_job(JobKind::Recount, JobOptions::default()).expect("started");
    assert_eq!(pool.maintain(false), Ok(Work::Advanced(JobKind::Recount)));
    drop(pool);
    let mut pool = world.mount();
    assert_eq!(pool.job(JobKind::Recount).expect("read").map(|job| job.state), Some(JobState::Running));
    rest(&mut pool);
    let job = pool.job(JobKind::Recount).expect("read").expect("it ran");
    assert_eq!((job.state, job.found), (JobState::Complete, 0));
    expect_whole(&mut pool, "recounted");
}
