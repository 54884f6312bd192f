//! One place in the array: a disk or none, here or lent to a thread.

use std::panic::resume_unwind;
use std::time::{Duration, Instant};

use dynamicfs_hal::{BlockDevice, DeviceError, Geometry, IoError, Operation, Outcome, Request};

use super::latency::Latency;
use super::lent::{Answer, Away, Buffer, Panicked, Reader, Start};

/// What a place without a disk is like.
const NO_DISK: Geometry = Geometry::new(512, 0);

/// A disk, or none, and what its requests take.
#[derive(Debug)]
pub(super) struct Place<D> {
    /// The disk while it is here.
    disk: Option<D>,
    /// Since when it is at its thread: at a read that was given up, but for the time in which a batch waits for it.
    away: Option<Away>,
    /// Its thread, started when it is first needed.
    reader: Option<Reader<D>>,
    buffer: Buffer,
    /// What became of the last read that was given up, until it is asked for.
    outcome: Option<Outcome>,
    pub(super) latency: Latency,
}

impl<D: BlockDevice> Place<D> {
    pub(super) fn new(disk: Option<D>) -> Self {
        let (buffer, latency) = (Buffer::default(), Latency::default());
        Self { disk, away: None, reader: None, buffer, outcome: None, latency }
    }

    /// What the disk is like, also while it is away.
    pub(super) fn geometry(&self) -> Geometry {
        let here = self.disk.as_ref().map(BlockDevice::geometry);
        here.or(self.away.map(|away| away.geometry)).unwrap_or(NO_DISK)
    }

    /// The disk, once it is through with what was given up.
    pub(super) fn disk(&mut self) -> &mut Option<D> {
        self.settle(None);
        &mut self.disk
    }

    /// Runs a request and sets its result, once the disk is through with what was given up. A place without a disk is gone.
    pub(super) fn run(&mut self, request: &mut Request<'_>) {
        self.settle(None);
        let Some(disk) = &mut self.disk else {
            request.result = Err(IoError::Gone);
            return;
        };
        let lba = request.lba;
        let began = Instant::now();
        let result = match &mut request.operation {
            Operation::Read(buf) => disk.read(lba, buf),
            Operation::Write(buf) => disk.write(lba, buf),
            Operation::WriteDurable(buf) => disk.write_durable(lba, buf),
            Operation::Flush => disk.flush(),
            Operation::Discard(sectors) => disk.discard(lba, *sectors),
        };
        let took = began.elapsed();
        self.latency.observe(&request.operation, took);
        request.micros = micros(took);
        request.result = result.map_err(|error| error.kind());
    }

    // --- reads that may be given up ---------------------------------------------------------------------------

    /// Whether the disk is still at a read that was given up.
    pub(super) const fn is_away(&self) -> bool {
        self.away.is_some()
    }

    /// Whether the disk is here, or comes back in so long from a read that was given up.
    pub(super) fn comes_back(&mut self, patience: Duration) -> bool {
        self.settle(Some(patience));
        !self.is_away()
    }

    /// Lends the disk to its thread for a read; false if it is not here, or there is no thread.
    pub(super) fn begin(&mut self, request: &Request<'_>, start: Start<D>) -> bool {
        self.settle(Some(Duration::ZERO));
        let Operation::Read(buf) = &request.operation else { return false };
        let Some(disk) = self.disk.take() else { return false };
        if self.reader.is_none() {
            self.reader = start();
        }
        let away = Away { since: Instant::now(), lba: request.lba, geometry: disk.geometry() };
        let lent = match &self.reader {
            Some(reader) => reader.lend(disk, request.lba, buf.len(), std::mem::take(&mut self.buffer)),
            None => Err(disk),
        };
        match lent {
            Ok(()) => self.away = Some(away),
            Err(disk) => self.disk = Some(disk),
        }
        self.is_away()
    }

    /// Ends a read: with what the disk says, if it does so in as long as is `left` of the caller's patience. `None` is for a read
    /// that has not [begun](Self::begin).
    pub(super) fn end(&mut self, request: &mut Request<'_>, left: Option<Duration>) {
        let Some(away) = self.away else { return self.run(request) };
        let Some((result, took)) = left.and_then(|left| self.take_back(Some(left))) else {
            request.micros = micros(away.since.elapsed());
            request.result = Err(IoError::Late);
            return;
        };
        if let (Operation::Read(buf), Ok(())) = (&mut request.operation, result) {
            buf.copy_from_slice(self.buffer.bytes());
        }
        request.micros = micros(took);
        request.result = result;
    }

    /// What became of a read that was given up, if it is known by now.
    pub(super) fn take_outcome(&mut self) -> Option<Outcome> {
        self.settle(Some(Duration::ZERO));
        self.outcome.take()
    }

    /// Takes a disk back from an abandoned read, if it comes back within this time, or whenever it does.
    /// Remembers the outcome of the read.
    fn settle(&mut self, patience: Option<Duration>) {
        let Some(Away { lba, .. }) = self.away else { return };
        if let Some((result, took)) = self.take_back(patience) {
            self.outcome = Some(Outcome { lba, result, micros: micros(took) });
        }
    }

    /// Takes the disk back if it comes back within this time, or whenever it does. Returns the result of its
    /// read, and how long that took.
    fn take_back(&mut self, patience: Option<Duration>) -> Option<(Result<(), IoError>, Duration)> {
        self.away?;
        match self.reader.as_ref()?.wait(patience) {
            Ok(answer) => answer.map(|answer| self.come_back(answer)),
            Err(Panicked) => self.pass_panic_on(),
        }
    }

    fn come_back(&mut self, answer: Answer<D>) -> (Result<(), IoError>, Duration) {
        let Answer { disk, result, took, buffer } = answer;
        self.latency.observe_read(buffer.bytes().len(), took);
        (self.disk, self.away, self.buffer) = (Some(disk), None, buffer);
        (result, took)
    }

    /// The driver's panic reaches the next caller that asks for the disk, which is gone.
    fn pass_panic_on(&mut self) -> ! {
        self.away = None;
        match self.reader.take().map(Reader::end) {
            Some(Err(panic)) => resume_unwind(panic),
            _ => unreachable!("a reader ends by a panic alone while it is wanted"),
        }
    }
}

fn micros(took: Duration) -> u32 {
    u32::try_from(took.as_micros()).unwrap_or(u32::MAX).max(1)
}
