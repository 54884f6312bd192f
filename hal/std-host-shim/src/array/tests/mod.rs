//! The array, with its two ways of running a batch called by name.

mod given_up;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Barrier;
use std::time::Duration;

use dynamicfs_hal::{Operation, RamDisk};
use proptest::prelude::*;

use super::*;

const SECTOR: usize = 512;
const SECTORS: usize = 16;

/// A request of a random batch: every kind, also ones that must fail.
#[derive(Clone, Debug)]
enum Step {
    Read { lba: u64, bytes: usize },
    Write { lba: u64, bytes: usize, fill: u8, durable: bool },
    Flush,
    Discard { lba: u64 },
}

fn step() -> impl Strategy<Value = (usize, Step)> {
    let lba = || prop_oneof![9 => 0..SECTORS as u64, 1 => Just(u64::MAX)];
    let bytes = || prop_oneof![9 => (0..4_usize).prop_map(|sectors| sectors * SECTOR), 1 => Just(100_usize)];
    let step = prop_oneof![
        3 => (lba(), bytes()).prop_map(|(lba, bytes)| Step::Read { lba, bytes }),
        3 => (lba(), bytes(), any::<u8>(), any::<bool>())
            .prop_map(|(lba, bytes, fill, durable)| Step::Write { lba, bytes, fill, durable }),
        1 => Just(Step::Flush),
        1 => lba().prop_map(|lba| Step::Discard { lba }),
    ];
    // Place 2 has no disk, place 4 does not exist.
    (0..5_usize, step)
}

/// Runs steps one after the other on plain memory: what the array must do too.
fn expected(memory: &mut [Vec<u8>], steps: &mut [(usize, Step, Vec<u8>)]) -> Vec<Result<(), IoError>> {
    let range = |lba: u64, bytes: usize| match usize::try_from(lba) {
        _ if !bytes.is_multiple_of(SECTOR) => Err(IoError::NotAligned),
        Ok(lba) if lba <= SECTORS && lba * SECTOR + bytes <= SECTORS * SECTOR => {
            Ok(lba * SECTOR..lba * SECTOR + bytes)
        }
        _ => Err(IoError::OutOfBounds),
    };
    steps
        .iter_mut()
        .map(|(disk, step, buf)| {
            if *disk == 2 || *disk == 4 {
                return Err(IoError::Gone);
            }
            match step {
                Step::Read { lba, bytes } => buf.copy_from_slice(&memory[*disk][range(*lba, *bytes)?]),
                Step::Write { lba, bytes, .. } => memory[*disk][range(*lba, *bytes)?].copy_from_slice(buf),
                Step::Flush | Step::Discard { .. } => {}
            }
            Ok(())
        })
        .collect()
}

/// Gives each step its buffer: filled for a write, to be filled for a read.
fn with_buffers(steps: &[(usize, Step)]) -> Vec<(usize, Step, Vec<u8>)> {
    let buffer = |step: &Step| match step {
        Step::Read { bytes, .. } => vec![0xEE; *bytes],
        Step::Write { bytes, fill, .. } => vec![*fill; *bytes],
        Step::Flush | Step::Discard { .. } => Vec::new(),
    };
    steps.iter().map(|(disk, step)| (*disk, step.clone(), buffer(step))).collect()
}

fn requests(steps: &mut [(usize, Step, Vec<u8>)]) -> Vec<Request<'_>> {
    steps
        .iter_mut()
        .map(|(disk, step, buf)| match step {
            Step::Read { lba, .. } => Request::read(*disk, *lba, buf),
            Step::Write { lba, durable: false, .. } => Request::write(*disk, *lba, buf),
            Step::Write { lba, .. } => Request::new(*disk, *lba, Operation::WriteDurable(buf)),
            Step::Flush => Request::flush(*disk),
            Step::Discard { lba } => Request::new(*disk, *lba, Operation::Discard(1)),
        })
        .collect()
}

