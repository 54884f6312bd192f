//! What the core tells has happened, brought to the journal and to standard error.

use super::jobs::JobName;
use super::journal::{self, Event, EventKind, Severity};
use super::session::Session;
use crate::app::App;
use crate::host::times::rfc3339;
use crate::output::size;
use dynamicfs_core::health::{Condition, Happening, MemberState};
use dynamicfs_core::maintenance::{JobKind, JobState};
use dynamicfs_core::types::MemberNumber;
use dynamicfs_hal::{Clock, UnixTime};
use std_host_shim::OsClock;

/// Takes the events since this was last called, writes them down, and prints the warnings. A command that
/// opened the pool only to read leaves the journal as it is: what it met is met again by the next one.
pub(crate) fn record(session: &mut Session<'_>) {
    let mut taken = Vec::new();
    while let Some(event) = session.pool.next_event() {
        taken.extend(told(session, event));
    }
    let dropped = session.pool.take_dropped_events();
    if dropped > 0 {
        let what = size::count(dropped.into(), "event");
        let now = OsClock::new().now().seconds;
        taken.insert(
            0,
            about(
                now,
                Severity::Info,
                EventKind::EventsDropped,
                format!("{what} before this one could not be kept"),
            ),
        );
    }
    if session.is_looking() {
        return;
    }
    append(session, &taken);
    for event in taken.iter().filter(|event| event.severity >= Severity::Warning) {
        session.out.warn(&event.message);
    }
}

/// Writes down what a command did that the core does not tell of. One that only looks writes nothing.
pub(crate) fn note(session: &Session<'_>, event: Event) {
    if !session.is_looking() {
        append(session, &[event]);
    }
}

/// Writes events to the pool's folder, if it was named: beside disks that are named alone nothing is written.
fn append(session: &Session<'_>, events: &[Event]) {
    if events.is_empty() || !session.config.has_folder() {
        return;
    }
    if let Err(error) = journal::append(&session.config.folder, events) {
        session.out.warn(format_args!("cannot write down what happened in {}: {error}", journal::FILE));
    }
}

/// Writes down that a command continued by an override, as far as that made a difference.
pub(crate) fn note_overrides(session: &Session<'_>, app: &App, without_missing: bool) {
    let mut overrides = Vec::new();
    if without_missing {
        overrides.push("--force-degraded: the pool continues without the missing members".to_owned());
    }
    if let Some(branch) = &app.global.branch {
        overrides.push(format!("--branch {branch}: the other histories are given up"));
    }
    if app.global.force_data_loss {
        overrides
            .push("--force-data-loss: what only the disks hold that are gone on without is given up".into());
    }
    for what in overrides {
        note(session, Event::now(Severity::Critical, EventKind::Override, what));
    }
}

fn about(at: i64, severity: Severity, event: EventKind, message: String) -> Event {
    let time = rfc3339(UnixTime { seconds: at, nanoseconds: 0 });
    Event::at(time, severity, event, message)
}

