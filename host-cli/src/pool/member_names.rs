//! What members are called.

use super::disks;
use super::session::Session;
use std::collections::BTreeMap;

/// The names of a pool's members, as pool.toml has them.
pub(crate) struct Names(BTreeMap<u16, String>);

impl Names {
    pub(crate) fn of(session: &mut Session<'_>) -> Self {
        let disks = disks::disks(session).into_iter();
        Self(disks.filter_map(|disk| Some((disk.member?, disk.name))).collect())
    }

    /// The name of a member; one that pool.toml does not list goes by its number.
    pub(crate) fn get(&self, member: u16) -> String {
        self.0.get(&member).cloned().unwrap_or_else(|| format!("member-{member}"))
    }
}
