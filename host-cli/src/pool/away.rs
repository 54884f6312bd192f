//! Members that are away, and may have what the others lack: what brings each back.

use super::disks::{self, Disk, DiskState};
use super::session::Session;

/// A member that takes no part.
#[derive(Clone, Debug)]
pub(super) struct Away {
    name: String,
    /// Taking it into use is all that it takes.
    is_here: bool,
}

impl Away {
    /// The command that takes it into use, where that is all that it takes.
    pub(super) fn online(&self) -> Option<String> {
        self.is_here.then(|| format!("dynamicfs disk online {}", self.name))
    }

    /// What brings it back, for people.
    pub(super) fn way_back(&self) -> String {
        self.online().map_or_else(|| format!("attach {}", self.name), |online| format!("`{online}`"))
    }
}

/// Members that take no part and may have what the others lack.
pub(super) fn may_have(session: &mut Session<'_>) -> Vec<Away> {
    let is_one = |disk: &Disk| {
        let is_away = matches!(
            disk.state,
            DiskState::Offline | DiskState::Missing | DiskState::Failed | DiskState::Truncated
        );
        is_away && disk.member_state.is_some() && !disk.witness
    };
    let disks = disks::disks(session);
    let away = |disk: &Disk| Away {
        name: disk.name.clone(),
        is_here: disk.is_here && matches!(disk.state, DiskState::Offline | DiskState::Failed),
    };
    disks.iter().filter(|disk| is_one(disk)).map(away).collect()
}
