//! Two users of one pool at a time: what one of them is told is true, and the other is refused.
//!
//! ```text
//!   at rest ──▶ both mount ──▶ they work in turn, a transaction at a time ──▶ one mounts alone
//!                                 └ or one's transaction stays open while the other commits
//! ```
//!
//! What is promised:
//!
//! | | |
//! |---|---|
//! | transactions in turn | what is acknowledged to either user is one history: each commit stands on the one before it. A user whose state is not the newest any more is refused, and writes nothing at all |
//! | a transaction that is open while the other commits | not both are acknowledged. What stood when it began
//! is untouched. Later writes of the other may be damaged by its own writes under way, and are never read as
//! right |
//!
//! The window of the second row is one transaction. The disks are looked at before its superblocks. They are
//! also looked at before its first write, if the last look is a while ago or there is no clock.

use super::beyond::agree;
use super::engine::Engine;
use super::fault::FaultKind;
use super::probe::Probe;
use super::report::{EventKind, Failure, FailureKind};
use crate::model::{self, Model};
use crate::workload::Scale;
use crate::world::{Lent, SERVICES};
use crate::{Rng, SimArray};
use dynamicfs_core::Transaction;
use dynamicfs_core::error::{Error, StorageError};
use dynamicfs_core::{MountMode, MountOptions, Pool};
use dynamicfs_hal::{DiskArray, Geometry, Outcome, Request};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

/// Turns that two users take at most.
const TURNS_MAX: u64 = 10;

/// The disks of one machine in the hands of two users.
#[derive(Clone)]
struct Shared(Rc<RefCell<SimArray>>);

impl DiskArray for Shared {
    const GIVES_UP: bool = true;

    type Batch<'b> = <SimArray as DiskArray>::Batch<'b>;

    fn disks(&self) -> usize {
        self.0.borrow().disks()
    }

    fn geometry(&self, disk: usize) -> Geometry {
        self.0.borrow().geometry(disk)
    }

    fn execute_while(&mut self, batch: &mut [Request<'_>], work: &mut dyn FnMut()) {
        self.0.borrow_mut().execute_while(batch, work);
    }

    fn take_outcome(&mut self, disk: usize) -> Option<Outcome> {
        self.0.borrow_mut().take_outcome(disk)
    }
}

/// The disks that both have.
type Disks = Rc<RefCell<SimArray>>;

/// One user.
struct Rival<'w> {
    pool: Pool<'w, Shared>,
    /// The state that it has.
    model: Arc<Model>,
    /// It was refused once and does nothing any more.
    is_out: bool,
}

/// What the two were told.
struct Told {
    /// The newest acknowledged state.
    newest: Arc<Model>,
    /// The user that wrote last: the other's state is not the newest any more.
    by: Option<usize>,
    refused: bool,
    /// One had a transaction open while the other committed.
    overlapped: bool,
}

/// What became of a transaction.
enum Done {
    Committed(Arc<Model>),
    /// Before it had begun, or after that.
    Refused(Error),
    /// An operation did not do what the model does.
    Wrong(String),
}

impl Engine {
    /// Two users mount a pool that is whole and write to it. Whether all of it is still there to be used.
    pub(super) fn let_two_write(&mut self) -> Result<bool, Failure> {
        let run = &self.run;
        let comes = run.swarm.is_on(FaultKind::SecondWriter) && run.is_plain();
        if !comes || !run.atlas.is_whole() || run.atlas.is_beyond() {
            return Ok(true);
        }
        let mut rng = run.root.fork("rivals");
        self.run.counts.faults.hit(FaultKind::SecondWriter);
        self.run.tell(&self.array, EventKind::Maintain, None, || "two users mount the pool".into());
        let disks = Rc::new(RefCell::new(std::mem::replace(&mut self.array, SimArray::new(0, []))));
        let done = self.work_in_turn(&disks, &mut rng);
        self.array = std::mem::replace(&mut disks.borrow_mut(), SimArray::new(0, []));
        let told = done?;
        if told.refused {
            self.run.hit(Probe::RivalRefused);
        }
        self.run.oracle.go_back(told.newest.clone());
        if told.overlapped {
            return self.look_at_what_is_left(&told.newest).map(|()| false);
        }
        self.mount(MountMode::ReadWrite, |run, pool| run.examine(pool).map(|_| ()))?;
        Ok(true)
    }

    /// Both mount, and work in turn; at the end one may mount anew while the other has a transaction open.
    fn work_in_turn(&mut self, disks: &Disks, rng: &mut Rng) -> Result<Told, Failure> {
        let (bytes, node) = (self.run.setup.memory, self.run.setup.format.node_bytes);
        let mut lent = [Lent::with_nodes(bytes, node), Lent::with_nodes(bytes, node)];
        let mut third = Lent::with_nodes(bytes, node);
        let newest = self.run.oracle.current().clone();
        let mut told = Told { newest, by: None, refused: false, overlapped: false };
        let mut rivals = Vec::new();
        for (who, lent) in lent.iter_mut().enumerate() {
            let before = writes(disks);
            let apart = Rc::new(RefCell::new(disks.borrow().clone()));
            let pool = self.mount_shared(if self.run.breakage.apart { &apart } else { disks }, lent)?;
            // What the first one wrote the second one has found.
            if who > 0 && writes(disks) != before {
                told.by = Some(who);
            }
            rivals.push(Rival { pool, model: told.newest.clone(), is_out: false });
        }
        for turn in 0..1 + rng.below(TURNS_MAX) {
            let who = rng.index(2);
            self.turn(disks, &mut rivals[who], who, &mut told, &mut rng.fork_at("turn", turn))?;
        }
        if rng.chance(1, 3) {
            let open = told.by.unwrap_or(0);
            self.overlap(disks, &mut rivals[open], &mut third, &mut told, rng)?;
        }
        Ok(told)
    }

