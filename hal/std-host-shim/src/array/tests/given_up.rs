//! Reads that are given up, and the disks that are at them.

use std::sync::mpsc::{Receiver, Sender, channel};

use super::*;

/// Longer than any test.
const FOR_EVER: u32 = u32::MAX;

/// A disk that holds its number, whose reads wait for a word where there is a gate, and which says when it is closed.
struct Gated {
    number: u8,
    gate: Option<Receiver<()>>,
    closed: Sender<u8>,
}

impl BlockDevice for Gated {
    type Error = IoError;

    fn geometry(&self) -> Geometry {
        Geometry { buffer_alignment: 512, ..Geometry::new(SECTOR as u32, SECTORS as u64) }
    }
    fn read(&mut self, lba: u64, buf: &mut [u8]) -> Result<(), IoError> {
        assert_eq!(buf.as_ptr().align_offset(512), 0, "aligned as it was asked for");
        if let Some(gate) = &self.gate {
            gate.recv().map_err(|_| IoError::Gone)?;
        }
        assert!(lba != 13, "the driver's own words");
        buf.fill(self.number);
        Ok(())
    }
    fn write(&mut self, _: u64, _: &[u8]) -> Result<(), IoError> {
        Ok(())
    }
    fn flush(&mut self) -> Result<(), IoError> {
        Ok(())
    }
}

impl Drop for Gated {
    fn drop(&mut self) {
        // The test may not want to know.
        let _ = self.closed.send(self.number);
    }
}

/// Three disks, the first behind a gate: the gate's other side, and where they say that they are closed.
fn gated() -> (HostArray<Gated>, Sender<()>, Receiver<u8>) {
    let (open, gate) = channel();
    let (closed, was_closed) = channel();
    let disk = |number, gate| Some(Gated { number, gate, closed: closed.clone() });
    let array = HostArray::new(vec![disk(0, Some(gate)), disk(1, None), disk(2, None)]);
    (array.hedging_from(Duration::ZERO), open, was_closed)
}

/// Sectors, aligned for any disk of these tests.
#[repr(align(512))]
struct Aligned([u8; 4 * SECTOR]);

#[test]
fn a_read_is_given_up_while_its_disk_is_stuck() {
    let (mut array, open, _closed) = gated();
    let (mut a, mut b) = (Aligned([0xEE; 4 * SECTOR]), Aligned([0xEE; 4 * SECTOR]));
    let mut worked = 0;
    let mut batch = [
        Request::read(0, 3, &mut a.0).with_patience(1000),
        Request::read(1, 3, &mut b.0).with_patience(FOR_EVER),
    ];
    array.execute_while(&mut batch, &mut || worked += 1);
    assert_eq!(worked, 1);
    assert_eq!(batch.each_ref().map(|request| request.result), [Err(IoError::Late), Ok(())]);
    assert!(batch[0].micros >= 1000 && batch[1].micros >= 1, "{} {}", batch[0].micros, batch[1].micros);
    assert!(b.0.iter().all(|&byte| byte == 1));
    assert!(a.0.iter().all(|&byte| byte == 0xEE), "nothing of the caller's is touched");

    // It is still there, and late again: the gate was not opened.
    assert_eq!(array.geometry(0).sectors, SECTORS as u64);
    let mut again = [Request::read(0, 3, &mut a.0).with_patience(1000)];
    array.execute(&mut again);
    assert_eq!(again[0].result, Err(IoError::Late));
    assert!(again[0].micros >= 2000, "both times: {}", again[0].micros);

    assert_eq!(array.take_outcome(0), None, "it has not answered");

    // What cannot be given up waits for the disk, which has answered the read that was; the others do not.
    open.send(()).expect("the disk waits");
    let mut writes = [Request::write(0, 0, &b.0), Request::write(2, 0, &b.0)];
    array.execute(&mut writes);
    assert_eq!(writes.map(|request| request.result), [Ok(()), Ok(())]);
    let outcome = array.take_outcome(0).expect("it has answered");
    assert_eq!((outcome.lba, outcome.result), (3, Ok(())));
    assert!(outcome.micros >= 1000, "{outcome:?}");
    assert_eq!([array.take_outcome(0), array.take_outcome(1), array.take_outcome(9)], [None; 3], "told once");
    open.send(()).expect("the disk waits");
    let mut last = [Request::read(0, 3, &mut a.0).with_patience(FOR_EVER)];
    array.execute(&mut last);
    assert_eq!(last[0].result, Ok(()));
    assert!(a.0.iter().all(|&byte| byte == 0));
    assert_eq!(array.into_disks().len(), 3);
}

#[test]
fn a_read_waits_for_a_disk_that_is_stuck_as_long_as_its_patience_lasts() {
    let (mut array, open, _closed) = gated();
    let (mut a, mut b) = (Aligned([0xEE; 4 * SECTOR]), Aligned([0xEE; 4 * SECTOR]));
    array.execute(&mut [Request::read(0, 0, &mut a.0).with_patience(1)]);
    // While the batch runs the gate opens for both: for the read that was given up, and the one that waits behind it.
    let mut batch = [patient(0, &mut a.0), patient(1, &mut b.0)];
    array.execute_while(&mut batch, &mut || (0..2).for_each(|_| open.send(()).expect("the disk waits")));
    assert_eq!(batch.map(|request| request.result), [Ok(()), Ok(())]);
    assert!(a.0.iter().all(|&byte| byte == 0) && b.0.iter().all(|&byte| byte == 1));
    let outcome = array.take_outcome(0).expect("it has answered");
    assert_eq!((outcome.lba, outcome.result), (0, Ok(())));
    assert_eq!(array.take_outcome(0), None, "the other was not given up");
}

