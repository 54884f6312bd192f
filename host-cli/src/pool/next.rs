//! The next command of each reason, as far as it depends on what else there is.

use super::discover::{self, Found};
use super::disks::{Disk, DiskState};
use super::reasons::{REBUILD, Reason, ReasonCode};
use super::session::Session;
use crate::output::names::ShowPath;

/// What the next command depends on beside the reason for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Circumstances {
    /// A disk waits to take the place of one that fails.
    pub(super) has_spare: bool,
    /// The pool takes no writes, because too many members are away.
    pub(super) refuses_writes: bool,
    /// Another process rebuilds.
    pub(super) is_rebuilding: bool,
}

/// The next command depends on all other reasons. A command that the pool refuses now is no help, nor one
/// that leaves the cause as it is.
pub(super) fn agree(
    reasons: &mut [Reason],
    Circumstances { has_spare, refuses_writes, is_rebuilding }: Circumstances,
) {
    let awaited = reasons.iter_mut().filter(|reason| reason.code.is_of_awaited());
    if refuses_writes {
        awaited.for_each(|reason| reason.next = forced(&reason.next));
    } else if has_spare {
        // A spare takes the place of a disk that is marked as failed.
        for reason in reasons.iter_mut() {
            match (reason.code, &reason.object) {
                (ReasonCode::DiskFailed, _) => reason.next = REBUILD.into(),
                // One that was found elsewhere needs no other in its place.
                (ReasonCode::DiskMissing, Some(disk)) if reason.next == reason.code.next(Some(disk)) => {
                    reason.next = format!("dynamicfs disk fail {disk}");
                }
                _ => {}
            }
        }
    }
    let awaited = first_cure(reasons, &[ReasonCode::DiskOffline])
        .or_else(|| Some(reasons.iter().find(|reason| reason.code.is_of_awaited())?.next.clone()));
    let cure =
        awaited.clone().or_else(|| first_cure(reasons, &CURED_FIRST)).unwrap_or_else(|| REBUILD.into());
    let is_offline = reasons.iter().any(|reason| reason.code == ReasonCode::DiskOffline);
    for reason in reasons.iter_mut() {
        match (reason.code, &awaited) {
            (ReasonCode::NoTolerance | ReasonCode::WritesRefused, _) => reason.next.clone_from(&cure),
            // What is short of a disk that may come back is not rebuilt before the operator says that it does
            // not.
            (ReasonCode::ExtentsDegraded | ReasonCode::ScrubPartial, Some(next)) => {
                reason.next.clone_from(next)
            }
            // What a disk holds that was taken out of use is there.
            (ReasonCode::DataUnreadable, Some(next)) if is_offline => reason.next.clone_from(next),
            (code, _) if refuses_writes && !code.is_of_awaited() && is_a_change(&reason.next) => {
                reason.next.clone_from(&cure);
            }
            _ => {}
        }
    }
    let is_in_hand = |reason: &&mut Reason| {
        is_rebuilding && (reason.next == REBUILD || reason.code == ReasonCode::DiskFailed)
    };
    for reason in reasons.iter_mut().filter(is_in_hand) {
        reason.next = "dynamicfs rebuild status".into();
    }
}

/// Where no disk is waited for: of these the first that there is says what is to be done about redundancy.
const CURED_FIRST: [ReasonCode; 6] = [
    ReasonCode::RebuildIncomplete,
    ReasonCode::RebuildWaiting,
    ReasonCode::DiskFailed,
    ReasonCode::DiskBehind,
    ReasonCode::DiskDraining,
    ReasonCode::RedundancyShort,
];

fn first_cure(reasons: &[Reason], codes: &[ReasonCode]) -> Option<String> {
    let of = |code| reasons.iter().find(|reason: &&Reason| reason.code == code);
    codes.iter().find_map(|&code| of(code)).map(|reason| reason.next.clone())
}

/// The same, continuing without the members that are away.
fn forced(next: &str) -> String {
    match is_a_change(next) {
        true => next.replacen("dynamicfs ", "dynamicfs --force-degraded ", 1),
        false => next.to_owned(),
    }
}

/// Whether a command changes the pool.
fn is_a_change(next: &str) -> bool {
    let words: Vec<&str> = next.split(' ').skip(1).take(2).collect();
    !matches!(
        words.as_slice(),
        ["disk", "list"] | ["check" | "metrics" | "capacity" | "--version", ..] | [_, "status"]
    )
}

/// A member that is not where pool.toml has it, or not listed, may be in the pool's folder, or attached. Then
/// it only needs to be listed where it is.
pub(super) fn find_elsewhere(session: &Session<'_>, reasons: &mut [Reason], disks: &[Disk]) {
    let mut found: Option<Vec<Found>> = None;
    for reason in reasons
        .iter_mut()
        .filter(|reason| reason.code.is_of_awaited() || reason.code == ReasonCode::WitnessMissing)
    {
        let disk = disks.iter().find(|disk| Some(&disk.name) == reason.object.as_ref() && is_elsewhere(disk));
        let Some((disk, member)) = disk.and_then(|disk| Some((disk, disk.member?))) else { continue };
        let found = found.get_or_insert_with(|| discover::elsewhere(&session.config));
        if let Some(path) = discover::of_member(found, disk.id.as_deref(), member) {
            reason.next = format!("dynamicfs disk online {} {}", disk.name, path.typed());
        }
    }
}

/// Whether the disk itself may be elsewhere: what is in its place, if anything is, is another one.
const fn is_elsewhere(disk: &Disk) -> bool {
    disk.path.is_none()
        || matches!(
            disk.state,
            DiskState::Missing | DiskState::Foreign | DiskState::Unlabelled | DiskState::Unusable
        )
}
