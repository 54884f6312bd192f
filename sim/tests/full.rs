//! A pool that runs full: no operation spoils the transaction that it is in, no commit finds no space, and deleting
//! always continues.
//!
//! (A reservation summed over all disks once let a write begin that one of them had no space for. It failed
//! half-way, and took everything else in its transaction with it.)

use dynamicfs_core::Transaction;
use dynamicfs_core::error::{Error, StorageError};
use dynamicfs_core::maintain::Work;
use dynamicfs_core::types::Scheme;
use dynamicfs_core::{FormatOptions, Memory, MountOptions, Pool};
use dynamicfs_hal::{DiskArray, Geometry};
use dynamicfs_sim::model::{self, Model};
use dynamicfs_sim::workload::{self, Operation, Scale};
use dynamicfs_sim::world::{Lent, SERVICES, account, put_file};
use dynamicfs_sim::{Rng, SimArray};

struct Case {
    options: FormatOptions,
    /// Sectors of each disk.
    sectors: &'static [u64],
    sector_bytes: u32,
    memory: usize,
    scale: Scale,
}

fn portable(scheme: Scheme, sectors: &'static [u64]) -> Case {
    Case {
        options: FormatOptions::portable(scheme).members_max(8),
        sectors,
        sector_bytes: 512,
        memory: 40 << 10,
        scale: Scale { file_bytes: 40_000, write_bytes: 20_000, names: 60, ..Scale::NONE },
    }
}

const NO_SPACE: Error = Error::Storage(StorageError::NoSpace);

/// Does an operation in the pool and in the model; a write may come out short. Whether there was space for it.
fn apply<A: DiskArray>(
    objects: &mut Transaction<'_, '_, A>,
    model: &mut Model,
    operation: &Operation,
    what: &str,
) -> bool {
    let done = match operation {
        Operation::Write { object, offset, data } => match objects.write(*object, *offset, data) {
            Ok(wrote) => {
                let data = data[..wrote].to_vec();
                let short = Operation::Write { object: *object, offset: *offset, data };
                model.apply(&short, None).unwrap_or_else(|error| panic!("{what}: {error}"));
                return true;
            }
            Err(error) => Err(error),
        },
        Operation::Punch { object, offset, bytes } => {
            match objects.punch_hole(*object, *offset..offset + bytes) {
                Ok(end) => {
                    let short = Operation::Punch { object: *object, offset: *offset, bytes: end - offset };
                    model.apply(&short, None).unwrap_or_else(|error| panic!("{what}: {error}"));
                    return end == offset + bytes;
                }
                Err(error) => Err(error),
            }
        }
        operation => model::apply(objects, operation),
    };
    if done == Err(NO_SPACE) {
        return false;
    }
    assert_eq!(done, model.apply(operation, done.ok().flatten()), "{what}: {operation:?}");
    true
}

impl Case {
    /// Fills a pool until nothing fits, empties it, and does so again.
    fn run(&self, seed: u64) {
        let mut rng = Rng::new(seed);
        let mut lent = Lent::new(self.memory);
        let geometries = self.sectors.iter().map(|&sectors| Geometry::new(self.sector_bytes, sectors));
        let mut world = SimArray::new(seed, geometries);
        Pool::format(&mut world, lent.lend(), SERVICES, &mut rng, &self.options, &[]).expect("formatted");
        let mut model = Model::default();
        let mut free = Vec::new();
        for round in 0..3 {
            let what = format!("seed {seed} round {round}");
            let mut pool = Pool::mount(&mut world, lent.lend(), SERVICES, &MountOptions::default())
                .unwrap_or_else(|error| panic!("{what}: {error}"));
            self.fill(&mut pool, &mut model, &mut rng, &what);
            account(&mut pool, &what);
            assert_eq!(model.difference(&model::load(&mut pool).expect("loaded")), None, "{what}");
            empty(&mut pool, &mut model, &what);
            account(&mut pool, &what);
            let superblock = pool.internals().store.committed();
            let all = superblock.table().iter().map(|row| superblock.row(row).free()).sum::<u64>();
            free.push(all + superblock.dead_blocks());
        }
        assert!(free[2] + 64 > free[0] * 9 / 10, "seed {seed}: space does not come back: {free:?}");
    }

