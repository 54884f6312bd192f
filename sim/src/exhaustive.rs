//! Every short sequence of operations, cut at every I/O, with everything that a cut may leave. The recovery
//! is cut again in the same way. Small, and complete.
//!
//! ```text
//! state before ──▶ each operation of the alphabet, each a session of its own: mount, one commit
//!      │              └─▶ cut at I/O n, for every n ──▶ each subset of the unflushed writes ──▶ mount ──▶ check
//!      │                                                                                          └─▶ cut again …
//!      └─▶ the state after it: the next operation begins there
//! ```
//! With `lose`, each such world is checked again for each choice of so many disks. Lost before the recovery,
//! they come back after it, stale. Lost after it, everything is there without them.
//!
//! Nothing is replayed: a state is forked where the ways part. Sequences that begin alike share their beginning, and
//! what a cut leaves is looked at once however it came about.

use crate::loss::{choices, plug};
use crate::model::{self, Model};
use crate::prepared::{self, Start};
use crate::simulation::{Failure, FailureKind, ReplayId, Setup};
use crate::workload::Operation;
use crate::world::{Lent, SERVICES};
use crate::{Halt, Rng, SimArray};
use dynamicfs_core::error::{Error, StorageError};
use dynamicfs_core::files::{AttributeMode, RenameMode};
use dynamicfs_core::maintain::{Finding, Work};
use dynamicfs_core::types::{ObjectId, Scheme};
use dynamicfs_core::{MountOptions, Pool};
use dynamicfs_hal::Geometry;
use std::collections::HashMap;
use std::sync::Arc;

/// What is explored.
#[derive(Clone, Debug)]
pub struct Exhaustive {
    /// The pool.
    pub setup: Setup,
    /// Operations of a sequence at most.
    pub operations: usize,
    /// Cuts one inside the recovery from the other: 1 is a cut of the operation alone.
    pub depth: u32,
    /// Worlds that one cut may leave, all of them if there are no more, else a sample.
    pub states: usize,
    /// What the pool is like in the beginning.
    pub start: Start,
    /// Disks at most, of those whose loss the pool bears, that are lost after each cut: before the recovery, and after it.
    pub lose: usize,
}

/// What was explored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Explored {
    /// Sequences of operations.
    pub sequences: u64,
    /// Operations that were run to their end.
    pub operations: u64,
    /// I/Os at which the power was cut, nested cuts included.
    pub cuts: u64,
    /// Worlds that cuts left, the same ones counted each time.
    pub worlds: u64,
    /// Of these, different ones: each was mounted, compared and checked.
    pub cycles: u64,
    /// Cuts with only a sample of their worlds checked.
    pub sampled: u64,
    /// Recoveries that found the operation done.
    pub forward: u64,
    /// Losses of disks, before a recovery or after it.
    pub losses: u64,
}

impl Explored {
    /// Adds another part's numbers.
    pub fn add(&mut self, other: &Self) {
        self.sequences += other.sequences;
        self.operations += other.operations;
        self.cuts += other.cuts;
        self.worlds += other.worlds;
        self.cycles += other.cycles;
        self.sampled += other.sampled;
        self.forward += other.forward;
        self.losses += other.losses;
    }
}

/// An operation of the alphabet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Letter {
    Create,
    WriteSmall,
    WriteLarge,
    Truncate,
    Unlink,
    Rename,
    MakeDirectory,
    Link,
    Attribute,
    Punch,
    Move,
    Unnamed,
    UnlinkHeld,
    Maintain,
}

impl Letter {
    /// The alphabet.
    pub const ALL: [Self; 14] = [
        Self::Create,
        Self::WriteSmall,
        Self::WriteLarge,
        Self::Truncate,
        Self::Unlink,
        Self::Rename,
        Self::MakeDirectory,
        Self::Link,
        Self::Attribute,
        Self::Punch,
        Self::Move,
        Self::Unnamed,
        Self::UnlinkHeld,
        Self::Maintain,
    ];

