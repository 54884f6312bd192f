//! Each switch does what it says, and no more.

use super::{SECTOR, contents, flush, one, plain, read, uniform, write};
use dynamicfs_hal::{BlockDevice, DiskArray, Geometry, IoError, Request};
use dynamicfs_sim::{CrashPolicy, IoKind, Mishap, Rng, SimArray, SimDisk};
use std::collections::BTreeSet;

/// A disk with 1 in every sector, flushed.
fn ones(sectors: u64) -> SimArray {
    let mut array = one(1, plain(sectors));
    array.run(Request::write(0, 0, &vec![1; sectors as usize * SECTOR])).unwrap();
    flush(&mut array, 0).unwrap();
    array
}

fn power_cycled(array: &SimArray, policy: CrashPolicy) -> SimArray {
    array.crash(policy, &mut Rng::new(1))
}

#[test]
fn a_disk_that_is_unplugged_is_gone_until_it_is_plugged_in() {
    let mut array = ones(4);
    array.disk_mut(0).unplug();
    assert_eq!(write(&mut array, 0, 0, 2), Err(IoError::Gone));
    assert_eq!(flush(&mut array, 0), Err(IoError::Gone));
    assert_eq!(read(&mut array, 0, 0), Err(IoError::Gone));
    let mut array = power_cycled(&array, CrashPolicy::Nothing);
    assert_eq!(read(&mut array, 0, 0), Err(IoError::Gone));
    array.disk_mut(0).plug();
    assert_eq!(uniform(&mut array, 0, 0), Some(1));
}

#[test]
fn a_timeout_lasts_until_the_disk_is_opened_anew() {
    let mut array = ones(4);
    array.disk_mut(0).fail_next(IoKind::Read, 1, IoError::Timeout);
    assert_eq!(read(&mut array, 0, 0), Err(IoError::Timeout));
    assert_eq!(read(&mut array, 0, 0), Err(IoError::Gone));
    assert_eq!(uniform(&mut array.process_crash(), 0, 0), Some(1));
    assert_eq!(uniform(&mut power_cycled(&array, CrashPolicy::Nothing), 0, 0), Some(1));
}

#[test]
fn a_read_only_disk_reads_and_refuses_the_rest() {
    let mut array = ones(4);
    array.disk_mut(0).set_read_only(true);
    assert_eq!(write(&mut array, 0, 0, 2), Err(IoError::WriteProtected));
    assert_eq!(array.run(Request::discard(0, 0, 1)), Err(IoError::WriteProtected));
    assert_eq!(uniform(&mut array, 0, 0), Some(1));
    array.disk_mut(0).set_read_only(false);
    assert_eq!(write(&mut array, 0, 0, 2), Ok(()));
}

#[test]
fn the_next_requests_of_a_kind_fail_and_no_others() {
    let mut array = ones(4);
    array.disk_mut(0).fail_next(IoKind::Read, 2, IoError::Media);
    assert_eq!(write(&mut array, 0, 0, 2), Ok(()));
    assert_eq!(read(&mut array, 0, 0), Err(IoError::Media));
    assert_eq!(read(&mut array, 0, 1), Err(IoError::Media));
    assert_eq!(uniform(&mut array, 0, 0), Some(2));
}

#[test]
fn a_failed_read_leaves_nothing_of_use_in_the_buffer() {
    let mut array = ones(4);
    array.disk_mut(0).fail_next(IoKind::Read, 1, IoError::Media);
    let mut buf = [0; SECTOR];
    array.run(Request::read(0, 0, &mut buf)).unwrap_err();
    assert!(buf != [0; SECTOR] && buf != [1; SECTOR]);
}

#[test]
fn a_failed_write_leaves_old_new_or_damaged_sectors() {
    let mut seen = BTreeSet::new();
    for seed in 0..200 {
        let mut array = one(seed, plain(4));
        write(&mut array, 0, 0, 1).unwrap();
        array.disk_mut(0).fail_next(IoKind::Write, 1, IoError::Media);
        assert_eq!(write(&mut array, 0, 0, 2), Err(IoError::Media));
        seen.insert(uniform(&mut array, 0, 0));
    }
    assert!(seen.is_superset(&[Some(1), Some(2), None].into()));
}

