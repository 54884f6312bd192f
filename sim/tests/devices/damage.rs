//! Faults that last or that touch more than one request: time, smaller copies, scattered and correlated damage, and
//! lies with every checksum right.

use super::{SECTOR, contents, flush, one, plain, read, uniform, write};
use dynamicfs_core::ReadObjects;
use dynamicfs_core::format::key::Kind;
use dynamicfs_core::types::Scheme;
use dynamicfs_core::{FormatOptions, Pool};
use dynamicfs_hal::{Clock, DiskArray, Geometry, IoError, Outcome, Request};
use dynamicfs_sim::clock::Latency;
use dynamicfs_sim::world::{Lent, SERVICES};
use dynamicfs_sim::{CrashPolicy, IoKind, Mishap, Rng, Sabotage, SimArray, forge};

#[test]
fn time_passes_as_disks_work_side_by_side() {
    let mut array = SimArray::new(1, [plain(8); 3]);
    let clock = array.clock();
    for disk in 0..3 {
        let latency = Latency { request_us: 100 * (disk as u32 + 1), kib_ns: 2000, flush_us: 1000 };
        array.disk_mut(disk).set_latency(latency);
    }
    let mut batch: Vec<_> = (0..3).map(|disk| Request::write(disk, 0, &[1; 2 * SECTOR])).collect();
    array.execute(&mut batch);
    assert_eq!(clock.monotonic_micros(), 302, "the slowest of the three");
    flush(&mut array, 0).unwrap();
    assert_eq!(clock.monotonic_micros(), 302 + 1100);
    let mut two = [[0; SECTOR]; 2];
    let mut batch: Vec<_> = two.iter_mut().map(|buf| Request::read(0, 0, buf)).collect();
    array.execute(&mut batch);
    assert_eq!(clock.monotonic_micros(), 302 + 1100 + 202, "one after the other on one disk");
    array.wait(1_000_000);
    assert_eq!(clock.now().seconds, clock.now().seconds.max(1_700_000_001));
}

#[test]
fn a_fork_has_a_time_of_its_own() {
    let mut array = one(1, plain(8));
    array.disk_mut(0).set_latency(Latency::HARD_DISK);
    write(&mut array, 0, 0, 1).unwrap();
    let (clock, mut fork) = (array.clock(), array.clone());
    let before = clock.monotonic_micros();
    write(&mut fork, 0, 0, 2).unwrap();
    assert_eq!(clock.monotonic_micros(), before);
    assert!(fork.micros() > before);
}

#[test]
fn a_stalled_request_takes_long_and_happens() {
    let mut array = one(1, plain(8));
    for kind in [IoKind::Write, IoKind::Read, IoKind::Flush] {
        array.disk_mut(0).mishap_next(kind, 1, Mishap::Stall(3_000_000));
    }
    write(&mut array, 0, 3, 7).unwrap();
    assert_eq!((array.micros(), uniform(&mut array, 0, 3)), (3_000_000, Some(7)));
    flush(&mut array, 0).unwrap();
    assert_eq!(array.micros(), 9_000_000);
    let mut after = array.crash(CrashPolicy::Nothing, &mut Rng::new(1));
    assert_eq!(uniform(&mut after, 0, 3), Some(7), "the flush was done");
}

