//! What can go wrong, for each operation.
//!
//! Inside, an error is one byte: a [`Code`]. What it is about (a disk, an address, an object) is noted apart,
//! in an [`About`], by what meets it. The facade puts both together into the types that a caller sees.

mod code;

pub use code::{About, Code};

use crate::types::{BlockAddress, DiskIndex, Generation, MemoryNeeds, ObjectId, Row, Set, Uuid};
use dynamicfs_hal::IoError;

/// Why the layers below the objects could not do what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum StorageError {
    /// No replica of a tree node could be read and verified; the address is its first replica's.
    NodeUnreadable {
        /// Where the first replica should be.
        address: BlockAddress,
    },
    /// A record in the tree is not what its key says: a checksum was forged, or the code that wrote it was wrong.
    RecordInvalid {
        /// The object that the record belongs to.
        object: ObjectId,
    },
    /// A record holds something in a form that this version does not know: a feature is missing that should be named.
    RecordUnsupported {
        /// The object that the record belongs to.
        object: ObjectId,
    },
    /// The space that is left is kept back so that deleting can always go on.
    NoSpace,
    /// The lent memory is too small. It must hold a path of the tree and one change of it, and a column of a
    /// stripe that is computed.
    NeedsMemory {
        /// Bytes that would do.
        bytes: usize,
    },
    /// The tree would need more levels than the format has.
    TreeFull,
    /// Too few disks are left to go on safely; the transaction was dropped, the last commit stands.
    TooFewDisks {
        /// Rows of the member table that are online.
        online: Set<Row>,
    },
    /// The pool was mounted for reading, or became so after disks failed.
    ReadOnly,
    /// A superblock of this commit may be on some disks and could not be written to enough of them. The next
    /// mount shows whether the transaction happened. Nothing more is written until then.
    OutcomeUnknown,
    /// Another program has written to the pool since it was mounted. The transaction was dropped, and the
    /// pool takes no writes until it is mounted anew. Nothing that this mount would write could be told from
    /// the other's.
    OtherWriter {
        /// The index in the array of the disk on which that was seen.
        disk: DiskIndex,
    },
    /// Another disk, or a blank one, is where a member was: it is out of use, and the transaction was dropped. The next one
    /// goes on without it, if enough others are there.
    Exchanged {
        /// The index in the array of the disk.
        disk: DiskIndex,
    },
    /// What a disk is stored in has no room for a write: the filesystem below an image, the pool below a thin
    /// volume. The disk is not to blame; the transaction was dropped, the last commit stands, and the same
    /// succeeds once there is room.
    NoSpaceBelow {
        /// The index in the array of the disk.
        disk: DiskIndex,
    },
    /// The system refuses to write to a disk: it lacks memory or the like, or the storage of the disk has
    /// become read-only. The disk is not to blame; the transaction was dropped, the last commit stands.
    RefusedBelow {
        /// The index in the array of the disk.
        disk: DiskIndex,
    },
    /// Changes are made in a transaction, and none was begun.
    NoTransaction,
    /// An earlier operation of the transaction failed half-way: it can only be dropped.
    Poisoned,
    /// A transaction is open, and this commits by itself or reads what only a commit makes whole.
    InTransaction,
    /// A write did not suit its disk: its place is beyond the end, or its buffer is not aligned as the disk asks. The
    /// disk is not to blame; the transaction was dropped, the last commit stands.
    BadRequest,
    /// It would be stored in a way that this build was made without: the feature of this name.
    NeedsFeature(&'static str),
}

