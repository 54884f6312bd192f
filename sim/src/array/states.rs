//! All worlds that a power cut may leave behind.

use super::SimArray;
use crate::disk::{CrashPolicy, UnitOutcomes};
use crate::rng::Rng;

/// The worlds after a power cut, as an iterator. It has every combination of the tear units' contents once,
/// or a sample that begins with "nothing survived" and "everything did".
///
/// Each is a fork of the world before the cut, powered up again.
#[derive(Debug)]
pub struct CrashStates {
    before: SimArray,
    plan: Plan,
}

#[derive(Debug)]
enum Plan {
    /// Per disk its tear units with unflushed writes, and the contents that come next: a number with one digit per
    /// unit, `None` after the last.
    All {
        units: Vec<Vec<UnitOutcomes>>,
        next: Option<Vec<Vec<usize>>>,
        total: usize,
    },
    Sample {
        done: usize,
        total: usize,
        rng: Rng,
    },
}

impl CrashStates {
    pub(super) fn new(before: &SimArray, limit: usize, rng: &mut Rng) -> Self {
        let plan = Self::all(before, limit).unwrap_or_else(|| {
            let rng = Rng::new(rng.next_u64());
            Plan::Sample { done: 0, total: limit, rng }
        });
        Self { before: before.clone(), plan }
    }

    /// Whether every possible world is among them.
    pub const fn is_complete(&self) -> bool {
        matches!(self.plan, Plan::All { .. })
    }

    /// How many worlds there are in all, those already given included.
    pub const fn total(&self) -> usize {
        match self.plan {
            Plan::All { total, .. } | Plan::Sample { total, .. } => total,
        }
    }

    fn all(before: &SimArray, limit: usize) -> Option<Plan> {
        let units: Vec<_> =
            before.disks.iter().map(|disk| disk.unit_outcomes(limit)).collect::<Option<_>>()?;
        let counts = units.iter().flatten().map(UnitOutcomes::count);
        let total = counts
            .into_iter()
            .try_fold(1_usize, |total, count| total.checked_mul(count).filter(|&total| total <= limit))?;
        let next = Some(units.iter().map(|disk| vec![0; disk.len()]).collect());
        Some(Plan::All { units, next, total })
    }
}

impl Iterator for CrashStates {
    type Item = SimArray;

    fn next(&mut self) -> Option<SimArray> {
        let mut world = self.before.clone();
        match &mut self.plan {
            Plan::All { units, next, .. } => {
                let chosen = next.take()?;
                world.power_up(|disk, index| disk.power_cycle_to(&units[index], &chosen[index]));
                *next = successor(units, chosen);
            }
            Plan::Sample { done, total, rng } => {
                if done == total {
                    return None;
                }
                let policy = match done {
                    0 => CrashPolicy::Nothing,
                    1 => CrashPolicy::Everything,
                    _ => CrashPolicy::Subset,
                };
                *done += 1;
                world.power_cycle(policy, rng);
            }
        }
        Some(world)
    }
}

/// Counts up: the digits of the next world, or `None` after the last.
fn successor(units: &[Vec<UnitOutcomes>], mut digits: Vec<Vec<usize>>) -> Option<Vec<Vec<usize>>> {
    let counts = units.iter().flatten().map(UnitOutcomes::count);
    for (digit, count) in digits.iter_mut().flatten().zip(counts) {
        *digit += 1;
        if *digit < count {
            return Some(digits);
        }
        *digit = 0;
    }
    None
}
