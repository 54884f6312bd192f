//! Batches of requests: the language between the core and a disk array.

/// What went wrong with one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum IoError {
    /// The request was never started. Every request begins as this.
    NotExecuted,
    /// The disk does not answer any more. It stays gone until it is opened anew.
    Gone,
    /// The medium could not read or store these sectors.
    Media,
    /// What the disk itself is stored in has no room for these sectors: the filesystem below an image, the
    /// pool below a thin volume. Nothing is wrong with the disk, and the same write succeeds once there is
    /// room. For writes and flushes.
    NoSpace,
    /// The system between the caller and the disk refuses: it lacks memory or the like, or the storage of the
    /// disk has become read-only. Nothing is wrong with the disk, and the same request succeeds once the
    /// system is well.
    Refused,
    /// The disk did not answer in time; it counts as gone until it is opened anew.
    Timeout,
    /// The disk took longer for a read than the caller's [`patience`](Request::patience). It is no less well for that, and what
    /// is in the buffer means nothing.
    Late,
    /// The disk refuses writes.
    WriteProtected,
    /// The sectors lie beyond the disk's end.
    OutOfBounds,
    /// The buffer is not a whole number of sectors, or not aligned in memory.
    NotAligned,
}

impl core::fmt::Display for IoError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::NotExecuted => "not executed",
            Self::Gone => "the disk is gone",
            Self::Media => "medium error",
            Self::NoSpace => "no space in what the disk is stored in",
            Self::Refused => "refused by the system, not by the disk",
            Self::Timeout => "timeout",
            Self::Late => "given up",
            Self::WriteProtected => "write-protected",
            Self::OutOfBounds => "beyond the end of the disk",
            Self::NotAligned => "buffer not aligned to the disk's sectors",
        })
    }
}

impl core::error::Error for IoError {}

/// What one request does.
#[derive(Debug)]
pub enum Operation<'b> {
    /// Fill the buffer from the disk.
    Read(&'b mut [u8]),
    /// Write the buffer.
    Write(&'b [u8]),
    /// Write the buffer, durable when the request returns.
    WriteDurable(&'b [u8]),
    /// Make durable what was written to the disk before, also by earlier requests of the same batch.
    Flush,
    /// This many sectors are no longer needed.
    Discard(u64),
}

/// One request of a batch: an operation at a place of a disk, and what came of it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Request<'b> {
    /// The disk's index in the array.
    pub disk: usize,
    /// The first sector; 0 for a flush.
    pub lba: u64,
    /// What to do.
    pub operation: Operation<'b>,
    /// `Err(NotExecuted)` until the array has run it.
    pub result: Result<(), IoError>,
    /// How long the disk took for it, in microseconds, at least 1; 0 where the array does not measure each request. For one that
    /// was given up, how long the disk has been at it; what it takes in the end comes as an [`Outcome`].
    pub micros: u32,
    /// Microseconds after which the array may give up on a read and say [`Late`](IoError::Late), because the caller can get the
    /// bytes elsewhere; 0 for never. It counts from when the batch begins, also while the disk is at an earlier read that was given
    /// up. Without meaning for what is not a read.
    pub patience: u32,
}

impl<'b> Request<'b> {
    /// A request that has not been executed.
    pub const fn new(disk: usize, lba: u64, operation: Operation<'b>) -> Self {
        Self { disk, lba, operation, result: Err(IoError::NotExecuted), micros: 0, patience: 0 }
    }

    /// The same, given up after so many microseconds; 0 for never.
    #[must_use]
    pub const fn with_patience(self, micros: u32) -> Self {
        Self { patience: micros, ..self }
    }

    /// Reads sectors from `lba` on into `buf`.
    pub const fn read(disk: usize, lba: u64, buf: &'b mut [u8]) -> Self {
        Self::new(disk, lba, Operation::Read(buf))
    }

    /// Writes `buf` from `lba` on.
    pub const fn write(disk: usize, lba: u64, buf: &'b [u8]) -> Self {
        Self::new(disk, lba, Operation::Write(buf))
    }

    /// Flushes a disk.
    pub const fn flush(disk: usize) -> Self {
        Self::new(disk, 0, Operation::Flush)
    }

    /// Tells a disk that sectors from `lba` on are no longer needed.
    pub const fn discard(disk: usize, lba: u64, sectors: u64) -> Self {
        Self::new(disk, lba, Operation::Discard(sectors))
    }
}

/// What became of a read after it was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Outcome {
    /// The first sector.
    pub lba: u64,
    /// What the disk said in the end.
    pub result: Result<(), IoError>,
    /// Microseconds that it took.
    pub micros: u32,
}

/// A collection of requests whose capacity is the array's choice: what it can usefully have in flight at once.
pub trait Batch<'b>: Default {
    /// Requests that ever fit, at least 2.
    const CAPACITY: usize;

    /// Requests that fit into a new batch, at least 2. They are fewer than [`CAPACITY`](Self::CAPACITY) where
    /// the array, once open, finds its queue shorter than its type says.
    fn capacity() -> usize {
        Self::CAPACITY
    }

    /// Adds a request, or gives it back when the batch is full.
    fn push(&mut self, request: Request<'b>) -> Result<(), Request<'b>>;

    /// The requests, in the order they were added.
    fn requests(&mut self) -> &mut [Request<'b>];
}

impl<'b, const N: usize> Batch<'b> for heapless::Vec<Request<'b>, N> {
    const CAPACITY: usize = N;

    fn push(&mut self, request: Request<'b>) -> Result<(), Request<'b>> {
        heapless::Vec::push(self, request)
    }

    fn requests(&mut self) -> &mut [Request<'b>] {
        self
    }
}
