//! The finite list of reasons for which a pool is not healthy.

use schemars::JsonSchema;
use serde::Serialize;

/// How much a reason matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Severity {
    /// For the record: the verdict stays "healthy".
    Info,
    /// It needs attention, and redundancy is complete.
    Warning,
    /// Redundancy or room is missing, everything can be read.
    Degraded,
    /// Data cannot be read, or the next failure loses some, or nothing can be written.
    Critical,
}

/// A reason for which a pool is not healthy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum ReasonCode {
    /// Extents cannot be read with the disks that are here.
    DataUnreadable,
    /// No further disk may fail without loss.
    NoTolerance,
    /// More members are away, or owed something, than the pool tolerates: it takes no writes.
    WritesRefused,
    /// A member is not here.
    DiskMissing,
    /// A scrub or rebuild found lost items; it names them.
    DataLost,
    /// A disk stopped working after the pool was opened, or was marked as failed.
    DiskFailed,
    /// A disk cannot be opened, or has lost its label.
    DiskUnusable,
    /// A disk at a place of the pool belongs to something else.
    DiskForeign,
    /// A disk holds another history of the pool, which was given up for this one.
    DiskDiverged,
    /// The operator took a disk out of use for a while.
    DiskOffline,
    /// A disk can be read and not written to: the pool takes no writes.
    DiskReadOnly,
    /// A disk takes part, and is owed what it missed.
    DiskBehind,
    /// Something has less redundancy than was asked for, and no member owes it.
    RedundancyShort,
    /// The last rebuild had no disks or no space for some of what is missing.
    RebuildIncomplete,
    /// The last scrub found no room for some of what it should have repaired: no count of redundancy knows
    /// of that.
    ScrubIncomplete,
    /// The last scrub did not read what was on disks that were away, or stopped answering.
    ScrubPartial,
    /// A rebuild was paused or interrupted.
    RebuildWaiting,
    /// A member is not in use, and nothing lies on it: it may be removed.
    DiskUnneeded,
    /// A witness takes no part: nothing lies on it, and fewer of the other disks may be gone.
    WitnessMissing,
    /// A disk takes part, and makes errors or is many times slower than the others: it is read last.
    DiskDegraded,
    /// The last scrub that read every copy is longer ago than 35 days, or when it was is not known.
    ScrubStale,
    /// What is on a disk is being moved away.
    DiskDraining,
    /// A disk holds nothing any more: it may be removed.
    DiskDrained,
    /// A disk is no member yet: adding it was interrupted.
    DiskAdding,
    /// A disk is no member any more, and pool.toml still lists it.
    DiskLeft,
    /// A scrub was paused or interrupted.
    ScrubWaiting,
    /// A rebalance was paused or interrupted.
    RebalanceWaiting,
    /// A repair was interrupted while it counted the free map anew.
    RepairWaiting,
    /// A disk is shorter than it was when it became a member, or was last grown: nothing is written to it.
    DiskTruncated,
    /// A disk tears more than a block: a power cut may damage other blocks than those being written.
    DiskTearsNeighbours,
    /// A disk has grown, and what it has gained is not in use yet.
    DiskGrown,
    /// A disk had errors or wrong bytes since they were last cleared, fewer than degrade it. The damage was
    /// repaired, or is another reason.
    DiskErrors,
    /// A disk has features of a newer version, with which this one may read the pool and not write to it.
    NewerFeatures,
    /// Extents are readable, with less redundancy than was asked for.
    ExtentsDegraded,
    /// The filesystem that disks' files are in has little room left, less than they may need.
    HostNearlyFull,
    /// The filesystem that disks' files are in is full: what needs new space in it cannot be written.
    HostFull,
    /// The pool has little room left for contents.
    NearlyFull,
    /// Nothing more is sure to find room in the pool.
    Full,
    /// If the fullest disk fails, the others have too little room for what it holds.
    NoRebuildRoom,
    /// Fewer disks may simply be gone than the data bears: more than half of the members must be there to
    /// open the pool.
    QuorumLimit,
    /// The policy of some contents bears the loss of fewer disks than the pool.
    PolicyLimit,
}

/// Gives the pool a disk more.
pub(crate) const ADD_DISK: &str = "dynamicfs disk add NEW-DISK";

/// Puts back redundancy that is missing.
pub(crate) const REBUILD: &str = "dynamicfs rebuild start";

