//! How many disks may fail now, and what limits their number.
//!
//! It is the smaller of two numbers. One is what the weakest extent or tree node bears. The other is what
//! lets the pool be opened: more than half of its members. Disks that are taken offline first have no say in
//! that any more.

use super::readable::readable;
use super::reasons::{Reason, ReasonCode};
use super::room::{Fullness, PoolRoom};
use super::session::Session;
use super::stored::Stored;
use super::tree::paths_of;
use crate::output::failure::Failure;
use crate::output::names::ToldPath;
use crate::output::size;
use dynamicfs_core::ReadObjects;
use dynamicfs_core::types::{Scheme, Set};

/// More members that are looked at as a cure.
const WITNESSES_MAX: usize = 8;

/// More disks that may fail, whichever they are.
#[derive(Clone, Debug)]
pub(crate) struct Tolerance {
    /// Before data is lost: exactly, as the records of all that is stored say.
    pub(crate) data: usize,
    /// Before the pool is not opened any more, where they are simply gone.
    pub(crate) open: usize,
    /// Before the pool takes no writes, where each is taken offline before it goes.
    offline_first: usize,
    /// Members, and those of them that are here.
    members: (usize, usize),
    /// Something bears no loss any more, and was to bear one at least.
    pub(crate) is_exposed: bool,
    weakest: Option<Weakest>,
}

/// Contents that are asked to bear less than the pool.
#[derive(Clone, Debug)]
struct Weakest {
    /// The first of them, if a name leads there.
    path: Option<ToldPath>,
    /// Disks whose loss they are to bear.
    bears: usize,
    /// Disks whose loss the pool is to bear.
    pool: u8,
    /// What makes them bear as much.
    next: String,
}

impl Tolerance {
    /// Of a pool as it is, and what is stored in it, counted.
    pub(crate) fn of(session: &mut Session<'_>) -> Result<(Self, Stored), Failure> {
        let health = session.pool.health();
        let is_uniform = health.parity_deficit == 0 && session.pool.is_whole();
        let members = session.pool.members();
        let present = members.present.and(members.listed).len();
        let mut tolerance = Self {
            data: health.read_tolerance,
            open: health.mount_tolerance,
            offline_first: health.write_tolerance_once_begun,
            members: (members.listed.len(), present),
            is_exposed: false,
            weakest: None,
        };
        let is_protected = session.places.iter().any(|place| place.write_protection.is_some());
        let is_protected = is_protected && !session.is_for_a_reader();
        if is_protected || !session.pool.may_be_written() {
            tolerance.offline_first = 0;
        }
        if is_uniform {
            return Ok((tolerance, Stored::of(session)?));
        }
        let told = readable(session.pool.forecast_loss(Set::EMPTY))?;
        let stored = Stored::told(told.as_ref());
        let Some(told) = told.filter(|_| stored.extents.is_some()) else {
            // Of what is below nodes that cannot be read nothing is borne.
            tolerance.data = 0;
            return Ok((tolerance, stored));
        };
        tolerance.data = told.read_tolerance;
        tolerance.is_exposed = told.is_exposed;
        if told.asked_tolerance < health.tolerance.into() {
            let (bears, object) = (told.asked_tolerance, told.weakest);
            tolerance.weakest = readable(Weakest::new(session, bears, object, health.tolerance))?;
        }
        Ok((tolerance, stored))
    }

    /// More disks that may simply be gone before something cannot be read.
    pub(crate) fn read(&self) -> usize {
        self.data.min(self.open)
    }

    /// More disks that may simply be gone before the pool takes no writes.
    pub(crate) fn write(&self) -> usize {
        self.offline_first.min(self.open)
    }

    /// The same, where each is taken offline before it goes: that is refused where data is lost by it.
    pub(crate) fn offline_first(&self) -> usize {
        self.offline_first.min(self.data)
    }

    /// Each limit, with its cure.
    pub(crate) fn reasons(&self, room: Option<&PoolRoom>) -> Vec<Reason> {
        let exposed = self.is_exposed.then(|| {
            let message = "the next disk that fails may take data with it";
            Reason::new(ReasonCode::NoTolerance, None, 0, message)
        });
        let policy = self.weakest.as_ref().map(|weakest| weakest.reason(room));
        [exposed, policy, self.quorum_reason()].into_iter().flatten().collect()
    }

    /// Where fewer disks may be gone than the data bears, because the others could be newer.
    fn quorum_reason(&self) -> Option<Reason> {
        if self.open >= self.data {
            return None;
        }
        let (members, present) = self.members;
        let gone = match self.open {
            0 => "any disk gone".to_owned(),
            open => format!("more than {} gone", size::count(open as u64, "disk")),
        };
        let borne = size::count(self.data as u64, "disk");
        let spare = |more: usize| (present + more).saturating_sub((members + more) / 2 + 1);
        let cure = match (1..=WITNESSES_MAX).find(|&more| spare(more) >= self.data) {
            None => String::new(),
            Some(1) => ", or add a witness".to_owned(),
            Some(more) => format!(", or add {more} witnesses"),
        };
        let message = format!(
            "the data bears the loss of {borne}, but with {gone} the pool is not opened, because the missing disks could be newer: take \
             a disk offline before it is pulled{cure}"
        );
        Some(Reason::new(ReasonCode::QuorumLimit, None, self.open as u64, message))
    }
}

impl Weakest {
    fn new(
        session: &mut Session<'_>,
        bears: usize,
        object: Option<dynamicfs_core::types::ObjectId>,
        pool: u8,
    ) -> Result<Self, Failure> {
        let strong = Some(session.pool.health().scheme).filter(|scheme| scheme.parity >= pool);
        let strong = strong.unwrap_or(Scheme::mirror(pool + 1));
        let path = paths_of(&mut session.pool, object.into_iter().collect())?.into_iter().next();
        // Its policy may be another one already.
        let is_asked = match object {
            Some(object) => session.pool.inode(object).is_ok_and(|inode| inode.scheme.parity >= pool),
            None => true,
        };
        let next = match &path {
            Some(path) if !is_asked => {
                format!("dynamicfs policy set --scheme {strong} {}", path.typed())
            }
            _ => "dynamicfs rebalance start --only policy".into(),
        };
        Ok(Self { path, bears, pool, next })
    }

    fn reason(&self, room: Option<&PoolRoom>) -> Reason {
        let what = self.path.as_ref().map_or("something that has no name", |path| &path.path);
        let bears = match self.bears {
            0 => "no disk".to_owned(),
            bears => size::count(bears as u64, "disk"),
        };
        let message = format!(
            "the policy of {what}, and perhaps of others, bears the loss of {bears}, the pool that of {}: a stronger one takes \
             effect with a rebalance",
            self.pool
        );
        let reason = Reason::new(ReasonCode::PolicyLimit, None, self.bears as u64, message);
        // A stronger policy takes more room.
        let room = room.filter(|room| room.fullness == Fullness::Full);
        Reason { next: room.map_or_else(|| self.next.clone(), |room| room.next().into()), ..reason }
    }
}
