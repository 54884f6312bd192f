//! Rare paths by name, seen from outside the core: a campaign that never went one of them has not tested it.

/// Declares the probes with their names and meanings, once.
macro_rules! probes {
    ($($(#[doc = $doc:literal])+ $probe:ident = $name:literal;)+) => {
        /// A rare path.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Probe {
            $($(#[doc = $doc])+ $probe,)+
        }

        impl Probe {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$probe,)+];

            /// Its name in reports.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$probe => $name,)+ }
            }

            /// What was seen, in a line.
            pub const fn story(self) -> &'static str {
                match self { $(Self::$probe => concat!($($doc),+).trim_ascii(),)+ }
            }
        }
    };
}

probes! {
    /// A mount after a crash found the commit that had not been acknowledged.
    RolledForward = "rolled-forward";
    /// A mount after a crash found the last acknowledged commit while one was in flight.
    RolledBackward = "rolled-backward";
    /// The power went while superblocks were being written: some disks had one state, some the other.
    CommitOnSomeDisks = "commit-on-some-disks";
    /// The power went during a mount, and the mount after it was right.
    CrashInRecovery = "crash-in-recovery";
    /// The power went during the mount after a crash during a mount.
    CrashInRecoveryTwice = "crash-in-recovery-twice";
    /// The power went during upkeep.
    CrashInMaintenance = "crash-in-maintenance";
    /// The process died, and the power went before its writes were flushed.
    ProcessThenPower = "process-then-power";
    /// A commit continued without a disk that failed inside it.
    CommitWithoutDisk = "commit-without-disk";
    /// A commit was refused because too few disks were left.
    CommitTooFewDisks = "commit-too-few-disks";
    /// A commit's outcome was unknown until the next mount.
    OutcomeUnknown = "outcome-unknown";
    /// Everything was read with as many disks gone as the scheme bears.
    ReadWithAllLost = "read-with-all-lost";
    /// An extent was reconstructed to be read.
    Decoded = "decoded";
    /// A bad fragment that a read found was rewritten.
    Repaired = "repaired";
    /// The check named a bad fragment.
    FragmentNamed = "fragment-named";
    /// The check named a bad replica of a node.
    ReplicaNamed = "replica-named";
    /// What a member had missed was rebuilt.
    Rebuilt = "rebuilt";
    /// After a rebuild nothing was damaged any more, and other disks could be damaged.
    WholeAgain = "whole-again";
    /// A new disk became a member.
    Added = "added";
    /// A member was emptied and left.
    Left = "left";
    /// A member was drained, and used again or kept empty.
    Drained = "drained";
    /// Draining a member was called off half-way.
    DrainCancelled = "drain-cancelled";
    /// A member that was given up was rebuilt elsewhere.
    RebuiltElsewhere = "rebuilt-elsewhere";
    /// A spare disk took the place of a member that failed.
    SpareUsed = "spare-used";
    /// An operation on members was cut short, and had happened.
    MembersChangedAnyway = "members-changed-anyway";
    /// A scrub came to its end.
    Scrubbed = "scrubbed";
    /// A rebalance came to its end.
    Rebalanced = "rebalanced";
    /// An object was to be stored in another scheme.
    SchemeChanged = "scheme-changed";
    /// The same in the midst of a transaction, between two changes of the object's contents.
    SchemeChangedWithin = "scheme-changed-within";
    /// Another job than a rebuild was called off before the pool came to rest.
    OtherJobCancelled = "other-job-cancelled";
    /// The free map was counted anew.
    Recounted = "recounted";
    /// A mount was refused because members were missing.
    MountRefused = "mount-refused";
    /// A mount continued without a member.
    MountedWithout = "mounted-without";
    /// A disk came back and was known to be stale.
    StaleDisk = "stale-disk";
    /// A disk that had lost what it had acknowledged was known as rolled back.
    RolledBackDisk = "rolled-back-disk";
    /// A disk was set back while nothing was written to it, and a commit told of it.
    SetBackNoticed = "set-back-noticed";
    /// A disk was set back so far that it could be a copy's, and too few others knew the newest state. The
    /// pool was refused until the right disk was there again.
    SetBackRefused = "set-back-refused";
    /// A disk that had been enlarged was used to its new end.
    Grown = "grown";
    /// A cloned identity was refused.
    CloneRefused = "clone-refused";
    /// A disk of another pool was left alone.
    ForeignDisk = "foreign-disk";
    /// A disk without a label was left alone.
    UnlabelledDisk = "unlabelled-disk";
    /// An override brought back an older state.
    OverrideWentBack = "override-went-back";
    /// Two histories of one pool were refused.
    SplitRefused = "split-refused";
    /// One of two histories was chosen, and nothing but it was there.
    SideChosen = "side-chosen";
    /// A disk of the history that was given up came back as a new member.
    SideReturned = "side-returned";
    /// There was no space left, and the transaction was undone.
    NoSpace = "no-space";
    /// What a disk is stored in had no room, the transaction was undone, and the disk stayed in use.
    NoSpaceBelow = "no-room-below";
    /// The system refused to write to a disk, the transaction was undone, and the disk stayed in use.
    RefusedBelow = "refused-below";
    /// Dead blocks were swept.
    Swept = "swept";
    /// Free space was given back to a disk.
    Trimmed = "trimmed";
    /// The power went during a trim.
    CrashInTrim = "crash-in-trim";
    /// A deleted object's extents were freed.
    Reaped = "reaped";
    /// A hole was punched.
    Punched = "punched";
    /// Contents moved from one file to another.
    Moved = "moved";
    /// An object that lost its name, or never had one, was there as long as it was held.
    Held = "held";
    /// An object without a name was given one.
    NamedLater = "named-later";
    /// After all damage the pool was clean again, and another disk could be damaged.
    CleanAgain = "clean-again";
    /// Two disks or more were damaged in places, and everything was still there.
    ScatteredDamage = "scattered-damage";
    /// A read that took too long was given up, and answered by others.
    HedgedRead = "hedged-read";
    /// A slow disk was asked less than the others.
    SlowDiskAvoided = "slow-disk-avoided";
    /// A disk that made errors or was slow by any measure was degraded.
    DiskDegraded = "disk-degraded";
    /// Upkeep took a disk out of use for its errors.
    FailedByErrors = "failed-by-errors";
    /// A pool with members that hold nothing took commits.
    Witness = "witness";
    /// A pool with tiers, failure domains and weights took commits.
    FailureDomains = "failure-domains";
    /// A pool whose tree bears the loss of more disks than its data took commits.
    ToleranceAboveParity = "tolerance-above-parity";
    /// A pool with three or four parity fragments took commits.
    ThreeParities = "three-parities";
    /// A pool with more than four data fragments took commits.
    WideStripes = "wide-stripes";
    /// A pool with 17 members or more took commits.
    ManyMembers = "many-members";
    /// A pool on disks with different sectors and tear units took commits.
    MixedSectors = "mixed-sectors";
    /// A machine with batches of a few requests took commits.
    SmallBatches = "small-batches";
    /// Callers' buffers were where no disk would have them, and commits were taken.
    UnalignedBuffers = "unaligned-buffers";
    /// A pool in the least memory with which it can be mounted took commits.
    LeastMemory = "least-memory";
    /// A pool with extents of 4 MiB and nodes of 512 bytes took commits.
    LargeExtents = "large-extents";
    /// An object had dozens of long attributes.
    ManyAttributes = "many-attributes";
    /// Names whose hashes are equal stood beside each other.
    HashCollision = "hash-collision";
    /// A sweep took more than one commit.
    SweepWindows = "sweep-windows";
    /// A job took steps as short as can be while members lacked commits.
    ShortSteps = "short-steps";
    /// A machine without a clock took commits.
    NoClock = "no-clock";
    /// A pool that gives disks up for a few errors took commits.
    StrictThresholds = "strict-thresholds";
    /// A member was not owed anything any more, and all that it should have was there.
    ClearedProved = "cleared-proved";
    /// A pool at rest lost as many disks as it bears, and everything was read.
    LostAtRest = "lost-at-rest";
    /// A scrub repaired what had rotted, and the second replica of it as well.
    ScrubbedTwice = "scrubbed-twice";
    /// There was no space left, and then something was deleted.
    DeleteOnFullPool = "delete-on-full-pool";
    /// A disk was lost between a crash and its recovery that alone held the newest state.
    LostNewestAlone = "lost-newest-alone";
    /// A recovery was cut short, and a disk was lost before the next one.
    LostBetweenRecoveries = "lost-between-recoveries";
    /// A disk that was lost before a recovery came back after it.
    LostCameBack = "lost-came-back";
    /// More disks failed in one batch of superblocks than may be lost, and the commit was not acknowledged.
    SuperblockBatchRefused = "superblock-batch-refused";
    /// What a mount served that wrote nothing was still there after a power cut.
    ServedIsDurable = "served-is-durable";
    /// A flush failed on a pool without redundancy, and nothing acknowledged was lost.
    FlushFailedAlone = "flush-failed-alone";
    /// Another pool's disk was put into a place in use and nothing was written to it.
    StrangerSpared = "stranger-spared";
    /// Two users of one pool wrote to it, and one of them was refused.
    RivalRefused = "rival-refused";
    /// A first format that was cut short was made anew.
    FormattedAnew = "formatted-anew";
    /// A first format that was cut short was a pool all the same.
    CutFormatMounted = "cut-format-mounted";
    /// An override was cut short, and made again.
    OverrideCut = "override-cut";
    /// The choice of a history was cut short, and made again.
    SideChoiceCut = "side-choice-cut";
    /// History was split while a disk was states ahead that was never acknowledged.
    SplitAhead = "split-ahead";
    /// What was left of a pool was taken out of it.
    Salvaged = "salvaged";
    /// A member that held something was removed, and its share was lost.
    RemovedWithLoss = "removed-with-loss";
    /// A member vanished just before it was removed.
    VanishedAndRemoved = "vanished-and-removed";
    /// A call that has no place inside a transaction was refused there.
    MisuseRefused = "misuse-refused";
    /// A transaction was forgotten, and the next one had nothing of it.
    Forgotten = "forgotten";
    /// A deleted object was used by its number.
    DeletedUsed = "deleted-used";
    /// Beyond the bound: a read gave a typed error.
    NamedLost = "named-lost";
    /// Beyond the bound: a mount gave a typed error.
    MountImpossible = "mount-impossible";
}

