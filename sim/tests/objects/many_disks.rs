//! More disks in the array than a pool has members.

use super::*;
use dynamicfs_core::AddOptions;
use dynamicfs_core::disks::{Currency, DiskStatus};
use dynamicfs_sim::SimDisk;

/// A full pool and the replacement beside it were refused: an array could have no more disks than a pool has members. And
/// disks were put into sets of 64 by their place in the array.
#[test]
fn a_full_pool_mounts_beside_the_replacement_of_one_of_its_disks() {
    const DISKS: usize = 64;
    let options = FormatOptions {
        members_max: DISKS as u8,
        extent_bytes: 4096,
        ..FormatOptions::portable(Scheme::mirror(2))
    };
    let geometry = Geometry::new(512, 1200);
    let mut world = formatted(vec![geometry; DISKS], &options, 1 << 20);
    world.put("before", 60_000);
    // The new disk in the first place, and a member in the last.
    world.array.add(SimDisk::new(geometry, 77));
    world.array.swap(0, DISKS);
    world.put("file", 60_000);
    let mut pool = world.mount();
    assert_eq!((pool.health().members, pool.health().online), (DISKS, DISKS));
    put(&mut pool, "more", 60_000).expect("put");
    drop(pool);
    // Each commit is on the disk in the last place too.
    let mut pool = world.mount();
    assert!((1..=DISKS).all(|disk| pool.member_health(disk).currency == Currency::Current));
    assert_eq!(pool.member_health(0).status, DiskStatus::Unlabelled);
    assert_eq!(pool.health().owed, 0);
    let leaving = pool.member_health(DISKS).member.expect("a member");
    pool.drain_member(leaving, true).expect("drained");
    rest(&mut pool);
    assert_eq!(pool.health().members, DISKS - 1);
    let member = pool.add_disk(0, &mut Rng::new(5), &AddOptions::default()).expect("added");
    assert_eq!((member, pool.health().online), (MemberNumber(DISKS as u16), DISKS));
    for name in ["before", "file", "more"] {
        expect(&mut pool, name, 60_000);
    }
    account(&mut pool, "after all");
}
