//! What is found when the power goes.

use dynamicfs_hal::conformance::{
    Cuts, Finding, PowerSwitch, check_after_cut, destroy_and_cut, destroy_until_cut, memory_min,
};
use dynamicfs_hal::{BlockDevice, Geometry, IoError};

use super::power_disk::{Lie, PowerDisk, Switch, Torn};

const CUTS: u32 = 200;

const CACHED: Geometry = Geometry { tear_unit: 512, ..Geometry::new(512, 700) };
const UNCACHED: Geometry = Geometry { volatile_cache: false, ..CACHED };

fn run(disk: PowerDisk, seed: u64, cuts: u32) -> Result<Cuts, Finding> {
    let mut memory = vec![0; memory_min(&disk.geometry())];
    destroy_and_cut(&mut Switch { disk, by_hand: false }, &mut memory, seed, cuts)
}

/// The lie is named as expected, whatever the seed.
#[track_caller]
fn check(geometry: Geometry, lie: Lie, expected: impl Fn(&Finding) -> bool) {
    for torn in [Torn::Garbage, Torn::Erased, Torn::Unreadable] {
        for seed in 0..5 {
            let found = run(PowerDisk::new(geometry, lie, torn), seed, CUTS);
            let finding = found.expect_err(&format!("{lie:?} was not found with seed {seed}"));
            assert!(expected(&finding), "{lie:?} was found as {finding:?} with seed {seed}");
        }
    }
}

#[test]
fn right_devices_pass_and_their_writes_were_torn() {
    for geometry in [CACHED, UNCACHED] {
        for tear_unit in [512, 1024, 4096, 16384, 1 << 20] {
            for (sector_bytes, sectors) in [(512, 700), (512, 8), (4096, 300)] {
                let tear_unit = tear_unit.max(sector_bytes);
                let geometry = Geometry { tear_unit, sector_bytes, sectors, ..geometry };
                for torn in [Torn::Garbage, Torn::Erased, Torn::Unreadable] {
                    let cuts = run(PowerDisk::new(geometry, Lie::None, torn), 1, 60);
                    let cuts = cuts.unwrap_or_else(|finding| panic!("{geometry:?}: {finding}"));
                    assert_eq!(cuts.cuts, 60);
                    assert!(cuts.interrupted > 15 && cuts.torn > 3, "{cuts:?}");
                }
            }
        }
    }
}

#[test]
fn a_flush_that_does_nothing_is_found() {
    check(CACHED, Lie::FlushDoesNothing, |finding| matches!(finding, Finding::FlushLost { .. }));
}

#[test]
fn a_tear_unit_that_is_larger_than_stated_is_found() {
    for unit in [1024, 4096, 16384] {
        check(CACHED, Lie::Tears(unit), |finding| match finding {
            Finding::TornBeyondUnit { stated: 512, seen, .. } => (1024..=u64::from(unit)).contains(seen),
            _ => false,
        });
    }
    let stated = Geometry { tear_unit: 4096, ..UNCACHED };
    check(stated, Lie::Tears(8192), |finding| {
        matches!(finding, Finding::TornBeyondUnit { stated: 4096, seen: 8192, .. })
    });
}

#[test]
fn a_durable_write_that_is_not_is_found() {
    check(CACHED, Lie::DurableIsPlain, |finding| matches!(finding, Finding::DurableWriteLost { .. }));
}

#[test]
fn a_cache_that_is_not_stated_is_found() {
    check(UNCACHED, Lie::Caches, |finding| matches!(finding, Finding::UncachedWriteLost { .. }));
}

#[test]
fn damage_far_from_any_write_is_found() {
    // The area is sectors 256 to 511; the last is in one unit with all of its other half at most.
    check(CACHED, Lie::DamagesAtRest(511), |finding| {
        matches!(finding, Finding::TornBeyondUnit { lba: 511, .. } | Finding::DamagedAtRest { lba: 511 })
    });
}

#[test]
fn a_device_that_does_not_come_back_is_named() {
    check(CACHED, Lie::Dies(3), |finding| *finding == Finding::NotBack { error: IoError::Gone });
}

