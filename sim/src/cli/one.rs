//! One run, replayed or new.

use dynamicfs_sim::Simulation;
use dynamicfs_sim::simulation::{Event, FaultKind, Probe, ReplayId};
use std::process::ExitCode;

pub(super) fn run(id: ReplayId, trace: bool) -> ExitCode {
    let (done, story) =
        if trace { Simulation::replay(id).tell() } else { (Simulation::replay(id).run(), Vec::new()) };
    story.iter().for_each(|event| println!("{}", line(event)));
    match done {
        Ok(report) => {
            let counts = &report.counts;
            println!("{}: {}, trace {:016x}", report.id, report.pool, report.trace_hash);
            println!(
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
            println!("  faults: {}", faults.join(", "));
            let probes = Probe::ALL.iter().filter(|&&probe| counts.probes.of(probe) > 0);
            let probes: Vec<_> = probes.map(|&p| format!("{} {}", p.name(), counts.probes.of(p))).collect();
            println!("  probes: {}", probes.join(", "));
            ExitCode::SUCCESS
        }
        Err(failure) => {
            println!("{failure}");
            ExitCode::from(failure.kind.exit_code())
        }
    }
}

/// One line of a story.
pub(super) fn line(event: &Event) -> String {
    let member = event.member.map_or_else(|| "  all".into(), |member| format!("disk{member}"));
    let seconds = event.micros as f64 / 1e6;
    let kind = format!("{:?}", event.kind).to_lowercase();
    format!("{:>4} {:>7} {seconds:>10.3}s {member} {kind:<8} {}", event.step, event.io, event.what)
}