proptest! {
    #[test]
    fn threads_do_what_one_thread_does(batches in prop::collection::vec(prop::collection::vec(step(), 0..40), 1..8)) {
        let disk = || RamDisk::new(vec![0; SECTORS * SECTOR], SECTOR as u32);
        let mut array = HostArray::with_workers(vec![Some(disk()), Some(disk()), None, Some(disk())], 3);
        let mut memory = vec![vec![0; SECTORS * SECTOR]; 4];
        for (number, batch) in batches.iter().enumerate() {
            let mut modelled = with_buffers(batch);
            let results = expected(&mut memory, &mut modelled);

            let mut steps = with_buffers(batch);
            let mut requests = requests(&mut steps);
            let mut worked = 0;
            // Both ways, mixed.
            if number % 4 == 3 {
                array.run_inline(&mut requests);
            } else {
                array.run_in_parallel(&mut requests, &mut || worked += 1);
                prop_assert_eq!(worked, 1);
            }
            let got: Vec<_> = requests.into_iter().map(|request| request.result).collect();
            prop_assert_eq!(got, results);
            for (index, (step, model)) in steps.iter().zip(&modelled).enumerate() {
                prop_assert_eq!(&step.2, &model.2, "the buffer of request {}", index);
            }
        }
        for (disk, memory) in array.into_disks().into_iter().zip(memory) {
            if let Some(disk) = disk {
                prop_assert_eq!(disk.into_inner(), memory);
            }
        }
    }
}

/// A disk that does as a function says, and stores nothing.
struct Scripted<F>(F);

impl<F: FnMut(&'static str, u64) -> Result<(), IoError>> BlockDevice for Scripted<F> {
    type Error = IoError;

    fn geometry(&self) -> Geometry {
        Geometry::new(SECTOR as u32, SECTORS as u64)
    }
    fn read(&mut self, lba: u64, _: &mut [u8]) -> Result<(), IoError> {
        (self.0)("read", lba)
    }
    fn write(&mut self, lba: u64, _: &[u8]) -> Result<(), IoError> {
        (self.0)("write", lba)
    }
    fn flush(&mut self) -> Result<(), IoError> {
        (self.0)("flush", 0)
    }
}

#[test]
fn disks_and_work_run_at_the_same_time() {
    // Each waits for the two others: on fewer than three threads this would wait for ever.
    let meeting = Barrier::new(3);
    let disk = || {
        Scripted(|_, _| {
            meeting.wait();
            Ok(())
        })
    };
    let mut array = HostArray::new(vec![Some(disk()), Some(disk())]);
    let mut batch = [Request::flush(0), Request::flush(1)];
    array.run_in_parallel(&mut batch, &mut || {
        meeting.wait();
    });
    assert!(batch.iter().all(|request| request.result.is_ok()));
}

#[test]
fn requests_to_one_disk_keep_their_order() {
    let logs = [Mutex::new(Vec::new()), Mutex::new(Vec::new())];
    let disks = logs.each_ref().map(|log| {
        Some(Scripted(move |what, lba| {
            log.lock().unwrap().push((what, lba));
            Ok(())
        }))
    });
    let mut array = HostArray::new(disks.into());
    let buf = [0; SECTOR];
    let mut batch: Vec<_> = (0..8)
        .flat_map(|lba| {
            [Request::write(0, lba, &buf), Request::write(1, 7 - lba, &buf), Request::flush(lba as usize % 2)]
        })
        .collect();
    array.run_in_parallel(&mut batch, &mut || {});
    drop(batch);
    drop(array);
    let log = |disk: usize| logs[disk].lock().unwrap().clone();
    let lane = |disk: u64| {
        let lba = move |index| if disk == 0 { index } else { 7 - index };
        (0..8).flat_map(move |index| {
            [Some(("write", lba(index))), (index % 2 == disk).then_some(("flush", 0))].into_iter().flatten()
        })
    };
    assert_eq!(log(0), lane(0).collect::<Vec<_>>());
    assert_eq!(log(1), lane(1).collect::<Vec<_>>());
}

#[test]
fn a_panic_of_a_driver_reaches_the_caller_when_nothing_is_in_flight() {
    let in_flight = Mutex::new(0);
    let disk = |panics: bool| {
        let in_flight = &in_flight;
        Some(Scripted(move |_, lba| {
            *in_flight.lock().unwrap() += 1;
            std::thread::yield_now();
            *in_flight.lock().unwrap() -= 1;
            assert!(!panics || lba != 13, "the driver's own words");
            Ok(())
        }))
    };
    let mut array = HostArray::new(vec![disk(false), disk(true), disk(false)]);
    let buf = [0; SECTOR];
    for _ in 0..200 {
        let mut batch: Vec<_> = (0..30).map(|index| Request::write(index % 3, index as u64, &buf)).collect();
        let panic = catch_unwind(AssertUnwindSafe(|| array.run_in_parallel(&mut batch, &mut || {})));
        let panic = panic.expect_err("disk 1 panics at sector 13");
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"the driver's own words"));
        assert_eq!(*in_flight.lock().unwrap(), 0);
        for request in &batch {
            let begun = request.disk != 1 || request.lba < 13;
            match request.result {
                Ok(()) => assert!(begun),
                result => assert_eq!(result, Err(IoError::NotExecuted)),
            }
        }
    }
    // And the array still works.
    let mut batch = [Request::flush(0), Request::flush(1), Request::flush(2)];
    array.run_in_parallel(&mut batch, &mut || {});
    assert!(batch.iter().all(|request| request.result.is_ok()));
}