impl core::fmt::Display for StorageError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NodeUnreadable { address } => {
                write!(f, "no replica of the tree node at {address} can be read")
            }
            Self::RecordInvalid { object } => write!(f, "a record of object {} is invalid", object.0),
            Self::RecordUnsupported { object } => {
                write!(f, "a record of object {} is in a form that this version does not know", object.0)
            }
            Self::NoSpace => f.write_str("no space left"),
            Self::NeedsMemory { bytes } => write!(f, "needs {bytes} bytes of memory"),
            Self::TreeFull => f.write_str("the tree cannot grow any deeper"),
            Self::TooFewDisks { online } => write!(f, "too few disks can go on: {} take part", online.len()),
            Self::ReadOnly => f.write_str("the pool is read-only"),
            Self::OutcomeUnknown => f.write_str("the outcome of the commit is unknown until the next mount"),
            Self::OtherWriter { disk } => {
                write!(f, "something else has written to the pool, seen on disk {disk}")
            }
            Self::Exchanged { disk } => {
                write!(
                    f,
                    "disk {disk} is not as it was mounted: another one is there, or it was cut or wiped"
                )
            }
            Self::NoSpaceBelow { disk } => write!(f, "no space in what disk {disk} is stored in"),
            Self::RefusedBelow { disk } => write!(f, "the system refuses to write to disk {disk}"),
            Self::NoTransaction => f.write_str("no transaction was begun"),
            Self::Poisoned => f.write_str("an earlier operation of the transaction failed half-way"),
            Self::InTransaction => f.write_str("a transaction is open"),
            Self::BadRequest => f.write_str("a write did not suit its disk's size or alignment"),
            Self::NeedsFeature(feature) => write!(f, "needs the feature `{feature}`, which this build lacks"),
        }
    }
}

impl core::error::Error for StorageError {}

impl StorageError {
    /// Whether it says that something on disk is lost: what does not need it can still be read.
    pub const fn is_loss(&self) -> bool {
        matches!(
            self,
            Self::NodeUnreadable { .. } | Self::RecordInvalid { .. } | Self::RecordUnsupported { .. }
        )
    }
}

/// Why a pool was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum FormatError<E = StorageError> {
    /// No disks, or more than the member table has rows.
    DiskCount {
        /// Disks that such a pool has at most.
        most: usize,
    },
    /// The scheme needs more disks than there are, or is outside the format's limits.
    TooFewDisks {
        /// Disks that it needs.
        needed: usize,
    },
    /// A parameter is outside its bounds or does not fit the others.
    Parameter(&'static str),
    /// A disk is too small for the parameters.
    DiskTooSmall {
        /// The disk's index in the array.
        disk: DiskIndex,
        /// Bytes that it needs at least.
        bytes: u64,
    },
    /// A disk is too large for the parameters: its groups have no numbers.
    DiskTooLarge {
        /// The disk's index in the array.
        disk: DiskIndex,
        /// Bytes that it may have at most.
        bytes: u64,
    },
    /// A disk's sectors, alignment or tear unit do not fit the pool's block.
    Geometry {
        /// The disk's index in the array.
        disk: DiskIndex,
    },
    /// A disk holds a pool already; formatting must be forced.
    InUse {
        /// The disk's index in the array.
        disk: DiskIndex,
        /// The pool on it.
        pool: Uuid,
    },
    /// As many places of a disk cannot be read as a pool has labels: there may be one on it. Only force
    /// formats it.
    LabelUnreadable {
        /// The disk's index in the array.
        disk: DiskIndex,
        /// What it answered.
        error: IoError,
    },
    /// A disk does not hold what was written to it: it may be in the array twice.
    Overwritten {
        /// The disk's index in the array.
        disk: DiskIndex,
    },
    /// A disk did not do what it was asked.
    Io {
        /// The disk's index in the array.
        disk: DiskIndex,
        /// What it answered.
        error: IoError,
    },
    /// The source of randomness failed.
    Entropy,
    /// Too little memory is lent, of one kind or several: what would do.
    NeedsMemory(MemoryNeeds),
    /// The first commit failed.
    Storage(E),
}

impl From<Code> for FormatError<Code> {
    fn from(code: Code) -> Self {
        Self::Storage(code)
    }
}

