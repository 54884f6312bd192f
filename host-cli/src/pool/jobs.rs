//! Jobs: what their records say, and going on with them until they end or someone wants to stop.

use super::events;
use super::pace::Pace;
use super::session::Session;
use super::tree::paths_of;
use crate::host::activity::{Activity, Request};
use crate::host::interrupt;
use crate::host::times::rfc3339;
use crate::output::failure::{Code, Exit, Failure};
use crate::output::progress::{Progress, Unit};
use crate::output::size;
use crate::output::text::{BAD, GOOD, Text, WARN};
use dynamicfs_core::maintain::{self, Job, JobKind, Lost, Work};
use dynamicfs_hal::{Clock, UnixTime};
use schemars::JsonSchema;
use serde::Serialize;
use std::time::{Duration, Instant};
use std_host_shim::OsClock;

/// How often a job that rests looks whether another command asks something of it.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Days after which a scrub is told to be long ago.
pub(crate) const SCRUB_STALE_DAYS: u64 = 35;

/// Which job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum JobName {
    /// Puts what is missing, or to be moved, where it counts.
    Rebuild,
    /// Reads and proves everything, and puts right what is wrong.
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
    /// A process goes on with it.
    Running,
    /// It has not ended, and no process goes on with it: it waits to be resumed.
    Interrupted,
    /// The operator paused it: it waits to be resumed.
    Paused,
    /// It was given up.
    Cancelled,
    /// It came to its end; what it found lost is listed.
    Complete,
    /// It came to its end, and something is left that it had no space or no disks for.
    Incomplete,
    /// A rebuild did all that it could: what is missing is on disks that are away, and waited for.
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
            Self::Waiting => "has done what it could; what disks hold that are not here is waited for",
        }
    }
}

/// A job, as its record says, and what this command did of it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct JobReport {
    /// Which job.
    pub(crate) job: JobName,
    /// How it goes.
    pub(crate) state: JobState,
    /// What absent members held counts as lost, and is rebuilt elsewhere.
    absent_is_lost: bool,
    /// Things that it found wanting, in all passes.
    pub(crate) found: u64,
    /// Those of them that it put right.
    pub(crate) healed: u64,
    /// Those of them of which nothing is left.
    pub(crate) lost: u64,
    /// Things with less redundancy than was asked for, which the disks that there are cannot hold.
    short: u64,
    /// Bytes that the last pass has met.
    done_bytes: u64,
    /// Bytes that a pass comes to, about; null if that is not known.
    total_bytes: Option<u64>,
    /// When it was started, RFC 3339 in UTC.
    started: Option<String>,
    /// When it ended, RFC 3339 in UTC.
    ended: Option<String>,
    /// Seconds until it ends if it goes on as this command did, about; null when it is over, or that is not known.
    eta_seconds: Option<u64>,
    /// What this command did of it; null if it only looked.
    this_run: Option<Run>,
    /// What is lost, the first 64.
    lost_items: Vec<LostItem>,
    /// Files that have lost contents, as far as directories can be read.
    lost_files: Vec<String>,
    /// The process that goes on with it, if one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    activity: Option<Activity>,
    #[serde(skip)]
    ended_seconds: i64,
}

/// What one command did of a job.
#[derive(Clone, Copy, Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Run {
    /// Bytes that were done before.
    from_bytes: u64,
    /// Things that were put right.
    pub(crate) repaired: u64,
    /// Bytes that were read from and written to the disks.
    pub(crate) io_bytes: u64,
    /// Seconds.
    pub(crate) seconds: f64,
    /// Bytes in each of these seconds.
    bytes_per_second: u64,
    /// Someone asked to stop before the end.
    #[serde(skip)]
    interrupted: bool,
}

/// Something that is lost.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
struct LostItem {
    /// What it is.
    kind: LostKind,
    /// The object.
    object: u64,
    /// The first byte of it that is lost; null for a node.
    offset: Option<u64>,
}

