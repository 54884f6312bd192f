//! Why a command failed: a code for machines; what, where and why for people; and the next command to type.

use super::histories::History;
use super::size;
use super::typed::all_addressed;
use crate::host::activity::Activity;
use crate::host::machine::Lack;
use dynamicfs_core::error::Error;
use dynamicfs_core::error::FormatError;
use dynamicfs_core::error::MemberError;
use dynamicfs_core::error::MountError;
use dynamicfs_core::error::StorageError;
use dynamicfs_core::types::DiskIndex;
use dynamicfs_hal::IoError;
use schemars::JsonSchema;
use serde::Serialize;
use std::fmt::Display;
use std::io;

/// Exit codes of all commands but `health`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Done = 0,
    Failed = 1,
    Usage = 2,
    Refused = 3,
    Damaged = 4,
    Busy = 5,
    Interrupted = 6,
}

/// What went wrong, for machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Code {
    /// The arguments make no sense.
    Usage,
    /// No pool was named, or the folder holds none.
    NoPool,
    /// The pool's folder or one of its files cannot be used as it is.
    BadPool,
    /// There is a pool already, or a disk belongs to one.
    InUse,
    /// Another process has the pool open.
    Busy,
    /// Members are missing that could hold a newer state.
    MembersMissing,
    /// Disks hold different histories of the pool.
    Diverged,
    /// Two disks carry the same identity.
    Cloned,
    /// Something else writes to the disks of the pool.
    OtherWriter,
    /// Another disk is where a member was.
    Exchanged,
    /// The power went while the pool was made.
    Unfinished,
    /// The pool was made by a version that this one does not know.
    Unsupported,
    /// What was asked for needs `--yes` or a typed confirmation.
    NotConfirmed,
    /// What was asked for would lose data.
    WouldLoseData,
    /// The pool was opened for reading, or takes no writes any more.
    ReadOnly,
    /// Too few disks are left to continue.
    TooFewDisks,
    /// Whether the last change happened is known when the pool is opened again.
    OutcomeUnknown,
    /// The pool is full.
    NoSpace,
    /// What a disk is stored in is full: the filesystem below an image, the pool below a thin volume.
    NoSpaceBelow,
    /// `--memory` is too small.
    NeedsMemory,
    /// No such file, directory or disk.
    NotFound,
    /// The name is taken.
    Exists,
    /// Not a directory.
    NotADirectory,
    /// A directory.
    IsADirectory,
    /// The directory has entries.
    NotEmpty,
    /// A path or name that cannot be.
    InvalidName,
    /// A value outside its limits.
    InvalidArgument,
    /// Bytes are lost: too few fragments can be read.
    Unreadable,
    /// Part of the pool's own records is lost.
    Damaged,
    /// A file outside the pool changed or vanished while it was read.
    SourceChanged,
    /// The operating system refused something.
    Host,
    /// This machine lacks something: descriptors, memory, locks. The disks are not to blame.
    HostLimit,
    /// The filesystem that something is in is mounted read-only. The disks are not to blame.
    HostReadOnly,
    /// Part of the work failed.
    Partial,
    /// The process was asked to stop.
    Interrupted,
}

impl Code {
    const fn exit(self) -> Exit {
        match self {
            Self::Usage => Exit::Usage,
            Self::Busy | Self::OtherWriter => Exit::Busy,
            Self::MembersMissing
            | Self::Diverged
            | Self::Cloned
            | Self::Unfinished
            | Self::NotConfirmed
            | Self::WouldLoseData
            | Self::InUse => Exit::Refused,
            Self::Unreadable | Self::Damaged => Exit::Damaged,
            Self::Interrupted => Exit::Interrupted,
            _ => Exit::Failed,
        }
    }
}

/// Why a command failed.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    code: Code,
    message: String,
    hint: Option<String>,
    histories: Option<Vec<History>>,
    activity: Option<Box<Activity>>,
    /// The place of the disk in the array that the message calls by it.
    disk: Option<DiskIndex>,
}

/// A failure as JSON has it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct ErrorBody {
    /// What went wrong, from a finite list.
    pub(crate) code: Code,
    /// The same for people.
    pub(crate) message: String,
    /// What to do next.
    pub(crate) hint: Option<String>,
    /// Where a pool was not opened for safety: the histories that its disks hold, the newest first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) histories: Option<Vec<History>>,
    /// Where another process has the pool: what that does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) activity: Option<Activity>,
}

