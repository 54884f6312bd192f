//! The disks of a pool, one by one: what each is to the pool, and why.

use super::condition::{self, DiskCondition};
use super::config::Whereabouts;
use super::counters;
use super::place::{Fault, Place};
use super::session::Session;
use crate::host::devices;
use crate::host::storage::WriteProtection;
use crate::output::failure::Failure;
use crate::output::names::ShowPath;
use crate::output::size;
use crate::pool::session::Disks;
use dynamicfs_core::Pool;
use dynamicfs_core::error::Error;
use dynamicfs_core::health::{self, Currency, DiskStatus, MemberHealth};
use dynamicfs_core::types::DiskIndex;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// What the operator wants of a member, as the pool's own records say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MemberState {
    /// It holds data and is given more.
    Active,
    /// It counts as failed: what it held is rebuilt elsewhere.
    Failed,
    /// It is out of use for a while, and what it held is waited for.
    Offline,
    /// It is given nothing, and what it holds is moved away.
    Draining,
    /// It holds nothing any more, and is given nothing.
    Drained,
    /// As draining; it leaves the pool when it holds nothing.
    Leaving,
    /// It holds nothing, and takes the place of a member that fails.
    Spare,
    /// It holds nothing any more, and leaves the pool next.
    Departing,
    /// As draining, because it makes too many errors; it counts as failed when it holds nothing.
    Failing,
}

impl From<health::MemberState> for MemberState {
    fn from(state: health::MemberState) -> Self {
        match state {
            health::MemberState::Active => Self::Active,
            health::MemberState::Failed => Self::Failed,
            health::MemberState::Offline => Self::Offline,
            health::MemberState::Draining => Self::Draining,
            health::MemberState::Drained => Self::Drained,
            health::MemberState::Leaving => Self::Leaving,
            health::MemberState::Spare => Self::Spare,
            health::MemberState::Departing => Self::Departing,
            health::MemberState::Failing => Self::Failing,
        }
    }
}

/// What a disk is to the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DiskState {
    /// It takes part and has everything.
    Online,
    /// It takes part and has everything, and makes errors or is many times slower than the others: it is read last.
    Degraded,
    /// It takes part and has everything, and can be read and not written to: as long as it is so the pool
    /// takes no writes.
    ReadOnly,
    /// It takes part and is owed what it missed.
    Behind,
    /// It takes part, and what it holds is moved away.
    Draining,
    /// It takes part, holds nothing any more and is given nothing.
    Drained,
    /// As draining or drained; it leaves the pool when it holds nothing.
    Leaving,
    /// It takes part, holds nothing, and takes the place of a member that fails.
    Spare,
    /// It stopped working after the pool was opened, or counts as failed by the operator's word.
    Failed,
    /// The operator took it out of use for a while.
    Offline,
    /// It is not a member yet: adding it was interrupted.
    Adding,
    /// It is no member any more, and pool.toml still lists it.
    Left,
    /// It is not here.
    Missing,
    /// It cannot be opened.
    Unusable,
    /// It has no label, or a damaged one.
    Unlabelled,
    /// It belongs to another pool, or was removed from this one.
    Foreign,
    /// It holds another history of the pool, which was given up for this one.
    Diverged,
    /// It is shorter than it was when it became a member, or was last grown: it is only read, and only where nothing is written.
    Truncated,
    /// Its sectors are larger here than the pool's layout allows.
    LargeSectors,
}

impl DiskState {
    pub(crate) const fn takes_part(self) -> bool {
        matches!(
            self,
            Self::Online
                | Self::Degraded
                | Self::ReadOnly
                | Self::Behind
                | Self::Draining
                | Self::Drained
                | Self::Leaving
                | Self::Spare
        )
    }
}

