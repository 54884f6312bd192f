//! Errors of the core as codes, with what they are about.

use crate::abi::dfs_error_info;
use crate::code::*;
use dynamicfs_core::error::{Error, FormatError, MountError, StorageError};
use dynamicfs_core::types::MemoryNeeds;

impl dfs_error_info {
    /// Nothing.
    pub(crate) const NONE: Self = Self {
        struct_bytes: size_of::<Self>() as u32,
        code: 0,
        disk: -1,
        member: -1,
        block: 0,
        object: 0,
        offset: 0,
        bytes: 0,
    };

    pub(crate) const fn of(code: i32) -> Self {
        Self { code, ..Self::NONE }
    }

    /// What an operation on objects or names answered.
    #[inline(never)]
    pub(crate) fn of_error(error: &Error) -> Self {
        let mut info = Self::of(match error {
            Error::NotFound => DFS_ERR_NOT_FOUND,
            Error::Exists => DFS_ERR_EXISTS,
            Error::NotADirectory => DFS_ERR_NOT_A_DIRECTORY,
            Error::IsADirectory => DFS_ERR_IS_A_DIRECTORY,
            Error::NotEmpty => DFS_ERR_NOT_EMPTY,
            Error::InvalidName => DFS_ERR_NAME,
            Error::IntoItself => DFS_ERR_INTO_ITSELF,
            Error::NotAFile => DFS_ERR_NOT_A_FILE,
            Error::TooLarge => DFS_ERR_TOO_LARGE,
            Error::HashFull => DFS_ERR_HASH_FULL,
            Error::InvalidArgument => DFS_ERR_ARGUMENT,
            Error::PinsFull => DFS_ERR_PINS_FULL,
            Error::Unreadable { .. } => DFS_ERR_UNREADABLE,
            Error::Storage(error) => return Self::of_storage(error),
            _ => DFS_ERR_UNKNOWN,
        });
        if let Error::Unreadable { object, offset } = error {
            (info.object, info.offset) = (object.0, *offset);
        }
        info
    }

    /// What the layers below the objects answered. First the code of each, which is a table; then what it is
    /// about.
    #[inline(never)]
    pub(crate) fn of_storage(error: &StorageError) -> Self {
        let mut info = Self::of(match error {
            StorageError::NodeUnreadable { .. } => DFS_ERR_NODE_UNREADABLE,
            StorageError::RecordInvalid { .. } => DFS_ERR_RECORD_INVALID,
            StorageError::RecordUnsupported { .. } => DFS_ERR_RECORD_UNSUPPORTED,
            StorageError::NoSpace => DFS_ERR_NO_SPACE,
            StorageError::NeedsMemory { .. } => DFS_ERR_NEEDS_MEMORY,
            StorageError::TreeFull => DFS_ERR_TREE_FULL,
            StorageError::TooFewDisks { .. } => DFS_ERR_TOO_FEW_DISKS,
            StorageError::ReadOnly => DFS_ERR_READ_ONLY,
            StorageError::OutcomeUnknown => DFS_ERR_OUTCOME_UNKNOWN,
            StorageError::OtherWriter { .. } => DFS_ERR_OTHER_WRITER,
            StorageError::Exchanged { .. } => DFS_ERR_EXCHANGED,
            StorageError::NoSpaceBelow { .. } => DFS_ERR_NO_SPACE_BELOW,
            StorageError::RefusedBelow { .. } => DFS_ERR_REFUSED_BELOW,
            StorageError::NoTransaction => DFS_ERR_NO_TRANSACTION,
            StorageError::Poisoned => DFS_ERR_POISONED,
            StorageError::InTransaction => DFS_ERR_IN_TRANSACTION,
            StorageError::BadRequest => DFS_ERR_BAD_REQUEST,
            StorageError::NeedsFeature(_) => DFS_ERR_NEEDS_FEATURE,
            _ => DFS_ERR_UNKNOWN,
        });
        match *error {
            StorageError::NodeUnreadable { address } => {
                (info.member, info.block) = (address.member.0.into(), address.block);
            }
            StorageError::RecordInvalid { object } | StorageError::RecordUnsupported { object } => {
                info.object = object.0;
            }
            StorageError::NeedsMemory { bytes } => info.bytes = bytes as u64,
            StorageError::OtherWriter { disk }
            | StorageError::Exchanged { disk }
            | StorageError::NoSpaceBelow { disk }
            | StorageError::RefusedBelow { disk } => info.disk = disk.0 as i32,
            _ => {}
        }
        info
    }

