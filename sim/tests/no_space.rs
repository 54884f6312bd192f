//! No space, at every single level. A pool is filled a block at a time, and at each level every operation is
//! tried on a fork of the world. It is done, or there is no space and nothing has changed; and whatever it
//! came to, deleting continues and gives the space back.

use dynamicfs_core::ReadObjects;
use dynamicfs_core::Transaction;
use dynamicfs_core::error::{Error, StorageError};
use dynamicfs_core::files::{AttributeMode, RenameMode};
use dynamicfs_core::maintain::Work;
use dynamicfs_core::types::{ObjectId, Scheme};
use dynamicfs_core::{FormatOptions, MountOptions, Pool};
use dynamicfs_hal::Geometry;
use dynamicfs_sim::model::{self, Model};
use dynamicfs_sim::workload::Operation;
use dynamicfs_sim::world::{Lent, SERVICES, account};
use dynamicfs_sim::{Rng, SimArray};
use std::collections::BTreeMap;

const NO_SPACE: Error = Error::Storage(StorageError::NoSpace);

/// What gives space back and takes none for good.
const RELEASES: [&str; 4] = ["remove attribute", "truncate within a block", "truncate to nothing", "unlink"];

type Mounted<'w> = Pool<'w, &'w mut SimArray>;

/// A pool to be filled.
struct Case {
    options: FormatOptions,
    sector_bytes: u32,
    /// Sectors of each disk.
    sectors: &'static [u64],
}

/// The pool at some level, and what it holds.
#[derive(Clone)]
struct Level {
    array: SimArray,
    model: Model,
}

/// Objects that operations are tried on.
struct Tools {
    directory: ObjectId,
    filler: ObjectId,
    empty: ObjectId,
    inline: ObjectId,
    small: ObjectId,
    large: ObjectId,
}

impl Tools {
    /// Bytes that the filler has.
    fn filled(&self, model: &Model) -> u64 {
        match &model.nodes[&self.filler.0].contents {
            model::Contents::File(bytes) => bytes.len() as u64,
            other => panic!("{other:?}"),
        }
    }
}

/// What space is taken with.
#[derive(Debug)]
enum Filler {
    /// So many bytes of an object's contents.
    Contents(usize),
    /// A long name: the tree grows.
    Name,
    /// An attribute: the tree grows by less.
    Attribute,
}

/// How often an operation was done, and how often there was no space for it.
#[derive(Clone, Copy, Debug, Default)]
struct Tried {
    done: u32,
    refused: u32,
}

fn mount<'w>(array: &'w mut SimArray, lent: &'w mut Lent) -> Mounted<'w> {
    Pool::mount(array, lent.lend(), SERVICES, &MountOptions::default())
        .unwrap_or_else(|error| panic!("{error}"))
}

/// Does an operation in the pool and in the model; a write may come out short. Whether there was space for it.
fn apply(objects: &mut Transaction<'_, '_, &mut SimArray>, model: &mut Model, operation: &Operation) -> bool {
    let (did, operation) = match operation {
        Operation::Write { object, offset, data } => match objects.write(*object, *offset, data) {
            Ok(wrote) => {
                assert!(wrote > 0, "a write of nothing is none");
                let data = data[..wrote].to_vec();
                (Ok(None), Operation::Write { object: *object, offset: *offset, data })
            }
            Err(error) => (Err(error), operation.clone()),
        },
        operation => (model::apply(objects, operation), operation.clone()),
    };
    if did == Err(NO_SPACE) {
        return false;
    }
    assert_eq!(did, model.apply(&operation, did.ok().flatten()), "{operation:?}");
    true
}

fn same(objects: &mut impl ReadObjects, model: &Model, what: &str) {
    let found = model::load(objects).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(model.difference(&found), None, "{what}");
}

/// Blocks that are free, or will be.
fn free(pool: &Mounted<'_>) -> u64 {
    pool.health().free_blocks + pool.health().dead_blocks
}

fn bytes(length: usize, seed: usize) -> Vec<u8> {
    (0..length).map(|i| (i / 3 + seed * 7) as u8).collect()
}

impl Case {
    fn portable(scheme: Scheme, sectors: &'static [u64]) -> Self {
        let options = FormatOptions::portable(scheme).members_max(8).extent_bytes(4096);
        Self { options, sector_bytes: 512, sectors }
    }

    fn block(&self) -> usize {
        self.options.block_bytes as usize
    }

    /// Blocks that this many bytes take, over all disks.
    fn blocks_of(&self, bytes: usize) -> u64 {
        let scheme = self.options.scheme;
        (bytes.div_ceil(self.block()) * scheme.width() / usize::from(scheme.data)) as u64
    }

