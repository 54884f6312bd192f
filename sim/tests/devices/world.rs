//! The fuse, forks, counters, and that one seed makes everything.

use super::{SECTOR, contents, flush, plain, read, uniform, write};
use dynamicfs_hal::{DiskArray, Geometry, IoError, Operation, Request};
use dynamicfs_sim::{CrashPolicy, EventKind, Halt, IoKind, Rng, SimArray};
use std::collections::BTreeSet;

#[test]
fn the_fuse_cuts_one_request_and_everything_after_it_is_gone() {
    let mut array = SimArray::new(1, [plain(8); 2]);
    write(&mut array, 0, 0, 1).unwrap();
    flush(&mut array, 0).unwrap();
    array.halt_at(array.steps() + 1, Halt::PowerCut);
    write(&mut array, 0, 0, 2).unwrap();
    assert_eq!(write(&mut array, 0, 1, 2), Err(IoError::Gone));
    assert_eq!(array.halted(), Some(Halt::PowerCut));
    assert_eq!(read(&mut array, 1, 0), Err(IoError::Gone));
    assert_eq!(flush(&mut array, 0), Err(IoError::Gone));
    assert_eq!(array.steps(), 4, "what comes after the cut is no I/O");

    let mut rng = Rng::new(1);
    let survivors = |policy, rng: &mut Rng| {
        let mut after = array.crash(policy, rng);
        assert_eq!(after.halted(), None);
        [0, 1].map(|lba| uniform(&mut after, 0, lba))
    };
    assert_eq!(survivors(CrashPolicy::Nothing, &mut rng), [Some(1), None]);
    assert_eq!(survivors(CrashPolicy::Everything, &mut rng), [Some(2), Some(2)]);
    let seen: BTreeSet<_> = (0..200).map(|_| survivors(CrashPolicy::Subset, &mut rng)).collect();
    assert_eq!(seen.len(), 4, "the interrupted write survives or not, as the one before it");
}

/// All requests of a batch are in flight at once, so any subset of them may be done when the power goes.
#[test]
fn a_cut_within_a_batch_leaves_any_of_its_writes_done() {
    let mut done = BTreeSet::new();
    for seed in 0..200 {
        let mut array = SimArray::new(seed, [Geometry { volatile_cache: false, ..plain(4) }]);
        array.halt_at(2, Halt::PowerCut);
        let mut batch = [0, 1, 2, 3].map(|lba| Request::write(0, lba, &[1; SECTOR]));
        array.execute(&mut batch);
        let acknowledged = batch.each_ref().map(|request| request.result == Ok(()));
        array.power_cycle(CrashPolicy::Nothing, &mut Rng::new(seed));
        let survived = [0, 1, 2, 3].map(|lba| uniform(&mut array, 0, lba) == Some(1));
        assert_eq!(survived, acknowledged);
        done.insert(survived);
    }
    assert_eq!(done.len(), 6, "every pair out of four: {done:?}");
}

/// Without a volatile cache and with durable writes alike: a batch over all disks is cut on all of them.
#[test]
fn one_cut_may_tear_a_write_on_every_disk() {
    let mut torn = BTreeSet::new();
    for seed in 0..300 {
        let mut array = SimArray::new(seed, [plain(4); 3]);
        (0..3).for_each(|disk| array.disk_mut(disk).wipe());
        array.halt_at(0, Halt::PowerCut);
        let mut batch = [0, 1, 2].map(|disk| Request::new(disk, 0, Operation::WriteDurable(&[1; SECTOR])));
        array.execute(&mut batch);
        assert!(batch.iter().all(|request| request.result == Err(IoError::Gone)));
        array.power_cycle(CrashPolicy::Torn, &mut Rng::new(seed));
        torn.insert([0, 1, 2].map(|disk| uniform(&mut array, disk, 0).is_none()));
    }
    assert_eq!(torn.len(), 8, "{torn:?}");
}

