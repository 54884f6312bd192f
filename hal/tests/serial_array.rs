//! The array that runs one request after the other, and the batch it takes.

use dynamicfs_hal::{
    Batch, BlockDevice, DiskArray, Geometry, IoError, Operation, RamDisk, Request, SerialArray,
};

const SECTOR: usize = 512;

type Disk = RamDisk<[u8; 4 * SECTOR]>;

fn array() -> SerialArray<Disk, 2> {
    let disk = || RamDisk::new([0; 4 * SECTOR], SECTOR as u32);
    SerialArray::new([disk(), disk()])
}

#[test]
fn runs_every_request_and_gives_each_its_result() {
    let mut array = array();
    let mut buf = [1; SECTOR];
    let mut batch = [
        Request::write(0, 1, &[7; SECTOR]),
        Request::write(1, 4, &[7; SECTOR]),
        Request::new(1, 2, Operation::WriteDurable(&[9; SECTOR])),
        Request::read(0, 1, &mut buf),
        Request::flush(0),
        Request::new(1, 0, Operation::Discard(1)),
        Request::flush(2),
    ];
    assert!(batch.iter().all(|request| request.result == Err(IoError::NotExecuted)));
    array.execute(&mut batch);
    let results = batch.map(|request| request.result);
    let expected = [Ok(()), Err(IoError::OutOfBounds), Ok(()), Ok(()), Ok(()), Ok(()), Err(IoError::Gone)];
    assert_eq!(results, expected);
    assert_eq!(buf, [7; SECTOR]);
    let [_, mut second] = array.into_devices();
    assert_eq!(second.bytes()[2 * SECTOR..3 * SECTOR], [9; SECTOR]);
}

#[test]
fn does_the_work_once() {
    let mut array = array();
    let mut worked = 0;
    array.execute_while(&mut [Request::flush(0), Request::flush(1)], &mut || worked += 1);
    assert_eq!(worked, 1);
    array.execute_while(&mut [], &mut || worked += 1);
    assert_eq!(worked, 2);
}

/// Notes what it is asked to do.
struct Noting(Vec<(&'static str, u64)>);

impl BlockDevice for Noting {
    type Error = IoError;

    fn geometry(&self) -> Geometry {
        Geometry::new(SECTOR as u32, 4)
    }
    fn read(&mut self, lba: u64, _: &mut [u8]) -> Result<(), IoError> {
        self.0.push(("read", lba));
        Err(IoError::Media)
    }
    fn write(&mut self, lba: u64, _: &[u8]) -> Result<(), IoError> {
        self.0.push(("write", lba));
        if lba == 3 { Err(IoError::Media) } else { Ok(()) }
    }
    fn flush(&mut self) -> Result<(), IoError> {
        self.0.push(("flush", 0));
        Ok(())
    }
}

#[test]
fn a_flush_comes_after_the_requests_before_it() {
    let mut array: SerialArray<_, 1> = SerialArray::new([Noting(Vec::new())]);
    let mut batch =
        [Request::write(0, 2, &[0; SECTOR]), Request::flush(0), Request::write(0, 1, &[0; SECTOR])];
    array.execute(&mut batch);
    assert_eq!(array.devices()[0].0, [("write", 2), ("flush", 0), ("write", 1)]);
}

#[test]
fn an_error_ends_its_request_alone() {
    let mut array: SerialArray<_, 1> = SerialArray::new([Noting(Vec::new())]);
    let mut buf = [0; SECTOR];
    let mut batch = [
        Request::read(0, 0, &mut buf),
        // A durable write that fails is not followed by a flush.
        Request::new(0, 3, Operation::WriteDurable(&[0; SECTOR])),
        Request::new(0, 1, Operation::WriteDurable(&[0; SECTOR])),
    ];
    array.execute(&mut batch);
    assert_eq!(batch.map(|request| request.result), [Err(IoError::Media), Err(IoError::Media), Ok(())]);
    assert_eq!(array.devices()[0].0, [("read", 0), ("write", 3), ("write", 1), ("flush", 0)]);
}

#[test]
fn a_reference_to_an_array_is_one_too() {
    fn flush_all<A: DiskArray>(mut array: A) -> bool {
        let mut batch = A::Batch::default();
        for disk in 0..array.disks() {
            assert!(array.geometry(disk).sectors > 0);
            batch.push(Request::flush(disk)).expect("room for two");
        }
        array.execute(batch.requests());
        batch.requests().iter().all(|request| request.result.is_ok())
    }
    assert!(flush_all(&mut array()));
}

#[test]
fn a_full_batch_gives_the_request_back() {
    type Small<'b> = <SerialArray<Disk, 1, 2> as DiskArray>::Batch<'b>;
    assert_eq!(Small::CAPACITY, 2);
    let mut batch = Small::default();
    for lba in 0..2 {
        Batch::push(&mut batch, Request::write(0, lba, &[0; SECTOR])).expect("room");
    }
    let back = Batch::push(&mut batch, Request::flush(7)).expect_err("no room");
    assert_eq!(back.disk, 7);
    assert_eq!(batch.requests().iter().map(|request| request.lba).collect::<Vec<_>>(), [0, 1]);
}