impl<E: core::fmt::Display> core::fmt::Display for FormatError<E> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::DiskCount { most } => write!(f, "such a pool has 1 to {most} disks"),
            Self::TooFewDisks { needed } => write!(f, "the scheme needs {needed} disks"),
            Self::Parameter(what) => write!(f, "bad parameter: {what}"),
            Self::DiskTooSmall { disk, bytes } => {
                write!(f, "disk {disk} is too small: it needs {bytes} bytes")
            }
            Self::DiskTooLarge { disk, bytes } => {
                write!(f, "disk {disk} is too large: it may have {bytes} bytes")
            }
            Self::Geometry { disk } => {
                write!(f, "disk {disk}: sector, alignment or tear unit does not fit the pool's block")
            }
            Self::InUse { disk, pool } => write!(f, "disk {disk} belongs to pool {pool}"),
            Self::LabelUnreadable { disk, error } => {
                write!(f, "disk {disk} may hold a pool: places of its labels cannot be read ({error})")
            }
            Self::Overwritten { disk } => {
                write!(f, "disk {disk} does not hold what was written to it: it may be given twice")
            }
            Self::Io { disk, error } => write!(f, "disk {disk}: {error}"),
            Self::Entropy => f.write_str("the source of randomness failed"),
            Self::NeedsMemory(needs) => write!(f, "needs {needs}"),
            Self::Storage(error) => error.fmt(f),
        }
    }
}

impl<E: core::fmt::Debug + core::fmt::Display> core::error::Error for FormatError<E> {}

/// Why a pool was not mounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum MountError {
    /// No disk carries a label of the pool.
    NoPool,
    /// No label of the pool was found, and there may be one all the same. As many places of a disk cannot be
    /// read as a pool has labels, or its geometry is none.
    LabelUnreadable {
        /// The disk's index in the array.
        disk: DiskIndex,
    },
    /// A disk was made by a newer version.
    Unsupported {
        /// The disk's index in the array.
        disk: DiskIndex,
        /// Its format's number.
        version: u16,
        /// Features that must be known to open it.
        incompat: u32,
        /// Its checksum algorithm.
        algorithm: u8,
    },
    /// A disk that is needed is shorter than its label says. What there is of it can be read by a mount for reading.
    Truncated {
        /// The disk's index in the array.
        disk: DiskIndex,
        /// Bytes that it has.
        bytes: u64,
        /// Bytes that it should have.
        needed: u64,
    },
    /// A disk that is needed has larger sectors here than the pool's layout allows.
    LargeSectors {
        /// The disk's index in the array.
        disk: DiskIndex,
        /// Bytes of its sectors.
        sector_bytes: u32,
    },
    /// The labels of two disks describe different pools under one name.
    LabelsDisagree {
        /// The disk's index in the array.
        disk: DiskIndex,
    },
    /// Two disks carry the same identity: one is a copy of the other.
    Cloned {
        /// One disk's index in the array.
        first: DiskIndex,
        /// The other's.
        second: DiskIndex,
    },
    /// No valid superblock on any disk.
    NoSuperblock,
    /// Members are absent that could hold a newer commit. They can be declared dead, which begins a new history.
    Missing {
        /// Rows of the member table that are present.
        present: Set<Row>,
        /// The list that is not met: all of it must be there, or more than half.
        list: Set<Row>,
        /// The newest commit that is present.
        generation: Generation,
    },
    /// The power went while the pool was being formatted: some of its members never became any. Nothing was stored in it; it
    /// may be formatted again, without force.
    Unfinished {
        /// Rows of the member table that are present.
        present: Set<Row>,
        /// All members that it was to have.
        list: Set<Row>,
    },
    /// Two disks hold different histories of the pool. One can be preferred, which gives up the other; a survey
    /// ([`Pool::survey`](crate::Pool::survey)) tells what they are.
    Diverged {
        /// A disk of the one, by its index in the array.
        first: DiskIndex,
        /// A disk of the other.
        second: DiskIndex,
    },
    /// No disk holds the history that was preferred.
    NoSuchHistory,
    /// The pool has what this build was made without: the feature of this name.
    NeedsFeature(&'static str),
    /// Too little memory is lent, of one kind or several: what would do.
    NeedsMemory(MemoryNeeds),
    /// The source of randomness failed, or none was given for an override.
    Entropy,
    /// The tree could not be read, or the first write failed.
    Storage(StorageError),
}

