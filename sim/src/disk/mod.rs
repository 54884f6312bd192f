//! One simulated disk.
//!
//! ```text
//!                write ─────────┐                  ┌───────── read
//!   in flight    a request cut short by the array's fuse joins the log without an answer
//!                               ▼                  │
//!   volatile     log of unflushed writes ──▶ pages as read ──┐
//!                               │ flush                      │ a power cut resolves the
//!                               ▼                            │ log by a `CrashPolicy`
//!   durable      pristine pages ◀────────────────────────────┘
//!                overlay of faults: rotten bits, unreadable sectors; seen by reads the cache does not answer
//! ```
//!
//! A clone is a snapshot, as cheap as the log of unflushed writes is short: pages are shared (see [`crate::pages`]).

mod cache;
mod content;
mod medium;
mod outcomes;
mod power;
mod switches;
mod tear;

pub use outcomes::UnitOutcomes;
pub use power::CrashPolicy;
pub use switches::{IoKind, Mishap};

use crate::clock::Latency;
use crate::pages::Background;
use crate::rng::Rng;
use cache::Cache;
use dynamicfs_hal::{BlockDevice, Geometry, IoError, Operation, Outcome};
use medium::Medium;
use std::ops::Range;
use switches::Switches;
use tear::Fate;

/// What a disk was asked to do, failed requests included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiskCounters {
    /// Reads.
    pub reads: u64,
    /// Bytes that reads asked for.
    pub bytes_read: u64,
    /// Writes, durable ones included.
    pub writes: u64,
    /// Bytes that writes brought.
    pub bytes_written: u64,
    /// Flushes.
    pub flushes: u64,
    /// Discards.
    pub discards: u64,
}

/// A disk that can lose power and fail, all of it determined by a seed.
#[derive(Clone, Debug)]
pub struct SimDisk {
    geometry: Geometry,
    medium: Medium,
    cache: Cache,
    switches: Switches,
    counters: DiskCounters,
    latency: Latency,
    /// Microseconds that it has worked or waited for others.
    busy_us: u64,
    /// The read that the caller has given up, while the disk is at it.
    given_up: Option<GivenUp>,
    /// What became of the last one, until it is told.
    outcome: Option<Outcome>,
    /// How failed requests go wrong.
    rng: Rng,
}

/// A read that the caller has given up.
#[derive(Clone, Debug)]
pub(crate) struct GivenUp {
    /// From when to when the disk is at it, on the scale of its other work.
    pub(crate) time: Range<u64>,
    pub(crate) lba: u64,
    pub(crate) result: Result<(), IoError>,
}

/// Sectors of a discard that all become noise; of a longer one some do.
const DISCARDED_WHOLE: u64 = 64;

/// Sectors at either end of a long discard, and in each place in between, that become noise.
const DISCARDED_PIECE: u64 = 16;

/// Places in between.
const DISCARDED_BETWEEN: usize = 4;

impl SimDisk {
    /// A disk on which nothing was written: it reads as noise of this seed.
    ///
    /// # Panics
    /// When the geometry is out of its bounds.
    pub fn new(geometry: Geometry, seed: u64) -> Self {
        assert_eq!(geometry.check(), Ok(()), "a simulated disk keeps to the bounds of a geometry");
        let rng = Rng::new(seed).fork("disk");
        let medium = Medium::new(geometry.sector_bytes, geometry.sectors, Background::Noise(seed));
        let cache = Cache::over(medium.pages.clone());
        let (switches, counters) = (Switches::default(), DiskCounters::default());
        let latency = Latency::NONE;
        Self {
            geometry,
            medium,
            cache,
            switches,
            counters,
            latency,
            busy_us: 0,
            given_up: None,
            outcome: None,
            rng,
        }
    }

    /// A place without a disk: no sectors, and every request gets [`IoError::Gone`].
    pub fn absent() -> Self {
        let mut place = Self::new(Geometry::new(512, 0), 0);
        place.switches.unplugged = true;
        place
    }

    /// What was asked of the disk so far.
    pub const fn counters(&self) -> DiskCounters {
        self.counters
    }

    /// Whether some write may still be lost in a power cut.
    pub fn has_unflushed(&self) -> bool {
        !self.cache.log().is_empty()
    }

