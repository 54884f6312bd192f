//! What is found while the power is on.

use dynamicfs_hal::conformance::{Checked, Finding, Plan, Step, destroy_and_check, memory_min};
use dynamicfs_hal::{BlockDevice, Geometry, GeometryError, IoError, RamDisk};

use super::faulty::{Fault, Faulty};

const SECTORS: u64 = 200;

/// A plain disk of 200 sectors that discards.
const PLAIN: Geometry = Geometry { discard: true, ..Geometry::new(512, SECTORS) };

fn run<D: BlockDevice>(device: &mut D, seed: u64) -> Result<Checked, Finding> {
    let mut memory = vec![0; memory_min(&device.geometry()) + 8 * 512];
    destroy_and_check(device, &mut memory, &Plan::new(seed))
}

/// The fault is named as expected, whatever the seed, and the text says what and where.
#[track_caller]
fn check_in(geometry: Geometry, fault: Fault, expected: impl Fn(&Finding) -> bool) {
    for seed in 0..8 {
        let found = run(&mut Faulty::new(fault, geometry), seed);
        let finding = found.expect_err(&format!("{fault:?} was not found with seed {seed}"));
        assert!(expected(&finding), "{fault:?} was found as {finding:?} with seed {seed}");
        assert!(finding.to_string().len() > 20, "{finding}");
    }
}

#[track_caller]
fn check(fault: Fault, expected: impl Fn(&Finding) -> bool) {
    check_in(PLAIN, fault, expected);
}

// --- right devices -----------------------------------------------------------------------------------------

#[test]
fn right_devices_pass() {
    let sizes = [8, 9, 31, 33, 100];
    for (seed, sectors) in (0..).zip(sizes) {
        for sector_bytes in [512, 4096] {
            for buffer_alignment in [1, 4, 512, 4096] {
                for discard in [false, true] {
                    let geometry =
                        Geometry { buffer_alignment, discard, ..Geometry::new(sector_bytes, sectors) };
                    // It states its alignment, and holds to it.
                    let fault = Fault::Refuses(buffer_alignment as usize);
                    let checked = run(&mut Faulty::new(fault, geometry), seed);
                    let checked = checked.unwrap_or_else(|finding| panic!("{geometry:?}: {finding}"));
                    assert!(checked.whole_capacity && checked.longest_transfer >= 8, "{checked:?}");
                }
            }
        }
    }
}

#[test]
fn a_ram_disk_passes() {
    let mut disk = RamDisk::new(vec![0; 300 * 512], 512);
    for seed in 0..10 {
        assert!(run(&mut disk, seed).unwrap().whole_capacity);
    }
}

#[test]
fn more_alignment_than_needed_may_be_stated() {
    let stated = Geometry { buffer_alignment: 64, ..PLAIN };
    run(&mut Faulty::new(Fault::Nothing, stated), 1).unwrap();
}

#[test]
fn a_sample_of_a_large_device_is_called_a_sample() {
    let mut disk = RamDisk::new(vec![0; 5000 * 512], 512);
    let plan = Plan { capacity_sectors: 100, ..Plan::new(3) };
    let checked = destroy_and_check(&mut disk, &mut [0; 16 << 10], &plan).unwrap();
    assert!(!checked.whole_capacity);
}

#[test]
fn the_same_seed_does_the_same() {
    let image = |seed| {
        let mut disk = RamDisk::new(vec![0; 100 * 512], 512);
        run(&mut disk, seed).unwrap();
        disk.into_inner()
    };
    assert_eq!(image(5), image(5));
    assert_ne!(image(5), image(6));
}

// --- the caller's own mistakes -----------------------------------------------------------------------------

#[test]
fn too_little_memory_is_said_and_what_is_said_is_enough() {
    let mut disk = RamDisk::new(vec![0; 100 * 512], 512);
    let needed = memory_min(&disk.geometry());
    let plan = Plan::new(1);
    let finding = destroy_and_check(&mut disk, &mut vec![0; needed - 1], &plan).unwrap_err();
    assert_eq!(finding, Finding::NeedsMemory { bytes: needed });
    // Wherever it begins.
    for skip in (0..128).step_by(9) {
        destroy_and_check(&mut disk, &mut vec![0; needed + skip][skip..], &plan).unwrap();
    }
}