    /// What is deleted in the end: about a tenth of the space, and more than anything that is tried.
    fn victim(&self) -> usize {
        let space = self.sectors.iter().sum::<u64>() as usize * self.sector_bytes as usize;
        let tenth = space * usize::from(self.options.scheme.data) / self.options.scheme.width() / 10;
        tenth.max(6 * self.large()).next_multiple_of(self.block())
    }

    fn large(&self) -> usize {
        2 * self.options.extent_bytes as usize * usize::from(self.options.scheme.data)
    }

    fn lent(&self) -> Lent {
        Lent::with_nodes(
            dynamicfs_sim::simulation::memory_min(&self.options) * 2 + (64 << 10),
            self.options.node_bytes,
        )
    }

    /// A pool with something of everything.
    fn world(&self) -> (Level, Tools) {
        let geometries = self.sectors.iter().map(|&sectors| Geometry::new(self.sector_bytes, sectors));
        let mut world = Level { array: SimArray::new(1, geometries), model: Model::default() };
        let mut lent = self.lent();
        Pool::format(&mut world.array, lent.lend(), SERVICES, &mut Rng::new(1), &self.options, &[])
            .expect("formatted");
        let mut pool = mount(&mut world.array, &mut lent);
        let mut transaction = pool.begin().expect("begun");
        let mut make = |name: &str, length: usize| {
            let create = Operation::Create { directory: ObjectId::ROOT, name: name.into() };
            assert!(apply(&mut transaction, &mut world.model, &create), "{name}");
            let object = transaction.resolve(name.as_bytes()).expect("made");
            let mut at = 0;
            while at < length {
                let wrote = transaction.write(object, at as u64, &bytes(length, 1)[at..]).expect("space");
                let data = bytes(length, 1)[at..at + wrote].to_vec();
                world
                    .model
                    .apply(&Operation::Write { object, offset: at as u64, data }, None)
                    .expect("a file");
                at += wrote;
            }
            object
        };
        let (empty, inline, small) =
            (make("empty", 0), make("inline", 90), make("small", self.block() * 3 / 2));
        let large = make("large", self.large());
        let filler = make("filler", 0);
        // What is deleted in the end is worth as much as anything that is tried.
        make("victim", self.victim());
        let directory = Operation::MakeDirectory { directory: ObjectId::ROOT, name: b"directory".into() };
        assert!(apply(&mut transaction, &mut world.model, &directory));
        let directory = transaction.resolve(b"directory").expect("made");
        let attribute = Operation::SetAttribute {
            object: large,
            name: b"old".into(),
            value: vec![1; 40],
            mode: AttributeMode::CreateOrReplace,
        };
        assert!(apply(&mut transaction, &mut world.model, &attribute));
        transaction.commit().expect("committed");
        drop(pool);
        (world, Tools { directory, filler, empty, inline, small, large })
    }

    /// Everything that is tried at every level.
    fn operations(&self, objects: &Tools) -> Vec<(&'static str, Operation)> {
        let Tools { directory, empty, inline, small, large, .. } = *objects;
        let write = |object, offset: usize, length| Operation::Write {
            object,
            offset: offset as u64,
            data: bytes(length, 5),
        };
        let attribute = |object, length| Operation::SetAttribute {
            object,
            name: b"attribute".into(),
            value: vec![7; length],
            mode: AttributeMode::CreateOrReplace,
        };
        let (long, block) = (vec![b'n'; 200], self.block());
        vec![
            ("write inline", write(empty, 0, 90)),
            ("write small", write(empty, 0, block)),
            ("write large", write(empty, 0, self.large())),
            ("write with a hole before it", write(empty, 9 * self.large(), block)),
            ("overwrite inline", write(inline, 10, 60)),
            ("inline no more", write(inline, 10, 2 * block)),
            ("overwrite in a block", write(small, 20, 30)),
            ("append", write(small, block * 3 / 2, block)),
            ("overwrite large", write(large, block / 2, self.large() - block)),
            ("create", Operation::Create { directory, name: long.clone() }),
            ("make directory", Operation::MakeDirectory { directory, name: long.clone() }),
            ("symlink", Operation::Symlink { directory, name: b"symlink".into(), target: vec![b's'; 180] }),
            ("link", Operation::Link { object: large, directory, name: long.clone() }),
            (
                "rename",
                Operation::Rename {
                    from: ObjectId::ROOT,
                    from_name: b"small".into(),
                    to: directory,
                    to_name: long.clone(),
                    mode: RenameMode::Replace,
                },
            ),
            (
                "rename over another",
                Operation::Rename {
                    from: ObjectId::ROOT,
                    from_name: b"inline".into(),
                    to: ObjectId::ROOT,
                    to_name: b"small".into(),
                    mode: RenameMode::Replace,
                },
            ),
            (
                "exchange",
                Operation::Rename {
                    from: ObjectId::ROOT,
                    from_name: b"directory".into(),
                    to: ObjectId::ROOT,
                    to_name: b"small".into(),
                    mode: RenameMode::Exchange,
                },
            ),
            ("set attribute", attribute(small, 20)),
            ("set large attribute", attribute(small, 1200)),
            ("remove attribute", Operation::RemoveAttribute { object: large, name: b"old".into() }),
            (
                "truncate within a block",
                Operation::Truncate { object: large, size: (self.large() - block / 2) as u64 },
            ),
            ("truncate to nothing", Operation::Truncate { object: large, size: 0 }),
            ("truncate to more", Operation::Truncate { object: large, size: 9 * self.large() as u64 }),
            ("write a file", Operation::WriteFile { path: b"new".into(), data: bytes(3 * self.block(), 5) }),
            (
                "write over a file",
                Operation::WriteFile { path: b"large".into(), data: bytes(self.large(), 5) },
            ),
            ("unlink", Operation::Unlink { directory: ObjectId::ROOT, name: b"large".into() }),
        ]
    }

