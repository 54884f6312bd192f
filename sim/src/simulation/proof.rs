//! Every fault that is injected really happens: a world before and after it, and what a machine sees of the disks.
//!
//! The match has no arm for "any other": a new kind of fault does not compile before an arm says how it is
//! seen.

use super::engine::Engine;
use super::fault::{FaultKind, Faults, Harm};
use super::probe::Probe;
use super::run::Run;
use super::{EventKind, ReplayId, Setup, Simulation, Workload};
use crate::states;
use crate::world::crc32c;
use crate::{CrashPolicy, Rng, SimArray, SimDisk};
use dynamicfs_core::MountMode;
use dynamicfs_core::types::Scheme;
use dynamicfs_hal::{DiskArray, IoError, Request};

/// What happens to a run and not to a disk.
const OF_RUNS: [FaultKind; 13] = [
    FaultKind::PowerCut,
    FaultKind::TornWrite,
    FaultKind::ProcessCrash,
    FaultKind::NestedCrash,
    FaultKind::NoSpace,
    FaultKind::Cloned,
    FaultKind::Override,
    FaultKind::LostInRecovery,
    FaultKind::IdleMount,
    FaultKind::FirstFormatCut,
    FaultKind::SecondWriter,
    FaultKind::ChoiceCut,
    FaultKind::Misuse,
];

/// Disks of the pool; two of them may be lost.
const DISKS: usize = 4;
const SECTOR: usize = 512;

/// A pool with something in it, before a fault and after it.
struct World {
    before: SimArray,
    engine: Engine,
}

/// What a machine reads, sector by sector.
type Sight = Vec<Result<[u8; SECTOR], IoError>>;

impl World {
    /// A world in which the fault was injected, or `None` where it could not be.
    fn new(kind: FaultKind, seed: u64) -> Option<Self> {
        let beyond = kind.harm() == Harm::Anything;
        let faults = if beyond { Faults::beyond_the_bound() } else { Faults::all() };
        let setup = Setup::small(Scheme::mirror(3), DISKS);
        let run = Run::new(ReplayId::of(seed), &faults, Workload::default(), Some(setup), false);
        let mut engine = Engine::new(run);
        engine.format().expect("formatted");
        for part in 0..2 {
            engine.run.take_images(&engine.array);
            let worked = engine.mount(MountMode::ReadWrite, |run, pool| {
                (0..8).try_for_each(|number| {
                    run.transact(pool, &mut Rng::new(seed).fork_at("work", part * 8 + number)).map(|_| ())
                })
            });
            worked.expect("nothing is wrong yet");
        }
        let before = engine.array.clone();
        engine.run.inject(&mut engine.array, kind, &mut Rng::new(seed).fork("fault"));
        (engine.run.counts.faults.of(kind) == 1).then_some(Self { before, engine })
    }

    fn after(&self) -> SimArray {
        self.engine.array.clone()
    }

    fn image(&self, disk: usize) -> &SimDisk {
        self.engine.run.images[disk].as_ref().expect("an image was taken")
    }

    /// Disks that are seen differently now.
    fn changed(&self) -> Vec<usize> {
        (0..DISKS).filter(|&disk| sight(&self.before, disk) != sight(&self.engine.array, disk)).collect()
    }

    /// Sectors of a disk that are seen differently now.
    fn differs(&self, disk: usize) -> Vec<usize> {
        let (before, after) = (sight(&self.before, disk), sight(&self.engine.array, disk));
        (0..before.len()).filter(|&lba| before[lba] != after[lba]).collect()
    }

    /// Bits that are seen differently now, of all disks.
    fn bits(&self) -> u32 {
        let bits = |disk| {
            let pairs = sight(&self.before, disk).into_iter().zip(sight(&self.engine.array, disk));
            let readable = pairs.filter_map(|(before, after)| Some((before.ok()?, after.ok()?)));
            readable
                .map(|(b, a)| b.iter().zip(a).map(|(b, a)| (b ^ a).count_ones()).sum::<u32>())
                .sum::<u32>()
        };
        (0..DISKS).map(bits).sum()
    }

    /// The one disk for which something holds.
    fn only(&self, is_it: impl Fn(&mut SimArray, usize) -> bool) -> bool {
        (0..DISKS).filter(|&disk| is_it(&mut self.after(), disk)).count() == 1
    }
}

fn sight(array: &SimArray, disk: usize) -> Sight {
    let mut array = array.clone();
    let sectors = array.geometry(disk).sectors;
    (0..sectors).map(|lba| read(&mut array, disk, lba)).collect()
}

fn read(array: &mut SimArray, disk: usize, lba: u64) -> Result<[u8; SECTOR], IoError> {
    let mut sector = [0; SECTOR];
    array.run(Request::read(disk, lba, &mut sector)).map(|()| sector)
}