/// A disk writes a tear unit as a whole. What became durable in one after a failed flush is not torn with
/// what that flush left.
#[test]
fn what_is_durable_beside_a_failed_write_stays() {
    let geometry = Geometry { tear_unit: 4096, ..Geometry::new(512, 64) };
    for seed in 0..200 {
        let mut disk = SimDisk::new(geometry, seed);
        disk.write(0, &[1; 512]).expect("written");
        disk.fail_next(IoKind::Flush, 1, IoError::Media);
        assert_eq!(disk.flush(), Err(IoError::Media));
        disk.write(1, &[2; 512]).expect("written");
        disk.flush().expect("flushed");
        disk.power_cycle(CrashPolicy::TornUnreadable, &mut Rng::new(seed));
        let mut sector = [0; 512];
        assert_eq!(disk.read(1, &mut sector), Ok(()), "seed {seed}");
        assert_eq!(sector, [2; 512], "seed {seed}");
    }
}

/// The flush fails once and then succeeds: the second success says nothing about what the first one dropped.
#[test]
fn after_a_failed_flush_what_was_cached_is_read_back_but_never_durable() {
    let mut array = ones(4);
    write(&mut array, 0, 0, 2).unwrap();
    write(&mut array, 0, 1, 2).unwrap();
    array.disk_mut(0).fail_next(IoKind::Flush, 1, IoError::Media);
    assert_eq!(flush(&mut array, 0), Err(IoError::Media));
    write(&mut array, 0, 1, 3).unwrap();
    write(&mut array, 0, 2, 3).unwrap();
    assert_eq!(flush(&mut array, 0), Ok(()));
    assert_eq!([0, 1, 2].map(|lba| uniform(&mut array, 0, lba)), [Some(2), Some(3), Some(3)]);
    let mut after = power_cycled(&array, CrashPolicy::Nothing);
    assert_eq!([0, 1, 2].map(|lba| uniform(&mut after, 0, lba)), [Some(1), Some(3), Some(3)]);
    let mut rng = Rng::new(1);
    let seen: BTreeSet<_> = (0..100)
        .map(|_| array.crash(CrashPolicy::Subset, &mut rng))
        .map(|mut after| [0, 1].map(|lba| uniform(&mut after, 0, lba)))
        .collect();
    assert_eq!(seen, [[Some(1), Some(3)], [Some(2), Some(3)]].into());
    // Written again, it can be flushed.
    write(&mut array, 0, 0, 2).unwrap();
    flush(&mut array, 0).unwrap();
    assert_eq!(uniform(&mut power_cycled(&array, CrashPolicy::Nothing), 0, 0), Some(2));
}

#[test]
fn a_write_may_be_lost_and_a_flush_may_lie() {
    let mut array = ones(4);
    array.disk_mut(0).mishap_next(IoKind::Write, 1, Mishap::Lie);
    assert_eq!(write(&mut array, 0, 0, 2), Ok(()));
    assert_eq!(uniform(&mut array, 0, 0), Some(1));
    write(&mut array, 0, 0, 2).unwrap();
    array.disk_mut(0).mishap_next(IoKind::Flush, 1, Mishap::Lie);
    assert_eq!(flush(&mut array, 0), Ok(()));
    assert_eq!(uniform(&mut power_cycled(&array, CrashPolicy::Nothing), 0, 0), Some(1));
}

#[test]
fn a_request_may_go_elsewhere() {
    let mut array = ones(4);
    array.disk_mut(0).mishap_next(IoKind::Write, 1, Mishap::Misdirect(3));
    assert_eq!(write(&mut array, 0, 0, 2), Ok(()));
    assert_eq!([0, 3].map(|lba| uniform(&mut array, 0, lba)), [Some(1), Some(2)]);
    array.disk_mut(0).mishap_next(IoKind::Read, 1, Mishap::Misdirect(3));
    assert_eq!([0, 0].map(|lba| uniform(&mut array, 0, lba)), [Some(2), Some(1)]);
}

