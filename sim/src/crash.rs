//! Power cuts at every I/O of a session, and what must hold after each.
//!
//! ```text
//! begin ──► mount, commit, commit, commit ──► end          one session, its transactions known beforehand
//!              ▲ cut at I/O n, for every n
//!              └─► what survives of the unflushed ──► mount ──► check
//!                                                       ▲ cut again, at some I/O of the recovery
//!                                                       └─► mount ──► check
//! ```
//! With `lose`, a choice of disks is lost before the recovery and comes back after it, and another one is lost after it.
//!
//! After every cut the pool is exactly as the last acknowledged commit left it, or as the one in flight would
//! have (G1, G2). Every byte is right (G3), and every block is accounted for (G8).

use crate::loss::{choices, plug};
use crate::model::{self, Model};
use crate::workload::{self, Operation, Scale};
use crate::world::{Lent, SERVICES, account};
use crate::{CrashPolicy, Halt, Rng, SimArray};
use dynamicfs_core::error::{Error, StorageError};
use dynamicfs_core::maintain::Work;
use dynamicfs_core::{FormatOptions, MountOptions, Pool};
use dynamicfs_hal::Geometry;

/// Steps of upkeep after which a pool of these tests is at rest.
const UPKEEP_MAX: usize = 2_000;

/// What is explored.
#[derive(Clone, Copy, Debug)]
pub struct CrashTest {
    /// The pool.
    pub options: FormatOptions,
    /// Its disks.
    pub disks: usize,
    /// What each is like.
    pub geometry: Geometry,
    /// Bytes of memory for the pool.
    pub memory: usize,
    /// How large things are.
    pub scale: Scale,
    /// Sessions, one after the other; every I/O of each is cut.
    pub sessions: usize,
    /// Transactions of a session.
    pub transactions: usize,
    /// Operations of a transaction at most.
    pub operations: u64,
    /// For each cut, cuts of the recovery that are tried.
    pub nested: usize,
    /// For each cut, each choice of so many disks at most is lost before the recovery, and comes back, or after it.
    pub lose: usize,
}

/// What was tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CrashReport {
    /// Cuts of a session.
    pub cuts: u64,
    /// Cuts of a recovery from one.
    pub nested: u64,
    /// Recoveries that found the commit that had not been acknowledged.
    pub rolled_forward: u64,
    /// Losses of disks, before a recovery or after it.
    pub losses: u64,
}

/// The transactions of a session: their operations, and the model after each. `models[0]` is the one before.
struct Plan {
    transactions: Vec<Vec<Operation>>,
    models: Vec<Model>,
}

/// How far a session came.
struct Progress {
    acknowledged: usize,
    /// A commit was begun and not acknowledged.
    in_flight: bool,
}

impl CrashTest {
    /// Explores one seed. Panics with the seed, the cut and the difference when something does not hold.
    pub fn run(&self, seed: u64) -> CrashReport {
        let mut rng = Rng::new(seed);
        let mut lent = Lent::new(self.memory);
        let mut world = SimArray::new(seed, vec![self.geometry; self.disks]);
        Pool::format(&mut world, lent.lend(), SERVICES, &mut rng, &self.options, &[]).expect("formatted");
        let mut model = Model::default();
        let mut report = CrashReport::default();
        for session in 0..self.sessions {
            let plan = self.plan(&world, &model, &mut rng, &mut lent);
            let mut end = world.clone();
            let first = world.steps();
            let done = play(&mut end, &plan, &mut lent);
            assert_eq!(
                done.acknowledged,
                plan.transactions.len(),
                "seed {seed} session {session}: without a cut"
            );
            for cut in first..end.steps() {
                let what = format!("seed {seed} session {session} cut at I/O {cut}");
                self.cut(&world, cut, &plan, &mut rng, &mut lent, &what, &mut report);
            }
            world = end;
            model = plan.models.last().cloned().unwrap_or(model);
            model.let_go();
        }
        report
    }

    /// Transactions that succeed on this pool, found by trying.
    fn plan(&self, world: &SimArray, model: &Model, rng: &mut Rng, lent: &mut Lent) -> Plan {
        let mut plan = Plan { transactions: Vec::new(), models: vec![model.clone()] };
        while plan.transactions.len() < self.transactions {
            self.plan_on(world, &mut plan, rng, lent);
        }
        plan
    }