impl Failure {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None, histories: None, activity: None, disk: None }
    }

    /// The same with the disk's name in the place of its number, where it is about one.
    #[must_use]
    pub(crate) fn naming(self, name: impl FnOnce(usize) -> Option<String>) -> Self {
        let Some((disk, name)) = self.disk.and_then(|disk| Some((disk, name(disk.0)?))) else { return self };
        Self { message: self.message.replacen(&format!("disk {disk}"), &name, 1), ..self }
    }

    /// The same in other words.
    #[must_use]
    pub(crate) fn reworded(self, message: impl Into<String>) -> Self {
        Self { message: message.into(), ..self }
    }

    /// Says what to do next.
    #[must_use]
    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// Adds what the disks hold.
    #[must_use]
    pub(crate) fn histories(self, histories: Vec<History>) -> Self {
        Self { histories: Some(histories), ..self }
    }

    /// Adds what the process does that has the pool.
    #[must_use]
    pub(crate) fn activity(self, activity: Activity) -> Self {
        Self { activity: Some(Box::new(activity)), ..self }
    }

    /// Puts what was being done in front.
    #[must_use]
    pub(crate) fn while_doing(self, what: impl Display) -> Self {
        Self { message: format!("{what}: {}", self.message), ..self }
    }

    /// Says more, behind it.
    #[must_use]
    pub(crate) fn and(self, more: impl Display) -> Self {
        Self { message: format!("{}; {more}", self.message), ..self }
    }

    /// The operating system refused: `what` as in "cannot *read /etc/shadow*".
    pub(crate) fn host(what: impl Display, error: &io::Error) -> Self {
        let lack = Lack::of(error);
        let code = match lack {
            Some(Lack::ReadOnly) => Code::HostReadOnly,
            Some(_) => Code::HostLimit,
            None if error.kind() == io::ErrorKind::NotFound => Code::NotFound,
            None => Code::Host,
        };
        let failure = Self::new(code, format!("cannot {what}: {}", plain(error)));
        Self { hint: lack.map(|lack| lack.cure().to_owned()), ..failure }
    }

    /// An object at a path of the pool.
    pub(crate) fn object(error: Error, path: impl Display) -> Self {
        Self::from(error).while_doing(path)
    }

    /// A disk of this name, which stands for DISK in what is to be done next.
    pub(crate) fn disk(error: impl Into<Self>, name: &str) -> Self {
        let failure = error.into().while_doing(name);
        Self { hint: failure.hint.map(|hint| hint.replace(" DISK`", &format!(" {name}`"))), ..failure }
    }

    pub(crate) const fn code(&self) -> Code {
        self.code
    }

    pub(crate) const fn exit(&self) -> Exit {
        self.code.exit()
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// What helps, as it is told.
    pub(crate) fn hint_text(&self) -> Option<String> {
        self.hint.as_deref().map(all_addressed)
    }

    pub(crate) fn body(&self) -> ErrorBody {
        ErrorBody {
            code: self.code,
            message: self.message.clone(),
            hint: self.hint_text(),
            histories: self.histories.clone(),
            activity: self.activity.as_deref().cloned(),
        }
    }
}

/// The system's words without the number.
pub(crate) fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(end) => text[..end].to_lowercase(),
        None => text,
    }
}

/// What helps where what disks are stored in is full.
const MAKE_ROOM: &str = "make room in the filesystem that the disk is stored in; `dynamicfs trim` gives it what is free in the pool";

