//! How a pool is: its disks and extents, counted, and the verdict with its reasons.

use super::below;
use super::counters;
use super::disk_reasons::{disk_reason, tear_reason};
use super::disks::{self, Disk, DiskState};
use super::forecast::{Rebuild, Space};
use super::job_reasons::{self, Jobs};
use super::job_report::JobReport;
use super::jobs::JobState;
use super::next::{self, Circumstances};
use super::readable::readable;
use super::reasons::{ADD_DISK, Reason, ReasonCode, Severity};
use super::room::{Fullness, PoolRoom};
use super::session::Session;
use super::stored::{Extents, Stored};
use super::tolerance::Tolerance;
use crate::output::failure::Failure;
use crate::output::size;
use crate::output::typed::addressed;
use dynamicfs_core::health::Health;
use schemars::JsonSchema;
use serde::Serialize;

/// The verdict on a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    /// All is as it should be.
    Healthy,
    /// Redundancy is complete, and an operator should look at something.
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

/// How a pool is.
pub(crate) struct Judgement {
    pub(crate) verdict: Verdict,
    pub(crate) reasons: Vec<Reason>,
    pub(crate) disks: Vec<Disk>,
    pub(crate) counts: DiskCounts,
    /// None where nodes of the tree cannot be read.
    pub(crate) extents: Option<Extents>,
    pub(crate) health: Health,
    pub(crate) tolerance: Tolerance,
    /// None where the records that tell cannot be read; so are the jobs.
    pub(crate) room: Option<PoolRoom>,
    pub(crate) scrub: Option<JobReport>,
    pub(crate) rebuild: Option<JobReport>,
}

impl Judgement {
    pub(crate) fn of(session: &mut Session<'_>) -> Result<Self, Failure> {
        let (tolerance, mut stored) = Tolerance::of(session)?;
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
        let jobs = Jobs::of(session)?;
        let refused = (!session.pool.may_be_written()).then(|| session.pool.members().unhealed.len());
        let mut reasons = stored.reasons();
        reasons.extend(refused.map(|unhealed| refused_reason(&health, unhealed)));
        stored.lose(jobs.extents_lost());
        let room = readable(PoolRoom::of(&mut session.pool))?;
        reasons.extend(tolerance.reasons(room.as_ref()));
        if let Some(room) = &room {
            reasons.extend(room_reasons(session, room)?);
        }
        reasons.extend(job_reasons::lost_read(&counters::pool_totals(session), jobs.scrub.as_ref()));
        if health.is_short && session.pool.members().owed.is_empty() {
            reasons.push(short_reason(&health, session.pool.members().given.len()));
        }
        reasons.extend(session.read_only_features().map(|why| {
            Reason::new(ReasonCode::NewerFeatures, None, 1, format!("this version cannot write: {why}"))
        }));
        reasons.extend(disks.iter().filter_map(disk_reason));
        reasons.extend(disks.iter().filter_map(|disk| tear_reason(disk, health.block_bytes)));
        reasons.extend(below::reasons(session));
        next::find_elsewhere(session, &mut reasons, &disks);
        reasons.extend(jobs.reasons(session, room.as_ref())?);
        let circumstances = Circumstances {
            has_spare: disks.iter().any(|disk| disk.state == DiskState::Spare),
            refuses_writes: refused.is_some(),
            is_rebuilding: jobs.rebuild.as_ref().is_some_and(|job| job.state == JobState::Running),
        };
        next::agree(&mut reasons, circumstances);
        reasons.iter_mut().for_each(|reason| reason.next = addressed(&reason.next));
        reasons.sort_by_key(|reason| (std::cmp::Reverse(reason.severity), reason.code));
        let verdict = match reasons.first().map(|reason| reason.severity) {
            None | Some(Severity::Info) => Verdict::Healthy,
            Some(Severity::Warning) => Verdict::Warning,
            Some(Severity::Degraded) => Verdict::Degraded,
            Some(Severity::Critical) => Verdict::Critical,
        };
        let (Stored { extents, .. }, Jobs { scrub, rebuild, .. }) = (stored, jobs);
        Ok(Self { verdict, reasons, disks, counts, extents, health, tolerance, room, scrub, rebuild })
    }
}

/// What the pool's room says: whether more can be stored, and whether a lost disk could be rebuilt.
fn room_reasons(session: &mut Session<'_>, room: &PoolRoom) -> Result<Vec<Reason>, Failure> {
    let mut reasons = Vec::new();
    let usable = size::show(room.filled.usable_bytes, false);
    match room.fullness {
        Fullness::Full => {
            let message = "nothing more is sure to find room in the pool";
            let reason = Reason::new(ReasonCode::Full, None, 0, message);
            reasons.push(Reason { next: room.next().into(), ..reason });
        }
        Fullness::NearlyFull => {
            let message = format!("there is room for {usable} of contents");
            let reason = Reason::new(ReasonCode::NearlyFull, None, room.filled.usable_bytes, message);
            reasons.push(Reason { next: room.next().into(), ..reason });
        }
        Fullness::Roomy => {}
    }
    if session.pool.health().tolerance == 0 {
        // What a disk held is lost with it.
        return Ok(reasons);
    }
    let Some((lost, true)) = room.fullest() else { return Ok(reasons) };
    let Some(rebuild) = readable(Rebuild::of(session, lost))? else { return Ok(reasons) };
    if rebuild.space == Space::TooLittle {
        let message = format!(
            "the other disks have too little room for what the fullest holds: if it fails, {} stay without full redundancy",
            size::count(rebuild.without_space, "part")
        );
        reasons.push(Reason::new(ReasonCode::NoRebuildRoom, None, rebuild.without_space, message));
    }
    Ok(reasons)
}

/// Something lacks redundancy, and no member owes it: how many disks are wanted, if they are too few.
fn short_reason(health: &Health, disks: usize) -> Reason {
    let needed = health.scheme.width().max(usize::from(health.tolerance) + 1);
    let what = "something is stored on fewer disks than it should be";
    let wanted = needed.saturating_sub(disks) as u64;
    if wanted == 0 {
        let message = format!("{what}: a rebuild stores it again on the {disks} disks that are here");
        return Reason::new(ReasonCode::RedundancyShort, None, 0, message);
    }
    let are = if disks == 1 { "is" } else { "are" };
    let message = format!(
        "{what}: {} with a tolerance of {} takes {needed} disks, and {disks} {are} here",
        health.scheme, health.tolerance
    );
    let reason = Reason::new(ReasonCode::RedundancyShort, None, wanted, message);
    Reason { next: ADD_DISK.into(), ..reason }
}

/// More members are away, or behind, than the pool tolerates.
fn refused_reason(health: &Health, unhealed: usize) -> Reason {
    let why = match unhealed > health.tolerance.into() {
        true => format!(
            "{} missing or behind, and the pool tolerates {}",
            size::count(unhealed as u64, "disk"),
            health.tolerance
        ),
        false => "too few of the disks that are here have the newest state".to_owned(),
    };
    let message = format!(
        "{why}: it takes no writes; attach the missing ones, or continue without them with --force-degraded"
    );
    Reason::new(ReasonCode::WritesRefused, None, unhealed as u64, message)
}
