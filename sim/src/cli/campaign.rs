//! Many seeds, several at a time.

use super::CampaignArguments;
use super::totals::{Failed, Totals};
use super::watchdog::{self, Jobs};
use dynamicfs_sim::Simulation;
use dynamicfs_sim::simulation::{Counts, Failure, FailureKind, ReplayId};
use indicatif::{ProgressBar, ProgressStyle};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// A campaign, and what it came to so far.
struct Campaign<'a> {
    arguments: &'a CampaignArguments,
    next: u64,
    deadline: Option<Instant>,
    counts: Counts,
    run_twice: u64,
    failures: Vec<Failed>,
    bar: ProgressBar,
}

/// One seed of it.
#[derive(Clone, Debug)]
struct Seed {
    id: ReplayId,
    twice: bool,
}

pub(super) fn run(arguments: &CampaignArguments) -> ExitCode {
    collect(arguments, run_one).show(arguments.json, arguments.html.as_deref())
}

/// Runs the seeds and adds up what comes of them.
fn collect(
    arguments: &CampaignArguments,
    run_one: impl Fn(Seed) -> Result<Counts, Failure> + Send + Sync + 'static,
) -> Totals {
    let start = Instant::now();
    let mut campaign = Campaign {
        arguments,
        next: arguments.seeds.start,
        deadline: arguments.minutes.map(|m| start + Duration::from_secs_f64(m.max(0.0) * 60.0)),
        counts: Counts::default(),
        run_twice: 0,
        failures: Vec::new(),
        bar: bar(arguments.seeds.end - arguments.seeds.start),
    };
    watchdog::watch(&mut campaign, arguments.jobs, arguments.limit.limit, run_one);
    campaign.bar.finish_and_clear();
    let suffix = [(arguments.beyond, ":beyond"), (arguments.long, ":long")];
    let suffix: String = suffix.iter().filter(|(on, _)| *on).map(|(_, name)| *name).collect();
    Totals {
        ranges: vec![format!("{}..{}{suffix}", arguments.seeds.start, campaign.next)],
        seconds: start.elapsed().as_secs_f64(),
        run_twice: campaign.run_twice,
        failures: campaign.failures,
        ..Totals::new(&campaign.counts)
    }
}

fn bar(seeds: u64) -> ProgressBar {
    let template = "{elapsed_precise} {wide_bar} {pos}/{len} seeds {per_sec} left {eta} {msg}";
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(seeds).with_style(style)
}

impl Jobs for Campaign<'_> {
    type Job = Seed;
    type Outcome = Result<Counts, Failure>;

    /// Seeds until there are no more, or time or failures are enough.
    fn next(&mut self) -> Option<Seed> {
        let arguments = self.arguments;
        let late = self.deadline.is_some_and(|deadline| Instant::now() >= deadline);
        let seed = self.next;
        if late || self.failures.len() >= arguments.failures || seed >= arguments.seeds.end {
            return None;
        }
        self.next += 1;
        let off = arguments.switched_off();
        let id = ReplayId { beyond: arguments.beyond, long: arguments.long, off, ..ReplayId::of(seed) };
        let twice = arguments.twice > 0 && seed.is_multiple_of(arguments.twice);
        Some(Seed { id, twice })
    }

    fn done(&mut self, seed: Seed, outcome: Option<Result<Counts, Failure>>) {
        match outcome.unwrap_or_else(|| Err(self.arguments.limit.exceeded(seed.id))) {
            Ok(counts) => {
                self.counts.add(&counts);
                self.run_twice += u64::from(seed.twice);
            }
            Err(failure) => {
                self.counts.seeds += 1;
                self.bar.suspend(|| eprintln!("{failure}"));
                self.failures.push(Failed::new(&failure));
                self.bar.set_message(format!("{} failures", self.failures.len()));
            }
        }
        self.bar.inc(1);
    }
}

fn run_one(seed: Seed) -> Result<Counts, Failure> {
    let report = Simulation::replay(seed.id.clone()).run()?;
    if seed.twice {
        let again = Simulation::replay(seed.id.clone()).run()?;
        if again.trace_hash != report.trace_hash {
            let what = format!("trace {:016x}, then {:016x}", report.trace_hash, again.trace_hash);
            return Err(Failure { id: seed.id, kind: FailureKind::NotDeterministic, step: None, what });
        }
    }
    Ok(report.counts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use std::sync::{Mutex, mpsc};

    fn arguments(line: &str) -> CampaignArguments {
        let words = ["dynamicfs-sim", "campaign"].into_iter().chain(line.split_whitespace());
        match super::super::Arguments::parse_from(words).command {
            super::super::Command::Campaign(arguments) => arguments,
            other => panic!("{other:?}"),
        }
    }

    fn fine() -> Counts {
        Counts { seeds: 1, commits: 3, ..Counts::default() }
    }

    #[test]
    fn a_seed_without_an_end_is_in_the_report_with_everything_else() {
        let (never, waiting) = mpsc::channel::<()>();
        let waiting = Mutex::new(waiting);
        let totals =
            collect(&arguments("--seeds 10..90 --limit 1 --twice 0 --beyond"), move |seed| {
                match seed.id.seed {
                    12 => {
                        let what = "bytes".into();
                        Err(Failure { id: seed.id, kind: FailureKind::WrongState, step: Some(4), what })
                    }
                    15 => waiting.lock().expect("nobody else waits").recv().map(|()| fine()).or(Ok(fine())),
                    _ => Ok(fine()),
                }
            });
        drop(never);
        assert_eq!(totals.ranges, ["10..16:beyond"], "what was begun, and no more");
        assert_eq!((totals.seeds, totals.commits), (6, 12));
        let failures: Vec<_> =
            totals.failures.iter().map(|f| (f.replay.as_str(), f.kind.as_str(), f.exit_code)).collect();
        assert_eq!(failures, [("12:beyond", "wrong-state", 12), ("15:beyond", "hang", 11)]);
        assert_eq!(totals.failures[1].what, "no end within 1s of wall time");
        assert_eq!(totals.exit_code(), 11);
        assert!(totals.table().contains("dynamicfs-sim replay 15:beyond"));
        let json = serde_json::to_string(&totals).expect("a report");
        assert_eq!(serde_json::from_str::<Totals>(&json).expect("the same"), totals);
    }

    #[test]
    fn enough_failures_end_a_campaign() {
        let totals = collect(&arguments("--seeds 0..100 --failures 3 --twice 5"), |seed| {
            if seed.twice {
                Ok(fine())
            } else {
                Err(Failure { id: seed.id, kind: FailureKind::Lost, step: None, what: "all".into() })
            }
        });
        assert_eq!((totals.seeds, totals.run_twice, totals.failures.len()), (4, 1, 3));
    }
}