/// What helps where a pool's own records cannot be read.
const NOT_OPENED: &str = "attach the disks that are missing or were set back: `dynamicfs labels` shows what is on each; \
    `dynamicfs salvage DEST` copies out what can be read, and changes nothing";

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Self {
        let (code, hint) = match error {
            StorageError::RecordUnsupported { .. } => {
                (Code::Unsupported, "use the version that wrote it, or a newer one")
            }
            StorageError::NodeUnreadable { .. } | StorageError::RecordInvalid { .. } => (
                Code::Damaged,
                "see which disks are missing with `dynamicfs disk list`, and what is damaged with `dynamicfs check`",
            ),
            StorageError::NoSpace | StorageError::TreeFull => (
                Code::NoSpace,
                "see what is free with `dynamicfs status`; `dynamicfs rm PATH` gives space back",
            ),
            StorageError::NoSpaceBelow { .. } => (Code::NoSpaceBelow, MAKE_ROOM),
            StorageError::RefusedBelow { .. } => (Code::HostLimit, Lack::Memory.cure()),
            StorageError::NeedsMemory { .. } => (Code::NeedsMemory, "lend more with --memory"),
            StorageError::TooFewDisks { .. } => {
                (Code::TooFewDisks, "see which disks failed with `dynamicfs disk list`")
            }
            StorageError::ReadOnly => (Code::ReadOnly, "see why with `dynamicfs health`"),
            StorageError::OutcomeUnknown => {
                (Code::OutcomeUnknown, "see what is there with `dynamicfs ls`, then repeat what is not")
            }
            StorageError::OtherWriter { .. } => (
                Code::OtherWriter,
                "find the program that has these disks open, and stop it; then run the command again",
            ),
            // Of a command that had begun what it did before stays done.
            StorageError::Exchanged { .. } => (
                Code::Exchanged,
                "see which disk is where with `dynamicfs labels`; put the pool's own disk back",
            ),
            _ => (Code::InvalidArgument, "run the command again"),
        };
        let disk = match error {
            StorageError::OtherWriter { disk }
            | StorageError::Exchanged { disk }
            | StorageError::NoSpaceBelow { disk }
            | StorageError::RefusedBelow { disk } => Some(disk),
            _ => None,
        };
        Self { disk, ..Self::new(code, error.to_string()).hint(hint) }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let code = match error {
            Error::NotFound => Code::NotFound,
            Error::Exists => Code::Exists,
            Error::NotADirectory => Code::NotADirectory,
            Error::IsADirectory | Error::NotAFile => Code::IsADirectory,
            Error::NotEmpty => Code::NotEmpty,
            Error::InvalidName => Code::InvalidName,
            Error::Unreadable { offset, .. } => {
                let message = format!(
                    "the bytes from {offset} on cannot be read: too many fragments are missing or damaged"
                );
                return Self::new(Code::Unreadable, message)
                    .hint("see which disks are missing with `dynamicfs disk list`");
            }
            Error::Storage(error) => return error.into(),
            _ => Code::InvalidArgument,
        };
        Self::new(code, error.to_string())
    }
}

impl From<FormatError> for Failure {
    fn from(error: FormatError) -> Self {
        let message = error.to_string();
        match error {
            FormatError::TooFewDisks { .. } | FormatError::DiskCount { .. } => {
                Self::new(Code::InvalidArgument, message)
                    .hint("give more disks, or a --scheme that needs fewer, as `mirror:2`")
            }
            FormatError::DiskTooSmall { bytes, .. } => {
                let least = size::show(bytes, false);
                Self::new(
                    Code::InvalidArgument,
                    format!("too small: a disk of such a pool has at least {bytes} bytes ({least})"),
                )
                .hint("give larger disks")
            }
            FormatError::DiskTooLarge { bytes, .. } => {
                let most = size::show(bytes, false);
                Self::new(
                    Code::InvalidArgument,
                    format!("too large: a disk of such a pool has at most {bytes} bytes ({most})"),
                )
                .hint("give smaller disks")
            }
            FormatError::Geometry { .. } => Self::new(Code::InvalidArgument, message)
                .hint("leave --portable, --node-size and --chunk out for disks with large sectors"),
            FormatError::InUse { .. } => Self::new(Code::InUse, message)
                .hint("name another disk; --force overwrites what is on this one"),
            FormatError::LabelUnreadable { .. } => Self::new(Code::InUse, message)
                .hint("see that the disk can be read; --force overwrites what may be on it"),
            FormatError::NeedsMemory(_) => {
                Self::new(Code::NeedsMemory, message).hint("lend more with --memory")
            }
            FormatError::Io { error: IoError::NoSpace, .. } => {
                Self::new(Code::NoSpaceBelow, message).hint("make room there, and run the command again")
            }
            FormatError::Io { .. } | FormatError::Overwritten { .. } | FormatError::Entropy => {
                Self::new(Code::Host, message)
            }
            FormatError::Storage(StorageError::NoSpaceBelow { .. }) => {
                Self::new(Code::NoSpaceBelow, message).hint("make room there, and run the command again")
            }
            FormatError::Storage(error) => error.into(),
            _ => Self::new(Code::InvalidArgument, message),
        }
    }
}

