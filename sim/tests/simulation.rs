//! Runs made by a seed: every fault is injected and survived, every run replays, and what is found is called by name.

use dynamicfs_core::types::Scheme;
use dynamicfs_sim::Simulation;
use dynamicfs_sim::exhaustive::{Exhaustive, Letter};
use dynamicfs_sim::simulation::{
    Counts, EventKind, FaultKind, Faults, Harm, Probe, ReplayId, Setup, Workload, shrink,
};

fn run(simulation: Simulation) -> Counts {
    simulation.run().unwrap_or_else(|failure| panic!("{failure}")).counts
}

#[test]
fn some_seeds_hold_every_guarantee() {
    let mut sum = Counts::default();
    for seed in 0..60 {
        sum.add(&run(Simulation::new(seed)));
    }
    assert_eq!(sum.seeds, 60);
    assert!(sum.commits > 500 && sum.cycles > 50, "{sum:?}");
}

#[test]
fn some_seeds_beyond_the_bound_give_typed_errors_only() {
    let mut sum = Counts::default();
    for seed in 0..40 {
        sum.add(&run(Simulation::new(seed).faults(Faults::beyond_the_bound())));
    }
    assert!(sum.probes.of(Probe::NamedLost) > 0 && sum.probes.of(Probe::MountImpossible) > 0, "{sum:?}");
}

/// Each kind by itself, on a pool that bears the loss of a disk, until it has been injected.
#[test]
fn every_fault_is_injected_and_survived() {
    for &kind in FaultKind::ALL {
        let mut faults = Faults::only([kind, FaultKind::PowerCut]);
        faults.beyond_the_bound = kind.harm() == Harm::Anything;
        let needed = match kind {
            FaultKind::IdleMount => Some(FaultKind::ProcessCrash),
            FaultKind::ChoiceCut => Some(FaultKind::Override),
            _ => None,
        };
        faults.kinds = needed.map_or(faults.kinds, |other| faults.kinds.with(other));
        let mut sum = Counts::default();
        for seed in 0..200 {
            let setup = match kind {
                // The pool is drawn small for it.
                FaultKind::NoSpace => None,
                _ => Some(Setup::small(Scheme::mirror(2), 3)),
            };
            let simulation = Simulation::new(seed).faults(faults);
            sum.add(&run(match setup {
                Some(setup) => simulation.pool(setup),
                None => simulation,
            }));
            let needs_another = match kind {
                FaultKind::NestedCrash => 1,
                _ => 3,
            };
            if sum.faults.of(kind) >= needs_another {
                break;
            }
        }
        assert!(sum.faults.of(kind) > 0, "{} was never injected", kind.name());
    }
}

#[test]
fn a_seed_replays_exactly() {
    for seed in 0..10 {
        let trace = || Simulation::new(seed).run().unwrap_or_else(|failure| panic!("{failure}"));
        assert_eq!(trace(), trace());
    }
}

#[test]
fn a_replay_line_takes_away_steps_and_faults() {
    let mut id = ReplayId::of(3);
    id.keep(0..20);
    id.off = [FaultKind::PowerCut, FaultKind::TornWrite].into_iter().collect();
    let (done, story) = Simulation::replay(id).tell();
    let report = done.unwrap_or_else(|failure| panic!("{failure}"));
    assert_eq!(report.counts.faults.of(FaultKind::PowerCut), 0);
    assert!(story.iter().all(|event| event.step <= 20 || event.step == 60));
    assert!(story.iter().any(|event| event.kind == EventKind::Commit));
}

#[test]
fn what_does_not_fail_is_not_shrunk() {
    let mut id = ReplayId::of(3);
    id.keep(0..3);
    assert!(shrink(id, 10).is_none());
}

#[test]
fn a_pool_and_a_workload_of_ones_own() {
    let setup = Setup::small(Scheme { data: 2, parity: 1 }, 4);
    let workload = Workload { operations: 2, ..Workload::steps(30) };
    let counts = run(Simulation::new(9).pool(setup).workload(workload).faults(Faults::crashes()));
    assert!(counts.crashes > 0 && counts.faults.of(FaultKind::Rot) == 0);
}

#[test]
fn every_single_operation_is_cut_everywhere_and_again_in_its_recovery() {
    let explored = Exhaustive { operations: 1, states: 8, ..Exhaustive::small() }.run(&Letter::ALL);
    let explored = explored.unwrap_or_else(|failure| panic!("{failure}"));
    assert_eq!(explored.sequences, Letter::ALL.len() as u64);
    assert!(explored.cycles > 10_000, "{explored:?}");
}

#[test]
fn each_disk_is_lost_around_every_recovery_from_a_single_operation() {
    let exhaustive = Exhaustive { operations: 1, depth: 1, states: 8, lose: 1, ..Exhaustive::small() };
    let explored = exhaustive.run(&Letter::ALL).unwrap_or_else(|failure| panic!("{failure}"));
    // Each of three disks, before each recovery and after it.
    assert_eq!(explored.losses, explored.cycles * 6);
    assert!(explored.cycles > 300, "{explored:?}");
}
