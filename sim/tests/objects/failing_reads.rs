//! One or two reads in a row that fail for a moment, at every single read of every operation. The operation
//! is done, or it leaves all as it was, or its transaction can only be dropped. Then everything is as at the
//! last commit, to the byte.

use super::*;
use dynamicfs_core::Memory;
use dynamicfs_core::ReadObjects;
use dynamicfs_core::Transaction;
use dynamicfs_sim::model::{self, Model};
use dynamicfs_sim::workload::Operation;
use std::collections::BTreeMap;

/// What finds all that it needs in what its transaction has changed already.
const CACHED: [&str; 5] = ["append to what waits", "create", "cut what waits", "make directory", "symlink"];

/// What an attempt came to.
#[derive(Clone, Copy, Debug, Default)]
struct Tried {
    done: u32,
    /// An error, and the transaction continued as it was.
    whole: u32,
    /// An error, and the transaction could only be dropped.
    poisoned: u32,
}

/// A pool, and what it holds.
struct Case {
    world: World,
    model: Model,
    memory: usize,
    /// Disks that fail.
    disks: Vec<usize>,
}

/// What is tried.
enum Step {
    /// In a transaction, after others.
    Operation(Operation),
    /// In transactions of its own.
    Upkeep,
    Job(JobKind),
}

fn apply(objects: &mut Transaction<'_, '_, &mut SimArray>, model: &mut Model, operation: &Operation) {
    let did = model::apply(objects, operation);
    assert_eq!(did, model.apply(operation, did.ok().flatten()), "{operation:?}");
}

fn same(objects: &mut impl ReadObjects, model: &Model, what: &str) {
    let found = model::load(objects).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(model.difference(&found), None, "{what}");
}

fn bytes(length: usize, seed: usize) -> Vec<u8> {
    (0..length).map(|i| (i / 3 + seed * 7) as u8 | 1).collect()
}

fn write(object: ObjectId, offset: u64, length: usize) -> Operation {
    Operation::Write { object, offset, data: bytes(length, 5) }
}

