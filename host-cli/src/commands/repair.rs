//! `repair`: everything that can be repaired is.

use super::maintenance::begin;
use crate::app::App;
use crate::output::failure::{Exit, Failure};
use crate::output::report::Report;
use crate::output::text::Text;
use crate::output::typed::all_addressed;
use crate::pool::job_report::JobReport;
use crate::pool::jobs::{self, JobName};
use crate::pool::open::{Access, with_pool};
use dynamicfs_core::maintenance::JobOptions;
use schemars::JsonSchema;
use serde::Serialize;

/// How to repair.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    throttle: super::maintenance::Throttle,
    /// Do not wait for missing members: their data counts as lost, and is rebuilt elsewhere
    #[arg(long)]
    without_missing: bool,
}

/// In this order: before anything is written, no block in use may count as free. Damage is found before
/// missing data is computed from the rest.
const JOBS: [JobName; 3] = [JobName::Recount, JobName::Scrub, JobName::Rebuild];

/// What a repair did.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Repair {
    /// Nothing was done: `--dry-run`.
    dry_run: bool,
    /// The free map counted anew, everything read and proved, what is missing rebuilt; as far as it came.
    jobs: Vec<JobReport>,
}

impl Report for Repair {
    fn text(&self, text: &mut Text) {
        if self.dry_run {
            text.line(all_addressed("nothing is done: --dry-run; `dynamicfs check` says what is wrong"));
        }
        for job in &self.jobs {
            job.text(text);
        }
    }

    fn is_answer(&self) -> bool {
        self.dry_run || self.jobs.iter().any(JobReport::has_lost)
    }
}

pub(crate) fn run(app: &App, options: &Options) -> Result<Exit, Failure> {
    with_pool(app, Access::Write, |session| {
        let mut report = Repair { dry_run: app.global.dry_run, jobs: Vec::new() };
        let mut shortfall = None;
        if !report.dry_run {
            session.writable()?;
        }
        for name in JOBS.into_iter().filter(|_| !app.global.dry_run) {
            let options_of_job = JobOptions::new().absent(options.without_missing);
            if begin(session, name, options_of_job, false)? {
                report.jobs.push(jobs::run(session, name, options.throttle.throttle)?);
            }
            let failure = report.jobs.last().and_then(JobReport::missing);
            let is_over = failure.as_ref().is_some_and(|failure| failure.exit() == Exit::Interrupted);
            // What is lost says more than what could not be done.
            shortfall = match (shortfall, failure) {
                (Some(earlier), Some(failure)) => Some(worse(earlier, failure)),
                (earlier, failure) => earlier.or(failure),
            };
            if is_over {
                break;
            }
        }
        app.out.finish(&report, shortfall.as_ref())
    })
}

fn worse(a: Failure, b: Failure) -> Failure {
    let rank = |failure: &Failure| match failure.exit() {
        Exit::Interrupted => 2,
        Exit::Damaged => 1,
        _ => 0,
    };
    if rank(&b) > rank(&a) { b } else { a }
}