    /// Whether something was cached when a flush failed: it can be read, and no later flush makes it durable.
    pub const fn has_doomed(&self) -> bool {
        self.cache.has_doomed()
    }

    /// Sets how long requests take from now on.
    pub const fn set_latency(&mut self, latency: Latency) {
        self.latency = latency;
    }

    /// How long requests take.
    pub const fn latency(&self) -> Latency {
        self.latency
    }

    /// Microseconds until which the disk is busy, counted from when it was made.
    pub(crate) const fn busy_micros(&self) -> u64 {
        self.busy_us
    }

    /// The disk did nothing until then.
    pub(crate) fn idle_until(&mut self, micros: u64) {
        self.busy_us = self.busy_us.max(micros);
    }

    /// Does not answer a read: [`Late`](IoError::Late).
    pub(crate) fn be_late(&mut self, operation: &mut Operation<'_>) -> Result<(), IoError> {
        if let Operation::Read(buf) = operation {
            self.spoil(buf);
        }
        Err(IoError::Late)
    }

    /// The read that was given up, which the disk is not through with.
    pub(crate) fn still_at(&self) -> Option<&GivenUp> {
        self.given_up.as_ref().filter(|read| read.time.end > self.busy_us)
    }

    /// The caller gave up on this read, at that time. The bytes come to a buffer that is not used any more.
    pub(crate) fn give_up(&mut self, read: GivenUp, at: u64) {
        self.given_up = Some(read);
        self.busy_us = at;
    }

    /// What became of a read that was given up, if the disk is through with it at this time.
    pub(crate) fn take_outcome(&mut self, now: u64) -> Option<Outcome> {
        self.notice(now);
        self.outcome.take()
    }

    /// The disk is through with what was given up if it is by this time.
    fn notice(&mut self, now: u64) {
        if let Some(GivenUp { time, lba, result }) = self.given_up.take_if(|read| read.time.end <= now) {
            let micros = u32::try_from(time.end - time.start).unwrap_or(u32::MAX);
            self.outcome = Some(Outcome { lba, result, micros });
        }
    }

    /// Fills the buffer of a read that was not answered: a caller that uses it must notice.
    fn spoil(&mut self, buf: &mut [u8]) {
        self.rng.fill(buf);
    }

    /// Runs one operation, after what it may still be at.
    pub fn run(&mut self, lba: u64, operation: &mut Operation<'_>) -> Result<(), IoError> {
        let free = self.given_up.as_ref().map_or(0, |read| read.time.end);
        self.busy_us = self.busy_us.max(free);
        self.notice(self.busy_us);
        self.busy_us += self.latency.of(operation);
        match operation {
            Operation::Read(buf) => self.read(lba, buf),
            Operation::Write(buf) => self.write(lba, buf),
            Operation::WriteDurable(buf) => self.write_durable(lba, buf),
            Operation::Flush => self.flush(),
            Operation::Discard(sectors) => self.discard(lba, *sectors),
        }
    }

    /// The power goes while this operation is in flight. The [`CrashPolicy`] decides about its write or
    /// discard, whatever the disk promises for acknowledged ones. A flush had not reached the medium, as far
    /// as that decision goes.
    pub fn interrupt(&mut self, lba: u64, operation: &Operation<'_>) {
        match operation {
            Operation::Write(bytes) | Operation::WriteDurable(bytes) => {
                if self.begin_write(lba, bytes).is_ok() {
                    self.cache.write(self.address(lba), bytes);
                }
            }
            Operation::Discard(sectors) => {
                if self.begin(lba, *sectors).is_ok() && !self.switches.read_only {
                    for (lba, noise) in self.noise(lba, *sectors) {
                        self.cache.write(self.address(lba), &noise);
                    }
                }
            }
            Operation::Read(_) | Operation::Flush => {}
        }
    }

    fn address(&self, lba: u64) -> u64 {
        lba * u64::from(self.geometry.sector_bytes)
    }

    /// Whether the disk answers and has these sectors.
    fn begin(&self, lba: u64, sectors: u64) -> Result<(), IoError> {
        if !self.switches.answers() {
            return Err(IoError::Gone);
        }
        match lba.checked_add(sectors) {
            Some(end) if end <= self.geometry.sectors => Ok(()),
            _ => Err(IoError::OutOfBounds),
        }
    }