    /// What it means where the pool holds this, in one transaction; nothing for upkeep. Operations that fail
    /// are part of it.
    fn operations(self, model: &Model) -> Vec<Operation> {
        let directory = ObjectId::ROOT;
        let file = model.nodes.keys().copied().find(|&object| object >= ObjectId::FIRST_USER.0);
        let object = ObjectId(file.unwrap_or(ObjectId::FIRST_USER.0));
        let last = ObjectId(model.nodes.keys().copied().max().unwrap_or(0));
        let name = b"a".to_vec();
        let one = match self {
            Self::Create => Operation::Create { directory, name },
            Self::WriteSmall => Operation::Write { object, offset: 100, data: vec![7; 300] },
            Self::WriteLarge => Operation::Write { object, offset: 0, data: vec![9; 6000] },
            Self::Truncate => Operation::Truncate { object, size: 50 },
            Self::Unlink => Operation::Unlink { directory, name },
            Self::Rename => Operation::Rename {
                from: directory,
                from_name: name,
                to: directory,
                to_name: b"b".to_vec(),
                mode: RenameMode::Replace,
            },
            Self::MakeDirectory => Operation::MakeDirectory { directory, name },
            Self::Link => Operation::Link { object, directory, name: b"c".to_vec() },
            Self::Attribute => Operation::SetAttribute {
                object,
                name,
                value: vec![1; 60],
                mode: AttributeMode::CreateOrReplace,
            },
            Self::Punch => Operation::Punch { object, offset: 0, bytes: 4096 },
            Self::Move => {
                Operation::Move { from: object, from_offset: 0, to: last, to_offset: 4096, bytes: 8192 }
            }
            Self::Unnamed => Operation::CreateUnnamed,
            Self::UnlinkHeld => {
                return vec![Operation::Pin { object }, Operation::Unlink { directory, name }];
            }
            Self::Maintain => return Vec::new(),
        };
        vec![one]
    }
}

/// Steps of upkeep after which a pool as small as these is at rest.
const STEPS_MAX: usize = 1000;

/// The failure, and which disks were lost.
fn named(failure: Failure, lost: &[usize], when: &str) -> Failure {
    Failure { what: format!("{}, with disks {lost:?} {when}", failure.what), ..failure }
}

/// A world and what it must hold.
#[derive(Clone)]
struct State {
    world: SimArray,
    model: Arc<Model>,
}

/// A worker's own things.
struct Explorer<'e> {
    what: &'e Exhaustive,
    lent: Lent,
    /// Worlds that were looked at, by what they may hold, and how many cuts deep.
    /// The state before the present operation.
    model: Arc<Model>,
    seen: HashMap<(u64, bool, bool), u32>,
    /// Where the present operation began.
    base: SimArray,
    explored: Explored,
    path: Vec<Letter>,
}

impl Exhaustive {
    /// A mirror of two on as few disks as can continue without one, as small as a pool can be.
    pub fn small() -> Self {
        let mut setup = Setup::small(Scheme::mirror(2), 3);
        setup.disks = vec![Geometry::new(512, 640); 3];
        setup.format.members_max = 4;
        Self { setup, operations: 2, depth: 2, states: 16, start: Start::Empty, lose: 0 }
    }

