//! What a single disk has to do with how the pool is.

use super::disks::{Disk, DiskState};
use super::reasons::{Reason, ReasonCode, Severity};
use crate::host::storage::WriteProtection;
use crate::output::size;

/// A power cut may damage what is not being written: the pool was made for other disks.
pub(super) fn tear_reason(disk: &Disk, block_bytes: u32) -> Option<Reason> {
    disk.tears_neighbours.then(|| {
        let message = format!(
            "{} may damage more than a block of {block_bytes} bytes when the power goes: the pool is for disks with smaller sectors; \
             write to it there, or copy it to a new one",
            disk.name
        );
        Reason::new(ReasonCode::DiskTearsNeighbours, Some(&disk.name), 1, message)
    })
}

/// What is wrong with a disk, if something is.
pub(super) fn disk_reason(disk: &Disk) -> Option<Reason> {
    let name = Some(disk.name.as_str());
    let note = disk.note.as_deref().unwrap_or("it does not answer");
    let code = match disk.state {
        DiskState::Online if disk.errors > 0 => {
            let errors = size::count(disk.errors, "error");
            let message = format!("{} has made {errors} since errors were last cleared", disk.name);
            return Some(Reason::new(ReasonCode::DiskErrors, name, disk.errors, message));
        }
        DiskState::Online if disk.growable_bytes > 0 => {
            let more = size::show(disk.growable_bytes, false);
            let message = format!("{} has grown, and could hold {more} more", disk.name);
            return Some(Reason::new(ReasonCode::DiskGrown, name, 1, message));
        }
        DiskState::Online => return None,
        state
            if disk.witness
                && !state.takes_part()
                && state != DiskState::Adding
                && state != DiskState::Left =>
        {
            return Some(witness_reason(disk, note));
        }
        // A member on which nothing lies takes nothing with it.
        state
            if state != DiskState::Diverged
                && disk.member_state.is_some()
                && !disk.holds_data
                && !disk.state.takes_part() =>
        {
            let message = format!("{} is not in use, and nothing lies on it: {note}", disk.name);
            return Some(Reason::new(ReasonCode::DiskUnneeded, name, 1, message));
        }
        DiskState::Degraded => {
            let why = disk.condition_reason.as_deref().unwrap_or(note);
            let message = format!("{} is degraded, and read last: {why}", disk.name);
            return Some(Reason::new(ReasonCode::DiskDegraded, name, disk.errors, message));
        }
        DiskState::ReadOnly => ReasonCode::DiskReadOnly,
        DiskState::Behind => ReasonCode::DiskBehind,
        DiskState::Failed => ReasonCode::DiskFailed,
        DiskState::Offline => ReasonCode::DiskOffline,
        DiskState::Draining | DiskState::Leaving => ReasonCode::DiskDraining,
        DiskState::Drained => ReasonCode::DiskDrained,
        DiskState::Spare => return None,
        DiskState::Adding => ReasonCode::DiskAdding,
        DiskState::Left => ReasonCode::DiskLeft,
        DiskState::Missing => ReasonCode::DiskMissing,
        DiskState::Unusable | DiskState::Unlabelled | DiskState::LargeSectors => ReasonCode::DiskUnusable,
        DiskState::Truncated => ReasonCode::DiskTruncated,
        DiskState::Foreign => ReasonCode::DiskForeign,
        DiskState::Diverged => {
            let message = format!("{} is left out: {note}", disk.name);
            let next = match (disk.member_state, disk.typed_path.as_deref()) {
                (None, Some(path)) => format!("dynamicfs disk add --force {path}"),
                (_, path) => {
                    format!("dynamicfs disk replace --force {} {}", disk.name, path.unwrap_or("NEW-DISK"))
                }
            };
            return Some(Reason { next, ..Reason::new(ReasonCode::DiskDiverged, name, 1, message) });
        }
    };
    let what = match disk.state {
        DiskState::ReadOnly if disk.write_protection == Some(WriteProtection::ThisUser) => {
            "can only be read here"
        }
        DiskState::ReadOnly => "can be read and not written to, so that the pool takes no writes",
        DiskState::Behind => "takes part and is owed what it missed",
        DiskState::Offline => "is out of use",
        DiskState::Draining => "is being emptied",
        DiskState::Leaving => "is being emptied, and leaves then",
        DiskState::Drained => "may be removed",
        DiskState::Adding => "is not a member yet",
        DiskState::Left => "is not a member any more",
        DiskState::Missing => "is missing",
        DiskState::Failed => "failed",
        _ => "cannot be used",
    };
    let note = disk.note.as_deref().map_or_else(String::new, |note| format!(": {note}"));
    let reason = Reason::new(code, name, 1, format!("{} {what}{note}", disk.name));
    Some(match disk.state {
        // It cannot be taken into use before it is attached.
        DiskState::Offline if !disk.is_here => Reason { next: ReasonCode::DiskMissing.next(name), ..reason },
        DiskState::Adding if disk.is_here => {
            let path = disk.typed_path.as_deref().unwrap_or("NEW-DISK");
            let next = match disk.replaces {
                Some(old) => format!("dynamicfs disk replace {old} {path}"),
                None if disk.witness => format!("dynamicfs disk add --witness {path}"),
                None => format!("dynamicfs disk add {path}"),
            };
            Reason { next, ..reason }
        }
        DiskState::ReadOnly => match (&disk.write_protection, &disk.typed_path) {
            (Some(why), Some(path)) => {
                // What this user may not do another may.
                let is_ours = *why != WriteProtection::ThisUser;
                let severity = if is_ours { reason.severity } else { Severity::Degraded };
                Reason { severity, next: why.cure(path), ..reason }
            }
            _ => reason,
        },
        _ => reason,
    })
}

/// A witness takes no part: nothing lies on it, and it counts for the quorum all the same.
fn witness_reason(disk: &Disk, note: &str) -> Reason {
    let message = format!(
        "{} is a witness and takes no part: {note}; nothing lies on it, but one more of the others must be there to open the pool",
        disk.name
    );
    let reason = Reason::new(ReasonCode::WitnessMissing, Some(&disk.name), 1, message);
    match disk.state {
        DiskState::Offline if disk.is_here => {
            Reason { next: ReasonCode::DiskOffline.next(Some(&disk.name)), ..reason }
        }
        _ => reason,
    }
}
