//! A reader in the least memory that it takes.

use super::*;
use dynamicfs_core::error::MountError;
use dynamicfs_core::{CacheEntry, DiskState, Memory, ReadObjects, Reader};

/// Pools of small and large nodes, on one disk and several, with a tree of several levels.
fn pools() -> impl Iterator<Item = (World, usize)> {
    let wide = Scheme { data: 2, parity: 1 };
    let options = [
        FormatOptions::portable(Scheme::SINGLE),
        FormatOptions::portable(wide),
        FormatOptions::server(Scheme::SINGLE),
        FormatOptions::server(wide).extent_bytes(65536),
    ];
    options.into_iter().map(|options| {
        let disks = options.scheme.width();
        let mut world = formatted(vec![Geometry::new(512, 32768); disks], &options, 2 << 20);
        (0..80).for_each(|n| world.put(&format!("{n:080}"), 900 * n));
        (world, disks)
    })
}

fn read_all<P: ReadObjects>(pool: &mut P) {
    for n in 0..80 {
        let name = format!("{n:080}");
        let file = pool.lookup(ObjectId::ROOT, name.as_bytes()).expect("there").object;
        let mut bytes = vec![0; 900 * n];
        assert_eq!(pool.read(file, 0, &mut bytes), Ok(bytes.len()), "{n}");
        assert_eq!(bytes, contents(&name, 900 * n), "{n}");
    }
}

#[test]
fn everything_is_read_in_the_least_memory_and_in_more() {
    for (mut world, disks) in pools() {
        let needs = Memory::needs_to_read(world.mount().parameters(), disks, 1);
        for more in [0, 1, 511, 700, 4096, 100_000] {
            let (mut bytes, mut entries) =
                (vec![0; needs.bytes + more], vec![CacheEntry::NEW; needs.entries]);
            let mut states = vec![DiskState::NEW; disks];
            let memory = Memory { bytes: &mut bytes, entries: &mut entries, disks: &mut states };
            read_all(&mut Reader::mount(&mut world.array, memory, SERVICES, None).expect("mounted"));
        }
    }
}

#[test]
fn less_of_any_kind_of_memory_is_refused_with_what_is_needed() {
    for (mut world, disks) in pools() {
        let needs = Memory::needs_to_read(world.mount().parameters(), disks, 1);
        for (fewer_bytes, fewer_entries, fewer_disks) in [(2, 0, 0), (0, 1, 0), (0, 0, 1)] {
            let mut bytes = vec![0; needs.bytes - fewer_bytes];
            let mut entries = vec![CacheEntry::NEW; needs.entries - fewer_entries];
            let mut states = vec![DiskState::NEW; disks - fewer_disks];
            let memory = Memory { bytes: &mut bytes, entries: &mut entries, disks: &mut states };
            let refused = Reader::mount(&mut world.array, memory, SERVICES, None).map(drop);
            match refused.expect_err("too little").error {
                MountError::NeedsMemory(needed) if fewer_disks == 0 => assert_eq!(needed, needs),
                MountError::NeedsMemory(needed) => assert_eq!(needed.disks, disks),
                other => panic!("{other}"),
            }
        }
    }
}
