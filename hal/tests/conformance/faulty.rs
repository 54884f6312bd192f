//! A disk in memory that does one thing wrong.

use std::cell::Cell;

use dynamicfs_hal::{BlockDevice, Geometry, IoError};

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Nothing,
    /// A write of several sectors leaves the last one out.
    LastSectorLeftOut,
    /// A write ends after so many bytes.
    CutAfter(usize),
    /// Only so many sectors of a write arrive.
    AtMostSectors(usize),
    /// Writes of this sector do nothing.
    Deaf(u64),
    /// From this sector on, writes go to the neighbour that differs in the last bit.
    SwapsNeighboursFrom(u64),
    /// All writes go one sector too far.
    OneTooFar,
    /// Buffers must have this alignment; others are refused.
    Refuses(usize),
    /// Buffers must have this alignment; others are taken to begin at the address below.
    RoundsAddress(usize),
    /// The sector that was read last is kept, and given again also after a write.
    KeepsLastRead,
    /// Writes are kept until the flush, which drops those of this sector.
    FlushDrops(u64),
    /// Sectors from here on fail.
    FailsFrom(u64),
    /// Sectors from here on take anything and give zeros.
    VoidFrom(u64),
    /// Sectors from here on are the first ones again.
    WrapsAt(u64),
    /// After so many operations it has another size.
    Shrinks(u32),
    /// A read leaves the last bytes of the buffer alone.
    ReadEndsEarly(usize),
    /// A read of several sectors fills the first one.
    ReadsOne,
    /// Every so many reads a bit is wrong.
    Flaky(u32),
    /// A bit of this sector's bytes cannot be stored.
    StuckBit(u64),
    /// A discard takes whole groups of four sectors.
    DiscardsGroups,
    /// A discard is done by the next flush.
    DiscardsLate,
    /// Sectors beyond the end are clamped into the disk.
    ClampsBeyond,
    /// Addresses are cut to 32 bits before anything is checked.
    Cuts32,
    /// Reads beyond the end are checked; writes are not, and do nothing.
    IgnoresWritesBeyond,
    /// Discards beyond the end are not refused.
    DiscardsBeyond,
}

/// The disk.
pub(crate) struct Faulty {
    pub(crate) fault: Fault,
    pub(crate) geometry: Geometry,
    memory: Vec<u8>,
    cached: Vec<(u64, Vec<u8>)>,
    discarded: Vec<(u64, u64)>,
    last_read: Option<(u64, Vec<u8>)>,
    operations: Cell<u32>,
}

impl Faulty {
    pub(crate) fn new(fault: Fault, geometry: Geometry) -> Self {
        let memory = (0..geometry.bytes()).map(|at| (at * 7 % 251) as u8).collect();
        let (cached, discarded) = (Vec::new(), Vec::new());
        Self { fault, geometry, memory, cached, discarded, last_read: None, operations: Cell::new(0) }
    }

    fn sector_bytes(&self) -> usize {
        self.geometry.sector_bytes as usize
    }

    /// Holds the bounds, or does not; where the sector is found.
    fn begin(&self, lba: u64, buf: &[u8], writes: bool) -> Result<Option<u64>, IoError> {
        self.operations.set(self.operations.get() + 1);
        let lba = if self.fault == Fault::Cuts32 { lba & 0xffff_ffff } else { lba };
        if let Fault::Refuses(alignment) = self.fault
            && !buf.as_ptr().addr().is_multiple_of(alignment)
        {
            return Err(IoError::NotAligned);
        }
        // Without the alignment, which some faults mistreat.
        match (Geometry { buffer_alignment: 1, ..self.geometry }.check_buffer(lba, buf), self.fault) {
            (Err(IoError::OutOfBounds), Fault::ClampsBeyond) => {
                Ok(Some(lba.min(self.geometry.sectors - (buf.len() / self.sector_bytes()) as u64)))
            }
            (Err(IoError::OutOfBounds), Fault::IgnoresWritesBeyond) if writes => Ok(None),
            (Err(error), _) => Err(error),
            (Ok(()), Fault::FailsFrom(end)) if lba + (buf.len() / self.sector_bytes()) as u64 > end => {
                Err(IoError::Media)
            }
            (Ok(()), _) => Ok(Some(lba)),
        }
    }

    /// Where a sector is in the memory.
    fn place(&self, lba: u64, writes: bool) -> usize {
        let lba = match self.fault {
            Fault::WrapsAt(end) => lba % end,
            Fault::SwapsNeighboursFrom(first) if writes && lba >= first => lba ^ 1,
            Fault::OneTooFar if writes => (lba + 1) % self.geometry.sectors,
            _ => lba,
        };
        lba as usize * self.sector_bytes()
    }

    fn store(&mut self, lba: u64, sector: &[u8]) {
        match self.fault {
            Fault::Deaf(deaf) if lba == deaf => return,
            Fault::VoidFrom(end) if lba >= end => return,
            _ => {}
        }
        let at = self.place(lba, true);
        self.memory[at..at + sector.len()].copy_from_slice(sector);
        if let Fault::StuckBit(stuck) = self.fault
            && lba == stuck
        {
            self.memory[at + 100] |= 0x10;
        }
    }

