//! Disks whose power can be cut.
//!
//! ```text
//!   write 1   write 2   ...   write n   | cut       every later request
//!   whole     whole           whole     | half      Gone, until the power is restored
//! ```

use crate::disks::{self, Contents};
use core::cell::Cell;
use dynamicfs_hal::{BlockDevice, Geometry, IoError, RamDisk, SerialArray};

/// What goes out when the power is cut.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Victim {
    /// The whole board: no disk answers any more.
    Board,
    /// One disk; the others continue.
    Disk(usize),
}

#[derive(Clone, Copy)]
enum Supply {
    Steady,
    /// Writes of the victim that are still done before its power goes.
    Failing(Victim, u32),
    Cut(Victim),
}

/// The power supply that all disks of a board share.
pub struct Power(Cell<Supply>);

impl Power {
    /// A supply that does not fail.
    pub const fn new() -> Self {
        Self(Cell::new(Supply::Steady))
    }

    /// Cuts the victim's power in the middle of its write number `writes`, counted from 0.
    pub fn cut_in_write(&self, victim: Victim, writes: u32) {
        self.0.set(Supply::Failing(victim, writes));
    }

    /// Cuts the victim's power now.
    pub fn cut(&self, victim: Victim) {
        self.0.set(Supply::Cut(victim));
    }

    /// Restores the power; whether it had been cut.
    pub fn restore(&self) -> bool {
        matches!(self.0.replace(Supply::Steady), Supply::Cut(_))
    }

    fn check(&self, disk: usize) -> Result<(), IoError> {
        match self.0.get() {
            Supply::Cut(victim) if victim.is(disk) => Err(IoError::Gone),
            _ => Ok(()),
        }
    }

    /// Counts a write; whether the power goes out in it.
    fn goes_out_in_write(&self, disk: usize) -> bool {
        match self.0.get() {
            Supply::Failing(victim, 0) if victim.is(disk) => {
                self.0.set(Supply::Cut(victim));
                true
            }
            Supply::Failing(victim, writes) if victim.is(disk) => {
                self.0.set(Supply::Failing(victim, writes - 1));
                false
            }
            _ => false,
        }
    }
}

impl Default for Power {
    fn default() -> Self {
        Self::new()
    }
}

impl Victim {
    fn is(self, disk: usize) -> bool {
        self == Self::Board || self == Self::Disk(disk)
    }
}

/// A disk that depends on the supply.
pub struct PoweredDisk<'d> {
    ram: RamDisk<&'d mut [u8]>,
    number: usize,
    power: &'d Power,
}

/// All disks of the board.
pub type Array<'d> = SerialArray<PoweredDisk<'d>, { disks::COUNT }>;

/// The board's disks on one supply.
pub fn array<'d>(contents: &'d mut [Contents; disks::COUNT], power: &'d Power) -> Array<'d> {
    let mut number = 0..;
    SerialArray::new(contents.each_mut().map(|bytes| PoweredDisk {
        ram: RamDisk::new(&mut bytes[..], disks::SECTOR_BYTES),
        number: number.next().unwrap_or_default(),
        power,
    }))
}

impl BlockDevice for PoweredDisk<'_> {
    type Error = IoError;

    fn geometry(&self) -> Geometry {
        self.ram.geometry()
    }

    fn read(&mut self, lba: u64, buf: &mut [u8]) -> Result<(), IoError> {
        self.power.check(self.number)?;
        self.ram.read(lba, buf)
    }

    fn write(&mut self, lba: u64, buf: &[u8]) -> Result<(), IoError> {
        self.power.check(self.number)?;
        if self.power.goes_out_in_write(self.number) {
            let start = lba as usize * disks::SECTOR_BYTES as usize;
            let half = &buf[..buf.len() / 2];
            self.ram.bytes()[start..start + half.len()].copy_from_slice(half);
            return Err(IoError::Gone);
        }
        self.ram.write(lba, buf)
    }

    fn flush(&mut self) -> Result<(), IoError> {
        self.power.check(self.number)
    }
}
