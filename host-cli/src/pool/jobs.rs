//! Jobs: what their records say, and running them until they end or are interrupted.

use super::events;
use super::job_report::{JobReport, Run};
use super::journal::{Event, EventKind, Severity};
use super::pace::Pace;
use super::session::Session;
use crate::host::activity::Request;
use crate::host::interrupt;
use crate::output::failure::Failure;
use crate::output::progress::{Progress, Unit};
use crate::output::size;
use dynamicfs_core::maintenance;
use dynamicfs_core::maintenance::{Job, JobKind, Work};
use dynamicfs_core::types::DiskIndex;
use schemars::JsonSchema;
use serde::Serialize;
use std::time::{Duration, Instant};

/// How often a job that rests looks whether another command asks something of it.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Which job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum JobName {
    /// Puts what is missing, or to be moved, where it counts.
    Rebuild,
    /// Reads and proves everything, and repairs what is wrong.
    Scrub,
    /// Puts contents where and how they would be stored today.
    Rebalance,
    /// Compares the free map with what refers to blocks, and puts the map right.
    Recount,
}

impl JobName {
    pub(crate) const fn kind(self) -> JobKind {
        match self {
            Self::Rebuild => JobKind::Rebuild,
            Self::Scrub => JobKind::Scrub,
            Self::Rebalance => JobKind::Rebalance,
            Self::Recount => JobKind::Recount,
        }
    }

    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Rebuild => "rebuild",
            Self::Scrub => "scrub",
            Self::Rebalance => "rebalance",
            Self::Recount => "recount",
        }
    }
}

impl From<JobKind> for JobName {
    fn from(kind: JobKind) -> Self {
        match kind {
            JobKind::Rebuild => Self::Rebuild,
            JobKind::Scrub => Self::Scrub,
            JobKind::Rebalance => Self::Rebalance,
            JobKind::Recount => Self::Recount,
        }
    }
}

/// How a job goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum JobState {
    /// There never was one.
    None,
    /// A process continues with it.
    Running,
    /// It has not ended, and no process continues with it: it waits to be resumed.
    Interrupted,
    /// The operator paused it: it waits to be resumed.
    Paused,
    /// It was given up.
    Cancelled,
    /// It came to its end; what it found lost is listed.
    Complete,
    /// It came to its end, and something is left that it had no space or no disks for.
    Incomplete,
    /// It did all that it could: what a rebuild misses, or a scrub did not read, is on disks that are away,
    /// and waited for.
    Waiting,
}

impl JobState {
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::None => "never ran",
            Self::Running => "is running",
            Self::Interrupted => "was interrupted",
            Self::Paused => "is paused",
            Self::Cancelled => "was cancelled",
            Self::Complete => "is complete",
            Self::Incomplete => "has ended with something left to do",
            Self::Waiting => "has done what it could without the disks that are not here",
        }
    }
}

/// Whether a rebuild has something to do.
pub(crate) fn is_rebuild_due(session: &mut Session<'_>, without_missing: bool) -> Result<bool, Failure> {
    let owed = session.pool.members().owed;
    if owed.is_empty() && !session.pool.members().unhealed.is_empty() {
        // Absent members are not recorded before the next commit.
        session.change(|_| Ok(()))?;
    }
    let roster = session.pool.roster();
    let owes = !session.pool.members().owed.is_empty() || session.pool.health().is_short;
    Ok(owes || without_missing || !roster.draining.or(roster.failed).is_empty())
}

