//! Which disk an argument means.

use crate::output::failure::{Code, Failure};
use crate::output::names::show;
use crate::pool::disks::{self, Disk, DiskState};
use crate::pool::session::Session;
use dynamicfs_core::error::MemberError;
use dynamicfs_core::types::{DiskIndex, MemberNumber, Row, Set};
use std::path::Path;

/// A disk that an argument means.
#[derive(Clone, Debug)]
pub(crate) struct Meant {
    pub(crate) disk: Disk,
    /// Its place in pool.toml, if it has one there.
    pub(crate) place: Option<usize>,
}

impl Meant {
    /// Its number; fails if it is no member.
    pub(crate) fn member(&self, session: &Session<'_>) -> Result<MemberNumber, Failure> {
        let member = self.disk.member.filter(|&member| session.row_of(member).is_some());
        member.map(MemberNumber).ok_or_else(|| {
            Failure::new(Code::NotFound, format!("{} is not a member of the pool", self.disk.name)).hint(
                "see what is on it with `dynamicfs labels`; `dynamicfs disk add NEW-DISK` makes one a member",
            )
        })
    }

    /// Its row as a set: empty where it is no member.
    pub(crate) fn rows(&self, session: &Session<'_>) -> Set<Row> {
        self.row(session).into_iter().collect()
    }

    /// Its row in the pool's table, if it is a member.
    pub(crate) fn row(&self, session: &Session<'_>) -> Option<Row> {
        self.disk.member.and_then(|member| session.row_of(member))
    }

    /// Why nothing can be done to a disk that takes no part, and what to do.
    pub(crate) fn away(&self) -> Failure {
        let Disk { name, state, note, .. } = &self.disk;
        let note = note.as_deref().unwrap_or("it does not answer");
        let failure = Failure::disk(MemberError::Away, name);
        match state {
            DiskState::Truncated => Failure::new(failure.code(), format!("{name} takes no part: {note}"))
                .hint(format!("give it its size back, or put another in its place: `dynamicfs disk replace {name} NEW-DISK`")),
            DiskState::Failed | DiskState::Offline if self.disk.is_here => {
                failure.hint(format!("take it into use first: `dynamicfs disk online {name}`"))
            }
            DiskState::Failed | DiskState::Offline => failure,
            _ => failure.reworded(format!("{name} takes no part: {note}")),
        }
    }

    /// Whether it takes part.
    pub(crate) fn is_online(&self, session: &Session<'_>) -> bool {
        let member = self.disk.member.map(MemberNumber);
        self.place.is_some_and(|place| {
            let health = session.pool.member_health(DiskIndex(place));
            // One that was cut is read, and takes no part in what is written.
            health.member == member
                && health.status == dynamicfs_core::health::DiskStatus::Online
                && !health.is_cut
        })
    }
}

/// The disk of this name, path, number or identity.
pub(crate) fn find(session: &mut Session<'_>, meant: &str) -> Result<Meant, Failure> {
    let disks = disks::disks(session);
    let file = Path::new(meant).canonicalize().ok();
    let is_meant = |disk: &Disk| {
        let path = disk.path.as_deref();
        disk.name == meant
            || path == Some(meant)
            || disk.id.as_deref() == Some(meant)
            || disk.member.is_some_and(|member| member.to_string() == meant)
            || file.is_some() && path.and_then(|path| Path::new(path).canonicalize().ok()) == file
    };
    let places = session.places.len();
    let mut found = disks.iter().enumerate().filter(|(_, disk)| is_meant(disk));
    match (found.next(), found.next()) {
        (Some((number, disk)), None) => {
            Ok(Meant { disk: disk.clone(), place: (number < places).then_some(number) })
        }
        (None, _) => {
            let names: Vec<&str> = disks.iter().map(|disk| disk.name.as_str()).collect();
            Err(Failure::new(Code::NotFound, format!("the pool has no disk `{}`", show(meant.as_bytes())))
                .hint(format!("its disks are {}", names.join(", "))))
        }
        _ => Err(Failure::new(
            Code::InvalidArgument,
            format!("`{}` means several disks", show(meant.as_bytes())),
        )
        .hint("name it by its path or identity")),
    }
}
