//! The states in which commands are told, by what tells them.

mod disk_commands;
mod disks;
mod files;
mod jobs;
mod opening;
mod pool;

use super::{Row, Then};
pub(crate) use disk_commands::DISK_COMMANDS;
pub(crate) use disks::DISKS;
pub(crate) use files::FILES;
pub(crate) use jobs::JOBS;
pub(crate) use opening::OPENING;
pub(crate) use pool::POOL;

const HEALTH: &str = "dynamicfs health";

/// All rows there are.
pub(crate) fn all() -> impl Iterator<Item = &'static Row> {
    [DISKS, POOL, DISK_COMMANDS, OPENING, JOBS, FILES].into_iter().flatten()
}

const fn row(state: &'static str, typed: &'static str, hint: &'static str, then: Then) -> Row {
    Row { state, typed, hint, given: &[], then }
}

impl Row {
    /// What the operator fills in.
    const fn given(self, given: &'static [(&'static str, &'static str)]) -> Self {
        Self { given, ..self }
    }
}