/// What is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum LostKind {
    /// An extent.
    Extent,
    /// A node of the tree, with all records from this object on that were in it.
    Node,
}

impl JobReport {
    /// As the record says. Where the pool can be read, no process goes on with a job.
    pub(crate) fn of(session: &mut Session<'_>, kind: JobKind) -> Result<Self, Failure> {
        let mut report = Self {
            job: kind.into(),
            state: JobState::None,
            absent_is_lost: false,
            found: 0,
            healed: 0,
            lost: 0,
            short: 0,
            done_bytes: 0,
            total_bytes: None,
            started: None,
            ended: None,
            eta_seconds: None,
            this_run: None,
            lost_items: Vec::new(),
            lost_files: Vec::new(),
            activity: None,
            ended_seconds: 0,
        };
        let Some(job) = session.pool.job(kind)? else { return Ok(report) };
        let block = u64::from(session.pool.health().block_bytes);
        let time = |seconds: i64| (seconds != 0).then(|| rfc3339(UnixTime { seconds, nanoseconds: 0 }));
        report.state = match job.state {
            maintain::JobState::Running => JobState::Interrupted,
            maintain::JobState::Paused => JobState::Paused,
            maintain::JobState::Cancelled => JobState::Cancelled,
            maintain::JobState::Complete => JobState::Complete,
            maintain::JobState::Incomplete => JobState::Incomplete,
            maintain::JobState::Waiting => JobState::Waiting,
        };
        report.absent_is_lost = job.options.absent;
        // What an earlier pass found and could not put right, the last one found again.
        report.found = job.healed_before + job.found;
        (report.healed, report.lost) = (job.healed_before + job.healed, job.failed.into());
        report.short = job.short;
        report.done_bytes = job.done * block;
        report.total_bytes = (job.total > 0).then_some(job.total * block);
        (report.started, report.ended) = (time(job.started), time(job.ended));
        report.ended_seconds = job.ended;
        if job.failed > 0 {
            session.pool.lost_items(kind, |lost| report.lost_items.extend(item(lost)))?;
            let objects = report.lost_items.iter().map(|item| dynamicfs_core::types::ObjectId(item.object));
            report.lost_files = paths_of(&mut session.pool, objects.collect())?;
        }
        Ok(report)
    }

    /// As it is while another process has the pool: that goes on with it, if it says so.
    pub(crate) fn while_active(mut self, activity: Option<Activity>) -> Self {
        let word = self.job.word();
        let goes_on = |activity: &Activity| activity.progress.as_ref().is_some_and(|work| work.label == word);
        self.activity = activity.filter(goes_on);
        if let Some(progress) = self.activity.as_ref().and_then(|activity| activity.progress.as_ref()) {
            (self.state, self.done_bytes) = (JobState::Running, progress.done.max(self.done_bytes));
            self.total_bytes = progress.total.or(self.total_bytes);
        }
        self
    }

    /// With what a command did of it.
    fn after(mut self, run: Run) -> Self {
        let done = self.done_bytes.saturating_sub(run.from_bytes);
        let waits = matches!(self.state, JobState::Interrupted | JobState::Paused);
        self.eta_seconds = self.total_bytes.filter(|_| waits && done > 0).map(|total| {
            let left = total.saturating_sub(self.done_bytes);
            (left as f64 * run.seconds / done as f64).ceil() as u64
        });
        self.this_run = Some(run);
        self
    }

    /// Whether the last one that came to its end is too long ago.
    pub(crate) fn is_stale(&self) -> bool {
        let age = OsClock::new().now().seconds.saturating_sub(self.ended_seconds);
        self.ended_seconds != 0 && age > SCRUB_STALE_DAYS as i64 * 24 * 3600
    }

    /// When it came to its end, if it did.
    pub(crate) fn completed(&self) -> Option<&str> {
        let is_over = matches!(self.state, JobState::Complete | JobState::Incomplete | JobState::Waiting);
        self.ended.as_deref().filter(|_| is_over)
    }