    fn fill<A: DiskArray>(&self, pool: &mut Pool<'_, A>, model: &mut Model, rng: &mut Rng, what: &str) {
        let mut refused = 0;
        while refused < 40 {
            let mut changed = model.clone();
            let mut transaction = pool.begin().unwrap_or_else(|error| panic!("{what}: begin: {error}"));
            for _ in 0..1 + rng.below(60) {
                let operation = match workload::random(&changed, &self.scale, &mut |n| rng.below(n.max(1))) {
                    // It is to become full.
                    Operation::Unlink { directory, name } if rng.below(4) > 0 => {
                        Operation::Create { directory, name }
                    }
                    // These may end half-way, in several ways: the simulator drops the transaction then.
                    Operation::Zero { object, offset, .. }
                    | Operation::Move { to: object, to_offset: offset, .. } => {
                        Operation::Write { object, offset, data: vec![7; 5000] }
                    }
                    // They keep what they did until there was no space.
                    Operation::CreateAll { .. } | Operation::RemoveAll { .. } => continue,
                    operation => operation,
                };
                if !apply(&mut transaction, &mut changed, &operation, what) {
                    refused += 1;
                }
            }
            transaction.commit().unwrap_or_else(|error| panic!("{what}: commit: {error}"));
            *model = changed;
        }
    }
}

/// Deletes everything, a name in each transaction.
fn empty<A: DiskArray>(pool: &mut Pool<'_, A>, model: &mut Model, what: &str) {
    while let Some(operation) = next_to_delete(model) {
        let mut transaction = pool.begin().unwrap_or_else(|error| panic!("{what}: begin: {error}"));
        assert!(apply(&mut transaction, model, &operation, what), "{what}: a full pool cannot delete");
        transaction.commit().unwrap_or_else(|error| panic!("{what}: commit: {error}"));
    }
    for _ in 0..1000 {
        let work = pool.maintain(true).unwrap_or_else(|error| panic!("{what}: maintain: {error}"));
        if work == dynamicfs_core::maintain::Work::Nothing {
            return;
        }
    }
    panic!("{what}: maintenance does not come to an end");
}

/// A name that can be removed now.
fn next_to_delete(model: &Model) -> Option<Operation> {
    use dynamicfs_core::types::ObjectId;
    use dynamicfs_sim::model::Contents;
    model.nodes.iter().find_map(|(&directory, node)| {
        let Contents::Directory(entries) = &node.contents else { return None };
        entries.iter().find_map(|(name, object)| match &model.nodes.get(object)?.contents {
            Contents::Directory(below) if !below.is_empty() => None,
            _ => Some(Operation::Unlink { directory: ObjectId(directory), name: name.clone() }),
        })
    })
}

#[test]
fn a_single_disk_runs_full() {
    let case = portable(Scheme::SINGLE, &[420]);
    (0..12).for_each(|seed| case.run(seed));
}

#[test]
fn mirrors_of_equal_disks_run_full() {
    let case = portable(Scheme::mirror(2), &[700, 700]);
    (100..108).for_each(|seed| case.run(seed));
    let case = portable(Scheme::mirror(2), &[700, 700, 700]);
    (120..128).for_each(|seed| case.run(seed));
}

#[test]
fn a_mirror_of_unequal_disks_runs_full() {
    let case = portable(Scheme::mirror(2), &[600, 900, 3000]);
    (200..212).for_each(|seed| case.run(seed));
}

#[test]
fn wide_stripes_run_full() {
    let case = portable(Scheme { data: 2, parity: 1 }, &[640, 700, 900]);
    (300..308).for_each(|seed| case.run(seed));
    let case = portable(Scheme { data: 4, parity: 2 }, &[700; 6]);
    (320..326).for_each(|seed| case.run(seed));
}

#[test]
fn larger_blocks_run_full() {
    let options =
        FormatOptions::portable(Scheme::mirror(2)).node_bytes(1024).block_bytes(2048).members_max(8);
    let case = Case { options, memory: 80 << 10, ..portable(Scheme::SINGLE, &[2600, 2600, 2900]) };
    (400..406).for_each(|seed| case.run(seed));
}

#[test]
fn a_server_pool_with_large_extents_runs_full() {
    let case = Case {
        options: FormatOptions::server(Scheme::mirror(2)).members_max(8),
        sectors: &[4096, 4096],
        sector_bytes: 4096,
        memory: 4 << 20,
        scale: Scale { file_bytes: 3 << 20, write_bytes: 900_000, names: 40, ..Scale::NONE },
    };
    (500..503).for_each(|seed| case.run(seed));
}