    fn begin_buffer(&self, lba: u64, buf: &[u8]) -> Result<(), IoError> {
        let sector_bytes = self.geometry.sector_bytes as usize;
        if !buf.len().is_multiple_of(sector_bytes)
            || !buf.as_ptr().addr().is_multiple_of(self.geometry.buffer_alignment as usize)
        {
            return Err(IoError::NotAligned);
        }
        self.begin(lba, (buf.len() / sector_bytes) as u64)
    }

    fn begin_write(&self, lba: u64, bytes: &[u8]) -> Result<(), IoError> {
        self.begin_buffer(lba, bytes)?;
        if self.switches.read_only { Err(IoError::WriteProtected) } else { Ok(()) }
    }

    /// Where a misdirected request of this length really goes.
    fn misdirected(&self, lba: u64, to: u64, bytes: usize) -> u64 {
        let sectors = bytes as u64 / u64::from(self.geometry.sector_bytes);
        if self.begin(to, sectors).is_ok() { to } else { lba }
    }

    /// A request that takes long; where it goes all the same.
    const fn stall(&mut self, lba: u64, micros: u64) -> u64 {
        self.busy_us += micros;
        lba
    }

    /// What a machine would read of whole sectors, wherever its buffer is and whether the disk answers or not; false where it
    /// would read nothing.
    pub(crate) fn sight(&self, at: u64, buf: &mut [u8]) -> bool {
        at + buf.len() as u64 <= self.geometry.bytes()
            && self.read_sectors(at / u64::from(self.geometry.sector_bytes), buf).is_ok()
    }

    /// Reads through the cache and the medium's faults.
    fn read_sectors(&self, lba: u64, buf: &mut [u8]) -> Result<(), IoError> {
        let at = self.address(lba);
        self.cache.pages.read(at, buf);
        if self.medium.is_sound() {
            return Ok(());
        }
        let sectors = buf.len() as u64 / u64::from(self.geometry.sector_bytes);
        let mut unreadable = self.medium.unreadable(lba..lba + sectors);
        if unreadable.any(|lba| !self.cache.holds(self.address(lba))) {
            return Err(IoError::Media);
        }
        for (rotten, bits) in self.medium.rot(at..at + buf.len() as u64) {
            if !self.cache.holds(rotten) {
                buf[(rotten - at) as usize] ^= bits;
            }
        }
        Ok(())
    }

    /// Each tear unit of a write that fails is left old, new or damaged.
    fn botch(&mut self, lba: u64, bytes: &[u8]) {
        const FATES: [Fate; 6] = [Fate::Old, Fate::New, Fate::Left, Fate::Right, Fate::Mixed, Fate::Garbage];
        let (cut, start) = (self.cut(), self.address(lba));
        let mut done = 0;
        while done < bytes.len() {
            let at = start + done as u64;
            let length = ((cut.unit_bytes - at % cut.unit_bytes) as usize).min(bytes.len() - done);
            let fate = *self.rng.pick(&FATES);
            let piece = cut.piece(at, &bytes[done..done + length]);
            piece.suffer(fate, &mut self.cache, &mut self.rng);
            done += length;
        }
        if !self.geometry.volatile_cache {
            self.cache.settle_all(&mut self.medium);
        }
    }

    /// The sectors of a discarded range that read as noise from then on, and the noise. They are all of a
    /// short range, and the ends and some sectors between of a long one. The kept bytes of the rest are as
    /// good as any. None, where a discard does nothing.
    fn noise(&mut self, lba: u64, sectors: u64) -> Vec<(u64, Vec<u8>)> {
        let mut pieces = match sectors {
            _ if !self.geometry.discard => Vec::new(),
            0..=DISCARDED_WHOLE => vec![(lba, sectors)],
            _ => vec![(lba, DISCARDED_PIECE), (lba + sectors - DISCARDED_PIECE, DISCARDED_PIECE)],
        };
        if pieces.len() > 1 {
            for _ in 0..DISCARDED_BETWEEN {
                pieces.push((lba + self.rng.below(sectors - DISCARDED_PIECE), DISCARDED_PIECE));
            }
        }
        let bytes = self.geometry.sector_bytes as usize;
        let fill = |(lba, sectors): (u64, u64)| {
            let mut noise = vec![0; sectors as usize * bytes];
            self.rng.fill(&mut noise);
            (lba, noise)
        };
        pieces.into_iter().map(fill).collect()
    }

