//! What a power cut leaves of unflushed writes: each row of the picture is seen, and nothing else.

use super::{SECTOR, coarse, contents, flush, one, plain, read, uniform, write};
use dynamicfs_hal::{DiskArray, Geometry, IoError, Operation, Request};
use dynamicfs_sim::{CrashPolicy, Halt, Rng, SimArray};
use std::collections::BTreeSet;

/// What sectors hold after crashes with different luck.
fn seen(array: &SimArray, policy: CrashPolicy, lbas: &[u64]) -> BTreeSet<Vec<Option<u8>>> {
    let mut rng = Rng::new(1);
    let crash = |_| {
        let mut after = array.crash(policy, &mut rng);
        lbas.iter().map(|&lba| uniform(&mut after, 0, lba)).collect()
    };
    (0..500).map(crash).collect()
}

/// Sector 0 holds 1, flushed; then 2, 3 in the cache. Sector 1 holds 1, flushed; then 4 in the cache.
fn versions() -> SimArray {
    let mut array = one(1, plain(8));
    for lba in 0..2 {
        write(&mut array, 0, lba, 1).unwrap();
    }
    flush(&mut array, 0).unwrap();
    write(&mut array, 0, 0, 2).unwrap();
    write(&mut array, 0, 1, 4).unwrap();
    write(&mut array, 0, 0, 3).unwrap();
    array
}

#[test]
fn nothing_and_everything_are_exact() {
    let array = versions();
    assert_eq!(seen(&array, CrashPolicy::Nothing, &[0, 1]), [vec![Some(1), Some(1)]].into());
    assert_eq!(seen(&array, CrashPolicy::Everything, &[0, 1]), [vec![Some(3), Some(4)]].into());
}

#[test]
fn any_version_of_each_sector_may_survive() {
    let all: BTreeSet<_> =
        [1, 2, 3].into_iter().flat_map(|one| [1, 4].map(|other| vec![Some(one), Some(other)])).collect();
    assert_eq!(seen(&versions(), CrashPolicy::Subset, &[0, 1]), all);
}

#[test]
fn a_cut_at_any_byte_leaves_left_or_right_parts_and_garbage() {
    let mut array = one(1, plain(4));
    write(&mut array, 0, 0, 1).unwrap();
    flush(&mut array, 0).unwrap();
    write(&mut array, 0, 0, 2).unwrap();
    let (mut left, mut right, mut garbage) = (0, 0, 0);
    let mut rng = Rng::new(1);
    for _ in 0..500 {
        let sector = read(&mut array.crash(CrashPolicy::Torn, &mut rng), 0, 0).unwrap();
        let news = sector.iter().take_while(|&&byte| byte == 2).count();
        let olds = sector.iter().take_while(|&&byte| byte == 1).count();
        if (1..SECTOR).contains(&news) && sector[news..].iter().all(|&byte| byte == 1) {
            left += 1;
        } else if (1..SECTOR).contains(&olds) && sector[olds..].iter().all(|&byte| byte == 2) {
            right += 1;
        } else if sector.iter().any(|byte| ![1, 2].contains(byte)) {
            garbage += 1;
        }
    }
    assert!(left > 10 && right > 10 && garbage > 10, "{left} {right} {garbage}");
}

#[test]
fn a_torn_unit_mixes_sectors_and_damages_neighbours_within_the_unit_alone() {
    let mut array = one(1, coarse(12, 4));
    for lba in 0..12 {
        write(&mut array, 0, lba, 1).unwrap();
    }
    flush(&mut array, 0).unwrap();
    array.run(Request::write(0, 5, &[2; 2 * SECTOR])).unwrap();

    let pairs = seen(&array, CrashPolicy::Torn, &[5, 6]);
    assert!(pairs.contains(&vec![Some(2), Some(1)]), "a mixture of sectors: {pairs:?}");
    assert!(pairs.contains(&vec![Some(1), Some(2)]), "a mixture of sectors: {pairs:?}");
    let neighbours = seen(&array, CrashPolicy::Torn, &[4, 7]);
    assert!(neighbours.iter().any(|pair| pair[0] != Some(1)), "left neighbour damaged");
    assert!(neighbours.iter().any(|pair| pair[1] != Some(1)), "right neighbour damaged");
    let others = seen(&array, CrashPolicy::Torn, &[0, 1, 2, 3, 8, 9, 10, 11]);
    assert_eq!(others, [vec![Some(1); 8]].into());
    // Without tearing, a neighbour is never touched.
    assert_eq!(seen(&array, CrashPolicy::Subset, &[4, 7]), [vec![Some(1); 2]].into());
}

#[test]
fn a_tear_unit_ends_with_the_disk() {
    let mut array = one(1, coarse(9, 8));
    write(&mut array, 0, 7, 1).unwrap();
    flush(&mut array, 0).unwrap();
    write(&mut array, 0, 8, 2).unwrap();
    assert_eq!(seen(&array, CrashPolicy::TornUnreadable, &[7]), [vec![Some(1)]].into());
    assert!(array.crash_states(9, &mut Rng::new(1)).is_complete());
}