/// One disk of the pool.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Disk {
    /// What it is called in pool.toml; "member-N" if that does not list it.
    pub(crate) name: String,
    /// Where it is, or should be; what is not UTF-8 or a control character is escaped.
    pub(crate) path: Option<String>,
    /// The path's bytes in hexadecimal, where `path` does not tell them exactly.
    #[serde(skip_serializing_if = "Option::is_none")]
    path_hex: Option<String>,
    /// The path as a command is given it in a shell.
    #[serde(skip)]
    pub(crate) typed_path: Option<String>,
    /// The device's maker and model, where it is one and the system knows.
    pub(crate) model: Option<String>,
    /// The device's serial number or world-wide name, where it is one and the system knows.
    pub(crate) serial: Option<String>,
    /// What it is to the pool.
    pub(crate) state: DiskState,
    /// What the operator wants of it, as the pool's own records say; null if it is no member.
    pub(crate) member_state: Option<MemberState>,
    /// Something lies on it, or is owed to it: without it the pool has less redundancy.
    pub(crate) holds_data: bool,
    /// Its number in the pool.
    pub(crate) member: Option<u16>,
    /// Its own identity.
    pub(crate) id: Option<String>,
    /// It holds no data.
    pub(crate) witness: bool,
    /// Bytes for contents and the pool's own records.
    pub(crate) size_bytes: u64,
    /// Bytes of those that are free.
    pub(crate) free_bytes: u64,
    /// More bytes that it has room for, because it has grown: `disk grow` takes them into use.
    pub(crate) growable_bytes: u64,
    /// A power cut may damage other blocks on it than those that are being written.
    pub(crate) tears_neighbours: bool,
    /// How far it can be relied on; null if it does not take part and has not failed.
    pub(crate) condition: Option<DiskCondition>,
    /// Why it is not healthy; null if it is.
    pub(crate) condition_reason: Option<String>,
    /// Microseconds that a read took on average since the pool was opened; null before enough were made.
    pub(crate) latency_micros: Option<u32>,
    /// Errors and wrong checksums since the pool was made, or since they were cleared.
    pub(crate) errors: u64,
    /// Why it does not take part, or what is wrong with it.
    pub(crate) note: Option<String>,
    /// Why it takes no writes, if that is so.
    #[serde(skip)]
    pub(crate) write_protection: Option<WriteProtection>,
    /// It could be opened.
    #[serde(skip)]
    pub(crate) is_here: bool,
    /// The member whose place it is to take, where that was interrupted.
    #[serde(skip)]
    pub(crate) replaces: Option<u16>,
}

/// Every place of pool.toml, and every member that it does not list.
pub(crate) fn disks(session: &mut Session<'_>) -> Vec<Disk> {
    let states = member_states(&mut session.pool).unwrap_or_else(|error| {
        session.out.warn(format_args!("the members' records cannot be read: {error}"));
        BTreeMap::new()
    });
    let places = session.places.len();
    let mut disks: Vec<Disk> = (0..places).map(|place| disk_at(session, place, &states)).collect();
    let unhealed = session.pool.members().unhealed;
    for row in session.pool.members().table.iter() {
        let Some(member) = session.pool.member_in(row) else { continue };
        let number = member.number.0;
        if disks.iter().all(|disk| disk.member != Some(number)) {
            disks.push(Disk {
                name: format!("member-{number}"),
                path: None,
                path_hex: None,
                typed_path: None,
                model: None,
                serial: None,
                state: match states.get(&number) {
                    Some(MemberState::Failed) => DiskState::Failed,
                    Some(MemberState::Offline) => DiskState::Offline,
                    _ => DiskState::Missing,
                },
                member_state: states.get(&number).copied(),
                holds_data: unhealed.contains(row),
                member: Some(number),
                id: None,
                witness: member.witness,
                size_bytes: 0,
                free_bytes: 0,
                growable_bytes: 0,
                tears_neighbours: false,
                condition: None,
                condition_reason: None,
                latency_micros: None,
                errors: 0,
                note: Some(not_listed(session).into()),
                write_protection: None,
                is_here: false,
                replaces: None,
            });
        }
    }
    disks
}

/// Fails where a member takes no writes that is in use, and that the command does not take out of use.
pub(super) fn check_protected(pool: &mut Pool<'_, Disks>, places: &[Place]) -> Result<(), Failure> {
    let mut in_the_way = places.iter().filter(|place| place.is_in_the_way()).peekable();
    if in_the_way.peek().is_none() {
        return Ok(());
    }
    let states = member_states(pool)?;
    let is_in_use = |place: &&Place| {
        let identity = place.labels.and_then(|labels| labels.identity());
        let member = identity.map(|(_, identity)| identity.member.0).or(place.entry.member);
        let state = member.and_then(|member| states.get(&member));
        state.is_some_and(|state| !matches!(state, MemberState::Failed | MemberState::Offline))
    };
    in_the_way.find(is_in_use).map_or(Ok(()), |place| Err(place.takes_no_writes()))
}

