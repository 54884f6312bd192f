//! The least memory that a pool is mounted with.

use super::*;
use dynamicfs_core::Memory;
use dynamicfs_core::format::key::Key;
use std::collections::BTreeSet;

/// Records come and go in one transaction, and the last one before a key is looked for. The cache is full again and
/// again: nodes that were changed are written, and read again. A search that had gone past the wanted record took the way
/// back by a pointer that it had kept. The node behind it was written meanwhile, and nothing that was read there was right.
#[test]
fn a_search_goes_back_to_a_node_that_was_written_meanwhile() {
    let options = FormatOptions::portable(Scheme::mirror(2));
    let world = formatted(vec![Geometry::new(512, 16384); 2], &options, MEMORY);
    let least = Memory::bytes_min(fork(&world, MEMORY).mount().parameters()) + 64;
    for seed in 0..4 {
        let rng = &mut Rng::new(seed);
        let mut world = fork(&world, least);
        let mut pool = world.mount();
        let (mut model, first) = (BTreeSet::new(), Key::extent(ObjectId(99), 0));
        pool.store.begin().expect("begun");
        for step in 0..20_000 {
            let key = Key::extent(ObjectId(99), rng.below(160) << 12);
            match rng.below(4) {
                0 => {
                    let found = pool.store.tree.last_before(&first, &key, &mut []);
                    let expected = model.range(..key).next_back().map(|&key| (key, 90));
                    assert_eq!(found, Ok(expected), "step {step} of seed {seed}");
                }
                1 => {
                    pool.store.remove(&key).expect("removed");
                    model.remove(&key);
                }
                _ => {
                    pool.store.put(&key, &[step as u8; 90]).expect("put");
                    model.insert(key);
                }
            }
        }
        pool.store.abort();
    }
}