impl From<MemberError> for Failure {
    fn from(error: MemberError) -> Self {
        let (code, hint) = match error {
            MemberError::Disk(FormatError::Geometry { .. }) => (
                Code::InvalidArgument,
                "use a disk with smaller sectors: what the pool's disks may have was settled when it was made",
            ),
            MemberError::Disk(error) => return error.into(),
            MemberError::Pool(error) => return error.into(),
            MemberError::NotAMember => (Code::NotFound, "see the members with `dynamicfs disk list`"),
            MemberError::Away => (
                Code::TooFewDisks,
                "attach it, or have its data rebuilt elsewhere: `dynamicfs disk fail DISK`, then `dynamicfs rebuild start`",
            ),
            MemberError::NotGrown => (
                Code::InvalidArgument,
                "enlarge the file, volume or partition first; see `dynamicfs disk list`",
            ),
            MemberError::TakesPart => (Code::Exists, "see the members with `dynamicfs disk list`"),
            MemberError::HoldsData { .. } => (
                Code::WouldLoseData,
                "empty it first with `dynamicfs disk drain DISK`; one that is gone: `dynamicfs disk fail DISK`, then `dynamicfs rebuild start`",
            ),
            MemberError::TooFewDisks { .. } => {
                (Code::TooFewDisks, "add a disk first with `dynamicfs disk add NEW-DISK`")
            }
            MemberError::TooLittleSpace { .. } => {
                (Code::NoSpace, "add a disk first with `dynamicfs disk add NEW-DISK`, or remove files")
            }
            _ => (Code::InvalidArgument, "see the members with `dynamicfs disk list`"),
        };
        let message = match error {
            MemberError::TooLittleSpace { used, free } => {
                let [used, free] = [used, free].map(|bytes| size::show(bytes, false));
                format!("it holds {used}, and {free} are free on the others")
            }
            MemberError::HoldsData { bytes } => format!("it still holds {}", size::show(bytes, false)),
            error => error.to_string(),
        };
        Self::new(code, message).hint(hint)
    }
}

impl From<MountError> for Failure {
    fn from(error: MountError) -> Self {
        let (code, hint) = match error {
            MountError::Missing { .. } => (
                Code::MembersMissing,
                "attach the missing disks; only if they are gone for good: --force-degraded, which begins a new history without them",
            ),
            MountError::Diverged { .. } => {
                (Code::Diverged, "choose one with --branch; `dynamicfs labels` shows what is on the disks")
            }
            MountError::Unfinished { .. } => (
                Code::Unfinished,
                "nothing was stored in it yet: make it again, with the same disks and --force",
            ),
            MountError::NoSuchHistory => {
                (Code::NotFound, "see which histories there are with `dynamicfs labels`")
            }
            MountError::Cloned { .. } => (Code::Cloned, "detach the copy"),
            MountError::Unsupported { .. } => {
                (Code::Unsupported, "use the version that made the pool, or a newer one")
            }
            MountError::Truncated { .. } => (
                Code::MembersMissing,
                "give the disk its size back; what is there can be read with --read-only, or copied out with `dynamicfs salvage DEST`",
            ),
            MountError::LargeSectors { .. } => {
                (Code::MembersMissing, "attach the disk as it was attached when it became a member")
            }
            MountError::NeedsMemory(_) => (Code::NeedsMemory, "lend more with --memory"),
            MountError::LabelUnreadable { .. } => {
                (Code::BadPool, "see that the disk is attached as it was and can be read")
            }
            MountError::NoPool | MountError::NoSuperblock | MountError::LabelsDisagree { .. } => {
                (Code::BadPool, "see what is on the disks with `dynamicfs labels`")
            }
            // No command opens it that needs it whole.
            MountError::Storage(StorageError::NodeUnreadable { .. } | StorageError::RecordInvalid { .. }) => {
                (Code::Damaged, NOT_OPENED)
            }
            MountError::Storage(error) => return error.into(),
            _ => (Code::BadPool, "see what is on the disks with `dynamicfs labels`"),
        };
        Self::new(code, error.to_string()).hint(hint)
    }
}
