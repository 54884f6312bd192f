//! What can go wrong, for each operation.
//!
//! Inside, an error is one byte: a [`Code`]. What it is about (a disk, an address, an object) is noted apart, in an [`About`], by
//! what meets it. The facade puts both together into the types that a caller sees.

use crate::types::{BlockAddress, Generation, MemberSet, MemoryNeeds, ObjectId, Uuid};
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
        online: MemberSet,
    },
    /// The pool was mounted for reading, or became so after disks failed.
    ReadOnly,
    /// A superblock of this commit may be on some disks and could not be brought to enough of them: whether the
    /// transaction happened will be seen when the pool is mounted anew. Nothing more is written until then.
    OutcomeUnknown,
    /// Something else has written to the pool since it was mounted: the transaction was dropped, and the pool takes no writes
    /// until it is mounted anew. Nothing that this mount would write could be told from the other's.
    OtherWriter {
        /// The index in the array of the disk on which that was seen.
        disk: usize,
    },
    /// Another disk, or a blank one, is where a member was: it is out of use, and the transaction was dropped. The next one
    /// goes on without it, if enough others are there.
    Exchanged {
        /// The index in the array of the disk.
        disk: usize,
    },
    /// What a disk is stored in has no room for a write: the filesystem below an image, the pool below a thin
    /// volume. The disk is not to blame; the transaction was dropped, the last commit stands, and the same
    /// succeeds once there is room.
    NoSpaceBelow {
        /// The index in the array of the disk.
        disk: usize,
    },
    /// The system refuses to write to a disk, for want of something of its own, as memory, or because what
    /// the disk is stored in has become read-only. The disk is not to blame; the transaction was dropped, the
    /// last commit stands.
    RefusedBelow {
        /// The index in the array of the disk.
        disk: usize,
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
        disk: usize,
        /// Bytes that it needs at least.
        bytes: u64,
    },
    /// A disk is too large for the parameters: its groups have no numbers.
    DiskTooLarge {
        /// The disk's index in the array.
        disk: usize,
        /// Bytes that it may have at most.
        bytes: u64,
    },
    /// A disk's sectors, alignment or tear unit do not fit the pool's block.
    Geometry {
        /// The disk's index in the array.
        disk: usize,
    },
    /// A disk holds a pool already; formatting must be forced.
    InUse {
        /// The disk's index in the array.
        disk: usize,
        /// The pool on it.
        pool: Uuid,
    },
    /// A disk did not do what it was asked.
    Io {
        /// The disk's index in the array.
        disk: usize,
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
    /// A disk was made by a newer version.
    Unsupported {
        /// The disk's index in the array.
        disk: usize,
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
        disk: usize,
        /// Bytes that it has.
        bytes: u64,
        /// Bytes that it should have.
        needed: u64,
    },
    /// A disk that is needed has larger sectors here than the pool's layout allows.
    LargeSectors {
        /// The disk's index in the array.
        disk: usize,
        /// Bytes of its sectors.
        sector_bytes: u32,
    },
    /// The labels of two disks describe different pools under one name.
    LabelsDisagree {
        /// The disk's index in the array.
        disk: usize,
    },
    /// Two disks carry the same identity: one is a copy of the other.
    Cloned {
        /// One disk's index in the array.
        first: usize,
        /// The other's.
        second: usize,
    },
    /// No valid superblock on any disk.
    NoSuperblock,
    /// Members are absent that could hold a newer commit. They can be declared dead, which begins a new history.
    Missing {
        /// Rows of the member table that are present.
        present: MemberSet,
        /// The list that is not met: all of it must be there, or more than half.
        list: MemberSet,
        /// The newest commit that is present.
        generation: Generation,
    },
    /// The power went while the pool was being formatted: some of its members never became any. Nothing was stored in it; it
    /// may be formatted again, without force.
    Unfinished {
        /// Rows of the member table that are present.
        present: MemberSet,
        /// All members that it was to have.
        list: MemberSet,
    },
    /// Two disks hold different histories of the pool. One can be preferred, which gives up the other; a survey
    /// ([`Pool::survey`](crate::Pool::survey)) tells what they are.
    Diverged {
        /// A disk of the one, by its index in the array.
        first: usize,
        /// A disk of the other.
        second: usize,
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
    /// The layers below.
    Storage(StorageError),
}

impl From<StorageError> for Error {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

/// Why something could not be done, without what it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[repr(u8)]
pub enum Code {
    /// [`Error::NotFound`].
    NotFound,
    /// [`Error::Exists`].
    Exists,
    /// [`Error::NotADirectory`].
    NotADirectory,
    /// [`Error::IsADirectory`].
    IsADirectory,
    /// [`Error::NotEmpty`].
    NotEmpty,
    /// [`Error::InvalidName`].
    InvalidName,
    /// [`Error::IntoItself`].
    IntoItself,
    /// [`Error::NotAFile`].
    NotAFile,
    /// [`Error::TooLarge`].
    TooLarge,
    /// [`Error::HashFull`].
    HashFull,
    /// [`Error::InvalidArgument`].
    InvalidArgument,
    /// [`Error::Unreadable`]: object and offset are noted.
    Unreadable,
    /// [`StorageError::NodeUnreadable`]: the address is noted.
    NodeUnreadable,
    /// [`StorageError::RecordInvalid`]: the object is noted.
    RecordInvalid,
    /// The same of a record of the pool's own.
    SystemRecordInvalid,
    /// [`StorageError::RecordUnsupported`]: the object is noted.
    RecordUnsupported,
    /// [`StorageError::NoSpace`].
    NoSpace,
    /// [`StorageError::NeedsMemory`]: the bytes are noted.
    NeedsMemory,
    /// [`StorageError::TreeFull`].
    TreeFull,
    /// [`StorageError::TooFewDisks`]: the members are noted.
    TooFewDisks,
    /// [`StorageError::ReadOnly`].
    ReadOnly,
    /// [`StorageError::OutcomeUnknown`].
    OutcomeUnknown,
    /// [`StorageError::OtherWriter`]: the disk is noted.
    OtherWriter,
    /// [`StorageError::Exchanged`]: the disk is noted.
    Exchanged,
    /// [`StorageError::NoSpaceBelow`]: the disk is noted.
    NoSpaceBelow,
    /// [`StorageError::RefusedBelow`]: the disk is noted.
    RefusedBelow,
    /// [`StorageError::NoTransaction`].
    NoTransaction,
    /// [`StorageError::Poisoned`].
    Poisoned,
    /// [`StorageError::InTransaction`].
    InTransaction,
    /// [`StorageError::BadRequest`].
    BadRequest,
    /// [`MountError::NoPool`].
    NoPool,
    /// [`MountError::Unsupported`]: the disk and its format are noted.
    Unsupported,
    /// [`MountError::Truncated`]: the disk and its lengths are noted.
    Truncated,
    /// [`MountError::LargeSectors`]: the disk and its sectors are noted.
    LargeSectors,
    /// [`MountError::LabelsDisagree`]: the disk is noted.
    LabelsDisagree,
    /// [`MountError::Cloned`]: both disks are noted.
    Cloned,
    /// [`MountError::NoSuperblock`].
    NoSuperblock,
    /// [`MountError::Missing`]: the members and the generation are noted.
    Missing,
    /// [`MountError::Unfinished`]: the members are noted.
    Unfinished,
    /// [`MountError::Diverged`]: both disks are noted.
    Diverged,
    /// [`MountError::NoSuchHistory`].
    NoSuchHistory,
    /// [`MountError::NeedsFeature`]: the feature is noted.
    NeedsFeature,
    /// [`MountError::NeedsMemory`]: what is needed is noted.
    LendMore,
}

impl Code {
    /// Whether it says that something on disk is lost: what does not need it can still be read.
    pub const fn is_loss(self) -> bool {
        matches!(
            self,
            Self::NodeUnreadable | Self::RecordInvalid | Self::SystemRecordInvalid | Self::RecordUnsupported
        )
    }
}

/// What the last errors were about. An error's own parts are those that its [`Code`] names; the others are older.
#[derive(Clone, Copy, Debug)]
pub struct About {
    pub(crate) disk: usize,
    pub(crate) address: BlockAddress,
    pub(crate) object: ObjectId,
    pub(crate) offset: u64,
    pub(crate) bytes: usize,
    pub(crate) members: MemberSet,
    pub(crate) list: MemberSet,
    pub(crate) generation: Generation,
    pub(crate) second: usize,
    pub(crate) format: (u16, u32, u8),
    pub(crate) lengths: (u64, u64),
    pub(crate) sector_bytes: u32,
    pub(crate) feature: &'static str,
    pub(crate) needs: MemoryNeeds,
}

impl About {
    /// Nothing yet.
    pub(crate) const NOTHING: Self = Self {
        disk: 0,
        address: BlockAddress::NONE,
        object: ObjectId::SYSTEM,
        offset: 0,
        bytes: 0,
        members: MemberSet::EMPTY,
        list: MemberSet::EMPTY,
        generation: Generation(0),
        second: 0,
        format: (0, 0, 0),
        lengths: (0, 0),
        sector_bytes: 0,
        feature: "",
        needs: MemoryNeeds { bytes: 0, slots: 0, disks: 0 },
    };

    /// Notes the disk that cannot be opened, and its format's number, features and checksum algorithm.
    pub(crate) const fn unsupported(&mut self, disk: usize, format: (u16, u32, u8)) -> Code {
        (self.disk, self.format) = (disk, format);
        Code::Unsupported
    }

    /// Notes two disks that do not go together.
    pub(crate) const fn two(&mut self, first: usize, second: usize, code: Code) -> Code {
        (self.disk, self.second) = (first, second);
        code
    }

    /// Notes which members of a list are here, and the newest commit that is.
    pub(crate) const fn missing(
        &mut self,
        present: MemberSet,
        list: MemberSet,
        generation: Generation,
        code: Code,
    ) -> Code {
        (self.members, self.list, self.generation) = (present, list, generation);
        code
    }

    /// Notes which feature would do.
    pub(crate) const fn lacks(&mut self, feature: &'static str) -> Code {
        self.feature = feature;
        Code::NeedsFeature
    }

    /// Notes how much memory of each kind would do.
    pub(crate) const fn lends(&mut self, needs: MemoryNeeds) -> Code {
        self.needs = needs;
        Code::LendMore
    }

    /// Notes which object's record is invalid.
    pub(crate) const fn invalid(&mut self, object: ObjectId) -> Code {
        self.object = object;
        Code::RecordInvalid
    }

    /// Notes which node cannot be read, by the address of its first replica.
    pub(crate) const fn node(&mut self, address: BlockAddress) -> Code {
        self.address = address;
        Code::NodeUnreadable
    }

    /// Notes how many bytes of memory would do.
    pub(crate) const fn needs(&mut self, bytes: usize) -> Code {
        self.bytes = bytes;
        Code::NeedsMemory
    }

    /// Notes which members are too few.
    pub(crate) const fn too_few(&mut self, members: MemberSet) -> Code {
        self.members = members;
        Code::TooFewDisks
    }

    /// Notes the disk that an error is about.
    pub(crate) const fn on(&mut self, disk: usize, code: Code) -> Code {
        self.disk = disk;
        code
    }

    /// Notes which bytes are lost.
    pub(crate) const fn lost(&mut self, object: ObjectId, offset: u64) -> Code {
        (self.object, self.offset) = (object, offset);
        Code::Unreadable
    }

    /// An error of the layers below the objects, whole; `Err` with one of the objects.
    pub fn storage(&self, code: Code) -> Result<StorageError, Error> {
        let &Self { disk, address, object, offset, bytes, members, .. } = self;
        Ok(match code {
            Code::NotFound => return Err(Error::NotFound),
            Code::Exists => return Err(Error::Exists),
            Code::NotADirectory => return Err(Error::NotADirectory),
            Code::IsADirectory => return Err(Error::IsADirectory),
            Code::NotEmpty => return Err(Error::NotEmpty),
            Code::InvalidName => return Err(Error::InvalidName),
            Code::IntoItself => return Err(Error::IntoItself),
            Code::NotAFile => return Err(Error::NotAFile),
            Code::TooLarge => return Err(Error::TooLarge),
            Code::HashFull => return Err(Error::HashFull),
            Code::InvalidArgument => return Err(Error::InvalidArgument),
            Code::Unreadable => return Err(Error::Unreadable { object, offset }),
            Code::NodeUnreadable => StorageError::NodeUnreadable { address },
            Code::RecordInvalid => StorageError::RecordInvalid { object },
            Code::SystemRecordInvalid => StorageError::RecordInvalid { object: ObjectId::SYSTEM },
            Code::RecordUnsupported => StorageError::RecordUnsupported { object },
            Code::NoSpace => StorageError::NoSpace,
            Code::NeedsMemory => StorageError::NeedsMemory { bytes },
            Code::TreeFull => StorageError::TreeFull,
            Code::TooFewDisks => StorageError::TooFewDisks { online: members },
            Code::ReadOnly => StorageError::ReadOnly,
            Code::OutcomeUnknown => StorageError::OutcomeUnknown,
            Code::OtherWriter => StorageError::OtherWriter { disk },
            Code::Exchanged => StorageError::Exchanged { disk },
            Code::NoSpaceBelow => StorageError::NoSpaceBelow { disk },
            Code::RefusedBelow => StorageError::RefusedBelow { disk },
            Code::NoTransaction => StorageError::NoTransaction,
            Code::Poisoned => StorageError::Poisoned,
            Code::InTransaction => StorageError::InTransaction,
            Code::NeedsFeature => StorageError::NeedsFeature(self.feature),
            // Those of a mount are explained apart.
            _ => StorageError::BadRequest,
        })
    }

    /// Why a pool was not made, whole.
    pub fn explain_format(&self, error: FormatError<Code>) -> FormatError {
        match error {
            FormatError::DiskCount { most } => FormatError::DiskCount { most },
            FormatError::TooFewDisks { needed } => FormatError::TooFewDisks { needed },
            FormatError::Parameter(what) => FormatError::Parameter(what),
            FormatError::DiskTooSmall { disk, bytes } => FormatError::DiskTooSmall { disk, bytes },
            FormatError::DiskTooLarge { disk, bytes } => FormatError::DiskTooLarge { disk, bytes },
            FormatError::Geometry { disk } => FormatError::Geometry { disk },
            FormatError::InUse { disk, pool } => FormatError::InUse { disk, pool },
            FormatError::Io { disk, error } => FormatError::Io { disk, error },
            FormatError::Entropy => FormatError::Entropy,
            FormatError::NeedsMemory(needs) => FormatError::NeedsMemory(needs),
            FormatError::Storage(code) => match self.storage(code) {
                Ok(error) => FormatError::Storage(error),
                // Nothing but the root directory is made.
                Err(_) => FormatError::Parameter("the root directory does not fit"),
            },
        }
    }

    /// Why a pool was not mounted, whole.
    #[inline(never)]
    pub fn explain_mount(&self, code: Code) -> MountError {
        let &Self { disk, second, members, list, generation, .. } = self;
        match code {
            Code::NoPool => MountError::NoPool,
            Code::Unsupported => {
                let (version, incompat, algorithm) = self.format;
                MountError::Unsupported { disk, version, incompat, algorithm }
            }
            Code::Truncated => MountError::Truncated { disk, bytes: self.lengths.0, needed: self.lengths.1 },
            Code::LargeSectors => MountError::LargeSectors { disk, sector_bytes: self.sector_bytes },
            Code::LabelsDisagree => MountError::LabelsDisagree { disk },
            Code::Cloned => MountError::Cloned { first: disk, second },
            Code::NoSuperblock => MountError::NoSuperblock,
            Code::Missing => MountError::Missing { present: members, list, generation },
            Code::Unfinished => MountError::Unfinished { present: members, list },
            Code::Diverged => MountError::Diverged { first: disk, second },
            Code::NoSuchHistory => MountError::NoSuchHistory,
            Code::NeedsFeature => MountError::NeedsFeature(self.feature),
            Code::LendMore => MountError::NeedsMemory(self.needs),
            // A mount asks for no object.
            code => self.storage(code).map_or(MountError::NoSuperblock, MountError::Storage),
        }
    }

    /// Why something was not done with a member, whole.
    pub fn explain_member(&self, error: MemberError<Code, Code>) -> MemberError {
        match error {
            MemberError::NotAMember => MemberError::NotAMember,
            MemberError::Away => MemberError::Away,
            MemberError::TakesPart => MemberError::TakesPart,
            MemberError::NotGrown => MemberError::NotGrown,
            MemberError::TableFull => MemberError::TableFull,
            MemberError::TooFewDisks { needed } => MemberError::TooFewDisks { needed },
            MemberError::TooLittleSpace { held, free } => MemberError::TooLittleSpace { held, free },
            MemberError::HoldsData { held } => MemberError::HoldsData { held },
            MemberError::Disk(error) => MemberError::Disk(self.explain_format(error)),
            MemberError::Pool(code) => MemberError::Pool(self.explain(code)),
        }
    }

    /// An error, whole.
    #[inline(never)]
    pub fn explain(&self, code: Code) -> Error {
        self.storage(code).map_or_else(|error| error, Error::Storage)
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
        held: u64,
        /// Bytes that are free on the others.
        free: u64,
    },
    /// The member holds data.
    HoldsData {
        /// Bytes that it holds.
        held: u64,
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
            Self::TooLittleSpace { held, free } => {
                write!(f, "it holds {held} bytes, and {free} are free on the others")
            }
            Self::HoldsData { held } => write!(f, "it still holds {held} bytes"),
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