    /// Why a pool was not mounted; `memory` tells the bytes that the caller must lend for these needs.
    #[inline(never)]
    pub(crate) fn of_mount(error: &MountError, memory: impl FnOnce(MemoryNeeds) -> u64) -> Self {
        let mut info = Self::of(match error {
            MountError::NoPool => DFS_ERR_NO_POOL,
            MountError::LabelUnreadable { .. } => DFS_ERR_LABEL_UNREADABLE,
            MountError::Unsupported { .. } => DFS_ERR_UNSUPPORTED,
            MountError::Truncated { .. } => DFS_ERR_TRUNCATED,
            MountError::LargeSectors { .. } => DFS_ERR_LARGE_SECTORS,
            MountError::LabelsDisagree { .. } => DFS_ERR_LABELS_DISAGREE,
            MountError::Cloned { .. } => DFS_ERR_CLONED,
            MountError::NoSuperblock => DFS_ERR_NO_SUPERBLOCK,
            MountError::Missing { .. } => DFS_ERR_MISSING,
            MountError::Unfinished { .. } => DFS_ERR_UNFINISHED,
            MountError::Diverged { .. } => DFS_ERR_DIVERGED,
            MountError::NeedsFeature(_) => DFS_ERR_NEEDS_FEATURE,
            MountError::NeedsMemory(_) => DFS_ERR_NEEDS_MEMORY,
            MountError::Entropy => DFS_ERR_ENTROPY,
            MountError::Storage(error) => return Self::of_storage(error),
            _ => DFS_ERR_UNKNOWN,
        });
        match *error {
            MountError::Truncated { disk, needed, .. } => (info.disk, info.bytes) = (disk.0 as i32, needed),
            MountError::Unsupported { disk, .. }
            | MountError::LabelUnreadable { disk }
            | MountError::LargeSectors { disk, .. }
            | MountError::LabelsDisagree { disk }
            | MountError::Cloned { second: disk, .. }
            | MountError::Diverged { second: disk, .. } => info.disk = disk.0 as i32,
            MountError::NeedsMemory(needs) => info.bytes = memory(needs),
            _ => {}
        }
        info
    }

    /// Why a pool was not made, in the same way.
    #[inline(never)]
    pub(crate) fn of_format(error: &FormatError, memory: impl FnOnce(MemoryNeeds) -> u64) -> Self {
        let mut info = Self::of(match error {
            FormatError::DiskCount { .. } => DFS_ERR_DISK_COUNT,
            FormatError::TooFewDisks { .. } => DFS_ERR_TOO_FEW_DISKS,
            FormatError::Parameter(_) => DFS_ERR_PARAMETER,
            FormatError::DiskTooSmall { .. } => DFS_ERR_DISK_TOO_SMALL,
            FormatError::DiskTooLarge { .. } => DFS_ERR_DISK_TOO_LARGE,
            FormatError::Geometry { .. } => DFS_ERR_GEOMETRY,
            FormatError::InUse { .. } => DFS_ERR_IN_USE,
            FormatError::LabelUnreadable { .. } => DFS_ERR_LABEL_UNREADABLE,
            FormatError::Io { .. } | FormatError::Overwritten { .. } => DFS_ERR_IO,
            FormatError::Entropy => DFS_ERR_ENTROPY,
            FormatError::NeedsMemory(_) => DFS_ERR_NEEDS_MEMORY,
            FormatError::Storage(error) => return Self::of_storage(error),
            _ => DFS_ERR_UNKNOWN,
        });
        match *error {
            FormatError::DiskTooSmall { disk, bytes } | FormatError::DiskTooLarge { disk, bytes } => {
                (info.disk, info.bytes) = (disk.0 as i32, bytes);
            }
            FormatError::Geometry { disk }
            | FormatError::InUse { disk, .. }
            | FormatError::LabelUnreadable { disk, .. }
            | FormatError::Overwritten { disk }
            | FormatError::Io { disk, .. } => {
                info.disk = disk.0 as i32;
            }
            FormatError::NeedsMemory(needs) => info.bytes = memory(needs),
            _ => {}
        }
        info
    }
}