#[test]
fn a_read_is_given_up_when_patience_ends_and_the_disk_is_still_at_it() {
    let mut array = one(1, plain(8));
    write(&mut array, 0, 3, 7).unwrap();
    flush(&mut array, 0).unwrap();
    let ask = |array: &mut SimArray, patience: u32| {
        let mut buf = [0; 512];
        let mut batch = [Request::read(0, 3, &mut buf).with_patience(patience)];
        array.execute(&mut batch);
        let (result, micros) = (batch[0].result, batch[0].micros);
        (result, micros, buf.iter().all(|&byte| byte == 7))
    };
    array.disk_mut(0).mishap_next(IoKind::Read, 1, Mishap::Stall(10_000));
    assert_eq!(ask(&mut array, 2_000), (Err(IoError::Late), 2_000, false), "nothing of use is in the buffer");
    assert_eq!(array.micros(), 2_000);
    array.wait(1_000);
    assert_eq!(
        ask(&mut array, 4_000),
        (Err(IoError::Late), 7_000, false),
        "while patience lasts, behind the first"
    );
    assert_eq!(array.micros(), 7_000);
    assert_eq!(array.take_outcome(0), None, "nobody knows yet");
    let outcome = Outcome { lba: 3, result: Ok(()), micros: 10_000 };
    array.disk_mut(0).mishap_next(IoKind::Read, 1, Mishap::Stall(10_000));
    assert_eq!(ask(&mut array, 5_000), (Err(IoError::Late), 2_000, false), "it waited and began");
    assert_eq!(array.micros(), 12_000);
    assert_eq!([array.take_outcome(0), array.take_outcome(0)], [Some(outcome), None], "it is told once");
    assert_eq!(ask(&mut array, 8_000), (Ok(()), 0, true), "the disk was through with the second in time");
    assert_eq!(array.micros(), 20_000);
    assert_eq!([array.take_outcome(0), array.take_outcome(0)], [Some(outcome), None]);
    array.disk_mut(0).mishap_next(IoKind::Read, 1, Mishap::Stall(10_000));
    assert_eq!(ask(&mut array, 1), (Err(IoError::Late), 1, false));
    assert_eq!(ask(&mut array, 0), (Ok(()), 0, true), "who has all the time in the world waits for the disk");
    assert_eq!(array.micros(), 30_000);
    assert_eq!(array.take_outcome(0), Some(outcome));
    assert_eq!(ask(&mut array, 1), (Ok(()), 0, true), "and it is as quick as before");

    // A request in time is not given up, and one that is gone is gone.
    array.disk_mut(0).mishap_next(IoKind::Read, 1, Mishap::Stall(10_000));
    assert_eq!(ask(&mut array, 10_000), (Ok(()), 10_000, true));
    array.disk_mut(0).make_unreadable(3..4);
    array.disk_mut(0).mishap_next(IoKind::Read, 1, Mishap::Stall(10_000));
    assert_eq!(ask(&mut array, 10).0, Err(IoError::Late));
    array.wait(20_000);
    assert_eq!(array.take_outcome(0).map(|outcome| outcome.result), Some(Err(IoError::Media)));
    array.disk_mut(0).unplug();
    assert_eq!(ask(&mut array, 10).0, Err(IoError::Gone));
    assert_eq!([array.take_outcome(0), array.take_outcome(1)], [None, None]);
}

#[test]
fn a_disk_becomes_slow_and_recovers() {
    let mut array = one(1, plain(8));
    let took = |array: &mut SimArray| {
        let before = array.micros();
        read(array, 0, 0).unwrap();
        array.micros() - before
    };
    array.disk_mut(0).set_latency(Latency { request_us: 200_000, ..Latency::NVME });
    assert_eq!(took(&mut array), 200_000);
    array.disk_mut(0).set_latency(Latency::NVME);
    assert_eq!(took(&mut array), 70);
}

#[test]
fn a_copy_on_a_smaller_disk_holds_what_fits() {
    let mut array = one(1, plain(40));
    (0..40).for_each(|lba| write(&mut array, 0, lba, lba as u8).unwrap());
    let copy = array.disk(0).shortened(39);
    array.put(0, copy);
    assert_eq!(array.geometry(0).sectors, 39);
    assert_eq!(uniform(&mut array, 0, 38), Some(38));
    assert_eq!(read(&mut array, 0, 39), Err(IoError::OutOfBounds));
    let mut after = array.crash(CrashPolicy::Nothing, &mut Rng::new(1));
    assert_eq!(uniform(&mut after, 0, 20), Some(20), "all of it is durable");
}

#[test]
fn a_mishap_comes_after_some_requests_and_goes_after_some_more() {
    let mut array = one(1, plain(8));
    array.disk_mut(0).mishap_after(IoKind::Write, 1, 2, Mishap::Lie);
    for lba in 0..4 {
        write(&mut array, 0, lba, 1).unwrap();
    }
    assert_eq!([0, 1, 2, 3].map(|lba| uniform(&mut array, 0, lba)), [Some(1), None, None, Some(1)]);
    array.disk_mut(0).mishap_next(IoKind::Write, 9, Mishap::Lie);
    array.disk_mut(0).set_read_only(true);
    array.disk_mut(0).calm();
    write(&mut array, 0, 1, 1).unwrap();
    assert_eq!(uniform(&mut array, 0, 1), Some(1));
}

