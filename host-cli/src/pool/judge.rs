//! How a pool is: its disks, its extents, and the verdict with its reasons.

use super::counters;
use super::jobs::{self, JobReport, JobState};
use super::place::{Fault, Place};
use super::reasons::{Reason, ReasonCode, Severity};
use super::session::Session;
use crate::output::failure::Failure;
use crate::output::size;
use dynamicfs_core::disks::{Currency, DiskStatus};
use dynamicfs_core::format::record;
use dynamicfs_core::maintain::{ExtentCounts, JobKind};
use dynamicfs_core::pool::{Health, MemberHealth};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// Percent of the space in use from which on a pool is nearly full, and full.
const NEARLY_FULL_PERCENT: u64 = 85;
const FULL_PERCENT: u64 = 97;

/// The verdict on a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    /// All is as it should be.
    Healthy,
    /// Redundancy is complete, somebody should look at something.
    Warning,
    /// Redundancy is missing, everything can be read.
    Degraded,
    /// Data cannot be read, or the next failure loses some, or nothing can be written.
    Critical,
    /// The pool could not be looked at.
    Unknown,
}

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
}

impl From<record::MemberState> for MemberState {
    fn from(state: record::MemberState) -> Self {
        match state {
            record::MemberState::Active => Self::Active,
            record::MemberState::Failed => Self::Failed,
            record::MemberState::Offline => Self::Offline,
            record::MemberState::Draining => Self::Draining,
            record::MemberState::Drained => Self::Drained,
            record::MemberState::Leaving => Self::Leaving,
            record::MemberState::Spare => Self::Spare,
            record::MemberState::Departing => Self::Departing,
        }
    }
}

/// What a disk is to the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DiskState {
    /// It takes part and has everything.
    Online,
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
}

impl DiskState {
    const fn takes_part(self) -> bool {
        matches!(
            self,
            Self::Online | Self::Behind | Self::Draining | Self::Drained | Self::Leaving | Self::Spare
        )
    }
}

/// One disk of the pool.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Disk {
    /// What it is called in pool.toml; "member-N" if that does not list it.
    pub(crate) name: String,
    /// Where it is, or should be.
    pub(crate) path: Option<String>,
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
    /// Errors and wrong checksums since the pool was made.
    pub(crate) errors: u64,
    /// Why it does not take part, or what is wrong with it.
    pub(crate) note: Option<String>,
}

/// Disks by how they are.
#[derive(Clone, Copy, Debug, Default, Serialize, JsonSchema)]
pub(crate) struct DiskCounts {
    /// All that belong to the pool.
    pub(crate) total: usize,
    /// Take part and have everything.
    pub(crate) healthy: usize,
    /// Take part, and are owed what they missed.
    pub(crate) degraded: usize,
    /// Do not take part.
    pub(crate) failed: usize,
}

/// Extents by what is left of them.
#[derive(Clone, Copy, Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Extents {
    /// All of them.
    pub(crate) total: u64,
    /// With full redundancy.
    pub(crate) complete: u64,
    /// Degraded and readable.
    pub(crate) readable: u64,
    /// Lost, as far as the disks that are here tell.
    pub(crate) unreadable: u64,
}

impl From<ExtentCounts> for Extents {
    fn from(counts: ExtentCounts) -> Self {
        Self {
            total: counts.total,
            complete: counts.complete,
            readable: counts.readable,
            unreadable: counts.unreadable,
        }
    }
}

/// How a pool is.
pub(crate) struct Judgement {
    pub(crate) verdict: Verdict,
    pub(crate) reasons: Vec<Reason>,
    pub(crate) disks: Vec<Disk>,
    pub(crate) counts: DiskCounts,
    pub(crate) extents: Extents,
    pub(crate) health: Health,
    pub(crate) scrub: JobReport,
    pub(crate) rebuild: JobReport,
}

