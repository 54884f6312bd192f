//! The phases of a pool's life, and how much stack each has used at most.

use board::stack;

/// A phase.
#[derive(Clone, Copy)]
pub(crate) enum Phase {
    /// Making a pool.
    Format,
    /// Writing and committing.
    Commit,
    /// Mounting what is whole.
    Mount,
    /// Mounting what a cut left behind, and cut off again.
    Recovery,
    /// Reading.
    Read,
    /// Mounting with a disk missing, or one that has come back.
    DegradedMount,
    /// Reading with a disk missing.
    DegradedRead,
    /// Writing and committing with a disk missing, or losing it.
    DegradedCommit,
}

/// All phases, in the order of the table.
pub(crate) const ALL: [Phase; 8] = [
    Phase::Format,
    Phase::Commit,
    Phase::Mount,
    Phase::Recovery,
    Phase::Read,
    Phase::DegradedMount,
    Phase::DegradedRead,
    Phase::DegradedCommit,
];

impl Phase {
    /// Its name in the table and in JSON.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Format => "format",
            Self::Commit => "commit",
            Self::Mount => "mount",
            Self::Recovery => "recovery",
            Self::Read => "read",
            Self::DegradedMount => "degraded mount",
            Self::DegradedRead => "degraded read",
            Self::DegradedCommit => "degraded commit",
        }
    }
}

/// The deepest stack of each phase, in bytes.
#[derive(Clone, Copy, Default)]
pub(crate) struct Peaks([usize; ALL.len()]);

impl Peaks {
    /// Runs a part of a phase and measures it.
    #[inline(never)]
    pub(crate) fn measure<T>(&mut self, phase: Phase, part: impl FnOnce() -> T) -> T {
        stack::paint();
        let done = part();
        let peak = &mut self.0[phase as usize];
        *peak = stack::peak().max(*peak);
        done
    }

    /// A phase's deepest stack.
    pub(crate) const fn of(&self, phase: Phase) -> usize {
        self.0[phase as usize]
    }

    /// The deepest of all.
    pub(crate) fn max(&self) -> usize {
        self.0.into_iter().max().unwrap_or(0)
    }
}