    /// Tries everything at every level, from some space down to none.
    fn run(&self) -> BTreeMap<&'static str, Tried> {
        let (world, objects) = self.world();
        let operations = self.operations(&objects);
        let mut lent = self.lent();
        let mut tried: BTreeMap<&'static str, Tried> = BTreeMap::new();
        let worlds = self.levels(world, &objects, &mut lent);
        let mut free = Vec::new();
        for (level, world) in worlds.iter().enumerate() {
            let now = mount(&mut world.array.clone(), &mut lent).health().free_blocks;
            for (name, operation) in &operations {
                let what = format!("{name} at level {level} with {now} free blocks");
                let done = self.attempt(world, operation, level % 2 == 0, &mut lent, &what);
                let tried = tried.entry(name).or_default();
                if done { tried.done += 1 } else { tried.refused += 1 }
            }
            free.push(now);
        }
        assert!(free.len() > 10, "{} levels of free blocks: {free:?}", free.len());
        for (name, Tried { done, refused }) in &tried {
            assert_eq!((done + refused) as usize, free.len(), "{name}");
            assert!(*refused == 0 || !RELEASES.contains(name), "{name} is refused");
        }
        let refused = tried.values().filter(|tried| tried.refused > 0).count();
        assert!(refused * 5 >= tried.len() * 3, "there is mostly space: {tried:?}");
        tried
    }

    /// Worlds that are ever fuller, each by the smallest possible step. A step is a block of contents, then
    /// the growth of the tree for a name, for an attribute. In the last there is space for none of it.
    fn levels(&self, world: Level, objects: &Tools, lent: &mut Lent) -> Vec<Level> {
        let mut number = 0;
        let mut fill = |world: &mut Level, filler: &Filler| {
            number += 1;
            self.fill(world, filler, number, objects, lent).map(|fuller| std::mem::replace(world, fuller))
        };
        // In steps as large as what is deleted, while they fit, and the last one back.
        let (mut world, mut before) = (world.clone(), world);
        while let Some(last) = fill(&mut world, &Filler::Contents(self.victim())) {
            before = last;
        }
        let (mut world, mut levels) = (before, Vec::new());
        for (filler, most) in
            [(Filler::Contents(self.block()), 14), (Filler::Name, 5), (Filler::Attribute, 4)]
        {
            let past: Vec<_> = std::iter::from_fn(|| fill(&mut world, &filler)).collect();
            levels.extend_from_slice(&past[past.len().saturating_sub(most)..]);
        }
        levels.push(world);
        levels
    }

    /// The world with some more in it, or `None` when there is no space for that.
    fn fill(
        &self,
        world: &Level,
        filler: &Filler,
        number: u64,
        objects: &Tools,
        lent: &mut Lent,
    ) -> Option<Level> {
        let Level { mut array, mut model } = world.clone();
        let mut pool = mount(&mut array, lent);
        let mut transaction = pool.begin().expect("begun");
        let name = format!("{number:0180}").into_bytes();
        let mut fits = |operation: &Operation| apply(&mut transaction, &mut model, operation).then_some(());
        match *filler {
            Filler::Attribute => {
                fits(&Operation::SetAttribute {
                    object: objects.directory,
                    name,
                    value: vec![1; 60],
                    mode: AttributeMode::CreateOrReplace,
                })?;
            }
            Filler::Name => fits(&Operation::Create { directory: objects.directory, name })?,
            Filler::Contents(length) => {
                let object = objects.filler;
                // In extents of its own.
                let extent = u64::from(self.options.extent_bytes) * u64::from(self.options.scheme.data);
                let offset = objects.filled(&world.model).next_multiple_of(extent);
                fits(&Operation::Write { object, offset, data: bytes(length, 3) })?;
                if objects.filled(&model) < offset + length as u64 {
                    return None;
                }
            }
        }
        transaction.commit().expect("what was done has its space");
        drop(pool);
        Some(Level { array, model })
    }

    /// Tries one operation on a fork, and all that must hold then. Whether it was done.
    fn attempt(
        &self,
        world: &Level,
        operation: &Operation,
        commits: bool,
        lent: &mut Lent,
        what: &str,
    ) -> bool {
        let Level { mut array, mut model } = world.clone();
        let mut pool = mount(&mut array, lent);
        let mut transaction = pool.begin().unwrap_or_else(|error| panic!("{what}: begin: {error}"));
        let done = apply(&mut transaction, &mut model, operation);
        if !done {
            same(&mut transaction, &world.model, &format!("{what}: refused, and something changed"));
        }
        // What is refused spoils nothing: the transaction can be committed as well as dropped.
        if done || commits {
            transaction.commit().unwrap_or_else(|error| panic!("{what}: commit: {error}"));
        } else {
            drop(transaction);
        }
        same(&mut pool, &model, what);
        drop(pool);
        let mut pool = mount(&mut array, lent);
        same(&mut pool, &model, &format!("{what}, mounted anew"));
        account(&mut pool, what);
        self.delete(&mut pool, &mut model, what);
        if !done {
            let mut transaction = pool.begin().unwrap_or_else(|error| panic!("{what}: begin: {error}"));
            assert!(apply(&mut transaction, &mut model, operation), "{what}: no space after deleting");
            transaction.commit().unwrap_or_else(|error| panic!("{what}: commit after deleting: {error}"));
            same(&mut pool, &model, &format!("{what}: done after deleting"));
            account(&mut pool, &format!("{what}: done after deleting"));
        }
        done
    }

    /// Deletes something large: that always works, and gives the space back.
    fn delete(&self, pool: &mut Mounted<'_>, model: &mut Model, what: &str) {
        let before = free(pool);
        let mut transaction = pool.begin().unwrap_or_else(|error| panic!("{what}: begin: {error}"));
        let unlink = Operation::Unlink { directory: ObjectId::ROOT, name: b"victim".into() };
        assert!(apply(&mut transaction, model, &unlink), "{what}: a full pool cannot delete");
        transaction.commit().unwrap_or_else(|error| panic!("{what}: commit of the unlink: {error}"));
        for step in 0.. {
            match pool.maintain(true).unwrap_or_else(|error| panic!("{what}: maintain: {error}")) {
                Work::Nothing => break,
                _ => assert!(step < 1000, "{what}: upkeep without end"),
            }
        }
        let (after, held) = (free(pool), self.blocks_of(self.victim()));
        assert!(
            after >= before + held * 9 / 10,
            "{what}: {before}, then {after} blocks, {held} were deleted"
        );
        same(pool, model, what);
        account(pool, what);
    }
}