#[test]
fn a_device_must_have_some_sectors() {
    let finding = run(&mut RamDisk::new(vec![0; 7 * 512], 512), 1).unwrap_err();
    assert_eq!(finding, Finding::TooSmall { sectors: 7, needed: 8 });
}

// --- wrong devices -----------------------------------------------------------------------------------------

#[test]
fn a_write_of_several_sectors_that_leaves_the_last_out_is_short() {
    check(Fault::LastSectorLeftOut, |finding| {
        matches!(finding, Finding::ShortWrite { .. } | Finding::LostWrite { .. })
    });
    // Nothing but the length is wrong: the first check of lengths names it exactly.
    let large = Geometry::new(512, 4 << 10);
    let mut memory = vec![0; 16 << 10];
    let plan = Plan { capacity_sectors: 10, ..Plan::new(1) };
    let finding = destroy_and_check(&mut Faulty::new(Fault::LastSectorLeftOut, large), &mut memory, &plan);
    assert_eq!(finding, Err(Finding::ShortWrite { lba: 0, sectors: 2, bytes: 512 }));
}

#[test]
fn a_write_that_ends_inside_a_sector_is_short() {
    for bytes in [100, 256, 511] {
        check(Fault::CutAfter(bytes), |finding| {
            // Where the next bytes are the same by chance, the first that differs is a little later.
            let arrived = bytes..bytes + 4;
            matches!(finding, Finding::ShortWrite { lba: 0, sectors: 1, bytes } if arrived.contains(bytes))
        });
    }
}

#[test]
fn transfers_longer_than_a_controller_takes_are_short() {
    let geometry = Geometry::new(512, 4 << 10);
    for most in [4, 7, 15] {
        let mut memory = vec![0; 32 << 10];
        let plan = Plan { capacity_sectors: 10, ..Plan::new(1) };
        let finding =
            destroy_and_check(&mut Faulty::new(Fault::AtMostSectors(most), geometry), &mut memory, &plan);
        let Err(Finding::ShortWrite { sectors, bytes, .. }) = finding else { panic!("{finding:?}") };
        assert_eq!((sectors, bytes), (most as u64 + 1, most * 512));
    }
}

#[test]
fn a_write_that_does_nothing_is_lost() {
    check(Fault::Deaf(0), |finding| *finding == Finding::LostWrite { lba: 0 });
    check(Fault::Deaf(2), |finding| *finding == Finding::LostWrite { lba: 2 });
}

#[test]
fn writes_to_the_wrong_sector_are_named_with_both() {
    check(Fault::OneTooFar, |finding| *finding == Finding::WrongSector { lba: 1, meant: 0 });
    check(Fault::SwapsNeighboursFrom(0), |finding| *finding == Finding::WrongSector { lba: 1, meant: 0 });
    check(Fault::SwapsNeighboursFrom(2), |finding| {
        matches!(finding, Finding::WrongSector { lba: 3, meant: 2 })
    });
}

#[test]
fn an_alignment_that_is_not_stated_is_found() {
    for alignment in [2, 4, 32, 64] {
        check(Fault::Refuses(alignment), |finding| {
            matches!(finding, Finding::UnstatedAlignment { step: Step::Write, stated: 1, aligned: 1, .. })
        });
        check(Fault::RoundsAddress(alignment), |finding| {
            matches!(finding, Finding::UnstatedAlignment { step: Step::Write, stated: 1, aligned: 1, .. })
        });
    }
    // More than a cache line: no buffer of the kit does.
    check(Fault::Refuses(4096), |finding| matches!(finding, Finding::UnstatedAlignment { stated: 1, .. }));
}

#[test]
fn an_alignment_that_is_stated_too_small_is_found() {
    let geometry = Geometry { buffer_alignment: 4, ..PLAIN };
    check_in(geometry, Fault::Refuses(32), |finding| {
        matches!(finding, Finding::UnstatedAlignment { stated: 4, aligned: 4, .. })
    });
}

#[test]
fn a_buffer_without_the_stated_alignment_must_not_be_mishandled() {
    let geometry = Geometry { buffer_alignment: 4, ..PLAIN };
    check_in(geometry, Fault::RoundsAddress(4), |finding| {
        matches!(finding, Finding::MisalignedMishandled { stated: 4, aligned: 1, .. })
    });
}

#[test]
fn old_contents_after_a_write_are_stale() {
    check(Fault::KeepsLastRead, |finding| matches!(finding, Finding::StaleRead { .. }));
}

