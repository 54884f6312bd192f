//! Devices that stand on a device, and the clock of a board without one.

use std::cell::RefCell;

use dynamicfs_hal::{
    BlockDevice, Bounce, BounceError, Clock, DeviceError, DiskArray, Geometry, GeometryError, IoError,
    LayerError, NoClock, Partition, PartitionError, RamDisk, Request, SerialArray, SharedDevice, UnixTime,
};

const SECTOR: usize = 512;

fn ram(sectors: usize) -> RamDisk<Vec<u8>> {
    RamDisk::new(vec![0; sectors * SECTOR], SECTOR as u32)
}

/// A disk in memory that notes what it is asked, refuses buffers that are not aligned, and fails as it is
/// told.
struct Noting {
    disk: RamDisk<Vec<u8>>,
    geometry: Geometry,
    noted: Vec<(&'static str, u64, usize)>,
    fails: Option<&'static str>,
}

impl Noting {
    fn new(geometry: Geometry) -> Self {
        Self { disk: ram(geometry.sectors as usize), geometry, noted: Vec::new(), fails: None }
    }

    fn note(&mut self, what: &'static str, lba: u64, buf: &[u8]) -> Result<(), IoError> {
        if !buf.is_empty() {
            self.geometry.check_buffer(lba, buf)?;
        }
        self.noted.push((what, lba, buf.len() / SECTOR));
        if self.fails == Some(what) { Err(IoError::Media) } else { Ok(()) }
    }
}

impl BlockDevice for Noting {
    type Error = IoError;

