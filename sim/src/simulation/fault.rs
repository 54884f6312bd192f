//! Everything that can go wrong, by name, and which of it a seed lets happen how often.

use super::probe::Bound;
use crate::Rng;

/// Declares the kinds with their names and what they are, once.
macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $kind:ident = $name:literal, $harm:ident;)+) => {
        /// A kind of fault.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum FaultKind {
            $($(#[doc = $doc])+ $kind,)+
        }

        impl FaultKind {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$kind,)+];

            /// Its name in reports and replay lines.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)+ }
            }

            /// What it does, in a line.
            pub const fn story(self) -> &'static str {
                match self { $(Self::$kind => concat!($($doc),+).trim_ascii(),)+ }
            }

            /// What it costs the pool.
            pub const fn harm(self) -> Harm {
                match self { $(Self::$kind => Harm::$harm,)+ }
            }
        }
    };
}

/// What a fault costs the pool, at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// Nothing that was acknowledged: the pool must continue as if it had not been.
    None,
    /// What one disk holds, in places.
    Contents,
    /// What one disk says about the pool's state: it does not count for a quorum any more.
    State,
    /// Anything: only beyond the bound.
    Anything,
}

kinds! {
    /// The power goes at some I/O; every unflushed write may be lost, whole tear units each, in any combination.
    PowerCut = "power-cut", None;
    /// As a power cut, and units that were being written are torn: parts, mixtures, garbage, unreadable.
    TornWrite = "torn-write", None;
    /// The process dies at some I/O; the volatile caches survive it, and a power cut later may not spare them.
    ProcessCrash = "process-crash", None;
    /// The power goes again at some I/O of the recovery.
    NestedCrash = "nested-crash", None;
    /// Bits of one byte turn.
    Rot = "rot", Contents;
    /// A stretch of up to four sectors turns to noise.
    RotBurst = "rot-burst", Contents;
    /// The newest superblocks of a disk rot.
    RotSuperblock = "rot-superblock", State;
    /// A disk's label rots, the first copy or the second.
    RotLabel = "rot-label", Contents;
    /// Sectors cannot be read until they are rewritten.
    LatentSector = "latent-sector", Contents;
    /// Places all over the disks rot, in every extent and node no more than it bears.
    Scattered = "scattered", None;
    /// The same addresses rot on as many disks as may be damaged.
    Correlated = "correlated", Contents;
    /// Some reads fail.
    ReadError = "read-error", State;
    /// Some reads give noise and report success.
    ReadNoise = "read-noise", State;
    /// Some reads are of another place.
    MisdirectedRead = "misdirected-read", State;
    /// A write fails and leaves anything.
    WriteError = "write-error", State;
    /// A write is acknowledged and never happens.
    LostWrite = "lost-write", State;
    /// A write goes elsewhere: to data, a superblock or a label.
    MisdirectedWrite = "misdirected-write", State;
    /// A flush fails, and the next one succeeds without what was cached then.
    FlushError = "flush-error", State;
    /// Flushes report success and do nothing.
    FlushLie = "flush-lie", State;
    /// A request times out, and the disk answers nothing until it is opened anew.
    Timeout = "timeout", State;
    /// Requests of one disk take seconds.
    Stall = "stall", None;
    /// A disk is slow from now on.
    SlowDisk = "slow-disk", None;
    /// A disk refuses writes.
    WriteProtected = "write-protected", State;
    /// A disk is taken away, and comes back stale.
    Unplugged = "unplugged", State;
    /// A new disk stands in a disk's place; the old one may come back.
    Replaced = "replaced", State;
    /// A copy of the disk that is one sector smaller stands in its place.
    ReplacedSmaller = "replaced-smaller", State;
    /// A disk of another pool stands in a disk's place.
    Foreign = "foreign", State;
    /// A disk is overwritten with zeros.
    Wiped = "wiped", State;
    /// A copy of a disk stands beside it.
    Cloned = "cloned", None;
    /// Two disks swap their places.
    Swapped = "swapped", None;
    /// A disk is set back to an older image.
    RolledBack = "rolled-back", State;
    /// A stretch of a disk is set back to an older image.
    RegionRolledBack = "region-rolled-back", State;
    /// Disks so small that they fill up.
    NoSpace = "no-space", None;
    /// Members that are absent are declared dead: history splits.
    Override = "override", None;
    /// Metadata that is wrong and has valid checksums.
    WellFormedLie = "well-formed-lie", Anything;
    /// Between a crash and its recovery a disk is lost, set back or cannot be read, often the one that alone holds the
    /// newest state.
    LostInRecovery = "lost-in-recovery", State;
    /// Several disks fail in one batch of superblocks, more of them than may be lost.
    SuperblockBatchFails = "superblock-batch-fails", None;
    /// After the death of a process a mount serves and writes nothing, then the power goes, and nothing survives that was
    /// not flushed.
    IdleMount = "idle-mount", None;
    /// While the pool is mounted another pool's disk, or a blank one, takes a disk's place.
    ExchangedDisk = "exchanged-disk", State;
    /// Another user of the same disks mounts the pool too and writes to it.
    SecondWriter = "second-writer", None;
    /// The first format is cut at some I/O, and the machine mounts, or else formats, as it does at every start.
    FirstFormatCut = "first-format-cut", None;
    /// An override or the choice of a history is cut at some I/O, and made again.
    ChoiceCut = "choice-cut", None;
    /// Calls in an unusual order that the API permits: inside a transaction, after one that was forgotten, on
    /// what was deleted.
    Misuse = "misuse", None;
    /// The storage of a disk has no room for some writes or for a flush, or the system refuses them. Later
    /// they succeed again.
    NoSpaceBelow = "no-space-below", State;
    /// A disk is set back by several commits. The pool is idle then, or not mounted, or has the disk out of
    /// use.
    SetBack = "set-back", State;
    /// A disk is enlarged while it is not open.
    Enlarged = "enlarged", None;
}

