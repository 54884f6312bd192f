//! Calls in an allowed but unusual order: a call inside a transaction that commits by itself, a forgotten
//! transaction, a drop without a transaction.

use super::*;
use dynamicfs_core::AddOptions;
use dynamicfs_core::ReadObjects;
use dynamicfs_core::error::Code;
use dynamicfs_core::error::MemberError;
use dynamicfs_core::maintain::{CheckReport, JobState, Progress, Trim, TrimOptions};
use dynamicfs_core::types::DiskIndex;
use dynamicfs_sim::SimDisk;

/// A pool with a deleted file that is still being freed, and a job that runs.
fn busy() -> World {
    let options = FormatOptions::portable(Scheme::mirror(2)).members_max(4).extent_bytes(4096);
    let mut world = formatted(vec![Geometry::new(512, 16384); 3], &options, MEMORY);
    world.put("kept", 40_000);
    let mut pool = world.mount();
    put_file(&mut pool, "large", &vec![1; 400 * 4096]).expect("committed");
    pool.start_job(JobKind::Scrub, JobOptions::default()).expect("started");
    let mut transaction = pool.begin().expect("begun");
    transaction.unlink(ObjectId::ROOT, b"large").expect("unlinked");
    transaction.commit().expect("committed");
    drop(pool);
    world
}

/// Everything that commits by itself, or reads what only a commit makes whole.
fn expect_refused(objects: &mut Objects<'_, &mut SimArray>) {
    #[track_caller]
    fn refused<T: core::fmt::Debug>(done: Result<T, Code>) {
        assert!(matches!(done, Err(Code::InTransaction)), "{done:?}");
    }
    #[track_caller]
    fn member<T: core::fmt::Debug>(done: Result<T, MemberError<Code, Code>>) {
        assert!(matches!(done, Err(MemberError::Pool(Code::InTransaction))), "{done:?}");
    }
    let kept = objects.resolve(b"kept").expect("there");
    let progress = &mut Progress::new(0);
    refused(objects.upkeep(true));
    refused(objects.maintain(progress, true));
    refused(objects.start_job(progress, JobKind::Rebalance, JobOptions::default()));
    refused(objects.set_job_state(progress, JobKind::Scrub, JobState::Paused));
    refused(objects.fail_member(progress));
    refused(objects.prove(kept, 0));
    refused(objects.check_contents(&mut CheckReport::default(), |_| {}));
    refused(objects.check_space(&mut [0; 1 << 14], &mut CheckReport::default(), |_| {}));
    member(objects.shut_member(progress, MemberNumber(1), true));
    member(objects.activate_member(progress, MemberNumber(1)));
    member(objects.drain_member(progress, MemberNumber(1), true));
    member(objects.remove_member(progress, MemberNumber(1), true));
    member(objects.clear_errors(MemberNumber(1)));
    assert_eq!(objects.store.begin(), Err(Code::InTransaction));
}

/// Upkeep inside a transaction committed the half of it that there was, and forgot that it was poisoned. A check used the
/// buffer in which a write waited: other bytes were stored, under right checksums.
#[test]
fn what_commits_by_itself_is_refused_inside_a_transaction() {
    for (ends, poisoned) in [("commit", false), ("drop", false), ("commit", true), ("abort", false)] {
        let mut world = busy();
        let mut pool = world.mount();
        let generation = pool.health().generation;
        let mut transaction = pool.begin().expect("begun");
        let file = create(transaction.internals_mut(), "file");
        transaction.write_all(file, 0, &[0xAB; 3000]).expect("written");
        if poisoned {
            transaction.internals_mut().store.poison();
        }
        expect_refused(transaction.internals_mut());
        assert_eq!(transaction.internals().store.is_poisoned(), poisoned);
        let mut bytes = [0; 3000];
        assert_eq!(transaction.read(file, 0, &mut bytes), Ok(3000));
        assert!(bytes.iter().all(|&byte| byte == 0xAB), "what waits is as it was");
        let done = match ends {
            "commit" => transaction.commit().map(drop),
            _ => {
                if ends == "abort" {
                    transaction.internals_mut().abort();
                    assert_eq!(transaction.write(file, 0, b"x"), Err(StorageError::NoTransaction.into()));
                }
                drop(transaction);
                Ok(())
            }
        };
        assert_eq!(done, if poisoned { Err(Error::Storage(StorageError::Poisoned)) } else { Ok(()) });
        if ends == "commit" && !poisoned {
            let mut bytes = [0; 3000];
            assert_eq!(pool.read(file, 0, &mut bytes), Ok(3000));
            assert!(bytes.iter().all(|&byte| byte == 0xAB), "what was committed");
        } else {
            assert_eq!(pool.health().generation, generation, "nothing was committed");
            assert_eq!(pool.resolve(b"file"), Err(Error::NotFound));
        }
        rest(&mut pool);
        account(&mut pool, "after all");
        expect(&mut pool, "kept", 40_000);
    }
}

