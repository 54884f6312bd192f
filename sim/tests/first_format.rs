//! The first format, cut at every I/O, whatever survives of it. Then the machine does what it does at every
//! start: it mounts, or else it formats, without force.

use dynamicfs_core::ReadObjects;
use dynamicfs_core::error::FormatError;
use dynamicfs_core::format::label::{self, LabelFault};
use dynamicfs_core::types::Scheme;
use dynamicfs_core::{FormatOptions, MountOptions, Pool};
use dynamicfs_hal::{BlockDevice, DiskArray, Geometry};
use dynamicfs_sim::world::{Lent, SERVICES, account, put_file};
use dynamicfs_sim::{CrashPolicy, Halt, Rng, SimArray};

/// Worlds that one cut may leave; a sample where there are more.
const STATES_MAX: usize = 24;

fn options(scheme: Scheme) -> FormatOptions {
    FormatOptions::portable(scheme).members_max(4)
}

/// Mounts, or else formats: whether it was mounted.
fn start(world: &mut SimArray, scheme: Scheme, lent: &mut Lent, seed: u64, what: &str) -> bool {
    let refusal = match Pool::mount(&mut *world, lent.lend(), SERVICES, &MountOptions::default()) {
        Ok(pool) => {
            assert_eq!(pool.health().online, pool.health().members, "{what}: mounted without a disk");
            return true;
        }
        Err(failure) => failure.error,
    };
    let made = Pool::format(&mut *world, lent.lend(), SERVICES, &mut Rng::new(seed), &options(scheme), &[])
        .map(|_| ());
    made.unwrap_or_else(|error| panic!("{what}: not mounted ({refusal}), not formatted ({error})"));
    false
}

/// Every cut of the first format, and starts until there is a pool that stays.
fn cut_everywhere(scheme: Scheme, disks: usize) {
    let mut lent = Lent::new(100 << 10);
    let mut blank = SimArray::new(7, vec![Geometry::new(512, 640); disks]);
    blank.set_reordering(false);
    blank.set_thorough(true);
    let (mut cuts, mut mounted, mut formatted) = (0, 0, 0);
    for cut in 0.. {
        let mut world = blank.clone();
        world.halt_at(cut, Halt::PowerCut);
        let entropy = &mut Rng::new(3);
        let made = Pool::format(&mut world, lent.lend(), SERVICES, entropy, &options(scheme), &[]).is_ok();
        if world.halted().is_none() {
            assert!(made);
            break;
        }
        cuts += 1;
        for (left, mut world) in world.crash_states(STATES_MAX, &mut Rng::new(cut)).enumerate() {
            let what = format!("{scheme} on {disks}, cut at I/O {cut}, world {left}");
            // A board's random numbers may be the same at every start.
            let seed = if left % 2 == 0 { 3 } else { 4 };
            match start(&mut world, scheme, &mut lent, seed, &what) {
                true => mounted += 1,
                false => formatted += 1,
            }
            let options = MountOptions::default();
            let mut pool = Pool::mount(&mut world, lent.lend(), SERVICES, &options).expect("a pool");
            put_file(&mut pool, "first", &[9; 5_000]).unwrap_or_else(|error| panic!("{what}: {error}"));
            drop(pool);
            assert!(start(&mut world, scheme, &mut lent, 5, &what), "{what}: formatted over a pool");
            let mut pool = Pool::mount(&mut world, lent.lend(), SERVICES, &options).expect("a pool");
            assert!(pool.resolve(b"first").is_ok(), "{what}: what was written is gone");
            account(&mut pool, &what);
        }
    }
    println!("{scheme} on {disks}: {cuts} cuts, {mounted} mounted, {formatted} formatted anew");
    assert!(mounted > 0 && formatted > 0);
}

#[test]
fn a_first_format_that_is_cut_leaves_a_pool_or_something_to_format() {
    for disks in 1..=4 {
        cut_everywhere(Scheme::SINGLE, disks);
    }
    for disks in 2..=4 {
        cut_everywhere(Scheme::mirror(2), disks);
    }
}

