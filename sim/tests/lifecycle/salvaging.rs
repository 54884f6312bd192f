//! What is left of a pool is read, whichever disks are missing and whatever is lost. Unreadable parts are
//! named.

use super::*;
use dynamicfs_core::format::key::Key;
use dynamicfs_core::maintain::Survivor;
use std::collections::BTreeMap;
use std::ops::Range;

/// Files by object: bytes that are known to be somewhere, and those of them that are lost.
#[derive(Default)]
struct Left {
    names: BTreeMap<Vec<u8>, ObjectId>,
    sizes: BTreeMap<ObjectId, u64>,
    contents: Vec<(ObjectId, Range<u64>, bool)>,
    lost: Vec<(Key, Option<Key>)>,
}

fn survivors(pool: &mut Mounted<'_>) -> Left {
    let mut left = Left::default();
    pool.survivors(|survivor| match survivor {
        Survivor::Inode { object, inode } => _ = left.sizes.insert(object, inode.size),
        Survivor::Entry { directory, name, object, .. } => {
            assert_eq!(directory, ObjectId::ROOT);
            left.names.insert(name.to_vec(), object);
        }
        Survivor::Contents { object, start, end, inline } => left.contents.push((object, start..end, inline)),
        Survivor::Lost { from, end } => left.lost.push((from, end)),
        _ => {}
    })
    .expect("read");
    left
}

/// Reads all that is known of a file: it is what was written, but for the bytes that are said to be lost; how many.
fn expect_left(pool: &mut Mounted<'_>, left: &Left, name: &str, length: usize) -> u64 {
    let object = left.names[name.as_bytes()];
    assert_eq!(left.sizes[&object], length as u64, "{name}");
    let mut expected = crate::common::contents(name, length);
    let mut lost_bytes = 0;
    for (_, bytes, inline) in left.contents.iter().filter(|(of, ..)| *of == object) {
        let end = bytes.end.min(length as u64);
        let mut buf = vec![0xA5; (end - bytes.start) as usize];
        pool.read_surviving(object, *inline, bytes.start, &mut buf, |lost| {
            lost_bytes += lost.end - lost.start;
            expected[lost.start as usize..lost.end as usize].fill(0);
        })
        .expect("read");
        assert!(buf == expected[bytes.start as usize..end as usize], "{name}");
    }
    lost_bytes
}

#[test]
fn below_the_quorum_everything_that_the_scheme_bears_is_read_and_nothing_is_written() {
    let mut world = filled(Scheme { data: 2, parity: 2 }, 4);
    world.unplug(&[0, 3]);
    assert!(matches!(world.try_mount(MountMode::ReadOnly).err(), Some(MountError::Missing { .. })));
    let writes: Vec<u64> = [1, 2].map(|disk| world.array.disk(disk).counters().writes).into();
    let mut pool = world.try_mount(MountMode::Salvage).expect("as far as it goes");
    assert!(pool.health().tentative && !pool.health().writable);
    assert!(pool.begin().is_err());
    let left = survivors(&mut pool);
    assert_eq!((left.names.len(), left.lost.len()), (FILES.len(), 0));
    for (name, length) in FILES {
        assert_eq!(expect_left(&mut pool, &left, name, length), 0, "{name}");
        expect(&mut pool, name, length);
    }
    drop(pool);
    assert_eq!(writes, [1, 2].map(|disk| world.array.disk(disk).counters().writes));
}

#[test]
fn with_too_many_disks_missing_the_fragments_that_are_there_are_read() {
    // Three replicas of a node, and three disks away.
    let mut world = filled(FOUR_TWO, 7);
    let mut some_lost = 0;
    for away in [[0, 1, 2], [1, 3, 5], [2, 4, 6], [0, 3, 6]] {
        world.unplug(&away);
        let mut pool = world.try_mount(MountMode::Salvage).expect("as far as it goes");
        let left = survivors(&mut pool);
        for (name, length) in FILES.into_iter().filter(|(name, _)| left.names.contains_key(name.as_bytes())) {
            if left.sizes.contains_key(&left.names[name.as_bytes()]) {
                let lost = expect_left(&mut pool, &left, name, length);
                // Of what is short there are three copies, which may all be away; a stripe is on more disks.
                assert!(lost < length as u64 || length < 4096, "{name}: something of it is there");
                some_lost += lost;
            }
        }
        drop(pool);
        world.plug(&away);
    }
    assert!(some_lost > 0);
    world.expect("larger", 150_000);
}

/// Every node is lost in turn, with all replicas: what it held is named, the rest continues.
#[test]
fn a_lost_node_takes_what_is_below_it_and_nothing_else() {
    use dynamicfs_core::tree::Walk;
    let mut world = filled(Scheme::mirror(2), 3);
    let mut nodes = Vec::new();
    let mut pool = world.mount();
    let mut walk = Walk::new();
    while let Some(met) = pool.internals_mut().store.tree.walk(&mut walk).expect("sound") {
        nodes.push((met.level, met.pointer.replicas().to_vec()));
    }
    let all = survivors(&mut pool);
    drop(pool);
    assert!(nodes.len() > 3, "the tree has levels");
    for (level, replicas) in nodes {
        let mut world = world.fork(MEMORY);
        for address in replicas {
            world.array.disk_mut(usize::from(address.member.0)).flip_bits(address.block * 512 + 100, 0x10);
        }
        let mut pool = world.try_mount(MountMode::Salvage).expect("as far as it goes");
        let left = survivors(&mut pool);
        assert_eq!(left.lost.len(), 1, "level {level}");
        let (from, end) = left.lost[0];
        let is_lost = |key: Key| key >= from && end.is_none_or(|end| key < end);
        for (object, size) in &all.sizes {
            let kept = left.sizes.get(object) == Some(size);
            assert_eq!(kept, !is_lost(Key::inode(*object)), "object {}", object.0);
        }
        for (object, bytes, inline) in all.contents.iter().filter(|(_, _, inline)| !inline) {
            let kept = left.contents.contains(&(*object, bytes.clone(), *inline));
            // A record in pieces may be lost in part.
            assert!(
                kept || is_lost(Key::extent(*object, bytes.start))
                    || is_lost(Key::extent(*object, bytes.start + 1))
            );
        }
        for (name, length) in FILES {
            let known = left.names.get(name.as_bytes()).filter(|object| left.sizes.contains_key(object));
            if known.is_some() {
                expect_left(&mut pool, &left, name, length);
            }
        }
    }
}
