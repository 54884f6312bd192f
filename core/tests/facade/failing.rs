//! Disks that do not answer, and what is told of it.

use super::{Known, Lent, RamDisk, SERVICES};
use core::cell::Cell;
use dynamicfs_core::error::{Error, FormatError, MountError, StorageError};
use dynamicfs_core::types::{DiskIndex, Scheme};
use dynamicfs_core::{FormatOptions, Memory, MountOptions, Pool, ReadObjects};
use dynamicfs_hal::{BlockDevice, Geometry, IoError, SerialArray};

const BYTES: usize = 1 << 20;
const MIRROR: FormatOptions = FormatOptions::portable(Scheme::mirror(2));

/// What a disk answers, as long as it fails.
#[derive(Default)]
struct Fault {
    reads: Cell<Option<IoError>>,
    /// Reads that fail; the others do not.
    times: Cell<usize>,
    writes: Cell<Option<IoError>>,
}

impl Fault {
    /// So many reads fail.
    fn fail(&self, error: IoError, times: usize) {
        self.reads.set(Some(error));
        self.times.set(times);
    }
}

struct Failing<'d>(RamDisk<&'d mut [u8]>, &'d Fault);

impl BlockDevice for Failing<'_> {
    type Error = IoError;

    fn geometry(&self) -> Geometry {
        self.0.geometry()
    }

    fn read(&mut self, lba: u64, buf: &mut [u8]) -> Result<(), IoError> {
        if let (Some(error), left @ 1..) = (self.1.reads.get(), self.1.times.get()) {
            self.1.times.set(left - 1);
            return Err(error);
        }
        self.0.read(lba, buf)
    }

    fn write(&mut self, lba: u64, buf: &[u8]) -> Result<(), IoError> {
        match self.1.writes.get() {
            Some(error) => Err(error),
            None => self.0.write(lba, buf),
        }
    }

    fn flush(&mut self) -> Result<(), IoError> {
        self.1.writes.get().map_or(Ok(()), Err)
    }
}

/// Disks and memory for a pool on them.
struct Machine {
    disks: [Vec<u8>; 2],
    lent: Lent,
}

type Array<'d> = SerialArray<Failing<'d>, 2>;

impl Machine {
    fn new() -> Self {
        Self { disks: [vec![0; BYTES], vec![0; BYTES]], lent: Lent::usual() }
    }

    fn parts<'d>(&'d mut self, faults: &'d [Fault; 2]) -> (Array<'d>, Memory<'d>) {
        let mut faults = faults.iter();
        let disk = |bytes: &'d mut Vec<u8>| {
            Failing(RamDisk::new(&mut bytes[..], 512), faults.next().expect("one for each"))
        };
        (SerialArray::new(self.disks.each_mut().map(disk)), self.lent.lend())
    }

    fn format<'d>(&'d mut self, faults: &'d [Fault; 2]) -> Result<Pool<'d, Array<'d>>, FormatError> {
        let (array, memory) = self.parts(faults);
        Ok(Pool::format(array, memory, SERVICES, &mut Known(0), &MIRROR, &[])?)
    }

    fn mount<'d>(&'d mut self, faults: &'d [Fault; 2]) -> Result<Pool<'d, Array<'d>>, MountError> {
        let (array, memory) = self.parts(faults);
        Ok(Pool::mount(array, memory, SERVICES, &MountOptions::default())?)
    }
}

/// A board whose cards were not ready found no pool, and made a new one over the old.
#[test]
fn a_pool_whose_labels_cannot_be_read_is_not_made_anew() {
    let none = <[Fault; 2]>::default();
    for error in [IoError::Media, IoError::Gone, IoError::Timeout, IoError::NotAligned] {
        let mut machine = Machine::new();
        let mut pool = machine.format(&none).expect("formatted");
        let mut transaction = pool.begin().expect("begun");
        transaction.write_file(b"ledger", &[7; 5000]).expect("written");
        transaction.commit().expect("committed");
        drop(pool);
        for times in 0..60 {
            let faults = <[Fault; 2]>::default();
            faults.iter().for_each(|fault| fault.fail(error, times));
            match machine.mount(&faults) {
                Ok(_) => {}
                Err(MountError::NoPool) => panic!("{error:?}, {times}: no pool"),
                Err(_) => faults.iter().for_each(|fault| fault.fail(error, times)),
            }
            let made = machine.format(&faults).map(drop).expect_err("refused");
            assert!(
                matches!(made, FormatError::InUse { .. } | FormatError::LabelUnreadable { .. }),
                "{error:?}, {times}: {made:?}"
            );
        }
        let mut pool = machine.mount(&none).expect("mounted");
        let file = pool.resolve(b"ledger").expect("there");
        assert_eq!(pool.read(file, 0, &mut [0; 5000]), Ok(5000));
    }
}

