//! Two ways through the histories: all of them to a depth, and random ones further.

use std::collections::HashSet;
use std::fmt;

use super::rules::Rules;
use super::world::{Event, Violation, World};

/// A violation and the way to it.
#[derive(Debug)]
pub(crate) struct Found {
    /// What was violated, by a mount after the last event.
    pub(crate) violation: Violation,
    /// The events from a new pool on.
    pub(crate) history: Vec<Event>,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:?} after", self.violation)?;
        self.history.iter().try_for_each(|event| writeln!(f, "  {event:?}"))
    }
}

/// What an exploration has found.
pub(crate) struct Explored {
    /// Different states, and events (also those to a state seen before), up to each depth that was finished.
    pub(crate) sizes: Vec<(usize, usize)>,
    /// The first violation; it ended the exploration.
    pub(crate) violation: Option<Found>,
}

/// A state, and the event and the state that led to it first.
struct Reached<const N: usize> {
    world: World<N>,
    from: Option<(Event, usize)>,
}

/// The events that led to a state.
fn history<const N: usize>(reached: &[Reached<N>], mut at: usize) -> Vec<Event> {
    let mut events = Vec::new();
    while let Some((event, before)) = reached[at].from {
        events.push(event);
        at = before;
    }
    events.reverse();
    events
}

/// Every history of up to `depth` events, breadth first. The states at that depth are reached, not left.
pub(crate) fn explore<const N: usize>(rules: &Rules, depth: usize) -> Explored {
    let mut seen = HashSet::from([World::<N>::new()]);
    let mut reached = vec![Reached { world: World::new(), from: None }];
    let mut explored = Explored { sizes: Vec::new(), violation: None };
    let (mut transitions, mut finished) = (0, 0);
    for _ in 0..depth {
        let level = finished..reached.len();
        for at in level.clone() {
            let world = reached[at].world;
            let mut take = |event, next| {
                transitions += 1;
                if seen.insert(next) {
                    reached.push(Reached { world: next, from: Some((event, at)) });
                }
            };
            if let Err(violation) = world.step(rules, &mut take) {
                explored.violation = Some(Found { violation, history: history(&reached, at) });
                return explored;
            }
        }
        finished = level.end;
        explored.sizes.push((seen.len(), transitions));
    }
    explored
}

/// How often each kind of event was taken.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    claims_crashed: u32,
    mounts_crashed: u32,
    mounts: u32,
    commits_crashed: u32,
    commits: u32,
    power_offs: u32,
    /// Commits that were acknowledged with fewer disks than the pool has.
    degraded: u32,
}

impl Tally {
    fn count<const N: usize>(&mut self, event: Event) {
        match event {
            Event::ClaimCrashed { .. } => self.claims_crashed += 1,
            Event::MountCrashed { .. } => self.mounts_crashed += 1,
            Event::Mounted { .. } => self.mounts += 1,
            Event::CommitCrashed => self.commits_crashed += 1,
            Event::Committed { online } => {
                self.commits += 1;
                self.degraded += u32::from(online.len() < N);
            }
            Event::PowerOff => self.power_offs += 1,
        }
    }

    /// Fails unless every kind of event was seen often.
    #[track_caller]
    pub(crate) fn assert_covered(&self, disks: usize) {
        const OFTEN: u32 = 20;
        let rarest = [
            self.claims_crashed,
            self.mounts_crashed,
            self.mounts,
            self.commits_crashed,
            self.commits,
            self.power_offs,
            self.degraded,
        ];
        assert!(rarest.iter().all(|times| *times >= OFTEN), "{disks} disks: {self:?}");
    }
}

/// A deterministic generator of random numbers (splitmix64, Steele, Lea and Flood 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, by the high half of a product.
    fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }
}

/// One kind of event that is possible, how many outcomes it has, and one of them, each as likely as the others.
struct Choice<const N: usize> {
    event: Event,
    outcomes: usize,
    picked: World<N>,
}

/// Every kind of event that is possible here. Kinds first, so that the many ways to crash do not drown the rest.
fn choices<const N: usize>(
    world: &World<N>,
    rules: &Rules,
    random: &mut Random,
) -> Result<Vec<Choice<N>>, Violation> {
    let mut choices: Vec<Choice<N>> = Vec::new();
    world.step(
        rules,
        &mut |event, next| match choices.iter_mut().rev().find(|choice| choice.event == event) {
            None => choices.push(Choice { event, outcomes: 1, picked: next }),
            Some(choice) => {
                choice.outcomes += 1;
                if random.below(choice.outcomes) == 0 {
                    choice.picked = next;
                }
            }
        },
    )?;
    Ok(choices)
}

/// One random history of this many events.
fn walk<const N: usize>(rules: &Rules, events: u32, random: &mut Random, tally: &mut Tally) -> Option<Found> {
    let mut world = World::<N>::new();
    let mut history = Vec::new();
    for _ in 0..events {
        let choices = match choices(&world, rules, random) {
            Ok(choices) => choices,
            Err(violation) => return Some(Found { violation, history }),
        };
        let Choice { event, picked, .. } = choices[random.below(choices.len())];
        tally.count::<N>(event);
        history.push(event);
        world = picked;
    }
    None
}

/// Random histories, always the same ones, until one ends in a violation.
pub(crate) fn walks<const N: usize>(
    rules: &Rules,
    count: u32,
    events: u32,
    tally: &mut Tally,
) -> Option<Found> {
    let mut random = Random(1);
    (0..count).find_map(|_| walk::<N>(rules, events, &mut random, tally))
}