#[test]
fn whoever_does_not_come_to_an_end_is_stopped() {
    let mut array = one(1, plain(8));
    array.set_patience(3);
    (0..3).for_each(|_| write(&mut array, 0, 0, 1).unwrap());
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| write(&mut array, 0, 0, 1)));
    std::panic::set_hook(hook);
    assert!(caught.unwrap_err().downcast_ref::<dynamicfs_sim::array::PatienceEnded>().is_some());
}

// --- a pool's disks -------------------------------------------------------------------------------------------

fn pool() -> (SimArray, Lent) {
    let mut array = SimArray::new(1, [Geometry::new(512, 1024); 3]);
    let mut lent = Lent::new(96 << 10);
    let options = FormatOptions::portable(Scheme::mirror(2));
    Pool::format(&mut array, lent.lend(), SERVICES, &mut Rng::new(3), &options, &[]).expect("formatted");
    (array, lent)
}

#[test]
fn a_forged_record_is_found_where_it_was_and_everything_else_is_as_it_was() {
    let (mut array, mut lent) = pool();
    let before = array.clone();
    let changed = forge::records(&mut array, |key, value| {
        let root = key.kind() == Kind::Inode as u8;
        if root {
            // The lowest byte of the permission bits.
            value[4] ^= 1;
        }
        root
    });
    assert_eq!(changed, Some(true));
    let mut pool =
        Pool::mount(&mut array, lent.lend(), SERVICES, &Default::default()).expect("every checksum is right");
    let forged = pool.inode(dynamicfs_core::types::ObjectId::ROOT).expect("an inode").mode;
    drop(pool);
    let mut original = before.clone();
    let mut pool = Pool::mount(&mut original, lent.lend(), SERVICES, &Default::default()).expect("mounted");
    let mode = pool.inode(dynamicfs_core::types::ObjectId::ROOT).expect("an inode").mode;
    assert_eq!(forged, mode ^ 1);
    drop(pool);
    let mut untouched = before.clone();
    assert_eq!(forge::records(&mut untouched, |_, _| false), Some(false));
    assert!((0..3).all(|disk| contents(&mut untouched, disk) == contents(&mut before.clone(), disk)));
}

#[test]
fn a_broken_machine_breaks_its_promises() {
    // A failed write may be done all the same, so several disks try it.
    let sound_disk = |seed: u64, sabotage: Option<Sabotage>| {
        let mut array = one(seed, plain(64));
        array.disk_mut(0).wipe();
        if let Some(sabotage) = sabotage {
            array.set_sabotage(sabotage);
        }
        for round in 0..9 {
            for lba in 0..7 {
                write(&mut array, 0, round * 7 + lba, 8).unwrap();
            }
            flush(&mut array, 0).unwrap();
        }
        // A batch as a superblock's: writes and a flush.
        let mut batch = [Request::write(0, 63, &[9; SECTOR]), Request::flush(0)];
        array.execute(&mut batch);
        assert!(batch.iter().all(|request| request.result.is_ok()), "nobody is told: {sabotage:?}");
        let mut after = array.crash(CrashPolicy::Nothing, &mut Rng::new(1));
        (0..63).all(|lba| uniform(&mut after, 0, lba) == Some(8)) && uniform(&mut after, 0, 63) == Some(9)
    };
    let sound = |sabotage| (0..10).all(|seed| sound_disk(seed, sabotage));
    assert!(sound(None));
    for sabotage in [
        Sabotage::FlushesLie,
        Sabotage::DataFlushSkipped,
        Sabotage::SuperblockFirst,
        Sabotage::FailedFlushTrusted,
        Sabotage::FailedWriteTrusted,
        Sabotage::WritesLost,
        Sabotage::WritesMisdirected,
        Sabotage::AcknowledgedEarly,
    ] {
        // What comes after may hide it: a flush that skips the data is made good by the next one that does not.
        let hidden = sabotage == Sabotage::DataFlushSkipped;
        assert_eq!(sound(Some(sabotage)), hidden, "{sabotage:?}");
    }
}