#[test]
fn a_process_crash_keeps_the_cache_and_a_power_cut_may_lose_it_later() {
    let mut array = SimArray::new(1, [plain(8)]);
    write(&mut array, 0, 0, 1).unwrap();
    array.halt_at(array.steps(), Halt::ProcessCrash);
    flush(&mut array, 0).unwrap_err();
    assert_eq!(read(&mut array, 0, 0), Err(IoError::Gone));
    let mut lost = 0;
    for seed in 0..50 {
        let mut world = array.clone();
        world.restart();
        assert_eq!(uniform(&mut world, 0, 0), Some(1));
        write(&mut world, 0, 1, 2).unwrap();
        world.power_cycle(CrashPolicy::Subset, &mut Rng::new(seed));
        lost += u32::from(uniform(&mut world, 0, 1).is_none());
    }
    assert!((1..50).contains(&lost), "{lost}");
}

#[test]
fn a_dying_process_leaves_requests_done_undone_or_done_in_part() {
    let mut seen = BTreeSet::new();
    for seed in 0..300 {
        let mut array = SimArray::new(seed, [plain(8)]);
        array.halt_at(1, Halt::ProcessCrash);
        let mut batch = [0, 2, 4].map(|lba| Request::write(0, lba, &[1; 2 * SECTOR]));
        array.execute(&mut batch);
        assert_eq!(batch.iter().filter(|request| request.result.is_ok()).count(), 1);
        array.restart();
        let written: Vec<_> = (0..6).map(|lba| uniform(&mut array, 0, lba) == Some(1)).collect();
        seen.insert(written);
    }
    assert!(seen.contains(&vec![true; 6]));
    assert!(seen.iter().any(|written| written.iter().filter(|&&done| done).count() == 2));
    assert!(seen.iter().any(|written| written.chunks(2).any(|request| request == [true, false])));
}

#[test]
#[should_panic(expected = "no process starts without power")]
fn a_process_needs_power() {
    let mut array = SimArray::new(1, [plain(8)]);
    array.halt_at(0, Halt::PowerCut);
    write(&mut array, 0, 0, 1).unwrap_err();
    array.restart();
}

/// A campaign hands forks to its workers.
const _: fn(SimArray) = |array| {
    fn sent<T: Send + Sync>(_: T) {}
    sent(array);
};

#[test]
fn forks_are_independent() {
    let mut array = SimArray::new(1, [plain(64); 3]);
    write(&mut array, 0, 0, 1).unwrap();
    let before: Vec<_> = (0..3).map(|disk| contents(&mut array, disk)).collect();
    let mut fork = array.clone();
    (0..3).for_each(|disk| write(&mut fork, disk, 7, 2).unwrap());
    fork.disk_mut(1).flip_bits(0, 1);
    fork.disk_mut(2).unplug();
    fork.power_cycle(CrashPolicy::Everything, &mut Rng::new(1));
    let after: Vec<_> = (0..3).map(|disk| contents(&mut array, disk)).collect();
    assert!(before == after);
    assert!(contents(&mut fork, 0) != after[0]);
}

/// A bit of everything, driven by a seed.
fn busy_world(seed: u64) -> (SimArray, Vec<Vec<u8>>) {
    let mut rng = Rng::new(seed);
    let mut array = SimArray::new(seed, [plain(64); 3]);
    for round in 0..20 {
        array.mark(round);
        let mut blocks = [[0; SECTOR]; 8];
        blocks.iter_mut().for_each(|block| rng.fill(block));
        let mut batch: Vec<_> =
            blocks.iter().map(|block| Request::write(rng.index(3), rng.below(64), block)).collect();
        batch.insert(rng.index(8), Request::flush(rng.index(3)));
        if rng.chance(1, 4) {
            array.halt_at(array.steps() + rng.below(9), *rng.pick(&[Halt::PowerCut, Halt::ProcessCrash]));
        }
        if rng.chance(1, 8) {
            array.disk_mut(rng.index(3)).fail_next(IoKind::Write, 2, IoError::Media);
        }
        array.execute(&mut batch);
        match array.halted() {
            Some(Halt::PowerCut) => array.power_cycle(*rng.pick(&CrashPolicy::ALL), &mut rng),
            Some(Halt::ProcessCrash) => array.restart(),
            None => {}
        }
    }
    let truth = |disk| {
        let mut bytes = vec![0; 64 * SECTOR];
        array.disk(disk).pristine(0, &mut bytes);
        bytes
    };
    let truths = (0..3).map(truth).collect();
    (array, truths)
}