    fn write_sectors(&mut self, lba: u64, bytes: &[u8], durable: bool) -> Result<(), IoError> {
        self.counters.writes += 1;
        self.counters.bytes_written += bytes.len() as u64;
        self.begin_write(lba, bytes)?;
        if self.switches.meets_write(lba) {
            self.botch(lba, bytes);
            return Err(IoError::Media);
        }
        let lba = match self.switches.next(IoKind::Write) {
            Some(Mishap::Fail(error)) => {
                self.botch(lba, bytes);
                return Err(error);
            }
            Some(Mishap::Lie) => return Ok(()),
            Some(Mishap::Misdirect(to)) => self.misdirected(lba, to, bytes.len()),
            Some(Mishap::Stall(micros)) => self.stall(lba, micros),
            None => lba,
        };
        self.cache.write(self.address(lba), bytes);
        if durable || !self.geometry.volatile_cache {
            self.cache.settle_newest(&mut self.medium);
        }
        Ok(())
    }
}

impl BlockDevice for SimDisk {
    type Error = IoError;

    fn geometry(&self) -> Geometry {
        self.geometry
    }

    fn read(&mut self, lba: u64, buf: &mut [u8]) -> Result<(), IoError> {
        self.counters.reads += 1;
        self.counters.bytes_read += buf.len() as u64;
        self.begin_buffer(lba, buf)?;
        let result = match self.switches.next(IoKind::Read) {
            Some(Mishap::Fail(error)) => Err(error),
            Some(Mishap::Lie) => {
                self.rng.fill(buf);
                Ok(())
            }
            Some(Mishap::Misdirect(to)) => self.read_sectors(self.misdirected(lba, to, buf.len()), buf),
            Some(Mishap::Stall(micros)) => {
                self.stall(lba, micros);
                self.read_sectors(lba, buf)
            }
            None => self.read_sectors(lba, buf),
        };
        if result.is_err() {
            self.spoil(buf);
        }
        result
    }

    fn write(&mut self, lba: u64, bytes: &[u8]) -> Result<(), IoError> {
        self.write_sectors(lba, bytes, false)
    }

    fn flush(&mut self) -> Result<(), IoError> {
        self.counters.flushes += 1;
        self.begin(0, 0)?;
        if self.switches.meets_flush() {
            self.cache.doom();
            return Err(IoError::Media);
        }
        match self.switches.next(IoKind::Flush) {
            Some(Mishap::Fail(error)) => {
                self.cache.doom();
                return Err(error);
            }
            Some(Mishap::Lie) => {}
            Some(mishap @ (Mishap::Misdirect(_) | Mishap::Stall(_))) => {
                if let Mishap::Stall(micros) = mishap {
                    self.busy_us += micros;
                }
                self.cache.flush(&mut self.medium);
            }
            None => self.cache.flush(&mut self.medium),
        }
        Ok(())
    }

    fn write_durable(&mut self, lba: u64, bytes: &[u8]) -> Result<(), IoError> {
        self.write_sectors(lba, bytes, true)
    }

    /// Discarded sectors are noise that was never written. Like a write, a discard is volatile until a flush:
    /// a power cut leaves each sector as it was, or as noise.
    fn discard(&mut self, lba: u64, sectors: u64) -> Result<(), IoError> {
        self.counters.discards += 1;
        self.begin(lba, sectors)?;
        if self.switches.read_only {
            return Err(IoError::WriteProtected);
        }
        let lba = match self.switches.next(IoKind::Discard) {
            Some(Mishap::Fail(error)) => {
                for (lba, noise) in self.noise(lba, sectors) {
                    self.botch(lba, &noise);
                }
                return Err(error);
            }
            Some(Mishap::Lie) => return Ok(()),
            Some(Mishap::Misdirect(to)) if self.begin(to, sectors).is_ok() => to,
            Some(Mishap::Stall(micros)) => self.stall(lba, micros),
            Some(Mishap::Misdirect(_)) | None => lba,
        };
        for (lba, noise) in self.noise(lba, sectors) {
            self.cache.write(self.address(lba), &noise);
            if !self.geometry.volatile_cache {
                self.cache.settle_newest(&mut self.medium);
            }
        }
        Ok(())
    }
}