    fn geometry(&self) -> Geometry {
        self.geometry
    }
    fn read(&mut self, lba: u64, buf: &mut [u8]) -> Result<(), IoError> {
        self.note("read", lba, buf)?;
        self.disk.read(lba, buf)
    }
    fn write(&mut self, lba: u64, buf: &[u8]) -> Result<(), IoError> {
        self.note("write", lba, buf)?;
        self.disk.write(lba, buf)
    }
    fn flush(&mut self) -> Result<(), IoError> {
        self.note("flush", 0, &[])
    }
    fn write_durable(&mut self, lba: u64, buf: &[u8]) -> Result<(), IoError> {
        self.note("durable", lba, buf)?;
        self.disk.write(lba, buf)
    }
    fn discard(&mut self, lba: u64, sectors: u64) -> Result<(), IoError> {
        self.geometry.check_range(lba, sectors)?;
        self.note("discard", lba, &[])
    }
}

#[test]
fn a_board_without_a_clock_is_always_at_zero() {
    assert_eq!((NoClock.now(), NoClock.monotonic_micros()), (UnixTime::default(), 0));
    assert_eq!(NoClock.now(), UnixTime { seconds: 0, nanoseconds: 0 });
}

// --- an empty slot -----------------------------------------------------------------------------------------

#[test]
fn an_empty_slot_is_gone() {
    let mut slot: Option<RamDisk<Vec<u8>>> = None;
    assert_eq!((slot.geometry().sectors, slot.geometry().check()), (0, Ok(())));
    let gone = LayerError::Refused(IoError::Gone);
    let mut buf = [0; SECTOR];
    assert_eq!(slot.read(0, &mut buf), Err(gone));
    assert_eq!(slot.write(0, &buf), Err(gone));
    assert_eq!(slot.write_durable(0, &buf), Err(gone));
    assert_eq!(slot.flush(), Err(gone));
    assert_eq!(slot.discard(0, 1), Err(gone));
    assert_eq!(gone.kind(), IoError::Gone);
}

#[test]
fn a_slot_with_a_card_is_the_card() {
    let mut slot = Some(Noting::new(Geometry { discard: true, ..Geometry::new(512, 8) }));
    assert_eq!(slot.geometry(), slot.as_ref().unwrap().geometry);
    slot.write(3, &[7; SECTOR]).unwrap();
    slot.write_durable(4, &[9; SECTOR]).unwrap();
    slot.flush().unwrap();
    slot.discard(5, 1).unwrap();
    let mut buf = [0; 2 * SECTOR];
    slot.read(3, &mut buf).unwrap();
    assert!(buf[..SECTOR] == [7; SECTOR] && buf[SECTOR..] == [9; SECTOR]);
    assert_eq!(slot.read(8, &mut buf), Err(LayerError::Device(IoError::OutOfBounds)));
    let noted: Vec<_> = slot.unwrap().noted.iter().map(|(what, ..)| *what).collect();
    assert_eq!(noted, ["write", "durable", "flush", "discard", "read"]);
}

#[test]
fn an_array_serves_the_cards_that_are_there() {
    let mut array: SerialArray<_, 2> = SerialArray::new([None, Some(ram(8))]);
    assert_eq!([0, 1].map(|disk| array.geometry(disk).sectors), [0, 8]);
    let mut batch = [Request::write(0, 0, &[1; SECTOR]), Request::write(1, 0, &[1; SECTOR])];
    array.execute(&mut batch);
    assert_eq!(batch.map(|request| request.result), [Err(IoError::Gone), Ok(())]);
}

// --- partitions --------------------------------------------------------------------------------------------

const PAGES: Geometry = Geometry { tear_unit: 4096, discard: true, ..Geometry::new(512, 100) };

#[test]
fn a_partition_is_a_range_of_its_device() {
    let mut partition = Partition::new(Noting::new(PAGES), 16, 32).unwrap();
    assert_eq!(partition.geometry(), Geometry { sectors: 32, ..PAGES });
    partition.write(0, &[7; 2 * SECTOR]).unwrap();
    partition.write_durable(31, &[9; SECTOR]).unwrap();
    partition.flush().unwrap();
    partition.discard(3, 29).unwrap();
    let mut buf = [0; SECTOR];
    partition.read(1, &mut buf).unwrap();
    assert_eq!(buf, [7; SECTOR]);
    let noted = partition.into_inner().noted;
    assert_eq!(
        noted,
        [("write", 16, 2), ("durable", 47, 1), ("flush", 0, 0), ("discard", 19, 0), ("read", 17, 1)]
    );
}

#[test]
fn nothing_outside_of_a_partition_is_reached() {
    let mut partition = Partition::new(Noting::new(PAGES), 16, 32).unwrap();
    let mut buf = [0; 2 * SECTOR];
    for lba in [31, 32, 100, u64::MAX - 15, u64::MAX] {
        let beyond = Err(LayerError::Refused(IoError::OutOfBounds));
        assert_eq!(partition.read(lba, &mut buf), beyond);
        assert_eq!(partition.write(lba, &buf), beyond);
        assert_eq!(partition.write_durable(lba, &buf), beyond);
        assert_eq!(partition.discard(lba, 2), beyond);
    }
    let odd = partition.write(0, &buf[..100]).unwrap_err();
    assert_eq!(odd.kind(), IoError::NotAligned);
    assert!(partition.into_inner().noted.is_empty());
}

#[test]
fn a_partition_shares_no_tear_unit() {
    let new = |start, sectors| Partition::new(Noting::new(PAGES), start, sectors).map(|_| ());
    assert_eq!(new(16, 0), Err(PartitionError::Empty));
    for start in [1, 7, 9, 12] {
        assert_eq!(new(start, 8), Err(PartitionError::Start { tear_sectors: 8 }));
    }
    for sectors in [1, 7, 9] {
        assert_eq!(new(8, sectors), Err(PartitionError::End { tear_sectors: 8 }));
    }
    for (start, sectors) in [(96, 8), (104, 8), (8, u64::MAX), (u64::MAX - 7, 8)] {
        assert_eq!(new(start, sectors), Err(PartitionError::OutOfBounds { sectors: 100 }));
    }
    // The device's own end is the end of its last unit.
    assert_eq!(new(96, 4), Ok(()));
    assert_eq!(new(0, 100), Ok(()));
    let wrong = Noting::new(Geometry { tear_unit: 100, ..PAGES });
    assert!(matches!(Partition::new(wrong, 0, 8), Err(PartitionError::Geometry(GeometryError::TearUnit))));
}

// --- a shared device ---------------------------------------------------------------------------------------

#[test]
fn two_partitions_of_one_device() {
    let shared = SharedDevice::new(ram(64));
    let mut a = Partition::new(&shared, 0, 32).unwrap();
    let mut b = Partition::new(&shared, 32, 32).unwrap();
    a.write(0, &[1; 32 * SECTOR]).unwrap();
    b.write(0, &[2; 32 * SECTOR]).unwrap();
    a.flush().unwrap();
    b.write_durable(31, &[3; SECTOR]).unwrap();
    b.discard(0, 1).unwrap();
    let mut bytes = shared.into_inner().into_inner();
    assert!(bytes[..32 * SECTOR].iter().all(|byte| *byte == 1));
    assert!(bytes.split_off(63 * SECTOR).iter().all(|byte| *byte == 3));
    assert!(bytes[32 * SECTOR..].iter().all(|byte| *byte == 2));
}

#[test]
fn what_one_user_s_flush_lost_no_other_user_takes_for_durable() {
    for fails in ["flush", "durable"] {
        let device = RefCell::new(Noting::new(PAGES));
        let shared = SharedDevice::new(ByRef(&device));
        let mut a = Partition::new(&shared, 0, 32).unwrap();
        let mut b = Partition::new(&shared, 32, 32).unwrap();
        b.write(0, &[2; SECTOR]).unwrap();
        device.borrow_mut().fails = Some(fails);
        let failed = if fails == "flush" { a.flush() } else { a.write_durable(0, &[1; SECTOR]) };
        assert_eq!(failed.unwrap_err().kind(), IoError::Media);
        // The device would now answer well, but is not asked.
        device.borrow_mut().fails = None;
        for result in [
            b.flush(),
            b.write(0, &[2; SECTOR]),
            b.write_durable(0, &[2; SECTOR]),
            b.discard(0, 1),
            a.flush(),
            a.write(0, &[1; SECTOR]),
        ] {
            assert_eq!(result.unwrap_err().kind(), IoError::Gone);
        }
        b.read(0, &mut [0; SECTOR]).unwrap();
        // Opened anew.
        let shared = SharedDevice::new(shared.into_inner());
        (&shared).flush().unwrap();
    }
}

#[test]
fn a_failed_write_harms_its_own_sectors_alone() {
    let device = RefCell::new(Noting::new(PAGES));
    let shared = SharedDevice::new(ByRef(&device));
    device.borrow_mut().fails = Some("write");
    assert_eq!((&shared).write(0, &[1; SECTOR]).unwrap_err().kind(), IoError::Media);
    device.borrow_mut().fails = None;
    (&shared).write(0, &[1; SECTOR]).unwrap();
    (&shared).flush().unwrap();
}

/// A device that the test keeps a hand on.
struct ByRef<'a>(&'a RefCell<Noting>);

