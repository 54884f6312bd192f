//! What was found, and what to look at.

use core::fmt;

use crate::{Geometry, GeometryError, IoError};

/// An operation of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Step {
    /// [`BlockDevice::read`](crate::BlockDevice::read).
    Read,
    /// [`BlockDevice::write`](crate::BlockDevice::write).
    Write,
    /// [`BlockDevice::write_durable`](crate::BlockDevice::write_durable).
    WriteDurable,
    /// [`BlockDevice::flush`](crate::BlockDevice::flush).
    Flush,
    /// [`BlockDevice::discard`](crate::BlockDevice::discard).
    Discard,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::WriteDurable => "write_durable",
            Self::Flush => "flush",
            Self::Discard => "discard",
        })
    }
}

/// What is wrong with a device or its driver. Its text says where, and what to look at.
///
/// `lba` is a sector, `byte` a byte in it; rounds are those that
/// [`destroy_until_cut`](super::destroy_until_cut) reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
#[allow(missing_docs, reason = "the fields are told above, and by their names")]
pub enum Finding {
    /// The memory that was lent does not do. No fault of the device.
    NeedsMemory { bytes: usize },
    /// The device is too small to be checked.
    TooSmall { sectors: u64, needed: u64 },
    /// The geometry is out of its bounds.
    Geometry(GeometryError),
    /// The geometry is another one after an operation.
    GeometryChanged { after: Step, was: Geometry, now: Geometry },
    /// An operation failed that must not.
    Failed { step: Step, lba: u64, sectors: u64, error: IoError },
    /// Sectors at the end do not exist: only the first `works` hold what is written to them.
    CapacityTooLarge { stated: u64, works: u64 },
    /// Two sectors are the same one: what is written to `lba` is read at `same_as`.
    CapacityWraps { stated: u64, lba: u64, same_as: u64 },
    /// A request beyond the end succeeded.
    OutOfBoundsAccepted { step: Step, lba: u64, sectors: u64 },
    /// A buffer with the stated alignment is not enough; one aligned to more than `aligned` bytes is.
    UnstatedAlignment { step: Step, lba: u64, stated: u32, aligned: u32 },
    /// A buffer without the stated alignment was accepted, and the wrong bytes were transferred.
    MisalignedMishandled { step: Step, lba: u64, stated: u32, aligned: u32 },
    /// A read changed memory outside of its buffer.
    BufferOverrun { lba: u64, sectors: u64 },
    /// A read succeeded and left bytes of its buffer as they were.
    ReadNotFilled { lba: u64, byte: usize },
    /// A write succeeded and only its first `bytes` bytes arrived.
    ShortWrite { lba: u64, sectors: u64, bytes: usize },
    /// A write succeeded and nothing of it arrived.
    LostWrite { lba: u64 },
    /// A sector holds what was written to another one, `meant`.
    WrongSector { lba: u64, meant: u64 },
    /// A read gives old contents, though the new ones were written, and were read before or are read in
    /// another way.
    StaleRead { lba: u64 },
    /// Two reads of the same sector differ.
    UnsteadyRead { lba: u64, byte: usize },
    /// A sector holds neither its old nor its new contents.
    Corrupt { lba: u64, byte: usize },
    /// A discard of the `sectors` sectors at `from` changed a sector outside of them.
    DiscardDamaged { lba: u64, from: u64, sectors: u64 },
    /// A sector that was written after it had been discarded is empty.
    DiscardUndidWrite { lba: u64 },
    /// The power went after a flush had succeeded, and what had been written before the flush is not there.
    FlushLost { lba: u64, round: u32 },
    /// The power went after a durable write had succeeded, and what it wrote is not there.
    DurableWriteLost { lba: u64, round: u32 },
    /// The geometry states no volatile cache; the power went after a write had succeeded, and what it wrote
    /// is not there.
    UncachedWriteLost { lba: u64, round: u32 },
    /// A sector was damaged in a power cut though its tear unit, of `stated` bytes, was not being written.
    /// The nearest sector that was, `written`, is in the same unit of `seen` bytes.
    TornBeyondUnit { lba: u64, written: u64, stated: u32, seen: u64 },
    /// A sector was damaged in a power cut, and nothing near it was being written.
    DamagedAtRest { lba: u64 },
    /// There is nothing of [`destroy_until_cut`](super::destroy_until_cut) with this seed on the device.
    NothingToCheck,
    /// The device did not come back after a power cut.
    NotBack { error: IoError },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_what(f)?;
        match self.advice() {
            "" => Ok(()),
            advice => write!(f, ". {advice}"),
        }
    }
}