impl Case {
    /// A pool with something of everything, mounted in so little memory that most nodes must be read.
    fn new(scheme: Scheme, disks: usize, unplugged: &[usize]) -> (Self, Vec<(&'static str, Step)>) {
        let options = FormatOptions::portable(scheme).members_max(4).extent_bytes(4096);
        let mut world = formatted(vec![Geometry::new(512, 12_000); disks], &options, MEMORY);
        let mut model = Model::default();
        let mut pool = world.mount();
        let memory = Memory::bytes_min(pool.parameters()) + 1;
        let mut transaction = pool.begin().expect("begun");
        let mut make = |name: &str, length: usize| {
            let create = Operation::Create { directory: ObjectId::ROOT, name: name.into() };
            apply(&mut transaction, &mut model, &create);
            let object = transaction.resolve(name.as_bytes()).expect("made");
            if length > 0 {
                apply(&mut transaction, &mut model, &write(object, 0, length));
            }
            object
        };
        for n in 0..150 {
            make(&format!("{n:0100}"), 0);
        }
        let (inline, small, large) = (make("inline", 90), make("small", 700), make("large", 30_000));
        let (cut, waiting) = (make("cut", 400 * 4096), make("waiting", 700));
        apply(&mut transaction, &mut model, &write(large, 70_000, 5000));
        let directory = Operation::MakeDirectory { directory: ObjectId::ROOT, name: b"directory".into() };
        apply(&mut transaction, &mut model, &directory);
        let directory = transaction.resolve(b"directory").expect("made");
        let attribute = |object, name: &str, length| Operation::SetAttribute {
            object,
            name: name.into(),
            value: vec![7; length],
            mode: AttributeMode::CreateOrReplace,
        };
        apply(&mut transaction, &mut model, &attribute(large, "old", 1200));
        let link = Operation::Link { object: small, directory, name: b"link".into() };
        apply(&mut transaction, &mut model, &link);
        transaction.commit().expect("committed");
        // Its rest is still to be freed before it can be written.
        let mut transaction = pool.begin().expect("begun");
        apply(&mut transaction, &mut model, &Operation::Truncate { object: cut, size: 4096 });
        let change = Change::new().scheme(Scheme { data: 2, parity: 0 });
        transaction.change_attributes(large, &change).expect("changed");
        transaction.commit().expect("committed");
        assert!(pool.health().orphans > 0, "an object is still being cut");
        drop(pool);
        world.unplug(unplugged);
        let root = ObjectId::ROOT;
        let rename_as = |mode, from: &str, to, to_name: &str| Operation::Rename {
            from: root,
            from_name: from.into(),
            to,
            to_name: to_name.into(),
            mode,
        };
        let rename = |from: &str, to, to_name: &str| rename_as(RenameMode::Replace, from, to, to_name);
        let in_transaction = vec![
            ("write inline", write(inline, 10, 60)),
            ("inline no more", write(inline, 10, 1500)),
            ("write small", write(small, 20, 30)),
            ("append to what waits", write(waiting, 800, 300)),
            ("write whole extents", write(large, 4096, 12_288)),
            ("write across extents", write(large, 5000, 9000)),
            ("write into a hole", write(large, 50_000, 9000)),
            ("write after a cut", write(cut, 3000, 5000)),
            ("create", Operation::Create { directory, name: vec![b'n'; 200] }),
            ("make directory", Operation::MakeDirectory { directory, name: b"new".into() }),
            ("symlink", Operation::Symlink { directory, name: b"new".into(), target: vec![b's'; 900] }),
            ("link", Operation::Link { object: large, directory, name: b"new".into() }),
            ("rename", rename("small", directory, "new")),
            ("rename over another", rename("inline", root, "large")),
            ("rename a directory", rename("directory", root, "elsewhere")),
            ("exchange", rename_as(RenameMode::Exchange, "small", directory, "link")),
            ("exchange with a directory", rename_as(RenameMode::Exchange, "inline", root, "directory")),
            ("rename over what waits", rename("large", root, "waiting")),
            ("set attribute", attribute(small, "new", 1200)),
            ("replace attribute", attribute(large, "old", 20)),
            ("remove attribute", Operation::RemoveAttribute { object: large, name: b"old".into() }),
            ("cut within an extent", Operation::Truncate { object: large, size: 5000 }),
            ("cut to nothing", Operation::Truncate { object: large, size: 0 }),
            ("cut what waits", Operation::Truncate { object: waiting, size: 300 }),
            ("grow", Operation::Truncate { object: cut, size: 90_000 }),
            ("unlink", Operation::Unlink { directory: root, name: b"large".into() }),
            ("make directories", Operation::CreateAll { path: b"directory/a/b".into() }),
            ("write a file", Operation::WriteFile { path: b"directory/file".into(), data: bytes(9000, 5) }),
            ("write over a file", Operation::WriteFile { path: b"waiting".into(), data: bytes(9000, 5) }),
            ("remove all", Operation::RemoveAll { path: b"directory".into() }),
            ("unlink one of two", Operation::Unlink { directory: root, name: b"small".into() }),
        ];
        let mut steps: Vec<_> =
            in_transaction.into_iter().map(|(name, operation)| (name, Step::Operation(operation))).collect();
        steps.push(("upkeep", Step::Upkeep));
        steps.extend(
            [("rebalance", JobKind::Rebalance), ("scrub", JobKind::Scrub), ("recount", JobKind::Recount)]
                .map(|(name, kind)| (name, Step::Job(kind))),
        );
        let disks = (0..disks).filter(|disk| !unplugged.contains(disk)).collect();
        (Self { world, model, memory, disks }, steps)
    }

    /// Every step, with every read of it failing.
    fn run(&self, steps: &[(&'static str, Step)]) -> BTreeMap<&'static str, Tried> {
        let mut all = BTreeMap::new();
        for (name, step) in steps {
            let mut tried = Tried::default();
            for requests in [1, 2] {
                let mut read = 0;
                while self.attempt(name, step, (read, requests), &mut tried) {
                    // A job reads everything, much of it in the same way.
                    read += if matches!(step, Step::Job(_)) { 11 } else { 1 };
                }
            }
            all.insert(*name, tried);
        }
        all
    }

    /// Does something while reads of each disk fail, so many after so many; whether any did.
    fn failing<'a, P: ReadObjects<Array = &'a mut SimArray>, T>(
        &self,
        objects: &mut P,
        (well, requests): (u64, u64),
        f: impl FnOnce(&mut P) -> T,
    ) -> (T, bool) {
        let reads = |array: &SimArray, disk: usize| array.disk(disk).counters().reads;
        let before: Vec<_> = objects.with_array(|array| {
            for &disk in &self.disks {
                array.disk_mut(disk).mishap_after(IoKind::Read, well, requests, Mishap::Fail(IoError::Media));
            }
            self.disks.iter().map(|&disk| reads(array, disk)).collect()
        });
        let done = f(objects);
        objects.with_array(|array| {
            self.disks.iter().for_each(|&disk| array.disk_mut(disk).calm());
            let mut read = self.disks.iter().zip(before).map(|(&disk, before)| reads(array, disk) - before);
            (done, read.any(|read| read > well))
        })
    }

    /// One step with some reads failing; false when it does not read that often.
    fn attempt(&self, name: &str, step: &Step, reads: (u64, u64), tried: &mut Tried) -> bool {
        let what = format!("{name}, {} failing after {} reads", reads.1, reads.0);
        let mut world = self.world.fork(self.memory);
        let mut pool = world.mount();
        // The epoch of this mount is claimed before anything fails.
        pool.begin().map(drop).unwrap_or_else(|error| panic!("{what}: {error}"));
        match step {
            Step::Operation(operation) => self.operate(&mut pool, operation, reads, tried, &what),
            step => self.maintain(&mut pool, step, reads, tried, &what),
        }
    }

    /// What maintenance does changes nothing of what the pool holds, whatever it meets.
    fn maintain(
        &self,
        pool: &mut Mounted<'_>,
        step: &Step,
        reads: (u64, u64),
        tried: &mut Tried,
        what: &str,
    ) -> bool {
        let (done, went_wrong) = self.failing(pool, reads, |objects| match step {
            Step::Job(kind) => {
                let options = JobOptions::new().absent(false).space(false).policy(true).extents(true);
                objects.start_job(*kind, options)?;
                for _ in 0..60 {
                    if objects.maintain(true)? == Work::Nothing {
                        break;
                    }
                }
                Ok::<_, Error>(())
            }
            _ => objects.upkeep(true).map(drop),
        });
        if done.is_ok() {
            tried.done += 1
        } else {
            tried.whole += 1
        }
        same(pool, &self.model, what);
        went_wrong
    }

    fn operate(
        &self,
        pool: &mut Mounted<'_>,
        operation: &Operation,
        reads: (u64, u64),
        tried: &mut Tried,
        what: &str,
    ) -> bool {
        // Something is in the transaction before, and something waits in its buffer.
        let mut model = self.model.clone();
        let mut transaction = pool.begin().unwrap_or_else(|error| panic!("{what}: {error}"));
        let waiting = transaction.resolve(b"waiting").expect("there");
        let before = Operation::Create { directory: ObjectId::ROOT, name: b"before".into() };
        apply(&mut transaction, &mut model, &before);
        apply(&mut transaction, &mut model, &write(waiting, 100, 700));
        // Most of what it needs is not in the cache any more.
        transaction.each_inode(|_, _| ()).unwrap_or_else(|error| panic!("{what}: {error}"));
        let (did, went_wrong) =
            self.failing(&mut transaction, reads, |objects| model::apply(objects, operation));
        let is_poisoned = transaction.internals().store.is_poisoned();
        match did {
            Ok(object) => {
                assert_eq!(model.apply(operation, object), did, "{what}");
                assert!(!is_poisoned, "{what}: it was done");
                tried.done += 1;
            }
            Err(Error::Storage(_) | Error::Unreadable { .. }) if went_wrong => {
                if is_poisoned {
                    tried.poisoned += 1
                } else {
                    tried.whole += 1
                }
            }
            Err(error) => panic!("{what}: {error}"),
        }
        if !is_poisoned {
            same(&mut transaction, &model, what);
            transaction.commit().unwrap_or_else(|error| panic!("{what}: {error}"));
            same(pool, &model, what);
            return went_wrong;
        }
        // Either way of ending it comes to the same.
        if reads.0.is_multiple_of(2) {
            drop(transaction);
        } else {
            let refused = transaction.commit().map(drop);
            assert_eq!(refused, Err(Error::Storage(StorageError::Poisoned)), "{what}");
        }
        same(pool, &self.model, what);
        account_blocks(pool, what);
        pool.begin().map(drop).unwrap_or_else(|error| panic!("{what}: {error}"));
        went_wrong
    }
}

#[test]
fn at_every_failing_read_an_operation_is_done_or_not_begun_or_poisons() {
    let cases =
        [(Scheme::SINGLE, 1, &[][..]), (Scheme::mirror(2), 3, &[2]), (Scheme { data: 2, parity: 1 }, 3, &[])];
    let mut sum: BTreeMap<&str, Tried> = BTreeMap::new();
    std::thread::scope(|scope| {
        let run = |(scheme, disks, unplugged): (Scheme, usize, &[usize])| {
            let (case, steps) = Case::new(scheme, disks, unplugged);
            case.run(&steps)
        };
        let runs: Vec<_> = cases.into_iter().map(|case| scope.spawn(move || run(case))).collect();
        for run in runs {
            for (name, tried) in run.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)) {
                let sum = sum.entry(name).or_default();
                (sum.done, sum.whole) = (sum.done + tried.done, sum.whole + tried.whole);
                sum.poisoned += tried.poisoned;
            }
        }
    });
    for (name, Tried { done, whole, poisoned }) in &sum {
        println!("  {name:<24} done {done:>4}, left whole {whole:>4}, poisoned {poisoned:>4}");
    }
    for (name, tried) in &sum {
        assert!(tried.done > 0, "{name} is never done");
        assert!(tried.whole + tried.poisoned > 0 || CACHED.contains(name), "{name} never fails");
    }
    assert!(sum.values().any(|tried| tried.poisoned > 0), "nothing is ever half done");
}