/// The second start is cut too, while it wipes what the first one left. The beginning of a label was left
/// that was being wiped. Its disk was refused from then on: it belonged to a pool without a name.
#[test]
fn a_format_over_one_that_was_cut_is_cut_too() {
    let scheme = Scheme::mirror(2);
    let mut lent = Lent::new(100 << 10);
    let mut blank = SimArray::new(7, vec![Geometry::new(512, 640); 2]);
    blank.set_reordering(false);
    blank.set_thorough(true);
    let (mut cuts, mut damaged) = (0, 0);
    for first in 0.. {
        let mut world = blank.clone();
        world.halt_at(first, Halt::PowerCut);
        let entropy = &mut Rng::new(3);
        let _ = Pool::format(&mut world, lent.lend(), SERVICES, entropy, &options(scheme), &[]);
        if world.halted().is_none() {
            break;
        }
        for left in torn(&world, first) {
            for second in 0.. {
                let mut world = left.clone();
                let from = world.steps();
                world.halt_at(from + second, Halt::PowerCut);
                let entropy = &mut Rng::new(second);
                if Pool::mount(&mut world, lent.lend(), SERVICES, &MountOptions::default()).is_ok() {
                    break;
                }
                let _ = Pool::format(&mut world, lent.lend(), SERVICES, entropy, &options(scheme), &[]);
                if world.halted().is_none() {
                    break;
                }
                cuts += 1;
                for mut world in torn(&world, 5000 * first + second) {
                    damaged += usize::from(is_label_damaged(&mut world));
                    let what = format!("cut at I/O {first} and {second}");
                    start(&mut world, scheme, &mut lent, 5, &what);
                    assert!(start(&mut world, scheme, &mut lent, 6, &what), "{what}: it does not stay");
                }
            }
        }
    }
    println!("{cuts} pairs of cuts, {damaged} worlds with a damaged label");
    assert!(cuts > 100 && damaged > 0);
}

/// Worlds that a power cut may leave in which whole units are torn.
fn torn(world: &SimArray, seed: u64) -> Vec<SimArray> {
    let policies = [CrashPolicy::Torn, CrashPolicy::TornUnreadable, CrashPolicy::Torn];
    let cut = |(n, &policy): (usize, &CrashPolicy)| {
        let mut world = world.clone();
        world.power_cycle(policy, &mut Rng::new(seed + 1000 * n as u64));
        world
    };
    policies.iter().enumerate().map(cut).collect()
}

/// Whether the first label of a disk is damaged.
fn is_label_damaged(world: &mut SimArray) -> bool {
    (0..world.disks()).any(|disk| {
        let mut sector = [0; 512];
        let read = world.disk_mut(disk).read(0, &mut sector);
        read.is_ok() && label::decode(&sector, SERVICES.crc32c) == Err(LabelFault::Checksum)
    })
}

/// Whatever of its disks is there, a pool that was finished and written to is not formatted without force.
#[test]
fn disks_of_a_finished_pool_are_in_use_one_by_one() {
    let mut lent = Lent::new(100 << 10);
    let mut world = SimArray::new(7, vec![Geometry::new(512, 640); 3]);
    let mirror = Scheme::mirror(2);
    Pool::format(&mut world, lent.lend(), SERVICES, &mut Rng::new(3), &options(mirror), &[])
        .expect("formatted");
    let mounted = Pool::mount(&mut world, lent.lend(), SERVICES, &MountOptions::default());
    put_file(&mut mounted.expect("mounted"), "first", &[9; 5_000]).expect("committed");
    for disk in 0..3 {
        let mut one = SimArray::new(8, []);
        one.add(world.disk(disk).clone());
        let made =
            Pool::format(&mut one, lent.lend(), SERVICES, &mut Rng::new(4), &options(Scheme::SINGLE), &[]);
        assert!(
            matches!(made.map_err(|failure| failure.error).map(|_| ()), Err(FormatError::InUse { .. })),
            "disk {disk}"
        );
    }
}
