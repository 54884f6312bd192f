//! One run, replayed or new.

use super::{Limit, watchdog};
use dynamicfs_sim::Simulation;
use dynamicfs_sim::simulation::{self, Event, EventKind, Failure, FaultKind, Probe, ReplayId, Report};
use std::process::ExitCode;

/// What came of a run, and its story.
type Told = (Result<Report, Failure>, Vec<Event>);

/// Runs it within the limit. Of a run without an end there is no story.
pub(super) fn tell(id: &ReplayId, trace: bool, limit: Limit) -> Told {
    let simulation = Simulation::replay(id.clone());
    let told = watchdog::within(limit.limit, move || match trace {
        true => simulation.tell(),
        false => (simulation.run(), Vec::new()),
    });
    told.unwrap_or_else(|| (Err(limit.exceeded(id.clone())), Vec::new()))
}

pub(super) fn run(id: ReplayId, trace: bool, limit: Limit) -> ExitCode {
    let (done, story) = tell(&id, trace, limit);
    if !story.is_empty() {
        say!("{HEAD}");
    }
    story.iter().for_each(|event| say!("{}", line(event)));
    match done {
        Ok(report) => {
            let counts = &report.counts;
            say!("seed {}: {}, trace {:016x}", report.id, report.pool, report.trace_hash);
            say!(
                "  {} commits, {} operations, {} mounts, {} crashes, {} recoveries checked, {} I/Os, {:.3} s simulated",
                counts.commits,
                counts.operations,
                counts.mounts,
                counts.crashes,
                counts.cycles,
                counts.ios,
                counts.micros as f64 / 1e6
            );
            let faults = FaultKind::ALL.iter().filter(|&&kind| counts.faults.of(kind) > 0);
            let faults: Vec<_> = faults.map(|&k| format!("{} {}", k.name(), counts.faults.of(k))).collect();
            say!("  faults: {}", or_none(&faults));
            let probes = Probe::ALL.iter().filter(|&&probe| counts.probes.of(probe) > 0);
            let probes: Vec<_> = probes.map(|&p| format!("{} {}", p.name(), counts.probes.of(p))).collect();
            say!("  probes: {}", or_none(&probes));
            judge(Ok(()))
        }
        Err(failure) => judge(Err(failure)),
    }
}

/// Says what failed, if anything did, and how the program ends.
pub(super) fn judge(done: Result<(), Failure>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            say!("{failure}");
            ExitCode::from(failure.kind.exit_code())
        }
    }
}

/// Makes a failure smaller.
pub(super) fn shrink(id: ReplayId, runs: u32, limit: Limit) -> ExitCode {
    if let (Err(failure), _) = tell(&id, false, limit)
        && failure == limit.exceeded(id.clone())
    {
        say!("{failure}\n  what has no end is not made smaller");
        return ExitCode::from(failure.kind.exit_code());
    }
    let Some(shrunk) = simulation::shrink(id.clone(), runs) else {
        say!("{id} does not fail");
        return ExitCode::SUCCESS;
    };
    say!("{}\n  after {} runs\n", shrunk.failure, shrunk.runs);
    say!("{}", shrunk.failure.as_test());
    ExitCode::from(shrunk.failure.kind.exit_code())
}

/// Lists probes and faults.
pub(super) fn probes() -> ExitCode {
    say!("probes");
    Probe::ALL.iter().for_each(|probe| say!("  {:<24} {}", probe.name(), probe.story()));
    say!("faults");
    FaultKind::ALL.iter().for_each(|kind| say!("  {:<24} {}", kind.name(), kind.story()));
    ExitCode::SUCCESS
}

fn or_none(names: &[String]) -> String {
    if names.is_empty() { "none".into() } else { names.join(", ") }
}

/// What the columns of a story are.
pub(super) const HEAD: &str = "step     I/O        time  where what";

/// One line of a story.
pub(super) fn line(event: &Event) -> String {
    let member = event.member.map_or_else(|| "  all".into(), |member| format!("disk{member}"));
    let seconds = event.micros as f64 / 1e6;
    let kind = name(event.kind);
    format!("{:>4} {:>7} {seconds:>10.3}s {member} {kind:<8} {}", event.step, event.io, event.what)
}

/// A sort of event in a word.
pub(super) fn name(kind: EventKind) -> String {
    format!("{kind:?}").to_lowercase()
}