    /// What this command did of it.
    pub(crate) const fn run(&self) -> Option<Run> {
        self.this_run
    }

    /// Why a command that went on with it did not do all that was wanted.
    pub(crate) fn shortfall(&self) -> Option<Failure> {
        let word = self.job.word();
        let status = format!("see what with `dynamicfs {word} status`");
        if self.this_run.is_some_and(|run| run.interrupted) {
            let message = format!("the {word} was interrupted; what it has done is kept");
            return Some(
                Failure::new(Code::Interrupted, message)
                    .hint(format!("go on where it was with `dynamicfs {word} resume`")),
            );
        }
        if self.lost > 0 {
            let message = format!("{} lost: nothing is left of it", size::count(self.lost, "thing"));
            return Some(Failure::new(Code::Damaged, message).hint(match self.lost_files.is_empty() {
                true => status,
                false => {
                    "take these files from a backup: `dynamicfs put` over them, or `dynamicfs rm` them".into()
                }
            }));
        }
        match self.state {
            JobState::Incomplete => {
                let left = self.found.saturating_sub(self.healed);
                let message = format!(
                    "{} could not be put right: there is no space, or no disk for it",
                    size::count(left, "thing")
                );
                Some(
                    Failure::new(Code::Partial, message)
                        .hint("add a disk with `dynamicfs disk add`, then start it again"),
                )
            }
            JobState::Interrupted | JobState::Paused => {
                let message = format!("the {word} {}", self.state.words());
                Some(
                    Failure::new(Code::Partial, message)
                        .hint(format!("go on with `dynamicfs {word} resume`")),
                )
            }
            JobState::None
            | JobState::Running
            | JobState::Cancelled
            | JobState::Complete
            | JobState::Waiting => None,
        }
    }

    /// The same, for a command that is to make the pool whole: disks that are waited for are in its way, too.
    pub(crate) fn missing(&self) -> Option<Failure> {
        let waits = self.state == JobState::Waiting;
        self.shortfall().or_else(|| {
            waits.then(|| {
                let message = "redundancy is not complete: disks are not here that may come back";
                Failure::new(Code::Partial, message).hint(
                    "see them with `dynamicfs disk list`; attach them or take them online, or do without: `dynamicfs \
                     disk replace`, or `dynamicfs rebuild start --without-missing`",
                )
            })
        })
    }

    /// How it is in text.
    pub(crate) fn text(&self, text: &mut Text) {
        let style = match self.state {
            _ if self.lost > 0 => BAD,
            JobState::Complete => GOOD,
            _ => WARN,
        };
        let word = self.job.word();
        if self.state == JobState::None {
            text.line(format_args!("there was no {word} yet"));
            return;
        }
        text.line(format_args!("{word} {style}{}{style:#}", self.state.words()));
        if let Some(activity) = &self.activity {
            text.field("by", activity.words());
        }
        let ended = self.ended.as_ref().map_or_else(String::new, |ended| format!(", ended {ended}"));
        text.field("started", format_args!("{}{ended}", self.started.as_deref().unwrap_or("-")));
        let total = self.total_bytes.map_or_else(String::new, |total| format!(" of {}", text.size(total)));
        text.field("met", format_args!("{}{total}", text.size(self.done_bytes)));
        text.field(
            "found",
            format_args!("{} wanting, {} put right, {} lost", self.found, self.healed, self.lost),
        );
        if self.short > 0 {
            let short = size::count(self.short, "thing");
            text.field(
                "short",
                format_args!("{short} with less redundancy than asked for, for want of disks"),
            );
        }
        if let Some(run) = self.this_run {
            let from = if run.from_bytes > 0 {
                format!("went on at {}; ", text.size(run.from_bytes))
            } else {
                String::new()
            };
            text.field(
                "this run",
                format_args!(
                    "{from}{} put right; {} read and written in {}, {}/s",
                    run.repaired,
                    text.size(run.io_bytes),
                    size::duration(Duration::from_secs_f64(run.seconds)),
                    text.size(run.bytes_per_second)
                ),
            );
        }
        for item in self.lost_items.iter().filter(|_| self.lost_files.is_empty()) {
            let at =
                item.offset.map_or_else(|| "and what follows".into(), |offset| format!("at byte {offset}"));
            text.line(format_args!("{BAD}lost{BAD:#} object {} {at}", item.object));
        }
        for path in &self.lost_files {
            text.line(format_args!("{BAD}lost contents{BAD:#} {path}"));
        }
    }

