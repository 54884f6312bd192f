//! Whatever a caller asks for is done or refused.

use crate::common::World;
use dynamicfs_core::error::Error;
use dynamicfs_core::format::node::value_bytes_max;
use dynamicfs_core::format::superblock::peek;
use dynamicfs_core::inspect::candidates;
use dynamicfs_core::planning::{effective_scheme, fragment_bytes, records_bytes_max};
use dynamicfs_core::types::{DiskIndex, MemoryNeeds, ObjectId, Scheme, Set};
use dynamicfs_core::{FormatOptions, Memory, PoolParameters, ReadObjects};
use dynamicfs_hal::Geometry;

/// A disk that the array does not have has a health all the same.
#[test]
fn a_disk_that_is_not_there_is_gone() {
    let mut world = World::new(Scheme::mirror(2), 2, 200 << 10);
    let pool = world.mount();
    for disk in [2, usize::MAX] {
        let health = pool.member_health(DiskIndex(disk));
        assert_eq!((health.status, health.member), (dynamicfs_core::health::DiskStatus::Gone, None));
    }
}

/// Places, counts and sizes far beyond all that a pool has.
#[test]
fn numbers_beyond_all_that_there_is_are_refused() {
    let mut world = World::new(Scheme::mirror(2), 3, 200 << 10);
    world.put("file", 30_000);
    let mut pool = world.mount();
    let file = pool.resolve(b"file").expect("there");
    for inline in [false, true] {
        let mut lost = 0;
        let read = pool.read_surviving(file, inline, u64::MAX - 10, &mut [0; 100], |_| lost += 1);
        assert_eq!((read, lost), (Err(Error::TooLarge), 0));
        let mut bytes = [7; 100];
        pool.read_surviving(file, inline, 1 << 32, &mut bytes, |_| lost += 1).expect("zeros");
        assert_eq!((bytes, lost), ([0; 100], 0));
    }
    assert!(!pool.has_room_for(u32::MAX));
    let row = Set::first(1);
    let forecast = pool.forecast_replacement(row, false, u64::MAX).expect("computed");
    assert_eq!(forecast.without_space, 0);
    pool.set_step_bytes(u64::MAX);
    assert_eq!(pool.next_written(ObjectId::ROOT, u64::MAX), Err(Error::IsADirectory));
}

/// What is computed before there is a pool.
#[test]
fn sizes_that_no_pool_has_are_computed_with_all_the_same() {
    let none = Scheme { data: 0, parity: 0 };
    for (scheme, logical) in [(none, 5000), (none, 0), (Scheme::mirror(2), 0)] {
        assert_eq!(effective_scheme(scheme, logical, 9, 3).map(|scheme| scheme.data), Some(1));
        assert!(fragment_bytes(scheme, logical, 9) <= 5120);
    }
    assert_eq!((value_bytes_max(0), records_bytes_max(0)), (0, 0));
    assert_eq!((value_bytes_max(131), value_bytes_max(132), value_bytes_max(136)), (0, 0, 1));
    assert_eq!(peek(&[0; 48]), None);
    let geometry = Geometry { tear_unit: 5000, ..Geometry::new(512, 1 << 20) };
    assert!(candidates(&geometry).is_empty());
    let nothing = |needs: MemoryNeeds| needs.bytes == 0;
    for bytes in [0, 3, 256, 1 << 31, u32::MAX] {
        let options = FormatOptions::portable(Scheme::SINGLE);
        for options in [options.block_bytes(bytes), options.node_bytes(bytes), options.chunk_bytes(bytes)] {
            assert!(nothing(options.memory(1, &Geometry::new(512, 4096))), "{bytes}");
            assert!(nothing(options.memory_to_read(1, &Geometry::new(512, 4096))), "{bytes}");
        }
    }
    let most = Memory::bytes_for_levels(&PoolParameters::UNKNOWN, usize::MAX);
    assert_eq!(most, Memory::bytes_for_levels(&PoolParameters::UNKNOWN, 16));
    assert!(Memory::bytes_for_stripe(&PoolParameters::UNKNOWN, usize::MAX) < 1 << 30);
}
