//! Making a failure smaller: fewer steps, fewer faults, fewer operations, fewer disks, and still the same failure.

use super::edits::ReplayId;
use super::fault::{FaultKind, FaultSet};
use super::report::{Failure, FailureKind};
use super::{Simulation, Workload};

/// What came of making a failure smaller.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The smallest failure that was found.
    pub failure: Failure,
    /// Runs that it took.
    pub runs: u32,
}

struct Shrinker {
    kind: FailureKind,
    best: Failure,
    runs: u32,
    runs_max: u32,
}

/// Makes a failure smaller in at most `runs_max` runs; `None` when the run does not fail at all.
pub fn shrink(id: ReplayId, runs_max: u32) -> Option<Shrunk> {
    let failure = Simulation::replay(id).run().err()?;
    let mut shrinker = Shrinker { kind: failure.kind, best: failure, runs: 1, runs_max };
    // What one pass takes away may let another take more.
    loop {
        let before = shrinker.best.id.clone();
        shrinker.fewer_steps();
        shrinker.fewer_faults();
        shrinker.fewer_operations();
        shrinker.fewer_disks();
        if shrinker.best.id == before || shrinker.is_done() {
            return Some(Shrunk { failure: shrinker.best, runs: shrinker.runs });
        }
    }
}

impl Shrinker {
    const fn is_done(&self) -> bool {
        self.runs >= self.runs_max
    }

    /// Whether this run fails in the same way; then it is the best so far.
    fn fails(&mut self, id: ReplayId) -> bool {
        if self.is_done() || id == self.best.id {
            return false;
        }
        self.runs += 1;
        match Simulation::replay(id).run() {
            Err(failure) if failure.kind == self.kind => {
                self.best = failure;
                true
            }
            _ => false,
        }
    }

    /// The steps that are left, those after the failure not among them.
    fn steps(&self) -> Vec<u32> {
        let most = if self.best.id.long { super::LONG_STEPS } else { Workload::default().steps };
        let end = self.best.step.unwrap_or(most).min(most);
        (0..end).filter(|&step| self.best.id.does(step)).collect()
    }

    /// Takes stretches of steps away, half of them first, then ever shorter ones.
    fn fewer_steps(&mut self) {
        let mut id = self.best.id.clone();
        id.keep(self.steps());
        self.fails(id);
        let mut length = self.steps().len().div_ceil(2);
        while length > 0 && !self.is_done() {
            let mut at = 0;
            loop {
                let steps = self.steps();
                if at >= steps.len() {
                    break;
                }
                let end = (at + length).min(steps.len());
                let mut id = self.best.id.clone();
                id.keep(steps[..at].iter().chain(&steps[end..]).copied());
                if !self.fails(id) {
                    at = end;
                }
            }
            length /= 2;
        }
    }

    fn fewer_faults(&mut self) {
        let mut id = self.best.id.clone();
        id.off = FaultSet::ALL;
        if self.fails(id) {
            return;
        }
        for &kind in FaultKind::ALL {
            let mut id = self.best.id.clone();
            id.off = id.off.with(kind);
            self.fails(id);
        }
    }

    fn fewer_operations(&mut self) {
        for operations in 1..Workload::default().operations {
            let mut id = self.best.id.clone();
            if id.operations.is_some_and(|already| already <= operations) {
                return;
            }
            id.operations = Some(operations);
            if self.fails(id) {
                return;
            }
        }
    }

    /// A pool of fewer disks is another pool; now and then it fails all the same.
    fn fewer_disks(&mut self) {
        for disks in 1..self.best.id.disks.unwrap_or(super::DISKS_MAX) {
            let mut id = self.best.id.clone();
            id.disks = Some(disks);
            if self.fails(id) {
                return;
            }
        }
    }
}

impl Failure {
    /// A regression test that replays the failure, as source.
    pub fn as_test(&self) -> String {
        format!(
            "/// {}: {}.\n#[test]\nfn replay_{}() {{\n    let id = \"{}\".parse().expect(\"a replay line\");\n    \
             Simulation::replay(id).run().unwrap_or_else(|failure| panic!(\"{{failure}}\"));\n}}\n",
            self.kind.name(),
            self.what.lines().next().unwrap_or_default(),
            self.id.seed,
            self.id,
        )
    }
}