    /// Explores the sequences that begin with these letters, all of the alphabet's if it is told so. An error is a
    /// guarantee that did not hold.
    pub fn run(&self, first: &[Letter]) -> Result<Explored, Failure> {
        let mut world = SimArray::new(1, self.setup.disks.iter().map(|&disk| self.start.disk(disk)));
        world.set_reordering(false);
        world.set_thorough(true);
        let mut explorer = Explorer {
            what: self,
            lent: Lent::with_nodes(self.setup.memory, self.setup.format.node_bytes),
            seen: HashMap::new(),
            base: world.clone(),
            model: Arc::new(Model::default()),
            explored: Explored::default(),
            path: Vec::new(),
        };
        let memory = explorer.lent.lend();
        let made = Pool::format(&mut world, memory, SERVICES, &mut Rng::new(1), &self.setup.format, &[]);
        if let Err(error) = made.map(|_| ()) {
            return Err(explorer.fail(FailureKind::Unavailable, &format!("not formatted: {error}")));
        }
        let model = match prepared::prepare(&mut world, &mut explorer.lent, self.start) {
            Ok(model) => Arc::new(model),
            Err(what) => return Err(explorer.fail(FailureKind::Unavailable, &what)),
        };
        let state = State { world, model };
        explorer.explore(&state, first)?;
        Ok(explorer.explored)
    }
}

