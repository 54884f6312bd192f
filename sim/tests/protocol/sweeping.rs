//! What a sweep gives back is referred to by no state that a mount may still go back to.

use super::*;
use dynamicfs_core::ReadObjects;

const FILES: usize = 20;
const BYTES: usize = 16_000;

/// The commit that a mount begins with swept: it took what the newest state calls dead, though that state was
/// on one disk alone. The blocks were given back and written again. Then that disk was lost, and the others
/// continued from the state before, which still referred to them.
#[test]
fn a_mount_frees_nothing_by_a_state_that_one_disk_alone_has() {
    let mut world = worn();
    let whole = world.fork(MEMORY);
    for ahead in 0..3 {
        world = newest_on_one_disk(&whole, ahead, |world| {
            if let Ok(mut pool) = world.try_mount(MountMode::ReadWrite) {
                // It may be cut anywhere.
                let _ = rewrite(&mut pool, FILES / 2);
            }
        });
        for at in 0.. {
            let mut cut = world.fork(MEMORY);
            let from = cut.array.steps();
            cut.array.halt_at(from + at, Halt::PowerCut);
            drop(cut.try_mount(MountMode::ReadWrite));
            let is_over = cut.array.halted().is_none();
            cut.array.power_cycle(CrashPolicy::Everything, &mut Rng::new(at));
            cut.unplug(&[ahead]);
            let mut pool = cut.mount();
            for n in 0..FILES {
                let (old, new) = (format!("file-{n}"), format!("new-{n}"));
                let file = pool.resolve(old.as_bytes()).expect("it is there");
                let mut bytes = vec![0; BYTES];
                pool.read(file, 0, &mut bytes).unwrap_or_else(|error| panic!("cut {at}: {old}: {error}"));
                assert!(bytes == contents(&old, BYTES) || bytes == contents(&new, BYTES), "cut {at}: {old}");
            }
            if is_over {
                break;
            }
        }
    }
}

/// Writes the first files anew, in one transaction.
fn rewrite(pool: &mut Mounted<'_>, files: usize) -> Result<(), Error> {
    let mut transaction = pool.begin()?;
    for n in 0..files {
        let file = transaction.resolve(format!("file-{n}").as_bytes())?;
        transaction.write_all(file, 0, &contents(&format!("new-{n}"), BYTES))?;
    }
    transaction.commit().map(|_| ())
}

/// A pool so full, and with so many dead blocks, that the next commits sweep.
fn worn() -> World {
    let array = SimArray::new(1, vec![Geometry::new(512, 1024); 3]);
    let options = FormatOptions::portable(Scheme::mirror(2)).extent_bytes(4096);
    let mut world = World::on(array, options).memory(100 << 10).make();
    for n in 0..FILES {
        world.put(&format!("file-{n}"), BYTES);
    }
    let mut rng = Rng::new(0);
    let mut pool = world.mount();
    for _ in 0..300 {
        let name = format!("file-{}", rng.below(FILES as u64));
        let file = pool.resolve(name.as_bytes()).expect("it is there");
        let at = rng.below(BYTES as u64 - 700) as usize;
        let mut transaction = pool.begin().expect("begun");
        if transaction.write_all(file, at as u64, &contents(&name, BYTES)[at..at + 600]).is_ok() {
            transaction.commit().expect("committed");
        }
    }
    drop(pool);
    world
}

/// A sweep gives blocks of an open group for nodes back, ahead of where the next ones are taken. They were
/// taken, and not counted: a replica was put where nothing was free by the count, which went below zero.
#[test]
fn a_sweep_of_an_open_group_counts_what_it_gives_back() {
    let mut world = worn();
    let mut pool = world.mount();
    let mut written = 0;
    for n in 0..200 {
        // There is not always room for it.
        written += u32::from(rewrite(&mut pool, 1 + n % 3).is_ok());
        for row in pool.internals().store.tree.holding_rows().iter() {
            for class in Class::ALL {
                let space = &pool.internals().store.tree.space;
                assert_eq!(
                    space.room(row, class),
                    free_in_open_group(space, row.0, class),
                    "{n}: {row} {class:?}"
                );
            }
        }
    }
    assert!(written > 50 && pool.health().counters.sweeps > 10, "{written}");
}

/// A transaction frees more than there is room for in memory, and needs space. Blocks that it had freed
/// itself were given back and written again, though the last commit refers to them. When it was dropped, its
/// files were lost.
#[test]
fn what_a_transaction_freed_is_not_written_before_its_commit() {
    let mut world = worn();
    let least = Memory::bytes_min(world.mount().parameters());
    let mut freed = 0;
    for memory in [least + 1, least + 2000, 2 * least] {
        world.lent = Lent::new(memory);
        let mut pool = world.mount();
        let before = pool.health().dead_blocks;
        let mut transaction = pool.begin().expect("begun");
        // As many as there is room for: half of them go, and others take their place.
        for n in 0..FILES / 2 {
            transaction.unlink(ObjectId::ROOT, format!("file-{n}").as_bytes()).expect("unlinked");
        }
        let made = transaction.create(ObjectId::ROOT, b"new", &MakeRequest::File, &Attributes::default());
        let file = made.expect("made");
        let full = transaction.write_all(file, 0, &vec![7; FILES * BYTES]);
        assert_eq!(full, Err(Error::Storage(StorageError::NoSpace)));
        drop(transaction);
        freed += before;
        (0..FILES).for_each(|n| expect(&mut pool, &format!("file-{n}"), BYTES));
    }
    assert!(freed > 0, "there is something that may be given back");
}
