//! The device that logs what fails below it.

use std::sync::Mutex;

use dynamicfs_hal::{BlockDevice, Geometry, IoError, Logged, RamDisk};

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Collecting;

impl log::Log for Collecting {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }
    fn log(&self, record: &log::Record<'_>) {
        assert_eq!(record.level(), log::Level::Warn);
        LINES.lock().unwrap().push(record.args().to_string());
    }
    fn flush(&self) {}
}

/// A disk on which nothing works.
struct Broken;

impl BlockDevice for Broken {
    type Error = IoError;

    fn geometry(&self) -> Geometry {
        Geometry::new(512, 8)
    }
    fn read(&mut self, _: u64, _: &mut [u8]) -> Result<(), IoError> {
        Err(IoError::Media)
    }
    fn write(&mut self, _: u64, _: &[u8]) -> Result<(), IoError> {
        Err(IoError::WriteProtected)
    }
    fn flush(&mut self) -> Result<(), IoError> {
        Err(IoError::Timeout)
    }
    fn discard(&mut self, _: u64, _: u64) -> Result<(), IoError> {
        Err(IoError::Refused)
    }
}

#[test]
fn what_fails_is_logged_and_nothing_else() {
    log::set_logger(&Collecting).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    let mut well = Logged::new(RamDisk::new([0; 4096], 512), "card 0");
    well.write(0, &[1; 512]).unwrap();
    well.write_durable(0, &[1; 512]).unwrap();
    well.read(0, &mut [1; 512]).unwrap();
    well.flush().unwrap();
    well.discard(0, 1).unwrap();
    assert_eq!(well.geometry(), well.into_inner().geometry());
    assert!(LINES.lock().unwrap().is_empty());

    let mut broken = Logged::new(Broken, "card 1");
    assert_eq!(broken.read(3, &mut [0; 1024]), Err(IoError::Media));
    assert_eq!(broken.write(4, &[0; 512]), Err(IoError::WriteProtected));
    assert_eq!(broken.write_durable(5, &[0; 512]), Err(IoError::WriteProtected));
    assert_eq!(broken.flush(), Err(IoError::Timeout));
    assert_eq!(broken.discard(6, 2), Err(IoError::Refused));
    let lines = LINES.lock().unwrap();
    let begins = [
        "card 1: read of 2 sectors at 3 failed: medium error (Media)",
        "card 1: write of 1 sectors at 4 failed: write-protected (WriteProtected)",
        "card 1: durable write of 1 sectors at 5 failed: write-protected (WriteProtected)",
        "card 1: flush failed: timeout (Timeout)",
        "card 1: discard of 2 sectors at 6 failed: refused by the system, not by the disk (Refused)",
    ];
    assert_eq!(*lines, begins);
}