impl core::fmt::Display for MountError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NoPool => f.write_str("no pool on these disks"),
            Self::LabelUnreadable { disk } => {
                write!(f, "no pool was found, and places of labels cannot be read on disk {disk}")
            }
            Self::Unsupported { disk, version, incompat, algorithm } => write!(
                f,
                "disk {disk} has format {version} with features {incompat:#x} and checksum algorithm {algorithm}, \
                 which this version does not know"
            ),
            Self::Truncated { disk, bytes, needed } => {
                write!(f, "disk {disk} is shorter than its label says: it has {bytes} of {needed} bytes")
            }
            Self::LargeSectors { disk, sector_bytes } => write!(
                f,
                "disk {disk} has sectors of {sector_bytes} bytes here, more than the pool's layout allows"
            ),
            Self::LabelsDisagree { disk } => write!(f, "the label of disk {disk} contradicts the others"),
            Self::Cloned { first, second } => write!(f, "disks {first} and {second} carry the same identity"),
            Self::NoSuperblock => f.write_str("no valid superblock on any disk"),
            Self::Missing { present, list, generation } => write!(
                f,
                "{} of {} members are present; the others could hold a newer commit than generation {}",
                present.and(*list).len(),
                list.len(),
                generation.0
            ),
            Self::Unfinished { present, list } => write!(
                f,
                "{} of the {} members of a pool that was never finished are there: format it again",
                present.and(*list).len(),
                list.len()
            ),
            Self::Diverged { first, second } => {
                write!(f, "disks {first} and {second} hold different histories of the pool")
            }
            Self::NoSuchHistory => f.write_str("no disk holds the history that was preferred"),
            Self::NeedsFeature(feature) => {
                write!(f, "the pool needs the feature `{feature}`, which this build lacks")
            }
            Self::NeedsMemory(needs) => write!(f, "needs {needs}"),
            Self::Entropy => f.write_str("the source of randomness failed"),
            Self::Storage(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for MountError {}

/// Why an operation on objects, names or attributes failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Error {
    /// No such object or name.
    NotFound,
    /// The name is taken.
    Exists,
    /// The object is not a directory.
    NotADirectory,
    /// The object is a directory.
    IsADirectory,
    /// The directory has entries.
    NotEmpty,
    /// The name is empty, too long, `.` or `..`, or contains `/` or NUL.
    InvalidName,
    /// A directory cannot be moved into itself or below itself.
    IntoItself,
    /// The object has no contents to read or write: a directory, a device.
    NotAFile,
    /// The object, name, value or number of links would exceed its limit.
    TooLarge,
    /// 256 names of a directory share a hash: impossible without the pool's seed.
    HashFull,
    /// These bytes are lost: too few fragments can be read and verified.
    Unreadable {
        /// The object.
        object: ObjectId,
        /// The first byte of the extent.
        offset: u64,
    },
    /// What was given contradicts the limits: an offset, a scheme, an extent size.
    InvalidArgument,
    /// As many objects are pinned as places were lent for pins, or the build has none.
    PinsFull,
    /// The layers below.
    Storage(StorageError),
}

impl From<StorageError> for Error {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

impl core::fmt::Display for Error {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::NotFound => "not found",
            Self::Exists => "the name exists",
            Self::NotADirectory => "not a directory",
            Self::IsADirectory => "is a directory",
            Self::NotEmpty => "the directory is not empty",
            Self::InvalidName => "invalid name",
            Self::IntoItself => "a directory cannot be moved into itself",
            Self::NotAFile => "has no contents",
            Self::TooLarge => "too large",
            Self::HashFull => "too many names share a hash",
            Self::InvalidArgument => "invalid argument",
            Self::PinsFull => "no place is left for another pinned object",
            Self::Unreadable { object, offset } => {
                return write!(f, "object {} is unreadable at byte {offset}", object.0);
            }
            Self::Storage(error) => return error.fmt(f),
        })
    }
}