/// What the members' records say.
fn member_states(pool: &mut Pool<'_, Disks>) -> Result<BTreeMap<u16, MemberState>, Error> {
    let mut states = BTreeMap::new();
    pool.each_member(|member, state, _| {
        states.insert(member.0, state.into());
    })?;
    Ok(states)
}

fn disk_at(session: &mut Session<'_>, number: usize, states: &BTreeMap<u16, MemberState>) -> Disk {
    let health = session.pool.member_health(DiskIndex(number));
    let totals = counters::totals(session, number);
    let block = u64::from(session.pool.health().block_bytes);
    let place = &session.places[number];
    // A disk of another pool says nothing of this one: its number there is some other disk's here.
    let of_pool = session.parameters.pool;
    let identity = place.labels.and_then(|labels| labels.identity());
    let identity = identity.filter(|(found, _)| found.pool == of_pool).map(|(_, identity)| identity);
    // Of a disk that does not take part its label tells, or what was noted when it was added.
    let member = health
        .member
        .map(|member| member.0)
        .or(identity.map(|identity| identity.member.0))
        .or(place.entry.member);
    let row = member.and_then(|member| session.row_of(member));
    let member_state = member.filter(|_| row.is_some()).and_then(|member| states.get(&member).copied());
    let next = session.pool.next_member().0;
    let was_member = place.entry.member.filter(|&number| number < next);
    let has_left = row.is_none() && was_member.is_some_and(|number| session.row_of(number).is_none());
    let (state, note) = match state_of(place, &health, member_state) {
        (state, _)
            if has_left && !state.takes_part() && state != DiskState::Diverged && !place.entry.adding =>
        {
            (DiskState::Left, Some("pool.toml still lists it".into()))
        }
        (DiskState::ReadOnly, _) if session.is_for_a_reader() => (DiskState::Online, None),
        found => found,
    };
    let thresholds = session.pool.thresholds();
    let (condition, condition_reason) = condition::of(&health, &totals, thresholds);
    let is_judged = state.takes_part() || state == DiskState::Failed;
    let condition =
        is_judged.then_some(if state == DiskState::Failed { DiskCondition::Failed } else { condition });
    let condition_reason = condition_reason.filter(|_| is_judged);
    let (state, note) = match (state, condition) {
        (DiskState::Online, Some(DiskCondition::Degraded)) => {
            (DiskState::Degraded, note.or(condition_reason.clone()))
        }
        found => (found.0, note),
    };
    // Of one that is not here its row tells.
    let is_witness = health.witness
        || row.and_then(|row| session.pool.member_in(row)).is_some_and(|member| member.witness);
    let held = health.blocks > health.free_blocks && !is_witness;
    let holds_data = match row {
        Some(row) if state.takes_part() || state == DiskState::Truncated => {
            held || session.pool.members().unhealed.contains(row)
        }
        Some(row) => session.pool.members().unhealed.contains(row),
        None => false,
    };
    let hardware = devices::hardware(&place.path).unwrap_or_default();
    let note = note.or_else(|| moved(session, place).filter(|_| state.takes_part()));
    let id = health.disk.or(identity.map(|identity| identity.disk)).map(|id| id.to_string());
    Disk {
        name: place.entry.name.clone(),
        path: Some(place.path.shown().to_string()),
        path_hex: place.path.hex(),
        typed_path: Some(place.path.typed()),
        model: hardware.model,
        serial: hardware.serial,
        state,
        member_state,
        holds_data,
        member,
        id: id.or_else(|| place.entry.id.clone()),
        witness: is_witness,
        size_bytes: health.blocks * block,
        free_bytes: health.free_blocks * block,
        growable_bytes: health.growable_blocks * block,
        tears_neighbours: health.tears_neighbours,
        condition,
        condition_reason,
        latency_micros: health.latency_micros,
        errors: totals.read_errors + totals.write_errors + totals.flush_errors + totals.checksum_errors,
        note,
        write_protection: place.write_protection.clone(),
        is_here: place.fault.is_none(),
        replaces: place.entry.replaces,
    }
}

