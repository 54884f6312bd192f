//! Random sequences against a naive model: what may be lost is what no flush covered, and nothing else.
//!
//! The model keeps, for every sector, its durable version and all unflushed ones. Versions are numbers; a sector
//! holds its version in every byte pair, so that a mixture of two is told from both.

use super::{SECTOR, coarse, one, plain, read};
use dynamicfs_hal::{Geometry, IoError, Operation, Request};
use dynamicfs_sim::{CrashPolicy, IoKind, Rng, SimArray};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

const SECTORS: u64 = 24;

#[derive(Clone, Debug)]
enum Step {
    Write { lba: u64, sectors: u64 },
    WriteDurable { lba: u64, sectors: u64 },
    Flush,
    FailedFlush,
    Crash { policy: CrashPolicy, seed: u64 },
}

/// What one sector may hold.
#[derive(Clone, Debug)]
struct Sector {
    durable: Vec<u8>,
    unflushed: Vec<Vec<u8>>,
    /// So many of the unflushed versions were cached when a flush failed: no later one makes them durable.
    doomed: usize,
}

impl Sector {
    const fn durable(durable: Vec<u8>) -> Self {
        Self { durable, unflushed: Vec::new(), doomed: 0 }
    }

    fn flush(&mut self) {
        if self.doomed < self.unflushed.len() {
            *self = Self::durable(self.newest().to_vec());
        }
    }

    fn newest(&self) -> &[u8] {
        self.unflushed.last().unwrap_or(&self.durable)
    }
}

struct World {
    array: SimArray,
    model: Vec<Sector>,
    unit_sectors: usize,
    version: u16,
}

impl World {
    fn new(geometry: Geometry) -> Self {
        let mut array = one(5, geometry);
        let sector = |lba| Sector::durable(read(&mut array, 0, lba).unwrap().to_vec());
        let model = (0..SECTORS).map(sector).collect();
        let unit_sectors = (geometry.tear_unit / geometry.sector_bytes) as usize;
        Self { array, model, unit_sectors, version: 0 }
    }

    fn apply(&mut self, step: &Step) {
        match *step {
            Step::Write { lba, sectors } => self.write(lba, sectors, false),
            Step::WriteDurable { lba, sectors } => self.write(lba, sectors, true),
            Step::Flush => {
                self.array.run(Request::flush(0)).unwrap();
                self.model.iter_mut().for_each(Sector::flush);
            }
            Step::FailedFlush => {
                self.array.disk_mut(0).fail_next(IoKind::Flush, 1, IoError::Media);
                self.array.run(Request::flush(0)).unwrap_err();
                self.model.iter_mut().for_each(|sector| sector.doomed = sector.unflushed.len());
            }
            Step::Crash { policy, seed } => self.crash(policy, seed),
        }
        self.check_reads();
    }

    fn write(&mut self, lba: u64, sectors: u64, durable: bool) {
        let end = (lba + sectors).min(SECTORS);
        self.version += 1;
        let bytes = self.version.to_le_bytes().repeat((end - lba) as usize * SECTOR / 2);
        let operation = if durable { Operation::WriteDurable(&bytes) } else { Operation::Write(&bytes) };
        self.array.run(Request::new(0, lba, operation)).unwrap();
        for sector in &mut self.model[lba as usize..end as usize] {
            if durable {
                *sector = Sector::durable(bytes[..SECTOR].to_vec());
            } else {
                sector.unflushed.push(bytes[..SECTOR].to_vec());
            }
        }
    }

    fn crash(&mut self, policy: CrashPolicy, seed: u64) {
        self.array.power_cycle(policy, &mut Rng::new(seed));
        for start in (0..self.model.len()).step_by(self.unit_sectors) {
            let unit = start..(start + self.unit_sectors).min(self.model.len());
            let touched = self.model[unit.clone()].iter().any(|sector| !sector.unflushed.is_empty());
            for lba in unit {
                self.check_survivor(policy, lba, touched);
            }
        }
    }

    /// One sector after a crash; `touched` tells whether its tear unit had unflushed writes. What is there now is
    /// durable from here on.
    fn check_survivor(&mut self, policy: CrashPolicy, lba: usize, touched: bool) {
        let held = read(&mut self.array, 0, lba as u64);
        let sector = &self.model[lba];
        let allowed = match (policy, &held) {
            (CrashPolicy::TornUnreadable, Err(_)) => touched,
            (_, Err(_)) => false,
            (CrashPolicy::Nothing, Ok(held)) => *held == sector.durable[..],
            (CrashPolicy::Everything, Ok(held)) => held == sector.newest(),
            (CrashPolicy::Subset, Ok(held)) => {
                *held == sector.durable[..] || sector.unflushed.iter().any(|version| *held == version[..])
            }
            (CrashPolicy::Torn | CrashPolicy::TornUnreadable, Ok(held)) => {
                touched || *held == sector.durable[..]
            }
        };
        assert!(allowed, "sector {lba} under {policy:?}: {sector:?} became {held:?}");
        self.array.disk_mut(0).heal(lba as u64..lba as u64 + 1);
        let durable = read(&mut self.array, 0, lba as u64).unwrap().to_vec();
        self.model[lba] = Sector::durable(durable);
    }

    fn check_reads(&mut self) {
        for lba in 0..SECTORS {
            assert!(read(&mut self.array, 0, lba).unwrap() == *self.model[lba as usize].newest());
        }
    }
}

fn step() -> impl Strategy<Value = Step> {
    let place = (0..SECTORS, 1..9_u64);
    prop_oneof![
        6 => place.clone().prop_map(|(lba, sectors)| Step::Write { lba, sectors }),
        2 => place.prop_map(|(lba, sectors)| Step::WriteDurable { lba, sectors }),
        2 => Just(Step::Flush),
        1 => Just(Step::FailedFlush),
        1 => (prop::sample::select(CrashPolicy::ALL.to_vec()), any::<u64>())
            .prop_map(|(policy, seed)| Step::Crash { policy, seed }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn what_was_flushed_is_never_lost(
        steps in prop::collection::vec(step(), 1..60),
        unit_sectors in prop::sample::select(vec![1, 2, 8, 16]),
    ) {
        let mut world = World::new(coarse(SECTORS, unit_sectors));
        steps.iter().for_each(|step| world.apply(step));
    }

    /// Enumeration and lottery agree: a subset that a crash can leave is among the enumerated states, whose number
    /// is what the model counts.
    #[test]
    fn enumerated_states_are_what_the_model_counts(
        writes in prop::collection::vec((0..4_u64, 1..3_u64), 1..5),
        seed in any::<u64>(),
    ) {
        let mut world = World::new(plain(SECTORS));
        writes.iter().for_each(|&(lba, sectors)| world.apply(&Step::Write { lba, sectors }));
        let expected: usize = world.model.iter().map(|sector| 1 + sector.unflushed.len()).product();
        let mut states: Vec<_> = world.array.crash_states(4096, &mut Rng::new(seed)).map(bytes).collect();
        states.sort();
        states.dedup();
        prop_assert_eq!(states.len(), expected);
        let crashed = bytes(world.array.crash(CrashPolicy::Subset, &mut Rng::new(seed)));
        prop_assert!(states.binary_search(&crashed).is_ok());
    }
}

fn bytes(mut array: SimArray) -> Vec<u8> {
    super::contents(&mut array, 0)
}