impl Explorer<'_> {
    fn fail(&self, kind: FailureKind, what: &str) -> Failure {
        let what = format!("{:?}: {what}", self.path);
        Failure { id: ReplayId::of(0), kind, step: None, what }
    }

    /// Every letter from here on, and every sequence that continues from it.
    fn explore(&mut self, state: &State, letters: &[Letter]) -> Result<(), Failure> {
        for &letter in letters {
            self.path.push(letter);
            self.explored.sequences += 1;
            let next = self.letter(state, letter)?;
            if self.path.len() < self.what.operations {
                self.explore(&next, &Letter::ALL)?;
            }
            self.path.pop();
        }
        Ok(())
    }

    /// One operation from a state: to its end, and cut at every I/O.
    fn letter(&mut self, state: &State, letter: Letter) -> Result<State, Failure> {
        let mut end = state.world.clone();
        let after = match self.play(&mut end, &state.model, letter) {
            Ok(after) => Arc::new(after),
            Err(what) => return Err(self.fail(FailureKind::WrongAnswer, &what)),
        };
        self.explored.operations += 1;
        self.seen.clear();
        self.base = state.world.clone();
        self.model = state.model.clone();
        for cut in state.world.steps()..end.steps() {
            let mut world = state.world.clone();
            world.halt_at(cut, Halt::PowerCut);
            // That it does not come to an end is the point; but what was acknowledged counts. Where the cut
            // kept deleted objects from being freed, a full pool may refuse what it had room for in the end.
            let played = self.play(&mut world, &state.model, letter);
            let acknowledged = played.is_ok_and(|model| model == *after);
            let old = if acknowledged { &after } else { &state.model };
            self.cut(&world, [old, &after], self.what.depth)?;
        }
        Ok(State { world: end, model: after })
    }

    /// A session of one operation: the model after it, or what went wrong.
    fn play(&mut self, world: &mut SimArray, model: &Model, letter: Letter) -> Result<Model, String> {
        let may_be_full = self.may_be_full(letter);
        let (memory, pins) = self.lent.lend_with_pins(usize::MAX);
        let mut pool = Pool::mount(world, memory, SERVICES, &MountOptions::default())
            .map_err(|error| error.to_string())?;
        pool.lend_pins(pins);
        let mut after = model.clone();
        let operations = letter.operations(model);
        if operations.is_empty() {
            return pool.maintain(true).map(|_| after).map_err(|error| error.to_string());
        }
        let mut transaction = pool.begin().map_err(|error| error.to_string())?;
        for operation in operations {
            let did = model::apply(&mut transaction, &operation);
            match did {
                // What grows may find no space; what is deleted must go.
                Err(Error::Storage(StorageError::NoSpace)) if may_be_full => return Ok(model.clone()),
                Err(Error::Storage(error)) => return Err(format!("{operation:?}: {error}")),
                _ => {}
            }
            let should = after.apply(&operation, did.ok().flatten());
            if did != should {
                return Err(format!("{operation:?}: {did:?} instead of {should:?}"));
            }
        }
        transaction.commit().map_err(|error| error.to_string())?;
        // The session ends, and nothing is held any more.
        after.let_go();
        Ok(after)
    }

    const fn may_be_full(&self, letter: Letter) -> bool {
        let deletes = matches!(letter, Letter::Unlink | Letter::UnlinkHeld | Letter::Truncate);
        matches!(self.what.start, Start::Full) && !deletes
    }

    /// All that a cut may leave, mounted and checked, and cut again in the mount.
    fn cut(&mut self, world: &SimArray, models: [&Arc<Model>; 2], depth: u32) -> Result<(), Failure> {
        self.explored.cuts += 1;
        let mut rng = Rng::new(world.trace_hash());
        let states = world.crash_states(self.what.states, &mut rng);
        self.explored.sampled += u64::from(!states.is_complete());
        for mut left in states {
            self.explored.worlds += 1;
            let sure = Arc::ptr_eq(models[0], models[1]);
            let key = (left.difference(&self.base), sure, Arc::ptr_eq(models[0], &self.model));
            let seen = self.seen.entry(key).or_default();
            if *seen >= depth {
                continue;
            }
            *seen = depth;
            let before = left.clone();
            let (found, ios) = self.recover(&mut left, models)?;
            self.explored.cycles += 1;
            self.explored.forward += u64::from(found == 1 && !sure);
            self.lose(&before, &left, models, found)?;
            if depth < 2 {
                continue;
            }
            for at in 0..ios {
                let mut again = before.clone();
                again.halt_at(again.steps() + at, Halt::PowerCut);
                // Once it was mounted, what it holds is settled.
                let settled = self.half_recover(&mut again);
                let models = if settled { [models[found]; 2] } else { models };
                self.cut(&again, models, depth - 1)?;
            }
        }
        Ok(())
    }

    /// Each choice of disks is lost: before the recovery, and they come back after it; or after it, and everything is there.
    fn lose(
        &mut self,
        before: &SimArray,
        after: &SimArray,
        models: [&Arc<Model>; 2],
        found: usize,
    ) -> Result<(), Failure> {
        let most = self.what.lose.min(self.what.setup.tolerance());
        for lost in choices(self.what.setup.disks.len(), most) {
            self.explored.losses += 2;
            let mut world = after.clone();
            plug(&mut world, &lost, false);
            let there = self.observe(&mut world, [models[found]; 2]);
            there.map_err(|failure| named(failure, &lost, "lost after the recovery"))?;

            let mut world = before.clone();
            plug(&mut world, &lost, false);
            let back = self.come_back(&mut world, &lost, models);
            back.map_err(|failure| named(failure, &lost, "lost before the recovery"))?;
        }
        Ok(())
    }

    /// A recovery without some disks, and the next mount with them: nothing is different, and upkeep makes it whole.
    fn come_back(
        &mut self,
        world: &mut SimArray,
        lost: &[usize],
        models: [&Arc<Model>; 2],
    ) -> Result<(), Failure> {
        let found = self.observe(world, models)?;
        self.go_on(world)?;
        plug(world, lost, true);
        let settled = [models[found]; 2];
        self.observe(world, settled)?;
        self.go_on(world)?;
        self.come_to_rest(world)?;
        self.recover(world, settled).map(|_| ())
    }

    /// Mounts a world and compares: which of the models it holds.
    fn observe(&mut self, world: &mut SimArray, models: [&Arc<Model>; 2]) -> Result<usize, Failure> {
        let seen = match Pool::mount(world, self.lent.lend(), SERVICES, &MountOptions::default()) {
            Ok(mut pool) => Ok(model::observe(&mut pool)),
            Err(error) => Err(error),
        };
        let found = match seen {
            Ok(Ok(found)) => found,
            Ok(Err(error)) => return Err(self.fail(FailureKind::Lost, &error.to_string())),
            Err(error) => return Err(self.fail(FailureKind::Unavailable, &format!("not mounted: {error}"))),
        };
        let which = models.iter().position(|model| ***model == found);
        which.ok_or_else(|| {
            let what = models[0].difference(&found).unwrap_or_default();
            self.fail(FailureKind::WrongState, &what)
        })
    }

    /// Makes an empty commit.
    fn go_on(&mut self, world: &mut SimArray) -> Result<(), Failure> {
        let mounted = Pool::mount(world, self.lent.lend(), SERVICES, &MountOptions::default());
        let done = mounted.map_err(|error| error.to_string()).and_then(|mut pool| {
            let committed = pool.begin().and_then(|transaction| transaction.commit().map(|_| ()));
            committed.map_err(|error| error.to_string())
        });
        done.map_err(|what| self.fail(FailureKind::Unavailable, &format!("no commit: {what}")))
    }

    /// Upkeep until there is none.
    fn come_to_rest(&mut self, world: &mut SimArray) -> Result<(), Failure> {
        let mounted = Pool::mount(world, self.lent.lend(), SERVICES, &MountOptions::default());
        let rested = mounted.map_err(|error| error.to_string()).and_then(|mut pool| {
            for _ in 0..STEPS_MAX {
                match pool.maintain(true) {
                    Ok(Work::Nothing) if pool.health().owed == 0 => return Ok(()),
                    Ok(Work::Nothing) => {
                        return Err(format!("{} members are still owed", pool.health().owed));
                    }
                    Ok(_) => {}
                    Err(error) => return Err(error.to_string()),
                }
            }
            Err("upkeep does not end".into())
        });
        rested.map_err(|what| self.fail(FailureKind::Restless, &what))
    }

    /// Mounts a world, compares, checks, and makes an empty commit: which of the models it holds, and the I/Os of the
    /// mount and the commit.
    fn recover(&mut self, world: &mut SimArray, models: [&Arc<Model>; 2]) -> Result<(usize, u64), Failure> {
        let first = world.steps();
        let mounted = Pool::mount(world, self.lent.lend(), SERVICES, &MountOptions::default());
        let mut pool = mounted.map_err(|error| error.to_string());
        let Ok(pool) = &mut pool else {
            let what = pool.err().unwrap_or_default();
            return Err(self.fail(FailureKind::Unavailable, &format!("not mounted: {what}")));
        };
        let mounted = pool.array().steps();
        let found = match model::observe(pool) {
            Ok(found) => found,
            Err(error) => return Err(self.fail(FailureKind::Lost, &error.to_string())),
        };
        let Some(which) = models.iter().position(|model| ***model == found) else {
            let what = models[0].difference(&found).unwrap_or_default();
            return Err(self.fail(FailureKind::WrongState, &what));
        };
        let mut wrong = None;
        let mut keep = |finding: Option<&Finding>| wrong = wrong.or(finding.copied());
        let mut report = Default::default();
        let checked = pool
            .check_contents(&mut report, &mut keep)
            .and_then(|()| pool.check_space(&mut [0; 1 << 13], &mut report, &mut keep));
        match (wrong, checked) {
            (None, Ok(())) => {}
            (Some(finding), _) => return Err(self.fail(FailureKind::Space, &format!("{finding:?}"))),
            (None, Err(error)) => return Err(self.fail(FailureKind::Lost, &error.to_string())),
        }
        let checked = pool.array().steps();
        if let Err(error) = pool.begin().and_then(|transaction| transaction.commit()) {
            return Err(self.fail(FailureKind::Unavailable, &format!("no commit after a recovery: {error}")));
        }
        let ios = (mounted - first) + (pool.array().steps() - checked);
        Ok((which, ios))
    }

    /// A recovery that is cut; whether it was mounted before that.
    fn half_recover(&mut self, world: &mut SimArray) -> bool {
        let mounted = Pool::mount(world, self.lent.lend(), SERVICES, &MountOptions::default());
        let Ok(mut pool) = mounted else { return false };
        let settled = pool.array().halted().is_none();
        // It is cut, or had come to its end before.
        let _ = pool.begin().and_then(|transaction| transaction.commit());
        settled
    }
}