impl Judgement {
    pub(crate) fn of(session: &mut Session<'_>) -> Result<Self, Failure> {
        let extents = session.pool.count_extents()?.into();
        let disks = disks(session);
        let health = session.pool.health();
        let mut counts = DiskCounts::default();
        for disk in disks.iter().filter(|disk| !matches!(disk.state, DiskState::Adding | DiskState::Left)) {
            counts.total += 1;
            *match disk.state {
                DiskState::Behind => &mut counts.degraded,
                state if state.takes_part() => &mut counts.healthy,
                _ => &mut counts.failed,
            } += 1;
        }
        let scrub = JobReport::of(session, JobKind::Scrub)?;
        let rebuild = JobReport::of(session, JobKind::Rebuild)?;
        let mut reasons = pool_reasons(&health, &extents);
        let superblock = session.pool.store.committed();
        if superblock.is_short() && superblock.owed().is_empty() {
            let message = "what a removed disk held, or there were too few disks for, lacks redundancy";
            reasons.push(Reason::new(ReasonCode::RedundancyShort, None, 1, message));
        }
        reasons.extend(session.read_only_features().map(|why| {
            Reason::new(ReasonCode::NewerFeatures, None, 1, format!("this version cannot write: {why}"))
        }));
        reasons.extend(disks.iter().filter_map(|disk| disk_reason(disk, session)));
        let rebalance = JobReport::of(session, JobKind::Rebalance)?;
        let recount = JobReport::of(session, JobKind::Recount)?;
        reasons.extend([&scrub, &rebuild, &rebalance, &recount].into_iter().flat_map(job_reasons));
        reasons.sort_by_key(|reason| (std::cmp::Reverse(reason.severity), reason.code));
        let verdict = match reasons.first().map(|reason| reason.severity) {
            None | Some(Severity::Info) => Verdict::Healthy,
            Some(Severity::Warning) => Verdict::Warning,
            Some(Severity::Degraded) => Verdict::Degraded,
            Some(Severity::Critical) => Verdict::Critical,
        };
        Ok(Self { verdict, reasons, disks, counts, extents, health, scrub, rebuild })
    }
}

/// Every place of pool.toml, and every member that it does not list.
pub(crate) fn disks(session: &mut Session<'_>) -> Vec<Disk> {
    let states = member_states(session);
    let places = session.places.len();
    let mut disks: Vec<Disk> = (0..places).map(|place| disk_at(session, place, &states)).collect();
    let unhealed = session.pool.store.unhealed();
    let superblock = session.pool.store.committed();
    for row in superblock.table().iter() {
        let number = superblock.row(row).number();
        if disks.iter().all(|disk| disk.member != Some(number)) {
            disks.push(Disk {
                name: format!("member-{number}"),
                path: None,
                state: match states.get(&number) {
                    Some(MemberState::Failed) => DiskState::Failed,
                    Some(MemberState::Offline) => DiskState::Offline,
                    _ => DiskState::Missing,
                },
                member_state: states.get(&number).copied(),
                holds_data: unhealed.contains(row),
                member: Some(number),
                id: None,
                witness: superblock.row(row).witness() != 0,
                size_bytes: 0,
                free_bytes: 0,
                errors: 0,
                note: Some("pool.toml does not list it".into()),
            });
        }
    }
    disks
}

/// What the members' records say. Of one that cannot be read nothing is known; reading it tells that elsewhere.
fn member_states(session: &mut Session<'_>) -> BTreeMap<u16, MemberState> {
    let mut states = BTreeMap::new();
    let read = session.pool.store.each_member(|member, record| {
        states.insert(member.0, record::MemberState::from_number(record.state()).into());
    });
    if let Err(error) = read {
        session.out.warn(format_args!("the members' records cannot be read: {error}"));
    }
    states
}

