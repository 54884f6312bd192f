//! What scrubs, rebuilds and their like have to do with how a pool is: what they found lost, and what they
//! left.

use super::counters::PoolTotals;
use super::forecast::{Rebuild, Space};
use super::job_report::JobReport;
use super::jobs::{JobName, JobState};
use super::readable::readable;
use super::reasons::{ADD_DISK, REBUILD, Reason, ReasonCode, SCRUB};
use super::room::{Fullness, PoolRoom};
use super::session::Session;
use super::whole::SCRUB_STALE_DAYS;
use crate::output::failure::Failure;
use crate::output::size;
use dynamicfs_core::maintenance::JobKind;
use dynamicfs_core::types::Set;

/// All jobs, each as far as its record can be read.
pub(super) struct Jobs {
    pub(super) scrub: Option<JobReport>,
    pub(super) rebuild: Option<JobReport>,
    rebalance: Option<JobReport>,
    recount: Option<JobReport>,
}

impl Jobs {
    pub(super) fn of(session: &mut Session<'_>) -> Result<Self, Failure> {
        let mut job = |kind| readable(JobReport::of(session, kind));
        Ok(Self {
            scrub: job(JobKind::Scrub)?,
            rebuild: job(JobKind::Rebuild)?,
            rebalance: job(JobKind::Rebalance)?,
            recount: job(JobKind::Recount)?,
        })
    }

    /// Extents that the last scrub or rebuild found lost.
    pub(super) fn extents_lost(&self) -> u64 {
        let jobs = [&self.scrub, &self.rebuild].into_iter().flatten();
        jobs.map(|job| job.extents_lost).max().unwrap_or(0)
    }

    /// What their records say.
    pub(super) fn reasons(
        &self,
        session: &mut Session<'_>,
        room: Option<&PoolRoom>,
    ) -> Result<Vec<Reason>, Failure> {
        let Self { scrub, rebuild, rebalance, recount } = self;
        let mut reasons = Vec::new();
        for job in [scrub, rebuild, rebalance, recount].into_iter().flatten() {
            // A scrub reads everything: it has met what an earlier rebuild found lost, if that is still
            // there.
            let is_proven = scrub.as_ref().is_some_and(|scrub| scrub.is_proof_since(job));
            if job.job != JobName::Rebuild || !is_proven {
                reasons.extend(lost(job));
            }
            reasons.extend(waiting(job));
        }
        if let Some(rebuild) = rebuild {
            reasons.extend(rebuild_incomplete(session, rebuild)?);
        }
        reasons.extend(scrub.iter().flat_map(|scrub| scrub_left(scrub, room)));
        Ok(reasons)
    }
}

/// A read met lost contents, and no scrub has looked since how much is lost.
pub(super) fn lost_read(totals: &PoolTotals, scrub: Option<&JobReport>) -> Option<Reason> {
    let is_settled = scrub.is_some_and(|scrub| {
        scrub.completed().is_some() && scrub.started_seconds >= totals.lost_read_at as i64
    });
    (totals.lost_read_at > 0 && !is_settled).then(|| {
        let message = "a read met lost contents: a scrub names them";
        let reason = Reason::new(ReasonCode::DataLost, None, totals.lost_reads, message);
        Reason { next: SCRUB.into(), ..reason }
    })
}

/// An item that was lost, and may still be there.
fn lost(job: &JobReport) -> Option<Reason> {
    if job.lost == 0 || job.state == JobState::Cancelled {
        return None;
    }
    let word = job.job.word();
    let message = format!("the last {word} found {} lost", size::count(job.lost, "thing"));
    let reason = Reason::new(ReasonCode::DataLost, Some(word), job.lost, message);
    let next = match (job.job, job.brought_back_by()) {
        // A repair is several jobs, and this is one of them.
        (JobName::Recount, _) => "dynamicfs repair".into(),
        (_, Some(next)) => next,
        // It was removed, or replaced.
        _ if job.is_loss_gone() => SCRUB.into(),
        _ => format!("dynamicfs {word} status"),
    };
    Some(Reason { next, ..reason })
}

/// A job that waits to be resumed.
fn waiting(job: &JobReport) -> Option<Reason> {
    if !matches!(job.state, JobState::Interrupted | JobState::Paused) {
        return None;
    }
    let (word, code) = (
        job.job.word(),
        match job.job {
            JobName::Rebuild => ReasonCode::RebuildWaiting,
            JobName::Scrub => ReasonCode::ScrubWaiting,
            JobName::Rebalance => ReasonCode::RebalanceWaiting,
            JobName::Recount => ReasonCode::RepairWaiting,
        },
    );
    let message = format!("a {word} {}, and waits to be resumed", job.state.words());
    let next = match job.job {
        JobName::Recount => "dynamicfs repair".into(),
        _ => format!("dynamicfs {word} resume"),
    };
    Some(Reason { next, ..Reason::new(code, Some(word), 1, message) })
}

/// A rebuild that found no room, or no disks: it is started again when there are some.
fn rebuild_incomplete(session: &mut Session<'_>, job: &JobReport) -> Result<Option<Reason>, Failure> {
    if job.state != JobState::Incomplete {
        return Ok(None);
    }
    let has_room = readable(Rebuild::of(session, Set::EMPTY))?
        .is_some_and(|rebuild| rebuild.space == Space::Enough && rebuild.has_disks());
    let message = "the last rebuild had no disks or no space for some of what is missing".to_owned();
    let reason = Reason::new(ReasonCode::RebuildIncomplete, Some(job.job.word()), job.left(), message);
    Ok(Some(Reason { next: if has_room { REBUILD } else { ADD_DISK }.into(), ..reason }))
}

/// What the last scrub did not repair, or not read; and one that is long ago.
fn scrub_left(job: &JobReport, room: Option<&PoolRoom>) -> Vec<Reason> {
    let mut reasons = Vec::new();
    let mut add = |code, count, message: String, next: &str| {
        reasons.push(Reason { next: next.into(), ..Reason::new(code, Some(job.job.word()), count, message) });
    };
    if job.state == JobState::Incomplete && job.left() > 0 {
        let left = size::count(job.left(), "thing");
        let message = format!("the last scrub found {left} bad and had no room for it elsewhere");
        let next = room.filter(|room| room.fullness != Fullness::Roomy).map_or(SCRUB, PoolRoom::next);
        add(ReasonCode::ScrubIncomplete, job.left(), message, next);
    }
    if job.state == JobState::Waiting {
        let message = format!("the last scrub did not read everything: {}", job.unread());
        add(ReasonCode::ScrubPartial, job.unread_bytes, message, SCRUB);
    }
    if let Some(message) = job.whole().why_due() {
        add(ReasonCode::ScrubStale, SCRUB_STALE_DAYS, message, SCRUB);
    }
    reasons
}