#[test]
fn old_contents_after_a_flush_are_stale() {
    check(Fault::FlushDrops(1), |finding| *finding == Finding::StaleRead { lba: 1 });
}

#[test]
fn a_capacity_whose_end_fails_is_too_large() {
    for works in [1, 100, 127, 128, 199] {
        for fault in [Fault::FailsFrom(works), Fault::VoidFrom(works)] {
            if works >= 4 {
                check(fault, |finding| *finding == Finding::CapacityTooLarge { stated: SECTORS, works });
            }
        }
    }
}

#[test]
fn a_capacity_that_wraps_is_found() {
    for end in [40, 64, 100, 128, 199] {
        check(Fault::WrapsAt(end), |finding| match finding {
            Finding::CapacityWraps { lba, same_as, .. } => lba.abs_diff(*same_as).is_multiple_of(end),
            _ => false,
        });
    }
}

#[test]
fn a_sample_finds_addresses_with_too_few_bits() {
    for bits in 6..12 {
        let mut disk = Faulty::new(Fault::WrapsAt(1 << bits), Geometry::new(512, 4 << 10));
        let plan = Plan { capacity_sectors: 10, ..Plan::new(1) };
        let finding = destroy_and_check(&mut disk, &mut [0; 16 << 10], &plan);
        assert!(matches!(finding, Err(Finding::CapacityWraps { .. })), "{bits} bits: {finding:?}");
    }
}

#[test]
fn too_small_a_capacity_is_no_fault() {
    let mut disk = RamDisk::new(vec![0; 300 * 512 + 511], 512);
    run(&mut disk, 1).unwrap();
}

#[test]
fn a_geometry_out_of_bounds_is_named() {
    let geometry = Geometry { tear_unit: 256, ..PLAIN };
    check_in(geometry, Fault::Nothing, |finding| *finding == Finding::Geometry(GeometryError::TearUnit));
}

#[test]
fn a_geometry_that_changes_is_found() {
    for after in [0, 1, 50, 3000] {
        check(Fault::Shrinks(after), |finding| matches!(finding, Finding::GeometryChanged { .. }));
    }
}

#[test]
fn reads_that_do_not_fill_the_buffer_are_found() {
    for bytes in [1, 4, 300] {
        check(Fault::ReadEndsEarly(bytes), |finding| {
            *finding == Finding::ReadNotFilled { lba: 0, byte: 512 - bytes }
        });
    }
    check(Fault::ReadsOne, |finding| matches!(finding, Finding::ReadNotFilled { lba: 1.., .. }));
}

#[test]
fn reads_that_differ_are_unsteady() {
    // The fault shows wherever the count of operations lets it: in a comparison of whole transfers it is
    // corruption.
    check(Fault::Flaky(57), |finding| {
        matches!(finding, Finding::UnsteadyRead { .. } | Finding::Corrupt { .. } | Finding::ShortWrite { .. })
    });
    check(Fault::Flaky(9), |finding| matches!(finding, Finding::UnsteadyRead { byte: 200, .. }));
}

#[test]
fn a_bit_that_sticks_is_corruption() {
    check(Fault::StuckBit(3), |finding| matches!(finding, Finding::Corrupt { lba: 3, byte: 100 }));
}

#[test]
fn discards_beyond_their_range_are_found() {
    check(Fault::DiscardsGroups, |finding| match finding {
        Finding::DiscardDamaged { lba, from, sectors } => !(*from..from + sectors).contains(lba),
        _ => false,
    });
}

#[test]
fn discards_that_come_late_are_found() {
    check(Fault::DiscardsLate, |finding| matches!(finding, Finding::DiscardUndidWrite { .. }));
}

#[test]
fn requests_beyond_the_end_must_fail() {
    let accepted = |step| {
        move |finding: &Finding| match finding {
            Finding::OutOfBoundsAccepted { step: found, .. } => *found == step,
            _ => false,
        }
    };
    check(Fault::ClampsBeyond, accepted(Step::Read));
    check(Fault::Cuts32, accepted(Step::Read));
    check(Fault::IgnoresWritesBeyond, accepted(Step::Write));
    check(Fault::DiscardsBeyond, accepted(Step::Discard));
}

#[test]
fn an_operation_that_fails_is_named() {
    check(Fault::FailsFrom(0), |finding| {
        *finding == Finding::Failed { step: Step::Write, lba: 0, sectors: 1, error: IoError::Media }
    });
}