fn write(array: &mut SimArray, disk: usize, lba: u64) -> Result<(), IoError> {
    array.run(Request::write(disk, lba, &[0xEE; SECTOR]))
}

fn holds(array: &SimArray, disk: usize, lba: u64) -> bool {
    let mut sector = [0; SECTOR];
    array.disk(disk).pristine(lba * SECTOR as u64, &mut sector);
    sector == [0xEE; SECTOR]
}

/// Writes many sectors in the middle of a disk: whether each said that it was done, and is there.
fn write_many(array: &mut SimArray, disk: usize) -> Vec<(Result<(), IoError>, bool)> {
    let lbas = 1000..1060;
    let said: Vec<_> = lbas.clone().map(|lba| write(array, disk, lba)).collect();
    array.disk_mut(disk).calm();
    // What an error left behind may be anything.
    array.run(Request::flush(disk)).ok();
    said.into_iter().zip(lbas.map(|lba| holds(array, disk, lba))).collect()
}

/// Whether a fault is seen as what it is.
fn is_seen(kind: FaultKind, world: &World) -> bool {
    let same = |disk: usize, image: &SimDisk, lbas: &[usize]| {
        lbas.iter().all(|&lba| {
            let mut sectors = [[0; SECTOR]; 2];
            world.engine.array.disk(disk).pristine((lba * SECTOR) as u64, &mut sectors[0]);
            image.pristine((lba * SECTOR) as u64, &mut sectors[1]);
            sectors[0] == sectors[1]
        })
    };
    let is_near = |lbas: &[usize], most: usize| lbas.last().is_some_and(|last| last - lbas[0] < most);
    let changed = || match world.changed()[..] {
        [disk] => disk,
        ref other => panic!("{kind:?}: disks {other:?} are seen differently"),
    };
    let micros = |array: &mut SimArray, disk| {
        let before = array.micros();
        read(array, disk, 0).expect("a disk that can be read");
        array.micros() - before
    };
    match kind {
        FaultKind::Rot => world.differs(changed()).len() == 1 && world.bits() == 1,
        FaultKind::RotBurst => is_near(&world.differs(changed()), 4),
        FaultKind::RotLabel => matches!(world.differs(changed())[..], [0 | 8 | 2047]) && world.bits() == 1,
        FaultKind::RotSuperblock => {
            let disk = changed();
            let at: Vec<_> = states::slots_of(world.before.disk(disk)).iter().map(|slot| slot.at).collect();
            let rotten = world.differs(disk);
            // The newest of all, in one ring at least.
            rotten.contains(&(at[0] as usize / SECTOR))
                && rotten
                    .iter()
                    .all(|&lba| at.iter().any(|&at| (at as usize / SECTOR..).take(2).any(|of| of == lba)))
        }
        FaultKind::LatentSector => {
            let disk = changed();
            let bad = world.differs(disk);
            let mut after = world.after();
            let fail = bad.iter().all(|&lba| read(&mut after, disk, lba as u64) == Err(IoError::Media));
            write(&mut after, disk, bad[0] as u64).expect("written");
            fail && is_near(&bad, 16) && read(&mut after, disk, bad[0] as u64) == Ok([0xEE; SECTOR])
        }
        FaultKind::Scattered => (1..=64).contains(&world.bits()),
        FaultKind::Correlated => {
            let first: Vec<_> = world.changed().iter().map(|&disk| world.differs(disk)[0]).collect();
            first.len() == 2 && first[0] == first[1]
        }
        FaultKind::ReadError => world.only(|array, disk| {
            let first = read(array, disk, 9);
            first == Err(IoError::Media) && (0..20).any(|_| read(array, disk, 9).is_ok())
        }),
        FaultKind::ReadNoise => world.only(|array, disk| {
            let (first, mut again) = (read(array, disk, 9), (0..20).map(|_| read(array, disk, 9)));
            let truth = sight(&world.before, disk)[9];
            first.is_ok() && first != truth && again.any(|again| again == truth)
        }),
        FaultKind::MisdirectedRead => world.only(|array, disk| {
            let truth = sight(&world.before, disk);
            let first = read(array, disk, 9);
            first.is_ok() && first != truth[9] && truth.contains(&first)
        }),
        FaultKind::WriteError => world.only(|array, disk| {
            let failed =
                write_many(array, disk).iter().filter(|(said, _)| *said == Err(IoError::Media)).count();
            failed == 1
        }),
        FaultKind::NoSpaceBelow => world.only(|array, disk| {
            let flushes: Vec<_> = (0..5).map(|_| array.run(Request::flush(disk))).collect();
            let writes: Vec<_> = write_many(array, disk).into_iter().map(|(said, _)| said).collect();
            let full = |said: &[Result<(), IoError>]| {
                said.iter().any(|said| matches!(said, Err(IoError::NoSpace | IoError::Refused)))
            };
            (full(&flushes) || full(&writes)) && write(array, disk, 9).is_ok()
        }),
        FaultKind::LostWrite => world.only(|array, disk| {
            let said = write_many(array, disk);
            said.iter().all(|(said, _)| said.is_ok()) && said.iter().any(|(_, there)| !there)
        }),
        FaultKind::MisdirectedWrite => world.only(|array, disk| {
            let said = write_many(array, disk);
            let elsewhere = (0..2048).filter(|lba| !(1000..1060).contains(lba));
            said.iter().all(|(said, _)| said.is_ok())
                && said.iter().filter(|(_, there)| !there).count() == 1
                && elsewhere.filter(|&lba| holds(array, disk, lba)).count() == 1
        }),
        FaultKind::FlushError => world.only(|array, disk| {
            let said: Vec<_> = (0..5).map(|_| array.run(Request::flush(disk))).collect();
            said.iter().filter(|said| **said == Err(IoError::Media)).count() == 1
        }),
        FaultKind::FlushLie => world.only(|array, disk| {
            write(array, disk, 1000).expect("written");
            array.run(Request::flush(disk)).expect("it says so");
            array.power_cycle(CrashPolicy::Nothing, &mut Rng::new(1));
            !holds(array, disk, 1000)
        }),
        FaultKind::Timeout => world.only(|array, disk| {
            let said: Vec<_> = (0..10)
                .flat_map(|_| {
                    [write(array, disk, 9), read(array, disk, 9).map(|_| ()), array.run(Request::flush(disk))]
                })
                .collect();
            let late = said.iter().position(|said| *said == Err(IoError::Timeout));
            late.is_some_and(|at| said[at + 1..].iter().all(|said| *said == Err(IoError::Gone)))
        }),
        FaultKind::Stall => world.only(|array, disk| micros(array, disk) >= 3_000_000),
        FaultKind::SlowDisk => world.only(|array, disk| micros(array, disk) == super::inject::SLOW_US.into()),
        FaultKind::WriteProtected => {
            world.only(|array, disk| write(array, disk, 9) == Err(IoError::WriteProtected))
        }
        FaultKind::Unplugged => world.only(|array, disk| read(array, disk, 9) == Err(IoError::Gone)),
        FaultKind::Replaced => {
            let disk = changed();
            let mut engine = World::new(kind, world.engine.run.id.seed).expect("the same").engine;
            engine.run.bring_back(&mut engine.array);
            states::label_of(world.engine.array.disk(disk)).is_none()
                && sight(&engine.array, disk) == sight(&world.before, disk)
        }
        FaultKind::ReplacedSmaller => {
            let disk = (0..DISKS).find(|&disk| world.engine.array.geometry(disk).sectors == 2047);
            disk.is_some_and(|disk| {
                sight(&world.engine.array, disk)[..] == sight(&world.before, disk)[..2047]
            })
        }
        FaultKind::Foreign => {
            let label = states::label_of(world.engine.array.disk(changed()));
            label.is_some_and(|(parameters, _)| Some(parameters.pool) != world.engine.run.pool)
        }
        FaultKind::ExchangedDisk => {
            let label = states::label_of(world.engine.array.disk(changed()));
            label.is_none_or(|(parameters, _)| Some(parameters.pool) != world.engine.run.pool)
        }
        FaultKind::SuperblockBatchFails => {
            let mut array = world.after();
            let failing = |array: &mut SimArray, disk: usize| {
                let ring = states::ring_sectors(array.disk(disk)).remove(0).start;
                // Elsewhere all is well, here the write fails or the flush after it, once.
                write(array, disk, 1000).is_ok()
                    && array.run(Request::flush(disk)).is_ok()
                    && (write(array, disk, ring).is_err() || array.run(Request::flush(disk)).is_err())
                    && write(array, disk, ring).is_ok()
                    && array.run(Request::flush(disk)).is_ok()
            };
            (0..DISKS).filter(|&disk| failing(&mut array, disk)).count() >= 1
        }
        FaultKind::Wiped => {
            sight(&world.engine.array, changed()).iter().all(|sector| *sector == Ok([0; SECTOR]))
        }
        FaultKind::Swapped => match world.changed()[..] {
            // Drawn as one and the same.
            [] => true,
            [one, other] => {
                sight(&world.before, one) == sight(&world.engine.array, other)
                    && sight(&world.before, other) == sight(&world.engine.array, one)
            }
            _ => false,
        },
        FaultKind::RolledBack => {
            let disk = changed();
            same(disk, world.image(disk), &(0..2048).collect::<Vec<_>>())
        }
        FaultKind::SetBack => {
            let disk = changed();
            let order = |disk| states::newest_of(disk).expect("a superblock").1;
            same(disk, world.image(disk), &(0..2048).collect::<Vec<_>>())
                && order(world.image(disk)).0 + 1 < order(world.before.disk(disk)).0
        }
        FaultKind::Enlarged => {
            let disk = (0..DISKS).find(|&disk| world.engine.array.geometry(disk).sectors > 2048);
            disk.is_some_and(|disk| {
                sight(&world.engine.array, disk)[..2048] == sight(&world.before, disk)[..]
            })
        }
        FaultKind::RegionRolledBack => match world.changed()[..] {
            // Nothing was written there since.
            [] => true,
            [disk] => {
                let lbas = world.differs(disk);
                is_near(&lbas, 64) && same(disk, world.image(disk), &lbas)
            }
            _ => false,
        },
        FaultKind::WellFormedLie => {
            let disk = changed();
            // Something is not what it was, and every checksum of a superblock is right.
            states::slots_of(world.before.disk(disk)).iter().all(|slot| {
                let mut image = vec![0; slot.bytes as usize];
                world.engine.array.disk(disk).pristine(slot.at, &mut image);
                image[..4] == crc32c(0, &image[4..]).to_le_bytes()
            })
        }
        FaultKind::PowerCut
        | FaultKind::TornWrite
        | FaultKind::ProcessCrash
        | FaultKind::NestedCrash
        | FaultKind::NoSpace
        | FaultKind::Cloned
        | FaultKind::Override
        | FaultKind::LostInRecovery
        | FaultKind::IdleMount
        | FaultKind::FirstFormatCut
        | FaultKind::SecondWriter
        | FaultKind::ChoiceCut
        | FaultKind::Misuse => unreachable!("these happen to a run, not to a disk"),
    }
}