/// Reads and proves everything.
pub(super) const SCRUB: &str = "dynamicfs scrub start";

impl ReasonCode {
    pub(crate) const fn severity(self) -> Severity {
        match self {
            Self::DataUnreadable
            | Self::DataLost
            | Self::NoTolerance
            | Self::WritesRefused
            | Self::DiskReadOnly
            | Self::HostFull
            | Self::Full => Severity::Critical,
            Self::DiskMissing
            | Self::DiskFailed
            | Self::DiskUnusable
            | Self::DiskForeign
            | Self::DiskDiverged
            | Self::DiskOffline
            | Self::RedundancyShort
            | Self::RebuildIncomplete
            | Self::ScrubIncomplete
            | Self::DiskBehind
            | Self::DiskTruncated
            | Self::ExtentsDegraded => Severity::Degraded,
            Self::NearlyFull
            | Self::NoRebuildRoom
            | Self::HostNearlyFull
            | Self::NewerFeatures
            | Self::RebuildWaiting
            | Self::DiskUnneeded
            | Self::WitnessMissing
            | Self::DiskDegraded
            | Self::DiskTearsNeighbours
            | Self::ScrubPartial
            | Self::ScrubStale => Severity::Warning,
            Self::QuorumLimit
            | Self::PolicyLimit
            | Self::DiskErrors
            | Self::DiskGrown
            | Self::DiskDraining
            | Self::DiskDrained
            | Self::DiskAdding
            | Self::DiskLeft
            | Self::ScrubWaiting
            | Self::RebalanceWaiting
            | Self::RepairWaiting => Severity::Info,
        }
    }

    /// Whether it is about a disk that does not take part, and may come back.
    pub(crate) const fn is_of_awaited(self) -> bool {
        matches!(
            self,
            Self::DiskMissing
                | Self::DiskUnusable
                | Self::DiskTruncated
                | Self::DiskForeign
                | Self::DiskDiverged
                | Self::DiskOffline
        )
    }

    /// The next command to type about this object.
    pub(crate) fn next(self, object: Option<&str>) -> String {
        let disk = object.unwrap_or("DISK");
        match self {
            Self::DataUnreadable => "dynamicfs check".into(),
            Self::NearlyFull | Self::Full => ADD_DISK.into(),
            Self::NoRebuildRoom => ADD_DISK.into(),
            Self::QuorumLimit => "dynamicfs disk add --witness NEW-DISK".into(),
            Self::PolicyLimit => "dynamicfs rebalance start --only policy".into(),
            Self::HostNearlyFull | Self::HostFull => "dynamicfs trim".into(),
            Self::DiskErrors => "dynamicfs metrics".into(),
            Self::NewerFeatures => "dynamicfs --version".into(),
            Self::DiskMissing
            | Self::DiskForeign
            | Self::DiskUnusable
            | Self::DiskTruncated
            | Self::DiskFailed
            | Self::DiskDegraded
            | Self::WitnessMissing => format!("dynamicfs disk replace {disk} NEW-DISK"),
            Self::DiskGrown => format!("dynamicfs disk grow {disk}"),
            Self::DiskOffline => format!("dynamicfs disk online {disk}"),
            Self::DiskBehind | Self::DiskDraining | Self::ExtentsDegraded | Self::RedundancyShort => {
                REBUILD.into()
            }
            Self::DiskDrained | Self::DiskUnneeded | Self::DiskLeft | Self::DiskAdding => {
                format!("dynamicfs disk remove {disk}")
            }
            _ => "dynamicfs disk list".into(),
        }
    }
}

/// A reason, and what it is about.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Reason {
    /// What it is, from a finite list.
    pub(crate) code: ReasonCode,
    /// How much it matters.
    pub(crate) severity: Severity,
    /// What it is about: a disk's name; null for the pool.
    pub(crate) object: Option<String>,
    /// How many extents, errors, percent: what the message says.
    pub(crate) count: u64,
    /// The same for people.
    pub(crate) message: String,
    /// The next command to type.
    pub(crate) next: String,
}

impl Reason {
    pub(crate) fn new(
        code: ReasonCode,
        object: Option<&str>,
        count: u64,
        message: impl Into<String>,
    ) -> Self {
        Self {
            code,
            severity: code.severity(),
            object: object.map(ToOwned::to_owned),
            count,
            message: message.into(),
            next: code.next(object),
        }
    }
}
