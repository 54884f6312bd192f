//! The end of the volatile cache: what a power cut leaves of it.

use super::SimDisk;
use super::cache::Cache;
use super::medium::Medium;
use super::tear::{Fate, Piece, Target};
use crate::rng::Rng;
use std::ops::Range;

/// What a power cut does to writes that no flush covered, the interrupted ones included.
///
/// What was flushed stays under every policy, but for what shares a tear unit with an unflushed write under
/// [`Torn`](Self::Torn) and [`TornUnreadable`](Self::TornUnreadable).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrashPolicy {
    /// All of them are lost.
    Nothing,
    /// None of them is lost.
    Everything,
    /// An arbitrary subset survives, whole tear units each: old writes may be lost and newer ones survive.
    Subset,
    /// As `Subset`, and some units hold a left or right part, a mixture of sectors, or garbage, which may also hit
    /// the unit's other sectors.
    Torn,
    /// As `Torn`, and sectors of units that were being written may be unreadable until they are rewritten.
    TornUnreadable,
}

impl CrashPolicy {
    /// All policies, from the tamest to the wildest.
    pub const ALL: [Self; 5] =
        [Self::Nothing, Self::Everything, Self::Subset, Self::Torn, Self::TornUnreadable];

    /// What may become of a piece that is neither kept nor lost whole.
    const fn torn_fates(self) -> &'static [Fate] {
        match self {
            Self::Nothing | Self::Everything | Self::Subset => &[],
            Self::Torn => &[Fate::Left, Fate::Right, Fate::Mixed, Fate::Garbage],
            Self::TornUnreadable => &[Fate::Left, Fate::Right, Fate::Mixed, Fate::Garbage, Fate::Unreadable],
        }
    }
}

impl SimDisk {
    /// Cuts the power and restores it. `policy` resolves the cache, and a disk that had stopped answering
    /// answers again, unless it is unplugged.
    pub fn power_cycle(&mut self, policy: CrashPolicy, rng: &mut Rng) {
        self.reopen();
        match policy {
            CrashPolicy::Nothing => {}
            CrashPolicy::Everything => self.cache.settle_all(&mut self.medium),
            CrashPolicy::Subset | CrashPolicy::Torn | CrashPolicy::TornUnreadable => {
                Lottery::new(policy, rng).run(self.cut(), &self.cache, &mut self.medium, rng);
            }
        }
        self.lose_cache();
    }

    /// What is cached and not settled is gone.
    pub(super) fn lose_cache(&mut self) {
        if !self.cache.log().is_empty() {
            self.cache = Cache::over(self.medium.pages.clone());
        }
    }

    /// How this disk's writes are cut into pieces.
    pub(super) fn cut(&self) -> Cut {
        Cut {
            sector_bytes: u64::from(self.geometry.sector_bytes),
            unit_bytes: u64::from(self.geometry.tear_unit),
            disk_bytes: self.geometry.bytes(),
        }
    }
}

/// How writes are cut into pieces, one per tear unit.
#[derive(Clone, Copy)]
pub(super) struct Cut {
    sector_bytes: u64,
    pub(super) unit_bytes: u64,
    disk_bytes: u64,
}

impl Cut {
    /// One write's bytes within one tear unit.
    pub(super) fn piece<'a>(&self, at: u64, bytes: &'a [u8]) -> Piece<'a> {
        let start = at - at % self.unit_bytes;
        let unit = (start, self.unit_bytes.min(self.disk_bytes - start));
        Piece { at, bytes, unit, sector_bytes: self.sector_bytes }
    }
}

/// How likely what is at one crash. Drawn anew for each, since even odds for every piece would hardly ever show the
/// crashes in which almost all is lost, or almost nothing.
struct Lottery {
    /// Pieces that survive, of 16.
    survive: u64,
    /// Of those that do, or do not: how many are torn, of 16.
    torn: u64,
    /// A write survives or is lost as a whole, its tear units together.
    by_write: bool,
    fates: &'static [Fate],
}

impl Lottery {
    fn new(policy: CrashPolicy, rng: &mut Rng) -> Self {
        let fates = policy.torn_fates();
        let torn = if fates.is_empty() { 0 } else { *rng.pick(&[1, 2, 4, 8, 16]) };
        Self { survive: *rng.pick(&[1, 4, 8, 12, 15]), torn, by_write: rng.coin(), fates }
    }

    fn run(&self, cut: Cut, cache: &Cache, medium: &mut Medium, rng: &mut Rng) {
        for (index, write) in cache.log().iter().enumerate() {
            let together = self.draw(rng);
            for (at, bytes) in write.pieces(cut.unit_bytes) {
                let whole = if self.by_write { together } else { self.draw(rng) };
                let torn = rng.chance(self.torn, 16);
                let fate = if torn { *rng.pick(self.fates) } else { whole };
                let piece = cut.piece(at, bytes);
                let (start, length) = piece.unit;
                let may_tear = !torn || cache.may_tear(index, &(start..start + length));
                piece.suffer(if may_tear { fate } else { whole }, medium, rng);
            }
        }
    }

    fn draw(&self, rng: &mut Rng) -> Fate {
        if rng.chance(self.survive, 16) { Fate::New } else { Fate::Old }
    }
}

impl Target for Medium {
    fn put(&mut self, at: u64, bytes: &[u8]) {
        self.write(at, bytes);
    }

    fn lose(&mut self, lbas: Range<u64>) {
        self.make_unreadable(lbas);
    }
}

/// A failed write tears too, but in the cache: a later crash decides what becomes of it.
impl Target for Cache {
    fn put(&mut self, at: u64, bytes: &[u8]) {
        self.write(at, bytes);
    }

    fn lose(&mut self, _: Range<u64>) {}
}