#[test]
fn a_switch_that_cannot_go_by_itself_finds_a_flush_that_does_nothing() {
    let run = |lie| {
        let mut switch = Switch { disk: PowerDisk::new(CACHED, lie, Torn::Garbage), by_hand: true };
        destroy_and_cut(&mut switch, &mut [0; 8 << 10], 1, CUTS)
    };
    let cuts = run(Lie::None).unwrap();
    assert_eq!((cuts.cuts, cuts.interrupted), (CUTS, 0));
    assert!(matches!(run(Lie::FlushDoesNothing), Err(Finding::FlushLost { .. })));
}

#[test]
fn an_error_while_the_power_is_on_is_a_finding() {
    let mut switch = Switch { disk: PowerDisk::new(CACHED, Lie::None, Torn::Garbage), by_hand: true };
    // It fills 256 sectors and flushes.
    switch.disk.go_after(258);
    let finding = destroy_and_cut(&mut switch, &mut [0; 8 << 10], 1, CUTS).unwrap_err();
    assert!(matches!(finding, Finding::Failed { error: IoError::Timeout, .. }), "{finding}");
}

// --- by hand -----------------------------------------------------------------------------------------------

/// Writes until the power goes after so many sectors; the last report, and the disk with its power back.
fn write_by_hand(lie: Lie, seed: u64, sectors: u32) -> (Option<u32>, PowerDisk) {
    let mut disk = PowerDisk::new(CACHED, lie, Torn::Garbage);
    disk.go_after(sectors);
    let mut reported = None;
    let end = destroy_until_cut(&mut disk, &mut [0; 8 << 10], seed, u32::MAX, &mut |round| {
        assert_eq!(
            round,
            reported.map_or(0, |last: u32| last + 1),
            "rounds are reported one after the other"
        );
        reported = Some(round);
    });
    assert!(matches!(end, Err(Finding::Failed { error: IoError::Timeout, .. })), "{end:?}");
    let mut switch = Switch { disk, by_hand: true };
    switch.cut().unwrap();
    (reported, switch.disk)
}

#[test]
fn the_two_phases_by_hand() {
    for cut in 0..200 {
        let (reported, mut disk) = write_by_hand(Lie::None, cut, 300 + 7 * cut as u32);
        let after = check_after_cut(&mut disk, &mut [0; 8 << 10], cut, reported).unwrap();
        assert!(Some(after.durable_round) >= reported);
        let without_report = check_after_cut(&mut disk, &mut [0; 8 << 10], cut, None).unwrap();
        assert!(Some(without_report.durable_round) <= reported.map(|round| round + 1));
    }
}

#[test]
fn the_two_phases_by_hand_find_what_was_not_flushed() {
    let mut found = 0;
    for cut in 0..20 {
        let (reported, mut disk) = write_by_hand(Lie::FlushDoesNothing, cut, 1000);
        match check_after_cut(&mut disk, &mut [0; 8 << 10], cut, reported) {
            Err(Finding::FlushLost { .. }) => found += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(found, 20);
}

#[test]
fn what_another_run_left_is_not_taken_for_this_one() {
    let (_, mut disk) = write_by_hand(Lie::None, 1, 1000);
    assert_eq!(check_after_cut(&mut disk, &mut [0; 8 << 10], 2, None), Err(Finding::NothingToCheck));
    let lost = check_after_cut(&mut disk, &mut [0; 8 << 10], 2, Some(3));
    assert!(matches!(lost, Err(Finding::FlushLost { .. })), "{lost:?}");
}

#[test]
fn a_check_changes_nothing() {
    let (reported, mut disk) = write_by_hand(Lie::None, 3, 2000);
    let all = |disk: &mut PowerDisk| {
        let mut bytes = vec![0; disk.geometry().bytes() as usize];
        disk.read(0, &mut bytes).unwrap();
        bytes
    };
    let before = all(&mut disk);
    check_after_cut(&mut disk, &mut [0; 8 << 10], 3, reported).unwrap();
    assert!(all(&mut disk) == before);
}

#[test]
fn rounds_that_end_before_the_power_goes_are_told() {
    let mut disk = PowerDisk::new(CACHED, Lie::None, Torn::Garbage);
    let mut last = None;
    destroy_until_cut(&mut disk, &mut [0; 8 << 10], 1, 10, &mut |round| last = Some(round)).unwrap();
    assert_eq!(last, Some(10));
    assert_eq!(check_after_cut(&mut disk, &mut [0; 8 << 10], 1, last).unwrap().damaged_sectors, 0);
}