/// Pools that differ in what a block is worth, and in what is short first: blocks, whole stripes, groups for nodes.
fn cases() -> Vec<Case> {
    let mirror = Case::portable(Scheme::mirror(2), &[800; 3]);
    let larger = mirror.options.node_bytes(1024).block_bytes(2048);
    let server = FormatOptions::server(Scheme::mirror(2)).members_max(8).extent_bytes(16384);
    vec![
        Case::portable(Scheme::SINGLE, &[2600]),
        mirror,
        Case::portable(Scheme { data: 2, parity: 1 }, &[900, 1000, 1100]),
        Case::portable(Scheme { data: 4, parity: 2 }, &[800; 6]),
        Case { options: larger, sector_bytes: 512, sectors: &[8200, 8200] },
        Case { options: server, sector_bytes: 4096, sectors: &[900, 900] },
    ]
}

#[test]
fn at_every_level_an_operation_is_done_or_changes_nothing_and_deleting_goes_on() {
    let mut sum: BTreeMap<&str, Tried> = BTreeMap::new();
    std::thread::scope(|scope| {
        let runs: Vec<_> = cases().into_iter().map(|case| scope.spawn(move || case.run())).collect();
        for run in runs {
            let tried = run.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            for (name, Tried { done, refused }) in tried {
                let sum = sum.entry(name).or_default();
                (sum.done, sum.refused) = (sum.done + done, sum.refused + refused);
            }
        }
    });
    for (name, Tried { done, refused }) in &sum {
        println!("  {name:<28} done {done:>3}, no space {refused:>3}");
    }
    for (name, tried) in &sum {
        assert!(tried.done > 0, "{name} is never done");
        assert!(tried.refused > 0 || RELEASES.contains(name), "{name} always finds space");
    }
}