impl BlockDevice for ByRef<'_> {
    type Error = IoError;

    fn geometry(&self) -> Geometry {
        self.0.borrow().geometry()
    }
    fn read(&mut self, lba: u64, buf: &mut [u8]) -> Result<(), IoError> {
        self.0.borrow_mut().read(lba, buf)
    }
    fn write(&mut self, lba: u64, buf: &[u8]) -> Result<(), IoError> {
        self.0.borrow_mut().write(lba, buf)
    }
    fn flush(&mut self) -> Result<(), IoError> {
        self.0.borrow_mut().flush()
    }
    fn write_durable(&mut self, lba: u64, buf: &[u8]) -> Result<(), IoError> {
        self.0.borrow_mut().write_durable(lba, buf)
    }
    fn discard(&mut self, lba: u64, sectors: u64) -> Result<(), IoError> {
        self.0.borrow_mut().discard(lba, sectors)
    }
}

// --- a bounce buffer ---------------------------------------------------------------------------------------

/// A device with a DMA engine that needs whole cache lines.
const DMA: Geometry = Geometry { buffer_alignment: 64, ..PAGES };

/// Memory of so many sectors that begins one byte behind an aligned address.
fn misaligned(memory: &mut [u8], sectors: usize) -> &mut [u8] {
    let skip = memory.as_ptr().align_offset(64) + 1;
    &mut memory[skip..skip + sectors * SECTOR]
}

#[test]
fn any_buffer_is_served_through_the_lent_one() {
    let mut lent = vec![0; 2 * SECTOR + 63];
    let mut bounce = Bounce::for_alignment(Noting::new(DMA), &mut lent).unwrap();
    assert_eq!(bounce.geometry(), Geometry { buffer_alignment: 1, ..DMA });
    let mut memory = vec![0; 6 * SECTOR];
    let buf = misaligned(&mut memory, 5);
    for (at, byte) in buf.iter_mut().enumerate() {
        *byte = (at * 31 % 251) as u8;
    }
    let written = buf.to_vec();
    bounce.write(10, buf).unwrap();
    buf.fill(0);
    bounce.read(10, buf).unwrap();
    assert!(*buf == written);
    let noted = bounce.into_inner().noted;
    assert_eq!(noted[..3], [("write", 10, 2), ("write", 12, 2), ("write", 14, 1)]);
    assert_eq!(noted[3..], [("read", 10, 2), ("read", 12, 2), ("read", 14, 1)]);
}

#[test]
fn an_aligned_buffer_goes_straight_through_unless_the_region_is_meant() {
    let mut memory = vec![0; 8 * SECTOR + 63];
    let skip = memory.as_ptr().align_offset(64);
    let buf = &mut memory[skip..skip + 8 * SECTOR];
    let mut lent = vec![0; 2 * SECTOR + 63];
    let mut bounce = Bounce::for_alignment(Noting::new(DMA), &mut lent).unwrap();
    bounce.write(8, buf).unwrap();
    bounce.read(8, buf).unwrap();
    bounce.write_durable(8, buf).unwrap();
    assert_eq!(bounce.into_inner().noted, [("write", 8, 8), ("read", 8, 8), ("durable", 8, 8)]);
    let mut bounce = Bounce::for_region(Noting::new(DMA), &mut lent).unwrap();
    bounce.write(8, &buf[..2 * SECTOR]).unwrap();
    bounce.write_durable(8, &buf[..2 * SECTOR]).unwrap();
    bounce.write(8, buf).unwrap();
    let noted = bounce.into_inner().noted;
    assert_eq!(noted[..2], [("write", 8, 2), ("durable", 8, 2)]);
    assert_eq!(noted[2..], [8, 10, 12, 14].map(|lba| ("write", lba, 2)));
}