impl FaultKind {
    /// In which runs it can happen.
    pub const fn bound(self) -> Bound {
        match self {
            Self::Override | Self::ChoiceCut | Self::SecondWriter => Bound::Within,
            _ if matches!(self.harm(), Harm::Anything) => Bound::Beyond,
            _ => Bound::Either,
        }
    }
}

/// How many kinds there are.
pub(super) const KINDS: usize = FaultKind::ALL.len();

impl FaultKind {
    /// The kind of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }
}

/// A set of kinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultSet(u64);

impl FaultSet {
    /// No fault.
    pub const NONE: Self = Self(0);
    /// All kinds.
    pub const ALL: Self = Self((1 << KINDS) - 1);

    /// The set and this kind.
    #[must_use]
    pub const fn with(self, kind: FaultKind) -> Self {
        Self(self.0 | 1 << kind as u32)
    }

    /// The set without this kind.
    #[must_use]
    pub const fn without(self, kind: FaultKind) -> Self {
        Self(self.0 & !(1 << kind as u32))
    }

    /// All kinds that are not in it.
    #[must_use]
    pub const fn complement(self) -> Self {
        Self(Self::ALL.0 & !self.0)
    }

    /// Whether the kind belongs to it.
    pub const fn contains(self, kind: FaultKind) -> bool {
        self.0 >> kind as u32 & 1 == 1
    }

    /// Its kinds.
    pub fn iter(self) -> impl Iterator<Item = FaultKind> {
        FaultKind::ALL.iter().copied().filter(move |&kind| self.contains(kind))
    }
}

impl FromIterator<FaultKind> for FaultSet {
    fn from_iter<I: IntoIterator<Item = FaultKind>>(kinds: I) -> Self {
        kinds.into_iter().fold(Self::NONE, Self::with)
    }
}

/// Which faults a simulation may inject, and whether they stay within what redundancy bears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Faults {
    /// Kinds that a seed may switch on.
    pub kinds: FaultSet,
    /// Damage may exceed what redundancy bears: then every read gives right bytes or a typed error.
    pub beyond_the_bound: bool,
}