/// Why there is no place for a member.
fn not_listed(session: &Session<'_>) -> &'static str {
    match session.config.has_folder() {
        true => "pool.toml does not list it",
        false => "its disk is not among those that were named",
    }
}

/// Where pool.toml has a disk that is elsewhere.
fn moved(session: &Session<'_>, place: &Place) -> Option<String> {
    matches!(place.entry.whereabouts, Whereabouts::MovedTo(_)).then(|| {
        let listed = session.config.folder.join(&place.entry.path);
        format!("found at {}; pool.toml has it at {}", place.path.shown(), listed.shown())
    })
}

/// What is wrong with a disk whose labels say less than its record.
const OLD_LABELS: &str = "its labels are older than the pool's record of it";

fn state_of(
    place: &Place,
    health: &MemberHealth,
    member: Option<MemberState>,
) -> (DiskState, Option<String>) {
    let here = if place.fault.is_none() { "" } else { "; it is not here" };
    match member {
        Some(MemberState::Failed) => return (DiskState::Failed, Some(format!("marked as failed{here}"))),
        Some(MemberState::Offline) => return (DiskState::Offline, Some(format!("taken offline{here}"))),
        None if place.entry.adding && health.status != DiskStatus::Online => {
            return (DiskState::Adding, Some("adding it was interrupted".into()));
        }
        _ => {}
    }
    match &place.fault {
        Some(Fault::Missing) => return (DiskState::Missing, Some("no such file or device".into())),
        Some(Fault::Displaced) => {
            return (DiskState::Missing, Some("another disk of the pool is where it should be".into()));
        }
        Some(Fault::ReadOnly) => return (DiskState::Unusable, Some("it takes no writes".into())),
        Some(Fault::Unusable(why)) => return (DiskState::Unusable, Some(why.clone())),
        None => {}
    }
    let truncated = place
        .labels
        .and_then(|labels| labels.truncated_from())
        .map(|bytes| format!("shorter than the {} it had when it became a member", size::show(bytes, false)));
    match health.status {
        // Also where it is read, because nothing is written: it does not take part in what is.
        DiskStatus::Online if health.is_cut => {
            let note = truncated.unwrap_or_else(|| OLD_LABELS.into());
            (DiskState::Truncated, Some(note))
        }
        DiskStatus::Online if health.owed || health.currency != Currency::Current => {
            let why = match health.currency {
                Currency::RolledBack => "it has lost writes that it had acknowledged",
                _ => "it missed commits while it was away",
            };
            (DiskState::Behind, Some(truncated.unwrap_or_else(|| why.into())))
        }
        DiskStatus::Online => match member {
            Some(MemberState::Draining) => (DiskState::Draining, truncated),
            Some(MemberState::Failing) => {
                (DiskState::Draining, truncated.or(Some("it makes too many errors".into())))
            }
            Some(MemberState::Drained) => (DiskState::Drained, truncated.or(Some("holds nothing".into()))),
            Some(MemberState::Leaving | MemberState::Departing) => (DiskState::Leaving, truncated),
            Some(MemberState::Spare) => (DiskState::Spare, truncated),
            _ => match &place.write_protection {
                Some(why) => (DiskState::ReadOnly, Some(why.words().into())),
                None => (DiskState::Online, truncated),
            },
        },
        DiskStatus::Foreign => {
            (DiskState::Foreign, Some("it belongs to another pool, or was removed from this one".into()))
        }
        DiskStatus::Diverged => {
            (DiskState::Diverged, Some("it holds another history of the pool, which was given up".into()))
        }
        DiskStatus::Truncated => {
            let note = truncated.unwrap_or_else(|| OLD_LABELS.into());
            (DiskState::Truncated, Some(note))
        }
        DiskStatus::LargeSectors => {
            let why = "its sectors are larger here than the pool's layout allows: it is behind another bridge than it was";
            (DiskState::LargeSectors, Some(why.into()))
        }
        DiskStatus::Unlabelled => {
            let note = truncated.unwrap_or_else(|| "it has no label, or has lost its superblocks".into());
            (DiskState::Unlabelled, Some(note))
        }
        _ => (DiskState::Failed, health.last_error.map(|error| error.to_string())),
    }
}