#[test]
fn writes_are_cut_at_tear_units_where_the_buffer_holds_one() {
    // Two units, and a rest that is no unit.
    let mut lent = vec![0; 20 * SECTOR + 63];
    let mut bounce = Bounce::for_region(Noting::new(DMA), &mut lent).unwrap();
    bounce.write(3, &[7; 40 * SECTOR]).unwrap();
    assert_eq!(bounce.into_inner().noted, [("write", 3, 13), ("write", 16, 16), ("write", 32, 11)]);
}

#[test]
fn a_durable_write_that_is_cut_is_flushed() {
    let mut lent = vec![0; 2 * SECTOR + 63];
    let mut bounce = Bounce::for_region(Noting::new(DMA), &mut lent).unwrap();
    bounce.write_durable(0, &[7; 3 * SECTOR]).unwrap();
    bounce.discard(9, 2).unwrap();
    assert_eq!(
        bounce.into_inner().noted,
        [("write", 0, 2), ("write", 2, 1), ("flush", 0, 0), ("discard", 9, 0)]
    );
}

#[test]
fn an_error_ends_a_cut_transfer() {
    let mut device = Noting::new(DMA);
    device.fails = Some("write");
    let mut lent = vec![0; SECTOR + 63];
    let mut bounce = Bounce::for_region(&mut device, &mut lent).unwrap();
    assert_eq!(bounce.write(0, &[7; 3 * SECTOR]).unwrap_err().kind(), IoError::Media);
    assert_eq!(bounce.write_durable(0, &[7; 3 * SECTOR]).unwrap_err().kind(), IoError::Media);
    assert_eq!(device.noted, [("write", 0, 1), ("write", 0, 1)]);
}

#[test]
fn requests_off_the_device_are_refused_before_a_part_of_them_is_done() {
    let mut lent = vec![0; SECTOR + 63];
    let mut bounce = Bounce::for_region(Noting::new(DMA), &mut lent).unwrap();
    let mut buf = vec![0; 2 * SECTOR];
    for lba in [99, 100, u64::MAX] {
        let beyond = Err(LayerError::Refused(IoError::OutOfBounds));
        assert_eq!(bounce.read(lba, &mut buf), beyond);
        assert_eq!(bounce.write(lba, &buf), beyond);
        assert_eq!(bounce.write_durable(lba, &buf), beyond);
    }
    assert_eq!(bounce.write(0, &buf[..100]), Err(LayerError::Refused(IoError::NotAligned)));
    assert!(bounce.into_inner().noted.is_empty());
}

#[test]
fn a_buffer_holds_an_aligned_sector_at_least() {
    let mut memory = vec![0; SECTOR + 128];
    let lent = misaligned(&mut memory, 1);
    let needed = BounceError::TooSmall { needed: 63 + SECTOR };
    assert_eq!(Bounce::for_alignment(Noting::new(DMA), lent).err(), Some(needed));
    let skip = memory.as_ptr().align_offset(64) + 1;
    assert!(Bounce::for_alignment(Noting::new(DMA), &mut memory[skip..skip + 63 + SECTOR]).is_ok());
    let wrong = Noting::new(Geometry { buffer_alignment: 3, ..DMA });
    let refused = Bounce::for_alignment(wrong, &mut memory).err();
    assert_eq!(refused, Some(BounceError::Geometry(GeometryError::BufferAlignment)));
}

#[test]
fn errors_say_what_is_wrong() {
    let texts = [
        PartitionError::Empty.to_string(),
        PartitionError::OutOfBounds { sectors: 7 }.to_string(),
        PartitionError::Start { tear_sectors: 8 }.to_string(),
        PartitionError::End { tear_sectors: 8 }.to_string(),
        BounceError::TooSmall { needed: 600 }.to_string(),
        LayerError::<IoError>::Refused(IoError::Gone).to_string(),
        LayerError::Device(IoError::Media).to_string(),
    ];
    for (text, word) in texts.iter().zip(["no sectors", "7", "first sector", "end", "600", "gone", "medium"])
    {
        assert!(text.contains(word), "{text}");
    }
}
