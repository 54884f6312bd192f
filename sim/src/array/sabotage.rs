//! Devices that break the contract on all disks at once, so that a correct core behaves as a broken one: what a
//! checker must notice. No fault atlas knows of it, and no redundancy bears it.

use super::SimArray;
use crate::disk::{IoKind, Mishap};
use dynamicfs_hal::{IoError, Operation, Request};

/// A way in which the machine below the core is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sabotage {
    /// Every flush reports success and does nothing.
    FlushesLie,
    /// Flushes in batches without a write do nothing: as if the flush before the superblocks were left out.
    DataFlushSkipped,
    /// Writes in a batch with a flush are durable at once, and earlier writes only later: as if the
    /// superblock went before the data.
    SuperblockFirst,
    /// Every seventh flush of a disk fails, and is reported as success: as if it were retried and trusted.
    FailedFlushTrusted,
    /// Every fortieth write of a disk fails half-way, and is reported as success.
    FailedWriteTrusted,
    /// Every fortieth write of a disk finds no room in what the disk is stored in, and is reported as
    /// success.
    FullTrusted,
    /// Every fortieth write of a disk is not done.
    WritesLost,
    /// Every sixtieth write of a disk goes to the sector of the write before it.
    WritesMisdirected,
    /// What is written in a batch with a flush is not flushed: as if a commit were acknowledged before its superblocks
    /// are durable.
    AcknowledgedEarly,
    /// Every fortieth read of a disk fails, and is reported as success: what the buffer holds is noise.
    FailedReadTrusted,
    /// Every fortieth read of a disk is of the sector before it.
    ReadsMisdirected,
    /// After so many writes a disk takes no more, and reports success: as if write protection was not
    /// noticed.
    RefusedWritesTrusted,
    /// After so many writes a disk answers nothing any more, and reports success: as if a timeout was not
    /// noticed.
    TimeoutTrusted,
    /// A request that takes longer than usual is reported as timed out.
    SlowGivenUp,
    /// Every discard reaches a little further back, as if blocks were discarded that are in use.
    DiscardsTooMuch,
    /// The flushes of a mount do nothing: those of a process that has not written yet.
    MountFlushSkipped,
    /// A superblock that fails on some disks is reported as written: as if its result was not looked at.
    FailedSuperblockTrusted,
}

/// Writes after which a disk refuses or falls silent: formatting and the first commits are over then.
const WRITES_BEFORE: u64 = 150;

/// Microseconds after which an impatient machine gives a request up: less than a stalled one takes, or a slow disk.
const IMPATIENT_US: u64 = 150_000;

/// Sectors before its first one that a discard reaches where it should not.
const TOO_MANY: u64 = 16;

impl SimArray {
    /// Breaks the machine in this way from now on.
    pub const fn set_sabotage(&mut self, sabotage: Sabotage) {
        self.sabotage = Some(sabotage);
    }

    /// What a broken machine does instead; `None` when it does what it should. `with_write` says whether the batch
    /// has a write, `with_flush` whether it has a flush.
    pub(super) fn sabotaged(
        &mut self,
        request: &mut Request<'_>,
        with_write: bool,
        with_flush: bool,
    ) -> Option<Result<(), IoError>> {
        let has_written = self.has_written;
        let disk = self.disks.get_mut(request.disk)?;
        let counters = disk.counters();
        let write = matches!(request.operation, Operation::Write(_));
        let flush = matches!(request.operation, Operation::Flush);
        let read = matches!(request.operation, Operation::Read(_));
        match self.sabotage? {
            Sabotage::FlushesLie if flush => Some(Ok(())),
            Sabotage::MountFlushSkipped if flush && !has_written => Some(Ok(())),
            Sabotage::FailedSuperblockTrusted if !read && disk.is_in_wait() => {
                Some(disk.run(request.lba, &mut request.operation).or(Ok(())))
            }
            Sabotage::DataFlushSkipped if flush && !with_write => Some(Ok(())),
            Sabotage::AcknowledgedEarly if flush && with_write => Some(Ok(())),
            Sabotage::SuperblockFirst => match &request.operation {
                Operation::Flush => Some(Ok(())),
                Operation::Write(bytes) if with_flush => {
                    use dynamicfs_hal::BlockDevice as _;
                    Some(disk.write_durable(request.lba, bytes))
                }
                _ => None,
            },
            Sabotage::FailedFlushTrusted if flush && counters.flushes % 7 == 6 => {
                disk.fail_next(IoKind::Flush, 1, IoError::Media);
                Some(disk.run(request.lba, &mut request.operation).or(Ok(())))
            }
            Sabotage::FailedWriteTrusted if write && counters.writes % 40 == 39 => {
                disk.fail_next(IoKind::Write, 1, IoError::Media);
                Some(disk.run(request.lba, &mut request.operation).or(Ok(())))
            }
            Sabotage::FullTrusted if write && counters.writes % 40 == 39 => {
                disk.fail_next(IoKind::Write, 1, IoError::NoSpace);
                Some(disk.run(request.lba, &mut request.operation).or(Ok(())))
            }
            Sabotage::WritesLost if write && counters.writes % 40 == 39 => {
                disk.mishap_next(IoKind::Write, 1, Mishap::Lie);
                Some(disk.run(request.lba, &mut request.operation))
            }
            Sabotage::WritesMisdirected if write && counters.writes % 60 == 59 => {
                disk.mishap_next(IoKind::Write, 1, Mishap::Misdirect(request.lba.saturating_sub(1)));
                Some(disk.run(request.lba, &mut request.operation))
            }
            Sabotage::FailedReadTrusted if read && counters.reads % 40 == 39 => {
                disk.fail_next(IoKind::Read, 1, IoError::Media);
                Some(disk.run(request.lba, &mut request.operation).or(Ok(())))
            }
            Sabotage::ReadsMisdirected if read && counters.reads % 40 == 39 => {
                disk.mishap_next(IoKind::Read, 1, Mishap::Misdirect(request.lba.saturating_sub(1)));
                Some(disk.run(request.lba, &mut request.operation))
            }
            Sabotage::RefusedWritesTrusted if counters.writes >= WRITES_BEFORE => {
                disk.set_read_only(true);
                Some(disk.run(request.lba, &mut request.operation).or_else(|error| match error {
                    IoError::WriteProtected => Ok(()),
                    error => Err(error),
                }))
            }
            Sabotage::TimeoutTrusted if counters.writes >= WRITES_BEFORE && !read => Some(Ok(())),
            Sabotage::DiscardsTooMuch => match &mut request.operation {
                Operation::Discard(sectors) => {
                    let more = TOO_MANY.min(request.lba);
                    Some(disk.run(request.lba - more, &mut Operation::Discard(*sectors + more)))
                }
                _ => None,
            },
            Sabotage::SlowGivenUp => {
                let before = disk.busy_micros();
                let done = disk.run(request.lba, &mut request.operation);
                let is_late = disk.busy_micros() - before >= IMPATIENT_US;
                Some(if is_late { Err(IoError::Timeout) } else { done })
            }
            _ => None,
        }
    }
}
