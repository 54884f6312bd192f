//! Which state a pool continues from, and that it writes nothing but its own history. In these stories
//! acknowledged data was lost, or one pool became two.

mod ahead;
mod copied;
mod cut_away;
mod cut_format;
mod dead_end;
mod epochs;
mod forgotten;
mod let_go;
mod many_epochs;
mod margin;
mod not_taken_in;
mod overwritten;
mod owed_commit;
mod removal;
mod renamed;
mod restated;
mod set_back;
mod short;
mod slots;
mod stale;
mod sweeping;
mod trimmed;
mod twice_away;
mod unlikely;
mod unwritable;
mod went_back;
mod without_absent;
mod writers;

use crate::common::{MEMORY, Mounted, World, contents, counts, expect, expect_whole, fill, put, rest, wrong};
use dynamicfs_core::disks::events::Happening;
use dynamicfs_core::disks::{Currency, DiskStatus};
use dynamicfs_core::error::{Error, FormatError, MemberError, MountError, StorageError};
use dynamicfs_core::limits::RING_LENGTH_MAX;
use dynamicfs_core::maintain::{JobKind, JobOptions};
use dynamicfs_core::object::{Attributes, MakeRequest};
use dynamicfs_core::pool::DiskOptions;
use dynamicfs_core::space::Class;
use dynamicfs_core::types::{Epoch, Generation, MemberNumber, ObjectId, Scheme, Set};
use dynamicfs_core::{AddOptions, FormatOptions, Memory, MountMode, MountOptions, Pool, Prefer, Services};
use dynamicfs_hal::{DiskArray, Geometry, IoError};
use dynamicfs_sim::world::{Lent, SERVICES, free_in_open_group};
use dynamicfs_sim::{CrashPolicy, Halt, IoKind, Rng, SimArray, SimDisk, states};

/// The disks of a small mirror: half a MiB.
const SMALL: Geometry = Geometry::new(512, 1024);

/// A mirror on two disks, with extents of 4096 bytes.
fn small_mirror(geometry: Geometry) -> World {
    let array = SimArray::new(1, vec![geometry; 2]);
    let options = FormatOptions::portable(Scheme::mirror(2)).extent_bytes(4096);
    World::on(array, options).make()
}

/// Deletes a file, in a transaction of its own.
fn unlink(pool: &mut Mounted<'_>, name: &str) {
    let mut transaction = pool.begin().expect("begun");
    transaction.unlink(ObjectId::ROOT, name.as_bytes()).expect("unlinked");
    transaction.commit().expect("committed");
}

/// Deletes these files, gives their space back, and writes others there.
fn write_over(pool: &mut Mounted<'_>, names: &[String]) {
    names.iter().for_each(|name| unlink(pool, name));
    rest(pool);
    (0..12).for_each(|n| put(pool, &format!("later-{n}"), 20_000).expect("committed"));
    rest(pool);
}

