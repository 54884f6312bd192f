//! Pools of many disks: more of them in the array than a pool has members, and more records of them than the
//! memory holds.

use super::*;
use dynamicfs_core::AddOptions;
use dynamicfs_core::disks::{Currency, DiskStatus};
use dynamicfs_core::types::{DiskIndex, Row};
use dynamicfs_sim::SimDisk;

/// A full pool and the replacement beside it were refused: an array could have no more disks than a pool has members. And
/// disks were put into sets of 64 by their place in the array.
#[test]
fn a_full_pool_mounts_beside_the_replacement_of_one_of_its_disks() {
    const DISKS: usize = 64;
    let options = FormatOptions::portable(Scheme::mirror(2)).members_max(DISKS as u8).extent_bytes(4096);
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
    assert!((1..=DISKS).all(|disk| pool.member_health(DiskIndex(disk)).currency == Currency::Current));
    assert_eq!(pool.member_health(DiskIndex(0)).status, DiskStatus::Unlabelled);
    assert_eq!(pool.health().owed, 0);
    let leaving = pool.member_health(DiskIndex(DISKS)).member.expect("a member");
    pool.drain_member(leaving, true).expect("drained");
    rest(&mut pool);
    assert_eq!(pool.health().members, DISKS - 1);
    let member = pool.add_disk(DiskIndex(0), &mut Rng::new(5), &AddOptions::default()).expect("added");
    assert_eq!((member, pool.health().online), (MemberNumber(DISKS as u16), DISKS));
    for name in ["before", "file", "more"] {
        expect(&mut pool, name, 60_000);
    }
    account(&mut pool, "after all");
}

/// A member was called failed, which is durable, and then the members' records could not be read. Its disk
/// was put into use again, and given what was written from then on. The next mount did without it.
#[test]
fn a_member_that_is_out_of_use_stays_so_whatever_cannot_be_read_then() {
    const DISKS: usize = 48;
    const LITTLE: usize = 26 << 10;
    let last = MemberNumber(DISKS as u16 - 1);
    let options = FormatOptions::portable(Scheme::mirror(2)).members_max(DISKS as u8).extent_bytes(4096);
    let mut before = formatted(vec![Geometry::new(512, 1200); DISKS], &options, 1 << 20);
    before.put("file", 5_000);
    let (mut shut, mut refused) = (0, 0);
    for well in 0..60 {
        let mut world = before.fork(LITTLE);
        let mut pool = world.mount();
        for disk in 0..DISKS {
            pool.array().disk_mut(disk).mishap_after(IoKind::Read, well, 8, Mishap::Fail(IoError::Media));
        }
        let done = pool.shut_member(last, true);
        (0..DISKS).for_each(|disk| pool.array().disk_mut(disk).calm());
        let mut later = World { array: pool.array().clone(), lent: Lent::new(1 << 20) };
        let is_out = later.mount().member_health(DiskIndex(DISKS - 1)).status == DiskStatus::Excluded;
        let (status, what) =
            (pool.member_health(DiskIndex(DISKS - 1)).status, format!("{well} reads: {done:?}"));
        match is_out {
            true => assert_ne!(status, DiskStatus::Online, "{what}"),
            false => assert!(done.is_err(), "{what}"),
        }
        // What its record says is known before anything else is written, where enough disks are left.
        let went_on = put(&mut pool, "after", 5_000).is_ok();
        assert!(
            !went_on || pool.internals().store.roster().failed.contains(Row(DISKS - 1)) == is_out,
            "{what}"
        );
        (shut, refused) = (shut + u32::from(is_out && went_on), refused + u32::from(!is_out));
    }
    assert!(shut > 0 && refused > 0, "{shut} times shut, {refused} times not");
}
