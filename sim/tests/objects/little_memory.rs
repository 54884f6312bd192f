//! The least memory that a pool is mounted with.

use super::*;
use dynamicfs_core::Memory;
use dynamicfs_core::format::key::Key;
use dynamicfs_core::maintain::JobState;
use std::collections::BTreeSet;

/// Records come and go in one transaction, and the last one before a key is looked for. The cache is full
/// again and again: nodes that were changed are written, and read again. A search that had gone past the
/// wanted record took the way back by a pointer that it had kept. The node behind it was written meanwhile,
/// and nothing that was read there was right.
#[test]
fn a_search_goes_back_to_a_node_that_was_written_meanwhile() {
    let options = FormatOptions::portable(Scheme::mirror(2));
    let world = formatted(vec![Geometry::new(512, 16384); 2], &options, MEMORY);
    let least = Memory::bytes_min(world.fork(MEMORY).mount().parameters()) + 64;
    for seed in 0..4 {
        let rng = &mut Rng::new(seed);
        let mut world = world.fork(least);
        let mut pool = world.mount();
        let (mut model, first) = (BTreeSet::new(), Key::extent(ObjectId(99), 0));
        pool.internals_mut().store.begin().expect("begun");
        for step in 0..20_000 {
            let key = Key::extent(ObjectId(99), rng.below(160) << 12);
            match rng.below(4) {
                0 => {
                    let found = pool.internals_mut().store.tree.last_before(&first, &key, &mut []);
                    let expected = model.range(..key).next_back().map(|&key| (key, 90));
                    assert_eq!(found, Ok(expected), "step {step} of seed {seed}");
                }
                1 => {
                    pool.internals_mut().store.remove(&key).expect("removed");
                    model.remove(&key);
                }
                _ => {
                    pool.internals_mut().store.put(&key, &[step as u8; 90]).expect("put");
                    model.insert(key);
                }
            }
        }
        pool.internals_mut().store.abort();
    }
}

/// A step of a scrub reads as many blocks as there is memory for. Where each node has five replicas, and the
/// tree four levels, the way down to a leaf alone cost more than that. The scrub went that way for ever, and
/// committed each time.
#[test]
fn a_scrub_of_a_deep_tree_with_many_replicas_comes_to_its_end() {
    let options = FormatOptions::portable(Scheme::mirror(2)).tolerance(4).members_max(5).block_bytes(4096);
    let mut world = formatted(vec![Geometry::new(512, 32768); 5], &options, MEMORY);
    (0..60).for_each(|n| world.put(&format!("{n:0100}"), 600));
    let least = Memory::bytes_min(world.mount().parameters()) + 64;
    let mut world = world.fork(least);
    let mut pool = world.mount();
    assert!(pool.internals().store.committed().root_level() >= 3);
    pool.start_job(JobKind::Scrub, JobOptions::default()).expect("started");
    for _ in 0..5000 {
        if pool.maintain(true).expect("maintained") == Work::Nothing {
            break;
        }
    }
    let job = pool.job(JobKind::Scrub).expect("read").expect("there");
    assert_eq!((job.state, job.found), (JobState::Complete, 0), "{job:?}");
}

/// A piece of contents that has one checksum was longer than the window. A scrub could not prove it, and said
/// so at each step. The rebalance behind it never had its turn.
#[test]
fn jobs_on_long_chunks_work_with_the_least_memory() {
    let options = FormatOptions::portable(Scheme::mirror(2)).chunk_bytes(16384).extent_bytes(16384);
    let mut world = formatted(vec![Geometry::new(512, 4096); 3], &options, MEMORY);
    world.put("file", 60_000);
    let least = Memory::bytes_min(world.mount().parameters()) + 64;
    let mut world = world.fork(least);
    let mut pool = world.mount();
    for kind in [JobKind::Scrub, JobKind::Rebalance] {
        pool.start_job(kind, JobOptions::default()).expect("started");
    }
    rest(&mut pool);
    for kind in [JobKind::Scrub, JobKind::Rebalance] {
        assert_eq!(pool.job(kind).expect("read").expect("there").state, JobState::Complete);
    }
    expect(&mut pool, "file", 60_000);
}