fn disk_at(session: &mut Session<'_>, number: usize, states: &BTreeMap<u16, MemberState>) -> Disk {
    let health = session.pool.member_health(number);
    let totals = counters::totals(session, number);
    let block = u64::from(session.pool.health().block_bytes);
    let place = &session.places[number];
    let identity = place.labels.and_then(|labels| labels.identity()).map(|(_, identity)| identity);
    // Of a disk that does not take part its label tells, or what was noted when it was added.
    let member = health
        .member
        .map(|member| member.0)
        .or(identity.map(|identity| identity.member.0))
        .or(place.entry.member);
    let row = member.and_then(|member| session.row_of(member));
    let member_state = member.filter(|_| row.is_some()).and_then(|member| states.get(&member).copied());
    let superblock = session.pool.store.committed();
    let was_member = place.entry.member.filter(|&number| number < superblock.next_member());
    let has_left = row.is_none() && was_member.is_some_and(|number| session.row_of(number).is_none());
    let (state, note) = match state_of(place, &health, member_state) {
        (state, _)
            if has_left && !state.takes_part() && state != DiskState::Diverged && !place.entry.adding =>
        {
            (DiskState::Left, Some("pool.toml still lists it".into()))
        }
        found => found,
    };
    let held = health.blocks > health.free_blocks && !health.witness;
    let holds_data = match row {
        Some(row) if state.takes_part() => held || session.pool.store.unhealed().contains(row),
        Some(row) => session.pool.store.unhealed().contains(row),
        None => false,
    };
    let id = health.disk.or(identity.map(|identity| identity.disk)).map(|id| id.to_string());
    Disk {
        name: place.entry.name.clone(),
        path: Some(place.path.display().to_string()),
        state,
        member_state,
        holds_data,
        member,
        id: id.or_else(|| place.entry.id.clone()),
        witness: health.witness,
        size_bytes: health.blocks * block,
        free_bytes: health.free_blocks * block,
        errors: totals.read_errors + totals.write_errors + totals.flush_errors + totals.checksum_errors,
        note,
    }
}

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
        Some(Fault::Unusable(why)) => return (DiskState::Unusable, Some(why.clone())),
        None => {}
    }
    let truncated = place
        .labels
        .and_then(|labels| labels.truncated_from())
        .map(|bytes| format!("shorter than the {} it had when it became a member", size::show(bytes, false)));
    match health.status {
        DiskStatus::Online if health.owed || health.currency != Currency::Current => {
            let why = match health.currency {
                Currency::RolledBack => "it has lost writes that it had acknowledged",
                _ => "it missed commits while it was away",
            };
            (DiskState::Behind, Some(truncated.unwrap_or_else(|| why.into())))
        }
        DiskStatus::Online => match member {
            Some(MemberState::Draining) => (DiskState::Draining, truncated),
            Some(MemberState::Drained) => (DiskState::Drained, truncated.or(Some("holds nothing".into()))),
            Some(MemberState::Leaving | MemberState::Departing) => (DiskState::Leaving, truncated),
            Some(MemberState::Spare) => (DiskState::Spare, truncated),
            _ => (DiskState::Online, truncated),
        },
        DiskStatus::Foreign => {
            (DiskState::Foreign, Some("it belongs to another pool, or was removed from this one".into()))
        }
        DiskStatus::Diverged => {
            (DiskState::Diverged, Some("it holds another history of the pool, which was given up".into()))
        }
        DiskStatus::Unlabelled => {
            (DiskState::Unlabelled, Some("it has no label, or has lost its superblocks".into()))
        }
        _ => (DiskState::Failed, health.last_error.map(|error| error.to_string())),
    }
}

fn disk_reason(disk: &Disk, session: &Session<'_>) -> Option<Reason> {
    let name = Some(disk.name.as_str());
    let note = disk.note.as_deref().unwrap_or("it does not answer");
    let code = match disk.state {
        DiskState::Online => {
            let place = session.places.iter().find(|place| place.entry.name == disk.name);
            let truncated = place
                .is_some_and(|place| place.labels.is_some_and(|labels| labels.truncated_from().is_some()));
            return match (truncated, disk.errors) {
                (true, _) => {
                    Some(Reason::new(ReasonCode::DiskTruncated, name, 1, format!("{}: {note}", disk.name)))
                }
                (_, 0) => None,
                (_, errors) => Some(Reason::new(
                    ReasonCode::DiskErrors,
                    name,
                    errors,
                    format!(
                        "{} has made {} since the pool was made",
                        disk.name,
                        size::count(errors, "error")
                    ),
                )),
            };
        }
        // A member on which nothing lies takes nothing with it.
        state
            if state != DiskState::Diverged
                && disk.member_state.is_some()
                && !disk.holds_data
                && !disk.state.takes_part()
                && !disk.witness =>
        {
            let message = format!("{} is not in use, and nothing lies on it: {note}", disk.name);
            return Some(Reason::new(ReasonCode::DiskUnneeded, name, 1, message));
        }
        DiskState::Behind => ReasonCode::DiskBehind,
        DiskState::Failed => ReasonCode::DiskFailed,
        DiskState::Offline => ReasonCode::DiskOffline,
        DiskState::Draining | DiskState::Leaving => ReasonCode::DiskDraining,
        DiskState::Drained => ReasonCode::DiskDrained,
        DiskState::Spare => return None,
        DiskState::Adding => ReasonCode::DiskAdding,
        DiskState::Left => ReasonCode::DiskLeft,
        DiskState::Missing => ReasonCode::DiskMissing,
        DiskState::Unusable | DiskState::Unlabelled => ReasonCode::DiskUnusable,
        DiskState::Foreign => ReasonCode::DiskForeign,
        DiskState::Diverged => {
            let message = format!("{} is left out: {note}", disk.name);
            let next = match (disk.member_state, disk.path.as_deref()) {
                (None, Some(path)) => format!("dynamicfs disk add --force {path}"),
                (_, path) => {
                    format!("dynamicfs disk replace --force {} {}", disk.name, path.unwrap_or("NEW-DISK"))
                }
            };
            return Some(Reason { next, ..Reason::new(ReasonCode::DiskDiverged, name, 1, message) });
        }
    };
    let what = match disk.state {
        DiskState::Behind => "takes part and is owed what it missed",
        DiskState::Offline => "is out of use",
        DiskState::Draining => "is being emptied",
        DiskState::Leaving => "is being emptied, and leaves then",
        DiskState::Drained => "may be removed",
        DiskState::Adding => "is no member yet",
        DiskState::Left => "is no member any more",
        DiskState::Missing => "is missing",
        DiskState::Failed => "failed",
        _ => "cannot be used",
    };
    let note = disk.note.as_deref().map_or_else(String::new, |note| format!(": {note}"));
    Some(Reason::new(code, name, 1, format!("{} {what}{note}", disk.name)))
}