impl Faults {
    /// No fault at all.
    pub const fn none() -> Self {
        Self { kinds: FaultSet::NONE, beyond_the_bound: false }
    }

    /// Every kind, within what redundancy bears.
    pub const fn all() -> Self {
        Self { kinds: FaultSet::ALL, beyond_the_bound: false }
    }

    /// Power cuts, torn writes and process crashes alone.
    pub const fn crashes() -> Self {
        let kinds = FaultSet::NONE
            .with(FaultKind::PowerCut)
            .with(FaultKind::TornWrite)
            .with(FaultKind::ProcessCrash)
            .with(FaultKind::NestedCrash);
        Self { kinds, beyond_the_bound: false }
    }

    /// Every kind, without any bound.
    pub const fn beyond_the_bound() -> Self {
        Self { kinds: FaultSet::ALL, beyond_the_bound: true }
    }

    /// These kinds alone.
    pub fn only(kinds: impl IntoIterator<Item = FaultKind>) -> Self {
        Self { kinds: kinds.into_iter().collect(), beyond_the_bound: false }
    }
}

/// So many kinds are all switched on where no others may happen.
const FEW: usize = 4;

/// What one seed switched on: a weight for each kind, most of them 0. This is swarm testing: a run that can
/// do everything at once hardly ever does much of one thing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Swarm {
    weights: [u8; KINDS],
}

impl Swarm {
    pub(super) fn draw(faults: &Faults, rng: &mut Rng) -> Self {
        let mut weights = [0; KINDS];
        let drawn = *rng.pick(&[1, 2, 4, 8]);
        // Where few kinds are asked for, it is to see them together.
        let share = if faults.kinds.iter().count() <= FEW { 16 } else { drawn };
        for &kind in FaultKind::ALL {
            let weight = *rng.pick(&[1, 2, 4, 8]);
            let on = rng.chance(share, 16) || matches!(kind, FaultKind::PowerCut | FaultKind::TornWrite);
            let allowed =
                faults.kinds.contains(kind) && (faults.beyond_the_bound || kind.harm() != Harm::Anything);
            weights[kind as usize] = if on && allowed { weight } else { 0 };
        }
        Self { weights }
    }

    /// Switches everything else off.
    pub(super) fn restrict(&mut self, kinds: FaultSet) {
        for &kind in FaultKind::ALL {
            if !kinds.contains(kind) {
                self.weights[kind as usize] = 0;
            }
        }
    }

    pub(super) const fn is_on(&self, kind: FaultKind) -> bool {
        self.weights[kind as usize] > 0
    }

    /// One of the kinds that are injected between operations, or `None` when all of them are off.
    pub(super) fn pick(&self, rng: &mut Rng) -> Option<FaultKind> {
        let injected = |kind: &FaultKind| {
            !matches!(
                kind,
                FaultKind::PowerCut
                    | FaultKind::TornWrite
                    | FaultKind::ProcessCrash
                    | FaultKind::NestedCrash
                    | FaultKind::NoSpace
                    | FaultKind::Override
                    | FaultKind::LostInRecovery
                    | FaultKind::IdleMount
                    | FaultKind::SecondWriter
                    | FaultKind::FirstFormatCut
                    | FaultKind::ChoiceCut
                    | FaultKind::Misuse
            )
        };
        let total: u64 = FaultKind::ALL.iter().filter(|k| injected(k)).map(|&k| self.weight(k)).sum();
        let mut left = if total == 0 { return None } else { rng.below(total) };
        FaultKind::ALL.iter().copied().filter(|kind| injected(kind)).find(|&kind| {
            let weight = self.weight(kind);
            let found = left < weight;
            left = left.saturating_sub(weight);
            found
        })
    }

    fn weight(&self, kind: FaultKind) -> u64 {
        self.weights[kind as usize].into()
    }

    pub(super) fn kinds(&self) -> FaultSet {
        FaultKind::ALL.iter().copied().filter(|&kind| self.is_on(kind)).collect()
    }
}