#[test]
fn a_panic_of_the_work_waits_for_the_disks() {
    let begun = Barrier::new(2);
    let in_flight = Mutex::new(false);
    let disk = Scripted(|_, _| {
        *in_flight.lock().unwrap() = true;
        begun.wait();
        // Give the other thread every chance to be too early.
        (0..1000).for_each(|_| std::thread::yield_now());
        *in_flight.lock().unwrap() = false;
        Ok(())
    });
    let mut array = HostArray::new(vec![Some(disk)]);
    let mut batch = [Request::flush(0)];
    let panic = catch_unwind(AssertUnwindSafe(|| {
        array.run_in_parallel(&mut batch, &mut || {
            begun.wait();
            panic!("the work's own words");
        });
    }));
    assert_eq!(panic.expect_err("the work").downcast_ref::<&str>(), Some(&"the work's own words"));
    assert!(!*in_flight.lock().unwrap());
    assert_eq!(batch[0].result, Ok(()));
}

#[test]
fn threads_are_for_batches_that_take_long() {
    let disk = || Some(Scripted(|_, _| Ok(())));
    let mut array = HostArray::new(vec![disk(), disk(), disk()]);
    let flushes = [Request::flush(0), Request::flush(1), Request::flush(2)];
    let (small, large) = (vec![0; 4096], vec![0; 1 << 20]);
    let writes = |buf| [Request::write(0, 0, buf), Request::write(1, 0, buf), Request::write(2, 0, buf)];

    // Of disks that nothing is known about, only the bytes count.
    assert!(!array.pays_for_threads(&flushes, true));
    assert!(!array.pays_for_threads(&writes(&small), true));
    assert!(array.pays_for_threads(&writes(&large), false));

    // One disk alone gains by the work that runs meanwhile, or not at all.
    assert!(array.pays_for_threads(&writes(&large)[..1], true));
    assert!(!array.pays_for_threads(&writes(&large)[..1], false));

    // Flushes that turned out to be slow.
    for place in &mut array.places {
        place.latency.observe(&Operation::Flush, Duration::from_millis(10));
    }
    assert!(array.pays_for_threads(&flushes, false));
    assert!(!array.pays_for_threads(&flushes[..1], false));

    let mut alone = HostArray::with_workers(vec![disk(), disk(), disk()], 0);
    assert!(!alone.pays_for_threads(&writes(&large), true));
    alone.execute_while(&mut writes(&large), &mut || {});
}

#[test]
fn places_without_a_disk_are_gone() {
    let disk = || RamDisk::new(vec![0; SECTORS * SECTOR], SECTOR as u32);
    let mut array = HostArray::new(vec![Some(disk()), None]);
    assert_eq!(array.disks(), 2);
    assert_eq!(array.geometry(0).sectors, SECTORS as u64);
    assert_eq!(array.geometry(1).sectors, 0);
    assert_eq!(array.geometry(1).check(), Ok(()));

    let flush_both = |array: &mut HostArray<RamDisk<Vec<u8>>>| {
        let mut batch = [Request::flush(0), Request::flush(1), Request::flush(2)];
        array.execute(&mut batch);
        batch.map(|request| request.result)
    };
    assert_eq!(flush_both(&mut array), [Ok(()), Err(IoError::Gone), Err(IoError::Gone)]);
    assert!(array.replace(1, Some(disk())).is_none());
    assert!(array.replace(0, None).is_some());
    assert!(array.disk(0).is_none() && array.disk(1).is_some());
    assert_eq!(flush_both(&mut array), [Err(IoError::Gone), Ok(()), Err(IoError::Gone)]);
}