/// A transaction that was forgotten instead of dropped was committed by the next one.
#[test]
fn a_forgotten_transaction_is_undone_by_the_next() {
    let mut world = busy();
    let mut pool = world.mount();
    for poisoned in [false, true] {
        let mut transaction = pool.begin().expect("begun");
        let file = create(transaction.internals_mut(), "half");
        transaction.write_all(file, 0, &[1; 3000]).expect("written");
        if poisoned {
            transaction.internals_mut().store.poison();
        }
        std::mem::forget(transaction);
        expect_refused(pool.internals_mut());
        let mut transaction = pool.begin().expect("begun");
        let name = format!("other {poisoned}");
        let other = create(transaction.internals_mut(), &name);
        transaction.write_all(other, 0, &[2; 3000]).expect("written");
        transaction.commit().expect("committed");
        assert_eq!(pool.resolve(b"half"), Err(Error::NotFound));
        let mut bytes = [0; 3000];
        assert_eq!(pool.read(other, 0, &mut bytes), Ok(3000));
        assert!(bytes.iter().all(|&byte| byte == 2));
    }
    rest(&mut pool);
    account(&mut pool, "after all");
}

/// What the facade does to disks by itself undoes a forgotten transaction first.
#[test]
fn a_disk_is_added_and_trimmed_after_a_forgotten_transaction() {
    let mut world = busy();
    let place = world.array.add(SimDisk::new(Geometry::new(512, 4096), 77));
    let mut pool = world.mount();
    let forget_one = |pool: &mut Mounted<'_>| {
        let mut transaction = pool.begin().expect("begun");
        create(transaction.internals_mut(), "half");
        std::mem::forget(transaction);
    };
    forget_one(&mut pool);
    let options = AddOptions::new().force(true);
    let added = pool.add_disk(DiskIndex(place), &mut Rng::new(3), &options).expect("added");
    forget_one(&mut pool);
    assert_eq!(pool.grow_disk(DiskIndex(0)), Err(MemberError::NotGrown));
    forget_one(&mut pool);
    let mut trim = Trim::new(added, TrimOptions::default());
    assert!(pool.trim_step(&mut trim).is_ok());
    forget_one(&mut pool);
    assert_eq!(pool.resolve(b"half"), Err(Error::NotFound), "a read sees nothing of it");
    rest(&mut pool);
    account(&mut pool, "after all");
    expect(&mut pool, "kept", 40_000);
}

/// It brought back what was known of the members at the last transaction: a drained one was given data again.
#[test]
fn dropping_a_transaction_that_there_is_not_does_nothing() {
    let mut world = World::new(Scheme::mirror(2), 4, MEMORY);
    world.put("file", 40_000);
    let mut pool = world.mount();
    pool.drain_member(MemberNumber(3), false).expect("drained");
    rest(&mut pool);
    drop(pool);
    let mut pool = world.mount();
    let before = pool.internals().store.tree.data_rows();
    pool.internals_mut().abort();
    assert_eq!(pool.internals().store.tree.data_rows(), before);
    let free = pool.member_health(DiskIndex(3)).free_blocks;
    for n in 0..8 {
        put(&mut pool, &format!("more {n}"), 40_000).expect("put");
        pool.internals_mut().abort();
    }
    assert!(pool.member_health(DiskIndex(3)).free_blocks >= free, "it is given nothing");
    account(&mut pool, "after all");
}