/// Where something can be seen at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// In any run.
    Either,
    /// In runs whose damage stays within what redundancy bears.
    Within,
    /// In runs whose damage does not.
    Beyond,
}

impl Probe {
    /// In which runs it can be seen.
    pub const fn bound(self) -> Bound {
        match self {
            Self::NamedLost | Self::MountImpossible => Bound::Beyond,
            // What is looked for where everything must be there.
            Self::RolledForward
            | Self::RolledBackward
            | Self::ReadWithAllLost
            | Self::Decoded
            | Self::FragmentNamed
            | Self::ReplicaNamed
            | Self::MountedWithout
            | Self::StaleDisk
            | Self::RolledBackDisk
            | Self::SetBackNoticed
            | Self::SetBackRefused
            | Self::Grown
            | Self::ForeignDisk
            | Self::UnlabelledDisk
            | Self::OverrideWentBack
            | Self::SplitRefused
            | Self::SideChosen
            | Self::SideReturned
            | Self::LostNewestAlone
            | Self::LostCameBack
            | Self::SuperblockBatchRefused
            | Self::ServedIsDurable
            | Self::FlushFailedAlone
            | Self::RivalRefused
            | Self::OverrideCut
            | Self::SideChoiceCut
            | Self::SplitAhead
            | Self::Salvaged
            | Self::RemovedWithLoss
            | Self::VanishedAndRemoved
            | Self::MisuseRefused
            | Self::Forgotten
            | Self::DeletedUsed
            | Self::CleanAgain
            | Self::ClearedProved
            | Self::LostAtRest
            | Self::ScrubbedTwice
            | Self::ScatteredDamage
            | Self::SlowDiskAvoided => Bound::Within,
            _ => Bound::Either,
        }
    }
}

/// How many probes there are.
pub(super) const PROBES: usize = Probe::ALL.len();

/// How often each was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbeCounts([u64; PROBES]);

impl Default for ProbeCounts {
    fn default() -> Self {
        Self([0; PROBES])
    }
}

impl ProbeCounts {
    pub(super) const fn hit(&mut self, probe: Probe) {
        self.0[probe as usize] += 1;
    }

    /// How often this one was seen.
    pub const fn of(&self, probe: Probe) -> u64 {
        self.0[probe as usize]
    }

    /// Adds another run's counts.
    pub fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(sum, count)| *sum += count);
    }
}
