//! `scrub`, `rebuild` and `rebalance`.

use crate::app::App;
use crate::host::activity::Request;
use crate::host::interrupt;
use crate::output::failure::{Code, Exit, Failure};
use crate::output::names::ShowPath;
use crate::output::report::Report;
use crate::output::text::Text;
use crate::pool::config;
use crate::pool::job_report::JobReport;
use crate::pool::jobs::{self, JobName};
use crate::pool::open::{Access, look, with_pool};
use crate::pool::pace::Pace;
use crate::pool::session::Session;
use dynamicfs_core::maintenance::{Job, JobOptions, JobState};
use schemars::JsonSchema;
use serde::Serialize;
use std::time::Duration;
use std_host_shim::FolderLock;

/// How often a waiting command looks whether the pool is free. The system does not report when a lock is
/// released.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What to do with a job.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command<S: clap::Args> {
    /// Start the job and run it to its end; continue one that waits to be resumed
    Start(S),
    /// Pause the job: it waits until `resume` or `start`
    Pause,
    /// Continue the job, until it ends
    Resume(Throttle),
    /// End the job unfinished
    Cancel,
    /// Show how far the job is, or how it ended
    Status,
    /// Wait for the process that runs the job, and show how it ended
    Wait,
}

/// How to start any job.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Start {
    #[command(flatten)]
    throttle: Throttle,
    /// Begin anew, even if a job waits to be resumed
    #[arg(long)]
    restart: bool,
}

/// How to start a rebuild.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct StartRebuild {
    #[command(flatten)]
    start: Start,
    /// Do not wait for missing members: their data counts as lost, and is rebuilt elsewhere
    #[arg(long)]
    without_missing: bool,
}

/// How to start a rebalance.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct StartRebalance {
    #[command(flatten)]
    start: Start,
    /// Only a part: fill the disks evenly, store contents as their policy asks, join short extents
    #[arg(long, value_delimiter = ',', value_name = "WHAT")]
    only: Vec<Order>,
}

/// What a rebalance puts in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Order {
    /// Fragments move from full disks to those with much more room
    Space,
    /// Contents are stored in the scheme that `dynamicfs policy` says
    Policy,
    /// Short extents become long ones
    Extents,
}

/// How to start a job, whichever it is.
pub(crate) trait Begin: clap::Args {
    fn start(&self) -> &Start;

    fn options(&self) -> JobOptions {
        JobOptions::default()
    }
}

impl Begin for Start {
    fn start(&self) -> &Start {
        self
    }
}

impl Begin for StartRebuild {
    fn start(&self) -> &Start {
        &self.start
    }

    fn options(&self) -> JobOptions {
        JobOptions::new().absent(self.without_missing)
    }
}

impl Begin for StartRebalance {
    fn start(&self) -> &Start {
        &self.start
    }

    fn options(&self) -> JobOptions {
        let wanted = |what| self.only.is_empty() || self.only.contains(&what);
        JobOptions::new()
            .space(wanted(Order::Space))
            .policy(wanted(Order::Policy))
            .extents(wanted(Order::Extents))
    }
}

/// How fast to continue.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Throttle {
    /// The most bytes read and written in a second, on average (20MB), or a share of the time (1% to 100%); 0
    /// is no limit
    #[arg(long, value_name = "SIZE|SHARE", value_parser = Pace::parse, allow_hyphen_values = true)]
    pub(crate) throttle: Option<Pace>,
}

/// A job.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Maintenance {
    /// Nothing was done: `--dry-run`.
    dry_run: bool,
    /// Nothing was started: nothing is missing that the disks here could hold. What follows is the last one.
    nothing_to_do: bool,
    #[serde(flatten)]
    job: JobReport,
    /// How it goes is what was asked.
    #[serde(skip)]
    asked: bool,
}

impl Maintenance {
    const fn of(job: JobReport) -> Self {
        Self { dry_run: false, nothing_to_do: false, job, asked: false }
    }
}

impl Report for Maintenance {
    fn text(&self, text: &mut Text) {
        if self.dry_run {
            text.line("nothing is done: --dry-run");
        }
        if self.nothing_to_do {
            text.line("nothing is missing that the disks here could hold");
            return;
        }
        self.job.text(text);
    }

    fn is_answer(&self) -> bool {
        self.asked || self.dry_run || self.job.has_lost()
    }
}

pub(crate) fn run<S: Begin>(app: &App, name: JobName, command: &Command<S>) -> Result<Exit, Failure> {
    match command {
        Command::Status => {
            let job = look(app, |session| JobReport::of(session, name.kind()))?.value;
            let loss = job.loss();
            app.out.finish(&Maintenance { asked: true, ..Maintenance::of(job) }, loss.as_ref())
        }
        Command::Wait => finish(app, when_free(app, name)?),
        Command::Start(options) => {
            let start = options.start();
            go_on(app, start.throttle.throttle, name, |session| match app.global.dry_run {
                true => Ok(true),
                false => begin(session, name, options.options(), start.restart),
            })
        }
        Command::Resume(options) => go_on(app, options.throttle, name, |session| {
            resumable(session, name)?;
            if !app.global.dry_run {
                session.pool.set_job_state(name.kind(), JobState::Running)?;
            }
            Ok(true)
        }),
        Command::Pause => change_or_ask(app, name, JobState::Paused),
        Command::Cancel => change_or_ask(app, name, JobState::Cancelled),
    }
}