    /// Plays the planned transactions until one does not succeed. The remains of that one, and its contents
    /// in memory, are no part of a session.
    fn plan_on(&self, world: &SimArray, plan: &mut Plan, rng: &mut Rng, lent: &mut Lent) {
        let mut trial = world.clone();
        let (memory, pins) = lent.lend_with_pins(usize::MAX);
        let mut pool = Pool::mount(&mut trial, memory, SERVICES, &MountOptions::default()).expect("mounted");
        pool.lend_pins(pins);
        let played = play_on(&mut pool, plan);
        assert_eq!(played.acknowledged, plan.transactions.len(), "what succeeded does so again");
        while plan.transactions.len() < self.transactions {
            let mut changed = plan.models.last().cloned().unwrap_or_default();
            let mut operations = Vec::new();
            let mut transaction = pool.begin().expect("begun");
            for _ in 0..1 + rng.below(self.operations) {
                let operation = workload::random(&changed, &self.scale, &mut |n| rng.below(n.max(1)));
                match model::apply(&mut transaction, &operation) {
                    Err(Error::Storage(StorageError::NoSpace)) => return,
                    did => {
                        let should = changed.apply(&operation, did.ok().flatten());
                        assert_eq!(did, should, "{operation:?}");
                    }
                }
                operations.push(operation);
            }
            if transaction.commit().is_err() {
                return;
            }
            plan.transactions.push(operations);
            plan.models.push(changed);
            keep_up(&mut pool, plan.transactions.len()).expect("maintained");
        }
    }

    #[allow(clippy::too_many_arguments, reason = "one place of use; a struct would only rename them")]
    /// Cuts the power at one I/O, lets a crash decide what survives, and checks what a mount finds.
    fn cut(
        &self,
        world: &SimArray,
        cut: u64,
        plan: &Plan,
        rng: &mut Rng,
        lent: &mut Lent,
        what: &str,
        report: &mut CrashReport,
    ) {
        let mut running = world.clone();
        running.halt_at(cut, Halt::PowerCut);
        let progress = play(&mut running, plan, lent);
        let policy = *rng.pick(&CrashPolicy::ALL);
        let after = running.crash(policy, rng);
        report.cuts += 1;
        for _ in 0..self.nested {
            let mut again = after.clone();
            let mut steps = again.clone();
            recover(&mut steps, lent).unwrap_or_else(|error| panic!("{what}, {policy:?}: {error}"));
            let length = steps.steps() - again.steps();
            if length == 0 {
                break;
            }
            again.halt_at(again.steps() + rng.below(length), Halt::PowerCut);
            // That it does not come to an end is the point.
            let _ = recover(&mut again, lent);
            let policy = *rng.pick(&CrashPolicy::ALL);
            let again = again.crash(policy, rng);
            check(
                &mut again.clone(),
                plan,
                &progress,
                lent,
                &format!("{what}, then in the recovery, {policy:?}"),
                report,
            );
            self.lose(&again, plan, &progress, lent, &format!("{what}, {policy:?} in the recovery"), report);
            report.nested += 1;
        }
        let what = format!("{what}, {policy:?}");
        check(&mut after.clone(), plan, &progress, lent, &what, report);
        self.lose(&after, plan, &progress, lent, &what, report);
    }

    /// Each choice of disks is lost before the recovery and comes back after it; or it is lost after it.
    fn lose(
        &self,
        world: &SimArray,
        plan: &Plan,
        progress: &Progress,
        lent: &mut Lent,
        what: &str,
        report: &mut CrashReport,
    ) {
        for lost in choices(self.disks, self.lose) {
            report.losses += 2;
            let what = |when: &str| format!("{what}, disks {lost:?} lost {when} the recovery");
            let mut without = world.clone();
            plug(&mut without, &lost, false);
            let before = what("before");
            let found = observe(&mut without, lent, &before);
            judge(&found, plan, progress, &before);
            recover(&mut without, lent).unwrap_or_else(|error| panic!("{before}: {error}"));
            plug(&mut without, &lost, true);
            let back = observe(&mut without, lent, &before);
            assert!(back == found, "{before}, and back: {}", found.difference(&back).unwrap_or_default());
            rest(&mut without, lent, &before);

            let mut with = world.clone();
            let after = what("after");
            recover(&mut with, lent).unwrap_or_else(|error| panic!("{after}: {error}"));
            let found = observe(&mut with, lent, &after);
            plug(&mut with, &lost, false);
            let left = observe(&mut with, lent, &after);
            assert!(left == found, "{after}: {}", found.difference(&left).unwrap_or_default());
        }
    }
}

