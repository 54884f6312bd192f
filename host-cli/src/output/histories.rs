//! Histories of a pool, as they are printed where a mount is refused for them.

use schemars::JsonSchema;
use serde::Serialize;

/// One history of the pool, as far as the disks that are here tell.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct History {
    /// Its name, 16 hexadecimal digits.
    pub(crate) branch: String,
    /// Where it left an earlier history; null if it did not.
    pub(crate) fork: Option<Fork>,
    /// The mount that wrote its newest state.
    pub(crate) epoch: u64,
    /// Its newest commit that is here.
    pub(crate) generation: u64,
    /// When a disk file that holds that commit was last written to, RFC 3339 in UTC; null for devices.
    pub(crate) written: Option<String>,
    /// Members that have a say in whether it may be opened.
    pub(crate) members: usize,
    /// Members of those that are here.
    pub(crate) present: usize,
    /// More members that must be here before it may be opened: any of the missing ones.
    pub(crate) wanting: usize,
    /// The disks that belong to it, those that lag behind included.
    pub(crate) disks: Vec<HistoryDisk>,
    /// Its members that are not here.
    pub(crate) missing: Vec<MissingDisk>,
}

/// Where a history left an earlier one.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Fork {
    /// The earlier history.
    pub(crate) branch: String,
    /// The mount that wrote the last commit that both have.
    pub(crate) epoch: u64,
    /// That commit.
    pub(crate) generation: u64,
}

/// A disk of a history.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct HistoryDisk {
    /// What it is called in pool.toml.
    pub(crate) name: String,
    /// Where it is.
    pub(crate) path: String,
    /// The newest commit on it.
    pub(crate) generation: u64,
}

/// A member that is not here.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct MissingDisk {
    /// What it is called in pool.toml; null if that does not list it.
    pub(crate) name: Option<String>,
    /// Where it should be.
    pub(crate) path: Option<String>,
    /// Its number in the pool.
    pub(crate) member: u16,
    /// Its own identity, if pool.toml has it.
    pub(crate) id: Option<String>,
    /// Something is there that has no label: it is not away, its label is.
    pub(crate) is_unlabelled: bool,
}