#[test]
fn an_unreadable_sector_fails_every_read_that_touches_it_until_it_is_rewritten() {
    let mut array = ones(8);
    array.disk_mut(0).make_unreadable(2..4);
    let mut two = [0; 2 * SECTOR];
    assert_eq!(array.run(Request::read(0, 1, &mut two)), Err(IoError::Media));
    assert_eq!(array.run(Request::read(0, 0, &mut two)), Ok(()));
    write(&mut array, 0, 2, 5).unwrap();
    flush(&mut array, 0).unwrap();
    let mut after = power_cycled(&array, CrashPolicy::Nothing);
    assert_eq!(uniform(&mut after, 0, 2), Some(5));
    assert_eq!(read(&mut after, 0, 3), Err(IoError::Media));
    after.disk_mut(0).heal(3..4);
    assert_eq!(uniform(&mut after, 0, 3), Some(1));
}

#[test]
fn rot_is_sticky_until_the_byte_is_rewritten_and_the_truth_stays_known() {
    let mut array = ones(4);
    let at = SECTOR as u64 + 7;
    array.disk_mut(0).flip_bits(at, 0x80);
    let mut rotten = [1; SECTOR];
    rotten[7] = 0x81;
    assert_eq!(read(&mut array, 0, 1), Ok(rotten));
    assert_eq!(read(&mut power_cycled(&array, CrashPolicy::Torn), 0, 1), Ok(rotten));
    let mut truth = [0; SECTOR];
    array.disk(0).pristine(SECTOR as u64, &mut truth);
    assert_eq!(truth, [1; SECTOR]);

    let mut healed = array.clone();
    healed.disk_mut(0).heal(1..2);
    assert_eq!(uniform(&mut healed, 0, 1), Some(1));
    let mut flipped_back = array.clone();
    flipped_back.disk_mut(0).flip_bits(at, 0x80);
    assert_eq!(uniform(&mut flipped_back, 0, 1), Some(1));

    // A rewrite hides it at once and heals it when it is durable.
    write(&mut array, 0, 1, 4).unwrap();
    assert_eq!(uniform(&mut array, 0, 1), Some(4));
    assert_eq!(read(&mut power_cycled(&array, CrashPolicy::Nothing), 0, 1), Ok(rotten));
    flush(&mut array, 0).unwrap();
    assert_eq!(uniform(&mut power_cycled(&array, CrashPolicy::Nothing), 0, 1), Some(4));
}

#[test]
fn a_disk_can_be_wiped_replaced_rolled_back_and_swapped() {
    let mut array = SimArray::new(1, [plain(4); 2]);
    write(&mut array, 0, 0, 1).unwrap();
    write(&mut array, 1, 0, 9).unwrap();
    (0..2).for_each(|disk| flush(&mut array, disk).unwrap());
    let image = array.disk(0).clone();
    write(&mut array, 0, 0, 2).unwrap();
    write(&mut array, 0, 1, 2).unwrap();
    flush(&mut array, 0).unwrap();
    write(&mut array, 0, 2, 2).unwrap();

    let mut back = array.clone();
    back.disk_mut(0).roll_back(&image);
    assert_eq!([0, 1, 2].map(|lba| uniform(&mut back, 0, lba)), [Some(1), None, None]);
    let mut region = array.clone();
    region.disk_mut(0).roll_back_region(&image, 1..2);
    assert_eq!([0, 1, 2].map(|lba| uniform(&mut region, 0, lba)), [Some(2), None, Some(2)]);
    let mut wiped = array.clone();
    wiped.disk_mut(0).wipe();
    assert!(contents(&mut wiped, 0).iter().all(|&byte| byte == 0));
    let mut replaced = array.clone();
    replaced.disk_mut(0).replace(plain(3), 77);
    assert_eq!((replaced.geometry(0).sectors, uniform(&mut replaced, 0, 0)), (3, None));
    assert_eq!(write(&mut replaced, 0, 3, 1), Err(IoError::OutOfBounds));
    array.swap(0, 1);
    assert_eq!([0, 1].map(|disk| uniform(&mut array, disk, 0)), [Some(9), Some(2)]);
}

#[test]
fn an_empty_place_has_no_sectors() {
    let mut array = SimArray::new(1, [plain(4); 2]);
    write(&mut array, 1, 0, 9).unwrap();
    let disk = array.take(1);
    assert_eq!((array.disks(), array.geometry(1).sectors), (2, 0));
    assert_eq!(read(&mut array, 1, 0), Err(IoError::Gone));
    assert_eq!(read(&mut array, 7, 0), Err(IoError::Gone));
    let place = array.add(disk);
    assert_eq!((place, uniform(&mut array, place, 0)), (2, Some(9)));
}