/// Places that cannot be read are left by power cuts while labels are written: the format is done again.
#[test]
fn two_unreadable_places_are_no_pool() {
    let mut machine = Machine::new();
    let faults = <[Fault; 2]>::default();
    faults[0].fail(IoError::Media, 2);
    assert_eq!(machine.mount(&faults).map(drop), Err(MountError::NoPool));
    faults[0].fail(IoError::Media, 2);
    machine.format(&faults).expect("formatted");
}

/// "No space left" was told where all disks were lost: a program deletes for that.
#[test]
fn a_transaction_that_loses_its_disks_says_so() {
    let mut machine = Machine::new();
    let faults = <[Fault; 2]>::default();
    let mut pool = machine.format(&faults).expect("formatted");
    let mut transaction = pool.begin().expect("begun");
    let file = transaction.write_file(b"kept", &[7; 5000]).expect("written");
    transaction.commit().expect("committed");
    let lost = Error::Storage(StorageError::TooFewDisks { online: Default::default() });

    let mut transaction = pool.begin().expect("begun");
    faults.iter().for_each(|fault| fault.writes.set(Some(IoError::Media)));
    let mut told = None;
    for n in 0..100 {
        if let Err(error) = transaction.write(file, n * 500, &[8; 5000]) {
            told = Some(error);
            break;
        }
    }
    assert_eq!(told.or_else(|| transaction.commit().err()), Some(lost));
    assert_eq!(pool.begin().map(drop), Err(lost));
    drop(pool);
    let none = <[Fault; 2]>::default();
    let mut pool = machine.mount(&none).expect("mounted");
    let mut contents = [0; 5000];
    assert_eq!(pool.read(file, 0, &mut contents), Ok(5000));
    assert_eq!(contents, [7; 5000]);
}

/// A transaction began where another disk was in the place of each: it told "no space left".
#[test]
fn a_pool_on_exchanged_disks_begins_no_transaction() {
    let mut machine = Machine::new();
    let none = <[Fault; 2]>::default();
    let mut pool = machine.format(&none).expect("formatted");
    for disk in pool.array().devices() {
        disk.0.write(0, &vec![0; BYTES]).expect("blanked");
    }
    let exchanged = Error::Storage(StorageError::Exchanged { disk: DiskIndex(1) });
    assert_eq!(pool.begin().map(drop), Err(exchanged));
    let lost = Error::Storage(StorageError::TooFewDisks { online: Default::default() });
    assert_eq!(pool.begin().map(drop), Err(lost));
}

/// One disk in two places of the array became a mirror of two, and lost its redundancy with the next mount.
#[test]
fn a_disk_that_is_given_twice_makes_no_pool() {
    use core::cell::RefCell;

    struct Shared<'d>(&'d RefCell<RamDisk<Vec<u8>>>);

    impl BlockDevice for Shared<'_> {
        type Error = <RamDisk<Vec<u8>> as BlockDevice>::Error;

        fn geometry(&self) -> Geometry {
            self.0.borrow().geometry()
        }

        fn read(&mut self, lba: u64, buf: &mut [u8]) -> Result<(), Self::Error> {
            self.0.borrow_mut().read(lba, buf)
        }

        fn write(&mut self, lba: u64, buf: &[u8]) -> Result<(), Self::Error> {
            self.0.borrow_mut().write(lba, buf)
        }

        fn flush(&mut self) -> Result<(), Self::Error> {
            self.0.borrow_mut().flush()
        }
    }

    let disk = RefCell::new(RamDisk::new(vec![0; BYTES], 512));
    let mut lent = Lent::usual();
    let array = SerialArray::new([Shared(&disk), Shared(&disk)]);
    let made = Pool::format(array, lent.lend(), SERVICES, &mut Known(0), &MIRROR, &[]).map(drop);
    assert_eq!(made.map_err(FormatError::from), Err(FormatError::Overwritten { disk: DiskIndex(0) }));
    let array = SerialArray::new([Shared(&disk), Shared(&disk)]);
    let mounted = Pool::mount(array, lent.lend(), SERVICES, &MountOptions::default()).map(drop);
    assert_eq!(mounted.map_err(MountError::from), Err(MountError::NoPool));
}
