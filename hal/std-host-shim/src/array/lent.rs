//! A disk lent to a thread of its own, for a read that the caller may give up.
//!
//! The disk and a buffer move to the thread, and come back with the answer: nothing is shared and nothing
//! borrowed. So a caller that gives up continues without them, for as long as the disk takes.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use dynamicfs_hal::{BlockDevice, DeviceError, Geometry, IoError};

use super::sync::DRIVER_STACK_BYTES;

/// A thread that reads from the disk it is lent.
#[derive(Debug)]
pub(super) struct Reader<D> {
    loans: Sender<Loan<D>>,
    answers: Receiver<Answer<D>>,
    thread: JoinHandle<()>,
}

/// How to start such a thread: known where the disk's type may be sent away for good.
pub(super) type Start<D> = fn() -> Option<Reader<D>>;

/// What is at the thread, seen from here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Away {
    pub(super) since: Instant,
    pub(super) lba: u64,
    pub(super) geometry: Geometry,
}

/// A disk and what to read from it.
#[derive(Debug)]
struct Loan<D> {
    disk: D,
    lba: u64,
    bytes: usize,
    buffer: Buffer,
}

/// The disk back, with what it said.
#[derive(Debug)]
pub(super) struct Answer<D> {
    pub(super) disk: D,
    pub(super) result: Result<(), IoError>,
    pub(super) took: Duration,
    pub(super) buffer: Buffer,
}

/// Memory that a disk reads into, aligned as it wants it.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    memory: Vec<u8>,
    start: usize,
    bytes: usize,
}

impl Buffer {
    /// What was read.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.memory[self.start..self.start + self.bytes]
    }

    fn make_room(&mut self, bytes: usize, alignment: usize) -> &mut [u8] {
        let needed = bytes + alignment - 1;
        if self.memory.len() < needed {
            self.memory.resize(needed, 0);
        }
        (self.start, self.bytes) = (self.memory.as_ptr().align_offset(alignment), bytes);
        &mut self.memory[self.start..self.start + bytes]
    }
}

impl<D: BlockDevice + Send + 'static> Reader<D> {
    /// Starts a thread, if the system allows one more.
    pub(super) fn start() -> Option<Self> {
        let (loans, lent) = channel();
        let (answer, answers) = channel();
        let serve = move || {
            while let Ok(loan) = lent.recv() {
                // The lender may be gone: then it ends here.
                if answer.send(read(loan)).is_err() {
                    return;
                }
            }
        };
        let thread =
            Builder::new().name("disk-read".into()).stack_size(DRIVER_STACK_BYTES).spawn(serve).ok()?;
        Some(Self { loans, answers, thread })
    }
}

impl<D> Reader<D> {
    /// Lends the disk for a read of so many bytes; gives it back if the thread is gone.
    pub(super) fn lend(&self, disk: D, lba: u64, bytes: usize, buffer: Buffer) -> Result<(), D> {
        self.loans.send(Loan { disk, lba, bytes, buffer }).map_err(|refused| refused.0.disk)
    }

    /// Waits for the disk, at most so long, or as long as it takes. `None` if it is not back yet, an error if
    /// its driver has panicked.
    pub(super) fn wait(&self, patience: Option<Duration>) -> Result<Option<Answer<D>>, Panicked> {
        let answer = match patience {
            Some(patience) => self.answers.recv_timeout(patience),
            None => self.answers.recv().map_err(Into::into),
        };
        match answer {
            Ok(answer) => Ok(Some(answer)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(Panicked),
        }
    }

    /// Ends the thread: with the panic of the driver if there was one.
    pub(super) fn end(self) -> std::thread::Result<()> {
        drop((self.loans, self.answers));
        self.thread.join()
    }
}

/// The thread is gone, and the disk with it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Panicked;

fn read<D: BlockDevice>(loan: Loan<D>) -> Answer<D> {
    let Loan { mut disk, lba, bytes, mut buffer } = loan;
    let alignment = disk.geometry().buffer_alignment.max(1) as usize;
    let part = buffer.make_room(bytes, alignment);
    let began = Instant::now();
    let result = disk.read(lba, part).map_err(|error| error.kind());
    Answer { disk, result, took: began.elapsed(), buffer }
}
