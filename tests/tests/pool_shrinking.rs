//! Sequences of operations on a pool and on a model of it, made by proptest. When they disagree, the sequence
//! shrinks to the few operations that it takes.

use dynamicfs_core::error::{Error, StorageError};
use dynamicfs_core::types::Scheme;
use dynamicfs_core::{FormatOptions, MountOptions, Pool};
use dynamicfs_hal::Geometry;
use dynamicfs_sim::model::{self, Model};
use dynamicfs_sim::workload::{self, Scale};
use dynamicfs_sim::world::{Lent, SERVICES, account};
use dynamicfs_sim::{Rng, SimArray};
use proptest::prelude::*;

const SCALE: Scale = Scale { file_bytes: 24_000, write_bytes: 9_000, names: 8, ..Scale::NONE };

/// An operation. Each is drawn with a seed of its own from the pool's contents at that moment. So without one
/// of them the others stay as they are, as far as possible.
#[derive(Clone, Debug)]
enum Step {
    Transaction { operations: Vec<u64>, commit: bool },
    Maintain,
    Remount,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let transaction = (prop::collection::vec(any::<u64>(), 1..10), prop::bool::weighted(0.85))
        .prop_map(|(operations, commit)| Step::Transaction { operations, commit });
    let step = prop_oneof![8 => transaction, 1 => Just(Step::Maintain), 1 => Just(Step::Remount)];
    prop::collection::vec(step, 1..24)
}

/// Runs the steps on both; an error says where they disagree.
fn agree(scheme: Scheme, disks: usize, steps: &[Step]) -> Result<(), TestCaseError> {
    let mut array = SimArray::new(1, vec![Geometry::new(512, 2048); disks]);
    let mut lent = Lent::new(160 << 10);
    let options = FormatOptions::portable(scheme).members_max(8);
    Pool::format(&mut array, lent.lend(), SERVICES, &mut Rng::new(1), &options, &[]).expect("formatted");
    let mut model = Model::default();
    let mut waiting = steps;
    loop {
        let mut pool = Pool::mount(&mut array, lent.lend(), SERVICES, &MountOptions::default())
            .map_err(|error| TestCaseError::fail(format!("not mounted: {error}")))?;
        let found = model::load(&mut pool).map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(model.difference(&found), None);
        account(&mut pool, "mounted");
        while let Some((step, rest)) = waiting.split_first() {
            waiting = rest;
            match step {
                Step::Remount => break,
                Step::Maintain => {
                    pool.maintain(true).map_err(|error| TestCaseError::fail(error.to_string()))?;
                }
                Step::Transaction { operations, commit } => {
                    transact(&mut pool, &mut model, operations, *commit)?;
                }
            }
        }
        if waiting.is_empty() {
            let found = model::load(&mut pool).map_err(|error| TestCaseError::fail(error.to_string()))?;
            prop_assert_eq!(model.difference(&found), None);
            account(&mut pool, "at the end");
            return Ok(());
        }
    }
}

fn transact(
    pool: &mut Pool<'_, &mut SimArray>,
    model: &mut Model,
    operations: &[u64],
    commit: bool,
) -> Result<(), TestCaseError> {
    let mut changed = model.clone();
    let mut transaction = pool.begin().map_err(|error| TestCaseError::fail(error.to_string()))?;
    for &seed in operations {
        let mut rng = Rng::new(seed);
        let operation = workload::random(&changed, &SCALE, &mut |n| rng.below(n.max(1)));
        let did = model::apply(&mut transaction, &operation);
        if did == Err(Error::Storage(StorageError::NoSpace)) {
            return Ok(());
        }
        let should = changed.apply(&operation, did.ok().flatten());
        prop_assert_eq!(did, should, "{:?}", operation);
    }
    if commit {
        transaction.commit().map_err(|error| TestCaseError::fail(error.to_string()))?;
        *model = changed;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_mirror_agrees_with_the_model(steps in steps()) {
        agree(Scheme::mirror(2), 3, &steps)?;
    }

    #[test]
    fn two_plus_one_agrees_with_the_model(steps in steps()) {
        agree(Scheme { data: 2, parity: 1 }, 4, &steps)?;
    }

    #[test]
    fn a_single_disk_agrees_with_the_model(steps in steps()) {
        agree(Scheme::SINGLE, 1, &steps)?;
    }
}