/// Runs a job until it ends or is interrupted. More urgent work comes first.
pub(crate) fn run(
    session: &mut Session<'_>,
    name: JobName,
    throttle: Option<Pace>,
) -> Result<JobReport, Failure> {
    session.writable()?;
    let kind = name.kind();
    let started = Instant::now();
    let block = u64::from(session.pool.health().block_bytes);
    let io_before = io_bytes(session);
    let mut seen = session.pool.job(kind)?;
    let healed_before = seen.map_or(0, |job| job.healed_before + job.healed);
    let mut run = Run { from_bytes: seen.map_or(0, |job| job.done * block), ..Run::default() };
    if let Some(bytes) = throttle.and_then(Pace::step_bytes) {
        session.pool.set_step_bytes(bytes);
    }
    let mut progress = progress(session, name, seen.as_ref(), block);
    // A disk that makes too many errors is emptied and put out of use while its errors are known.
    let mut some_failing = false;
    loop {
        if interrupt::requested() {
            save_position(session)?;
            run.interrupted = is_running(session, kind)?;
            break;
        }
        if let Some(request) = Request::take(&session.config.folder) {
            obey(session, &request)?;
        }
        some_failing |= !session.pool.roster().failing.is_empty();
        let is_over = session.pool.roster().departing.is_empty() && !some_failing;
        if is_over && !is_running(session, kind)? {
            some_failing = session.pool.fail_member()?;
            if !some_failing {
                break;
            }
        }
        let step = Instant::now();
        let work = session.pool.maintain(true);
        events::record(session);
        let work = work?;
        match work {
            Work::Nothing => break,
            Work::Advanced(advanced) if advanced == kind => {
                let job = session.pool.job(kind)?;
                let is_next_pass = matches!((&job, &seen), (Some(job), Some(seen)) if job.done < seen.done);
                if is_next_pass {
                    drop(progress);
                    progress = self::progress(session, name, job.as_ref(), block);
                }
                progress.reach(job.map_or(0, |job| job.done * block));
                seen = job;
            }
            _ => {}
        }
        if let (Some(pace), Work::Advanced(_)) = (throttle, work) {
            let wait = pace.rest(io_bytes(session) - io_before, started.elapsed(), step.elapsed());
            progress.rest(wait);
            rest(session, wait);
        }
    }
    drop(progress);
    run.io_bytes = io_bytes(session) - io_before;
    run.seconds = started.elapsed().as_secs_f64();
    run.bytes_per_second = (run.io_bytes as f64 / run.seconds.max(1e-9)) as u64;
    let report = JobReport::of(session, kind)?;
    run.repaired = report.healed.saturating_sub(healed_before);
    let report = report.after(run);
    note(session, &report);
    if name == JobName::Rebuild {
        let is_well = matches!(report.state, JobState::Complete | JobState::Waiting) && report.lost == 0;
        let has_ended = report.completed().is_some();
        session.rebuilds.started += u64::from(run.from_bytes == 0);
        session.rebuilds.succeeded += u64::from(has_ended && is_well);
        session.rebuilds.failed += u64::from(has_ended && !is_well);
    }
    Ok(report)
}

/// Lets time pass, until this process or another wants to stop.
fn rest(session: &Session<'_>, time: Duration) {
    let started = Instant::now();
    while let Some(left) = time.checked_sub(started.elapsed()).filter(|left| !left.is_zero()) {
        if Request::is_left(&session.config.folder) || interrupt::wait(left.min(LOOK_EVERY)) {
            return;
        }
    }
}

/// Does what another command asks for: the job that is meant is paused or cancelled, and this one finds it
/// so.
fn obey(session: &mut Session<'_>, request: &Request) -> Result<(), Failure> {
    let state = match request.wanted.as_str() {
        "pause" => maintenance::JobState::Paused,
        "cancel" => maintenance::JobState::Cancelled,
        _ => return Ok(()),
    };
    for kind in JobKind::ALL.into_iter().filter(|&kind| JobName::from(kind).word() == request.job) {
        session.pool.set_job_state(kind, state)?;
    }
    Ok(())
}

/// Writes down what the core does not tell of a job.
fn note(session: &Session<'_>, job: &JobReport) {
    let word = job.job.word();
    if job.run().is_some_and(|run| run.interrupted) {
        let message = format!("{word} was interrupted, and waits to be resumed");
        events::note(session, Event::now(Severity::Info, EventKind::JobInterrupted, message));
    } else if job.lost > 0 && job.completed().is_some() {
        let message = format!("{word} found {} lost", size::count(job.lost, "thing"));
        events::note(session, Event::now(Severity::Critical, EventKind::DataLost, message));
    }
}

fn progress(session: &Session<'_>, name: JobName, job: Option<&Job>, block: u64) -> Progress {
    let total = job.filter(|job| job.total > 0).map(|job| job.total * block);
    let mut progress = Progress::new(&session.out, name.word(), Unit::Bytes, total);
    progress.begin_at(job.map_or(0, |job| job.done * block));
    progress
}

fn is_running(session: &mut Session<'_>, kind: JobKind) -> Result<bool, Failure> {
    Ok(session.pool.job(kind)?.is_some_and(|job| job.state == maintenance::JobState::Running))
}

/// Writes down how far the jobs are that are under way: steps that change nothing are not written down one by one.
fn save_position(session: &mut Session<'_>) -> Result<(), Failure> {
    events::record(session);
    for kind in JobKind::ALL {
        if session.pool.set_job_state(kind, maintenance::JobState::Paused)? {
            session.pool.set_job_state(kind, maintenance::JobState::Running)?;
        }
    }
    // There was no pause, and the job ended.
    while session.pool.next_event().is_some() {}
    Ok(())
}

/// Bytes that were read from and written to all disks since the pool was opened.
fn io_bytes(session: &Session<'_>) -> u64 {
    let counters = (0..session.places.len()).map(|disk| session.pool.member_health(DiskIndex(disk)).counters);
    counters.map(|counters| counters.read_bytes + counters.write_bytes).sum()
}
