//! The program's commands.
//!
//! Exit codes: 0 nothing failed, 1 the program could not do its work, 2 bad arguments, 10 and up the gravest
//! failure (see `FailureKind::exit_code`).

/// Prints a line; a reader that is gone is no failure.
macro_rules! say {
    ($($words:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stdout(), $($words)*);
    }};
}

mod campaign;
mod exhaustive;
mod explain;
mod html;
mod one;
mod picture;
mod table;
mod totals;
mod watchdog;

use clap::{Args, Parser, Subcommand};
use dynamicfs_sim::prepared::Start;
use dynamicfs_sim::simulation::{Failure, FailureKind, FaultKind, FaultSet, ReplayId};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// Simulates pools whose disks fail and lose power, and checks that nothing is lost.
#[derive(Parser, Debug)]
#[command(version, arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Run one seed
    Run(RunArguments),
    /// Run many seeds
    Campaign(CampaignArguments),
    /// Run every short sequence of operations, cut at every I/O
    Exhaustive(ExhaustiveArguments),
    /// Run again what a replay line says
    Replay {
        /// The replay line's identifier
        id: ReplayId,
        /// Print what happens
        #[arg(long)]
        trace: bool,
        #[command(flatten)]
        limit: Limit,
    },
    /// Make a failure smaller, and print it as a regression test
    Shrink {
        /// The replay line's identifier
        id: ReplayId,
        /// Runs at most
        #[arg(long, default_value_t = 600)]
        runs: u32,
        #[command(flatten)]
        limit: Limit,
    },
    /// Tell the story of a run, disk by disk, as text and as a picture
    Explain {
        /// The replay line's identifier
        id: ReplayId,
        /// The picture
        #[arg(long, default_value = "timeline.svg")]
        svg: PathBuf,
        #[command(flatten)]
        limit: Limit,
    },
    /// Join reports of campaigns that were run elsewhere
    Merge {
        /// JSON reports
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Print the joined report as JSON
        #[arg(long)]
        json: bool,
        /// Write a page for people
        #[arg(long)]
        html: Option<PathBuf>,
    },
    /// List the rare paths that campaigns look out for, and the faults
    Probes,
}

/// Arguments of `run`.
#[derive(Args, Debug)]
pub(crate) struct RunArguments {
    /// The seed
    seed: u64,
    /// Print what happens
    #[arg(long)]
    trace: bool,
    /// Let damage exceed what redundancy bears
    #[arg(long)]
    beyond: bool,
    /// Longer, with crashes nested three deep
    #[arg(long)]
    long: bool,
    #[command(flatten)]
    limit: Limit,
}

/// Arguments of `campaign`.
#[derive(Args, Debug)]
pub(crate) struct CampaignArguments {
    /// The seeds, A..B: from A on, before B
    #[arg(long, value_parser = parse_seeds)]
    seeds: Range<u64>,
    /// Seeds that are run at a time
    #[arg(long, default_value_t = 1)]
    jobs: usize,
    /// Begin no more seeds after so many minutes
    #[arg(long)]
    minutes: Option<f64>,
    /// Let damage exceed what redundancy bears
    #[arg(long)]
    beyond: bool,
    /// Longer runs, with crashes nested three deep
    #[arg(long)]
    long: bool,
    /// Kinds of faults that are switched off, with commas between them
    #[arg(long, value_name = "KINDS", value_parser = parse_kinds, conflicts_with = "only")]
    off: Option<FaultSet>,
    /// Kinds of faults that alone may happen
    #[arg(long, value_name = "KINDS", value_parser = parse_kinds)]
    only: Option<FaultSet>,
    /// Run one seed of so many twice and compare
    #[arg(long, default_value_t = 16)]
    twice: u64,
    /// Stop after so many failures
    #[arg(long, default_value_t = 20)]
    failures: usize,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
    /// Write a page for people
    #[arg(long)]
    html: Option<PathBuf>,
    #[command(flatten)]
    limit: Limit,
}