/// Starts a job, or resumes one that waits for that; false if there is nothing for it to do.
pub(crate) fn begin(
    session: &mut Session<'_>,
    name: JobName,
    options: JobOptions,
    restart: bool,
) -> Result<bool, Failure> {
    let kind = name.kind();
    if name == JobName::Rebuild && !jobs::is_rebuild_due(session, options.absent)? {
        return Ok(false);
    }
    let is_other = session.pool.job(kind)?.is_some_and(|job| job.options != options);
    if restart || is_other {
        session.pool.set_job_state(kind, JobState::Cancelled)?;
    }
    if !session.pool.set_job_state(kind, JobState::Running)? {
        session.pool.start_job(kind, options)?;
    }
    Ok(true)
}

/// Fails where no job waits to be continued.
fn resumable(session: &mut Session<'_>, name: JobName) -> Result<(), Failure> {
    let waits = |job: Job| matches!(job.state, JobState::Running | JobState::Paused);
    if session.pool.job(name.kind())?.is_some_and(waits) {
        return Ok(());
    }
    let word = name.word();
    Err(Failure::new(Code::NotFound, format!("there is no {word} that waits to be resumed"))
        .hint(format!("begin one with `dynamicfs {word} start`")))
}

/// Prepares a job with `f`, which changes nothing in a dry run, and continues with it until it ends.
fn go_on(
    app: &App,
    throttle: Option<Pace>,
    name: JobName,
    f: impl FnOnce(&mut Session<'_>) -> Result<bool, Failure>,
) -> Result<Exit, Failure> {
    with_pool(app, Access::Write, |session| {
        if !app.global.dry_run {
            session.writable()?;
        }
        let has_work = f(session)?;
        if app.global.dry_run {
            let job = JobReport::of(session, name.kind())?;
            app.out.report(&Maintenance { dry_run: true, ..Maintenance::of(job) })?;
            return Ok(Exit::Done);
        }
        if !has_work {
            let job = JobReport::of(session, name.kind())?;
            app.out.report(&Maintenance { nothing_to_do: true, ..Maintenance::of(job) })?;
            return Ok(Exit::Done);
        }
        let job = jobs::run(session, name, throttle)?;
        finish(app, job)
    })
}

/// Says how a job went.
fn finish(app: &App, job: JobReport) -> Result<Exit, Failure> {
    let shortfall = job.missing();
    app.out.finish(&Maintenance::of(job), shortfall.as_ref())
}

/// Pauses or cancels a job; the process that continues with it is asked to.
fn change_or_ask(app: &App, name: JobName, state: JobState) -> Result<Exit, Failure> {
    let busy = match change(app, name, state) {
        Err(failure) if failure.code() == Code::Busy && !app.global.dry_run => failure,
        done => return done,
    };
    let folder = config::folder(app)?;
    let activity = busy.body().activity;
    let progress = activity.as_ref().and_then(|activity| activity.progress.as_ref());
    let (Some(activity), true) = (&activity, progress.is_some_and(|progress| progress.label == name.word()))
    else {
        return Err(busy);
    };
    let wanted = if state == JobState::Paused { "pause" } else { "cancel" };
    let request = Request { pid: activity.pid, job: name.word().into(), wanted: wanted.into() };
    request
        .leave(&folder)
        .map_err(|error| Failure::host(format_args!("write to the folder {}", folder.shown()), &error))?;
    // The process takes the request between two steps; or it has ended, and the request is left.
    while Request::is_left(&folder) {
        let is_gone = FolderLock::take(&folder).is_ok();
        if is_gone {
            Request::take_back(&folder);
            return change(app, name, state);
        }
        if interrupt::wait(LOOK_EVERY) {
            Request::take_back(&folder);
            return Err(interrupt::interrupted());
        }
    }
    let job = when_free(app, name)?;
    app.out.report(&Maintenance::of(job))?;
    Ok(Exit::Done)
}

fn change(app: &App, name: JobName, state: JobState) -> Result<Exit, Failure> {
    with_pool(app, Access::Write, |session| {
        let kind = name.kind();
        let is_there = match app.global.dry_run {
            true => session.pool.job(kind)?.is_some_and(|job| job.may_become(state)),
            false => {
                session.writable()?;
                session.pool.set_job_state(kind, state)?
            }
        };
        if !is_there {
            let (word, past) = (name.word(), if state == JobState::Paused { "paused" } else { "cancelled" });
            return Err(Failure::new(Code::NotFound, format!("there is no {word} that could be {past}"))
                .hint(format!("see how it went with `dynamicfs {word} status`")));
        }
        let job = JobReport::of(session, kind)?;
        app.out.report(&Maintenance { dry_run: app.global.dry_run, ..Maintenance::of(job) })?;
        Ok(Exit::Done)
    })
}

/// Waits until no process has the pool; how the job is then.
fn when_free(app: &App, name: JobName) -> Result<JobReport, Failure> {
    loop {
        match with_pool(app, Access::Read, |session| JobReport::of(session, name.kind())) {
            Err(failure) if failure.code() == Code::Busy => {
                if interrupt::wait(LOOK_EVERY) {
                    return Err(interrupt::interrupted());
                }
            }
            job => return job,
        }
    }
}
