//! A disk in memory whose power can be cut, and that may lie about what that does.

use dynamicfs_hal::conformance::PowerSwitch;
use dynamicfs_hal::{BlockDevice, Geometry, IoError};

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lie {
    None,
    /// A flush does nothing.
    FlushDoesNothing,
    /// A durable write is a plain one.
    DurableIsPlain,
    /// Writes are cached though the geometry says they are not.
    Caches,
    /// The unit that a cut damages is larger than stated.
    Tears(u32),
    /// A cut damages this sector too.
    DamagesAtRest(u64),
    /// After so many cuts it does not answer.
    Dies(u32),
}

/// What a torn unit reads as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Torn {
    /// Other bytes.
    Garbage,
    /// Erased flash.
    Erased,
    /// Errors.
    Unreadable,
}

/// The disk.
#[derive(Debug)]
pub(crate) struct PowerDisk {
    geometry: Geometry,
    pub(crate) lie: Lie,
    torn: Torn,
    medium: Vec<u8>,
    unreadable: Vec<bool>,
    /// Writes that are not durable, in single sectors.
    cache: Vec<(u64, Vec<u8>)>,
    /// Sectors until the power goes; it is off at zero.
    left: Option<u32>,
    cuts: u32,
    random: u64,
}

impl PowerDisk {
    pub(crate) fn new(geometry: Geometry, lie: Lie, torn: Torn) -> Self {
        let bytes = geometry.bytes() as usize;
        Self {
            geometry,
            lie,
            torn,
            medium: vec![0xff; bytes],
            unreadable: vec![false; geometry.sectors as usize],
            cache: Vec::new(),
            left: None,
            cuts: 0,
            random: 1,
        }
    }

    fn draw(&mut self, below: u64) -> u64 {
        self.random = self.random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.random >> 33) % below
    }

    /// The power goes after so many sectors.
    pub(crate) fn go_after(&mut self, sectors: u32) {
        self.left = Some(sectors);
    }

    fn caches(&self) -> bool {
        self.geometry.volatile_cache || self.lie == Lie::Caches
    }

    fn range(&self, lba: u64) -> std::ops::Range<usize> {
        let bytes = self.geometry.sector_bytes as usize;
        lba as usize * bytes..(lba as usize + 1) * bytes
    }

    fn settle(&mut self, lba: u64, sector: &[u8]) {
        let range = self.range(lba);
        self.medium[range].copy_from_slice(sector);
        self.unreadable[lba as usize] = false;
    }

    /// Damages the unit around a sector as a cut does.
    fn tear(&mut self, lba: u64) {
        let unit = match self.lie {
            Lie::Tears(bytes) => bytes,
            _ => self.geometry.tear_unit,
        };
        let unit = u64::from(unit / self.geometry.sector_bytes);
        let start = lba / unit * unit;
        for lba in start..(start + unit).min(self.geometry.sectors) {
            if self.draw(2) == 0 {
                self.damage(lba);
            }
        }
    }

    fn damage(&mut self, lba: u64) {
        match self.torn {
            Torn::Unreadable => self.unreadable[lba as usize] = true,
            Torn::Garbage => {
                let range = self.range(lba);
                self.medium[range][8..200].fill(0x11);
            }
            Torn::Erased => {
                let range = self.range(lba);
                self.medium[range].fill(0xff);
            }
        }
    }

    /// Takes the power of one sector's write; `Err` when it is gone.
    fn spend(&mut self) -> Result<(), IoError> {
        match &mut self.left {
            None => Ok(()),
            Some(0) => Err(IoError::Timeout),
            Some(left) => {
                *left -= 1;
                if *left == 0 { Err(IoError::Timeout) } else { Ok(()) }
            }
        }
    }

    fn write_all(&mut self, lba: u64, buf: &[u8], durable: bool) -> Result<(), IoError> {
        self.geometry.check_buffer(lba, buf)?;
        if self.left == Some(0) {
            return Err(IoError::Timeout);
        }
        let sector_bytes = self.geometry.sector_bytes as usize;
        for (lba, sector) in (lba..).zip(buf.chunks(sector_bytes)) {
            if let Err(error) = self.spend() {
                self.tear(lba);
                return Err(error);
            }
            if durable {
                self.cache.retain(|(cached, _)| *cached != lba);
                self.settle(lba, sector);
            } else {
                self.cache.push((lba, sector.to_vec()));
            }
        }
        Ok(())
    }
}

impl BlockDevice for PowerDisk {
    type Error = IoError;

    fn geometry(&self) -> Geometry {
        self.geometry
    }

    fn read(&mut self, lba: u64, buf: &mut [u8]) -> Result<(), IoError> {
        self.geometry.check_buffer(lba, buf)?;
        if self.left == Some(0) {
            return Err(IoError::Timeout);
        }
        let sector_bytes = self.geometry.sector_bytes as usize;
        for (lba, sector) in (lba..).zip(buf.chunks_mut(sector_bytes)) {
            match self.cache.iter().rev().find(|(cached, _)| *cached == lba) {
                Some((_, cached)) => sector.copy_from_slice(cached),
                None if self.unreadable[lba as usize] => return Err(IoError::Media),
                None => sector.copy_from_slice(&self.medium[self.range(lba)]),
            }
        }
        Ok(())
    }

    fn write(&mut self, lba: u64, buf: &[u8]) -> Result<(), IoError> {
        self.write_all(lba, buf, !self.caches())
    }

    fn flush(&mut self) -> Result<(), IoError> {
        self.spend()?;
        if self.lie == Lie::FlushDoesNothing {
            return Ok(());
        }
        for (lba, sector) in std::mem::take(&mut self.cache) {
            self.settle(lba, &sector);
        }
        Ok(())
    }

    fn write_durable(&mut self, lba: u64, buf: &[u8]) -> Result<(), IoError> {
        if self.lie == Lie::FlushDoesNothing {
            // The default of the trait.
            self.write(lba, buf)?;
            return self.flush();
        }
        self.write_all(lba, buf, self.lie != Lie::DurableIsPlain)
    }
}

/// The switch is in the disk.
pub(crate) struct Switch {
    pub(crate) disk: PowerDisk,
    /// The switch cannot be set to go by itself.
    pub(crate) by_hand: bool,
}

impl PowerSwitch for Switch {
    type Device = PowerDisk;

    fn device(&mut self) -> &mut PowerDisk {
        &mut self.disk
    }

    fn arm(&mut self, draw: u32) -> bool {
        if !self.by_hand {
            self.disk.go_after(1 + draw % 100);
        }
        !self.by_hand
    }

    fn cut(&mut self) -> Result<(), IoError> {
        let disk = &mut self.disk;
        disk.left = None;
        disk.cuts += 1;
        // Any of what was cached has arrived, and some of it was just being written.
        let most = disk.draw(16) + 1;
        for (lba, sector) in std::mem::take(&mut disk.cache) {
            match disk.draw(most) {
                0 => disk.settle(lba, &sector),
                1 if disk.lie != Lie::FlushDoesNothing || disk.draw(4) == 0 => disk.tear(lba),
                _ => {}
            }
        }
        match disk.lie {
            Lie::DamagesAtRest(lba) => disk.damage(lba),
            Lie::Dies(cuts) if disk.cuts >= cuts => return Err(IoError::Gone),
            _ => {}
        }
        Ok(())
    }
}