    /// Whether something is lost, which is named in it.
    pub(crate) const fn has_lost(&self) -> bool {
        self.lost > 0
    }

    /// The exit code of a command that went on with it.
    pub(crate) fn exit(&self) -> Exit {
        self.shortfall().map_or(Exit::Done, |failure| failure.exit())
    }
}

const fn item(lost: Lost) -> Option<LostItem> {
    match lost {
        Lost::Extent { object, start } => {
            Some(LostItem { kind: LostKind::Extent, object: object.0, offset: Some(start) })
        }
        Lost::Node { object } => Some(LostItem { kind: LostKind::Node, object: object.0, offset: None }),
        _ => None,
    }
}

/// Whether a rebuild has something to do.
pub(crate) fn is_rebuild_due(session: &mut Session<'_>, without_missing: bool) -> Result<bool, Failure> {
    let owed = session.pool.store.committed().owed();
    if owed.is_empty() && !session.pool.store.unhealed().is_empty() {
        // Who is away is not written down before the next commit.
        session.change(|_| Ok(()))?;
    }
    let superblock = session.pool.store.committed();
    let roster = session.pool.store.roster();
    let owes = !superblock.owed().is_empty() || superblock.is_short();
    Ok(owes || without_missing || !roster.emptied.or(roster.failed).is_empty())
}

/// Goes on with a job until it ends, or someone wants to stop. More urgent work comes first.
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
        some_failing |= !session.pool.store.roster().failing.is_empty();
        let is_over = session.pool.store.roster().departing.is_empty() && !some_failing;
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
        "pause" => maintain::JobState::Paused,
        "cancel" => maintain::JobState::Cancelled,
        _ => return Ok(()),
    };
    for kind in JobKind::ALL.into_iter().filter(|&kind| JobName::from(kind).word() == request.job) {
        session.pool.set_job_state(kind, state)?;
    }
    Ok(())
}

fn progress(session: &Session<'_>, name: JobName, job: Option<&Job>, block: u64) -> Progress {
    let total = job.filter(|job| job.total > 0).map(|job| job.total * block);
    let mut progress = Progress::new(&session.out, name.word(), Unit::Bytes, total);
    progress.begin_at(job.map_or(0, |job| job.done * block));
    progress
}

fn is_running(session: &mut Session<'_>, kind: JobKind) -> Result<bool, Failure> {
    Ok(session.pool.job(kind)?.is_some_and(|job| job.state == maintain::JobState::Running))
}

/// Writes down how far the jobs are that are under way: steps that change nothing are not written down one by one.
fn save_position(session: &mut Session<'_>) -> Result<(), Failure> {
    events::record(session);
    for kind in JobKind::ALL {
        if session.pool.set_job_state(kind, maintain::JobState::Paused)? {
            session.pool.set_job_state(kind, maintain::JobState::Running)?;
        }
    }
    // Nobody wanted a pause, and it is over.
    while session.pool.next_event().is_some() {}
    Ok(())
}

/// Bytes that were read from and written to all disks since the pool was opened.
fn io_bytes(session: &Session<'_>) -> u64 {
    let counters = (0..session.places.len()).map(|disk| session.pool.member_health(disk).counters);
    counters.map(|counters| counters.read_bytes + counters.write_bytes).sum()
}
