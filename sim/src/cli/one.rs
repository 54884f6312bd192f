//! One run, replayed or new.

use dynamicfs_sim::Simulation;
use dynamicfs_sim::simulation::{self, Event, FaultKind, Probe, ReplayId};
use std::process::ExitCode;

pub(super) fn run(id: ReplayId, trace: bool) -> ExitCode {
    let (done, story) =
        if trace { Simulation::replay(id).tell() } else { (Simulation::replay(id).run(), Vec::new()) };
    story.iter().for_each(|event| say!("{}", line(event)));
    match done {
        Ok(report) => {
            let counts = &report.counts;
            say!("{}: {}, trace {:016x}", report.id, report.pool, report.trace_hash);
            say!(
                "  {} commits, {} operations, {} mounts, {} crashes, {} checked recoveries, {} I/Os, {:.3} s simulated",
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
            say!("  faults: {}", faults.join(", "));
            let probes = Probe::ALL.iter().filter(|&&probe| counts.probes.of(probe) > 0);
            let probes: Vec<_> = probes.map(|&p| format!("{} {}", p.name(), counts.probes.of(p))).collect();
            say!("  probes: {}", probes.join(", "));
            ExitCode::SUCCESS
        }
        Err(failure) => {
            say!("{failure}");
            ExitCode::from(failure.kind.exit_code())
        }
    }
}

/// Makes a failure smaller.
pub(super) fn shrink(id: ReplayId, runs: u32) -> ExitCode {
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

/// One line of a story.
pub(super) fn line(event: &Event) -> String {
    let member = event.member.map_or_else(|| "  all".into(), |member| format!("disk{member}"));
    let seconds = event.micros as f64 / 1e6;
    let kind = format!("{:?}", event.kind).to_lowercase();
    format!("{:>4} {:>7} {seconds:>10.3}s {member} {kind:<8} {}", event.step, event.io, event.what)
}