/// With the least memory a pool stops growing before its tree is too high to be changed in it. It once
/// continued, and then not even deleting was possible any more.
#[test]
fn with_the_least_memory_what_was_made_can_be_deleted() {
    let options = FormatOptions::portable(Scheme::mirror(2)).members_max(4);
    let mut rng = Rng::new(1);
    let mut world = SimArray::new(1, [Geometry::new(512, 200_000); 2]);
    let mut lent = Lent::new(1 << 20);
    let parameters = {
        let pool =
            Pool::format(&mut world, lent.lend(), SERVICES, &mut rng, &options, &[]).expect("formatted");
        *pool.parameters()
    };
    let mut lent = Lent::new(Memory::bytes_min(&parameters) + 1);
    let mut pool = Pool::mount(&mut world, lent.lend(), SERVICES, &MountOptions::default()).expect("mounted");
    let mut model = Model::default();
    let refused = 'grown: loop {
        let mut transaction = pool.begin().expect("begun");
        for _ in 0..40 {
            let name = format!("{:0200}", rng.below(1 << 40)).into_bytes();
            let operation =
                Operation::Create { directory: dynamicfs_core::types::ObjectId::ROOT, name: name.clone() };
            match model::apply(&mut transaction, &operation) {
                Err(error) => {
                    let levels = transaction.internals().store.tree.level + 1;
                    transaction
                        .commit()
                        .unwrap_or_else(|late| panic!("{error}, then {late} with {levels} levels"));
                    break 'grown error;
                }
                made => assert_eq!(made, model.apply(&operation, made.ok().flatten())),
            }
        }
        transaction.commit().expect("committed");
        assert!(model.nodes.len() < 20_000, "the tree grows no more");
    };
    let Error::Storage(StorageError::NeedsMemory { bytes }) = refused else { panic!("{refused}") };
    println!(
        "{} objects, a tree of {} levels, then: {refused}",
        model.nodes.len(),
        pool.internals().store.tree.level + 1
    );
    drop(pool);
    // What the error says is enough.
    let mut enough = Lent::new(bytes + 1);
    let mut pool =
        Pool::mount(&mut world, enough.lend(), SERVICES, &MountOptions::default()).expect("mounted");
    let mut transaction = pool.begin().expect("begun");
    for n in 0..100 {
        let operation = Operation::Create {
            directory: dynamicfs_core::types::ObjectId::ROOT,
            name: format!("more {n}").into_bytes(),
        };
        assert!(apply(&mut transaction, &mut model, &operation, "with what the error says"));
    }
    transaction.commit().expect("committed");
    drop(pool);
    let mut pool = Pool::mount(&mut world, lent.lend(), SERVICES, &MountOptions::default()).expect("mounted");
    empty(&mut pool, &mut model, "with the least memory");
    account(&mut pool, "with the least memory");
}

/// On twenty disks some member always has no room for nodes in its open group. What was freed waited for that
/// member, until it could not be noted down any more. A long write was refused for want of memory, though
/// there was enough.
#[test]
fn long_writes_on_many_disks_need_no_more_memory_than_they_should() {
    let scheme = Scheme { data: 16, parity: 4 };
    let options = FormatOptions::portable(scheme).members_max(32).extent_bytes(8192);
    let mut refused = 0;
    for seed in 0..4 {
        let mut rng = Rng::new(seed);
        let mut world = SimArray::new(1, [Geometry::new(512, 3968); 20]);
        let mut lent = Lent::new(115_000);
        Pool::format(&mut world, lent.lend(), SERVICES, &mut rng, &options, &[]).expect("formatted");
        let mut pool =
            Pool::mount(&mut world, lent.lend(), SERVICES, &MountOptions::default()).expect("mounted");
        let file = put_file(&mut pool, "file", &[9; 5_000]).expect("committed");
        for n in 0..20 {
            let mut transaction = pool.begin().expect("begun");
            for _ in 0..2 {
                let bytes = vec![n; 300_000 + rng.below(200_000) as usize];
                match transaction.write(file, rng.below(500_000), &bytes) {
                    Ok(_) => {}
                    Err(Error::Storage(StorageError::NoSpace)) => refused += 1,
                    Err(error) => {
                        panic!("write {n}: {error}, {} levels", transaction.internals().store.tree.level + 1)
                    }
                }
            }
            transaction.commit().expect("committed");
            while pool.maintain(true).expect("maintained") != Work::Nothing {}
        }
    }
    println!("{refused} refused for want of space");
}
