//! Errors of one byte, and what they are about.

use super::{Error, FormatError, MemberError, MountError, StorageError};
use crate::types::{BlockAddress, DiskIndex, Generation, MemoryNeeds, ObjectId, Row, Set};

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
    /// [`Error::PinsFull`].
    PinsFull,
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
    /// [`MountError::LabelUnreadable`]: the disk is noted.
    LabelUnreadable,
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

    /// The same, or that contents are lost.
    pub const fn is_loss_or_unreadable(self) -> bool {
        matches!(self, Self::Unreadable) || self.is_loss()
    }
}

/// What the last errors were about. An error's own parts are those that its [`Code`] names; the others are
/// older.
#[derive(Clone, Copy, Debug)]
pub struct About {
    pub(crate) disk: DiskIndex,
    pub(crate) address: BlockAddress,
    pub(crate) object: ObjectId,
    pub(crate) offset: u64,
    pub(crate) bytes: usize,
    pub(crate) members: Set<Row>,
    pub(crate) list: Set<Row>,
    pub(crate) generation: Generation,
    pub(crate) second: DiskIndex,
    pub(crate) format: (u16, u32, u8),
    pub(crate) lengths: (u64, u64),
    pub(crate) sector_bytes: u32,
    pub(crate) feature: &'static str,
    pub(crate) needs: MemoryNeeds,
}

impl About {
    /// Nothing yet.
    pub(crate) const NOTHING: Self = Self {
        disk: DiskIndex(0),
        address: BlockAddress::NONE,
        object: ObjectId::SYSTEM,
        offset: 0,
        bytes: 0,
        members: Set::EMPTY,
        list: Set::EMPTY,
        generation: Generation(0),
        second: DiskIndex(0),
        format: (0, 0, 0),
        lengths: (0, 0),
        sector_bytes: 0,
        feature: "",
        needs: MemoryNeeds { bytes: 0, entries: 0, disks: 0 },
    };

    /// Notes the disk that cannot be opened, and its format's number, features and checksum algorithm.
    pub(crate) const fn unsupported(&mut self, disk: DiskIndex, format: (u16, u32, u8)) -> Code {
        (self.disk, self.format) = (disk, format);
        Code::Unsupported
    }

    /// Notes two disks that do not go together.
    pub(crate) const fn two(&mut self, first: DiskIndex, second: DiskIndex, code: Code) -> Code {
        (self.disk, self.second) = (first, second);
        code
    }

    /// Notes which members of a list are here, and the newest commit that is.
    pub(crate) const fn missing(
        &mut self,
        present: Set<Row>,
        list: Set<Row>,
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

    /// Notes which object's record has a form that is not known.
    pub(crate) const fn unknown_form(&mut self, object: ObjectId) -> Code {
        self.object = object;
        Code::RecordUnsupported
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
    pub(crate) const fn too_few(&mut self, members: Set<Row>) -> Code {
        self.members = members;
        Code::TooFewDisks
    }

    /// Notes the disk that an error is about.
    pub(crate) const fn on(&mut self, disk: DiskIndex, code: Code) -> Code {
        self.disk = disk;
        code
    }

    /// Notes which bytes are lost.
    pub(crate) const fn lost(&mut self, object: ObjectId, offset: u64) -> Code {
        (self.object, self.offset) = (object, offset);
        Code::Unreadable
    }

    /// An error of the layers below the objects, whole.
    ///
    /// # Errors
    /// One of the objects, whole.
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
            Code::PinsFull => return Err(Error::PinsFull),
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
            FormatError::LabelUnreadable { disk, error } => FormatError::LabelUnreadable { disk, error },
            FormatError::Overwritten { disk } => FormatError::Overwritten { disk },
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
    #[inline(never)] // Once, and not in each of its callers.
    pub fn explain_mount(&self, code: Code) -> MountError {
        let &Self { disk, second, members, list, generation, .. } = self;
        match code {
            Code::NoPool => MountError::NoPool,
            Code::LabelUnreadable => MountError::LabelUnreadable { disk },
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
            MemberError::TooLittleSpace { used, free } => MemberError::TooLittleSpace { used, free },
            MemberError::HoldsData { bytes } => MemberError::HoldsData { bytes },
            MemberError::Disk(error) => MemberError::Disk(self.explain_format(error)),
            MemberError::Pool(code) => MemberError::Pool(self.explain(code)),
        }
    }

    /// An error, whole.
    #[inline(never)] // Once, and not in each of its callers.
    pub fn explain(&self, code: Code) -> Error {
        self.storage(code).map_or_else(|error| error, Error::Storage)
    }
}