/// An event as it is written down; `None` for one that this version does not know.
fn told(session: &Session<'_>, event: dynamicfs_core::health::Event) -> Option<Event> {
    use Severity::{Critical, Info, Warning};
    let disk = |severity, kind, member: MemberNumber, message: &dyn Fn(&str) -> String| {
        let name = session.name_of(member);
        let message = message(&name);
        Event { disk: Some(name), member: Some(member.0), ..about(event.at, severity, kind, message) }
    };
    Some(match event.what {
        Happening::Condition { member, condition: Condition::Healthy } => {
            disk(Info, EventKind::DiskRecovered, member, &|name| format!("{name} is healthy again"))
        }
        Happening::Condition { member, condition: Condition::Degraded(cause) } => {
            disk(Warning, EventKind::DiskDegraded, member, &|name| {
                format!("{name} is degraded, and read last: {cause}")
            })
        }
        Happening::Condition { member, condition: Condition::Failed(cause) } => {
            disk(Critical, EventKind::DiskFailed, member, &|name| {
                format!("{name} has failed, and is out of use: {cause}; nothing lies on it any more")
            })
        }
        Happening::Stopped { member, error } => disk(Warning, EventKind::DiskStopped, member, &|name| {
            format!("{name} is out of use until the pool is opened again: {error}")
        }),
        Happening::Away { member } => {
            let mut places = session.places.iter();
            let is_unlabelled =
                places.any(|place| place.entry.member == Some(member.0) && place.is_unlabelled());
            let what = if is_unlabelled { "is there, and has no label" } else { "is not here" };
            disk(Warning, EventKind::DiskAway, member, &|name| format!("{name} {what}"))
        }
        Happening::Stale { member } => disk(Info, EventKind::DiskStale, member, &|name| {
            format!("{name} is back, and is owed what it missed")
        }),
        Happening::RolledBack { member } => disk(Critical, EventKind::DiskRolledBack, member, &|name| {
            format!("{name} has lost writes that it had acknowledged")
        }),
        Happening::SlotsLost { member } => disk(Critical, EventKind::DiskSlotsLost, member, &|name| {
            format!("the last commit of {name} may be lost: its newest superblocks cannot be read")
        }),
        Happening::State { member, state } => {
            let severity = if state == MemberState::Failing { Warning } else { Info };
            disk(severity, EventKind::DiskState, member, &|name| format!("{name} {}", words(state)))
        }
        Happening::Joined { member } => {
            disk(Info, EventKind::DiskJoined, member, &|name| format!("{name} became member {}", member.0))
        }
        Happening::Left { member } => {
            disk(Info, EventKind::DiskLeft, member, &|name| format!("{name} has left the pool"))
        }
        Happening::Succeeded { member, by } => disk(Info, EventKind::DiskSucceeded, member, &|name| {
            format!("{} has taken the place of {name}", session.name_of(by))
        }),
        Happening::Rebuilt { member } => disk(Info, EventKind::DiskRebuilt, member, &|name| {
            format!("everything that {name} was owed or held is complete again")
        }),
        Happening::Repaired { member, count } => disk(Info, EventKind::Repaired, member, &|name| {
            format!("{} found bad on {name} rewritten", size::count(count.into(), "place"))
        }),
        Happening::Unfreed { object } => about(
            event.at,
            Warning,
            EventKind::Unfreed,
            format!("parts of deleted object {} cannot be read: a recount frees their space", object.0),
        ),
        Happening::Job { kind, state } => {
            let (kind_of, severity, words) = match state {
                JobState::Running => (EventKind::JobStarted, Info, "has started"),
                JobState::Paused => (EventKind::JobPaused, Info, "was paused"),
                JobState::Cancelled => (EventKind::JobCancelled, Info, "was cancelled"),
                JobState::Complete => (EventKind::JobComplete, Info, "is complete"),
                JobState::Incomplete => {
                    (EventKind::JobIncomplete, Warning, "has ended with something left to do")
                }
                JobState::Waiting => (
                    EventKind::JobIncomplete,
                    if kind == JobKind::Scrub { Warning } else { Info },
                    "has done what it could without the disks that are not here",
                ),
            };
            about(event.at, severity, kind_of, format!("{} {words}", JobName::from(kind).word()))
        }
        _ => return None,
    })
}

/// What a member is to be now.
const fn words(state: MemberState) -> &'static str {
    match state {
        MemberState::Active => "takes part",
        MemberState::Failed => "is marked as failed",
        MemberState::Offline => "is taken offline",
        MemberState::Draining => "is being emptied",
        MemberState::Drained => "holds nothing any more",
        MemberState::Leaving => "is being emptied, and leaves then",
        MemberState::Spare => "is spare",
        MemberState::Departing => "holds nothing any more, and leaves",
        MemberState::Failing => "makes too many errors, and is being emptied",
    }
}
