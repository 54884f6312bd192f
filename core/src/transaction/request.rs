//! What is asked of a mount.

use super::histories::Prefer;
use crate::build::MANAGE;
use crate::types::Uuid;
use dynamicfs_hal::{Clock, Crc32c};

/// How a pool is mounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MountMode {
    /// For reading: nothing is written.
    ReadOnly,
    /// For reading and writing.
    ReadWrite,
    /// For reading and writing, declaring absent members dead, where the pool cannot be written without them.
    /// They could hold a newer state, or more are away or owed something than it tolerates. What they alone
    /// hold is given up, they are taken out of the pool, and a new history begins, under this random name.
    /// Where nothing keeps the pool from being written, as [`ReadWrite`](Self::ReadWrite).
    AssumeMissingDead {
        /// The name of the new history, random.
        branch: u64,
    },
    /// For reading what can be read, whichever members are missing. Absent members could hold a newer state,
    /// and parts of the tree and of the contents may be lost. Nothing is written, and what is served is
    /// always tentative.
    Salvage,
}

/// What is to be mounted, and how.
#[derive(Clone, Copy)]
pub struct MountRequest<'m> {
    /// The pool, where disks of several may be among the array's; `None` takes the first that is found.
    pub pool: Option<Uuid>,
    /// For reading or writing.
    pub mode: MountMode,
    /// Which history to go on with, where the disks hold several; `None` refuses those.
    pub prefer: Option<Prefer>,
    /// CRC-32C, by the fastest means of the machine.
    pub crc32c: Crc32c,
    /// Time.
    pub clock: &'m dyn Clock,
}

impl MountRequest<'_> {
    /// The feature that this build lacks for it: what only an operator can decide.
    pub(super) fn lacks(&self) -> Option<&'static str> {
        let decides =
            self.prefer.is_some() || !matches!(self.mode, MountMode::ReadOnly | MountMode::ReadWrite);
        (!MANAGE && decides).then_some("manage")
    }
}