/// What the jobs' records say.
fn job_reasons(job: &JobReport) -> Vec<Reason> {
    let mut reasons = Vec::new();
    let name = Some(job.job.word());
    let mut add = |code, count, message: String| {
        let next = match (job.job, code) {
            // A repair is several jobs, of which this is one.
            (jobs::JobName::Recount, _) => "dynamicfs repair".into(),
            (name, ReasonCode::DataLost) => format!("dynamicfs {} status", name.word()),
            (name, _) => format!("dynamicfs {} resume", name.word()),
        };
        reasons.push(Reason { next, ..Reason::new(code, name, count, message) });
    };
    if job.lost > 0 && job.state != JobState::Cancelled {
        add(
            ReasonCode::DataLost,
            job.lost,
            format!("the last {} found {} lost", job.job.word(), size::count(job.lost, "thing")),
        );
    }
    let waits = matches!(job.state, JobState::Interrupted | JobState::Paused);
    if waits {
        let code = match job.job {
            jobs::JobName::Rebuild => ReasonCode::RebuildWaiting,
            jobs::JobName::Scrub => ReasonCode::ScrubWaiting,
            jobs::JobName::Rebalance => ReasonCode::RebalanceWaiting,
            jobs::JobName::Recount => ReasonCode::RepairWaiting,
        };
        add(code, 1, format!("a {} {}, and waits to be resumed", job.job.word(), job.state.words()));
    }
    if job.job == jobs::JobName::Rebuild && job.state == JobState::Incomplete {
        let left = job.found.saturating_sub(job.healed + job.lost);
        let message = "the last rebuild had no disks or no space for some of what is missing".to_owned();
        reasons.push(Reason {
            next: "dynamicfs disk add PATH".into(),
            ..Reason::new(ReasonCode::RebuildIncomplete, name, left, message)
        });
    }
    if job.job == jobs::JobName::Scrub && job.is_stale() {
        let message = format!("the last scrub ended more than {} days ago", jobs::SCRUB_STALE_DAYS);
        reasons.push(Reason {
            next: "dynamicfs scrub start".into(),
            ..Reason::new(ReasonCode::ScrubStale, name, jobs::SCRUB_STALE_DAYS, message)
        });
    }
    reasons
}

fn pool_reasons(health: &Health, extents: &Extents) -> Vec<Reason> {
    let mut reasons = Vec::new();
    let mut add = |code, count, message: String| reasons.push(Reason::new(code, None, count, message));
    if extents.unreadable > 0 {
        let message = format!(
            "{} of {} cannot be read with the disks that are here",
            extents.unreadable,
            size::count(extents.total, "extent")
        );
        add(ReasonCode::DataUnreadable, extents.unreadable, message);
    }
    if extents.readable > 0 {
        let message = format!(
            "{} of {} have less redundancy than was asked for",
            extents.readable,
            size::count(extents.total, "extent")
        );
        add(ReasonCode::ExtentsDegraded, extents.readable, message);
    }
    if health.tolerance > 0 && health.read_tolerance == 0 {
        add(ReasonCode::NoTolerance, 0, "the next disk that fails takes data with it".into());
    }
    // Blocks that were freed come back when they are needed.
    let used = health.blocks.saturating_sub(health.free_blocks + health.dead_blocks);
    let percent = (used * 100).checked_div(health.blocks).unwrap_or(0);
    if percent >= FULL_PERCENT {
        add(ReasonCode::Full, percent, format!("{percent} % of the space is in use"));
    } else if percent >= NEARLY_FULL_PERCENT {
        add(ReasonCode::NearlyFull, percent, format!("{percent} % of the space is in use"));
    }
    reasons
}
