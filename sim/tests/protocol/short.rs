//! What is short is not forgotten by a pass that did not look for it.

use super::*;
use dynamicfs_core::maintain::{CheckReport, Finding, JobState};

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