impl core::error::Error for Error {}

impl Error {
    /// Whether it says that a part of the tree is lost: what does not need it can still be read.
    pub const fn is_loss(&self) -> bool {
        match self {
            Self::Storage(error) => error.is_loss(),
            _ => false,
        }
    }
}

/// An error, and the array that it leaves: nothing else holds the disks any more.
pub struct Failure<E, A> {
    /// Why.
    pub error: E,
    /// The disks.
    pub array: A,
}

impl<A> From<Failure<MountError, A>> for MountError {
    fn from(failure: Failure<MountError, A>) -> Self {
        failure.error
    }
}

impl<A> From<Failure<FormatError, A>> for FormatError {
    fn from(failure: Failure<FormatError, A>) -> Self {
        failure.error
    }
}

impl<E: core::fmt::Debug, A> core::fmt::Debug for Failure<E, A> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.error.fmt(f)
    }
}

impl<E: core::fmt::Display, A> core::fmt::Display for Failure<E, A> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.error.fmt(f)
    }
}

impl<E: core::error::Error, A> core::error::Error for Failure<E, A> {}

/// Why something was not done with a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum MemberError<E = Error, S = StorageError> {
    /// The pool has no member of this number.
    NotAMember,
    /// The member's disk does not take part.
    Away,
    /// The disk takes part already.
    TakesPart,
    /// The disk has no more room than is used.
    NotGrown,
    /// The member table has no free row.
    TableFull,
    /// The others would be too few.
    TooFewDisks {
        /// How many are needed.
        needed: usize,
    },
    /// The others have too little space for what the member holds.
    TooLittleSpace {
        /// Bytes that it holds.
        used: u64,
        /// Bytes that are free on the others.
        free: u64,
    },
    /// The member holds data.
    HoldsData {
        /// Bytes that it holds.
        bytes: u64,
    },
    /// The disk cannot be a member.
    Disk(FormatError<S>),
    /// The pool could not do it.
    Pool(E),
}

impl From<Code> for MemberError<Code, Code> {
    fn from(code: Code) -> Self {
        Self::Pool(code)
    }
}

impl From<Error> for MemberError {
    fn from(error: Error) -> Self {
        Self::Pool(error)
    }
}

impl<E, S> From<FormatError<S>> for MemberError<E, S> {
    fn from(error: FormatError<S>) -> Self {
        Self::Disk(error)
    }
}

impl core::fmt::Display for MemberError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NotAMember => f.write_str("no such member"),
            Self::Away => f.write_str("the member's disk does not take part"),
            Self::TakesPart => f.write_str("the disk takes part already"),
            Self::NotGrown => f.write_str("the disk has no more room than is used"),
            Self::TableFull => f.write_str("the pool has as many members as it can have"),
            Self::TooFewDisks { needed } => write!(f, "at least {needed} other disks are needed"),
            Self::TooLittleSpace { used, free } => {
                write!(f, "it holds {used} bytes, and {free} are free on the others")
            }
            Self::HoldsData { bytes } => write!(f, "it still holds {bytes} bytes"),
            Self::Disk(error) => error.fmt(f),
            Self::Pool(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for MemberError {}

impl embedded_io::Error for Error {
    fn kind(&self) -> embedded_io::ErrorKind {
        use embedded_io::ErrorKind;
        match self {
            Self::NotFound => ErrorKind::NotFound,
            Self::Exists => ErrorKind::AlreadyExists,
            Self::InvalidName | Self::InvalidArgument | Self::IntoItself => ErrorKind::InvalidInput,
            Self::Storage(StorageError::NoSpace) => ErrorKind::OutOfMemory,
            Self::Storage(StorageError::ReadOnly) => ErrorKind::PermissionDenied,
            Self::Unreadable { .. } => ErrorKind::InvalidData,
            _ => ErrorKind::Other,
        }
    }
}