    fn load(&self, lba: u64, sector: &mut [u8]) {
        if let Fault::VoidFrom(end) = self.fault
            && lba >= end
        {
            return sector.fill(0);
        }
        let at = self.place(lba, false);
        sector.copy_from_slice(&self.memory[at..at + sector.len()]);
        if let Some((_, cached)) = self.cached.iter().rev().find(|(cached, _)| *cached == lba) {
            sector.copy_from_slice(cached);
        }
    }

    fn wipe(&mut self, lbas: std::ops::Range<u64>) {
        let sector_bytes = self.sector_bytes();
        let end = lbas.end.min(self.geometry.sectors);
        self.memory[lbas.start as usize * sector_bytes..end as usize * sector_bytes].fill(0);
    }
}

/// The bytes of a DMA engine that drops the low bits of an address. The bytes below the buffer are not ours
/// to touch, so zeros stand for them.
fn rounded(bytes: &[u8], address: usize, alignment: usize) -> Vec<u8> {
    let below = address % alignment;
    [vec![0; below], bytes[..bytes.len() - below].to_vec()].concat()
}

impl BlockDevice for Faulty {
    type Error = IoError;

    fn geometry(&self) -> Geometry {
        match self.fault {
            Fault::Shrinks(after) if self.operations.get() > after => {
                Geometry { sectors: self.geometry.sectors - 1, ..self.geometry }
            }
            _ => self.geometry,
        }
    }

    fn read(&mut self, lba: u64, buf: &mut [u8]) -> Result<(), IoError> {
        let Some(lba) = self.begin(lba, buf, false)? else { return Ok(()) };
        let (sector_bytes, before) = (self.sector_bytes(), buf.to_vec());
        if let Fault::KeepsLastRead = self.fault
            && let Some((kept, bytes)) = &self.last_read
            && *kept == lba
            && bytes.len() == buf.len()
        {
            buf.copy_from_slice(bytes);
            return Ok(());
        }
        for (lba, sector) in (lba..).zip(buf.chunks_mut(sector_bytes)) {
            self.load(lba, sector);
        }
        self.last_read = Some((lba, buf.to_vec()));
        let kept = match self.fault {
            Fault::ReadEndsEarly(bytes) => buf.len() - bytes,
            Fault::ReadsOne => sector_bytes,
            _ => buf.len(),
        };
        buf[kept..].copy_from_slice(&before[kept..]);
        match self.fault {
            Fault::RoundsAddress(alignment) => {
                let moved = rounded(buf, buf.as_ptr().addr(), alignment);
                buf.copy_from_slice(&moved);
            }
            Fault::Flaky(every) if self.operations.get().is_multiple_of(every) => buf[200] ^= 4,
            _ => {}
        }
        Ok(())
    }

    fn write(&mut self, lba: u64, buf: &[u8]) -> Result<(), IoError> {
        let Some(lba) = self.begin(lba, buf, true)? else { return Ok(()) };
        let sector_bytes = self.sector_bytes();
        let moved;
        let mut buf = buf;
        match self.fault {
            Fault::LastSectorLeftOut if buf.len() > sector_bytes => buf = &buf[..buf.len() - sector_bytes],
            Fault::CutAfter(bytes) => buf = &buf[..buf.len().min(bytes)],
            Fault::AtMostSectors(sectors) => buf = &buf[..buf.len().min(sectors * sector_bytes)],
            Fault::RoundsAddress(alignment) => {
                moved = rounded(buf, buf.as_ptr().addr(), alignment);
                buf = &moved;
            }
            _ => {}
        }
        for (lba, sector) in (lba..).zip(buf.chunks(sector_bytes)) {
            if let Fault::FlushDrops(_) = self.fault {
                self.cached.push((lba, sector.to_vec()));
            } else {
                self.store(lba, sector);
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), IoError> {
        self.operations.set(self.operations.get() + 1);
        for (lba, sectors) in std::mem::take(&mut self.discarded) {
            self.wipe(lba..lba + sectors);
        }
        for (lba, sector) in std::mem::take(&mut self.cached) {
            if self.fault != Fault::FlushDrops(lba) {
                self.store(lba, &sector);
            }
        }
        Ok(())
    }

    fn discard(&mut self, lba: u64, sectors: u64) -> Result<(), IoError> {
        if self.fault == Fault::DiscardsBeyond && self.geometry.check_range(lba, sectors).is_err() {
            return Ok(());
        }
        self.geometry.check_range(lba, sectors)?;
        if !self.geometry.discard {
            return Ok(());
        }
        match self.fault {
            Fault::DiscardsGroups => self.wipe(lba / 4 * 4..(lba + sectors).next_multiple_of(4)),
            Fault::DiscardsLate => self.discarded.push((lba, sectors)),
            _ => self.wipe(lba..lba + sectors),
        }
        Ok(())
    }
}
