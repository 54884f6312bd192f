//! Puts faults into copies of the core and the host shim, one at a time, and sees whether the simulator and
//! the tests notice them.

use clap::Parser;
use dynamicfs_tests::mutants::report::{self, Result as Outcome};
use dynamicfs_tests::mutants::{Mutant, build, copy, known, root, table, trial};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Mutants of the core and the host shim: which of them the simulator and the tests notice.
///
/// The exit code is 0 where each is noticed, or argued to be equivalent.
#[derive(Parser, Debug)]
struct Arguments {
    /// Those alone whose names have one of these texts in them, with commas between them
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Mutants that are tried at a time
    #[arg(long, default_value_t = 1)]
    jobs: usize,
    /// Ask first what noticed each mutant before, as docs/SIMULATION.md tells it
    #[arg(long)]
    again: bool,
    /// Campaigns alone, no tests
    #[arg(long)]
    campaigns: bool,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
    /// Print the report as the table that is in the document
    #[arg(long)]
    markdown: bool,
    /// Where the copy and what is built of it goes
    #[arg(long)]
    folder: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(10),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<bool, String> {
    let mutants = table()?;
    let folder = arguments.folder.clone().unwrap_or_else(default_folder);
    let copy_at = folder.join("tree");
    copy::make(&mutants, &copy_at)?;
    let with_tests = !arguments.campaigns;
    let programs = build::build(&copy_at, &folder.join("target"), with_tests)?;
    let begun = Instant::now();
    let document = root().join("docs/SIMULATION.md");
    let document =
        std::fs::read_to_string(&document).map_err(|error| format!("{}: {error}", document.display()))?;
    let known = if arguments.again { known::of(&document) } else { BTreeMap::new() };
    if let Some(noticed) = trial::trial(&programs, None, None, with_tests)? {
        return Err(format!("without any mutant there is a failure: {noticed:?}"));
    }
    eprintln!("{:5.1} s  without any mutant nothing fails", begun.elapsed().as_secs_f64());
    let is_wanted = |mutant: &Mutant| {
        arguments.only.is_empty() || arguments.only.iter().any(|part| mutant.name.contains(part))
    };
    let mut waiting: Vec<(u32, &Mutant)> =
        (1..).zip(&mutants).filter(|(_, mutant)| is_wanted(mutant)).collect();
    waiting.reverse();
    let (waiting, done) = (Mutex::new(waiting), Mutex::new(Vec::new()));
    let work = || -> Result<(), String> {
        loop {
            let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some((number, mutant)) = next else { return Ok(()) };
            let start = Instant::now();
            let noticed =
                trial::trial(&programs, Some((number, mutant)), known.get(&mutant.name), with_tests)?;
            let outcome = Outcome { mutant, noticed, took: start.elapsed() };
            eprintln!("{}", report::line(&outcome));
            done.lock().unwrap_or_else(PoisonError::into_inner).push((number, outcome));
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..arguments.jobs.max(1)).map(|_| scope.spawn(work)).collect();
        let ends = workers.into_iter().map(|worker| worker.join().unwrap_or_else(|_| Err("a panic".into())));
        ends.collect::<Result<Vec<()>, String>>()
    })?;
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(number, _)| *number);
    let outcomes: Vec<Outcome<'_>> = done.into_iter().map(|(_, outcome)| outcome).collect();
    match (arguments.json, arguments.markdown) {
        (true, _) => println!("{:#}", report::json(&outcomes, begun.elapsed())),
        (false, true) => print!("{}", report::markdown(&outcomes)),
        (false, false) => print!("{}", report::summary(&outcomes, begun.elapsed())),
    }
    Ok(!outcomes.iter().any(Outcome::is_survivor))
}

/// Beside all else that is built.
fn default_folder() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    target.join("mutants")
}