    fn mount_shared<'w>(&self, disks: &Disks, lent: &'w mut Lent) -> Result<Pool<'w, Shared>, Failure> {
        let mut options = MountOptions::new();
        options.pool = self.run.pool;
        Pool::mount(Shared(disks.clone()), lent.lend(), SERVICES, &options).map_err(|error| {
            self.run.fail(FailureKind::Unavailable, format!("one of two users does not mount: {error}"))
        })
    }

    /// One user makes a transaction: if what it has is not the newest any more, it is refused before it writes.
    fn turn(
        &mut self,
        disks: &Disks,
        rival: &mut Rival<'_>,
        who: usize,
        told: &mut Told,
        rng: &mut Rng,
    ) -> Result<(), Failure> {
        if rival.is_out {
            return Ok(());
        }
        let is_newest = told.by.is_none_or(|by| by == who);
        let before = writes(disks);
        let done = transact(rival, &self.run.setup.scale, rng);
        let wrote = writes(disks) - before;
        if is_newest && wrote > 0 {
            told.by = Some(who);
        }
        let wrong = match done {
            Done::Committed(model) if is_newest => {
                rival.model = model.clone();
                told.newest = model;
                return Ok(());
            }
            Done::Refused(Error::Storage(StorageError::NoSpace)) => return Ok(()),
            Done::Refused(Error::Storage(StorageError::OtherWriter { .. })) if !is_newest && wrote == 0 => {
                (rival.is_out, told.refused) = (true, true);
                return Ok(());
            }
            Done::Committed(_) => {
                "a user whose state was not the newest any more was told that its commit is there".into()
            }
            Done::Refused(error) if !is_newest => {
                format!(
                    "a user whose state was not the newest any more is refused after {wrote} writes: {error}"
                )
            }
            Done::Refused(error) => format!("the user with the newest state is refused: {error}"),
            Done::Wrong(what) => what,
        };
        Err(self.run.fail(FailureKind::WrongState, wrong))
    }

    /// While one has a transaction open, another mounts and commits: not both are told that they did.
    fn overlap(
        &mut self,
        disks: &Disks,
        open: &mut Rival<'_>,
        lent: &mut Lent,
        told: &mut Told,
        rng: &mut Rng,
    ) -> Result<(), Failure> {
        if open.is_out {
            return Ok(());
        }
        let scale = self.run.setup.scale;
        let Ok(mut transaction) = open.pool.begin() else { return Ok(()) };
        let mut changed = (*told.newest).clone();
        let begun = operate(&mut transaction, &mut changed, &scale, &mut rng.fork("open"));
        let pool = self.mount_shared(disks, lent)?;
        let mut other = Rival { pool, model: told.newest.clone(), is_out: false };
        let done = transact(&mut other, &scale, &mut rng.fork("other"));
        told.overlapped = true;
        let first = match begun {
            Ok(()) => transaction.commit().is_ok(),
            Err(_) => false,
        };
        let second = match done {
            Done::Committed(model) => {
                told.newest = model;
                true
            }
            _ => false,
        };
        if first && second {
            let what = "two users were told that their commits are there, and neither had the other's";
            return Err(self.run.fail(FailureKind::WrongState, what));
        }
        if first {
            told.newest = Arc::new(changed);
        }
        told.refused = true;
        Ok(())
    }

    /// After a transaction that was open while the other committed: each read is right, or a typed error.
    fn look_at_what_is_left(&mut self, newest: &Model) -> Result<(), Failure> {
        match self.try_mount(MountMode::ReadOnly, None, |_, pool| agree(pool, newest)) {
            Ok(Err(difference)) => {
                let what =
                    format!("after a transaction that was open while the other committed: {difference}");
                Err(self.run.fail(FailureKind::WrongState, what))
            }
            Ok(Ok(_)) | Err(_) => Ok(()),
        }
    }
}

/// Writes that all disks were asked for.
fn writes(disks: &Disks) -> u64 {
    let array = disks.borrow();
    (0..array.disks()).map(|disk| array.disk(disk).counters().writes).sum()
}

/// A transaction of a few random operations.
fn transact(rival: &mut Rival<'_>, scale: &Scale, rng: &mut Rng) -> Done {
    let mut changed = (*rival.model).clone();
    let mut transaction = match rival.pool.begin() {
        Ok(transaction) => transaction,
        Err(error) => return Done::Refused(error),
    };
    match operate(&mut transaction, &mut changed, scale, rng) {
        Err(done) => done,
        Ok(()) => match transaction.commit() {
            Ok(_) => Done::Committed(Arc::new(changed)),
            Err(error) => Done::Refused(error),
        },
    }
}

/// A few random operations, on the pool and on the model.
fn operate(
    objects: &mut Transaction<'_, '_, Shared>,
    model: &mut Model,
    scale: &Scale,
    rng: &mut Rng,
) -> Result<(), Done> {
    // They are lent no places for pins.
    let scale = &Scale { pins: 0, ..*scale };
    for number in 0..1 + rng.below(3) {
        let mut rng = rng.fork_at("operation", number);
        let operation = super::work::random(model, scale, &mut rng);
        let did = model::apply(objects, &operation);
        if let Err(error @ (Error::Storage(_) | Error::Unreadable { .. })) = did {
            return Err(Done::Refused(error));
        }
        let should = model.apply(&operation, did.ok().flatten());
        if did != should {
            let what = format!("one of two users: {did:?} instead of {should:?}");
            return Err(Done::Wrong(what));
        }
    }
    Ok(())
}