#[test]
fn a_disk_at_a_read_that_was_given_up_is_waited_for_by_who_wants_it() {
    let (mut array, open, closed) = gated();
    let mut a = Aligned([0; 4 * SECTOR]);
    array.execute(&mut [Request::read(0, 0, &mut a.0).with_patience(1)]);
    open.send(()).expect("the disk waits");
    assert_eq!(array.disk(0).map(|disk| disk.number), Some(0));
    array.execute(&mut [Request::read(0, 0, &mut a.0).with_patience(1)]);
    open.send(()).expect("the disk waits");
    assert_eq!(array.replace(0, None).map(|disk| disk.number), Some(0));
    assert_eq!(closed.recv(), Ok(0), "and nobody else has it");
    assert!(array.disk(0).is_none());
}

#[test]
fn an_array_that_is_dropped_does_not_wait_for_a_disk_that_is_stuck() {
    let (mut array, open, closed) = gated();
    let mut a = Aligned([0; 4 * SECTOR]);
    array.execute(&mut [Request::read(0, 0, &mut a.0).with_patience(1)]);
    drop(array);
    let mut others = [closed.recv().expect("closed"), closed.recv().expect("closed")];
    others.sort_unstable();
    assert_eq!(others, [1, 2]);
    open.send(()).expect("the disk waits");
    assert_eq!(closed.recv(), Ok(0), "it is closed when it has answered");
}

#[test]
fn a_panic_in_a_read_that_was_given_up_reaches_who_asks_next() {
    let (mut array, open, _closed) = gated();
    let mut a = Aligned([0; 4 * SECTOR]);
    let panic_of = |array: &mut HostArray<Gated>, request: Request<'_>| {
        let panic = catch_unwind(AssertUnwindSafe(|| array.execute(&mut [request]))).expect_err("it panics");
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"the driver's own words"));
    };
    array.execute(&mut [Request::read(0, 13, &mut a.0).with_patience(1)]);
    open.send(()).expect("the disk waits");
    panic_of(&mut array, Request::flush(0));
    panic_of(&mut array, Request::read(1, 13, &mut a.0).with_patience(FOR_EVER));
    let mut batch = [Request::flush(0), Request::flush(1), Request::flush(2)];
    array.execute(&mut batch);
    assert_eq!(batch.map(|request| request.result), [Err(IoError::Gone), Err(IoError::Gone), Ok(())]);
}

#[test]
fn patience_changes_nothing_where_disks_answer() {
    let disk = |fill: u8| {
        let bytes = (0..SECTORS * SECTOR).map(|at| fill ^ (at / SECTOR) as u8).collect();
        Some(RamDisk::new(bytes, SECTOR as u32))
    };
    let disks = || vec![disk(0x10), disk(0x20), None, disk(0x40)];
    let (mut plain, mut hedging) =
        (HostArray::new(disks()), HostArray::new(disks()).hedging_from(Duration::ZERO));
    // Reads of a place that does not exist, beyond the end, of a wrong length, all of one disk, and all as
    // they should be.
    for (places, lba, bytes) in [
        (&[0, 1, 3][..], 2, 3 * SECTOR),
        (&[3, 2, 0], 0, SECTORS * SECTOR),
        (&[1], 5, 0),
        (&[0, 1, 4], 1, SECTOR),
        (&[0, 3], 15, 2 * SECTOR),
        (&[0, 3], 1, 100),
        (&[1, 1, 1], 7, SECTOR),
        (&[3, 1, 0], 9, SECTOR),
    ] {
        let run = |array: &mut HostArray<RamDisk<Vec<u8>>>| {
            let mut buffers = vec![vec![0xEE; bytes]; places.len()];
            let read = |(&place, buf)| Request::read(place, lba, buf).with_patience(FOR_EVER);
            let mut batch: Vec<_> =
                places.iter().zip(buffers.iter_mut().map(Vec::as_mut_slice)).map(read).collect();
            array.execute(&mut batch);
            let results: Vec<_> = batch.into_iter().map(|request| request.result).collect();
            (results, buffers)
        };
        assert_eq!(run(&mut hedging), run(&mut plain), "{places:?} {lba} {bytes}");
    }
}

fn patient(disk: usize, buf: &mut [u8]) -> Request<'_> {
    Request::read(disk, 0, buf).with_patience(FOR_EVER)
}

#[test]
fn only_reads_of_slow_disks_are_worth_a_thread() {
    let (array, _open, _closed) = gated();
    let mut array = array.hedging_from(Duration::from_micros(100));
    let (mut a, mut b) = (Aligned([0; 4 * SECTOR]), Aligned([0; 4 * SECTOR]));
    let batch = [patient(0, &mut a.0[..]), patient(1, &mut b.0[..])];
    assert!(!array.is_hedged(&batch), "nothing is known of them");
    for _ in 0..20 {
        array.places[1].latency.observe_read(512, Duration::from_millis(8));
    }
    assert!(array.is_hedged(&batch));
    assert!(!array.is_hedged(&batch[..1]), "the other is quick");
    assert!(!HostArray::new(array.into_disks()).is_hedged(&batch), "not unless it is wanted");

    let (mut array, _open, _closed) = gated();
    let (mut c, mut d) = (Aligned([0; 4 * SECTOR]), Aligned([0; 4 * SECTOR]));
    let twice = [patient(1, &mut c.0[..SECTOR]), patient(1, &mut d.0[..])];
    assert!(!array.is_hedged(&twice), "one disk answers one after the other");
    assert!(!array.is_hedged(&[patient(1, &mut a.0[..]), Request::read(2, 0, &mut b.0)]));
    assert!(!array.is_hedged(&[patient(1, &mut a.0[..]), Request::flush(2).with_patience(1)]));
    assert!(!array.is_hedged(&[]));
    array.execute(&mut []);
}
