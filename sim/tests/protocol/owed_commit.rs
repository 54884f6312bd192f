//! A mount's own commit finds no room. What it was to write down must not be lost, whatever is done first.

use super::*;
use dynamicfs_core::types::DiskIndex;

/// How a disk comes to lack files.
#[derive(Clone, Copy, Debug)]
enum Lack {
    SetBack,
    /// A flush of it fails in the commit that writes them, and then the power goes.
    FlushFailed,
}

/// A mirror on three disks and a spare one, and files that disk 1 lacks.
fn lacking(lack: Lack) -> (World, Vec<String>) {
    let mut world = World::new(Scheme::mirror(2), 3, MEMORY);
    let place = world.array.add(SimDisk::new(Geometry::new(512, 2048), 77));
    let options = AddOptions::new().spare(true);
    world.mount().add_disk(DiskIndex(place), &mut Rng::new(3), &options).expect("added");
    world.put("first", 20_000);
    let image = world.array.disk(1).clone();
    let names: Vec<String> = (0..8).map(|n| format!("file-{n}")).collect();
    {
        let mut pool = world.mount();
        pool.begin().expect("begun").commit().expect("committed");
        match lack {
            Lack::SetBack => names.iter().for_each(|name| put(&mut pool, name, 20_000).expect("committed")),
            Lack::FlushFailed => {
                let mut transaction = pool.begin().expect("begun");
                let array = transaction.array();
                array.disk_mut(1).fail_after(IoKind::Flush, 0, IoError::Media);
                for name in &names {
                    let (name, made) = (name.as_bytes(), Attributes::default());
                    let file = transaction.create(ObjectId::ROOT, name, &MakeRequest::File, &made);
                    let contents = contents(std::str::from_utf8(name).expect("a name"), 20_000);
                    transaction.write_all(file.expect("made"), 0, &contents).expect("written");
                }
                transaction.commit().expect("committed without it");
                assert_eq!(pool.member_health(DiskIndex(1)).status, DiskStatus::Failed);
            }
        }
    }
    world.array.disk_mut(1).calm();
    match lack {
        Lack::SetBack => world.array.disk_mut(1).roll_back(&image),
        Lack::FlushFailed => world.array.power_cycle(CrashPolicy::Nothing, &mut Rng::new(1)),
    }
    (world, names)
}

/// The mount leaves its commit to the first transaction. After that one and upkeep the pool is called whole,
/// and so it is.
#[track_caller]
fn expect_nothing_is_hidden(lack: Lack, first: impl FnOnce(&mut Mounted<'_>)) {
    let (mut world, names) = lacking(lack);
    world.array.disk_mut(0).fail_next(IoKind::Write, 1, IoError::NoSpace);
    {
        let mut pool = world.mount();
        first(&mut pool);
        expect_to_be_called_whole(&mut pool);
    }
    let bad = wrong_without_one(&world, [0, 2], &names, 20_000);
    assert!(bad.is_empty(), "{lack:?}: it was called whole: {bad:#?}");
}

/// The first transaction is the start of a rebuild. Its pass began in the generation with which the disk's
/// untrusted span ends, and looked at nothing that is older.
#[test]
fn a_rebuild_that_is_started_first_heals_what_a_disk_lacks() {
    for lack in [Lack::SetBack, Lack::FlushFailed] {
        expect_nothing_is_hidden(lack, |pool| {
            pool.start_job(JobKind::Rebuild, JobOptions::default()).expect("started");
        });
    }
}

/// A spare disk is removed first. The commit that lets it go is of the tree as it is, and named the disk that
/// lacks something as one that has all.
#[test]
fn a_member_that_is_let_go_first_does_not_hide_what_another_lacks() {
    for lack in [Lack::SetBack, Lack::FlushFailed] {
        expect_nothing_is_hidden(lack, |pool| {
            pool.remove_member(MemberNumber(3), false).expect("removed");
        });
    }
}