/// Two disks. The second was away while its files were deleted, given back and overwritten. `before` is done
/// before it goes. The files that it holds are of 20,000 bytes.
fn second_was_away(before: impl FnOnce(&mut Mounted<'_>)) -> (World, Vec<String>) {
    let mut world = small_mirror(SMALL);
    let names: Vec<String> = (0..12).map(|n| format!("file-{n}")).collect();
    names.iter().for_each(|name| world.put(name, 20_000));
    {
        let mut pool = world.mount();
        pool.begin().expect("begun").commit().expect("committed");
        before(&mut pool);
        pool.array().disk_mut(1).unplug();
        write_over(&mut pool, &names);
    }
    world.plug(&[1]);
    (world, names)
}

/// What is wrong with files of 20,000 bytes where these disks are lost for good.
fn wrong_without(world: &mut World, lost: &[usize], names: &[String]) -> Option<String> {
    world.unplug(lost);
    match world.try_mount(MountMode::AssumeMissingDead { branch: 4 }) {
        Err(error) => Some(error.to_string()),
        Ok(mut pool) => names.iter().find_map(|name| wrong(&mut pool, name, 20_000)),
    }
}

/// Upkeep until there is none, and then nothing is owed and all is complete, as the pool says.
#[track_caller]
fn expect_called_whole(world: &mut World) {
    expect_to_be_called_whole(&mut world.mount());
}

/// As [`expect_called_whole`], of a pool that is mounted.
#[track_caller]
fn expect_to_be_called_whole(pool: &mut Mounted<'_>) {
    rest(pool);
    let extents = counts(pool);
    assert_eq!((pool.health().owed, extents.complete), (0, extents.total), "it is called whole");
}

/// A pool that is called whole bears the loss of either of these disks: all of these files, of `length`
/// bytes.
#[track_caller]
fn expect_whole_without_one(world: &mut World, lost: [usize; 2], names: &[impl AsRef<str>], length: usize) {
    expect_called_whole(world);
    let bad = wrong_without_one(world, lost, names, length);
    assert!(bad.is_empty(), "it was called whole: {bad:#?}");
}

/// What is wrong with these files, all of `length` bytes, where one of these disks is lost.
fn wrong_without_one(
    world: &World,
    lost: [usize; 2],
    names: &[impl AsRef<str>],
    length: usize,
) -> Vec<String> {
    let mut bad = Vec::new();
    for lost in lost {
        let mut without = world.fork(MEMORY);
        without.unplug(&[lost]);
        let mut pool = without.mount();
        let what = names.iter().filter_map(|name| wrong(&mut pool, name.as_ref(), length));
        bad.extend(what.map(|what| format!("without disk {lost}: {what}")));
    }
    bad
}

/// The order of the newest state on a disk.
fn order(world: &World, disk: usize) -> (Epoch, Generation) {
    states::newest_of(world.array.disk(disk)).expect("it holds a state")
}

/// Cuts a mount at each I/O, each time in a copy of the world. Hands over the copy when the power is back,
/// with all that was not flushed.
fn cut_each_mount(world: &World, f: impl FnMut(u64, World)) {
    cut_each(world, |world| drop(world.try_mount(MountMode::ReadWrite)), f);
}

/// The same with what is done in its place.
fn cut_each(world: &World, act: impl Fn(&mut World), mut f: impl FnMut(u64, World)) {
    for at in 0.. {
        let mut cut = world.fork(MEMORY);
        cut.array.halt_at(cut.array.steps() + at, Halt::PowerCut);
        act(&mut cut);
        if cut.array.halted().is_none() {
            break;
        }
        cut.array.power_cycle(CrashPolicy::Everything, &mut Rng::new(at));
        f(at, cut);
    }
}

/// Cuts the power at each I/O of what is done, until afterwards `disk` alone has the newest state, and had it
/// not before: that world. Of the other disks nothing survives that was not flushed.
fn newest_on_one_disk(world: &World, disk: usize, act: impl Fn(&mut World)) -> World {
    let before = (0..world.array.disks()).map(|disk| order(world, disk)).max();
    let before = before.expect("there are disks");
    for at in 0.. {
        let mut halted = world.fork(MEMORY);
        halted.array.set_reordering(false);
        let from = halted.array.steps();
        halted.array.halt_at(from + at, Halt::PowerCut);
        act(&mut halted);
        assert!(halted.array.halted().is_some(), "no cut leaves the newest state on disk {disk} alone");
        let mut cut = halted.fork(MEMORY);
        cut.array.power_cycle(CrashPolicy::Nothing, &mut Rng::new(5));
        let mut all = halted.fork(MEMORY);
        all.array.power_cycle(CrashPolicy::Everything, &mut Rng::new(5));
        let ahead = all.array.take(disk);
        cut.array.put(disk, ahead);
        let newest = order(&cut, disk);
        let is_alone = (0..world.array.disks()).all(|other| other == disk || order(&cut, other) < newest);
        // A claim alone is no newer state.
        if newest > before && is_alone {
            return cut;
        }
    }
    unreachable!("it ends with the act")
}