/// How a run's story or its probes show a fault that is not done to a disk.
fn is_told(kind: FaultKind) -> bool {
    let mut faults = Faults::only([kind, FaultKind::PowerCut]);
    match kind {
        FaultKind::IdleMount => faults.kinds = faults.kinds.with(FaultKind::ProcessCrash),
        FaultKind::ChoiceCut => faults.kinds = faults.kinds.with(FaultKind::Override),
        _ => {}
    }
    (0..200).any(|seed| {
        // Two histories need that either half can continue without the other.
        let disks = if matches!(kind, FaultKind::Override | FaultKind::ChoiceCut) { 2 } else { 3 };
        let setup = (kind != FaultKind::NoSpace).then(|| Setup::small(Scheme::mirror(2), disks));
        let simulation = Simulation::new(seed).faults(faults);
        let (done, story) = match setup {
            Some(setup) => simulation.pool(setup),
            None => simulation,
        }
        .tell();
        let probes = done.unwrap_or_else(|failure| panic!("{failure}")).counts.probes;
        let crash = |what: &str| {
            story.iter().any(|event| event.kind == EventKind::Crash && event.what.contains(what))
        };
        match kind {
            FaultKind::PowerCut => crash("the power is back"),
            FaultKind::TornWrite => crash("is torn"),
            FaultKind::ProcessCrash => crash("the process is started again"),
            FaultKind::NestedCrash => probes.of(Probe::CrashInRecovery) > 0,
            FaultKind::NoSpace => probes.of(Probe::NoSpace) > 0,
            FaultKind::Cloned => probes.of(Probe::CloneRefused) > 0,
            FaultKind::Override => probes.of(Probe::SplitRefused) > 0,
            FaultKind::LostInRecovery => probes.of(Probe::LostNewestAlone) > 0,
            FaultKind::IdleMount => probes.of(Probe::ServedIsDurable) > 0,
            FaultKind::FirstFormatCut => probes.of(Probe::FormattedAnew) > 0,
            FaultKind::SecondWriter => probes.of(Probe::RivalRefused) > 0,
            FaultKind::ChoiceCut => probes.of(Probe::OverrideCut) > 0,
            FaultKind::Misuse => probes.of(Probe::DeletedUsed) > 0 && probes.of(Probe::Forgotten) > 0,
            _ => unreachable!("this is done to disks"),
        }
    })
}

#[test]
fn every_fault_really_happens() {
    for &kind in FaultKind::ALL {
        if OF_RUNS.contains(&kind) {
            assert!(is_told(kind), "{kind:?} never happens");
            continue;
        }
        let worlds: Vec<_> = (0..12).filter_map(|seed| World::new(kind, seed)).collect();
        assert!(worlds.len() >= 6, "{kind:?} is hardly ever injected");
        let seen = worlds.iter().filter(|world| is_seen(kind, world)).count();
        assert_eq!(seen, worlds.len(), "{kind:?} is not always seen");
        if matches!(kind, FaultKind::Swapped | FaultKind::RegionRolledBack) {
            assert!(worlds.iter().any(|world| !world.changed().is_empty()), "{kind:?} changes nothing");
        }
    }
}
