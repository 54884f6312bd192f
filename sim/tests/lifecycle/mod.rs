//! Disks come and go: what is rebuilt, what is refused, and what other systems have lost on the way.

mod draining;
mod losing;
mod meanwhile;
mod mounting;
mod planning;
mod rebalancing;
mod recounting;
mod replacing;
mod returning;
mod salvaging;
mod scrubbing;
mod stories;
mod transient;

use crate::common::{
    MEMORY, Mounted, World, contents, counts, expect, expect_whole, fill, put, record, rest, run_job,
};
use dynamicfs_core::ReadObjects;
use dynamicfs_core::disks::condition::{Cause, Condition, Thresholds};
use dynamicfs_core::disks::{Currency, DiskStatus};
use dynamicfs_core::error::{Error, FormatError, MemberError, MountError, StorageError};
use dynamicfs_core::format::extent::Fragment;
use dynamicfs_core::format::record::MemberState;
use dynamicfs_core::maintain::{
    CheckReport, Finding, JobKind, JobOptions, JobState, Lost, Work, read_standing,
};
use dynamicfs_core::object::{AttributeMode, Attributes, Change, MakeRequest};
use dynamicfs_core::pool::DiskOptions;
use dynamicfs_core::tree::Walk;
use dynamicfs_core::types::{BlockAddress, DiskIndex, MemberNumber, ObjectId, Scheme, Set};
use dynamicfs_core::{AddOptions, FormatOptions, Memory, MountMode, MountOptions, Pool, Prefer};
use dynamicfs_hal::{BlockDevice, DiskArray, Geometry, IoError};
use dynamicfs_sim::world::{Lent, SERVICES, account, put_file};
use dynamicfs_sim::{CrashPolicy, Halt, IoKind, Mishap, Rng, SimArray, SimDisk};

const FOUR_TWO: Scheme = Scheme { data: 4, parity: 2 };
/// A pool with some files of different sizes.
fn filled(scheme: Scheme, disks: usize) -> World {
    let mut world = World::new(scheme, disks, MEMORY);
    for (name, length) in FILES {
        world.put(name, length);
    }
    world
}

const FILES: [(&str, usize); 5] =
    [("tiny", 9), ("small", 700), ("block", 4096), ("large", 60_000), ("larger", 150_000)];

fn expect_files(pool: &mut Mounted<'_>) {
    FILES.iter().for_each(|&(name, length)| expect(pool, name, length));
}

/// Puts a new disk of so many sectors into the world: its place.
fn new_disk(world: &mut World, sectors: u64) -> usize {
    world.array.add(SimDisk::new(Geometry::new(512, sectors), 77))
}

fn add(pool: &mut Mounted<'_>, place: usize, spare: bool) -> MemberNumber {
    let options = AddOptions::new().spare(spare);
    pool.add_disk(DiskIndex(place), &mut Rng::new(place as u64), &options).expect("added")
}

fn state(pool: &mut Mounted<'_>, member: u16) -> MemberState {
    let mut found = None;
    pool.internals_mut()
        .store
        .each_member(|number, record| {
            if number.0 == member {
                found = Some(MemberState::from_number(record.state()));
            }
        })
        .expect("read");
    found.expect("it is a member")
}

/// The first extent of a file, and its fragments.
fn first_extent(pool: &mut Mounted<'_>, name: &str) -> (ObjectId, Vec<Fragment>) {
    use dynamicfs_core::format::extent::Extent;
    use dynamicfs_core::format::key::Key;
    let object = pool.resolve(name.as_bytes()).expect("it is there");
    let extent = Extent::decode(&record(pool, &Key::extent(object, 0))).expect("it is one");
    (object, extent.fragments().to_vec())
}

fn disk_of_another_pool() -> SimDisk {
    let mut array = SimArray::new(2, [Geometry::new(512, 2048)]);
    let options = FormatOptions::portable(Scheme::SINGLE);
    let mut lent = Lent::new(MEMORY);
    Pool::format(&mut array, lent.lend(), SERVICES, &mut Rng::new(31), &options, &[]).expect("formatted");
    array.take(0)
}

fn byte_of(fragment: &Fragment) -> u64 {
    fragment.address.block * 512
}
