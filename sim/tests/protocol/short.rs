//! What is short is not forgotten by a pass that did not look for it.

use super::*;
use dynamicfs_core::maintain::{CheckReport, Finding, JobState};
use dynamicfs_core::types::DiskIndex;

/// A rebuild runs that looks at what is young alone. The operator takes a member out by force, with all that
/// it holds. One bit remembers that something is short. The pass ended, had found nothing, and cleared it:
/// health, the counts and every forecast called the pool whole, and upkeep rested.
#[test]
fn a_rebuild_that_began_before_a_member_was_taken_out_forgets_nothing() {
    for lost in 0..5 {
        let mut world = World::new(Scheme::mirror(2), 5, MEMORY);
        let mut pool = world.mount();
        (0..20).for_each(|n| put(&mut pool, &format!("file-{n}"), 20_000).expect("committed"));
        rest(&mut pool);
        pool.start_job(JobKind::Rebuild, JobOptions::default()).expect("started");
        pool.remove_member(MemberNumber(lost), true).expect("removed");
        rest(&mut pool);
        let job = pool.job(JobKind::Rebuild).expect("read").expect("it ran");
        assert_eq!((job.state, pool.health().owed), (JobState::Complete, 0), "without {lost}");
        let (mut report, mut short) = (CheckReport::default(), 0);
        let checked = pool.check_contents(&mut report, |finding| {
            let is_short = matches!(finding, Some(Finding::Deficit { .. } | Finding::ExtentLost { .. }));
            short += usize::from(is_short);
        });
        checked.expect("checked");
        assert_eq!(short, 0, "without {lost}: of {} extents", report.extents);
    }
}

/// The losses that health says are borne, each tried: what is wrong then.
fn broken_promises(pool: &mut Mounted<'_>, names: &[String]) -> Vec<String> {
    let borne = pool.health().read_tolerance;
    let disks = 0..pool.internals().store.tree.disks.count();
    let online: Vec<usize> =
        disks.filter(|&disk| pool.member_health(DiskIndex(disk)).status == DiskStatus::Online).collect();
    let array = pool.array().clone();
    let mut broken = Vec::new();
    for &lost in online.iter().filter(|_| borne > 0) {
        let mut world = World { array: array.clone(), lent: Lent::new(MEMORY) };
        world.unplug(&[lost]);
        let wrong = match world.try_mount(MountMode::Salvage) {
            Ok(mut pool) => names.iter().find_map(|name| wrong(&mut pool, name, 20_000)),
            Err(error) => Some(error.to_string()),
        };
        broken.extend(wrong.map(|wrong| format!("{borne} are borne, and without {lost}: {wrong}")));
    }
    broken
}

/// Two disks are gone for good, as many as are borne. Two of three copies may be gone, and no walk has looked
/// yet. What is short counted as one loss, or as none where few disks were left.
#[test]
fn what_members_took_with_them_is_not_promised() {
    let names: Vec<String> = (0..12).map(|n| format!("file-{n}")).collect();
    let filled = |disks| {
        let mut world = World::new(Scheme::mirror(3), disks, MEMORY);
        names.iter().for_each(|name| world.put(name, 20_000));
        world
    };
    let mut world = filled(4);
    world.unplug(&[1, 2]);
    let mut pool = world.try_mount(MountMode::AssumeMissingDead { branch: 5 }).expect("overridden");
    assert_eq!(broken_promises(&mut pool, &names), [""; 0], "overridden");

    let mut world = filled(5);
    let mut pool = world.mount();
    for member in [1, 2] {
        pool.remove_member(MemberNumber(member), true).expect("removed");
    }
    assert_eq!(broken_promises(&mut pool, &names), [""; 0], "removed");
    assert_eq!(pool.health().read_tolerance, 0);
    rest(&mut pool);
    assert_eq!(pool.health().read_tolerance, 2, "rebuilt");
}

/// As many copies as disks. One is away, and what is written meanwhile is on the others, one copy short. Then
/// another goes, and the first is back. The rebuild waited for the absent disk, as if a copy were missing on
/// that one alone. The returned disk got none. It was owed nothing any more.
#[test]
fn a_disk_that_is_owed_nothing_has_what_was_written_while_it_was_away() {
    for copies in [3, 4] {
        let disks = usize::from(copies);
        let mut world = World::new(Scheme::mirror(copies), disks, MEMORY);
        {
            let mut pool = world.mount();
            pool.array().disk_mut(1).unplug();
            put(&mut pool, "file", 20_000).expect("committed");
            pool.array().disk_mut(2).unplug();
            put(&mut pool, "later", 2000).expect("committed");
        }
        world.plug(&[1]);
        let (mut lost, promised) = {
            let mut pool = world.mount();
            rest(&mut pool);
            assert!(!pool.member_health(DiskIndex(1)).owed, "it is owed nothing");
            let forecast = pool.forecast_loss(Set::EMPTY).expect("counted");
            assert_eq!(pool.health().read_tolerance, forecast.read_tolerance, "{copies} copies");
            let others = (0..disks).filter(|disk| ![1, 2].contains(disk));
            (others.collect::<Vec<usize>>(), pool.health().read_tolerance)
        };
        assert_eq!(promised, disks - 2, "{copies} copies: one is away, and another may stay");
        lost.truncate(promised);
        world.unplug(&lost);
        let mut pool = world.try_mount(MountMode::Salvage).expect("to read");
        expect(&mut pool, "file", 20_000);
    }
}