#[test]
fn what_is_discarded_is_noise_and_volatile_until_a_flush() {
    let mut seen = BTreeSet::new();
    for seed in 0..40 {
        let mut array = one(seed, Geometry { discard: true, ..plain(8) });
        (0..3).for_each(|lba| write(&mut array, 0, lba, 1).unwrap());
        flush(&mut array, 0).unwrap();
        array.run(Request::discard(0, 1, 1)).unwrap();
        assert_eq!([0, 1, 2].map(|lba| uniform(&mut array, 0, lba)), [Some(1), None, Some(1)]);
        let mut after = power_cycled(&array, CrashPolicy::Nothing);
        assert_eq!(uniform(&mut after, 0, 1), Some(1));
        let mut after = array.crash(CrashPolicy::Subset, &mut Rng::new(seed));
        seen.insert(uniform(&mut after, 0, 1));
        flush(&mut array, 0).unwrap();
        let mut after = power_cycled(&array, CrashPolicy::Nothing);
        assert_eq!([0, 1, 2].map(|lba| uniform(&mut after, 0, lba)), [Some(1), None, Some(1)]);
    }
    assert_eq!(seen, [Some(1), None].into());
}

#[test]
fn what_is_written_after_a_discard_stays() {
    for seed in 0..20 {
        let mut array = one(seed, Geometry { discard: true, ..plain(8) });
        array.run(Request::write(0, 0, &[1; 8 * SECTOR])).unwrap();
        array.run(Request::discard(0, 2, 3)).unwrap();
        write(&mut array, 0, 3, 2).unwrap();
        array.disk_mut(0).overwrite(4 * SECTOR as u64, &[7; SECTOR]);
        assert_eq!(
            [1, 2, 3, 4, 5].map(|lba| uniform(&mut array, 0, lba)),
            [Some(1), None, Some(2), Some(7), Some(1)]
        );
        let mut after = array.crash(CrashPolicy::Subset, &mut Rng::new(seed));
        assert_eq!(uniform(&mut after, 0, 4), Some(7));
        flush(&mut array, 0).unwrap();
        let mut after = power_cycled(&array, CrashPolicy::Nothing);
        assert_eq!(uniform(&mut after, 0, 3), Some(2));
    }
}

/// A disk that does no discards, or fails one: what comes of it.
#[test]
fn discards_that_are_not_done_or_fail() {
    let mut array = one(1, plain(8));
    write(&mut array, 0, 1, 1).unwrap();
    array.run(Request::discard(0, 0, 8)).unwrap();
    assert_eq!(uniform(&mut array, 0, 1), Some(1));
    assert_eq!(array.run(Request::discard(0, 1, 8)), Err(IoError::OutOfBounds));
    let mut seen = BTreeSet::new();
    for seed in 0..40 {
        let mut array = one(seed, Geometry { discard: true, ..plain(8) });
        (0..3).for_each(|lba| write(&mut array, 0, lba, 1).unwrap());
        array.disk_mut(0).fail_next(IoKind::Discard, 1, IoError::Media);
        assert_eq!(array.run(Request::discard(0, 1, 1)), Err(IoError::Media));
        assert_eq!([0, 2].map(|lba| uniform(&mut array, 0, lba)), [Some(1); 2]);
        seen.insert(uniform(&mut array, 0, 1));
    }
    assert!(seen.len() > 1 && seen.contains(&Some(1)), "old, damaged or noise: {seen:?}");
}

#[test]
fn requests_outside_the_disk_or_out_of_shape_are_refused() {
    let mut array = ones(4);
    assert_eq!(write(&mut array, 0, 4, 1), Err(IoError::OutOfBounds));
    assert_eq!(read(&mut array, 0, u64::MAX), Err(IoError::OutOfBounds));
    assert_eq!(array.run(Request::write(0, 0, &[1; 100])), Err(IoError::NotAligned));
    let mut aligned = one(1, Geometry { buffer_alignment: 4096, ..plain(8) });
    let memory = vec![1; 3 * 4096];
    let offset = memory.as_ptr().align_offset(4096);
    assert_eq!(aligned.run(Request::write(0, 0, &memory[offset..offset + SECTOR])), Ok(()));
    let request = Request::write(0, 0, &memory[offset + 1..offset + 1 + SECTOR]);
    assert_eq!(aligned.run(request), Err(IoError::NotAligned));
}