#[test]
fn a_torn_sector_may_be_unreadable_until_it_is_rewritten() {
    let mut array = one(1, plain(4));
    write(&mut array, 0, 1, 2).unwrap();
    let mut rng = Rng::new(1);
    let mut after = (0..500)
        .map(|_| array.crash(CrashPolicy::TornUnreadable, &mut rng))
        .find(|after| read(&mut after.clone(), 0, 1).is_err())
        .expect("some crash leaves the sector unreadable");
    assert_eq!(read(&mut after, 0, 1), Err(IoError::Media));
    assert!(read(&mut after, 0, 2).is_ok());
    write(&mut after, 0, 1, 3).unwrap();
    assert_eq!(uniform(&mut after, 0, 1), Some(3));
    // The rewrite is itself only cached.
    let mut lost = after.crash(CrashPolicy::Nothing, &mut rng);
    assert_eq!(read(&mut lost, 0, 1), Err(IoError::Media));
    flush(&mut after, 0).unwrap();
    let mut healed = after.crash(CrashPolicy::Nothing, &mut rng);
    assert_eq!(uniform(&mut healed, 0, 1), Some(3));
}

#[test]
fn without_a_volatile_cache_only_the_write_in_flight_is_at_risk() {
    let mut array = one(1, Geometry { volatile_cache: false, ..plain(4) });
    write(&mut array, 0, 0, 1).unwrap();
    array.halt_at(array.steps(), Halt::PowerCut);
    write(&mut array, 0, 1, 2).unwrap_err();
    assert!(seen(&array, CrashPolicy::Torn, &[0]).iter().eq([&vec![Some(1)]]));
    assert!(seen(&array, CrashPolicy::Torn, &[1]).len() > 2);
}

#[test]
fn a_durable_write_is_durable_alone() {
    let mut array = one(1, plain(8));
    write(&mut array, 0, 0, 1).unwrap();
    write(&mut array, 0, 1, 1).unwrap();
    array.run(Request::new(0, 1, Operation::WriteDurable(&[2; 2 * SECTOR]))).unwrap();
    for policy in CrashPolicy::ALL {
        assert_eq!(seen(&array, policy, &[1, 2]), [vec![Some(2), Some(2)]].into(), "{policy:?}");
    }
    assert_eq!(seen(&array, CrashPolicy::Nothing, &[0]), [vec![None]].into());
}

#[test]
fn crash_states_are_all_subsets_and_each_once() {
    let array = versions();
    let mut rng = Rng::new(1);
    let states = array.crash_states(6, &mut rng);
    assert!(states.is_complete());
    assert_eq!(states.total(), 6);
    let mut all = states.map(|mut after| [0, 1].map(|lba| uniform(&mut after, 0, lba))).collect::<Vec<_>>();
    all.sort();
    let expected: Vec<_> =
        [1, 2, 3].into_iter().flat_map(|one| [1, 4].map(|other| [Some(one), Some(other)])).collect();
    assert_eq!(all, expected);
}

#[test]
fn crash_states_of_several_disks_multiply_and_equal_contents_count_once() {
    let mut array = SimArray::new(1, [plain(4); 3]);
    for disk in 0..3 {
        write(&mut array, disk, 0, 1).unwrap();
    }
    flush(&mut array, 2).unwrap();
    // The same bytes again: whether this survives cannot be seen.
    write(&mut array, 2, 0, 1).unwrap();
    assert_eq!(array.crash_states(100, &mut Rng::new(1)).count(), 4);
    let distinct: BTreeSet<_> = array
        .crash_states(100, &mut Rng::new(1))
        .map(|mut after| [0, 1, 2].map(|disk| contents(&mut after, disk)))
        .collect();
    assert_eq!(distinct.len(), 4);
}

#[test]
fn too_many_crash_states_are_sampled_with_both_extremes_first() {
    let mut array = one(1, plain(64));
    for lba in 0..32 {
        write(&mut array, 0, lba, 1).unwrap();
    }
    let mut states = array.crash_states(100, &mut Rng::new(1));
    assert!(!states.is_complete());
    let survivors =
        |mut after: SimArray| (0..32).filter(|&lba| uniform(&mut after, 0, lba) == Some(1)).count();
    assert_eq!(states.next().map(survivors), Some(0));
    assert_eq!(states.next().map(survivors), Some(32));
    let sizes: BTreeSet<_> = states.map(survivors).collect();
    assert!(sizes.len() > 10, "{sizes:?}");
}

#[test]
fn a_flush_covers_the_earlier_requests_of_its_batch() {
    let mut later_survived = BTreeSet::new();
    for seed in 0..50 {
        let mut array = SimArray::new(seed, [plain(4); 2]);
        let mut batch = [
            Request::write(0, 0, &[1; SECTOR]),
            Request::write(1, 0, &[1; SECTOR]),
            Request::flush(0),
            Request::write(0, 1, &[1; SECTOR]),
        ];
        array.execute(&mut batch);
        let mut after = array.crash(CrashPolicy::Nothing, &mut Rng::new(seed));
        assert_eq!(uniform(&mut after, 0, 0), Some(1), "covered by the flush");
        assert_eq!(uniform(&mut after, 1, 0), None, "on another disk");
        later_survived.insert(uniform(&mut after, 0, 1));
    }
    assert_eq!(later_survived.len(), 2, "a later write comes before the flush or after it");
}
