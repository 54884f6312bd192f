//! Many seeds, several at a time.

use super::CampaignArguments;
use super::totals::{Failed, Totals};
use dynamicfs_sim::Simulation;
use dynamicfs_sim::simulation::{Counts, Failure, FailureKind, ReplayId};
use indicatif::{ProgressBar, ProgressStyle};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What the workers share.
struct Shared<'a> {
    arguments: &'a CampaignArguments,
    next: AtomicU64,
    stop: AtomicBool,
    deadline: Option<Instant>,
    sums: Mutex<Sums>,
    bar: ProgressBar,
}

#[derive(Default)]
struct Sums {
    counts: Counts,
    run_twice: u64,
    failures: Vec<Failed>,
}

pub(super) fn run(arguments: &CampaignArguments) -> ExitCode {
    let start = Instant::now();
    let totals = {
        let shared = Shared {
            arguments,
            next: AtomicU64::new(arguments.seeds.start),
            stop: AtomicBool::new(false),
            deadline: arguments.minutes.map(|m| start + Duration::from_secs_f64(m.max(0.0) * 60.0)),
            sums: Mutex::new(Sums::default()),
            bar: bar(arguments.seeds.end - arguments.seeds.start),
        };
        std::thread::scope(|scope| {
            (0..arguments.jobs.max(1)).for_each(|_| _ = scope.spawn(|| work(&shared)));
        });
        shared.bar.finish_and_clear();
        let reached = shared.next.into_inner().min(arguments.seeds.end);
        let sums = shared.sums.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        let suffix = [(arguments.beyond, ":beyond"), (arguments.long, ":long")];
        let suffix: String = suffix.iter().filter(|(on, _)| *on).map(|(_, name)| *name).collect();
        Totals {
            ranges: vec![format!("{}..{reached}{suffix}", arguments.seeds.start)],
            seconds: start.elapsed().as_secs_f64(),
            run_twice: sums.run_twice,
            failures: sums.failures,
            ..Totals::new(&sums.counts)
        }
    };
    totals.show(arguments.json, arguments.html.as_deref())
}

fn bar(seeds: u64) -> ProgressBar {
    let template = "{elapsed_precise} {wide_bar} {pos}/{len} seeds {per_sec} left {eta} {msg}";
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(seeds).with_style(style)
}

/// One worker: seeds until there are no more, or someone says stop.
fn work(shared: &Shared<'_>) {
    let arguments = shared.arguments;
    loop {
        let late = shared.deadline.is_some_and(|deadline| Instant::now() >= deadline);
        if late || shared.stop.load(Ordering::Relaxed) {
            return;
        }
        let seed = shared.next.fetch_add(1, Ordering::Relaxed);
        if seed >= arguments.seeds.end {
            return;
        }
        let id = ReplayId { beyond: arguments.beyond, long: arguments.long, ..ReplayId::of(seed) };
        let twice = arguments.twice > 0 && seed.is_multiple_of(arguments.twice);
        let done = run_one(&id, twice);
        let mut sums = shared.sums.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match done {
            Ok(counts) => {
                sums.counts.add(&counts);
                sums.run_twice += u64::from(twice);
            }
            Err(failure) => {
                sums.counts.seeds += 1;
                shared.bar.suspend(|| eprintln!("{failure}"));
                sums.failures.push(Failed::new(&failure));
                shared.bar.set_message(format!("{} failures", sums.failures.len()));
                shared.stop.fetch_or(sums.failures.len() >= arguments.failures, Ordering::Relaxed);
            }
        }
        drop(sums);
        shared.bar.inc(1);
    }
}

fn run_one(id: &ReplayId, twice: bool) -> Result<Counts, Failure> {
    let report = Simulation::replay(id.clone()).run()?;
    if twice {
        let again = Simulation::replay(id.clone()).run()?;
        if again.trace_hash != report.trace_hash {
            let what = format!("trace {:016x}, then {:016x}", report.trace_hash, again.trace_hash);
            return Err(Failure { id: id.clone(), kind: FailureKind::NotDeterministic, step: None, what });
        }
    }
    Ok(report.counts)
}
