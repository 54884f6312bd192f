//! How a pool is: its disks and extents, counted, and the verdict with its reasons.

use super::below;
use super::disks::{self, Disk, DiskState};
use super::jobs::{self, JobReport, JobState};
use super::reasons::{Reason, ReasonCode, Severity};
use super::session::Session;
use crate::output::failure::Failure;
use crate::output::size;
use dynamicfs_core::maintain::{ExtentCounts, JobKind};
use dynamicfs_core::pool::Health;
use schemars::JsonSchema;
use serde::Serialize;

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
    /// Redundancy or room is missing, everything can be read.
    Degraded,
    /// Data cannot be read, or the next failure loses some, or nothing can be written.
    Critical,
    /// The pool could not be looked at.
    Unknown,
}

/// Disks by how they are.
#[derive(Clone, Copy, Debug, Default, Serialize, JsonSchema)]
pub(crate) struct DiskCounts {
    /// All that belong to the pool.
    pub(crate) total: usize,
    /// Take part and have everything.
    pub(crate) healthy: usize,
    /// Take part, and make errors, are many times slower than the others, are owed what they missed, or can
    /// only be read.
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
        let disks = disks::disks(session);
        let health = session.pool.health();
        let mut counts = DiskCounts::default();
        for disk in disks.iter().filter(|disk| !matches!(disk.state, DiskState::Adding | DiskState::Left)) {
            counts.total += 1;
            *match disk.state {
                DiskState::Behind | DiskState::Degraded | DiskState::ReadOnly => &mut counts.degraded,
                state if state.takes_part() => &mut counts.healthy,
                _ => &mut counts.failed,
            } += 1;
        }
        let scrub = JobReport::of(session, JobKind::Scrub)?;
        let rebuild = JobReport::of(session, JobKind::Rebuild)?;
        let refused = (!session.pool.store.may_be_written()).then(|| session.pool.store.unhealed().len());
        let mut reasons = pool_reasons(&health, refused, &extents);
        let superblock = session.pool.store.committed();
        if superblock.is_short() && superblock.owed().is_empty() {
            let message = "what a removed disk held, or there were too few disks for, lacks redundancy";
            reasons.push(Reason::new(ReasonCode::RedundancyShort, None, 1, message));
        }
        reasons.extend(session.read_only_features().map(|why| {
            Reason::new(ReasonCode::NewerFeatures, None, 1, format!("this version cannot write: {why}"))
        }));
        reasons.extend(disks.iter().filter_map(disk_reason));
        reasons.extend(disks.iter().filter_map(|disk| tear_reason(disk, health.block_bytes)));
        reasons.extend(below::reasons(&session.places));
        let rebalance = JobReport::of(session, JobKind::Rebalance)?;
        let recount = JobReport::of(session, JobKind::Recount)?;
        reasons.extend([&scrub, &rebuild, &rebalance, &recount].into_iter().flat_map(job_reasons));
        agree_on_next(&mut reasons, disks.iter().any(|disk| disk.state == DiskState::Spare));
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

/// What to do next depends on what else there is.
fn agree_on_next(reasons: &mut [Reason], has_spare: bool) {
    for reason in reasons.iter_mut().filter(|_| has_spare) {
        // A spare takes the place of a disk that is marked as failed.
        match (reason.code, &reason.object) {
            (ReasonCode::DiskFailed, _) => reason.next = "dynamicfs rebuild start".into(),
            (ReasonCode::DiskMissing, Some(disk)) => reason.next = format!("dynamicfs disk fail {disk}"),
            _ => {}
        }
    }
    let awaited = reasons.iter().find(|reason| reason.code.is_of_awaited());
    if let Some(next) = awaited.map(|reason| reason.next.clone()) {
        // What is short of a disk that may come back is not rebuilt before somebody says that it does not.
        let degraded = reasons.iter_mut().filter(|reason| reason.code == ReasonCode::ExtentsDegraded);
        degraded.for_each(|reason| reason.next.clone_from(&next));
    }
}

/// A power cut may damage what is not being written: the pool was made on other disks.
fn tear_reason(disk: &Disk, block_bytes: u32) -> Option<Reason> {
    disk.tears_neighbours.then(|| {
        let message = format!(
            "{} may damage more than a block of {block_bytes} bytes when the power goes: write to this pool only where it was made, \
             or copy it to a new one",
            disk.name
        );
        Reason::new(ReasonCode::DiskTearsNeighbours, Some(&disk.name), 1, message)
    })
}

fn disk_reason(disk: &Disk) -> Option<Reason> {
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
        DiskState::ReadOnly => "can be read and not written to, so that the pool takes no writes",
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
    let reason = Reason::new(code, name, 1, format!("{} {what}{note}", disk.name));
    Some(match disk.state {
        // It can be opened, and nothing on it is of use.
        DiskState::Unlabelled => Reason { next: ReasonCode::DiskMissing.next(name), ..reason },
        _ => reason,
    })
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
    let left = job.found.saturating_sub(job.healed + job.lost);
    if job.job == jobs::JobName::Rebuild && job.state == JobState::Incomplete {
        let message = "the last rebuild had no disks or no space for some of what is missing".to_owned();
        reasons.push(Reason {
            next: "dynamicfs disk add PATH".into(),
            ..Reason::new(ReasonCode::RebuildIncomplete, name, left, message)
        });
    }
    if job.job == jobs::JobName::Scrub && job.state == JobState::Incomplete && left > 0 {
        let message = format!(
            "the last scrub found {} bad and had no room for it elsewhere",
            size::count(left, "thing")
        );
        reasons.push(Reason {
            next: "dynamicfs scrub start".into(),
            ..Reason::new(ReasonCode::ScrubIncomplete, name, left, message)
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

fn pool_reasons(health: &Health, refused: Option<usize>, extents: &Extents) -> Vec<Reason> {
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
    if let Some(unhealed) = refused {
        let why = match unhealed > health.tolerance.into() {
            true => format!(
                "{} missing or behind, and the pool tolerates {}",
                size::count(unhealed as u64, "disk"),
                health.tolerance
            ),
            false => "too few of the disks that are here have the newest state".to_owned(),
        };
        let message = format!(
            "{why}: it takes no writes; attach those that are missing, or go on without them with --force-degraded"
        );
        add(ReasonCode::WritesRefused, unhealed as u64, message);
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