/// Everything that a mount finds.
fn observe(world: &mut SimArray, lent: &mut Lent, what: &str) -> Model {
    let mounted = Pool::mount(world, lent.lend(), SERVICES, &MountOptions::default());
    let mut pool = mounted.unwrap_or_else(|error| panic!("{what}: {error}"));
    model::load(&mut pool).unwrap_or_else(|error| panic!("{what}: {error}"))
}

/// Upkeep until there is none: nothing is owed then, and all space is accounted for.
fn rest(world: &mut SimArray, lent: &mut Lent, what: &str) {
    let mounted = Pool::mount(world, lent.lend(), SERVICES, &MountOptions::default());
    let mut pool = mounted.unwrap_or_else(|error| panic!("{what}: {error}"));
    for _ in 0..UPKEEP_MAX {
        let work = pool.maintain(true).unwrap_or_else(|error| panic!("{what}: upkeep: {error}"));
        if work == Work::Nothing {
            assert_eq!(pool.health().owed, 0, "{what}: members are owed something at rest");
            return account(&mut pool, what);
        }
    }
    panic!("{what}: upkeep does not end");
}

/// Whether what was found is the acknowledged state or the one in flight; true for the latter.
fn judge(found: &Model, plan: &Plan, progress: &Progress, what: &str) -> bool {
    let acknowledged = &plan.models[progress.acknowledged];
    if found == acknowledged {
        return false;
    }
    let difference = acknowledged.difference(found).unwrap_or_default();
    assert!(progress.in_flight, "{what}: nothing was in flight, and {difference}");
    let next = &plan.models[progress.acknowledged + 1];
    let other = next.difference(found).unwrap_or_default();
    assert!(found == next, "{what}: neither the old state ({difference}) nor the new one ({other})");
    true
}

/// Plays a session until its end or the first error.
fn play(world: &mut SimArray, plan: &Plan, lent: &mut Lent) -> Progress {
    let (memory, pins) = lent.lend_with_pins(usize::MAX);
    let Ok(mut pool) = Pool::mount(world, memory, SERVICES, &MountOptions::default()) else {
        return Progress { acknowledged: 0, in_flight: false };
    };
    pool.lend_pins(pins);
    play_on(&mut pool, plan)
}

/// Plays the transactions of a session until their end or the first error.
fn play_on<A: dynamicfs_hal::DiskArray>(pool: &mut Pool<'_, A>, plan: &Plan) -> Progress {
    let mut progress = Progress { acknowledged: 0, in_flight: false };
    for operations in &plan.transactions {
        let Ok(mut transaction) = pool.begin() else { return progress };
        for operation in operations {
            if let Err(Error::Storage(_) | Error::Unreadable { .. }) =
                model::apply(&mut transaction, operation)
            {
                return progress;
            }
        }
        progress.in_flight = true;
        if transaction.commit().is_err() {
            return progress;
        }
        progress.in_flight = false;
        progress.acknowledged += 1;
        if keep_up(pool, progress.acknowledged).is_err() {
            return progress;
        }
    }
    progress
}

/// Upkeep after every other commit: it changes nothing that the model knows, and is cut like anything else.
fn keep_up<A: dynamicfs_hal::DiskArray>(pool: &mut Pool<'_, A>, commits: usize) -> Result<(), Error> {
    if commits % 2 == 1 { pool.maintain(true).map(|_| ()) } else { Ok(()) }
}

/// Mounts and makes an empty commit: all that a recovery writes.
fn recover(world: &mut SimArray, lent: &mut Lent) -> Result<(), String> {
    let mut pool =
        Pool::mount(world, lent.lend(), SERVICES, &MountOptions::default()).map_err(|e| e.to_string())?;
    let committed = pool.begin().and_then(|transaction| transaction.commit());
    committed.map(|_| ()).map_err(|e| e.to_string())
}

/// What a mount finds is the acknowledged state or the one in flight, whole, and all space is accounted for.
fn check(
    world: &mut SimArray,
    plan: &Plan,
    progress: &Progress,
    lent: &mut Lent,
    what: &str,
    report: &mut CrashReport,
) {
    let mounted = Pool::mount(world, lent.lend(), SERVICES, &MountOptions::default());
    let mut pool = mounted.unwrap_or_else(|error| panic!("{what}: {error}"));
    let found = model::load(&mut pool).unwrap_or_else(|error| panic!("{what}: {error}"));
    report.rolled_forward += u64::from(judge(&found, plan, progress, what));
    account(&mut pool, what);
}
