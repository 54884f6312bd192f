//! Random operations on a pool and on a model of it. They must agree at every step, after every commit, abort
//! and mount. All blocks must be accounted for.

use dynamicfs_core::types::Scheme;
use dynamicfs_core::{CacheEntry, DiskState, FormatOptions, Memory, MountOptions, Pool};
use dynamicfs_hal::{Entropy, EntropyError, RamDisk, SerialArray};
use dynamicfs_sim::model::{self, Model};
use dynamicfs_sim::workload::{self, Scale};
use dynamicfs_sim::world::{SERVICES, account};

struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        dynamicfs_core::disks::mix(self.0) % n.max(1)
    }
}

impl Entropy for Random {
    fn fill(&mut self, buf: &mut [u8]) -> Result<(), EntropyError> {
        buf.iter_mut().for_each(|byte| *byte = self.below(256) as u8);
        Ok(())
    }
}

fn check<A: dynamicfs_hal::DiskArray>(pool: &mut Pool<'_, A>, model: &Model, what: &str) {
    let found = model::load(pool).unwrap_or_else(|error| panic!("{what}: {error}"));
    if let Some(difference) = model.difference(&found) {
        panic!("{what}: {difference}");
    }
    account(pool, what);
    assert_eq!(pool.health().objects, model.nodes.len() as u64, "{what}: objects are counted");
}

fn run<const N: usize>(
    seed: u64,
    options: &FormatOptions,
    disk_bytes: usize,
    memory: usize,
    scale: &Scale,
    rounds: usize,
) {
    let mut random = Random(seed);
    let mut disks: [Vec<u8>; N] = core::array::from_fn(|_| vec![0; disk_bytes]);
    let (mut bytes, mut entries, mut states) =
        (vec![0; memory], vec![CacheEntry::NEW; 256], [DiskState::NEW; N]);
    let mut model = Model::default();
    let mut full = 0;
    for round in 0..rounds {
        let array = SerialArray::<_, N>::new(
            disks.each_mut().map(|bytes| RamDisk::new(&mut bytes[..], options.chunk_bytes.min(4096))),
        );
        let lent = Memory { bytes: &mut bytes, entries: &mut entries, disks: &mut states };
        let mut pool = if round == 0 {
            Pool::format(array, lent, SERVICES, &mut random, options, &[]).expect("formatted")
        } else {
            Pool::mount(array, lent, SERVICES, &MountOptions::default()).expect("mounted")
        };
        check(&mut pool, &model, &format!("seed {seed} round {round}: mounted"));
        for step in 0..6 {
            let what = format!("seed {seed} round {round} step {step}");
            let mut changed = model.clone();
            let mut transaction = pool.begin().unwrap_or_else(|error| panic!("{what}: {error}"));
            let mut keep = random.below(5) > 0;
            for n in 0..random.below(12) {
                let operation = workload::random(&changed, scale, &mut |n| random.below(n));
                let did = model::apply(&mut transaction, &operation);
                if let Err(error) = did
                    && model::is_storage(&error).is_some()
                {
                    assert_eq!(
                        model::is_storage(&error),
                        Some(dynamicfs_core::error::StorageError::NoSpace),
                        "{what}: {operation:?}"
                    );
                    full += 1;
                    keep = false;
                    break;
                }
                let should = changed.apply(&operation, did.ok().flatten());
                assert_eq!(did, should, "{what} operation {n}: {operation:?}");
            }
            if keep {
                match transaction.commit() {
                    Ok(_) => model = changed,
                    Err(error) => {
                        assert_eq!(
                            model::is_storage(&error),
                            Some(dynamicfs_core::error::StorageError::NoSpace),
                            "{what}"
                        );
                        full += 1;
                    }
                }
            } else {
                drop(transaction);
            }
            if random.below(3) == 0 {
                pool.maintain(true).unwrap_or_else(|error| panic!("{what}: {error}"));
            }
            check(&mut pool, &model, &what);
        }
    }
    println!("seed {seed}: {} objects, {full} times full", model.nodes.len());
}

const SMALL: Scale = Scale { file_bytes: 40_000, write_bytes: 20_000, names: 14, ..Scale::NONE };

#[test]
fn a_mirror_of_three_small_disks_agrees_with_the_model() {
    for seed in 0..8 {
        run::<3>(seed, &FormatOptions::portable(Scheme::mirror(2)), 512 << 10, 48 << 10, &SMALL, 10);
    }
}

#[test]
fn two_plus_one_agrees_with_the_model() {
    for seed in 100..106 {
        let options = FormatOptions::portable(Scheme { data: 2, parity: 1 }).extent_bytes(16384);
        run::<3>(seed, &options, 512 << 10, 200 << 10, &SMALL, 10);
    }
}

#[test]
fn a_single_disk_agrees_with_the_model() {
    for seed in 200..204 {
        run::<1>(seed, &FormatOptions::portable(Scheme::SINGLE), 512 << 10, 40 << 10, &SMALL, 10);
    }
}

#[test]
fn a_server_pool_of_six_disks_agrees_with_the_model() {
    for seed in 300..303 {
        let options = FormatOptions::server(Scheme { data: 4, parity: 2 });
        let scale = Scale { file_bytes: 400_000, write_bytes: 300_000, names: 20, ..Scale::NONE };
        run::<6>(seed, &options, 8 << 20, 4 << 20, &scale, 8);
    }
}

#[test]
fn tiny_disks_fill_up_and_agree_with_the_model() {
    let scale = Scale { file_bytes: 90_000, write_bytes: 60_000, names: 30, ..Scale::NONE };
    for seed in 400..408 {
        run::<3>(seed, &FormatOptions::portable(Scheme::mirror(2)), 256 << 10, 48 << 10, &scale, 10);
    }
}