#[test]
fn the_same_seed_makes_the_same_world() {
    for seed in 0..50 {
        let ((one, one_bytes), (other, other_bytes)) = (busy_world(seed), busy_world(seed));
        assert_eq!(one.trace_hash(), other.trace_hash());
        assert!(one_bytes == other_bytes);
        assert_ne!(one.trace_hash(), busy_world(seed + 1).0.trace_hash());
    }
}

#[test]
fn the_hash_sees_the_bytes_that_are_written() {
    let hash = |byte| {
        let mut array = SimArray::new(1, [plain(8)]);
        write(&mut array, 0, 0, byte).unwrap();
        array.trace_hash()
    };
    assert_eq!(hash(1), hash(1));
    assert_ne!(hash(1), hash(2));
}

#[test]
fn events_and_counters_tell_what_happened() {
    let mut array = SimArray::new(1, [plain(8); 2]);
    array.keep_events(true);
    write(&mut array, 1, 3, 1).unwrap();
    array.run(Request::new(1, 4, Operation::WriteDurable(&[1; 2 * SECTOR]))).unwrap();
    array.halt_at(2, Halt::PowerCut);
    flush(&mut array, 1).unwrap_err();
    array.power_cycle(CrashPolicy::Nothing, &mut Rng::new(1));
    read(&mut array, 0, 0).unwrap();
    flush(&mut array, 0).unwrap();
    let kinds: Vec<_> = array.events().iter().map(|event| event.kind).collect();
    use EventKind::{Flush, PowerCut, PowerCycle, Read, Write, WriteDurable};
    assert_eq!(kinds, [Write, WriteDurable, PowerCut, PowerCycle, Read, Flush]);
    let second = array.events()[1];
    assert_eq!((second.step, second.disk, second.lba, second.length), (1, 1, 4, 2 * SECTOR as u64));

    let (reader, writer) = (array.disk(0).counters(), array.disk(1).counters());
    assert_eq!((reader.reads, reader.bytes_read, reader.flushes), (1, SECTOR as u64, 1));
    assert_eq!((writer.writes, writer.bytes_written, writer.flushes), (2, 3 * SECTOR as u64, 0));
}

#[test]
fn work_is_called_exactly_once() {
    let mut array = SimArray::new(1, [plain(8)]);
    for requests in [0, 1, 3, 200] {
        let mut called = 0;
        let mut batch: Vec<_> = (0..requests).map(|_| Request::write(0, 0, &[1; SECTOR])).collect();
        array.execute_while(&mut batch, &mut || called += 1);
        assert_eq!(called, 1);
        assert!(batch.iter().all(|request| request.result == Ok(())), "a batch of {requests}");
    }
}

#[test]
fn a_tebibyte_costs_what_is_written() {
    let mut array = SimArray::new(1, [Geometry::new(4096, 1 << 28); 3]);
    let last = (1 << 28) - 1;
    array.run(Request::write(2, last, &[7; 4096])).unwrap();
    flush(&mut array, 2).unwrap();
    let mut block = [0; 4096];
    let mut after = array.crash(CrashPolicy::Nothing, &mut Rng::new(1));
    after.run(Request::read(2, last, &mut block)).unwrap();
    assert_eq!(block, [7; 4096]);
    assert_eq!([0, 2].map(|disk| after.disk(disk).memory_bytes()), [0, 4096]);
}