/// How long a run may take.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Limit {
    /// Seconds of wall time in which a run must end, else it is a failure; 0 waits for ever
    #[arg(long, value_name = "SECONDS", default_value = "120", value_parser = parse_limit)]
    limit: Duration,
}

impl CampaignArguments {
    /// Kinds of faults that cannot happen.
    fn switched_off(&self) -> FaultSet {
        self.off.or(self.only.map(FaultSet::complement)).unwrap_or(FaultSet::NONE)
    }
}

fn parse_kinds(text: &str) -> Result<FaultSet, String> {
    let known = |name: &str| FaultKind::from_name(name).ok_or_else(|| format!("no fault is called {name:?}"));
    text.split(',').map(known).collect()
}

impl Limit {
    /// The failure of a run that did not end in time.
    fn exceeded(self, id: ReplayId) -> Failure {
        let what = format!("no end within {:?} of wall time", self.limit);
        Failure { id, kind: FailureKind::Hang, step: None, what }
    }
}

fn parse_limit(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().map_err(|error| error.to_string())?;
    match Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())? {
        Duration::ZERO => Ok(Duration::MAX),
        limit => Ok(limit),
    }
}

/// Arguments of `exhaustive`.
#[derive(Args, Debug)]
pub(crate) struct ExhaustiveArguments {
    /// Operations of a sequence at most
    #[arg(long, default_value_t = 2)]
    ops: usize,
    /// Cuts, each in the recovery from the one before
    #[arg(long, default_value_t = 2)]
    depth: u32,
    /// Worlds that are looked at after a cut: all of them, or a sample if there are more
    #[arg(long, default_value_t = 16)]
    states: usize,
    /// What the pool is like in the beginning: empty, full, or with a sweep that is due
    #[arg(long, default_value = "empty", value_parser = parse_start)]
    prepared: Start,
    /// Disks that are lost after each cut, before the recovery and after it: each choice of so many, as far as the pool bears it
    #[arg(long, default_value_t = 0)]
    lose: usize,
    /// Parts that are explored at a time
    #[arg(long, default_value_t = 1)]
    jobs: usize,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

fn parse_start(text: &str) -> Result<Start, String> {
    let names = Start::ALL.map(Start::name).join(", ");
    let start = Start::ALL.into_iter().find(|start| start.name() == text);
    start.ok_or_else(|| format!("it may be {names}"))
}

fn parse_seeds(text: &str) -> Result<Range<u64>, String> {
    let (first, end) = text.split_once("..").ok_or("seeds are a range, A..B")?;
    let number = |text: &str| text.parse::<u64>().map_err(|error| format!("{text:?}: {error}"));
    let range = number(first)?..number(end)?;
    if range.is_empty() { Err("the range is empty".into()) } else { Ok(range) }
}

/// Says why something cannot be done.
fn sorry(what: &str, path: &Path, error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("error: {what} {}: {error}", path.display());
    ExitCode::FAILURE
}

/// Does what the command line says.
pub(crate) fn main(arguments: Arguments) -> ExitCode {
    match arguments.command {
        Command::Run(run) => {
            let id = ReplayId { beyond: run.beyond, long: run.long, ..ReplayId::of(run.seed) };
            one::run(id, run.trace, run.limit)
        }
        Command::Exhaustive(exhaustive) => exhaustive::run(&exhaustive),
        Command::Replay { id, trace, limit } => one::run(id, trace, limit),
        Command::Shrink { id, runs, limit } => one::shrink(id, runs, limit),
        Command::Explain { id, svg, limit } => explain::run(id, &svg, limit),
        Command::Merge { files, json, html } => totals::merge(&files, json, html.as_deref()),
        Command::Probes => one::probes(),
        Command::Campaign(campaign) => campaign::run(&campaign),
    }
}
