//! Every short sequence of operations.

use super::ExhaustiveArguments;
use super::table::{self, Rate};
use dynamicfs_sim::exhaustive::{Exhaustive, Explored, Letter};
use dynamicfs_sim::simulation::Failure;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Instant;

pub(super) fn run(arguments: &ExhaustiveArguments) -> ExitCode {
    let start = Instant::now();
    let what = Exhaustive {
        operations: arguments.ops,
        depth: arguments.depth,
        states: arguments.states,
        start: arguments.prepared,
        lose: arguments.lose,
        ..Exhaustive::small()
    };
    let waiting = Mutex::new(Letter::ALL.to_vec());
    let done = Mutex::new((Explored::default(), Vec::<Failure>::new()));
    let work = || {
        loop {
            let letter = waiting.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some(letter) = letter else { return };
            let explored = what.run(&[letter]);
            let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
            match explored {
                Ok(explored) => done.0.add(&explored),
                Err(failure) => done.1.push(failure),
            }
        }
    };
    std::thread::scope(|scope| (0..arguments.jobs.max(1)).for_each(|_| _ = scope.spawn(work)));
    let (explored, failures) = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    let seconds = start.elapsed().as_secs_f64();
    report(arguments, &explored, seconds, &failures);
    ExitCode::from(failures.iter().map(|failure| failure.kind.exit_code()).min().unwrap_or(0))
}

fn report(arguments: &ExhaustiveArguments, explored: &Explored, seconds: f64, failures: &[Failure]) {
    let failed: Vec<_> = failures.iter().map(|f| format!("{}: {}", f.kind.name(), f.what)).collect();
    if arguments.json {
        let json = serde_json::json!({
            "operations_max": arguments.ops,
            "depth": arguments.depth,
            "states_max": arguments.states,
            "prepared": arguments.prepared.name(),
            "disks_lost_max": arguments.lose,
            "losses": explored.losses,
            "seconds": seconds,
            "sequences": explored.sequences,
            "cuts": explored.cuts,
            "worlds": explored.worlds,
            "checked_recoveries": explored.cycles,
            "cuts_sampled": explored.sampled,
            "rolled_forward": explored.forward,
            "failures": failed,
        });
        say!("{json:#}");
        return;
    }
    let start = arguments.prepared.name();
    say!(
        "sequences of up to {} operations on a pool that is {start}, cuts {} deep, {seconds:.1} s",
        arguments.ops,
        arguments.depth
    );
    let rows = [
        ("sequences", explored.sequences, Rate::Shown),
        ("cuts", explored.cuts, Rate::Shown),
        ("worlds that they leave", explored.worlds, Rate::Shown),
        ("recoveries checked", explored.cycles, Rate::Shown),
        ("cuts that were sampled", explored.sampled, Rate::None),
        ("rolled forward", explored.forward, Rate::None),
        ("losses of disks", explored.losses, Rate::Shown),
    ];
    say!("{}{}", table::lines(&rows, seconds), table::failures(failed.len()));
    failed.iter().for_each(|failure| say!("  {failure}"));
}