impl core::error::Error for Finding {}

impl Finding {
    /// What was wrong, and where.
    fn write_what(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NeedsMemory { bytes } => write!(f, "the kit needs {bytes} bytes of memory"),
            Self::TooSmall { sectors, needed } => {
                write!(f, "the device has {sectors} sectors, and the kit needs {needed}")
            }
            Self::Geometry(error) => write!(f, "geometry(): {error}"),
            Self::GeometryChanged { after, was, now } => {
                write!(f, "the geometry changed in a {after}, from {was:?} to {now:?}")
            }
            Self::Failed { step, lba, sectors, error } => {
                write!(f, "{step} of {sectors} sectors at {lba} failed: {error}")
            }
            Self::CapacityTooLarge { stated, works } => {
                write!(f, "of {stated} sectors only the first {works} hold what is written to them")
            }
            Self::CapacityWraps { stated, lba, same_as } => {
                write!(f, "of {stated} sectors, {lba} and {same_as} are the same one")
            }
            Self::OutOfBoundsAccepted { step, lba, sectors } => {
                write!(f, "{step} of {sectors} sectors at {lba} goes beyond the end and succeeded")
            }
            Self::UnstatedAlignment { step, lba, stated, aligned } => write!(
                f,
                "{step} at {lba} went wrong with a buffer aligned to {aligned} bytes; geometry() asks for \
                 {stated}"
            ),
            Self::MisalignedMishandled { step, lba, stated, aligned } => write!(
                f,
                "{step} at {lba} took a buffer aligned to {aligned} bytes, where geometry() asks for \
                 {stated}, and transferred the wrong bytes"
            ),
            Self::BufferOverrun { lba, sectors } => {
                write!(f, "read of {sectors} sectors at {lba} changed memory outside of its buffer")
            }
            Self::ReadNotFilled { lba, byte } => {
                write!(f, "read left byte {byte} of sector {lba} in its buffer as it was")
            }
            Self::ShortWrite { lba, sectors, bytes } => {
                write!(f, "write of {sectors} sectors at {lba} succeeded, and {bytes} bytes of it arrived")
            }
            Self::LostWrite { lba } => {
                write!(f, "write of sector {lba} succeeded, and the sector is unchanged")
            }
            Self::WrongSector { lba, meant } => {
                write!(f, "sector {lba} holds what was written to sector {meant}")
            }
            Self::StaleRead { lba } => {
                write!(
                    f,
                    "read of sector {lba} gives old contents, though the write of the new ones succeeded"
                )
            }
            Self::UnsteadyRead { lba, byte } => {
                write!(f, "two reads of sector {lba} differ, from byte {byte} on")
            }
            Self::Corrupt { lba, byte } => {
                write!(f, "sector {lba} is wrong from byte {byte} on: neither old nor new")
            }
            Self::DiscardDamaged { lba, from, sectors } => {
                write!(f, "discard of {sectors} sectors at {from} changed sector {lba}")
            }
            Self::DiscardUndidWrite { lba } => {
                write!(f, "sector {lba} was discarded, then written, and is empty")
            }
            Self::FlushLost { lba, round } => {
                write!(f, "sector {lba} lost what a flush had made durable, in round {round}")
            }
            Self::DurableWriteLost { lba, round } => {
                write!(f, "sector {lba} lost what write_durable had written, in round {round}")
            }
            Self::UncachedWriteLost { lba, round } => write!(
                f,
                "sector {lba} lost what a write had written, in round {round}, and geometry() states no \
                 volatile cache"
            ),
            Self::TornBeyondUnit { lba, written, stated, seen } => write!(
                f,
                "sector {lba} was damaged in a power cut while sector {written} was being written: \
                 tear_unit is {stated} bytes and must be {seen} at least"
            ),
            Self::DamagedAtRest { lba } => {
                write!(f, "sector {lba} was damaged in a power cut with no write near it")
            }
            Self::NothingToCheck => f.write_str("nothing of a run with this seed is on the device"),
            Self::NotBack { error } => write!(f, "the device did not come back after a power cut: {error}"),
        }
    }

    /// What to look at in the driver; empty where there is nothing to add.
    pub const fn advice(&self) -> &'static str {
        match self {
            Self::NeedsMemory { .. } | Self::TooSmall { .. } | Self::Geometry(_) | Self::NotBack { .. } => "",
            Self::GeometryChanged { .. } => "Read it from the device once, when it is opened",
            Self::Failed { .. } => {
                "Look at the longest transfer of the controller, at time-outs, and at the state in which \
                 the operation before left the device"
            }
            Self::CapacityTooLarge { .. } => {
                "Look at how the capacity is computed: units of 512 bytes or of sectors, the last sector or \
                 their number, the version of the CSD; else the card is a counterfeit"
            }
            Self::CapacityWraps { .. } => {
                "Look for an address in too few bits (bytes in a u32, the byte addresses of small cards); \
                 else the capacity is wrong, or the card a counterfeit"
            }
            Self::OutOfBoundsAccepted { .. } => {
                "Check the bounds in 64 bits (Geometry::check_buffer) before the address is converted"
            }
            Self::UnstatedAlignment { .. } => {
                "State the alignment that the DMA engine or the cache lines need, or put a Bounce over the \
                 device"
            }
            Self::MisalignedMishandled { .. } => {
                "Refuse it with IoError::NotAligned (Geometry::check_buffer)"
            }
            Self::BufferOverrun { .. } => {
                "Look at the length of the transfer, and at cache lines that are invalidated at the ends of \
                 the buffer: state their size as buffer_alignment"
            }
            Self::ReadNotFilled { .. } => {
                "Look at the length of the transfer, at waiting for its end, and at the data cache: \
                 invalidate it after the transfer"
            }
            Self::ShortWrite { .. } => {
                "Look at the longest transfer of the controller, at the number of blocks of a multi-block \
                 write, and at how it is ended"
            }
            Self::LostWrite { .. } => {
                "Look at the status that the device answers after the data, and at write protection"
            }
            Self::WrongSector { .. } => {
                "Look at the address: bytes or sectors, its number of bits, the device's own sector size, \
                 the address of a continued transfer"
            }
            Self::StaleRead { .. } => {
                "Look at a read cache that writes do not update, at a flush that drops what it should \
                 write, and at the processor's data cache"
            }
            Self::UnsteadyRead { .. } => {
                "Look at the bus (clock, pull-ups, checksums that are off), and at waiting for the end of \
                 the transfer"
            }
            Self::Corrupt { .. } => "Look at the bus, and at the data cache: clean it before the transfer",
            Self::DiscardDamaged { .. } => {
                "Discard whole units inside of the range only, and look at its end: inclusive or not"
            }
            Self::DiscardUndidWrite { .. } => {
                "A discard must be done when it returns: look at queued or reordered commands"
            }
            Self::FlushLost { .. } => {
                "Look at whether flush reaches the device and waits for it: FLUSH_CACHE of an eMMC, the \
                 busy signal of an SD card, VIRTIO_BLK_F_FLUSH, SYNCHRONIZE CACHE, fsync; else the device \
                 lies"
            }
            Self::DurableWriteLost { .. } => {
                "Look at whether the device supports force-unit-access; leave write_durable to its default \
                 if not"
            }
            Self::UncachedWriteLost { .. } => {
                "State a cache, and flush; or wait in write until the device is no longer busy"
            }
            Self::TornBeyondUnit { .. } => "State the program page of the flash",
            Self::DamagedAtRest { .. } => {
                "The device is not fit, or its supply falls slowly and it still writes meanwhile"
            }
            Self::NothingToCheck => "The power went before round 0, or this is another device",
        }
    }
}
